/*
 * lock.h: who may change what, among the runs that share a state directory.
 *
 * A lock is an open-file-description lock (F_OFD_SETLK) on a file below STATE/locks that is never
 * removed: the kernel releases it when its holder is gone, however it went, so there are no stale
 * locks. The owner record in the file is only for the message.
 *
 * Order, against deadlock: take locks sorted by name, shared host lock first.
 */
#ifndef CB_JOURNAL_LOCK_H
#define CB_JOURNAL_LOCK_H

#include "reconciler/base/arena.h"
#include "reconciler/base/error.h"

enum cb_lock_mode { CB_LOCK_SHARED, CB_LOCK_EXCLUSIVE };

struct cb_lock {
	int fd; /* -1: not held */
};

/* `name` may hold any characters (it is turned into a file name that cannot leave the directory and
 * cannot meet another's: unsafe characters are escaped, long names end in a digest).
 * Waits up to timeout_ms (0: not at all); CB_E_BUSY then, naming the holder: pid, command, since.
 * `purpose` says what for, e.g. "apply of vm 'dev'". */
CB_CHECKED int cb_lock_take(const char *state_dir, const char *name, enum cb_lock_mode mode,
			    unsigned timeout_ms, const char *purpose, struct cb_lock *out,
			    struct cb_error *err);

/* Who holds the lock in any mode, in words for a message; NULL if nobody does. Takes nothing, and
 * makes nothing. */
CB_CHECKED int cb_lock_holder(const char *state_dir, const char *name, struct cb_arena *arena,
			      const char **out, struct cb_error *err);

void cb_lock_release(struct cb_lock *lock);

#define cb_auto_lock CB_CLEANUP(cb_lock_release)

#endif
