/*
 * elsewhere.h: other installations: what they have on a host, and whether one of them is on this
 * machine.
 */
#ifndef CB_CMD_ELSEWHERE_H
#define CB_CMD_ELSEWHERE_H

#include "cmd/clonebox/ui.h"

/* Looks at the host for what is not this installation's. One that cannot be looked at is said on
 * stderr, and is no failure: false then. */
bool cb_elsewhere_look(const struct cb_cli *cli, struct cb_arena *arena, struct cb_elsewhere *out);

/* 0, or the exit code where that installation is seen to be alive on this machine: in a directory
 * that is usual for it, or in the one of a process that holds locks there. */
int cb_elsewhere_check_gone(const char *controller);

#endif
