/*
 * loaded.h: manifests as texts, and what comes of them, for tests.
 */
#ifndef CB_TESTS_UNIT_LOADED_H
#define CB_TESTS_UNIT_LOADED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/error.h"
#include "schema/manifest.h"

/* A manifest with all that it gives; everything lives in the arena. */
struct loaded {
	struct cb_arena arena;
	struct cb_desired desired;
	struct cb_problems problems;
	int count;
};

static inline void release_loaded(struct loaded *l)
{
	cb_arena_release(&l->arena);
}

#define auto_loaded CB_CLEANUP(release_loaded)

static inline void load_bytes(struct loaded *l, const char *bytes, size_t len)
{
	struct cb_manifest_text text = {"t.yaml", "/srv/t", "file:/srv/t/t.yaml", bytes, len, NULL};

	*l = (struct loaded){0};
	l->count = cb_manifest_load(&l->arena, &text, 1, &l->desired, &l->problems);
}

static inline void load(struct loaded *l, const char *yaml)
{
	load_bytes(l, yaml, strlen(yaml));
}

/* `variables` as in struct cb_manifest_text. */
static inline void load_with(struct loaded *l, const char *const *variables, const char *yaml)
{
	struct cb_manifest_text text = {"t.yaml", "/srv/t",     "file:/srv/t/t.yaml",
					yaml,     strlen(yaml), variables};

	*l = (struct loaded){0};
	l->count = cb_manifest_load(&l->arena, &text, 1, &l->desired, &l->problems);
}

/* a.yaml, b.yaml, ... */
static inline void load_files(struct loaded *l, const char *const *yaml, size_t n)
{
	static const char *const names[] = {"a.yaml", "b.yaml", "c.yaml"};
	struct cb_manifest_text texts[3];

	*l = (struct loaded){0};
	assert_true(n <= CB_COUNT(names));
	for (size_t i = 0; i < n; i++)
		texts[i] = (struct cb_manifest_text){names[i], "/srv",          "file:/srv",
						     yaml[i],  strlen(yaml[i]), NULL};
	l->count = cb_manifest_load(&l->arena, texts, n, &l->desired, &l->problems);
}

/* "t.yaml:3:5: error manifest.range [dev] message; fix" */
static const char *line_of(struct loaded *l, const struct cb_problem *problem)
{
	return cb_arena_printf(&l->arena, "%s:%u:%u: %s %s [%s] %s; %s", problem->origin.file,
			       problem->origin.line, problem->origin.column,
			       problem->severity == CB_PROBLEM ? "error" : "warning",
			       problem->check, problem->target, problem->message, problem->fix);
}

static inline void dump(struct loaded *l)
{
	cb_vec_each (struct cb_problem, problem, &l->problems)
		print_error("    %s\n", line_of(l, problem));
}

/* `want` is "line:column check" of a problem, then fragments of its text behind bars. */
static inline void check_line(struct loaded *l, const char *want, const char *got,
			      const char *prefix)
{
	char *copy = cb_arena_strdup(&l->arena, want), *rest = NULL;
	const char *place = strtok_r(copy, " ", &rest), *check = strtok_r(NULL, "|", &rest);
	const char *head = cb_arena_printf(&l->arena, "%s:%s: ", prefix, place);
	bool fine = strncmp(got, head, strlen(head)) == 0 && check &&
		    strstr(got, cb_arena_printf(&l->arena, " %s [", check));

	for (const char *part = strtok_r(NULL, "|", &rest); part; part = strtok_r(NULL, "|", &rest))
		fine = fine && strstr(got, part);
	if (!fine)
		fail_msg("wanted: %s\n     got: %s", want, got);
}

/* Exactly these problems, in this order. `want` ends with NULL. */
static inline void check_problems(struct loaded *l, const char *const *want, const char *prefix)
{
	size_t n = 0;

	while (want[n])
		n++;
	if (n != l->problems.len) {
		dump(l);
		fail_msg("wanted %zu problems, got %zu", n, l->problems.len);
	}
	for (size_t i = 0; i < n; i++)
		check_line(l, want[i], line_of(l, &l->problems.items[i]), prefix);
}

static inline void check_good(struct loaded *l)
{
	if (l->count != 0 || l->problems.len != 0) {
		dump(l);
		fail_msg("%d problems where none should be", l->count);
	}
}

/* The VM of that name, which has to be there. */
static inline const struct cb_vm *vm_of(struct loaded *l, const char *name)
{
	cb_vec_each (const struct cb_vm, vm, &l->desired.vms) {
		if (strcmp(vm->name, name) == 0)
			return vm;
	}
	dump(l);
	fail_msg("there is no VM '%s'", name);
	abort(); /* not reached */
}

static inline const struct cb_spec *spec_of(struct loaded *l, const char *name)
{
	return &vm_of(l, name)->spec;
}

#endif
