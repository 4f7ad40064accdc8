#include "reconciler/model/field.h"

#include <stdlib.h>
#include <string.h>

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
#include "schema/fields.def"
#undef FIELD
};

const struct cb_field *cb_fields(size_t *count)
{
	*count = CB_COUNT(fields);
	return fields;
}

const struct cb_field *cb_field_find(enum cb_scope scope, const char *path)
{
	for (size_t i = 0; i < CB_COUNT(fields); i++) {
		if (fields[i].scope == scope && strcmp(fields[i].path, path) == 0)
			return &fields[i];
	}
	return NULL;
}

struct cb_value cb_field_default(const struct cb_field *field)
{
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
		return cb_string(field->initial);
	case CB_TYPE_MAP:
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
	case CB_MUT_LATER:
		return "later";
	}
	return "";
}
