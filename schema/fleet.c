#include "schema/fleet.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/model/text.h"
#include "schema/fleet_internal.h"

const char *cb_fleet_place(const struct cb_fleet *fleet, const struct cb_origin *origin)
{
	return cb_arena_printf(fleet->arena, "%s:%u:%u", origin->file, origin->line,
			       origin->column);
}

struct cb_schema_at cb_fleet_at(const char *check, const char *target,
				const struct cb_origin *origin)
{
	return (struct cb_schema_at){CB_PROBLEM,   check,        target,
				     origin->file, origin->line, origin->column};
}

/* Merging. ------------------------------------------------------------------------------------- */

static void drop_below(struct cb_spec *spec, const char *path)
{
	size_t kept = 0, len = strlen(path);

	for (size_t i = 0; i < spec->len; i++) {
		const char *at = spec->items[i].path;

		if (strncmp(at, path, len) != 0 || (at[len] != '.' && at[len] != '['))
			spec->items[kept++] = spec->items[i];
	}
	spec->len = kept;
}

/* Free content is a map, and merges as all maps do. */
static struct cb_value merge_json(struct cb_arena *arena, const struct cb_value *base,
				  const struct cb_value *over)
{
	json_auto_t *json = json_loads(base->string, 0, NULL);
	json_auto_t *more = json_loads(over->string, 0, NULL);
	struct cb_value merged = *over;
	char *text;

	if (!json || !more || json_object_update_recursive(json, more) < 0)
		return merged;
	text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
	if (text)
		merged = cb_string(cb_arena_strdup(arena, text));
	free(text);
	return merged;
}

static void merge_entry(struct cb_arena *arena, struct cb_spec *base, const struct cb_entry *over)
{
	const struct cb_field *field = cb_field_find(CB_SCOPE_VM, over->path);
	const struct cb_entry *under = cb_spec_find(base, over->path);
	struct cb_value value = over->value;
	struct cb_origin origin = over->origin;

	if (field && field->type == CB_TYPE_JSON && under && under->value.kind == CB_STRING &&
	    value.kind == CB_STRING) {
		value = merge_json(arena, &under->value, &value);
		origin.sensitive = origin.sensitive || under->origin.sensitive;
	}
	cb_spec_set(arena, base, over->path, value, origin);
}

/* Maps merge, lists replace: what `over` says of a list takes the place of all of it, and null that
 * of everything below. */
static void merge(struct cb_arena *arena, struct cb_spec *base, const struct cb_spec *over)
{
	cb_vec_each (const struct cb_entry, entry, over) {
		if (entry->value.kind == CB_NONE)
			drop_below(base, entry->path);
	}
	cb_vec_each (const struct cb_entry, entry, over)
		merge_entry(arena, base, entry);
}

/* Takes out what only the loading needs: values of no kind. */
static void drop_empty(struct cb_spec *spec)
{
	size_t kept = 0;

	for (size_t i = 0; i < spec->len; i++) {
		if (spec->items[i].value.kind != CB_NONE)
			spec->items[kept++] = spec->items[i];
	}
	spec->len = kept;
}

/* Something in a file of its own that would have to be there, too. */
static void want(struct cb_fleet *fleet, const struct cb_block *block, int kind, const char *name,
		 const struct cb_entry *said)
{
	struct cb_wanted wanted = {kind, name, block->directory, said->origin};

	if (!said->origin.sensitive)
		cb_vec_push(fleet->arena, &fleet->out->wanted, wanted);
}

/* A profile in a file of its own holds for the manifests of one directory. */
static const struct cb_declared *find_companion(const struct cb_fleet *fleet,
						const struct cb_block *block, const char *name)
{
	cb_vec_each (const struct cb_declared, declared, &fleet->companions) {
		if (strcmp(declared->name, name) == 0 &&
		    strcmp(declared->directory, block->directory) == 0)
			return declared;
	}
	return NULL;
}

static void add_profile(struct cb_fleet *fleet, const struct cb_block *block,
			const struct cb_declared *config, struct cb_spec *spec)
{
	const struct cb_entry *said = cb_spec_find(&block->spec, "profile");
	const struct cb_declared *profile;
	struct cb_schema_at at;

	if (!said && config)
		said = cb_spec_find(&config->spec, "profile");
	if (!said)
		said = cb_spec_find(&fleet->defaults, "profile");
	if (!said || said->value.kind != CB_STRING)
		return;
	profile = cb_declared_find(&fleet->profiles, said->value.string);
	if (!profile)
		profile = find_companion(fleet, block, said->value.string);
	if (profile) {
		merge(fleet->arena, spec, &profile->spec);
		return;
	}
	want(fleet, block, CB_TEXT_PROFILE, said->value.string, said);
	at = cb_fleet_at("manifest.reference", block->name, &said->origin);
	if (block->fragment)
		at.severity = CB_WARNING;
	cb_schema_report(fleet->arena, fleet->problems, &at,
			 cb_fleet_known(fleet, &fleet->profiles, said), "there is no profile %s",
			 cb_fleet_quote(fleet, said));
}

const char *cb_fleet_config_name(struct cb_arena *arena, const char *directory, const char *path)
{
	return *path == '/' ? path : cb_arena_printf(arena, "%s/%s", directory, path);
}

/* The manifest that `config` names; NULL where there is none. */
static const struct cb_declared *config_of(struct cb_fleet *fleet, const struct cb_block *block)
{
	const struct cb_entry *said = cb_spec_find(&block->spec, "config");
	struct cb_schema_at at;
	const char *name;

	if (!said || said->value.kind != CB_STRING)
		return NULL;
	name = cb_fleet_config_name(fleet->arena, block->directory, said->value.string);
	cb_vec_each (const struct cb_declared, declared, &fleet->configs) {
		if (strcmp(declared->name, name) == 0)
			return declared;
	}
	want(fleet, block, CB_TEXT_CONFIG, name, said);
	at = cb_fleet_at("manifest.reference", block->name, &said->origin);
	if (block->fragment)
		at.severity = CB_WARNING;
	cb_schema_report(fleet->arena, fleet->problems, &at, "name a manifest with a 'vm:'",
			 "there is no manifest %s", cb_fleet_quote(fleet, said));
	return NULL;
}

/* A key that means something here only is taken out of the spec. NULL where it says nothing. */
static const struct cb_entry *take(struct cb_fleet *fleet, struct cb_spec *spec, const char *path)
{
	const struct cb_entry *found = cb_spec_find(spec, path);
	struct cb_entry *copy;

	if (!found)
		return NULL;
	copy = cb_arena_new(fleet->arena, struct cb_entry);
	*copy = *found;
	cb_spec_unset(spec, path);
	return copy;
}

/* Counting. ------------------------------------------------------------------------------------ */

/* Where a name stands for several VMs. */
static void note_count(struct cb_fleet *fleet, const char *name, int64_t count)
{
	struct cb_declared counted = {.name = name};

	cb_spec_set(fleet->arena, &counted.spec, "count", cb_int(count),
		    (struct cb_origin){.from = CB_FROM_MANIFEST});
	cb_vec_push(fleet->arena, &fleet->counted, counted);
}

/* What cannot be the same for several VMs. */
static void check_counted(struct cb_fleet *fleet, const struct cb_block *block,
			  const struct cb_spec *spec)
{
	cb_vec_each (const struct cb_entry, entry, spec) {
		const struct cb_field *field = cb_field_find(CB_SCOPE_VM, entry->path);
		struct cb_schema_at at = cb_fleet_at("manifest.count", block->name, &entry->origin);

		if (field && (field->type == CB_TYPE_MAC || field->type == CB_TYPE_IP))
			cb_schema_report(fleet->arena, fleet->problems, &at,
					 "leave it out, or write the VMs one by one",
					 "'%s' cannot be the same for %s", entry->path,
					 "all the VMs that 'count' makes");
	}
}

/* Whether the names that a count makes are names; reported where not. */
static bool names_fit(struct cb_fleet *fleet, const struct cb_block *block,
		      const struct cb_entry *count)
{
	const char *last =
		cb_arena_printf(fleet->arena, "%s-%" PRId64, block->name, count->value.integer);
	int64_t most = cb_field_find(CB_SCOPE_VM, "name")->max;
	struct cb_schema_at at = cb_fleet_at("manifest.count", block->name, &count->origin);

	if ((int64_t)strlen(last) <= most)
		return true;
	cb_schema_report(fleet->arena, fleet->problems, &at, "use a shorter name",
			 "'count' makes the name '%s': a name has at most %" PRId64 " characters",
			 last, most);
	return false;
}

static void push_vm(struct cb_fleet *fleet, const struct cb_block *block, struct cb_vm *vm)
{
	struct cb_schema_at at = cb_fleet_at("manifest.limit", block->name, &block->origin);

	if (fleet->out->vms.len < CB_FLEET_VMS) {
		cb_vec_push(fleet->arena, &fleet->out->vms, *vm);
	} else if (!fleet->full) {
		cb_schema_report(fleet->arena, fleet->problems, &at, NULL,
				 "there are too many VMs: the limit is %d", CB_FLEET_VMS);
		fleet->full = true;
	}
}

static void push_counted(struct cb_fleet *fleet, const struct cb_block *block,
			 const struct cb_vm *vm, const struct cb_entry *count)
{
	note_count(fleet, block->name, count->value.integer);
	if (count->value.integer > 1)
		check_counted(fleet, block, &vm->spec);
	if (!names_fit(fleet, block, count))
		return;
	for (int64_t i = 1; i <= count->value.integer && !fleet->full; i++) {
		struct cb_vm one = *vm;

		one.name = cb_arena_printf(fleet->arena, "%s-%" PRId64, block->name, i);
		one.spec = (struct cb_spec){0};
		merge(fleet->arena, &one.spec, &vm->spec);
		push_vm(fleet, block, &one);
	}
}

/* A VM has its own one or none. */
static void check_config(struct cb_fleet *fleet, const struct cb_block *block,
			 const struct cb_entry *config)
{
	struct cb_schema_at at;

	if (!config || cb_spec_find(&block->spec, "config"))
		return;
	at = cb_fleet_at("manifest.place", block->name, &config->origin);
	cb_schema_report(fleet->arena, fleet->problems, &at, "say it in each VM",
			 "'config' cannot come from a profile or the defaults");
}

static void add_block(struct cb_fleet *fleet, const struct cb_block *block)
{
	const struct cb_declared *config = config_of(fleet, block);
	const struct cb_entry *count, *host, *needs;
	struct cb_vm vm = {.name = block->name,
			   .source = block->source,
			   .directory = block->directory,
			   .origin = block->origin};

	merge(fleet->arena, &vm.spec, &fleet->defaults);
	add_profile(fleet, block, config, &vm.spec);
	if (config)
		merge(fleet->arena, &vm.spec, &config->spec);
	merge(fleet->arena, &vm.spec, &block->spec);
	cb_fleet_check_vm(fleet, &vm);
	cb_fleet_add_policy(fleet, &vm);
	cb_fleet_check_policies(fleet, vm.name, &vm.spec);
	drop_empty(&vm.spec);
	(void)take(fleet, &vm.spec, "profile");
	check_config(fleet, block, take(fleet, &vm.spec, "config"));
	count = take(fleet, &vm.spec, "count");
	host = take(fleet, &vm.spec, "host");
	needs = take(fleet, &vm.spec, "depends_on");
	if (host) {
		vm.host = host->value.string;
		vm.host_origin = host->origin;
		cb_fleet_check_host(fleet, block->name, host);
	}
	if (needs) {
		vm.depends_on_origin = needs->origin;
		cb_fleet_note_needs(fleet, block->name, needs);
	}
	if (count)
		push_counted(fleet, block, &vm, count);
	else
		push_vm(fleet, block, &vm);
}

/* Names. --------------------------------------------------------------------------------------- */

int cb_fleet_by_place(const struct cb_origin *a, const struct cb_origin *b)
{
	int order = strcmp(a->file, b->file);

	if (order == 0)
		order = (a->line > b->line) - (a->line < b->line);
	if (order == 0)
		order = (a->column > b->column) - (a->column < b->column);
	return order;
}

static int compare_vms(const void *left, const void *right)
{
	const struct cb_vm *a = left, *b = right;
	int order = strcmp(a->name, b->name);

	return order ? order : cb_fleet_by_place(&a->origin, &b->origin);
}

static int compare_declared(const void *left, const void *right)
{
	const struct cb_declared *a = left, *b = right;
	int order = strcmp(a->name, b->name);

	return order ? order : cb_fleet_by_place(&a->origin, &b->origin);
}

static void report_twice(struct cb_fleet *fleet, const char *what, const char *name,
			 const struct cb_origin *first, const struct cb_origin *second)
{
	struct cb_schema_at at = cb_fleet_at("manifest.duplicate-vm", name, second);

	at.kind = strcmp(what, "VM") == 0 ? NULL : what;

	cb_schema_report(fleet->arena, fleet->problems, &at, "remove one of them, or rename it",
			 "the %s '%s' is declared here and at %s", what, name,
			 cb_fleet_place(fleet, first));
}

static int compare_blocks(const void *left, const void *right)
{
	const struct cb_block *a = left, *b = right;
	int order = strcmp(a->name, b->name);

	return order ? order : cb_fleet_by_place(&a->origin, &b->origin);
}

/* Also where a count would keep what two blocks make apart. */
static void sort_blocks(struct cb_fleet *fleet)
{
	size_t kept = 0;

	if (fleet->blocks.len == 0)
		return;
	qsort(fleet->blocks.items, fleet->blocks.len, sizeof(*fleet->blocks.items), compare_blocks);
	for (size_t i = 1; i < fleet->blocks.len; i++) {
		const struct cb_block *first = &fleet->blocks.items[kept];
		const struct cb_block *block = &fleet->blocks.items[i];

		if (strcmp(first->name, block->name) != 0)
			fleet->blocks.items[++kept] = *block;
		else
			report_twice(fleet, "VM", block->name, &first->origin, &block->origin);
	}
	fleet->blocks.len = kept + 1;
}

/* Sorts the VMs by name and finds names that a count makes and that are taken. */
static void sort_vms(struct cb_fleet *fleet)
{
	struct cb_desired *out = fleet->out;
	size_t kept = 0;

	if (out->vms.len == 0)
		return;
	qsort(out->vms.items, out->vms.len, sizeof(*out->vms.items), compare_vms);
	for (size_t i = 1; i < out->vms.len; i++) {
		const struct cb_vm *first = &out->vms.items[kept], *vm = &out->vms.items[i];

		if (strcmp(first->name, vm->name) != 0)
			out->vms.items[++kept] = *vm;
		else
			report_twice(fleet, "VM", vm->name, &first->origin, &vm->origin);
	}
	out->vms.len = kept + 1;
}

static void sort_declared(struct cb_fleet *fleet, const char *what,
			  struct cb_declarations *declarations)
{
	size_t kept = 0;

	if (declarations->len == 0)
		return;
	qsort(declarations->items, declarations->len, sizeof(*declarations->items),
	      compare_declared);
	for (size_t i = 1; i < declarations->len; i++) {
		const struct cb_declared *first = &declarations->items[kept];

		if (strcmp(first->name, declarations->items[i].name) != 0)
			declarations->items[++kept] = declarations->items[i];
		else
			report_twice(fleet, what, first->name, &first->origin,
				     &declarations->items[i].origin);
	}
	declarations->len = kept + 1;
}

static void drop_empty_of(struct cb_declarations *declarations)
{
	cb_vec_each (struct cb_declared, declared, declarations)
		drop_empty(&declared->spec);
}

/* Where VMs have it from that do not say it themselves. */
static void note_via(struct cb_spec *spec, const char *via)
{
	cb_vec_each (struct cb_entry, entry, spec) {
		if (!entry->origin.via)
			entry->origin.via = via;
	}
}

void cb_fleet_settle(struct cb_fleet *fleet)
{
	note_via(&fleet->defaults, "defaults.vm");
	cb_vec_each (struct cb_declared, profile, &fleet->profiles)
		note_via(&profile->spec,
			 cb_arena_printf(fleet->arena, "profile %s", profile->name));
	sort_declared(fleet, "profile", &fleet->profiles);
	sort_declared(fleet, "host", &fleet->out->hosts);
	sort_declared(fleet, "image", &fleet->out->images);
	sort_declared(fleet, "network", &fleet->out->networks);
	sort_declared(fleet, "pool", &fleet->out->pools);
	sort_declared(fleet, "policy", &fleet->out->policies);
	cb_vec_each (struct cb_declared, policy, &fleet->out->policies)
		cb_fleet_check_policies(fleet, policy->name, &policy->spec);
	drop_empty_of(&fleet->out->policies);
	drop_empty(&fleet->out->rules);
	sort_blocks(fleet);
	cb_vec_each (const struct cb_block, block, &fleet->blocks)
		add_block(fleet, block);
	sort_vms(fleet);
	cb_fleet_check(fleet);
	drop_empty_of(&fleet->out->hosts);
	drop_empty_of(&fleet->out->images);
	drop_empty_of(&fleet->out->networks);
	drop_empty_of(&fleet->out->pools);
}
