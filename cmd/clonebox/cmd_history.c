/* history, blame: what the journals tell of the past. Without libvirt. */
#include <stdio.h>

#include "cmd/clonebox/ui.h"
#include "reconciler/render/history.h"

static int read_history(const struct cb_cli *cli, struct cb_arena *arena, struct cb_history *out)
{
	cb_auto_error struct cb_error err = {0};
	const char *state_dir;

	if (cb_ui_state_dir(cli, arena, &state_dir, &err) < 0 ||
	    cb_history_read(state_dir, arena, out, &err) < 0)
		return cb_ui_error(&err);
	return 0;
}

/* Journals that do not read are named; what the others say stands. */
static int name_lost(const struct cb_history *history)
{
	cb_vec_each (const struct cb_lost, lost, &history->lost)
		fprintf(stderr, "error: transaction %s: %s; %s\n", lost->id, lost->message,
			lost->hint ? lost->hint : "see to the state directory");
	return history->lost.len ? CB_EXIT_IO : 0;
}

int cb_cmd_history(const struct cb_cli *cli)
{
	const struct cb_history_filter filter = {cli->words, cli->n_words, cli->limit};
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_str struct cb_str text = {0};
	struct cb_history history = {0};
	int code = read_history(cli, &arena, &history), lost;

	if (code)
		return code;
	lost = name_lost(&history);
	if (cli->json) {
		code = cb_ui_print_json(cb_render_history_json(&history, &filter));
	} else {
		cb_render_history(&text, &history, &filter);
		code = cb_ui_print(text.text);
	}
	return code ? code : lost;
}

int cb_cmd_blame(const struct cb_cli *cli)
{
	const char *name = cli->words[0], *path = cli->n_words > 1 ? cli->words[1] : NULL;
	cb_auto_error struct cb_error err = {0};
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_str struct cb_str text = {0};
	struct cb_history history = {0};
	struct cb_lives lives = {0};
	int code = read_history(cli, &arena, &history), lost;

	if (code)
		return code;
	lost = name_lost(&history);
	cb_history_blame(&arena, &history, name, &lives);
	if (cb_render_blame(&text, name, &lives, path) == 0) {
		(void)cb_error_set(&err, CB_E_NOT_FOUND,
				   "no finished transaction that is kept has set %s of vm '%s'",
				   path ? path : "anything", name);
		(void)cb_error_hint(&err, "`clonebox history` lists all that is known");
		code = cb_ui_error(&err);
	} else if (cli->json) {
		code = cb_ui_print_json(cb_render_blame_json(name, &lives, path));
	} else {
		code = cb_ui_print(text.text);
	}
	return lost ? lost : code;
}
