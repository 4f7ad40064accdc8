/* The tables of docs/manifest.md and the sections of clonebox.yaml(5). */
#include <string.h>

#include "schema/explain_internal.h"

/* In the order in which people should read of them. */
static const enum cb_mutability costs[] = {
	CB_MUT_LIVE, CB_MUT_RESTART, CB_MUT_RECREATE, CB_MUT_IMMUTABLE, CB_MUT_STATE, CB_MUT_RECORD,
	CB_MUT_SEED, CB_MUT_LOAD,    CB_MUT_POLICY,   CB_MUT_UNMANAGED, CB_MUT_LATER};

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

	cb_explain_type(&type, field);
	cb_explain_limits(&limits, field);
	if (limits.len > 0)
		cb_str_printf(&type, "; %s", limits.text);
	cb_str_add(out, "|");
	add_cell(out, field->path, "`");
	add_cell(out, type.text, "");
	add_cell(out, field->initial ? cb_explain_initial(field) : "", "");
	add_cell(out, cb_explain_is_container(field) ? "" : cb_mutability_name(field->mutability),
		 "");
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
		cb_explain_type(&type, &fields[i]);
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
	for (size_t i = 0; i < CB_EXPLAIN_PLACES; i++) {
		cb_str_printf(out, "%s## %s\n\n", i ? "\n" : "", cb_explain_places[i].title);
		if (cb_explain_places[i].where)
			cb_str_printf(out, "%s\n\n", cb_explain_places[i].where);
		add_table(out, cb_explain_places[i].scope);
	}
	cb_str_add(out, "\n## What a change costs\n\n");
	for (size_t i = 0; i < CB_COUNT(costs); i++)
		cb_str_printf(out, "- **%s**: %s.\n", cb_mutability_name(costs[i]),
			      cb_explain_change(costs[i]));
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
	cb_explain_type(&type, field);
	cb_str_add(&type, "; ");
	cb_explain_limits(&type, field);
	if (strcmp(type.text + type.len - 2, "; ") != 0)
		cb_str_add(&type, "; ");
	if (field->initial)
		cb_str_printf(&type, "default %s; ", cb_explain_initial(field));
	if (!cb_explain_is_container(field))
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
	for (size_t k = 0; k < CB_EXPLAIN_PLACES; k++) {
		cb_str_printf(out, ".SS %s\n", cb_explain_places[k].title);
		if (cb_explain_places[k].where) {
			add_man(out, cb_explain_places[k].where);
			cb_str_add(out, "\n");
		}
		for (size_t i = 0; i < n; i++) {
			if (fields[i].scope == cb_explain_places[k].scope &&
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
