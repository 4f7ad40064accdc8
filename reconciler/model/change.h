/*
 * change.h: what differs between what is wanted and what is, per VM, with the case of
 * docs/decisions.md that says what follows.
 */
#ifndef CB_MODEL_CHANGE_H
#define CB_MODEL_CHANGE_H

#include "reconciler/model/host.h"
#include "reconciler/model/vm.h"

enum cb_action { CB_ACTION_NOOP, CB_ACTION_CREATE, CB_ACTION_UPDATE, CB_ACTION_DELETE };

/* What a change does to a running VM; ordered, the worst of the fields is the change's. */
enum cb_cost { CB_COST_NONE, CB_COST_LIVE, CB_COST_RESTART, CB_COST_RECREATE };

struct cb_field_change {
	const char *path;
	struct cb_value old, new;
	enum cb_cost cost;
	bool staged; /* stands in the definition, acts at the next start: the VM is running now */
	unsigned decision;
	struct cb_origin origin;
};

/* What the VM should be doing when all is done. */
enum cb_aim { CB_AIM_AS_FOUND, CB_AIM_RUNNING, CB_AIM_STOPPED };

struct cb_change {
	enum cb_action action;
	unsigned decision; /* of the VM as a whole */
	const char *name;
	const struct cb_vm *vm;         /* NULL when deleted by name */
	const struct cb_domain *domain; /* NULL when created */
	enum cb_cost cost;
	enum cb_aim aim;
	CB_VEC(struct cb_field_change) fields; /* sorted by path */
	/* What the next stamp records as last-applied. */
	struct cb_spec applied;
	bool taken_over; /* the stamp names another source; this manifest's takes its place */
	/* Set when this must not be done: then there are no steps. */
	const char *refusal, *fix;
};

struct cb_changes {
	struct cb_change *items; /* sorted by name */
	size_t len, cap;
};

const char *cb_action_name(enum cb_action action);
const char *cb_cost_name(enum cb_cost cost);

#endif
