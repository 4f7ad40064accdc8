/* The serial console, between two descriptors of ours and a stream of libvirt's. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "reconciler/driver/libvirt/libvirt_internal.h"

enum { CHUNK = 1024, TICK_MS = 200 };

struct console {
	struct cb_libvirt *host;
	const struct cb_console_io *io;
	virStreamPtr stream;
	int watch;           /* of the input, -1: it is over, or more than we can send */
	char pending[CHUNK]; /* read, not yet sent */
	size_t pending_len;
	bool over;
	int r;
	struct cb_error *err;
};

static void end(struct console *console, int r)
{
	console->over = true;
	if (r < 0 && console->r == 0)
		console->r = r;
}

static void fail(struct console *console, const char *what)
{
	end(console, cb_libvirt_error(console->host, console->err, "%s", what));
}

static int put(struct console *console, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(console->io->out, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cb_error_errno(console->err, errno,
					      "cannot write what the console says");
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static void receive(struct console *console)
{
	char data[CHUNK];
	int n = virStreamRecv(console->stream, data, sizeof(data));
	int r;

	if (n == -2)
		return;
	if (n < 0) {
		fail(console, "the console is gone");
	} else if (n == 0) {
		end(console, 0);
	} else if ((r = put(console, data, (size_t)n)) < 0) {
		end(console, r);
	}
}

static void want(struct console *console)
{
	int events = VIR_STREAM_EVENT_READABLE | VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP;

	if (console->pending_len > 0)
		events |= VIR_STREAM_EVENT_WRITABLE;
	if (virStreamEventUpdateCallback(console->stream, events) < 0)
		fail(console, "cannot watch the console");
	/* Nothing more is read than can be kept. */
	if (console->watch >= 0)
		virEventUpdateHandle(console->watch,
				     console->pending_len == 0 ? VIR_EVENT_HANDLE_READABLE : 0);
}

static void send_pending(struct console *console)
{
	int n = virStreamSend(console->stream, console->pending, console->pending_len);

	if (n == -2)
		return;
	if (n < 0) {
		fail(console, "the console takes no input");
		return;
	}
	console->pending_len -= (size_t)n;
	memmove(console->pending, console->pending + n, console->pending_len);
	want(console);
}

static void on_stream(virStreamPtr stream, int events, void *ctx)
{
	struct console *console = ctx;

	(void)stream;
	if (console->over)
		return;
	if (events & VIR_STREAM_EVENT_READABLE)
		receive(console);
	if (!console->over && (events & VIR_STREAM_EVENT_WRITABLE) && console->pending_len > 0)
		send_pending(console);
	if (!console->over && (events & (VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP)))
		end(console, 0);
}

static void stop_reading(struct console *console)
{
	(void)virEventRemoveHandle(console->watch);
	console->watch = -1;
}

static void on_input(int watch, int fd, int events, void *ctx)
{
	struct console *console = ctx;
	const char *leave;
	ssize_t n;

	(void)watch;
	(void)events;
	if (console->over || console->pending_len > 0)
		return;
	n = read(fd, console->pending, sizeof(console->pending));
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		stop_reading(console); /* what the guest says is still of interest */
		return;
	}
	leave = memchr(console->pending, console->io->escape, (size_t)n);
	if (leave) {
		end(console, 0);
		return;
	}
	console->pending_len = (size_t)n;
	want(console);
}

static void on_tick(int timer, void *ctx)
{
	struct console *console = ctx;

	(void)timer;
	if (console->io->interrupted && *console->io->interrupted)
		end(console, 0);
}

static void run(struct console *console)
{
	int timer = virEventAddTimeout(TICK_MS, on_tick, console, NULL);

	console->watch = virEventAddHandle(console->io->in, VIR_EVENT_HANDLE_READABLE, on_input,
					   console, NULL);
	if (timer < 0 || virStreamEventAddCallback(console->stream, VIR_STREAM_EVENT_READABLE,
						   on_stream, console, NULL) < 0)
		fail(console, "cannot watch the console");
	want(console);
	while (!console->over) {
		if (virEventRunDefaultImpl() < 0)
			fail(console, "cannot wait for the console");
	}
	if (console->watch >= 0)
		stop_reading(console);
	(void)virEventRemoveTimeout(timer);
	(void)virStreamEventRemoveCallback(console->stream);
}

static int open_console(struct console *console, const char *uuid)
{
	unsigned flags = console->io->force ? VIR_DOMAIN_CONSOLE_FORCE : 0;
	cb_auto_domain virDomainPtr domain = NULL;
	int r = cb_domain_lookup(console->host, uuid, &domain, console->err);

	if (r < 0)
		return r;
	console->stream = virStreamNew(console->host->conn, VIR_STREAM_NONBLOCK);
	if (console->stream && virDomainOpenConsole(domain, NULL, console->stream, flags) == 0)
		return 0;
	if (virGetLastErrorCode() == VIR_ERR_OPERATION_FAILED) {
		r = cb_domain_error(console->host, domain, console->err, "cannot open its console");
		(void)cb_error_hint(console->err, "somebody else may be at it: --force takes it "
						  "away from them");
		return r;
	}
	return cb_domain_error(console->host, domain, console->err, "cannot open its console");
}

/* libvirt wants its loop registered before the connection that uses it is opened: so this takes a
 * connection of its own. */
int cb_libvirt_domain_console(struct cb_driver *driver, const char *uuid,
			      const struct cb_console_io *io, struct cb_error *err)
{
	cb_auto_text char *uri = virConnectGetURI(cb_libvirt_of(driver)->conn);
	struct cb_libvirt host = {0};
	struct console console = {.host = &host, .io = io, .watch = -1, .err = err};
	int r;

	if (!uri)
		return cb_libvirt_error(cb_libvirt_of(driver), err,
					"cannot ask for the host's URI");
	if (virEventRegisterDefaultImpl() < 0 || !(host.conn = virConnectOpen(uri)))
		return cb_libvirt_error(cb_libvirt_of(driver), err, "cannot connect to '%s'", uri);
	r = open_console(&console, uuid);
	if (r == 0) {
		run(&console);
		r = console.r;
		/* Not finished, which would wait for all that the guest still says. */
		(void)virStreamAbort(console.stream);
	}
	cb_libvirt_stream_release(&console.stream);
	(void)virConnectClose(host.conn);
	return r;
}
