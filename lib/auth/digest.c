/* digest.c - mbedTLS computes, we write it down. */
#include "auth/digest.h"

#include <mbedtls/sha256.h>

#include "base/magic.h"

void
digest_sha256(const void *p, size_t n, struct digest *out)
{
	/* Fails only in builds that hand hashing to hardware; ours does not. */
	MUST(mbedtls_sha256(p, n, out->b, 0) == 0);
}
