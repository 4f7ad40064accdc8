/* --help, from the tables. */
#include "cmd/clonebox/command.h"

void cb_option_help(struct cb_str *out, const struct cb_option *option)
{
	const struct cb_setting *setting = cb_setting_of_option(option->name);

	cb_str_add(out, option->help);
	if (setting && setting->initial)
		cb_str_printf(out, " (default %s)", setting->initial);
}

static void option_help(struct cb_str *out, const struct cb_option *row)
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
	cb_option_help(out, row);
	cb_str_add(out, "\n");
}

void cb_command_help(const struct cb_command *command, struct cb_str *out)
{
	const struct cb_option *options;
	size_t n;

	options = cb_options(&n);
	cb_str_printf(out, "Usage: clonebox %s [OPTION]...%s%s\n\n%c%s.\n\nOptions:\n",
		      command->name, command->words[0] ? " " : "", command->words,
		      command->summary[0] - 'a' + 'A', command->summary + 1);
	for (size_t i = 0; i < n; i++) {
		if (cb_command_takes(command, &options[i]))
			option_help(out, &options[i]);
	}
}

void cb_command_overview(struct cb_str *out)
{
	const struct cb_command *commands;
	size_t n;

	commands = cb_commands(&n);
	cb_str_add(out, "Usage: clonebox COMMAND [OPTION]...\n\n"
			"Makes the virtual machines of a .clonebox.yaml be so on libvirt.\n\n"
			"Commands:\n");
	for (size_t i = 0; i < n; i++)
		cb_str_printf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
	cb_str_add(
		out,
		"\n`clonebox COMMAND --help` lists the options of a command.\n\n"
		"Exit codes: 0 done or nothing to do, 1 failed and taken back (fmt --check: a "
		"file\n"
		"would change), 2 changes\n"
		"(--detailed-exitcode), 3 partly applied, 4 refused by a guard, 5 unfinished\n"
		"transaction, 64 usage, 65 manifest invalid, 69 libvirt unreachable, 70 bug,\n"
		"74 journal or state directory, 75 locked, 77 not permitted, 130 interrupted.\n");
}
