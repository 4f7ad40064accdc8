/*
 * driver.h: the contract between clonebox and a virtualisation host.
 *
 * Implementations: driver/libvirt (the real one), driver/fake (a JSON file, for fault sweeps),
 * driver/fault (a decorator that makes the n-th call fail). tests/contract runs one suite over all.
 *
 * Rules for every operation:
 *  - 0 on success, -CB_E_* and a filled error otherwise; results live in the caller's arena.
 *  - CB_E_NOT_FOUND only where the host said for certain that the object is not there. A broken
 *    connection, a timeout or any other answer is CB_E_UNAVAILABLE, CB_E_TIMEOUT or CB_E_FAILED:
 *    then nothing is known about the object. CB_E_DENIED: permission.
 *  - Operations that change something are exclusive where the host can be (create fails with
 *    CB_E_EXISTS), take objects by UUID, and never touch more than they are told.
 *  - No operation passes a flag to libvirt that removes disks.
 *  - A driver is used by one thread at a time. One that has lost its connection stays lost.
 *
 * Document paths. Domains are written and read as specs with these paths (driver/libvirt/bind.def):
 *	name, description                string
 *	ram_mb, vcpus                    int
 *	accel                            "kvm" | "tcg"
 *	boot.kernel, boot.initrd         string: a path on the host (here, unlike in a manifest)
 *	boot.cmdline                     string
 *	machine                          "q35" | "pc"; reads a family, whatever its version
 *	firmware                         "bios" | "uefi" (without Secure Boot)
 *	cpu                              "host-passthrough" | "host-model" | a model that libvirt
 *	                                 knows; none: the machine's own
 *	network_mode                     "default" | "user" | "none"; reads also "network:NAME",
 *	                                 "bridge" and what else libvirt calls it. It is about the
 *	                                 NIC "nic0"; without that, in a domain that was not made
 *	                                 by clonebox and where no NIC has a name of ours, about
 *	                                 the first one
 *	nics[N].type                     "network" | "bridge" | "user"; setting it where there is
 *	                                 no such NIC adds one, CB_NONE takes it away
 *	nics[N].source                   string: the network or bridge; not for "user"
 *	nics[N].mac, .model              string; a MAC in lower case, "virtio" unless set
 *	nics[N].link                     bool: whether its cable is plugged in
 *	nics[N].forwards                 string, for "user" only: "tcp:2222:22 udp:5353:53", of
 *	                                 the host's loopback to the guest. CB_E_UNSUPPORTED where
 *	                                 libvirt has no passt, as in Debian 12
 *	gui                              bool
 *	disks[N].source                  string: path on the host; setting it where there is no
 *	                                 such disk adds one, CB_NONE takes it away (the file stays)
 *	disks[N].format                  "qcow2" | "raw"
 *	disks[N].bus                     "virtio" | "scsi" | "sata"; "virtio" unless set
 *	disks[N].cache                   "none", "writeback", ... as libvirt has them; none: QEMU's
 *	disks[N].serial                  string
 *	disks[N].readonly, .shareable    bool
 *	mounts[N].source                 string: a directory of the host that is shared with the
 *	                                 guest, which knows it as N (31 bytes at most); setting it
 *	                                 where there is no such one adds it, CB_NONE takes it away
 *	mounts[N].kind                   "9p" | "virtiofs"; "9p" unless set. virtiofs needs memory
 *	                                 that the host shares: it is made so, and is not any more
 *	                                 when the last of them goes; where somebody has undone
 *	                                 that, the mount does not count as there
 *	mounts[N].readonly               bool: whether the guest can only read; not for virtiofs
 *	ram_mb.max, vcpus.max            int: in `live` only, what the machine was started with
 *	autostart (read only)            bool
 *	state (read only)                "running" | "stopped"
 * N is a name of ours (letters, digits, '-', '_'), kept as the device's alias; devices without such
 * a name are not read, but for the root disk "root" and "nic0" as above.
 * A value of kind CB_NONE in `set` removes what the path stands for; so does the empty string. For
 * name, ram_mb, vcpus and accel that is CB_E_INVALID, as is a value for a device that is not there
 * (a MAC without network, a format without disk). A path that is not in the list, or a value of the
 * wrong kind, is CB_E_INTERNAL.
 *
 * Networks have these paths:
 *	mode                             "nat" | "isolated" | "bridge"; reads also what else libvirt
 *	                                 calls a forward mode
 *	bridge                           string: mode "bridge" only, the bridge of the host
 *	cidr                             "10.10.0.1/24": the host's address in it, and its size;
 *	                                 needed for "nat", not for "bridge"
 *	dhcp.start, dhcp.end             string: addresses that are given out
 *	hosts[MAC].ip, .name             string: what a NIC (lower case) always gets; names may be
 *	                                 left out.
 *	                                 CB_NONE for .ip takes the host away
 *	autostart (read only)            bool
 */
#ifndef CB_DRIVER_DRIVER_H
#define CB_DRIVER_DRIVER_H

#include <signal.h>

#include "reconciler/base/error.h"
#include "reconciler/base/str.h"
#include "reconciler/model/host.h"

struct cb_driver {
	const struct cb_driver_ops *ops;
	/* Set by who opened it: how long a call may take, 0: for ever. What changes something, or
	 * moves data, gets twice that (operations.h). Then the call is CB_E_TIMEOUT, its effect may
	 * still come, and the connection is given up: */
	unsigned patience_ms;
	bool lost; /* set by the driver: every further call is CB_E_UNAVAILABLE */
};

/* What a new domain is made of. */
struct cb_domain_new {
	const char *uuid, *name;
	const struct cb_spec *set; /* document paths, above; name is taken from here too */
	const struct cb_stamp *stamp;
};

/* A change of an existing domain's persistent document. */
struct cb_domain_edit {
	const char *uuid;
	const char *fingerprint;      /* must be the document's right before, else CB_E_CONFLICT */
	const struct cb_spec *set;    /* only what changes; another name is CB_E_UNSUPPORTED */
	const struct cb_stamp *stamp; /* NULL: stays as it is */
};

struct cb_volume_new {
	const char *pool, *name, *format;
	uint64_t capacity;                    /* bytes */
	const char *backing, *backing_format; /* or NULL */
};

enum cb_shutdown { CB_SHUTDOWN_AGENT, CB_SHUTDOWN_ACPI };

/* A network that is to be. */
struct cb_network_new {
	const char *uuid, *name;
	const struct cb_spec *set; /* network paths, above */
};

/* A change of an existing network. */
struct cb_network_edit {
	const char *uuid;
	/* Must be the document's right before, else CB_E_CONFLICT. NULL where only hosts change:
	 * several of them may at the same time. */
	const char *fingerprint;
	const struct cb_spec *set; /* only what changes */
};

/* Where the bytes of an upload come from, and a place to say how far it is. `read` fills at most
 * `len` bytes and returns how many (0 = end) or -CB_E_*. `progress` may be NULL. */
struct cb_upload {
	int (*read)(void *ctx, void *buffer, size_t len, struct cb_error *err);
	void (*progress)(void *ctx, uint64_t bytes);
	void *ctx;
	uint64_t size;   /* bytes in all */
	uint64_t offset; /* where in the volume the first of them goes */
	bool keep;       /* what stands behind the last of them stays */
	uint64_t *taken; /* NULL, or: the source may end early, and this gets how much there was */
};

/* A part of a volume's content that is read. */
struct cb_extent {
	uint64_t offset, size;
	const volatile sig_atomic_t *interrupted; /* NULL, or: stop soon when it is not 0 */
};

/* The two ends of a console on our side. */
struct cb_console_io {
	int in, out;
	char escape; /* read from `in`, it ends the session */
	bool force;  /* take it away from whoever is at it */
	const volatile sig_atomic_t *interrupted;
};

struct cb_driver_ops {
	void (*close)(struct cb_driver *driver);

	CB_CHECKED int (*host)(struct cb_driver *driver, struct cb_arena *arena,
			       struct cb_host *out, struct cb_error *err);

	/* Domains. `domains` reads all of the host: a constant number of calls, one more per
	 * domain, one more per running stamped one. Domains without a stamp get uuid, name, flags
	 * and files only. `ownership` is left CB_FOREIGN. */
	CB_CHECKED int (*domains)(struct cb_driver *driver, struct cb_arena *arena,
				  struct cb_domains *out, struct cb_error *err);
	/* One domain, read in full. */
	CB_CHECKED int (*domain)(struct cb_driver *driver, struct cb_arena *arena, const char *uuid,
				 struct cb_domain *out, struct cb_error *err);
	/* CB_E_EXISTS when name or UUID is taken; nothing is changed then. */
	CB_CHECKED int (*domain_define)(struct cb_driver *driver, const struct cb_domain_new *spec,
					struct cb_error *err);
	/* Patches the document, leaving everything else in it as it is, secrets included. Then
	 * reads it back: CB_E_CONFLICT if it does not say what was set. */
	CB_CHECKED int (*domain_update)(struct cb_driver *driver, const struct cb_domain_edit *edit,
					struct cb_error *err);
	/* The persistent document with its secrets: a pre-image for domain_restore only. */
	CB_CHECKED int (*domain_document)(struct cb_driver *driver, const char *uuid,
					  struct cb_str *out, struct cb_error *err);
	/* Defines a document that domain_document gave, whether the domain is still there or not.
	 * CB_E_EXISTS if another domain has its name now. Autostart is not part of a document. */
	CB_CHECKED int (*domain_restore)(struct cb_driver *driver, const char *document,
					 struct cb_error *err);
	/* Gives a stopped domain another stamp (NULL: as it is) and then another name; with the
	 * name that it has, only the stamp. CB_E_EXISTS if the name is taken, CB_E_CONFLICT if it
	 * runs, CB_E_UNSUPPORTED if it has snapshots or saved memory. What libvirt names after a
	 * domain (its NVRAM file) keeps the name that it has. */
	CB_CHECKED int (*domain_rename)(struct cb_driver *driver, const char *uuid,
					const char *name, const struct cb_stamp *stamp,
					struct cb_error *err);
	/* With exactly the flags that this domain needs. A running domain is refused
	 * (CB_E_CONFLICT): it would become transient. */
	CB_CHECKED int (*domain_undefine)(struct cb_driver *driver, const char *uuid,
					  struct cb_error *err);
	CB_CHECKED int (*domain_autostart)(struct cb_driver *driver, const char *uuid, bool on,
					   struct cb_error *err);
	/* Of the running machine only: "ram_mb" (balloon), "vcpus" (only upwards), "description".
	 * CB_E_UNSUPPORTED for what cannot change live. */
	CB_CHECKED int (*domain_live)(struct cb_driver *driver, const char *uuid, const char *path,
				      const struct cb_value *value, struct cb_error *err);
	/* The process that runs this machine although the host says that it is shut off, or does
	 * not know it (any more): it lost sight of it, and its disks are in use. One that is just
	 * ending is waited for. 0: none; or there is no telling, unless cb_host.processes. */
	CB_CHECKED int (*domain_stray)(struct cb_driver *driver, const char *uuid, int *pid,
				       struct cb_error *err);
	/* Already running is success. A stray is not looked for. */
	CB_CHECKED int (*domain_start)(struct cb_driver *driver, const char *uuid,
				       struct cb_error *err);
	/* Only asks the guest; returns at once. CB_E_UNSUPPORTED: this way does not exist (no
	 * agent, or it does not answer). Already stopped is success. */
	CB_CHECKED int (*domain_shutdown)(struct cb_driver *driver, const char *uuid,
					  enum cb_shutdown how, struct cb_error *err);
	/* Pulls the plug. Already stopped is success. */
	CB_CHECKED int (*domain_power_off)(struct cb_driver *driver, const char *uuid,
					   struct cb_error *err);
	/* Addresses of a running domain: of its agent if that answers, else of the leases of
	 * libvirt's networks; without the loopback and link-local ones. None is fine. */
	CB_CHECKED int (*domain_addresses)(struct cb_driver *driver, struct cb_arena *arena,
					   const char *uuid, struct cb_addresses *out,
					   struct cb_error *err);
	/* Whether the guest's agent answers now. */
	CB_CHECKED int (*domain_agent)(struct cb_driver *driver, const char *uuid, bool *out,
				       struct cb_error *err);
	/* Connects the running domain's serial console with two descriptors, until the escape
	 * character is read, the guest is gone, or `interrupted`. CB_E_CONFLICT if it does not run.
	 * Once in a process at a time. */
	CB_CHECKED int (*domain_console)(struct cb_driver *driver, const char *uuid,
					 const struct cb_console_io *io, struct cb_error *err);

	/* Pools. */
	CB_CHECKED int (*pool)(struct cb_driver *driver, struct cb_arena *arena, const char *name,
			       struct cb_pool *out, struct cb_error *err);
	/* Type dir. `uuid` may be NULL. CB_E_EXISTS if the name or the UUID is taken. */
	CB_CHECKED int (*pool_define)(struct cb_driver *driver, const char *name, const char *path,
				      const char *uuid, struct cb_error *err);
	/* Makes the directory if it is not there. Already active is success. */
	CB_CHECKED int (*pool_start)(struct cb_driver *driver, const char *name,
				     struct cb_error *err);
	CB_CHECKED int (*pool_autostart)(struct cb_driver *driver, const char *name, bool on,
					 struct cb_error *err);
	/* Stops and undefines it; the directory and its content stay. */
	CB_CHECKED int (*pool_undefine)(struct cb_driver *driver, const char *name,
					struct cb_error *err);
	/* Makes libvirt look at the directory again: before any answer about volumes is believed.
	 * CB_E_BUSY while somebody writes to one of them: come again. */
	CB_CHECKED int (*pool_refresh)(struct cb_driver *driver, const char *name,
				       struct cb_error *err);

	/* Volumes, as of the last refresh. A pool that is not there, or not active, is CB_E_FAILED
	 * for all of these: it says nothing about the volume. `volumes` fills name and path only.
	 */
	CB_CHECKED int (*volumes)(struct cb_driver *driver, struct cb_arena *arena,
				  const char *pool, struct cb_volumes *out, struct cb_error *err);
	CB_CHECKED int (*volume)(struct cb_driver *driver, struct cb_arena *arena, const char *pool,
				 const char *name, struct cb_volume *out, struct cb_error *err);
	/* CB_E_EXISTS if the name is taken, also by a file that no refresh has shown yet. Sparse
	 * (allocation 0). CB_E_BUSY as of pool_refresh. For an upload: raw, of the file's length,
	 * whatever the file is; the next refresh says what it was found to be. */
	CB_CHECKED int (*volume_create)(struct cb_driver *driver, const struct cb_volume_new *spec,
					struct cb_error *err);
	/* Overwrites a part of the content, or all of it; holes are not sent where none of what
	 * they would let through was ever written. CB_E_IO if the source does not give `size`
	 * bytes; what `read` returned if that failed. After a failure the content from `offset` on
	 * is undefined, and may be shorter than the volume was; but for `keep`, what is behind the
	 * upload is so after success, too. */
	CB_CHECKED int (*volume_write)(struct cb_driver *driver, const char *pool, const char *name,
				       const struct cb_upload *upload, struct cb_error *err);
	/* SHA-256 (hex, CB_SHA256_HEX bytes) of a part of the content. CB_E_CONFLICT if it ends
	 * before. */
	CB_CHECKED int (*volume_digest)(struct cb_driver *driver, const char *pool,
					const char *name, const struct cb_extent *extent, char *out,
					struct cb_error *err);
	CB_CHECKED int (*volume_delete)(struct cb_driver *driver, const char *pool,
					const char *name, struct cb_error *err);

	/* Networks. `networks` reads all of the host: a constant number of calls, one more per
	 * network. A host that knows no networks has none. */
	CB_CHECKED int (*networks)(struct cb_driver *driver, struct cb_arena *arena,
				   struct cb_networks *out, struct cb_error *err);
	CB_CHECKED int (*network)(struct cb_driver *driver, struct cb_arena *arena,
				  const char *name, struct cb_network *out, struct cb_error *err);
	/* CB_E_EXISTS when name or UUID is taken; nothing is changed then. */
	CB_CHECKED int (*network_define)(struct cb_driver *driver,
					 const struct cb_network_new *spec, struct cb_error *err);
	/* Patches the persistent document, leaving everything else in it as it is. Hosts also reach
	 * the running network at once; the rest acts at its next start. */
	CB_CHECKED int (*network_update)(struct cb_driver *driver,
					 const struct cb_network_edit *edit, struct cb_error *err);
	/* The persistent document, and its way back, as of domains. */
	CB_CHECKED int (*network_document)(struct cb_driver *driver, const char *uuid,
					   struct cb_str *out, struct cb_error *err);
	CB_CHECKED int (*network_restore)(struct cb_driver *driver, const char *document,
					  struct cb_error *err);
	/* Already active is success. */
	CB_CHECKED int (*network_start)(struct cb_driver *driver, const char *uuid,
					struct cb_error *err);
	/* Running guests lose it. Already inactive is success. */
	CB_CHECKED int (*network_stop)(struct cb_driver *driver, const char *uuid,
				       struct cb_error *err);
	CB_CHECKED int (*network_autostart)(struct cb_driver *driver, const char *uuid, bool on,
					    struct cb_error *err);
	/* An active one is refused (CB_E_CONFLICT): it would become transient. */
	CB_CHECKED int (*network_undefine)(struct cb_driver *driver, const char *uuid,
					   struct cb_error *err);
};

/* NULL is fine. */
void cb_driver_close(struct cb_driver *driver);

/* Opens the host that `uri` names (NULL: libvirt's default). CB_E_UNAVAILABLE if it does not
 * answer. From then on the process ignores SIGPIPE, unless it has a handler of its own. In
 * driver/libvirt.
 */
CB_CHECKED int cb_libvirt_open(const char *uri, struct cb_driver **out, struct cb_error *err);

/* A host that is a JSON file, written at every change, so that a process may die at any point and
 * another one goes on; an absent file is a host with the network "default" and nothing else. What
 * stands in it, and the knobs for tests: driver/fake/fake_internal.h. */
CB_CHECKED int cb_fake_open(const char *path, struct cb_driver **out, struct cb_error *err);

/* What the fault driver does at its n-th call that changes something (1-based). */
enum cb_fault {
	CB_FAULT_NONE,
	CB_FAULT_BEFORE, /* fails for good, nothing done */
	CB_FAULT_AFTER,  /* done, but the caller is told it failed for good */
	CB_FAULT_LOST,   /* done, the reply is lost: CB_E_UNAVAILABLE, and so is every later call */
	CB_FAULT_GONE,   /* not done, CB_E_UNAVAILABLE, and so is every later call */
	CB_FAULT_DIE_BEFORE, /* the process ends (_exit 137) */
	CB_FAULT_DIE_AFTER,
	/* As BEFORE, GONE and DIE_BEFORE, but of an upload one half is done, and of a change of a
	 * network's addresses what takes the old ones away. */
	CB_FAULT_HALFWAY,
	CB_FAULT_GONE_HALFWAY,
	CB_FAULT_DIE_HALFWAY,
	/* CB_E_TIMEOUT, and every later call is CB_E_UNAVAILABLE. It is done when a byte is written
	 * to gate[1], by a child of the process, whatever has become of that; if gate[1] is closed
	 * without, never. */
	CB_FAULT_LATE,
};

struct cb_fault_plan {
	enum cb_fault fault;
	unsigned at;    /* 0: never */
	bool sticky;    /* BEFORE: every later call of the same operation fails too */
	int gate[2];    /* LATE: a pipe */
	bool looking;   /* GONE: `at` counts looks instead */
	unsigned calls; /* out: changing calls so far */
	unsigned reads; /* out: other calls so far */
	unsigned looks; /* out: those of them that came after the first changing one */
};

/* Wraps `inner` (taken over). `plan` stays the caller's and must outlive it. In driver/fault. */
struct cb_driver *cb_fault_open(struct cb_driver *inner, struct cb_fault_plan *plan);

#endif
