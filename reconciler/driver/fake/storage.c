#include "reconciler/driver/fake/fake_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reconciler/base/digest.h"
#include "reconciler/base/fs.h"

static const uint64_t pool_capacity = (uint64_t)100 << 30;

/* Finding. ------------------------------------------------------------------------------------- */

static int open_pool(struct cb_driver *driver, const char *name, json_t **state, json_t **out,
		     struct cb_error *err)
{
	int r = cb_fake_load(driver, state, err);

	if (r < 0)
		return r;
	*out = json_object_get(cb_fake_object(*state, "pools"), name);
	if (!*out)
		return cb_error_set(err, CB_E_NOT_FOUND, "there is no pool '%s'", name);
	return 0;
}

/* A pool whose volumes are asked for: anything but an answer says nothing about them. */
static int open_active(struct cb_driver *driver, const char *name, json_t **state, json_t **out,
		       struct cb_error *err)
{
	int r = open_pool(driver, name, state, out, err);

	if (r == -CB_E_NOT_FOUND)
		return cb_error_set(err, CB_E_FAILED, "there is no pool '%s'", name);
	if (r == 0 && !cb_fake_flag(*out, "active"))
		return cb_error_set(err, CB_E_FAILED, "pool '%s' is not active", name);
	return r;
}

/* The files in the pool's directory, known to it or not. */
static json_t *files_of(json_t *state, const json_t *pool)
{
	return cb_fake_object(cb_fake_object(state, "directories"),
			      json_string_value(json_object_get(pool, "path")));
}

static int open_volume(struct cb_driver *driver, const char *pool_name, const char *name,
		       json_t **state, json_t **pool, json_t **out, struct cb_error *err)
{
	int r = open_active(driver, pool_name, state, pool, err);

	if (r < 0)
		return r;
	*out = json_object_get(files_of(*state, *pool), name);
	if (!cb_fake_flag(json_object_get(*pool, "known"), name))
		return cb_error_set(err, CB_E_NOT_FOUND, "there is no volume '%s' in pool '%s'",
				    name, pool_name);
	if (!*out)
		return cb_error_set(err, CB_E_FAILED, "the file of volume '%s' is gone", name);
	return 0;
}

bool cb_fake_has_file(json_t *state, const char *path)
{
	const char *slash = strrchr(path, '/'), *name;
	json_t *pool;

	json_object_foreach(cb_fake_object(state, "pools"), name, pool)
	{
		const char *directory = json_string_value(json_object_get(pool, "path"));

		if (slash && strlen(directory) == (size_t)(slash - path) &&
		    strncmp(directory, path, (size_t)(slash - path)) == 0)
			return json_object_get(files_of(state, pool), slash + 1) != NULL;
	}
	return true;
}

/* Pools. --------------------------------------------------------------------------------------- */

/* Tests write pools without one. */
static const char *uuid_of(struct cb_arena *arena, const char *name, const json_t *pool)
{
	json_auto_t *made = cb_fake_uuid("pool", name);
	const char *uuid = cb_fake_text(arena, pool, "uuid");

	return uuid ? uuid : cb_arena_strdup(arena, json_string_value(made));
}

int cb_fake_pool(struct cb_driver *driver, struct cb_arena *arena, const char *name,
		 struct cb_pool *out, struct cb_error *err)
{
	json_auto_t *state = NULL;
	uint64_t used = 0;
	const char *file_name;
	json_t *pool, *file;
	int r = open_pool(driver, name, &state, &pool, err);

	if (r < 0)
		return r;
	json_object_foreach(files_of(state, pool), file_name, file) used +=
		cb_fake_number(file, "written");
	*out = (struct cb_pool){
		.uuid = uuid_of(arena, name, pool),
		.name = cb_arena_strdup(arena, name),
		.type = "dir",
		.path = cb_fake_text(arena, pool, "path"),
		.active = cb_fake_flag(pool, "active"),
		.autostart = cb_fake_flag(pool, "autostart"),
	};
	if (out->active) {
		out->capacity = json_object_get(pool, "capacity") ? cb_fake_number(pool, "capacity")
								  : pool_capacity;
		out->available = used < out->capacity ? out->capacity - used : 0;
	}
	return 0;
}

int cb_fake_pool_define(struct cb_driver *driver, const char *name, const char *path,
			const char *uuid, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	json_auto_t *state = NULL;
	const char *other;
	json_t *pools, *pool;
	int r = cb_fake_load(driver, &state, err);

	if (r < 0)
		return r;
	pools = cb_fake_object(state, "pools");
	if (json_object_get(pools, name))
		return cb_error_set(err, CB_E_EXISTS, "there is a pool '%s' already", name);
	json_object_foreach(pools, other, pool)
	{
		if (uuid && strcmp(uuid_of(&arena, other, pool), uuid) == 0)
			return cb_error_set(err, CB_E_EXISTS, "the UUID belongs to pool '%s'",
					    other);
		if (strcmp(json_string_value(json_object_get(pool, "path")), path) == 0)
			return cb_error_set(err, CB_E_FAILED, "pool '%s' is at '%s' already", other,
					    path);
	}
	pool = cb_fake_object(pools, name);
	if (uuid)
		cb_fake_put(pool, "uuid", json_string(uuid));
	cb_fake_put(pool, "path", json_string(path));
	cb_fake_put(pool, "active", json_false());
	cb_fake_put(pool, "autostart", json_false());
	return cb_fake_save(driver, state, err);
}

static void refresh(json_t *state, json_t *pool)
{
	json_t *known = json_object(), *file;
	const char *name;

	json_object_foreach(files_of(state, pool), name, file)
		cb_fake_put(known, name, json_true());
	cb_fake_put(pool, "known", known);
}

int cb_fake_pool_start(struct cb_driver *driver, const char *name, struct cb_error *err)
{
	json_auto_t *state = NULL;
	json_t *pool;
	int r = open_pool(driver, name, &state, &pool, err);

	if (r < 0 || cb_fake_flag(pool, "active"))
		return r;
	cb_fake_put(pool, "active", json_true());
	refresh(state, pool);
	return cb_fake_save(driver, state, err);
}

int cb_fake_pool_autostart(struct cb_driver *driver, const char *name, bool on,
			   struct cb_error *err)
{
	json_auto_t *state = NULL;
	json_t *pool;
	int r = open_pool(driver, name, &state, &pool, err);

	if (r < 0)
		return r;
	cb_fake_put(pool, "autostart", json_boolean(on));
	return cb_fake_save(driver, state, err);
}

int cb_fake_pool_undefine(struct cb_driver *driver, const char *name, struct cb_error *err)
{
	json_auto_t *state = NULL;
	json_t *pool;
	int r = open_pool(driver, name, &state, &pool, err);

	if (r < 0)
		return r;
	(void)json_object_del(cb_fake_object(state, "pools"), name);
	return cb_fake_save(driver, state, err);
}

int cb_fake_pool_refresh(struct cb_driver *driver, const char *name, struct cb_error *err)
{
	json_auto_t *state = NULL;
	json_t *pool;
	int r = open_pool(driver, name, &state, &pool, err);

	if (r < 0)
		return r;
	if (!cb_fake_flag(pool, "active"))
		return cb_error_set(err, CB_E_FAILED, "pool '%s' is not active", name);
	refresh(state, pool);
	return cb_fake_save(driver, state, err);
}

/* Volumes. ------------------------------------------------------------------------------------- */

static const char *bytes_of(struct cb_arena *arena, struct cb_driver *driver, const json_t *pool,
			    const char *name)
{
	return cb_fake_bytes_path(arena, driver, json_string_value(json_object_get(pool, "path")),
				  name);
}

static struct cb_volume read_volume(struct cb_arena *arena, const char *pool_name,
				    const json_t *pool, const char *name, const json_t *file)
{
	return (struct cb_volume){
		.pool = cb_arena_strdup(arena, pool_name),
		.name = cb_arena_strdup(arena, name),
		.path = cb_arena_printf(arena, "%s/%s",
					json_string_value(json_object_get(pool, "path")), name),
		.format = cb_fake_text(arena, file, "format"),
		.backing = cb_fake_text(arena, file, "backing"),
		.backing_format = cb_fake_text(arena, file, "backing_format"),
		.capacity = cb_fake_number(file, "capacity"),
		.allocation = cb_fake_number(file, "written"),
	};
}

static int by_name(const void *a, const void *b)
{
	const struct cb_volume *left = a, *right = b;

	return strcmp(left->name, right->name);
}

int cb_fake_volumes(struct cb_driver *driver, struct cb_arena *arena, const char *pool_name,
		    struct cb_volumes *out, struct cb_error *err)
{
	json_auto_t *state = NULL;
	const char *name;
	json_t *pool, *known;
	int r = open_active(driver, pool_name, &state, &pool, err);

	*out = (struct cb_volumes){0};
	if (r < 0)
		return r;
	json_object_foreach(cb_fake_object(pool, "known"), name, known)
		cb_vec_push(arena, out, read_volume(arena, pool_name, pool, name, NULL));
	if (out->len > 0)
		qsort(out->items, out->len, sizeof(*out->items), by_name);
	return 0;
}

int cb_fake_volume(struct cb_driver *driver, struct cb_arena *arena, const char *pool_name,
		   const char *name, struct cb_volume *out, struct cb_error *err)
{
	json_auto_t *state = NULL;
	json_t *pool, *file;
	int r = open_volume(driver, pool_name, name, &state, &pool, &file, err);

	if (r < 0)
		return r;
	*out = read_volume(arena, pool_name, pool, name, file);
	return 0;
}

int cb_fake_volume_create(struct cb_driver *driver, const struct cb_volume_new *spec,
			  struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	json_auto_t *state = NULL;
	json_t *pool, *files, *file;
	int r = open_active(driver, spec->pool, &state, &pool, err);

	if (r < 0)
		return r;
	files = files_of(state, pool);
	if (json_object_get(files, spec->name))
		return cb_error_set(err, CB_E_EXISTS, "there is a volume '%s' in pool '%s' already",
				    spec->name, spec->pool);
	if (spec->backing && !cb_fake_has_file(state, spec->backing))
		return cb_error_set(err, CB_E_FAILED, "backing file '%s' does not exist",
				    spec->backing);
	r = cb_fake_bytes_remove(bytes_of(&arena, driver, pool, spec->name), err);
	if (r < 0)
		return r;
	file = cb_fake_object(files, spec->name);
	cb_fake_put(file, "format", json_string(spec->format));
	cb_fake_put(file, "capacity", json_integer((json_int_t)spec->capacity));
	cb_fake_put(file, "written", json_integer(0));
	if (spec->backing) {
		cb_fake_put(file, "backing", json_string(spec->backing));
		cb_fake_put(file, "backing_format",
			    json_string(spec->backing_format ? spec->backing_format : "raw"));
	}
	cb_fake_put(cb_fake_object(pool, "known"), spec->name, json_true());
	return cb_fake_save(driver, state, err);
}

/* What a host finds out about an image when it looks at its first bytes. */
static int probe(json_t *file, const char *path, struct cb_error *err)
{
	cb_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char head[32] = {0};
	uint64_t capacity = 0;

	if (fd < 0 || pread(fd, head, sizeof(head), 0) < 0)
		return cb_error_errno(err, errno, "cannot read '%s'", path);
	if (memcmp(head, "QFI\xfb", 4) != 0)
		return 0;
	for (size_t i = 24; i < 32; i++)
		capacity = capacity << 8 | head[i];
	cb_fake_put(file, "format", json_string("qcow2"));
	cb_fake_put(file, "capacity", json_integer((json_int_t)(capacity & INT64_MAX)));
	return 0;
}

/* Takes all that the source gives; what came before a failure stays, as it would on a disk. */
static int take(json_t *file, const char *path, const struct cb_upload *upload,
		struct cb_error *err)
{
	cb_auto_error struct cb_error second = {0};
	struct cb_extent all = {0};
	char text[CB_SHA256_HEX];
	int r = cb_fake_bytes_write(path, upload, &all.size, err), noted;

	noted = cb_fake_bytes_digest(path, &all, text, &second);
	if (noted == 0)
		noted = probe(file, path, &second);
	if (noted < 0)
		return r < 0 ? r : cb_error_move(err, &second);
	cb_fake_put(file, "digest", json_string(text));
	cb_fake_put(file, "written", json_integer((json_int_t)all.size));
	return r;
}

int cb_fake_volume_write(struct cb_driver *driver, const char *pool_name, const char *name,
			 const struct cb_upload *upload, struct cb_error *err)
{
	cb_auto_error struct cb_error second = {0};
	cb_auto_arena struct cb_arena arena = {0};
	json_auto_t *state = NULL;
	json_t *pool, *file;
	int r = open_volume(driver, pool_name, name, &state, &pool, &file, err), saved;

	if (r < 0)
		return r;
	r = take(file, bytes_of(&arena, driver, pool, name), upload, err);
	saved = cb_fake_save(driver, state, &second);
	if (r == 0 && saved < 0)
		return cb_error_move(err, &second);
	return r < 0 ? cb_error_wrap(err, "writing volume '%s'", name) : 0;
}

/* Of a file that a test wrote into the state there are no bytes, only a digest. That of another
 * part is some other text, always the same for the same content. */
static void made_up_digest(const json_t *file, const struct cb_extent *extent, char *out)
{
	cb_auto_str struct cb_str text = {0};
	uint64_t written = cb_fake_number(file, "written");

	if (extent->size == written && extent->offset == 0 && written > 0) {
		(void)memcpy(out, json_string_value(json_object_get(file, "digest")),
			     CB_SHA256_HEX);
		return;
	}
	if (extent->size > 0)
		cb_str_printf(&text, "%" PRIu64 " from %" PRIu64 " of %s", extent->size,
			      extent->offset,
			      written ? json_string_value(json_object_get(file, "digest")) : "0");
	cb_digest_of(cb_str_text(&text), text.len, out);
}

int cb_fake_volume_digest(struct cb_driver *driver, const char *pool_name, const char *name,
			  const struct cb_extent *extent, char *out, struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	json_auto_t *state = NULL;
	json_t *pool, *file;
	uint64_t end = extent->offset + extent->size;
	int r = open_volume(driver, pool_name, name, &state, &pool, &file, err);

	if (r < 0)
		return r;
	if (end > cb_fake_number(file, "written") && end > cb_fake_number(file, "capacity"))
		return cb_error_set(err, CB_E_CONFLICT, "volume '%s' is shorter", name);
	r = cb_fake_bytes_digest(bytes_of(&arena, driver, pool, name), extent, out, err);
	if (r != -CB_E_NOT_FOUND)
		return r;
	cb_error_release(err);
	made_up_digest(file, extent, out);
	return 0;
}

int cb_fake_volume_delete(struct cb_driver *driver, const char *pool_name, const char *name,
			  struct cb_error *err)
{
	cb_auto_arena struct cb_arena arena = {0};
	json_auto_t *state = NULL;
	json_t *pool, *file;
	int r = open_volume(driver, pool_name, name, &state, &pool, &file, err);

	if (r < 0)
		return r;
	(void)json_object_del(files_of(state, pool), name);
	(void)json_object_del(json_object_get(pool, "known"), name);
	r = cb_fake_bytes_remove(bytes_of(&arena, driver, pool, name), err);
	return r < 0 ? r : cb_fake_save(driver, state, err);
}
