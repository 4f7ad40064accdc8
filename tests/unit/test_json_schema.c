/*
 * The JSON Schemas: every row of the table is in that of its file, and every kind prints one.
 * Whether they agree with the decoder is for tests/schema/check, with a validator.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <string.h>

#include "reconciler/base/arena.h"
#include "reconciler/model/field.h"
#include "schema/json_schema.h"

static json_t *schema_of(const char *kind)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str text = {0};
	json_error_t why;
	json_t *json;

	if (cb_json_schema(kind, &text, &err) < 0)
		fail_msg("%s", err.message);
	if (!(json = json_loads(text.text, JSON_REJECT_DUPLICATES, &why)))
		fail_msg("%s:%d: %s", kind, why.line, why.text);
	return json;
}

static void every_kind_is_a_schema_of_its_own(void **state)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *kind;
	size_t i;

	(void)state;
	for (i = 0; (kind = cb_json_schema_kind(i)); i++) {
		json_t *json = schema_of(kind);
		const json_t *said = json_object_get(json_object_get(json, "properties"), "schema");

		assert_string_equal(json_string_value(json_object_get(json, "$schema")),
				    "https://json-schema.org/draft/2020-12/schema");
		assert_string_equal(json_string_value(json_object_get(json, "$id")),
				    cb_arena_printf(&arena, "urn:clonebox:%s:v1", kind));
		/* What is printed says which kind it is. */
		if (said)
			assert_string_equal(json_string_value(json_object_get(said, "const")),
					    cb_arena_printf(&arena, "clonebox/%s/v1", kind));
		json_decref(json);
	}
	assert_true(i > 10);
}

/* Follows "$ref" and the first of "allOf"; of "anyOf", what has properties or items. */
static const json_t *resolve(const json_t *root, const json_t *at)
{
	const char *reference;

	while (at && !json_object_get(at, "properties") && !json_object_get(at, "items") &&
	       !json_object_get(at, "additionalProperties")) {
		const json_t *any = json_object_get(at, "anyOf"),
			     *all = json_object_get(at, "allOf");

		if (any || all) {
			/* The last one is "unsaid", or the map that a text may stand for. */
			at = all ? json_array_get(all, 0)
				 : json_array_get(any, json_array_size(any) - 1);
		} else if ((reference = json_string_value(json_object_get(at, "$ref"))) != NULL) {
			at = json_object_get(json_object_get(root, "$defs"),
					     reference + strlen("#/$defs/"));
		} else {
			return at;
		}
	}
	return at;
}

/* What "disks[].size" is in the schema of its scope. */
static const json_t *find(struct cb_arena *arena, const json_t *root, const json_t *at,
			  const char *path)
{
	while (at && *path) {
		size_t len = strcspn(path, ".[");

		at = resolve(root, at);
		at = json_object_get(json_object_get(at, "properties"),
				     cb_arena_strndup(arena, path, len));
		path += len;
		if (strncmp(path, "[]", 2) == 0) {
			const json_t *free;

			at = resolve(root, at);
			free = json_object_get(at, "additionalProperties");
			at = free ? free : json_object_get(at, "items");
			path += 2;
		}
		path += *path == '.';
	}
	return at;
}

static void every_row_is_there_with_its_words(void **state)
{
	cb_auto_arena struct cb_arena arena = {0};
	json_t *manifest = schema_of("manifest"), *policy = schema_of("policy");
	const struct cb_field *fields;
	size_t n;

	(void)state;
	fields = cb_fields(&n);
	for (size_t i = 0; i < n; i++) {
		const struct cb_field *field = &fields[i];
		const json_t *root = field->scope == CB_SCOPE_RULES ? policy : manifest, *at = root;
		const char *words;

		if (field->scope != CB_SCOPE_ROOT && field->scope != CB_SCOPE_RULES)
			at = json_object_get(json_object_get(root, "$defs"),
					     cb_scope_name(field->scope));
		at = find(&arena, root, at, field->path);
		if (!at)
			fail_msg("%s %s is not there", cb_scope_name(field->scope), field->path);
		if (strstr(field->path, "[]") && strcmp(strstr(field->path, "[]"), "[]") == 0)
			continue; /* the value of a key that people choose */
		words = json_string_value(json_object_get(at, "description"));
		if (!words || strncmp(words, field->doc, strlen(field->doc)) != 0)
			fail_msg("%s is described as %s", field->path, words);
		if (!json_object_get(at, "examples"))
			fail_msg("%s has no example", field->path);
		if (field->initial && !json_object_get(at, "default"))
			fail_msg("%s has no default", field->path);
	}
	json_decref(manifest);
	json_decref(policy);
}

static void an_unknown_kind_is_refused_with_the_others(void **state)
{
	cb_auto_error struct cb_error err = {0};
	cb_auto_str struct cb_str text = {0};

	(void)state;
	assert_int_equal(cb_json_schema("manifests", &text, &err), -CB_E_USAGE);
	assert_non_null(strstr(err.hint, "'manifest'"));
	assert_non_null(strstr(err.hint, "plan"));
	assert_int_equal(text.len, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_is_a_schema_of_its_own),
		cmocka_unit_test(every_row_is_there_with_its_words),
		cmocka_unit_test(an_unknown_kind_is_refused_with_the_others),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests_name("json_schema", tests, NULL, NULL);
}
