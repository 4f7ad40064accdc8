/* Disks and NICs: the manifest's fields in the words of the document. */
#include <jansson.h>
#include <string.h>

#include "reconciler/base/error.h"
#include "reconciler/base/str.h"
#include "reconciler/model/address.h"
#include "reconciler/model/field.h"
#include "reconciler/model/owned.h"
#include "reconciler/plan/plan_internal.h"

static const struct cb_origin derived = {.from = CB_FROM_DEFAULT};
static const struct cb_value nothing = {0};

static void set_of(struct cb_builder *builder, struct cb_spec *set, const char *list,
		   const char *element, const char *key, struct cb_value value)
{
	cb_spec_set(builder->arena, set,
		    cb_arena_printf(builder->arena, "%s[%s].%s", list, element, key), value,
		    derived);
}

/* ["tcp:2222:22", "udp:53:53"] is "tcp:2222:22 udp:53:53" there. */
static struct cb_value as_words(struct cb_arena *arena, const struct cb_value *value)
{
	cb_auto_str struct cb_str out = {0};
	json_auto_t *list = NULL;
	json_t *item;
	size_t i;

	if (value->kind != CB_STRING)
		return nothing;
	list = json_loads(value->string, 0, NULL);
	json_array_foreach(list, i, item)
		cb_str_printf(&out, "%s%s", i ? " " : "", json_string_value(item));
	return cb_string(cb_arena_strdup(arena, cb_str_text(&out)));
}

static void nic_field(struct cb_builder *builder, struct cb_spec *set, const char *nic,
		      const char *key, struct cb_value value)
{
	bool on = value.kind == CB_STRING || (value.kind == CB_BOOL && value.boolean);

	if (strcmp(key, "name") == 0) {
		if (value.kind == CB_NONE)
			set_of(builder, set, "nics", nic, "type", nothing);
	} else if (strcmp(key, "network") == 0 || strcmp(key, "bridge") == 0) {
		if (!on)
			return;
		set_of(builder, set, "nics", nic, "type", cb_string(key));
		set_of(builder, set, "nics", nic, "source", value);
		if (strcmp(key, "network") == 0)
			cb_builder_after_made(builder, CB_TARGET_NETWORK, value.string);
	} else if (strcmp(key, "user") == 0) {
		if (on)
			set_of(builder, set, "nics", nic, "type", cb_string("user"));
	} else if (strcmp(key, "mac") == 0 && value.kind == CB_NONE) {
		set_of(builder, set, "nics", nic, key,
		       cb_string(cb_owned_mac(builder->arena, builder->transaction.uuid, nic)));
	} else if (strcmp(key, "forwards") == 0) {
		set_of(builder, set, "nics", nic, key, as_words(builder->arena, &value));
	} else if (strcmp(key, "ip") != 0) {
		set_of(builder, set, "nics", nic, key, value);
	}
}

/* A directory that is shared: all of it, whatever changes, for what each part means is for the kind
 * to say. */
static void mount_field(struct cb_builder *builder, struct cb_spec *set, const char *guest)
{
	const struct cb_spec *wanted = &builder->change->wanted;
	const char *path = cb_arena_printf(builder->arena, "paths[%s]", guest);
	const char *mount = cb_owned_mount(builder->arena, guest);
	const char *kind = cb_spec_string(wanted, cb_arena_printf(builder->arena, "%s.kind", path));
	bool readonly =
		cb_spec_bool(wanted, cb_arena_printf(builder->arena, "%s.readonly", path), false);

	set_of(builder, set, "mounts", mount, "source", cb_string(cb_spec_string(wanted, path)));
	if (!cb_spec_string(wanted, path))
		return;
	set_of(builder, set, "mounts", mount, "kind", cb_string(kind));
	set_of(builder, set, "mounts", mount, "readonly",
	       cb_bool(readonly && kind && strcmp(kind, "9p") == 0));
}

/* Size, pool, image and what becomes of it are the volume's. */
static void disk_field(struct cb_builder *builder, struct cb_spec *set, const char *disk,
		       const char *key, struct cb_value value)
{
	static const char *const in_document[] = {"bus", "cache", "serial", "readonly",
						  "shareable"};

	if (strcmp(key, "name") == 0 && value.kind == CB_NONE)
		set_of(builder, set, "disks", disk, "source", nothing);
	for (size_t i = 0; i < CB_COUNT(in_document); i++) {
		if (strcmp(key, in_document[i]) == 0)
			set_of(builder, set, "disks", disk, key, value);
	}
}

/* Fields that make volumes or steps of their own, or are nobody's but the stamp's. */
static bool elsewhere(const char *path)
{
	static const char *const paths[] = {"disk_size_gb", "base_image", "pool",
					    "autostart",    "state",      "boot.kernel",
					    "boot.initrd"};
	const struct cb_field *field = cb_field_find(CB_SCOPE_VM, path);

	for (size_t i = 0; i < CB_COUNT(paths); i++) {
		if (strcmp(paths[i], path) == 0)
			return true;
	}
	return !field || field->mutability == CB_MUT_RECORD || field->mutability == CB_MUT_SEED ||
	       field->mutability == CB_MUT_LOAD;
}

void cb_builder_field(struct cb_builder *builder, struct cb_spec *set, const char *path,
		      struct cb_value value)
{
	const char *key = strstr(path, "].");
	const char *nic = cb_field_element(builder->arena, "nics", path);
	const char *disk = cb_field_element(builder->arena, "disks", path);
	const char *guest = cb_field_element(builder->arena, "paths", path);

	if (elsewhere(path))
		return;
	if (value.kind == CB_STRING && value.string[0] == '\0')
		value = nothing;
	if (nic && key)
		nic_field(builder, set, nic, key + 2, value);
	else if (guest)
		mount_field(builder, set, guest);
	else if (disk && key)
		disk_field(builder, set, disk, key + 2, value);
	else
		cb_spec_set(builder->arena, set, path, value, derived);
}

static const struct cb_network *network_of(const struct cb_builder *builder, const char *name)
{
	cb_vec_each (const struct cb_network, network, builder->input->networks) {
		if (strcmp(network->name, name) == 0)
			return network;
	}
	return NULL;
}

/* Whether the address is one of the network's as the plan makes it. */
static bool still_inside(const struct cb_builder *builder, const char *network, const char *ip)
{
	cb_vec_each (const struct cb_change, change, builder->input->changes) {
		const char *cidr;

		if (change->target != CB_TARGET_NETWORK || strcmp(change->name, network) != 0 ||
		    change->action == CB_ACTION_DELETE)
			continue;
		cidr = cb_spec_string(&change->wanted, "cidr");
		return cidr && cb_address_in(cidr, ip);
	}
	return true;
}

static void host_step(struct cb_builder *builder, const char *network, const char *mac,
		      const char *ip)
{
	const struct cb_network *there = network_of(builder, network);
	const char *path = cb_arena_printf(builder->arena, "hosts[%s].ip", mac);
	const char *old = there ? cb_spec_string(&there->document, path) : NULL;
	struct cb_step *step;

	if (old && ip && strcmp(old, ip) == 0)
		return;
	step = cb_builder_step(builder, CB_STEP_KIND_NETWORK_HOST, builder->change->name);
	cb_builder_after_made(builder, CB_TARGET_NETWORK, network);
	/* One that the network cannot keep any more is not brought back. */
	if (old && !still_inside(builder, network, old))
		old = NULL;
	cb_builder_arg(builder, step, "network", cb_string(network));
	cb_builder_arg(builder, step, "mac", cb_string(mac));
	cb_builder_arg(builder, step, "name", cb_string(builder->change->name));
	if (ip)
		cb_builder_arg(builder, step, "ip", cb_string(ip));
	if (old)
		cb_builder_arg(builder, step, "old", cb_string(old));
}

/* The address that the NIC has: said, as it is, or derived. */
static const char *mac_of(struct cb_builder *builder, const struct cb_spec *set, const char *nic)
{
	const char *path = cb_arena_printf(builder->arena, "nics[%s].mac", nic);
	const char *mac = cb_spec_string(set, path);

	if (!mac && builder->change->domain)
		mac = cb_spec_string(&builder->change->domain->document, path);
	return mac ? mac : cb_owned_mac(builder->arena, builder->transaction.uuid, nic);
}

/* An address that a network keeps for a NIC. */
struct kept {
	const char *network, *mac, *ip;
};

static const char *of_nic(struct cb_builder *builder, const struct cb_spec *spec, const char *nic,
			  const char *key)
{
	return cb_spec_string(spec, cb_arena_printf(builder->arena, "nics[%s].%s", nic, key));
}

static struct kept kept_of(struct cb_builder *builder, const struct cb_spec *spec, const char *nic)
{
	return (struct kept){of_nic(builder, spec, nic, "network"),
			     of_nic(builder, spec, nic, "mac"), of_nic(builder, spec, nic, "ip")};
}

static bool is_kept(const struct kept *kept)
{
	return kept->network && kept->mac && kept->ip;
}

/* Whether what is kept for the NIC was asked for, or the NIC goes: else it is a person's. */
static bool releases(struct cb_builder *builder, const char *nic)
{
	return of_nic(builder, &builder->change->domain->stamp->applied, nic, "ip") ||
	       !of_nic(builder, &builder->change->wanted, nic, "name");
}

/* What `ip:` wants of the networks, for a NIC that changes: it may be on another network or have
 * another MAC as well. */
static void address(struct cb_builder *builder, const struct cb_spec *set, const char *nic)
{
	const struct cb_change *change = builder->change;
	struct kept new = kept_of(builder, &change->wanted, nic), old = {0};
	bool same;

	new.mac = mac_of(builder, set, nic);
	if (change->domain)
		old = kept_of(builder, &change->domain->document, nic);
	same = is_kept(&old) && is_kept(&new) && strcmp(old.network, new.network) == 0 &&
	       strcmp(old.mac, new.mac) == 0;
	if (same && strcmp(old.ip, new.ip) == 0)
		return;
	if (is_kept(&old) && !same && releases(builder, nic))
		host_step(builder, old.network, old.mac, NULL);
	if (is_kept(&new))
		host_step(builder, new.network, new.mac, new.ip);
}

/* The fields of one NIC stand together. */
static void addresses(struct cb_builder *builder, const struct cb_spec *set)
{
	const char *last = "";

	cb_vec_each (const struct cb_field_change, field, &builder->change->fields) {
		const char *nic = cb_field_element(builder->arena, "nics", field->path);

		if (!nic || strcmp(nic, last) == 0)
			continue;
		last = nic;
		address(builder, set, nic);
	}
}

void cb_builder_nics(struct cb_builder *builder, struct cb_spec *set)
{
	const struct cb_domain *domain = builder->change->domain;
	const char *mode = cb_spec_string(set, "network_mode");
	struct cb_spec macs = {0};

	cb_vec_each (const struct cb_entry, entry, set) {
		const char *nic = cb_field_element(builder->arena, "nics", entry->path);
		const char *path;

		if (!nic || !strstr(entry->path, "].type") || entry->value.kind != CB_STRING)
			continue;
		path = cb_arena_printf(builder->arena, "nics[%s].mac", nic);
		/* One that is there already keeps what it has. */
		if (!cb_spec_find(set, path) && !(domain && cb_spec_find(&domain->document, path)))
			cb_spec_set(builder->arena, &macs, path,
				    cb_string(mac_of(builder, set, nic)), derived);
	}
	if (mode && strcmp(mode, "none") != 0)
		cb_spec_set(
			builder->arena, &macs, "nics[nic0].mac",
			cb_string(cb_owned_mac(builder->arena, builder->transaction.uuid, "nic0")),
			derived);
	cb_vec_each (const struct cb_entry, entry, &macs)
		cb_spec_set(builder->arena, set, entry->path, entry->value, derived);
	addresses(builder, set);
}

/* Also where the network goes with the VMs that are on it: it may stay after all. */
void cb_builder_release_addresses(struct cb_builder *builder)
{
	const struct cb_spec *document = &builder->change->domain->document;

	cb_vec_each (const struct cb_entry, entry, document) {
		const char *nic = cb_field_element(builder->arena, "nics", entry->path);
		struct kept kept;

		if (!nic || !strstr(entry->path, "].ip"))
			continue;
		kept = kept_of(builder, document, nic);
		if (is_kept(&kept))
			host_step(builder, kept.network, kept.mac, NULL);
	}
}
