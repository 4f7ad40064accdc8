/*
 * guard.h: what a plan may not do without being told to. Pure.
 */
#ifndef CB_POLICY_GUARD_H
#define CB_POLICY_GUARD_H

#include "reconciler/base/error.h"
#include "reconciler/model/plan.h"

/* What the person consented to. */
struct cb_consent {
	bool destroy; /* --allow-destroy, or the command is destroy */
	bool named;   /* the VMs to destroy were named one by one, or their count confirmed */
	unsigned max_deletions; /* --max-deletions */
};

/* How many VMs the plan destroys, those aside whose time in the trash is over: that was consented
 * to when they went there. */
unsigned cb_guard_deletions(const struct cb_plan *plan);

/* 0, or CB_E_REFUSED with what to do, for so many VMs on all hosts together. What must not be done
 * at all is a problem in the plan already. */
CB_CHECKED int cb_guard_check(unsigned deletions, const struct cb_consent *consent,
			      struct cb_error *err);

#endif
