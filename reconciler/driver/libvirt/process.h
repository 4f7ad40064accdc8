/*
 * process.h: the emulators that run on our own kernel, as /proc shows them. libvirt can lose sight
 * of one (killed between its fork and its note of it, the note lost or not to be read): then it
 * shows the machine as shut off, and its disks are in use all the same.
 *
 * An emulator is a process with the arguments "-uuid UUID" and "-name guest=...", as libvirt starts
 * them: whole arguments are compared, never parts. Anybody can start a process that looks so; it is
 * named with its number, for people to look at.
 */
#ifndef CB_DRIVER_LIBVIRT_PROCESS_H
#define CB_DRIVER_LIBVIRT_PROCESS_H

#include <stdbool.h>

#include "reconciler/base/arena.h"

struct cb_process {
	int pid;
	const char *uuid; /* lower case */
};

struct cb_processes {
	struct cb_process *items;
	size_t len, cap;
};

/* Adds all emulators below `proc` ("/proc"). What cannot be read, or ends meanwhile, is left out.
 */
void cb_processes_read(struct cb_arena *arena, const char *proc, struct cb_processes *out);

/* The process of that UUID; 0: none. */
int cb_processes_find(const struct cb_processes *processes, const char *uuid);

/* Whether the process at the other end of the socket is one of our own /proc, and its arguments can
 * be read: neither another namespace nor `hidepid` is in between. */
bool cb_process_sees_peer(const char *proc, int socket);

#endif
