#include "reconciler/plan/plan_internal.h"

#include <string.h>

#include "reconciler/model/field.h"

static struct cb_step *domain_step(struct cb_builder *builder, enum cb_step_kind kind)
{
	struct cb_step *step = cb_builder_step(builder, kind, builder->change->name);

	cb_builder_arg(builder, step, "uuid", cb_string(builder->transaction.uuid));
	return step;
}

/* Drops the volume of this role from the stamp; returns what it was. */
static struct cb_stamp_volume take_volume(struct cb_stamp *stamp, const char *role)
{
	struct cb_stamp_volume found = {0};
	size_t kept = 0;

	for (size_t i = 0; i < stamp->volumes.len; i++) {
		if (!found.role && strcmp(stamp->volumes.items[i].role, role) == 0)
			found = stamp->volumes.items[i];
		else
			stamp->volumes.items[kept++] = stamp->volumes.items[i];
	}
	stamp->volumes.len = kept;
	return found;
}

/* Images that the new definition does not name any more. They stay in the stamp, under a role that
 * no field has, until they can go: a running machine may need its old kernel still. */
#define RETIRED "retired"

static void retire(struct cb_builder *builder, struct cb_stamp *stamp, const char *role)
{
	struct cb_stamp_volume old = take_volume(stamp, role);

	if (!old.role || old.deletion == CB_RETAIN)
		return;
	old.role = RETIRED;
	cb_vec_push(builder->arena, &stamp->volumes, old);
}

/* boot.kernel and boot.initrd: a new file is imported, a file that a person replaced by hand is put
 * back from the volume that is there still. Returns the host's path, nothing if there is none now.
 */
static struct cb_value boot_path(struct cb_builder *builder, const char *role,
				 struct cb_stamp *stamp)
{
	const struct cb_image *image = cb_builder_image(builder, role);
	const struct cb_stamp_volume *now =
		cb_stamp_volume_of(builder->change->domain->stamp, role);
	const char *path = cb_arena_printf(builder->arena, "boot.%s", role);
	const char *pool, *pool_path;

	if (!image && cb_spec_string(&builder->change->wanted, path) && now)
		return cb_string(now->path);
	retire(builder, stamp, role);
	if (!image)
		return (struct cb_value){0};
	pool = cb_spec_string(&builder->change->wanted, "pool");
	pool_path = cb_builder_pool(builder, pool ? pool : "default");
	if (!pool_path)
		return (struct cb_value){0};
	return cb_string(
		cb_builder_import(builder, image, pool ? pool : "default", pool_path, stamp));
}

static bool in_document(const char *path)
{
	return strcmp(path, "autostart") != 0 && strcmp(path, "state") != 0;
}

static void live_steps(struct cb_builder *builder, bool restarting)
{
	const struct cb_change *change = builder->change;

	cb_vec_each (const struct cb_field_change, field, &change->fields) {
		struct cb_step *step;

		if (field->cost != CB_COST_LIVE || restarting || !in_document(field->path) ||
		    strchr(field->path, '['))
			continue;
		step = domain_step(builder, CB_STEP_KIND_DOMAIN_LIVE);
		cb_builder_arg(builder, step, "path", cb_string(field->path));
		cb_builder_arg(builder, step, "value", field->new);
		cb_builder_arg(builder, step, "old",
			       cb_spec_find(&change->domain->live, field->path)
				       ? cb_spec_find(&change->domain->live, field->path)->value
				       : field->old);
	}
}

static void autostart_step(struct cb_builder *builder)
{
	cb_vec_each (const struct cb_field_change, field, &builder->change->fields) {
		struct cb_step *step;

		if (strcmp(field->path, "autostart") != 0 ||
		    cb_value_equal(&field->old, &field->new))
			continue;
		step = domain_step(builder, CB_STEP_KIND_DOMAIN_AUTOSTART);
		cb_builder_arg(builder, step, "on", field->new);
	}
}

/* Deletes what is retired and not in use. */
static void delete_retired(struct cb_builder *builder, struct cb_stamp *stamp)
{
	struct cb_stamp_volume old;

	while ((old = take_volume(stamp, RETIRED)).role) {
		struct cb_step *step;

		if (old.deletion == CB_SHARED)
			cb_builder_lock_image(builder, old.digest);
		if (cb_builder_referenced(builder, old.path, builder->change->domain))
			continue;
		step = cb_builder_step(builder, CB_STEP_KIND_VOLUME_DELETE, old.name);
		cb_builder_arg(builder, step, "pool", cb_string(old.pool));
		cb_builder_arg(builder, step, "volume", cb_string(old.name));
		cb_builder_arg(builder, step, "path", cb_string(old.path));
	}
}

/* One field that differs, in the words of the document. */
static void set_field(struct cb_builder *builder, const struct cb_field_change *field,
		      struct cb_spec *set, struct cb_stamp *stamp)
{
	static const struct cb_origin derived = {.from = CB_FROM_DEFAULT};
	const char *disk = cb_field_element(builder->arena, "disks", field->path);
	bool name = strstr(field->path, "].name") != NULL;

	if (strcmp(field->path, "boot.kernel") == 0)
		cb_spec_set(builder->arena, set, field->path, boot_path(builder, "kernel", stamp),
			    derived);
	else if (strcmp(field->path, "boot.initrd") == 0)
		cb_spec_set(builder->arena, set, field->path, boot_path(builder, "initrd", stamp),
			    derived);
	else
		cb_builder_field(builder, set, field->path, field->new);
	if (disk && name && field->new.kind == CB_STRING)
		cb_builder_disk(builder, disk, set, stamp);
}

/* `deletion` of a disk stands in the stamp's list of volumes. */
static void set_deletion(struct cb_builder *builder, const struct cb_field_change *field,
			 struct cb_stamp *stamp)
{
	const char *disk = cb_field_element(builder->arena, "disks", field->path), *role;

	if (!disk || !strstr(field->path, "].deletion"))
		return;
	role = cb_arena_printf(builder->arena, CB_ROLE_DISK "%s", disk);
	cb_vec_each (struct cb_stamp_volume, volume, &stamp->volumes) {
		if (strcmp(volume->role, role) == 0)
			volume->deletion =
				field->new.kind == CB_STRING &&strcmp(field->new.string, "purge") ==
						0
					? CB_DELETE_WITH_VM
					: CB_RETAIN;
	}
}

void cb_plan_update(struct cb_builder *builder)
{
	const struct cb_change *change = builder->change;
	bool active = change->domain->active, wants_restart = false, configured = false;
	bool restarting;
	struct cb_stamp *stamp = cb_builder_stamp(builder, builder->transaction.uuid);
	struct cb_spec set = {0};
	struct cb_step *step;

	cb_vec_each (const struct cb_field_change, field, &change->fields) {
		wants_restart = wants_restart || field->staged ||
				(strcmp(field->path, "state") == 0 && active &&
				 change->aim != CB_AIM_STOPPED);
		if (field->decision == GUEST_CHANGED)
			continue;
		configured = configured || strcmp(field->path, "state") != 0;
		set_deletion(builder, field, stamp);
		if (in_document(field->path) && !cb_value_equal(&field->old, &field->new))
			set_field(builder, field, &set, stamp);
	}
	if (change->recreate)
		cb_builder_replace_root(builder, &set, stamp);
	if (change->reseed) {
		retire(builder, stamp, "seed");
		cb_builder_seed(builder, &set, stamp);
		configured = true;
	}
	cb_builder_nics(builder, &set);
	cb_builder_check_host(builder);
	cb_builder_check_space(builder);
	/* Consent to a new root disk is consent to the restart that it takes. */
	restarting =
		active && change->aim != CB_AIM_STOPPED &&
		(change->recreate || (wants_restart && (builder->input->flags & CB_PLAN_RESTART)));
	/* The machine that still had them goes: the stamp can forget them. */
	configured = configured || (restarting && cb_stamp_volume_of(stamp, RETIRED));
	if (configured || change->taken_over) {
		step = domain_step(builder, CB_STEP_KIND_DOMAIN_UPDATE);
		cb_builder_arg(builder, step, "fingerprint",
			       cb_string(change->domain->fingerprint));
		step->set = set;
		step->stamp = stamp;
	}
	autostart_step(builder);
	live_steps(builder, restarting);
	if (active && (restarting || change->aim == CB_AIM_STOPPED))
		cb_builder_shutdown(builder);
	if (restarting || (!active && change->aim == CB_AIM_RUNNING))
		(void)domain_step(builder, CB_STEP_KIND_DOMAIN_START);
	/* Only once no running machine has them, and only where the stamp is written anyway. */
	if (configured && (!active || restarting || change->aim == CB_AIM_STOPPED))
		delete_retired(builder, stamp);
}
