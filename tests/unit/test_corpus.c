/*
 * Files of CloneBox's own, where they are at hand: each loads strictly, leniently, or is refused,
 * as the table says. The files are others', and stay where they are; what is derived from their
 * shapes stands in test_clonebox.c.
 */
#include <dirent.h>

#include "reconciler/base/fs.h"
#include "reconciler/base/str.h"
#include "tests/unit/loaded.h"

#define CORPUS "../shared/corpus/clonebox-yaml"

enum how { STRICT, LENIENT, REFUSED };

static const char *const words[] = {
	[STRICT] = "loads strictly", [LENIENT] = "loads leniently", [REFUSED] = "is refused"};

/* clang-format off */
static const struct {
	const char *name;
	enum how how;
	const char *why; /* of what is refused: "line:column check" and words of the message */
} table[] = {
	{"derived-clone-generated.yaml", STRICT, NULL},
	{"derived-conftest-L30.yaml", STRICT, NULL},
	{"derived-conftest-L332.yaml", STRICT, NULL},
	{"derived-conftest-L61.yaml", STRICT, NULL},
	{"derived-test_cli-L196.yaml", STRICT, NULL},
	{"derived-test_cli-L213.yaml", STRICT, NULL},
	{"derived-test_coverage_boost_final-L90.yaml", LENIENT, NULL},
	{"derived-test_full_workflow-L147.yaml", STRICT, NULL},
	{"derived-test_full_workflow-L277.yaml", LENIENT, NULL},
	{"derived-test_full_workflow-L304.yaml", STRICT, NULL},
	{"derived-test_full_workflow-L42.yaml", STRICT, NULL},
	{"derived-test_models-L108.yaml", STRICT, NULL},
	{"derived-test_orchestrator-L148.yaml", REFUSED, "6:7 manifest.reference|'depends_on': there is no VM 'nonexistent'"},
	{"derived-test_orchestrator-L256.yaml", STRICT, NULL},
	{"derived-test_orchestrator-L51.yaml", STRICT, NULL},
	{"derived-test_orchestrator-L75.yaml", REFUSED, "3:3 manifest.cycle|these VMs wait for each other: a -> b -> c -> a"},
	{"derived-test_orchestrator-L99.yaml", REFUSED, "1:10 manifest.value|'version' wants one of: 1, 2"},
	{"derived-test_v2_features-L102.yaml", STRICT, NULL},
	{"derived-test_v2_features-L535.yaml", STRICT, NULL},
	{"derived-test_v2_features-L567.yaml", STRICT, NULL},
	{"derived-test_validator-L100.yaml", STRICT, NULL},
	{"derived-test_validator-L160.yaml", STRICT, NULL},
	{"derived-test_validator-L19.yaml", STRICT, NULL},
	{"derived-test_validator-L200.yaml", STRICT, NULL},
	{"derived-test_validator-L271.yaml", STRICT, NULL},
	{"derived-test_validator-L431.yaml", STRICT, NULL},
	{"derived-test_validator-L490.yaml", STRICT, NULL},
	{"derived-test_validator-L522.yaml", STRICT, NULL},
	{"derived-test_validator-L79.yaml", STRICT, NULL},
	{"md-01-secrets-isolation-L12.yaml", LENIENT, NULL},
	{"md-01-secrets-isolation-L30.yaml", LENIENT, NULL},
	{"md-01-secrets-isolation-L558.yaml", STRICT, NULL},
	{"md-01-secrets-isolation-L770.yaml", LENIENT, NULL},
	{"md-01-secrets-isolation-L779.yaml", LENIENT, NULL},
	{"md-01-secrets-isolation-L785.yaml", LENIENT, NULL},
	{"md-01-secrets-isolation-L805.yaml", LENIENT, NULL},
	{"md-01-secrets-isolation-L840.yaml", LENIENT, NULL},
	{"md-04-health-checks-L1013.yaml", LENIENT, NULL},
	{"md-04-health-checks-L1044.yaml", LENIENT, NULL},
	{"md-04-health-checks-L28.yaml", LENIENT, NULL},
	{"md-04-health-checks-L924.yaml", LENIENT, NULL},
	{"md-04-health-checks-L941.yaml", LENIENT, NULL},
	{"md-04-health-checks-L951.yaml", LENIENT, NULL},
	{"md-04-health-checks-L971.yaml", LENIENT, NULL},
	{"md-04-health-checks-L982.yaml", LENIENT, NULL},
	{"md-05-resource-limits-L18.yaml", STRICT, NULL},
	{"md-05-resource-limits-L534.yaml", LENIENT, NULL},
	{"md-05-resource-limits-L649.yaml", LENIENT, NULL},
	{"md-05-resource-limits-L663.yaml", LENIENT, NULL},
	{"md-05-resource-limits-L694.yaml", LENIENT, NULL},
	{"md-05-resource-limits-L708.yaml", LENIENT, NULL},
	{"md-05-resource-limits-L776.yaml", LENIENT, NULL},
	{"md-06-dependency-injection-L1003.yaml", LENIENT, NULL},
	{"md-06-dependency-injection-L837.yaml", LENIENT, NULL},
	{"md-06-dependency-injection-L886.yaml", LENIENT, NULL},
	{"md-CLONEBOX_IMPLEMENTATION_SUMMARY-L116.yaml", STRICT, NULL},
	{"md-CLONEBOX_IMPLEMENTATION_SUMMARY-L124.yaml", LENIENT, NULL},
	{"md-CLONEBOX_IMPLEMENTATION_SUMMARY-L163.yaml", LENIENT, NULL},
	{"md-CLONEBOX_IMPLEMENTATION_SUMMARY-L175.yaml", LENIENT, NULL},
	{"md-CLONEBOX_IMPLEMENTATION_SUMMARY-L184.yaml", LENIENT, NULL},
	{"md-CLONEBOX_IMPROVEMENTS_ROADMAP-L1349.yaml", LENIENT, NULL},
	{"md-CLONEBOX_IMPROVEMENTS_ROADMAP-L2081.yaml", STRICT, NULL},
	{"md-CLONEBOX_IMPROVEMENTS_ROADMAP-L2964.yaml", LENIENT, NULL},
	{"md-CLONEBOX_IMPROVEMENTS_ROADMAP-L475.yaml", STRICT, NULL},
	{"md-QUICK_REFERENCE-L339.yaml", STRICT, NULL},
	{"md-QUICK_REFERENCE-L78.yaml", LENIENT, NULL},
	{"md-README-L1034.yaml", LENIENT, NULL},
	{"md-README-L117.yaml", LENIENT, NULL},
	{"md-README-L932.yaml", LENIENT, NULL},
	{"profile-ml-dev.yaml", STRICT, NULL},
	{"profile-web-stack.yaml", STRICT, NULL},
	{"repo-bbbe5e7-clonebox.yaml", STRICT, NULL},
	{"repo-clonebox.clean.yaml", STRICT, NULL},
	{"repo-clonebox.test.yaml", STRICT, NULL},
	{"test-test_full_workflow-L105.yaml", REFUSED, "1:4 manifest.type|'vm' wants a map, found nothing"},
	{"test-test_models-L196.yaml", STRICT, NULL},
};

/* clang-format on */

static const char *corpus(void)
{
	const char *path = getenv("CB_CORPUS");

	return path ? path : CORPUS;
}

/* What the file is to be taken for: its name tells, and its first lines. */
static enum cb_text_kind kind_of(const char *name)
{
	return strncmp(name, "profile-", strlen("profile-")) == 0 ? CB_TEXT_PROFILE
								  : CB_TEXT_MANIFEST;
}

/* Loads it, with a stand-in for each manifest that it refers to: those are not in the corpus. */
static void load_file(struct loaded *l, const char *name, const struct cb_str *bytes, bool lenient)
{
	static const char *const variables[] = {"VM_PASSWORD=ubuntu", NULL};
	static const char stand_in[] = "vm: {name: a, ram_mb: 1024}\n";
	struct cb_manifest_text texts[16] = {{.name = name,
					      .directory = "/srv/c",
					      .source = "file:/srv/c",
					      .bytes = cb_str_text(bytes),
					      .len = bytes->len,
					      .variables = variables,
					      .kind = kind_of(name),
					      .as = "it",
					      .lenient = lenient,
					      .fragment = lenient}};
	size_t n = 1;

	*l = (struct loaded){0};
	l->count = cb_manifest_load(&l->arena, texts, 1, &l->desired, &l->problems);
	cb_vec_each (const struct cb_wanted, wanted, &l->desired.wanted) {
		assert_true(n < CB_COUNT(texts));
		texts[n++] = (struct cb_manifest_text){.name = "stand-in",
						       .directory = "/srv/c",
						       .source = "file:/srv/c",
						       .bytes = stand_in,
						       .len = strlen(stand_in),
						       .kind = (enum cb_text_kind)wanted->kind,
						       .as = wanted->name};
	}
	if (n == 1)
		return;
	l->problems = (struct cb_problems){0};
	l->count = cb_manifest_load(&l->arena, texts, n, &l->desired, &l->problems);
}

/* Every problem has a place in the file. */
static void check_places(const struct loaded *l, const char *name)
{
	cb_vec_each (const struct cb_problem, problem, &l->problems) {
		if (strcmp(problem->origin.file, name) != 0 || !problem->origin.line ||
		    !problem->origin.column)
			fail_msg("%s: '%s' has no place", name, problem->message);
	}
}

static const char *first_error(struct loaded *l)
{
	cb_vec_each (const struct cb_problem, problem, &l->problems) {
		if (problem->severity == CB_PROBLEM)
			return line_of(l, problem);
	}
	return "";
}

static void check_file(size_t row, const struct cb_str *bytes, size_t counts[])
{
	const char *name = table[row].name;
	auto_loaded struct loaded strict, lenient;
	enum how how;

	load_file(&strict, name, bytes, false);
	load_file(&lenient, name, bytes, true);
	check_places(&strict, name);
	check_places(&lenient, name);
	how = strict.count == 0 ? STRICT : lenient.count == 0 ? LENIENT : REFUSED;
	counts[how]++;
	print_message("%-16s %s\n", words[how], name);
	/* What loads strictly loads leniently, too. */
	assert_true(strict.count > 0 || lenient.count == 0);
	if (how != table[row].how) {
		dump(&strict);
		print_error("  leniently:\n");
		dump(&lenient);
		fail_msg("%s %s, the table says that it %s", name, words[how],
			 words[table[row].how]);
	}
	if (how == REFUSED)
		check_line(&lenient, table[row].why, first_error(&lenient), name);
}

static void every_file_is_treated_as_the_table_says(void **state)
{
	size_t counts[3] = {0};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(table); i++) {
		cb_auto_arena struct cb_arena arena = {0};
		cb_auto_error struct cb_error err = {0};
		cb_auto_str struct cb_str bytes = {0};
		const char *path = cb_arena_printf(&arena, "%s/%s", corpus(), table[i].name);

		if (cb_fs_read(path, CB_MANIFEST_MAX, &bytes, &err) < 0)
			fail_msg("%s", err.message);
		check_file(i, &bytes, counts);
	}
	print_message("corpus: %zu load strictly, %zu leniently, %zu are refused\n", counts[STRICT],
		      counts[LENIENT], counts[REFUSED]);
}

static bool in_table(const char *name)
{
	for (size_t i = 0; i < CB_COUNT(table); i++) {
		if (strcmp(table[i].name, name) == 0)
			return true;
	}
	return false;
}

static void no_file_is_left_out(void **state)
{
	DIR *dir = opendir(corpus());
	const struct dirent *entry;

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);

		if (len > 5 && strcmp(entry->d_name + len - 5, ".yaml") == 0 &&
		    !in_table(entry->d_name))
			fail_msg("%s is not in the table", entry->d_name);
	}
	(void)closedir(dir);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_file_is_treated_as_the_table_says),
		cmocka_unit_test(no_file_is_left_out),
	};
	DIR *dir = opendir(corpus());

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	if (!dir) {
		printf("skipped: CloneBox's files are not at %s; name their place with "
		       "CB_CORPUS=DIRECTORY\n",
		       corpus());
		return 0;
	}
	(void)closedir(dir);
	return cmocka_run_group_tests_name("corpus", tests, NULL, NULL);
}
