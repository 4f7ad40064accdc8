#include "reconciler/model/field.h"

#include <stdlib.h>
#include <string.h>

#include "schema/measure.h"

static const struct cb_field fields[] = {
#define FIELD(scope_, path_, type_, unit_, initial_, min_, max_, values_, mutability_, doc_,       \
	      example_)                                                                            \
	{                                                                                          \
		.path = (path_),                                                                   \
		.scope = CB_SCOPE_##scope_,                                                        \
		.type = CB_TYPE_##type_,                                                           \
		.unit = (unit_),                                                                   \
		.initial = (initial_),                                                             \
		.min = (min_),                                                                     \
		.max = (max_),                                                                     \
		.values = (values_),                                                               \
		.mutability = CB_MUT_##mutability_,                                                \
		.doc = (doc_),                                                                     \
		.example = (example_),                                                             \
	},
#define ALIAS(scope_, path_, type_, unit_, min_, max_, values_, target_, convert_, doc_, example_) \
	{                                                                                          \
		.path = (path_),                                                                   \
		.scope = CB_SCOPE_##scope_,                                                        \
		.type = CB_TYPE_##type_,                                                           \
		.unit = (unit_),                                                                   \
		.min = (min_),                                                                     \
		.max = (max_),                                                                     \
		.values = (values_),                                                               \
		.mutability = CB_MUT_LOAD,                                                         \
		.doc = (doc_),                                                                     \
		.example = (example_),                                                             \
		.target = (target_),                                                               \
		.convert = CB_CONVERT_##convert_,                                                  \
	},
#include "schema/fields.def"
#undef ALIAS
#undef FIELD
};

const struct cb_field *cb_fields(size_t *count)
{
	*count = CB_COUNT(fields);
	return fields;
}

/* Whether the row's pattern is that of the path: "disks[].size", "disks[data].size". */
static bool matches(const char *pattern, const char *path)
{
	for (; *pattern && *pattern == *path; pattern++, path++) {
		if (*pattern != '[')
			continue;
		if (!(path = strchr(path, ']')))
			return false;
		pattern = strchr(pattern, ']');
	}
	return *pattern == *path;
}

const struct cb_field *cb_field_find(enum cb_scope scope, const char *path)
{
	for (size_t i = 0; i < CB_COUNT(fields); i++) {
		if (fields[i].scope == scope && matches(fields[i].path, path))
			return &fields[i];
	}
	return NULL;
}

const char *cb_field_element(struct cb_arena *arena, const char *list, const char *path)
{
	size_t len = strlen(list);
	const char *end;

	if (strncmp(path, list, len) != 0 || path[len] != '[' || !(end = strchr(path, ']')))
		return NULL;
	return cb_arena_strndup(arena, path + len + 1, (size_t)(end - path) - len - 1);
}

enum cb_scope cb_field_scope_below(enum cb_scope scope, const char *path, bool *named)
{
	static const struct {
		enum cb_scope scope;
		const char *path;
		enum cb_scope below;
		bool named;
	} rows[] = {
		{CB_SCOPE_ROOT, "vm", CB_SCOPE_VM, false},
		{CB_SCOPE_ROOT, "vms", CB_SCOPE_VM, true},
		{CB_SCOPE_ROOT, "profiles", CB_SCOPE_VM, true},
		{CB_SCOPE_ROOT, "hosts", CB_SCOPE_HOST, true},
		{CB_SCOPE_ROOT, "images", CB_SCOPE_IMAGE, true},
		{CB_SCOPE_ROOT, "networks", CB_SCOPE_NETWORK, true},
		{CB_SCOPE_ROOT, "pools", CB_SCOPE_POOL, true},
		{CB_SCOPE_ROOT, "policies", CB_SCOPE_POLICY, true},
		{CB_SCOPE_ROOT, "defaults", CB_SCOPE_DEFAULTS, false},
		{CB_SCOPE_DEFAULTS, "vm", CB_SCOPE_VM, false},
	};

	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		if (rows[i].scope == scope && strcmp(rows[i].path, path) == 0) {
			*named = rows[i].named;
			return rows[i].below;
		}
	}
	return CB_SCOPE_ROOT;
}

const char *cb_scope_name(enum cb_scope scope)
{
	switch (scope) {
	case CB_SCOPE_ROOT:
		return "manifest";
	case CB_SCOPE_DEFAULTS:
		return "defaults";
	case CB_SCOPE_HOST:
		return "host";
	case CB_SCOPE_IMAGE:
		return "image";
	case CB_SCOPE_NETWORK:
		return "network";
	case CB_SCOPE_POOL:
		return "pool";
	case CB_SCOPE_POLICY:
		return "policy";
	case CB_SCOPE_RULES:
		return "rules";
	case CB_SCOPE_VM:
		return "vm";
	}
	return "";
}

struct cb_value cb_field_default(const struct cb_field *field)
{
	int64_t number;

	if (!field->initial)
		return (struct cb_value){0};
	switch (field->type) {
	case CB_TYPE_BOOL:
		return cb_bool(strcmp(field->initial, "true") == 0);
	case CB_TYPE_INT:
		return cb_int(strtoll(field->initial, NULL, 10));
	case CB_TYPE_STRING:
	case CB_TYPE_ENUM:
	case CB_TYPE_NAME:
	case CB_TYPE_FILE:
	case CB_TYPE_KEY:
	case CB_TYPE_MAC:
	case CB_TYPE_IP:
	case CB_TYPE_CIDR:
	case CB_TYPE_SECRET:
	case CB_TYPE_DIRECTORY:
		return cb_string(field->initial);
	case CB_TYPE_DURATION:
		return cb_measure_duration(field->initial, "", &number) == 0 ? cb_int(number)
									     : (struct cb_value){0};
	case CB_TYPE_INTS:
		return cb_string(field->initial);
	case CB_TYPE_BYTES:
	case CB_TYPE_RATE:
	case CB_TYPE_SCHEDULE:
	case CB_TYPE_CPUS:
	case CB_TYPE_PAIRS:
	case CB_TYPE_SIZE:
	case CB_TYPE_TEXTS:
	case CB_TYPE_JSON:
	case CB_TYPE_MAP:
	case CB_TYPE_LIST:
	case CB_TYPE_MOUNTS:
	case CB_TYPE_ANY:
		break;
	}
	return (struct cb_value){0};
}

const char *cb_mutability_name(enum cb_mutability mutability)
{
	switch (mutability) {
	case CB_MUT_LIVE:
		return "live";
	case CB_MUT_RESTART:
		return "restart";
	case CB_MUT_RECREATE:
		return "recreate";
	case CB_MUT_IMMUTABLE:
		return "immutable";
	case CB_MUT_STATE:
		return "state";
	case CB_MUT_RECORD:
		return "record";
	case CB_MUT_SEED:
		return "seed";
	case CB_MUT_LOAD:
		return "load";
	case CB_MUT_POLICY:
		return "policy";
	case CB_MUT_UNMANAGED:
		return "unmanaged";
	case CB_MUT_LATER:
		return "later";
	}
	return "";
}

/* The row that another spelling is about; the list, for one of its elements. */
static const struct cb_field *target_of(const struct cb_field *field)
{
	size_t len = field->target ? strcspn(field->target, "[") : 0;

	if (!field->target || !field->target[len] || field->convert != CB_CONVERT_INTO)
		return field->target ? cb_field_find(field->scope, field->target) : NULL;
	for (size_t i = 0; i < CB_COUNT(fields); i++) {
		if (fields[i].scope == field->scope &&
		    strncmp(fields[i].path, field->target, len) == 0 && !fields[i].path[len])
			return &fields[i];
	}
	return NULL;
}

enum cb_class cb_field_class(const struct cb_field *field)
{
	const struct cb_field *target = target_of(field);

	switch (target ? target->mutability : field->mutability) {
	case CB_MUT_SEED:
		return CB_CLASS_GUEST;
	case CB_MUT_POLICY:
	case CB_MUT_LATER:
		return CB_CLASS_POLICY;
	case CB_MUT_UNMANAGED:
		return CB_CLASS_UNMANAGED;
	case CB_MUT_LIVE:
	case CB_MUT_RESTART:
	case CB_MUT_RECREATE:
	case CB_MUT_IMMUTABLE:
	case CB_MUT_STATE:
	case CB_MUT_RECORD:
	case CB_MUT_LOAD:
		break;
	}
	return CB_CLASS_REALISED;
}

const char *cb_class_name(enum cb_class class)
{
	static const char *const names[] = {
		[CB_CLASS_REALISED] = "realised",
		[CB_CLASS_GUEST] = "guest",
		[CB_CLASS_POLICY] = "policy",
		[CB_CLASS_UNMANAGED] = "unmanaged",
	};

	return names[class];
}
