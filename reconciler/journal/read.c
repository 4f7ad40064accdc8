#include "reconciler/journal/journal_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reconciler/base/fs.h"
#include "reconciler/journal/record.h"
#include "reconciler/journal/statedir.h"

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
static const char *interpret(const struct cb_journal *j, struct cb_entry *entry)
{
	const char *type = json_string_value(json_object_get(entry->value, "type"));
	const char *id = json_string_value(json_object_get(entry->value, "id"));
	const json_t *step = json_object_get(entry->value, "step");
	size_t n = 0;

	while (n < CB_COUNT(cb_record_names) && (!type || strcmp(type, cb_record_names[n]) != 0))
		n++;
	if (n == CB_COUNT(cb_record_names))
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
	if (!cb_record_has_step(entry->type))
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
		struct cb_entry entry = {0};
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
	if (!S_ISREG(st.st_mode) || st.st_size > CB_JOURNAL_FILE_MAX)
		return damaged(j, 0, "this is not the file of a journal", err);
	/* A run that was killed before its sync has left records that could still be lost; whoever
	 * acts on what is read here relies on them. The same goes for the name. */
	if (!j->closed && !j->peek &&
	    ((r = cb_fs_sync(j->fd, j->path, err)) < 0 ||
	     (r = cb_fs_sync_dir(j->open_dir, err)) < 0))
		return r;
	if ((r = cb_fs_read_fd(j->fd, j->path, CB_JOURNAL_FILE_MAX, &bytes, err)) < 0)
		return r;
	return read_records(j, &bytes, err);
}

/* `j` holds what could be read also where this fails. */
enum how { TO_ACT, TO_LOOK };

static int load(const char *state_dir, const char *id, enum how how, struct cb_journal **j,
		struct cb_error *err)
{
	int r;

	if ((r = cb_journal_check_id(id, err)) < 0)
		return r;
	if ((r = cb_statedir_check(state_dir, "journal", err)) < 0)
		return r == -CB_E_NOT_FOUND ? cb_error_set(err, CB_E_NOT_FOUND,
							   "there is no transaction '%s'", id)
					    : r;
	*j = cb_journal_new(state_dir, id);
	(*j)->peek = how == TO_LOOK;
	return read_file(*j, err);
}

static int hand_out(const char *state_dir, const char *id, enum how how, struct cb_journal **out,
		    struct cb_error *err)
{
	CB_AUTO_JOURNAL struct cb_journal *j = NULL;
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
	CB_AUTO_JOURNAL struct cb_journal *j = NULL;
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

/* Progress, and consent to more, change nothing about where a step stands. */
static bool says_state(enum cb_record type)
{
	return cb_record_has_step(type) && type != CB_RECORD_PROGRESS && type != CB_RECORD_CONSENT;
}

/* The last record about a step that says where it stands, or NULL. */
static const struct cb_entry *last_about(const struct cb_journal *j, unsigned step)
{
	for (size_t i = j->entries.len; i > 0; i--) {
		const struct cb_entry *entry = &j->entries.items[i - 1];

		if (says_state(entry->type) && entry->step == step)
			return entry;
	}
	return NULL;
}

enum cb_step_state cb_journal_state(const struct cb_journal *journal, unsigned step)
{
	const struct cb_entry *entry = last_about(journal, step);

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
	case CB_RECORD_CONSENT:
	case CB_RECORD_CLOSE:
		break;
	}
	return CB_STEP_UNTOUCHED;
}

const json_t *cb_journal_detail(const struct cb_journal *journal, unsigned step)
{
	const struct cb_entry *entry = last_about(journal, step);

	return entry ? json_object_get(entry->value, "detail") : NULL;
}

const json_t *cb_journal_consent(const struct cb_journal *journal, unsigned step)
{
	for (size_t i = journal->entries.len; i > 0; i--) {
		const struct cb_entry *entry = &journal->entries.items[i - 1];

		if (entry->type == CB_RECORD_CONSENT && entry->step == step)
			return json_object_get(entry->value, "detail");
	}
	return NULL;
}

const json_t *cb_journal_progress(const struct cb_journal *journal, unsigned step, size_t n)
{
	const struct cb_entry *entry = last_about(journal, step);
	const struct cb_entry *end = journal->entries.items + journal->entries.len;

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
