/* What several VMs of one plan need and the host has not: a transaction of its own, so that none of
 * them hangs on another's fate. It is provisional: kept if one that waits for it is committed, else
 * taken back (apply/apply.h). */
#include <string.h>

#include "reconciler/base/digest.h"
#include "reconciler/base/error.h"
#include "reconciler/plan/plan_internal.h"

static bool several_need_image(const struct cb_builder *builder, const char *digest)
{
	const char *first = NULL;

	cb_vec_each (const struct cb_image, image, builder->input->images) {
		if (image->volume || strcmp(image->digest, digest) != 0)
			continue;
		if (first && strcmp(first, image->vm) != 0)
			return true;
		first = image->vm;
	}
	return false;
}

static bool several_vms(const struct cb_builder *builder)
{
	unsigned n = 0;

	cb_vec_each (const struct cb_change, change, builder->input->changes)
		n += change->target == CB_TARGET_VM && !change->refusal &&
		     (change->action == CB_ACTION_CREATE || change->action == CB_ACTION_UPDATE);
	return n > 1;
}

/* Of the same form as those that are random inputs, and as unlikely to be met twice: it follows
 * from one of them. */
static const char *derive_id(const struct cb_builder *builder, const char *name)
{
	const char *base = builder->transaction.id;
	struct cb_digest *digest = cb_digest_new();
	char hex[CB_SHA256_HEX];

	cb_digest_add(digest, base, strlen(base));
	cb_digest_add(digest, name, strlen(name));
	cb_digest_finish(digest, hex);
	return cb_arena_printf(builder->arena, "%.*s%.8s", (int)(strlen(base) - 8), base, hex);
}

static const struct cb_transaction *find(const struct cb_builder *builder, enum cb_target target,
					 const char *name)
{
	cb_vec_each (const struct cb_transaction, earlier, &builder->plan->transactions) {
		if (earlier->provisional && earlier->target == target &&
		    strcmp(earlier->name, name) == 0)
			return earlier;
	}
	return NULL;
}

static struct cb_builder begin(const struct cb_builder *builder, enum cb_target target,
			       const char *name)
{
	struct cb_builder own = *builder;

	own.transaction = (struct cb_transaction){.id = derive_id(builder, name),
						  .uri = builder->transaction.uri,
						  .target = target,
						  .name = name,
						  .uuid = "",
						  .action = CB_ACTION_CREATE,
						  .provisional = true};
	own.suffix = strrchr(own.transaction.id, '-') + 1;
	return own;
}

bool cb_builder_shared_pool(struct cb_builder *builder, const char *name, const char *path,
			    bool define)
{
	const struct cb_transaction *earlier = find(builder, CB_TARGET_POOL, name);
	struct cb_builder own;

	if (!earlier && !several_vms(builder))
		return false;
	if (!earlier) {
		own = begin(builder, CB_TARGET_POOL, name);
		cb_builder_ensure_pool(&own, name, path, define);
		cb_vec_push(builder->arena, &builder->plan->transactions, own.transaction);
		earlier = find(builder, CB_TARGET_POOL, name);
	}
	cb_builder_after(builder, earlier->id);
	return true;
}

static void name_volume(struct cb_stamp_volume *volume, const struct cb_transaction *transaction)
{
	cb_vec_each (const struct cb_step, step, &transaction->steps) {
		if (step->kind != CB_STEP_KIND_IMAGE_IMPORT)
			continue;
		volume->name = cb_spec_string(&step->args, "volume");
		volume->path = cb_spec_string(&step->args, "path");
	}
	CB_ASSERT(volume->name);
}

bool cb_builder_shared_image(struct cb_builder *builder, const struct cb_image *image,
			     const char *pool_path, struct cb_stamp_volume *volume)
{
	const char *name = cb_arena_printf(builder->arena, "%s/%s-%.12s", volume->pool,
					   cb_image_stem(builder->arena, image), image->digest);
	const struct cb_transaction *earlier = find(builder, CB_TARGET_IMAGE, name), *pool;
	struct cb_builder own;

	if (!earlier && !several_need_image(builder, image->digest))
		return false;
	if (!earlier) {
		own = begin(builder, CB_TARGET_IMAGE, name);
		pool = find(builder, CB_TARGET_POOL, volume->pool);
		if (pool)
			cb_builder_after(&own, pool->id);
		cb_builder_after_made(&own, CB_TARGET_POOL, volume->pool);
		cb_builder_lock_image(&own, image->digest);
		cb_builder_upload(&own, image, pool_path, volume);
		cb_vec_push(builder->arena, &builder->plan->transactions, own.transaction);
		earlier = find(builder, CB_TARGET_IMAGE, name);
	}
	name_volume(volume, earlier);
	cb_builder_after(builder, earlier->id);
	return true;
}
