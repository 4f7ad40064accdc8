/*
 * utf8.h: characters of UTF-8, as YAML counts them and as people see them. Pure.
 */
#ifndef CB_SCHEMA_UTF8_H
#define CB_SCHEMA_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Length of the character at `p`, 0 if there is none; `code` gets it. */
size_t cb_utf8_next(const char *p, size_t left, unsigned long *code);

/* Whether a line ends with it. "\r\n" is one end: the caller sees to that. */
bool cb_utf8_is_break(unsigned long code);

/* Whether it must not be shown as it is: a terminal acts on it, or nobody sees it, or it looks like
 * the blank that it is not. */
bool cb_utf8_is_hidden(unsigned long code);

/* Columns that it takes on a terminal: 0, 1 or 2. */
unsigned cb_utf8_width(unsigned long code);

#endif
