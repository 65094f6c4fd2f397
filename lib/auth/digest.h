/* digest.h - SHA-256, and comparing secrets; the door to mbedTLS's hashing.
 *
 * Any thread; nothing allocates, nothing fails. */
#ifndef AUTH_DIGEST_H
#define AUTH_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#define DIGEST_BYTES 32
#define DIGEST_HEX_MAX (2 * DIGEST_BYTES + 1)

struct digest {
	unsigned char b[DIGEST_BYTES];
};

/* digest_sha256(p, n, out): of n bytes at p. */
void digest_sha256(const void *p, size_t n, struct digest *out);

/* digest_hex(d, out): 64 small hex digits.  digest_parse(p, n, out): the way back; false, and *out
 * untouched, for anything else. */
void digest_hex(const struct digest *d, char out[DIGEST_HEX_MAX]);
bool digest_parse(const char *p, size_t n, struct digest *out);

/* digest_same(a, b): takes the same time whatever they hold, so that nobody finds a secret byte by
 * byte. */
bool digest_same(const struct digest *a, const struct digest *b);

#endif
