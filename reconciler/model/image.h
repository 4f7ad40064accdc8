/*
 * image.h: a file that a VM needs on the host (base image, kernel, initrd), as found.
 */
#ifndef CB_MODEL_IMAGE_H
#define CB_MODEL_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "reconciler/base/arena.h"
#include "reconciler/base/digest.h"

struct cb_image {
	const char *vm; /* that needs it */
	/* "base", "kernel", "initrd"; "image:data" is what the disk "data" starts from,
	 * "retained:data" the volume that an earlier VM of this name left for it. */
	const char *role;
	const char *ref; /* as the manifest says it */
	/* Either a file of the machine that runs clonebox ... */
	const char *file;   /* absolute path, NULL for a volume of the pool */
	const char *digest; /* SHA-256, hex */
	uint64_t size;      /* bytes of the file */
	/* ... or a volume that is in the pool already: a person's, or imported before. */
	const char *volume;  /* its name, else NULL */
	const char *path;    /* on the host */
	const char *problem; /* why it cannot be used, or NULL */
	bool ours;           /* imported by clonebox: a stamp of this owner lists it */
	const char *format;  /* "qcow2" or "raw" */
	uint64_t capacity;   /* virtual size in bytes */
};

struct cb_images {
	struct cb_image *items;
	size_t len, cap;
};

#endif
