/* What differs between two texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "reconciler/base/arena.h"
#include "reconciler/render/text_diff.h"

static void check(const char *old, const char *new, const char *want)
{
	cb_auto_str struct cb_str a = {0}, b = {0}, out = {0};

	cb_str_add(&a, old);
	cb_str_add(&b, new);
	cb_render_text_diff(&out, "f", &a, &b, CB_PLAIN);
	assert_string_equal(cb_str_text(&out), want);
}

static void it_shows_what_diff_shows(void **state)
{
	(void)state;
	check("a\nb\n", "a\nb\n", "");
	check("", "", "");
	check("", "a\n", "--- f\n+++ f\n@@ -0,0 +1,1 @@\n+a\n");
	check("a\n", "", "--- f\n+++ f\n@@ -1,1 +0,0 @@\n-a\n");
	check("a\nb", "a\nb\n",
	      "--- f\n+++ f\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n");
	check("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n6\n7\n8\n9\n",
	      "--- f\n+++ f\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n");
	/* Near each other: one piece; far from each other: two. */
	check("1\n2\n3\n4\n5\n6\n7\n8\n", "x\n2\n3\n4\n5\n6\n7\ny\n",
	      "--- f\n+++ f\n@@ -1,8 +1,8 @@\n-1\n+x\n 2\n 3\n 4\n 5\n 6\n 7\n-8\n+y\n");
	check("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "x\n2\n3\n4\n5\n6\n7\n8\ny\n",
	      "--- f\n+++ f\n@@ -1,4 +1,4 @@\n-1\n+x\n 2\n 3\n 4\n"
	      "@@ -6,4 +6,4 @@\n 6\n 7\n 8\n-9\n+y\n");
	/* What moved is taken out and put in once. */
	check("a\nb\nc\n", "b\nc\na\n", "--- f\n+++ f\n@@ -1,3 +1,3 @@\n-a\n b\n c\n+a\n");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_shows_what_diff_shows),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("text_diff", tests, NULL, NULL);
}
