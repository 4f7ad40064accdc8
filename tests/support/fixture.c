#include "tests/support/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reconciler/base/fs.h"
#include "reconciler/journal/journal.h"
#include "schema/manifest.h"

/* A counter instead of chance: every run of a test sees the same ids. */
static unsigned counter;

static void counted(void *out, size_t len)
{
	unsigned char *bytes = out;

	counter++;
	for (size_t i = 0; i < len; i++)
		bytes[i] = (unsigned char)(counter >> (i % 2 ? 0 : 8) ^ i << 4);
}

int64_t fixture_later;

static int64_t fixed_now(void)
{
	return 1769863802 + fixture_later; /* 2026-01-31T12:50:02Z */
}

/* The fixture of the session that is open: cb_session_config.open has no context. */
static struct fixture *current;
static struct cb_fault_plan plan;

static int open_host(const char *uri, struct cb_driver **out, struct cb_error *err)
{
	int r = cb_fake_open(current->host_path, out, err);

	(void)uri;
	if (r == 0 && current->fault != CB_FAULT_NONE) {
		*out = cb_fault_open(*out, &plan);
		current->fault = CB_FAULT_NONE;
	}
	return r;
}

void fixture_init(struct fixture *fixture, const char *host_json)
{
	/* In memory where there is such a place: the tests sync thousands of times. */
	char name[] = "/dev/shm/cb-fixture-XXXXXX";
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str text = {0};

	*fixture = (struct fixture){0};
	if (!mkdtemp(name)) {
		(void)snprintf(name, sizeof(name), "/tmp/cb-fixture-XXXXXX");
		assert_non_null(mkdtemp(name));
	}
	fixture->dir = strdup(name);
	assert_true(asprintf(&fixture->host_path, "%s/host.json", name) > 0);
	assert_true(asprintf(&fixture->state_dir, "%s/state", name) > 0);
	if (host_json)
		assert_int_equal(cb_fs_read(host_json, 1 << 20, &text, &err), 0);
	else
		cb_str_add(&text, "{\"domains\": {}, \"pools\": {}, \"networks\": {\"default\": "
				  "\"active\"}, \"directories\": {\"/var/lib/libvirt/images\": "
				  "{}}}");
	assert_int_equal(cb_fs_write_atomic(fixture->host_path, text.text, text.len, &err), 0);
	counter = 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void fixture_release(struct fixture *fixture)
{
	(void)nftw(fixture->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(fixture->dir);
	free(fixture->host_path);
	free(fixture->state_dir);
	cb_arena_release(&fixture->arena);
}

void fixture_load(struct fixture *fixture, const char *text, const char *directory)
{
	static const char *const variables[] = {
		"RAM=256",    "TEXT=hidden one", "OTHER_TEXT=hidden two", "PASSWORD=hidden three",
		"ACCEL=auto", "PROTECT=true",    "POOL=default",          NULL};
	struct cb_manifest_text manifest = {.name = "manifest.yaml",
					    .variables = variables,
					    .directory = directory,
					    .source = "file:/golden",
					    .bytes = text,
					    .len = strlen(text)};
	struct cb_problems problems = {0};
	int bad;

	fixture->desired = (struct cb_desired){0};
	bad = cb_manifest_load(&fixture->arena, &manifest, 1, &fixture->desired, &problems);
	cb_vec_each (const struct cb_problem, problem, &problems)
		if (problem->severity == CB_PROBLEM)
			print_error("%u: %s\n", problem->origin.line, problem->message);
	assert_int_equal(bad, 0);
	fixture->request.desired = &fixture->desired;
	fixture->request.shutdown_timeout = 1;
}

int fixture_open(struct fixture *fixture, struct cb_session **out, struct cb_error *err)
{
	const struct cb_session_config config = {.uri = NULL,
						 .state_dir = fixture->state_dir,
						 .version = "test",
						 .settle_ms = 1,
						 .parallel = fixture->parallel,
						 .event = fixture->event,
						 .event_ctx = fixture->event_ctx,
						 .open = open_host,
						 .random = counted,
						 .now = fixed_now};

	current = fixture;
	plan = (struct cb_fault_plan){
		.fault = fixture->fault, .at = fixture->at, .sticky = fixture->sticky};
	return cb_session_open(&config, out, err);
}

static int first_error(const struct cb_results *results, struct cb_error *err)
{
	cb_vec_each (const struct cb_result, result, results) {
		if (result->code)
			return cb_error_set(err, result->code, "%s", result->message);
	}
	return 0;
}

int fixture_apply(struct fixture *fixture, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_results settled = {0}, results = {0};
	struct cb_planned planned = {0};
	struct cb_session *session;
	int r = fixture_open(fixture, &session, err);

	if (r < 0)
		return r;
	r = cb_session_settle(session, NULL, CB_RECOVER_AUTO, &arena, &settled, err);
	cb_vec_each (const struct cb_result, result, &settled) {
		if (r == 0 && result->outcome == CB_OUTCOME_OPEN)
			r = cb_error_set(err, result->code, "%s", result->message);
	}
	if (r == 0)
		r = cb_session_plan(session, &fixture->request, &arena, &planned, err);
	cb_vec_each (const struct cb_problem, problem, &planned.plan.problems) {
		if (r == 0 && problem->severity == CB_PROBLEM)
			r = cb_error_set(err, CB_E_REFUSED, "%s", problem->message);
	}
	if (r == 0)
		r = cb_session_apply(session, &fixture->request, &planned, &arena, &results, err);
	if (r == 0)
		r = first_error(&results, err);
	fixture->calls = plan.calls;
	fixture->fault = CB_FAULT_NONE;
	cb_session_close(session);
	return r;
}

int fixture_apply_forked(struct fixture *fixture)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		cb_auto_error struct cb_error err = {0};

		_exit(fixture_apply(fixture, &err) < 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	fixture->fault = CB_FAULT_NONE;
	/* The child used up ids of its own; a later run must not meet them again. */
	counter += 16;
	return WEXITSTATUS(status);
}

/* Whether the text at `p` is a hex digit or one of the dashes and letters of an id. */
static size_t hex_run(const char *p)
{
	size_t n = 0;

	while (isxdigit((unsigned char)p[n]) && !isupper((unsigned char)p[n]))
		n++;
	return n;
}

/* Transaction ids, UUIDs, MACs and the hex in volume names become '#'. */
static void mask(char *text)
{
	for (char *p = text; *p;) {
		size_t n = hex_run(p);

		if (n == 8 || n == 12 || (n >= 2 && p[n] == ':' && hex_run(p + n + 1) == 2) ||
		    (n == 4 && p[n] == '-' && hex_run(p + n + 1) >= 4) || n == 64 ||
		    (n == 2 && p > text && p[-1] == ':'))
			memset(p, '#', n);
		p += n ? n : 1;
	}
}

static void drop_volatile(json_t *state)
{
	const char *uuid;
	json_t *domain, *sorted = json_object();

	/* Keyed by name instead of by a random UUID. */
	json_object_foreach(json_object_get(state, "domains"), uuid, domain)
	{
		json_t *stamp = json_object_get(domain, "stamp");

		json_object_set_new(domain, "active",
				    json_boolean(json_is_true(json_object_get(domain, "active"))));
		json_object_set_new(
			domain, "autostart",
			json_boolean(json_is_true(json_object_get(domain, "autostart"))));
		json_object_del(stamp, "transaction");
		json_object_del(stamp, "generation");
		json_object_set(sorted, json_string_value(json_object_get(domain, "name")), domain);
	}
	json_object_set_new(state, "domains", sorted);
	/* The fake writes it out in full when it changes another one. */
	json_object_del(json_object_get(state, "networks"), "default");
}

char *fixture_state(const struct fixture *fixture)
{
	json_t *state = json_load_file(fixture->host_path, 0, NULL);
	char *text;

	if (!state)
		state = json_object();
	drop_volatile(state);
	text = json_dumps(state, JSON_SORT_KEYS | JSON_INDENT(1));
	assert_non_null(text);
	mask(text);
	json_decref(state);
	return text;
}

int fixture_pending(struct fixture *fixture)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_planned planned;
	struct cb_session *session;
	int count;

	assert_int_equal(fixture_open(fixture, &session, &err), 0);
	if (cb_session_plan(session, &fixture->request, &arena, &planned, &err) < 0)
		fail_msg("%s", err.message);
	count = (int)planned.plan.transactions.len;
	cb_vec_each (const struct cb_problem, problem, &planned.plan.problems) {
		if (problem->severity == CB_PROBLEM)
			count = -1;
	}
	cb_session_close(session);
	return count;
}

size_t fixture_open_journals(const struct fixture *fixture)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_journal_ids ids = {0};

	assert_int_equal(cb_journal_list(fixture->state_dir, CB_JOURNALS_OPEN, &arena, &ids, &err),
			 0);
	return ids.len;
}
