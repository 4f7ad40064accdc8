/* The images and pools that changes need, looked at before planning. */
#include <string.h>
#include <sys/stat.h>

#include "reconciler/reconcile/session_internal.h"

static const struct {
	const char *role, *path;
} roles[] = {{"base", "base_image"}, {"kernel", "boot.kernel"}, {"initrd", "boot.initrd"}};

/* What one look-up needs. */
struct resolver {
	struct cb_session *session;
	struct cb_arena *arena;
	const struct cb_domains *domains;
	const struct cb_change *change;
	const char *role, *ref, *pool;
	struct cb_origin origin;
	bool pool_active;
	struct cb_problems *problems;
};

static void problem(const struct resolver *resolver, const struct cb_error *err)
{
	struct cb_problem item = {
		.severity = CB_PROBLEM,
		.check = err->code == CB_E_NOT_FOUND ? "image.missing" : "image.unusable",
		.target = resolver->change->name,
		.message = cb_arena_strdup(resolver->arena, err->message),
		.fix = err->hint ? cb_arena_strdup(resolver->arena, err->hint) : "",
		.origin = resolver->origin,
	};

	cb_vec_push(resolver->arena, resolver->problems, item);
}

/* A volume of the pool by that name: a person's image, used as it is. */
static int find_volume(const struct resolver *resolver, struct cb_image *out, struct cb_error *err)
{
	struct cb_driver *driver = resolver->session->driver;
	struct cb_volume volume;
	int r;

	if (!resolver->pool_active || strchr(resolver->ref, '/'))
		return cb_error_set(err, CB_E_NOT_FOUND, "not a volume");
	r = driver->ops->volume(driver, resolver->arena, resolver->pool, resolver->ref, &volume,
				err);
	if (r < 0)
		return r;
	*out = (struct cb_image){.volume = volume.name,
				 .path = volume.path,
				 .format = volume.format,
				 .capacity = volume.capacity,
				 .digest = ""};
	return 0;
}

/* An upload of the same bytes that an earlier transaction made: a stamp lists it, and it is there.
 */
static int find_imported(const struct resolver *resolver, struct cb_image *image,
			 struct cb_error *err)
{
	struct cb_driver *driver = resolver->session->driver;

	cb_vec_each (const struct cb_domain, domain, resolver->domains) {
		if (domain->ownership != CB_OURS)
			continue;
		cb_vec_each (const struct cb_stamp_volume, listed, &domain->stamp->volumes) {
			struct cb_volume volume;
			int r;

			if (listed->deletion != CB_SHARED ||
			    strcmp(listed->digest, image->digest) != 0 ||
			    strcmp(listed->pool, resolver->pool) != 0 || !resolver->pool_active)
				continue;
			r = driver->ops->volume(driver, resolver->arena, listed->pool, listed->name,
						&volume, err);
			if (r == -CB_E_NOT_FOUND)
				continue;
			if (r < 0)
				return r;
			image->volume = volume.name;
			image->path = volume.path;
			image->ours = true;
			return 0;
		}
	}
	cb_error_release(err);
	return 0;
}

static int inspect(const struct resolver *resolver, struct cb_image *out, struct cb_error *err)
{
	struct cb_session *session = resolver->session;
	const struct cb_vm *vm = resolver->change->vm;
	const char *path =
		resolver->ref[0] == '/' || !vm->directory || !vm->directory[0]
			? resolver->ref
			: cb_arena_printf(resolver->arena, "%s/%s", vm->directory, resolver->ref);
	struct cb_image image = {0};
	int r;

	cb_vec_each (const struct cb_image, known, &session->images) {
		struct stat st;

		if (strcmp(known->ref, path) == 0 && stat(path, &st) == 0 &&
		    (uint64_t)st.st_size == known->size) {
			*out = *known;
			return 0;
		}
	}
	r = cb_image_inspect(&session->arena, path, &image, &session->config.progress, err);
	if (r < 0)
		return r;
	image.ref = cb_arena_strdup(&session->arena, path);
	cb_vec_push(&session->arena, &session->images, image);
	*out = image;
	return 0;
}

static int resolve_image(const struct resolver *resolver, struct cb_images *images,
			 struct cb_error *err)
{
	cb_auto_error struct cb_error why = {0};
	struct cb_image image = {0};
	int r = find_volume(resolver, &image, err);

	if (r < 0 && r != -CB_E_NOT_FOUND)
		return r;
	if (r < 0) {
		r = inspect(resolver, &image, &why);
		if (r == -CB_E_INTERRUPTED)
			return cb_error_move(err, &why);
		if (r == -CB_E_NOT_FOUND) {
			(void)cb_error_set(&why, CB_E_NOT_FOUND,
					   "%s '%s' is neither a volume of pool '%s' nor a file "
					   "here",
					   resolver->role, resolver->ref, resolver->pool);
			if (resolver->pool_active)
				(void)cb_error_hint(&why, "check the path; it is relative to the "
							  "manifest");
			else
				(void)cb_error_hint(&why,
						    "pool '%s' is not active, so what it holds is "
						    "not known; virsh pool-start %s, or check the "
						    "path, which is relative to the manifest",
						    resolver->pool, resolver->pool);
		}
		if (r < 0) {
			problem(resolver, &why);
			return 0;
		}
		/* Kernels and initrds are copied as they are, whatever they hold. */
		if (strcmp(resolver->role, "base") != 0)
			image.format = "raw";
		if ((r = find_imported(resolver, &image, err)) < 0)
			return r;
	}
	image.vm = resolver->change->name;
	image.role = resolver->role;
	image.ref = resolver->ref;
	cb_vec_push(resolver->arena, images, image);
	return 0;
}

static const struct cb_plan_pool *known_pool(const struct cb_plan_pools *pools, const char *name)
{
	cb_vec_each (const struct cb_plan_pool, pool, pools) {
		if (strcmp(pool->name, name) == 0)
			return pool;
	}
	return NULL;
}

/* Looks at a pool once, and makes libvirt look at its directory. */
static int resolve_pool(struct cb_session *session, struct cb_arena *arena, const char *name,
			struct cb_plan_pools *pools, bool *active, struct cb_error *err)
{
	struct cb_driver *driver = session->driver;
	const struct cb_plan_pool *known = known_pool(pools, name);
	struct cb_plan_pool pool = {.name = name};
	int r;

	if (known) {
		*active = known->pool.active;
		return 0;
	}
	r = driver->ops->pool(driver, arena, name, &pool.pool, err);
	if (r < 0 && r != -CB_E_NOT_FOUND)
		return cb_error_wrap(err, "cannot look at pool '%s'", name);
	pool.exists = r == 0;
	cb_error_release(err);
	if (pool.exists && pool.pool.active) {
		if ((r = driver->ops->pool_refresh(driver, name, err)) < 0)
			return cb_error_wrap(err, "cannot refresh pool '%s'", name);
		if ((r = driver->ops->pool(driver, arena, name, &pool.pool, err)) < 0)
			return r;
	}
	*active = pool.exists && pool.pool.active;
	cb_vec_push(arena, pools, pool);
	return 0;
}

/* Whether the plan will need the file behind this field. */
static bool needed(const struct cb_change *change, const char *path)
{
	if (change->refusal || !change->vm)
		return false;
	if (change->action == CB_ACTION_CREATE)
		return strcmp(path, "base_image") != 0 ||
		       cb_spec_int(&change->applied, "disk_size_gb", 0) > 0;
	if (change->action != CB_ACTION_UPDATE)
		return false;
	cb_vec_each (const struct cb_field_change, field, &change->fields) {
		if (strcmp(field->path, path) == 0 &&
		    (field->decision == CB_CASE_CHANGED ||
		     field->decision == CB_CASE_CHANGED_AND_DRIFT))
			return true;
	}
	return false;
}

/* What is to be deleted must be reachable: found out before the domain is undefined. */
static int check_delete(struct cb_session *session, struct cb_arena *arena,
			const struct cb_change *change, struct cb_plan_pools *pools,
			struct cb_problems *problems, struct cb_error *err)
{
	cb_vec_each (const struct cb_stamp_volume, volume, &change->domain->stamp->volumes) {
		struct cb_problem problem = {.severity = CB_PROBLEM,
					     .check = "pool.missing",
					     .target = change->name,
					     .fix = "define and start it again"};
		bool active = false;
		int r;

		if (volume->deletion == CB_RETAIN)
			continue;
		if ((r = resolve_pool(session, arena, volume->pool, pools, &active, err)) < 0)
			return r;
		if (active)
			continue;
		problem.message = cb_arena_printf(
			arena, "volume '%s' cannot be deleted: pool '%s' is not active",
			volume->name, volume->pool);
		cb_vec_push(arena, problems, problem);
	}
	return 0;
}

int cb_resolve(struct cb_session *session, struct cb_arena *arena, const struct cb_changes *changes,
	       const struct cb_domains *domains, struct cb_images *images,
	       struct cb_plan_pools *pools, struct cb_problems *problems, struct cb_error *err)
{
	cb_vec_each (const struct cb_change, change, changes) {
		const char *pool = cb_spec_string(&change->applied, "pool");
		bool active = false;
		int r;

		if (change->refusal || change->action == CB_ACTION_NOOP)
			continue;
		if (change->action == CB_ACTION_DELETE) {
			r = check_delete(session, arena, change, pools, problems, err);
			if (r < 0)
				return r;
			continue;
		}
		if (!pool)
			pool = "default";
		if ((r = resolve_pool(session, arena, pool, pools, &active, err)) < 0)
			return r;
		for (size_t i = 0; i < CB_COUNT(roles); i++) {
			const struct cb_entry *entry =
				cb_spec_find(&change->applied, roles[i].path);
			struct resolver resolver = {
				.session = session,
				.arena = arena,
				.domains = domains,
				.change = change,
				.role = roles[i].role,
				.pool = pool,
				.pool_active = active,
				.problems = problems,
			};

			if (!entry || entry->value.kind != CB_STRING ||
			    !needed(change, roles[i].path))
				continue;
			resolver.ref = entry->value.string;
			resolver.origin = entry->origin;
			if ((r = resolve_image(&resolver, images, err)) < 0)
				return r;
		}
	}
	return 0;
}
