#include "reconciler/driver/libvirt/watch.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "reconciler/base/clock.h"
#include "reconciler/base/error.h"

struct cb_watch {
	struct cb_watch *next;
	int fd;
	uint64_t limit_ms, due; /* due: 0 while nothing is waited for */
	bool expired;
};

/* All of this under the mutex. */
static struct {
	pthread_mutex_t mutex;
	pthread_cond_t sooner; /* on the clock of cb_clock_ms */
	struct cb_watch *first;
	uint64_t wakes; /* when the thread looks again; it is told of what is due before that */
	bool running;
} all = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Shuts what is over; when the next one is due. */
static uint64_t look(uint64_t now)
{
	uint64_t next = UINT64_MAX;

	for (struct cb_watch *watch = all.first; watch; watch = watch->next) {
		if (watch->due == 0)
			continue;
		if (watch->due <= now) {
			watch->due = 0;
			watch->expired = true;
			(void)shutdown(watch->fd, SHUT_RDWR);
		} else if (watch->due < next) {
			next = watch->due;
		}
	}
	return next;
}

static void *run(void *ctx)
{
	(void)ctx;
	(void)pthread_mutex_lock(&all.mutex);
	for (;;) {
		struct timespec until;

		/* A limit that was begun and ended in time leaves the hour as it is: to wake once
		 * in vain is cheaper than to be told of every call. */
		all.wakes = look(cb_clock_ms());
		if (all.wakes == UINT64_MAX) {
			(void)pthread_cond_wait(&all.sooner, &all.mutex);
			continue;
		}
		until.tv_sec = (time_t)(all.wakes / 1000);
		until.tv_nsec = (long)(all.wakes % 1000) * 1000000;
		(void)pthread_cond_timedwait(&all.sooner, &all.mutex, &until);
	}
	return NULL;
}

/* Signals are for the threads that know what to do with them. */
static bool start(void)
{
	pthread_condattr_t monotonic;
	pthread_attr_t detached;
	sigset_t none, before;
	pthread_t thread;
	int r;

	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&all.sooner, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	(void)pthread_attr_init(&detached);
	(void)pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	(void)sigfillset(&none);
	(void)pthread_sigmask(SIG_SETMASK, &none, &before);
	r = pthread_create(&thread, &detached, run, NULL);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&detached);
	return r == 0;
}

struct cb_watch *cb_watch_new(int fd)
{
	struct cb_watch *watch;
	bool running;

	if (fd < 0)
		return NULL;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		cb_oom();
	watch->fd = fd;
	(void)pthread_mutex_lock(&all.mutex);
	running = all.running = all.running || start();
	if (running) {
		watch->next = all.first;
		all.first = watch;
	}
	(void)pthread_mutex_unlock(&all.mutex);
	if (running)
		return watch;
	(void)close(fd);
	free(watch);
	return NULL;
}

void cb_watch_free(struct cb_watch *watch)
{
	if (!watch)
		return;
	(void)pthread_mutex_lock(&all.mutex);
	for (struct cb_watch **at = &all.first; *at; at = &(*at)->next) {
		if (*at == watch) {
			*at = watch->next;
			break;
		}
	}
	(void)pthread_mutex_unlock(&all.mutex);
	(void)close(watch->fd);
	free(watch);
}

/* Under the mutex. */
static void set_due(struct cb_watch *watch)
{
	watch->due = watch->limit_ms > 0 && !watch->expired ? cb_clock_ms() + watch->limit_ms : 0;
	if (watch->due > 0 && watch->due < all.wakes) {
		all.wakes = watch->due;
		(void)pthread_cond_signal(&all.sooner);
	}
}

void cb_watch_begin(struct cb_watch *watch, uint64_t limit_ms)
{
	if (!watch)
		return;
	(void)pthread_mutex_lock(&all.mutex);
	watch->limit_ms = limit_ms;
	set_due(watch);
	(void)pthread_mutex_unlock(&all.mutex);
}

void cb_watch_moved(struct cb_watch *watch)
{
	if (!watch)
		return;
	(void)pthread_mutex_lock(&all.mutex);
	set_due(watch);
	(void)pthread_mutex_unlock(&all.mutex);
}

void cb_watch_hold(struct cb_watch *watch)
{
	if (!watch)
		return;
	(void)pthread_mutex_lock(&all.mutex);
	watch->due = 0;
	(void)pthread_mutex_unlock(&all.mutex);
}

bool cb_watch_end(struct cb_watch *watch)
{
	bool expired;

	if (!watch)
		return false;
	(void)pthread_mutex_lock(&all.mutex);
	watch->limit_ms = watch->due = 0;
	expired = watch->expired;
	(void)pthread_mutex_unlock(&all.mutex);
	return expired;
}

bool cb_watch_expired(struct cb_watch *watch)
{
	bool expired;

	if (!watch)
		return false;
	(void)pthread_mutex_lock(&all.mutex);
	expired = watch->expired;
	(void)pthread_mutex_unlock(&all.mutex);
	return expired;
}
