/* The images and pools that changes need, looked at before planning. */
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "reconciler/base/clock.h"
#include "reconciler/model/field.h"
#include "reconciler/model/owned.h"
#include "reconciler/reconcile/permission.h"
#include "reconciler/reconcile/resolve_internal.h"

static void problem(const struct cb_resolver *resolver, const struct cb_error *err)
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
static int find_volume(const struct cb_resolver *resolver, struct cb_image *out,
		       struct cb_error *err)
{
	struct cb_driver *driver = resolver->session->driver;
	struct cb_volume volume;
	int r;

	if (!resolver->pool_active || strchr(resolver->ref, '/') ||
	    cb_declared_find(&resolver->desired->images, resolver->ref))
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
static int find_imported(const struct cb_resolver *resolver, struct cb_image *image,
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

/* Where the file is that a reference means: that of an image of this name, else a path beside the
 * manifest. */
static const char *path_of(const struct cb_resolver *resolver, const struct cb_declared **declared)
{
	const struct cb_vm *vm = resolver->change->vm;
	const char *path = resolver->ref, *directory = vm->directory;

	*declared = cb_declared_find(&resolver->desired->images, resolver->ref);
	if (*declared) {
		path = cb_spec_string(&(*declared)->spec, "path");
		directory = (*declared)->directory;
	}
	return path[0] == '/' || !directory || !directory[0]
		       ? path
		       : cb_arena_printf(resolver->arena, "%s/%s", directory, path);
}

static int check_digest(const struct cb_declared *declared, const struct cb_image *image,
			struct cb_error *err)
{
	const char *want = declared ? cb_spec_string(&declared->spec, "sha256") : NULL;

	if (!want || strcasecmp(want, image->digest) == 0)
		return 0;
	(void)cb_error_set(err, CB_E_INVALID, "image '%s' is not what its sha256 says: '%s' has %s",
			   declared->name, image->ref, image->digest);
	return cb_error_hint(err, "fetch the file again, or correct `sha256`");
}

static int inspect(const struct cb_resolver *resolver, struct cb_image *out, struct cb_error *err)
{
	struct cb_session *session = resolver->session;
	const struct cb_declared *declared;
	const char *path = path_of(resolver, &declared);
	struct cb_image image = {0};
	int r;

	cb_vec_each (const struct cb_image, known, &session->images) {
		struct stat st;

		if (strcmp(known->ref, path) == 0 && stat(path, &st) == 0 &&
		    (uint64_t)st.st_size == known->size) {
			*out = *known;
			return check_digest(declared, out, err);
		}
	}
	r = cb_image_inspect(&session->arena, path, &image, &session->config.progress, err);
	if (r < 0)
		return r;
	image.ref = cb_arena_strdup(&session->arena, path);
	cb_vec_push(&session->arena, &session->images, image);
	*out = image;
	return check_digest(declared, out, err);
}

static int resolve_image(const struct cb_resolver *resolver, struct cb_images *images,
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
			if (resolver->pool_active || !resolver->pool_exists)
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
		if (strcmp(resolver->role, "kernel") == 0 || strcmp(resolver->role, "initrd") == 0)
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

/* Another run may be writing to the pool: that is waited for as long as its lock would be. */
static int refresh(struct cb_session *session, const char *name, struct cb_error *err)
{
	enum { PAUSE_MS = 100 };

	const volatile sig_atomic_t *interrupted = session->config.progress.interrupted;
	uint64_t until = cb_clock_ms() + session->config.lock_timeout_ms;
	int r;

	while ((r = session->driver->ops->pool_refresh(session->driver, name, err)) == -CB_E_BUSY &&
	       cb_clock_ms() < until) {
		if (interrupted && *interrupted)
			return cb_error_set(err, CB_E_INTERRUPTED,
					    "interrupted while waiting for pool '%s'", name);
		cb_error_release(err);
		cb_clock_sleep_ms(PAUSE_MS);
	}
	if (r == -CB_E_BUSY)
		return cb_error_hint(err, "somebody is writing a volume there: wait until that is "
					  "done, or give a longer --lock-timeout");
	return r;
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
		if ((r = refresh(session, name, err)) < 0)
			return r;
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
	if (change->action == CB_ACTION_CREATE)
		return strcmp(path, "base_image") != 0 ||
		       cb_spec_int(&change->wanted, "disk_size_gb", 0) > 0;
	if (change->recreate && strcmp(path, "base_image") == 0)
		return cb_spec_int(&change->wanted, "disk_size_gb", 0) > 0;
	cb_vec_each (const struct cb_field_change, field, &change->fields) {
		if (strcmp(field->path, path) == 0 &&
		    (field->decision == CB_CASE_CHANGED ||
		     field->decision == CB_CASE_CHANGED_AND_DRIFT ||
		     field->decision == CB_CASE_DEVICE_ADDED))
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

/* One change. --------------------------------------------------------------------------------- */

int cb_resolve_file(struct cb_resolver *resolver, const char *role, const char *path,
		    const struct cb_look *look, struct cb_error *err)
{
	const struct cb_entry *entry = cb_spec_find(&resolver->change->wanted, path);

	if (!entry || entry->value.kind != CB_STRING || !needed(resolver->change, path))
		return 0;
	resolver->role = role;
	resolver->ref = entry->value.string;
	resolver->origin = entry->origin;
	return resolve_image(resolver, look->images, err);
}

static bool is_known_problem(const struct cb_problems *problems, const char *message)
{
	cb_vec_each (const struct cb_problem, problem, problems) {
		if (strcmp(problem->message, message) == 0)
			return true;
	}
	return false;
}

/* libvirt would say "Permission denied" when the VM is started, after all else was done. Only a
 * warning: a local host may still see other files than we do. */
static void check_way(const struct cb_resolver *resolver, const struct cb_plan_pool *pool)
{
	const struct cb_declared *declared =
		cb_declared_find(&resolver->desired->pools, pool->name);
	const char *path = pool->exists ? pool->pool.path
			   : declared   ? cb_spec_string(&declared->spec, "path")
					: CB_DEFAULT_POOL_PATH;
	const struct cb_host *host = &resolver->session->host;
	const char *at = cb_permission_denied_at(resolver->arena, host, path);
	struct cb_problem problem = {.severity = CB_WARNING,
				     .check = "pool.permission",
				     .target = resolver->change->name,
				     .kind = "vm"};

	if (!at)
		return;
	problem.message = cb_arena_printf(resolver->arena,
					  "pool '%s' is at '%s', and the emulator (user %u) may "
					  "not enter '%s'; vms in it do not start",
					  pool->name, path, host->emulator_uid, at);
	problem.fix = cb_arena_printf(resolver->arena,
				      "chmod o+x '%s' lets it; or use a pool at another place", at);
	if (!is_known_problem(resolver->problems, problem.message))
		cb_vec_push(resolver->arena, resolver->problems, problem);
}

int cb_resolve_use_pool(struct cb_resolver *resolver, const char *pool, const struct cb_look *look,
			struct cb_error *err)
{
	const struct cb_plan_pool *known;
	int r;

	resolver->pool = pool ? pool : "default";
	r = resolve_pool(resolver->session, resolver->arena, resolver->pool, look->pools,
			 &resolver->pool_active, err);
	if (r < 0)
		return r;
	known = known_pool(look->pools, resolver->pool);
	resolver->pool_exists = known && known->exists;
	if (known)
		check_way(resolver, known);
	return 0;
}

static bool makes_device(const struct cb_change *change, const char *path)
{
	if (change->action == CB_ACTION_CREATE)
		return true;
	cb_vec_each (const struct cb_field_change, field, &change->fields) {
		if (strcmp(field->path, path) == 0)
			return true;
	}
	return false;
}

static int look_at_change(struct cb_resolver *resolver, const struct cb_look *look,
			  struct cb_error *err)
{
	const struct cb_change *change = resolver->change;
	int r = cb_resolve_use_pool(resolver, cb_spec_string(&change->wanted, "pool"), look, err);

	if (r < 0 || (r = cb_resolve_file(resolver, "base", "base_image", look, err)) < 0 ||
	    (r = cb_resolve_file(resolver, "kernel", "boot.kernel", look, err)) < 0 ||
	    (r = cb_resolve_file(resolver, "initrd", "boot.initrd", look, err)) < 0)
		return r;
	cb_vec_each (const struct cb_entry, entry, &change->wanted) {
		const char *disk = cb_field_element(resolver->arena, "disks", entry->path);

		if (disk && strstr(entry->path, "].name") && makes_device(change, entry->path) &&
		    (r = cb_resolve_disk(resolver, disk, look, err)) < 0)
			return r;
	}
	return 0;
}

int cb_resolve(struct cb_session *session, struct cb_arena *arena, const struct cb_request *request,
	       const struct cb_changes *changes, const struct cb_domains *domains,
	       struct cb_images *images, struct cb_plan_pools *pools, struct cb_problems *problems,
	       struct cb_error *err)
{
	const struct cb_look look = {images, pools};

	cb_vec_each (const struct cb_change, change, changes) {
		struct cb_resolver resolver = {.session = session,
					       .arena = arena,
					       .desired = request->desired,
					       .domains = domains,
					       .change = change,
					       .problems = problems};
		int r;

		if (change->refusal || change->action == CB_ACTION_NOOP ||
		    change->target != CB_TARGET_VM || change->restore)
			continue;
		r = change->action == CB_ACTION_DELETE
			    ? check_delete(session, arena, change, pools, problems, err)
			    : look_at_change(&resolver, &look, err);
		if (r < 0)
			return r;
	}
	return 0;
}
