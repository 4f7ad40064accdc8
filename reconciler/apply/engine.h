/*
 * engine.h: how a transaction is run, between the files that do it.
 *
 *	run.c      a step's calls, over reconnections, and what the journal is told of them
 *	forward.c  step by step to the end: cb_apply_run
 *	back.c     what was done is taken back
 *	recover.c  which of the two, for what another run has left: cb_apply_recover
 *
 * All of these wait for a libvirtd that went away; CB_E_UNAVAILABLE: it did not come back, and
 * nothing is known. Steps are what step.h says; docs/journal.md has the table of what follows from
 * record and probe.
 */
#ifndef CB_APPLY_ENGINE_H
#define CB_APPLY_ENGINE_H

#include "reconciler/apply/step.h"

const struct cb_step_ops *cb_step_ops_of(const struct cb_step *step);

/* Nothing is known of the step's effect: neither forward nor back before libvirt answers again. */
bool cb_run_unknown(int r);

/* A fresh connection, waited for with patience: libvirtd may be restarting. Releases `err` when it
 * has one. */
CB_CHECKED int cb_run_reconnect(struct cb_run *run, struct cb_error *err);

CB_CHECKED int cb_run_probe(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
			    struct cb_error *err);

/* Two equal looks, for a step whose request may still be on its way. */
CB_CHECKED int cb_run_probe_settled(struct cb_run *run, const struct cb_step *step,
				    enum cb_probe *out, struct cb_error *err);

/* What the step keeps before its intent: it only looks at the host. */
CB_CHECKED int cb_run_prepare(struct cb_run *run, const struct cb_step *step, struct cb_error *err);

/* Performs a step whose intent is journaled, until it is known to be done or to have failed. */
CB_CHECKED int cb_run_perform(struct cb_run *run, const struct cb_step *step, struct cb_error *err);

/* The first effect that cannot be taken back and has happened; NULL while there is none. `failed`,
 * which may be NULL, is known not to have. */
CB_CHECKED int cb_run_past_return(struct cb_run *run, const struct cb_step *failed,
				  const struct cb_step **out, struct cb_error *err);

/* All that was done so far is on the disk. */
CB_CHECKED int cb_run_barrier(struct cb_run *run, struct cb_error *err);

CB_CHECKED int cb_run_record(struct cb_run *run, enum cb_record type, const struct cb_step *step,
			     const char *why, struct cb_error *err);
CB_CHECKED int cb_run_record_done(struct cb_run *run, const struct cb_step *step,
				  const json_t *learned, struct cb_error *err);
CB_CHECKED int cb_run_finish(struct cb_run *run, enum cb_outcome outcome, struct cb_error *err);

/* Every step, or as far as it goes; a step that fails for good takes all of it back, unless it is
 * past the point of no return. */
CB_CHECKED int cb_run_forward(struct cb_run *run, enum cb_outcome *outcome, struct cb_error *err);

/* All that was done or begun, the last first. */
CB_CHECKED int cb_run_back(struct cb_run *run, struct cb_error *err);

#endif
