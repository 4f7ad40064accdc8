/* Directories of the host that are shared with the guest. */
#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <string.h>

#include "reconciler/driver/check.h"

static const char virtiofs[] = "virtiofs";

static bool is_virtiofs(xmlNodePtr mount)
{
	return cb_xml_attr_is(cb_xml_child(mount, "driver"), "type", virtiofs);
}

/* Memory that the host shares. ------------------------------------------------------------------
 *
 * virtiofsd reads and writes the guest's memory by itself. What is made so is marked by nothing but
 * its form: these two elements and no other, in a document of ours. A person who says more of the
 * memory keeps that, and what was added to it.
 */

static bool is_shared(xmlNodePtr domain)
{
	return cb_xml_attr_is(cb_xml_at(domain, "memoryBacking/access"), "mode", "shared");
}

static void share(xmlNodePtr domain)
{
	xmlNodePtr backing = cb_xml_make(domain, "memoryBacking");

	if (!cb_xml_child(backing, "source") && !cb_xml_child(backing, "hugepages"))
		cb_xml_set_attr(cb_xml_add(backing, "source"), "type", "memfd");
	cb_xml_set_attr(cb_xml_make(backing, "access"), "mode", "shared");
}

static bool is_as_made(xmlNodePtr domain, xmlNodePtr backing)
{
	return cb_device_is_ours(domain) && xmlChildElementCount(backing) == 2 &&
	       cb_xml_attr_is(cb_xml_child(backing, "source"), "type", "memfd") &&
	       cb_xml_attr_is(cb_xml_child(backing, "access"), "mode", "shared");
}

/* Once nothing needs it; a person's mounts may. */
static void unshare(xmlNodePtr domain)
{
	xmlNodePtr backing = cb_xml_child(domain, "memoryBacking");
	xmlNodePtr mount = cb_device_first(domain, "filesystem");

	for (; mount; mount = cb_xml_next(mount)) {
		if (is_virtiofs(mount))
			return;
	}
	if (backing && is_as_made(domain, backing))
		cb_xml_drop(backing);
}

/* The halves. ---------------------------------------------------------------------------------- */

struct cb_value cb_bind_get_mount_source(const struct cb_bound *at, struct cb_arena *arena)
{
	xmlNodePtr mount = cb_bound_node(at);

	/* One that the guest knows by another name is none of that name, and one that keeps the
	 * machine from starting is none at all. */
	if (!cb_xml_attr_is(cb_xml_child(mount, "target"), "dir", at->name) ||
	    (is_virtiofs(mount) && !is_shared(at->domain)))
		return (struct cb_value){0};
	return cb_string(cb_xml_attr(arena, cb_xml_child(mount, "source"), "dir"));
}

int cb_bind_set_mount_source(const struct cb_bound *at, const struct cb_value *value,
			     struct cb_error *err)
{
	xmlNodePtr mount = cb_bound_node(at);

	(void)err;
	if (cb_is_nothing(value)) {
		cb_xml_drop(mount);
		unshare(at->domain);
		return 0;
	}
	if (!mount) {
		mount = cb_xml_add(cb_xml_make(at->domain, "devices"), "filesystem");
		cb_device_set_name(mount, "mount", at->name);
	}
	cb_xml_set_attr(mount, "type", "mount");
	cb_xml_set_attr(cb_xml_make(mount, "source"), "dir", value->string);
	cb_xml_set_attr(cb_xml_make(mount, "target"), "dir", at->name);
	return 0;
}

struct cb_value cb_bind_get_mount_kind(const struct cb_bound *at, struct cb_arena *arena)
{
	xmlNodePtr mount = cb_bound_node(at);
	const char *driver = cb_xml_attr(arena, cb_xml_child(mount, "driver"), "type");

	if (!mount)
		return (struct cb_value){0};
	if (!driver || strcmp(driver, "path") == 0 || strcmp(driver, "handle") == 0)
		return cb_string("9p");
	return cb_string(driver);
}

/* 9p: whoever runs QEMU owns what the guest makes, if that is not root; the guest's idea of owners
 * would be an error then otherwise. */
int cb_bind_set_mount_kind(const struct cb_bound *at, const struct cb_value *value,
			   struct cb_error *err)
{
	xmlNodePtr mount = cb_bound_node(at);
	bool wanted = strcmp(value->string, virtiofs) == 0;

	(void)err;
	if (wanted != is_virtiofs(mount) || !cb_xml_child(mount, "driver")) {
		cb_xml_drop(cb_xml_child(mount, "driver"));
		cb_xml_drop(cb_xml_child(mount, "binary"));
		cb_xml_set_attr(mount, "accessmode", wanted ? "passthrough" : "squash");
		cb_xml_set_attr(cb_xml_add(mount, "driver"), "type", wanted ? virtiofs : "path");
	}
	if (wanted)
		share(at->domain);
	else
		unshare(at->domain);
	return 0;
}
