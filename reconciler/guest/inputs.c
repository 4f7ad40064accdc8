/* The digest of what a guest is told: of the inputs, so that a later clonebox that renders them
 * otherwise finds nothing changed. */
#include "reconciler/guest/guest_internal.h"

/* Absent, empty and not given are told alike. */
static void put_text(json_t *object, const char *key, const char *text)
{
	if (text && *text)
		cb_guest_json_put(object, key, cb_guest_json_text(text));
}

static json_t *texts(const char *const *items, size_t len)
{
	json_t *list = json_array();

	for (size_t i = 0; i < len; i++)
		cb_guest_json_add(list, cb_guest_json_text(items[i]));
	return list;
}

static json_t *mounts(const struct cb_guest *guest)
{
	json_t *list = json_array();

	cb_vec_each (const struct cb_guest_mount, mount, &guest->mounts) {
		json_t *item = json_object();

		put_text(item, "tag", mount->tag);
		put_text(item, "where", mount->where);
		put_text(item, "share", mount->share == CB_GUEST_9P ? "9p" : "virtiofs");
		cb_guest_json_put(item, "readonly", json_boolean(mount->readonly));
		cb_guest_json_add(list, item);
	}
	return list;
}

static json_t *inputs(const struct cb_guest *guest, const char *hash)
{
	static const char *const methods[] = {
		[CB_GUEST_SSH_KEY] = "ssh_key",
		[CB_GUEST_PASSWORD] = "password",
		[CB_GUEST_ONE_TIME_PASSWORD] = "one_time_password",
	};
	json_t *all = json_object();

	put_text(all, "uuid", guest->uuid);
	cb_guest_json_put(all, "generation", json_integer(guest->generation));
	put_text(all, "hostname", cb_guest_hostname(guest));
	put_text(all, "timezone", guest->timezone);
	put_text(all, "username", guest->username);
	put_text(all, "auth", methods[guest->auth]);
	put_text(all, "password", hash);
	cb_guest_json_put(all, "ssh_keys", texts(guest->ssh_keys.items, guest->ssh_keys.len));
	cb_guest_json_put(all, "packages", texts(guest->packages.items, guest->packages.len));
	cb_guest_json_put(all, "snap_packages",
			  texts(guest->snap_packages.items, guest->snap_packages.len));
	cb_guest_json_put(all, "services", texts(guest->services.items, guest->services.len));
	cb_guest_json_put(all, "post_commands",
			  texts(guest->post_commands.items, guest->post_commands.len));
	cb_guest_json_put(all, "mounts", mounts(guest));
	/* As they are told: in no order, and MAC addresses in one case. */
	cb_guest_json_put(all, "network", cb_guest_network(guest));
	return all;
}

int cb_guest_digest(const struct cb_guest *guest, char *out, struct cb_error *err)
{
	cb_auto_json_wipe json_t *theirs = NULL, *all = NULL;
	CB_CLEANUP(cb_str_wipe) struct cb_str hash = {0}, text = {0};
	int r = cb_guest_check(guest, err);

	if (r < 0)
		return r;
	r = cb_guest_theirs(guest, &theirs, err);
	if (r < 0)
		return r;
	r = cb_guest_hash(guest, &hash, err);
	if (r < 0)
		return r;
	all = inputs(guest, hash.text);
	if (json_object_size(theirs))
		cb_guest_json_put(all, "cloud_init", json_incref(theirs));
	cb_guest_json_dump(all, JSON_COMPACT | JSON_SORT_KEYS, &text);
	cb_digest_of(text.text, text.len, out);
	return 0;
}
