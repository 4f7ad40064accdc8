#include "reconciler/driver/fake/fake_internal.h"

#include <stdlib.h>
#include <string.h>

#include "reconciler/base/digest.h"
#include "reconciler/driver/check.h"

/* Finding. ------------------------------------------------------------------------------------- */

/* The short form of a network, "active" or "inactive", made into the long one. */
static json_t *expand(const char *name, json_t *networks)
{
	json_t *short_form = json_incref(json_object_get(networks, name)), *network, *document;
	const char *state = json_string_value(short_form);

	if (!state) {
		network = json_object_get(networks, name);
	} else {
		(void)json_object_del(networks, name);
		network = cb_fake_object(networks, name);
		cb_fake_put(network, "uuid", cb_fake_uuid("network", name));
		cb_fake_put(network, "active", json_boolean(strcmp(state, "active") == 0));
		cb_fake_put(network, "autostart", json_true());
		document = cb_fake_object(network, "document");
		cb_fake_put(document, "mode", json_string("nat"));
		cb_fake_put(document, "cidr", json_string("192.168.122.1/24"));
		cb_fake_put(document, "dhcp.start", json_string("192.168.122.2"));
		cb_fake_put(document, "dhcp.end", json_string("192.168.122.254"));
	}
	json_decref(short_form);
	return network;
}

/* Loads the state, with all networks in the long form. */
static int load(struct cb_driver *driver, json_t **state, json_t **networks, struct cb_error *err)
{
	const char *name;
	json_t *network, *copy;
	int r = cb_fake_load(driver, state, err);

	if (r < 0)
		return r;
	*networks = cb_fake_object(*state, "networks");
	copy = json_copy(*networks);
	json_object_foreach(copy, name, network)(void) expand(name, *networks);
	json_decref(copy);
	return 0;
}

/* The network with that UUID, and its name; NULL if there is none. */
static json_t *by_uuid(json_t *networks, const char *uuid, const char **name)
{
	json_t *network;

	json_object_foreach(networks, *name, network)
	{
		if (strcmp(json_string_value(json_object_get(network, "uuid")), uuid) == 0)
			return network;
	}
	*name = NULL;
	return NULL;
}

static int open_network(struct cb_driver *driver, const char *uuid, json_t **state,
			const char **name, json_t **out, struct cb_error *err)
{
	json_t *networks;
	int r = load(driver, state, &networks, err);

	if (r < 0)
		return r;
	*out = by_uuid(networks, uuid, name);
	if (!*out)
		return cb_error_set(err, CB_E_NOT_FOUND, "there is no network %s", uuid);
	return 0;
}

bool cb_fake_network_active(json_t *state, const char *name)
{
	const json_t *network = json_object_get(cb_fake_object(state, "networks"), name);
	const char *short_form = json_string_value(network);

	return short_form ? strcmp(short_form, "active") == 0 : cb_fake_flag(network, "active");
}

/* Reading. ------------------------------------------------------------------------------------- */

static json_t *definition(const char *name, const json_t *network)
{
	json_t *out = json_object();

	cb_fake_put(out, "name", json_string(name));
	cb_fake_put(out, "uuid", json_incref(json_object_get(network, "uuid")));
	cb_fake_put(out, "document", json_deep_copy(json_object_get(network, "document")));
	return out;
}

static char *definition_text(const char *name, const json_t *network)
{
	json_auto_t *whole = definition(name, network);
	char *text = json_dumps(whole, JSON_SORT_KEYS | JSON_COMPACT);

	if (!text)
		cb_oom();
	return text;
}

static struct cb_network read_network(struct cb_arena *arena, const char *name, json_t *json)
{
	struct cb_origin origin = {.from = CB_FROM_HOST};
	char *text = definition_text(name, json), digest[CB_SHA256_HEX];
	struct cb_network out = {
		.uuid = cb_fake_text(arena, json, "uuid"),
		.name = cb_arena_strdup(arena, name),
		.active = cb_fake_flag(json, "active"),
		.persistent = true,
		.autostart = cb_fake_flag(json, "autostart"),
	};

	cb_digest_of(text, strlen(text), digest);
	free(text);
	out.fingerprint = cb_arena_strdup(arena, digest);
	cb_fake_read_spec(arena, json_object_get(json, "document"), &out.document);
	cb_spec_set(arena, &out.document, "autostart", cb_bool(out.autostart), origin);
	return out;
}

static int by_name(const void *a, const void *b)
{
	const struct cb_network *left = a, *right = b;

	return strcmp(left->name, right->name);
}

int cb_fake_networks(struct cb_driver *driver, struct cb_arena *arena, struct cb_networks *out,
		     struct cb_error *err)
{
	json_auto_t *state = NULL;
	json_t *networks, *network;
	const char *name;
	int r = load(driver, &state, &networks, err);

	*out = (struct cb_networks){0};
	if (r < 0)
		return r;
	json_object_foreach(networks, name, network)
		cb_vec_push(arena, out, read_network(arena, name, network));
	if (out->len > 0)
		qsort(out->items, out->len, sizeof(*out->items), by_name);
	return 0;
}

int cb_fake_network(struct cb_driver *driver, struct cb_arena *arena, const char *name,
		    struct cb_network *out, struct cb_error *err)
{
	json_auto_t *state = NULL;
	json_t *networks, *network;
	int r = load(driver, &state, &networks, err);

	if (r < 0)
		return r;
	network = json_object_get(networks, name);
	if (!network)
		return cb_error_set(err, CB_E_NOT_FOUND, "there is no network '%s'", name);
	*out = read_network(arena, name, network);
	if (out->active)
		out->live = out->document;
	return 0;
}

/* Definitions. --------------------------------------------------------------------------------- */

static bool is_path(const char *pattern)
{
	static const char *const patterns[] = {
		"mode", "bridge", "cidr", "dhcp.start", "dhcp.end", "hosts[].ip", "hosts[].name"};

	for (size_t i = 0; i < CB_COUNT(patterns); i++) {
		if (strcmp(patterns[i], pattern) == 0)
			return true;
	}
	return false;
}

static int check_entry(struct cb_arena *arena, const struct cb_entry *entry, struct cb_error *err)
{
	const struct cb_value *value = &entry->value;

	if (!is_path(cb_path_of(arena, entry->path).pattern))
		return cb_error_set(err, CB_E_INTERNAL, "'%s' stands nowhere in a network",
				    entry->path);
	if (value->kind != CB_NONE && value->kind != CB_STRING)
		return cb_error_set(err, CB_E_INTERNAL, "'%s' has a value of the wrong kind",
				    entry->path);
	if (value->kind == CB_STRING && !cb_fake_fits(value->string))
		return cb_error_set(err, CB_E_INVALID,
				    "'%s' has characters that the host cannot keep", entry->path);
	return 0;
}

/* A host goes with its address. */
static void put_entry(struct cb_arena *arena, json_t *document, const struct cb_entry *entry)
{
	struct cb_path path = cb_path_of(arena, entry->path);

	if (!cb_is_nothing(&entry->value)) {
		cb_fake_put(document, entry->path, cb_fake_of_value(&entry->value));
		return;
	}
	(void)json_object_del(document, entry->path);
	if (strcmp(path.pattern, "hosts[].ip") == 0)
		(void)json_object_del(document,
				      cb_arena_printf(arena, "hosts[%s].name", path.name));
}

static int apply(json_t *document, const struct cb_spec *set, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_spec whole = {0};
	const char *mode;
	int r;

	cb_vec_each (const struct cb_entry, entry, set) {
		if ((r = check_entry(&arena, entry, err)) < 0)
			return r;
	}
	cb_vec_each (const struct cb_entry, entry, set)
		put_entry(&arena, document, entry);
	if (!json_object_get(document, "mode"))
		cb_fake_put(document, "mode", json_string("nat"));
	mode = json_string_value(json_object_get(document, "mode"));
	if (strcmp(mode, "bridge") != 0)
		(void)json_object_del(document, "bridge");
	cb_fake_read_spec(&arena, document, &whole);
	return cb_check_network(&whole, set, err);
}

int cb_fake_network_define(struct cb_driver *driver, const struct cb_network_new *spec,
			   struct cb_error *err)
{
	json_auto_t *state = NULL;
	json_t *networks, *network;
	const char *other;
	int r = load(driver, &state, &networks, err);

	if (r < 0)
		return r;
	if (json_object_get(networks, spec->name) || by_uuid(networks, spec->uuid, &other))
		return cb_error_set(err, CB_E_EXISTS, "network '%s' or UUID %s is there already",
				    spec->name, spec->uuid);
	network = cb_fake_object(networks, spec->name);
	cb_fake_put(network, "uuid", json_string(spec->uuid));
	cb_fake_put(network, "active", json_false());
	cb_fake_put(network, "autostart", json_false());
	if ((r = apply(cb_fake_object(network, "document"), spec->set, err)) < 0)
		return cb_error_wrap(err, "network '%s'", spec->name);
	return cb_fake_save(driver, state, err);
}

int cb_fake_network_update(struct cb_driver *driver, const struct cb_network_edit *edit,
			   struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	json_auto_t *state = NULL;
	json_t *network;
	const char *name;
	int r = open_network(driver, edit->uuid, &state, &name, &network, err);

	if (r < 0)
		return r;
	if (edit->fingerprint &&
	    strcmp(read_network(&arena, name, network).fingerprint, edit->fingerprint) != 0)
		return cb_error_set(err, CB_E_CONFLICT, "the definition of '%s' is not what it was",
				    name);
	if ((r = apply(cb_fake_object(network, "document"), edit->set, err)) < 0)
		return cb_error_wrap(err, "network '%s'", name);
	return cb_fake_save(driver, state, err);
}

int cb_fake_network_document(struct cb_driver *driver, const char *uuid, struct cb_str *out,
			     struct cb_error *err)
{
	json_auto_t *state = NULL;
	json_t *network;
	const char *name;
	char *text;
	int r = open_network(driver, uuid, &state, &name, &network, err);

	if (r < 0)
		return r;
	text = definition_text(name, network);
	cb_str_add(out, text);
	free(text);
	return 0;
}

int cb_fake_network_restore(struct cb_driver *driver, const char *document, struct cb_error *err)
{
	json_auto_t *state = NULL, *whole = json_loads(document, 0, NULL);
	const char *uuid = json_string_value(json_object_get(whole, "uuid"));
	const char *name = json_string_value(json_object_get(whole, "name")), *is;
	json_t *networks, *network;
	int r;

	if (!uuid || !name)
		return cb_error_set(err, CB_E_INVALID, "not a definition of a network");
	if ((r = load(driver, &state, &networks, err)) < 0)
		return r;
	network = json_object_get(networks, name);
	if (network && strcmp(json_string_value(json_object_get(network, "uuid")), uuid) != 0)
		return cb_error_set(err, CB_E_EXISTS, "there is another network '%s'", name);
	if (by_uuid(networks, uuid, &is) && strcmp(is, name) != 0)
		return cb_error_set(err, CB_E_FAILED, "UUID %s belongs to network '%s'", uuid, is);
	network = cb_fake_object(networks, name);
	cb_fake_put(network, "uuid", json_string(uuid));
	cb_fake_put(network, "document", json_deep_copy(json_object_get(whole, "document")));
	return cb_fake_save(driver, state, err);
}

/* State. --------------------------------------------------------------------------------------- */

static int set_flag(struct cb_driver *driver, const char *uuid, const char *flag, bool on,
		    struct cb_error *err)
{
	json_auto_t *state = NULL;
	json_t *network;
	const char *name;
	int r = open_network(driver, uuid, &state, &name, &network, err);

	if (r < 0 || cb_fake_flag(network, flag) == on)
		return r;
	cb_fake_put(network, flag, json_boolean(on));
	return cb_fake_save(driver, state, err);
}

int cb_fake_network_start(struct cb_driver *driver, const char *uuid, struct cb_error *err)
{
	return set_flag(driver, uuid, "active", true, err);
}

int cb_fake_network_stop(struct cb_driver *driver, const char *uuid, struct cb_error *err)
{
	return set_flag(driver, uuid, "active", false, err);
}

int cb_fake_network_autostart(struct cb_driver *driver, const char *uuid, bool on,
			      struct cb_error *err)
{
	return set_flag(driver, uuid, "autostart", on, err);
}

int cb_fake_network_undefine(struct cb_driver *driver, const char *uuid, struct cb_error *err)
{
	json_auto_t *state = NULL;
	json_t *network;
	const char *name;
	int r = open_network(driver, uuid, &state, &name, &network, err);

	if (r < 0)
		return r;
	if (cb_fake_flag(network, "active"))
		return cb_error_set(err, CB_E_CONFLICT, "network '%s' is active", name);
	(void)json_object_del(cb_fake_object(state, "networks"), name);
	return cb_fake_save(driver, state, err);
}
