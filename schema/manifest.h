/*
 * manifest.h: manifests as texts → what people want, as values.
 *
 *	cb_auto_arena struct cb_arena arena = {0};
 *	struct cb_desired desired = {0};
 *	struct cb_problems problems = {0};
 *
 *	if (cb_manifest_load(&arena, texts, n, &desired, &problems) > 0)
 *		... print all problems, exit 65
 *
 * Pure: no files, no environment, no clock; the same texts give the same result. The rules are
 * those of docs/manifest.md. Everything that comes out lives in the arena, nothing of it refers to
 * the texts.
 */
#ifndef CB_SCHEMA_MANIFEST_H
#define CB_SCHEMA_MANIFEST_H

#include "reconciler/model/text.h"
#include "reconciler/model/vm.h"

/*
 * Loads all texts into one desired state and finds all problems of all of them at once, sorted by
 * file, line and column. Returns how many of those are of severity CB_PROBLEM. Where that is not 0,
 * `out` holds what could be read and is good for nothing but more messages: nothing may be applied,
 * and least of all removed, on its account.
 */
CB_CHECKED int cb_manifest_load(struct cb_arena *arena, const struct cb_manifest_text *texts,
				size_t n, struct cb_desired *out, struct cb_problems *problems);

#endif
