/* json_schema_internal.h: what the files of the generator share. */
#ifndef CB_SCHEMA_JSON_SCHEMA_INTERNAL_H
#define CB_SCHEMA_JSON_SCHEMA_INTERNAL_H

#include <jansson.h>

#include "reconciler/base/arena.h"
#include "reconciler/model/field.h"

#define CB_JSON_DEFS "#/$defs/"

/* Names of what stands there. */
#define CB_JSON_VARIABLE "variable" /* a text with ${NAME} in it */
#define CB_JSON_UNSAID   "unsaid"   /* nothing, or such a text */
#define CB_JSON_VM       "vm"

enum { CB_JSON_ENTRIES = 100, CB_JSON_PATHS = 100 }; /* limits of decode.c and paths.c */

/* {"$ref": "#/$defs/..."} */
json_t *cb_json_ref(const char *name);

/* What may stand behind the key of a row that has no rows of its own below it. The caller owns it.
 */
json_t *cb_json_value(struct cb_arena *arena, const struct cb_field *field);

/* An absolute path; `guest`: not "/". */
json_t *cb_json_directory(bool guest);

/* Adds what people should know of the key: words, the built-in default, an example. */
void cb_json_describe(struct cb_arena *arena, const struct cb_field *field, json_t *schema);

/* The definitions that values refer to. */
void cb_json_add_definitions(json_t *definitions);

#endif
