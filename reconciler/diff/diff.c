#include "reconciler/diff/diff_internal.h"

#include <string.h>

#include "reconciler/base/str.h"

const struct cb_domain *cb_diff_match(const struct cb_domains *domains, const char *name)
{
	const struct cb_domain *named = NULL;

	cb_vec_each (const struct cb_domain, domain, domains) {
		if (domain->ownership == CB_OURS && strcmp(domain->stamp->name, name) == 0)
			return domain;
		if (strcmp(domain->name, name) == 0)
			named = domain;
	}
	return named;
}

void cb_diff_refuse(struct cb_change *change, enum cb_decision decision, const char *why,
		    const char *fix)
{
	change->decision = decision;
	change->refusal = why;
	change->fix = fix;
}

/* Case 23. A manifest that was moved or cloned elsewhere is the common innocent case, two vms that
 * happen to have one name (it is `dev` in every manifest to begin with) the dangerous one: only a
 * person can tell them apart, with all that is known of the other manifest. */
static void refuse_source(struct cb_arena *a, const struct cb_vm *vm,
			  const struct cb_domain *domain, const struct cb_diff_context *context,
			  struct cb_change *change)
{
	const struct cb_stamp *stamp = domain->stamp;
	bool elsewhere = context->controller && strcmp(stamp->controller, context->controller) != 0;
	const char *where = elsewhere ? " (applied by another installation)" : "";
	const char *fix = "if this is that manifest, copied here for good, say --take-over, once; "
			  "if it is not, apply from there, or give this vm another name";

	cb_vec_each (const char *const, gone, &context->gone) {
		if (elsewhere || strcmp(*gone, stamp->source) != 0)
			continue;
		where = " (which is not there any more)";
		fix = "if that manifest has moved here, say --take-over, once; if this is another "
		      "vm, give it another name";
	}
	cb_diff_refuse(
		change, CB_CASE_OTHER_SOURCE,
		cb_arena_printf(a,
				"vm '%s' is managed from another manifest, %s%s; this one is "
				"%s",
				domain->name, stamp->source, where, vm->source),
		fix);
}

/* Cases 20 to 26: domains that this manifest may not touch. Returns whether it may. */
static bool may_touch(struct cb_arena *a, const struct cb_vm *vm, const struct cb_domain *domain,
		      const struct cb_diff_context *context, struct cb_change *change)
{
	const struct cb_stamp *stamp = domain->stamp;

	switch (domain->ownership) {
	case CB_FOREIGN:
		cb_diff_refuse(
			change, CB_CASE_FOREIGN,
			cb_arena_printf(a,
					"domain '%s' (%s) exists on the host and was not made by "
					"clonebox",
					domain->name, domain->uuid),
			"choose another name, or remove that domain yourself");
		return false;
	case CB_COPIED_STAMP:
		cb_diff_refuse(
			change, CB_CASE_COPIED_STAMP,
			cb_arena_printf(
				a,
				"domain '%s' (%s) carries a stamp issued for domain %s: it is "
				"a copy made outside clonebox, and so not ours",
				domain->name, domain->uuid, stamp->uuid),
			"choose another name, or rename the copy");
		return false;
	case CB_OTHER_OWNER:
		cb_diff_refuse(
			change, CB_CASE_OTHER_OWNER,
			cb_arena_printf(a, "domain '%s' belongs to owner '%s' (from %s)",
					domain->name, stamp->owner, stamp->source),
			"choose another name, or say that owner in the manifest if it is yours");
		return false;
	case CB_UNREADABLE:
		cb_diff_refuse(change, CB_CASE_UNREADABLE_STAMP,
			       cb_arena_printf(a, "the stamp of domain '%s' cannot be read: %s",
					       domain->name, domain->stamp_problem),
			       "use the version of clonebox that wrote it, or a newer one");
		return false;
	case CB_OURS:
		break;
	}
	if (strcmp(domain->name, stamp->name) != 0) {
		bool in_between = cb_diff_between_names(domain);

		cb_diff_refuse(
			change, CB_CASE_RENAMED,
			cb_arena_printf(a, "the domain of vm '%s' has been renamed to '%s'%s",
					stamp->name, domain->name, in_between ? "" : " by hand"),
			cb_arena_printf(a, "%srename it back: virsh domrename %s %s",
					in_between ? "a run may just be taking it to the trash or "
						     "back: look again; if it stays so, "
						   : "",
					domain->name, stamp->name));
		return false;
	}
	if (!domain->persistent) {
		cb_diff_refuse(
			change, CB_CASE_TRANSIENT,
			cb_arena_printf(a,
					"domain '%s' is transient: it has no definition to change",
					domain->name),
			"somebody undefined it while it ran; shut it down, then apply again");
		return false;
	}
	if (vm && strcmp(stamp->source, vm->source) != 0 && !context->take_over) {
		refuse_source(a, vm, domain, context, change);
		return false;
	}
	return true;
}

static const char *shown(struct cb_arena *a, const struct cb_field_change *change,
			 const struct cb_value *value)
{
	const struct cb_field *field = cb_field_find(CB_SCOPE_VM, change->path);
	cb_auto_str struct cb_str size = {0};

	if (cb_diff_empty(value))
		return "none";
	if (change->origin.sensitive)
		return "(sensitive)";
	if (!field || field->type != CB_TYPE_SIZE || value->kind != CB_INT)
		return cb_value_text(a, value);
	cb_str_size(&size, (uint64_t)value->integer);
	return cb_arena_strdup(a, size.text);
}

/* "ram_mb (10 to 20), pool (a to b)": the fields of this decision, NULL if there are none. */
static const char *list_fields(struct cb_arena *a, const struct cb_change *change,
			       enum cb_decision decision)
{
	const char *list = NULL;

	cb_vec_each (const struct cb_field_change, field, &change->fields) {
		if (field->decision != decision)
			continue;
		list = cb_arena_printf(a, "%s%s%s (%s to %s)", list ? list : "", list ? ", " : "",
				       field->path, shown(a, field, &field->old),
				       shown(a, field, &field->new));
	}
	return list;
}

/* Cases 10, 11 and 16: what an existing VM cannot become, or only with a new root disk. */
static void refuse_immutable(struct cb_arena *a, struct cb_change *change)
{
	const char *changed = list_fields(a, change, CB_CASE_IMMUTABLE_CHANGED);
	const char *anew = list_fields(a, change, CB_CASE_RECREATE);

	if (changed)
		cb_diff_refuse(
			change, CB_CASE_IMMUTABLE_CHANGED,
			cb_arena_printf(a, "this cannot change on an existing vm: %s", changed),
			"put the old value back, or destroy the vm and apply again");
	else if (list_fields(a, change, CB_CASE_IMMUTABLE_DRIFT))
		cb_diff_refuse(change, CB_CASE_IMMUTABLE_DRIFT,
			       cb_arena_printf(a,
					       "the root disk of domain '%s' is not the one that "
					       "clonebox made",
					       change->name),
			       "attach the old disk again, or destroy the vm and apply again");
	else if (anew && !change->recreate)
		cb_diff_refuse(
			change, CB_CASE_RECREATE,
			cb_arena_printf(a, "this needs a new root disk: %s", anew),
			"put the old value back; or say `recreate: allow` in the manifest or "
			"--allow-recreate: the vm starts afresh, the old disk goes to the "
			"trash, data disks stay");
}

static void aim_at(const struct cb_vm *vm, struct cb_change *change)
{
	const char *state = cb_spec_string(&vm->spec, "state");

	if (state && strcmp(state, "stopped") == 0)
		change->aim = CB_AIM_STOPPED;
	else if (state && strcmp(state, "running") == 0)
		change->aim = CB_AIM_RUNNING;
	else
		change->aim = change->domain ? CB_AIM_AS_FOUND : CB_AIM_RUNNING;
}

/* Whether one side has a disk or NIC of ours that the other has not. */
static bool other_devices(const struct cb_spec *one, const struct cb_spec *other)
{
	cb_vec_each (const struct cb_entry, entry, one) {
		const char *end = strstr(entry->path, "].");

		if (end && (strcmp(end, "].source") == 0 || strcmp(end, "].type") == 0) &&
		    !cb_spec_find(other, entry->path))
			return true;
	}
	return false;
}

bool cb_diff_pending_restart(const struct cb_domain *domain)
{
	if (!domain->active)
		return false;
	if (other_devices(&domain->document, &domain->live) ||
	    other_devices(&domain->live, &domain->document))
		return true;
	cb_vec_each (const struct cb_entry, live, &domain->live) {
		const struct cb_entry *defined = cb_spec_find(&domain->document, live->path);

		/* Only what both sides speak of; ".max" and the like have no counterpart. */
		if (defined && strcmp(live->path, "state") != 0 &&
		    !cb_value_equal(&live->value, &defined->value))
			return true;
	}
	return false;
}

/* A guest that shall not be told again is only spoken of (case 15). */
static bool anything_to_do(const struct cb_change *change)
{
	cb_vec_each (const struct cb_field_change, field, &change->fields) {
		if (field->decision != CB_CASE_GUEST_CHANGED || change->reseed)
			return true;
	}
	return false;
}

static void add_state(struct cb_arena *a, const struct cb_diff_context *context,
		      struct cb_change *change)
{
	const struct cb_entry *said = cb_spec_find(&change->vm->spec, "state");
	bool active = change->domain->active;
	struct cb_field_change out = {"state",
				      cb_string(active ? "running" : "stopped"),
				      {0},
				      CB_COST_NONE,
				      false,
				      0,
				      {.from = CB_FROM_DEFAULT}};

	if (change->aim == CB_AIM_RUNNING && !active) {
		out.decision = CB_CASE_START;
		out.new = cb_string("running");
	} else if (change->aim == CB_AIM_STOPPED && active) {
		out.decision = CB_CASE_STOP;
		out.new = cb_string("stopped");
		out.cost = CB_COST_RESTART;
	} else if (change->aim != CB_AIM_STOPPED && context->restart && !anything_to_do(change) &&
		   cb_diff_pending_restart(change->domain)) {
		out.decision = CB_CASE_PENDING_RESTART;
		out.new = cb_string("restarted");
		out.cost = CB_COST_RESTART;
	} else {
		return;
	}
	if (said)
		out.origin = said->origin;
	cb_vec_push(a, &change->fields, out);
}

static void diff_existing(struct cb_arena *a, const struct cb_diff_context *context,
			  struct cb_change *change)
{
	cb_diff_fields(a, context, change);
	add_state(a, context, change);
	refuse_immutable(a, change);
	if (change->refusal)
		return;
	change->taken_over = strcmp(change->domain->stamp->source, change->vm->source) != 0;
	if (change->taken_over)
		change->decision = CB_CASE_OTHER_SOURCE;
	else
		change->decision = anything_to_do(change) ? CB_CASE_CHANGED : CB_CASE_IN_SYNC;
	change->action = change->decision == CB_CASE_IN_SYNC ? CB_ACTION_NOOP : CB_ACTION_UPDATE;
}

static void diff_new(struct cb_arena *a, const struct cb_diff_context *context,
		     struct cb_change *change)
{
	change->action = CB_ACTION_CREATE;
	change->decision = CB_CASE_CREATE;
	cb_diff_fields(a, context, change);
}

void cb_diff_vm(struct cb_arena *arena, const struct cb_vm *vm, const struct cb_domains *domains,
		const struct cb_diff_context *context, struct cb_change *out)
{
	const char *state = cb_spec_string(&vm->spec, "state");

	if (state && strcmp(state, "absent") == 0) {
		cb_diff_absent(arena, vm->name, vm, domains, context, out);
		return;
	}
	*out = (struct cb_change){
		.name = vm->name, .vm = vm, .domain = cb_diff_match(domains, vm->name)};
	aim_at(vm, out);
	if (!out->domain)
		diff_new(arena, context, out);
	else if (may_touch(arena, vm, out->domain, context, out))
		diff_existing(arena, context, out);
}

/* Protection is kept in the stamp, so that taking the block out of the manifest does not end it;
 * and one that has just been written holds before it was applied. */
bool cb_diff_is_protected(const struct cb_vm *vm, const struct cb_domain *domain)
{
	return cb_spec_bool(&domain->stamp->applied, "protect", false) ||
	       (vm && cb_spec_bool(&vm->spec, "protect", false));
}

void cb_diff_absent(struct cb_arena *arena, const char *name, const struct cb_vm *vm,
		    const struct cb_domains *domains, const struct cb_diff_context *context,
		    struct cb_change *out)
{
	*out = (struct cb_change){.name = name,
				  .vm = vm,
				  .domain = cb_diff_match(domains, name),
				  .aim = CB_AIM_STOPPED,
				  .decision = CB_CASE_ALREADY_ABSENT};
	if (!out->domain || !may_touch(arena, vm, out->domain, context, out))
		return;
	if (cb_diff_is_protected(vm, out->domain)) {
		cb_diff_refuse(out, CB_CASE_PROTECTED, "it is protected",
			       "say `protect: false` in its manifest and apply, then remove it");
		return;
	}
	out->action = CB_ACTION_DELETE;
	out->decision = CB_CASE_DELETE;
	out->cost = CB_COST_RECREATE;
}
