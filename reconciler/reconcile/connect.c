/* Opening a connection, with patience that ends: libvirt's own call waits for ever on a daemon that
 * has stopped, or on a machine that does not answer. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "reconciler/reconcile/session_internal.h"

/* Shared with a thread that may outlive the wait: the last of the two that has done with it frees
 * it. */
struct attempt {
	int (*open)(const char *uri, struct cb_driver **out, struct cb_error *err);
	char *uri; /* NULL: libvirt's default */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool over, abandoned;
	struct cb_driver *driver;
	struct cb_error err;
	int r;
};

static void free_attempt(struct attempt *attempt)
{
	cb_error_release(&attempt->err);
	(void)pthread_cond_destroy(&attempt->changed);
	(void)pthread_mutex_destroy(&attempt->mutex);
	free(attempt->uri);
	free(attempt);
}

static void *try_to_open(void *ctx)
{
	struct attempt *attempt = ctx;
	struct cb_driver *driver = NULL;
	int r = attempt->open(attempt->uri, &driver, &attempt->err);
	bool abandoned;

	(void)pthread_mutex_lock(&attempt->mutex);
	attempt->r = r;
	attempt->driver = driver;
	attempt->over = true;
	abandoned = attempt->abandoned;
	(void)pthread_cond_signal(&attempt->changed);
	(void)pthread_mutex_unlock(&attempt->mutex);
	if (abandoned) {
		if (r == 0)
			cb_driver_close(driver);
		free_attempt(attempt);
	}
	return NULL;
}

/* Whether it came to an end in time. */
static bool wait_for(struct attempt *attempt, unsigned timeout_ms)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	while (!attempt->over) {
		if (pthread_cond_timedwait(&attempt->changed, &attempt->mutex, &until) == ETIMEDOUT)
			break;
	}
	return attempt->over;
}

static struct attempt *new_attempt(const struct cb_session_config *config)
{
	struct attempt *attempt = calloc(1, sizeof(*attempt));
	pthread_condattr_t monotonic;

	if (!attempt || (config->uri && !(attempt->uri = strdup(config->uri))))
		cb_oom();
	attempt->open = config->open;
	(void)pthread_mutex_init(&attempt->mutex, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&attempt->changed, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	return attempt;
}

static int connect_in_time(const struct cb_session_config *config, struct cb_driver **out,
			   struct cb_error *err)
{
	struct attempt *attempt;
	pthread_attr_t detached;
	pthread_t thread;
	bool in_time;
	int r;

	if (config->connect_timeout_ms == 0)
		return config->open(config->uri, out, err);
	attempt = new_attempt(config);
	(void)pthread_attr_init(&detached);
	(void)pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &detached, try_to_open, attempt);
	(void)pthread_attr_destroy(&detached);
	if (r != 0) {
		free_attempt(attempt);
		return config->open(config->uri, out, err);
	}
	(void)pthread_mutex_lock(&attempt->mutex);
	in_time = wait_for(attempt, config->connect_timeout_ms);
	attempt->abandoned = !in_time;
	(void)pthread_mutex_unlock(&attempt->mutex);
	if (!in_time) {
		(void)cb_error_set(err, CB_E_UNAVAILABLE, "'%s' did not answer within %u s",
				   config->uri ? config->uri : "libvirt",
				   config->connect_timeout_ms / 1000);
		return cb_error_hint(err, "is the machine up, and libvirtd not stuck? "
					  "--connect-timeout waits longer");
	}
	r = attempt->r;
	*out = attempt->driver;
	if (r < 0)
		(void)cb_error_move(err, &attempt->err);
	free_attempt(attempt);
	return r;
}

int cb_session_connect(const struct cb_session_config *config, struct cb_driver **out,
		       struct cb_error *err)
{
	int r = connect_in_time(config, out, err);

	if (r == 0)
		(*out)->patience_ms = config->call_timeout_ms;
	return r;
}

int cb_session_reconnect(const struct cb_session_config *config, struct cb_driver **driver,
			 struct cb_error *err)
{
	struct cb_driver *fresh;
	int r;

	if (!(*driver)->lost)
		return 0;
	if ((r = cb_session_connect(config, &fresh, err)) < 0)
		return r;
	cb_driver_close(*driver);
	*driver = fresh;
	return 0;
}

int cb_session_unanswered(const struct cb_driver *driver, int r, struct cb_error *err)
{
	if (r != -CB_E_TIMEOUT || !driver->lost)
		return r;
	err->code = CB_E_UNAVAILABLE;
	return -CB_E_UNAVAILABLE;
}
