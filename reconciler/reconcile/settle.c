/* What crashed runs left: listed, finished, taken back. */
#include <string.h>

#include "reconciler/plan/codec.h"
#include "reconciler/reconcile/session_internal.h"

static const char *text_of(struct cb_arena *arena, const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return cb_arena_strdup(arena, text ? text : "");
}

static void count_steps(const struct cb_journal *journal, struct cb_unfinished *item)
{
	item->steps = (unsigned)json_array_size(json_object_get(cb_journal_plan(journal), "steps"));
	for (unsigned n = 1; n <= item->steps; n++) {
		enum cb_step_state state = cb_journal_state(journal, n);

		item->done += state == CB_STEP_DONE;
		item->going_back = item->going_back || state == CB_STEP_FAILED ||
				   state == CB_STEP_UNDOING || state == CB_STEP_UNDONE;
	}
}

int cb_session_unfinished(const struct cb_session *session, const char *state_dir,
			  struct cb_arena *arena, struct cb_unfinished_list *out,
			  struct cb_error *err)
{
	struct cb_journal_ids ids = {0};
	int r = cb_journal_list(state_dir, CB_JOURNALS_OPEN, arena, &ids, err);

	if (r < 0)
		return r;
	cb_vec_each (const char *, id, &ids) {
		struct cb_unfinished item = {.id = *id};
		struct cb_journal *journal;
		const json_t *plan;
		json_t *records;

		r = cb_journal_peek(state_dir, *id, &journal, err);
		if (r == -CB_E_NOT_FOUND)
			continue; /* closed by its owner meanwhile */
		if (r < 0)
			return r;
		plan = cb_journal_plan(journal);
		item.uri = text_of(arena, plan, "host");
		item.name = text_of(arena, plan, "target");
		item.action = text_of(arena, plan, "action");
		records = cb_journal_dump(journal);
		item.begun = text_of(arena, json_array_get(records, 0), "time");
		json_decref(records);
		item.here = session && strcmp(item.uri, session->host.uri) == 0;
		count_steps(journal, &item);
		if (cb_target_parse(text_of(arena, plan, "kind"), &item.target) < 0)
			item.target = CB_TARGET_VM;
		cb_journal_free(journal);
		r = cb_lock_holder(state_dir,
				   cb_locks_name(arena, item.target, item.uri, item.name), arena,
				   &item.holder, err);
		if (r < 0)
			return r;
		cb_vec_push(arena, out, item);
	}
	return 0;
}

static int settle_locked(struct cb_session *session, struct cb_journal *journal,
			 const struct cb_transaction *transaction, enum cb_recovery recovery,
			 struct cb_result *result, struct cb_error *err)
{
	struct cb_apply_context context = cb_session_context(session);
	int r = cb_apply_recover(&context, journal, transaction, recovery, &result->outcome, err);

	session->driver = context.driver;
	return r;
}

/* The record of a crash that came before the plan was whole: nothing has been done yet; or after
 * the close was written: nothing is left to do. */
static int close_only(struct cb_journal *journal, struct cb_result *result, struct cb_error *err)
{
	const char *outcome = cb_journal_outcome(journal);

	result->outcome = outcome && strcmp(outcome, cb_outcome_name(CB_OUTCOME_COMMITTED)) == 0
				  ? CB_OUTCOME_COMMITTED
				  : CB_OUTCOME_ROLLED_BACK;
	return cb_journal_finish(journal, cb_outcome_name(result->outcome), err);
}

static int settle_one(struct cb_session *session, const char *id, enum cb_recovery recovery,
		      struct cb_arena *arena, struct cb_result *result, bool *mine,
		      struct cb_error *err)
{
	struct cb_transaction transaction = {0};
	struct cb_journal *journal = NULL;
	struct cb_locks locks = {0};
	int r = cb_journal_open(session->config.state_dir, id, &journal, err);

	*mine = false;
	if (r < 0)
		return r == -CB_E_NOT_FOUND ? 0 : r;
	if (cb_journal_plan(journal)) {
		r = cb_codec_parse(arena, cb_journal_plan(journal), &transaction, err);
		if (r < 0) {
			cb_journal_free(journal);
			return cb_error_wrap(err, "transaction %s", id);
		}
		if (strcmp(transaction.uri, session->host.uri) != 0) {
			cb_journal_free(journal);
			return 0;
		}
	}
	*mine = true;
	result->target = transaction.target;
	result->name = transaction.name ? transaction.name : "";
	/* Read under the lock: its owner may have gone on until it let go. */
	cb_journal_free(journal);
	journal = NULL;
	if (transaction.name)
		cb_locks_add(arena, &locks, &transaction);
	r = cb_locks_take(session, arena, &locks, 0,
			  cb_arena_printf(arena, "recovery of transaction %s", id), err);
	if (r == 0)
		r = cb_journal_open(session->config.state_dir, id, &journal, err);
	if (r == 0 && (!cb_journal_plan(journal) || cb_journal_outcome(journal)))
		r = close_only(journal, result, err);
	else if (r == 0)
		r = settle_locked(session, journal, &transaction, recovery, result, err);
	cb_journal_free(journal);
	cb_locks_release(&locks);
	return r;
}

int cb_session_settle(struct cb_session *session, const char *id, enum cb_recovery recovery,
		      struct cb_arena *arena, struct cb_results *results, struct cb_error *err)
{
	struct cb_journal_ids ids = {0};
	bool met = false;
	int r = cb_journal_list(session->config.state_dir, CB_JOURNALS_OPEN, arena, &ids, err);

	if (r < 0)
		return r;
	cb_vec_each (const char *, open, &ids) {
		cb_auto_error struct cb_error why = {0};
		struct cb_result result = {.id = *open, .outcome = CB_OUTCOME_OPEN};
		bool mine;

		if (id && strcmp(*open, id) != 0)
			continue;
		met = true;
		r = settle_one(session, *open, recovery, arena, &result, &mine, &why);
		if (r == -CB_E_CORRUPT || (r < 0 && !mine))
			return cb_error_move(err, &why);
		if (!mine) {
			if (id)
				return cb_error_set(err, CB_E_USAGE,
						    "transaction %s is not of this host", id);
			continue;
		}
		if (r == -CB_E_BUSY && !id)
			continue; /* its owner lives */
		if (r == -CB_E_BUSY)
			return cb_error_move(err, &why);
		if (r < 0) {
			result.code = why.code;
			result.message = cb_arena_strdup(arena, why.message);
			result.hint = cb_arena_strdup(arena, why.hint ? why.hint : "");
		}
		cb_vec_push(arena, results, result);
	}
	if (id && !met)
		return cb_error_set(err, CB_E_USAGE, "there is no unfinished transaction %s", id);
	return 0;
}
