/*
 * references.h: what on the host refers to a file: domains, their stamps, overlays.
 *
 * Asked before a volume is deleted. To read all domains and all volumes for each of the many that
 * go when a fleet goes would take the square of its size, so they are read into a table that serves
 * for a moment. A reference in the table is looked at again, by itself, before it counts; that one
 * came into being since the table was read would be missed only within that moment, in which the
 * bare look before the delete could miss it as well: libvirt has no way to forbid it.
 */
#ifndef CB_APPLY_REFERENCES_H
#define CB_APPLY_REFERENCES_H

#include <pthread.h>

#include "reconciler/apply/step.h"

struct cb_reference;

/* The table, for all workers of a host. Make with cb_references_init. */
struct cb_references {
	pthread_mutex_t mutex;
	struct cb_arena arena;
	uint64_t until_ms;          /* how long it serves, 0: it is empty */
	CB_VEC(const char *) pools; /* whose overlays stand in it */
	CB_VEC(struct cb_reference) items;
};

void cb_references_init(struct cb_references *references);

/* Name of what refers to the volume: a domain, or an overlay in the same pool; NULL if nothing
 * does. What the stamp of the run's own transaction lists does not count: that one is going. */
CB_CHECKED int cb_references_user(struct cb_run *run, const char *pool, const char *path,
				  struct cb_arena *arena, const char **out, struct cb_error *err);

/* The next question is answered by a new look: for a caller whose own run may have made references
 * since. */
void cb_references_forget(struct cb_references *references);

void cb_references_release(struct cb_references *references);

#endif
