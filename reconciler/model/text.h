/*
 * text.h: the text of a manifest and where it came from: what source hands to schema.
 */
#ifndef CB_MODEL_TEXT_H
#define CB_MODEL_TEXT_H

#include <stddef.h>

/* A manifest is written by a person: whatever is larger than this is not one. */
enum { CB_MANIFEST_MAX = 1024 * 1024 };

struct cb_manifest_text {
	const char *name;      /* as the person wrote it: for messages */
	const char *directory; /* absolute: relative file names in the manifest start there */
	const char *source;    /* identity, see docs/identity.md: "file:/srv/vms", "stdin" */
	const char *bytes;     /* `len` of them, and a NUL behind the last */
	size_t len;
	/* What ${NAME} stands for: "NAME=value" texts, the first one counts, NULL at the end; NULL
	 * for none. */
	const char *const *variables;
};

#endif
