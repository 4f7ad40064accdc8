/* The codec of journaled transactions, consent, and properties of plans. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "reconciler/plan/codec.h"
#include "reconciler/policy/guard.h"
#include "tests/support/fixture.h"

static const char one_vm[] =
	"vm:\n  name: dev\n  ram_mb: 64\n  description: \"a \\\"quoted\\\" \\u00e4 text\"\n"
	"  disk_size_gb: 1\n  base_image: base.raw\n  autostart: true\n";

/* The plan for a manifest on an empty host; its hash and the first transaction as text. */
static char *plan_text(const char *manifest, char hash[CB_SHA256_HEX], bool roundtrip)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_planned planned;
	struct cb_session *session;
	struct cb_transaction back;
	struct fixture f;
	json_t *json;
	char *text;

	fixture_init(&f, NULL);
	fixture_load(&f, manifest, "tests/golden/images");
	assert_int_equal(fixture_open(&f, &session, &err), 0);
	assert_int_equal(cb_session_plan(session, &f.request, &arena, &planned, &err), 0);
	/* The host's address is the fixture's own place. */
	planned.plan.transactions.items[0].uri = "fake:///";
	planned.plan.transactions.items[0].locks.items[0] = "image x of fake:///";
	memcpy(hash, planned.plan.hash, CB_SHA256_HEX);
	json = cb_codec_transaction(&planned.plan.transactions.items[0]);
	if (roundtrip) {
		assert_int_equal(cb_codec_parse(&arena, json, &back, &err), 0);
		json_decref(json);
		json = cb_codec_transaction(&back);
	}
	text = json_dumps(json, JSON_SORT_KEYS);
	assert_non_null(text);
	json_decref(json);
	cb_session_close(session);
	fixture_release(&f);
	return text;
}

static void what_is_journaled_reads_back(void **state)
{
	char hash[CB_SHA256_HEX];
	char *once = plan_text(one_vm, hash, false), *twice = plan_text(one_vm, hash, true);

	(void)state;
	assert_string_equal(once, twice);
	free(once);
	free(twice);
}

static void the_order_of_keys_does_not_matter(void **state)
{
	static const char reordered[] =
		"vms:\n  dev:\n    autostart: yes\n    base_image: base.raw\n"
		"    disk_size_gb: 1\n    ram_mb: 64\n"
		"    description: 'a \"quoted\" \xc3\xa4 text'\n";
	char hash[CB_SHA256_HEX];
	char *one = plan_text(one_vm, hash, false), *other = plan_text(reordered, hash, false);

	(void)state;
	assert_string_equal(one, other);
	free(one);
	free(other);
}

static void damaged_plans_are_refused(void **state)
{
	static const char *const bad[] = {
		"{}",
		"[]",
		"{\"id\": \"x\", \"host\": \"h\", \"target\": \"t\", \"uuid\": \"u\"}",
		"{\"id\": \"x\", \"host\": \"h\", \"target\": \"t\", \"uuid\": \"u\", \"action\": "
		"\"create\", \"steps\": [{\"n\": 1, \"action\": \"no.such\", \"target\": \"t\"}]}",
		"{\"id\": \"x\", \"host\": \"h\", \"target\": \"t\", \"uuid\": \"u\", \"action\": "
		"\"create\", \"steps\": [{\"n\": 2, \"action\": \"domain.start\", \"target\": "
		"\"t\"}]}",
		"{\"id\": \"x\", \"host\": \"h\", \"target\": \"t\", \"uuid\": \"u\", \"action\": "
		"\"create\", \"steps\": [{\"n\": 1, \"action\": \"domain.start\", \"target\": "
		"\"t\", \"stamp\": {}}]}",
		"{\"id\": \"x\", \"host\": \"h\", \"target\": \"t\", \"uuid\": \"u\", \"action\": "
		"\"create\", \"steps\": [], \"locks\": [1]}",
	};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(bad); i++) {
		cb_auto_error struct cb_error err = {0};
		cb_auto_arena struct cb_arena arena = {0};
		json_auto_t *json = json_loads(bad[i], 0, NULL);
		struct cb_transaction out;

		assert_non_null(json);
		assert_int_equal(cb_codec_parse(&arena, json, &out, &err), -CB_E_CORRUPT);
	}
}

static int guard(unsigned deletions, struct cb_consent consent)
{
	cb_auto_error struct cb_error err = {0};

	return cb_guard_check(deletions, &consent, &err);
}

static void deletions_want_consent(void **state)
{
	(void)state;
	assert_int_equal(guard(0, (struct cb_consent){0}), 0);
	assert_int_equal(guard(1, (struct cb_consent){.max_deletions = 1}), -CB_E_REFUSED);
	assert_int_equal(guard(1, (struct cb_consent){.destroy = true, .max_deletions = 1}), 0);
	assert_int_equal(guard(2, (struct cb_consent){.destroy = true, .max_deletions = 1}),
			 -CB_E_REFUSED);
	assert_int_equal(guard(2, (struct cb_consent){.destroy = true, .max_deletions = 2}), 0);
	assert_int_equal(
		guard(2, (struct cb_consent){.destroy = true, .named = true, .max_deletions = 1}),
		0);
}

/* A host that moves between plan and apply. */
static void a_plan_that_the_world_overtook_is_refused(void **state)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_planned planned;
	struct cb_results results = {0};
	struct cb_session *session;
	struct fixture f;
	char *before, *after;

	(void)state;
	fixture_init(&f, NULL);
	fixture_load(&f, one_vm, "tests/golden/images");
	assert_int_equal(fixture_open(&f, &session, &err), 0);
	assert_int_equal(cb_session_plan(session, &f.request, &arena, &planned, &err), 0);
	cb_session_close(session);
	assert_int_equal(fixture_apply(&f, &err), 0);
	before = fixture_state(&f);
	assert_int_equal(fixture_open(&f, &session, &err), 0);
	assert_int_equal(cb_session_apply(session, &f.request, &planned, &arena, &results, &err),
			 -CB_E_CONFLICT);
	cb_session_close(session);
	after = fixture_state(&f);
	assert_string_equal(before, after);
	assert_int_equal(results.len, 0);
	free(before);
	free(after);
	fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_journaled_reads_back),
		cmocka_unit_test(the_order_of_keys_does_not_matter),
		cmocka_unit_test(damaged_plans_are_refused),
		cmocka_unit_test(deletions_want_consent),
		cmocka_unit_test(a_plan_that_the_world_overtook_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
