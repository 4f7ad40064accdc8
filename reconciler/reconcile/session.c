#include "reconciler/reconcile/session.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reconciler/base/clock.h"
#include "reconciler/base/fs.h"
#include "reconciler/policy/rules.h"
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
	session->barrier.sync = config->sync;
	cb_references_init(&session->references);
	/* Workers make JSON objects at the same time; the seed of their hashes is made once. */
	json_object_seed(0);
	if (!session->config.random)
		session->config.random = cb_random_bytes;
	if (!session->config.now)
		session->config.now = cb_clock_now;
	r = think_of_controller(session, err);
	if (r == 0)
		r = cb_session_connect(config, &session->driver, err);
	if (r == 0) {
		r = session->driver->ops->host(session->driver, &session->arena, &session->host,
					       err);
		r = cb_session_unanswered(session->driver, r, err);
	}
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
	cb_references_release(&session->references);
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

int cb_session_addresses(struct cb_session *session, struct cb_arena *arena, const char *uuid,
			 struct cb_addresses *out, struct cb_error *err)
{
	int r = cb_session_reconnect(&session->config, &session->driver, err);

	return r < 0 ? r
		     : session->driver->ops->domain_addresses(session->driver, arena, uuid, out,
							      err);
}

int cb_session_pool(struct cb_session *session, struct cb_arena *arena, const char *name,
		    struct cb_pool *out, struct cb_error *err)
{
	return session->driver->ops->pool(session->driver, arena, name, out, err);
}

int cb_session_console(struct cb_session *session, const char *uuid, const struct cb_console_io *io,
		       struct cb_error *err)
{
	struct cb_console_io own = *io;

	own.interrupted = session->config.progress.interrupted;
	return session->driver->ops->domain_console(session->driver, uuid, &own, err);
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
					     .target = item->name,
					     .kind = cb_target_name(item->target)};

		if (!item->here)
			continue;
		problem.message =
			item->holder ? cb_arena_printf(arena, "transaction %s is running: %s",
						       item->id, item->holder)
				     : cb_arena_printf(arena,
						       "transaction %s was not finished (%u of %u "
						       "steps done)",
						       item->id, item->done, item->steps);
		problem.fix = item->holder
				      ? "wait for it"
				      : "the next `clonebox apply` settles it before anything else";
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
	r = cb_session_unanswered(session->driver, r, err);
	if (r < 0)
		return r;
	cb_session_look_at_paths(session, arena, &out->changes, &out->plan.problems);
	if (!request->destroy && request->trash == CB_TRASH_NONE && !request->take_from)
		cb_rules_check(arena, request->desired, &out->changes, &out->plan.problems);
	if (request->take_from &&
	    (r = cb_session_note_strangers(session, request, arena, out, err)) < 0)
		return cb_session_unanswered(session->driver, r, err);
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
	cb_session_check_seeds(arena, out);
	return note_unfinished(session, arena, out, err);
}

static int reopen(void *ctx, struct cb_driver **out, struct cb_error *err)
{
	struct cb_session *session = ctx;

	return cb_session_connect(&session->config, out, err);
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
		.chunk_least = session->config.chunk_least,
		.seed = session->planned ? cb_session_seed : NULL,
		.seed_ctx = session,
		.barrier = session->host.local ? barrier : NULL,
		.barrier_ctx = session,
		.consent = cb_session_consents,
		.consent_ctx = session,
		.references = &session->references,
		.state_dir = session->config.state_dir,
		.progress = session->config.progress,
		.event = session->config.event,
		.event_ctx = session->config.event_ctx,
	};
}
