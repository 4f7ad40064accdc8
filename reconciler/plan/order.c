/* What comes before what: declared dependencies, and the order in which changes are planned, so
 * that a transaction only ever waits for an earlier one. */
#include <string.h>

#include "reconciler/base/error.h"
#include "reconciler/plan/plan_internal.h"

/* Changes of VMs stand behind the others, sorted by name. */
static size_t first_vm(const struct cb_changes *changes)
{
	size_t i = 0;

	while (i < changes->len && changes->items[i].target != CB_TARGET_VM)
		i++;
	return i;
}

/* Index of the change of this VM, changes->len if it has none. */
static size_t find(const struct cb_changes *changes, const char *name)
{
	size_t low = first_vm(changes), high = changes->len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(changes->items[middle].name, name);

		if (order == 0)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return changes->len;
}

struct indices {
	size_t *items;
	size_t len, cap;
};

struct sorter {
	const struct cb_changes *changes;
	struct indices *users;
	bool *seen;
	size_t *order, len;
};

/* Without cycles: the manifests were checked for them. */
static void visit(struct sorter *sorter, size_t index)
{
	const struct cb_change *change = &sorter->changes->items[index];

	if (sorter->seen[index])
		return;
	sorter->seen[index] = true;
	if (change->vm && change->action != CB_ACTION_DELETE) {
		cb_vec_each (const char *const, name, &change->vm->depends_on) {
			size_t other = find(sorter->changes, *name);

			if (other < sorter->changes->len)
				visit(sorter, other);
		}
	}
	/* What goes away goes in the other order. */
	for (size_t i = 0; i < sorter->users[index].len; i++)
		visit(sorter, sorter->users[index].items[i]);
	sorter->order[sorter->len++] = index;
}

/* For each VM that goes away, those that go too and depend on it. */
static void find_users(struct cb_arena *arena, struct sorter *sorter)
{
	for (size_t i = 0; i < sorter->changes->len; i++) {
		const struct cb_change *change = &sorter->changes->items[i];

		if (!change->vm || change->action != CB_ACTION_DELETE)
			continue;
		cb_vec_each (const char *const, name, &change->vm->depends_on) {
			size_t other = find(sorter->changes, *name);

			if (other < sorter->changes->len &&
			    sorter->changes->items[other].action == CB_ACTION_DELETE)
				cb_vec_push(arena, &sorter->users[other], i);
		}
	}
}

/* Deletions last, and among them networks after the VMs that were on them. */
static int turn_of(const struct cb_change *change)
{
	if (change->action != CB_ACTION_DELETE)
		return 0;
	return change->target == CB_TARGET_VM ? 1 : 2;
}

const size_t *cb_plan_order(struct cb_arena *arena, const struct cb_plan_input *input)
{
	const struct cb_changes *changes = input->changes;
	struct sorter sorter = {
		.changes = changes,
		.users = cb_arena_alloc(arena, (changes->len + 1) * sizeof(*sorter.users)),
		.seen = cb_arena_alloc(arena, changes->len + 1),
		.order = cb_arena_alloc(arena, (changes->len + 1) * sizeof(size_t)),
	};
	size_t *out = cb_arena_alloc(arena, (changes->len + 1) * sizeof(*out)), n = 0;

	memset(sorter.seen, 0, changes->len);
	memset(sorter.users, 0, changes->len * sizeof(*sorter.users));
	find_users(arena, &sorter);
	for (size_t i = 0; i < changes->len; i++)
		visit(&sorter, i);
	for (int turn = 0; turn <= 2; turn++) {
		for (size_t i = 0; i < changes->len; i++) {
			if (turn_of(&changes->items[sorter.order[i]]) == turn)
				out[n++] = sorter.order[i];
		}
	}
	CB_ASSERT(n == changes->len);
	return out;
}

static bool needs(const struct cb_change *change, const char *name)
{
	if (!change->vm)
		return false;
	cb_vec_each (const char *const, needed, &change->vm->depends_on) {
		if (strcmp(*needed, name) == 0)
			return true;
	}
	return false;
}

void cb_builder_after(struct cb_builder *builder, const char *id)
{
	cb_vec_each (const char *const, known, &builder->transaction.after) {
		if (strcmp(*known, id) == 0)
			return;
	}
	cb_vec_push(builder->arena, &builder->transaction.after, id);
}

void cb_plan_dependencies(struct cb_builder *builder)
{
	const struct cb_change *change = builder->change;

	if (change->target != CB_TARGET_VM || !change->vm)
		return;
	if (change->action == CB_ACTION_DELETE) {
		/* Those that need it go before it. */
		cb_vec_each (const struct cb_transaction, earlier, &builder->plan->transactions) {
			size_t index = find(builder->input->changes, earlier->name);

			if (earlier->target == CB_TARGET_VM &&
			    index < builder->input->changes->len &&
			    earlier->action == CB_ACTION_DELETE &&
			    needs(&builder->input->changes->items[index], change->name))
				cb_builder_after(builder, earlier->id);
		}
		return;
	}
	cb_vec_each (const char *const, name, &change->vm->depends_on) {
		size_t index = find(builder->input->changes, *name);
		const struct cb_change *other;

		if (index == builder->input->changes->len)
			continue;
		other = &builder->input->changes->items[index];
		if (!other->refusal &&
		    (other->action == CB_ACTION_CREATE || other->action == CB_ACTION_UPDATE))
			cb_builder_after(builder, builder->input->ids[index].transaction);
	}
}
