/*
 * socket.h: which socket a connection of libvirt's speaks through. libvirt does not tell.
 *
 *	cb_socket_before(&search)
 *	conn = virConnectOpen(uri)
 *	fd = cb_socket_after(&search, conn ? <its canonical URI> : NULL)
 *
 * The sockets that the process has are compared before and after. Connecting takes turns, so that
 * as a rule nobody else's comes in between; the turn of one that is stuck is taken from it after a
 * moment, so that it delays no other host. What is left after all that is certainly somebody else's
 * has been sorted out (there before, found by another search, of another kind) is the one if it is
 * the only one; our own is always among them. If there are several, none is named.
 */
#ifndef CB_DRIVER_LIBVIRT_SOCKET_H
#define CB_DRIVER_LIBVIRT_SOCKET_H

#include <stdint.h>

#include "reconciler/base/arena.h"

struct cb_socket_id {
	uint64_t device, inode;
};

struct cb_socket_search {
	struct cb_arena arena;
	CB_VEC(struct cb_socket_id) before;
	unsigned turn;
};

/* What the other end of a connection to such a host looks like. */
enum cb_socket_kind {
	CB_SOCKET_NONE, /* the host is in this process */
	CB_SOCKET_UNIX, /* a path */
	CB_SOCKET_PAIR, /* a program that was started (ssh): nothing to be seen */
	CB_SOCKET_INET,
};

enum cb_socket_kind cb_socket_kind_of(const char *uri);

enum { CB_SOCKET_UNKNOWN = -1, CB_SOCKET_AMBIGUOUS = -2 };

void cb_socket_before(struct cb_socket_search *search);

/* Ends the search. A duplicate, the caller's to close after cb_socket_forget; or why not. The kind
 * CB_SOCKET_NONE only ends it. */
int cb_socket_after(struct cb_socket_search *search, enum cb_socket_kind kind);

/* Before a descriptor of cb_socket_after is closed. */
void cb_socket_forget(int fd);

#endif
