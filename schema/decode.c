#include "schema/decode.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/error.h"
#include "reconciler/base/str.h"
#include "schema/problem.h"
#include "schema/scalar.h"
#include "schema/suggest.h"

#define YAML_TAG "tag:yaml.org,2002:"

static void report(const struct cb_decode *d, const struct cb_yaml_node *node,
		   enum cb_severity severity, const char *check, const char *fix,
		   const char *message)
{
	struct cb_schema_at at = {
		.severity = severity,
		.check = check,
		.target = d->target,
		.file = d->file,
		.line = node->line,
		.column = node->column,
	};

	cb_schema_report(d->arena, d->problems, &at, fix, "%s", message);
}

void cb_decode_problem(const struct cb_decode *d, const struct cb_yaml_node *node,
		       const char *check, const char *fix, const char *fmt, ...)
{
	char *message = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&message, fmt, ap) < 0)
		cb_oom();
	va_end(ap);
	report(d, node, CB_PROBLEM, check, fix, message);
	free(message);
}

struct cb_origin cb_decode_origin(const struct cb_decode *d, const struct cb_yaml_node *node)
{
	return (struct cb_origin){CB_FROM_MANIFEST, d->file, node->line, node->column};
}

static const char *quote(const struct cb_decode *d, const struct cb_yaml_node *node)
{
	return cb_schema_quote(d->arena, node->text, node->len);
}

/* What an unquoted text is read as. Quotes and !!str make it text. */
static enum cb_scalar kind_of(const struct cb_yaml_node *node)
{
	if (!node->plain || node->tag)
		return CB_SCALAR_TEXT;
	return cb_scalar_of(node->text);
}

bool cb_decode_is_null(const struct cb_yaml_node *node)
{
	return node->kind == CB_YAML_SCALAR && kind_of(node) == CB_SCALAR_NULL;
}

/* Only the tags that change nothing, and !!str. */
static bool tag_is_fine(const struct cb_decode *d, const struct cb_yaml_node *node)
{
	static const char *const own[] = {
		[CB_YAML_SCALAR] = YAML_TAG "str",
		[CB_YAML_MAP] = YAML_TAG "map",
		[CB_YAML_LIST] = YAML_TAG "seq",
	};

	if (!node->tag || strcmp(node->tag, "!") == 0 || strcmp(node->tag, own[node->kind]) == 0)
		return true;
	cb_decode_problem(d, node, "manifest.tag", "leave the tag out",
			  "the YAML tag %s is not supported",
			  cb_schema_quote(d->arena, node->tag, strlen(node->tag)));
	return false;
}

bool cb_decode_is_map(const struct cb_decode *d, const struct cb_yaml_node *node, const char *what,
		      const char *fix)
{
	if (!tag_is_fine(d, node))
		return false;
	if (node->kind == CB_YAML_MAP)
		return true;
	if (node->kind == CB_YAML_LIST)
		cb_decode_problem(d, node, "manifest.type", fix, "%s wants a map, found a list",
				  what);
	else if (cb_decode_is_null(node))
		cb_decode_problem(d, node, "manifest.type", fix, "%s wants a map, found nothing",
				  what);
	else
		cb_decode_problem(d, node, "manifest.type", fix, "%s wants a map, found %s", what,
				  quote(d, node));
	return false;
}

/* Whether a node can be a key at all. */
static bool key_is_text(const struct cb_decode *d, const struct cb_yaml_node *key)
{
	if (key->kind == CB_YAML_SCALAR)
		return tag_is_fine(d, key);
	cb_decode_problem(d, key, "manifest.type", "write 'key: value'",
			  "a key has to be text, found %s", cb_yaml_kind_name(key->kind));
	return false;
}

const struct cb_field *cb_decode_key(const struct cb_decode *d, enum cb_scope scope,
				     const char *map, const struct cb_yaml_node *key)
{
	const struct cb_field *field = NULL;
	const char *path;

	if (!key_is_text(d, key))
		return NULL;
	/* "boot.kernel" is a path of ours, not a key of theirs. */
	path = *map ? cb_arena_printf(d->arena, "%s.%s", map, key->text) : key->text;
	if (strlen(key->text) == key->len && !strchr(key->text, '.'))
		field = cb_field_find(scope, path);
	if (!field) {
		cb_decode_problem(d, key, "manifest.unknown-key",
				  cb_suggest_key(d->arena, scope, map, key->text), "unknown key %s",
				  quote(d, key));
		return NULL;
	}
	if (field->mutability == CB_MUT_LATER)
		report(d, key, CB_WARNING, "manifest.later", NULL,
		       cb_arena_printf(d->arena,
				       "'%s' is known from CloneBox; not acted on by this version",
				       field->path));
	return field;
}

/* "one of: running, stopped, absent" */
static const char *words_of(const struct cb_decode *d, const char *values)
{
	cb_auto_str struct cb_str out = {0};

	cb_str_add(&out, "one of: ");
	for (const char *p = values; *p; p++)
		cb_str_add_bytes(&out, *p == ' ' ? ", " : p, *p == ' ' ? 2 : 1);
	return cb_arena_strndup(d->arena, out.text, out.len);
}

/* What a field wants, for messages: "a whole number of MiB". */
static const char *wanted(const struct cb_decode *d, const struct cb_field *field)
{
	switch (field->type) {
	case CB_TYPE_BOOL:
		return "true or false";
	case CB_TYPE_INT:
		return *field->unit ? cb_arena_printf(d->arena, "a whole number of %s", field->unit)
				    : "a whole number";
	case CB_TYPE_STRING:
		return "text";
	case CB_TYPE_ENUM:
		return words_of(d, field->values);
	case CB_TYPE_NAME:
		return "a name";
	case CB_TYPE_FILE:
		return "the path of a file";
	case CB_TYPE_MAP:
		return "a map";
	case CB_TYPE_ANY:
		return "a value";
	}
	return "";
}

static const char *example(const struct cb_decode *d, const struct cb_field *field)
{
	return cb_arena_printf(d->arena, "for example: %s", field->example);
}

static bool decode_bool(const struct cb_decode *d, const struct cb_field *field,
			const struct cb_yaml_node *node, struct cb_value *value)
{
	const char *fix = example(d, field);

	if (kind_of(node) == CB_SCALAR_BOOL) {
		*value = cb_bool(cb_scalar_bool(node->text));
		return true;
	}
	if (cb_scalar_of(node->text) == CB_SCALAR_BOOL)
		fix = "remove the quotes";
	cb_decode_problem(d, node, "manifest.type", fix, "'%s' wants %s, found %s%s", field->path,
			  wanted(d, field), node->plain ? "" : "the text ", quote(d, node));
	return false;
}

/* "4GiB" where MiB are wanted: what to write, or NULL. */
static const char *converted(const struct cb_decode *d, const struct cb_field *field,
			     const char *text)
{
	static const char *const suffixes[] = {"M", "MiB", "G", "GiB", "T", "TiB"};
	static const char *const units[] = {"MiB", "GiB", "TiB"};
	char *rest;
	unsigned long long size = strtoull(text, &rest, 10);
	size_t from = CB_COUNT(suffixes), to = 0;

	while (to < CB_COUNT(units) && strcmp(units[to], field->unit) != 0)
		to++;
	rest += strspn(rest, " ");
	for (size_t i = 0; i < CB_COUNT(suffixes) && rest != text; i++) {
		if (strcmp(suffixes[i], rest) == 0)
			from = i / 2;
	}
	if (to == CB_COUNT(units) || from == CB_COUNT(suffixes) || size > UINT32_MAX)
		return NULL;
	for (; from > to; from--)
		size *= 1024;
	for (; from < to; from++) {
		if (size % 1024)
			return NULL;
		size /= 1024;
	}
	return cb_arena_printf(d->arena, "write %s: %llu", field->path, size);
}

/* Tells why the text is no number that the field takes. */
static void report_number(const struct cb_decode *d, const struct cb_field *field,
			  const struct cb_yaml_node *node)
{
	enum cb_scalar kind = cb_scalar_of(node->text);
	const char *fix = converted(d, field, node->text);

	if (!node->plain && kind == CB_SCALAR_INT)
		cb_decode_problem(d, node, "manifest.type",
				  cb_arena_printf(d->arena, "remove the quotes: %s: %s",
						  field->path, node->text),
				  "'%s' wants %s, found the text %s", field->path, wanted(d, field),
				  quote(d, node));
	else if (kind == CB_SCALAR_TEXT || kind == CB_SCALAR_BOOL || kind == CB_SCALAR_NULL)
		cb_decode_problem(d, node, "manifest.type", fix ? fix : example(d, field),
				  "'%s' wants %s, found %s%s", field->path, wanted(d, field),
				  node->plain ? "" : "the text ", quote(d, node));
	else
		cb_decode_problem(d, node, "manifest.number",
				  cb_arena_printf(d->arena, "write plain decimal digits, %s",
						  example(d, field)),
				  "'%s' wants %s, found %s: %s", field->path, wanted(d, field),
				  quote(d, node), cb_scalar_name(kind));
}

static bool decode_int(const struct cb_decode *d, const struct cb_field *field,
		       const struct cb_yaml_node *node, struct cb_value *value)
{
	int64_t number;

	if (kind_of(node) != CB_SCALAR_INT) {
		report_number(d, field, node);
		return false;
	}
	if (cb_scalar_int(node->text, &number) == 0 && number >= field->min &&
	    number <= field->max) {
		*value = cb_int(number);
		return true;
	}
	cb_decode_problem(d, node, "manifest.range", NULL,
			  "'%s' must be between %" PRId64 " and %" PRId64 "%s%s, found %s",
			  field->path, field->min, field->max, *field->unit ? " " : "", field->unit,
			  quote(d, node));
	return false;
}

static bool is_word_of(const char *words, const char *text)
{
	size_t len = strlen(text);

	while (*words) {
		size_t n = strcspn(words, " ");

		if (n == len && memcmp(words, text, n) == 0)
			return true;
		words += n + strspn(words + n, " ");
	}
	return false;
}

static bool decode_enum(const struct cb_decode *d, const struct cb_field *field,
			const struct cb_yaml_node *node, struct cb_value *value)
{
	enum cb_scalar kind = kind_of(node);
	const char *near;

	/* "1" and 1 are the same version, and no other value looks like a number. */
	if (is_word_of(field->values, node->text)) {
		*value = cb_string(node->text);
		return true;
	}
	near = cb_suggest_word(d->arena, field->values, node->text);
	cb_decode_problem(d, node, "manifest.value",
			  near ? cb_arena_printf(d->arena, "did you mean '%s'?", near) : NULL,
			  "'%s' wants %s; found %s%s", field->path, wanted(d, field),
			  quote(d, node),
			  kind == CB_SCALAR_BOOL ? ", which YAML reads as a boolean" : "");
	return false;
}

static bool allowed_in_text(unsigned char c, bool lines)
{
	return c >= 0x20 || (lines && (c == '\t' || c == '\n'));
}

/* What text has to be everywhere: XML and people can read it, and it has its length. */
static bool text_is_fine(const struct cb_decode *d, const struct cb_field *field,
			 const struct cb_yaml_node *node)
{
	bool lines = strcmp(field->unit, "lines") == 0;
	int64_t characters = 0;

	for (size_t i = 0; i < node->len; i++) {
		const char *p = &node->text[i];
		unsigned char c = (unsigned char)*p;

		characters += (c & 0xc0) != 0x80;
		if (c == '\n' && !lines) {
			cb_decode_problem(d, node, "manifest.value",
					  "for a folded text write '>-', which ends without one",
					  "'%s' has to be one line, found a line break",
					  field->path);
			return false;
		}
		/* U+FFFE and U+FFFF cannot stand in XML. */
		if (!allowed_in_text(c, lines) || c == 0x7f ||
		    (c == 0xef &&
		     (strncmp(p, "\xef\xbf\xbe", 3) == 0 || strncmp(p, "\xef\xbf\xbf", 3) == 0))) {
			cb_decode_problem(d, node, "manifest.value", NULL,
					  "'%s' holds a control character: %s", field->path,
					  quote(d, node));
			return false;
		}
	}
	if (characters >= field->min && characters <= field->max)
		return true;
	if (characters == 0)
		cb_decode_problem(d, node, "manifest.range",
				  "leave the key out if there is nothing to say",
				  "'%s' must not be empty", field->path);
	else
		cb_decode_problem(d, node, "manifest.range", NULL,
				  "'%s' may have at most %" PRId64 " characters, found %" PRId64,
				  field->path, field->max, characters);
	return false;
}

static bool names_a_file(const struct cb_field *field)
{
	return field->type == CB_TYPE_FILE || strstr(field->unit, "path");
}

static bool decode_text(const struct cb_decode *d, const struct cb_field *field,
			const struct cb_yaml_node *node, struct cb_value *value)
{
	enum cb_scalar kind = kind_of(node);

	if (kind != CB_SCALAR_TEXT) {
		cb_decode_problem(d, node, "manifest.quotes",
				  cb_arena_printf(d->arena, "put it in quotes: \"%s\"", node->text),
				  "'%s' wants %s; without quotes, %s is %s", field->path,
				  wanted(d, field), quote(d, node), cb_scalar_name(kind));
		return false;
	}
	if (!text_is_fine(d, field, node))
		return false;
	if (names_a_file(field) && node->text[0] == '~' &&
	    (node->text[1] == '/' || node->text[1] == '\0')) {
		cb_decode_problem(d, node, "manifest.value",
				  "write the path out, or relative to the manifest",
				  "'~' is not expanded in '%s'", field->path);
		return false;
	}
	*value = cb_string(node->text);
	return true;
}

static bool alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static const char *name_rules(const struct cb_decode *d, const struct cb_field *field)
{
	return cb_arena_printf(d->arena,
			       "a name has letters, digits, '.', '_' and '-', starts with a letter "
			       "or digit, and has at most %" PRId64 " characters",
			       field->max);
}

static bool name_is_fine(const struct cb_decode *d, const struct cb_field *field,
			 const struct cb_yaml_node *node)
{
	const char *bad = NULL;

	for (const char *p = node->text; p < node->text + node->len && !bad; p++) {
		if (!alphanumeric(*p) && (p == node->text || *p == '\0' || !strchr("._-", *p)))
			bad = p;
	}
	if (!bad)
		return true;
	cb_decode_problem(d, node, "manifest.name", name_rules(d, field),
			  "%s is not a VM name: character %zu is not allowed%s", quote(d, node),
			  (size_t)(bad - node->text) + 1, bad == node->text ? " there" : "");
	return false;
}

/* CloneBox expands ${NAME} wherever a value is text. */
static bool has_variable(const char *text)
{
	while ((text = strstr(text, "${"))) {
		text += 2;
		if (*text != '}' && strchr(text, '}'))
			return true;
	}
	return false;
}

bool cb_decode_value(const struct cb_decode *d, const struct cb_field *field,
		     const struct cb_yaml_node *node, struct cb_value *value)
{
	if (!tag_is_fine(d, node))
		return false;
	if (node->kind != CB_YAML_SCALAR) {
		cb_decode_problem(d, node, "manifest.type", example(d, field),
				  "'%s' wants %s, found %s", field->path, wanted(d, field),
				  cb_yaml_kind_name(node->kind));
		return false;
	}
	if (cb_decode_is_null(node))
		return false;
	if (has_variable(node->text)) {
		cb_decode_problem(d, node, "manifest.variable", "write the value out",
				  "'%s': ${...} is not supported by this version, found %s",
				  field->path, quote(d, node));
		return false;
	}
	switch (field->type) {
	case CB_TYPE_BOOL:
		return decode_bool(d, field, node, value);
	case CB_TYPE_INT:
		return decode_int(d, field, node, value);
	case CB_TYPE_ENUM:
		return decode_enum(d, field, node, value);
	case CB_TYPE_STRING:
	case CB_TYPE_FILE:
		return decode_text(d, field, node, value);
	case CB_TYPE_NAME:
		return decode_text(d, field, node, value) && name_is_fine(d, field, node);
	case CB_TYPE_MAP:
	case CB_TYPE_ANY:
		break;
	}
	return false;
}

const char *cb_decode_name(const struct cb_decode *d, const struct cb_yaml_node *node)
{
	const struct cb_field *field = cb_field_find(CB_SCOPE_VM, "name");
	struct cb_value value = {0};

	if (cb_decode_is_null(node)) {
		cb_decode_problem(d, node, "manifest.name", name_rules(d, field),
				  "a VM needs a name, found nothing");
		return NULL;
	}
	return cb_decode_value(d, field, node, &value) ? value.string : NULL;
}

/* Reads the scalar keys below `map`: "" for the VM itself, "boot" for its boot map. */
static void decode_keys(const struct cb_decode *d, const struct cb_yaml_node *node, const char *map,
			struct cb_spec *spec, const struct cb_yaml_node **name)
{
	cb_vec_each (const struct cb_yaml_pair, pair, &node->pairs) {
		const struct cb_field *field = cb_decode_key(d, CB_SCOPE_VM, map, pair->key);
		struct cb_value value = {0};

		if (!field || field->mutability == CB_MUT_LATER)
			continue;
		if (field->type == CB_TYPE_NAME) {
			if (!pair->duplicate)
				*name = pair->value;
		} else if (field->type == CB_TYPE_MAP) {
			if (!cb_decode_is_null(pair->value) &&
			    cb_decode_is_map(d, pair->value,
					     cb_arena_printf(d->arena, "'%s'", field->path),
					     example(d, field)))
				decode_keys(d, pair->value, field->path, spec, name);
		} else if (cb_decode_value(d, field, pair->value, &value) && !pair->duplicate) {
			cb_spec_set(d->arena, spec, field->path, value,
				    cb_decode_origin(d, pair->value));
		}
	}
}

/* The value of a key, NULL where it is not there. */
static const struct cb_yaml_node *value_of(const struct cb_yaml_node *map, const char *key)
{
	cb_vec_each (const struct cb_yaml_pair, pair, &map->pairs) {
		if (pair->key->kind == CB_YAML_SCALAR && strcmp(pair->key->text, key) == 0)
			return pair->value;
	}
	return NULL;
}

/* A kernel has to be there for what is only of use to a kernel. */
static void check_boot(const struct cb_decode *d, const struct cb_yaml_node *map)
{
	static const char *const need_kernel[] = {"initrd", "cmdline"};
	const struct cb_yaml_node *boot = value_of(map, "boot");
	const struct cb_yaml_node *kernel = boot ? value_of(boot, "kernel") : NULL;

	if (!boot || (kernel && !cb_decode_is_null(kernel)))
		return;
	for (size_t i = 0; i < CB_COUNT(need_kernel); i++) {
		const struct cb_yaml_node *value = value_of(boot, need_kernel[i]);

		if (value && !cb_decode_is_null(value))
			cb_decode_problem(
				d, value, "manifest.boot", "add boot.kernel, or leave this out",
				"'boot.%s' is given without 'boot.kernel'", need_kernel[i]);
	}
}

void cb_decode_vm(const struct cb_decode *d, const struct cb_yaml_node *map, struct cb_spec *spec,
		  const struct cb_yaml_node **name)
{
	decode_keys(d, map, "", spec, name);
	check_boot(d, map);
}
