/*
 * What a provisional transaction made stays as long as anybody may need it: another open
 * transaction that nobody can read is one that may, and one that another run is just settling is
 * left to that run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reconciler/journal/journal.h"
#include "reconciler/journal/lock.h"
#include "reconciler/reconcile/session_internal.h"
#include "tests/support/fixture.h"

/* A crash between an image that two VMs wait for and the first of them that uses it. */
struct crash {
	struct fixture f;
	char *image, *user;          /* ids of open transactions */
	char *user_name, *user_host; /* the machine that it is about */
};

static const char manifest[] =
	"defaults: {vm: {disk_size_gb: 1, base_image: base.raw, ram_mb: 64}}\n"
	"vms: {one: {}, two: {}}\n";

static const char *text_of(const json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key));
}

static void look_at_journals(struct crash *crash)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};
	struct cb_journal_ids ids = {0};

	assert_int_equal(cb_journal_list(crash->f.state_dir, CB_JOURNALS_OPEN, &arena, &ids, &err),
			 0);
	cb_vec_each (const char *const, id, &ids) {
		struct cb_journal *journal = NULL;
		const json_t *plan;

		assert_int_equal(cb_journal_peek(crash->f.state_dir, *id, &journal, &err), 0);
		plan = cb_journal_plan(journal);
		if (plan && strcmp(text_of(plan, "kind"), "image") == 0) {
			crash->image = strdup(*id);
		} else if (plan && strcmp(text_of(plan, "kind"), "vm") == 0) {
			crash->user = strdup(*id);
			crash->user_name = strdup(text_of(plan, "target"));
			crash->user_host = strdup(text_of(plan, "host"));
		}
		cb_journal_free(journal);
	}
}

static void release(struct crash *crash)
{
	fixture_release(&crash->f);
	free(crash->image);
	free(crash->user);
	free(crash->user_name);
	free(crash->user_host);
	*crash = (struct crash){0};
}

/* At the first call at which both are open. */
static void begin(struct crash *crash)
{
	for (unsigned n = 1; n < 100; n++) {
		*crash = (struct crash){0};
		fixture_init(&crash->f, NULL);
		fixture_load(&crash->f, manifest, "tests/golden/images");
		crash->f.fault = CB_FAULT_DIE_BEFORE;
		crash->f.at = n;
		assert_int_equal(fixture_apply_forked(&crash->f), 137);
		look_at_journals(crash);
		if (crash->image && crash->user)
			return;
		release(crash);
	}
	fail_msg("no death leaves both open");
}

/* By its id, or all that there is. What became of it: CB_OUTCOME_NOT_BEGUN if nothing was said. */
static int settle(struct crash *crash, const char *id, enum cb_outcome *outcome, char message[512],
		  struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_results results = {0};
	struct cb_session *session;
	int r;

	*outcome = CB_OUTCOME_NOT_BEGUN;
	message[0] = '\0';
	assert_int_equal(fixture_open(&crash->f, &session, err), 0);
	r = cb_session_settle(session, id, CB_RECOVER_AUTO, &arena, &results, err);
	cb_vec_each (const struct cb_result, result, &results) {
		if (strcmp(result->id, crash->image) != 0)
			continue;
		*outcome = result->outcome;
		(void)snprintf(message, 512, "%s; %s", result->message ? result->message : "",
			       result->hint ? result->hint : "");
	}
	cb_session_close(session);
	return r;
}

static size_t count_images(const struct crash *crash)
{
	json_t *state = json_load_file(crash->f.host_path, 0, NULL);
	char *text = json_dumps(state, 0);
	size_t n = strstr(text, "base-") != NULL;

	json_decref(state);
	free(text);
	return n;
}

/* One byte in the middle of a record is another one; and back. */
static void damage(const struct crash *crash)
{
	char *path;
	char byte;
	int fd;

	assert_true(asprintf(&path, "%s/journal/%s.cbj", crash->f.state_dir, crash->user) > 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, 60), 1);
	byte ^= 0x04;
	assert_int_equal(pwrite(fd, &byte, 1, 60), 1);
	(void)close(fd);
	free(path);
}

/* Everything goes on to its end. */
static void assert_ends_well(struct crash *crash)
{
	cb_auto_error struct cb_error err = {0};

	if (fixture_apply(&crash->f, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(fixture_open_journals(&crash->f), 0);
	assert_int_equal(fixture_pending(&crash->f), 0);
	assert_int_equal(count_images(crash), 1);
}

static void a_damaged_journal_may_need_it(void **unused)
{
	cb_auto_error struct cb_error err = {0}, all = {0};
	enum cb_outcome outcome;
	struct crash crash;
	char message[512];
	char *before, *after;
	size_t open;

	(void)unused;
	begin(&crash);
	before = fixture_state(&crash.f);
	open = fixture_open_journals(&crash.f);
	assert_int_equal(count_images(&crash), 1);
	damage(&crash);
	assert_int_equal(settle(&crash, crash.image, &outcome, message, &err), 0);
	assert_int_equal(outcome, CB_OUTCOME_OPEN);
	assert_non_null(strstr(message, crash.user));
	assert_non_null(strstr(message, "may need it and cannot be read; "));
	/* And all together: what cannot be read ends it before the image's turn. */
	assert_int_equal(settle(&crash, NULL, &outcome, message, &all), -CB_E_CORRUPT);
	after = fixture_state(&crash.f);
	assert_string_equal(after, before);
	assert_int_equal(fixture_open_journals(&crash.f), open);
	free(before);
	free(after);
	damage(&crash);
	assert_ends_well(&crash);
	release(&crash);
}

/* Whole, but of another version, which knows steps that this one does not. */
static void a_plan_of_another_version_may_need_it(void **unused)
{
	cb_auto_error struct cb_error err = {0};
	json_auto_t *begun = json_object(), *plan = NULL;
	struct cb_journal *journal = NULL;
	enum cb_outcome outcome;
	struct crash crash;
	char message[512], *path;

	(void)unused;
	begin(&crash);
	plan = json_pack("{s:s,s:s,s:s,s:s,s:s,s:[],s:[{s:s,s:i}]}", "id",
			 "20990101T000000Z-00000001", "kind", "vm", "host", crash.user_host,
			 "target", "later", "action", "create", "after", "steps", "action",
			 "domain.fold", "n", 1);
	assert_non_null(plan);
	assert_int_equal(cb_journal_create(crash.f.state_dir, "20990101T000000Z-00000001", begun,
					   plan, (struct cb_journal_room){.steps = 1}, &journal,
					   &err),
			 0);
	cb_journal_free(journal);
	/* The one that is known to need it is settled; the image is not. */
	assert_int_equal(settle(&crash, crash.user, &outcome, message, &err), 0);
	assert_int_equal(settle(&crash, crash.image, &outcome, message, &err), 0);
	assert_int_equal(outcome, CB_OUTCOME_OPEN);
	assert_non_null(
		strstr(message, "20990101T000000Z-00000001 may need it and cannot be read"));
	assert_int_equal(count_images(&crash), 1);
	assert_true(asprintf(&path, "%s/journal/20990101T000000Z-00000001.cbj", crash.f.state_dir) >
		    0);
	assert_int_equal(unlink(path), 0);
	free(path);
	assert_ends_well(&crash);
	release(&crash);
}

/* Two runs find the same crash: the second one leaves to the first what waits for what the first
 * is at. */
static void another_run_is_settling_it(void **unused)
{
	cb_auto_error struct cb_error err = {0}, named = {0};
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_lock lock = {-1};
	enum cb_outcome outcome;
	struct crash crash;
	char message[512];
	char *before, *after;

	(void)unused;
	begin(&crash);
	before = fixture_state(&crash.f);
	assert_int_equal(
		cb_lock_take(crash.f.state_dir,
			     cb_locks_name(&arena, CB_TARGET_VM, crash.user_host, crash.user_name),
			     CB_LOCK_EXCLUSIVE, 0, "recovery of something", &lock, &err),
		0);
	assert_int_equal(settle(&crash, NULL, &outcome, message, &err), 0);
	assert_int_equal(outcome, CB_OUTCOME_NOT_BEGUN);
	/* Asked for by name, it says why. */
	assert_int_equal(settle(&crash, crash.image, &outcome, message, &named), -CB_E_BUSY);
	assert_non_null(strstr(named.message, "is being settled by process "));
	assert_non_null(strstr(named.message, "recovery of something"));
	assert_non_null(named.hint);
	after = fixture_state(&crash.f);
	assert_string_equal(after, before);
	free(before);
	free(after);
	cb_lock_release(&lock);
	assert_ends_well(&crash);
	release(&crash);
}

/* No crash: a call for one of the machines does not come back, and nobody knows what of it is done.
 * Whatever was prepared for that machine must wait for it too, even if nothing has come to need it
 * yet: taken back, the machine could not be settled; kept for good, it might be nobody's. */
static void what_stays_open_keeps_what_it_may_need(void **unused)
{
	cb_auto_error struct cb_error err = {0};
	struct crash crash = {0};
	unsigned n, open = 0;
	char *wanted, *found;

	(void)unused;
	fixture_init(&crash.f, NULL);
	fixture_load(&crash.f, manifest, "tests/golden/images");
	assert_ends_well(&crash);
	wanted = fixture_state(&crash.f);
	release(&crash);
	for (n = 1;; n++) {
		cb_auto_error struct cb_error late = {0};
		bool over;

		fixture_init(&crash.f, NULL);
		fixture_load(&crash.f, manifest, "tests/golden/images");
		/* Nobody opens the gate: it is never done. */
		crash.f.fault = CB_FAULT_LATE;
		crash.f.at = n;
		over = fixture_apply(&crash.f, &late) == 0;
		look_at_journals(&crash);
		if (crash.user) {
			open++;
			assert_non_null(crash.image);
		}
		assert_ends_well(&crash);
		found = fixture_state(&crash.f);
		assert_string_equal(found, wanted);
		free(found);
		release(&crash);
		if (over)
			break;
	}
	/* Two machines of several changes each. */
	assert_true(open > 4);
	print_message("%u calls that did not come back, %u of them of a machine\n", n - 1, open);
	free(wanted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_damaged_journal_may_need_it),
		cmocka_unit_test(a_plan_of_another_version_may_need_it),
		cmocka_unit_test(another_run_is_settling_it),
		cmocka_unit_test(what_stays_open_keeps_what_it_may_need),
	};

	return cmocka_run_group_tests_name("settle", tests, NULL, NULL);
}
