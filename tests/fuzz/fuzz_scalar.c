/*
 * Any text as a size, a number, an address: what is taken is in its limits and reads back as
 * itself, and no text is two things.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/model/address.h"
#include "schema/measure.h"
#include "schema/scalar.h"
#include "schema/schedule.h"
#include "schema/utf8.h"
#include "tests/fuzz/bounds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_kind(const char *text)
{
	enum cb_scalar kind = cb_scalar_of(text);
	json_auto_t *json = cb_scalar_json(kind, text, strlen(text));
	int64_t number;
	char again[32];

	CB_ASSERT(*cb_scalar_name(kind));
	CB_ASSERT(kind != CB_SCALAR_BOOL || json_is_boolean(json));
	CB_ASSERT(kind != CB_SCALAR_NULL || json_is_null(json));
	if (kind != CB_SCALAR_INT)
		return;
	if (cb_scalar_int(text, &number) < 0) {
		CB_ASSERT(strlen(text) >= 19);
		return;
	}
	(void)snprintf(again, sizeof(again), "%" PRId64, number);
	/* -0 is 0. */
	CB_ASSERT(strcmp(again, text) == 0 || strcmp(text, "-0") == 0);
}

static void check_size(const char *text)
{
	int64_t bytes;

	if (cb_scalar_size(text, &bytes) < 0)
		return;
	/* A unit, and no sign, in front of which nothing but digits stands. */
	CB_ASSERT(bytes >= 0 && cb_scalar_of(text) == CB_SCALAR_TEXT);
	CB_ASSERT(text[strspn(text, "0123456789")] &&
		  strchr("KMGT ", text[strspn(text, "0123456789")]));
	if (bytes < INT64_MAX)
		CB_ASSERT((uint64_t)bytes >= strtoull(text, NULL, 10));
}

static void check_spelling(struct cb_arena *arena, const char *text,
			   const char *(*canonical)(struct cb_arena *arena, const char *text))
{
	const char *once = canonical(arena, text), *twice = once ? canonical(arena, once) : NULL;

	CB_ASSERT(!once || (twice && strcmp(once, twice) == 0));
}

/* What is taken is not negative, and no unit makes it less. */
static void check_measures(const char *text)
{
	int64_t with_unit, bare;

	if (cb_measure_duration(text, "", &with_unit) == 0)
		CB_ASSERT(with_unit >= 0);
	if (cb_measure_duration(text, "s", &bare) == 0)
		CB_ASSERT(bare >= 0);
	if (cb_measure_bytes(text, "", &with_unit) == 0)
		CB_ASSERT(with_unit >= 0 && cb_measure_bytes(text, "GiB", &bare) == 0 &&
			  bare == with_unit);
	if (cb_measure_rate(text, &bare) == 0)
		CB_ASSERT(bare >= 0);
}

/* The plain form of a schedule is its own plain form, and so is that of a set of processors. */
static void check_plain_forms(struct cb_arena *arena, const char *text)
{
	cb_auto_str struct cb_str cpus = {0}, again = {0};
	const char *once = NULL, *twice = NULL;

	if (!cb_schedule_parse(arena, text, &once))
		CB_ASSERT(once && !cb_schedule_parse(arena, once, &twice) &&
			  strcmp(once, twice) == 0);
	if (cb_measure_cpus(text, &cpus) < 0)
		return;
	CB_ASSERT(cpus.len > 0 && cb_measure_cpus(cpus.text, &again) == 0);
	CB_ASSERT(strcmp(cpus.text, again.text) == 0);
}

static void check_network(struct cb_arena *arena, const char *text)
{
	const char *cidr = cb_address_cidr(arena, text), *first, *last;

	if (!cidr)
		return;
	first = cb_address_nth(arena, cidr, 1);
	last = cb_address_nth(arena, cidr, -2);
	CB_ASSERT(cb_address_in(cidr, first) && cb_address_in(cidr, last));
	CB_ASSERT(cb_address_compare(first, last) <= 0);
	CB_ASSERT(!cb_address_in(cidr, cb_address_nth(arena, cidr, -1)));
	CB_ASSERT(!cb_address_in(cidr, cb_address_nth(arena, cidr, 0)));
}

static void check_characters(const char *text, size_t len)
{
	unsigned long code = 0;

	for (size_t i = 0; i < len;) {
		size_t width = cb_utf8_next(text + i, len - i, &code);

		CB_ASSERT(width <= 4 && width <= len - i);
		if (width)
			CB_ASSERT(code <= 0x10ffff && cb_utf8_width(code) <= 2);
		if (width && cb_utf8_is_break(code) && code != 0x85)
			CB_ASSERT(cb_utf8_is_hidden(code));
		i += width ? width : 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct bounds bounds = bounds_begin();
	const char *text = cb_arena_strndup(&arena, (const char *)data, size);

	check_characters((const char *)data, size);
	check_kind(text);
	check_size(text);
	check_measures(text);
	check_plain_forms(&arena, text);
	check_spelling(&arena, text, cb_address_mac);
	check_spelling(&arena, text, cb_address_ip);
	check_spelling(&arena, text, cb_address_cidr);
	check_network(&arena, text);
	bounds_check(&bounds);
	return 0;
}
