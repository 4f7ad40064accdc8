/* From a plan that was shown to a host that is so. */
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/clock.h"
#include "reconciler/reconcile/session_internal.h"

/* A connection that broke after the commit. */
static int reconnect(struct cb_session *session, struct cb_apply_context *context,
		     struct cb_error *err)
{
	enum { PAUSE_MS = 200 };

	uint64_t until = cb_clock_ms() + session->config.reopen_timeout_ms;
	struct cb_driver *fresh;
	int r;

	while ((r = cb_session_connect(&session->config, &fresh, err)) < 0) {
		if (cb_clock_ms() >= until)
			return r;
		cb_clock_sleep_ms(PAUSE_MS);
	}
	cb_error_release(err);
	cb_driver_close(context->driver);
	context->driver = fresh;
	return 0;
}

static const struct cb_vm *wanted_vm(const struct cb_request *request, const char *name)
{
	cb_vec_each (const struct cb_vm, vm, &request->desired->vms) {
		if (strcmp(vm->name, name) == 0)
			return vm;
	}
	return NULL;
}

static bool has_address(const struct cb_vm *vm)
{
	cb_vec_each (const struct cb_entry, entry, &vm->spec) {
		if (strstr(entry->path, "].ip"))
			return true;
	}
	return false;
}

/* The one domain, read and compared as if it were alone on its host. */
static int compare_one(struct cb_session *session, struct cb_driver *driver,
		       const struct cb_request *request, const struct cb_member *member,
		       struct cb_arena *arena, struct cb_change *out, struct cb_error *err)
{
	const struct cb_vm *vm = wanted_vm(request, member->name);
	const struct cb_diff_context context = {.kvm = session->host.kvm,
						.virtiofs = session->host.virtiofs,
						.take_over = request->take_over};
	struct cb_networks networks = {0};
	struct cb_domains domains = {0};
	struct cb_domain domain;
	int r = driver->ops->domain(driver, arena, member->uuid, &domain, err);

	if (r < 0)
		return r;
	if (has_address(vm) && (r = driver->ops->networks(driver, arena, &networks, err)) < 0)
		return r;
	cb_observe_one(arena, request->desired->owner, &networks, &domain);
	cb_vec_push(arena, &domains, domain);
	cb_diff_vm(arena, vm, &domains, &context, out);
	return 0;
}

/* Observe again; the diff must be empty. What is only staged is as wanted. */
static int verify_one(struct cb_session *session, struct cb_apply_context *context,
		      const struct cb_request *request, const struct cb_member *member,
		      struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_change change = {0};
	const char *what;
	int r;

	/* No manifest has a say in what is taken over. */
	if (request->destroy || request->take_from || member->target != CB_TARGET_VM ||
	    member->action == CB_ACTION_DELETE || !wanted_vm(request, member->name))
		return 0;
	r = compare_one(session, context->driver, request, member, &arena, &change, err);
	if (r == -CB_E_UNAVAILABLE && (r = reconnect(session, context, err)) == 0)
		r = compare_one(session, context->driver, request, member, &arena, &change, err);
	if (r < 0)
		return cb_error_wrap(err, "cannot verify");
	if (change.action == CB_ACTION_NOOP && !change.refusal)
		return 0;
	what = change.fields.len ? change.fields.items[0].path : "the vm";
	(void)cb_error_set(err, CB_E_CONFLICT,
			   "vm '%s' was changed, but %s does not read back as wanted", member->name,
			   what);
	return cb_error_hint(err, "somebody else may be changing it; run `clonebox plan`");
}

int cb_session_verify(struct cb_session *session, struct cb_apply_context *context,
		      const struct cb_request *request, const struct cb_transaction *transaction,
		      struct cb_error *err)
{
	const struct cb_member alone = {transaction->target, transaction->name, transaction->uuid,
					transaction->action};
	int r = verify_one(session, context, request, &alone, err);

	for (size_t i = 0; r == 0 && i < transaction->members.len; i++)
		r = verify_one(session, context, request, &transaction->members.items[i], err);
	return r;
}

static const char *purpose_of(struct cb_arena *arena, const struct cb_plan *plan)
{
	const struct cb_transaction *first = plan->transactions.items;

	if (plan->transactions.len == 1)
		return cb_arena_printf(arena, "%s of %s '%s'", cb_action_name(first->action),
				       cb_target_name(first->target), first->name);
	return cb_arena_printf(arena, "apply of %zu transactions", plan->transactions.len);
}

/* Another plan of the same kind, size and risk, for which the locks that are held suffice. */
static bool alike(const struct cb_plan *one, const struct cb_plan *other,
		  const struct cb_locks *locks)
{
	if (memcmp(&one->summary, &other->summary, sizeof(one->summary)) != 0)
		return false;
	cb_vec_each (const struct cb_problem, problem, &other->problems) {
		if (problem->severity == CB_PROBLEM)
			return false;
	}
	cb_vec_each (const struct cb_transaction, transaction, &other->transactions) {
		if (!cb_locks_cover(locks, transaction))
			return false;
	}
	return true;
}

/* What both lock counts, too: who deletes an image must know whether he is the last who used it. */
static bool is_about_same(const struct cb_unfinished *item,
			  const struct cb_transaction *transaction)
{
	cb_vec_each (const char *const, theirs, &item->locks) {
		cb_vec_each (const char *const, ours, &transaction->locks) {
			if (strcmp(*theirs, *ours) == 0)
				return true;
		}
	}
	if (cb_transaction_is_about(transaction, item->target, item->name))
		return true;
	cb_vec_each (const struct cb_member, member, &item->members) {
		if (cb_transaction_is_about(transaction, member->target, member->name))
			return true;
	}
	return false;
}

/* A crashed run's transaction for one of these VMs that appeared after recovery had looked: nothing
 * may run over it. */
static int check_unfinished(struct cb_session *session, const struct cb_plan *plan,
			    struct cb_arena *arena, struct cb_error *err)
{
	struct cb_unfinished_list list = {0};
	int r = cb_session_unfinished(session, session->config.state_dir, arena, &list, err);

	if (r < 0)
		return r;
	cb_vec_each (const struct cb_unfinished, item, &list) {
		cb_vec_each (const struct cb_transaction, transaction, &plan->transactions) {
			if (!item->here || !is_about_same(item, transaction))
				continue;
			(void)cb_error_set(err, CB_E_CONFLICT,
					   "transaction %s of %s '%s' has not been finished",
					   item->id, cb_target_name(item->target), item->name);
			return cb_error_hint(err, "run the command again: it settles that first");
		}
	}
	return 0;
}

/* Under the locks: is the world still as the plan saw it? */
static int plan_again(struct cb_session *session, const struct cb_request *request,
		      struct cb_planned *plan, const struct cb_locks *locks, struct cb_arena *arena,
		      struct cb_error *err)
{
	struct cb_planned again;
	int r = check_unfinished(session, &plan->plan, arena, err);

	if (r < 0 || (r = cb_session_plan(session, request, arena, &again, err)) < 0)
		return r;
	/* The same but for its ids: what is done bears the names that were shown. */
	if (strcmp(again.plan.hash, plan->plan.hash) == 0)
		return 0;
	if (request->replan && alike(&plan->plan, &again.plan, locks)) {
		*plan = again;
		return 0;
	}
	(void)cb_error_set(err, CB_E_CONFLICT,
			   "the host is not any more as the plan saw it: nothing was done");
	return cb_error_hint(err, "look at the new plan: clonebox plan");
}

static void run(struct cb_session *session, const struct cb_request *request,
		const struct cb_planned *plan, struct cb_arena *arena, struct cb_results *results)
{
	session->request = request;
	session->planned = plan;
	session->who = cb_session_who();
	cb_session_run(session, request, plan, arena, results);
	session->request = NULL;
	session->planned = NULL;
	json_decref(session->who);
	session->who = NULL;
}

int cb_session_apply(struct cb_session *session, const struct cb_request *request,
		     struct cb_planned *plan, struct cb_arena *arena, struct cb_results *results,
		     struct cb_error *err)
{
	struct cb_locks locks = {0};
	int r = cb_session_controller(session, err);

	if (r < 0)
		return r;
	cb_vec_each (const struct cb_transaction, transaction, &plan->plan.transactions)
		cb_locks_add(arena, &locks, transaction);
	r = cb_locks_take(session, arena, &locks, session->config.lock_timeout_ms,
			  purpose_of(arena, &plan->plan), err);
	if (r == 0)
		r = plan_again(session, request, plan, &locks, arena, err);
	if (r == 0)
		run(session, request, plan, arena, results);
	cb_locks_release(&locks);
	return r;
}
