#include "reconciler/plan/plan_internal.h"

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
		if (cb_builder_referenced(builder, volume->path, domain))
			continue;
		step = cb_builder_step(builder, CB_STEP_KIND_VOLUME_DELETE, volume->name);
		cb_builder_arg(builder, step, "pool", cb_string(volume->pool));
		cb_builder_arg(builder, step, "volume", cb_string(volume->name));
		cb_builder_arg(builder, step, "path", cb_string(volume->path));
		cb_builder_arg(builder, step, "data", cb_bool(deletion == CB_DELETE_WITH_VM));
	}
}

void cb_plan_delete(struct cb_builder *builder)
{
	const struct cb_domain *domain = builder->change->domain;
	struct cb_step *step;

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
	/* Overlays before the images under them. */
	delete_volumes(builder, CB_DELETE_WITH_VM);
	delete_volumes(builder, CB_SHARED);
}
