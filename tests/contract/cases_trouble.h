/* cases_trouble.h: what a caller is told, and what there is then, when something comes between it
 * and the host. They hold the fake and its faults to what a real libvirtd does. A part of
 * test_contract.c. */
#ifndef CB_TESTS_CONTRACT_CASES_TROUBLE_H
#define CB_TESTS_CONTRACT_CASES_TROUBLE_H

#include "tests/contract/cases_storage.h"
#include "tests/contract/trouble.h"

/* Changes. ------------------------------------------------------------------------------------- */

static int define_it(struct fixture *f)
{
	struct cb_spec set = cb_test_spec(f);
	struct cb_domain_new new = {f->uuid, f->name, &set, cb_test_stamp(f)};

	return CALL(f, domain_define, &new);
}

static int is_defined(struct fixture *f)
{
	struct cb_domain domain;

	return CALL(f, domain, &f->arena, f->uuid, &domain);
}

static int start_it(struct fixture *f)
{
	return CALL(f, domain_start, f->uuid);
}

/* As something that is there or not. */
static int is_started(struct fixture *f)
{
	struct cb_domain domain;
	int r = CALL(f, domain, &f->arena, f->uuid, &domain);

	return r == 0 && !domain.active ? cb_error_set(&f->err, CB_E_NOT_FOUND, "it does not run")
					: r;
}

static int make_one_volume(struct fixture *f)
{
	struct cb_volume_new new = {f->pool, "late", "raw", 1 << 20, NULL, NULL};

	return CALL(f, volume_create, &new);
}

static int is_made(struct fixture *f)
{
	struct cb_volume volume;
	int r = CALL(f, pool_refresh, f->pool);

	return r < 0 ? r : CALL(f, volume, &f->arena, f->pool, "late", &volume);
}

static const struct change {
	enum procedure procedure;
	void (*before)(struct fixture *f);
	int (*make)(struct fixture *f);
	int (*look)(struct fixture *f);
	int again; /* what is said where it is done already */
} defining = {PROC_DOMAIN_DEFINE, NULL, define_it, is_defined, -CB_E_EXISTS},
  starting = {PROC_DOMAIN_CREATE, cb_test_define, start_it, is_started, 0},
  making = {PROC_VOL_CREATE, make_pool, make_one_volume, is_made, -CB_E_EXISTS};

static void expect(struct fixture *f, int r, int wanted)
{
	if (r != wanted)
		fail_msg("%s (%s), not %s", r ? cb_code_name((enum cb_code) - r) : "success",
			 f->err.message ? f->err.message : "",
			 cb_code_name((enum cb_code) - wanted));
	cb_error_release(&f->err);
}

/* A request that comes late. ------------------------------------------------------------------- */

static void comes_late(struct fixture *f, const struct change *change)
{
	int r = -CB_E_NOT_FOUND;

	if (change->before)
		change->before(f);
	cb_trouble_late(f, change->procedure);
	expect(f, change->make(f), -CB_E_TIMEOUT);
	assert_true(f->host->lost);
	/* Whoever asks on the same connection learns nothing. */
	expect(f, change->look(f), -CB_E_UNAVAILABLE);
	cb_trouble_reopen(f);
	expect(f, change->look(f), -CB_E_NOT_FOUND);
	cb_trouble_goes_on(f);
	for (int i = 0; i < 500 && r == -CB_E_NOT_FOUND; i++) {
		cb_error_release(&f->err);
		if (i > 0)
			cb_clock_sleep_ms(20);
		r = change->look(f);
	}
	expect(f, r, 0);
	cb_trouble_over(f);
	expect(f, change->make(f), change->again);
}

static void a_define_may_come_late(struct fixture *f)
{
	comes_late(f, &defining);
}

static void a_start_may_come_late(struct fixture *f)
{
	comes_late(f, &starting);
}

static void a_volume_may_come_late(struct fixture *f)
{
	comes_late(f, &making);
}

/* An answer that is lost. ---------------------------------------------------------------------- */

static void answer_is_lost(struct fixture *f, const struct change *change)
{
	if (change->before)
		change->before(f);
	cb_trouble_lose(f, change->procedure);
	expect(f, change->make(f), -CB_E_UNAVAILABLE);
	expect(f, change->look(f), -CB_E_UNAVAILABLE);
	cb_trouble_over(f);
	expect(f, change->look(f), 0);
	expect(f, change->make(f), change->again);
}

static void the_answer_to_a_define_may_be_lost(struct fixture *f)
{
	answer_is_lost(f, &defining);
}

static void the_answer_to_a_start_may_be_lost(struct fixture *f)
{
	answer_is_lost(f, &starting);
}

static void the_answer_to_a_volume_may_be_lost(struct fixture *f)
{
	answer_is_lost(f, &making);
}

/* An upload that breaks off. ------------------------------------------------------------------- */

struct breaking {
	struct fixture *f;
	struct source source;
	size_t at;
};

static int give_or_break(void *ctx, void *buffer, size_t len, struct cb_error *err)
{
	struct breaking *breaking = ctx;

	if (breaking->source.at >= breaking->at)
		cb_trouble_break(breaking->f);
	return give(&breaking->source, buffer, len, err);
}

/* An ordinary volume of its full length: what has arrived, and zeros. */
static void half_an_upload_is_a_whole_volume(struct fixture *f)
{
	const size_t len = 32 * MIB;
	struct cb_volume_new new = {f->pool, "image", "raw", len, NULL, NULL};
	unsigned char *bytes = cb_arena_alloc(&f->arena, len);
	struct breaking breaking = {f, {bytes, len, 0, MIB, 0, 0}, len / 2};
	struct cb_upload upload = {.read = give_or_break, .ctx = &breaking, .size = len};
	struct cb_volumes volumes;
	struct cb_volume volume;

	cb_random_bytes(bytes, len);
	make_pool(f);
	OK(f, volume_create, &new);
	cb_trouble_halfway(f);
	FAILS(f, CB_E_UNAVAILABLE, volume_write, f->pool, "image", &upload);
	FAILS(f, CB_E_UNAVAILABLE, volume, &f->arena, f->pool, "image", &volume);
	cb_trouble_over(f);
	OK(f, pool_refresh, f->pool);
	OK(f, volumes, &f->arena, f->pool, &volumes);
	assert_int_equal(volumes.len, 1);
	OK(f, volume, &f->arena, f->pool, "image", &volume);
	assert_string_equal(volume.format, "raw");
	assert_true(volume.capacity == len);
	assert_true(part_is(f, bytes, 0, 8 * MIB));
	assert_false(part_is(f, bytes, 0, len));
	memset(bytes + 24 * MIB, 0, 8 * MIB);
	assert_true(part_is(f, bytes, 24 * MIB, len));
	/* It can be sent again. */
	write_all(f, "image", bytes, len, MIB);
}

/* More than a message holds. ------------------------------------------------------------------- */

static char *long_text(struct fixture *f, size_t len)
{
	char *text = cb_arena_alloc(&f->arena, len + 1);

	memset(text, 'x', len);
	return text;
}

/* Nothing has happened, for good, and the connection is as it was. */
static void what_is_too_long_is_refused(struct fixture *f)
{
	struct cb_spec set = cb_test_spec(f), change = {0};
	struct cb_domain_new new = {f->uuid, f->name, &set, cb_test_stamp(f)};
	struct cb_domain_edit edit;
	struct cb_domain domain;

	cb_test_set(f, &set, "description", cb_string(long_text(f, 5 * MIB)));
	FAILS(f, CB_E_FAILED, domain_define, &new);
	expect(f, is_defined(f), -CB_E_NOT_FOUND);
	cb_test_define(f);
	cb_test_set(f, &change, "description", cb_string(long_text(f, 5 * MIB)));
	edit = cb_test_edit(f, &change);
	FAILS(f, CB_E_FAILED, domain_update, &edit);
	domain = cb_test_read(f);
	assert_null(cb_spec_find(&domain.document, "description"));
	/* What is shorter is not. */
	(void)cb_test_change(f, "description", cb_string(long_text(f, 1 * MIB)));
}

static const struct test_case trouble_cases[] = {
	CASE(a_define_may_come_late, CB_WORLD_TROUBLE),
	CASE(a_start_may_come_late, CB_WORLD_TROUBLE),
	CASE(a_volume_may_come_late, CB_WORLD_TROUBLE),
	CASE(the_answer_to_a_define_may_be_lost, CB_WORLD_TROUBLE),
	CASE(the_answer_to_a_start_may_be_lost, CB_WORLD_TROUBLE),
	CASE(the_answer_to_a_volume_may_be_lost, CB_WORLD_TROUBLE),
	CASE(half_an_upload_is_a_whole_volume, CB_WORLD_TROUBLE),
	CASE(what_is_too_long_is_refused, CB_WORLD_TROUBLE),
};

#endif
