#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <libxml/uri.h>
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

static int read_kvm(struct cb_libvirt *host, bool *out, struct cb_error *err)
{
	cb_auto_text char *capabilities =
		virConnectGetDomainCapabilities(host->conn, NULL, "x86_64", "q35", "kvm", 0);

	*out = capabilities != NULL;
	if (capabilities)
		return 0;
	/* Hosts without KVM say so in several ways; only no answer at all is an error. */
	(void)cb_libvirt_error(host, err, "cannot read the host's capabilities");
	if (err->code == CB_E_UNAVAILABLE || err->code == CB_E_TIMEOUT)
		return -(int)err->code;
	cb_error_release(err);
	return 0;
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
	return read_kvm(host, &out->kvm, err);
}

int cb_libvirt_network(struct cb_driver *driver, const char *name, enum cb_net_state *out,
		       struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_network virNetworkPtr network = virNetworkLookupByName(host->conn, name);
	int active;

	if (!network) {
		int r = cb_libvirt_error(host, err, "network '%s'", name);

		if (err->code != CB_E_NOT_FOUND)
			return r;
		cb_error_release(err);
		*out = CB_NET_ABSENT;
		return 0;
	}
	active = virNetworkIsActive(network);
	if (active < 0)
		return cb_libvirt_error(host, err, "network '%s'", name);
	*out = active ? CB_NET_ACTIVE : CB_NET_INACTIVE;
	return 0;
}
