/*
 * The program against what no person writes, and what every person writes once: each is refused
 * with 65 and a place, within a second of the processor and 256 MiB. Runs build/clonebox, or
 * CB_PROGRAM.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reconciler/base/arena.h"
#include "reconciler/base/error.h"
#include "reconciler/base/fs.h"
#include "reconciler/base/str.h"

enum {
	EXIT_INVALID = 65,
	SECONDS_MAX = 60,        /* of the clock: the machine may be busy */
	MILLISECONDS_MAX = 1000, /* of the processor */
	KIBIBYTES_MAX = 256 * 1024,
};

static const char *program;

struct run {
	int code;
	long milliseconds, kibibytes;
	struct cb_str output; /* its first 64 KiB */
};

static void read_output(int fd, struct cb_str *out)
{
	char buffer[16 * 1024];
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
		if (out->len < 64 * 1024)
			cb_str_add_bytes(out, buffer, (size_t)n);
	}
	cb_str_add(out, "");
}

static void run_program(const char *path, struct run *run)
{
	int ends[2], status;
	struct rusage used;
	pid_t pid;

	*run = (struct run){0};
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)dup2(ends[1], STDOUT_FILENO);
		(void)dup2(ends[1], STDERR_FILENO);
		(void)close(ends[0]);
		(void)close(ends[1]);
		/* A hang ends as a signal, not as a hang of the tests. */
		(void)alarm(SECONDS_MAX);
		execl(program, program, "validate", "-f", path, (char *)NULL);
		_exit(127);
	}
	(void)close(ends[1]);
	read_output(ends[0], &run->output);
	(void)close(ends[0]);
	assert_int_equal(wait4(pid, &status, 0, &used), pid);
	run->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	run->milliseconds = (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000 +
			    (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000;
	run->kibibytes = used.ru_maxrss;
}

/* Whether a line begins with "FILE:line:column: error: ". */
static bool has_place(const char *output, const char *file)
{
	const char *at = output;

	while ((at = strstr(at, file))) {
		unsigned line, column;
		int end = 0;

		if ((at == output || at[-1] == '\n') &&
		    sscanf(at + strlen(file), ":%u:%u: error: %n", &line, &column, &end) == 2 &&
		    end > 0 && line > 0 && column > 0)
			return true;
		at++;
	}
	return false;
}

static void check_refused(const char *name, const char *path, const char *what)
{
	struct run run;

	run_program(path, &run);
	print_message("%-28s exit %d, %ld ms, %ld MiB\n", name, run.code, run.milliseconds,
		      run.kibibytes / 1024);
	if (run.code != EXIT_INVALID || !has_place(run.output.text, path) ||
	    (what && !strstr(run.output.text, what)))
		fail_msg("%s: exit %d, wanted a place and '%s':\n%.2000s", name, run.code,
			 what ? what : "", run.output.text);
	if (run.milliseconds > MILLISECONDS_MAX)
		fail_msg("%s: took %ld ms", name, run.milliseconds);
	if (run.kibibytes > KIBIBYTES_MAX)
		fail_msg("%s: took %ld KiB", name, run.kibibytes);
	cb_str_release(&run.output);
}

/* ---- large ones ---- */

/* `head`, then `part` until there are `times` of it, then `tail`. "%d" in the part counts. */
struct large {
	const char *name, *head, *part;
	unsigned times;
	const char *tail, *what;
};

#define VM "vm: {name: a, cloud_init: {k: "

/* clang-format off */
static const struct large large[] = {
	{"100 MB", "", "0123456789abcde\n", 6553600, "", "the limit is 1048576 bytes"},
	{"100 MB of blanks", "", "                ", 6553600, "vm: {name: a}\n", "the limit is 1048576 bytes"},
	{"as large as may be", "vm: {name: a, vcpus: 0}\n", "# 0123456789abc\n", 65534, "", "between 1 and 512"},
	{"10^6 lists", "", "[", 1000000, "", "nested too deeply"},
	{"10^6 maps", "", "{", 1000000, "", "nested too deeply"},
	{"maps with keys", "", "{a: ", 260000, "", "nested too deeply"},
	{"block lists", "", "- ", 500000, "a\n", "nested too deeply"},
	{"complex keys", "", "? ", 500000, "a\n", "nested too deeply"},
	{"lists closed", "", "]", 1000000, "", "expected a value"},
	{"lists in lines", "vm:\n", "[\n", 500000, "", NULL},
	{"100,000 documents", "", "---\n", 100000, "vm: {name: a, vcpus: 0}\n", "too many values"},
	{"documents with VMs", "", "---\nvm: {name: v%d}\n", 30000, "vm: {name: a, vcpus: 0}\n", NULL},
	{"documents with mistakes", "", "---\nvm: {name: v%d, x: y}\n", 30000, "", "unknown key 'x'"},
	{"documents that end", "", "...\n", 250000, "a: b\n", NULL},
	{"values", VM "[", "1,", 500000, "]}}\n", "too many values"},
	{"a list of mistakes", "vm: {name: a, packages: [", "1, ", 90000, "]}\n", "a number"},
	{"a list of mistakes in lines", "vm:\n  name: a\n  packages:\n", "  - 1\n", 90000, "", "a number"},
	{"unknown keys", "vm:\n  name: a\n", "  key%d: 1\n", 45000, "", "unknown key"},
	{"unknown keys, one line", "vm: {name: a", ", key%d: 1", 45000, "}\n", "unknown key"},
	{"duplicate keys", "vm:\n  name: a\n", "  vcpus: 2\n", 45000, "", "given twice"},
	{"anchors", VM "[", "&a%d 1,", 100000, "]}}\n", "too many anchors"},
	{"aliases to nothing", "vm: {name: a, packages: [", "*a,", 90000, "]}\n", "no anchor 'a'"},
	{"aliases of one map", "vms:\n  b: &b {pool: p, vcpus: 1}\n", "  v%d: *b\n", 20000, "  a: {vcpus: 0}\n", NULL},
	{"aliases of mistakes", "vms:\n  b: &b {pool: 1, vcpus: 0, x: 1}\n", "  v%d: *b\n", 12000, "", "is a number"},
	{"merges of one map", "vms:\n  b: &b {pool: p, vcpus: 0}\n", "  v%d: {<<: *b}\n", 12000, "", "between 1 and 512"},
	{"a long key", "vm: {name: a}\n? ", "kkkkkkkkkkkkkkkk", 60000, "\n: 1\n", "unknown key 'kkkk"},
	{"a long name", "vm: {name: ", "nnnnnnnnnnnnnnnn", 60000, "}\n", "at most 64 characters"},
	{"a long value", "vm: {name: a, vcpus: ", "9999999999999999", 60000, "}\n", "between 1 and 512"},
	{"a long tag", "vm: !", "tttttttttttttttt", 60000, " {name: a}\n", "is not supported"},
	{"a long anchor", "vm: &", "aaaaaaaaaaaaaaaa", 60000, " {name: a, vcpus: 0}\n", "between 1 and 512"},
	{"a long comment", "vm: {name: a, vcpus: 0} # ", "comment comment ", 60000, "\n", "between 1 and 512"},
	{"an open quote", "vm: {name: a, description: \"", "text text text\n", 69000, "", "inside a quoted text"},
	{"an open block", "vm: {name: a,\n", "\n", 1000000, "", "expected a value"},
	{"line ends", "", "\r\n", 500000, "vm: @\n", "cannot start a value"},
	{"escapes", "vm: {name: a, vcpus: \"", "\\x1b", 240000, "\"}\n", "wants a whole number"},
	{"VMs", "vms:\n", "  v%d: {}\n", 60000, "", "the limit is 10000"},
	{"VMs of one name", "vms:\n", "  a: {}\n", 45000, "", "given twice"},
	{"counts", "vms:\n", "  v%d: {count: 1000}\n", 1000, "", "the limit is 10000"},
	{"a chain of VMs", "vms:\n  v0: {depends_on: [v9000]}\n", "  v%d: {depends_on: [w]}\n", 9000, "", "there is no VM 'w'"},
	{"VMs with one MAC", "vms:\n", "  v%d: {nics: [{name: n, user: true, mac: '52:54:00:00:00:01'}]}\n", 9000, "", "taken twice"},
	{"profiles that are not there", "vms:\n", "  v%d: {profile: smal}\n", 9000, "", "there is no profile 'smal'"},
	{"networks", "networks:\n", "  n%d: {}\n", 40000, "vms: {}\n", "needs a 'cidr'"},
	{"variables", "vm: {name: a, packages: [", "'${A}',", 90000, "]}\n", "'A' has no value"},
	{"directives", "", "%FOO bar\n", 100000, "---\n", "directive is not known"},
	{"passwords", "vms:\n", "  v%d: {password: hunter2, vcpus: 0}\n", 9000, "", "(sensitive), vcpus: 0}"},
	{"passwords, one line", "vms: {", "v%d: {password: hunter2, vcpus: 0},", 9000, "}\n", "(sensitive), vcpus: 0}"},
};

/* clang-format on */

static void write_large(const char *path, const struct large *row)
{
	FILE *file = fopen(path, "w");
	const char *number = strstr(row->part, "%d");

	assert_non_null(file);
	assert_true(fputs(row->head, file) >= 0);
	for (unsigned i = 1; i <= row->times; i++) {
		if (number)
			(void)fprintf(file, "%.*s%u%s", (int)(number - row->part), row->part, i,
				      number + 2);
		else
			(void)fputs(row->part, file);
	}
	assert_true(fputs(row->tail, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void large_ones_are_refused_in_time(void **state)
{
	const char *path = "mistake.yaml";

	(void)state;
	for (size_t i = 0; i < CB_COUNT(large); i++) {
		write_large(path, &large[i]);
		check_refused(large[i].name, path, large[i].what);
	}
	assert_int_equal(unlink(path), 0);
}

/* One map of many keys behind each other by merges: each merge costs what it merges. */
static void chains_of_merges_are_refused_in_time(void **state)
{
	const char *path = "mistake.yaml";
	FILE *file = fopen(path, "w");

	(void)state;
	assert_non_null(file);
	(void)fputs("x0: &x0 {k0: 0}\n", file);
	for (unsigned i = 1; i < 900; i++)
		(void)fprintf(file, "x%u: &x%u {<<: *x%u, k%u: 0}\n", i, i, i - 1, i);
	assert_int_equal(fclose(file), 0);
	check_refused("a chain of merges", path, NULL);
	assert_int_equal(unlink(path), 0);
}

/* ---- small ones ---- */

/* The manifests of the golden errors, as files for the program. */
static void every_golden_error_ends_with_65(void **state)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *room = *state;
	struct dirent **names = NULL;
	int n = scandir(room, &names, NULL, alphasort), seen = 0;

	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		size_t len = strlen(names[i]->d_name);
		const char *path = cb_arena_printf(&arena, "%s/%s", room, names[i]->d_name);

		if (len > 5 && strcmp(names[i]->d_name + len - 5, ".yaml") == 0) {
			cb_auto_error struct cb_error err = {0};
			cb_auto_str struct cb_str text = {0};

			/* Those of several files are for the other test. */
			assert_int_equal(cb_fs_read(path, 1 << 20, &text, &err), 0);
			if (!memmem(text.text, text.len, "\n#### ", 6)) {
				check_refused(names[i]->d_name, path, NULL);
				seen++;
			}
		}
		free(names[i]);
	}
	free(names);
	assert_true(seen > 80);
}

static void many_files_are_told_of_at_once(void **state)
{
	struct run run;

	(void)state;
	assert_int_equal(mkdir("many", 0700), 0);
	for (unsigned i = 0; i < 1000; i++) {
		char path[64];
		FILE *file;

		(void)snprintf(path, sizeof(path), "many/%03u.clonebox.yaml", i);
		file = fopen(path, "w");
		assert_non_null(file);
		(void)fprintf(file, "vms:\n  v%u: {vcpus: 0}\n  all: {}\n", i);
		assert_int_equal(fclose(file), 0);
	}
	run_program("many", &run);
	print_message("1000 files: %ld ms, %ld MiB\n", run.milliseconds, run.kibibytes / 1024);
	assert_int_equal(run.code, EXIT_INVALID);
	assert_true(has_place(run.output.text, "many/000.clonebox.yaml"));
	assert_true(run.milliseconds <= MILLISECONDS_MAX);
	assert_true(run.kibibytes <= KIBIBYTES_MAX);
	/* Sorted: the first is the first. */
	assert_true(strncmp(run.output.text, "many/000.", 9) == 0);
	for (unsigned i = 0; i < 1000; i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "many/%03u.clonebox.yaml", i);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(rmdir("many"), 0);
	cb_str_release(&run.output);
}

int main(int argc, char **argv)
{
	static char errors[4096], room[] = "/tmp/cb-mistakes-XXXXXX";
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(large_ones_are_refused_in_time),
		cmocka_unit_test(chains_of_merges_are_refused_in_time),
		cmocka_unit_test_prestate(every_golden_error_ends_with_65, errors),
		cmocka_unit_test(many_files_are_told_of_at_once),
	};
	const char *wanted = getenv("CB_PROGRAM");
	int failed;

	program = realpath(wanted ? wanted : "build/clonebox", NULL);
	if (!program || !realpath("tests/golden/errors", errors)) {
		(void)fprintf(stderr,
			      "no program at build/clonebox: run `make` first, from the top "
			      "of the tree\n");
		return 1;
	}
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	if (!mkdtemp(room) || chdir(room) < 0)
		return 1;
	failed = cmocka_run_group_tests_name("mistakes", tests, NULL, NULL);
	if (chdir("/") < 0 || rmdir(room) < 0)
		return 1;
	return failed;
}
