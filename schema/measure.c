#include "schema/measure.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "reconciler/base/compiler.h"

#define DIGITS "0123456789"

enum {
	FRACTION = 6, /* digits behind the point: more of them mean nothing */
	CPUS = 4096,
};

struct unit {
	const char *name;
	int64_t size;
};

/* Decimal digits, perhaps with a fraction, in units of `size`. Returns what stands behind, NULL if
 * there are no digits. */
static const char *number_of(const char *text, int64_t *whole, int64_t *part, int64_t *of)
{
	size_t digits = strspn(text, DIGITS), behind = 0;

	*whole = *part = 0;
	*of = 1;
	if (digits == 0)
		return NULL;
	for (size_t i = 0; i < digits; i++) {
		if (__builtin_mul_overflow(*whole, 10, whole) ||
		    __builtin_add_overflow(*whole, text[i] - '0', whole))
			*whole = INT64_MAX;
	}
	text += digits;
	if (*text == '.') {
		behind = strspn(++text, DIGITS);
		if (behind == 0 || behind > FRACTION)
			return NULL;
	}
	for (size_t i = 0; i < behind; i++) {
		*part = *part * 10 + (text[i] - '0');
		*of *= 10;
	}
	return text + behind;
}

static int measure(const struct unit *units, size_t n, const char *text, const char *bare,
		   int64_t *out)
{
	int64_t whole, part, of, product;
	const char *name = number_of(text, &whole, &part, &of);

	if (!name)
		return -1;
	name += *name == ' ';
	if (*name == '\0') {
		if (whole == 0 && part == 0) {
			*out = 0;
			return 0;
		}
		name = bare;
	}
	for (size_t i = 0; i < n; i++) {
		if (strcmp(units[i].name, name) != 0)
			continue;
		if (__builtin_mul_overflow(whole, units[i].size, &product) ||
		    __builtin_add_overflow(product, part * units[i].size / of, &product))
			product = INT64_MAX;
		*out = product;
		return 0;
	}
	return -1;
}

int cb_measure_duration(const char *text, const char *bare, int64_t *ms)
{
	static const struct unit units[] = {
		{"ms", 1},        {"s", 1000},       {"m", 60000},      {"h", 3600000},
		{"d", 86400000},  {"w", 604800000},  {"sec", 1000},     {"min", 60000},
		{"second", 1000}, {"minute", 60000}, {"hour", 3600000}, {"day", 86400000},
	};

	return measure(units, CB_COUNT(units), text, bare, ms);
}

int cb_measure_bytes(const char *text, const char *bare, int64_t *bytes)
{
	static const int64_t kibi = 1024, kilo = 1000;
	const struct unit units[] = {
		{"B", 1},
		{"K", kibi},
		{"M", kibi * kibi},
		{"G", kibi * kibi * kibi},
		{"T", kibi * kibi * kibi * kibi},
		{"KiB", kibi},
		{"MiB", kibi * kibi},
		{"GiB", kibi * kibi * kibi},
		{"TiB", kibi * kibi * kibi * kibi},
		{"KB", kilo},
		{"MB", kilo * kilo},
		{"GB", kilo * kilo * kilo},
		{"TB", kilo * kilo * kilo * kilo},
	};

	return measure(units, CB_COUNT(units), text, bare, bytes);
}

int cb_measure_rate(const char *text, int64_t *bits)
{
	static const struct unit units[] = {
		{"bps", 1},        {"Kbps", 1000},       {"kbps", 1000},       {"Mbps", 1000000},
		{"mbps", 1000000}, {"Gbps", 1000000000}, {"gbps", 1000000000},
	};

	return measure(units, CB_COUNT(units), text, "", bits);
}

/* A number below CPUS. Returns what stands behind, NULL if it is none. */
static const char *cpu_of(const char *text, unsigned *cpu)
{
	size_t digits;

	text += strspn(text, " ");
	digits = strspn(text, DIGITS);
	*cpu = 0;
	if (digits == 0 || digits > 4)
		return NULL;
	for (size_t i = 0; i < digits; i++)
		*cpu = *cpu * 10 + (unsigned)(text[i] - '0');
	text += digits;
	return *cpu < CPUS ? text + strspn(text, " ") : NULL;
}

int cb_measure_cpus(const char *text, struct cb_str *out)
{
	bool set[CPUS + 1] = {false};
	const char *at = text;

	do {
		unsigned first, last;

		if (!(at = cpu_of(at, &first)))
			return -1;
		last = first;
		if (*at == '-' && !(at = cpu_of(at + 1, &last)))
			return -1;
		if (last < first || (*at && *at != ','))
			return -1;
		for (unsigned cpu = first; cpu <= last; cpu++)
			set[cpu] = true;
	} while (*at++ == ',');
	for (unsigned cpu = 0, last; cpu < CPUS; cpu = last + 1) {
		for (last = cpu; set[last]; last++)
			;
		if (last > cpu)
			cb_str_printf(out, "%s%u", out->len ? "," : "", cpu);
		if (last > cpu + 1)
			cb_str_printf(out, "-%u", last - 1);
	}
	return 0;
}
