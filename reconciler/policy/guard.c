#include "reconciler/policy/guard.h"

unsigned cb_guard_deletions(const struct cb_plan *plan)
{
	unsigned count = 0;

	cb_vec_each (const struct cb_change, change, plan->changes)
		count += change->target == CB_TARGET_VM && change->action == CB_ACTION_DELETE &&
			 !change->refusal && !change->due;
	return count;
}

int cb_guard_check(unsigned deletions, const struct cb_consent *consent, struct cb_error *err)
{
	if (deletions == 0)
		return 0;
	if (!consent->destroy) {
		(void)cb_error_set(err, CB_E_REFUSED,
				   "%u vm%s would be destroyed, with the data on the root disk%s",
				   deletions, deletions == 1 ? "" : "s", deletions == 1 ? "" : "s");
		return cb_error_hint(err, "say --allow-destroy if that is meant");
	}
	if (!consent->named && deletions > consent->max_deletions) {
		(void)cb_error_set(err, CB_E_REFUSED,
				   "%u vms would be destroyed, at most %u may be", deletions,
				   consent->max_deletions);
		return cb_error_hint(err, "name the vms, or raise --max-deletions");
	}
	return 0;
}
