/*
 * What a guest can be told. Most of it ends up in a command, a file of the guest or the name of
 * something there: what could mean something else in that place is refused here, with the key of
 * the manifest that it stands under. Values that may be secret are never quoted.
 */
#include <arpa/inet.h>
#include <string.h>

#include "reconciler/guest/guest_internal.h"

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define ALNUM  LOWER UPPER DIGITS

enum { USERNAME_MAX = 32, LABEL_MAX = 63, HOSTNAME_MAX = 253, TAG_MAX = 36 };

static bool made_of(const char *text, const char *allowed)
{
	return *text && text[strspn(text, allowed)] == '\0';
}

static bool starts_with(const char *text, const char *allowed)
{
	return *text && strchr(allowed, *text);
}

static bool is_utf8(const char *text)
{
	cb_auto_json_wipe json_t *value = json_string(text);

	return value;
}

/* Control characters other than those of `allowed`. */
static bool has_control(const char *text, const char *allowed)
{
	for (const char *p = text; *p; p++) {
		if (((unsigned char)*p < ' ' || *p == 0x7f) && !strchr(allowed, *p))
			return true;
	}
	return false;
}

static int check_hostname(const struct cb_guest *guest, struct cb_error *err)
{
	const char *name = cb_guest_hostname(guest);
	size_t left = strlen(name);
	const char *label = name;
	bool fine = left > 0 && left <= HOSTNAME_MAX;

	while (fine) {
		size_t len = strcspn(label, ".");

		fine = len > 0 && len <= LABEL_MAX && strspn(label, ALNUM "-_") == len &&
		       label[0] != '-' && label[len - 1] != '-';
		if (label[len] == '\0')
			break;
		label += len + 1;
	}
	if (fine)
		return 0;
	if (guest->hostname)
		return cb_error_set(err, CB_E_INVALID, "hostname: '%s' is not a host name", name);
	(void)cb_error_set(err, CB_E_INVALID,
			   "hostname: the name '%s' of the VM is not a host name", name);
	return cb_error_hint(err, "give the guest another one with 'hostname'");
}

static int check_timezone(const struct cb_guest *guest, struct cb_error *err)
{
	const char *zone = guest->timezone;

	/* It becomes a path below /usr/share/zoneinfo. */
	if (!zone || (made_of(zone, ALNUM "_+-/") && zone[0] != '/'))
		return 0;
	return cb_error_set(err, CB_E_INVALID,
			    "timezone: '%s' is not the name of a time zone, like Europe/Berlin",
			    zone);
}

static int check_password(const struct cb_guest *guest, struct cb_error *err)
{
	if (!guest->password) {
		if (guest->auth == CB_GUEST_SSH_KEY)
			return 0;
		return cb_error_set(err, CB_E_INVALID, "password: auth_method %s needs one",
				    guest->auth == CB_GUEST_PASSWORD ? "password"
								     : "one_time_password");
	}
	if (*guest->password == '\0')
		return cb_error_set(err, CB_E_INVALID, "password: it is empty");
	/* Nobody could type it. */
	if (has_control(guest->password, ""))
		return cb_error_set(err, CB_E_INVALID, "password: it holds a control character");
	return 0;
}

static int check_key(const char *key, size_t number, struct cb_error *err)
{
	const char *why = NULL;

	if (strncmp(key, "-----", 5) == 0)
		why = "is a private key or a file of another kind";
	else if (has_control(key, "\t"))
		why = "has to be one line";
	else if (!is_utf8(key))
		why = "is not UTF-8";
	else if (key[0] == ' ' || key[0] == '#' || !strchr(key, ' '))
		why = "is not a public key, like 'ssh-ed25519 AAAA... name'";
	if (!why)
		return 0;
	return cb_error_set(err, CB_E_INVALID, "ssh_keys: key %zu %s", number, why);
}

static int check_user(const struct cb_guest *guest, struct cb_error *err)
{
	const char *name = guest->username;
	size_t number = 0;
	int r = 0;

	if (!name || *name == '\0')
		return cb_error_set(err, CB_E_INVALID, "username: it is empty");
	if (strlen(name) > USERNAME_MAX || !made_of(name, LOWER DIGITS "_-") ||
	    !starts_with(name, LOWER "_"))
		return cb_error_set(
			err, CB_E_INVALID,
			"username: '%s' is not the name of a user: at most %d lower-case "
			"letters, digits, '_' and '-', first a letter or '_'",
			name, USERNAME_MAX);
	r = check_password(guest, err);
	cb_vec_each (const char *const, key, &guest->ssh_keys) {
		number++;
		if (r == 0)
			r = check_key(*key, number, err);
	}
	return r;
}

/* Words that become arguments of a command: none may look like an option. */
static int check_words(const char *key, const char *const *words, size_t len, const char *more,
		       const char *first, struct cb_error *err)
{
	for (size_t i = 0; i < len; i++) {
		if (*words[i] == '\0')
			return cb_error_set(err, CB_E_INVALID, "%s: entry %zu is empty", key,
					    i + 1);
		if (!made_of(words[i], more) || !starts_with(words[i], first))
			return cb_error_set(err, CB_E_INVALID,
					    "%s: '%s' is not a name that can be "
					    "there",
					    key, words[i]);
	}
	return 0;
}

static int check_commands(const struct cb_guest *guest, struct cb_error *err)
{
	size_t number = 0;

	cb_vec_each (const char *const, text, &guest->post_commands) {
		number++;
		if (has_control(*text, "\t\n") || !is_utf8(*text))
			return cb_error_set(
				err, CB_E_INVALID,
				"post_commands: command %zu holds a control character or "
				"is not UTF-8",
				number);
	}
	return 0;
}

static int check_mounts(const struct cb_guest *guest, struct cb_error *err)
{
	cb_vec_each (const struct cb_guest_mount, mount, &guest->mounts) {
		if (strlen(mount->tag) > TAG_MAX || !made_of(mount->tag, ALNUM "._-") ||
		    !starts_with(mount->tag, ALNUM))
			return cb_error_set(err, CB_E_INVALID,
					    "paths: '%s' cannot be the tag of a shared directory",
					    mount->tag);
		if (mount->where[0] != '/' || has_control(mount->where, "") ||
		    !is_utf8(mount->where))
			return cb_error_set(err, CB_E_INVALID,
					    "paths: '%s' is not an absolute path in the guest",
					    mount->where);
		if (mount->where[strspn(mount->where, "/")] == '\0')
			return cb_error_set(err, CB_E_INVALID, "paths: the guest's '/' is its own");
		cb_vec_each (const struct cb_guest_mount, other, &guest->mounts) {
			if (other < mount && strcmp(other->where, mount->where) == 0)
				return cb_error_set(err, CB_E_INVALID, "paths: '%s' is there twice",
						    mount->where);
		}
	}
	return 0;
}

static bool is_mac(const char *text)
{
	for (size_t i = 0; i < 17; i++) {
		if (i % 3 == 2 ? text[i] != ':'
			       : !text[i] || !strchr(DIGITS "abcdefABCDEF", text[i]))
			return false;
	}
	return text[17] == '\0';
}

/* AF_INET, AF_INET6, or 0. */
static int family_of(const char *text)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	if (inet_pton(AF_INET, text, bytes) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, text, bytes) == 1 ? AF_INET6 : 0;
}

static int network_family(const char *text)
{
	const char *slash = strchr(text, '/');
	char address[INET6_ADDRSTRLEN] = "";
	uint64_t prefix;
	int family;

	if (!slash || (size_t)(slash - text) >= sizeof(address) ||
	    cb_parse_u64(slash + 1, &prefix) < 0)
		return 0;
	memcpy(address, text, (size_t)(slash - text));
	family = family_of(address);
	return prefix >= 1 && prefix <= (family == AF_INET ? 32 : 128) ? family : 0;
}

static int check_nic(const struct cb_guest_nic *nic, struct cb_error *err)
{
	int family = nic->address ? network_family(nic->address) : 0;

	/* Renderers make file names of it. */
	if (!made_of(nic->name, ALNUM "._-") || !starts_with(nic->name, ALNUM))
		return cb_error_set(err, CB_E_INVALID, "nics: '%s' is not the name of a NIC",
				    nic->name);
	if (!nic->mac || !is_mac(nic->mac))
		return cb_error_set(err, CB_E_INVALID, "nics[%s].mac: '%s' is not a MAC address",
				    nic->name, nic->mac ? nic->mac : "");
	if (nic->address && !family)
		return cb_error_set(err, CB_E_INVALID,
				    "nics[%s].ip: '%s' is not an address with the size of its "
				    "network, like 10.10.0.10/24",
				    nic->name, nic->address);
	if (nic->gateway && (!nic->address || family_of(nic->gateway) != family))
		return cb_error_set(err, CB_E_INVALID, "nics[%s]: gateway '%s' does not go with %s",
				    nic->name, nic->gateway, nic->address ? nic->address : "DHCP");
	return 0;
}

static int check_nics(const struct cb_guest *guest, struct cb_error *err)
{
	cb_vec_each (const struct cb_guest_nic, nic, &guest->nics) {
		int r = check_nic(nic, err);

		if (r < 0)
			return r;
		cb_vec_each (const struct cb_guest_nic, other, &guest->nics) {
			if (other < nic && strcmp(other->name, nic->name) == 0)
				return cb_error_set(err, CB_E_INVALID, "nics: '%s' is there twice",
						    nic->name);
			if (other < nic && strcasecmp(other->mac, nic->mac) == 0)
				return cb_error_set(err, CB_E_INVALID,
						    "nics[%s].mac: '%s' has the same", nic->name,
						    other->name);
		}
	}
	return 0;
}

int cb_guest_check(const struct cb_guest *guest, struct cb_error *err)
{
	int r;

	if ((r = check_hostname(guest, err)) < 0 || (r = check_timezone(guest, err)) < 0 ||
	    (r = check_user(guest, err)) < 0)
		return r;
	r = check_words("packages", guest->packages.items, guest->packages.len, ALNUM ".+~:=/_-",
			ALNUM, err);
	if (r == 0)
		r = check_words("snap_packages", guest->snap_packages.items,
				guest->snap_packages.len, ALNUM "_-", ALNUM, err);
	if (r == 0)
		r = check_words("services", guest->services.items, guest->services.len,
				ALNUM ":._\\@-", ALNUM "_", err);
	if (r < 0 || (r = check_commands(guest, err)) < 0 || (r = check_mounts(guest, err)) < 0)
		return r;
	return check_nics(guest, err);
}
