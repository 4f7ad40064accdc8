/*
 * console - what a test sees of a guest.
 *
 *	console URI VM TIMEOUT_S REGEX   print the first line of the serial console that
 *	                                 matches the extended regular expression
 *	console agent URI VM TIMEOUT_S   wait until the guest agent answers
 *
 * Exit status: 0 seen, 1 not seen in time (standard error has what the console said, or the
 * last error of the agent), 2 wrong usage, no such guest or not running.
 */

#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

struct watch {
	virStreamPtr stream;
	regex_t regex;
	bool found;
	bool over;
	size_t used; /* bytes of the line that is being collected */
	char line[4096];
	size_t seen_used; /* the tail of everything, for the failure message */
	char seen[65536];
};

static void quiet(void *data, virErrorPtr error)
{
	(void)data;
	(void)error;
}

static int fail(const char *what)
{
	fprintf(stderr, "console: %s: %s\n", what, virGetLastErrorMessage());
	return 2;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void remember(struct watch *w, const char *data, size_t size)
{
	if (size > sizeof(w->seen) / 2)
		return;
	if (w->seen_used + size > sizeof(w->seen)) {
		memmove(w->seen, w->seen + sizeof(w->seen) / 2, w->seen_used - sizeof(w->seen) / 2);
		w->seen_used -= sizeof(w->seen) / 2;
	}
	memcpy(w->seen + w->seen_used, data, size);
	w->seen_used += size;
}

static void take(struct watch *w, const char *data, size_t size)
{
	remember(w, data, size);
	for (size_t i = 0; i < size && !w->found; i++) {
		char c = data[i];

		if (c != '\n' && c != '\r' && c != '\0') {
			/* What is too long for a line is cut; no test looks for it. */
			if (w->used < sizeof(w->line) - 1)
				w->line[w->used++] = c;
			continue;
		}
		w->line[w->used] = '\0';
		if (w->used > 0 && regexec(&w->regex, w->line, 0, NULL, 0) == 0) {
			puts(w->line);
			w->found = true;
		}
		w->used = 0;
	}
}

static void on_stream(virStreamPtr stream, int events, void *data)
{
	struct watch *w = data;
	char buffer[4096];
	int n;

	(void)events;
	while (!w->found) {
		n = virStreamRecv(stream, buffer, sizeof(buffer));
		if (n == -2)
			return;
		if (n <= 0) {
			w->over = true;
			break;
		}
		take(w, buffer, (size_t)n);
	}
	virStreamEventUpdateCallback(stream, 0);
}

static void on_timeout(int timer, void *data)
{
	struct watch *w = data;

	(void)timer;
	w->over = true;
}

static int watch_console(virDomainPtr domain, double seconds, const char *regex)
{
	static struct watch w;
	char message[256];
	int rc = regcomp(&w.regex, regex, REG_EXTENDED | REG_NOSUB);

	if (rc != 0) {
		regerror(rc, &w.regex, message, sizeof(message));
		fprintf(stderr, "console: %s: %s\n", regex, message);
		return 2;
	}
	w.stream = virStreamNew(virDomainGetConnect(domain), VIR_STREAM_NONBLOCK);
	if (!w.stream)
		return fail("virStreamNew");
	if (virDomainOpenConsole(domain, NULL, w.stream, VIR_DOMAIN_CONSOLE_FORCE) < 0)
		return fail("virDomainOpenConsole");
	if (virStreamEventAddCallback(w.stream,
				      VIR_STREAM_EVENT_READABLE | VIR_STREAM_EVENT_HANGUP |
					      VIR_STREAM_EVENT_ERROR,
				      on_stream, &w, NULL) < 0 ||
	    virEventAddTimeout((int)(seconds * 1000), on_timeout, &w, NULL) < 0)
		return fail("event loop");
	while (!w.found && !w.over)
		if (virEventRunDefaultImpl() < 0)
			return fail("event loop");
	virStreamEventRemoveCallback(w.stream);
	virStreamAbort(w.stream);
	virStreamFree(w.stream);
	regfree(&w.regex);
	if (w.found)
		return 0;
	fprintf(stderr, "console: no line matches '%s'; the console said:\n%.*s\n", regex,
		(int)w.seen_used, w.seen);
	return 1;
}

static int wait_for_agent(virDomainPtr domain, double seconds)
{
	double deadline = now() + seconds;
	const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};

	for (;;) {
		char *reply =
			virDomainQemuAgentCommand(domain, "{\"execute\":\"guest-ping\"}", 2, 0);

		if (reply) {
			free(reply);
			return 0;
		}
		if (virGetLastErrorCode() == VIR_ERR_NO_DOMAIN || virDomainIsActive(domain) == 0)
			return fail("guest-ping");
		if (now() >= deadline) {
			fail("guest-ping");
			return 1;
		}
		nanosleep(&pause, NULL);
	}
}

int main(int argc, char **argv)
{
	bool agent = argc == 5 && strcmp(argv[1], "agent") == 0;
	char **args = agent ? argv + 2 : argv + 1;
	virConnectPtr connection;
	virDomainPtr domain;
	char *end;
	double seconds;
	int rc;

	if (argc != 5 || (seconds = strtod(args[2], &end)) <= 0 || *end != '\0') {
		fprintf(stderr, "usage: console URI VM TIMEOUT_S REGEX\n"
				"       console agent URI VM TIMEOUT_S\n");
		return 2;
	}
	virSetErrorFunc(NULL, quiet);
	if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0)
		return fail("libvirt");
	connection = virConnectOpen(args[0]);
	if (!connection)
		return fail(args[0]);
	domain = virDomainLookupByName(connection, args[1]);
	if (!domain) {
		rc = fail(args[1]);
		virConnectClose(connection);
		return rc;
	}
	rc = agent ? wait_for_agent(domain, seconds) : watch_console(domain, seconds, args[3]);
	virDomainFree(domain);
	virConnectClose(connection);
	return rc;
}
