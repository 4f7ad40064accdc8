/* An unfinished transaction that cannot be settled: what it leaves, and giving it up. */
#include <string.h>

#include "reconciler/plan/codec.h"
#include "reconciler/reconcile/session_internal.h"

static const char *recorded(enum cb_step_state state)
{
	switch (state) {
	case CB_STEP_UNTOUCHED:
		return "not begun";
	case CB_STEP_INTENDED:
		return "begun";
	case CB_STEP_DONE:
		return "done";
	case CB_STEP_FAILED:
		return "failed";
	case CB_STEP_UNDOING:
		return "being taken back";
	case CB_STEP_UNDONE:
		return "taken back";
	}
	return "";
}

/* What the host says of the step now. */
static const char *found(struct cb_session *session, struct cb_journal *journal,
			 const struct cb_transaction *transaction, const struct cb_step *step,
			 struct cb_arena *arena)
{
	struct cb_apply_context context;
	cb_auto_error struct cb_error err = {0};
	const char *words;

	if (!session || strcmp(session->host.uri, transaction->uri) != 0)
		return "unknown";
	context = cb_session_context(session);
	if (cb_apply_look(&context, journal, transaction, step, &words, &err) < 0)
		return cb_arena_printf(arena, "unknown: %s", err.message);
	return words;
}

static int open_unfinished(const char *state_dir, const char *id, struct cb_arena *arena,
			   struct cb_journal **journal, struct cb_transaction *transaction,
			   struct cb_error *err)
{
	int r = cb_journal_open(state_dir, id, journal, err);

	if (r == 0 && cb_journal_outcome(*journal))
		r = cb_error_set(err, CB_E_USAGE, "transaction %s is finished", id);
	if (r == 0 && cb_journal_plan(*journal))
		r = cb_codec_parse(arena, cb_journal_plan(*journal), transaction, err);
	return r;
}

int cb_session_leavings(struct cb_session *session, const char *state_dir, const char *id,
			struct cb_arena *arena, struct cb_leavings *out, struct cb_error *err)
{
	struct cb_transaction *transaction = cb_arena_new(arena, struct cb_transaction);
	struct cb_journal *journal = NULL;
	int r = open_unfinished(state_dir, id, arena, &journal, transaction, err);

	*out = (struct cb_leavings){.transaction = transaction};
	cb_vec_each (const struct cb_step, step, &transaction->steps) {
		enum cb_step_state state;
		struct cb_leaving leaving = {.step = step};

		if (r < 0)
			break;
		state = cb_journal_state(journal, step->n);
		/* What was taken back, or never begun, has left nothing. */
		if (state == CB_STEP_UNTOUCHED || state == CB_STEP_UNDONE)
			continue;
		leaving.recorded = recorded(state);
		leaving.found = found(session, journal, transaction, step, arena);
		cb_vec_push(arena, out, leaving);
	}
	cb_journal_free(journal);
	return r;
}

static json_t *detail_of(const struct cb_leavings *leavings, const char *why)
{
	json_t *left = json_array();

	cb_vec_each (const struct cb_leaving, leaving, leavings)
		json_array_append_new(left,
				      json_pack("{s:i,s:s,s:s,s:s,s:s}", "n", (int)leaving->step->n,
						"action", cb_step_name(leaving->step->kind),
						"target", leaving->step->target, "recorded",
						leaving->recorded, "found", leaving->found));
	return json_pack("{s:s,s:o,s:o}", "why", why, "by", cb_session_who(), "left", left);
}

int cb_session_abandon(const char *state_dir, const char *id, const struct cb_leavings *leavings,
		       const char *why, struct cb_error *err)
{
	/* Locks are files here: no host is needed. */
	struct cb_session nowhere = {.config = {.state_dir = state_dir}};
	cb_auto_arena struct cb_arena arena = {0};
	json_auto_t *detail = detail_of(leavings, why);
	struct cb_transaction transaction = {0};
	struct cb_journal *journal = NULL;
	struct cb_locks locks = {0};
	int r;

	if (!detail)
		cb_oom();
	if (leavings->transaction->name)
		cb_locks_add(&arena, &locks, leavings->transaction);
	r = cb_locks_take(&nowhere, &arena, &locks, 0,
			  cb_arena_printf(&arena, "giving up transaction %s", id), err);
	if (r == 0)
		r = open_unfinished(state_dir, id, &arena, &journal, &transaction, err);
	if (r == 0)
		r = cb_journal_abandon(journal, detail, err);
	cb_journal_free(journal);
	cb_locks_release(&locks);
	return r;
}
