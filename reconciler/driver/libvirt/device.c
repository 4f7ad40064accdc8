#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <string.h>

/* libvirt keeps an alias that starts with "ua-" and gives out no such alias itself. <graphics>
 * cannot have one: there is at most one of these that we make, so its kind identifies it. */
static const char ours[] = "ua-";
static const char alias_root[] = "ua-root";
static const char alias_nic[] = "ua-nic0";
static const char alias_video[] = "ua-video";
static const char alias_tablet[] = "ua-tablet";

static const char *alias_of(struct cb_arena *arena, xmlNodePtr device)
{
	return cb_xml_attr(arena, cb_xml_child(device, "alias"), "name");
}

static bool has_alias(xmlNodePtr device, const char *alias)
{
	return cb_xml_attr_is(cb_xml_child(device, "alias"), "name", alias);
}

static void set_alias(xmlNodePtr device, const char *alias)
{
	cb_xml_set_attr(cb_xml_make(device, "alias"), "name", alias);
}

static xmlNodePtr first(xmlNodePtr domain, const char *kind)
{
	return cb_xml_child(cb_xml_child(domain, "devices"), kind);
}

static bool any(xmlNodePtr device)
{
	(void)device;
	return true;
}

static bool is_hard_disk(xmlNodePtr device)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *what = cb_xml_attr(&arena, device, "device");

	return !what || strcmp(what, "disk") == 0;
}

/* The device with our alias, else the first that has no name of anybody's and fits. */
static xmlNodePtr find(xmlNodePtr domain, const char *kind, const char *alias,
		       bool (*fits)(xmlNodePtr))
{
	cb_auto_arena struct cb_arena arena = {0};

	for (xmlNodePtr node = first(domain, kind); node; node = cb_xml_next(node)) {
		if (has_alias(node, alias))
			return node;
	}
	for (xmlNodePtr node = first(domain, kind); node; node = cb_xml_next(node)) {
		const char *name = alias_of(&arena, node);

		if ((!name || strncmp(name, ours, sizeof(ours) - 1) != 0) && fits(node))
			return node;
	}
	return NULL;
}

xmlNodePtr cb_device_root_disk(xmlNodePtr domain)
{
	return find(domain, "disk", alias_root, is_hard_disk);
}

xmlNodePtr cb_device_nic(xmlNodePtr domain)
{
	return find(domain, "interface", alias_nic, any);
}

/* Network. "default" and "user" are the manifest's words; "network:NAME" is another network of
 * libvirt's, and the rest is libvirt's own word for the type ("bridge", "direct"). */

struct cb_value cb_bind_get_network_mode(const struct cb_bind *bind, struct cb_arena *arena,
					 xmlNodePtr domain)
{
	xmlNodePtr nic = cb_device_nic(domain);
	const char *type = cb_xml_attr(arena, nic, "type"), *network;

	(void)bind;
	if (!nic)
		return cb_string("none");
	if (!type || strcmp(type, "network") != 0)
		return cb_string(type);
	network = cb_xml_attr(arena, cb_xml_child(nic, "source"), "network");
	if (network && strcmp(network, "default") == 0)
		return cb_string("default");
	return cb_string(cb_arena_printf(arena, "network:%s", network ? network : ""));
}

static xmlNodePtr new_nic(xmlNodePtr domain)
{
	xmlNodePtr nic = cb_xml_add(cb_xml_make(domain, "devices"), "interface");

	cb_xml_set_attr(cb_xml_add(nic, "model"), "type", "virtio");
	set_alias(nic, alias_nic);
	return nic;
}

int cb_bind_set_network_mode(const struct cb_bind *bind, xmlNodePtr domain,
			     const struct cb_value *value, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_value is = cb_bind_get_network_mode(bind, &arena, domain);
	const char *mode = value->kind == CB_NONE ? "none" : value->string;
	xmlNodePtr nic = cb_device_nic(domain);

	if (strcmp(is.string, mode) == 0)
		return 0;
	if (strcmp(mode, "none") == 0) {
		cb_xml_drop(nic);
		return 0;
	}
	if (strcmp(mode, "default") != 0 && strcmp(mode, "user") != 0)
		return cb_error_set(err, CB_E_INVALID,
				    "'%s' is not one of 'default', 'user' and 'none'", mode);
	if (!nic)
		nic = new_nic(domain);
	/* What the old kind of connection needed means nothing to the new one. */
	cb_xml_drop(cb_xml_child(nic, "source"));
	cb_xml_drop(cb_xml_child(nic, "virtualport"));
	if (strcmp(mode, "user") == 0) {
		cb_xml_set_attr(nic, "type", "user");
		return 0;
	}
	cb_xml_set_attr(nic, "type", "network");
	cb_xml_set_attr(cb_xml_add(nic, "source"), "network", "default");
	return 0;
}

/* Graphics: a VNC screen for this machine's people only, with what makes it usable. */

struct cb_value cb_bind_get_gui(const struct cb_bind *bind, struct cb_arena *arena,
				xmlNodePtr domain)
{
	(void)bind;
	(void)arena;
	return cb_bool(first(domain, "graphics") != NULL);
}

static void need_usb(xmlNodePtr devices)
{
	xmlNodePtr controller = cb_xml_child(devices, "controller");

	while (controller && !cb_xml_attr_is(controller, "type", "usb"))
		controller = cb_xml_next(controller);
	if (!controller) {
		controller = cb_xml_add(devices, "controller");
		cb_xml_set_attr(controller, "type", "usb");
		cb_xml_set_attr(controller, "model", "qemu-xhci");
	} else if (cb_xml_attr_is(controller, "model", "none")) {
		cb_xml_set_attr(controller, "model", "qemu-xhci");
	}
}

static void add_gui(xmlNodePtr domain)
{
	xmlNodePtr devices = cb_xml_make(domain, "devices");
	xmlNodePtr graphics = cb_xml_add(devices, "graphics"), node;

	cb_xml_set_attr(graphics, "type", "vnc");
	cb_xml_set_attr(graphics, "autoport", "yes");
	node = cb_xml_add(graphics, "listen");
	cb_xml_set_attr(node, "type", "address");
	cb_xml_set_attr(node, "address", "127.0.0.1");
	if (!cb_xml_child(devices, "video")) {
		node = cb_xml_add(devices, "video");
		cb_xml_set_attr(cb_xml_add(node, "model"), "type", "virtio");
		set_alias(node, alias_video);
	}
	need_usb(devices);
	/* A pointer that says where it is, not how it moved, stays in step with the viewer's. */
	node = cb_xml_add(devices, "input");
	cb_xml_set_attr(node, "type", "tablet");
	cb_xml_set_attr(node, "bus", "usb");
	set_alias(node, alias_tablet);
}

static void drop_all(xmlNodePtr domain, const char *kind, const char *alias)
{
	xmlNodePtr next;

	for (xmlNodePtr node = first(domain, kind); node; node = next) {
		next = cb_xml_next(node);
		if (!alias || has_alias(node, alias))
			cb_xml_drop(node);
	}
}

int cb_bind_set_gui(const struct cb_bind *bind, xmlNodePtr domain, const struct cb_value *value,
		    struct cb_error *err)
{
	bool is = first(domain, "graphics") != NULL;

	(void)bind;
	(void)err;
	if (value->boolean && !is) {
		add_gui(domain);
	} else if (!value->boolean && is) {
		drop_all(domain, "graphics", NULL);
		drop_all(domain, "video", NULL);
		drop_all(domain, "input", alias_tablet);
	}
	return 0;
}

/* The root disk. */

struct cb_value cb_bind_get_disk_source(const struct cb_bind *bind, struct cb_arena *arena,
					xmlNodePtr domain)
{
	xmlNodePtr disk = cb_device_root_disk(domain), source = disk;
	const char *file;

	(void)bind;
	if (disk)
		source = cb_xml_child(disk, "source");
	file = cb_xml_attr(arena, source, "file");
	return cb_string(file ? file : cb_xml_attr(arena, source, "dev"));
}

static xmlNodePtr new_disk(xmlNodePtr domain)
{
	xmlNodePtr disk = cb_xml_add(cb_xml_make(domain, "devices"), "disk"), target;

	cb_xml_set_attr(disk, "device", "disk");
	cb_xml_set_attr(cb_xml_add(disk, "driver"), "name", "qemu");
	target = cb_xml_add(disk, "target");
	cb_xml_set_attr(target, "dev", "vda");
	cb_xml_set_attr(target, "bus", "virtio");
	set_alias(disk, alias_root);
	return disk;
}

int cb_bind_set_disk_source(const struct cb_bind *bind, xmlNodePtr domain,
			    const struct cb_value *value, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_value is = cb_bind_get_disk_source(bind, &arena, domain);
	xmlNodePtr disk = cb_device_root_disk(domain);

	(void)err;
	if (cb_value_equal(&is, value))
		return 0;
	if (value->kind == CB_NONE) {
		cb_xml_drop(disk);
		return 0;
	}
	if (!disk)
		disk = new_disk(domain);
	cb_xml_set_attr(disk, "type", "file");
	/* The chain below belongs to the old file; an empty one would say that the new file has
	 * none. Left out, QEMU follows the format that the file's header names. */
	cb_xml_drop(cb_xml_child(disk, "source"));
	cb_xml_drop(cb_xml_child(disk, "backingStore"));
	cb_xml_drop(cb_xml_child(disk, "mirror"));
	cb_xml_set_attr(cb_xml_add(disk, "source"), "file", value->string);
	return 0;
}
