/*
 * Each construct of YAML once, in the manner of the yaml-test-suite: read as the specification
 * says, or refused at its place; never read as something else without a word.
 */
#include "schema/yaml.h"

#include "tests/unit/loaded.h"

/* `text` is what the description of the VM has to be; without one, `problem` is what is said, as in
 * check_line. */
struct construct {
	const char *name, *yaml, *text, *problem;
};

#define IN(value) "vm:\n  name: a\n  description: " value

/* clang-format off */
static const struct construct constructs[] = {
	/* flow scalars */
	{"plain", IN("some text\n"), "some text", NULL},
	{"plain with a comment", IN("some text # not this\n"), "some text", NULL},
	{"plain with a hash inside", IN("some#text\n"), "some#text", NULL},
	{"plain with colons inside", IN("a:b::c\n"), "a:b::c", NULL},
	{"plain with quotes inside", IN("it's \"so\"\n"), "it's \"so\"", NULL},
	{"plain with a dash in front", IN("-x\n"), "-x", NULL},
	{"plain with a question mark in front", IN("?x\n"), "?x", NULL},
	{"plain with a colon in front", IN(":x\n"), ":x", NULL},
	{"plain over lines", IN("one\n    two\n\n    three\n"), "one two\nthree", NULL},
	{"plain without indentation", IN("one\ntwo\n"), NULL, "4:1 manifest.syntax"},
	{"plain on the next line", IN("\n    below\n"), "below", NULL},
	{"plain in flow", "vm: {name: a, description: one\n two}\n", "one two", NULL},
	{"single quotes", IN("'it''s # no: comment'\n"), "it's # no: comment", NULL},
	{"single quotes over lines", IN("'one\n    two\n\n    three'\n"), "one two\nthree", NULL},
	{"single quotes know no escapes", IN("'a\\nb'\n"), "a\\nb", NULL},
	{"double quotes", IN("\"a\\tb\\nc\\\\ \\\"d\\\" \\/\"\n"), "a\tb\nc\\ \"d\" /", NULL},
	{"double quotes with code points", IN("\"\\x41\\u00e4\\U0001F600\"\n"), "A\xc3\xa4\xf0\x9f\x98\x80", NULL},
	{"double quotes with a blank escaped", IN("\"a\\ b\\_c\"\n"), "a b\xc2\xa0" "c", NULL},
	{"double quotes over lines", IN("\"one\n    two\n\n    three\"\n"), "one two\nthree", NULL},
	{"double quotes, line end escaped", IN("\"one\\\n    two\"\n"), "onetwo", NULL},
	{"double quotes, half of a surrogate pair", IN("\"\\uD800\"\n"), NULL, "3:19 manifest.syntax|not a character"},
	{"double quotes, too few digits", IN("\"\\x4\"\n"), NULL, "3:19 manifest.syntax|digits of this escape"},
	{"double quotes, beyond Unicode", IN("\"\\UFFFFFFFF\"\n"), NULL, "3:19 manifest.syntax|not a character"},
	{"double quotes, a NUL", IN("\"a\\0\"\n"), NULL, "3:16 manifest.value|control character"},
	{"double quotes, a bell", IN("\"\\a\"\n"), NULL, "3:16 manifest.value|control character"},
	{"text behind a quote", IN("\"a\" b\n"), NULL, "3:20 manifest.syntax"},
	{"document marker in a quote", IN("\"a\n---\nb\"\n"), NULL, "4:1 manifest.syntax|inside a quoted text"},

	/* block scalars */
	{"literal", IN("|\n    one\n     two\n    three\n"), "one\n two\nthree\n", NULL},
	{"literal, stripped", IN("|-\n    one\n    two\n\n"), "one\ntwo", NULL},
	{"literal, kept", IN("|+\n    one\n\n\n"), "one\n\n\n", NULL},
	{"literal with its indentation", IN("|1\n    one\n   two\n"), " one\ntwo\n", NULL},
	{"literal with both indicators", IN("|1-\n    one\n"), " one", NULL},
	{"literal with both, the other way round", IN("|-1\n    one\n"), " one", NULL},
	{"literal with a comment", IN("| # why\n    one\n"), "one\n", NULL},
	{"literal holds what looks like YAML", IN("|\n    a: [b # c\n    - d\n    --- e\n"), "a: [b # c\n- d\n--- e\n", NULL},
	{"literal with a tab in the text", IN("|\n    a\tb\n"), "a\tb\n", NULL},
	{"literal with blank lines in front", IN("|\n\n\n    one\n"), "\n\none\n", NULL},
	{"literal that is empty", IN("|\n  vcpus: 2\n"), "", NULL},
	{"literal with indentation 0", IN("|0\n    one\n"), NULL, "3:17 manifest.syntax|indented by 0"},
	{"literal with two digits", IN("|12\n    one\n"), NULL, "3:18 manifest.syntax|has to end here"},
	{"literal with two signs", IN("|+-\n    one\n"), NULL, "3:18 manifest.syntax|has to end here"},
	{"literal, text on its line", IN("| one\n"), NULL, "3:18 manifest.syntax|has to end here"},
	{"literal, less indented than its first line", IN("|\n     one\n    two\n"), NULL, "5:5 manifest.syntax"},
	{"literal with a tab for indentation", IN("|\n\tone\n"), NULL, "4:1 manifest.syntax|tab"},
	{"folded", IN(">\n    one\n    two\n\n    three\n"), "one two\nthree\n", NULL},
	{"folded, stripped", IN(">-\n    one\n    two\n"), "one two", NULL},
	{"folded, kept", IN(">+\n    one\n\n"), "one\n\n", NULL},
	{"folded with more indented lines", IN(">-\n    one\n      two\n    three\n"), "one\n  two\nthree", NULL},
	{"folded at the end of the file", IN(">-\n    one"), "one", NULL},

	/* collections */
	{"keys in any order", "vm:\n  description: x\n  name: a\n", "x", NULL},
	{"keys in quotes", "\"vm\":\n  'name': a\n  \"description\": x\n", "x", NULL},
	{"keys with escapes", "vm: {name: a, \"descri\\u0070tion\": x}\n", "x", NULL},
	{"key with a question mark", "? vm\n: name: a\n  ? description\n  : x\n", "x", NULL},
	{"key with a question mark and no value", "vm:\n  name: a\n  description: x\n  ? vcpus\n", "x", NULL},
	{"key without a value in flow", "vm: {name: a, description: x, vcpus}\n", "x", NULL},
	{"flow with quotes and no blank", "vm: {\"name\":a,\"description\":\"x\"}\n", "x", NULL},
	{"flow without a blank behind the colon", "vm: {name: a, description:x}\n", NULL,
	 "1:15 manifest.unknown-key|'description:x'"},
	{"block without a blank behind the colon", "vm:\n  name: a\n  description:x\n", NULL, "3:3 manifest.syntax|no ':'"},
	{"flow over lines", "vm: {\n  name: a,\n  description: x,\n}\n", "x", NULL},
	{"flow with comments", "vm: { # one\n  name: a, # two\n  description: x # three\n}\n", "x", NULL},
	{"flow with two commas", "vm: {name: a,, description: x}\n", NULL, "1:14 manifest.syntax"},
	{"flow with a comma in front", "vm: {, name: a}\n", NULL, "1:6 manifest.syntax"},
	{"flow closed by the wrong bracket", "vm: {name: a]\n", NULL, "1:13 manifest.syntax|'}'"},
	{"flow closed twice", "vm: {name: a}}\n", NULL, "1:14 manifest.syntax"},
	{"list as compact as can be", "vm:\n  name: a\n  description: x\n  packages:\n  - b\n  - c\n", "x", NULL},
	{"list in a list", "vm: {name: a, description: x, cloud_init: {k: [[1], [2]]}}\n", "x", NULL},
	{"pair in a list", "vm: {name: a, description: x, cloud_init: {k: [b: c]}}\n", "x", NULL},
	{"map as a key", "vm: {name: a, {b: c}: d}\n", NULL, "1:15 manifest.type|a key has to be text, found a map"},
	{"list as a key", "vm: {name: a, [b]: d}\n", NULL, "1:15 manifest.type|a key has to be text, found a list"},
	{"block list as a key", "vm:\n  name: a\n  ? - b\n  : d\n", NULL, "3:5 manifest.type|found a list"},
	{"key that is empty", "vm:\n  name: a\n  : x\n", NULL, "3:3 manifest.syntax|does not fit"},
	{"key that is too long", "vm: {name: a, description: x}\n? " "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\n: 1\n", NULL,
	 "2:3 manifest.unknown-key"},
	{"same key quoted and not", "vm: {name: a, vcpus: 1, 'vcpus': 2}\n", NULL, "1:25 manifest.duplicate-key"},
	{"same key by an escape", "vm: {name: a, vcpus: 1, \"vc\\u0070us\": 2}\n", NULL, "1:25 manifest.duplicate-key"},

	/* anchors, aliases, merges */
	{"anchor and alias", "vms:\n  b: {state: absent, pool: &p x}\n  a: {description: *p}\n", "x", NULL},
	{"anchor given twice: the last one", "vms:\n  b: {pool: &p y, description: &p x}\n  a: {description: *p}\n", "x", NULL},
	{"anchor of another document", "vms: {b: {pool: &p x}}\n---\nvms:\n  a: {description: *p}\n", NULL, "4:20 manifest.syntax|no anchor 'p'"},
	{"anchor behind its alias", "vms:\n  a: {description: *p}\n  b: {pool: &p x}\n", NULL, "2:20 manifest.syntax|no anchor"},
	{"anchor of a key", "vms:\n  b: {&d description: y}\n  a: {*d : x}\n", "x", NULL},
	{"anchor of nothing", "vms:\n  b: {pool: &p }\n  a: {pool: *p, description: x}\n", "x", NULL},
	{"anchor and a tag", IN("&x !!str 12\n"), "12", NULL},
	{"anchor twice at one value", IN("&x &y z\n"), NULL, "3:19 manifest.syntax"},
	{"anchor without a name", IN("& x\n"), NULL, "3:17 manifest.syntax|needs a name"},
	{"anchor of an alias", "vms:\n  b: {pool: &p x}\n  a: {description: &q *p}\n", NULL, "3:23 manifest.syntax"},
	{"alias as a key of its own map", "vm: &v {name: a, *v : x}\n", NULL, "1:18 manifest.syntax|stands inside"},
	{"merge", "vms:\n  b: &b {description: x, pool: p}\n  a: {<<: *b, pool: q}\n", "x", NULL},
	{"merge of several: the first one wins", "vms:\n  b: &b {description: x}\n  c: &c {description: y}\n  a: {<<: [*b, *c]}\n", "x", NULL},
	{"merge below the key: the key wins", "vms:\n  b: &b {description: y}\n  a: {description: x, <<: *b}\n", "x", NULL},
	{"merge in quotes is a key", "vms:\n  b: &b {description: y}\n  a: {'<<': *b}\n", NULL, "3:7 manifest.unknown-key|'<<'"},
	{"merge twice", "vms:\n  b: &b {description: y}\n  a: {<<: *b, <<: *b}\n", NULL, "3:15 manifest.duplicate-key"},
	{"merge of a list with text", "vms:\n  b: &b {description: y}\n  a: {<<: [*b, z]}\n", NULL, "3:11 manifest.type|'<<'"},

	/* tags */
	{"tag of text", IN("!!str 2026-01-31\n"), "2026-01-31", NULL},
	{"tag without a kind", IN("! 12\n"), "12", NULL},
	{"tag written out", IN("!<tag:yaml.org,2002:str> 12\n"), "12", NULL},
	{"tag by a handle", "%TAG !e! tag:yaml.org,2002:\n---\n" IN("!e!str 12\n"), "12", NULL},
	{"tag of a map", "vm: !!map {name: a, description: x}\n", "x", NULL},
	{"tag of a list where a map is", "vm: !!seq {name: a}\n", NULL, "1:5 manifest.tag|'!!seq'"},
	{"tag of a number", "vm: {name: a, description: !!int x}\n", NULL, "1:28 manifest.tag|'!!int'"},
	{"tag of a number at a number", "vm: {name: a, vcpus: !!int 2}\n", NULL, "1:22 manifest.tag|'!!int'"},
	{"tag of text at a number", "vm: {name: a, vcpus: !!str 2}\n", NULL, "1:22 manifest.type|the text '2'|remove the tag"},
	{"tag of a set", "vm: {name: a, packages: !!set {x}}\n", NULL, "1:25 manifest.tag|'!!set'"},
	{"tag of an object", "vm: !!python/object:os.system {name: a}\n", NULL, "1:5 manifest.tag|python"},
	{"tag of a key", "vm: {name: a, !!binary dmNwdXM=: 1}\n", NULL, "1:15 manifest.tag|'!!binary'"},
	{"tag that is cut off", IN("!<x y\n"), NULL, "3:19 manifest.syntax|'>'"},

	/* documents and directives */
	{"document with a start", "---\n" IN("x\n"), "x", NULL},
	{"document with an end", "---\n" IN("x\n") "...\n", "x", NULL},
	{"document on the line of its start", "--- {vm: {name: a, description: x}}\n", "x", NULL},
	{"documents", "---\nvm: {name: b}\n---\n" IN("x\n"), "x", NULL},
	{"documents that are empty", "---\n---\n" IN("x\n") "---\n---\n", "x", NULL},
	{"directive YAML 1.1", "%YAML 1.1\n---\n" IN("x\n"), "x", NULL},
	{"directive YAML 1.2", "%YAML 1.2\n---\n" IN("x\n"), "x", NULL},
	{"directive YAML twice", "%YAML 1.1\n%YAML 1.1\n---\n" IN("x\n"), NULL, "2:1 manifest.syntax"},
	{"directive nobody knows", "%FOO bar\n---\n" IN("x\n"), NULL, "1:5 manifest.syntax|not known"},
	{"directive without a document", "%YAML 1.1\n", NULL, "2:1 manifest.syntax"},
	{"directive behind a document, without its end", IN("x\n") "%YAML 1.1\n---\n", "x", NULL},
	{"start of a document in a map", "vm:\n  name: a\n--- \n  description: x\n", NULL, "4:3 manifest.unknown-key"},

	/* layout */
	{"comments everywhere", "# a\nvm: # b\n  # c\n  name: a # d\n# e\n  description: x\n# f", "x", NULL},
	{"comment right behind a quote", IN("\"x\"#y\n"), "x", NULL},
	{"line ends of Windows", "vm:\r\n  name: a\r\n  description: x\r\n", "x", NULL},
	{"line ends of an old Mac", "vm:\r  name: a\r  description: x\r", "x", NULL},
	{"blanks behind everything", "vm:  \n  name: a  \n  description: x  \n  \n", "x", NULL},
	{"tabs behind a value", "vm:\n  name: a\t\n  description: x\t# y\n", "x", NULL},
	{"tab behind a colon", "vm:\n  name:\ta\n  description:\tx\n", "x", NULL},
	{"tab between indentation and key", "vm:\n  name: a\n  \tdescription: x\n", NULL, "3:3 manifest.syntax"},
	{"tabs in flow", "vm:\n  {\n\tname: a,\n\tdescription: x}\n", "x", NULL},
	{"byte order mark", "\xef\xbb\xbf" IN("x\n"), "x", NULL},
	{"byte order mark inside", IN("x\n") "\xef\xbb\xbf  vcpus: 2\n", NULL, "4:1 manifest.encoding"},
	{"reserved @", IN("@x\n"), NULL, "3:16 manifest.syntax|'@' cannot start a value"},
	{"reserved `", IN("`x`\n"), NULL, "3:16 manifest.syntax|'`' cannot start a value"},
	{"percent", IN("%x\n"), NULL, "3:16 manifest.syntax|'%' cannot start a value"},
	{"no line end at the end", IN("x"), "x", NULL},
};

/* clang-format on */

static void check(const struct construct *row)
{
	auto_loaded struct loaded l;
	const char *text;

	load(&l, row->yaml);
	if (row->problem) {
		if (l.problems.len == 0)
			fail_msg("%s: read without a word", row->name);
		print_message("%s: ", row->name);
		check_line(&l, row->problem, line_of(&l, &l.problems.items[0]), "t.yaml");
		print_message("told\n");
		return;
	}
	if (l.count > 0) {
		dump(&l);
		fail_msg("%s: is YAML, and was refused", row->name);
	}
	text = cb_spec_string(spec_of(&l, "a"), "description");
	if (!text || strcmp(text, row->text) != 0)
		fail_msg("%s: wanted '%s', read '%s'", row->name, row->text,
			 text ? text : "(null)");
}

static void each_construct_is_read_right_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < CB_COUNT(constructs); i++)
		check(&constructs[i]);
}

/* Cut off anywhere, a text may be right or wrong; it must not be more than it was. */
static void each_construct_is_survived_when_cut_off(void **state)
{
	(void)state;
	for (size_t i = 0; i < CB_COUNT(constructs); i++) {
		for (size_t len = 0; len < strlen(constructs[i].yaml); len++) {
			auto_loaded struct loaded l;

			load_bytes(&l, constructs[i].yaml, len);
			assert_true(l.count > 0 || l.desired.vms.len <= 3);
			cb_vec_each (const struct cb_problem, problem, &l.problems)
				assert_true(problem->origin.line > 0 && problem->origin.column > 0);
		}
	}
}

/* A mistake at any place of a manifest that holds a password: no part of it is shown. */
static void a_password_is_never_shown(void **state)
{
	static const char *const layouts[] = {
		"vm:\n  name: a\n  password: hunterzq\n  vcpus: 0\n",
		"vm: {name: a, vcpus: 0, password: hunterzq, gui: 3}\n",
		"vm: {name: a, \"password\":\"hunterzq\", gui: 3}\n",
		"vm:\n  name: a\n  password: |\n    hunt\n    erzq\n  gui: 3\n",
		"vm:\n  name: a\n  password: 'hunt\n    erzq'\n  gui: 3\n",
		"vm:\n  name: a\n  password:\n    hunterzq\n  gui: 3\n",
		"vm:\n  name: a\n  ? password\n  : hunterzq\n  gui: 3\n",
	};
	static const char marks[] = "@\t\"'{}[]:,#&*!|>%\n \x01\xff";

	(void)state;
	for (size_t i = 0; i < CB_COUNT(layouts); i++) {
		size_t len = strlen(layouts[i]);

		for (size_t n = 0; n < len * (sizeof(marks) - 1); n++) {
			auto_loaded struct loaded l;
			char *yaml = strdup(layouts[i]);

			assert_non_null(yaml);
			/* Nobody can tell what half a word is, or half a password. */
			if (strchr("passwordhunterzq\n", layouts[i][n / (sizeof(marks) - 1)]) &&
			    strchr(",\n[]{}", marks[n % (sizeof(marks) - 1)])) {
				free(yaml);
				continue;
			}
			yaml[n / (sizeof(marks) - 1)] = marks[n % (sizeof(marks) - 1)];
			load_bytes(&l, yaml, len);
			cb_vec_each (const struct cb_problem, problem, &l.problems) {
				const char *shown = problem->excerpt.text;

				if (shown && (strstr(shown, "hunt") || strstr(shown, "erzq")))
					fail_msg("shown: %s\nof: %s", shown, yaml);
			}
			free(yaml);
		}
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_construct_is_read_right_or_refused),
		cmocka_unit_test(each_construct_is_survived_when_cut_off),
		cmocka_unit_test(a_password_is_never_shown),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
