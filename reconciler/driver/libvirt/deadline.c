/* Every operation, with an end: libvirt's own calls wait for ever on a daemon or a QEMU monitor
 * that has stopped answering. */
#include "reconciler/driver/libvirt/libvirt_internal.h"
#include "reconciler/driver/operations.h"

/* Of the driver's patience. libvirt itself waits 30 s for a domain that is busy, and up to 40 for a
 * QEMU to end. */
static const unsigned shares[] = {[QUICK] = 1, [SLOW] = 2, [STREAM] = 2, [ENDLESS] = 0};

void cb_libvirt_begin(struct cb_libvirt *host, enum cb_patience patience)
{
	host->limit_ms = (uint64_t)host->base.patience_ms * shares[patience];
	cb_watch_begin(host->watch, host->limit_ms);
}

static int begin(struct cb_libvirt *host, enum cb_patience patience, struct cb_error *err)
{
	if (host->base.lost)
		return cb_error_set(err, CB_E_UNAVAILABLE,
				    "the connection to '%s' was given up: it had not answered",
				    host->name);
	cb_libvirt_begin(host, patience);
	return 0;
}

/* A call that was cut off may have been passed over inside: whatever came of it, it is not the
 * answer. */
static int end(struct cb_libvirt *host, const char *name, int r, struct cb_error *err)
{
	if (!cb_watch_end(host->watch))
		return r;
	host->base.lost = true;
	return r == -CB_E_TIMEOUT ? r : cb_libvirt_late(host, err, name);
}

#define TIMED(class_, patience_, name_, params_, args_)                                            \
	static int name_(struct cb_driver *driver, params_, struct cb_error *err)                  \
	{                                                                                          \
		struct cb_libvirt *host = cb_libvirt_of(driver);                                   \
		int r = begin(host, patience_, err);                                               \
                                                                                                   \
		if (r < 0)                                                                         \
			return r;                                                                  \
		return end(host, #name_, cb_libvirt_##name_(driver, args_, err), err);             \
	}

CB_DRIVER_OPERATIONS(TIMED)

const struct cb_driver_ops cb_libvirt_ops = {.close = cb_libvirt_close,
#define ENTRY(class_, patience_, name_, params_, args_) .name_ = name_,
					     CB_DRIVER_OPERATIONS(ENTRY)
#undef ENTRY
};
