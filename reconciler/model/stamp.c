#include "reconciler/model/stamp.h"

#include <string.h>

static const char *const names[] = {
	[CB_DELETE_WITH_VM] = "delete",
	[CB_RETAIN] = "retain",
	[CB_SHARED] = "shared",
};

const struct cb_stamp_volume *cb_stamp_volume_of(const struct cb_stamp *stamp, const char *role)
{
	cb_vec_each (const struct cb_stamp_volume, volume, &stamp->volumes) {
		if (strcmp(volume->role, role) == 0)
			return volume;
	}
	return NULL;
}

const char *cb_deletion_name(enum cb_deletion deletion)
{
	return names[deletion];
}

int cb_deletion_parse(const char *text, enum cb_deletion *deletion)
{
	for (size_t i = 0; i < CB_COUNT(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*deletion = (enum cb_deletion)i;
			return 0;
		}
	}
	return -1;
}

bool cb_stamp_is_trash(const struct cb_stamp *stamp)
{
	return stamp && cb_spec_string(&stamp->applied, CB_TRASH_WAS) != NULL;
}

bool cb_stamp_wants_trash(const struct cb_stamp *stamp)
{
	cb_vec_each (const struct cb_entry, entry, &stamp->applied) {
		const char *leaf = strstr(entry->path, "].");

		leaf = leaf ? leaf + 2 : entry->path;
		if (strcmp(leaf, "deletion") == 0 && entry->value.kind == CB_STRING &&
		    strcmp(entry->value.string, "trash") == 0)
			return true;
	}
	return false;
}
