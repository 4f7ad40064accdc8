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

/* Documents. ----------------------------------------------------------------------------------- */

static const struct {
	const char *path;
	enum cb_kind kind;
	bool needed;
} paths[] = {
	{"accel", CB_STRING, true},
	{"boot.cmdline", CB_STRING, false},
	{"boot.initrd", CB_STRING, false},
	{"boot.kernel", CB_STRING, false},
	{"description", CB_STRING, false},
	{"disks[root].format", CB_STRING, false},
	{"disks[root].source", CB_STRING, false},
	{"gui", CB_BOOL, false},
	{"name", CB_STRING, true},
	{"network_mode", CB_STRING, false},
	{"nics[nic0].mac", CB_STRING, false},
	{"ram_mb", CB_INT, true},
	{"vcpus", CB_INT, true},
};

static int set_one(json_t *document, const struct cb_entry *entry, struct cb_error *err)
{
	const struct cb_value *value = &entry->value;

	for (size_t i = 0; i < CB_COUNT(paths); i++) {
		bool none = value->kind == CB_NONE || (value->kind == CB_STRING && !*value->string);

		if (strcmp(paths[i].path, entry->path) != 0)
			continue;
		if (none && paths[i].needed)
			return cb_error_set(err, CB_E_INVALID, "a domain cannot be without '%s'",
					    entry->path);
		if (!none && paths[i].kind != value->kind)
			return cb_error_set(err, CB_E_INTERNAL,
					    "'%s' has a value of the wrong kind", entry->path);
		if (!none && value->kind == CB_STRING && !fits(value->string, false))
			return cb_error_set(err, CB_E_INVALID,
					    "'%s' has characters that the host cannot keep",
					    entry->path);
		if (none)
			(void)json_object_del(document, entry->path);
		else
			cb_fake_put(document, entry->path, cb_fake_of_value(value));
		return 0;
	}
	return cb_error_set(err, CB_E_INTERNAL, "'%s' stands nowhere in a domain", entry->path);
}

/* What a host fills in where a document says nothing. */
static void complete(json_t *document)
{
	const char *mode;

	if (!json_object_get(document, "gui"))
		cb_fake_put(document, "gui", json_false());
	if (!json_object_get(document, "network_mode"))
		cb_fake_put(document, "network_mode", json_string("none"));
	mode = json_string_value(json_object_get(document, "network_mode"));
	if (mode && strcmp(mode, "none") == 0)
		(void)json_object_del(document, "nics[nic0].mac");
	else if (!json_object_get(document, "nics[nic0].mac"))
		cb_fake_put(document, "nics[nic0].mac", json_string("52:54:00:00:00:01"));
	if (!json_object_get(document, "disks[root].source"))
		(void)json_object_del(document, "disks[root].format");
	else if (!json_object_get(document, "disks[root].format"))
		cb_fake_put(document, "disks[root].format", json_string("raw"));
}

/* A value for a device that there is none of. */
static int check_device(const json_t *document, const struct cb_spec *set, const char *path,
			struct cb_error *err)
{
	const struct cb_entry *entry = cb_spec_find(set, path);

	if (entry && entry->value.kind != CB_NONE && !json_object_get(document, path))
		return cb_error_set(err, CB_E_INVALID,
				    "'%s' cannot be set: the domain has no such device", path);
	return 0;
}

int cb_fake_apply(json_t *document, const struct cb_spec *set, struct cb_error *err)
{
	const char *mode = cb_spec_string(set, "network_mode");
	int r;

	if (mode && strcmp(mode, "default") != 0 && strcmp(mode, "user") != 0 &&
	    strcmp(mode, "none") != 0)
		return cb_error_set(err, CB_E_INVALID,
				    "'%s' is not one of 'default', 'user' and 'none'", mode);
	cb_vec_each (const struct cb_entry, entry, set) {
		if ((r = set_one(document, entry, err)) < 0)
			return r;
	}
	complete(document);
	if ((r = check_device(document, set, "nics[nic0].mac", err)) < 0)
		return r;
	return check_device(document, set, "disks[root].format", err);
}
