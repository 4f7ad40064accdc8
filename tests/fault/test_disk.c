/*
 * The disk under the state directory fails: in each scenario the n-th effect on its files is
 *refused (broken, full), or done and reported as refused (broken), for n = 1, 2, ... until the
 *scenario is through before its turn comes. The run says so, or it did not matter. What is closed
 *is old or new; what nobody can know stays open, with all that was made for it; and the next run,
 *on a sound disk, must bring everything to what an undisturbed run makes of it and leave no file
 *behind.
 *
 *	test_disk [--all] [I/N]		every N-th scenario, from the I-th
 *
 * --all: each effect meets each of the three, instead of one of them in turn.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/fault/scenarios.h"

enum fault { BROKEN, FULL, BELIED, FAULTS };

static const char *const fault_names[FAULTS] = {"broken", "full", "done, but told broken"};

static struct {
	const char *dir; /* NULL: the disk is sound */
	enum fault fault;
	unsigned at, seen;
	char what[320];   /* the effect that met it */
	bool files[1024]; /* descriptors of files below `dir` */
} disk;

/* Whether this effect is the one that fails: then *told is what the caller gets to see. */
static bool meets(const char *call, const char *path, bool below)
{
	if (!disk.dir || !below || ++disk.seen != disk.at)
		return false;
	(void)snprintf(disk.what, sizeof(disk.what), "%s %s", call, path);
	return true;
}

static bool is_below(const char *path)
{
	return disk.dir && strncmp(path, disk.dir, strlen(disk.dir)) == 0;
}

static bool is_file_of(int fd)
{
	return fd >= 0 && fd < (int)CB_COUNT(disk.files) && disk.files[fd];
}

static int told(void)
{
	return disk.fault == FULL ? ENOSPC : EIO;
}

/* What is done all the same is not seen to be. */
static int refuse(long r)
{
	if (disk.fault == BELIED && r < 0)
		return -1;
	errno = told();
	return -1;
}

#define EFFECT(call_, path_, below_, real_)                                                        \
	do {                                                                                       \
		if (meets(call_, path_, below_))                                                   \
			return refuse(disk.fault == BELIED ? (real_) : 0);                         \
		return (int)(real_);                                                               \
	} while (0)

/* These stand in for those of libc. ------------------------------------------------------------ */

static int opened(int fd, const char *path)
{
	if (fd >= 0 && fd < (int)CB_COUNT(disk.files))
		disk.files[fd] = is_below(path);
	return fd;
}

int open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode = 0;
	bool makes = (flags & O_CREAT) != 0 && is_below(path) && access(path, F_OK) != 0;
	bool meet;
	int fd;

	va_start(args, flags);
	if (flags & O_CREAT)
		mode = va_arg(args, mode_t);
	va_end(args);
	meet = meets("open", path, makes);
	if (meet && disk.fault != BELIED)
		return refuse(0);
	fd = opened((int)syscall(SYS_openat, AT_FDCWD, path, flags, mode), path);
	if (!meet || fd < 0)
		return fd;
	(void)close(fd);
	return refuse(0);
}

int mkostemp(char *path, int flags)
{
	static unsigned number;
	char *tail = path + strlen(path) - strlen("XXXXXX");
	char digits[16];

	(void)snprintf(digits, sizeof(digits), "%06u", ++number % 1000000);
	memcpy(tail, digits, strlen("XXXXXX"));
	return open(path, O_RDWR | O_CREAT | O_EXCL | flags, 0600);
}

/* Full in the middle of a write: a part of it is there. */
ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	if (!meets("pwrite", "", is_file_of(fd)))
		return syscall(SYS_pwrite64, fd, bytes, len, offset);
	if (disk.fault == FULL && len > 1)
		(void)syscall(SYS_pwrite64, fd, bytes, len / 2, offset);
	return refuse(disk.fault == BELIED ? syscall(SYS_pwrite64, fd, bytes, len, offset) : 0);
}

int posix_fallocate(int fd, off_t offset, off_t len)
{
	if (meets("fallocate", "", is_file_of(fd)))
		return told();
	return syscall(SYS_fallocate, fd, 0, offset, len) < 0 ? errno : 0;
}

int fdatasync(int fd)
{
	EFFECT("fdatasync", "", is_file_of(fd), syscall(SYS_fdatasync, fd));
}

int fsync(int fd)
{
	EFFECT("fsync", "", is_file_of(fd), syscall(SYS_fsync, fd));
}

int ftruncate(int fd, off_t size)
{
	EFFECT("ftruncate", "", is_file_of(fd), syscall(SYS_ftruncate, fd, size));
}

int rename(const char *from, const char *to)
{
	EFFECT("rename", to, is_below(to), syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	EFFECT("rename", to, is_below(to),
	       syscall(SYS_renameat2, from_dir, from, to_dir, to, flags));
}

int unlink(const char *path)
{
	EFFECT("unlink", path, is_below(path), syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

int rmdir(const char *path)
{
	EFFECT("rmdir", path, is_below(path), syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR));
}

int mkdir(const char *path, mode_t mode)
{
	EFFECT("mkdir", path, is_below(path), syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

/* One point. ------------------------------------------------------------------------------------
 */

static size_t strays; /* files of the state directory that nobody has a use for */

static int count_stray(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	static const char *const known[] = {"/locks/", "/journal/closed/", "/journal/late/",
					    "/controller-id", "/lost/"};
	bool is_known = type == FTW_D && strstr(path, ".d") == NULL;

	(void)st;
	(void)ftw;
	for (size_t i = 0; i < CB_COUNT(known); i++)
		is_known = is_known || (strstr(path, known[i]) && path[strlen(path) - 1] != 'w');
	if (!is_known) {
		print_error("left: %s\n", path);
		strays++;
	}
	return 0;
}

static void assert_tidy(const struct fixture *f)
{
	strays = 0;
	assert_int_equal(nftw(f->state_dir, count_stray, 16, FTW_PHYS), 0);
	assert_int_equal(strays, 0);
}

/* Returns false when the scenario was through before its turn. */
static bool disturb(const struct scenario *scenario, enum fault fault, unsigned n,
		    const char *before, const char *wanted)
{
	cb_auto_error struct cb_error err = {0};
	struct fixture f;
	char *state;
	size_t open;
	int r;

	prepare(&f, scenario, false);
	memset(&disk, 0, sizeof(disk));
	disk.dir = f.state_dir;
	disk.fault = fault;
	disk.at = n;
	r = fixture_apply(&f, &err);
	disk.dir = NULL;
	open = fixture_open_journals(&f);
	state = fixture_state(&f);
	if (r < 0 && (!err.message || !err.message[0]))
		say(scenario, fault_names[fault], n, "does not say what failed");
	/* The end of a journal may fail, too. */
	if (r < 0 && open == 0 && strcmp(state, before) != 0 && strcmp(state, wanted) != 0 &&
	    !((scenario->several || scenario->restart) &&
	      old_or_new(scenario, state, before, wanted))) {
		say(scenario, fault_names[fault], n, disk.what);
		assert_same_state(state, before);
	}
	if (r == 0 && strcmp(state, wanted) != 0) {
		say(scenario, fault_names[fault], n, disk.what);
		assert_same_state(state, wanted);
	}
	if (scenario->shared && open == 0 && !has_domains(state) && strcmp(state, before) != 0) {
		say(scenario, fault_names[fault], n, disk.what);
		assert_same_state(state, before);
	}
	free(state);

	cb_error_release(&err);
	if (fixture_apply(&f, &err) < 0) {
		say(scenario, fault_names[fault], n, disk.what);
		fail_msg("%s", err.message);
	}
	state = fixture_state(&f);
	if (strcmp(state, wanted) != 0)
		say(scenario, fault_names[fault], n, disk.what);
	assert_same_state(state, wanted);
	assert_int_equal(fixture_open_journals(&f), 0);
	assert_int_equal(fixture_pending(&f), 0);
	assert_tidy(&f);
	free(state);
	fixture_release(&f);
	return disk.seen >= n;
}

static void sweep(void **test_state)
{
	const struct scenario *scenario = *test_state;
	char *before, *wanted = undisturbed(scenario, &before);
	unsigned n = 1, points = 0;
	bool reached = true;

	for (; reached; n++) {
		for (enum fault fault = 0; fault < FAULTS; fault++) {
			if (!everything && fault != n % FAULTS)
				continue;
			reached = disturb(scenario, fault, n, before, wanted);
			points += reached;
		}
	}
	print_message("%s: %u effects on files, %u points\n", scenario->name, n - 2, points);
	assert_true(n > 20);
	free(before);
	free(wanted);
}

int main(int argc, char **argv)
{
	return run_scenarios("disk", sweep, argc, argv);
}
