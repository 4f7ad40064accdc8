#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/error.h"
#include "reconciler/base/str.h"
#include "reconciler/model/address.h"
#include "schema/decode_internal.h"
#include "schema/problem.h"
#include "schema/scalar.h"
#include "schema/suggest.h"
#include "schema/variables.h"

enum { SECTOR = 512 };

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
const char *cb_decode_wanted(const struct cb_decode *d, const struct cb_field *field)
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
	case CB_TYPE_KEY:
		return "a name";
	case CB_TYPE_SIZE:
		return "a size with its unit";
	case CB_TYPE_MAC:
		return "a MAC address";
	case CB_TYPE_IP:
		return "an IPv4 address";
	case CB_TYPE_CIDR:
		return "an IPv4 network with its size, /8 to /30";
	case CB_TYPE_BYTES:
		return *field->unit ? cb_arena_printf(d->arena, "a size, in %s without a unit",
						      field->unit)
				    : "a size with its unit";
	case CB_TYPE_RATE:
		return "a rate with its unit";
	case CB_TYPE_DURATION:
		return *field->unit ? cb_arena_printf(d->arena, "a time, in %s without a unit",
						      strcmp(field->unit, "s") == 0   ? "seconds"
						      : strcmp(field->unit, "h") == 0 ? "hours"
										      : "days")
				    : "a time with its unit";
	case CB_TYPE_SCHEDULE:
		return "a schedule";
	case CB_TYPE_CPUS:
		return "numbers of processors";
	case CB_TYPE_INTS:
		return "a whole number or a list of them";
	case CB_TYPE_PAIRS:
		return "a map from texts to texts";
	case CB_TYPE_SECRET:
		return "text";
	case CB_TYPE_TEXTS:
		return "a list of texts";
	case CB_TYPE_JSON:
	case CB_TYPE_MAP:
		return "a map";
	case CB_TYPE_LIST:
		return "a list";
	case CB_TYPE_DIRECTORY:
		return "an absolute path";
	case CB_TYPE_MOUNTS:
		return "a map";
	case CB_TYPE_ANY:
		return "a value";
	}
	return "";
}

const char *cb_decode_example(const struct cb_decode *d, const struct cb_field *field)
{
	return cb_arena_printf(d->arena, "for example: %s", field->example);
}

/* The value in quotes, for messages; never a secret. */
static const char *shown(const struct cb_decode *d, const struct cb_field *field,
			 const struct cb_yaml_node *node)
{
	return field->type == CB_TYPE_SECRET ? "(sensitive)" : cb_decode_quote(d, node);
}

/* Whether it is text because somebody said so. */
static bool made_text(const struct cb_yaml_node *node)
{
	return !node->plain || node->tag;
}

static const char *undo_text(const struct cb_yaml_node *node)
{
	return node->plain ? "remove the tag" : "remove the quotes";
}

static bool decode_bool(const struct cb_decode *d, const struct cb_field *field,
			const struct cb_yaml_node *node, struct cb_value *value)
{
	const char *fix = cb_decode_example(d, field);

	if (cb_decode_kind(node) == CB_SCALAR_BOOL) {
		*value = cb_bool(cb_scalar_bool(node->text));
		return true;
	}
	if (cb_scalar_of(node->text) == CB_SCALAR_BOOL)
		fix = undo_text(node);
	cb_decode_problem(d, node, "manifest.type", fix, "'%s' wants %s, found %s%s", field->path,
			  cb_decode_wanted(d, field), made_text(node) ? "the text " : "",
			  shown(d, field, node));
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
	const char *fix = node->expanded ? NULL : converted(d, field, node->text);

	if (made_text(node) && kind == CB_SCALAR_INT)
		cb_decode_problem(d, node, "manifest.type",
				  node->expanded
					  ? undo_text(node)
					  : cb_arena_printf(d->arena, "%s: %s: %s", undo_text(node),
							    field->path, node->text),
				  "'%s' wants %s, found the text %s", field->path,
				  cb_decode_wanted(d, field), shown(d, field, node));
	else if (kind == CB_SCALAR_TEXT || kind == CB_SCALAR_BOOL || kind == CB_SCALAR_NULL)
		cb_decode_problem(d, node, "manifest.type", fix ? fix : cb_decode_example(d, field),
				  "'%s' wants %s, found %s%s", field->path,
				  cb_decode_wanted(d, field), made_text(node) ? "the text " : "",
				  shown(d, field, node));
	else
		cb_decode_problem(d, node, "manifest.number",
				  cb_arena_printf(d->arena, "write plain decimal digits, %s",
						  cb_decode_example(d, field)),
				  "'%s' wants %s, found %s: %s", field->path,
				  cb_decode_wanted(d, field), shown(d, field, node),
				  cb_scalar_name(kind));
}

static bool decode_int(const struct cb_decode *d, const struct cb_field *field,
		       const struct cb_yaml_node *node, struct cb_value *value)
{
	int64_t number;

	if (cb_decode_kind(node) != CB_SCALAR_INT) {
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
			  shown(d, field, node));
	return false;
}

bool cb_is_word_of(const char *words, const char *text)
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
	const char *near, *why = "";

	/* "1" and 1 are the same version, and no other value looks like a number. */
	if (cb_is_word_of(field->values, node->text)) {
		*value = cb_string(node->text);
		return true;
	}
	near = cb_suggest_word(d->arena, field->values, node->text);
	if (cb_decode_kind(node) == CB_SCALAR_BOOL)
		why = ", which YAML reads as a boolean";
	else if (near && !node->expanded)
		why = cb_schema_foreign(d->arena, node->text, node->len);
	cb_decode_problem(d, node, "manifest.value",
			  near ? cb_arena_printf(d->arena, "did you mean '%s'?", near) : NULL,
			  "'%s' wants %s; found %s%s", field->path, cb_decode_wanted(d, field),
			  shown(d, field, node), why);
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
			cb_decode_problem(
				d, node, "manifest.value",
				"write it on the line of its key, or below '>-' in place of '|'",
				"'%s' has to be one line, found a line break", field->path);
			return false;
		}
		/* U+FFFE and U+FFFF cannot stand in XML. */
		if (!allowed_in_text(c, lines) || c == 0x7f ||
		    (c == 0xef &&
		     (strncmp(p, "\xef\xbf\xbe", 3) == 0 || strncmp(p, "\xef\xbf\xbf", 3) == 0))) {
			cb_decode_problem(d, node, "manifest.value", "take it out",
					  "\'%s\' holds a control character: %s", field->path,
					  shown(d, field, node));
			return false;
		}
	}
	if (characters >= field->min && characters <= field->max)
		return true;
	if (characters == 0)
		cb_decode_problem(d, node, "manifest.range",
				  "leave the key out if there is nothing to say",
				  "'%s' must not be empty", field->path);
	else if (characters < field->min)
		cb_decode_problem(d, node, "manifest.range", NULL,
				  "'%s' has to have %" PRId64 " characters, found %" PRId64,
				  field->path, field->min, characters);
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

bool cb_decode_text(const struct cb_decode *d, const struct cb_field *field,
		    const struct cb_yaml_node *node, struct cb_value *value)
{
	enum cb_scalar kind = cb_decode_kind(node);

	/* What a variable stands for has no quotes to be put in. */
	if (kind != CB_SCALAR_TEXT && !node->expanded) {
		bool secret = field->type == CB_TYPE_SECRET;

		cb_decode_problem(
			d, node, "manifest.quotes",
			secret ? "put it in quotes"
			       : cb_arena_printf(d->arena, "put it in quotes: \"%s\"", node->text),
			"'%s' wants %s; without quotes, %s is %s", field->path,
			cb_decode_wanted(d, field), secret ? "it" : shown(d, field, node),
			cb_scalar_name(kind));
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
	size_t number = 0;

	for (const char *p = node->text; p < node->text + node->len && !bad; p++) {
		number += ((unsigned char)*p & 0xc0) != 0x80;
		if (!alphanumeric(*p) && (p == node->text || *p == '\0' || !strchr("._-", *p)))
			bad = p;
	}
	if (!bad)
		return true;
	if ((unsigned char)*bad > 0x7f)
		cb_decode_problem(d, node, "manifest.name", name_rules(d, field),
				  "%s is not a name%s", shown(d, field, node),
				  cb_schema_foreign(d->arena, node->text, node->len));
	else
		cb_decode_problem(d, node, "manifest.name", name_rules(d, field),
				  "%s is not a name: character %zu is not allowed%s",
				  shown(d, field, node), number, bad == node->text ? " there" : "");
	return false;
}

/* Names of disks, NICs and labels: they stand in paths and become aliases of devices. */
static bool key_is_fine(const struct cb_decode *d, const struct cb_field *field,
			const struct cb_yaml_node *node)
{
	for (const char *p = node->text; p < node->text + node->len; p++) {
		if (alphanumeric(*p) || (p > node->text && (*p == '-' || *p == '_')))
			continue;
		cb_decode_problem(d, node, "manifest.name",
				  "a name has letters, digits, '_' and '-', and starts with a "
				  "letter or digit",
				  "'%s': %s is not a name", field->path, shown(d, field, node));
		return false;
	}
	return true;
}

/* Sizes. ------------------------------------------------------------------------------------- */

static bool decode_size(const struct cb_decode *d, const struct cb_field *field,
			const struct cb_yaml_node *node, struct cb_value *value)
{
	int64_t size;

	if (cb_scalar_size(node->text, &size) < 0) {
		bool bare = cb_scalar_of(node->text) == CB_SCALAR_INT && *node->text != '-' &&
			    !node->expanded;

		cb_decode_problem(d, node, "manifest.size",
				  bare ? cb_arena_printf(d->arena, "write %sGiB or %sMiB",
							 node->text, node->text)
				       : "write a whole number and a unit: 512MiB, 100GiB, 2TB",
				  "'%s' wants a size with its unit, found %s", field->path,
				  shown(d, field, node));
		return false;
	}
	if (size < field->min || size > field->max) {
		cb_decode_problem(d, node, "manifest.range", NULL,
				  "'%s' must be between 1MiB and 64TiB, found %s", field->path,
				  shown(d, field, node));
		return false;
	}
	/* Disks have whole sectors: 100MB are none, and would be rounded up where they are made. */
	*value = cb_int((size + SECTOR - 1) / SECTOR * SECTOR);
	return true;
}

/* Addresses. --------------------------------------------------------------------------------- */

static bool decode_address(const struct cb_decode *d, const struct cb_field *field,
			   const struct cb_yaml_node *node, struct cb_value *value)
{
	static const struct {
		enum cb_field_type type;
		const char *(*canonical)(struct cb_arena *arena, const char *text);
	} rows[] = {
		{CB_TYPE_MAC, cb_address_mac},
		{CB_TYPE_IP, cb_address_ip},
		{CB_TYPE_CIDR, cb_address_cidr},
	};

	const char *text = NULL;

	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		if (rows[i].type == field->type)
			text = rows[i].canonical(d->arena, node->text);
	}
	if (!text) {
		cb_decode_problem(d, node, "manifest.value", cb_decode_example(d, field),
				  "'%s' wants %s, found %s", field->path,
				  cb_decode_wanted(d, field), shown(d, field, node));
		return false;
	}
	*value = cb_string(text);
	return true;
}

/* A NUL may have come from an escape: nothing must be compared with the text in front of it. */
static bool whole(const struct cb_decode *d, const struct cb_field *field,
		  const struct cb_yaml_node *node)
{
	if (strlen(node->text) == node->len)
		return true;
	cb_decode_problem(d, node, "manifest.value", NULL, "'%s' holds a control character: %s",
			  field->path, shown(d, field, node));
	return false;
}

static bool decode_scalar(const struct cb_decode *d, const struct cb_field *field,
			  const struct cb_yaml_node *node, struct cb_value *value)
{
	if (!whole(d, field, node))
		return false;
	switch (field->type) {
	case CB_TYPE_BOOL:
		return decode_bool(d, field, node, value);
	case CB_TYPE_INT:
		return decode_int(d, field, node, value);
	case CB_TYPE_ENUM:
		return decode_enum(d, field, node, value);
	case CB_TYPE_STRING:
	case CB_TYPE_FILE:
	case CB_TYPE_SECRET:
		return cb_decode_text(d, field, node, value);
	case CB_TYPE_NAME:
		return cb_decode_text(d, field, node, value) && name_is_fine(d, field, node);
	case CB_TYPE_KEY:
		return cb_decode_text(d, field, node, value) && key_is_fine(d, field, node);
	case CB_TYPE_DIRECTORY:
		return cb_decode_text(d, field, node, value) &&
		       cb_decode_directory(d, field, node, value);
	case CB_TYPE_SIZE:
		return decode_size(d, field, node, value);
	case CB_TYPE_MAC:
	case CB_TYPE_IP:
	case CB_TYPE_CIDR:
		return decode_address(d, field, node, value);
	case CB_TYPE_BYTES:
	case CB_TYPE_RATE:
	case CB_TYPE_DURATION:
	case CB_TYPE_SCHEDULE:
	case CB_TYPE_CPUS:
		return cb_decode_typed(d, field, node, value);
	case CB_TYPE_INTS:
	case CB_TYPE_PAIRS:
	case CB_TYPE_TEXTS:
	case CB_TYPE_JSON:
	case CB_TYPE_MAP:
	case CB_TYPE_LIST:
	case CB_TYPE_MOUNTS:
	case CB_TYPE_ANY:
		break;
	}
	return false;
}

/* Tags are not looked into where the text behind them may be a secret. */
static bool tag_is_fine(const struct cb_decode *d, const struct cb_field *field,
			const struct cb_yaml_node *node)
{
	struct cb_yaml_node bare = *node;

	bare.tag = NULL;
	if (field->type != CB_TYPE_SECRET || !node->tag || strcmp(node->tag, "!") == 0 ||
	    strncmp(node->tag, "tag:yaml.org,2002:", strlen("tag:yaml.org,2002:")) == 0)
		return cb_decode_tag(d, node);
	cb_decode_problem(d, &bare, "manifest.tag", "put it in quotes if it starts with '!'",
			  "'%s' has a YAML tag that is not supported", field->path);
	return false;
}

bool cb_decode_value(const struct cb_decode *d, const struct cb_field *field,
		     const struct cb_yaml_node *node, struct cb_value *value,
		     struct cb_origin *origin)
{
	*origin = cb_decode_origin(d, node);
	origin->sensitive = field->type == CB_TYPE_SECRET;
	if (!tag_is_fine(d, field, node) || cb_decode_is_null(node))
		return false;
	if (field->type == CB_TYPE_TEXTS || field->type == CB_TYPE_JSON ||
	    field->type == CB_TYPE_INTS || field->type == CB_TYPE_PAIRS)
		return cb_decode_content(d, field, node, value, origin);
	if (field->type == CB_TYPE_CPUS && node->kind != CB_YAML_SCALAR)
		return cb_decode_typed(d, field, node, value);
	if (node->kind != CB_YAML_SCALAR) {
		cb_decode_problem(d, node, "manifest.type", cb_decode_example(d, field),
				  "'%s' wants %s, found %s", field->path,
				  cb_decode_wanted(d, field), cb_yaml_kind_name(node->kind));
		return false;
	}
	if (!(node = cb_variables_expand(d, field, node)))
		return false;
	origin->sensitive = origin->sensitive || node->expanded;
	return decode_scalar(d, field, cb_lenient_scalar(d, field, node), value);
}

const char *cb_decode_name(const struct cb_decode *d, const char *what,
			   const struct cb_yaml_node *node)
{
	const struct cb_field *field = cb_field_find(CB_SCOPE_VM, "name");
	struct cb_value value = {0};
	struct cb_origin origin;

	if (cb_decode_is_null(node)) {
		cb_decode_problem(d, node, "manifest.name", name_rules(d, field),
				  "a %s needs a name, found nothing", what);
		return NULL;
	}
	return cb_decode_value(d, field, node, &value, &origin) ? value.string : NULL;
}
