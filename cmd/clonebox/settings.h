/*
 * settings.h: what a person sets once instead of saying it each time. ONE table (settings.c): the
 * parser of options, `config`, the manual and the completion read it.
 *
 * A value comes from the flag, else the environment, else the file, else it is built in:
 *
 *	struct cb_setting_value values[CB_SETTINGS] = {0};   the flags are in it already
 *	if ((r = cb_settings_resolve(&arena, cli->config, values, err)) < 0)
 *		return r;
 *
 * The file is a map of YAML. It is written so that the rest of it, comments included, stays as it
 * is. Texts live in the arena, the flags' in argv.
 */
#ifndef CB_CMD_SETTINGS_H
#define CB_CMD_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reconciler/base/arena.h"
#include "reconciler/base/error.h"
#include "reconciler/base/str.h"

enum cb_setting_id {
	CB_SET_CONNECT,
	CB_SET_STATE_DIR,
	CB_SET_POOL,
	CB_SET_BASE_IMAGE,
	CB_SET_PARALLEL,
	CB_SET_CONNECT_TIMEOUT,
	CB_SET_CALL_TIMEOUT,
	CB_SET_LOCK_TIMEOUT,
	CB_SET_SHUTDOWN_TIMEOUT,
	CB_SET_WAIT_TIMEOUT,
	CB_SET_TRASH_TTL,
	CB_SET_HISTORY_AGE,
	CB_SET_HISTORY_MB,
	CB_SET_COLOR,
	CB_SET_LOG_FORMAT,
	CB_SETTINGS,
};

enum cb_setting_type {
	CB_SETTING_TEXT,
	CB_SETTING_DIRECTORY, /* absolute where it is written down */
	CB_SETTING_IMAGE,     /* a name, or an absolute path */
	CB_SETTING_NUMBER,
	CB_SETTING_TIME, /* limits in seconds */
	CB_SETTING_WORD, /* one of `words` */
};

struct cb_setting {
	enum cb_setting_id id;
	const char *name;
	enum cb_setting_type type;
	uint64_t min, max;    /* of numbers and times; of texts, in characters */
	const char *words;    /* "auto|always|never" */
	const char *initial;  /* built in; NULL: nothing, or found out */
	const char *variable; /* of the environment */
	const char *option;   /* without dashes; NULL: there is none */
	const char *doc;
};

enum cb_setting_from {
	CB_SETTING_BY_DEFAULT,
	CB_SETTING_BY_FILE,
	CB_SETTING_BY_ENVIRONMENT,
	CB_SETTING_BY_FLAG,
};

struct cb_setting_value {
	const char *text; /* NULL: nothing is set */
	enum cb_setting_from from;
	const char *where; /* "--pool", "CLONEBOX_POOL", the file; NULL: built in */
	unsigned line;     /* in the file */
};

/* In the order of the enum. */
const struct cb_setting *cb_setting_at(enum cb_setting_id id);

/* NULL where there is none. */
const struct cb_setting *cb_setting_find(const char *name);
const struct cb_setting *cb_setting_of_option(const char *option);

/* CB_E_USAGE "there is no setting 'X'", with the nearest one. */
int cb_setting_unknown(const char *name, struct cb_error *err);

/* What may stand there, for people: "a number from 1 to 64". */
void cb_setting_limits(const struct cb_setting *setting, struct cb_str *out);

/* CB_E_USAGE "WHERE must be ...". */
CB_CHECKED int cb_setting_check(const struct cb_setting *setting,
				const struct cb_setting_value *value, struct cb_error *err);

/* "default", "file", "environment", "flag" */
const char *cb_setting_from_name(enum cb_setting_from from);

/* A time that has been checked, in seconds. */
unsigned cb_setting_seconds(const char *text);

/* The file: `named` (--config), CLONEBOX_CONFIG, /etc/clonebox/config.yaml for root, else XDG's.
 * `must_exist`: a person named it. NULL where there is no home. */
const char *cb_settings_path(struct cb_arena *arena, const char *named, bool *must_exist);

/* Fills in what the flags do not say. CB_E_USAGE for a bad variable, CB_E_INVALID for what is wrong
 * in the file, CB_E_NOT_FOUND where a file that was named is not there. */
CB_CHECKED int cb_settings_resolve(struct cb_arena *arena, const char *named,
				   struct cb_setting_value *values, struct cb_error *err);

/* The file alone, key by key, known or not. In settings_file.c. */
struct cb_setting_line {
	const char *name, *text; /* text: NULL where it says nothing */
	unsigned line, column;
};

struct cb_settings_file {
	CB_VEC(struct cb_setting_line) lines;
};

/* An absent file is an empty one unless it must exist. */
CB_CHECKED int cb_settings_read(struct cb_arena *arena, const char *path, bool must_exist,
				struct cb_settings_file *out, struct cb_error *err);

/* Writes a value that has been checked, or takes the key out (`text` NULL). Returns 1 if the file
 * changed, 0 if it was so already. Atomic; one writer at a time; mode 0600. */
CB_CHECKED int cb_settings_write(const char *path, const char *name, const char *text,
				 struct cb_error *err);

#endif
