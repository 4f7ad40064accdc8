#include "reconciler/diff/diff.h"

#include <string.h>

#include "reconciler/model/field.h"

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

static void refuse(struct cb_change *change, enum cb_decision decision, const char *why,
		   const char *fix)
{
	change->decision = decision;
	change->refusal = why;
	change->fix = fix;
}

/* Cases 20 to 26: domains that this manifest may not touch. Returns whether it may. */
static bool may_touch(struct cb_arena *a, const struct cb_vm *vm, const struct cb_domain *domain,
		      const struct cb_diff_context *context, struct cb_change *change)
{
	const struct cb_stamp *stamp = domain->stamp;

	switch (domain->ownership) {
	case CB_FOREIGN:
		refuse(change, CB_CASE_FOREIGN,
		       cb_arena_printf(a,
				       "domain '%s' (%s) exists on the host and was not made by "
				       "clonebox",
				       domain->name, domain->uuid),
		       "choose another name, or remove that domain yourself");
		return false;
	case CB_COPIED_STAMP:
		refuse(change, CB_CASE_COPIED_STAMP,
		       cb_arena_printf(
			       a,
			       "domain '%s' (%s) carries a stamp issued for domain %s: it is "
			       "a copy made outside clonebox, and so not ours",
			       domain->name, domain->uuid, stamp->uuid),
		       "choose another name, or rename the copy");
		return false;
	case CB_OTHER_OWNER:
		refuse(change, CB_CASE_OTHER_OWNER,
		       cb_arena_printf(a, "domain '%s' belongs to owner '%s' (from %s)",
				       domain->name, stamp->owner, stamp->source),
		       "choose another name, or say that owner in the manifest if it is yours");
		return false;
	case CB_UNREADABLE:
		refuse(change, CB_CASE_UNREADABLE_STAMP,
		       cb_arena_printf(a, "the stamp of domain '%s' cannot be read: %s",
				       domain->name, domain->stamp_problem),
		       "use the version of clonebox that wrote it, or a newer one");
		return false;
	case CB_OURS:
		break;
	}
	if (strcmp(domain->name, stamp->name) != 0) {
		refuse(change, CB_CASE_RENAMED,
		       cb_arena_printf(a, "the domain of vm '%s' has been renamed to '%s' by hand",
				       stamp->name, domain->name),
		       cb_arena_printf(a, "rename it back: virsh domrename %s %s", domain->name,
				       stamp->name));
		return false;
	}
	if (!domain->persistent) {
		refuse(change, CB_CASE_TRANSIENT,
		       cb_arena_printf(a,
				       "domain '%s' is transient: it has no definition to change",
				       domain->name),
		       "somebody undefined it while it ran; shut it down, then apply again");
		return false;
	}
	if (vm && strcmp(stamp->source, vm->source) != 0 && !context->take_over) {
		refuse(change, CB_CASE_OTHER_SOURCE,
		       cb_arena_printf(a, "vm '%s' is managed from another manifest, %s",
				       domain->name, stamp->source),
		       "apply from there, or use --take-over to manage it from here");
		return false;
	}
	return true;
}

static const struct cb_value *value_of(const struct cb_spec *spec, const char *path)
{
	static const struct cb_value none;
	const struct cb_entry *entry = cb_spec_find(spec, path);

	return entry ? &entry->value : &none;
}

/* libvirt does not keep empty elements: an empty text and none are the same. */
static bool empty(const struct cb_value *value)
{
	return value->kind == CB_NONE || (value->kind == CB_STRING && value->string[0] == '\0');
}

static bool same(const struct cb_value *a, const struct cb_value *b)
{
	return (empty(a) && empty(b)) || cb_value_equal(a, b);
}

static bool is_auto(const struct cb_value *value)
{
	return value->kind == CB_STRING && strcmp(value->string, "auto") == 0;
}

/* `auto` is decided once, at creation, and recorded: the answer must not flap with the host. */
static struct cb_value resolve_auto(const struct cb_field *field, struct cb_value value,
				    const struct cb_value *recorded,
				    const struct cb_diff_context *context)
{
	if (field->type != CB_TYPE_ENUM || !is_auto(&value))
		return value;
	if (recorded->kind != CB_NONE)
		return *recorded;
	if (strcmp(field->path, "accel") == 0)
		return cb_string(context->kvm ? "kvm" : "tcg");
	if (strcmp(field->path, "network_mode") == 0)
		return cb_string(context->default_network ? "default" : "user");
	return value;
}

/* Rows that the merge looks at: configuration that libvirt realises. */
static bool merged(const struct cb_field *field)
{
	return field->scope == CB_SCOPE_VM && field->type != CB_TYPE_MAP &&
	       field->type != CB_TYPE_NAME && field->mutability != CB_MUT_STATE &&
	       field->mutability != CB_MUT_LATER;
}

/* Whether libvirt can do it while the VM runs: memory below the running maximum through the
 * balloon, vCPUs upwards only (unplugging them live leaves libvirt's count wrong and has crashed
 * QEMU 7.2 at the next hot-plug). */
static bool live_possible(const struct cb_field *field, const struct cb_domain *domain,
			  const struct cb_value *new)
{
	const struct cb_spec *live = &domain->live;

	if (strcmp(field->path, "ram_mb") == 0)
		return new->integer <=
		       cb_spec_int(live, "ram_mb.max", cb_spec_int(live, "ram_mb", 0));
	if (strcmp(field->path, "vcpus") == 0)
		return new->integer >= cb_spec_int(live, "vcpus", INT64_MAX) &&
		       new->integer <= cb_spec_int(live, "vcpus.max", 0);
	return true;
}

static void add_field(struct cb_arena *a, struct cb_change *change, const struct cb_field *field,
		      enum cb_decision decision, const struct cb_value *old,
		      const struct cb_value *new, struct cb_origin origin)
{
	bool active = change->domain && change->domain->active;
	struct cb_field_change out = {field->path, *old,     *new,  CB_COST_NONE,
				      false,       decision, origin};

	if (active && decision != CB_CASE_RECORD) {
		bool live = field->mutability == CB_MUT_LIVE &&
			    live_possible(field, change->domain, new);

		out.cost = live ? CB_COST_LIVE : CB_COST_RESTART;
		out.staged = !live;
	}
	if (out.cost > change->cost)
		change->cost = out.cost;
	cb_vec_push(a, &change->fields, out);
}

static bool fixed(const struct cb_field *field)
{
	return field->mutability == CB_MUT_RECREATE || field->mutability == CB_MUT_IMMUTABLE;
}

static const struct cb_origin by_default = {CB_FROM_DEFAULT, NULL, 0, 0};

/* One field of an existing VM. */
static void merge_field(struct cb_arena *a, const struct cb_field *field, struct cb_change *change,
			const struct cb_diff_context *context)
{
	const struct cb_stamp *stamp = change->domain->stamp;
	const struct cb_entry *said = cb_spec_find(&change->vm->spec, field->path);
	const struct cb_entry *applied = cb_spec_find(&stamp->applied, field->path);
	const struct cb_value *last = value_of(&stamp->applied, field->path);
	const struct cb_value *observed = value_of(&change->domain->document, field->path);
	struct cb_value want;
	enum cb_decision decision;

	if (!said) {
		/* Cases 8 and 9: nobody asked for it, so nobody's change of it is corrected. */
		if (!applied || applied->origin.from == CB_FROM_DEFAULT || fixed(field)) {
			if (applied)
				cb_spec_set(a, &change->applied, field->path, *last, by_default);
			return;
		}
		/* Case 7: back to the default, once. */
		want = cb_field_default(field);
		want = resolve_auto(field, want, last, context);
		cb_spec_set(a, &change->applied, field->path, want, by_default);
		add_field(a, change, field,
			  same(&want, observed) ? CB_CASE_RECORD : CB_CASE_REMOVED, observed, &want,
			  by_default);
		return;
	}
	want = resolve_auto(field, said->value, last, context);
	cb_spec_set(a, &change->applied, field->path, want, said->origin);
	if (same(&want, observed)) {
		/* Case 2; case 6 where the stamp does not know it yet. */
		if (!same(&want, last) || (applied && applied->origin.from == CB_FROM_DEFAULT))
			add_field(a, change, field, CB_CASE_RECORD, observed, &want, said->origin);
		return;
	}
	if (same(&want, last))
		decision = fixed(field) ? CB_CASE_IMMUTABLE_DRIFT : CB_CASE_DRIFT;
	else if (fixed(field))
		decision = CB_CASE_IMMUTABLE_CHANGED;
	else
		decision = same(observed, last) ? CB_CASE_CHANGED : CB_CASE_CHANGED_AND_DRIFT;
	add_field(a, change, field, decision, observed, &want, said->origin);
	if (decision == CB_CASE_IMMUTABLE_CHANGED || decision == CB_CASE_IMMUTABLE_DRIFT)
		change->fields.items[change->fields.len - 1].cost = CB_COST_RECREATE;
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
				       field->path,
				       empty(&field->old) ? "none" : cb_value_text(a, &field->old),
				       empty(&field->new) ? "none" : cb_value_text(a, &field->new));
	}
	return list;
}

/* Cases 10 and 11: what an existing VM cannot become. */
static void refuse_immutable(struct cb_arena *a, struct cb_change *change)
{
	const char *changed = list_fields(a, change, CB_CASE_IMMUTABLE_CHANGED);

	if (changed)
		refuse(change, CB_CASE_IMMUTABLE_CHANGED,
		       cb_arena_printf(a, "this cannot change on an existing vm: %s", changed),
		       "put the old value back, or destroy the vm and apply again");
	else if (list_fields(a, change, CB_CASE_IMMUTABLE_DRIFT))
		refuse(change, CB_CASE_IMMUTABLE_DRIFT,
		       cb_arena_printf(a,
				       "the root disk of domain '%s' is not the one that clonebox "
				       "made",
				       change->name),
		       "attach the old disk again, or destroy the vm and apply again");
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

bool cb_diff_pending_restart(const struct cb_domain *domain)
{
	if (!domain->active)
		return false;
	cb_vec_each (const struct cb_entry, live, &domain->live) {
		const struct cb_entry *defined = cb_spec_find(&domain->document, live->path);

		/* Only what both sides speak of; ".max" and the like have no counterpart. */
		if (defined && strcmp(live->path, "state") != 0 &&
		    !cb_value_equal(&live->value, &defined->value))
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
				      {CB_FROM_DEFAULT, NULL, 0, 0}};

	if (change->aim == CB_AIM_RUNNING && !active) {
		out.decision = CB_CASE_START;
		out.new = cb_string("running");
	} else if (change->aim == CB_AIM_STOPPED && active) {
		out.decision = CB_CASE_STOP;
		out.new = cb_string("stopped");
		out.cost = CB_COST_RESTART;
	} else if (change->aim != CB_AIM_STOPPED && context->restart && change->fields.len == 0 &&
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
	size_t count;
	const struct cb_field *fields = cb_fields(&count);

	for (size_t i = 0; i < count; i++) {
		if (merged(&fields[i]))
			merge_field(a, &fields[i], change, context);
	}
	add_state(a, context, change);
	refuse_immutable(a, change);
	if (change->refusal)
		return;
	change->taken_over = strcmp(change->domain->stamp->source, change->vm->source) != 0;
	if (change->taken_over)
		change->decision = CB_CASE_OTHER_SOURCE;
	else
		change->decision = change->fields.len ? CB_CASE_CHANGED : CB_CASE_IN_SYNC;
	change->action = change->decision == CB_CASE_IN_SYNC ? CB_ACTION_NOOP : CB_ACTION_UPDATE;
}

static void diff_new(struct cb_arena *a, const struct cb_diff_context *context,
		     struct cb_change *change)
{
	static const struct cb_value none;
	size_t count;
	const struct cb_field *fields = cb_fields(&count);

	change->action = CB_ACTION_CREATE;
	change->decision = CB_CASE_CREATE;
	for (size_t i = 0; i < count; i++) {
		const struct cb_field *field = &fields[i];
		const struct cb_entry *said = cb_spec_find(&change->vm->spec, field->path);
		struct cb_origin origin = said ? said->origin : by_default;
		struct cb_value value;

		if (!merged(field))
			continue;
		value = said ? said->value : cb_field_default(field);
		value = resolve_auto(field, value, &none, context);
		if (empty(&value))
			continue;
		cb_spec_set(a, &change->applied, field->path, value, origin);
		add_field(a, change, field, CB_CASE_CREATE, &none, &value, origin);
	}
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
	out->action = CB_ACTION_DELETE;
	out->decision = CB_CASE_DELETE;
	out->cost = CB_COST_RECREATE;
}
