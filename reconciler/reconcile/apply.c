/* From a plan that was shown to a host that is so. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reconciler/base/clock.h"
#include "reconciler/reconcile/session_internal.h"

static json_t *begin_record(struct cb_session *session, const struct cb_request *request,
			    const struct cb_planned *planned)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:i}", "version", session->config.version,
			 "controller", session->controller, "host", session->host.uri, "hostname",
			 session->host.hostname, "owner", request->desired->owner, "plan_hash",
			 planned->plan.hash, "pid", (int)getpid(), "uid", (int)getuid());
}

static void note(struct cb_arena *arena, struct cb_result *result, struct cb_error *err)
{
	result->code = err->code;
	result->message = cb_arena_strdup(arena, err->message);
	result->hint = err->hint ? cb_arena_strdup(arena, err->hint) : "";
	cb_error_release(err);
}

/* A connection that broke after the commit. */
static int reconnect(struct cb_session *session, struct cb_error *err)
{
	enum { PAUSE_MS = 200 };

	uint64_t until = cb_clock_ms() + session->config.reopen_timeout_ms;
	struct cb_driver *fresh;
	int r;

	while ((r = session->config.open(session->config.uri, &fresh, err)) < 0) {
		if (cb_clock_ms() >= until)
			return r;
		cb_clock_sleep_ms(PAUSE_MS);
	}
	cb_error_release(err);
	cb_driver_close(session->driver);
	session->driver = fresh;
	return 0;
}

/* Observe again; the diff must be empty. */
static int verify(struct cb_session *session, const struct cb_request *request, const char *name,
		  struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_observed observed = {0};
	struct cb_changes changes = {0};
	struct cb_request one = *request;
	int r;

	one.names = &name;
	one.n_names = 1;
	/* What is only staged is as wanted. */
	one.flags &= ~(unsigned)CB_PLAN_RESTART;
	if (request->destroy)
		return 0;
	r = cb_session_compare(session, &one, &arena, &observed, &changes, err);
	if (r == -CB_E_UNAVAILABLE && (r = reconnect(session, err)) == 0) {
		changes = (struct cb_changes){0};
		r = cb_session_compare(session, &one, &arena, &observed, &changes, err);
	}
	if (r < 0)
		return cb_error_wrap(err, "cannot verify");
	cb_vec_each (const struct cb_change, change, &changes) {
		const char *what = change->fields.len ? change->fields.items[0].path : "the vm";

		if (change->action == CB_ACTION_NOOP && !change->refusal)
			continue;
		(void)cb_error_set(err, CB_E_CONFLICT,
				   "vm '%s' was changed, but %s does not read back as wanted", name,
				   what);
		return cb_error_hint(err, "somebody else may be changing it; run `clonebox plan`");
	}
	return 0;
}

static void run_one(struct cb_session *session, const struct cb_request *request,
		    const struct cb_planned *planned, const struct cb_transaction *transaction,
		    struct cb_arena *arena, struct cb_results *results)
{
	struct cb_apply_context context = cb_session_context(session);
	json_auto_t *begin = begin_record(session, request, planned);
	cb_auto_error struct cb_error err = {0};
	struct cb_result result = {.id = transaction->id, .name = transaction->name};
	int r = cb_apply_run(&context, transaction, begin, &result.outcome, &err);

	session->driver = context.driver;
	if (r == 0)
		r = verify(session, request, transaction->name, &err);
	if (r < 0)
		note(arena, &result, &err);
	cb_vec_push(arena, results, result);
}

static const char *purpose_of(struct cb_arena *arena, const struct cb_plan *plan)
{
	const struct cb_transaction *first = plan->transactions.items;

	if (plan->transactions.len == 1)
		return cb_arena_printf(arena, "%s of vm '%s'", cb_action_name(first->action),
				       first->name);
	return cb_arena_printf(arena, "apply of %zu vms", plan->transactions.len);
}

/* The VM whose transaction should have been committed before this one and was not; NULL if none. */
static const char *unmet(const struct cb_transaction *transaction, const struct cb_results *results)
{
	cb_vec_each (const char *const, id, &transaction->after) {
		cb_vec_each (const struct cb_result, result, results) {
			if (strcmp(result->id, *id) == 0 && result->outcome != CB_OUTCOME_COMMITTED)
				return result->name;
		}
	}
	return NULL;
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
			if (!item->here || strcmp(item->name, transaction->name) != 0)
				continue;
			(void)cb_error_set(err, CB_E_CONFLICT,
					   "transaction %s of vm '%s' has not been finished",
					   item->id, item->name);
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

static void run_all(struct cb_session *session, const struct cb_request *request,
		    const struct cb_planned *plan, struct cb_arena *arena,
		    struct cb_results *results)
{
	const volatile sig_atomic_t *interrupted = session->config.progress.interrupted;

	cb_vec_each (const struct cb_transaction, transaction, &plan->plan.transactions) {
		const char *missing = unmet(transaction, results);
		struct cb_result skipped = {.id = transaction->id,
					    .name = transaction->name,
					    .code = CB_E_INTERRUPTED,
					    .message = "not begun: interrupted"};

		if (interrupted && *interrupted) {
			cb_vec_push(arena, results, skipped);
			continue;
		}
		if (missing) {
			skipped.code = CB_E_CONFLICT;
			skipped.message = cb_arena_printf(
				arena, "not begun: it needs what vm '%s' was to bring", missing);
			cb_vec_push(arena, results, skipped);
			continue;
		}
		run_one(session, request, plan, transaction, arena, results);
	}
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
		run_all(session, request, plan, arena, results);
	cb_locks_release(&locks);
	return r;
}
