/* What a guest is told, gathered from what is wanted of its VM. */
#include <stdlib.h>
#include <string.h>

#include "reconciler/guest/guest.h"
#include "reconciler/model/field.h"
#include "reconciler/model/owned.h"
#include "reconciler/reconcile/session_internal.h"

/* The texts of a list; one text is a list of one. */
#define GATHER(arena, spec, path, out)                                                             \
	do {                                                                                       \
		const char *text_ = cb_spec_string(spec, path);                                    \
		json_auto_t *list_ = text_ ? json_loads(text_, 0, NULL) : NULL;                    \
		json_t *item_;                                                                     \
		size_t i_;                                                                         \
                                                                                                   \
		json_array_foreach(list_, i_, item_)                                               \
			cb_vec_push(arena, out, cb_arena_strdup(arena, json_string_value(item_))); \
	} while (0)

static enum cb_guest_auth auth_of(const struct cb_spec *wanted)
{
	const char *method = cb_spec_string(wanted, "auth_method");

	if (method && strcmp(method, "password") == 0)
		return CB_GUEST_PASSWORD;
	if (method && strcmp(method, "one_time_password") == 0)
		return CB_GUEST_ONE_TIME_PASSWORD;
	return CB_GUEST_SSH_KEY;
}

/* The MAC that a NIC will have: the one that the definition sets, or has. */
static const char *mac_of(const struct cb_transaction *transaction, const struct cb_change *change,
			  const char *uuid, const char *path)
{
	cb_vec_each (const struct cb_step, step, &transaction->steps) {
		const char *mac = cb_spec_string(&step->set, path);
		const char *whose = cb_spec_string(&step->args, "uuid");

		if (mac && whose && strcmp(whose, uuid) == 0)
			return mac;
	}
	return change->domain ? cb_spec_string(&change->domain->document, path) : NULL;
}

static void add_nics(struct cb_arena *arena, const struct cb_transaction *transaction,
		     const struct cb_change *change, struct cb_guest *guest)
{
	cb_vec_each (const struct cb_entry, entry, &change->wanted) {
		const char *name = cb_field_element(arena, "nics", entry->path);
		struct cb_guest_nic nic = {.name = name};

		if (!name || !strstr(entry->path, "].name"))
			continue;
		nic.mac = mac_of(transaction, change, guest->uuid,
				 cb_arena_printf(arena, "nics[%s].mac", name));
		if (nic.mac)
			cb_vec_push(arena, &guest->nics, nic);
	}
}

static int by_place(const void *left, const void *right)
{
	const struct cb_guest_mount *a = left, *b = right;

	return strcmp(a->where, b->where);
}

/* In the order in which they can be mounted: none below one that comes later. */
static void add_mounts(struct cb_arena *arena, const struct cb_spec *wanted, struct cb_guest *guest)
{
	cb_vec_each (const struct cb_entry, entry, wanted) {
		const char *where = cb_field_element(arena, "paths", entry->path), *kind;
		struct cb_guest_mount mount = {.where = where};

		if (!where || strchr(entry->path, ']')[1])
			continue;
		kind = cb_spec_string(wanted, cb_arena_printf(arena, "%s.kind", entry->path));
		mount.tag = cb_owned_mount(arena, where);
		mount.share = kind && strcmp(kind, "9p") == 0 ? CB_GUEST_9P : CB_GUEST_VIRTIOFS;
		mount.readonly = cb_spec_bool(
			wanted, cb_arena_printf(arena, "%s.readonly", entry->path), false);
		cb_vec_push(arena, &guest->mounts, mount);
	}
	if (guest->mounts.len > 0)
		qsort(guest->mounts.items, guest->mounts.len, sizeof(*guest->mounts.items),
		      by_place);
}

static const struct cb_change *change_of(const struct cb_changes *changes, const char *vm)
{
	cb_vec_each (const struct cb_change, change, changes) {
		if (change->target == CB_TARGET_VM && strcmp(change->name, vm) == 0)
			return change;
	}
	return NULL;
}

/* Whose seed it is: in a group the step says so. */
static struct cb_member vm_of(const struct cb_transaction *transaction, const struct cb_step *step)
{
	const char *name = cb_spec_string(&step->args, "vm");

	cb_vec_each (const struct cb_member, member, &transaction->members) {
		if (name && member->target == CB_TARGET_VM && strcmp(member->name, name) == 0)
			return *member;
	}
	return (struct cb_member){CB_TARGET_VM, transaction->name, transaction->uuid,
				  transaction->action};
}

/* All that the guest is told. */
static struct cb_guest guest_of(struct cb_arena *arena, const struct cb_transaction *transaction,
				const struct cb_member *vm, const struct cb_change *change,
				const struct cb_step *step)
{
	const struct cb_spec *wanted = &change->wanted;
	struct cb_guest guest = {
		.name = vm->name,
		.uuid = vm->uuid,
		.generation = (unsigned)cb_spec_int(&step->args, "generation", 1),
		.hostname = cb_spec_string(wanted, "hostname"),
		.timezone = cb_spec_string(wanted, "timezone"),
		.username = cb_spec_string(wanted, "username"),
		.auth = auth_of(wanted),
		.password = cb_spec_string(wanted, "password"),
		.cloud_init = cb_spec_string(wanted, "cloud_init"),
	};

	if (cb_spec_string(wanted, "ssh_public_key"))
		cb_vec_push(arena, &guest.ssh_keys, cb_spec_string(wanted, "ssh_public_key"));
	GATHER(arena, wanted, "ssh_keys", &guest.ssh_keys);
	GATHER(arena, wanted, "packages", &guest.packages);
	GATHER(arena, wanted, "snap_packages", &guest.snap_packages);
	GATHER(arena, wanted, "services", &guest.services);
	GATHER(arena, wanted, "post_commands", &guest.post_commands);
	add_nics(arena, transaction, change, &guest);
	add_mounts(arena, wanted, &guest);
	return guest;
}

int cb_session_seed(void *ctx, const struct cb_transaction *transaction, const struct cb_step *step,
		    struct cb_str *out, struct cb_error *err)
{
	const struct cb_session *session = ctx;
	cb_auto_arena struct cb_arena arena = {0};
	const struct cb_member vm = vm_of(transaction, step);
	const struct cb_change *change = change_of(&session->planned->changes, vm.name);
	struct cb_guest_files files = {0};
	struct cb_guest guest;
	int r;

	CB_ASSERT(change);
	guest = guest_of(&arena, transaction, &vm, change, step);
	r = cb_guest_render(&guest, &files, err);
	if (r == 0)
		r = cb_guest_seed(&files, out, err);
	cb_guest_files_wipe(&files);
	return r;
}

void cb_session_check_seeds(struct cb_arena *arena, struct cb_planned *planned)
{
	cb_vec_each (const struct cb_transaction, transaction, &planned->plan.transactions) {
		cb_vec_each (const struct cb_step, step, &transaction->steps) {
			cb_auto_error struct cb_error err = {0};
			const struct cb_member vm = vm_of(transaction, step);
			const struct cb_change *change;
			struct cb_problem problem = {
				.severity = CB_PROBLEM, .check = "guest.seed", .target = vm.name};
			struct cb_guest guest;

			if (step->kind != CB_STEP_KIND_SEED_CREATE)
				continue;
			change = change_of(&planned->changes, vm.name);
			guest = guest_of(arena, transaction, &vm, change, step);
			if (cb_guest_check(&guest, &err) == 0)
				continue;
			problem.message = cb_arena_strdup(arena, err.message);
			problem.fix = err.hint ? cb_arena_strdup(arena, err.hint)
					       : "`clonebox explain` says what the key wants";
			problem.origin = change->vm->origin;
			cb_vec_push(arena, &planned->plan.problems, problem);
		}
	}
}
