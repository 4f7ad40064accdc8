#include "reconciler/driver/operations.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fault {
	struct cb_driver base;
	struct cb_driver_ops ops; /* of `base` */
	struct cb_driver *inner;
	struct cb_fault_plan *plan;
	const char *failed; /* the operation that fails from now on; sticky */
	bool broken;        /* the connection is gone */
};

enum class { READS, CHANGES };

enum { KILLED = 137 }; /* as a shell reports SIGKILL */

static struct fault *fault_of(struct cb_driver *driver)
{
	return (struct fault *)(void *)driver;
}

static int gone(struct fault *fault, struct cb_error *err)
{
	fault->broken = true;
	return cb_error_set(err, CB_E_UNAVAILABLE, "the connection was lost (a fault of the test)");
}

/* Forks: the child waits at the gate, and then does what was asked for. True in the child. */
static bool held_up(const struct cb_fault_plan *plan)
{
	pid_t child = fork();
	char go;

	if (child != 0)
		return false;
	(void)close(plan->gate[1]);
	if (read(plan->gate[0], &go, 1) != 1)
		_exit(0);
	return true;
}

static int silent(struct fault *fault, struct cb_error *err)
{
	fault->broken = true;
	fault->base.lost = true;
	return cb_error_set(err, CB_E_TIMEOUT, "no answer (a fault of the test)");
}

static int refuse(const char *name, struct cb_error *err)
{
	return cb_error_set(err, CB_E_FAILED, "%s was refused (a fault of the test)", name);
}

/* Uploads stop by themselves; of addresses the first half is done by now, and all else has none. */
static enum cb_fault for_operation(enum cb_fault fault, const char *name)
{
	if (strcmp(name, "volume_write") == 0)
		return fault;
	if (fault == CB_FAULT_HALFWAY)
		return CB_FAULT_BEFORE;
	if (fault == CB_FAULT_GONE_HALFWAY)
		return CB_FAULT_GONE;
	return fault == CB_FAULT_DIE_HALFWAY ? CB_FAULT_DIE_BEFORE : fault;
}

static bool is_halfway(const struct cb_fault_plan *plan)
{
	return plan->at != 0 && plan->calls + 1 == plan->at &&
	       (plan->fault == CB_FAULT_HALFWAY || plan->fault == CB_FAULT_GONE_HALFWAY ||
		plan->fault == CB_FAULT_DIE_HALFWAY);
}

/* Counts the call and says in *now which fault it is the turn of. */
static int before(struct fault *fault, const char *name, enum class class, enum cb_fault *now,
		  struct cb_error *err)
{
	struct cb_fault_plan *plan = fault->plan;

	*now = CB_FAULT_NONE;
	if (fault->broken)
		return gone(fault, err);
	if (class == READS) {
		plan->reads++;
		plan->looks += plan->calls > 0;
		return plan->looking && plan->calls > 0 && plan->looks == plan->at
			       ? gone(fault, err)
			       : 0;
	}
	plan->calls++;
	if (plan->at != 0 && !plan->looking && plan->calls == plan->at)
		*now = for_operation(plan->fault, name);
	if (*now == CB_FAULT_DIE_BEFORE)
		_exit(KILLED);
	if (*now == CB_FAULT_GONE)
		return gone(fault, err);
	if (*now == CB_FAULT_LATE && !held_up(plan))
		return silent(fault, err);
	if (*now == CB_FAULT_BEFORE && plan->sticky)
		fault->failed = name;
	if (*now == CB_FAULT_BEFORE || (fault->failed && strcmp(fault->failed, name) == 0))
		return refuse(name, err);
	return 0;
}

static int after(struct fault *fault, const char *name, enum cb_fault now, int r,
		 struct cb_error *err)
{
	switch (now) {
	case CB_FAULT_DIE_AFTER:
		_exit(KILLED);
	case CB_FAULT_LATE:
		_exit(0);
	case CB_FAULT_LOST:
		return gone(fault, err);
	case CB_FAULT_AFTER:
		/* A call that failed by itself keeps its own error. */
		return r < 0 ? r : refuse(name, err);
	case CB_FAULT_NONE:
	case CB_FAULT_BEFORE:
	case CB_FAULT_GONE:
	case CB_FAULT_DIE_BEFORE:
	case CB_FAULT_HALFWAY:
	case CB_FAULT_GONE_HALFWAY:
	case CB_FAULT_DIE_HALFWAY:
		break;
	}
	return r;
}

#define FORWARD(class_, patience_, name_, params_, args_)                                          \
	static int name_(struct cb_driver *driver, params_, struct cb_error *err)                  \
	{                                                                                          \
		struct fault *fault = fault_of(driver);                                            \
		enum cb_fault now;                                                                 \
		int r = before(fault, #name_, class_, &now, err);                                  \
                                                                                                   \
		if (r < 0)                                                                         \
			return r;                                                                  \
		fault->inner->patience_ms = fault->base.patience_ms;                               \
		r = fault->inner->ops->name_(fault->inner, args_, err);                            \
		fault->base.lost = fault->inner->lost;                                             \
		return after(fault, #name_, now, r, err);                                          \
	}

CB_DRIVER_OPERATIONS(FORWARD)

/* A source that ends, or ends the process, when half of it was read. */
struct half {
	struct fault *fault;
	const struct cb_upload *whole;
	uint64_t left;
};

static int read_half(void *ctx, void *buffer, size_t len, struct cb_error *err)
{
	struct half *half = ctx;
	int n;

	if (half->left == 0 && half->fault->plan->fault == CB_FAULT_DIE_HALFWAY)
		_exit(KILLED);
	if (half->left == 0 && half->fault->plan->fault == CB_FAULT_HALFWAY)
		return refuse("volume_write", err);
	if (half->left == 0)
		return gone(half->fault, err);
	if (len > half->left)
		len = (size_t)half->left;
	n = half->whole->read(half->whole->ctx, buffer, len, err);
	if (n > 0)
		half->left -= (uint64_t)n;
	return n;
}

static void progress_half(void *ctx, uint64_t bytes)
{
	const struct half *half = ctx;

	if (half->whole->progress)
		half->whole->progress(half->whole->ctx, bytes);
}

static int write_half(struct cb_driver *driver, const char *pool, const char *name,
		      const struct cb_upload *upload, struct cb_error *err)
{
	struct fault *fault = fault_of(driver);
	struct half half = {fault, upload, upload->size / 2};
	struct cb_upload halved = *upload;

	if (!is_halfway(fault->plan))
		return volume_write(driver, pool, name, upload, err);
	halved.read = read_half;
	halved.progress = progress_half;
	halved.ctx = &half;
	return volume_write(driver, pool, name, &halved, err);
}

/* libvirt replaces no address: one request takes the old one away, the next one brings the new. */
static int update_half(struct cb_driver *driver, const struct cb_network_edit *edit,
		       struct cb_error *err)
{
	struct fault *fault = fault_of(driver);
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_network_edit first = *edit;
	struct cb_spec gone = {0};
	int r;

	if (!is_halfway(fault->plan) || fault->broken)
		return network_update(driver, edit, err);
	cb_vec_each (const struct cb_entry, entry, edit->set) {
		if (strncmp(entry->path, "hosts[", strlen("hosts[")) == 0)
			cb_spec_set(&arena, &gone, entry->path, cb_string(NULL), entry->origin);
	}
	first.set = &gone;
	if (gone.len > 0 && (r = fault->inner->ops->network_update(fault->inner, &first, err)) < 0)
		return r;
	return network_update(driver, edit, err);
}

static void close_both(struct cb_driver *driver)
{
	cb_driver_close(fault_of(driver)->inner);
	free(fault_of(driver));
}

static const struct cb_driver_ops ops = {.close = close_both,
#define ENTRY(class_, patience_, name_, params_, args_) .name_ = name_,
					 CB_DRIVER_OPERATIONS(ENTRY)
#undef ENTRY
};

struct cb_driver *cb_fault_open(struct cb_driver *inner, struct cb_fault_plan *plan)
{
	struct fault *fault = calloc(1, sizeof(*fault));

	if (!fault)
		cb_oom();
	fault->ops = ops;
	fault->ops.volume_write = write_half;
	fault->ops.network_update = update_half;
	fault->base.ops = &fault->ops;
	fault->inner = inner;
	fault->plan = plan;
	return &fault->base;
}
