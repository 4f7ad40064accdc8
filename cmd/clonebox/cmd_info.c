/* Commands that only look: validate, status, explain, version. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/clonebox/ui.h"
#include "schema/explain.h"

#ifndef CB_VERSION
#	define CB_VERSION "0"
#endif

int cb_cmd_validate(const struct cb_cli *cli)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_str struct cb_str text = {0};
	struct cb_desired desired = {0};
	int code = cb_ui_load(cli, &arena, &desired);
	json_t *names;

	if (code)
		return code;
	if (cli->json) {
		names = json_array();
		cb_vec_each (const struct cb_vm, vm, &desired.vms)
			json_array_append_new(names, json_string(vm->name));
		return cb_ui_print_json(json_pack("{s:s,s:s,s:o}", "schema", "clonebox/validate/v1",
						  "owner", desired.owner, "vms", names));
	}
	cb_str_printf(&text, "valid: %zu vm%s", desired.vms.len, desired.vms.len == 1 ? "" : "s");
	cb_vec_each (const struct cb_vm, vm, &desired.vms)
		cb_str_printf(&text, "%s %s", vm == desired.vms.items ? ":" : ",", vm->name);
	cb_str_add(&text, "\n");
	return cb_ui_print(text.text);
}

static bool all_in_sync(const struct cb_changes *changes)
{
	cb_vec_each (const struct cb_change, change, changes) {
		if (strcmp(cb_render_condition(change), "in-sync") != 0)
			return false;
	}
	return true;
}

static int show_status(const struct cb_cli *cli, struct cb_session *session,
		       const struct cb_desired *desired, struct cb_arena *arena)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str text = {0};
	const struct cb_request request = {
		.desired = desired, .names = cli->words, .n_names = cli->n_words};
	struct cb_observed observed = {0};
	struct cb_changes changes = {0};
	int code;

	if (cb_session_compare(session, &request, arena, &observed, &changes, &err) < 0)
		return cb_ui_error(&err);
	if (cli->json) {
		code = cb_ui_print_json(cb_render_status_json(&observed, &changes));
	} else {
		cb_render_status(&text, &observed, &changes, cb_ui_colour(cli, STDOUT_FILENO));
		code = cb_ui_print(cb_str_text(&text));
	}
	if (code)
		return code;
	return cli->detailed_exitcode && !all_in_sync(&changes) ? CB_EXIT_CHANGES : CB_EXIT_OK;
}

int cb_cmd_status(const struct cb_cli *cli)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_desired desired = {0};
	struct cb_session *session = NULL;
	int code = cb_ui_load(cli, &arena, &desired);

	if (code)
		return code;
	if (cb_ui_session(cli, &arena, &session, &err) < 0)
		return cb_ui_error(&err);
	code = show_status(cli, session, &desired, &arena);
	cb_session_close(session);
	return code;
}

int cb_cmd_explain(const struct cb_cli *cli)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str text = {0};

	if (cb_explain(cli->n_words ? cli->words[0] : NULL, &text, &err) < 0)
		return cb_ui_error(&err);
	return cb_ui_print(text.text);
}

int cb_cmd_version(const struct cb_cli *cli)
{
	if (cli->json)
		return cb_ui_print_json(json_pack("{s:s,s:s}", "schema", "clonebox/version/v1",
						  "version", CB_VERSION));
	return cb_ui_print("clonebox " CB_VERSION "\n");
}
