/* diff_internal.h: what the files of the diff share. */
#ifndef CB_DIFF_DIFF_INTERNAL_H
#define CB_DIFF_DIFF_INTERNAL_H

#include "reconciler/diff/diff.h"
#include "reconciler/model/field.h"

/* libvirt does not keep empty elements: an empty text and none are the same. */
bool cb_diff_empty(const struct cb_value *value);
bool cb_diff_same(const struct cb_value *a, const struct cb_value *b);

/* Compares every field of a VM; of a new one, lists what it will be. */
void cb_diff_fields(struct cb_arena *arena, const struct cb_diff_context *context,
		    struct cb_change *change);

/* mounts.c: what the guest is told of directories that are shared with it, as an entry of this
 * path; NULL where there are none. */
#define CB_DIFF_MOUNTS "paths"
const struct cb_entry *cb_diff_told_mounts(struct cb_arena *arena, const struct cb_spec *wanted);

/* Whether it may not be destroyed; `vm` may be NULL. */
bool cb_diff_is_protected(const struct cb_vm *vm, const struct cb_domain *domain);

/* Nothing will be done, for this reason. */
void cb_diff_refuse(struct cb_change *change, enum cb_decision decision, const char *why,
		    const char *fix);

#endif
