/*
 * yaml.h: YAML text as a tree whose every node knows its place.
 *
 * libyaml turns the text into events, this turns events into nodes, within limits: a manifest comes
 * from people, perhaps through a web hook. Anchors are resolved (an alias is the same node once
 * more), merge keys (`<<`) are merged, duplicate keys are found. What the values mean is
 * decode.c's business.
 *
 *	struct cb_yaml yaml = {0};
 *	cb_yaml_parse(&arena, &text, &yaml, &problems);
 *
 * The documents in front of a syntax error are there, so that one run tells of everything.
 */
#ifndef CB_SCHEMA_YAML_H
#define CB_SCHEMA_YAML_H

#include "reconciler/model/text.h"
#include "reconciler/model/vm.h"

enum {
	CB_YAML_DEPTH = 32,         /* collections in collections */
	CB_YAML_NODES = 100 * 1000, /* in one file, each alias counted as what it stands for */
	CB_YAML_ANCHORS = 1000,     /* in one file */
};

enum cb_yaml_kind { CB_YAML_SCALAR, CB_YAML_MAP, CB_YAML_LIST };

struct cb_yaml_node;

struct cb_yaml_pair {
	struct cb_yaml_node *key, *value;
	bool duplicate; /* reported; the other one counts: the first, leniently the last */
};

struct cb_yaml_node {
	enum cb_yaml_kind kind;
	unsigned line, column;         /* from 1 */
	unsigned end_line, end_column; /* of a scalar: the first place behind it */
	const char *tag;               /* NULL if none was written */

	/* a scalar */
	const char *text; /* `len` bytes and a NUL; an escape may have put a NUL inside, too */
	size_t len;
	bool plain;    /* neither quoted nor a block */
	bool expanded; /* by variables.c: holds what a variable stands for, not to be shown */

	CB_VEC(struct cb_yaml_pair) pairs;   /* a map */
	CB_VEC(struct cb_yaml_node *) items; /* a list */

	size_t weight;   /* nodes in it, itself included */
	unsigned height; /* of collections: 0 for a scalar */
	bool complete;   /* false while it is being read: an alias to it would be a loop */
};

/* A part of the text; the end is the first place behind it. */
struct cb_span {
	unsigned line, column, end_line, end_column;
};

struct cb_spans {
	struct cb_span *items;
	size_t len, cap;
};

struct cb_yaml {
	CB_VEC(struct cb_yaml_node *) documents;
	bool broken;             /* it could not be read to its end */
	struct cb_spans secrets; /* what must not be shown with the lines that it stands in */
};

/* `file` is the name for messages; it has to live as long as the arena. */
void cb_yaml_parse(struct cb_arena *arena, const char *file, const struct cb_manifest_text *text,
		   struct cb_yaml *yaml, struct cb_problems *problems);

/* "a map", "a list", "text" */
const char *cb_yaml_kind_name(enum cb_yaml_kind kind);

#endif
