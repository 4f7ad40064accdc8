#include <string.h>

#include "schema/format_internal.h"

struct printer {
	const struct cb_format_file *file;
	struct cb_str *out;
	size_t kept; /* length of `out` behind a text that keeps the empty lines at its end */
};

static void indent(struct printer *p, size_t columns)
{
	cb_str_printf(p->out, "%*s", (int)columns, "");
}

static void add_blank(struct printer *p)
{
	if (p->out->len && p->out->len != p->kept)
		cb_str_add(p->out, "\n");
}

static void add_comments(struct printer *p, const cb_format_comments *comments, size_t columns)
{
	cb_vec_each (struct cb_format_comment *const, comment, comments) {
		if ((*comment)->blank)
			add_blank(p);
		indent(p, columns);
		cb_str_printf(p->out, "%s\n", (*comment)->text);
	}
}

static void end_line(struct printer *p, const struct cb_format_comment *comment)
{
	if (comment)
		cb_str_printf(p->out, " %s", comment->text);
	cb_str_add(p->out, "\n");
}

/* Block texts. -------------------------------------------------------------------------------- */

struct lines {
	CB_VEC(struct cb_format_range) items; /* offsets in the text, without the break */
	const char *text;
};

/* The lines of the value. */
static void split_literal(struct printer *p, const struct cb_format_node *node, struct lines *lines)
{
	size_t start = 0;

	lines->text = node->text;
	for (size_t i = 0; i < node->len; i++) {
		if (node->text[i] != '\n')
			continue;
		cb_vec_push(p->file->arena, &lines->items, ((struct cb_format_range){start, i}));
		start = i + 1;
	}
	if (start < node->len)
		cb_vec_push(p->file->arena, &lines->items,
			    ((struct cb_format_range){start, node->len}));
}

/* How far in the lines stand in the file. The header is "|2-" or the like. */
static size_t indentation(const struct cb_format_file *file, const struct cb_format_node *node,
			  size_t at, const char *header, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (header[i] >= '1' && header[i] <= '9')
			return (node->outer == SIZE_MAX ? 0 : node->outer) +
			       (size_t)(header[i] - '0');
	}
	for (size_t start = at; at < node->end; at++) {
		size_t n = cb_format_break(file, at);

		if (n)
			start = at + n;
		else if (file->bytes[at] != ' ')
			return at - start;
	}
	return SIZE_MAX; /* empty lines only */
}

/* The lines as they stand in the file, without their indentation: the breaks of the value are not
 * those of the file. */
static void split_folded(struct printer *p, const struct cb_format_node *node, struct lines *lines)
{
	const struct cb_format_file *file = p->file;
	size_t at = node->content, begin, cut;

	while (at < node->end && !cb_format_break(file, at))
		at++;
	begin = at + (at < node->end ? cb_format_break(file, at) : 0);
	cut = indentation(file, node, begin, file->bytes + node->content,
			  strcspn(file->bytes + node->content, "# \t\r\n"));
	lines->text = file->bytes;
	for (at = begin; at < node->end;) {
		size_t end = at, start = at;

		while (end < node->end && !cb_format_break(file, end))
			end++;
		while (start < end && start - at < cut && file->bytes[start] == ' ')
			start++;
		cb_vec_push(file->arena, &lines->items, ((struct cb_format_range){start, end}));
		at = end + (end < node->end ? cb_format_break(file, end) : 0);
	}
}

/* Whether what the first lines begin with could be taken for indentation. */
static bool needs_indicator(const struct lines *lines)
{
	cb_vec_each (const struct cb_format_range, line, &lines->items) {
		const char *text = lines->text + line->start;

		if (line->start < line->end && (*text == ' ' || *text == '\t'))
			return true;
		if (line->start < line->end)
			return false;
	}
	return false;
}

/* '-' strips the breaks at the end, '+' keeps all of them. */
static const char *chomping(struct printer *p, const struct cb_format_node *node)
{
	const char *header = p->file->bytes + node->content;
	size_t len = strcspn(header, "# \t\r\n");

	if (node->len && node->text[node->len - 1] != '\n')
		return "-";
	if (memchr(header, '+', len))
		return "+";
	return memchr(header, '-', len) ? "-" : "";
}

static void add_block_text(struct printer *p, const struct cb_format_node *node, size_t columns,
			   const struct cb_format_comment *comment)
{
	bool literal = node->style == CB_FORMAT_LITERAL;
	const char *chomp = chomping(p, node);
	struct lines lines = {0};
	size_t n;

	if (literal)
		split_literal(p, node, &lines);
	else
		split_folded(p, node, &lines);
	n = lines.items.len;
	/* Empty lines at the end are of the text only if they are kept. */
	while (!literal && *chomp != '+' && n > 0 &&
	       lines.items.items[n - 1].start == lines.items.items[n - 1].end)
		n--;
	cb_str_printf(p->out, "%s%s%s", literal ? "|" : ">", needs_indicator(&lines) ? "2" : "",
		      chomp);
	end_line(p, comment);
	for (size_t i = 0; i < n; i++) {
		const struct cb_format_range *line = &lines.items.items[i];

		if (line->start < line->end)
			indent(p, columns + 2);
		cb_str_add_bytes(p->out, lines.text + line->start, line->end - line->start);
		cb_str_add(p->out, "\n");
	}
	if (*chomp == '+')
		p->kept = p->out->len;
}

/* Whether the lines of a block text are lines for everybody. */
static bool is_block_text(const struct cb_format_node *node)
{
	return (node->style == CB_FORMAT_LITERAL || node->style == CB_FORMAT_FOLDED) &&
	       !strstr(node->text, "\xe2\x80\xa8") && !strstr(node->text, "\xe2\x80\xa9");
}

/* Nodes. -------------------------------------------------------------------------------------- */

static void add_entry(struct printer *p, const struct cb_format_entry *entry, size_t columns,
		      bool first, bool inline_);

/* On lines of their own, or the first one on the line that has begun. */
static void add_block(struct printer *p, const struct cb_format_node *node, size_t columns,
		      bool inline_)
{
	for (size_t i = 0; i < node->entries.len; i++)
		add_entry(p, &node->entries.items[i], columns, i == 0, inline_ && i == 0);
	add_comments(p, &node->tail, columns);
}

/* Behind "key:", "-" or "---"; with the end of the line. */
static void add_value(struct printer *p, const struct cb_format_entry *entry, size_t columns,
		      size_t inner)
{
	const struct cb_format_node *node = entry->value;

	if (cb_format_is_block(node)) {
		if (node->properties)
			cb_str_printf(p->out, " %s", node->properties);
		if (!entry->key && !node->properties) {
			cb_str_add(p->out, " ");
			add_block(p, node, inner, true);
			return;
		}
		end_line(p, entry->head);
		add_block(p, node, inner, false);
	} else if (is_block_text(node)) {
		cb_str_add(p->out, " ");
		if (node->properties)
			cb_str_printf(p->out, "%s ", node->properties);
		add_block_text(p, node, columns, entry->end);
	} else {
		cb_auto_str struct cb_str text = {0};

		if (node->line)
			cb_str_add(&text, node->line);
		else
			cb_format_flow(&text, node, false);
		cb_str_printf(p->out, "%s%s", text.len ? " " : "", cb_str_text(&text));
		end_line(p, entry->end);
	}
	add_comments(p, &entry->under, columns + 2);
}

static void add_key(struct printer *p, const struct cb_format_node *key, size_t columns)
{
	bool explicit = cb_format_key_is_explicit(key);
	cb_auto_str struct cb_str text = {0};

	cb_format_flow(&text, key, false);
	cb_str_printf(p->out, "%s%s%s", explicit ? "?" : "", explicit && text.len ? " " : "",
		      cb_str_text(&text));
	if (explicit) {
		cb_str_add(p->out, "\n");
		indent(p, columns);
	} else if (key->kind == CB_FORMAT_ALIAS) {
		cb_str_add(p->out, " ");
	}
	cb_str_add(p->out, ":");
}

static void add_entry(struct printer *p, const struct cb_format_entry *entry, size_t columns,
		      bool first, bool inline_)
{
	if (!inline_) {
		for (size_t i = 0; i < entry->leading.len; i++) {
			cb_format_comments one = {&entry->leading.items[i], 1, 1};
			bool blank = one.items[0]->blank;

			one.items[0]->blank = blank && !(first && i == 0);
			add_comments(p, &one, columns);
		}
		if (entry->blank && !(first && entry->leading.len == 0))
			add_blank(p);
		indent(p, columns);
	}
	if (entry->key)
		add_key(p, entry->key, columns);
	else
		cb_str_add(p->out, "-");
	add_value(p, entry, columns, columns + 2);
}

/* Documents. ---------------------------------------------------------------------------------- */

/* What stands on lines of its own. */
static void add_root(struct printer *p, const struct cb_format_document *document)
{
	const struct cb_format_node *node = document->root.value;

	add_comments(p, &document->top, 0);
	if (!node || !cb_format_is_block(node))
		return;
	if (document->parted)
		add_blank(p);
	add_block(p, node, 0, false);
}

/* What stands on the line of the mark: properties, or a text. */
static void add_beside(struct printer *p, const struct cb_format_document *document)
{
	const struct cb_format_node *node = document->root.value;

	if (!cb_format_is_block(node)) {
		add_value(p, &document->root, 0, 0);
		return;
	}
	cb_str_printf(p->out, " %s", node->properties);
	end_line(p, document->root.head);
	add_block(p, node, 0, false);
}

static bool stands_beside(const struct cb_format_node *node)
{
	if (!node || node->properties)
		return node != NULL;
	return !cb_format_is_block(node) &&
	       (node->kind != CB_FORMAT_SCALAR || node->style != CB_FORMAT_PLAIN || node->len > 0);
}

static void add_document(struct printer *p, const struct cb_format_document *document, bool first)
{
	bool beside = stands_beside(document->root.value);

	add_comments(p, &document->before, 0);
	if (document->directives)
		cb_str_printf(p->out, "%s%s\n", first ? "" : "...\n", document->directives);
	if (beside) {
		add_comments(p, &document->top, 0);
		cb_str_add(p->out, "---");
		add_beside(p, document);
	} else {
		cb_str_add(p->out, document->marked || !first ? "---\n" : "");
		add_root(p, document);
	}
	add_comments(p, &document->tail, 0);
}

void cb_format_print(const struct cb_format_file *file, struct cb_str *out)
{
	struct printer p = {.file = file, .out = out};

	cb_vec_each (const struct cb_format_document, document, &file->documents)
		add_document(&p, document, document == file->documents.items);
}
