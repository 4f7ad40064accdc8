/* What stays on one line, and where the comments go that have lost theirs. */
#include <inttypes.h>
#include <string.h>

#include "schema/format_internal.h"

enum { KEY_MAX = 900 }; /* bytes; libyaml looks 1024 characters ahead for the ':' */

bool cb_format_is_block(const struct cb_format_node *node)
{
	return cb_format_is_container(node) && !node->line;
}

bool cb_format_key_is_explicit(const struct cb_format_node *key)
{
	bool nothing = key->kind == CB_FORMAT_SCALAR && key->style == CB_FORMAT_PLAIN && !key->len;

	return key->len > KEY_MAX || nothing;
}

/* Scalars on one line. ------------------------------------------------------------------------ */

/* The character as UTF-8 that cannot stand in a text as it is: its length and number, else 0. */
static size_t odd_character(const char *p, unsigned *number)
{
	const unsigned char *u = (const unsigned char *)p;

	*number = u[0];
	if (u[0] < 0x20 || u[0] == 0x7f)
		return 1;
	*number = (u[0] & 0x1fU) << 6 | (u[1] & 0x3fU);
	if (u[0] == 0xc2 && u[1] < 0xa0)
		return 2;
	if (u[0] < 0xe0 || u[0] > 0xef)
		return 0;
	*number = (u[0] & 0xfU) << 12 | (u[1] & 0x3fU) << 6 | (u[2] & 0x3fU);
	return (*number >= 0x2028 && *number <= 0x2029) || *number == 0xfeff || *number >= 0xfffe
		       ? 3
		       : 0;
}

static bool is_odd(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned number;

		/* A tab may stand in a plain text; the rest of it is printed as it was. */
		if (text[i] != '\t' && odd_character(text + i, &number))
			return true;
	}
	return false;
}

static void add_double(struct cb_str *out, const char *text, size_t len)
{
	cb_str_add(out, "\"");
	for (size_t i = 0; i < len;) {
		unsigned number;
		size_t n = odd_character(text + i, &number);

		if (n && number == '\n')
			cb_str_add(out, "\\n");
		else if (n && number == '\t')
			cb_str_add(out, "\\t");
		else if (n && number <= 0xff)
			cb_str_printf(out, "\\x%02x", number);
		else if (n)
			cb_str_printf(out, "\\u%04x", number);
		else if (text[i] == '"' || text[i] == '\\')
			cb_str_printf(out, "\\%c", text[i]);
		else
			cb_str_add_bytes(out, text + i, 1);
		i += n ? n : 1;
	}
	cb_str_add(out, "\"");
}

static void add_single(struct cb_str *out, const char *text, size_t len)
{
	cb_str_add(out, "'");
	for (size_t i = 0; i < len; i++)
		cb_str_add_bytes(out, text[i] == '\'' ? "''" : text + i, text[i] == '\'' ? 2 : 1);
	cb_str_add(out, "'");
}

void cb_format_quote(struct cb_str *out, const char *text, size_t len)
{
	bool odd = is_odd(text, len) || memchr(text, '\t', len);

	/* Escapes are hard to read. */
	if (!odd && (memchr(text, '"', len) || memchr(text, '\\', len)))
		add_single(out, text, len);
	else
		add_double(out, text, len);
}

static void add_scalar(struct cb_str *out, const struct cb_format_node *node, bool in_flow)
{
	/* In braces a '-' may stand for itself, and behind "? " what marks a document elsewhere. */
	bool plain = node->style == CB_FORMAT_PLAIN && !is_odd(node->text, node->len) &&
		     strcmp(node->text, "-") != 0 && strncmp(node->text, "---", 3) != 0 &&
		     strncmp(node->text, "...", 3) != 0 &&
		     !(in_flow && !node->flow && strpbrk(node->text, ",[]{}?:"));

	if (plain && in_flow && node->len == 0 && !node->properties)
		cb_str_add(out, "null");
	else if (plain)
		cb_str_add_bytes(out, node->text, node->len);
	else
		cb_format_quote(out, node->text, node->len);
}

void cb_format_flow(struct cb_str *out, const struct cb_format_node *node, bool in_flow)
{
	bool map = node->kind == CB_FORMAT_MAP;
	bool nothing =
		node->kind == CB_FORMAT_SCALAR && node->style == CB_FORMAT_PLAIN && node->len == 0;

	/* A ']' right behind a tag would be of the tag. */
	if (node->properties)
		cb_str_printf(out, "%s%s", node->properties, nothing && !in_flow ? "" : " ");
	switch (node->kind) {
	case CB_FORMAT_SCALAR:
		add_scalar(out, node, in_flow);
		return;
	case CB_FORMAT_ALIAS:
		cb_str_printf(out, "*%s", node->text);
		return;
	case CB_FORMAT_MAP:
	case CB_FORMAT_LIST:
		break;
	}
	cb_str_add(out, map ? "{" : "[");
	for (size_t i = 0; i < node->entries.len; i++) {
		const struct cb_format_entry *entry = &node->entries.items[i];

		cb_str_add(out, i ? ", " : "");
		if (map) {
			cb_str_add(out, "? ");
			cb_format_flow(out, entry->key, true);
			cb_str_add(out, " : ");
		}
		cb_format_flow(out, entry->value, true);
	}
	cb_str_add(out, map ? "}" : "]");
}

/* Lists on one line. -------------------------------------------------------------------------- */

static bool is_simple(const struct cb_format_entry *entry)
{
	const struct cb_format_node *value = entry->value;

	return !entry->leading.len && !entry->head && !entry->end &&
	       (value->kind == CB_FORMAT_ALIAS ||
		(value->kind == CB_FORMAT_SCALAR &&
		 (value->style == CB_FORMAT_PLAIN || value->style == CB_FORMAT_QUOTED)));
}

/* As people count it. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (const char *p = text; *p; p++)
		width += ((unsigned char)*p & 0xc0) != 0x80;
	return width;
}

/* Whether the list, behind `before` columns, stays on one line. */
static void try_line(struct cb_arena *arena, struct cb_format_node *node, size_t before)
{
	cb_auto_str struct cb_str line = {0};

	if (node->kind != CB_FORMAT_LIST || !node->flow || !node->entries.len || node->tail.len)
		return;
	for (size_t i = 0; i < node->entries.len; i++) {
		if (!is_simple(&node->entries.items[i]))
			return;
		/* It was plain in a list on one line, and so it can be. */
		node->entries.items[i].value->flow = true;
	}
	cb_format_flow(&line, node, false);
	if (before + width_of(line.text) <= CB_FORMAT_WIDTH)
		node->line = cb_arena_strdup(arena, line.text);
}

/* Comments. ----------------------------------------------------------------------------------- */

static void push(struct cb_arena *arena, cb_format_comments *comments,
		 const struct cb_format_comment *comment)
{
	struct cb_format_comment *copy = cb_arena_new(arena, struct cb_format_comment);

	*copy = *comment;
	copy->blank = false;
	cb_vec_push(arena, comments, copy);
}

/* A comment behind "{...}" or "- [" of an item: to its first line, or above it. */
static void move_head(struct cb_arena *arena, struct cb_format_entry *item)
{
	struct cb_format_entry *first = &item->value->entries.items[0];
	const struct cb_format_comment *comment = item->head;

	item->head = NULL;
	if (!cb_format_is_block(first->value) && !first->end && !first->leading.len)
		first->end = comment;
	else
		push(arena, &item->leading, comment);
}

/* The first entry of an item stands on the line of its "- ": what is above it is above that. */
static void hoist(struct cb_arena *arena, struct cb_format_entry *item)
{
	struct cb_format_entry *first = &item->value->entries.items[0];

	cb_vec_each (struct cb_format_comment *const, comment, &first->leading)
		push(arena, &item->leading, *comment);
	first->leading.len = 0;
	first->blank = false;
}

static void lay_out(struct cb_arena *arena, struct cb_format_entry *entry, size_t indent);

static void lay_out_children(struct cb_arena *arena, struct cb_format_node *node, size_t indent)
{
	for (size_t i = 0; i < node->entries.len; i++)
		lay_out(arena, &node->entries.items[i], indent);
}

static size_t key_width(const struct cb_format_entry *entry)
{
	cb_auto_str struct cb_str key = {0};

	if (!entry->key || cb_format_key_is_explicit(entry->key))
		return strlen("- ");
	cb_format_flow(&key, entry->key, false);
	return width_of(cb_str_text(&key)) +
	       (entry->key->kind == CB_FORMAT_ALIAS ? strlen(" : ") : strlen(": "));
}

static void lay_out(struct cb_arena *arena, struct cb_format_entry *entry, size_t indent)
{
	struct cb_format_node *node = entry->value;

	try_line(arena, node, indent + key_width(entry));
	if (!cb_format_is_block(node)) {
		if (entry->head && entry->end)
			push(arena, &entry->leading, entry->head);
		else if (entry->head)
			entry->end = entry->head;
		entry->head = NULL;
		return;
	}
	if (entry->head && entry->end)
		push(arena, &entry->leading, entry->end);
	else if (entry->end)
		entry->head = entry->end;
	entry->end = NULL;
	lay_out_children(arena, node, indent + 2);
	if (entry->key || node->properties)
		return;
	if (entry->head)
		move_head(arena, entry);
	hoist(arena, entry);
}

void cb_format_layout(struct cb_format_file *file)
{
	cb_vec_each (struct cb_format_document, document, &file->documents) {
		struct cb_format_entry *root = &document->root;
		struct cb_format_node *node = root->value;

		if (!node)
			continue;
		try_line(file->arena, node, strlen("--- "));
		if (!cb_format_is_block(node))
			continue;
		if (root->head && (!node->properties || root->end))
			push(file->arena, &document->top, root->head);
		if (root->end)
			push(file->arena, &document->top, root->end);
		if (!node->properties || root->end)
			root->head = NULL;
		root->end = NULL;
		lay_out_children(file->arena, node, 0);
	}
}
