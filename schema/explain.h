/*
 * explain.h: what the keys of the manifest language mean, from the rows of fields.def.
 */
#ifndef CB_SCHEMA_EXPLAIN_H
#define CB_SCHEMA_EXPLAIN_H

#include "reconciler/base/error.h"
#include "reconciler/base/str.h"
#include "reconciler/model/field.h"

/* Appends what is known of a key: "vm.ram_mb", "vms.db.ram_mb", "ram_mb", "boot", "owner". NULL or
 * "" lists all keys. CB_E_USAGE for what is no key, with what may have been meant. */
CB_CHECKED int cb_explain(const char *path, struct cb_str *out, struct cb_error *err);

/* Appends a line "vm.ram_mb<tab>what it means" for each key: for completion. */
void cb_explain_keys(struct cb_str *out);

/* Appends the keys as sections of a manual page (docs/man). */
void cb_explain_man(struct cb_str *out);

/* What follows from a change of such a key: "needs new disks". */
const char *cb_explain_change(enum cb_mutability mutability);

/* What stands in front of the paths of a scope when people speak of them: "vm.". */
const char *cb_explain_prefix(enum cb_scope scope);

/* Appends the tables of docs/manifest.md. */
void cb_explain_markdown(struct cb_str *out);

#endif
