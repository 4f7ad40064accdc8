/*
 * What VMs share and what holds between them: defaults, profiles, counts, dependencies, disks,
 * NICs, networks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/str.h"
#include "reconciler/model/address.h"
#include "schema/fleet.h"
#include "schema/scalar.h"
#include "tests/unit/loaded.h"

/* ---- defaults, profiles, own keys ---- */

static void own_keys_come_before_the_profile_and_that_before_the_defaults(void **state)
{
	auto_loaded struct loaded l;
	const struct cb_spec *spec;

	(void)state;
	load(&l, "defaults: {vm: {ram_mb: 100, vcpus: 1, pool: d, gui: false}}\n"
		 "profiles: {p: {ram_mb: 200, vcpus: 2}, q: {vcpus: 7}}\n"
		 "vms:\n"
		 "  a: {profile: p, ram_mb: 300}\n"
		 "  b: {}\n"
		 "  c: {profile: q}\n");
	check_good(&l);
	spec = spec_of(&l, "a");
	assert_int_equal(spec->len, 4);
	assert_int_equal(cb_spec_int(spec, "ram_mb", 0), 300);
	assert_int_equal(cb_spec_int(spec, "vcpus", 0), 2);
	assert_string_equal(cb_spec_string(spec, "pool"), "d");
	assert_false(cb_spec_bool(spec, "gui", true));
	/* A value stands where it was written. */
	assert_int_equal(cb_spec_find(spec, "ram_mb")->origin.line, 4);
	assert_int_equal(cb_spec_find(spec, "vcpus")->origin.line, 2);
	assert_int_equal(cb_spec_find(spec, "pool")->origin.line, 1);
	spec = spec_of(&l, "b");
	assert_int_equal(cb_spec_int(spec, "ram_mb", 0), 100);
	assert_int_equal(cb_spec_int(spec, "vcpus", 0), 1);
	assert_int_equal(cb_spec_int(spec_of(&l, "c"), "vcpus", 0), 7);
	assert_int_equal(cb_spec_int(spec_of(&l, "c"), "ram_mb", 0), 100);
}

static void the_order_of_the_file_does_not_matter(void **state)
{
	static const char *const files[] = {"vms: {a: {profile: p}}\n",
					    "profiles: {p: {ram_mb: 200, host: lab}}\n",
					    "hosts: {lab: {uri: x}}\ndefaults: {vm: {vcpus: 3}}\n"};
	auto_loaded struct loaded l;

	(void)state;
	load_files(&l, files, 3);
	check_good(&l);
	assert_int_equal(cb_spec_int(spec_of(&l, "a"), "ram_mb", 0), 200);
	assert_int_equal(cb_spec_int(spec_of(&l, "a"), "vcpus", 0), 3);
	assert_string_equal(vm_of(&l, "a")->host, "lab");
}

static void maps_merge_and_lists_replace(void **state)
{
	auto_loaded struct loaded l;
	const struct cb_spec *spec;

	(void)state;
	load(&l, "defaults:\n"
		 "  vm:\n"
		 "    labels: {a: '1', b: '1'}\n"
		 "    boot: {kernel: k1, cmdline: c1}\n"
		 "    packages: [x, y]\n"
		 "    disks: [{name: one, size: 1GiB}, {name: two, size: 2GiB}]\n"
		 "    cloud_init: {m: {a: 1, b: 1}, l: [1, 2]}\n"
		 "profiles: {p: {labels: {b: '2', c: '2'}, disks: [{name: two, bus: scsi, size: "
		 "5GiB}]}}\n"
		 "vms:\n"
		 "  a: {profile: p, labels: {c: '3'}, boot: {cmdline: c2}, packages: [z],\n"
		 "      cloud_init: {m: {b: 2}, l: [3]}}\n"
		 "  b: {profile: p, disks: []}\n"
		 "  c: {}\n");
	check_good(&l);
	spec = spec_of(&l, "a");
	assert_string_equal(cb_spec_string(spec, "labels[a]"), "1");
	assert_string_equal(cb_spec_string(spec, "labels[b]"), "2");
	assert_string_equal(cb_spec_string(spec, "labels[c]"), "3");
	assert_string_equal(cb_spec_string(spec, "boot.kernel"), "k1");
	assert_string_equal(cb_spec_string(spec, "boot.cmdline"), "c2");
	assert_string_equal(cb_spec_string(spec, "packages"), "[\"z\"]");
	assert_string_equal(cb_spec_string(spec, "cloud_init"),
			    "{\"l\":[3],\"m\":{\"a\":1,\"b\":2}}");
	/* The profile's list, and nothing of the defaults'. */
	assert_null(cb_spec_find(spec, "disks[one].name"));
	assert_int_equal(cb_spec_int(spec, "disks[two].size", 0), INT64_C(5) << 30);
	assert_null(cb_spec_find(spec, "disks"));
	spec = spec_of(&l, "b");
	cb_vec_each (const struct cb_entry, entry, spec)
		assert_null(strstr(entry->path, "disks"));
	assert_non_null(cb_spec_find(spec_of(&l, "c"), "disks[one].size"));
	assert_non_null(cb_spec_find(spec_of(&l, "c"), "disks[two].size"));
}

static void null_takes_back_what_others_say(void **state)
{
	auto_loaded struct loaded l;
	const struct cb_spec *spec;

	(void)state;
	load(&l,
	     "hosts: {lab: {uri: x}}\n"
	     "defaults:\n"
	     "  host: lab\n"
	     "  vm: {profile: p, ram_mb: 100, network_mode: user, boot: {kernel: k, initrd: i},\n"
	     "       labels: {a: x, b: x}, disks: [{name: d, size: 1GiB}], count: 2, vcpus: 3}\n"
	     "profiles: {p: {description: text, vcpus: ~, labels: {a: ~}}}\n"
	     "vms:\n"
	     "  a: {count: ~, host: ~, profile: ~, ram_mb: ~, boot: ~, labels: ~, disks: ~,\n"
	     "      network_mode: ~}\n"
	     "  b: {count: ~, boot: {initrd: ~}, disks: ~}\n");
	check_good(&l);
	assert_int_equal(l.desired.vms.len, 2);
	assert_null(vm_of(&l, "a")->host);
	/* Without the profile, and its null. */
	assert_int_equal(spec_of(&l, "a")->len, 1);
	assert_int_equal(cb_spec_int(spec_of(&l, "a"), "vcpus", 0), 3);
	spec = spec_of(&l, "b");
	assert_string_equal(vm_of(&l, "b")->host, "lab");
	assert_string_equal(cb_spec_string(spec, "boot.kernel"), "k");
	assert_null(cb_spec_find(spec, "boot.initrd"));
	assert_null(cb_spec_find(spec, "vcpus"));
	assert_null(cb_spec_find(spec, "labels[a]"));
	assert_string_equal(cb_spec_string(spec, "labels[b]"), "x");
	assert_string_equal(cb_spec_string(spec, "description"), "text");
	cb_vec_each (const struct cb_entry, entry, spec)
		assert_int_not_equal(entry->value.kind, CB_NONE);
}

static void keys_that_only_loading_knows_are_gone(void **state)
{
	auto_loaded struct loaded l;

	(void)state;
	load(&l, "hosts: {h: {uri: x}}\nprofiles: {p: {}}\n"
		 "vms: {a: {profile: p, host: h, count: 1, depends_on: [b]}, b: {}}\n");
	check_good(&l);
	assert_int_equal(spec_of(&l, "a-1")->len, 0);
	assert_string_equal(vm_of(&l, "a-1")->host, "h");
}

/* A rule about two keys holds for what they are in the end, wherever they come from. */
static void what_a_profile_gives_counts_for_the_rules(void **state)
{
	auto_loaded struct loaded l;

	(void)state;
	load(&l, "profiles: {p: {boot: {kernel: k}}}\n"
		 "vms:\n"
		 "  a: {profile: p, boot: {cmdline: c}}\n"
		 "  b: {profile: p, boot: {kernel: ~, cmdline: c}}\n");
	check_problems(&l, (const char *[]){"4:46 manifest.boot|[b]|'boot.cmdline'", NULL},
		       "t.yaml");
}

/* ---- count ---- */

static void count_makes_names_with_numbers(void **state)
{
	auto_loaded struct loaded l;

	(void)state;
	load(&l, "vms:\n"
		 "  web: {count: 3, ram_mb: 64, disks: [{name: d, size: 1GiB}]}\n"
		 "  none: {count: 0}\n"
		 "  one: {count: 1}\n"
		 "  web-4: {}\n");
	check_good(&l);
	assert_int_equal(l.desired.vms.len, 5);
	for (size_t i = 1; i <= 3; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "web-%zu", i);
		assert_int_equal(cb_spec_int(spec_of(&l, name), "ram_mb", 0), 64);
		assert_non_null(cb_spec_find(spec_of(&l, name), "disks[d].size"));
		assert_int_equal(vm_of(&l, name)->origin.line, 2);
	}
	(void)vm_of(&l, "one-1");
	(void)vm_of(&l, "web-4");
}

/* What is removed when the number falls is what has the highest numbers. */
static void a_lower_count_leaves_out_the_highest_numbers(void **state)
{
	(void)state;
	for (int count = 12; count >= 0; count--) {
		auto_loaded struct loaded l;
		char yaml[64];

		(void)snprintf(yaml, sizeof(yaml), "vm: {name: web, count: %d}\n", count);
		load(&l, yaml);
		check_good(&l);
		assert_int_equal(l.desired.vms.len, count);
		for (int i = 1; i <= count; i++)
			(void)vm_of(&l, cb_arena_printf(&l.arena, "web-%d", i));
	}
}

static void there_is_an_end_to_what_counts_make(void **state)
{
	cb_auto_str struct cb_str yaml = {0};
	auto_loaded struct loaded l;

	(void)state;
	cb_str_add(&yaml, "vms:\n");
	for (int i = 0; i < CB_FLEET_VMS / 1000 + 2; i++)
		cb_str_printf(&yaml, "  a%02d: {count: 1000}\n", i);
	load(&l, yaml.text);
	check_problems(&l, (const char *[]){"12:3 manifest.limit|the limit is 10000", NULL},
		       "t.yaml");
}

/* ---- dependencies ---- */

static void check_needs(struct loaded *l, const char *name, const char *const *want)
{
	const struct cb_vm *vm = vm_of(l, name);
	size_t n = 0;

	while (want[n])
		n++;
	assert_int_equal(vm->depends_on.len, n);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(vm->depends_on.items[i], want[i]);
}

static void dependencies_are_of_vms_sorted_and_each_once(void **state)
{
	static const char *const files[] = {
		"vms: {a: {depends_on: [d, b, d, c]}, b: {depends_on: d}, c: {count: 2}}\n",
		"defaults: {vm: {labels: {x: y}}}\nvms: {d: {}, e: {count: 2, depends_on: [c-2]},\n"
		"  f: {depends_on: [g]}, g: {count: 0, depends_on: [a]}}\n"};
	auto_loaded struct loaded l;

	(void)state;
	load_files(&l, files, 2);
	check_good(&l);
	check_needs(&l, "a", (const char *[]){"b", "c-1", "c-2", "d", NULL});
	check_needs(&l, "b", (const char *[]){"d", NULL});
	check_needs(&l, "c-1", (const char *[]){NULL});
	check_needs(&l, "e-1", (const char *[]){"c-2", NULL});
	check_needs(&l, "e-2", (const char *[]){"c-2", NULL});
	check_needs(&l, "f", (const char *[]){NULL});
}

static void a_chain_may_be_long(void **state)
{
	cb_auto_str struct cb_str yaml = {0};
	auto_loaded struct loaded l;

	(void)state;
	cb_str_add(&yaml, "vms:\n  v0: {}\n");
	for (int i = 1; i < 9000; i++)
		cb_str_printf(&yaml, "  v%d: {depends_on: [v%d]}\n", i, i - 1);
	load(&l, yaml.text);
	check_good(&l);
	assert_int_equal(l.desired.vms.len, 9000);
}

/* ---- what is wrong ---- */

struct wrong {
	const char *yaml;
	const char *want[6];
};

/* clang-format off */
static const struct wrong wrong[] = {
	/* profiles and defaults */
	{"profiles: {small: {}, large: {}}\nvms: {a: {profile: smalls}}\n",
	 {"2:20 manifest.reference|[a]|there is no profile 'smalls'|did you mean 'small'?"}},
	{"profiles: {small: {}, large: {}}\nvms: {a: {profile: xyzzy}}\n",
	 {"2:20 manifest.reference|there are: large small"}},
	{"vms: {a: {profile: x}}\n", {"1:20 manifest.reference|none is declared"}},
	{"profiles: {p: {name: x, profile: q, ram_mb: 1}}\n",
	 {"1:22 manifest.place|[p]|cannot have the name", "1:34 manifest.place|[p]|cannot stand on another", "1:45 manifest.range|[p]"}},
	{"profiles: {p: 3}\n", {"1:15 manifest.type|'p' wants a map"}},
	{"profiles: {[a]: {}}\n", {"1:12 manifest.type|the name of a profile has to be text, found a list"}},
	{"profiles: {'a b': {}}\n", {"1:12 manifest.name"}},
	{"profiles: [p]\n", {"1:11 manifest.type|'profiles' wants a map"}},
	{"profiles: {p: {}}\n---\nprofiles: {p: {}}\n", {"3:12 manifest.duplicate-vm|the profile 'p' is declared here and at t.yaml:1:12"}},
	{"defaults: {vm: {name: x}}\nvms: {}\n", {"1:23 manifest.place|a default cannot be the name"}},
	{"defaults: {ram_mb: 64}\nvms: {}\n", {"1:12 manifest.unknown-key|below 'vm:'"}},
	{"defaults: {}\nvms: {}\n---\ndefaults: {vm: {}}\n", {"4:1 manifest.duplicate-key|'defaults' is given here and at t.yaml:1:1"}},
	{"defaults: {vm: {vcpus: 0}}\nvms: {a: {}, b: {}}\n", {"1:24 manifest.range"}},

	/* hosts */
	{"hosts: {lab: {uri: x}}\nvms: {a: {host: lap}}\n", {"2:17 manifest.reference|[a]|there is no host 'lap' in 'hosts'|did you mean 'lab'?"}},
	{"hosts: {lab: {uri: x}}\ndefaults: {host: lap}\nvms: {a: {}}\n", {"2:18 manifest.reference|[a]|did you mean 'lab'?"}},
	{"hosts: {lab: {uri: x}}\npools: {p: {path: /x, host: lap}}\n", {"2:29 manifest.reference|[p]|did you mean 'lab'?"}},
	{"hosts: {lab: {uri: x}}\nnetworks: {n: {cidr: 10.1.0.0/24, host: lap}}\n", {"2:41 manifest.reference|[n]|did you mean 'lab'?"}},
	{"hosts: {lab: {}}\n", {"1:9 manifest.missing|[lab]|'lab' needs a 'uri'|qemu:///system"}},
	{"hosts: {lab: ~}\n", {"1:9 manifest.missing|'lab' needs a 'uri'"}},
	{"hosts: {lab: {uri: 7}}\n", {"1:20 manifest.quotes|[lab]"}},

	/* images and pools */
	{"images: {i: {}}\n", {"1:10 manifest.missing|[i]|'i' needs a 'path'|debian-12"}},
	{"images: {i: {path: x, sha256: abc}}\n", {"1:31 manifest.range|has to have 64 characters, found 3"}},
	{"images: {i: {path: x, sha256: x123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef}}\n",
	 {"1:31 manifest.value|has to be hexadecimal"}},
	{"images: {i: {path: x}}\n---\nimages: {i: {path: y}}\n", {"3:10 manifest.duplicate-vm|the image 'i'"}},
	{"pools: {p: {}}\n", {"1:9 manifest.missing|[p]|'p' needs a 'path'|/srv/fast"}},
	{"pools: {p: {path: x}}\n", {"1:19 manifest.value|has to begin with '/'"}},
	{"pools: {p: {path: /x, type: lvm}}\n", {"1:29 manifest.value|one of: dir"}},

	/* count */
	{"vms: {a: {count: -1}}\n", {"1:18 manifest.range|between 0 and 1000"}},
	{"vms: {a: {count: 1001}}\n", {"1:18 manifest.range"}},
	{"networks: {lan: {cidr: 10.0.0.0/24}}\nvms:\n  a:\n    count: 2\n    nics: [{name: n, network: lan, mac: '52:54:00:00:00:01', ip: 10.0.0.2}]\n",
	 {"5:41 manifest.count|[a]|'nics[n].mac' cannot be the same", "5:66 manifest.count|[a]|'nics[n].ip'"}},
	{"vms: {a: {count: 2}, a-2: {}}\n", {"1:22 manifest.duplicate-vm|[a-2]|'a-2' is declared here and at t.yaml:1:7"}},
	{"vms: {a: {count: 2}}\n---\nvm: {name: a}\n", {"3:1 manifest.duplicate-vm|[a]|at t.yaml:1:7"}},
	{"vms: {a: {count: 0}}\n---\nvms: {a: {count: 0}}\n", {"3:7 manifest.duplicate-vm|[a]"}},
	{"vms: {a12345678901234567890123456789012345678901234567890123456789012: {count: 2}}\n",
	 {"1:80 manifest.count|a name has at most 64 characters"}},

	/* dependencies */
	{"vms: {a: {depends_on: [bb]}, bc: {}}\n", {"1:23 manifest.reference|[a]|there is no VM 'bb'|did you mean 'bc'?"}},
	{"vms: {a: {depends_on: [\"x\\ny\"]}}\n", {"1:23 manifest.reference|there is no VM 'x\\ny'"}},
	{"vms: {a: {depends_on: [b-3]}, b: {count: 2}}\n", {"1:23 manifest.reference|'b-3'"}},
	{"vms: {a: {depends_on: {b: 1}}, b: {}}\n", {"1:23 manifest.type|wants a list of texts"}},
	{"vms: {a: {depends_on: [a]}}\n", {"1:7 manifest.cycle|[a]|wait for each other: a -> a; take one"}},
	{"vms: {b: {depends_on: [c]}, c: {depends_on: [d]}, d: {depends_on: [b]}, a: {depends_on: [c]}}\n",
	 {"1:29 manifest.cycle|[c]|wait for each other: c -> d -> b -> c; "}},
	{"vms: {a: {count: 2, depends_on: [a]}}\n", {"1:7 manifest.cycle|a-1 -> a-1; "}},
	{"vms: {a: {count: 2, depends_on: [b]}, b: {depends_on: [a-2]}}\n", {"1:39 manifest.cycle|[b]|b -> a-2 -> b; "}},
	{"defaults: {vm: {depends_on: [a]}}\nvms: {a: {}, b: {}}\n", {"2:7 manifest.cycle|a -> a; "}},

	/* labels */
	{"vm: {name: a, labels: [x]}\n", {"1:23 manifest.type|'labels' wants a map"}},
	{"vm: {name: a, labels: {a: 1}}\n", {"1:27 manifest.quotes"}},
	{"vm: {name: a, labels: {'a b': x}}\n", {"1:24 manifest.name|'a b' is not a name"}},
	{"vm: {name: a, labels: {'a]': x}}\n", {"1:24 manifest.name"}},
	{"vm: {name: a, labels: {? [a] : x}}\n", {"1:26 manifest.type|a key has to be text"}},
	{"vm: {name: a, labels: {~: x}}\n", {"1:24 manifest.name|a name is missing"}},
	{"vm: {name: a, labels: {a: x, a: y}}\n", {"1:30 manifest.duplicate-key"}},

	/* disks */
	{"vm: {name: a, disks: {name: d}}\n", {"1:22 manifest.type|'disks' wants a list, found a map"}},
	{"vm: {name: a, disks: [d]}\n", {"1:23 manifest.type|an entry of 'disks' wants a map, found 'd'"}},
	{"vm: {name: a, disks: [{size: 1GiB}]}\n", {"1:23 manifest.missing|needs a 'name'"}},
	{"vm: {name: a, disks: [{name: ~, size: 1GiB}]}\n", {"1:23 manifest.missing|needs a 'name'"}},
	{"vm: {name: a, disks: [{name: d, size: 1GiB}, {name: d, size: 2GiB}]}\n", {"1:46 manifest.duplicate-key|two entries called 'd'"}},
	{"vm: {name: a, disks: [{name: d}]}\n", {"1:30 manifest.missing|the disk 'd' has neither 'size' nor 'base_image'|10GiB"}},
	{"vm: {name: a, disks: [{name: d, size: ~}]}\n", {"1:30 manifest.missing"}},
	{"vm: {name: a, disks: [{name: root, size: 1GiB}]}\n", {"1:30 manifest.name|'root' is a name of clonebox's own|disk_size_gb"}},
	{"vm: {name: a, disks: [{name: seed, size: 1GiB}]}\n", {"1:30 manifest.name|'seed'"}},
	{"vm: {name: a, disks: [{name: 'a.b', size: 1GiB}]}\n", {"1:30 manifest.name"}},
	{"vm: {name: a, disks: [{name: abcdefghijklmnopq, size: 1GiB}]}\n", {"1:30 manifest.range|at most 16"}},
	{"vm: {name: a, disks: [{name: d, size: 1GiB, sizee: 2}]}\n", {"1:45 manifest.unknown-key|did you mean 'size'?"}},
	{"vm: {name: a, disks: [{name: d, size: 1GiB, shareable: true}]}\n", {"1:56 manifest.value|only a raw disk can be shared|format: raw"}},
	{"vm: {name: a, disks: [{name: d, size: 1GiB, format: vmdk, shareable: true}]}\n", {"1:53 manifest.value|qcow2, raw"}},

	/* sizes */
	{"vm: {name: a, disks: [{name: d, size: 100}]}\n", {"1:39 manifest.size|wants a size with its unit, found '100'|write 100GiB or 100MiB"}},
	{"vm: {name: a, disks: [{name: d, size: '100'}]}\n", {"1:39 manifest.size|write 100GiB or 100MiB"}},
	{"vm: {name: a, disks: [{name: d, size: -1}]}\n", {"1:39 manifest.size|512MiB, 100GiB, 2TB"}},
	{"vm: {name: a, disks: [{name: d, size: 10G}]}\n", {"1:39 manifest.size|found '10G'|512MiB, 100GiB, 2TB"}},
	{"vm: {name: a, disks: [{name: d, size: 1.5GiB}]}\n", {"1:39 manifest.size"}},
	{"vm: {name: a, disks: [{name: d, size: 010GiB}]}\n", {"1:39 manifest.size"}},
	{"vm: {name: a, disks: [{name: d, size: \"1GiB\\0\"}]}\n", {"1:39 manifest.value|control character"}},
	{"vm: {name: a, disks: [{name: d, size: 1KiB}]}\n", {"1:39 manifest.range|between 1MiB and 64TiB, found '1KiB'"}},
	{"vm: {name: a, disks: [{name: d, size: 65TiB}]}\n", {"1:39 manifest.range"}},
	{"vm: {name: a, disks: [{name: d, size: 99999999999999999999TB}]}\n", {"1:39 manifest.range"}},
	{"vm: {name: a, disks: [{name: d, size: [1]}]}\n", {"1:39 manifest.type"}},

	/* interfaces */
	{"vm: {name: a, nics: [{name: n}]}\n", {"1:29 manifest.value|'n' has to have one of 'network', 'bridge' and 'user: true'"}},
	{"vm: {name: a, nics: [{name: n, user: false}]}\n", {"1:29 manifest.value"}},
	{"vm: {name: a, nics: [{name: n, network: x, bridge: y}]}\n", {"1:29 manifest.value"}},
	{"vm: {name: a, nics: [{name: n, network: x, user: true}]}\n", {"1:29 manifest.value"}},
	{"vm: {name: a, nics: [{name: n, network: 1}]}\n", {"1:41 manifest.quotes"}},
	{"vm: {name: a, nics: [{name: n, user: maybe}]}\n", {"1:38 manifest.type"}},
	{"vm: {name: a, nics: [{name: n, network: x, user: maybe}]}\n", {"1:50 manifest.type"}},
	{"vm: {name: a, nics: [{name: nic0, network: x}]}\n", {"1:29 manifest.name|'nic0' is the interface of 'network_mode'"}},
	{"vm: {name: a, nics: [{name: n, network: x}, {name: n, network: y}]}\n", {"1:45 manifest.duplicate-key|two entries called 'n'"}},
	{"vm: {name: a, network_mode: user, nics: [{name: n, network: x}]}\n", {"1:29 manifest.value|cannot both be given"}},
	{"vm: {name: a, nics: [{name: n, network: x, forwards: ['tcp:1:2']}]}\n", {"1:54 manifest.value|'forwards' needs 'user: true'"}},
	{"vm: {name: a, nics: [{name: n, network: x, mac: '52:54:00:00:00'}]}\n", {"1:49 manifest.value|wants a MAC address"}},
	{"vm: {name: a, nics: [{name: n, network: x, mac: '53:54:00:00:00:01'}]}\n", {"1:49 manifest.value"}},
	{"vm: {name: a, nics: [{name: n, network: x, ip: 10.0.0.2}]}\n", {"1:48 manifest.value|one of the manifest's own networks"}},
	{"vm: {name: a, nics: [{name: n, network: x, ip: 10.0.0.256}]}\n", {"1:48 manifest.value|wants an IPv4 address"}},
	{"networks: {x: {mode: bridge, bridge: b}}\nvm: {name: a, nics: [{name: n, network: x, ip: 10.0.0.2}]}\n", {"2:48 manifest.value|with a 'cidr'"}},
	{"networks: {x: {cidr: 10.0.0.0/24}}\nvm: {name: a, nics: [{name: n, network: x, ip: 10.0.1.2}]}\n",
	 {"2:48 manifest.value|'10.0.1.2' is no address for a VM in 'x', '10.0.0.0/24'"}},
	{"networks: {x: {cidr: 10.0.0.0/24}}\nvm: {name: a, nics: [{name: n, network: x, ip: 10.0.0.1}]}\n", {"2:48 manifest.value|the first address is the host's"}},
	{"networks: {x: {cidr: 10.0.0.0/24}}\nvm: {name: a, nics: [{name: n, network: x, ip: 10.0.0.0}]}\n", {"2:48 manifest.value"}},
	{"networks: {x: {cidr: 10.0.0.0/24}}\nvm: {name: a, nics: [{name: n, network: x, ip: 10.0.0.255}]}\n", {"2:48 manifest.value"}},
	{"networks: {x: {cidr: 10.0.0.0}}\nvm: {name: a, nics: [{name: n, network: x, ip: 10.0.0.2}]}\n", {"1:22 manifest.value|[x]|IPv4 network with its size"}},

	/* what only one may have */
	{"vms:\n  a: {nics: [{name: n, network: x, mac: '52:54:00:00:00:0A'}]}\n  b: {nics: [{name: n, network: x, mac: '52:54:00:00:00:0a'}]}\n",
	 {"3:41 manifest.duplicate-address|[b]|the MAC address '52:54:00:00:00:0a' is taken twice: here and at t.yaml:2:41"}},
	{"vm: {name: a, nics: [{name: n, network: x, mac: '52:54:00:00:00:0a'}, {name: m, network: x, mac: '52:54:00:00:00:0a'}]}\n",
	 {"1:98 manifest.duplicate-address|[a]|at t.yaml:1:49"}},
	{"networks: {x: {cidr: 10.0.0.0/24}}\nprofiles: {p: {nics: [{name: n, network: x, ip: 10.0.0.9}]}}\nvms: {a: {profile: p}, b: {profile: p}}\n",
	 {"2:49 manifest.duplicate-address|[b]|the address '10.0.0.9' of network 'x'"}},

	/* networks */
	{"networks: {n: {}}\n", {"1:12 manifest.missing|[n]|the network 'n' needs a 'cidr'"}},
	{"networks: {n: {mode: isolated, dhcp: {start: 10.0.0.2, end: 10.0.0.9}}}\n", {"1:46 manifest.missing|'dhcp' needs a 'cidr'"}},
	{"networks: {n: {mode: bridge, bridge: b, dhcp: {start: 10.0.0.2, end: 10.0.0.9}}}\n", {"1:55 manifest.missing|'dhcp' needs a 'cidr'"}},
	{"networks: {n: {mode: bridge}}\n", {"1:12 manifest.value|'bridge' is needed for 'mode: bridge'"}},
	{"networks: {n: {mode: nat, cidr: 10.0.0.0/24, bridge: b}}\n", {"1:54 manifest.value|only for that"}},
	{"networks: {n: {mode: bridge, bridge: b, cidr: 10.0.0.0/24}}\n", {"1:47 manifest.value|cannot be given with 'mode: bridge'"}},
	{"networks: {n: {mode: route}}\n", {"1:22 manifest.value|nat, isolated, bridge"}},
	{"networks: {n: {cidr: 10.0.0.0/31}}\n", {"1:22 manifest.value|/8 to /30"}},
	{"networks: {n: {cidr: 10.0.0.0/4294967320}}\n", {"1:22 manifest.value"}},
	{"networks: {n: {cidr: fd00::/64}}\n", {"1:22 manifest.value"}},
	{"networks: {n: {cidr: 10.0.0.0/24, dhcp: {start: 10.0.0.9}}}\n", {"1:49 manifest.missing|'dhcp' needs a 'start' and an 'end'"}},
	{"networks: {n: {cidr: 10.0.0.0/24, dhcp: {end: 10.0.0.9}}}\n", {"1:47 manifest.missing"}},
	{"networks: {n: {cidr: 10.0.0.0/24, dhcp: {start: 10.0.0.9, end: 10.0.1.9}}}\n", {"1:64 manifest.value|'10.0.1.9' does not lie in '10.0.0.0/24'"}},
	{"networks: {n: {cidr: 10.0.0.0/24, dhcp: {start: 10.0.0.1, end: 10.0.0.9}}}\n", {"1:49 manifest.value|the host's own address"}},
	{"networks: {n: {cidr: 10.0.0.0/24, dhcp: {start: 10.0.0.20, end: 10.0.0.9}}}\n", {"1:65 manifest.value|lies before"}},
	{"networks: {n: {cidr: 10.0.0.0/24, dhcp: {start: x, end: 10.0.0.9}}}\n", {"1:49 manifest.value|IPv4 address"}},

	/* machines */
	{"vm: {name: a, machine: pc, firmware: uefi}\n", {"1:38 manifest.value|needs the machine q35"}},
};

/* clang-format on */

static void every_mistake_is_told_once_at_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < CB_COUNT(wrong); i++) {
		auto_loaded struct loaded l;

		load(&l, wrong[i].yaml);
		if (l.count == 0)
			fail_msg("loads: %s", wrong[i].yaml);
		check_problems(&l, wrong[i].want, "t.yaml");
	}
}

static void what_two_files_say_twice_is_told_with_both_places(void **state)
{
	static const char *const files[] = {
		"defaults: {vm: {vcpus: 1}}\nnetworks: {x: {cidr: 10.0.0.0/24}}\n"
		"vms: {a: {nics: [{name: n, network: x, ip: 10.0.0.9, mac: 52:54:00:00:00:01}]}}\n",
		"defaults: {vm: {}}\nnetworks: {x: {cidr: 10.0.0.0/24}}\n"
		"vms: {b: {nics: [{name: n, network: x, ip: 10.0.0.9, mac: "
		"52:54:00:00:00:01}]}}\n"};
	auto_loaded struct loaded l;

	(void)state;
	load_files(&l, files, 2);
	check_problems(
		&l,
		(const char *[]){
			"1:1 manifest.duplicate-key|'defaults' is given here and at a.yaml:1:1",
			"2:12 manifest.duplicate-vm|the network 'x' is declared here and at "
			"a.yaml:2:12",
			"3:44 manifest.duplicate-address|[b]|network 'x' is taken twice: here and "
			"at a.yaml:3:44",
			"3:59 manifest.duplicate-address|here and at a.yaml:3:59", NULL},
		"b.yaml");
}

/* Two hosts each have a network of that name. */
static void an_address_is_taken_on_one_host_only(void **state)
{
	auto_loaded struct loaded l;

	(void)state;
	load(&l, "hosts: {h: {uri: x}, i: {uri: y}}\nnetworks: {x: {cidr: 10.0.0.0/24}}\n"
		 "profiles: {p: {nics: [{name: n, network: x, ip: 10.0.0.9}]}}\n"
		 "vms: {a: {profile: p, host: h}, b: {profile: p, host: i}}\n");
	check_good(&l);
}

static void networks_that_are_sound_load(void **state)
{
	auto_loaded struct loaded l;

	(void)state;
	load(&l, "networks:\n"
		 "  a: {cidr: 10.0.0.0/24}\n"
		 "  b: {mode: isolated}\n"
		 "  c: {mode: isolated, cidr: 10.1.0.0/30, autostart: off}\n"
		 "  d: {mode: bridge, bridge: br0}\n"
		 "  e: {cidr: 10.2.0.9/24, dhcp: {start: 10.2.0.2, end: 10.2.0.254}}\n");
	check_good(&l);
	assert_int_equal(l.desired.networks.len, 5);
	assert_string_equal(cb_spec_string(&l.desired.networks.items[4].spec, "cidr"),
			    "10.2.0.0/24");
	assert_false(cb_spec_bool(&l.desired.networks.items[2].spec, "autostart", true));
}

static void lists_and_labels_have_their_limits(void **state)
{
	static const char *const forms[] = {"disks: [", "labels: {"};

	(void)state;
	for (size_t form = 0; form < 2; form++) {
		for (int n = 100; n <= 101; n++) {
			cb_auto_str struct cb_str yaml = {0};
			auto_loaded struct loaded l;

			cb_str_printf(&yaml, "vm: {name: a, %s", forms[form]);
			for (int i = 0; i < n; i++)
				cb_str_printf(&yaml,
					      form ? "l%d: x, " : "{name: d%d, size: 1GiB}, ", i);
			cb_str_add(&yaml, form ? "}}" : "]}");
			load(&l, yaml.text);
			assert_int_equal(l.count, n > 100);
			if (l.count)
				assert_string_equal(l.problems.items[0].check, "manifest.limit");
		}
	}
}

/* ---- values ---- */

static void sizes_are_bytes_in_whole_sectors(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes;
	} rows[] = {
		{"1MiB", INT64_C(1) << 20},      {"1024KiB", INT64_C(1) << 20},
		{"100GiB", INT64_C(100) << 30},  {"64TiB", INT64_C(1) << 46},
		{"2TB", INT64_C(2000000000000)}, {"10GB", INT64_C(10000000000)},
		{"3 GiB", INT64_C(3) << 30},     {"'3GiB'", INT64_C(3) << 30},
		{"100MB", INT64_C(100000256)},
	};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		auto_loaded struct loaded l;
		char yaml[80];

		(void)snprintf(yaml, sizeof(yaml), "vm: {name: a, disks: [{name: d, size: %s}]}",
			       rows[i].text);
		load(&l, yaml);
		check_good(&l);
		assert_int_equal(cb_spec_int(spec_of(&l, "a"), "disks[d].size", 0), rows[i].bytes);
	}
}

static void texts_of_sizes_are_told_apart(void **state)
{
	static const char *const none[] = {"",    "GiB",   "1",  "1 ",    "1  GiB",
					   "1gb", "1GiB ", "1G", "-1GiB", "01GiB"};
	int64_t bytes = 0;

	(void)state;
	for (size_t i = 0; i < CB_COUNT(none); i++)
		assert_int_equal(cb_scalar_size(none[i], &bytes), -1);
	assert_int_equal(cb_scalar_size("0KB", &bytes), 0);
	assert_int_equal(bytes, 0);
	assert_int_equal(cb_scalar_size("68719476736KiB", &bytes), 0);
	assert_true(bytes == INT64_C(1) << 46);
	assert_int_equal(cb_scalar_size("18446744073709551616TiB", &bytes), 0);
	assert_true(bytes == INT64_MAX);
}

static void addresses_have_one_spelling(void **state)
{
	cb_auto_arena struct cb_arena a = {0};

	(void)state;
	assert_string_equal(cb_address_mac(&a, "52:54:00:AB:cd:eF"), "52:54:00:ab:cd:ef");
	assert_null(cb_address_mac(&a, "52-54-00-ab-cd-ef"));
	assert_null(cb_address_mac(&a, "00:00:00:00:00:00"));
	assert_null(cb_address_mac(&a, "01:00:00:00:00:00"));
	assert_null(cb_address_mac(&a, "52:54:00:ab:cd:eg"));
	assert_string_equal(cb_address_ip(&a, "10.0.0.1"), "10.0.0.1");
	assert_null(cb_address_ip(&a, "10.0.0.01"));
	assert_null(cb_address_ip(&a, "10.0.1"));
	assert_null(cb_address_ip(&a, "10.0.0.1.2"));
	assert_null(cb_address_ip(&a, "10.0.0."));
	assert_null(cb_address_ip(&a, "10.0.0.1 "));
	assert_null(cb_address_ip(&a, "256.0.0.1"));
	assert_null(cb_address_ip(&a, "10.0.0.0001"));
	assert_string_equal(cb_address_ip(&a, "255.255.255.255"), "255.255.255.255");
	assert_string_equal(cb_address_ip(&a, "0.0.0.0"), "0.0.0.0");
	assert_string_equal(cb_address_cidr(&a, "10.10.7.7/16"), "10.10.0.0/16");
	assert_null(cb_address_cidr(&a, "10.0.0.0/7"));
	assert_null(cb_address_cidr(&a, "10.0.0.0/024"));
	assert_null(cb_address_cidr(&a, "10.0.0.0/24x"));
	assert_string_equal(cb_address_nth(&a, "10.0.0.0/30", 1), "10.0.0.1");
	assert_string_equal(cb_address_nth(&a, "10.0.0.0/30", -1), "10.0.0.3");
	assert_true(cb_address_in("10.0.0.0/30", "10.0.0.2"));
	assert_false(cb_address_in("10.0.0.0/30", "10.0.0.3"));
	assert_false(cb_address_in("10.0.0.0/30", "10.0.0.4"));
	assert_true(cb_address_compare("10.0.0.9", "10.0.0.10") < 0);
	assert_int_equal(cb_address_compare("10.0.0.9", "10.0.0.9"), 0);
}

static void free_content_keeps_its_shape(void **state)
{
	auto_loaded struct loaded l;

	(void)state;
	load(&l, "vm:\n"
		 "  name: a\n"
		 "  cloud_init:\n"
		 "    z: [1, -0, yes, ~, 1.5, 0644, '12', !!str 7, 22:22, \"a\\n\"]\n"
		 "    a: {9: x}\n");
	check_good(&l);
	assert_string_equal(cb_spec_string(spec_of(&l, "a"), "cloud_init"),
			    "{\"a\":{\"9\":\"x\"},\"z\":[1,0,true,null,\"1.5\",\"0644\",\"12\","
			    "\"7\",\"22:22\",\"a\\n\"]}");
}

static void free_content_may_be_deep_up_to_the_limit(void **state)
{
	(void)state;
	for (int depth = 29; depth <= 30; depth++) {
		cb_auto_str struct cb_str yaml = {0};
		auto_loaded struct loaded l;

		cb_str_add(&yaml, "vm: {name: a, cloud_init: {a: ");
		for (int i = 0; i < depth; i++)
			cb_str_add(&yaml, "[");
		for (int i = 0; i < depth; i++)
			cb_str_add(&yaml, "]");
		cb_str_add(&yaml, "}}");
		load(&l, yaml.text);
		assert_int_equal(l.count, depth == 30);
		if (l.count)
			assert_string_equal(l.problems.items[0].check, "manifest.limit");
	}
}

static void texts_have_their_limits_together(void **state)
{
	for (int n = 60; n <= 70; n += 10) {
		cb_auto_str struct cb_str yaml = {0};
		auto_loaded struct loaded l;

		(void)state;
		cb_str_add(&yaml, "vm: {name: a, packages: [");
		for (int i = 0; i < n; i++)
			cb_str_printf(&yaml, "%04090d,", i + 1);
		cb_str_add(&yaml, "]}");
		for (char *p = yaml.text; *p; p++)
			*p = *p == '0' ? 'o' : *p;
		load(&l, yaml.text);
		assert_int_equal(l.count, n == 70);
		if (l.count)
			assert_non_null(strstr(l.problems.items[0].message, "is too long"));
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_keys_come_before_the_profile_and_that_before_the_defaults),
		cmocka_unit_test(the_order_of_the_file_does_not_matter),
		cmocka_unit_test(maps_merge_and_lists_replace),
		cmocka_unit_test(null_takes_back_what_others_say),
		cmocka_unit_test(keys_that_only_loading_knows_are_gone),
		cmocka_unit_test(what_a_profile_gives_counts_for_the_rules),
		cmocka_unit_test(count_makes_names_with_numbers),
		cmocka_unit_test(a_lower_count_leaves_out_the_highest_numbers),
		cmocka_unit_test(there_is_an_end_to_what_counts_make),
		cmocka_unit_test(dependencies_are_of_vms_sorted_and_each_once),
		cmocka_unit_test(a_chain_may_be_long),
		cmocka_unit_test(every_mistake_is_told_once_at_its_place),
		cmocka_unit_test(what_two_files_say_twice_is_told_with_both_places),
		cmocka_unit_test(an_address_is_taken_on_one_host_only),
		cmocka_unit_test(networks_that_are_sound_load),
		cmocka_unit_test(lists_and_labels_have_their_limits),
		cmocka_unit_test(sizes_are_bytes_in_whole_sectors),
		cmocka_unit_test(texts_of_sizes_are_told_apart),
		cmocka_unit_test(addresses_have_one_spelling),
		cmocka_unit_test(free_content_keeps_its_shape),
		cmocka_unit_test(free_content_may_be_deep_up_to_the_limit),
		cmocka_unit_test(texts_have_their_limits_together),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("fleet", tests, NULL, NULL);
}
