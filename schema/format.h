/*
 * format.h: manifests in canonical form: one order of keys, one indentation, one kind of quotes,
 * with all comments.
 *
 *	struct cb_str out = {0};
 *
 *	if (cb_format(&arena, &text, &out, &problems, err) < 0)
 *		... CB_E_INVALID: it is no YAML, see the problems
 *
 * Keys stand in the order of fields.def; what people name (VMs, networks, labels) keeps their
 * order, and so does what the rows do not reach into. A comment above a key travels with the key.
 * The form is the same when it is formatted again. docs/manifest.md tells people.
 */
#ifndef CB_SCHEMA_FORMAT_H
#define CB_SCHEMA_FORMAT_H

#include "reconciler/base/error.h"
#include "reconciler/base/str.h"
#include "reconciler/model/text.h"
#include "reconciler/model/vm.h"

enum { CB_FORMAT_WIDTH = 100 }; /* columns that a list on one line may reach to */

/*
 * Appends the text in canonical form. Before it returns, it reads what it made: CB_E_INTERNAL
 * where that does not mean the same, or has other comments; nothing may be written then.
 * CB_E_INVALID where the text cannot be read, with the reason in `problems`.
 */
CB_CHECKED int cb_format(struct cb_arena *arena, const struct cb_manifest_text *text,
			 struct cb_str *out, struct cb_problems *problems, struct cb_error *err);

/* Appends the text in quotes, on one line, whatever is in it. */
void cb_format_quote(struct cb_str *out, const char *text, size_t len);

#endif
