/*
 * diff.h: (desired, observed, last-applied) to changes. Pure.
 *
 * One three-way merge over the rows of fields.def serves every field; docs/decisions.md numbers the
 * cases and the code names them.
 */
#ifndef CB_DIFF_DIFF_H
#define CB_DIFF_DIFF_H

#include "reconciler/model/change.h"

/* The numbers of docs/decisions.md. */
enum cb_decision {
	CB_CASE_CREATE = 1,
	CB_CASE_IN_SYNC = 2,
	CB_CASE_CHANGED = 3,
	CB_CASE_DRIFT = 4,
	CB_CASE_CHANGED_AND_DRIFT = 5,
	CB_CASE_RECORD = 6,
	CB_CASE_REMOVED = 7,
	CB_CASE_DEFAULT_LEFT = 8,
	CB_CASE_UNMANAGED = 9,
	CB_CASE_IMMUTABLE_CHANGED = 10,
	CB_CASE_IMMUTABLE_DRIFT = 11,
	CB_CASE_DEVICE_ADDED = 12,
	CB_CASE_DEVICE_REMOVED = 13,
	CB_CASE_DEVICE_DRIFT = 14,
	CB_CASE_GUEST_CHANGED = 15,
	CB_CASE_RECREATE = 16,
	CB_CASE_FOREIGN = 20,
	CB_CASE_COPIED_STAMP = 21,
	CB_CASE_OTHER_OWNER = 22,
	CB_CASE_OTHER_SOURCE = 23,
	CB_CASE_TRANSIENT = 24,
	CB_CASE_UNREADABLE_STAMP = 25,
	CB_CASE_RENAMED = 26,
	CB_CASE_UNFINISHED = 27,
	CB_CASE_OTHER_INSTALLATION = 28,
	CB_CASE_NEVER_USED = 29,
	CB_CASE_START = 30,
	CB_CASE_STOP = 31,
	CB_CASE_PENDING_RESTART = 32,
	CB_CASE_STRAY = 33,
	CB_CASE_DELETE = 40,
	CB_CASE_ALREADY_ABSENT = 41,
	CB_CASE_PROTECTED = 42,
	CB_CASE_TRASH_RESTORE = 43,
	CB_CASE_TRASH_NAME_TAKEN = 44,
	CB_CASE_TRASH_DUE = 45,
	CB_CASE_NETWORK_CREATE = 50,
	CB_CASE_NETWORK_CHANGED = 51,
	CB_CASE_NETWORK_INACTIVE = 52,
	CB_CASE_NETWORK_FOREIGN = 53,
	CB_CASE_NETWORK_DELETE = 54,
	CB_CASE_NETWORK_IN_USE = 55,
	CB_CASE_POOL_CREATE = 60,
	CB_CASE_POOL_ELSEWHERE = 61,
};

/* What `auto` means on this host, and what the caller allows. */
struct cb_diff_context {
	bool kvm;
	bool virtiofs;
	bool default_network; /* is active */
	bool restart;         /* running VMs may be restarted for what is staged */
	bool recreate;        /* new root disks may be made where a change needs that */
	bool take_over;       /* manage what another source with the same owner made */
	/* For what is said of another source: our own id, and which of those that we applied from
	 * are not there any more. */
	const char *controller;
	CB_VEC(const char *) gone;
};

/* The domain that stands for the VM of this name: the one whose stamp says so, else the one that
 * bears the name; NULL if there is none. */
const struct cb_domain *cb_diff_match(const struct cb_domains *domains, const char *name);

/* Whether the running machine differs from its definition: what was staged acts at the next start.
 */
bool cb_diff_pending_restart(const struct cb_domain *domain);

/* How one VM gets to what the manifest says. */
void cb_diff_vm(struct cb_arena *arena, const struct cb_vm *vm, const struct cb_domains *domains,
		const struct cb_diff_context *context, struct cb_change *out);

/* How the VM of this name goes away. `vm` may be NULL: it is not in a manifest. */
void cb_diff_absent(struct cb_arena *arena, const char *name, const struct cb_vm *vm,
		    const struct cb_domains *domains, const struct cb_diff_context *context,
		    struct cb_change *out);

/* How a VM comes back from the trash, `domain` being its tombstone. */
void cb_diff_restore(struct cb_arena *arena, const struct cb_domain *domain,
		     const struct cb_domains *domains, struct cb_change *out);

/* How a tombstone goes for good. `due`: because its time is over. */
void cb_diff_purge(const struct cb_domain *domain, bool due, struct cb_change *out);

/* How a VM that another installation's stamp stands on becomes this one's; `discard`: it goes,
 * instead: nobody has ever used it. */
void cb_diff_hand_over(struct cb_arena *arena, const struct cb_domain *domain,
		       const struct cb_domains *domains, bool discard, struct cb_change *out);

/* Whether a run was taking it to the trash, or back, and came only halfway: its name and its stamp
 * do not agree. */
bool cb_diff_between_names(const struct cb_domain *domain);

/* Networks and pools of the manifests. `owner` makes the UUID that tells whether one is ours. */
void cb_diff_network(struct cb_arena *arena, const struct cb_declared *declared, const char *owner,
		     const struct cb_networks *networks, struct cb_change *out);

/* How a network of ours goes; `vms` are the changes of VMs that come with it: one that somebody
 * else is on stays. */
void cb_diff_network_absent(struct cb_arena *arena, const struct cb_declared *declared,
			    const char *owner, const struct cb_networks *networks,
			    const struct cb_domains *domains, const struct cb_changes *vms,
			    struct cb_change *out);

/* `pool`: what is there under this name, or NULL. */
void cb_diff_pool(struct cb_arena *arena, const struct cb_declared *declared,
		  const struct cb_pool *pool, struct cb_change *out);

#endif
