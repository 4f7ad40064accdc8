#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "schema/decode_internal.h"
#include "schema/scalar.h"
#include "schema/variables.h"

enum { TEXTS_MAX = 256 * 1024 }; /* characters of a list of texts, as JSON */

/* What becomes JSON: lists of texts, and maps of anything. */
struct content {
	const struct cb_decode *decode;
	const struct cb_field *field;
	bool sensitive; /* a variable went into it */
	bool wrong;     /* reported */
};

static void add_item(struct content *c, json_t *into, const struct cb_yaml_node *node);
static void add_pair(struct content *c, json_t *into, const struct cb_yaml_pair *pair);

static void report_content(struct content *c, const struct cb_yaml_node *node, const char *what)
{
	cb_decode_problem(c->decode, node, "manifest.value", NULL, "'%s' %s", c->field->path, what);
	c->wrong = true;
}

/* NULL where it cannot be JSON: reported. */
static json_t *json_of_scalar(struct content *c, const struct cb_yaml_node *node)
{
	const struct cb_yaml_node *expanded = cb_variables_expand(c->decode, c->field, node);
	json_t *json;

	if (!expanded) {
		c->wrong = true;
		return NULL;
	}
	c->sensitive = c->sensitive || expanded->expanded;
	/* A variable stands for text: a password of digits is no number. */
	json = cb_scalar_json(expanded->expanded ? CB_SCALAR_TEXT : cb_decode_kind(expanded),
			      expanded->text, expanded->len);
	/* Neither libyaml nor a variable lets other text through that is none for JSON. */
	if (!json)
		report_content(c, node, "holds a NUL character");
	return json;
}

static json_t *json_of(struct content *c, const struct cb_yaml_node *node)
{
	json_t *out;

	if (!cb_decode_tag(c->decode, node)) {
		c->wrong = true;
		return NULL;
	}
	if (node->kind == CB_YAML_SCALAR)
		return json_of_scalar(c, node);
	out = node->kind == CB_YAML_LIST ? json_array() : json_object();
	cb_vec_each (struct cb_yaml_node *const, item, &node->items)
		add_item(c, out, *item);
	cb_vec_each (const struct cb_yaml_pair, pair, &node->pairs)
		add_pair(c, out, pair);
	return out;
}

static void add_item(struct content *c, json_t *into, const struct cb_yaml_node *node)
{
	json_t *inner = json_of(c, node);

	if (inner)
		json_array_append_new(into, inner);
}

static void add_pair(struct content *c, json_t *into, const struct cb_yaml_pair *pair)
{
	const struct cb_yaml_node *key = pair->key;
	json_t *inner;

	if (key->kind != CB_YAML_SCALAR || strlen(key->text) != key->len) {
		report_content(c, key, "has a key that is not text");
		return;
	}
	if (!pair->duplicate && (inner = json_of(c, pair->value)))
		json_object_set_new(into, key->text, inner);
}

/* Takes the JSON; false where something of it was wrong. */
static bool store_json(struct content *c, const struct cb_yaml_node *node, json_t *json,
		       int64_t max, struct cb_value *value)
{
	char *text = json && !c->wrong ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	json_decref(json);
	if (text && (int64_t)strlen(text) > max)
		report_content(c, node, "is too long");
	else if (text)
		*value = cb_string(cb_arena_strdup(c->decode->arena, text));
	free(text);
	return !c->wrong;
}

/* One text of a list. */
static void add_text(struct content *c, json_t *list, const struct cb_yaml_node *node)
{
	const struct cb_decode *d = c->decode;
	struct cb_field field = *c->field;
	struct cb_value ignored;

	field.type = CB_TYPE_STRING;
	field.unit = "lines";
	if (node->kind != CB_YAML_SCALAR) {
		cb_decode_problem(d, node, "manifest.type", cb_decode_example(d, c->field),
				  "'%s' wants %s, found %s in it", field.path,
				  cb_decode_wanted(d, c->field), cb_yaml_kind_name(node->kind));
		c->wrong = true;
		return;
	}
	if (!cb_decode_tag(d, node) || !(node = cb_variables_expand(d, c->field, node)) ||
	    !cb_decode_text(d, &field, node = cb_lenient_scalar(d, &field, node), &ignored)) {
		c->wrong = true;
		return;
	}
	c->sensitive = c->sensitive || node->expanded;
	json_array_append_new(list, json_string(node->text));
}

/* A list of texts; one text alone is a list of one. */
static bool decode_texts(struct content *c, const struct cb_yaml_node *node, struct cb_value *value)
{
	const struct cb_decode *d = c->decode;
	json_t *list;

	if (node->kind == CB_YAML_MAP) {
		cb_decode_problem(d, node, "manifest.type", cb_decode_example(d, c->field),
				  "'%s' wants %s, found a map", c->field->path,
				  cb_decode_wanted(d, c->field));
		return false;
	}
	list = json_array();
	if (node->kind == CB_YAML_SCALAR)
		add_text(c, list, node);
	cb_vec_each (struct cb_yaml_node *const, item, &node->items)
		add_text(c, list, *item);
	return store_json(c, node, list, TEXTS_MAX, value);
}

/* One number of a list. */
static void add_int(struct content *c, json_t *list, const struct cb_yaml_node *node)
{
	struct cb_field field = *c->field;
	struct cb_value value = {0};
	struct cb_origin origin;

	field.type = CB_TYPE_INT;
	c->wrong = !cb_decode_value(c->decode, &field, node, &value, &origin) || c->wrong;
	c->sensitive = c->sensitive || origin.sensitive;
	json_array_append_new(list, json_integer(value.integer));
}

/* A list of numbers; a number alone is a list of one. */
static bool decode_ints(struct content *c, const struct cb_yaml_node *node, struct cb_value *value)
{
	json_t *list = json_array();

	if (node->kind != CB_YAML_LIST)
		add_int(c, list, node);
	cb_vec_each (struct cb_yaml_node *const, item, &node->items)
		add_int(c, list, *item);
	return store_json(c, node, list, TEXTS_MAX, value);
}

/* A map from texts to texts: numbers and booleans are taken as they are written. */
static bool decode_pairs(struct content *c, const struct cb_yaml_node *node, struct cb_value *value)
{
	const struct cb_decode *d = c->decode;
	json_t *map;

	if (!cb_decode_is_map(d, node, cb_arena_printf(d->arena, "'%s'", c->field->path),
			      cb_decode_example(d, c->field)))
		return false;
	map = json_object();
	cb_vec_each (const struct cb_yaml_pair, pair, &node->pairs) {
		const struct cb_yaml_node *inner = pair->value;

		if (pair->key->kind != CB_YAML_SCALAR ||
		    strlen(pair->key->text) != pair->key->len || inner->kind != CB_YAML_SCALAR) {
			report_content(c, pair->key, "wants text for each of its keys");
			continue;
		}
		inner = cb_variables_expand(d, c->field, inner);
		c->wrong = c->wrong || !inner || !cb_decode_tag(d, inner);
		if (!inner || pair->duplicate)
			continue;
		c->sensitive = c->sensitive || inner->expanded;
		if (strlen(inner->text) != inner->len)
			report_content(c, pair->value, "holds a NUL character");
		else
			json_object_set_new(map, pair->key->text, json_string(inner->text));
	}
	return store_json(c, node, map, TEXTS_MAX, value);
}

/* Words that a list may hold. */
static bool words_fit(struct content *c, const struct cb_yaml_node *node)
{
	struct cb_field field = *c->field;
	struct cb_value ignored;
	struct cb_origin origin;

	field.type = CB_TYPE_ENUM;
	if (node->kind == CB_YAML_SCALAR)
		return cb_decode_value(c->decode, &field, node, &ignored, &origin);
	cb_vec_each (struct cb_yaml_node *const, item, &node->items)
		c->wrong =
			!cb_decode_value(c->decode, &field, *item, &ignored, &origin) || c->wrong;
	return !c->wrong;
}

bool cb_decode_content(const struct cb_decode *d, const struct cb_field *field,
		       const struct cb_yaml_node *node, struct cb_value *value,
		       struct cb_origin *origin)
{
	struct content content = {.decode = d, .field = field};
	bool fine;

	if (field->type == CB_TYPE_TEXTS)
		fine = (!*field->values || words_fit(&content, node)) &&
		       decode_texts(&content, node, value);
	else if (field->type == CB_TYPE_INTS)
		fine = decode_ints(&content, node, value);
	else if (field->type == CB_TYPE_PAIRS)
		fine = decode_pairs(&content, node, value);
	else
		fine = cb_decode_is_map(d, node, cb_arena_printf(d->arena, "'%s'", field->path),
					cb_decode_example(d, field)) &&
		       store_json(&content, node, json_of(&content, node), field->max, value);
	origin->sensitive = content.sensitive;
	return fine;
}
