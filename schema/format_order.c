/* The order of keys: that of the rows of fields.def. */
#include <stdint.h>
#include <string.h>

#include "reconciler/model/field.h"
#include "schema/format_internal.h"

enum {
	RANK_MERGE = 0,         /* "<<" */
	RANK_FIRST = 1,         /* of the first row */
	RANK_UNKNOWN = 1 << 20, /* behind all rows, as they stand */
	ANCHORED_MAX = 200,     /* entries of a map that are put in order around anchors */
};

/* What is known of the keys of a map. */
struct place {
	enum {
		PLACE_FREE,  /* nothing: as they stand, and so is all below */
		PLACE_NAMED, /* people choose them; the rows of the scope are below */
		PLACE_KEYS,  /* rows */
	} kind;

	enum cb_scope scope;
	const char *path; /* of the map, "" at the top of the scope */
};

struct order {
	struct cb_arena *arena;
	bool anchors;
};

static const struct cb_field *field_of(const struct order *o, const struct place *place,
				       const struct cb_format_node *key)
{
	const char *path = key->text;

	if (key->kind != CB_FORMAT_SCALAR || strlen(key->text) != key->len ||
	    strpbrk(key->text, ".["))
		return NULL;
	if (*place->path)
		path = cb_arena_printf(o->arena, "%s.%s", place->path, path);
	return cb_field_find(place->scope, path);
}

/* What is known of what stands below a key. */
static struct place below(const struct order *o, const struct place *place,
			  const struct cb_format_node *key)
{
	const struct cb_field *field;
	enum cb_scope scope;
	bool named = false;

	if (place->kind == PLACE_NAMED)
		return (struct place){PLACE_KEYS, place->scope, place->path};
	if (place->kind == PLACE_FREE || !(field = field_of(o, place, key)))
		return (struct place){0};
	scope = cb_field_scope_below(place->scope, field->path, &named);
	if (scope != CB_SCOPE_ROOT)
		return (struct place){named ? PLACE_NAMED : PLACE_KEYS, scope, ""};
	if (field->type == CB_TYPE_LIST)
		return (struct place){PLACE_KEYS, field->scope,
				      cb_arena_printf(o->arena, "%s[]", field->path)};
	if (field->type != CB_TYPE_MAP)
		return (struct place){0};
	if (cb_field_find(field->scope, cb_arena_printf(o->arena, "%s[]", field->path)))
		return (struct place){0};
	return (struct place){PLACE_KEYS, field->scope, field->path};
}

static int rank_of(const struct order *o, const struct place *place,
		   const struct cb_format_node *key)
{
	const struct cb_field *field = field_of(o, place, key);
	size_t n;

	if (key->kind == CB_FORMAT_SCALAR && key->style == CB_FORMAT_PLAIN &&
	    strcmp(key->text, "<<") == 0)
		return RANK_MERGE;
	return field ? RANK_FIRST + (int)(field - cb_fields(&n)) : RANK_UNKNOWN;
}

/* Anchors. ------------------------------------------------------------------------------------ */

struct name {
	const char *text;
	bool defined; /* else used */
};

typedef CB_VEC(struct name) name_vec;

/* Each once: there are few anchors, and there may be many aliases. */
static void add_name(const struct order *o, const char *text, bool defined, name_vec *names)
{
	cb_vec_each (const struct name, name, names) {
		if (name->defined == defined && strcmp(name->text, text) == 0)
			return;
	}
	cb_vec_push(o->arena, names, ((struct name){text, defined}));
}

static void collect_names(const struct order *o, const struct cb_format_node *node, name_vec *names)
{
	if (node->anchor)
		add_name(o, node->anchor, true, names);
	if (node->kind == CB_FORMAT_ALIAS)
		add_name(o, node->text, false, names);
	cb_vec_each (const struct cb_format_entry, entry, &node->entries) {
		if (entry->key)
			collect_names(o, entry->key, names);
		collect_names(o, entry->value, names);
	}
}

/* Whether an alias would mean something else, were the later one in front of the earlier. */
static bool depends(const name_vec *later, const name_vec *earlier)
{
	cb_vec_each (const struct name, a, later) {
		cb_vec_each (const struct name, b, earlier) {
			if ((a->defined || b->defined) && strcmp(a->text, b->text) == 0)
				return true;
		}
	}
	return false;
}

/* The lowest rank that is left and that waits for nothing that is left, too. `waits` has a row for
 * each entry. */
static size_t pick(const int *ranks, const bool *waits, const bool *gone, size_t n)
{
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < n; i++) {
		bool held = false;

		if (gone[i] || (best != SIZE_MAX && ranks[best] <= ranks[i]))
			continue;
		for (size_t j = 0; j < i && !held; j++)
			held = !gone[j] && waits[i * n + j];
		if (!held)
			best = i;
	}
	return best;
}

static void sort_around_anchors(const struct order *o, struct cb_format_node *map, const int *ranks)
{
	size_t n = map->entries.len;
	struct cb_format_entry *sorted;
	name_vec *names;
	bool *gone, *waits;

	if (n > ANCHORED_MAX)
		return;
	sorted = cb_arena_alloc(o->arena, n * sizeof(*sorted));
	names = cb_arena_alloc(o->arena, n * sizeof(*names));
	gone = cb_arena_alloc(o->arena, n * sizeof(*gone));
	waits = cb_arena_alloc(o->arena, n * n * sizeof(*waits));
	for (size_t i = 0; i < n; i++) {
		collect_names(o, map->entries.items[i].key, &names[i]);
		collect_names(o, map->entries.items[i].value, &names[i]);
		for (size_t j = 0; j < i; j++)
			waits[i * n + j] = depends(&names[i], &names[j]);
	}
	for (size_t i = 0; i < n; i++) {
		size_t found = pick(ranks, waits, gone, n);

		gone[found] = true;
		sorted[i] = map->entries.items[found];
	}
	map->entries.items = sorted;
}

/* Sorting. ------------------------------------------------------------------------------------ */

/* Ranks are few: one pass for each. */
static void sort_by_rank(const struct order *o, struct cb_format_node *map, const int *ranks)
{
	size_t n = map->entries.len, done = 0;
	struct cb_format_entry *sorted = cb_arena_alloc(o->arena, n * sizeof(*sorted));
	int rank = -1;

	while (done < n) {
		int next = RANK_UNKNOWN;

		for (size_t i = 0; i < n; i++) {
			if (ranks[i] > rank && ranks[i] < next)
				next = ranks[i];
		}
		for (size_t i = 0; i < n; i++) {
			if (ranks[i] == next)
				sorted[done++] = map->entries.items[i];
		}
		rank = next;
	}
	map->entries.items = sorted;
}

static void sort_keys(const struct order *o, const struct place *place, struct cb_format_node *map)
{
	size_t n = map->entries.len;
	int *ranks = cb_arena_alloc(o->arena, (n + 1) * sizeof(*ranks));
	bool sorted = true;

	for (size_t i = 0; i < n; i++) {
		ranks[i] = rank_of(o, place, map->entries.items[i].key);
		sorted = sorted && (i == 0 || ranks[i - 1] <= ranks[i]);
	}
	if (sorted)
		return;
	if (o->anchors)
		sort_around_anchors(o, map, ranks);
	else
		sort_by_rank(o, map, ranks);
}

static void order(const struct order *o, const struct place *place, struct cb_format_node *node)
{
	if (place->kind == PLACE_FREE)
		return;
	if (node->kind == CB_FORMAT_MAP && place->kind == PLACE_KEYS)
		sort_keys(o, place, node);
	for (size_t i = 0; i < node->entries.len; i++) {
		const struct cb_format_entry *entry = &node->entries.items[i];
		struct place inner = *place;

		if (entry->key)
			inner = below(o, place, entry->key);
		order(o, &inner, entry->value);
	}
}

void cb_format_order(struct cb_format_file *file)
{
	struct order o = {file->arena, file->anchors};
	struct place root = {PLACE_KEYS, CB_SCOPE_ROOT, ""};

	cb_vec_each (struct cb_format_document, document, &file->documents) {
		if (document->root.value)
			order(&o, &root, document->root.value);
	}
}
