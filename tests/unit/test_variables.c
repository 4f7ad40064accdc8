/*
 * ${NAME} in values: what it stands for, where it must not stand, and that nobody gets to see it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "reconciler/base/str.h"
#include "tests/unit/loaded.h"

static const char *const variables[] = {
	"RAM=4242",       "GUI=yes",    "SIZE=7GiB", "KEY=ssh-ed25519 AAAAsentinel me",
	"WORD=sentinel",  "DIGITS=007", "EMPTY=",    "WORD=second",
	"NESTED=${WORD}", "WORDS=none", NULL};

static void variables_stand_for_values_of_all_kinds(void **state)
{
	static const char *const sensitive[] = {"ram_mb",         "gui",      "disks[d].size",
						"ssh_public_key", "packages", "cloud_init",
						"description",    "password", "hostname"};
	auto_loaded struct loaded l;
	const struct cb_spec *spec;

	(void)state;
	load_with(&l, variables,
		  "vm:\n"
		  "  name: a\n"
		  "  ram_mb: ${RAM}\n"
		  "  gui: \"${GUI}\"\n"
		  "  disks: [{name: d, size: '${SIZE}'}]\n"
		  "  ssh_public_key: ${KEY}\n"
		  "  description: a${WORD}-${WORD}b $${WORD}\n"
		  "  password: ${DIGITS}\n"
		  "  hostname: ${NESTED}\n"
		  "  timezone: a$${WORD}\n"
		  "  packages: [plain, '${DIGITS}', '${WORD}${X-}']\n"
		  "  cloud_init: {a: [{b: '${DIGITS}'}, 1, '${RAM}'], c: '$${WORD}'}\n"
		  "  services: ['$${WORD}']\n"
		  "  vcpus: 3\n");
	check_good(&l);
	spec = spec_of(&l, "a");
	assert_int_equal(cb_spec_int(spec, "ram_mb", 0), 4242);
	assert_true(cb_spec_bool(spec, "gui", false));
	assert_int_equal(cb_spec_int(spec, "disks[d].size", 0), INT64_C(7) << 30);
	assert_string_equal(cb_spec_string(spec, "description"), "asentinel-sentinelb ${WORD}");
	assert_string_equal(cb_spec_string(spec, "password"), "007");
	/* Not once more: a value is a value. */
	assert_string_equal(cb_spec_string(spec, "hostname"), "${WORD}");
	assert_string_equal(cb_spec_string(spec, "timezone"), "a${WORD}");
	assert_string_equal(cb_spec_string(spec, "packages"),
			    "[\"plain\",\"007\",\"sentinel${X-}\"]");
	assert_string_equal(cb_spec_string(spec, "cloud_init"),
			    "{\"a\":[{\"b\":\"007\"},1,\"4242\"],\"c\":\"${WORD}\"}");
	assert_string_equal(cb_spec_string(spec, "services"), "[\"${WORD}\"]");
	for (size_t i = 0; i < CB_COUNT(sensitive); i++) {
		if (!cb_spec_find(spec, sensitive[i])->origin.sensitive)
			fail_msg("'%s' is not sensitive", sensitive[i]);
	}
	assert_false(cb_spec_find(spec, "vcpus")->origin.sensitive);
	assert_false(cb_spec_find(spec, "timezone")->origin.sensitive);
	assert_false(cb_spec_find(spec, "services")->origin.sensitive);
	assert_false(cb_spec_find(spec, "disks[d].name")->origin.sensitive);
}

static void passwords_are_sensitive_as_they_are(void **state)
{
	auto_loaded struct loaded l;

	(void)state;
	load(&l, "vm: {name: a, password: sentinel}\n");
	check_good(&l);
	assert_true(cb_spec_find(spec_of(&l, "a"), "password")->origin.sensitive);
}

/* What is merged into secrets is one, whichever of both had it. */
static void merged_content_stays_sensitive(void **state)
{
	auto_loaded struct loaded l;

	(void)state;
	load_with(&l, variables,
		  "profiles: {p: {cloud_init: {a: \"${WORD}\"}}}\n"
		  "vms: {a: {profile: p, cloud_init: {b: x}}, b: {cloud_init: {b: x}}}\n");
	check_good(&l);
	assert_string_equal(cb_spec_string(spec_of(&l, "a"), "cloud_init"),
			    "{\"a\":\"sentinel\",\"b\":\"x\"}");
	assert_true(cb_spec_find(spec_of(&l, "a"), "cloud_init")->origin.sensitive);
	assert_false(cb_spec_find(spec_of(&l, "b"), "cloud_init")->origin.sensitive);
}

/* An anchor may be a value here and a key there: only the value is expanded. */
static void keys_are_never_expanded(void **state)
{
	auto_loaded struct loaded l;

	(void)state;
	load_with(&l, variables,
		  "vms:\n"
		  "  a: {description: &x \"${WORD}\", labels: {*x : y}}\n"
		  "  b: {description: *x}\n");
	check_problems(&l, (const char *[]){"2:20 manifest.variable|'labels[]' cannot", NULL},
		       "t.yaml");
	assert_string_equal(cb_spec_string(spec_of(&l, "b"), "description"), "sentinel");
}

/* Every way in which a value can be wrong; none shows it. */
static void values_of_variables_are_never_shown(void **state)
{
	static const char *const keys[] = {
		"ram_mb: ${WORD}",
		"vcpus: ${RAM}0000",
		"gui: ${WORD}",
		"state: ${WORD}",
		"state: ${EMPTY}",
		"ram_mb: ${EMPTY}",
		"password: ${EMPTY}",
		"base_image: \"~/${WORD}\"",
		"username: \"${KEY}sentinelsentinelsentinelsentinel\"",
		"pool: \"${WORD}\\n\"",
		"pool: \"${WORD}\\0\"",
		"pool: \"${WORD}\\x7f\"",
		"pool: !mine ${WORD}",
		"profile: ${WORD}",
		"host: ${WORD}",
		"depends_on: [\"${WORD}\"]",
		"count: ${WORD}",
		"boot: ${WORD}",
		"boot: {cmdline: \"${WORD}\"}",
		"cloud_init: ${WORD}",
		"cloud_init: {a: \"${WORD}\\0\"}",
		"packages: {a: \"${WORD}\"}",
		"packages: [\"${WORD}\\x01\"]",
		"labels: {a: \"${WORD}\\n\"}",
		"disks: ${WORD}",
		"disks: [\"${WORD}\"]",
		"disks: [{name: d, size: \"${WORD}\"}]",
		"disks: [{name: d, size: \"${RAM}\"}]",
		"disks: [{name: \"${WORD}\", size: 1GiB}]",
		"nics: [{name: n, network: x, mac: \"${WORD}\"}]",
		"nics: [{name: n, network: x, ip: \"${WORD}\"}]",
		"nics: [{name: n, network: \"${WORD}\", ip: 10.0.0.2}]",
		"firmware: ${WORD}",
	};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(keys); i++) {
		cb_auto_str struct cb_str yaml = {0};
		auto_loaded struct loaded l;

		cb_str_printf(&yaml,
			      "networks: {n: {cidr: 10.0.0.0/24}}\n"
			      "profiles: {sentinex: {}}\nhosts: {sentinex: {uri: x}}\n"
			      "vms:\n  sentinex: {}\n  a:\n    %s\n",
			      keys[i]);
		load_with(&l, variables, yaml.text);
		if (l.count == 0)
			fail_msg("loads: %s", keys[i]);
		cb_vec_each (struct cb_problem, problem, &l.problems) {
			const char *line = line_of(&l, problem);

			/* Nor how close it is to something else. */
			assert_null(strstr(problem->fix, "sentinex"));
			if (strstr(line, "sentinel") || strstr(line, "4242") ||
			    strstr(line, "AAAA"))
				fail_msg("%s\nshows: %s", keys[i], line);
		}
	}
}

static void addresses_from_variables_are_not_shown_either(void **state)
{
	static const char *const addresses[] = {"CIDR=10.77.0.0/24",     "IP=10.78.0.9",
						"MAC=52:54:00:77:77:77", "START=10.77.0.9",
						"END=10.77.0.3",         NULL};
	auto_loaded struct loaded l;

	(void)state;
	load_with(&l, addresses,
		  "networks:\n"
		  "  n: {cidr: \"${CIDR}\", dhcp: {start: \"${START}\", end: \"${IP}\"}}\n"
		  "  m: {cidr: \"${CIDR}\", dhcp: {start: \"${START}\", end: \"${END}\"}}\n"
		  "vms:\n"
		  "  a: {nics: [{name: n, network: n, ip: \"${IP}\", mac: \"${MAC}\"}]}\n"
		  "  b: {nics: [{name: n, network: n, ip: \"${START}\", mac: \"${MAC}\"}]}\n"
		  "  c: {nics: [{name: n, network: n, ip: \"${START}\"}]}\n");
	assert_int_equal(l.count, 5);
	cb_vec_each (struct cb_problem, problem, &l.problems) {
		assert_null(strstr(line_of(&l, problem), "10.7"));
		assert_null(strstr(line_of(&l, problem), "77:77"));
	}
}

/* The environment may hold any bytes. */
static void values_that_are_no_text_are_refused(void **state)
{
	static const char *const bytes[] = {"BAD=sentinel\xff", NULL};
	static const char *const keys[] = {"description: ${BAD}", "packages: ['${BAD}']",
					   "cloud_init: {a: '${BAD}'}", "password: ${BAD}"};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(keys); i++) {
		auto_loaded struct loaded l;
		char yaml[80];

		(void)snprintf(yaml, sizeof(yaml), "vm:\n  name: a\n  %s\n", keys[i]);
		load_with(&l, bytes, yaml);
		assert_int_equal(l.count, 1);
		assert_non_null(strstr(l.problems.items[0].message, "'BAD' is not UTF-8"));
		assert_null(strstr(line_of(&l, &l.problems.items[0]), "sentinel"));
	}
}

static void there_is_an_end_to_what_variables_make(void **state)
{
	cb_auto_str struct cb_str value = {0}, yaml = {0};
	const char *one[] = {NULL, NULL};
	auto_loaded struct loaded l;

	(void)state;
	cb_str_add(&value, "LONG=");
	for (int i = 0; i < 60000; i++)
		cb_str_add(&value, "x");
	one[0] = value.text;
	cb_str_add(&yaml, "vm: {name: a, cloud_init: {a: [");
	for (int i = 0; i < 20; i++)
		cb_str_add(&yaml, "'${LONG}', ");
	cb_str_add(&yaml, "]}}");
	load_with(&l, one, yaml.text);
	assert_true(l.count > 0);
	assert_string_equal(l.problems.items[0].check, "manifest.limit");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(variables_stand_for_values_of_all_kinds),
		cmocka_unit_test(passwords_are_sensitive_as_they_are),
		cmocka_unit_test(merged_content_stays_sensitive),
		cmocka_unit_test(keys_are_never_expanded),
		cmocka_unit_test(values_of_variables_are_never_shown),
		cmocka_unit_test(addresses_from_variables_are_not_shown_either),
		cmocka_unit_test(values_that_are_no_text_are_refused),
		cmocka_unit_test(there_is_an_end_to_what_variables_make),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("variables", tests, NULL, NULL);
}
