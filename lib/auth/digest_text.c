/* digest_text.c - hashes as text and side by side.  Pure, and so apart from who computes them. */
#include "auth/digest.h"

void
digest_hex(const struct digest *d, char out[DIGEST_HEX_MAX])
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		out[2 * i] = digit[d->b[i] >> 4];
		out[2 * i + 1] = digit[d->b[i] & 15];
	}
	out[DIGEST_HEX_MAX - 1] = '\0';
}

static int
nibble(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
digest_parse(const char *p, size_t n, struct digest *out)
{
	struct digest d;

	if (p == NULL || n != 2 * DIGEST_BYTES)
		return false;
	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		int high = nibble(p[2 * i]), low = nibble(p[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		d.b[i] = (unsigned char)(high << 4 | low);
	}
	*out = d;
	return true;
}

bool
digest_same(const struct digest *a, const struct digest *b)
{
	volatile unsigned char differs = 0;	/* volatile, or the compiler may leave at the first difference */

	for (size_t i = 0; i < DIGEST_BYTES; i++)
		differs |= a->b[i] ^ b->b[i];
	return differs == 0;
}
