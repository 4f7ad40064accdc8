/*
 * check.h: what every host refuses, said once: the names, words and addresses of driver.h.
 *
 * Pure. The drivers ask before they hand anything on, so that a wrong value has one answer wherever
 * it is tried: CB_E_INVALID, naming the path.
 */
#ifndef CB_DRIVER_CHECK_H
#define CB_DRIVER_CHECK_H

#include "reconciler/base/error.h"
#include "reconciler/model/spec.h"

/* A path as tables have it: "disks[data].cache" is the pattern "disks[].cache" and the name "data";
 * "ram_mb" is its own pattern and has no name. */
struct cb_path {
	const char *pattern;
	const char *name; /* or NULL */
};

/* In the arena. A pattern "" where the path is none. */
struct cb_path cb_path_of(struct cb_arena *arena, const char *path);

/* Whether it can name a device of ours: letters, digits, '-', '_'. */
bool cb_is_name(const char *text);
/* "52:54:00:12:34:56", lower case, of one card. */
bool cb_is_mac(const char *text);

/* No value: CB_NONE or the empty string. */
bool cb_is_nothing(const struct cb_value *value);

/* The values of a domain's set, each by itself. */
CB_CHECKED int cb_check_values(const struct cb_spec *set, struct cb_error *err);

/* The NICs that `set` is about, as they stand in the document that it was written into. */
CB_CHECKED int cb_check_nics(const struct cb_spec *document, const struct cb_spec *set,
			     struct cb_error *err);

/* The same of shared directories. */
CB_CHECKED int cb_check_mounts(const struct cb_spec *document, const struct cb_spec *set,
			       struct cb_error *err);

/* A network as it stands in the document that `set` was written into. */
CB_CHECKED int cb_check_network(const struct cb_spec *document, const struct cb_spec *set,
				struct cb_error *err);

/* One of "tcp:2222:22 udp:5353:53". */
struct cb_forward {
	char protocol[4];
	unsigned host, guest;
};

/* Reads the first of `text` and returns what is behind it; NULL if `text` begins with none. */
const char *cb_forward_next(const char *text, struct cb_forward *out);

#endif
