/*
 * guest.h: what a new guest is told at its first boot: a cloud-init NoCloud seed.
 *
 *	struct cb_guest guest = {.name = ..., .uuid = ..., ...};
 *	cb_guest_render(&guest, &files, err)       user-data, meta-data, network-config
 *	cb_guest_seed(&files, &image, err)         an ISO 9660 image "cidata"; then wipe both
 *
 * Nothing here reads the clock or the host, but for the dates that the image format insists on: the
 * same guest gives the same files, and an image with other dates. A seed is therefore known by the
 * digest of its inputs (cb_guest_digest), never by its bytes.
 *
 * The files hold the hash of a password and what people wrote of secrets: they go nowhere but into
 * the image, and cb_guest_files_wipe overwrites them. (libarchive keeps a temporary file while it
 * makes an image; none of the content gets there.)
 *
 * What people want of cloud-init itself (`cloud_init`) is merged over what is made here:
 *	bootcmd, mounts, packages, runcmd, users, write_files   their list is appended to ours
 *	ssh_authorized_keys      appended to the keys of our user: cloud-init would give them to the
 *	                         image's default user, who is not made
 *	maps                     are merged, key by key, at any depth
 *	everything else          theirs takes the place of ours
 *
 * The order in the guest: the user and the password; packages; shared directories, snaps, services
 * and then post_commands, each whether or not the one before succeeded; last their runcmd.
 */
#ifndef CB_GUEST_GUEST_H
#define CB_GUEST_GUEST_H

#include <stdbool.h>

#include "reconciler/base/arena.h"
#include "reconciler/base/digest.h"
#include "reconciler/base/error.h"
#include "reconciler/base/str.h"

enum cb_guest_auth { CB_GUEST_SSH_KEY, CB_GUEST_PASSWORD, CB_GUEST_ONE_TIME_PASSWORD };

struct cb_guest_nic {
	const char *name; /* in the manifest */
	const char *mac;
	const char *address; /* "10.10.0.10/24", or NULL: DHCP */
	const char *gateway; /* or NULL */
};

enum cb_guest_share { CB_GUEST_VIRTIOFS, CB_GUEST_9P };

struct cb_guest_mount {
	const char *tag;   /* of the file system that the host shares */
	const char *where; /* in the guest */
	enum cb_guest_share share;
	bool readonly;
};

/* What a guest is told. Lists and maps that people write freely come as JSON texts. */
struct cb_guest {
	const char *name, *uuid;
	unsigned generation;  /* of the seed, from 1: another one is another instance-id */
	const char *hostname; /* NULL: the name */
	const char *timezone; /* or NULL */
	const char *username; /* also of a user that the image has */
	enum cb_guest_auth auth;
	const char *password; /* in the clear, or NULL; only its hash gets into the files */
	CB_VEC(const char *) ssh_keys;
	CB_VEC(const char *) packages;
	CB_VEC(const char *) snap_packages;
	CB_VEC(const char *) services;
	CB_VEC(const char *) post_commands; /* in this order, each for a shell */
	CB_VEC(struct cb_guest_mount) mounts;
	CB_VEC(struct cb_guest_nic) nics; /* none: cloud-init does what it does by itself */
	const char *cloud_init;           /* JSON object, merged over what is made here; or NULL */
};

struct cb_guest_files {
	struct cb_str user_data, meta_data, network_config;
};

/* Whether all of it can be told: CB_E_INVALID as cb_guest_render, which checks it, too. */
CB_CHECKED int cb_guest_check(const struct cb_guest *guest, struct cb_error *err);

/* Renders the files (to be wiped by the caller, also after an error). CB_E_INVALID: something
 * cannot be told to a guest, the message says which key and why. */
CB_CHECKED int cb_guest_render(const struct cb_guest *guest, struct cb_guest_files *out,
			       struct cb_error *err);

void cb_guest_files_wipe(struct cb_guest_files *files);

/* The image, in place of what was in `out`, which is to be wiped (cb_str_wipe) also after an error.
 */
CB_CHECKED int cb_guest_seed(const struct cb_guest_files *files, struct cb_str *out,
			     struct cb_error *err);

/* SHA-256 (hex, CB_SHA256_HEX bytes) of the inputs, the password's hash among them: equal for
 * guests that would be told the same, instance-id included. CB_E_INVALID as cb_guest_render. */
CB_CHECKED int cb_guest_digest(const struct cb_guest *guest, char *out, struct cb_error *err);

/* The yescrypt hash of a password ("$y$..."), with a salt derived from the UUID: the same for the
 * same VM and password. */
CB_CHECKED int cb_guest_hash_password(const char *password, const char *uuid, struct cb_str *out,
				      struct cb_error *err);

#endif
