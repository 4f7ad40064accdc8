#include "schema/same.h"

#include <stdlib.h>
#include <string.h>

#include "schema/decode_internal.h"

/* YAML. --------------------------------------------------------------------------------------- */

static bool same_node(struct cb_arena *arena, const struct cb_yaml_node *a,
		      const struct cb_yaml_node *b);

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_scalar(const struct cb_yaml_node *a, const struct cb_yaml_node *b)
{
	if (cb_decode_kind(a) != cb_decode_kind(b))
		return false;
	return cb_decode_kind(a) == CB_SCALAR_NULL ||
	       (a->len == b->len && memcmp(a->text, b->text, a->len) == 0);
}

static int compare_pairs(const void *left, const void *right)
{
	const struct cb_yaml_pair *const *a = left, *const *b = right;
	const struct cb_yaml_node *x = (*a)->key, *y = (*b)->key;
	size_t shorter = x->len < y->len ? x->len : y->len;
	int order = (x->kind > y->kind) - (x->kind < y->kind);

	if (order == 0 && shorter)
		order = memcmp(x->text, y->text, shorter);
	if (order == 0)
		order = (x->len > y->len) - (x->len < y->len);
	/* Keys that are no text: those of one map stand in one array. */
	return order ? order : (*a > *b) - (*a < *b);
}

static const struct cb_yaml_pair **sorted(struct cb_arena *arena, const struct cb_yaml_node *map)
{
	const struct cb_yaml_pair **pairs =
		cb_arena_alloc(arena, (map->pairs.len + 1) * sizeof(const struct cb_yaml_pair *));

	for (size_t i = 0; i < map->pairs.len; i++)
		pairs[i] = &map->pairs.items[i];
	if (map->pairs.len > 1)
		qsort(pairs, map->pairs.len, sizeof(const struct cb_yaml_pair *), compare_pairs);
	return pairs;
}

static bool same_map(struct cb_arena *arena, const struct cb_yaml_node *a,
		     const struct cb_yaml_node *b)
{
	const struct cb_yaml_pair **x, **y;

	if (a->pairs.len != b->pairs.len)
		return false;
	x = sorted(arena, a);
	y = sorted(arena, b);
	for (size_t i = 0; i < a->pairs.len; i++) {
		if (!same_node(arena, x[i]->key, y[i]->key) ||
		    !same_node(arena, x[i]->value, y[i]->value))
			return false;
	}
	return true;
}

static bool same_node(struct cb_arena *arena, const struct cb_yaml_node *a,
		      const struct cb_yaml_node *b)
{
	if (a->kind != b->kind || !same_text(a->tag, b->tag))
		return false;
	if (a->kind == CB_YAML_SCALAR)
		return same_scalar(a, b);
	if (a->kind == CB_YAML_MAP)
		return same_map(arena, a, b);
	if (a->items.len != b->items.len)
		return false;
	for (size_t i = 0; i < a->items.len; i++) {
		if (!same_node(arena, a->items.items[i], b->items.items[i]))
			return false;
	}
	return true;
}

bool cb_yaml_same(struct cb_arena *arena, const struct cb_yaml *a, const struct cb_yaml *b)
{
	if (a->documents.len != b->documents.len)
		return false;
	for (size_t i = 0; i < a->documents.len; i++) {
		if (!same_node(arena, a->documents.items[i], b->documents.items[i]))
			return false;
	}
	return true;
}

/* Desired states. ----------------------------------------------------------------------------- */

static bool same_spec(const struct cb_spec *a, const struct cb_spec *b)
{
	if (a->len != b->len)
		return false;
	for (size_t i = 0; i < a->len; i++) {
		const struct cb_entry *x = &a->items[i], *y = &b->items[i];

		if (strcmp(x->path, y->path) != 0 || !cb_value_equal(&x->value, &y->value) ||
		    x->origin.sensitive != y->origin.sensitive)
			return false;
	}
	return true;
}

static bool same_vm(const struct cb_vm *a, const struct cb_vm *b)
{
	if (strcmp(a->name, b->name) != 0 || !same_text(a->host, b->host) ||
	    a->depends_on.len != b->depends_on.len || !same_spec(&a->spec, &b->spec))
		return false;
	for (size_t i = 0; i < a->depends_on.len; i++) {
		if (strcmp(a->depends_on.items[i], b->depends_on.items[i]) != 0)
			return false;
	}
	return true;
}

static bool same_declarations(const struct cb_declarations *a, const struct cb_declarations *b)
{
	if (a->len != b->len)
		return false;
	for (size_t i = 0; i < a->len; i++) {
		if (strcmp(a->items[i].name, b->items[i].name) != 0 ||
		    !same_spec(&a->items[i].spec, &b->items[i].spec))
			return false;
	}
	return true;
}

bool cb_desired_same(const struct cb_desired *a, const struct cb_desired *b)
{
	if (strcmp(a->owner, b->owner) != 0 || a->owner_given != b->owner_given ||
	    a->vms.len != b->vms.len)
		return false;
	for (size_t i = 0; i < a->vms.len; i++) {
		if (!same_vm(&a->vms.items[i], &b->vms.items[i]))
			return false;
	}
	return same_declarations(&a->hosts, &b->hosts) &&
	       same_declarations(&a->images, &b->images) &&
	       same_declarations(&a->networks, &b->networks) &&
	       same_declarations(&a->pools, &b->pools) &&
	       same_declarations(&a->policies, &b->policies) && same_spec(&a->rules, &b->rules);
}
