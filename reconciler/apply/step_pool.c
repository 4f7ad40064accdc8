/*
 * pool.ensure {pool, path, define, uuid?, manual?}: the storage pool is there and active; one that
 * is made here starts with the host, unless `manual`.
 */
#include <string.h>

#include "reconciler/apply/step.h"

static bool starts_with_host(const struct cb_step *step)
{
	return cb_spec_bool(&step->args, "define", false) &&
	       !cb_spec_bool(&step->args, "manual", false);
}

static int probe(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
		 struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_pool pool;
	int r = run->driver->ops->pool(run->driver, &arena, cb_step_arg(step, "pool"), &pool, err);

	if (r == -CB_E_NOT_FOUND) {
		*out = CB_PROBE_ABSENT;
		return 0;
	}
	if (r < 0)
		return r;
	if (strcmp(pool.path, cb_step_arg(step, "path")) != 0)
		*out = CB_PROBE_FOREIGN;
	else if (pool.active && (pool.autostart || !starts_with_host(step)))
		*out = CB_PROBE_DONE;
	else
		*out = CB_PROBE_PARTIAL;
	return 0;
}

/* Somebody else may make it at the same time: then it is theirs, and as good. */
static int define(struct cb_run *run, const struct cb_step *step, const char *name,
		  struct cb_error *err)
{
	int r = run->driver->ops->pool_define(run->driver, name, cb_step_arg(step, "path"),
					      cb_spec_string(&step->args, "uuid"), err);

	run->made = r == 0;
	return r;
}

static int perform(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	const struct cb_driver_ops *ops = run->driver->ops;
	const char *name = cb_step_arg(step, "pool");
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_pool pool;
	int r = ops->pool(run->driver, &arena, name, &pool, err);

	/* A half of our own may stand there, or another's. */
	run->made = r == 0 && run->redo;
	if (r == -CB_E_NOT_FOUND && cb_spec_bool(&step->args, "define", false)) {
		r = define(run, step, name, err);
		pool = (struct cb_pool){.path = cb_step_arg(step, "path")};
		if (r == -CB_E_EXISTS) {
			cb_error_release(err);
			r = ops->pool(run->driver, &arena, name, &pool, err);
		}
	}
	if (r < 0)
		return r;
	if (strcmp(pool.path, cb_step_arg(step, "path")) != 0)
		return cb_error_set(err, CB_E_CONFLICT, "pool '%s' is at '%s' now, not at '%s'",
				    name, pool.path, cb_step_arg(step, "path"));
	if (run->made && !pool.autostart && starts_with_host(step) &&
	    (r = ops->pool_autostart(run->driver, name, true, err)) < 0)
		return r;
	return pool.active ? 0 : ops->pool_start(run->driver, name, err);
}

static int learn(struct cb_run *run, const struct cb_step *step, json_t **out, struct cb_error *err)
{
	(void)step;
	(void)err;
	*out = json_pack("{s:b}", "made", (int)run->made);
	return 0;
}

static int used(struct cb_run *run, const struct cb_step *step, bool *out, struct cb_error *err)
{
	const struct cb_driver_ops *ops = run->driver->ops;
	const char *name = cb_step_arg(step, "pool");
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_volumes volumes = {0};
	struct cb_pool pool;
	int r = ops->pool(run->driver, &arena, name, &pool, err);

	*out = false;
	if (r == -CB_E_NOT_FOUND) {
		cb_error_release(err);
		return 0;
	}
	if (r < 0 || !pool.active)
		return r;
	if ((r = cb_run_refresh(run, name, err)) < 0 ||
	    (r = ops->volumes(run->driver, &arena, name, &volumes, err)) < 0)
		return r;
	*out = volumes.len > 0;
	return 0;
}

/* A pool that was there before stays as it is now: active, which harms nobody. A pool that others
 * have begun to use, or may have made, stays too. */
static int undo(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	const struct cb_driver_ops *ops = run->driver->ops;
	const json_t *learned = cb_journal_detail(run->journal, step->n);
	const char *name = cb_step_arg(step, "pool");
	bool in_use;
	int r;

	if (json_is_false(json_object_get(learned, "made")) ||
	    !cb_spec_bool(&step->args, "define", false))
		return 0;
	if ((r = used(run, step, &in_use, err)) < 0)
		return r;
	if (in_use) {
		cb_run_tell(run, CB_EVENT_KEPT, step, "it holds volumes of others");
		return 0;
	}
	return ops->pool_undefine(run->driver, name, err);
}

const struct cb_step_ops cb_step_POOL_ENSURE = {.holds_others = true,
						.probe = probe,
						.perform = perform,
						.learn = learn,
						.used = used,
						.undo = undo};
