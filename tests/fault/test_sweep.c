/*
 * Every failure at every call: the n-th changing call of a scenario fails, is lost, or ends the
 * process, for n = 1, 2, ... until the scenario is through before its turn comes. Then a second run
 * must bring the host to what an undisturbed run makes of it, or the first must have taken
 * everything back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fixture.h"

/* What stands before and what is wanted after. */
struct scenario {
	const char *name;
	const char *before; /* applied first, undisturbed; NULL: an empty host */
	const char *after;  /* NULL: destroy what `before` made */
};

#define IMAGES                                                                                     \
	"  disk_size_gb: 1\n  base_image: base.raw\n  boot: {kernel: kernel, initrd: initrd}\n"

static const struct scenario scenarios[] = {
	{"create", NULL, "vm:\n  name: dev\n  ram_mb: 64\n  vcpus: 1\n  autostart: true\n" IMAGES},
	{"create-stopped", NULL, "vm:\n  name: dev\n  state: stopped\n" IMAGES},
	{"update-running", "vm:\n  name: dev\n  ram_mb: 64\n  vcpus: 1\n" IMAGES,
	 "vm:\n  name: dev\n  ram_mb: 32\n  vcpus: 2\n  autostart: true\n  description: "
	 "x\n" IMAGES},
	{"update-stopped", "vm:\n  name: dev\n  state: stopped\n" IMAGES,
	 "vm:\n  name: dev\n  state: running\n  ram_mb: 32\n  disk_size_gb: 1\n"
	 "  base_image: base.raw\n  boot: {kernel: initrd}\n"},
	{"destroy-running", "vm:\n  name: dev\n  autostart: true\n" IMAGES, NULL},
	{"destroy-stopped", "vm:\n  name: dev\n  state: stopped\n" IMAGES, NULL},
};

static const struct {
	const char *name;
	enum cb_fault fault;
	bool sticky;
} faults[] = {
	{"fails once", CB_FAULT_BEFORE, false},
	{"fails for good", CB_FAULT_BEFORE, true},
	{"done but reported as failed", CB_FAULT_AFTER, false},
	{"reply lost", CB_FAULT_LOST, false},
	{"connection gone", CB_FAULT_GONE, false},
	{"dies before", CB_FAULT_DIE_BEFORE, false},
	{"dies after", CB_FAULT_DIE_AFTER, false},
};

static void prepare(struct fixture *f, const struct scenario *scenario)
{
	cb_auto_error struct cb_error err = {0};

	fixture_init(f, NULL);
	if (scenario->before) {
		fixture_load(f, scenario->before, "tests/golden/images");
		if (fixture_apply(f, &err) < 0)
			fail_msg("%s: %s", scenario->name, err.message);
	}
	if (scenario->after)
		fixture_load(f, scenario->after, "tests/golden/images");
	f->request.destroy = !scenario->after;
	f->request.flags = CB_PLAN_FORCE_OFF;
}

static char *undisturbed(const struct scenario *scenario, char **before)
{
	cb_auto_error struct cb_error err = {0};
	struct fixture f;
	char *state;

	prepare(&f, scenario);
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
		    faults[kind].fault == CB_FAULT_DIE_AFTER;
	int status;
	char *state;
	bool reached;

	prepare(&f, scenario);
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
	if (!dies && status < 0 && fixture_open_journals(&f) == 0 && strcmp(state, before) != 0) {
		say(scenario, faults[kind].name, n, "closed, but neither old nor new");
		assert_same_state(state, before);
	}
	if (!dies && status == 0)
		assert_same_state(state, wanted);
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

static void sweep(void **test_state)
{
	const struct scenario *scenario = *test_state;
	char *before, *wanted = undisturbed(scenario, &before);
	unsigned points = 0;

	for (size_t kind = 0; kind < CB_COUNT(faults); kind++) {
		unsigned n = 1;

		while (disturb(scenario, kind, n, before, wanted))
			n++;
		points += n - 1;
	}
	print_message("%s: %u points\n", scenario->name, points);
	assert_true(points >= CB_COUNT(faults) * 3);
	free(before);
	free(wanted);
}

int main(void)
{
	struct CMUnitTest tests[CB_COUNT(scenarios)];

	for (size_t i = 0; i < CB_COUNT(scenarios); i++)
		tests[i] = (struct CMUnitTest){
			.name = scenarios[i].name,
			.test_func = sweep,
			.initial_state = (void *)(uintptr_t)&scenarios[i],
		};
	return _cmocka_run_group_tests("sweep", tests, CB_COUNT(scenarios), NULL, NULL);
}
