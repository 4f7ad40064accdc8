/*
 * excerpt.h: the line of the manifest that a problem is about, to be shown below it.
 *
 *	cb_vec_push(arena, &texts, ((struct cb_excerpt_text){file, text, yaml.secrets,
 *						       yaml.broken}));
 *	cb_schema_sort(problems);
 *	cb_schema_excerpts(arena, &texts, problems);
 *
 * What a terminal must not see, or nobody would see, is escaped; a long line is cut around the
 * column; what is behind a key like `password` is not shown.
 */
#ifndef CB_SCHEMA_EXCERPT_H
#define CB_SCHEMA_EXCERPT_H

#include "reconciler/model/text.h"
#include "schema/yaml.h"

struct cb_excerpt_text {
	const char *file; /* the very pointer that is in the problems' origins */
	const struct cb_manifest_text *text;
	struct cb_spans secrets;
	bool broken; /* as of struct cb_yaml */
};

struct cb_excerpt_texts {
	struct cb_excerpt_text *items;
	size_t len, cap;
};

/* Fills `excerpt` of those problems whose place is in one of the texts. Fast where the problems are
 * sorted. Sorts the secrets. */
void cb_schema_excerpts(struct cb_arena *arena, struct cb_excerpt_texts *texts,
			struct cb_problems *problems);

/* Whether what stands behind such a key is not for everybody's eyes. */
bool cb_excerpt_is_secret(struct cb_arena *arena, const char *key);

/* The end of the first word like "password" in the text from that line on; false if there is none.
 * For what no parser has been through. */
bool cb_excerpt_find_secret(const char *bytes, size_t len, unsigned from_line,
			    struct cb_span *span);

#endif
