/* cases_fault.h: the decorator that makes the n-th call fail, over the fake. A part of
 * test_contract.c. */
#ifndef CB_TESTS_CONTRACT_CASES_FAULT_H
#define CB_TESTS_CONTRACT_CASES_FAULT_H

#include "tests/contract/contract.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reconciler/base/fs.h"

struct trial {
	struct cb_arena arena;
	struct cb_error err;
	struct cb_driver *host;
	struct cb_fault_plan plan;
	const char *path;
};

static struct trial begin(enum cb_fault fault, unsigned at)
{
	struct trial t = {.plan = {.fault = fault, .at = at}};

	t.path = cb_arena_printf(&t.arena, "%s/fault.json", cb_test_directory());
	return t;
}

/* The plan's address has to stay: the driver keeps it. */
static void open_faulty(struct trial *t)
{
	struct cb_driver *inner;

	assert_int_equal(cb_fake_open(t->path, &inner, &t->err), 0);
	t->host = cb_fault_open(inner, &t->plan);
}

static void end(struct trial *t)
{
	cb_driver_close(t->host);
	assert_int_equal(cb_fs_unlink(t->path, &t->err), 0);
	cb_error_release(&t->err);
	cb_arena_release(&t->arena);
}

static int define(struct trial *t, const char *name)
{
	return t->host->ops->pool_define(
		t->host, name, cb_arena_printf(&t->arena, "/pools/%s", name), NULL, &t->err);
}

static int look(struct trial *t, const char *name)
{
	struct cb_pool pool;

	return t->host->ops->pool(t->host, &t->arena, name, &pool, &t->err);
}

static void calls_are_counted_by_what_they_do(void **state)
{
	struct trial t = begin(CB_FAULT_NONE, 0);

	(void)state;
	open_faulty(&t);
	assert_int_equal(define(&t, "a"), 0);
	assert_int_equal(look(&t, "a"), 0);
	assert_int_equal(look(&t, "b"), -CB_E_NOT_FOUND);
	assert_int_equal(t.plan.calls, 1);
	assert_int_equal(t.plan.reads, 2);
	end(&t);
}

static void a_fault_before_does_nothing(void **state)
{
	struct trial t = begin(CB_FAULT_BEFORE, 2);

	(void)state;
	open_faulty(&t);
	assert_int_equal(define(&t, "a"), 0);
	assert_int_equal(define(&t, "b"), -CB_E_FAILED);
	assert_int_equal(look(&t, "b"), -CB_E_NOT_FOUND);
	assert_int_equal(define(&t, "b"), 0);
	end(&t);
}

static void a_sticky_fault_stays_with_its_operation(void **state)
{
	struct trial t = begin(CB_FAULT_BEFORE, 1);

	(void)state;
	t.plan.sticky = true;
	open_faulty(&t);
	assert_int_equal(define(&t, "a"), -CB_E_FAILED);
	assert_int_equal(define(&t, "b"), -CB_E_FAILED);
	assert_int_equal(t.host->ops->pool_start(t.host, "b", &t.err), -CB_E_NOT_FOUND);
	end(&t);
}

static void a_fault_after_has_done_it(void **state)
{
	struct trial t = begin(CB_FAULT_AFTER, 1);

	(void)state;
	open_faulty(&t);
	assert_int_equal(define(&t, "a"), -CB_E_FAILED);
	assert_int_equal(look(&t, "a"), 0);
	assert_int_equal(define(&t, "a"), -CB_E_EXISTS);
	end(&t);
}

static void after_a_lost_reply_nothing_answers(void **state)
{
	struct trial t = begin(CB_FAULT_LOST, 1);

	(void)state;
	open_faulty(&t);
	assert_int_equal(define(&t, "a"), -CB_E_UNAVAILABLE);
	assert_int_equal(look(&t, "a"), -CB_E_UNAVAILABLE);
	assert_int_equal(define(&t, "b"), -CB_E_UNAVAILABLE);
	cb_driver_close(t.host);
	t.plan.fault = CB_FAULT_NONE;
	open_faulty(&t);
	assert_int_equal(look(&t, "a"), 0);
	assert_int_equal(look(&t, "b"), -CB_E_NOT_FOUND);
	end(&t);
}

static void when_the_host_is_gone_nothing_was_done(void **state)
{
	struct trial t = begin(CB_FAULT_GONE, 1);

	(void)state;
	open_faulty(&t);
	assert_int_equal(define(&t, "a"), -CB_E_UNAVAILABLE);
	assert_int_equal(look(&t, "a"), -CB_E_UNAVAILABLE);
	cb_driver_close(t.host);
	t.plan.fault = CB_FAULT_NONE;
	open_faulty(&t);
	assert_int_equal(look(&t, "a"), -CB_E_NOT_FOUND);
	assert_int_equal(define(&t, "a"), 0);
	end(&t);
}

/* Runs the call in a child that does not come back from it. */
static int killed(struct trial *t)
{
	pid_t child = fork();
	int status = 0;

	assert_true(child >= 0);
	if (child == 0)
		_exit(define(t, "a") == 0 ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void a_process_dies_before_or_after(void **state)
{
	static const enum cb_fault faults[] = {CB_FAULT_DIE_BEFORE, CB_FAULT_DIE_AFTER};

	static const int then[] = {-CB_E_NOT_FOUND, 0};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(faults); i++) {
		struct trial t = begin(faults[i], 1);

		open_faulty(&t);
		assert_int_equal(killed(&t), 137);
		assert_int_equal(look(&t, "a"), then[i]);
		end(&t);
	}
}

static const struct CMUnitTest fault_cases[] = {
	cmocka_unit_test(calls_are_counted_by_what_they_do),
	cmocka_unit_test(a_fault_before_does_nothing),
	cmocka_unit_test(a_sticky_fault_stays_with_its_operation),
	cmocka_unit_test(a_fault_after_has_done_it),
	cmocka_unit_test(after_a_lost_reply_nothing_answers),
	cmocka_unit_test(when_the_host_is_gone_nothing_was_done),
	cmocka_unit_test(a_process_dies_before_or_after),
};

#endif
