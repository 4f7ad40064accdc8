#include "reconciler/model/spec.h"

#include <inttypes.h>
#include <string.h>

struct cb_value cb_bool(bool value)
{
	return (struct cb_value){.kind = CB_BOOL, .boolean = value};
}

struct cb_value cb_int(int64_t value)
{
	return (struct cb_value){.kind = CB_INT, .integer = value};
}

struct cb_value cb_string(const char *value)
{
	return (struct cb_value){.kind = value ? CB_STRING : CB_NONE, .string = value};
}

bool cb_value_equal(const struct cb_value *a, const struct cb_value *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case CB_NONE:
		return true;
	case CB_BOOL:
		return a->boolean == b->boolean;
	case CB_INT:
		return a->integer == b->integer;
	case CB_STRING:
		return strcmp(a->string, b->string) == 0;
	}
	return false;
}

const char *cb_value_text(struct cb_arena *arena, const struct cb_value *value)
{
	switch (value->kind) {
	case CB_NONE:
		return "";
	case CB_BOOL:
		return value->boolean ? "true" : "false";
	case CB_INT:
		return cb_arena_printf(arena, "%" PRId64, value->integer);
	case CB_STRING:
		return value->string;
	}
	return "";
}

/* Index of the path, or of the place where it belongs. */
static size_t position(const struct cb_spec *spec, const char *path)
{
	size_t low = 0, high = spec->len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(spec->items[middle].path, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct cb_entry *cb_spec_find(const struct cb_spec *spec, const char *path)
{
	size_t at = position(spec, path);

	if (at == spec->len || strcmp(spec->items[at].path, path) != 0)
		return NULL;
	return &spec->items[at];
}

void cb_spec_set(struct cb_arena *arena, struct cb_spec *spec, const char *path,
		 struct cb_value value, struct cb_origin origin)
{
	size_t at = position(spec, path);
	struct cb_entry entry = {cb_arena_strdup(arena, path), value, origin};

	entry.value.string = cb_arena_strdup(arena, value.string);
	if (at < spec->len && strcmp(spec->items[at].path, path) == 0) {
		spec->items[at] = entry;
		return;
	}
	cb_vec_push(arena, spec, entry);
	memmove(&spec->items[at + 1], &spec->items[at],
		(spec->len - 1 - at) * sizeof(*spec->items));
	spec->items[at] = entry;
}

void cb_spec_unset(struct cb_spec *spec, const char *path)
{
	size_t len = strlen(path), at = position(spec, path), end = at;
	bool all = len > 0 && path[len - 1] == '[';

	while (end < spec->len && (all ? strncmp(spec->items[end].path, path, len) == 0
				       : strcmp(spec->items[end].path, path) == 0))
		end++;
	if (end == at)
		return;
	memmove(&spec->items[at], &spec->items[end], (spec->len - end) * sizeof(*spec->items));
	spec->len -= end - at;
}

const char *cb_spec_string(const struct cb_spec *spec, const char *path)
{
	const struct cb_entry *entry = cb_spec_find(spec, path);

	return entry && entry->value.kind == CB_STRING ? entry->value.string : NULL;
}

int64_t cb_spec_int(const struct cb_spec *spec, const char *path, int64_t otherwise)
{
	const struct cb_entry *entry = cb_spec_find(spec, path);

	return entry && entry->value.kind == CB_INT ? entry->value.integer : otherwise;
}

bool cb_spec_bool(const struct cb_spec *spec, const char *path, bool otherwise)
{
	const struct cb_entry *entry = cb_spec_find(spec, path);

	return entry && entry->value.kind == CB_BOOL ? entry->value.boolean : otherwise;
}
