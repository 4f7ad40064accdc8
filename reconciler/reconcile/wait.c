/* Waits until a guest is up, in one of the senses that people mean. */
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reconciler/base/clock.h"
#include "reconciler/base/fs.h"
#include "reconciler/reconcile/session_internal.h"

enum { PAUSE_MS = 500, CONNECT_MS = 2000 };

/* Whether somebody listens there. Only the connection is made; nothing is sent. */
static bool listens(const char *address, unsigned port)
{
	const struct addrinfo want = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_fd int fd = -1;
	struct addrinfo *to = NULL;
	int status = -1;
	socklen_t len = sizeof(status);
	struct pollfd ready;

	if (getaddrinfo(address, cb_arena_printf(&arena, "%u", port), &want, &to) != 0)
		return false;
	fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, to->ai_addr, to->ai_addrlen) == 0)
		status = 0;
	freeaddrinfo(to);
	if (fd < 0 || status == 0)
		return status == 0;
	ready = (struct pollfd){.fd = fd, .events = POLLOUT};
	return poll(&ready, 1, CONNECT_MS) == 1 &&
	       getsockopt(fd, SOL_SOCKET, SO_ERROR, &status, &len) == 0 && status == 0;
}

static int is_up(struct cb_session *session, const char *uuid, const struct cb_wait *wait, bool *up,
		 struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_addresses addresses = {0};
	int r;

	*up = false;
	if (wait->what == CB_WAIT_AGENT)
		return session->driver->ops->domain_agent(session->driver, uuid, up, err);
	r = session->driver->ops->domain_addresses(session->driver, &arena, uuid, &addresses, err);
	if (r < 0)
		return r;
	*up = wait->what == CB_WAIT_ADDRESS && addresses.len > 0;
	for (size_t i = 0; i < addresses.len && wait->what == CB_WAIT_PORT && !*up; i++)
		*up = listens(addresses.items[i].address, wait->port);
	return 0;
}

int cb_session_wait(struct cb_session *session, const char *name, const char *uuid,
		    const struct cb_wait *wait, struct cb_error *err)
{
	static const char *const words[] = {[CB_WAIT_AGENT] = "its agent does not answer",
					    [CB_WAIT_ADDRESS] = "it has no address",
					    [CB_WAIT_PORT] = "nobody listens at the port"};
	const volatile sig_atomic_t *interrupted = session->config.progress.interrupted;

	for (;;) {
		bool up = false;
		int r = cb_session_reconnect(&session->config, &session->driver, err);

		if (r == 0)
			r = is_up(session, uuid, wait, &up, err);
		/* It hears nobody yet. */
		if (r == -CB_E_TIMEOUT)
			cb_error_release(err);
		else if (r < 0)
			return cb_error_wrap(err, "vm '%s'", name);
		if (up)
			return 0;
		if (interrupted && *interrupted)
			return cb_error_set(err, CB_E_INTERRUPTED, "interrupted");
		if (cb_clock_ms() >= wait->until_ms)
			break;
		cb_clock_sleep_ms(PAUSE_MS);
	}
	(void)cb_error_set(err, CB_E_TIMEOUT, "vm '%s' is not up in time: %s", name,
			   words[wait->what]);
	return cb_error_hint(err,
			     "look at its console: virsh console %s; or wait longer "
			     "(--wait-timeout)",
			     name);
}
