/*
 * ui.h: how the program talks to its person: errors, exit codes, progress, questions, signals.
 */
#ifndef CB_CMD_UI_H
#define CB_CMD_UI_H

#include <jansson.h>

#include "cmd/clonebox/command.h"
#include "reconciler/render/render.h"
#include "reconciler/source/files.h"

/* The contract of cli.md. */
enum cb_exit {
	CB_EXIT_OK = 0,
	CB_EXIT_FAILED = 1,
	CB_EXIT_CHANGES = 2,
	CB_EXIT_PARTLY = 3,
	CB_EXIT_REFUSED = 4,
	CB_EXIT_UNFINISHED = 5,
	CB_EXIT_USAGE = 64,
	CB_EXIT_INVALID = 65,
	CB_EXIT_UNAVAILABLE = 69,
	CB_EXIT_BUG = 70,
	CB_EXIT_IO = 74,
	CB_EXIT_LOCKED = 75,
	CB_EXIT_DENIED = 77,
	CB_EXIT_INTERRUPTED = 130,
};

int cb_ui_exit_code(enum cb_code code);

/* For a transaction that stays open: why it does. */
int cb_ui_open_code(enum cb_code code);

/* Prints "error: WHAT; TRY" and returns the exit code. */
int cb_ui_error(const struct cb_error *err);

enum cb_colour cb_ui_colour(const struct cb_cli *cli, int fd);

/* Prints to stdout; a failure (a full disk, a closed pipe) is an error, not silence. */
int cb_ui_print(const char *text);
int cb_ui_print_json(json_t *json); /* releases it */

/* Asks on the terminal; only "y" and "yes" are a yes. */
bool cb_ui_confirm(const char *question);
bool cb_ui_interactive(void);

/* First INT or TERM: stop after the step; a second one ends the program. */
void cb_ui_catch_signals(void);
bool cb_ui_interrupted(void);

/* Progress and events for a session; several may speak at the same time. */
struct cb_progress cb_ui_progress(const struct cb_cli *cli);
void cb_ui_event(void *ctx, enum cb_event event, const struct cb_transaction *transaction,
		 const struct cb_step *step, const char *text);
/* Ends a progress line that stands on the terminal. */
void cb_ui_progress_end(void);

/* The state directory, as it was set or is found out (settings.h). */
CB_CHECKED int cb_ui_state_dir(const struct cb_cli *cli, struct cb_arena *arena, const char **out,
			       struct cb_error *err);

/* After the work of a run: removes what the settings do not want kept of finished transactions.
 * That it fails is said, and is no failure of what was done. */
void cb_ui_sweep_history(const struct cb_cli *cli);

/* Opens the host that the command line names, else `uri` of the manifest, else what the environment
 * or the file of settings says. `uri` may be NULL. */
CB_CHECKED int cb_ui_session(const struct cb_cli *cli, const char *uri, struct cb_arena *arena,
			     struct cb_session **out, struct cb_error *err);

/* Reads the files that -f names. Returns 0, or an exit code. */
int cb_ui_texts(const struct cb_cli *cli, struct cb_arena *arena, struct cb_source_texts *texts);

/* Prints problems, of which `bad` are more than warnings. Returns 0, or the exit code. */
int cb_ui_problems(const struct cb_cli *cli, const struct cb_problems *problems, int bad);

/* Loads the manifests; prints all problems. Returns 0, or an exit code. */
int cb_ui_load(const struct cb_cli *cli, struct cb_arena *arena, struct cb_desired *desired);

/* The policy file alone, where there is no manifest. */
int cb_ui_load_rules(const struct cb_cli *cli, struct cb_arena *arena, struct cb_desired *desired);

/* The same as cb_ui_load for whoever only looks: with --lenient, a part of a manifest will do. */
int cb_ui_look_at(const struct cb_cli *cli, struct cb_arena *arena, struct cb_desired *desired);

#endif
