#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <libxml/uri.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "qemu:///system" and "qemu+unix:///system?socket=..." reach the kernel that we run on. */
static bool is_local(const char *text)
{
	xmlURIPtr uri = xmlParseURI(text);
	const char *transport = uri && uri->scheme ? strchr(uri->scheme, '+') : NULL;
	bool local = uri && (!uri->server || !*uri->server) &&
		     (!transport || strcmp(transport, "+unix") == 0);

	xmlFreeURI(uri);
	return local;
}

/* "qemu:///session": libvirt runs as a user. */
static bool is_session(const char *text)
{
	xmlURIPtr uri = xmlParseURI(text);
	bool session = uri && uri->path && strcmp(uri->path, "/session") == 0;

	xmlFreeURI(uri);
	return session;
}

/* Whether the word is one of those that an enumeration of the host's offers. */
static bool offers(xmlNodePtr root, const char *path, const char *name, const char *wanted)
{
	xmlNodePtr kind = cb_xml_at(root, path);

	while (kind && !cb_xml_attr_is(kind, "name", name))
		kind = cb_xml_next(kind);
	for (xmlNodePtr word = cb_xml_child(kind, "value"); word; word = cb_xml_next(word)) {
		cb_auto_arena struct cb_arena arena = {0};

		if (strcmp(cb_xml_text(&arena, word), wanted) == 0)
			return true;
	}
	return false;
}

/* Firmware that libvirt can choose by itself, and how directories can be shared: until 10.0 libvirt
 * ran virtiofsd as root alone, whatever QEMU can do. */
static void read_offers(const char *capabilities, struct cb_host *out)
{
	enum { VIRTIOFS_FOR_USERS = 10000000 };

	cb_auto_error struct cb_error err = {0};
	cb_auto_xml xmlDocPtr doc = NULL;
	xmlNodePtr root;

	if (cb_xml_parse(capabilities, &doc, &err) < 0)
		return;
	root = xmlDocGetRootElement(doc);
	out->uefi = offers(root, "os/enum", "firmware", "efi");
	out->virtiofs = offers(root, "devices/filesystem/enum", "driverType", "virtiofs") &&
			(!is_session(out->uri) || out->libvirt_version >= VIRTIOFS_FOR_USERS);
}

/* 1, or 0 if the host has no such machines. Hosts say that in several ways; only no answer at all
 * is an error. */
static int read_capabilities(struct cb_libvirt *host, const char *type, struct cb_host *out,
			     struct cb_error *err)
{
	cb_auto_text char *text =
		virConnectGetDomainCapabilities(host->conn, NULL, "x86_64", "q35", type, 0);

	if (text) {
		read_offers(text, out);
		return 1;
	}
	(void)cb_libvirt_error(host, err, "cannot read the host's capabilities");
	if (err->code == CB_E_UNAVAILABLE || err->code == CB_E_TIMEOUT)
		return -(int)err->code;
	cb_error_release(err);
	return 0;
}

static int read_kinds(struct cb_libvirt *host, struct cb_host *out, struct cb_error *err)
{
	int r = read_capabilities(host, "kvm", out, err);

	out->kvm = r == 1;
	if (r == 0)
		r = read_capabilities(host, "qemu", out, err);
	return r < 0 ? r : 0;
}

static int read_names(struct cb_libvirt *host, struct cb_arena *arena, struct cb_host *out,
		      struct cb_error *err)
{
	cb_auto_text char *uri = virConnectGetURI(host->conn);
	cb_auto_text char *hostname = uri ? virConnectGetHostname(host->conn) : NULL;
	const char *type = hostname ? virConnectGetType(host->conn) : NULL;

	if (!type)
		return cb_libvirt_error(host, err, "cannot read the host's identity");
	out->uri = cb_arena_strdup(arena, uri);
	out->hostname = cb_arena_strdup(arena, hostname);
	out->type = cb_arena_strdup(arena, type);
	out->local = is_local(uri);
	out->processes = host->processes;
	return 0;
}

/* libvirt itself would define a machine with any model, and then not start it. */
int cb_host_check_cpu(struct cb_libvirt *host, const char *model, struct cb_error *err)
{
	char **models = NULL;
	int count = virConnectGetCPUModelNames(host->conn, "x86_64", &models, 0);
	bool known = false;

	if (count < 0) {
		int r = cb_libvirt_error(host, err, "cannot read which processors there are");

		if (r == -CB_E_UNAVAILABLE || r == -CB_E_TIMEOUT)
			return r;
		/* A host that has no list takes them all. */
		cb_error_release(err);
		return 0;
	}
	for (int i = 0; i < count; i++) {
		known = known || strcmp(models[i], model) == 0;
		free(models[i]);
	}
	free(models);
	if (!known && count > 0)
		return cb_error_set(err, CB_E_INVALID,
				    "'cpu': libvirt knows no processor '%s' on this host", model);
	return 0;
}

/* 0 says failure, so a host that does not know has none. */
static int read_free_memory(struct cb_libvirt *host, uint64_t *out, struct cb_error *err)
{
	unsigned long long bytes = virNodeGetFreeMemory(host->conn);

	*out = bytes / (1024 * 1024);
	if (bytes > 0)
		return 0;
	(void)cb_libvirt_error(host, err, "cannot read the free memory");
	if (err->code == CB_E_UNAVAILABLE || err->code == CB_E_TIMEOUT)
		return -(int)err->code;
	cb_error_release(err);
	return 0;
}

/* "+64055:+64055", in the host's part of the capabilities. */
static void read_label(xmlNodePtr capabilities, struct cb_host *out)
{
	xmlNodePtr model = cb_xml_at(capabilities, "host/secmodel");
	cb_auto_arena struct cb_arena arena = {0};
	const char *label;

	while (model && strcmp(cb_xml_text(&arena, cb_xml_child(model, "model")), "dac") != 0)
		model = cb_xml_next(model);
	if (!model || !cb_xml_child(model, "baselabel"))
		return;
	label = cb_xml_text(&arena, cb_xml_child(model, "baselabel"));
	out->emulator_known = sscanf(label, "+%u:+%u", &out->emulator_uid, &out->emulator_gid) == 2;
}

static int read_emulator(struct cb_libvirt *host, struct cb_host *out, struct cb_error *err)
{
	cb_auto_text char *text = virConnectGetCapabilities(host->conn);
	cb_auto_xml xmlDocPtr doc = NULL;

	if (text && cb_xml_parse(text, &doc, err) == 0) {
		read_label(xmlDocGetRootElement(doc), out);
		return 0;
	}
	if (!text)
		(void)cb_libvirt_error(host, err, "cannot read as whom emulators run");
	if (err->code == CB_E_UNAVAILABLE || err->code == CB_E_TIMEOUT)
		return -(int)err->code;
	cb_error_release(err);
	return 0;
}

int cb_libvirt_host(struct cb_driver *driver, struct cb_arena *arena, struct cb_host *out,
		    struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	virNodeInfo node;
	int r;

	*out = (struct cb_host){0};
	if ((r = read_names(host, arena, out, err)) < 0)
		return r;
	if (virConnectGetLibVersion(host->conn, &out->libvirt_version) < 0 ||
	    virConnectGetVersion(host->conn, &out->hypervisor_version) < 0 ||
	    virNodeGetInfo(host->conn, &node) < 0)
		return cb_libvirt_error(host, err, "cannot read what the host is");
	out->cpus = node.cpus;
	out->memory_mb = node.memory / 1024;
	if ((r = read_free_memory(host, &out->free_memory_mb, err)) < 0 ||
	    (r = read_emulator(host, out, err)) < 0)
		return r;
	return read_kinds(host, out, err);
}
