/*
 * Every failure at every call: the n-th changing call of a scenario fails, is lost, or ends the
 * process, for n = 1, 2, ... until the scenario is through before its turn comes. Then a second run
 * must bring the host to what an undisturbed run makes of it, or the first must have taken
 * everything back.
 *
 *	test_sweep [--all] [I/N]	every N-th scenario, from the I-th
 *
 * --all: with every mixture of what a power cut may leave, instead of two.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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
#define TOGETHER(ram, state)                                                                       \
	"networks:\n  lan: {cidr: 10.10.0.0/24, group: shop}\n"                                    \
	"defaults: {vm: {group: shop, disk_size_gb: 0, state: " state ", ram_mb: " ram             \
	"}}\nvms:\n  dev: {boot: {kernel: kernel}, nics: [{name: lan0, network: lan, ip: "         \
	"10.10.0.9}]}\n"                                                                           \
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
	{"create-group", NULL, TOGETHER("64", "running"), .shared = true},
	{"update-group", TOGETHER("64", "running"), TOGETHER("32", "running"), .restart = true},
	{"destroy-group", TOGETHER("64", "stopped"), TOGETHER("64", "absent")},
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

static const struct {
	const char *name;
	enum cb_fault fault;
	bool sticky;
	bool chunks; /* only of uploads in chunks */
} faults[] = {
	{"fails once", CB_FAULT_BEFORE, false, false},
	{"fails for good", CB_FAULT_BEFORE, true, false},
	{"done but reported as failed", CB_FAULT_AFTER, false, false},
	{"reply lost", CB_FAULT_LOST, false, false},
	{"connection gone", CB_FAULT_GONE, false, false},
	{"dies before", CB_FAULT_DIE_BEFORE, false, false},
	{"dies after", CB_FAULT_DIE_AFTER, false, false},
	{"connection gone halfway", CB_FAULT_GONE_HALFWAY, false, true},
	{"dies halfway", CB_FAULT_DIE_HALFWAY, false, true},
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
		if (!same && !now && strstr(key, "hosts["))
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

/* One point of the sweep. Returns false when the scenario was through before its turn. */
static bool disturb(const struct scenario *scenario, size_t kind, unsigned n, const char *before,
		    const char *wanted)
{
	cb_auto_error struct cb_error err = {0};
	struct fixture f;
	bool dies = faults[kind].fault == CB_FAULT_DIE_BEFORE ||
		    faults[kind].fault == CB_FAULT_DIE_AFTER ||
		    faults[kind].fault == CB_FAULT_DIE_HALFWAY;
	int status;
	char *state;
	bool reached;

	prepare(&f, scenario, false);
	f.fault = faults[kind].fault;
	f.sticky = faults[kind].sticky;
	f.at = n;
	if (dies) {
		status = fixture_apply_forked(&f);
		reached = status == 137;
		if (!reached)
			assert_int_equal(status, 0);
	} else {
		status = fixture_apply(&f, &err);
		reached = f.calls >= n;
	}
	state = fixture_state(&f);
	if (!dies && status < 0 && fixture_open_journals(&f) == 0 &&
	    !(scenario->several || scenario->restart ? old_or_new(scenario, state, before, wanted)
						     : strcmp(state, before) == 0)) {
		say(scenario, faults[kind].name, n, "closed, but neither old nor new");
		assert_same_state(state, before);
	}
	if (!dies && status == 0)
		assert_same_state(state, wanted);
	if (scenario->shared && fixture_open_journals(&f) == 0 && !has_domains(state))
		assert_same_state(state, before);
	free(state);

	/* The second run, undisturbed. */
	cb_error_release(&err);
	if (fixture_apply(&f, &err) < 0) {
		say(scenario, faults[kind].name, n, err.message);
		fail();
	}
	state = fixture_state(&f);
	if (strcmp(state, wanted) != 0)
		say(scenario, faults[kind].name, n, "the second run ends elsewhere");
	assert_same_state(state, wanted);
	assert_int_equal(fixture_open_journals(&f), 0);
	assert_int_equal(fixture_pending(&f), 0);
	free(state);
	fixture_release(&f);
	return reached;
}

/* The run that takes up what a dead one left dies as well, after its m-th change; the third must
 * bring all to its end. Returns how many died: 0 when the scenario was through before. */
static unsigned disturb_twice(const struct scenario *scenario, unsigned n, unsigned m,
			      const char *wanted)
{
	cb_auto_error struct cb_error err = {0};
	struct fixture f;
	unsigned dead = 0;
	char *state;

	prepare(&f, scenario, false);
	f.fault = n % 2 ? CB_FAULT_DIE_AFTER : CB_FAULT_DIE_BEFORE;
	f.at = n;
	if (fixture_apply_forked(&f) == 137) {
		dead++;
		f.fault = m % 2 ? CB_FAULT_DIE_AFTER : CB_FAULT_DIE_BEFORE;
		f.at = m;
		dead += fixture_apply_forked(&f) == 137;
	}
	if (fixture_apply(&f, &err) < 0) {
		say(scenario, "dies twice", n, err.message);
		fail();
	}
	state = fixture_state(&f);
	if (strcmp(state, wanted) != 0)
		say(scenario, "dies twice", n, "the third run ends elsewhere");
	assert_same_state(state, wanted);
	assert_int_equal(fixture_open_journals(&f), 0);
	assert_int_equal(fixture_pending(&f), 0);
	free(state);
	fixture_release(&f);
	return dead;
}

static unsigned sweep_twice(const struct scenario *scenario, const char *wanted)
{
	enum { DEEP = 3 };

	unsigned points = 0, dead = 1;

	for (unsigned n = 1; dead > 0; n++) {
		for (unsigned m = 1; m <= DEEP; m++) {
			dead = disturb_twice(scenario, n, m, wanted);
			points += dead == 2;
			if (dead < 2)
				break;
		}
	}
	return points;
}

/* Without what does not outlive the power: whether a machine runs, and what it runs with. */
static char *at_rest(char *text)
{
	json_t *state = json_loads(text, 0, NULL), *domain;
	const char *name;
	char *out;

	json_object_foreach(json_object_get(state, "domains"), name, domain)
	{
		json_object_del(domain, "active");
		json_object_del(domain, "live");
		json_object_del(domain, "started");
	}
	out = json_dumps(state, JSON_SORT_KEYS | JSON_INDENT(1));
	json_decref(state);
	free(text);
	return out;
}

/* The power is cut after the n-th change, and comes back: the next run must bring the host to what
 * is wanted. With `m`, a run that takes back what the dead one left dies after its m-th change, and
 * then the power is cut. Returns false when the scenario was through before: then it is cut after
 * its end, and nothing may be missing. */
static bool disturb_power(const struct scenario *scenario, unsigned n, unsigned m, uint64_t choice,
			  const char *wanted)
{
	cb_auto_error struct cb_error err = {0};
	struct fixture f;
	bool reached;
	char *state;

	prepare(&f, scenario, true);
	f.fault = CB_FAULT_DIE_AFTER;
	f.at = n;
	reached = fixture_apply_forked(&f) == 137;
	if (reached && m > 0) {
		f.fault = CB_FAULT_DIE_AFTER;
		f.at = m;
		reached = fixture_settle_forked(&f, CB_RECOVER_BACK) == 137;
	}
	fixture_cut_power(&f, choice);
	if (!reached && m == 0)
		assert_int_equal(fixture_open_journals(&f), 0);
	if (fixture_apply(&f, &err) < 0) {
		say(scenario, "power cut", n, err.message);
		fail();
	}
	state = at_rest(fixture_state(&f));
	if (strcmp(state, wanted) != 0)
		say(scenario, "power cut", n, "the next run ends elsewhere");
	assert_same_state(state, wanted);
	assert_int_equal(fixture_open_journals(&f), 0);
	free(state);
	fixture_release(&f);
	return reached;
}

static bool everything; /* --all */

static unsigned sweep_power(const struct scenario *scenario)
{
	/* All lost, some of each, all there. */
	static const uint64_t choices[] = {0, 0x3333cccc0f0ff0f0, UINT64_MAX, 0xaaaaaaaaaaaaaaaa,
					   0x5555555555555555};
	unsigned points = 0;
	char *wanted;
	struct fixture f;
	cb_auto_error struct cb_error err = {0};

	prepare(&f, scenario, true);
	assert_int_equal(fixture_apply(&f, &err), 0);
	wanted = at_rest(fixture_state(&f));
	fixture_release(&f);
	for (size_t i = 0; i < (everything ? CB_COUNT(choices) : 2); i++) {
		unsigned n = 1, m;

		for (; disturb_power(scenario, n, 0, choices[i], wanted); n++) {
			/* What was lost on the way forward is met above: here all or nothing. */
			for (m = 1; (i == 0 || choices[i] == UINT64_MAX) &&
				    disturb_power(scenario, n, m, choices[i], wanted);
			     m++)
				points++;
		}
		points += n;
	}
	free(wanted);
	return points;
}

/* The connection is gone when the run looks, after it has begun to change something: it waits for
 * another one and goes on. Returns the number of such looks. */
static unsigned sweep_looks(const struct scenario *scenario, const char *wanted)
{
	unsigned n = 0, looks;

	do {
		cb_auto_error struct cb_error err = {0};
		struct fixture f;
		char *state;

		prepare(&f, scenario, false);
		f.fault = CB_FAULT_GONE;
		f.looking = true;
		f.at = ++n;
		if (fixture_apply(&f, &err) < 0) {
			say(scenario, "connection gone at a look", n, err.message);
			fail();
		}
		looks = f.looks;
		state = fixture_state(&f);
		assert_same_state(state, wanted);
		assert_int_equal(fixture_pending(&f), 0);
		free(state);
		fixture_release(&f);
	} while (looks >= n);
	return n - 1;
}

static void sweep(void **test_state)
{
	const struct scenario *scenario = *test_state;
	char *before, *wanted = undisturbed(scenario, &before);
	unsigned points = 0, kinds = 0, twice, cut, looks;

	for (size_t kind = 0; kind < CB_COUNT(faults); kind++) {
		unsigned n = 1;

		if (faults[kind].chunks && !scenario->chunk)
			continue;
		while (disturb(scenario, kind, n, before, wanted))
			n++;
		points += n - 1;
		kinds++;
	}
	looks = sweep_looks(scenario, wanted);
	twice = sweep_twice(scenario, wanted);
	cut = scenario->remote ? 0 : sweep_power(scenario);
	print_message("%s: %u points, %u of looks, %u of two deaths, %u of power cuts\n",
		      scenario->name, points, looks, twice, cut);
	assert_true(points >= kinds * 3);
	free(before);
	free(wanted);
}

int main(int argc, char **argv)
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
			.test_func = sweep,
			.initial_state = (void *)(uintptr_t)&scenarios[i],
		};
	return _cmocka_run_group_tests("sweep", tests, n, NULL, NULL);
}
