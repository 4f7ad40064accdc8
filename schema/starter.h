/*
 * starter.h: a manifest to begin with.
 */
#ifndef CB_SCHEMA_STARTER_H
#define CB_SCHEMA_STARTER_H

#include "reconciler/base/error.h"
#include "reconciler/base/str.h"

/* Where `make install` puts things. */
#ifndef CB_PREFIX
#	define CB_PREFIX "/usr/local"
#endif

/* The manifest's JSON Schema, for editors: a file, so that they need no network. */
#define CB_STARTER_SCHEMA CB_PREFIX "/share/clonebox/schema/manifest.json"

enum cb_starter_form {
	CB_STARTER_ONE,   /* one VM, as CloneBox writes it */
	CB_STARTER_FLEET, /* several, and what they share */
};

/* Appends the text: it loads, is in canonical form, and its comments say what else there is, from
 * the rows of fields.def. CB_E_USAGE if `name` is no name of a VM. */
CB_CHECKED int cb_starter(const char *name, enum cb_starter_form form, struct cb_str *out,
			  struct cb_error *err);

#endif
