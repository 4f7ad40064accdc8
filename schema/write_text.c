#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "reconciler/model/text.h"
#include "schema/decode_internal.h"
#include "schema/format.h"
#include "schema/scalar.h"
#include "schema/write_internal.h"

#define PLAIN "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./@+-=() "

enum { KEY_MAX = 512 }; /* characters of a key of YAML in its short form: 1024 */

struct writer {
	struct cb_arena *arena;
	struct cb_str *out;
	bool origins;
	const struct cb_desired *desired;
};

/* Values. ------------------------------------------------------------------------------------- */

/* Text as one line of YAML, in quotes where it could be anything else; `value`: not a key, and a
 * "${" in it is no variable. */
static void add_text(struct cb_str *out, const char *text, bool value)
{
	size_t len = strlen(text);
	cb_auto_str struct cb_str escaped = {0};

	if (len > 0 && strspn(text, PLAIN) == len && !strchr(" -=@", *text) &&
	    text[len - 1] != ' ' && cb_scalar_of(text) == CB_SCALAR_TEXT) {
		cb_str_add(out, text);
		return;
	}
	for (size_t i = 0; i < len; i++) {
		if (value && strncmp(text + i, "${", 2) == 0)
			cb_str_add(&escaped, "$");
		cb_str_add_bytes(&escaped, text + i, 1);
	}
	cb_format_quote(out, cb_str_text(&escaped), escaped.len);
}

static void add_json(struct cb_str *out, const json_t *json)
{
	const char *key, *text = "";
	json_t *child;
	size_t i;

	switch (json_typeof(json)) {
	case JSON_OBJECT:
		cb_str_add(out, "{");
		/* Behind "? ", a key may be of any length. */
		json_object_foreach((json_t *)(uintptr_t)json, key, child)
		{
			cb_str_add(out, "? ");
			add_text(out, key, false);
			cb_str_add(out, " : ");
			add_json(out, child);
			cb_str_add(out, ", ");
		}
		cb_str_add(out, "}");
		return;
	case JSON_ARRAY:
		cb_str_add(out, "[");
		json_array_foreach(json, i, child)
		{
			cb_str_add(out, i ? ", " : "");
			add_json(out, child);
		}
		cb_str_add(out, "]");
		return;
	case JSON_STRING:
		add_text(out, json_string_value(json), true);
		return;
	case JSON_INTEGER:
		cb_str_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
		return;
	case JSON_REAL: {
		char number[64];

		number[json_dumpb(json, number, sizeof(number) - 1, JSON_ENCODE_ANY)] = '\0';
		cb_str_add(out, number);
		return;
	}
	case JSON_TRUE:
		text = "true";
		break;
	case JSON_FALSE:
		text = "false";
		break;
	case JSON_NULL:
		text = "null";
		break;
	}
	cb_str_add(out, text);
}

/* A size in the largest unit that gives it; disks have whole sectors, and a decimal unit what is
 * rounded up to them. */
static void add_size(struct cb_str *out, int64_t bytes)
{
	static const struct {
		const char *name;
		int64_t bytes, rest;
	} units[] = {
		{"TiB", INT64_C(1) << 40, 1},        {"GiB", INT64_C(1) << 30, 1},
		{"MiB", INT64_C(1) << 20, 1},        {"KiB", INT64_C(1) << 10, 1},
		{"TB", INT64_C(1000000000000), 512}, {"GB", INT64_C(1000000000), 512},
		{"MB", INT64_C(1000000), 512},       {"KB", INT64_C(1000), 512},
	};

	for (size_t i = 0; i < CB_COUNT(units); i++) {
		if (bytes >= units[i].bytes && bytes % units[i].bytes < units[i].rest) {
			cb_str_printf(out, "%" PRId64 "%s", bytes / units[i].bytes, units[i].name);
			return;
		}
	}
	/* From no manifest: up to the next sector. */
	cb_str_printf(out, "%" PRId64 "KiB", (bytes + 1023) / 1024);
}

static bool is_measure(enum cb_field_type type)
{
	return type == CB_TYPE_BYTES || type == CB_TYPE_RATE || type == CB_TYPE_DURATION;
}

static void add_value(struct cb_str *out, const struct cb_field *field,
		      const struct cb_entry *entry)
{
	json_auto_t *json = NULL;

	if (entry->origin.sensitive) {
		cb_str_add(out, CB_WRITE_SECRET);
		return;
	}
	if (cb_write_is_json(field, entry))
		json = json_loads(entry->value.string, 0, NULL);
	if (json)
		add_json(out, json);
	else if (entry->value.kind == CB_NONE)
		cb_str_add(out, "null");
	else if (is_measure(field->type))
		cb_typed_add(out, field->type, entry->value.integer);
	else if (field->type == CB_TYPE_SIZE)
		add_size(out, entry->value.integer);
	else if (entry->value.kind == CB_STRING)
		add_text(out, entry->value.string, true);
	else if (entry->value.kind == CB_INT)
		cb_str_printf(out, "%" PRId64, entry->value.integer);
	else
		cb_str_add(out, entry->value.boolean ? "true" : "false");
}

/* Lines. -------------------------------------------------------------------------------------- */

/* A file may have any name. */
static void add_origin(struct cb_str *out, const struct cb_origin *origin)
{
	if (origin->from == CB_FROM_DEFAULT) {
		cb_str_add(out, " # built-in default\n");
		return;
	}
	cb_str_printf(out, " # %s%s", origin->via ? origin->via : "", origin->via ? " " : "");
	for (const char *p = origin->file ? origin->file : ""; *p; p++)
		cb_str_add_bytes(out, (unsigned char)*p < 0x20 || *p == 0x7f ? "?" : p, 1);
	cb_str_printf(out, ":%u\n", origin->line);
}

/* "key: value", and where it comes from. A default is a comment, or nothing. */
static void add_line(const struct writer *w, int columns, const char *key, const char *value,
		     const struct cb_origin *origin)
{
	bool said = origin->from != CB_FROM_DEFAULT;

	if (!said && !w->origins)
		return;
	cb_str_printf(w->out, "%*s%s", columns, "", said ? "" : "# ");
	add_text(w->out, key, false);
	cb_str_printf(w->out, ":%s%s", *value ? " " : "", value);
	if (w->origins)
		add_origin(w->out, origin);
	else
		cb_str_add(w->out, "\n");
}

static void add_entry(const struct writer *w, int columns, const char *key,
		      const struct cb_field *field, const struct cb_entry *entry)
{
	cb_auto_str struct cb_str value = {0};

	add_value(&value, field, entry);
	add_line(w, columns, key, cb_str_text(&value), &entry->origin);
}

/* "disks:"; a comment where there are defaults only. */
static void add_head(const struct writer *w, int columns, const char *key, bool said)
{
	cb_str_printf(w->out, "%*s%s%s:\n", columns, "", said ? "" : "# ", key);
}

static bool is_below(const char *path, const char *map)
{
	size_t len = strlen(map);

	return strncmp(path, map, len) == 0 && (path[len] == '.' || path[len] == '[');
}

/* Whether the spec says, and not only a default, something below the path. */
static bool says_below(const struct cb_spec *spec, const char *path)
{
	cb_vec_each (const struct cb_entry, entry, spec) {
		if (is_below(entry->path, path) && entry->origin.from != CB_FROM_DEFAULT)
			return true;
	}
	return false;
}

/* The key of a row right below a map or an element; NULL where it is not right below. */
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

static void add_rows(const struct writer *w, enum cb_scope scope, const struct cb_spec *spec,
		     const char *pattern, const char *path, int columns);

static void add_list(const struct writer *w, const struct cb_field *list,
		     const struct cb_spec *spec, const char *path, int columns)
{
	const char *pattern = cb_arena_printf(w->arena, "%s[]", list->path), *seen = "";

	cb_vec_each (const struct cb_entry, entry, spec) {
		const char *name = cb_field_element(w->arena, path, entry->path);
		size_t start = w->out->len;

		if (!name || strcmp(name, seen) == 0)
			continue;
		seen = name;
		add_rows(w, list->scope, spec, pattern,
			 cb_arena_printf(w->arena, "%s[%s]", path, name), columns + 2);
		/* The name comes first, so there is a key on that line. */
		w->out->text[start + (size_t)columns] = '-';
	}
}

/* Keys that people choose. */
static void add_free(const struct writer *w, const struct cb_field *field,
		     const struct cb_spec *spec, const char *path, int columns)
{
	cb_vec_each (const struct cb_entry, entry, spec) {
		const char *name = cb_field_element(w->arena, path, entry->path);

		if (name)
			add_entry(w, columns, name, field, entry);
	}
}

/* A key without a value; one that is too long for a line, in the form that may be longer. */
static const char *host_key(const struct writer *w, const char *host, int columns)
{
	cb_auto_str struct cb_str key = {0};

	add_text(&key, host, false);
	if (key.len < KEY_MAX)
		return cb_arena_printf(w->arena, "%*s%s:", columns, "", key.text);
	return cb_arena_printf(w->arena, "%*s? %s\n%*s:", columns, "", key.text, columns, "");
}

/* How often the directory stands in front of the entry: a directory of the host may be mounted
 * twice, and a key stands once. */
static size_t again(const struct cb_spec *spec, const struct cb_entry *entry)
{
	size_t n = 0;

	cb_vec_each (const struct cb_entry, other, spec) {
		if (other == entry)
			break;
		n += strncmp(other->path, "paths[", strlen("paths[")) == 0 &&
		     other->path[strlen(other->path) - 1] == ']' &&
		     strcmp(other->value.string, entry->value.string) == 0;
	}
	return n;
}

/* `paths`: in the spec the guest's directory is the key, in a manifest the host's. */
static void add_mount(const struct writer *w, const struct cb_spec *spec,
		      const struct cb_entry *entry, const char *guest, int columns)
{
	cb_auto_str struct cb_str host = {0}, more = {0}, text = {0};
	struct writer below = *w;

	below.out = &more;
	add_rows(&below, CB_SCOPE_VM, spec, "paths[]", entry->path, columns + 2);
	cb_str_add(&host, entry->value.string);
	for (size_t n = again(spec, entry); n > 0; n--)
		cb_str_add(&host, "/");
	cb_str_add(w->out, host_key(w, host.text, columns));
	add_text(&text, guest, true);
	if (more.len) {
		cb_str_add(w->out, "\n");
		add_line(w, columns + 2, "guest", text.text, &entry->origin);
		cb_str_add(w->out, more.text);
		return;
	}
	cb_str_printf(w->out, " %s", text.text);
	if (w->origins)
		add_origin(w->out, &entry->origin);
	else
		cb_str_add(w->out, "\n");
}

static void add_mounts(const struct writer *w, const struct cb_spec *spec, const char *path,
		       int columns)
{
	cb_vec_each (const struct cb_entry, entry, spec) {
		const char *guest = cb_field_element(w->arena, path, entry->path);

		if (guest && entry->path[strlen(entry->path) - 1] == ']')
			add_mount(w, spec, entry, guest, columns);
	}
}

static void add_inner(const struct writer *w, const struct cb_field *field,
		      const struct cb_spec *spec, const char *path, const char *leaf, int columns)
{
	const struct cb_field *keys =
		cb_field_find(field->scope, cb_arena_printf(w->arena, "%s[]", field->path));
	bool said = says_below(spec, path);
	cb_auto_str struct cb_str inner = {0};
	struct writer below = *w;

	below.out = &inner;
	if (field->type == CB_TYPE_LIST)
		add_list(&below, field, spec, path, columns + 2);
	else if (field->type == CB_TYPE_MOUNTS)
		add_mounts(&below, spec, path, columns + 2);
	else if (keys)
		add_free(&below, keys, spec, path, columns + 2);
	else
		add_rows(&below, field->scope, spec, field->path, path, columns + 2);
	if (inner.len == 0)
		return;
	add_head(w, columns, leaf, said);
	cb_str_add(w->out, inner.text);
}

/* All that the rows below `pattern` know of, which is `path` in the spec. */
static void add_rows(const struct writer *w, enum cb_scope scope, const struct cb_spec *spec,
		     const char *pattern, const char *path, int columns)
{
	const struct cb_field *fields;
	size_t n;

	fields = cb_fields(&n);
	for (size_t i = 0; i < n; i++) {
		const char *leaf = fields[i].scope == scope ? leaf_of(&fields[i], pattern) : NULL;
		const struct cb_entry *entry;
		const char *at;

		if (!leaf)
			continue;
		at = *path ? cb_arena_printf(w->arena, "%s.%s", path, leaf) : leaf;
		entry = cb_spec_find(spec, at);
		if (entry)
			add_entry(w, columns, leaf, &fields[i], entry);
		else if (fields[i].type == CB_TYPE_MAP || fields[i].type == CB_TYPE_LIST ||
			 fields[i].type == CB_TYPE_MOUNTS)
			add_inner(w, &fields[i], spec, at, leaf, columns);
	}
}

/* What one of `policies` says and the VM has taken back, which it says with a null. */
static struct cb_spec taken_back(const struct writer *w, const struct cb_vm *vm)
{
	const char *name = cb_spec_string(&vm->spec, "snapshots.policy");
	const struct cb_declared *policy =
		name ? cb_declared_find(&w->desired->policies, name) : NULL;
	struct cb_spec out = {0};

	cb_vec_each (const struct cb_entry, entry, &vm->spec)
		cb_spec_set(w->arena, &out, entry->path, entry->value, entry->origin);
	for (size_t i = 0; policy && i < policy->spec.len; i++) {
		const char *path =
			cb_arena_printf(w->arena, "snapshots.%s", policy->spec.items[i].path);

		if (!cb_spec_find(&out, path))
			cb_spec_set(w->arena, &out, path, (struct cb_value){0}, vm->origin);
	}
	return out;
}

/* Things. ------------------------------------------------------------------------------------- */

static void add_thing(const struct writer *w, const char *name, enum cb_scope scope,
		      const struct cb_spec *spec, const struct cb_str *first)
{
	struct cb_spec complete = cb_write_complete(w->arena, scope, spec);
	bool empty = spec->len == 0 && first->len == 0;

	cb_str_add(w->out, "  ");
	add_text(w->out, name, false);
	cb_str_add(w->out, empty && !w->origins ? ": {}\n" : ":\n");
	cb_str_add(w->out, cb_str_text(first));
	add_rows(w, scope, &complete, "", "", 4);
}

static bool is_there(const struct cb_desired *desired, const char *name)
{
	cb_vec_each (const struct cb_vm, vm, &desired->vms) {
		if (strcmp(vm->name, name) == 0)
			return true;
	}
	return false;
}

/* Those that are there, or those that are not. */
static void add_needs(const struct writer *w, const struct cb_vm *vm, bool there)
{
	cb_auto_str struct cb_str list = {0};

	for (size_t i = 0; i < vm->depends_on.len; i++) {
		if (is_there(w->desired, vm->depends_on.items[i]) != there)
			continue;
		cb_str_add(&list, list.len ? ", " : "[");
		add_text(&list, vm->depends_on.items[i], true);
	}
	if (list.len == 0)
		return;
	cb_str_add(&list, "]");
	if (there)
		add_line(w, 4, "depends_on", list.text, &vm->depends_on_origin);
	else
		cb_str_printf(w->out, "    # depends_on: %s # not among these\n", list.text);
}

static void add_vms(const struct writer *w)
{
	if (w->desired->vms.len == 0)
		cb_str_add(w->out, "vms: {}\n");
	else
		cb_str_add(w->out, "vms:\n");
	cb_vec_each (const struct cb_vm, vm, &w->desired->vms) {
		cb_auto_str struct cb_str first = {0};
		struct cb_spec spec = taken_back(w, vm);
		struct writer inner = *w;

		inner.out = &first;
		if (vm->host) {
			struct cb_entry host = {"host", cb_string(vm->host), vm->host_origin};

			add_entry(&inner, 4, "host", cb_field_find(CB_SCOPE_VM, "host"), &host);
		}
		add_needs(&inner, vm, true);
		add_needs(&inner, vm, false);
		add_thing(w, vm->name, CB_SCOPE_VM, &spec, &first);
	}
}

static void add_declarations(const struct writer *w, const struct cb_field *row)
{
	const struct cb_declarations *all = cb_write_declarations(w->desired, row->path);
	const struct cb_str nothing = {0};
	bool named;

	if (!all || all->len == 0)
		return;
	cb_str_printf(w->out, "%s:\n", row->path);
	cb_vec_each (const struct cb_declared, declared, all)
		add_thing(w, declared->name, cb_field_scope_below(CB_SCOPE_ROOT, row->path, &named),
			  &declared->spec, &nothing);
}

static void add_all(const struct writer *w)
{
	const struct cb_desired *desired = w->desired;
	struct cb_entry owner = {"owner", cb_string(desired->owner), desired->owner_origin};
	const struct cb_field *fields;
	size_t n;

	cb_str_add(w->out, "version: \"1\"\n");
	if (!desired->owner_given)
		owner.origin.from = CB_FROM_DEFAULT;
	add_entry(w, 0, "owner", cb_field_find(CB_SCOPE_ROOT, "owner"), &owner);
	fields = cb_fields(&n);
	for (size_t i = 0; i < n; i++) {
		if (fields[i].scope != CB_SCOPE_ROOT)
			continue;
		if (strcmp(fields[i].path, "vms") == 0)
			add_vms(w);
		else
			add_declarations(w, &fields[i]);
	}
}

int cb_write_manifest(const struct cb_desired *desired, enum cb_write_origins origins,
		      struct cb_str *out, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_str struct cb_str made = {0};
	struct writer w = {&arena, &made, origins == CB_WRITE_ORIGINS, desired};
	struct cb_manifest_text text = {.name = "rendered", .directory = "/", .source = "rendered"};
	struct cb_problems problems = {0};

	add_all(&w);
	text.bytes = made.text;
	text.len = made.len;
	if (cb_format(&arena, &text, out, &problems, err) == 0)
		return 0;
	if (problems.len)
		return cb_error_set(err, CB_E_UNSUPPORTED, "this cannot be one manifest: %s",
				    problems.items[0].message);
	return -(int)err->code;
}
