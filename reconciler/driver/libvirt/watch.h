/*
 * watch.h: deadlines for calls that have none of their own.
 *
 *	watch = cb_watch_new(fd)
 *	cb_watch_begin(watch, limit_ms)      before the calls on that socket
 *	cb_watch_moved(watch)                one of them has answered: the time starts anew
 *	cb_watch_hold(watch)                 what follows is not the host's time; until `moved`
 *	cb_watch_end(watch)                  true: the limit was over, and the socket was shut
 *	cb_watch_free(watch)
 *
 * One thread of the process waits for all of them. When a limit is over it shuts the socket in both
 * directions: whoever waits for an answer there gets an error at once, and the connection is of no
 * use any more. The descriptor is a duplicate of the watch's own: it stays what it is whatever the
 * connection's owner does with his, and shutting it can never hit another file. After `end` has
 * returned nothing is shut.
 *
 * One watch is begun and ended by one thread; `moved` may come from others meanwhile. Every
 * function takes NULL, which never expires.
 */
#ifndef CB_DRIVER_LIBVIRT_WATCH_H
#define CB_DRIVER_LIBVIRT_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "reconciler/base/compiler.h"

struct cb_watch;

/* Takes the descriptor over. NULL if it is -1, or the thread cannot be started. */
struct cb_watch *cb_watch_new(int fd);
void cb_watch_free(struct cb_watch *watch);

/* A limit of 0 is none. */
void cb_watch_begin(struct cb_watch *watch, uint64_t limit_ms);
void cb_watch_moved(struct cb_watch *watch);
void cb_watch_hold(struct cb_watch *watch);
bool cb_watch_end(struct cb_watch *watch);

/* Whether the limit was over, without an end. */
bool cb_watch_expired(struct cb_watch *watch);

#endif
