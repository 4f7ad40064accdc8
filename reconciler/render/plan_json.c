#include <string.h>

#include "reconciler/plan/codec.h"
#include "reconciler/render/render.h"

static json_t *origin_json(const struct cb_origin *origin)
{
	cb_auto_str struct cb_str text = {0};

	cb_render_origin(&text, origin);
	return json_string(text.text);
}

static json_t *change_json(const struct cb_change *change, const char *uri)
{
	json_t *fields = json_array(), *json;

	cb_vec_each (const struct cb_field_change, field, &change->fields) {
		char path[256];

		(void)snprintf(path, sizeof(path), "vm.%s", field->path);
		json_array_append_new(fields,
				      json_pack("{s:s,s:o,s:o,s:s,s:b,s:i,s:o}", "path", path,
						"old", cb_codec_value(&field->old), "new",
						cb_codec_value(&field->new), "cost",
						cb_cost_name(field->cost), "staged",
						(int)field->staged, "case", (int)field->decision,
						"source", origin_json(&field->origin)));
	}
	json = json_pack("{s:s,s:s,s:s,s:s,s:s,s:i,s:o}", "action", cb_action_name(change->action),
			 "kind", "vm", "host", uri, "name", change->name, "cost",
			 cb_cost_name(change->cost), "case", (int)change->decision, "fields",
			 fields);
	if (change->refusal)
		json_object_set_new(json, "refused", json_string(change->refusal));
	return json;
}

static json_t *problems_json(const struct cb_problems *problems)
{
	json_t *array = json_array();

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
	return array;
}

json_t *cb_render_plan_json(const struct cb_planned *planned)
{
	const struct cb_plan *plan = &planned->plan;
	const struct cb_summary *sum = &plan->summary;
	json_t *changes = json_array(), *transactions = json_array();

	cb_vec_each (const struct cb_change, change, &planned->changes)
		json_array_append_new(changes, change_json(change, plan->uri));
	cb_vec_each (const struct cb_transaction, transaction, &plan->transactions)
		json_array_append_new(transactions, cb_codec_transaction(transaction));
	return json_pack("{s:s,s:s,s:s,s:{s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i},s:o,s:o,s:o}", "schema",
			 "clonebox/plan/v1", "plan_hash", plan->hash, "fingerprint",
			 plan->fingerprint, "summary", "create", (int)sum->create, "update",
			 (int)sum->update, "delete", (int)sum->delete, "adopt", 0, "noop",
			 (int)sum->noop, "restart", (int)sum->restart, "data_loss",
			 (int)sum->data_loss, "refused", (int)sum->refused, "changes", changes,
			 "transactions", transactions, "problems", problems_json(&plan->problems));
}

json_t *cb_render_results_json(const struct cb_planned *planned, const struct cb_results *results)
{
	json_t *json = cb_render_plan_json(planned);
	json_t *transactions = json_object_get(json, "transactions"), *transaction;
	size_t i;

	json_object_set_new(json, "schema", json_string("clonebox/apply/v1"));
	json_array_foreach(transactions, i, transaction)
	{
		const char *name = json_string_value(json_object_get(transaction, "target"));

		json_object_set_new(transaction, "result", json_string("skipped"));
		cb_vec_each (const struct cb_result, result, results) {
			if (strcmp(result->name, name) != 0)
				continue;
			if (result->outcome != CB_OUTCOME_NOT_BEGUN) {
				json_object_set_new(transaction, "id", json_string(result->id));
				json_object_set_new(transaction, "result",
						    json_string(cb_outcome_name(result->outcome)));
			}
			if (result->code)
				json_object_set_new(transaction, "error",
						    json_pack("{s:s,s:s,s:s}", "code",
							      cb_code_name(result->code), "message",
							      result->message, "try",
							      result->hint ? result->hint : ""));
		}
	}
	return json;
}
