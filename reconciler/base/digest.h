/*
 * digest.h: SHA-256 (libcrypto) as lower-case hex text.
 */
#ifndef CB_BASE_DIGEST_H
#define CB_BASE_DIGEST_H

#include <stddef.h>

enum { CB_SHA256_HEX = 65 };

struct cb_digest; /* a running digest */

struct cb_digest *cb_digest_new(void);

void cb_digest_add(struct cb_digest *digest, const void *bytes, size_t len);

/* Writes the text and frees the digest. */
void cb_digest_finish(struct cb_digest *digest, char out[CB_SHA256_HEX]);

/* Frees a digest that is not needed any more; NULL is fine. */
void cb_digest_free(struct cb_digest *digest);

/* All in one. */
void cb_digest_of(const void *bytes, size_t len, char out[CB_SHA256_HEX]);

#endif
