/*
 * fleet.h: from what stands in all manifests together to the VMs of the desired state: defaults and
 * profiles are merged, counts expanded, references checked.
 */
#ifndef CB_SCHEMA_FLEET_H
#define CB_SCHEMA_FLEET_H

#include "reconciler/model/vm.h"

enum {
	CB_FLEET_VMS = 10 * 1000,
	CB_FLEET_NEEDS = 1000 * 1000, /* of all VMs together */
};

/* A VM's block as it stands. */
struct cb_block {
	const char *name, *source, *directory;
	struct cb_origin origin;
	struct cb_spec spec; /* what it says itself; values of no kind take back */
	bool form1;          /* `vm:` */
	bool fragment;       /* only looked at: files that it refers to need not be there */
};

/* `depends_on` as it stands: names that may have a count. */
struct cb_need {
	const char *name; /* of the block */
	const struct cb_entry *entry;
};

struct cb_fleet {
	struct cb_arena *arena;
	struct cb_desired *out;
	struct cb_problems *problems;
	struct cb_spec defaults; /* of VMs; and "host" */
	struct cb_origin defaults_origin;
	struct cb_declarations profiles;
	struct cb_declarations companions; /* profiles in files of their own, of a directory */
	struct cb_declarations configs;    /* manifests that `config` names */
	struct cb_declarations counted;    /* names with a `count` */
	CB_VEC(struct cb_need) needs;
	CB_VEC(struct cb_block) blocks;
	const char *about; /* the kind that is being checked; NULL: VMs */
	bool full;         /* too many VMs: reported with the first one that is left out */
};

/* Fills fleet->out. */
void cb_fleet_settle(struct cb_fleet *fleet);

/* The name by which a `config` of that directory is known: its path. */
const char *cb_fleet_config_name(struct cb_arena *arena, const char *directory, const char *path);

/* "fleet.clonebox.yaml:3:5" */
const char *cb_fleet_place(const struct cb_fleet *fleet, const struct cb_origin *origin);

#endif
