/* Field by field: the three-way merge, over scalars, elements of lists, and keys that people
 * choose. */
#include <string.h>

#include "reconciler/diff/diff_internal.h"
#include "reconciler/model/owned.h"

static const struct cb_origin by_default = {.from = CB_FROM_DEFAULT};

static const struct cb_value *value_of(const struct cb_spec *spec, const char *path)
{
	static const struct cb_value none;
	const struct cb_entry *entry = cb_spec_find(spec, path);

	return entry ? &entry->value : &none;
}

/* libvirt does not keep empty elements: an empty text and none are the same. */
bool cb_diff_empty(const struct cb_value *value)
{
	return value->kind == CB_NONE || (value->kind == CB_STRING && value->string[0] == '\0');
}

bool cb_diff_same(const struct cb_value *a, const struct cb_value *b)
{
	return (cb_diff_empty(a) && cb_diff_empty(b)) || cb_value_equal(a, b);
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
	if (strcmp(field->path, "paths[].kind") == 0)
		return cb_string(context->virtiofs ? "virtiofs" : "9p");
	if (strcmp(field->path, "network_mode") == 0)
		return cb_string(context->default_network ? "default" : "user");
	return value;
}

/* Rows with a value that the merge looks at. */
static bool merged(const struct cb_field *field)
{
	return field->scope == CB_SCOPE_VM && field->type != CB_TYPE_MAP &&
	       field->type != CB_TYPE_LIST && field->type != CB_TYPE_MOUNTS &&
	       field->type != CB_TYPE_NAME && field->mutability != CB_MUT_STATE &&
	       field->mutability != CB_MUT_LATER && field->mutability != CB_MUT_LOAD &&
	       field->mutability != CB_MUT_POLICY && field->mutability != CB_MUT_UNMANAGED;
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
		      const char *path, enum cb_decision decision, const struct cb_value *old,
		      const struct cb_value *new, struct cb_origin origin)
{
	bool active = change->domain && change->domain->active;
	struct cb_field_change out = {path, *old, *new, CB_COST_NONE, false, decision, origin};

	/* What was sensitive when it was applied still is. */
	if (change->domain && cb_is_masked(value_of(&change->domain->stamp->applied, path)))
		out.origin.sensitive = true;
	if (active && decision != CB_CASE_RECORD && field->mutability != CB_MUT_RECORD &&
	    field->mutability != CB_MUT_SEED) {
		bool live = field->mutability == CB_MUT_LIVE &&
			    live_possible(field, change->domain, new);

		out.cost = live ? CB_COST_LIVE : CB_COST_RESTART;
		out.staged = !live;
	}
	if (decision == CB_CASE_IMMUTABLE_CHANGED || decision == CB_CASE_IMMUTABLE_DRIFT ||
	    decision == CB_CASE_RECREATE)
		out.cost = CB_COST_RECREATE;
	if (out.cost > change->cost)
		change->cost = out.cost;
	cb_vec_push(a, &change->fields, out);
}

/* What stays as it is when it is not said any more. Protection must be taken back in so many words.
 */
static bool stays(const struct cb_field *field)
{
	return strcmp(field->path, "protect") == 0 || field->mutability == CB_MUT_RECREATE ||
	       field->mutability == CB_MUT_IMMUTABLE;
}

static bool fixed(const struct cb_field *field)
{
	return field->mutability == CB_MUT_RECREATE || field->mutability == CB_MUT_IMMUTABLE;
}

/* What a new root disk makes possible. */
static bool recreatable(const char *path)
{
	static const char *const paths[] = {"base_image", "disk_size_gb", "pool", "machine",
					    "firmware"};

	for (size_t i = 0; i < CB_COUNT(paths); i++) {
		if (strcmp(paths[i], path) == 0)
			return true;
	}
	return false;
}

/* What the stamp may hold of a value. A word of a few is no secret, and the name of a pool stands
 * with its volumes; both are needed again when the manifest is silent. */
static struct cb_value kept(struct cb_arena *a, const struct cb_change *change, const char *path,
			    const struct cb_value *value, struct cb_origin origin)
{
	const struct cb_field *field = cb_field_find(CB_SCOPE_VM, path);
	const char *leaf = strrchr(path, '.');

	if (!origin.sensitive || (field && field->type == CB_TYPE_ENUM) || value->kind == CB_BOOL ||
	    strcmp(leaf ? leaf + 1 : path, "pool") == 0)
		return *value;
	return cb_masked(a, change->name, path, value);
}

/* Whether the host still has what was applied last. */
static bool as_applied(struct cb_arena *a, const struct cb_change *change, const char *path,
		       const struct cb_value *observed, const struct cb_value *last)
{
	struct cb_value masked;

	if (!cb_is_masked(last))
		return cb_diff_same(observed, last);
	masked = cb_masked(a, change->name, path, observed);
	return cb_diff_same(observed, last) || cb_diff_same(&masked, last);
}

/* Notes what a field shall be. */
static void want(struct cb_arena *a, struct cb_change *change, const char *path,
		 struct cb_value value, struct cb_origin origin)
{
	cb_spec_set(a, &change->wanted, path, value, origin);
	origin.sensitive = false;
	cb_spec_set(a, &change->applied, path, value, origin);
}

static void want_said(struct cb_arena *a, struct cb_change *change, const char *path,
		      struct cb_value value, struct cb_origin origin)
{
	cb_spec_set(a, &change->wanted, path, value, origin);
	cb_spec_set(a, &change->applied, path, kept(a, change, path, &value, origin), origin);
}

static bool has_any(const struct cb_spec *spec, const char *prefix)
{
	size_t len = strlen(prefix);

	cb_vec_each (const struct cb_entry, entry, spec) {
		if (strncmp(entry->path, prefix, len) == 0)
			return true;
	}
	return false;
}

/* What the manifest says of a field. `nics` take the place of the one of `network_mode`; without
 * them it is back, as in a new VM. */
static const struct cb_entry *said_of(struct cb_arena *a, const struct cb_change *change,
				      const char *path, const struct cb_diff_context *context)
{
	static const struct cb_value none;
	const struct cb_entry *said = cb_spec_find(&change->vm->spec, path);
	const struct cb_field *field = cb_field_find(CB_SCOPE_VM, path);
	struct cb_entry *out;
	bool nics;

	if (strcmp(path, CB_DIFF_MOUNTS) == 0)
		return cb_diff_told_mounts(a, &change->wanted);
	/* A default of somebody's settings is for what is made anew, as the built-in ones are. */
	if (said && said->origin.from == CB_FROM_DEFAULT && change->domain)
		said = NULL;
	if (said || strcmp(path, "network_mode") != 0)
		return said;
	nics = has_any(&change->vm->spec, "nics[");
	if (!nics && !(change->domain && has_any(&change->domain->stamp->applied, "nics[")))
		return NULL;
	out = cb_arena_new(a, struct cb_entry);
	*out = (struct cb_entry){
		path,
		nics ? cb_string("none")
		     : resolve_auto(field, cb_field_default(field), &none, context),
		by_default};
	return out;
}

/* One field of an existing VM. */
static void merge_field(struct cb_arena *a, const struct cb_field *field, const char *path,
			struct cb_change *change, const struct cb_diff_context *context)
{
	const struct cb_stamp *stamp = change->domain->stamp;
	const struct cb_entry *said = said_of(a, change, path, context);
	const struct cb_entry *applied = cb_spec_find(&stamp->applied, path);
	const struct cb_value *last = value_of(&stamp->applied, path);
	/* What is only recorded is what was recorded last. */
	const struct cb_value *observed = field->mutability == CB_MUT_RECORD
						  ? last
						  : value_of(&change->domain->document, path);
	struct cb_value wanted, masked;
	enum cb_decision decision;

	if (!said) {
		/* Cases 8 and 9: nobody asked for it, so nobody's change of it is corrected. */
		if (!applied || applied->origin.from == CB_FROM_DEFAULT || stays(field)) {
			if (applied)
				want(a, change, path, *last, by_default);
			return;
		}
		/* Case 7: back to the default, once. */
		wanted = cb_field_default(field);
		wanted = resolve_auto(field, wanted, last, context);
		if (!cb_diff_empty(&wanted))
			want(a, change, path, wanted, by_default);
		add_field(a, change, field, path,
			  cb_diff_same(&wanted, observed) ? CB_CASE_RECORD : CB_CASE_REMOVED,
			  observed, &wanted, by_default);
		return;
	}
	wanted = resolve_auto(field, said->value, last, context);
	masked = kept(a, change, path, &wanted, said->origin);
	want_said(a, change, path, wanted, said->origin);
	/* What stands for a file is read from the stamp, and masked there. */
	if (cb_diff_same(&wanted, observed) || cb_diff_same(&masked, observed)) {
		/* Case 2; case 6 where the stamp does not know it yet. */
		if (!cb_diff_same(&masked, last) ||
		    (applied && applied->origin.from != said->origin.from))
			add_field(a, change, field, path, CB_CASE_RECORD, observed, &wanted,
				  said->origin);
		return;
	}
	if (cb_diff_same(&masked, last))
		decision = fixed(field) ? CB_CASE_IMMUTABLE_DRIFT : CB_CASE_DRIFT;
	else if (fixed(field))
		decision = recreatable(path) ? CB_CASE_RECREATE : CB_CASE_IMMUTABLE_CHANGED;
	else
		decision = as_applied(a, change, path, observed, last) ? CB_CASE_CHANGED
								       : CB_CASE_CHANGED_AND_DRIFT;
	add_field(a, change, field, path, decision, observed, &wanted, said->origin);
}

/* One field of a new VM, or of a device that is added. */
static void new_field(struct cb_arena *a, const struct cb_field *field, const char *path,
		      struct cb_change *change, const struct cb_diff_context *context,
		      enum cb_decision decision)
{
	static const struct cb_value none;
	const struct cb_entry *said = said_of(a, change, path, context);
	struct cb_origin origin = said ? said->origin : by_default;
	struct cb_value value = said ? said->value : cb_field_default(field);

	value = resolve_auto(field, value, &none, context);
	if (cb_diff_empty(&value))
		return;
	want_said(a, change, path, value, origin);
	add_field(a, change, field, path, decision, &none, &value, origin);
}

/* Lists. --------------------------------------------------------------------------------------- */

struct names {
	const char **items;
	size_t len, cap;
};

/* The row that makes an element one: "disks[data].name", "paths[/src]". */
static const char *key_row(struct cb_arena *a, const char *list, const char *element)
{
	return cb_arena_printf(a, strcmp(list, CB_DIFF_MOUNTS) == 0 ? "%s[%s]" : "%s[%s].name",
			       list, element);
}

/* The names of a list's elements in a spec, as far as they are not known yet. */
static void collect(struct cb_arena *a, const struct cb_spec *spec, const char *list,
		    struct names *out)
{
	cb_vec_each (const struct cb_entry, entry, spec) {
		const char *name = cb_field_element(a, list, entry->path);
		bool known = false;

		if (!name || strcmp(key_row(a, list, name), entry->path) != 0)
			continue;
		cb_vec_each (const char *const, other, out)
			known = known || strcmp(*other, name) == 0;
		if (!known)
			cb_vec_push(a, out, name);
	}
}

/* Whether the row is one of the list's elements; then *leaf is what stands behind the brackets:
 * ".size", or "". */
static bool row_of(const struct cb_field *field, const char *list, const char **leaf)
{
	size_t len = strlen(list);

	if (!merged(field) || strncmp(field->path, list, len) != 0 ||
	    strncmp(field->path + len, "[]", 2) != 0)
		return false;
	*leaf = field->path + len + 2;
	return true;
}

/* A device that is not wanted any more: only what makes it one is listed. */
static void remove_device(struct cb_arena *a, const struct cb_field *name_row,
			  struct cb_change *change, const char *path, bool present)
{
	static const struct cb_value none;
	const struct cb_value *name = value_of(&change->domain->stamp->applied, path);

	add_field(a, change, name_row, path, present ? CB_CASE_DEVICE_REMOVED : CB_CASE_RECORD,
		  name, &none, by_default);
}

static void diff_element(struct cb_arena *a, const struct cb_diff_context *context,
			 struct cb_change *change, const char *list, const char *element)
{
	const char *path = key_row(a, list, element);
	const struct cb_field *name_row = cb_field_find(CB_SCOPE_VM, path), *fields;
	bool said = cb_spec_find(&change->vm->spec, path) != NULL;
	bool present = change->domain && cb_spec_find(&change->domain->document, path);
	bool applied = change->domain && cb_spec_find(&change->domain->stamp->applied, path);
	enum cb_decision decision = CB_CASE_CREATE;
	size_t count;

	if (!said) {
		remove_device(a, name_row, change, path, present);
		return;
	}
	if (change->domain)
		decision = applied ? CB_CASE_DEVICE_DRIFT : CB_CASE_DEVICE_ADDED;
	fields = cb_fields(&count);
	for (size_t i = 0; i < count; i++) {
		const char *leaf, *at;

		if (!row_of(&fields[i], list, &leaf))
			continue;
		at = cb_arena_printf(a, "%s[%s]%s", list, element, leaf);
		if (present)
			merge_field(a, &fields[i], at, change, context);
		else
			new_field(a, &fields[i], at, change, context, decision);
	}
}

static void diff_list(struct cb_arena *a, const struct cb_diff_context *context,
		      struct cb_change *change, const char *list)
{
	struct names names = {0};

	collect(a, &change->vm->spec, list, &names);
	if (change->domain)
		collect(a, &change->domain->stamp->applied, list, &names);
	cb_vec_each (const char *const, name, &names)
		diff_element(a, context, change, list, *name);
}

/* Keys that people choose: "labels[tier]". */
static void diff_free_keys(struct cb_arena *a, const struct cb_diff_context *context,
			   struct cb_change *change, const struct cb_field *field)
{
	size_t len = strlen(field->path) - 1; /* without the closing bracket */

	cb_vec_each (const struct cb_entry, said, &change->vm->spec) {
		if (strncmp(said->path, field->path, len) != 0)
			continue;
		if (change->domain)
			merge_field(a, field, said->path, change, context);
		else
			new_field(a, field, said->path, change, context, CB_CASE_CREATE);
	}
	if (!change->domain)
		return;
	cb_vec_each (const struct cb_entry, last, &change->domain->stamp->applied) {
		if (strncmp(last->path, field->path, len) == 0 &&
		    !cb_spec_find(&change->vm->spec, last->path))
			merge_field(a, field, last->path, change, context);
	}
}

/* What the guest is told. ---------------------------------------------------------------------- */

static bool is_seed(const struct cb_field *field)
{
	return field->mutability == CB_MUT_SEED && field->scope == CB_SCOPE_VM;
}

/* A seed is made where the manifest has something to tell. */
static bool tells(const struct cb_spec *spec)
{
	cb_vec_each (const struct cb_entry, entry, spec) {
		const struct cb_field *field = cb_field_find(CB_SCOPE_VM, entry->path);

		if (field && field->mutability == CB_MUT_SEED)
			return true;
	}
	return has_any(spec, CB_DIFF_MOUNTS "[");
}

/* Case 15. The guest has been told already: what follows is for the manifest to choose. */
static void merge_seed(struct cb_arena *a, const struct cb_field *field, struct cb_change *change,
		       bool again)
{
	const struct cb_entry *said = said_of(a, change, field->path, NULL);
	const struct cb_entry *applied = cb_spec_find(&change->domain->stamp->applied, field->path);
	const struct cb_value *last = value_of(&change->domain->stamp->applied, field->path);
	struct cb_origin origin = said ? said->origin : by_default;
	struct cb_value wanted = said ? said->value : cb_field_default(field), masked;

	/* A default that was told stays told (case 8). */
	if (!said && applied && applied->origin.from == CB_FROM_DEFAULT)
		wanted = *last;
	masked = kept(a, change, field->path, &wanted, origin);
	if (cb_diff_same(&masked, last) || again) {
		if (!cb_diff_empty(&wanted))
			want_said(a, change, field->path, wanted, origin);
	} else if (applied) {
		cb_spec_set(a, &change->applied, field->path, *last, applied->origin);
	}
	if (cb_diff_same(&masked, last))
		return;
	add_field(a, change, field, field->path, CB_CASE_GUEST_CHANGED, last, &masked, origin);
	/* The new seed is in the drive from the next start on. */
	if (again && change->domain->active) {
		change->fields.items[change->fields.len - 1].cost = CB_COST_RESTART;
		change->fields.items[change->fields.len - 1].staged = true;
		change->cost = CB_COST_RESTART;
	}
}

static void diff_seed(struct cb_arena *a, const struct cb_diff_context *context,
		      struct cb_change *change)
{
	const char *policy = cb_spec_string(&change->wanted, "guest");
	bool told = change->domain && tells(&change->domain->stamp->applied);
	/* A new root disk has been told nothing yet. */
	bool again = change->recreate || (policy && strcmp(policy, "ignore") != 0);
	const struct cb_field *fields;
	size_t count, before = change->fields.len;

	if (!tells(&change->vm->spec) && !told)
		return;
	fields = cb_fields(&count);
	for (size_t i = 0; i < count; i++) {
		if (!is_seed(&fields[i]))
			continue;
		if (change->domain)
			merge_seed(a, &fields[i], change, again);
		else
			new_field(a, &fields[i], fields[i].path, change, context, CB_CASE_CREATE);
	}
	change->reseed = change->domain && again && change->fields.len > before;
	change->rerun = change->reseed && policy && strcmp(policy, "rerun") == 0;
}

/* Consent by the manifest, or by the command line. */
static bool wants_recreate(const struct cb_diff_context *context, const struct cb_change *change)
{
	const char *policy = cb_spec_string(&change->vm->spec, "recreate");

	if (!context->recreate && (!policy || strcmp(policy, "allow") != 0))
		return false;
	cb_vec_each (const struct cb_field_change, field, &change->fields) {
		if (field->decision == CB_CASE_RECREATE)
			return true;
	}
	return false;
}

void cb_diff_fields(struct cb_arena *arena, const struct cb_diff_context *context,
		    struct cb_change *change)
{
	size_t count;
	const struct cb_field *fields = cb_fields(&count);

	for (size_t i = 0; i < count; i++) {
		const struct cb_field *field = &fields[i];

		if (field->scope != CB_SCOPE_VM || strstr(field->path, "[].") ||
		    field->type == CB_TYPE_DIRECTORY)
			continue;
		if (field->type == CB_TYPE_MOUNTS ||
		    (field->type == CB_TYPE_LIST && cb_field_class(field) == CB_CLASS_REALISED))
			diff_list(arena, context, change, field->path);
		else if (is_seed(field))
			continue;
		else if (merged(field) && strstr(field->path, "[]"))
			diff_free_keys(arena, context, change, field);
		else if (merged(field) && change->domain)
			merge_field(arena, field, field->path, change, context);
		else if (merged(field))
			new_field(arena, field, field->path, change, context, CB_CASE_CREATE);
	}
	change->recreate = wants_recreate(context, change);
	diff_seed(arena, context, change);
}
