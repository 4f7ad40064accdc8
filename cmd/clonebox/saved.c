#include "cmd/clonebox/saved.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/fs.h"
#include "schema/problem.h"

#define SCHEMA "clonebox/saved-plan/v1"

enum { FILE_MAX = 256 * 1024 * 1024 };

struct cb_saved {
	json_t *json;
	const char **files, **labels, **words;
};

static json_t *texts(const char *const *items, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, json_string(items[i]));
	return array;
}

/* Where the manifests are, wherever the plan is carried out. */
static json_t *real_files(const struct cb_cli *cli, struct cb_error *err)
{
	static const char *const here[] = {".clonebox.yaml"};
	const char *const *files = cli->n_files ? cli->files : here;
	json_t *array = json_array();

	for (size_t i = 0; i < (cli->n_files ? cli->n_files : 1); i++) {
		char path[PATH_MAX];

		if (strcmp(files[i], "-") == 0 || !realpath(files[i], path)) {
			(void)cb_error_set(err, CB_E_USAGE,
					   "a plan of '%s' cannot be saved: it is no file that can "
					   "be read again",
					   files[i]);
			json_decref(array);
			return NULL;
		}
		json_array_append_new(array, json_string(path));
	}
	return array;
}

static json_t *plan_of(const struct cb_lanes *lanes)
{
	cb_auto_arena struct cb_arena arena = {0};
	const struct cb_planned **all = cb_arena_alloc(&arena, (lanes->len + 1) * sizeof(*all));
	size_t n = 0;

	cb_vec_each (const struct cb_lane, lane, lanes) {
		if (lane->planned.plan.hash)
			all[n++] = &lane->planned;
	}
	return cb_render_plan_json(all, n);
}

int cb_saved_write(const struct cb_cli *cli, const struct cb_lanes *lanes)
{
	cb_auto_error struct cb_error err = {0};
	json_auto_t *json = NULL;
	json_t *files = real_files(cli, &err);
	char *text;
	int r;

	if (!files)
		return cb_ui_error(&err);
	json = json_pack("{s:s,s:o,s:o,s:o,s:b,s:b,s:b,s:b,s:b,s:b,s:b,s:i,s:s?,s:o}", "schema",
			 SCHEMA, "files", files, "vms", texts(cli->words, cli->n_words), "labels",
			 texts(cli->labels, cli->n_labels), "allow_restart",
			 (int)cli->allow_restart, "allow_force_off", (int)cli->allow_force_off,
			 "allow_unknown", (int)cli->allow_unknown, "allow_recreate",
			 (int)cli->allow_recreate, "take_over", (int)cli->take_over, "atomic",
			 (int)cli->atomic, "prune", (int)cli->prune, "shutdown_timeout",
			 (int)cli->shutdown_timeout, "connect", cli->connect, "plan",
			 plan_of(lanes));
	text = json_dumps(json, JSON_INDENT(1) | JSON_SORT_KEYS);
	if (!text)
		cb_oom();
	r = cb_fs_write_atomic(cli->out, text, strlen(text), &err);
	free(text);
	return r < 0 ? cb_ui_error(&err) : 0;
}

static const char **strings(const json_t *array, size_t *n)
{
	const char **out = calloc(json_array_size(array) + 1, sizeof(*out));
	json_t *item;
	size_t i;

	if (!out)
		cb_oom();
	*n = 0;
	json_array_foreach(array, i, item)
	{
		if (json_is_string(item))
			out[(*n)++] = json_string_value(item);
	}
	return out;
}

static int read_file(const char *path, json_t **out, struct cb_error *err)
{
	cb_auto_str struct cb_str text = {0};
	const char *schema;
	json_error_t why;
	int r = cb_fs_read(path, FILE_MAX, &text, err);

	if (r < 0)
		return r;
	*out = json_loadb(cb_str_text(&text), text.len, JSON_REJECT_DUPLICATES, &why);
	schema = json_string_value(json_object_get(*out, "schema"));
	if (schema && strcmp(schema, SCHEMA) == 0)
		return 0;
	json_decref(*out);
	*out = NULL;
	(void)cb_error_set(err, CB_E_USAGE, "'%s' is no saved plan", path);
	return cb_error_hint(err, "make one with `clonebox plan --out FILE`");
}

int cb_saved_read(const struct cb_cli *cli, struct cb_cli *effective, struct cb_saved **out)
{
	cb_auto_error struct cb_error err = {0};
	struct cb_saved *saved;
	json_t *json;

	if (cli->n_files + cli->n_words + cli->n_labels > 0) {
		(void)cb_error_set(&err, CB_E_USAGE,
				   "--plan says itself which manifests and vms it is about");
		return cb_ui_error(&err);
	}
	if (read_file(cli->plan, &json, &err) < 0)
		return cb_ui_error(&err);
	saved = calloc(1, sizeof(*saved));
	if (!saved)
		cb_oom();
	saved->json = json;
	saved->files = strings(json_object_get(json, "files"), &effective->n_files);
	saved->labels = strings(json_object_get(json, "labels"), &effective->n_labels);
	saved->words = strings(json_object_get(json, "vms"), &effective->n_words);
	effective->files = saved->files;
	effective->labels = saved->labels;
	effective->words = saved->words;
	effective->allow_restart = json_is_true(json_object_get(json, "allow_restart"));
	effective->allow_force_off = json_is_true(json_object_get(json, "allow_force_off"));
	effective->allow_unknown = json_is_true(json_object_get(json, "allow_unknown"));
	effective->take_over = json_is_true(json_object_get(json, "take_over"));
	effective->allow_recreate = json_is_true(json_object_get(json, "allow_recreate"));
	effective->atomic = json_is_true(json_object_get(json, "atomic"));
	effective->prune = json_is_true(json_object_get(json, "prune"));
	effective->shutdown_timeout =
		(unsigned)json_integer_value(json_object_get(json, "shutdown_timeout"));
	if (!effective->connect)
		effective->connect = json_string_value(json_object_get(json, "connect"));
	effective->saved = saved;
	*out = saved;
	return 0;
}

/* A word of a file that may hold anything. */
static const char *said(struct cb_arena *arena, const json_t *change, const char *key)
{
	const json_t *word = json_object_get(change, key);

	return word && json_is_string(word)
		       ? cb_schema_quote(arena, json_string_value(word), json_string_length(word))
		       : "(nothing)";
}

/* How they differ, change by change. */
static void print_differences(const json_t *old, const json_t *new, const char *mark)
{
	cb_auto_arena struct cb_arena arena = {0};
	json_t *change, *other;
	size_t i, k;

	json_array_foreach(old, i, change)
	{
		bool found = false;

		json_array_foreach(new, k, other) found = found || json_equal(change, other);
		if (!found)
			fprintf(stderr, "  %s %s of %s %s on %s (%zu fields)\n", mark,
				said(&arena, change, "action"), said(&arena, change, "kind"),
				said(&arena, change, "name"), said(&arena, change, "host"),
				json_array_size(json_object_get(change, "fields")));
	}
}

int cb_saved_check(const struct cb_cli *effective, const struct cb_lanes *lanes)
{
	const json_t *old = json_object_get(effective->saved->json, "plan");
	json_auto_t *now = plan_of(lanes);
	const char *was = json_string_value(json_object_get(old, "plan_hash"));
	const char *saw = json_string_value(json_object_get(old, "fingerprint"));

	if (was && saw && strcmp(was, json_string_value(json_object_get(now, "plan_hash"))) == 0 &&
	    strcmp(saw, json_string_value(json_object_get(now, "fingerprint"))) == 0)
		return 0;
	fprintf(stderr, "error: the saved plan does not hold any more: the host or the manifests "
			"have changed since; make a new one with `clonebox plan --out FILE`\n");
	print_differences(json_object_get(old, "changes"), json_object_get(now, "changes"),
			  "saved:");
	print_differences(json_object_get(now, "changes"), json_object_get(old, "changes"),
			  "now:  ");
	return CB_EXIT_REFUSED;
}

void cb_saved_free(struct cb_saved *saved)
{
	if (!saved)
		return;
	free(saved->files);
	free(saved->labels);
	free(saved->words);
	json_decref(saved->json);
	free(saved);
}
