/* explain_internal.h: words for rows of the table, for all that people read of them. */
#ifndef CB_SCHEMA_EXPLAIN_INTERNAL_H
#define CB_SCHEMA_EXPLAIN_INTERNAL_H

#include "schema/explain.h"

struct cb_explain_place {
	enum cb_scope scope;
	const char *prefix; /* of paths, as people say them */
	const char *key;    /* of the top level */
	const char *title, *where;
};

enum { CB_EXPLAIN_PLACES = 9 };

/* The places where keys stand, in the order in which people should read of them. */
extern const struct cb_explain_place cb_explain_places[CB_EXPLAIN_PLACES];

/* Appends what kind of value it is: "whole number of MiB". */
void cb_explain_type(struct cb_str *out, const struct cb_field *field);

/* Appends between what it has to be: nothing where there is no limit. */
void cb_explain_limits(struct cb_str *out, const struct cb_field *field);

/* The default, as people write it; only of a row that has one. */
const char *cb_explain_initial(const struct cb_field *field);

/* Whether keys of another place stand below it. */
bool cb_explain_is_container(const struct cb_field *field);

#endif
