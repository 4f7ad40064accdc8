/*
 * json_schema.h: JSON Schemas (2020-12) of what people write and of what the program prints.
 *
 * Those of manifests, profiles and policy files are made from the rows of fields.def, for editors
 * and for who checks manifests elsewhere. They say all that can be said of one key; what several
 * keys have to do with each other is mostly for `clonebox validate` to say. Those of outputs stand
 * in schema/json and are part of the program.
 */
#ifndef CB_SCHEMA_JSON_SCHEMA_H
#define CB_SCHEMA_JSON_SCHEMA_H

#include "reconciler/base/error.h"
#include "reconciler/base/str.h"

/* A schema that stands in schema/json. */
struct cb_json_file {
	const char *kind;
	const char *bytes; /* ends with a NUL */
};

/* Made by schema/json/embed when the program is built; the last one has no kind. */
extern const struct cb_json_file cb_json_files[];

/* The kinds there are: the i-th, NULL behind the last one. */
const char *cb_json_schema_kind(size_t i);

/* Appends the schema of a kind, "manifest" for one; CB_E_USAGE if there is none of that kind. */
CB_CHECKED int cb_json_schema(const char *kind, struct cb_str *out, struct cb_error *err);

#endif
