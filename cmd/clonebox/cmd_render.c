/* render: what manifests come to. */
#include "cmd/clonebox/lanes.h"
#include "schema/write.h"

int cb_cmd_render(const struct cb_cli *cli)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_str struct cb_str text = {0};
	struct cb_desired desired = {0};
	int code = cb_ui_load(cli, &arena, &desired);

	if (code)
		return code;
	if (cb_lanes_narrow(&arena, cli, &desired, &err) < 0)
		return cb_ui_error(&err);
	if (cli->json)
		return cb_ui_print_json(cb_write_json(&desired));
	if (cb_write_manifest(&desired, cli->no_origin ? CB_WRITE_BARE : CB_WRITE_ORIGINS, &text,
			      &err) < 0)
		return cb_ui_error(&err);
	return cb_ui_print(text.text);
}
