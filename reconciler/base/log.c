#include "reconciler/base/log.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reconciler/base/error.h"
#include "reconciler/base/str.h"

static struct {
	enum cb_log_level level;
	enum cb_log_format format;
} settings = {CB_LOG_WARN, CB_LOG_TEXT};

static const char *const names[] = {"error", "warning", "info", "debug"};

void cb_log_init(enum cb_log_level level, enum cb_log_format format)
{
	settings.level = level;
	settings.format = format;
}

void cb_log(enum cb_log_level level, const char *event, const char *fmt, ...)
{
	cb_auto_str struct cb_str line = {0};
	char *text = NULL;
	va_list ap;
	int len;

	if (level > settings.level)
		return;
	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len < 0)
		cb_oom();
	if (settings.format == CB_LOG_JSON) {
		json_auto_t *record = json_pack("{s:s,s:s,s:s}", "event", event, "level",
						names[level], "message", text);
		char *dump = record ? json_dumps(record, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

		cb_str_printf(&line, "%s\n", dump ? dump : "{}");
		free(dump);
	} else {
		cb_str_printf(&line, "%s: %s\n", names[level], text);
	}
	free(text);
	(void)!write(STDERR_FILENO, line.text, line.len);
}
