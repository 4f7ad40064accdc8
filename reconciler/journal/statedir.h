/*
 * statedir.h: the directories below STATE, and whether they can be trusted.
 *
 * What a journal says is acted upon, with all the rights of the one who runs clonebox: so nobody
 * else may be able to write there (the rule of ssh for its files).
 */
#ifndef CB_JOURNAL_STATEDIR_H
#define CB_JOURNAL_STATEDIR_H

#include "reconciler/base/error.h"

/* Makes STATE/sub where missing. CB_E_DENIED where others could write to either. */
CB_CHECKED int cb_statedir_make(const char *state_dir, const char *sub, struct cb_error *err);

/* The same checks for reading. CB_E_NOT_FOUND where there is no STATE/sub. */
CB_CHECKED int cb_statedir_check(const char *state_dir, const char *sub, struct cb_error *err);

#endif
