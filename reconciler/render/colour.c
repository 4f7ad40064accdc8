#include "reconciler/render/colour.h"

void cb_tint(struct cb_str *out, enum cb_colour colour, enum cb_tint tint, const char *text)
{
	static const char *const codes[] = {"\033[32m", "\033[33m", "\033[31m", "\033[2m",
					    "\033[1m"};

	if (colour == CB_PLAIN) {
		cb_str_add(out, text);
		return;
	}
	cb_str_add(out, codes[tint]);
	cb_str_add(out, text);
	cb_str_add(out, "\033[0m");
}

void cb_pad(struct cb_str *out, size_t start, size_t width)
{
	size_t columns = 0;

	/* Columns, not bytes: UTF-8's continuation bytes take none. */
	for (size_t i = start; i < out->len; i++)
		columns += ((unsigned char)out->text[i] & 0xc0) != 0x80;
	do
		cb_str_add(out, " ");
	while (++columns < width);
}
