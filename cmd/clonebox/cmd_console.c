/* console: a vm's serial console, in this terminal. */
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cmd/clonebox/lanes.h"

enum { ESCAPE = 0x1d }; /* Ctrl-], as telnet has it */

static const struct cb_domain *find(struct cb_lane *lane, const char *name)
{
	cb_vec_each (const struct cb_domain, domain, &lane->planned.observed.domains) {
		if (strcmp(domain->name, name) == 0)
			return domain;
	}
	return NULL;
}

/* Every key is the guest's, Ctrl-C as well. Returns whether there is something to put back. */
static bool make_raw(struct termios *before)
{
	struct termios raw;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, before) < 0)
		return false;
	raw = *before;
	cfmakeraw(&raw);
	return tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

static int attach(const struct cb_cli *cli, struct cb_lane *lane, const struct cb_domain *domain)
{
	const struct cb_console_io io = {
		.in = STDIN_FILENO, .out = STDOUT_FILENO, .escape = ESCAPE, .force = cli->force};
	cb_auto_error struct cb_error err = {0};
	struct termios before;
	bool raw;
	int r;

	if (!domain->active) {
		(void)cb_error_set(&err, CB_E_FAILED, "vm '%s' does not run", domain->name);
		(void)cb_error_hint(&err, "start it: `state: running` in the manifest, and apply");
		return cb_ui_error(&err);
	}
	if (!cli->quiet)
		fprintf(stderr, "The console of '%s'; Ctrl-] leaves it\n", domain->name);
	/* A terminal must not stay raw. */
	cb_ui_catch_signals();
	raw = make_raw(&before);
	r = cb_session_console(lane->session, domain->uuid, &io, &err);
	if (raw)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
	if (!cli->quiet)
		fputs("\n", stderr);
	if (cb_ui_interrupted())
		return CB_EXIT_INTERRUPTED;
	return r < 0 ? cb_ui_error(&err) : 0;
}

static int attach_to_one(const struct cb_cli *cli, struct cb_lanes *lanes)
{
	const struct cb_domain *domain = NULL;
	cb_auto_error struct cb_error err = {0};
	struct cb_lane *where = NULL;
	const char *name = cli->words[0];

	cb_vec_each (struct cb_lane, lane, lanes) {
		const struct cb_domain *found = lane->code ? NULL : find(lane, name);

		if (found && domain) {
			(void)cb_error_set(&err, CB_E_USAGE, "several hosts have a vm '%s'", name);
			(void)cb_error_hint(&err, "name one host: --connect URI");
			return cb_ui_error(&err);
		}
		if (found) {
			domain = found;
			where = lane;
		}
	}
	if (domain)
		return attach(cli, where, domain);
	(void)cb_error_set(&err, CB_E_USAGE, "there is no vm '%s'", name);
	(void)cb_error_hint(&err, "`clonebox status` lists the vms");
	return cb_ui_error(&err);
}

int cb_cmd_console(const struct cb_cli *cli)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_lanes lanes = {0};
	int unwell, code = cb_lanes_look(cli, &arena, &lanes);

	if (code)
		return code;
	unwell = cb_lanes_report(&lanes);
	code = unwell && lanes.len == 1 ? unwell : attach_to_one(cli, &lanes);
	cb_lanes_release(&lanes);
	return code;
}
