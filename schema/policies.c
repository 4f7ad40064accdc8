/* Limits, snapshot policies and health checks as values: made plain, and checked against each other
 * once they are merged. */
#include <inttypes.h>
#include <string.h>

#include "schema/fleet_internal.h"

static void report(struct cb_fleet *fleet, const char *check, const char *target,
		   const struct cb_entry *entry, const char *fix, const char *message)
{
	struct cb_schema_at at = cb_fleet_at(check, target, &entry->origin);

	cb_schema_report(fleet->arena, fleet->problems, &at, fix, "%s", message);
}

static const char *place_of(struct cb_fleet *fleet, const struct cb_entry *entry)
{
	return entry->origin.file ? cb_fleet_place(fleet, &entry->origin) : "";
}

/* Snapshots. ----------------------------------------------------------------------------------- */

void cb_fleet_add_policy(struct cb_fleet *fleet, struct cb_vm *vm)
{
	const struct cb_entry *said = cb_spec_find(&vm->spec, "snapshots.policy");
	const struct cb_declared *policy;

	if (!said || said->value.kind != CB_STRING)
		return;
	policy = cb_declared_find(&fleet->out->policies, said->value.string);
	if (!policy) {
		report(fleet, "manifest.reference", vm->name, said,
		       cb_fleet_known(fleet, &fleet->out->policies, said),
		       cb_arena_printf(fleet->arena, "there is no policy %s",
				       cb_fleet_quote(fleet, said)));
		return;
	}
	cb_vec_each (const struct cb_entry, entry, &policy->spec) {
		const char *path = cb_arena_printf(fleet->arena, "snapshots.%s", entry->path);

		if (!cb_spec_find(&vm->spec, path))
			cb_spec_set(fleet->arena, &vm->spec, path, entry->value, entry->origin);
	}
}

/* `a` may not be more than `b`. */
static void check_order(struct cb_fleet *fleet, const char *target, const struct cb_spec *spec,
			const char *a, const char *b)
{
	const struct cb_entry *less = cb_spec_find(spec, a), *more = cb_spec_find(spec, b);

	if (less && more && less->value.kind == CB_INT && more->value.kind == CB_INT &&
	    less->value.integer > more->value.integer)
		report(fleet, "manifest.value", target, less, NULL,
		       cb_arena_printf(fleet->arena, "'%s' is more than '%s', at %s", a, b,
				       place_of(fleet, more)));
}

static void check_snapshots(struct cb_fleet *fleet, const char *target, const struct cb_spec *spec,
			    const char *prefix)
{
	const char *schedule = cb_arena_printf(fleet->arena, "%sschedule", prefix);
	const char *interval = cb_arena_printf(fleet->arena, "%sinterval", prefix);
	const struct cb_entry *one = cb_spec_find(spec, schedule);
	const struct cb_entry *other = cb_spec_find(spec, interval);

	if (one && other && one->value.kind != CB_NONE && other->value.kind != CB_NONE)
		report(fleet, "manifest.value", target, other, "keep one of the two",
		       cb_arena_printf(fleet->arena, "'%s' and '%s', at %s, cannot both be given",
				       interval, schedule, place_of(fleet, one)));
	check_order(fleet, target, spec, cb_arena_printf(fleet->arena, "%smin_snapshots", prefix),
		    cb_arena_printf(fleet->arena, "%smax_snapshots", prefix));
}

/* Limits. -------------------------------------------------------------------------------------- */

/* Swap beyond the limit is a limit of both together. */
static void add_swap(struct cb_fleet *fleet, const char *target, struct cb_spec *spec)
{
	const struct cb_entry *swap = cb_spec_find(spec, "resources.memory.swap");
	const struct cb_entry *hard = cb_spec_find(spec, "resources.memory.hard_limit");
	const struct cb_entry *both = cb_spec_find(spec, "resources.memory.swap_limit");
	struct cb_origin origin;
	struct cb_value sum;

	if (!swap || swap->value.kind != CB_INT || (hard && hard->value.kind != CB_INT) ||
	    (both && both->value.kind != CB_INT))
		return;
	if (!hard) {
		report(fleet, "manifest.missing", target, swap,
		       "for example: {hard_limit: 8GiB, swap: 2GiB}",
		       "'resources.memory.swap' needs a 'resources.memory.hard_limit'");
		return;
	}
	origin = swap->origin;
	origin.sensitive = origin.sensitive || hard->origin.sensitive;
	sum = cb_int(hard->value.integer + swap->value.integer);
	if (both && both->value.integer != sum.integer)
		report(fleet, "manifest.conflict", target, swap, "keep one of the two",
		       cb_arena_printf(
			       fleet->arena,
			       "'resources.memory.swap' and 'resources.memory.hard_limit' "
			       "make another 'resources.memory.swap_limit' than what stands "
			       "at %s",
			       place_of(fleet, both)));
	else if (!both)
		cb_spec_set(fleet->arena, spec, "resources.memory.swap_limit", sum, origin);
}

/* Health checks. ------------------------------------------------------------------------------- */

/* What a probe of each type cannot do without. */
static const char *needed_by(const char *type)
{
	static const struct {
		const char *type, *key;
	} rows[] = {
		{"http", "url"},  {"tcp", "port"},  {"command", "command"}, {"script", "path"},
		{"file", "path"}, {"disk", "path"}, {"process", "process"},
	};

	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		if (strcmp(rows[i].type, type) == 0)
			return rows[i].key;
	}
	return NULL;
}

static void check_probe(struct cb_fleet *fleet, const char *target, const struct cb_spec *spec,
			const struct cb_entry *name)
{
	size_t len = strlen(name->path) - strlen("name");
	const char *type = cb_spec_string(
		spec, cb_arena_printf(fleet->arena, "%.*stype", (int)len, name->path));
	const char *key = type ? needed_by(type) : NULL;

	if (!type &&
	    !cb_spec_find(spec, cb_arena_printf(fleet->arena, "%.*stype", (int)len, name->path)))
		report(fleet, "manifest.missing", target, name,
		       "for example: {name: ssh, type: tcp, port: 22}",
		       cb_arena_printf(fleet->arena, "the health check '%s' needs a 'type'",
				       name->value.string));
	else if (key && !cb_spec_find(spec, cb_arena_printf(fleet->arena, "%.*s%s", (int)len,
							    name->path, key)))
		report(fleet, "manifest.missing", target, name, NULL,
		       cb_arena_printf(fleet->arena, "the health check '%s' of type %s needs '%s'",
				       name->value.string, type, key));
}

void cb_fleet_check_policies(struct cb_fleet *fleet, const char *target, struct cb_spec *spec)
{
	add_swap(fleet, target, spec);
	check_order(fleet, target, spec, "resources.memory.soft_limit",
		    "resources.memory.hard_limit");
	check_order(fleet, target, spec, "resources.memory.hard_limit",
		    "resources.memory.swap_limit");
	check_snapshots(fleet, target, spec, "");
	check_snapshots(fleet, target, spec, "snapshots.");
	cb_vec_each (const struct cb_entry, entry, spec) {
		const char *end = strstr(entry->path, "].name");

		if (strncmp(entry->path, "health_checks[", strlen("health_checks[")) == 0 && end &&
		    strcmp(end, "].name") == 0)
			check_probe(fleet, target, spec, entry);
	}
}
