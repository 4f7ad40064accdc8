#include <string.h>
#include <yaml.h>

#include "schema/format_internal.h"

#define NAME "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

struct reader {
	struct cb_format_file *file;
	yaml_parser_t parser;
	size_t *offsets; /* of each character */
	size_t characters;
	bool failed;
};

static void release_event(yaml_event_t *event)
{
	yaml_event_delete(event);
}

#define auto_event CB_CLEANUP(release_event)

/* Places. ------------------------------------------------------------------------------------- */

size_t cb_format_break(const struct cb_format_file *file, size_t at)
{
	const char *p = file->bytes + at;
	size_t left = file->len - at;

	if (left >= 2 && p[0] == '\r' && p[1] == '\n')
		return 2;
	if (left >= 1 && (p[0] == '\n' || p[0] == '\r'))
		return 1;
	/* NEL, LS and PS */
	if (left >= 2 && memcmp(p, "\xc2\x85", 2) == 0)
		return 2;
	if (left >= 3 && (memcmp(p, "\xe2\x80\xa8", 3) == 0 || memcmp(p, "\xe2\x80\xa9", 3) == 0))
		return 3;
	return 0;
}

static size_t skip_bom(const struct cb_format_file *file)
{
	return file->len >= 3 && memcmp(file->bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

/* libyaml counts characters, without the byte order mark. */
static void index_characters(struct reader *r)
{
	const struct cb_format_file *file = r->file;

	r->offsets = cb_arena_alloc(file->arena, (file->len + 1) * sizeof(*r->offsets));
	for (size_t i = skip_bom(file); i < file->len; i++) {
		if (((unsigned char)file->bytes[i] & 0xc0) != 0x80)
			r->offsets[r->characters++] = i;
	}
	r->offsets[r->characters] = file->len;
}

static void index_lines(struct cb_format_file *file)
{
	file->lines = cb_arena_alloc(file->arena, (file->len + 2) * sizeof(*file->lines));
	file->lines[file->n_lines++] = skip_bom(file);
	for (size_t i = skip_bom(file), n; i < file->len; i += n ? n : 1) {
		if ((n = cb_format_break(file, i)))
			file->lines[file->n_lines++] = i + n;
	}
}

size_t cb_format_line(const struct cb_format_file *file, size_t at)
{
	size_t low = 0, high = file->n_lines;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (file->lines[middle] <= at)
			low = middle;
		else
			high = middle;
	}
	return low;
}

size_t cb_format_column(const struct cb_format_file *file, size_t at)
{
	return at - file->lines[cb_format_line(file, at)];
}

static size_t offset_of(const struct reader *r, const yaml_mark_t *mark)
{
	return r->offsets[mark->index < r->characters ? mark->index : r->characters];
}

size_t cb_format_skip_blanks(const struct cb_format_file *file, size_t at)
{
	while (at < file->len) {
		size_t n = cb_format_break(file, at);

		if (n) {
			at += n;
		} else if (file->bytes[at] == ' ' || file->bytes[at] == '\t') {
			at++;
		} else if (file->bytes[at] == '#') {
			while (at < file->len && !cb_format_break(file, at))
				at++;
		} else {
			break;
		}
	}
	return at;
}

/* Events → nodes. ----------------------------------------------------------------------------- */

static bool next(struct reader *r, yaml_event_t *event)
{
	if (!r->failed && !yaml_parser_parse(&r->parser, event))
		r->failed = true;
	return !r->failed;
}

size_t cb_format_skip_property(const struct cb_format_file *file, size_t at)
{
	bool verbatim = file->bytes[at + 1] == '<';

	if (file->bytes[at] != '!')
		return at + 1 + strspn(file->bytes + at + 1, NAME);
	while (at < file->len && !cb_format_break(file, at) && !strchr(" \t", file->bytes[at]) &&
	       (verbatim || !strchr(",[]{}", file->bytes[at])))
		at++;
	return at;
}

/* Finds the anchor and the tag, where there are such, and what stands behind them: that may begin
 * with a key that has some of its own. */
static void read_properties(struct reader *r, struct cb_format_node *node, bool anchor, bool tag)
{
	const struct cb_format_file *file = r->file;
	size_t at = node->start, end;

	while (at < file->len &&
	       ((anchor && file->bytes[at] == '&') || (tag && file->bytes[at] == '!'))) {
		const char *text;

		anchor = anchor && file->bytes[at] != '&';
		tag = tag && file->bytes[at] != '!';

		end = cb_format_skip_property(file, at);
		text = cb_arena_strndup(file->arena, file->bytes + at, end - at);
		node->properties = node->properties ? cb_arena_printf(file->arena, "%s %s",
								      node->properties, text)
						    : text;
		/* Behind them there may be nothing that belongs to it. */
		node->content = end;
		at = cb_format_skip_blanks(file, end);
	}
	if (at <= node->end || node->kind == CB_FORMAT_MAP || node->kind == CB_FORMAT_LIST)
		node->content = at;
	if (node->content > node->end)
		node->end = node->content;
}

static struct cb_format_node *new_node(struct reader *r, const yaml_event_t *event,
				       enum cb_format_kind kind, const yaml_char_t *anchor,
				       const yaml_char_t *tag)
{
	struct cb_format_node *node = cb_arena_new(r->file->arena, struct cb_format_node);

	node->kind = kind;
	node->start = node->content = offset_of(r, &event->start_mark);
	node->end = offset_of(r, &event->end_mark);
	node->anchor = cb_arena_strdup(r->file->arena, (const char *)anchor);
	node->text = "";
	node->outer = SIZE_MAX;
	if (anchor || tag)
		read_properties(r, node, anchor != NULL, tag != NULL);
	r->file->anchors = r->file->anchors || anchor;
	return node;
}

static void push_solid(struct reader *r, size_t start, size_t end)
{
	if (start < end)
		cb_vec_push(r->file->arena, &r->file->solid,
			    ((struct cb_format_range){start, end}));
}

/* Whether the last line of the text is made of blanks. */
static bool ends_in_blanks(const struct cb_format_node *node)
{
	size_t end = node->len;

	return (end > 0 && strchr(" \t", node->text[end - 1])) ||
	       (end > 1 && node->text[end - 1] == '\n' && strchr(" \t", node->text[end - 2]));
}

/* Text behind the '|' or '>' and what stands with it. The empty lines at the end are of it only
 * with a '+'. */
static void push_block_text(struct reader *r, const struct cb_format_node *node)
{
	const struct cb_format_file *file = r->file;
	size_t at = node->content, end = node->end;
	const char *empty = ends_in_blanks(node) ? "\r\n" : " \t\r\n";
	bool keep = false;

	while (at < node->end && !cb_format_break(file, at) && file->bytes[at] != '#')
		keep = file->bytes[at++] == '+' || keep;
	while (at < node->end && !cb_format_break(file, at))
		at++;
	while (!keep && end > at && strchr(empty, file->bytes[end - 1]))
		end--;
	push_solid(r, at, end);
}

static struct cb_format_node *read_scalar(struct reader *r, const yaml_event_t *event)
{
	struct cb_format_node *node = new_node(r, event, CB_FORMAT_SCALAR,
					       event->data.scalar.anchor, event->data.scalar.tag);

	node->len = event->data.scalar.length;
	node->text =
		cb_arena_strndup(r->file->arena, (const char *)event->data.scalar.value, node->len);
	switch (event->data.scalar.style) {
	case YAML_ANY_SCALAR_STYLE:
	case YAML_PLAIN_SCALAR_STYLE:
		node->style = CB_FORMAT_PLAIN;
		break;
	case YAML_SINGLE_QUOTED_SCALAR_STYLE:
	case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
		node->style = CB_FORMAT_QUOTED;
		break;
	case YAML_LITERAL_SCALAR_STYLE:
		node->style = CB_FORMAT_LITERAL;
		break;
	case YAML_FOLDED_SCALAR_STYLE:
		node->style = CB_FORMAT_FOLDED;
		break;
	}
	if (node->style == CB_FORMAT_LITERAL || node->style == CB_FORMAT_FOLDED)
		push_block_text(r, node);
	else
		push_solid(r, node->content, node->end);
	return node;
}

static struct cb_format_node *read_alias(struct reader *r, const yaml_event_t *event)
{
	struct cb_format_node *node = new_node(r, event, CB_FORMAT_ALIAS, NULL, NULL);

	node->text = cb_arena_strdup(r->file->arena, (const char *)event->data.alias.anchor);
	node->len = strlen(node->text);
	return node;
}

static struct cb_format_node *read_node(struct reader *r, const yaml_event_t *event);

/* The next node; NULL at the end of the collection, whose place goes to `end`. */
static struct cb_format_node *read_child(struct reader *r, size_t *end)
{
	auto_event yaml_event_t event = {0};

	if (!next(r, &event))
		return NULL;
	if (event.type == YAML_MAPPING_END_EVENT || event.type == YAML_SEQUENCE_END_EVENT) {
		*end = offset_of(r, &event.end_mark);
		return NULL;
	}
	return read_node(r, &event);
}

/* A value that is not there stands behind its ':', or behind the key. */
static void place_nothing(struct reader *r, const struct cb_format_node *key,
			  struct cb_format_node *value)
{
	size_t at;

	if (value->kind != CB_FORMAT_SCALAR || value->style != CB_FORMAT_PLAIN || value->len ||
	    value->properties)
		return;
	at = cb_format_skip_blanks(r->file, key->end);
	value->start = at < r->file->len && r->file->bytes[at] == ':' ? at + 1 : key->end;
	value->content = value->end = value->start;
}

static void read_entries(struct reader *r, struct cb_format_node *node)
{
	struct cb_format_entry entry = {0};
	struct cb_format_node *child;
	size_t end = node->end;

	while ((child = read_child(r, &end))) {
		if (node->kind == CB_FORMAT_MAP && !entry.key) {
			entry.key = child;
			if (!r->file->odd_key &&
			    (child->kind == CB_FORMAT_MAP || child->kind == CB_FORMAT_LIST))
				r->file->odd_key = cb_format_line(r->file, child->start) + 1;
			continue;
		}
		entry.value = child;
		if (entry.key)
			place_nothing(r, entry.key, child);
		cb_vec_push(r->file->arena, &node->entries, entry);
		entry = (struct cb_format_entry){0};
	}
	/* libyaml says where the next thing begins, for a block. */
	if (node->flow)
		node->end = end;
	else if (node->entries.len)
		node->end = node->entries.items[node->entries.len - 1].value->end;
}

static struct cb_format_node *read_collection(struct reader *r, const yaml_event_t *event)
{
	struct cb_format_node *node;

	if (event->type == YAML_MAPPING_START_EVENT) {
		node = new_node(r, event, CB_FORMAT_MAP, event->data.mapping_start.anchor,
				event->data.mapping_start.tag);
		node->flow = event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
	} else {
		node = new_node(r, event, CB_FORMAT_LIST, event->data.sequence_start.anchor,
				event->data.sequence_start.tag);
		node->flow = event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
	}
	read_entries(r, node);
	return node;
}

static struct cb_format_node *read_node(struct reader *r, const yaml_event_t *event)
{
	if (event->type == YAML_ALIAS_EVENT)
		return read_alias(r, event);
	if (event->type == YAML_SCALAR_EVENT)
		return read_scalar(r, event);
	if (event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT)
		return read_collection(r, event);
	r->failed = true;
	return NULL;
}

/* Documents. ---------------------------------------------------------------------------------- */

static void read_directives(struct reader *r, const yaml_event_t *event,
			    struct cb_format_document *document)
{
	const struct cb_format_file *file = r->file;
	size_t end = offset_of(r, &event->end_mark) - strlen("---");

	if (event->data.document_start.implicit || end <= document->start)
		return;
	push_solid(r, document->start, end);
	while (end > document->start && strchr(" \t\r\n", file->bytes[end - 1]))
		end--;
	document->directives =
		cb_arena_strndup(file->arena, file->bytes + document->start, end - document->start);
}

static void read_document(struct reader *r, const yaml_event_t *event)
{
	struct cb_format_file *file = r->file;
	struct cb_format_document document = {.start = offset_of(r, &event->start_mark),
					      .limit = file->len,
					      .marked = !event->data.document_start.implicit};
	size_t end;

	read_directives(r, event, &document);
	if (file->documents.len)
		file->documents.items[file->documents.len - 1].limit = document.start;
	document.root.value = read_child(r, &end);
	cb_vec_push(file->arena, &file->documents, document);
}

int cb_format_read(struct cb_arena *arena, const char *bytes, size_t len,
		   struct cb_format_file *file)
{
	struct reader r = {.file = file};
	bool more = true;

	*file = (struct cb_format_file){.arena = arena, .len = len};
	/* With a NUL behind, which the text of a manifest need not have. */
	file->bytes = cb_arena_strndup(arena, bytes, len);
	index_characters(&r);
	index_lines(file);
	if (!yaml_parser_initialize(&r.parser))
		cb_oom();
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)file->bytes, len);
	while (more) {
		auto_event yaml_event_t event = {0};

		more = next(&r, &event) && event.type != YAML_STREAM_END_EVENT;
		if (more && event.type == YAML_DOCUMENT_START_EVENT)
			read_document(&r, &event);
	}
	yaml_parser_delete(&r.parser);
	return r.failed ? -1 : 0;
}
