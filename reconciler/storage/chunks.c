#include "reconciler/storage/chunks.h"

#include <string.h>

#include "reconciler/base/error.h"

unsigned cb_chunk_count(uint64_t total, uint64_t size)
{
	return (unsigned)(total / size + (total % size != 0));
}

uint64_t cb_chunk_size(uint64_t total, uint64_t least)
{
	uint64_t size = least;

	CB_ASSERT(least > 0);
	while (total / CB_CHUNKS_MAX > size || cb_chunk_count(total, size) > CB_CHUNKS_MAX)
		size *= 2;
	return size;
}

void cb_chunks_remove(struct cb_chunks *chunks, size_t index)
{
	chunks->len--;
	memmove(&chunks->items[index], &chunks->items[index + 1],
		(chunks->len - index) * sizeof(*chunks->items));
}

static uint64_t end_of(const struct cb_chunk *chunk)
{
	return chunk->offset + chunk->size;
}

void cb_chunks_add(struct cb_arena *arena, struct cb_chunks *chunks, const struct cb_chunk *chunk)
{
	size_t at = 0;

	while (at < chunks->len && end_of(&chunks->items[at]) <= chunk->offset)
		at++;
	while (at < chunks->len && chunks->items[at].offset < end_of(chunk))
		cb_chunks_remove(chunks, at);
	cb_vec_push(arena, chunks, *chunk);
	memmove(&chunks->items[at + 1], &chunks->items[at],
		(chunks->len - 1 - at) * sizeof(*chunks->items));
	chunks->items[at] = *chunk;
}

const struct cb_chunk *cb_chunks_at(const struct cb_chunks *chunks, uint64_t offset)
{
	cb_vec_each (const struct cb_chunk, chunk, chunks) {
		if (chunk->offset == offset)
			return chunk;
	}
	return NULL;
}

bool cb_chunks_behind(const struct cb_chunks *chunks, uint64_t offset)
{
	return chunks->len > 0 && chunks->items[chunks->len - 1].offset >= offset;
}

uint64_t cb_chunks_bytes(const struct cb_chunks *chunks)
{
	uint64_t sum = 0;

	cb_vec_each (const struct cb_chunk, chunk, chunks)
		sum += chunk->size;
	return sum;
}

uint64_t cb_chunks_gap(const struct cb_chunks *chunks, uint64_t offset, uint64_t size,
		       uint64_t total)
{
	uint64_t end = offset - offset % size + size;

	if (end > total)
		end = total;
	cb_vec_each (const struct cb_chunk, chunk, chunks) {
		if (chunk->offset > offset && chunk->offset < end)
			end = chunk->offset;
	}
	return end - offset;
}
