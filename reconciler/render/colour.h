/* colour.h: the few colours, by meaning. */
#ifndef CB_RENDER_COLOUR_H
#define CB_RENDER_COLOUR_H

#include "reconciler/render/render.h"

enum cb_tint { CB_TINT_ADD, CB_TINT_CHANGE, CB_TINT_REMOVE, CB_TINT_DIM, CB_TINT_BOLD };

/* Adds the text, tinted if colours are wanted. */
void cb_tint(struct cb_str *out, enum cb_colour colour, enum cb_tint tint, const char *text);

/* Pads with blanks so that the line, begun at `start`, is `width` columns wide; at least one. */
void cb_pad(struct cb_str *out, size_t start, size_t width);

#endif
