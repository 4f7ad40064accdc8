/* The file of settings: read as YAML, changed line by line so that everything else in it stays. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/clonebox/settings.h"
#include "reconciler/base/fs.h"
#include "schema/scalar.h"
#include "schema/yaml.h"

enum { FILE_MAX = 64 * 1024 };

/* Reading. ------------------------------------------------------------------------------------- */

static int wrong(const char *path, const struct cb_yaml_node *node, const char *what,
		 struct cb_error *err)
{
	(void)cb_error_set(err, CB_E_INVALID, "%s:%u:%u: %s", path, node->line, node->column, what);
	return cb_error_hint(err, "write one 'key: value' on each line");
}

static bool is_null(const struct cb_yaml_node *node)
{
	return node->plain && cb_scalar_of(node->text) == CB_SCALAR_NULL;
}

static int read_pairs(struct cb_arena *arena, const char *path, const struct cb_yaml_node *map,
		      struct cb_settings_file *out, struct cb_error *err)
{
	cb_vec_each (const struct cb_yaml_pair, pair, &map->pairs) {
		struct cb_setting_line line = {.line = pair->key->line,
					       .column = pair->key->column};

		if (pair->key->kind != CB_YAML_SCALAR)
			return wrong(path, pair->key, "a key must be text", err);
		if (pair->value->kind != CB_YAML_SCALAR)
			return wrong(path, pair->value, "a setting is a single value", err);
		line.name = cb_arena_strdup(arena, pair->key->text);
		if (!is_null(pair->value))
			line.text = cb_arena_strdup(arena, pair->value->text);
		cb_vec_push(arena, &out->lines, line);
	}
	return 0;
}

static int parse(struct cb_arena *arena, const char *path, const struct cb_str *bytes,
		 struct cb_settings_file *out, struct cb_error *err)
{
	const struct cb_manifest_text text = {
		.name = path, .bytes = cb_str_text(bytes), .len = bytes->len};
	struct cb_problems problems = {0};
	struct cb_yaml yaml = {0};

	cb_yaml_parse(arena, path, &text, &yaml, &problems);
	cb_vec_each (const struct cb_problem, problem, &problems) {
		if (problem->severity != CB_PROBLEM)
			continue;
		(void)cb_error_set(err, CB_E_INVALID, "%s:%u:%u: %s", path, problem->origin.line,
				   problem->origin.column, problem->message);
		return problem->fix && problem->fix[0] ? cb_error_hint(err, "%s", problem->fix)
						       : -CB_E_INVALID;
	}
	cb_vec_each (struct cb_yaml_node *const, document, &yaml.documents) {
		int r;

		if ((*document)->kind == CB_YAML_SCALAR && is_null(*document))
			continue;
		if ((*document)->kind != CB_YAML_MAP)
			return wrong(path, *document, "settings are a map", err);
		if ((r = read_pairs(arena, path, *document, out, err)) < 0)
			return r;
	}
	return 0;
}

/* Absent is empty, unless it must exist. */
static int read_text(const char *path, bool must_exist, struct cb_str *out, struct cb_error *err)
{
	cb_auto_error struct cb_error why = {0};
	int r = cb_fs_read(path, FILE_MAX, out, &why);

	if (r == 0 || (r == -CB_E_NOT_FOUND && !must_exist))
		return 0;
	(void)cb_error_move(err, &why);
	(void)cb_error_wrap(err, "settings");
	return cb_error_hint(err, "check --config and CLONEBOX_CONFIG");
}

int cb_settings_read(struct cb_arena *arena, const char *path, bool must_exist,
		     struct cb_settings_file *out, struct cb_error *err)
{
	cb_auto_str struct cb_str text = {0};
	int r = read_text(path, must_exist, &text, err);

	return r < 0 ? r : parse(arena, path, &text, out, err);
}

/* Writing. ------------------------------------------------------------------------------------- */

static const struct cb_setting_line *find(const struct cb_settings_file *file, const char *name)
{
	cb_vec_each (const struct cb_setting_line, line, &file->lines) {
		if (strcmp(line->name, name) == 0)
			return line;
	}
	return NULL;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Quotes what YAML could take for something else. */
static void add_scalar(struct cb_str *out, const char *text)
{
	bool plain = isalnum((unsigned char)text[0]) || text[0] == '/';

	for (const char *p = text; *p; p++)
		plain = plain && (isalnum((unsigned char)*p) || strchr("/._+@%?=&,-:", *p)) &&
			!(*p == ':' && !p[1]);
	if (plain && cb_scalar_of(text) != CB_SCALAR_NULL) {
		cb_str_add(out, text);
		return;
	}
	cb_str_add(out, "'");
	for (const char *p = text; *p; p++)
		cb_str_add_bytes(out, *p == '\'' ? "''" : p, *p == '\'' ? 2 : 1);
	cb_str_add(out, "'");
}

/* The comment behind the value, with the blanks before it; the end of the line where there is none.
 */
static const char *comment_of(const char *line, const char *end)
{
	const char *p = memchr(line, ':', (size_t)(end - line));
	char quote;

	for (p = p ? p + 1 : end; p < end && (*p == ' ' || *p == '\t'); p++)
		;
	quote = p < end && (*p == '\'' || *p == '"') ? *p : '\0';
	/* Inside, '' is a quote of the one kind and \" of the other. */
	for (p += quote != '\0'; quote && p < end; p++) {
		if (*p == quote && (quote == '"' || p + 1 == end || p[1] != quote))
			break;
		if (*p == quote || (quote == '"' && *p == '\\'))
			p++;
	}
	if (p > end)
		return end;
	for (; p < end; p++) {
		if (*p == '#' && (p[-1] == ' ' || p[-1] == '\t'))
			break;
	}
	if (p >= end)
		return end;
	while (p[-1] == ' ' || p[-1] == '\t')
		p--;
	return p;
}

/* The text with one line changed, added or taken out. */
static void edit(const struct cb_str *old, unsigned number, const char *name, const char *text,
		 struct cb_str *out)
{
	const char *line = cb_str_text(old), *end, *rest;

	for (unsigned i = 1; number && i < number; i++)
		line = strchr(line, '\n') ? strchr(line, '\n') + 1 : line + strlen(line);
	if (!number)
		line += strlen(line);
	end = line + strcspn(line, "\n");
	cb_str_add_bytes(out, cb_str_text(old), (size_t)(line - cb_str_text(old)));
	if (!number && out->len && out->text[out->len - 1] != '\n')
		cb_str_add(out, "\n");
	if (text) {
		cb_str_printf(out, "%s: ", name);
		add_scalar(out, text);
		rest = comment_of(line, end);
		cb_str_add_bytes(out, rest, (size_t)(end - rest));
		cb_str_add(out, "\n");
	}
	cb_str_add(out, *end ? end + 1 : "");
}

/* Whether the new file says what the old one said, but for this. Whatever way of writing it the
 * line by line change does not understand shows here, before anything is written. */
static bool is_change(const struct cb_settings_file *old, const struct cb_settings_file *new,
		      const char *name, const char *text)
{
	const struct cb_setting_line *changed = find(new, name);

	if (text ? !changed || !same_text(changed->text, text) : changed != NULL)
		return false;
	cb_vec_each (const struct cb_setting_line, line, &old->lines) {
		const struct cb_setting_line *now = find(new, line->name);

		if (strcmp(line->name, name) != 0 && (!now || !same_text(now->text, line->text)))
			return false;
	}
	return new->lines.len ==
	       old->lines.len + (text && !find(old, name)) - (!text && find(old, name));
}

static int rewrite(const char *path, const char *name, const char *text, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error ignored = {0};
	cb_auto_str struct cb_str old = {0}, new = {0};
	struct cb_settings_file before = {0}, after = {0};
	const struct cb_setting_line *line;
	int r;

	if ((r = read_text(path, false, &old, err)) < 0 ||
	    (r = parse(&arena, path, &old, &before, err)) < 0)
		return r;
	line = find(&before, name);
	if (line ? text && same_text(line->text, text) : !text)
		return 0;
	edit(&old, line ? line->line : 0, name, text, &new);
	if (parse(&arena, path, &new, &after, &ignored) < 0 ||
	    !is_change(&before, &after, name, text)) {
		(void)cb_error_set(err, CB_E_INVALID, "cannot change '%s' in '%s' line by line",
				   name, path);
		return cb_error_hint(err, "write one 'key: value' on each line of it");
	}
	r = cb_fs_write_atomic(path, cb_str_text(&new), new.len, err);
	return r < 0 ? r : 1;
}

/* A link (to where a person keeps such files) stays one. */
static int target_of(struct cb_arena *arena, const char *path, const char **out,
		     struct cb_error *err)
{
	char *real = realpath(path, NULL);
	struct stat st;

	*out = cb_arena_strdup(arena, real ? real : path);
	free(real);
	if (stat(*out, &st) < 0)
		return errno == ENOENT ? 0
				       : cb_error_errno(err, errno, "cannot look at '%s'", *out);
	if (S_ISREG(st.st_mode))
		return 0;
	(void)cb_error_set(err, CB_E_USAGE, "'%s' is no file that settings can be kept in", *out);
	return cb_error_hint(err, "name another one with --config");
}

int cb_settings_write(const char *path, const char *name, const char *text, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_fd int fd = -1;
	const char *target, *dir;
	int r = target_of(&arena, path, &target, err);

	if (r < 0)
		return r;
	dir = dirname(cb_arena_strdup(&arena, target));
	if (text && (r = cb_fs_mkdirs(dir, err)) < 0)
		return r;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && !text)
		return 0;
	/* One writer at a time; the kernel lets go of it. */
	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		return cb_error_errno(err, errno, "cannot lock '%s'", dir);
	return rewrite(target, name, text, err);
}
