/*
 * lanes.h: one lane per host that the manifests are about. Lanes run at the same time and fail
 * alone: a host that does not answer delays nobody.
 */
#ifndef CB_CMD_LANES_H
#define CB_CMD_LANES_H

#include "cmd/clonebox/ui.h"

struct cb_lane {
	const char *name;          /* in `hosts:`; "" for the only one, or the default one */
	const char *uri;           /* NULL: what the environment or libvirt says */
	struct cb_desired desired; /* what is this host's */
	const char **names;        /* selected; none: all */
	size_t n_names;
	struct cb_arena arena;
	struct cb_session *session;
	struct cb_request request;
	struct cb_planned planned;
	struct cb_addresses *addresses; /* of planned.observed.domains, for `status` */
	struct cb_results settled, results;
	struct cb_error err; /* why it came to an end, with `code` */
	int code;            /* exit code; 0 while all is well */
};

struct cb_lanes {
	struct cb_lane *items;
	size_t len, cap;
};

/* Divides the desired state by host, and the selection (names and labels of the command line) with
 * it. `destroy`: names need not be in the manifests. Lives in the arena. */
CB_CHECKED int cb_lanes_divide(struct cb_arena *arena, const struct cb_cli *cli,
			       const struct cb_desired *desired, bool destroy, struct cb_lanes *out,
			       struct cb_error *err);

/* Leaves only the VMs that the command line selects, for what needs no host. */
CB_CHECKED int cb_lanes_narrow(struct cb_arena *arena, const struct cb_cli *cli,
			       struct cb_desired *desired, struct cb_error *err);

/* Runs it for every lane that is well, at the same time where there are several. */
void cb_lanes_each(const struct cb_cli *cli, struct cb_lanes *lanes,
		   void (*work)(const struct cb_cli *cli, struct cb_lane *lane));

/* Opens the lane's session; for cb_lanes_each. */
void cb_lane_open(const struct cb_cli *cli, struct cb_lane *lane);

/* The hosts of the manifests, where there are any, else the one that the command line or the
 * environment says; each is opened and observed. Returns an exit code, 0 also where lanes are not
 * well. */
int cb_lanes_look(const struct cb_cli *cli, struct cb_arena *arena, struct cb_lanes *out);

/* Ends the lane with this error, unless it has ended already. */
void cb_lane_fail(struct cb_lane *lane, struct cb_error *err);

/* Says why lanes have ended. Returns the exit code for that; 0 if none has. */
int cb_lanes_report(const struct cb_lanes *lanes);

void cb_lanes_release(struct cb_lanes *lanes);

#endif
