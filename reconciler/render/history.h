/*
 * history.h: who changed what, and who set what last, as text and as JSON.
 */
#ifndef CB_RENDER_HISTORY_H
#define CB_RENDER_HISTORY_H

#include <jansson.h>

#include "reconciler/base/str.h"
#include "reconciler/reconcile/history.h"

struct cb_history_filter {
	const char *const *names; /* none: all */
	size_t n_names;
	size_t limit; /* so many of the newest; 0: all */
};

void cb_render_history(struct cb_str *out, const struct cb_history *history,
		       const struct cb_history_filter *filter);
json_t *cb_render_history_json(const struct cb_history *history,
			       const struct cb_history_filter *filter);

/* `path`: "vm.ram_mb", "ram_mb", or what it is a part of ("disks[root]"); NULL: all. Returns how
 * much there was to tell. */
size_t cb_render_blame(struct cb_str *out, const char *name, const struct cb_lives *lives,
		       const char *path);
json_t *cb_render_blame_json(const char *name, const struct cb_lives *lives, const char *path);

#endif
