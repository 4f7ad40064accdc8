/*
 * command.h: the commands and their options: ONE table of each. The parser and `--help` read them;
 * so will whatever else tells people about commands.
 */
#ifndef CB_CMD_COMMAND_H
#define CB_CMD_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "reconciler/base/error.h"
#include "reconciler/base/log.h"
#include "reconciler/base/str.h"

/* Everything that the command line can say, with its defaults. */
struct cb_cli {
	const char **files; /* -f; heap, the caller's to free */
	size_t n_files;
	const char **labels; /* -l, as the files */
	size_t n_labels;
	const char *const *words; /* what follows the options */
	size_t n_words;
	const char *connect;
	const char *state_dir;
	bool json, markdown;
	bool yes;
	bool quiet;
	unsigned verbose;
	unsigned parallel;         /* transactions at a time, per host */
	unsigned lock_timeout;     /* seconds */
	unsigned shutdown_timeout; /* seconds */
	unsigned trash_ttl;        /* seconds; 0: the default */
	unsigned max_deletions;
	bool max_deletions_given;

	enum { CB_COLOR_AUTO, CB_COLOR_ALWAYS, CB_COLOR_NEVER } color;
	enum cb_log_format log_format;
	bool allow_restart, allow_recreate, allow_destroy, allow_force_off;
	bool take_over, detailed_exitcode, dry_run, fail_fast, prune;
	const char *out, *plan;       /* files of saved plans */
	const struct cb_saved *saved; /* what --plan holds */
	bool list, auto_, help;
	const char *transaction_id;
	bool wait;

	enum { CB_UP_AGENT, CB_UP_ADDRESS, CB_UP_PORT } wait_for;

	unsigned wait_port, wait_timeout; /* seconds */
	bool check, diff, no_origin;
	const char *name;
	bool fleet, force;
	unsigned file_mode; /* of files that are made for the person, as the umask says */
};

struct cb_command {
	const char *name;
	const char *words; /* what may follow: "[VM]...", "" for nothing */
	size_t min_words, max_words;
	const char *summary;                  /* one line */
	unsigned groups;                      /* of options that it takes, enum cb_option_group */
	int (*run)(const struct cb_cli *cli); /* returns the exit code */
};

/* NULL if there is no such command. */
const struct cb_command *cb_command_find(const char *name);

/* The command whose name is nearest, NULL if none is near. */
const char *cb_command_nearest(const char *name);

/* Parses what stands behind the command's name. CB_E_USAGE with a hint. Strings are argv's. */
CB_CHECKED int cb_command_parse(const struct cb_command *command, int argc, char **argv,
				struct cb_cli *cli, struct cb_error *err);

/* --help of one command, or of all. */
void cb_command_help(const struct cb_command *command, struct cb_str *out);
void cb_command_overview(struct cb_str *out);

int cb_cmd_init(const struct cb_cli *cli);
int cb_cmd_validate(const struct cb_cli *cli);
int cb_cmd_fmt(const struct cb_cli *cli);
int cb_cmd_render(const struct cb_cli *cli);
int cb_cmd_plan(const struct cb_cli *cli);
int cb_cmd_apply(const struct cb_cli *cli);
int cb_cmd_status(const struct cb_cli *cli);
int cb_cmd_destroy(const struct cb_cli *cli);
int cb_cmd_doctor(const struct cb_cli *cli);
int cb_cmd_trash(const struct cb_cli *cli);
int cb_cmd_recover(const struct cb_cli *cli);
int cb_cmd_transaction(const struct cb_cli *cli);
int cb_cmd_explain(const struct cb_cli *cli);
int cb_cmd_version(const struct cb_cli *cli);

#endif
