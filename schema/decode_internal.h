/* decode_internal.h: what decode.c (structure), value.c (single values) and content.c (lists of
 * texts and free content) share. */
#ifndef CB_SCHEMA_DECODE_INTERNAL_H
#define CB_SCHEMA_DECODE_INTERNAL_H

#include "schema/decode.h"
#include "schema/scalar.h"

/* What an unquoted text is read as. Quotes and !!str make it text. */
enum cb_scalar cb_decode_kind(const struct cb_yaml_node *node);

/* The node's text in quotes, for messages. */
const char *cb_decode_quote(const struct cb_decode *d, const struct cb_yaml_node *node);

/* Whether its tag changes nothing; reported where it does. */
bool cb_decode_tag(const struct cb_decode *d, const struct cb_yaml_node *node);

/* What a field wants, for messages: "a whole number of MiB". */
const char *cb_decode_wanted(const struct cb_decode *d, const struct cb_field *field);

/* Reads text; false where it is wrong: reported. */
bool cb_decode_text(const struct cb_decode *d, const struct cb_field *field,
		    const struct cb_yaml_node *node, struct cb_value *value);

/* Reads a list of texts or a map of anything, as JSON. Sets origin->sensitive. */
bool cb_decode_content(const struct cb_decode *d, const struct cb_field *field,
		       const struct cb_yaml_node *node, struct cb_value *value,
		       struct cb_origin *origin);

/* paths.c: an absolute path, as it is written most simply; false where it is none: reported. */
bool cb_decode_directory(const struct cb_decode *d, const struct cb_field *field,
			 const struct cb_yaml_node *node, struct cb_value *value);

/* "for example: ..." */
const char *cb_decode_example(const struct cb_decode *d, const struct cb_field *field);

#endif
