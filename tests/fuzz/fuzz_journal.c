/*
 * The scanner of journal files against any bytes.
 *
 * The first byte of the input says what is done with the rest: odd, and the checksums of whatever
 * looks like a frame are put right first, so that the fuzzer gets behind them.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/error.h"
#include "reconciler/journal/record.h"
#include "tests/fuzz/bounds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char id[] = "0b9f6f4e-0000-4000-8000-000000000001";

static size_t number(const char *digits)
{
	char text[9] = {0};

	memcpy(text, digits, 8);
	return strtoul(text, NULL, 16);
}

static void put_checksums_right(char *bytes, size_t size)
{
	uint32_t crc = cb_record_seed(id), seq = 1;
	size_t at = 0;

	while (size - at > CB_RECORD_HEADER) {
		size_t len = number(bytes + at + 14);
		cb_auto_str struct cb_str frame = {0};

		if (memcmp(bytes + at, "CBJ1 ", 5) != 0 || len == 0 || len > CB_RECORD_MAX ||
		    size - at - CB_RECORD_HEADER <= len)
			return;
		cb_record_append(&frame, &crc, seq++, bytes + at + CB_RECORD_HEADER, len);
		memcpy(bytes + at, frame.text, frame.len);
		at += frame.len;
	}
}

/* What was read must be what the writer would have written, from the first byte to the tail. */
static void check_frames(const char *bytes, size_t size, const struct cb_scan *scan)
{
	uint32_t crc = cb_record_seed(id);
	size_t at = 0;

	for (size_t i = 0; i < scan->len; i++) {
		const struct cb_frame *frame = &scan->items[i];
		cb_auto_str struct cb_str again = {0};

		CB_ASSERT(frame->offset == at && frame->seq == i + 1);
		CB_ASSERT(frame->payload == bytes + at + CB_RECORD_HEADER);
		cb_record_append(&again, &crc, frame->seq, frame->payload, frame->len);
		CB_ASSERT(again.len <= size - at && memcmp(again.text, bytes + at, again.len) == 0);
		at += again.len;
	}
	CB_ASSERT(scan->tail == at && scan->crc == crc);
}

static void check_verdict(const char *bytes, size_t size, const struct cb_scan *scan)
{
	size_t rest = scan->tail;

	while (rest < size && bytes[rest] == 0)
		rest++;
	CB_ASSERT((scan->verdict == CB_SCAN_CLEAN) == (rest == size));
	CB_ASSERT((scan->verdict == CB_SCAN_CLEAN) == (scan->why == NULL));
	CB_ASSERT(scan->end <= size && (rest == size || scan->end > scan->tail));
	/* Nothing can stand behind the newline of a record that was never finished. */
	if (scan->verdict == CB_SCAN_TORN) {
		const char *newline = memchr(bytes + scan->tail, '\n', scan->end - scan->tail);

		CB_ASSERT(!newline || newline + 1 == bytes + scan->end);
	}
}

/* Without the bad end, the same records and nothing to complain about. */
static void check_without_tail(struct cb_arena *arena, const char *bytes,
			       const struct cb_scan *scan)
{
	struct cb_scan good;

	cb_record_scan(arena, bytes, scan->tail, cb_record_seed(id), &good);
	CB_ASSERT(good.verdict == CB_SCAN_CLEAN && good.len == scan->len);
	CB_ASSERT(good.tail == scan->tail && good.crc == scan->crc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct bounds bounds = bounds_begin();
	struct cb_scan scan;
	char *bytes;

	if (size < 2)
		return 0;
	/* Memory of exact size: a checker sees each byte that is read beyond it. */
	bytes = malloc(--size);
	if (!bytes)
		cb_oom();
	memcpy(bytes, data + 1, size);
	if (data[0] & 1)
		put_checksums_right(bytes, size);
	cb_record_scan(&arena, bytes, size, cb_record_seed(id), &scan);
	check_frames(bytes, size, &scan);
	check_verdict(bytes, size, &scan);
	check_without_tail(&arena, bytes, &scan);
	bounds_check(&bounds);
	free(bytes);
	return 0;
}
