#include "reconciler/driver/libvirt/libvirt_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is not listed is CB_E_FAILED: libvirt said no, for good. In particular CB_E_NOT_FOUND comes
 * from these four alone; no other failure says that a thing is absent. */
static const struct {
	int number;
	enum cb_code code;
} codes[] = {
	{VIR_ERR_NO_DOMAIN, CB_E_NOT_FOUND},
	{VIR_ERR_NO_NETWORK, CB_E_NOT_FOUND},
	{VIR_ERR_NO_STORAGE_POOL, CB_E_NOT_FOUND},
	{VIR_ERR_NO_STORAGE_VOL, CB_E_NOT_FOUND},

	{VIR_ERR_DOM_EXIST, CB_E_EXISTS},
	{VIR_ERR_NETWORK_EXIST, CB_E_EXISTS},
	{VIR_ERR_STORAGE_VOL_EXIST, CB_E_EXISTS},

	{VIR_ERR_RPC, CB_E_UNAVAILABLE},
	{VIR_ERR_NO_CONNECT, CB_E_UNAVAILABLE},
	{VIR_ERR_INVALID_CONN, CB_E_UNAVAILABLE},
	{VIR_ERR_UNKNOWN_HOST, CB_E_UNAVAILABLE},
	{VIR_ERR_GNUTLS_ERROR, CB_E_UNAVAILABLE},
	{VIR_ERR_SSH, CB_E_UNAVAILABLE},
	{VIR_ERR_LIBSSH, CB_E_UNAVAILABLE},
	{VIR_ERR_NO_SERVER, CB_E_UNAVAILABLE},

	{VIR_ERR_OPERATION_TIMEOUT, CB_E_TIMEOUT},

	{VIR_ERR_ACCESS_DENIED, CB_E_DENIED},
	{VIR_ERR_OPERATION_DENIED, CB_E_DENIED},
	{VIR_ERR_AUTH_FAILED, CB_E_DENIED},
	{VIR_ERR_AUTH_CANCELLED, CB_E_DENIED},
	{VIR_ERR_AUTH_UNAVAILABLE, CB_E_DENIED},

	{VIR_ERR_NO_SUPPORT, CB_E_UNSUPPORTED},
	{VIR_ERR_OPERATION_UNSUPPORTED, CB_E_UNSUPPORTED},
	{VIR_ERR_ARGUMENT_UNSUPPORTED, CB_E_UNSUPPORTED},
	{VIR_ERR_CONFIG_UNSUPPORTED, CB_E_UNSUPPORTED},
};

enum cb_code cb_libvirt_code(int number)
{
	for (size_t i = 0; i < CB_COUNT(codes); i++) {
		if (codes[i].number == number)
			return codes[i].code;
	}
	return CB_E_FAILED;
}

static void ignore(void *data, virErrorPtr error)
{
	(void)data;
	(void)error;
}

void cb_libvirt_quiet(void)
{
	virSetErrorFunc(NULL, ignore);
}

/* More than a message of libvirt's holds: it was not sent, or the daemon has said so instead of an
 * answer. That is for good, and the connection is as it was. Of anything else that is wrong with
 * messages nothing is known. */
static bool is_too_long(const virError *error)
{
	return error->message &&
	       (strstr(error->message, "encode") || strstr(error->message, "limit"));
}

static enum cb_code code_of(const struct cb_libvirt *host, const virError *error)
{
	enum cb_code code = cb_libvirt_code(error->code);

	if (error->code == VIR_ERR_RPC && is_too_long(error) && host->conn &&
	    virConnectIsAlive(host->conn) == 1)
		return CB_E_FAILED;
	/* libvirt has no code of its own for a connection that broke: it reports the socket's
	 * error, or "internal error: client socket is closed". */
	if (code == CB_E_FAILED && host->conn && virConnectIsAlive(host->conn) == 0)
		return CB_E_UNAVAILABLE;
	if (!host->conn && error->code == VIR_ERR_SYSTEM_ERROR &&
	    (error->int1 == EACCES || error->int1 == EPERM))
		return CB_E_DENIED;
	/* Without a connection nobody has said anything about anything. */
	if (!host->conn && code != CB_E_DENIED)
		return CB_E_UNAVAILABLE;
	return code;
}

/* libvirt puts a general phrase before what it has to say ("operation failed: domain 'x' already
 * exists") and keeps the rest in str2. Lines of QEMU's become one. */
static void add_message(struct cb_str *out, const virError *error)
{
	const char *text = error->message ? error->message : "no message";
	size_t len = strlen(text), rest = error->str2 ? strlen(error->str2) : 0;

	if (rest > 0 && rest < len && strcmp(text + len - rest, error->str2) == 0)
		text += len - rest;
	len = strcspn(text, "\n");
	cb_str_add_bytes(out, text, len);
	for (text += len; *text; text += len) {
		text += strspn(text, "\n");
		len = strcspn(text, "\n");
		if (len > 0) {
			cb_str_add(out, "; ");
			cb_str_add_bytes(out, text, len);
		}
	}
}

int cb_libvirt_late(const struct cb_libvirt *host, struct cb_error *err, const char *head)
{
	(void)cb_error_set(err, CB_E_TIMEOUT,
			   "%s: '%s' did not answer within %" PRIu64
			   " s; nothing is known of what it does about it",
			   head, host->name, host->limit_ms / 1000);
	return cb_error_hint(err, "is the QEMU of the machine stopped, or libvirtd stuck? a later "
				  "run looks again; --call-timeout waits longer");
}

int cb_libvirt_saved_error(struct cb_libvirt *host, struct cb_error *err, const virError *error,
			   const char *head)
{
	cb_auto_str struct cb_str message = {0};
	enum cb_code code;

	/* What libvirt says then is that its socket is closed. */
	if (cb_watch_expired(host->watch))
		return cb_libvirt_late(host, err, head);
	code = code_of(host, error);
	add_message(&message, error);
	(void)cb_error_set(err, code, "%s: %s", head, cb_str_text(&message));
	if (error->code == VIR_ERR_SYSTEM_ERROR)
		err->sys_errno = error->int1;
	return -(int)code;
}

int cb_libvirt_error(struct cb_libvirt *host, struct cb_error *err, const char *fmt, ...)
{
	virErrorPtr error = virSaveLastError();
	char *head = NULL;
	va_list ap;
	int r;

	va_start(ap, fmt);
	if (vasprintf(&head, fmt, ap) < 0)
		cb_oom();
	va_end(ap);
	if (!error)
		cb_oom();
	r = cb_libvirt_saved_error(host, err, error, head);
	virFreeError(error);
	free(head);
	return r;
}
