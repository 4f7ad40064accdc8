#include "schema/scalar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/compiler.h"

#define DIGITS "0123456789"
#define ENOUGH UINT64_C(1000000000000000)

static const char *const truths[] = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"};
static const char *const lies[] = {"false", "False", "FALSE", "no", "No",
				   "NO",    "off",   "Off",   "OFF"};
static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
static const char *const floats[] = {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"};

static bool among(const char *const *words, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(words[i], text) == 0)
			return true;
	}
	return false;
}

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Whether the whole text is at least one of these characters. */
static bool all_of(const char *text, const char *accept)
{
	return *text && text[strspn(text, accept)] == '\0';
}

static bool is_radix(const char *text)
{
	if (text[0] != '0' || text[1] == '\0')
		return false;
	switch (text[1]) {
	case 'x':
		return all_of(text + 2, DIGITS "abcdefABCDEF_");
	case 'o':
		return all_of(text + 2, "01234567_");
	case 'b':
		return all_of(text + 2, "01_");
	default:
		return false;
	}
}

/* 22:22, 1:30:00.5 */
static bool is_sexagesimal(const char *text)
{
	size_t parts = 0;

	if (!digit(*text))
		return false;
	text += strspn(text, DIGITS "_");
	while (*text == ':') {
		size_t n = strspn(++text, DIGITS);

		if (n == 0 || n > 2 || (n == 2 && *text > '5'))
			return false;
		text += n;
		parts++;
	}
	if (*text == '.')
		text += 1 + strspn(text + 1, DIGITS "_");
	return parts > 0 && *text == '\0';
}

static bool is_float(const char *text)
{
	const char *p = text;
	bool dot = false, exponent = false;

	if (among(floats, CB_COUNT(floats), text))
		return true;
	if (!digit(p[0]) && !(p[0] == '.' && digit(p[1])))
		return false;
	p += strspn(p, DIGITS "_");
	if (*p == '.') {
		dot = true;
		p += 1 + strspn(p + 1, DIGITS "_");
	}
	if (*p == 'e' || *p == 'E') {
		size_t n;

		p++;
		if (*p == '+' || *p == '-')
			p++;
		n = strspn(p, DIGITS);
		if (n == 0)
			return false;
		exponent = true;
		p += n;
	}
	return *p == '\0' && (dot || exponent);
}

/* 2026-01-31, 2026-1-31 12:50:02, 2026-01-31T12:50:02.8Z */
static bool is_date(const char *text)
{
	static const size_t most[] = {4, 2, 2};

	for (size_t i = 0; i < CB_COUNT(most); i++) {
		size_t n = strspn(text, DIGITS);

		if (n == 0 || n > most[i] || (i == 0 && n != most[0]))
			return false;
		text += n;
		if (i + 1 < CB_COUNT(most) && *text++ != '-')
			return false;
	}
	if (*text == '\0')
		return true;
	if (*text != 'T' && *text != 't' && *text != ' ' && *text != '\t')
		return false;
	text += *text == 'T' || *text == 't';
	text += strspn(text, " \t");
	return digit(*text) && strchr(text, ':') && all_of(text, DIGITS ":.+-Z \t");
}

static enum cb_scalar number_kind(const char *text)
{
	const char *digits = text + (*text == '-' || *text == '+');

	if (all_of(digits, DIGITS "_") && digit(*digits)) {
		if (digits[0] == '0' && digits[1])
			return CB_SCALAR_ZERO;
		if (strchr(digits, '_'))
			return CB_SCALAR_UNDERSCORE;
		return *text == '+' ? CB_SCALAR_PLUS : CB_SCALAR_INT;
	}
	if (is_radix(digits))
		return CB_SCALAR_RADIX;
	if (is_sexagesimal(digits))
		return CB_SCALAR_SEXAGESIMAL;
	if (is_float(digits))
		return CB_SCALAR_FLOAT;
	return is_date(text) ? CB_SCALAR_DATE : CB_SCALAR_TEXT;
}

enum cb_scalar cb_scalar_of(const char *text)
{
	if (among(nulls, CB_COUNT(nulls), text))
		return CB_SCALAR_NULL;
	if (among(truths, CB_COUNT(truths), text) || among(lies, CB_COUNT(lies), text))
		return CB_SCALAR_BOOL;
	return number_kind(text);
}

const char *cb_scalar_name(enum cb_scalar scalar)
{
	switch (scalar) {
	case CB_SCALAR_TEXT:
		return "text";
	case CB_SCALAR_NULL:
		return "null";
	case CB_SCALAR_BOOL:
		return "a boolean";
	case CB_SCALAR_INT:
		return "a number";
	case CB_SCALAR_PLUS:
		return "a number with a plus sign";
	case CB_SCALAR_ZERO:
		return "a number with a leading zero (octal for some readers)";
	case CB_SCALAR_RADIX:
		return "a hexadecimal, octal or binary number";
	case CB_SCALAR_UNDERSCORE:
		return "a number with underscores";
	case CB_SCALAR_SEXAGESIMAL:
		return "a base-60 number (sexagesimal)";
	case CB_SCALAR_FLOAT:
		return "a floating-point number";
	case CB_SCALAR_DATE:
		return "a date";
	}
	return "";
}

bool cb_scalar_bool(const char *text)
{
	return among(truths, CB_COUNT(truths), text);
}

int cb_scalar_int(const char *text, int64_t *value)
{
	errno = 0;
	*value = strtoll(text, NULL, 10);
	return errno ? -1 : 0;
}

int cb_scalar_size(const char *text, int64_t *bytes)
{
	static const struct {
		const char *unit;
		uint64_t bytes;
	} units[] = {
		{"KiB", UINT64_C(1) << 10},   {"MiB", UINT64_C(1) << 20},
		{"GiB", UINT64_C(1) << 30},   {"TiB", UINT64_C(1) << 40},
		{"KB", UINT64_C(1000)},       {"MB", UINT64_C(1000000)},
		{"GB", UINT64_C(1000000000)}, {"TB", UINT64_C(1000000000000)},
	};

	size_t digits = strspn(text, "0123456789");
	uint64_t number = 0;

	if (digits == 0 || (text[0] == '0' && digits > 1))
		return -1;
	/* What has more digits is more than there can be, whatever the unit. */
	for (size_t i = 0; i < digits; i++)
		number = number < ENOUGH ? number * 10 + (uint64_t)(text[i] - '0') : UINT64_MAX;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		uint64_t size;

		if (strcmp(text + digits + (text[digits] == ' '), units[i].unit) != 0)
			continue;
		if (__builtin_mul_overflow(number, units[i].bytes, &size) || size > INT64_MAX)
			size = INT64_MAX;
		*bytes = (int64_t)size;
		return 0;
	}
	return -1;
}

json_t *cb_scalar_json(enum cb_scalar kind, const char *text, size_t len)
{
	int64_t number;

	switch (kind) {
	case CB_SCALAR_NULL:
		return json_null();
	case CB_SCALAR_BOOL:
		return json_boolean(cb_scalar_bool(text));
	case CB_SCALAR_INT:
		if (cb_scalar_int(text, &number) == 0)
			return json_integer(number);
		break;
	case CB_SCALAR_TEXT:
	case CB_SCALAR_PLUS:
	case CB_SCALAR_ZERO:
	case CB_SCALAR_RADIX:
	case CB_SCALAR_UNDERSCORE:
	case CB_SCALAR_SEXAGESIMAL:
	case CB_SCALAR_FLOAT:
	case CB_SCALAR_DATE:
		break;
	}
	return strlen(text) == len ? json_string(text) : NULL;
}
