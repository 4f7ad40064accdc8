/*
 * Golden errors: every tests/golden/errors/NAME.yaml is a manifest with a mistake, and NAME.txt
 * beside it is what a person reads; adding one needs no C. A line "#### NAME" begins another file.
 *
 * UPDATE_GOLDEN=1 writes what comes out: read it aloud before it is committed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/error.h"
#include "reconciler/base/fs.h"
#include "reconciler/render/render.h"
#include "schema/manifest.h"

#define DIRECTORY "tests/golden/errors"

enum { MAX_CASES = 300, MAX_FILES = 4, FILE_MAX = 1 << 20 };

/* What no error may repeat, in whichever way it was written. */
static const char *const secrets[] = {"hunter", "swordfish"};

/* Splits the text at its "#### NAME" lines. */
static size_t split(struct cb_arena *arena, const char *name, const char *bytes, size_t len,
		    struct cb_manifest_text *texts)
{
	const char *end = bytes + len, *at = bytes;
	size_t n = 0;

	while (at) {
		const char *next = memmem(at, (size_t)(end - at), "\n#### ", 6), *newline;

		assert_true(n < MAX_FILES);
		texts[n++] = (struct cb_manifest_text){
			name, "/srv/t", "file:/srv/t", at, (size_t)((next ? next + 1 : end) - at),
			NULL};
		if (!next)
			return n;
		newline = memchr(next + 1, '\n', (size_t)(end - next - 1));
		assert_non_null(newline);
		name = cb_arena_strndup(arena, next + 6, (size_t)(newline - next - 6));
		at = newline + 1;
	}
	return n;
}

/* Nothing that a terminal acts on. */
static void check_bytes(const char *text)
{
	for (const char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;

		assert_true(c >= 0x20 || c == '\n');
		assert_true(c != 0x7f);
		/* C1 */
		assert_false(c == 0xc2 && (unsigned char)p[1] < 0xa0);
	}
	for (size_t i = 0; i < CB_COUNT(secrets); i++)
		assert_null(strstr(text, secrets[i]));
}

static void check_golden(const char *path, const char *got)
{
	cb_auto_str struct cb_str wanted = {0};
	cb_auto_error struct cb_error err = {0};

	if (getenv("UPDATE_GOLDEN")) {
		FILE *file = fopen(path, "w");

		assert_non_null(file);
		assert_true(fputs(got, file) >= 0);
		assert_int_equal(fclose(file), 0);
		return;
	}
	if (cb_fs_read(path, FILE_MAX, &wanted, &err) < 0)
		fail_msg("%s; UPDATE_GOLDEN=1 writes it", err.message);
	if (strcmp(got, cb_str_text(&wanted)) != 0) {
		print_error("--- %s: wanted\n%s\n--- got\n%s\n", path, cb_str_text(&wanted), got);
		fail();
	}
}

static void error_is_as_written(void **state)
{
	const char *name = *state;
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_str struct cb_str bytes = {0}, got = {0};
	cb_auto_error struct cb_error err = {0};
	struct cb_manifest_text texts[MAX_FILES];
	struct cb_desired desired;
	struct cb_problems problems = {0};
	const char *base = cb_arena_printf(&arena, DIRECTORY "/%s", name);
	size_t n;

	if (cb_fs_read(cb_arena_printf(&arena, "%s.yaml", base), FILE_MAX, &bytes, &err) < 0)
		fail_msg("%s", err.message);
	n = split(&arena, cb_arena_printf(&arena, "%s.yaml", name), cb_str_text(&bytes), bytes.len,
		  texts);
	(void)!cb_manifest_load(&arena, texts, n, &desired, &problems);
	assert_true(problems.len > 0);
	cb_render_problems(&got, &problems, CB_PLAIN);
	check_bytes(cb_str_text(&got));
	check_golden(cb_arena_printf(&arena, "%s.txt", base), cb_str_text(&got));
}

int main(int argc, char **argv)
{
	static struct CMUnitTest tests[MAX_CASES];
	static char names[MAX_CASES][64];
	struct dirent **entries = NULL;
	int n = scandir(DIRECTORY, &entries, NULL, alphasort);
	size_t count = 0;

	if (n < 0) {
		(void)fprintf(stderr, "no " DIRECTORY " here: run from the top of the tree\n");
		return 1;
	}
	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;
		size_t len = strlen(name);

		if (len > 5 && len < sizeof(names[0]) && strcmp(name + len - 5, ".yaml") == 0 &&
		    count < MAX_CASES) {
			memcpy(names[count], name, len - 5);
			tests[count] = (struct CMUnitTest){
				.name = names[count],
				.test_func = error_is_as_written,
				.initial_state = names[count],
			};
			count++;
		}
		free(entries[i]);
	}
	free(entries);
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return _cmocka_run_group_tests("errors", tests, count, NULL, NULL);
}
