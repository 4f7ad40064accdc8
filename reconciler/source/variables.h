/*
 * variables.h: what ${NAME} in a manifest stands for: the lines of `.clonebox.env` beside it, else
 * the environment of the process.
 */
#ifndef CB_SOURCE_VARIABLES_H
#define CB_SOURCE_VARIABLES_H

#include <stdbool.h>

#include "reconciler/base/arena.h"
#include "reconciler/base/error.h"

/*
 * "NAME=value" texts, the first one of a name counts, NULL at the end. A file that is not there is
 * fine; one that cannot be read is an error: without it a manifest would mean something else.
 *
 * A line of the file is NAME=value, with `export` or not, the value bare or in quotes of either
 * kind; empty lines and those that begin with '#' say nothing. CB_E_INVALID names a line that is
 * none, or that gives a name again. `lenient` does as CloneBox: the former is left out, and the
 * last value of a name counts, with a message each.
 */
CB_CHECKED int cb_source_variables(struct cb_arena *arena, const char *directory, bool lenient,
				   const char *const **out, struct cb_error *err);

#endif
