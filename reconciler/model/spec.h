/*
 * spec.h: a thing as a sorted list of (path, typed value, where it came from).
 *
 * Desired, observed and last-applied all have this one shape, so that comparing them is one generic
 * merge (docs/architecture.md). A path is relative to its VM: "ram_mb", "boot.kernel",
 * "disks[root].source". Keyed lists use the key, never a position.
 *
 * A spec is built with cb_spec_set and read-only afterwards; items are sorted by path (strcmp), one
 * per path. Everything lives in the arena that it was built with.
 */
#ifndef CB_MODEL_SPEC_H
#define CB_MODEL_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reconciler/base/arena.h"

enum cb_kind { CB_NONE, CB_BOOL, CB_INT, CB_STRING };

struct cb_value {
	enum cb_kind kind;
	bool boolean;
	int64_t integer;
	const char *string;
};

/* Where a value came from. */
enum cb_from {
	CB_FROM_DEFAULT,  /* built in, or derived by clonebox: recorded at creation, never enforced
			   */
	CB_FROM_MANIFEST, /* a person wrote it */
	CB_FROM_HOST,     /* read from libvirt */
};

struct cb_origin {
	enum cb_from from;
	const char *file; /* NULL unless from a manifest */
	unsigned line, column;
	bool sensitive;  /* shown and kept only as a digest: a secret, or it went through ${} */
	const char *via; /* "profile small", "defaults.vm"; NULL: the thing says it itself */
};

struct cb_entry {
	const char *path;
	struct cb_value value;
	struct cb_origin origin;
};

struct cb_spec {
	struct cb_entry *items;
	size_t len, cap;
};

struct cb_value cb_bool(bool value);
struct cb_value cb_int(int64_t value);
/* Borrows; cb_spec_set copies. NULL gives CB_NONE. */
struct cb_value cb_string(const char *value);

bool cb_value_equal(const struct cb_value *a, const struct cb_value *b);

/* For people and for stamps: "4096", "true", the string itself; "" for CB_NONE. */
const char *cb_value_text(struct cb_arena *arena, const struct cb_value *value);

/* Adds or replaces; copies path and strings into the arena. */
void cb_spec_set(struct cb_arena *arena, struct cb_spec *spec, const char *path,
		 struct cb_value value, struct cb_origin origin);

/* Takes the path out, if it is there; with everything below it for a path that ends with '['. */
void cb_spec_unset(struct cb_spec *spec, const char *path);

/* NULL where the path is not there. */
const struct cb_entry *cb_spec_find(const struct cb_spec *spec, const char *path);

/* The string at path, or NULL; the integer or boolean, or `otherwise`. */
const char *cb_spec_string(const struct cb_spec *spec, const char *path);
int64_t cb_spec_int(const struct cb_spec *spec, const char *path, int64_t otherwise);
bool cb_spec_bool(const struct cb_spec *spec, const char *path, bool otherwise);

#endif
