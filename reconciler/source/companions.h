/*
 * companions.h: the files that manifests speak of, and those that lie beside them.
 *
 *	do {
 *		cb_manifest_load(&arena, texts.items, texts.len, &desired, &problems);
 *		r = cb_source_companions(&arena, &desired, home, &texts, err);
 *	} while (r > 0);
 *
 * A profile N is `.clonebox.d/N.yaml` beside the manifest, else in the home directory; a `config`
 * is the file of that name. What is not there is left to be reported as missing.
 */
#ifndef CB_SOURCE_COMPANIONS_H
#define CB_SOURCE_COMPANIONS_H

#include "reconciler/model/vm.h"
#include "reconciler/source/files.h"

/*
 * Appends the texts that `desired->wanted` names, as far as they can be found and are not there
 * yet. `home` may be NULL. Returns how many were appended: with these, loading wants to be done
 * again. CB_E_DENIED, CB_E_IO, CB_E_INVALID for what is there and cannot be read.
 */
CB_CHECKED int cb_source_companions(struct cb_arena *arena, const struct cb_desired *desired,
				    const char *home, struct cb_source_texts *texts,
				    struct cb_error *err);

/*
 * Appends the policy file of each manifest, of the working directory where there is none:
 * `.clonebox-policy.yaml` or `.yml` in its directory or the nearest one above, else
 * `.clonebox.d/policy.yaml` in the home directory. No file is appended twice. Returns 0 or an error
 * as above.
 */
CB_CHECKED int cb_source_rules(struct cb_arena *arena, const char *home,
			       struct cb_source_texts *texts, struct cb_error *err);

#endif
