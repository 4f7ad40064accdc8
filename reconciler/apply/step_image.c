/*
 * image.import {pool, volume, path, file, digest, size}: a file of this machine becomes a volume.
 *
 * The volume's name is this transaction's own and nobody refers to it before the define, so a half
 * upload is harmless: it is gone on with, or deleted. A large file is sent in chunks, each of them
 * noted in the journal when it has arrived. What was noted is read back from the volume before it
 * is left out, and the source is read from its start all the same: its digest is what was planned,
 * or the whole import is taken back.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reconciler/apply/checkpoint.h"
#include "reconciler/apply/step.h"
#include "reconciler/base/digest.h"
#include "reconciler/base/fs.h"

enum { PIECE = 1024 * 1024 };

struct upload {
	struct cb_run *run;
	const struct cb_step *step;
	int fd;
	uint64_t total;
	uint64_t chunk;          /* size of the chunks; one is all of it if it is not smaller */
	struct cb_chunks there;  /* what the volume holds */
	uint64_t at, begin, end; /* in the source; of what is sent now */
	struct cb_digest *whole; /* of the source up to `at` */
	struct cb_digest *part;  /* of the chunk up to there, or NULL */
	bool stopped;            /* a person does not want to wait for the chunk's end */
};

static uint64_t size_of(const struct cb_step *step)
{
	return (uint64_t)cb_spec_int(&step->args, "size", 0);
}

/* What a probe can say without reading the volume. On the way back it does not matter how much of
 * it there is, and an upload that has not noted its last chunk is not over. */
static bool is_certainly_partial(const struct cb_run *run, const struct cb_step *step)
{
	uint64_t size = size_of(step);

	switch (cb_journal_state(run->journal, step->n)) {
	case CB_STEP_FAILED:
	case CB_STEP_UNDOING:
		return true;
	case CB_STEP_INTENDED:
		return size > cb_checkpoint_size(run, size) &&
		       !cb_checkpoint_complete(run, step, size);
	case CB_STEP_UNTOUCHED:
	case CB_STEP_DONE:
	case CB_STEP_UNDONE:
		break;
	}
	return false;
}

static int probe(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
		 struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	const struct cb_extent all = {.size = size_of(step)};
	char digest[CB_SHA256_HEX];
	struct cb_volume volume;
	int r = cb_run_volume(run, &arena, cb_step_arg(step, "pool"), cb_step_arg(step, "volume"),
			      &volume, err);

	if (r == -CB_E_NOT_FOUND) {
		*out = CB_PROBE_ABSENT;
		return 0;
	}
	if (r < 0)
		return r;
	/* A volume of the right name proves nothing: its bytes do, unless they were seen to be
	 * right. */
	if (cb_journal_state(run->journal, step->n) == CB_STEP_DONE) {
		*out = CB_PROBE_DONE;
		return 0;
	}
	if (is_certainly_partial(run, step)) {
		*out = CB_PROBE_PARTIAL;
		return 0;
	}
	r = run->driver->ops->volume_digest(run->driver, cb_step_arg(step, "pool"),
					    cb_step_arg(step, "volume"), &all, digest, err);
	/* Shorter than it should be. */
	if (r < 0 && r != -CB_E_CONFLICT)
		return r;
	if (r < 0)
		cb_error_release(err);
	*out = r == 0 && strcmp(digest, cb_step_arg(step, "digest")) == 0 ? CB_PROBE_DONE
									  : CB_PROBE_PARTIAL;
	return 0;
}

static int has_changed(const struct upload *upload, struct cb_error *err)
{
	return cb_error_set(err, CB_E_CONFLICT, "'%s' has changed since it was planned",
			    cb_step_arg(upload->step, "file"));
}

/* The next bytes of the source, at most up to `end`. */
static int take(struct upload *upload, void *buffer, size_t len, struct cb_error *err)
{
	ssize_t n;

	if (len > upload->end - upload->at)
		len = (size_t)(upload->end - upload->at);
	do
		n = read(upload->fd, buffer, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return cb_error_errno(err, errno, "cannot read '%s'",
				      cb_step_arg(upload->step, "file"));
	cb_digest_add(upload->whole, buffer, (size_t)n);
	if (upload->part)
		cb_digest_add(upload->part, buffer, (size_t)n);
	upload->at += (uint64_t)n;
	return (int)n;
}

/* Who interrupts a chunk that has begun gets what there is of it noted: at the end of a piece, so
 * that no block of the host's file system belongs to two. */
static int read_file(void *ctx, void *buffer, size_t len, struct cb_error *err)
{
	struct upload *upload = ctx;

	if (!cb_run_interrupted(upload->run))
		return take(upload, buffer, len, err);
	if (!upload->part || upload->at == upload->begin)
		return cb_error_set(err, CB_E_INTERRUPTED, "interrupted");
	if (upload->at % PIECE != 0)
		return take(upload, buffer, len, err);
	upload->stopped = true;
	return 0;
}

static void report(void *ctx, uint64_t bytes)
{
	struct upload *upload = ctx;
	const struct cb_progress *progress = &upload->run->context->progress;

	if (progress->report)
		progress->report(progress->ctx, upload->step->target, upload->begin + bytes,
				 upload->total);
}

static int write_volume(struct upload *upload, uint64_t *taken, struct cb_error *err)
{
	const struct cb_upload source = {.read = read_file,
					 .progress = report,
					 .ctx = upload,
					 .size = upload->end - upload->begin,
					 .offset = upload->begin,
					 .keep = cb_chunks_behind(&upload->there, upload->end),
					 .taken = taken};
	struct cb_driver *driver = upload->run->driver;

	return driver->ops->volume_write(driver, cb_step_arg(upload->step, "pool"),
					 cb_step_arg(upload->step, "volume"), &source, err);
}

/* Sends the chunk, or as much of it as there is time for, and notes that. */
static int send_chunk(struct upload *upload, struct cb_error *err)
{
	struct cb_chunk chunk = {.offset = upload->begin};
	int r;

	upload->part = cb_digest_new();
	r = write_volume(upload, &chunk.size, err);
	cb_digest_finish(upload->part, chunk.digest);
	upload->part = NULL;
	if (r < 0)
		return r;
	if (upload->at < upload->end && !upload->stopped)
		return has_changed(upload, err);
	if ((r = cb_checkpoint_write(upload->run, upload->step, upload->total, &chunk, err)) < 0)
		return r;
	return upload->stopped ? cb_error_set(err, CB_E_INTERRUPTED, "interrupted") : 0;
}

/* Reads what need not be sent; it must be what was sent. */
static int pass_chunk(struct upload *upload, const struct cb_chunk *chunk, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	unsigned char *buffer = cb_arena_alloc(&arena, PIECE);
	char digest[CB_SHA256_HEX];
	int n;

	upload->part = cb_digest_new();
	do
		n = cb_run_interrupted(upload->run)
			    ? cb_error_set(err, CB_E_INTERRUPTED, "interrupted")
			    : take(upload, buffer, PIECE, err);
	while (n > 0);
	cb_digest_finish(upload->part, digest);
	upload->part = NULL;
	if (n < 0)
		return n;
	return strcmp(digest, chunk->digest) == 0 ? 0 : has_changed(upload, err);
}

static int send_chunks(struct upload *upload, struct cb_error *err)
{
	int r = 0;

	while (r == 0 && upload->at < upload->total) {
		const struct cb_chunk *chunk = cb_chunks_at(&upload->there, upload->at);

		upload->begin = upload->at;
		upload->end = upload->at + (chunk ? chunk->size
						  : cb_chunks_gap(&upload->there, upload->at,
								  upload->chunk, upload->total));
		r = chunk ? pass_chunk(upload, chunk, err) : send_chunk(upload, err);
	}
	return r;
}

static int send_file(struct upload *upload, struct cb_error *err)
{
	char digest[CB_SHA256_HEX];
	int r;

	upload->whole = cb_digest_new();
	upload->end = upload->total;
	r = upload->total > upload->chunk ? send_chunks(upload, err)
					  : write_volume(upload, NULL, err);
	cb_digest_finish(upload->whole, digest);
	if (r < 0)
		return r;
	if (strcmp(digest, cb_step_arg(upload->step, "digest")) != 0)
		return has_changed(upload, err);
	return 0;
}

/* Finds out what need not be sent again. */
static int look_back(struct upload *upload, struct cb_arena *arena, struct cb_error *err)
{
	cb_auto_str struct cb_str text = {0};
	int r;

	cb_checkpoint_read(upload->run, upload->step, upload->total, arena, &upload->there);
	if (upload->there.len == 0)
		return 0;
	cb_str_add(&text, "checking the ");
	cb_str_size(&text, cb_chunks_bytes(&upload->there));
	cb_str_printf(&text, " of '%s' that were sent before", cb_step_arg(upload->step, "volume"));
	cb_run_tell(upload->run, CB_EVENT_WAITING, upload->step, text.text);
	r = cb_checkpoint_verify(upload->run, upload->step, &upload->there, err);
	if (r < 0)
		return r;
	cb_str_release(&text);
	cb_str_size(&text, cb_chunks_bytes(&upload->there));
	cb_str_add(&text, " of ");
	cb_str_size(&text, upload->total);
	cb_str_add(&text, " are there and are not sent again");
	cb_run_tell(upload->run, CB_EVENT_WAITING, upload->step, text.text);
	return 0;
}

static int open_source(struct upload *upload, struct cb_error *err)
{
	const char *file = cb_step_arg(upload->step, "file");
	struct stat st;

	upload->fd = open(file, O_RDONLY | O_CLOEXEC);
	if (upload->fd < 0 && errno == ENOENT)
		return cb_error_set(err, CB_E_FAILED, "file '%s' is gone", file);
	if (upload->fd < 0)
		return cb_error_errno(err, errno, "cannot open '%s'", file);
	if (fstat(upload->fd, &st) < 0)
		return cb_error_errno(err, errno, "cannot look at '%s'", file);
	return (uint64_t)st.st_size == upload->total ? 0 : has_changed(upload, err);
}

static int import(struct upload *upload, struct cb_arena *arena, struct cb_error *err)
{
	struct cb_run *run = upload->run;
	/* Raw and of the file's size, whatever the file holds: its bytes are copied as they are,
	 * and libvirt sees the format at the next refresh. */
	const struct cb_volume_new volume = {.pool = cb_step_arg(upload->step, "pool"),
					     .name = cb_step_arg(upload->step, "volume"),
					     .format = "raw",
					     .capacity = upload->total};
	struct cb_volume present;
	int r = open_source(upload, err);

	if (r < 0)
		return r;
	r = cb_run_volume(run, arena, volume.pool, volume.name, &present, err);
	if (r == -CB_E_NOT_FOUND)
		r = cb_run_create_volume(run, &volume, err);
	else if (r == 0 && !run->redo)
		return cb_error_set(err, CB_E_CONFLICT, "volume '%s' exists already", volume.name);
	else if (r == 0)
		r = look_back(upload, arena, err);
	if (r < 0 || (r = send_file(upload, err)) < 0)
		return r;
	return cb_run_refresh(run, volume.pool, err);
}

static int perform(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	uint64_t size = size_of(step);
	struct upload upload = {.run = run,
				.step = step,
				.fd = -1,
				.total = size,
				.chunk = cb_checkpoint_size(run, size)};
	cb_auto_arena struct cb_arena arena = {0};
	int r = import(&upload, &arena, err);

	cb_fd_release(&upload.fd);
	return r;
}

static unsigned records(const struct cb_run *run, const struct cb_step *step)
{
	return cb_checkpoint_room(run, size_of(step));
}

const struct cb_step_ops cb_step_IMAGE_IMPORT = {.trusted = true,
						 .creates = true,
						 .probe = probe,
						 .records = records,
						 .perform = perform,
						 .used = cb_run_volume_used,
						 .undo = cb_run_delete_volume};
