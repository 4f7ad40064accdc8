/*
 * log.h: messages for people and machines about what the program does, on stderr.
 *
 * (The journal is something else: the record of transactions.) Set up once by main, before any
 * thread; cb_log may then be called from any thread: one message is one write. An event name is
 * stable and kebab-case ("domain-defined"), the text is free. Never pass a secret.
 */
#ifndef CB_BASE_LOG_H
#define CB_BASE_LOG_H

#include "reconciler/base/compiler.h"

enum cb_log_level { CB_LOG_ERROR, CB_LOG_WARN, CB_LOG_INFO, CB_LOG_DEBUG };

enum cb_log_format { CB_LOG_TEXT, CB_LOG_JSON };

void cb_log_init(enum cb_log_level level, enum cb_log_format format);

void cb_log(enum cb_log_level level, const char *event, const char *fmt, ...) CB_PRINTF(3, 4);

#endif
