/* plan_internal.h: what the files of the planner share. */
#ifndef CB_PLAN_PLAN_INTERNAL_H
#define CB_PLAN_PLAN_INTERNAL_H

#include "reconciler/plan/plan.h"

/* One transaction in the making. */
struct cb_builder {
	struct cb_arena *arena;
	const struct cb_plan_input *input;
	const struct cb_change *change;
	struct cb_plan *plan;
	struct cb_transaction transaction;
	const char *suffix; /* the 8 hex digits that name this transaction's volumes */
};

/* Appends a step; the result is valid until the next one. */
struct cb_step *cb_builder_step(struct cb_builder *builder, enum cb_step_kind kind,
				const char *target);

void cb_builder_arg(struct cb_builder *builder, struct cb_step *step, const char *name,
		    struct cb_value value);

void cb_builder_set(struct cb_builder *builder, struct cb_step *step, const char *path,
		    struct cb_value value);

void cb_builder_problem(struct cb_builder *builder, enum cb_severity severity, const char *check,
			const char *message, const char *fix);

/* A stamp of this transaction that carries on where the domain's (if any) stands. */
struct cb_stamp *cb_builder_stamp(struct cb_builder *builder, const char *uuid);

const struct cb_image *cb_builder_image(const struct cb_builder *builder, const char *role);

/* Makes sure that the pool will be there and active. NULL, and a problem, if it cannot be used;
 * else its path. */
const char *cb_builder_pool(struct cb_builder *builder, const char *name);

/* Makes the image a volume of the pool (unless it is one) and lists it in the stamp. Returns its
 * path on the host. */
const char *cb_builder_import(struct cb_builder *builder, const struct cb_image *image,
			      const char *pool, const char *pool_path, struct cb_stamp *stamp);

/* Whether a domain other than `but` (may be NULL) refers to the path and will still do so when this
 * transaction's turn has come: the last of several that go takes a shared image along. */
bool cb_builder_referenced(const struct cb_builder *builder, const char *path,
			   const struct cb_domain *but);

/* Where `set` gives the VM a NIC, gives that the address that follows from UUID and name. */
void cb_builder_set_mac(struct cb_builder *builder, struct cb_spec *set);

/* Whether the host can run such a VM at all: acceleration, memory. */
void cb_builder_check_host(struct cb_builder *builder);

/* Nobody else imports or deletes an image of this content while the transaction runs. */
void cb_builder_lock_image(struct cb_builder *builder, const char *digest);

void cb_builder_shutdown(struct cb_builder *builder);

void cb_plan_create(struct cb_builder *builder);
void cb_plan_update(struct cb_builder *builder);
void cb_plan_delete(struct cb_builder *builder);

#endif
