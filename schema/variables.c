#include "schema/variables.h"

#include <jansson.h>
#include <string.h>

#include "reconciler/base/str.h"

#define NAME_FIRST "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
#define NAME_REST  NAME_FIRST "0123456789"

/* NULL where the name has no value. */
static const char *lookup(const struct cb_decode *d, const char *name, size_t len)
{
	for (const char *const *v = d->variables; v && *v; v++) {
		if (strncmp(*v, name, len) == 0 && (*v)[len] == '=')
			return *v + len + 1;
	}
	return NULL;
}

/* Length of the name of "${NAME}", 0 if it is none. */
static size_t name_length(const char *text)
{
	size_t len = strspn(text, NAME_FIRST) > 0 ? strspn(text, NAME_REST) : 0;

	return text[len] == '}' ? len : 0;
}

/* Names tell things apart and stand in every message: no place for what must not be shown. */
static bool is_name(const struct cb_field *field)
{
	return field->type == CB_TYPE_NAME || field->type == CB_TYPE_KEY ||
	       field->type == CB_TYPE_DIRECTORY ||
	       (field->scope == CB_SCOPE_ROOT && field->mutability == CB_MUT_IMMUTABLE);
}

/* Shell has more forms of ${, and what the guest runs may hold them. */
static bool is_free(const struct cb_field *field)
{
	return field->type == CB_TYPE_TEXTS || field->type == CB_TYPE_JSON;
}

/* What nobody acts on needs no variables, and is not to be shown less for it. */
static bool is_unmanaged(const struct cb_field *field)
{
	return cb_field_class(field) == CB_CLASS_UNMANAGED;
}

static void report_missing(const struct cb_decode *d, const struct cb_yaml_node *node,
			   const char *name, size_t len)
{
	cb_decode_problem(d, node, "manifest.variable",
			  "set it in the environment or in .clonebox.env beside the manifest; "
			  "write $${ for a plain ${",
			  "the variable '%.*s' has no value", (int)len, name);
}

/* The environment may hold any bytes. */
static bool is_text(const char *value)
{
	json_auto_t *text = json_string(value);

	return text != NULL;
}

/* Appends the text with its variables replaced; false where that fails. */
static bool expand(const struct cb_decode *d, const struct cb_field *field,
		   const struct cb_yaml_node *node, struct cb_str *out, bool *expanded)
{
	const char *at = node->text, *dollar;

	while ((dollar = strstr(at, "${"))) {
		size_t len = name_length(dollar + 2);
		bool escaped = dollar > at && dollar[-1] == '$';
		const char *value = len && !escaped ? lookup(d, dollar + 2, len) : NULL;

		cb_str_add_bytes(out, at, (size_t)(dollar - at) - escaped);
		at = dollar + 2;
		if (value && !is_text(value)) {
			cb_decode_problem(d, node, "manifest.variable", NULL,
					  "the value of the variable '%.*s' is not UTF-8", (int)len,
					  dollar + 2);
			return false;
		}
		if (value) {
			cb_str_add(out, value);
			*expanded = true;
			at += len + 1;
		} else if (escaped || (len == 0 && is_free(field))) {
			cb_str_add(out, "${");
		} else if (len && d->lenient && cb_field_class(field) == CB_CLASS_POLICY) {
			cb_decode_warn(d, node, "manifest.variable", NULL,
				       "the variable '%.*s' has no value; '%s' is left as it is",
				       (int)len, dollar + 2, field->path);
			cb_str_add(out, "${");
		} else if (len) {
			report_missing(d, node, dollar + 2, len);
			return false;
		} else {
			cb_decode_problem(d, node, "manifest.variable",
					  "a name has letters, digits and '_', and stands between "
					  "'${' and '}'; write $${ for a plain ${",
					  "'%s' holds a '${' without the name of a variable",
					  field->path);
			return false;
		}
		if (*d->expanded + out->len > CB_VARIABLES_BYTES) {
			cb_decode_problem(d, node, "manifest.limit", NULL,
					  "the values with variables are too long: the limit for "
					  "a file is %d bytes",
					  CB_VARIABLES_BYTES);
			return false;
		}
	}
	cb_str_add(out, at);
	*d->expanded += out->len;
	return true;
}

const struct cb_yaml_node *cb_variables_expand(const struct cb_decode *d,
					       const struct cb_field *field,
					       const struct cb_yaml_node *node)
{
	cb_auto_str struct cb_str out = {0};
	struct cb_yaml_node *copy = NULL;
	bool expanded = false;

	/* A NUL can only come from an escape; whoever wants the value refuses it. */
	if (strlen(node->text) != node->len || !strstr(node->text, "${") || is_unmanaged(field))
		return node;
	if (is_name(field)) {
		cb_decode_problem(d, node, "manifest.variable", "write the name out",
				  "'%s' cannot come from a variable: names are shown, and values "
				  "of variables are not",
				  field->path);
		return NULL;
	}
	if (expand(d, field, node, &out, &expanded)) {
		/* A copy: an anchor may be a value here and a key elsewhere. */
		copy = cb_arena_new(d->arena, struct cb_yaml_node);
		*copy = *node;
		copy->text = cb_arena_strndup(d->arena, cb_str_text(&out), out.len);
		copy->len = out.len;
		copy->expanded = expanded;
	}
	cb_str_wipe(&out);
	return copy;
}
