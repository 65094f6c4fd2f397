/* nkey.c - base32, a checksum and one call of libsodium; the only file that includes it. */
#include "nats/nkey.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define PREFIX_SEED (18 << 3)		/* 'S' */
#define PREFIX_USER (20 << 3)		/* 'U' */
#define SEED_TEXT 58			/* characters of a seed: 2 + 32 + 2 bytes in base32 */
#define SEED_BYTES 36

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static uint16_t
crc16(const unsigned char *p, size_t n)
{
	uint16_t crc = 0;

	while (n-- > 0) {
		crc ^= (uint16_t)(*p++ << 8);
		for (int i = 0; i < 8; i++)
			crc = (uint16_t)(crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1);
	}
	return crc;
}

static bool
decode(const char *text, size_t n, unsigned char *out)
{
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < n; i++) {
		const char *at = text[i] != '\0' ? strchr(alphabet, text[i]) : NULL;
		if (at == NULL)
			return false;
		bits = bits << 5 | (uint32_t)(at - alphabet);
		have += 5;
		if (have >= 8) {
			have -= 8;
			*out++ = (unsigned char)(bits >> have);
		}
	}
	return true;
}

static void
encode(const unsigned char *p, size_t n, char *out)
{
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < n; i++) {
		bits = bits << 8 | p[i];
		for (have += 8; have >= 5; have -= 5)
			*out++ = alphabet[bits >> (have - 5) & 31];
	}
	if (have > 0)
		*out++ = alphabet[bits << (5 - have) & 31];
	*out = '\0';
}

/* find_seed: the first line that looks like a user's seed. */
static bool
find_seed(FILE *f, char seed[SEED_TEXT + 1])
{
	char line[256];
	bool found = false;

	while (!found && fgets(line, sizeof line, f) != NULL) {
		line[strcspn(line, "\r\n \t")] = '\0';
		found = strncmp(line, "SU", 2) == 0 && strlen(line) == SEED_TEXT;
		if (found)
			memcpy(seed, line, SEED_TEXT + 1);
	}
	sodium_memzero(line, sizeof line);
	return found;
}

static bool
derive(const unsigned char raw[SEED_BYTES], unsigned char public[crypto_sign_PUBLICKEYBYTES])
{
	unsigned char secret[crypto_sign_SECRETKEYBYTES];
	uint16_t crc = (uint16_t)(raw[34] | raw[35] << 8);

	if (crc != crc16(raw, 34) || (raw[0] & 0xf8) != PREFIX_SEED)
		return false;
	crypto_sign_seed_keypair(public, secret, raw + 2);
	sodium_memzero(secret, sizeof secret);
	return true;
}

enum err_code
nkey_public(const char *path, char out[NKEY_PUBLIC_MAX], struct err *err)
{
	unsigned char raw[SEED_BYTES + 1], key[1 + crypto_sign_PUBLICKEYBYTES + 2] = { PREFIX_USER };
	char seed[SEED_TEXT + 1];
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return err_set(err, ERR_CONFIG, "nats: nkey file '%s' cannot be read: %m", path);
	bool good = sodium_init() >= 0 && find_seed(f, seed) && decode(seed, SEED_TEXT, raw) &&
	    derive(raw, key + 1);
	fclose(f);
	sodium_memzero(seed, sizeof seed);
	sodium_memzero(raw, sizeof raw);
	if (!good)
		return err_set(err, ERR_CONFIG, "nats: nkey file '%s' holds no user seed (a line 'SU…' of 58 characters)", path);
	uint16_t crc = crc16(key, 33);
	key[33] = (unsigned char)(crc & 0xff);
	key[34] = (unsigned char)(crc >> 8);
	encode(key, sizeof key, out);
	return ERR_OK;
}
