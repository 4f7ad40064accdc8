/* What is asked for against what is: which changes a request comes to. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reconciler/base/clock.h"
#include "reconciler/reconcile/session_internal.h"

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

/* Whether the name is the tombstone's, or what its VM was called. */
static bool is_tombstone_of(const char *tombstone, const char *name)
{
	const size_t tail = strlen(CB_TRASH_MARK) + 8, len = strlen(tombstone);

	if (len <= tail ||
	    strncmp(tombstone + len - tail, CB_TRASH_MARK, strlen(CB_TRASH_MARK)) != 0)
		return false;
	return strcmp(tombstone, name) == 0 ||
	       (strlen(name) == len - tail && strncmp(tombstone, name, len - tail) == 0);
}

static bool is_about(const struct cb_request *request, enum cb_target target, enum cb_action action,
		     const char *is, const char *name)
{
	bool gone = action == CB_ACTION_DELETE;

	if (target != CB_TARGET_VM)
		return false;
	if (request->trash == CB_TRASH_NONE)
		return gone && strcmp(is, name) == 0;
	return gone == (request->trash == CB_TRASH_PURGE) && is_tombstone_of(is, name);
}

/* Whether the very thing that is asked for was begun by a run that died, and has been finished by
 * this one before it looked. */
static bool is_done_already(const struct cb_request *request, const char *name)
{
	const struct cb_results none = {0};
	const struct cb_results *settled = request->settled ? request->settled : &none;

	cb_vec_each (const struct cb_result, result, settled) {
		if (result->outcome != CB_OUTCOME_COMMITTED)
			continue;
		if (is_about(request, result->target, result->action, result->name, name))
			return true;
		for (size_t i = 0; i < result->n_members; i++) {
			const struct cb_member *member = &result->members[i];

			if (is_about(request, member->target, member->action, member->name, name))
				return true;
		}
	}
	return false;
}

/* Every name that was asked for must be known: a typo must not be a success. */
static int check_names(const struct cb_request *request, const struct cb_domains *domains,
		       struct cb_error *err)
{
	for (size_t i = 0; i < request->n_names; i++) {
		const char *name = request->names[i];
		const struct cb_domain *domain = cb_diff_match(domains, name);

		if (request->trash != CB_TRASH_NONE) {
			if (check_trash(domains, name, err) == 0)
				continue;
			if (!is_done_already(request, name))
				return -(int)err->code;
			cb_error_release(err);
			continue;
		}
		if (find_vm(request->desired, name) || (request->destroy && domain))
			continue;
		if (request->destroy && is_done_already(request, name))
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

/* Directories that this installation has applied manifests from, and that are gone. Of another's
 * nobody here knows what machine they are on. */
static void find_gone(const struct cb_session *session, struct cb_arena *arena,
		      const struct cb_domains *domains, struct cb_diff_context *context)
{
	const size_t prefix = strlen("file:");

	cb_vec_each (const struct cb_domain, domain, domains) {
		const char *source = domain->ownership == CB_OURS ? domain->stamp->source : "";

		if (strncmp(source, "file:/", prefix + 1) != 0 ||
		    strcmp(domain->stamp->controller, session->controller) != 0 ||
		    access(source + prefix, F_OK) == 0 || errno != ENOENT)
			continue;
		cb_vec_push(arena, &context->gone, source);
	}
}

static void compare_vms(const struct cb_session *session, const struct cb_request *request,
			struct cb_arena *arena, const struct cb_observed *observed,
			struct cb_changes *changes)
{
	struct cb_diff_context context = {
		.controller = session->controller,
		.take_over = request->take_over,
		.restart = (request->flags & CB_PLAN_RESTART) != 0,
		.recreate = (request->flags & CB_PLAN_RECREATE) != 0,
		.kvm = observed->host.kvm,
		.virtiofs = observed->host.virtiofs,
		.default_network = observed->default_network,
	};
	struct cb_change change;

	find_gone(session, arena, &observed->domains, &context);
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
	int r = cb_session_reconnect(&session->config, &session->driver, err);

	if (r == 0) {
		r = cb_observe(session->driver, arena, request->desired, observed, err);
		r = cb_session_unanswered(session->driver, r, err);
	}
	if (r < 0 || (r = check_names(request, &observed->domains, err)) < 0)
		return r;
	if (request->trash != CB_TRASH_NONE) {
		compare_trash(session, request, arena, &observed->domains, changes);
		return 0;
	}
	if (request->take_from) {
		r = cb_session_compare_strangers(session, request, arena, observed, changes, err);
		return cb_session_unanswered(session->driver, r, err);
	}
	r = compare_declared(session, request, arena, observed, changes, err);
	if ((r = cb_session_unanswered(session->driver, r, err)) < 0)
		return r;
	compare_vms(session, request, arena, observed, &vms);
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
