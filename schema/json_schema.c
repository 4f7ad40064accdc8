#include "schema/json_schema.h"

#include <stdlib.h>
#include <string.h>

#include "schema/json_schema_internal.h"
#include "schema/suggest.h"

#define DIALECT "https://json-schema.org/draft/2020-12/schema"

struct making {
	struct cb_arena *arena;
	json_t *definitions;
};

static json_t *object_of(const struct making *m, enum cb_scope scope, const char *map);

/* Rules of several keys of one place, where they can be said; the rest is `clonebox validate`'s. */
static const struct {
	enum cb_scope scope;
	const char *path; /* of the map */
	const char *json;
} rules[] = {
	{CB_SCOPE_HOST, "",
	 "{\"required\": [\"uri\"], \"properties\": {\"uri\": {\"not\": {\"type\": \"null\"}}}}"},
	{CB_SCOPE_IMAGE, "",
	 "{\"required\": [\"path\"], \"properties\": {\"path\": {\"not\": {\"type\": \"null\"}}}}"},
	{CB_SCOPE_POOL, "",
	 "{\"required\": [\"path\"], \"properties\": {\"path\": {\"not\": {\"type\": \"null\"},"
	 " \"pattern\": \"^(/|.*\\\\$\\\\{)\"}}}"},
	{CB_SCOPE_NETWORK, "",
	 "{\"anyOf\": [{\"required\": [\"cidr\"]}, {\"required\": [\"subnet\"]},"
	 " {\"required\": [\"mode\"], \"properties\": {\"mode\": {\"not\": {\"const\": \"nat\"}}}},"
	 " {\"required\": [\"driver\"], \"properties\": {\"driver\": {\"enum\": [\"isolated\", "
	 "\"none\"]}}}]}"},
	{CB_SCOPE_VM, "disks[]",
	 "{\"anyOf\": [{\"required\": [\"size\"]}, {\"required\": [\"base_image\"]}],"
	 " \"properties\": {\"name\": {\"not\": {\"enum\": [\"root\", \"seed\"]}}}}"},
	{CB_SCOPE_VM, "nics[]",
	 "{\"anyOf\": [{\"required\": [\"network\"]}, {\"required\": [\"bridge\"]},"
	 " {\"required\": [\"user\"], \"properties\": {\"user\": {\"not\": {\"enum\": [false, "
	 "null]}}}}],"
	 " \"properties\": {\"name\": {\"not\": {\"const\": \"nic0\"}}}}"},
};

static void add_rules(json_t *schema, enum cb_scope scope, const char *map)
{
	for (size_t i = 0; i < CB_COUNT(rules); i++) {
		if (rules[i].scope != scope || strcmp(rules[i].path, map) != 0)
			continue;
		json_object_set_new(schema, "allOf",
				    json_pack("[o]", json_loads(rules[i].json, 0, NULL)));
	}
}

/* Maps and lists. ----------------------------------------------------------------------------- */

/* Entries that people give a name. */
static json_t *named_of(json_t *entry)
{
	return json_pack("{s:s,s:{s:s,s:i},s:o}", "type", "object", "propertyNames", "pattern",
			 "^[A-Za-z0-9][A-Za-z0-9._-]*$", "maxLength", 64, "additionalProperties",
			 entry);
}

/* "labels": keys that people choose, each with a value as the row "labels[]" says. */
static json_t *free_of(const struct making *m, const struct cb_field *keys)
{
	return json_pack("{s:[s,s],s:i,s:{s:s,s:i},s:o}", "type", "object", "null", "maxProperties",
			 CB_JSON_ENTRIES, "propertyNames", "pattern", "^[A-Za-z0-9][A-Za-z0-9_-]*$",
			 "maxLength", 63, "additionalProperties", cb_json_value(m->arena, keys));
}

static json_t *list_of(const struct making *m, const struct cb_field *list)
{
	const char *element = cb_arena_printf(m->arena, "%s[]", list->path);
	json_t *item = object_of(m, list->scope, element);

	json_object_set_new(item, "required", json_pack("[s]", "name"));
	return json_pack("{s:[s,s],s:i,s:o}", "type", "array", "null", "maxItems", CB_JSON_ENTRIES,
			 "items", item);
}

static json_t *mounts_of(const struct making *m)
{
	json_t *more = object_of(m, CB_SCOPE_VM, "paths[]");

	json_object_set_new(more, "required", json_pack("[s]", "guest"));
	return json_pack("{s:[s,s],s:i,s:o,s:{s:[o,o]}}", "type", "object", "null", "maxProperties",
			 CB_JSON_PATHS, "propertyNames", cb_json_directory(false),
			 "additionalProperties", "anyOf", cb_json_directory(true), more);
}

static json_t *or_null(json_t *object)
{
	json_object_set_new(object, "type", json_pack("[s,s]", "object", "null"));
	return object;
}

/* What a map is that may hold itself, or that several keys hold: a definition. */
static const char *define(const struct making *m, enum cb_scope scope, const char *map)
{
	const char *name =
		cb_arena_printf(m->arena, "%s%s%s", cb_scope_name(scope), *map ? "." : "", map);

	if (json_object_get(m->definitions, name))
		return name;
	/* It is there before it is looked for again. */
	json_object_set_new(m->definitions, name, json_object());
	json_object_set_new(m->definitions, name, or_null(object_of(m, scope, map)));
	return name;
}

/* Another spelling whose keys are those of another map, or of one element of a list. */
static json_t *into_of(const struct making *m, const struct cb_field *field)
{
	const char *bracket = strchr(field->target, '[');
	const char *name =
		bracket ? cb_arena_strndup(m->arena, bracket + 1, strcspn(bracket + 1, "]")) : NULL;
	const char *map = bracket ? cb_arena_printf(m->arena, "%.*s[]",
						    (int)(bracket - field->target), field->target)
				  : field->target;
	json_t *schema;

	if (!bracket)
		return cb_json_ref(define(m, field->scope, map));
	schema = or_null(object_of(m, field->scope, map));
	json_object_set_new(json_object_get(schema, "properties"), "name",
			    json_pack("{s:s}", "const", name));
	return schema;
}

/* Whether another spelling stands for the map as a whole. */
static bool is_shared(const struct cb_field *map)
{
	const struct cb_field *fields;
	size_t n;

	fields = cb_fields(&n);
	for (size_t i = 0; i < n; i++) {
		if (fields[i].scope == map->scope && fields[i].convert == CB_CONVERT_INTO &&
		    strcmp(fields[i].target, map->path) == 0)
			return true;
	}
	return false;
}

static json_t *map_of(const struct making *m, const struct cb_field *field)
{
	const struct cb_field *keys =
		cb_field_find(field->scope, cb_arena_printf(m->arena, "%s[]", field->path));
	bool named = false;
	enum cb_scope below = cb_field_scope_below(field->scope, field->path, &named);
	json_t *schema;

	if (below != CB_SCOPE_ROOT) {
		const char *name = define(m, below, "");

		return named ? named_of(cb_json_ref(name)) : cb_json_ref(name);
	}
	if (field->convert == CB_CONVERT_INTO)
		return into_of(m, field);
	if (keys)
		return free_of(m, keys);
	schema = is_shared(field) ? cb_json_ref(define(m, field->scope, field->path))
				  : or_null(object_of(m, field->scope, field->path));
	if (!*field->unit)
		return schema;
	/* A text alone stands for one of its keys. */
	return json_pack(
		"{s:[o,o]}", "anyOf",
		cb_json_value(m->arena, cb_field_find(field->scope,
						      cb_arena_printf(m->arena, "%s.%s",
								      field->path, field->unit))),
		schema);
}

/* What stands behind the key of a row. */
static json_t *schema_of(const struct making *m, const struct cb_field *field)
{
	bool elsewhere = field->scope == CB_SCOPE_ROOT || field->scope == CB_SCOPE_DEFAULTS;
	bool named;
	json_t *schema;

	/* What stands beside a VM is what it would be in it. */
	if (elsewhere && cb_field_find(CB_SCOPE_VM, field->path) &&
	    cb_field_scope_below(field->scope, field->path, &named) == CB_SCOPE_ROOT &&
	    strcmp(field->path, "host") != 0)
		schema = cb_json_ref(cb_arena_printf(m->arena, "%s/properties/%s",
						     define(m, CB_SCOPE_VM, ""), field->path));
	else if (field->type == CB_TYPE_LIST)
		schema = list_of(m, field);
	else if (field->type == CB_TYPE_MOUNTS)
		schema = mounts_of(m);
	else if (field->type == CB_TYPE_MAP)
		schema = map_of(m, field);
	else
		schema = cb_json_value(m->arena, field);
	cb_json_describe(m->arena, field, schema);
	return schema;
}

/* The key of a row right below a map; NULL where it is not right below. */
static const char *leaf_of(const struct cb_field *field, const char *map)
{
	size_t len = strlen(map);
	const char *leaf = field->path;

	if (len > 0) {
		if (strncmp(field->path, map, len) != 0 || field->path[len] != '.')
			return NULL;
		leaf += len + 1;
	}
	return strpbrk(leaf, ".[") ? NULL : leaf;
}

static json_t *object_of(const struct making *m, enum cb_scope scope, const char *map)
{
	json_t *properties = json_object(), *schema;
	const struct cb_field *fields;
	size_t n;

	fields = cb_fields(&n);
	for (size_t i = 0; i < n; i++) {
		const char *leaf = fields[i].scope == scope ? leaf_of(&fields[i], map) : NULL;

		if (leaf)
			json_object_set_new(properties, leaf, schema_of(m, &fields[i]));
	}
	schema = json_pack("{s:s,s:o,s:b}", "type", "object", "properties", properties,
			   "additionalProperties", 0);
	add_rules(schema, scope, map);
	return schema;
}

/* Documents. ---------------------------------------------------------------------------------- */

/* What stands beside `vm:` needs one, and the file has to speak of something. */
static void add_root_rules(json_t *root)
{
	json_t *needs = json_object(), *some = json_array();
	const struct cb_field *fields;
	size_t n;

	fields = cb_fields(&n);
	for (size_t i = 0; i < n; i++) {
		const struct cb_field *field = &fields[i];
		bool named, container;

		if (field->scope != CB_SCOPE_ROOT || strchr(field->path, '.'))
			continue;
		container =
			cb_field_scope_below(CB_SCOPE_ROOT, field->path, &named) != CB_SCOPE_ROOT;
		if (container || strcmp(field->path, "owner") == 0)
			json_array_append_new(some, json_pack("{s:[s]}", "required", field->path));
		else if (cb_field_find(CB_SCOPE_VM, field->path) &&
			 cb_field_class(field) != CB_CLASS_UNMANAGED)
			json_object_set_new(needs, field->path, json_pack("[s]", "vm"));
	}
	json_object_set_new(root, "dependentRequired", needs);
	json_object_set_new(root, "anyOf", some);
}

/* A name has to be said in `vm:`, and cannot be in a profile or the defaults. Editors do not join
 * what stands beside a "$ref" with what that refers to. */
static void refine_vm(json_t *schema, bool named)
{
	json_t *rule = named ? json_pack("{s:s,s:[s],s:{s:{s:s}}}", "type", "object", "required",
					 "name", "properties", "name", "type", "string")
			     : json_pack("{s:{s:b}}", "properties", "name", 0);

	json_object_del(schema, "$ref");
	json_object_set_new(schema, "allOf", json_pack("[o,o]", cb_json_ref(CB_JSON_VM), rule));
}

/* What stands at the top of a file. */
static json_t *root_of(const struct making *m)
{
	json_t *root = object_of(m, CB_SCOPE_ROOT, "");
	json_t *properties = json_object_get(root, "properties");
	json_t *defaults = json_object_get(m->definitions, "defaults");

	refine_vm(json_object_get(json_object_get(properties, "profiles"), "additionalProperties"),
		  false);
	refine_vm(json_object_get(json_object_get(defaults, "properties"), "vm"), false);
	/* Nothing at all is no defaults. */
	json_object_set_new(defaults, "type", json_string("object"));
	return root;
}

static json_t *manifest(struct making *m)
{
	json_t *root = root_of(m);

	refine_vm(json_object_get(json_object_get(root, "properties"), "vm"), true);
	add_root_rules(root);
	return root;
}

/* .clonebox.d/NAME.yaml: the keys of a VM, below `vm:` or not, and what stands beside it. */
static json_t *profile(struct making *m)
{
	json_t *root = root_of(m), *flat = object_of(m, CB_SCOPE_VM, "");
	json_t *properties = json_object_get(root, "properties"), *schema;
	const char *key;

	json_object_foreach(json_object_get(flat, "properties"), key, schema)
	{
		if (strcmp(key, "vm") != 0 && strcmp(key, "name") != 0 &&
		    strcmp(key, "profile") != 0 && strcmp(key, "config") != 0)
			json_object_set(properties, key, schema);
	}
	json_decref(flat);
	/* It makes no VM. */
	json_object_del(properties, "vms");
	return root;
}

static json_t *policy(struct making *m)
{
	return object_of(m, CB_SCOPE_RULES, "");
}

static const struct {
	const char *kind, *title;
	json_t *(*make)(struct making *m);
} made[] = {
	{"manifest", "clonebox manifest (.clonebox.yaml)", manifest},
	{"profile", "clonebox profile (.clonebox.d/NAME.yaml)", profile},
	{"policy", "clonebox policy file (.clonebox-policy.yaml)", policy},
};

static void add_made(struct cb_str *out, size_t i)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct making m = {&arena, json_object()};
	json_t *body, *schema;
	char *text;

	cb_json_add_definitions(m.definitions);
	body = made[i].make(&m);
	schema =
		json_pack("{s:s,s:o,s:s}", "$schema", DIALECT, "$id",
			  json_sprintf("urn:clonebox:%s:v1", made[i].kind), "title", made[i].title);
	json_object_update_new(schema, body);
	json_object_set_new(schema, "$defs", m.definitions);
	text = json_dumps(schema, JSON_INDENT(1));
	if (!text)
		cb_oom();
	cb_str_printf(out, "%s\n", text);
	free(text);
	json_decref(schema);
}

const char *cb_json_schema_kind(size_t i)
{
	return i < CB_COUNT(made) ? made[i].kind : cb_json_files[i - CB_COUNT(made)].kind;
}

int cb_json_schema(const char *kind, struct cb_str *out, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_str struct cb_str all = {0};
	const char *one;

	for (size_t i = 0; (one = cb_json_schema_kind(i)); i++) {
		cb_str_printf(&all, "%s%s", i ? " " : "", one);
		if (strcmp(one, kind) != 0)
			continue;
		if (i < CB_COUNT(made))
			add_made(out, i);
		else
			cb_str_add(out, cb_json_files[i - CB_COUNT(made)].bytes);
		return 0;
	}
	(void)cb_error_set(err, CB_E_USAGE, "there is no schema of '%s'", kind);
	one = cb_suggest_word(&arena, all.text, kind);
	if (one)
		return cb_error_hint(err, "did you mean '%s'? There are: %s", one, all.text);
	return cb_error_hint(err, "there are: %s", all.text);
}
