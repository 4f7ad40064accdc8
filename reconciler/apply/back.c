/* A transaction is taken back, the last step first. */
#include "reconciler/apply/engine.h"

static int record_undone(struct cb_run *run, const struct cb_step *step, const char *how,
			 struct cb_error *err)
{
	int r = cb_run_barrier(run, err);

	return r < 0 ? r : cb_run_record(run, CB_RECORD_UNDONE, step, how, err);
}

/* Carries on what the step learned when it was done: undo compares with it. */
static int record_undo_intent(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	json_auto_t *learned = json_deep_copy(cb_journal_detail(run->journal, step->n));

	return cb_journal_step(run->journal, CB_RECORD_UNDO_INTENT, step->n, learned, err);
}

static int undo_step(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	const struct cb_step_ops *ops = cb_step_ops_of(step);
	bool begun = cb_journal_state(run->journal, step->n) == CB_STEP_UNDOING;
	enum cb_probe state;
	int r;

	if ((r = cb_run_probe(run, step, &state, err)) < 0)
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
		if (!cb_run_unknown(r)) {
			(void)cb_error_wrap(err, "cannot take back %s '%s'",
					    cb_step_name(step->kind), step->target);
			return cb_error_hint(err,
					     "remove the cause, then: clonebox recover --auto");
		}
		if ((r = cb_run_reconnect(run, err)) < 0 ||
		    (r = cb_run_probe(run, step, &state, err)) < 0)
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

		if (!cb_step_ops_of(step)->holds_others ||
		    cb_journal_state(run->journal, step->n) != CB_STEP_DONE)
			continue;
		if ((r = cb_run_probe(run, step, &probed, err)) < 0)
			return r;
		run->redo = true;
		if ((probed == CB_PROBE_ABSENT || probed == CB_PROBE_PARTIAL) &&
		    (r = cb_run_perform(run, step, err)) < 0)
			return r;
	}
	return 0;
}

int cb_run_back(struct cb_run *run, struct cb_error *err)
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
	return cb_run_finish(run, CB_OUTCOME_ROLLED_BACK, err);
}
