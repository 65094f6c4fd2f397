/* id.c - randomness in small coins: the kernel fills a reserve per thread. */
#include "base/id.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/magic.h"

struct reserve {
	unsigned char bytes[512];
	size_t left;
};

static _Thread_local struct reserve reserve;
static pthread_once_t watched = PTHREAD_ONCE_INIT;

/* A forked child must not spend its parent's coins; of the threads only the one that
 * forked goes on in it, and this runs there. */
static void
forked(void)
{
	reserve.left = 0;
}

static void
watch_forks(void)
{
	MUST(pthread_atfork(NULL, NULL, forked) == 0);
}

static void
refill(struct reserve *r)
{
	size_t have = 0;

	pthread_once(&watched, watch_forks);
	while (have < sizeof r->bytes) {
		ssize_t got = getrandom(r->bytes + have, sizeof r->bytes - have, 0);
		MUST(got > 0 || errno == EINTR);
		if (got > 0)
			have += (size_t)got;
	}
	r->left = sizeof r->bytes;
}

/* Inline even so: where n is known, nothing in it is a call. */
static inline __attribute__((always_inline)) void
draw(void *out, size_t n)
{
	struct reserve *r = &reserve;

	if (r->left < n)
		refill(r);
	r->left -= n;
	memcpy(out, r->bytes + r->left, n);
	/* What was handed out is not kept.  A loop, because memset would be called, and checked. */
	for (size_t i = 0; i < n; i++)
		r->bytes[r->left + i] = 0;
}

/* hex_eight: the digits of four bytes, in the order of memory; every message carries two or three ids. */
static inline uint64_t
hex_eight(const unsigned char *in)
{
	uint64_t x = (uint64_t)in[0] | (uint64_t)in[1] << 16 | (uint64_t)in[2] << 32 | (uint64_t)in[3] << 48;
	const uint64_t ones = UINT64_C(0x0101010101010101);

	/* Each byte's upper half before its lower one; 39 lies between '9' and 'a'. */
	x = (x >> 4 & ones * 0x0f) | (x & UINT64_C(0x000f000f000f000f)) << 8;
	x += ones * '0' + ((x + ones * 6) >> 4 & ones) * 39;
	return htole64(x);
}

static void
hex(const unsigned char *in, size_t n, char *out)
{
	static const char digit[] = "0123456789abcdef";
	size_t i = 0;

	for (; n - i >= 4; i += 4) {
		uint64_t eight = hex_eight(in + i);
		memcpy(out + 2 * i, &eight, sizeof eight);
	}
	for (; i < n; i++) {
		out[2 * i] = digit[in[i] >> 4];
		out[2 * i + 1] = digit[in[i] & 15];
	}
}

void
id_uuid4(char out[ID_UUID_MAX])
{
	unsigned char b[16];
	uint64_t eights[4];
	const char *h = (const char *)eights;

	draw(b, sizeof b);
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	for (size_t i = 0; i < COUNT_OF(eights); i++)
		eights[i] = hex_eight(b + 4 * i);
	/* Sizes that the compiler knows: as a loop over a table this took longer than the digits. */
	memcpy(out, h, 8);
	memcpy(out + 9, h + 8, 4);
	memcpy(out + 14, h + 12, 4);
	memcpy(out + 19, h + 16, 4);
	memcpy(out + 24, h + 20, 12);
	out[8] = out[13] = out[18] = out[23] = '-';
	out[ID_UUID_MAX - 1] = '\0';
}

void
id_hex(char *out, size_t n)
{
	unsigned char b[32];
	char h[2 * sizeof b];

	for (size_t i = 0; i < n; i += sizeof h) {
		size_t part = n - i < sizeof h ? n - i : sizeof h;
		draw(b, (part + 1) / 2);
		hex(b, (part + 1) / 2, h);
		memcpy(out + i, h, part);
	}
	out[n] = '\0';
}

void
id_nonce(char out[ID_NONCE_MAX])
{
	id_hex(out, ID_NONCE_MAX - 1);
}

uint64_t
id_random(void)
{
	uint64_t v;

	draw(&v, sizeof v);
	return v;
}
