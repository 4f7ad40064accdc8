/* observe_internal.h: what the files of observe share. */
#ifndef CB_OBSERVE_OBSERVE_INTERNAL_H
#define CB_OBSERVE_OBSERVE_INTERNAL_H

#include "reconciler/observe/observe.h"

/* Adds to a document what its disks and NICs are in the words of the manifest. */
void cb_observe_devices(struct cb_arena *arena, struct cb_spec *spec);
void cb_observe_mounts(struct cb_arena *arena, const struct cb_stamp *stamp, struct cb_spec *spec);

/* Adds the addresses that the networks keep for a domain's NICs. */
void cb_observe_addresses(struct cb_arena *arena, const struct cb_networks *networks,
			  struct cb_domain *domain);

#endif
