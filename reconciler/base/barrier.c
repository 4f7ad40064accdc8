#include "reconciler/base/barrier.h"

#include <unistd.h>

void cb_barrier_sync(struct cb_barrier *barrier)
{
	uint64_t needed;

	(void)pthread_mutex_lock(&barrier->mutex);
	/* One that is running may have passed what we wrote. */
	needed = barrier->begun + 1;
	while (barrier->finished < needed) {
		uint64_t mine;

		if (barrier->running) {
			(void)pthread_cond_wait(&barrier->finished_one, &barrier->mutex);
			continue;
		}
		barrier->running = true;
		mine = ++barrier->begun;
		(void)pthread_mutex_unlock(&barrier->mutex);
		(barrier->sync ? barrier->sync : sync)();
		(void)pthread_mutex_lock(&barrier->mutex);
		barrier->running = false;
		barrier->finished = mine;
		barrier->syncs++;
		(void)pthread_cond_broadcast(&barrier->finished_one);
	}
	(void)pthread_mutex_unlock(&barrier->mutex);
}
