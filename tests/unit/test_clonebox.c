/*
 * Files as CloneBox and its users write them, in shapes of our own making: compose files, profiles,
 * policy files, what is left alone, and what --lenient reads otherwise.
 */
#include "reconciler/model/field.h"
#include "tests/unit/loaded.h"

/* One text, read leniently. */
static void load_lenient(struct loaded *l, bool fragment, const char *yaml)
{
	static const char *const variables[] = {"HERE=there", NULL};
	struct cb_manifest_text text = {.name = "t.yaml",
					.directory = "/srv/t",
					.source = "file:/srv/t",
					.bytes = yaml,
					.len = strlen(yaml),
					.variables = variables,
					.lenient = true,
					.fragment = fragment};

	*l = (struct loaded){0};
	l->count = cb_manifest_load(&l->arena, &text, 1, &l->desired, &l->problems);
}

/* A manifest with one text that it refers to. */
static void load_two(struct loaded *l, const char *yaml, enum cb_text_kind kind, const char *as,
		     const char *directory, const char *other)
{
	const struct cb_manifest_text texts[] = {
		{.name = "t.yaml",
		 .directory = "/srv/t",
		 .source = "file:/srv/t",
		 .bytes = yaml,
		 .len = strlen(yaml)},
		{.name = "u.yaml",
		 .directory = directory,
		 .source = "file:/srv/u",
		 .bytes = other,
		 .len = strlen(other),
		 .kind = kind,
		 .as = as},
	};

	*l = (struct loaded){0};
	l->count = cb_manifest_load(&l->arena, texts, 2, &l->desired, &l->problems);
}

static void check_loads(struct loaded *l)
{
	if (l->count) {
		dump(l);
		fail_msg("%d problems", l->count);
	}
}

/* ---- compose files, profiles ---- */

static void compose_files_are_fleets(void **state)
{
	auto_loaded struct loaded l;
	const struct cb_spec *spec;

	(void)state;
	load(&l, "version: '1'\n"
		 "defaults: {vm: {ram_mb: 2048}, limits: {memory_limit: 4G}}\n"
		 "vms:\n"
		 "  web:\n"
		 "    template: nginx\n"
		 "    depends_on: [db]\n"
		 "    vm: {ram_mb: 4096, disk_size_gb: 50}\n"
		 "    environment: {URL: 'http://db', PORT: 80}\n"
		 "    volumes: ['data:/srv']\n"
		 "    health_check: {type: http, url: 'http://localhost/', timeout: 30s}\n"
		 "  db: {}\n"
		 "volumes: {data: {driver: local, size: 50G}}\n"
		 "networks: {lan: {driver: bridge, subnet: 192.168.9.0/24}}\n");
	check_loads(&l);
	spec = spec_of(&l, "web");
	assert_int_equal(cb_spec_int(spec, "ram_mb", 0), 4096);
	assert_int_equal(cb_spec_int(spec, "disk_size_gb", 0), 50);
	assert_int_equal(cb_spec_int(spec, "resources.memory.hard_limit", 0), INT64_C(4) << 30);
	assert_int_equal(cb_spec_int(spec, "health_checks[default].timeout", 0), 30000);
	assert_null(cb_spec_find(spec, "environment"));
	assert_string_equal(vm_of(&l, "web")->depends_on.items[0], "db");
	assert_int_equal(cb_spec_int(spec_of(&l, "db"), "ram_mb", 0), 2048);
	spec = &cb_declared_find(&l.desired.networks, "lan")->spec;
	assert_string_equal(cb_spec_string(spec, "mode"), "nat");
	assert_string_equal(cb_spec_string(spec, "cidr"), "192.168.9.0/24");
}

static void a_config_is_another_manifest_below_the_own_keys(void **state)
{
	auto_loaded struct loaded l;
	const struct cb_spec *spec;

	(void)state;
	load_two(&l,
		 "defaults: {vm: {vcpus: 1, timezone: UTC}}\n"
		 "vms: {a: {config: b/.clonebox.yaml, ram_mb: 64}}\n",
		 CB_TEXT_CONFIG, "/srv/t/b/.clonebox.yaml", "/srv/t/b",
		 "vm: {name: other, ram_mb: 32, vcpus: 2, base_image: ./x.qcow2,\n"
		 "  boot: {kernel: k}}\n"
		 "packages: [git]\n");
	check_good(&l);
	assert_int_equal(l.desired.vms.len, 1);
	assert_int_equal(l.desired.sources.len, 1);
	spec = spec_of(&l, "a");
	assert_int_equal(cb_spec_int(spec, "ram_mb", 0), 64);
	assert_int_equal(cb_spec_int(spec, "vcpus", 0), 2);
	assert_string_equal(cb_spec_string(spec, "timezone"), "UTC");
	assert_string_equal(cb_spec_string(spec, "packages"), "[\"git\"]");
	/* Its files stand beside it. */
	assert_string_equal(cb_spec_string(spec, "base_image"), "/srv/t/b/./x.qcow2");
	assert_string_equal(cb_spec_string(spec, "boot.kernel"), "/srv/t/b/k");
	assert_null(cb_spec_find(spec, "config"));
}

static void what_is_not_there_is_wanted_and_told(void **state)
{
	auto_loaded struct loaded l;

	(void)state;
	load(&l, "vms: {a: {config: ./b.yaml}, b: {profile: small}, c: {config: /x.yaml}}\n");
	check_problems(&l,
		       (const char *[]){"1:19 manifest.reference|[a]|no manifest './b.yaml'",
					"1:43 manifest.reference|[b]|no profile 'small'",
					"1:63 manifest.reference|[c]|no manifest '/x.yaml'", NULL},
		       "t.yaml");
	assert_int_equal(l.desired.wanted.len, 3);
	assert_int_equal(l.desired.wanted.items[0].kind, CB_TEXT_CONFIG);
	assert_string_equal(l.desired.wanted.items[0].name, "/srv/t/./b.yaml");
	assert_int_equal(l.desired.wanted.items[1].kind, CB_TEXT_PROFILE);
	assert_string_equal(l.desired.wanted.items[1].name, "small");
	assert_string_equal(l.desired.wanted.items[1].directory, "/srv/t");
	assert_string_equal(l.desired.wanted.items[2].name, "/x.yaml");
}

/* What nobody would look at is told. */
static void companions_stand_alone(void **state)
{
	auto_loaded struct loaded l, defaults;

	(void)state;
	load_two(&l, "vms: {a: {config: b.yaml}}\n", CB_TEXT_CONFIG, "/srv/t/b.yaml", "/srv/t",
		 "vm: {name: b, config: c.yaml}\n");
	check_problems(&l, (const char *[]){"1:23 manifest.place|a file that 'config' names", NULL},
		       "u.yaml");
	load(&defaults, "defaults: {vm: {config: b.yaml}}\nvms: {a: {}}\n");
	check_problems(&defaults,
		       (const char *[]){"1:25 manifest.place|[a]|a profile or the defaults", NULL},
		       "t.yaml");
}

/* Below `vm:`, beside it, or at the top: all are keys of the VM. */
static void profiles_in_files_are_keys_of_a_vm(void **state)
{
	static const char profile[] = "container: {image: 'x', ports: ['80:80']}\n"
				      "vm: {packages: [git], ram_mb: 2048}\n"
				      "services: [docker]\n"
				      "vcpus: 3\n"
				      "limits: {cpu_shares: 7}\n";
	auto_loaded struct loaded l, other;
	const struct cb_spec *spec;

	(void)state;
	load_two(&l, "vm: {name: a, profile: dev, ram_mb: 64}\n", CB_TEXT_PROFILE, "dev", "/srv/t",
		 profile);
	check_loads(&l);
	spec = spec_of(&l, "a");
	assert_int_equal(cb_spec_int(spec, "ram_mb", 0), 64);
	assert_int_equal(cb_spec_int(spec, "vcpus", 0), 3);
	assert_int_equal(cb_spec_int(spec, "resources.cpu.shares", 0), 7);
	assert_string_equal(cb_spec_string(spec, "packages"), "[\"git\"]");
	assert_string_equal(cb_spec_string(spec, "services"), "[\"docker\"]");
	/* Those of another directory are not this one's. */
	load_two(&other, "vm: {name: a, profile: dev}\n", CB_TEXT_PROFILE, "dev", "/srv/other",
		 profile);
	assert_int_equal(other.count, 1);
}

/* ---- policy files ---- */

static void policy_files_have_two_shapes(void **state)
{
	static const char *const shapes[] = {
		"version: '1'\n"
		"operations: {require_approval: [vm.delete], auto_approve: [vm.create]}\n"
		"resources: {max_vms_per_user: 3, max_disk_gb: 50}\n",
		"policies:\n"
		"  operations: {require_approval: [vm.delete], auto_approve: [vm.create]}\n"
		"  resources: {max_vms_per_user: 3, max_disk_gb: 50}\n"
		"  network: {allowlist: ['*.example'], blocklist: []}\n",
	};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(shapes); i++) {
		auto_loaded struct loaded l;
		const struct cb_spec *rules = &l.desired.rules;

		load_two(&l, "vm: {name: a}\n", CB_TEXT_RULES, NULL, "/srv/t", shapes[i]);
		check_loads(&l);
		assert_string_equal(cb_spec_string(rules, "operations.require_approval"),
				    "[\"vm.delete\"]");
		assert_string_equal(cb_spec_string(rules, "operations.auto_approve"),
				    "[\"vm.create\"]");
		assert_int_equal(cb_spec_int(rules, "resources.max_vms_per_user", 0), 3);
		assert_int_equal(cb_spec_int(rules, "resources.max_disk_gb", 0), 50);
	}
}

static void policy_files_that_cannot_be_are_told(void **state)
{
	static const struct {
		const char *yaml, *want[3];
	} rows[] = {
		{"[a]\n", {"1:1 manifest.type|a policy file wants a map"}},
		{"resources: {max_disk_gb: 5G}\n",
		 {"1:26 manifest.type|write resources.max_disk_gb: 5"}},
		{"operations: {require_aproval: [a]}\n",
		 {"1:14 manifest.unknown-key|did you mean 'require_approval'?"}},
		{"operations: {require_approval: [['a']]}\n", {"1:33 manifest.type|found a list"}},
		{"resources: {max_disk_gb: 5}\npolicies: {resources: {max_disk_gb: 6}}\n",
		 {"2:37 manifest.conflict|u.yaml:1:26"}},
	};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		auto_loaded struct loaded l;

		load_two(&l, "vm: {name: a}\n", CB_TEXT_RULES, NULL, "/srv/t", rows[i].yaml);
		check_problems(&l, rows[i].want, "u.yaml");
	}
}

/* ---- other spellings, what is left alone ---- */

static void logging_in_has_another_spelling(void **state)
{
	auto_loaded struct loaded l;
	const struct cb_spec *spec;

	(void)state;
	load(&l, "vm:\n"
		 "  name: a\n"
		 "  auth:\n"
		 "    method: one_time_password\n"
		 "    ssh_public_key: ssh-ed25519 AAAA x\n"
		 "    ssh_keys: [ssh-rsa BBBB y]\n"
		 "    password: {provider: vault, path: secret/a, key: password, ttl: 24h}\n");
	check_loads(&l);
	spec = spec_of(&l, "a");
	assert_string_equal(cb_spec_string(spec, "auth_method"), "one_time_password");
	assert_string_equal(cb_spec_string(spec, "ssh_public_key"), "ssh-ed25519 AAAA x");
	assert_string_equal(cb_spec_string(spec, "ssh_keys"), "[\"ssh-rsa BBBB y\"]");
	assert_int_equal(cb_spec_int(spec, "auth.password.ttl", 0), 86400000);
	assert_int_equal(l.problems.len, 1);
	check_line(&l, "7:5 manifest.later|'auth.password' is read and checked",
		   line_of(&l, &l.problems.items[0]), "t.yaml");
}

static void web_services_have_two_shapes(void **state)
{
	auto_loaded struct loaded l;
	const struct cb_spec *spec;

	(void)state;
	load(&l, "vm: {name: a}\n"
		 "web_services:\n"
		 "- {name: one, type: uvicorn, module: 'app:app', working_dir: /srv, port: 8000}\n"
		 "- {name: two, exec: 'x --y', workdir: /mnt, user: root, environment: [A=b],\n"
		 "   after: network.target, restart: always, restart_sec: 5}\n");
	check_loads(&l);
	spec = spec_of(&l, "a");
	assert_string_equal(cb_spec_string(spec, "web_services[one].workdir"), "/srv");
	assert_int_equal(cb_spec_int(spec, "web_services[one].port", 0), 8000);
	assert_string_equal(cb_spec_string(spec, "web_services[two].workdir"), "/mnt");
	assert_int_equal(cb_spec_int(spec, "web_services[two].restart_sec", 0), 5000);
}

/* Checked as far as there is something to check, and in no way part of what is wanted. */
static void what_is_left_alone_is_checked_and_not_kept(void **state)
{
	auto_loaded struct loaded l, wrong;

	(void)state;
	load(&l, "vm: {name: a}\n"
		 "copy_paths: {\"/home/me/${NOBODY}\": '/home/${NOBODY}'}\n"
		 "app_data_paths: {}\n"
		 "browser_profiles: [all]\n"
		 "detected: {running_apps: [{name: x, memory_mb: 70.3}]}\n"
		 "backends: {hypervisor: mock, disk: memory}\n"
		 "secrets: {provider: sops, sops: {file: x.yaml}}\n"
		 "smoke_test: true\n"
		 "alerts: {a: [b]}\n");
	check_loads(&l);
	assert_int_equal(spec_of(&l, "a")->len, 0);
	load(&wrong, "vm: {name: a}\n"
		     "copy_paths: [a]\n"
		     "browser_profiles: [netscape]\n"
		     "secrets: {provider: paper}\n"
		     "backends: {hypervisr: x}\n");
	assert_int_equal(wrong.count, 4);
}

/* What `validate` says of each key. */
static void every_key_that_is_found_has_a_class(void **state)
{
	static const struct {
		const char *path;
		enum cb_class class;
		size_t count;
	} rows[] = {
		{"vms", CB_CLASS_REALISED, 1},
		{"ram_mb", CB_CLASS_REALISED, 2},
		{"auth.method", CB_CLASS_GUEST, 1},
		{"packages", CB_CLASS_GUEST, 1},
		{"limits.memory_limit", CB_CLASS_POLICY, 1},
		{"paths", CB_CLASS_GUEST, 1},
		{"health_check", CB_CLASS_POLICY, 1},
		{"template", CB_CLASS_UNMANAGED, 1},
	};
	auto_loaded struct loaded l;

	(void)state;
	load(&l, "vms:\n"
		 "  a: {ram_mb: 64, auth: {method: ssh_key}, packages: [x], paths: {/a: /b}}\n"
		 "  b: {ram_mb: 64, limits: {memory_limit: 8G}, template: t,\n"
		 "    health_check: {type: memory}}\n");
	check_loads(&l);
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		const struct cb_found_key *found = NULL;

		cb_vec_each (const struct cb_found_key, key, &l.desired.keys) {
			if (strcmp(key->field->path, rows[i].path) == 0)
				found = key;
		}
		if (!found) {
			fail_msg("'%s' was not found", rows[i].path);
			abort(); /* not reached */
		}
		assert_int_equal(cb_field_class(found->field), rows[i].class);
		assert_int_equal(found->count, rows[i].count);
		assert_true(found->first.line > 0);
	}
}

/* ---- lenient ---- */

static void leniently_scalars_are_those_of_yaml_1_1(void **state)
{
	static const struct {
		const char *value, *want;
	} texts[] = {
		{"off", "False"},
		{"yes", "True"},
		{"010", "8"},
		{"22:22", "1342"},
		{"1_000", "1000"},
		{"0x1F", "31"},
		{"+12", "12"},
		{"12", "12"},
		{"0o17", "0o17"},
		{"1.5", "1.5"},
		{"2026-01-31", "2026-01-31"},
		{"-1:30", "-90"},
		{"0b101", "5"},
		{"190:20:30", "685230"},
		{"\"off\"", "off"},
		{"plain", "plain"},
	};

	static const struct {
		const char *value;
		int64_t want;
	} numbers[] = {{"\"64\"", 64}, {"0100", 64}, {"1_024", 1024}, {"0x40", 64}, {"1:04", 64}};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(texts); i++) {
		auto_loaded struct loaded l;
		char yaml[128];

		(void)snprintf(yaml, sizeof(yaml), "vm: {name: a, description: %s}\n",
			       texts[i].value);
		load_lenient(&l, false, yaml);
		check_loads(&l);
		assert_string_equal(cb_spec_string(spec_of(&l, "a"), "description"), texts[i].want);
		/* Silently only where everybody reads the same. */
		assert_int_equal(l.problems.len, i < 14);
	}
	for (size_t i = 0; i < CB_COUNT(numbers); i++) {
		auto_loaded struct loaded l;
		char yaml[128];

		(void)snprintf(yaml, sizeof(yaml), "vm: {name: a, ram_mb: %s, gui: \"no\"}\n",
			       numbers[i].value);
		load_lenient(&l, false, yaml);
		check_loads(&l);
		assert_int_equal(cb_spec_int(spec_of(&l, "a"), "ram_mb", 0), numbers[i].want);
		assert_false(cb_spec_bool(spec_of(&l, "a"), "gui", true));
		assert_int_equal(l.problems.len, 2);
	}
}

struct told {
	const char *yaml;
	const char *want[5];
};

static void leniently_the_last_of_two_keys_counts(void **state)
{
	auto_loaded struct loaded l, vms;

	(void)state;
	load_lenient(&l, false,
		     "vm: {name: a, ram_mb: x, labels: {a: b}, ram_mb: 64, labels: {c: d}}\n"
		     "packages: [a]\n"
		     "packages: [b]\n");
	assert_int_equal(cb_spec_int(spec_of(&l, "a"), "ram_mb", 0), 64);
	assert_null(cb_spec_find(spec_of(&l, "a"), "labels[a]"));
	assert_string_equal(cb_spec_string(spec_of(&l, "a"), "labels[c]"), "d");
	assert_string_equal(cb_spec_string(spec_of(&l, "a"), "packages"), "[\"b\"]");
	load_lenient(&vms, false, "vm: {name: a, ram_mb: x}\nvm: {name: b}\n");
	check_problems(
		&vms,
		(const char *[]){"2:1 manifest.duplicate-key|warning|the last one counts", NULL},
		"t.yaml");
	assert_int_equal(vms.desired.vms.len, 1);
	assert_string_equal(vms.desired.vms.items[0].name, "b");
}

static void leniently_is_told_what_is_read_otherwise(void **state)
{
	static const struct told rows[] = {
		{"vm: {name: a, colour: red}\nextra: 1\n",
		 {"1:15 manifest.unknown-key|warning|'colour', not looked at",
		  "2:1 manifest.unknown-key|warning|'extra'"}},
		{"name: a\nram_mb: 64\npackages: [x]\n",
		 {"1:1 manifest.lenient|warning|at the top"}},
		{"vm: {name: a, network_mode: bridge}\n",
		 {"1:29 manifest.lenient|warning|'bridge' is read as 'default'"}},
		{"vms: {a: {}}\npackages: [x]\n",
		 {"2:1 manifest.place|warning|'packages' beside 'vms:' is not looked at"}},
		/* What cannot be guessed stays an error. */
		{"vm: {ram_mb: 64}\n", {"1:1 manifest.missing|error|needs a 'name'"}},
		{"vm: {name: a, ram_mb: lots}\n", {"1:23 manifest.type|error"}},
		{"vm: {name: a, ssh_public_key: '${NOBODY}'}\n", {"1:31 manifest.variable|error"}},
		{"vm: {name: a/b}\n", {"1:12 manifest.name|error"}},
		{"vm:\n", {"1:4 manifest.type|error"}},
		{"version: 1\n", {"1:1 manifest.empty|error"}},
		{"version: 99\nvms: {}\n", {"1:10 manifest.value|error"}},
	};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		auto_loaded struct loaded l;

		load_lenient(&l, false, rows[i].yaml);
		check_problems(&l, rows[i].want, "t.yaml");
	}
}

/* Good for being looked at only: no VM comes of a part. */
static void parts_of_manifests_can_be_looked_at(void **state)
{
	static const struct told rows[] = {
		{"vm: {ram_mb: 64}\n", {"1:1 manifest.fragment|warning|makes no VM"}},
		{"packages: [x]\n",
		 {"1:1 manifest.empty|warning", "1:11 manifest.place|warning|needs a 'vm:'"}},
		{"- name: x\n  type: database\n",
		 {"1:1 manifest.empty|warning", "1:1 manifest.fragment|warning|not looked at"}},
		{"password: {provider: vault}\n",
		 {"1:1 manifest.empty|warning", "1:1 manifest.unknown-key|warning|'password'"}},
		{"vm: {ram_mb: lots}\n",
		 {"1:1 manifest.fragment|warning", "1:14 manifest.type|error"}},
	};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		auto_loaded struct loaded l;

		load_lenient(&l, true, rows[i].yaml);
		check_problems(&l, rows[i].want, "t.yaml");
		assert_int_equal(l.desired.vms.len, 0);
	}
}

static void what_a_part_refers_to_need_not_be_there(void **state)
{
	auto_loaded struct loaded l, whole;

	(void)state;
	load_lenient(&l, true, "vms: {a: {config: ./b.yaml}, b: {profile: p}}\n");
	check_problems(&l,
		       (const char *[]){"1:19 manifest.reference|warning|no manifest './b.yaml'",
					"1:43 manifest.reference|warning|no profile 'p'", NULL},
		       "t.yaml");
	load_lenient(&whole, false, "vms: {a: {config: ./b.yaml}}\n");
	assert_int_equal(whole.count, 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compose_files_are_fleets),
		cmocka_unit_test(a_config_is_another_manifest_below_the_own_keys),
		cmocka_unit_test(what_is_not_there_is_wanted_and_told),
		cmocka_unit_test(companions_stand_alone),
		cmocka_unit_test(profiles_in_files_are_keys_of_a_vm),
		cmocka_unit_test(policy_files_have_two_shapes),
		cmocka_unit_test(policy_files_that_cannot_be_are_told),
		cmocka_unit_test(logging_in_has_another_spelling),
		cmocka_unit_test(web_services_have_two_shapes),
		cmocka_unit_test(what_is_left_alone_is_checked_and_not_kept),
		cmocka_unit_test(every_key_that_is_found_has_a_class),
		cmocka_unit_test(leniently_scalars_are_those_of_yaml_1_1),
		cmocka_unit_test(leniently_the_last_of_two_keys_counts),
		cmocka_unit_test(leniently_is_told_what_is_read_otherwise),
		cmocka_unit_test(what_a_part_refers_to_need_not_be_there),
		cmocka_unit_test(parts_of_manifests_can_be_looked_at),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("clonebox", tests, NULL, NULL);
}
