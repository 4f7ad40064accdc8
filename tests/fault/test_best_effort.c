/*
 * A live change that the host turns out not to be able to make is done all the same: it stands in
 * the definition. A group that then decides whether all of it still stands must not take that for
 * somebody's interference.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <string.h>

#include "tests/support/fixture.h"

/* One of the group runs and is changed; the other one is started behind it, which has no way back.
 */
#define GROUP(ram, state)                                                                          \
	"defaults: {vm: {group: shop, disk_size_gb: 0, boot: {kernel: kernel}}}\n"                 \
	"vms:\n  dev: {state: running, ram_mb: " ram "}\n"                                         \
	"  other: {depends_on: [dev], state: " state "}\n"

static json_t *domain_of(json_t *state, const char *name)
{
	const char *uuid;
	json_t *domain;

	json_object_foreach(json_object_get(state, "domains"), uuid, domain)
	{
		if (strcmp(json_string_value(json_object_get(domain, "name")), name) == 0)
			return domain;
	}
	fail();
	return NULL;
}

static json_t *host_of(const struct fixture *f)
{
	json_t *state = json_load_file(f->host_path, 0, NULL);

	assert_non_null(state);
	return state;
}

static void stiffen(const struct fixture *f, const char *name)
{
	json_auto_t *state = host_of(f);

	json_object_set_new(domain_of(state, name), "rigid", json_true());
	assert_int_equal(json_dump_file(state, f->host_path, 0), 0);
}

static void begin(struct fixture *f)
{
	cb_auto_error struct cb_error err = {0};

	fixture_init(f, NULL);
	fixture_load(f, GROUP("64", "stopped"), "tests/golden/images");
	assert_int_equal(fixture_apply(f, &err), 0);
	stiffen(f, "dev");
	fixture_load(f, GROUP("32", "running"), "tests/golden/images");
}

static json_int_t memory(const json_t *domain, const char *document)
{
	return json_integer_value(json_object_get(json_object_get(domain, document), "ram_mb"));
}

/* The definition is new, the machine as it was, and the other one runs. */
static void assert_done(const struct fixture *f)
{
	json_auto_t *state = host_of(f);
	json_t *dev = domain_of(state, "dev");

	assert_int_equal(memory(dev, "document"), 32);
	assert_int_equal(memory(dev, "live"), 64);
	assert_true(json_is_true(json_object_get(domain_of(state, "other"), "active")));
	assert_int_equal(fixture_open_journals(f), 0);
}

static unsigned kept;

static void count_kept(void *ctx, enum cb_event event, const struct cb_transaction *transaction,
		       const struct cb_step *step, const char *text)
{
	(void)ctx;
	(void)transaction;
	if (event != CB_EVENT_KEPT)
		return;
	assert_int_equal(step->kind, CB_STEP_KIND_DOMAIN_LIVE);
	assert_non_null(strstr(text, "cannot change so while the machine runs"));
	kept++;
}

static void a_group_goes_on(void **state)
{
	cb_auto_error struct cb_error err = {0};
	struct fixture f;

	(void)state;
	begin(&f);
	kept = 0;
	f.event = count_kept;
	if (fixture_apply(&f, &err) < 0)
		fail_msg("%s", err.message);
	/* It is said, once. */
	assert_int_equal(kept, 1);
	assert_done(&f);
	fixture_release(&f);
}

/* Whoever takes up what a run left at any of its changes comes to the same. */
static void recovery_goes_on(void **state)
{
	unsigned n = 0;
	bool died;

	(void)state;
	do {
		cb_auto_error struct cb_error err = {0};
		struct fixture f;

		begin(&f);
		f.fault = n % 2 ? CB_FAULT_DIE_AFTER : CB_FAULT_DIE_BEFORE;
		f.at = n / 2 + 1;
		died = fixture_apply_forked(&f) == 137;
		if (fixture_apply(&f, &err) < 0)
			fail_msg("died at call %u: %s", f.at, err.message);
		assert_done(&f);
		fixture_release(&f);
		n++;
	} while (died);
	assert_true(n > 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_group_goes_on),
		cmocka_unit_test(recovery_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
