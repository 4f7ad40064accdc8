#include "reconciler/plan/plan.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/digest.h"
#include "reconciler/base/str.h"
#include "reconciler/model/owned.h"
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

static const char *new_uuid(struct cb_arena *arena, const struct cb_plan_input *input,
			    const struct cb_change *change, const struct cb_plan_ids *ids)
{
	if (change->target != CB_TARGET_VM)
		return cb_owned_uuid(arena, input->desired->owner, cb_target_name(change->target),
				     change->name);
	return change->domain ? change->domain->uuid : ids->uuid;
}

static void add_steps(struct cb_builder *builder)
{
	if (builder->change->target == CB_TARGET_NETWORK)
		cb_plan_network(builder);
	else if (builder->change->target == CB_TARGET_POOL)
		cb_plan_pool(builder);
	else if (builder->change->restore)
		cb_plan_restore(builder);
	else if (builder->change->hand_over && builder->change->action == CB_ACTION_UPDATE)
		cb_plan_hand_over(builder);
	else if (builder->change->action == CB_ACTION_CREATE)
		cb_plan_create(builder);
	else if (builder->change->action == CB_ACTION_UPDATE)
		cb_plan_update(builder);
	else
		cb_plan_delete(builder);
}

/* Case 15: the guest was told something else at its first boot. */
static void note_guest(struct cb_builder *builder)
{
	const char *list = NULL;

	if (builder->change->reseed)
		return;
	cb_vec_each (const struct cb_field_change, field, &builder->change->fields) {
		if (field->decision == GUEST_CHANGED)
			list = list ? cb_arena_printf(builder->arena, "%s, %s", list, field->path)
				    : field->path;
	}
	if (list)
		cb_builder_problem(builder, CB_WARNING, "guest.changed",
				   cb_arena_printf(builder->arena,
						   "the guest was told otherwise at its first "
						   "boot: %s",
						   list),
				   "change it in the guest, or say `guest: rerun` to have "
				   "cloud-init run once more at the next boot, `guest: reseed` to "
				   "only replace the seed");
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
	builder.fresh = ids->uuid;
	builder.transaction = (struct cb_transaction){
		.id = ids->transaction,
		.uri = input->host->uri,
		.target = change->target,
		.name = change->name,
		.uuid = new_uuid(arena, input, change, ids),
		.action = change->action,
	};
	if (change->refusal) {
		cb_builder_problem(
			&builder, CB_PROBLEM,
			cb_arena_printf(arena, "%s.refused", cb_target_name(change->target)),
			change->refusal, change->fix);
		count(&plan->summary, change, NULL);
		return;
	}
	note_guest(&builder);
	if (change->action == CB_ACTION_NOOP) {
		count(&plan->summary, change, NULL);
		return;
	}
	cb_plan_dependencies(&builder);
	add_steps(&builder);
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

/* Ids, and the hex in them that names volumes. */
static void mask_id(char *text, const char *id)
{
	mask(text, id);
	mask(text, strrchr(id, '-') + 1);
}

/* What follows from a random UUID. */
static void mask_derived(char *text, const struct cb_transaction *transaction)
{
	mask(text, transaction->uuid);
	cb_vec_each (const struct cb_member, member, &transaction->members) {
		if (member->target == CB_TARGET_VM && member->action == CB_ACTION_CREATE)
			mask(text, member->uuid);
	}
	cb_vec_each (const struct cb_step, step, &transaction->steps) {
		cb_vec_each (const struct cb_entry, entry, &step->set) {
			if (strstr(entry->path, "].mac") && entry->value.kind == CB_STRING)
				mask(text, entry->value.string);
		}
	}
}

/* The random UUID of a tombstone that a new root disk leaves behind. */
static void mask_tombstone(char *text, const struct cb_transaction *transaction)
{
	cb_vec_each (const struct cb_step, step, &transaction->steps) {
		if (step->kind == CB_STEP_KIND_DOMAIN_DEFINE)
			mask(text, cb_spec_string(&step->args, "uuid"));
	}
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
		mask(text, input->trash_until);
		mask_id(text, transaction->id);
		/* What another transaction imports may be used here: then it comes after that. */
		cb_vec_each (const char *const, id, &transaction->after)
			mask_id(text, *id);
		if ((transaction->action == CB_ACTION_CREATE &&
		     transaction->target == CB_TARGET_VM) ||
		    transaction->target == CB_TARGET_GROUP)
			mask_derived(text, transaction);
		mask_tombstone(text, transaction);
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
			change->network ? cb_arena_printf(arena, "network %s %s %d\n", change->name,
							  change->network->fingerprint,
							  change->network->active)
			: domain        ? cb_arena_printf(arena, "%s %s %s %d\n", change->name,
							  domain->uuid,
                                                   domain->fingerprint ? domain->fingerprint : "",
							  domain->active)
					: cb_arena_printf(arena, "%s -\n", change->name);

		cb_digest_add(digest, line, strlen(line));
	}
	cb_digest_finish(digest, hex);
	return hex;
}

void cb_plan_compute(struct cb_arena *arena, const struct cb_plan_input *given, struct cb_plan *out)
{
	struct cb_plan_input grouped = *given;
	const struct cb_plan_input *input = &grouped;
	const size_t *order;

	grouped.ids = cb_plan_group_ids(arena, given);
	out->uri = input->host->uri;
	out->changes = input->changes;
	order = cb_plan_order(arena, input);
	for (size_t i = 0; i < input->changes->len; i++)
		plan_change(arena, input, order[i], out);
	cb_plan_check(arena, input, out);
	cb_plan_join_groups(arena, input, out);
	out->hash = hash_plan(arena, input, out);
	out->fingerprint = fingerprint(arena, input);
}
