/*
 * Files that manifests speak of and that lie beside them: where they are looked for, and in which
 * order. In a scratch directory.
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
#include "reconciler/source/companions.h"

struct place {
	struct cb_arena arena;
	char top[64];
	const char *home;
	struct cb_source_texts texts;
	struct cb_desired desired;
	struct cb_error err;
};

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void set_up(struct place *p)
{
	*p = (struct place){0};
	(void)snprintf(p->top, sizeof(p->top), "/tmp/cb-companions-XXXXXX");
	assert_non_null(mkdtemp(p->top));
	p->home = cb_arena_printf(&p->arena, "%s/home", p->top);
}

static void tear_down(struct place *p)
{
	(void)nftw(p->top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	cb_error_release(&p->err);
	cb_arena_release(&p->arena);
}

#define auto_place CB_CLEANUP(tear_down)

/* Writes top/path, with the directories in front of it. */
static void put(struct place *p, const char *path, const char *text)
{
	char *full = cb_arena_printf(&p->arena, "%s/%s", p->top, path);
	FILE *file;

	for (char *slash = strchr(full + strlen(p->top) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(full, 0700);
		*slash = '/';
	}
	file = fopen(full, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static const char *at(struct place *p, const char *path)
{
	return cb_arena_printf(&p->arena, "%s/%s", p->top, path);
}

static void add_manifest(struct place *p, const char *directory)
{
	struct cb_manifest_text text = {.name = "m", .directory = at(p, directory)};

	cb_vec_push(&p->arena, &p->texts, text);
}

static void want(struct place *p, enum cb_text_kind kind, const char *name)
{
	struct cb_wanted wanted = {.kind = kind, .name = name, .directory = at(p, "a/b")};

	cb_vec_push(&p->arena, &p->desired.wanted, wanted);
}

static int find(struct place *p)
{
	return cb_source_companions(&p->arena, &p->desired, p->home, &p->texts, &p->err);
}

static void profiles_lie_beside_the_manifest_or_at_home(void **state)
{
	auto_place struct place p;

	(void)state;
	set_up(&p);
	put(&p, "a/b/.clonebox.d/one.yaml", "one here");
	put(&p, "home/.clonebox.d/one.yaml", "one at home");
	put(&p, "home/.clonebox.d/two.yaml", "two at home");
	put(&p, "a/b/.clonebox.env", "X=y\n");
	put(&p, "a/outside.yaml", "no profile");
	want(&p, CB_TEXT_PROFILE, "one");
	want(&p, CB_TEXT_PROFILE, "one");
	want(&p, CB_TEXT_PROFILE, "two");
	want(&p, CB_TEXT_PROFILE, "three");
	want(&p, CB_TEXT_PROFILE, "../../outside");
	assert_int_equal(find(&p), 2);
	assert_int_equal(p.texts.len, 2);
	assert_string_equal(p.texts.items[0].bytes, "one here");
	assert_string_equal(p.texts.items[0].as, "one");
	assert_string_equal(p.texts.items[0].directory, at(&p, "a/b"));
	assert_string_equal(p.texts.items[0].variables[0], "X=y");
	assert_string_equal(p.texts.items[1].bytes, "two at home");
	/* What is there is not read again. */
	assert_int_equal(find(&p), 0);
}

static void configs_bring_their_own_variables(void **state)
{
	auto_place struct place p;

	(void)state;
	set_up(&p);
	put(&p, "a/c/.clonebox.yaml", "vm: {}");
	put(&p, "a/c/.clonebox.env", "X=c\n");
	want(&p, CB_TEXT_CONFIG, at(&p, "a/b/../c/.clonebox.yaml"));
	want(&p, CB_TEXT_CONFIG, at(&p, "a/none.yaml"));
	put(&p, "a/b/x", "");
	assert_int_equal(find(&p), 1);
	assert_int_equal(p.texts.items[0].kind, CB_TEXT_CONFIG);
	assert_string_equal(p.texts.items[0].as, at(&p, "a/b/../c/.clonebox.yaml"));
	assert_string_equal(p.texts.items[0].directory, at(&p, "a/b/../c"));
	assert_string_equal(p.texts.items[0].variables[0], "X=c");
	assert_int_equal(find(&p), 0);
}

static void what_cannot_be_read_is_an_error(void **state)
{
	auto_place struct place p;

	(void)state;
	set_up(&p);
	put(&p, "a/b/.clonebox.d/one.yaml/x", "a directory");
	want(&p, CB_TEXT_PROFILE, "one");
	assert_true(find(&p) < 0);
	assert_non_null(strstr(p.err.message, "one.yaml"));
}

static void the_nearest_policy_file_counts(void **state)
{
	auto_place struct place p;

	(void)state;
	set_up(&p);
	put(&p, "a/.clonebox-policy.yml", "above");
	put(&p, "a/c/.clonebox-policy.yaml", "beside");
	put(&p, "a/c/.clonebox-policy.yml", "other name");
	put(&p, "home/.clonebox.d/policy.yaml", "home");
	add_manifest(&p, "a/b");
	add_manifest(&p, "a/b");
	add_manifest(&p, "a");
	add_manifest(&p, "a/c");
	add_manifest(&p, "");
	assert_int_equal(cb_source_rules(&p.arena, p.home, &p.texts, &p.err), 0);
	/* That of a/b and of a is one. */
	assert_int_equal(p.texts.len, 5 + 3);
	assert_string_equal(p.texts.items[5].bytes, "above");
	assert_int_equal(p.texts.items[5].kind, CB_TEXT_RULES);
	assert_string_equal(p.texts.items[6].bytes, "beside");
	assert_string_equal(p.texts.items[7].bytes, "home");
}

static void without_a_manifest_it_is_that_of_the_working_directory(void **state)
{
	auto_place struct place p;
	char *before = getcwd(NULL, 0);

	(void)state;
	set_up(&p);
	put(&p, "a/b/.clonebox-policy.yaml", "here");
	assert_non_null(before);
	assert_int_equal(chdir(at(&p, "a/b")), 0);
	assert_int_equal(cb_source_rules(&p.arena, NULL, &p.texts, &p.err), 0);
	assert_int_equal(chdir(before), 0);
	free(before);
	assert_int_equal(p.texts.len, 1);
	assert_string_equal(p.texts.items[0].bytes, "here");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(profiles_lie_beside_the_manifest_or_at_home),
		cmocka_unit_test(configs_bring_their_own_variables),
		cmocka_unit_test(what_cannot_be_read_is_an_error),
		cmocka_unit_test(the_nearest_policy_file_counts),
		cmocka_unit_test(without_a_manifest_it_is_that_of_the_working_directory),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("companions", tests, NULL, NULL);
}
