/*
 * saved.h: plans in files, for `plan --out` and `apply --plan`.
 *
 * A file holds the plan as JSON, where its manifests are, and the words that it was made with. It
 * is carried out by planning again from the same manifests: only the same plan, on a host that is
 * as it was, is applied. Secrets never stand in it.
 */
#ifndef CB_CMD_SAVED_H
#define CB_CMD_SAVED_H

#include "cmd/clonebox/lanes.h"

struct cb_saved;

/* Writes cli->out. Returns 0 or an exit code. */
int cb_saved_write(const struct cb_cli *cli, const struct cb_lanes *lanes);

/* Reads cli->plan; `effective` gets the words that it was made with. Returns 0 or an exit code. */
int cb_saved_read(const struct cb_cli *cli, struct cb_cli *effective, struct cb_saved **out);

/* Whether what was planned now is what stands in the file; where it is not, says how they differ.
 * Returns 0 or an exit code. */
int cb_saved_check(const struct cb_cli *effective, const struct cb_lanes *lanes);

/* NULL is fine. */
void cb_saved_free(struct cb_saved *saved);

#endif
