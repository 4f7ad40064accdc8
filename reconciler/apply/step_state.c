/*
 * domain.autostart {uuid, on}
 * domain.live {uuid, path, value, old}     of the running machine only
 * domain.start {uuid}
 * domain.shutdown {uuid, timeout, force}   agent, then ACPI, then (with consent) the plug
 */
#include <string.h>

#include "reconciler/apply/step.h"
#include "reconciler/base/clock.h"

static int look(struct cb_run *run, struct cb_arena *arena, const struct cb_step *step,
		struct cb_domain *out, struct cb_error *err)
{
	return run->driver->ops->domain(run->driver, arena, cb_step_arg(step, "uuid"), out, err);
}

static int autostart_probe(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
			   struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_domain domain;
	int r = look(run, &arena, step, &domain, err);

	if (r == -CB_E_NOT_FOUND) {
		*out = CB_PROBE_ABSENT;
		return 0;
	}
	if (r < 0)
		return r;
	*out = cb_spec_bool(&domain.document, "autostart", false) ==
			       cb_spec_bool(&step->args, "on", false)
		       ? CB_PROBE_DONE
		       : CB_PROBE_ABSENT;
	return 0;
}

static int autostart(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	return run->driver->ops->domain_autostart(run->driver, cb_step_arg(step, "uuid"),
						  cb_spec_bool(&step->args, "on", false), err);
}

static int undo_autostart(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	return run->driver->ops->domain_autostart(run->driver, cb_step_arg(step, "uuid"),
						  !cb_spec_bool(&step->args, "on", false), err);
}

static int live_probe(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
		      struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	const struct cb_entry *want = cb_spec_find(&step->args, "value"), *now;
	struct cb_domain domain;
	int r = look(run, &arena, step, &domain, err);

	if (r == -CB_E_NOT_FOUND) {
		*out = CB_PROBE_ABSENT;
		return 0;
	}
	if (r < 0)
		return r;
	now = cb_spec_find(&domain.live, cb_step_arg(step, "path"));
	/* A machine that has stopped in between starts with the new definition. */
	*out = !domain.active || (now ? want && cb_value_equal(&now->value, &want->value)
				      : !want || want->value.kind == CB_NONE)
		       ? CB_PROBE_DONE
		       : CB_PROBE_ABSENT;
	return 0;
}

static int set_live(struct cb_run *run, const struct cb_step *step, const char *arg,
		    struct cb_error *err)
{
	const struct cb_entry *value = cb_spec_find(&step->args, arg);

	CB_ASSERT(value);
	return run->driver->ops->domain_live(run->driver, cb_step_arg(step, "uuid"),
					     cb_step_arg(step, "path"), &value->value, err);
}

/* What the machine turns out not to be able to do stands in its definition all the same; as it does
 * for one that has gone off by itself. */
static int live(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	int r = set_live(run, step, "value", err);

	if (r != -CB_E_UNSUPPORTED && r != -CB_E_CONFLICT)
		return r;
	cb_run_tell(run, CB_EVENT_KEPT, step, err->message);
	cb_error_release(err);
	return 0;
}

/* A machine that has stopped since has nothing to be taken back. */
static int undo_live(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	int r = set_live(run, step, "old", err);

	/* It starts with the definition, which goes back, too. */
	if (r == -CB_E_CONFLICT || r == -CB_E_NOT_FOUND)
		cb_error_release(err);
	return r == -CB_E_CONFLICT || r == -CB_E_NOT_FOUND ? 0 : r;
}

/* A start that was asked for and that libvirt knows nothing of may have worked all the same: then
 * the guest runs, on the disks that going back would delete. Neither way, before somebody has
 * looked. */
static int check_lost_start(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	enum cb_step_state state = cb_journal_state(run->journal, step->n);
	int r;

	if (state == CB_STEP_UNTOUCHED || state == CB_STEP_UNDONE)
		return 0;
	r = cb_run_prepare_alone(run, step, err);
	if (r != -CB_E_CONFLICT)
		return r;
	err->code = CB_E_UNCLEAR;
	return -CB_E_UNCLEAR;
}

/* A start that is under way, asked for by a run that has died, is waited out. If libvirtd died in
 * the middle of it, it may never end: the machine has not run, and is started afresh. */
static int start_probe(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
		       struct cb_error *err)
{
	enum { PAUSE_MS = 100, LIMIT_MS = 15000 };

	uint64_t until = cb_clock_ms() + LIMIT_MS;

	for (;;) {
		cb_auto_arena struct cb_arena arena = {0};
		struct cb_domain domain = {0};
		int r = look(run, &arena, step, &domain, err);

		if (r < 0 && r != -CB_E_NOT_FOUND)
			return r;
		if (!domain.starting) {
			cb_error_release(err);
			*out = r == 0 && domain.active ? CB_PROBE_DONE : CB_PROBE_ABSENT;
			return *out == CB_PROBE_DONE ? 0 : check_lost_start(run, step, err);
		}
		if (cb_clock_ms() > until || cb_run_interrupted(run)) {
			*out = CB_PROBE_PARTIAL;
			return 0;
		}
		cb_clock_sleep_ms(PAUSE_MS);
	}
}

/* libvirt 9.0 that dies before it has forked QEMU finds its own note of a start without a process
 * when it comes back, and holds the domain's lock for it for ever: no call of its API ends that. */
static int drop_half_start(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	int r = run->driver->ops->domain_power_off(run->driver, cb_step_arg(step, "uuid"), err);

	if (r != -CB_E_TIMEOUT || run->driver->lost)
		return r;
	return cb_error_hint(
		err,
		"libvirt died while it began to start '%s', and still holds its lock: on the host, "
		"stop libvirt's daemon, remove /run/libvirt/qemu/%s.xml if its <domstatus> says "
		"pid='0', start the daemon, and run `clonebox recover --auto`",
		step->target, step->target);
}

static int start(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_domain domain = {0};
	int r = run->redo ? look(run, &arena, step, &domain, err) : 0;

	if (r == 0 && domain.starting)
		r = drop_half_start(run, step, err);
	if (r < 0)
		return r;
	return run->driver->ops->domain_start(run->driver, cb_step_arg(step, "uuid"), err);
}

/* Only reached when the start was reported as failed and came through all the same, while the
 * transaction was already going back: the machine is this transaction's own and seconds old. */
static int undo_start(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	return run->driver->ops->domain_power_off(run->driver, cb_step_arg(step, "uuid"), err);
}

static int shutdown_probe(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
			  struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_domain domain;
	int r = look(run, &arena, step, &domain, err);

	if (r < 0 && r != -CB_E_NOT_FOUND)
		return r;
	*out = r == 0 && domain.active ? CB_PROBE_ABSENT : CB_PROBE_DONE;
	return 0;
}

/* Waits until the machine is off; *off says whether it is. */
static int wait_off(struct cb_run *run, const struct cb_step *step, uint64_t until, bool *off,
		    struct cb_error *err)
{
	for (;;) {
		enum cb_probe probe;
		int r = shutdown_probe(run, step, &probe, err);

		if (r < 0)
			return r;
		*off = probe == CB_PROBE_DONE;
		if (*off || cb_clock_ms() >= until)
			return 0;
		if (cb_run_interrupted(run))
			return cb_error_set(err, CB_E_INTERRUPTED, "interrupted");
		cb_clock_sleep_ms(100);
	}
}

/* Both ways are asked for: the agent may be there and dead, ACPI may be heard by nobody. */
static int shut_down(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	const json_t *consent = cb_journal_consent(run->journal, step->n);
	uint64_t budget =
		1000 * (consent ? (uint64_t)json_integer_value(json_object_get(consent, "timeout"))
				: (uint64_t)cb_spec_int(&step->args, "timeout", 60));
	uint64_t begun = cb_clock_ms();
	const char *uuid = cb_step_arg(step, "uuid");
	bool off = false;
	int r = 0;

	bool force = consent || cb_spec_bool(&step->args, "force", false);

	for (int how = CB_SHUTDOWN_AGENT; how <= CB_SHUTDOWN_ACPI && !off && !run->deaf; how++) {
		uint64_t until = how == CB_SHUTDOWN_AGENT ? begun + budget / 3 : begun + budget;

		r = run->driver->ops->domain_shutdown(run->driver, uuid, (enum cb_shutdown)how,
						      err);
		if (r == -CB_E_TIMEOUT && run->driver->lost) {
			/* Nobody hears it; the plug can be pulled on a connection that works. */
			run->deaf = true;
			return force ? cb_error_set(err, CB_E_UNAVAILABLE, "it does not answer")
				     : r;
		}
		if (r == -CB_E_UNSUPPORTED || r == -CB_E_FAILED || r == -CB_E_TIMEOUT) {
			/* It may have stopped by itself meanwhile. */
			until = 0;
			cb_error_release(err);
		} else if (r < 0) {
			return r;
		}
		if ((r = wait_off(run, step, until, &off, err)) < 0)
			return r;
	}
	if (!off && !run->deaf && (r = wait_off(run, step, begun + budget, &off, err)) < 0)
		return r;
	if (off)
		return 0;
	if (force)
		return run->driver->ops->domain_power_off(run->driver, uuid, err);
	(void)cb_error_set(err, CB_E_FAILED, "the guest did not shut down within %lld s",
			   (long long)budget / 1000);
	return cb_error_hint(err,
			     "shut it down from inside, give it longer (--shutdown-timeout), or "
			     "consent to pulling the plug (--allow-force-off)");
}

/* A machine that does not come up again leaves its definition as it was, and that is said: there is
 * nothing more that could be taken back. */
static int restart(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	int r = cb_run_prepare_alone(run, step, err);

	if (r == 0)
		r = start(run, step, err);
	if (r == 0 || r == -CB_E_UNAVAILABLE || (r == -CB_E_TIMEOUT && run->driver->lost))
		return r;
	cb_run_tell(run, CB_EVENT_KEPT, step, err->message);
	cb_error_release(err);
	return 0;
}

const struct cb_step_ops cb_step_DOMAIN_AUTOSTART = {
	.probe = autostart_probe, .perform = autostart, .undo = undo_autostart};
const struct cb_step_ops cb_step_DOMAIN_LIVE = {
	.best_effort = true, .probe = live_probe, .perform = live, .undo = undo_live};
const struct cb_step_ops cb_step_DOMAIN_START = {.probe = start_probe,
						 .prepare = cb_run_prepare_alone,
						 .perform = start,
						 .undo = undo_start};
const struct cb_step_ops cb_step_DOMAIN_SHUTDOWN = {
	.forcible = true, .probe = shutdown_probe, .perform = shut_down, .undo = restart};
