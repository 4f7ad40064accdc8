/*
 * history.h: what journals tell of the past: who changed what, when, from which manifest.
 *
 *	cb_history_read(state_dir, &arena, &history, err)        newest first; needs no host
 *	cb_history_blame(&arena, &history, "web", &lives)        who set each field last
 *
 * Everything lives in the arena.
 */
#ifndef CB_RECONCILE_HISTORY_H
#define CB_RECONCILE_HISTORY_H

#include "reconciler/base/error.h"
#include "reconciler/model/change.h"

struct cb_past_field {
	const char *path;         /* "vm.ram_mb" */
	const char *source;       /* "file:3"; NULL: a default */
	struct cb_value old, new; /* what is sensitive is masked */
};

/* One transaction. Texts that its journal does not hold are NULL. */
struct cb_past {
	const char *id, *uri, *name, *action;
	enum cb_target target;
	const char *group; /* with which it was changed together; NULL: it was changed alone */
	const char *begun, *finished;
	const char *outcome; /* "open" while it is not finished */
	const char *why;     /* it failed, was taken back or given up */
	/* By whom, and on which machine clonebox ran. `login`: as whom they had come, before sudo.
	 */
	const char *user, *login, *node;
	int64_t uid, pid;
	const char *version, *owner, *plan_hash;
	const char *source; /* identity of the manifest; NULL: changed by name alone */
	struct cb_read_files files;
	CB_VEC(struct cb_past_field) fields;
};

/* A journal that does not read. */
struct cb_lost {
	const char *id, *message, *hint; /* hint: may be NULL */
};

struct cb_history {
	CB_VEC(struct cb_past) past; /* newest first */
	CB_VEC(struct cb_lost) lost;
};

/* Open transactions and finished ones, as far as these are kept. A journal that is damaged is in
 * `lost`, and the others are read all the same. */
CB_CHECKED int cb_history_read(const char *state_dir, struct cb_arena *arena,
			       struct cb_history *out, struct cb_error *err);

/* Whether it is about what is called so; what came back from the trash was called otherwise there.
 */
bool cb_past_is_about(const struct cb_past *past, const char *name);

struct cb_blame {
	const struct cb_past_field *field;
	const struct cb_past *by;
};

/* A VM on one host, since it was made there. */
struct cb_life {
	const char *uri;
	const struct cb_past *removed;  /* NULL: it is there still */
	CB_VEC(struct cb_blame) fields; /* sorted by path */
};

struct cb_lives {
	struct cb_life *items; /* most recently changed first */
	size_t len, cap;
};

/* For each field of the VM the committed transaction that last set it. Nothing is said of what was
 * set before the history that is kept begins. Borrows from the history. */
void cb_history_blame(struct cb_arena *arena, const struct cb_history *history, const char *name,
		      struct cb_lives *out);

#endif
