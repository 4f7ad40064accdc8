/* Transactions of networks and pools. */
#include <string.h>

#include "reconciler/model/address.h"
#include "reconciler/plan/plan_internal.h"

static struct cb_step *network_step(struct cb_builder *builder, enum cb_step_kind kind)
{
	struct cb_step *step = cb_builder_step(builder, kind, builder->change->name);

	cb_builder_arg(builder, step, "uuid", cb_string(builder->transaction.uuid));
	return step;
}

/* What the document says; autostart is a link beside it. */
static void set_document(struct cb_builder *builder, struct cb_step *step)
{
	cb_vec_each (const struct cb_field_change, field, &builder->change->fields) {
		if (strcmp(field->path, "autostart") != 0)
			cb_builder_set(builder, step, field->path, field->new);
	}
}

static bool autostart_changes(const struct cb_change *change, bool *on)
{
	cb_vec_each (const struct cb_field_change, field, &change->fields) {
		if (strcmp(field->path, "autostart") != 0)
			continue;
		*on = field->new.boolean;
		return change->network || *on;
	}
	return false;
}

static void autostart_step(struct cb_builder *builder)
{
	bool on;

	if (autostart_changes(builder->change, &on))
		cb_builder_arg(builder, network_step(builder, CB_STEP_KIND_NETWORK_AUTOSTART), "on",
			       cb_bool(on));
}

static void create(struct cb_builder *builder)
{
	struct cb_step *step = network_step(builder, CB_STEP_KIND_NETWORK_DEFINE);

	cb_builder_arg(builder, step, "name", cb_string(builder->change->name));
	set_document(builder, step);
	autostart_step(builder);
	(void)network_step(builder, CB_STEP_KIND_NETWORK_START);
}

/* Addresses that were kept for NICs and are none of the network's any more. The VMs that are on it
 * ask for new ones after this. */
static void drop_hosts(struct cb_builder *builder, struct cb_step *step)
{
	static const struct cb_value nothing;
	const char *cidr = cb_spec_string(&builder->change->wanted, "cidr");

	cb_vec_each (const struct cb_entry, entry, &builder->change->network->document) {
		if (strncmp(entry->path, "hosts[", 6) == 0 && strstr(entry->path, "].ip") &&
		    !(cidr && cb_address_in(cidr, entry->value.string)))
			cb_builder_set(builder, step, entry->path, nothing);
	}
}

static void update(struct cb_builder *builder)
{
	const struct cb_network *network = builder->change->network;
	bool document = false;

	cb_vec_each (const struct cb_field_change, field, &builder->change->fields)
		document = document || strcmp(field->path, "autostart") != 0;
	if (document) {
		struct cb_step *step = network_step(builder, CB_STEP_KIND_NETWORK_UPDATE);

		cb_builder_arg(builder, step, "fingerprint", cb_string(network->fingerprint));
		set_document(builder, step);
		drop_hosts(builder, step);
	}
	autostart_step(builder);
	if (!network->active)
		(void)network_step(builder, CB_STEP_KIND_NETWORK_START);
}

/* After the VMs that are on it. */
static void remove_network(struct cb_builder *builder)
{
	const struct cb_network *network = builder->change->network;
	struct cb_step *step;

	cb_vec_each (const struct cb_transaction, vm, &builder->plan->transactions) {
		if (vm->target == CB_TARGET_VM && vm->action == CB_ACTION_DELETE)
			cb_builder_after(builder, vm->id);
	}
	step = network_step(builder, CB_STEP_KIND_NETWORK_REMOVE);
	cb_builder_arg(builder, step, "fingerprint", cb_string(network->fingerprint));
	cb_builder_arg(builder, step, "active", cb_bool(network->active));
	cb_builder_arg(builder, step, "autostart", cb_bool(network->autostart));
}

void cb_plan_network(struct cb_builder *builder)
{
	switch (builder->change->action) {
	case CB_ACTION_CREATE:
		create(builder);
		break;
	case CB_ACTION_UPDATE:
		update(builder);
		break;
	case CB_ACTION_DELETE:
		remove_network(builder);
		break;
	case CB_ACTION_NOOP:
		break;
	}
}

void cb_plan_pool(struct cb_builder *builder)
{
	const struct cb_change *change = builder->change;
	struct cb_step *step = cb_builder_step(builder, CB_STEP_KIND_POOL_ENSURE, change->name);

	cb_builder_arg(builder, step, "pool", cb_string(change->name));
	cb_builder_arg(builder, step, "path",
		       cb_string(change->pool ? change->pool->path
					      : cb_spec_string(&change->wanted, "path")));
	cb_builder_arg(builder, step, "define", cb_bool(!change->pool));
	if (!change->pool)
		cb_builder_arg(builder, step, "uuid", cb_string(builder->transaction.uuid));
	if (!cb_spec_bool(&change->wanted, "autostart", true))
		cb_builder_arg(builder, step, "manual", cb_bool(true));
}
