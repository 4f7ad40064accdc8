/*
 * error.h: the one error object.
 *
 * Calling sequence: the outermost caller owns the object on its stack, everybody below fills it:
 *
 *	cb_auto_error struct cb_error err = {0};
 *	if ((r = cb_journal_open(..., &err)) < 0)
 *		return cb_error_wrap(&err, "transaction %s", id);
 *
 * Functions that can fail return 0 (or a count) or a negative enum cb_code, and touch `err` only on
 * failure. `err` is never NULL. The message says what and why, the hint says what to try; each
 * layer that knows one more noun adds it with cb_error_wrap. Messages are heap strings that the
 * object owns.
 */
#ifndef CB_BASE_ERROR_H
#define CB_BASE_ERROR_H

#include <stdarg.h>

#include "reconciler/base/compiler.h"

/* Few, and each says who has to act. Returned negated. */
enum cb_code {
	CB_E_INVALID = 1, /* the person: manifest or arguments are wrong */
	CB_E_USAGE,       /* the person: the command line is wrong */
	CB_E_NOT_FOUND,   /* the thing asked for is certainly not there */
	CB_E_EXISTS,      /* something of that identity is there already */
	CB_E_CONFLICT,    /* the world is not as the plan saw it */
	CB_E_REFUSED,     /* a guard wants consent */
	CB_E_BUSY,        /* another run holds the lock */
	CB_E_UNAVAILABLE, /* libvirt cannot be reached or did not answer: nothing is known */
	CB_E_TIMEOUT,     /* it took too long: the effect may still come */
	CB_E_UNCLEAR,     /* the host answers, and cannot be right: a person has to look first */
	CB_E_UNSUPPORTED, /* this libvirt or this version of clonebox cannot do it */
	CB_E_DENIED,      /* permission */
	CB_E_FAILED,      /* libvirt said no, for good */
	CB_E_IO,          /* the local file system failed */
	CB_E_CORRUPT,     /* a journal does not read back as it was written */
	CB_E_INTERRUPTED, /* the person pressed Ctrl-C */
	CB_E_INTERNAL,    /* a bug in clonebox */
};

struct cb_error {
	enum cb_code code;
	int sys_errno; /* 0, or the errno behind it */
	char *message; /* owned */
	char *hint;    /* owned, may be NULL: what to try */
};

/* Replaces what was there. Returns -code. */
int cb_error_set(struct cb_error *err, enum cb_code code, const char *fmt, ...) CB_PRINTF(3, 4);

/* As cb_error_set, and appends ": <strerror(errnum)>". EACCES and EPERM become CB_E_DENIED. */
int cb_error_errno(struct cb_error *err, int errnum, const char *fmt, ...) CB_PRINTF(3, 4);

/* Puts "fmt: " before the message. Returns -code. */
int cb_error_wrap(struct cb_error *err, const char *fmt, ...) CB_PRINTF(2, 3);

/* Sets the hint, unless a deeper layer already gave one. Returns -code. */
int cb_error_hint(struct cb_error *err, const char *fmt, ...) CB_PRINTF(2, 3);

/* Moves what src says into dst. Returns -code. */
int cb_error_move(struct cb_error *dst, struct cb_error *src);

/* Forgets the error; safe on a zeroed object. */
void cb_error_release(struct cb_error *err);

/* A word for logs and JSON: "invalid", "busy", ... */
const char *cb_code_name(enum cb_code code);

#define cb_auto_error CB_CLEANUP(cb_error_release)

/* Out of memory ends the program with a message: recovery from the journal has to survive a kill
 * anyway, and code for the other way would never be run. */
CB_NORETURN void cb_oom(void);

/* A broken invariant ends the program (exit code 70) and says what to report. */
CB_NORETURN void cb_bug(const char *file, int line, const char *what);

#define CB_ASSERT(cond) ((cond) ? (void)0 : cb_bug(__FILE__, __LINE__, #cond))

#endif
