/*
 * observe.h: reads a host and says whose each domain is, in the terms of the manifest.
 */
#ifndef CB_OBSERVE_OBSERVE_H
#define CB_OBSERVE_OBSERVE_H

#include "reconciler/driver/driver.h"

struct cb_observed {
	struct cb_host host;
	struct cb_domains domains;
	bool default_network; /* libvirt's network "default" is active */
};

/* Reads everything that a plan for `owner` needs: a constant number of calls and what
 * driver->domains costs. Any failure is an error: a host that did not answer is not empty. */
CB_CHECKED int cb_observe(struct cb_driver *driver, struct cb_arena *arena, const char *owner,
			  struct cb_observed *out, struct cb_error *err);

/* The pure half, for one domain: ownership, and host paths back to what the manifest said. */
void cb_observe_classify(struct cb_arena *arena, const char *owner, struct cb_domain *domain);

#endif
