/*
 * Manifests in canonical form: before and after, and what holds for every manifest there is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reconciler/base/fs.h"
#include "reconciler/model/field.h"
#include "reconciler/source/files.h"
#include "schema/format.h"
#include "schema/same.h"
#include "schema/starter.h"
#include "tests/unit/loaded.h"

static int format_bytes(const char *bytes, size_t len, struct cb_str *out, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_manifest_text text = {"t.yaml", "/srv/t", "file:/srv/t", bytes, len, NULL};
	struct cb_problems problems = {0};

	return cb_format(&arena, &text, out, &problems, err);
}

static void check_formatted(const char *before, const char *after)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str out = {0};

	if (format_bytes(before, strlen(before), &out, &err) < 0)
		fail_msg("%s\n%s", err.message, before);
	if (strcmp(cb_str_text(&out), after) != 0)
		fail_msg("--- before\n%s--- wanted\n%s--- got\n%s", before, after,
			 cb_str_text(&out));
}

struct pair {
	const char *before, *after; /* NULL: as before */
};

static void check_all(const struct pair *pairs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *after = pairs[i].after ? pairs[i].after : pairs[i].before;

		check_formatted(pairs[i].before, after);
		check_formatted(after, after);
	}
}

/* ---- before and after ---- */

static void keys_stand_in_the_order_of_the_table(void **state)
{
	static const struct pair pairs[] = {
		{"vm:\n  vcpus: 1\n  ram_mb: 64\n  name: a\nversion: 1\n",
		 "version: 1\nvm:\n  name: a\n  ram_mb: 64\n  vcpus: 1\n"},
		/* What people name keeps its order, and so do lists. */
		{"vms:\n  web:\n    labels:\n      z: a\n      b: c\n    vcpus: 1\n  db:\n", NULL},
		{"vms:\n  a:\n    disks:\n      - size: 1GiB\n        name: z\n      - name: b\n",
		 "vms:\n  a:\n    disks:\n      - name: z\n        size: 1GiB\n      - name: b\n"},
		{"vm:\n  name: a\n  boot:\n    cmdline: x\n    kernel: ./k\n",
		 "vm:\n  name: a\n  boot:\n    kernel: ./k\n    cmdline: x\n"},
		/* What the rows do not reach into stays. */
		{"vm:\n  cloud_init:\n    name: z\n    a: b\nweb_services:\n  - z: 1\n    a: 2\n",
		 NULL},
		/* What is no key comes last, and is not lost. */
		{"zebra: 1\naardvark: 2\nversion: 1\n", "version: 1\nzebra: 1\naardvark: 2\n"},
		{"networks:\n  lan:\n    dhcp:\n      end: 10.0.0.9\n      start: 10.0.0.2\n"
		 "    cidr: 10.0.0.0/24\n",
		 "networks:\n  lan:\n    cidr: 10.0.0.0/24\n    dhcp:\n      start: 10.0.0.2\n"
		 "      end: 10.0.0.9\n"},
	};

	(void)state;
	check_all(pairs, CB_COUNT(pairs));
}

static void comments_travel_with_their_keys(void **state)
{
	static const struct pair pairs[] = {
		{"vm:\n  # of vcpus\n  # too\n  vcpus: 1 # end\n  name: a # b\n",
		 "vm:\n  name: a # b\n  # of vcpus\n  # too\n  vcpus: 1 # end\n"},
		/* The head of the file stays there. */
		{"# head\n\n# of vm\nvm:\n  name: a\nversion: 1\n# tail\n",
		 "# head\n\nversion: 1\n# of vm\nvm:\n  name: a\n# tail\n"},
		{"# yaml-language-server: $schema=x\nvms: {}\nversion: 1\n",
		 "# yaml-language-server: $schema=x\nversion: 1\nvms: {}\n"},
		/* What is farther in belongs to what is above it. */
		{"vms:\n  a:\n    vcpus: 1\n    # of a\n  # of vms\n# of all\n", NULL},
		{"vms:\n  a:\n    vcpus: 1\n    # of a\n\n  # of b\n  b:\n", NULL},
		{"vm: # head\n  name: a\n  packages: # head\n    # of x\n    - x # end\n"
		 "    # tail\n",
		 NULL},
		{"packages:\n- x\n# of y\n- y\n# of vm\nvm:\n  name: a\n",
		 "# of vm\nvm:\n  name: a\npackages:\n  - x\n  # of y\n  - y\n"},
		/* A list whose items are all commented out. */
		{"services:\n  # - a\n  # - b\npackages: [x]\n",
		 "packages: [x]\nservices:\n  # - a\n  # - b\n"},
		/* Lines that are no more. */
		{"vm: {name: a, # one\n  vcpus: 1} # two\n",
		 "vm: # two\n  name: a # one\n  vcpus: 1\n"},
		{"vm:\n  name: a\n  disks:\n    - {name: b, size: 1GiB} # c\n",
		 "vm:\n  name: a\n  disks:\n    - name: b # c\n      size: 1GiB\n"},
		{"vm:\n  name: a\n  disks:\n    - # c\n      # d\n      size: 1GiB\n      # e\n"
		 "      name: b\n",
		 "vm:\n  name: a\n  disks:\n    # c\n    # d\n    # e\n    - name: b\n      size: "
		 "1GiB\n"},
		{"packages: [a, # b\n  c]\n", "packages:\n  - a # b\n  - c\n"},
		{"vm:\n  name: # a\n    b\n", "vm:\n  name: b # a\n"},
		/* No comments. */
		{"a: x#y\nb: \"c # d\"\nc: |\n  # text\nd: 'e #\n  f'\n",
		 "a: x#y\nb: \"c # d\"\nc: |\n  # text\nd: \"e # f\"\n"},
		{"# alone\n\n\n# again\n", "# alone\n\n# again\n"},
	};

	(void)state;
	check_all(pairs, CB_COUNT(pairs));
}

static void lines_and_quotes_have_one_form(void **state)
{
	static const struct pair pairs[] = {
		{"vm:\n      name:   a\n      boot:  {kernel: './k' }\n",
		 "vm:\n  name: a\n  boot:\n    kernel: \"./k\"\n"},
		/* Quotes are there for a reason; which ones they are is not. */
		{"a: '1'\nb: \"x\"\nc: 'say \"x\"'\nd: \"C:\\\\x\"\ne: \"\\t\"\nf: ''\n",
		 "a: \"1\"\nb: \"x\"\nc: 'say \"x\"'\nd: 'C:\\x'\ne: \"\\t\"\nf: \"\"\n"},
		{"a: ${X}\nb: \"${X}\"\nc: $${x\n", NULL},
		/* Lists on one line stay so, where they were and where they can. */
		{"a: [ x,y ,  'z']\nb:\n  - x\nc: []\nd: {}\n",
		 "a: [x, y, \"z\"]\nb:\n  - x\nc: []\nd: {}\n"},
		{"a: [{b: c}, d]\ne: [[f]]\n", "a:\n  - b: c\n  - d\ne:\n  - [f]\n"},
		{"a: [b\n  c,\n  d]\n", "a: [b c, d]\n"},
		{"a: one\n  two\nb:\n  three\n", "a: one two\nb: three\n"},
		{"vm:\n  - - a\n    - b\n  -\n    c: d\n", "vm:\n  - - a\n    - b\n  - c: d\n"},
		/* At most one empty line, and none where nothing is parted. */
		{"\n\na: 1\n\n\n\nb:\n\n  c: 1\n\n  d: 2\n\n\n", "a: 1\n\nb:\n  c: 1\n\n  d: 2\n"},
		{"a: 1\r\nb: 2 # c\r\n", "a: 1\nb: 2 # c\n"},
		{"\xef\xbb\xbf"
		 "a: \xc3\xa4 # \xc3\xb6\nb: 'x'\n",
		 "a: \xc3\xa4 # \xc3\xb6\nb: \"x\"\n"},
		{"a: \"\\u00e4\\n\\x85\"\n", "a: \"\xc3\xa4\\n\\x85\"\n"},
		{"? a\n: b\n? \n: f\n", "a: b\n?\n: f\n"},
		{"a: |\n  x\n   \n\nb: 0\n", "a: |\n  x\n   \n\nb: 0\n"},
		{"", NULL},
	};

	(void)state;
	check_all(pairs, CB_COUNT(pairs));
}

static void a_list_stays_on_a_line_of_100_columns(void **state)
{
	cb_auto_arena struct cb_arena arena = {0};
	char word[CB_FORMAT_WIDTH] = {0};
	const char *fits, *too_long;

	(void)state;
	memset(word, 'x', CB_FORMAT_WIDTH - strlen("packages: [, y]"));
	fits = cb_arena_printf(&arena, "packages: [%s, y]\n", word);
	assert_int_equal(strlen(fits), CB_FORMAT_WIDTH + 1);
	check_formatted(fits, fits);
	too_long = cb_arena_printf(&arena, "packages: [%sx, y]\n", word);
	check_formatted(too_long, cb_arena_printf(&arena, "packages:\n  - %sx\n  - y\n", word));
}

static void block_texts_keep_their_text(void **state)
{
	static const struct pair pairs[] = {
		{"vm:\n    description: |\n        one\n          two\n\n        three\n    name: "
		 "a\n",
		 "vm:\n  name: a\n  description: |\n    one\n      two\n\n    three\n"},
		{"a: >-  # b\n     one\n     two\n\n       three\n     four\nc: 1\n",
		 "a: >- # b\n  one\n  two\n\n    three\n  four\nc: 1\n"},
		{"a: |+\n  x\n\n\nb: 1\n", NULL},
		{"a: |\n  x\n\n\nb: 1\n", "a: |\n  x\n\nb: 1\n"},
		{"a:\n  b: |4\n        x\n      y\n", "a:\n  b: |2\n      x\n    y\n"},
		{"a: |\n  x", "a: |-\n  x\n"},
		{"a:\n- >1\n  x\n y\n", "a:\n  - >2\n     x\n    y\n"},
		/* What keeps empty lines gets none when it moves. */
		{"vm:\n  description: |+\n    x\n\n  name: a\n\nversion: 1\n",
		 "version: 1\nvm:\n  name: a\n  description: |+\n    x\n\n"},
	};

	(void)state;
	check_all(pairs, CB_COUNT(pairs));
}

static void anchors_stand_in_front_of_their_aliases(void **state)
{
	static const struct pair pairs[] = {
		{"vms:\n  a: &x\n    vcpus: 1\n    ram_mb: 64\n  b: *x\n  c:\n    vcpus: 2\n    "
		 "<<: *x\n",
		 "vms:\n  a: &x\n    ram_mb: 64\n    vcpus: 1\n  b: *x\n  c:\n    <<: *x\n    "
		 "vcpus: 2\n"},
		/* `vms` would come first. */
		{"profiles:\n  p: &x\n    vcpus: 1\nvms:\n  a: *x\nversion: 1\n",
		 "version: 1\nprofiles:\n  p: &x\n    vcpus: 1\nvms:\n  a: *x\n"},
		/* The same name again is another thing. */
		{"vm:\n  name: &x a\n  hostname: *x\n  description: &x b\n  timezone: *x\n",
		 "vm:\n  name: &x a\n  hostname: *x\n  description: &x b\n  timezone: *x\n"},
		{"a: !!str 10\nb: &x !!map\n  c: &y d\ne: &z [*y]\n", NULL},
		{"- &a\n  &b c: d\n", NULL},
	};

	(void)state;
	check_all(pairs, CB_COUNT(pairs));
}

static void documents_are_kept(void **state)
{
	static const struct pair pairs[] = {
		{"---\nvms: {}\n# tail\n---\n# head\nversion: 1\n", NULL},
		{"# first\n---\na: 1\n...\n---\n---\nb: 1\n",
		 "# first\n---\na: 1\n---\n---\nb: 1\n"},
		{"%YAML 1.1\n# c\n---\na: 1\n", NULL},
		{"--- |\n x\n", "--- |\n  x\n"},
		{"--- &a\nb: 1\n", NULL},
	};

	(void)state;
	check_all(pairs, CB_COUNT(pairs));
}

static void what_cannot_be_read_is_refused(void **state)
{
	static const char *const texts[] = {"vm: [", "a: 1\na: 2\n", "a: *b\n", "a: \xff\n"};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(texts); i++) {
		cb_auto_error struct cb_error err = {0};
		cb_auto_str struct cb_str out = {0};

		assert_int_equal(format_bytes(texts[i], strlen(texts[i]), &out, &err),
				 -CB_E_INVALID);
		assert_int_equal(out.len, 0);
	}
}

static void a_map_or_list_as_a_key_is_refused(void **state)
{
	static const char *const texts[] = {"a: 1\n? [b]\n: c\n", "a: 1\n? - b\n: c\n",
					    "a: 1\n{}: c\n"};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(texts); i++) {
		cb_auto_error struct cb_error err = {0};
		cb_auto_str struct cb_str out = {0};

		assert_int_equal(format_bytes(texts[i], strlen(texts[i]), &out, &err),
				 -CB_E_UNSUPPORTED);
		assert_non_null(strstr(err.message, "line 2: a map or list as a key"));
		assert_int_equal(out.len, 0);
	}
}

/* ---- every manifest there is ---- */

/* Formatted, it is the same, and formatting it again changes nothing. False: it cannot be
 * formatted.
 */
static bool check_properties(const char *name, const char *bytes, size_t len)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str once = {0}, twice = {0};
	auto_loaded struct loaded before, after;
	int r = format_bytes(bytes, len, &once, &err);

	load_bytes(&before, bytes, len);
	load_bytes(&after, cb_str_text(&once), once.len);
	if (r == -CB_E_INVALID || r == -CB_E_UNSUPPORTED)
		return false;
	if (r < 0)
		fail_msg("%s: %s", name, err.message);
	if (before.count != after.count ||
	    (!before.count && !cb_desired_same(&before.desired, &after.desired)))
		fail_msg("%s does not mean the same:\n%s", name, cb_str_text(&once));
	if (format_bytes(cb_str_text(&once), once.len, &twice, &err) < 0 ||
	    strcmp(cb_str_text(&once), cb_str_text(&twice)) != 0)
		fail_msg("%s changes again:\n%s---\n%s", name, cb_str_text(&once),
			 cb_str_text(&twice));
	return true;
}

static void every_example_of_the_table_means_the_same(void **state)
{
	const struct cb_field *fields;
	size_t n;

	(void)state;
	fields = cb_fields(&n);
	for (size_t i = 0; i < n; i++)
		assert_true(check_properties(fields[i].path, fields[i].example,
					     strlen(fields[i].example)));
}

/* All files below the directory whose name ends so. Returns how many could be read as YAML. */
static size_t check_tree(const char *path, const char *ending)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct dirent **names = NULL;
	int n = scandir(path, &names, NULL, alphasort);
	size_t good = 0;

	for (int i = 0; i < n; i++) {
		const char *name = names[i]->d_name;
		const char *file = cb_arena_printf(&arena, "%s/%s", path, name);
		cb_auto_error struct cb_error err = {0};
		cb_auto_str struct cb_str bytes = {0};
		size_t len = strlen(name), tail = strlen(ending);

		if (names[i]->d_type == DT_DIR && *name != '.')
			good += check_tree(file, ending);
		else if (names[i]->d_type == DT_REG && len >= tail &&
			 strcmp(name + len - tail, ending) == 0) {
			assert_int_equal(cb_fs_read(file, CB_MANIFEST_MAX, &bytes, &err), 0);
			good += check_properties(file, cb_str_text(&bytes), bytes.len);
		}
		free(names[i]);
	}
	free(names);
	return good;
}

static void every_manifest_of_the_tree_means_the_same(void **state)
{
	(void)state;
	assert_true(check_tree("manifests", ".yaml") > 0);
	assert_true(check_tree("tests/golden", ".yaml") > 100);
	assert_true(check_tree("tests/fuzz/corpus/manifest", "") > 10);
}

static void every_file_of_the_corpus_means_the_same(void **state)
{
	const char *path = getenv("CB_CORPUS");

	(void)state;
	if (!path || access(path, R_OK) < 0) {
		print_message("no corpus: set CB_CORPUS\n");
		skip();
	}
	assert_true(check_tree(path, ".yaml") > 0);
}

static void the_examples_are_in_canonical_form(void **state)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};
	struct cb_source_texts texts = {0};

	(void)state;
	assert_int_equal(cb_source_files(&arena, &(const char *){"manifests"}, 1, &texts, &err), 0);
	cb_vec_each (const struct cb_manifest_text, text, &texts)
		check_formatted(text->bytes, text->bytes);
}

/* ---- where people begin ---- */

static void a_starter_loads_and_is_in_canonical_form(void **state)
{
	static const struct {
		const char *name;
		enum cb_starter_form form;
		size_t vms;
	} rows[] = {
		{"dev", CB_STARTER_ONE, 1},
		{"010", CB_STARTER_ONE, 1},
		{"db", CB_STARTER_FLEET, 3},
		{"no", CB_STARTER_FLEET, 3},
	};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		cb_auto_error struct cb_error err = {0};
		cb_auto_str struct cb_str out = {0};
		auto_loaded struct loaded l;

		assert_int_equal(cb_starter(rows[i].name, rows[i].form, &out, &err), 0);
		load(&l, out.text);
		check_good(&l);
		assert_int_equal(l.desired.vms.len, rows[i].vms);
		assert_non_null(vm_of(&l, rows[i].name));
		assert_non_null(
			strstr(out.text, "yaml-language-server: $schema=" CB_STARTER_SCHEMA));
		check_formatted(out.text, out.text);
	}
}

/* Every line that is off says something that loads once it is on. */
static void what_is_off_in_a_starter_can_be_on(void **state)
{
	const char *const variables[] = {"SSH_KEY=ssh-ed25519 AAAA x", NULL};

	(void)state;
	for (int form = CB_STARTER_ONE; form <= CB_STARTER_FLEET; form++) {
		cb_auto_error struct cb_error err = {0};
		cb_auto_str struct cb_str out = {0}, on = {0};
		auto_loaded struct loaded l;
		size_t switched = 0;

		assert_int_equal(cb_starter("dev", (enum cb_starter_form)form, &out, &err), 0);
		for (char *line = strtok(out.text, "\n"); line; line = strtok(NULL, "\n")) {
			size_t in = strspn(line, " ");
			size_t word =
				strspn(line + in + strlen("# "), "abcdefghijklmnopqrstuvwxyz_");

			if (line[in] == '#' && line[in + 2 + word] == ':' &&
			    strncmp(line + in, "# yaml", strlen("# yaml")) != 0) {
				cb_str_printf(&on, "%*s%s\n", (int)in, "",
					      line + in + strlen("# "));
				switched += in > 0;
			} else if (line[0] == '#' && strncmp(line, "#   lan:", 8) == 0) {
				cb_str_printf(&on, "%s\n", line + strlen("# "));
			} else {
				cb_str_printf(&on, "%s\n", line);
			}
		}
		assert_true(switched >= 4);
		load_with(&l, variables, on.text);
		check_good(&l);
	}
}

static void a_starter_wants_a_name(void **state)
{
	static const char *const names[] = {"", ".", "a b", "a\nb: c", "\"", "-x", "a/b"};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(names); i++) {
		cb_auto_error struct cb_error err = {0};
		cb_auto_str struct cb_str out = {0};

		assert_int_equal(cb_starter(names[i], CB_STARTER_ONE, &out, &err), -CB_E_USAGE);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_stand_in_the_order_of_the_table),
		cmocka_unit_test(comments_travel_with_their_keys),
		cmocka_unit_test(lines_and_quotes_have_one_form),
		cmocka_unit_test(a_list_stays_on_a_line_of_100_columns),
		cmocka_unit_test(block_texts_keep_their_text),
		cmocka_unit_test(anchors_stand_in_front_of_their_aliases),
		cmocka_unit_test(documents_are_kept),
		cmocka_unit_test(what_cannot_be_read_is_refused),
		cmocka_unit_test(a_map_or_list_as_a_key_is_refused),
		cmocka_unit_test(every_example_of_the_table_means_the_same),
		cmocka_unit_test(every_manifest_of_the_tree_means_the_same),
		cmocka_unit_test(every_file_of_the_corpus_means_the_same),
		cmocka_unit_test(the_examples_are_in_canonical_form),
		cmocka_unit_test(a_starter_loads_and_is_in_canonical_form),
		cmocka_unit_test(what_is_off_in_a_starter_can_be_on),
		cmocka_unit_test(a_starter_wants_a_name),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
