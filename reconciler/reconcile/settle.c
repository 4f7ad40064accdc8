/* What crashed runs left: listed, finished, taken back. */
#include <string.h>

#include "reconciler/journal/late.h"
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

static void add_parts(struct cb_arena *arena, const json_t *plan, struct cb_unfinished *item)
{
	json_t *member, *lock;
	size_t i;

	json_array_foreach(json_object_get(plan, "locks"), i, lock)
	{
		if (json_is_string(lock))
			cb_vec_push(arena, &item->locks,
				    cb_arena_strdup(arena, json_string_value(lock)));
	}

	json_array_foreach(json_object_get(plan, "members"), i, member)
	{
		struct cb_member one = {.name = text_of(arena, member, "target"),
					.uuid = text_of(arena, member, "uuid")};

		if (cb_target_parse(text_of(arena, member, "kind"), &one.target) == 0)
			cb_vec_push(arena, &item->members, one);
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
		add_parts(arena, plan, &item);
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
	int r = cb_late_note(session->config.state_dir, transaction->id, err);

	if (r == 0)
		r = cb_apply_recover(&context, journal, transaction, recovery, &result->outcome,
				     err);
	session->driver = context.driver;
	/* What has been finished may have been changed since, with good reason. */
	if (r == 0 && result->outcome == CB_OUTCOME_COMMITTED)
		r = cb_late_forget(session->config.state_dir, transaction->id, err);
	return r;
}

/* The record of a crash that came before the plan was whole: nothing has been done yet; or after
 * the close was written: nothing is left to do. */
static int close_only(struct cb_journal *journal, struct cb_result *result, struct cb_error *err)
{
	const char *outcome = cb_journal_outcome(journal);

	result->outcome = CB_OUTCOME_ROLLED_BACK;
	if (outcome && strcmp(outcome, cb_outcome_name(CB_OUTCOME_COMMITTED)) == 0)
		result->outcome = CB_OUTCOME_COMMITTED;
	if (outcome && strcmp(outcome, cb_outcome_name(CB_OUTCOME_ABANDONED)) == 0)
		result->outcome = CB_OUTCOME_ABANDONED;
	return cb_journal_finish(journal, cb_outcome_name(result->outcome), err);
}

/* Provisional transactions after those that may need what they made: images, then the pools they
 * are in. */
enum turn { ORDINARY, IMAGES, POOLS, TURNS };

struct open_journal {
	const char *id;
	enum turn turn;
	bool unreadable;                   /* nobody knows what it needs */
	struct cb_transaction transaction; /* empty if its plan was not written */
};

struct open_journals {
	struct open_journal *items;
	size_t len, cap;
};

static int read_open(const char *state_dir, struct cb_arena *arena, struct open_journals *out,
		     struct cb_error *err)
{
	struct cb_journal_ids ids = {0};
	int r = cb_journal_list(state_dir, CB_JOURNALS_OPEN, arena, &ids, err);

	if (r < 0)
		return r;
	cb_vec_each (const char *, id, &ids) {
		struct open_journal item = {.id = *id};
		struct cb_journal *journal;

		/* Closed by its owner meanwhile, or for settle_one to speak of. */
		r = cb_journal_peek(state_dir, *id, &journal, err);
		if (r < 0) {
			item.unreadable = r != -CB_E_NOT_FOUND;
			cb_error_release(err);
			cb_vec_push(arena, out, item);
			continue;
		}
		if (cb_journal_plan(journal) &&
		    cb_codec_parse(arena, cb_journal_plan(journal), &item.transaction, err) < 0) {
			item.unreadable = true;
			cb_error_release(err);
		}
		cb_journal_free(journal);
		if (item.transaction.provisional)
			item.turn = item.transaction.target == CB_TARGET_IMAGE ? IMAGES : POOLS;
		cb_vec_push(arena, out, item);
	}
	return 0;
}

static bool needs(const struct open_journal *other, const char *id)
{
	cb_vec_each (const char *const, before, &other->transaction.after) {
		if (strcmp(*before, id) == 0)
			return true;
	}
	return other->unreadable;
}

/* An open transaction that came after this one and may need what it made; an empty id: none. */
static int find_user(struct cb_session *session, struct cb_arena *arena, const char *id,
		     struct open_journal *out, struct cb_error *err)
{
	struct open_journals open = {0};
	int r = read_open(session->config.state_dir, arena, &open, err);

	*out = (struct open_journal){.id = ""};
	cb_vec_each (const struct open_journal, other, &open) {
		if (needs(other, id)) {
			*out = *other;
			break;
		}
	}
	return r;
}

/* Whether a provisional transaction may be decided: not while one is open that may need it. If that
 * one is just being settled by another run, this one is that run's as well. */
static int check_users(struct cb_session *session, const struct open_journal *item,
		       struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *state_dir = session->config.state_dir, *holder = NULL;
	struct open_journal user = {.id = ""};
	int r = 0;

	/* Twice: it may be over by the time that one asks who is at it. */
	for (int tries = 0; item->turn != ORDINARY && tries < 2; tries++) {
		const struct cb_transaction *transaction = &user.transaction;

		r = find_user(session, &arena, item->id, &user, err);
		if (r < 0 || !user.id[0])
			return r;
		if (user.unreadable)
			break;
		r = cb_lock_holder(state_dir,
				   cb_locks_name(&arena, transaction->target, transaction->uri,
						 transaction->name),
				   &arena, &holder, err);
		if (r < 0)
			return r;
		if (!holder)
			continue;
		(void)cb_error_set(err, CB_E_BUSY,
				   "transaction %s, which may need it, is being settled by %s",
				   user.id, holder);
		return cb_error_hint(err, "wait until that run has ended");
	}
	if (!user.id[0])
		return 0;
	(void)cb_error_set(err, CB_E_CONFLICT,
			   user.unreadable ? "transaction %s may need it and cannot be read"
					   : "transaction %s may need it and is not settled",
			   user.id);
	return user.unreadable ? cb_error_hint(err, "see `clonebox transaction show %s`", user.id)
			       : cb_error_hint(err, "settle that one first");
}

static int settle_one(struct cb_session *session, const struct open_journal *item,
		      enum cb_recovery recovery, struct cb_arena *arena, struct cb_result *result,
		      bool *mine, struct cb_error *err)
{
	struct cb_transaction transaction = {0};
	struct cb_journal *journal = NULL;
	struct cb_locks locks = {0};
	int r = cb_journal_open(session->config.state_dir, item->id, &journal, err);

	*mine = false;
	if (r < 0)
		return r == -CB_E_NOT_FOUND ? 0 : r;
	if (cb_journal_plan(journal)) {
		r = cb_codec_parse(arena, cb_journal_plan(journal), &transaction, err);
		if (r < 0) {
			cb_journal_free(journal);
			return cb_error_wrap(err, "transaction %s", item->id);
		}
		if (strcmp(transaction.uri, session->host.uri) != 0) {
			cb_journal_free(journal);
			return 0;
		}
	}
	*mine = true;
	result->target = transaction.target;
	result->action = transaction.action;
	result->name = transaction.name ? transaction.name : "";
	result->members = transaction.members.items;
	result->n_members = transaction.members.len;
	/* Read under the lock: its owner may have gone on until it let go. */
	cb_journal_free(journal);
	journal = NULL;
	if (transaction.name)
		cb_locks_add(arena, &locks, &transaction);
	r = cb_locks_take(session, arena, &locks, 0,
			  cb_arena_printf(arena, "recovery of transaction %s", item->id), err);
	if (r == 0)
		r = check_users(session, item, err);
	if (r == 0)
		r = cb_journal_open(session->config.state_dir, item->id, &journal, err);
	if (r == 0 && (!cb_journal_plan(journal) || cb_journal_outcome(journal)))
		r = close_only(journal, result, err);
	else if (r == 0)
		r = settle_locked(session, journal, &transaction, recovery, result, err);
	cb_journal_free(journal);
	cb_locks_release(&locks);
	return r;
}

static int settle_turn(struct cb_session *session, const struct open_journal *item,
		       enum cb_recovery recovery, bool named, struct cb_arena *arena,
		       struct cb_results *results, struct cb_error *err)
{
	cb_auto_error struct cb_error why = {0};
	struct cb_result result = {.id = item->id, .outcome = CB_OUTCOME_OPEN};
	bool mine;
	int r = settle_one(session, item, recovery, arena, &result, &mine, &why);
	if (r == -CB_E_CORRUPT || (r < 0 && !mine))
		return cb_error_move(err, &why);
	if (!mine)
		return !named ? 0
			      : cb_error_set(err, CB_E_USAGE, "transaction %s is not of this host",
					     item->id);
	if (r == -CB_E_BUSY && !named)
		return 0; /* its owner lives */
	if (r == -CB_E_BUSY)
		return cb_error_move(err, &why);
	if (r < 0) {
		result.target = item->transaction.target;
		result.name = item->transaction.name ? item->transaction.name : "";
		result.code = why.code;
		result.message = cb_arena_strdup(arena, why.message);
		result.hint = cb_arena_strdup(arena, why.hint ? why.hint : "");
	}
	cb_vec_push(arena, results, result);
	return 0;
}

int cb_session_settle(struct cb_session *session, const char *id, enum cb_recovery recovery,
		      struct cb_arena *arena, struct cb_results *results, struct cb_error *err)
{
	struct open_journals open = {0};
	bool met = false;
	int r = read_open(session->config.state_dir, arena, &open, err);

	for (int turn = ORDINARY; r == 0 && turn < TURNS; turn++) {
		cb_vec_each (const struct open_journal, item, &open) {
			if ((int)item->turn != turn || (id && strcmp(item->id, id) != 0))
				continue;
			met = true;
			r = cb_session_reconnect(&session->config, &session->driver, err);
			if (r < 0)
				return r;
			r = settle_turn(session, item, recovery, id != NULL, arena, results, err);
			if (r < 0)
				return r;
		}
	}
	if (r == 0 && !id) {
		/* The transaction that a dead run was about to begin may never come. */
		cb_journal_clear_begun(session->config.state_dir);
		cb_session_sweep_late(session);
	}
	if (r == 0 && id && !met)
		return cb_error_set(err, CB_E_USAGE, "there is no unfinished transaction %s", id);
	return r;
}
