/* Machines that run behind the host's back. libvirt can lose sight of an emulator and then shows
 * its machine as shut off: before that is taken as leave to start it, or to let its disks go, the
 * host's processes are looked at. */
#include "reconciler/apply/step.h"

int cb_run_check_stray(struct cb_run *run, const char *uuid, const char *name, struct cb_error *err)
{
	int pid = 0;
	int r = run->driver->ops->domain_stray(run->driver, uuid, &pid, err);

	if (r < 0 || pid == 0)
		return r;
	(void)cb_error_set(err, CB_E_CONFLICT, CB_STRAY_SAYS, pid, name);
	(void)cb_error_wrap(err, "%s", run->transaction->uri);
	return cb_error_hint(err, CB_STRAY_TRY, pid, pid);
}

int cb_run_prepare_alone(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	return cb_run_check_stray(run, cb_step_arg(step, "uuid"), step->target, err);
}

int cb_run_prepare_all_alone(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	const struct cb_transaction *transaction = run->transaction;
	int r = 0;

	(void)step;
	if (transaction->target == CB_TARGET_VM && transaction->uuid[0])
		r = cb_run_check_stray(run, transaction->uuid, transaction->name, err);
	cb_vec_each (const struct cb_member, member, &transaction->members) {
		if (r == 0 && member->target == CB_TARGET_VM && member->uuid[0])
			r = cb_run_check_stray(run, member->uuid, member->name, err);
	}
	return r;
}
