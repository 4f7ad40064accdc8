/* The locks of a run: one order for everybody, taken with patience, held until the end. */
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/clock.h"
#include "reconciler/reconcile/session_internal.h"

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
	cb_vec_each (const struct cb_member, member, &transaction->members) {
		if (!has_name(locks, cb_locks_name(&arena, member->target, transaction->uri,
						   member->name)))
			return false;
	}
	return has_name(locks, cb_locks_name(&arena, transaction->target, transaction->uri,
					     transaction->name));
}

/* "image DIGEST of URI": what a person calls that image, as far as the transaction tells; NULL if
 * it does not. */
static const char *image_of(struct cb_arena *arena, const struct cb_transaction *transaction,
			    const char *lock)
{
	const char *digest = lock + strlen("image "), *name = NULL;

	if (strncmp(lock, "image ", strlen("image ")) != 0)
		return NULL;
	cb_vec_each (const struct cb_step, step, &transaction->steps) {
		const char *of = cb_spec_string(&step->args, "digest");
		const char *volume = cb_spec_string(&step->args, "volume");

		if (of && strncmp(digest, of, strlen(of)) == 0)
			return cb_spec_string(&step->args, "file");
		/* An image's volume has the beginning of its digest in its name. */
		if (volume && strstr(volume, cb_arena_printf(arena, "-%.12s-", digest)))
			name = volume;
		if (!step->stamp)
			continue;
		cb_vec_each (const struct cb_stamp_volume, listed, &step->stamp->volumes) {
			if (listed->digest && listed->digest[0] &&
			    strncmp(digest, listed->digest, strlen(listed->digest)) == 0)
				name = listed->name;
		}
	}
	return name;
}

void cb_locks_add(struct cb_arena *arena, struct cb_locks *locks,
		  const struct cb_transaction *transaction)
{
	cb_vec_push(arena, &locks->names, cb_arena_printf(arena, "host '%s'", transaction->uri));
	cb_vec_push(arena, &locks->names,
		    cb_locks_name(arena, transaction->target, transaction->uri, transaction->name));
	cb_vec_each (const struct cb_member, member, &transaction->members)
		cb_vec_push(arena, &locks->names,
			    cb_locks_name(arena, member->target, transaction->uri, member->name));
	cb_vec_each (const char *const, lock, &transaction->locks) {
		const char *image = image_of(arena, transaction, *lock);

		cb_vec_push(arena, &locks->names, *lock);
		if (image)
			cb_vec_push(arena, &locks->images, ((struct cb_lock_image){*lock, image}));
	}
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

/* A digest means nothing to a person who waits. */
static int name_image(const struct cb_locks *locks, const char *lock, int r, struct cb_error *err)
{
	cb_vec_each (const struct cb_lock_image, row, &locks->images) {
		cb_auto_error struct cb_error why = {0};
		const char *rest;

		if (r != -CB_E_BUSY || strcmp(row->lock, lock) != 0 ||
		    strncmp(err->message, lock, strlen(lock)) != 0)
			continue;
		(void)cb_error_move(&why, err);
		rest = strstr(lock, " of ");
		(void)cb_error_set(err, CB_E_BUSY, "image '%s'%s%s", row->image, rest ? rest : "",
				   why.message + strlen(lock));
		return cb_error_hint(err, "%s", why.hint ? why.hint : "wait until it has ended");
	}
	return r;
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
			return name_image(locks, *name, r, err);
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
