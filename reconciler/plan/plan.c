#include "reconciler/plan/plan.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/digest.h"
#include "reconciler/base/str.h"
#include "reconciler/plan/codec.h"
#include "reconciler/plan/plan_internal.h"

/* The first step after which not everything can be taken back. */
static unsigned point_of_no_return(const struct cb_transaction *transaction)
{
	cb_vec_each (const struct cb_step, step, &transaction->steps) {
		if (step->reversible == CB_IRREVERSIBLE)
			return step->n;
	}
	return 0;
}

static bool loses_data(const struct cb_transaction *transaction)
{
	cb_vec_each (const struct cb_step, step, &transaction->steps) {
		if (cb_spec_bool(&step->args, "data", false))
			return true;
	}
	return false;
}

static bool restarts(const struct cb_transaction *transaction)
{
	cb_vec_each (const struct cb_step, step, &transaction->steps) {
		if (step->kind == CB_STEP_KIND_DOMAIN_SHUTDOWN)
			return true;
	}
	return false;
}

static void count(struct cb_summary *summary, const struct cb_change *change,
		  const struct cb_transaction *transaction)
{
	if (change->refusal)
		summary->refused++;
	else if (change->action == CB_ACTION_CREATE)
		summary->create++;
	else if (change->action == CB_ACTION_UPDATE)
		summary->update++;
	else if (change->action == CB_ACTION_DELETE)
		summary->delete ++;
	else
		summary->noop++;
	if (transaction) {
		if (restarts(transaction) && change->action != CB_ACTION_DELETE)
			summary->restart++;
		if (loses_data(transaction))
			summary->data_loss++;
	}
}

static void plan_change(struct cb_arena *arena, const struct cb_plan_input *input, size_t index,
			struct cb_plan *plan)
{
	const struct cb_change *change = &input->changes->items[index];
	const struct cb_plan_ids *ids = &input->ids[index];
	const char *dash = strrchr(ids->transaction, '-');
	struct cb_builder builder = {
		.arena = arena, .input = input, .change = change, .plan = plan};

	CB_ASSERT(dash && strlen(dash) == 9);
	builder.suffix = dash + 1;
	builder.transaction = (struct cb_transaction){
		.id = ids->transaction,
		.uri = input->host->uri,
		.name = change->name,
		.uuid = change->domain ? change->domain->uuid : ids->uuid,
		.action = change->action,
	};
	if (change->refusal) {
		cb_builder_problem(&builder, CB_PROBLEM, "vm.refused", change->refusal,
				   change->fix);
		count(&plan->summary, change, NULL);
		return;
	}
	switch (change->action) {
	case CB_ACTION_NOOP:
		count(&plan->summary, change, NULL);
		return;
	case CB_ACTION_CREATE:
		cb_plan_create(&builder);
		break;
	case CB_ACTION_UPDATE:
		cb_plan_update(&builder);
		break;
	case CB_ACTION_DELETE:
		cb_plan_delete(&builder);
		break;
	}
	builder.transaction.point_of_no_return = point_of_no_return(&builder.transaction);
	count(&plan->summary, change, &builder.transaction);
	cb_vec_push(arena, &plan->transactions, builder.transaction);
}

/* Overwrites every occurrence: ids differ in every run, the plan's hash must not. */
static void mask(char *text, const char *id)
{
	size_t len = id ? strlen(id) : 0;

	if (len == 0)
		return;
	for (char *at = strstr(text, id); at; at = strstr(at + len, id))
		memset(at, '#', len);
}

static const char *hash_plan(struct cb_arena *arena, const struct cb_plan_input *input,
			     const struct cb_plan *plan)
{
	struct cb_digest *digest = cb_digest_new();
	char *hex = cb_arena_alloc(arena, CB_SHA256_HEX);

	cb_vec_each (const struct cb_transaction, transaction, &plan->transactions) {
		json_t *json = cb_codec_transaction(transaction);
		char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);

		if (!text)
			cb_oom();
		mask(text, input->controller);
		/* Of other transactions too: what they import may be used here. */
		for (size_t i = 0; i < input->changes->len; i++) {
			mask(text, input->ids[i].transaction);
			mask(text, strrchr(input->ids[i].transaction, '-') + 1);
		}
		if (transaction->action == CB_ACTION_CREATE) {
			mask(text, transaction->uuid);
			cb_vec_each (const struct cb_step, step, &transaction->steps)
				mask(text, cb_spec_string(&step->set, "nics[nic0].mac"));
		}
		cb_digest_add(digest, text, strlen(text));
		free(text);
		json_decref(json);
	}
	cb_digest_add(digest, input->host->uri, strlen(input->host->uri));
	cb_digest_finish(digest, hex);
	return hex;
}

/* What the plan rests on: the domains that it found for its VMs. */
static const char *fingerprint(struct cb_arena *arena, const struct cb_plan_input *input)
{
	struct cb_digest *digest = cb_digest_new();
	char *hex = cb_arena_alloc(arena, CB_SHA256_HEX);

	cb_vec_each (const struct cb_change, change, input->changes) {
		const struct cb_domain *domain = change->domain;
		const char *line =
			domain ? cb_arena_printf(arena, "%s %s %s %d\n", change->name, domain->uuid,
						 domain->fingerprint ? domain->fingerprint : "",
						 domain->active)
			       : cb_arena_printf(arena, "%s -\n", change->name);

		cb_digest_add(digest, line, strlen(line));
	}
	cb_digest_finish(digest, hex);
	return hex;
}

void cb_plan_compute(struct cb_arena *arena, const struct cb_plan_input *input, struct cb_plan *out)
{
	out->uri = input->host->uri;
	out->changes = input->changes;
	for (size_t i = 0; i < input->changes->len; i++)
		plan_change(arena, input, i, out);
	out->hash = hash_plan(arena, input, out);
	out->fingerprint = fingerprint(arena, input);
}
