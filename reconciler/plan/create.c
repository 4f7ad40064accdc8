#include "reconciler/plan/plan_internal.h"

#include <string.h>

#include "reconciler/base/str.h"

static const uint64_t gib = UINT64_C(1) << 30;

/* What these steps upload into the pool. */
static uint64_t uploads(const struct cb_transaction *transaction, const char *pool)
{
	uint64_t sum = 0;

	cb_vec_each (const struct cb_step, step, &transaction->steps) {
		if (step->kind == CB_STEP_KIND_IMAGE_IMPORT &&
		    strcmp(cb_spec_string(&step->args, "pool"), pool) == 0)
			sum += (uint64_t)cb_spec_int(&step->args, "size", 0);
	}
	return sum;
}

/* Whether the pool has room for what the plan uploads up to here; thin disks are not counted. */
static void check_space(struct cb_builder *builder, const char *pool_name)
{
	cb_auto_str struct cb_str need_text = {0}, have_text = {0};
	uint64_t mine = uploads(&builder->transaction, pool_name), need = mine;

	cb_vec_each (const struct cb_transaction, earlier, &builder->plan->transactions)
		need += uploads(earlier, pool_name);
	cb_vec_each (const struct cb_plan_pool, pool, builder->input->pools) {
		if (strcmp(pool->name, pool_name) != 0 || !pool->exists || !pool->pool.active ||
		    mine == 0 || need <= pool->pool.available)
			continue;
		cb_str_size(&need_text, need);
		cb_str_size(&have_text, pool->pool.available);
		cb_builder_problem(builder, CB_PROBLEM, "pool.space",
				   cb_arena_printf(builder->arena,
						   "pool '%s' has %s free, %s are needed",
						   pool_name, have_text.text, need_text.text),
				   "free space in the pool, or name another pool");
	}
}

/* The root disk: an overlay on the base image. Returns its path, NULL if there is none. */
static const char *root_disk(struct cb_builder *builder, const char *pool, const char *pool_path,
			     struct cb_stamp *stamp)
{
	struct cb_arena *a = builder->arena;
	const struct cb_spec *applied = &builder->change->applied;
	uint64_t size = (uint64_t)cb_spec_int(applied, "disk_size_gb", 0) * gib;
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

static void define(struct cb_builder *builder, const char *root, const char *kernel,
		   const char *initrd, const struct cb_stamp *stamp)
{
	static const char *const plain[] = {"ram_mb",       "vcpus", "accel",      "boot.cmdline",
					    "network_mode", "gui",   "description"};
	const struct cb_change *change = builder->change;
	struct cb_step *step = cb_builder_step(builder, CB_STEP_KIND_DOMAIN_DEFINE, change->name);

	cb_builder_arg(builder, step, "uuid", cb_string(builder->transaction.uuid));
	cb_builder_arg(builder, step, "name", cb_string(change->name));
	cb_builder_set(builder, step, "name", cb_string(change->name));
	for (size_t i = 0; i < CB_COUNT(plain); i++) {
		const struct cb_entry *entry = cb_spec_find(&change->applied, plain[i]);

		if (entry)
			cb_builder_set(builder, step, plain[i], entry->value);
	}
	cb_builder_set_mac(builder, &step->set);
	if (root) {
		cb_builder_set(builder, step, "disks[root].source", cb_string(root));
		cb_builder_set(builder, step, "disks[root].format", cb_string("qcow2"));
	}
	if (kernel)
		cb_builder_set(builder, step, "boot.kernel", cb_string(kernel));
	if (initrd)
		cb_builder_set(builder, step, "boot.initrd", cb_string(initrd));
	step->stamp = stamp;
}

static void check_boot(struct cb_builder *builder)
{
	const struct cb_spec *applied = &builder->change->applied;

	if (cb_spec_int(applied, "disk_size_gb", 0) > 0 && !cb_builder_image(builder, "base") &&
	    !cb_spec_string(applied, "base_image") && !cb_spec_string(applied, "boot.kernel"))
		cb_builder_problem(builder, CB_PROBLEM, "image.missing",
				   "there is nothing to boot from: no base_image is given",
				   "name one in base_image, boot a kernel with boot.kernel, or say "
				   "`disk_size_gb: 0` for a vm without root disk");
}

void cb_plan_create(struct cb_builder *builder)
{
	const struct cb_change *change = builder->change;
	const char *uuid = builder->transaction.uuid;
	const char *pool = cb_spec_string(&change->applied, "pool");
	struct cb_stamp *stamp = cb_builder_stamp(builder, uuid);
	const char *root = NULL, *kernel = NULL, *initrd = NULL;
	bool storage = cb_spec_int(&change->applied, "disk_size_gb", 0) > 0 ||
		       cb_builder_image(builder, "kernel") || cb_builder_image(builder, "initrd");
	struct cb_step *step;

	cb_builder_check_host(builder);
	check_boot(builder);
	if (storage) {
		const char *pool_path = cb_builder_pool(builder, pool);

		if (!pool_path)
			return;
		root = root_disk(builder, pool, pool_path, stamp);
		kernel = boot_file(builder, "kernel", pool, pool_path, stamp);
		initrd = boot_file(builder, "initrd", pool, pool_path, stamp);
		check_space(builder, pool);
	}
	define(builder, root, kernel, initrd, stamp);
	if (cb_spec_bool(&change->applied, "autostart", false)) {
		step = cb_builder_step(builder, CB_STEP_KIND_DOMAIN_AUTOSTART, change->name);
		cb_builder_arg(builder, step, "uuid", cb_string(uuid));
		cb_builder_arg(builder, step, "on", cb_bool(true));
	}
	if (change->aim == CB_AIM_RUNNING) {
		step = cb_builder_step(builder, CB_STEP_KIND_DOMAIN_START, change->name);
		cb_builder_arg(builder, step, "uuid", cb_string(uuid));
	}
}
