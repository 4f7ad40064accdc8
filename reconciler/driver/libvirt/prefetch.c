/* Documents ahead of their reader: libvirt answers the next question while we parse the last
 * answer. One thread asks, in order; libvirt's connections may be used by several. */
#include <pthread.h>
#include <stdlib.h>

#include "reconciler/base/error.h"
#include "reconciler/driver/libvirt/libvirt_internal.h"

enum { AHEAD = 64 }; /* documents that wait to be read */

struct cb_prefetch {
	struct cb_libvirt *host;
	virDomainPtr *domains;
	size_t count;
	struct cb_fetched slots[AHEAD];
	size_t asked, read;
	bool stop;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	pthread_t thread;
	bool threaded;
};

static struct cb_fetched ask(struct cb_libvirt *host, virDomainPtr domain)
{
	struct cb_fetched out = {.text = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE)};

	/* The error is the asking thread's: the reader gets a copy. */
	if (!out.text)
		out.error = virSaveLastError();
	cb_watch_moved(host->watch);
	return out;
}

static void release(struct cb_fetched *fetched)
{
	free(fetched->text);
	if (fetched->error)
		virFreeError(fetched->error);
}

static void *run(void *ctx)
{
	struct cb_prefetch *prefetch = ctx;

	(void)pthread_mutex_lock(&prefetch->mutex);
	while (prefetch->asked < prefetch->count && !prefetch->stop) {
		struct cb_fetched fetched;

		if (prefetch->asked - prefetch->read == AHEAD) {
			(void)pthread_cond_wait(&prefetch->changed, &prefetch->mutex);
			continue;
		}
		(void)pthread_mutex_unlock(&prefetch->mutex);
		fetched = ask(prefetch->host, prefetch->domains[prefetch->asked]);
		(void)pthread_mutex_lock(&prefetch->mutex);
		prefetch->slots[prefetch->asked++ % AHEAD] = fetched;
		(void)pthread_cond_signal(&prefetch->changed);
	}
	(void)pthread_mutex_unlock(&prefetch->mutex);
	return NULL;
}

struct cb_prefetch *cb_prefetch_start(struct cb_libvirt *host, virDomainPtr *domains, size_t count)
{
	struct cb_prefetch *prefetch = calloc(1, sizeof(*prefetch));

	if (!prefetch)
		cb_oom();
	prefetch->host = host;
	prefetch->domains = domains;
	prefetch->count = count;
	(void)pthread_mutex_init(&prefetch->mutex, NULL);
	(void)pthread_cond_init(&prefetch->changed, NULL);
	/* For a few it is not worth it; without it each is asked for when it is wanted. */
	prefetch->threaded =
		count > 4 && pthread_create(&prefetch->thread, NULL, run, prefetch) == 0;
	return prefetch;
}

struct cb_fetched cb_prefetch_next(struct cb_prefetch *prefetch)
{
	struct cb_fetched out;

	if (!prefetch->threaded)
		return ask(prefetch->host, prefetch->domains[prefetch->read++]);
	(void)pthread_mutex_lock(&prefetch->mutex);
	while (prefetch->asked == prefetch->read)
		(void)pthread_cond_wait(&prefetch->changed, &prefetch->mutex);
	out = prefetch->slots[prefetch->read++ % AHEAD];
	(void)pthread_cond_signal(&prefetch->changed);
	(void)pthread_mutex_unlock(&prefetch->mutex);
	return out;
}

void cb_prefetch_stop(struct cb_prefetch **prefetch)
{
	struct cb_prefetch *p = *prefetch;

	if (!p)
		return;
	if (p->threaded) {
		(void)pthread_mutex_lock(&p->mutex);
		p->stop = true;
		(void)pthread_cond_signal(&p->changed);
		(void)pthread_mutex_unlock(&p->mutex);
		(void)pthread_join(p->thread, NULL);
		for (; p->read < p->asked; p->read++)
			release(&p->slots[p->read % AHEAD]);
	}
	(void)pthread_mutex_destroy(&p->mutex);
	(void)pthread_cond_destroy(&p->changed);
	free(p);
	*prefetch = NULL;
}
