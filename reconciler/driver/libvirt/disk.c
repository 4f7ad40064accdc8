#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <stdio.h>
#include <string.h>

#include "reconciler/driver/check.h"

static const char alias_scsi[] = "ua-scsi";
static const char root[] = "root";

/* Where it sits. ------------------------------------------------------------------------------- */

static bool has_target(xmlNodePtr domain, const char *name)
{
	for (xmlNodePtr disk = cb_device_first(domain, "disk"); disk; disk = cb_xml_next(disk)) {
		if (cb_xml_attr_is(cb_xml_child(disk, "target"), "dev", name))
			return true;
	}
	return false;
}

/* "vda", ..., "vdz", "vdaa", ... */
static const char *target_name(struct cb_arena *arena, const char *prefix, unsigned index)
{
	if (index < 26)
		return cb_arena_printf(arena, "%s%c", prefix, (char)('a' + index));
	return cb_arena_printf(arena, "%s%c%c", prefix, (char)('a' + index / 26 - 1),
			       (char)('a' + index % 26));
}

/* The machine boots from its first disk, and within a bus libvirt sorts by these names: the first
 * one is kept for the root disk. */
static const char *free_target(struct cb_arena *arena, xmlNodePtr domain, const char *bus,
			       bool is_root)
{
	const char *prefix = strcmp(bus, "virtio") == 0 ? "vd" : "sd", *name;
	unsigned index = is_root ? 0 : 1;

	do
		name = target_name(arena, prefix, index++);
	while (has_target(domain, name));
	return name;
}

static bool has_unit(xmlNodePtr domain, const char *unit)
{
	for (xmlNodePtr disk = cb_device_first(domain, "disk"); disk; disk = cb_xml_next(disk)) {
		xmlNodePtr address = cb_xml_child(disk, "address");

		if (cb_xml_attr_is(cb_xml_child(disk, "target"), "bus", "scsi") &&
		    cb_xml_attr_is(address, "controller", "0") &&
		    cb_xml_attr_is(address, "unit", unit))
			return true;
	}
	return false;
}

/* libvirt would put seven disks on a controller and make more of them, of a kind that few guests
 * know. virtio-scsi has room for all. */
static void set_scsi_address(xmlNodePtr domain, xmlNodePtr disk)
{
	xmlNodePtr address;
	unsigned n = 0;
	char unit[16];

	do
		(void)snprintf(unit, sizeof(unit), "%u", n++);
	while (has_unit(domain, unit));
	address = cb_xml_add(disk, "address");
	cb_xml_set_attr(address, "type", "drive");
	cb_xml_set_attr(address, "controller", "0");
	cb_xml_set_attr(address, "bus", "0");
	cb_xml_set_attr(address, "target", "0");
	cb_xml_set_attr(address, "unit", unit);
}

/* It stays when its last disk goes, as everything does that was not asked to go. */
static void need_scsi(xmlNodePtr domain)
{
	xmlNodePtr controller = cb_device_first(domain, "controller");

	for (; controller; controller = cb_xml_next(controller)) {
		if (cb_xml_attr_is(controller, "type", "scsi") &&
		    cb_xml_attr_is(controller, "index", "0"))
			return;
	}
	controller = cb_xml_add(cb_xml_make(domain, "devices"), "controller");
	cb_xml_set_attr(controller, "type", "scsi");
	cb_xml_set_attr(controller, "index", "0");
	cb_xml_set_attr(controller, "model", "virtio-scsi");
	cb_device_set_alias(controller, alias_scsi);
}

static void put_on_bus(const struct cb_bound *at, xmlNodePtr disk, const char *bus)
{
	cb_auto_arena struct cb_arena arena = {0};
	xmlNodePtr target = cb_xml_make(disk, "target");

	cb_xml_drop(cb_xml_child(disk, "address"));
	cb_xml_drop_attr(target, "dev");
	cb_xml_set_attr(target, "dev",
			free_target(&arena, at->domain, bus, strcmp(at->name, root) == 0));
	cb_xml_set_attr(target, "bus", bus);
	if (strcmp(bus, "scsi") == 0) {
		need_scsi(at->domain);
		set_scsi_address(at->domain, disk);
	}
}

struct cb_value cb_bind_get_disk_bus(const struct cb_bound *at, struct cb_arena *arena)
{
	return cb_string(cb_xml_attr(arena, cb_xml_child(cb_bound_node(at), "target"), "bus"));
}

int cb_bind_set_disk_bus(const struct cb_bound *at, const struct cb_value *value,
			 struct cb_error *err)
{
	xmlNodePtr disk = cb_bound_node(at);

	(void)err;
	if (!cb_xml_attr_is(cb_xml_child(disk, "target"), "bus", value->string))
		put_on_bus(at, disk, value->string);
	return 0;
}

/* What it holds. ------------------------------------------------------------------------------- */

struct cb_value cb_bind_get_disk_source(const struct cb_bound *at, struct cb_arena *arena)
{
	xmlNodePtr source = cb_xml_child(cb_bound_node(at), "source");
	const char *file = cb_xml_attr(arena, source, "file");

	return cb_string(file ? file : cb_xml_attr(arena, source, "dev"));
}

/* Space that the guest gives back is given back to the host. */
static xmlNodePtr new_disk(const struct cb_bound *at)
{
	xmlNodePtr first = cb_device_first(at->domain, "disk");
	xmlNodePtr disk = cb_xml_add(cb_xml_make(at->domain, "devices"), "disk"), driver;

	cb_xml_set_attr(disk, "device", "disk");
	driver = cb_xml_add(disk, "driver");
	cb_xml_set_attr(driver, "name", "qemu");
	cb_xml_set_attr(driver, "type", "raw");
	cb_xml_set_attr(driver, "discard", "unmap");
	cb_device_set_name(disk, "disk", at->name);
	put_on_bus(at, disk, "virtio");
	if (first && strcmp(at->name, root) == 0)
		cb_xml_move(disk, first);
	return disk;
}

int cb_bind_set_disk_source(const struct cb_bound *at, const struct cb_value *value,
			    struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_value is = cb_bind_get_disk_source(at, &arena);
	xmlNodePtr disk = cb_bound_node(at);

	(void)err;
	if (cb_is_nothing(value)) {
		cb_xml_drop(disk);
		return 0;
	}
	if (cb_value_equal(&is, value))
		return 0;
	if (!disk)
		disk = new_disk(at);
	cb_xml_set_attr(disk, "type", "file");
	/* The chain below belongs to the old file; an empty one would say that the new file has
	 * none. Left out, QEMU follows the format that the file's header names. */
	cb_xml_drop(cb_xml_child(disk, "source"));
	cb_xml_drop(cb_xml_child(disk, "backingStore"));
	cb_xml_drop(cb_xml_child(disk, "mirror"));
	cb_xml_set_attr(cb_xml_add(disk, "source"), "file", value->string);
	return 0;
}
