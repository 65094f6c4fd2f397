/* lease.c - nonces and marks as text. */
#include "model/lease.h"

#include <string.h>

#include "base/magic.h"

static const char digits[] = "0123456789abcdef";

static bool
half(const char *p, uint64_t *out)
{
	uint64_t v = 0;

	for (int i = 0; i < 16; i++) {
		const char *d = p[i] == '\0' ? NULL : strchr(digits, p[i]);
		if (d == NULL)
			return false;
		v = v << 4 | (uint64_t)(d - digits);
	}
	*out = v;
	return true;
}

bool
lease_nonce_parse(const char *p, size_t n, struct lease_nonce *out)
{
	struct lease_nonce v;

	if (n != LEASE_NONCE_MAX - 1 || !half(p, &v.hi) || !half(p + 16, &v.lo))
		return false;
	*out = v;
	return true;
}

void
lease_nonce_format(struct lease_nonce nonce, char out[LEASE_NONCE_MAX])
{
	for (int i = 0; i < 16; i++) {
		out[i] = digits[nonce.hi >> (60 - 4 * i) & 15];
		out[16 + i] = digits[nonce.lo >> (60 - 4 * i) & 15];
	}
	out[32] = '\0';
}

static const char *const marks[] = {
#define X(name, text) text,
	LEASE_MARKS(X)
#undef X
};

const char *
lease_mark_name(enum lease_mark m)
{
	MUST(m < LEASE_MARK_COUNT);
	return marks[m];
}

bool
lease_mark_parse(const char *p, size_t n, enum lease_mark *out)
{
	/* BLANK is the absence of a value and never written down. */
	for (int m = LEASE_MARK_HELD; m < LEASE_MARK_COUNT; m++)
		if (strlen(marks[m]) == n && memcmp(marks[m], p, n) == 0) {
			*out = (enum lease_mark)m;
			return true;
		}
	return false;
}
