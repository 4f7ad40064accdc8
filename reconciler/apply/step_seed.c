/*
 * seed.create {pool, volume, path, generation}: what a guest is told at its first boot, as a
 * volume.
 *
 * The image holds secrets and cannot be made from the plan: it is made before the intent, and kept
 * beside the journal, readable for us alone, until the transaction is closed. Its bytes differ each
 * time that it is made, so that the kept ones are what a crashed run's volume is compared with.
 */
#include <string.h>

#include "reconciler/apply/step.h"
#include "reconciler/base/digest.h"

static int load(struct cb_run *run, const struct cb_step *step, struct cb_str *out,
		struct cb_error *err)
{
	return cb_journal_load(run->journal, step->n, out, err);
}

static int prepare(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	struct cb_str image = {0};
	int r = load(run, step, &image, err);

	if (r == -CB_E_NOT_FOUND) {
		cb_error_release(err);
		r = run->context->seed
			    ? run->context->seed(run->context->seed_ctx, run->transaction, step,
						 &image, err)
			    : cb_error_set(err, CB_E_FAILED,
					   "the seed cannot be made without the manifest");
		if (r == 0)
			r = cb_journal_save(run->journal, step->n, cb_str_text(&image), image.len,
					    err);
	}
	cb_str_wipe(&image);
	return r;
}

static int probe(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
		 struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *pool = cb_step_arg(step, "pool"), *name = cb_step_arg(step, "volume");
	char have[CB_SHA256_HEX], want[CB_SHA256_HEX];
	struct cb_str image = {0};
	struct cb_volume volume;
	int r = cb_run_volume(run, &arena, pool, name, &volume, err);

	if (r == -CB_E_NOT_FOUND) {
		*out = CB_PROBE_ABSENT;
		return 0;
	}
	if (r < 0)
		return r;
	*out = CB_PROBE_PARTIAL;
	if ((r = load(run, step, &image, err)) < 0) {
		/* Never intended: nobody of ours has made it. */
		if (r == -CB_E_NOT_FOUND)
			*out = CB_PROBE_FOREIGN;
		return r == -CB_E_NOT_FOUND ? 0 : r;
	}
	cb_digest_of(cb_str_text(&image), image.len, want);
	r = run->driver->ops->volume_digest(run->driver, pool, name,
					    &(struct cb_extent){.size = image.len}, have, err);
	cb_str_wipe(&image);
	if (r == 0 && strcmp(have, want) == 0)
		*out = CB_PROBE_DONE;
	/* Shorter than it should be. */
	if (r == -CB_E_CONFLICT)
		cb_error_release(err);
	return r == -CB_E_CONFLICT ? 0 : r;
}

struct reader {
	const char *bytes;
	size_t len, at;
};

static int read_bytes(void *ctx, void *buffer, size_t len, struct cb_error *err)
{
	struct reader *reader = ctx;
	size_t left = reader->len - reader->at;

	(void)err;
	if (len > left)
		len = left;
	memcpy(buffer, reader->bytes + reader->at, len);
	reader->at += len;
	return (int)len;
}

static int write_image(struct cb_run *run, const struct cb_step *step, const struct cb_str *image,
		       struct cb_error *err)
{
	const struct cb_volume_new new = {.pool = cb_step_arg(step, "pool"),
					  .name = cb_step_arg(step, "volume"),
					  .format = "raw",
					  .capacity = image->len};
	struct reader reader = {image->text, image->len, 0};
	const struct cb_upload upload = {.read = read_bytes, .ctx = &reader, .size = image->len};
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_volume present;
	int r = cb_run_volume(run, &arena, new.pool, new.name, &present, err);

	if (r == -CB_E_NOT_FOUND)
		r = cb_run_create_volume(run, &new, err);
	else if (r == 0 && !run->redo)
		return cb_error_set(err, CB_E_CONFLICT, "volume '%s' exists already", new.name);
	if (r == 0)
		r = run->driver->ops->volume_write(run->driver, new.pool, new.name, &upload, err);
	return r < 0 ? r : cb_run_refresh(run, new.pool, err);
}

static int perform(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	struct cb_str image = {0};
	int r = load(run, step, &image, err);

	if (r == 0)
		r = write_image(run, step, &image, err);
	cb_str_wipe(&image);
	return r;
}

const struct cb_step_ops cb_step_SEED_CREATE = {.creates = true,
						.probe = probe,
						.prepare = prepare,
						.perform = perform,
						.undo = cb_run_delete_volume};
