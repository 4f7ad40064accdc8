/*
 * Requests of a dead run that are executed after its transaction was taken back: the next run
 * removes what they brought, and nothing else.
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

#include "reconciler/base/fs.h"
#include "reconciler/journal/late.h"
#include "tests/support/fixture.h"

static const char manifest[] = "vm:\n  name: dev\n  ram_mb: 64\n  state: stopped\n"
			       "  disk_size_gb: 1\n  base_image: base.raw\n"
			       "  boot: {kernel: kernel}\n"
			       "  username: dev\n  auth_method: password\n  password: first\n"
			       "  disks: [{name: data, size: 1GiB}]\n";

static void prepare(struct fixture *f)
{
	fixture_init(f, NULL);
	fixture_load(f, manifest, "tests/golden/images");
	f->request.flags = CB_PLAN_FORCE_OFF;
}

/* Domains and files. A pool that came late is one that was there before. */
static char *state_of(const struct fixture *f)
{
	char *text = fixture_state(f), *out;
	json_t *state = json_loads(text, 0, NULL);

	json_object_del(state, "pools");
	out = json_dumps(state, JSON_SORT_KEYS);
	json_decref(state);
	free(text);
	return out;
}

static char *undisturbed(void)
{
	cb_auto_error struct cb_error err = {0};
	struct fixture f;
	char *state;

	prepare(&f);
	assert_int_equal(fixture_apply(&f, &err), 0);
	state = state_of(&f);
	fixture_release(&f);
	return state;
}

static size_t notes(const struct fixture *f)
{
	char path[512];
	struct dirent **names;
	int n;

	(void)snprintf(path, sizeof(path), "%s/journal/late", f->state_dir);
	n = scandir(path, &names, NULL, NULL);
	if (n < 0)
		return 0;
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return (size_t)n - 2;
}

/* The run dies after its n-th change and is taken back; then everything is there again that it had
 * asked for.  Returns whether it died. */
static bool comes_late(unsigned n, const char *wanted)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str made = {0};
	struct fixture f;
	bool died;
	char *state;

	prepare(&f);
	f.fault = CB_FAULT_DIE_AFTER;
	f.at = n;
	died = fixture_apply_forked(&f) == 137;
	assert_int_equal(cb_fs_read(f.host_path, 1 << 20, &made, &err), 0);
	if (died) {
		assert_int_equal(fixture_settle_forked(&f, CB_RECOVER_BACK), 0);
		assert_int_equal(fixture_open_journals(&f), 0);
		assert_int_equal(notes(&f), 1);
		assert_int_equal(cb_fs_write_atomic(f.host_path, made.text, made.len, &err), 0);
	}
	if (fixture_apply(&f, &err) < 0)
		fail_msg("after change %u: %s", n, err.message);
	state = state_of(&f);
	if (strcmp(state, wanted) != 0)
		print_error("after change %u\n", n);
	assert_string_equal(state, wanted);
	assert_int_equal(fixture_pending(&f), 0);
	free(state);
	/* When nothing can come any more, nobody looks. */
	fixture_later = INT64_C(10) * 365 * 86400;
	assert_int_equal(fixture_apply(&f, &err), 0);
	fixture_later = 0;
	assert_int_equal(notes(&f), 0);
	fixture_release(&f);
	return died;
}

static void what_comes_late_is_removed(void **unused)
{
	char *wanted = undisturbed();
	unsigned n = 1;

	(void)unused;
	while (comes_late(n, wanted))
		n++;
	assert_true(n > 6);
	free(wanted);
}

/* A note of a transaction that was committed, or of none, is nobody's business. */
static void what_was_committed_stays(void **unused)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_journal_ids ids = {0};
	struct fixture f;
	char *before, *after;

	(void)unused;
	prepare(&f);
	assert_int_equal(fixture_apply(&f, &err), 0);
	before = state_of(&f);
	assert_int_equal(cb_journal_list(f.state_dir, CB_JOURNALS_CLOSED, &arena, &ids, &err), 0);
	assert_int_equal(ids.len, 1);
	assert_int_equal(cb_late_note(f.state_dir, ids.items[0], &err), 0);
	assert_int_equal(cb_late_note(f.state_dir, ids.items[0], &err), 0);
	assert_int_equal(cb_late_note(f.state_dir, "20200101T000000Z-00000000", &err), 0);
	assert_int_equal(notes(&f), 2);
	assert_int_equal(fixture_apply(&f, &err), 0);
	assert_int_equal(notes(&f), 0);
	after = state_of(&f);
	assert_string_equal(after, before);
	free(before);
	free(after);
	fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_late_is_removed),
		cmocka_unit_test(what_was_committed_stays),
	};

	return cmocka_run_group_tests_name("late", tests, NULL, NULL);
}
