/*
 * The manifest language: what loads, as which values, and what is said about what does not, at
 * which place. Everything is text in, values out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/error.h"
#include "reconciler/base/fs.h"
#include "reconciler/base/str.h"
#include "reconciler/source/files.h"
#include "schema/scalar.h"
#include "schema/yaml.h"
#include "tests/unit/loaded.h"

/* ---- what loads ---- */

static void form_1_gives_one_vm_with_values_and_their_places(void **state)
{
	auto_loaded struct loaded l;
	const struct cb_entry *entry;
	const struct cb_vm *vm;

	(void)state;
	load(&l, "version: \"1\"\n"
		 "vm:\n"
		 "  name: dev\n"
		 "  ram_mb: 8192\n"
		 "  gui: off\n"
		 "  description: |\n"
		 "    two\n"
		 "    lines\n"
		 "  boot:\n"
		 "    kernel: ./vmlinuz\n"
		 "    cmdline: \"console=ttyS0 quiet\"\n"
		 "  state: stopped\n");
	check_good(&l);
	assert_string_equal(l.desired.owner, "local");
	assert_false(l.desired.owner_given);
	assert_int_equal(l.desired.vms.len, 1);
	vm = &l.desired.vms.items[0];
	assert_string_equal(vm->name, "dev");
	assert_string_equal(vm->source, "file:/srv/t/t.yaml");
	assert_string_equal(vm->directory, "/srv/t");
	assert_int_equal(vm->origin.line, 2);
	assert_int_equal(vm->origin.column, 1);
	assert_int_equal(vm->spec.len, 6);
	assert_null(cb_spec_find(&vm->spec, "name"));
	assert_null(cb_spec_find(&vm->spec, "vcpus"));
	assert_int_equal(cb_spec_int(&vm->spec, "ram_mb", 0), 8192);
	assert_false(cb_spec_bool(&vm->spec, "gui", true));
	assert_string_equal(cb_spec_string(&vm->spec, "description"), "two\nlines\n");
	assert_string_equal(cb_spec_string(&vm->spec, "boot.kernel"), "./vmlinuz");
	assert_string_equal(cb_spec_string(&vm->spec, "state"), "stopped");
	entry = cb_spec_find(&vm->spec, "boot.cmdline");
	assert_int_equal(entry->origin.from, CB_FROM_MANIFEST);
	assert_string_equal(entry->origin.file, "t.yaml");
	assert_int_equal(entry->origin.line, 11);
	assert_int_equal(entry->origin.column, 14);
}

static void form_2_gives_vms_sorted_by_name(void **state)
{
	auto_loaded struct loaded l;

	(void)state;
	load(&l, "owner: team-a\n"
		 "vms:\n"
		 "  web: {ram_mb: 1024}\n"
		 "  db:\n"
		 "  app: {name: app, boot: ~}\n");
	check_good(&l);
	assert_string_equal(l.desired.owner, "team-a");
	assert_true(l.desired.owner_given);
	assert_int_equal(l.desired.vms.len, 3);
	assert_string_equal(l.desired.vms.items[0].name, "app");
	assert_int_equal(l.desired.vms.items[0].spec.len, 0);
	assert_string_equal(l.desired.vms.items[1].name, "db");
	assert_int_equal(l.desired.vms.items[1].spec.len, 0);
	assert_int_equal(l.desired.vms.items[1].origin.line, 4);
	assert_int_equal(l.desired.vms.items[1].origin.column, 3);
	assert_string_equal(l.desired.vms.items[2].name, "web");
}

static void documents_and_files_add_up(void **state)
{
	static const char *const files[] = {"vm: {name: a}\n---\nvms: {c: {}}\n---\n",
					    "vms:\n  b:\nvm: {name: d}\nowner: me\n",
					    "vms: {}\nowner: me\n"};
	auto_loaded struct loaded l;

	(void)state;
	load_files(&l, files, 3);
	check_good(&l);
	assert_int_equal(l.desired.vms.len, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(l.desired.vms.items[i].name[0], "abcd"[i]);
	assert_string_equal(l.desired.vms.items[1].origin.file, "b.yaml");
	assert_string_equal(l.desired.owner, "me");
}

static void nothing_at_all_is_no_problem(void **state)
{
	struct loaded l = {0};

	(void)state;
	l.count = cb_manifest_load(&l.arena, NULL, 0, &l.desired, &l.problems);
	check_good(&l);
	assert_int_equal(l.desired.vms.len, 0);
	release_loaded(&l);
}

static void all_spellings_of_booleans_load(void **state)
{
	static const struct {
		const char *text;
		bool value;
	} rows[] = {{"yes", true},    {"Yes", true},   {"YES", true},  {"on", true},
		    {"On", true},     {"ON", true},    {"true", true}, {"True", true},
		    {"TRUE", true},   {"no", false},   {"No", false},  {"NO", false},
		    {"off", false},   {"Off", false},  {"OFF", false}, {"false", false},
		    {"False", false}, {"FALSE", false}};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		auto_loaded struct loaded l;
		char yaml[64];

		(void)snprintf(yaml, sizeof(yaml), "vm: {name: a, gui: %s}", rows[i].text);
		load(&l, yaml);
		check_good(&l);
		assert_int_equal(cb_spec_bool(&l.desired.vms.items[0].spec, "gui", !rows[i].value),
				 rows[i].value);
	}
}

static void null_means_not_said(void **state)
{
	auto_loaded struct loaded l;

	(void)state;
	load(&l, "owner: ~\nversion: null\nvm:\n  name: a\n  ram_mb: ~\n  vcpus: null\n  gui:\n"
		 "  base_image: NULL\n  state: Null\n  boot: {kernel: ~, initrd: }\n");
	check_good(&l);
	assert_int_equal(l.desired.vms.items[0].spec.len, 0);
	assert_false(l.desired.owner_given);
}

static void quotes_make_text_of_everything(void **state)
{
	auto_loaded struct loaded l;
	const struct cb_spec *spec;

	(void)state;
	load(&l, "vms:\n  '123':\n    description: '22:22'\n    pool: \"off\"\n"
		 "    base_image: !!str 2026-01-31\n    boot: {kernel: '~', cmdline: ''}\n");
	assert_int_equal(l.count, 1); /* '~' is no path, quoted or not */
	check_problems(&l, (const char *[]){"6:20 manifest.value|'~' is not expanded", NULL},
		       "t.yaml");
	assert_string_equal(l.desired.vms.items[0].name, "123");
	spec = &l.desired.vms.items[0].spec;
	assert_string_equal(cb_spec_string(spec, "description"), "22:22");
	assert_string_equal(cb_spec_string(spec, "pool"), "off");
	assert_string_equal(cb_spec_string(spec, "base_image"), "2026-01-31");
	assert_string_equal(cb_spec_string(spec, "boot.cmdline"), "");
}

static void versions_may_be_numbers_or_text(void **state)
{
	static const char *const good[] = {"1", "2", "\"1\"", "'2'"};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(good); i++) {
		auto_loaded struct loaded l;
		char yaml[64];

		(void)snprintf(yaml, sizeof(yaml), "version: %s\nvm: {name: a}\n", good[i]);
		load(&l, yaml);
		check_good(&l);
	}
}

static void anchors_aliases_and_merge_keys_work(void **state)
{
	auto_loaded struct loaded l;
	const struct cb_spec *spec;

	(void)state;
	load(&l, "vms:\n"
		 "  a: &base\n"
		 "    ram_mb: &ram 512\n"
		 "    vcpus: 1\n"
		 "  b: *base\n"
		 "  c:\n"
		 "    <<: *base\n"
		 "    vcpus: 2\n"
		 "  d:\n"
		 "    <<: [{gui: no}, *base, {gui: yes, pool: p}]\n"
		 "    disk_size_gb: *ram\n");
	check_good(&l);
	assert_int_equal(l.desired.vms.len, 4);
	assert_int_equal(cb_spec_int(&l.desired.vms.items[1].spec, "vcpus", 0), 1);
	spec = &l.desired.vms.items[2].spec;
	assert_int_equal(cb_spec_int(spec, "vcpus", 0), 2);
	assert_int_equal(cb_spec_int(spec, "ram_mb", 0), 512);
	assert_int_equal(cb_spec_find(spec, "ram_mb")->origin.line, 3);
	spec = &l.desired.vms.items[3].spec;
	assert_int_equal(cb_spec_int(spec, "disk_size_gb", 0), 512);
	assert_false(cb_spec_bool(spec, "gui", true));
	assert_string_equal(cb_spec_string(spec, "pool"), "p");
}

static void clonebox_keys_load_with_one_warning_each(void **state)
{
	auto_loaded struct loaded l;

	(void)state;
	load(&l, "generated: 2026-01-31 12:50:02\n"
		 "vm:\n"
		 "  name: dev\n"
		 "  template: '${NOBODY}'\n"
		 "  limits: {memory_limit: 8G}\n"
		 "alerts: [1, {a: *x}, '/${NOBODY}']\n"
		 "detected: [{name: a, exec: '${NOBODY}'}]\n");
	/* The values are not looked into, also not for variables; but they have to be YAML. */
	assert_int_equal(l.count, 1);
	check_problems(&l,
		       (const char *[]){"1:1 manifest.unmanaged|warning|'generated' is known from "
					"CloneBox, and left alone",
					"4:3 manifest.unmanaged|warning|[dev]|'template'",
					"5:3 manifest.later|warning|[dev]|'limits' is read and "
					"checked; not acted on",
					"6:1 manifest.unmanaged|warning|'alerts'",
					"6:17 manifest.syntax|error|anchor 'x'",
					"7:1 manifest.unmanaged|warning|'detected'", NULL},
		       "t.yaml");
}

/* What CloneBox has beside `vm:` is about that VM; what stands inside comes first. */
static void what_stands_beside_a_vm_is_its_own(void **state)
{
	auto_loaded struct loaded l;
	const struct cb_spec *spec;

	(void)state;
	load(&l, "packages: [git, curl]\n"
		 "services: docker\n"
		 "post_commands:\n"
		 "- |\n"
		 "  one\n"
		 "  two ${X:-y}\n"
		 "snap_packages: []\n"
		 "vm: {name: dev, services: [ssh]}\n"
		 "---\n"
		 "vm: {name: other, packages: ~}\n"
		 "packages: [vim]\n");
	check_good(&l);
	spec = spec_of(&l, "dev");
	assert_string_equal(cb_spec_string(spec, "packages"), "[\"git\",\"curl\"]");
	assert_string_equal(cb_spec_string(spec, "services"), "[\"ssh\"]");
	assert_string_equal(cb_spec_string(spec, "snap_packages"), "[]");
	assert_string_equal(cb_spec_string(spec, "post_commands"), "[\"one\\ntwo ${X:-y}\\n\"]");
	assert_int_equal(cb_spec_find(spec, "packages")->origin.line, 1);
	assert_null(cb_spec_find(spec_of(&l, "other"), "packages"));
}

/* ---- what does not ---- */

struct wrong {
	const char *yaml;
	const char *want[6];
};

/* clang-format off */
static const struct wrong wrong[] = {
	/* forms */
	{"", {"1:1 manifest.empty|neither 'vm:' nor 'vms:'|vms: {}"}},
	{"# nothing\n---\n---\n~\n", {"1:1 manifest.empty"}},
	{"version: 1\n", {"1:1 manifest.empty"}},
	{"packages: [a]\n", {"1:1 manifest.empty"}},
	{"copy_paths: {a: b}\n", {"1:1 manifest.empty", "1:1 manifest.unmanaged"}},
	{"profiles: {p: {}}\npackages: [a]\n", {"2:11 manifest.place|'packages' needs a 'vm:' beside it"}},
	{"- vm\n", {"1:1 manifest.type|a manifest wants a map, found a list"}},
	{"hello\n", {"1:1 manifest.type|a manifest wants a map, found 'hello'"}},
	{"vm:\n", {"1:4 manifest.type|'vm' wants a map, found nothing|vm: {name: dev}"}},
	{"vm: dev\n", {"1:5 manifest.type|'vm' wants a map, found 'dev'"}},
	{"vm: {}\n", {"1:1 manifest.missing|'vm' needs a 'name'"}},
	{"vms:\n", {"1:5 manifest.type|'vms' wants a map, found nothing|{} for no VM"}},
	{"vms: [{name: a}]\n", {"1:6 manifest.type|'vms' wants a map, found a list|vms: {dev: {"}},
	{"vms: {a: 3}\n", {"1:10 manifest.type|[a]|'a' wants a map, found '3'"}},
	{"vms: {a: {name: b}}\n", {"1:17 manifest.name|[a]|'a' by its key and 'b' here"}},
	{"vms: {a: {}}\npackages: [x]\n",
	 {"2:1 manifest.place|cannot stand beside 'vms:'|below the names"}},
	{"? [a]\n: b\nvm: {name: a}\n", {"1:3 manifest.type|a key has to be text, found a list"}},
	{"vms: {? {a: b} : c}\n", {"1:9 manifest.type|VM name has to be text, found a map"}},

	/* unknown keys */
	{"vm: {name: a, ram: 1}\n", {"1:15 manifest.unknown-key|[a]|unknown key 'ram'|did you mean 'ram_mb'?"}},
	{"vm: {name: a, memory: 1}\n", {"1:15 manifest.unknown-key|did you mean 'ram_mb'?"}},
	{"vm: {name: a, cpus: 1}\n", {"1:15 manifest.unknown-key|did you mean 'vcpus'?"}},
	{"vm: {name: a, image: x}\n", {"1:15 manifest.unknown-key|did you mean 'base_image'?"}},
	{"vm: {name: a, vcpu: 1}\n", {"1:15 manifest.unknown-key|did you mean 'vcpus'?"}},
	{"vm: {name: a, disk_size_bg: 1}\n", {"1:15 manifest.unknown-key|did you mean 'disk_size_gb'?"}},
	{"vm: {name: a, RAM-MB: 1}\n", {"1:15 manifest.unknown-key|did you mean 'ram_mb'?"}},
	{"vm: {name: a, kernel: x}\n", {"1:15 manifest.unknown-key|did you mean 'boot.kernel'? Write boot: {kernel: ./vmlinuz}"}},
	{"vm: {name: a, boot.kernel: x}\n", {"1:15 manifest.unknown-key|write it as a map: boot: {kernel: ./vmlinuz}"}},
	{"vm: {name: a, boot: {kernl: x}}\n", {"1:22 manifest.unknown-key|did you mean 'kernel'?"}},
	{"vm: {name: a, boot: {ram_mb: 1}}\n", {"1:22 manifest.unknown-key|beside 'boot:', not below it"}},
	{"vm: {name: a, owner: x}\n", {"1:15 manifest.unknown-key|at the top level"}},
	{"vm: {name: a}\nram_mb: 1\n", {"2:1 manifest.unknown-key|it belongs below 'vm:' or below a name in 'vms:'"}},
	{"vm: {name: a}\ncpus: 1\n", {"2:1 manifest.unknown-key|did you mean 'vcpus'? It belongs below 'vm:'"}},
	{"vm: {name: a}\npakages: 1\n", {"2:1 manifest.unknown-key|did you mean 'packages'?"}},
	{"vm: {name: a, adopt: true}\n", {"1:15 manifest.unknown-key|this version of clonebox does not support it"}},
	{"vm: {name: a, user: me}\n", {"1:15 manifest.unknown-key|did you mean 'username'?"}},
	{"vm: {name: a, size: 1GiB}\n", {"1:15 manifest.unknown-key|did you mean 'disks[].size'? Write disks: [{"}},
	{"vm: {name: a, \"labels[]\": x}\n", {"1:15 manifest.unknown-key|'labels[]'; "}},
	{"vm: {name: a, \"labels[a]\": x}\n", {"1:15 manifest.unknown-key"}},
	{"vm: {name: a, xml: []}\n", {"1:15 manifest.unknown-key|this version of clonebox does not support it"}},
	{"vm: {name: a, zebra: 1}\n", {"1:15 manifest.unknown-key|unknown key 'zebra'; "}},
	{"vm: {name: a, \"gui\\0\": 1}\n", {"1:15 manifest.unknown-key|'gui\\x00'"}},
	{"vm: {name: a, \"\\e[31m\": 1}\n", {"1:15 manifest.unknown-key|'\\x1b[31m'"}},

	/* duplicates */
	{"vm:\n  name: a\n  ram_mb: 64\n  ram_mb: 128\n",
	 {"4:3 manifest.duplicate-key|'ram_mb' is given twice|first at t.yaml:3:3"}},
	{"vm: {name: a}\nvm: {name: b, ram_mb: x}\n",
	 {"2:1 manifest.duplicate-key|first at t.yaml:1:1", "2:23 manifest.type|[b]"}},
	{"vms:\n  a: {}\n  a: {vcpus: 0}\n",
	 {"3:3 manifest.duplicate-key|'a'|t.yaml:2:3", "3:14 manifest.range|[a]"}},
	{"vm: {name: a, paths: {/x: /y, /x: /z}}\n", {"1:31 manifest.duplicate-key|t.yaml:1:23"}},
	{"vm: {name: a}\n---\nvms:\n  b:\n  a:\n",
	 {"5:3 manifest.duplicate-vm|[a]|'a' is declared here and at t.yaml:1:1"}},
	{"owner: a\nvm: {name: a}\n---\nowner: b\n",
	 {"4:8 manifest.owner|the owner is 'b' here and 'a' at t.yaml:1:8"}},

	/* numbers */
	{"vm: {name: a, ram_mb: \"4096\"}\n", {"1:23 manifest.type|the text '4096'|remove the quotes: ram_mb: 4096"}},
	{"vm: {name: a, ram_mb: 4GiB}\n", {"1:23 manifest.type|a whole number of MiB, found '4GiB'|write ram_mb: 4096"}},
	{"vm: {name: a, disk_size_gb: 2048 M}\n", {"1:29 manifest.type|write disk_size_gb: 2"}},
	{"vm: {name: a, ram_mb: lots}\n", {"1:23 manifest.type|found 'lots'|for example: ram_mb: 4096"}},
	{"vm: {name: a, ram_mb: yes}\n", {"1:23 manifest.type|found 'yes'"}},
	{"vm: {name: a, ram_mb: [1]}\n", {"1:23 manifest.type|found a list"}},
	{"vm: {name: a, ram_mb: {a: 1}}\n", {"1:23 manifest.type|found a map"}},
	{"vm: {name: a, ram_mb: 010}\n", {"1:23 manifest.number|'010': a number with a leading zero (octal"}},
	{"vm: {name: a, ram_mb: 0x400}\n", {"1:23 manifest.number|hexadecimal|plain decimal digits"}},
	{"vm: {name: a, ram_mb: 1_024}\n", {"1:23 manifest.number|underscores"}},
	{"vm: {name: a, ram_mb: 17:04}\n", {"1:23 manifest.number|sexagesimal"}},
	{"vm: {name: a, ram_mb: +64}\n", {"1:23 manifest.number|plus sign"}},
	{"vm: {name: a, ram_mb: 64.0}\n", {"1:23 manifest.number|floating-point"}},
	{"vm: {name: a, ram_mb: 1e3}\n", {"1:23 manifest.number|floating-point"}},
	{"vm: {name: a, ram_mb: 15}\n", {"1:23 manifest.range|'ram_mb' must be between 16 and 16777216 MiB, found '15'"}},
	{"vm: {name: a, ram_mb: 16777217}\n", {"1:23 manifest.range"}},
	{"vm: {name: a, ram_mb: -64}\n", {"1:23 manifest.range"}},
	{"vm: {name: a, vcpus: 0}\n", {"1:22 manifest.range|between 1 and 512, found '0'"}},
	{"vm: {name: a, vcpus: 513}\n", {"1:22 manifest.range"}},
	{"vm: {name: a, disk_size_gb: 65537}\n", {"1:29 manifest.range|0 and 65536 GiB"}},
	{"vm: {name: a, vcpus: 9223372036854775808}\n", {"1:22 manifest.range"}},

	/* booleans */
	{"vm: {name: a, gui: \"yes\"}\n", {"1:20 manifest.type|'gui' wants true or false, found the text 'yes'|remove the quotes"}},
	{"vm: {name: a, gui: 1}\n", {"1:20 manifest.type|found '1'|for example: gui: false"}},
	{"vm: {name: a, autostart: y}\n", {"1:26 manifest.type|found 'y'"}},

	/* enums */
	{"vm: {name: a, state: runing}\n", {"1:22 manifest.value|one of: running, stopped, absent; found 'runing'|did you mean 'running'?"}},
	{"vm: {name: a, state: Stopped}\n", {"1:22 manifest.value|did you mean 'stopped'?"}},
	{"vm: {name: a, state: off}\n", {"1:22 manifest.value|'off', which YAML reads as a boolean"}},
	{"vm: {name: a, accel: xen}\n", {"1:22 manifest.value|one of: auto, kvm, tcg; found 'xen'"}},
	{"vm: {name: a, network_mode: bridge}\n", {"1:29 manifest.value|auto, default, user, none"}},
	{"vm: {name: a, state: \"x\\n\\ty\\u009b\"}\n", {"1:22 manifest.value|found 'x\\n\\ty\\x9b'"}},
	{"vm: {name: a, state: \xc3\xa4-12345678901234567890123456789012345678901234567890123456\xc3\xa4-and-so-on}\n",
	 {"1:22 manifest.value|found '\xc3\xa4-12345678901234567890123456789012345678901234567890123456...'"}},
	{"version: 3\nvm: {name: a}\n", {"1:10 manifest.value|one of: 1, 2; found '3'"}},
	{"version: 1.0\nvm: {name: a}\n", {"1:10 manifest.value|found '1.0'"}},

	/* text that YAML may read as something else */
	{"vm: {name: a, description: off}\n", {"1:28 manifest.quotes|without quotes, 'off' is a boolean|put it in quotes: \"off\""}},
	{"vm: {name: a, description: 12}\n", {"1:28 manifest.quotes|a number"}},
	{"vm: {name: a, description: 010}\n", {"1:28 manifest.quotes|octal"}},
	{"vm: {name: a, description: 0o17}\n", {"1:28 manifest.quotes|octal"}},
	{"vm: {name: a, description: 22:22}\n", {"1:28 manifest.quotes|sexagesimal"}},
	{"vm: {name: a, description: 1.5}\n", {"1:28 manifest.quotes|floating-point"}},
	{"vm: {name: a, description: .inf}\n", {"1:28 manifest.quotes|floating-point"}},
	{"vm: {name: a, description: 2026-01-31}\n", {"1:28 manifest.quotes|a date"}},
	{"vm: {name: a, description: 2026-1-31T12:50:02Z}\n", {"1:28 manifest.quotes|a date"}},
	{"vm: {name: a, pool: no}\n", {"1:21 manifest.quotes"}},
	{"vm: {name: a, base_image: 12}\n", {"1:27 manifest.quotes"}},
	{"vm: {name: 12}\n", {"1:12 manifest.quotes|'name' wants a name|\"12\""}},
	{"owner: yes\nvm: {name: a}\n", {"1:8 manifest.quotes"}},
	{"vms: {on: {}}\n", {"1:7 manifest.quotes|without quotes, 'on' is a boolean"}},
	{"vms: {~: {}}\n", {"1:7 manifest.name|a VM needs a name"}},

	/* text */
	{"vm: {name: a, pool: ''}\n", {"1:21 manifest.range|'pool' must not be empty"}},
	{"vm: {name: a, pool: \"a\\nb\"}\n", {"1:21 manifest.value|one line, found a line break"}},
	{"vm: {name: a, pool: \"a\\0b\"}\n", {"1:21 manifest.value|control character: 'a\\x00b'"}},
	{"vm: {name: a, description: \"\\uffff\"}\n", {"1:28 manifest.value|control character"}},
	{"vm: {name: a, base_image: ~/x.qcow2}\n", {"1:27 manifest.value|'~' is not expanded in 'base_image'"}},
	{"vm: {name: a, base_image: !!binary aGk=}\n", {"1:27 manifest.tag|binary"}},
	{"vm: !mine {name: a}\n", {"1:5 manifest.tag|'!mine' is not supported"}},

	/* names */
	{"vm: {name: }\n", {"1:12 manifest.name|a VM needs a name, found nothing"}},
	{"vm: {name: ''}\n", {"1:12 manifest.range|'name' must not be empty"}},
	{"vm: {name: a b}\n", {"1:12 manifest.name|'a b' is not a name: character 2 is not allowed|letters, digits"}},
	{"vm: {name: -a}\n", {"1:12 manifest.name|character 1 is not allowed there"}},
	{"vm: {name: ../a}\n", {"1:12 manifest.name"}},
	{"vm: {name: a/b}\n", {"1:12 manifest.name"}},
	{"vm: {name: \xc3\xa4}\n", {"1:12 manifest.name"}},
	{"vms: {a b: {}}\n", {"1:7 manifest.name"}},
	{"vm: {name: a1234567890123456789012345678901234567890123456789012345678901234}\n",
	 {"1:12 manifest.range|at most 64 characters, found 65"}},
	{"vm: {name: [a]}\n", {"1:12 manifest.type|'name' wants a name, found a list"}},

	/* variables, of which none has a value here */
	{"vm: {name: '${N}'}\n", {"1:12 manifest.variable|'name' cannot come from a variable"}},
	{"vms: {'${N}': {}}\n", {"1:7 manifest.variable|names are shown"}},
	{"owner: ${N}\nvm: {name: a}\n", {"1:8 manifest.variable|'owner' cannot come from a variable"}},
	{"vm: {name: a, disks: [{name: '${N}', size: 1GiB}]}\n", {"1:30 manifest.variable|'disks[].name' cannot"}},
	{"vm:\n  name: a\n  ram_mb: ${RAM}\n", {"3:11 manifest.variable|[a]|'RAM' has no value|.clonebox.env|$${"}},
	{"vm:\n  name: a\n  boot: {kernel: 'x/${K}'}\n", {"3:18 manifest.variable|'K' has no value"}},
	{"vm:\n  name: a\n  password: ${VM-PASSWORD}\n", {"3:13 manifest.variable|'password' holds a '${' without the name"}},
	{"vm:\n  name: a\n  password: ${PASSWORD\n", {"3:13 manifest.variable|'password' holds a '${'"}},
	{"vm:\n  name: a\n  packages: ['${P}', '${1}']\n", {"3:14 manifest.variable|'P' has no value"}},
	{"vm:\n  name: a\n  cloud_init: {a: [{b: '${P}'}]}\n", {"3:24 manifest.variable|'P' has no value"}},

	/* lists of texts */
	{"vm: {name: a, packages: {a: b}}\n", {"1:25 manifest.type|'packages' wants a list of texts, found a map"}},
	{"vm: {name: a, packages: [x, {a: b}]}\n", {"1:29 manifest.type|found a map in it|packages: [git, curl]"}},
	{"vm: {name: a, packages: [[x]]}\n", {"1:26 manifest.type|found a list in it"}},
	{"vm: {name: a, packages: [1, x, no]}\n", {"1:26 manifest.quotes", "1:32 manifest.quotes"}},
	{"vm: {name: a, packages: [x, !!binary eA==]}\n", {"1:29 manifest.tag"}},
	{"vm: {name: a, packages: \"x\\0\"}\n", {"1:25 manifest.value|control character"}},

	/* free content */
	{"vm: {name: a, cloud_init: [a]}\n", {"1:27 manifest.type|'cloud_init' wants a map, found a list"}},
	{"vm: {name: a, cloud_init: {a: [x, \"x\\0\"]}}\n", {"1:35 manifest.value|holds a NUL"}},
	{"vm: {name: a, cloud_init: {\"x\\0y\": 1}}\n", {"1:28 manifest.value|a key that is not text"}},
	{"vm: {name: a, cloud_init: {a: {? [b] : 1}}}\n", {"1:34 manifest.value|a key that is not text"}},
	{"vm: {name: a, cloud_init: {a: !!binary aGk=}}\n", {"1:31 manifest.tag|binary"}},

	/* secrets are not quoted */
	{"vm: {name: a, password: 123987}\n", {"1:25 manifest.quotes|without quotes, it is a number|; put it in quotes"}},
	{"vm: {name: a, password: \"swordfish\\x01\"}\n", {"1:25 manifest.value|control character: (sensitive)"}},
	{"vm: {name: a, password: !swordfish x}\n", {"1:25 manifest.tag|'password' has a YAML tag"}},
	{"vm: {name: a, password: *swordfish}\n", {"1:25 manifest.syntax|no anchor of that name"}},

	/* fields that need each other */
	{"vm: {name: a, boot: {initrd: x, cmdline: y}}\n",
	 {"1:30 manifest.boot|'boot.initrd' is given without 'boot.kernel'", "1:42 manifest.boot|'boot.cmdline'"}},
	{"vm: {name: a, boot: {kernel: 1, cmdline: y}}\n", {"1:30 manifest.quotes"}},
	{"vm: {name: a, boot: x}\n", {"1:21 manifest.type|'boot' wants a map, found 'x'"}},

	/* YAML */
	{"vm:\n\tname: x\n", {"2:1 manifest.syntax|a tab is used for indentation|indent with spaces"}},
	{"vm: {name: x\n", {"2:1 manifest.syntax|expected ',' or '}' (the '{' began at line 1, column 5)"}},
	{"vm: [a\n", {"2:1 manifest.syntax|expected ',' or ']' (the '[' began at line 1, column 5)"}},
	{"vm: \"abc\n", {"2:1 manifest.syntax|the file ends inside a quoted text (the quote began at line 1, column 5)"}},
	{"vm: a: b\n", {"1:6 manifest.syntax|a ':' cannot stand here"}},
	{"vm:\n  name: x\n ram_mb: 1\n", {"3:2 manifest.syntax|does not fit the map around it|same column"}},
	{"vm: @x\n", {"1:5 manifest.syntax|'@' cannot start a value|put the value in quotes"}},
	{"vm: - a\n", {"1:5 manifest.syntax|a list cannot start here"}},
	{"vm: \"\\q\"\n", {"1:6 manifest.syntax|unknown escape"}},
	{"vm: {name: a}\n...\nx\n", {"3:1 manifest.syntax|the next one has to begin with '---'"}},
	{"vm: *x\n", {"1:5 manifest.syntax|there is no anchor 'x'", "1:5 manifest.type"}},
	{"vm: &a {name: a, boot: *a}\n", {"1:24 manifest.syntax|stands inside what it refers to"}},
	{"vm: {name: a, <<: 3}\n", {"1:19 manifest.type|'<<' wants a map"}},
	{"vm: {name: a, vcpus: 0}\n---\nvm: [\n", {"1:22 manifest.range", "4:1 manifest.syntax"}},
};

/* clang-format on */

static void every_mistake_is_told_at_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < CB_COUNT(wrong); i++) {
		auto_loaded struct loaded l;
		int errors = 0;

		load(&l, wrong[i].yaml);
		cb_vec_each (struct cb_problem, problem, &l.problems)
			errors += problem->severity == CB_PROBLEM;
		assert_int_equal(l.count, errors);
		if (l.count == 0)
			fail_msg("loads: %s", wrong[i].yaml);
		cb_vec_each (struct cb_problem, problem, &l.problems) {
			if (strstr(line_of(&l, problem), "swordfish") ||
			    strstr(line_of(&l, problem), "123987"))
				fail_msg("shown: %s", line_of(&l, problem));
		}
		check_problems(&l, wrong[i].want, "t.yaml");
	}
}

static void bytes_that_are_no_text_are_told_at_their_place(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *want[2];
	} rows[] = {

#define BYTES(b) b, sizeof(b) - 1
		{BYTES("vm: {name: a}\n# \xc3\xa4 \xff\n"),
		 {"2:5 manifest.encoding|byte 0xff is not UTF-8|save the file as UTF-8"}},
		{BYTES("vm: \xc3"), {"1:5 manifest.encoding|0xc3"}},
		{BYTES("vm: \xc0\x80"), {"1:5 manifest.encoding|0xc0"}},
		{BYTES("vm: \xed\xa0\x80"), {"1:5 manifest.encoding|0xed"}},
		{BYTES("vm: \xf4\x90\x80\x80"), {"1:5 manifest.encoding|0xf4"}},
		{BYTES("vm:\r\n a\0"), {"2:3 manifest.encoding|NUL"}},
		{BYTES("vm: \x1b[31m"), {"1:5 manifest.encoding|control character U+001B"}},
		{BYTES("\xff\xfev\0m\0"), {"1:1 manifest.encoding|UTF-16"}},
		{BYTES("\xfe\xff\0v\0m"), {"1:1 manifest.encoding|UTF-16"}},
		{BYTES("v\0m\0"), {"1:2 manifest.encoding|NUL"}},
#undef BYTES
	};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		auto_loaded struct loaded l;

		load_bytes(&l, rows[i].bytes, rows[i].len);
		assert_int_equal(l.count, 1);
		check_problems(&l, rows[i].want, "t.yaml");
	}
}

static void a_byte_order_mark_of_utf_8_is_fine(void **state)
{
	auto_loaded struct loaded l;

	(void)state;
	load(&l, "\xef\xbb\xbfvm: {name: a, vcpus: 0}\r\n");
	check_problems(&l, (const char *[]){"1:22 manifest.range", NULL}, "t.yaml");
}

static void columns_count_characters(void **state)
{
	auto_loaded struct loaded l;

	(void)state;
	load(&l, "vm: {name: a, description: \xc3\xa4\xe2\x82\xac, vcpus: 0}\n");
	check_problems(&l, (const char *[]){"1:39 manifest.range", NULL}, "t.yaml");
}

static void all_problems_of_all_files_come_at_once_and_sorted(void **state)
{
	static const char *const files[] = {
		"owner: x\nvm: {name: b, vcpus: 0, ram: 1}\n",
		"vms:\n  b: {gui: 3}\n  c: {state: x}\n",
		"owner: y\nvm: {name: b\n",
	};
	auto_loaded struct loaded l;

	(void)state;
	load_files(&l, files, 3);
	assert_int_equal(l.count, 6);
	assert_int_equal(l.problems.len, 6);
	check_line(&l, "2:22 manifest.range|[b]", line_of(&l, &l.problems.items[0]), "a.yaml");
	check_line(&l, "2:25 manifest.unknown-key", line_of(&l, &l.problems.items[1]), "a.yaml");
	check_line(&l, "2:3 manifest.duplicate-vm|[b]|here and at a.yaml:2:1",
		   line_of(&l, &l.problems.items[2]), "b.yaml");
	check_line(&l, "2:12 manifest.type|[b]", line_of(&l, &l.problems.items[3]), "b.yaml");
	check_line(&l, "3:14 manifest.value|[c]", line_of(&l, &l.problems.items[4]), "b.yaml");
	check_line(&l, "3:1 manifest.syntax", line_of(&l, &l.problems.items[5]), "c.yaml");
}

static void owners_of_two_files_have_to_agree(void **state)
{
	static const char *const files[] = {"owner: x\nvm: {name: a}\n", "vm: {name: b}\n",
					    "vm: {name: c}\nowner: y\n"};
	auto_loaded struct loaded l;

	(void)state;
	load_files(&l, files, 3);
	assert_int_equal(l.count, 1);
	check_problems(
		&l, (const char *[]){"2:8 manifest.owner|is 'y' here and 'x' at a.yaml:1:8", NULL},
		"c.yaml");
}

static void what_an_alias_repeats_is_told_once(void **state)
{
	auto_loaded struct loaded l;

	(void)state;
	load(&l, "vm: &v {name: a, vcpus: 0}\n---\nvms: {b: &x {vcpus: 0}, c: *x}\n");
	/* Once for each VM that it is wrong for. */
	check_problems(&l,
		       (const char *[]){"1:25 manifest.range|[a]", "3:21 manifest.range|[b]",
					"3:21 manifest.range|[c]", NULL},
		       "t.yaml");
}

/* ---- limits ---- */

static void limits_stop_what_no_person_writes(void **state)
{
	cb_auto_str struct cb_str yaml = {0};

	(void)state;
	{
		auto_loaded struct loaded l;

		cb_str_add(&yaml, "vm: {name: a, limits: ");
		for (int i = 0; i < CB_YAML_DEPTH; i++)
			cb_str_add(&yaml, "[");
		load(&l, yaml.text);
		check_problems(
			&l,
			(const char *[]){"1:53 manifest.limit|too deeply: the limit is 32", NULL},
			"t.yaml");
	}
	{
		/* A billion laughs. */
		auto_loaded struct loaded l;

		load(&l, "vms:\n"
			 "  a: &a {limits: [1,1,1,1,1,1,1,1,1,1]}\n"
			 "  b: &b {limits: [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]}\n"
			 "  c: &c {limits: [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]}\n"
			 "  d: &d {limits: [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]}\n"
			 "  e: &e {limits: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]}\n");
		check_problems(&l,
			       (const char *[]){"6:37 manifest.limit|the limit is 100000", NULL},
			       "t.yaml");
	}
	{
		/* Deep by way of aliases. */
		auto_loaded struct loaded l;

		cb_str_clear(&yaml);
		cb_str_add(&yaml, "a0: &a0 [1]\n");
		for (int i = 1; i < CB_YAML_DEPTH; i++)
			cb_str_printf(&yaml, "a%d: &a%d [*a%d]\n", i, i, i - 1);
		load(&l, yaml.text);
		check_problems(&l, (const char *[]){"32:12 manifest.limit|too deeply", NULL},
			       "t.yaml");
	}
	{
		auto_loaded struct loaded l;

		cb_str_clear(&yaml);
		cb_str_add(&yaml, "vm: {name: a, paths: [");
		for (int i = 0; i <= CB_YAML_NODES; i++)
			cb_str_add(&yaml, "1,");
		cb_str_add(&yaml, "]}");
		load(&l, yaml.text);
		assert_int_equal(l.problems.len, 1);
		assert_string_equal(l.problems.items[0].check, "manifest.limit");
	}
	{
		auto_loaded struct loaded l;

		cb_str_clear(&yaml);
		cb_str_add(&yaml, "vm: {name: a, paths: [");
		for (int i = 0; i <= CB_YAML_ANCHORS; i++)
			cb_str_printf(&yaml, "&a%d 1,", i);
		cb_str_add(&yaml, "]}");
		load(&l, yaml.text);
		assert_int_equal(l.problems.len, 1);
		assert_non_null(strstr(l.problems.items[0].message, "too many anchors"));
	}
	{
		auto_loaded struct loaded l;

		cb_str_clear(&yaml);
		while (yaml.len <= CB_MANIFEST_MAX)
			cb_str_add(&yaml,
				   "# a comment that is quite long and says nothing at all\n");
		load(&l, yaml.text);
		check_problems(
			&l, (const char *[]){"1:1 manifest.limit|the limit is 1048576 bytes", NULL},
			"t.yaml");
	}
}

static void long_texts_have_their_limits(void **state)
{
	static const struct {
		const char *key;
		size_t most;
	} rows[] = {{"description", 4096}, {"pool", 255}, {"base_image", 4095}};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		for (size_t more = 0; more < 2; more++) {
			cb_auto_str struct cb_str yaml = {0};
			auto_loaded struct loaded l;

			cb_str_printf(&yaml, "vm:\n  name: a\n  %s: ", rows[i].key);
			for (size_t n = 0; n < rows[i].most + more; n++)
				cb_str_add(&yaml, "\xc3\xa4"); /* one character */
			load(&l, yaml.text);
			assert_int_equal(l.count, more);
			if (more)
				assert_string_equal(l.problems.items[0].check, "manifest.range");
		}
	}
}

/* ---- scalars ---- */

static void scalars_are_told_apart(void **state)
{
	static const struct {
		const char *text;
		enum cb_scalar kind;
	} rows[] = {
		{"", CB_SCALAR_NULL},
		{"~", CB_SCALAR_NULL},
		{"nULL", CB_SCALAR_TEXT},
		{"yes", CB_SCALAR_BOOL},
		{"y", CB_SCALAR_TEXT},
		{"oN", CB_SCALAR_TEXT},
		{"0", CB_SCALAR_INT},
		{"-0", CB_SCALAR_INT},
		{"-7", CB_SCALAR_INT},
		{"+7", CB_SCALAR_PLUS},
		{"00", CB_SCALAR_ZERO},
		{"08", CB_SCALAR_ZERO},
		{"-", CB_SCALAR_TEXT},
		{"_1", CB_SCALAR_TEXT},
		{"1_", CB_SCALAR_UNDERSCORE},
		{"0x", CB_SCALAR_TEXT},
		{"0xfF", CB_SCALAR_RADIX},
		{"0b10", CB_SCALAR_RADIX},
		{"0o8", CB_SCALAR_TEXT},
		{"1:00", CB_SCALAR_SEXAGESIMAL},
		{"1:60", CB_SCALAR_TEXT},
		{"1:", CB_SCALAR_TEXT},
		{"52:54:00:12:34:56", CB_SCALAR_SEXAGESIMAL},
		{"52:54:00:ab:34:56", CB_SCALAR_TEXT},
		{"1:30.5", CB_SCALAR_SEXAGESIMAL},
		{"1.", CB_SCALAR_FLOAT},
		{".5", CB_SCALAR_FLOAT},
		{".", CB_SCALAR_TEXT},
		{"1.2.3", CB_SCALAR_TEXT},
		{"10.0.0.1", CB_SCALAR_TEXT},
		{"1e5", CB_SCALAR_FLOAT},
		{"1e", CB_SCALAR_TEXT},
		{"-.inf", CB_SCALAR_FLOAT},
		{".NaN", CB_SCALAR_FLOAT},
		{"2026-01-31", CB_SCALAR_DATE},
		{"2026-01", CB_SCALAR_TEXT},
		{"2026-01-31-a", CB_SCALAR_TEXT},
		{"2026-1-3 1:02:03 +1", CB_SCALAR_DATE},
		{"2026-01-31T", CB_SCALAR_TEXT},
		{"20260-01-31", CB_SCALAR_TEXT},
		{"debian-12", CB_SCALAR_TEXT},
		{"/x", CB_SCALAR_TEXT},
	};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		if (cb_scalar_of(rows[i].text) != rows[i].kind)
			fail_msg("'%s' is taken for %s", rows[i].text,
				 cb_scalar_name(cb_scalar_of(rows[i].text)));
	}
}

/* ---- examples ---- */

/* Each for itself: they are for people to start from, and may have names in common. */
static void every_example_loads(void **state)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};
	struct cb_source_texts texts = {0};

	(void)state;
	if (cb_source_files(&arena, &(const char *){"manifests"}, 1, &texts, &err) < 0) {
		print_message("%s: run from the top of the tree\n", err.message);
		skip();
	}
	cb_vec_each (struct cb_manifest_text, text, &texts) {
		struct loaded l = {0};

		l.count = cb_manifest_load(&l.arena, text, 1, &l.desired, &l.problems);
		check_good(&l);
		assert_true(l.desired.vms.len > 0);
		release_loaded(&l);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(form_1_gives_one_vm_with_values_and_their_places),
		cmocka_unit_test(form_2_gives_vms_sorted_by_name),
		cmocka_unit_test(documents_and_files_add_up),
		cmocka_unit_test(nothing_at_all_is_no_problem),
		cmocka_unit_test(all_spellings_of_booleans_load),
		cmocka_unit_test(null_means_not_said),
		cmocka_unit_test(quotes_make_text_of_everything),
		cmocka_unit_test(versions_may_be_numbers_or_text),
		cmocka_unit_test(anchors_aliases_and_merge_keys_work),
		cmocka_unit_test(clonebox_keys_load_with_one_warning_each),
		cmocka_unit_test(what_stands_beside_a_vm_is_its_own),
		cmocka_unit_test(every_mistake_is_told_at_its_place),
		cmocka_unit_test(bytes_that_are_no_text_are_told_at_their_place),
		cmocka_unit_test(a_byte_order_mark_of_utf_8_is_fine),
		cmocka_unit_test(columns_count_characters),
		cmocka_unit_test(all_problems_of_all_files_come_at_once_and_sorted),
		cmocka_unit_test(owners_of_two_files_have_to_agree),
		cmocka_unit_test(what_an_alias_repeats_is_told_once),
		cmocka_unit_test(limits_stop_what_no_person_writes),
		cmocka_unit_test(long_texts_have_their_limits),
		cmocka_unit_test(scalars_are_told_apart),
		cmocka_unit_test(every_example_loads),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
