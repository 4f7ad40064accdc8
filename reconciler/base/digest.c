#include "reconciler/base/digest.h"

#include <openssl/evp.h>
#include <stdio.h>

#include "reconciler/base/error.h"

/* The public name hides which library does the work. */
static EVP_MD_CTX *ctx(struct cb_digest *digest)
{
	return (EVP_MD_CTX *)(void *)digest;
}

struct cb_digest *cb_digest_new(void)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	if (!md)
		cb_oom();
	CB_ASSERT(EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1);
	return (struct cb_digest *)(void *)md;
}

void cb_digest_add(struct cb_digest *digest, const void *bytes, size_t len)
{
	CB_ASSERT(EVP_DigestUpdate(ctx(digest), bytes, len) == 1);
}

void cb_digest_finish(struct cb_digest *digest, char out[CB_SHA256_HEX])
{
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	CB_ASSERT(EVP_DigestFinal_ex(ctx(digest), raw, &len) == 1 && len == 32);
	for (unsigned int i = 0; i < len; i++)
		(void)snprintf(out + (size_t)i * 2, 3, "%02x", raw[i]);
	cb_digest_free(digest);
}

void cb_digest_free(struct cb_digest *digest)
{
	EVP_MD_CTX_free(ctx(digest));
}

void cb_digest_of(const void *bytes, size_t len, char out[CB_SHA256_HEX])
{
	struct cb_digest *digest = cb_digest_new();

	cb_digest_add(digest, bytes, len);
	cb_digest_finish(digest, out);
}
