#include "reconciler/driver/operations.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fault {
	struct cb_driver base;
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

static int refuse(const char *name, struct cb_error *err)
{
	return cb_error_set(err, CB_E_FAILED, "%s was refused (a fault of the test)", name);
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
		return 0;
	}
	plan->calls++;
	if (plan->at != 0 && plan->calls == plan->at)
		*now = plan->fault;
	if (*now == CB_FAULT_DIE_BEFORE)
		_exit(KILLED);
	if (*now == CB_FAULT_GONE)
		return gone(fault, err);
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
	case CB_FAULT_LOST:
		return gone(fault, err);
	case CB_FAULT_AFTER:
		/* A call that failed by itself keeps its own error. */
		return r < 0 ? r : refuse(name, err);
	case CB_FAULT_NONE:
	case CB_FAULT_BEFORE:
	case CB_FAULT_GONE:
	case CB_FAULT_DIE_BEFORE:
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
	fault->base.ops = &ops;
	fault->inner = inner;
	fault->plan = plan;
	return &fault->base;
}
