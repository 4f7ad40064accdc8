#include <string.h>
#include <unistd.h>

#include "reconciler/apply/apply.h"
#include "reconciler/apply/step.h"
#include "reconciler/base/clock.h"
#include "reconciler/base/log.h"
#include "reconciler/plan/codec.h"

enum { REOPEN_PAUSE_MS = 200 };

static const struct cb_step_ops *const ops_table[] = {
#define STEP(identifier, name, reversible, verb) &cb_step_##identifier,
#include "reconciler/model/steps.def"
#undef STEP
};

const char *cb_outcome_name(enum cb_outcome outcome)
{
	static const char *const names[] = {"skipped",  "committed", "rolled-back",
					    "prepared", "failed",    "abandoned"};

	return names[outcome];
}

const char *cb_step_arg(const struct cb_step *step, const char *name)
{
	const char *value = cb_spec_string(&step->args, name);

	CB_ASSERT(value);
	return value;
}

void cb_run_tell(const struct cb_run *run, enum cb_event event, const struct cb_step *step,
		 const char *text)
{
	if (run->context->event)
		run->context->event(run->context->event_ctx, event, run->transaction, step, text);
}

bool cb_run_interrupted(const struct cb_run *run)
{
	const volatile sig_atomic_t *flag = run->context->progress.interrupted;

	return flag && *flag;
}

/* Nothing is known of the step's effect: neither forward nor back before libvirt answers again. */
static bool is_unknown(int r)
{
	return r == -CB_E_UNAVAILABLE;
}

/* A fresh connection, waited for with patience: libvirtd may be restarting. */
static int reconnect(struct cb_run *run, struct cb_error *err)
{
	struct cb_apply_context *context = run->context;
	uint64_t until = cb_clock_ms() + context->reopen_timeout_ms;

	cb_run_tell(run, CB_EVENT_WAITING, NULL, "libvirt went away; waiting for it");
	for (;;) {
		struct cb_driver *fresh = NULL;
		int r = context->reopen ? context->reopen(context->reopen_ctx, &fresh, err)
					: -CB_E_UNAVAILABLE;

		if (r == 0) {
			cb_driver_close(context->driver);
			context->driver = run->driver = fresh;
			cb_error_release(err);
			return 0;
		}
		if (!context->reopen || cb_clock_ms() >= until)
			return r;
		if (cb_run_interrupted(run))
			return cb_error_set(err, CB_E_INTERRUPTED, "interrupted");
		cb_clock_sleep_ms(REOPEN_PAUSE_MS);
	}
}

/* probe, over reconnections. */
static int probe(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
		 struct cb_error *err)
{
	int r;

	while ((r = ops_table[step->kind]->probe(run, step, out, err)) < 0) {
		if (!is_unknown(r))
			return r;
		if ((r = reconnect(run, err)) < 0)
			return r;
	}
	return 0;
}

/* Two equal looks, for a step whose request may still be on its way. */
static int probe_settled(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
			 struct cb_error *err)
{
	enum cb_probe first;
	int r = probe(run, step, &first, err);

	for (int i = 0; r == 0 && i < 10; i++) {
		cb_clock_sleep_ms(run->context->settle_ms);
		if ((r = probe(run, step, out, err)) < 0)
			return r;
		if (*out == first)
			return 0;
		first = *out;
	}
	return r;
}

static int record(struct cb_run *run, enum cb_record type, const struct cb_step *step,
		  const char *why, struct cb_error *err)
{
	json_auto_t *detail = why ? json_pack("{s:s}", "why", why) : NULL;

	return cb_journal_step(run->journal, type, step->n, detail, err);
}

/* libvirt syncs neither its directories nor what is uploaded: what nobody looks at again has to be
 * on the disk before the journal says so. */
static int barrier(struct cb_run *run, struct cb_error *err)
{
	return run->context->barrier ? run->context->barrier(run->context->barrier_ctx, err) : 0;
}

static int record_done(struct cb_run *run, const struct cb_step *step, const json_t *learned,
		       struct cb_error *err)
{
	int r = ops_table[step->kind]->trusted ? barrier(run, err) : 0;

	return r < 0 ? r : cb_journal_step(run->journal, CB_RECORD_DONE, step->n, learned, err);
}

static int record_undone(struct cb_run *run, const struct cb_step *step, const char *how,
			 struct cb_error *err)
{
	int r = barrier(run, err);

	return r < 0 ? r : record(run, CB_RECORD_UNDONE, step, how, err);
}

/* What a step keeps before its intent, over reconnections: it only looks at the host. */
static int prepare(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	const struct cb_step_ops *ops = ops_table[step->kind];
	int r;

	if (!ops->prepare)
		return 0;
	while ((r = ops->prepare(run, step, err)) < 0) {
		if (!is_unknown(r) || (r = reconnect(run, err)) < 0)
			return r;
	}
	return 0;
}

/* Performs a step whose intent is journaled, until it is known to be done or known to have failed.
 * A perform that failed may have worked all the same (a lost reply): the host is asked. */
static int perform(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	const struct cb_step_ops *ops = ops_table[step->kind];

	for (;;) {
		int r = ops->perform(run, step, err);
		cb_auto_error struct cb_error probe_err = {0};
		enum cb_probe state;
		int p;

		/* A conflict is found before anything is done. After a timeout nobody knows, and
		 * nobody will soon: the host is busy with that domain. */
		if (r == 0 || r == -CB_E_INTERRUPTED || r == -CB_E_CONFLICT || r == -CB_E_TIMEOUT)
			return r;
		/* libvirtd may have died in the middle of it. */
		run->redo = run->redo || is_unknown(r);
		if (is_unknown(r) && (p = reconnect(run, &probe_err)) < 0)
			return cb_error_move(err, &probe_err);
		if ((p = probe(run, step, &state, &probe_err)) < 0)
			return cb_error_move(err, &probe_err);
		if (state == CB_PROBE_DONE) {
			cb_log(CB_LOG_INFO, "step-done-all-the-same", "%s %s: %s",
			       cb_step_name(step->kind), step->target, err->message);
			cb_error_release(err);
			return 0;
		}
		if (!is_unknown(r))
			return r;
		cb_error_release(err);
	}
}

/* The first effect that cannot be taken back and has happened: NULL while there is none. `failed`,
 * which may be NULL, is known not to have. */
static int past_return(struct cb_run *run, const struct cb_step *failed, const struct cb_step **out,
		       struct cb_error *err)
{
	*out = NULL;
	cb_vec_each (const struct cb_step, step, &run->transaction->steps) {
		enum cb_step_state state = cb_journal_state(run->journal, step->n);
		enum cb_probe probed;
		int r;

		if (step->reversible == CB_REVERSIBLE || state == CB_STEP_UNTOUCHED ||
		    step == failed)
			continue;
		probed = CB_PROBE_DONE;
		if (state != CB_STEP_DONE && (r = probe(run, step, &probed, err)) < 0)
			return r;
		if (probed == CB_PROBE_DONE) {
			*out = step;
			return 0;
		}
	}
	return 0;
}

static int finish(struct cb_run *run, enum cb_outcome outcome, struct cb_error *err)
{
	int r = barrier(run, err);

	return r < 0 ? r : cb_journal_finish(run->journal, cb_outcome_name(outcome), err);
}

/* Carries on what the step learned when it was done: undo compares with it. */
static int record_undo_intent(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	json_auto_t *learned = json_deep_copy(cb_journal_detail(run->journal, step->n));

	return cb_journal_step(run->journal, CB_RECORD_UNDO_INTENT, step->n, learned, err);
}

static int undo_step(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	const struct cb_step_ops *ops = ops_table[step->kind];
	bool begun = cb_journal_state(run->journal, step->n) == CB_STEP_UNDOING;
	enum cb_probe state;
	int r;

	if ((r = probe(run, step, &state, err)) < 0)
		return r;
	if (state == CB_PROBE_FOREIGN) {
		cb_run_tell(run, CB_EVENT_KEPT, step,
			    "what stands there now is not this transaction's work");
		return record_undone(run, step, "foreign", err);
	}
	if (state == CB_PROBE_ABSENT && !(begun && ops->undone_in_parts))
		return record_undone(run, step, "absent", err);
	if (!ops->undo) {
		cb_run_tell(run, CB_EVENT_KEPT, step, "it is gone and cannot be brought back");
		return record_undone(run, step, "irreversible", err);
	}
	cb_run_tell(run, CB_EVENT_UNDO, step, NULL);
	if ((r = record_undo_intent(run, step, err)) < 0)
		return r;
	while ((r = ops->undo(run, step, err)) < 0) {
		if (!is_unknown(r)) {
			(void)cb_error_wrap(err, "cannot take back %s '%s'",
					    cb_step_name(step->kind), step->target);
			return cb_error_hint(err,
					     "remove the cause, then: clonebox recover --auto");
		}
		if ((r = reconnect(run, err)) < 0 || (r = probe(run, step, &state, err)) < 0)
			return r;
		if (state == CB_PROBE_ABSENT && !ops->undone_in_parts)
			break;
	}
	return record_undone(run, step, NULL, err);
}

enum pass { DEFINITIONS, MACHINES };

/* A machine is started again last: with the definition that it had, not with the one that failed.
 */
static enum pass pass_of(const struct cb_step *step)
{
	return step->kind == CB_STEP_KIND_DOMAIN_SHUTDOWN ? MACHINES : DEFINITIONS;
}

/* What later steps stand in must be there to be looked into: a power cut may have taken a pool and
 * left the files that were made in it. */
static int bring_back(struct cb_run *run, struct cb_error *err)
{
	cb_vec_each (const struct cb_step, step, &run->transaction->steps) {
		enum cb_probe probed;
		int r;

		if (!ops_table[step->kind]->holds_others ||
		    cb_journal_state(run->journal, step->n) != CB_STEP_DONE)
			continue;
		if ((r = probe(run, step, &probed, err)) < 0)
			return r;
		run->redo = true;
		if ((probed == CB_PROBE_ABSENT || probed == CB_PROBE_PARTIAL) &&
		    (r = perform(run, step, err)) < 0)
			return r;
	}
	return 0;
}

static int roll_back(struct cb_run *run, struct cb_error *err)
{
	int back = run->recovering ? bring_back(run, err) : 0;

	if (back < 0)
		return back;
	for (enum pass pass = DEFINITIONS; pass <= MACHINES; pass++) {
		for (size_t i = run->transaction->steps.len; i-- > 0;) {
			const struct cb_step *step = &run->transaction->steps.items[i];
			enum cb_step_state state = cb_journal_state(run->journal, step->n);
			int r;

			if (state == CB_STEP_UNTOUCHED || state == CB_STEP_UNDONE ||
			    pass_of(step) != pass)
				continue;
			if ((r = undo_step(run, step, err)) < 0)
				return r;
		}
	}
	return finish(run, CB_OUTCOME_ROLLED_BACK, err);
}

/* What has the name of something new before it was intended was not made by us. */
static int look_for_name(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
			 struct cb_error *err)
{
	bool taken;
	int r;

	while ((r = cb_run_name_taken(run, step, &taken, err)) < 0) {
		if (!is_unknown(r) || (r = reconnect(run, err)) < 0)
			return r;
	}
	*out = taken ? CB_PROBE_FOREIGN : CB_PROBE_ABSENT;
	return 0;
}

/* Where the step stands, as far as the journal lets that be in question. */
static int look(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
		struct cb_error *err)
{
	*out = CB_PROBE_ABSENT;
	switch (cb_journal_state(run->journal, step->n)) {
	case CB_STEP_UNTOUCHED:
		if (ops_table[step->kind]->creates)
			return look_for_name(run, step, out, err);
		/* In a crashed run somebody may have done by hand what was still to be done. */
		return run->recovering ? probe(run, step, out, err) : 0;
	case CB_STEP_INTENDED:
		return probe_settled(run, step, out, err);
	case CB_STEP_DONE:
	case CB_STEP_FAILED:
	case CB_STEP_UNDOING:
	case CB_STEP_UNDONE:
		return probe(run, step, out, err);
	}
	return 0;
}

/* A group decides once for all its members: whether each still stands as it was made. */
static int look_again(struct cb_run *run, const struct cb_step *until, struct cb_error *err)
{
	cb_vec_each (const struct cb_step, step, &run->transaction->steps) {
		enum cb_probe probed;
		int r;

		if (step == until)
			return 0;
		if (ops_table[step->kind]->best_effort)
			continue;
		if ((r = probe(run, step, &probed, err)) < 0)
			return r;
		if (probed != CB_PROBE_DONE)
			return cb_error_set(err, CB_E_CONFLICT,
					    "%s '%s' is not any more as this transaction made it",
					    cb_step_name(step->kind), step->target);
	}
	return 0;
}

/* Beyond the point of no return nobody looks again at what was done before it. */
static int cross(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	int r;

	if (step->reversible == CB_REVERSIBLE || run->crossed)
		return 0;
	if (run->transaction->members.len && (r = look_again(run, step, err)) < 0)
		return r;
	if ((r = barrier(run, err)) < 0)
		return r;
	run->crossed = true;
	return 0;
}

/* Once a guest has run or old data is gone, what was done before is the VM's own life and is not
 * done again: it may have been changed since with good reason. What has no way back, a deletion, is
 * looked at all the same: a power cut may have brought it back. */
static bool is_settled(const struct cb_run *run, const struct cb_step *past,
		       const struct cb_step *step)
{
	if (!past || cb_journal_state(run->journal, step->n) != CB_STEP_DONE)
		return false;
	return step->reversible == CB_REVERSIBLE ? step->n < past->n
						 : ops_table[step->kind]->undo != NULL;
}

/* One step forward, from whatever the journal and the host say of it. */
static int advance(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	const struct cb_step_ops *ops = ops_table[step->kind];
	enum cb_step_state state = cb_journal_state(run->journal, step->n);
	enum cb_probe probed;
	json_auto_t *learned = NULL;
	int r;

	run->redo = state != CB_STEP_UNTOUCHED;
	if (cb_run_interrupted(run))
		return cb_error_set(err, CB_E_INTERRUPTED, "interrupted");
	if ((r = look(run, step, &probed, err)) < 0)
		return r;
	if (probed == CB_PROBE_DONE)
		return state == CB_STEP_DONE ? 0 : record_done(run, step, NULL, err);
	if (probed == CB_PROBE_FOREIGN)
		return cb_error_set(err, CB_E_CONFLICT,
				    "what stands there now is not this transaction's work");
	cb_run_tell(run, CB_EVENT_STEP, step, NULL);
	/* A half that was there before the intent is somebody else's, and is saved like a whole. */
	if ((probed == CB_PROBE_ABSENT || state == CB_STEP_UNTOUCHED) &&
	    (r = prepare(run, step, err)) < 0)
		return r;
	if ((r = cross(run, step, err)) < 0)
		return r;
	if (state != CB_STEP_INTENDED && (r = record(run, CB_RECORD_INTENT, step, NULL, err)) < 0)
		return r;
	if ((r = perform(run, step, err)) < 0)
		return r;
	while (ops->learn && (r = ops->learn(run, step, &learned, err)) < 0) {
		if (!is_unknown(r) || (r = reconnect(run, err)) < 0)
			return r;
	}
	cb_run_tell(run, CB_EVENT_DONE, step, NULL);
	return record_done(run, step, learned, err);
}

/* Errors after which the transaction stays as it is, for a later run to take up. */
static bool leaves_open(int r)
{
	switch ((enum cb_code) - r) {
	case CB_E_UNAVAILABLE:
	case CB_E_TIMEOUT:
	case CB_E_UNCLEAR:
	case CB_E_INTERRUPTED:
	case CB_E_CORRUPT:
	case CB_E_INTERNAL:
		return true;
	case CB_E_INVALID:
	case CB_E_USAGE:
	case CB_E_NOT_FOUND:
	case CB_E_EXISTS:
	case CB_E_CONFLICT:
	case CB_E_REFUSED:
	case CB_E_BUSY:
	case CB_E_UNSUPPORTED:
	case CB_E_DENIED:
	case CB_E_FAILED:
	case CB_E_IO:
		return false;
	}
	return true;
}

/* `step` failed for good: back, unless something happened that cannot be taken back. */
static int fail(struct cb_run *run, const struct cb_step *step, enum cb_outcome *outcome,
		struct cb_error *err)
{
	cb_auto_error struct cb_error second = {0};
	const struct cb_step *past;
	int r;

	cb_run_tell(run, CB_EVENT_FAILED, step, err->message);
	(void)cb_error_wrap(err, "%s '%s'", cb_step_name(step->kind), step->target);
	if ((r = past_return(run, err->code == CB_E_CONFLICT ? step : NULL, &past, &second)) == 0 &&
	    past) {
		(void)cb_error_hint(err,
				    "this is past the point of no return: remove the cause and run "
				    "`clonebox recover --auto`, which goes on with transaction %s",
				    run->transaction->id);
		return -(int)err->code;
	}
	/* What was never intended is not taken back: one record, so that no crash comes between. */
	if (r == 0)
		r = record(run,
			   cb_journal_state(run->journal, step->n) == CB_STEP_UNTOUCHED
				   ? CB_RECORD_UNDONE
				   : CB_RECORD_FAILED,
			   step, err->message, &second);
	if (r == 0)
		r = roll_back(run, &second);
	if (r == 0) {
		*outcome = CB_OUTCOME_ROLLED_BACK;
		(void)cb_error_hint(err,
				    "remove the cause (libvirt's log on the host may say more) and "
				    "apply again");
	} else {
		cb_log(CB_LOG_ERROR, "rollback-stopped", "%s%s%s", second.message,
		       second.hint ? "; " : "", second.hint ? second.hint : "");
		(void)cb_error_hint(
			err,
			"taking it back stopped (%s); `clonebox recover --auto` goes on "
			"with transaction %s",
			second.message, run->transaction->id);
	}
	return -(int)err->code;
}

static int go_forward(struct cb_run *run, enum cb_outcome *outcome, struct cb_error *err)
{
	const struct cb_step *past = NULL;
	int r;

	*outcome = CB_OUTCOME_OPEN;
	if (run->recovering && (r = past_return(run, NULL, &past, err)) < 0)
		return r;
	run->crossed = past != NULL;
	cb_vec_each (const struct cb_step, step, &run->transaction->steps) {
		if (is_settled(run, past, step))
			continue;
		r = advance(run, step, err);
		if (r < 0 && leaves_open(r))
			return cb_error_wrap(err, "%s '%s'", cb_step_name(step->kind),
					     step->target);
		if (r < 0)
			return fail(run, step, outcome, err);
	}
	if (run->transaction->provisional && !run->recovering) {
		/* Those that wait are taken up before it after a crash: they find it there. */
		if ((r = barrier(run, err)) < 0)
			return r;
		*outcome = CB_OUTCOME_PREPARED;
		return 0;
	}
	if ((r = finish(run, CB_OUTCOME_COMMITTED, err)) < 0)
		return r;
	*outcome = CB_OUTCOME_COMMITTED;
	return 0;
}

static struct cb_journal_room room_of(const struct cb_run *run)
{
	struct cb_journal_room room = {.steps = (unsigned)run->transaction->steps.len};

	cb_vec_each (const struct cb_step, step, &run->transaction->steps) {
		const struct cb_step_ops *ops = ops_table[step->kind];

		room.progress += ops->records ? ops->records(run, step) : 0;
	}
	return room;
}

int cb_apply_run(struct cb_apply_context *context, const struct cb_transaction *transaction,
		 const json_t *begin, enum cb_outcome *outcome, struct cb_error *err)
{
	json_auto_t *plan = cb_codec_transaction(transaction);
	struct cb_run run = {
		.context = context, .driver = context->driver, .transaction = transaction};
	int r;

	*outcome = CB_OUTCOME_NOT_BEGUN;
	r = cb_journal_create(context->state_dir, transaction->id, begin, plan, room_of(&run),
			      &run.journal, err);
	if (r < 0)
		return cb_error_wrap(err, "cannot begin a transaction");
	r = go_forward(&run, outcome, err);
	cb_journal_free(run.journal);
	return r;
}

/* Back, if it was on the way back when it died. */
static bool was_going_back(const struct cb_run *run)
{
	cb_vec_each (const struct cb_step, step, &run->transaction->steps) {
		switch (cb_journal_state(run->journal, step->n)) {
		case CB_STEP_FAILED:
		case CB_STEP_UNDOING:
		case CB_STEP_UNDONE:
			return true;
		case CB_STEP_UNTOUCHED:
		case CB_STEP_INTENDED:
		case CB_STEP_DONE:
			break;
		}
	}
	return false;
}

static bool loses_data(const struct cb_transaction *transaction)
{
	cb_vec_each (const struct cb_step, step, &transaction->steps) {
		if (cb_spec_bool(&step->args, "data", false))
			return true;
	}
	return false;
}

/* Whether nobody has come to rely on what a provisional transaction made: then it goes. What was
 * not finished cannot be relied on. */
static int is_unused(struct cb_run *run, bool *out, struct cb_error *err)
{
	*out = false;
	if (!run->transaction->provisional)
		return 0;
	cb_vec_each (const struct cb_step, step, &run->transaction->steps) {
		bool used = false;
		int r = 0;

		while (cb_journal_state(run->journal, step->n) == CB_STEP_DONE &&
		       (r = ops_table[step->kind]->used(run, step, &used, err)) < 0) {
			if (!is_unknown(r) || (r = reconnect(run, err)) < 0)
				return r;
		}
		if (used)
			return 0;
	}
	*out = true;
	return 0;
}

/* Force that somebody allows now holds from now on, whatever becomes of this run. */
static int note_consent(struct cb_run *run, struct cb_error *err)
{
	struct cb_apply_context *context = run->context;

	cb_vec_each (const struct cb_step, step, &run->transaction->steps) {
		json_auto_t *consent = NULL;
		int r;

		if (!ops_table[step->kind]->forcible || !context->consent ||
		    cb_spec_bool(&step->args, "force", false) ||
		    cb_journal_consent(run->journal, step->n) ||
		    cb_journal_state(run->journal, step->n) == CB_STEP_DONE)
			continue;
		consent = context->consent(context->consent_ctx, step);
		if (consent && (r = cb_journal_step(run->journal, CB_RECORD_CONSENT, step->n,
						    consent, err)) < 0)
			return r;
	}
	return 0;
}

int cb_apply_recover(struct cb_apply_context *context, struct cb_journal *journal,
		     const struct cb_transaction *transaction, enum cb_recovery recovery,
		     enum cb_outcome *outcome, struct cb_error *err)
{
	struct cb_run run = {.context = context,
			     .driver = context->driver,
			     .journal = journal,
			     .transaction = transaction,
			     .recovering = true};
	const struct cb_step *past = NULL;
	bool unused;
	int r;

	*outcome = CB_OUTCOME_OPEN;
	if ((r = is_unused(&run, &unused, err)) < 0)
		return r;
	if (recovery != CB_RECOVER_AUTO && recovery != CB_RECOVER_DECIDE && !was_going_back(&run)) {
		if ((r = past_return(&run, NULL, &past, err)) < 0)
			return r;
		if (past && recovery == CB_RECOVER_BACK)
			return cb_error_set(err, CB_E_REFUSED,
					    "transaction %s is past the point of no return",
					    transaction->id);
	}
	if (recovery == CB_RECOVER_BACK || was_going_back(&run) || unused ||
	    (recovery == CB_RECOVER_SPARING && !past && loses_data(transaction))) {
		if (recovery != CB_RECOVER_DECIDE)
			cb_run_tell(&run, CB_EVENT_RECOVERY, NULL, "taking back");
		if ((r = roll_back(&run, err)) < 0)
			return r;
		*outcome = CB_OUTCOME_ROLLED_BACK;
		return 0;
	}
	if (recovery != CB_RECOVER_DECIDE)
		cb_run_tell(&run, CB_EVENT_RECOVERY, NULL, "finishing");
	if ((r = note_consent(&run, err)) < 0)
		return r;
	r = go_forward(&run, outcome, err);
	if (r < 0 && *outcome == CB_OUTCOME_ROLLED_BACK) {
		cb_log(CB_LOG_WARN, "recovery-rolled-back", "transaction %s: %s", transaction->id,
		       err->message);
		cb_error_release(err);
		return 0;
	}
	return r;
}

int cb_apply_look(struct cb_apply_context *context, struct cb_journal *journal,
		  const struct cb_transaction *transaction, const struct cb_step *step,
		  const char **out, struct cb_error *err)
{
	static const char *const words[] = {[CB_PROBE_ABSENT] = "not done",
					    [CB_PROBE_DONE] = "done",
					    [CB_PROBE_PARTIAL] = "half done",
					    [CB_PROBE_FOREIGN] = "not ours"};
	struct cb_run run = {.context = context,
			     .driver = context->driver,
			     .journal = journal,
			     .transaction = transaction,
			     .recovering = true};
	enum cb_probe probed = CB_PROBE_ABSENT;
	int r = ops_table[step->kind]->probe(&run, step, &probed, err);

	if (r == 0)
		*out = words[probed];
	return r;
}
