#include "reconciler/apply/references.h"

#include <string.h>
#include <sys/stat.h>

#include "reconciler/base/clock.h"

/* How long a table serves: the longer the more it cost. */
enum { MOMENT_MS = 1000, FACTOR = 4 };

struct cb_reference {
	const char *path;
	dev_t device;              /* of the file, where it is ours to see */
	ino_t inode;               /* 0: it is not */
	const char *uuid;          /* of the domain that refers to it, or NULL: */
	const char *volume, *pool; /* the overlay */
};

struct hits {
	struct cb_reference *items;
	size_t len, cap;
};

void cb_references_init(struct cb_references *references)
{
	*references = (struct cb_references){.mutex = PTHREAD_MUTEX_INITIALIZER};
}

static void forget(struct cb_references *references)
{
	cb_arena_release(&references->arena);
	references->until_ms = 0;
	references->pools.items = NULL;
	references->pools.len = references->pools.cap = 0;
	references->items.items = NULL;
	references->items.len = references->items.cap = 0;
}

void cb_references_release(struct cb_references *references)
{
	cb_arena_release(&references->arena);
	(void)pthread_mutex_destroy(&references->mutex);
}

static struct cb_reference identify(const struct cb_run *run, const char *path)
{
	struct cb_reference reference = {.path = path};
	struct stat st;

	/* The host's files are ours to see: whatever links lead to the file count as the file. */
	if (run->context->barrier && stat(path, &st) == 0) {
		reference.device = st.st_dev;
		reference.inode = st.st_ino;
	}
	return reference;
}

static bool same_file(const struct cb_reference *one, const struct cb_reference *other)
{
	return strcmp(one->path, other->path) == 0 ||
	       (one->inode && one->inode == other->inode && one->device == other->device);
}

static void add(struct cb_references *references, struct cb_reference reference)
{
	cb_vec_push(&references->arena, &references->items, reference);
}

/* A copied stamp lists what is another's. */
static bool has_own_stamp(const struct cb_domain *domain)
{
	return domain->stamp && strcmp(domain->stamp->uuid, domain->uuid) == 0;
}

static int read_domains(struct cb_references *references, struct cb_run *run, struct cb_error *err)
{
	struct cb_domains domains = {0};
	int r = run->driver->ops->domains(run->driver, &references->arena, &domains, err);

	if (r < 0)
		return r;
	cb_vec_each (const struct cb_domain, domain, &domains) {
		cb_vec_each (const char *const, file, &domain->files) {
			struct cb_reference reference = identify(run, *file);

			reference.uuid = domain->uuid;
			add(references, reference);
		}
		if (!has_own_stamp(domain))
			continue;
		cb_vec_each (const struct cb_stamp_volume, volume, &domain->stamp->volumes) {
			struct cb_reference reference = identify(run, volume->path);

			reference.uuid = domain->uuid;
			add(references, reference);
		}
	}
	return 0;
}

static int read_overlays(struct cb_references *references, struct cb_run *run, const char *pool,
			 struct cb_error *err)
{
	struct cb_arena *a = &references->arena;
	struct cb_volumes volumes = {0};
	int r = run->driver->ops->volumes(run->driver, a, pool, &volumes, err);

	if (r < 0)
		return r;
	pool = cb_arena_strdup(a, pool);
	cb_vec_each (const struct cb_volume, listed, &volumes) {
		struct cb_reference reference;
		struct cb_volume volume;

		r = run->driver->ops->volume(run->driver, a, pool, listed->name, &volume, err);
		if (r == -CB_E_NOT_FOUND) {
			cb_error_release(err);
			continue;
		}
		if (r < 0)
			return r;
		if (!volume.backing)
			continue;
		reference = identify(run, volume.backing);
		reference.volume = volume.name;
		reference.pool = pool;
		add(references, reference);
	}
	cb_vec_push(a, &references->pools, pool);
	return 0;
}

static bool has_pool(const struct cb_references *references, const char *pool)
{
	cb_vec_each (const char *const, known, &references->pools) {
		if (strcmp(*known, pool) == 0)
			return true;
	}
	return false;
}

/* The rows that speak of the file, copied. */
static int look_up(struct cb_run *run, const char *pool, const struct cb_reference *file,
		   struct cb_arena *arena, struct hits *hits, struct cb_error *err)
{
	struct cb_references *references = run->context->references;
	uint64_t begun = cb_clock_ms();
	bool expired = begun >= references->until_ms;
	int r = 0;

	if (expired) {
		forget(references);
		r = read_domains(references, run, err);
	}
	if (r == 0 && !has_pool(references, pool)) {
		r = cb_run_refresh(run, pool, err);
		if (r == 0)
			r = read_overlays(references, run, pool, err);
	}
	if (expired)
		references->until_ms = begun + MOMENT_MS + FACTOR * (cb_clock_ms() - begun);
	if (r < 0) {
		forget(references);
		return r;
	}
	cb_vec_each (const struct cb_reference, item, &references->items) {
		struct cb_reference hit = *item;

		if (!same_file(item, file) || (hit.pool && strcmp(hit.pool, pool) != 0))
			continue;
		hit.uuid = cb_arena_strdup(arena, hit.uuid);
		hit.volume = cb_arena_strdup(arena, hit.volume);
		hit.pool = cb_arena_strdup(arena, hit.pool);
		cb_vec_push(arena, hits, hit);
	}
	return 0;
}

/* Whether the domain is there and does so now. */
static int domain_refers(struct cb_run *run, const char *uuid, const struct cb_reference *file,
			 struct cb_arena *arena, const char **out, struct cb_error *err)
{
	struct cb_domain domain;
	int r = run->driver->ops->domain(run->driver, arena, uuid, &domain, err);

	if (r == -CB_E_NOT_FOUND) {
		cb_error_release(err);
		return 0;
	}
	if (r < 0)
		return r;
	cb_vec_each (const char *const, path, &domain.files) {
		const struct cb_reference other = identify(run, *path);

		if (same_file(&other, file))
			*out = domain.name;
	}
	if (!has_own_stamp(&domain) || strcmp(domain.stamp->transaction, run->transaction->id) == 0)
		return 0;
	cb_vec_each (const struct cb_stamp_volume, volume, &domain.stamp->volumes) {
		const struct cb_reference other = identify(run, volume->path);

		if (same_file(&other, file))
			*out = domain.name;
	}
	return 0;
}

static int overlay_refers(struct cb_run *run, const struct cb_reference *overlay,
			  const struct cb_reference *file, struct cb_arena *arena, const char **out,
			  struct cb_error *err)
{
	struct cb_volume volume;
	int r = run->driver->ops->volume(run->driver, arena, overlay->pool, overlay->volume,
					 &volume, err);
	struct cb_reference other;

	if (r == -CB_E_NOT_FOUND) {
		cb_error_release(err);
		return 0;
	}
	if (r < 0 || !volume.backing)
		return r;
	other = identify(run, volume.backing);
	if (same_file(&other, file))
		*out = volume.name;
	return 0;
}

void cb_references_forget(struct cb_references *references)
{
	(void)pthread_mutex_lock(&references->mutex);
	forget(references);
	(void)pthread_mutex_unlock(&references->mutex);
}

int cb_references_user(struct cb_run *run, const char *pool, const char *path,
		       struct cb_arena *arena, const char **out, struct cb_error *err)
{
	const struct cb_reference file = identify(run, path);
	const char *checked = "";
	struct hits hits = {0};
	int r;

	*out = NULL;
	(void)pthread_mutex_lock(&run->context->references->mutex);
	r = look_up(run, pool, &file, arena, &hits, err);
	(void)pthread_mutex_unlock(&run->context->references->mutex);
	for (size_t i = 0; r == 0 && i < hits.len && !*out; i++) {
		const struct cb_reference *hit = &hits.items[i];

		if (hit->uuid && strcmp(hit->uuid, checked) == 0)
			continue;
		if (hit->uuid)
			checked = hit->uuid;
		r = hit->uuid ? domain_refers(run, hit->uuid, &file, arena, out, err)
			      : overlay_refers(run, hit, &file, arena, out, err);
	}
	return r;
}
