#include "reconciler/reconcile/session.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reconciler/base/clock.h"
#include "reconciler/base/fs.h"
#include "reconciler/reconcile/session_internal.h"

static int think_of_controller(struct cb_session *session, struct cb_error *err);

int cb_session_open(const struct cb_session_config *config, struct cb_session **out,
		    struct cb_error *err)
{
	struct cb_session *session = calloc(1, sizeof(*session));
	int r;

	if (!session)
		cb_oom();
	session->config = *config;
	session->barrier = (struct cb_barrier)CB_BARRIER_INIT;
	/* Workers make JSON objects at the same time; the seed of their hashes is made once. */
	json_object_seed(0);
	if (!session->config.random)
		session->config.random = cb_random_bytes;
	if (!session->config.now)
		session->config.now = cb_clock_now;
	r = think_of_controller(session, err);
	if (r == 0)
		r = config->open(config->uri, &session->driver, err);
	if (r == 0)
		r = session->driver->ops->host(session->driver, &session->arena, &session->host,
					       err);
	if (r < 0) {
		cb_session_close(session);
		return r;
	}
	*out = session;
	return 0;
}

void cb_session_close(struct cb_session *session)
{
	if (!session)
		return;
	cb_driver_close(session->driver);
	cb_arena_release(&session->arena);
	free(session);
}

static const char *controller_path(struct cb_session *session)
{
	return cb_arena_printf(&session->arena, "%s/controller-id", session->config.state_dir);
}

/* The id that stands in the state directory; CB_E_NOT_FOUND before there is one. */
static int read_controller(struct cb_session *session, struct cb_error *err)
{
	const char *path = controller_path(session);
	cb_auto_str struct cb_str text = {0};
	int r = cb_fs_read(path, CB_UUID_SIZE, &text, err);

	if (r < 0)
		return r;
	if (text.len != CB_UUID_SIZE - 1) {
		(void)cb_error_set(err, CB_E_IO, "'%s' does not hold an id", path);
		return cb_error_hint(err, "remove it: a new one is made, and the vms stay managed");
	}
	memcpy(session->controller, text.text, CB_UUID_SIZE);
	return 0;
}

/* Looking writes nothing: an id that is not there yet is thought of now and written when something
 * is about to be done. */
static int think_of_controller(struct cb_session *session, struct cb_error *err)
{
	unsigned char random[16];
	int r = read_controller(session, err);

	if (r < 0 && r != -CB_E_NOT_FOUND) {
		(void)cb_error_wrap(err, "the state directory cannot be used");
		return cb_error_hint(err, "mend it, or name another one with --state-dir");
	}
	if (r == 0)
		return 0;
	cb_error_release(err);
	session->config.random(random, sizeof(random));
	cb_uuid_format(random, session->controller);
	session->controller_is_new = true;
	return 0;
}

/* Under a lock: of two first runs, the second takes the id of the first. */
static int write_controller(struct cb_session *session, struct cb_error *err)
{
	cb_auto_lock struct cb_lock lock = {-1};
	int r = cb_lock_take(session->config.state_dir, "controller", CB_LOCK_EXCLUSIVE, 10000,
			     "first use", &lock, err);

	if (r < 0)
		return r;
	r = read_controller(session, err);
	if (r != -CB_E_NOT_FOUND)
		return r;
	cb_error_release(err);
	return cb_fs_write_atomic(controller_path(session), session->controller,
				  strlen(session->controller), err);
}

int cb_session_controller(struct cb_session *session, struct cb_error *err)
{
	int r;

	if (!session->controller_is_new)
		return 0;
	if ((r = write_controller(session, err)) < 0) {
		(void)cb_error_wrap(err, "the state directory cannot be used");
		return cb_error_hint(err, "mend it, or name another one with --state-dir");
	}
	session->controller_is_new = false;
	return 0;
}

static bool selected(const struct cb_request *request, const char *name)
{
	for (size_t i = 0; i < request->n_names; i++) {
		if (strcmp(request->names[i], name) == 0)
			return true;
	}
	return request->n_names == 0;
}

static const struct cb_vm *find_vm(const struct cb_desired *desired, const char *name)
{
	cb_vec_each (const struct cb_vm, vm, &desired->vms) {
		if (strcmp(vm->name, name) == 0)
			return vm;
	}
	return NULL;
}

/* The name of one tombstone, or of the one VM that was called so. */
static int check_trash(const struct cb_domains *domains, const char *name, struct cb_error *err)
{
	const char *one = NULL, *other = NULL;

	cb_vec_each (const struct cb_domain, domain, domains) {
		if (domain->ownership != CB_OURS || !cb_stamp_is_trash(domain->stamp))
			continue;
		if (strcmp(domain->name, name) == 0)
			return 0;
		if (strcmp(cb_spec_string(&domain->stamp->applied, CB_TRASH_WAS), name) != 0)
			continue;
		other = one;
		one = domain->name;
	}
	if (!one)
		(void)cb_error_set(err, CB_E_USAGE, "there is no vm '%s' in the trash", name);
	else if (other)
		(void)cb_error_set(err, CB_E_USAGE, "the trash has several that were called '%s'",
				   name);
	else
		return 0;
	return cb_error_hint(err, one ? "name one as it is called now: `clonebox trash list`"
				      : "`clonebox trash list` lists them");
}

/* Every name that was asked for must be known: a typo must not be a success. */
static int check_names(const struct cb_request *request, const struct cb_domains *domains,
		       struct cb_error *err)
{
	for (size_t i = 0; i < request->n_names; i++) {
		const char *name = request->names[i];
		const struct cb_domain *domain = cb_diff_match(domains, name);

		if (request->trash != CB_TRASH_NONE) {
			if (check_trash(domains, name, err) < 0)
				return -(int)err->code;
			continue;
		}
		if (find_vm(request->desired, name) || (request->destroy && domain))
			continue;
		if (request->destroy) {
			(void)cb_error_set(err, CB_E_USAGE,
					   "there is no vm '%s' in the manifest or on the host",
					   name);
			return cb_error_hint(err, "`clonebox status` lists the vms");
		}
		(void)cb_error_set(err, CB_E_USAGE, "there is no vm '%s' in the manifest", name);
		return cb_error_hint(err, "check the name, or the file given with -f");
	}
	return 0;
}

static bool named_before(const struct cb_request *request, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (strcmp(request->names[i], request->names[index]) == 0)
			return true;
	}
	return false;
}

/* Networks and pools of the manifests. */
static int compare_declared(struct cb_session *session, const struct cb_request *request,
			    struct cb_arena *arena, const struct cb_observed *observed,
			    struct cb_changes *changes, struct cb_error *err)
{
	const struct cb_desired *desired = request->desired;

	cb_vec_each (const struct cb_declared, declared, &desired->pools) {
		struct cb_pool *pool = cb_arena_new(arena, struct cb_pool);
		struct cb_change change;
		int r;

		/* A pool stays when VMs go: what was retained is in it. */
		if (request->destroy)
			continue;
		r = session->driver->ops->pool(session->driver, arena, declared->name, pool, err);
		if (r < 0 && r != -CB_E_NOT_FOUND)
			return cb_error_wrap(err, "cannot look at pool '%s'", declared->name);
		cb_error_release(err);
		cb_diff_pool(arena, declared, r == 0 ? pool : NULL, &change);
		cb_vec_push(arena, changes, change);
	}
	cb_vec_each (const struct cb_declared, declared, &desired->networks) {
		struct cb_change change;

		if (request->destroy)
			continue;
		cb_diff_network(arena, declared, desired->owner, &observed->networks, &change);
		cb_vec_push(arena, changes, change);
	}
	return 0;
}

static void compare_vms(const struct cb_request *request, struct cb_arena *arena,
			const struct cb_observed *observed, struct cb_changes *changes)
{
	const struct cb_diff_context context = {
		.take_over = request->take_over,
		.restart = (request->flags & CB_PLAN_RESTART) != 0,
		.recreate = (request->flags & CB_PLAN_RECREATE) != 0,
		.kvm = observed->host.kvm,
		.default_network = observed->default_network,
	};
	struct cb_change change;

	if (request->destroy && request->n_names) {
		for (size_t i = 0; i < request->n_names; i++) {
			const char *name = request->names[i];

			if (named_before(request, i))
				continue;
			cb_diff_absent(arena, name, find_vm(request->desired, name),
				       &observed->domains, &context, &change);
			cb_vec_push(arena, changes, change);
		}
		return;
	}
	cb_vec_each (const struct cb_vm, vm, &request->desired->vms) {
		if (!selected(request, vm->name))
			continue;
		if (request->destroy)
			cb_diff_absent(arena, vm->name, vm, &observed->domains, &context, &change);
		else
			cb_diff_vm(arena, vm, &observed->domains, &context, &change);
		cb_vec_push(arena, changes, change);
	}
}

/* Whether one of the manifests that were read had made it. */
static bool made_here(const struct cb_desired *desired, const struct cb_domain *domain)
{
	cb_vec_each (const char *const, source, &desired->sources) {
		if (strcmp(*source, domain->stamp->source) == 0)
			return true;
	}
	return false;
}

/* What the manifests made and do not speak of any more. One that is protected stays, and that is
 * said; what another manifest of the same owner made is none of theirs. */
static void compare_orphans(const struct cb_request *request, struct cb_arena *arena,
			    const struct cb_observed *observed, struct cb_changes *changes)
{
	const struct cb_diff_context context = {.take_over = request->take_over};

	cb_vec_each (const struct cb_domain, domain, &observed->domains) {
		struct cb_change change;

		if (domain->ownership != CB_OURS || cb_stamp_is_trash(domain->stamp) ||
		    find_vm(request->desired, domain->stamp->name) ||
		    !(request->take_over || made_here(request->desired, domain)))
			continue;
		cb_diff_absent(arena, domain->stamp->name, NULL, &observed->domains, &context,
			       &change);
		if (change.decision == CB_CASE_PROTECTED)
			change.refusal = NULL;
		cb_vec_push(arena, changes, change);
	}
}

static bool is_due(const struct cb_session *session, const struct cb_domain *domain)
{
	const char *until = cb_spec_string(&domain->stamp->applied, CB_TRASH_UNTIL);
	char now[CB_TIME_SIZE];

	cb_clock_format(session->config.now(), now);
	return until && strcmp(until, now) <= 0;
}

static bool is_asked_for(const struct cb_request *request, const struct cb_domain *domain)
{
	const char *was = cb_spec_string(&domain->stamp->applied, CB_TRASH_WAS);

	for (size_t i = 0; i < request->n_names; i++) {
		if (strcmp(request->names[i], domain->name) == 0 ||
		    strcmp(request->names[i], was) == 0)
			return true;
	}
	return false;
}

/* What an apply removes from the trash because its time is over, or what was asked for by name. */
static void compare_trash(const struct cb_session *session, const struct cb_request *request,
			  struct cb_arena *arena, const struct cb_domains *domains,
			  struct cb_changes *changes)
{
	cb_vec_each (const struct cb_domain, domain, domains) {
		struct cb_change change;

		if (domain->ownership != CB_OURS || !cb_stamp_is_trash(domain->stamp))
			continue;
		if (request->trash == CB_TRASH_RESTORE && is_asked_for(request, domain))
			cb_diff_restore(arena, domain, domains, &change);
		else if (request->trash == CB_TRASH_PURGE && is_asked_for(request, domain))
			cb_diff_purge(domain, false, &change);
		else if (request->trash != CB_TRASH_RESTORE && request->n_names == 0 &&
			 is_due(session, domain))
			cb_diff_purge(domain, true, &change);
		else
			continue;
		cb_vec_push(arena, changes, change);
	}
}

static int by_name(const void *a, const void *b)
{
	const struct cb_change *left = a, *right = b;

	return strcmp(left->name, right->name);
}

int cb_session_compare(struct cb_session *session, const struct cb_request *request,
		       struct cb_arena *arena, struct cb_observed *observed,
		       struct cb_changes *changes, struct cb_error *err)
{
	struct cb_changes vms = {0};
	int r = cb_observe(session->driver, arena, request->desired, observed, err);

	if (r < 0 || (r = check_names(request, &observed->domains, err)) < 0)
		return r;
	if (request->trash != CB_TRASH_NONE) {
		compare_trash(session, request, arena, &observed->domains, changes);
		return 0;
	}
	if ((r = compare_declared(session, request, arena, observed, changes, err)) < 0)
		return r;
	compare_vms(request, arena, observed, &vms);
	if (request->prune)
		compare_orphans(request, arena, observed, &vms);
	if (!request->destroy)
		compare_trash(session, request, arena, &observed->domains, &vms);
	if (vms.len > 0)
		qsort(vms.items, vms.len, sizeof(*vms.items), by_name);
	/* All VMs go: so do the networks that were made for them. */
	cb_vec_each (const struct cb_declared, declared, &request->desired->networks) {
		struct cb_change change;

		if (!request->destroy || request->n_names)
			continue;
		cb_diff_network_absent(arena, declared, request->desired->owner,
				       &observed->networks, &observed->domains, &vms, &change);
		cb_vec_push(arena, changes, change);
	}
	cb_vec_each (const struct cb_change, vm, &vms)
		cb_vec_push(arena, changes, *vm);
	return 0;
}

int cb_session_addresses(struct cb_session *session, struct cb_arena *arena, const char *uuid,
			 struct cb_addresses *out, struct cb_error *err)
{
	return session->driver->ops->domain_addresses(session->driver, arena, uuid, out, err);
}

int cb_session_pool(struct cb_session *session, struct cb_arena *arena, const char *name,
		    struct cb_pool *out, struct cb_error *err)
{
	return session->driver->ops->pool(session->driver, arena, name, out, err);
}

/* "20260131T125002Z-1a2b3c4d": sorts by time; the hex names the transaction's volumes. */
static const char *new_id(const struct cb_session *session, struct cb_arena *arena)
{
	char when[CB_TIME_SIZE];
	unsigned char random[4];
	char *id;
	size_t n = 0;

	cb_clock_format(session->config.now(), when);
	session->config.random(random, sizeof(random));
	id = cb_arena_printf(arena, "%s-%02x%02x%02x%02x", when, random[0], random[1], random[2],
			     random[3]);
	/* "2026-01-31T12:50:02Z" without its separators. */
	for (size_t i = 0; id[i]; i++) {
		if ((id[i] != '-' && id[i] != ':') || i > strlen(when) - 1)
			id[n++] = id[i];
	}
	id[n] = '\0';
	return id;
}

/* Case 27: a crashed run left something for one of these VMs. Apply settles it before it plans. */
static int note_unfinished(struct cb_session *session, struct cb_arena *arena,
			   struct cb_planned *out, struct cb_error *err)
{
	struct cb_unfinished_list list = {0};
	int r = cb_session_unfinished(session, session->config.state_dir, arena, &list, err);

	if (r < 0)
		return r;
	cb_vec_each (const struct cb_unfinished, item, &list) {
		struct cb_problem problem = {.severity = CB_WARNING,
					     .check = "transaction.unfinished",
					     .target = item->name};

		if (!item->here)
			continue;
		problem.message =
			item->holder ? cb_arena_printf(arena, "transaction %s is running: %s",
						       item->id, item->holder)
				     : cb_arena_printf(arena,
						       "transaction %s was not finished (%u of %u "
						       "steps done)",
						       item->id, item->done, item->steps);
		problem.fix = item->holder ? "wait for it"
					   : "`clonebox apply` settles it before anything else";
		cb_vec_push(arena, &out->plan.problems, problem);
	}
	return 0;
}

static const char *trash_until(const struct cb_session *session, const struct cb_request *request,
			       struct cb_arena *arena)
{
	enum { WEEK = 7 * 24 * 3600 };

	int64_t ttl = request->trash_ttl ? (int64_t)request->trash_ttl : WEEK;
	char text[CB_TIME_SIZE];

	cb_clock_format(session->config.now() + ttl, text);
	return cb_arena_strdup(arena, text);
}

int cb_session_plan(struct cb_session *session, const struct cb_request *request,
		    struct cb_arena *arena, struct cb_planned *out, struct cb_error *err)
{
	struct cb_images images = {0};
	struct cb_plan_pools pools = {0};
	struct cb_plan_ids *ids;
	int r;

	*out = (struct cb_planned){0};
	r = cb_session_compare(session, request, arena, &out->observed, &out->changes, err);
	if (r < 0)
		return r;
	r = cb_resolve(session, arena, request, &out->changes, &out->observed.domains, &images,
		       &pools, &out->plan.problems, err);
	if (r < 0)
		return r;
	ids = cb_arena_alloc(arena, (out->changes.len + 1) * sizeof(*ids));
	for (size_t i = 0; i < out->changes.len; i++) {
		char *uuid = cb_arena_alloc(arena, CB_UUID_SIZE);
		unsigned char random[16];

		session->config.random(random, sizeof(random));
		cb_uuid_format(random, uuid);
		ids[i] = (struct cb_plan_ids){new_id(session, arena), uuid};
	}
	cb_plan_compute(arena,
			&(struct cb_plan_input){
				.changes = &out->changes,
				.desired = request->desired,
				.networks = &out->observed.networks,
				.host = &out->observed.host,
				.domains = &out->observed.domains,
				.images = &images,
				.pools = &pools,
				.ids = ids,
				.owner = request->desired->owner,
				.controller = session->controller,
				.flags = request->flags,
				.trash_until = trash_until(session, request, arena),
				.shutdown_timeout = request->shutdown_timeout,
			},
			&out->plan);
	return note_unfinished(session, arena, out, err);
}

static int reopen(void *ctx, struct cb_driver **out, struct cb_error *err)
{
	struct cb_session *session = ctx;

	return session->config.open(session->config.uri, out, err);
}

/* libvirt syncs neither its directories nor what is uploaded; on our own kernel we can. */
static int barrier(void *ctx, struct cb_error *err)
{
	struct cb_session *session = ctx;

	(void)err;
	cb_barrier_sync(&session->barrier);
	return 0;
}

struct cb_apply_context cb_session_context(struct cb_session *session)
{
	return (struct cb_apply_context){
		.driver = session->driver,
		.reopen = reopen,
		.reopen_ctx = session,
		.reopen_timeout_ms = session->config.reopen_timeout_ms,
		.settle_ms = session->config.settle_ms,
		.seed = session->planned ? cb_session_seed : NULL,
		.seed_ctx = session,
		.barrier = session->host.local ? barrier : NULL,
		.barrier_ctx = session,
		.state_dir = session->config.state_dir,
		.progress = session->config.progress,
		.event = session->config.event,
		.event_ctx = session->config.event_ctx,
	};
}

static int by_text(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

static bool has_name(const struct cb_locks *locks, const char *name)
{
	cb_vec_each (const char *const, held, &locks->names) {
		if (strcmp(*held, name) == 0)
			return true;
	}
	return false;
}

const char *cb_locks_name(struct cb_arena *arena, enum cb_target target, const char *uri,
			  const char *name)
{
	return cb_arena_printf(arena, "%s '%s' of %s", cb_target_name(target), name, uri);
}

bool cb_locks_cover(const struct cb_locks *locks, const struct cb_transaction *transaction)
{
	cb_auto_arena struct cb_arena arena = {0};

	cb_vec_each (const char *const, lock, &transaction->locks) {
		if (!has_name(locks, *lock))
			return false;
	}
	return has_name(locks, cb_locks_name(&arena, transaction->target, transaction->uri,
					     transaction->name));
}

void cb_locks_add(struct cb_arena *arena, struct cb_locks *locks,
		  const struct cb_transaction *transaction)
{
	cb_vec_push(arena, &locks->names, cb_arena_printf(arena, "host '%s'", transaction->uri));
	cb_vec_push(arena, &locks->names,
		    cb_locks_name(arena, transaction->target, transaction->uri, transaction->name));
	cb_vec_each (const char *const, lock, &transaction->locks)
		cb_vec_push(arena, &locks->names, *lock);
}

/* In slices, so that an interrupt is noticed. */
static int take_patiently(struct cb_session *session, const char *name, enum cb_lock_mode mode,
			  unsigned timeout_ms, const char *purpose, struct cb_lock *lock,
			  struct cb_error *err)
{
	enum { SLICE_MS = 200 };

	const volatile sig_atomic_t *interrupted = session->config.progress.interrupted;
	uint64_t until = cb_clock_ms() + timeout_ms;

	for (;;) {
		uint64_t now = cb_clock_ms();
		uint64_t left = now < until ? until - now : 0;
		int r = cb_lock_take(session->config.state_dir, name, mode,
				     (unsigned)(left < SLICE_MS ? left : SLICE_MS), purpose, lock,
				     err);

		if (r != -CB_E_BUSY || left <= SLICE_MS)
			return r;
		if (interrupted && *interrupted)
			return cb_error_set(err, CB_E_INTERRUPTED,
					    "interrupted while waiting for a lock");
		cb_error_release(err);
	}
}

int cb_locks_take(struct cb_session *session, struct cb_arena *arena, struct cb_locks *locks,
		  unsigned timeout_ms, const char *purpose, struct cb_error *err)
{
	const char *last = "";

	if (locks->names.len)
		qsort(locks->names.items, locks->names.len, sizeof(*locks->names.items), by_text);
	cb_vec_each (const char *, name, &locks->names) {
		enum cb_lock_mode mode =
			strncmp(*name, "host ", 5) == 0 ? CB_LOCK_SHARED : CB_LOCK_EXCLUSIVE;
		struct cb_lock lock = {-1};
		int r;

		if (strcmp(*name, last) == 0)
			continue;
		last = *name;
		r = take_patiently(session, *name, mode, timeout_ms, purpose, &lock, err);
		if (r < 0)
			return r;
		cb_vec_push(arena, &locks->held, lock);
	}
	return 0;
}

void cb_locks_release(struct cb_locks *locks)
{
	cb_vec_each (struct cb_lock, lock, &locks->held)
		cb_lock_release(lock);
	locks->held.len = 0;
}
