/* Groups: what succeeds or goes back together becomes one transaction (docs/adr/0007). Each member
 * is planned as if it were alone, under the id of the group; then their steps are put into one
 * order: first of all members what can be taken back, then of all members the rest. So the point of
 * no return of a group lies behind the last step that may fail without harm. */
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/error.h"
#include "reconciler/plan/plan_internal.h"

/* NULL: it belongs to none. */
static const char *group_of(const struct cb_plan_input *input, const struct cb_change *change)
{
	if (input->flags & CB_PLAN_ATOMIC)
		return "all";
	if (change->declared)
		return cb_spec_string(&change->declared->spec, "group");
	/* What goes away is not wanted any more: what was said of it counts. */
	return change->vm ? cb_spec_string(&change->vm->spec, "group") : NULL;
}

struct leader {
	const char *group;
	size_t index;
};

static int by_group(const void *left, const void *right)
{
	const struct leader *a = left, *b = right;
	int order = strcmp(a->group, b->group);

	return order ? order : (a->index > b->index) - (a->index < b->index);
}

/* The changes that belong to groups, sorted by group. */
static size_t members_of_groups(struct cb_arena *arena, const struct cb_plan_input *input,
				struct leader **out)
{
	size_t n = 0;

	*out = cb_arena_alloc(arena, (input->changes->len + 1) * sizeof(**out));
	for (size_t i = 0; i < input->changes->len; i++) {
		const char *group = group_of(input, &input->changes->items[i]);

		if (group)
			(*out)[n++] = (struct leader){group, i};
	}
	qsort(*out, n, sizeof(**out), by_group);
	return n;
}

const struct cb_plan_ids *cb_plan_group_ids(struct cb_arena *arena,
					    const struct cb_plan_input *input)
{
	struct leader *members, *first;
	size_t n = members_of_groups(arena, input, &members);
	struct cb_plan_ids *ids;

	if (n == 0)
		return input->ids;
	ids = cb_arena_alloc(arena, input->changes->len * sizeof(*ids));
	memcpy(ids, input->ids, input->changes->len * sizeof(*ids));
	first = members;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(members[i].group, first->group) != 0)
			first = &members[i];
		ids[members[i].index].transaction = input->ids[first->index].transaction;
	}
	return ids;
}

/* One transaction of several. ------------------------------------------------------------------ */

/* What is prepared aside while everything runs; what stops machines, and can still be taken back;
 * what cannot. */
enum turn { ASIDE, DOWN, FORWARD, TURNS };

/* A step never comes before an earlier one of its member. */
static enum turn turn_of(const struct cb_transaction *member, const struct cb_step *step)
{
	enum turn turn = ASIDE;

	cb_vec_each (const struct cb_step, before, &member->steps) {
		if (before->n > step->n)
			break;
		if (before->reversible == CB_IRREVERSIBLE)
			turn = FORWARD;
		else if (before->kind == CB_STEP_KIND_DOMAIN_SHUTDOWN && turn < DOWN)
			turn = DOWN;
	}
	return turn;
}

static void push_text(struct cb_arena *arena, struct cb_transaction *to, const char *text,
		      bool lock)
{
	cb_vec_each (const char *const, known, &to->after) {
		if (!lock && strcmp(*known, text) == 0)
			return;
	}
	cb_vec_each (const char *const, known, &to->locks) {
		if (lock && strcmp(*known, text) == 0)
			return;
	}
	if (lock)
		cb_vec_push(arena, &to->locks, text);
	else
		cb_vec_push(arena, &to->after, text);
}

/* The seed is told whose it is: the transaction does not say that any more. */
static void push_step(struct cb_arena *arena, struct cb_transaction *to,
		      const struct cb_transaction *member, struct cb_step step)
{
	const struct cb_origin none = {.from = CB_FROM_DEFAULT};

	step.n = (unsigned)to->steps.len + 1;
	if (step.kind == CB_STEP_KIND_SEED_CREATE)
		cb_spec_set(arena, &step.args, "vm", cb_string(member->name), none);
	/* Several members may need the same pool. */
	cb_vec_each (const struct cb_step, known, &to->steps) {
		if (step.kind == CB_STEP_KIND_POOL_ENSURE && known->kind == step.kind &&
		    strcmp(known->target, step.target) == 0)
			return;
	}
	if (step.reversible == CB_IRREVERSIBLE && !to->point_of_no_return)
		to->point_of_no_return = step.n;
	cb_vec_push(arena, &to->steps, step);
}

struct joined {
	const struct cb_transaction **items;
	size_t len, cap;
};

static struct cb_transaction join(struct cb_arena *arena, const char *group,
				  const struct joined *members)
{
	struct cb_transaction out = *members->items[0];

	out.target = CB_TARGET_GROUP;
	out.name = group;
	out.uuid = "";
	memset(&out.steps, 0, sizeof(out.steps));
	memset(&out.after, 0, sizeof(out.after));
	memset(&out.locks, 0, sizeof(out.locks));
	out.point_of_no_return = 0;
	cb_vec_each (const struct cb_transaction *const, at, members) {
		const struct cb_transaction *member = *at;
		const struct cb_member item = {member->target, member->name, member->uuid,
					       member->action};

		cb_vec_push(arena, &out.members, item);
		if (member->action != out.action)
			out.action = CB_ACTION_UPDATE;
		cb_vec_each (const char *const, id, &member->after) {
			if (strcmp(*id, out.id) != 0)
				push_text(arena, &out, *id, false);
		}
		cb_vec_each (const char *const, lock, &member->locks)
			push_text(arena, &out, *lock, true);
	}
	for (int turn = ASIDE; turn < TURNS; turn++) {
		cb_vec_each (const struct cb_transaction *const, member, members) {
			cb_vec_each (const struct cb_step, step, &(*member)->steps) {
				if ((int)turn_of(*member, step) == turn)
					push_step(arena, &out, *member, *step);
			}
		}
	}
	return out;
}

/* Problems. ------------------------------------------------------------------------------------ */

static void report(struct cb_arena *arena, struct cb_plan *plan, const char *group,
		   const char *check, const char *message, const char *fix)
{
	const struct cb_problem problem = {.severity = CB_PROBLEM,
					   .check = check,
					   .target = group,
					   .kind = "group",
					   .message = message,
					   .fix = fix};

	cb_vec_push(arena, &plan->problems, problem);
}

static size_t index_of(const struct cb_plan *plan, const char *id)
{
	for (size_t i = 0; i < plan->transactions.len; i++) {
		if (strcmp(plan->transactions.items[i].id, id) == 0)
			return i;
	}
	return plan->transactions.len;
}

enum seen { UNSEEN, OPEN, PLACED };

struct placing {
	struct cb_arena *arena;
	struct cb_plan *plan;
	enum seen *seen;
	size_t *order, len;
	bool circle;
};

/* After those that it waits for. */
static void place(struct placing *p, size_t index)
{
	const struct cb_transaction *transaction = &p->plan->transactions.items[index];

	if (p->seen[index] == OPEN)
		p->circle = true;
	if (p->seen[index] != UNSEEN)
		return;
	p->seen[index] = OPEN;
	cb_vec_each (const char *const, id, &transaction->after) {
		size_t before = index_of(p->plan, *id);

		if (before < p->plan->transactions.len)
			place(p, before);
	}
	p->seen[index] = PLACED;
	p->order[p->len++] = index;
}

/* A transaction only ever waits for an earlier one. */
static void put_in_order(struct cb_arena *arena, struct cb_plan *plan)
{
	size_t n = plan->transactions.len;
	struct placing p = {.arena = arena,
			    .plan = plan,
			    .seen = cb_arena_alloc(arena, (n + 1) * sizeof(*p.seen)),
			    .order = cb_arena_alloc(arena, (n + 1) * sizeof(*p.order))};
	struct cb_transaction *items = cb_arena_alloc(arena, (n + 1) * sizeof(*items));

	memset(p.seen, 0, n * sizeof(*p.seen));
	for (size_t i = 0; i < n; i++)
		place(&p, i);
	if (p.circle) {
		report(arena, plan, "", "group.circle",
		       "a vm outside of a group depends on one in it, and another one in it "
		       "depends on "
		       "that vm: neither can be first",
		       "put that vm into the group too, or take one of them out");
		return;
	}
	for (size_t i = 0; i < n; i++)
		items[i] = plan->transactions.items[p.order[i]];
	memcpy(plan->transactions.items, items, n * sizeof(*items));
}

void cb_plan_join_groups(struct cb_arena *arena, const struct cb_plan_input *input,
			 struct cb_plan *plan)
{
	struct leader *leaders;
	size_t n = members_of_groups(arena, input, &leaders), kept = 0;
	bool joined = false;

	for (size_t i = 0, end; i < n; i = end) {
		const char *id = input->ids[leaders[i].index].transaction;
		struct joined members = {0};
		size_t place = 0;

		for (end = i + 1; end < n && strcmp(leaders[end].group, leaders[i].group) == 0;)
			end++;
		for (size_t k = plan->transactions.len; k-- > 0;) {
			if (strcmp(plan->transactions.items[k].id, id) == 0)
				place = k;
		}
		cb_vec_each (const struct cb_transaction, transaction, &plan->transactions) {
			if (strcmp(transaction->id, id) == 0) {
				const struct cb_transaction *copy =
					memcpy(cb_arena_alloc(arena, sizeof(*copy)), transaction,
					       sizeof(*copy));

				cb_vec_push(arena, &members, copy);
			}
		}
		if (members.len < 2)
			continue;
		plan->transactions.items[place] = join(arena, leaders[i].group, &members);
		joined = true;
	}
	if (!joined)
		return;
	/* The joined one stands for the first of its members; the others go. */
	for (size_t i = 0; i < plan->transactions.len; i++) {
		const struct cb_transaction *transaction = &plan->transactions.items[i];
		bool again = false;

		for (size_t k = 0; k < kept && !again; k++)
			again = strcmp(plan->transactions.items[k].id, transaction->id) == 0;
		if (!again)
			plan->transactions.items[kept++] = *transaction;
	}
	plan->transactions.len = kept;
	put_in_order(arena, plan);
}
