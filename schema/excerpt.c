#include "schema/excerpt.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "reconciler/base/error.h"
#include "reconciler/base/str.h"
#include "schema/suggest.h"
#include "schema/utf8.h"

enum {
	BEFORE = 52, /* characters of a line that are shown in front of the place */
	BEHIND = 24, /* and from it on; more where there are fewer in front */
};

#define HIDDEN "(sensitive)"

/* Parts of words: a typing error in one half must not make it readable. */
static const char *const secret_words[] = {"pass",   "word",  "pwd",     "swd",
					   "secret", "token", "private", "credential"};

/* A place in a text: which character, and where that begins. */
struct cursor {
	const char *bytes;
	size_t len, at;
	unsigned line, column;
};

static size_t text_begin(const char *bytes, size_t len)
{
	return len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

static struct cursor first(const char *bytes, size_t len)
{
	return (struct cursor){bytes, len, text_begin(bytes, len), 1, 1};
}

/* The character at the cursor; what is no UTF-8 counts byte for byte. */
static size_t look(const struct cursor *c, unsigned long *code, bool *valid)
{
	size_t width = cb_utf8_next(c->bytes + c->at, c->len - c->at, code);

	*valid = width > 0;
	if (width == 0 && c->at < c->len) {
		*code = (unsigned char)c->bytes[c->at];
		width = 1;
	}
	return width;
}

static bool at_break(const struct cursor *c)
{
	unsigned long code = 0;
	bool valid;

	return look(c, &code, &valid) > 0 && valid && cb_utf8_is_break(code);
}

static void step(struct cursor *c)
{
	unsigned long code = 0;
	bool valid;
	size_t width = look(c, &code, &valid);

	c->at += width;
	if (valid && code == '\r' && c->at < c->len && c->bytes[c->at] == '\n')
		return;
	if (valid && cb_utf8_is_break(code)) {
		c->line++;
		c->column = 1;
	} else {
		c->column++;
	}
}

static int compare_places(unsigned line, unsigned column, unsigned other_line,
			  unsigned other_column)
{
	if (line != other_line)
		return line < other_line ? -1 : 1;
	return (column > other_column) - (column < other_column);
}

/* Stops at the place, or at the end of its line. */
static void seek(struct cursor *c, unsigned line, unsigned column)
{
	if (compare_places(c->line, c->column, line, column) > 0)
		*c = first(c->bytes, c->len);
	while (c->at < c->len && c->line < line)
		step(c);
	while (c->at < c->len && c->line == line && c->column < column && !at_break(c))
		step(c);
}

/* `n` characters back, but not beyond the start of the line. */
static struct cursor back(struct cursor c, unsigned n)
{
	size_t begin = text_begin(c.bytes, c.len);

	while (n-- > 0 && c.column > 1 && c.at > begin) {
		do
			c.at--;
		while (c.at > begin && ((unsigned char)c.bytes[c.at] & 0xc0) == 0x80);
		c.column--;
	}
	return c;
}

static int compare_spans(const void *left, const void *right)
{
	const struct cb_span *a = left, *b = right;
	int order = compare_places(a->line, a->column, b->line, b->column);

	return order ? order
		     : compare_places(a->end_line, a->end_column, b->end_line, b->end_column);
}

/* In order, and none in another. */
static void tidy(struct cb_spans *spans)
{
	size_t kept = 0;

	if (spans->len == 0)
		return;
	qsort(spans->items, spans->len, sizeof(*spans->items), compare_spans);
	for (size_t i = 1; i < spans->len; i++) {
		struct cb_span *last = &spans->items[kept];
		const struct cb_span *span = &spans->items[i];

		if (compare_places(last->end_line, last->end_column, span->line, span->column) <
		    0) {
			spans->items[++kept] = *span;
		} else if (compare_places(last->end_line, last->end_column, span->end_line,
					  span->end_column) < 0) {
			last->end_line = span->end_line;
			last->end_column = span->end_column;
		}
	}
	spans->len = kept + 1;
}

/* The first span that ends behind the place, or the number of spans. */
static size_t span_behind(const struct cb_spans *spans, unsigned line, unsigned column)
{
	size_t low = 0, high = spans->len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct cb_span *span = &spans->items[middle];

		if (compare_places(span->end_line, span->end_column, line, column) > 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static unsigned add_character(struct cb_str *out, unsigned long code, bool valid, const char *bytes,
			      size_t width)
{
	size_t before = out->len;

	if (code == '\t')
		cb_str_add(out, "\\t");
	else if (!valid || code < 0x20 || code == 0x7f)
		cb_str_printf(out, "\\x%02lx", code);
	else if (cb_utf8_is_hidden(code))
		cb_str_printf(out, code > 0xffff ? "\\U%08lx" : "\\u%04lx", code);
	else {
		cb_str_add_bytes(out, bytes, width);
		return cb_utf8_width(code);
	}
	return (unsigned)(out->len - before);
}

/* The part of a line around the place. Returns how many columns are in front of the place. */
static unsigned render(const struct cb_excerpt_text *text, const struct cursor *place,
		       struct cb_str *out)
{
	struct cursor c = back(*place, BEFORE);
	size_t span = span_behind(&text->secrets, c.line, c.column);
	unsigned columns = 0, caret = 0, shown = 0;
	bool hidden = false, cut = c.column > 1;

	if (cut) {
		cb_str_add(out, "...");
		columns = 3;
	}
	while (c.at < c.len && !at_break(&c) && shown < BEFORE + BEHIND) {
		const struct cb_span *secret =
			span < text->secrets.len ? &text->secrets.items[span] : NULL;
		unsigned long code = 0;
		bool valid, was = hidden;
		size_t width = look(&c, &code, &valid);

		hidden = secret &&
			 compare_places(secret->line, secret->column, c.line, c.column) <= 0;
		if (c.at <= place->at && !(hidden && was))
			caret = columns;
		if (hidden && !was) {
			cb_str_add(out, HIDDEN);
			columns += (unsigned)strlen(HIDDEN);
		} else if (!hidden) {
			columns += add_character(out, code, valid, c.bytes + c.at, width);
		}
		shown++;
		step(&c);
		while (span < text->secrets.len &&
		       compare_places(text->secrets.items[span].end_line,
				      text->secrets.items[span].end_column, c.line, c.column) <= 0)
			span++;
	}
	/* A place behind the last character. */
	if (place->at >= c.at && !hidden)
		caret = columns;
	if (c.at < c.len && !at_break(&c))
		cb_str_add(out, "...");
	return caret;
}

static bool is_blank(struct cursor c)
{
	while (c.at < c.len && !at_break(&c)) {
		if (c.bytes[c.at] != ' ' && c.bytes[c.at] != '\t')
			return false;
		step(&c);
	}
	return true;
}

/* Behind the last character of the text that is not blank. */
static struct cursor last(const char *bytes, size_t len)
{
	struct cursor c = first(bytes, len), found = c;

	while (c.at < len) {
		bool blank = strchr(" \t\r\n", bytes[c.at]) != NULL;

		step(&c);
		if (!blank)
			found = c;
	}
	return found;
}

static void excerpt(struct cb_arena *arena, const struct cb_excerpt_text *text,
		    struct cursor *cursor, struct cb_problem *problem)
{
	cb_auto_str struct cb_str out = {0};
	struct cursor start;
	unsigned caret;

	seek(cursor, problem->origin.line, problem->origin.column);
	start = *cursor;
	/* What is missing at the end of the file is missing behind the last thing in it. */
	if (cursor->at >= cursor->len && is_blank(back(*cursor, cursor->column)))
		start = last(cursor->bytes, cursor->len);
	if (start.line == 1 && start.column == 1 && is_blank(start))
		return;
	caret = render(text, &start, &out);
	if (strcmp(cb_str_text(&out), HIDDEN) == 0)
		return;
	problem->excerpt =
		(struct cb_excerpt){cb_arena_strndup(arena, out.text, out.len), start.line, caret};
}

static unsigned indentation(const char *bytes, size_t len, size_t at)
{
	size_t n = at;

	while (n < len && strchr(" \t", bytes[n]) && bytes[n])
		n++;
	return (unsigned)(n - at);
}

/* Whether the line at the cursor begins with a key, not further in than that. */
static bool is_key_line(const struct cursor *c, unsigned most)
{
	static const char name[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";
	unsigned indent = indentation(c->bytes, c->len, c->at);
	size_t at = c->at + indent, begin = at;

	while (at < c->len && c->bytes[at] && strchr(name, c->bytes[at]))
		at++;
	return indent <= most && at > begin && at + 1 < c->len && c->bytes[at] == ':' &&
	       strchr(" \n\r", c->bytes[at + 1]);
}

/* The length of a word at the cursor that speaks of a secret; 0 if there is none. */
static size_t telling_word(const struct cursor *c)
{
	static const char *const words[] = {"password: ", "password:", "password", "passw",
					    "sword",      "secret",    "token",    "pwd"};
	char lower = (char)(c->bytes[c->at] | 0x20);

	if (lower != 'p' && lower != 's' && lower != 't')
		return 0;
	for (size_t i = 0; i < CB_COUNT(words); i++) {
		size_t n = strlen(words[i]);

		if (c->len - c->at >= n && strncasecmp(c->bytes + c->at, words[i], n) == 0)
			return n;
	}
	return 0;
}

/* Whether one of the first `n` spans begins behind the word at the cursor, with nothing in between
 * but what belongs to a key; or is around it. */
static bool is_accounted(struct cursor c, const struct cb_spans *spans, size_t n)
{
	struct cb_spans known = {.items = spans->items, .len = n};
	size_t i = span_behind(&known, c.line, c.column);

	if (i == n)
		return false;
	while (c.at < c.len &&
	       compare_places(c.line, c.column, spans->items[i].line, spans->items[i].column) < 0) {
		if (!c.bytes[c.at] || strchr("{}[],&*!|>#", c.bytes[c.at]))
			return false;
		step(&c);
	}
	return true;
}

/* A mistake may be in the key of a secret, or around it: then it was read as something else. What
 * is behind such a word is hidden up to the next line that can only be another key. */
static void hide_unaccounted(struct cb_arena *arena, struct cb_excerpt_text *text)
{
	struct cursor c = first(text->text->bytes, text->text->len);
	size_t known = text->secrets.len;
	unsigned indent = indentation(c.bytes, c.len, c.at);

	while (c.at < c.len) {
		unsigned line = c.line;
		size_t width = telling_word(&c);

		if (width == 0 || (!text->broken && is_accounted(c, &text->secrets, known))) {
			step(&c);
		} else {
			struct cb_span span;

			while (width-- > 0)
				step(&c);
			span = (struct cb_span){c.line, c.column, 0, 0};
			do
				step(&c);
			while (c.at < c.len && !(c.column == 1 && is_key_line(&c, indent)));
			span.end_line = c.line;
			span.end_column = c.column;
			cb_vec_push(arena, &text->secrets, span);
		}
		if (c.line != line)
			indent = indentation(c.bytes, c.len, c.at);
	}
}

/* Nothing in it could be read. */
static bool is_utf16(const struct cb_manifest_text *text)
{
	return text->len >= 2 &&
	       (memcmp(text->bytes, "\xff\xfe", 2) == 0 || memcmp(text->bytes, "\xfe\xff", 2) == 0);
}

void cb_schema_excerpts(struct cb_arena *arena, struct cb_excerpt_texts *texts,
			struct cb_problems *problems)
{
	cb_vec_each (struct cb_excerpt_text, text, texts) {
		struct cursor cursor = first(text->text->bytes, text->text->len);

		if (text->text->len > CB_MANIFEST_MAX || is_utf16(text->text))
			continue;
		tidy(&text->secrets);
		hide_unaccounted(arena, text);
		tidy(&text->secrets);
		cb_vec_each (struct cb_problem, problem, problems) {
			if (problem->origin.file == text->file && problem->origin.line > 0)
				excerpt(arena, text, &cursor, problem);
		}
	}
}

bool cb_excerpt_is_secret(struct cb_arena *arena, const char *key)
{
	for (size_t i = 0; i < CB_COUNT(secret_words); i++) {
		if (strcasestr(key, secret_words[i]))
			return true;
	}
	/* "pasword": a typing error must not make it readable. */
	return cb_suggest_word(arena, "password passwd", key) != NULL;
}

bool cb_excerpt_find_secret(const char *bytes, size_t len, unsigned from_line, struct cb_span *span)
{
	struct cursor c = first(bytes, len);

	seek(&c, from_line, 1);
	for (; c.at < len; step(&c)) {
		for (size_t i = 0; i < CB_COUNT(secret_words); i++) {
			size_t n = strlen(secret_words[i]);

			if (len - c.at < n || strncasecmp(bytes + c.at, secret_words[i], n) != 0)
				continue;
			while (c.at < len && !at_break(&c) && !strchr(": ", bytes[c.at]))
				step(&c);
			if (c.at < len && bytes[c.at] == ':')
				step(&c);
			if (c.at < len && bytes[c.at] == ' ')
				step(&c);
			*span = (struct cb_span){c.line, c.column, UINT_MAX, UINT_MAX};
			return true;
		}
	}
	return false;
}
