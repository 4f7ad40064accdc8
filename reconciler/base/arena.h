/*
 * arena.h: memory that is freed as a whole.
 *
 * Every snapshot (a manifest, an observation, a plan) owns one arena; all strings and arrays of the
 * snapshot live in it and nothing in it is freed alone. Allocation never fails: out of memory ends
 * the program (error.h). A zeroed struct is an empty arena.
 *
 *	cb_auto_arena struct cb_arena a = {0};
 *	char *name = cb_arena_strdup(&a, text);
 */
#ifndef CB_BASE_ARENA_H
#define CB_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "reconciler/base/compiler.h"

struct cb_arena_chunk;

struct cb_arena {
	struct cb_arena_chunk *chunks;
	size_t bytes; /* handed out so far */
};

/* Zeroed memory, aligned for any type. */
void *cb_arena_alloc(struct cb_arena *arena, size_t size);

/* NULL stays NULL. */
char *cb_arena_strdup(struct cb_arena *arena, const char *text);

char *cb_arena_strndup(struct cb_arena *arena, const char *text, size_t len);

char *cb_arena_printf(struct cb_arena *arena, const char *fmt, ...) CB_PRINTF(2, 3);

/* Frees everything; the arena is empty and usable afterwards. */
void cb_arena_release(struct cb_arena *arena);

#define cb_auto_arena CB_CLEANUP(cb_arena_release)

#define cb_arena_new(arena, type) ((type *)cb_arena_alloc((arena), sizeof(type)))

/*
 * Growing arrays. CB_VEC(T) is {items, len, cap}; it lives in an arena (growth leaves the old array
 * behind, so it costs at most twice the final size) and is released with it.
 */
#define CB_VEC(T)                                                                                  \
	struct {                                                                                   \
		T *items;                                                                          \
		size_t len, cap;                                                                   \
	}

void *cb_vec_grow(struct cb_arena *arena, const void *items, size_t len, size_t *cap, size_t size);

#define cb_vec_push(arena, vec, item)                                                              \
	do {                                                                                       \
		if ((vec)->len == (vec)->cap)                                                      \
			(vec)->items = cb_vec_grow((arena), (vec)->items, (vec)->len, &(vec)->cap, \
						   sizeof(*(vec)->items));                         \
		(vec)->items[(vec)->len++] = (item);                                               \
	} while (0)

/* for each element by pointer: cb_vec_each (struct cb_vm, vm, &desired->vms) { ... } */
#define cb_vec_each(T, it, vec)                                                                    \
	for (T *it = (vec)->items; it && it < (vec)->items + (vec)->len; it++)

#endif
