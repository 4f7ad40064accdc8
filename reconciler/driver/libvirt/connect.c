#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <libxml/parser.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/log.h"
#include "reconciler/driver/libvirt/socket.h"

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

/* Closing asks the host as well. The watch is ours until the socket cannot be waited for. */
void cb_libvirt_close(struct cb_driver *driver)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);

	cb_watch_begin(host->watch, CB_LIBVIRT_LEAVE_MS);
	(void)virConnectClose(host->conn);
	(void)cb_watch_end(host->watch);
	cb_socket_forget(host->socket);
	cb_watch_free(host->watch);
	free(host->name);
	free(host);
}

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

static void watch_socket(struct cb_libvirt *host, enum cb_socket_kind kind)
{
	host->watch = cb_watch_new(host->socket);
	if (!host->watch && kind != CB_SOCKET_NONE)
		cb_log(CB_LOG_WARN, "connection-without-deadline",
		       "which socket leads to '%s' cannot be told%s: should it stop answering, it "
		       "is waited for without end",
		       host->name, host->socket == CB_SOCKET_AMBIGUOUS ? " (several may)" : "");
}

static int connect_host(struct cb_libvirt *host, const char *uri, struct cb_error *err)
{
	enum cb_socket_kind kind = CB_SOCKET_NONE;
	struct cb_socket_search search;
	int r = 0;

	cb_socket_before(&search);
	host->conn = virConnectOpen(uri);
	if (host->conn) {
		cb_auto_text char *canonical = virConnectGetURI(host->conn);

		kind = canonical ? cb_socket_kind_of(canonical) : CB_SOCKET_NONE;
	} else {
		r = refused(host, uri, err);
	}
	host->socket = cb_socket_after(&search, kind);
	if (r == 0)
		watch_socket(host, kind);
	/* Where the socket could not be told the emulators may be ours to see all the same: what is
	 * found is true, wherever it was looked for. */
	host->processes = r == 0 && kind == CB_SOCKET_UNIX &&
			  (host->socket < 0 || cb_process_sees_peer("/proc", host->socket));
	return r;
}

int cb_libvirt_open(const char *uri, struct cb_driver **out, struct cb_error *err)
{
	struct cb_libvirt *host = calloc(1, sizeof(*host));
	int r;

	if (!host || !(host->name = strdup(uri ? uri : "libvirt")))
		cb_oom();
	host->base.ops = &cb_libvirt_ops;
	xmlInitParser();
	survive_broken_pipes();
	cb_libvirt_quiet();
	r = virInitialize() < 0 ? refused(host, uri, err) : connect_host(host, uri, err);
	if (r < 0) {
		free(host->name);
		free(host);
		return r;
	}
	*out = &host->base;
	return 0;
}
