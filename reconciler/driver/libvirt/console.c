/* The serial console, between two descriptors of ours and a stream of libvirt's. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "reconciler/driver/libvirt/libvirt_internal.h"

enum {
	CHUNK = 1024,
	TICK_MS = 200,
	/* Unanswered pings until the connection is given up. */
	PINGS = 5,
};

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
		(void)cb_error_hint(console->err, "somebody else may have taken it with --force");
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

static void on_close(virConnectPtr conn, int reason, void *ctx)
{
	bool silent = reason == VIR_CONNECT_CLOSE_REASON_KEEPALIVE;
	struct console *console = ctx;

	(void)conn;
	if (console->over)
		return;
	(void)cb_error_set(console->err, CB_E_UNAVAILABLE, "the console is gone: '%s' %s",
			   console->host->name,
			   silent ? "does not answer any more" : "ended the connection");
	end(console,
	    cb_error_hint(console->err, "has libvirtd ended, or is it stuck? the guest goes on"));
}

/* A console has no deadline, as its guest may be silent for days; its host may not. libvirt 9.0
 * may forget a connection whose console is taken by another (seen at the 246th time): nothing is
 * told and nothing answered, only asking finds out. */
static void expect_answers(struct console *console, unsigned patience_ms)
{
	unsigned interval_s = patience_ms / 1000 / (PINGS + 1);

	/* 1: a host that knows no pings. */
	if ((patience_ms > 0 &&
	     virConnectSetKeepAlive(console->host->conn, interval_s > 0 ? (int)interval_s : 1,
				    PINGS) < 0) ||
	    virConnectRegisterCloseCallback(console->host->conn, on_close, console, NULL) < 0)
		fail(console, "cannot watch the console's host");
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

static void leave(struct console *console)
{
	cb_watch_begin(console->host->watch, CB_LIBVIRT_LEAVE_MS);
	/* It holds the connection. */
	(void)virConnectUnregisterCloseCallback(console->host->conn, on_close);
	/* Not finished, which would wait for all that the guest still says. */
	(void)virStreamAbort(console->stream);
}

/* libvirt wants its loop registered before the connection that uses it is opened: so this takes a
 * connection of its own. */
static int connect_again(struct cb_driver *driver, struct cb_driver **out, struct cb_error *err)
{
	struct cb_libvirt *host = cb_libvirt_of(driver);
	cb_auto_text char *uri = virConnectGetURI(host->conn);
	int r;

	if (!uri)
		return cb_libvirt_error(host, err, "cannot ask for the host's URI");
	if (virEventRegisterDefaultImpl() < 0)
		return cb_libvirt_error(host, err, "cannot connect to '%s'", uri);
	r = cb_libvirt_open(uri, out, err);
	if (r == 0)
		(*out)->patience_ms = driver->patience_ms;
	return r;
}

int cb_libvirt_domain_console(struct cb_driver *driver, const char *uuid,
			      const struct cb_console_io *io, struct cb_error *err)
{
	struct console console = {.io = io, .watch = -1, .err = err};
	struct cb_driver *own;
	int r = connect_again(driver, &own, err);

	if (r < 0)
		return r;
	console.host = cb_libvirt_of(own);
	cb_libvirt_begin(console.host, SLOW);
	r = open_console(&console, uuid);
	(void)cb_watch_end(console.host->watch);
	if (r == 0) {
		expect_answers(&console, driver->patience_ms);
		run(&console);
		r = console.r;
		leave(&console);
	}
	cb_libvirt_stream_release(&console.stream);
	cb_libvirt_close(own);
	return r;
}
