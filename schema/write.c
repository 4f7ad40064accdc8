#include "schema/write.h"

#include <string.h>

#include "schema/write_internal.h"

static void set_default(struct cb_arena *arena, struct cb_spec *spec, const struct cb_field *field,
			const char *path)
{
	struct cb_value value = cb_field_default(field);

	if (value.kind != CB_NONE && !cb_spec_find(spec, path))
		cb_spec_set(arena, spec, path, value, (struct cb_origin){.from = CB_FROM_DEFAULT});
}

/* What holds in a map is not said of one that is not there. */
static bool is_there(const struct cb_spec *spec, const char *path)
{
	const char *dot = strrchr(path, '.');
	size_t len = dot ? (size_t)(dot - path) + 1 : 0;

	if (!dot)
		return true;
	cb_vec_each (const struct cb_entry, entry, spec) {
		if (strncmp(entry->path, path, len) == 0)
			return true;
	}
	return false;
}

/* The row's default for each element of its list that is there. */
static void set_in_list(struct cb_arena *arena, struct cb_spec *spec, const struct cb_spec *said,
			const struct cb_field *field, const char *bracket)
{
	const char *list = cb_arena_strndup(arena, field->path, (size_t)(bracket - field->path));
	const char *seen = "";

	cb_vec_each (const struct cb_entry, entry, said) {
		const char *name = cb_field_element(arena, list, entry->path);

		if (!name || strcmp(name, seen) == 0)
			continue;
		seen = name;
		set_default(arena, spec, field,
			    cb_arena_printf(arena, "%s[%s]%s", list, name, bracket + strlen("[]")));
	}
}

struct cb_spec cb_write_complete(struct cb_arena *arena, enum cb_scope scope,
				 const struct cb_spec *spec)
{
	struct cb_spec out = {0};
	const struct cb_field *fields;
	bool has_nics = false;
	size_t n;

	cb_vec_each (const struct cb_entry, entry, spec) {
		cb_spec_set(arena, &out, entry->path, entry->value, entry->origin);
		has_nics = has_nics || strncmp(entry->path, "nics[", strlen("nics[")) == 0;
	}
	fields = cb_fields(&n);
	for (size_t i = 0; i < n; i++) {
		const char *bracket = strstr(fields[i].path, "[]");

		/* Interfaces take the place of that of `network_mode`. */
		if (fields[i].scope != scope ||
		    (has_nics && strcmp(fields[i].path, "network_mode") == 0))
			continue;
		if (bracket)
			set_in_list(arena, &out, spec, &fields[i], bracket);
		else if (is_there(spec, fields[i].path))
			set_default(arena, &out, &fields[i], fields[i].path);
	}
	return out;
}

bool cb_write_is_json(const struct cb_field *field, const struct cb_entry *entry)
{
	return field && entry->value.kind == CB_STRING &&
	       (field->type == CB_TYPE_TEXTS || field->type == CB_TYPE_JSON ||
		field->type == CB_TYPE_INTS || field->type == CB_TYPE_PAIRS);
}

const struct cb_declarations *cb_write_declarations(const struct cb_desired *desired,
						    const char *key)
{
	if (strcmp(key, "hosts") == 0)
		return &desired->hosts;
	if (strcmp(key, "images") == 0)
		return &desired->images;
	if (strcmp(key, "networks") == 0)
		return &desired->networks;
	if (strcmp(key, "policies") == 0)
		return &desired->policies;
	return strcmp(key, "pools") == 0 ? &desired->pools : NULL;
}
