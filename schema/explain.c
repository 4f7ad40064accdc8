#include "schema/explain.h"

#include <inttypes.h>
#include <string.h>

#include "reconciler/model/field.h"
#include "schema/decode_internal.h"
#include "schema/suggest.h"

/* The places where keys stand, in the order in which people should read of them. */
static const struct {
	enum cb_scope scope;
	const char *prefix; /* of paths, as people say them */
	const char *key;    /* of the top level */
	const char *title, *where;
} places[] = {
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
	for (size_t i = 0; i < CB_COUNT(places); i++) {
		if (places[i].scope == scope)
			return places[i].prefix;
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

/* In the order in which people should read of them. */
static const enum cb_mutability costs[] = {CB_MUT_LIVE,      CB_MUT_RESTART, CB_MUT_RECREATE,
					   CB_MUT_IMMUTABLE, CB_MUT_STATE,   CB_MUT_RECORD,
					   CB_MUT_SEED,      CB_MUT_LOAD,    CB_MUT_LATER};

static void add_type(struct cb_str *out, const struct cb_field *field)
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
static void add_limits(struct cb_str *out, const struct cb_field *field)
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

static const char *initial_words(const struct cb_field *field)
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

static bool is_container(const struct cb_field *field)
{
	return scope_below(field) != CB_SCOPE_ROOT;
}

static bool is_below(const struct cb_field *field, const struct cb_field *map)
{
	size_t len = strlen(map->path);

	if (is_container(map))
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
	add_type(out, field);
	if (field->type != CB_TYPE_MAP && field->mutability != CB_MUT_LATER && !field->target)
		cb_str_printf(out, "\n  %-10s%s", "default", initial_words(field));
	add_limits(&limits, field);
	if (limits.len > 0)
		cb_str_printf(out, "\n  %-10s%s", "limits", limits.text);
	if (field->target && *field->target)
		cb_str_printf(out, "\n  %-10s%s%s", "is", cb_explain_prefix(field->scope),
			      field->target);
	if (field->target)
		change = cb_field_find(field->scope, field->target);
	if (change && !is_container(field))
		cb_str_printf(out, "\n  %-10s%s: %s", "change",
			      cb_mutability_name(change->mutability),
			      cb_explain_change(change->mutability));
	cb_str_printf(out, "\n  %-10s%s\n", "example", field->example);
	/* CloneBox's siblings of `vm:` have the rows that they have below it. */
	if (field->scope == CB_SCOPE_ROOT && !is_container(field) &&
	    cb_field_find(CB_SCOPE_VM, field->path))
		field = cb_field_find(CB_SCOPE_VM, field->path);
	if (field->type == CB_TYPE_MAP || field->type == CB_TYPE_LIST ||
	    field->type == CB_TYPE_MOUNTS)
		add_lines(out, field, field->scope, "\nKeys:\n");
}

static void explain_all(struct cb_str *out)
{
	for (size_t k = 0; k < CB_COUNT(places); k++) {
		cb_str_printf(out, "%s%s:\n", k ? "\n" : "", places[k].title);
		add_lines(out, NULL, places[k].scope, "");
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
	for (size_t i = 1; i < CB_COUNT(places); i++) {
		if (strlen(places[i].key) == len && strncmp(places[i].key, path, len) == 0 &&
		    path[len])
			return find_below(places[i].scope, path + len + 1);
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
	for (size_t i = 1; i < CB_COUNT(places) && !field; i++) {
		size_t len = strlen(places[i].key);

		if (strncmp(places[i].key, path, len) == 0 && path[len] == '.')
			field = cb_suggest_field(places[i].scope, "", key);
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

/* Text in a cell: a bar would end it. */
static void add_cell(struct cb_str *out, const char *text, const char *mark)
{
	cb_str_printf(out, " %s", mark);
	for (const char *p = text; *p; p++)
		cb_str_add_bytes(out, *p == '|' ? "\\|" : p, *p == '|' ? 2 : 1);
	cb_str_printf(out, "%s |", mark);
}

static void add_row(struct cb_str *out, const struct cb_field *field)
{
	cb_auto_str struct cb_str type = {0}, limits = {0};

	add_type(&type, field);
	add_limits(&limits, field);
	if (limits.len > 0)
		cb_str_printf(&type, "; %s", limits.text);
	cb_str_add(out, "|");
	add_cell(out, field->path, "`");
	add_cell(out, type.text, "");
	add_cell(out, field->initial ? initial_words(field) : "", "");
	add_cell(out, is_container(field) ? "" : cb_mutability_name(field->mutability), "");
	add_cell(out, field->doc, "");
	add_cell(out, field->example, "`");
	cb_str_add(out, "\n");
}

/* The rows of one kind in a list below the table; nothing where there are none. */
static void add_list(struct cb_str *out, enum cb_scope scope, enum cb_mutability mutability,
		     const char *title)
{
	const struct cb_field *fields;
	size_t n, some = 0;

	fields = cb_fields(&n);
	for (size_t i = 0; i < n; i++) {
		if (fields[i].scope == scope && fields[i].mutability == mutability &&
		    !fields[i].target)
			cb_str_printf(out, "%s `%s`", some++ ? "," : title, fields[i].path);
	}
	if (some)
		cb_str_add(out, ".\n");
}

static void add_spellings(struct cb_str *out, enum cb_scope scope)
{
	const struct cb_field *fields;
	size_t n, some = 0;

	fields = cb_fields(&n);
	for (size_t i = 0; i < n; i++) {
		cb_auto_str struct cb_str type = {0};

		if (fields[i].scope != scope || !fields[i].target)
			continue;
		if (some++ == 0)
			cb_str_add(out, "\nOther spellings:\n\n| key | value | is | example |\n"
					"|--|--|--|--|\n");
		add_type(&type, &fields[i]);
		cb_str_add(out, "|");
		add_cell(out, fields[i].path, "`");
		add_cell(out, type.text, "");
		add_cell(out, *fields[i].target ? fields[i].target : "what stands beside it",
			 *fields[i].target ? "`" : "");
		add_cell(out, fields[i].example, "`");
		cb_str_add(out, "\n");
	}
}

static void add_table(struct cb_str *out, enum cb_scope scope)
{
	const struct cb_field *fields;
	size_t n;

	cb_str_add(out, "| key | value | default | change | meaning | example |\n"
			"|--|--|--|--|--|--|\n");
	fields = cb_fields(&n);
	for (size_t i = 0; i < n; i++) {
		if (fields[i].scope == scope && fields[i].mutability != CB_MUT_LATER &&
		    fields[i].mutability != CB_MUT_UNMANAGED && !fields[i].target)
			add_row(out, &fields[i]);
	}
	add_spellings(out, scope);
	add_list(out, scope, CB_MUT_UNMANAGED, "\nKnown from CloneBox, and left alone:");
	add_list(out, scope, CB_MUT_LATER, "\nKnown from CloneBox, not acted on by this version:");
}

void cb_explain_markdown(struct cb_str *out)
{
	for (size_t i = 0; i < CB_COUNT(places); i++) {
		cb_str_printf(out, "%s## %s\n\n", i ? "\n" : "", places[i].title);
		if (places[i].where)
			cb_str_printf(out, "%s\n\n", places[i].where);
		add_table(out, places[i].scope);
	}
	cb_str_add(out, "\n## What a change costs\n\n");
	for (size_t i = 0; i < CB_COUNT(costs); i++)
		cb_str_printf(out, "- **%s**: %s.\n", cb_mutability_name(costs[i]),
			      cb_explain_change(costs[i]));
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

/* Text in a page: what troff would take for its own is escaped, and a word longer than a line may
 * be broken. */
static void add_man(struct cb_str *out, const char *text)
{
	enum { LONG_WORD = 40 };

	size_t word = 0;

	for (const char *p = text; *p; p++) {
		word = *p == ' ' ? 0 : word + 1;
		if (word > LONG_WORD) {
			cb_str_add(out, "\\:");
			word = 1;
		}
		if (*p == '\\')
			cb_str_add(out, "\\e");
		else if (*p == '"')
			cb_str_add(out, "\\(dq");
		else if (*p == '-' || *p == '\'' || *p == '.')
			cb_str_printf(out, *p == '-' ? "\\-" : "\\&%c", *p);
		else if (*p != '`')
			cb_str_add_bytes(out, p, 1);
	}
}

static void add_man_row(struct cb_str *out, const struct cb_field *field)
{
	cb_auto_str struct cb_str type = {0};

	cb_str_add(out, ".TP\n.B ");
	add_man(out, field->path);
	cb_str_add(out, "\n");
	add_man(out, field->doc);
	cb_str_add(out, "\n");
	add_type(&type, field);
	cb_str_add(&type, "; ");
	add_limits(&type, field);
	if (strcmp(type.text + type.len - 2, "; ") != 0)
		cb_str_add(&type, "; ");
	if (field->initial)
		cb_str_printf(&type, "default %s; ", initial_words(field));
	if (!is_container(field))
		cb_str_printf(&type, "change: %s; ", cb_mutability_name(field->mutability));
	type.text[type.len - 2] = '.';
	type.text[type.len - 1] = '\0';
	type.text[0] = (char)(type.text[0] >= 'a' && type.text[0] <= 'z' ? type.text[0] - 'a' + 'A'
									 : type.text[0]);
	add_man(out, type.text);
	cb_str_add(out, "\n.br\nFor example:\n.B ");
	add_man(out, field->example);
	cb_str_add(out, "\n");
}

void cb_explain_man(struct cb_str *out)
{
	const struct cb_field *fields;
	size_t n;

	fields = cb_fields(&n);
	for (size_t k = 0; k < CB_COUNT(places); k++) {
		cb_str_printf(out, ".SS %s\n", places[k].title);
		if (places[k].where) {
			add_man(out, places[k].where);
			cb_str_add(out, "\n");
		}
		for (size_t i = 0; i < n; i++) {
			if (fields[i].scope == places[k].scope &&
			    fields[i].mutability != CB_MUT_LATER)
				add_man_row(out, &fields[i]);
		}
	}
	cb_str_add(out, ".SS What a change costs\n");
	for (size_t i = 0; i < CB_COUNT(costs); i++) {
		cb_str_printf(out, ".TP\n.B %s\n", cb_mutability_name(costs[i]));
		add_man(out, cb_explain_change(costs[i]));
		cb_str_add(out, ".\n");
	}
}
