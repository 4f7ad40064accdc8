#include "schema/suggest.h"

#include <string.h>

enum { LONGEST = 64 }; /* of what is compared: nobody mistypes more */

/* What people call things elsewhere: other tools, other places of this language. */
static const struct {
	const char *word, *path;
} synonyms[] = {
	{"ram", "ram_mb"},
	{"ram_gb", "ram_mb"},
	{"mem", "ram_mb"},
	{"memory", "ram_mb"},
	{"memory_mb", "ram_mb"},
	{"memory_mib", "ram_mb"},
	{"cpu", "vcpus"},
	{"cpus", "vcpus"},
	{"vcpu", "vcpus"},
	{"cores", "vcpus"},
	{"disk", "disk_size_gb"},
	{"disk_gb", "disk_size_gb"},
	{"disk_size", "disk_size_gb"},
	{"size_gb", "disk_size_gb"},
	{"image", "base_image"},
	{"base", "base_image"},
	{"backing_file", "base_image"},
	{"network", "network_mode"},
	{"net", "network_mode"},
	{"graphics", "gui"},
	{"display", "gui"},
	{"storage_pool", "pool"},
	{"title", "description"},
	{"comment", "description"},
	{"acceleration", "accel"},
	{"accelerator", "accel"},
	{"status", "state"},
	{"append", "boot.cmdline"},
	{"kernel_args", "boot.cmdline"},
	{"command_line", "boot.cmdline"},
	{"ramdisk", "boot.initrd"},
	{"user", "username"},
	{"ssh_key", "ssh_public_key"},
	{"snaps", "snap_packages"},
	{"ssh_authorized_keys", "ssh_keys"},
	{"authorized_keys", "ssh_keys"},
	{"user_data", "cloud_init"},
	{"interfaces", "nics"},
	{"tags", "labels"},
	{"replicas", "count"},
	{"requires", "depends_on"},
	{"uefi", "firmware"},
};

/* Words of the manifest language that this version does not know as keys yet: a mere "unknown key"
 * would have people look for a typing error. */
static const struct {
	enum cb_scope scope;
	const char *words;
} not_yet[] = {
	{CB_SCOPE_VM, " update adopt renamed_from max_ram_mb max_vcpus xml allow_unsafe "
		      "password_file group "},
};

static const char *leaf_of(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot ? dot + 1 : path;
}

/* Whether the row is one of the keys that may stand below `map`. */
static bool stands_in(const struct cb_field *field, enum cb_scope scope, const char *map)
{
	size_t len = strlen(map);
	const char *leaf = leaf_of(field->path);

	if (field->scope != scope)
		return false;
	if (len == 0)
		return leaf == field->path && !strchr(leaf, '[');
	return strncmp(field->path, map, len) == 0 && leaf == field->path + len + 1;
}

static char folded(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return c == '-' ? '_' : c;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap neighbours) that lead from one word to the other, case and
 * dashes aside; more than LONGEST if either is too long, or if they are more than `most`: a file
 * full of unknown keys stays cheap. */
static unsigned distance(const char *a, const char *b, unsigned most)
{
	unsigned rows[3][LONGEST + 1];
	unsigned *before = rows[0], *last = rows[1], *now = rows[2];
	size_t n = strlen(a), m = strlen(b);

	if (n > LONGEST || m > LONGEST)
		return LONGEST + 1;
	for (unsigned j = 0; j <= m; j++)
		before[j] = last[j] = j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *oldest = before, fewest = (unsigned)i;

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned change = folded(a[i - 1]) != folded(b[j - 1]);

			now[j] = least(least(last[j], now[j - 1]) + 1, last[j - 1] + change);
			if (i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) &&
			    folded(a[i - 2]) == folded(b[j - 1]))
				now[j] = least(now[j], before[j - 2] + 1);
			fewest = least(fewest, now[j]);
		}
		/* A swap reaches back by two rows, and costs one. */
		if (fewest > most + 1)
			return LONGEST + 1;
		before = last;
		last = now;
		now = oldest;
	}
	return last[m];
}

/* How many edits may be a slip rather than another word. */
static unsigned tolerance(const char *word)
{
	size_t len = strlen(word);

	if (len < 4)
		return len > 1;
	return len < 8 ? 2 : 3;
}

static bool same_folded(const char *a, const char *b)
{
	while (*a && folded(*a) == folded(*b)) {
		a++;
		b++;
	}
	return *a == '\0' && *b == '\0';
}

static const struct cb_field *by_synonym(enum cb_scope scope, const char *key)
{
	if (scope != CB_SCOPE_ROOT && scope != CB_SCOPE_VM)
		return NULL;
	for (size_t i = 0; i < CB_COUNT(synonyms); i++) {
		if (same_folded(synonyms[i].word, key))
			return cb_field_find(CB_SCOPE_VM, synonyms[i].path);
	}
	/* A path where one word should be: boot.kernel. */
	return strchr(key, '.') ? cb_field_find(scope, key) : NULL;
}

/* Words whose lengths differ by more need more edits: a file full of unknown keys stays cheap. */
static bool worth_comparing(const char *a, const char *b, unsigned most)
{
	size_t n = strlen(a), m = strlen(b);

	return (n > m ? n - m : m - n) <= most;
}

/* The closest row: of this place, or of all the other ones. */
static const struct cb_field *by_distance(enum cb_scope scope, const char *map, const char *key,
					  bool here, unsigned most)
{
	const struct cb_field *fields, *best = NULL;
	size_t n;

	fields = cb_fields(&n);
	for (size_t i = 0; i < n; i++) {
		unsigned edits;

		if (strchr(leaf_of(fields[i].path), '[') ||
		    stands_in(&fields[i], scope, map) != here ||
		    !worth_comparing(key, leaf_of(fields[i].path), most))
			continue;
		edits = distance(key, leaf_of(fields[i].path), most);
		if (edits <= most && (!best || edits < most)) {
			best = &fields[i];
			most = edits;
		}
	}
	return best;
}

const struct cb_field *cb_suggest_field(enum cb_scope scope, const char *map, const char *key)
{
	const struct cb_field *field;

	if (strlen(key) > LONGEST)
		return NULL;
	/* What is written right but in the wrong place, before what is written wrong; but `user` of
	 * a VM is `username`, and not that of a NIC. */
	if ((field = by_distance(scope, map, key, true, 0)) ||
	    (scope == CB_SCOPE_VM && *map == '\0' && (field = by_synonym(scope, key))) ||
	    (field = by_distance(scope, map, key, false, 0)) || (field = by_synonym(scope, key)) ||
	    (field = by_distance(scope, map, key, true, tolerance(key))))
		return field;
	/* Other places: only the closest of slips. */
	return strlen(key) < 5 ? NULL : by_distance(scope, map, key, false, 1);
}

static bool known_later(enum cb_scope scope, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < CB_COUNT(not_yet) && len > 0; i++) {
		const char *at = not_yet[i].words;

		while (not_yet[i].scope == scope && (at = strstr(at, key))) {
			if (at[-1] == ' ' && at[len] == ' ')
				return true;
			at += len;
		}
	}
	return false;
}

/* Where the row stands, as seen from another place. */
static const char *place_of(struct cb_arena *arena, const struct cb_field *field,
			    enum cb_scope scope, const char *map)
{
	const char *dot = strrchr(field->path, '.');

	if (field->scope == CB_SCOPE_ROOT)
		return "at the top level of the document";
	if (field->scope == CB_SCOPE_DEFAULTS)
		return "below 'defaults:'";
	if (field->scope != CB_SCOPE_VM)
		return cb_arena_printf(arena, "below a name in '%ss:'",
				       cb_scope_name(field->scope));
	if (scope != CB_SCOPE_VM)
		return "below 'vm:' or below a name in 'vms:'";
	if (dot)
		return cb_arena_printf(arena, "into '%.*s'", (int)strcspn(field->path, "[."),
				       field->path);
	return cb_arena_printf(arena, "beside '%.*s:', not below it", (int)strcspn(map, "[."), map);
}

const char *cb_suggest_key(struct cb_arena *arena, enum cb_scope scope, const char *map,
			   const char *key)
{
	const struct cb_field *field;
	const char *leaf;

	if (*map == '\0' && known_later(scope, key))
		return "this version of clonebox does not support it";
	field = cb_suggest_field(scope, map, key);
	if (!field)
		return "";
	leaf = leaf_of(field->path);
	if (stands_in(field, scope, map))
		return cb_arena_printf(arena, "did you mean '%s'?", leaf);
	if (leaf != field->path && same_folded(key, field->path))
		return cb_arena_printf(arena, "write it as a map: %s", field->example);
	if (leaf != field->path)
		return cb_arena_printf(arena, "did you mean '%s'? Write %s", field->path,
				       field->example);
	if (same_folded(key, leaf))
		return cb_arena_printf(arena, "it belongs %s", place_of(arena, field, scope, map));
	return cb_arena_printf(arena, "did you mean '%s'? It belongs %s", leaf,
			       place_of(arena, field, scope, map));
}

const char *cb_suggest_word(struct cb_arena *arena, const char *words, const char *text)
{
	const char *best = NULL;
	unsigned most = strlen(text) > LONGEST ? 0 : tolerance(text);

	while (*words) {
		size_t len = strcspn(words, " ");
		const char *word = cb_arena_strndup(arena, words, len);
		unsigned edits =
			worth_comparing(word, text, most) ? distance(word, text, most) : most + 1;

		if (edits <= most && (!best || edits < most)) {
			best = word;
			most = edits;
		}
		words += len + strspn(words + len, " ");
	}
	return best;
}
