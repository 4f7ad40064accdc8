#include "reconciler/journal/retention.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "reconciler/base/fs.h"
#include "reconciler/journal/journal.h"

enum { BLOCK = 4096 };

struct finished {
	const char *path, *id;
	struct timespec when; /* of its last record, the close; renaming does not change it */
	uint64_t bytes;
};

static int older(const void *a, const void *b)
{
	const struct finished *x = a, *y = b;

	if (x->when.tv_sec != y->when.tv_sec)
		return x->when.tv_sec < y->when.tv_sec ? -1 : 1;
	if (x->when.tv_nsec != y->when.tv_nsec)
		return x->when.tv_nsec < y->when.tv_nsec ? -1 : 1;
	return strcmp(x->id, y->id);
}

static bool is_old(const struct finished *item, const struct cb_retention *keep, int64_t now)
{
	int64_t age = now - item->when.tv_sec;

	/* What comes from the future is new: clocks are set back as well. */
	return age >= 0 && (uint64_t)age >= keep->max_age;
}

int cb_journal_sweep(const char *state_dir, const struct cb_retention *keep, int64_t now,
		     unsigned *swept, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	CB_VEC(struct finished) all = {0};
	struct cb_journal_ids ids = {0};
	uint64_t bytes = 0;
	int r = cb_journal_list(state_dir, CB_JOURNALS_CLOSED, &arena, &ids, err);

	*swept = 0;
	if (r < 0)
		return r;
	cb_vec_each (const char *const, id, &ids) {
		struct finished item = {.id = *id};
		struct stat st;

		item.path = cb_arena_printf(&arena, "%s/journal/closed/%s.cbj", state_dir, *id);
		if (lstat(item.path, &st) < 0) {
			if (errno == ENOENT)
				continue; /* another run is sweeping, too */
			return cb_error_errno(err, errno, "cannot look at '%s'", item.path);
		}
		if (!S_ISREG(st.st_mode))
			continue;
		item.when = st.st_mtim;
		item.bytes = ((uint64_t)st.st_size + BLOCK - 1) / BLOCK * BLOCK;
		bytes += item.bytes;
		cb_vec_push(&arena, &all, item);
	}
	if (all.len)
		qsort(all.items, all.len, sizeof(*all.items), older);
	cb_vec_each (const struct finished, item, &all) {
		if (!is_old(item, keep, now) && bytes <= keep->max_bytes)
			break;
		if ((r = cb_fs_unlink(item->path, err)) < 0)
			return r;
		bytes -= item->bytes;
		(*swept)++;
	}
	/* Not synced: what a crash brings back is swept by the next run. */
	return 0;
}
