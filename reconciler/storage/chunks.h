/*
 * chunks.h: a long transfer in parts: which of them have arrived, and what is to be sent next.
 * Pure: numbers and lists, no file is touched.
 */
#ifndef CB_STORAGE_CHUNKS_H
#define CB_STORAGE_CHUNKS_H

#include <stdbool.h>
#include <stdint.h>

#include "reconciler/base/arena.h"
#include "reconciler/base/digest.h"

enum {
	CB_CHUNKS_MAX = 64, /* chunks of one transfer */
	CB_CHUNKS_ODD = 8,  /* shorter ones, where a person has interrupted it */
};

/* Least size of a chunk: what may have to be sent again, at little more than the cost of a record.
 */
static const uint64_t cb_chunk_least = (uint64_t)64 << 20;

/* A part that has arrived. */
struct cb_chunk {
	uint64_t offset, size;
	char digest[CB_SHA256_HEX]; /* of its bytes */
};

/* In the order of their offsets, none over another. */
struct cb_chunks {
	struct cb_chunk *items;
	size_t len, cap;
};

/* The size of the chunks of `total` bytes: `least`, doubled until there are at most CB_CHUNKS_MAX.
 */
uint64_t cb_chunk_size(uint64_t total, uint64_t least);

/* How many chunks of that size there are. */
unsigned cb_chunk_count(uint64_t total, uint64_t size);

/* Older ones that it lies over go. */
void cb_chunks_add(struct cb_arena *arena, struct cb_chunks *chunks, const struct cb_chunk *chunk);

void cb_chunks_remove(struct cb_chunks *chunks, size_t index);

/* The one that begins at `offset`, or NULL. */
const struct cb_chunk *cb_chunks_at(const struct cb_chunks *chunks, uint64_t offset);

/* Whether any begins at `offset` or behind it. */
bool cb_chunks_behind(const struct cb_chunks *chunks, uint64_t offset);

/* What they come to. */
uint64_t cb_chunks_bytes(const struct cb_chunks *chunks);

/* From `offset`, where none begins, to the next multiple of `size`, the next chunk that is there,
 * or the end. */
uint64_t cb_chunks_gap(const struct cb_chunks *chunks, uint64_t offset, uint64_t size,
		       uint64_t total);

#endif
