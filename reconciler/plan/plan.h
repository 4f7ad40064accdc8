/*
 * plan.h: changes to transactions of ordered steps, with all problems that can be seen beforehand.
 * Pure.
 *
 * What the planner cannot know by itself comes in as values: ids and UUIDs are random inputs, image
 * files and pools have been looked at by the caller. The same inputs give the same plan, and the
 * same plan_hash for any ids.
 */
#ifndef CB_PLAN_PLAN_H
#define CB_PLAN_PLAN_H

#include "reconciler/model/image.h"
#include "reconciler/model/plan.h"

/* Random, one for each change; used by the changes that need them. */
struct cb_plan_ids {
	const char *transaction; /* as cb_transaction.id; ends in "-" and 8 hex digits */
	const char *uuid;        /* for a new domain */
};

struct cb_plan_pool {
	const char *name;
	bool exists;
	struct cb_pool pool; /* where it exists */
};

struct cb_plan_pools {
	struct cb_plan_pool *items;
	size_t len, cap;
};

enum cb_plan_flags {
	CB_PLAN_RESTART = 1 << 0,   /* restart running VMs whose changes need it */
	CB_PLAN_RECREATE = 1 << 2,  /* make new root disks where a change needs that */
	CB_PLAN_FORCE_OFF = 1 << 1, /* pull the plug of guests that do not shut down in time */
	CB_PLAN_UNKNOWN = 1 << 3,   /* go on where the host does not say what it has */
	CB_PLAN_ATOMIC = 1 << 4,    /* one group of all, whatever the manifests say of groups */
};

struct cb_plan_input {
	/* Those of pools and networks first, then those of VMs, sorted by name. */
	const struct cb_changes *changes;
	const struct cb_desired *desired;
	const struct cb_networks *networks; /* of the host */
	const struct cb_host *host;
	const struct cb_domains *domains;
	const struct cb_images *images;
	const struct cb_plan_pools *pools;
	const struct cb_plan_ids *ids; /* changes->len of them */
	const char *owner;
	const char *controller; /* a UUID, also before the installation has one */
	unsigned flags;
	const char *trash_until;   /* until when what goes to the trash now is kept */
	unsigned shutdown_timeout; /* seconds that a guest gets to shut down */
};

/* Whether the disk gets a new volume even where an older one is there. One that a person took off
 * is no new disk. */
bool cb_plan_fresh(struct cb_arena *arena, const struct cb_change *change, const char *disk);

/* Where a pool that does not exist is made: libvirt's own directory for images. */
#define CB_DEFAULT_POOL_PATH "/var/lib/libvirt/images"

/* Everything lives in the arena and refers to the input's values. `problems` that the caller found
 * beforehand may stand in out->problems already. */
void cb_plan_compute(struct cb_arena *arena, const struct cb_plan_input *input,
		     struct cb_plan *out);

#endif
