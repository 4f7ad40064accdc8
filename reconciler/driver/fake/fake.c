#include "reconciler/driver/fake/fake_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/base/fs.h"

enum { STATE_MAX = 64 * 1024 * 1024 };

/* The state. ----------------------------------------------------------------------------------- */

static json_t *empty_host(void)
{
	json_t *state = json_object();

	if (!state)
		cb_oom();
	cb_fake_put(cb_fake_object(state, "networks"), "default", json_string("active"));
	return state;
}

int cb_fake_load(struct cb_driver *driver, json_t **out, struct cb_error *err)
{
	const char *path = cb_fake_of(driver)->path;
	cb_auto_str struct cb_str text = {0};
	json_error_t where;
	int r = cb_fs_read(path, STATE_MAX, &text, err);

	if (r == -CB_E_NOT_FOUND) {
		cb_error_release(err);
		*out = empty_host();
		return 0;
	}
	/* To the caller, a state that cannot be had is a host that does not answer. */
	if (r < 0) {
		err->code = CB_E_UNAVAILABLE;
		return -CB_E_UNAVAILABLE;
	}
	*out = json_loadb(cb_str_text(&text), text.len, 0, &where);
	if (!*out)
		return cb_error_set(err, CB_E_UNAVAILABLE, "'%s', line %d: %s", path, where.line,
				    where.text);
	return 0;
}

/* Written whole or not at all, but not durable: tests kill processes, not the power. */
int cb_fake_save(struct cb_driver *driver, const json_t *state, struct cb_error *err)
{
	const char *path = cb_fake_of(driver)->path;
	cb_auto_arena struct cb_arena arena = {0};
	const char *temporary = cb_arena_printf(&arena, "%s.new", path);

	if (json_dump_file(state, temporary, JSON_SORT_KEYS | JSON_INDENT(1)) < 0 ||
	    rename(temporary, path) < 0)
		return cb_error_set(err, CB_E_FAILED, "cannot write '%s': %s", path,
				    strerror(errno));
	return 0;
}

json_t *cb_fake_object(json_t *parent, const char *name)
{
	json_t *member = json_object_get(parent, name);

	if (!json_is_object(member)) {
		member = json_object();
		cb_fake_put(parent, name, member);
	}
	return member;
}

void cb_fake_put(json_t *parent, const char *name, json_t *value)
{
	/* The one failure that is not memory is text that is not UTF-8. */
	if (json_object_set_new(parent, name, value) < 0)
		cb_oom();
}

bool cb_fake_flag(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

const char *cb_fake_text(struct cb_arena *arena, const json_t *object, const char *name)
{
	return cb_arena_strdup(arena, json_string_value(json_object_get(object, name)));
}

uint64_t cb_fake_number(const json_t *object, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(object, name));
}

/* The host. ------------------------------------------------------------------------------------ */

static void close_host(struct cb_driver *driver)
{
	free(cb_fake_of(driver)->path);
	free(cb_fake_of(driver));
}

static int host(struct cb_driver *driver, struct cb_arena *arena, struct cb_host *out,
		struct cb_error *err)
{
	json_auto_t *state = NULL;
	int r = cb_fake_load(driver, &state, err);

	if (r < 0)
		return r;
	*out = (struct cb_host){
		.uri = cb_arena_printf(arena, "fake://%s", cb_fake_of(driver)->path),
		.hostname = "fake",
		.type = "Fake",
		.libvirt_version = 9000000,
		.hypervisor_version = 7002000,
		.kvm = false,
		.local = false,
		.cpus = 4,
		.memory_mb = 16 * 1024,
	};
	return 0;
}

static int network(struct cb_driver *driver, const char *name, enum cb_net_state *out,
		   struct cb_error *err)
{
	json_auto_t *state = NULL;
	const char *is;
	int r = cb_fake_load(driver, &state, err);

	if (r < 0)
		return r;
	is = json_string_value(json_object_get(json_object_get(state, "networks"), name));
	*out = CB_NET_ABSENT;
	if (is)
		*out = strcmp(is, "active") == 0 ? CB_NET_ACTIVE : CB_NET_INACTIVE;
	return 0;
}

static const struct cb_driver_ops ops = {
	.close = close_host,
	.host = host,
	.domains = cb_fake_domains,
	.domain = cb_fake_domain,
	.domain_define = cb_fake_domain_define,
	.domain_update = cb_fake_domain_update,
	.domain_document = cb_fake_domain_document,
	.domain_restore = cb_fake_domain_restore,
	.domain_undefine = cb_fake_domain_undefine,
	.domain_autostart = cb_fake_domain_autostart,
	.domain_live = cb_fake_domain_live,
	.domain_start = cb_fake_domain_start,
	.domain_shutdown = cb_fake_domain_shutdown,
	.domain_power_off = cb_fake_domain_power_off,
	.pool = cb_fake_pool,
	.pool_define = cb_fake_pool_define,
	.pool_start = cb_fake_pool_start,
	.pool_autostart = cb_fake_pool_autostart,
	.pool_undefine = cb_fake_pool_undefine,
	.pool_refresh = cb_fake_pool_refresh,
	.volumes = cb_fake_volumes,
	.volume = cb_fake_volume,
	.volume_create = cb_fake_volume_create,
	.volume_write = cb_fake_volume_write,
	.volume_digest = cb_fake_volume_digest,
	.volume_delete = cb_fake_volume_delete,
	.network = network,
};

int cb_fake_open(const char *path, struct cb_driver **out, struct cb_error *err)
{
	struct cb_fake *fake = calloc(1, sizeof(*fake));
	json_auto_t *state = NULL;
	int r;

	if (!fake || !(fake->path = strdup(path)))
		cb_oom();
	fake->base.ops = &ops;
	if ((r = cb_fake_load(&fake->base, &state, err)) < 0) {
		close_host(&fake->base);
		return r;
	}
	*out = &fake->base;
	return 0;
}
