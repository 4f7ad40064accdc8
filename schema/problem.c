#include "schema/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/error.h"
#include "reconciler/base/str.h"
#include "schema/utf8.h"

enum { QUOTE_MAX = 60 };

void cb_schema_report(struct cb_arena *arena, struct cb_problems *problems,
		      const struct cb_schema_at *at, const char *fix, const char *fmt, ...)
{
	struct cb_problem problem = {
		.severity = at->severity,
		.check = at->check,
		.target = cb_arena_strdup(arena, at->target ? at->target : ""),
		.kind = at->kind,
		.fix = cb_arena_strdup(arena, fix ? fix : ""),
		.origin = {CB_FROM_MANIFEST, at->file, at->line, at->column, false},
	};
	char *message = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&message, fmt, ap) < 0)
		cb_oom();
	va_end(ap);
	problem.message = cb_arena_strdup(arena, message);
	free(message);
	cb_vec_push(arena, problems, problem);
}

static int compare_numbers(unsigned a, unsigned b)
{
	return (a > b) - (a < b);
}

/* Total, so that the order does not depend on the sort: the texts decide what the place does not.
 */
static int compare(const void *left, const void *right)
{
	const struct cb_problem *a = left, *b = right;
	int order = strcmp(a->origin.file, b->origin.file);

	if (order == 0)
		order = compare_numbers(a->origin.line, b->origin.line);
	if (order == 0)
		order = compare_numbers(a->origin.column, b->origin.column);
	if (order == 0)
		order = strcmp(a->check, b->check);
	if (order == 0)
		order = strcmp(a->target, b->target);
	if (order == 0)
		order = strcmp(a->message, b->message);
	if (order == 0)
		order = strcmp(a->fix, b->fix);
	return order;
}

void cb_schema_sort(struct cb_problems *problems)
{
	size_t kept = 0;

	if (problems->len == 0)
		return;
	qsort(problems->items, problems->len, sizeof(*problems->items), compare);
	/* What stands behind an anchor is read once for each alias. */
	for (size_t i = 1; i < problems->len; i++) {
		if (compare(&problems->items[kept], &problems->items[i]) != 0)
			problems->items[++kept] = problems->items[i];
	}
	problems->len = kept + 1;
}

const char *cb_schema_quote(struct cb_arena *arena, const char *text, size_t len)
{
	cb_auto_str struct cb_str out = {0};
	size_t shown = len;

	if (shown > QUOTE_MAX) {
		shown = QUOTE_MAX;
		while (shown > 0 && ((unsigned char)text[shown] & 0xc0) == 0x80)
			shown--;
	}
	cb_str_add(&out, "'");
	for (size_t i = 0; i < shown;) {
		unsigned long code = 0;
		size_t width = cb_utf8_next(text + i, shown - i, &code);

		if (width == 0)
			cb_str_printf(&out, "\\x%02x", (unsigned char)text[i]);
		else if (code == '\n')
			cb_str_add(&out, "\\n");
		else if (code == '\t')
			cb_str_add(&out, "\\t");
		else if (code < 0x20 || (code >= 0x7f && code < 0xa0))
			cb_str_printf(&out, "\\x%02lx", code);
		else if (cb_utf8_is_hidden(code))
			cb_str_printf(&out, code > 0xffff ? "\\U%08lx" : "\\u%04lx", code);
		else
			cb_str_add_bytes(&out, text + i, width);
		i += width ? width : 1;
	}
	cb_str_add(&out, shown < len ? "...'" : "'");
	return cb_arena_strndup(arena, out.text, out.len);
}

const char *cb_schema_foreign(struct cb_arena *arena, const char *text, size_t len)
{
	unsigned long code = 0;
	size_t width, number = 1;

	for (size_t i = 0; i < len; i += width, number++) {
		width = cb_utf8_next(text + i, len - i, &code);
		if (width == 0)
			break;
		if (code > 0x7f)
			return cb_arena_printf(arena, " (character %zu is U+%04lX, %s)", number,
					       code,
					       cb_utf8_is_hidden(code) ? "which cannot be seen"
								       : "no ASCII letter");
	}
	return "";
}
