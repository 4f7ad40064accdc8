#include "reconciler/base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *CB_PRINTF(1, 0) vformat(const char *fmt, va_list ap)
{
	char *text = NULL;

	if (vasprintf(&text, fmt, ap) < 0)
		cb_oom();
	return text;
}

static int fill(struct cb_error *err, enum cb_code code, int errnum, char *message)
{
	cb_error_release(err);
	err->code = code;
	err->sys_errno = errnum;
	err->message = message;
	return -(int)code;
}

int cb_error_set(struct cb_error *err, enum cb_code code, const char *fmt, ...)
{
	va_list ap;
	char *message;

	va_start(ap, fmt);
	message = vformat(fmt, ap);
	va_end(ap);
	return fill(err, code, 0, message);
}

int cb_error_errno(struct cb_error *err, int errnum, const char *fmt, ...)
{
	enum cb_code code = errnum == EACCES || errnum == EPERM ? CB_E_DENIED : CB_E_IO;
	va_list ap;
	char *head, *message;

	va_start(ap, fmt);
	head = vformat(fmt, ap);
	va_end(ap);
	if (asprintf(&message, "%s: %s", head, strerror(errnum)) < 0)
		cb_oom();
	free(head);
	return fill(err, code, errnum, message);
}

int cb_error_wrap(struct cb_error *err, const char *fmt, ...)
{
	va_list ap;
	char *head, *message;

	va_start(ap, fmt);
	head = vformat(fmt, ap);
	va_end(ap);
	if (asprintf(&message, "%s: %s", head, err->message ? err->message : "unknown error") < 0)
		cb_oom();
	free(head);
	free(err->message);
	err->message = message;
	return -(int)err->code;
}

int cb_error_hint(struct cb_error *err, const char *fmt, ...)
{
	va_list ap;

	if (!err->hint) {
		va_start(ap, fmt);
		err->hint = vformat(fmt, ap);
		va_end(ap);
	}
	return -(int)err->code;
}

int cb_error_move(struct cb_error *dst, struct cb_error *src)
{
	struct cb_error moved = *src;

	*src = (struct cb_error){0};
	cb_error_release(dst);
	*dst = moved;
	return -(int)dst->code;
}

void cb_error_release(struct cb_error *err)
{
	free(err->message);
	free(err->hint);
	*err = (struct cb_error){0};
}

const char *cb_code_name(enum cb_code code)
{
	switch (code) {
	case CB_E_INVALID:
		return "invalid";
	case CB_E_USAGE:
		return "usage";
	case CB_E_NOT_FOUND:
		return "not-found";
	case CB_E_EXISTS:
		return "exists";
	case CB_E_CONFLICT:
		return "conflict";
	case CB_E_REFUSED:
		return "refused";
	case CB_E_BUSY:
		return "busy";
	case CB_E_UNAVAILABLE:
		return "unavailable";
	case CB_E_TIMEOUT:
		return "timeout";
	case CB_E_UNCLEAR:
		return "unclear";
	case CB_E_UNSUPPORTED:
		return "unsupported";
	case CB_E_DENIED:
		return "denied";
	case CB_E_FAILED:
		return "failed";
	case CB_E_IO:
		return "io";
	case CB_E_CORRUPT:
		return "corrupt";
	case CB_E_INTERRUPTED:
		return "interrupted";
	case CB_E_INTERNAL:
		return "internal";
	}
	return "unknown";
}

void cb_oom(void)
{
	static const char text[] = "clonebox: out of memory\n";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	abort();
}

void cb_bug(const char *file, int line, const char *what)
{
	fprintf(stderr,
		"clonebox: bug: %s:%d: '%s' does not hold\n"
		"Please report this line, the command and `clonebox version`; the journal is "
		"intact.\n",
		file, line, what);
#ifdef CB_BUG_ABORTS
	/* The fuzzer keeps the input of what dies by a signal. */
	abort();
#else
	_exit(70);
#endif
}
