/*
 * plan.h: what will be done, as values: transactions of ordered steps.
 *
 * A step is a kind (steps.def), a target for people, and arguments; everything that `perform`,
 * `probe` and `undo` need stands in it, so that a journaled step can be finished or undone without
 * the manifest. One codec (plan/codec.h) serves all kinds.
 */
#ifndef CB_MODEL_PLAN_H
#define CB_MODEL_PLAN_H

#include "reconciler/model/change.h"

enum cb_reversible { CB_IRREVERSIBLE, CB_REVERSIBLE };

enum cb_step_kind {

#define STEP(identifier, name, reversible, verb) CB_STEP_KIND_##identifier,
#include "reconciler/model/steps.def"
#undef STEP
};

struct cb_step {
	unsigned n; /* 1, 2, ... within its transaction */
	enum cb_step_kind kind;
	const char *target;
	enum cb_reversible reversible;
	struct cb_spec args;          /* scalars by name, per kind; see apply/step_*.c */
	struct cb_spec set;           /* domain.define, domain.update: document paths */
	const struct cb_stamp *stamp; /* the same, else NULL */
};

/* One of those that succeed or go back together. */
struct cb_member {
	enum cb_target target;
	const char *name, *uuid; /* as of a transaction */
	enum cb_action action;
};

struct cb_transaction {
	const char
		*id; /* "20260131T125002Z-1a2b3c4d": time, then random hex that names new volumes */
	const char *uri; /* host */
	enum cb_target target;
	const char *name; /* of the VM, network, pool, image or group */
	const char *uuid; /* of its domain, of the network or pool; "": it has none */
	enum cb_action action;
	/* Made for others of the plan: kept if one that waits for it is committed, else taken back.
	 */
	bool provisional;
	CB_VEC(struct cb_member) members; /* of a group; else none */
	CB_VEC(struct cb_step) steps;
	unsigned point_of_no_return; /* number of the first irreversible step, 0: none */
	CB_VEC(const char *) after;  /* ids of transactions that must have been committed before */
	CB_VEC(const char *) locks;  /* besides host and VM: taken exclusively for the whole run */
};

struct cb_summary {
	unsigned create, update, delete, noop, refused, restart, data_loss;
};

struct cb_plan {
	const char *hash;        /* of what will be done, without ids and times */
	const char *fingerprint; /* of what was observed */
	const char *uri;
	struct cb_summary summary;
	const struct cb_changes *changes;
	CB_VEC(struct cb_transaction) transactions;
	struct cb_problems problems;
};

/* Whether the transaction is about this VM, network, ...: alone, or as one of its group. */
bool cb_transaction_is_about(const struct cb_transaction *transaction, enum cb_target target,
			     const char *name);

const char *cb_step_name(enum cb_step_kind kind);
const char *cb_step_verb(enum cb_step_kind kind);
enum cb_reversible cb_step_reversible(enum cb_step_kind kind);
/* Returns 0, or -1 for an unknown name. */
int cb_step_parse(const char *name, enum cb_step_kind *kind);

#endif
