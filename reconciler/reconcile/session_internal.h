/* session_internal.h: what the files of the pipeline share. */
#ifndef CB_RECONCILE_SESSION_INTERNAL_H
#define CB_RECONCILE_SESSION_INTERNAL_H

#include "reconciler/apply/references.h"
#include "reconciler/base/barrier.h"
#include "reconciler/journal/lock.h"
#include "reconciler/reconcile/session.h"

struct cb_session {
	struct cb_session_config config;
	struct cb_driver *driver;
	struct cb_host host;
	struct cb_arena arena;   /* host, and what has been read of image files */
	struct cb_images images; /* inspected so far: a file is read once */
	/* This installation, and whether its id is not yet written. Plans refer to it, and another
	 * first run may be faster: then it becomes that one's. */
	char controller[CB_UUID_SIZE];
	bool controller_is_new;
	struct cb_barrier barrier;
	struct cb_references references;
	/* What is being applied: seeds are made from it. */
	const struct cb_request *request;
	const struct cb_planned *planned;
	json_t *who; /* see cb_session_who */
	struct cb_late_consent consent;
};

/* connect.c: config->open, until config->connect_timeout_ms is over: CB_E_UNAVAILABLE then. */
CB_CHECKED int cb_session_connect(const struct cb_session_config *config, struct cb_driver **out,
				  struct cb_error *err);

/* A fresh connection in the place of one that was given up because a call did not come back. */
CB_CHECKED int cb_session_reconnect(const struct cb_session_config *config,
				    struct cb_driver **driver, struct cb_error *err);

/* What a question comes to that was given up: no effect of it can still come, the host is merely
 * not to be reached. Other results stay as they are. */
CB_CHECKED int cb_session_unanswered(const struct cb_driver *driver, int r, struct cb_error *err);

/* Writes the id of this installation at its first use. */
CB_CHECKED int cb_session_controller(struct cb_session *session, struct cb_error *err);

/* Finds every image and pool that the changes need. What is wrong with one becomes a problem; only
 * a host that does not answer is an error. */
CB_CHECKED int cb_resolve(struct cb_session *session, struct cb_arena *arena,
			  const struct cb_request *request, const struct cb_changes *changes,
			  const struct cb_domains *domains, struct cb_images *images,
			  struct cb_plan_pools *pools, struct cb_problems *problems,
			  struct cb_error *err);

/* paths.c: warns of directories to be shared that are not there, or cannot be looked at. */
void cb_session_look_at_paths(const struct cb_session *session, struct cb_arena *arena,
			      const struct cb_changes *changes, struct cb_problems *problems);

/* run.c: runs all transactions of the plan; results in the plan's order. */
void cb_session_run(struct cb_session *session, const struct cb_request *request,
		    const struct cb_planned *planned, struct cb_arena *arena,
		    struct cb_results *results);

/* audit.c: what stands in the first record of a journal: who, from which manifest, which fields;
 * what is sensitive is masked. Owned by the caller. */
json_t *cb_session_begin_record(struct cb_session *session, const struct cb_request *request,
				const struct cb_planned *planned,
				const struct cb_transaction *transaction);

/* Who runs this program: {uid, pid, user?, node?, login?}. Owned by the caller. */
json_t *cb_session_who(void);

/* consent.c: for cb_apply_context.consent. */
json_t *cb_session_consents(void *session, const struct cb_step *step);

/* take_over.c: the changes for request->take_from. CB_E_USAGE where no stamp, or several, begin
 * like that, or it is our own; none for the whole id of an installation that has nothing here. */
CB_CHECKED int cb_session_compare_strangers(struct cb_session *session,
					    const struct cb_request *request,
					    struct cb_arena *arena, struct cb_observed *observed,
					    struct cb_changes *changes, struct cb_error *err);

/* Warns of what taking over means. */
CB_CHECKED int cb_session_note_strangers(struct cb_session *session,
					 const struct cb_request *request, struct cb_arena *arena,
					 struct cb_planned *out, struct cb_error *err);

/* unclaimed.c: fills in out->unclaimed. */
CB_CHECKED int cb_session_unclaimed(struct cb_session *session, struct cb_arena *arena,
				    const struct cb_domains *domains, struct cb_elsewhere *out,
				    struct cb_error *err);

/* late.c: removes what requests of dead runs have brought since recovery had looked; what cannot be
 * removed now is said, and tried again by the next run. */
void cb_session_sweep_late(struct cb_session *session);

/* Whether what a committed transaction changed reads back as wanted. */
CB_CHECKED int cb_session_verify(struct cb_session *session, struct cb_apply_context *context,
				 const struct cb_request *request,
				 const struct cb_transaction *transaction, struct cb_error *err);

/* seed.c: makes the image for a step seed.create, from what is being applied. */
CB_CHECKED int cb_session_seed(void *session, const struct cb_transaction *transaction,
			       const struct cb_step *step, struct cb_str *out,
			       struct cb_error *err);

/* A problem for each seed of the plan that could not be made. */
void cb_session_check_seeds(struct cb_arena *arena, struct cb_planned *planned);

/* Fills the engine's context from the session's. */
struct cb_apply_context cb_session_context(struct cb_session *session);

struct cb_lock_image {
	const char *lock, *image; /* which has the digest in its name, and what people call it */
};

/* Locks, taken in one order for everybody (host shared, then images and VMs by name), and held
 * until released. */
struct cb_locks {
	CB_VEC(const char *) names;
	CB_VEC(struct cb_lock_image) images;
	CB_VEC(struct cb_lock) held;
};

/* "vm 'web' of qemu:///system" */
const char *cb_locks_name(struct cb_arena *arena, enum cb_target target, const char *uri,
			  const char *name);

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
