/* Disks beside the root disk: what was retained of them, what was listed, what they start from. */
#include <string.h>

#include "reconciler/model/owned.h"
#include "reconciler/reconcile/resolve_internal.h"

/* Whether the name ends in "-TAG-xxxxxxxx.format". */
static bool has_tag(const char *name, const char *tag)
{
	const char *dot = strrchr(name, '.');
	const size_t tail = strlen("-01234567-01234567");

	if (!dot || (size_t)(dot - name) < tail)
		return false;
	dot -= tail;
	return dot[0] == '-' && strncmp(dot + 1, tag, 8) == 0 && dot[9] == '-' &&
	       strspn(dot + 10, "0123456789abcdef") == 8;
}

static bool in_use(const struct cb_domains *domains, const char *path)
{
	cb_vec_each (const struct cb_domain, domain, domains) {
		cb_vec_each (const char *const, file, &domain->files) {
			if (strcmp(*file, path) == 0)
				return true;
		}
		if (!domain->stamp || strcmp(domain->stamp->uuid, domain->uuid) != 0)
			continue;
		cb_vec_each (const struct cb_stamp_volume, volume, &domain->stamp->volumes) {
			if (strcmp(volume->path, path) == 0)
				return true;
		}
	}
	return false;
}

/* The volume that an earlier VM of this name left for this disk. */
static int find_retained(const struct cb_resolver *resolver, const char *disk,
			 struct cb_images *images, struct cb_error *err)
{
	struct cb_driver *driver = resolver->session->driver;
	const char *tag = cb_owned_tag(resolver->arena, resolver->desired->owner,
				       resolver->change->name, disk);
	struct cb_image image = {.vm = resolver->change->name,
				 .role = cb_arena_printf(resolver->arena, "retained:%s", disk),
				 .digest = ""};
	struct cb_volumes volumes = {0};
	struct cb_volume volume;
	int r;

	if (!resolver->pool_active)
		return 0;
	r = driver->ops->volumes(driver, resolver->arena, resolver->pool, &volumes, err);
	if (r < 0)
		return r;
	cb_vec_each (const struct cb_volume, found, &volumes) {
		if (!has_tag(found->name, tag) || in_use(resolver->domains, found->path))
			continue;
		if (image.volume)
			image.problem = cb_arena_printf(
				resolver->arena, "two volumes may be the disk '%s': '%s' and '%s'",
				disk, image.volume, found->name);
		image.volume = found->name;
	}
	if (!image.volume)
		return 0;
	r = driver->ops->volume(driver, resolver->arena, resolver->pool, image.volume, &volume,
				err);
	/* Somebody has deleted it between the two looks. */
	if (r == -CB_E_NOT_FOUND) {
		cb_error_release(err);
		return 0;
	}
	if (r < 0)
		return r;
	image.path = volume.path;
	image.format = volume.format;
	image.capacity = volume.capacity;
	cb_vec_push(resolver->arena, images, image);
	return 0;
}

/* The volume that was made for this disk before it was taken off; without a name where it is gone
 * and need not come back. */
static int find_listed(const struct cb_resolver *resolver, const char *disk,
		       const struct cb_stamp_volume *listed, struct cb_images *images,
		       struct cb_error *err)
{
	struct cb_driver *driver = resolver->session->driver;
	struct cb_image image = {.vm = resolver->change->name,
				 .role = cb_arena_printf(resolver->arena, "retained:%s", disk),
				 .volume = listed->name,
				 .path = listed->path,
				 .digest = ""};
	struct cb_volume volume = {0};
	int r;

	if (!resolver->pool_active || strcmp(resolver->pool, listed->pool) != 0)
		return 0;
	r = driver->ops->volume(driver, resolver->arena, listed->pool, listed->name, &volume, err);
	if (r < 0 && r != -CB_E_NOT_FOUND)
		return r;
	if (r < 0 && cb_spec_bool(&resolver->change->vm->spec,
				  cb_arena_printf(resolver->arena, "disks[%s].fresh", disk), false))
		image.volume = NULL;
	else if (r < 0)
		image.problem =
			cb_arena_printf(resolver->arena, "the volume '%s' of the disk '%s' is gone",
					listed->name, disk);
	cb_error_release(err);
	image.format = volume.format;
	image.capacity = volume.capacity;
	cb_vec_push(resolver->arena, images, image);
	return 0;
}

int cb_resolve_disk(struct cb_resolver *resolver, const char *disk, const struct cb_look *look,
		    struct cb_error *err)
{
	const struct cb_change *change = resolver->change;
	struct cb_arena *a = resolver->arena;
	const char *pool =
		cb_spec_string(&change->wanted, cb_arena_printf(a, "disks[%s].pool", disk));
	const struct cb_stamp_volume *listed =
		change->domain ? cb_stamp_volume_of(change->domain->stamp,
						    cb_arena_printf(a, CB_ROLE_DISK "%s", disk))
			       : NULL;
	int r;

	if (!pool)
		pool = cb_spec_string(&change->wanted, "pool");
	if ((r = cb_resolve_use_pool(resolver, pool, look, err)) < 0)
		return r;
	if (!cb_plan_fresh(a, change, disk)) {
		r = listed ? find_listed(resolver, disk, listed, look->images, err)
			   : find_retained(resolver, disk, look->images, err);
		if (r < 0)
			return r;
	}
	return cb_resolve_file(resolver, cb_arena_printf(a, "image:%s", disk),
			       cb_arena_printf(a, "disks[%s].base_image", disk), look, err);
}
