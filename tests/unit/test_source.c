/*
 * Where manifests come from: files, directories, standard input; in a directory of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reconciler/base/error.h"
#include "reconciler/source/files.h"
#include "schema/manifest.h"

/* One reading. */
struct got {
	struct cb_arena arena;
	struct cb_source_texts texts;
	struct cb_error err;
	int result;
};

static void release_got(struct got *g)
{
	cb_arena_release(&g->arena);
	cb_error_release(&g->err);
}

#define auto_got CB_CLEANUP(release_got)

static char root[64], before[4096];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

/* Every test starts in an empty directory. */
static int enter(void **state)
{
	char made[] = "/tmp/clonebox-source-XXXXXX";
	char *real;

	(void)state;
	if (!getcwd(before, sizeof(before)) || !mkdtemp(made) || !(real = realpath(made, NULL)))
		return -1;
	(void)snprintf(root, sizeof(root), "%s", real);
	free(real);
	return chdir(root);
}

static int leave(void **state)
{
	(void)state;
	if (chdir(before) < 0)
		return -1;
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void make_dir(const char *path)
{
	assert_int_equal(mkdir(path, 0700), 0);
}

static void read_paths(struct got *g, const char *const *paths, size_t n)
{
	*g = (struct got){0};
	g->result = cb_source_files(&g->arena, paths, n, &g->texts, &g->err);
}

static void read_path(struct got *g, const char *path)
{
	read_paths(g, &path, 1);
}

/* The names, in order; ends with NULL. */
static void check_names(const struct got *g, const char *const *want)
{
	size_t n = 0;

	if (g->result < 0)
		fail_msg("%s", g->err.message);
	while (want[n])
		n++;
	for (size_t i = 0; i < g->texts.len && i < n; i++)
		assert_string_equal(g->texts.items[i].name, want[i]);
	assert_int_equal(g->texts.len, n);
}

/* Fails with this code; the message has the fragment. */
static void check_error(const struct got *g, enum cb_code code, const char *fragment)
{
	assert_int_equal(g->result, -(int)code);
	assert_int_equal(g->err.code, code);
	if (!strstr(g->err.message, fragment))
		fail_msg("no '%s' in '%s'", fragment, g->err.message);
}

/* "<prefix><root><below>" */
static void check_place(const char *got, const char *prefix, const char *below)
{
	char want[256];

	(void)snprintf(want, sizeof(want), "%s%s%s", prefix, root, below);
	assert_string_equal(got, want);
}

static void without_paths_it_is_the_one_here(void **state)
{
	auto_got struct got g;

	(void)state;
	write_file(".clonebox.yaml", "vm: {name: a}\n");
	write_file("other.clonebox.yaml", "vm: {name: b}\n");
	read_paths(&g, NULL, 0);
	check_names(&g, (const char *[]){".clonebox.yaml", NULL});
	assert_string_equal(g.texts.items[0].bytes, "vm: {name: a}\n");
	assert_int_equal(g.texts.items[0].len, 14);
	check_place(g.texts.items[0].source, "file:", "");
	check_place(g.texts.items[0].directory, "", "");
}

static void without_any_it_says_what_to_do(void **state)
{
	auto_got struct got g;

	(void)state;
	read_paths(&g, NULL, 0);
	check_error(&g, CB_E_NOT_FOUND, "'.clonebox.yaml' does not exist");
	assert_non_null(strstr(g.err.hint, "-f FILE or -f DIRECTORY"));
	assert_non_null(strstr(g.err.hint, "vm:\n  name: dev\n"));
	assert_int_equal(g.texts.len, 0);
}

static void a_file_is_read_whatever_its_name(void **state)
{
	auto_got struct got g;

	(void)state;
	make_dir("sub");
	write_file("sub/some.yml", "x");
	read_path(&g, "./sub/../sub/some.yml");
	check_names(&g, (const char *[]){"./sub/../sub/some.yml", NULL});
	check_place(g.texts.items[0].source, "file:", "/sub");
	check_place(g.texts.items[0].directory, "", "/sub");
}

static void a_directory_gives_its_manifests_sorted(void **state)
{
	static const char *const ways[] = {"vms", "vms/", "vms//"};

	(void)state;
	make_dir("vms");
	make_dir("vms/b");
	make_dir("vms/b/deep");
	make_dir("vms/.git");
	make_dir("vms/dir.clonebox.yaml");
	write_file("vms/z.clonebox.yaml", "z");
	write_file("vms/a.clonebox.yaml", "a");
	write_file("vms/.clonebox.yaml", "dot");
	write_file("vms/b/deep/.clonebox.yaml", "deep");
	write_file("vms/dir.clonebox.yaml/q.clonebox.yaml", "q");
	write_file("vms/.git/x.clonebox.yaml", "hidden");
	write_file("vms/.#z.clonebox.yaml", "lock file");
	write_file("vms/other.yaml", "other");
	write_file("vms/a.clonebox.yaml~", "backup");
	write_file("vms/clonebox.yaml", "no dot");
	for (size_t i = 0; i < CB_COUNT(ways); i++) {
		auto_got struct got g;

		read_path(&g, ways[i]);
		check_names(&g, (const char *[]){"vms/.clonebox.yaml", "vms/a.clonebox.yaml",
						 "vms/b/deep/.clonebox.yaml",
						 "vms/dir.clonebox.yaml/q.clonebox.yaml",
						 "vms/z.clonebox.yaml", NULL});
		for (size_t j = 0; j < g.texts.len; j++)
			check_place(g.texts.items[j].source, "file:", "/vms");
		check_place(g.texts.items[2].directory, "", "/vms/b/deep");
	}
}

static void names_in_the_current_directory_are_plain(void **state)
{
	auto_got struct got g;

	(void)state;
	write_file("a.clonebox.yaml", "a");
	read_path(&g, ".");
	check_names(&g, (const char *[]){"a.clonebox.yaml", NULL});
	check_place(g.texts.items[0].source, "file:", "");
	check_place(g.texts.items[0].directory, "", "");
}

static void a_directory_without_a_manifest_is_an_error(void **state)
{
	auto_got struct got g;

	(void)state;
	make_dir("empty");
	make_dir("empty/sub");
	write_file("empty/clonebox.yaml", "x");
	assert_int_equal(symlink("..", "empty/sub/up"), 0);
	read_path(&g, "empty");
	check_error(&g, CB_E_INVALID, "there is no manifest in directory 'empty'");
	assert_non_null(strstr(g.err.hint, ".clonebox.yaml"));
}

static void links_are_followed_and_loops_end(void **state)
{
	auto_got struct got g;

	(void)state;
	make_dir("vms");
	make_dir("vms/a");
	make_dir("store");
	write_file("store/real.clonebox.yaml", "x");
	write_file("store/f.clonebox.yaml", "y");
	assert_int_equal(symlink("..", "vms/a/loop"), 0);
	assert_int_equal(symlink("../store/f.clonebox.yaml", "vms/f.clonebox.yaml"), 0);
	assert_int_equal(symlink("../store", "vms/s"), 0);
	assert_int_equal(symlink("nowhere", "vms/dangling"), 0);
	read_path(&g, "vms");
	check_names(&g, (const char *[]){"vms/f.clonebox.yaml", "vms/s/real.clonebox.yaml", NULL});
	/* Where the link stands, not where it leads. */
	check_place(g.texts.items[0].directory, "", "/vms");
}

static void a_manifest_that_cannot_be_read_is_never_skipped(void **state)
{
	(void)state;
	make_dir("vms");
	write_file("vms/a.clonebox.yaml", "x");
	{
		auto_got struct got g;

		assert_int_equal(symlink("nowhere", "vms/b.clonebox.yaml"), 0);
		read_path(&g, "vms");
		check_error(&g, CB_E_NOT_FOUND, "vms/b.clonebox.yaml");
		assert_int_equal(unlink("vms/b.clonebox.yaml"), 0);
	}
	{
		auto_got struct got g;

		assert_int_equal(mkfifo("vms/b.clonebox.yaml", 0600), 0);
		read_path(&g, "vms");
		check_error(&g, CB_E_INVALID, "'vms/b.clonebox.yaml' is not a regular file");
		assert_int_equal(unlink("vms/b.clonebox.yaml"), 0);
	}
	{
		auto_got struct got g;

		assert_int_equal(symlink("b.clonebox.yaml", "vms/b.clonebox.yaml"), 0);
		read_path(&g, "vms");
		check_error(&g, CB_E_IO, "vms/b.clonebox.yaml");
		assert_int_equal(unlink("vms/b.clonebox.yaml"), 0);
	}
	if (geteuid() == 0) {
		print_message("run by root: permissions are not tested\n");
		return;
	}
	{
		auto_got struct got g;

		write_file("vms/b.clonebox.yaml", "x");
		assert_int_equal(chmod("vms/b.clonebox.yaml", 0), 0);
		read_path(&g, "vms");
		check_error(&g, CB_E_DENIED, "vms/b.clonebox.yaml");
	}
	{
		auto_got struct got g;

		assert_int_equal(chmod("vms", 0), 0);
		read_path(&g, "vms");
		check_error(&g, CB_E_DENIED, "vms");
		assert_int_equal(chmod("vms", 0700), 0);
	}
}

static void paths_that_lead_nowhere_are_not_found(void **state)
{
	static const char *const paths[] = {"none.yaml", "none/x.yaml", "file/x.yaml", ""};

	(void)state;
	write_file("file", "x");
	for (size_t i = 0; i < CB_COUNT(paths); i++) {
		auto_got struct got g;

		read_path(&g, paths[i]);
		check_error(&g, CB_E_NOT_FOUND, paths[i]);
	}
}

static void a_file_is_read_once(void **state)
{
	static const char *const paths[] = {"vms/a.clonebox.yaml", "vms", "./vms/a.clonebox.yaml",
					    "."};
	auto_got struct got g;

	(void)state;
	make_dir("vms");
	write_file("vms/a.clonebox.yaml", "x");
	read_paths(&g, paths, CB_COUNT(paths));
	check_names(&g, (const char *[]){"vms/a.clonebox.yaml", NULL});
	/* The first path decides. */
	check_place(g.texts.items[0].source, "file:", "/vms");
}

static void what_is_larger_than_a_manifest_is_refused(void **state)
{
	auto_got struct got g;
	struct cb_desired desired;
	struct cb_problems problems = {0};
	FILE *file = fopen("big.yaml", "w");

	(void)state;
	assert_non_null(file);
	for (size_t i = 0; i <= CB_MANIFEST_MAX; i++)
		assert_int_equal(fputc('#', file), '#');
	assert_int_equal(fclose(file), 0);
	read_path(&g, "big.yaml");
	/* The loader says so, at its place and with the problems of other files. */
	assert_int_equal(g.result, 0);
	assert_int_equal(g.texts.len, 1);
	assert_int_equal(cb_manifest_load(&g.arena, g.texts.items, 1, &desired, &problems), 1);
	assert_string_equal(problems.items[0].check, "manifest.limit");
	assert_string_equal(problems.items[0].origin.file, "big.yaml");
	assert_int_equal(problems.items[0].origin.line, 1);
	assert_int_equal(problems.items[0].origin.column, 1);
}

/* Puts a pipe with this text in the place of standard input. */
static int feed_stdin(const char *text)
{
	int saved = dup(STDIN_FILENO), ends[2];

	assert_true(saved >= 0);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(close(ends[1]), 0);
	assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	assert_int_equal(close(ends[0]), 0);
	return saved;
}

static void restore_stdin(int saved)
{
	assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
	assert_int_equal(close(saved), 0);
}

static void a_dash_is_standard_input(void **state)
{
	static const char *const twice[] = {"-", "-"};
	int saved = feed_stdin("vm: {name: a}\n");

	(void)state;
	{
		auto_got struct got g;

		read_path(&g, "-");
		check_names(&g, (const char *[]){"-", NULL});
		assert_string_equal(g.texts.items[0].bytes, "vm: {name: a}\n");
		assert_string_equal(g.texts.items[0].source, "stdin");
		check_place(g.texts.items[0].directory, "", "");
	}
	{
		auto_got struct got g;

		read_paths(&g, twice, 2);
		check_error(&g, CB_E_USAGE, "only once");
	}
	restore_stdin(saved);
}

static void a_pipe_of_the_shell_is_read(void **state)
{
	int saved = feed_stdin("x");

	(void)state;
	{
		auto_got struct got g;

		read_path(&g, "/dev/fd/0");
		check_names(&g, (const char *[]){"/dev/fd/0", NULL});
		assert_string_equal(g.texts.items[0].bytes, "x");
		check_place(g.texts.items[0].directory, "", "");
	}
	restore_stdin(saved);
}

/* ---- variables ---- */

/* The first value of the name, as the loader takes it. */
static const char *value_of(const struct cb_manifest_text *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *const *v = text->variables; *v; v++) {
		if (strncmp(*v, name, len) == 0 && (*v)[len] == '=')
			return *v + len + 1;
	}
	return NULL;
}

static void the_file_beside_the_manifest_has_its_variables(void **state)
{
	static const struct {
		const char *name, *value;
	} rows[] = {
		{"A", "1"},        {"B", "two words"}, {"C", " kept "}, {"D", "it's"},
		{"E", ""},         {"F", "x=y"},       {"G", "tab"},    {"_H1", "\"half"},
		{"I", "a # b"},    {"J", "cr"},        {"K", "last"},   {"exported", "yes"},
		{"export", "too"}, {"NOBODY", NULL},
	};
	auto_got struct got g;

	(void)state;
	make_dir("vms");
	write_file(".clonebox.env", "A=wrong place\n");
	write_file("vms/.clonebox.env", "# a comment\n\n  A=1\nB = two words  \nC=' kept '\n"
					"D=\"it's\"\nE=\nF=x=y\n\tG=tab\n_H1=\"half\n"
					"export I=a # b\nJ=cr\r\n\r\nexport\texported=yes\n"
					"export=too\nK=last");
	write_file("vms/a.clonebox.yaml", "vm: {name: a}\n");
	read_path(&g, "vms");
	check_names(&g, (const char *[]){"vms/a.clonebox.yaml", NULL});
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		const char *value = value_of(&g.texts.items[0], rows[i].name);

		if (!rows[i].value)
			assert_null(value);
		else if (!value || strcmp(value, rows[i].value) != 0)
			fail_msg("%s is '%s'", rows[i].name, value ? value : "nothing");
	}
}

static void the_file_comes_before_the_environment(void **state)
{
	auto_got struct got g;

	(void)state;
	write_file(".clonebox.env", "CB_TEST_BOTH=file\n");
	write_file(".clonebox.yaml", "vm: {name: a}\n");
	assert_int_equal(setenv("CB_TEST_BOTH", "environment", 1), 0);
	assert_int_equal(setenv("CB_TEST_ONE", "environment", 1), 0);
	read_paths(&g, NULL, 0);
	assert_int_equal(unsetenv("CB_TEST_BOTH"), 0);
	assert_int_equal(unsetenv("CB_TEST_ONE"), 0);
	check_names(&g, (const char *[]){".clonebox.yaml", NULL});
	assert_string_equal(value_of(&g.texts.items[0], "CB_TEST_BOTH"), "file");
	assert_string_equal(value_of(&g.texts.items[0], "CB_TEST_ONE"), "environment");
}

/* The message says where, and never what: it may be a password. */
static void a_file_of_variables_that_is_wrong_is_an_error(void **state)
{
	static const struct {
		const char *text, *want;
		size_t len;
	} rows[] = {
		{"A=1\nswordfish\n", ".clonebox.env:2: this is not NAME=value", 0},
		{"=swordfish\n", ".clonebox.env:1: this is not NAME=value", 0},
		{"1A=swordfish\n", ".clonebox.env:1: this is not NAME=value", 0},
		{"A-B=swordfish\n", ".clonebox.env:1: this is not NAME=value", 0},
		{"A B=swordfish\n", ".clonebox.env:1: this is not NAME=value", 0},
		{"\n\nA=x\nB=y\nA=swordfish\n", ".clonebox.env:5: A is given twice", 0},
		{"A=x\0B=swordfish\n", ".clonebox.env: there is a NUL byte", 16},
	};

	(void)state;
	write_file(".clonebox.yaml", "vm: {name: a}\n");
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		auto_got struct got g;
		FILE *file = fopen(".clonebox.env", "w");
		size_t len = rows[i].len ? rows[i].len : strlen(rows[i].text);

		assert_non_null(file);
		assert_int_equal(fwrite(rows[i].text, 1, len, file), len);
		assert_int_equal(fclose(file), 0);
		read_paths(&g, NULL, 0);
		check_error(&g, CB_E_INVALID, rows[i].want);
		assert_null(strstr(g.err.message, "swordfish"));
		assert_true(!g.err.hint || !strstr(g.err.hint, "swordfish"));
	}
}

/* As CloneBox does: what is no variable is left out, and the last of two counts. */
static void leniently_a_file_of_variables_is_read_as_far_as_it_goes(void **state)
{
	auto_got struct got g = {.texts.lenient = true};

	(void)state;
	write_file(".clonebox.yaml", "vm: {name: a}\n");
	write_file(".clonebox.env", "A=1\nB=2\nno variable\nA=3\n");
	g.result = cb_source_files(&g.arena, NULL, 0, &g.texts, &g.err);
	assert_int_equal(g.result, 0);
	assert_int_equal(g.texts.len, 1);
	assert_string_equal(g.texts.items[0].variables[0], "B=2");
	assert_string_equal(g.texts.items[0].variables[1], "A=3");
}

/* Without it, the manifest would mean something else. */
static void a_file_of_variables_that_cannot_be_read_is_an_error(void **state)
{
	auto_got struct got g;

	(void)state;
	make_dir(".clonebox.env");
	write_file(".clonebox.yaml", "vm: {name: a}\n");
	read_paths(&g, NULL, 0);
	assert_true(g.result < 0);
	assert_non_null(strstr(g.err.message, ".clonebox.env"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, enter, leave)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(without_paths_it_is_the_one_here),
		TEST(without_any_it_says_what_to_do),
		TEST(a_file_is_read_whatever_its_name),
		TEST(a_directory_gives_its_manifests_sorted),
		TEST(names_in_the_current_directory_are_plain),
		TEST(a_directory_without_a_manifest_is_an_error),
		TEST(links_are_followed_and_loops_end),
		TEST(a_manifest_that_cannot_be_read_is_never_skipped),
		TEST(paths_that_lead_nowhere_are_not_found),
		TEST(a_file_is_read_once),
		TEST(what_is_larger_than_a_manifest_is_refused),
		TEST(a_dash_is_standard_input),
		TEST(a_pipe_of_the_shell_is_read),
		TEST(the_file_beside_the_manifest_has_its_variables),
		TEST(the_file_comes_before_the_environment),
		TEST(a_file_of_variables_that_is_wrong_is_an_error),
		TEST(leniently_a_file_of_variables_is_read_as_far_as_it_goes),
		TEST(a_file_of_variables_that_cannot_be_read_is_an_error),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
