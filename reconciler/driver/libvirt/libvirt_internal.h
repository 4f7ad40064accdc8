/*
 * libvirt_internal.h: what the files of driver/libvirt share. Only they see libvirt and libxml2.
 *
 *	connect.c  error.c      a connection; virError → cb_error
 *	deadline.c watch.h socket.h
 *	                        operations that end in time; the clock; a connection's socket
 *	domain.c   domains.c    one domain; all of them
 *	stray.c    process.h    emulators that libvirt has lost sight of
 *	define.c   rename.c     documents: define, patch, restore, undefine; another name
 *	guest.c                 what a running guest says of itself
 *	document.c stamp.c      domain XML as values; a new domain's XML
 *	bind.def   bind.c       document path ⇄ place in the XML ⇄ live call
 *	device.c                which device has which name
 *	machine.c disk.c nic.c display.c live.c
 *	                        bindings that are more than a text or an attribute
 *	xml.c                   the little that we need of libxml2
 *	pool.c volume.c transfer.c host.c
 *	network.c network_define.c network_xml.c
 *	                        networks: state; definitions; documents as values
 */
#ifndef CB_DRIVER_LIBVIRT_INTERNAL_H
#define CB_DRIVER_LIBVIRT_INTERNAL_H

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <libxml/tree.h>

#include "reconciler/driver/driver.h"
#include "reconciler/driver/libvirt/process.h"
#include "reconciler/driver/libvirt/watch.h"

struct cb_libvirt {
	struct cb_driver base;
	virConnectPtr conn;
	char *name;             /* the URI that was asked for */
	int socket;             /* that `watch` owns */
	struct cb_watch *watch; /* NULL: the socket is not known, or there is none */
	uint64_t limit_ms;      /* of the operation that runs */
	bool processes;         /* as of cb_host */
};

static inline struct cb_libvirt *cb_libvirt_of(struct cb_driver *driver)
{
	return (struct cb_libvirt *)(void *)driver;
}

/* deadline.c: the operations below, each with an end. */
extern const struct cb_driver_ops cb_libvirt_ops;

/* connect.c */
/* Whoever leaves does not wait for a host that has stopped answering: it sees the socket closed. */
enum { CB_LIBVIRT_LEAVE_MS = 2000 };

void cb_libvirt_close(struct cb_driver *driver);

/* How much of a driver's patience a call gets. */
enum cb_patience { QUICK, SLOW, STREAM, ENDLESS };

void cb_libvirt_begin(struct cb_libvirt *host, enum cb_patience patience);

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
/* The same of an error that another thread had, and saved. */
int cb_libvirt_saved_error(struct cb_libvirt *host, struct cb_error *err, const virError *error,
			   const char *head);
/* The class of an error code, CB_E_FAILED for most. */
enum cb_code cb_libvirt_code(int number);
/* CB_E_TIMEOUT: the host has not answered, and has been given up. */
int cb_libvirt_late(const struct cb_libvirt *host, struct cb_error *err, const char *head);
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
/* Appends a copy of an element of another document, with all below it. */
void cb_xml_add_copy(xmlNodePtr node, xmlNodePtr part);
/* Moves a node of the same document before its sibling `next`. */
void cb_xml_move(xmlNodePtr node, xmlNodePtr next);
/* NULL for an attribute or a node that is not there. */
const char *cb_xml_attr(struct cb_arena *arena, xmlNodePtr node, const char *name);
const char *cb_xml_text(struct cb_arena *arena, xmlNodePtr node);
bool cb_xml_attr_is(xmlNodePtr node, const char *name, const char *value);
/* Decimal number in the text, or `otherwise`. */
uint64_t cb_xml_number(xmlNodePtr node, uint64_t otherwise);
void cb_xml_set_attr(xmlNodePtr node, const char *name, const char *value);
void cb_xml_set_text(xmlNodePtr node, const char *text);
void cb_xml_drop(xmlNodePtr node);
/* Every child element of that name: the one behind the first would count then. */
void cb_xml_drop_all(xmlNodePtr node, const char *name);
void cb_xml_drop_attr(xmlNodePtr node, const char *name);
/* The node and all below it as text. */
void cb_xml_dump(xmlNodePtr node, struct cb_str *out);
/* Whether XML can carry the text unchanged, as an attribute or (stricter) as an element's text. */
bool cb_xml_attr_fits(const char *text);
bool cb_xml_text_fits(const char *text);

/* bind.c: one row of bind.def. */
struct cb_bound;

struct cb_names {
	const char **items;
	size_t len, cap;
};

struct cb_bind {
	const char *path; /* or a pattern: "disks[].cache" */
	enum cb_kind kind;
	/* What `place` is seen from, NULL where it is not there; `name` is that in the path. */
	xmlNodePtr (*anchor)(xmlNodePtr domain, const char *name);
	/* The names that there are; NULL: the row is about the domain itself. */
	void (*names)(struct cb_arena *arena, xmlNodePtr domain, struct cb_names *out);
	bool makes;        /* the device, where it is not there */
	const char *place; /* "os/kernel", "mac/@address" */
	struct cb_value (*get)(const struct cb_bound *at, struct cb_arena *arena);
	/* The value is of the row's kind, or CB_NONE where that does not mean something else. */
	int (*set)(const struct cb_bound *at, const struct cb_value *value, struct cb_error *err);
	const char *otherwise; /* what no value means; "": nothing */
	/* NULL: not on a running machine. */
	int (*live)(struct cb_libvirt *host, virDomainPtr domain, const struct cb_value *value,
		    struct cb_error *err);
};

/* A row, used on one domain and one of its devices. */
struct cb_bound {
	const struct cb_bind *bind;
	xmlNodePtr domain;
	const char *path, *name; /* the name is NULL for rows about the domain */
};

/* The row's anchor there. */
xmlNodePtr cb_bound_node(const struct cb_bound *at);
/* CB_E_INVALID: no domain is without it. */
int cb_bound_needed(const struct cb_bound *at, struct cb_error *err);

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

/* The halves of rows. Generic ones: */
#define CB_BIND_HALVES(name)                                                                       \
	struct cb_value cb_bind_get_##name(const struct cb_bound *at, struct cb_arena *arena);     \
	int cb_bind_set_##name(const struct cb_bound *at, const struct cb_value *value,            \
			       struct cb_error *err)
CB_BIND_HALVES(text);
/* machine.c */
CB_BIND_HALVES(memory);
CB_BIND_HALVES(vcpus);
CB_BIND_HALVES(accel);
CB_BIND_HALVES(machine);
CB_BIND_HALVES(firmware);
CB_BIND_HALVES(cpu);
/* nic.c */
CB_BIND_HALVES(network_mode);
CB_BIND_HALVES(nic_type);
CB_BIND_HALVES(nic_source);
CB_BIND_HALVES(nic_link);
CB_BIND_HALVES(nic_forwards);
/* display.c */
CB_BIND_HALVES(gui);
/* disk.c */
CB_BIND_HALVES(disk_source);
CB_BIND_HALVES(disk_bus);

/* mount.c */
CB_BIND_HALVES(mount_source);
CB_BIND_HALVES(mount_kind);

/* live.c */
#define CB_LIVE(name)                                                                              \
	int cb_live_##name(struct cb_libvirt *host, virDomainPtr domain,                           \
			   const struct cb_value *value, struct cb_error *err)
CB_LIVE(memory);
CB_LIVE(vcpus);
CB_LIVE(description);

/* device.c: libvirt keeps an alias that starts with "ua-" and gives out no such alias itself. Our
 * devices have "ua-disk-NAME", "ua-nic-NAME", "ua-mount-NAME" and, where there is one of a kind, a
 * fixed one. */
extern const char cb_alias_agent[]; /* marks a document as made by us */
bool cb_device_has_alias(xmlNodePtr device, const char *alias);
void cb_device_set_alias(xmlNodePtr device, const char *alias);
/* As cb_device_set_alias, with "ua-<kind>-<name>". */
void cb_device_set_name(xmlNodePtr device, const char *kind, const char *name);
/* The first of its kind ("disk", "interface"); go on with cb_xml_next. */
xmlNodePtr cb_device_first(xmlNodePtr domain, const char *kind);
/* Whether the document was made by us. */
bool cb_device_is_ours(xmlNodePtr domain);
/* The device of that name, NULL where there is none. In a document that is not of our making, where
 * nothing has a name, the first that fits is disk "root" or NIC "nic0". */
xmlNodePtr cb_device_disk(xmlNodePtr domain, const char *name);
xmlNodePtr cb_device_nic(xmlNodePtr domain, const char *name);
void cb_device_disk_names(struct cb_arena *arena, xmlNodePtr domain, struct cb_names *out);
void cb_device_nic_names(struct cb_arena *arena, xmlNodePtr domain, struct cb_names *out);
xmlNodePtr cb_device_mount(xmlNodePtr domain, const char *name);
void cb_device_mount_names(struct cb_arena *arena, xmlNodePtr domain, struct cb_names *out);

/* document.c */
xmlDocPtr cb_document_new(const char *uuid, const char *name);
/* Every file that the domain refers to. Volumes that it names by pool are looked up. */
CB_CHECKED int cb_document_files(struct cb_libvirt *host, struct cb_arena *arena, xmlNodePtr domain,
				 struct cb_domain *out, struct cb_error *err);
/* The MACs of its NICs, and the networks of libvirt's that these are on. */
void cb_document_nics(struct cb_arena *arena, xmlNodePtr domain, struct cb_domain *out);
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

/* stray.c: fills in `stray` of those that are not active. */
CB_CHECKED int cb_strays_mark(struct cb_libvirt *host, struct cb_domains *domains,
			      struct cb_error *err);

/* prefetch.c: the persistent documents of many domains, each asked for while the last is read.
 * Every one of the list is to be taken, in its order, or the rest dropped by stopping. */
struct cb_fetched {
	char *text;        /* heap; NULL: `error` says why */
	virErrorPtr error; /* to be freed */
};

struct cb_prefetch;

struct cb_prefetch *cb_prefetch_start(struct cb_libvirt *host, virDomainPtr *domains, size_t count);
struct cb_fetched cb_prefetch_next(struct cb_prefetch *prefetch);
void cb_prefetch_stop(struct cb_prefetch **prefetch);
#define cb_auto_prefetch CB_CLEANUP(cb_prefetch_stop)

/* Fills everything that stands in documents. `full`: also what a domain without a stamp may keep
 * to itself. `text` is the persistent one. */
enum cb_domain_detail { CB_DOMAIN_BRIEF, CB_DOMAIN_FULL };

CB_CHECKED int cb_domain_read(struct cb_libvirt *host, struct cb_arena *arena, virDomainPtr domain,
			      const char *text, enum cb_domain_detail detail, bool autostart,
			      struct cb_domain *out, struct cb_error *err);

/* host.c: CB_E_INVALID for a processor that libvirt does not know by this name. */
CB_CHECKED int cb_host_check_cpu(struct cb_libvirt *host, const char *model, struct cb_error *err);

/* define.c */
/* The persistent document; with VIR_DOMAIN_XML_SECURE it holds secrets. */
CB_CHECKED int cb_domain_xml(struct cb_libvirt *host, virDomainPtr domain, unsigned flags,
			     char **out, struct cb_error *err);
/* CB_E_EXISTS if a domain has the name. */
CB_CHECKED int cb_domain_check_name(struct cb_libvirt *host, const char *name,
				    struct cb_error *err);
/* Defines `text`, with validation if `found`, the document before, would pass that too. */
CB_CHECKED int cb_domain_redefine(struct cb_libvirt *host, const char *name, const char *found,
				  const char *text, struct cb_error *err);

/* pool.c */
CB_CHECKED int cb_pool_lookup(struct cb_libvirt *host, const char *name, virStoragePoolPtr *out,
			      struct cb_error *err);
/* CB_E_BUSY while a volume of it is being written. */
CB_CHECKED int cb_pool_refresh(struct cb_libvirt *host, virStoragePoolPtr pool,
			       struct cb_error *err);
/* Where the pool's volumes are. */
CB_CHECKED int cb_pool_path(struct cb_libvirt *host, struct cb_arena *arena, virStoragePoolPtr pool,
			    const char **out, struct cb_error *err);

/* volume.c. A pool that is not there is CB_E_FAILED here: it says nothing about the volume. */
CB_CHECKED int cb_volume_pool(struct cb_libvirt *host, const char *name, virStoragePoolPtr *out,
			      struct cb_error *err);
CB_CHECKED int cb_volume_lookup(struct cb_libvirt *host, const char *pool, const char *name,
				virStorageVolPtr *out, struct cb_error *err);

/* network.c */
CB_CHECKED int cb_network_lookup(struct cb_libvirt *host, const char *uuid, virNetworkPtr *out,
				 struct cb_error *err);
CB_CHECKED int cb_network_lookup_name(struct cb_libvirt *host, const char *name, virNetworkPtr *out,
				      struct cb_error *err);
/* As cb_domain_error. */
int cb_network_error(struct cb_libvirt *host, virNetworkPtr network, struct cb_error *err,
		     const char *what);
CB_CHECKED int cb_network_is_active(struct cb_libvirt *host, virNetworkPtr network, bool *out,
				    struct cb_error *err);
/* The persistent document. */
CB_CHECKED int cb_network_xml(struct cb_libvirt *host, virNetworkPtr network, char **out,
			      struct cb_error *err);

/* network_xml.c */
/* The paths of driver.h, but for "autostart". */
void cb_network_read(struct cb_arena *arena, xmlNodePtr network, struct cb_spec *out);
/* CB_E_INVALID for what no network can be; then the document is of no use any more. */
CB_CHECKED int cb_network_write(xmlNodePtr network, const struct cb_spec *set,
				struct cb_error *err);
/* CB_E_CONFLICT unless the <network> reads as `set` wanted it. */
CB_CHECKED int cb_network_verify(xmlNodePtr network, const struct cb_spec *set,
				 struct cb_error *err);
/* The <ip> that the paths are about, and its number among all; NULL where there is none. */
xmlNodePtr cb_network_ip(xmlNodePtr network, int *index);
/* The <host> of a MAC there. */
xmlNodePtr cb_network_host(xmlNodePtr ip, const char *mac);

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
