/*
 * guest_internal.h: what the parts of the module share. JSON values are new references; what holds
 * secrets is released with cb_guest_json_wipe.
 */
#ifndef CB_GUEST_INTERNAL_H
#define CB_GUEST_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>

#include "reconciler/guest/guest.h"

/* The host name that the guest gets. */
const char *cb_guest_hostname(const struct cb_guest *guest);

/* userdata.c: `hash` is that of the password, or NULL. */
json_t *cb_guest_user_data(const struct cb_guest *guest, const char *hash);

/* network.c */
json_t *cb_guest_network(const struct cb_guest *guest);

/* merge.c: `cloud_init` as an object; an empty one where there is none. */
CB_CHECKED int cb_guest_theirs(const struct cb_guest *guest, json_t **out, struct cb_error *err);

/* Merges `theirs` over `ours`, as guest.h says. */
void cb_guest_merge(json_t *ours, json_t *theirs);

/* password.c: the hash of the guest's password; leaves `out` empty where there is none. */
CB_CHECKED int cb_guest_hash(const struct cb_guest *guest, struct cb_str *out,
			     struct cb_error *err);

/* json.c: building; out of memory ends the program, as everywhere. */
json_t *cb_guest_json_text(const char *text);
void cb_guest_json_put(json_t *object, const char *key, json_t *value);
void cb_guest_json_add(json_t *array, json_t *value);

/* Appends the text of a value, which is YAML as well. */
void cb_guest_json_dump(const json_t *value, size_t flags, struct cb_str *out);

/* Overwrites the strings in it, releases it and sets it to NULL; NULL is fine. */
void cb_guest_json_wipe(json_t **value);

#define cb_auto_json_wipe CB_CLEANUP(cb_guest_json_wipe)

/* Makes room for `more` bytes, overwriting what it leaves behind. */
void cb_guest_room(struct cb_str *str, size_t more);

#endif
