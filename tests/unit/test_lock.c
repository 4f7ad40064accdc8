/*
 * Locks: who may go on, what the others are told, and that a dead holder holds nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reconciler/base/clock.h"
#include "reconciler/journal/lock.h"

static char state[256];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int setup(void **unused)
{
	const char *tmp = getenv("TMPDIR");

	(void)unused;
	(void)snprintf(state, sizeof(state), "%s/cb-lock-XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(state) ? 0 : -1;
}

static int teardown(void **unused)
{
	(void)unused;
	(void)nftw(state, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static int take(const char *name, enum cb_lock_mode mode, unsigned timeout_ms, struct cb_lock *lock,
		struct cb_error *err)
{
	return cb_lock_take(state, name, mode, timeout_ms, "apply of vm 'dev'", lock, err);
}

/* Another process that holds a lock until it is told or killed. */
struct holder {
	pid_t pid;
	int tell;
};

static struct holder hold_in_child(const char *name, enum cb_lock_mode mode)
{
	int ready[2], tell[2];
	struct holder holder;
	char byte = 0;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
	holder.pid = fork();
	if (holder.pid == 0) {
		struct cb_lock lock = {.fd = -1};
		struct cb_error err = {0};

		(void)close(tell[1]);
		if (take(name, mode, 0, &lock, &err) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		(void)!read(tell[0], &byte, 1);
		cb_lock_release(&lock);
		_exit(0);
	}
	(void)close(ready[1]);
	(void)close(tell[0]);
	holder.tell = tell[1];
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	return holder;
}

static void end(struct holder *holder, int signal)
{
	if (signal)
		assert_int_equal(kill(holder->pid, signal), 0);
	(void)close(holder->tell);
	assert_int_equal(waitpid(holder->pid, NULL, 0), holder->pid);
}

static void only_sharers_go_together(void **unused)
{
	static const enum cb_lock_mode modes[] = {CB_LOCK_SHARED, CB_LOCK_EXCLUSIVE};

	(void)unused;
	for (int i = 0; i < 4; i++) {
		enum cb_lock_mode theirs = modes[i / 2], ours = modes[i % 2];
		struct holder holder = hold_in_child("vm", theirs);
		cb_auto_error struct cb_error err = {0};
		cb_auto_lock struct cb_lock lock = {.fd = -1}, other = {.fd = -1};
		int r = take("vm", ours, 0, &lock, &err);

		if (theirs == CB_LOCK_SHARED && ours == CB_LOCK_SHARED) {
			assert_int_equal(r, 0);
		} else {
			assert_int_equal(r, -CB_E_BUSY);
			assert_int_equal(lock.fd, -1);
			assert_non_null(err.hint);
		}
		/* Another name is another lock. */
		assert_int_equal(take("vm2", ours, 0, &other, &err), 0);
		end(&holder, 0);
	}
}

static void the_holder_is_named(void **unused)
{
	struct holder holder = hold_in_child("vm 'dev'", CB_LOCK_EXCLUSIVE);
	cb_auto_error struct cb_error err = {0};
	cb_auto_lock struct cb_lock lock = {.fd = -1};
	char want[128];

	(void)unused;
	assert_int_equal(take("vm 'dev'", CB_LOCK_EXCLUSIVE, 0, &lock, &err), -CB_E_BUSY);
	(void)snprintf(want, sizeof(want),
		       "vm 'dev' is locked by process %d (apply of vm 'dev', since 2", holder.pid);
	assert_memory_equal(err.message, want, strlen(want));
	assert_string_equal(err.message + strlen(err.message) - 2, "Z)");
	end(&holder, SIGKILL);
}

static void a_former_holder_is_not_named(void **unused)
{
	struct holder first = hold_in_child("vm", CB_LOCK_EXCLUSIVE), second;
	cb_auto_error struct cb_error err = {0};
	cb_auto_lock struct cb_lock lock = {.fd = -1};

	(void)unused;
	end(&first, SIGKILL);
	second = hold_in_child("vm", CB_LOCK_SHARED);
	assert_int_equal(take("vm", CB_LOCK_EXCLUSIVE, 0, &lock, &err), -CB_E_BUSY);
	assert_string_equal(err.message, "vm is locked by another run");
	end(&second, 0);
}

static void rubbish_in_the_file_does_no_harm(void **unused)
{
	static const char *const rubbish[] = {
		"",
		"\n",
		"{",
		"[]",
		"{\"pid\":1}",
		"{\"pid\":\"x\",\"start\":1}",
		"{\"pid\":1,\"start\":1,\"purpose\":\"p\",\"since\":\"s\"}",
		"{\"pid\":-1,\"start\":0,\"purpose\":\"p\",\"since\":\"s\"}",
		"{\"pid\":99999999,\"start\":0,\"purpose\":\"p\",\"since\":\"s\"}",
	};
	struct holder holder = hold_in_child("vm", CB_LOCK_EXCLUSIVE);
	char path[300];

	(void)unused;
	(void)snprintf(path, sizeof(path), "%s/locks/vm.lock", state);
	for (size_t i = 0; i < CB_COUNT(rubbish); i++) {
		cb_auto_error struct cb_error err = {0};
		cb_auto_lock struct cb_lock lock = {.fd = -1};
		FILE *f = fopen(path, "w");

		assert_non_null(f);
		assert_true(fputs(rubbish[i], f) >= 0);
		assert_int_equal(fclose(f), 0);
		assert_int_equal(take("vm", CB_LOCK_EXCLUSIVE, 0, &lock, &err), -CB_E_BUSY);
		assert_string_equal(err.message, "vm is locked by another run");
	}
	end(&holder, 0);
}

static void a_killed_holder_holds_nothing(void **unused)
{
	struct holder holder = hold_in_child("vm", CB_LOCK_EXCLUSIVE);
	cb_auto_error struct cb_error err = {0};
	cb_auto_lock struct cb_lock lock = {.fd = -1};

	(void)unused;
	end(&holder, SIGKILL);
	assert_int_equal(take("vm", CB_LOCK_EXCLUSIVE, 0, &lock, &err), 0);
}

static void a_lock_is_against_this_process_too(void **unused)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_lock struct cb_lock lock = {.fd = -1}, second = {.fd = -1};

	(void)unused;
	assert_int_equal(take("vm", CB_LOCK_EXCLUSIVE, 0, &lock, &err), 0);
	assert_int_equal(take("vm", CB_LOCK_EXCLUSIVE, 0, &second, &err), -CB_E_BUSY);
	cb_lock_release(&lock);
	assert_int_equal(lock.fd, -1);
	cb_lock_release(&lock);
	assert_int_equal(take("vm", CB_LOCK_EXCLUSIVE, 0, &second, &err), 0);
}

static void release_frees_it_although_a_child_has_it_open(void **unused)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_lock struct cb_lock lock = {.fd = -1};
	int go[2];
	pid_t pid;

	(void)unused;
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	assert_int_equal(take("vm", CB_LOCK_EXCLUSIVE, 0, &lock, &err), 0);
	assert_int_equal(fcntl(lock.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	pid = fork();
	if (pid == 0) {
		char byte;

		(void)close(go[1]);
		(void)!read(go[0], &byte, 1);
		_exit(0);
	}
	cb_lock_release(&lock);
	assert_int_equal(take("vm", CB_LOCK_EXCLUSIVE, 0, &lock, &err), 0);
	(void)close(go[0]);
	(void)close(go[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void waiting_ends_in_time(void **unused)
{
	struct holder holder = hold_in_child("vm", CB_LOCK_EXCLUSIVE);
	cb_auto_error struct cb_error err = {0};
	cb_auto_lock struct cb_lock lock = {.fd = -1};
	uint64_t start = cb_clock_ms(), waited;
	pid_t pid;

	(void)unused;
	assert_int_equal(take("vm", CB_LOCK_EXCLUSIVE, 200, &lock, &err), -CB_E_BUSY);
	waited = cb_clock_ms() - start;
	assert_true(waited >= 200 && waited < 5000);

	/* Who waits gets it as soon as it is free. */
	pid = fork();
	if (pid == 0) {
		cb_clock_sleep_ms(150);
		(void)kill(holder.pid, SIGKILL);
		_exit(0);
	}
	start = cb_clock_ms();
	assert_int_equal(take("vm", CB_LOCK_EXCLUSIVE, 20000, &lock, &err), 0);
	assert_true(cb_clock_ms() - start < 10000);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	end(&holder, 0);
}

static size_t files_in(const char *dir)
{
	struct dirent *entry;
	size_t n = 0;
	DIR *d = opendir(dir);

	assert_non_null(d);
	while ((entry = readdir(d)))
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	assert_int_equal(closedir(d), 0);
	return n;
}

static void names_stay_in_the_directory_and_apart(void **unused)
{
	char longest[3][4001], locks[300];
	const char *const names[] = {
		"",
		".",
		"..",
		"...",
		"../x",
		"..%2Fx",
		"%2E%2E%2Fx",
		"/etc/passwd",
		"a/b",
		"a%2Fb",
		"a_b",
		"a b",
		"a\nb",
		"%",
		"~",
		"vm",
		"VM",
		"vm.lock",
		"vm%",
		"d\xc3\xa9j\xc3\xa0",
		"d\xe9j\xe0",
		"\xff",
		"qemu:///system|local|dev",
		longest[0],
		longest[1],
		longest[2],
	};
	struct cb_lock held[CB_COUNT(names)];
	cb_auto_error struct cb_error err = {0};

	(void)unused;
	for (size_t i = 0; i < 3; i++) {
		memset(longest[i], i == 2 ? '/' : 'x', 4000);
		longest[i][3999] = i == 1 ? 'y' : 'x';
		longest[i][4000] = 0;
	}
	/* All of them can be held at once, so no two are one. */
	for (size_t i = 0; i < CB_COUNT(names); i++) {
		assert_int_equal(take(names[i], CB_LOCK_EXCLUSIVE, 0, &held[i], &err), 0);
		assert_true(held[i].fd >= 0);
	}
	(void)snprintf(locks, sizeof(locks), "%s/locks", state);
	assert_int_equal(files_in(locks), CB_COUNT(names));
	assert_int_equal(files_in(state), 1);
	for (size_t i = 0; i < CB_COUNT(names); i++) {
		struct cb_lock again;

		assert_int_equal(take(names[i], CB_LOCK_SHARED, 0, &again, &err), -CB_E_BUSY);
		cb_lock_release(&held[i]);
	}
	/* The files stay: removing one would let two runs hold two files of one name. */
	assert_int_equal(files_in(locks), CB_COUNT(names));
}

static void an_open_directory_is_refused(void **unused)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_lock struct cb_lock lock = {.fd = -1};

	(void)unused;
	assert_int_equal(chmod(state, 0777), 0);
	assert_int_equal(take("vm", CB_LOCK_SHARED, 0, &lock, &err), -CB_E_DENIED);
	assert_non_null(strstr(err.hint, "chmod go-w"));
	assert_int_equal(chmod(state, 0755), 0);
	assert_int_equal(take("vm", CB_LOCK_SHARED, 0, &lock, &err), 0);
}

static void a_link_is_not_followed(void **unused)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_lock struct cb_lock lock = {.fd = -1};
	char path[300];

	(void)unused;
	assert_int_equal(take("a", CB_LOCK_SHARED, 0, &lock, &err), 0);
	(void)snprintf(path, sizeof(path), "%s/locks/b.lock", state);
	assert_int_equal(symlink("a.lock", path), 0);
	cb_lock_release(&lock);
	assert_int_equal(take("b", CB_LOCK_SHARED, 0, &lock, &err), -CB_E_IO);
	assert_int_equal(lock.fd, -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(only_sharers_go_together),
		TEST(the_holder_is_named),
		TEST(a_former_holder_is_not_named),
		TEST(rubbish_in_the_file_does_no_harm),
		TEST(a_killed_holder_holds_nothing),
		TEST(a_lock_is_against_this_process_too),
		TEST(release_frees_it_although_a_child_has_it_open),
		TEST(waiting_ends_in_time),
		TEST(names_stay_in_the_directory_and_apart),
		TEST(an_open_directory_is_refused),
		TEST(a_link_is_not_followed),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("lock", tests, NULL, NULL);
}
