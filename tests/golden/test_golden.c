/*
 * Golden plans: every directory tests/golden/case-* is a case; adding one needs no C.
 *
 *	before.yaml    applied first, undisturbed (optional); then before-2.yaml
 *	host.json      merged into the fake host's state then (RFC 7396; domains by name; a new one
 *	               needs "uuid")
 *	manifest.yaml  what is planned
 *	options        words: destroy, take-over, restart, recreate, prune, allow-unknown, atomic,
 *	               die-after=N (a first run of manifest.yaml that dies after its n-th change),
 *	               vm=NAME, gone=NAME (that one is destroyed first), again (manifest.yaml is
 *	               applied then), later (eight days pass), trash-restore, trash-purge,
 *	               installation=ID (what that one made is taken over), discard
 *	plan.txt, plan.json   what must come out
 *
 * Then the plan, if it may be, is applied, and a second plan must be empty.
 * UPDATE_GOLDEN=1 writes what comes out; a rewritten golden needs its reason in the commit message.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reconciler/base/fs.h"
#include "reconciler/render/render.h"
#include "tests/support/fixture.h"

enum { MAX_CASES = 200 };

/* Whether the file is there; then its text. */
static bool slurp(const char *dir, const char *name, struct cb_str *out)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str path = {0};
	int r;

	cb_str_printf(&path, "%s/%s", dir, name);
	r = cb_fs_read(path.text, 1 << 20, out, &err);
	if (r < 0)
		assert_int_equal(r, -CB_E_NOT_FOUND);
	cb_str_add(out, "");
	return r == 0;
}

static const char *uuid_of(json_t *domains, const char *name, json_t *patch)
{
	const char *uuid;
	json_t *domain;

	json_object_foreach(domains, uuid, domain)
	{
		const char *known = json_string_value(json_object_get(domain, "name"));

		if (known && strcmp(known, name) == 0)
			return uuid;
	}
	uuid = json_string_value(json_object_get(patch, "uuid"));
	assert_non_null(uuid);
	json_object_set_new(domains, uuid, json_pack("{s:s}", "name", name));
	return uuid;
}

static void merge(json_t *into, json_t *patch)
{
	const char *key;
	json_t *value;

	json_object_foreach(patch, key, value)
	{
		if (json_is_null(value)) {
			json_object_del(into, key);
		} else if (json_is_object(value)) {
			if (!json_is_object(json_object_get(into, key)))
				json_object_set_new(into, key, json_object());
			merge(json_object_get(into, key), value);
		} else {
			json_object_set(into, key, value);
		}
	}
}

static void edit_host(const struct fixture *f, const char *text)
{
	json_error_t why;
	json_t *patch = json_loads(text, 0, &why), *state, *domains, *domain;
	const char *name;

	if (!patch)
		fail_msg("host.json:%d: %s", why.line, why.text);
	state = json_load_file(f->host_path, 0, NULL);
	assert_non_null(state);
	domains = json_object_get(state, "domains");
	json_object_foreach(json_object_get(patch, "domains"), name, domain)
	{
		const char *uuid = uuid_of(domains, name, domain);

		merge(json_object_get(domains, uuid), domain);
	}
	json_object_del(patch, "domains");
	merge(state, patch);
	assert_int_equal(json_dump_file(state, f->host_path, JSON_INDENT(1)), 0);
	json_decref(patch);
	json_decref(state);
}

static void replace(struct cb_str *text, const char *what, const char *with)
{
	cb_auto_str struct cb_str out = {0};
	const char *p = text->text, *hit;

	for (; (hit = strstr(p, what)); p = hit + strlen(what)) {
		cb_str_add_bytes(&out, p, (size_t)(hit - p));
		cb_str_add(&out, with);
	}
	cb_str_add(&out, p);
	cb_str_clear(text);
	cb_str_add(text, cb_str_text(&out));
}

/* Where the tree and the fake host happen to stand must not be in a golden. */
static void hide_places(const struct fixture *f, struct cb_str *text)
{
	char here[4096], *hash;

	assert_non_null(getcwd(here, sizeof(here)));
	replace(text, f->dir, "/host");
	replace(text, here, "/tree");
	/* It covers the places. */
	hash = strstr(text->text, "\"plan_hash\": \"");
	if (hash)
		memset(hash + strlen("\"plan_hash\": \""), '#', CB_SHA256_HEX - 1);
}

static void compare(const struct fixture *f, const char *dir, const char *name, struct cb_str *got)
{
	cb_auto_str struct cb_str wanted = {0}, path = {0};

	hide_places(f, got);
	cb_str_printf(&path, "%s/%s", dir, name);
	if (getenv("UPDATE_GOLDEN")) {
		FILE *file = fopen(path.text, "w");

		assert_non_null(file);
		assert_true(fputs(got->text, file) >= 0);
		assert_int_equal(fclose(file), 0);
		return;
	}
	if (!slurp(dir, name, &wanted))
		fail_msg("%s is missing; UPDATE_GOLDEN=1 writes it", path.text);
	if (strcmp(got->text, wanted.text) != 0) {
		print_error("--- %s: wanted\n%s\n--- got\n%s\n", path.text, wanted.text, got->text);
		fail();
	}
}

static void destroy_first(struct fixture *f, const char *name)
{
	cb_auto_error struct cb_error err = {0};
	const struct cb_request request = f->request;

	f->request.destroy = true;
	f->request.names = &name;
	f->request.n_names = 1;
	f->request.flags |= CB_PLAN_FORCE_OFF;
	if (fixture_apply(f, &err) < 0)
		fail_msg("gone=%s: %s", name, err.message);
	f->request = request;
}

static void apply_first(struct fixture *f)
{
	cb_auto_error struct cb_error err = {0};
	const struct cb_request request = f->request;

	f->request = (struct cb_request){.desired = &f->desired, .shutdown_timeout = 1};
	if (fixture_apply(f, &err) < 0)
		fail_msg("again: %s", err.message);
	f->request = request;
}

static void options(struct fixture *f, const char *text, struct cb_str *vm)
{
	cb_auto_arena struct cb_arena arena = {0};
	char *words = cb_arena_strdup(&arena, text), *save = NULL;

	for (char *word = strtok_r(words, " \n", &save); word;
	     word = strtok_r(NULL, " \n", &save)) {
		if (strcmp(word, "destroy") == 0) {
			f->request.destroy = true;
		} else if (strcmp(word, "take-over") == 0) {
			f->request.take_over = true;
		} else if (strcmp(word, "restart") == 0) {
			f->request.flags |= CB_PLAN_RESTART;
		} else if (strcmp(word, "recreate") == 0) {
			f->request.flags |= CB_PLAN_RECREATE;
		} else if (strcmp(word, "allow-unknown") == 0) {
			f->request.flags |= CB_PLAN_UNKNOWN;
		} else if (strcmp(word, "atomic") == 0) {
			f->request.flags |= CB_PLAN_ATOMIC;
		} else if (strcmp(word, "prune") == 0) {
			f->request.prune = true;
		} else if (strcmp(word, "later") == 0) {
			fixture_later = 8 * 24 * 3600;
		} else if (strcmp(word, "trash-restore") == 0) {
			f->request.trash = CB_TRASH_RESTORE;
		} else if (strcmp(word, "trash-purge") == 0) {
			f->request.trash = CB_TRASH_PURGE;
		} else if (strncmp(word, "installation=", 13) == 0) {
			f->request.take_from = cb_arena_strdup(&f->arena, word + 13);
		} else if (strcmp(word, "discard") == 0) {
			f->request.discard = true;
		} else if (strcmp(word, "again") == 0) {
			apply_first(f);
		} else if (strncmp(word, "gone=", 5) == 0) {
			destroy_first(f, word + 5);
		} else if (strncmp(word, "vm=", 3) == 0) {
			cb_str_add(vm, word + 3);
		} else if (strncmp(word, "die-after=", 10) == 0) {
			f->fault = CB_FAULT_DIE_AFTER;
			f->at = (unsigned)atoi(word + 10);
			assert_int_equal(fixture_apply_forked(f), 137);
		} else {
			fail_msg("unknown option '%s'", word);
		}
	}
}

static bool applicable(const struct cb_planned *planned)
{
	cb_vec_each (const struct cb_problem, problem, &planned->plan.problems) {
		if (problem->severity == CB_PROBLEM)
			return false;
	}
	return true;
}

static void plan_and_compare(struct fixture *f, const char *dir, bool *apply)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_arena struct cb_arena arena = {0};
	cb_auto_str struct cb_str text = {0}, json = {0};
	struct cb_planned planned, again;
	const struct cb_planned *const all[] = {&planned};
	struct cb_session *session;
	json_t *tree;
	char *dump;

	assert_int_equal(fixture_open(f, &session, &err), 0);
	if (cb_session_plan(session, &f->request, &arena, &planned, &err) < 0)
		fail_msg("%s", err.message);
	/* Other ids, the same plan. */
	if (cb_session_plan(session, &f->request, &arena, &again, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(again.plan.hash, planned.plan.hash);
	cb_render_plan(&text, &planned, CB_PLAIN);
	cb_render_problems(&text, &planned.plan.problems, CB_PLAIN);
	compare(f, dir, "plan.txt", &text);
	tree = cb_render_plan_json(all, 1);
	dump = json_dumps(tree, JSON_INDENT(1) | JSON_SORT_KEYS);
	assert_non_null(dump);
	cb_str_printf(&json, "%s\n", dump);
	free(dump);
	json_decref(tree);
	compare(f, dir, "plan.json", &json);
	*apply = applicable(&planned);
	cb_session_close(session);
}

static bool in_manifest(const struct fixture *f, const char *name)
{
	cb_vec_each (const struct cb_vm, vm, &f->desired.vms) {
		if (strcmp(vm->name, name) == 0)
			return true;
	}
	return false;
}

static void golden(void **state)
{
	static const char *const earlier[] = {"before.yaml", "before-2.yaml"};
	const char *dir = *state;
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str before = {0}, manifest = {0}, host = {0}, words = {0}, vm = {0};
	const char *name;
	struct fixture f;
	bool apply;

	fixture_init(&f, NULL);
	fixture_later = 0;
	for (size_t i = 0; i < CB_COUNT(earlier); i++) {
		cb_str_clear(&before);
		if (!slurp(dir, earlier[i], &before))
			continue;
		fixture_load(&f, before.text, "tests/golden/images");
		if (fixture_apply(&f, &err) < 0)
			fail_msg("%s: %s", earlier[i], err.message);
	}
	if (slurp(dir, "host.json", &host))
		edit_host(&f, host.text);
	assert_true(slurp(dir, "manifest.yaml", &manifest));
	fixture_load(&f, manifest.text, "tests/golden/images");
	if (slurp(dir, "options", &words))
		options(&f, words.text, &vm);
	name = cb_str_text(&vm);
	if (name[0]) {
		f.request.names = &name;
		f.request.n_names = 1;
	}
	plan_and_compare(&f, dir, &apply);
	if (apply) {
		f.request.flags |= CB_PLAN_FORCE_OFF;
		if (fixture_apply(&f, &err) < 0)
			fail_msg("apply: %s", err.message);
		f.request.take_over = false;
		f.request.flags = 0;
		/* What comes back left its retained disks behind: an apply attaches them. */
		if (f.request.trash != CB_TRASH_NONE)
			apply_first(&f);
		if (f.request.trash != CB_TRASH_NONE)
			f.request.n_names = 0;
		f.request.trash = CB_TRASH_NONE;
		/* A name that no manifest knows means nothing any more. */
		if (!f.request.destroy || !name[0] || in_manifest(&f, name))
			assert_int_equal(fixture_pending(&f), 0);
	}
	fixture_release(&f);
}

static int is_case(const struct dirent *entry)
{
	return strncmp(entry->d_name, "case-", 5) == 0;
}

int main(void)
{
	struct dirent **entries;
	struct CMUnitTest tests[MAX_CASES];
	int failed, n = scandir("tests/golden", &entries, is_case, alphasort);

	if (n <= 0 || n > MAX_CASES) {
		fprintf(stderr, "no cases below tests/golden: run from the top of the tree\n");
		return 1;
	}
	for (int i = 0; i < n; i++) {
		char *dir;

		if (asprintf(&dir, "tests/golden/%s", entries[i]->d_name) < 0)
			abort();
		free(entries[i]);
		tests[i] =
			(struct CMUnitTest){.name = dir, .test_func = golden, .initial_state = dir};
	}
	free(entries);
	failed = _cmocka_run_group_tests("golden", tests, (size_t)n, NULL, NULL);
	while (n-- > 0)
		free(tests[n].initial_state);
	return failed;
}
