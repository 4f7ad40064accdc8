#include "schema/explain.h"

#include <inttypes.h>
#include <string.h>

#include "reconciler/model/field.h"
#include "schema/suggest.h"

static const char *change_words(enum cb_mutability mutability)
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
	case CB_MUT_LATER:
		return "known from CloneBox; loads with a warning, not acted on by this version";
	}
	return "";
}

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
	if (field->type == CB_TYPE_INT)
		cb_str_printf(out, "%" PRId64 " to %" PRId64, field->min, field->max);
	else if (field->max > 0)
		cb_str_printf(out, "%" PRId64 " to %" PRId64 " characters", field->min, field->max);
}

static const char *initial_words(const struct cb_field *field)
{
	if (!field->initial)
		return "none";
	return *field->initial ? field->initial : "empty";
}

static bool is_container(const struct cb_field *field)
{
	return field->type == CB_TYPE_MAP && field->scope == CB_SCOPE_ROOT;
}

static bool is_below(const struct cb_field *field, const struct cb_field *map)
{
	size_t len = strlen(map->path);

	if (is_container(map))
		return field->scope == CB_SCOPE_VM;
	return field->scope == map->scope && strncmp(field->path, map->path, len) == 0 &&
	       field->path[len] == '.';
}

/* The path as people would say it: with `vm.` in front. */
static void add_path(struct cb_str *out, const struct cb_field *field)
{
	cb_str_printf(out, "%s%s", field->scope == CB_SCOPE_VM ? "vm." : "", field->path);
}

static void add_line(struct cb_str *out, const struct cb_field *field)
{
	cb_auto_str struct cb_str path = {0};

	add_path(&path, field);
	cb_str_printf(out, "  %-24s %s\n", path.text, field->doc);
}

static void add_children(struct cb_str *out, const struct cb_field *map)
{
	const struct cb_field *fields;
	size_t n;

	cb_str_add(out, "\nKeys:\n");
	fields = cb_fields(&n);
	for (size_t i = 0; i < n; i++) {
		if (is_below(&fields[i], map))
			add_line(out, &fields[i]);
	}
}

static void explain_field(struct cb_str *out, const struct cb_field *field)
{
	cb_auto_str struct cb_str limits = {0};

	add_path(out, field);
	cb_str_printf(out, "\n\n  %s\n\n  %-10s", field->doc, "type");
	add_type(out, field);
	if (field->type != CB_TYPE_MAP && field->mutability != CB_MUT_LATER)
		cb_str_printf(out, "\n  %-10s%s", "default", initial_words(field));
	add_limits(&limits, field);
	if (limits.len > 0)
		cb_str_printf(out, "\n  %-10s%s", "limits", limits.text);
	if (!is_container(field))
		cb_str_printf(out, "\n  %-10s%s: %s", "change",
			      cb_mutability_name(field->mutability),
			      change_words(field->mutability));
	cb_str_printf(out, "\n  %-10s%s\n", "example", field->example);
	if (field->type == CB_TYPE_MAP)
		add_children(out, field);
}

static void explain_all(struct cb_str *out)
{
	const struct cb_field *fields;
	size_t n;

	cb_str_add(out, "Keys at the top level of a manifest:\n");
	fields = cb_fields(&n);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && fields[i].scope != fields[i - 1].scope)
			cb_str_add(out, "\nKeys of a VM, below 'vm:' or below a name in 'vms:':\n");
		add_line(out, &fields[i]);
	}
	cb_str_add(out, "\n'clonebox explain KEY' tells more of one of them.\n");
}

/* Takes "vm." and "vms.NAME." off. */
static const char *below_vm(const char *path)
{
	const char *dot;

	if (strncmp(path, "vm.", 3) == 0)
		return path + 3;
	if (strncmp(path, "vms.", 4) != 0)
		return path;
	/* A name may have dots of its own: the key is what is a key. */
	for (dot = strchr(path + 4, '.'); dot; dot = strchr(dot + 1, '.')) {
		if (cb_field_find(CB_SCOPE_VM, dot + 1))
			return dot + 1;
	}
	return path;
}

static int unknown(const char *path, const char *key, struct cb_error *err)
{
	const struct cb_field *field = cb_suggest_field(CB_SCOPE_VM, "", key);

	(void)cb_error_set(err, CB_E_USAGE, "there is no key '%s'", path);
	if (!field)
		field = cb_suggest_field(CB_SCOPE_ROOT, "", key);
	if (field)
		return cb_error_hint(err, "did you mean '%s%s'?",
				     field->scope == CB_SCOPE_VM ? "vm." : "", field->path);
	return cb_error_hint(err, "'clonebox explain' lists all keys");
}

int cb_explain(const char *path, struct cb_str *out, struct cb_error *err)
{
	const struct cb_field *field = NULL;
	const char *key;

	if (!path || !*path) {
		explain_all(out);
		return 0;
	}
	key = below_vm(path);
	/* Where both have the key, it is CloneBox's sibling of `vm:`, and means the same. */
	if (key == path)
		field = cb_field_find(CB_SCOPE_ROOT, path);
	if (!field)
		field = cb_field_find(CB_SCOPE_VM, key);
	if (!field)
		return unknown(path, key, err);
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

static void add_table(struct cb_str *out, enum cb_scope scope)
{
	const struct cb_field *fields;
	size_t n, later = 0;

	cb_str_add(out, "| key | value | default | change | meaning | example |\n"
			"|--|--|--|--|--|--|\n");
	fields = cb_fields(&n);
	for (size_t i = 0; i < n; i++) {
		if (fields[i].scope == scope && fields[i].mutability != CB_MUT_LATER)
			add_row(out, &fields[i]);
	}
	cb_str_add(out, "\nKnown from CloneBox, not acted on by this version:");
	for (size_t i = 0; i < n; i++) {
		if (fields[i].scope == scope && fields[i].mutability == CB_MUT_LATER)
			cb_str_printf(out, "%s `%s`", later++ ? "," : "", fields[i].path);
	}
	cb_str_add(out, ".\n");
}

void cb_explain_markdown(struct cb_str *out)
{
	static const enum cb_mutability all[] = {CB_MUT_LIVE,      CB_MUT_RESTART, CB_MUT_RECREATE,
						 CB_MUT_IMMUTABLE, CB_MUT_STATE,   CB_MUT_LATER};

	cb_str_add(out, "## Top level\n\n");
	add_table(out, CB_SCOPE_ROOT);
	cb_str_add(out, "\n## Keys of a VM\n\nBelow `vm:`, or below a name in `vms:`.\n\n");
	add_table(out, CB_SCOPE_VM);
	cb_str_add(out, "\n## What a change costs\n\n");
	for (size_t i = 0; i < CB_COUNT(all); i++)
		cb_str_printf(out, "- **%s**: %s.\n", cb_mutability_name(all[i]),
			      change_words(all[i]));
}
