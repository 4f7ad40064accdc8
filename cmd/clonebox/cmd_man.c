/* __man: the parts of the manual (docs/man) that come from the tables. */
#include <stdio.h>
#include <string.h>

#include "cmd/clonebox/ui.h"
#include "schema/explain.h"

/* Troff takes some characters for its own. `...` is bold. */
static void add(struct cb_str *out, const char *text)
{
	bool bold = false;

	for (const char *p = text; *p; p++) {
		if (*p == '`') {
			bold = !bold;
			cb_str_add(out, bold ? "\\fB" : "\\fR");
		} else if (*p == '-') {
			cb_str_add(out, "\\-");
		} else if (*p == '\\') {
			cb_str_add(out, "\\e");
		} else if (*p == '.' || *p == '\'') {
			cb_str_printf(out, "\\&%c", *p);
		} else {
			cb_str_add_bytes(out, p, 1);
		}
	}
}

static void add_option(struct cb_str *out, const struct cb_option *option)
{
	cb_auto_str struct cb_str text = {0};

	cb_str_add(out, ".TP\n");
	if (option->letter)
		cb_str_printf(out, "\\fB\\-%c\\fR, ", option->letter);
	cb_str_add(out, "\\fB\\-\\-");
	add(out, option->name);
	cb_str_add(out, "\\fR");
	if (option->argument) {
		cb_str_add(out, " \\fI");
		add(out, option->argument);
		cb_str_add(out, "\\fR");
	}
	cb_str_add(out, "\n");
	cb_option_help(&text, option);
	add(out, text.text);
	cb_str_add(out, "\n");
}

static void add_command(struct cb_str *out, const struct cb_command *command)
{
	const struct cb_option *options;
	size_t n;

	cb_str_printf(out, ".SS \"%s\"\n", command->name);
	for (const char *p = command->words, *end; p; p = *end ? end + 3 : NULL) {
		cb_str_printf(out, "\\fBclonebox %s\\fR [\\fIOPTION\\fR]...", command->name);
		end = strstr(p, " | ") ? strstr(p, " | ") : p + strlen(p);
		if (end > p) {
			char words[64];

			(void)snprintf(words, sizeof(words), " %.*s", (int)(end - p), p);
			add(out, words);
		}
		cb_str_add(out, *end ? "\n.br\n" : "\n");
	}
	cb_str_add(out, ".PP\n");
	cb_str_printf(out, "%c", command->summary[0] - 'a' + 'A');
	add(out, command->summary + 1);
	cb_str_add(out, ".\n");
	options = cb_options(&n);
	for (size_t i = 0; i < n; i++) {
		if (cb_command_takes(command, &options[i]) && !cb_option_is_common(&options[i]))
			add_option(out, &options[i]);
	}
}

static void add_commands(struct cb_str *out)
{
	const struct cb_command *commands;
	size_t n;

	commands = cb_commands(&n);
	for (size_t i = 0; i < n; i++)
		add_command(out, &commands[i]);
}

static void add_options(struct cb_str *out)
{
	const struct cb_option *options;
	size_t n;

	options = cb_options(&n);
	for (size_t i = 0; i < n; i++) {
		if (cb_option_is_common(&options[i]))
			add_option(out, &options[i]);
	}
}

static void add_settings(struct cb_str *out)
{
	for (size_t i = 0; i < CB_SETTINGS; i++) {
		const struct cb_setting *setting = cb_setting_at((enum cb_setting_id)i);
		cb_auto_str struct cb_str limits = {0};

		cb_setting_limits(setting, &limits);
		/* A macro: what it names stays on its line. */
		cb_str_printf(out, ".TP\n.BR %s \", \" %s", setting->name, setting->variable);
		if (setting->option) {
			cb_str_add(out, " \", \" \\-\\-");
			add(out, setting->option);
		}
		cb_str_printf(out, "\n%c", setting->doc[0] - 'a' + 'A');
		add(out, setting->doc + 1);
		cb_str_add(out, ":\n");
		add(out, limits.text);
		if (setting->initial)
			cb_str_printf(out, "; default %s", setting->initial);
		cb_str_add(out, ".\n");
	}
}

int cb_cmd_man(const char *part)
{
	static const struct {
		const char *name;
		void (*add)(struct cb_str *out);
	} parts[] = {{"commands", add_commands},
		     {"options", add_options},
		     {"settings", add_settings},
		     {"fields", cb_explain_man}};
	cb_auto_str struct cb_str text = {0};

	for (size_t i = 0; i < CB_COUNT(parts); i++) {
		if (strcmp(part, parts[i].name) != 0)
			continue;
		parts[i].add(&text);
		return cb_ui_print(text.text);
	}
	fprintf(stderr, "error: the manual has no part '%s'\n", part);
	return CB_EXIT_USAGE;
}
