/* Into the trash and back: the domain is renamed, and keeps what is its own. */
#include <string.h>

#include "reconciler/plan/plan_internal.h"

static const struct cb_origin derived = {.from = CB_FROM_DEFAULT};

static struct cb_step *domain_step(struct cb_builder *builder, enum cb_step_kind kind)
{
	struct cb_step *step = cb_builder_step(builder, kind, builder->change->domain->name);

	cb_builder_arg(builder, step, "uuid", cb_string(builder->transaction.uuid));
	return step;
}

/* The domain's stamp, carried on under another name. */
static struct cb_stamp *stamp_as(struct cb_builder *builder, const char *name)
{
	const struct cb_stamp *old = builder->change->domain->stamp;
	struct cb_stamp *stamp = cb_arena_new(builder->arena, struct cb_stamp);

	*stamp = *old;
	stamp->name = name;
	stamp->controller = builder->input->controller;
	stamp->transaction = builder->transaction.id;
	stamp->generation = old->generation + 1;
	stamp->applied = (struct cb_spec){0};
	stamp->volumes.items = NULL;
	stamp->volumes.len = stamp->volumes.cap = 0;
	cb_vec_each (const struct cb_entry, entry, &old->applied)
		cb_spec_set(builder->arena, &stamp->applied, entry->path, entry->value,
			    entry->origin);
	return stamp;
}

static void rename_step(struct cb_builder *builder, const char *name, const struct cb_stamp *stamp)
{
	struct cb_step *step = domain_step(builder, CB_STEP_KIND_DOMAIN_RENAME);

	cb_builder_arg(builder, step, "name", cb_string(name));
	cb_builder_arg(builder, step, "old", cb_string(builder->change->domain->name));
	step->stamp = stamp;
}

static void lock_name(struct cb_builder *builder, const char *name)
{
	cb_vec_push(
		builder->arena, &builder->transaction.locks,
		cb_arena_printf(builder->arena, "vm '%s' of %s", name, builder->transaction.uri));
}

/* Retained disks stay behind: the VM may come back anew, and wants them. */
static void leave_retained(struct cb_builder *builder, struct cb_stamp *stamp)
{
	const struct cb_domain *domain = builder->change->domain;
	struct cb_spec set = {0};
	struct cb_step *step;

	cb_vec_each (const struct cb_stamp_volume, volume, &domain->stamp->volumes) {
		const char *path;

		if (volume->deletion != CB_RETAIN ||
		    strncmp(volume->role, CB_ROLE_DISK, strlen(CB_ROLE_DISK)) != 0) {
			cb_vec_push(builder->arena, &stamp->volumes, *volume);
			continue;
		}
		path = cb_arena_printf(builder->arena, "disks[%s].source",
				       volume->role + strlen(CB_ROLE_DISK));
		if (cb_spec_find(&domain->document, path))
			cb_spec_set(builder->arena, &set, path, (struct cb_value){0}, derived);
	}
	if (set.len == 0)
		return;
	step = domain_step(builder, CB_STEP_KIND_DOMAIN_UPDATE);
	cb_builder_arg(builder, step, "fingerprint", cb_string(domain->fingerprint));
	step->set = set;
}

void cb_plan_trash(struct cb_builder *builder)
{
	const struct cb_domain *domain = builder->change->domain;
	const char *name = cb_arena_printf(builder->arena, "%s" CB_TRASH_MARK "%s", domain->name,
					   builder->suffix);
	struct cb_stamp *stamp = stamp_as(builder, name);
	struct cb_step *step;

	if (domain->snapshots || domain->checkpoints || domain->managed_save) {
		cb_builder_problem(builder, CB_PROBLEM, "trash.snapshots",
				   "a vm with snapshots, checkpoints or a saved state cannot go to "
				   "the trash: libvirt does not rename it",
				   "delete those first, or say `deletion: purge` and apply");
		return;
	}
	cb_spec_set(builder->arena, &stamp->applied, CB_TRASH_WAS, cb_string(domain->name),
		    derived);
	cb_spec_set(builder->arena, &stamp->applied, CB_TRASH_UNTIL,
		    cb_string(builder->input->trash_until), derived);
	if (domain->active)
		cb_builder_shutdown(builder);
	if (cb_spec_bool(&domain->document, "autostart", false)) {
		step = domain_step(builder, CB_STEP_KIND_DOMAIN_AUTOSTART);
		cb_builder_arg(builder, step, "on", cb_bool(false));
	}
	leave_retained(builder, stamp);
	if (builder->transaction.steps.len > 0) {
		step = &builder->transaction.steps.items[builder->transaction.steps.len - 1];
		if (step->kind == CB_STEP_KIND_DOMAIN_UPDATE)
			step->stamp = stamp;
	}
	rename_step(builder, name, stamp);
	cb_builder_release_addresses(builder);
}

void cb_plan_restore(struct cb_builder *builder)
{
	const struct cb_domain *domain = builder->change->domain;
	const char *was = cb_spec_string(&domain->stamp->applied, CB_TRASH_WAS);
	struct cb_stamp *stamp = stamp_as(builder, was);

	cb_vec_each (const struct cb_stamp_volume, volume, &domain->stamp->volumes)
		cb_vec_push(builder->arena, &stamp->volumes, *volume);
	cb_spec_unset(&stamp->applied, CB_TRASH_WAS);
	cb_spec_unset(&stamp->applied, CB_TRASH_UNTIL);
	lock_name(builder, was);
	rename_step(builder, was, stamp);
}

/* The same stamp, but for who wrote it. Where a rename was under way, that is finished with it. */
void cb_plan_hand_over(struct cb_builder *builder)
{
	const struct cb_domain *domain = builder->change->domain;
	struct cb_stamp *stamp = stamp_as(builder, domain->stamp->name);
	struct cb_step *step;

	cb_vec_each (const struct cb_stamp_volume, volume, &domain->stamp->volumes)
		cb_vec_push(builder->arena, &stamp->volumes, *volume);
	if (builder->change->fields.len > 0) {
		lock_name(builder, stamp->name);
		rename_step(builder, stamp->name, stamp);
		return;
	}
	step = domain_step(builder, CB_STEP_KIND_DOMAIN_UPDATE);
	cb_builder_arg(builder, step, "fingerprint", cb_string(domain->fingerprint));
	step->stamp = stamp;
}

/* Moves what belongs to the old root disk from one stamp's list to the other's. */
static void move_volumes(struct cb_builder *builder, struct cb_stamp *from, struct cb_stamp *to)
{
	size_t kept = 0;

	for (size_t i = 0; i < from->volumes.len; i++) {
		const struct cb_stamp_volume *volume = &from->volumes.items[i];

		if (strcmp(volume->role, "root") == 0 || strcmp(volume->role, "base") == 0)
			cb_vec_push(builder->arena, &to->volumes, *volume);
		else
			from->volumes.items[kept++] = *volume;
	}
	from->volumes.len = kept;
}

/* A domain that only holds the old disk: what was on it can be looked at, or brought back. */
static void define_tombstone(struct cb_builder *builder, struct cb_stamp *old)
{
	const struct cb_domain *domain = builder->change->domain;
	const char *name = cb_arena_printf(builder->arena, "%s" CB_TRASH_MARK "%s", domain->name,
					   builder->suffix);
	struct cb_stamp *stamp = stamp_as(builder, name);
	static const char *const kept[] = {"ram_mb", "vcpus", "accel", "machine", "firmware"};
	struct cb_step *step;

	stamp->uuid = builder->fresh;
	stamp->generation = 1;
	cb_spec_set(builder->arena, &stamp->applied, CB_TRASH_WAS, cb_string(domain->name),
		    derived);
	cb_spec_set(builder->arena, &stamp->applied, CB_TRASH_UNTIL,
		    cb_string(builder->input->trash_until), derived);
	move_volumes(builder, old, stamp);
	step = cb_builder_step(builder, CB_STEP_KIND_DOMAIN_DEFINE, name);
	cb_builder_arg(builder, step, "uuid", cb_string(builder->fresh));
	cb_builder_arg(builder, step, "name", cb_string(name));
	cb_builder_set(builder, step, "name", cb_string(name));
	for (size_t i = 0; i < CB_COUNT(kept); i++) {
		const struct cb_entry *entry = cb_spec_find(&domain->document, kept[i]);

		if (entry)
			cb_builder_set(builder, step, kept[i], entry->value);
	}
	cb_vec_each (const struct cb_stamp_volume, volume, &stamp->volumes) {
		if (strcmp(volume->role, "root") != 0)
			continue;
		cb_builder_set(builder, step, "disks[root].source", cb_string(volume->path));
		cb_builder_set(builder, step, "disks[root].format", cb_string("qcow2"));
	}
	step->stamp = stamp;
}

void cb_builder_replace_root(struct cb_builder *builder, struct cb_spec *set,
			     struct cb_stamp *stamp)
{
	const char *pool = cb_builder_pool_name(builder, NULL);
	const char *pool_path = cb_builder_pool(builder, pool), *path;
	bool had_root = cb_stamp_volume_of(stamp, "root") != NULL;
	struct cb_stamp old = *stamp;

	if (!pool_path)
		return;
	/* The list that the tombstone takes from; the new disk is listed in the other. */
	old.volumes.items = NULL;
	old.volumes.len = old.volumes.cap = 0;
	cb_vec_each (const struct cb_stamp_volume, volume, &stamp->volumes)
		cb_vec_push(builder->arena, &old.volumes, *volume);
	stamp->volumes.len = 0;
	cb_vec_each (const struct cb_stamp_volume, volume, &old.volumes) {
		if (strcmp(volume->role, "root") != 0 && strcmp(volume->role, "base") != 0)
			cb_vec_push(builder->arena, &stamp->volumes, *volume);
	}
	path = cb_builder_root_disk(builder, pool, pool_path, stamp);
	if (had_root)
		define_tombstone(builder, &old);
	cb_spec_set(builder->arena, set, "disks[root].source", cb_string(path), derived);
	if (path)
		cb_spec_set(builder->arena, set, "disks[root].format", cb_string("qcow2"), derived);
}
