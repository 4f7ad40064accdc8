#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <string.h>

#include "reconciler/driver/check.h"

const char cb_alias_agent[] = "ua-agent";

static const char disk_prefix[] = "ua-disk-";
static const char nic_prefix[] = "ua-nic-";
static const char mount_prefix[] = "ua-mount-";

static const char *alias_of(struct cb_arena *arena, xmlNodePtr device)
{
	return cb_xml_attr(arena, cb_xml_child(device, "alias"), "name");
}

bool cb_device_has_alias(xmlNodePtr device, const char *alias)
{
	return cb_xml_attr_is(cb_xml_child(device, "alias"), "name", alias);
}

void cb_device_set_alias(xmlNodePtr device, const char *alias)
{
	cb_xml_set_attr(cb_xml_make(device, "alias"), "name", alias);
}

void cb_device_set_name(xmlNodePtr device, const char *kind, const char *name)
{
	cb_auto_arena struct cb_arena arena = {0};

	cb_device_set_alias(device, cb_arena_printf(&arena, "ua-%s-%s", kind, name));
}

xmlNodePtr cb_device_first(xmlNodePtr domain, const char *kind)
{
	return cb_xml_child(cb_xml_child(domain, "devices"), kind);
}

/* The name that we gave the device, or NULL. */
static const char *name_of(struct cb_arena *arena, xmlNodePtr device, const char *prefix)
{
	const char *alias = alias_of(arena, device);
	size_t len = strlen(prefix);

	if (!alias || strncmp(alias, prefix, len) != 0 || !cb_is_name(alias + len))
		return NULL;
	return alias + len;
}

static xmlNodePtr find(xmlNodePtr domain, const char *kind, const char *prefix, const char *name)
{
	cb_auto_arena struct cb_arena arena = {0};

	for (xmlNodePtr node = cb_device_first(domain, kind); node; node = cb_xml_next(node)) {
		const char *is = name_of(&arena, node, prefix);

		if (is && strcmp(is, name) == 0)
			return node;
	}
	return NULL;
}

/* What has no name in a document of ours is somebody else's, also where our own device of that kind
 * was taken away: it is never met in its place. */
bool cb_device_is_ours(xmlNodePtr domain)
{
	for (xmlNodePtr node = cb_device_first(domain, "channel"); node; node = cb_xml_next(node)) {
		if (cb_device_has_alias(node, cb_alias_agent))
			return true;
	}
	return false;
}

static bool is_hard_disk(xmlNodePtr device)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *what = cb_xml_attr(&arena, device, "device");

	return !what || strcmp(what, "disk") == 0;
}

/* The first disk that nobody has named. */
static xmlNodePtr adopted_root(xmlNodePtr domain)
{
	cb_auto_arena struct cb_arena arena = {0};

	if (cb_device_is_ours(domain))
		return NULL;
	for (xmlNodePtr node = cb_device_first(domain, "disk"); node; node = cb_xml_next(node)) {
		const char *alias = alias_of(&arena, node);

		if ((!alias || strncmp(alias, "ua-", 3) != 0) && is_hard_disk(node))
			return node;
	}
	return NULL;
}

xmlNodePtr cb_device_disk(xmlNodePtr domain, const char *name)
{
	xmlNodePtr disk = find(domain, "disk", disk_prefix, name);

	return disk || strcmp(name, "root") != 0 ? disk : adopted_root(domain);
}

/* The first NIC, unless one has a name of ours. */
static xmlNodePtr adopted_nic(xmlNodePtr domain)
{
	cb_auto_arena struct cb_arena arena = {0};
	xmlNodePtr first = cb_device_first(domain, "interface");

	if (cb_device_is_ours(domain))
		return NULL;
	for (xmlNodePtr node = first; node; node = cb_xml_next(node)) {
		if (name_of(&arena, node, nic_prefix))
			return NULL;
	}
	return first;
}

xmlNodePtr cb_device_nic(xmlNodePtr domain, const char *name)
{
	xmlNodePtr nic = find(domain, "interface", nic_prefix, name);

	return nic || strcmp(name, "nic0") != 0 ? nic : adopted_nic(domain);
}

static void read_names(struct cb_arena *arena, xmlNodePtr first, const char *prefix,
		       struct cb_names *out)
{
	for (xmlNodePtr node = first; node; node = cb_xml_next(node)) {
		const char *name = name_of(arena, node, prefix);

		if (name)
			cb_vec_push(arena, out, name);
	}
}

void cb_device_disk_names(struct cb_arena *arena, xmlNodePtr domain, struct cb_names *out)
{
	read_names(arena, cb_device_first(domain, "disk"), disk_prefix, out);
	if (!find(domain, "disk", disk_prefix, "root") && adopted_root(domain))
		cb_vec_push(arena, out, "root");
}

void cb_device_nic_names(struct cb_arena *arena, xmlNodePtr domain, struct cb_names *out)
{
	read_names(arena, cb_device_first(domain, "interface"), nic_prefix, out);
	if (!find(domain, "interface", nic_prefix, "nic0") && adopted_nic(domain))
		cb_vec_push(arena, out, "nic0");
}

xmlNodePtr cb_device_mount(xmlNodePtr domain, const char *name)
{
	return find(domain, "filesystem", mount_prefix, name);
}

void cb_device_mount_names(struct cb_arena *arena, xmlNodePtr domain, struct cb_names *out)
{
	read_names(arena, cb_device_first(domain, "filesystem"), mount_prefix, out);
}
