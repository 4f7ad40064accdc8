/* recover, transaction: what crashed runs left, and the journal. */
#include <stdio.h>
#include <string.h>

#include "cmd/clonebox/ui.h"
#include "reconciler/journal/journal.h"

static int list_unfinished(const struct cb_cli *cli, const struct cb_session *session,
			   const char *state_dir, struct cb_arena *arena, size_t *count)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str text = {0};
	struct cb_unfinished_list list = {0};

	*count = 0;
	if (cb_session_unfinished(session, state_dir, arena, &list, &err) < 0)
		return cb_ui_error(&err);
	*count = list.len;
	if (cli->json)
		return cb_ui_print_json(cb_render_unfinished_json(&list));
	cb_render_unfinished(&text, &list);
	return cb_ui_print(text.text);
}

static json_t *settled_json(const struct cb_results *results)
{
	json_t *array = json_array();

	cb_vec_each (const struct cb_result, result, results)
		json_array_append_new(array, json_pack("{s:s,s:s,s:s,s:s}", "id", result->id,
						       "target", result->name, "result",
						       cb_outcome_name(result->outcome), "error",
						       result->message ? result->message : ""));
	return json_pack("{s:s,s:o}", "schema", "clonebox/recover/v1", "transactions", array);
}

static int report_settled(const struct cb_cli *cli, const struct cb_results *results)
{
	cb_auto_str struct cb_str text = {0};
	int code = 0, printed;

	cb_vec_each (const struct cb_result, result, results) {
		cb_str_printf(&text, "transaction %s of vm '%s': %s\n", result->id, result->name,
			      cb_outcome_name(result->outcome));
		if (result->outcome != CB_OUTCOME_OPEN)
			continue;
		fprintf(stderr, "error: transaction %s: %s%s%s\n", result->id, result->message,
			result->hint[0] ? "; " : "", result->hint);
		code = cb_ui_open_code(result->code);
	}
	if (cli->json)
		printed = cb_ui_print_json(settled_json(results));
	else
		printed = cb_ui_print(text.len ? text.text : "nothing to recover\n");
	return printed ? printed : code;
}

static int settle(const struct cb_cli *cli, const char *id, enum cb_recovery recovery)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_results results = {0};
	struct cb_session *session = NULL;
	int r, code;

	cb_ui_catch_signals();
	r = cb_ui_session(cli, NULL, &arena, &session, &err);
	if (r == 0)
		r = cb_session_settle(session, id, recovery, &arena, &results, &err);
	code = r < 0 ? cb_ui_error(&err) : report_settled(cli, &results);
	cb_session_close(session);
	return code;
}

int cb_cmd_recover(const struct cb_cli *cli)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_arena struct cb_arena arena = {0};
	const char *state_dir;
	size_t count;
	int code;

	if (cli->auto_ || cli->transaction_id)
		return settle(cli, cli->transaction_id, CB_RECOVER_AUTO);
	if (cb_ui_state_dir(cli, &arena, &state_dir, &err) < 0)
		return cb_ui_error(&err);
	code = list_unfinished(cli, NULL, state_dir, &arena, &count);
	if (code || cli->list || count == 0)
		return code;
	if (!cb_ui_interactive()) {
		fprintf(stderr, "`clonebox recover --auto` settles them\n");
		return CB_EXIT_UNFINISHED;
	}
	if (!cb_ui_confirm("Finish them, or take them back where that is not possible?")) {
		fprintf(stderr, "nothing was done\n");
		return CB_EXIT_REFUSED;
	}
	return settle(cli, NULL, CB_RECOVER_AUTO);
}

/* "intent 3 domain.define 'dev'": one record of a transaction. */
static void show_record(struct cb_str *out, const json_t *record, const json_t *plan)
{
	const json_t *step = json_object_get(record, "step");
	const char *time = json_string_value(json_object_get(record, "time"));
	const char *type = json_string_value(json_object_get(record, "type"));
	const char *why =
		json_string_value(json_object_get(json_object_get(record, "detail"), "why"));

	cb_str_printf(out, "  %s  %s", time ? time : "?", type ? type : "?");
	if (step) {
		size_t n = (size_t)json_integer_value(step);
		const json_t *planned = json_array_get(json_object_get(plan, "steps"), n - 1);
		const char *action = json_string_value(json_object_get(planned, "action"));
		const char *target = json_string_value(json_object_get(planned, "target"));

		cb_str_printf(out, " %zu %s '%s'", n, action ? action : "?", target ? target : "?");
	}
	if (!why)
		why = json_string_value(json_object_get(record, "outcome"));
	cb_str_printf(out, "%s%s\n", why ? ": " : "", why ? why : "");
}

/* The plan among the records as they were read. */
static const json_t *plan_among(const json_t *records)
{
	size_t i;
	json_t *record;

	json_array_foreach(records, i, record)
	{
		const char *type = json_string_value(json_object_get(record, "type"));

		if (type && strcmp(type, "plan") == 0)
			return json_object_get(record, "detail");
	}
	return NULL;
}

/* Shows also what can still be read of a damaged one. */
static int show_transaction(const struct cb_cli *cli, const char *state_dir, const char *id)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str text = {0};
	json_t *records = NULL, *record;
	size_t i;
	int r = cb_journal_salvage(state_dir, id, &records, &err), code = 0, printed;

	if (r < 0) {
		code = cb_ui_error(&err);
		if (r == -CB_E_NOT_FOUND)
			code = CB_EXIT_USAGE;
	}
	if (r == -CB_E_NOT_FOUND) {
		json_decref(records);
		return code;
	}
	if (cli->json) {
		printed =
			cb_ui_print_json(json_pack("{s:s,s:s,s:o}", "schema", "clonebox/journal/v1",
						   "id", id, "records", records));
		return code ? code : printed;
	}
	cb_str_printf(&text, "transaction %s\n", id);
	json_array_foreach(records, i, record) show_record(&text, record, plan_among(records));
	json_decref(records);
	printed = cb_ui_print(text.text);
	return code ? code : printed;
}

static int list_transactions(const struct cb_cli *cli, const char *state_dir,
			     struct cb_arena *arena)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str text = {0};
	json_t *array = json_array();

	for (int which = CB_JOURNALS_OPEN; which <= CB_JOURNALS_CLOSED; which++) {
		struct cb_journal_ids ids = {0};

		if (cb_journal_list(state_dir, (enum cb_journal_which)which, arena, &ids, &err) <
		    0) {
			json_decref(array);
			return cb_ui_error(&err);
		}
		cb_vec_each (const char *, id, &ids) {
			struct cb_journal *journal;
			const json_t *plan;
			const char *outcome, *name, *action;

			if (cb_journal_peek(state_dir, *id, &journal, &err) < 0) {
				json_decref(array);
				return cb_ui_error(&err);
			}
			plan = cb_journal_plan(journal);
			outcome = cb_journal_outcome(journal);
			name = json_string_value(json_object_get(plan, "target"));
			action = json_string_value(json_object_get(plan, "action"));
			cb_str_printf(&text, "%s  %-12s %s of vm '%s'\n", *id,
				      outcome ? outcome : "open", action ? action : "?",
				      name ? name : "?");
			json_array_append_new(array, json_pack("{s:s,s:s,s:s,s:s}", "id", *id,
							       "result", outcome ? outcome : "open",
							       "action", action ? action : "",
							       "target", name ? name : ""));
			cb_journal_free(journal);
		}
	}
	if (cli->json)
		return cb_ui_print_json(json_pack("{s:s,s:o}", "schema", "clonebox/transactions/v1",
						  "transactions", array));
	json_decref(array);
	return cb_ui_print(text.len ? text.text : "no transactions\n");
}

int cb_cmd_transaction(const struct cb_cli *cli)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_arena struct cb_arena arena = {0};
	const char *verb = cli->words[0], *id = cli->n_words > 1 ? cli->words[1] : NULL;
	const char *state_dir;

	if (cb_ui_state_dir(cli, &arena, &state_dir, &err) < 0)
		return cb_ui_error(&err);
	if (strcmp(verb, "list") == 0 && !id)
		return list_transactions(cli, state_dir, &arena);
	if (strcmp(verb, "show") == 0 && id)
		return show_transaction(cli, state_dir, id);
	if (strcmp(verb, "resume") == 0 && id)
		return settle(cli, id, CB_RECOVER_AUTO);
	if (strcmp(verb, "rollback") == 0 && id)
		return settle(cli, id, CB_RECOVER_BACK);
	(void)cb_error_set(&err, CB_E_USAGE, "transaction %s%s%s is not a command", verb,
			   id ? " " : "", id ? id : "");
	(void)cb_error_hint(&err,
			    "try: clonebox transaction list, or show, resume, rollback and an "
			    "id");
	return cb_ui_error(&err);
}
