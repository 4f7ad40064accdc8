/*
 * command.h: the commands and their options: ONE table of each. The parser, `--help`, the manual
 * and the completion of the shells read them. What of it can be set once and for all has a row in
 * settings.h.
 */
#ifndef CB_CMD_COMMAND_H
#define CB_CMD_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "cmd/clonebox/settings.h"
#include "reconciler/base/error.h"
#include "reconciler/base/log.h"
#include "reconciler/base/str.h"

/* Everything that the command line can say, with its defaults. */
struct cb_cli {
	const char **files; /* -f; heap, the caller's to free */
	size_t n_files;
	const char **labels; /* -l, as the files */
	size_t n_labels;
	const char **approvals; /* --approve, as the files */
	size_t n_approvals;
	const char *const *words; /* what follows the options */
	size_t n_words;
	const char *config;                            /* --config */
	struct cb_setting_value settings[CB_SETTINGS]; /* as the parser and settings.h fill them;
							* what follows is typed: */
	const char *connect;           /* the flag: for all that the manifests name */
	const char *connect_otherwise; /* for what names no host; may be NULL */
	const char *state_dir;         /* NULL: there is no home */
	bool json, markdown;
	bool yes;
	bool quiet;
	unsigned verbose;
	unsigned parallel;         /* transactions at a time, per host */
	unsigned connect_timeout;  /* seconds */
	unsigned call_timeout;     /* seconds; 0: none */
	unsigned lock_timeout;     /* seconds */
	unsigned shutdown_timeout; /* seconds */
	unsigned trash_ttl;        /* seconds; 0: the default */
	unsigned history_age;      /* seconds */
	uint64_t history_bytes;
	unsigned max_deletions;
	bool max_deletions_given;

	enum { CB_COLOR_AUTO, CB_COLOR_ALWAYS, CB_COLOR_NEVER } color;
	enum cb_log_format log_format;
	bool allow_restart, allow_recreate, allow_destroy, allow_force_off, allow_unknown;
	bool atomic;
	bool lenient; /* manifests are read as CloneBox reads them */
	bool take_over, detailed_exitcode, dry_run, fail_fast, prune;
	const char *out, *plan;       /* files of saved plans */
	const struct cb_saved *saved; /* what --plan holds */
	bool list, auto_, all, help, ignore_missing, force;
	const char *transaction_id, *take_from;
	size_t limit; /* of history; 0: none */
	bool wait;

	enum { CB_UP_AGENT, CB_UP_ADDRESS, CB_UP_PORT } wait_for;

	unsigned wait_port, wait_timeout; /* seconds */
	bool check, diff, no_origin;
	const char *name;
	bool fleet;
	unsigned file_mode; /* of files that are made for the person, as the umask says */
};

/* Which VMs a command means where its words say VM. */
enum cb_names {
	CB_NAMES_MANIFEST,
	CB_NAMES_MANAGED, /* also those on the host that no manifest speaks of */
	CB_NAMES_TRASH,
};

struct cb_command {
	const char *name;
	/* What may follow: "[VM]...", "" for nothing; "list | show ID": one of several, the first
	 * word of each as it is. Capitals stand for something; the completion knows what. */
	const char *words;
	size_t min_words, max_words;
	const char *summary;                  /* one line */
	unsigned groups;                      /* of options that it takes, enum cb_option_group */
	int (*run)(const struct cb_cli *cli); /* returns the exit code */
	enum cb_names names;
};

struct cb_option {
	int id;
	const char *name;
	char letter;
	const char *argument; /* NULL: none; "text|json": words as they are, capitals as above */
	unsigned groups;
	const char *help;
};

/* All of them, in the order in which people should read them. */
const struct cb_command *cb_commands(size_t *n);
const struct cb_option *cb_options(size_t *n);

/* Whether the command takes the option, and whether every command does. */
bool cb_command_takes(const struct cb_command *command, const struct cb_option *option);
bool cb_option_is_common(const struct cb_option *option);

/* NULL if there is no such command. */
const struct cb_command *cb_command_find(const char *name);

/* The command whose name is nearest, NULL if none is near. */
const char *cb_command_nearest(const char *name);

/* Parses what stands behind the command's name. CB_E_USAGE with a hint. Strings are argv's. */
CB_CHECKED int cb_command_parse(const struct cb_command *command, int argc, char **argv,
				struct cb_cli *cli, struct cb_error *err);

/* Fills in what stands in the environment and in the file of settings, as far as the command asks
 * for it, and makes values of it all. Everything lives in the arena. */
CB_CHECKED int cb_command_settle(const struct cb_command *command, struct cb_arena *arena,
				 struct cb_cli *cli, struct cb_error *err);

/* What an option is for, with its default. In help.c. */
void cb_option_help(struct cb_str *out, const struct cb_option *option);

/* --help of one command, or of all. In help.c. */
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
int cb_cmd_console(const struct cb_cli *cli);
int cb_cmd_doctor(const struct cb_cli *cli);
int cb_cmd_trash(const struct cb_cli *cli);
int cb_cmd_history(const struct cb_cli *cli);
int cb_cmd_blame(const struct cb_cli *cli);
int cb_cmd_recover(const struct cb_cli *cli);
int cb_cmd_take_over(const struct cb_cli *cli); /* recover --take-over */
int cb_cmd_transaction(const struct cb_cli *cli);
int cb_cmd_explain(const struct cb_cli *cli);
int cb_cmd_schema(const struct cb_cli *cli);
int cb_cmd_config(const struct cb_cli *cli);
int cb_cmd_completion(const struct cb_cli *cli);

/* What `clonebox completion` prints asks this, in no list of commands: `__complete WORD...`, the
 * last one being where the cursor is. Prints "words", "files" or "directories", then a line
 * "WORD<tab>WHAT IT IS" for each. */
int cb_cmd_complete(size_t n, char **words);

/* The generated parts of the manual (docs/man): `__man PART`. */
int cb_cmd_man(const char *part);

int cb_cmd_version(const struct cb_cli *cli);

#endif
