#include "reconciler/storage/image.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reconciler/base/fs.h"

/* The qcow2 header (QEMU, docs/interop/qcow2.txt): big-endian fields at fixed offsets. */
enum {
	QCOW2_VERSION = 4,
	QCOW2_BACKING_OFFSET = 8,
	QCOW2_SIZE = 24,
	QCOW2_CRYPT = 32,
	QCOW2_INCOMPATIBLE = 72,
	QCOW2_HEADER_V2 = 72,
	QCOW2_HEADER_V3 = 104,
	QCOW2_INCOMPATIBLE_DATA_FILE = 1 << 2,
	/* dirty, corrupt, data file, compression type, extended L2 */
	QCOW2_INCOMPATIBLE_KNOWN = 0x1f,
	QCOW2_INCOMPATIBLE_CORRUPT = 1 << 1,
};

static uint64_t big_endian(const unsigned char *p, size_t bytes)
{
	uint64_t value = 0;

	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | p[i];
	return value;
}

static int qcow2_header(const unsigned char *head, size_t len, const char *what, uint64_t *capacity,
			struct cb_error *err)
{
	uint64_t version = len >= QCOW2_HEADER_V2 ? big_endian(head + QCOW2_VERSION, 4) : 0;
	uint64_t incompatible = 0;

	if ((version != 2 && version != 3) || (version == 3 && len < QCOW2_HEADER_V3))
		return cb_error_set(err, CB_E_INVALID, "image '%s' has a damaged qcow2 header",
				    what);
	if (version == 3)
		incompatible = big_endian(head + QCOW2_INCOMPATIBLE, 8);
	if (big_endian(head + QCOW2_BACKING_OFFSET, 8) != 0) {
		(void)cb_error_set(err, CB_E_INVALID,
				   "image '%s' is an overlay on another file, which would not come "
				   "along",
				   what);
		return cb_error_hint(err, "flatten it: qemu-img convert -O qcow2 '%s' flat.qcow2",
				     what);
	}
	if (incompatible & QCOW2_INCOMPATIBLE_DATA_FILE)
		return cb_error_set(err, CB_E_INVALID,
				    "image '%s' keeps its data in another file, which would not "
				    "come along",
				    what);
	if (incompatible & QCOW2_INCOMPATIBLE_CORRUPT)
		return cb_error_set(err, CB_E_INVALID, "image '%s' is marked as corrupt", what);
	if (incompatible & ~(uint64_t)QCOW2_INCOMPATIBLE_KNOWN)
		return cb_error_set(err, CB_E_INVALID,
				    "image '%s' uses qcow2 features that are not known here", what);
	if (big_endian(head + QCOW2_CRYPT, 4) != 0)
		return cb_error_set(err, CB_E_INVALID, "image '%s' is encrypted", what);
	*capacity = big_endian(head + QCOW2_SIZE, 8);
	return 0;
}

int cb_image_header(const unsigned char *head, size_t len, const char *what, uint64_t size,
		    const char **format, uint64_t *capacity, struct cb_error *err)
{
	static const unsigned char qcow2[] = {'Q', 'F', 'I', 0xfb};

	static const struct {
		const char *magic, *name;
	} others[] = {{"KDMV", "VMDK"},    {"# Disk DescriptorFile", "VMDK"},
		      {"conectix", "VHD"}, {"vhdxfile", "VHDX"},
		      {"<<< ", "VDI"},     {"QED", "QED"}};

	if (len >= sizeof(qcow2) && memcmp(head, qcow2, sizeof(qcow2)) == 0) {
		*format = "qcow2";
		return qcow2_header(head, len, what, capacity, err);
	}
	for (size_t i = 0; i < CB_COUNT(others); i++) {
		size_t magic = strlen(others[i].magic);

		if (len >= magic && memcmp(head, others[i].magic, magic) == 0) {
			(void)cb_error_set(err, CB_E_INVALID,
					   "image '%s' is %s; clonebox takes qcow2 and raw", what,
					   others[i].name);
			return cb_error_hint(
				err, "convert it: qemu-img convert -O qcow2 '%s' image.qcow2",
				what);
		}
	}
	*format = "raw";
	*capacity = size;
	return 0;
}

static int digest_file(int fd, const char *path, struct cb_image *image, struct cb_arena *arena,
		       const struct cb_progress *progress, struct cb_error *err)
{
	enum { BUFFER = 1 << 20 };

	unsigned char *buffer = cb_arena_alloc(arena, BUFFER);
	struct cb_digest *digest = cb_digest_new();
	char *text = cb_arena_alloc(arena, CB_SHA256_HEX);
	uint64_t done = 0;
	ssize_t n;

	while ((n = read(fd, buffer, BUFFER)) != 0) {
		if (n < 0 && errno == EINTR && !(progress->interrupted && *progress->interrupted))
			continue;
		if (n < 0) {
			cb_digest_free(digest);
			return cb_error_errno(err, errno, "cannot read '%s'", path);
		}
		cb_digest_add(digest, buffer, (size_t)n);
		done += (uint64_t)n;
		if (progress->report)
			progress->report(progress->ctx, "reading image", done, image->size);
		if (progress->interrupted && *progress->interrupted) {
			cb_digest_free(digest);
			return cb_error_set(err, CB_E_INTERRUPTED, "interrupted");
		}
	}
	cb_digest_finish(digest, text);
	image->digest = text;
	if (done != image->size)
		return cb_error_set(err, CB_E_CONFLICT, "'%s' changed while it was read", path);
	return 0;
}

int cb_image_inspect(struct cb_arena *arena, const char *path, struct cb_image *out,
		     const struct cb_progress *progress, struct cb_error *err)
{
	cb_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	cb_auto_arena struct cb_arena scratch = {0};
	unsigned char head[512];
	char real[PATH_MAX];
	struct stat st;
	ssize_t len;
	int r;

	if (fd < 0 && errno == ENOENT)
		return cb_error_set(err, CB_E_NOT_FOUND, "file '%s' does not exist", path);
	if (fd < 0)
		return cb_error_errno(err, errno, "cannot open '%s'", path);
	if (fstat(fd, &st) < 0)
		return cb_error_errno(err, errno, "cannot look at '%s'", path);
	if (!S_ISREG(st.st_mode))
		return cb_error_set(err, CB_E_INVALID, "'%s' is not a regular file", path);
	if (st.st_size == 0)
		return cb_error_set(err, CB_E_INVALID, "'%s' is empty", path);
	if (!realpath(path, real))
		return cb_error_errno(err, errno, "cannot resolve '%s'", path);
	out->file = cb_arena_strdup(arena, real);
	out->size = (uint64_t)st.st_size;
	len = pread(fd, head, sizeof(head), 0);
	if (len < 0)
		return cb_error_errno(err, errno, "cannot read '%s'", path);
	r = cb_image_header(head, (size_t)len, path, out->size, &out->format, &out->capacity, err);
	if (r < 0)
		return r;
	r = digest_file(fd, path, out, &scratch, progress, err);
	out->digest = cb_arena_strdup(arena, out->digest);
	return r;
}
