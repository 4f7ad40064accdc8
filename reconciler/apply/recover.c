/* A transaction that another run has left: which way it goes, and how it stands. */
#include "reconciler/apply/engine.h"
#include "reconciler/base/log.h"

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
		       (r = cb_step_ops_of(step)->used(run, step, &used, err)) < 0) {
			if (!cb_run_unknown(r) || (r = cb_run_reconnect(run, err)) < 0)
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

		if (!cb_step_ops_of(step)->forcible || !context->consent ||
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
		if ((r = cb_run_past_return(&run, NULL, &past, err)) < 0)
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
		if ((r = cb_run_back(&run, err)) < 0)
			return r;
		*outcome = CB_OUTCOME_ROLLED_BACK;
		return 0;
	}
	if (recovery != CB_RECOVER_DECIDE)
		cb_run_tell(&run, CB_EVENT_RECOVERY, NULL, "finishing");
	if ((r = note_consent(&run, err)) < 0)
		return r;
	r = cb_run_forward(&run, outcome, err);
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
	int r = cb_step_ops_of(step)->probe(&run, step, &probed, err);

	if (r == 0)
		*out = words[probed];
	return r;
}
