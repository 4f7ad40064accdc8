/* What CloneBox's loader makes of scalars that have to be said more clearly here: YAML 1.1, then
 * Python's idea of the value as text. With a warning each. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "schema/decode_internal.h"
#include "schema/scalar.h"

/* "1_0:30" in base 60, "0x1f", "010", "+12", "1_000". False where it does not fit, or is text in
 * YAML 1.1 after all. */
static bool number_of(enum cb_scalar kind, const char *text, int64_t *value)
{
	bool negative = *text == '-';
	int64_t base = 10, part = 0, sum = 0;

	text += *text == '-' || *text == '+';
	if (kind == CB_SCALAR_RADIX) {
		if (text[1] == 'o')
			return false;
		base = text[1] == 'x' ? 16 : 2;
		text += 2;
	} else if (kind == CB_SCALAR_ZERO) {
		base = 8;
	}
	for (; *text; text++) {
		static const char digits[] = "0123456789abcdef";
		const char *digit =
			strchr(digits, *text >= 'A' && *text <= 'F' ? *text + 32 : *text);

		if (*text == '_')
			continue;
		if (*text == ':') {
			sum = (sum + part) * 60;
			part = 0;
			continue;
		}
		if (!digit || digit - digits >= base || __builtin_mul_overflow(part, base, &part) ||
		    __builtin_add_overflow(part, (int64_t)(digit - digits), &part))
			return false;
	}
	if (__builtin_add_overflow(sum, part, &sum))
		return false;
	*value = negative ? -sum : sum;
	return true;
}

static bool is_integer(enum cb_scalar kind)
{
	return kind == CB_SCALAR_INT || kind == CB_SCALAR_PLUS || kind == CB_SCALAR_ZERO ||
	       kind == CB_SCALAR_RADIX || kind == CB_SCALAR_UNDERSCORE ||
	       kind == CB_SCALAR_SEXAGESIMAL;
}

/* What str() makes of the value. */
static const char *as_text(const struct cb_decode *d, enum cb_scalar kind, const char *text)
{
	int64_t number;

	if (kind == CB_SCALAR_BOOL)
		return cb_scalar_bool(text) ? "True" : "False";
	if (is_integer(kind) && number_of(kind, text, &number))
		return cb_arena_printf(d->arena, "%" PRId64, number);
	return text;
}

/* NULL where it is as good as it is. */
static const char *reading(const struct cb_decode *d, const struct cb_field *field,
			   const struct cb_yaml_node *node, bool *plain)
{
	enum cb_scalar kind = cb_decode_kind(node), quoted = cb_scalar_of(node->text);
	int64_t number;

	*plain = true;
	if (field->type == CB_TYPE_INT) {
		if (!node->plain && quoted == CB_SCALAR_INT)
			return node->text;
		if (is_integer(kind) && kind != CB_SCALAR_INT &&
		    number_of(kind, node->text, &number))
			return cb_arena_printf(d->arena, "%" PRId64, number);
		return NULL;
	}
	if (field->type == CB_TYPE_BOOL) {
		if (!node->plain && quoted == CB_SCALAR_BOOL)
			return node->text;
		return kind == CB_SCALAR_INT && strcmp(node->text, "0") == 0   ? "false"
		       : kind == CB_SCALAR_INT && strcmp(node->text, "1") == 0 ? "true"
									       : NULL;
	}
	if (field->type == CB_TYPE_ENUM)
		return strcmp(field->path, "network_mode") == 0 &&
				       !cb_is_word_of(field->values, node->text)
			       ? "default"
			       : NULL;
	if (kind == CB_SCALAR_TEXT ||
	    (field->type != CB_TYPE_STRING && field->type != CB_TYPE_FILE &&
	     field->type != CB_TYPE_SECRET && field->type != CB_TYPE_NAME &&
	     field->type != CB_TYPE_KEY))
		return NULL;
	*plain = false;
	/* The time of a day is what was meant, whatever the loader makes of it. */
	return field->convert == CB_CONVERT_TIME ? node->text : as_text(d, kind, node->text);
}

const struct cb_yaml_node *cb_lenient_scalar(const struct cb_decode *d,
					     const struct cb_field *field,
					     const struct cb_yaml_node *node)
{
	struct cb_yaml_node *copy;
	const char *text;
	bool plain;

	if (!d->lenient || node->expanded || strlen(node->text) != node->len ||
	    !(text = reading(d, field, node, &plain)))
		return node;
	copy = cb_arena_new(d->arena, struct cb_yaml_node);
	*copy = *node;
	copy->text = text;
	copy->len = strlen(text);
	copy->plain = plain;
	copy->tag = NULL;
	if (field->type == CB_TYPE_SECRET)
		cb_decode_warn(d, node, "manifest.lenient", "put it in quotes if it is text",
			       "'%s' is read as CloneBox reads it", field->path);
	else
		cb_decode_warn(d, node, "manifest.lenient", NULL,
			       "'%s': %s is read as %s, as CloneBox does", field->path,
			       cb_decode_quote(d, node), cb_decode_quote(d, copy));
	return copy;
}
