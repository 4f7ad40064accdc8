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
};

/* Everything that the manifests say. */
struct cb_desired {
	const char *owner; /* "local" unless a manifest says so */
	bool owner_given;
	CB_VEC(struct cb_vm) vms; /* sorted by name */
};

/* A problem that a person should know of. Sorted by file, line, column. */
enum cb_severity { CB_WARNING, CB_PROBLEM };

struct cb_problem {
	enum cb_severity severity;
	const char *check;  /* "manifest.unknown-key", "pool.space", ... */
	const char *target; /* VM name, or "" */
	const char *message;
	const char *fix; /* may be "" */
	struct cb_origin origin;
};

struct cb_problems {
	struct cb_problem *items;
	size_t len, cap;
};

#endif
