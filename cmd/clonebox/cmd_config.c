/* config: the program's own settings (settings.h). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/clonebox/ui.h"

static int wrong_use(const char *text)
{
	cb_auto_error struct cb_error err = {0};

	(void)cb_error_set(&err, CB_E_USAGE, "%s", text);
	(void)cb_error_hint(&err, "see `clonebox config --help`");
	return cb_ui_error(&err);
}

/* Numbers as numbers, null where nothing is set. */
static json_t *value_json(const struct cb_setting *setting, const struct cb_setting_value *value)
{
	uint64_t number = 0;

	if (!value->text)
		return json_null();
	if (setting->type == CB_SETTING_NUMBER && cb_parse_u64(value->text, &number) == 0)
		return json_integer((json_int_t)number);
	return json_string(value->text);
}

/* "CLONEBOX_POOL", "--parallel", "/etc/clonebox/config.yaml:3", "" */
static void add_where(struct cb_str *out, const struct cb_setting_value *value)
{
	if (value->from == CB_SETTING_BY_FLAG)
		cb_str_add(out, "--");
	if (value->where)
		cb_str_add(out, value->where);
	if (value->line)
		cb_str_printf(out, ":%u", value->line);
}

static json_t *setting_json(const struct cb_setting *setting, const struct cb_setting_value *value)
{
	cb_auto_str struct cb_str where = {0};

	add_where(&where, value);
	return json_pack("{s:s,s:o,s:s,s:s}", "name", setting->name, "value",
			 value_json(setting, value), "origin", cb_setting_from_name(value->from),
			 "where", cb_str_text(&where));
}

static int list(const struct cb_cli *cli, const char *path,
		const struct cb_setting_value values[CB_SETTINGS])
{
	cb_auto_str struct cb_str text = {0};
	json_t *array = json_array();

	for (size_t i = 0; i < CB_SETTINGS; i++) {
		const struct cb_setting *setting = cb_setting_at((enum cb_setting_id)i);

		json_array_append_new(array, setting_json(setting, &values[i]));
		cb_str_printf(&text, "%-18s %-24s %s", setting->name,
			      values[i].text ? values[i].text : "-",
			      cb_setting_from_name(values[i].from));
		if (values[i].where)
			cb_str_add(&text, " ");
		add_where(&text, &values[i]);
		cb_str_add(&text, "\n");
	}
	if (cli->json)
		return cb_ui_print_json(json_pack("{s:s,s:s?,s:o}", "schema", "clonebox/config/v1",
						  "file", path, "settings", array));
	json_decref(array);
	return cb_ui_print(text.text);
}

static int get(const struct cb_cli *cli, const char *path, const struct cb_setting *setting,
	       const struct cb_setting_value *value)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str text = {0};

	if (cli->json)
		return cb_ui_print_json(json_pack("{s:s,s:s?,s:[o]}", "schema",
						  "clonebox/config/v1", "file", path, "settings",
						  setting_json(setting, value)));
	if (!value->text) {
		(void)cb_error_set(&err, CB_E_NOT_FOUND, "'%s' is not set", setting->name);
		(void)cb_error_hint(&err, "`clonebox config set %s VALUE`", setting->name);
		return cb_ui_error(&err);
	}
	cb_str_printf(&text, "%s\n", value->text);
	return cb_ui_print(text.text);
}

/* A value in the file that something else overrules would look like a bug. */
static void note_overruled(const struct cb_cli *cli, const struct cb_setting *setting,
			   const char *path)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};
	struct cb_setting_value values[CB_SETTINGS] = {0};
	const struct cb_setting_value *value = &values[setting->id];

	if (cb_settings_resolve(&arena, path, values, &err) < 0)
		fprintf(stderr, "note: %s\n", err.message);
	else if (value->from == CB_SETTING_BY_ENVIRONMENT && !cli->quiet)
		fprintf(stderr, "note: %s says '%s', and goes before the file\n", value->where,
			value->text);
}

static int set(const struct cb_cli *cli, const char *path, const struct cb_setting *setting,
	       const char *text)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str said = {0};
	const struct cb_setting_value value = {text, CB_SETTING_BY_FILE, setting->name, 0};
	int r = cb_setting_check(setting, &value, &err);

	if (r < 0)
		(void)cb_error_hint(&err, "`clonebox config get %s` shows what it is now",
				    setting->name);
	else
		r = cb_settings_write(path, setting->name, text, &err);
	if (r < 0)
		return cb_ui_error(&err);
	note_overruled(cli, setting, path);
	cb_str_printf(&said, "%s is %s'%s' in %s\n", setting->name, r ? "now " : "already ", text,
		      path);
	return cli->quiet ? 0 : cb_ui_print(said.text);
}

/* Also what is no setting, so that a file can be repaired. */
static int unset(const struct cb_cli *cli, const char *path, const char *name)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str said = {0};
	int r = cb_settings_write(path, name, NULL, &err);

	if (r < 0)
		return cb_ui_error(&err);
	if (r > 0) {
		cb_str_printf(&said, "%s is not set in %s any more\n", name, path);
		return cli->quiet ? 0 : cb_ui_print(said.text);
	}
	if (!cb_setting_find(name)) {
		(void)cb_setting_unknown(name, &err);
		return cb_ui_error(&err);
	}
	if (cli->ignore_missing)
		return 0;
	(void)cb_error_set(&err, CB_E_NOT_FOUND, "'%s' is not set in %s", name, path);
	(void)cb_error_hint(&err, "with --ignore-missing that is no error");
	return cb_ui_error(&err);
}

static int print_path(const char *path)
{
	cb_auto_str struct cb_str text = {0};

	cb_str_printf(&text, "%s\n", path);
	return cb_ui_print(text.text);
}

static int look(const struct cb_cli *cli, const char *path, const char *name)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};
	struct cb_setting_value values[CB_SETTINGS];
	const struct cb_setting *setting = name ? cb_setting_find(name) : NULL;

	memcpy(values, cli->settings, sizeof(values));
	if ((name && !setting && cb_setting_unknown(name, &err) < 0) ||
	    cb_settings_resolve(&arena, cli->config, values, &err) < 0)
		return cb_ui_error(&err);
	return name ? get(cli, path, setting, &values[setting->id]) : list(cli, path, values);
}

int cb_cmd_config(const struct cb_cli *cli)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_error struct cb_error err = {0};

	static const struct {
		const char *verb;
		size_t words;
	} verbs[] = {{"get", 2}, {"set", 3}, {"unset", 2}, {"list", 1}, {"path", 1}};

	const char *verb = cli->words[0];
	const char *name = cli->n_words > 1 ? cli->words[1] : NULL;
	const struct cb_setting *setting = name ? cb_setting_find(name) : NULL;
	bool named, known = false;
	const char *path = cb_settings_path(&arena, cli->config, &named);

	for (size_t i = 0; i < CB_COUNT(verbs); i++)
		known = known ||
			(strcmp(verb, verbs[i].verb) == 0 && cli->n_words == verbs[i].words);
	if (!known)
		return wrong_use("config wants: get SETTING, set SETTING VALUE, unset SETTING, "
				 "list, or path");
	if (cli->ignore_missing && strcmp(verb, "unset") != 0)
		return wrong_use("--ignore-missing is for unset");
	if (strcmp(verb, "get") == 0 || strcmp(verb, "list") == 0)
		return look(cli, path, name);
	if (!path)
		return wrong_use("there is no file for settings: neither --config nor HOME is set");
	if (strcmp(verb, "path") == 0)
		return print_path(path);
	if (strcmp(verb, "unset") == 0)
		return unset(cli, path, name);
	if (!setting) {
		(void)cb_setting_unknown(name, &err);
		return cb_ui_error(&err);
	}
	return set(cli, path, setting, cli->words[2]);
}
