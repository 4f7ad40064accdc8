/* fleet_internal.h: what fleet.c (merging, counting), needs.c (what waits for what) and check.c
 * (what must hold) share. */
#ifndef CB_SCHEMA_FLEET_INTERNAL_H
#define CB_SCHEMA_FLEET_INTERNAL_H

#include "reconciler/model/field.h"
#include "schema/fleet.h"
#include "schema/problem.h"

/* Where a problem of that kind stands. */
struct cb_schema_at cb_fleet_at(const char *check, const char *target,
				const struct cb_origin *origin);

/* By file, line, column. */
int cb_fleet_by_place(const struct cb_origin *a, const struct cb_origin *b);

/* The text in quotes, for messages. */
const char *cb_fleet_quote(const struct cb_fleet *fleet, const struct cb_entry *entry);

enum {
	CB_FLEET_LISTED = 20,    /* names in a message */
	CB_FLEET_COMPARED = 200, /* names that are looked at for the one that was meant */
};

/* "did you mean 'small'?", or which ones there are: `n` names, blank-separated. */
const char *cb_fleet_meant(struct cb_fleet *fleet, const char *all, size_t n, const char *wanted);

/* The same for the name of a declaration. */
const char *cb_fleet_known(struct cb_fleet *fleet, const struct cb_declarations *declarations,
			   const struct cb_entry *wanted);

void cb_fleet_check_host(struct cb_fleet *fleet, const char *target, const struct cb_entry *host);

/* What must hold within one VM, once it is merged; values of no kind are still there. */
void cb_fleet_check_vm(struct cb_fleet *fleet, const struct cb_vm *vm);

/* What the policy that `snapshots.policy` names says, where the VM says nothing itself. */
void cb_fleet_add_policy(struct cb_fleet *fleet, struct cb_vm *vm);

/* What must hold between the values of limits, snapshot policies and health checks, of a VM or of a
 * declared policy. Adds what follows from them. */
void cb_fleet_check_policies(struct cb_fleet *fleet, const char *target, struct cb_spec *spec);

/* Keeps a `depends_on` for later: the VMs that it names may not have been read yet. */
void cb_fleet_note_needs(struct cb_fleet *fleet, const char *name, const struct cb_entry *entry);

/* Fills depends_on, once all VMs are known. */
void cb_fleet_check_needs(struct cb_fleet *fleet);

/* groups.c: a group is of one host. */
void cb_fleet_check_groups(struct cb_fleet *fleet);

/* What must hold between the parts, once all VMs are known. Fills depends_on. */
void cb_fleet_check(struct cb_fleet *fleet);

#endif
