/*
 * operations.h: every operation of a driver but close, for decorators.
 *
 *	OP(class, patience, name, parameters, arguments)
 *
 * class is READS or CHANGES. patience says how long one is waited for: QUICK, an answer that needs
 * no work; SLOW, something is done, or a guest is asked; STREAM, as SLOW, and each piece that moves
 * starts the time anew; ENDLESS, a person ends it. A decorator defines OP, names
 *CB_DRIVER_OPERATIONS(OP), and has a function for each and a row for each in its table.
 */
#ifndef CB_DRIVER_OPERATIONS_H
#define CB_DRIVER_OPERATIONS_H

#include "reconciler/driver/driver.h"

/* clang-format off */
#define CB_P(...) __VA_ARGS__
#define CB_DRIVER_OPERATIONS(OP) \
	OP(READS,   QUICK,   host,             CB_P(struct cb_arena *a, struct cb_host *out), CB_P(a, out)) \
	OP(READS,   QUICK,   domains,          CB_P(struct cb_arena *a, struct cb_domains *out), CB_P(a, out)) \
	OP(READS,   QUICK,   domain,           CB_P(struct cb_arena *a, const char *uuid, struct cb_domain *out), CB_P(a, uuid, out)) \
	OP(CHANGES, SLOW,    domain_define,    CB_P(const struct cb_domain_new *spec), CB_P(spec)) \
	OP(CHANGES, SLOW,    domain_update,    CB_P(const struct cb_domain_edit *edit), CB_P(edit)) \
	OP(READS,   QUICK,   domain_document,  CB_P(const char *uuid, struct cb_str *out), CB_P(uuid, out)) \
	OP(CHANGES, SLOW,    domain_restore,   CB_P(const char *document), CB_P(document)) \
	OP(CHANGES, SLOW,    domain_rename,    CB_P(const char *uuid, const char *name, const struct cb_stamp *stamp), CB_P(uuid, name, stamp)) \
	OP(CHANGES, SLOW,    domain_undefine,  CB_P(const char *uuid), CB_P(uuid)) \
	OP(CHANGES, SLOW,    domain_autostart, CB_P(const char *uuid, bool on), CB_P(uuid, on)) \
	OP(CHANGES, SLOW,    domain_live,      CB_P(const char *uuid, const char *path, const struct cb_value *v), CB_P(uuid, path, v)) \
	OP(READS,   QUICK,   domain_stray,     CB_P(const char *uuid, int *pid), CB_P(uuid, pid)) \
	OP(CHANGES, SLOW,    domain_start,     CB_P(const char *uuid), CB_P(uuid)) \
	OP(CHANGES, SLOW,    domain_shutdown,  CB_P(const char *uuid, enum cb_shutdown how), CB_P(uuid, how)) \
	OP(CHANGES, SLOW,    domain_power_off, CB_P(const char *uuid), CB_P(uuid)) \
	OP(READS,   SLOW,    domain_addresses, CB_P(struct cb_arena *a, const char *uuid, struct cb_addresses *out), CB_P(a, uuid, out)) \
	OP(READS,   SLOW,    domain_agent,     CB_P(const char *uuid, bool *out), CB_P(uuid, out)) \
	OP(READS,   ENDLESS, domain_console,   CB_P(const char *uuid, const struct cb_console_io *io), CB_P(uuid, io)) \
	OP(READS,   QUICK,   pool,             CB_P(struct cb_arena *a, const char *name, struct cb_pool *out), CB_P(a, name, out)) \
	OP(CHANGES, SLOW,    pool_define,      CB_P(const char *name, const char *path, const char *uuid), CB_P(name, path, uuid)) \
	OP(CHANGES, SLOW,    pool_start,       CB_P(const char *name), CB_P(name)) \
	OP(CHANGES, SLOW,    pool_autostart,   CB_P(const char *name, bool on), CB_P(name, on)) \
	OP(CHANGES, SLOW,    pool_undefine,    CB_P(const char *name), CB_P(name)) \
	OP(READS,   SLOW,    pool_refresh,     CB_P(const char *name), CB_P(name)) \
	OP(READS,   QUICK,   volumes,          CB_P(struct cb_arena *a, const char *pool, struct cb_volumes *out), CB_P(a, pool, out)) \
	OP(READS,   QUICK,   volume,           CB_P(struct cb_arena *a, const char *pool, const char *name, struct cb_volume *out), CB_P(a, pool, name, out)) \
	OP(CHANGES, SLOW,    volume_create,    CB_P(const struct cb_volume_new *spec), CB_P(spec)) \
	OP(CHANGES, STREAM,  volume_write,     CB_P(const char *pool, const char *name, const struct cb_upload *up), CB_P(pool, name, up)) \
	OP(READS,   STREAM,  volume_digest,    CB_P(const char *pool, const char *name, const struct cb_extent *extent, char *out), CB_P(pool, name, extent, out)) \
	OP(CHANGES, SLOW,    volume_delete,    CB_P(const char *pool, const char *name), CB_P(pool, name)) \
	OP(READS,   QUICK,   networks,         CB_P(struct cb_arena *a, struct cb_networks *out), CB_P(a, out)) \
	OP(READS,   QUICK,   network,          CB_P(struct cb_arena *a, const char *name, struct cb_network *out), CB_P(a, name, out)) \
	OP(CHANGES, SLOW,    network_define,   CB_P(const struct cb_network_new *spec), CB_P(spec)) \
	OP(CHANGES, SLOW,    network_update,   CB_P(const struct cb_network_edit *edit), CB_P(edit)) \
	OP(READS,   QUICK,   network_document, CB_P(const char *uuid, struct cb_str *out), CB_P(uuid, out)) \
	OP(CHANGES, SLOW,    network_restore,  CB_P(const char *document), CB_P(document)) \
	OP(CHANGES, SLOW,    network_start,    CB_P(const char *uuid), CB_P(uuid)) \
	OP(CHANGES, SLOW,    network_stop,     CB_P(const char *uuid), CB_P(uuid)) \
	OP(CHANGES, SLOW,    network_autostart, CB_P(const char *uuid, bool on), CB_P(uuid, on)) \
	OP(CHANGES, SLOW,    network_undefine, CB_P(const char *uuid), CB_P(uuid))
/* clang-format on */

#endif
