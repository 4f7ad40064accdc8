#include "schema/explain_internal.h"

#include <inttypes.h>
#include <string.h>

#include "reconciler/model/field.h"
#include "schema/decode_internal.h"
#include "schema/suggest.h"

const struct cb_explain_place cb_explain_places[CB_EXPLAIN_PLACES] = {
	{CB_SCOPE_ROOT, "", "", "Top level", NULL},
	{CB_SCOPE_VM, "vm.", "vms", "Keys of a VM",
	 "Below `vm:`, or below a name in `vms:` or `profiles:`."},
	{CB_SCOPE_DEFAULTS, "defaults.", "defaults", "Keys of `defaults`", "Below `defaults:`."},
	{CB_SCOPE_HOST, "hosts.NAME.", "hosts", "Keys of a host", "Below a name in `hosts:`."},
	{CB_SCOPE_IMAGE, "images.NAME.", "images", "Keys of an image",
	 "Below a name in `images:`."},
	{CB_SCOPE_NETWORK, "networks.NAME.", "networks", "Keys of a network",
	 "Below a name in `networks:`."},
	{CB_SCOPE_POOL, "pools.NAME.", "pools", "Keys of a pool", "Below a name in `pools:`."},
	{CB_SCOPE_POLICY, "policies.NAME.", "policies", "Keys of a snapshot policy",
	 "Below a name in `policies:`."},
	{CB_SCOPE_RULES, ".clonebox-policy.yaml: ", "rules", "Keys of `.clonebox-policy.yaml`",
	 "In that file, beside the manifest or further up, else in `~/.clonebox.d/policy.yaml`."},
};

const char *cb_explain_prefix(enum cb_scope scope)
{
	for (size_t i = 0; i < CB_EXPLAIN_PLACES; i++) {
		if (cb_explain_places[i].scope == scope)
			return cb_explain_places[i].prefix;
	}
	return "";
}

const char *cb_explain_change(enum cb_mutability mutability)
{
	switch (mutability) {
	case CB_MUT_LIVE:
		return "takes effect at once, also on a running VM as far as libvirt can";
	case CB_MUT_RESTART:
		return "takes effect when the VM starts the next time";
	case CB_MUT_RECREATE:
		return "needs new disks";
	case CB_MUT_IMMUTABLE:
		return "not possible: it makes another VM";
	case CB_MUT_STATE:
		return "starts, stops or removes the VM";
	case CB_MUT_RECORD:
		return "noted with the VM; nothing on the machine changes";
	case CB_MUT_SEED:
		return "told to the guest at its first boot only; see `guest`";
	case CB_MUT_LOAD:
		return "read where manifests are loaded; what follows from it changes";
	case CB_MUT_POLICY:
		return "read and checked; loads with a warning, not acted on by this version";
	case CB_MUT_UNMANAGED:
		return "known from CloneBox; loads with a warning, and is left alone";
	case CB_MUT_LATER:
		return "known from CloneBox; loads with a warning, not acted on by this version";
	}
	return "";
}

void cb_explain_type(struct cb_str *out, const struct cb_field *field)
{
	switch (field->type) {
	case CB_TYPE_BOOL:
		cb_str_add(out, "true or false");
		break;
	case CB_TYPE_INT:
		cb_str_add(out, "whole number");
		if (*field->unit)
			cb_str_printf(out, " of %s", field->unit);
		break;
	case CB_TYPE_STRING:
		cb_str_add(out, "text");
		if (*field->unit)
			cb_str_printf(out, " (%s)", field->unit);
		break;
	case CB_TYPE_ENUM:
		for (const char *p = field->values; *p; p++)
			cb_str_add_bytes(out, *p == ' ' ? ", " : p, *p == ' ' ? 2 : 1);
		break;
	case CB_TYPE_NAME:
		cb_str_add(out, "letters, digits, '.', '_', '-'; first a letter or digit");
		break;
	case CB_TYPE_FILE:
		cb_str_add(out, "path of a file, relative to the manifest's directory");
		break;
	case CB_TYPE_KEY:
		cb_str_add(out, "letters, digits, '_', '-'; first a letter or digit");
		break;
	case CB_TYPE_SIZE:
		cb_str_add(out, "size with its unit: 512MiB, 100GiB, 2TB");
		break;
	case CB_TYPE_MAC:
		cb_str_add(out, "MAC address");
		break;
	case CB_TYPE_IP:
		cb_str_add(out, "IPv4 address");
		break;
	case CB_TYPE_CIDR:
		cb_str_add(out, "IPv4 network with its size");
		break;
	case CB_TYPE_BYTES:
		cb_str_add(out, "size: 512MiB, 8G, 10GB");
		if (*field->unit)
			cb_str_printf(out, "; a bare number: %s", field->unit);
		break;
	case CB_TYPE_RATE:
		cb_str_add(out, "rate: 500Kbps, 100Mbps, 1Gbps");
		break;
	case CB_TYPE_DURATION:
		cb_str_add(out, "time: 500ms, 90s, 15m, 12h, 5d, 4w");
		if (*field->unit)
			cb_str_printf(out, "; a bare number: %s", field->unit);
		break;
	case CB_TYPE_SCHEDULE:
		cb_str_add(out, "schedule: five fields as cron has them, or @daily and the like");
		break;
	case CB_TYPE_CPUS:
		cb_str_add(out, "processors: \"0-3,7\", or a list of numbers");
		break;
	case CB_TYPE_INTS:
		cb_str_add(out, "whole number, or a list of them");
		break;
	case CB_TYPE_PAIRS:
		cb_str_add(out, "map from texts to texts");
		break;
	case CB_TYPE_SECRET:
		cb_str_add(out, "text, never shown");
		break;
	case CB_TYPE_TEXTS:
		cb_str_add(out, "list of texts");
		break;
	case CB_TYPE_LIST:
		cb_str_add(out, "list, each entry with a `name`");
		break;
	case CB_TYPE_DIRECTORY:
		cb_str_add(out, "absolute path");
		break;
	case CB_TYPE_MOUNTS:
		cb_str_add(out, "map: directory of the host to directory of the guest");
		break;
	case CB_TYPE_JSON:
	case CB_TYPE_MAP:
		cb_str_add(out, "map");
		break;
	case CB_TYPE_ANY:
		cb_str_add(out, "anything");
		break;
	}
}

/* Nothing where there are none. */
void cb_explain_limits(struct cb_str *out, const struct cb_field *field)
{
	if (field->type == CB_TYPE_INT || field->type == CB_TYPE_INTS)
		cb_str_printf(out, "%" PRId64 " to %" PRId64, field->min, field->max);
	else if (field->type == CB_TYPE_SIZE)
		cb_str_add(out, "1MiB to 64TiB");
	else if (field->type == CB_TYPE_BYTES || field->type == CB_TYPE_RATE ||
		 field->type == CB_TYPE_DURATION)
		cb_typed_limits(field, out);
	else if (field->max > 0)
		cb_str_printf(out, "%s%" PRId64 " to %" PRId64 " characters",
			      field->type == CB_TYPE_TEXTS ? "each " : "", field->min, field->max);
}

const char *cb_explain_initial(const struct cb_field *field)
{
	if (!field->initial)
		return "none";
	return *field->initial ? field->initial : "empty";
}

/* The scope whose rows stand below this key, CB_SCOPE_ROOT if it is not such a key. */
static enum cb_scope scope_below(const struct cb_field *field)
{
	bool named;

	return cb_field_scope_below(field->scope, field->path, &named);
}

bool cb_explain_is_container(const struct cb_field *field)
{
	return scope_below(field) != CB_SCOPE_ROOT;
}

static bool is_below(const struct cb_field *field, const struct cb_field *map)
{
	size_t len = strlen(map->path);

	if (cb_explain_is_container(map))
		return field->scope == scope_below(map);
	if (map->convert == CB_CONVERT_INTO)
		return false;
	/* What is said beside `vm:` has its rows with the VM. */
	return field->scope == (map->type == CB_TYPE_MOUNTS ? CB_SCOPE_VM : map->scope) &&
	       strncmp(field->path, map->path, len) == 0 && strchr(".[", field->path[len]) &&
	       field->path[len];
}

/* The path as people would say it: with what it stands below in front. */
static void add_path(struct cb_str *out, const struct cb_field *field)
{
	cb_str_printf(out, "%s%s", cb_explain_prefix(field->scope), field->path);
}

static void add_line(struct cb_str *out, const struct cb_field *field, size_t width)
{
	cb_auto_str struct cb_str path = {0};

	add_path(&path, field);
	cb_str_printf(out, "  %-*s %s\n", (int)width, path.text, field->doc);
}

/* A line for each row that is listed below `map`, or stands in the scope if there is none. */
static void add_lines(struct cb_str *out, const struct cb_field *map, enum cb_scope scope,
		      const char *title)
{
	const struct cb_field *fields;
	size_t n, lines = 0, width = 24;

	fields = cb_fields(&n);
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(cb_explain_prefix(fields[i].scope)) + strlen(fields[i].path);

		if (map ? is_below(&fields[i], map) : fields[i].scope == scope)
			width = len > width ? len : width;
	}
	for (size_t i = 0; i < n; i++) {
		if (!(map ? is_below(&fields[i], map) : fields[i].scope == scope))
			continue;
		if (lines++ == 0)
			cb_str_add(out, title);
		add_line(out, &fields[i], width);
	}
}

static void explain_field(struct cb_str *out, const struct cb_field *field)
{
	cb_auto_str struct cb_str limits = {0};
	const struct cb_field *change = field;

	add_path(out, field);
	cb_str_printf(out, "\n\n  %s\n\n  %-10s", field->doc, "type");
	cb_explain_type(out, field);
	if (field->type != CB_TYPE_MAP && field->mutability != CB_MUT_LATER && !field->target)
		cb_str_printf(out, "\n  %-10s%s", "default", cb_explain_initial(field));
	cb_explain_limits(&limits, field);
	if (limits.len > 0)
		cb_str_printf(out, "\n  %-10s%s", "limits", limits.text);
	if (field->target && *field->target)
		cb_str_printf(out, "\n  %-10s%s%s", "is", cb_explain_prefix(field->scope),
			      field->target);
	if (field->target)
		change = cb_field_find(field->scope, field->target);
	if (change && !cb_explain_is_container(field))
		cb_str_printf(out, "\n  %-10s%s: %s", "change",
			      cb_mutability_name(change->mutability),
			      cb_explain_change(change->mutability));
	cb_str_printf(out, "\n  %-10s%s\n", "example", field->example);
	/* CloneBox's siblings of `vm:` have the rows that they have below it. */
	if (field->scope == CB_SCOPE_ROOT && !cb_explain_is_container(field) &&
	    cb_field_find(CB_SCOPE_VM, field->path))
		field = cb_field_find(CB_SCOPE_VM, field->path);
	if (field->type == CB_TYPE_MAP || field->type == CB_TYPE_LIST ||
	    field->type == CB_TYPE_MOUNTS)
		add_lines(out, field, field->scope, "\nKeys:\n");
}

static void explain_all(struct cb_str *out)
{
	for (size_t k = 0; k < CB_EXPLAIN_PLACES; k++) {
		cb_str_printf(out, "%s%s:\n", k ? "\n" : "", cb_explain_places[k].title);
		add_lines(out, NULL, cb_explain_places[k].scope, "");
	}
	cb_str_add(out, "\n'clonebox explain KEY' tells more of one of them.\n");
}

/* Whether the path, or the part of it behind dots, is a key of the scope: names may have dots of
 * their own. In lists "disks.size" will do. */
static const struct cb_field *find_below(enum cb_scope scope, const char *path)
{
	const struct cb_field *fields;
	size_t n;

	fields = cb_fields(&n);
	for (const char *at = path; at; at = strchr(at, '.') ? strchr(at, '.') + 1 : NULL) {
		for (size_t i = 0; i < n; i++) {
			const char *a = fields[i].path, *b = at;

			while (fields[i].scope == scope && *a && (*a == *b || *a == '[')) {
				if (*a == '[') {
					a += strlen("[]");
					b += *b == '[' ? strcspn(b, "]") + 1 : 0;
				} else {
					a++;
					b++;
				}
			}
			if (fields[i].scope == scope && !*a && !*b)
				return &fields[i];
		}
	}
	return NULL;
}

/* Takes "vm." and the like off. Where a top level key stands alone, it is that. */
static const struct cb_field *find(const char *path)
{
	const struct cb_field *field = cb_field_find(CB_SCOPE_ROOT, path);
	size_t len = strcspn(path, ".");

	/* Where both have the key, it is CloneBox's sibling of `vm:`, and means the same. */
	if (field)
		return field;
	if (strncmp(path, "defaults.vm.", strlen("defaults.vm.")) == 0)
		return find_below(CB_SCOPE_VM, path + strlen("defaults.vm."));
	if (len == 2 && strncmp(path, "vm", len) == 0 && path[len])
		return find_below(CB_SCOPE_VM, path + len + 1);
	for (size_t i = 1; i < CB_EXPLAIN_PLACES; i++) {
		if (strlen(cb_explain_places[i].key) == len &&
		    strncmp(cb_explain_places[i].key, path, len) == 0 && path[len])
			return find_below(cb_explain_places[i].scope, path + len + 1);
	}
	if (strncmp(path, "profiles.", len + 1) == 0 && path[len])
		return find_below(CB_SCOPE_VM, path + len + 1);
	return cb_field_find(CB_SCOPE_VM, path) ? cb_field_find(CB_SCOPE_VM, path)
						: find_below(CB_SCOPE_VM, path);
}

static int unknown(const char *path, struct cb_error *err)
{
	const char *dot = strrchr(path, '.'), *key = dot ? dot + 1 : path;
	const struct cb_field *field = NULL;

	(void)cb_error_set(err, CB_E_USAGE, "there is no key '%s'", path);
	for (size_t i = 1; i < CB_EXPLAIN_PLACES && !field; i++) {
		size_t len = strlen(cb_explain_places[i].key);

		if (strncmp(cb_explain_places[i].key, path, len) == 0 && path[len] == '.')
			field = cb_suggest_field(cb_explain_places[i].scope, "", key);
	}
	if (!field)
		field = cb_suggest_field(CB_SCOPE_VM, "", key);
	if (!field)
		field = cb_suggest_field(CB_SCOPE_ROOT, "", key);
	if (field)
		return cb_error_hint(err, "did you mean '%s%s'?", cb_explain_prefix(field->scope),
				     field->path);
	return cb_error_hint(err, "'clonebox explain' lists all keys");
}

int cb_explain(const char *path, struct cb_str *out, struct cb_error *err)
{
	const struct cb_field *field;

	if (!path || !*path) {
		explain_all(out);
		return 0;
	}
	field = find(path);
	if (!field)
		return unknown(path, err);
	explain_field(out, field);
	return 0;
}

void cb_explain_keys(struct cb_str *out)
{
	const struct cb_field *fields;
	size_t n;

	fields = cb_fields(&n);
	for (size_t i = 0; i < n; i++) {
		add_path(out, &fields[i]);
		cb_str_printf(out, "\t%s\n", fields[i].doc);
	}
}
