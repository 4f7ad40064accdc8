#include "reconciler/plan/plan_internal.h"

#include <string.h>

/* Whether it is what a disk stands on that stays. */
static bool under_retained(const struct cb_stamp *stamp, const struct cb_stamp_volume *image)
{
	cb_vec_each (const struct cb_stamp_volume, volume, &stamp->volumes) {
		if (volume->deletion == CB_RETAIN && strncmp(image->role, "image:", 6) == 0 &&
		    strncmp(volume->role, CB_ROLE_DISK, strlen(CB_ROLE_DISK)) == 0 &&
		    strcmp(volume->role + strlen(CB_ROLE_DISK), image->role + 6) == 0)
			return true;
	}
	return false;
}

static void delete_volumes(struct cb_builder *builder, enum cb_deletion deletion)
{
	const struct cb_domain *domain = builder->change->domain;

	cb_vec_each (const struct cb_stamp_volume, volume, &domain->stamp->volumes) {
		struct cb_step *step;

		if (volume->deletion != deletion)
			continue;
		/* Also where it stays: two that go at once must not each leave it to the other. */
		if (deletion == CB_SHARED)
			cb_builder_lock_image(builder, volume->digest);
		if (under_retained(domain->stamp, volume))
			continue;
		if (cb_builder_referenced(builder, volume->path, domain))
			continue;
		step = cb_builder_step(builder, CB_STEP_KIND_VOLUME_DELETE, volume->name);
		cb_builder_arg(builder, step, "pool", cb_string(volume->pool));
		cb_builder_arg(builder, step, "volume", cb_string(volume->name));
		cb_builder_arg(builder, step, "path", cb_string(volume->path));
		cb_builder_arg(builder, step, "data",
			       cb_bool(deletion == CB_DELETE_WITH_VM &&
				       strcmp(volume->role, "seed") != 0));
	}
}

void cb_plan_delete(struct cb_builder *builder)
{
	const struct cb_domain *domain = builder->change->domain;
	struct cb_step *step;

	if (!cb_stamp_is_trash(domain->stamp) && cb_stamp_wants_trash(domain->stamp)) {
		cb_plan_trash(builder);
		return;
	}
	if (domain->active)
		cb_builder_shutdown(builder);
	step = cb_builder_step(builder, CB_STEP_KIND_DOMAIN_UNDEFINE, builder->change->name);
	cb_builder_arg(builder, step, "uuid", cb_string(domain->uuid));
	cb_builder_arg(builder, step, "fingerprint", cb_string(domain->fingerprint));
	cb_builder_arg(builder, step, "autostart",
		       cb_bool(cb_spec_bool(&domain->document, "autostart", false)));
	/* What goes with the definition and stands in no document cannot be brought back. */
	if (domain->managed_save || domain->snapshots || domain->checkpoints || domain->nvram)
		step->reversible = CB_IRREVERSIBLE;
	cb_builder_release_addresses(builder);
	/* Overlays before the images under them. */
	delete_volumes(builder, CB_DELETE_WITH_VM);
	delete_volumes(builder, CB_SHARED);
}
