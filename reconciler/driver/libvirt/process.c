#include "reconciler/driver/libvirt/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reconciler/base/clock.h"
#include "reconciler/base/error.h"
#include "reconciler/base/fs.h"
#include "reconciler/base/str.h"

/* Arguments of all processes are read into one buffer; QEMU's take some 10 KiB. */
enum { ARGUMENTS_MAX = 1 << 20 };

struct arguments {
	char *text; /* each ends with a NUL; one more behind the last */
	size_t len;
};

/* False: there are none (a thread of the kernel, one that is ending), or they are not for us. */
static bool read_arguments(const char *proc, const char *pid, struct arguments *out)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_fd int fd =
		open(cb_arena_printf(&arena, "%s/%s/cmdline", proc, pid), O_RDONLY | O_CLOEXEC);
	ssize_t n;

	out->len = 0;
	while (fd >= 0 && out->len < ARGUMENTS_MAX - 1 &&
	       (n = read(fd, out->text + out->len, ARGUMENTS_MAX - 1 - out->len)) > 0)
		out->len += (size_t)n;
	out->text[out->len] = '\0';
	return out->len > 0;
}

static const char *next_argument(const struct arguments *arguments, const char *at)
{
	const char *next = at + strlen(at) + 1;

	return next < arguments->text + arguments->len ? next : NULL;
}

/* The UUID of the machine that a process with these arguments runs; NULL: it is no emulator. */
static const char *uuid_of(const struct arguments *arguments)
{
	const char *uuid = NULL;
	bool named = false;

	for (const char *at = arguments->text; at; at = next_argument(arguments, at)) {
		const char *value = next_argument(arguments, at);

		if (!value)
			break;
		if (strcmp(at, "-uuid") == 0 && strlen(value) == CB_UUID_SIZE - 1)
			uuid = value;
		else if (strcmp(at, "-name") == 0)
			named = strncmp(value, "guest=", strlen("guest=")) == 0;
	}
	return named ? uuid : NULL;
}

static bool is_number(const char *name)
{
	return *name && strspn(name, "0123456789") == strlen(name);
}

static char *lower(char *text)
{
	for (char *at = text; *at; at++) {
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
	}
	return text;
}

void cb_processes_read(struct cb_arena *arena, const char *proc, struct cb_processes *out)
{
	struct arguments arguments = {.text = malloc(ARGUMENTS_MAX)};
	DIR *directory = opendir(proc);
	const struct dirent *entry;

	if (!arguments.text)
		cb_oom();
	while (directory && (entry = readdir(directory))) {
		const char *uuid;

		if (!is_number(entry->d_name) || !read_arguments(proc, entry->d_name, &arguments) ||
		    !(uuid = uuid_of(&arguments)))
			continue;
		cb_vec_push(arena, out,
			    ((struct cb_process){.pid = (int)strtol(entry->d_name, NULL, 10),
						 .uuid = lower(cb_arena_strdup(arena, uuid))}));
	}
	if (directory)
		(void)closedir(directory);
	free(arguments.text);
}

int cb_processes_find(const struct cb_processes *processes, const char *uuid)
{
	cb_vec_each (const struct cb_process, process, processes) {
		if (strcasecmp(process->uuid, uuid) == 0)
			return process->pid;
	}
	return 0;
}

bool cb_process_sees_peer(const char *proc, int socket)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct arguments arguments = {.text = cb_arena_alloc(&arena, ARGUMENTS_MAX)};
	struct ucred peer = {0};
	socklen_t size = sizeof(peer);

	/* The kernel says 0 of a process that is not in our namespace. */
	return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid > 0 &&
	       read_arguments(proc, cb_arena_printf(&arena, "%d", (int)peer.pid), &arguments);
}
