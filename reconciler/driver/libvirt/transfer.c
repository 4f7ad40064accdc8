#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/digest.h"

enum { CHUNK = 1024 * 1024 };

/* For memory of one chunk. */
static void release_chunk(unsigned char **chunk)
{
	free(*chunk);
	*chunk = NULL;
}

#define auto_chunk CB_CLEANUP(release_chunk)

static unsigned char *new_chunk(void)
{
	unsigned char *chunk = calloc(1, CHUNK);

	if (!chunk)
		cb_oom();
	return chunk;
}

/* Sending. ------------------------------------------------------------------------------------- */

struct sender {
	struct cb_libvirt *host;
	virStreamPtr stream;
	bool sparse;   /* the volume reads as zeros already */
	uint64_t hole; /* zeros that were not sent yet */
};

static bool is_zero(const unsigned char *bytes, size_t len)
{
	return len > 0 && bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0;
}

static int send_hole(struct sender *to, struct cb_error *err)
{
	if (to->hole == 0)
		return 0;
	if (virStreamSendHole(to->stream, (long long)to->hole, 0) < 0)
		return cb_libvirt_error(to->host, err, "cannot send");
	to->hole = 0;
	return 0;
}

static int send_bytes(struct sender *to, const unsigned char *bytes, size_t len,
		      struct cb_error *err)
{
	int r;

	if (to->sparse && is_zero(bytes, len)) {
		to->hole += len;
		return 0;
	}
	if ((r = send_hole(to, err)) < 0)
		return r;
	while (len > 0) {
		int sent = virStreamSend(to->stream, (const char *)bytes, len);

		if (sent < 0)
			return cb_libvirt_error(to->host, err, "cannot send");
		cb_watch_moved(to->host->watch);
		bytes += sent;
		len -= (size_t)sent;
	}
	return 0;
}

/* Reads a whole chunk unless the source ends. */
static int fill(const struct cb_upload *upload, unsigned char *chunk, size_t *len,
		struct cb_error *err)
{
	*len = 0;
	while (*len < CHUNK) {
		int n = upload->read(upload->ctx, chunk + *len, CHUNK - *len, err);

		if (n < 0)
			return n;
		if (n == 0)
			return 0;
		*len += (size_t)n;
	}
	return 0;
}

static int send_all(struct sender *to, const struct cb_upload *upload, struct cb_error *err)
{
	auto_chunk unsigned char *chunk = new_chunk();
	uint64_t done = 0;
	size_t len;
	int r;

	do {
		/* The source has all the time that it wants. */
		cb_watch_hold(to->host->watch);
		r = fill(upload, chunk, &len, err);
		cb_watch_moved(to->host->watch);
		if (r < 0 || (r = send_bytes(to, chunk, len, err)) < 0)
			return r;
		done += len;
		if (upload->progress)
			upload->progress(upload->ctx, done);
	} while (len == CHUNK && done < upload->size);
	if (upload->taken)
		*upload->taken = done;
	else if (done != upload->size)
		return cb_error_set(err, CB_E_IO,
				    "the source has %" PRIu64 " bytes where %" PRIu64
				    " were expected",
				    done, upload->size);
	return send_hole(to, err);
}

/* Whether the stream gives nothing but holes, as far as it goes. */
static int gives_holes(struct cb_libvirt *host, virStreamPtr stream, bool *out,
		       struct cb_error *err)
{
	char byte;

	for (*out = true;;) {
		int n = virStreamRecvFlags(stream, &byte, sizeof(byte),
					   VIR_STREAM_RECV_STOP_AT_HOLE);
		long long hole = 0;

		if (n == 0)
			return 0;
		if (n == -3 && virStreamRecvHole(stream, &hole, 0) == 0)
			continue;
		if (n < 0)
			return cb_libvirt_error(host, err, "cannot receive");
		*out = false;
		return 0;
	}
}

/* Whether nothing was ever written where the upload goes: the host knows of holes only. */
static int is_hole(struct cb_libvirt *host, virStorageVolPtr volume, const struct cb_upload *upload,
		   bool *out, struct cb_error *err)
{
	cb_auto_stream virStreamPtr stream = virStreamNew(host->conn, 0);
	int r;

	if (!stream || virStorageVolDownload(volume, stream, upload->offset, upload->size,
					     VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM) < 0)
		return cb_libvirt_error(host, err, "cannot look for holes");
	r = gives_holes(host, stream, out, err);
	/* There may be more of it, which nobody wants. */
	if (r < 0 || !*out)
		(void)virStreamAbort(stream);
	else if (virStreamFinish(stream) < 0)
		r = cb_libvirt_error(host, err, "cannot look for holes");
	return r;
}

/* Whether holes may be sent in place of zeros. libvirt does not clear what it skips, so nothing
 * must ever have been written there; and it cuts the file off where a hole ends. */
static int may_be_sparse(struct cb_libvirt *host, virStorageVolPtr volume,
			 const struct cb_upload *upload, bool *out, struct cb_error *err)
{
	virStorageVolInfo info;

	*out = false;
	if (upload->keep)
		return 0;
	if (virStorageVolGetInfo(volume, &info) < 0)
		return cb_libvirt_error(host, err, "cannot read a volume's size");
	*out = info.allocation == 0;
	return *out || upload->offset == 0 ? 0 : is_hole(host, volume, upload, out, err);
}

static int upload_to(struct sender *to, virStorageVolPtr volume, const struct cb_upload *upload,
		     struct cb_error *err)
{
	unsigned flags = to->sparse ? VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM : 0;
	int r;

	if (virStorageVolUpload(volume, to->stream, upload->offset, upload->size, flags) < 0)
		return cb_libvirt_error(to->host, err, "cannot begin");
	if ((r = send_all(to, upload, err)) < 0) {
		(void)virStreamAbort(to->stream);
		return r;
	}
	/* Only now does the host say whether all of it was written. */
	if (virStreamFinish(to->stream) < 0)
		return cb_libvirt_error(to->host, err, "cannot finish");
	return 0;
}

int cb_libvirt_volume_write(struct cb_driver *driver, const char *pool, const char *name,
			    const struct cb_upload *upload, struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_volume virStorageVolPtr volume = NULL;
	cb_auto_stream virStreamPtr stream = NULL;
	struct sender to = {.host = host};
	int r;

	if ((r = cb_volume_lookup(host, pool, name, &volume, err)) < 0 ||
	    (r = may_be_sparse(host, volume, upload, &to.sparse, err)) < 0)
		return r;
	to.stream = stream = virStreamNew(host->conn, 0);
	if (!stream)
		return cb_libvirt_error(host, err, "cannot write volume '%s'", name);
	r = upload_to(&to, volume, upload, err);
	return r < 0 ? cb_error_wrap(err, "writing volume '%s'", name) : 0;
}

/* Receiving. ----------------------------------------------------------------------------------- */

static void add_zeros(struct cb_digest *digest, const unsigned char *zeros, uint64_t len)
{
	while (len > 0) {
		size_t part = len < CHUNK ? (size_t)len : CHUNK;

		cb_digest_add(digest, zeros, part);
		len -= part;
	}
}

/* Digests what the stream gives, at most the extent's size, and says how much that was. */
static int receive(struct cb_libvirt *host, virStreamPtr stream, struct cb_digest *digest,
		   const struct cb_extent *extent, uint64_t *done, struct cb_error *err)
{
	const uint64_t size = extent->size;
	auto_chunk unsigned char *chunk = new_chunk();
	auto_chunk unsigned char *zeros = new_chunk();

	for (*done = 0;;) {
		int n = virStreamRecvFlags(stream, (char *)chunk, CHUNK,
					   VIR_STREAM_RECV_STOP_AT_HOLE);
		long long hole = 0;

		cb_watch_moved(host->watch);
		if (n == 0)
			return 0;
		if (extent->interrupted && *extent->interrupted)
			return cb_error_set(err, CB_E_INTERRUPTED, "interrupted");
		if (n == -3 && virStreamRecvHole(stream, &hole, 0) == 0 && hole >= 0 &&
		    (uint64_t)hole <= size - *done) {
			add_zeros(digest, zeros, (uint64_t)hole);
			*done += (uint64_t)hole;
			continue;
		}
		if (n < 0 || (uint64_t)n > size - *done)
			return cb_libvirt_error(host, err, "cannot receive");
		cb_digest_add(digest, chunk, (size_t)n);
		*done += (uint64_t)n;
	}
}

static int digest_from(struct cb_libvirt *host, virStreamPtr stream, virStorageVolPtr volume,
		       const struct cb_extent *extent, struct cb_digest *digest,
		       struct cb_error *err)
{
	uint64_t done;
	int r;

	if (virStorageVolDownload(volume, stream, extent->offset, extent->size,
				  VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM) < 0)
		return cb_libvirt_error(host, err, "cannot begin");
	if ((r = receive(host, stream, digest, extent, &done, err)) < 0) {
		(void)virStreamAbort(stream);
		return r;
	}
	if (virStreamFinish(stream) < 0)
		return cb_libvirt_error(host, err, "cannot finish");
	if (done != extent->size)
		return cb_error_set(err, CB_E_CONFLICT, "it has %" PRIu64 " bytes, not %" PRIu64,
				    extent->offset + done, extent->offset + extent->size);
	return 0;
}

/* libvirt reads zeros behind the end of a file, if it is to begin there. */
static int check_length(struct cb_libvirt *host, virStorageVolPtr volume,
			const struct cb_extent *extent, struct cb_error *err)
{
	virStorageVolInfo info;

	if (extent->offset == 0)
		return 0;
	if (virStorageVolGetInfoFlags(volume, &info, VIR_STORAGE_VOL_GET_PHYSICAL) < 0)
		return cb_libvirt_error(host, err, "cannot read a volume's size");
	if (extent->size > info.allocation || extent->offset > info.allocation - extent->size)
		return cb_error_set(err, CB_E_CONFLICT, "it has %llu bytes, not %" PRIu64,
				    info.allocation, extent->offset + extent->size);
	return 0;
}

int cb_libvirt_volume_digest(struct cb_driver *driver, const char *pool, const char *name,
			     const struct cb_extent *extent, char *out, struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_volume virStorageVolPtr volume = NULL;
	cb_auto_stream virStreamPtr stream = NULL;
	struct cb_digest *digest;
	int r = cb_volume_lookup(host, pool, name, &volume, err);

	if (r < 0)
		return r;
	stream = virStreamNew(host->conn, 0);
	if (!stream)
		return cb_libvirt_error(host, err, "cannot read volume '%s'", name);
	if ((r = check_length(host, volume, extent, err)) < 0)
		return cb_error_wrap(err, "reading volume '%s'", name);
	digest = cb_digest_new();
	/* To libvirt a length of 0 means all there is. */
	r = extent->size > 0 ? digest_from(host, stream, volume, extent, digest, err) : 0;
	if (r < 0) {
		cb_digest_free(digest);
		return cb_error_wrap(err, "reading volume '%s'", name);
	}
	cb_digest_finish(digest, out);
	return 0;
}
