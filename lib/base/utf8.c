/* utf8.c - validating UTF-8.  Nearly everything on the wire is ASCII, so eight bytes at a time
 * are looked at for a high bit before anything is decoded. */
#include "base/utf8.h"

#include <stdbool.h>
#include <string.h>

size_t
utf8_next(const char *text, size_t n, uint32_t *cp)
{
	const unsigned char *p = (const unsigned char *)text;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t k;

	if (p[0] < 0x80) {
		*cp = p[0];
		return 1;
	}
	if (p[0] < 0xC2 || p[0] > 0xF4)
		return 0;
	k = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
	if (k > n)
		return 0;
	uint32_t c = p[0] & (0xFFu >> (k + 1));
	for (size_t i = 1; i < k; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3Fu);
	}
	/* A longer form than needed, half of a surrogate pair, beyond Unicode. */
	if (c < least[k] || (c >= 0xD800 && c <= 0xDFFF) || c > 0x10FFFF)
		return 0;
	*cp = c;
	return k;
}

#define SHORT 64
#define HIGH_BITS UINT64_C(0x8080808080808080)

static uint64_t
eight(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static uint32_t
four(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

/* ascii_prefix: how many bytes up to the first that is not ASCII, at least up to its eight. */
static size_t
ascii_prefix(const char *p, size_t n)
{
	size_t i = 0;

	for (; n - i >= 8; i += 8) {
		if ((eight(p + i) & HIGH_BITS) != 0)
			return i;
	}
	while (i < n && (unsigned char)p[i] < 0x80)
		i++;
	return i;
}

/* is_ascii: for texts as short as most of ours one decision at the end costs less than one at
 * each step; what is left behind the last eight is looked at together with what is before it. */
static inline bool
is_ascii(const char *p, size_t n)
{
	uint64_t any = 0;

	if (n >= 8) {
		any = eight(p + n - 8);
		for (size_t i = 0; i + 8 < n; i += 8)
			any |= eight(p + i);
	} else if (n >= 4) {
		any = four(p) | four(p + n - 4);
	} else if (n > 0) {
		any = (unsigned char)(p[0] | p[n / 2] | p[n - 1]);
	}
	return (any & HIGH_BITS) == 0;
}

/* decoded: utf8_valid where not all is ASCII, or the text is long.  Apart, so that the short way
 * has no frame to set up. */
static __attribute__((noinline)) size_t
decoded(const char *p, size_t n)
{
	size_t i = ascii_prefix(p, n);
	uint32_t cp;

	while (i < n) {
		size_t k = utf8_next(p + i, n - i, &cp);
		if (k == 0)
			break;
		i += k;
		/* Behind a character that is not ASCII the eight bytes are tried again. */
		if (k > 1)
			i += ascii_prefix(p + i, n - i);
	}
	return i;
}

size_t
utf8_valid(const char *p, size_t n)
{
	return n <= SHORT && is_ascii(p, n) ? n : decoded(p, n);
}

/* Each has one byte that is none of the further ones. */
size_t
utf8_count(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xC0) != 0x80;
	return n;
}

char *
utf8_clean(char *text)
{
	size_t n = strlen(text), kept = utf8_valid(text, n);

	for (size_t i = kept; i < n;) {
		size_t good = utf8_valid(text + i, n - i);
		memmove(text + kept, text + i, good);
		kept += good;
		i += good + 1;		/* the byte behind is none, or the terminator */
	}
	text[kept] = '\0';
	return text;
}
