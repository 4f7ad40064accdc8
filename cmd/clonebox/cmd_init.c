/* init: a manifest to begin with. */
#include <stdio.h>
#include <unistd.h>

#include "cmd/clonebox/ui.h"
#include "reconciler/base/arena.h"
#include "reconciler/base/fs.h"
#include "schema/starter.h"

enum { FILE_MAX = 64 * 1024 * 1024 }; /* what may be written over */

static int write_over(const char *path, const struct cb_str *text, struct cb_error *err)
{
	cb_auto_str struct cb_str old = {0};
	int r = cb_fs_read(path, FILE_MAX, &old, err);

	if (r == 0)
		r = cb_fs_replace(path, &old, text->text, text->len, err);
	cb_str_wipe(&old);
	return r;
}

static int write_starter(const struct cb_cli *cli, const char *path, const struct cb_str *text,
			 struct cb_error *err)
{
	int r = cb_fs_create(path, cli->file_mode, text->text, text->len, err);

	if (r != -CB_E_EXISTS)
		return r;
	if (cli->force)
		return write_over(path, text, err);
	(void)cb_error_set(err, CB_E_REFUSED, "'%s' is there already", path);
	return cb_error_hint(err, "name another file, or write over it with --force");
}

int cb_cmd_init(const struct cb_cli *cli)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_str struct cb_str text = {0};
	const char *path = cli->n_words ? cli->words[0] : ".clonebox.yaml";
	const char *named = cli->n_words ? cb_arena_printf(&arena, " -f %s", path) : "";

	if (cb_starter(cli->name ? cli->name : "dev",
		       cli->fleet ? CB_STARTER_FLEET : CB_STARTER_ONE, &text, &err) < 0 ||
	    write_starter(cli, path, &text, &err) < 0)
		return cb_ui_error(&err);
	if (cli->quiet)
		return 0;
	return cb_ui_print(cb_arena_printf(&arena,
					   "%s: written\n"
					   "Put an image beside it, name it there, and look at "
					   "`clonebox plan%s`.\n",
					   path, named));
}
