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
	CB_SCOPE_POLICY,   /* in an entry of `policies:`: a snapshot policy */
	CB_SCOPE_RULES,    /* in .clonebox-policy.yaml */
	CB_SCOPE_VM,       /* in `vm:`, or in an entry of `vms:` or `profiles:` */
};

/* What the key holds. */
enum cb_field_type {
	CB_TYPE_BOOL,
	CB_TYPE_INT,
	CB_TYPE_STRING,
	CB_TYPE_ENUM,
	CB_TYPE_NAME,  /* a VM's name: letters, digits, '.', '_', '-'; starts with a letter or digit
			*/
	CB_TYPE_FILE,  /* a path, relative to the manifest's directory */
	CB_TYPE_KEY,   /* name of a disk, NIC or label: letters, digits, '_', '-' */
	CB_TYPE_SIZE,  /* "100GiB"; the value is an integer, in bytes */
	CB_TYPE_MAC,   /* "52:54:00:12:34:56"; lower case in the value */
	CB_TYPE_IP,    /* "10.10.0.10" */
	CB_TYPE_CIDR,  /* "10.10.0.0/24" */
	CB_TYPE_BYTES, /* "8G", "512MiB"; bytes; a bare number counts in the row's unit */
	CB_TYPE_RATE,  /* "100Mbps"; bits per second */
	CB_TYPE_DURATION,  /* "90s", "4w"; milliseconds; a bare number counts in the row's unit */
	CB_TYPE_SCHEDULE,  /* "0 2 * * *"; in its plain form */
	CB_TYPE_CPUS,      /* "0-3,7" or a list; the former */
	CB_TYPE_INTS,      /* whole numbers; the value is that list as JSON */
	CB_TYPE_PAIRS,     /* a map from texts to texts; the value is that map as JSON */
	CB_TYPE_SECRET,    /* text that is shown and kept only as a digest */
	CB_TYPE_TEXTS,     /* a list of texts; the value is that list as JSON */
	CB_TYPE_JSON,      /* a map of anything; the value is that map as JSON */
	CB_TYPE_MAP,       /* has rows of its own below it: "boot.kernel"; or, if there is a row
			    * "labels[]", keys that people choose; `unit` may name the key that a
			    * text alone stands for */
	CB_TYPE_LIST,      /* of maps that are told apart by their `name`; rows "disks[].size" */
	CB_TYPE_DIRECTORY, /* an absolute path, "/src"; tells things apart, as names do */
	CB_TYPE_MOUNTS,    /* a map from directories of the host to such of the guest, or to maps
			    * with `guest` and more; rows "paths[]", which holds the host's and has
			    * the guest's as its key, and "paths[].kind" */
	CB_TYPE_ANY,       /* loaded, not looked into */
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
	CB_MUT_POLICY,    /* read and checked, for engines to come; nothing follows yet */
	CB_MUT_UNMANAGED, /* known from CloneBox, and none of clonebox's business */
	CB_MUT_LATER, /* known from CloneBox, not acted on by this version: loads with a warning */
};

/* How the value of another spelling becomes that of the key. */
enum cb_convert {
	CB_CONVERT_SAME,
	CB_CONVERT_PERCENT, /* of one processor: a quota, for the period of 100 ms */
	CB_CONVERT_TIME,    /* "02:30": a schedule, every day then */
	CB_CONVERT_DRIVER,  /* of a network in a compose file: its mode */
	CB_CONVERT_INTO,    /* a map: its keys are those of the target, or of the element that the
			     * target is */
};

/* What becomes of what is said, for people. */
enum cb_class { CB_CLASS_REALISED, CB_CLASS_GUEST, CB_CLASS_POLICY, CB_CLASS_UNMANAGED };

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
	const char *target; /* another spelling of this path of the same scope; NULL: none */
	enum cb_convert convert;
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

/* That of the target, for another spelling. */
enum cb_class cb_field_class(const struct cb_field *field);

/* "realised", "guest", "policy", "unmanaged" */
const char *cb_class_name(enum cb_class class);

/* "live", "restart", ... */
const char *cb_mutability_name(enum cb_mutability mutability);

#endif
