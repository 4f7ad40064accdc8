#include "reconciler/journal/late.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reconciler/base/fs.h"
#include "reconciler/journal/statedir.h"

static const char *path_of(struct cb_arena *arena, const char *state_dir, const char *id)
{
	return cb_arena_printf(arena, "%s/journal/late/%s", state_dir, id);
}

int cb_late_note(const char *state_dir, const char *id, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	int r = cb_statedir_make(state_dir, "journal/late", err);

	if (r == 0)
		r = cb_fs_create(path_of(&arena, state_dir, id), 0600, "", 0, err);
	if (r == -CB_E_EXISTS) {
		cb_error_release(err);
		return 0;
	}
	return r;
}

static int add(struct cb_arena *arena, const char *state_dir, const char *id, int64_t now,
	       struct cb_lates *out, struct cb_error *err)
{
	const char *path = path_of(arena, state_dir, id);
	struct stat st;

	if (*id == '.')
		return 0;
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 /* another run has just forgotten it */
				       : cb_error_errno(err, errno, "cannot look at '%s'", path);
	cb_vec_push(arena, out,
		    ((struct cb_late){cb_arena_strdup(arena, id), now - st.st_mtim.tv_sec}));
	return 0;
}

int cb_late_list(const char *state_dir, int64_t now, struct cb_arena *arena, struct cb_lates *out,
		 struct cb_error *err)
{
	const char *path = cb_arena_printf(arena, "%s/journal/late", state_dir);
	struct dirent *entry;
	DIR *dir = opendir(path);
	int r = 0;

	if (!dir && errno == ENOENT)
		return 0;
	if (!dir)
		return cb_error_errno(err, errno, "cannot read '%s'", path);
	while (r == 0 && (entry = readdir(dir)))
		r = add(arena, state_dir, entry->d_name, now, out, err);
	(void)closedir(dir);
	return r;
}

int cb_late_forget(const char *state_dir, const char *id, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *path = path_of(&arena, state_dir, id);

	if (unlink(path) < 0 && errno != ENOENT)
		return cb_error_errno(err, errno, "cannot remove '%s'", path);
	return 0;
}
