/*
 * barrier.h: one sync() for many who need it.
 *
 * Whoever returns from cb_barrier_sync knows that a sync() began after they had called: everything
 * that they had written before is on the disk. Those who come while one runs share the next.
 */
#ifndef CB_BASE_BARRIER_H
#define CB_BASE_BARRIER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct cb_barrier {
	pthread_mutex_t mutex;
	pthread_cond_t finished_one;
	uint64_t begun, finished;
	bool running;
	unsigned syncs;     /* how many there have been: for measurements */
	void (*sync)(void); /* NULL: sync(2); tests have their own */
};

#define CB_BARRIER_INIT                                                                            \
	{                                                                                          \
		PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, false, 0, NULL          \
	}

void cb_barrier_sync(struct cb_barrier *barrier);

#endif
