#include "reconciler/plan/plan_internal.h"

#include <string.h>

#include "reconciler/base/str.h"
#include "reconciler/model/field.h"

static const uint64_t gib = UINT64_C(1) << 30;

/* The root disk: an overlay on the base image. Returns its path, NULL if there is none. */
const char *cb_builder_root_disk(struct cb_builder *builder, const char *pool,
				 const char *pool_path, struct cb_stamp *stamp)
{
	struct cb_arena *a = builder->arena;
	const struct cb_spec *wanted = &builder->change->wanted;
	uint64_t size = (uint64_t)cb_spec_int(wanted, "disk_size_gb", 0) * gib;
	const struct cb_image *base = cb_builder_image(builder, "base");
	struct cb_stamp_volume volume = {
		.role = "root", .pool = pool, .deletion = CB_DELETE_WITH_VM, .digest = ""};
	const char *backing = NULL;
	struct cb_step *step;

	if (size == 0)
		return NULL;
	if (base) {
		if (base->capacity > size)
			cb_builder_problem(
				builder, CB_PROBLEM, "image.size",
				cb_arena_printf(
					a,
					"base image '%s' is larger (%llu GiB) than the root "
					"disk (%llu GiB)",
					base->ref,
					(unsigned long long)((base->capacity + gib - 1) / gib),
					(unsigned long long)(size / gib)),
				"raise disk_size_gb");
		backing = cb_builder_import(builder, base, pool, pool_path, stamp);
	}
	volume.name =
		cb_arena_printf(a, "%s-root-%s.qcow2", builder->change->name, builder->suffix);
	volume.path = cb_arena_printf(a, "%s/%s", pool_path, volume.name);
	step = cb_builder_step(builder, CB_STEP_KIND_VOLUME_CREATE, volume.name);
	cb_builder_arg(builder, step, "pool", cb_string(pool));
	cb_builder_arg(builder, step, "volume", cb_string(volume.name));
	cb_builder_arg(builder, step, "path", cb_string(volume.path));
	cb_builder_arg(builder, step, "format", cb_string("qcow2"));
	cb_builder_arg(builder, step, "capacity", cb_int((int64_t)size));
	if (backing) {
		cb_builder_arg(builder, step, "backing", cb_string(backing));
		cb_builder_arg(builder, step, "backing_format", cb_string(base->format));
	}
	cb_vec_push(a, &stamp->volumes, volume);
	return volume.path;
}

static const char *boot_file(struct cb_builder *builder, const char *role, const char *pool,
			     const char *pool_path, struct cb_stamp *stamp)
{
	const struct cb_image *image = cb_builder_image(builder, role);

	return image ? cb_builder_import(builder, image, pool, pool_path, stamp) : NULL;
}

static void define(struct cb_builder *builder, const struct cb_spec *set,
		   const struct cb_stamp *stamp)
{
	const struct cb_change *change = builder->change;
	struct cb_step *step = cb_builder_step(builder, CB_STEP_KIND_DOMAIN_DEFINE, change->name);

	cb_builder_arg(builder, step, "uuid", cb_string(builder->transaction.uuid));
	cb_builder_arg(builder, step, "name", cb_string(change->name));
	step->set = *set;
	step->stamp = stamp;
}

static void set_path(struct cb_builder *builder, struct cb_spec *set, const char *path,
		     const char *value)
{
	if (value)
		cb_spec_set(builder->arena, set, path, cb_string(value),
			    (struct cb_origin){.from = CB_FROM_DEFAULT});
}

/* All volumes: made here, and put into `set`. False where a pool cannot be used. */
static bool storage(struct cb_builder *builder, struct cb_spec *set, struct cb_stamp *stamp)
{
	const struct cb_spec *wanted = &builder->change->wanted;
	const char *pool = cb_builder_pool_name(builder, NULL), *pool_path, *root;

	if (cb_spec_int(wanted, "disk_size_gb", 0) > 0 || cb_builder_image(builder, "kernel") ||
	    cb_builder_image(builder, "initrd")) {
		pool_path = cb_builder_pool(builder, pool);
		if (!pool_path)
			return false;
		root = cb_builder_root_disk(builder, pool, pool_path, stamp);
		set_path(builder, set, "disks[root].source", root);
		set_path(builder, set, "disks[root].format", root ? "qcow2" : NULL);
		set_path(builder, set, "boot.kernel",
			 boot_file(builder, "kernel", pool, pool_path, stamp));
		set_path(builder, set, "boot.initrd",
			 boot_file(builder, "initrd", pool, pool_path, stamp));
	}
	cb_vec_each (const struct cb_entry, entry, wanted) {
		const char *disk = cb_field_element(builder->arena, "disks", entry->path);

		if (disk && strstr(entry->path, "].name"))
			cb_builder_disk(builder, disk, set, stamp);
	}
	if (cb_spec_string(wanted, "auth_method"))
		cb_builder_seed(builder, set, stamp);
	cb_builder_check_space(builder);
	return true;
}

static void check_boot(struct cb_builder *builder)
{
	const struct cb_spec *wanted = &builder->change->wanted;

	if (cb_spec_int(wanted, "disk_size_gb", 0) > 0 && !cb_builder_image(builder, "base") &&
	    !cb_spec_string(wanted, "base_image") && !cb_spec_string(wanted, "boot.kernel"))
		cb_builder_problem(builder, CB_PROBLEM, "image.missing",
				   "there is nothing to boot from: no base_image is given",
				   "name one in base_image, boot a kernel with boot.kernel, or say "
				   "`disk_size_gb: 0` for a vm without root disk");
}

void cb_plan_create(struct cb_builder *builder)
{
	const struct cb_change *change = builder->change;
	const char *uuid = builder->transaction.uuid;
	struct cb_stamp *stamp = cb_builder_stamp(builder, uuid);
	struct cb_spec set = {0};
	struct cb_step *step;

	cb_builder_check_host(builder);
	check_boot(builder);
	cb_spec_set(builder->arena, &set, "name", cb_string(change->name),
		    (struct cb_origin){.from = CB_FROM_DEFAULT});
	if (!storage(builder, &set, stamp))
		return;
	cb_vec_each (const struct cb_entry, entry, &change->wanted)
		cb_builder_field(builder, &set, entry->path, entry->value);
	cb_builder_nics(builder, &set);
	define(builder, &set, stamp);
	if (cb_spec_bool(&change->wanted, "autostart", false)) {
		step = cb_builder_step(builder, CB_STEP_KIND_DOMAIN_AUTOSTART, change->name);
		cb_builder_arg(builder, step, "uuid", cb_string(uuid));
		cb_builder_arg(builder, step, "on", cb_bool(true));
	}
	if (change->aim == CB_AIM_RUNNING) {
		step = cb_builder_step(builder, CB_STEP_KIND_DOMAIN_START, change->name);
		cb_builder_arg(builder, step, "uuid", cb_string(uuid));
	}
}
