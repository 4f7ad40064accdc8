#include <string.h>

#include "reconciler/guest/guest_internal.h"

static const char *const appended[] = {
	"bootcmd", "mounts", "packages", "runcmd", "ssh_authorized_keys", "users", "write_files"};

static bool is_appended(const char *key)
{
	for (size_t i = 0; i < CB_COUNT(appended); i++) {
		if (strcmp(appended[i], key) == 0)
			return true;
	}
	return false;
}

int cb_guest_theirs(const struct cb_guest *guest, json_t **out, struct cb_error *err)
{
	cb_auto_json_wipe json_t *theirs = NULL;
	const char *key;
	json_error_t at;
	json_t *value;

	theirs = guest->cloud_init ? json_loads(guest->cloud_init,
						JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &at)
				   : json_object();
	/* jansson's own words would quote the text, and a secret may stand there. */
	if (!theirs && guest->cloud_init)
		return cb_error_set(err, CB_E_INVALID,
				    "cloud_init: it cannot be read (line %d, column %d)", at.line,
				    at.column);
	if (!theirs)
		cb_oom();
	if (!json_is_object(theirs))
		return cb_error_set(err, CB_E_INVALID, "cloud_init: it has to be a map");
	json_object_foreach(theirs, key, value)
	{
		if (is_appended(key) && !json_is_array(value))
			return cb_error_set(err, CB_E_INVALID,
					    "cloud_init.%s: it has to be a list, which is appended "
					    "to what clonebox tells the guest",
					    key);
	}
	*out = CB_STEAL(theirs);
	return 0;
}

static void append(json_t *object, const char *key, json_t *list)
{
	json_t *ours = json_object_get(object, key);
	json_t *copy = json_copy(list);

	if (!copy)
		cb_oom();
	if (!ours)
		cb_guest_json_put(object, key, copy);
	else if (json_array_extend(ours, copy) < 0)
		cb_oom();
	if (ours)
		json_decref(copy);
}

void cb_guest_merge(json_t *ours, json_t *theirs)
{
	json_auto_t *rest = json_copy(theirs);
	json_t *user = json_array_get(json_object_get(ours, "users"), 0);

	if (!rest)
		cb_oom();
	for (size_t i = 0; i < CB_COUNT(appended); i++) {
		const char *key = appended[i];
		json_t *list = json_object_get(theirs, key);

		/* At the top, keys are for the image's default user, who is not made here. */
		if (list && json_array_size(list) > 0)
			append(strcmp(key, "ssh_authorized_keys") == 0 ? user : ours, key, list);
		(void)json_object_del(rest, key);
	}
	if (json_object_update_recursive(ours, rest) < 0)
		cb_oom();
	if (json_object_get(ours, "packages") && !json_object_get(ours, "package_update"))
		cb_guest_json_put(ours, "package_update", json_true());
}
