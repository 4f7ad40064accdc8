/*
 * render.h: plans, results, status and problems as text for people and JSON for programs.
 *
 * Text goes into a cb_str; JSON objects are the caller's to release, have a "schema" member and are
 * printed with sorted keys. Nothing here does I/O.
 */
#ifndef CB_RENDER_RENDER_H
#define CB_RENDER_RENDER_H

#include <jansson.h>

#include "reconciler/reconcile/session.h"

enum cb_colour { CB_PLAIN, CB_COLOURED };

void cb_render_problems(struct cb_str *out, const struct cb_problems *problems,
			enum cb_colour colour);

void cb_render_plan(struct cb_str *out, const struct cb_planned *planned, enum cb_colour colour);
/* For a pull request. */
void cb_render_plan_markdown(struct cb_str *out, const struct cb_planned *planned);
/* The plans of all hosts as one. */
json_t *cb_render_plan_json(const struct cb_planned *const *planned, size_t n);

/* `results` as "result" and "error" of the plan's transactions. */
void cb_render_results(struct cb_str *out, const struct cb_planned *planned,
		       const struct cb_results *results);
json_t *cb_render_results_json(const struct cb_planned *const *planned,
			       const struct cb_results *const *results, size_t n);

/* One line of what a step does, without its number. */
void cb_render_step(struct cb_str *out, const struct cb_step *step);

/* "file:3" or "default". */
void cb_render_origin(struct cb_str *out, const struct cb_origin *origin);

/* in-sync, drift, pending-restart, missing, refused */
const char *cb_render_condition(const struct cb_change *change);

/* What `status` has found out about one host. */
struct cb_status {
	const char *host;
	const struct cb_observed *observed;
	const struct cb_changes *changes;
	const struct cb_addresses *addresses; /* one for each of observed->domains */
};

void cb_render_status(struct cb_str *out, const struct cb_status *status, enum cb_colour colour);
/* Appends the host's VMs to an array. */
void cb_render_status_json(json_t *vms, const struct cb_status *status);

/* What is in the trash. */
void cb_render_trash(struct cb_str *out, const struct cb_domains *domains);
void cb_render_trash_json(json_t *vms, const struct cb_domains *domains);

void cb_render_unfinished(struct cb_str *out, const struct cb_unfinished_list *list);
json_t *cb_render_unfinished_json(const struct cb_unfinished_list *list);

/* What other installations have on the host; as members of the JSON of unfinished transactions. */
void cb_render_elsewhere(struct cb_str *out, const struct cb_elsewhere *elsewhere);
void cb_render_elsewhere_json(json_t *into, const struct cb_elsewhere *elsewhere);

#endif
