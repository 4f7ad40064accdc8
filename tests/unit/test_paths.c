/* `paths`: what a manifest says of directories that are shared, and the names that they get. */
#include "reconciler/base/str.h"
#include "reconciler/model/owned.h"
#include "tests/unit/loaded.h"

static void both_forms_say_the_same(void **state)
{
	static const char *const texts[] = {
		"vm: {name: a}\npaths: {/home/me/src/: //src}\n",
		"vm: {name: a, paths: {/home/me/src: /src/}}\n",
		"vms: {a: {paths: {/home//me/src: {guest: /src}}}}\n",
		"profiles: {p: {paths: {/home/me/src: /src}}}\nvms: {a: {profile: p}}\n",
		"defaults: {vm: {paths: {/home/me/src: /src}}}\nvms: {a: {}}\n",
	};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(texts); i++) {
		auto_loaded struct loaded l;
		const struct cb_spec *spec;

		load(&l, texts[i]);
		check_good(&l);
		spec = spec_of(&l, "a");
		assert_string_equal(cb_spec_string(spec, "paths[/src]"), "/home/me/src");
		assert_int_equal(spec->len, 1);
	}
}

static void more_can_be_said_of_one(void **state)
{
	auto_loaded struct loaded l;
	const struct cb_spec *spec;

	(void)state;
	load_with(&l, (const char *const[]){"K=9p", NULL},
		  "vm: {name: a}\n"
		  "paths:\n"
		  "  /a b: {guest: /x.y/z, readonly: true, kind: '${K}'}\n"
		  "  /c: {guest: /c, kind: auto}\n"
		  "  /d: /d\n");
	check_good(&l);
	spec = spec_of(&l, "a");
	assert_string_equal(cb_spec_string(spec, "paths[/x.y/z]"), "/a b");
	assert_string_equal(cb_spec_string(spec, "paths[/x.y/z].kind"), "9p");
	assert_true(cb_spec_find(spec, "paths[/x.y/z].kind")->origin.sensitive);
	assert_true(cb_spec_bool(spec, "paths[/x.y/z].readonly", false));
	assert_int_equal(cb_spec_find(spec, "paths[/x.y/z]")->origin.line, 3);
	assert_string_equal(cb_spec_string(spec, "paths[/c].kind"), "auto");
	assert_null(cb_spec_find(spec, "paths[/d].kind"));
}

/* They are told apart by the guest's directory: it has one owner, and that is taken whole. */
static void they_merge_by_the_directory_of_the_guest(void **state)
{
	auto_loaded struct loaded l;
	const struct cb_spec *spec;

	(void)state;
	load(&l, "defaults:\n"
		 "  vm: {paths: {/one: /src, /two: {guest: /data, readonly: true}}}\n"
		 "vms:\n"
		 "  a: {paths: {/three: /data, /four: /more}}\n"
		 "  b: {paths: ~}\n"
		 "  c: {paths: {}}\n"
		 "---\n"
		 "vm: {name: d, paths: {/five: /src}}\n"
		 "paths: {/five: /src, /seven: /home}\n");
	check_good(&l);
	spec = spec_of(&l, "a");
	assert_string_equal(cb_spec_string(spec, "paths[/src]"), "/one");
	assert_string_equal(cb_spec_string(spec, "paths[/data]"), "/three");
	assert_null(cb_spec_find(spec, "paths[/data].readonly"));
	assert_string_equal(cb_spec_string(spec, "paths[/more]"), "/four");
	assert_int_equal(spec_of(&l, "b")->len, 0);
	assert_int_equal(spec_of(&l, "c")->len, 3);
	spec = spec_of(&l, "d");
	assert_string_equal(cb_spec_string(spec, "paths[/src]"), "/five");
	assert_null(cb_spec_find(spec, "paths[/src].kind"));
	assert_string_equal(cb_spec_string(spec, "paths[/home]"), "/seven");
}

/* clang-format off */
static const struct {
	const char *paths, *want;
} wrong[] = {
	{"src: /src", "1:23 manifest.path|wants an absolute path|found 'src'|/home/me/src: /src"},
	{"/src: src", "1:29 manifest.path|wants an absolute path|found 'src'"},
	{"~/src: /src", "1:23 manifest.path|'~' is not expanded: write the path out"},
	{"'${HOME}/src': /src", "1:23 manifest.path|a key is not expanded: write the path out"},
	{"/src: '${HOME}/src'", "1:29 manifest.variable|cannot come from a variable"},
	{"/src: /a/../b", "1:29 manifest.path|without '..'"},
	{"/./src: /a", "1:23 manifest.path|without '.'"},
	{"'/a[1]': /a", "1:23 manifest.path|'[' and ']' cannot be part of it"},
	{"/src: \"/a\\tb\"", "1:29 manifest.value|control character"},
	{"\"/a\\0b\": /a", "1:23 manifest.type|has to be a directory of the host"},
	{"[/src]: /a", "1:23 manifest.type|has to be a directory of the host"},
	{"/src: /", "1:29 manifest.path|the guest's '/' is its own|mount it below"},
	{"/src: ", "1:29 manifest.missing|'/src' is given no directory of the guest|`paths: null`"},
	{"/src: []", "1:29 manifest.missing|for example: paths: {"},
	{"/src: {kind: 9p}", "1:29 manifest.missing|no directory of the guest"},
	{"/src: {guest: /a, host: /b}", "1:41 manifest.unknown-key|unknown key 'host'"},
	{"/src: {guest: /a, readonli: true}", "1:41 manifest.unknown-key|did you mean 'readonly'?"},
	{"/src: {guest: /a, kind: nfs}", "1:47 manifest.value|one of: auto, virtiofs, 9p; found 'nfs'"},
	{"/src: {guest: /a, readonly: 1}", "1:51 manifest.type|wants true or false"},
	{"/a: /x, /b: /x/", "1:35 manifest.duplicate-key|'/x/' twice: here and at t.yaml:1:23"},
};

/* clang-format on */

static void every_mistake_is_told_at_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < CB_COUNT(wrong); i++) {
		auto_loaded struct loaded l = {0};
		struct cb_arena arena = {0};
		const char *yaml =
			cb_arena_printf(&arena, "vm: {name: a, paths: {%s}}\n", wrong[i].paths);

		load(&l, yaml);
		check_problems(&l, (const char *[]){wrong[i].want, NULL}, "t.yaml");
		cb_arena_release(&arena);
	}
}

static void beside_nothing_they_are_lost_and_that_is_said(void **state)
{
	auto_loaded struct loaded l, m, twice;

	(void)state;
	load(&l, "profiles: {p: {}}\npaths: {/a: /a, /b: {guest: /b}}\n");
	check_problems(&l,
		       (const char *[]){"2:9 manifest.place|'paths' needs a 'vm:' beside it", NULL},
		       "t.yaml");
	load(&twice, "vm: {name: a, paths: {/five: /src}}\n"
		     "paths: {/six: {guest: /src, kind: 9p}}\n");
	check_problems(
		&twice,
		(const char *[]){"2:9 manifest.conflict|'paths[/src]' is said otherwise", NULL},
		"t.yaml");
	load(&m, "vms: {a: {}}\npaths: {/a: /a}\n");
	check_problems(
		&m, (const char *[]){"2:1 manifest.place|'paths' cannot stand beside 'vms:'", NULL},
		"t.yaml");
}

static void there_are_limits(void **state)
{
	cb_auto_str struct cb_str yaml = {0};
	auto_loaded struct loaded l;

	(void)state;
	cb_str_add(&yaml, "vm: {name: a, paths: {");
	for (int i = 0; i < 101; i++)
		cb_str_printf(&yaml, "/h%d: /g%d, ", i, i);
	cb_str_add(&yaml, "}}\n");
	load(&l, yaml.text);
	check_problems(&l, (const char *[]){"1:22 manifest.limit|the limit is 100", NULL},
		       "t.yaml");
}

/* Stamps and guests know them by these names: they stay what they are. */
static void names_follow_from_the_directory(void **state)
{
	static const char *const rows[][2] = {
		{"/src", "src-56c9e1c4"},
		{"/home/ubuntu/my source, all of it", "mysourceallofi-8e9af13e"},
		{"/srv/...", "5f681403"},
	};
	struct cb_arena arena = {0};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(rows); i++)
		assert_string_equal(cb_owned_mount(&arena, rows[i][0]), rows[i][1]);
	cb_arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_forms_say_the_same),
		cmocka_unit_test(more_can_be_said_of_one),
		cmocka_unit_test(they_merge_by_the_directory_of_the_guest),
		cmocka_unit_test(every_mistake_is_told_at_its_place),
		cmocka_unit_test(beside_nothing_they_are_lost_and_that_is_said),
		cmocka_unit_test(there_are_limits),
		cmocka_unit_test(names_follow_from_the_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
