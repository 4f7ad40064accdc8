#include "schema/yaml_error.h"

#include <string.h>

#include "reconciler/base/error.h"
#include "schema/utf8.h"

/* libyaml's words, ours, and what to do. */
static const struct {
	const char *theirs, *ours, *fix;
} words[] = {
	{"mapping values are not allowed in this context", "a ':' cannot stand here",
	 "check the indentation of this line and the one above; quote a value that contains ': '"},
	{"did not find expected key", "this does not fit the map around it",
	 "keys of one map start in the same column, and each is 'key: value'"},
	{"did not find expected ',' or '}'", "expected ',' or '}'",
	 "close what was opened; quote a value that holds ',' or a bracket"},
	{"did not find expected ',' or ']'", "expected ',' or ']'",
	 "close what was opened; quote a value that holds ',' or a bracket"},
	{"did not find expected node content", "expected a value",
	 "write one, or close what was opened before"},
	{"did not find expected '-' indicator", "expected '-' of the next list item",
	 "items of one list start in the same column, each with '- '"},
	{"could not find expected ':'", "this line has no ':'",
	 "write 'key: value'; check the quotes and brackets before it"},
	{"found unexpected end of stream", "the file ends inside a quoted text", "close the quote"},
	{"found unexpected document indicator", "the document ends inside a quoted text",
	 "close the quote"},
	{"found unknown escape character", "unknown escape after '\\'",
	 "write '\\\\' for a backslash, or use single quotes"},
	{"found invalid Unicode character escape code", "this escape is not a character",
	 "write it as \\u and four hexadecimal digits"},
	{"block sequence entries are not allowed in this context", "a list cannot start here",
	 "start the list on a line of its own, or write [a, b]"},
	{"did not find expected <document start>",
	 "a document has ended or a directive stands above: the next one has to begin with '---'",
	 "put '---' on a line of its own in front of this one"},
	{"found a tab character where an indentation space is expected",
	 "a tab is used for indentation", "indent with spaces"},
	{"found a tab character that violates indentation", "a tab is used for indentation",
	 "indent with spaces"},
	{"mapping keys are not allowed in this context", "a '?' cannot start a key here",
	 "write 'key: value'; quote a value that starts with '? '"},
	{"found unexpected ':'", "a ':' cannot stand here", "quote a value that holds a ':'"},
	{"found an indentation indicator equal to 0", "a block cannot be indented by 0",
	 "write '|' or '>' without a digit; the first line tells the indentation"},
	{"did not find expected comment or line break", "the line has to end here",
	 "start a block of text on the line below '|' or '>'; quote a value that starts with one"},
	{"did not find expected hexdecimal number", "digits of this escape are missing",
	 "write '\\' for a backslash, or use single quotes"},
	{"did not find expected alphabetic or numeric character",
	 "a '&' or '*' needs a name of letters, digits, '-' and '_' behind it",
	 "quote a text that starts with '&' or '*'"},
	{"found unknown directive name", "this directive is not known",
	 "leave the line out; quote a text that starts with '%'"},
	{"could not find expected directive name", "a directive needs a name behind the '%'",
	 "leave the line out; quote a text that starts with '%'"},
	{"found unexpected non-alphabetical character", "this directive is not known",
	 "leave the line out; quote a text that starts with '%'"},
	{"found duplicate %YAML directive", "the version of YAML is given twice",
	 "leave one of the lines out"},
	{"found duplicate %TAG directive", "this tag is given twice", "leave one of the lines out"},
	{"found extremely long version number", "this version of YAML is not known",
	 "leave the line out, or write %YAML 1.1"},
	{"did not find expected version number", "this version of YAML is not known",
	 "leave the line out, or write %YAML 1.1"},
	{"did not find expected digit or '.' character", "this version of YAML is not known",
	 "leave the line out, or write %YAML 1.1"},
	{"did not find the expected '>'", "the '>' of the tag is missing",
	 "leave the tag out; quote a text that starts with '!'"},
	{"did not find expected '!'", "this is not a tag",
	 "leave the tag out; quote a text that starts with '!'"},
	{"did not find expected tag URI", "this is not a tag",
	 "leave the tag out; quote a text that starts with '!'"},
	{"did not find URI escaped octet", "this is not a tag",
	 "leave the tag out; quote a text that starts with '!'"},
	{"found an incorrect leading UTF-8 octet", "this is not a tag",
	 "leave the tag out; quote a text that starts with '!'"},
	{"found an incorrect trailing UTF-8 octet", "this is not a tag",
	 "leave the tag out; quote a text that starts with '!'"},
	{"did not find expected whitespace or line break", "a blank is missing behind the tag",
	 "leave the tag out; quote a text that starts with '!'"},
	{"did not find expected whitespace", "a blank is missing in this directive",
	 "leave the line out; quote a text that starts with '%'"},
	{"found undefined tag handle", "this tag is not known", "leave the '!' tag out"},
	{"found incompatible YAML document", "this version of YAML is not known",
	 "leave the line out, or write %YAML 1.1"},
};

/* Line and column, both from 1, the way libyaml counts them. */
struct place {
	unsigned line, column;
};

static void advance(struct place *at, unsigned long code, unsigned char next)
{
	if (code == '\r' && next == '\n')
		return;
	if (cb_utf8_is_break(code)) {
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
		size_t width = cb_utf8_next(bytes + i, len - i, &code);

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
		if (code == 0xfeff) {
			cb_schema_report(arena, problems, &at,
					 "remove it; was one file put behind another?",
					 "a byte order mark can only stand at the start of a file");
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
	/* libyaml notices only where the next key is. */
	if (strcmp(problem, "could not find expected ':'") == 0 && parser->context) {
		at.line = (unsigned)parser->context_mark.line + 1;
		at.column = (unsigned)parser->context_mark.column + 1;
		parser = NULL;
	}
	if (strcmp(problem, "found character that cannot start any token") == 0) {
		report_character(arena, &at, byte_at(bytes, len, &parser->problem_mark), problems);
		return;
	}
	for (size_t i = 0; i < CB_COUNT(words); i++) {
		if (strcmp(words[i].theirs, problem) == 0) {
			cb_schema_report(arena, problems, &at, words[i].fix, "%s%s", words[i].ours,
					 parser ? opened(arena, parser) : "");
			return;
		}
	}
	cb_schema_report(arena, problems, &at, NULL, "%s%s", problem,
			 parser ? opened(arena, parser) : "");
}
