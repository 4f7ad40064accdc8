/*
 * retention.h: how much of finished transactions is kept (docs/journal.md).
 *
 *	struct cb_retention keep = {.max_age = 90 * 86400, .max_bytes = 64 << 20};
 *	r = cb_journal_sweep(state_dir, &keep, cb_clock_now(), &swept, err);
 *
 * After the work of a run, when its own transactions are over. Only what stands in closed/ is
 * looked at: an open transaction is never touched. Oldest first, one file at a time: a sweep that
 * dies in its middle leaves a shorter history and nothing else, and two at the same time do no
 * harm.
 */
#ifndef CB_JOURNAL_RETENTION_H
#define CB_JOURNAL_RETENTION_H

#include <stdint.h>

#include "reconciler/base/error.h"

struct cb_retention {
	uint64_t max_age;   /* seconds since a transaction was finished */
	uint64_t max_bytes; /* of all together, as they lie on the disk */
};

/* Removes what is too old, then the oldest until the rest is small enough. `swept` counts what was
 * removed, also where this fails. A state directory that is not there is fine. */
CB_CHECKED int cb_journal_sweep(const char *state_dir, const struct cb_retention *keep, int64_t now,
				unsigned *swept, struct cb_error *err);

#endif
