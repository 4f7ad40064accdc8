#include "reconciler/journal/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reconciler/base/clock.h"
#include "reconciler/base/fs.h"
#include "reconciler/journal/record.h"
#include "reconciler/journal/statedir.h"

#define SUFFIX ".cbj"

enum {
	FILE_MAX = 64 * 1024 * 1024,
	DOCUMENT_MAX = 16 * 1024 * 1024, /* libvirt takes 4 MiB */
	/* Room that is reserved: intent, done, failed, undo-intent, undone and one to spare for
	 * each step; those of progress; close and some to spare for the transaction. */
	RECORD_ROOM = 512,
	RECORDS_PER_STEP = 6,
	RECORDS_MORE = 4,
};

static const char *const type_names[] = {
	[CB_RECORD_BEGIN] = "begin",
	[CB_RECORD_PLAN] = "plan",
	[CB_RECORD_INTENT] = "intent",
	[CB_RECORD_PROGRESS] = "progress",
	[CB_RECORD_DONE] = "done",
	[CB_RECORD_FAILED] = "failed",
	[CB_RECORD_UNDO_INTENT] = "undo-intent",
	[CB_RECORD_UNDONE] = "undone",
	[CB_RECORD_CLOSE] = "close",
};

struct entry {
	enum cb_record type;
	unsigned step; /* of intent .. undone */
	json_t *value; /* owned */
};

struct cb_journal {
	struct cb_arena arena;
	const char *id, *path;
	const char *open_dir, *open_path, *closed_dir, *closed_path;
	const char *image_dir;
	int fd;
	CB_VEC(struct entry) entries;
	size_t tail, end; /* where the next record goes; end of what has to be zeroed before */
	uint32_t crc;
	bool closed; /* stands in closed/ */
	bool peek;   /* only looked at: nothing is synced, nothing may be appended */
	struct cb_error poison;
};

static bool about_a_step(enum cb_record type)
{
	return type >= CB_RECORD_INTENT && type <= CB_RECORD_UNDONE;
}

/* Letters, digits, '-': safe as a file name. */
static int check_id(const char *id, struct cb_error *err)
{
	size_t len = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");

	if (len == 0 || len > CB_JOURNAL_ID_MAX || id[len])
		return cb_error_set(err, CB_E_INVALID, "'%s' is not the id of a transaction", id);
	return 0;
}

static struct cb_journal *handle_new(const char *state_dir, const char *id)
{
	struct cb_journal *j = calloc(1, sizeof(*j));
	struct cb_arena *arena;

	if (!j)
		cb_oom();
	arena = &j->arena;
	j->fd = -1;
	j->id = cb_arena_strdup(arena, id);
	j->open_dir = cb_arena_printf(arena, "%s/journal", state_dir);
	j->open_path = cb_arena_printf(arena, "%s/%s" SUFFIX, j->open_dir, id);
	j->closed_dir = cb_arena_printf(arena, "%s/closed", j->open_dir);
	j->closed_path = cb_arena_printf(arena, "%s/%s" SUFFIX, j->closed_dir, id);
	j->image_dir = cb_arena_printf(arena, "%s/%s.d", j->open_dir, id);
	j->path = j->open_path;
	j->crc = cb_record_seed(id);
	return j;
}

void cb_journal_free(struct cb_journal *journal)
{
	if (!journal)
		return;
	cb_vec_each (struct entry, entry, &journal->entries)
		json_decref(entry->value);
	cb_fd_release(&journal->fd);
	cb_error_release(&journal->poison);
	cb_arena_release(&journal->arena);
	free(journal);
}

static void free_handle(struct cb_journal **journal)
{
	cb_journal_free(*journal);
}

#define auto_journal CB_CLEANUP(free_handle)

/* After a write or sync that failed nobody knows what the disk holds, and asking again does not
 * tell: the kernel reports such a loss once. So this handle never writes again. */
static int poison(struct cb_journal *j, struct cb_error *err)
{
	(void)cb_error_hint(err,
			    "the transaction stays open: see to the file system, then run the same "
			    "command again");
	(void)cb_error_set(&j->poison, err->code, "%s", err->message);
	(void)cb_error_hint(&j->poison, "%s", err->hint);
	j->poison.sys_errno = err->sys_errno;
	return -(int)err->code;
}

static int check_poison(const struct cb_journal *j, struct cb_error *err)
{
	if (!j->poison.code)
		return 0;
	(void)cb_error_set(err, j->poison.code, "%s", j->poison.message);
	err->sys_errno = j->poison.sys_errno;
	return cb_error_hint(err, "%s", j->poison.hint);
}

/* --- writing --- */

static json_t *record_new(enum cb_record type, const json_t *detail)
{
	char now[CB_TIME_SIZE];
	json_t *record;

	cb_clock_format(cb_clock_now(), now);
	record = json_pack("{s:s, s:s}", "type", type_names[type], "time", now);
	if (!record)
		cb_oom();
	/* A copy: the caller's object stays as it is, and may change later. */
	if (detail && json_object_set_new(record, "detail", json_deep_copy(detail)) < 0)
		cb_oom();
	return record;
}

/* Overwrites what a torn record has left. On its own and durable before the next record: else a cut
 * in that one could leave the old bytes among the new, which would look like damage. */
static int clear_torn(struct cb_journal *j, struct cb_error *err)
{
	static const char zeros[4096];
	size_t at = j->tail;
	int r;

	if (j->end <= j->tail)
		return 0;
	while (at < j->end) {
		size_t len = j->end - at < sizeof(zeros) ? j->end - at : sizeof(zeros);

		if ((r = cb_fs_pwrite(j->fd, j->path, zeros, len, (off_t)at, err)) < 0)
			return r;
		at += len;
	}
	if ((r = cb_fs_sync(j->fd, j->path, err)) < 0)
		return r;
	j->end = j->tail;
	return 0;
}

/* The text of a record, and the record as that text reads back (a new reference). */
static int encode(const struct cb_journal *j, const json_t *record, struct cb_str *text,
		  json_t **read_back, struct cb_error *err)
{
	char *line = json_dumps(record, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);

	if (!line)
		return cb_error_set(err, CB_E_INTERNAL, "a record for '%s' is not valid JSON",
				    j->path);
	cb_str_add(text, line);
	free(line);
	if (text->len > CB_RECORD_MAX || j->tail + text->len + 64 > FILE_MAX) {
		(void)cb_error_set(err, CB_E_UNSUPPORTED,
				   "a record of %zu bytes is too large for '%s'", text->len,
				   j->path);
		return cb_error_hint(err, "let fewer machines change in one transaction");
	}
	/* What could not be read back must never be written. */
	*read_back =
		json_loadb(text->text, text->len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	if (!*read_back)
		return cb_error_set(err, CB_E_INTERNAL, "a record for '%s' does not read back",
				    j->path);
	return 0;
}

/* Writes one record, not yet durable. Sets `touched` when the file may have changed. */
static int put(struct cb_journal *j, enum cb_record type, unsigned step, const json_t *record,
	       bool *touched, struct cb_error *err)
{
	cb_auto_str struct cb_str text = {0}, frame = {0};
	struct entry entry = {.type = type, .step = step};
	uint32_t crc = j->crc;
	int r;

	if ((r = encode(j, record, &text, &entry.value, err)) < 0)
		return r;
	*touched = true;
	cb_record_append(&frame, &crc, (uint32_t)j->entries.len + 1, text.text, text.len);
	if ((r = clear_torn(j, err)) < 0 ||
	    (r = cb_fs_pwrite(j->fd, j->path, frame.text, frame.len, (off_t)j->tail, err)) < 0) {
		json_decref(entry.value);
		return r;
	}
	cb_vec_push(&j->arena, &j->entries, entry);
	j->crc = crc;
	j->tail += frame.len;
	j->end = j->tail;
	return 0;
}

/* Writes one record, durable on return. */
static int append(struct cb_journal *j, enum cb_record type, unsigned step, const json_t *record,
		  struct cb_error *err)
{
	bool touched = false;
	int r = put(j, type, step, record, &touched, err);

	if (r == 0)
		r = cb_fs_sync(j->fd, j->path, err);
	return r < 0 && touched ? poison(j, err) : r;
}

/* Makes sure now that no later record meets a full disk. */
static int reserve(const struct cb_journal *j, struct cb_journal_room records, struct cb_error *err)
{
	off_t room = ((off_t)records.steps * RECORDS_PER_STEP + records.progress + RECORDS_MORE) *
		     RECORD_ROOM;
	int errnum;

	do
		errnum = posix_fallocate(j->fd, (off_t)j->tail, room);
	while (errnum == EINTR);
	return errnum ? cb_error_errno(err, errnum, "cannot reserve %lld bytes for '%s'",
				       (long long)room, j->path)
		      : 0;
}

static int write_head(struct cb_journal *j, const json_t *begin, const json_t *plan,
		      struct cb_journal_room room, struct cb_error *err)
{
	json_auto_t *first = record_new(CB_RECORD_BEGIN, begin);
	json_auto_t *second = record_new(CB_RECORD_PLAN, plan);
	bool touched;
	int r;

	if (json_object_set_new(first, "id", json_string(j->id)) < 0)
		cb_oom();
	if ((r = put(j, CB_RECORD_BEGIN, 0, first, &touched, err)) < 0 ||
	    (r = put(j, CB_RECORD_PLAN, 0, second, &touched, err)) < 0 ||
	    (r = reserve(j, room, err)) < 0)
		return r;
	return cb_fs_sync(j->fd, j->path, err);
}

/* Gives the file its name, unless there is one of that name. */
static int publish(const struct cb_journal *j, const char *temporary, struct cb_error *err)
{
	int failed = renameat2(AT_FDCWD, temporary, AT_FDCWD, j->open_path, RENAME_NOREPLACE);

	/* Not every file system knows the flag. A kill between the two calls leaves a second name
	 * that cb_journal_list does not see. */
	if (failed && (errno == EINVAL || errno == ENOSYS)) {
		failed = link(temporary, j->open_path);
		if (!failed)
			(void)unlink(temporary);
	}
	if (failed && errno == EEXIST)
		return cb_error_set(err, CB_E_EXISTS, "there is a transaction '%s' already", j->id);
	if (failed)
		return cb_error_errno(err, errno, "cannot make '%s'", j->open_path);
	return 0;
}

/* A file that is being begun is locked by its run; the kernel lets go when that dies. */
static bool claim(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

/* Removes what killed runs left unfinished. In vain is fine: nothing reads these files. */
static void sweep(const char *dir)
{
	cb_auto_arena struct cb_arena arena = {0};
	DIR *entries = opendir(dir);
	struct dirent *entry;

	while (entries && (entry = readdir(entries))) {
		const char *path = cb_arena_printf(&arena, "%s/%s", dir, entry->d_name);
		cb_auto_fd int fd = -1;
		struct stat st;

		if (entry->d_name[0] != '.' || lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0 && claim(fd))
			(void)unlink(path);
	}
	if (entries)
		(void)closedir(entries);
}

/* A new file with a claim on it. Another run may sweep it away before the claim: then anew. */
static int open_temporary(char *path)
{
	const size_t suffix = strlen(path) - strlen("XXXXXX");

	for (;;) {
		struct stat st;
		int fd = mkostemp(path, O_CLOEXEC);

		if (fd < 0 || (claim(fd) && fstat(fd, &st) == 0 && st.st_nlink > 0))
			return fd;
		(void)close(fd);
		(void)unlink(path);
		memcpy(path + suffix, "XXXXXX", strlen("XXXXXX"));
	}
}

/* What to do about it: nothing stands in the way of doing it all again. */
static int cannot_begin(struct cb_error *err)
{
	const char *try = "mend it, or name another place with --state-dir";

	if (err->code == CB_E_EXISTS)
		return cb_error_hint(err, "nothing has been changed; run the same command again");
	if (err->sys_errno == ENOSPC || err->sys_errno == EDQUOT)
		try = "free some space there, or name another place with --state-dir";
	return cb_error_hint(err, "nothing has been changed; %s", try);
}

int cb_journal_create(const char *state_dir, const char *id, const json_t *begin,
		      const json_t *plan, struct cb_journal_room room, struct cb_journal **out,
		      struct cb_error *err)
{
	auto_journal struct cb_journal *j = NULL;
	char *temporary;
	int r;

	*out = NULL;
	if ((r = check_id(id, err)) < 0)
		return r;
	/* Who may not use a directory was told so, and what to do. */
	if ((r = cb_statedir_make(state_dir, "journal", err)) < 0 ||
	    (r = cb_statedir_make(state_dir, "journal/closed", err)) < 0)
		return err->hint ? r : cannot_begin(err);
	/* The run that made these directories may have been killed before it synced their names. */
	if ((r = cb_fs_sync_name(state_dir, err)) < 0 || (r = cb_fs_sync_dir(state_dir, err)) < 0)
		return cannot_begin(err);
	j = handle_new(state_dir, id);
	if (access(j->closed_path, F_OK) == 0)
		return cb_error_set(err, CB_E_EXISTS, "there was a transaction '%s' already", id);
	/* The leading dot keeps what a killed run leaves here out of every list. */
	temporary = cb_arena_printf(&j->arena, "%s/.%s.XXXXXX", j->open_dir, id);
	sweep(j->open_dir);
	if ((j->fd = open_temporary(temporary)) < 0) {
		(void)cb_error_errno(err, errno, "cannot make a journal in '%s'", j->open_dir);
		return cannot_begin(err);
	}
	r = write_head(j, begin, plan, room, err);
	if (r == 0)
		r = publish(j, temporary, err);
	if (r < 0) {
		(void)unlink(temporary);
	} else if ((r = cb_fs_sync_dir(j->open_dir, err)) < 0) {
		(void)unlink(j->open_path);
	}
	if (r < 0)
		return cannot_begin(err);
	*out = j;
	j = NULL;
	return 0;
}

int cb_journal_step(struct cb_journal *journal, enum cb_record record, unsigned step,
		    const json_t *detail, struct cb_error *err)
{
	json_auto_t *value = NULL;
	int r;

	CB_ASSERT(about_a_step(record));
	if ((r = check_poison(journal, err)) < 0)
		return r;
	if (cb_journal_outcome(journal))
		return cb_error_set(err, CB_E_INTERNAL, "transaction '%s' is closed", journal->id);
	value = record_new(record, detail);
	if (json_object_set_new(value, "step", json_integer(step)) < 0)
		cb_oom();
	return append(journal, record, step, value, err);
}

/* --- the end of a transaction --- */

/* Gone for good on return: they may hold secrets, and nobody looks for them once the journal is in
 * closed/. */
static int remove_images(const struct cb_journal *j, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	int fd = open(j->image_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;
	struct dirent *entry;
	DIR *dir;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return cb_error_errno(err, errno, "cannot open '%s'", j->image_dir);
	dir = fdopendir(fd);
	if (!dir)
		cb_oom();
	while (r == 0 && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = cb_fs_unlink(
				cb_arena_printf(&arena, "%s/%s", j->image_dir, entry->d_name), err);
	(void)closedir(dir);
	if (r < 0)
		return r;
	if (rmdir(j->image_dir) < 0)
		return cb_error_errno(err, errno, "cannot remove '%s'", j->image_dir);
	return cb_fs_sync_dir(j->open_dir, err);
}

static int settle(struct cb_journal *j, struct cb_error *err)
{
	int r;

	/* The reserved room goes back. Nothing waits for that on the disk: zeros read as clean. */
	if (ftruncate(j->fd, (off_t)j->tail) < 0)
		return cb_error_errno(err, errno, "cannot shorten '%s'", j->path);
	if ((r = remove_images(j, err)) < 0 || (r = cb_fs_mkdirs(j->closed_dir, err)) < 0 ||
	    (r = cb_fs_rename(j->open_path, j->closed_path, err)) < 0)
		return r;
	j->path = j->closed_path;
	j->closed = true;
	return 0;
}

static int close_with(struct cb_journal *journal, const char *outcome, const json_t *detail,
		      struct cb_error *err)
{
	int r;

	if ((r = check_poison(journal, err)) < 0)
		return r;
	if (journal->closed)
		return 0;
	/* With a close record that is there already a killed run has been here before. */
	if (!cb_journal_outcome(journal)) {
		json_auto_t *value = record_new(CB_RECORD_CLOSE, detail);

		if (json_object_set_new(value, "outcome", json_string(outcome)) < 0)
			cb_oom();
		if ((r = append(journal, CB_RECORD_CLOSE, 0, value, err)) < 0)
			return r;
	}
	return settle(journal, err) < 0 ? poison(journal, err) : 0;
}

int cb_journal_finish(struct cb_journal *journal, const char *outcome, struct cb_error *err)
{
	return close_with(journal, outcome, NULL, err);
}

int cb_journal_abandon(struct cb_journal *journal, const json_t *detail, struct cb_error *err)
{
	return close_with(journal, "abandoned", detail, err);
}

/* --- reading --- */

static int damaged(const struct cb_journal *j, size_t offset, const char *why, struct cb_error *err)
{
	(void)cb_error_set(err, CB_E_CORRUPT, "journal '%s' is damaged at byte %zu: %s", j->path,
			   offset, why);
	return cb_error_hint(
		err,
		"nothing has been touched; `clonebox transaction show %s` prints what "
		"can still be read; move the file away only after checking the machine "
		"by hand",
		j->id);
}

/* What is wrong with a record where it stands, or NULL. Fills in type and step. */
static const char *interpret(const struct cb_journal *j, struct entry *entry)
{
	const char *type = json_string_value(json_object_get(entry->value, "type"));
	const char *id = json_string_value(json_object_get(entry->value, "id"));
	const json_t *step = json_object_get(entry->value, "step");
	size_t n = 0;

	while (n < CB_COUNT(type_names) && (!type || strcmp(type, type_names[n]) != 0))
		n++;
	if (n == CB_COUNT(type_names))
		return "the record is of no known type";
	entry->type = (enum cb_record)n;
	if ((entry->type == CB_RECORD_BEGIN) != (j->entries.len == 0) ||
	    (entry->type == CB_RECORD_PLAN) != (j->entries.len == 1 && n != CB_RECORD_CLOSE) ||
	    cb_journal_outcome(j))
		return "the record is not at its place";
	if (entry->type == CB_RECORD_BEGIN && (!id || strcmp(id, j->id) != 0))
		return "the record is of another transaction";
	if (entry->type == CB_RECORD_CLOSE &&
	    !json_is_string(json_object_get(entry->value, "outcome")))
		return "the close record has no outcome";
	if (!about_a_step(entry->type))
		return NULL;
	if (!json_is_integer(step) || json_integer_value(step) < 0 ||
	    json_integer_value(step) > UINT_MAX)
		return "the record does not say which step it is about";
	entry->step = (unsigned)json_integer_value(step);
	return NULL;
}

/* Takes over all records up to the first that is bad. */
static int read_records(struct cb_journal *j, const struct cb_str *bytes, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_scan scan;

	cb_record_scan(&arena, bytes->text, bytes->len, j->crc, &scan);
	cb_vec_each (struct cb_frame, frame, &scan) {
		struct entry entry = {0};
		const char *why = "the record is not JSON";

		entry.value = json_loadb(frame->payload, frame->len,
					 JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
		if (entry.value)
			why = interpret(j, &entry);
		if (why) {
			json_decref(entry.value);
			return damaged(j, frame->offset, why, err);
		}
		cb_vec_push(&j->arena, &j->entries, entry);
	}
	if (scan.verdict == CB_SCAN_CORRUPT)
		return damaged(j, scan.tail, scan.why, err);
	/* The name was given only after this record was durable. */
	if (j->entries.len == 0)
		return damaged(j, 0, "there is no begin record", err);
	j->tail = scan.tail;
	j->end = scan.end;
	j->crc = scan.crc;
	return 0;
}

static int open_file(struct cb_journal *j, struct cb_error *err)
{
	/* Whoever only looks may do so where nothing can be written. */
	const int flags = (j->peek ? O_RDONLY : O_RDWR) | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

	/* In this order: a run that finishes meanwhile moves the file the same way. */
	j->fd = open(j->open_path, flags);
	if (j->fd < 0 && errno == ENOENT) {
		j->path = j->closed_path;
		j->closed = true;
		j->fd = open(j->closed_path, flags);
	}
	if (j->fd < 0 && errno == ENOENT)
		return cb_error_set(err, CB_E_NOT_FOUND, "there is no transaction '%s'", j->id);
	if (j->fd < 0)
		return cb_error_errno(err, errno, "cannot open '%s'", j->path);
	return 0;
}

static int read_file(struct cb_journal *j, struct cb_error *err)
{
	cb_auto_str struct cb_str bytes = {0};
	struct stat st;
	int r;

	if ((r = open_file(j, err)) < 0)
		return r;
	if (fstat(j->fd, &st) < 0)
		return cb_error_errno(err, errno, "cannot read '%s'", j->path);
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
		return damaged(j, 0, "this is not the file of a journal", err);
	/* A run that was killed before its sync has left records that could still be lost; whoever
	 * acts on what is read here relies on them. The same goes for the name. */
	if (!j->closed && !j->peek &&
	    ((r = cb_fs_sync(j->fd, j->path, err)) < 0 ||
	     (r = cb_fs_sync_dir(j->open_dir, err)) < 0))
		return r;
	if ((r = cb_fs_read_fd(j->fd, j->path, FILE_MAX, &bytes, err)) < 0)
		return r;
	return read_records(j, &bytes, err);
}

/* `j` holds what could be read also where this fails. */
enum how { TO_ACT, TO_LOOK };

static int load(const char *state_dir, const char *id, enum how how, struct cb_journal **j,
		struct cb_error *err)
{
	int r;

	if ((r = check_id(id, err)) < 0)
		return r;
	if ((r = cb_statedir_check(state_dir, "journal", err)) < 0)
		return r == -CB_E_NOT_FOUND ? cb_error_set(err, CB_E_NOT_FOUND,
							   "there is no transaction '%s'", id)
					    : r;
	*j = handle_new(state_dir, id);
	(*j)->peek = how == TO_LOOK;
	return read_file(*j, err);
}

static int hand_out(const char *state_dir, const char *id, enum how how, struct cb_journal **out,
		    struct cb_error *err)
{
	auto_journal struct cb_journal *j = NULL;
	int r = load(state_dir, id, how, &j, err);

	*out = NULL;
	if (r == 0) {
		*out = j;
		j = NULL;
	}
	return r;
}

int cb_journal_open(const char *state_dir, const char *id, struct cb_journal **out,
		    struct cb_error *err)
{
	return hand_out(state_dir, id, TO_ACT, out, err);
}

int cb_journal_peek(const char *state_dir, const char *id, struct cb_journal **out,
		    struct cb_error *err)
{
	return hand_out(state_dir, id, TO_LOOK, out, err);
}

int cb_journal_salvage(const char *state_dir, const char *id, json_t **records,
		       struct cb_error *err)
{
	auto_journal struct cb_journal *j = NULL;
	int r = load(state_dir, id, TO_LOOK, &j, err);

	*records = j ? cb_journal_dump(j) : json_array();
	if (!*records)
		cb_oom();
	return r;
}

/* --- what it says --- */

const char *cb_journal_id(const struct cb_journal *journal)
{
	return journal->id;
}

const char *cb_journal_path(const struct cb_journal *journal)
{
	return journal->path;
}

static const json_t *detail_at(const struct cb_journal *j, size_t index)
{
	return index < j->entries.len ? json_object_get(j->entries.items[index].value, "detail")
				      : NULL;
}

const json_t *cb_journal_begin(const struct cb_journal *journal)
{
	return detail_at(journal, 0);
}

const json_t *cb_journal_plan(const struct cb_journal *journal)
{
	return journal->entries.len > 1 && journal->entries.items[1].type == CB_RECORD_PLAN
		       ? detail_at(journal, 1)
		       : NULL;
}

const char *cb_journal_outcome(const struct cb_journal *journal)
{
	size_t len = journal->entries.len;

	if (len == 0 || journal->entries.items[len - 1].type != CB_RECORD_CLOSE)
		return NULL;
	return json_string_value(json_object_get(journal->entries.items[len - 1].value, "outcome"));
}

/* The last record about a step, or NULL. That of progress changes nothing: still intended. */
static const struct entry *last_about(const struct cb_journal *j, unsigned step)
{
	for (size_t i = j->entries.len; i > 0; i--) {
		const struct entry *entry = &j->entries.items[i - 1];

		if (about_a_step(entry->type) && entry->type != CB_RECORD_PROGRESS &&
		    entry->step == step)
			return entry;
	}
	return NULL;
}

enum cb_step_state cb_journal_state(const struct cb_journal *journal, unsigned step)
{
	const struct entry *entry = last_about(journal, step);

	if (!entry)
		return CB_STEP_UNTOUCHED;
	switch (entry->type) {
	case CB_RECORD_INTENT:
		return CB_STEP_INTENDED;
	case CB_RECORD_DONE:
		return CB_STEP_DONE;
	case CB_RECORD_FAILED:
		return CB_STEP_FAILED;
	case CB_RECORD_UNDO_INTENT:
		return CB_STEP_UNDOING;
	case CB_RECORD_UNDONE:
		return CB_STEP_UNDONE;
	case CB_RECORD_BEGIN:
	case CB_RECORD_PLAN:
	case CB_RECORD_PROGRESS:
	case CB_RECORD_CLOSE:
		break;
	}
	return CB_STEP_UNTOUCHED;
}

const json_t *cb_journal_detail(const struct cb_journal *journal, unsigned step)
{
	const struct entry *entry = last_about(journal, step);

	return entry ? json_object_get(entry->value, "detail") : NULL;
}

const json_t *cb_journal_progress(const struct cb_journal *journal, unsigned step, size_t n)
{
	const struct entry *entry = last_about(journal, step);
	const struct entry *end = journal->entries.items + journal->entries.len;

	if (!entry || entry->type != CB_RECORD_INTENT)
		return NULL;
	while (++entry < end) {
		if (entry->type == CB_RECORD_PROGRESS && entry->step == step && n-- == 0)
			return json_object_get(entry->value, "detail");
	}
	return NULL;
}

json_t *cb_journal_dump(const struct cb_journal *journal)
{
	json_t *records = json_array();

	for (size_t i = 0; i < journal->entries.len; i++) {
		json_t *record = json_deep_copy(journal->entries.items[i].value);

		if (json_object_set_new(record, "seq", json_integer((json_int_t)i + 1)) < 0 ||
		    json_array_append_new(records, record) < 0)
			cb_oom();
	}
	return records;
}

/* --- pre-images --- */

static const char *image_path(struct cb_arena *arena, const struct cb_journal *j, unsigned step)
{
	return cb_arena_printf(arena, "%s/%u.xml", j->image_dir, step);
}

int cb_journal_save(struct cb_journal *journal, unsigned step, const void *bytes, size_t len,
		    struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *path = image_path(&arena, journal, step);
	int r;

	if ((r = check_poison(journal, err)) < 0)
		return r;
	if (cb_journal_outcome(journal))
		return cb_error_set(err, CB_E_INTERNAL, "transaction '%s' is closed", journal->id);
	if (len > DOCUMENT_MAX)
		return cb_error_set(err, CB_E_UNSUPPORTED, "the document of step %u is too large",
				    step);
	if (access(path, F_OK) == 0) {
		/* Kept, and made durable: the run that wrote it may have been killed before. That
		 * of the directory itself is, since the journal was opened. */
		r = cb_fs_sync_dir(journal->image_dir, err);
	} else {
		r = cb_fs_mkdirs(journal->image_dir, err);
		if (r == 0)
			r = cb_fs_write_atomic(path, bytes, len, err);
	}
	return r < 0 ? poison(journal, err) : 0;
}

int cb_journal_load(struct cb_journal *journal, unsigned step, struct cb_str *out,
		    struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};

	return cb_fs_read(image_path(&arena, journal, step), DOCUMENT_MAX, out, err);
}

/* --- all of them --- */

struct found {
	const char *id;
	struct statx_timestamp born;
};

/* By the birth of the file, which finishing does not change; by its last change where the file
 * system does not know it. */
static int older(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->born.tv_sec != y->born.tv_sec)
		return x->born.tv_sec < y->born.tv_sec ? -1 : 1;
	if (x->born.tv_nsec != y->born.tv_nsec)
		return x->born.tv_nsec < y->born.tv_nsec ? -1 : 1;
	return strcmp(x->id, y->id);
}

/* NULL where the name is not that of a journal. */
static const char *id_of(struct cb_arena *arena, const char *name)
{
	cb_auto_error struct cb_error ignored = {0};
	size_t len = strlen(name);
	const char *id;

	if (len <= strlen(SUFFIX) || strcmp(name + len - strlen(SUFFIX), SUFFIX) != 0)
		return NULL;
	id = cb_arena_strndup(arena, name, len - strlen(SUFFIX));
	return check_id(id, &ignored) == 0 ? id : NULL;
}

static void close_dir(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

int cb_journal_list(const char *state_dir, enum cb_journal_which which, struct cb_arena *arena,
		    struct cb_journal_ids *out, struct cb_error *err)
{
	const char *sub = which == CB_JOURNALS_OPEN ? "journal" : "journal/closed";
	CB_CLEANUP(close_dir) DIR *dir = NULL;
	CB_VEC(struct found) all = {0};
	struct dirent *entry;
	int r;

	*out = (struct cb_journal_ids){0};
	if ((r = cb_statedir_check(state_dir, sub, err)) < 0) {
		if (r == -CB_E_NOT_FOUND)
			cb_error_release(err);
		return r == -CB_E_NOT_FOUND ? 0 : r;
	}
	dir = opendir(cb_arena_printf(arena, "%s/%s", state_dir, sub));
	if (!dir)
		return cb_error_errno(err, errno, "cannot read '%s/%s'", state_dir, sub);
	while (errno = 0, (entry = readdir(dir))) {
		struct found found = {.id = id_of(arena, entry->d_name)};
		struct statx st = {0};

		if (!found.id)
			continue;
		/* Gone meanwhile: another run has finished it. */
		if (statx(dirfd(dir), entry->d_name, AT_SYMLINK_NOFOLLOW, STATX_BTIME | STATX_MTIME,
			  &st) < 0 &&
		    errno == ENOENT)
			continue;
		found.born = st.stx_mask & STATX_BTIME ? st.stx_btime : st.stx_mtime;
		cb_vec_push(arena, &all, found);
	}
	if (errno)
		return cb_error_errno(err, errno, "cannot read '%s/%s'", state_dir, sub);
	if (all.len)
		qsort(all.items, all.len, sizeof(*all.items), older);
	cb_vec_each (struct found, found, &all)
		cb_vec_push(arena, out, found->id);
	return 0;
}
