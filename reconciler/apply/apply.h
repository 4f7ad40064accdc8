/*
 * apply.h: runs transactions, takes them back, and finishes what a crash left (docs/journal.md).
 *
 * The engine knows nothing of what a step does: it journals the intent, performs, and records; what
 * steps do stands in apply/step_*.c. The caller holds the locks of the VM for the whole call.
 */
#ifndef CB_APPLY_APPLY_H
#define CB_APPLY_APPLY_H

#include <jansson.h>

#include "reconciler/driver/driver.h"
#include "reconciler/journal/journal.h"
#include "reconciler/model/plan.h"
#include "reconciler/storage/image.h"

/* What the person at the screen is told. */
enum cb_event {
	CB_EVENT_STEP, /* begins */
	CB_EVENT_DONE,
	CB_EVENT_FAILED,   /* `text` says why */
	CB_EVENT_UNDO,     /* is being taken back */
	CB_EVENT_KEPT,     /* left as it is, `text` says why */
	CB_EVENT_WAITING,  /* `text` says for what */
	CB_EVENT_RECOVERY, /* an unfinished transaction is taken up, `text` says how */
};

struct cb_references;

struct cb_apply_context {
	/* Replaced by the engine when the connection breaks; the caller closes what stands here in
	 * the end. */
	struct cb_driver *driver;
	/* Opens a fresh connection to the same host. */
	int (*reopen)(void *ctx, struct cb_driver **out, struct cb_error *err);
	void *reopen_ctx;
	unsigned reopen_timeout_ms; /* how long a vanished libvirt is waited for */
	/* How long two looks at a step with an open intent lie apart: a request of a dead client
	 * may still be executing in libvirtd. What comes later still is met by the next run. */
	unsigned settle_ms;
	/* The image of a VM's seed, for a step seed.create that has not been begun. May be NULL:
	 * then such a step fails. `out` is wiped by the engine. */
	int (*seed)(void *ctx, const struct cb_transaction *transaction, const struct cb_step *step,
		    struct cb_str *out, struct cb_error *err);
	void *seed_ctx;
	/* Recovery alone: what somebody allows now of a step that can be done by force and was
	 * planned without; as it goes into the journal. NULL: nothing. May be NULL. */
	json_t *(*consent)(void *ctx, const struct cb_step *step);
	void *consent_ctx;
	/* Makes all that was written durable. NULL: the host's kernel is not ours. */
	int (*barrier)(void *ctx, struct cb_error *err);
	void *barrier_ctx;
	uint64_t chunk_least;             /* of a long upload; 0: as of storage/chunks.h */
	struct cb_references *references; /* apply/references.h; one for all workers */
	const char *state_dir;
	struct cb_progress progress;
	void (*event)(void *ctx, enum cb_event event, const struct cb_transaction *transaction,
		      const struct cb_step *step, const char *text);
	void *event_ctx;
};

enum cb_outcome {
	CB_OUTCOME_NOT_BEGUN, /* not even a journal could be begun: nothing was done */
	CB_OUTCOME_COMMITTED,
	CB_OUTCOME_ROLLED_BACK,
	/* A provisional transaction: all is done, and cb_apply_recover decides, when those that
	 * wait for it are over. */
	CB_OUTCOME_PREPARED,
	CB_OUTCOME_OPEN,      /* stopped in between; the journal says where, the next run goes on */
	CB_OUTCOME_ABANDONED, /* a person has given it up; the host is as it happens to be */
};

const char *cb_outcome_name(enum cb_outcome outcome);

/* Runs a new transaction. `begin` goes into the journal's first record. Returns 0 when committed;
 * else the error that ended it, and `outcome` says what stands. */
CB_CHECKED int cb_apply_run(struct cb_apply_context *context,
			    const struct cb_transaction *transaction, const json_t *begin,
			    enum cb_outcome *outcome, struct cb_error *err);

enum cb_recovery {
	CB_RECOVER_AUTO, /* forward after a crash, back if it was going back or cannot go on */
	/* As AUTO, but what would lose data and has not begun to goes back: the consent was given
	 * to another run. */
	CB_RECOVER_SPARING,
	/* As AUTO, of a provisional transaction that this run has prepared. */
	CB_RECOVER_DECIDE,
	CB_RECOVER_BACK, /* back, as long as nothing irreversible has happened */
};

/* Settles an open transaction; a provisional one is kept if what it made is in use, so settle first
 * those that waited for it. `arena` gets the transaction for messages. Returns 0 when it could
 * be settled, whichever way; `outcome` says which. */
CB_CHECKED int cb_apply_recover(struct cb_apply_context *context, struct cb_journal *journal,
				const struct cb_transaction *transaction, enum cb_recovery recovery,
				enum cb_outcome *outcome, struct cb_error *err);

/* Looks for what came late of a transaction that was taken back after a crash; its journal is
 * closed. `found`: there was something. `remove`: it is removed; the caller holds the locks. */
CB_CHECKED int cb_apply_sweep(struct cb_apply_context *context, struct cb_journal *journal,
			      const struct cb_transaction *transaction, bool remove, bool *found,
			      struct cb_error *err);

/* One look at a step, for people: "not done", "done", "half done" or "not ours". */
CB_CHECKED int cb_apply_look(struct cb_apply_context *context, struct cb_journal *journal,
			     const struct cb_transaction *transaction, const struct cb_step *step,
			     const char **out, struct cb_error *err);

#endif
