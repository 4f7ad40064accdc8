#include "reconciler/journal/record.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "reconciler/base/error.h"

/* A header, byte by byte: 'x' is a lower-case hex digit. */
static const char header_shape[CB_RECORD_HEADER + 1] = "CBJ1 xxxxxxxx xxxxxxxx xxxxxxxx ";

enum { SEQ_AT = 5, LEN_AT = 14, CRC_AT = 23, NUMBER = 8 };

uint32_t cb_record_crc(uint32_t crc, const void *bytes, size_t len)
{
	/* Four bits at a time: records are small and synced one by one, speed is elsewhere. */
	static const uint32_t table[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
		0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
		0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};
	const unsigned char *p = bytes;

	crc = ~crc;
	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		crc = (crc >> 4) ^ table[crc & 15];
		crc = (crc >> 4) ^ table[crc & 15];
	}
	return ~crc;
}

uint32_t cb_record_seed(const char *id)
{
	return cb_record_crc(0, id, strlen(id));
}

static uint32_t chained(uint32_t before, uint32_t seq, const char *payload, size_t len)
{
	char head[32];
	int n = snprintf(head, sizeof(head), "%08" PRIx32 " %08" PRIx32 " %08zx ", before, seq,
			 len);

	CB_ASSERT(n == 3 * (NUMBER + 1));
	return cb_record_crc(cb_record_crc(0, head, (size_t)n), payload, len);
}

void cb_record_append(struct cb_str *out, uint32_t *crc, uint32_t seq, const char *payload,
		      size_t len)
{
	CB_ASSERT(len > 0 && len <= CB_RECORD_MAX);
	*crc = chained(*crc, seq, payload, len);
	cb_str_printf(out, "CBJ1 %08" PRIx32 " %08zx %08" PRIx32 " ", seq, len, *crc);
	cb_str_add_bytes(out, payload, len);
	cb_str_add(out, "\n");
}

/* How many bytes at `p` look like a header that is read from its byte `from` on. */
static size_t header_prefix(const unsigned char *p, size_t len, size_t from)
{
	size_t i;

	for (i = 0; i < len && from + i < CB_RECORD_HEADER; i++) {
		bool digit = (p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f');
		char want = header_shape[from + i];

		if (want == 'x' ? !digit : p[i] != (unsigned char)want)
			break;
	}
	return i;
}

static uint32_t number(const unsigned char *digits)
{
	uint32_t value = 0;

	for (size_t i = 0; i < NUMBER; i++)
		value = value << 4 |
			(uint32_t)(digits[i] <= '9' ? digits[i] - '0' : digits[i] - 'a' + 10);
	return value;
}

static bool all_zero(const unsigned char *p, size_t from, size_t to)
{
	while (from < to && p[from] == 0)
		from++;
	return from >= to;
}

static size_t next_sector(size_t offset)
{
	return offset - offset % CB_RECORD_SECTOR + CB_RECORD_SECTOR;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Is there a sector of which nothing that belongs to [from, to) arrived? */
static bool lost_sector(const unsigned char *p, size_t from, size_t to)
{
	for (size_t next; from < to; from = next) {
		next = smaller(next_sector(from), to);
		if (all_zero(p, from, next))
			return true;
	}
	return false;
}

/* Does another frame begin behind the bad one at `tail`, its head perhaps in a lost sector? Two
 * numbers of a header that stand right behind a hole are taken for one: text that a person wrote
 * can hardly look so, and to refuse is the safe side. */
static bool later_header(const unsigned char *p, size_t tail, size_t end)
{
	for (size_t at = next_sector(tail); at < end; at += CB_RECORD_SECTOR) {
		/* So near to `tail` it would be the frame's own. */
		if (p[at - 1] != 0 || at < tail + CB_RECORD_HEADER)
			continue;
		for (size_t lost = 0; lost <= LEN_AT; lost++)
			if (header_prefix(p + at, end - at, lost) == CB_RECORD_HEADER - lost)
				return true;
	}
	return false;
}

/*
 * The frame at `tail` is bad: was it never written as a whole, or has it been damaged since?
 *
 * Torn is what a write can leave behind that was cut off: the end missing, or whole sectors
 * missing, all of them still zero from the preallocation. As each frame is durable before the next
 * one is written, nothing can stand behind a torn one. All else is damage. In doubt: damage.
 */
static enum cb_scan_verdict judge(const unsigned char *p, size_t size, const struct cb_scan *scan,
				  const char **why)
{
	size_t tail = scan->tail, end = scan->end, hole;
	size_t header = header_prefix(p + tail, size - tail, 0);
	const unsigned char *newline = memchr(p + tail, '\n', end - tail);

	/* JSON holds no raw newline: the first one is the end of the frame. */
	if (newline && newline + 1 != p + end) {
		*why = "more follows after a bad record";
		return CB_SCAN_CORRUPT;
	}
	if (header == CB_RECORD_HEADER) {
		uint32_t seq = number(p + tail + SEQ_AT), len = number(p + tail + LEN_AT);
		size_t stop = tail + CB_RECORD_HEADER + len + 1;

		if (seq != scan->len + 1) {
			*why = "the record has the wrong number";
			return CB_SCAN_CORRUPT;
		}
		if (len == 0 || len > CB_RECORD_MAX || end > stop ||
		    (newline && newline + 1 != p + stop)) {
			*why = "the record has the wrong length";
			return CB_SCAN_CORRUPT;
		}
		*why = "the last record was cut short";
		if (stop > size || p[stop - 1] == 0 || lost_sector(p, tail, stop))
			return CB_SCAN_TORN;
		*why = "the checksum of the record does not fit";
		return CB_SCAN_CORRUPT;
	}
	hole = tail + header;
	*why = "the last record was cut short";
	if (hole >= end)
		return CB_SCAN_TORN;
	if ((hole == tail || hole % CB_RECORD_SECTOR == 0) &&
	    all_zero(p, hole, smaller(next_sector(hole), size)) && !later_header(p, tail, end))
		return CB_SCAN_TORN;
	*why = "there is no record where one should be";
	return CB_SCAN_CORRUPT;
}

static bool read_frame(const unsigned char *p, size_t size, const struct cb_scan *scan,
		       struct cb_frame *frame, uint32_t *crc)
{
	const unsigned char *at = p + scan->tail;
	size_t room = size - scan->tail;

	if (header_prefix(at, room, 0) < CB_RECORD_HEADER)
		return false;
	frame->seq = number(at + SEQ_AT);
	frame->offset = scan->tail;
	frame->payload = (const char *)at + CB_RECORD_HEADER;
	frame->len = number(at + LEN_AT);
	if (frame->len == 0 || frame->len > CB_RECORD_MAX ||
	    room - CB_RECORD_HEADER <= frame->len || frame->payload[frame->len] != '\n')
		return false;
	*crc = chained(scan->crc, frame->seq, frame->payload, frame->len);
	return frame->seq == scan->len + 1 && *crc == number(at + CRC_AT);
}

void cb_record_scan(struct cb_arena *arena, const void *bytes, size_t len, uint32_t seed,
		    struct cb_scan *out)
{
	const unsigned char *p = bytes;
	struct cb_frame frame;
	uint32_t crc;

	*out = (struct cb_scan){.crc = seed, .end = len};
	while (out->end > 0 && p[out->end - 1] == 0)
		out->end--;
	while (out->tail < out->end && read_frame(p, len, out, &frame, &crc)) {
		cb_vec_push(arena, out, frame);
		out->tail = frame.offset + CB_RECORD_HEADER + frame.len + 1;
		out->crc = crc;
	}
	if (out->tail < out->end)
		out->verdict = judge(p, len, out, &out->why);
}
