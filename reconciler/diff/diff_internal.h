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

/* Nothing will be done, for this reason. */
void cb_diff_refuse(struct cb_change *change, enum cb_decision decision, const char *why,
		    const char *fix);

#endif
