/* What was uploaded into the files of a fake host: one file each, in PATH.bytes/ beside the state.
 */
#include "reconciler/driver/fake/fake_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reconciler/base/digest.h"
#include "reconciler/base/fs.h"

enum { BUFFER = 64 * 1024 };

char *cb_fake_bytes_path(struct cb_arena *arena, struct cb_driver *driver, const char *directory,
			 const char *name)
{
	char *key = cb_arena_printf(arena, "%s/%s", directory, name);

	for (char *p = key; *p; p++)
		*p = *p == '/' ? '%' : *p;
	return cb_arena_printf(arena, "%s.bytes/%s", cb_fake_of(driver)->path, key);
}

static const char *directory_of(struct cb_arena *arena, const char *path)
{
	return cb_arena_strndup(arena, path, (size_t)(strrchr(path, '/') - path));
}

static int open_to_write(const char *path, int *fd, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};

	(void)mkdir(directory_of(&arena, path), 0700);
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return *fd < 0 ? cb_error_errno(err, errno, "cannot open '%s'", path) : 0;
}

int cb_fake_bytes_write(const char *path, const struct cb_upload *upload, uint64_t *end,
			struct cb_error *err)
{
	unsigned char buffer[BUFFER];
	cb_auto_fd int fd = -1;
	uint64_t done = 0;
	struct stat st;
	int n, r = open_to_write(path, &fd, err);

	if (r < 0)
		return r;
	while ((n = upload->read(upload->ctx, buffer, sizeof(buffer), err)) > 0) {
		r = cb_fs_pwrite(fd, path, buffer, (size_t)n, (off_t)(upload->offset + done), err);
		if (r < 0)
			return r;
		done += (uint64_t)n;
		if (upload->progress)
			upload->progress(upload->ctx, done);
	}
	/* As a host may: after a failure nothing is known of what is behind. */
	if ((!upload->keep || n < 0) && ftruncate(fd, (off_t)(upload->offset + done)) < 0)
		return cb_error_errno(err, errno, "cannot shorten '%s'", path);
	if (fstat(fd, &st) < 0)
		return cb_error_errno(err, errno, "cannot look at '%s'", path);
	*end = (uint64_t)st.st_size;
	if (upload->taken)
		*upload->taken = done;
	else if (n >= 0 && done != upload->size)
		return cb_error_set(err, CB_E_IO,
				    "the source has %llu bytes where %llu were expected",
				    (unsigned long long)done, (unsigned long long)upload->size);
	return n;
}

int cb_fake_bytes_digest(const char *path, const struct cb_extent *extent, char *out,
			 struct cb_error *err)
{
	cb_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t left = extent->size, at = extent->offset;
	struct cb_digest *digest;

	if (fd < 0 && errno == ENOENT)
		return cb_error_set(err, CB_E_NOT_FOUND, "there is no '%s'", path);
	if (fd < 0)
		return cb_error_errno(err, errno, "cannot open '%s'", path);
	digest = cb_digest_new();
	while (left > 0) {
		unsigned char buffer[BUFFER] = {0};
		size_t len = left < BUFFER ? (size_t)left : BUFFER;

		if (pread(fd, buffer, len, (off_t)at) < 0) {
			cb_digest_free(digest);
			return cb_error_errno(err, errno, "cannot read '%s'", path);
		}
		cb_digest_add(digest, buffer, len);
		at += len;
		left -= len;
	}
	cb_digest_finish(digest, out);
	return 0;
}

int cb_fake_bytes_remove(const char *path, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	int r = cb_fs_unlink(path, err);

	/* The directory goes with the last of them. */
	if (r == 0)
		(void)rmdir(directory_of(&arena, path));
	return r;
}
