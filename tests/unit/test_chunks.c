/* Which parts of a long transfer are sent, and which were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "reconciler/base/clock.h"
#include "reconciler/base/str.h"
#include "reconciler/storage/chunks.h"

#define MIB ((uint64_t)1 << 20)

static void chunks_grow_with_the_image(void **state)
{
	static const struct {
		uint64_t total, size;
		unsigned count;
	} table[] = {
		{0, 64 * MIB, 0},
		{1, 64 * MIB, 1},
		{64 * MIB, 64 * MIB, 1},
		{64 * MIB + 1, 64 * MIB, 2},
		{64 * 64 * MIB, 64 * MIB, 64},
		{64 * 64 * MIB + 1, 128 * MIB, 33},
		{(uint64_t)1 << 40, 16 * 1024 * MIB, 64},
		{UINT64_MAX, (uint64_t)1 << 58, 64},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		uint64_t size = cb_chunk_size(table[i].total, cb_chunk_least);

		assert_true(size == table[i].size);
		assert_int_equal(cb_chunk_count(table[i].total, size), table[i].count);
	}
	assert_true(cb_chunk_size(130, 2) == 4);
}

static struct cb_arena arena;

static void add(struct cb_chunks *chunks, uint64_t offset, uint64_t size)
{
	struct cb_chunk chunk = {.offset = offset, .size = size, .digest = "d"};

	cb_chunks_add(&arena, chunks, &chunk);
}

/* "0+10 20+5" */
static void assert_chunks(const struct cb_chunks *chunks, const char *wanted)
{
	cb_auto_str struct cb_str text = {0};

	cb_vec_each (const struct cb_chunk, chunk, chunks)
		cb_str_printf(&text, "%s%d+%d", text.len ? " " : "", (int)chunk->offset,
			      (int)chunk->size);
	assert_string_equal(cb_str_text(&text), wanted);
}

static void they_stand_in_order_and_a_later_one_wins(void **state)
{
	struct cb_chunks chunks = {0};

	(void)state;
	add(&chunks, 20, 10);
	add(&chunks, 0, 10);
	add(&chunks, 40, 10);
	add(&chunks, 10, 10);
	assert_chunks(&chunks, "0+10 10+10 20+10 40+10");
	add(&chunks, 10, 10);
	assert_chunks(&chunks, "0+10 10+10 20+10 40+10");
	add(&chunks, 15, 10);
	assert_chunks(&chunks, "0+10 15+10 40+10");
	add(&chunks, 0, 50);
	assert_chunks(&chunks, "0+50");
	assert_true(cb_chunks_bytes(&chunks) == 50);
	cb_chunks_remove(&chunks, 0);
	assert_chunks(&chunks, "");
}

static void what_is_missing_is_sent_up_to_what_is_there(void **state)
{
	struct cb_chunks chunks = {0};

	(void)state;
	assert_true(cb_chunks_gap(&chunks, 0, 10, 35) == 10);
	assert_true(cb_chunks_gap(&chunks, 30, 10, 35) == 5);
	assert_null(cb_chunks_at(&chunks, 0));
	assert_false(cb_chunks_behind(&chunks, 0));
	/* Somebody had interrupted it at 4, and at 23. */
	add(&chunks, 0, 4);
	add(&chunks, 10, 10);
	add(&chunks, 20, 3);
	assert_true(cb_chunks_at(&chunks, 10)->size == 10);
	assert_null(cb_chunks_at(&chunks, 4));
	assert_true(cb_chunks_gap(&chunks, 4, 10, 35) == 6);
	assert_true(cb_chunks_gap(&chunks, 23, 10, 35) == 7);
	assert_true(cb_chunks_behind(&chunks, 20));
	assert_false(cb_chunks_behind(&chunks, 23));
	/* One that stands across. */
	add(&chunks, 25, 10);
	assert_true(cb_chunks_gap(&chunks, 23, 10, 35) == 2);
}

/* However chunks get lost and a transfer is interrupted, it comes to all of it, each byte once. */
static void every_way_comes_to_the_end(void **state)
{
	enum { TOTAL = 1000, ROUNDS = 300 };

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t size = cb_chunk_size(TOTAL, 1 + round % 200), at = 0;
		struct cb_chunks chunks = {0}, all = {0};
		unsigned char random[40];

		cb_random_bytes(random, sizeof(random));
		for (size_t i = 0; i + 1 < sizeof(random); i += 2)
			add(&chunks, (uint64_t)random[i] * 3, 1 + random[i + 1] % size);
		while (at < TOTAL) {
			const struct cb_chunk *chunk = cb_chunks_at(&chunks, at);
			uint64_t step =
				chunk ? chunk->size : cb_chunks_gap(&chunks, at, size, TOTAL);

			assert_true(step > 0 && at + step <= TOTAL);
			assert_true(chunk || step <= size);
			add(&all, at, step);
			at += step;
		}
		assert_true(cb_chunks_bytes(&all) == TOTAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunks_grow_with_the_image),
		cmocka_unit_test(they_stand_in_order_and_a_later_one_wins),
		cmocka_unit_test(what_is_missing_is_sent_up_to_what_is_there),
		cmocka_unit_test(every_way_comes_to_the_end),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	cb_arena_release(&arena);
	return failed;
}
