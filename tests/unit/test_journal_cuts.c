/*
 * Power cuts between any two effects on the files of a transaction, on a disk that keeps no order:
 * of what was not synced any part may be there, whatever came before or after it. And each sync in
 * turn left out: some cut must then show a loss, or the sync is not needed.
 *
 * The disk is modelled on what POSIX leaves open: fsync of a file makes its bytes durable, not its
 * name; fsync of a directory makes its names durable. A rename may leave both names, and none only
 * where the old directory was synced and the new one was not. (Parts of a single write, sector by
 * sector, are in test_journal.)
 *
 * CB_TELL_SITES=1 prints a line per sync that was left out: the calls that led to it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
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

enum { MAX_EFFECTS = 160, MAX_NODES = 48, MAX_SITES = 96, DEPTH = 2, NAME = 96 };

enum { WHOLE_SUBSETS = 7 }; /* of so many effects in question every subset is tried */

/* --- the disk: effects in their order, and which of them are durable --- */

enum kind { WRITE, SIZE, GROW, ADD, REMOVE };

struct effect {
	enum kind kind;
	int node;    /* the file, or the directory whose name it is */
	int what;    /* ADD: the file */
	int partner; /* REMOVE by a rename: the effect that adds the new name; else -1 */
	char name[NAME];
	char *bytes;
	size_t at, len;
	bool durable;
};

static struct {
	struct effect effects[MAX_EFFECTS];
	int n;

	struct {
		ino_t inode;
		bool directory;
	} nodes[MAX_NODES];

	int n_nodes;
	/* After so many effects the run is dead: nothing it does has an effect. */
	int limit;
	bool torn; /* the write at the limit is there in part */
	bool watched;
} disk;

/* What a cut may not take away. */
static struct {
	bool created, saved, finished;
	unsigned known, written;      /* records that somebody relies on; that may be there */
	const char *path, *old, *new; /* of a single file, and what it may hold */
	bool kept;                    /* it must hold the new text */
} expected;

static char root[64], cut_root[64];
static unsigned long cuts;
static const char *loss; /* the first one seen in this run */

/* --- syncs, by the calls that led to them --- */

struct site {
	void *calls[DEPTH];
	int first_run; /* in which it was seen */
};

static struct {
	struct site all[MAX_SITES];
	int n;
	int dropped; /* index, or -1 */
	int run;
} sites = {.dropped = -1};

static bool drop_this(const void *caller)
{
	void *frames[DEPTH + 6];
	int n = backtrace(frames, DEPTH + 6), i = 0;
	struct site here = {.first_run = sites.run};

	while (i < n && frames[i] != caller)
		i++;
	assert_true(i + DEPTH <= n);
	memcpy(here.calls, frames + i, sizeof(here.calls));
	for (i = 0; i < sites.n; i++)
		if (memcmp(here.calls, sites.all[i].calls, sizeof(here.calls)) == 0)
			return i == sites.dropped;
	assert_true(sites.n < MAX_SITES);
	if (sites.dropped < 0)
		sites.all[sites.n++] = here;
	return false;
}

static void check_cuts(void);

static int node_of(ino_t inode)
{
	for (int i = disk.n_nodes; i-- > 0;)
		if (disk.nodes[i].inode == inode)
			return i;
	return -1;
}

static int new_node(ino_t inode, bool directory)
{
	assert_true(disk.n_nodes < MAX_NODES);
	disk.nodes[disk.n_nodes].inode = inode;
	disk.nodes[disk.n_nodes].directory = directory;
	return disk.n_nodes++;
}

static int node_of_fd(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? node_of(st.st_ino) : -1;
}

/* The directory's node, and the last name; -1 outside of the modelled tree. */
static int parent_of(const char *path, const char **name)
{
	char dir[512];
	const char *slash = strrchr(path, '/');
	struct stat st;

	if (!disk.watched || !slash)
		return -1;
	(void)snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
	*name = slash + 1;
	return stat(dir, &st) == 0 ? node_of(st.st_ino) : -1;
}

static struct effect *add_effect(enum kind kind, int node)
{
	struct effect *e = &disk.effects[disk.n];

	assert_true(disk.n < MAX_EFFECTS);
	disk.n++;
	*e = (struct effect){.kind = kind, .node = node, .partner = -1};
	return e;
}

static void add_name(enum kind kind, int dir, const char *name, int what, int partner)
{
	struct effect *e = add_effect(kind, dir);

	(void)snprintf(e->name, sizeof(e->name), "%s", name);
	e->what = what;
	e->partner = partner;
}

static int taken; /* effects that the run wanted to have, dead or not */

static bool is_dead(void)
{
	return disk.watched && ++taken > disk.limit;
}

static int dead(void)
{
	errno = EIO;
	return -1;
}

static void sync_node(int node)
{
	for (int i = 0; i < disk.n; i++) {
		struct effect *e = &disk.effects[i];

		if (e->node == node)
			e->durable = true;
	}
}

static int sync_fd(int fd, const void *caller)
{
	int node = disk.watched ? node_of_fd(fd) : -1;

	if (node < 0)
		return 0;
	if (is_dead())
		return dead();
	check_cuts();
	if (!drop_this(caller))
		sync_node(node);
	check_cuts();
	return 0;
}

/* --- these stand in for those of libc --- */

int fdatasync(int fd)
{
	return sync_fd(fd, __builtin_return_address(0));
}

int fsync(int fd)
{
	return sync_fd(fd, __builtin_return_address(0));
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	int node = disk.watched ? node_of_fd(fd) : -1;
	ssize_t n;

	if (node >= 0 && is_dead()) {
		if (!disk.torn || taken != disk.limit + 1)
			return dead();
		len /= 2;
	}
	n = syscall(SYS_pwrite64, fd, bytes, len, offset);
	if (node >= 0 && n > 0) {
		struct effect *e = add_effect(WRITE, node);

		e->at = (size_t)offset;
		e->len = (size_t)n;
		e->bytes = malloc((size_t)n);
		assert_non_null(e->bytes);
		memcpy(e->bytes, bytes, (size_t)n);
		check_cuts();
		return taken > disk.limit ? dead() : n;
	}
	return n;
}

int posix_fallocate(int fd, off_t offset, off_t len)
{
	int node = disk.watched ? node_of_fd(fd) : -1;

	if (node >= 0 && is_dead())
		return EIO;
	if (syscall(SYS_fallocate, fd, 0, offset, len) < 0)
		return errno;
	if (node >= 0) {
		add_effect(GROW, node)->len = (size_t)(offset + len);
		check_cuts();
	}
	return 0;
}

int ftruncate(int fd, off_t size)
{
	int node = disk.watched ? node_of_fd(fd) : -1;

	if (node >= 0 && is_dead())
		return dead();
	if (syscall(SYS_ftruncate, fd, size) < 0)
		return -1;
	if (node >= 0) {
		add_effect(SIZE, node)->len = (size_t)size;
		check_cuts();
	}
	return 0;
}

static int created(int fd, const char *path)
{
	const char *name;
	int dir = parent_of(path, &name);
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	if (dir >= 0) {
		add_name(ADD, dir, name, new_node(st.st_ino, false), -1);
		check_cuts();
	}
	return fd;
}

int open(const char *path, int flags, ...)
{
	const char *name;
	mode_t mode = 0;
	va_list list;
	bool creates;
	int fd;

	va_start(list, flags);
	if (flags & O_CREAT)
		mode = va_arg(list, mode_t);
	va_end(list);
	creates = (flags & O_CREAT) && access(path, F_OK) != 0 && parent_of(path, &name) >= 0;
	if (creates && is_dead())
		return dead();
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	if (fd >= 0 && !creates && (flags & O_TRUNC) && disk.watched && node_of_fd(fd) >= 0) {
		add_effect(SIZE, node_of_fd(fd));
		check_cuts();
	}
	return fd >= 0 && creates ? created(fd, path) : fd;
}

int mkostemp(char *path, int flags)
{
	static unsigned n;
	size_t len = strlen(path);

	(void)snprintf(path + len - 6, 7, "%06u", ++n);
	return open(path, O_RDWR | O_CREAT | O_EXCL | flags, 0600);
}

int mkdir(const char *path, mode_t mode)
{
	const char *name;
	int dir = parent_of(path, &name);
	struct stat st;

	if (dir >= 0 && access(path, F_OK) != 0 && is_dead())
		return dead();
	if (syscall(SYS_mkdirat, AT_FDCWD, path, mode) < 0)
		return -1;
	if (dir >= 0) {
		assert_int_equal(stat(path, &st), 0);
		add_name(ADD, dir, name, new_node(st.st_ino, true), -1);
		check_cuts();
	}
	return 0;
}

static int do_remove(const char *path, int flags)
{
	const char *name;
	int dir = parent_of(path, &name);

	if (dir >= 0 && access(path, F_OK) == 0 && is_dead())
		return dead();
	if (syscall(SYS_unlinkat, AT_FDCWD, path, flags) < 0)
		return -1;
	if (dir >= 0) {
		add_name(REMOVE, dir, name, -1, -1);
		check_cuts();
	}
	return 0;
}

int unlink(const char *path)
{
	return do_remove(path, 0);
}

int rmdir(const char *path)
{
	return do_remove(path, AT_REMOVEDIR);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	const char *old, *new;
	int a = parent_of(from, &old), b = parent_of(to, &new), node;
	struct stat st;

	if (a >= 0 && is_dead())
		return dead();
	assert_int_equal(stat(from, &st), 0);
	node = node_of(st.st_ino);
	if (syscall(SYS_renameat2, from_dir, from, to_dir, to, flags) < 0)
		return -1;
	if (a >= 0) {
		add_name(ADD, b, new, node, -1);
		add_name(REMOVE, a, old, -1, disk.n - 1);
		check_cuts();
	}
	return 0;
}

int rename(const char *from, const char *to)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* --- what a cut leaves --- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)ftw;
	return (int)syscall(SYS_unlinkat, AT_FDCWD, path,
			    type == FTW_DP || type == FTW_D ? AT_REMOVEDIR : 0);
}

static void remove_tree(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct names {
	struct {
		char name[NAME];
		int what;
	} items[24];

	int n;
};

static void apply_name(struct names *names, const struct effect *e)
{
	int i = 0;

	while (i < names->n && strcmp(names->items[i].name, e->name) != 0)
		i++;
	if (e->kind == ADD) {
		assert_true(i < 24);
		(void)snprintf(names->items[i].name, NAME, "%s", e->name);
		names->items[i].what = e->what;
		names->n += i == names->n;
	} else if (i < names->n) {
		names->items[i] = names->items[--names->n];
	}
}

static void build_file(int node, const char *path, const bool *there)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	for (int i = 0; i < disk.n; i++) {
		const struct effect *e = &disk.effects[i];
		struct stat st;

		if (e->node != node || !there[i])
			continue;
		assert_int_equal(fstat(fd, &st), 0);
		if (e->kind == WRITE)
			assert_int_equal(syscall(SYS_pwrite64, fd, e->bytes, e->len, e->at),
					 e->len);
		else if (e->kind == SIZE || (size_t)st.st_size < e->len)
			assert_int_equal(syscall(SYS_ftruncate, fd, e->len), 0);
	}
	assert_int_equal(close(fd), 0);
}

static void build(int node, const char *path, const bool *there)
{
	struct names names = {.n = 0};

	assert_int_equal(syscall(SYS_mkdirat, AT_FDCWD, path, 0700), 0);
	for (int i = 0; i < disk.n; i++)
		if (there[i] && disk.effects[i].node == node)
			apply_name(&names, &disk.effects[i]);
	for (int i = 0; i < names.n; i++) {
		char below[512];

		(void)snprintf(below, sizeof(below), "%s/%s", path, names.items[i].name);
		if (disk.nodes[names.items[i].what].directory)
			build(names.items[i].what, below, there);
		else
			build_file(names.items[i].what, below, there);
	}
}

static void lose(const char *what)
{
	if (!loss)
		loss = what;
}

static bool lists(const char *state, enum cb_journal_which which)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};
	struct cb_journal_ids ids;

	if (cb_journal_list(state, which, &arena, &ids, &err) < 0)
		lose("the journals cannot be listed");
	return ids.len > 0;
}

static void check_records(const struct cb_journal *j)
{
	static const char *const types[] = {"begin", "plan"};
	json_auto_t *all = cb_journal_dump(j);
	size_t n = json_array_size(all);

	if (n < expected.known)
		lose("a record that was relied on is lost");
	if (n > expected.written)
		lose("a record is there that nobody has written");
	for (size_t i = 0; i < 2 && i < n; i++)
		if (strcmp(json_string_value(json_object_get(json_array_get(all, i), "type")),
			   types[i]) != 0)
			lose("a record is not at its place");
}

static void check_journal(const char *state)
{
	cb_auto_str struct cb_str text = {0};
	cb_auto_error struct cb_error err = {0}, none = {0};
	struct cb_journal *j = NULL;
	char images[512];
	bool is_open = lists(state, CB_JOURNALS_OPEN), is_closed = lists(state, CB_JOURNALS_CLOSED);
	int r;

	if (!is_open && !is_closed) {
		if (expected.created)
			lose("the journal is lost");
		return;
	}
	if (cb_journal_peek(state, ID, &j, &err) < 0) {
		lose("the journal cannot be read");
		return;
	}
	check_records(j);
	(void)snprintf(images, sizeof(images), "%s/journal/" ID ".d", state);
	r = cb_journal_load(j, 1, &text, &none);
	if (!cb_journal_outcome(j)) {
		if (r < 0 && expected.saved)
			lose("a document is lost");
		if (r == 0 && strcmp(cb_str_text(&text), TEXT) != 0)
			lose("a document is not whole");
	}
	if (!is_open && access(images, F_OK) == 0)
		lose("a document outlives its transaction");
	if (expected.finished && (is_open || !is_closed))
		lose("a transaction that was finished is open");
	cb_journal_free(j);
}

static void check_single(void)
{
	cb_auto_str struct cb_str text = {0};
	cb_auto_error struct cb_error err = {0};
	char path[512];
	int r;

	(void)snprintf(path, sizeof(path), "%s/%s", cut_root, expected.path);
	if (!expected.new) {
		if (expected.kept && access(path, F_OK) != 0)
			lose("a directory that was made is lost");
		return;
	}
	r = cb_fs_read(path, 4096, &text, &err);
	if (r == 0 && strcmp(cb_str_text(&text), expected.new) == 0)
		return;
	if (expected.kept)
		lose("a file that was written is lost");
	else if (expected.old && (r < 0 || strcmp(cb_str_text(&text), expected.old) != 0))
		lose("a file holds neither the old text nor the new one");
}

static void check_cut(const bool *there)
{
	char state[128];
	bool watched = disk.watched;

	disk.watched = false;
	remove_tree(cut_root);
	build(0, cut_root, there);
	(void)snprintf(state, sizeof(state), "%s/s", cut_root);
	if (expected.path)
		check_single();
	else
		check_journal(state);
	cuts++;
	disk.watched = watched;
}

/* A rename that was not synced leaves the new name or both. But a sync of the old directory is none
 * of the new one. */
static void check_choice(bool *there)
{
	for (int i = 0; i < disk.n; i++)
		if (there[i] && !disk.effects[i].durable && disk.effects[i].partner >= 0)
			there[disk.effects[i].partner] = true;
	check_cut(there);
}

/* Every subset of the effects that are in question; of many, those that differ from none and from
 * all by one. */
static void check_cuts(void)
{
	int open[MAX_EFFECTS], n = 0;
	bool there[MAX_EFFECTS];

	if (loss || !disk.watched)
		return;
	for (int i = 0; i < disk.n; i++)
		if (!disk.effects[i].durable)
			open[n++] = i;
	for (unsigned choice = 0; choice < (n <= WHOLE_SUBSETS ? 1U << n : 2U * (unsigned)n + 2);
	     choice++) {
		for (int i = 0; i < disk.n; i++)
			there[i] = disk.effects[i].durable;
		for (int i = 0; i < n; i++)
			there[open[i]] = n <= WHOLE_SUBSETS
						 ? choice >> i & 1
						 : (choice / 2 == (unsigned)i) != (choice % 2);
		check_choice(there);
	}
}

/* --- runs --- */

static void disk_new(int limit, bool torn)
{
	struct stat st;

	for (int i = 0; i < disk.n; i++)
		free(disk.effects[i].bytes);
	memset(&disk, 0, sizeof(disk));
	memset(&expected, 0, sizeof(expected));
	taken = 0;
	loss = NULL;
	remove_tree(root);
	assert_int_equal(syscall(SYS_mkdirat, AT_FDCWD, root, 0700), 0);
	assert_int_equal(stat(root, &st), 0);
	(void)new_node(st.st_ino, true);
	disk.limit = limit;
	disk.torn = torn;
	disk.watched = true;
}

/* A record that is long when it is torn. */
static json_t *long_detail(void)
{
	char text[1500];

	memset(text, 'z', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	return json_pack("{s:s}", "learned", text);
}

static int first_life(const char *state)
{
	json_auto_t *object = json_object(), *detail = long_detail();
	cb_auto_error struct cb_error err = {0};
	struct cb_journal *j = NULL;
	int r;

	expected.written = 2;
	r = cb_journal_create(state, ID, object, object, (struct cb_journal_room){.steps = 2}, &j,
			      &err);
	if (r == 0) {
		expected.created = true;
		expected.known = 2;
		r = cb_journal_save(j, 1, TEXT, strlen(TEXT), &err);
	}
	if (r == 0) {
		expected.saved = true;
		expected.written = 3;
		r = cb_journal_step(j, CB_RECORD_INTENT, 1, NULL, &err);
	}
	if (r == 0) {
		expected.known = 3;
		expected.written = 4;
		r = cb_journal_step(j, CB_RECORD_DONE, 1, detail, &err);
	}
	if (r == 0) {
		expected.known = 4;
		expected.written = 5;
		r = cb_journal_finish(j, "committed", &err);
	}
	if (r == 0) {
		expected.known = 5;
		expected.finished = true;
		check_cuts();
	}
	cb_journal_free(j);
	return r;
}

static void must(int r, const struct cb_error *err)
{
	if (r < 0)
		fail_msg("%s", err->message);
}

/* The next run relies on all that it reads. */
static void second_life(const char *state)
{
	cb_auto_error struct cb_error err = {0};
	struct cb_journal *j = NULL;
	json_t *all;
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/journal/closed/" ID ".cbj", state);
	/* What is closed no run looks at again. */
	if (access(path, F_OK) == 0)
		return;
	(void)snprintf(path, sizeof(path), "%s/journal/" ID ".cbj", state);
	if (access(path, F_OK) != 0) {
		/* Nothing was begun; what was made on the way there is found. */
		assert_int_equal(first_life(state), 0);
		return;
	}
	must(cb_journal_open(state, ID, &j, &err), &err);
	all = cb_journal_dump(j);
	expected.created = true;
	expected.known = (unsigned)json_array_size(all);
	expected.written = expected.known;
	json_decref(all);
	check_cuts();
	if (!cb_journal_outcome(j)) {
		must(cb_journal_save(j, 1, TEXT, strlen(TEXT), &err), &err);
		expected.saved = true;
		check_cuts();
		expected.written++;
		must(cb_journal_step(j, CB_RECORD_UNDO_INTENT, 1, NULL, &err), &err);
		expected.known++;
		check_cuts();
		expected.written++;
	}
	must(cb_journal_finish(j, "rolled-back", &err), &err);
	expected.finished = true;
	expected.known = expected.written;
	check_cuts();
	cb_journal_free(j);
}

/* A run that dies at its effect `limit`, and the next one. False: it did not live so long. */
static bool lives(int limit, bool torn)
{
	char state[128];
	int r;

	disk_new(limit, torn);
	(void)snprintf(state, sizeof(state), "%s/s", root);
	r = first_life(state);
	disk.limit = 1 << 30;
	if (r < 0)
		second_life(state);
	disk.watched = false;
	return r < 0;
}

static void write_new(const char *path, struct cb_error *err)
{
	cb_auto_str struct cb_str old = {0};

	if (strstr(path, "made")) {
		must(cb_fs_mkdirs(path, err), err);
	} else if (strstr(path, "created")) {
		must(cb_fs_create(path, 0600, "new", 3, err), err);
	} else if (strstr(path, "replaced")) {
		cb_str_add(&old, "old");
		must(cb_fs_replace(path, &old, "new", 3, err), err);
	} else {
		must(cb_fs_write_atomic(path, "new", 3, err), err);
	}
}

static void single_file(const char *name)
{
	cb_auto_error struct cb_error err = {0};
	char path[128];

	disk_new(1 << 30, false);
	(void)snprintf(path, sizeof(path), "%s/%s", root, name);
	expected.path = name;
	expected.old = NULL;
	expected.new = strstr(name, "made") ? NULL : "new";
	if (!strstr(name, "created") && expected.new) {
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

		assert_true(fd >= 0);
		assert_int_equal(pwrite(fd, "old", 3, 0), 3);
		assert_int_equal(close(fd), 0);
		for (int i = 0; i < disk.n; i++)
			disk.effects[i].durable = true;
		expected.old = "old";
	}
	write_new(path, &err);
	expected.kept = true;
	check_cuts();
	disk.watched = false;
}

static const char *const single_files[] = {"created", "replaced", "written", "made/deep/er"};

enum { SINGLE_FILES = 4 };

/* The run of that number: the single files, then two lives with a death at each effect, whole and
 * torn. False: there is no such run. */
static bool run(int number)
{
	sites.run = number;
	if (number < SINGLE_FILES) {
		single_file(single_files[number]);
		return true;
	}
	return lives((number - SINGLE_FILES) / 2, (number - SINGLE_FILES) % 2);
}

static int setup(void **unused)
{
	(void)unused;
	(void)snprintf(root, sizeof(root), "/dev/shm/cb-cuts-%d", (int)getpid());
	(void)snprintf(cut_root, sizeof(cut_root), "/dev/shm/cb-cut-%d", (int)getpid());
	return 0;
}

static int teardown(void **unused)
{
	(void)unused;
	disk_new(0, false);
	disk.watched = false;
	remove_tree(root);
	remove_tree(cut_root);
	return 0;
}

static int runs;

static void no_cut_loses_anything(void **unused)
{
	(void)unused;
	sites.dropped = -1;
	for (runs = 0; run(runs); runs++)
		if (loss)
			fail_msg("run %d: %s", runs, loss);
	if (loss)
		fail_msg("run %d: %s", runs, loss);
	print_message("%d runs, %lu cuts, %d syncs\n", runs, cuts, sites.n);
	assert_true(runs > 40);
	assert_true(cuts > 1000);
}

static void tell_site(int number)
{
	Dl_info info;

	printf("site");
	for (int i = 0; i < DEPTH && sites.all[number].calls[i]; i++)
		if (dladdr(sites.all[number].calls[i], &info))
			printf(" %tx",
			       (char *)sites.all[number].calls[i] - (char *)info.dli_fbase - 1);
	printf("\t%s\n", loss ? loss : "nothing");
}

static void every_sync_is_needed(void **unused)
{
	int useless = 0;

	(void)unused;
	assert_true(sites.n > 15);
	for (sites.dropped = 0; sites.dropped < sites.n; sites.dropped++) {
		for (int i = sites.all[sites.dropped].first_run; i <= runs; i++) {
			(void)run(i);
			if (loss)
				break;
		}
		useless += !loss;
		if (!loss || getenv("CB_TELL_SITES"))
			tell_site(sites.dropped);
	}
	sites.dropped = -1;
	assert_int_equal(useless, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_cut_loses_anything),
		cmocka_unit_test(every_sync_is_needed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
