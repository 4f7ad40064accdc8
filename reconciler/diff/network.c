/* Networks and pools: what the manifests say against what the host has. There is no last-applied:
 * libvirt keeps nothing of ours with them. */
#include <stdlib.h>
#include <string.h>

#include "reconciler/diff/diff_internal.h"
#include "reconciler/model/address.h"
#include "reconciler/model/owned.h"

static const struct cb_origin by_default = {.from = CB_FROM_DEFAULT};

/* Fields of networks and pools in the terms of the document (driver.h). */
static void want(struct cb_arena *a, struct cb_change *out, const char *path, const char *value,
		 const struct cb_origin *origin)
{
	cb_spec_set(a, &out->wanted, path, cb_string(value), origin ? *origin : by_default);
}

/* The manifest's network as a document: the host has the first address, and DHCP what is behind the
 * tenth unless the manifest says otherwise. */
static void document_of(struct cb_arena *a, const struct cb_declared *declared,
			struct cb_change *out)
{
	const struct cb_spec *spec = &declared->spec;
	const struct cb_entry *cidr = cb_spec_find(spec, "cidr");
	const struct cb_entry *start = cb_spec_find(spec, "dhcp.start");
	const struct cb_entry *end = cb_spec_find(spec, "dhcp.end");
	const struct cb_entry *mode = cb_spec_find(spec, "mode");
	const struct cb_entry *bridge = cb_spec_find(spec, "bridge");

	want(a, out, "mode", mode ? mode->value.string : "nat", mode ? &mode->origin : NULL);
	if (bridge)
		want(a, out, "bridge", bridge->value.string, &bridge->origin);
	if (cidr) {
		const char *text = cidr->value.string;
		int bits = (int)strtol(strchr(text, '/') + 1, NULL, 10);
		/* A network of few addresses has no tenth. */
		int first = bits > 28 ? 2 : 10;

		want(a, out, "cidr",
		     cb_arena_printf(a, "%s%s", cb_address_nth(a, text, 1), strchr(text, '/')),
		     &cidr->origin);
		want(a, out, "dhcp.start",
		     start ? start->value.string : cb_address_nth(a, text, first),
		     start ? &start->origin : NULL);
		want(a, out, "dhcp.end", end ? end->value.string : cb_address_nth(a, text, -2),
		     end ? &end->origin : NULL);
	}
	cb_spec_set(a, &out->wanted, "autostart", cb_bool(cb_spec_bool(spec, "autostart", true)),
		    cb_spec_find(spec, "autostart") ? cb_spec_find(spec, "autostart")->origin
						    : by_default);
}

static const struct cb_network *find(const struct cb_networks *networks, const char *name)
{
	cb_vec_each (const struct cb_network, network, networks) {
		if (strcmp(network->name, name) == 0)
			return network;
	}
	return NULL;
}

static void add_field(struct cb_arena *a, struct cb_change *out, const struct cb_entry *entry,
		      const struct cb_value *old, enum cb_decision decision)
{
	bool live = strcmp(entry->path, "autostart") == 0;
	struct cb_field_change field = {.path = entry->path,
					.old = *old,
					.new = entry->value,
					.decision = decision,
					.origin = entry->origin};

	if (out->network && out->network->active && !live) {
		field.cost = CB_COST_RESTART;
		field.staged = true;
	}
	if (field.cost > out->cost)
		out->cost = field.cost;
	cb_vec_push(a, &out->fields, field);
}

/* What was left to the default and is there already is not corrected. But the mode decides what
 * else may be said, and a range goes along with the addresses that it is of. */
static void compare_entry(struct cb_arena *a, struct cb_change *out, const struct cb_entry *entry,
			  bool moved)
{
	static const struct cb_value none;
	const struct cb_entry *now = cb_spec_find(&out->network->document, entry->path);
	bool derived = strcmp(entry->path, "mode") == 0 ||
		       (moved && strncmp(entry->path, "dhcp.", 5) == 0);

	if (now && entry->origin.from == CB_FROM_DEFAULT && !derived)
		return;
	if (!cb_diff_same(&entry->value, now ? &now->value : &none))
		add_field(a, out, entry, now ? &now->value : &none, CB_CASE_NETWORK_CHANGED);
}

/* What the network has and shall not have any more. */
static void compare_rest(struct cb_arena *a, struct cb_change *out)
{
	static const char *const paths[] = {"bridge", "cidr", "dhcp.end", "dhcp.start"};

	for (size_t i = 0; i < CB_COUNT(paths); i++) {
		const struct cb_entry *now = cb_spec_find(&out->network->document, paths[i]);
		const struct cb_entry gone = {paths[i], {0}, by_default};

		if (now && !cb_spec_find(&out->wanted, paths[i]))
			add_field(a, out, &gone, &now->value, CB_CASE_NETWORK_CHANGED);
	}
}

static void compare(struct cb_arena *a, struct cb_change *out)
{
	static const struct cb_value none;
	const char *wanted = cb_spec_string(&out->wanted, "cidr"), *now;

	if (!out->network) {
		cb_vec_each (const struct cb_entry, entry, &out->wanted)
			add_field(a, out, entry, &none, CB_CASE_NETWORK_CREATE);
		return;
	}
	now = cb_spec_string(&out->network->document, "cidr");
	cb_vec_each (const struct cb_entry, entry, &out->wanted)
		compare_entry(a, out, entry, wanted && (!now || strcmp(wanted, now) != 0));
	compare_rest(a, out);
}

static bool foreign(struct cb_arena *a, const char *owner, struct cb_change *out)
{
	if (strcmp(out->network->uuid, cb_owned_uuid(a, owner, "network", out->name)) == 0)
		return false;
	cb_diff_refuse(out, CB_CASE_NETWORK_FOREIGN,
		       cb_arena_printf(a,
				       "one of this name (%s) exists and was not made by clonebox "
				       "for this owner",
				       out->network->uuid),
		       "to use it as it is, leave it out of `networks`; else choose another name");
	return true;
}

void cb_diff_network(struct cb_arena *arena, const struct cb_declared *declared, const char *owner,
		     const struct cb_networks *networks, struct cb_change *out)
{
	*out = (struct cb_change){.target = CB_TARGET_NETWORK,
				  .name = declared->name,
				  .declared = declared,
				  .network = find(networks, declared->name)};
	if (out->network && foreign(arena, owner, out))
		return;
	document_of(arena, declared, out);
	compare(arena, out);
	if (!out->network) {
		out->action = CB_ACTION_CREATE;
		out->decision = CB_CASE_NETWORK_CREATE;
	} else if (out->fields.len > 0) {
		out->action = CB_ACTION_UPDATE;
		out->decision = CB_CASE_NETWORK_CHANGED;
	} else if (!out->network->active) {
		out->action = CB_ACTION_UPDATE;
		out->decision = CB_CASE_NETWORK_INACTIVE;
	} else {
		out->decision = CB_CASE_IN_SYNC;
	}
}

/* Whether a domain that does not go away is on it. One of ours in the trash has gone already: else
 * what a destroy comes to would depend on whether it was interrupted. */
static const char *user_of(const char *network, const struct cb_domains *domains,
			   const struct cb_changes *vms)
{
	cb_vec_each (const struct cb_domain, domain, domains) {
		bool on = false, goes = false;

		cb_vec_each (const char *const, name, &domain->networks)
			on = on || strcmp(*name, network) == 0;
		if (!on || (domain->ownership == CB_OURS && cb_stamp_is_trash(domain->stamp)))
			continue;
		cb_vec_each (const struct cb_change, change, vms)
			goes = goes || (change->domain == domain && !change->refusal &&
					change->action == CB_ACTION_DELETE);
		if (!goes)
			return domain->name;
	}
	return NULL;
}

void cb_diff_network_absent(struct cb_arena *arena, const struct cb_declared *declared,
			    const char *owner, const struct cb_networks *networks,
			    const struct cb_domains *domains, const struct cb_changes *vms,
			    struct cb_change *out)
{
	*out = (struct cb_change){.target = CB_TARGET_NETWORK,
				  .name = declared->name,
				  .declared = declared,
				  .decision = CB_CASE_ALREADY_ABSENT,
				  .network = find(networks, declared->name)};
	if (!out->network)
		return;
	/* Somebody else's stays, and so does one that somebody else is on: both harm nobody. */
	if (strcmp(out->network->uuid, cb_owned_uuid(arena, owner, "network", out->name)) != 0) {
		out->decision = CB_CASE_NETWORK_FOREIGN;
		return;
	}
	if (user_of(out->name, domains, vms)) {
		out->decision = CB_CASE_NETWORK_IN_USE;
		return;
	}
	out->action = CB_ACTION_DELETE;
	out->decision = CB_CASE_NETWORK_DELETE;
}

void cb_diff_pool(struct cb_arena *arena, const struct cb_declared *declared,
		  const struct cb_pool *pool, struct cb_change *out)
{
	static const struct cb_value none;
	const struct cb_entry *path = cb_spec_find(&declared->spec, "path");

	*out = (struct cb_change){.target = CB_TARGET_POOL,
				  .name = declared->name,
				  .declared = declared,
				  .pool = pool,
				  .wanted = declared->spec};
	if (pool &&
	    (strcmp(pool->type, "dir") != 0 || strcmp(pool->path, path->value.string) != 0)) {
		cb_diff_refuse(out, CB_CASE_POOL_ELSEWHERE,
			       cb_arena_printf(arena,
					       "one of this name exists, of type '%s' at '%s'",
					       pool->type, pool->path),
			       "choose another name, or give the path that it has");
		return;
	}
	/* A pool is a room, not a belonging: one that is there already serves as well. */
	out->decision = CB_CASE_IN_SYNC;
	if (pool && pool->active)
		return;
	out->action = pool ? CB_ACTION_UPDATE : CB_ACTION_CREATE;
	out->decision = CB_CASE_POOL_CREATE;
	if (pool)
		return;
	cb_vec_push(arena, &out->fields,
		    ((struct cb_field_change){.path = "path",
					      .old = none,
					      .new = path->value,
					      .decision = CB_CASE_POOL_CREATE,
					      .origin = path->origin}));
}
