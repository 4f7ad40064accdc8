/*
 * volume.create {pool, volume, path, format, capacity, backing, backing_format}
 * volume.delete {pool, volume, path}
 */
#include <string.h>

#include "reconciler/apply/references.h"
#include "reconciler/base/clock.h"

/* A pool that is not there says nothing about its files. */
static int no_pool(int r, const char *pool, struct cb_error *err)
{
	if (r != -CB_E_NOT_FOUND)
		return r;
	(void)cb_error_set(err, CB_E_CONFLICT, "pool '%s' is not there any more", pool);
	return cb_error_hint(err, "define it again, with the same directory");
}

/* Somebody has stopped the pool since the run died: what is in it cannot be told, and starting it
 * might show an empty directory that only waits to be mounted over. Neither way. */
static int stopped_pool(struct cb_run *run, int r, const char *pool, struct cb_error *err)
{
	cb_auto_error struct cb_error second = {0};
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_pool now;

	if (!run->recovering || (r != -CB_E_FAILED && r != -CB_E_CONFLICT) ||
	    run->driver->ops->pool(run->driver, &arena, pool, &now, &second) < 0 || now.active)
		return r;
	cb_error_release(err);
	(void)cb_error_set(err, CB_E_UNCLEAR,
			   "pool '%s' is not active any more, so what it holds is not known", pool);
	return cb_error_hint(err,
			     "see that what belongs in '%s' is there (mounted), start the pool "
			     "(virsh pool-start %s), and run the same command again",
			     now.path, pool);
}

static int refresh(struct cb_run *run, const char *pool, struct cb_error *err)
{
	int r = no_pool(cb_run_refresh(run, pool, err), pool, err);

	return stopped_pool(run, r, pool, err);
}

static int create_probe(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
			struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *backing = cb_spec_string(&step->args, "backing");
	struct cb_volume volume;
	int r = cb_run_volume(run, &arena, cb_step_arg(step, "pool"), cb_step_arg(step, "volume"),
			      &volume, err);
	bool whole;

	if (r == -CB_E_NOT_FOUND) {
		*out = CB_PROBE_ABSENT;
		return 0;
	}
	if (r < 0)
		return r;
	whole = strcmp(volume.format, cb_step_arg(step, "format")) == 0 &&
		volume.capacity == (uint64_t)cb_spec_int(&step->args, "capacity", 0) &&
		(backing ? volume.backing && strcmp(volume.backing, backing) == 0
			 : !volume.backing);
	/* libvirtd sets owner and mode after qemu-img has made the file: what was cut off there
	 * looks whole and can be read by everybody. Nobody uses it yet, so it is made afresh. */
	if (run->redo && cb_journal_state(run->journal, step->n) == CB_STEP_INTENDED)
		whole = false;
	*out = whole ? CB_PROBE_DONE : CB_PROBE_PARTIAL;
	return 0;
}

static int create(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	const struct cb_volume_new volume = {
		.pool = cb_step_arg(step, "pool"),
		.name = cb_step_arg(step, "volume"),
		.format = cb_step_arg(step, "format"),
		.capacity = (uint64_t)cb_spec_int(&step->args, "capacity", 0),
		.backing = cb_spec_string(&step->args, "backing"),
		.backing_format = cb_spec_string(&step->args, "backing_format"),
	};
	cb_auto_arena struct cb_arena arena = {0};
	const char *user;
	int r;

	/* Only a half volume of our own can stand here, and only when it was intended before. */
	if (run->redo) {
		if ((r = refresh(run, volume.pool, err)) < 0 ||
		    (r = cb_references_user(run, volume.pool, cb_step_arg(step, "path"), &arena,
					    &user, err)) < 0)
			return r;
		if (user)
			return cb_error_set(err, CB_E_CONFLICT, "'%s' uses volume '%s' already",
					    user, volume.name);
		r = run->driver->ops->volume_delete(run->driver, volume.pool, volume.name, err);
		if (r < 0 && r != -CB_E_NOT_FOUND)
			return r;
	}
	return cb_run_create_volume(run, &volume, err);
}

static int delete_probe(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
			struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_volume volume;
	int r = cb_run_volume(run, &arena, cb_step_arg(step, "pool"), cb_step_arg(step, "volume"),
			      &volume, err);

	*out = r == -CB_E_NOT_FOUND ? CB_PROBE_DONE : CB_PROBE_ABSENT;
	return r == -CB_E_NOT_FOUND ? 0 : r;
}

/* Another transaction, or another program, may be writing to the pool: then libvirt neither looks
 * nor makes anything in it. Whether it is worth another try. */
static bool again(struct cb_run *run, int *r, unsigned *tries, struct cb_error *err)
{
	enum { PAUSE_MS = 50, TOLD_AFTER = 40 };

	if (*r != -CB_E_BUSY)
		return false;
	if (cb_run_interrupted(run)) {
		*r = cb_error_set(err, CB_E_INTERRUPTED, "interrupted");
		return false;
	}
	if (++*tries == TOLD_AFTER)
		cb_run_tell(run, CB_EVENT_WAITING, NULL, "the pool is being written to; waiting");
	cb_error_release(err);
	cb_clock_sleep_ms(PAUSE_MS);
	return true;
}

int cb_run_refresh(struct cb_run *run, const char *pool, struct cb_error *err)
{
	unsigned tries = 0;
	int r;

	do
		r = run->driver->ops->pool_refresh(run->driver, pool, err);
	while (again(run, &r, &tries, err));
	return r;
}

int cb_run_create_volume(struct cb_run *run, const struct cb_volume_new *volume,
			 struct cb_error *err)
{
	unsigned tries = 0;
	int r;

	do
		r = run->driver->ops->volume_create(run->driver, volume, err);
	while (again(run, &r, &tries, err));
	return r;
}

int cb_run_volume(struct cb_run *run, struct cb_arena *arena, const char *pool, const char *name,
		  struct cb_volume *out, struct cb_error *err)
{
	int r = refresh(run, pool, err);

	return r < 0 ? r : run->driver->ops->volume(run->driver, arena, pool, name, out, err);
}

int cb_run_name_taken(struct cb_run *run, const struct cb_step *step, bool *out,
		      struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *pool = cb_step_arg(step, "pool");
	struct cb_volume volume;
	int r = run->recovering ? refresh(run, pool, err) : 0;

	if (r == 0)
		r = run->driver->ops->volume(run->driver, &arena, pool, cb_step_arg(step, "volume"),
					     &volume, err);
	*out = r == 0;
	if (r == -CB_E_NOT_FOUND) {
		cb_error_release(err);
		return 0;
	}
	return r;
}

int cb_run_volume_used(struct cb_run *run, const struct cb_step *step, bool *out,
		       struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *user = NULL;
	int r;

	cb_references_forget(run->context->references);
	r = cb_references_user(run, cb_step_arg(step, "pool"), cb_step_arg(step, "path"), &arena,
			       &user, err);
	*out = user != NULL;
	return r;
}

/* Of a machine that is known to be off. */
static int delete_volume(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *pool = cb_step_arg(step, "pool"), *name = cb_step_arg(step, "volume");
	const char *user;
	int r = cb_references_user(run, pool, cb_step_arg(step, "path"), &arena, &user, err);

	if (r < 0)
		return no_pool(r, pool, err);
	if (user) {
		cb_run_tell(run, CB_EVENT_KEPT, step,
			    cb_arena_printf(&arena, "'%s' refers to it", user));
		return 0;
	}
	r = run->driver->ops->volume_delete(run->driver, pool, name, err);
	if (r != -CB_E_NOT_FOUND)
		return r;
	/* libvirt may not have seen it yet. */
	if ((r = refresh(run, pool, err)) == 0)
		r = run->driver->ops->volume_delete(run->driver, pool, name, err);
	return r == -CB_E_NOT_FOUND ? 0 : r;
}

int cb_run_delete_volume(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	int r = cb_run_prepare_all_alone(run, step, err);

	return r < 0 ? r : delete_volume(run, step, err);
}

const struct cb_step_ops cb_step_VOLUME_CREATE = {
	.creates = true, .probe = create_probe, .perform = create, .undo = cb_run_delete_volume};
const struct cb_step_ops cb_step_VOLUME_DELETE = {
	.probe = delete_probe, .prepare = cb_run_prepare_all_alone, .perform = delete_volume};
