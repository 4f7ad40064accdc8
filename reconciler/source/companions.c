#include "reconciler/source/companions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/fs.h"
#include "reconciler/base/str.h"
#include "reconciler/source/variables.h"

#define PROFILES ".clonebox.d"

static const char *parent_of(struct cb_arena *arena, const char *path)
{
	const char *slash = strrchr(path, '/');

	return !slash || slash == path ? "/"
				       : cb_arena_strndup(arena, path, (size_t)(slash - path));
}

/* Reads a file into the text; 1, or 0 where there is none. `where` is the directory whose variables
 * hold. */
static int read_text(struct cb_arena *arena, const char *path, const char *where,
		     struct cb_manifest_text *text, struct cb_error *err)
{
	cb_auto_str struct cb_str bytes = {0};
	int r = cb_fs_read(path, CB_MANIFEST_MAX, &bytes, err);

	if (r == -CB_E_NOT_FOUND) {
		cb_error_release(err);
		return 0;
	}
	if (r < 0 ||
	    (r = cb_source_variables(arena, where, text->lenient, &text->variables, err)) < 0)
		return r;
	text->name = path;
	text->source = cb_arena_printf(arena, "file:%s", parent_of(arena, path));
	text->bytes = cb_arena_strndup(arena, cb_str_text(&bytes), bytes.len);
	text->len = bytes.len;
	return 1;
}

static bool known(const struct cb_source_texts *texts, const struct cb_manifest_text *wanted)
{
	cb_vec_each (const struct cb_manifest_text, text, texts) {
		if (text->kind == wanted->kind && strcmp(text->as, wanted->as) == 0 &&
		    (wanted->kind == CB_TEXT_CONFIG ||
		     strcmp(text->directory, wanted->directory) == 0))
			return true;
	}
	return false;
}

/* Beside the manifest, else at home. A name that leads elsewhere is none. */
static int read_profile(struct cb_arena *arena, const struct cb_wanted *wanted, const char *home,
			struct cb_manifest_text *text, struct cb_error *err)
{
	const char *const places[] = {wanted->directory, home};
	int r = 0;

	if (strchr(wanted->name, '/') || wanted->name[0] == '.')
		return 0;
	text->directory = wanted->directory;
	for (size_t i = 0; i < CB_COUNT(places) && r == 0; i++) {
		if (places[i])
			r = read_text(arena,
				      cb_arena_printf(arena, "%s/" PROFILES "/%s.yaml", places[i],
						      wanted->name),
				      wanted->directory, text, err);
	}
	return r;
}

int cb_source_companions(struct cb_arena *arena, const struct cb_desired *desired, const char *home,
			 struct cb_source_texts *texts, struct cb_error *err)
{
	int added = 0;

	cb_vec_each (const struct cb_wanted, wanted, &desired->wanted) {
		struct cb_manifest_text text = {.kind = (enum cb_text_kind)wanted->kind,
						.as = wanted->name,
						.directory = wanted->directory,
						.lenient = texts->lenient};
		int r;

		if (known(texts, &text))
			continue;
		if (text.kind == CB_TEXT_PROFILE) {
			r = read_profile(arena, wanted, home, &text, err);
		} else {
			text.directory = parent_of(arena, wanted->name);
			r = read_text(arena, wanted->name, text.directory, &text, err);
		}
		if (r < 0)
			return r;
		if (r > 0)
			cb_vec_push(arena, texts, text);
		added += r;
	}
	return added;
}

/* The nearest policy file; 0 where there is none. */
static int read_rules(struct cb_arena *arena, const char *directory, const char *home,
		      struct cb_manifest_text *text, struct cb_error *err)
{
	static const char *const names[] = {".clonebox-policy.yaml", ".clonebox-policy.yml"};
	const char *at = directory;
	int r = 0;

	for (;;) {
		for (size_t i = 0; i < CB_COUNT(names) && r == 0; i++)
			r = read_text(arena,
				      cb_arena_printf(arena, "%s/%s", strcmp(at, "/") ? at : "",
						      names[i]),
				      at, text, err);
		if (r != 0 || strcmp(at, "/") == 0)
			break;
		at = parent_of(arena, at);
	}
	if (r == 0 && home)
		r = read_text(arena, cb_arena_printf(arena, "%s/" PROFILES "/policy.yaml", home),
			      home, text, err);
	return r;
}

static bool has_rules(const struct cb_source_texts *texts, const char *name)
{
	cb_vec_each (const struct cb_manifest_text, text, texts) {
		if (text->kind == CB_TEXT_RULES && strcmp(text->name, name) == 0)
			return true;
	}
	return false;
}

static int add_rules_of_here(struct cb_arena *arena, const char *home,
			     struct cb_source_texts *texts, struct cb_error *err)
{
	struct cb_manifest_text text = {.kind = CB_TEXT_RULES, .lenient = texts->lenient};
	char *here = realpath(".", NULL);
	int r;

	if (!here)
		return cb_error_errno(err, errno, "cannot find the working directory");
	text.directory = cb_arena_strdup(arena, here);
	free(here);
	r = read_rules(arena, text.directory, home, &text, err);
	if (r > 0)
		cb_vec_push(arena, texts, text);
	return r < 0 ? r : 0;
}

int cb_source_rules(struct cb_arena *arena, const char *home, struct cb_source_texts *texts,
		    struct cb_error *err)
{
	size_t n = texts->len;
	const char *last = NULL;

	if (n == 0)
		return add_rules_of_here(arena, home, texts, err);
	for (size_t i = 0; i < n; i++) {
		const char *directory = texts->items[i].directory;
		struct cb_manifest_text text = {
			.kind = CB_TEXT_RULES, .directory = directory, .lenient = texts->lenient};
		int r;

		/* Those of one directory stand together. */
		if (last && strcmp(last, directory) == 0)
			continue;
		last = directory;
		if ((r = read_rules(arena, directory, home, &text, err)) < 0)
			return r;
		if (r > 0 && !has_rules(texts, text.name))
			cb_vec_push(arena, texts, text);
	}
	return 0;
}
