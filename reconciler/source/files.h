/*
 * files.h: manifests from files, directories and standard input: what `-f` names.
 *
 *	cb_auto_arena struct cb_arena arena = {0};
 *	struct cb_source_texts texts = {0};
 *
 *	if ((r = cb_source_files(&arena, paths, n, &texts, err)) < 0)
 *		return r;
 *	cb_manifest_load(&arena, texts.items, texts.len, ...);
 */
#ifndef CB_SOURCE_FILES_H
#define CB_SOURCE_FILES_H

#include "reconciler/base/arena.h"
#include "reconciler/base/error.h"
#include "reconciler/model/text.h"

struct cb_source_texts {
	struct cb_manifest_text *items;
	size_t len, cap;
	bool lenient; /* set by the caller: what lies beside the manifests is read as CloneBox does
		       */
};

/*
 * Reads what the paths name, in their order: a file, whatever it is called; a directory, every
 * `.clonebox.yaml` and `*.clonebox.yaml` below it, sorted, without hidden directories; `-`,
 * standard input. Without paths: `.clonebox.yaml` here. A file that is reached twice is read once.
 *
 * The identity of a file that is named itself is "file:" and the real path of the directory that it
 * stands in; that of one found below a directory that is named is that directory's, so that files
 * may move about in it, and `-f .` and `-f ./x.clonebox.yaml` are one source; that of `-` is
 * "stdin".
 *
 * All or nothing: half of a directory must never pass for all of it. CB_E_NOT_FOUND, CB_E_DENIED,
 * CB_E_IO; CB_E_INVALID for a directory without a manifest and for a file that cannot be one;
 * CB_E_USAGE for `-` given twice.
 */
CB_CHECKED int cb_source_files(struct cb_arena *arena, const char *const *paths, size_t n,
			       struct cb_source_texts *out, struct cb_error *err);

#endif
