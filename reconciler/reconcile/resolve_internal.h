/* resolve_internal.h: looking at what changes need. */
#ifndef CB_RECONCILE_RESOLVE_INTERNAL_H
#define CB_RECONCILE_RESOLVE_INTERNAL_H

#include "reconciler/reconcile/session_internal.h"

/* What one look-up needs. */
struct cb_resolver {
	struct cb_session *session;
	struct cb_arena *arena;
	const struct cb_desired *desired;
	const struct cb_domains *domains;
	const struct cb_change *change;
	const char *role, *ref, *pool;
	struct cb_origin origin;
	bool pool_active, pool_exists;
	struct cb_problems *problems;
};

/* Where what is found goes. */
struct cb_look {
	struct cb_images *images;
	struct cb_plan_pools *pools;
};

/* The pool is looked at once, and becomes the resolver's; NULL: the default one. */
CB_CHECKED int cb_resolve_use_pool(struct cb_resolver *resolver, const char *pool,
				   const struct cb_look *look, struct cb_error *err);

/* The image that a field of the manifest names, if the plan will need it. */
CB_CHECKED int cb_resolve_file(struct cb_resolver *resolver, const char *role, const char *path,
			       const struct cb_look *look, struct cb_error *err);

/* resolve_disk.c: a disk that the plan makes or takes back: new, or wanted again. */
CB_CHECKED int cb_resolve_disk(struct cb_resolver *resolver, const char *disk,
			       const struct cb_look *look, struct cb_error *err);

#endif
