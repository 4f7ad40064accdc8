/*
 * vm.h: what people want, as values.
 */
#ifndef CB_MODEL_VM_H
#define CB_MODEL_VM_H

#include "reconciler/model/spec.h"

/* One VM as the manifest says it; defaults are not filled in. */
struct cb_vm {
	const char *name;
	const char *source;      /* identity of the manifest, see docs/identity.md */
	const char *directory;   /* of the manifest file: relative file names start there */
	struct cb_origin origin; /* where its block begins */
	struct cb_spec spec;
	const char *host;                /* a name in hosts, or NULL */
	CB_VEC(const char *) depends_on; /* VMs that have to be there before; sorted */
	struct cb_origin host_origin, depends_on_origin;
};

/* A host, image, network or pool as the manifest says it: a name and the keys of its scope. */
struct cb_declared {
	const char *name;
	const char *source, *directory; /* as of a VM */
	struct cb_origin origin;
	struct cb_spec spec;
};

struct cb_declarations {
	struct cb_declared *items; /* sorted by name */
	size_t len, cap;
};

struct cb_field;

/* A key that was found, for what becomes of it. */
struct cb_found_key {
	const struct cb_field *field;
	struct cb_origin first; /* the first time */
	size_t count;
};

/* A text that is spoken of and was not among those given; kinds of text.h. */
struct cb_wanted {
	int kind;
	const char *name, *directory; /* of the manifest that speaks of it */
	struct cb_origin origin;
};

/* A file of manifests, for the record of what was applied. */
struct cb_read_file {
	const char *name, *digest; /* name as in origins; SHA-256 in hex */
};

struct cb_read_files {
	struct cb_read_file *items;
	size_t len, cap;
};

/* Everything that the manifests say. */
struct cb_desired {
	const char *owner; /* "local" unless a manifest says so */
	bool owner_given;
	struct cb_origin owner_origin;
	CB_VEC(const char *) sources; /* of all manifests that were read */
	struct cb_read_files files;   /* the same; whoever read them fills it in */
	CB_VEC(struct cb_vm) vms;     /* sorted by name */
	struct cb_declarations hosts, images, networks, pools;
	struct cb_declarations policies;  /* of snapshots */
	struct cb_spec rules;             /* of .clonebox-policy.yaml */
	CB_VEC(struct cb_found_key) keys; /* each row once, in the order of the table */
	CB_VEC(struct cb_wanted) wanted;  /* what would have to be there, too */
};

/* NULL where nothing of that name is declared. */
const struct cb_declared *cb_declared_find(const struct cb_declarations *declarations,
					   const char *name);

/* A problem that a person should know of. Sorted by file, line, column. */
enum cb_severity { CB_WARNING, CB_PROBLEM };

/* The line that it is about, as it may be shown; `caret` columns are in front of the place. */
struct cb_excerpt {
	const char *text; /* NULL: there is nothing to show */
	unsigned line;
	unsigned caret;
};

struct cb_problem {
	enum cb_severity severity;
	const char *check;  /* "manifest.unknown-key", "pool.space", ... */
	const char *target; /* name of what it is about, or "" */
	const char *kind;   /* "network", "pool"; NULL: a VM */
	const char *message;
	const char *fix; /* may be "" */
	struct cb_origin origin;
	struct cb_excerpt excerpt;
};

struct cb_problems {
	struct cb_problem *items;
	size_t len, cap;
};

#endif
