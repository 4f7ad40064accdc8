/*
 * write.h: a desired state as a manifest, and as JSON: everything that the manifests come to, and
 * where each value comes from.
 *
 * Secrets are "(sensitive)", and so is what came through a variable.
 */
#ifndef CB_SCHEMA_WRITE_H
#define CB_SCHEMA_WRITE_H

#include <jansson.h>

#include "reconciler/base/error.h"
#include "reconciler/base/str.h"
#include "reconciler/model/vm.h"

enum cb_write_origins {
	CB_WRITE_BARE,    /* the values alone */
	CB_WRITE_ORIGINS, /* with the places that they come from, and built-in defaults, as comments
			   */
};

/*
 * Appends a manifest in canonical form, that loads as the same desired state where nothing in it is
 * sensitive. Built-in defaults are comments: written out, they would be enforced. What VMs depend
 * on is a comment, too, where it is not among the VMs.
 */
CB_CHECKED int cb_write_manifest(const struct cb_desired *desired, enum cb_write_origins origins,
				 struct cb_str *out, struct cb_error *err);

/* clonebox/render/v1. The caller owns it. */
json_t *cb_write_json(const struct cb_desired *desired);

#endif
