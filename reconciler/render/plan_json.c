#include <stdlib.h>
#include <string.h>

#include "reconciler/base/digest.h"

#include "reconciler/plan/codec.h"
#include "reconciler/render/render.h"

static json_t *origin_json(const struct cb_origin *origin)
{
	cb_auto_str struct cb_str text = {0};

	cb_render_origin(&text, origin);
	return json_string(text.text);
}

static json_t *value_json(const struct cb_field_change *field, const struct cb_value *value)
{
	if (field->origin.sensitive && value->kind != CB_NONE)
		return json_string("(sensitive)");
	return cb_codec_value(value);
}

static json_t *change_json(const struct cb_change *change, const char *uri)
{
	json_t *fields = json_array(), *json;

	cb_vec_each (const struct cb_field_change, field, &change->fields) {
		char path[256];

		(void)snprintf(path, sizeof(path), "%s.%s", cb_target_name(change->target),
			       field->path);
		json_array_append_new(fields,
				      json_pack("{s:s,s:o,s:o,s:s,s:b,s:i,s:o}", "path", path,
						"old", value_json(field, &field->old), "new",
						value_json(field, &field->new), "cost",
						cb_cost_name(field->cost), "staged",
						(int)field->staged, "case", (int)field->decision,
						"source", origin_json(&field->origin)));
	}
	json = json_pack("{s:s,s:s,s:s,s:s,s:s,s:i,s:o}", "action", cb_action_name(change->action),
			 "kind", cb_target_name(change->target), "host", uri, "name", change->name,
			 "cost", cb_cost_name(change->cost), "case", (int)change->decision,
			 "fields", fields);
	if (change->refusal)
		json_object_set_new(json, "refused", json_string(change->refusal));
	return json;
}

static bool holds(const json_t *value, const struct cb_value *secret)
{
	const char *text = json_string_value(value), *end;

	if (!text || secret->kind != CB_STRING || !secret->string[0])
		return false;
	/* A file, where it stands. */
	end = strrchr(text, '/');
	return strcmp(text, secret->string) == 0 ||
	       (end && strlen(text) > strlen(secret->string) &&
		strcmp(text + strlen(text) - strlen(secret->string), secret->string) == 0);
}

/* Journals hold what a step sets, as the host will; what people pass around does not. */
static void mask_members(json_t *object, const char *secret_path, const struct cb_value *secret)
{
	const char *path = json_string_value(json_object_get(object, "path")), *key;
	bool about = path && strcmp(path, secret_path) == 0;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		if (strcmp(key, secret_path) == 0 || holds(value, secret) ||
		    (about && (strcmp(key, "value") == 0 || strcmp(key, "old") == 0)))
			json_object_set_new(object, key, json_string("(sensitive)"));
	}
}

static void mask_value(json_t *transaction, const char *path, const struct cb_value *secret)
{
	json_t *step;
	size_t i;

	json_array_foreach(json_object_get(transaction, "steps"), i, step)
	{
		mask_members(json_object_get(step, "set"), path, secret);
		mask_members(json_object_get(step, "args"), path, secret);
	}
}

static void mask_change(json_t *transaction, const struct cb_change *change)
{
	cb_vec_each (const struct cb_entry, entry, &change->wanted) {
		if (entry->origin.sensitive)
			mask_value(transaction, entry->path, &entry->value);
	}
	cb_vec_each (const struct cb_field_change, field, &change->fields) {
		if (!field->origin.sensitive)
			continue;
		mask_value(transaction, field->path, &field->old);
		mask_value(transaction, field->path, &field->new);
	}
}

static json_t *transaction_json(const struct cb_planned *planned,
				const struct cb_transaction *transaction)
{
	json_t *json = cb_codec_transaction(transaction);

	cb_vec_each (const struct cb_change, change, &planned->changes) {
		if (cb_transaction_is_about(transaction, change->target, change->name))
			mask_change(json, change);
	}
	return json;
}

static void add_problems(json_t *array, const struct cb_problems *problems)
{
	cb_vec_each (const struct cb_problem, problem, problems) {
		json_t *json = json_pack("{s:s,s:s,s:s,s:s,s:s}", "severity",
					 problem->severity == CB_PROBLEM ? "error" : "warning",
					 "check", problem->check, "target",
					 problem->target ? problem->target : "", "message",
					 problem->message, "fix", problem->fix ? problem->fix : "");

		if (problem->origin.file)
			json_object_set_new(json, "source", origin_json(&problem->origin));
		json_array_append_new(array, json);
	}
}

static void add_summary(struct cb_summary *sum, const struct cb_summary *one)
{
	sum->create += one->create;
	sum->update += one->update;
	sum->delete += one->delete;
	sum->noop += one->noop;
	sum->refused += one->refused;
	sum->restart += one->restart;
	sum->data_loss += one->data_loss;
}

/* One host's hash is its plan's; those of several are hashed together. */
static void join_hashes(const char *const *hashes, size_t n, char out[CB_SHA256_HEX])
{
	struct cb_digest *digest;

	if (n == 1) {
		(void)snprintf(out, CB_SHA256_HEX, "%s", hashes[0]);
		return;
	}
	digest = cb_digest_new();
	for (size_t i = 0; i < n; i++)
		cb_digest_add(digest, hashes[i], strlen(hashes[i]));
	cb_digest_finish(digest, out);
}

json_t *cb_render_plan_json(const struct cb_planned *const *planned, size_t n)
{
	json_t *changes = json_array(), *transactions = json_array(), *problems = json_array();
	char hash[CB_SHA256_HEX], fingerprint[CB_SHA256_HEX];
	const char **hashes = calloc(n + 1, sizeof(*hashes)),
		   **fingerprints = calloc(n + 1, sizeof(*fingerprints));
	struct cb_summary sum = {0};

	if (!hashes || !fingerprints)
		cb_oom();
	for (size_t i = 0; i < n; i++) {
		const struct cb_plan *plan = &planned[i]->plan;

		cb_vec_each (const struct cb_change, change, &planned[i]->changes)
			json_array_append_new(changes, change_json(change, plan->uri));
		cb_vec_each (const struct cb_transaction, transaction, &plan->transactions)
			json_array_append_new(transactions,
					      transaction_json(planned[i], transaction));
		add_problems(problems, &plan->problems);
		add_summary(&sum, &plan->summary);
		hashes[i] = plan->hash;
		fingerprints[i] = plan->fingerprint;
	}
	join_hashes(hashes, n, hash);
	join_hashes(fingerprints, n, fingerprint);
	free(hashes);
	free(fingerprints);
	return json_pack("{s:s,s:s,s:s,s:{s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i},s:o,s:o,s:o}", "schema",
			 "clonebox/plan/v1", "plan_hash", hash, "fingerprint", fingerprint,
			 "summary", "create", (int)sum.create, "update", (int)sum.update, "delete",
			 (int)sum.delete, "adopt", 0, "noop", (int)sum.noop, "restart",
			 (int)sum.restart, "data_loss", (int)sum.data_loss, "refused",
			 (int)sum.refused, "changes", changes, "transactions", transactions,
			 "problems", problems);
}

static void add_result(json_t *transaction, const struct cb_result *result)
{
	if (result->outcome != CB_OUTCOME_NOT_BEGUN)
		json_object_set_new(transaction, "result",
				    json_string(cb_outcome_name(result->outcome)));
	if (result->code)
		json_object_set_new(transaction, "error",
				    json_pack("{s:s,s:s,s:s}", "code", cb_code_name(result->code),
					      "message", result->message, "try",
					      result->hint ? result->hint : ""));
}

json_t *cb_render_results_json(const struct cb_planned *const *planned,
			       const struct cb_results *const *results, size_t n)
{
	json_t *json = cb_render_plan_json(planned, n);
	json_t *transactions = json_object_get(json, "transactions"), *transaction;
	size_t i;

	json_object_set_new(json, "schema", json_string("clonebox/apply/v1"));
	json_array_foreach(transactions, i, transaction)
	{
		const char *id = json_string_value(json_object_get(transaction, "id"));

		json_object_set_new(transaction, "result", json_string("skipped"));
		for (size_t k = 0; k < n; k++) {
			cb_vec_each (const struct cb_result, result, results[k]) {
				if (strcmp(result->id, id) == 0)
					add_result(transaction, result);
			}
		}
	}
	return json;
}
