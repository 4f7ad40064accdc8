#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <libxml/parser.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

void cb_libvirt_domain_release(virDomainPtr *domain)
{
	if (*domain)
		(void)virDomainFree(*domain);
	*domain = NULL;
}

void cb_libvirt_pool_release(virStoragePoolPtr *pool)
{
	if (*pool)
		(void)virStoragePoolFree(*pool);
	*pool = NULL;
}

void cb_libvirt_volume_release(virStorageVolPtr *volume)
{
	if (*volume)
		(void)virStorageVolFree(*volume);
	*volume = NULL;
}

void cb_libvirt_network_release(virNetworkPtr *network)
{
	if (*network)
		(void)virNetworkFree(*network);
	*network = NULL;
}

void cb_libvirt_stream_release(virStreamPtr *stream)
{
	if (*stream)
		(void)virStreamFree(*stream);
	*stream = NULL;
}

void cb_libvirt_text_release(char **text)
{
	free(*text);
	*text = NULL;
}

void cb_libvirt_secret_release(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	cb_libvirt_text_release(text);
}

static void close_host(struct cb_driver *driver)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);

	(void)virConnectClose(host->conn);
	free(host);
}

static const struct cb_driver_ops ops = {
	.close = close_host,
	.host = cb_libvirt_host,
	.domains = cb_libvirt_domains,
	.domain = cb_libvirt_domain,
	.domain_define = cb_libvirt_domain_define,
	.domain_update = cb_libvirt_domain_update,
	.domain_document = cb_libvirt_domain_document,
	.domain_restore = cb_libvirt_domain_restore,
	.domain_rename = cb_libvirt_domain_rename,
	.domain_undefine = cb_libvirt_domain_undefine,
	.domain_autostart = cb_libvirt_domain_autostart,
	.domain_live = cb_libvirt_domain_live,
	.domain_start = cb_libvirt_domain_start,
	.domain_shutdown = cb_libvirt_domain_shutdown,
	.domain_power_off = cb_libvirt_domain_power_off,
	.domain_addresses = cb_libvirt_domain_addresses,
	.domain_agent = cb_libvirt_domain_agent,
	.domain_console = cb_libvirt_domain_console,
	.pool = cb_libvirt_pool,
	.pool_define = cb_libvirt_pool_define,
	.pool_start = cb_libvirt_pool_start,
	.pool_autostart = cb_libvirt_pool_autostart,
	.pool_undefine = cb_libvirt_pool_undefine,
	.pool_refresh = cb_libvirt_pool_refresh,
	.volumes = cb_libvirt_volumes,
	.volume = cb_libvirt_volume,
	.volume_create = cb_libvirt_volume_create,
	.volume_write = cb_libvirt_volume_write,
	.volume_digest = cb_libvirt_volume_digest,
	.volume_delete = cb_libvirt_volume_delete,
	.networks = cb_libvirt_networks,
	.network = cb_libvirt_network,
	.network_define = cb_libvirt_network_define,
	.network_update = cb_libvirt_network_update,
	.network_document = cb_libvirt_network_document,
	.network_restore = cb_libvirt_network_restore,
	.network_start = cb_libvirt_network_start,
	.network_stop = cb_libvirt_network_stop,
	.network_autostart = cb_libvirt_network_autostart,
	.network_undefine = cb_libvirt_network_undefine,
};

static int refused(struct cb_libvirt *host, const char *uri, struct cb_error *err)
{
	int r;

	if (uri)
		r = cb_libvirt_error(host, err, "cannot connect to '%s'", uri);
	else
		r = cb_libvirt_error(host, err, "cannot connect to libvirt");
	if (err->code == CB_E_DENIED)
		(void)cb_error_hint(err, "a member of the group 'libvirt' may use the system's "
					 "libvirt; qemu:///session is one's own");
	else
		(void)cb_error_hint(err, "is libvirtd running there, and is the URI right?");
	return r;
}

/* libvirt 9.0 writes to its socket with write(2): when the daemon is gone, the answer must be an
 * error, not the end of the program. A handler that somebody set stays. */
static void survive_broken_pipes(void)
{
	struct sigaction action;

	if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
		(void)signal(SIGPIPE, SIG_IGN);
}

int cb_libvirt_open(const char *uri, struct cb_driver **out, struct cb_error *err)
{
	struct cb_libvirt *host = calloc(1, sizeof(*host));
	int r;

	if (!host)
		cb_oom();
	host->base.ops = &ops;
	xmlInitParser();
	survive_broken_pipes();
	cb_libvirt_quiet();
	if (virInitialize() < 0 || !(host->conn = virConnectOpen(uri))) {
		r = refused(host, uri, err);
		free(host);
		return r;
	}
	*out = &host->base;
	return 0;
}
