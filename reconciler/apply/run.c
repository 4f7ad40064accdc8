/* What forward and back have in common: a step's calls, over reconnections, and what the journal is
 * told of them. */
#include "reconciler/apply/engine.h"
#include "reconciler/base/clock.h"
#include "reconciler/base/log.h"

enum { REOPEN_PAUSE_MS = 200 };

static const struct cb_step_ops *const ops_table[] = {
#define STEP(identifier, name, reversible, verb) &cb_step_##identifier,
#include "reconciler/model/steps.def"
#undef STEP
};

const struct cb_step_ops *cb_step_ops_of(const struct cb_step *step)
{
	return ops_table[step->kind];
}

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
bool cb_run_unknown(int r)
{
	return r == -CB_E_UNAVAILABLE;
}

/* A fresh connection, waited for with patience: libvirtd may be restarting. */
int cb_run_reconnect(struct cb_run *run, struct cb_error *err)
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
int cb_run_probe(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
		 struct cb_error *err)
{
	int r;

	while ((r = cb_step_ops_of(step)->probe(run, step, out, err)) < 0) {
		if (!cb_run_unknown(r))
			return r;
		if ((r = cb_run_reconnect(run, err)) < 0)
			return r;
	}
	return 0;
}

/* Two equal looks, for a step whose request may still be on its way. */
int cb_run_probe_settled(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
			 struct cb_error *err)
{
	enum cb_probe first;
	int r = cb_run_probe(run, step, &first, err);

	for (int i = 0; r == 0 && i < 10; i++) {
		cb_clock_sleep_ms(run->context->settle_ms);
		if ((r = cb_run_probe(run, step, out, err)) < 0)
			return r;
		if (*out == first)
			return 0;
		first = *out;
	}
	return r;
}

int cb_run_record(struct cb_run *run, enum cb_record type, const struct cb_step *step,
		  const char *why, struct cb_error *err)
{
	json_auto_t *detail = why ? json_pack("{s:s}", "why", why) : NULL;

	return cb_journal_step(run->journal, type, step->n, detail, err);
}

/* libvirt syncs neither its directories nor what is uploaded: what nobody looks at again has to be
 * on the disk before the journal says so. */
int cb_run_barrier(struct cb_run *run, struct cb_error *err)
{
	return run->context->barrier ? run->context->barrier(run->context->barrier_ctx, err) : 0;
}

int cb_run_record_done(struct cb_run *run, const struct cb_step *step, const json_t *learned,
		       struct cb_error *err)
{
	int r = cb_step_ops_of(step)->trusted ? cb_run_barrier(run, err) : 0;

	return r < 0 ? r : cb_journal_step(run->journal, CB_RECORD_DONE, step->n, learned, err);
}

/* What a step keeps before its intent, over reconnections: it only looks at the host. */
int cb_run_prepare(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	const struct cb_step_ops *ops = cb_step_ops_of(step);
	int r;

	if (!ops->prepare)
		return 0;
	while ((r = ops->prepare(run, step, err)) < 0) {
		if (!cb_run_unknown(r) || (r = cb_run_reconnect(run, err)) < 0)
			return r;
	}
	return 0;
}

/* Performs a step whose intent is journaled, until it is known to be done or known to have failed.
 * A perform that failed may have worked all the same (a lost reply): the host is asked. */
int cb_run_perform(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	const struct cb_step_ops *ops = cb_step_ops_of(step);

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
		run->redo = run->redo || cb_run_unknown(r);
		if (cb_run_unknown(r) && (p = cb_run_reconnect(run, &probe_err)) < 0)
			return cb_error_move(err, &probe_err);
		if ((p = cb_run_probe(run, step, &state, &probe_err)) < 0)
			return cb_error_move(err, &probe_err);
		if (state == CB_PROBE_DONE) {
			cb_log(CB_LOG_INFO, "step-done-all-the-same", "%s %s: %s",
			       cb_step_name(step->kind), step->target, err->message);
			cb_error_release(err);
			return 0;
		}
		if (!cb_run_unknown(r))
			return r;
		cb_error_release(err);
	}
}

/* The first effect that cannot be taken back and has happened: NULL while there is none. `failed`,
 * which may be NULL, is known not to have. */
int cb_run_past_return(struct cb_run *run, const struct cb_step *failed, const struct cb_step **out,
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
		if (state != CB_STEP_DONE && (r = cb_run_probe(run, step, &probed, err)) < 0)
			return r;
		if (probed == CB_PROBE_DONE) {
			*out = step;
			return 0;
		}
	}
	return 0;
}

int cb_run_finish(struct cb_run *run, enum cb_outcome outcome, struct cb_error *err)
{
	int r = cb_run_barrier(run, err);

	return r < 0 ? r : cb_journal_finish(run->journal, cb_outcome_name(outcome), err);
}
