#include "cmd/clonebox/command.h"

#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/arena.h"

/* Which options a command takes. */
enum cb_option_group {
	FILES = 1 << 0, /* manifests */
	HOST = 1 << 1,  /* a libvirt host */
	OUTPUT = 1 << 2,
	CHANGE = 1 << 3, /* effects */
	PLAN = 1 << 4,
	EXITCODE = 1 << 5,
	RECOVER = 1 << 6,
	STATE = 1 << 7,
	DESTROY = 1 << 8,
	APPLY = 1 << 9,
	SELECT = 1 << 10,
	SAVE = 1 << 11,
	EVERY = 1 << 12,
	SETTINGS = 1 << 13, /* every option that is a setting, too */
	CONSOLE = 1 << 14,
	FORMAT = 1 << 15,
	ORIGIN = 1 << 16,
	START = 1 << 17,
	PAST = 1 << 18,
	SETTLE = 1 << 19, /* what was begun */
};

enum id {
	OPT_FILE = 256,
	OPT_CONNECT,
	OPT_OUTPUT,
	OPT_YES,
	OPT_STATE_DIR,
	OPT_CONNECT_TIMEOUT,
	OPT_CALL_TIMEOUT,
	OPT_LOCK_TIMEOUT,
	OPT_SHUTDOWN_TIMEOUT,
	OPT_MAX_DELETIONS,
	OPT_COLOR,
	OPT_QUIET,
	OPT_VERBOSE,
	OPT_LOG_FORMAT,
	OPT_ALLOW_RESTART,
	OPT_ALLOW_RECREATE,
	OPT_ALLOW_DESTROY,
	OPT_ALLOW_FORCE_OFF,
	OPT_ALLOW_UNKNOWN,
	OPT_ATOMIC,
	OPT_TAKE_OVER,
	OPT_TAKE_FROM,
	OPT_DETAILED_EXITCODE,
	OPT_DRY_RUN,
	OPT_LIST,
	OPT_AUTO,
	OPT_ALL,
	OPT_TRANSACTION_ID,
	OPT_LABEL,
	OPT_LENIENT,
	OPT_APPROVE,
	OPT_PARALLEL,
	OPT_FAIL_FAST,
	OPT_WAIT,
	OPT_WAIT_TIMEOUT,
	OPT_PRUNE,
	OPT_TRASH_TTL,
	OPT_OUT,
	OPT_PLAN,
	OPT_IGNORE_MISSING,
	OPT_CONFIG,
	OPT_CHECK,
	OPT_DIFF,
	OPT_NO_ORIGIN,
	OPT_NAME,
	OPT_FLEET,
	OPT_FORCE,
	OPT_LIMIT,
	OPT_HELP,
};

/* clang-format off */
static const struct cb_option options[] = {
	{OPT_FILE, "file", 'f', "PATH", FILES, "manifest, directory of manifests, or - (default ./.clonebox.yaml)"},
	{OPT_LENIENT, "lenient", 0, NULL, FILES, "read manifests as CloneBox does, with warnings"},
	{OPT_CONNECT, "connect", 'c', "URI", HOST, "libvirt host, for all of them (else the manifest's, else the setting, else libvirt's own default)"},
	{OPT_STATE_DIR, "state-dir", 0, "DIR", HOST | STATE, "journal and locks"},
	{OPT_OUTPUT, "output", 'o', "text|json", OUTPUT, "how results are printed"},
	{OPT_OUTPUT, "output", 'o', "text|json|markdown", SAVE, "how results are printed"},
	{OPT_YES, "yes", 'y', NULL, CHANGE, "do not ask"},
	{OPT_DRY_RUN, "dry-run", 0, NULL, APPLY, "only plan"},
	{OPT_DETAILED_EXITCODE, "detailed-exitcode", 0, NULL, EXITCODE, "exit with 2 when there are changes"},
	{OPT_ALLOW_RESTART, "allow-restart", 0, NULL, PLAN, "restart running vms whose changes need it"},
	{OPT_ALLOW_RECREATE, "allow-recreate", 0, NULL, PLAN, "make new root disks where a change needs that; the old ones go to the trash"},
	{OPT_ALLOW_DESTROY, "allow-destroy", 0, NULL, APPLY, "destroy vms whose state is absent"},
	{OPT_ALLOW_DESTROY, "allow-destroy", 0, NULL, RECOVER, "with --take-over: destroy the vms among them that no guest has ever used"},
	{OPT_APPROVE, "approve", 0, "PATTERN", APPLY | DESTROY, "approve operations that .clonebox-policy.yaml wants approved: vm.delete, 'vm.*'"},
	{OPT_PRUNE, "prune", 0, NULL, SAVE | APPLY, "destroy what these manifests made and do not speak of any more (needs `owner:`)"},
	{OPT_ALLOW_FORCE_OFF, "allow-force-off", 0, NULL, PLAN | DESTROY | SETTLE, "pull the plug of guests that do not shut down"},
	{OPT_ALLOW_UNKNOWN, "allow-unknown", 0, NULL, PLAN, "go on where the host does not say what it has"},
	{OPT_ATOMIC, "atomic", 0, NULL, PLAN | DESTROY, "all changes of the host together or none, as one group"},
	{OPT_SHUTDOWN_TIMEOUT, "shutdown-timeout", 0, "TIME", PLAN | DESTROY | SETTLE, "how long a guest may take to shut down"},
	{OPT_MAX_DELETIONS, "max-deletions", 0, "N", APPLY | DESTROY | RECOVER, "destroy at most N vms (default 1)"},
	{OPT_TRASH_TTL, "trash-ttl", 0, "TIME", APPLY | DESTROY, "how long what goes to the trash is kept"},
	{OPT_TAKE_OVER, "take-over", 0, NULL, PLAN | DESTROY, "manage vms that came from another manifest of the same owner"},
	{OPT_CONNECT_TIMEOUT, "connect-timeout", 0, "TIME", HOST, "how long a host may take to answer at all"},
	{OPT_CALL_TIMEOUT, "call-timeout", 0, "TIME", HOST, "how long a call to a host may take, twice that where it changes something; 0s: for ever"},
	{OPT_LOCK_TIMEOUT, "lock-timeout", 0, "TIME", CHANGE, "how long to wait for another run"},
	{OPT_LABEL, "label", 'l', "KEY=VALUE", SELECT, "only vms with this label; may be given again"},
	{OPT_PARALLEL, "parallel", 'j', "N", CHANGE, "so many transactions at a time on each host"},
	{OPT_FAIL_FAST, "fail-fast", 0, NULL, CHANGE, "begin nothing more once something has failed"},
	{OPT_OUT, "out", 0, "FILE", SAVE, "save the plan, for `apply --plan`"},
	{OPT_PLAN, "plan", 0, "FILE", APPLY, "carry out a saved plan, if it is still the plan"},
	{OPT_WAIT, "wait", 0, "agent|ip|PORT", APPLY, "wait until the guests are up: their agent answers, they have an address, or somebody listens"},
	{OPT_WAIT_TIMEOUT, "wait-timeout", 0, "TIME", APPLY, "how long, for all of them together"},
	{OPT_LIST, "list", 0, NULL, RECOVER, "list unfinished transactions, change nothing"},
	{OPT_AUTO, "auto", 0, NULL, RECOVER, "settle all of them without asking"},
	{OPT_ALL, "all", 0, NULL, RECOVER, "on all hosts that unfinished transactions name, not on one alone"},
	{OPT_TRANSACTION_ID, "transaction-id", 0, "ID", RECOVER, "settle this one, on its host"},
	{OPT_TAKE_FROM, "take-over", 0, "INSTALLATION", RECOVER, "make the vms of another installation, which is gone for good, this one's (its id, or how that begins)"},
	{OPT_FORCE, "force", 0, NULL, RECOVER, "with --transaction-id: if it cannot be settled, show what it leaves, ask, and give it up"},
	{OPT_IGNORE_MISSING, "ignore-missing", 0, NULL, SETTINGS, "what is not set may be unset"},
	{OPT_FORCE, "force", 0, NULL, CONSOLE, "take the console away from whoever is at it"},
	{OPT_CHECK, "check", 0, NULL, FORMAT, "write nothing; exit with 1 when a file would change"},
	{OPT_DIFF, "diff", 0, NULL, FORMAT, "write nothing; show what would change"},
	{OPT_NO_ORIGIN, "no-origin", 0, NULL, ORIGIN, "leave out where the values come from, and the built-in defaults"},
	{OPT_NAME, "name", 0, "NAME", START, "name of the vm (default dev)"},
	{OPT_FLEET, "fleet", 0, NULL, START, "several vms, and what they share"},
	{OPT_FORCE, "force", 0, NULL, START, "write over a file that is there"},
	{OPT_LIMIT, "limit", 0, "N", PAST, "only the N newest"},
	{OPT_CONFIG, "config", 0, "FILE", EVERY, "settings (else CLONEBOX_CONFIG; see `clonebox config`)"},
	{OPT_COLOR, "color", 0, "auto|always|never", EVERY, "colour; auto: on a terminal"},
	{OPT_QUIET, "quiet", 'q', NULL, EVERY, "no progress"},
	{OPT_VERBOSE, "verbose", 'v', NULL, EVERY, "say more; twice for even more"},
	{OPT_LOG_FORMAT, "log-format", 0, "text|json", EVERY, "how messages are printed"},
	{OPT_HELP, "help", 'h', NULL, EVERY, "this text"},
};

static const struct cb_command commands[] = {
	{"init", "[FILE]", 0, 1, "write a manifest to begin with (default ./.clonebox.yaml)",
	 START, cb_cmd_init},
	{"validate", "", 0, 0, "check manifests, without libvirt",
	 FILES | OUTPUT, cb_cmd_validate},
	{"fmt", "", 0, 0, "bring manifests into canonical form; with all comments",
	 FILES | FORMAT, cb_cmd_fmt},
	{"render", "[VM]...", 0, SIZE_MAX, "show what manifests come to: every value, and where it comes from",
	 FILES | OUTPUT | SELECT | ORIGIN, cb_cmd_render},
	{"plan", "[VM]...", 0, SIZE_MAX, "show what apply would do, and why; changes nothing",
	 FILES | HOST | PLAN | EXITCODE | SELECT | SAVE, cb_cmd_plan},
	{"apply", "[VM]...", 0, SIZE_MAX, "make it so",
	 FILES | HOST | OUTPUT | PLAN | CHANGE | APPLY | SELECT, cb_cmd_apply},
	{"status", "[VM]...", 0, SIZE_MAX, "show managed vms and whether they are as wanted",
	 FILES | HOST | OUTPUT | EXITCODE | SELECT, cb_cmd_status},
	{"destroy", "[VM]...", 0, SIZE_MAX, "shut down and remove vms, with the disks made for them alone",
	 FILES | HOST | OUTPUT | CHANGE | DESTROY | SELECT, cb_cmd_destroy, CB_NAMES_MANAGED},
	{"console", "VM", 1, 1, "the serial console of a running vm; Ctrl-] leaves it",
	 FILES | HOST | CONSOLE, cb_cmd_console, CB_NAMES_MANAGED},
	{"doctor", "", 0, 0, "look at the host: what it has, what is missing",
	 FILES | HOST | OUTPUT, cb_cmd_doctor},
	{"trash", "list | restore VM | purge [VM]...", 1, SIZE_MAX, "vms that went to the trash: list them, bring one back, remove them for good",
	 FILES | HOST | OUTPUT | CHANGE, cb_cmd_trash, CB_NAMES_TRASH},
	{"recover", "", 0, 0, "finish or take back what a crashed run left",
	 HOST | OUTPUT | CHANGE | RECOVER | SETTLE, cb_cmd_recover},
	{"transaction", "list | show ID | resume ID | rollback ID", 1, 2, "look into the journal, settle one transaction",
	 HOST | OUTPUT | CHANGE | SETTLE, cb_cmd_transaction},
	{"history", "[VM]...", 0, SIZE_MAX, "show who changed what, when, from which manifest; newest first",
	 STATE | OUTPUT | PAST, cb_cmd_history},
	{"blame", "VM [KEY]", 1, 2, "show who last set each field of a vm, or one of them",
	 STATE | OUTPUT, cb_cmd_blame},
	{"config", "get SETTING | set SETTING VALUE | unset SETTING | list | path", 1, 3, "what is set once instead of being said each time",
	 OUTPUT | SETTINGS, cb_cmd_config},
	{"explain", "[KEY]", 0, 1, "what a key of the manifest means, and what changing it costs",
	 0, cb_cmd_explain},
	{"schema", "[KIND]", 0, 1, "JSON Schema of manifests, for editors, or of another kind of file or output",
	 0, cb_cmd_schema},
	{"completion", "bash | zsh | fish", 1, 1, "what makes a shell complete commands, options and names",
	 0, cb_cmd_completion},
	{"version", "", 0, 0, "versions of clonebox and libvirt", OUTPUT, cb_cmd_version},
};

/* clang-format on */

const struct cb_command *cb_commands(size_t *n)
{
	*n = CB_COUNT(commands);
	return commands;
}

const struct cb_option *cb_options(size_t *n)
{
	*n = CB_COUNT(options);
	return options;
}

const struct cb_command *cb_command_find(const char *name)
{
	for (size_t i = 0; i < CB_COUNT(commands); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

/* Letters in common at the beginning are enough for a hint. */
const char *cb_command_nearest(const char *name)
{
	const char *best = NULL;
	size_t most = 1;

	for (size_t i = 0; i < CB_COUNT(commands); i++) {
		size_t same = 0;

		while (name[same] && name[same] == commands[i].name[same])
			same++;
		if (same > most) {
			most = same;
			best = commands[i].name;
		}
	}
	return best;
}

bool cb_command_takes(const struct cb_command *command, const struct cb_option *option)
{
	if ((command->groups & SETTINGS) && cb_setting_of_option(option->name))
		return true;
	return (option->groups & (command->groups | EVERY)) != 0;
}

bool cb_option_is_common(const struct cb_option *option)
{
	return (option->groups & EVERY) != 0;
}

static int usage(struct cb_error *err, const struct cb_command *command, const char *text)
{
	(void)cb_error_set(err, CB_E_USAGE, "%s", text);
	return cb_error_hint(err, "see `clonebox %s --help`", command->name);
}

static int choose(const char *text, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(text, words[i]) == 0)
			return (int)i;
	}
	return -1;
}

/* Returns NULL, or what is wrong with the argument. What is a setting has been stored. */
static const char *store(const struct cb_option *row, const char *argument, struct cb_cli *cli)
{
	static const char *const formats[] = {"text", "json", "markdown"};
	uint64_t number = 0;
	int n;

	switch ((enum id)row->id) {
	case OPT_FILE:
	case OPT_LABEL:
	case OPT_APPROVE:
		break; /* collected by the caller */
	case OPT_CONNECT:
	case OPT_STATE_DIR:
	case OPT_LOG_FORMAT:
	case OPT_COLOR:
	case OPT_CONNECT_TIMEOUT:
	case OPT_CALL_TIMEOUT:
	case OPT_LOCK_TIMEOUT:
	case OPT_SHUTDOWN_TIMEOUT:
	case OPT_WAIT_TIMEOUT:
	case OPT_TRASH_TTL:
	case OPT_PARALLEL:
		break; /* settings */
	case OPT_OUTPUT:
		if ((n = choose(argument, formats, CB_COUNT(formats))) < 0)
			return "must be text or json";
		cli->json = n == 1;
		cli->markdown = n == 2;
		break;
	case OPT_MAX_DELETIONS:
		if (cb_parse_u64(argument, &number) < 0 || number > 1000000)
			return "must be a number";
		cli->max_deletions = (unsigned)number;
		cli->max_deletions_given = true;
		break;
	case OPT_TRANSACTION_ID:
		cli->transaction_id = argument;
		break;
	case OPT_LIMIT:
		if (cb_parse_u64(argument, &number) < 0 || number < 1 || number > SIZE_MAX)
			return "must be a number, at least 1";
		cli->limit = (size_t)number;
		break;
	case OPT_FAIL_FAST:
		cli->fail_fast = true;
		break;
	case OPT_FORCE:
		cli->force = true;
		break;
	case OPT_WAIT:
		cli->wait = true;
		if (strcmp(argument, "agent") == 0)
			cli->wait_for = CB_UP_AGENT;
		else if (strcmp(argument, "ip") == 0)
			cli->wait_for = CB_UP_ADDRESS;
		else if (cb_parse_u64(argument, &number) < 0 || number < 1 || number > 65535)
			return "must be agent, ip or the number of a port";
		else
			cli->wait_for = CB_UP_PORT;
		cli->wait_port = cli->wait_for == CB_UP_PORT ? (unsigned)number : 0;
		break;
	case OPT_PRUNE:
		cli->prune = true;
		break;
	case OPT_OUT:
		cli->out = argument;
		break;
	case OPT_PLAN:
		cli->plan = argument;
		break;
	case OPT_LENIENT:
		cli->lenient = true;
		break;
	case OPT_YES:
		cli->yes = true;
		break;
	case OPT_QUIET:
		cli->quiet = true;
		break;
	case OPT_VERBOSE:
		cli->verbose++;
		break;
	case OPT_ALLOW_RESTART:
		cli->allow_restart = true;
		break;
	case OPT_ALLOW_RECREATE:
		cli->allow_recreate = true;
		break;
	case OPT_ALLOW_DESTROY:
		cli->allow_destroy = true;
		break;
	case OPT_ALLOW_FORCE_OFF:
		cli->allow_force_off = true;
		break;
	case OPT_ALLOW_UNKNOWN:
		cli->allow_unknown = true;
		break;
	case OPT_ATOMIC:
		cli->atomic = true;
		break;
	case OPT_TAKE_OVER:
		cli->take_over = true;
		break;
	case OPT_TAKE_FROM:
		cli->take_from = argument;
		break;
	case OPT_DETAILED_EXITCODE:
		cli->detailed_exitcode = true;
		break;
	case OPT_DRY_RUN:
		cli->dry_run = true;
		break;
	case OPT_LIST:
		cli->list = true;
		break;
	case OPT_AUTO:
		cli->auto_ = true;
		break;
	case OPT_ALL:
		cli->all = true;
		break;
	case OPT_IGNORE_MISSING:
		cli->ignore_missing = true;
		break;
	case OPT_CONFIG:
		cli->config = argument;
		break;
	case OPT_CHECK:
		cli->check = true;
		break;
	case OPT_DIFF:
		cli->diff = true;
		break;
	case OPT_NO_ORIGIN:
		cli->no_origin = true;
		break;
	case OPT_NAME:
		cli->name = argument;
		break;
	case OPT_FLEET:
		cli->fleet = true;
		break;
	case OPT_HELP:
		cli->help = true;
		break;
	}
	return NULL;
}

static const struct cb_option *row_of(int found)
{
	for (size_t i = 0; i < CB_COUNT(options); i++) {
		if (options[i].id == found || (options[i].letter && options[i].letter == found))
			return &options[i];
	}
	return NULL;
}

/* getopt's own two tables, from ours. */
static void getopt_tables(const struct cb_command *command, struct option *longs, char *shorts)
{
	size_t n = 0;

	*shorts++ = ':';
	for (size_t i = 0; i < CB_COUNT(options); i++) {
		if (!cb_command_takes(command, &options[i]))
			continue;
		longs[n++] = (struct option){options[i].name,
					     options[i].argument ? required_argument : no_argument,
					     NULL, options[i].id};
		if (options[i].letter) {
			*shorts++ = options[i].letter;
			if (options[i].argument)
				*shorts++ = ':';
		}
	}
	longs[n] = (struct option){0};
	*shorts = '\0';
}

/* Whether the option is a setting and fits; 0 if it is none. */
static int set(const struct cb_command *command, const struct cb_option *row, const char *argument,
	       struct cb_cli *cli, struct cb_error *err)
{
	const struct cb_setting *setting = cb_setting_of_option(row->name);
	char where[64];
	struct cb_setting_value value = {argument, CB_SETTING_BY_FLAG, where, 0};
	int r;

	if (!setting)
		return 0;
	(void)snprintf(where, sizeof(where), "--%s", row->name);
	if ((r = cb_setting_check(setting, &value, err)) < 0) {
		(void)cb_error_hint(err, "see `clonebox %s --help`", command->name);
		return r;
	}
	value.where = row->name;
	cli->settings[setting->id] = value;
	return 0;
}

int cb_command_parse(const struct cb_command *command, int argc, char **argv, struct cb_cli *cli,
		     struct cb_error *err)
{
	const char **files = calloc(3 * ((size_t)argc + 1), sizeof(*files));
	struct option longs[CB_COUNT(options) + 1];
	char shorts[2 * CB_COUNT(options) + 2], text[256];
	size_t n_files = 0, n_labels = 0, n_approvals = 0;
	int found, r;

	if (!files)
		cb_oom();
	getopt_tables(command, longs, shorts);
	opterr = 0;
	optind = 1;
	while ((found = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct cb_option *row = row_of(found);
		const char *why;

		if (found == ':' || !row) {
			(void)snprintf(text, sizeof(text),
				       found == ':' ? "option '%s' needs a value"
						    : "unknown option '%s'",
				       argv[optind - 1]);
			free(files);
			return usage(err, command, text);
		}
		if (row->id == OPT_FILE) {
			files[n_files++] = optarg;
			continue;
		}
		if (row->id == OPT_APPROVE) {
			files[2 * ((size_t)argc + 1) + n_approvals++] = optarg;
			continue;
		}
		if (row->id == OPT_LABEL) {
			files[(size_t)argc + 1 + n_labels++] = optarg;
			continue;
		}
		if ((r = set(command, row, optarg, cli, err)) < 0) {
			free(files);
			return r;
		}
		if ((why = store(row, optarg, cli))) {
			free(files);
			(void)snprintf(text, sizeof(text), "--%s %s", row->name, why);
			return usage(err, command, text);
		}
	}
	cli->files = files;
	cli->n_files = n_files;
	cli->labels = files + argc + 1;
	cli->n_labels = n_labels;
	cli->approvals = files + 2 * (argc + 1);
	cli->n_approvals = n_approvals;
	cli->words = (const char *const *)argv + optind;
	cli->n_words = (size_t)(argc - optind);
	if (cli->help)
		return 0;
	if (cli->n_words > command->max_words) {
		(void)snprintf(text, sizeof(text), "unexpected '%s'",
			       cli->words[command->max_words]);
		return usage(err, command, text);
	}
	if (cli->markdown && !(command->groups & SAVE))
		return usage(err, command, "--output must be text or json");
	if (cli->n_words < command->min_words)
		return usage(err, command, "something is missing");
	return 0;
}

/* Colour and the like matter little to commands that need no settings otherwise, and those have to
 * work where the file is broken: to look at it, to repair it. */
static bool wants_settings(const struct cb_command *command)
{
	return (command->groups & (FILES | HOST | STATE)) != 0;
}

static const char *text_of(const struct cb_cli *cli, enum cb_setting_id id)
{
	const char *text = cli->settings[id].text;

	return text ? text : cb_setting_at(id)->initial;
}

int cb_command_settle(const struct cb_command *command, struct cb_arena *arena, struct cb_cli *cli,
		      struct cb_error *err)
{
	const struct cb_setting_value *connect = &cli->settings[CB_SET_CONNECT];
	const char *color;
	uint64_t number = 0;
	int r = wants_settings(command)
			? cb_settings_resolve(arena, cli->config, cli->settings, err)
			: 0;

	if (r < 0)
		return r;
	if (connect->from == CB_SETTING_BY_FLAG)
		cli->connect = connect->text;
	cli->connect_otherwise = connect->text;
	cli->state_dir = cli->settings[CB_SET_STATE_DIR].text;
	(void)cb_parse_u64(text_of(cli, CB_SET_PARALLEL), &number);
	cli->parallel = (unsigned)number;
	cli->connect_timeout = cb_setting_seconds(text_of(cli, CB_SET_CONNECT_TIMEOUT));
	cli->call_timeout = cb_setting_seconds(text_of(cli, CB_SET_CALL_TIMEOUT));
	cli->lock_timeout = cb_setting_seconds(text_of(cli, CB_SET_LOCK_TIMEOUT));
	cli->shutdown_timeout = cb_setting_seconds(text_of(cli, CB_SET_SHUTDOWN_TIMEOUT));
	cli->wait_timeout = cb_setting_seconds(text_of(cli, CB_SET_WAIT_TIMEOUT));
	cli->trash_ttl = cb_setting_seconds(text_of(cli, CB_SET_TRASH_TTL));
	cli->history_age = cb_setting_seconds(text_of(cli, CB_SET_HISTORY_AGE));
	(void)cb_parse_u64(text_of(cli, CB_SET_HISTORY_MB), &number);
	cli->history_bytes = number * 1024 * 1024;
	color = text_of(cli, CB_SET_COLOR);
	if (strcmp(color, "auto") != 0)
		cli->color = strcmp(color, "never") == 0 ? CB_COLOR_NEVER : CB_COLOR_ALWAYS;
	cli->log_format =
		strcmp(text_of(cli, CB_SET_LOG_FORMAT), "json") == 0 ? CB_LOG_JSON : CB_LOG_TEXT;
	return 0;
}
