/*
 * step.h: the effectful half of a kind of step.
 *
 * probe is the truth, the journal only a hint: it looks at the host and says where the step stands.
 * An error from probe means "unknown": then the transaction goes neither way.
 */
#ifndef CB_APPLY_STEP_H
#define CB_APPLY_STEP_H

#include "reconciler/apply/apply.h"

enum cb_probe {
	CB_PROBE_ABSENT, /* the effect has not happened */
	CB_PROBE_DONE,
	CB_PROBE_PARTIAL, /* begun by this transaction, not finished; perform starts it afresh, or
			   * goes on with it */
	CB_PROBE_FOREIGN, /* somebody else's object stands there: never touched */
};

struct cb_run {
	struct cb_apply_context *context;
	struct cb_driver *driver; /* = context->driver */
	struct cb_journal *journal;
	const struct cb_transaction *transaction;
	bool recovering; /* the transaction was begun by another run */
	bool crossed;    /* the point of no return may be behind; what came before is durable */
	bool made;       /* perform made what stands there now */
	bool deaf;       /* its machine did not answer in time: it is not asked again */
	bool redo; /* the step that is performed now was intended before: what stands under the
		    * names of its plan may be a half of our own */
};

struct cb_step_ops {
	bool trusted;  /* probe believes `done`: the effect is made durable before it is recorded */
	bool forcible; /* can be done by force: planned with `force`, or consented to later */
	bool best_effort;     /* done, too, where the host turned out not to be able to do it */
	bool holds_others;    /* later steps make their things in it */
	bool undone_in_parts; /* by several changes, of which probe sees the first only */
	bool creates; /* a new object under a name of this transaction's own: one that has the name
		       * before the intent is foreign, also when it looks like what is wanted */
	CB_CHECKED int (*probe)(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
				struct cb_error *err);
	/* Before the intent is journaled: saves what undo needs. May be NULL. */
	CB_CHECKED int (*prepare)(struct cb_run *run, const struct cb_step *step,
				  struct cb_error *err);
	/* How many records of progress it may write. NULL: none. */
	unsigned (*records)(const struct cb_run *run, const struct cb_step *step);
	/* CB_E_CONFLICT: the host is not as planned, and nothing was done. */
	CB_CHECKED int (*perform)(struct cb_run *run, const struct cb_step *step,
				  struct cb_error *err);
	/* What undo or recovery has to know of the effect; goes into the journal with `done`. May
	 * be NULL. */
	CB_CHECKED int (*learn)(struct cb_run *run, const struct cb_step *step, json_t **out,
				struct cb_error *err);
	/* Whether others have come to rely on the effect. Only for steps of provisional
	 * transactions. */
	CB_CHECKED int (*used)(struct cb_run *run, const struct cb_step *step, bool *out,
			       struct cb_error *err);
	/* Called when probe says done or partial; with undone_in_parts also when it was begun, and
	 * probe sees nothing more to do. NULL: there is no way back. */
	CB_CHECKED int (*undo)(struct cb_run *run, const struct cb_step *step,
			       struct cb_error *err);
};

#define STEP(identifier, name, reversible, verb)                                                   \
	extern const struct cb_step_ops cb_step_##identifier;
#include "reconciler/model/steps.def"
#undef STEP

/* The string argument of a step; its absence is a bug or a damaged plan, checked at decoding. */
const char *cb_step_arg(const struct cb_step *step, const char *name);

/* Tells the person something about the step. */
void cb_run_tell(const struct cb_run *run, enum cb_event event, const struct cb_step *step,
		 const char *text);

bool cb_run_interrupted(const struct cb_run *run);

/* CB_E_CONFLICT while the machine runs although the host says that it is shut off: it is not
 * started a second time, and nothing of it goes. */
CB_CHECKED int cb_run_check_stray(struct cb_run *run, const char *uuid, const char *name,
				  struct cb_error *err);
/* The same of the machine that the step is about, and of all of the transaction: for `prepare`. */
CB_CHECKED int cb_run_prepare_alone(struct cb_run *run, const struct cb_step *step,
				    struct cb_error *err);
CB_CHECKED int cb_run_prepare_all_alone(struct cb_run *run, const struct cb_step *step,
					struct cb_error *err);

/* Makes libvirt look at the pool, waiting for those who write to it. */
CB_CHECKED int cb_run_refresh(struct cb_run *run, const char *pool, struct cb_error *err);

/* As driver->volume_create, with the same patience. */
CB_CHECKED int cb_run_create_volume(struct cb_run *run, const struct cb_volume_new *volume,
				    struct cb_error *err);

/* Makes libvirt look at the pool, then asks for the volume. CB_E_NOT_FOUND is certain. */
CB_CHECKED int cb_run_volume(struct cb_run *run, struct cb_arena *arena, const char *pool,
			     const char *name, struct cb_volume *out, struct cb_error *err);

/* Whether there is a volume with the name that the step's is to have, as far as libvirt knows: what
 * it has not seen yet it does not overwrite. */
CB_CHECKED int cb_run_name_taken(struct cb_run *run, const struct cb_step *step, bool *out,
				 struct cb_error *err);

/* Whether a domain's files, the stamp of a domain, or an overlay in the same pool refer to the
 * step's volume. */
CB_CHECKED int cb_run_volume_used(struct cb_run *run, const struct cb_step *step, bool *out,
				  struct cb_error *err);

/* Deletes the volume unless something on the host still refers to it: then it is kept, the person
 * is told, and that is success. One that is not there is fine. */
CB_CHECKED int cb_run_delete_volume(struct cb_run *run, const struct cb_step *step,
				    struct cb_error *err);

#endif
