/*
 * journal_internal.h: the handle, shared by what writes a journal (journal.c), reads it (read.c),
 * keeps documents beside it (documents.c) and finds all there are (list.c).
 */
#ifndef CB_JOURNAL_JOURNAL_INTERNAL_H
#define CB_JOURNAL_JOURNAL_INTERNAL_H

#include "reconciler/journal/journal.h"

#define CB_JOURNAL_SUFFIX ".cbj"

enum { CB_JOURNAL_FILE_MAX = 64 * 1024 * 1024 };

struct cb_entry {
	enum cb_record type;
	unsigned step; /* of intent .. undone */
	json_t *value; /* owned */
};

struct cb_journal {
	struct cb_arena arena;
	const char *id, *path;
	const char *open_dir, *open_path, *closed_dir, *closed_path;
	const char *document_dir;
	int fd;
	CB_VEC(struct cb_entry) entries;
	size_t tail, end; /* where the next record goes; end of what has to be zeroed before */
	uint32_t crc;
	bool closed; /* stands in closed/ */
	bool peek;   /* only looked at: nothing is synced, nothing may be appended */
	struct cb_error poison;
};

/* As they stand in the files; by enum cb_record. */
extern const char *const cb_record_names[CB_RECORD_CLOSE + 1];

/* intent .. undone */
bool cb_record_has_step(enum cb_record type);

/* Letters, digits, '-': safe as a file name. */
CB_CHECKED int cb_journal_check_id(const char *id, struct cb_error *err);

/* A handle without a file. Never NULL; for cb_journal_free. */
struct cb_journal *cb_journal_new(const char *state_dir, const char *id);

void cb_journal_release(struct cb_journal **journal);
#define CB_AUTO_JOURNAL CB_CLEANUP(cb_journal_release)

/* Keeps the error of a failed write or sync, for every later call; returns it. */
CB_CHECKED int cb_journal_poison(struct cb_journal *j, struct cb_error *err);
CB_CHECKED int cb_journal_check_poison(const struct cb_journal *j, struct cb_error *err);

/* Removes the documents, durably. None is fine. */
CB_CHECKED int cb_journal_remove_documents(const struct cb_journal *j, struct cb_error *err);

#endif
