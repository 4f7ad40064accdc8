/* Devices as the driver reads them, in the words of the manifest. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/model/field.h"
#include "reconciler/model/owned.h"
#include "reconciler/observe/observe_internal.h"

static const struct cb_origin from_host = {.from = CB_FROM_HOST};

static void set(struct cb_arena *arena, struct cb_spec *spec, const char *list, const char *name,
		const char *key, struct cb_value value)
{
	cb_spec_set(arena, spec, cb_arena_printf(arena, "%s[%s].%s", list, name, key), value,
		    from_host);
}

/* "tcp:2222:22 udp:53:53" is a list in the manifest. */
static const char *as_list(struct cb_arena *arena, const char *words)
{
	json_auto_t *list = json_array();
	const char *out;
	char *text;

	while (*words) {
		size_t len = strcspn(words, " ");

		json_array_append_new(list, json_stringn(words, len));
		words += len + strspn(words + len, " ");
	}
	text = json_dumps(list, JSON_COMPACT);
	out = cb_arena_strdup(arena, text ? text : "[]");
	free(text);
	return out;
}

/* What a NIC is on: three words of the driver's, three keys of the manifest's. */
static void add_nic(struct cb_arena *arena, struct cb_spec *spec, const char *name,
		    const char *type)
{
	const char *source = cb_spec_string(spec, cb_arena_printf(arena, "nics[%s].source", name));
	const char *path = cb_arena_printf(arena, "nics[%s].forwards", name);
	const char *forwards = cb_spec_string(spec, path);

	set(arena, spec, "nics", name, "name", cb_string(name));
	set(arena, spec, "nics", name, "user", cb_bool(strcmp(type, "user") == 0));
	if (strcmp(type, "user") != 0 && source)
		set(arena, spec, "nics", name, type, cb_string(source));
	if (forwards)
		cb_spec_set(arena, spec, path, cb_string(as_list(arena, forwards)), from_host);
}

/* The element whose path ends with this key; NULL for other paths and for what is clonebox's own.
 */
static const char *element(struct cb_arena *arena, const char *list, const char *key,
			   const char *path)
{
	static const char *const own[] = {"root", "seed", "nic0"};
	const char *end = strstr(path, "]."), *name;

	if (!end || strcmp(end + 2, key) != 0 || !(name = cb_field_element(arena, list, path)))
		return NULL;
	for (size_t i = 0; i < CB_COUNT(own); i++) {
		if (strcmp(own[i], name) == 0)
			return NULL;
	}
	return name;
}

void cb_observe_devices(struct cb_arena *arena, struct cb_spec *spec)
{
	const struct cb_spec read = *spec;
	struct cb_spec out = {0};

	/* What is added must not move what is walked over. */
	cb_vec_each (const struct cb_entry, entry, &read)
		cb_vec_push(arena, &out, *entry);
	cb_vec_each (const struct cb_entry, entry, &read) {
		const char *disk = element(arena, "disks", "source", entry->path);
		const char *nic = element(arena, "nics", "type", entry->path);

		if (disk)
			set(arena, &out, "disks", disk, "name", cb_string(disk));
		if (nic && entry->value.kind == CB_STRING)
			add_nic(arena, &out, nic, entry->value.string);
	}
	*spec = out;
}

/* Shared directories have names of their own in documents; which directory of the guest such a name
 * stands for is what the stamp knows. */
void cb_observe_mounts(struct cb_arena *arena, const struct cb_stamp *stamp, struct cb_spec *spec)
{
	cb_vec_each (const struct cb_entry, applied, &stamp->applied) {
		const char *guest = cb_field_element(arena, "paths", applied->path), *mount;
		const char *source, *kind, *readonly;
		const struct cb_entry *is;

		if (!guest || strchr(applied->path, ']')[1])
			continue;
		mount = cb_arena_printf(arena, "mounts[%s]", cb_owned_mount(arena, guest));
		source = cb_spec_string(spec, cb_arena_printf(arena, "%s.source", mount));
		kind = cb_spec_string(spec, cb_arena_printf(arena, "%s.kind", mount));
		if (!source || !kind)
			continue;
		cb_spec_set(arena, spec, applied->path, cb_string(source), from_host);
		cb_spec_set(arena, spec, cb_arena_printf(arena, "%s.kind", applied->path),
			    cb_string(kind), from_host);
		/* The guest alone sees to it with virtiofs: what it was told holds. */
		readonly = cb_arena_printf(arena, "%s.readonly", applied->path);
		is = strcmp(kind, "9p") == 0
			     ? cb_spec_find(spec, cb_arena_printf(arena, "%s.readonly", mount))
			     : cb_spec_find(&stamp->applied, readonly);
		if (is)
			cb_spec_set(arena, spec, readonly, is->value, from_host);
	}
}

/* The address that a network's DHCP keeps for each NIC. */
void cb_observe_addresses(struct cb_arena *arena, const struct cb_networks *networks,
			  struct cb_domain *domain)
{
	const struct cb_spec read = domain->document;
	struct cb_spec out = {0};

	cb_vec_each (const struct cb_entry, entry, &read)
		cb_vec_push(arena, &out, *entry);
	cb_vec_each (const struct cb_entry, entry, &read) {
		const char *nic = element(arena, "nics", "mac", entry->path), *on, *ip;

		if (!nic || entry->value.kind != CB_STRING)
			continue;
		on = cb_spec_string(&read, cb_arena_printf(arena, "nics[%s].network", nic));
		cb_vec_each (const struct cb_network, network, networks) {
			if (!on || strcmp(network->name, on) != 0)
				continue;
			ip = cb_spec_string(
				&network->document,
				cb_arena_printf(arena, "hosts[%s].ip", entry->value.string));
			if (ip)
				set(arena, &out, "nics", nic, "ip", cb_string(ip));
		}
	}
	domain->document = out;
}
