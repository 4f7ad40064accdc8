/*
 * The frames of a journal: what reads back is what was written, a cut gives a prefix, and anything
 * else is noticed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/journal/record.h"

#define ID    "0b9f6f4e-0000-4000-8000-000000000001"
#define OTHER "0b9f6f4e-0000-4000-8000-000000000002"

enum { SECTOR = CB_RECORD_SECTOR };

/* A small generator with a fixed seed: the same cases every time. */
static uint32_t seed = 20260131;

static uint32_t pick(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

struct sample {
	struct cb_str bytes;
	size_t starts[40];
	size_t count;
	uint32_t crc;
};

static void sample_init(struct sample *s, const char *id)
{
	memset(s, 0, sizeof(*s));
	s->crc = cb_record_seed(id);
}

/* A payload of exactly `len` bytes that looks like one of ours. */
static void sample_add(struct sample *s, size_t len)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
	cb_auto_str struct cb_str payload = {0};

	cb_str_add(&payload, "{\"a\":\"");
	while (payload.len + 2 < len)
		cb_str_add_bytes(&payload, &letters[payload.len % 26], 1);
	cb_str_add(&payload, "\"}");
	s->starts[s->count++] = s->bytes.len;
	cb_record_append(&s->bytes, &s->crc, (uint32_t)s->count, payload.text, payload.len);
}

static void sample_fill(struct sample *s, const char *id, const size_t *lens, size_t n)
{
	sample_init(s, id);
	for (size_t i = 0; i < n; i++)
		sample_add(s, lens[i]);
}

static void add_zeros(struct cb_str *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		cb_str_add_bytes(bytes, "", 1);
}

static size_t end_of(const struct sample *s, size_t frame)
{
	return frame + 1 < s->count ? s->starts[frame + 1] : s->bytes.len;
}

/* Every frame that is read must be the one that was written in that place. */
static void assert_prefix(const struct cb_scan *scan, const struct sample *s)
{
	assert_true(scan->len <= s->count);
	for (size_t i = 0; i < scan->len; i++) {
		size_t start = s->starts[i];

		assert_int_equal(scan->items[i].offset, start);
		assert_int_equal(scan->items[i].seq, i + 1);
		assert_int_equal(scan->items[i].len, end_of(s, i) - start - CB_RECORD_HEADER - 1);
		assert_memory_equal(scan->items[i].payload,
				    s->bytes.text + start + CB_RECORD_HEADER, scan->items[i].len);
	}
	assert_int_equal(scan->tail, scan->len < s->count ? s->starts[scan->len] : s->bytes.len);
	assert_true((scan->verdict == CB_SCAN_CLEAN) == !scan->why);
}

/* Scans a copy of exact size, so that a checker sees every byte that is read beyond it. */
static void scan_copy(struct cb_arena *arena, const void *bytes, size_t len, struct cb_scan *scan)
{
	char *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	cb_record_scan(arena, copy, len, cb_record_seed(ID), scan);
	/* The frames borrow: let them stand in the arena, not in what is freed here. */
	for (size_t i = 0; i < scan->len; i++)
		scan->items[i].payload =
			cb_arena_strndup(arena, scan->items[i].payload, scan->items[i].len);
	free(copy);
}

static const size_t small_lens[] = {8, 20, 61, 8, 33};
static const size_t large_lens[] = {300, 900, 60, 1700, 444, 35, 447, 2600};

static void crc_matches_the_published_vectors(void **unused)
{
	static const unsigned char pdu[48] = {
		0x01, 0xc0, 0, 0, 0, 0, 0,    0, 0,    0, 0, 0,    0, 0, 0, 0,
		0x14, 0,    0, 0, 0, 0, 0x04, 0, 0,    0, 0, 0x14, 0, 0, 0, 0x18,
		0x28, 0,    0, 0, 0, 0, 0,    0, 0x02, 0, 0, 0,    0, 0, 0, 0,
	};
	unsigned char bytes[32];

	(void)unused;
	assert_int_equal(cb_record_crc(0, "123456789", 9), 0xe3069283);
	assert_int_equal(cb_record_crc(0, "", 0), 0);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(cb_record_crc(0, bytes, 32), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(cb_record_crc(0, bytes, 32), 0x62a8ab43);
	for (unsigned i = 0; i < 32; i++)
		bytes[i] = (unsigned char)i;
	assert_int_equal(cb_record_crc(0, bytes, 32), 0x46dd794e);
	assert_int_equal(cb_record_crc(cb_record_crc(0, bytes, 7), bytes + 7, 25), 0x46dd794e);
	for (unsigned i = 0; i < 32; i++)
		bytes[i] = (unsigned char)(31 - i);
	assert_int_equal(cb_record_crc(0, bytes, 32), 0x113fdb5c);
	assert_int_equal(cb_record_crc(0, pdu, sizeof(pdu)), 0xd9963a56);
}

static void a_frame_looks_as_documented(void **unused)
{
	cb_auto_str struct cb_str out = {0};
	uint32_t crc = cb_record_seed("a");
	char head[64], want[96];

	(void)unused;
	cb_record_append(&out, &crc, 1, "{}", 2);
	(void)snprintf(head, sizeof(head), "%08x 00000001 00000002 {}", cb_record_seed("a"));
	(void)snprintf(want, sizeof(want), "CBJ1 00000001 00000002 %08x {}\n",
		       cb_record_crc(0, head, strlen(head)));
	assert_string_equal(out.text, want);
}

static void frames_round_trip(void **unused)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_scan scan;
	struct sample s;

	(void)unused;
	sample_fill(&s, ID, large_lens, CB_COUNT(large_lens));
	for (size_t zeros = 0; zeros < 3 * SECTOR; zeros += 97) {
		cb_auto_str struct cb_str bytes = {0};

		cb_str_add_bytes(&bytes, s.bytes.text, s.bytes.len);
		add_zeros(&bytes, zeros);
		scan_copy(&arena, bytes.text, bytes.len, &scan);
		assert_int_equal(scan.verdict, CB_SCAN_CLEAN);
		assert_int_equal(scan.len, s.count);
		assert_int_equal(scan.crc, s.crc);
		assert_prefix(&scan, &s);
	}
	cb_record_scan(&arena, NULL, 0, 0, &scan);
	assert_int_equal(scan.verdict, CB_SCAN_CLEAN);
	assert_int_equal(scan.len, 0);
	cb_str_release(&s.bytes);
}

static void every_cut_gives_a_prefix(void **unused)
{
	struct sample s;

	(void)unused;
	sample_fill(&s, ID, large_lens, CB_COUNT(large_lens));
	for (size_t cut = 0; cut <= s.bytes.len; cut++) {
		/* Shortened, and cut off within the reserved room. */
		for (size_t zeros = 0; zeros <= 2 * SECTOR; zeros += SECTOR) {
			cb_auto_arena struct cb_arena arena = {0};
			cb_auto_str struct cb_str bytes = {0};
			struct cb_scan scan;
			size_t whole = 0;

			cb_str_add_bytes(&bytes, s.bytes.text, cut);
			add_zeros(&bytes, zeros);
			scan_copy(&arena, bytes.len ? bytes.text : "", bytes.len, &scan);
			while (whole < s.count && end_of(&s, whole) <= cut)
				whole++;
			assert_prefix(&scan, &s);
			assert_int_equal(scan.len, whole);
			assert_int_equal(scan.verdict,
					 cut == scan.tail ? CB_SCAN_CLEAN : CB_SCAN_TORN);
		}
	}
	cb_str_release(&s.bytes);
}

/* One byte at `at` becomes `value`. */
static void check_changed(const struct sample *s, const struct cb_str *bytes, size_t at,
			  unsigned char value)
{
	cb_auto_arena struct cb_arena arena = {0};
	char *changed = cb_arena_strndup(&arena, bytes->text, bytes->len);
	struct cb_scan scan;
	size_t hit = 0;

	if ((unsigned char)changed[at] == value)
		return;
	changed[at] = (char)value;
	while (hit < s->count && end_of(s, hit) <= at)
		hit++;
	scan_copy(&arena, changed, bytes->len, &scan);
	assert_prefix(&scan, s);
	assert_int_equal(scan.len, hit);
	assert_int_not_equal(scan.verdict, CB_SCAN_CLEAN);
	/* A record that another one follows was whole once, whatever it looks like now. So was the
	 * last one, unless the change looks like bytes that never arrived. */
	if (hit + 1 < s->count || (hit < s->count && value != 0))
		assert_int_equal(scan.verdict, CB_SCAN_CORRUPT);
}

static void every_changed_byte_is_noticed(void **unused)
{
	static const size_t zeros[] = {0, 1, 700};

	(void)unused;
	for (size_t z = 0; z < CB_COUNT(zeros); z++) {
		struct cb_str bytes = {0};
		struct sample s;

		sample_fill(&s, ID, small_lens, CB_COUNT(small_lens));
		cb_str_add_bytes(&bytes, s.bytes.text, s.bytes.len);
		add_zeros(&bytes, zeros[z]);
		for (size_t at = 0; at < bytes.len; at++)
			for (unsigned value = 0; value<256; value += zeros[z]> 1 ? 5 : 1)
				check_changed(&s, &bytes, at, (unsigned char)value);
		cb_str_release(&s.bytes);

		sample_fill(&s, ID, large_lens, CB_COUNT(large_lens));
		cb_str_clear(&bytes);
		cb_str_add_bytes(&bytes, s.bytes.text, s.bytes.len);
		add_zeros(&bytes, zeros[z]);
		for (unsigned i = 0; i < 5000; i++)
			check_changed(&s, &bytes, pick((uint32_t)bytes.len),
				      (unsigned char)pick(256));
		cb_str_release(&s.bytes);
		cb_str_release(&bytes);
	}
}

/* The last record is being written; any of its sectors may have reached the disk, or none. */
static void a_record_without_some_sectors_is_torn(void **unused)
{
	static const size_t lens[] = {8, 300, 480, 512, 900, 1500, 2600};

	(void)unused;
	for (size_t before = 20; before < 20 + SECTOR; before += 3) {
		for (size_t i = 0; i < CB_COUNT(lens); i++) {
			struct cb_str bytes = {0};
			struct sample s;
			size_t start, first, sectors;

			sample_init(&s, ID);
			sample_add(&s, before);
			sample_add(&s, lens[i]);
			start = s.starts[1];
			first = start / SECTOR;
			sectors = (s.bytes.len - 1) / SECTOR - first + 1;
			cb_str_add_bytes(&bytes, s.bytes.text, s.bytes.len);
			add_zeros(&bytes, SECTOR);
			for (unsigned arrived = 0; arrived < 1U << sectors; arrived++) {
				cb_auto_arena struct cb_arena arena = {0};
				char *disk = cb_arena_strndup(&arena, bytes.text, bytes.len);
				struct cb_scan scan;

				for (size_t at = start; at < s.bytes.len; at++)
					if (!(arrived >> (at / SECTOR - first) & 1))
						disk[at] = 0;
				scan_copy(&arena, disk, bytes.len, &scan);
				assert_prefix(&scan, &s);
				assert_int_not_equal(scan.verdict, CB_SCAN_CORRUPT);
				assert_int_equal(scan.len, arrived + 1 == 1U << sectors ? 2 : 1);
			}
			cb_str_release(&s.bytes);
			cb_str_release(&bytes);
		}
	}
}

/* A disk that lied about its cache: a sector is gone, what came later is there. */
static void a_lost_sector_before_a_record_is_damage(void **unused)
{
	(void)unused;
	for (unsigned round = 0; round < 800; round++) {
		cb_auto_arena struct cb_arena arena = {0};
		size_t sector, records = 3 + pick(8);
		struct cb_scan scan;
		struct sample s;
		char *disk;

		sample_init(&s, ID);
		for (size_t i = 0; i < records; i++)
			sample_add(&s, 8 + pick(900));
		add_zeros(&s.bytes, 0);
		sector = pick((uint32_t)(s.starts[s.count - 1] / SECTOR) + 1) * SECTOR;
		disk = cb_arena_strndup(&arena, s.bytes.text, s.bytes.len);
		memset(disk + sector, 0,
		       sector + SECTOR < s.bytes.len ? SECTOR : s.bytes.len - sector);
		scan_copy(&arena, disk, s.bytes.len, &scan);
		assert_prefix(&scan, &s);
		if (s.starts[s.count - 1] >= sector + SECTOR)
			assert_int_equal(scan.verdict, CB_SCAN_CORRUPT);
		cb_str_release(&s.bytes);
	}
}

/* The same, where not even the magic of the later record is left. */
static void a_header_behind_a_hole_is_damage(void **unused)
{
	(void)unused;
	for (size_t lost = 0; lost <= 14; lost++) {
		cb_auto_arena struct cb_arena arena = {0};
		struct cb_scan scan;
		struct sample s;

		/* The second record begins `lost` bytes before the end of the first sector. */
		sample_init(&s, ID);
		sample_add(&s, SECTOR - lost - CB_RECORD_HEADER - 1);
		sample_add(&s, 700);
		assert_int_equal(s.starts[1], SECTOR - lost);
		memset(s.bytes.text, 0, SECTOR);
		scan_copy(&arena, s.bytes.text, s.bytes.len, &scan);
		assert_int_equal(scan.len, 0);
		assert_int_equal(scan.verdict, CB_SCAN_CORRUPT);
		cb_str_release(&s.bytes);
	}
}

static void records_cannot_be_moved(void **unused)
{
	static const size_t lens[] = {50, 50, 50, 50};
	static const unsigned orders[][4] = {
		{0, 2, 1, 3}, {1, 0, 2, 3}, {0, 1, 3, 2}, {0, 2, 3, 3},
		{0, 0, 1, 2}, {0, 1, 1, 2}, {3, 2, 1, 0}, {0, 1, 2, 2},
	};
	size_t frame = CB_RECORD_HEADER + 50 + 1;
	struct sample s, other;

	(void)unused;
	sample_fill(&s, ID, lens, 4);
	sample_fill(&other, OTHER, lens, 4);
	for (size_t i = 0; i < CB_COUNT(orders) + 4; i++) {
		cb_auto_arena struct cb_arena arena = {0};
		cb_auto_str struct cb_str bytes = {0};
		struct cb_scan scan;

		for (size_t n = 0; n < 4; n++) {
			const struct sample *from = &s;
			size_t at = n;

			if (i < CB_COUNT(orders))
				at = orders[i][n];
			else if (n == i - CB_COUNT(orders))
				from = &other;
			cb_str_add_bytes(&bytes, from->bytes.text + at * frame, frame);
		}
		scan_copy(&arena, bytes.text, bytes.len, &scan);
		assert_prefix(&scan, &s);
		assert_int_equal(scan.verdict, CB_SCAN_CORRUPT);
	}
	cb_str_release(&s.bytes);
	cb_str_release(&other.bytes);
}

/* Missing bytes alone do not make it torn: what is there has to be right. */
static void a_cut_record_with_a_wrong_header_is_damage(void **unused)
{
	static const struct {
		const char *text;
		size_t zeros_at, zeros; /* in `text` */
	} cases[] = {
		{"CBJ1 00000001 00000040 00000000 {\"a", 0, 0},       /* fine: torn */
		{"CBJ1 00000002 00000040 00000000 {\"a", 0, 0},       /* another number */
		{"CBJ1 00000001 00000000 00000000 {\"a", 0, 0},       /* no length */
		{"CBJ1 00000001 00100001 00000000 {\"a", 0, 0},       /* too long */
		{"CBJ1 00000001 00000004 00000000 {\"abcdef", 0, 0},  /* more than it says */
		{"CBJ1 00000001 00000004 00000000 {\"abcdef", 34, 3}, /* the same, with a hole */
		{"CBJ1 00000001 0000004F 00000000 {\"a", 0, 0},       /* not how we write it */
		{"CBJ2 00000001 00000040 00000000 {\"a", 0, 0},       /* of another version */
		{"CBJ1 00000001 00000040 00000000 {\"a", 7, 2},       /* a hole that is no sector */
		{"CBJ1 00000001 00000040 00000000 {\"a", 0, 2},       /* and at the beginning */
	};

	(void)unused;
	for (size_t i = 0; i < CB_COUNT(cases); i++) {
		cb_auto_arena struct cb_arena arena = {0};
		cb_auto_str struct cb_str bytes = {0};
		struct cb_scan scan;

		cb_str_add(&bytes, cases[i].text);
		memset(bytes.text + cases[i].zeros_at, 0, cases[i].zeros);
		add_zeros(&bytes, 2 * SECTOR);
		scan_copy(&arena, bytes.text, bytes.len, &scan);
		assert_int_equal(scan.len, 0);
		assert_int_equal(scan.verdict, i == 0 ? CB_SCAN_TORN : CB_SCAN_CORRUPT);
	}
}

/* Sectors get lost from their first byte on. */
static void a_hole_that_begins_inside_a_sector_is_damage(void **unused)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_str struct cb_str bytes = {0};
	struct cb_scan scan;

	(void)unused;
	cb_str_add(&bytes, "CBJ1 0000");
	add_zeros(&bytes, SECTOR - bytes.len);
	cb_str_add(&bytes, "the rest\"}\n");
	scan_copy(&arena, bytes.text, bytes.len, &scan);
	assert_int_equal(scan.verdict, CB_SCAN_CORRUPT);
	memset(bytes.text, 0, SECTOR);
	scan_copy(&arena, bytes.text, bytes.len, &scan);
	assert_int_equal(scan.verdict, CB_SCAN_TORN);
}

/* Also where the checksum has been made for that number. */
static void numbers_have_no_gaps(void **unused)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_str struct cb_str bytes = {0};
	uint32_t crc = cb_record_seed(ID);
	struct cb_scan scan;

	(void)unused;
	cb_record_append(&bytes, &crc, 1, "{}", 2);
	cb_record_append(&bytes, &crc, 3, "{}", 2);
	scan_copy(&arena, bytes.text, bytes.len, &scan);
	assert_int_equal(scan.len, 1);
	assert_int_equal(scan.verdict, CB_SCAN_CORRUPT);
}

static void any_bytes_can_be_scanned(void **unused)
{
	static const char alphabet[] = "CBJ1 0123456789abcdef{}\"\n\0\0\0\0";

	(void)unused;
	for (unsigned round = 0; round < 20000; round++) {
		cb_auto_arena struct cb_arena arena = {0};
		size_t len = pick(1400);
		char *bytes = cb_arena_alloc(&arena, len + 1);
		struct cb_scan scan;

		if (round % 2) /* as from a file */
			(void)snprintf(bytes, len + 1, "CBJ1 00000001 %08x %08x ", pick(64),
				       pick(64));
		for (size_t i = strlen(bytes); i < len; i++)
			bytes[i] = round % 3 ? alphabet[pick(sizeof(alphabet))] : (char)pick(256);
		scan_copy(&arena, bytes, len, &scan);
		assert_int_equal(scan.len, 0);
		assert_true(scan.end <= len);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc_matches_the_published_vectors),
		cmocka_unit_test(a_frame_looks_as_documented),
		cmocka_unit_test(frames_round_trip),
		cmocka_unit_test(every_cut_gives_a_prefix),
		cmocka_unit_test(every_changed_byte_is_noticed),
		cmocka_unit_test(a_record_without_some_sectors_is_torn),
		cmocka_unit_test(a_lost_sector_before_a_record_is_damage),
		cmocka_unit_test(a_header_behind_a_hole_is_damage),
		cmocka_unit_test(records_cannot_be_moved),
		cmocka_unit_test(a_cut_record_with_a_wrong_header_is_damage),
		cmocka_unit_test(a_hole_that_begins_inside_a_sector_is_damage),
		cmocka_unit_test(numbers_have_no_gaps),
		cmocka_unit_test(any_bytes_can_be_scanned),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("journal frames", tests, NULL, NULL);
}
