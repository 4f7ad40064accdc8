#include "reconciler/journal/journal_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reconciler/base/clock.h"
#include "reconciler/base/fs.h"
#include "reconciler/journal/record.h"
#include "reconciler/journal/statedir.h"

enum {
	/* Room that is reserved: intent, done, failed, undo-intent, undone and consent for
	 * each step; those of progress; close and some to spare for the transaction. */
	RECORD_ROOM = 512,
	RECORDS_PER_STEP = 6,
	RECORDS_MORE = 4,
};

const char *const cb_record_names[CB_RECORD_CLOSE + 1] = {
	[CB_RECORD_BEGIN] = "begin",     [CB_RECORD_PLAN] = "plan",
	[CB_RECORD_INTENT] = "intent",   [CB_RECORD_PROGRESS] = "progress",
	[CB_RECORD_CONSENT] = "consent", [CB_RECORD_DONE] = "done",
	[CB_RECORD_FAILED] = "failed",   [CB_RECORD_UNDO_INTENT] = "undo-intent",
	[CB_RECORD_UNDONE] = "undone",   [CB_RECORD_CLOSE] = "close",
};

bool cb_record_has_step(enum cb_record type)
{
	return type >= CB_RECORD_INTENT && type <= CB_RECORD_UNDONE;
}

int cb_journal_check_id(const char *id, struct cb_error *err)
{
	size_t len = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");

	if (len == 0 || len > CB_JOURNAL_ID_MAX || id[len])
		return cb_error_set(err, CB_E_INVALID, "'%s' is not the id of a transaction", id);
	return 0;
}

struct cb_journal *cb_journal_new(const char *state_dir, const char *id)
{
	struct cb_journal *j = calloc(1, sizeof(*j));
	struct cb_arena *arena;

	if (!j)
		cb_oom();
	arena = &j->arena;
	j->fd = -1;
	j->id = cb_arena_strdup(arena, id);
	j->open_dir = cb_arena_printf(arena, "%s/journal", state_dir);
	j->open_path = cb_arena_printf(arena, "%s/%s" CB_JOURNAL_SUFFIX, j->open_dir, id);
	j->closed_dir = cb_arena_printf(arena, "%s/closed", j->open_dir);
	j->closed_path = cb_arena_printf(arena, "%s/%s" CB_JOURNAL_SUFFIX, j->closed_dir, id);
	j->document_dir = cb_arena_printf(arena, "%s/%s.d", j->open_dir, id);
	j->path = j->open_path;
	j->crc = cb_record_seed(id);
	return j;
}

void cb_journal_free(struct cb_journal *journal)
{
	if (!journal)
		return;
	cb_vec_each (struct cb_entry, entry, &journal->entries)
		json_decref(entry->value);
	cb_fd_release(&journal->fd);
	cb_error_release(&journal->poison);
	cb_arena_release(&journal->arena);
	free(journal);
}

void cb_journal_release(struct cb_journal **journal)
{
	cb_journal_free(*journal);
}

/* After a write or sync that failed nobody knows what the disk holds, and asking again does not
 * tell: the kernel reports such a loss once. So this handle never writes again. */
int cb_journal_poison(struct cb_journal *j, struct cb_error *err)
{
	(void)cb_error_hint(err,
			    "the transaction stays open: see to the file system, then run the same "
			    "command again");
	(void)cb_error_set(&j->poison, err->code, "%s", err->message);
	(void)cb_error_hint(&j->poison, "%s", err->hint);
	j->poison.sys_errno = err->sys_errno;
	return -(int)err->code;
}

int cb_journal_check_poison(const struct cb_journal *j, struct cb_error *err)
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
	record = json_pack("{s:s, s:s}", "type", cb_record_names[type], "time", now);
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
	if (text->len > CB_RECORD_MAX || j->tail + text->len + 64 > CB_JOURNAL_FILE_MAX) {
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
	struct cb_entry entry = {.type = type, .step = step};
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
	return r < 0 && touched ? cb_journal_poison(j, err) : r;
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

/* Takes back what may have been published: it may have got its name and this run been told that it
 * did not. A file of that name that is another's stays. */
static void unpublish(const struct cb_journal *j, const char *temporary)
{
	struct stat ours, there;

	(void)unlink(temporary);
	if (fstat(j->fd, &ours) == 0 && stat(j->open_path, &there) == 0 &&
	    ours.st_dev == there.st_dev && ours.st_ino == there.st_ino)
		(void)unlink(j->open_path);
}

/* A file that is being begun is locked by its run; the kernel lets go when that dies. */
static bool claim(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

void cb_journal_clear_begun(const char *state_dir)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *dir = cb_arena_printf(&arena, "%s/journal", state_dir);
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

		if (fd >= 0 && claim(fd) && fstat(fd, &st) == 0 && st.st_nlink > 0)
			return fd;
		if (fd < 0) {
			const int errnum = errno;

			/* It may be there all the same. */
			if (errnum != EEXIST)
				(void)unlink(path);
			errno = errnum;
			return fd;
		}
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
	CB_AUTO_JOURNAL struct cb_journal *j = NULL;
	char *temporary;
	int r;

	*out = NULL;
	if ((r = cb_journal_check_id(id, err)) < 0)
		return r;
	/* Who may not use a directory was told so, and what to do. */
	if ((r = cb_statedir_make(state_dir, "journal", err)) < 0 ||
	    (r = cb_statedir_make(state_dir, "journal/closed", err)) < 0)
		return err->hint ? r : cannot_begin(err);
	/* The run that made these directories may have been killed before it synced their names. */
	if ((r = cb_fs_sync_name(state_dir, err)) < 0 || (r = cb_fs_sync_dir(state_dir, err)) < 0)
		return cannot_begin(err);
	j = cb_journal_new(state_dir, id);
	if (access(j->closed_path, F_OK) == 0)
		return cb_error_set(err, CB_E_EXISTS, "there was a transaction '%s' already", id);
	/* The leading dot keeps what a killed run leaves here out of every list. */
	temporary = cb_arena_printf(&j->arena, "%s/.%s.XXXXXX", j->open_dir, id);
	cb_journal_clear_begun(state_dir);
	if ((j->fd = open_temporary(temporary)) < 0) {
		(void)cb_error_errno(err, errno, "cannot make a journal in '%s'", j->open_dir);
		return cannot_begin(err);
	}
	r = write_head(j, begin, plan, room, err);
	if (r == 0)
		r = publish(j, temporary, err);
	if (r == 0)
		r = cb_fs_sync_dir(j->open_dir, err);
	if (r < 0) {
		unpublish(j, temporary);
		return cannot_begin(err);
	}
	*out = j;
	j = NULL;
	return 0;
}

int cb_journal_step(struct cb_journal *journal, enum cb_record record, unsigned step,
		    const json_t *detail, struct cb_error *err)
{
	json_auto_t *value = NULL;
	int r;

	CB_ASSERT(cb_record_has_step(record));
	if ((r = cb_journal_check_poison(journal, err)) < 0)
		return r;
	if (cb_journal_outcome(journal))
		return cb_error_set(err, CB_E_INTERNAL, "transaction '%s' is closed", journal->id);
	value = record_new(record, detail);
	if (json_object_set_new(value, "step", json_integer(step)) < 0)
		cb_oom();
	return append(journal, record, step, value, err);
}

/* --- the end of a transaction --- */

static int settle(struct cb_journal *j, struct cb_error *err)
{
	int r;

	/* The reserved room goes back. Nothing waits for that on the disk: zeros read as clean. */
	if (ftruncate(j->fd, (off_t)j->tail) < 0)
		return cb_error_errno(err, errno, "cannot shorten '%s'", j->path);
	if ((r = cb_journal_remove_documents(j, err)) < 0 ||
	    (r = cb_fs_mkdirs(j->closed_dir, err)) < 0 ||
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

	if ((r = cb_journal_check_poison(journal, err)) < 0)
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
	return settle(journal, err) < 0 ? cb_journal_poison(journal, err) : 0;
}

int cb_journal_finish(struct cb_journal *journal, const char *outcome, struct cb_error *err)
{
	return close_with(journal, outcome, NULL, err);
}

int cb_journal_abandon(struct cb_journal *journal, const json_t *detail, struct cb_error *err)
{
	return close_with(journal, "abandoned", detail, err);
}
