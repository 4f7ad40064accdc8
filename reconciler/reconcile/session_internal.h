/* session_internal.h: what the files of the pipeline share. */
#ifndef CB_RECONCILE_SESSION_INTERNAL_H
#define CB_RECONCILE_SESSION_INTERNAL_H

#include "reconciler/journal/lock.h"
#include "reconciler/reconcile/session.h"

struct cb_session {
	struct cb_session_config config;
	struct cb_driver *driver;
	struct cb_host host;
	struct cb_arena arena;   /* host, and what has been read of image files */
	struct cb_images images; /* inspected so far: a file is read once */
	const char *controller;  /* this installation */
	bool controller_is_new;  /* not yet written */
};

/* Writes the id of this installation at its first use. */
CB_CHECKED int cb_session_controller(struct cb_session *session, struct cb_error *err);

/* Finds every image and pool that the changes need. What is wrong with one becomes a problem; only
 * a host that does not answer is an error. */
CB_CHECKED int cb_resolve(struct cb_session *session, struct cb_arena *arena,
			  const struct cb_changes *changes, const struct cb_domains *domains,
			  struct cb_images *images, struct cb_plan_pools *pools,
			  struct cb_problems *problems, struct cb_error *err);

/* Fills the engine's context from the session's. */
struct cb_apply_context cb_session_context(struct cb_session *session);

/* Locks, taken in one order for everybody (host shared, then images and VMs by name), and held
 * until released. */
struct cb_locks {
	CB_VEC(const char *) names;
	CB_VEC(struct cb_lock) held;
};

/* Adds what this transaction needs; nothing is taken yet. */
void cb_locks_add(struct cb_arena *arena, struct cb_locks *locks,
		  const struct cb_transaction *transaction);

/* Takes all that were added. On failure release what was got, as always. */
CB_CHECKED int cb_locks_take(struct cb_session *session, struct cb_arena *arena,
			     struct cb_locks *locks, unsigned timeout_ms, const char *purpose,
			     struct cb_error *err);

/* Whether they are all that this transaction needs. */
bool cb_locks_cover(const struct cb_locks *locks, const struct cb_transaction *transaction);

void cb_locks_release(struct cb_locks *locks);

#endif
