/* Groups: what is changed together or not at all has to be on one host. */
#include <stdlib.h>
#include <string.h>

#include "schema/fleet_internal.h"

struct member {
	const struct cb_vm *vm;
	const struct cb_entry *group;
};

static int by_group(const void *left, const void *right)
{
	const struct member *a = left, *b = right;
	int order = strcmp(a->group->value.string, b->group->value.string);

	return order ? order : strcmp(a->vm->name, b->vm->name);
}

static bool same_host(const struct cb_vm *a, const struct cb_vm *b)
{
	return a->host && b->host ? strcmp(a->host, b->host) == 0 : a->host == b->host;
}

static void check_pair(struct cb_fleet *fleet, const struct member *first,
		       const struct member *other)
{
	struct cb_schema_at at =
		cb_fleet_at("manifest.group", other->vm->name, &other->group->origin);

	if (same_host(first->vm, other->vm))
		return;
	cb_schema_report(
		fleet->arena, fleet->problems, &at,
		"give each host a group of its own, or put both on one host",
		"group %s has vms on several hosts, '%s' among them: what one host has done "
		"cannot be taken back for another",
		cb_fleet_quote(fleet, other->group), first->vm->name);
}

void cb_fleet_check_groups(struct cb_fleet *fleet)
{
	const struct member *first;
	struct member *members;
	size_t n = 0;

	members = cb_arena_alloc(fleet->arena, (fleet->out->vms.len + 1) * sizeof(*members));
	cb_vec_each (const struct cb_vm, vm, &fleet->out->vms) {
		const struct cb_entry *group = cb_spec_find(&vm->spec, "group");

		if (group && group->value.kind == CB_STRING)
			members[n++] = (struct member){vm, group};
	}
	if (n == 0)
		return;
	qsort(members, n, sizeof(*members), by_group);
	first = members;
	for (size_t i = 1; i < n; i++) {
		if (strcmp(members[i].group->value.string, first->group->value.string) != 0)
			first = &members[i];
		else
			check_pair(fleet, first, &members[i]);
	}
}
