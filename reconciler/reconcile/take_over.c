/* Other installations, as far as the stamps on a host tell of them: listed, and taken over. Whether
 * one still exists somewhere cannot be seen from here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "reconciler/reconcile/session_internal.h"

/* A stamp that was issued for another domain says nothing of this one. */
static bool is_stranger(const struct cb_session *session, const struct cb_domain *domain)
{
	return domain->stamp && strcmp(domain->stamp->uuid, domain->uuid) == 0 &&
	       strcmp(domain->stamp->controller, session->controller) != 0;
}

/* Ids carry their time. */
static bool began_at(const char *transaction, int64_t *out)
{
	struct tm tm = {0};
	char z = '\0';

	if (sscanf(transaction, "%4d%2d%2dT%2d%2d%2d%c", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &z) != 7 ||
	    z != 'Z')
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	*out = timegm(&tm);
	return true;
}

/* Whether nobody has ever written to it: of what clonebox makes empty, no more is allocated than
 * its format takes. A file system that allocates in large pieces makes a new disk look used. */
static bool is_blank(const struct cb_volume *volume)
{
	/* Header, table of counts, its first block, table of clusters; that has 8 bytes for each
	 * 512 MiB. The first cluster that a guest writes takes 128 KiB more. */
	const uint64_t format = strcmp(volume->format, "qcow2") == 0
					? (256u << 10) + volume->capacity / (64u << 20)
					: 0;

	return volume->allocation <= format;
}

/* A pool or volume that is not as it should be is no sign of a new one. */
static int look_at(struct cb_session *session, const struct cb_stamp_volume *listed, bool *blank,
		   struct cb_error *err)
{
	const struct cb_driver_ops *ops = session->driver->ops;
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_volume volume;
	int r = ops->pool_refresh(session->driver, listed->pool, err);

	if (r == 0)
		r = ops->volume(session->driver, &arena, listed->pool, listed->name, &volume, err);
	*blank = r == 0 && is_blank(&volume);
	if (r == -CB_E_NOT_FOUND || r == -CB_E_FAILED || r == -CB_E_BUSY) {
		cb_error_release(err);
		return 0;
	}
	return r;
}

/* As it was first defined: not changed since, not running, and all its disks are blank, also those
 * that would stay. Without a disk there is no knowing. Whether it was to be started at all stands
 * in no stamp. */
static int is_never_used(struct cb_session *session, const struct cb_domain *domain, bool *out,
			 struct cb_error *err)
{
	const struct cb_stamp *stamp = domain->stamp;
	bool blank = domain->persistent && !domain->active && stamp->generation == 1 &&
		     !cb_stamp_is_trash(stamp) && strcmp(domain->name, stamp->name) == 0 &&
		     !domain->managed_save && !domain->snapshots && !domain->checkpoints;
	size_t disks = 0;
	int r = 0;

	cb_vec_each (const struct cb_stamp_volume, volume, &stamp->volumes) {
		if (r < 0 || !blank)
			break;
		if (strcmp(volume->role, "root") != 0 &&
		    strncmp(volume->role, CB_ROLE_DISK, strlen(CB_ROLE_DISK)) != 0)
			continue;
		disks++;
		r = look_at(session, volume, &blank, err);
	}
	*out = blank && disks > 0;
	return r;
}

/* Listing. ------------------------------------------------------------------------------------ */

static int state_of(struct cb_session *session, const struct cb_domain *domain, const char **out,
		    struct cb_error *err)
{
	bool never_used = false;
	int r = 0;

	if (cb_diff_between_names(domain))
		*out = "between-names";
	else if (cb_stamp_is_trash(domain->stamp))
		*out = "trash";
	else if (domain->active)
		*out = "running";
	else if ((r = is_never_used(session, domain, &never_used, err)) == 0)
		*out = never_used ? "never-used" : "stopped";
	return r;
}

static struct cb_installation *installation_of(struct cb_arena *arena, struct cb_elsewhere *out,
					       const char *controller)
{
	cb_vec_each (struct cb_installation, known, &out->installations) {
		if (strcmp(known->controller, controller) == 0)
			return known;
	}
	cb_vec_push(arena, &out->installations,
		    ((struct cb_installation){.controller = controller}));
	return &out->installations.items[out->installations.len - 1];
}

static int by_controller(const void *a, const void *b)
{
	const struct cb_installation *left = a, *right = b;

	return strcmp(left->controller, right->controller);
}

static int add_stranger(struct cb_session *session, struct cb_arena *arena,
			const struct cb_domain *domain, struct cb_elsewhere *out,
			struct cb_error *err)
{
	struct cb_stranger stranger = {.domain = domain, .since = ""};
	char since[CB_TIME_SIZE];
	int64_t then;
	int r = state_of(session, domain, &stranger.state, err);

	if (r < 0)
		return r;
	if (began_at(domain->stamp->transaction, &then)) {
		cb_clock_format(then, since);
		stranger.since = cb_arena_strdup(arena, since);
		stranger.age = session->config.now() - then;
	}
	cb_vec_push(arena, &installation_of(arena, out, domain->stamp->controller)->vms, stranger);
	return 0;
}

int cb_session_elsewhere(struct cb_session *session, struct cb_arena *arena,
			 struct cb_elsewhere *out, struct cb_error *err)
{
	struct cb_domains *domains = cb_arena_new(arena, struct cb_domains);
	int r = session->driver->ops->domains(session->driver, arena, domains, err);

	*out = (struct cb_elsewhere){0};
	cb_vec_each (const struct cb_domain, domain, domains) {
		if (r == 0 && is_stranger(session, domain))
			r = add_stranger(session, arena, domain, out, err);
	}
	if (out->installations.len > 0)
		qsort(out->installations.items, out->installations.len,
		      sizeof(*out->installations.items), by_controller);
	if (r == 0)
		r = cb_session_unclaimed(session, arena, domains, out, err);
	return cb_session_unanswered(session->driver, r, err);
}

/* Taking over. -------------------------------------------------------------------------------- */

/* The whole id of the one installation that is meant; NULL where it has nothing here. */
static int find_installation(const struct cb_session *session, const char *text,
			     const struct cb_domains *domains, const char **out,
			     struct cb_error *err)
{
	enum { LEAST = 4 };

	const char *other = NULL;
	size_t len = strlen(text);

	*out = NULL;
	if (len < LEAST) {
		(void)cb_error_set(err, CB_E_USAGE, "'%s' is too little of an installation's id",
				   text);
		return cb_error_hint(err, "give at least %d characters of it", LEAST);
	}
	cb_vec_each (const struct cb_domain, domain, domains) {
		if (!is_stranger(session, domain) ||
		    strncmp(domain->stamp->controller, text, len) != 0)
			continue;
		if (*out && strcmp(*out, domain->stamp->controller) != 0)
			other = *out;
		*out = domain->stamp->controller;
	}
	if (other) {
		(void)cb_error_set(err, CB_E_USAGE,
				   "'%s' may be installation %s or installation %s", text, other,
				   *out);
		return cb_error_hint(err, "give more of the id");
	}
	if (*out)
		return 0;
	if (strncmp(session->controller, text, len) == 0 && !session->controller_is_new) {
		(void)cb_error_set(err, CB_E_USAGE, "'%s' is this installation itself", text);
		return cb_error_hint(err, "`clonebox recover --list` shows the others");
	}
	if (len == CB_UUID_SIZE - 1)
		return 0;
	(void)cb_error_set(err, CB_E_USAGE, "nothing on %s bears the stamp of an installation '%s'",
			   session->host.uri, text);
	return cb_error_hint(err, "`clonebox recover --list` shows those that there are");
}

int cb_session_compare_strangers(struct cb_session *session, const struct cb_request *request,
				 struct cb_arena *arena, struct cb_observed *observed,
				 struct cb_changes *changes, struct cb_error *err)
{
	const char *id;
	int r = find_installation(session, request->take_from, &observed->domains, &id, err);

	cb_vec_each (struct cb_domain, domain, &observed->domains) {
		struct cb_change change;
		bool never_used = false;

		if (r < 0 || !id)
			break;
		if (!is_stranger(session, domain) || strcmp(domain->stamp->controller, id) != 0)
			continue;
		/* Each under its own owner. */
		cb_observe_one(arena, domain->stamp->owner, &observed->networks, domain);
		if (request->discard)
			r = is_never_used(session, domain, &never_used, err);
		cb_diff_hand_over(arena, domain, &observed->domains, never_used, &change);
		cb_vec_push(arena, changes, change);
	}
	return r;
}

int cb_session_note_strangers(struct cb_session *session, const struct cb_request *request,
			      struct cb_arena *arena, struct cb_planned *out, struct cb_error *err)
{
	struct cb_problem problem = {.severity = CB_WARNING, .check = "installation.other"};
	int r = 0;

	if (out->changes.len == 0)
		return 0;
	problem.target = "";
	problem.message = cb_arena_printf(
		arena,
		"installation %s made this; should it still be at work somewhere, it and this one "
		"will change the same vms and not see each other's locks and journals",
		out->changes.items[0].domain->stamp->controller);
	problem.fix = "make sure that nothing runs with its state directory any more, and never "
		      "will";
	cb_vec_push(arena, &out->plan.problems, problem);
	problem.check = "vm.never-used";
	problem.message = "no guest has ever written to its disks: the run that made it may not "
			  "have come to its end";
	problem.fix = "start it, or say --allow-destroy to have it removed instead";
	cb_vec_each (const struct cb_change, change, &out->changes) {
		bool never_used = false;

		if (r == 0 && !request->discard)
			r = is_never_used(session, change->domain, &never_used, err);
		problem.target = change->name;
		if (r == 0 && never_used)
			cb_vec_push(arena, &out->plan.problems, problem);
	}
	return r;
}
