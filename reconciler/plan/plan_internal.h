/* plan_internal.h: what the files of the planner share. */
#ifndef CB_PLAN_PLAN_INTERNAL_H
#define CB_PLAN_PLAN_INTERNAL_H

#include "reconciler/plan/plan.h"

/* Case 15 of docs/decisions.md: the guest is not the definition's business. */
enum { GUEST_CHANGED = 15 };

/* order.c: the changes' indices in the order in which they are planned: nothing before what it
 * needs. */
const size_t *cb_plan_order(struct cb_arena *arena, const struct cb_plan_input *input);

/* check.c: adds the problems that can be seen beforehand. */
void cb_plan_check(struct cb_arena *arena, const struct cb_plan_input *input, struct cb_plan *plan);

/* group.c: the ids of the input, those of one group being the same. */
const struct cb_plan_ids *cb_plan_group_ids(struct cb_arena *arena,
					    const struct cb_plan_input *input);

/* Makes one transaction of those that have the same id. A problem where a group and what it depends
 * on would have to wait for each other. */
void cb_plan_join_groups(struct cb_arena *arena, const struct cb_plan_input *input,
			 struct cb_plan *plan);

/* One transaction in the making. */
struct cb_builder {
	struct cb_arena *arena;
	const struct cb_plan_input *input;
	const struct cb_change *change;
	struct cb_plan *plan;
	struct cb_transaction transaction;
	const char *fresh;  /* a random UUID, for what else is defined */
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

/* The step that makes it so, unless the transaction has one. */
void cb_builder_ensure_pool(struct cb_builder *builder, const char *name, const char *path,
			    bool define);

/* "images/Debian 12.qcow2" becomes "Debian-12": the readable part of a volume's name. */
const char *cb_image_stem(struct cb_arena *arena, const struct cb_image *image);

/* The step that uploads the image to volume->pool; names the volume. */
void cb_builder_upload(struct cb_builder *builder, const struct cb_image *image,
		       const char *pool_path, struct cb_stamp_volume *volume);

/* shared.c: true if several VMs need it; then a provisional transaction brings it, and this one
 * waits for that. */
bool cb_builder_shared_pool(struct cb_builder *builder, const char *name, const char *path,
			    bool define);
bool cb_builder_shared_image(struct cb_builder *builder, const struct cb_image *image,
			     const char *pool_path, struct cb_stamp_volume *volume);

/* Makes the image a volume of the pool (unless it is one) and lists it in the stamp. Returns its
 * path on the host. */
const char *cb_builder_import(struct cb_builder *builder, const struct cb_image *image,
			      const char *pool, const char *pool_path, struct cb_stamp *stamp);

/* Whether a domain other than `but` (may be NULL) refers to the path and will still do so when this
 * transaction's turn has come: the last of several that go takes a shared image along. */
bool cb_builder_referenced(struct cb_builder *builder, const char *path,
			   const struct cb_domain *but);

/* Whether the host can run such a VM at all: acceleration, memory. */
void cb_builder_check_host(struct cb_builder *builder);

/* Nobody else imports or deletes an image of this content while the transaction runs. */
void cb_builder_lock_image(struct cb_builder *builder, const char *digest);

void cb_builder_shutdown(struct cb_builder *builder);

/* The transaction must come after that one. */
void cb_builder_after(struct cb_builder *builder, const char *id);

/* The transaction must come after the one that makes this network or pool, if the plan has one. */
void cb_builder_after_made(struct cb_builder *builder, enum cb_target target, const char *name);

/* The transaction must come after those of what it depends on. */
void cb_plan_dependencies(struct cb_builder *builder);

/* devices.c: the manifest's fields in the words of the document. */

/* Writes one field into `set`; fields that no document has leave it as it is. */
void cb_builder_field(struct cb_builder *builder, struct cb_spec *set, const char *path,
		      struct cb_value value);

/* Gives every NIC that `set` makes the address that follows from UUID and name, unless it has one,
 * and plans the addresses that networks keep for them. */
void cb_builder_nics(struct cb_builder *builder, struct cb_spec *set);

/* Takes the addresses back that networks keep for a domain's NICs. */
void cb_builder_release_addresses(struct cb_builder *builder);

/* storage.c */

/* Makes the data disk's volume, or takes the one that was retained, lists it in the stamp and puts
 * it into `set`. */
void cb_builder_disk(struct cb_builder *builder, const char *disk, struct cb_spec *set,
		     struct cb_stamp *stamp);

/* The same for the guest's seed. */
void cb_builder_seed(struct cb_builder *builder, struct cb_spec *set, struct cb_stamp *stamp);

/* Whether the pools have room for what the plan uploads up to here. */
void cb_builder_check_space(struct cb_builder *builder);

/* A new root disk: an overlay on the base image. Returns its path, NULL if there is to be none. */
const char *cb_builder_root_disk(struct cb_builder *builder, const char *pool,
				 const char *pool_path, struct cb_stamp *stamp);

/* trash.c: a new root disk in place of the old one, which goes to the trash in a tombstone of its
 * own. */
void cb_builder_replace_root(struct cb_builder *builder, struct cb_spec *set,
			     struct cb_stamp *stamp);

/* The pool of a VM, or of one of its disks. */
const char *cb_builder_pool_name(const struct cb_builder *builder, const char *disk);

void cb_plan_network(struct cb_builder *builder);
void cb_plan_pool(struct cb_builder *builder);
void cb_plan_create(struct cb_builder *builder);
void cb_plan_update(struct cb_builder *builder);
void cb_plan_delete(struct cb_builder *builder);
void cb_plan_trash(struct cb_builder *builder);
void cb_plan_restore(struct cb_builder *builder);
void cb_plan_hand_over(struct cb_builder *builder);

#endif
