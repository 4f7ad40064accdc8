#include "reconciler/base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reconciler/base/arena.h"

void cb_fd_release(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

/* The directory that `path` stands in. */
static const char *parent_of(struct cb_arena *arena, const char *path)
{
	return dirname(cb_arena_strdup(arena, path));
}

int cb_fs_mkdirs(const char *path, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *parent = parent_of(&arena, path);
	struct stat st;
	int r;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	if (strcmp(parent, path) != 0 && (r = cb_fs_mkdirs(parent, err)) < 0)
		return r;
	if (mkdir(path, 0700) < 0) {
		int errnum = errno;

		/* Another run may have been faster. */
		if (errnum != EEXIST || stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
			return cb_error_errno(err, errnum == EEXIST ? ENOTDIR : errnum,
					      "cannot make directory '%s'", path);
	}
	return cb_fs_sync_dir(parent, err);
}

int cb_fs_read_fd(int fd, const char *what, size_t max, struct cb_str *out, struct cb_error *err)
{
	char buffer[16 * 1024];
	size_t total = 0;

	for (;;) {
		ssize_t n = read(fd, buffer, sizeof(buffer));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cb_error_errno(err, errno, "cannot read '%s'", what);
		if (n == 0)
			return 0;
		total += (size_t)n;
		if (total > max)
			return cb_error_set(err, CB_E_INVALID, "'%s' is larger than %zu bytes",
					    what, max);
		cb_str_add_bytes(out, buffer, (size_t)n);
	}
}

int cb_fs_read(const char *path, size_t max, struct cb_str *out, struct cb_error *err)
{
	cb_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return cb_error_set(err, CB_E_NOT_FOUND, "'%s' does not exist", path);
	if (fd < 0)
		return cb_error_errno(err, errno, "cannot open '%s'", path);
	return cb_fs_read_fd(fd, path, max, out, err);
}

int cb_fs_pwrite(int fd, const char *what, const void *bytes, size_t len, off_t offset,
		 struct cb_error *err)
{
	const char *p = bytes;

	while (len > 0) {
		ssize_t n = pwrite(fd, p, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cb_error_errno(err, errno, "cannot write '%s'", what);
		p += n;
		len -= (size_t)n;
		offset += n;
	}
	return 0;
}

int cb_fs_sync(int fd, const char *what, struct cb_error *err)
{
	if (fdatasync(fd) < 0)
		return cb_error_errno(err, errno, "cannot make '%s' durable", what);
	return 0;
}

int cb_fs_sync_dir(const char *dir, struct cb_error *err)
{
	cb_auto_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return cb_error_errno(err, errno, "cannot open directory '%s'", dir);
	if (fsync(fd) < 0)
		return cb_error_errno(err, errno, "cannot make directory '%s' durable", dir);
	return 0;
}

int cb_fs_sync_name(const char *path, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	int r = cb_fs_sync_dir(parent_of(&arena, path), err);

	if (r == -CB_E_DENIED)
		cb_error_release(err);
	return r == -CB_E_DENIED ? 0 : r;
}

int cb_fs_rename(const char *from, const char *to, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *from_dir = parent_of(&arena, from), *to_dir = parent_of(&arena, to);
	int r;

	if (rename(from, to) < 0)
		return cb_error_errno(err, errno, "cannot rename '%s' to '%s'", from, to);
	if ((r = cb_fs_sync_dir(to_dir, err)) < 0)
		return r;
	return strcmp(from_dir, to_dir) == 0 ? 0 : cb_fs_sync_dir(from_dir, err);
}

int cb_fs_write_atomic(const char *path, const void *bytes, size_t len, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *temporary = cb_arena_printf(&arena, "%s.new", path);
	cb_auto_fd int fd =
		open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return cb_error_errno(err, errno, "cannot write beside '%s'", path);
	r = cb_fs_pwrite(fd, temporary, bytes, len, 0, err);
	if (r == 0)
		r = cb_fs_sync(fd, temporary, err);
	if (r == 0)
		r = cb_fs_rename(temporary, path, err);
	if (r < 0)
		(void)unlink(temporary);
	return r;
}

/* Gives the temporary file the owner and the mode of the one whose place it takes. */
static int keep_owner(int fd, const struct stat *st, const char *path, struct cb_error *err)
{
	struct stat now;

	if (fstat(fd, &now) < 0)
		return cb_error_errno(err, errno, "cannot write beside '%s'", path);
	if ((now.st_uid != st->st_uid || now.st_gid != st->st_gid) &&
	    fchown(fd, st->st_uid, st->st_gid) < 0)
		return cb_error_errno(err, errno, "cannot keep the owner of '%s'", path);
	/* Behind the owner, which takes the set-user-ID bit away. */
	if (fchmod(fd, st->st_mode & 07777) < 0)
		return cb_error_errno(err, errno, "cannot keep the mode of '%s'", path);
	return 0;
}

/* Whether the file still holds `old`. */
static int check_content(const char *path, const struct cb_str *old, struct stat *st,
			 struct cb_error *err)
{
	cb_auto_fd int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	cb_auto_str struct cb_str now = {0};
	int r;

	if (fd < 0 || fstat(fd, st) < 0)
		return cb_error_errno(err, errno, "cannot read '%s'", path);
	if (!S_ISREG(st->st_mode))
		return cb_error_set(err, CB_E_INVALID, "'%s' is not a regular file", path);
	if ((size_t)st->st_size == old->len) {
		if ((r = cb_fs_read_fd(fd, path, old->len, &now, err)) < 0)
			return r;
		if (now.len == old->len &&
		    memcmp(cb_str_text(&now), cb_str_text(old), old->len) == 0)
			return 0;
	}
	return cb_error_set(err, CB_E_CONFLICT, "'%s' has changed since it was read", path);
}

static int replace(const char *path, const struct cb_str *old, const void *bytes, size_t len,
		   struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	/* Hidden: nobody takes it for a manifest. */
	char *temporary = cb_arena_printf(&arena, "%s/.clonebox-XXXXXX", parent_of(&arena, path));
	cb_auto_fd int fd = -1;
	struct stat st;
	int r = check_content(path, old, &st, err);

	if (r < 0)
		return r;
	if ((fd = mkostemp(temporary, O_CLOEXEC)) < 0)
		return cb_error_errno(err, errno, "cannot write beside '%s'", path);
	if ((r = keep_owner(fd, &st, path, err)) == 0 &&
	    (r = cb_fs_pwrite(fd, temporary, bytes, len, 0, err)) == 0 &&
	    (r = cb_fs_sync(fd, temporary, err)) == 0)
		r = cb_fs_rename(temporary, path, err);
	if (r < 0)
		(void)unlink(temporary);
	return r;
}

int cb_fs_replace(const char *path, const struct cb_str *old, const void *bytes, size_t len,
		  struct cb_error *err)
{
	struct stat st;
	char *real;
	int r;

	/* A pipe need not have a name that leads to it. */
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return cb_error_set(err, CB_E_INVALID, "'%s' is not a regular file", path);
	real = realpath(path, NULL);
	if (!real)
		return cb_error_errno(err, errno, "cannot write '%s'", path);
	r = replace(real, old, bytes, len, err);
	free(real);
	return r;
}

int cb_fs_create(const char *path, mode_t mode, const void *bytes, size_t len, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int r;

	if (fd < 0 && errno == EEXIST)
		return cb_error_set(err, CB_E_EXISTS, "'%s' is there already", path);
	if (fd < 0)
		return cb_error_errno(err, errno, "cannot make '%s'", path);
	r = fchmod(fd, mode) < 0 ? cb_error_errno(err, errno, "cannot make '%s'", path) : 0;
	if (r == 0 && (r = cb_fs_pwrite(fd, path, bytes, len, 0, err)) == 0)
		r = cb_fs_sync(fd, path, err);
	if (r == 0)
		r = cb_fs_sync_dir(parent_of(&arena, path), err);
	if (r < 0)
		(void)unlink(path);
	return r;
}

int cb_fs_unlink(const char *path, struct cb_error *err)
{
	if (unlink(path) < 0 && errno != ENOENT)
		return cb_error_errno(err, errno, "cannot remove '%s'", path);
	return 0;
}
