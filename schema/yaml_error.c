#include "schema/yaml_error.h"

#include <string.h>

#include "reconciler/base/error.h"

/* libyaml's words, ours, and what to do. */
static const struct {
	const char *theirs, *ours, *fix;
} words[] = {
	{"mapping values are not allowed in this context", "a ':' cannot stand here",
	 "check the indentation of this line and the one above; quote a value that contains ': '"},
	{"did not find expected key", "this does not fit the map around it",
	 "keys of one map start in the same column, and each is 'key: value'"},
	{"did not find expected ',' or '}'", "expected ',' or '}'", NULL},
	{"did not find expected ',' or ']'", "expected ',' or ']'", NULL},
	{"did not find expected node content", "expected a value", NULL},
	{"did not find expected '-' indicator", "expected '-' of the next list item",
	 "items of one list start in the same column, each with '- '"},
	{"could not find expected ':'", "this line has no ':'",
	 "write 'key: value'; check the quotes and brackets before it"},
	{"found unexpected end of stream", "the file ends inside a quoted text", "close the quote"},
	{"found unexpected document indicator", "the document ends inside a quoted text",
	 "close the quote"},
	{"found unknown escape character", "unknown escape after '\\'",
	 "write '\\\\' for a backslash, or use single quotes"},
	{"found invalid Unicode character escape code", "this escape is not a character", NULL},
	{"block sequence entries are not allowed in this context", "a list cannot start here",
	 "start the list on a line of its own, or write [a, b]"},
	{"did not find expected <document start>", "text behind the end of the document",
	 "put '---' on a line of its own between documents"},
	{"found a tab character where an indentation space is expected",
	 "a tab is used for indentation", "indent with spaces"},
	{"found undefined tag handle", "this tag is not known", "leave the '!' tag out"},
	{"found incompatible YAML document", "this version of YAML is not known",
	 "leave the %YAML line out"},
};

/* Line and column, both from 1, the way libyaml counts them. */
struct place {
	unsigned line, column;
};

/* Length of the character at `p`, 0 if there is none; `code` gets it. */
static size_t character(const unsigned char *p, size_t left, unsigned long *code)
{
	static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t width;

	if (p[0] < 0x80) {
		*code = p[0];
		return 1;
	}
	if (p[0] >= 0xc2 && p[0] < 0xe0) {
		width = 2;
		*code = p[0] & 0x1fu;
	} else if (p[0] >= 0xe0 && p[0] < 0xf0) {
		width = 3;
		*code = p[0] & 0x0fu;
	} else if (p[0] >= 0xf0 && p[0] < 0xf5) {
		width = 4;
		*code = p[0] & 0x07u;
	} else {
		return 0;
	}
	if (width > left)
		return 0;
	for (size_t i = 1; i < width; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (p[i] & 0x3fu);
	}
	if (*code < least[width] || *code > 0x10ffff || (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return width;
}

static void advance(struct place *at, unsigned long code, unsigned char next)
{
	if (code == '\r' && next == '\n')
		return;
	if (code == '\n' || code == '\r' || code == 0x85 || code == 0x2028 || code == 0x2029) {
		at->line++;
		at->column = 1;
	} else {
		at->column++;
	}
}

static bool printable(unsigned long code)
{
	if (code < 0x20)
		return code == '\t' || code == '\n' || code == '\r';
	return code != 0x7f && (code < 0x80 || code > 0x9f || code == 0x85) && code != 0xfffe &&
	       code != 0xffff;
}

int cb_yaml_check_encoding(struct cb_arena *arena, const char *file, const char *bytes, size_t len,
			   struct cb_problems *problems)
{
	const unsigned char *p = (const unsigned char *)bytes;
	struct cb_schema_at at = {.severity = CB_PROBLEM, .check = "manifest.encoding"};
	struct place place = {1, 1};
	unsigned long code = 0;
	size_t i = 0;

	at.file = file;
	at.line = at.column = 1;
	if (len >= 2 && ((p[0] == 0xfe && p[1] == 0xff) || (p[0] == 0xff && p[1] == 0xfe))) {
		cb_schema_report(arena, problems, &at, "save the file as UTF-8",
				 "the file is encoded as UTF-16, expected UTF-8");
		return -1;
	}
	if (len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		i = 3;
	while (i < len) {
		size_t width = character(p + i, len - i, &code);

		at.line = place.line;
		at.column = place.column;
		if (width == 0) {
			cb_schema_report(arena, problems, &at, "save the file as UTF-8",
					 "byte 0x%02x is not UTF-8", p[i]);
			return -1;
		}
		if (code == 0) {
			cb_schema_report(arena, problems, &at,
					 "is this a text file? Save it as UTF-8",
					 "a NUL byte is not allowed");
			return -1;
		}
		if (!printable(code)) {
			cb_schema_report(arena, problems, &at,
					 "remove it; in double quotes an escape such as \\t can "
					 "stand for it",
					 "control character U+%04lX is not allowed", code);
			return -1;
		}
		i += width;
		advance(&place, code, i < len ? p[i] : 0);
	}
	return 0;
}

/* The byte at a mark. */
static char byte_at(const char *bytes, size_t len, const yaml_mark_t *mark)
{
	/* `index` counts characters; walk them, the text is known to be UTF-8. */
	size_t i = len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	for (size_t n = 0; i < len && n < mark->index; n++) {
		do
			i++;
		while (i < len && ((unsigned char)bytes[i] & 0xc0) == 0x80);
	}
	return i < len ? bytes[i] : '\0';
}

/* What was being read, and where it began, for errors that are noticed far behind their cause. */
static const char *opened(struct cb_arena *arena, const yaml_parser_t *parser)
{
	static const struct {
		const char *theirs, *ours;
	} contexts[] = {
		{"while parsing a flow mapping", "the '{'"},
		{"while parsing a flow sequence", "the '['"},
		{"while scanning a quoted scalar", "the quote"},
		{"while parsing a block mapping", "the map"},
		{"while parsing a block collection", "the list"},
		{"while scanning a simple key", "the key"},
	};

	if (!parser->context)
		return "";
	for (size_t i = 0; i < CB_COUNT(contexts); i++) {
		if (strcmp(contexts[i].theirs, parser->context) == 0)
			return cb_arena_printf(arena, " (%s began at line %zu, column %zu)",
					       contexts[i].ours, parser->context_mark.line + 1,
					       parser->context_mark.column + 1);
	}
	return "";
}

static void report_character(struct cb_arena *arena, const struct cb_schema_at *at, char found,
			     struct cb_problems *problems)
{
	if (found == '\t')
		cb_schema_report(arena, problems, at, "indent with spaces",
				 "a tab is used for indentation");
	else
		cb_schema_report(arena, problems, at, "put the value in quotes",
				 "%s cannot start a value", cb_schema_quote(arena, &found, 1));
}

void cb_yaml_explain_error(struct cb_arena *arena, const char *file, const char *bytes, size_t len,
			   const yaml_parser_t *parser, struct cb_problems *problems)
{
	const char *problem = parser->problem ? parser->problem : "unreadable YAML";
	struct cb_schema_at at = {
		.severity = CB_PROBLEM,
		.check = "manifest.syntax",
		.file = file,
		.line = (unsigned)parser->problem_mark.line + 1,
		.column = (unsigned)parser->problem_mark.column + 1,
	};

	if (parser->error == YAML_MEMORY_ERROR)
		cb_oom();
	if (strcmp(problem, "found character that cannot start any token") == 0) {
		report_character(arena, &at, byte_at(bytes, len, &parser->problem_mark), problems);
		return;
	}
	for (size_t i = 0; i < CB_COUNT(words); i++) {
		if (strcmp(words[i].theirs, problem) == 0) {
			cb_schema_report(arena, problems, &at, words[i].fix, "%s%s", words[i].ours,
					 opened(arena, parser));
			return;
		}
	}
	cb_schema_report(arena, problems, &at, NULL, "%s%s", problem, opened(arena, parser));
}
