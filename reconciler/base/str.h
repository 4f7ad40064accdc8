/*
 * str.h: a string that grows, for text that is built up and then written out.
 *
 *	cb_auto_str struct cb_str out = {0};
 *	cb_str_printf(&out, "%zu domains\n", n);
 *	fwrite(out.text, 1, out.len, stdout);
 *
 * `text` is always NUL-terminated and never NULL after the first call that adds something; use
 * cb_str_text() where the string may be empty. Heap memory, owned by the struct.
 */
#ifndef CB_BASE_STR_H
#define CB_BASE_STR_H

#include <stddef.h>
#include <stdint.h>

#include "reconciler/base/compiler.h"

struct cb_str {
	char *text;
	size_t len, cap;
};

void cb_str_add(struct cb_str *str, const char *text);

void cb_str_add_bytes(struct cb_str *str, const void *bytes, size_t len);

void cb_str_printf(struct cb_str *str, const char *fmt, ...) CB_PRINTF(2, 3);

/* Forgets the content, keeps the memory. */
void cb_str_clear(struct cb_str *str);

/* Overwrites the memory before it is freed: for what may hold a secret. */
void cb_str_wipe(struct cb_str *str);

void cb_str_release(struct cb_str *str);

/* The content, "" when empty. */
const char *cb_str_text(const struct cb_str *str);

#define cb_auto_str CB_CLEANUP(cb_str_release)

/* Parses a whole decimal number without sign, blanks or rest. Returns 0 or -1. */
int cb_parse_u64(const char *text, uint64_t *value);

/* "1.5 GiB": for people. */
void cb_str_size(struct cb_str *str, uint64_t bytes);

#endif
