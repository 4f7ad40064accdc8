#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/clonebox/ui.h"

static int usage(const char *word)
{
	const char *nearest = cb_command_nearest(word);

	fprintf(stderr, "error: there is no command '%s'; ", word);
	if (nearest)
		fprintf(stderr, "did you mean '%s'?\n", nearest);
	else
		fprintf(stderr, "`clonebox --help` lists them\n");
	return CB_EXIT_USAGE;
}

static int help(const struct cb_command *command)
{
	cb_auto_str struct cb_str text = {0};

	if (command)
		cb_command_help(command, &text);
	else
		cb_command_overview(&text);
	return cb_ui_print(text.text);
}

static int run(const struct cb_command *command, mode_t mask, int argc, char **argv)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_cli cli = {.max_deletions = 1, .file_mode = 0666 & ~mask};
	enum cb_log_level level;
	int code;

	if (cb_command_parse(command, argc, argv, &cli, &err) < 0)
		return cb_ui_error(&err);
	if (cli.help) {
		free(cli.files);
		return help(command);
	}
	if (cb_command_settle(command, &arena, &cli, &err) < 0) {
		free(cli.files);
		return cb_ui_error(&err);
	}
	level = cli.verbose > 1 ? CB_LOG_DEBUG : cli.verbose ? CB_LOG_INFO : CB_LOG_WARN;
	cb_log_init(level, cli.log_format);
	code = command->run(&cli);
	free(cli.files);
	return code;
}

/* A standard stream that is closed would give its number to the next file or socket, and what is
 * printed would go there. In its place stands what cannot be used the way the stream would be. */
static void occupy_streams(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0)
			_exit(CB_EXIT_IO);
	}
}

int main(int argc, char **argv)
{
	static const struct rlimit no_core;
	const struct cb_command *command;
	const char *word = argc > 1 ? argv[1] : "--help";
	mode_t mask;

	occupy_streams();
	/* Documents with passwords pass through memory: no dumps of it, and files for us alone. */
	(void)setrlimit(RLIMIT_CORE, &no_core);
	(void)prctl(PR_SET_DUMPABLE, 0);
	mask = umask(077);
	if (argc < 2) {
		(void)help(NULL);
		return CB_EXIT_USAGE;
	}
	if (strcmp(word, "__complete") == 0)
		return cb_cmd_complete((size_t)argc - 2, argv + 2);
	if (strcmp(word, "__man") == 0)
		return cb_cmd_man(argc > 2 ? argv[2] : "");
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		return help(NULL);
	if (strcmp(word, "--version") == 0)
		word = "version";
	if (strcmp(word, "help") == 0) {
		if (argc < 3)
			return help(NULL);
		word = argv[2];
		command = cb_command_find(word);
		return command ? help(command) : usage(word);
	}
	command = cb_command_find(word);
	return command ? run(command, mask, argc - 1, argv + 1) : usage(word);
}
