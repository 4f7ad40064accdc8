/*
 * libvirt_internal.h: what the files of driver/libvirt share. Only they see libvirt and libxml2.
 *
 *	connect.c  error.c      a connection; virError → cb_error
 *	domain.c   domains.c    one domain; all of them
 *	define.c                documents: define, patch, restore, undefine
 *	document.c stamp.c      domain XML as values; a new domain's XML
 *	bind.def   bind.c       document path ⇄ place in the XML ⇄ live call
 *	device.c                bindings that are more than a text or an attribute
 *	xml.c                   the little that we need of libxml2
 *	pool.c volume.c transfer.c host.c
 */
#ifndef CB_DRIVER_LIBVIRT_INTERNAL_H
#define CB_DRIVER_LIBVIRT_INTERNAL_H

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <libxml/tree.h>

#include "reconciler/driver/driver.h"

struct cb_libvirt {
	struct cb_driver base;
	virConnectPtr conn;
};

static inline struct cb_libvirt *cb_libvirt_of(struct cb_driver *driver)
{
	return (struct cb_libvirt *)(void *)driver;
}

/* Cleanup of handles. A NULL handle is fine. */
void cb_libvirt_domain_release(virDomainPtr *domain);
void cb_libvirt_pool_release(virStoragePoolPtr *pool);
void cb_libvirt_volume_release(virStorageVolPtr *volume);
void cb_libvirt_network_release(virNetworkPtr *network);
void cb_libvirt_stream_release(virStreamPtr *stream);
void cb_libvirt_text_release(char **text);
/* For documents that may hold a password: overwritten before it is freed. */
void cb_libvirt_secret_release(char **text);

#define cb_auto_domain  CB_CLEANUP(cb_libvirt_domain_release)
#define cb_auto_pool    CB_CLEANUP(cb_libvirt_pool_release)
#define cb_auto_volume  CB_CLEANUP(cb_libvirt_volume_release)
#define cb_auto_network CB_CLEANUP(cb_libvirt_network_release)
#define cb_auto_stream  CB_CLEANUP(cb_libvirt_stream_release)
#define cb_auto_text    CB_CLEANUP(cb_libvirt_text_release)
#define cb_auto_secret  CB_CLEANUP(cb_libvirt_secret_release)

/* error.c: the last libvirt error of this thread as ours, headed by what was tried. */
int cb_libvirt_error(struct cb_libvirt *host, struct cb_error *err, const char *fmt, ...)
	CB_PRINTF(3, 4);
/* The class of an error code, CB_E_FAILED for most. */
enum cb_code cb_libvirt_code(int number);
/* No message of libvirt's goes to stderr by itself. */
void cb_libvirt_quiet(void);

/* xml.c. Paths are names separated by slashes, seen from `node`. Elements of a namespace are not
 * found by name: nothing of libvirt's own has one. */
void cb_xml_release(xmlDocPtr *doc);
#define cb_auto_xml CB_CLEANUP(cb_xml_release)
CB_CHECKED int cb_xml_parse(const char *text, xmlDocPtr *out, struct cb_error *err);
/* A new document with a root element of that name. */
xmlDocPtr cb_xml_new(const char *root);
/* First child element of that name; the next sibling of the same name. */
xmlNodePtr cb_xml_child(xmlNodePtr node, const char *name);
xmlNodePtr cb_xml_next(xmlNodePtr node);
/* NULL where it is not there. */
xmlNodePtr cb_xml_at(xmlNodePtr node, const char *path);
/* Makes what is missing of the path. */
xmlNodePtr cb_xml_make(xmlNodePtr node, const char *path);
/* Appends an element. */
xmlNodePtr cb_xml_add(xmlNodePtr node, const char *name);
/* NULL for an attribute or a node that is not there. */
const char *cb_xml_attr(struct cb_arena *arena, xmlNodePtr node, const char *name);
const char *cb_xml_text(struct cb_arena *arena, xmlNodePtr node);
bool cb_xml_attr_is(xmlNodePtr node, const char *name, const char *value);
/* Decimal number in the text, or `otherwise`. */
uint64_t cb_xml_number(xmlNodePtr node, uint64_t otherwise);
void cb_xml_set_attr(xmlNodePtr node, const char *name, const char *value);
void cb_xml_set_text(xmlNodePtr node, const char *text);
void cb_xml_drop(xmlNodePtr node);
void cb_xml_drop_attr(xmlNodePtr node, const char *name);
/* The node and all below it as text. */
void cb_xml_dump(xmlNodePtr node, struct cb_str *out);
/* Whether XML can carry the text unchanged, as an attribute or (stricter) as an element's text. */
bool cb_xml_attr_fits(const char *text);
bool cb_xml_text_fits(const char *text);

/* bind.c: one row of bind.def. */
struct cb_bind {
	const char *path;
	enum cb_kind kind;
	xmlNodePtr (*anchor)(xmlNodePtr domain); /* what `place` is seen from */
	const char *place;                       /* "os/kernel", "mac/@address" */
	struct cb_value (*get)(const struct cb_bind *bind, struct cb_arena *arena,
			       xmlNodePtr domain);
	/* The value is of the row's kind or CB_NONE. */
	int (*set)(const struct cb_bind *bind, xmlNodePtr domain, const struct cb_value *value,
		   struct cb_error *err);
	/* NULL: not on a running machine. */
	int (*live)(struct cb_libvirt *host, virDomainPtr domain, const struct cb_value *value,
		    struct cb_error *err);
};

/* Everything that is bound, read from a <domain>. */
void cb_bind_read(struct cb_arena *arena, xmlNodePtr domain, struct cb_spec *out);
/* "ram_mb.max" and "vcpus.max" of a running machine. */
void cb_bind_read_limits(struct cb_arena *arena, xmlNodePtr domain, struct cb_spec *out);
/* Writes a spec into a <domain>, in the order of the table. */
CB_CHECKED int cb_bind_write(xmlNodePtr domain, const struct cb_spec *set, struct cb_error *err);
/* CB_E_CONFLICT unless the <domain> reads as `set` wanted it. */
CB_CHECKED int cb_bind_verify(xmlNodePtr domain, const struct cb_spec *set, struct cb_error *err);
CB_CHECKED int cb_bind_live(struct cb_libvirt *host, virDomainPtr domain, const char *path,
			    const struct cb_value *value, struct cb_error *err);

/* Generic halves of a row. */
struct cb_value cb_bind_get_text(const struct cb_bind *bind, struct cb_arena *arena,
				 xmlNodePtr domain);
int cb_bind_set_text(const struct cb_bind *bind, xmlNodePtr domain, const struct cb_value *value,
		     struct cb_error *err);

/* device.c: devices that paths are about, NULL where there is none. One that we made has our
 * alias; in a document of somebody else's it is the first of its kind. */
xmlNodePtr cb_device_root_disk(xmlNodePtr domain);
xmlNodePtr cb_device_nic(xmlNodePtr domain);
#define CB_BIND_HALVES(name)                                                                       \
	struct cb_value cb_bind_get_##name(const struct cb_bind *bind, struct cb_arena *arena,     \
					   xmlNodePtr domain);                                     \
	int cb_bind_set_##name(const struct cb_bind *bind, xmlNodePtr domain,                      \
			       const struct cb_value *value, struct cb_error *err)
CB_BIND_HALVES(network_mode);
CB_BIND_HALVES(gui);
CB_BIND_HALVES(disk_source);

/* document.c */
xmlDocPtr cb_document_new(const char *uuid, const char *name);
/* Every file that the domain refers to. Volumes that it names by pool are looked up. */
CB_CHECKED int cb_document_files(struct cb_libvirt *host, struct cb_arena *arena, xmlNodePtr domain,
				 struct cb_domain *out, struct cb_error *err);
bool cb_document_has_nvram(xmlNodePtr domain);
bool cb_document_has_tpm(xmlNodePtr domain);

/* stamp.c */
/* Replaces the stamp in a <domain>. */
CB_CHECKED int cb_stamp_write(xmlNodePtr domain, const struct cb_stamp *stamp,
			      struct cb_error *err);
/* The stamp in a <domain>, or NULL; then *problem says why if there is one nevertheless. */
const struct cb_stamp *cb_stamp_read(struct cb_arena *arena, xmlNodePtr domain,
				     const char **problem);

/* domain.c */
/* As cb_libvirt_error, headed by the domain's name. (Asking libvirt for the name first would lose
 * the error: every call of its API begins by forgetting the last one.) */
int cb_domain_error(struct cb_libvirt *host, virDomainPtr domain, struct cb_error *err,
		    const char *what);
CB_CHECKED int cb_domain_lookup(struct cb_libvirt *host, const char *uuid, virDomainPtr *out,
				struct cb_error *err);
CB_CHECKED int cb_domain_is_active(struct cb_libvirt *host, virDomainPtr domain, bool *out,
				   struct cb_error *err);

/* Fills everything that stands in documents. `full`: also what a domain without a stamp may keep
 * to itself. */
enum cb_domain_detail { CB_DOMAIN_BRIEF, CB_DOMAIN_FULL };

CB_CHECKED int cb_domain_read(struct cb_libvirt *host, struct cb_arena *arena, virDomainPtr domain,
			      enum cb_domain_detail detail, bool autostart, struct cb_domain *out,
			      struct cb_error *err);

/* pool.c */
CB_CHECKED int cb_pool_lookup(struct cb_libvirt *host, const char *name, virStoragePoolPtr *out,
			      struct cb_error *err);
/* Where the pool's volumes are. */
CB_CHECKED int cb_pool_path(struct cb_libvirt *host, struct cb_arena *arena, virStoragePoolPtr pool,
			    const char **out, struct cb_error *err);

/* volume.c. A pool that is not there is CB_E_FAILED here: it says nothing about the volume. */
CB_CHECKED int cb_volume_pool(struct cb_libvirt *host, const char *name, virStoragePoolPtr *out,
			      struct cb_error *err);
CB_CHECKED int cb_volume_lookup(struct cb_libvirt *host, const char *pool, const char *name,
				virStorageVolPtr *out, struct cb_error *err);

/* The operations, each beside its noun. */
#define CB_OP(name, ...) int cb_libvirt_##name(struct cb_driver *driver, __VA_ARGS__)
CB_OP(host, struct cb_arena *arena, struct cb_host *out, struct cb_error *err);
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
CB_OP(network, const char *name, enum cb_net_state *out, struct cb_error *err);
#undef CB_OP

#endif
