/*
 * fake_internal.h: the host in a JSON file.
 *
 *	{ "domains":     { UUID: { "name", "active", "persistent", "autostart", "document": {path:
 *value}, "live": {path: value}, "stamp": {...}, "secret": any, ... } }, "pools":       { NAME: {
 *"path", "active", "autostart", "known": { FILE: true } } }, "directories": { PATH: { FILE: {
 *"format", "capacity", "written", "digest", ... } } }, "networks":    { NAME: "active" | "inactive"
 *} }
 *
 * A pool shows the files of its directory that it knew at the last refresh. Tests may put knobs
 *into a domain: "agent": true (a guest agent answers), "deaf": true (ACPI has no effect).
 */
#ifndef CB_DRIVER_FAKE_INTERNAL_H
#define CB_DRIVER_FAKE_INTERNAL_H

#include <jansson.h>

#include "reconciler/driver/driver.h"

struct cb_fake {
	struct cb_driver base;
	char *path;
};

static inline struct cb_fake *cb_fake_of(struct cb_driver *driver)
{
	return (struct cb_fake *)(void *)driver;
}

/* Every operation reads the state, and writes it if it changed something. */
CB_CHECKED int cb_fake_load(struct cb_driver *driver, json_t **out, struct cb_error *err);
CB_CHECKED int cb_fake_save(struct cb_driver *driver, const json_t *state, struct cb_error *err);

/* The member, made as an empty object if it is not there. Borrowed. */
json_t *cb_fake_object(json_t *parent, const char *name);
/* Sets a member; takes the value. */
void cb_fake_put(json_t *parent, const char *name, json_t *value);
bool cb_fake_flag(const json_t *object, const char *name);
/* In the arena; NULL where there is none. */
const char *cb_fake_text(struct cb_arena *arena, const json_t *object, const char *name);
uint64_t cb_fake_number(const json_t *object, const char *name);

/* Whether the file of a pool's directory is there; true for paths outside of all pools. */
bool cb_fake_has_file(json_t *state, const char *path);

/* Values and stamps. */
json_t *cb_fake_of_value(const struct cb_value *value);
struct cb_value cb_fake_to_value(struct cb_arena *arena, const json_t *value);
CB_CHECKED int cb_fake_put_stamp(json_t *domain, const struct cb_stamp *stamp,
				 struct cb_error *err);
const struct cb_stamp *cb_fake_to_stamp(struct cb_arena *arena, const json_t *json,
					const char **problem);
/* Writes a set into a document, as a host would understand it. */
CB_CHECKED int cb_fake_apply(json_t *document, const struct cb_spec *set, struct cb_error *err);

#define CB_OP(name, ...) int cb_fake_##name(struct cb_driver *driver, __VA_ARGS__)
CB_OP(domains, struct cb_arena *arena, struct cb_domains *out, struct cb_error *err);
CB_OP(domain, struct cb_arena *arena, const char *uuid, struct cb_domain *out,
      struct cb_error *err);
CB_OP(domain_define, const struct cb_domain_new *spec, struct cb_error *err);
CB_OP(domain_update, const struct cb_domain_edit *edit, struct cb_error *err);
CB_OP(domain_document, const char *uuid, struct cb_str *out, struct cb_error *err);
CB_OP(domain_restore, const char *document, struct cb_error *err);
CB_OP(domain_undefine, const char *uuid, struct cb_error *err);
CB_OP(domain_autostart, const char *uuid, bool on, struct cb_error *err);
CB_OP(domain_live, const char *uuid, const char *path, const struct cb_value *value,
      struct cb_error *err);
CB_OP(domain_start, const char *uuid, struct cb_error *err);
CB_OP(domain_shutdown, const char *uuid, enum cb_shutdown how, struct cb_error *err);
CB_OP(domain_power_off, const char *uuid, struct cb_error *err);
CB_OP(pool, struct cb_arena *arena, const char *name, struct cb_pool *out, struct cb_error *err);
CB_OP(pool_define, const char *name, const char *path, struct cb_error *err);
CB_OP(pool_start, const char *name, struct cb_error *err);
CB_OP(pool_autostart, const char *name, bool on, struct cb_error *err);
CB_OP(pool_undefine, const char *name, struct cb_error *err);
CB_OP(pool_refresh, const char *name, struct cb_error *err);
CB_OP(volumes, struct cb_arena *arena, const char *pool, struct cb_volumes *out,
      struct cb_error *err);
CB_OP(volume, struct cb_arena *arena, const char *pool, const char *name, struct cb_volume *out,
      struct cb_error *err);
CB_OP(volume_create, const struct cb_volume_new *spec, struct cb_error *err);
CB_OP(volume_write, const char *pool, const char *name, const struct cb_upload *upload,
      struct cb_error *err);
CB_OP(volume_digest, const char *pool, const char *name, uint64_t size, char *out,
      struct cb_error *err);
CB_OP(volume_delete, const char *pool, const char *name, struct cb_error *err);
#undef CB_OP

#endif
