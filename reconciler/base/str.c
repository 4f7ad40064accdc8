#include "reconciler/base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/error.h"

static void reserve(struct cb_str *str, size_t more)
{
	size_t need = str->len + more + 1;

	if (need < more)
		cb_oom();
	if (need > str->cap) {
		size_t cap = str->cap ? str->cap : 64;

		while (cap < need)
			cap *= 2;
		str->text = realloc(str->text, cap);
		if (!str->text)
			cb_oom();
		str->cap = cap;
	}
}

void cb_str_add_bytes(struct cb_str *str, const void *bytes, size_t len)
{
	reserve(str, len);
	if (len)
		memcpy(str->text + str->len, bytes, len);
	str->len += len;
	str->text[str->len] = '\0';
}

void cb_str_add(struct cb_str *str, const char *text)
{
	cb_str_add_bytes(str, text, strlen(text));
}

void cb_str_printf(struct cb_str *str, const char *fmt, ...)
{
	va_list ap;
	char *text = NULL;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len < 0)
		cb_oom();
	cb_str_add_bytes(str, text, (size_t)len);
	free(text);
}

void cb_str_clear(struct cb_str *str)
{
	str->len = 0;
	if (str->text)
		str->text[0] = '\0';
}

void cb_str_wipe(struct cb_str *str)
{
	if (str->text)
		explicit_bzero(str->text, str->cap);
	cb_str_release(str);
}

void cb_str_release(struct cb_str *str)
{
	free(str->text);
	*str = (struct cb_str){0};
}

const char *cb_str_text(const struct cb_str *str)
{
	return str->text ? str->text : "";
}

int cb_parse_u64(const char *text, uint64_t *value)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	*value = strtoull(text, &end, 10);
	return errno || *end ? -1 : 0;
}

void cb_str_size(struct cb_str *str, uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < CB_COUNT(units)) {
		value /= 1024;
		unit++;
	}
	if (unit == 0 || value == (double)(uint64_t)value)
		cb_str_printf(str, "%" PRIu64 " %s", (uint64_t)value, units[unit]);
	else
		cb_str_printf(str, "%.1f %s", value, units[unit]);
}
