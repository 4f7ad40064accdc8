/*
 * image.import {pool, volume, path, file, digest, size}: a file of this machine becomes a volume.
 *
 * The volume's name is this transaction's own and nobody refers to it before the define, so a half
 * upload is harmless: it is overwritten from its start, or deleted.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "reconciler/apply/step.h"
#include "reconciler/base/digest.h"
#include "reconciler/base/fs.h"

struct upload {
	struct cb_run *run;
	const struct cb_step *step;
	int fd;
	struct cb_digest *digest;
	uint64_t total;
};

static int probe(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
		 struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	uint64_t size = (uint64_t)cb_spec_int(&step->args, "size", 0);
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
	r = run->driver->ops->volume_digest(run->driver, cb_step_arg(step, "pool"),
					    cb_step_arg(step, "volume"), size, digest, err);
	/* Shorter than it should be. */
	if (r < 0 && r != -CB_E_CONFLICT)
		return r;
	if (r < 0)
		cb_error_release(err);
	*out = r == 0 && strcmp(digest, cb_step_arg(step, "digest")) == 0 ? CB_PROBE_DONE
									  : CB_PROBE_PARTIAL;
	return 0;
}

static int read_file(void *ctx, void *buffer, size_t len, struct cb_error *err)
{
	struct upload *upload = ctx;
	ssize_t n;

	if (cb_run_interrupted(upload->run))
		return cb_error_set(err, CB_E_INTERRUPTED, "interrupted");
	do
		n = read(upload->fd, buffer, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return cb_error_errno(err, errno, "cannot read '%s'",
				      cb_step_arg(upload->step, "file"));
	cb_digest_add(upload->digest, buffer, (size_t)n);
	return (int)n;
}

static void report(void *ctx, uint64_t bytes)
{
	struct upload *upload = ctx;
	const struct cb_progress *progress = &upload->run->context->progress;

	if (progress->report)
		progress->report(progress->ctx, upload->step->target, bytes, upload->total);
}

static int send_file(struct upload *upload, struct cb_error *err)
{
	const struct cb_upload source = {read_file, report, upload, upload->total};
	struct cb_driver *driver = upload->run->driver;
	char digest[CB_SHA256_HEX];
	int r;

	upload->digest = cb_digest_new();
	r = driver->ops->volume_write(driver, cb_step_arg(upload->step, "pool"),
				      cb_step_arg(upload->step, "volume"), &source, err);
	cb_digest_finish(upload->digest, digest);
	if (r < 0)
		return r;
	if (strcmp(digest, cb_step_arg(upload->step, "digest")) != 0)
		return cb_error_set(err, CB_E_CONFLICT, "'%s' has changed since it was planned",
				    cb_step_arg(upload->step, "file"));
	return 0;
}

static int perform(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	const char *file = cb_step_arg(step, "file");
	uint64_t size = (uint64_t)cb_spec_int(&step->args, "size", 0);
	/* Raw and of the file's size, whatever the file holds: its bytes are copied as they are,
	 * and libvirt sees the format at the next refresh. */
	const struct cb_volume_new volume = {.pool = cb_step_arg(step, "pool"),
					     .name = cb_step_arg(step, "volume"),
					     .format = "raw",
					     .capacity = size};
	struct upload upload = {.run = run, .step = step, .total = size};
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_fd int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct cb_volume present;
	int r;

	if (fd < 0 && errno == ENOENT)
		return cb_error_set(err, CB_E_FAILED, "file '%s' is gone", file);
	if (fd < 0)
		return cb_error_errno(err, errno, "cannot open '%s'", file);
	upload.fd = fd;
	r = cb_run_volume(run, &arena, volume.pool, volume.name, &present, err);
	if (r == -CB_E_NOT_FOUND)
		r = cb_run_create_volume(run, &volume, err);
	else if (r == 0 && !run->redo)
		return cb_error_set(err, CB_E_CONFLICT, "volume '%s' exists already", volume.name);
	if (r < 0 || (r = send_file(&upload, err)) < 0)
		return r;
	return cb_run_refresh(run, volume.pool, err);
}

const struct cb_step_ops cb_step_IMAGE_IMPORT = {.trusted = true,
						 .creates = true,
						 .probe = probe,
						 .perform = perform,
						 .used = cb_run_volume_used,
						 .undo = cb_run_delete_volume};
