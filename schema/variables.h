/*
 * variables.h: ${NAME} in values.
 *
 * Values only, never keys and never names: a variable must not change what a manifest is about.
 * What is replaced is marked, and neither shown nor kept as it is from then on. "$${" is "${".
 *
 * Only what is acted on is expanded: a key that loads with a warning needs no variables.
 */
#ifndef CB_SCHEMA_VARIABLES_H
#define CB_SCHEMA_VARIABLES_H

#include "schema/decode.h"

enum {
	CB_VARIABLES_BYTES = 1024 * 1024, /* of all values of one file that hold variables */
};

/* The scalar with its variables replaced, for this field; `node` itself if there are none. NULL
 * where a name has no value, or there is too much: reported. */
const struct cb_yaml_node *cb_variables_expand(const struct cb_decode *d,
					       const struct cb_field *field,
					       const struct cb_yaml_node *node);

#endif
