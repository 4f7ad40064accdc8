#include "schema/utf8.h"

#include "reconciler/base/compiler.h"

struct range {
	unsigned long first, last;
};

static bool is_in(const struct range *ranges, size_t n, unsigned long code)
{
	for (size_t i = 0; i < n; i++) {
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	}
	return false;
}

size_t cb_utf8_next(const char *text, size_t left, unsigned long *code)
{
	static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *p = (const unsigned char *)text;
	size_t width;

	if (left == 0)
		return 0;
	if (p[0] < 0x80) {
		*code = p[0];
		return 1;
	}
	if (p[0] >= 0xc2 && p[0] < 0xe0) {
		width = 2;
		*code = p[0] & 0x1fu;
	} else if (p[0] >= 0xe0 && p[0] < 0xf0) {
		width = 3;
		*code = p[0] & 0x0fu;
	} else if (p[0] >= 0xf0 && p[0] < 0xf5) {
		width = 4;
		*code = p[0] & 0x07u;
	} else {
		return 0;
	}
	if (width > left)
		return 0;
	for (size_t i = 1; i < width; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (p[i] & 0x3fu);
	}
	if (*code < least[width] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return width;
}

bool cb_utf8_is_break(unsigned long code)
{
	return code == '\n' || code == '\r' || code == 0x85 || code == 0x2028 || code == 0x2029;
}

bool cb_utf8_is_hidden(unsigned long code)
{
	static const struct range hidden[] = {
		{0x7f, 0xa0},                       /* controls, no-break space */
		{0xad, 0xad},                       /* soft hyphen */
		{0x61c, 0x61c},                     /* direction */
		{0x115f, 0x1160},                   /* fillers */
		{0x180e, 0x180e}, {0x2000, 0x200f}, /* blanks, joiners, direction */
		{0x2028, 0x202f},                   /* line ends, direction */
		{0x205f, 0x206f}, {0x3000, 0x3000}, {0x3164, 0x3164},
		{0xfe00, 0xfe0f},                                       /* variants */
		{0xfeff, 0xfeff}, {0xfff0, 0xffff}, {0xe0000, 0xe0fff}, /* tags */
	};

	if (code < 0x7f)
		return code < 0x20;
	return is_in(hidden, CB_COUNT(hidden), code);
}

unsigned cb_utf8_width(unsigned long code)
{
	static const struct range none[] = {
		{0x300, 0x36f}, {0x483, 0x489}, {0x591, 0x5bd}, {0x20d0, 0x20f0}};
	static const struct range wide[] = {
		{0x1100, 0x115f},   {0x2e80, 0xa4cf},   {0xac00, 0xd7a3}, {0xf900, 0xfaff},
		{0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6}, {0x1f300, 0x1f64f},
		{0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
	};

	if (code < 0x300)
		return 1;
	if (is_in(none, CB_COUNT(none), code))
		return 0;
	return is_in(wide, CB_COUNT(wide), code) ? 2 : 1;
}
