/* A transaction, step by step, from wherever it stands. */
#include "reconciler/apply/engine.h"
#include "reconciler/base/log.h"
#include "reconciler/plan/codec.h"

/* What has the name of something new before it was intended was not made by us. */
static int look_for_name(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
			 struct cb_error *err)
{
	bool taken;
	int r;

	while ((r = cb_run_name_taken(run, step, &taken, err)) < 0) {
		if (!cb_run_unknown(r) || (r = cb_run_reconnect(run, err)) < 0)
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
		if (cb_step_ops_of(step)->creates)
			return look_for_name(run, step, out, err);
		/* In a crashed run somebody may have done by hand what was still to be done. */
		return run->recovering ? cb_run_probe(run, step, out, err) : 0;
	case CB_STEP_INTENDED:
		return cb_run_probe_settled(run, step, out, err);
	case CB_STEP_DONE:
	case CB_STEP_FAILED:
	case CB_STEP_UNDOING:
	case CB_STEP_UNDONE:
		return cb_run_probe(run, step, out, err);
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
		if (cb_step_ops_of(step)->best_effort)
			continue;
		if ((r = cb_run_probe(run, step, &probed, err)) < 0)
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
	if ((r = cb_run_barrier(run, err)) < 0)
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
						 : cb_step_ops_of(step)->undo != NULL;
}

/* One step forward, from whatever the journal and the host say of it. */
static int advance(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	const struct cb_step_ops *ops = cb_step_ops_of(step);
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
		return state == CB_STEP_DONE ? 0 : cb_run_record_done(run, step, NULL, err);
	if (probed == CB_PROBE_FOREIGN)
		return cb_error_set(err, CB_E_CONFLICT,
				    "what stands there now is not this transaction's work");
	cb_run_tell(run, CB_EVENT_STEP, step, NULL);
	/* A half that was there before the intent is somebody else's, and is saved like a whole. */
	if ((probed == CB_PROBE_ABSENT || state == CB_STEP_UNTOUCHED) &&
	    (r = cb_run_prepare(run, step, err)) < 0)
		return r;
	if ((r = cross(run, step, err)) < 0)
		return r;
	if (state != CB_STEP_INTENDED &&
	    (r = cb_run_record(run, CB_RECORD_INTENT, step, NULL, err)) < 0)
		return r;
	if ((r = cb_run_perform(run, step, err)) < 0)
		return r;
	while (ops->learn && (r = ops->learn(run, step, &learned, err)) < 0) {
		if (!cb_run_unknown(r) || (r = cb_run_reconnect(run, err)) < 0)
			return r;
	}
	cb_run_tell(run, CB_EVENT_DONE, step, NULL);
	return cb_run_record_done(run, step, learned, err);
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
	if ((r = cb_run_past_return(run, err->code == CB_E_CONFLICT ? step : NULL, &past,
				    &second)) == 0 &&
	    past) {
		(void)cb_error_hint(err,
				    "this is past the point of no return: remove the cause and run "
				    "`clonebox recover --auto`, which goes on with transaction %s",
				    run->transaction->id);
		return -(int)err->code;
	}
	/* What was never intended is not taken back: one record, so that no crash comes between. */
	if (r == 0)
		r = cb_run_record(run,
				  cb_journal_state(run->journal, step->n) == CB_STEP_UNTOUCHED
					  ? CB_RECORD_UNDONE
					  : CB_RECORD_FAILED,
				  step, err->message, &second);
	if (r == 0)
		r = cb_run_back(run, &second);
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

int cb_run_forward(struct cb_run *run, enum cb_outcome *outcome, struct cb_error *err)
{
	const struct cb_step *past = NULL;
	int r;

	*outcome = CB_OUTCOME_OPEN;
	if (run->recovering && (r = cb_run_past_return(run, NULL, &past, err)) < 0)
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
		if ((r = cb_run_barrier(run, err)) < 0)
			return r;
		*outcome = CB_OUTCOME_PREPARED;
		return 0;
	}
	if ((r = cb_run_finish(run, CB_OUTCOME_COMMITTED, err)) < 0)
		return r;
	*outcome = CB_OUTCOME_COMMITTED;
	return 0;
}

static struct cb_journal_room room_of(const struct cb_run *run)
{
	struct cb_journal_room room = {.steps = (unsigned)run->transaction->steps.len};

	cb_vec_each (const struct cb_step, step, &run->transaction->steps) {
		const struct cb_step_ops *ops = cb_step_ops_of(step);

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
	r = cb_run_forward(&run, outcome, err);
	cb_journal_free(run.journal);
	return r;
}
