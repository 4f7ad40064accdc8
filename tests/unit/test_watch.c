/* Deadlines for sockets, and which socket a connection has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "reconciler/base/clock.h"
#include "reconciler/driver/libvirt/socket.h"
#include "reconciler/driver/libvirt/watch.h"

/* A watched socket and its other end. */
struct pair {
	int ours, theirs;
	struct cb_watch *watch;
};

static struct pair new_pair(void)
{
	struct pair pair;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	pair = (struct pair){ends[0], ends[1], cb_watch_new(dup(ends[0]))};
	assert_non_null(pair.watch);
	return pair;
}

static void free_pair(struct pair *pair)
{
	cb_watch_free(pair->watch);
	close(pair->ours);
	close(pair->theirs);
}

/* Waits as a call does; how long it took. */
static uint64_t wait_for_answer(const struct pair *pair)
{
	uint64_t begun = cb_clock_ms();
	char byte;

	assert_int_equal(recv(pair->ours, &byte, 1, 0), 0);
	return cb_clock_ms() - begun;
}

static void assert_works(const struct pair *pair)
{
	char byte;

	assert_int_equal(send(pair->theirs, "x", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(recv(pair->ours, &byte, 1, 0), 1);
	assert_int_equal(send(pair->ours, "x", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(recv(pair->theirs, &byte, 1, 0), 1);
}

static void test_expires(void **state)
{
	struct pair pair = new_pair();
	uint64_t took;

	(void)state;
	assert_false(cb_watch_expired(pair.watch));
	cb_watch_begin(pair.watch, 100);
	took = wait_for_answer(&pair);
	assert_in_range(took, 90, 2000);
	assert_true(cb_watch_expired(pair.watch));
	assert_true(cb_watch_end(pair.watch));
	/* It stays so. */
	cb_watch_begin(pair.watch, 1000);
	assert_true(cb_watch_end(pair.watch));
	free_pair(&pair);
}

static void test_in_time(void **state)
{
	struct pair pair = new_pair();

	(void)state;
	for (int i = 0; i < 3; i++) {
		cb_watch_begin(pair.watch, 50);
		assert_false(cb_watch_end(pair.watch));
	}
	cb_clock_sleep_ms(150);
	assert_works(&pair);
	cb_watch_begin(pair.watch, 0);
	cb_clock_sleep_ms(100);
	assert_works(&pair);
	assert_false(cb_watch_end(pair.watch));
	free_pair(&pair);
}

static void test_moves(void **state)
{
	struct pair pair = new_pair();

	(void)state;
	cb_watch_begin(pair.watch, 400);
	for (int i = 0; i < 8; i++) {
		cb_clock_sleep_ms(100);
		cb_watch_moved(pair.watch);
	}
	assert_works(&pair);
	assert_false(cb_watch_expired(pair.watch));
	assert_in_range(wait_for_answer(&pair), 200, 3000);
	assert_true(cb_watch_end(pair.watch));
	free_pair(&pair);
}

static void test_holds(void **state)
{
	struct pair pair = new_pair();

	(void)state;
	cb_watch_begin(pair.watch, 80);
	cb_watch_hold(pair.watch);
	cb_clock_sleep_ms(250);
	assert_false(cb_watch_expired(pair.watch));
	cb_watch_moved(pair.watch);
	assert_in_range(wait_for_answer(&pair), 60, 2000);
	assert_true(cb_watch_end(pair.watch));
	/* A move after the end begins nothing. */
	free_pair(&pair);
	pair = new_pair();
	cb_watch_begin(pair.watch, 50);
	assert_false(cb_watch_end(pair.watch));
	cb_watch_moved(pair.watch);
	cb_clock_sleep_ms(150);
	assert_works(&pair);
	free_pair(&pair);
}

static void test_shortest_first(void **state)
{
	struct pair slow = new_pair(), quick = new_pair();

	(void)state;
	cb_watch_begin(slow.watch, 60000);
	cb_clock_sleep_ms(50);
	cb_watch_begin(quick.watch, 100);
	assert_in_range(wait_for_answer(&quick), 80, 2000);
	assert_true(cb_watch_end(quick.watch));
	assert_works(&slow);
	assert_false(cb_watch_end(slow.watch));
	free_pair(&slow);
	free_pair(&quick);
}

/* The owner of the connection closes it, and the number becomes somebody else's. */
static void test_reused_number(void **state)
{
	struct pair pair = new_pair();
	int other[2];

	(void)state;
	cb_watch_begin(pair.watch, 100);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
	assert_int_equal(dup2(other[0], pair.ours), pair.ours);
	cb_clock_sleep_ms(300);
	assert_true(cb_watch_end(pair.watch));
	assert_works(&(struct pair){.ours = pair.ours, .theirs = other[1]});
	close(other[0]);
	close(other[1]);
	free_pair(&pair);
}

static void test_none(void **state)
{
	(void)state;
	assert_null(cb_watch_new(-1));
	cb_watch_begin(NULL, 1);
	cb_watch_moved(NULL);
	cb_watch_hold(NULL);
	assert_false(cb_watch_expired(NULL));
	assert_false(cb_watch_end(NULL));
	cb_watch_free(NULL);
}

/* Which socket. -------------------------------------------------------------------------------- */

/* A server, at a path or on the loopback. */
struct server {
	int fd;
	struct sockaddr_storage address;
	socklen_t len;
};

static struct server listen_at(int family)
{
	struct server server = {.fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)};

	if (family == AF_UNIX) {
		struct sockaddr_un *address = (struct sockaddr_un *)(void *)&server.address;
		char path[] = "/tmp/cb-watch-XXXXXX";

		assert_non_null(mkdtemp(path));
		address->sun_family = AF_UNIX;
		(void)snprintf(address->sun_path, sizeof(address->sun_path), "%s/some-sock", path);
		server.len = sizeof(*address);
	} else {
		struct sockaddr_in *address = (struct sockaddr_in *)(void *)&server.address;

		address->sin_family = AF_INET;
		address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		server.len = sizeof(*address);
	}
	assert_int_equal(bind(server.fd, (struct sockaddr *)&server.address, server.len), 0);
	assert_int_equal(listen(server.fd, 16), 0);
	assert_int_equal(getsockname(server.fd, (struct sockaddr *)&server.address, &server.len),
			 0);
	return server;
}

static void stop_server(struct server *server)
{
	struct sockaddr_un *address = (struct sockaddr_un *)(void *)&server->address;

	close(server->fd);
	if (server->address.ss_family != AF_UNIX)
		return;
	(void)unlink(address->sun_path);
	*strrchr(address->sun_path, '/') = '\0';
	(void)rmdir(address->sun_path);
}

static int connect_to(const struct server *server)
{
	int fd = socket(server->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&server->address, server->len), 0);
	return fd;
}

/* Whether `found` is another name of `fd`; ends both. */
static void assert_same_socket(int found, int fd)
{
	char byte;

	assert_true(found >= 0);
	assert_int_not_equal(found, fd);
	assert_int_equal(shutdown(found, SHUT_RDWR), 0);
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
	cb_socket_forget(found);
	close(found);
	close(fd);
}

static void test_kinds(void **state)
{
	static const struct {
		const char *uri;
		enum cb_socket_kind kind;
	} rows[] = {
		{"qemu:///system", CB_SOCKET_UNIX},
		{"qemu:///session", CB_SOCKET_UNIX},
		{"qemu:///embed?root=/tmp/x", CB_SOCKET_NONE},
		{"qemu+unix:///system?socket=/run/x/libvirt-sock", CB_SOCKET_UNIX},
		{"qemu+ssh://ops@lab/system", CB_SOCKET_PAIR},
		{"qemu+ext:///system?command=/bin/x", CB_SOCKET_PAIR},
		{"qemu+libssh2://lab/system", CB_SOCKET_INET},
		{"qemu+tls://lab/system", CB_SOCKET_INET},
		{"qemu+tcp://lab/system", CB_SOCKET_INET},
		{"qemu://lab/system", CB_SOCKET_INET},
		{"test+unix:///default", CB_SOCKET_UNIX},
		{"test:///default", CB_SOCKET_NONE},
		{"esx://lab/", CB_SOCKET_NONE},
		{"", CB_SOCKET_NONE},
		{"::", CB_SOCKET_NONE},
	};

	(void)state;
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		if (cb_socket_kind_of(rows[i].uri) != rows[i].kind)
			fail_msg("'%s' is of kind %d", rows[i].uri, cb_socket_kind_of(rows[i].uri));
	}
}

/* Among sockets of every kind that come in between. */
static void test_found(void **state)
{
	struct server local = listen_at(AF_UNIX), far = listen_at(AF_INET);
	struct cb_socket_search search;
	int pair[2], fds[2], alone;

	(void)state;
	for (enum cb_socket_kind kind = CB_SOCKET_UNIX; kind <= CB_SOCKET_INET; kind++) {
		int before = connect_to(&local), before_far = connect_to(&far), found;

		cb_socket_before(&search);
		fds[0] = connect_to(&local);
		fds[1] = connect_to(&far);
		alone = socket(AF_UNIX, SOCK_STREAM, 0);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		/* The other end is a program's. */
		if (kind == CB_SOCKET_PAIR) {
			close(pair[1]);
			close(pair[0]);
			assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
			close(pair[1]);
			pair[1] = -1;
		}
		found = cb_socket_after(&search, kind);
		assert_same_socket(found, kind == CB_SOCKET_UNIX   ? fds[0]
					  : kind == CB_SOCKET_INET ? fds[1]
								   : pair[0]);
		if (kind != CB_SOCKET_UNIX)
			close(fds[0]);
		if (kind != CB_SOCKET_INET)
			close(fds[1]);
		if (kind != CB_SOCKET_PAIR) {
			close(pair[0]);
			close(pair[1]);
		}
		close(before);
		close(before_far);
		close(alone);
	}
	stop_server(&local);
	stop_server(&far);
}

static void test_not_told(void **state)
{
	struct server local = listen_at(AF_UNIX);
	struct cb_socket_search search;
	int one, other;

	(void)state;
	cb_socket_before(&search);
	assert_int_equal(cb_socket_after(&search, CB_SOCKET_UNIX), CB_SOCKET_UNKNOWN);
	cb_socket_before(&search);
	one = connect_to(&local);
	assert_int_equal(cb_socket_after(&search, CB_SOCKET_NONE), CB_SOCKET_UNKNOWN);
	cb_socket_before(&search);
	other = connect_to(&local);
	close(one);
	one = connect_to(&local);
	assert_int_equal(cb_socket_after(&search, CB_SOCKET_UNIX), CB_SOCKET_AMBIGUOUS);
	close(one);
	close(other);
	stop_server(&local);
}

/* A connection that is stuck loses its turn, and neither takes the other's socket. */
static void test_overtaken(void **state)
{
	struct server local = listen_at(AF_UNIX);
	struct cb_socket_search stuck, next;
	int first, second, found_first, found_second;
	uint64_t begun;

	(void)state;
	cb_socket_before(&stuck);
	first = connect_to(&local);
	begun = cb_clock_ms();
	cb_socket_before(&next);
	assert_in_range(cb_clock_ms() - begun, 20, 2000);
	second = connect_to(&local);
	found_second = cb_socket_after(&next, CB_SOCKET_UNIX);
	found_first = cb_socket_after(&stuck, CB_SOCKET_UNIX);
	assert_same_socket(found_second, second);
	assert_same_socket(found_first, first);
	/* And the turn is free again. */
	begun = cb_clock_ms();
	cb_socket_before(&next);
	assert_true(cb_clock_ms() - begun < 90);
	assert_int_equal(cb_socket_after(&next, CB_SOCKET_NONE), CB_SOCKET_UNKNOWN);
	stop_server(&local);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expires),        cmocka_unit_test(test_in_time),
		cmocka_unit_test(test_moves),          cmocka_unit_test(test_holds),
		cmocka_unit_test(test_shortest_first), cmocka_unit_test(test_reused_number),
		cmocka_unit_test(test_none),           cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_found),          cmocka_unit_test(test_not_told),
		cmocka_unit_test(test_overtaken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
