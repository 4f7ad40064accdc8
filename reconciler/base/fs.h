/*
 * fs.h: files, with the durability that each call promises written beside it.
 *
 * Every function loops over short writes and EINTR. A failed fsync is an error that is never
 * retried: what the kernel dropped does not come back. Modes are 0700 for directories, 0600 for
 * files: what clonebox writes is its own.
 */
#ifndef CB_BASE_FS_H
#define CB_BASE_FS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "reconciler/base/error.h"
#include "reconciler/base/str.h"

/* For `cb_auto_fd int fd = -1;` */
void cb_fd_release(int *fd);

#define cb_auto_fd CB_CLEANUP(cb_fd_release)

/* Makes the directory and its parents; each new entry is synced into its parent. */
CB_CHECKED int cb_fs_mkdirs(const char *path, struct cb_error *err);

/* Reads a whole file of at most `max` bytes, appending to `out`. CB_E_NOT_FOUND if absent. */
CB_CHECKED int cb_fs_read(const char *path, size_t max, struct cb_str *out, struct cb_error *err);

/* Reads a descriptor to its end. `what` names it in errors. */
CB_CHECKED int cb_fs_read_fd(int fd, const char *what, size_t max, struct cb_str *out,
			     struct cb_error *err);

/* Old content or new content, never between, and durable on return: temporary file, fsync,
 * rename, fsync of the directory. The temporary name is "PATH.new", so that a killed run leaves one
 * at most: the caller sees to it that nobody else writes the same file. */
CB_CHECKED int cb_fs_write_atomic(const char *path, const void *bytes, size_t len,
				  struct cb_error *err);

/* A file of a person's: what cb_fs_write_atomic does, but the file that is there keeps its mode and
 * owner, a symbolic link stays one, and the temporary file has a name that is nobody else's.
 * CB_E_CONFLICT if it does not hold `old` any more; CB_E_INVALID if it is no regular file. */
CB_CHECKED int cb_fs_replace(const char *path, const struct cb_str *old, const void *bytes,
			     size_t len, struct cb_error *err);

/* Makes a file of that mode, durable on return. CB_E_EXISTS if there is anything of that name. */
CB_CHECKED int cb_fs_create(const char *path, mode_t mode, const void *bytes, size_t len,
			    struct cb_error *err);

/* Writes all of it at `offset`; not durable before cb_fs_sync. */
CB_CHECKED int cb_fs_pwrite(int fd, const char *what, const void *bytes, size_t len, off_t offset,
			    struct cb_error *err);

/* fdatasync. */
CB_CHECKED int cb_fs_sync(int fd, const char *what, struct cb_error *err);

/* Makes names in the directory durable. */
CB_CHECKED int cb_fs_sync_dir(const char *dir, struct cb_error *err);

/* Makes the name of `path` in its directory durable, whoever gave it. Where that directory may not
 * be read it cannot be asked for: then nothing is done. */
CB_CHECKED int cb_fs_sync_name(const char *path, struct cb_error *err);

/* Renames within one file system, and syncs the directory of the new name (and of the old, where
 * they differ). */
CB_CHECKED int cb_fs_rename(const char *from, const char *to, struct cb_error *err);

/* Removes a file; one that is not there is fine. */
CB_CHECKED int cb_fs_unlink(const char *path, struct cb_error *err);

#endif
