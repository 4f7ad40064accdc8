/* Runs the transactions of a plan: those that do not wait for each other at the same time, each
 * worker on a connection of its own. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/log.h"
#include "reconciler/reconcile/session_internal.h"

/* A provisional transaction is HELD from when all of it is done until those that wait for it are
 * over. */
enum state { WAITING, RUNNING, HELD, OVER };

struct slot {
	const struct cb_transaction *transaction;
	size_t *after; /* indices of slots */
	size_t n_after;
	size_t users; /* that wait for it and are not over */
	enum state state;
	struct cb_result result;
};

struct runner {
	struct cb_session *session;
	const struct cb_request *request;
	const struct cb_planned *planned;
	struct cb_arena *arena; /* results; under the mutex */
	struct slot *slots;
	size_t n_slots, first; /* all before `first` are not waiting any more */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	size_t running;
	bool stop; /* nothing is begun any more */
	enum cb_code code;
	const char *why;
};

/* Who waits for whom. ------------------------------------------------------------------------- */

struct by_id {
	const char *id;
	size_t index;
};

static int compare_ids(const void *a, const void *b)
{
	const struct by_id *left = a, *right = b;

	return strcmp(left->id, right->id);
}

static void link_slots(struct cb_arena *arena, struct runner *runner)
{
	struct by_id *index = cb_arena_alloc(arena, (runner->n_slots + 1) * sizeof(*index));

	for (size_t i = 0; i < runner->n_slots; i++)
		index[i] = (struct by_id){runner->slots[i].transaction->id, i};
	qsort(index, runner->n_slots, sizeof(*index), compare_ids);
	for (size_t i = 0; i < runner->n_slots; i++) {
		struct slot *slot = &runner->slots[i];

		slot->after = cb_arena_alloc(arena, (slot->transaction->after.len + 1) *
							    sizeof(*slot->after));
		cb_vec_each (const char *const, id, &slot->transaction->after) {
			struct by_id key = {*id, 0};
			const struct by_id *found =
				bsearch(&key, index, runner->n_slots, sizeof(*index), compare_ids);

			if (!found)
				continue;
			slot->after[slot->n_after++] = found->index;
			runner->slots[found->index].users++;
		}
	}
}

/* Those that it waited for may be decided now. */
static void end(struct runner *runner, struct slot *slot)
{
	slot->state = OVER;
	for (size_t i = 0; i < slot->n_after; i++)
		runner->slots[slot->after[i]].users--;
	(void)pthread_cond_broadcast(&runner->changed);
}

static void skip(struct runner *runner, struct slot *slot, enum cb_code code, const char *why)
{
	slot->result = (struct cb_result){.id = slot->transaction->id,
					  .target = slot->transaction->target,
					  .name = slot->transaction->name,
					  .code = code,
					  .message = why,
					  .hint = "run the same command again for what is left"};
	end(runner, slot);
}

/* Whether what it waits for is there. What will never be there ends it. */
static bool ready(struct runner *runner, struct slot *slot)
{
	for (size_t i = 0; i < slot->n_after; i++) {
		const struct slot *before = &runner->slots[slot->after[i]];

		if (before->state == HELD)
			continue;
		if (before->state != OVER)
			return false;
		if (before->result.outcome == CB_OUTCOME_COMMITTED)
			continue;
		skip(runner, slot, CB_E_CONFLICT,
		     cb_arena_printf(runner->arena,
				     before->transaction->action == CB_ACTION_DELETE
					     ? "not begun: %s '%s' has to go before"
					     : "not begun: it needs what %s '%s' was to bring",
				     cb_target_name(before->transaction->target),
				     before->transaction->name));
		return false;
	}
	return true;
}

static bool interrupted(const struct runner *runner)
{
	const volatile sig_atomic_t *flag = runner->session->config.progress.interrupted;

	return flag && *flag;
}

/* The next one to run; NULL when there is none any more. Under the mutex. */
static struct slot *next(struct runner *runner)
{
	for (;;) {
		bool waiting = false;

		if (interrupted(runner)) {
			runner->stop = true;
			runner->code = CB_E_INTERRUPTED;
			runner->why = "not begun: interrupted";
		}
		while (runner->first < runner->n_slots &&
		       (runner->slots[runner->first].state == RUNNING ||
			runner->slots[runner->first].state == OVER))
			runner->first++;
		for (size_t i = runner->first; i < runner->n_slots; i++) {
			struct slot *slot = &runner->slots[i];

			if (slot->state == HELD && slot->users == 0)
				return slot;
			waiting = waiting || slot->state == HELD;
			if (slot->state != WAITING)
				continue;
			if (runner->stop)
				skip(runner, slot, runner->code, runner->why);
			else if (ready(runner, slot))
				return slot;
			waiting = waiting || slot->state == WAITING;
		}
		if (!waiting)
			return NULL;
		/* Somebody else's end may make one ready, or end it. */
		if (runner->running > 0)
			(void)pthread_cond_wait(&runner->changed, &runner->mutex);
	}
}

/* One transaction. ---------------------------------------------------------------------------- */

static struct cb_result run_slot(struct runner *runner, const struct slot *slot,
				 struct cb_apply_context *context, struct cb_arena *arena)
{
	const struct cb_transaction *transaction = slot->transaction;
	json_auto_t *begin = cb_session_begin_record(runner->session, runner->request,
						     runner->planned, transaction);
	cb_auto_error struct cb_error err = {0};
	struct cb_result result = {
		.id = transaction->id, .target = transaction->target, .name = transaction->name};
	int r = cb_apply_run(context, transaction, begin, &result.outcome, &err);

	if (r == 0)
		r = cb_session_verify(runner->session, context, runner->request, transaction, &err);
	if (r < 0) {
		result.code = err.code;
		result.message = cb_arena_strdup(arena, err.message);
		result.hint = err.hint ? cb_arena_strdup(arena, err.hint) : "";
	}
	return result;
}

/* Whether what was prepared is kept: the same look as after a crash. */
static struct cb_result decide_slot(struct runner *runner, const struct slot *slot,
				    struct cb_apply_context *context, struct cb_arena *arena)
{
	const struct cb_transaction *transaction = slot->transaction;
	cb_auto_error struct cb_error err = {0};
	struct cb_journal *journal = NULL;
	struct cb_result result = slot->result;
	int r = cb_journal_open(runner->session->config.state_dir, transaction->id, &journal, &err);

	result.outcome = CB_OUTCOME_OPEN;
	if (r == 0)
		r = cb_apply_recover(context, journal, transaction, CB_RECOVER_DECIDE,
				     &result.outcome, &err);
	cb_journal_free(journal);
	if (r < 0) {
		result.code = err.code;
		result.message = cb_arena_strdup(arena, err.message);
		result.hint = err.hint ? cb_arena_strdup(arena, err.hint) : "";
	}
	return result;
}

/* One that waited for it and stays open: what it does not need yet it may need in the end. */
static const struct slot *open_user(const struct runner *runner, const struct slot *slot)
{
	const size_t index = (size_t)(slot - runner->slots);

	for (size_t i = 0; i < runner->n_slots; i++) {
		const struct slot *user = &runner->slots[i];

		for (size_t k = 0; k < user->n_after; k++) {
			if (user->after[k] == index && user->state == OVER &&
			    user->result.outcome == CB_OUTCOME_OPEN)
				return user;
		}
	}
	return NULL;
}

/* As settling does it: nothing is decided before that one is. */
static struct cb_result leave_open(const struct slot *slot, const struct slot *user,
				   struct cb_arena *arena)
{
	struct cb_result result = slot->result;

	result.outcome = CB_OUTCOME_OPEN;
	result.code = user->result.code;
	result.message =
		cb_arena_printf(arena, "left open with %s '%s', which may need it",
				cb_target_name(user->transaction->target), user->transaction->name);
	result.hint = user->result.hint;
	return result;
}

/* A call that did not come back has cost its own transaction the connection; the next one gets a
 * fresh one. If there is none to be had, nothing more is begun. */
static bool connected(struct runner *runner, struct cb_apply_context *context,
		      const struct slot *slot, struct cb_arena *arena, struct cb_result *result)
{
	cb_auto_error struct cb_error err = {0};

	if (cb_session_reconnect(&runner->session->config, &context->driver, &err) == 0)
		return true;
	*result = slot->result;
	result->id = slot->transaction->id;
	result->target = slot->transaction->target;
	result->name = slot->transaction->name;
	if (result->outcome == CB_OUTCOME_PREPARED)
		result->outcome = CB_OUTCOME_OPEN;
	result->code = err.code;
	result->message = cb_arena_printf(arena, "not begun: %s", err.message);
	result->hint = err.hint ? cb_arena_strdup(arena, err.hint) : "";
	return false;
}

/* What a worker says goes to one listener. */
static void tell(void *ctx, enum cb_event event, const struct cb_transaction *transaction,
		 const struct cb_step *step, const char *text)
{
	struct runner *runner = ctx;
	const struct cb_session_config *config = &runner->session->config;

	(void)pthread_mutex_lock(&runner->mutex);
	config->event(config->event_ctx, event, transaction, step, text);
	(void)pthread_mutex_unlock(&runner->mutex);
}

static void progress(void *ctx, const char *what, uint64_t done, uint64_t total)
{
	struct runner *runner = ctx;
	const struct cb_progress *to = &runner->session->config.progress;

	(void)pthread_mutex_lock(&runner->mutex);
	to->report(to->ctx, what, done, total);
	(void)pthread_mutex_unlock(&runner->mutex);
}

static void work(struct runner *runner, struct cb_apply_context *context)
{
	struct slot *slot;

	(void)pthread_mutex_lock(&runner->mutex);
	while ((slot = next(runner))) {
		cb_auto_arena struct cb_arena arena = {0};
		struct cb_result result;
		bool held = slot->state == HELD, away;
		const struct slot *user = held ? open_user(runner, slot) : NULL;

		slot->state = RUNNING;
		runner->running++;
		(void)pthread_mutex_unlock(&runner->mutex);
		away = !user && !connected(runner, context, slot, &arena, &result);
		if (user)
			result = leave_open(slot, user, &arena);
		else if (!away)
			result = held ? decide_slot(runner, slot, context, &arena)
				      : run_slot(runner, slot, context, &arena);
		(void)pthread_mutex_lock(&runner->mutex);
		result.message = cb_arena_strdup(runner->arena, result.message);
		result.hint = cb_arena_strdup(runner->arena, result.hint);
		slot->result = result;
		runner->running--;
		if (away) {
			runner->stop = true;
			runner->code = CB_E_UNAVAILABLE;
			runner->why = "not begun: the host does not answer any more";
		}
		if (result.code && runner->request->fail_fast) {
			runner->stop = true;
			runner->code = CB_E_INTERRUPTED;
			runner->why = "not begun: another one failed, and --fail-fast was given";
		}
		if (result.outcome == CB_OUTCOME_PREPARED) {
			slot->state = HELD;
			runner->first = 0;
			(void)pthread_cond_broadcast(&runner->changed);
		} else {
			end(runner, slot);
		}
	}
	(void)pthread_mutex_unlock(&runner->mutex);
}

static void *worker(void *ctx)
{
	struct runner *runner = ctx;
	struct cb_session *session = runner->session;
	struct cb_apply_context context = cb_session_context(session);
	cb_auto_error struct cb_error err = {0};

	/* Without a connection of its own it is of no use; the first worker does it all. */
	if (cb_session_connect(&session->config, &context.driver, &err) < 0) {
		cb_log(CB_LOG_WARN, "worker-without-connection", "%s", err.message);
		return NULL;
	}
	context.event = session->config.event ? tell : NULL;
	context.event_ctx = runner;
	if (context.progress.report) {
		context.progress.report = progress;
		context.progress.ctx = runner;
	}
	work(runner, &context);
	cb_driver_close(context.driver);
	return NULL;
}

static unsigned count_workers(const struct runner *runner)
{
	unsigned parallel = runner->session->config.parallel;

	if (parallel == 0)
		parallel = 1;
	return runner->n_slots < parallel ? (unsigned)runner->n_slots : parallel;
}

void cb_session_run(struct cb_session *session, const struct cb_request *request,
		    const struct cb_planned *planned, struct cb_arena *arena,
		    struct cb_results *results)
{
	struct runner runner = {.session = session,
				.request = request,
				.planned = planned,
				.arena = arena,
				.n_slots = planned->plan.transactions.len,
				.mutex = PTHREAD_MUTEX_INITIALIZER,
				.changed = PTHREAD_COND_INITIALIZER};
	struct cb_apply_context context = cb_session_context(session);
	unsigned n, started = 0;
	pthread_t *threads;

	runner.slots = cb_arena_alloc(arena, (runner.n_slots + 1) * sizeof(*runner.slots));
	for (size_t i = 0; i < runner.n_slots; i++)
		runner.slots[i] =
			(struct slot){.transaction = &planned->plan.transactions.items[i]};
	link_slots(arena, &runner);
	n = count_workers(&runner);
	threads = cb_arena_alloc(arena, (n + 1) * sizeof(*threads));
	while (started + 1 < n && pthread_create(&threads[started], NULL, worker, &runner) == 0)
		started++;
	if (n > 1) {
		context.event = session->config.event ? tell : NULL;
		context.event_ctx = &runner;
		if (context.progress.report) {
			context.progress.report = progress;
			context.progress.ctx = &runner;
		}
	}
	work(&runner, &context);
	session->driver = context.driver;
	for (unsigned i = 0; i < started; i++)
		(void)pthread_join(threads[i], NULL);
	for (size_t i = 0; i < runner.n_slots; i++)
		cb_vec_push(arena, results, runner.slots[i].result);
}
