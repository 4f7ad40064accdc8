#include "tests/support/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* Power cuts. --------------------------------------------------------------------------------- */

static const char *synced_path(const struct fixture *fixture, struct cb_str *out)
{
	cb_str_clear(out);
	cb_str_printf(out, "%s.synced", fixture->host_path);
	return cb_str_text(out);
}

static json_t *load_host(const char *path)
{
	json_t *state = json_load_file(path, 0, NULL);

	assert_non_null(state);
	return state;
}

/* CB_DROP_BARRIER=ADDRESS: whether this barrier was asked for by the call that ends there, and
 * shall do nothing (tests/power/mutate). */
static bool is_dropped(void)
{
	const char *drop = getenv("CB_DROP_BARRIER");
	uintptr_t address = drop ? strtoul(drop, NULL, 16) : 0;
	void *frames[16];
	Dl_info self;
	int n = drop ? backtrace(frames, CB_COUNT(frames)) : 0;

	for (int i = 0; i < n; i++)
		if (dladdr(frames[i], &self) &&
		    (uintptr_t)frames[i] - (uintptr_t)self.dli_fbase - 1 == address)
			return true;
	return false;
}

/* What a barrier does on the fake host: it is as now after a power cut. */
static void sync_host(void)
{
	cb_auto_str struct cb_str path = {0};
	json_auto_t *state = load_host(current->host_path);

	if (is_dropped())
		return;
	assert_int_equal(json_dump_file(state, synced_path(current, &path), 0), 0);
}

/* Only of a local host is it known what is on the disk. */
static void make_local(struct fixture *fixture)
{
	json_auto_t *state = load_host(fixture->host_path);

	if (json_is_true(json_object_get(state, "local")))
		return;
	json_object_set_new(state, "local", json_true());
	assert_int_equal(json_dump_file(state, fixture->host_path, 0), 0);
	current = fixture;
	sync_host();
}

/* Each member of `now` and `then` in one of the two forms. */
static json_t *mix(const json_t *now, const json_t *then, uint64_t *choice)
{
	json_t *names = json_object(), *out = json_object(), *value;
	const char *name;

	json_object_update(names, (json_t *)(uintptr_t)then);
	json_object_update(names, (json_t *)(uintptr_t)now);
	json_object_foreach(names, name, value)
	{
		json_t *member = json_object_get(*choice & 1 ? now : then, name);

		*choice = *choice >> 1 | *choice << 63;
		if (member)
			json_object_set_new(out, name, json_deep_copy(member));
	}
	json_decref(names);
	return out;
}

/* As a file is whose name and length reached the disk, and nothing else (driver/fake/bytes.c). */
static void zero_bytes(const struct fixture *fixture, const char *directory, const char *name)
{
	cb_auto_str struct cb_str path = {0};
	size_t prefix;
	struct stat st;

	cb_str_printf(&path, "%s.bytes/", fixture->host_path);
	prefix = path.len;
	cb_str_printf(&path, "%s/%s", directory, name);
	for (char *p = path.text + prefix; *p; p++)
		*p = *p == '/' ? '%' : *p;
	assert_int_equal(stat(path.text, &st), 0);
	assert_int_equal(truncate(path.text, 0), 0);
	assert_int_equal(truncate(path.text, st.st_size), 0);
}

/* Files may be there in full, not at all, or with their name and length alone: every second one
 * whose bytes were written since. */
static void lose_bytes(const struct fixture *fixture, const char *directory, json_t *mixed,
		       const json_t *then, uint64_t choice)
{
	const char *name;
	json_t *file;

	json_object_foreach(mixed, name, file)
	{
		choice = choice >> 1 | choice << 63;
		if (!(choice & 1) || !json_object_get(file, "digest") ||
		    json_equal(file, json_object_get(then, name)))
			continue;
		json_object_set_new(file, "digest", json_string("lost"));
		zero_bytes(fixture, directory, name);
	}
}

static void boot(json_t *state)
{
	const char *name;
	json_t *member;

	json_object_foreach(json_object_get(state, "domains"), name, member)
	{
		json_object_set_new(member, "active", json_false());
		json_object_del(member, "live");
	}
	/* libvirtd looks at what it starts by itself. */
	json_object_foreach(json_object_get(state, "pools"), name, member)
	{
		json_t *files = json_object_get(json_object_get(state, "directories"),
						json_string_value(json_object_get(member, "path")));
		json_t *known = json_object(), *file;
		const char *file_name;

		json_object_foreach(files, file_name, file)
			json_object_set_new(known, file_name, json_true());
		json_object_set_new(member, "known", known);
	}
}

void fixture_cut_power(const struct fixture *fixture, uint64_t choice)
{
	static const char *const kinds[] = {"domains", "pools", "networks"};
	cb_auto_str struct cb_str path = {0};
	json_auto_t *now = load_host(fixture->host_path);
	json_auto_t *then = load_host(synced_path(fixture, &path));
	json_t *directories, *files;
	const char *name;

	for (size_t i = 0; i < CB_COUNT(kinds); i++)
		json_object_set_new(now, kinds[i],
				    mix(json_object_get(now, kinds[i]),
					json_object_get(then, kinds[i]), &choice));
	directories = json_object_get(now, "directories");
	json_object_foreach(directories, name, files)
	{
		json_t *before = json_object_get(json_object_get(then, "directories"), name);
		json_t *mixed = mix(files, before, &choice);

		if (choice != UINT64_MAX)
			lose_bytes(fixture, name, mixed, before, choice);
		json_object_clear(files);
		json_object_update(files, mixed);
		json_decref(mixed);
	}
	boot(now);
	assert_int_equal(json_dump_file(now, fixture->host_path, 0), 0);
	assert_int_equal(json_dump_file(now, synced_path(fixture, &path), 0), 0);
}

int fixture_open(struct fixture *fixture, struct cb_session **out, struct cb_error *err)
{
	const struct cb_session_config config = {.uri = NULL,
						 .state_dir = fixture->state_dir,
						 .version = "test",
						 .settle_ms = 1,
						 .chunk_least = fixture->chunk_least,
						 .progress = fixture->progress,
						 .parallel = fixture->parallel,
						 .event = fixture->event,
						 .event_ctx = fixture->event_ctx,
						 .open = open_host,
						 .sync = fixture->cuts ? sync_host : NULL,
						 .random = counted,
						 .now = fixed_now};

	if (fixture->cuts)
		make_local(fixture);
	current = fixture;
	plan = (struct cb_fault_plan){.fault = fixture->fault,
				      .at = fixture->at,
				      .sticky = fixture->sticky,
				      .looking = fixture->looking};
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

static void consent(const struct fixture *fixture, struct cb_session *session)
{
	cb_session_consent(session,
			   &(struct cb_late_consent){
				   .force_off = (fixture->request.flags & CB_PLAN_FORCE_OFF) != 0,
				   .shutdown_timeout = fixture->request.shutdown_timeout,
				   .about = &fixture->request});
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
	consent(fixture, session);
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
	fixture->looks = plan.looks;
	fixture->fault = CB_FAULT_NONE;
	cb_session_close(session);
	return r;
}

static int settle(struct fixture *fixture, enum cb_recovery recovery, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_results settled = {0};
	struct cb_session *session;
	int r = fixture_open(fixture, &session, err);

	if (r < 0)
		return r;
	consent(fixture, session);
	r = cb_session_settle(session, NULL, recovery, &arena, &settled, err);
	cb_session_close(session);
	return r;
}

static int wait_for(struct fixture *fixture, pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	fixture->fault = CB_FAULT_NONE;
	/* The child used up ids of its own; a later run must not meet them again. */
	counter += 16;
	return WEXITSTATUS(status);
}

int fixture_apply_forked(struct fixture *fixture)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		cb_auto_error struct cb_error err = {0};

		_exit(fixture_apply(fixture, &err) < 0);
	}
	return wait_for(fixture, pid);
}

int fixture_settle_forked(struct fixture *fixture, enum cb_recovery recovery)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		cb_auto_error struct cb_error err = {0};

		_exit(settle(fixture, recovery, &err) < 0);
	}
	return wait_for(fixture, pid);
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
