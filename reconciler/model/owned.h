/*
 * owned.h: how things without room for a stamp are known as ours, and how secrets are known again.
 */
#ifndef CB_MODEL_OWNED_H
#define CB_MODEL_OWNED_H

#include "reconciler/model/spec.h"

/* The UUID that a network or pool of ours has: it follows from owner, kind ("network", "pool") and
 * name. libvirt 9.0 keeps no metadata with either. One with another UUID is not ours. */
const char *cb_owned_uuid(struct cb_arena *arena, const char *owner, const char *kind,
			  const char *name);

/* Eight hex digits in the name of a retained volume: whose disk it is. */
const char *cb_owned_tag(struct cb_arena *arena, const char *owner, const char *vm,
			 const char *disk);

/* What stands for a sensitive value in plans, journals and stamps. It tells a change from none, and
 * is far too short to find a password by trying: 24 bits fit one guess in 16 million. */
struct cb_value cb_masked(struct cb_arena *arena, const char *vm, const char *path,
			  const struct cb_value *value);

/* Whether it stands for a sensitive value. */
bool cb_is_masked(const struct cb_value *value);

/* MACs follow from the UUID of the domain and the NIC's name, in QEMU's range 52:54:00. */
const char *cb_owned_mac(struct cb_arena *arena, const char *uuid, const char *nic);

/* The name of a directory that is shared with the guest, which knows it by that too: it follows
 * from where the guest mounts it. At most 23 bytes: 9p has room for 31, and virtiofs makes the name
 * of a socket of it, which are short as well. */
const char *cb_owned_mount(struct cb_arena *arena, const char *guest);

#endif
