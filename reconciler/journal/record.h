/*
 * record.h: the frames of a journal file, as pure functions over bytes (docs/journal.md).
 *
 *	CBJ1 <seq:8hex> <len:8hex> <crc32c:8hex> <payload>\n
 *
 * The checksum covers the text "<checksum before, 8hex> <seq> <len> <payload>", so a frame fits in
 * one place of one file only; before the first frame stands the checksum of the transaction id.
 */
#ifndef CB_JOURNAL_RECORD_H
#define CB_JOURNAL_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "reconciler/base/arena.h"
#include "reconciler/base/str.h"

enum {
	CB_RECORD_HEADER = 32,       /* bytes before the payload */
	CB_RECORD_MAX = 1024 * 1024, /* bytes of payload */
	CB_RECORD_SECTOR = 512,      /* what a disk writes wholly or not at all */
};

struct cb_frame {
	uint32_t seq; /* from 1 */
	size_t offset;
	const char *payload; /* borrowed from the scanned bytes, not terminated */
	size_t len;
};

enum cb_scan_verdict {
	CB_SCAN_CLEAN, /* frames, then nothing but zeros */
	CB_SCAN_TORN, /* the last frame never reached the disk as a whole: it was never relied on */
	CB_SCAN_CORRUPT, /* something that was once whole does not read back */
};

struct cb_scan {
	struct cb_frame *items;
	size_t len, cap;
	size_t tail;  /* end of the last good frame: where the bad one starts, or the next one goes
		       */
	size_t end;   /* end of the last byte that is not zero; > tail when torn or corrupt */
	uint32_t crc; /* of the last good frame, or the seed */
	enum cb_scan_verdict verdict;
	const char *why; /* static text; NULL when clean */
};

/* CRC-32C (Castagnoli), continued from `crc`; 0 to begin. */
uint32_t cb_record_crc(uint32_t crc, const void *bytes, size_t len);

/* What the first frame of a transaction's file is chained to. */
uint32_t cb_record_seed(const char *id);

/* Adds one frame. `crc` is the chain: the checksum before, and the frame's own on return. */
void cb_record_append(struct cb_str *out, uint32_t *crc, uint32_t seq, const char *payload,
		      size_t len);

/* Reads the frames in `bytes`, whatever they are. */
void cb_record_scan(struct cb_arena *arena, const void *bytes, size_t len, uint32_t seed,
		    struct cb_scan *out);

#endif
