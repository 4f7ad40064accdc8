/*
 * Every failure at every call: the n-th changing call of a scenario fails, is lost, or ends the
 * process, for n = 1, 2, ... until the scenario is through before its turn comes. Then a second run
 * must bring the host to what an undisturbed run makes of it, or the first must have taken
 * everything back.
 *
 *	test_sweep [--all] [I/N]	every N-th scenario, from the I-th
 *
 * --all: with every mixture of what a power cut may leave, instead of two, and with every death of
 *the run that repairs, instead of the first three.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fault/scenarios.h"

static const struct {
	const char *name;
	enum cb_fault fault;
	bool sticky;
	bool halves; /* only of uploads in chunks, and of addresses */
} faults[] = {
	{"fails once", CB_FAULT_BEFORE, false, false},
	{"fails for good", CB_FAULT_BEFORE, true, false},
	{"done but reported as failed", CB_FAULT_AFTER, false, false},
	{"reply lost", CB_FAULT_LOST, false, false},
	{"connection gone", CB_FAULT_GONE, false, false},
	{"dies before", CB_FAULT_DIE_BEFORE, false, false},
	{"dies after", CB_FAULT_DIE_AFTER, false, false},
	{"fails halfway", CB_FAULT_HALFWAY, false, true},
	{"connection gone halfway", CB_FAULT_GONE_HALFWAY, false, true},
	{"dies halfway", CB_FAULT_DIE_HALFWAY, false, true},
};

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
		for (unsigned m = 1; everything || m <= DEEP; m++) {
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

static size_t closed(const struct fixture *f)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_journal_ids ids = {0};

	assert_int_equal(cb_journal_list(f->state_dir, CB_JOURNALS_CLOSED, &arena, &ids, &err), 0);
	return ids.len;
}

/* What a run that died after its n-th change left is taken back, by one that meets a fault at its
 * m-th change, and by another; m == 0: by one that meets none, and then all is as it was, unless
 * something had been committed or may not go back. What it comes to goes to `out`, to be freed, and
 * how many transactions are left open to `left`. Returns whether all who should have died did. */
static bool take_back(const struct scenario *scenario, unsigned n, unsigned m, enum cb_fault fault,
		      const char *before, char **out, size_t *left)
{
	bool dies = fault == CB_FAULT_DIE_BEFORE || fault == CB_FAULT_DIE_AFTER, reached, whole;
	struct fixture f;
	size_t were;

	prepare(&f, scenario, false);
	were = closed(&f);
	f.fault = CB_FAULT_DIE_AFTER;
	f.at = n;
	reached = fixture_apply_forked(&f) == 137;
	whole = m == 0 && closed(&f) == were;
	if (reached && m > 0) {
		f.fault = fault;
		f.at = m;
		reached = (fixture_settle_forked(&f, CB_RECOVER_BACK) == 137) == dies;
	}
	/* Also what may not go back any more stays as it is. */
	if (reached)
		(void)fixture_settle_forked(&f, CB_RECOVER_BACK);
	*out = fixture_state(&f);
	*left = fixture_open_journals(&f);
	/* A pool that is taken back leaves its directory. */
	if (reached && whole && *left == 0 && !old_or_new(scenario, *out, before, before)) {
		say(scenario, "taken back", n, "it is not as before");
		assert_same_state(*out, before);
	}
	fixture_release(&f);
	return reached;
}

/* What `state`, to be freed, should be. A machine whose start is refused stays off, which is said.
 */
static void assert_taken_back(char *state, const char *wanted, enum cb_fault fault)
{
	char *other = strdup(wanted);

	if (fault == CB_FAULT_BEFORE) {
		state = at_rest(state);
		other = at_rest(other);
	}
	assert_same_state(state, other);
	free(state);
	free(other);
}

/* Who takes back may die at any point, or be refused, or lose the connection: the next one ends
 * where it would have. Of the faults one is tried at each point, and one of the deaths; or all. */
static unsigned sweep_back(const struct scenario *scenario, const char *before)
{
	static const enum cb_fault ways[] = {CB_FAULT_DIE_BEFORE, CB_FAULT_DIE_AFTER,
					     CB_FAULT_BEFORE,     CB_FAULT_AFTER,
					     CB_FAULT_LOST,       CB_FAULT_GONE};

	/* What was done last is taken back first: with each n another step is near. */
	enum { DEATHS = 2, DEEP = 3 };

	unsigned points = 0;
	size_t open, left;
	char *wanted, *state;

	for (unsigned n = 1; take_back(scenario, n, 0, CB_FAULT_NONE, before, &wanted, &open);
	     n++) {
		bool more = true;

		for (unsigned m = 1; more && (everything || m <= DEEP); m++) {
			for (size_t i = 0; i < CB_COUNT(ways) && more; i++) {
				size_t turn =
					i < DEATHS ? (n + m) % DEATHS
						   : DEATHS + (n + m) % (CB_COUNT(ways) - DEATHS);

				if (!everything && i != turn)
					continue;
				more = take_back(scenario, n, m, ways[i], before, &state, &left);
				if (more)
					assert_int_equal(left, open);
				if (more)
					assert_taken_back(state, wanted, ways[i]);
				else
					free(state);
				points += more;
			}
		}
		free(wanted);
	}
	free(wanted);
	return points;
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
	unsigned points = 0, kinds = 0, twice, back, cut, looks;

	for (size_t kind = 0; kind < CB_COUNT(faults); kind++) {
		unsigned n = 1;

		if (faults[kind].halves && !scenario->chunk && !scenario->moves)
			continue;
		while (disturb(scenario, kind, n, before, wanted))
			n++;
		points += n - 1;
		kinds++;
	}
	looks = sweep_looks(scenario, wanted);
	twice = sweep_twice(scenario, wanted);
	back = sweep_back(scenario, before);
	cut = scenario->remote ? 0 : sweep_power(scenario);
	print_message("%s: %u points, %u of looks, %u of two deaths, %u on the way back, "
		      "%u of power cuts\n",
		      scenario->name, points, looks, twice, back, cut);
	assert_true(points >= kinds * 3);
	free(before);
	free(wanted);
}

int main(int argc, char **argv)
{
	return run_scenarios("sweep", sweep, argc, argv);
}
