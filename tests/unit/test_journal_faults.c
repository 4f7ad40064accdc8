/*
 * What a system call may do to a journal short of the machine dying: be interrupted, write or read
 * one byte of many, find no room, report a broken disk. Each of the calls that a transaction makes,
 * from its begin to its close and the next run's look, meets each of them in turn.
 *
 * Interrupted and short calls must not be noticed by anybody. After an error the caller knows: what
 * it was told is durable can be read afterwards, what it was not told may be there or not, and the
 * next run, on a healthy disk, can end the transaction. (Deaths at any effect are in test_journal,
 * lost syncs in test_journal_cuts.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "reconciler/base/fs.h"
#include "reconciler/journal/journal.h"

#define ID   "0b9f6f4e-0000-4000-8000-000000000001"
#define TEXT "<domain><name>before</name></domain>"

enum fault { NONE, INTERRUPTED, SHORT, NO_ROOM, BROKEN, UNKNOWN_FLAG, BELIED, FAULTS };

static const char *const fault_names[FAULTS] = {
	"none",         "interrupted",          "short", "no room", "broken",
	"unknown flag", "done, but told broken"};

static struct {
	enum fault fault;
	int at;        /* which call, from 1 */
	int seen;      /* so far */
	bool met;      /* the call at `at` can have such a fault, and had it */
	char what[80]; /* which call it was */
} host;

static char state[256];

/* Whether this is the call that meets the fault. Calls that create nothing, change nothing and read
 * nothing are not asked for. */
static bool meets(const char *what, bool applies)
{
	if (++host.seen != host.at)
		return false;
	(void)snprintf(host.what, sizeof(host.what), "call %d, %s", host.at, what);
	host.met = applies;
	return applies;
}

static long fails(int errnum)
{
	errno = errnum;
	return -1;
}

static bool is_error(void)
{
	return host.fault == NO_ROOM || host.fault == BROKEN;
}

static int error_number(void)
{
	return host.fault == NO_ROOM ? ENOSPC : EIO;
}

/* These stand in for those of libc. -------------------------------------------------------------
 */

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	bool meet = meets("pwrite", is_error() || host.fault == INTERRUPTED ||
					    (host.fault == SHORT && len > 1));

	if (meet && host.fault == INTERRUPTED)
		return fails(EINTR);
	/* Full in the middle of a write: a part of it is there, the rest is refused. */
	if (meet && host.fault == NO_ROOM && len > 1) {
		if (syscall(SYS_pwrite64, fd, bytes, len / 2, offset) < 0)
			return -1;
		return fails(ENOSPC);
	}
	if (meet && is_error())
		return fails(error_number());
	return syscall(SYS_pwrite64, fd, bytes, meet ? 1 : len, offset);
}

static ssize_t read_some(const char *what, int fd, void *bytes, size_t len, const off_t *offset)
{
	bool meet = meets(what, host.fault == BROKEN || host.fault == INTERRUPTED ||
					(host.fault == SHORT && len > 1));

	if (meet && host.fault != SHORT)
		return fails(host.fault == BROKEN ? EIO : EINTR);
	len = meet ? 1 : len;
	return offset ? syscall(SYS_pread64, fd, bytes, len, *offset)
		      : syscall(SYS_read, fd, bytes, len);
}

ssize_t read(int fd, void *bytes, size_t len)
{
	return read_some("read", fd, bytes, len, NULL);
}

ssize_t pread(int fd, void *bytes, size_t len, off_t offset)
{
	return read_some("pread", fd, bytes, len, &offset);
}

int posix_fallocate(int fd, off_t offset, off_t len)
{
	if (meets("fallocate", is_error() || host.fault == INTERRUPTED))
		return host.fault == INTERRUPTED ? EINTR : error_number();
	return syscall(SYS_fallocate, fd, 0, offset, len) < 0 ? errno : 0;
}

/* A sync may say that there is no room, where blocks are allocated late. */
int fdatasync(int fd)
{
	return (int)(meets("fdatasync", is_error()) ? fails(error_number())
						    : syscall(SYS_fdatasync, fd));
}

int fsync(int fd)
{
	return (int)(meets("fsync", is_error()) ? fails(error_number()) : syscall(SYS_fsync, fd));
}

int ftruncate(int fd, off_t size)
{
	return (int)(meets("ftruncate", is_error()) ? fails(error_number())
						    : syscall(SYS_ftruncate, fd, size));
}

/* As a file system over a network does, whose server has done it and does not say so. */
static int belied(long r)
{
	return (int)(r < 0 ? r : fails(EIO));
}

int rename(const char *from, const char *to)
{
	if (meets("rename", is_error() || host.fault == BELIED))
		return host.fault != BELIED
			       ? (int)fails(error_number())
			       : belied(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	if (meets("renameat2", is_error() || host.fault == UNKNOWN_FLAG || host.fault == BELIED)) {
		if (host.fault == BELIED)
			return belied(syscall(SYS_renameat2, from_dir, from, to_dir, to, flags));
		return (int)fails(host.fault == UNKNOWN_FLAG ? EINVAL : error_number());
	}
	return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

int unlink(const char *path)
{
	return (int)(meets("unlink", host.fault == BROKEN)
			     ? fails(EIO)
			     : syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

int mkdir(const char *path, mode_t mode)
{
	return (int)(meets("mkdir", is_error()) ? fails(error_number())
						: syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

/* A transaction, as far as it comes. --------------------------------------------------------------
 */

enum { CREATED = 1, SAVED, INTENDED, PROGRESSED, DONE, FINISHED };

static json_t *detail(void)
{
	return json_pack("{s:s}", "text", "0123456789012345678901234567890123456789");
}

/* Returns how much of it was said to be durable. */
static int run(struct cb_error *err)
{
	json_auto_t *object = detail();
	struct cb_journal *j = NULL;
	int known = 0;
	int r = cb_journal_create(state, ID, object, object,
				  (struct cb_journal_room){.steps = 2, .progress = 2}, &j, err);

	if (r == 0) {
		known = CREATED;
		r = cb_journal_save(j, 1, TEXT, strlen(TEXT), err);
	}
	if (r == 0) {
		known = SAVED;
		r = cb_journal_step(j, CB_RECORD_INTENT, 1, NULL, err);
	}
	if (r == 0) {
		known = INTENDED;
		r = cb_journal_step(j, CB_RECORD_PROGRESS, 1, object, err);
	}
	if (r == 0) {
		known = PROGRESSED;
		r = cb_journal_step(j, CB_RECORD_DONE, 1, object, err);
	}
	if (r == 0) {
		known = DONE;
		r = cb_journal_finish(j, "committed", err);
	}
	if (r == 0)
		known = FINISHED;
	cb_journal_free(j);
	return known;
}

/* What another run sees, which may itself meet the fault: the same error handling, then a look. */
static int look(int known, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_str struct cb_str text = {0};
	struct cb_journal_ids ids = {0};
	struct cb_journal *j = NULL;
	int r = cb_journal_list(state, known == FINISHED ? CB_JOURNALS_CLOSED : CB_JOURNALS_OPEN,
				&arena, &ids, err);

	if (r == 0 && known == FINISHED)
		assert_int_equal(ids.len, 1);
	if (r == 0 && ids.len == 1)
		r = cb_journal_open(state, ID, &j, err);
	if (r == 0 && j && known != FINISHED && cb_journal_outcome(j) == NULL && known >= SAVED) {
		r = cb_journal_load(j, 1, &text, err);
		if (r == 0)
			assert_string_equal(text.text, TEXT);
	}
	if (r == 0 && j) {
		if (known >= DONE)
			assert_int_equal(cb_journal_state(j, 1), CB_STEP_DONE);
		else if (known >= INTENDED)
			assert_int_not_equal(cb_journal_state(j, 1), CB_STEP_UNTOUCHED);
		/* A `done` that nobody was told of may be there: then progress is of no interest.
		 */
		if (known >= PROGRESSED && cb_journal_state(j, 1) == CB_STEP_INTENDED)
			assert_non_null(cb_journal_progress(j, 1, 0));
		if (known == FINISHED)
			assert_string_equal(cb_journal_outcome(j), "committed");
	}
	cb_journal_free(j);
	return r;
}

/* On a healthy disk: what is open can be ended, and nothing is left of it. */
static void end(int known)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};
	struct cb_journal_ids ids = {0};
	struct cb_journal *j = NULL;
	char path[sizeof(state) + 128];

	assert_int_equal(look(known, &err), 0);
	assert_int_equal(cb_journal_list(state, CB_JOURNALS_OPEN, &arena, &ids, &err), 0);
	/* A close that nobody was told of. */
	if (known >= CREATED && ids.len == 0)
		assert_int_equal(cb_journal_list(state, CB_JOURNALS_CLOSED, &arena, &ids, &err), 0);
	/* What could not be begun is not there. */
	assert_int_equal(ids.len, known >= CREATED);
	if (ids.len == 1) {
		assert_int_equal(cb_journal_open(state, ID, &j, &err), 0);
		assert_int_equal(cb_journal_finish(j, "committed", &err), 0);
		cb_journal_free(j);
	}
	(void)snprintf(path, sizeof(path), "%s/journal/%s.d", state, ID);
	assert_int_not_equal(access(path, F_OK), 0);
	(void)snprintf(path, sizeof(path), "%s/journal/%s.cbj", state, ID);
	assert_int_not_equal(access(path, F_OK), 0);
}

/* --- a state directory of its own for each try --- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void begin(enum fault fault, int at)
{
	const char *tmp = getenv("TMPDIR");

	memset(&host, 0, sizeof(host));
	(void)snprintf(state, sizeof(state), "%s/cb-faults-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(state));
	host.fault = fault;
	host.at = at;
}

static void healthy(void)
{
	host.fault = NONE;
	host.at = 0;
}

static void remove_state(void)
{
	healthy();
	(void)nftw(state, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- the tests --- */

/* How many calls there are without a fault: run, then look. */
static void count_calls(int *of_run, int *of_look)
{
	cb_auto_error struct cb_error err = {0};

	begin(NONE, 0);
	assert_int_equal(run(&err), FINISHED);
	*of_run = host.seen;
	assert_int_equal(look(FINISHED, &err), 0);
	*of_look = host.seen;
	remove_state();
}

/* Nobody may notice. Returns at how many calls there was one to be noticed. */
static int unnoticed(enum fault fault)
{
	int of_run, of_look, met = 0;

	count_calls(&of_run, &of_look);
	/* A few more, since a call that is done in parts is more than one. */
	for (int at = 1; at <= of_look + 4; at++) {
		cb_auto_error struct cb_error err = {0};
		int known;

		begin(fault, at);
		known = run(&err);
		if (known != FINISHED)
			fail_msg("%s at %s: %s", fault_names[fault], host.what, err.message);
		if (look(known, &err) < 0)
			fail_msg("%s at %s: %s", fault_names[fault], host.what, err.message);
		met += host.met;
		remove_state();
	}
	return met;
}

static void interrupted_calls_are_made_again(void **unused)
{
	(void)unused;
	assert_in_range(unnoticed(INTERRUPTED), 8, 1000);
}

static void short_calls_are_gone_on_with(void **unused)
{
	(void)unused;
	assert_in_range(unnoticed(SHORT), 7, 1000);
}

/* As on NFS: then the name is given in two calls. */
static void a_file_system_without_exclusive_renames_is_fine(void **unused)
{
	(void)unused;
	assert_int_equal(unnoticed(UNKNOWN_FLAG), 1);
}

static int noticed(enum fault fault)
{
	int of_run, of_look, met = 0;

	count_calls(&of_run, &of_look);
	for (int at = 1; at <= of_run; at++) {
		cb_auto_error struct cb_error err = {0};
		int known;

		begin(fault, at);
		known = run(&err);
		healthy();
		/* Told, or of no consequence: an error that nobody is told of loses nothing, as
		 * `end` finds. */
		if (known < FINISHED) {
			assert_true(host.met);
			if (err.code != CB_E_IO || !err.hint)
				fail_msg("%s at %s: %s (%s)", fault_names[fault], host.what,
					 err.message, err.hint ? err.hint : "no hint");
			assert_int_equal(err.sys_errno, fault == NO_ROOM ? ENOSPC : EIO);
			met++;
		}
		end(known);
		remove_state();
	}
	return met;
}

static void no_room_is_told_and_loses_nothing(void **unused)
{
	(void)unused;
	assert_in_range(noticed(NO_ROOM), 20, 1000);
}

static void a_broken_disk_is_told_and_loses_nothing(void **unused)
{
	(void)unused;
	assert_in_range(noticed(BROKEN), 20, 1000);
}

static void a_rename_that_was_done_all_the_same_loses_nothing(void **unused)
{
	(void)unused;
	assert_in_range(noticed(BELIED), 2, 1000);
}

/* The next run meets it: it says so, and the one after that finds all of it. */
static void a_look_that_fails_changes_nothing(void **unused)
{
	int of_run, of_look, met = 0;

	(void)unused;
	count_calls(&of_run, &of_look);
	for (int at = 1; at <= of_look - of_run; at++) {
		cb_auto_error struct cb_error err = {0};
		int known, r;

		begin(NONE, 0);
		known = run(&err);
		host.fault = BROKEN;
		host.seen = 0;
		host.at = at;
		r = look(known, &err);
		met += r < 0;
		if (r < 0)
			assert_int_equal(err.code, CB_E_IO);
		healthy();
		end(known);
		remove_state();
	}
	assert_in_range(met, 1, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interrupted_calls_are_made_again),
		cmocka_unit_test(short_calls_are_gone_on_with),
		cmocka_unit_test(a_file_system_without_exclusive_renames_is_fine),
		cmocka_unit_test(no_room_is_told_and_loses_nothing),
		cmocka_unit_test(a_broken_disk_is_told_and_loses_nothing),
		cmocka_unit_test(a_rename_that_was_done_all_the_same_loses_nothing),
		cmocka_unit_test(a_look_that_fails_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
