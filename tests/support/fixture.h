/*
 * fixture.h: a session on a fake host, with ids and time that are the same in every run.
 *
 *	struct fixture f;
 *	fixture_init(&f, "tests/golden/case-01-create/host.json" or NULL for an empty host);
 *	fixture_load(&f, manifest text, directory);
 *	... f.fault = CB_FAULT_DIE_AFTER, f.at = 3 ...
 *	fixture_apply(&f, ...)
 *	fixture_release(&f);
 */
#ifndef CB_TESTS_FIXTURE_H
#define CB_TESTS_FIXTURE_H

#include <jansson.h>

#include "reconciler/reconcile/session.h"

struct fixture {
	char *dir; /* temporary: host.json, state/ */
	char *host_path;
	char *state_dir;
	struct cb_arena arena;
	struct cb_desired desired;
	struct cb_request request;
	/* What the first connection of a run meets; later ones (after a reconnection) are sound. */
	enum cb_fault fault;
	unsigned at;
	bool sticky;
	bool looking;         /* CB_FAULT_GONE: `at` counts looks */
	unsigned parallel;    /* as of the session */
	uint64_t chunk_least; /* the same */
	struct cb_progress progress;
	void (*event)(void *ctx, enum cb_event event, const struct cb_transaction *transaction,
		      const struct cb_step *step, const char *text);
	void *event_ctx;
	bool cuts; /* the power may be cut: see fixture_cut_power; to be set before fixture_load */
	unsigned calls; /* changing calls that the last run made over the first connection */
	unsigned looks; /* of its other calls, those after the first of these */
};

/* Seconds that have passed since the fixed moment at which all sessions take place. */
extern int64_t fixture_later;

void fixture_init(struct fixture *fixture, const char *host_json);
void fixture_release(struct fixture *fixture);

/* Parses the manifest; problems end the test. fixture.c has the variables that there are. */
void fixture_load(struct fixture *fixture, const char *text, const char *directory);

/* Opens a session on the fake host, with the fault that is set. Close it with cb_session_close. */
int fixture_open(struct fixture *fixture, struct cb_session **out, struct cb_error *err);

/* Settles, plans, applies, as the program does. Returns 0 when everything is committed, else the
 * first error; `results` may be NULL. */
int fixture_apply(struct fixture *fixture, struct cb_error *err);

/* The same in a child process, for faults that end it. Returns its exit status: 0, 1 for an error,
 * 137 for a death. */
int fixture_apply_forked(struct fixture *fixture);

/* Takes up what a dead run left, in a child process as above: goes on or takes back. */
int fixture_settle_forked(struct fixture *fixture, enum cb_recovery recovery);

/* The power is cut and comes back: no machine runs, and each domain, file, pool and network is as
 * it is now or as it was when the host was last synced, files also with their name and without
 * their bytes. `choice` is a number whose bits say which; 0: all as they were, UINT64_MAX: all as
 * now. Journals lose nothing here: what is synced of them stands in tests/unit/test_journal.c. */
void fixture_cut_power(const struct fixture *fixture, uint64_t choice);

/* The host's state, with everything random masked, as canonical text. Free it. */
char *fixture_state(const struct fixture *fixture);

/* How many changes a plan made now would show; -1 if it has problems. */
int fixture_pending(struct fixture *fixture);

/* Open journals. */
size_t fixture_open_journals(const struct fixture *fixture);

#endif
