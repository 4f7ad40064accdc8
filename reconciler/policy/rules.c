#include "reconciler/policy/rules.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#define GIB (INT64_C(1) << 30)

static const char *place_of(struct cb_arena *arena, const struct cb_entry *entry)
{
	return cb_arena_printf(arena, "%s:%u", entry->origin.file, entry->origin.line);
}

/* How much there may be. ----------------------------------------------------------------------- */

static size_t count_vms(const struct cb_desired *desired)
{
	size_t n = 0;

	cb_vec_each (const struct cb_vm, vm, &desired->vms) {
		const char *state = cb_spec_string(&vm->spec, "state");

		n += !state || strcmp(state, "absent") != 0;
	}
	return n;
}

static int64_t disk_of(const struct cb_change *change)
{
	int64_t bytes = cb_spec_int(&change->wanted, "disk_size_gb", 0) * GIB;

	cb_vec_each (const struct cb_entry, entry, &change->wanted) {
		size_t len = strlen(entry->path), tail = strlen("].size");

		if (strncmp(entry->path, "disks[", strlen("disks[")) == 0 && len > tail &&
		    strcmp(entry->path + len - tail, "].size") == 0)
			bytes += entry->value.integer;
	}
	return bytes;
}

static void check_disk(struct cb_arena *arena, const struct cb_entry *most,
		       const struct cb_change *change, struct cb_problems *problems)
{
	int64_t bytes = disk_of(change);
	struct cb_problem problem = {.severity = CB_PROBLEM,
				     .check = "policy.disk.refused",
				     .target = change->name,
				     .fix = "make its disks smaller, or raise max_disk_gb",
				     .origin = change->vm ? change->vm->origin : most->origin};

	if (bytes <= most->value.integer * GIB)
		return;
	problem.message = cb_arena_printf(arena,
					  "its disks have %" PRId64 " GiB together, %s allows "
					  "%" PRId64,
					  (bytes + GIB - 1) / GIB, place_of(arena, most),
					  most->value.integer);
	cb_vec_push(arena, problems, problem);
}

void cb_rules_check(struct cb_arena *arena, const struct cb_desired *desired,
		    const struct cb_changes *changes, struct cb_problems *problems)
{
	const struct cb_entry *vms = cb_spec_find(&desired->rules, "resources.max_vms_per_user");
	const struct cb_entry *disk = cb_spec_find(&desired->rules, "resources.max_disk_gb");
	size_t n = count_vms(desired);

	if (vms && (int64_t)n > vms->value.integer) {
		struct cb_problem problem = {
			.severity = CB_PROBLEM,
			.check = "policy.vms.refused",
			.target = "",
			.message = cb_arena_printf(
				arena, "there would be %zu vms on this host, %s allows %" PRId64, n,
				place_of(arena, vms), vms->value.integer),
			.fix = "remove some, or raise max_vms_per_user",
			.origin = vms->origin};

		cb_vec_push(arena, problems, problem);
	}
	cb_vec_each (const struct cb_change, change, changes) {
		if (disk && change->target == CB_TARGET_VM && !change->refusal &&
		    (change->action == CB_ACTION_CREATE || change->action == CB_ACTION_UPDATE))
			check_disk(arena, disk, change, problems);
	}
}

/* What somebody has to approve. ---------------------------------------------------------------- */

static bool matches(const struct cb_spec *rules, const char *key, const char *operation)
{
	const char *text = cb_spec_string(rules, key);
	json_auto_t *patterns = text ? json_loads(text, 0, NULL) : NULL;
	json_t *pattern;
	size_t i;

	json_array_foreach(patterns, i, pattern)
	{
		if (fnmatch(json_string_value(pattern), operation, 0) == 0)
			return true;
	}
	return false;
}

static bool is_approved(const struct cb_spec *rules, const char *operation,
			const char *const *approved, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (fnmatch(approved[i], operation, 0) == 0)
			return true;
	}
	return !matches(rules, "operations.require_approval", operation) ||
	       matches(rules, "operations.auto_approve", operation);
}

/* What the change is called; NULL behind the last of its names. */
static const char *operation_of(struct cb_arena *arena, const struct cb_change *change, size_t i)
{
	const char *target = cb_target_name(change->target);

	if (i == 0)
		return cb_arena_printf(arena, "%s.%s", target, cb_action_name(change->action));
	if (!change->recreate || i > 2)
		return NULL;
	return cb_arena_printf(arena, "%s.%s", target, i == 1 ? "recreate" : "replace");
}

int cb_rules_approve(struct cb_arena *arena, const struct cb_spec *rules,
		     const struct cb_changes *changes, const char *const *approved,
		     size_t n_approved, struct cb_error *err)
{
	const struct cb_entry *entry = cb_spec_find(rules, "operations.require_approval");

	if (!entry)
		return 0;
	cb_vec_each (const struct cb_change, change, changes) {
		const char *operation;

		/* What is due in the trash was approved when it went there. */
		if (change->action == CB_ACTION_NOOP || change->refusal || change->due)
			continue;
		for (size_t i = 0; (operation = operation_of(arena, change, i)); i++) {
			if (is_approved(rules, operation, approved, n_approved))
				continue;
			(void)cb_error_set(err, CB_E_REFUSED, "%s of '%s' needs an approval (%s)",
					   operation, change->name, place_of(arena, entry));
			return cb_error_hint(err, "who may do so says --approve %s", operation);
		}
	}
	return 0;
}
