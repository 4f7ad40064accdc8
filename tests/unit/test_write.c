/*
 * What manifests come to, as a manifest again and as JSON: the same desired state, with the places
 * that the values come from, and no secrets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "reconciler/base/str.h"
#include "reconciler/model/field.h"
#include "schema/format.h"
#include "schema/same.h"
#include "schema/write.h"
#include "tests/unit/loaded.h"

static const char fleet[] = "owner: team-a\n"                          /* 1 */
			    "hosts: {lab: {uri: 'qemu:///system'}}\n"  /* 2 */
			    "defaults:\n"                              /* 3 */
			    "  host: lab\n"                            /* 4 */
			    "  vm: {gui: false, vcpus: 2}\n"           /* 5 */
			    "profiles:\n"                              /* 6 */
			    "  small: {ram_mb: 512, labels: {a: b}}\n" /* 7 */
			    "networks: {lan: {cidr: 10.0.0.0/24}}\n"   /* 8 */
			    "vms:\n"                                   /* 9 */
			    "  db: {ram_mb: 1024, disks: [{name: x, size: 100MB}, {name: y,\n"
			    "    size: 3GiB, format: raw}]}\n" /* 11 */
			    "  web:\n"                         /* 12 */
			    "    count: 2\n"
			    "    profile: small\n" /* 14 */
			    "    depends_on: db\n"
			    "    packages: [git, 'a: b', '010']\n" /* 16 */
			    "    cloud_init: {a: [1, 1.5, null, true, {b: 'x\\ny'}], '<<': z}\n"
			    "    nics: [{name: lan0, network: lan}]\n"; /* 18 */

/* What is not acted on yet has a warning. */
static void check_loads(struct loaded *l)
{
	if (l->count) {
		dump(l);
		fail_msg("it does not load");
	}
}

static void write_it(const struct loaded *l, enum cb_write_origins origins, struct cb_str *out)
{
	cb_auto_error struct cb_error err = {0};

	if (cb_write_manifest(&l->desired, origins, out, &err) < 0)
		fail_msg("%s", err.message);
}

/* Written and read again, it is the same, with origins and without; and in canonical form. */
static void check_same(const struct loaded *l)
{
	for (int origins = CB_WRITE_BARE; origins <= CB_WRITE_ORIGINS; origins++) {
		cb_auto_arena struct cb_arena arena = {0};
		cb_auto_error struct cb_error err = {0};
		cb_auto_str struct cb_str out = {0}, again = {0};
		auto_loaded struct loaded back;
		struct cb_manifest_text text = {.name = "t", .directory = "/", .source = "t"};
		struct cb_problems problems = {0};

		write_it(l, (enum cb_write_origins)origins, &out);
		load(&back, out.text);
		if (back.count) {
			dump(&back);
			fail_msg("it does not load:\n%s", out.text);
		}
		if (!cb_desired_same(&l->desired, &back.desired))
			fail_msg("it is not the same:\n%s", out.text);
		text.bytes = out.text;
		text.len = out.len;
		assert_int_equal(cb_format(&arena, &text, &again, &problems, &err), 0);
		assert_string_equal(out.text, again.text);
	}
}

static void what_is_written_loads_as_the_same(void **state)
{
	static const char *const texts[] = {
		"vms: {}",
		"vms: {a: {}, '010': {vcpus: 1}}",
		"vm: {name: a, description: \"x\\ny # z: \\t$${X} 'a' \\\"b\\\"\\u0085\\u00e4\"}",
		"vm: {name: a, post_commands: ['echo $${HOME} ${1:-x} $$${Y}', \"a\\nb\"]}",
		"vm: {name: a, description: '', labels: {a: '', b: 'true', c: '1'}}",
		"vm: {name: a, boot: {kernel: ./k, cmdline: 'a=b,c [d]'}, ssh_keys: []}",
		"networks: {lan: {cidr: 10.0.0.0/24, dhcp: {start: 10.0.0.5, end: 10.0.0.9}}}",
		"pools: {p: {path: /x}}\nimages: {i: {path: ./i}}",
		"vm: {name: a, disks: [{name: a, size: 2TB}, {name: b, size: 1201KB},"
		" {name: c, size: 1TiB}, {name: d, size: 1225KiB}]}",
		/* Bare numbers count in the unit of their row, which is not that of another one. */
		"vm: {name: a, resources: {memory: {hard_limit: 8192, swap: 2GB},\n"
		"  disk: {read_bps: 7, write_bps: 1TB}, cpu: {pin: [0, 1, 2, 7], shares: 3},\n"
		"  network: {inbound: 1Gbps, outbound: 8001bps}}}",
		"vm: {name: a, health_checks: [{name: 'a.b, c', type: http, url: 'http://[::1]/',\n"
		"  timeout: 1ms, interval: 90, headers: {a: 1, b: true, 'c: d': '$${X}'},\n"
		"  expected_status: [200, 204], expected_json: {a: [1, {b: null}]}}]}",
		"policies: {p: {keep_last: 3, schedule: '@daily', max_size: 10GB, before: "
		"delete},\n"
		"  q: {}}\n"
		"vms: {a: {snapshots: p}, b: {snapshots: {policy: p, schedule: null, max_age: "
		"4w}},\n"
		"  c: {snapshots: {policy: q, enabled: false, interval: 36h}}}",
		"vms:\n"
		"  a: {paths: {/home/me/src: /src, /home/me/src/: /again, '//home/me//src': "
		"/third,\n"
		"    '/a: b #': {guest: '/x: #.d', kind: 9p, readonly: true},\n"
		"    /data.d: {guest: /data.d/e, readonly: false}}}",
	};

	auto_loaded struct loaded l;

	(void)state;
	load(&l, fleet);
	check_loads(&l);
	check_same(&l);
	for (size_t i = 0; i < CB_COUNT(texts); i++) {
		auto_loaded struct loaded one;

		load(&one, texts[i]);
		check_loads(&one);
		check_same(&one);
	}
}

static void every_example_of_the_table_comes_back(void **state)
{
	const struct cb_field *fields;
	size_t n, seen = 0;

	(void)state;
	fields = cb_fields(&n);
	for (size_t i = 0; i < n; i++) {
		cb_auto_str struct cb_str yaml = {0};
		auto_loaded struct loaded l;
		bool below = fields[i].scope == CB_SCOPE_VM && strcmp(fields[i].path, "name") != 0;

		cb_str_printf(&yaml, below ? "defaults: {vm: {%s}}\nvms: {x: {}}\n" : "%s\n",
			      fields[i].example);
		load(&l, yaml.text);
		if (l.count)
			continue; /* it refers to something, or is of one VM alone */
		seen++;
		check_same(&l);
	}
	assert_true(seen > n / 2);
}

/* A key that no line may hold in its short form. */
static void long_names_of_directories_come_back(void **state)
{
	cb_auto_str struct cb_str yaml = {0};
	auto_loaded struct loaded l;

	(void)state;
	cb_str_add(&yaml, "vm: {name: a, paths: {? /");
	for (size_t i = 0; i < 1020; i++)
		cb_str_add(&yaml, i % 3 ? "a" : "'");
	cb_str_add(&yaml, " : {guest: /x, kind: 9p}}}\n");
	load(&l, yaml.text);
	check_loads(&l);
	check_same(&l);
}

static void has_line(const struct cb_str *out, const char *line)
{
	if (!strstr(cb_str_text(out), line))
		fail_msg("no line '%s' in\n%s", line, cb_str_text(out));
}

static void every_value_says_where_it_comes_from(void **state)
{
	cb_auto_str struct cb_str out = {0}, bare = {0};
	auto_loaded struct loaded l;

	(void)state;
	load(&l, fleet);
	write_it(&l, CB_WRITE_ORIGINS, &out);
	has_line(&out, "\nowner: team-a # t.yaml:1\n");
	has_line(&out, "\n    host: lab # defaults t.yaml:4\n");
	has_line(&out, "\n    vcpus: 2 # defaults.vm t.yaml:5\n");
	has_line(&out, "\n    ram_mb: 1024 # t.yaml:10\n");
	has_line(&out, "\n    ram_mb: 512 # profile small t.yaml:7\n");
	has_line(&out, "\n      a: b # profile small t.yaml:7\n");
	has_line(&out, "\n    depends_on: [db] # t.yaml:15\n");
	has_line(&out, "\n    # machine: q35 # built-in default\n");
	has_line(&out, "\n      - name: x # t.yaml:10\n        size: 100MB # t.yaml:10\n"
		       "        # format: qcow2 # built-in default\n");
	has_line(&out, "\n        size: 3GiB # t.yaml:11\n        format: raw # t.yaml:11\n");
	has_line(&out, "\n    # network_mode: auto # built-in default\n");
	has_line(&out, "\n    # autostart: true # built-in default\n");
	has_line(&out, "\n  web-2:\n");
	/* It has interfaces. */
	assert_null(strstr(strstr(out.text, "  web-2:"), "network_mode"));
	write_it(&l, CB_WRITE_BARE, &bare);
	assert_null(strchr(bare.text, '#'));
	assert_null(strstr(bare.text, "q35"));
	/* There are no snapshots that could be enabled. */
	assert_null(strstr(out.text, "snapshots"));
}

static void values_are_written_as_people_write_them(void **state)
{
	cb_auto_str struct cb_str out = {0};
	auto_loaded struct loaded l;

	(void)state;
	load(&l, "policies: {p: {max_size: 10GB, max_age: 28d, interval: 5400s, keep_last: 2}}\n"
		 "vm:\n"
		 "  name: a\n"
		 "  limits: {memory_limit: 8G, network_bandwidth_in: 100Mbps}\n"
		 "  snapshots: {policy: p, keep_last: null}\n"
		 "  health_check: {type: http, url: 'http://x/', expected_status: 200}\n"
		 "  copy_paths: {/home/me/.config: /home/ubuntu/.config}\n"
		 "  paths: {/home/me/src: {guest: /src, readonly: true}, /d: /data}\n");
	check_loads(&l);
	write_it(&l, CB_WRITE_ORIGINS, &out);
	has_line(&out, "\n    max_size: 10GB # t.yaml:1\n");
	has_line(&out, "\n    max_age: 4w # t.yaml:1\n");
	has_line(&out, "\n    interval: 90m # t.yaml:1\n");
	has_line(&out, "\n        hard_limit: 8GiB # t.yaml:4\n");
	has_line(&out, "\n        inbound: 100Mbps # t.yaml:4\n");
	has_line(&out, "\n      keep_last: null");
	has_line(&out, "\n      - name: default # t.yaml:6\n");
	has_line(&out, "\n        expected_status: [200] # t.yaml:6\n");
	has_line(&out, "\n        # timeout: 5s # built-in default\n");
	has_line(&out, "\n      /d:\n        guest: /data # t.yaml:8\n"
		       "        # kind: auto # built-in default\n");
	has_line(&out, "\n        readonly: true # t.yaml:8\n");
	/* Left alone: it is none of what is desired. */
	assert_null(strstr(out.text, "copy_paths"));
}

#define SECRET "q7Zx-w0"

static void secrets_are_not_written(void **state)
{
	const char *const variables[] = {"P=" SECRET, "R=77", NULL};
	cb_auto_str struct cb_str out = {0};
	auto_loaded struct loaded l;
	char *json;
	json_t *root;

	(void)state;
	load_with(&l, variables,
		  "vm: {name: a, password: lit-" SECRET ", description: 'x ${P}', ram_mb: '${R}',\n"
		  "  packages: [a, '${P}'], cloud_init: {a: '${P}'}}\n");
	check_good(&l);
	write_it(&l, CB_WRITE_ORIGINS, &out);
	assert_null(strstr(out.text, SECRET));
	assert_null(strstr(out.text, "77"));
	has_line(&out, "    password: (sensitive) # t.yaml:1\n");
	has_line(&out, "    ram_mb: (sensitive) # t.yaml:1\n");
	root = cb_write_json(&l.desired);
	json = json_dumps(root, 0);
	assert_null(strstr(json, SECRET));
	assert_null(strstr(json, "77"));
	assert_non_null(strstr(json, "(sensitive)"));
	free(json);
	json_decref(root);
}

static void the_json_has_every_value_and_its_origin(void **state)
{
	auto_loaded struct loaded l;
	json_t *root, *web, *value;

	(void)state;
	load(&l, fleet);
	root = cb_write_json(&l.desired);
	assert_string_equal(json_string_value(json_object_get(root, "schema")),
			    "clonebox/render/v1");
	assert_int_equal(json_array_size(json_object_get(root, "vms")), 3);
	web = json_array_get(json_object_get(root, "vms"), 2);
	assert_string_equal(json_string_value(json_object_get(web, "name")), "web-2");
	web = json_object_get(web, "values");
	value = json_object_get(web, "ram_mb");
	assert_int_equal(json_integer_value(json_object_get(value, "value")), 512);
	value = json_object_get(value, "origin");
	assert_string_equal(json_string_value(json_object_get(value, "via")), "profile small");
	assert_int_equal(json_integer_value(json_object_get(value, "line")), 7);
	assert_string_equal(json_string_value(json_object_get(value, "from")), "manifest");
	value = json_object_get(json_object_get(web, "machine"), "origin");
	assert_string_equal(json_string_value(json_object_get(value, "from")), "default");
	value = json_object_get(json_object_get(web, "packages"), "value");
	assert_int_equal(json_array_size(value), 3);
	json_decref(root);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_loads_as_the_same),
		cmocka_unit_test(every_example_of_the_table_comes_back),
		cmocka_unit_test(long_names_of_directories_come_back),
		cmocka_unit_test(values_are_written_as_people_write_them),
		cmocka_unit_test(every_value_says_where_it_comes_from),
		cmocka_unit_test(secrets_are_not_written),
		cmocka_unit_test(the_json_has_every_value_and_its_origin),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("write", tests, NULL, NULL);
}
