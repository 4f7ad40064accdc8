/*
 * yaml_error.h: what libyaml complains of, in words for people.
 */
#ifndef CB_SCHEMA_YAML_ERROR_H
#define CB_SCHEMA_YAML_ERROR_H

#include <yaml.h>

#include "schema/problem.h"

/* Reports why the parser stopped. */
void cb_yaml_explain_error(struct cb_arena *arena, const char *file, const char *bytes, size_t len,
			   const yaml_parser_t *parser, struct cb_problems *problems);

/* Reports the first byte that is not text in UTF-8, at its place. Returns 0 if there is none, else
 * -1. libyaml would only say how many bytes into the file. */
int cb_yaml_check_encoding(struct cb_arena *arena, const char *file, const char *bytes, size_t len,
			   struct cb_problems *problems);

#endif
