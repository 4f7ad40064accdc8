/*
 * What .clonebox-policy.yaml forbids, and what it wants approved: changes in, problems out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "reconciler/policy/rules.h"

static const struct cb_origin said = {CB_FROM_MANIFEST, "p.yaml", 3, 1, false};

static void add_change(struct cb_arena *arena, struct cb_changes *changes, const char *name,
		       enum cb_action action, int64_t root_gb, int64_t data_bytes)
{
	struct cb_change change = {.target = CB_TARGET_VM, .action = action, .name = name};

	cb_spec_set(arena, &change.wanted, "disk_size_gb", cb_int(root_gb), said);
	cb_spec_set(arena, &change.wanted, "disks[d].size", cb_int(data_bytes), said);
	cb_vec_push(arena, changes, change);
}

static void add_vm(struct cb_arena *arena, struct cb_desired *desired, const char *name,
		   const char *state)
{
	struct cb_vm vm = {.name = name};

	if (state)
		cb_spec_set(arena, &vm.spec, "state", cb_string(state), said);
	cb_vec_push(arena, &desired->vms, vm);
}

static void more_than_there_may_be_is_a_problem(void **state)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_desired desired = {0};
	struct cb_changes changes = {0};
	struct cb_problems problems = {0};

	(void)state;
	add_vm(&arena, &desired, "a", NULL);
	add_vm(&arena, &desired, "b", "absent");
	add_vm(&arena, &desired, "c", "stopped");
	add_change(&arena, &changes, "a", CB_ACTION_CREATE, 6, INT64_C(4) << 30);
	add_change(&arena, &changes, "b", CB_ACTION_DELETE, 60, 0);
	add_change(&arena, &changes, "c", CB_ACTION_UPDATE, 6, (INT64_C(4) << 30) + 512);
	add_change(&arena, &changes, "d", CB_ACTION_NOOP, 60, 0);
	cb_rules_check(&arena, &desired, &changes, &problems);
	assert_int_equal(problems.len, 0);
	cb_spec_set(&arena, &desired.rules, "resources.max_vms_per_user", cb_int(2), said);
	cb_spec_set(&arena, &desired.rules, "resources.max_disk_gb", cb_int(10), said);
	cb_rules_check(&arena, &desired, &changes, &problems);
	assert_int_equal(problems.len, 1);
	assert_string_equal(problems.items[0].check, "policy.disk.refused");
	assert_string_equal(problems.items[0].target, "c");
	assert_int_equal(problems.items[0].severity, CB_PROBLEM);
	assert_non_null(strstr(problems.items[0].message, "11 GiB together, p.yaml:3 allows 10"));
	problems = (struct cb_problems){0};
	cb_spec_set(&arena, &desired.rules, "resources.max_vms_per_user", cb_int(1), said);
	cb_rules_check(&arena, &desired, &changes, &problems);
	assert_int_equal(problems.len, 2);
	assert_string_equal(problems.items[0].check, "policy.vms.refused");
	assert_non_null(strstr(problems.items[0].message, "2 vms"));
}

static void operations_want_approval(void **state)
{
	static const struct {
		enum cb_action action;
		bool recreate, due;
		const char *require, *automatic, *approve, *refused;
	} rows[] = {
		{CB_ACTION_DELETE, false, false, "[\"vm.delete\"]", NULL, NULL, "vm.delete of 'a'"},
		{CB_ACTION_DELETE, false, false, "[\"vm.delete\"]", NULL, "vm.delete", NULL},
		{CB_ACTION_DELETE, false, false, "[\"vm.delete\"]", NULL, "vm.*", NULL},
		{CB_ACTION_DELETE, false, false, "[\"vm.delete\"]", NULL, "vm.create", "vm.delete"},
		{CB_ACTION_DELETE, false, true, "[\"vm.delete\"]", NULL, NULL, NULL},
		{CB_ACTION_CREATE, false, false, "[\"vm.delete\"]", NULL, NULL, NULL},
		{CB_ACTION_CREATE, false, false, "[\"*\"]", NULL, NULL, "vm.create"},
		{CB_ACTION_CREATE, false, false, "[\"*\"]", "[\"vm.create\"]", NULL, NULL},
		{CB_ACTION_NOOP, false, false, "[\"*\"]", NULL, NULL, NULL},
		{CB_ACTION_UPDATE, true, false, "[\"vm.recreate\"]", NULL, NULL, "vm.recreate"},
		{CB_ACTION_UPDATE, true, false, "[\"vm.replace\"]", NULL, NULL, "vm.replace"},
		{CB_ACTION_UPDATE, false, false, "[\"vm.recreate\"]", NULL, NULL, NULL},
		{CB_ACTION_DELETE, false, false, NULL, NULL, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		cb_auto_arena struct cb_arena arena = {0};
		cb_auto_error struct cb_error err = {0};
		struct cb_changes changes = {0};
		struct cb_spec rules = {0};
		int r;

		add_change(&arena, &changes, "a", rows[i].action, 1, 0);
		changes.items[0].recreate = rows[i].recreate;
		changes.items[0].due = rows[i].due;
		if (rows[i].require)
			cb_spec_set(&arena, &rules, "operations.require_approval",
				    cb_string(rows[i].require), said);
		if (rows[i].automatic)
			cb_spec_set(&arena, &rules, "operations.auto_approve",
				    cb_string(rows[i].automatic), said);
		r = cb_rules_approve(&arena, &rules, &changes, &rows[i].approve,
				     rows[i].approve != NULL, &err);
		assert_int_equal(r, rows[i].refused ? -CB_E_REFUSED : 0);
		if (rows[i].refused) {
			assert_non_null(strstr(err.message, rows[i].refused));
			assert_non_null(strstr(err.hint, "--approve"));
		}
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(more_than_there_may_be_is_a_problem),
		cmocka_unit_test(operations_want_approval),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
