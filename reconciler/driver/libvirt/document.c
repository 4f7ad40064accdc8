#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* PCI Express has room for one device in a port, and a port cannot be added to a running machine:
 * five are taken at once, the rest is for what is plugged in later. */
enum { ROOT_PORTS = 16 };

static void add_controllers(xmlNodePtr devices)
{
	xmlNodePtr node = cb_xml_add(devices, "controller");

	/* No USB unless something wants it: libvirt would add a controller by itself. */
	cb_xml_set_attr(node, "type", "usb");
	cb_xml_set_attr(node, "model", "none");
	for (int i = 0; i <= ROOT_PORTS; i++) {
		char index[16];

		(void)snprintf(index, sizeof(index), "%d", i);
		node = cb_xml_add(devices, "controller");
		cb_xml_set_attr(node, "type", "pci");
		cb_xml_set_attr(node, "index", index);
		cb_xml_set_attr(node, "model", i == 0 ? "pcie-root" : "pcie-root-port");
	}
}

static void add_devices(xmlNodePtr domain)
{
	xmlNodePtr devices = cb_xml_add(domain, "devices"), node;

	add_controllers(devices);
	cb_xml_set_attr(cb_xml_add(devices, "serial"), "type", "pty");
	cb_xml_set_attr(cb_xml_add(devices, "console"), "type", "pty");
	node = cb_xml_add(devices, "channel");
	cb_xml_set_attr(node, "type", "unix");
	cb_device_set_alias(node, cb_alias_agent);
	node = cb_xml_add(node, "target");
	cb_xml_set_attr(node, "type", "virtio");
	cb_xml_set_attr(node, "name", "org.qemu.guest_agent.0");
	node = cb_xml_add(devices, "rng");
	cb_xml_set_attr(node, "model", "virtio");
	node = cb_xml_add(node, "backend");
	cb_xml_set_attr(node, "model", "random");
	cb_xml_set_text(node, "/dev/urandom");
	cb_xml_set_attr(cb_xml_add(devices, "memballoon"), "model", "virtio");
}

/* What every domain of ours has; the rest is written by the bindings. libvirt resolves "q35" to the
 * newest version of that machine, which the domain then keeps. */
xmlDocPtr cb_document_new(const char *uuid, const char *name)
{
	xmlDocPtr doc = cb_xml_new("domain");
	xmlNodePtr domain = xmlDocGetRootElement(doc), node;

	cb_xml_set_text(cb_xml_add(domain, "name"), name);
	cb_xml_set_text(cb_xml_add(domain, "uuid"), uuid);
	node = cb_xml_make(domain, "os/type");
	cb_xml_set_attr(node, "arch", "x86_64");
	cb_xml_set_attr(node, "machine", "q35");
	cb_xml_set_text(node, "hvm");
	cb_xml_set_attr(cb_xml_make(domain, "os/boot"), "dev", "hd");
	(void)cb_xml_make(domain, "features/acpi");
	(void)cb_xml_make(domain, "features/apic");
	cb_xml_set_text(cb_xml_add(domain, "on_poweroff"), "destroy");
	cb_xml_set_text(cb_xml_add(domain, "on_reboot"), "restart");
	cb_xml_set_text(cb_xml_add(domain, "on_crash"), "destroy");
	add_devices(domain);
	return doc;
}

bool cb_document_has_nvram(xmlNodePtr domain)
{
	/* libvirt fills <nvram> in at the first start of a machine whose firmware it chooses. */
	return cb_xml_at(domain, "os/nvram") ||
	       cb_xml_attr_is(cb_xml_child(domain, "os"), "firmware", "efi");
}

bool cb_document_has_tpm(xmlNodePtr domain)
{
	xmlNodePtr tpm = cb_xml_at(domain, "devices/tpm");

	for (; tpm; tpm = cb_xml_next(tpm)) {
		if (cb_xml_attr_is(cb_xml_child(tpm, "backend"), "type", "emulator"))
			return true;
	}
	return false;
}

/* Files. --------------------------------------------------------------------------------------- */

struct collector {
	struct cb_libvirt *host;
	struct cb_arena *arena;
	struct cb_domain *out;
};

static void add_file(struct collector *into, const char *path)
{
	if (!path || *path != '/')
		return;
	cb_vec_each (const char *, file, &into->out->files) {
		if (strcmp(*file, path) == 0)
			return;
	}
	cb_vec_push(into->arena, &into->out->files, path);
}

/* <source pool='p' volume='v'/>: the file stands in the pool's directory. A pool or volume that
 * libvirt does not know is a file that the domain does not have either. */
static int add_volume(struct collector *into, const char *pool_name, const char *volume,
		      struct cb_error *err)
{
	cb_auto_pool virStoragePoolPtr pool = NULL;
	const char *path;
	int r = cb_pool_lookup(into->host, pool_name, &pool, err);

	if (r == -CB_E_NOT_FOUND) {
		cb_error_release(err);
		return 0;
	}
	if (r < 0 || (r = cb_pool_path(into->host, into->arena, pool, &path, err)) < 0)
		return r;
	add_file(into, cb_arena_printf(into->arena, "%s/%s", path, volume));
	return 0;
}

/* Every <source> at or below the siblings that begin with `node`: a disk's own, that of its chain
 * (<backingStore>) and that of a copy under way (<mirror>). */
static int add_sources(struct collector *into, xmlNodePtr node, struct cb_error *err)
{
	for (; node; node = node->next) {
		int r;

		if (node->type != XML_ELEMENT_NODE)
			continue;
		if (strcmp((const char *)node->name, "source") == 0) {
			const char *pool = cb_xml_attr(into->arena, node, "pool");
			const char *volume = cb_xml_attr(into->arena, node, "volume");

			add_file(into, cb_xml_attr(into->arena, node, "file"));
			add_file(into, cb_xml_attr(into->arena, node, "dev"));
			if (pool && volume && (r = add_volume(into, pool, volume, err)) < 0)
				return r;
		}
		if ((r = add_sources(into, node->children, err)) < 0)
			return r;
	}
	return 0;
}

int cb_document_files(struct cb_libvirt *host, struct cb_arena *arena, xmlNodePtr domain,
		      struct cb_domain *out, struct cb_error *err)
{
	static const char *const boot[] = {"os/kernel", "os/initrd", "os/dtb",
					   "os/loader", "os/nvram",  "os/acpi/table"};
	struct collector into = {host, arena, out};
	xmlNodePtr nvram = cb_xml_at(domain, "os/nvram");
	int r;

	for (size_t i = 0; i < CB_COUNT(boot); i++)
		add_file(&into, cb_xml_text(arena, cb_xml_at(domain, boot[i])));
	if (nvram && (r = add_sources(&into, nvram->children, err)) < 0)
		return r;
	for (xmlNodePtr disk = cb_xml_at(domain, "devices/disk"); disk; disk = cb_xml_next(disk)) {
		if ((r = add_sources(&into, disk->children, err)) < 0)
			return r;
	}
	return 0;
}

/* NICs. ---------------------------------------------------------------------------------------- */

static void add_mac(struct cb_arena *arena, struct cb_domain *out, const char *mac)
{
	char *lower = cb_arena_strdup(arena, mac);

	if (!lower)
		return;
	for (char *p = lower; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	cb_vec_each (const char *, known, &out->macs) {
		if (strcmp(*known, lower) == 0)
			return;
	}
	cb_vec_push(arena, &out->macs, lower);
}

static void add_network(struct cb_arena *arena, struct cb_domain *out, const char *name)
{
	if (!name)
		return;
	cb_vec_each (const char *, known, &out->networks) {
		if (strcmp(*known, name) == 0)
			return;
	}
	cb_vec_push(arena, &out->networks, name);
}

void cb_document_nics(struct cb_arena *arena, xmlNodePtr domain, struct cb_domain *out)
{
	xmlNodePtr nic = cb_device_first(domain, "interface");

	for (; nic; nic = cb_xml_next(nic)) {
		add_mac(arena, out, cb_xml_attr(arena, cb_xml_child(nic, "mac"), "address"));
		if (cb_xml_attr_is(nic, "type", "network"))
			add_network(arena, out,
				    cb_xml_attr(arena, cb_xml_child(nic, "source"), "network"));
	}
}
