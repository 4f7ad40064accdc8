/* Shared directories, as the guest knows them. What the host shares stands in rows of its own; of
 * that, the guest needs to know what is mounted where, and how. */
#include <string.h>

#include "reconciler/base/str.h"
#include "reconciler/diff/diff_internal.h"

const struct cb_entry *cb_diff_told_mounts(struct cb_arena *arena, const struct cb_spec *wanted)
{
	cb_auto_str struct cb_str text = {0};
	struct cb_entry *out = NULL;

	cb_vec_each (const struct cb_entry, entry, wanted) {
		const char *guest = cb_field_element(arena, CB_DIFF_MOUNTS, entry->path);
		const char *kind;

		if (!guest)
			continue;
		if (!out) {
			out = cb_arena_new(arena, struct cb_entry);
			*out = (struct cb_entry){.path = CB_DIFF_MOUNTS, .origin = entry->origin};
		}
		/* What is not shown by itself is not shown here. */
		out->origin.sensitive = out->origin.sensitive || entry->origin.sensitive;
		if (strchr(entry->path, ']')[1])
			continue;
		kind = cb_spec_string(wanted, cb_arena_printf(arena, "%s.kind", entry->path));
		cb_str_printf(&text, "%s%s (%s%s)", text.len ? ", " : "", guest, kind ? kind : "",
			      cb_spec_bool(wanted,
					   cb_arena_printf(arena, "%s.readonly", entry->path),
					   false)
				      ? ", read-only"
				      : "");
	}
	if (out)
		out->value = cb_string(cb_arena_strdup(arena, text.text));
	return out;
}
