/* decode_internal.h: what decode.c (structure), value.c (single values) and content.c (lists of
 * texts and free content) share. */
#ifndef CB_SCHEMA_DECODE_INTERNAL_H
#define CB_SCHEMA_DECODE_INTERNAL_H

#include "reconciler/base/str.h"
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

/* What CloneBox makes of a scalar, with a warning where that is another than what stands there;
 * `node` itself unless the text is read leniently. */
const struct cb_yaml_node *cb_lenient_scalar(const struct cb_decode *d,
					     const struct cb_field *field,
					     const struct cb_yaml_node *node);

/* Where the value of a key goes that stands in the map of that path. */
const char *cb_spelling_path(const struct cb_decode *d, const struct cb_field *field,
			     const char *map);

/* Makes of a value that of the target; false where that is not possible: reported. */
bool cb_spelling_convert(const struct cb_decode *d, const struct cb_field *field,
			 const struct cb_yaml_node *node, struct cb_value *value);

/* Sets what the key says, unless another spelling of it has said otherwise: reported. */
void cb_spelling_set(const struct cb_decode *d, const struct cb_field *field,
		     const struct cb_yaml_node *node, const char *path, struct cb_value value,
		     struct cb_origin origin, struct cb_spec *spec);

/* Sets what a spelling says besides. */
void cb_spelling_imply(const struct cb_decode *d, const struct cb_field *field,
		       const struct cb_yaml_node *node, struct cb_spec *spec);

/* Whether the blank-separated list has the word. */
bool cb_is_word_of(const char *words, const char *text);

/* Reads what has a form of its own; `node` is no scalar for CB_TYPE_CPUS only. */
bool cb_decode_typed(const struct cb_decode *d, const struct cb_field *field,
		     const struct cb_yaml_node *node, struct cb_value *value);

/* Appends a value of such a field as people write it, so that it is read as the same. */
void cb_typed_add(struct cb_str *out, enum cb_field_type type, int64_t value);

/* Appends the limits of such a field: "1s to 1d". */
void cb_typed_limits(const struct cb_field *field, struct cb_str *out);

/* "for example: ..." */
const char *cb_decode_example(const struct cb_decode *d, const struct cb_field *field);

#endif
