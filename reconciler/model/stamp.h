/*
 * stamp.h: what clonebox writes into a domain's own metadata: who it belongs to (docs/identity.md).
 */
#ifndef CB_MODEL_STAMP_H
#define CB_MODEL_STAMP_H

#include "reconciler/model/spec.h"

#define CB_STAMP_NAMESPACE "urn:clonebox:stamp:1"

/* Role of the volume of a data disk: this and its name. */
#define CB_ROLE_DISK "disk:"

enum { CB_STAMP_VERSION = 1, CB_STAMP_MAX = 64 * 1024 };

/* What becomes of a volume when its VM goes. */
enum cb_deletion {
	CB_DELETE_WITH_VM, /* made for this VM alone; deleted with it, given consent */
	CB_RETAIN,         /* data: stays */
	CB_SHARED,         /* an imported image: deleted when nothing on the host refers to it */
};

struct cb_stamp_volume {
	const char *role; /* "root", "base", "kernel", "initrd", "seed", "disk:data" */
	const char *pool;
	const char *name;
	const char *path; /* on the host */
	enum cb_deletion deletion;
	const char *digest; /* SHA-256 of an imported image, else "" */
};

struct cb_stamp {
	unsigned version;
	const char *owner;
	const char *name;        /* in the manifest */
	const char *source;      /* of the manifest */
	const char *uuid;        /* that the stamp was issued for */
	const char *controller;  /* installation that wrote it */
	const char *transaction; /* that wrote it */
	uint64_t generation;     /* counts the writes, from 1 */
	CB_VEC(struct cb_stamp_volume) volumes;
	struct cb_spec applied; /* last-applied; origin.from is DEFAULT or MANIFEST */
};

/* A tombstone: a VM in the trash. It stands in `applied`, beside the fields, until when it is kept
 * (RFC 3339) and what it was called. */
#define CB_TRASH_UNTIL "trash.until"
#define CB_TRASH_WAS   "trash.was"

/* Between that and the eight hex digits of a transaction, in the name of a tombstone. */
#define CB_TRASH_MARK ".trash-"

bool cb_stamp_is_trash(const struct cb_stamp *stamp);
/* Whether the VM is to go to the trash when it goes: it, or one of its disks, says so. */
bool cb_stamp_wants_trash(const struct cb_stamp *stamp);

/* NULL where the stamp lists no such volume. */
const struct cb_stamp_volume *cb_stamp_volume_of(const struct cb_stamp *stamp, const char *role);

const char *cb_deletion_name(enum cb_deletion deletion);
/* Returns 0, or -1 for an unknown word. */
int cb_deletion_parse(const char *text, enum cb_deletion *deletion);

#endif
