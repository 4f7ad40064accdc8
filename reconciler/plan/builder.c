#include "reconciler/plan/plan_internal.h"

#include <inttypes.h>
#include <string.h>

#include "reconciler/base/digest.h"
#include "reconciler/base/error.h"
#include "reconciler/base/str.h"

static const struct cb_origin derived = {.from = CB_FROM_DEFAULT};

struct cb_step *cb_builder_step(struct cb_builder *builder, enum cb_step_kind kind,
				const char *target)
{
	struct cb_step step = {
		.n = (unsigned)builder->transaction.steps.len + 1,
		.kind = kind,
		.target = target,
		.reversible = cb_step_reversible(kind),
	};

	cb_vec_push(builder->arena, &builder->transaction.steps, step);
	return &builder->transaction.steps.items[builder->transaction.steps.len - 1];
}

void cb_builder_arg(struct cb_builder *builder, struct cb_step *step, const char *name,
		    struct cb_value value)
{
	cb_spec_set(builder->arena, &step->args, name, value, derived);
}

void cb_builder_set(struct cb_builder *builder, struct cb_step *step, const char *path,
		    struct cb_value value)
{
	cb_spec_set(builder->arena, &step->set, path, value, derived);
}

void cb_builder_problem(struct cb_builder *builder, enum cb_severity severity, const char *check,
			const char *message, const char *fix)
{
	const struct cb_change *change = builder->change;
	struct cb_problem problem = {
		.severity = severity,
		.check = check,
		.target = change->name,
		.kind = cb_target_name(change->target),
		.message = message,
		.fix = fix,
	};

	if (change->vm)
		problem.origin = change->vm->origin;
	else if (change->declared)
		problem.origin = change->declared->origin;
	cb_vec_push(builder->arena, &builder->plan->problems, problem);
}

struct cb_stamp *cb_builder_stamp(struct cb_builder *builder, const char *uuid)
{
	const struct cb_change *change = builder->change;
	struct cb_stamp *stamp = cb_arena_new(builder->arena, struct cb_stamp);

	*stamp = (struct cb_stamp){
		.version = CB_STAMP_VERSION,
		.owner = builder->input->owner,
		.name = change->name,
		.source = change->vm->source,
		.uuid = uuid,
		.controller = builder->input->controller,
		.transaction = builder->transaction.id,
		.generation = 1,
		.applied = change->applied,
	};
	if (change->domain) {
		stamp->generation = change->domain->stamp->generation + 1;
		cb_vec_each (const struct cb_stamp_volume, volume, &change->domain->stamp->volumes)
			cb_vec_push(builder->arena, &stamp->volumes, *volume);
	}
	return stamp;
}

const struct cb_image *cb_builder_image(const struct cb_builder *builder, const char *role)
{
	cb_vec_each (const struct cb_image, image, builder->input->images) {
		if (strcmp(image->vm, builder->change->name) == 0 && strcmp(image->role, role) == 0)
			return image;
	}
	return NULL;
}

void cb_builder_ensure_pool(struct cb_builder *builder, const char *name, const char *path,
			    bool define)
{
	struct cb_step *step;

	/* Several disks in it: once is enough. */
	cb_vec_each (const struct cb_step, planned, &builder->transaction.steps) {
		if (planned->kind == CB_STEP_KIND_POOL_ENSURE && strcmp(planned->target, name) == 0)
			return;
	}
	step = cb_builder_step(builder, CB_STEP_KIND_POOL_ENSURE, name);
	cb_builder_arg(builder, step, "pool", cb_string(name));
	cb_builder_arg(builder, step, "path", cb_string(path));
	cb_builder_arg(builder, step, "define", cb_bool(define));
}

const char *cb_builder_pool(struct cb_builder *builder, const char *name)
{
	const struct cb_plan_pool *pool = NULL;
	const char *path = CB_DEFAULT_POOL_PATH;
	const struct cb_declared *declared;

	cb_vec_each (const struct cb_plan_pool, candidate, builder->input->pools) {
		if (strcmp(candidate->name, name) == 0)
			pool = candidate;
	}
	CB_ASSERT(pool);
	declared = cb_declared_find(&builder->input->desired->pools, name);
	if (declared) {
		cb_builder_after_made(builder, CB_TARGET_POOL, name);
		return pool->exists ? pool->pool.path : cb_spec_string(&declared->spec, "path");
	}
	if (!pool->exists && strcmp(name, "default") != 0) {
		cb_builder_problem(builder, CB_PROBLEM, "pool.missing",
				   cb_arena_printf(builder->arena, "there is no pool '%s'", name),
				   "declare it in `pools`, make it, or leave `pool` out for the "
				   "pool 'default'");
		return NULL;
	}
	if (pool->exists) {
		if (strcmp(pool->pool.type, "dir") != 0) {
			cb_builder_problem(builder, CB_PROBLEM, "pool.type",
					   cb_arena_printf(builder->arena,
							   "pool '%s' is of type '%s'; only "
							   "directories are supported",
							   name, pool->pool.type),
					   "name a pool of type 'dir'");
			return NULL;
		}
		path = pool->pool.path;
		if (pool->pool.active)
			return path;
	}
	if (!cb_builder_shared_pool(builder, name, path, !pool->exists))
		cb_builder_ensure_pool(builder, name, path, !pool->exists);
	return path;
}

const char *cb_image_stem(struct cb_arena *arena, const struct cb_image *image)
{
	const char *base = strrchr(image->file, '/');
	char *name = cb_arena_strdup(arena, base ? base + 1 : image->file);
	char *dot = strrchr(name, '.');
	size_t len;

	if (dot && dot != name)
		*dot = '\0';
	len = strlen(name);
	if (len > 40)
		name[40] = '\0';
	for (char *c = name; *c; c++) {
		bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
			     (*c >= '0' && *c <= '9') || *c == '-' || *c == '_' ||
			     (*c == '.' && c != name);

		if (!plain)
			*c = '-';
	}
	return name;
}

void cb_builder_upload(struct cb_builder *builder, const struct cb_image *image,
		       const char *pool_path, struct cb_stamp_volume *volume)
{
	struct cb_step *step;

	volume->name = cb_arena_printf(builder->arena, "%s-%.12s-%s.%s",
				       cb_image_stem(builder->arena, image), image->digest,
				       builder->suffix, image->format);
	volume->path = cb_arena_printf(builder->arena, "%s/%s", pool_path, volume->name);
	step = cb_builder_step(builder, CB_STEP_KIND_IMAGE_IMPORT, volume->name);
	cb_builder_arg(builder, step, "pool", cb_string(volume->pool));
	cb_builder_arg(builder, step, "volume", cb_string(volume->name));
	cb_builder_arg(builder, step, "path", cb_string(volume->path));
	cb_builder_arg(builder, step, "file", cb_string(image->file));
	cb_builder_arg(builder, step, "digest", cb_string(image->digest));
	cb_builder_arg(builder, step, "size", cb_int((int64_t)image->size));
}

/* One VM may need the same bytes twice. */
static bool uploaded_before(const struct cb_builder *builder, const char *digest,
			    struct cb_stamp_volume *volume)
{
	cb_vec_each (const struct cb_step, step, &builder->transaction.steps) {
		if (step->kind != CB_STEP_KIND_IMAGE_IMPORT ||
		    strcmp(cb_spec_string(&step->args, "digest"), digest) != 0 ||
		    strcmp(cb_spec_string(&step->args, "pool"), volume->pool) != 0)
			continue;
		volume->name = cb_spec_string(&step->args, "volume");
		volume->path = cb_spec_string(&step->args, "path");
		return true;
	}
	return false;
}

const char *cb_builder_import(struct cb_builder *builder, const struct cb_image *image,
			      const char *pool, const char *pool_path, struct cb_stamp *stamp)
{
	struct cb_stamp_volume volume = {.role = image->role,
					 .pool = pool,
					 .name = image->volume,
					 .path = image->path,
					 .deletion = CB_SHARED,
					 .digest = image->digest};

	/* A person's is listed, so that the path stays known as this field's; never deleted. */
	if (image->volume && !image->ours)
		volume.deletion = CB_RETAIN;
	else
		cb_builder_lock_image(builder, image->digest);
	if (!image->volume && !uploaded_before(builder, image->digest, &volume) &&
	    !cb_builder_shared_image(builder, image, pool_path, &volume))
		cb_builder_upload(builder, image, pool_path, &volume);
	cb_vec_push(builder->arena, &stamp->volumes, volume);
	return volume.path;
}

static bool domain_refers(const struct cb_domain *domain, const char *path)
{
	cb_vec_each (const char *const, file, &domain->files) {
		if (strcmp(*file, path) == 0)
			return true;
	}
	/* A copied stamp lists what is another's. */
	if (domain->stamp && strcmp(domain->stamp->uuid, domain->uuid) == 0) {
		cb_vec_each (const struct cb_stamp_volume, volume, &domain->stamp->volumes) {
			if (strcmp(volume->path, path) == 0)
				return true;
		}
	}
	return false;
}

/* Whether an earlier transaction takes the domain away; then this one waits for it. */
static bool goes_before(struct cb_builder *builder, const struct cb_domain *domain)
{
	cb_vec_each (const struct cb_transaction, earlier, &builder->plan->transactions) {
		if (earlier->action != CB_ACTION_DELETE || earlier->target != CB_TARGET_VM ||
		    strcmp(earlier->uuid, domain->uuid) != 0)
			continue;
		cb_builder_after(builder, earlier->id);
		return true;
	}
	return false;
}

bool cb_builder_referenced(struct cb_builder *builder, const char *path,
			   const struct cb_domain *but)
{
	/* Another VM of this plan is about to use it. */
	cb_vec_each (const struct cb_image, image, builder->input->images) {
		if (image->path && strcmp(image->path, path) == 0)
			return true;
	}
	cb_vec_each (const struct cb_domain, domain, builder->input->domains) {
		if (domain != but && domain_refers(domain, path) && !goes_before(builder, domain))
			return true;
	}
	return false;
}

void cb_builder_check_host(struct cb_builder *builder)
{
	const struct cb_host *host = builder->input->host;
	const struct cb_spec *wanted = &builder->change->wanted;
	const char *accel = cb_spec_string(wanted, "accel");
	const char *firmware = cb_spec_string(wanted, "firmware");
	int64_t ram = cb_spec_int(wanted, "ram_mb", 0);

	if (accel && strcmp(accel, "kvm") == 0 && !host->kvm)
		cb_builder_problem(builder, CB_PROBLEM, "host.kvm", "this host has no KVM",
				   "say `accel: auto` or `accel: tcg`, or enable virtualisation");
	if (firmware && strcmp(firmware, "uefi") == 0 && !host->uefi)
		cb_builder_problem(
			builder, CB_PROBLEM, "host.firmware",
			"this host has no firmware for `firmware: uefi`",
			"install it on the host (Debian: ovmf), or use `firmware: bios`");
	if (host->memory_mb && (uint64_t)ram > host->memory_mb)
		cb_builder_problem(builder, CB_PROBLEM, "host.memory",
				   cb_arena_printf(builder->arena,
						   "%lld MiB of memory are wanted, the host has "
						   "%llu MiB",
						   (long long)ram,
						   (unsigned long long)host->memory_mb),
				   "lower ram_mb");
}

void cb_builder_after_made(struct cb_builder *builder, enum cb_target target, const char *name)
{
	cb_vec_each (const struct cb_transaction, made, &builder->plan->transactions) {
		if (made->target == target && strcmp(made->name, name) == 0)
			cb_builder_after(builder, made->id);
	}
}

void cb_builder_lock_image(struct cb_builder *builder, const char *digest)
{
	const char *lock =
		cb_arena_printf(builder->arena, "image %s of %s", digest, builder->transaction.uri);

	cb_vec_push(builder->arena, &builder->transaction.locks, lock);
}

void cb_builder_shutdown(struct cb_builder *builder)
{
	struct cb_step *step =
		cb_builder_step(builder, CB_STEP_KIND_DOMAIN_SHUTDOWN, builder->change->name);

	cb_builder_arg(builder, step, "uuid", cb_string(builder->transaction.uuid));
	cb_builder_arg(builder, step, "timeout", cb_int(builder->input->shutdown_timeout));
	cb_builder_arg(builder, step, "force",
		       cb_bool((builder->input->flags & CB_PLAN_FORCE_OFF) != 0));
}
