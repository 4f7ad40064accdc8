#include "schema/schedule.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "reconciler/base/compiler.h"
#include "reconciler/base/str.h"

#define DIGITS "0123456789"
#define BLANKS " \t"

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELDS };

static const struct {
	const char *name;
	unsigned min, max;
	const char *names; /* of three letters each, the first one is `min` */
} fields[FIELDS] = {
	[MINUTE] = {"minute", 0, 59, ""},
	[HOUR] = {"hour", 0, 23, ""},
	[DAY] = {"day of month", 1, 31, ""},
	[MONTH] = {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
	[WEEKDAY] = {"day of week", 0, 7, "sunmontuewedthufrisat"},
};

struct reader {
	struct cb_arena *arena;
	unsigned field;
	struct cb_str *out;
	unsigned low, high; /* least and greatest number of the field so far */
	const char *wrong;
};

static void wrong(struct reader *r, const char *why)
{
	if (!r->wrong)
		r->wrong = cb_arena_printf(r->arena, "%s: %s", fields[r->field].name, why);
}

/* A number or a name. */
static const char *value_of(struct reader *r, const char *text, unsigned *value)
{
	const char *names = fields[r->field].names;
	size_t digits = strspn(text, DIGITS), count = strlen(names) / 3;

	*value = 0;
	for (size_t i = 0; digits == 0 && i < count; i++) {
		if (strncasecmp(text, names + 3 * i, 3) == 0) {
			*value = fields[r->field].min + (unsigned)i;
			return text + 3;
		}
	}
	if (digits == 0 || digits > 4) {
		wrong(r, cb_arena_printf(r->arena, "'%.*s' is no number%s",
					 (int)strcspn(text, ",/" BLANKS), text,
					 count ? " and no name" : ""));
		return text;
	}
	for (size_t i = 0; i < digits; i++)
		*value = *value * 10 + (unsigned)(text[i] - '0');
	return text + digits;
}

static void check_range(struct reader *r, unsigned value)
{
	unsigned min = fields[r->field].min, max = fields[r->field].max;

	if (value < min || value > max)
		wrong(r, cb_arena_printf(r->arena, "%u is not between %u and %u", value, min, max));
}

/* "3", "1-5", "*", each perhaps with a step behind it. */
static const char *read_part(struct reader *r, const char *text)
{
	unsigned first = fields[r->field].min, last = fields[r->field].max, step = 0;
	bool all = *text == '*', single = false;

	if (all) {
		cb_str_add(r->out, "*");
		text++;
	} else {
		text = value_of(r, text, &first);
		check_range(r, first);
		cb_str_printf(r->out, "%u", first);
		last = first;
		single = *text != '-';
	}
	if (!all && !single && !r->wrong) {
		text = value_of(r, text + 1, &last);
		check_range(r, last);
		cb_str_printf(r->out, "-%u", last);
		if (last < first)
			wrong(r, cb_arena_printf(r->arena, "%u-%u runs backwards", first, last));
	}
	if (*text == '/' && !r->wrong) {
		size_t digits = strspn(text + 1, DIGITS);

		for (size_t i = 0; i < digits && digits <= 4; i++)
			step = step * 10 + (unsigned)(text[1 + i] - '0');
		if (step == 0 || single || step > fields[r->field].max)
			wrong(r, single ? "a step wants a range or '*' in front of it"
					: "a step is a number that fits in the range");
		cb_str_printf(r->out, "/%u", step);
		text += 1 + digits;
	}
	r->low = first < r->low ? first : r->low;
	r->high = last > r->high ? last : r->high;
	return text;
}

static const char *read_field(struct reader *r, const char *text)
{
	r->low = fields[r->field].max;
	r->high = fields[r->field].min;
	text = read_part(r, text);
	while (*text == ',' && !r->wrong) {
		cb_str_add(r->out, ",");
		text = read_part(r, text + 1);
	}
	if (*text && !strchr(BLANKS, *text))
		wrong(r, cb_arena_printf(r->arena, "'%.*s' is out of place",
					 (int)strcspn(text, BLANKS), text));
	return text;
}

static const char *shorthand(const char *text)
{
	static const struct {
		const char *word, *means;
	} rows[] = {
		{"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
		{"@weekly", "0 0 * * 0"},   {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
		{"@annually", "0 0 1 1 *"},
	};

	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		if (strcasecmp(rows[i].word, text) == 0)
			return rows[i].means;
	}
	return NULL;
}

/* The 31st of February never comes. */
static bool never(unsigned first_day, const char *months, bool any_weekday)
{
	static const unsigned days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	unsigned month = 0;

	if (!any_weekday || months[strspn(months, DIGITS)])
		return false;
	for (; *months; months++)
		month = month * 10 + (unsigned)(*months - '0');
	return month >= 1 && month <= CB_COUNT(days) && first_day > days[month - 1];
}

const char *cb_schedule_parse(struct cb_arena *arena, const char *text, const char **plain)
{
	cb_auto_str struct cb_str out = {0}, months = {0};
	struct reader r = {.arena = arena, .out = &out};
	unsigned first_day = 1;
	const char *at = text + strspn(text, BLANKS);

	if (*at == '@' && !(at = shorthand(at)))
		return "the words are @hourly, @daily, @weekly, @monthly and @yearly";
	for (; r.field < FIELDS && !r.wrong; r.field++) {
		size_t before = out.len;

		if (*at == '\0')
			return cb_arena_printf(
				arena,
				"there are %u fields, five are wanted: minute, hour, "
				"day of month, month, day of week",
				r.field);
		if (r.field > 0)
			cb_str_add(&out, " ");
		at = read_field(&r, at);
		at += strspn(at, BLANKS);
		if (r.field == DAY)
			first_day = r.low;
		if (r.field == MONTH)
			cb_str_add(&months, out.text + before + 1);
		if (r.field == WEEKDAY && !r.wrong &&
		    never(first_day, cb_str_text(&months), strcmp(out.text + before, " *") == 0))
			wrong(&r, cb_arena_printf(arena, "that month has no day %u", first_day));
	}
	if (!r.wrong && *at)
		return cb_arena_printf(arena, "there are more than five fields: '%s' is left over",
				       at);
	if (!r.wrong)
		*plain = cb_arena_strndup(arena, out.text, out.len);
	return r.wrong;
}
