/*
 * rules.h: what .clonebox-policy.yaml forbids, and what it wants somebody to approve. Pure.
 */
#ifndef CB_POLICY_RULES_H
#define CB_POLICY_RULES_H

#include "reconciler/base/error.h"
#include "reconciler/model/change.h"

/* Adds a problem for more VMs than there may be on the host, and for each VM that is made or
 * changed with more disk than it may have. */
void cb_rules_check(struct cb_arena *arena, const struct cb_desired *desired,
		    const struct cb_changes *changes, struct cb_problems *problems);

/*
 * 0, or CB_E_REFUSED naming the first operation that needs an approval and has none, with what to
 * say. Operations are "vm.create", "vm.update", "vm.delete", "vm.recreate" (also as "vm.replace"),
 * "network.delete" and the like; all patterns are those of fnmatch. What stands in auto_approve
 * needs no approval.
 */
CB_CHECKED int cb_rules_approve(struct cb_arena *arena, const struct cb_spec *rules,
				const struct cb_changes *changes, const char *const *approved,
				size_t n_approved, struct cb_error *err);

#endif
