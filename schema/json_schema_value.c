/* Single values as JSON Schema: numbers, texts, sizes, addresses, with their limits. */
#include <inttypes.h>
#include <string.h>

#include "reconciler/base/str.h"
#include "schema/decode_internal.h"
#include "schema/json_schema_internal.h"

#define NO_CONTROL   "[^\\u0000-\\u001f\\u007f]"
#define NO_CONTROL_L "[^\\u0000-\\u0008\\u000b-\\u001f\\u007f]" /* lines and tabs may be there */
#define NO_BRACKETS  "[^\\u0000-\\u001f\\u007f\\[\\]]"
#define OCTET        "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
#define ADDRESS      OCTET "(\\." OCTET "){3}"
#define NUMBER       "[0-9]+(\\.[0-9]{1,6})? ?"
#define BYTES_UNITS  "([KMGT]i?B|[KMGT]|B)"
#define RATE_UNITS   "([KkMmGg]?bps)"
#define TIME_UNITS   "(ms|s|sec|second|m|min|minute|h|hour|d|day|w)"
#define CPU_NUMBER   " *([0-9]{1,3}|[0-3][0-9]{3}|40[0-8][0-9]|409[0-5]) *"
#define CPU          CPU_NUMBER "(-" CPU_NUMBER ")?"
#define CPU_PATTERN  "^" CPU "(," CPU ")*$"
#define TIME_OF_DAY  "^([01][0-9]|2[0-3]):[0-5][0-9]$"
#define HEX_DIGITS   "^[0-9A-Fa-f]*$"
#define MINUTE       "0?[0-9]|[1-5][0-9]"
#define HOUR         "0?[0-9]|1[0-9]|2[0-3]"
#define DAY          "0?[1-9]|[12][0-9]|3[01]"
#define MONTH        "0?[1-9]|1[0-2]|[A-Za-z]{3}"
#define WEEKDAY      "0?[0-7]|[A-Za-z]{3}"
#define PART(value)  "(\\*(/[0-9]{1,4})?|(" value ")(-(" value ")(/[0-9]{1,4})?)?)"
#define CRON(value)  PART(value) "(," PART(value) ")*"
#define SCHEDULE                                                                                   \
	"^[ \\t]*(@[A-Za-z]+|" CRON(MINUTE) "[ \\t]+" CRON(HOUR) "[ \\t]+" CRON(                   \
		DAY) "[ \\t]+" CRON(MONTH) "[ \\t]+" CRON(WEEKDAY) ")[ \\t]*$"

json_t *cb_json_ref(const char *name)
{
	return json_pack("{s:s+}", "$ref", CB_JSON_DEFS, name);
}

/* Limits of one place for the sake of all: what a variable stands for has its own length. */
static json_t *any_of(json_t *value, const char *other)
{
	return json_pack("{s:[o,o]}", "anyOf", value, cb_json_ref(other));
}

static json_t *text_of(const char *pattern)
{
	return json_pack("{s:s,s:s}", "type", "string", "pattern", pattern);
}

static void set_lengths(json_t *schema, const struct cb_field *field)
{
	if (field->min > 0)
		json_object_set_new(schema, "minLength", json_integer(field->min));
	if (field->max > 0)
		json_object_set_new(schema, "maxLength", json_integer(field->max));
}

static json_t *int_of(const struct cb_field *field)
{
	return json_pack("{s:s,s:I,s:I}", "type", "integer", "minimum", (json_int_t)field->min,
			 "maximum", (json_int_t)field->max);
}

/* What tells things apart: no variable, and it has to be there. */
static bool is_name(const struct cb_field *field)
{
	return strstr(field->path, "[].name") ||
	       (field->scope == CB_SCOPE_ROOT && field->mutability == CB_MUT_IMMUTABLE);
}

static const char *pattern_of(const struct cb_field *field)
{
	if (is_name(field))
		return "^" NO_BRACKETS "*$";
	if (field->convert == CB_CONVERT_TIME)
		return TIME_OF_DAY;
	if (strcmp(field->unit, "hexadecimal digits") == 0)
		return HEX_DIGITS;
	if (strcmp(field->unit, "lines") == 0)
		return "^" NO_CONTROL_L "*$";
	return field->type == CB_TYPE_FILE || strstr(field->unit, "path") ? "^(?!~(/|$))" NO_CONTROL
									    "*$"
									  : "^" NO_CONTROL "*$";
}

static json_t *string_of(const struct cb_field *field)
{
	json_t *schema = text_of(pattern_of(field));

	set_lengths(schema, field);
	return schema;
}

/* What no pattern should say of a text is an annotation: editors leave it alone. */
static json_t *measure_of(const struct cb_field *field, const char *pattern)
{
	cb_auto_str struct cb_str limits = {0};
	json_t *schema = text_of(pattern);

	cb_typed_limits(field, &limits);
	json_object_set_new(schema, "x-clonebox-limits", json_string(cb_str_text(&limits)));
	if (*field->unit)
		json_object_set_new(schema, "x-clonebox-unit", json_string(field->unit));
	/* A bare number counts in the row's unit; 0 needs none. */
	if (*field->unit || field->min == 0) {
		json_object_set_new(schema, "type", json_pack("[s,s]", "number", "string"));
		json_object_set_new(schema, "minimum", json_integer(0));
		if (!*field->unit)
			json_object_set_new(schema, "maximum", json_integer(0));
	}
	return schema;
}

static json_t *enum_of(struct cb_arena *arena, const struct cb_field *field)
{
	json_t *words = json_array();

	for (const char *p = field->values; *p;) {
		size_t len = strcspn(p, " ");
		const char *word = cb_arena_strndup(arena, p, len);

		json_array_append_new(words, json_string(word));
		/* "1" and 1 are the same. */
		if (strspn(word, "0123456789") == len)
			json_array_append_new(words, json_integer(*word - '0'));
		p += len + strspn(p + len, " ");
	}
	return json_pack("{s:o}", "enum", words);
}

static json_t *list_of(json_t *one, json_t *item)
{
	return json_pack("{s:[o,{s:s,s:o}]}", "anyOf", one, "type", "array", "items", item);
}

static json_t *texts_of(struct cb_arena *arena, const struct cb_field *field)
{
	struct cb_field text = *field;
	json_t *item;

	text.type = *field->values ? CB_TYPE_ENUM : CB_TYPE_STRING;
	text.unit = "lines";
	item = any_of(*field->values ? enum_of(arena, field) : string_of(&text), CB_JSON_VARIABLE);
	return list_of(json_deep_copy(item), item);
}

static json_t *cpus_of(void)
{
	json_t *one = json_pack("{s:[s,s],s:i,s:i,s:s}", "type", "integer", "string", "minimum", 0,
				"maximum", 4095, "pattern", CPU_PATTERN);
	json_t *list = json_pack("{s:s,s:i,s:o}", "type", "array", "minItems", 1, "items",
				 json_deep_copy(one));

	return json_pack("{s:[o,o,o]}", "anyOf", one, list, cb_json_ref(CB_JSON_UNSAID));
}

static json_t *unsaid(json_t *schema)
{
	json_array_append_new(json_object_get(schema, "anyOf"), cb_json_ref(CB_JSON_UNSAID));
	return schema;
}

json_t *cb_json_directory(bool guest)
{
	json_t *schema = text_of(
		guest ? "^/(?=.*[^/])(?!.*\\$\\{)(?!(.*/)?\\.\\.?(/"
			"|$))[^\\u0000-\\u001f\\u007f\\[\\]]*$"
		      : "^/(?!.*\\$\\{)(?!(.*/)?\\.\\.?(/|$))[^\\u0000-\\u001f\\u007f\\[\\]]*$");

	json_object_set_new(schema, "maxLength", json_integer(1024));
	return schema;
}

json_t *cb_json_value(struct cb_arena *arena, const struct cb_field *field)
{
	json_t *schema = NULL;

	switch (field->type) {
	case CB_TYPE_BOOL:
		schema = json_pack("{s:s}", "type", "boolean");
		break;
	case CB_TYPE_INT:
		schema = int_of(field);
		break;
	case CB_TYPE_STRING:
	case CB_TYPE_FILE:
	case CB_TYPE_SECRET:
		schema = string_of(field);
		if (is_name(field))
			return schema;
		break;
	case CB_TYPE_ENUM:
		schema = enum_of(arena, field);
		break;
	/* Names are no variables, and have to be there. */
	case CB_TYPE_NAME:
	case CB_TYPE_KEY:
		schema = text_of(field->type == CB_TYPE_NAME ? "^[A-Za-z0-9][A-Za-z0-9._-]*$"
							     : "^[A-Za-z0-9][A-Za-z0-9_-]*$");
		set_lengths(schema, field);
		return schema;
	case CB_TYPE_DIRECTORY:
		return cb_json_directory(true);
	case CB_TYPE_SIZE:
		schema = text_of("^(0|[1-9][0-9]*) ?([KMGT]i?B)$");
		json_object_set_new(schema, "x-clonebox-limits", json_string("1MiB to 64TiB"));
		break;
	case CB_TYPE_MAC:
		schema = text_of("^[0-9A-Fa-f][02468ACEace](:[0-9A-Fa-f]{2}){5}$");
		break;
	case CB_TYPE_IP:
		schema = text_of("^" ADDRESS "$");
		break;
	case CB_TYPE_CIDR:
		schema = text_of("^" ADDRESS "/([89]|[12][0-9]|30)$");
		break;
	case CB_TYPE_BYTES:
		schema = measure_of(field, *field->unit ? "^" NUMBER BYTES_UNITS "?$"
							: "^(" NUMBER BYTES_UNITS "|0)$");
		break;
	case CB_TYPE_RATE:
		schema = measure_of(field, "^" NUMBER RATE_UNITS "$");
		break;
	case CB_TYPE_DURATION:
		schema = measure_of(field, *field->unit ? "^" NUMBER TIME_UNITS "?$"
							: "^" NUMBER TIME_UNITS "$");
		break;
	case CB_TYPE_SCHEDULE:
		schema = text_of(SCHEDULE);
		break;
	case CB_TYPE_CPUS:
		return cpus_of();
	case CB_TYPE_INTS:
		return unsaid(list_of(int_of(field), int_of(field)));
	case CB_TYPE_TEXTS:
		return unsaid(texts_of(arena, field));
	case CB_TYPE_PAIRS:
		return json_pack("{s:[s,s],s:{s:[s,s,s,s]}}", "type", "object", "null",
				 "additionalProperties", "type", "string", "number", "boolean",
				 "null");
	case CB_TYPE_JSON:
		return json_pack("{s:[s,s]}", "type", "object", "null");
	case CB_TYPE_MAP:
	case CB_TYPE_LIST:
	case CB_TYPE_MOUNTS:
	case CB_TYPE_ANY:
		return json_object();
	}
	return any_of(schema, CB_JSON_UNSAID);
}

void cb_json_add_definitions(json_t *definitions)
{
	static const char pattern[] = "\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}";

	json_object_set_new(definitions, CB_JSON_VARIABLE,
			    json_pack("{s:s,s:s,s:s}", "description",
				      "A text with a variable: `${NAME}`.", "type", "string",
				      "pattern", pattern));
	json_object_set_new(definitions, CB_JSON_UNSAID,
			    json_pack("{s:s,s:[s,s],s:s}", "description",
				      "A variable, `${NAME}`, or nothing: takes back what a "
				      "profile or the defaults say.",
				      "type", "string", "null", "pattern", pattern));
}
