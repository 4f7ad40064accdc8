/*
 * scenarios.h: every kind of change on the fake host: what stands before, what is wanted, and how
 * an undisturbed run ends. For the tests of this directory that disturb all of them (test_sweep:
 * the host's calls; test_disk: the files of the journal); include it once, behind cmocka.h.
 */
#ifndef CB_TESTS_FAULT_SCENARIOS_H
#define CB_TESTS_FAULT_SCENARIOS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/fs.h"
#include "tests/support/fixture.h"

/* What stands before and what is wanted after. */
struct scenario {
	const char *name;
	const char *before; /* applied first, undisturbed; NULL: an empty host */
	const char *after;  /* NULL: destroy what `before` made */
	bool restart;       /* --allow-restart */
	bool several;       /* transactions: some may be through when another one is taken back */
	bool shared;        /* ... and without any VM nothing at all is left */
	bool lost;          /* the state directory, after `before`; then all is taken over, */
	bool discard;       /* ... and goes: it never got to run */
	bool remote;        /* a local host would have to have its directories */
	bool moves;         /* an address is replaced by another */
	unsigned chunk;     /* bytes of a chunk; 0: images are one */
};

#define IMAGES                                                                                     \
	"  disk_size_gb: 1\n  base_image: base.raw\n  boot: {kernel: kernel, initrd: initrd}\n"

/* The least that a machine of several parts has. */
#define LAN   "networks:\n  lan: {cidr: 10.10.0.0/24}\n"
#define POOL  "pools:\n  fast: {path: /srv/fast}\n"
#define SMALL "vm:\n  name: dev\n  ram_mb: 64\n  disk_size_gb: 0\n  boot: {kernel: kernel}\n"
#define DATA  "  disks: [{name: data, size: 1GiB, pool: fast}]\n"
#define NIC   "  nics: [{name: lan0, network: lan, ip: 10.10.0.10}]\n"
#define GUEST "  username: dev\n  auth_method: password\n  password: first\n"
#define TOLD  "  username: dev\n  auth_method: password\n  password: second\n"

/* All of it or nothing. */
#define TOGETHER(ram, state, last)                                                                 \
	"networks:\n  lan: {cidr: 10.10.0.0/24, group: shop}\n"                                    \
	"defaults: {vm: {group: shop, disk_size_gb: 0, state: " state ", ram_mb: " ram             \
	"}}\nvms:\n  dev: {boot: {kernel: kernel}, nics: [{name: lan0, network: lan, ip: "         \
	"10.10.0." last "}]}\n"                                                                    \
	"  other: {depends_on: [dev], boot: {kernel: kernel}, disks: [{name: data, size: 1GiB, "   \
	"deletion: purge}]}\n"

/* Of what the stamps of a lost installation stand on. */
#define THREE                                                                                      \
	"defaults: {vm: {disk_size_gb: 0, boot: {kernel: kernel}}}\nvms:\n  dev: {state: "         \
	"running}\n  other: {state: stopped}\n  third: {state: stopped, disks: [{name: data, "     \
	"size: 1GiB}]}\n"

static const struct scenario scenarios[] = {
	{"create", NULL, "vm:\n  name: dev\n  ram_mb: 64\n  vcpus: 1\n  autostart: true\n" IMAGES},
	{"create-chunks", NULL, "vm:\n  name: dev\n  ram_mb: 64\n" IMAGES, .chunk = 512},
	{"create-stopped", NULL, "vm:\n  name: dev\n  state: stopped\n" IMAGES},
	{"update-running", "vm:\n  name: dev\n  ram_mb: 64\n  vcpus: 1\n" IMAGES,
	 "vm:\n  name: dev\n  ram_mb: 32\n  vcpus: 2\n  autostart: true\n  description: "
	 "x\n" IMAGES},
	{"update-stopped", "vm:\n  name: dev\n  state: stopped\n" IMAGES,
	 "vm:\n  name: dev\n  state: running\n  ram_mb: 32\n  disk_size_gb: 1\n"
	 "  base_image: base.raw\n  boot: {kernel: initrd}\n"},
	{"destroy-running", "vm:\n  name: dev\n  autostart: true\n" IMAGES, NULL},
	{"destroy-stopped", "vm:\n  name: dev\n  state: stopped\n" IMAGES, NULL},
	{"create-fleet", NULL, LAN POOL SMALL DATA NIC GUEST, .several = true},
	{"one-image-for-two", NULL,
	 "vms:\n  dev: {ram_mb: 64, disk_size_gb: 1, base_image: base.raw}\n"
	 "  other: {ram_mb: 64, disk_size_gb: 2, base_image: base.raw}\n",
	 .several = true, .shared = true},
	{"create-group", NULL, TOGETHER("64", "running", "9"), .shared = true},
	{"update-group", TOGETHER("64", "running", "9"), TOGETHER("32", "running", "19"),
	 .restart = true, .moves = true},
	{"destroy-group", TOGETHER("64", "stopped", "9"), TOGETHER("64", "absent", "9")},
	{"one-image-for-two-chunks", NULL,
	 "vms:\n  dev: {ram_mb: 64, disk_size_gb: 1, base_image: base.raw}\n"
	 "  other: {ram_mb: 64, disk_size_gb: 2, base_image: base.raw}\n",
	 .several = true, .shared = true, .chunk = 700},
	{"devices-running",
	 LAN POOL SMALL "  disks: [{name: old, size: 1GiB}]\n"
			"  nics: [{name: out, network: lan, ip: 10.10.0.9}]\n",
	 LAN POOL SMALL DATA NIC},
	{"devices-stopped",
	 LAN POOL SMALL "  state: stopped\n  disks: [{name: old, size: 1GiB}]\n"
			"  nics: [{name: out, network: lan, ip: 10.10.0.9}]\n",
	 LAN POOL SMALL "  state: stopped\n"
			"  disks: [{name: data, base_image: base.raw, deletion: purge}]\n" NIC},
	{"reseed", SMALL "  state: stopped\n  network_mode: none\n" GUEST,
	 SMALL "  state: stopped\n  network_mode: none\n  guest: rerun\n" TOLD},
	{"reseed-restart", SMALL "  state: running\n  network_mode: none\n" GUEST,
	 SMALL "  state: running\n  network_mode: none\n  guest: rerun\n" TOLD, .restart = true},
	{"paths-restart",
	 SMALL "  state: running\n  network_mode: none\n  guest: rerun\n"
	       "  paths: {/old: /old, /a: /src}\n" GUEST,
	 SMALL "  state: running\n  network_mode: none\n  guest: rerun\n"
	       "  paths: {/b: /src, /c: {guest: /c, kind: 9p, readonly: true}}\n" GUEST,
	 .restart = true, .remote = true},
	{"network-changes", LAN SMALL NIC,
	 "networks:\n  lan: {cidr: 10.20.0.0/24, autostart: false}\n" SMALL
	 "  nics: [{name: lan0, network: lan, ip: 10.20.0.10}]\n",
	 .several = true},
	{"destroy-fleet",
	 LAN POOL SMALL "  nics: [{name: lan0, network: lan, ip: 10.10.0.10}]\n"
			"  disks: [{name: data, size: 1GiB}, {name: cache, size: 1GiB, deletion: "
			"purge, pool: fast}]\n" GUEST,
	 NULL, .several = true},
	{"to-trash",
	 LAN SMALL
	 "  autostart: true\n  deletion: trash\n  disks: [{name: data, size: 1GiB}]\n" NIC,
	 NULL, .several = true},
	{"to-trash-alone", SMALL "  autostart: true\n  deletion: trash\n", NULL},
	{"new-root-disk", "vm:\n  name: dev\n  ram_mb: 64\n  state: stopped\n" IMAGES,
	 "vm:\n  name: dev\n  ram_mb: 64\n  state: stopped\n  recreate: allow\n  disk_size_gb: "
	 "12\n  base_image: base.raw\n  boot: {kernel: kernel, initrd: initrd}\n"},
	{"destroy-one-of-two",
	 LAN "vms:\n  dev: {disk_size_gb: 0, boot: {kernel: kernel}, nics: [{name: lan0, network: "
	     "lan, ip: 10.10.0.10}]}\n"
	     "  other: {disk_size_gb: 0, boot: {kernel: kernel}, nics: [{name: lan0, network: "
	     "lan}]}\n",
	 LAN "vms:\n  dev: {state: absent, disk_size_gb: 0, boot: {kernel: kernel}}\n"
	     "  other: {disk_size_gb: 0, boot: {kernel: kernel}, nics: [{name: lan0, network: "
	     "lan}]}\n"},
	{"take-over", THREE, THREE, .several = true, .lost = true},
	{"take-over-discard", "vm:\n  name: dev\n  ram_mb: 64\n" IMAGES,
	 "vm:\n  name: dev\n  ram_mb: 64\n" IMAGES, .lost = true, .discard = true},
};

/* The journal and the id of who made the host so are gone. */
static void lose_state(struct fixture *f, const struct scenario *scenario)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str id = {0}, path = {0};
	json_auto_t *host = json_load_file(f->host_path, 0, NULL);
	json_t *domain;
	const char *uuid;

	cb_str_printf(&path, "%s/controller-id", f->state_dir);
	assert_int_equal(cb_fs_read(path.text, CB_UUID_SIZE, &id, &err), 0);
	f->request.take_from = cb_arena_strdup(&f->arena, id.text);
	f->request.discard = scenario->discard;
	cb_str_clear(&path);
	cb_str_printf(&path, "%s/lost", f->dir);
	assert_int_equal(rename(f->state_dir, path.text), 0);
	json_object_foreach(json_object_get(host, "domains"), uuid, domain)
	{
		if (!scenario->discard)
			continue;
		json_object_set_new(domain, "active", json_false());
		json_object_del(domain, "live");
		json_object_del(domain, "started");
	}
	assert_int_equal(json_dump_file(host, f->host_path, 0), 0);
}

static void prepare(struct fixture *f, const struct scenario *scenario, bool cuts)
{
	cb_auto_error struct cb_error err = {0};

	fixture_init(f, NULL);
	f->cuts = cuts;
	f->chunk_least = scenario->chunk;
	if (scenario->before) {
		fixture_load(f, scenario->before, "tests/golden/images");
		if (fixture_apply(f, &err) < 0)
			fail_msg("%s: %s", scenario->name, err.message);
	}
	if (scenario->lost)
		lose_state(f, scenario);
	if (scenario->after)
		fixture_load(f, scenario->after, "tests/golden/images");
	f->request.destroy = !scenario->after;
	f->request.flags = CB_PLAN_FORCE_OFF | (scenario->restart ? CB_PLAN_RESTART : 0);
}

static char *undisturbed(const struct scenario *scenario, char **before)
{
	cb_auto_error struct cb_error err = {0};
	struct fixture f;
	char *state;

	prepare(&f, scenario, false);
	*before = fixture_state(&f);
	if (fixture_apply(&f, &err) < 0)
		fail_msg("%s: %s", scenario->name, err.message);
	state = fixture_state(&f);
	assert_int_equal(fixture_pending(&f), 0);
	fixture_release(&f);
	return state;
}

/* cmocka cuts long strings short: the whole of both goes beside the failure. */
static void assert_same_state(const char *got, const char *wanted)
{
	if (strcmp(got, wanted) == 0)
		return;
	for (; *got && *got == *wanted; got++, wanted++)
		;
	print_error("states part here:\ngot:    %.300s\nwanted: %.300s\n", got, wanted);
	fail();
}

/* The parts of a state that different transactions bring about: domains as wholes, of the rest
 * every value. */
static void take_apart(json_t *out, const char *prefix, json_t *value, unsigned depth)
{
	const char *key;
	json_t *member;

	if (depth == 0 || !json_is_object(value)) {
		json_object_set(out, prefix, value);
		return;
	}
	json_object_foreach(value, key, member)
	{
		cb_auto_str struct cb_str path = {0};

		cb_str_printf(&path, "%s %s", prefix, key);
		take_apart(out, cb_str_text(&path), member, depth - 1);
	}
}

static json_t *parts_of(const char *text, bool restart)
{
	json_auto_t *state = json_loads(text, 0, NULL);
	json_t *out = json_object(), *member;
	const char *key;

	json_object_foreach(json_object_get(state, "domains"), key, member)
	{
		/* A machine that does not come up again leaves its definition as it was. */
		for (size_t i = 0; restart && i < 3; i++)
			json_object_del(member, (const char *[]){"active", "live", "started"}[i]);
	}
	json_object_foreach(state, key, member)
		take_apart(out, key, member, strcmp(key, "domains") == 0 ? 1 : 4);
	return out;
}

/* Whether every part is as it was or as it is wanted. */
static bool old_or_new(const struct scenario *scenario, const char *got, const char *before,
		       const char *wanted)
{
	json_auto_t *is = parts_of(got, scenario->restart);
	json_auto_t *old = parts_of(before, scenario->restart);
	json_auto_t *new = parts_of(wanted, scenario->restart);
	json_auto_t *all = json_object();
	const char *key;
	json_t *part;
	bool ok = true;

	json_object_update(all, is);
	json_object_update(all, old);
	json_object_update(all, new);
	json_object_foreach(all, key, part)
	{
		json_t *now = json_object_get(is, key), *was = json_object_get(old, key);
		json_t *shall = json_object_get(new, key);
		bool same = (!now && (!was || !shall)) || (was && now && json_equal(was, now)) ||
			    (shall && now && json_equal(shall, now));

		/* The network moved away from under an address, and the VM's turn never came. */
		if (!same && !now && scenario->several && strstr(key, "hosts["))
			same = true;
		if (!same)
			print_error("%s is neither as before nor as wanted\n", key);
		ok = ok && same;
	}
	return ok;
}

static bool has_domains(const char *text)
{
	json_auto_t *state = json_loads(text, 0, NULL);

	return json_object_size(json_object_get(state, "domains")) > 0;
}

static void say(const struct scenario *scenario, const char *fault, unsigned n, const char *what)
{
	print_error("%s, call %u %s: %s\n", scenario->name, n, fault, what);
}

static bool everything; /* --all */

/* PROGRAM [--all] [I/N]: every N-th scenario, from the I-th. */
static int run_scenarios(const char *name, CMUnitTestFunction test, int argc, char **argv)
{
	struct CMUnitTest tests[CB_COUNT(scenarios)];
	unsigned first = 1, each = 1;
	size_t n = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--all") == 0)
			everything = true;
		else if (sscanf(argv[i], "%u/%u", &first, &each) != 2 || first < 1 || each < first)
			return 64;
	}
	for (size_t i = first - 1; i < CB_COUNT(scenarios); i += each)
		tests[n++] = (struct CMUnitTest){
			.name = scenarios[i].name,
			.test_func = test,
			.initial_state = (void *)(uintptr_t)&scenarios[i],
		};
	return _cmocka_run_group_tests(name, tests, n, NULL, NULL);
}

#endif
