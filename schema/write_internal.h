/* write_internal.h: what write_text.c and write_json.c share. */
#ifndef CB_SCHEMA_WRITE_INTERNAL_H
#define CB_SCHEMA_WRITE_INTERNAL_H

#include "reconciler/model/field.h"
#include "schema/write.h"

#define CB_WRITE_SECRET "(sensitive)"

/* The spec with the built-in defaults of what it does not say; those are CB_FROM_DEFAULT. */
struct cb_spec cb_write_complete(struct cb_arena *arena, enum cb_scope scope,
				 const struct cb_spec *spec);

/* Whether the text of the entry is the JSON of its value. */
bool cb_write_is_json(const struct cb_field *field, const struct cb_entry *entry);

/* What there is besides VMs, by the key of the top level. */
const struct cb_declarations *cb_write_declarations(const struct cb_desired *desired,
						    const char *key);

#endif
