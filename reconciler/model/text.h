/*
 * text.h: the text of a manifest and where it came from: what source hands to schema.
 */
#ifndef CB_MODEL_TEXT_H
#define CB_MODEL_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* A manifest is written by a person: whatever is larger than this is not one. */
enum { CB_MANIFEST_MAX = 1024 * 1024 };

/* What a text is to be taken for. */
enum cb_text_kind {
	CB_TEXT_MANIFEST,
	CB_TEXT_PROFILE, /* keys of a VM, for `profile: NAME` */
	CB_TEXT_CONFIG,  /* a manifest of one VM, for `config: NAME` */
	CB_TEXT_RULES,   /* .clonebox-policy.yaml */
};

struct cb_manifest_text {
	const char *name;      /* as the person wrote it: for messages */
	const char *directory; /* absolute: relative file names in the manifest start there */
	const char *source;    /* identity, see docs/identity.md: "file:/srv/vms", "stdin" */
	const char *bytes;     /* `len` of them, and a NUL behind the last */
	size_t len;
	/* What ${NAME} stands for: "NAME=value" texts, the first one counts, NULL at the end; NULL
	 * for none. */
	const char *const *variables;
	enum cb_text_kind kind;
	const char *as; /* what a profile or a `config` is called by who wants it */
	bool lenient;   /* read as CloneBox reads it, with warnings where that is another way */
	bool fragment;  /* need not make a VM: only good for being looked at */
};

#endif
