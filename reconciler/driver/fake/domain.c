#include "reconciler/driver/fake/fake_internal.h"

#include <stdlib.h>
#include <string.h>

#include "reconciler/base/digest.h"

/* Finding. ------------------------------------------------------------------------------------- */

/* Loads the state and finds the domain in it. */
static int open_domain(struct cb_driver *driver, const char *uuid, json_t **state, json_t **out,
		       struct cb_error *err)
{
	int r = cb_fake_load(driver, state, err);

	if (r < 0)
		return r;
	*out = json_object_get(cb_fake_object(*state, "domains"), uuid);
	if (!*out)
		return cb_error_set(err, CB_E_NOT_FOUND, "there is no domain %s", uuid);
	return 0;
}

/* The UUID of the domain that has the name, or NULL. */
static const char *owner_of(json_t *state, const char *name)
{
	const char *uuid;
	json_t *domain;

	json_object_foreach(cb_fake_object(state, "domains"), uuid, domain)
	{
		const char *is = json_string_value(json_object_get(domain, "name"));

		if (is && strcmp(is, name) == 0)
			return uuid;
	}
	return NULL;
}

/* Reading. ------------------------------------------------------------------------------------- */

/* What stands in the persistent definition, as one value. */
static json_t *definition(const char *uuid, json_t *domain)
{
	static const char *const members[] = {"name", "document", "stamp", "secret"};
	json_t *out = json_object();

	cb_fake_put(out, "uuid", json_string(uuid));
	for (size_t i = 0; i < CB_COUNT(members); i++) {
		json_t *member = json_object_get(domain, members[i]);

		if (member)
			cb_fake_put(out, members[i], json_incref(member));
	}
	return out;
}

static const char *fingerprint_of(struct cb_arena *arena, const char *uuid, json_t *domain)
{
	json_auto_t *whole = definition(uuid, domain);
	char digest[CB_SHA256_HEX];
	char *text;

	(void)json_object_del(whole, "secret");
	text = json_dumps(whole, JSON_SORT_KEYS | JSON_COMPACT);
	if (!text)
		cb_oom();
	cb_digest_of(text, strlen(text), digest);
	free(text);
	return cb_arena_strdup(arena, digest);
}

/* What the machine was started with bounds what can change while it runs. */
static void read_limits(struct cb_arena *arena, const json_t *started, struct cb_spec *out)
{
	static const char *const paths[] = {"ram_mb", "vcpus"};
	struct cb_origin origin = {.from = CB_FROM_HOST};

	for (size_t i = 0; i < CB_COUNT(paths); i++) {
		const char *path = cb_arena_printf(arena, "%s.max", paths[i]);
		struct cb_value value = cb_int((int64_t)cb_fake_number(started, paths[i]));

		if (value.integer > 0)
			cb_spec_set(arena, out, path, value, origin);
	}
}

/* Every file that a document refers to. */
static void files_of(struct cb_arena *arena, json_t *document, struct cb_texts *out)
{
	static const char *const patterns[] = {"disks[].source", "boot.kernel", "boot.initrd"};

	for (size_t i = 0; i < CB_COUNT(patterns); i++)
		cb_fake_refers(arena, document, patterns[i], out);
}

/* What the definition and the running machine refer to. */
static void read_references(struct cb_arena *arena, json_t *json, struct cb_domain *out)
{
	static const char *const documents[] = {"document", "live"};
	struct cb_texts files = {0}, macs = {0}, networks = {0};

	for (size_t i = 0; i < CB_COUNT(documents); i++) {
		json_t *document = json_object_get(json, documents[i]);

		files_of(arena, document, &files);
		cb_fake_refers(arena, document, "nics[].mac", &macs);
		cb_fake_refers_networks(arena, document, &networks);
	}
	cb_vec_each (const char *, file, &files)
		cb_vec_push(arena, &out->files, *file);
	cb_vec_each (const char *, mac, &macs)
		cb_vec_push(arena, &out->macs, *mac);
	cb_vec_each (const char *, network, &networks)
		cb_vec_push(arena, &out->networks, *network);
}

static bool is_uefi(const json_t *document)
{
	const char *firmware = json_string_value(json_object_get(document, "firmware"));

	return firmware && strcmp(firmware, "uefi") == 0;
}

static struct cb_domain read_domain(struct cb_arena *arena, const char *uuid, json_t *json,
				    bool full)
{
	struct cb_origin origin = {.from = CB_FROM_HOST};
	struct cb_domain out = {
		.uuid = cb_arena_strdup(arena, uuid),
		.name = cb_fake_text(arena, json, "name"),
		.active = cb_fake_flag(json, "active"),
		.persistent = cb_fake_flag(json, "persistent"),
		.managed_save = cb_fake_flag(json, "managed_save"),
		.snapshots = cb_fake_flag(json, "snapshots"),
		.checkpoints = cb_fake_flag(json, "checkpoints"),
		.nvram = cb_fake_flag(json, "nvram"),
	};
	json_t *document = cb_fake_object(json, "document");

	out.stamp = cb_fake_to_stamp(arena, json_object_get(json, "stamp"), &out.stamp_problem);
	out.nvram = out.nvram || is_uefi(document);
	read_references(arena, json, &out);
	if (!full && !out.stamp)
		return out;
	out.fingerprint = fingerprint_of(arena, uuid, json);
	cb_fake_read_spec(arena, document, &out.document);
	cb_spec_set(arena, &out.document, "autostart", cb_bool(cb_fake_flag(json, "autostart")),
		    origin);
	cb_spec_set(arena, &out.document, "state", cb_string(out.active ? "running" : "stopped"),
		    origin);
	if (out.active) {
		cb_fake_read_spec(arena, cb_fake_object(json, "live"), &out.live);
		read_limits(arena, cb_fake_object(json, "started"), &out.live);
	}
	return out;
}

static int by_name(const void *a, const void *b)
{
	const struct cb_domain *left = a, *right = b;

	return strcmp(left->name, right->name);
}

static int stray_of(const json_t *state, const char *uuid)
{
	const json_t *domain = json_object_get(json_object_get(state, "domains"), uuid);
	uint64_t pid = cb_fake_number(domain, "stray");

	return (int)(pid ? pid : cb_fake_number(json_object_get(state, "strays"), uuid));
}

int cb_fake_domains(struct cb_driver *driver, struct cb_arena *arena, struct cb_domains *out,
		    struct cb_error *err)
{
	json_auto_t *state = NULL;
	const char *uuid;
	json_t *domain;
	int r = cb_fake_load(driver, &state, err);

	*out = (struct cb_domains){0};
	if (r < 0)
		return r;
	json_object_foreach(cb_fake_object(state, "domains"), uuid, domain)
	{
		struct cb_domain item = read_domain(arena, uuid, domain, false);

		item.stray = item.active ? 0 : stray_of(state, uuid);
		cb_vec_push(arena, out, item);
	}
	if (out->len > 0)
		qsort(out->items, out->len, sizeof(*out->items), by_name);
	return 0;
}

int cb_fake_domain(struct cb_driver *driver, struct cb_arena *arena, const char *uuid,
		   struct cb_domain *out, struct cb_error *err)
{
	json_auto_t *state = NULL;
	json_t *domain;
	int r = open_domain(driver, uuid, &state, &domain, err);

	if (r < 0)
		return r;
	*out = read_domain(arena, uuid, domain, true);
	return 0;
}

/* Definitions. --------------------------------------------------------------------------------- */

/* What the host cannot do without, and what it cannot do. */
static int check_document(json_t *state, json_t *document, struct cb_error *err)
{
	const char *accel = json_string_value(json_object_get(document, "accel"));
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_texts forwards = {0};

	if (!json_object_get(document, "ram_mb"))
		return cb_error_set(err, CB_E_FAILED, "missing element 'memory'");
	if (accel && strcmp(accel, "kvm") == 0 && !cb_fake_can(state, "kvm", false))
		return cb_error_set(err, CB_E_UNSUPPORTED, "this host has no KVM");
	cb_fake_refers(&arena, document, "nics[].forwards", &forwards);
	if (forwards.len > 0 && !cb_fake_can(state, "passt", true))
		return cb_error_set(err, CB_E_UNSUPPORTED, "this host forwards no ports");
	return 0;
}

int cb_fake_domain_define(struct cb_driver *driver, const struct cb_domain_new *spec,
			  struct cb_error *err)
{
	json_auto_t *state = NULL;
	json_t *domains, *domain, *document;
	int r = cb_fake_load(driver, &state, err);

	if (r < 0)
		return r;
	domains = cb_fake_object(state, "domains");
	if (json_object_get(domains, spec->uuid) || owner_of(state, spec->name))
		return cb_error_set(err, CB_E_EXISTS, "domain '%s' or UUID %s is there already",
				    spec->name, spec->uuid);
	domain = cb_fake_object(domains, spec->uuid);
	document = cb_fake_object(domain, "document");
	cb_fake_put(document, "name", json_string(spec->name));
	cb_fake_put(document, "vcpus", json_integer(1));
	if ((r = cb_fake_apply(document, spec->set, err)) < 0 ||
	    (r = check_document(state, document, err)) < 0)
		return cb_error_wrap(err, "domain '%s'", spec->name);
	cb_fake_put(domain, "name", json_string(spec->name));
	cb_fake_put(domain, "active", json_false());
	cb_fake_put(domain, "persistent", json_true());
	cb_fake_put(domain, "autostart", json_false());
	if ((r = cb_fake_put_stamp(domain, spec->stamp, err)) < 0)
		return r;
	return cb_fake_save(driver, state, err);
}

static int check_edit(struct cb_arena *arena, const struct cb_domain_edit *edit, json_t *domain,
		      struct cb_error *err)
{
	const char *name = cb_fake_text(arena, domain, "name");
	const char *renamed = cb_spec_string(edit->set, "name");

	if (!cb_fake_flag(domain, "persistent"))
		return cb_error_set(err, CB_E_CONFLICT, "domain '%s' is transient", name);
	if (strcmp(fingerprint_of(arena, edit->uuid, domain), edit->fingerprint) != 0)
		return cb_error_set(err, CB_E_CONFLICT, "the definition of '%s' is not what it was",
				    name);
	if (renamed && strcmp(renamed, name) != 0)
		return cb_error_set(err, CB_E_UNSUPPORTED, "a domain cannot be renamed");
	return 0;
}

int cb_fake_domain_update(struct cb_driver *driver, const struct cb_domain_edit *edit,
			  struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	json_auto_t *state = NULL;
	json_t *domain, *document;
	int r;

	if ((r = open_domain(driver, edit->uuid, &state, &domain, err)) < 0 ||
	    (r = check_edit(&arena, edit, domain, err)) < 0)
		return r;
	document = cb_fake_object(domain, "document");
	if ((r = cb_fake_apply(document, edit->set, err)) < 0 ||
	    (r = check_document(state, document, err)) < 0)
		return r;
	if (edit->stamp && (r = cb_fake_put_stamp(domain, edit->stamp, err)) < 0)
		return r;
	return cb_fake_save(driver, state, err);
}

int cb_fake_domain_document(struct cb_driver *driver, const char *uuid, struct cb_str *out,
			    struct cb_error *err)
{
	json_auto_t *state = NULL, *whole = NULL;
	json_t *domain;
	char *text;
	int r = open_domain(driver, uuid, &state, &domain, err);

	if (r < 0)
		return r;
	whole = definition(uuid, domain);
	text = json_dumps(whole, JSON_SORT_KEYS | JSON_INDENT(1));
	if (!text)
		cb_oom();
	cb_str_add(out, text);
	free(text);
	return 0;
}

int cb_fake_domain_restore(struct cb_driver *driver, const char *document, struct cb_error *err)
{
	json_auto_t *state = NULL, *whole = json_loads(document, 0, NULL);
	const char *uuid = json_string_value(json_object_get(whole, "uuid"));
	const char *name = json_string_value(json_object_get(whole, "name")), *owner;
	json_t *domain;
	int r;

	if (!uuid || !name)
		return cb_error_set(err, CB_E_INVALID, "not a definition of a domain");
	if ((r = cb_fake_load(driver, &state, err)) < 0)
		return r;
	owner = owner_of(state, name);
	if (owner && strcmp(owner, uuid) != 0)
		return cb_error_set(err, CB_E_EXISTS, "there is another domain '%s'", name);
	domain = cb_fake_object(cb_fake_object(state, "domains"), uuid);
	(void)json_object_del(domain, "stamp");
	(void)json_object_del(domain, "secret");
	if (json_object_update(domain, whole) < 0)
		cb_oom();
	(void)json_object_del(domain, "uuid");
	cb_fake_put(domain, "persistent", json_true());
	return cb_fake_save(driver, state, err);
}

static int check_rename(json_t *state, const char *uuid, json_t *domain, const char *name,
			struct cb_error *err)
{
	const char *owner = owner_of(state, name);

	if (cb_fake_flag(domain, "active"))
		return cb_error_set(err, CB_E_CONFLICT, "domain %s is running", uuid);
	if (!*name || !cb_fake_fits(name))
		return cb_error_set(err, CB_E_INVALID, "the host cannot keep that name");
	if (cb_fake_flag(domain, "managed_save") || cb_fake_flag(domain, "snapshots") ||
	    cb_fake_flag(domain, "checkpoints"))
		return cb_error_set(err, CB_E_UNSUPPORTED, "domain %s has snapshots", uuid);
	if (owner && strcmp(owner, uuid) != 0)
		return cb_error_set(err, CB_E_EXISTS, "there is another domain '%s'", name);
	return 0;
}

int cb_fake_domain_rename(struct cb_driver *driver, const char *uuid, const char *name,
			  const struct cb_stamp *stamp, struct cb_error *err)
{
	json_auto_t *state = NULL;
	json_t *domain;
	int r;

	if ((r = open_domain(driver, uuid, &state, &domain, err)) < 0 ||
	    (r = check_rename(state, uuid, domain, name, err)) < 0 ||
	    (stamp && (r = cb_fake_put_stamp(domain, stamp, err)) < 0))
		return r;
	cb_fake_put(domain, "name", json_string(name));
	cb_fake_put(cb_fake_object(domain, "document"), "name", json_string(name));
	return cb_fake_save(driver, state, err);
}

int cb_fake_domain_undefine(struct cb_driver *driver, const char *uuid, struct cb_error *err)
{
	json_auto_t *state = NULL;
	json_t *domain;
	int r = open_domain(driver, uuid, &state, &domain, err);

	if (r < 0)
		return r;
	if (cb_fake_flag(domain, "active"))
		return cb_error_set(err, CB_E_CONFLICT, "domain %s is running", uuid);
	(void)json_object_del(cb_fake_object(state, "domains"), uuid);
	return cb_fake_save(driver, state, err);
}

int cb_fake_domain_autostart(struct cb_driver *driver, const char *uuid, bool on,
			     struct cb_error *err)
{
	json_auto_t *state = NULL;
	json_t *domain;
	int r = open_domain(driver, uuid, &state, &domain, err);

	if (r < 0)
		return r;
	cb_fake_put(domain, "autostart", json_boolean(on));
	return cb_fake_save(driver, state, err);
}

/* The running machine. ------------------------------------------------------------------------- */

/* What the machine was started with bounds what it can be given. */
static int check_live(json_t *domain, const char *path, const struct cb_value *value,
		      struct cb_error *err)
{
	json_t *live = cb_fake_object(domain, "live");
	json_t *started = cb_fake_object(domain, "started");
	bool can = false;

	if (strcmp(path, "description") == 0)
		can = value->kind == CB_NONE || value->kind == CB_STRING;
	else if (strcmp(path, "ram_mb") == 0)
		can = value->kind == CB_INT &&
		      (uint64_t)value->integer <= cb_fake_number(started, path);
	else if (strcmp(path, "vcpus") == 0)
		can = value->kind == CB_INT &&
		      (uint64_t)value->integer <= cb_fake_number(started, path) &&
		      (uint64_t)value->integer >= cb_fake_number(live, path);
	if (!can || cb_fake_flag(domain, "rigid"))
		return cb_error_set(err, CB_E_UNSUPPORTED,
				    "'%s' cannot change so while the machine runs", path);
	return 0;
}

int cb_fake_domain_live(struct cb_driver *driver, const char *uuid, const char *path,
			const struct cb_value *value, struct cb_error *err)
{
	json_auto_t *state = NULL;
	json_t *domain, *live;
	int r = open_domain(driver, uuid, &state, &domain, err);

	if (r < 0)
		return r;
	if (!cb_fake_flag(domain, "active"))
		return cb_error_set(err, CB_E_CONFLICT, "domain %s does not run", uuid);
	if ((r = check_live(domain, path, value, err)) < 0)
		return r;
	live = cb_fake_object(domain, "live");
	if (value->kind == CB_NONE)
		(void)json_object_del(live, path);
	else
		cb_fake_put(live, path, cb_fake_of_value(value));
	return cb_fake_save(driver, state, err);
}

static int check_start(json_t *state, json_t *document, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	struct cb_texts files = {0}, networks = {0};

	files_of(&arena, document, &files);
	cb_fake_refers_networks(&arena, document, &networks);
	cb_vec_each (const char *, file, &files) {
		if (!cb_fake_has_file(state, *file))
			return cb_error_set(err, CB_E_FAILED, "'%s' does not exist", *file);
	}
	cb_vec_each (const char *, network, &networks) {
		if (!cb_fake_network_active(state, *network))
			return cb_error_set(err, CB_E_FAILED, "network '%s' is not active",
					    *network);
	}
	if (is_uefi(document) && !cb_fake_can(state, "uefi", true))
		return cb_error_set(err, CB_E_FAILED, "there is no UEFI firmware");
	return 0;
}

int cb_fake_domain_stray(struct cb_driver *driver, const char *uuid, int *pid, struct cb_error *err)
{
	json_auto_t *state = NULL;
	json_t *domain;
	int r = cb_fake_load(driver, &state, err);

	*pid = 0;
	if (r < 0)
		return r;
	domain = json_object_get(cb_fake_object(state, "domains"), uuid);
	*pid = cb_fake_flag(domain, "active") ? 0 : stray_of(state, uuid);
	return 0;
}

int cb_fake_domain_start(struct cb_driver *driver, const char *uuid, struct cb_error *err)
{
	json_auto_t *state = NULL;
	json_t *domain, *document;
	int r = open_domain(driver, uuid, &state, &domain, err);

	if (r < 0 || cb_fake_flag(domain, "active"))
		return r;
	document = cb_fake_object(domain, "document");
	if ((r = check_start(state, document, err)) < 0)
		return cb_error_wrap(err, "cannot start domain %s", uuid);
	cb_fake_put(domain, "active", json_true());
	cb_fake_put(domain, "live", json_deep_copy(document));
	cb_fake_put(domain, "started", json_deep_copy(document));
	return cb_fake_save(driver, state, err);
}

static int stop(struct cb_driver *driver, json_t *state, const char *uuid, json_t *domain,
		struct cb_error *err)
{
	if (!cb_fake_flag(domain, "persistent")) {
		(void)json_object_del(cb_fake_object(state, "domains"), uuid);
	} else {
		cb_fake_put(domain, "active", json_false());
		(void)json_object_del(domain, "live");
		(void)json_object_del(domain, "started");
	}
	return cb_fake_save(driver, state, err);
}

int cb_fake_domain_shutdown(struct cb_driver *driver, const char *uuid, enum cb_shutdown how,
			    struct cb_error *err)
{
	json_auto_t *state = NULL;
	json_t *domain;
	int r = open_domain(driver, uuid, &state, &domain, err);

	if (r < 0 || !cb_fake_flag(domain, "active"))
		return r;
	if (how == CB_SHUTDOWN_AGENT && !cb_fake_flag(domain, "agent"))
		return cb_error_set(err, CB_E_UNSUPPORTED, "no guest agent answers in domain %s",
				    uuid);
	if (how == CB_SHUTDOWN_ACPI && cb_fake_flag(domain, "deaf"))
		return 0;
	return stop(driver, state, uuid, domain, err);
}

int cb_fake_domain_power_off(struct cb_driver *driver, const char *uuid, struct cb_error *err)
{
	json_auto_t *state = NULL;
	json_t *domain;
	int r = open_domain(driver, uuid, &state, &domain, err);

	if (r < 0 || !cb_fake_flag(domain, "active"))
		return r;
	return stop(driver, state, uuid, domain, err);
}

/* The guest. ----------------------------------------------------------------------------------- */

int cb_fake_domain_addresses(struct cb_driver *driver, struct cb_arena *arena, const char *uuid,
			     struct cb_addresses *out, struct cb_error *err)
{
	json_auto_t *state = NULL;
	json_t *domain, *item;
	size_t i;
	int r = open_domain(driver, uuid, &state, &domain, err);

	*out = (struct cb_addresses){0};
	if (r < 0)
		return r;
	if (!cb_fake_flag(domain, "active"))
		return cb_error_set(err, CB_E_CONFLICT, "domain %s does not run", uuid);
	json_array_foreach(json_object_get(domain, "addresses"), i, item)
	{
		struct cb_address address = {
			.mac = cb_fake_text(arena, item, "mac"),
			.address = cb_fake_text(arena, item, "address"),
			.from_agent = cb_fake_flag(domain, "agent"),
		};

		cb_vec_push(arena, out, address);
	}
	return 0;
}

int cb_fake_domain_agent(struct cb_driver *driver, const char *uuid, bool *out,
			 struct cb_error *err)
{
	json_auto_t *state = NULL;
	json_t *domain;
	int r = open_domain(driver, uuid, &state, &domain, err);

	*out = r == 0 && cb_fake_flag(domain, "active") && cb_fake_flag(domain, "agent");
	return r;
}

/* Its guests say nothing. */
int cb_fake_domain_console(struct cb_driver *driver, const char *uuid,
			   const struct cb_console_io *io, struct cb_error *err)
{
	json_auto_t *state = NULL;
	json_t *domain;
	int r = open_domain(driver, uuid, &state, &domain, err);

	(void)io;
	if (r < 0)
		return r;
	if (!cb_fake_flag(domain, "active"))
		return cb_error_set(err, CB_E_CONFLICT, "the domain does not run");
	return cb_error_set(err, CB_E_UNSUPPORTED, "the domain has no console");
}
