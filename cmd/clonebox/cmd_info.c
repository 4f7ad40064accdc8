/* Commands that only look: validate, status, explain, schema, version. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/clonebox/lanes.h"
#include "reconciler/base/log.h"
#include "reconciler/model/field.h"
#include "schema/explain.h"
#include "schema/json_schema.h"

#ifndef CB_VERSION
#	define CB_VERSION "0"
#endif

/* What becomes of the keys that were found, in the order in which people should know. */
static const struct {
	enum cb_class class;
	const char *words;
} classes[] = {
	{CB_CLASS_REALISED, "realised"},
	{CB_CLASS_GUEST, "told to the guest"},
	{CB_CLASS_POLICY, "checked, not acted on yet"},
	{CB_CLASS_UNMANAGED, "left alone"},
};

/* "vm.ram_mb", "policies.NAME.keep_daily" */
static void add_key(struct cb_str *out, const struct cb_found_key *key)
{
	cb_str_printf(out, "%s%s", cb_explain_prefix(key->field->scope), key->field->path);
}

static void print_classes(struct cb_str *out, const struct cb_desired *desired)
{
	for (size_t i = 0; i < CB_COUNT(classes); i++) {
		size_t some = 0;

		cb_vec_each (const struct cb_found_key, key, &desired->keys) {
			if (cb_field_class(key->field) != classes[i].class)
				continue;
			cb_str_printf(out, "%s", some++ ? ", " : "");
			if (some == 1)
				cb_str_printf(out, "  %-26s", classes[i].words);
			add_key(out, key);
		}
		if (some)
			cb_str_add(out, "\n");
	}
}

static json_t *keys_json(const struct cb_desired *desired)
{
	json_t *keys = json_array();

	cb_vec_each (const struct cb_found_key, key, &desired->keys) {
		cb_auto_str struct cb_str path = {0};

		add_key(&path, key);
		json_array_append_new(keys,
				      json_pack("{s:s,s:s,s:s,s:i,s:i}", "key", path.text, "class",
						cb_class_name(cb_field_class(key->field)), "file",
						key->first.file, "line", (int)key->first.line,
						"count", (int)key->count));
	}
	return keys;
}

int cb_cmd_validate(const struct cb_cli *cli)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_str struct cb_str text = {0};
	struct cb_desired desired = {0};
	int code = cb_ui_look_at(cli, &arena, &desired);
	json_t *names;

	if (code)
		return code;
	if (cli->json) {
		names = json_array();
		cb_vec_each (const struct cb_vm, vm, &desired.vms)
			json_array_append_new(names, json_string(vm->name));
		return cb_ui_print_json(json_pack("{s:s,s:s,s:o,s:o}", "schema",
						  "clonebox/validate/v1", "owner", desired.owner,
						  "vms", names, "keys", keys_json(&desired)));
	}
	cb_str_printf(&text, "valid: %zu vm%s", desired.vms.len, desired.vms.len == 1 ? "" : "s");
	cb_vec_each (const struct cb_vm, vm, &desired.vms)
		cb_str_printf(&text, "%s %s", vm == desired.vms.items ? ":" : ",", vm->name);
	cb_str_add(&text, "\n");
	print_classes(&text, &desired);
	return cb_ui_print(text.text);
}

static bool all_in_sync(const struct cb_lane *lane)
{
	cb_vec_each (const struct cb_change, change, &lane->planned.changes) {
		if (change->target == CB_TARGET_VM
			    ? strcmp(cb_render_condition(change), "in-sync") != 0
			    : change->action != CB_ACTION_NOOP || change->refusal != NULL)
			return false;
	}
	return true;
}

/* Addresses of the running VMs of ours. One whose addresses cannot be had is shown without; a host
 * that is gone is not shown at all. */
static void ask_addresses(struct cb_lane *lane)
{
	const struct cb_domains *domains = &lane->planned.observed.domains;

	lane->addresses =
		cb_arena_alloc(&lane->arena, (domains->len + 1) * sizeof(*lane->addresses));
	for (size_t i = 0; i < domains->len; i++) {
		cb_auto_error struct cb_error err = {0};

		lane->addresses[i] = (struct cb_addresses){0};
		if (domains->items[i].ownership != CB_OURS || !domains->items[i].active ||
		    cb_session_addresses(lane->session, &lane->arena, domains->items[i].uuid,
					 &lane->addresses[i], &err) == 0)
			continue;
		lane->addresses[i] = (struct cb_addresses){0};
		if (err.code == CB_E_UNAVAILABLE) {
			cb_lane_fail(lane, &err);
			return;
		}
		cb_log(CB_LOG_WARN, "no-addresses", "%s", err.message);
	}
}

static void look(const struct cb_cli *cli, struct cb_lane *lane)
{
	cb_auto_error struct cb_error err = {0};

	(void)cli;
	lane->request = (struct cb_request){
		.desired = &lane->desired, .names = lane->names, .n_names = lane->n_names};
	if (cb_session_compare(lane->session, &lane->request, &lane->arena, &lane->planned.observed,
			       &lane->planned.changes, &err) < 0)
		cb_lane_fail(lane, &err);
	else
		ask_addresses(lane);
}

static struct cb_status status_of(const struct cb_lane *lane)
{
	return (struct cb_status){.host = lane->planned.observed.host.uri,
				  .observed = &lane->planned.observed,
				  .changes = &lane->planned.changes,
				  .addresses = lane->addresses};
}

static int print_status(const struct cb_cli *cli, const struct cb_lanes *lanes)
{
	cb_auto_str struct cb_str text = {0};
	json_t *vms = json_array();
	const char *host = "";

	cb_vec_each (const struct cb_lane, lane, lanes) {
		const struct cb_status status = status_of(lane);

		if (lane->code)
			continue;
		host = status.host;
		cb_render_status_json(vms, &status);
		if (lanes->len > 1)
			cb_str_printf(&text, "%shost '%s' (%s)\n", text.len ? "\n" : "",
				      lane->name[0] ? lane->name : "default", status.host);
		cb_render_status(&text, &status, cb_ui_colour(cli, STDOUT_FILENO));
	}
	if (!cli->json) {
		json_decref(vms);
		return cb_ui_print(cb_str_text(&text));
	}
	return cb_ui_print_json(json_pack("{s:s,s:s,s:o}", "schema", "clonebox/status/v1", "host",
					  lanes->len == 1 ? host : "", "vms", vms));
}

int cb_cmd_status(const struct cb_cli *cli)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_desired desired = {0};
	struct cb_lanes lanes = {0};
	int code = cb_ui_load(cli, &arena, &desired), unwell;

	if (code)
		return code;
	if (cb_lanes_divide(&arena, cli, &desired, false, &lanes, &err) < 0)
		return cb_ui_error(&err);
	cb_lanes_each(cli, &lanes, cb_lane_open);
	cb_lanes_each(cli, &lanes, look);
	unwell = cb_lanes_report(&lanes);
	if (!unwell || lanes.len > 1)
		code = print_status(cli, &lanes);
	code = code ? code : unwell;
	cb_vec_each (const struct cb_lane, lane, &lanes) {
		if (!code && cli->detailed_exitcode && !all_in_sync(lane))
			code = CB_EXIT_CHANGES;
	}
	cb_lanes_release(&lanes);
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

int cb_cmd_schema(const struct cb_cli *cli)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str text = {0};

	if (cb_json_schema(cli->n_words ? cli->words[0] : "manifest", &text, &err) < 0)
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
