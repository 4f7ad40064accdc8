/* fmt: manifests in canonical form. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/clonebox/ui.h"
#include "reconciler/base/fs.h"
#include "reconciler/render/text_diff.h"
#include "schema/format.h"
#include "schema/manifest.h"
#include "schema/same.h"

/* The texts, and what they become, in the same order. */
struct work {
	const struct cb_cli *cli;
	struct cb_arena *arena;
	struct cb_source_texts old, new;
};

static struct cb_str str_of(const struct cb_manifest_text *text)
{
	/* Borrowed: it is only looked at. */
	return (struct cb_str){.text = (char *)(uintptr_t)text->bytes, .len = text->len};
}

static bool is_changed(const struct work *work, size_t i)
{
	const struct cb_manifest_text *a = &work->old.items[i], *b = &work->new.items[i];

	return a->len != b->len || memcmp(a->bytes, b->bytes, a->len) != 0;
}

static int format_all(struct work *work)
{
	struct cb_problems problems = {0};

	cb_vec_each (const struct cb_manifest_text, text, &work->old) {
		cb_auto_error struct cb_error err = {0};
		cb_auto_str struct cb_str out = {0};
		struct cb_manifest_text made = *text;
		int r = cb_format(work->arena, text, &out, &problems, &err);

		if (r < 0 && r != -CB_E_INVALID)
			return cb_ui_error(&err);
		made.bytes = cb_arena_strndup(work->arena, cb_str_text(&out), out.len);
		made.len = out.len;
		cb_vec_push(work->arena, &work->new, made);
	}
	return cb_ui_problems(work->cli, &problems, (int)problems.len);
}

/* Whether all of it together still says what it said. Where that is no whole manifest (a variable
 * without a value, a profile of another file), it has to be wrong in as many ways as before. */
static int check_meaning(const struct work *work)
{
	cb_auto_error struct cb_error err = {0};
	struct cb_desired before, after;
	struct cb_problems old = {0}, new = {0};
	int bad = cb_manifest_load(work->arena, work->old.items, work->old.len, &before, &old);

	if (bad == cb_manifest_load(work->arena, work->new.items, work->new.len, &after, &new) &&
	    (bad || cb_desired_same(&before, &after)))
		return 0;
	(void)cb_error_set(&err, CB_E_INTERNAL,
			   "formatted, the manifests would ask for something else");
	(void)cb_error_hint(&err, "nothing was written; please report this, with the files");
	return cb_ui_error(&err);
}

static int write_file(const struct work *work, size_t i)
{
	cb_auto_error struct cb_error err = {0};
	const struct cb_manifest_text *text = &work->new.items[i];
	struct cb_str old = str_of(&work->old.items[i]);

	if (strcmp(text->name, "-") == 0)
		return cb_ui_print(text->bytes);
	if (!is_changed(work, i))
		return 0;
	if (cb_fs_replace(text->name, &old, text->bytes, text->len, &err) < 0)
		return cb_ui_error(&err);
	return work->cli->quiet ? 0 : cb_ui_print(cb_arena_printf(work->arena, "%s\n", text->name));
}

static int show(const struct work *work)
{
	cb_auto_str struct cb_str out = {0};
	bool changed = false;
	int code;

	for (size_t i = 0; i < work->old.len; i++) {
		struct cb_str old = str_of(&work->old.items[i]), new = str_of(&work->new.items[i]);

		if (!is_changed(work, i))
			continue;
		changed = true;
		if (work->cli->diff)
			cb_render_text_diff(&out, work->old.items[i].name, &old, &new,
					    cb_ui_colour(work->cli, STDOUT_FILENO));
		else
			cb_str_printf(&out, "%s\n", work->old.items[i].name);
	}
	code = cb_ui_print(cb_str_text(&out));
	return code || !work->cli->check || !changed ? code : CB_EXIT_FAILED;
}

int cb_cmd_fmt(const struct cb_cli *cli)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct work work = {.cli = cli, .arena = &arena};
	int code = cb_ui_texts(cli, &arena, &work.old);

	if (!code)
		code = format_all(&work);
	if (!code)
		code = check_meaning(&work);
	if (code)
		return code;
	if (cli->check || cli->diff)
		return show(&work);
	for (size_t i = 0; i < work.old.len && !code; i++)
		code = write_file(&work, i);
	return code;
}
