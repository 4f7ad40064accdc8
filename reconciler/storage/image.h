/*
 * image.h: image files of this machine: what they are, and their content as a stream.
 *
 * Formats are read from the header by code of our own, before any other tool looks at the file: a
 * base image that names another file (backing file, external data file) could make the host read
 * what the manifest's author may not, and is refused.
 */
#ifndef CB_STORAGE_IMAGE_H
#define CB_STORAGE_IMAGE_H

#include <signal.h>

#include "reconciler/base/error.h"
#include "reconciler/model/image.h"

/* How far a long piece of work is; `total` may be 0 (not known). Called often: the callee thins. */
struct cb_progress {
	void (*report)(void *ctx, const char *what, uint64_t done, uint64_t total);
	void *ctx;
	const volatile sig_atomic_t *interrupted; /* NULL, or: stop soon when it is not 0 */
};

/* Fills file, size, format, capacity and digest; reads the whole file once. CB_E_NOT_FOUND,
 * CB_E_DENIED, CB_E_INVALID (not an image that can be used). */
CB_CHECKED int cb_image_inspect(struct cb_arena *arena, const char *path, struct cb_image *out,
				const struct cb_progress *progress, struct cb_error *err);

/* What the first bytes say: format and virtual size (a raw file's is `size`). */
CB_CHECKED int cb_image_header(const unsigned char *head, size_t len, const char *what,
			       uint64_t size, const char **format, uint64_t *capacity,
			       struct cb_error *err);

#endif
