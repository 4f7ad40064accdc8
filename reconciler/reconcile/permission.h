/*
 * permission.h: whether the emulator may enter the directories above a file. libvirt gives it the
 * files themselves, and leaves the directories as they are: a pool below somebody's home is the
 * common way to a VM that is defined well and does not start.
 */
#ifndef CB_RECONCILE_PERMISSION_H
#define CB_RECONCILE_PERMISSION_H

#include "reconciler/model/host.h"

/* The first directory on the way to `path` (and `path` itself, a directory) that the host's
 * emulator may not enter; NULL if it may, or if that is not known: another machine, an access
 * control list, a directory that is not there yet. */
const char *cb_permission_denied_at(struct cb_arena *arena, const struct cb_host *host,
				    const char *path);

#endif
