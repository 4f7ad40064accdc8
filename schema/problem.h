/*
 * problem.h: how the loader says what is wrong, and where.
 *
 * All texts land in the arena. Messages say what was found and what was expected, `fix` says what
 * to write instead.
 */
#ifndef CB_SCHEMA_PROBLEM_H
#define CB_SCHEMA_PROBLEM_H

#include "reconciler/model/vm.h"

/* Where a problem belongs; `check` is stable ("manifest.unknown-key"). */
struct cb_schema_at {
	enum cb_severity severity;
	const char *check;
	const char *target; /* name of what it is about, or NULL */
	const char *file;
	unsigned line, column;
	const char *kind; /* of the target: "network"; NULL: a VM */
};

/* `fix` may be NULL. */
void cb_schema_report(struct cb_arena *arena, struct cb_problems *problems,
		      const struct cb_schema_at *at, const char *fix, const char *fmt, ...)
	CB_PRINTF(5, 6);

/* By file, line, column; equal ones once. */
void cb_schema_sort(struct cb_problems *problems);

/* 'text' in quotes, short enough for a message, with what a terminal must not see escaped. */
const char *cb_schema_quote(struct cb_arena *arena, const char *text, size_t len);

/* " (character 2 is U+0430, no ASCII letter)" where one is no ASCII: it may look like another; else
 * "". */
const char *cb_schema_foreign(struct cb_arena *arena, const char *text, size_t len);

#endif
