/* format_internal.h: the text of a manifest as a tree that remembers how it was written: what
 * format_read.c (text → tree), format_comment.c (comments → places in the tree), format_order.c
 * (order of keys), format_layout.c (what goes on one line) and format_print.c share. */
#ifndef CB_SCHEMA_FORMAT_INTERNAL_H
#define CB_SCHEMA_FORMAT_INTERNAL_H

#include "reconciler/base/arena.h"
#include "schema/format.h"

struct cb_format_comment {
	size_t at; /* offset of the '#' */
	size_t line, column;
	const char *text; /* from the '#' to the end of the line, without blanks there */
	bool own_line;    /* nothing else stands on its line */
	bool blank;       /* behind an empty line */
};

typedef CB_VEC(struct cb_format_comment *) cb_format_comments;

enum cb_format_kind { CB_FORMAT_SCALAR, CB_FORMAT_ALIAS, CB_FORMAT_MAP, CB_FORMAT_LIST };

enum cb_format_style { CB_FORMAT_PLAIN, CB_FORMAT_QUOTED, CB_FORMAT_LITERAL, CB_FORMAT_FOLDED };

struct cb_format_node;

/* A key and its value, an item of a list (no key), or what a document holds (no key). */
struct cb_format_entry {
	struct cb_format_node *key, *value;
	cb_format_comments leading;           /* above it */
	cb_format_comments under;             /* below a key without a value, farther in */
	const struct cb_format_comment *head; /* on its line, with the value below */
	const struct cb_format_comment *end;  /* on its line, behind the value */
	bool blank;                           /* behind an empty line, or its last comment is */
};

struct cb_format_node {
	enum cb_format_kind kind;
	enum cb_format_style style; /* of a scalar */
	bool flow;                  /* of a map or list: [] or {} */
	size_t start;               /* offsets: of the first property, */
	size_t content, end;        /* of what is behind the properties, and behind that */
	size_t outer;               /* column of the block that holds it; SIZE_MAX: none does */
	const char *properties;     /* "&web !!map", as it was written, or NULL */
	const char *anchor;         /* "web", or NULL */
	const char *text;           /* value of a scalar, name of an alias */
	size_t len;
	const char *line; /* set by the layout: it stays on one line, and this is it */
	CB_VEC(struct cb_format_entry) entries;
	cb_format_comments tail; /* behind the last entry */
};

struct cb_format_document {
	const char *directives;    /* lines in front of its "---", or NULL */
	bool marked;               /* begins with "---" */
	size_t start, limit;       /* offsets: where it begins, where the next one does */
	cb_format_comments before; /* in front of the "---" of the first one */
	cb_format_comments top;    /* about the file, not about the first key */
	bool parted;               /* an empty line stands behind the top */
	cb_format_comments tail;
	struct cb_format_entry root; /* value NULL: there was nothing but comments */
};

struct cb_format_range {
	size_t start, end;
};

struct cb_format_file {
	struct cb_arena *arena;
	const char *bytes;
	size_t len;
	size_t *lines; /* offsets where lines begin */
	size_t n_lines;
	bool anchors;   /* there are some */
	size_t odd_key; /* line of the first key that is a map or list; 0: none */
	CB_VEC(struct cb_format_range) solid; /* what may hold a '#' that is no comment; sorted */
	CB_VEC(struct cb_format_comment) comments; /* sorted */
	CB_VEC(struct cb_format_document) documents;
};

/* Whether a line of YAML 1.1 ends at the offset: the length of the break, 0 where none is. */
size_t cb_format_break(const struct cb_format_file *file, size_t at);

/* The line of an offset, and its column in bytes, both from 0. */
size_t cb_format_line(const struct cb_format_file *file, size_t at);
size_t cb_format_column(const struct cb_format_file *file, size_t at);

/* Behind blanks, line breaks and comments. */
size_t cb_format_skip_blanks(const struct cb_format_file *file, size_t at);

/* Behind the anchor, alias or tag that begins there. */
size_t cb_format_skip_property(const struct cb_format_file *file, size_t at);

/* Text that cb_yaml_parse has accepted → tree, without comments. Returns 0, or -1 if it is not
 * read after all. */
int cb_format_read(struct cb_arena *arena, const char *bytes, size_t len,
		   struct cb_format_file *file);

/* Finds all comments. */
void cb_format_find_comments(struct cb_format_file *file);

/* Gives each comment its place in the tree. */
void cb_format_attach(struct cb_format_file *file);

/* Puts the keys in order. */
void cb_format_order(struct cb_format_file *file);

/* A map or list that has something in it. */
bool cb_format_is_container(const struct cb_format_node *node);

/* The same, and each entry of it gets its own line. */
bool cb_format_is_block(const struct cb_format_node *node);

/* Whether the key needs a line of its own, behind "? ". */
bool cb_format_key_is_explicit(const struct cb_format_node *key);

/* What a node is on one line, its properties included. */
void cb_format_flow(struct cb_str *out, const struct cb_format_node *node, bool in_flow);

/* Decides what stays on one line, and finds places for the comments that lose theirs. */
void cb_format_layout(struct cb_format_file *file);

void cb_format_print(const struct cb_format_file *file, struct cb_str *out);

#endif
