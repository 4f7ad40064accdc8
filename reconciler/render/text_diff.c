#include "reconciler/render/text_diff.h"

#include <string.h>

#include "reconciler/base/arena.h"

enum {
	CONTEXT = 3,             /* lines around what differs */
	TABLE_MAX = 4000 * 4000, /* above, the whole middle is shown as replaced */
};

struct line {
	const char *text;
	size_t len;
};

struct text {
	struct line *items;
	size_t len, cap;
};

/* One line of the result. */
struct edit {
	char mark; /* ' ', '-', '+' */
	const struct line *line;
	size_t old, new; /* lines in front of it */
};

struct diff {
	struct cb_arena *arena;
	struct text old, new;
	CB_VEC(struct edit) edits;
};

static void split(struct cb_arena *arena, const struct cb_str *str, struct text *text)
{
	const char *at = cb_str_text(str), *end = at + str->len;

	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((stop ? stop + 1 : end) - at);

		cb_vec_push(arena, text, ((struct line){at, len}));
		at += len;
	}
}

static bool same(const struct line *a, const struct line *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static void push(struct diff *d, char mark, size_t old, size_t new)
{
	struct edit edit = {mark, mark == '+' ? &d->new.items[new] : &d->old.items[old], old, new};

	cb_vec_push(d->arena, &d->edits, edit);
}

/* The lines in between, by the longest common subsequence. */
static void push_middle(struct diff *d, size_t old, size_t old_end, size_t new, size_t new_end)
{
	size_t rows = old_end - old, columns = new_end - new, width = columns + 1;
	unsigned *table = NULL;

	if (rows && columns && rows * columns <= TABLE_MAX) {
		table = cb_arena_alloc(d->arena, (rows + 1) * width * sizeof(*table));
		for (size_t i = rows; i-- > 0;) {
			for (size_t j = columns; j-- > 0;) {
				unsigned down = table[(i + 1) * width + j],
					 right = table[i * width + j + 1];
				bool equal = same(&d->old.items[old + i], &d->new.items[new + j]);

				table[i * width + j] = equal ? table[(i + 1) * width + j + 1] + 1
						       : down > right ? down
								      : right;
			}
		}
	}
	for (size_t i = 0, j = 0; i < rows || j < columns;) {
		if (table && i < rows && j < columns &&
		    same(&d->old.items[old + i], &d->new.items[new + j])) {
			push(d, ' ', old + i, new + j);
			i++;
			j++;
		} else if (i < rows && (j == columns || !table ||
					table[(i + 1) * width + j] >= table[i * width + j + 1])) {
			push(d, '-', old + i, new + j);
			i++;
		} else {
			push(d, '+', old + i, new + j);
			j++;
		}
	}
}

static void compare(struct diff *d)
{
	size_t head = 0, tail = 0, n = d->old.len, m = d->new.len;

	while (head < n && head < m && same(&d->old.items[head], &d->new.items[head]))
		head++;
	while (tail < n - head && tail < m - head &&
	       same(&d->old.items[n - 1 - tail], &d->new.items[m - 1 - tail]))
		tail++;
	for (size_t i = 0; i < head; i++)
		push(d, ' ', i, i);
	push_middle(d, head, n - tail, head, m - tail);
	for (size_t i = tail; i > 0; i--)
		push(d, ' ', n - i, m - i);
}

static void add_line(struct cb_str *out, const struct edit *edit, enum cb_colour colour)
{
	cb_auto_str struct cb_str text = {0};
	size_t len = edit->line->len;
	bool ended = len > 0 && edit->line->text[len - 1] == '\n';

	cb_str_add_bytes(&text, &edit->mark, 1);
	cb_str_add_bytes(&text, edit->line->text, len - ended);
	if (edit->mark == ' ')
		cb_str_add(out, text.text);
	else
		cb_tint(out, colour, edit->mark == '+' ? CB_TINT_ADD : CB_TINT_REMOVE, text.text);
	cb_str_add(out, ended ? "\n" : "\n\\ No newline at end of file\n");
}

static void add_range(struct cb_str *out, char mark, size_t before, size_t n)
{
	cb_str_printf(out, "%c%zu,%zu ", mark, n ? before + 1 : before, n);
}

/* Edits from `start` up to `end`, as one hunk. */
static void add_hunk(struct cb_str *out, const struct diff *d, size_t start, size_t end,
		     enum cb_colour colour)
{
	size_t old = 0, new = 0;

	for (size_t i = start; i < end; i++) {
		old += d->edits.items[i].mark != '+';
		new += d->edits.items[i].mark != '-';
	}
	cb_str_add(out, "@@ ");
	add_range(out, '-', d->edits.items[start].old, old);
	add_range(out, '+', d->edits.items[start].new, new);
	cb_str_add(out, "@@\n");
	for (size_t i = start; i < end; i++)
		add_line(out, &d->edits.items[i], colour);
}

/* Whether something differs in the `n` edits from there on: the first one, SIZE_MAX if none. */
static size_t next_difference(const struct diff *d, size_t from, size_t n)
{
	for (size_t i = from; i < d->edits.len && i - from < n; i++) {
		if (d->edits.items[i].mark != ' ')
			return i;
	}
	return SIZE_MAX;
}

void cb_render_text_diff(struct cb_str *out, const char *name, const struct cb_str *old,
			 const struct cb_str *new, enum cb_colour colour)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct diff d = {.arena = &arena};
	size_t at;

	split(&arena, old, &d.old);
	split(&arena, new, &d.new);
	compare(&d);
	at = next_difference(&d, 0, SIZE_MAX);
	if (at == SIZE_MAX)
		return;
	cb_str_printf(out, "--- %s\n+++ %s\n", name, name);
	while (at != SIZE_MAX) {
		size_t start = at > CONTEXT ? at - CONTEXT : 0, end = at + 1, next;

		while ((next = next_difference(&d, end, (size_t)2 * CONTEXT + 1)) != SIZE_MAX)
			end = next + 1;
		at = next_difference(&d, end, SIZE_MAX);
		end = end + CONTEXT < d.edits.len ? end + CONTEXT : d.edits.len;
		add_hunk(out, &d, start, end, colour);
	}
}
