#include "reconciler/model/owned.h"

#include <string.h>

#include "reconciler/base/digest.h"

#define MASK "(sensitive) "

/* The parts, told apart by a byte that stands in none of them. */
static void digest_of(const char *const *parts, char hex[CB_SHA256_HEX])
{
	struct cb_digest *digest = cb_digest_new();

	for (; *parts; parts++)
		cb_digest_add(digest, *parts, strlen(*parts) + 1);
	cb_digest_finish(digest, hex);
}

const char *cb_owned_uuid(struct cb_arena *arena, const char *owner, const char *kind,
			  const char *name)
{
	char hex[CB_SHA256_HEX];

	digest_of((const char *const[]){"clonebox", owner, kind, name, NULL}, hex);
	/* Version 8: made in a way of one's own (RFC 9562). */
	return cb_arena_printf(arena, "%.8s-%.4s-8%.3s-a%.3s-%.12s", hex, hex + 8, hex + 12,
			       hex + 15, hex + 18);
}

const char *cb_owned_tag(struct cb_arena *arena, const char *owner, const char *vm,
			 const char *disk)
{
	char hex[CB_SHA256_HEX];

	digest_of((const char *const[]){"disk", owner, vm, disk, NULL}, hex);
	return cb_arena_printf(arena, "%.8s", hex);
}

struct cb_value cb_masked(struct cb_arena *arena, const char *vm, const char *path,
			  const struct cb_value *value)
{
	char hex[CB_SHA256_HEX];

	if (value->kind == CB_NONE)
		return *value;
	digest_of((const char *const[]){"value", vm, path, cb_value_text(arena, value), NULL}, hex);
	return cb_string(cb_arena_printf(arena, MASK "%.6s", hex));
}

bool cb_is_masked(const struct cb_value *value)
{
	return value->kind == CB_STRING && strncmp(value->string, MASK, strlen(MASK)) == 0;
}

const char *cb_owned_mount(struct cb_arena *arena, const char *guest)
{
	enum { SHOWN = 14 };

	const char *slash = strrchr(guest, '/'), *last = slash ? slash + 1 : guest;
	char hex[CB_SHA256_HEX], shown[SHOWN + 1] = "";
	size_t len = 0;

	for (; *last && len < SHOWN; last++) {
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", *last))
			shown[len++] = *last;
	}
	cb_digest_of(guest, strlen(guest), hex);
	return cb_arena_printf(arena, "%s%s%.8s", shown, len ? "-" : "", hex);
}

const char *cb_owned_mac(struct cb_arena *arena, const char *uuid, const char *nic)
{
	const char *seed = cb_arena_printf(arena, "%s/%s", uuid, nic);
	char hex[CB_SHA256_HEX];

	cb_digest_of(seed, strlen(seed), hex);
	return cb_arena_printf(arena, "52:54:00:%.2s:%.2s:%.2s", hex, hex + 2, hex + 4);
}
