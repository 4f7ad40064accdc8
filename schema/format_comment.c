/* Comments: libyaml drops them, so they are looked for in what stands between the tokens. */
#include <string.h>

#include "schema/format_internal.h"

#define MODELINE "yaml-language-server:"

/* Finding. ------------------------------------------------------------------------------------ */

static bool line_is_empty(const struct cb_format_file *file, size_t line)
{
	size_t at = file->lines[line];

	while (at < file->len && (file->bytes[at] == ' ' || file->bytes[at] == '\t'))
		at++;
	return at < file->len && cb_format_break(file, at);
}

/* Whether the line begins in a text that goes over several of them. */
static bool line_is_solid(const struct cb_format_file *file, size_t line)
{
	size_t at = file->lines[line], low = 0, high = file->solid.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (file->solid.items[middle].end <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low < file->solid.len && file->solid.items[low].start < at;
}

/* Whether there is nothing but `accept` in front of it on its line, and an empty line before. */
static bool is_behind_blank(const struct cb_format_file *file, size_t at, const char *accept)
{
	size_t line = cb_format_line(file, at), start = file->lines[line];

	return line > 0 && strspn(file->bytes + start, accept) >= at - start &&
	       line_is_empty(file, line - 1) && !line_is_solid(file, line - 1);
}

static size_t add_comment(struct cb_format_file *file, size_t at)
{
	size_t end = at, line = cb_format_line(file, at), start = file->lines[line], after;
	struct cb_format_comment comment = {
		.at = at,
		.line = line,
		.column = at - start,
		.own_line = strspn(file->bytes + start, " \t") >= at - start,
		.blank = is_behind_blank(file, at, " \t"),
	};

	while (end < file->len && !cb_format_break(file, end))
		end++;
	after = end;
	while (end > at && (file->bytes[end - 1] == ' ' || file->bytes[end - 1] == '\t'))
		end--;
	comment.text = cb_arena_strndup(file->arena, file->bytes + at, end - at);
	cb_vec_push(file->arena, &file->comments, comment);
	return after;
}

/* One token between scalars, or a part of it. */
static size_t skip_token(const struct cb_format_file *file, size_t at)
{
	return strchr("&*!", file->bytes[at]) ? cb_format_skip_property(file, at) : at + 1;
}

void cb_format_find_comments(struct cb_format_file *file)
{
	size_t at = 0, solid = 0;

	while (at < file->len) {
		while (solid < file->solid.len && file->solid.items[solid].end <= at)
			solid++;
		if (solid < file->solid.len && file->solid.items[solid].start <= at)
			at = file->solid.items[solid].end;
		else
			at = file->bytes[at] == '#' ? add_comment(file, at) : skip_token(file, at);
	}
}

/* Attaching. ---------------------------------------------------------------------------------- */

struct attach {
	struct cb_format_file *file;
	size_t next; /* comment */
};

bool cb_format_is_container(const struct cb_format_node *node)
{
	return node->entries.len > 0;
}

/* The next comment, if it stands in front of `limit`. */
static struct cb_format_comment *peek(const struct attach *a, size_t limit)
{
	const struct cb_format_file *file = a->file;

	if (a->next >= file->comments.len || file->comments.items[a->next].at >= limit)
		return NULL;
	return &file->comments.items[a->next];
}

/* Moves all comments in front of `limit` to the list. */
static void take(struct attach *a, size_t limit, cb_format_comments *into)
{
	struct cb_format_comment *comment;

	while ((comment = peek(a, limit))) {
		cb_vec_push(a->file->arena, into, comment);
		a->next++;
	}
}

static const struct cb_format_comment *take_end(struct attach *a, size_t end, size_t limit)
{
	struct cb_format_comment *comment = peek(a, limit);

	if (!comment || comment->own_line || comment->line != cb_format_line(a->file, end))
		return NULL;
	a->next++;
	return comment;
}

static void attach_entry(struct attach *a, struct cb_format_entry *entry, size_t column,
			 size_t limit);

static size_t start_of(const struct cb_format_entry *entry)
{
	return entry->key ? entry->key->start : entry->value->start;
}

/* `outer` is the column of the block around it, -1 for none. */
static void attach_children(struct attach *a, struct cb_format_node *node, long outer, size_t limit)
{
	size_t column = cb_format_column(a->file, node->content);
	struct cb_format_comment *comment;

	for (size_t i = 0; i < node->entries.len; i++) {
		struct cb_format_entry *entry = &node->entries.items[i];

		entry->value->outer = column;
		if (node->flow)
			attach_entry(a, entry, column, node->end);
		else
			attach_entry(a, entry, column,
				     i + 1 < node->entries.len ? start_of(entry + 1) : limit);
		/* What comes first has nothing to be parted from. */
		if (i == 0 && entry->leading.len)
			entry->leading.items[0]->blank = false;
		else if (i == 0)
			entry->blank = false;
	}
	if (node->flow) {
		take(a, node->end, &node->tail);
		return;
	}
	while ((comment = peek(a, limit)) && comment->own_line && comment->column >= column &&
	       (long)comment->column > outer) {
		cb_vec_push(a->file->arena, &node->tail, comment);
		a->next++;
	}
}

/* The line of the ':' behind a key; SIZE_MAX where there is none. */
static size_t line_behind(const struct attach *a, const struct cb_format_entry *entry)
{
	size_t at;

	if (!entry->key)
		return SIZE_MAX;
	at = cb_format_skip_blanks(a->file, entry->key->end);
	if (at >= a->file->len || a->file->bytes[at] != ':')
		at = entry->key->end;
	return cb_format_line(a->file, at);
}

static void attach_container(struct attach *a, struct cb_format_entry *entry, long column,
			     size_t limit)
{
	struct cb_format_node *node = entry->value;
	const struct cb_format_comment *comment = peek(a, start_of(&node->entries.items[0]));
	size_t line = line_behind(a, entry);

	if (comment && (comment->line == line ||
			(comment->line == cb_format_line(a->file, node->start) &&
			 (node->properties || node->flow)) ||
			(comment->line == cb_format_line(a->file, node->content) && node->flow))) {
		entry->head = comment;
		a->next++;
	}
	attach_children(a, node, column, limit);
	if (node->flow)
		entry->end = take_end(a, node->end, limit);
}

static bool is_nothing(const struct cb_format_node *node)
{
	return node->kind == CB_FORMAT_SCALAR && node->style == CB_FORMAT_PLAIN && node->len == 0;
}

/* A value without entries. */
static void attach_value(struct attach *a, struct cb_format_entry *entry, size_t column,
			 size_t limit)
{
	const struct cb_format_node *node = entry->value;
	bool block = node->style == CB_FORMAT_LITERAL || node->style == CB_FORMAT_FOLDED;
	struct cb_format_comment *comment = peek(a, node->content), *beside = NULL;

	/* "key: # comment" with the value on the next line. */
	if (comment && !comment->own_line && comment->line == line_behind(a, entry)) {
		beside = comment;
		a->next++;
	}
	take(a, node->content, &entry->leading);
	if (block && (comment = peek(a, node->end))) {
		entry->end = comment;
		a->next++;
	}
	take(a, node->end, &entry->leading);
	if (!block)
		entry->end = take_end(a, node->end, limit);
	if (beside && !entry->end)
		entry->end = beside;
	else if (beside)
		cb_vec_push(a->file->arena, &entry->leading, beside);
	/* A list whose items are all commented out. */
	while (entry->key && is_nothing(node) && (comment = peek(a, limit)) && comment->own_line &&
	       comment->column > column) {
		cb_vec_push(a->file->arena, &entry->under, comment);
		a->next++;
	}
}

static void attach_entry(struct attach *a, struct cb_format_entry *entry, size_t column,
			 size_t limit)
{
	size_t start = start_of(entry);

	take(a, start, &entry->leading);
	entry->blank = is_behind_blank(a->file, start, entry->key ? " \t?" : " \t-");
	if (entry->key)
		take(a, entry->key->end, &entry->leading);
	if (cb_format_is_container(entry->value))
		attach_container(a, entry, (long)column, limit);
	else
		attach_value(a, entry, column, limit);
}

/* What stands at the top, parted by an empty line or for editors, is about the file. */
static void part_top(struct attach *a, struct cb_format_document *document)
{
	struct cb_format_entry *root = &document->root, *first = root;
	size_t n = 0;

	if (cb_format_is_container(root->value))
		first = &root->value->entries.items[0];
	for (size_t i = 0; i < first->leading.len; i++) {
		bool parted = i + 1 < first->leading.len ? first->leading.items[i + 1]->blank
							 : first->blank;

		if (parted || strstr(first->leading.items[i]->text, MODELINE)) {
			document->parted = parted;
			n = i + 1;
		}
	}
	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++)
		cb_vec_push(a->file->arena, &document->top, first->leading.items[i]);
	first->leading.items += n;
	first->leading.len -= n;
	first->leading.cap -= n;
	/* The empty line is the document's from here on. */
	if (first->leading.len)
		first->leading.items[0]->blank = false;
	else
		first->blank = false;
}

static void attach_document(struct attach *a, struct cb_format_document *document)
{
	struct cb_format_entry *root = &document->root;

	if (document == a->file->documents.items && document->marked)
		take(a, document->start, &document->before);
	if (root->value->properties || !cb_format_is_container(root->value)) {
		take(a, root->value->start, &document->top);
		if (document->top.len)
			document->top.items[0]->blank = false;
	}
	if (cb_format_is_container(root->value)) {
		attach_container(a, root, -1, document->limit);
		if (!root->value->properties)
			part_top(a, document);
	} else {
		attach_value(a, root, 0, document->limit);
	}
	/* There is no key that they could stand above. */
	cb_vec_each (struct cb_format_comment *const, comment, &root->leading)
		cb_vec_push(a->file->arena, &document->top, *comment);
	take(a, document->limit, &document->tail);
}

void cb_format_attach(struct cb_format_file *file)
{
	struct attach a = {.file = file};
	struct cb_format_document alone = {0};

	cb_vec_each (struct cb_format_document, document, &file->documents)
		attach_document(&a, document);
	if (file->documents.len || !file->comments.len)
		return;
	take(&a, file->len, &alone.tail);
	alone.tail.items[0]->blank = false;
	cb_vec_push(file->arena, &file->documents, alone);
}
