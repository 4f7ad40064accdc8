#include "reconciler/driver/fake/fake_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "reconciler/base/digest.h"
#include "reconciler/base/fs.h"
#include "reconciler/driver/operations.h"

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

bool cb_fake_can(const json_t *state, const char *knob, bool otherwise)
{
	return json_object_get(state, knob) ? cb_fake_flag(state, knob) : otherwise;
}

json_t *cb_fake_uuid(const char *kind, const char *name)
{
	cb_auto_arena struct cb_arena arena = {0};
	const char *what = cb_arena_printf(&arena, "%s %s", kind, name);
	char digest[CB_SHA256_HEX];

	cb_digest_of(what, strlen(what), digest);
	return json_string(cb_arena_printf(&arena, "%.8s-%.4s-4%.3s-8%.3s-%.12s", digest,
					   digest + 8, digest + 12, digest + 15, digest + 18));
}

/* The host. ------------------------------------------------------------------------------------ */

static void close_host(struct cb_driver *driver)
{
	if (cb_fake_of(driver)->lock >= 0)
		(void)close(cb_fake_of(driver)->lock);
	free(cb_fake_of(driver)->path);
	free(cb_fake_of(driver));
}

int cb_fake_host(struct cb_driver *driver, struct cb_arena *arena, struct cb_host *out,
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
		.kvm = cb_fake_can(state, "kvm", false),
		.uefi = cb_fake_can(state, "uefi", true),
		.virtiofs = cb_fake_can(state, "virtiofs", true),
		.local = cb_fake_can(state, "local", false),
		.processes = true,
		.cpus = 4,
		.memory_mb = 16 * 1024,
		.free_memory_mb = 12 * 1024,
	};
	if (json_object_get(state, "free_memory_mb"))
		out->free_memory_mb = cb_fake_number(state, "free_memory_mb");
	return 0;
}

/* One operation at a time: each reads the whole state and writes it back, and several connections,
 * of this process or of others, share the file. */
static int lock_state(struct cb_driver *driver, struct cb_error *err)
{
	const struct cb_fake *fake = cb_fake_of(driver);

	while (flock(fake->lock, LOCK_EX) < 0) {
		if (errno != EINTR)
			return cb_error_errno(err, errno, "cannot lock '%s'", fake->path);
	}
	return 0;
}

#define LOCKED(class_, patience_, name_, params_, args_)                                           \
	static int name_(struct cb_driver *driver, params_, struct cb_error *err)                  \
	{                                                                                          \
		int r = lock_state(driver, err);                                                   \
                                                                                                   \
		if (r < 0)                                                                         \
			return r;                                                                  \
		r = cb_fake_##name_(driver, args_, err);                                           \
		(void)flock(cb_fake_of(driver)->lock, LOCK_UN);                                    \
		return r;                                                                          \
	}

CB_DRIVER_OPERATIONS(LOCKED)

static const struct cb_driver_ops ops = {.close = close_host,
#define ENTRY(class_, patience_, name_, params_, args_) .name_ = name_,
					 CB_DRIVER_OPERATIONS(ENTRY)
#undef ENTRY
};

static int open_lock(struct cb_fake *fake, struct cb_error *err)
{
	cb_auto_str struct cb_str path = {0};

	cb_str_printf(&path, "%s.lock", fake->path);
	fake->lock = open(cb_str_text(&path), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return fake->lock < 0 ? cb_error_errno(err, errno, "cannot open '%s'", path.text) : 0;
}

int cb_fake_open(const char *path, struct cb_driver **out, struct cb_error *err)
{
	struct cb_fake *fake = calloc(1, sizeof(*fake));
	json_auto_t *state = NULL;
	int r;

	if (!fake || !(fake->path = strdup(path)))
		cb_oom();
	fake->base.ops = &ops;
	if ((r = open_lock(fake, err)) < 0 || (r = cb_fake_load(&fake->base, &state, err)) < 0) {
		close_host(&fake->base);
		return r;
	}
	*out = &fake->base;
	return 0;
}
