/*
 * field.h: what is known of every key of the manifest language; the rows stand in
 * schema/fields.def.
 *
 * Decoding, validation, `explain`, the diff and error messages all read these rows; adding a field
 * is adding a row (and a binding in driver/libvirt/bind.def if it is realised).
 */
#ifndef CB_MODEL_FIELD_H
#define CB_MODEL_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reconciler/model/spec.h"

/* Where the key stands. */
enum cb_scope {
	CB_SCOPE_ROOT,     /* top level of the document */
	CB_SCOPE_DEFAULTS, /* in `defaults:` */
	CB_SCOPE_HOST,     /* in an entry of `hosts:` */
	CB_SCOPE_IMAGE,    /* in an entry of `images:` */
	CB_SCOPE_NETWORK,  /* in an entry of `networks:` */
	CB_SCOPE_POOL,     /* in an entry of `pools:` */
	CB_SCOPE_VM,       /* in `vm:`, or in an entry of `vms:` or `profiles:` */
};

/* What the key holds. */
enum cb_field_type {
	CB_TYPE_BOOL,
	CB_TYPE_INT,
	CB_TYPE_STRING,
	CB_TYPE_ENUM,
	CB_TYPE_NAME, /* a VM's name: letters, digits, '.', '_', '-'; starts with a letter or digit
		       */
	CB_TYPE_FILE, /* a path, relative to the manifest's directory */
	CB_TYPE_KEY,  /* name of a disk, NIC or label: letters, digits, '_', '-' */
	CB_TYPE_SIZE, /* "100GiB"; the value is an integer, in bytes */
	CB_TYPE_MAC,  /* "52:54:00:12:34:56"; lower case in the value */
	CB_TYPE_IP,   /* "10.10.0.10" */
	CB_TYPE_CIDR, /* "10.10.0.0/24" */
	CB_TYPE_SECRET,    /* text that is shown and kept only as a digest */
	CB_TYPE_TEXTS,     /* a list of texts; the value is that list as JSON */
	CB_TYPE_JSON,      /* a map of anything; the value is that map as JSON */
	CB_TYPE_MAP,       /* has rows of its own below it: "boot.kernel"; or, if there is a row
			    * "labels[]", keys that people choose */
	CB_TYPE_LIST,      /* of maps that are told apart by their `name`; rows "disks[].size" */
	CB_TYPE_DIRECTORY, /* an absolute path, "/src"; tells things apart, as names do */
	CB_TYPE_MOUNTS, /* a map from directories of the host to such of the guest, or to maps with
			 * `guest` and more; rows "paths[]", which holds the host's and has the
			 * guest's as its key, and "paths[].kind" */
	CB_TYPE_ANY,    /* loaded, not looked into */
};

/* What a change of an existing VM costs. */
enum cb_mutability {
	CB_MUT_LIVE,      /* takes effect at once, also on a running VM (as far as libvirt can) */
	CB_MUT_RESTART,   /* stands in the persistent definition, acts at the next start */
	CB_MUT_RECREATE,  /* needs new disks */
	CB_MUT_IMMUTABLE, /* never */
	CB_MUT_STATE,     /* not configuration but what the VM should be doing */
	CB_MUT_RECORD,    /* kept in the stamp; nothing on the machine changes */
	CB_MUT_SEED,      /* told to the guest at its first boot, and not changed afterwards */
	CB_MUT_LOAD,      /* means something while manifests are loaded only */
	CB_MUT_LATER, /* known from CloneBox, not acted on by this version: loads with a warning */
};

struct cb_field {
	const char *path; /* "ram_mb", "boot.kernel" */
	enum cb_scope scope;
	enum cb_field_type type;
	const char *unit;    /* "MiB", or "" */
	const char *initial; /* built-in default as text, NULL if there is none */
	int64_t min, max;    /* for CB_TYPE_INT; length limits for strings and names */
	const char *values;  /* for CB_TYPE_ENUM: "running stopped absent" */
	enum cb_mutability mutability;
	const char *doc; /* one line */
	const char *example;
};

/* All rows, sorted as in the table. */
const struct cb_field *cb_fields(size_t *count);

/* NULL if there is no such key. In lists the path may name an element: "disks[data].size" finds the
 * row "disks[].size". */
const struct cb_field *cb_field_find(enum cb_scope scope, const char *path);

/* The element of a path of a list: "data" of "disks[data].size", for list "disks". NULL if it is
 * none of that list's. */
const char *cb_field_element(struct cb_arena *arena, const char *list, const char *path);

/* Where the rows below a key of the top level, or of `defaults`, stand; CB_SCOPE_ROOT if it has
 * none. `named`: there is a name in between. */
enum cb_scope cb_field_scope_below(enum cb_scope scope, const char *path, bool *named);

/* "vm", "network", ...: what people call an entry. */
const char *cb_scope_name(enum cb_scope scope);

/* The built-in default as a value; CB_NONE where there is none. */
struct cb_value cb_field_default(const struct cb_field *field);

/* "live", "restart", ... */
const char *cb_mutability_name(enum cb_mutability mutability);

#endif
