/* `paths`: directories of the host, and where the guest mounts them. A person writes the host's
 * first; in the spec they are told apart by the guest's, which only one can have. */
#include <string.h>

#include "schema/decode_internal.h"

enum { PATHS_MAX = 100 }; /* of one VM */

static const char *const more[] = {"kind", "readonly"}; /* keys beside `guest` */

/* What makes it no path that can be meant; NULL where all is well. */
static const char *why_not(const struct cb_decode *d, const struct cb_yaml_node *node)
{
	const char *text = node->text;

	if (text[0] == '~')
		return "'~' is not expanded: write the path out";
	if (strstr(text, "${"))
		return "a key is not expanded: write the path out";
	if (text[0] != '/')
		return "both sides begin with '/', for example: paths: {/home/me/src: /src}";
	/* They stand for the place of a key in paths of ours. */
	if (strpbrk(text, "[]"))
		return "'[' and ']' cannot be part of it";
	for (const char *part = text; part; part = strchr(part, '/')) {
		size_t len = strcspn(++part, "/");

		if ((len == 1 && part[0] == '.') || (len == 2 && strncmp(part, "..", 2) == 0))
			return cb_arena_printf(d->arena, "write the path out, without '%.*s'",
					       (int)len, part);
	}
	return NULL;
}

bool cb_decode_directory(const struct cb_decode *d, const struct cb_field *field,
			 const struct cb_yaml_node *node, struct cb_value *value)
{
	const char *fix = why_not(d, node);
	char *out = cb_arena_strdup(d->arena, node->text);
	size_t len = 0;

	if (fix) {
		cb_decode_problem(d, node, "manifest.path", fix,
				  "'%s' wants %s of a directory, found %s", field->path,
				  cb_decode_wanted(d, field), cb_decode_quote(d, node));
		return false;
	}
	/* "//src/" is "/src". */
	for (const char *p = node->text; *p; p++) {
		if (*p != '/' || (p[1] && p[1] != '/'))
			out[len++] = *p;
	}
	out[len] = '\0';
	*value = cb_string(len ? out : "/");
	return true;
}

/* A key that has a value, in the map behind a directory of the host. */
static const struct cb_yaml_node *value_of(const struct cb_yaml_node *map, const char *key)
{
	cb_vec_each (const struct cb_yaml_pair, pair, &map->pairs) {
		if (!pair->duplicate && pair->key->kind == CB_YAML_SCALAR &&
		    strcmp(pair->key->text, key) == 0 && !cb_decode_is_null(pair->value))
			return pair->value;
	}
	return NULL;
}

/* The text that says where the guest mounts it; NULL where there is none: reported. */
static const struct cb_yaml_node *
guest_of(const struct cb_decode *d, const struct cb_yaml_pair *pair, const struct cb_field *field)
{
	const struct cb_yaml_node *guest = NULL;
	bool fine = true;

	if (pair->value->kind == CB_YAML_SCALAR && !cb_decode_is_null(pair->value))
		return pair->value;
	if (pair->value->kind == CB_YAML_MAP && cb_decode_tag(d, pair->value)) {
		guest = value_of(pair->value, "guest");
		cb_vec_each (const struct cb_yaml_pair, inner, &pair->value->pairs)
			fine = cb_decode_key(d, d->scope, "paths[]", inner->key) && fine;
	}
	if (!guest)
		cb_decode_problem(d, pair->value, "manifest.missing",
				  cb_decode_is_null(pair->value)
					  ? "leave the key out; `paths: null` takes back what a "
					    "profile or the defaults say"
					  : cb_decode_example(d, field),
				  "'paths': %s is given no directory of the guest",
				  cb_decode_quote(d, pair->key));
	return fine ? guest : NULL;
}

/* What else is said of one. What is not said is the default, also where a profile speaks of a
 * directory that is mounted there: an entry is taken as a whole. */
static void decode_more(const struct cb_decode *d, const struct cb_yaml_node *node,
			const char *path, struct cb_spec *spec)
{
	for (size_t i = 0; i < CB_COUNT(more); i++) {
		const char *at = cb_arena_printf(d->arena, "%s.%s", path, more[i]);
		const struct cb_yaml_node *said = value_of(node, more[i]);
		struct cb_origin origin = cb_decode_origin(d, node);
		struct cb_value value = {0};

		if (said)
			(void)cb_decode_value(d, cb_field_find(CB_SCOPE_VM, at), said, &value,
					      &origin);
		cb_spec_set(d->arena, spec, at, value, origin);
	}
}

/* A key is not expanded, and is read by nobody else. */
static bool decode_host(const struct cb_decode *d, const struct cb_field *field,
			const struct cb_yaml_node *key, struct cb_value *value)
{
	if (key->kind == CB_YAML_SCALAR && strlen(key->text) == key->len)
		return cb_decode_tag(d, key) && cb_decode_text(d, field, key, value) &&
		       cb_decode_directory(d, field, key, value);
	cb_decode_problem(d, key, "manifest.type", "for example: paths: {/home/me/src: /src}",
			  "a key of '%s' has to be a directory of the host", field->path);
	return false;
}

static void decode_path(const struct cb_decode *d, const struct cb_yaml_pair *pair,
			const struct cb_field *field, struct cb_spec *spec)
{
	static const char row[] = "paths[]";
	struct cb_field host_row = *cb_field_find(CB_SCOPE_VM, row), guest_row = host_row;
	const struct cb_yaml_node *guest_node = guest_of(d, pair, field);
	struct cb_value host = {0}, guest = {0};
	struct cb_origin origin = cb_decode_origin(d, pair->key), ignored;
	const struct cb_entry *other;
	const char *path;
	bool fine;

	host_row.path = guest_row.path = field->path;
	/* Both, for both may be wrong. */
	fine = decode_host(d, &host_row, pair->key, &host);
	if (!guest_node || !cb_decode_value(d, &guest_row, guest_node, &guest, &ignored) || !fine)
		return;
	if (strcmp(guest.string, "/") == 0) {
		cb_decode_problem(d, guest_node, "manifest.path",
				  "mount it below: /mnt/host, for example",
				  "'paths': the guest's '/' is its own");
		return;
	}
	path = cb_arena_printf(d->arena, "paths[%s]", guest.string);
	other = cb_spec_find(spec, path);
	if (other) {
		cb_decode_problem(d, guest_node, "manifest.duplicate-key",
				  "give one of them another directory",
				  "'paths' mounts %s twice: here and at %s:%u:%u",
				  cb_decode_quote(d, guest_node), other->origin.file,
				  other->origin.line, other->origin.column);
		return;
	}
	cb_spec_set(d->arena, spec, path, host, origin);
	decode_more(d, pair->value, path, spec);
}

void cb_decode_paths(const struct cb_decode *d, const struct cb_yaml_node *node,
		     const struct cb_field *field, struct cb_spec *spec)
{
	struct cb_decode vm = *d;

	vm.scope = CB_SCOPE_VM;
	if (!cb_decode_is_map(d, node, "'paths'", cb_decode_example(d, field)))
		return;
	if (node->pairs.len > PATHS_MAX) {
		cb_decode_problem(d, node, "manifest.limit", NULL,
				  "'paths' has too many entries: the limit is %d", PATHS_MAX);
		return;
	}
	cb_vec_each (const struct cb_yaml_pair, pair, &node->pairs) {
		if (!pair->duplicate)
			decode_path(&vm, pair, field, spec);
	}
}
