/*
 * Runs the contract over the fake, over libvirt's test driver, and over the host whose URI is in
 * CB_TEST_URI. A pattern as argument selects cases ("fake: *").
 */
#include "tests/contract/contract.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reconciler/base/fs.h"
#include "tests/contract/cases_device.h"
#include "tests/contract/cases_domain.h"
#include "tests/contract/cases_fault.h"
#include "tests/contract/cases_network.h"
#include "tests/contract/cases_storage.h"
#include "tests/contract/cases_trouble.h"

/* Worlds. -------------------------------------------------------------------------------------- */

static char directory[4096];

const char *cb_test_directory(void)
{
	return directory;
}

static const char *fake_path(struct cb_arena *arena)
{
	return cb_arena_printf(arena, "%s/fake.json", directory);
}

static int open_fake(const struct world *world, struct cb_driver **out, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};

	(void)world;
	return cb_fake_open(fake_path(&arena), out, err);
}

static int open_libvirt(const struct world *world, struct cb_driver **out, struct cb_error *err)
{
	return cb_libvirt_open(world->uri, out, err);
}

static struct world worlds[] = {
	{"fake", CB_WORLD_TRANSFER | CB_WORLD_FILES | CB_WORLD_TROUBLE, NULL, open_fake},
	{"test", CB_WORLD_XML, "test:///default", open_libvirt},
	{"real", CB_WORLD_TRANSFER | CB_WORLD_XML | CB_WORLD_QEMU | CB_WORLD_FILES, NULL,
	 open_libvirt},
};

/* One case in one world. ----------------------------------------------------------------------- */

void cb_expect(struct fixture *f, int r, int code, const char *what, const char *file, int line)
{
	const char *message = f->err.message ? f->err.message : "";

	if (code == 0 && r >= 0) {
		_assert_true(f->err.message == NULL, "success leaves the error alone", file, line);
		return;
	}
	if (r >= 0)
		print_error("%s succeeded\n", what);
	else if (-r != code || (int)f->err.code != code)
		print_error("%s: %s: %s\n", what, cb_code_name((enum cb_code) - r), message);
	_assert_int_equal((unsigned long)(r < 0 ? -r : 0), (unsigned long)code, file, line);
	_assert_true(*message != '\0', "an error has a message", file, line);
	cb_error_release(&f->err);
}

static void remove_domain(struct fixture *f)
{
	cb_auto_error struct cb_error err = {0};

	(void)!f->host->ops->domain_power_off(f->host, f->uuid, &err);
	(void)!f->host->ops->domain_undefine(f->host, f->uuid, &err);
}

static void remove_pool(struct fixture *f)
{
	cb_auto_error struct cb_error err = {0};
	struct cb_volumes volumes = {0};

	if (f->host->ops->pool_start(f->host, f->pool, &err) == 0 &&
	    f->host->ops->pool_refresh(f->host, f->pool, &err) == 0 &&
	    f->host->ops->volumes(f->host, &f->arena, f->pool, &volumes, &err) == 0) {
		cb_vec_each (struct cb_volume, volume, &volumes)
			(void)!f->host->ops->volume_delete(f->host, f->pool, volume->name, &err);
	}
	(void)!f->host->ops->pool_undefine(f->host, f->pool, &err);
	(void)rmdir(f->pool_path);
}

static void remove_network(struct fixture *f)
{
	cb_auto_error struct cb_error err = {0};

	(void)!f->host->ops->network_stop(f->host, f->uuid, &err);
	(void)!f->host->ops->network_undefine(f->host, f->uuid, &err);
}

struct run {
	const struct world *world;
	const struct test_case *one;
	struct fixture fixture;
};

static int begin_case(void **state)
{
	struct run *run = *state;
	struct fixture *f = &run->fixture;

	*f = (struct fixture){.world = run->world};
	if (run->world->open(run->world, &f->host, &f->err) < 0) {
		print_error("%s\n", f->err.message);
		return -1;
	}
	cb_random_uuid(f->uuid);
	f->name = cb_arena_printf(&f->arena, "contract-%.8s", f->uuid);
	f->pool = f->name;
	f->pool_path = cb_arena_printf(&f->arena, "%s/%s", directory, f->name);
	return 0;
}

static void run_case(void **state)
{
	struct run *run = *state;

	run->one->run(&run->fixture);
}

/* Also after a failure: nothing stays behind on a host that others use. */
static int end_case(void **state)
{
	struct run *run = *state;
	struct fixture *f = &run->fixture;

	remove_domain(f);
	remove_pool(f);
	remove_network(f);
	cb_driver_close(f->host);
	cb_error_release(&f->err);
	cb_arena_release(&f->arena);
	return 0;
}

/* Helpers of the cases. ------------------------------------------------------------------------ */

void cb_test_set(struct fixture *f, struct cb_spec *spec, const char *path, struct cb_value value)
{
	struct cb_origin origin = {.from = CB_FROM_MANIFEST};

	cb_spec_set(&f->arena, spec, path, value, origin);
}

struct cb_spec cb_test_spec(struct fixture *f)
{
	struct cb_spec spec = {0};

	cb_test_set(f, &spec, "name", cb_string(f->name));
	cb_test_set(f, &spec, "ram_mb", cb_int(64));
	cb_test_set(f, &spec, "vcpus", cb_int(1));
	cb_test_set(f, &spec, "accel", cb_string("tcg"));
	return spec;
}

struct cb_stamp *cb_test_stamp(struct fixture *f)
{
	struct cb_stamp *stamp = cb_arena_new(&f->arena, struct cb_stamp);

	*stamp = (struct cb_stamp){
		.version = CB_STAMP_VERSION,
		.owner = "local",
		.name = f->name,
		.source = "somewhere.yaml",
		.uuid = f->uuid,
		.controller = "controller",
		.transaction = "transaction",
		.generation = 1,
	};
	return stamp;
}

void cb_test_define(struct fixture *f)
{
	struct cb_spec set = cb_test_spec(f);
	struct cb_domain_new new = {f->uuid, f->name, &set, cb_test_stamp(f)};

	OK(f, domain_define, &new);
}

struct cb_domain cb_test_read(struct fixture *f)
{
	struct cb_domain domain = {0};

	OK(f, domain, &f->arena, f->uuid, &domain);
	return domain;
}

struct cb_domain_edit cb_test_edit(struct fixture *f, const struct cb_spec *set)
{
	struct cb_domain domain = cb_test_read(f);
	struct cb_stamp *stamp = cb_test_stamp(f);

	stamp->generation = 2;
	stamp->transaction = "another";
	return (struct cb_domain_edit){f->uuid, domain.fingerprint, set, stamp};
}

struct cb_domain cb_test_change(struct fixture *f, const char *path, struct cb_value value)
{
	struct cb_spec set = {0};
	struct cb_domain_edit edit;

	cb_test_set(f, &set, path, value);
	edit = cb_test_edit(f, &set);
	OK(f, domain_update, &edit);
	return cb_test_read(f);
}

void cb_test_string_is(const struct cb_spec *spec, const char *path, const char *value)
{
	const char *found = cb_spec_string(spec, path);

	if (!value) {
		assert_null(found);
		return;
	}
	if (!found)
		fail_msg("'%s' is not there", path);
	assert_string_equal(found, value);
}

void cb_test_reads(struct fixture *f, const struct cb_spec *is, const struct cb_spec *set)
{
	cb_vec_each (const struct cb_entry, entry, set) {
		const struct cb_entry *found = cb_spec_find(is, entry->path);

		if (!found || !cb_value_equal(&found->value, &entry->value))
			fail_msg("'%s' reads '%s'", entry->path,
				 found ? cb_value_text(&f->arena, &found->value) : "(nothing)");
		assert_int_equal(found->origin.from, CB_FROM_HOST);
	}
}

static void fake_file(struct fixture *f, const char *name, const char *content)
{
	const char *path = fake_path(&f->arena);
	json_auto_t *state = json_load_file(path, 0, NULL);
	json_t *files = json_object_get(json_object_get(state, "directories"), f->pool_path);
	char digest[CB_SHA256_HEX];

	cb_digest_of(content, strlen(content), digest);
	assert_non_null(files);
	assert_int_equal(
		json_object_set_new(files, name,
				    json_pack("{s:s,s:I,s:I,s:s}", "format", "raw", "capacity",
					      (json_int_t)strlen(content), "written",
					      (json_int_t)strlen(content), "digest", digest)),
		0);
	assert_int_equal(json_dump_file(state, path, 0), 0);
}

void cb_test_foreign_file(struct fixture *f, const char *name, const char *content)
{
	const char *path = cb_arena_printf(&f->arena, "%s/%s", f->pool_path, name);

	if (!(f->world->offers & CB_WORLD_XML)) {
		fake_file(f, name, content);
		return;
	}
	cb_expect(f, cb_fs_write_atomic(path, content, strlen(content), &f->err), 0, "write",
		  __FILE__, __LINE__);
}

static void fake_stray(struct fixture *f, int pid)
{
	const char *path = fake_path(&f->arena);
	json_auto_t *state = json_load_file(path, 0, NULL);
	json_t *strays = json_object();

	if (pid)
		json_object_set_new(strays, f->uuid, json_integer(pid));
	json_object_set_new(state, "strays", strays);
	assert_int_equal(json_dump_file(state, path, 0), 0);
}

/* A shell that waits for the end of its input, with an emulator's arguments behind its own. */
static void wait_as_emulator(const char *uuid, int input)
{
	(void)dup2(input, STDIN_FILENO);
	(void)execl("/bin/sh", "qemu-system-x86_64", "-c", "read end", "sh", "-name",
		    "guest=contract,debug-threads=on", "-uuid", uuid, (char *)NULL);
	_exit(127);
}

static int stray_input = -1;

static bool is_emulator(struct fixture *f, int pid)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str text = {0};
	const char *path = cb_arena_printf(&f->arena, "/proc/%d/cmdline", pid);

	return cb_fs_read(path, 4096, &text, &err) == 0 && text.len > 0 &&
	       strcmp(text.text, "qemu-system-x86_64") == 0;
}

int cb_test_begin_stray(struct fixture *f)
{
	int ends[2], pid;

	if (!(f->world->offers & CB_WORLD_XML)) {
		fake_stray(f, 4711);
		return 4711;
	}
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0)
		wait_as_emulator(f->uuid, ends[0]);
	(void)close(ends[0]);
	stray_input = ends[1];
	while (!is_emulator(f, pid))
		cb_clock_sleep_ms(10);
	return pid;
}

void cb_test_end_stray(struct fixture *f, int pid)
{
	if (!(f->world->offers & CB_WORLD_XML)) {
		fake_stray(f, 0);
		return;
	}
	(void)close(stray_input);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

bool cb_test_has_content(struct fixture *f, const char *name, const char *content)
{
	char wanted[CB_SHA256_HEX], found[CB_SHA256_HEX];

	cb_digest_of(content, strlen(content), wanted);
	OK(f, volume_digest, f->pool, name, (&(struct cb_extent){.size = strlen(content)}), found);
	return strcmp(wanted, found) == 0;
}

/* Opening. ------------------------------------------------------------------------------------- */

static void a_host_that_does_not_answer_is_unavailable(void **state)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};
	struct cb_driver *host = NULL;
	const char *uri = cb_arena_printf(&arena, "qemu+unix:///system?socket=%s/none", directory);

	(void)state;
	assert_int_equal(cb_libvirt_open(uri, &host, &err), -CB_E_UNAVAILABLE);
	assert_null(host);
	assert_non_null(err.hint);
	assert_int_equal(cb_libvirt_open("nonsense:///system", &host, &err), -CB_E_UNAVAILABLE);
	cb_driver_close(NULL);
}

/* As another user, or root's rights would not let it be denied. */
static void a_socket_of_somebody_elses_is_denied(void **state)
{
	cb_auto_error struct cb_error err = {0};
	struct cb_driver *host = NULL;
	const char *uri = getenv("CB_TEST_URI");
	int r;

	(void)state;
	if (!uri || geteuid() != 0)
		return;
	assert_int_equal(seteuid(65534), 0);
	r = cb_libvirt_open(uri, &host, &err);
	assert_int_equal(seteuid(0), 0);
	if (r == 0)
		cb_driver_close(host);
	else
		assert_int_equal(r, -CB_E_DENIED);
}

static void a_fake_that_cannot_be_read_is_unavailable(void **state)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};
	struct cb_driver *host = NULL;
	const char *path = cb_arena_printf(&arena, "%s/broken.json", directory);

	(void)state;
	assert_int_equal(cb_fs_write_atomic(path, "{", 1, &err), 0);
	assert_int_equal(cb_fake_open(path, &host, &err), -CB_E_UNAVAILABLE);
	assert_int_equal(cb_fs_unlink(path, &err), 0);
}

/* Nobody asks whether an operation is there before calling it. */
static void has_all_operations(const struct cb_driver *host)
{
	void (*operations[sizeof(*host->ops) / sizeof(void (*)(void))])(void);

	memcpy(operations, host->ops, sizeof(*host->ops));
	for (size_t i = 0; i < CB_COUNT(operations); i++) {
		if (!operations[i])
			fail_msg("operation %zu is missing", i);
	}
}

static void every_driver_has_every_operation(void **state)
{
	struct cb_fault_plan plan = {.fault = CB_FAULT_NONE};
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};
	struct cb_driver *host;

	(void)state;
	assert_int_equal(cb_libvirt_open("test:///default", &host, &err), 0);
	has_all_operations(host);
	cb_driver_close(host);
	assert_int_equal(cb_fake_open(fake_path(&arena), &host, &err), 0);
	has_all_operations(host);
	host = cb_fault_open(host, &plan);
	has_all_operations(host);
	cb_driver_close(host);
}

static const struct CMUnitTest open_cases[] = {
	cmocka_unit_test(every_driver_has_every_operation),
	cmocka_unit_test(a_host_that_does_not_answer_is_unavailable),
	cmocka_unit_test(a_socket_of_somebody_elses_is_denied),
	cmocka_unit_test(a_fake_that_cannot_be_read_is_unavailable),
};

/* All of it. ----------------------------------------------------------------------------------- */

struct suite {
	struct cb_arena arena;
	CB_VEC(struct CMUnitTest) tests;
};

static void add_world(struct suite *suite, const struct world *world, const struct test_case *cases,
		      size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct CMUnitTest test = {
			.test_func = run_case,
			.setup_func = begin_case,
			.teardown_func = end_case,
		};
		struct run *run = cb_arena_new(&suite->arena, struct run);

		if ((cases[i].needs & world->offers) != cases[i].needs)
			continue;
		*run = (struct run){.world = world, .one = &cases[i]};
		test.name = cb_arena_printf(&suite->arena, "%s: %s", world->name, cases[i].name);
		test.initial_state = run;
		cb_vec_push(&suite->arena, &suite->tests, test);
	}
}

static void add_plain(struct suite *suite, const struct CMUnitTest *tests, size_t count)
{
	for (size_t i = 0; i < count; i++)
		cb_vec_push(&suite->arena, &suite->tests, tests[i]);
}

static void make_directory(void)
{
	const char *base = getenv("TMPDIR");

	(void)snprintf(directory, sizeof(directory), "%s/contract-XXXXXX", base ? base : P_tmpdir);
	/* QEMU may run as another user. */
	if (!mkdtemp(directory) || chmod(directory, 0755) < 0) {
		fprintf(stderr, "cannot make '%s': %s\n", directory, strerror(errno));
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct suite suite = {0};
	cb_auto_arena struct cb_arena arena = {0};
	int failed;

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	make_directory();
	worlds[2].uri = getenv("CB_TEST_URI");
	if (cb_trouble_possible(worlds[2].uri))
		worlds[2].offers |= CB_WORLD_TROUBLE;
	else if (worlds[2].uri)
		fprintf(stderr, "# CB_TEST_URI names no socket: no trouble on the real host\n");
	add_plain(&suite, open_cases, CB_COUNT(open_cases));
	add_plain(&suite, fault_cases, CB_COUNT(fault_cases));
	for (size_t i = 0; i < CB_COUNT(worlds); i++) {
		if (i == 2 && !worlds[i].uri) {
			fprintf(stderr, "# CB_TEST_URI is not set: no real host is tried\n");
			continue;
		}
		add_world(&suite, &worlds[i], domain_cases, CB_COUNT(domain_cases));
		add_world(&suite, &worlds[i], device_cases, CB_COUNT(device_cases));
		add_world(&suite, &worlds[i], network_cases, CB_COUNT(network_cases));
		add_world(&suite, &worlds[i], storage_cases, CB_COUNT(storage_cases));
		add_world(&suite, &worlds[i], trouble_cases, CB_COUNT(trouble_cases));
	}
	failed =
		_cmocka_run_group_tests("contract", suite.tests.items, suite.tests.len, NULL, NULL);
	(void)unlink(fake_path(&arena));
	(void)rmdir(directory);
	cb_arena_release(&suite.arena);
	return failed ? 1 : 0;
}
