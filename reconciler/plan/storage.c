/* Data disks and seeds. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/str.h"
#include "reconciler/model/owned.h"
#include "reconciler/plan/plan_internal.h"

enum { MARGIN_PERCENT = 15 };

static const struct cb_origin derived = {.from = CB_FROM_DEFAULT};

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

/* Thin disks are not counted. */
void cb_builder_check_space(struct cb_builder *builder)
{
	cb_vec_each (const struct cb_plan_pool, pool, builder->input->pools) {
		cb_auto_str struct cb_str need_text = {0}, have_text = {0};
		uint64_t mine = uploads(&builder->transaction, pool->name), need = mine;

		if (!pool->exists || !pool->pool.active || mine == 0)
			continue;
		cb_vec_each (const struct cb_transaction, earlier, &builder->plan->transactions)
			need += uploads(earlier, pool->name);
		/* The overlays begin to grow at once. */
		need += need * MARGIN_PERCENT / 100;
		if (need <= pool->pool.available)
			continue;
		cb_str_size(&need_text, need);
		cb_str_size(&have_text, pool->pool.available);
		cb_builder_problem(builder, CB_PROBLEM, "pool.space",
				   cb_arena_printf(builder->arena,
						   "pool '%s' has %s free, %s are needed (uploads "
						   "and 15 %%)",
						   pool->name, have_text.text, need_text.text),
				   "free space in the pool, or name another pool");
	}
}

static const struct cb_entry *of_disk(const struct cb_builder *builder, const char *disk,
				      const char *key)
{
	return cb_spec_find(&builder->change->wanted,
			    cb_arena_printf(builder->arena, "disks[%s].%s", disk, key));
}

const char *cb_builder_pool_name(const struct cb_builder *builder, const char *disk)
{
	const struct cb_entry *own = disk ? of_disk(builder, disk, "pool") : NULL;
	const char *pool = cb_spec_string(&builder->change->wanted, "pool");

	if (own && own->value.kind == CB_STRING)
		return own->value.string;
	return pool ? pool : "default";
}

static void attach(struct cb_builder *builder, struct cb_spec *set, const char *disk,
		   const char *path, const char *format)
{
	cb_spec_set(builder->arena, set, cb_arena_printf(builder->arena, "disks[%s].source", disk),
		    cb_string(path), derived);
	cb_spec_set(builder->arena, set, cb_arena_printf(builder->arena, "disks[%s].format", disk),
		    cb_string(format), derived);
}

static enum cb_deletion deletion_of(const struct cb_builder *builder, const char *disk)
{
	const struct cb_entry *said = of_disk(builder, disk, "deletion");

	return said && strcmp(said->value.string, "purge") == 0 ? CB_DELETE_WITH_VM : CB_RETAIN;
}

/* A volume that an earlier VM of this name left, or this one when it was taken off. It must be what
 * is asked for: a disk of another size or format is not this one. */
static bool take_retained(struct cb_builder *builder, const char *disk, const char *format,
			  uint64_t size, const struct cb_image *retained)
{
	if (retained->problem) {
		cb_builder_problem(builder, CB_PROBLEM, "disk.retained", retained->problem,
				   cb_arena_printf(builder->arena,
						   "say `fresh: true` of the disk '%s' for a new "
						   "one, or remove what is not wanted",
						   disk));
		return false;
	}
	if (strcmp(retained->format, format) != 0 || (size && retained->capacity != size)) {
		cb_auto_str struct cb_str have = {0}, want = {0};

		cb_str_size(&have, retained->capacity);
		cb_str_size(&want, size);
		cb_builder_problem(
			builder, CB_PROBLEM, "disk.retained",
			cb_arena_printf(builder->arena,
					"a volume of the disk '%s' is there already ('%s': %s, "
					"%s), and is not as wanted (%s, %s)",
					disk, retained->volume, retained->format, have.text, format,
					want.text),
			"give the size and format that it has, or say `fresh: true` for a new one");
		return false;
	}
	return true;
}

static void create_volume(struct cb_builder *builder, const struct cb_stamp_volume *volume,
			  const char *format, uint64_t size, const char *backing,
			  const char *backing_format)
{
	struct cb_step *step = cb_builder_step(builder, CB_STEP_KIND_VOLUME_CREATE, volume->name);

	cb_builder_arg(builder, step, "pool", cb_string(volume->pool));
	cb_builder_arg(builder, step, "volume", cb_string(volume->name));
	cb_builder_arg(builder, step, "path", cb_string(volume->path));
	cb_builder_arg(builder, step, "format", cb_string(format));
	cb_builder_arg(builder, step, "capacity", cb_int((int64_t)size));
	if (!backing)
		return;
	cb_builder_arg(builder, step, "backing", cb_string(backing));
	cb_builder_arg(builder, step, "backing_format", cb_string(backing_format));
}

/* Drops the entry of a role; what was retained under it is listed anew. */
static void unlist(struct cb_stamp *stamp, const char *role)
{
	size_t kept = 0;

	for (size_t i = 0; i < stamp->volumes.len; i++) {
		if (strcmp(stamp->volumes.items[i].role, role) != 0)
			stamp->volumes.items[kept++] = stamp->volumes.items[i];
	}
	stamp->volumes.len = kept;
}

bool cb_plan_fresh(struct cb_arena *arena, const struct cb_change *change, const char *disk)
{
	const char *name = cb_arena_printf(arena, "disks[%s].name", disk);
	const char *fresh = cb_arena_printf(arena, "disks[%s].fresh", disk);

	return change->vm && cb_spec_bool(&change->vm->spec, fresh, false) &&
	       !(change->domain && cb_spec_find(&change->domain->stamp->applied, name));
}

/* Whether the disk was the VM's all along, and only a person took it off. */
static bool of_this_vm(const struct cb_builder *builder, const char *disk)
{
	const struct cb_domain *domain = builder->change->domain;

	return domain && cb_spec_find(&domain->stamp->applied,
				      cb_arena_printf(builder->arena, "disks[%s].name", disk));
}

void cb_builder_disk(struct cb_builder *builder, const char *disk, struct cb_spec *set,
		     struct cb_stamp *stamp)
{
	struct cb_arena *a = builder->arena;
	const struct cb_entry *size_entry = of_disk(builder, disk, "size");
	const struct cb_entry *format_entry = of_disk(builder, disk, "format");
	const char *format = format_entry ? format_entry->value.string : "qcow2";
	uint64_t size = size_entry ? (uint64_t)size_entry->value.integer : 0;
	const char *role = cb_arena_printf(a, CB_ROLE_DISK "%s", disk);
	const struct cb_image *retained =
		cb_builder_image(builder, cb_arena_printf(a, "retained:%s", disk));
	const struct cb_image *image =
		cb_builder_image(builder, cb_arena_printf(a, "image:%s", disk));
	const struct cb_stamp_volume *listed =
		builder->change->domain ? cb_stamp_volume_of(builder->change->domain->stamp, role)
					: NULL;
	struct cb_stamp_volume volume = {.role = role,
					 .pool = cb_builder_pool_name(builder, disk),
					 .deletion = deletion_of(builder, disk),
					 .digest = ""};
	const char *pool_path, *backing = NULL;

	/* Taken off, by a person or by the manifest, and wanted again; its pool cannot be asked. */
	if (listed && !retained && !cb_plan_fresh(a, builder->change, disk)) {
		attach(builder, set, disk, listed->path, format);
		return;
	}
	if (retained && !retained->volume && !retained->problem)
		retained = NULL;
	pool_path = cb_builder_pool(builder, volume.pool);
	if (!pool_path)
		return;
	unlist(stamp, role);
	if (retained) {
		if (!take_retained(builder, disk, format, size, retained))
			return;
		volume.name = retained->volume;
		volume.path = retained->path;
		if (!of_this_vm(builder, disk))
			cb_builder_problem(
				builder, CB_WARNING, "disk.retained",
				cb_arena_printf(a,
						"the disk '%s' will be '%s', which is there "
						"already, with what it holds",
						disk, volume.name),
				"say `fresh: true` of the disk for a new one");
	} else {
		if (image) {
			backing = cb_builder_import(builder, image, volume.pool, pool_path, stamp);
			if (size == 0)
				size = image->capacity;
			if (image->capacity > size)
				cb_builder_problem(
					builder, CB_PROBLEM, "image.size",
					cb_arena_printf(a,
							"image '%s' is larger than the disk '%s'",
							image->ref, disk),
					"raise the disk's size, or leave it out");
		}
		volume.name = cb_arena_printf(
			a, "%s-%s-%s-%s.%s", builder->change->name, disk,
			cb_owned_tag(a, builder->input->owner, builder->change->name, disk),
			builder->suffix, format);
		volume.path = cb_arena_printf(a, "%s/%s", pool_path, volume.name);
		create_volume(builder, &volume, format, size, backing,
			      image ? image->format : NULL);
	}
	cb_vec_push(a, &stamp->volumes, volume);
	attach(builder, set, disk, volume.path, format);
}

/* The generation of a seed stands where an image has its digest: it says what is in it. */
static int64_t generation_of(const struct cb_builder *builder)
{
	const struct cb_stamp_volume *old =
		builder->change->domain ? cb_stamp_volume_of(builder->change->domain->stamp, "seed")
					: NULL;

	return old ? strtoll(old->digest, NULL, 10) + (builder->change->rerun ? 1 : 0) : 1;
}

void cb_builder_seed(struct cb_builder *builder, struct cb_spec *set, struct cb_stamp *stamp)
{
	struct cb_arena *a = builder->arena;
	int64_t generation = generation_of(builder);
	struct cb_stamp_volume volume = {.role = "seed",
					 .pool = cb_builder_pool_name(builder, NULL),
					 .deletion = CB_DELETE_WITH_VM,
					 .digest = cb_arena_printf(a, "%" PRId64, generation)};
	const char *pool_path = cb_builder_pool(builder, volume.pool);
	struct cb_step *step;

	if (!pool_path)
		return;
	volume.name = cb_arena_printf(a, "%s-seed-%s.iso", builder->change->name, builder->suffix);
	volume.path = cb_arena_printf(a, "%s/%s", pool_path, volume.name);
	step = cb_builder_step(builder, CB_STEP_KIND_SEED_CREATE, volume.name);
	cb_builder_arg(builder, step, "pool", cb_string(volume.pool));
	cb_builder_arg(builder, step, "volume", cb_string(volume.name));
	cb_builder_arg(builder, step, "path", cb_string(volume.path));
	cb_builder_arg(builder, step, "generation", cb_int(generation));
	unlist(stamp, "seed");
	cb_vec_push(a, &stamp->volumes, volume);
	attach(builder, set, "seed", volume.path, "raw");
	cb_spec_set(a, set, "disks[seed].readonly", cb_bool(true), derived);
}
