#include "schema/yaml.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "reconciler/base/error.h"
#include "schema/excerpt.h"
#include "schema/problem.h"
#include "schema/yaml_error.h"

#define TOO_DEEP "is a bracket not closed? Else write it flatter", "values are nested too deeply"

struct anchor {
	const char *name;
	struct cb_yaml_node *node;
};

struct reader {
	struct cb_arena *arena;
	const char *file;
	const struct cb_manifest_text *text;
	struct cb_problems *problems;
	yaml_parser_t parser;
	CB_VEC(struct anchor) anchors; /* of this document */
	size_t anchors_seen;           /* in this file */
	size_t nodes;
	struct cb_spans *secrets;
	bool *broken;
	unsigned line, column; /* the end of what was read last */
	bool secret;           /* behind a key like `password`: not to be shown */
	bool stopped;          /* after an error that nothing can be read behind */
};

static void release_event(yaml_event_t *event)
{
	yaml_event_delete(event);
}

#define auto_event CB_CLEANUP(release_event)

static struct cb_schema_at place(const struct reader *r, const char *check, unsigned line,
				 unsigned column)
{
	return (struct cb_schema_at){
		.severity = CB_PROBLEM,
		.check = check,
		.file = r->file,
		.line = line,
		.column = column,
	};
}

static struct cb_schema_at place_of(const struct reader *r, const char *check,
				    const yaml_event_t *event)
{
	return place(r, check, (unsigned)event->start_mark.line + 1,
		     (unsigned)event->start_mark.column + 1);
}

/* Nobody can tell where a secret ends that could not be read. */
static void hide_rest(struct reader *r)
{
	struct cb_span span;

	if (r->secret)
		cb_vec_push(r->arena, r->secrets,
			    /* Behind the ':' at least. */
			    ((struct cb_span){r->line, r->column + 1, UINT_MAX, UINT_MAX}));
	if (cb_excerpt_find_secret(r->text->bytes, r->text->len, r->line, &span))
		cb_vec_push(r->arena, r->secrets, span);
}

static void hide(struct reader *r, const struct cb_yaml_node *node)
{
	/* Where nothing is hidden, what was meant may stand behind a mistake: excerpt.c looks. */
	if (node->end_line && node->len > 0)
		cb_vec_push(r->arena, r->secrets,
			    ((struct cb_span){node->line, node->column, node->end_line,
					      node->end_column}));
	cb_vec_each (const struct cb_yaml_pair, pair, &node->pairs)
		hide(r, pair->value);
	cb_vec_each (struct cb_yaml_node *const, item, &node->items)
		hide(r, *item);
}

/* Returns false when there is nothing more. */
static bool next(struct reader *r, yaml_event_t *event)
{
	if (r->stopped)
		return false;
	if (yaml_parser_parse(&r->parser, event)) {
		r->line = (unsigned)event->end_mark.line + 1;
		r->column = (unsigned)event->end_mark.column + 1;
		return true;
	}
	r->stopped = *r->broken = true;
	hide_rest(r);
	cb_yaml_explain_error(r->arena, r->file, r->text->bytes, r->text->len, &r->parser,
			      r->problems);
	return false;
}

static void stop_at_limit(struct reader *r, const yaml_event_t *event, const char *fix,
			  const char *what, unsigned limit)
{
	struct cb_schema_at at = place_of(r, "manifest.limit", event);

	cb_schema_report(r->arena, r->problems, &at, fix, "%s: the limit is %u", what, limit);
	r->stopped = true;
}

static bool count(struct reader *r, const yaml_event_t *event, size_t more)
{
	r->nodes += more;
	if (r->nodes <= CB_YAML_NODES)
		return true;
	stop_at_limit(r, event, "split the manifest into several files",
		      "too many values in one file, aliases counted as what they stand for",
		      CB_YAML_NODES);
	return false;
}

static void remember_anchor(struct reader *r, const yaml_event_t *event, const yaml_char_t *name,
			    struct cb_yaml_node *node)
{
	if (!name)
		return;
	if (++r->anchors_seen > CB_YAML_ANCHORS) {
		stop_at_limit(r, event, "split the manifest into several files",
			      "too many anchors in one file", CB_YAML_ANCHORS);
		return;
	}
	cb_vec_push(r->arena, &r->anchors,
		    ((struct anchor){cb_arena_strdup(r->arena, (const char *)name), node}));
}

static struct cb_yaml_node *new_node(struct reader *r, const yaml_event_t *event,
				     enum cb_yaml_kind kind, const yaml_char_t *tag)
{
	struct cb_yaml_node *node = cb_arena_new(r->arena, struct cb_yaml_node);

	node->kind = kind;
	node->line = (unsigned)event->start_mark.line + 1;
	node->column = (unsigned)event->start_mark.column + 1;
	node->tag = cb_arena_strdup(r->arena, (const char *)tag);
	node->text = "";
	node->plain = true;
	node->weight = 1;
	return node;
}

/* What an alias that leads nowhere stands for: a value that was not said. */
static struct cb_yaml_node *nothing(struct reader *r, const yaml_event_t *event)
{
	struct cb_yaml_node *node = new_node(r, event, CB_YAML_SCALAR, NULL);

	node->complete = true;
	return node;
}

static struct cb_yaml_node *read_alias(struct reader *r, const yaml_event_t *event, unsigned depth)
{
	const char *name = (const char *)event->data.alias.anchor;
	struct cb_schema_at at = place_of(r, "manifest.syntax", event);
	struct cb_yaml_node *node = NULL;

	/* The last one of that name counts. */
	for (size_t i = r->anchors.len; i > 0 && !node; i--) {
		if (strcmp(r->anchors.items[i - 1].name, name) == 0)
			node = r->anchors.items[i - 1].node;
	}
	if (!node) {
		cb_schema_report(r->arena, r->problems, &at,
				 "put the anchor before it; quote a text that starts with '*'",
				 "there is no anchor %s in front of this alias",
				 r->secret ? "of that name"
					   : cb_schema_quote(r->arena, name, strlen(name)));
		return nothing(r, event);
	}
	if (!node->complete) {
		cb_schema_report(r->arena, r->problems, &at, "write out what it should stand for",
				 "the alias %s stands inside what it refers to",
				 cb_schema_quote(r->arena, name, strlen(name)));
		return nothing(r, event);
	}
	if (depth + node->height > CB_YAML_DEPTH) {
		stop_at_limit(r, event, TOO_DEEP, CB_YAML_DEPTH);
		return NULL;
	}
	if (!count(r, event, node->weight))
		return NULL;
	if (r->secret)
		hide(r, node);
	return node;
}

static void add_weight(struct cb_yaml_node *node, const struct cb_yaml_node *child)
{
	node->weight += child->weight;
	if (child->height >= node->height)
		node->height = child->height + 1;
}

static struct cb_yaml_node *compose(struct reader *r, const yaml_event_t *event, unsigned depth);

/* The next node; NULL at the end of the collection, and after an error. */
static struct cb_yaml_node *read_child(struct reader *r, unsigned depth)
{
	auto_event yaml_event_t event = {0};

	return next(r, &event) ? compose(r, &event, depth) : NULL;
}

static void read_list(struct reader *r, struct cb_yaml_node *list, unsigned depth)
{
	struct cb_yaml_node *item;

	while ((item = read_child(r, depth + 1))) {
		cb_vec_push(r->arena, &list->items, item);
		add_weight(list, item);
	}
}

static bool same_key(const struct cb_yaml_node *a, const struct cb_yaml_node *b)
{
	return a->kind == CB_YAML_SCALAR && b->kind == CB_YAML_SCALAR && a->len == b->len &&
	       memcmp(a->text, b->text, a->len) == 0;
}

/* Keys that are maps or lists come last, as equals: nobody looks them up. */
static int order_of(const struct cb_yaml_node *a, const struct cb_yaml_node *b)
{
	size_t shorter = a->len < b->len ? a->len : b->len;
	int order = (a->kind > b->kind) - (a->kind < b->kind);

	if (order == 0 && shorter > 0)
		order = memcmp(a->text, b->text, shorter);
	return order ? order : (a->len > b->len) - (a->len < b->len);
}

static int compare_keys(const void *left, const void *right)
{
	const struct cb_yaml_pair *const *a = left, *const *b = right;
	int order = order_of((*a)->key, (*b)->key);

	/* The pairs stand in one array, in the order of the file. */
	return order ? order : (*a > *b) - (*a < *b);
}

/* The pairs sorted by key, equal keys in the order of the file. */
static struct cb_yaml_pair **sorted_pairs(struct reader *r, struct cb_yaml_node *map)
{
	struct cb_yaml_pair **sorted =
		cb_arena_alloc(r->arena, (map->pairs.len + 1) * sizeof(struct cb_yaml_pair *));

	for (size_t i = 0; i < map->pairs.len; i++)
		sorted[i] = &map->pairs.items[i];
	if (map->pairs.len > 1)
		qsort(sorted, map->pairs.len, sizeof(*sorted), compare_keys);
	return sorted;
}

static void find_duplicates(struct reader *r, struct cb_yaml_node *map)
{
	struct cb_yaml_pair **sorted = sorted_pairs(r, map);
	size_t first = 0;

	for (size_t i = 1; i < map->pairs.len; i++) {
		const struct cb_yaml_node *key = sorted[i]->key, *before = sorted[first]->key;
		struct cb_schema_at at = place(r, "manifest.duplicate-key", key->line, key->column);

		if (!same_key(key, before)) {
			first = i;
			continue;
		}
		sorted[i - r->text->lenient]->duplicate = true;
		if (r->text->lenient)
			at.severity = CB_WARNING;
		cb_schema_report(r->arena, r->problems, &at, "remove one of them",
				 "the key %s is given twice in this map: first at %s:%u:%u%s",
				 cb_schema_quote(r->arena, key->text, key->len), r->file,
				 before->line, before->column,
				 r->text->lenient ? "; the last one counts" : "");
	}
}

static bool is_merge(const struct cb_yaml_node *key)
{
	return key->kind == CB_YAML_SCALAR && key->plain && strcmp(key->text, "<<") == 0;
}

/* Appends the pairs of the map, or of the maps in the list, that a merge key stands for. */
static void append_merged(struct reader *r, struct cb_yaml_node *map,
			  const struct cb_yaml_node *value)
{
	struct cb_schema_at at = place(r, "manifest.type", value->line, value->column);
	bool fine = value->kind != CB_YAML_SCALAR;

	/* Nothing, or an alias that leads nowhere and has been reported. */
	if (value->kind == CB_YAML_SCALAR && value->plain && value->len == 0)
		return;
	cb_vec_each (struct cb_yaml_node *const, item, &value->items)
		fine = fine && (*item)->kind == CB_YAML_MAP;
	if (!fine) {
		cb_schema_report(r->arena, r->problems, &at, "write '<<: *anchor'",
				 "the merge key '<<' wants a map or a list of maps");
		return;
	}
	cb_vec_each (const struct cb_yaml_pair, pair, &value->pairs)
		cb_vec_push(r->arena, &map->pairs, *pair);
	cb_vec_each (struct cb_yaml_node *const, item, &value->items)
		cb_vec_each (const struct cb_yaml_pair, pair, &(*item)->pairs)
			cb_vec_push(r->arena, &map->pairs, *pair);
}

/* Puts the pairs that the merge keys stand for behind the map's own; the map's own keys win, then
 * earlier maps. All at once: a list of many small maps must not cost a search each. */
static void resolve_merges(struct reader *r, struct cb_yaml_node *map)
{
	CB_VEC(struct cb_yaml_node *) values = {0};
	struct cb_yaml_pair **sorted;
	size_t own = 0, kept, first = 0;

	for (size_t i = 0; i < map->pairs.len; i++) {
		const struct cb_yaml_pair *pair = &map->pairs.items[i];

		if (!is_merge(pair->key))
			map->pairs.items[own++] = *pair;
		else if (!pair->duplicate)
			cb_vec_push(r->arena, &values, pair->value);
	}
	map->pairs.len = own;
	if (values.len == 0)
		return;
	cb_vec_each (struct cb_yaml_node *const, value, &values)
		append_merged(r, map, *value);
	sorted = sorted_pairs(r, map);
	for (size_t i = 1; i < map->pairs.len; i++) {
		if (!same_key(sorted[i]->key, sorted[first]->key))
			first = i;
		else if (sorted[i] >= map->pairs.items + own)
			sorted[i]->value = NULL;
	}
	kept = own;
	for (size_t i = own; i < map->pairs.len; i++) {
		if (map->pairs.items[i].value)
			map->pairs.items[kept++] = map->pairs.items[i];
	}
	map->pairs.len = kept;
}

static void read_map(struct reader *r, struct cb_yaml_node *map, unsigned depth)
{
	struct cb_yaml_node *key, *value;

	while ((key = read_child(r, depth + 1))) {
		bool secret = r->secret;

		r->secret = secret || (key->kind == CB_YAML_SCALAR &&
				       cb_excerpt_is_secret(r->arena, key->text));
		value = read_child(r, depth + 1);
		r->secret = secret;
		if (!value)
			return;
		cb_vec_push(r->arena, &map->pairs, ((struct cb_yaml_pair){key, value, false}));
		add_weight(map, key);
		add_weight(map, value);
	}
	if (r->stopped)
		return;
	find_duplicates(r, map);
	resolve_merges(r, map);
}

static struct cb_yaml_node *read_scalar(struct reader *r, const yaml_event_t *event)
{
	struct cb_yaml_node *node = new_node(r, event, CB_YAML_SCALAR, event->data.scalar.tag);

	remember_anchor(r, event, event->data.scalar.anchor, node);
	node->len = event->data.scalar.length;
	node->text = cb_arena_strndup(r->arena, (const char *)event->data.scalar.value, node->len);
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->end_line = (unsigned)event->end_mark.line + 1;
	node->end_column = (unsigned)event->end_mark.column + 1;
	if (r->secret)
		hide(r, node);
	return node;
}

static struct cb_yaml_node *read_collection(struct reader *r, const yaml_event_t *event,
					    unsigned depth)
{
	struct cb_yaml_node *node;

	if (depth > CB_YAML_DEPTH) {
		stop_at_limit(r, event, TOO_DEEP, CB_YAML_DEPTH);
		return NULL;
	}
	if (event->type == YAML_MAPPING_START_EVENT) {
		node = new_node(r, event, CB_YAML_MAP, event->data.mapping_start.tag);
		node->height = 1;
		remember_anchor(r, event, event->data.mapping_start.anchor, node);
		read_map(r, node, depth);
	} else {
		node = new_node(r, event, CB_YAML_LIST, event->data.sequence_start.tag);
		node->height = 1;
		remember_anchor(r, event, event->data.sequence_start.anchor, node);
		read_list(r, node, depth);
	}
	return node;
}

static struct cb_yaml_node *compose(struct reader *r, const yaml_event_t *event, unsigned depth)
{
	struct cb_yaml_node *node;

	if (event->type == YAML_ALIAS_EVENT)
		return read_alias(r, event, depth - 1);
	if (event->type != YAML_SCALAR_EVENT && event->type != YAML_MAPPING_START_EVENT &&
	    event->type != YAML_SEQUENCE_START_EVENT)
		return NULL;
	if (!count(r, event, 1))
		return NULL;
	node = event->type == YAML_SCALAR_EVENT ? read_scalar(r, event)
						: read_collection(r, event, depth);
	if (r->stopped)
		return NULL;
	node->complete = true;
	return node;
}

/* Reads up to the end of the stream. */
static void read_stream(struct reader *r, struct cb_yaml *yaml)
{
	for (;;) {
		auto_event yaml_event_t event = {0};
		struct cb_yaml_node *root;

		if (!next(r, &event) || event.type == YAML_STREAM_END_EVENT)
			return;
		if (event.type != YAML_DOCUMENT_START_EVENT)
			continue;
		r->anchors.len = 0;
		root = read_child(r, 1);
		if (root)
			cb_vec_push(r->arena, &yaml->documents, root);
	}
}

void cb_yaml_parse(struct cb_arena *arena, const char *file, const struct cb_manifest_text *text,
		   struct cb_yaml *yaml, struct cb_problems *problems)
{
	struct reader r = {
		.arena = arena,
		.file = file,
		.text = text,
		.problems = problems,
		.secrets = &yaml->secrets,
		.broken = &yaml->broken,
		.line = 1,
		.column = 1,
	};

	if (text->len > CB_MANIFEST_MAX) {
		struct cb_schema_at at = place(&r, "manifest.limit", 1, 1);

		cb_schema_report(arena, problems, &at, "split the manifest into several files",
				 "the file is larger than a manifest may be: the limit is %d bytes",
				 CB_MANIFEST_MAX);
		return;
	}
	if (cb_yaml_check_encoding(arena, file, text->bytes, text->len, problems) < 0) {
		yaml->broken = true;
		hide_rest(&r);
		return;
	}
	if (!yaml_parser_initialize(&r.parser))
		cb_oom();
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text->bytes, text->len);
	read_stream(&r, yaml);
	yaml_parser_delete(&r.parser);
}

const char *cb_yaml_kind_name(enum cb_yaml_kind kind)
{
	switch (kind) {
	case CB_YAML_SCALAR:
		return "text";
	case CB_YAML_MAP:
		return "a map";
	case CB_YAML_LIST:
		return "a list";
	}
	return "";
}
