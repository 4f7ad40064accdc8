/* Volumes that look like clonebox's and that nobody speaks for: a run whose journal is lost made
 * them, or a person with a sense for names. They are shown; a name is no ground to delete. */
#include <stdlib.h>
#include <string.h>

#include "reconciler/journal/journal.h"
#include "reconciler/reconcile/session_internal.h"

static bool is_hex(const char *text, size_t len)
{
	return strspn(text, "0123456789abcdef") >= len;
}

/* The eight hex digits of the transaction in "...-xxxxxxxx.FORMAT"; NULL: not one of our names, or
 * a data disk ("...-TAG-xxxxxxxx.FORMAT"), which stays when its VM goes. */
static const char *suffix_of(const char *name)
{
	enum { TAIL = 9 };

	static const char *const formats[] = {".qcow2", ".raw", ".iso"};
	const char *dot = strrchr(name, '.');
	bool known = false;

	for (size_t i = 0; dot && i < CB_COUNT(formats); i++)
		known = known || strcmp(dot, formats[i]) == 0;
	if (!known || dot - name <= TAIL || dot[-TAIL] != '-' || !is_hex(dot - TAIL + 1, TAIL - 1))
		return NULL;
	if (dot - name > 2 * TAIL && dot[-2 * TAIL] == '-' &&
	    is_hex(dot - 2 * TAIL + 1, TAIL - 1) && dot[-TAIL] == '-')
		return NULL;
	return dot - TAIL + 1;
}

/* A transaction that our journal knows: what it left is settled by that. */
static bool is_ours(const struct cb_journal_ids *ids, const char *suffix)
{
	cb_vec_each (const char *const, id, ids) {
		const char *dash = strrchr(*id, '-');

		if (dash && strncmp(dash + 1, suffix, 8) == 0)
			return true;
	}
	return false;
}

static bool is_referred_to(const struct cb_domains *domains, const char *path)
{
	cb_vec_each (const struct cb_domain, domain, domains) {
		cb_vec_each (const char *const, file, &domain->files) {
			if (strcmp(*file, path) == 0)
				return true;
		}
		if (!domain->stamp)
			continue;
		cb_vec_each (const struct cb_stamp_volume, volume, &domain->stamp->volumes) {
			if (strcmp(volume->path, path) == 0)
				return true;
		}
	}
	return false;
}

/* An overlay on it speaks for it. Asked only where there is something to ask about. */
static int drop_backings(struct cb_session *session, struct cb_arena *arena, const char *pool,
			 const struct cb_volumes *all, struct cb_volumes *found,
			 struct cb_error *err)
{
	cb_vec_each (const struct cb_volume, one, all) {
		struct cb_volume volume;
		size_t kept = 0;
		int r;

		if (found->len == 0)
			return 0;
		r = session->driver->ops->volume(session->driver, arena, pool, one->name, &volume,
						 err);
		if (r == -CB_E_NOT_FOUND) {
			cb_error_release(err);
			continue;
		}
		if (r < 0)
			return r;
		for (size_t i = 0; i < found->len; i++) {
			if (strcmp(found->items[i].name, volume.name) == 0)
				found->items[i].allocation = volume.allocation;
			if (!volume.backing || strcmp(volume.backing, found->items[i].path) != 0)
				found->items[kept++] = found->items[i];
		}
		found->len = kept;
	}
	return 0;
}

/* Of a pool that is not active, or that is being written to, it is only said that nobody looked;
 * one that is not there has nothing. */
static int look_into(struct cb_session *session, struct cb_arena *arena, const char *pool,
		     const struct cb_domains *domains, const struct cb_journal_ids *ids,
		     struct cb_elsewhere *out, struct cb_error *err)
{
	struct cb_volumes all = {0}, found = {0};
	int r = session->driver->ops->pool_refresh(session->driver, pool, err);

	if (r == 0)
		r = session->driver->ops->volumes(session->driver, arena, pool, &all, err);
	cb_vec_each (const struct cb_volume, volume, &all) {
		const char *suffix = suffix_of(volume->name);

		if (suffix && !is_ours(ids, suffix) && !is_referred_to(domains, volume->path))
			cb_vec_push(arena, &found, *volume);
	}
	if (r == 0)
		r = drop_backings(session, arena, pool, &all, &found, err);
	if (r == -CB_E_FAILED || r == -CB_E_BUSY)
		cb_vec_push(arena, &out->unseen,
			    ((struct cb_unseen){pool, cb_arena_strdup(arena, err->message)}));
	if (r == -CB_E_NOT_FOUND || r == -CB_E_FAILED || r == -CB_E_BUSY) {
		cb_error_release(err);
		return 0;
	}
	cb_vec_each (const struct cb_volume, volume, &found)
		cb_vec_push(arena, &out->unclaimed,
			    ((struct cb_unclaimed){pool, volume->name, volume->path,
						   volume->allocation}));
	return r;
}

struct names {
	const char **items;
	size_t len, cap;
};

static void add_name(struct cb_arena *arena, struct names *names, const char *name)
{
	cb_vec_each (const char *const, known, names) {
		if (strcmp(*known, name) == 0)
			return;
	}
	cb_vec_push(arena, names, name);
}

int cb_session_unclaimed(struct cb_session *session, struct cb_arena *arena,
			 const struct cb_domains *domains, struct cb_elsewhere *out,
			 struct cb_error *err)
{
	const char *state_dir = session->config.state_dir;
	struct cb_journal_ids ids = {0};
	struct names pools = {0};
	int r = cb_journal_list(state_dir, CB_JOURNALS_OPEN, arena, &ids, err);

	if (r == 0)
		r = cb_journal_list(state_dir, CB_JOURNALS_CLOSED, arena, &ids, err);
	/* Those that are known: libvirt's own, and where stamps say that something is. */
	add_name(arena, &pools, "default");
	cb_vec_each (const struct cb_domain, domain, domains) {
		if (!domain->stamp)
			continue;
		cb_vec_each (const struct cb_stamp_volume, volume, &domain->stamp->volumes)
			add_name(arena, &pools, volume->pool);
	}
	cb_vec_each (const char *const, pool, &pools) {
		if (r == 0)
			r = look_into(session, arena, *pool, domains, &ids, out, err);
	}
	return r;
}
