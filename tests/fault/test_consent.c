/*
 * A destroy whose guest does not hear is left open by a run that was not allowed to pull the plug.
 * Whoever allows it later is heard, for what they ask for and no other; the journal keeps it, so
 * that a run that dies then has said it for the next one, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "reconciler/journal/journal.h"
#include "reconciler/reconcile/session_internal.h"
#include "tests/support/fixture.h"

static const char manifest[] = "vm:\n  name: dev\n  state: running\n  disk_size_gb: 1\n"
			       "  base_image: base.raw\n";

/* Calls of a destroy: the agent is asked, then the machine itself, then its plug. */
enum { CALL_ACPI = 2, CALL_PLUG = 3 };

/* The machine runs and hears nothing; a run that wanted to destroy it has died while it waited. */
static void begin(struct fixture *f)
{
	cb_auto_error struct cb_error err = {0};
	json_t *state, *domain;
	const char *uuid;

	fixture_init(f, NULL);
	fixture_load(f, manifest, "tests/golden/images");
	assert_int_equal(fixture_apply(f, &err), 0);
	state = json_load_file(f->host_path, 0, NULL);
	json_object_foreach(json_object_get(state, "domains"), uuid, domain)
		json_object_set_new(domain, "deaf", json_true());
	assert_int_equal(json_dump_file(state, f->host_path, 0), 0);
	json_decref(state);
	f->request.destroy = true;
	f->fault = CB_FAULT_DIE_AFTER;
	f->at = CALL_ACPI;
	assert_int_equal(fixture_apply_forked(f), 137);
	assert_int_equal(fixture_open_journals(f), 1);
}

/* 1: it runs, 0: it is off, -1: it is gone. */
static int machine(const struct fixture *f)
{
	json_auto_t *state = json_load_file(f->host_path, 0, NULL);
	json_t *domains = json_object_get(state, "domains");
	void *first = json_object_iter(domains);

	return first ? json_is_true(json_object_get(json_object_iter_value(first), "active")) : -1;
}

/* The records of consent in these journals; the outcome of the last one that has any. */
static size_t consents_among(const struct fixture *f, enum cb_journal_which which, char *outcome)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};
	struct cb_journal_ids ids = {0};
	size_t n = 0;

	assert_int_equal(cb_journal_list(f->state_dir, which, &arena, &ids, &err), 0);
	cb_vec_each (const char *const, id, &ids) {
		struct cb_journal *journal;
		const json_t *consent, *by;

		assert_int_equal(cb_journal_peek(f->state_dir, *id, &journal, &err), 0);
		consent = cb_journal_consent(journal, 1);
		by = json_object_get(consent, "by");
		if (consent) {
			n++;
			assert_int_equal(json_integer_value(json_object_get(by, "uid")), getuid());
			(void)strcpy(outcome, cb_journal_outcome(journal)
						      ? cb_journal_outcome(journal)
						      : "open");
		}
		cb_journal_free(journal);
	}
	return n;
}

static size_t consents(const struct fixture *f, const char **result)
{
	static char outcome[32];

	outcome[0] = '\0';
	*result = outcome;
	return consents_among(f, CB_JOURNALS_OPEN, outcome) +
	       consents_among(f, CB_JOURNALS_CLOSED, outcome);
}

static void without_consent_it_is_taken_back(void **state)
{
	cb_auto_error struct cb_error err = {0};
	const char *result;
	struct fixture f;

	(void)state;
	begin(&f);
	assert_int_equal(fixture_apply(&f, &err), -CB_E_FAILED);
	assert_non_null(strstr(err.message, "did not shut down"));
	assert_int_equal(machine(&f), 1);
	assert_int_equal(fixture_open_journals(&f), 0);
	assert_int_equal(consents(&f, &result), 0);
	fixture_release(&f);
}

static void consent_that_comes_later_is_heard(void **state)
{
	cb_auto_error struct cb_error err = {0};
	const char *result;
	struct fixture f;

	(void)state;
	begin(&f);
	f.request.flags = CB_PLAN_FORCE_OFF;
	assert_int_equal(fixture_apply(&f, &err), 0);
	assert_int_equal(machine(&f), -1);
	assert_int_equal(fixture_open_journals(&f), 0);
	/* It was the transaction that had been left open. */
	assert_int_equal(consents(&f, &result), 1);
	assert_string_equal(result, "committed");
	fixture_release(&f);
}

static void consent_outlives_the_run_that_had_it(void **state)
{
	const char *result;
	struct fixture f;

	(void)state;
	begin(&f);
	f.request.flags = CB_PLAN_FORCE_OFF;
	f.fault = CB_FAULT_DIE_BEFORE;
	f.at = CALL_PLUG;
	assert_int_equal(fixture_settle_forked(&f, CB_RECOVER_AUTO), 137);
	assert_int_equal(machine(&f), 1);
	assert_int_equal(consents(&f, &result), 1);
	assert_string_equal(result, "open");
	f.request.flags = 0;
	assert_int_equal(fixture_settle_forked(&f, CB_RECOVER_AUTO), 0);
	assert_int_equal(machine(&f), -1);
	assert_int_equal(consents(&f, &result), 1);
	assert_string_equal(result, "committed");
	fixture_release(&f);
}

static void consent_is_for_what_was_asked_for(void **state)
{
	const char *const others[] = {"other"}, *result;
	struct fixture f;

	(void)state;
	begin(&f);
	f.request.flags = CB_PLAN_FORCE_OFF;
	f.request.names = others;
	f.request.n_names = 1;
	assert_int_equal(fixture_settle_forked(&f, CB_RECOVER_AUTO), 0);
	assert_int_equal(machine(&f), 1);
	assert_int_equal(consents(&f, &result), 0);
	fixture_release(&f);
}

static void going_back_needs_no_consent(void **state)
{
	const char *result;
	struct fixture f;

	(void)state;
	begin(&f);
	f.request.flags = CB_PLAN_FORCE_OFF;
	assert_int_equal(fixture_settle_forked(&f, CB_RECOVER_BACK), 0);
	assert_int_equal(machine(&f), 1);
	assert_int_equal(consents(&f, &result), 0);
	fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_consent_it_is_taken_back),
		cmocka_unit_test(consent_that_comes_later_is_heard),
		cmocka_unit_test(consent_outlives_the_run_that_had_it),
		cmocka_unit_test(consent_is_for_what_was_asked_for),
		cmocka_unit_test(going_back_needs_no_consent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
