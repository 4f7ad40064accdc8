#include "reconciler/source/variables.h"

#include <string.h>
#include <unistd.h>

#include "reconciler/base/fs.h"
#include "reconciler/base/log.h"
#include "reconciler/base/str.h"

#define FILE_NAME ".clonebox.env"

enum { FILE_MAX = 256 * 1024 };

struct variables {
	const char **items;
	size_t len, cap;
};

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

/* "a", 'a' and a are a; blanks around do not count. */
static const char *value_of(struct cb_arena *arena, const char *text)
{
	size_t len;

	text = skip_blanks(text);
	len = strlen(text);
	while (len > 0 && strchr(" \t\r", text[len - 1]))
		len--;
	if (len >= 2 && (text[0] == '"' || text[0] == '\'') && text[len - 1] == text[0])
		return cb_arena_strndup(arena, text + 1, len - 2);
	return cb_arena_strndup(arena, text, len);
}

/* What is read, and which lines of it have been. */
struct reader {
	struct cb_arena *arena;
	const char *path;
	unsigned number; /* of the line */
	bool lenient;
	struct variables *out;
	struct cb_error *err;
};

/* One value of two would be a guess. */
static int check_twice(struct reader *r, const char *line, size_t name)
{
	for (size_t i = 0; i < r->out->len; i++) {
		if (strncmp(r->out->items[i], line, name) != 0 || r->out->items[i][name] != '=')
			continue;
		if (!r->lenient)
			return cb_error_set(r->err, CB_E_INVALID, "%s:%u: %.*s is given twice",
					    r->path, r->number, (int)name, line);
		cb_log(CB_LOG_WARN, "variable-twice", "%s:%u: %.*s is given twice; this one counts",
		       r->path, r->number, (int)name, line);
		r->out->items[i] = r->out->items[--r->out->len];
		return 0;
	}
	return 0;
}

static int add_line(struct reader *r, const char *line)
{
	static const char digits[] = "0123456789";
	const char *equals;
	size_t name;
	int result;

	line = skip_blanks(line);
	if (*line == '\0' || *line == '#' || *line == '\r')
		return 0;
	if (strncmp(line, "export", strlen("export")) == 0 && strchr(" \t", line[6]) && line[6])
		line = skip_blanks(line + strlen("export"));
	equals = strchr(line, '=');
	name = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");
	if (!equals || name == 0 || strchr(digits, *line) || skip_blanks(line + name) != equals) {
		/* The line is not shown: it may hold a password. */
		if (r->lenient) {
			cb_log(CB_LOG_WARN, "no-variable",
			       "%s:%u: this is not NAME=value, and is left out", r->path,
			       r->number);
			return 0;
		}
		(void)cb_error_set(r->err, CB_E_INVALID, "%s:%u: this is not NAME=value", r->path,
				   r->number);
		return cb_error_hint(r->err,
				     "one variable a line; a name has letters, digits and '_' and "
				     "starts with no digit; comments begin with '#'");
	}
	if ((result = check_twice(r, line, name)) < 0)
		return result;
	cb_vec_push(r->arena, r->out,
		    cb_arena_printf(r->arena, "%.*s=%s", (int)name, line,
				    value_of(r->arena, equals + 1)));
	return 0;
}

static int add_lines(struct reader *r, struct cb_str *text)
{
	char *rest = text->len ? text->text : NULL, *line;
	int result = 0;

	if (text->len && strlen(text->text) != text->len)
		return cb_error_set(r->err, CB_E_INVALID, "%s: there is a NUL byte in it", r->path);
	while (result == 0 && (line = strsep(&rest, "\n"))) {
		r->number++;
		result = add_line(r, line);
	}
	return result;
}

static int add_file(struct cb_arena *arena, const char *path, bool lenient, struct variables *out,
		    struct cb_error *err)
{
	cb_auto_str struct cb_str text = {0};
	struct reader reader = {
		.arena = arena, .path = path, .lenient = lenient, .out = out, .err = err};
	int r = cb_fs_read(path, FILE_MAX, &text, err);

	if (r == -CB_E_NOT_FOUND) {
		cb_error_release(err);
		return 0;
	}
	if (r < 0)
		return r;
	r = add_lines(&reader, &text);
	cb_str_wipe(&text);
	return r;
}

int cb_source_variables(struct cb_arena *arena, const char *directory, bool lenient,
			const char *const **out, struct cb_error *err)
{
	struct variables variables = {0};
	int r = add_file(arena, cb_arena_printf(arena, "%s/" FILE_NAME, directory), lenient,
			 &variables, err);

	if (r < 0)
		return r;
	for (char **v = environ; v && *v; v++)
		cb_vec_push(arena, &variables, *v);
	cb_vec_push(arena, &variables, NULL);
	*out = variables.items;
	return 0;
}
