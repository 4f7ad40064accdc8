/*
 * bounds.h: what one input of a fuzz target may cost, whatever it is.
 *
 *	struct bounds bounds = bounds_begin();
 *	... the work ...
 *	bounds_check(&bounds);          before its memory is given back
 */
#ifndef CB_TESTS_FUZZ_BOUNDS_H
#define CB_TESTS_FUZZ_BOUNDS_H

#include <malloc.h>
#include <stddef.h>
#include <time.h>

#include "reconciler/base/error.h"

enum {
	BOUNDS_BYTES = 256 * 1024 * 1024,
	/* Of the processor; with the checkers, which cost some five times of what is measured. */
	BOUNDS_SECONDS = 5,
};

/* There where the program is built with a checker of addresses. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

struct bounds {
	size_t bytes;
	struct timespec time;
};

static inline size_t bounds_allocated(void)
{
	return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes()
						       : mallinfo2().uordblks;
}

static inline struct bounds bounds_begin(void)
{
	struct bounds bounds = {.bytes = bounds_allocated()};

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &bounds.time);
	return bounds;
}

static inline void bounds_check(const struct bounds *begun)
{
	struct bounds now = bounds_begin();

	CB_ASSERT(now.bytes < begun->bytes + BOUNDS_BYTES);
	CB_ASSERT(now.time.tv_sec - begun->time.tv_sec <= BOUNDS_SECONDS);
}

#endif
