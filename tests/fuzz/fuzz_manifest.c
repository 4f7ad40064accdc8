/*
 * Any bytes as a manifest: no crash, problems in order and with a place, the same bytes give the
 * same result, and what a variable stands for is never shown. A byte 0xff 0x00 pair in the input
 * starts another file, so that what files do to each other is reached, too.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "reconciler/base/error.h"
#include "reconciler/model/field.h"
#include "schema/manifest.h"
#include "schema/utf8.h"
#include "tests/fuzz/bounds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILES_MAX = 4 };

/* Stands in no input but on purpose. */
#define SECRET "q7Zx-w0"

static const char *const variables[] = {"N=64",
					"B=yes",
					"Z=1GiB",
					"E=",
					"I=10.10.0.9",
					"C=10.10.0.0/24",
					"M=52:54:00:00:00:09",
					"V=" SECRET "${V}",
					NULL};

struct result {
	struct cb_arena arena;
	struct cb_desired desired;
	struct cb_problems problems;
	int count;
};

static void load(struct result *result, const uint8_t *data, size_t size)
{
	static const char *const names[FILES_MAX] = {"a", "b", "c", "d"};
	struct cb_manifest_text texts[FILES_MAX];
	const char *bytes = (const char *)data;
	size_t n = 0, start = 0;

	for (size_t i = 0; i <= size && n < FILES_MAX; i++) {
		if (i < size && !(i + 1 < size && data[i] == 0xff && data[i + 1] == 0))
			continue;
		texts[n] = (struct cb_manifest_text){names[n],      "/",       "file:/",
						     bytes + start, i - start, variables};
		/* The size is as good as chance, and stays the same for the same bytes. */
		texts[n].lenient = size & 1;
		texts[n].fragment = size & 2;
		if (n > 0 && size % 5 < 3)
			texts[n].kind = (enum cb_text_kind)(1 + size % 5);
		texts[n].as = texts[n].kind == CB_TEXT_CONFIG ? "/p" : "p";
		n++;
		start = i + 2;
	}
	*result = (struct result){0};
	result->count =
		cb_manifest_load(&result->arena, texts, n, &result->desired, &result->problems);
}

static int compare_places(const struct cb_origin *a, const struct cb_origin *b)
{
	int order = strcmp(a->file, b->file);

	if (order == 0)
		order = (a->line > b->line) - (a->line < b->line);
	return order ? order : (a->column > b->column) - (a->column < b->column);
}

/* Nothing that a terminal acts on, or that moves what stands behind it. */
static void check_excerpt(const struct cb_problem *problem)
{
	const struct cb_excerpt *excerpt = &problem->excerpt;
	size_t len = excerpt->text ? strlen(excerpt->text) : 0;
	unsigned long code = 0;

	CB_ASSERT(!excerpt->text || excerpt->line > 0);
	CB_ASSERT(excerpt->caret <= 10 * 80 && excerpt->caret <= 2 * len);
	for (size_t i = 0; i < len;) {
		size_t width = cb_utf8_next(excerpt->text + i, len - i, &code);

		CB_ASSERT(width > 0 && !cb_utf8_is_hidden(code));
		i += width;
	}
}

static void check_problems(const struct result *r, bool shows)
{
	int errors = 0;

	for (size_t i = 0; i < r->problems.len; i++) {
		const struct cb_problem *problem = &r->problems.items[i];

		CB_ASSERT(problem->origin.line > 0 && problem->origin.column > 0);
		CB_ASSERT(strncmp(problem->check, "manifest.", 9) == 0);
		CB_ASSERT(*problem->message && problem->target && problem->fix);
		CB_ASSERT(i == 0 || compare_places(&problem[-1].origin, &problem->origin) <= 0);
		/* Nothing that a terminal acts on. */
		for (const char *p = problem->message; *p; p++)
			CB_ASSERT((unsigned char)*p >= 0x20 && *p != 0x7f);
		CB_ASSERT(shows ||
			  (!strstr(problem->message, SECRET) && !strstr(problem->fix, SECRET) &&
			   !strstr(problem->target, SECRET)));
		check_excerpt(problem);
		errors += problem->severity == CB_PROBLEM;
	}
	CB_ASSERT(errors == r->count);
}

static const struct cb_vm *find_vm(const struct result *r, const char *name)
{
	cb_vec_each (const struct cb_vm, vm, &r->desired.vms) {
		if (strcmp(vm->name, name) == 0)
			return vm;
	}
	return NULL;
}

static void check_spec(const struct cb_spec *spec, bool shows)
{
	for (size_t i = 0; i < spec->len; i++) {
		const struct cb_entry *entry = &spec->items[i];

		CB_ASSERT(entry->value.kind != CB_NONE && entry->origin.line > 0);
		CB_ASSERT(i == 0 || strcmp(entry[-1].path, entry->path) < 0);
		CB_ASSERT(shows || !strstr(entry->path, SECRET));
		if (entry->value.kind == CB_STRING && strstr(entry->value.string, SECRET))
			CB_ASSERT(shows || entry->origin.sensitive);
	}
}

static void check_declarations(const struct cb_declarations *declarations, bool shows)
{
	for (size_t i = 0; i < declarations->len; i++) {
		const struct cb_declared *declared = &declarations->items[i];

		CB_ASSERT(i == 0 || strcmp(declared[-1].name, declared->name) < 0);
		check_spec(&declared->spec, shows);
	}
}

static void check_vms(const struct result *r, bool shows)
{
	for (size_t i = 0; i < r->desired.vms.len; i++) {
		const struct cb_vm *vm = &r->desired.vms.items[i];

		CB_ASSERT(i == 0 || strcmp(vm[-1].name, vm->name) < 0);
		CB_ASSERT(*vm->name && strlen(vm->name) <= 64 && !strchr(vm->name, '/'));
		check_spec(&vm->spec, shows);
		for (size_t j = 0; j < vm->depends_on.len && r->desired.vms.len < 1000; j++) {
			CB_ASSERT(find_vm(r, vm->depends_on.items[j]));
			CB_ASSERT(j == 0 ||
				  strcmp(vm->depends_on.items[j - 1], vm->depends_on.items[j]) < 0);
		}
	}
	check_declarations(&r->desired.hosts, shows);
	check_declarations(&r->desired.images, shows);
	check_declarations(&r->desired.networks, shows);
	check_declarations(&r->desired.pools, shows);
}

static void check_equal(const struct result *a, const struct result *b)
{
	CB_ASSERT(a->count == b->count && a->problems.len == b->problems.len);
	for (size_t i = 0; i < a->problems.len; i++) {
		const struct cb_problem *x = &a->problems.items[i], *y = &b->problems.items[i];

		CB_ASSERT(compare_places(&x->origin, &y->origin) == 0);
		CB_ASSERT(strcmp(x->message, y->message) == 0 && strcmp(x->fix, y->fix) == 0);
	}
	CB_ASSERT(strcmp(a->desired.owner, b->desired.owner) == 0);
	CB_ASSERT(a->desired.vms.len == b->desired.vms.len);
	for (size_t i = 0; i < a->desired.vms.len; i++) {
		const struct cb_vm *x = &a->desired.vms.items[i], *y = &b->desired.vms.items[i];

		CB_ASSERT(strcmp(x->name, y->name) == 0 && x->spec.len == y->spec.len);
		for (size_t j = 0; j < x->spec.len; j++)
			CB_ASSERT(strcmp(x->spec.items[j].path, y->spec.items[j].path) == 0 &&
				  cb_value_equal(&x->spec.items[j].value, &y->spec.items[j].value));
	}
}

/* The mutator: half of the time, something of the language is put at the start of a line or in the
 * place of a value. libFuzzer's own would have to find the keys letter by letter.
 * ------------------ */

/* What people, editors and attackers write. */
static const char *const odd[] = {
	"~",
	"off",
	"010",
	"22:22",
	"2026-01-31",
	"-1",
	"99999999999999999999",
	"1.5",
	"\"\"",
	"''",
	"100GiB",
	"100",
	"${N}",
	"${V}",
	"${",
	"[a, b]",
	"{a: b}",
	"&a x",
	"*a",
	"<<: *a",
	"!!str 1",
	"!x y",
	"|\n    x\n",
	">-\n    x\n",
	"\"\\0\"",
	"\"\\e[31m\"",
	"\xe2\x80\xae",
	"\xd0\xb0",
	"\xef\xbb\xbf",
	"\t",
	"# x",
	"---",
	"...",
	"%YAML 1.1",
	"? a",
	"- a",
	"10.10.0.0/24",
	"10.10.0.10",
	"52:54:00:00:00:01",
	"a",
	"b",
	"q7Zx",
	"\xff",
};

/* One for each number, as far as there are. */
static const char *word(unsigned number, char *buffer, size_t size)
{
	const struct cb_field *fields;
	size_t n;

	fields = cb_fields(&n);
	if (number % 4 == 0)
		return odd[number / 4 % CB_COUNT(odd)];
	if (number % 4 == 1)
		return fields[number / 4 % n].example;
	if (number % 4 == 2) {
		const char *dot = strrchr(fields[number / 4 % n].path, '.');

		(void)snprintf(buffer, size, "%s: ", dot ? dot + 1 : fields[number / 4 % n].path);
		return buffer;
	}
	(void)snprintf(buffer, size, "%*s", (int)(number / 4 % 8), "");
	return buffer;
}

/* Where a line begins, or a value: behind ": " or a bracket. */
static size_t place(const uint8_t *data, size_t size, unsigned number)
{
	size_t count = 0, found = 0;

	for (int pass = 0; pass < 2; pass++) {
		size_t wanted = count ? number % count : 0;

		count = 0;
		for (size_t i = 0; i < size; i++) {
			if (!strchr("\n ,[{", data[i]) || !data[i])
				continue;
			if (pass == 1 && count == wanted)
				found = i + 1;
			count++;
		}
	}
	return found;
}

/* libFuzzer's own, where this is built with it. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size) __attribute__((weak));
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	char buffer[64];
	const char *text = word(seed / 4, buffer, sizeof(buffer));
	size_t len = strlen(text), at = place(data, size, seed / 7), gone = 0;

	if (seed % 2 == 0 && LLVMFuzzerMutate)
		return LLVMFuzzerMutate(data, size, max_size);
	/* In the place of what stands there, up to the end of it. */
	if (seed % 4 == 3) {
		while (at + gone < size && data[at + gone] && !strchr("\n,]}", data[at + gone]))
			gone++;
	}
	if (size - gone + len > max_size)
		return size;
	memmove(data + at + len, data + at + gone, size - at - gone);
	memcpy(data + at, text, len);
	return size - gone + len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct result first, second;
	struct bounds bounds = bounds_begin();
	bool shows = memmem(data, size, SECRET, strlen(SECRET)) != NULL;

	load(&first, data, size);
	bounds_check(&bounds);
	check_problems(&first, shows);
	check_vms(&first, shows);
	load(&second, data, size);
	check_equal(&first, &second);
	cb_arena_release(&first.arena);
	cb_arena_release(&second.arena);
	return 0;
}
