#include "reconciler/driver/libvirt/socket.h"

#include <dirent.h>
#include <fcntl.h>
#include <libxml/uri.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "reconciler/base/clock.h"
#include "reconciler/base/error.h"

/* A turn lasts longer than it takes to make a socket; who shares one with a stuck connection is
 * told apart by what was there before. */
enum { TURN_MS = 100, LOOKS = 20, LOOK_PAUSE_MS = 10 };

static struct {
	pthread_mutex_t mutex;
	unsigned turn; /* the last one that was given */
	bool taken;
	uint64_t since;
	struct cb_socket_id *claimed; /* found by a search, not forgotten */
	size_t n_claimed, cap;
} all = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Turns. --------------------------------------------------------------------------------------- */

static unsigned take_turn(void)
{
	enum { PAUSE_MS = 2 };

	for (;;) {
		uint64_t now = cb_clock_ms();
		unsigned turn = 0;

		(void)pthread_mutex_lock(&all.mutex);
		if (!all.taken || now >= all.since + TURN_MS) {
			all.taken = true;
			all.since = now;
			turn = ++all.turn;
		}
		(void)pthread_mutex_unlock(&all.mutex);
		if (turn)
			return turn;
		cb_clock_sleep_ms(PAUSE_MS);
	}
}

static void give_turn(unsigned turn)
{
	(void)pthread_mutex_lock(&all.mutex);
	if (all.turn == turn)
		all.taken = false;
	(void)pthread_mutex_unlock(&all.mutex);
}

/* Sockets of this process. --------------------------------------------------------------------- */

static bool identify(int fd, struct cb_socket_id *out)
{
	struct stat status;

	if (fstat(fd, &status) < 0 || !S_ISSOCK(status.st_mode))
		return false;
	*out = (struct cb_socket_id){status.st_dev, status.st_ino};
	return true;
}

static bool same(const struct cb_socket_id *one, const struct cb_socket_id *other)
{
	return one->device == other->device && one->inode == other->inode;
}

static bool is_of_kind(int fd, enum cb_socket_kind kind)
{
	struct sockaddr_storage peer = {0};
	socklen_t len = sizeof(peer), size = sizeof(int);
	int type;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM ||
	    getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
		return false;
	switch (kind) {
	case CB_SOCKET_NONE:
		return false;
	case CB_SOCKET_UNIX:
		return peer.ss_family == AF_UNIX && len > offsetof(struct sockaddr_un, sun_path);
	case CB_SOCKET_PAIR:
		return peer.ss_family == AF_UNIX && len <= offsetof(struct sockaddr_un, sun_path);
	case CB_SOCKET_INET:
		return peer.ss_family == AF_INET || peer.ss_family == AF_INET6;
	}
	return false;
}

/* Each descriptor that is a socket, until `see` says stop. False if they cannot be listed. */
static bool each_socket(bool (*see)(void *ctx, int fd, const struct cb_socket_id *id), void *ctx)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;

	if (!dir)
		return false;
	while ((entry = readdir(dir))) {
		struct cb_socket_id id;
		char *end;
		long fd = strtol(entry->d_name, &end, 10);

		if (end != entry->d_name && !*end && identify((int)fd, &id) &&
		    !see(ctx, (int)fd, &id))
			break;
	}
	(void)closedir(dir);
	return true;
}

static bool note(void *ctx, int fd, const struct cb_socket_id *id)
{
	struct cb_socket_search *search = ctx;

	(void)fd;
	cb_vec_push(&search->arena, &search->before, *id);
	return true;
}

/* What may be ours. */
struct found {
	const struct cb_socket_search *search;
	enum cb_socket_kind kind;
	int fd; /* of ours, a duplicate; -1 before the first one */
	struct cb_socket_id id;
	bool several;
};

static bool is_known(const struct cb_socket_search *search, const struct cb_socket_id *id)
{
	cb_vec_each (const struct cb_socket_id, before, &search->before) {
		if (same(before, id))
			return true;
	}
	for (size_t i = 0; i < all.n_claimed; i++) {
		if (same(&all.claimed[i], id))
			return true;
	}
	return false;
}

/* The number may be somebody else's by now: what counts is what the duplicate is. */
static bool consider(void *ctx, int fd, const struct cb_socket_id *id)
{
	struct found *found = ctx;
	struct cb_socket_id now;
	int copy;

	if (is_known(found->search, id) || (found->fd >= 0 && same(&found->id, id)))
		return true;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (copy < 0)
		return true;
	if (!identify(copy, &now) || !same(&now, id) || !is_of_kind(copy, found->kind)) {
		(void)close(copy);
		return true;
	}
	if (found->fd >= 0) {
		(void)close(copy);
		found->several = true;
		return false;
	}
	found->fd = copy;
	found->id = now;
	return true;
}

static void claim(const struct cb_socket_id *id)
{
	if (all.n_claimed == all.cap) {
		all.cap = all.cap ? 2 * all.cap : 16;
		all.claimed = realloc(all.claimed, all.cap * sizeof(*all.claimed));
		if (!all.claimed)
			cb_oom();
	}
	all.claimed[all.n_claimed++] = *id;
}

static int look(const struct cb_socket_search *search, enum cb_socket_kind kind)
{
	struct found found = {.search = search, .kind = kind, .fd = CB_SOCKET_UNKNOWN};

	(void)pthread_mutex_lock(&all.mutex);
	(void)each_socket(consider, &found);
	if (found.fd >= 0 && found.several) {
		(void)close(found.fd);
		found.fd = CB_SOCKET_AMBIGUOUS;
	} else if (found.fd >= 0) {
		claim(&found.id);
	}
	(void)pthread_mutex_unlock(&all.mutex);
	return found.fd;
}

/* The search. ---------------------------------------------------------------------------------- */

enum cb_socket_kind cb_socket_kind_of(const char *uri)
{
	/* Without a transport these are remote too, but for QEMU within the program. */
	static const char *const daemons[] = {"qemu", "lxc", "xen", "ch"};
	xmlURIPtr parsed = xmlParseURI(uri);
	const char *plus = parsed && parsed->scheme ? strchr(parsed->scheme, '+') : NULL;
	bool server = parsed && parsed->server && *parsed->server;
	enum cb_socket_kind kind = CB_SOCKET_NONE;

	if (plus && (strcmp(plus, "+ssh") == 0 || strcmp(plus, "+ext") == 0))
		kind = CB_SOCKET_PAIR;
	else if (plus)
		kind = strcmp(plus, "+unix") == 0 ? CB_SOCKET_UNIX : CB_SOCKET_INET;
	for (size_t i = 0; i < CB_COUNT(daemons) && parsed && parsed->scheme && !plus; i++) {
		if (strcmp(parsed->scheme, daemons[i]) != 0 ||
		    (parsed->path && strcmp(parsed->path, "/embed") == 0))
			continue;
		kind = server ? CB_SOCKET_INET : CB_SOCKET_UNIX;
	}
	xmlFreeURI(parsed);
	return kind;
}

void cb_socket_before(struct cb_socket_search *search)
{
	*search = (struct cb_socket_search){.turn = take_turn()};
	(void)each_socket(note, search);
}

int cb_socket_after(struct cb_socket_search *search, enum cb_socket_kind kind)
{
	int fd = CB_SOCKET_UNKNOWN;

	/* Those of others that connect at the same time are sorted out when they are claimed. */
	for (int i = 0; kind != CB_SOCKET_NONE && i < LOOKS; i++) {
		if (i > 0)
			cb_clock_sleep_ms(LOOK_PAUSE_MS);
		fd = look(search, kind);
		if (fd != CB_SOCKET_AMBIGUOUS)
			break;
	}
	give_turn(search->turn);
	cb_arena_release(&search->arena);
	return fd;
}

void cb_socket_forget(int fd)
{
	struct cb_socket_id id;

	if (fd < 0 || !identify(fd, &id))
		return;
	(void)pthread_mutex_lock(&all.mutex);
	for (size_t i = 0; i < all.n_claimed; i++) {
		if (same(&all.claimed[i], &id)) {
			all.claimed[i] = all.claimed[--all.n_claimed];
			break;
		}
	}
	(void)pthread_mutex_unlock(&all.mutex);
}
