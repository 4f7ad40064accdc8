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
	FORMAT = 1 << 13,
	ORIGIN = 1 << 14,
	START = 1 << 15,
};

enum id {
	OPT_FILE = 256,
	OPT_CONNECT,
	OPT_OUTPUT,
	OPT_YES,
	OPT_STATE_DIR,
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
	OPT_TAKE_OVER,
	OPT_DETAILED_EXITCODE,
	OPT_DRY_RUN,
	OPT_LIST,
	OPT_AUTO,
	OPT_TRANSACTION_ID,
	OPT_LABEL,
	OPT_PARALLEL,
	OPT_FAIL_FAST,
	OPT_WAIT,
	OPT_WAIT_TIMEOUT,
	OPT_PRUNE,
	OPT_TRASH_TTL,
	OPT_OUT,
	OPT_PLAN,
	OPT_CHECK,
	OPT_DIFF,
	OPT_NO_ORIGIN,
	OPT_NAME,
	OPT_FLEET,
	OPT_FORCE,
	OPT_HELP,
};

struct option_row {
	enum id id;
	const char *name;
	char letter;
	const char *argument; /* NULL: none */
	unsigned groups;
	const char *help;
};

/* clang-format off */
static const struct option_row options[] = {
	{OPT_FILE, "file", 'f', "PATH", FILES, "manifest, directory of manifests, or - (default ./.clonebox.yaml)"},
	{OPT_CONNECT, "connect", 'c', "URI", HOST, "libvirt host (else CLONEBOX_CONNECT, LIBVIRT_DEFAULT_URI)"},
	{OPT_STATE_DIR, "state-dir", 0, "DIR", HOST | STATE, "journal and locks (else CLONEBOX_STATE_DIR)"},
	{OPT_OUTPUT, "output", 'o', "text|json", OUTPUT, "how results are printed; `plan` also knows markdown"},
	{OPT_YES, "yes", 'y', NULL, CHANGE, "do not ask"},
	{OPT_DRY_RUN, "dry-run", 0, NULL, APPLY, "only plan"},
	{OPT_DETAILED_EXITCODE, "detailed-exitcode", 0, NULL, EXITCODE, "exit with 2 when there are changes"},
	{OPT_ALLOW_RESTART, "allow-restart", 0, NULL, PLAN, "restart running vms whose changes need it"},
	{OPT_ALLOW_RECREATE, "allow-recreate", 0, NULL, PLAN, "make new root disks where a change needs that; the old ones go to the trash"},
	{OPT_ALLOW_DESTROY, "allow-destroy", 0, NULL, APPLY, "destroy vms whose state is absent"},
	{OPT_PRUNE, "prune", 0, NULL, SAVE | APPLY, "destroy what these manifests made and do not speak of any more (needs `owner:`)"},
	{OPT_ALLOW_FORCE_OFF, "allow-force-off", 0, NULL, PLAN | DESTROY, "pull the plug of guests that do not shut down"},
	{OPT_MAX_DELETIONS, "max-deletions", 0, "N", APPLY | DESTROY, "destroy at most N vms (default 1)"},
	{OPT_SHUTDOWN_TIMEOUT, "shutdown-timeout", 0, "TIME", PLAN | DESTROY, "how long a guest may take to shut down (default 60s)"},
	{OPT_TRASH_TTL, "trash-ttl", 0, "TIME", APPLY | DESTROY, "how long what goes to the trash is kept (default 7d)"},
	{OPT_TAKE_OVER, "take-over", 0, NULL, PLAN | DESTROY, "manage vms that came from another manifest of the same owner"},
	{OPT_LOCK_TIMEOUT, "lock-timeout", 0, "TIME", CHANGE, "how long to wait for another run (default 30s)"},
	{OPT_LABEL, "label", 'l', "KEY=VALUE", SELECT, "only vms with this label; may be given again"},
	{OPT_PARALLEL, "parallel", 'j', "N", CHANGE, "so many transactions at a time on each host (default 4)"},
	{OPT_FAIL_FAST, "fail-fast", 0, NULL, CHANGE, "begin nothing more once something has failed"},
	{OPT_OUT, "out", 0, "FILE", SAVE, "save the plan, for `apply --plan`"},
	{OPT_PLAN, "plan", 0, "FILE", APPLY, "carry out a saved plan, if it is still the plan"},
	{OPT_WAIT, "wait", 0, "agent|ip|PORT", APPLY, "wait until the guests are up: their agent answers, they have an address, or somebody listens"},
	{OPT_WAIT_TIMEOUT, "wait-timeout", 0, "TIME", APPLY, "how long, for all of them together (default 5m)"},
	{OPT_LIST, "list", 0, NULL, RECOVER, "list unfinished transactions, change nothing"},
	{OPT_AUTO, "auto", 0, NULL, RECOVER, "settle all of them without asking"},
	{OPT_TRANSACTION_ID, "transaction-id", 0, "ID", RECOVER, "settle this one"},
	{OPT_CHECK, "check", 0, NULL, FORMAT, "write nothing; exit with 1 when a file would change"},
	{OPT_DIFF, "diff", 0, NULL, FORMAT, "write nothing; show what would change"},
	{OPT_NO_ORIGIN, "no-origin", 0, NULL, ORIGIN, "leave out where the values come from, and the built-in defaults"},
	{OPT_NAME, "name", 0, "NAME", START, "name of the vm (default dev)"},
	{OPT_FLEET, "fleet", 0, NULL, START, "several vms, and what they share"},
	{OPT_FORCE, "force", 0, NULL, START, "write over a file that is there"},
	{OPT_COLOR, "color", 0, "WHEN", EVERY, "auto, always or never"},
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
	 FILES | HOST | OUTPUT | PLAN | EXITCODE | SELECT | SAVE, cb_cmd_plan},
	{"apply", "[VM]...", 0, SIZE_MAX, "make it so",
	 FILES | HOST | OUTPUT | PLAN | CHANGE | APPLY | SELECT, cb_cmd_apply},
	{"status", "[VM]...", 0, SIZE_MAX, "show managed vms and whether they are as wanted",
	 FILES | HOST | OUTPUT | EXITCODE | SELECT, cb_cmd_status},
	{"destroy", "[VM]...", 0, SIZE_MAX, "shut down and remove vms, with the disks made for them alone",
	 FILES | HOST | OUTPUT | CHANGE | DESTROY | SELECT, cb_cmd_destroy},
	{"doctor", "", 0, 0, "look at the host: what it has, what is missing",
	 FILES | HOST | OUTPUT, cb_cmd_doctor},
	{"trash", "list | restore VM | purge [VM]...", 1, SIZE_MAX, "vms that went to the trash: list them, bring one back, remove them for good",
	 FILES | HOST | OUTPUT | CHANGE, cb_cmd_trash},
	{"recover", "", 0, 0, "finish or take back what a crashed run left",
	 HOST | OUTPUT | CHANGE | RECOVER, cb_cmd_recover},
	{"transaction", "list | show ID | resume ID | rollback ID", 1, 2, "look into the journal, settle one transaction",
	 HOST | OUTPUT | CHANGE, cb_cmd_transaction},
	{"explain", "[KEY]", 0, 1, "what a key of the manifest means, and what changing it costs",
	 0, cb_cmd_explain},
	{"version", "", 0, 0, "versions of clonebox and libvirt", OUTPUT, cb_cmd_version},
};

/* clang-format on */

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

static bool takes(const struct cb_command *command, const struct option_row *row)
{
	return (row->groups & (command->groups | EVERY)) != 0;
}

static int usage(struct cb_error *err, const struct cb_command *command, const char *text)
{
	(void)cb_error_set(err, CB_E_USAGE, "%s", text);
	return cb_error_hint(err, "see `clonebox %s --help`", command->name);
}

/* "90s", "15m", "2h", "7d": a bare number could be anything. */
static int parse_time(const char *text, unsigned *seconds)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	unsigned long unit = *end == 's'   ? 1
			     : *end == 'm' ? 60
			     : *end == 'h' ? 3600
			     : *end == 'd' ? 86400
					   : 0;

	if (end == text || !unit || end[1] || n > 30000000 || n * unit > 30000000)
		return -1;
	*seconds = (unsigned)(n * unit);
	return 0;
}

static int choose(const char *text, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(text, words[i]) == 0)
			return (int)i;
	}
	return -1;
}

/* Returns NULL, or what is wrong with the argument. */
static const char *store(const struct option_row *row, const char *argument, struct cb_cli *cli)
{
	static const char *const formats[] = {"text", "json", "markdown"};
	static const char *const whens[] = {"auto", "always", "never"};
	uint64_t number = 0;
	int n;

	switch (row->id) {
	case OPT_FILE:
		break; /* collected by the caller */
	case OPT_CONNECT:
		cli->connect = argument;
		break;
	case OPT_STATE_DIR:
		cli->state_dir = argument;
		break;
	case OPT_OUTPUT:
		if ((n = choose(argument, formats, CB_COUNT(formats))) < 0)
			return "must be text or json";
		cli->json = n == 1;
		cli->markdown = n == 2;
		break;
	case OPT_LOG_FORMAT:
		if ((n = choose(argument, formats, 2)) < 0)
			return "must be text or json";
		cli->log_format = n == 1 ? CB_LOG_JSON : CB_LOG_TEXT;
		break;
	case OPT_COLOR:
		if ((n = choose(argument, whens, CB_COUNT(whens))) < 0)
			return "must be auto, always or never";
		cli->color = n == 0 ? CB_COLOR_AUTO : n == 1 ? CB_COLOR_ALWAYS : CB_COLOR_NEVER;
		break;
	case OPT_LOCK_TIMEOUT:
		return parse_time(argument, &cli->lock_timeout) < 0
			       ? "must be a time such as 30s or 2m"
			       : NULL;
	case OPT_SHUTDOWN_TIMEOUT:
		return parse_time(argument, &cli->shutdown_timeout) < 0
			       ? "must be a time such as 30s or 2m"
			       : NULL;
	case OPT_MAX_DELETIONS:
		if (cb_parse_u64(argument, &number) < 0 || number > 1000000)
			return "must be a number";
		cli->max_deletions = (unsigned)number;
		cli->max_deletions_given = true;
		break;
	case OPT_TRANSACTION_ID:
		cli->transaction_id = argument;
		break;
	case OPT_LABEL:
		break; /* collected by the caller */
	case OPT_PARALLEL:
		if (cb_parse_u64(argument, &number) < 0 || number < 1 || number > 64)
			return "must be a number from 1 to 64";
		cli->parallel = (unsigned)number;
		break;
	case OPT_FAIL_FAST:
		cli->fail_fast = true;
		break;
	case OPT_TRASH_TTL:
		return parse_time(argument, &cli->trash_ttl) < 0 || cli->trash_ttl == 0
			       ? "must be a time such as 12h or 7d"
			       : NULL;
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
	case OPT_WAIT_TIMEOUT:
		return parse_time(argument, &cli->wait_timeout) < 0
			       ? "must be a time such as 30s or 5m"
			       : NULL;
	case OPT_PRUNE:
		cli->prune = true;
		break;
	case OPT_OUT:
		cli->out = argument;
		break;
	case OPT_PLAN:
		cli->plan = argument;
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
	case OPT_TAKE_OVER:
		cli->take_over = true;
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
	case OPT_FORCE:
		cli->force = true;
		break;
	case OPT_HELP:
		cli->help = true;
		break;
	}
	return NULL;
}

static const struct option_row *row_of(int found)
{
	for (size_t i = 0; i < CB_COUNT(options); i++) {
		if ((int)options[i].id == found ||
		    (options[i].letter && options[i].letter == found))
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
		if (!takes(command, &options[i]))
			continue;
		longs[n++] = (struct option){options[i].name,
					     options[i].argument ? required_argument : no_argument,
					     NULL, (int)options[i].id};
		if (options[i].letter) {
			*shorts++ = options[i].letter;
			if (options[i].argument)
				*shorts++ = ':';
		}
	}
	longs[n] = (struct option){0};
	*shorts = '\0';
}

int cb_command_parse(const struct cb_command *command, int argc, char **argv, struct cb_cli *cli,
		     struct cb_error *err)
{
	const char **files = calloc(2 * ((size_t)argc + 1), sizeof(*files));
	struct option longs[CB_COUNT(options) + 1];
	char shorts[2 * CB_COUNT(options) + 2], text[256];
	size_t n_files = 0, n_labels = 0;
	int found;

	if (!files)
		cb_oom();
	getopt_tables(command, longs, shorts);
	opterr = 0;
	optind = 1;
	while ((found = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct option_row *row = row_of(found);
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
		if (row->id == OPT_LABEL) {
			files[(size_t)argc + 1 + n_labels++] = optarg;
			continue;
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

static void option_help(struct cb_str *out, const struct option_row *row)
{
	size_t start = out->len;

	if (row->letter)
		cb_str_printf(out, "  -%c, ", row->letter);
	else
		cb_str_add(out, "      ");
	cb_str_printf(out, "--%s", row->name);
	if (row->argument)
		cb_str_printf(out, " %s", row->argument);
	do
		cb_str_add(out, " ");
	while (out->len - start < 32);
	cb_str_printf(out, "%s\n", row->help);
}

void cb_command_help(const struct cb_command *command, struct cb_str *out)
{
	cb_str_printf(out, "Usage: clonebox %s [OPTION]...%s%s\n\n%c%s.\n\nOptions:\n",
		      command->name, command->words[0] ? " " : "", command->words,
		      command->summary[0] - 'a' + 'A', command->summary + 1);
	for (size_t i = 0; i < CB_COUNT(options); i++) {
		if (takes(command, &options[i]))
			option_help(out, &options[i]);
	}
}

void cb_command_overview(struct cb_str *out)
{
	cb_str_add(out, "Usage: clonebox COMMAND [OPTION]...\n\n"
			"Makes the virtual machines of a .clonebox.yaml be so on libvirt.\n\n"
			"Commands:\n");
	for (size_t i = 0; i < CB_COUNT(commands); i++)
		cb_str_printf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
	cb_str_add(
		out,
		"\n`clonebox COMMAND --help` lists the options of a command.\n\n"
		"Exit codes: 0 done or nothing to do, 1 failed and taken back (fmt --check: a "
		"file\n"
		"would change), 2 changes (--detailed-exitcode), 3 partly applied, 4 refused by a\n"
		"guard, 5 unfinished transaction, 64 usage, 65 manifest invalid, 69 libvirt\n"
		"unreachable, 70 bug, 74 journal or state directory, 75 locked, 77 not permitted,\n"
		"130 interrupted.\n");
}
