#include "reconciler/driver/driver.h"

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

/* Every operation but close: OP(class, name, parameters, arguments). */
/* clang-format off */
#define P(...) __VA_ARGS__
#define OPERATIONS(OP) \
	OP(READS,   host,             P(struct cb_arena *a, struct cb_host *out), P(a, out)) \
	OP(READS,   domains,          P(struct cb_arena *a, struct cb_domains *out), P(a, out)) \
	OP(READS,   domain,           P(struct cb_arena *a, const char *uuid, struct cb_domain *out), P(a, uuid, out)) \
	OP(CHANGES, domain_define,    P(const struct cb_domain_new *spec), P(spec)) \
	OP(CHANGES, domain_update,    P(const struct cb_domain_edit *edit), P(edit)) \
	OP(READS,   domain_document,  P(const char *uuid, struct cb_str *out), P(uuid, out)) \
	OP(CHANGES, domain_restore,   P(const char *document), P(document)) \
	OP(CHANGES, domain_undefine,  P(const char *uuid), P(uuid)) \
	OP(CHANGES, domain_autostart, P(const char *uuid, bool on), P(uuid, on)) \
	OP(CHANGES, domain_live,      P(const char *uuid, const char *path, const struct cb_value *v), P(uuid, path, v)) \
	OP(CHANGES, domain_start,     P(const char *uuid), P(uuid)) \
	OP(CHANGES, domain_shutdown,  P(const char *uuid, enum cb_shutdown how), P(uuid, how)) \
	OP(CHANGES, domain_power_off, P(const char *uuid), P(uuid)) \
	OP(READS,   pool,             P(struct cb_arena *a, const char *name, struct cb_pool *out), P(a, name, out)) \
	OP(CHANGES, pool_define,      P(const char *name, const char *path), P(name, path)) \
	OP(CHANGES, pool_start,       P(const char *name), P(name)) \
	OP(CHANGES, pool_autostart,   P(const char *name, bool on), P(name, on)) \
	OP(CHANGES, pool_undefine,    P(const char *name), P(name)) \
	OP(READS,   pool_refresh,     P(const char *name), P(name)) \
	OP(READS,   volumes,          P(struct cb_arena *a, const char *pool, struct cb_volumes *out), P(a, pool, out)) \
	OP(READS,   volume,           P(struct cb_arena *a, const char *pool, const char *name, struct cb_volume *out), P(a, pool, name, out)) \
	OP(CHANGES, volume_create,    P(const struct cb_volume_new *spec), P(spec)) \
	OP(CHANGES, volume_write,     P(const char *pool, const char *name, const struct cb_upload *up), P(pool, name, up)) \
	OP(READS,   volume_digest,    P(const char *pool, const char *name, uint64_t size, char *out), P(pool, name, size, out)) \
	OP(CHANGES, volume_delete,    P(const char *pool, const char *name), P(pool, name)) \
	OP(READS,   network,          P(const char *name, enum cb_net_state *out), P(name, out))
/* clang-format on */

#define FORWARD(class_, name_, params_, args_)                                                     \
	static int name_(struct cb_driver *driver, params_, struct cb_error *err)                  \
	{                                                                                          \
		struct fault *fault = fault_of(driver);                                            \
		enum cb_fault now;                                                                 \
		int r = before(fault, #name_, class_, &now, err);                                  \
                                                                                                   \
		if (r < 0)                                                                         \
			return r;                                                                  \
		r = fault->inner->ops->name_(fault->inner, args_, err);                            \
		return after(fault, #name_, now, r, err);                                          \
	}

OPERATIONS(FORWARD)

static void close_both(struct cb_driver *driver)
{
	cb_driver_close(fault_of(driver)->inner);
	free(fault_of(driver));
}

static const struct cb_driver_ops ops = {.close = close_both,
#define ENTRY(class_, name_, params_, args_) .name_ = name_,
					 OPERATIONS(ENTRY)
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
