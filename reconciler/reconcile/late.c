/* Requests of dead runs that libvirt has executed after recovery had looked: each pass removes what
 * they brought, for as long as any may come. */
#include <string.h>

#include "reconciler/base/log.h"
#include "reconciler/journal/late.h"
#include "reconciler/plan/codec.h"
#include "reconciler/reconcile/session_internal.h"

/* libvirt itself waits 30 s for a busy domain; what has not come by then is not under way. */
enum { COMES_WITHIN = 600 };

static int sweep(struct cb_session *session, struct cb_journal *journal,
		 const struct cb_transaction *transaction, bool remove, bool *found,
		 struct cb_error *err)
{
	struct cb_apply_context context = cb_session_context(session);
	int r = cb_apply_sweep(&context, journal, transaction, remove, found, err);

	session->driver = context.driver;
	return r;
}

/* Almost always nothing has come: that is found out without a lock, which is a file. */
static int look_and_remove(struct cb_session *session, struct cb_journal *journal,
			   const struct cb_transaction *transaction, struct cb_arena *arena,
			   struct cb_error *err)
{
	struct cb_locks locks = {0};
	bool found;
	int r = sweep(session, journal, transaction, false, &found, err);

	if (r < 0 || !found)
		return r;
	cb_locks_add(arena, &locks, transaction);
	r = cb_locks_take(session, arena, &locks, 0,
			  cb_arena_printf(arena, "sweep of transaction %s", transaction->id), err);
	if (r == 0)
		r = sweep(session, journal, transaction, true, &found, err);
	cb_locks_release(&locks);
	if (r == 0 && found)
		cb_log(CB_LOG_WARN, "late-effects",
		       "transaction %s of %s '%s' was taken back, and a request of the run that "
		       "died "
		       "came after that; what it brought is removed",
		       transaction->id, cb_target_name(transaction->target), transaction->name);
	return r;
}

/* `over`: nothing can come of it any more. */
static int sweep_one(struct cb_session *session, const struct cb_late *late, struct cb_arena *arena,
		     bool *over, struct cb_error *err)
{
	struct cb_transaction transaction = {0};
	struct cb_journal *journal;
	const char *outcome;
	int r = cb_journal_peek(session->config.state_dir, late->id, &journal, err);

	*over = r == -CB_E_NOT_FOUND;
	if (r == -CB_E_NOT_FOUND)
		cb_error_release(err);
	if (r < 0)
		return *over ? 0 : r;
	outcome = cb_journal_outcome(journal);
	*over = outcome && strcmp(outcome, cb_outcome_name(CB_OUTCOME_ROLLED_BACK)) != 0;
	r = *over || !outcome || !cb_journal_plan(journal)
		    ? -CB_E_NOT_FOUND
		    : cb_codec_parse(arena, cb_journal_plan(journal), &transaction, err);
	if (r == 0 && strcmp(transaction.uri, session->host.uri) == 0) {
		r = look_and_remove(session, journal, &transaction, arena, err);
		*over = r == 0 && late->age >= COMES_WITHIN;
	}
	cb_journal_free(journal);
	/* Whoever holds the lock has looked, or the next pass does. */
	if (r == -CB_E_NOT_FOUND || r == -CB_E_BUSY) {
		cb_error_release(err);
		return 0;
	}
	return r;
}

void cb_session_sweep_late(struct cb_session *session)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};
	const char *state_dir = session->config.state_dir;
	struct cb_lates noted = {0};

	if (cb_late_list(state_dir, session->config.now(), &arena, &noted, &err) < 0)
		cb_log(CB_LOG_WARN, "no-sweep", "%s", err.message);
	cb_vec_each (const struct cb_late, late, &noted) {
		cb_auto_error struct cb_error why = {0};
		bool over;
		int r = sweep_one(session, late, &arena, &over, &why);

		if (r == 0 && over)
			r = cb_late_forget(state_dir, late->id, &why);
		/* It is tried again by the next run, and stands in nobody's way until then. */
		if (r < 0)
			cb_log(CB_LOG_WARN, "no-sweep", "transaction %s: %s", late->id,
			       why.message);
	}
}
