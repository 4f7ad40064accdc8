/*
 * session.h: the pipeline, wired once: observe, diff, resolve, plan, lock, apply, verify, recover.
 *
 *	cb_session_open(&config, &session, err)
 *	cb_session_settle(session, ...)          finish what crashed runs left
 *	cb_session_plan(session, &request, &plan, err)
 *	cb_session_apply(session, &request, &plan, results, err)
 *	cb_session_close(session)
 *
 * A session talks to one host. Plans and results live in the caller's arena.
 */
#ifndef CB_RECONCILE_SESSION_H
#define CB_RECONCILE_SESSION_H

#include "reconciler/apply/apply.h"
#include "reconciler/diff/diff.h"
#include "reconciler/observe/observe.h"
#include "reconciler/plan/plan.h"

struct cb_session_config {
	const char *uri; /* NULL: libvirt's default */
	const char *state_dir;
	const char *version; /* of the program, for the journal */
	unsigned lock_timeout_ms;
	unsigned connect_timeout_ms; /* how long a host may take to answer at all; 0: for ever */
	unsigned call_timeout_ms;    /* how long a call to it may take; see cb_driver */
	unsigned parallel;           /* transactions at a time; 0 is 1 */
	unsigned reopen_timeout_ms;  /* how long a vanished libvirt is waited for */
	unsigned settle_ms;          /* see cb_apply_context */
	uint64_t chunk_least;        /* the same */
	struct cb_progress progress;
	void (*event)(void *ctx, enum cb_event event, const struct cb_transaction *transaction,
		      const struct cb_step *step, const char *text);
	void *event_ctx;
	/* How a host is opened: cb_libvirt_open, or a test's. */
	int (*open)(const char *uri, struct cb_driver **out, struct cb_error *err);
	void (*sync)(void); /* what makes a local host's files durable; NULL: sync(2) */
	/* Where ids come from; NULL: the kernel's random bytes and the clock. */
	void (*random)(void *out, size_t len);
	int64_t (*now)(void);
};

struct cb_session;

CB_CHECKED int cb_session_open(const struct cb_session_config *config, struct cb_session **out,
			       struct cb_error *err);

/* NULL is fine. */
void cb_session_close(struct cb_session *session);

/* What is asked for of the trash, instead of all else. */
enum cb_trash { CB_TRASH_NONE, CB_TRASH_RESTORE, CB_TRASH_PURGE };

/* What is asked for. */
struct cb_request {
	const struct cb_desired *desired; /* owner, and the VMs of the manifests */
	const char *const *names;         /* only these VMs; none: all of `desired` */
	size_t n_names;
	bool destroy; /* they shall go away; names need not be in a manifest then */
	enum cb_trash
		trash;      /* of these names, as they are or as they were; none: all that is due */
	unsigned trash_ttl; /* seconds that what goes to the trash now is kept; 0: a week */
	/* Instead of all else: what bears the stamp of this installation (its controller id, or how
	 * that begins) becomes ours; `discard`: what nobody has ever used of it goes. */
	const char *take_from;
	bool discard;
	bool prune; /* what these manifests had made and do not speak of any more goes too */
	bool take_over;
	bool fail_fast; /* nothing more is begun once one has failed */
	bool replan;    /* a plan that the host overtook may be replaced by one alike */
	/* What this run has settled before: a name that is gone since then is no mistake. */
	const struct cb_results *settled;
	unsigned flags;            /* enum cb_plan_flags */
	unsigned shutdown_timeout; /* seconds */
};

/* Reads the host, changes nothing. The plan carries its problems; a plan with problems of severity
 * CB_PROBLEM must not be applied. `changes` and `observed` get what it rests on. */
struct cb_planned {
	struct cb_observed observed;
	struct cb_changes changes;
	struct cb_plan plan;
};

CB_CHECKED int cb_session_plan(struct cb_session *session, const struct cb_request *request,
			       struct cb_arena *arena, struct cb_planned *out,
			       struct cb_error *err);

/* How one transaction ended. */
struct cb_result {
	const char *id, *name;
	enum cb_target target;
	enum cb_action action;
	enum cb_outcome outcome;
	enum cb_code code; /* 0 when committed and verified */
	const char *message, *hint;
	const struct cb_member *members; /* of a group that was settled; else none */
	size_t n_members;
};

struct cb_results {
	struct cb_result *items;
	size_t len, cap;
};

/* Takes the locks, plans again, and refuses (CB_E_CONFLICT) if that is not the plan that was shown,
 * unless the request allows another of the same kind, size and risk, which then stands in `plan`.
 * Runs every transaction and verifies it. An error means that nothing was begun; else see
 * `results`. */
CB_CHECKED int cb_session_apply(struct cb_session *session, const struct cb_request *request,
				struct cb_planned *plan, struct cb_arena *arena,
				struct cb_results *results, struct cb_error *err);

/* An unfinished transaction as `recover --list` shows it. */
struct cb_unfinished {
	const char *id, *uri, *name, *action, *begun;
	enum cb_target target;
	bool here;          /* of the host that is open */
	const char *holder; /* NULL, or: a run that is alive has it; who */
	unsigned done, steps;
	bool going_back;
	CB_VEC(struct cb_member) members; /* of a group */
	CB_VEC(const char *) locks;       /* besides those of what it is about */
};

struct cb_unfinished_list {
	struct cb_unfinished *items;
	size_t len, cap;
};

/* Needs no host: `session` may be NULL, then `here` is false. */
CB_CHECKED int cb_session_unfinished(const struct cb_session *session, const char *state_dir,
				     struct cb_arena *arena, struct cb_unfinished_list *out,
				     struct cb_error *err);

/* What a person allows now of what was begun without: it is written into the journal of each
 * transaction that settling takes up, and holds from then on. */
struct cb_late_consent {
	bool force_off;                 /* plugs of guests that do not shut down may be pulled */
	unsigned shutdown_timeout;      /* seconds that these get from now on */
	const struct cb_request *about; /* of these VMs alone; NULL: of all */
};

/* Until it is called again. */
void cb_session_consent(struct cb_session *session, const struct cb_late_consent *consent);

/* A VM that another installation's stamp stands on. */
struct cb_stranger {
	const struct cb_domain *domain;
	const char *since; /* of its stamp, RFC 3339; "" if the stamp does not tell */
	int64_t age;       /* seconds since then */
	/* "running", "stopped", "trash"; "never-used": as it was first defined, no guest has ever
	 * written to its disks; "between-names": halfway to the trash or back. */
	const char *state;
};

/* Another installation, as far as the host knows of it. */
struct cb_installation {
	const char *controller;
	CB_VEC(struct cb_stranger) vms; /* sorted by name */
};

/* A volume that is named as clonebox names them, that nothing on the host refers to and that no
 * transaction of ours made. Whose it is cannot be told: it is never removed. */
struct cb_unclaimed {
	const char *pool, *name, *path;
	uint64_t bytes; /* that it takes */
};

/* A pool in which there may be such volumes, and that could not be looked into. */
struct cb_unseen {
	const char *pool, *why;
};

struct cb_elsewhere {
	CB_VEC(struct cb_installation) installations; /* sorted by id */
	CB_VEC(struct cb_unclaimed) unclaimed;
	CB_VEC(struct cb_unseen) unseen;
};

/* What other installations have on this host, or left there. Changes nothing. */
CB_CHECKED int cb_session_elsewhere(struct cb_session *session, struct cb_arena *arena,
				    struct cb_elsewhere *out, struct cb_error *err);

/* Settles unfinished transactions of this host whose owners are gone: all (id NULL) or one. Those
 * that a living run holds are left alone (with an id: CB_E_BUSY). `results` gets what was settled
 * or could not be; an error means that not even the journals could be read. */
CB_CHECKED int cb_session_settle(struct cb_session *session, const char *id,
				 enum cb_recovery recovery, struct cb_arena *arena,
				 struct cb_results *results, struct cb_error *err);

/* A step of an unfinished transaction that may have left something on the host. */
struct cb_leaving {
	const struct cb_step *step;
	const char *recorded; /* "begun", "done", ...: the journal's last word */
	const char *
		found; /* "not done", "done", "half done", "not ours", "unknown: WHY": the host's */
};

struct cb_leavings {
	const struct cb_transaction *transaction; /* empty if its plan was not written */
	struct cb_leaving *items;
	size_t len, cap;
};

/* What an unfinished transaction leaves if nothing more is done; the host is looked at once.
 * `session` may be NULL: then nobody knows. CB_E_NOT_FOUND; CB_E_USAGE where it is finished. */
CB_CHECKED int cb_session_leavings(struct cb_session *session, const char *state_dir,
				   const char *id, struct cb_arena *arena, struct cb_leavings *out,
				   struct cb_error *err);

/* Closes it as "abandoned" and touches nothing else: the last resort, for a host that will never
 * answer. The journal says who did so, why, and what was left. CB_E_BUSY while a living run has
 * it. */
CB_CHECKED int cb_session_abandon(const char *state_dir, const char *id,
				  const struct cb_leavings *leavings, const char *why,
				  struct cb_error *err);

/* The addresses of a running guest, as its agent or libvirt's networks know them. */
CB_CHECKED int cb_session_addresses(struct cb_session *session, struct cb_arena *arena,
				    const char *uuid, struct cb_addresses *out,
				    struct cb_error *err);

/* When a guest counts as up. */
enum cb_up { CB_WAIT_AGENT, CB_WAIT_ADDRESS, CB_WAIT_PORT };

struct cb_wait {
	enum cb_up what;

	unsigned port;     /* TCP, at any of its addresses */
	uint64_t until_ms; /* as of cb_clock_ms */
};

/* Waits for it. CB_E_TIMEOUT when it does not come. */
CB_CHECKED int cb_session_wait(struct cb_session *session, const char *name, const char *uuid,
			       const struct cb_wait *wait, struct cb_error *err);

/* One pool of the host; CB_E_NOT_FOUND. */
CB_CHECKED int cb_session_pool(struct cb_session *session, struct cb_arena *arena, const char *name,
			       struct cb_pool *out, struct cb_error *err);

/* The console of a running domain, until its user leaves it or it ends; see domain_console of
 * driver.h. */
CB_CHECKED int cb_session_console(struct cb_session *session, const char *uuid,
				  const struct cb_console_io *io, struct cb_error *err);

/* For status: the host and how each VM of the request differs. */
CB_CHECKED int cb_session_compare(struct cb_session *session, const struct cb_request *request,
				  struct cb_arena *arena, struct cb_observed *observed,
				  struct cb_changes *changes, struct cb_error *err);

#endif
