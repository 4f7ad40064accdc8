/*
 * text_diff.h: what differs between two texts, as `diff -u` shows it.
 */
#ifndef CB_RENDER_TEXT_DIFF_H
#define CB_RENDER_TEXT_DIFF_H

#include "reconciler/base/str.h"
#include "reconciler/render/colour.h"

/* Appends the difference; nothing where there is none. `name` is that of the file. */
void cb_render_text_diff(struct cb_str *out, const char *name, const struct cb_str *old,
			 const struct cb_str *new, enum cb_colour colour);

#endif
