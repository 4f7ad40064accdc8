/*
 * observe.h: reads a host and says whose each domain is, in the terms of the manifest.
 */
#ifndef CB_OBSERVE_OBSERVE_H
#define CB_OBSERVE_OBSERVE_H

#include "reconciler/driver/driver.h"
#include "reconciler/model/vm.h"

struct cb_observed {
	struct cb_host host;
	struct cb_domains domains;
	bool default_network;        /* libvirt's network "default" is active */
	struct cb_networks networks; /* all of the host, where a manifest or a stamp speaks of
				      * any */
};

/* Reads everything that a plan for these manifests needs: a constant number of calls, what
 * driver->domains costs and, where they or the stamps of the host speak of networks, one per
 * network of the host. Any failure is an error: a host that did not answer is not empty. */
CB_CHECKED int cb_observe(struct cb_driver *driver, struct cb_arena *arena,
			  const struct cb_desired *desired, struct cb_observed *out,
			  struct cb_error *err);

/* One domain that the driver has read, with the addresses that these networks keep for it. */
void cb_observe_one(struct cb_arena *arena, const char *owner, const struct cb_networks *networks,
		    struct cb_domain *domain);

/* The pure half, for one domain: ownership, and host paths back to what the manifest said. */
void cb_observe_classify(struct cb_arena *arena, const char *owner, struct cb_domain *domain);

#endif
