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

/* What a change is about. */
enum cb_target {
	CB_TARGET_VM,
	CB_TARGET_NETWORK,
	CB_TARGET_POOL,
	CB_TARGET_IMAGE,
	CB_TARGET_GROUP, /* of transactions only: several of the others, all or none */
};

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
	enum cb_target target;
	enum cb_action action;
	unsigned decision; /* of the whole */
	const char *name;
	const struct cb_vm *vm;         /* NULL when deleted by name */
	const struct cb_domain *domain; /* NULL when created */
	/* Of a network or a pool: what the manifest says, and what is there. */
	const struct cb_declared *declared;
	const struct cb_network *network;
	const struct cb_pool *pool;
	bool recreate;  /* it gets a new root disk; the old one goes to the trash */
	bool restore;   /* it comes back from the trash */
	bool hand_over; /* another installation's stamp becomes this one's */
	bool due;       /* its time in the trash is over: a deletion that was consented to before */
	bool reseed, rerun; /* the guest gets a new seed; as another instance */
	enum cb_cost cost;
	enum cb_aim aim;
	CB_VEC(struct cb_field_change) fields; /* sorted by path */
	/* All that it shall be, built-in defaults included. Of a network: its document. */
	struct cb_spec wanted;
	/* What the next stamp records as last-applied: the same, what is sensitive masked. */
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
/* "vm", "network", "pool", "image", "group"; the other way, 0 or -1. */
const char *cb_target_name(enum cb_target target);
int cb_target_parse(const char *name, enum cb_target *target);

#endif
