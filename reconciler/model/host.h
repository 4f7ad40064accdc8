/*
 * host.h: what is, as values: a libvirt host, its domains, pools and volumes as they were read.
 */
#ifndef CB_MODEL_HOST_H
#define CB_MODEL_HOST_H

#include "reconciler/base/clock.h"
#include "reconciler/model/spec.h"
#include "reconciler/model/stamp.h"

struct cb_host {
	const char *uri; /* normalised: the identity of the host */
	const char *hostname;
	const char *type; /* "QEMU", "Test", ... */
	unsigned long libvirt_version,
		hypervisor_version; /* major * 1,000,000 + minor * 1,000 + ... */
	bool kvm;                   /* domains of type kvm can be defined */
	bool uefi;                  /* firmware for it is installed */
	bool virtiofs;              /* directories can be shared with it */
	bool local;                 /* reached through a local socket: same kernel as ours */
	bool processes;             /* its emulators can be seen by us as processes */
	unsigned cpus;
	uint64_t memory_mb, free_memory_mb; /* 0: the host does not say */
	/* As whom it runs its emulators, if it says so. */
	bool emulator_known;
	unsigned emulator_uid, emulator_gid;
};

/* What people are told of a stray, of everywhere the same: the process, the machine's name; and
 * what to try. */
#define CB_STRAY_SAYS                                                                              \
	"QEMU (process %d) runs '%s', although libvirt says that it is shut off: a second one, "   \
	"or "                                                                                      \
	"a deletion, would ruin its disks"
#define CB_STRAY_TRY                                                                               \
	"restart libvirt's daemon, which may find it again; else shut the guest down from inside " \
	"and, if process %d is still there then, end that one (kill %d)"

/* Whose a domain is (docs/decisions.md). Filled in by observe, not by the driver. */
enum cb_ownership {
	CB_FOREIGN,      /* no stamp: a person's, or another tool's */
	CB_OURS,         /* stamp of this owner, issued for this UUID */
	CB_OTHER_OWNER,  /* stamp of another owner */
	CB_COPIED_STAMP, /* stamp issued for another UUID: a clone made outside clonebox */
	CB_UNREADABLE,   /* a stamp that this version cannot read */
};

struct cb_domain {
	const char *uuid;
	const char *name;
	bool active, persistent;
	bool starting; /* active, but libvirt is still at it; from driver->domain only */
	int stray;     /* not active, but this process runs it; 0: none that could be seen. From
			* driver->domains only */
	bool managed_save, snapshots, checkpoints, nvram; /* what undefine has to be told of */
	/* SHA-256 of the persistent document as libvirt shows it without secrets. */
	const char *fingerprint;
	const struct cb_stamp *stamp; /* NULL: none, or unreadable */
	const char *stamp_problem;    /* why it is unreadable, else NULL */
	enum cb_ownership ownership;
	/* The bound paths (driver/libvirt/bind.def) of the persistent document, plus "autostart"
	 * and "state". From the driver file names are the host's; observe turns those that the
	 * stamp accounts for back into what the manifest said. */
	struct cb_spec document;
	/* The same of the running machine; empty when it is stopped. */
	struct cb_spec live;
	/* Every file of the host that the documents refer to: disks, kernel, initrd, ... */
	CB_VEC(const char *) files;
	CB_VEC(const char *) macs;     /* of all its NICs, lower case */
	CB_VEC(const char *) networks; /* of libvirt's that it is on, running or defined */
};

struct cb_domains {
	struct cb_domain *items; /* sorted by name */
	size_t len, cap;
};

struct cb_pool {
	const char *uuid, *name;
	const char *type; /* "dir", ... */
	const char *path; /* on the host */
	bool active, autostart;
	uint64_t capacity, available; /* bytes; 0 when inactive */
};

struct cb_volume {
	const char *pool;
	const char *name;
	const char *path;
	const char *format;            /* "qcow2", "raw", ... */
	const char *backing;           /* path of the backing file, or NULL */
	const char *backing_format;    /* or NULL */
	uint64_t capacity, allocation; /* bytes */
};

struct cb_volumes {
	struct cb_volume *items; /* sorted by name */
	size_t len, cap;
};

struct cb_network {
	const char *uuid, *name;
	bool active, persistent, autostart;
	const char *fingerprint; /* SHA-256 of the persistent document */
	struct cb_spec document; /* paths of driver.h */
	struct cb_spec live;     /* the same of what runs; read for a single one only */
};

struct cb_networks {
	struct cb_network *items; /* sorted by name */
	size_t len, cap;
};

struct cb_address {
	const char *mac;     /* lower case, or "" */
	const char *address; /* "10.10.0.10", "fd00::1" */
	bool from_agent;
};

struct cb_addresses {
	struct cb_address *items;
	size_t len, cap;
};

#endif
