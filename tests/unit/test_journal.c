/*
 * What a journal promises: a record is durable before the effect, what reads back was written, and
 * a cut anywhere leaves something that the next run can go on with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reconciler/base/clock.h"
#include "reconciler/base/fs.h"
#include "reconciler/journal/journal.h"
#include "reconciler/journal/record.h"
#include "reconciler/journal/retention.h"

#define ID    "0b9f6f4e-0000-4000-8000-000000000001"
#define OTHER "0b9f6f4e-0000-4000-8000-000000000002"

#define ROOM(n) ((struct cb_journal_room){.steps = (n)})

enum { SECTOR = CB_RECORD_SECTOR };

/* --- effects on the disk, counted: they can be made to fail, or to be the last thing done --- */

enum mode { RUN, FAIL, DIE_BEFORE, DIE_AFTER };

static struct {
	enum mode mode;
	int at;   /* which effect, from 1 */
	int seen; /* so far */
	void (*wrote)(int fd, const void *bytes, size_t len, off_t offset);
	void (*synced)(int fd);
	bool traced;
} effects;

static struct cb_str trace; /* of effects, in order: "write x.cbj, sync x.cbj, ..." */

enum { DIED = 99 };

static bool effect_fails(void)
{
	if (++effects.seen != effects.at)
		return false;
	if (effects.mode == DIE_BEFORE)
		_exit(DIED);
	return effects.mode == FAIL;
}

static long effect_done(long r)
{
	if (effects.mode == DIE_AFTER && effects.seen == effects.at)
		_exit(DIED);
	return r;
}

static char state[256]; /* of its own for each test */

static void note(const char *what, const char *path)
{
	const char *name = strrchr(path, '/');

	if (!effects.traced)
		return;
	if (strncmp(path, state, strlen(path)) == 0) {
		cb_str_printf(&trace, "%s%s %s", trace.len ? ", " : "", what,
			      strcmp(path, state) == 0 ? "state" : "its parent");
		return;
	}
	/* A temporary name ends in six random characters. */
	name = name ? name + 1 : path;
	cb_str_printf(&trace, "%s%s %s", trace.len ? ", " : "", what,
		      strstr(name, ".xml.") || *name == '.' ? "temporary" : name);
}

static void note_fd(const char *what, int fd)
{
	char link[64], path[512] = {0};

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, path, sizeof(path) - 1) > 0)
		note(what, path);
}

static long effect_error(int errnum)
{
	errno = errnum;
	return -1;
}

/* These stand in for those of libc. */
ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	ssize_t n;

	note_fd("write", fd);
	if (effect_fails())
		return effect_error(ENOSPC);
	n = syscall(SYS_pwrite64, fd, bytes, len, offset);
	if (n > 0 && effects.wrote)
		effects.wrote(fd, bytes, (size_t)n, offset);
	return effect_done(n);
}

int fdatasync(int fd)
{
	note_fd("sync", fd);
	if (effect_fails())
		return (int)effect_error(EIO);
	if (effects.synced)
		effects.synced(fd);
	return (int)effect_done(syscall(SYS_fdatasync, fd));
}

int fsync(int fd)
{
	note_fd("sync", fd);
	return (int)(effect_fails() ? effect_error(EIO) : effect_done(syscall(SYS_fsync, fd)));
}

int ftruncate(int fd, off_t size)
{
	note_fd("shorten", fd);
	return (int)(effect_fails() ? effect_error(EIO)
				    : effect_done(syscall(SYS_ftruncate, fd, size)));
}

int rename(const char *from, const char *to)
{
	note("rename to", to);
	return (int)(effect_fails() ? effect_error(EIO)
				    : effect_done(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD,
							  to, 0)));
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	note("publish", to);
	return (int)(effect_fails() ? effect_error(EIO)
				    : effect_done(syscall(SYS_renameat2, from_dir, from, to_dir, to,
							  flags)));
}

int unlink(const char *path)
{
	note("remove", path);
	return (int)(effect_fails() ? effect_error(EIO)
				    : effect_done(syscall(SYS_unlinkat, AT_FDCWD, path, 0)));
}

int rmdir(const char *path)
{
	note("remove", path);
	return (int)(effect_fails()
			     ? effect_error(EIO)
			     : effect_done(syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR)));
}

int mkdir(const char *path, mode_t mode)
{
	note("make", path);
	return (int)(effect_fails() ? effect_error(ENOSPC)
				    : effect_done(syscall(SYS_mkdirat, AT_FDCWD, path, mode)));
}

static void effects_reset(void)
{
	memset(&effects, 0, sizeof(effects));
}

/* --- a state directory of its own for each test --- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void remove_tree(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int setup(void **unused)
{
	const char *tmp = getenv("TMPDIR");

	(void)unused;
	effects_reset();
	(void)snprintf(state, sizeof(state), "%s/cb-journal-XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(state) ? 0 : -1;
}

static int teardown(void **unused)
{
	(void)unused;
	effects_reset();
	remove_tree(state);
	return 0;
}

static const char *in_state(const char *dir, const char *name)
{
	static char path[4][512];
	static unsigned turn;
	char *out = path[turn++ % 4];
	char tail[256];

	(void)snprintf(tail, sizeof(tail), "%s%s", dir, name);
	(void)snprintf(out, sizeof(path[0]), "%s/%s", state, tail);
	return out;
}

static const char *open_path(const char *id)
{
	return in_state("journal/", id);
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static size_t names_in(const char *dir)
{
	struct dirent **names = NULL;
	int n = scandir(dir, &names, NULL, NULL);

	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return n < 2 ? 0 : (size_t)n - 2;
}

static void ok(int r, const struct cb_error *err)
{
	if (r < 0)
		fail_msg("%s: %s", cb_code_name(err->code), err->message);
}

static void read_file(const char *path, struct cb_str *out)
{
	cb_auto_error struct cb_error err = {0};

	ok(cb_fs_read(path, 128 << 20, out, &err), &err);
}

static void write_file(const char *path, const void *bytes, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* A small generator with a fixed seed: the same cases every time. */
static uint32_t seed = 20260131;

static uint32_t pick(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

static void add_zeros(struct cb_str *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		cb_str_add_bytes(bytes, "", 1);
}

/* --- journals --- */

static struct cb_journal *create(const char *id, unsigned steps)
{
	cb_auto_error struct cb_error err = {0};
	json_auto_t *begin = json_pack("{s:s}", "target", "vm 'dev'");
	json_auto_t *plan = json_pack("{s:[s,s]}", "steps", "volume.create", "domain.define");
	struct cb_journal *j = NULL;

	ok(cb_journal_create(state, id, begin, plan, ROOM(steps), &j, &err), &err);
	return j;
}

static struct cb_journal *reopen(const char *id)
{
	cb_auto_error struct cb_error err = {0};
	struct cb_journal *j = NULL;

	ok(cb_journal_open(state, id, &j, &err), &err);
	return j;
}

static void step(struct cb_journal *j, enum cb_record record, unsigned n)
{
	cb_auto_error struct cb_error err = {0};

	ok(cb_journal_step(j, record, n, NULL, &err), &err);
}

static void finish(struct cb_journal *j, const char *outcome)
{
	cb_auto_error struct cb_error err = {0};

	ok(cb_journal_finish(j, outcome, &err), &err);
}

static size_t count(const char *id, enum cb_journal_which which)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};
	struct cb_journal_ids ids;
	size_t n = 0;

	ok(cb_journal_list(state, which, &arena, &ids, &err), &err);
	for (size_t i = 0; i < ids.len; i++)
		n += !id || strcmp(ids.items[i], id) == 0;
	return n;
}

static void a_transaction_reads_back_as_it_was_written(void **unused)
{
	cb_auto_error struct cb_error err = {0};
	json_auto_t *detail =
		json_pack("{s:s, s:i}", "name", "d\xc3\xa9j\xc3\xa0 \x01\x7f", "n", 7);
	json_auto_t *dump = NULL;
	struct cb_journal *j = create(ID, 3);
	const json_t *record;

	(void)unused;
	step(j, CB_RECORD_INTENT, 0);
	ok(cb_journal_step(j, CB_RECORD_DONE, 0, detail, &err), &err);
	step(j, CB_RECORD_INTENT, 1);
	step(j, CB_RECORD_FAILED, 1);
	step(j, CB_RECORD_UNDO_INTENT, 0);
	step(j, CB_RECORD_INTENT, 2);
	for (int round = 0; round < 2; round++) {
		assert_string_equal(cb_journal_id(j), ID);
		assert_string_equal(cb_journal_path(j), open_path(ID ".cbj"));
		assert_string_equal(
			json_string_value(json_object_get(cb_journal_begin(j), "target")),
			"vm 'dev'");
		assert_int_equal(json_array_size(json_object_get(cb_journal_plan(j), "steps")), 2);
		assert_null(cb_journal_outcome(j));
		assert_int_equal(cb_journal_state(j, 0), CB_STEP_UNDOING);
		assert_null(cb_journal_detail(j, 0));
		assert_int_equal(cb_journal_state(j, 1), CB_STEP_FAILED);
		assert_int_equal(cb_journal_state(j, 2), CB_STEP_INTENDED);
		assert_int_equal(cb_journal_state(j, 3), CB_STEP_UNTOUCHED);
		assert_null(cb_journal_detail(j, 3));
		cb_journal_free(j);
		j = reopen(ID);
	}
	ok(cb_journal_step(j, CB_RECORD_UNDONE, 0, detail, &err), &err);
	step(j, CB_RECORD_DONE, 2);
	assert_int_equal(cb_journal_state(j, 0), CB_STEP_UNDONE);
	assert_int_equal(cb_journal_state(j, 2), CB_STEP_DONE);
	assert_true(json_equal(cb_journal_detail(j, 0), detail));
	finish(j, "rolled-back");
	assert_string_equal(cb_journal_outcome(j), "rolled-back");
	assert_string_equal(cb_journal_path(j), in_state("journal/closed/", ID ".cbj"));
	cb_journal_free(j);

	j = reopen(ID);
	assert_string_equal(cb_journal_outcome(j), "rolled-back");
	assert_true(json_equal(cb_journal_detail(j, 0), detail));
	dump = cb_journal_dump(j);
	assert_int_equal(json_array_size(dump), 11);
	record = json_array_get(dump, 3);
	assert_int_equal(json_integer_value(json_object_get(record, "seq")), 4);
	assert_int_equal(json_integer_value(json_object_get(record, "step")), 0);
	assert_string_equal(json_string_value(json_object_get(record, "type")), "done");
	assert_int_equal(strlen(json_string_value(json_object_get(record, "time"))), 20);
	assert_true(json_equal(json_object_get(record, "detail"), detail));
	cb_journal_free(j);
	cb_journal_free(NULL);
}

static void progress(struct cb_journal *j, unsigned step, int offset)
{
	cb_auto_error struct cb_error err = {0};
	json_auto_t *detail =
		json_pack("{s:i,s:i,s:s}", "offset", offset, "length", 67108864, "digest",
			  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");

	ok(cb_journal_step(j, CB_RECORD_PROGRESS, step, detail, &err), &err);
}

/* The n-th offset that is noted, or -1. */
static int progress_at(const struct cb_journal *j, unsigned step, size_t n)
{
	const json_t *detail = cb_journal_progress(j, step, n);

	return detail ? (int)json_integer_value(json_object_get(detail, "offset")) : -1;
}

static void progress_is_of_the_last_intent_and_decides_nothing(void **unused)
{
	json_auto_t *detail = json_pack("{s:s}", "made", "x");
	cb_auto_error struct cb_error err = {0};
	struct cb_journal *j = create(ID, 3);

	(void)unused;
	assert_int_equal(progress_at(j, 1, 0), -1);
	ok(cb_journal_step(j, CB_RECORD_INTENT, 1, detail, &err), &err);
	assert_int_equal(progress_at(j, 1, 0), -1);
	progress(j, 1, 10);
	step(j, CB_RECORD_INTENT, 2);
	progress(j, 2, 20);
	progress(j, 1, 11);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(cb_journal_state(j, 1), CB_STEP_INTENDED);
		assert_true(json_equal(cb_journal_detail(j, 1), detail));
		assert_int_equal(progress_at(j, 1, 0), 10);
		assert_int_equal(progress_at(j, 1, 1), 11);
		assert_int_equal(progress_at(j, 1, 2), -1);
		assert_int_equal(progress_at(j, 2, 0), 20);
		assert_int_equal(progress_at(j, 2, 1), -1);
		cb_journal_free(j);
		j = reopen(ID);
	}
	/* Done and gone: what is begun afresh has come nowhere yet. */
	step(j, CB_RECORD_DONE, 1);
	assert_int_equal(progress_at(j, 1, 0), -1);
	step(j, CB_RECORD_INTENT, 1);
	assert_int_equal(progress_at(j, 1, 0), -1);
	progress(j, 1, 12);
	assert_int_equal(progress_at(j, 1, 0), 12);
	step(j, CB_RECORD_FAILED, 2);
	assert_int_equal(progress_at(j, 2, 0), -1);
	cb_journal_free(j);
}

static void the_file_is_private_text_with_room_reserved(void **unused)
{
	struct cb_journal *j = create(ID, 10);
	cb_auto_str struct cb_str text = {0};
	struct stat st;

	(void)unused;
	assert_int_equal(stat(cb_journal_path(j), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(st.st_size >= (10 * 6 + 4) * 512);
	assert_true(st.st_blocks * 512 >= (10 * 6 + 4) * 512);
	step(j, CB_RECORD_INTENT, 0);
	finish(j, "committed");
	read_file(cb_journal_path(j), &text);
	assert_int_equal(strlen(text.text), text.len);
	assert_int_equal(text.text[text.len - 1], '\n');
	assert_int_equal(strncmp(text.text, "CBJ1 00000001 ", 14), 0);
	assert_non_null(strstr(text.text, "\nCBJ1 00000004 "));
	cb_journal_free(j);
}

static void assert_trace(const char *want)
{
	assert_string_equal(cb_str_text(&trace), want);
	cb_str_clear(&trace);
}

/* The order is the protocol: what is not synced before the next thing happens may not be there. */
static void everything_is_durable_in_its_order(void **unused)
{
	cb_auto_error struct cb_error err = {0};
	struct cb_journal *j;

	(void)unused;
	cb_journal_free(create("x", 1));
	effects.traced = true;
	j = create("a", 1);
	assert_trace("sync its parent, sync state, write temporary, write temporary, "
		     "sync temporary, publish a.cbj, sync journal");
	ok(cb_journal_save(j, 1, "<domain/>", strlen("<domain/>"), &err), &err);
	assert_trace("make a.d, sync journal, write temporary, sync temporary, rename to 1.xml, "
		     "sync a.d");
	ok(cb_journal_save(j, 1, "<domain/>", strlen("<domain/>"), &err), &err);
	assert_trace("sync a.d");
	step(j, CB_RECORD_INTENT, 1);
	assert_trace("write a.cbj, sync a.cbj");
	cb_journal_free(j);
	j = reopen("a");
	assert_trace("sync a.cbj, sync journal");
	finish(j, "committed");
	assert_trace("write a.cbj, sync a.cbj, shorten a.cbj, remove 1.xml, remove a.d, "
		     "sync journal, rename to a.cbj, sync closed, sync journal");
	cb_journal_free(j);
	cb_journal_free(reopen("a"));
	assert_trace("");
	j = create("b", 1);
	cb_str_clear(&trace);
	finish(j, "committed");
	assert_trace("write b.cbj, sync b.cbj, shorten b.cbj, rename to b.cbj, sync closed, "
		     "sync journal");
	cb_journal_free(j);
	cb_str_release(&trace);
}

static void closed_journals_take_no_more(void **unused)
{
	cb_auto_error struct cb_error err = {0};
	struct cb_journal *j = create(ID, 1);

	(void)unused;
	finish(j, "committed");
	finish(j, "something else");
	assert_int_equal(cb_journal_step(j, CB_RECORD_INTENT, 0, NULL, &err), -CB_E_INTERNAL);
	assert_int_equal(cb_journal_save(j, 0, "<x/>", strlen("<x/>"), &err), -CB_E_INTERNAL);
	cb_journal_free(j);
	j = reopen(ID);
	assert_string_equal(cb_journal_outcome(j), "committed");
	assert_int_equal(cb_journal_step(j, CB_RECORD_INTENT, 0, NULL, &err), -CB_E_INTERNAL);
	finish(j, "something else");
	assert_string_equal(cb_journal_outcome(j), "committed");
	cb_journal_free(j);
}

static void an_id_is_used_once(void **unused)
{
	cb_auto_error struct cb_error err = {0};
	json_auto_t *object = json_object();
	struct cb_journal *j = create(ID, 1), *second = NULL;

	(void)unused;
	step(j, CB_RECORD_INTENT, 0);
	assert_int_equal(cb_journal_create(state, ID, object, object, ROOM(1), &second, &err),
			 -CB_E_EXISTS);
	assert_null(second);
	assert_int_equal(count(NULL, CB_JOURNALS_OPEN), 1);
	finish(j, "committed");
	cb_journal_free(j);
	assert_int_equal(cb_journal_create(state, ID, object, object, ROOM(1), &second, &err),
			 -CB_E_EXISTS);
	assert_int_equal(count(NULL, CB_JOURNALS_CLOSED), 1);
}

static void of_many_that_create_one_wins(void **unused)
{
	enum { RUNS = 8 };

	pid_t pids[RUNS];
	int won = 0;

	(void)unused;
	for (int i = 0; i < RUNS; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			cb_auto_error struct cb_error err = {0};
			json_t *begin = json_pack("{s:i}", "run", i);
			struct cb_journal *j = NULL;
			int r = cb_journal_create(state, ID, begin, begin, ROOM(1), &j, &err);

			_exit(r == 0 ? 0 : -r);
		}
	}
	for (int i = 0; i < RUNS; i++) {
		int status = 0;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status));
		won += WEXITSTATUS(status) == 0;
		assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == CB_E_EXISTS);
	}
	assert_int_equal(won, 1);
	cb_journal_free(reopen(ID));
}

static void ids_cannot_leave_the_directory(void **unused)
{
	static const char too_long[] = "0123456789012345678901234567890123456789"
				       "0123456789012345678901234";
	static const char *const bad[] = {"",    ".",   "..",  "a/b",      "../x",
					  "a.b", "a b", "a\n", "\xc3\xa9", too_long};
	json_auto_t *object = json_object();

	(void)unused;
	for (size_t i = 0; i < CB_COUNT(bad); i++) {
		cb_auto_error struct cb_error err = {0};
		struct cb_journal *j = NULL;

		assert_int_equal(
			cb_journal_create(state, bad[i], object, object, ROOM(1), &j, &err),
			-CB_E_INVALID);
		assert_int_equal(cb_journal_open(state, bad[i], &j, &err), -CB_E_INVALID);
		assert_null(j);
	}
}

static void what_is_not_there_is_not_found(void **unused)
{
	cb_auto_error struct cb_error err = {0};
	json_auto_t *records = NULL;
	struct cb_journal *j = NULL;

	(void)unused;
	assert_int_equal(count(NULL, CB_JOURNALS_OPEN), 0);
	assert_int_equal(count(NULL, CB_JOURNALS_CLOSED), 0);
	assert_int_equal(cb_journal_open(state, ID, &j, &err), -CB_E_NOT_FOUND);
	cb_journal_free(create(OTHER, 1));
	assert_int_equal(cb_journal_open(state, ID, &j, &err), -CB_E_NOT_FOUND);
	assert_int_equal(cb_journal_salvage(state, ID, &records, &err), -CB_E_NOT_FOUND);
	assert_int_equal(json_array_size(records), 0);
}

static void lists_are_ordered_by_age(void **unused)
{
	static const char *const names[] = {"zz", "mm", "aa", "qq"};
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};
	struct cb_journal *j[CB_COUNT(names)];
	struct cb_journal_ids ids;

	(void)unused;
	for (size_t i = 0; i < CB_COUNT(names); i++) {
		j[i] = create(names[i], 1);
		cb_clock_sleep_ms(20);
	}
	step(j[0], CB_RECORD_INTENT, 0);
	/* Not journals: left by a killed run, made by a person, pre-images. */
	write_file(open_path(".ab.x8Zq1Z"), "CBJ1", 4);
	write_file(open_path(".ab.cbj"), "CBJ1", 4);
	write_file(open_path("notes.txt"), "x", 1);
	write_file(open_path("a b.cbj"), "x", 1);
	ok(cb_journal_save(j[1], 0, "<domain/>", strlen("<domain/>"), &err), &err);
	ok(cb_journal_list(state, CB_JOURNALS_OPEN, &arena, &ids, &err), &err);
	assert_int_equal(ids.len, CB_COUNT(names));
	for (size_t i = 0; i < ids.len; i++)
		assert_string_equal(ids.items[i], names[i]);
	finish(j[2], "committed");
	finish(j[0], "committed");
	ok(cb_journal_list(state, CB_JOURNALS_OPEN, &arena, &ids, &err), &err);
	assert_int_equal(ids.len, 2);
	ok(cb_journal_list(state, CB_JOURNALS_CLOSED, &arena, &ids, &err), &err);
	assert_int_equal(ids.len, 2);
	assert_string_equal(ids.items[0], "zz");
	assert_string_equal(ids.items[1], "aa");
	for (size_t i = 0; i < CB_COUNT(names); i++)
		cb_journal_free(j[i]);
}

static void an_unreadable_journal_is_still_listed(void **unused)
{
	(void)unused;
	cb_journal_free(create(ID, 1));
	write_file(open_path(ID ".cbj"), "rubbish", 7);
	assert_int_equal(count(ID, CB_JOURNALS_OPEN), 1);
}

static void documents_are_private_and_go_at_the_end(void **unused)
{
	cb_auto_error struct cb_error err = {0};
	struct cb_journal *j = create(ID, 2);
	cb_auto_str struct cb_str text = {0};
	struct stat st;

	(void)unused;
	assert_int_equal(cb_journal_load(j, 1, &text, &err), -CB_E_NOT_FOUND);
	ok(cb_journal_save(j, 1, "<domain passwd='x'/>", strlen("<domain passwd='x'/>"), &err),
	   &err);
	ok(cb_journal_save(j, 2, "", strlen(""), &err), &err);
	/* A step that is performed again has seen its own work. */
	ok(cb_journal_save(j, 1, "<domain new='y'/>", strlen("<domain new='y'/>"), &err), &err);
	assert_int_equal(stat(open_path(ID ".d"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(open_path(ID ".d/1.xml"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	cb_journal_free(j);
	j = reopen(ID);
	ok(cb_journal_load(j, 1, &text, &err), &err);
	assert_string_equal(text.text, "<domain passwd='x'/>");
	write_file(open_path(ID ".d/2.xml.AbCdEf"), "cut off", 7);
	finish(j, "committed");
	assert_false(exists(open_path(ID ".d")));
	assert_int_equal(cb_journal_load(j, 1, &text, &err), -CB_E_NOT_FOUND);
	cb_journal_free(j);
}

static void strange_details_read_back_or_are_refused(void **unused)
{
	cb_auto_error struct cb_error err = {0};
	json_auto_t *odd = json_object(), *deep = json_array(), *large = NULL;
	struct cb_journal *j = create(ID, 1);
	char *text = calloc(1, CB_RECORD_MAX + 1);

	(void)unused;
	assert_non_null(text);
	assert_int_equal(json_object_set_new(odd, "nul", json_stringn("a\0b\n", 4)), 0);
	assert_int_equal(json_object_set_new(odd, "CBJ1 ", json_string("\nCBJ1 00000001 ")), 0);
	assert_int_equal(json_object_set_new(odd, "real", json_real(0.1)), 0);
	ok(cb_journal_step(j, CB_RECORD_INTENT, 0, odd, &err), &err);
	memset(text, 'x', CB_RECORD_MAX);
	large = json_string(text);
	free(text);
	assert_int_equal(cb_journal_step(j, CB_RECORD_DONE, 0, large, &err), -CB_E_UNSUPPORTED);
	for (int i = 0; i < 3000; i++) {
		json_t *outer = json_array();

		assert_int_equal(json_array_append_new(outer, deep), 0);
		deep = outer;
	}
	assert_int_equal(cb_journal_step(j, CB_RECORD_DONE, 0, deep, &err), -CB_E_INTERNAL);
	/* Refused before anything was written: the journal is as good as before. */
	assert_int_equal(cb_journal_state(j, 0), CB_STEP_INTENDED);
	step(j, CB_RECORD_DONE, UINT32_MAX);
	cb_journal_free(j);
	j = reopen(ID);
	assert_int_equal(cb_journal_state(j, 0), CB_STEP_INTENDED);
	assert_int_equal(cb_journal_state(j, UINT32_MAX), CB_STEP_DONE);
	assert_true(json_equal(cb_journal_detail(j, 0), odd));
	cb_journal_free(j);
}

/* --- torn and damaged files --- */

/* An open journal with two steps intended; `last` is where the last record begins. */
static void make_open(struct cb_str *bytes, size_t *last, size_t *end)
{
	cb_auto_error struct cb_error err = {0};
	json_auto_t *detail = json_object();
	struct cb_journal *j = create(ID, 2);
	char text[1400] = {0};

	step(j, CB_RECORD_INTENT, 1);
	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(json_object_set_new(detail, "text", json_string(text)), 0);
	ok(cb_journal_step(j, CB_RECORD_INTENT, 2, detail, &err), &err);
	read_file(cb_journal_path(j), bytes);
	cb_journal_free(j);
	*end = bytes->len;
	while (bytes->text[*end - 1] == 0)
		--*end;
	*last = *end - 1;
	while (bytes->text[*last - 1] != '\n')
		--*last;
}

/* A torn tail is dropped, and what comes next stands in its place. */
static void check_torn(const struct cb_str *bytes)
{
	cb_auto_str struct cb_str before = {0}, after = {0};
	const char *path = open_path(ID ".cbj");
	struct cb_journal *j;

	write_file(path, bytes->text, bytes->len);
	j = reopen(ID);
	assert_int_equal(cb_journal_state(j, 1), CB_STEP_INTENDED);
	assert_int_equal(cb_journal_state(j, 2), CB_STEP_UNTOUCHED);
	read_file(path, &before);
	assert_int_equal(before.len, bytes->len);
	assert_memory_equal(before.text, bytes->text, bytes->len); /* reading changes nothing */
	step(j, CB_RECORD_DONE, 1);
	cb_journal_free(j);
	read_file(path, &after);
	assert_true(after.len >= bytes->len);
	j = reopen(ID);
	assert_int_equal(cb_journal_state(j, 1), CB_STEP_DONE);
	assert_int_equal(cb_journal_state(j, 2), CB_STEP_UNTOUCHED);
	step(j, CB_RECORD_INTENT, 2);
	finish(j, "committed");
	cb_journal_free(j);
	j = reopen(ID);
	assert_string_equal(cb_journal_outcome(j), "committed");
	assert_int_equal(cb_journal_state(j, 2), CB_STEP_INTENDED);
	cb_journal_free(j);
	assert_int_equal(unlink(in_state("journal/closed/", ID ".cbj")), 0);
}

static void a_torn_tail_is_written_over(void **unused)
{
	struct cb_str bytes = {0};
	size_t last, end;

	(void)unused;
	make_open(&bytes, &last, &end);
	for (size_t cut = last; cut < end; cut += 13) {
		cb_auto_str struct cb_str torn = {0};

		cb_str_add_bytes(&torn, bytes.text, cut);
		check_torn(&torn);
		add_zeros(&torn, bytes.len - cut);
		check_torn(&torn);
	}
	/* A hole in the middle, and one where the header was. */
	for (size_t sector = last / SECTOR; sector * SECTOR < end; sector++) {
		cb_auto_str struct cb_str torn = {0};

		cb_str_add_bytes(&torn, bytes.text, bytes.len);
		for (size_t at = sector * SECTOR; at < (sector + 1) * SECTOR; at++)
			if (at >= last)
				torn.text[at] = 0;
		check_torn(&torn);
	}
	cb_str_release(&bytes);
}

static void check_damaged(const char *path, const void *bytes, size_t len, size_t offset,
			  size_t readable)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str after = {0};
	json_auto_t *records = NULL;
	struct cb_journal *j = NULL;
	char where[64];

	write_file(path, bytes, len);
	assert_int_equal(cb_journal_open(state, ID, &j, &err), -CB_E_CORRUPT);
	assert_null(j);
	(void)snprintf(where, sizeof(where), "at byte %zu:", offset);
	assert_non_null(strstr(err.message, path));
	if (!strstr(err.message, where))
		fail_msg("'%s' does not say '%s'", err.message, where);
	assert_non_null(strstr(err.hint, "nothing has been touched"));
	assert_non_null(strstr(err.hint, "transaction show " ID));
	assert_int_equal(cb_journal_salvage(state, ID, &records, &err), -CB_E_CORRUPT);
	assert_int_equal(json_array_size(records), readable);
	read_file(path, &after);
	assert_int_equal(after.len, len);
	assert_memory_equal(after.text, bytes, len);
}

static void damage_is_refused_and_named(void **unused)
{
	const char *path = open_path(ID ".cbj");
	struct cb_str bytes = {0};
	size_t last, end, second;

	(void)unused;
	make_open(&bytes, &last, &end);
	second = (size_t)((char *)memchr(bytes.text, '\n', end) - bytes.text) + 1;
	bytes.text[last + 100] ^= 1; /* the last one was whole once */
	check_damaged(path, bytes.text, bytes.len, last, 3);
	bytes.text[second + 40] ^= 1;
	check_damaged(path, bytes.text, bytes.len, second, 1);
	bytes.text[2] ^= 1;
	check_damaged(path, bytes.text, bytes.len, 0, 0);
	check_damaged(path, "", 0, 0, 0);
	check_damaged(path, "CBJ1 0000", 9, 0, 0);
	cb_str_release(&bytes);
}

/* Records whose checksums are right, in an order that nothing here would have written. */
static void records_that_make_no_sense_are_refused(void **unused)
{
	static const char begin[] = "{\"id\":\"" ID "\",\"type\":\"begin\"}";
	static const char plan[] = "{\"type\":\"plan\"}", done[] = "{\"step\":1,\"type\":\"done\"}",
			  closed[] = "{\"outcome\":\"committed\",\"type\":\"close\"}";
	const char *const bad[][5] = {
		{plan},
		{begin, begin},
		{begin, done},
		{begin, plan, plan},
		{begin, plan, begin},
		{begin, plan, closed, done},
		{begin, plan, closed, closed},
		{begin, plan, "{\"type\":\"done\"}"},
		{begin, plan, "{\"step\":-1,\"type\":\"done\"}"},
		{begin, plan, "{\"step\":4294967296,\"type\":\"done\"}"},
		{begin, plan, "{\"step\":\"1\",\"type\":\"done\"}"},
		{begin, plan, "{\"type\":\"close\"}"},
		{begin, plan, "{\"type\":\"progress\"}"},
		{begin, plan, "{\"type\":1}"},
		{begin, plan, "{}"},
		{begin, plan, "[]"},
		{begin, plan, "{\"type\":\"done\",\"step\":1,\"step\":2}"},
		{begin, plan, "rubbish"},
		{"{\"id\":\"" OTHER "\",\"type\":\"begin\"}"},
		{"{\"type\":\"begin\"}"},
	};

	(void)unused;
	cb_journal_free(create(ID, 1));
	for (size_t i = 0; i < CB_COUNT(bad); i++) {
		cb_auto_str struct cb_str bytes = {0};
		uint32_t crc = cb_record_seed(ID), n = 0;
		size_t offset = 0;

		for (; n < 5 && bad[i][n]; n++) {
			offset = bytes.len;
			cb_record_append(&bytes, &crc, n + 1, bad[i][n], strlen(bad[i][n]));
		}
		check_damaged(open_path(ID ".cbj"), bytes.text, bytes.len, offset, n - 1);
	}
}

static void a_plan_that_was_cut_short_is_none(void **unused)
{
	struct cb_journal *j = create(ID, 1);
	struct cb_str bytes = {0};
	size_t first;

	(void)unused;
	read_file(cb_journal_path(j), &bytes);
	cb_journal_free(j);
	first = (size_t)((char *)memchr(bytes.text, '\n', bytes.len) - bytes.text) + 1;
	write_file(open_path(ID ".cbj"), bytes.text, first + 20);
	cb_str_release(&bytes);
	j = reopen(ID);
	assert_non_null(cb_journal_begin(j));
	assert_null(cb_journal_plan(j));
	finish(j, "rolled-back");
	cb_journal_free(j);
	j = reopen(ID);
	assert_null(cb_journal_plan(j));
	assert_string_equal(cb_journal_outcome(j), "rolled-back");
	cb_journal_free(j);
}

static void what_is_not_a_file_is_refused(void **unused)
{
	cb_auto_error struct cb_error err = {0};
	struct cb_journal *j = NULL;

	(void)unused;
	cb_journal_free(create(OTHER, 1));
	assert_int_equal(symlink(OTHER ".cbj", open_path(ID ".cbj")), 0);
	assert_true(cb_journal_open(state, ID, &j, &err) < 0);
	assert_int_equal(unlink(open_path(ID ".cbj")), 0);
	assert_int_equal(mkfifo(open_path(ID ".cbj"), 0600), 0);
	assert_int_equal(cb_journal_open(state, ID, &j, &err), -CB_E_CORRUPT);
	assert_int_equal(unlink(open_path(ID ".cbj")), 0);
	assert_int_equal(mkdir(open_path(ID ".cbj"), 0700), 0);
	assert_true(cb_journal_open(state, ID, &j, &err) < 0);
	assert_null(j);
}

static void a_directory_that_others_can_write_to_is_refused(void **unused)
{
	static const char *const dirs[] = {"", "journal"};
	json_auto_t *object = json_object();

	(void)unused;
	cb_journal_free(create(ID, 1));
	for (size_t i = 0; i < CB_COUNT(dirs) * 3; i++) {
		cb_auto_arena struct cb_arena arena = {0};
		cb_auto_error struct cb_error err = {0};
		const char *dir = in_state(dirs[i / 3], "");
		struct cb_journal_ids ids;
		struct cb_journal *j = NULL;

		if (i % 3 < 2)
			assert_int_equal(chmod(dir, i % 3 ? 0702 : 0720), 0);
		else if (chown(dir, 12345, (gid_t)-1) < 0)
			continue; /* only root can give it away */
		assert_int_equal(cb_journal_open(state, ID, &j, &err), -CB_E_DENIED);
		assert_non_null(err.hint);
		assert_int_equal(cb_journal_create(state, OTHER, object, object, ROOM(1), &j, &err),
				 -CB_E_DENIED);
		assert_int_equal(cb_journal_list(state, CB_JOURNALS_OPEN, &arena, &ids, &err),
				 -CB_E_DENIED);
		assert_null(j);
		assert_int_equal(chmod(dir, 0700), 0);
		if (i % 3 == 2)
			assert_int_equal(chown(dir, geteuid(), (gid_t)-1), 0);
	}
	cb_journal_free(reopen(ID));
}

/* --- power loss: any sector that is not yet synced may be on the disk, or not --- */

enum { IMAGE = 64 * 1024, SECTORS = IMAGE / SECTOR };

static struct {
	char durable[IMAGE], pending[IMAGE];
	bool dirty[SECTORS];
	size_t acknowledged, states;
} disk;

static void check_cut(void)
{
	for (unsigned round = 0; round < 40; round++) {
		cb_auto_arena struct cb_arena arena = {0};
		char *image = cb_arena_alloc(&arena, IMAGE);
		struct cb_scan scan;

		memcpy(image, disk.durable, IMAGE);
		for (size_t i = 0; i < SECTORS; i++)
			if (disk.dirty[i] && pick(2))
				memcpy(image + i * SECTOR, disk.pending + i * SECTOR, SECTOR);
		cb_record_scan(&arena, image, IMAGE, cb_record_seed(ID), &scan);
		assert_int_not_equal(scan.verdict, CB_SCAN_CORRUPT);
		assert_true(scan.len == disk.acknowledged || scan.len == disk.acknowledged + 1);
		disk.states++;
	}
}

static void disk_wrote(int fd, const void *bytes, size_t len, off_t offset)
{
	(void)fd;
	assert_true((size_t)offset + len <= IMAGE);
	memcpy(disk.pending + offset, bytes, len);
	for (size_t at = (size_t)offset; at < (size_t)offset + len; at++)
		disk.dirty[at / SECTOR] = true;
	check_cut();
}

static void disk_synced(int fd)
{
	(void)fd;
	check_cut();
	memcpy(disk.durable, disk.pending, IMAGE);
	memset(disk.dirty, 0, sizeof(disk.dirty));
}

static void step_of_any_size(struct cb_journal *j, unsigned n)
{
	cb_auto_error struct cb_error err = {0};
	json_auto_t *detail = json_object();
	char text[2600] = {0};

	memset(text, 'y', pick(sizeof(text) - 1));
	assert_int_equal(json_object_set_new(detail, "text", json_string(text)), 0);
	ok(cb_journal_step(j, n % 2 ? CB_RECORD_DONE : CB_RECORD_INTENT, n / 2, detail, &err),
	   &err);
	disk.acknowledged++;
}

/* The power goes in the middle of one more record: of its sectors only every second one arrives. */
static void leave_torn(const struct cb_scan *scan)
{
	cb_auto_str struct cb_str payload = {0}, frame = {0};
	uint32_t crc = scan->crc;
	size_t missing = pick(2);

	cb_str_add(&payload, "{\"detail\":\"");
	while (payload.len < 1900)
		cb_str_add(&payload, "z");
	cb_str_add(&payload, "\",\"step\":0,\"type\":\"done\"}");
	cb_record_append(&frame, &crc, (uint32_t)scan->len + 1, payload.text, payload.len);
	for (size_t i = 0; i < frame.len; i++)
		if ((scan->tail + i) / SECTOR % 2 != missing)
			disk.durable[scan->tail + i] = frame.text[i];
	memcpy(disk.pending, disk.durable, IMAGE);
}

static void a_power_cut_loses_no_acknowledged_record(void **unused)
{
	(void)unused;
	for (unsigned round = 0; round < 10; round++) {
		struct cb_str bytes = {0};
		struct cb_journal *j = create(ID, 10);
		unsigned n = 0;

		memset(&disk, 0, sizeof(disk));
		read_file(cb_journal_path(j), &bytes);
		memcpy(disk.durable, bytes.text, bytes.len);
		memcpy(disk.pending, bytes.text, bytes.len);
		disk.acknowledged = 2;
		for (unsigned boots = 0; boots < 3; boots++) {
			cb_auto_arena struct cb_arena arena = {0};
			struct cb_scan scan;

			effects.wrote = disk_wrote;
			effects.synced = disk_synced;
			for (unsigned i = 0; i < 4; i++)
				step_of_any_size(j, n++);
			effects_reset();
			cb_journal_free(j);
			cb_record_scan(&arena, disk.durable, IMAGE, cb_record_seed(ID), &scan);
			assert_int_equal(scan.verdict, CB_SCAN_CLEAN);
			leave_torn(&scan);
			write_file(open_path(ID ".cbj"), disk.durable, IMAGE);
			j = reopen(ID);
		}
		assert_true(disk.states > 500);
		cb_journal_free(j);
		assert_int_equal(unlink(open_path(ID ".cbj")), 0);
		cb_str_release(&bytes);
	}
}

/* --- crashes and errors at every effect --- */

/* The whole life of a transaction. Says how far it got. */
static int live(struct cb_error *err)
{
	json_auto_t *object = json_object();
	struct cb_journal *j = NULL;
	int r;

	r = cb_journal_create(state, ID, object, object, ROOM(2), &j, err);
	if (r == 0)
		r = cb_journal_save(j, 1, "<domain passwd='x'/>", strlen("<domain passwd='x'/>"),
				    err);
	if (r == 0)
		r = cb_journal_step(j, CB_RECORD_INTENT, 1, NULL, err);
	if (r == 0)
		r = cb_journal_step(j, CB_RECORD_DONE, 1, NULL, err);
	if (r == 0)
		r = cb_journal_finish(j, "committed", err);
	cb_journal_free(j);
	return r;
}

/* What the next run does. Nothing of the transaction may be open afterwards. */
static void recover(void)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};
	struct cb_journal_ids ids;

	ok(cb_journal_list(state, CB_JOURNALS_OPEN, &arena, &ids, &err), &err);
	for (size_t i = 0; i < ids.len; i++) {
		struct cb_journal *j = reopen(ids.items[i]);

		finish(j, "rolled-back");
		cb_journal_free(j);
	}
	assert_int_equal(count(NULL, CB_JOURNALS_OPEN), 0);
	assert_true(count(NULL, CB_JOURNALS_CLOSED) <= 1);
	assert_false(exists(open_path(ID ".d")));
	if (count(ID, CB_JOURNALS_CLOSED) == 1) {
		struct cb_journal *j = reopen(ID);

		assert_non_null(cb_journal_outcome(j));
		cb_journal_free(j);
	}
}

static int in_child(void (*run)(void), enum mode mode, int at)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		effects_reset();
		effects.mode = mode;
		effects.at = at;
		run();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void live_in_child(void)
{
	cb_auto_error struct cb_error err = {0};

	if (live(&err) < 0)
		_exit(1);
}

static void a_kill_at_any_effect_can_be_recovered_from(void **unused)
{
	int points[2] = {0};

	(void)unused;
	for (int after = 0; after < 2; after++) {
		for (int at = 1;; at++) {
			int status = in_child(live_in_child, after ? DIE_AFTER : DIE_BEFORE, at);

			if (status == DIED) {
				/* Recovery is killed everywhere too, on and on. */
				for (int k = 1; in_child(recover, DIE_AFTER, k) == DIED; k += 3)
					;
			}
			recover();
			remove_tree(state);
			assert_int_equal(mkdir(state, 0700), 0);
			if (status == 0)
				break;
			assert_int_equal(status, DIED);
			points[after]++;
		}
	}
	assert_int_equal(points[0], points[1]);
	assert_true(points[0] > 25);
}

static void an_error_at_any_effect_leaves_a_journal_that_reads(void **unused)
{
	int points = 0;

	(void)unused;
	for (int at = 1;; at++) {
		cb_auto_error struct cb_error err = {0};
		int r;

		effects.mode = FAIL;
		effects.at = at;
		r = live(&err);
		effects_reset();
		if (r < 0)
			assert_int_equal(r, -CB_E_IO);
		recover();
		remove_tree(state);
		assert_int_equal(mkdir(state, 0700), 0);
		/* Not every effect is worth an error: the last ones are the removal of what failed.
		 */
		if (r == 0 && at > 30)
			break;
		points++;
	}
	assert_true(points > 25);
}

static void a_create_that_fails_leaves_nothing(void **unused)
{
	json_auto_t *object = json_object();

	(void)unused;
	cb_journal_free(create(OTHER, 1));
	for (int at = 1;; at++) {
		cb_auto_error struct cb_error err = {0};
		struct cb_journal *j = NULL;
		int r;

		effects_reset();
		effects.mode = FAIL;
		effects.at = at;
		r = cb_journal_create(state, ID, object, object, ROOM(1), &j, &err);
		effects_reset();
		if (r == 0) {
			assert_true(at > 4); /* two writes, sync, name, directory */
			cb_journal_free(j);
			break;
		}
		assert_int_equal(r, -CB_E_IO);
		assert_int_equal(strncmp(err.hint, "nothing has been changed; ", 26), 0);
		assert_non_null(strstr(err.hint, "--state-dir"));
		assert_int_equal(count(NULL, CB_JOURNALS_OPEN), 1);
		assert_int_equal(names_in(open_path("")), 2); /* the other one, closed/ */
	}
}

static void create_in_child(void)
{
	cb_auto_error struct cb_error err = {0};
	json_auto_t *object = json_object();
	struct cb_journal *j = NULL;

	if (cb_journal_create(state, ID, object, object, ROOM(1), &j, &err) < 0)
		_exit(1);
	cb_journal_free(j);
}

static void what_a_killed_create_leaves_can_be_cleared(void **unused)
{
	struct flock claim = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd, seen = 0;

	(void)unused;
	cb_journal_clear_begun(state); /* nothing is there at all */
	cb_journal_free(create(OTHER, 1));
	for (int at = 1;; at++) {
		int status = in_child(create_in_child, DIE_BEFORE, at);

		if (status != DIED) {
			assert_int_equal(status, 0);
			break;
		}
		seen += names_in(open_path("")) == 3;
		cb_journal_clear_begun(state);
		(void)unlink(open_path(ID ".cbj"));           /* of one that had its name already */
		assert_int_equal(names_in(open_path("")), 2); /* the other one, closed/ */
	}
	assert_true(seen > 2);
	/* Somebody is at work on this one. */
	fd = open(open_path(".x.AAAAAA"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &claim), 0);
	cb_journal_clear_begun(state);
	assert_int_equal(access(open_path(".x.AAAAAA"), F_OK), 0);
	(void)close(fd);
	cb_journal_clear_begun(state);
	assert_int_equal(access(open_path(".x.AAAAAA"), F_OK), -1);
}

static void a_failed_sync_is_final(void **unused)
{
	cb_auto_error struct cb_error first = {0}, err = {0};
	struct cb_journal *j = create(ID, 2);
	int seen;

	(void)unused;
	step(j, CB_RECORD_INTENT, 1);
	effects_reset();
	effects.mode = FAIL;
	effects.at = 2; /* write, sync */
	assert_int_equal(cb_journal_step(j, CB_RECORD_DONE, 1, NULL, &first), -CB_E_IO);
	assert_int_equal(first.sys_errno, EIO);
	assert_non_null(strstr(first.hint, "stays open"));
	seen = effects.seen;
	assert_int_equal(cb_journal_step(j, CB_RECORD_DONE, 1, NULL, &err), -CB_E_IO);
	assert_string_equal(err.message, first.message);
	assert_string_equal(err.hint, first.hint);
	assert_int_equal(cb_journal_save(j, 1, "x", strlen("x"), &err), -CB_E_IO);
	assert_int_equal(cb_journal_finish(j, "committed", &err), -CB_E_IO);
	assert_string_equal(err.message, first.message);
	assert_int_equal(err.sys_errno, EIO);
	assert_int_equal(effects.seen, seen); /* nothing was tried again */
	effects_reset();
	cb_journal_free(j);
	j = reopen(ID);
	assert_int_not_equal(cb_journal_state(j, 1), CB_STEP_UNTOUCHED);
	finish(j, "committed");
	cb_journal_free(j);
}

/* --- a finish that was cut off --- */

static void a_finish_is_finished_by_the_next_run(void **unused)
{
	cb_auto_error struct cb_error err = {0};

	(void)unused;
	for (int state_of = 0; state_of < 4; state_of++) {
		cb_auto_str struct cb_str bytes = {0};
		cb_auto_arena struct cb_arena arena = {0};
		struct cb_journal *j = create(ID, 2);
		struct cb_scan scan;
		uint32_t crc;

		step(j, CB_RECORD_INTENT, 1);
		if (state_of < 3)
			ok(cb_journal_save(j, 1, "<domain/>", strlen("<domain/>"), &err), &err);
		read_file(cb_journal_path(j), &bytes);
		cb_journal_free(j);
		cb_record_scan(&arena, bytes.text, bytes.len, cb_record_seed(ID), &scan);
		crc = scan.crc;
		bytes.len = scan.tail;
		cb_record_append(&bytes, &crc, (uint32_t)scan.len + 1,
				 "{\"outcome\":\"committed\",\"type\":\"close\"}", 38);
		if (state_of == 0) /* closed, nothing else done */
			add_zeros(&bytes, 4000);
		if (state_of == 2) /* shortened, documents half gone */
			assert_int_equal(unlink(open_path(ID ".d/1.xml")), 0);
		write_file(open_path(ID ".cbj"), bytes.text, bytes.len);
		assert_int_equal(count(ID, CB_JOURNALS_OPEN), 1);
		j = reopen(ID);
		assert_string_equal(cb_journal_outcome(j), "committed");
		finish(j, "rolled-back");
		cb_journal_free(j);
		assert_int_equal(count(ID, CB_JOURNALS_OPEN), 0);
		assert_false(exists(open_path(ID ".d")));
		j = reopen(ID);
		assert_string_equal(cb_journal_outcome(j), "committed");
		cb_journal_free(j);
		assert_int_equal(unlink(in_state("journal/closed/", ID ".cbj")), 0);
	}
}

/* --- a full disk --- */

static void create_meets_a_limit(void)
{
	cb_auto_error struct cb_error err = {0};
	json_auto_t *object = json_object();
	struct rlimit limit = {.rlim_cur = 16 * 1024, .rlim_max = RLIM_INFINITY};
	struct cb_journal *j = NULL;

	(void)signal(SIGXFSZ, SIG_IGN);
	(void)setrlimit(RLIMIT_FSIZE, &limit);
	_exit(-cb_journal_create(state, ID, object, object, ROOM(1000), &j, &err));
}

static void without_room_nothing_begins(void **unused)
{
	(void)unused;
	assert_int_equal(in_child(create_meets_a_limit, RUN, 0), CB_E_IO);
	assert_int_equal(names_in(open_path("")), 1); /* closed/ */
	assert_int_equal(names_in(open_path("closed")), 0);
}

enum { NO_MOUNT = 77 };

static void fill_a_small_disk(void)
{
	cb_auto_error struct cb_error err = {0};
	json_auto_t *object = json_object();
	struct cb_journal *j = NULL, *second = NULL;
	struct cb_str junk = {0};
	bool good;
	int fd, r;

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", state, "tmpfs", 0, "size=64k,mode=0700") < 0)
		_exit(NO_MOUNT);
	/* Too large for what is there: refused, and gone. */
	r = cb_journal_create(state, OTHER, object, object, ROOM(1000), &second, &err);
	good = r == -CB_E_IO && err.sys_errno == ENOSPC && err.hint && names_in(open_path("")) == 1;
	/* Small enough; then somebody fills the rest: all its records still find their room. */
	ok(cb_journal_create(state, ID, object, object,
			     (struct cb_journal_room){.steps = 2, .progress = 64}, &j, &err),
	   &err);
	add_zeros(&junk, 4096);
	fd = open(in_state("junk", ""), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (write(fd, junk.text, junk.len) > 0)
		;
	good = good && errno == ENOSPC;
	for (unsigned n = 1; n <= 2 && good; n++)
		for (int t = CB_RECORD_INTENT; t <= CB_RECORD_UNDONE && good; t++)
			good = cb_journal_step(j, (enum cb_record)t, n, object, &err) == 0;
	for (int n = 0; n < 64; n++)
		progress(j, 1, n);
	good = good && cb_journal_finish(j, "rolled-back", &err) == 0;
	cb_journal_free(j);
	_exit(good ? 0 : 1);
}

static void a_full_disk_is_met_before_the_first_step(void **unused)
{
	int status;

	(void)unused;
	status = in_child(fill_a_small_disk, RUN, 0);
	if (status == NO_MOUNT)
		skip();
	assert_int_equal(status, 0);
}

/* A record beyond the reserved room is cut off by a limit: the handle is done, the file is torn. */
static void outgrow_the_limit(void)
{
	cb_auto_error struct cb_error err = {0};
	json_auto_t *detail = json_object();
	struct rlimit limit = {.rlim_cur = 40000, .rlim_max = RLIM_INFINITY};
	struct cb_journal *j = create(ID, 1);
	char text[3000] = {0};

	(void)signal(SIGXFSZ, SIG_IGN);
	(void)setrlimit(RLIMIT_FSIZE, &limit);
	memset(text, 'x', sizeof(text) - 1);
	(void)json_object_set_new(detail, "text", json_string(text));
	for (unsigned n = 1; n < 100; n++) {
		if (cb_journal_step(j, CB_RECORD_INTENT, n, detail, &err) == 0)
			continue;
		if (cb_journal_step(j, CB_RECORD_INTENT, n, NULL, &err) == -CB_E_IO)
			_exit((int)n);
	}
	_exit(0);
}

static void a_record_that_was_cut_off_is_dropped(void **unused)
{
	unsigned failed = (unsigned)in_child(outgrow_the_limit, RUN, 0);
	struct cb_journal *j = reopen(ID);
	struct stat st;

	(void)unused;
	assert_true(failed > 5);
	assert_int_equal(stat(cb_journal_path(j), &st), 0);
	assert_int_equal(st.st_size, 40000);
	assert_int_equal(cb_journal_state(j, failed - 1), CB_STEP_INTENDED);
	assert_int_equal(cb_journal_state(j, failed), CB_STEP_UNTOUCHED);
	step(j, CB_RECORD_INTENT, failed);
	finish(j, "committed");
	cb_journal_free(j);
	j = reopen(ID);
	assert_int_equal(cb_journal_state(j, failed), CB_STEP_INTENDED);
	cb_journal_free(j);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void what_is_given_up_says_why(void **unused)
{
	cb_auto_error struct cb_error err = {0};
	json_auto_t *detail = json_pack("{s:s}", "why", "the host is gone"), *dump = NULL;
	struct cb_journal *j = create(ID, 1);
	const json_t *close;

	(void)unused;
	step(j, CB_RECORD_INTENT, 1);
	ok(cb_journal_save(j, 1, "<domain/>", 9, &err), &err);
	ok(cb_journal_abandon(j, detail, &err), &err);
	cb_journal_free(j);
	assert_int_equal(count(ID, CB_JOURNALS_OPEN), 0);
	assert_int_equal(count(ID, CB_JOURNALS_CLOSED), 1);
	assert_false(exists(open_path(ID ".d")));
	j = reopen(ID);
	assert_string_equal(cb_journal_outcome(j), "abandoned");
	dump = cb_journal_dump(j);
	close = json_array_get(dump, json_array_size(dump) - 1);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(close, "detail"), "why")),
		"the host is gone");
	cb_journal_free(j);
}

/* --- what is kept of finished ones --- */

enum { NOW = 2000000000, DAY = 86400, KEPT = 8 };

/* KEPT finished transactions, "h0" the oldest: h0 was finished KEPT - 1 days before NOW, the last
 * one just now; one that is open and older than all; and files that are nobody's. */
static void make_history(void)
{
	cb_auto_str struct cb_str text = {0};

	cb_journal_free(create("open", 1));
	for (int i = KEPT - 1; i >= 0; i--) {
		struct timespec when[2] = {{.tv_nsec = UTIME_OMIT},
					   {.tv_sec = NOW - (KEPT - 1 - i) * DAY}};
		struct cb_journal *j;

		cb_str_clear(&text);
		cb_str_printf(&text, "h%d", i);
		j = create(text.text, 1);
		finish(j, i % 2 ? "committed" : "rolled-back");
		assert_int_equal(utimensat(AT_FDCWD, cb_journal_path(j), when, 0), 0);
		cb_journal_free(j);
	}
	write_file(open_path("closed/notes.txt"), "x", 1);
	write_file(open_path("closed/.h0.cbj"), "x", 1);
	assert_int_equal(utimensat(AT_FDCWD, open_path("open.cbj"),
				   (struct timespec[2]){{.tv_sec = 1}, {.tv_sec = 1}}, 0),
			 0);
}

/* The newest ones are there, the others are not; what is not history is untouched. */
static void assert_kept(size_t n)
{
	for (size_t i = 0; i < KEPT; i++) {
		char id[8];

		(void)snprintf(id, sizeof(id), "h%zu", i);
		assert_int_equal(count(id, CB_JOURNALS_CLOSED), i >= KEPT - n);
	}
	assert_int_equal(count("open", CB_JOURNALS_OPEN), 1);
	assert_true(exists(open_path("closed/notes.txt")));
	assert_true(exists(open_path("closed/.h0.cbj")));
	cb_journal_free(reopen("open"));
}

static unsigned sweep_history(uint64_t age, uint64_t bytes, int64_t now)
{
	cb_auto_error struct cb_error err = {0};
	const struct cb_retention keep = {age, bytes};
	unsigned swept;

	ok(cb_journal_sweep(state, &keep, now, &swept, &err), &err);
	return swept;
}

static void finished_journals_are_kept_for_so_long(void **unused)
{
	(void)unused;
	assert_int_equal(sweep_history(0, 0, NOW), 0); /* nothing is there */
	make_history();
	assert_int_equal(sweep_history(KEPT * DAY, UINT64_MAX, NOW), 0);
	assert_kept(KEPT);
	/* A clock that was set back makes nothing old. */
	assert_int_equal(sweep_history(0, UINT64_MAX, NOW - KEPT * DAY), 0);
	assert_int_equal(sweep_history(3 * DAY, UINT64_MAX, NOW), KEPT - 3);
	assert_kept(3);
	assert_int_equal(sweep_history(3 * DAY, UINT64_MAX, NOW), 0);
	assert_int_equal(sweep_history(0, UINT64_MAX, NOW), 3);
	assert_kept(0);
}

static void finished_journals_are_kept_while_there_is_room(void **unused)
{
	(void)unused;
	make_history();
	/* Each one takes a block of the disk. */
	assert_int_equal(sweep_history(UINT64_MAX, KEPT * 4096, NOW), 0);
	assert_int_equal(sweep_history(UINT64_MAX, KEPT * 4096 - 1, NOW), 1);
	assert_kept(KEPT - 1);
	assert_int_equal(sweep_history(UINT64_MAX, 2 * 4096, NOW), KEPT - 3);
	assert_kept(2);
	/* The age takes its share first. */
	assert_int_equal(sweep_history(1, 4096, NOW), 1);
	assert_kept(1);
	assert_int_equal(sweep_history(UINT64_MAX, 0, NOW), 1);
	assert_kept(0);
}

static void sweep_all(void)
{
	(void)sweep_history(0, 0, NOW);
}

/* Whenever it dies, what is left is the newest part of the history, and the next one goes on. */
static void a_sweep_that_dies_leaves_the_newest(void **unused)
{
	(void)unused;
	for (int after = 0; after < 2; after++) {
		for (int at = 1; at <= KEPT; at++) {
			make_history();
			assert_int_equal(in_child(sweep_all, after ? DIE_AFTER : DIE_BEFORE, at),
					 DIED);
			assert_kept((size_t)(KEPT - at + 1 - after));
			assert_int_equal(sweep_history(4 * DAY, UINT64_MAX, NOW),
					 at - 1 + after < 4 ? 4 - (at - 1 + after) : 0);
			(void)sweep_history(0, 0, NOW);
			assert_kept(0);
			remove_tree(state);
			assert_int_equal(mkdir(state, 0700), 0);
		}
	}
}

static void a_sweep_that_fails_says_where(void **unused)
{
	const struct cb_retention keep = {0, 0};
	cb_auto_error struct cb_error err = {0};
	unsigned swept;

	(void)unused;
	make_history();
	effects_reset();
	effects.mode = FAIL;
	effects.at = 3;
	assert_int_equal(cb_journal_sweep(state, &keep, NOW, &swept, &err), -CB_E_IO);
	effects_reset();
	assert_int_equal(swept, 2);
	assert_non_null(strstr(err.message, "closed/h2.cbj"));
	assert_kept(KEPT - 2);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_transaction_reads_back_as_it_was_written),
		TEST(progress_is_of_the_last_intent_and_decides_nothing),
		TEST(the_file_is_private_text_with_room_reserved),
		TEST(everything_is_durable_in_its_order),
		TEST(closed_journals_take_no_more),
		TEST(an_id_is_used_once),
		TEST(of_many_that_create_one_wins),
		TEST(ids_cannot_leave_the_directory),
		TEST(what_is_not_there_is_not_found),
		TEST(lists_are_ordered_by_age),
		TEST(an_unreadable_journal_is_still_listed),
		TEST(documents_are_private_and_go_at_the_end),
		TEST(strange_details_read_back_or_are_refused),
		TEST(a_torn_tail_is_written_over),
		TEST(damage_is_refused_and_named),
		TEST(records_that_make_no_sense_are_refused),
		TEST(a_plan_that_was_cut_short_is_none),
		TEST(what_is_not_a_file_is_refused),
		TEST(a_directory_that_others_can_write_to_is_refused),
		TEST(a_power_cut_loses_no_acknowledged_record),
		TEST(a_kill_at_any_effect_can_be_recovered_from),
		TEST(an_error_at_any_effect_leaves_a_journal_that_reads),
		TEST(a_create_that_fails_leaves_nothing),
		TEST(what_a_killed_create_leaves_can_be_cleared),
		TEST(a_failed_sync_is_final),
		TEST(a_finish_is_finished_by_the_next_run),
		TEST(without_room_nothing_begins),
		TEST(a_full_disk_is_met_before_the_first_step),
		TEST(a_record_that_was_cut_off_is_dropped),
		TEST(what_is_given_up_says_why),
		TEST(finished_journals_are_kept_for_so_long),
		TEST(finished_journals_are_kept_while_there_is_room),
		TEST(a_sweep_that_dies_leaves_the_newest),
		TEST(a_sweep_that_fails_says_where),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
