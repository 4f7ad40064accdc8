/*
 * address.h: MAC and IPv4 addresses as people write them, and their one spelling.
 */
#ifndef CB_MODEL_ADDRESS_H
#define CB_MODEL_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "reconciler/base/arena.h"

/* NULL for what is none. A MAC of one machine only, not of a group. */
const char *cb_address_mac(struct cb_arena *arena, const char *text);
const char *cb_address_ip(struct cb_arena *arena, const char *text);
/* "10.10.0.7/24" is "10.10.0.0/24"; sizes from /8 to /30. */
const char *cb_address_cidr(struct cb_arena *arena, const char *text);

/* Whether the address is one of the network's, and not its first (itself) or last (everybody). Both
 * in their one spelling. */
bool cb_address_in(const char *cidr, const char *ip);

/* Less than 0, 0 or more, as the first address comes before, is or comes behind the second. */
int cb_address_compare(const char *left, const char *right);

/* The n-th address of a network; counted from its end if n is negative (-1 is its broadcast
 * address). */
const char *cb_address_nth(struct cb_arena *arena, const char *cidr, int n);

#endif
