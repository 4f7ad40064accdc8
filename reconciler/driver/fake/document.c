/* Documents of domains: a flat map of paths, kept as a host would keep them. */
#include "reconciler/driver/fake/fake_internal.h"

#include <string.h>

#include "reconciler/base/digest.h"
#include "reconciler/driver/check.h"

static const struct row {
	const char *pattern;
	enum cb_kind kind;
	bool needed, makes;    /* no domain is without it; it makes a device */
	const char *otherwise; /* what a host fills in; NULL: nothing */
} rows[] = {
	{"name", CB_STRING, .needed = true},
	{"description", CB_STRING},
	{"ram_mb", CB_INT, .needed = true},
	{"vcpus", CB_INT, .needed = true},
	{"accel", CB_STRING, .needed = true},
	{"machine", CB_STRING, .otherwise = "q35"},
	{"firmware", CB_STRING, .otherwise = "bios"},
	{"cpu", CB_STRING},
	{"boot.kernel", CB_STRING},
	{"boot.initrd", CB_STRING},
	{"boot.cmdline", CB_STRING},
	{"network_mode", CB_STRING},
	{"nics[].type", CB_STRING, .makes = true},
	{"nics[].source", CB_STRING},
	{"nics[].mac", CB_STRING},
	{"nics[].model", CB_STRING, .otherwise = "virtio"},
	{"nics[].link", CB_BOOL, .otherwise = "true"},
	{"nics[].forwards", CB_STRING},
	{"gui", CB_BOOL, .otherwise = "false"},
	{"disks[].source", CB_STRING, .makes = true},
	{"disks[].format", CB_STRING, .otherwise = "raw"},
	{"disks[].bus", CB_STRING, .otherwise = "virtio"},
	{"disks[].cache", CB_STRING},
	{"disks[].serial", CB_STRING},
	{"disks[].readonly", CB_BOOL, .otherwise = "false"},
	{"disks[].shareable", CB_BOOL, .otherwise = "false"},
	{"mounts[].source", CB_STRING, .makes = true},
	{"mounts[].kind", CB_STRING, .otherwise = "9p"},
	{"mounts[].readonly", CB_BOOL, .otherwise = "false"},
};

static const struct row *find(const struct cb_path *path)
{
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		if (strcmp(rows[i].pattern, path->pattern) == 0)
			return path->name && !cb_is_name(path->name) ? NULL : &rows[i];
	}
	return NULL;
}

/* Devices. ------------------------------------------------------------------------------------- */

/* "nics" of "nics[].mac". */
static const char *list_of(struct cb_arena *arena, const char *pattern)
{
	return cb_arena_strndup(arena, pattern, strcspn(pattern, "["));
}

static const char *path_of(struct cb_arena *arena, const char *list, const char *name,
			   const char *key)
{
	return cb_arena_printf(arena, "%s[%s].%s", list, name, key);
}

static const char *maker_of(struct cb_arena *arena, const char *list, const char *name)
{
	return path_of(arena, list, name, strcmp(list, "nics") == 0 ? "type" : "source");
}

static const char *get(const json_t *document, const char *path)
{
	return json_string_value(json_object_get(document, path));
}

static void drop_device(struct cb_arena *arena, json_t *document, const char *list,
			const char *name)
{
	const char *prefix = path_of(arena, list, name, ""), *path;
	json_t *value;
	void *next;

	json_object_foreach_safe(document, next, path, value)
	{
		if (strncmp(path, prefix, strlen(prefix)) == 0)
			(void)json_object_del(document, path);
	}
}

/* Connects a NIC; what the old kind of connection needed goes. */
static void set_type(struct cb_arena *arena, json_t *document, const char *name, const char *type,
		     const char *source)
{
	const char *is = get(document, path_of(arena, "nics", name, "type"));

	if (!is || strcmp(is, type) != 0) {
		(void)json_object_del(document, path_of(arena, "nics", name, "source"));
		(void)json_object_del(document, path_of(arena, "nics", name, "forwards"));
	}
	cb_fake_put(document, path_of(arena, "nics", name, "type"), json_string(type));
	if (source)
		cb_fake_put(document, path_of(arena, "nics", name, "source"), json_string(source));
}

/* The one NIC of simple machines, as its mode says. */
static void set_mode(struct cb_arena *arena, json_t *document, const char *mode)
{
	if (strcmp(mode, "none") == 0)
		drop_device(arena, document, "nics", "nic0");
	else if (strcmp(mode, "default") == 0)
		set_type(arena, document, "nic0", "network", "default");
	else if (strncmp(mode, "network:", 8) == 0)
		set_type(arena, document, "nic0", "network", mode + 8);
	else
		set_type(arena, document, "nic0", mode, NULL);
}

static const char *mode_of(struct cb_arena *arena, const json_t *document)
{
	const char *type = get(document, "nics[nic0].type");
	const char *source = get(document, "nics[nic0].source");

	if (!type)
		return "none";
	if (strcmp(type, "network") != 0)
		return cb_arena_strdup(arena, type);
	return source && strcmp(source, "default") == 0
		       ? "default"
		       : cb_arena_printf(arena, "network:%s", source ? source : "");
}

/* Tests write documents with a mode alone. */
static void begin(struct cb_arena *arena, json_t *document)
{
	const char *mode = get(document, "network_mode");

	if (mode && !get(document, "nics[nic0].type"))
		set_mode(arena, document, cb_arena_strdup(arena, mode));
}

/* Writing. ------------------------------------------------------------------------------------- */

static int check(struct cb_arena *arena, const struct cb_entry *entry, struct cb_error *err)
{
	const struct cb_value *value = &entry->value;
	struct cb_path path = cb_path_of(arena, entry->path);
	const struct row *row = find(&path);

	if (!row)
		return cb_error_set(err, CB_E_INTERNAL, "'%s' stands nowhere in a domain",
				    entry->path);
	if (value->kind != CB_NONE && row->kind != value->kind)
		return cb_error_set(err, CB_E_INTERNAL, "'%s' has a value of the wrong kind",
				    entry->path);
	if (cb_is_nothing(value) && row->needed)
		return cb_error_set(err, CB_E_INVALID, "a domain cannot be without '%s'",
				    entry->path);
	if (value->kind == CB_STRING && !cb_fake_fits(value->string))
		return cb_error_set(err, CB_E_INVALID,
				    "'%s' has characters that the host cannot keep", entry->path);
	if (strcmp(row->pattern, "network_mode") == 0 && !cb_is_nothing(value) &&
	    strcmp(value->string, "default") != 0 && strcmp(value->string, "user") != 0 &&
	    strcmp(value->string, "none") != 0)
		return cb_error_set(err, CB_E_INVALID,
				    "'%s' is not one of 'default', 'user' and 'none'",
				    value->string);
	return 0;
}

static int set_of_device(struct cb_arena *arena, json_t *document, const struct row *row,
			 const struct cb_path *path, const struct cb_entry *entry,
			 struct cb_error *err)
{
	const char *list = list_of(arena, row->pattern);
	bool nothing = cb_is_nothing(&entry->value);

	if (row->makes && nothing)
		drop_device(arena, document, list, path->name);
	else if (row->makes && strcmp(list, "nics") == 0)
		set_type(arena, document, path->name, entry->value.string, NULL);
	else if (row->makes || (!nothing && get(document, maker_of(arena, list, path->name))))
		cb_fake_put(document, entry->path, cb_fake_of_value(&entry->value));
	else if (nothing)
		(void)json_object_del(document, entry->path);
	else
		return cb_error_set(err, CB_E_INVALID,
				    "'%s' cannot be set: the domain has no such device",
				    entry->path);
	return 0;
}

static int set_one(struct cb_arena *arena, json_t *document, const struct row *row,
		   const struct cb_entry *entry, struct cb_error *err)
{
	struct cb_path path = cb_path_of(arena, entry->path);

	if (find(&path) != row)
		return 0;
	if (path.name)
		return set_of_device(arena, document, row, &path, entry, err);
	if (strcmp(row->pattern, "network_mode") == 0)
		set_mode(arena, document,
			 cb_is_nothing(&entry->value) ? "none" : entry->value.string);
	else if (cb_is_nothing(&entry->value))
		(void)json_object_del(document, entry->path);
	else
		cb_fake_put(document, entry->path, cb_fake_of_value(&entry->value));
	return 0;
}

/* Filling in. ---------------------------------------------------------------------------------- */

static void fill(json_t *document, const struct row *row, const char *path)
{
	if (!row->otherwise || json_object_get(document, path))
		return;
	if (row->kind == CB_BOOL)
		cb_fake_put(document, path, json_boolean(strcmp(row->otherwise, "true") == 0));
	else
		cb_fake_put(document, path, json_string(row->otherwise));
}

/* Another one for every name. */
static void fill_mac(struct cb_arena *arena, json_t *document, const char *name)
{
	const char *path = path_of(arena, "nics", name, "mac");
	char digest[CB_SHA256_HEX];

	if (json_object_get(document, path))
		return;
	cb_digest_of(name, strlen(name), digest);
	cb_fake_put(document, path,
		    strcmp(name, "nic0") == 0
			    ? json_string("52:54:00:00:00:01")
			    : json_string(cb_arena_printf(arena, "52:54:00:%.2s:%.2s:%.2s", digest,
							  digest + 2, digest + 4)));
}

static void complete_device(struct cb_arena *arena, json_t *document, const struct cb_path *made)
{
	const char *list = list_of(arena, made->pattern);

	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		const char *key = strstr(rows[i].pattern, "[].");

		if (key && strncmp(rows[i].pattern, list, strlen(list)) == 0)
			fill(document, &rows[i], path_of(arena, list, made->name, key + 3));
	}
	if (strcmp(list, "nics") == 0)
		fill_mac(arena, document, made->name);
}

/* What a host fills in where a document says nothing. */
static void complete(struct cb_arena *arena, json_t *document)
{
	json_t *copy = json_copy(document), *value;
	const char *path;

	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		if (!strchr(rows[i].pattern, '['))
			fill(document, &rows[i], rows[i].pattern);
	}
	json_object_foreach(copy, path, value)
	{
		struct cb_path parts = cb_path_of(arena, path);
		const struct row *row = find(&parts);

		if (row && row->makes)
			complete_device(arena, document, &parts);
	}
	json_decref(copy);
	cb_fake_put(document, "network_mode", json_string(mode_of(arena, document)));
}

/* As libvirt's protocol. */
enum { TEXT_MAX = 4 * 1024 * 1024 };

int cb_fake_apply(json_t *document, const struct cb_spec *set, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_spec whole = {0};
	int r;

	cb_vec_each (const struct cb_entry, entry, set) {
		if ((r = check(&arena, entry, err)) < 0)
			return r;
	}
	if ((r = cb_check_values(set, err)) < 0)
		return r;
	begin(&arena, document);
	for (size_t i = 0; i < CB_COUNT(rows); i++) {
		cb_vec_each (const struct cb_entry, entry, set) {
			if ((r = set_one(&arena, document, &rows[i], entry, err)) < 0)
				return r;
		}
	}
	complete(&arena, document);
	if (json_dumpb(document, NULL, 0, 0) > TEXT_MAX)
		return cb_error_set(err, CB_E_FAILED, "the document is too long for a message");
	cb_fake_read_spec(&arena, document, &whole);
	if ((r = cb_check_nics(&whole, set, err)) < 0)
		return r;
	return cb_check_mounts(&whole, set, err);
}

/* What it refers to. --------------------------------------------------------------------------- */

static void add_once(struct cb_arena *arena, struct cb_texts *out, const char *text)
{
	cb_vec_each (const char *, known, out) {
		if (strcmp(*known, text) == 0)
			return;
	}
	cb_vec_push(arena, out, cb_arena_strdup(arena, text));
}

void cb_fake_refers(struct cb_arena *arena, json_t *document, const char *pattern,
		    struct cb_texts *out)
{
	const char *path;
	json_t *value;

	json_object_foreach(document, path, value)
	{
		struct cb_path parts = cb_path_of(arena, path);

		if (strcmp(parts.pattern, pattern) == 0 && json_string_value(value))
			add_once(arena, out, json_string_value(value));
	}
}

void cb_fake_refers_networks(struct cb_arena *arena, json_t *document, struct cb_texts *out)
{
	const char *mode = get(document, "network_mode"), *path;
	json_t *value;

	if (mode && strcmp(mode, "default") == 0)
		add_once(arena, out, mode);
	json_object_foreach(document, path, value)
	{
		struct cb_path parts = cb_path_of(arena, path);
		const char *source, *type = json_string_value(value);

		if (strcmp(parts.pattern, "nics[].type") != 0 || !type ||
		    strcmp(type, "network") != 0)
			continue;
		source = get(document, path_of(arena, "nics", parts.name, "source"));
		if (source)
			add_once(arena, out, source);
	}
}
