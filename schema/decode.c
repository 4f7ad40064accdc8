#include "schema/decode_internal.h"

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

enum {
	ENTRIES_MAX = 100,      /* disks, NICs or labels of one VM */
	SUGGESTIONS_MAX = 1000, /* each costs a search, and nobody reads more */
};

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
		.kind = d->kind,
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

void cb_decode_warn(const struct cb_decode *d, const struct cb_yaml_node *node, const char *check,
		    const char *fix, const char *fmt, ...)
{
	char *message = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&message, fmt, ap) < 0)
		cb_oom();
	va_end(ap);
	report(d, node, CB_WARNING, check, fix, message);
	free(message);
}

struct cb_origin cb_decode_origin(const struct cb_decode *d, const struct cb_yaml_node *node)
{
	return (struct cb_origin){CB_FROM_MANIFEST, d->file, node->line, node->column,
				  node->expanded};
}

const char *cb_decode_quote(const struct cb_decode *d, const struct cb_yaml_node *node)
{
	return node->expanded ? "(sensitive)" : cb_schema_quote(d->arena, node->text, node->len);
}

enum cb_scalar cb_decode_kind(const struct cb_yaml_node *node)
{
	if (node->tag || (!node->plain && !node->expanded))
		return CB_SCALAR_TEXT;
	return cb_scalar_of(node->text);
}

bool cb_decode_is_null(const struct cb_yaml_node *node)
{
	return node->kind == CB_YAML_SCALAR && cb_decode_kind(node) == CB_SCALAR_NULL;
}

/* Only the tags that change nothing, and !!str. */
bool cb_decode_tag(const struct cb_decode *d, const struct cb_yaml_node *node)
{
	static const char *const own[] = {
		[CB_YAML_SCALAR] = YAML_TAG "str",
		[CB_YAML_MAP] = YAML_TAG "map",
		[CB_YAML_LIST] = YAML_TAG "seq",
	};
	const char *tag;

	if (!node->tag || strcmp(node->tag, "!") == 0 || strcmp(node->tag, own[node->kind]) == 0)
		return true;
	/* As it was written, most likely. */
	tag = strncmp(node->tag, YAML_TAG, strlen(YAML_TAG)) == 0
		      ? cb_arena_printf(d->arena, "!!%s", node->tag + strlen(YAML_TAG))
		      : node->tag;
	cb_decode_problem(d, node, "manifest.tag", "leave the tag out",
			  "the YAML tag %s is not supported",
			  cb_schema_quote(d->arena, tag, strlen(tag)));
	return false;
}

bool cb_decode_is_map(const struct cb_decode *d, const struct cb_yaml_node *node, const char *what,
		      const char *fix)
{
	if (!cb_decode_tag(d, node))
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
				  cb_decode_quote(d, node));
	return false;
}

/* Whether a node can be a key at all. */
static bool key_is_text(const struct cb_decode *d, const struct cb_yaml_node *key)
{
	if (key->kind == CB_YAML_SCALAR)
		return cb_decode_tag(d, key);
	cb_decode_problem(d, key, "manifest.type", "write 'key: value'",
			  "a key has to be text, found %s", cb_yaml_kind_name(key->kind));
	return false;
}

/* Counts it for people who want to know what becomes of their keys. */
static void note_found(const struct cb_decode *d, const struct cb_field *field,
		       const struct cb_yaml_node *key)
{
	struct cb_found_key *found;
	size_t n;

	if (!d->out || !d->out->keys.len)
		return;
	found = &d->out->keys.items[field - cb_fields(&n)];
	if (found->count++ == 0) {
		found->field = field;
		found->first = cb_decode_origin(d, key);
	}
}

/* Nothing is to be thought to be in effect that is not. */
static void warn_of(const struct cb_decode *d, const struct cb_field *field,
		    const struct cb_yaml_node *key)
{
	enum cb_class class = cb_field_class(field);

	if (d->inside)
		return;
	if (field->mutability == CB_MUT_LATER)
		cb_decode_warn(d, key, "manifest.later", NULL,
			       "'%s' is known from CloneBox; not acted on by this version",
			       field->path);
	else if (class == CB_CLASS_POLICY)
		cb_decode_warn(d, key, "manifest.later", NULL,
			       "'%s' is read and checked; not acted on by this version",
			       field->path);
	else if (class == CB_CLASS_UNMANAGED)
		cb_decode_warn(d, key, "manifest.unmanaged", NULL,
			       "'%s' is known from CloneBox, and left alone", field->path);
}

const struct cb_field *cb_decode_key(const struct cb_decode *d, enum cb_scope scope,
				     const char *map, const struct cb_yaml_node *key)
{
	const struct cb_field *field = NULL;
	const char *path;

	if (!key_is_text(d, key))
		return NULL;
	/* "boot.kernel" and "labels[]" are paths of ours, not keys of theirs. */
	path = *map ? cb_arena_printf(d->arena, "%s.%s", map, key->text) : key->text;
	if (strlen(key->text) == key->len && !strpbrk(key->text, ".["))
		field = cb_field_find(scope, path);
	if (!field) {
		const char *meant = d->problems->len < SUGGESTIONS_MAX
					    ? cb_suggest_key(d->arena, scope, map, key->text)
					    : "";

		report(d, key, d->lenient ? CB_WARNING : CB_PROBLEM, "manifest.unknown-key",
		       *meant ? meant : "`clonebox explain` lists the keys",
		       cb_arena_printf(d->arena, "unknown key %s%s%s", cb_decode_quote(d, key),
				       cb_schema_foreign(d->arena, key->text, key->len),
				       d->lenient ? ", not looked at" : ""));
		return NULL;
	}
	note_found(d, field, key);
	warn_of(d, field, key);
	return field;
}

static void decode_keys(const struct cb_decode *d, const struct cb_yaml_node *node,
			const char *pattern, const char *path, struct cb_spec *spec,
			const struct cb_yaml_node **name);

/* A value that is wrong: reported, and marked for what would miss it. */
static void set_wrong(const struct cb_decode *d, const struct cb_yaml_node *node, const char *path,
		      struct cb_spec *spec)
{
	struct cb_origin origin = cb_decode_origin(d, node);

	origin.from = CB_FROM_DEFAULT;
	cb_spec_set(d->arena, spec, path, (struct cb_value){0}, origin);
}

static void set_nothing(const struct cb_decode *d, const struct cb_yaml_node *node,
			const char *path, struct cb_spec *spec)
{
	if (cb_spec_find(spec, path))
		return;
	cb_spec_set(d->arena, spec, path, (struct cb_value){0}, cb_decode_origin(d, node));
}

static bool few_enough(const struct cb_decode *d, const struct cb_yaml_node *node,
		       const struct cb_field *field, size_t n)
{
	if (n <= ENTRIES_MAX)
		return true;
	cb_decode_problem(d, node, "manifest.limit", NULL,
			  "'%s' has too many entries: the limit is %d", field->path, ENTRIES_MAX);
	return false;
}

/* Keys that people choose: "labels[tier]". */
static void decode_free_keys(const struct cb_decode *d, const struct cb_yaml_node *map,
			     const struct cb_field *field, struct cb_spec *spec)
{
	struct cb_field key = *field;

	key.type = CB_TYPE_KEY;
	key.min = 1;
	key.max = 63;
	cb_vec_each (const struct cb_yaml_pair, pair, &map->pairs) {
		struct cb_value name = {0}, value = {0};
		struct cb_origin origin;
		const char *path;

		if (!key_is_text(d, pair->key))
			continue;
		if (!cb_decode_value(d, &key, pair->key, &name, &origin)) {
			if (cb_decode_is_null(pair->key))
				cb_decode_problem(d, pair->key, "manifest.name", NULL,
						  "'%s': a name is missing", field->path);
			continue;
		}
		path = cb_arena_printf(d->arena, "%.*s[%s]",
				       (int)(strlen(field->path) - strlen("[]")), field->path,
				       name.string);
		if (cb_decode_is_null(pair->value))
			set_nothing(d, pair->value, path, spec);
		else if (cb_decode_value(d, field, pair->value, &value, &origin) &&
			 !pair->duplicate)
			cb_spec_set(d->arena, spec, path, value, origin);
	}
}

/* The name of an element of a list. NULL where it has none: reported. */
static const char *element_name(const struct cb_decode *d, const struct cb_yaml_node *element,
				const struct cb_field *list)
{
	const struct cb_field *field =
		cb_field_find(d->scope, cb_arena_printf(d->arena, "%s[].name", list->path));
	struct cb_value value = {0};
	struct cb_origin origin;

	cb_vec_each (const struct cb_yaml_pair, pair, &element->pairs) {
		if (pair->key->kind != CB_YAML_SCALAR || strcmp(pair->key->text, "name") != 0 ||
		    pair->duplicate || cb_decode_is_null(pair->value))
			continue;
		if (!cb_decode_value(d, field, pair->value, &value, &origin))
			return NULL;
		if (!origin.sensitive && !strpbrk(value.string, "[]"))
			return value.string;
		cb_decode_problem(d, pair->value, "manifest.name", NULL,
				  "'%s' cannot hold brackets, or come from a variable",
				  field->path);
		return NULL;
	}
	cb_decode_problem(d, element, "manifest.missing", cb_decode_example(d, list),
			  "an entry of '%s' needs a 'name'", list->path);
	return NULL;
}

static void decode_list(const struct cb_decode *d, const struct cb_yaml_node *node,
			const struct cb_field *list, struct cb_spec *spec)
{
	const char *pattern = cb_arena_printf(d->arena, "%s[]", list->path);

	if (!cb_decode_tag(d, node))
		return;
	if (node->kind != CB_YAML_LIST) {
		cb_decode_problem(d, node, "manifest.type", cb_decode_example(d, list),
				  "'%s' wants a list, found %s", list->path,
				  cb_yaml_kind_name(node->kind));
		return;
	}
	if (!few_enough(d, node, list, node->items.len))
		return;
	/* What is given takes the place of what a profile says, also if it is empty. */
	set_nothing(d, node, list->path, spec);
	cb_vec_each (struct cb_yaml_node *const, item, &node->items) {
		const char *name, *path;

		if (!cb_decode_is_map(d, *item,
				      cb_arena_printf(d->arena, "an entry of '%s'", list->path),
				      cb_decode_example(d, list)) ||
		    !(name = element_name(d, *item, list)))
			continue;
		path = cb_arena_printf(d->arena, "%s[%s]", list->path, name);
		if (cb_spec_find(spec, cb_arena_printf(d->arena, "%s.name", path)))
			cb_decode_problem(d, *item, "manifest.duplicate-key",
					  "give it another name, or remove it",
					  "'%s' has two entries called '%s'", list->path, name);
		else
			decode_keys(d, *item, pattern, path, spec, NULL);
	}
}

/* The rows and the path of what stands below a map: its own, or those of its target. "a[b]" has
 * the rows "a[]". */
static void decode_below(const struct cb_decode *d, const struct cb_yaml_node *node,
			 const struct cb_field *field, const char *path, struct cb_spec *spec,
			 const struct cb_yaml_node **name)
{
	const char *bracket;

	if (field->convert != CB_CONVERT_INTO) {
		decode_keys(d, node, field->path, path, spec, name);
		return;
	}
	bracket = strchr(field->target, '[');
	if (!bracket) {
		decode_keys(d, node, field->target, field->target, spec, name);
		return;
	}
	cb_spec_set(d->arena, spec, cb_arena_printf(d->arena, "%s.name", field->target),
		    cb_string(cb_arena_strndup(d->arena, bracket + 1, strcspn(bracket, "]") - 1)),
		    cb_decode_origin(d, node));
	decode_keys(
		d, node,
		cb_arena_printf(d->arena, "%.*s[]", (int)(bracket - field->target), field->target),
		field->target, spec, name);
}

/* Something that is a key with keys of its own. */
static void decode_inner(const struct cb_decode *d, const struct cb_yaml_node *node,
			 const struct cb_field *field, const char *path, struct cb_spec *spec,
			 const struct cb_yaml_node **name)
{
	const struct cb_field *free_keys =
		cb_field_find(d->scope, cb_arena_printf(d->arena, "%s[]", field->path));

	if (field->type == CB_TYPE_LIST) {
		decode_list(d, node, field, spec);
		return;
	}
	if (!cb_decode_is_map(d, node, cb_arena_printf(d->arena, "'%s'", field->path),
			      cb_decode_example(d, field)))
		return;
	if (!free_keys)
		decode_below(d, node, field, path, spec, name);
	else if (few_enough(d, node, field, node->pairs.len))
		decode_free_keys(d, node, free_keys, spec);
}

/* A value of its own. */
static void decode_leaf(const struct cb_decode *d, const struct cb_yaml_pair *pair,
			const struct cb_field *field, const char *path, struct cb_spec *spec)
{
	struct cb_value value = {0};
	struct cb_origin origin;

	if (!cb_decode_value(d, field, pair->value, &value, &origin) ||
	    !cb_spelling_convert(d, field, pair->value, &value)) {
		set_wrong(d, pair->value, path, spec);
	} else if (!pair->duplicate) {
		cb_spelling_set(d, field, pair->value, path, value, origin, spec);
		cb_spelling_imply(d, field, pair->value, spec);
	}
}

/* One key of the map whose path is `map`, and what stands behind it. */
static void decode_pair(const struct cb_decode *d, const struct cb_field *field,
			const struct cb_yaml_pair *pair, const char *map, struct cb_spec *spec,
			const struct cb_yaml_node **name)
{
	const char *at = cb_spelling_path(d, field, map);
	enum cb_class class = cb_field_class(field);
	struct cb_spec unmanaged = {0};
	struct cb_decode inner = *d;

	/* Leniently, what comes later takes its place, whatever it is. */
	if (field->mutability == CB_MUT_LATER || field->type == CB_TYPE_ANY ||
	    (pair->duplicate && d->lenient))
		return;
	if (class == CB_CLASS_UNMANAGED)
		spec = &unmanaged;
	inner.inside = d->inside || class == CB_CLASS_UNMANAGED || class == CB_CLASS_POLICY;
	if (field->type == CB_TYPE_MAP && *field->unit && pair->value->kind == CB_YAML_SCALAR &&
	    !cb_decode_is_null(pair->value)) {
		field = cb_field_find(d->scope,
				      cb_arena_printf(d->arena, "%s.%s", field->path, field->unit));
		at = field->path;
	}
	if (field->type == CB_TYPE_NAME) {
		if (!pair->duplicate && name)
			*name = pair->value;
	} else if (cb_decode_is_null(pair->value)) {
		if (!pair->duplicate)
			set_nothing(d, pair->value, at, spec);
	} else if (field->type == CB_TYPE_MOUNTS) {
		if (!pair->duplicate)
			cb_decode_paths(&inner, pair->value, field, spec);
	} else if (field->type == CB_TYPE_MAP || field->type == CB_TYPE_LIST) {
		decode_inner(&inner, pair->value, field, at, spec, name);
	} else {
		decode_leaf(&inner, pair, field, at, spec);
	}
}

/* Reads the keys below a map: `pattern` says which rows, `path` how they are called in the spec. */
static void decode_keys(const struct cb_decode *d, const struct cb_yaml_node *node,
			const char *pattern, const char *path, struct cb_spec *spec,
			const struct cb_yaml_node **name)
{
	cb_vec_each (const struct cb_yaml_pair, pair, &node->pairs) {
		const struct cb_field *field = cb_decode_key(d, d->scope, pattern, pair->key);

		if (field)
			decode_pair(d, field, pair, path, spec, name);
	}
}

void cb_decode_pair(const struct cb_decode *d, const struct cb_field *field,
		    const struct cb_yaml_pair *pair, struct cb_spec *spec)
{
	struct cb_decode inner = *d;

	inner.scope = field->scope;
	decode_pair(&inner, field, pair, "", spec, NULL);
}

void cb_decode_vm(const struct cb_decode *d, const struct cb_yaml_node *map, struct cb_spec *spec,
		  const struct cb_yaml_node **name)
{
	struct cb_decode vm = *d;

	vm.scope = CB_SCOPE_VM;
	decode_keys(&vm, map, "", "", spec, name);
}

void cb_decode_entry(const struct cb_decode *d, enum cb_scope scope, const struct cb_yaml_node *map,
		     struct cb_spec *spec)
{
	struct cb_decode entry = *d;

	entry.scope = scope;
	decode_keys(&entry, map, "", "", spec, NULL);
}
