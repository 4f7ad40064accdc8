#include <crypt.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reconciler/guest/guest_internal.h"

/* The cost of Debian's own passwords. Said here, so that another libcrypt gives the same hash. */
enum { COST = 5, SALT = 16 };

/* A salt need not be secret, only another one for each VM: so it comes from the UUID, and the same
 * manifest gives the same seed. Freed by the caller. */
static char *setting(const char *uuid)
{
	char hex[CB_SHA256_HEX], bytes[SALT];

	cb_digest_of(uuid, strlen(uuid), hex);
	for (size_t i = 0; i < SALT; i++) {
		const char pair[] = {hex[2 * i], hex[2 * i + 1], '\0'};

		bytes[i] = (char)strtoul(pair, NULL, 16);
	}
	return crypt_gensalt_ra("$y$", COST, bytes, SALT);
}

int cb_guest_hash_password(const char *password, const char *uuid, struct cb_str *out,
			   struct cb_error *err)
{
	char *salt = setting(uuid);
	void *data = NULL;
	int size = 0, saved;
	const char *hash;

	if (!salt)
		return cb_error_set(err, CB_E_UNSUPPORTED,
				    "password: the C library knows no yescrypt");
	hash = crypt_ra(password, salt, &data, &size);
	saved = errno;
	if (hash)
		cb_str_add(out, hash);
	free(salt);
	if (data && size > 0)
		explicit_bzero(data, (size_t)size);
	free(data);
	if (hash)
		return 0;
	if (saved == ERANGE)
		return cb_error_set(err, CB_E_INVALID, "password: it is longer than %d bytes",
				    CRYPT_MAX_PASSPHRASE_SIZE);
	return cb_error_errno(err, saved, "password: cannot hash it");
}

int cb_guest_hash(const struct cb_guest *guest, struct cb_str *out, struct cb_error *err)
{
	return guest->password ? cb_guest_hash_password(guest->password, guest->uuid, out, err) : 0;
}
