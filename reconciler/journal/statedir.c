#include "reconciler/journal/statedir.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reconciler/base/arena.h"
#include "reconciler/base/fs.h"

static int unusable(const char *path, int errnum, struct cb_error *err)
{
	(void)cb_error_errno(err, errnum, "state directory '%s' cannot be used", path);
	return cb_error_hint(err, "mend it, or name another one with --state-dir");
}

static int check(const char *path, struct cb_error *err)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		if (errno == ENOENT)
			return cb_error_set(err, CB_E_NOT_FOUND, "'%s' does not exist", path);
		return unusable(path, errno, err);
	}
	if (!S_ISDIR(st.st_mode))
		return unusable(path, ENOTDIR, err);
	if (st.st_uid != geteuid()) {
		(void)cb_error_set(err, CB_E_DENIED,
				   "state directory '%s' belongs to user %u, this is user %u", path,
				   (unsigned)st.st_uid, (unsigned)geteuid());
		return cb_error_hint(err, "run clonebox as its owner, or give another --state-dir");
	}
	if (st.st_mode & (S_IWGRP | S_IWOTH)) {
		(void)cb_error_set(err, CB_E_DENIED,
				   "state directory '%s' can be written to by others (mode %04o)",
				   path, (unsigned)(st.st_mode & 07777));
		return cb_error_hint(err, "chmod go-w '%s'", path);
	}
	return 0;
}

int cb_statedir_check(const char *state_dir, const char *sub, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	int r;

	if ((r = check(state_dir, err)) < 0)
		return r;
	return check(cb_arena_printf(&arena, "%s/%s", state_dir, sub), err);
}

int cb_statedir_make(const char *state_dir, const char *sub, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	int r;

	/* The state directory first: nothing is made inside one that is refused. */
	if ((r = cb_fs_mkdirs(state_dir, err)) < 0 || (r = check(state_dir, err)) < 0)
		return r;
	if ((r = cb_fs_mkdirs(cb_arena_printf(&arena, "%s/%s", state_dir, sub), err)) < 0)
		return r;
	return cb_statedir_check(state_dir, sub, err);
}
