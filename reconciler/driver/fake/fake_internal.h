/*
 * fake_internal.h: the host in a JSON file.
 *
 *	domains       UUID: name, active, persistent, autostart, document {path: value}, live {...},
 *	              stamp {...}, secret (anything)
 *	pools         NAME: uuid, path, active, autostart, known {FILE: true}
 *	directories   PATH: FILE: format, capacity, written, digest, ...; the bytes that were
 *	              uploaded stand in files of a directory beside the JSON file (bytes.c)
 *	strays        UUID: the number of a process that runs the machine behind the host's back
 *	networks      NAME: uuid, active, autostart, document {path: value}; or, in short, "active"
 *	              or "inactive" for one like libvirt's default
 *
 * A pool shows the files of its directory that it knew at the last refresh. Tests may put knobs
 * beside the rest:
 *	into a domain  "stray": as in `strays`, as long as it is defined
 *	               "agent": true (a guest agent answers), "deaf": true (ACPI has no effect)
 *	               "rigid": true (nothing changes while it runs)
 *	               "addresses": [{"mac", "address"}]
 *	at the top     "kvm": true, "uefi": false, "passt": false, "virtiofs": false (what the host
 *	               can or cannot do), "free_memory_mb"
 */
#ifndef CB_DRIVER_FAKE_INTERNAL_H
#define CB_DRIVER_FAKE_INTERNAL_H

#include <jansson.h>

#include "reconciler/driver/driver.h"

struct cb_fake {
	struct cb_driver base;
	char *path;
	int lock; /* the file beside it */
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

/* One that is always the same, for what tests wrote without. */
json_t *cb_fake_uuid(const char *kind, const char *name);
/* What the host can do; `otherwise` where no knob says so. */
bool cb_fake_can(const json_t *state, const char *knob, bool otherwise);

/* Whether the file of a pool's directory is there; true for paths outside of all pools. */
bool cb_fake_has_file(json_t *state, const char *path);
bool cb_fake_network_active(json_t *state, const char *name);

/* The bytes of uploaded files. A file that none were kept of has only what the state says. */
char *cb_fake_bytes_path(struct cb_arena *arena, struct cb_driver *driver, const char *directory,
			 const char *name);
/* Writes what the source gives, and what came before a failure; `end` is where the file ends then.
 */
CB_CHECKED int cb_fake_bytes_write(const char *path, const struct cb_upload *upload, uint64_t *end,
				   struct cb_error *err);
/* Of a part; what was never written is zeros. CB_E_NOT_FOUND where none were kept. */
CB_CHECKED int cb_fake_bytes_digest(const char *path, const struct cb_extent *extent, char *out,
				    struct cb_error *err);
CB_CHECKED int cb_fake_bytes_remove(const char *path, struct cb_error *err);

/* Values and stamps. */
json_t *cb_fake_of_value(const struct cb_value *value);
struct cb_value cb_fake_to_value(struct cb_arena *arena, const json_t *value);
void cb_fake_read_spec(struct cb_arena *arena, json_t *document, struct cb_spec *out);
/* Whether the host can keep the text as a value. */
bool cb_fake_fits(const char *value);
CB_CHECKED int cb_fake_put_stamp(json_t *domain, const struct cb_stamp *stamp,
				 struct cb_error *err);
const struct cb_stamp *cb_fake_to_stamp(struct cb_arena *arena, const json_t *json,
					const char **problem);

/* Documents of domains. */
struct cb_texts {
	const char **items;
	size_t len, cap;
};

/* Writes a set into a document, as a host would understand it. */
CB_CHECKED int cb_fake_apply(json_t *document, const struct cb_spec *set, struct cb_error *err);
/* Adds the values at the paths of that pattern: "disks[].source". */
void cb_fake_refers(struct cb_arena *arena, json_t *document, const char *pattern,
		    struct cb_texts *out);
void cb_fake_refers_networks(struct cb_arena *arena, json_t *document, struct cb_texts *out);

#define CB_OP(name, ...) int cb_fake_##name(struct cb_driver *driver, __VA_ARGS__)
CB_OP(host, struct cb_arena *arena, struct cb_host *out, struct cb_error *err);
CB_OP(domains, struct cb_arena *arena, struct cb_domains *out, struct cb_error *err);
CB_OP(domain, struct cb_arena *arena, const char *uuid, struct cb_domain *out,
      struct cb_error *err);
CB_OP(domain_define, const struct cb_domain_new *spec, struct cb_error *err);
CB_OP(domain_update, const struct cb_domain_edit *edit, struct cb_error *err);
CB_OP(domain_document, const char *uuid, struct cb_str *out, struct cb_error *err);
CB_OP(domain_restore, const char *document, struct cb_error *err);
CB_OP(domain_rename, const char *uuid, const char *name, const struct cb_stamp *stamp,
      struct cb_error *err);
CB_OP(domain_undefine, const char *uuid, struct cb_error *err);
CB_OP(domain_autostart, const char *uuid, bool on, struct cb_error *err);
CB_OP(domain_live, const char *uuid, const char *path, const struct cb_value *value,
      struct cb_error *err);
CB_OP(domain_stray, const char *uuid, int *pid, struct cb_error *err);
CB_OP(domain_start, const char *uuid, struct cb_error *err);
CB_OP(domain_shutdown, const char *uuid, enum cb_shutdown how, struct cb_error *err);
CB_OP(domain_power_off, const char *uuid, struct cb_error *err);
CB_OP(domain_addresses, struct cb_arena *arena, const char *uuid, struct cb_addresses *out,
      struct cb_error *err);
CB_OP(domain_agent, const char *uuid, bool *out, struct cb_error *err);
CB_OP(domain_console, const char *uuid, const struct cb_console_io *io, struct cb_error *err);
CB_OP(pool, struct cb_arena *arena, const char *name, struct cb_pool *out, struct cb_error *err);
CB_OP(pool_define, const char *name, const char *path, const char *uuid, struct cb_error *err);
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
CB_OP(volume_digest, const char *pool, const char *name, const struct cb_extent *extent, char *out,
      struct cb_error *err);
CB_OP(volume_delete, const char *pool, const char *name, struct cb_error *err);
CB_OP(networks, struct cb_arena *arena, struct cb_networks *out, struct cb_error *err);
CB_OP(network, struct cb_arena *arena, const char *name, struct cb_network *out,
      struct cb_error *err);
CB_OP(network_define, const struct cb_network_new *spec, struct cb_error *err);
CB_OP(network_update, const struct cb_network_edit *edit, struct cb_error *err);
CB_OP(network_document, const char *uuid, struct cb_str *out, struct cb_error *err);
CB_OP(network_restore, const char *document, struct cb_error *err);
CB_OP(network_start, const char *uuid, struct cb_error *err);
CB_OP(network_stop, const char *uuid, struct cb_error *err);
CB_OP(network_autostart, const char *uuid, bool on, struct cb_error *err);
CB_OP(network_undefine, const char *uuid, struct cb_error *err);
#undef CB_OP

#endif
