#include <string.h>

#include "reconciler/guest/guest_internal.h"

/*
 * Shared directories. cloud-init's own `mounts` is no use: up to 22.4 at least it drops every entry
 * whose first field is no block device, which a tag is not. And they have to wait for the users: a
 * directory made below a home before there is one would keep it from being set up.
 *
 * Lines of an earlier seed go first; x-... is for such marks, mount(8) takes no notice of it.
 */
#define MARK "x-clonebox"
static const char forget_mounts[] = "sed -i '/[ ,]" MARK " /d' /etc/fstab";
static const char add_mount[] = "mkdir -p -- \"$1\" && printf '%s\\n' \"$2\" >>/etc/fstab && "
				"{ mountpoint -q -- \"$1\" || mount -- \"$1\"; }";

/*
 * Snaps. cloud-init's own `snap` is no use: it runs on Ubuntu alone, and before there are packages,
 * of which snapd is one. CloneBox, too, tries without --classic first.
 */
static const char await_snapd[] = "snap wait system seed.loaded";
static const char add_snap[] = "snap install \"$1\" || snap install --classic \"$1\"";

/* Takes words up to a NULL. */
static json_t *command(const char *const *words)
{
	json_t *list = json_array();

	for (; *words; words++)
		cb_guest_json_add(list, cb_guest_json_text(*words));
	return list;
}

/* A script, with arguments that need no quoting. */
static json_t *shell(const char *script, const char *first, const char *second)
{
	const char *words[] = {"sh", "-c", script, first ? "sh" : NULL, first, second, NULL};

	return command(words);
}

static json_t *login(const struct cb_guest *guest, const char *hash)
{
	json_t *user = json_object(), *groups = json_array(), *keys;

	cb_guest_json_put(user, "name", cb_guest_json_text(guest->username));
	cb_guest_json_add(groups, cb_guest_json_text("adm"));
	cb_guest_json_add(groups, cb_guest_json_text("sudo"));
	cb_guest_json_add(groups, cb_guest_json_text("video"));
	cb_guest_json_put(user, "groups", groups);
	cb_guest_json_put(user, "sudo", cb_guest_json_text("ALL=(ALL) NOPASSWD:ALL"));
	cb_guest_json_put(user, "shell", cb_guest_json_text("/bin/bash"));
	cb_guest_json_put(user, "lock_passwd", json_boolean(!hash));
	/* `passwd` would do nothing for a user who is there already: in the image, or at a new
	 * generation. */
	if (hash)
		cb_guest_json_put(user, "hashed_passwd", cb_guest_json_text(hash));
	if (guest->ssh_keys.len == 0)
		return user;
	keys = json_array();
	cb_vec_each (const char *, key, &guest->ssh_keys)
		cb_guest_json_add(keys, cb_guest_json_text(*key));
	cb_guest_json_put(user, "ssh_authorized_keys", keys);
	return user;
}

/* Has cloud-init set the password once more, for that is what it takes to have it expire. */
static json_t *one_time(const struct cb_guest *guest, const char *hash)
{
	json_t *change = json_object(), *users = json_array(), *user = json_object();

	cb_guest_json_put(user, "name", cb_guest_json_text(guest->username));
	cb_guest_json_put(user, "password", cb_guest_json_text(hash));
	cb_guest_json_put(user, "type", cb_guest_json_text("hash"));
	cb_guest_json_add(users, user);
	cb_guest_json_put(change, "expire", json_true());
	cb_guest_json_put(change, "users", users);
	return change;
}

/* Blanks are what a field of fstab cannot hold; a backslash begins their escapes. */
static json_t *mount(const struct cb_guest_mount *mount)
{
	cb_auto_str struct cb_str line = {0};

	cb_str_printf(&line, "%s ", mount->tag);
	for (const char *p = mount->where; *p; p++) {
		if (*p == ' ' || *p == '\\')
			cb_str_printf(&line, "\\%03o", (unsigned)*p);
		else
			cb_str_add_bytes(&line, p, 1);
	}
	cb_str_printf(&line, " %s%s,nofail," MARK " 0 0",
		      mount->share == CB_GUEST_9P ? "9p trans=virtio,version=9p2000.L,"
						  : "virtiofs ",
		      mount->readonly ? "ro" : "rw");
	return shell(add_mount, mount->where, line.text);
}

static bool has_snapd(const struct cb_guest *guest)
{
	cb_vec_each (const char *, name, &guest->packages) {
		if (strcmp(*name, "snapd") == 0)
			return true;
	}
	return false;
}

static json_t *packages(const struct cb_guest *guest)
{
	json_t *list = json_array();

	cb_vec_each (const char *, name, &guest->packages)
		cb_guest_json_add(list, cb_guest_json_text(*name));
	if (guest->snap_packages.len && !has_snapd(guest))
		cb_guest_json_add(list, cb_guest_json_text("snapd"));
	return list;
}

/* These run when the packages are there, one after the other, whatever becomes of each. */
static json_t *commands(const struct cb_guest *guest)
{
	json_t *list = json_array();

	/* Ubuntu's cloud-init before 22.3, and some later ones, let no hashed password expire. */
	if (guest->auth == CB_GUEST_ONE_TIME_PASSWORD) {
		const char *words[] = {"passwd", "--expire", guest->username, NULL};

		cb_guest_json_add(list, command(words));
	}
	if (guest->mounts.len || guest->generation > 1)
		cb_guest_json_add(list, shell(forget_mounts, NULL, NULL));
	cb_vec_each (const struct cb_guest_mount, it, &guest->mounts)
		cb_guest_json_add(list, mount(it));
	if (guest->snap_packages.len)
		cb_guest_json_add(list, shell(await_snapd, NULL, NULL));
	cb_vec_each (const char *, name, &guest->snap_packages)
		cb_guest_json_add(list, shell(add_snap, *name, NULL));
	cb_vec_each (const char *, name, &guest->services) {
		const char *words[] = {"systemctl", "enable", "--now", "--", *name, NULL};

		cb_guest_json_add(list, command(words));
	}
	cb_vec_each (const char *, text, &guest->post_commands)
		cb_guest_json_add(list, shell(*text, NULL, NULL));
	return list;
}

/* cloud-init wants no empty lists. */
static void put_list(json_t *object, const char *key, json_t *list)
{
	if (json_array_size(list))
		cb_guest_json_put(object, key, list);
	else
		json_decref(list);
}

/* What cloud-init does by default today is said as well, where a guest depends on it. */
static void put_system(json_t *data, const struct cb_guest *guest)
{
	json_t *growpart = json_object(), *devices = json_array();

	cb_guest_json_put(data, "hostname", cb_guest_json_text(cb_guest_hostname(guest)));
	cb_guest_json_put(data, "preserve_hostname", json_false());
	if (guest->timezone)
		cb_guest_json_put(data, "timezone", cb_guest_json_text(guest->timezone));
	cb_guest_json_add(devices, cb_guest_json_text("/"));
	cb_guest_json_put(growpart, "mode", cb_guest_json_text("auto"));
	cb_guest_json_put(growpart, "devices", devices);
	cb_guest_json_put(data, "growpart", growpart);
	cb_guest_json_put(data, "resize_rootfs", json_true());
}

json_t *cb_guest_user_data(const struct cb_guest *guest, const char *hash)
{
	json_t *data = json_object(), *users = json_array();

	put_system(data, guest);
	cb_guest_json_add(users, login(guest, hash));
	cb_guest_json_put(data, "users", users);
	cb_guest_json_put(data, "ssh_pwauth", json_boolean(guest->auth != CB_GUEST_SSH_KEY));
	if (guest->auth == CB_GUEST_ONE_TIME_PASSWORD)
		cb_guest_json_put(data, "chpasswd", one_time(guest, hash));
	put_list(data, "packages", packages(guest));
	put_list(data, "runcmd", commands(guest));
	return data;
}
