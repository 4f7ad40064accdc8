/* What people should know of a key, as annotations: editors show them, and offer the values. */
#include <inttypes.h>
#include <string.h>

#include "reconciler/base/str.h"
#include "reconciler/model/text.h"
#include "schema/decode_internal.h"
#include "schema/explain.h"
#include "schema/json_schema_internal.h"
#include "schema/scalar.h"
#include "schema/yaml.h"

/* The keys in front of an entry's own in the examples of its scope. */
static const struct cb_yaml_node *entry_of(const struct cb_yaml_node *node, enum cb_scope scope)
{
	bool inside = scope != CB_SCOPE_ROOT && scope != CB_SCOPE_VM && scope != CB_SCOPE_RULES;

	if (!inside || node->pairs.len == 0)
		return node;
	node = node->pairs.items[0].value;
	if (scope == CB_SCOPE_DEFAULTS || node->pairs.len == 0)
		return node;
	return node->pairs.items[0].value;
}

/* The value of a key of the map; "" is any. */
static const struct cb_yaml_node *value_of(const struct cb_yaml_node *map, const char *key,
					   size_t len)
{
	cb_vec_each (const struct cb_yaml_pair, pair, &map->pairs) {
		if (len == 0 ||
		    (strlen(pair->key->text) == len && strncmp(pair->key->text, key, len) == 0))
			return pair->value;
	}
	return NULL;
}

/* What stands at "disks[].size" of an example. */
static const struct cb_yaml_node *at_path(const struct cb_yaml_node *node, const char *path)
{
	while (node && *path) {
		size_t len = strcspn(path, ".[");

		node = value_of(node, path, len);
		path += len;
		if (node && strncmp(path, "[]", 2) == 0) {
			path += 2;
			node = node->kind == CB_YAML_LIST
				       ? (node->items.len ? node->items.items[0] : NULL)
				       : value_of(node, "", 0);
		}
		path += *path == '.';
	}
	return node;
}

static json_t *json_of(const struct cb_yaml_node *node)
{
	json_t *out;

	if (node->kind == CB_YAML_SCALAR)
		return cb_scalar_json(cb_decode_kind(node), node->text, node->len);
	out = node->kind == CB_YAML_LIST ? json_array() : json_object();
	cb_vec_each (struct cb_yaml_node *const, item, &node->items)
		json_array_append_new(out, json_of(*item));
	cb_vec_each (const struct cb_yaml_pair, pair, &node->pairs)
		json_object_set_new(out, pair->key->text, json_of(pair->value));
	return out;
}

static void add_example(struct cb_arena *arena, const struct cb_field *field, json_t *schema)
{
	struct cb_manifest_text text = {
		.name = "example", .bytes = field->example, .len = strlen(field->example)};
	struct cb_problems problems = {0};
	struct cb_yaml yaml = {0};
	const struct cb_yaml_node *node;

	cb_yaml_parse(arena, "example", &text, &yaml, &problems);
	node = yaml.documents.len
		       ? at_path(entry_of(yaml.documents.items[0], field->scope), field->path)
		       : NULL;
	if (node)
		json_object_set_new(schema, "examples", json_pack("[o]", json_of(node)));
}

static void add_default(const struct cb_field *field, json_t *schema)
{
	struct cb_value value = cb_field_default(field);

	if (value.kind == CB_BOOL)
		json_object_set_new(schema, "default", json_boolean(value.boolean));
	else if (field->type == CB_TYPE_INT)
		json_object_set_new(schema, "default", json_integer(value.integer));
	else if (field->type == CB_TYPE_INTS)
		json_object_set_new(schema, "default", json_loads(field->initial, 0, NULL));
	else
		json_object_set_new(schema, "default", json_string(field->initial));
}

void cb_json_describe(struct cb_arena *arena, const struct cb_field *field, json_t *schema)
{
	cb_auto_str struct cb_str words = {0};
	enum cb_class class = cb_field_class(field);

	cb_str_add(&words, field->doc);
	if (class == CB_CLASS_POLICY || class == CB_CLASS_UNMANAGED)
		cb_str_printf(&words, " (%s)",
			      class == CB_CLASS_POLICY ? "Checked; nothing follows from it yet."
						       : "Known from CloneBox, and left alone.");
	else if (!field->target && field->type != CB_TYPE_MAP)
		cb_str_printf(&words, "\n\nA change: %s.", cb_explain_change(field->mutability));
	json_object_set_new(schema, "description", json_string(words.text));
	if (field->initial)
		add_default(field, schema);
	add_example(arena, field, schema);
}
