/* recover, transaction: what crashed runs left, and the journal. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/clonebox/elsewhere.h"
#include "cmd/clonebox/ui.h"
#include "reconciler/journal/journal.h"

static int list_unfinished(const struct cb_cli *cli, const struct cb_session *session,
			   const char *state_dir, struct cb_arena *arena, size_t *count)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str text = {0};
	struct cb_unfinished_list list = {0};
	struct cb_elsewhere elsewhere = {0};
	bool looked;
	json_t *json;

	*count = 0;
	if (cb_session_unfinished(session, state_dir, arena, &list, &err) < 0)
		return cb_ui_error(&err);
	*count = list.len;
	looked = cb_elsewhere_look(cli, arena, &elsewhere);
	if (cli->json) {
		json = cb_render_unfinished_json(&list);
		if (looked)
			cb_render_elsewhere_json(json, &elsewhere);
		return cb_ui_print_json(json);
	}
	cb_render_unfinished(&text, &list);
	cb_render_elsewhere(&text, &elsewhere);
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
		cb_str_printf(&text, "transaction %s of %s '%s': %s\n", result->id,
			      cb_target_name(result->target), result->name,
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

/* The host of an unfinished transaction; NULL where its journal does not tell. */
static const char *host_of(const struct cb_cli *cli, struct cb_arena *arena, const char *id)
{
	cb_auto_error struct cb_error err = {0};
	struct cb_journal *journal = NULL;
	const char *state_dir, *uri = NULL;

	if (cb_ui_state_dir(cli, arena, &state_dir, &err) == 0 &&
	    cb_journal_peek(state_dir, id, &journal, &err) == 0)
		uri = json_string_value(json_object_get(cb_journal_plan(journal), "host"));
	uri = uri ? cb_arena_strdup(arena, uri) : NULL;
	cb_journal_free(journal);
	return uri;
}

/* What is allowed now holds for all that the command settles: it was asked for by name, or all of
 * it was. */
static int open_session(const struct cb_cli *cli, const char *uri, struct cb_arena *arena,
			struct cb_session **out, struct cb_error *err)
{
	const struct cb_late_consent consent = {.force_off = cli->allow_force_off,
						.shutdown_timeout = cli->shutdown_timeout};
	int r = cb_ui_session(cli, uri, arena, out, err);

	if (r == 0)
		cb_session_consent(*out, &consent);
	return r;
}

/* One transaction, or (id NULL) all of the host. */
static int settle(const struct cb_cli *cli, const char *id, enum cb_recovery recovery)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_results results = {0};
	struct cb_session *session = NULL;
	int r, code;

	cb_ui_catch_signals();
	r = open_session(cli, id ? host_of(cli, &arena, id) : NULL, &arena, &session, &err);
	if (r == 0)
		r = cb_session_settle(session, id, recovery, &arena, &results, &err);
	code = r < 0 ? cb_ui_error(&err) : report_settled(cli, &results);
	cb_session_close(session);
	cb_ui_sweep_history(cli);
	return code;
}

/* Returns an exit code; hosts that come later are tried all the same. */
static int settle_host(const struct cb_cli *cli, const char *uri, struct cb_arena *arena,
		       struct cb_results *results)
{
	cb_auto_error struct cb_error err = {0};
	struct cb_session *session = NULL;
	/* Where not even the plan was written, any host will do: nothing has been done. */
	int r = open_session(cli, uri[0] ? uri : NULL, arena, &session, &err);

	if (r == 0)
		r = cb_session_settle(session, NULL, CB_RECOVER_AUTO, arena, results, &err);
	cb_session_close(session);
	if (r == 0)
		return 0;
	fprintf(stderr, "host '%s': ", uri);
	return cb_ui_error(&err);
}

/* On every host that an unfinished transaction names, in the order of the oldest of each. */
static int settle_all(const struct cb_cli *cli, const struct cb_unfinished_list *list)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_results results = {0};
	int code = 0, worst = 0;

	cb_ui_catch_signals();
	cb_vec_each (const struct cb_unfinished, item, list) {
		bool met = false;

		for (const struct cb_unfinished *other = list->items; other < item && !met; other++)
			met = strcmp(other->uri, item->uri) == 0;
		if (met || cb_ui_interrupted())
			continue;
		code = settle_host(cli, item->uri, &arena, &results);
		worst = worst ? worst : code;
	}
	code = report_settled(cli, &results);
	cb_ui_sweep_history(cli);
	return worst ? worst : code;
}

/* Giving up. ----------------------------------------------------------------------------------- */

/* Errors after which nobody knows, and perhaps never will: those that --force is for. */
static bool is_unsettled(enum cb_code code)
{
	return code != CB_E_BUSY && code != CB_E_USAGE && code != CB_E_CORRUPT && code != CB_E_IO &&
	       code != CB_E_INTERRUPTED && code != CB_E_DENIED && code != CB_E_INTERNAL &&
	       code != CB_E_NOT_FOUND;
}

static void show_leavings(const char *state_dir, const char *id, const struct cb_leavings *leavings,
			  const char *why)
{
	const struct cb_transaction *transaction = leavings->transaction;
	cb_auto_arena struct cb_arena arena = {0};
	const char *documents = cb_arena_printf(&arena, "%s/journal/%s.d", state_dir, id);

	fprintf(stderr, "transaction %s cannot be settled: %s\n", id, why);
	if (transaction->name)
		fprintf(stderr,
			"If it is given up, this is what it leaves, as far as is known, of %s of "
			"%s '%s' on %s:\n",
			cb_action_name(transaction->action), cb_target_name(transaction->target),
			transaction->name, transaction->uri);
	cb_vec_each (const struct cb_leaving, leaving, leavings)
		fprintf(stderr, "  %u. %s '%s': by the journal %s, on the host %s\n",
			leaving->step->n, cb_step_name(leaving->step->kind), leaving->step->target,
			leaving->recorded, leaving->found);
	if (leavings->len == 0)
		fprintf(stderr, "  nothing: no step was begun, or all were taken back\n");
	if (access(documents, F_OK) == 0)
		fprintf(stderr,
			"What was there before stands in %s, and is removed then: copy it first.\n",
			documents);
	fprintf(stderr, "Nothing on the host is touched, and no later run looks after it.\n");
}

static int may_give_up(const struct cb_cli *cli, const char *id)
{
	if (cli->yes)
		return 0;
	if (!cb_ui_interactive()) {
		fprintf(stderr,
			"error: transaction %s is not given up without consent, and there is no "
			"terminal to ask on; say --yes\n",
			id);
		return CB_EXIT_REFUSED;
	}
	if (cb_ui_confirm("Give it up?"))
		return 0;
	fprintf(stderr, "nothing was done\n");
	return cb_ui_interrupted() ? CB_EXIT_INTERRUPTED : CB_EXIT_REFUSED;
}

static int give_up(const struct cb_cli *cli, struct cb_session *session, const char *why,
		   struct cb_arena *arena)
{
	cb_auto_error struct cb_error err = {0};
	struct cb_result result = {.id = cli->transaction_id, .outcome = CB_OUTCOME_ABANDONED};
	struct cb_leavings leavings = {0};
	struct cb_results results = {0};
	const char *state_dir;
	int code;

	if (cb_ui_state_dir(cli, arena, &state_dir, &err) < 0 ||
	    cb_session_leavings(session, state_dir, result.id, arena, &leavings, &err) < 0) {
		code = cb_ui_error(&err);
		return err.code == CB_E_NOT_FOUND ? CB_EXIT_USAGE : code;
	}
	cb_ui_progress_end();
	show_leavings(state_dir, result.id, &leavings, why);
	if ((code = may_give_up(cli, result.id)))
		return code;
	if (cb_session_abandon(state_dir, result.id, &leavings, why, &err) < 0)
		return cb_ui_error(&err);
	result.target = leavings.transaction->target;
	result.name = leavings.transaction->name ? leavings.transaction->name : "";
	cb_vec_push(arena, &results, result);
	return report_settled(cli, &results);
}

/* Settles it after all if that is possible. */
static int force(const struct cb_cli *cli)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_results results = {0};
	struct cb_session *session = NULL;
	const char *why = NULL;
	int r, code;

	cb_ui_catch_signals();
	r = open_session(cli, host_of(cli, &arena, cli->transaction_id), &arena, &session, &err);
	if (r == 0)
		r = cb_session_settle(session, cli->transaction_id, CB_RECOVER_AUTO, &arena,
				      &results, &err);
	if (r < 0 && is_unsettled(err.code))
		why = err.message;
	else if (r == 0 && results.len > 0 && results.items[0].outcome == CB_OUTCOME_OPEN &&
		 is_unsettled(results.items[0].code))
		why = results.items[0].message;
	if (why)
		code = give_up(cli, session, why, &arena);
	else
		code = r < 0 ? cb_ui_error(&err) : report_settled(cli, &results);
	cb_session_close(session);
	cb_ui_sweep_history(cli);
	return code;
}

/* What is unfinished, of all hosts or of the one that is named. */
static int recover_all(const struct cb_cli *cli)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_unfinished_list list = {0};
	const char *state_dir;

	if (cli->connect)
		return settle(cli, NULL, CB_RECOVER_AUTO);
	if (cb_ui_state_dir(cli, &arena, &state_dir, &err) < 0 ||
	    cb_session_unfinished(NULL, state_dir, &arena, &list, &err) < 0)
		return cb_ui_error(&err);
	return settle_all(cli, &list);
}

static int ask_and_recover(const struct cb_cli *cli)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_arena struct cb_arena arena = {0};
	const char *state_dir;
	size_t count;
	int code;

	if (cb_ui_state_dir(cli, &arena, &state_dir, &err) < 0)
		return cb_ui_error(&err);
	code = list_unfinished(cli, NULL, state_dir, &arena, &count);
	if (code || cli->list || count == 0)
		return code;
	if (!cb_ui_interactive()) {
		fprintf(stderr, "`clonebox recover --auto` settles those of one host, "
				"`clonebox recover --all --yes` all of them\n");
		return CB_EXIT_UNFINISHED;
	}
	if (!cb_ui_confirm("Finish them, or take them back where that is not possible?")) {
		fprintf(stderr, "nothing was done\n");
		return CB_EXIT_REFUSED;
	}
	return recover_all(cli);
}

int cb_cmd_recover(const struct cb_cli *cli)
{
	cb_auto_error struct cb_error err = {0};

	if (cli->list)
		return ask_and_recover(cli);
	if (cli->take_from && (cli->transaction_id || cli->all || cli->auto_ || cli->force)) {
		(void)cb_error_set(&err, CB_E_USAGE,
				   "--take-over goes with none of --transaction-id, --all, --auto "
				   "and --force");
		(void)cb_error_hint(&err, "see `clonebox recover --help`");
		return cb_ui_error(&err);
	}
	if (cli->take_from)
		return cb_cmd_take_over(cli);
	if (cli->allow_destroy) {
		(void)cb_error_set(&err, CB_E_USAGE, "--allow-destroy belongs to --take-over");
		(void)cb_error_hint(&err, "see `clonebox recover --help`");
		return cb_ui_error(&err);
	}
	if (cli->force && !cli->transaction_id) {
		(void)cb_error_set(&err, CB_E_USAGE, "--force gives up one transaction");
		(void)cb_error_hint(&err, "say which: --transaction-id ID; `clonebox recover "
					  "--list` shows them");
		return cb_ui_error(&err);
	}
	if (cli->transaction_id && cli->all) {
		(void)cb_error_set(&err, CB_E_USAGE, "either --all or --transaction-id");
		(void)cb_error_hint(&err, "see `clonebox recover --help`");
		return cb_ui_error(&err);
	}
	if (cli->force)
		return force(cli);
	if (cli->transaction_id)
		return settle(cli, cli->transaction_id, CB_RECOVER_AUTO);
	if (cli->all && (cli->auto_ || cli->yes))
		return recover_all(cli);
	if (cli->auto_ || cli->yes)
		return settle(cli, NULL, CB_RECOVER_AUTO);
	return ask_and_recover(cli);
}

/* How far a record of progress says that its step has come. */
static void show_progress(struct cb_str *out, const json_t *record, const json_t *planned)
{
	const json_t *detail = json_object_get(record, "detail");
	const json_t *offset = json_object_get(detail, "offset");
	const json_t *length = json_object_get(detail, "length");
	const json_t *size = json_object_get(json_object_get(planned, "args"), "size");

	if (!json_is_integer(offset) || !json_is_integer(length))
		return;
	cb_str_add(out, ": ");
	cb_str_size(out, (uint64_t)json_integer_value(length));
	cb_str_add(out, " from ");
	cb_str_size(out, (uint64_t)json_integer_value(offset));
	cb_str_add(out, " on have arrived");
	if (!json_is_integer(size))
		return;
	cb_str_add(out, ", of ");
	cb_str_size(out, (uint64_t)json_integer_value(size));
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
		if (type && strcmp(type, "progress") == 0)
			show_progress(out, record, planned);
	}
	if (json_object_get(record, "outcome"))
		cb_str_printf(out, ": %s", json_string_value(json_object_get(record, "outcome")));
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

/* What it is about, and who began it. */
static void show_head(struct cb_str *out, const json_t *records)
{
	const json_t *plan = plan_among(records);
	const json_t *begin = json_object_get(json_array_get(records, 0), "detail");
	const json_t *by = json_object_get(begin, "by");
	const char *action = NULL, *kind, *target, *host, *user = NULL, *node = NULL,
		   *source = NULL;

	if (plan && json_unpack((json_t *)(uintptr_t)plan, "{s:s,s:s,s:s,s:s}", "action", &action,
				"kind", &kind, "target", &target, "host", &host) == 0)
		cb_str_printf(out, ": %s of %s '%s' on %s", action, kind, target, host);
	user = json_string_value(json_object_get(by, "user"));
	node = json_string_value(json_object_get(by, "node"));
	source = json_string_value(json_object_get(begin, "source"));
	if (user)
		cb_str_printf(out, ", by %s%s%s", user, node ? " on " : "", node ? node : "");
	if (source)
		cb_str_printf(out, ", from %s", source);
	cb_str_add(out, "\n");
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
	cb_str_printf(&text, "transaction %s", id);
	show_head(&text, records);
	json_array_foreach(records, i, record) show_record(&text, record, plan_among(records));
	json_decref(records);
	printed = cb_ui_print(text.text);
	return code ? code : printed;
}

static void list_one(const struct cb_journal *journal, struct cb_str *text, json_t *array)
{
	const json_t *plan = cb_journal_plan(journal);
	const char *id = cb_journal_id(journal), *outcome = cb_journal_outcome(journal);
	const char *name = json_string_value(json_object_get(plan, "target"));
	const char *action = json_string_value(json_object_get(plan, "action"));
	const char *kind = json_string_value(json_object_get(plan, "kind"));

	cb_str_printf(text, "%s  %-12s %s of %s '%s'\n", id, outcome ? outcome : "open",
		      action ? action : "?", kind ? kind : "vm", name ? name : "?");
	json_array_append_new(array, json_pack("{s:s,s:s,s:s,s:s}", "id", id, "result",
					       outcome ? outcome : "open", "action",
					       action ? action : "", "target", name ? name : ""));
}

/* What is damaged is named; the others are listed all the same. */
static int list_which(const char *state_dir, enum cb_journal_which which, struct cb_arena *arena,
		      struct cb_str *text, json_t *array)
{
	cb_auto_error struct cb_error err = {0};
	struct cb_journal_ids ids = {0};
	int code = 0;

	if (cb_journal_list(state_dir, which, arena, &ids, &err) < 0)
		return cb_ui_error(&err);
	cb_vec_each (const char *const, id, &ids) {
		struct cb_journal *journal = NULL;
		int r = cb_journal_peek(state_dir, *id, &journal, &err);

		if (r == 0)
			list_one(journal, text, array);
		else if (r != -CB_E_NOT_FOUND) /* finished or removed meanwhile */
			code = cb_ui_error(&err);
		cb_journal_free(journal);
		cb_error_release(&err);
	}
	return code;
}

static int list_transactions(const struct cb_cli *cli, const char *state_dir,
			     struct cb_arena *arena)
{
	cb_auto_str struct cb_str text = {0};
	json_t *array = json_array();
	int open = list_which(state_dir, CB_JOURNALS_OPEN, arena, &text, array);
	int closed = list_which(state_dir, CB_JOURNALS_CLOSED, arena, &text, array), printed;

	if (cli->json) {
		printed = cb_ui_print_json(json_pack(
			"{s:s,s:o}", "schema", "clonebox/transactions/v1", "transactions", array));
	} else {
		json_decref(array);
		printed = cb_ui_print(text.len ? text.text : "no transactions\n");
	}
	return printed ? printed : open ? open : closed;
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
