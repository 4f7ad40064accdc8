#include "cmd/clonebox/settings.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "schema/suggest.h"

enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

/* clang-format off */
static const struct cb_setting settings[] = {
	{CB_SET_CONNECT, "connect", CB_SETTING_TEXT, 1, 1024, NULL, NULL, "CLONEBOX_CONNECT", "connect",
	 "libvirt host of vms whose manifest names none; else LIBVIRT_DEFAULT_URI, else libvirt's own default"},
	{CB_SET_STATE_DIR, "state_dir", CB_SETTING_DIRECTORY, 1, 4000, NULL, NULL, "CLONEBOX_STATE_DIR", "state-dir",
	 "journal and locks"},
	{CB_SET_POOL, "pool", CB_SETTING_TEXT, 1, 255, NULL, "default", "CLONEBOX_POOL", NULL,
	 "storage pool of new vms that name none"},
	{CB_SET_BASE_IMAGE, "base_image", CB_SETTING_IMAGE, 1, 4000, NULL, NULL, "CLONEBOX_BASE_IMAGE", NULL,
	 "image of new vms that name none and boot no kernel"},
	{CB_SET_PARALLEL, "parallel", CB_SETTING_NUMBER, 1, 64, NULL, "4", "CLONEBOX_PARALLEL", "parallel",
	 "so many transactions at a time on each host"},
	{CB_SET_CONNECT_TIMEOUT, "connect_timeout", CB_SETTING_TIME, 1, DAY, NULL, "30s", "CLONEBOX_CONNECT_TIMEOUT", "connect-timeout",
	 "how long a host may take to answer at all"},
	{CB_SET_CALL_TIMEOUT, "call_timeout", CB_SETTING_TIME, 0, DAY, NULL, "60s", "CLONEBOX_CALL_TIMEOUT", "call-timeout",
	 "how long a call to a host may take, twice that where it changes something; 0s: for ever"},
	{CB_SET_LOCK_TIMEOUT, "lock_timeout", CB_SETTING_TIME, 0, DAY, NULL, "30s", "CLONEBOX_LOCK_TIMEOUT", "lock-timeout",
	 "how long to wait for another run"},
	{CB_SET_SHUTDOWN_TIMEOUT, "shutdown_timeout", CB_SETTING_TIME, 0, DAY, NULL, "60s", "CLONEBOX_SHUTDOWN_TIMEOUT", "shutdown-timeout",
	 "how long a guest may take to shut down"},
	{CB_SET_WAIT_TIMEOUT, "wait_timeout", CB_SETTING_TIME, 0, 7 * DAY, NULL, "5m", "CLONEBOX_WAIT_TIMEOUT", "wait-timeout",
	 "how long `apply --wait` waits for guests, for all of them together"},
	{CB_SET_TRASH_TTL, "trash_ttl", CB_SETTING_TIME, 1, 347 * DAY, NULL, "7d", "CLONEBOX_TRASH_TTL", "trash-ttl",
	 "how long what goes to the trash is kept"},
	{CB_SET_HISTORY_AGE, "history_age", CB_SETTING_TIME, 0, 3650 * DAY, NULL, "90d", "CLONEBOX_HISTORY_AGE", NULL,
	 "how long the journals of finished transactions are kept, for `clonebox history`"},
	{CB_SET_HISTORY_MB, "history_mb", CB_SETTING_NUMBER, 0, 1024 * 1024, NULL, "64", "CLONEBOX_HISTORY_MB", NULL,
	 "how large they may become together, in MiB; the oldest go first"},
	{CB_SET_COLOR, "color", CB_SETTING_WORD, 0, 0, "auto|always|never", "auto", "CLONEBOX_COLOR", "color",
	 "colour; NO_COLOR means never"},
	{CB_SET_LOG_FORMAT, "log_format", CB_SETTING_WORD, 0, 0, "text|json", "text", "CLONEBOX_LOG_FORMAT", "log-format",
	 "how messages are printed"},
};

/* clang-format on */

_Static_assert(CB_COUNT(settings) == CB_SETTINGS, "one row per setting");

const struct cb_setting *cb_setting_at(enum cb_setting_id id)
{
	CB_ASSERT(settings[id].id == id);
	return &settings[id];
}

const struct cb_setting *cb_setting_find(const char *name)
{
	for (size_t i = 0; i < CB_COUNT(settings); i++) {
		if (strcmp(settings[i].name, name) == 0)
			return &settings[i];
	}
	return NULL;
}

const struct cb_setting *cb_setting_of_option(const char *option)
{
	for (size_t i = 0; i < CB_COUNT(settings); i++) {
		if (settings[i].option && strcmp(settings[i].option, option) == 0)
			return &settings[i];
	}
	return NULL;
}

int cb_setting_unknown(const char *name, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_str struct cb_str names = {0};
	const char *nearest;

	for (size_t i = 0; i < CB_COUNT(settings); i++)
		cb_str_printf(&names, "%s%s", i ? " " : "", settings[i].name);
	nearest = cb_suggest_word(&arena, names.text, name);
	(void)cb_error_set(err, CB_E_USAGE, "there is no setting '%s'", name);
	if (nearest)
		return cb_error_hint(err, "did you mean '%s'?", nearest);
	return cb_error_hint(err, "`clonebox config list` shows all of them");
}

const char *cb_setting_from_name(enum cb_setting_from from)
{
	switch (from) {
	case CB_SETTING_BY_DEFAULT:
		return "default";
	case CB_SETTING_BY_FILE:
		return "file";
	case CB_SETTING_BY_ENVIRONMENT:
		return "environment";
	case CB_SETTING_BY_FLAG:
		return "flag";
	}
	return "";
}

/* Values. -------------------------------------------------------------------------------------- */

/* "90s", "15m", "2h", "7d": a bare number could be anything, but for 0. */
static int parse_time(const char *text, uint64_t *seconds)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	unsigned long unit = *end == 's'   ? 1
			     : *end == 'm' ? MINUTE
			     : *end == 'h' ? HOUR
			     : *end == 'd' ? DAY
					   : 0;

	if (strcmp(text, "0") == 0) {
		*seconds = 0;
		return 0;
	}
	if (*text < '0' || *text > '9' || !unit || end[1] || n > UINT32_MAX)
		return -1;
	*seconds = (uint64_t)n * unit;
	return 0;
}

unsigned cb_setting_seconds(const char *text)
{
	uint64_t seconds = 0;

	CB_ASSERT(parse_time(text, &seconds) == 0 && seconds <= UINT32_MAX);
	return (unsigned)seconds;
}

static bool is_word(const char *words, const char *text)
{
	size_t len = strlen(text);

	for (const char *p = words; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL) {
		if (strcspn(p, "|") == len && strncmp(p, text, len) == 0)
			return true;
	}
	return false;
}

static void add_time(struct cb_str *out, uint64_t seconds)
{
	if (seconds >= DAY)
		cb_str_printf(out, "%" PRIu64 "d", seconds / DAY);
	else
		cb_str_printf(out, "%" PRIu64 "s", seconds);
}

void cb_setting_limits(const struct cb_setting *setting, struct cb_str *out)
{
	switch (setting->type) {
	case CB_SETTING_TEXT:
		cb_str_printf(out, "a text of %" PRIu64 " to %" PRIu64 " characters", setting->min,
			      setting->max);
		break;
	case CB_SETTING_DIRECTORY:
		cb_str_add(out, "an absolute path");
		break;
	case CB_SETTING_IMAGE:
		cb_str_add(out, "a name of `images:`, a volume of the pool, or an absolute path");
		break;
	case CB_SETTING_NUMBER:
		cb_str_printf(out, "a number from %" PRIu64 " to %" PRIu64, setting->min,
			      setting->max);
		break;
	case CB_SETTING_TIME:
		cb_str_add(out, "a time such as 30s, 15m, 2h or 7d, from ");
		add_time(out, setting->min);
		cb_str_add(out, " to ");
		add_time(out, setting->max);
		break;
	case CB_SETTING_WORD:
		for (const char *p = setting->words; *p; p += *p ? 1 : 0) {
			size_t len = strcspn(p, "|");

			cb_str_add_bytes(out, p, len);
			p += len;
			if (*p)
				cb_str_add(out, strchr(p + 1, '|') ? ", " : " or ");
			else
				break;
		}
		break;
	}
}

static bool printable(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	}
	return true;
}

static bool fits(const struct cb_setting *setting, const struct cb_setting_value *value)
{
	const char *text = value->text;
	/* What is said in a shell may be relative to where it is said. */
	bool written = value->from == CB_SETTING_BY_FILE;
	uint64_t number = 0;
	size_t len = strlen(text);

	switch (setting->type) {
	case CB_SETTING_NUMBER:
		return cb_parse_u64(text, &number) == 0 && number >= setting->min &&
		       number <= setting->max;
	case CB_SETTING_TIME:
		return parse_time(text, &number) == 0 && number >= setting->min &&
		       number <= setting->max;
	case CB_SETTING_WORD:
		return is_word(setting->words, text);
	case CB_SETTING_IMAGE:
		if (strchr(text, '/') && text[0] != '/')
			return false;
		break;
	case CB_SETTING_DIRECTORY:
		if (written && text[0] != '/')
			return false;
		break;
	case CB_SETTING_TEXT:
		break;
	}
	return len >= setting->min && len <= setting->max && printable(text);
}

int cb_setting_check(const struct cb_setting *setting, const struct cb_setting_value *value,
		     struct cb_error *err)
{
	cb_auto_str struct cb_str limits = {0};

	if (fits(setting, value))
		return 0;
	cb_setting_limits(setting, &limits);
	return cb_error_set(err, CB_E_USAGE, "%s must be %s", value->where, limits.text);
}

/* Where values come from. ---------------------------------------------------------------------- */

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] ? value : NULL;
}

const char *cb_settings_path(struct cb_arena *arena, const char *named, bool *must_exist)
{
	const char *xdg = environment("XDG_CONFIG_HOME"), *home = environment("HOME");

	named = named ? named : environment("CLONEBOX_CONFIG");
	*must_exist = named != NULL;
	if (named)
		return cb_arena_strdup(arena, named);
	if (geteuid() == 0)
		return "/etc/clonebox/config.yaml";
	if (xdg)
		return cb_arena_printf(arena, "%s/clonebox/config.yaml", xdg);
	return home ? cb_arena_printf(arena, "%s/.config/clonebox/config.yaml", home) : NULL;
}

static const char *default_state_dir(struct cb_arena *arena)
{
	const char *xdg = environment("XDG_STATE_HOME"), *home = environment("HOME");

	if (geteuid() == 0)
		return "/var/lib/clonebox";
	if (xdg)
		return cb_arena_printf(arena, "%s/clonebox", xdg);
	return home ? cb_arena_printf(arena, "%s/.local/state/clonebox", home) : NULL;
}

static int from_environment(struct cb_setting_value *values, struct cb_error *err)
{
	for (size_t i = 0; i < CB_SETTINGS; i++) {
		const char *variable = settings[i].variable, *text = environment(variable);

		/* https://no-color.org: any value will do. */
		if (!text && i == CB_SET_COLOR && environment("NO_COLOR")) {
			variable = "NO_COLOR";
			text = "never";
		}
		if (!text || values[i].text)
			continue;
		values[i] = (struct cb_setting_value){text, CB_SETTING_BY_ENVIRONMENT, variable, 0};
		if (cb_setting_check(&settings[i], &values[i], err) < 0)
			return cb_error_hint(err, "change that variable, or unset it");
	}
	return 0;
}

/* What stands in a file is no word of the command line. */
static int in_file(const char *path, const struct cb_setting_line *line, struct cb_error *err)
{
	err->code = CB_E_INVALID;
	(void)cb_error_hint(err, "`clonebox config unset %s` takes it out", line->name);
	return cb_error_wrap(err, "%s:%u:%u", path, line->line, line->column);
}

static int from_file(struct cb_arena *arena, const char *path, bool must_exist,
		     struct cb_setting_value *values, struct cb_error *err)
{
	struct cb_settings_file file = {0};
	int r = cb_settings_read(arena, path, must_exist, &file, err);

	if (r < 0)
		return r;
	cb_vec_each (const struct cb_setting_line, line, &file.lines) {
		const struct cb_setting *setting = cb_setting_find(line->name);
		struct cb_setting_value value = {line->text, CB_SETTING_BY_FILE, line->name,
						 line->line};

		if (!setting) {
			(void)cb_setting_unknown(line->name, err);
			return in_file(path, line, err);
		}
		if (!line->text)
			continue;
		if (cb_setting_check(setting, &value, err) < 0)
			return in_file(path, line, err);
		value.where = path;
		if (!values[setting->id].text)
			values[setting->id] = value;
	}
	return 0;
}

int cb_settings_resolve(struct cb_arena *arena, const char *named, struct cb_setting_value *values,
			struct cb_error *err)
{
	bool must_exist = false;
	const char *path = cb_settings_path(arena, named, &must_exist);
	int r = from_environment(values, err);

	if (r == 0 && path)
		r = from_file(arena, path, must_exist, values, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < CB_SETTINGS; i++) {
		if (!values[i].text)
			values[i].text = i == CB_SET_STATE_DIR ? default_state_dir(arena)
							       : settings[i].initial;
	}
	return 0;
}
