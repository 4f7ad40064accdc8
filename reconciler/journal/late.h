/*
 * late.h: transactions that were taken back after a crash, for what a request of the dead run may
 * still bring (docs/journal.md).
 *
 *	cb_late_note(state_dir, id, err)        before such a transaction is settled
 *	cb_late_list(state_dir, now, &arena, &late, err)
 *	cb_late_forget(state_dir, id, err)      once nothing can come any more
 *
 * A note is an empty file. One that is lost costs a look, one too many costs nothing: none of them
 * says what is on the host.
 */
#ifndef CB_JOURNAL_LATE_H
#define CB_JOURNAL_LATE_H

#include <stdint.h>

#include "reconciler/base/arena.h"
#include "reconciler/base/error.h"

struct cb_late {
	const char *id;
	int64_t age; /* seconds since it was noted; negative if the clock was set back */
};

struct cb_lates {
	struct cb_late *items;
	size_t len, cap;
};

/* Durable on return. Noted twice is noted once. */
CB_CHECKED int cb_late_note(const char *state_dir, const char *id, struct cb_error *err);

/* A directory that is not there is an empty list. */
CB_CHECKED int cb_late_list(const char *state_dir, int64_t now, struct cb_arena *arena,
			    struct cb_lates *out, struct cb_error *err);

/* One that is not there is fine. */
CB_CHECKED int cb_late_forget(const char *state_dir, const char *id, struct cb_error *err);

#endif
