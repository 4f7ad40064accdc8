/*
 * journal.h: one append-only file per transaction: what is about to be done, written and synced
 * before it is done (docs/journal.md).
 *
 * Calling sequence of a run:
 *
 *	cb_journal_create(state_dir, id, begin, plan, &j, err)   both records durable on return
 *	for each step:
 *		cb_journal_step(j, CB_RECORD_INTENT, n, NULL, err)   durable BEFORE the effect
 *		... the effect ...			a long one: CB_RECORD_PROGRESS now and then
 *		cb_journal_step(j, CB_RECORD_DONE, n, detail, err)
 *	cb_journal_finish(j, "committed", err)                   close record; the file moves to
 *closed/ cb_journal_free(j)
 *
 * Recovery: cb_journal_list, then cb_journal_open on each: the records as read, ready to append.
 *
 * The journal knows nothing of steps: `begin`, `plan` and details are JSON objects of the callers.
 * Secrets never go in; pre-images of documents stand beside it in a 0600 file of their own.
 *
 * A failed write or fsync poisons the handle: every later call fails with the first error, nothing
 * is retried, the transaction stays open for the next run, which reads what the disk really holds.
 */
#ifndef CB_JOURNAL_JOURNAL_H
#define CB_JOURNAL_JOURNAL_H

#include <jansson.h>
#include <stdbool.h>

#include "reconciler/base/arena.h"
#include "reconciler/base/error.h"
#include "reconciler/base/str.h"

enum { CB_JOURNAL_ID_MAX = 64 };

enum cb_record {
	CB_RECORD_BEGIN,
	CB_RECORD_PLAN,
	CB_RECORD_INTENT,
	CB_RECORD_PROGRESS, /* a part of a long effect has happened; any number of them */
	CB_RECORD_CONSENT,  /* somebody allows more than was planned, from now on */
	CB_RECORD_DONE,
	CB_RECORD_FAILED, /* for good: the transaction now goes back */
	CB_RECORD_UNDO_INTENT,
	CB_RECORD_UNDONE,
	CB_RECORD_CLOSE,
};

/* The last word about a step. */
enum cb_step_state {
	CB_STEP_UNTOUCHED,
	CB_STEP_INTENDED,
	CB_STEP_DONE,
	CB_STEP_FAILED,
	CB_STEP_UNDOING,
	CB_STEP_UNDONE,
};

struct cb_journal;

/* How many records a journal may come to have. */
struct cb_journal_room {
	unsigned steps;    /* each with all its records, in both directions */
	unsigned progress; /* records of progress, of all steps together */
};

/* Removes what killed runs left of journals that have no name yet; that of a run that is at work
 * stays. In vain is fine, nothing reads these files: so nothing is said. */
void cb_journal_clear_begun(const char *state_dir);

/* Writes begin and plan, durably, before it returns. `id`: letters, digits, '-'. Makes the
 * directories that are missing. Preallocates the room, so that a full disk is met before the first
 * effect. */
CB_CHECKED int cb_journal_create(const char *state_dir, const char *id, const json_t *begin,
				 const json_t *plan, struct cb_journal_room room,
				 struct cb_journal **out, struct cb_error *err);

/* Reads an open or closed transaction. A torn tail is dropped and the next record written in its
 * place; a bad record before a good one, or one that was once whole, is CB_E_CORRUPT with the
 * file's name and offset. CB_E_NOT_FOUND: no such transaction. What is read from an open one is
 * durable on return, also where a run was killed before it had synced. */
CB_CHECKED int cb_journal_open(const char *state_dir, const char *id, struct cb_journal **out,
			       struct cb_error *err);

/* The same for looking alone: not even synced, and nothing may be appended. */
CB_CHECKED int cb_journal_peek(const char *state_dir, const char *id, struct cb_journal **out,
			       struct cb_error *err);

/* For `transaction show`: as cb_journal_open and cb_journal_dump, but `records` (owned by the
 * caller, never NULL) holds what could be read also where this returns CB_E_CORRUPT. */
CB_CHECKED int cb_journal_salvage(const char *state_dir, const char *id, json_t **records,
				  struct cb_error *err);

/* Durable on return. `detail` may be NULL; borrowed. INTENT .. UNDONE only. */
CB_CHECKED int cb_journal_step(struct cb_journal *journal, enum cb_record record, unsigned step,
			       const json_t *detail, struct cb_error *err);

/* Appends close {outcome}, durable; removes pre-images; moves the file to closed/. May be called
 * again after a crash in its middle: an outcome that is recorded stays, the rest is done. */
CB_CHECKED int cb_journal_finish(struct cb_journal *journal, const char *outcome,
				 struct cb_error *err);

/* The same with the outcome "abandoned": the machine is neither as planned nor as before. `detail`
 * says why, and what was left; it goes into the close record. */
CB_CHECKED int cb_journal_abandon(struct cb_journal *journal, const json_t *detail,
				  struct cb_error *err);

/* Releases the handle; the file stays as it is. NULL is fine. */
void cb_journal_free(struct cb_journal *journal);

const char *cb_journal_id(const struct cb_journal *journal);
const char *cb_journal_path(const struct cb_journal *journal);
/* Borrowed; `plan` is NULL where the crash came before it was whole. */
const json_t *cb_journal_begin(const struct cb_journal *journal);
const json_t *cb_journal_plan(const struct cb_journal *journal);
/* NULL while open, else "committed", "rolled-back", ... */
const char *cb_journal_outcome(const struct cb_journal *journal);
enum cb_step_state cb_journal_state(const struct cb_journal *journal, unsigned step);
/* The detail of the last record about a step, or NULL; those of progress and of consent do not
 * count. Borrowed.
 */
const json_t *cb_journal_detail(const struct cb_journal *journal, unsigned step);
/* The detail of the last consent to the step that came later than its plan, or NULL. Borrowed. */
const json_t *cb_journal_consent(const struct cb_journal *journal, unsigned step);
/* The detail of the n-th record of progress (from 0) since the step's last intent, or NULL.
 * Borrowed. */
const json_t *cb_journal_progress(const struct cb_journal *journal, unsigned step, size_t n);
/* All records as a JSON array of {seq, type, step?, time, ...}. Owned by the caller. */
json_t *cb_journal_dump(const struct cb_journal *journal);

/* Documents and images with secrets, 0600, durable on return, gone at finish. The first one that is
 * saved for a step stays: a step that is performed again after a crash may see its own work, not
 * what was there before. CB_E_NOT_FOUND where none was saved. */
CB_CHECKED int cb_journal_save(struct cb_journal *journal, unsigned step, const void *bytes,
			       size_t len, struct cb_error *err);
CB_CHECKED int cb_journal_load(struct cb_journal *journal, unsigned step, struct cb_str *out,
			       struct cb_error *err);

struct cb_journal_ids {
	const char **items;
	size_t len, cap;
};

enum cb_journal_which { CB_JOURNALS_OPEN, CB_JOURNALS_CLOSED };

/* Ids, oldest first. An absent directory is an empty list. */
CB_CHECKED int cb_journal_list(const char *state_dir, enum cb_journal_which which,
			       struct cb_arena *arena, struct cb_journal_ids *out,
			       struct cb_error *err);

#endif
