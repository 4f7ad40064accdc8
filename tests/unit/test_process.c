/* Which processes are emulators, and of which machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reconciler/driver/libvirt/process.h"

#define UUID "0f9f5f5e-3a3c-4f2e-a2a9-4e5d3d3a2b10"

static char proc[] = "/tmp/cb-proc-XXXXXX";

static int begin(void **state)
{
	(void)state;
	(void)snprintf(proc, sizeof(proc), "/tmp/cb-proc-XXXXXX");
	return mkdtemp(proc) ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int end(void **state)
{
	(void)state;
	return nftw(proc, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* An entry of /proc; the arguments end with a NUL each. */
static void add(const char *entry, const char *arguments, size_t len)
{
	char path[128];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", proc, entry);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/%s/cmdline", proc, entry);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(arguments, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

#define ADD(entry, arguments) add(entry, arguments, sizeof(arguments))

static int found(const char *uuid)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_processes processes = {0};

	cb_processes_read(&arena, proc, &processes);
	return cb_processes_find(&processes, uuid);
}

static void an_emulator_is_found(void **state)
{
	(void)state;
	ADD("1", "/sbin/init");
	ADD("815", "/usr/bin/qemu-system-x86_64\0-name\0guest=db,debug-threads=on\0-S\0-uuid\0" UUID
		   "\0-no-user-config");
	assert_int_equal(found(UUID), 815);
	assert_int_equal(found("0F9F5F5E-3A3C-4F2E-A2A9-4E5D3D3A2B10"), 815);
	assert_int_equal(found("0f9f5f5e-3a3c-4f2e-a2a9-4e5d3d3a2b11"), 0);
}

static void what_only_speaks_of_it_is_none(void **state)
{
	(void)state;
	ADD("10", "grep\0-uuid " UUID);
	ADD("11", "grep\0-r\0-name guest=db -uuid " UUID);
	ADD("12", "pgrep\0-f\0" UUID);
	ADD("13", "tool\0-uuid\0" UUID);
	ADD("14", "tool\0-name\0guest=db\0-uuid\0" UUID "0");
	ADD("15", "tool\0-name\0guest=db\0--uuid=" UUID);
	ADD("16", "tool\0-name\0db\0-uuid\0" UUID);
	ADD("17", "tool\0-name\0guest=db\0-uuid");
	ADD("18", "");
	add("19", "", 0);
	ADD("self", "qemu\0-name\0guest=db\0-uuid\0" UUID);
	assert_int_equal(found(UUID), 0);
}

/* A process that ends while it is looked at has no arguments, or no entry any more. */
static void what_cannot_be_read_is_left_out(void **state)
{
	char path[128];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/20", proc);
	assert_int_equal(mkdir(path, 0700), 0);
	ADD("21", "qemu\0-uuid\0" UUID "\0-name\0guest=db");
	assert_int_equal(found(UUID), 21);
	assert_int_equal(nftw(proc, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
	assert_int_equal(found(UUID), 0);
	assert_int_equal(mkdir(proc, 0700), 0);
}

static void a_long_command_line_is_read_whole(void **state)
{
	static char arguments[200000];
	const char tail[] = "-name\0guest=db\0-uuid\0" UUID;

	(void)state;
	memset(arguments, 'x', sizeof(arguments) - sizeof(tail) - 1);
	memcpy(arguments + sizeof(arguments) - sizeof(tail), tail, sizeof(tail));
	add("30", arguments, sizeof(arguments));
	assert_int_equal(found(UUID), 30);
}

static void the_other_end_of_a_socket_is_seen(void **state)
{
	char entry[32];
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_true(cb_process_sees_peer("/proc", ends[0]));
	/* Hidden, or in another place. */
	assert_false(cb_process_sees_peer(proc, ends[0]));
	(void)snprintf(entry, sizeof(entry), "%d", (int)getpid());
	ADD(entry, "libvirtd");
	assert_true(cb_process_sees_peer(proc, ends[0]));
	assert_false(cb_process_sees_peer("/proc", -1));
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_emulator_is_found, begin, end),
		cmocka_unit_test_setup_teardown(what_only_speaks_of_it_is_none, begin, end),
		cmocka_unit_test_setup_teardown(what_cannot_be_read_is_left_out, begin, end),
		cmocka_unit_test_setup_teardown(a_long_command_line_is_read_whole, begin, end),
		cmocka_unit_test_setup_teardown(the_other_end_of_a_socket_is_seen, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
