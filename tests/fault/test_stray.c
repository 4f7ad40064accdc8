/*
 * Machines that libvirt has lost sight of: a run dies, or loses its connection, after its n-th
 * change, for n = 1, 2, ..., and whatever ran then runs on behind the host's back. Until it ends no
 * run may start it a second time or take a file of it away, whichever way it is asked to go;
 * afterwards the next run brings the host to what an undisturbed run makes of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/fixture.h"

enum { PID = 4711 };

struct scenario {
	const char *name;
	const char *before; /* NULL: an empty host */
	const char *after;  /* NULL: destroy what `before` made */
};

#define DISK                                                                                       \
	"  disk_size_gb: 1\n  base_image: base.raw\n  disks: [{name: data, size: "                 \
	"1GiB, deletion: purge}]\n"
#define GROUP(ram)                                                                                 \
	"defaults: {vm: {group: shop, state: running, disk_size_gb: 1, base_image: base.raw, "     \
	"ram_mb: " ram "}}\n"                                                                      \
	"vms: {dev: {}, other: {depends_on: [dev]}}\n"

#define VM "vm:\n  name: dev\n  state: running\n"

static const struct scenario scenarios[] = {
	{"create", NULL, VM "  ram_mb: 64\n" DISK},
	{"restart", VM "  ram_mb: 64\n" DISK, VM "  ram_mb: 128\n" DISK},
	{"change", VM "  ram_mb: 64\n" DISK,
	 VM "  autostart: true\n  ram_mb: 64\n  disk_size_gb: 1\n  base_image: base.raw\n"
	    "  disks: [{name: data, size: 1GiB, deletion: retain}]\n"},
	{"destroy", VM DISK, NULL},
	{"trash", VM "  deletion: trash\n" DISK, NULL},
	{"new-root-disk", VM DISK,
	 VM "  disk_size_gb: 12\n  base_image: base.raw\n  recreate: allow\n  disks: [{name: "
	    "data, size: 1GiB, deletion: purge}]\n"},
	{"create-group", NULL, GROUP("64")},
	{"restart-group", GROUP("64"), GROUP("128")},
	{"destroy-group", GROUP("64"), NULL},
};

/* The host, as a document. -------------------------------------------------------------------- */

static json_t *host_of(const struct fixture *f)
{
	json_t *state = json_load_file(f->host_path, 0, NULL);

	assert_non_null(state);
	return state;
}

static void set_host(const struct fixture *f, const json_t *state)
{
	assert_int_equal(json_dump_file(state, f->host_path, 0), 0);
}

static json_t *directory_of(const json_t *state, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	char *directory = strndup(path, (size_t)(slash - path));
	json_t *files = json_object_get(json_object_get(state, "directories"), directory);

	*name = slash + 1;
	free(directory);
	return files;
}

static bool has_file(const json_t *state, const char *path)
{
	const char *name;
	json_t *files = directory_of(state, path, &name);

	return json_object_get(files, name) != NULL;
}

/* libvirtd dies and comes back without its notes: nothing runs any more, as far as it knows. Kept
 * beside the strays, for the test: the files that each has open. Returns how many there are. */
static size_t lose(const struct fixture *f)
{
	json_auto_t *state = host_of(f);
	json_t *strays = json_object(), *files = json_object(), *domain, *value;
	const char *uuid, *path;

	json_object_foreach(json_object_get(state, "domains"), uuid, domain)
	{
		json_t *open = json_array();

		if (json_is_true(json_object_get(domain, "active"))) {
			json_object_set_new(strays, uuid, json_integer(PID));
			json_object_foreach(json_object_get(domain, "live"), path, value)
			{
				if (strncmp(path, "disks[", 6) == 0 && strstr(path, "].source"))
					json_array_append(open, value);
			}
			json_object_set(files, uuid, open);
			json_object_set_new(domain, "active", json_false());
			json_object_del(domain, "live");
			json_object_del(domain, "started");
		}
		json_decref(open);
	}
	json_object_set_new(state, "strays", strays);
	json_object_set_new(state, "open", files);
	set_host(f, state);
	return json_object_size(strays);
}

/* Nothing was started twice, and no file is gone. */
static void assert_unharmed(const struct fixture *f, const char *when)
{
	json_auto_t *state = host_of(f);
	json_t *files, *file;
	const char *uuid;
	size_t i;

	json_object_foreach(json_object_get(state, "open"), uuid, files)
	{
		json_t *domain = json_object_get(json_object_get(state, "domains"), uuid);

		if (json_is_true(json_object_get(domain, "active")))
			fail_msg("%s: two of the same machine run", when);
		if (!domain)
			fail_msg("%s: the domain of a running machine is gone", when);
		json_array_foreach(files, i, file)
		{
			if (!has_file(state, json_string_value(file)))
				fail_msg("%s: %s is gone from under a running machine", when,
					 json_string_value(file));
		}
	}
}

/* Its process ends. */
static void end_strays(const struct fixture *f)
{
	json_auto_t *state = host_of(f);

	json_object_del(state, "strays");
	json_object_del(state, "open");
	set_host(f, state);
}

/* The sweep. ---------------------------------------------------------------------------------- */

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
	f->request.flags = CB_PLAN_FORCE_OFF | CB_PLAN_RESTART;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of a state, in an order that no masked number decides. */
static char *sorted(char *text)
{
	char *lines[4096], *copy = strdup(text), *rest = copy, *out = text;
	size_t n = 0;

	assert_non_null(copy);
	for (char *line; (line = strsep(&rest, "\n")) && n < CB_COUNT(lines);)
		lines[n++] = line;
	assert_true(n < CB_COUNT(lines));
	qsort(lines, n, sizeof(*lines), by_text);
	for (size_t i = 0; i < n; i++) {
		out = stpcpy(out, lines[i]);
		*out++ = '\n';
	}
	out[-1] = '\0';
	free(copy);
	return text;
}

static void assert_same(const struct scenario *scenario, unsigned n, const struct fixture *f,
			const char *wanted)
{
	char *got = sorted(fixture_state(f));

	if (strcmp(got, wanted) != 0) {
		const char *at = got;

		for (; *at && *at == *wanted; at++, wanted++)
			;
		fail_msg("%s, call %u: it ends elsewhere:\n%.300s\nwanted:\n%.300s", scenario->name,
			 n, at, wanted);
	}
	free(got);
}

/* While the machines run behind the host's back: a look, the same command, one that goes back. */
static unsigned try_all(struct fixture *f, const struct scenario *scenario, size_t strays)
{
	cb_auto_error struct cb_error err = {0}, back = {0};
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_results results = {0};
	struct cb_session *session;
	unsigned refused = 0;

	refused += fixture_apply(f, &err) < 0;
	if (refused && strays > 0 && !strstr(err.message, "process 4711"))
		print_message("%s: %s\n", scenario->name, err.message);
	assert_unharmed(f, scenario->name);
	assert_int_equal(fixture_open(f, &session, &back), 0);
	assert_int_equal(cb_session_settle(session, NULL, CB_RECOVER_BACK, &arena, &results, &back),
			 0);
	cb_session_close(session);
	assert_unharmed(f, scenario->name);
	return refused;
}

/* Returns false when the scenario was through before. */
static bool die(const struct scenario *scenario, unsigned n, const char *wanted, unsigned *refused)
{
	cb_auto_error struct cb_error err = {0};
	struct fixture f;
	bool reached;
	size_t strays;

	prepare(&f, scenario);
	f.fault = n % 2 ? CB_FAULT_DIE_AFTER : CB_FAULT_DIE_BEFORE;
	f.at = (n + 1) / 2;
	reached = fixture_apply_forked(&f) == 137;
	strays = lose(&f);
	*refused += try_all(&f, scenario, strays);
	end_strays(&f);
	if (fixture_apply(&f, &err) < 0)
		fail_msg("%s, call %u: %s", scenario->name, n, err.message);
	assert_same(scenario, n, &f, wanted);
	assert_int_equal(fixture_open_journals(&f), 0);
	assert_int_equal(fixture_pending(&f), 0);
	fixture_release(&f);
	return reached;
}

/* The connection breaks, and what comes back has forgotten what ran: one run sees both. */
static void lose_at_once(void *ctx, enum cb_event event, const struct cb_transaction *transaction,
			 const struct cb_step *step, const char *text)
{
	(void)transaction;
	(void)step;
	(void)text;
	if (event == CB_EVENT_WAITING)
		(void)lose(ctx);
}

static bool break_off(const struct scenario *scenario, unsigned n, const char *wanted)
{
	cb_auto_error struct cb_error err = {0};
	struct fixture f;
	bool reached;

	prepare(&f, scenario);
	f.fault = n % 2 ? CB_FAULT_LOST : CB_FAULT_GONE;
	f.at = (n + 1) / 2;
	f.event = lose_at_once;
	f.event_ctx = &f;
	(void)!fixture_apply(&f, &err);
	reached = f.calls >= f.at;
	f.event = NULL;
	assert_unharmed(&f, scenario->name);
	(void)try_all(&f, scenario, 0);
	end_strays(&f);
	cb_error_release(&err);
	if (fixture_apply(&f, &err) < 0)
		fail_msg("%s, broken off at call %u: %s", scenario->name, n, err.message);
	assert_same(scenario, n, &f, wanted);
	assert_int_equal(fixture_open_journals(&f), 0);
	fixture_release(&f);
	return reached;
}

static void sweep(void **test_state)
{
	const struct scenario *scenario = *test_state;
	cb_auto_error struct cb_error err = {0};
	unsigned n = 1, m = 1, refused = 0;
	struct fixture f;
	char *wanted;

	prepare(&f, scenario);
	if (fixture_apply(&f, &err) < 0)
		fail_msg("%s: %s", scenario->name, err.message);
	wanted = sorted(fixture_state(&f));
	fixture_release(&f);
	while (die(scenario, n, wanted, &refused))
		n++;
	while (break_off(scenario, m, wanted))
		m++;
	free(wanted);
	print_message("%s: %u deaths, %u refused; %u broken connections\n", scenario->name, n,
		      refused, m);
	assert_true(refused > 0);
}

int main(void)
{
	struct CMUnitTest tests[CB_COUNT(scenarios)];

	for (size_t i = 0; i < CB_COUNT(scenarios); i++)
		tests[i] = (struct CMUnitTest){.name = scenarios[i].name,
					       .test_func = sweep,
					       .initial_state = (void *)(uintptr_t)&scenarios[i]};
	return _cmocka_run_group_tests("stray", tests, CB_COUNT(scenarios), NULL, NULL);
}
