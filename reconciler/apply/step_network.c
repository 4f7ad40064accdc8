/*
 * network.define {uuid, name} set       network.update {uuid, fingerprint} set
 * network.autostart {uuid, on}          network.start {uuid}
 * network.remove {uuid, fingerprint, active, autostart}
 * network.host {network, mac, name, ip?, old?}    the address that DHCP keeps for a NIC
 *
 * A network of ours is known by its UUID, which follows from owner and name.
 */
#include <string.h>

#include "reconciler/apply/step.h"

static const struct cb_driver_ops *ops_of(const struct cb_run *run)
{
	return run->driver->ops;
}

/* The network of the step by its name; *found also says whether it is the step's. */
static int look(struct cb_run *run, struct cb_arena *arena, const struct cb_step *step, bool *found,
		struct cb_network *out, struct cb_error *err)
{
	int r = ops_of(run)->network(run->driver, arena, step->target, out, err);

	*found = r == 0;
	if (r == -CB_E_NOT_FOUND) {
		cb_error_release(err);
		return 0;
	}
	return r;
}

static bool ours(const struct cb_step *step, const struct cb_network *network)
{
	return strcmp(network->uuid, cb_step_arg(step, "uuid")) == 0;
}

/* Whether the document says what the step sets. */
static bool says(const struct cb_step *step, const struct cb_network *network)
{
	cb_vec_each (const struct cb_entry, entry, &step->set) {
		const struct cb_entry *now = cb_spec_find(&network->document, entry->path);

		if (now ? !cb_value_equal(&now->value, &entry->value)
			: entry->value.kind != CB_NONE)
			return false;
	}
	return true;
}

static int define_probe(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
			struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_network network;
	bool found;
	int r = look(run, &arena, step, &found, &network, err);

	if (r < 0)
		return r;
	*out = !found ? CB_PROBE_ABSENT : ours(step, &network) ? CB_PROBE_DONE : CB_PROBE_FOREIGN;
	return 0;
}

static int define(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	const struct cb_network_new network = {.uuid = cb_step_arg(step, "uuid"),
					       .name = cb_step_arg(step, "name"),
					       .set = &step->set};

	return ops_of(run)->network_define(run->driver, &network, err);
}

static int remove_network(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	const char *uuid = cb_step_arg(step, "uuid");
	int r = ops_of(run)->network_stop(run->driver, uuid, err);

	if (r == 0)
		r = ops_of(run)->network_undefine(run->driver, uuid, err);
	if (r != -CB_E_NOT_FOUND)
		return r;
	cb_error_release(err);
	return 0;
}

static int save_document(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	struct cb_str document = {0};
	int r = ops_of(run)->network_document(run->driver, cb_step_arg(step, "uuid"), &document,
					      err);

	if (r == 0)
		r = cb_journal_save(run->journal, step->n, cb_str_text(&document), document.len,
				    err);
	cb_str_release(&document);
	return r;
}

static int restore_document(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	struct cb_str document = {0};
	int r = cb_journal_load(run->journal, step->n, &document, err);

	if (r == 0)
		r = ops_of(run)->network_restore(run->driver, cb_str_text(&document), err);
	cb_str_release(&document);
	return r;
}

static int update_probe(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
			struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_network network;
	bool found;
	int r = look(run, &arena, step, &found, &network, err);

	if (r < 0)
		return r;
	if (found && ours(step, &network) && says(step, &network))
		*out = CB_PROBE_DONE;
	else if (found && ours(step, &network) &&
		 strcmp(network.fingerprint, cb_step_arg(step, "fingerprint")) == 0)
		*out = CB_PROBE_ABSENT;
	else
		*out = CB_PROBE_FOREIGN;
	return 0;
}

static int update(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	const struct cb_network_edit edit = {.uuid = cb_step_arg(step, "uuid"),
					     .fingerprint = cb_step_arg(step, "fingerprint"),
					     .set = &step->set};

	return ops_of(run)->network_update(run->driver, &edit, err);
}

static bool made_here(const struct cb_run *run, const struct cb_step *step)
{
	cb_vec_each (const struct cb_step, other, &run->transaction->steps) {
		if (other->kind == CB_STEP_KIND_NETWORK_DEFINE &&
		    strcmp(other->target, step->target) == 0)
			return true;
	}
	return false;
}

/* A machine that somebody has put on it meanwhile would lose its connection: then it stays, as it
 * is. Those of this transaction are not on it any more. Where it was there before, only one that
 * runs counts. */
static int stays(struct cb_run *run, const struct cb_step *step, bool *out, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_domains domains = {0};
	bool made = made_here(run, step);
	int r = ops_of(run)->domains(run->driver, &arena, &domains, err);

	*out = false;
	if (r < 0)
		return r;
	cb_vec_each (const struct cb_domain, domain, &domains) {
		cb_vec_each (const char *const, name, &domain->networks)
			*out = *out ||
			       ((made || domain->active) && strcmp(*name, step->target) == 0);
		if (!*out)
			continue;
		cb_run_tell(run, CB_EVENT_KEPT, step,
			    cb_arena_printf(&arena, "'%s' is on it", domain->name));
		return 0;
	}
	return 0;
}

static int undo_define(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	bool kept;
	int r = stays(run, step, &kept, err);

	return r < 0 || kept ? r : remove_network(run, step, err);
}

static int autostart_probe(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
			   struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_network network;
	bool found;
	int r = look(run, &arena, step, &found, &network, err);

	*out = r == 0 && found && network.autostart == cb_spec_bool(&step->args, "on", false)
		       ? CB_PROBE_DONE
		       : CB_PROBE_ABSENT;
	return r;
}

static int autostart(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	return ops_of(run)->network_autostart(run->driver, cb_step_arg(step, "uuid"),
					      cb_spec_bool(&step->args, "on", false), err);
}

static int undo_autostart(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	bool kept = false;
	int r = made_here(run, step) ? stays(run, step, &kept, err) : 0;

	return r < 0 || kept
		       ? r
		       : ops_of(run)->network_autostart(run->driver, cb_step_arg(step, "uuid"),
							!cb_spec_bool(&step->args, "on", false),
							err);
}

static int start_probe(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
		       struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_network network;
	bool found;
	int r = look(run, &arena, step, &found, &network, err);

	*out = r == 0 && found && network.active ? CB_PROBE_DONE : CB_PROBE_ABSENT;
	return r;
}

static int start(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	return ops_of(run)->network_start(run->driver, cb_step_arg(step, "uuid"), err);
}

static int undo_start(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	bool kept;
	int r = stays(run, step, &kept, err);

	return r < 0 || kept
		       ? r
		       : ops_of(run)->network_stop(run->driver, cb_step_arg(step, "uuid"), err);
}

static int remove_probe(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
			struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_network network;
	bool found;
	int r = look(run, &arena, step, &found, &network, err);

	if (r < 0)
		return r;
	if (!found || !ours(step, &network))
		*out = CB_PROBE_DONE;
	else if (!network.active && cb_spec_bool(&step->args, "active", false))
		*out = CB_PROBE_PARTIAL;
	else
		*out = CB_PROBE_ABSENT;
	return 0;
}

static int undo_remove(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	const char *uuid = cb_step_arg(step, "uuid");
	int r = restore_document(run, step, err);

	if (r == 0 && cb_spec_bool(&step->args, "autostart", false))
		r = ops_of(run)->network_autostart(run->driver, uuid, true, err);
	if (r == 0 && cb_spec_bool(&step->args, "active", false))
		r = ops_of(run)->network_start(run->driver, uuid, err);
	return r;
}

/* Addresses. ----------------------------------------------------------------------------------- */

static const char *host_path(struct cb_arena *arena, const struct cb_step *step, const char *key)
{
	return cb_arena_printf(arena, "hosts[%s].%s", cb_step_arg(step, "mac"), key);
}

static int look_host(struct cb_run *run, struct cb_arena *arena, const struct cb_step *step,
		     bool *found, struct cb_network *out, struct cb_error *err)
{
	int r = ops_of(run)->network(run->driver, arena, cb_step_arg(step, "network"), out, err);

	*found = r == 0;
	if (r == -CB_E_NOT_FOUND) {
		cb_error_release(err);
		return 0;
	}
	return r;
}

static bool same_address(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Whether the running network, too, keeps the address. One that was started without addresses has
 * nobody who would give them out. */
static bool kept_now(const struct cb_network *network, const char *path, const char *want)
{
	if (!network->active || !cb_spec_string(&network->live, "cidr"))
		return true;
	return same_address(cb_spec_string(&network->live, path), want);
}

/* It is one of two addresses, in the definition and with the running network; libvirt replaces
 * none: the old one goes, the new one comes, first there, then here, and the way back is the same.
 */
static int host_probe(struct cb_run *run, const struct cb_step *step, enum cb_probe *out,
		      struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *want = cb_spec_string(&step->args, "ip"), *path, *now = NULL;
	const char *old = cb_spec_string(&step->args, "old");
	struct cb_network network;
	bool found;
	int r = look_host(run, &arena, step, &found, &network, err);

	if (r < 0)
		return r;
	if (!found) {
		*out = want ? CB_PROBE_ABSENT : CB_PROBE_DONE;
		return 0;
	}
	path = host_path(&arena, step, "ip");
	now = cb_spec_string(&network.document, path);
	if (same_address(now, want))
		*out = kept_now(&network, path, want) ? CB_PROBE_DONE : CB_PROBE_PARTIAL;
	else if (same_address(now, old))
		*out = kept_now(&network, path, old) ? CB_PROBE_ABSENT : CB_PROBE_PARTIAL;
	else
		*out = now ? CB_PROBE_ABSENT : CB_PROBE_PARTIAL;
	return 0;
}

/* libvirt keeps no two hosts of one name: a second NIC's goes without. */
static bool has_name(const struct cb_network *network, struct cb_arena *arena,
		     const struct cb_step *step)
{
	const char *own = host_path(arena, step, "name"), *name = cb_step_arg(step, "name");

	cb_vec_each (const struct cb_entry, entry, &network->document) {
		if (strncmp(entry->path, "hosts[", strlen("hosts[")) == 0 &&
		    strstr(entry->path, "].name") && strcmp(entry->path, own) != 0 &&
		    entry->value.kind == CB_STRING && strcmp(entry->value.string, name) == 0)
			return true;
	}
	return false;
}

static int set_host(struct cb_run *run, const struct cb_step *step, const char *ip,
		    struct cb_error *err)
{
	static const struct cb_origin derived = {.from = CB_FROM_DEFAULT};
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_network network;
	struct cb_spec set = {0};
	bool found;
	int r = look_host(run, &arena, step, &found, &network, err);

	/* A network that is gone keeps no addresses. */
	if (r == 0 && !found && !ip)
		return 0;
	if (r == 0 && !found)
		return cb_error_set(err, CB_E_CONFLICT, "network '%s' is gone",
				    cb_step_arg(step, "network"));
	if (r < 0)
		return r;
	cb_spec_set(&arena, &set, host_path(&arena, step, "ip"), cb_string(ip), derived);
	if (ip && !has_name(&network, &arena, step))
		cb_spec_set(&arena, &set, host_path(&arena, step, "name"),
			    cb_string(cb_step_arg(step, "name")), derived);
	return ops_of(run)->network_update(
		run->driver,
		&(struct cb_network_edit){.uuid = network.uuid, .fingerprint = NULL, .set = &set},
		err);
}

static int host(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	return set_host(run, step, cb_spec_string(&step->args, "ip"), err);
}

static int undo_host(struct cb_run *run, const struct cb_step *step, struct cb_error *err)
{
	return set_host(run, step, cb_spec_string(&step->args, "old"), err);
}

const struct cb_step_ops cb_step_NETWORK_DEFINE = {
	.probe = define_probe, .perform = define, .undo = undo_define};
const struct cb_step_ops cb_step_NETWORK_UPDATE = {.probe = update_probe,
						   .prepare = save_document,
						   .perform = update,
						   .undo = restore_document};
const struct cb_step_ops cb_step_NETWORK_AUTOSTART = {
	.probe = autostart_probe, .perform = autostart, .undo = undo_autostart};
const struct cb_step_ops cb_step_NETWORK_START = {
	.probe = start_probe, .perform = start, .undo = undo_start};
const struct cb_step_ops cb_step_NETWORK_REMOVE = {.undone_in_parts = true,
						   .probe = remove_probe,
						   .prepare = save_document,
						   .perform = remove_network,
						   .undo = undo_remove};
const struct cb_step_ops cb_step_NETWORK_HOST = {
	.probe = host_probe, .perform = host, .undo = undo_host};
