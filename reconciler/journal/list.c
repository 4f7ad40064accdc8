#include "reconciler/journal/journal_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "reconciler/base/fs.h"
#include "reconciler/journal/statedir.h"

struct found {
	const char *id;
	struct statx_timestamp born;
};

/* By the birth of the file, which finishing does not change; by its last change where the file
 * system does not know it. */
static int older(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->born.tv_sec != y->born.tv_sec)
		return x->born.tv_sec < y->born.tv_sec ? -1 : 1;
	if (x->born.tv_nsec != y->born.tv_nsec)
		return x->born.tv_nsec < y->born.tv_nsec ? -1 : 1;
	return strcmp(x->id, y->id);
}

/* NULL where the name is not that of a journal. */
static const char *id_of(struct cb_arena *arena, const char *name)
{
	cb_auto_error struct cb_error ignored = {0};
	size_t len = strlen(name);
	const char *id;

	if (len <= strlen(CB_JOURNAL_SUFFIX) ||
	    strcmp(name + len - strlen(CB_JOURNAL_SUFFIX), CB_JOURNAL_SUFFIX) != 0)
		return NULL;
	id = cb_arena_strndup(arena, name, len - strlen(CB_JOURNAL_SUFFIX));
	return cb_journal_check_id(id, &ignored) == 0 ? id : NULL;
}

static void close_dir(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

int cb_journal_list(const char *state_dir, enum cb_journal_which which, struct cb_arena *arena,
		    struct cb_journal_ids *out, struct cb_error *err)
{
	const char *sub = which == CB_JOURNALS_OPEN ? "journal" : "journal/closed";
	CB_CLEANUP(close_dir) DIR *dir = NULL;
	CB_VEC(struct found) all = {0};
	struct dirent *entry;
	int r;

	*out = (struct cb_journal_ids){0};
	if ((r = cb_statedir_check(state_dir, sub, err)) < 0) {
		if (r == -CB_E_NOT_FOUND)
			cb_error_release(err);
		return r == -CB_E_NOT_FOUND ? 0 : r;
	}
	dir = opendir(cb_arena_printf(arena, "%s/%s", state_dir, sub));
	if (!dir)
		return cb_error_errno(err, errno, "cannot read '%s/%s'", state_dir, sub);
	while (errno = 0, (entry = readdir(dir))) {
		struct found found = {.id = id_of(arena, entry->d_name)};
		struct statx st = {0};

		if (!found.id)
			continue;
		/* Gone meanwhile: another run has finished it. */
		if (statx(dirfd(dir), entry->d_name, AT_SYMLINK_NOFOLLOW, STATX_BTIME | STATX_MTIME,
			  &st) < 0 &&
		    errno == ENOENT)
			continue;
		found.born = st.stx_mask & STATX_BTIME ? st.stx_btime : st.stx_mtime;
		cb_vec_push(arena, &all, found);
	}
	if (errno)
		return cb_error_errno(err, errno, "cannot read '%s/%s'", state_dir, sub);
	if (all.len)
		qsort(all.items, all.len, sizeof(*all.items), older);
	cb_vec_each (struct found, found, &all)
		cb_vec_push(arena, out, found->id);
	return 0;
}
