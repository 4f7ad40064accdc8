/*
 * suggest.h: what a person most likely meant.
 */
#ifndef CB_SCHEMA_SUGGEST_H
#define CB_SCHEMA_SUGGEST_H

#include "reconciler/model/field.h"

/* The row closest to an unknown `key` that stands below `map` ("" or "boot") in that scope; the
 * row may stand elsewhere. NULL if nothing is close. */
const struct cb_field *cb_suggest_field(enum cb_scope scope, const char *map, const char *key);

/* The same as a sentence for `fix`: "did you mean 'ram_mb'?". "" if nothing is close. */
const char *cb_suggest_key(struct cb_arena *arena, enum cb_scope scope, const char *map,
			   const char *key);

/* The word of a blank-separated list that is closest to `text`; NULL if none is close. */
const char *cb_suggest_word(struct cb_arena *arena, const char *words, const char *text);

#endif
