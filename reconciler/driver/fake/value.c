#include "reconciler/driver/fake/fake_internal.h"

#include <string.h>

json_t *cb_fake_of_value(const struct cb_value *value)
{
	switch (value->kind) {
	case CB_NONE:
		return json_null();
	case CB_BOOL:
		return json_boolean(value->boolean);
	case CB_INT:
		return json_integer(value->integer);
	case CB_STRING:
		return json_string(value->string);
	}
	return json_null();
}

struct cb_value cb_fake_to_value(struct cb_arena *arena, const json_t *value)
{
	struct cb_value none = {.kind = CB_NONE};

	if (json_is_boolean(value))
		return cb_bool(json_is_true(value));
	if (json_is_integer(value))
		return cb_int(json_integer_value(value));
	if (json_is_string(value))
		return cb_string(cb_arena_strdup(arena, json_string_value(value)));
	return none;
}

/* As strict as a host that keeps XML. */
static bool fits(const char *value, bool attribute)
{
	json_auto_t *checked = value ? json_string(value) : json_null();

	if (!checked) /* not UTF-8 */
		return false;
	for (const char *p = value ? value : ""; *p; p++) {
		if ((unsigned char)*p < ' ' && *p != '\n' && *p != '\t' &&
		    (*p != '\r' || !attribute))
			return false;
	}
	return true;
}

bool cb_fake_fits(const char *value)
{
	return fits(value, false);
}

void cb_fake_read_spec(struct cb_arena *arena, json_t *document, struct cb_spec *out)
{
	struct cb_origin origin = {.from = CB_FROM_HOST};
	const char *path;
	json_t *value;

	json_object_foreach(document, path, value)
		cb_spec_set(arena, out, path, cb_fake_to_value(arena, value), origin);
}

/* Stamps. -------------------------------------------------------------------------------------- */

static json_t *text(const char *value)
{
	return json_string(value ? value : "");
}

static json_t *of_volume(const struct cb_stamp_volume *volume)
{
	json_t *json = json_object();

	cb_fake_put(json, "role", text(volume->role));
	cb_fake_put(json, "pool", text(volume->pool));
	cb_fake_put(json, "name", text(volume->name));
	cb_fake_put(json, "path", text(volume->path));
	cb_fake_put(json, "deletion", text(cb_deletion_name(volume->deletion)));
	cb_fake_put(json, "digest", text(volume->digest));
	return json;
}

static int check_stamp(const struct cb_stamp *stamp, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	bool ok = fits(stamp->owner, true) && fits(stamp->name, true) && fits(stamp->source, true);
	size_t len = 0;

	cb_vec_each (const struct cb_entry, entry, &stamp->applied) {
		const char *value = cb_value_text(&arena, &entry->value);

		ok = ok && fits(value, true);
		len += strlen(value);
	}
	if (!ok)
		return cb_error_set(err, CB_E_INVALID,
				    "a value holds characters that the host cannot write");
	if (len > CB_STAMP_MAX)
		return cb_error_set(err, CB_E_INVALID, "what is to be remembered is too long");
	return 0;
}

static json_t *of_stamp(const struct cb_stamp *stamp)
{
	json_t *json = json_object(), *volumes = json_array(), *applied;

	cb_fake_put(json, "version", json_integer(CB_STAMP_VERSION));
	cb_fake_put(json, "owner", text(stamp->owner));
	cb_fake_put(json, "name", text(stamp->name));
	cb_fake_put(json, "source", text(stamp->source));
	cb_fake_put(json, "uuid", text(stamp->uuid));
	cb_fake_put(json, "controller", text(stamp->controller));
	cb_fake_put(json, "transaction", text(stamp->transaction));
	cb_fake_put(json, "generation", json_integer((json_int_t)stamp->generation));
	cb_fake_put(json, "volumes", volumes);
	cb_vec_each (const struct cb_stamp_volume, volume, &stamp->volumes) {
		if (json_array_append_new(volumes, of_volume(volume)) < 0)
			cb_oom();
	}
	applied = cb_fake_object(json, "applied");
	cb_vec_each (const struct cb_entry, entry, &stamp->applied) {
		json_t *field = cb_fake_object(applied, entry->path);

		cb_fake_put(field, "value", cb_fake_of_value(&entry->value));
		cb_fake_put(field, "manifest",
			    json_boolean(entry->origin.from == CB_FROM_MANIFEST));
	}
	return json;
}

int cb_fake_put_stamp(json_t *domain, const struct cb_stamp *stamp, struct cb_error *err)
{
	int r = check_stamp(stamp, err);

	if (r == 0)
		cb_fake_put(domain, "stamp", of_stamp(stamp));
	return r;
}

static struct cb_stamp_volume to_volume(struct cb_arena *arena, const json_t *json)
{
	struct cb_stamp_volume volume = {
		.role = cb_fake_text(arena, json, "role"),
		.pool = cb_fake_text(arena, json, "pool"),
		.name = cb_fake_text(arena, json, "name"),
		.path = cb_fake_text(arena, json, "path"),
		.deletion = CB_RETAIN,
		.digest = cb_fake_text(arena, json, "digest"),
	};

	(void)cb_deletion_parse(json_string_value(json_object_get(json, "deletion")),
				&volume.deletion);
	return volume;
}

const struct cb_stamp *cb_fake_to_stamp(struct cb_arena *arena, const json_t *json,
					const char **problem)
{
	struct cb_stamp *stamp = cb_arena_new(arena, struct cb_stamp);
	json_t *applied = json_object_get(json, "applied"), *item;
	const char *path;
	size_t i;

	*problem = NULL;
	if (!json)
		return NULL;
	stamp->version = (unsigned)cb_fake_number(json, "version");
	if (stamp->version != CB_STAMP_VERSION) {
		*problem = cb_arena_printf(arena, "version '%u' is not known here", stamp->version);
		return NULL;
	}
	stamp->owner = cb_fake_text(arena, json, "owner");
	stamp->name = cb_fake_text(arena, json, "name");
	stamp->source = cb_fake_text(arena, json, "source");
	stamp->uuid = cb_fake_text(arena, json, "uuid");
	stamp->controller = cb_fake_text(arena, json, "controller");
	stamp->transaction = cb_fake_text(arena, json, "transaction");
	stamp->generation = cb_fake_number(json, "generation");
	json_array_foreach(json_object_get(json, "volumes"), i, item)
		cb_vec_push(arena, &stamp->volumes, to_volume(arena, item));
	json_object_foreach(applied, path, item)
	{
		struct cb_origin origin = {.from = cb_fake_flag(item, "manifest")
							   ? CB_FROM_MANIFEST
							   : CB_FROM_DEFAULT};

		cb_spec_set(arena, &stamp->applied, path,
			    cb_fake_to_value(arena, json_object_get(item, "value")), origin);
	}
	return stamp;
}
