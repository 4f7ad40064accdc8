#include "schema/format.h"

#include <stdlib.h>
#include <string.h>

#include "schema/format_internal.h"
#include "schema/same.h"
#include "schema/yaml.h"

static bool is_readable(struct cb_arena *arena, const struct cb_manifest_text *text,
			struct cb_yaml *yaml, struct cb_problems *problems)
{
	size_t before = problems->len;

	cb_yaml_parse(arena, text->name, text, yaml, problems);
	return problems->len == before;
}

static int compare_comments(const void *left, const void *right)
{
	const struct cb_format_comment *a = left, *b = right;

	return strcmp(a->text, b->text);
}

static bool same_comments(struct cb_format_file *a, struct cb_format_file *b)
{
	size_t n = a->comments.len;

	if (n != b->comments.len)
		return false;
	if (n == 0)
		return true;
	qsort(a->comments.items, n, sizeof(*a->comments.items), compare_comments);
	qsort(b->comments.items, n, sizeof(*b->comments.items), compare_comments);
	for (size_t i = 0; i < n; i++) {
		if (compare_comments(&a->comments.items[i], &b->comments.items[i]) != 0)
			return false;
	}
	return true;
}

static int bug(struct cb_error *err, const char *name, const char *what)
{
	(void)cb_error_set(err, CB_E_INTERNAL, "'%s': the formatted text %s", name, what);
	return cb_error_hint(err, "the file is as it was; please report this, with the file");
}

/* Whether what came out says what went in. */
static int verify(struct cb_arena *arena, const struct cb_manifest_text *text,
		  const struct cb_yaml *yaml, struct cb_format_file *file,
		  const struct cb_str *made, struct cb_error *err)
{
	struct cb_manifest_text again = *text;
	struct cb_yaml yaml_again = {0};
	struct cb_format_file file_again;
	struct cb_problems problems = {0};

	again.bytes = cb_str_text(made);
	again.len = made->len;
	if (!is_readable(arena, &again, &yaml_again, &problems)) {
		/* The only limit that a good text may meet. */
		if (made->len > CB_MANIFEST_MAX)
			return cb_error_set(err, CB_E_UNSUPPORTED,
					    "'%s': the formatted text is too long for a manifest",
					    text->name);
		return bug(err, text->name, "is no YAML");
	}
	if (!cb_yaml_same(arena, yaml, &yaml_again))
		return bug(err, text->name, "means something else");
	if (cb_format_read(arena, again.bytes, again.len, &file_again) < 0)
		return bug(err, text->name, "cannot be read");
	cb_format_find_comments(&file_again);
	if (!same_comments(file, &file_again))
		return bug(err, text->name, "has other comments");
	return 0;
}

int cb_format(struct cb_arena *arena, const struct cb_manifest_text *text, struct cb_str *out,
	      struct cb_problems *problems, struct cb_error *err)
{
	cb_auto_str struct cb_str made = {0};
	struct cb_format_file file;
	struct cb_yaml yaml = {0};
	int r;

	if (!is_readable(arena, text, &yaml, problems))
		return cb_error_set(err, CB_E_INVALID, "'%s' cannot be read", text->name);
	if (cb_format_read(arena, text->bytes, text->len, &file) < 0)
		return cb_error_set(err, CB_E_INTERNAL, "'%s' was read once, and then not",
				    text->name);
	/* Nothing in a manifest has one, and on one line they are not always what they were. */
	if (file.odd_key)
		return cb_error_set(err, CB_E_UNSUPPORTED,
				    "'%s', line %zu: a map or list as a key cannot be formatted",
				    text->name, file.odd_key);
	cb_format_find_comments(&file);
	cb_format_attach(&file);
	cb_format_order(&file);
	cb_format_layout(&file);
	cb_format_print(&file, &made);
	if ((r = verify(arena, text, &yaml, &file, &made, err)) < 0)
		return r;
	cb_str_add_bytes(out, cb_str_text(&made), made.len);
	return 0;
}
