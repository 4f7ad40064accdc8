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
	CB_SCOPE_ROOT, /* top level of the document */
	CB_SCOPE_VM,   /* in `vm:`, or in an entry of `vms:` */
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
	CB_TYPE_MAP,  /* has rows of its own below it */
	CB_TYPE_ANY,  /* loaded, not looked into */
};

/* What a change of an existing VM costs. */
enum cb_mutability {
	CB_MUT_LIVE,      /* takes effect at once, also on a running VM (as far as libvirt can) */
	CB_MUT_RESTART,   /* stands in the persistent definition, acts at the next start */
	CB_MUT_RECREATE,  /* needs new disks */
	CB_MUT_IMMUTABLE, /* never */
	CB_MUT_STATE,     /* not configuration but what the VM should be doing */
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

/* NULL if there is no such key. */
const struct cb_field *cb_field_find(enum cb_scope scope, const char *path);

/* The built-in default as a value; CB_NONE where there is none. */
struct cb_value cb_field_default(const struct cb_field *field);

/* "live", "restart", ... */
const char *cb_mutability_name(enum cb_mutability mutability);

#endif
