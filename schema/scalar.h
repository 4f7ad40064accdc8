/*
 * scalar.h: what YAML 1.1 and 1.2 loaders read out of an unquoted scalar.
 *
 * CloneBox's loader is a YAML 1.1 one, editors and other tools read 1.2. Where a text is anything
 * but text for either of them, people have to say what they mean, so this is the union of both.
 */
#ifndef CB_SCHEMA_SCALAR_H
#define CB_SCHEMA_SCALAR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cb_scalar {
	CB_SCALAR_TEXT,
	CB_SCALAR_NULL,        /* nothing, ~, null */
	CB_SCALAR_BOOL,        /* true, yes, on, ... */
	CB_SCALAR_INT,         /* 12, -3 */
	CB_SCALAR_PLUS,        /* +12 */
	CB_SCALAR_ZERO,        /* 010 is 8 in YAML 1.1 */
	CB_SCALAR_RADIX,       /* 0x1f, 0b1, 0o7 */
	CB_SCALAR_UNDERSCORE,  /* 1_000 */
	CB_SCALAR_SEXAGESIMAL, /* 22:22 is 1342 in YAML 1.1 */
	CB_SCALAR_FLOAT,       /* 1.5, 1e3, .inf */
	CB_SCALAR_DATE,        /* 2026-01-31 */
};

enum cb_scalar cb_scalar_of(const char *text);

/* For messages: "a boolean", "a date", ... */
const char *cb_scalar_name(enum cb_scalar scalar);

/* The value of a text of kind CB_SCALAR_BOOL. */
bool cb_scalar_bool(const char *text);

/* The value of a text of kind CB_SCALAR_INT; 0, or -1 if it does not fit. */
int cb_scalar_int(const char *text, int64_t *value);

/* "512MiB", "100GiB", "2TB" (decimal without i) in bytes, INT64_MAX if it is more than fits; 0, or
 * -1 if it is none. */
int cb_scalar_size(const char *text, int64_t *bytes);

/* A plain text of that kind as JSON; what YAML 1.1 reads in odd ways stays text. NULL: not UTF-8,
 * or a NUL in it. */
json_t *cb_scalar_json(enum cb_scalar kind, const char *text, size_t len);

#endif
