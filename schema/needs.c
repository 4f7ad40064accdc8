#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/str.h"
#include "schema/fleet_internal.h"

static void report(struct cb_fleet *fleet, const char *check, const char *target,
		   const struct cb_origin *origin, const char *fix, const char *message)
{
	struct cb_schema_at at = cb_fleet_at(check, target, origin);

	cb_schema_report(fleet->arena, fleet->problems, &at, fix, "%s", message);
}

/* The VMs are sorted by name. */
static struct cb_vm *find_vm(struct cb_fleet *fleet, const char *name)
{
	size_t low = 0, high = fleet->out->vms.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(fleet->out->vms.items[middle].name, name);

		if (order == 0)
			return &fleet->out->vms.items[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

struct names {
	const char **items;
	size_t len, cap;
};

void cb_fleet_note_needs(struct cb_fleet *fleet, const char *name, const struct cb_entry *entry)
{
	struct cb_need need = {name, entry};

	cb_vec_push(fleet->arena, &fleet->needs, need);
}

/* All VMs that a name stands for: itself, or web-1, web-2, ... */
static void add_names(struct cb_fleet *fleet, const char *name, struct names *out)
{
	const struct cb_declared *counted = cb_declared_find(&fleet->counted, name);
	int64_t count = counted ? cb_spec_int(&counted->spec, "count", 0) : 0;
	struct cb_vm *vm = counted ? NULL : find_vm(fleet, name);

	if (vm)
		cb_vec_push(fleet->arena, out, vm->name);
	for (int64_t i = 1; i <= count; i++) {
		vm = find_vm(fleet, cb_arena_printf(fleet->arena, "%s-%" PRId64, name, i));
		if (vm)
			cb_vec_push(fleet->arena, out, vm->name);
	}
}

static void report_need(struct cb_fleet *fleet, const struct cb_need *need, const char *wanted)
{
	cb_auto_str struct cb_str all = {0};
	bool sensitive = need->entry->origin.sensitive;
	size_t n = fleet->out->vms.len;
	const char *fix = "";

	if (!sensitive && n <= CB_FLEET_COMPARED) {
		cb_vec_each (const struct cb_vm, vm, &fleet->out->vms)
			cb_str_printf(&all, "%s%s", all.len ? " " : "", vm->name);
		fix = cb_fleet_meant(fleet, cb_str_text(&all), n, wanted);
	}
	report(fleet, "manifest.reference", need->name, &need->entry->origin, fix,
	       cb_arena_printf(fleet->arena, "'depends_on': there is no VM %s",
			       sensitive ? "of one of these names"
					 : cb_schema_quote(fleet->arena, wanted, strlen(wanted))));
}

static int compare_names(const void *left, const void *right)
{
	const char *const *a = left, *const *b = right;

	return strcmp(*a, *b);
}

/* Sorted, each once. */
static void sort_names(struct names *names)
{
	size_t kept = 0;

	if (names->len == 0)
		return;
	qsort(names->items, names->len, sizeof(*names->items), compare_names);
	for (size_t i = 1; i < names->len; i++) {
		if (strcmp(names->items[kept], names->items[i]) != 0)
			names->items[++kept] = names->items[i];
	}
	names->len = kept + 1;
}

/* A `depends_on` holds for every VM that its block makes. `edges` is how many there are in all. */
static bool resolve_needs(struct cb_fleet *fleet, const struct cb_need *need, size_t *edges)
{
	json_auto_t *texts = json_loads(need->entry->value.string, 0, NULL);
	struct names waiting = {0}, wanted = {0};
	json_t *item;
	size_t i;

	json_array_foreach(texts, i, item)
	{
		const char *name = json_string_value(item);

		if (!find_vm(fleet, name) && !cb_declared_find(&fleet->counted, name))
			report_need(fleet, need, name);
		else
			add_names(fleet, name, &wanted);
	}
	add_names(fleet, need->name, &waiting);
	sort_names(&wanted);
	*edges += waiting.len * wanted.len;
	if (*edges > CB_FLEET_NEEDS) {
		report(fleet, "manifest.limit", need->name, &need->entry->origin, NULL,
		       cb_arena_printf(fleet->arena,
				       "too many VMs wait for too many: the limit is %d pairs",
				       CB_FLEET_NEEDS));
		return false;
	}
	cb_vec_each (const char *const, name, &waiting) {
		struct cb_vm *vm = find_vm(fleet, *name);

		/* Shared: nobody changes it from here on. */
		vm->depends_on.items = wanted.items;
		vm->depends_on.len = vm->depends_on.cap = wanted.len;
	}
	return true;
}

/* The search for cycles: a VM that is met again while it is open closes one. */
struct search {
	struct cb_fleet *fleet;

	enum { UNSEEN, OPEN, DONE } * states;

	size_t *path; /* the open VMs, in the order in which they wait */
	size_t *next; /* of each open VM: how many of its needs have been looked at */
	size_t depth;
};

static void open_vm(struct search *s, size_t vm)
{
	s->states[vm] = OPEN;
	s->path[s->depth] = vm;
	s->next[s->depth++] = 0;
}

/* The cycle that ends with `last`, which stands in the path: "a -> b -> a". */
static void report_cycle(struct search *s, size_t last)
{
	const struct cb_vm *vms = s->fleet->out->vms.items;
	cb_auto_str struct cb_str text = {0};
	size_t first = 0;

	while (s->path[first] != last)
		first++;
	for (size_t i = first; i < s->depth && i < first + CB_FLEET_LISTED; i++)
		cb_str_printf(&text, "%s -> ", vms[s->path[i]].name);
	if (s->depth > first + CB_FLEET_LISTED)
		cb_str_add(&text, "... -> ");
	report(s->fleet, "manifest.cycle", vms[last].name, &vms[last].origin,
	       "take one of these dependencies out",
	       cb_arena_printf(s->fleet->arena, "these VMs wait for each other: %s%s", text.text,
			       vms[last].name));
}

/* One step; true at a cycle, which is reported. */
static bool search_on(struct search *s)
{
	struct cb_vm *vms = s->fleet->out->vms.items;
	size_t top = s->path[s->depth - 1], at = s->next[s->depth - 1]++, needed;

	if (at == vms[top].depends_on.len) {
		s->states[top] = DONE;
		s->depth--;
		return false;
	}
	needed = (size_t)(find_vm(s->fleet, vms[top].depends_on.items[at]) - vms);
	switch (s->states[needed]) {
	case UNSEEN:
		open_vm(s, needed);
		return false;
	case OPEN:
		report_cycle(s, needed);
		return true;
	case DONE:
		return false;
	}
	return false;
}

static void find_cycle(struct cb_fleet *fleet)
{
	size_t n = fleet->out->vms.len;
	struct search s = {
		.fleet = fleet,
		.states = cb_arena_alloc(fleet->arena, (n + 1) * sizeof(*s.states)),
		.path = cb_arena_alloc(fleet->arena, (n + 1) * sizeof(*s.path)),
		.next = cb_arena_alloc(fleet->arena, (n + 1) * sizeof(*s.next)),
	};

	for (size_t i = 0; i < n; i++) {
		if (s.states[i] == UNSEEN)
			open_vm(&s, i);
		while (s.depth > 0) {
			if (search_on(&s))
				return;
		}
	}
}

void cb_fleet_check_needs(struct cb_fleet *fleet)
{
	size_t edges = 0;

	cb_vec_each (const struct cb_need, need, &fleet->needs) {
		if (!resolve_needs(fleet, need, &edges))
			return;
	}
	find_cycle(fleet);
}
