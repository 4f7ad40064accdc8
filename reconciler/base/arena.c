#include "reconciler/base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/error.h"

enum { CHUNK_SIZE = 16 * 1024, ALIGNMENT = 16 };

struct cb_arena_chunk {
	struct cb_arena_chunk *next;
	size_t size, used;
	_Alignas(ALIGNMENT) unsigned char data[];
};

void *cb_arena_alloc(struct cb_arena *arena, size_t size)
{
	struct cb_arena_chunk *chunk = arena->chunks;
	size_t need = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	void *p;

	if (need < size)
		cb_oom();
	if (!chunk || chunk->size - chunk->used < need) {
		size_t room = need > CHUNK_SIZE / 4 ? need : CHUNK_SIZE;

		chunk = calloc(1, sizeof(*chunk) + room);
		if (!chunk)
			cb_oom();
		chunk->size = room;
		/* A big block goes behind the current chunk, whose rest stays in use. */
		if (arena->chunks && room != CHUNK_SIZE) {
			chunk->next = arena->chunks->next;
			arena->chunks->next = chunk;
		} else {
			chunk->next = arena->chunks;
			arena->chunks = chunk;
		}
	}
	p = chunk->data + chunk->used;
	chunk->used += need;
	arena->bytes += need;
	return p;
}

char *cb_arena_strdup(struct cb_arena *arena, const char *text)
{
	return text ? cb_arena_strndup(arena, text, strlen(text)) : NULL;
}

char *cb_arena_strndup(struct cb_arena *arena, const char *text, size_t len)
{
	char *copy = cb_arena_alloc(arena, len + 1);

	memcpy(copy, text, len);
	return copy;
}

char *cb_arena_printf(struct cb_arena *arena, const char *fmt, ...)
{
	va_list ap, again;
	char *text;
	int len;

	va_start(ap, fmt);
	va_copy(again, ap);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	CB_ASSERT(len >= 0);
	text = cb_arena_alloc(arena, (size_t)len + 1);
	(void)vsnprintf(text, (size_t)len + 1, fmt, again);
	va_end(again);
	return text;
}

void cb_arena_release(struct cb_arena *arena)
{
	struct cb_arena_chunk *chunk = arena->chunks;

	while (chunk) {
		struct cb_arena_chunk *next = chunk->next;

		free(chunk);
		chunk = next;
	}
	*arena = (struct cb_arena){0};
}

void *cb_vec_grow(struct cb_arena *arena, const void *items, size_t len, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : 8;
	void *grown;

	if (more > SIZE_MAX / size)
		cb_oom();
	grown = cb_arena_alloc(arena, more * size);
	if (len)
		memcpy(grown, items, len * size);
	*cap = more;
	return grown;
}
