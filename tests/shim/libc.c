/*
 * The libc half of the shim: the calls that change files. A name and its 64-bit twin are one
 * function on x86-64 and log under one name.
 *
 * Each wrapper asks first whether the call concerns a watched directory and could change anything
 * there; if not, it is passed on and leaves no trace.
 */
#define _GNU_SOURCE
#undef _FORTIFY_SOURCE
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#pragma GCC visibility push(default)

/* What _FORTIFY_SOURCE makes of open() without a mode; no header declares them. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dirfd, const char *path, int flags);
int __openat64_2(int dirfd, const char *path, int flags);

#pragma GCC visibility pop

#define PUBLIC __attribute__((visibility("default")))

/* clang-format off */
#define EFFECTS(X) \
	X(write) X(pwrite) X(writev) X(pwritev) X(copy_file_range) X(sendfile) X(clone) \
	X(ftruncate) X(truncate) X(fallocate) X(posix_fallocate) \
	X(fsync) X(fdatasync) X(syncfs) X(sync) X(sync_file_range) \
	X(open) X(fopen) X(mkstemp) X(mkdtemp) X(mkdir) \
	X(rename) X(link) X(symlink) X(unlink) X(rmdir) X(remove) X(chmod) X(fchmod)
/* clang-format on */

#define ROW(n) static struct cb_shim_row row_##n = {.name = #n, .class = CB_SHIM_libc};
EFFECTS(ROW)
#undef ROW

static struct cb_shim_row *const rows[] = {
#define ROW(n) &row_##n,
	EFFECTS(ROW)
#undef ROW
};

struct cb_shim_row *cb_shim_libc_row(const char *name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strcmp(rows[i]->name, name))
			return rows[i];
	return NULL;
}

/* ---- does it concern us? ---- */

static bool below(const char *path)
{
	for (size_t i = 0; i < cb_shim.n_prefixes; i++) {
		size_t n = strlen(cb_shim.prefix[i]);
		if (!strncmp(path, cb_shim.prefix[i], n) && (path[n] == '/' || path[n] == '\0'))
			return true;
	}
	return false;
}

static bool watching(void)
{
	return cb_shim.n_prefixes && cb_shim_watching();
}

static bool path_concerns(char *detail, int dirfd, const char *path)
{
	return watching() && cb_shim_canonical(dirfd, path, detail) && below(detail);
}

static bool pair_concerns(char *detail, int fd1, const char *path1, int fd2, const char *path2)
{
	char a[CB_SHIM_DETAIL], b[CB_SHIM_DETAIL];

	if (!watching() || !cb_shim_canonical(fd1, path1, a) || !cb_shim_canonical(fd2, path2, b))
		return false;
	snprintf(detail, CB_SHIM_DETAIL, "%.1000s -> %.1000s", a, b);
	return below(a) || below(b);
}

/* Sockets and pipes have no path, a socket or FIFO in the directory is not data. */
static bool fd_concerns(char *detail, int fd)
{
	char link[64];
	struct stat st;
	int saved = errno;

	if (!watching())
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, detail, CB_SHIM_DETAIL - 1);
	if (n > 0)
		detail[n] = '\0';
	bool concerns = n > 0 && below(detail) && fstat(fd, &st) == 0 &&
			(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
	errno = saved;
	return concerns;
}

static bool exists(int dirfd, const char *path, off_t *size)
{
	struct stat st;
	int saved = errno;
	bool found = path && fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;

	if (found && size)
		*size = S_ISREG(st.st_mode) ? st.st_size : 0;
	errno = saved;
	return found;
}

/* Would this open create a file, or cut one? */
static bool open_changes(int dirfd, const char *path, int flags)
{
	off_t size = 0;

	if ((flags & O_TMPFILE) == O_TMPFILE)
		return true;
	if (!(flags & (O_CREAT | O_TRUNC)))
		return false;
	if (!exists(dirfd, path, &size))
		return flags & O_CREAT;
	return (flags & O_TRUNC) && !(flags & O_EXCL) && size > 0;
}

/* ---- the pattern of every wrapper ---- */

#define NEXT(name)                                                                                 \
	(__extension__({                                                                           \
		static void *slot;                                                                 \
		(__typeof__(name) *)cb_shim_next(&slot, #name);                                    \
	}))

/* Performs `call` as effect `which`; the wrapper ends here. */
#define PERFORM(which, concern, failed, call)                                                      \
	do {                                                                                       \
		struct cb_effect effect = {.row = &row_##which, .detail = (concern)};              \
		if (!cb_shim_begin(&effect))                                                       \
			return failed;                                                             \
		__typeof__(call) result = (call);                                                  \
		return cb_shim_end(&effect, result != failed) ? result : failed;                   \
	} while (0)

#define ON_FD(type, name, row, fd, parameters, arguments)                                          \
	PUBLIC type name parameters                                                                \
	{                                                                                          \
		char detail[CB_SHIM_DETAIL];                                                       \
		if (!fd_concerns(detail, fd))                                                      \
			return NEXT(name) arguments;                                               \
		PERFORM(row, detail, -1, NEXT(name) arguments);                                    \
	}

#define ON_SYNC(name, fd, parameters, arguments)                                                   \
	PUBLIC int name parameters                                                                 \
	{                                                                                          \
		char detail[CB_SHIM_DETAIL];                                                       \
		if (!fd_concerns(detail, fd))                                                      \
			return NEXT(name) arguments;                                               \
		bool drop = cb_shim_drops_sync(#name);                                             \
		PERFORM(name, detail, -1, drop ? 0 : NEXT(name) arguments);                        \
	}

#define ON_PATH(name, row, dirfd, path, could_change, parameters, arguments)                       \
	PUBLIC int name parameters                                                                 \
	{                                                                                          \
		char detail[CB_SHIM_DETAIL];                                                       \
		if (!path_concerns(detail, dirfd, path) || !(could_change))                        \
			return NEXT(name) arguments;                                               \
		PERFORM(row, detail, -1, NEXT(name) arguments);                                    \
	}

#define ON_PAIR(name, row, fd1, path1, fd2, path2, parameters, arguments)                          \
	PUBLIC int name parameters                                                                 \
	{                                                                                          \
		char detail[CB_SHIM_DETAIL];                                                       \
		if (!pair_concerns(detail, fd1, path1, fd2, path2))                                \
			return NEXT(name) arguments;                                               \
		PERFORM(row, detail, -1, NEXT(name) arguments);                                    \
	}

/* clang-format off */

/* ---- data ---- */
ON_FD(ssize_t, write, write, fd, (int fd, const void *data, size_t n), (fd, data, n))
ON_FD(ssize_t, pwrite, pwrite, fd, (int fd, const void *data, size_t n, off_t at), (fd, data, n, at))
ON_FD(ssize_t, pwrite64, pwrite, fd, (int fd, const void *data, size_t n, off64_t at), (fd, data, n, at))
ON_FD(ssize_t, writev, writev, fd, (int fd, const struct iovec *v, int n), (fd, v, n))
ON_FD(ssize_t, pwritev, pwritev, fd, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at))
ON_FD(ssize_t, pwritev64, pwritev, fd, (int fd, const struct iovec *v, int n, off64_t at), (fd, v, n, at))
ON_FD(ssize_t, pwritev2, pwritev, fd, (int fd, const struct iovec *v, int n, off_t at, int flags), (fd, v, n, at, flags))
ON_FD(ssize_t, pwritev64v2, pwritev, fd, (int fd, const struct iovec *v, int n, off64_t at, int flags), (fd, v, n, at, flags))
ON_FD(ssize_t, copy_file_range, copy_file_range, out, (int in, off64_t *from, int out, off64_t *to, size_t n, unsigned flags), (in, from, out, to, n, flags))
ON_FD(ssize_t, sendfile, sendfile, out, (int out, int in, off_t *from, size_t n), (out, in, from, n))
ON_FD(ssize_t, sendfile64, sendfile, out, (int out, int in, off64_t *from, size_t n), (out, in, from, n))

/* ---- size ---- */
ON_FD(int, ftruncate, ftruncate, fd, (int fd, off_t size), (fd, size))
ON_FD(int, ftruncate64, ftruncate, fd, (int fd, off64_t size), (fd, size))
ON_FD(int, fallocate, fallocate, fd, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n))
ON_FD(int, fallocate64, fallocate, fd, (int fd, int mode, off64_t at, off64_t n), (fd, mode, at, n))
ON_PATH(truncate, truncate, AT_FDCWD, path, true, (const char *path, off_t size), (path, size))
ON_PATH(truncate64, truncate, AT_FDCWD, path, true, (const char *path, off64_t size), (path, size))

/* ---- durability ---- */
ON_SYNC(fsync, fd, (int fd), (fd))
ON_SYNC(fdatasync, fd, (int fd), (fd))
ON_SYNC(syncfs, fd, (int fd), (fd))
ON_SYNC(sync_file_range, fd, (int fd, off64_t at, off64_t n, unsigned flags), (fd, at, n, flags))

/* ---- names ---- */
ON_PATH(mkdir, mkdir, AT_FDCWD, path, !exists(AT_FDCWD, path, NULL), (const char *path, mode_t mode), (path, mode))
ON_PATH(mkdirat, mkdir, fd, path, !exists(fd, path, NULL), (int fd, const char *path, mode_t mode), (fd, path, mode))
ON_PATH(unlink, unlink, AT_FDCWD, path, exists(AT_FDCWD, path, NULL), (const char *path), (path))
ON_PATH(unlinkat, unlink, fd, path, exists(fd, path, NULL), (int fd, const char *path, int flags), (fd, path, flags))
ON_PATH(rmdir, rmdir, AT_FDCWD, path, exists(AT_FDCWD, path, NULL), (const char *path), (path))
ON_PATH(remove, remove, AT_FDCWD, path, exists(AT_FDCWD, path, NULL), (const char *path), (path))
ON_PATH(symlink, symlink, AT_FDCWD, path, true, (const char *target, const char *path), (target, path))
ON_PATH(symlinkat, symlink, fd, path, true, (const char *target, int fd, const char *path), (target, fd, path))
ON_PAIR(rename, rename, AT_FDCWD, from, AT_FDCWD, to, (const char *from, const char *to), (from, to))
ON_PAIR(renameat, rename, fd1, from, fd2, to, (int fd1, const char *from, int fd2, const char *to), (fd1, from, fd2, to))
ON_PAIR(renameat2, rename, fd1, from, fd2, to, (int fd1, const char *from, int fd2, const char *to, unsigned flags), (fd1, from, fd2, to, flags))
ON_PAIR(link, link, AT_FDCWD, from, AT_FDCWD, to, (const char *from, const char *to), (from, to))
ON_PAIR(linkat, link, fd1, from, fd2, to, (int fd1, const char *from, int fd2, const char *to, int flags), (fd1, from, fd2, to, flags))

/* ---- permissions ---- */
ON_PATH(chmod, chmod, AT_FDCWD, path, true, (const char *path, mode_t mode), (path, mode))
ON_PATH(fchmodat, chmod, fd, path, true, (int fd, const char *path, mode_t mode, int flags), (fd, path, mode, flags))
ON_FD(int, fchmod, fchmod, fd, (int fd, mode_t mode), (fd, mode))

/* clang-format on */

/* ---- those that do not fit the pattern ---- */

/* Returns the error instead of setting errno. */
static int allocate(int (*next)(int, off_t, off_t), int fd, off_t at, off_t n)
{
	char detail[CB_SHIM_DETAIL];

	if (!fd_concerns(detail, fd))
		return next(fd, at, n);
	struct cb_effect effect = {.row = &row_posix_fallocate, .detail = detail};
	if (!cb_shim_begin(&effect))
		return cb_shim.error;
	int result = next(fd, at, n);
	return cb_shim_end(&effect, result == 0) ? result : cb_shim.error;
}

PUBLIC int posix_fallocate(int fd, off_t at, off_t n)
{
	return allocate(NEXT(posix_fallocate), fd, at, n);
}

PUBLIC int posix_fallocate64(int fd, off64_t at, off64_t n)
{
	return allocate(NEXT(posix_fallocate64), fd, at, n);
}

/* The one that is an effect without touching a watched directory: it touches all of them. */
PUBLIC void sync(void)
{
	struct cb_effect effect = {.row = &row_sync};

	if (!cb_shim_watching()) {
		NEXT(sync)();
		return;
	}
	bool drop = cb_shim_drops_sync("sync");
	if (!cb_shim_begin(&effect))
		return;
	if (!drop && !cb_shim_sync_some())
		NEXT(sync)();
	cb_shim_end(&effect, true);
}

/* A reflink is the only ioctl that changes a file's content. */
PUBLIC int ioctl(int fd, unsigned long request, ...)
{
	char detail[CB_SHIM_DETAIL];
	va_list list;

	va_start(list, request);
	void *argument = va_arg(list, void *);
	va_end(list);
	if ((request != FICLONE && request != FICLONERANGE) || !fd_concerns(detail, fd))
		return NEXT(ioctl)(fd, request, argument);
	PERFORM(clone, detail, -1, NEXT(ioctl)(fd, request, argument));
}

/*
 * All forms of open() are one system call, so one way in. A descriptor that the caller shall not
 * learn of (a late failure) is closed: its file stays, which is the point.
 */
static int do_open(int dirfd, const char *path, int flags, mode_t mode)
{
	char detail[CB_SHIM_DETAIL];

	if (!open_changes(dirfd, path, flags) || !path_concerns(detail, dirfd, path))
		return NEXT(openat)(dirfd, path, flags, mode);
	struct cb_effect effect = {.row = &row_open, .detail = detail};
	if (!cb_shim_begin(&effect))
		return -1;
	int fd = NEXT(openat)(dirfd, path, flags, mode);
	if (cb_shim_end(&effect, fd >= 0))
		return fd;
	if (fd >= 0)
		close(fd);
	errno = cb_shim.error;
	return -1;
}

#define MODE(mode, flags)                                                                          \
	mode_t mode = 0;                                                                           \
	if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) {                               \
		va_list list;                                                                      \
		va_start(list, flags);                                                             \
		mode = va_arg(list, mode_t);                                                       \
		va_end(list);                                                                      \
	}

PUBLIC int open(const char *path, int flags, ...)
{
	MODE(mode, flags)
	return do_open(AT_FDCWD, path, flags, mode);
}

PUBLIC int open64(const char *path, int flags, ...)
{
	MODE(mode, flags)
	return do_open(AT_FDCWD, path, flags, mode);
}

PUBLIC int openat(int dirfd, const char *path, int flags, ...)
{
	MODE(mode, flags)
	return do_open(dirfd, path, flags, mode);
}

PUBLIC int openat64(int dirfd, const char *path, int flags, ...)
{
	MODE(mode, flags)
	return do_open(dirfd, path, flags, mode);
}

PUBLIC int creat(const char *path, mode_t mode)
{
	return do_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

PUBLIC int creat64(const char *path, mode_t mode)
{
	return do_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int __open_2(const char *path, int flags)
{
	return do_open(AT_FDCWD, path, flags, 0);
}

int __open64_2(const char *path, int flags)
{
	return do_open(AT_FDCWD, path, flags, 0);
}

int __openat_2(int dirfd, const char *path, int flags)
{
	return do_open(dirfd, path, flags, 0);
}

int __openat64_2(int dirfd, const char *path, int flags)
{
	return do_open(dirfd, path, flags, 0);
}

static FILE *do_fopen(FILE *(*next)(const char *, const char *), const char *path, const char *mode)
{
	char detail[CB_SHIM_DETAIL];
	int flags = mode[0] == 'w' ? O_CREAT | O_TRUNC : mode[0] == 'a' ? O_CREAT : 0;

	if (strchr(mode, 'x'))
		flags |= O_EXCL;
	if (!open_changes(AT_FDCWD, path, flags) || !path_concerns(detail, AT_FDCWD, path))
		return next(path, mode);
	struct cb_effect effect = {.row = &row_fopen, .detail = detail};
	if (!cb_shim_begin(&effect))
		return NULL;
	FILE *file = next(path, mode);
	if (cb_shim_end(&effect, file != NULL))
		return file;
	if (file)
		fclose(file);
	errno = cb_shim.error;
	return NULL;
}

PUBLIC FILE *fopen(const char *path, const char *mode)
{
	return do_fopen(NEXT(fopen), path, mode);
}

PUBLIC FILE *fopen64(const char *path, const char *mode)
{
	return do_fopen(NEXT(fopen64), path, mode);
}

/* The name is made up by libc, so the log shows the template. */
#define ON_TEMPLATE(type, name, row, failed, parameters, arguments)                                \
	PUBLIC type name parameters                                                                \
	{                                                                                          \
		char detail[CB_SHIM_DETAIL];                                                       \
		if (!path_concerns(detail, AT_FDCWD, path))                                        \
			return NEXT(name) arguments;                                               \
		PERFORM(row, detail, failed, NEXT(name) arguments);                                \
	}

/* clang-format off */
ON_TEMPLATE(int, mkstemp, mkstemp, -1, (char *path), (path))
ON_TEMPLATE(int, mkstemp64, mkstemp, -1, (char *path), (path))
ON_TEMPLATE(int, mkostemp, mkstemp, -1, (char *path, int flags), (path, flags))
ON_TEMPLATE(int, mkostemp64, mkstemp, -1, (char *path, int flags), (path, flags))
ON_TEMPLATE(int, mkstemps, mkstemp, -1, (char *path, int suffix), (path, suffix))
ON_TEMPLATE(int, mkstemps64, mkstemp, -1, (char *path, int suffix), (path, suffix))
ON_TEMPLATE(int, mkostemps, mkstemp, -1, (char *path, int suffix, int flags), (path, suffix, flags))
ON_TEMPLATE(int, mkostemps64, mkstemp, -1, (char *path, int suffix, int flags), (path, suffix, flags))
ON_TEMPLATE(char *, mkdtemp, mkdtemp, NULL, (char *path), (path))
/* clang-format on */
