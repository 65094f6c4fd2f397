/* proxies.c - networks as prefixes of 16 bytes, and lists read from their end. */
#include "http/proxies.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

_Static_assert(PROXIES_ADDRESS_MAX == INET6_ADDRSTRLEN, "room for an address");

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };	/* ::ffff:0:0/96 */

/* parse: an address as its 16 bytes. */
static bool
parse(const char *text, unsigned char out[16], bool *four)
{
	*four = inet_pton(AF_INET, text, out + sizeof mapped) == 1;
	if (*four)
		memcpy(out, mapped, sizeof mapped);
	return *four || inet_pton(AF_INET6, text, out) == 1;
}

static bool
same_prefix(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

enum err_code
proxies_add(struct proxies *p, const char *text, struct err *err)
{
	const char *slash = strchr(text, '/');
	char address[PROXIES_ADDRESS_MAX];
	unsigned char bytes[16], cut[16] = { 0 };
	uint64_t bits = 0;
	bool four;

	snprintf(address, sizeof address, "%.*s", (int)(slash != NULL ? slash - text : (ptrdiff_t)strlen(text)), text);
	if (!parse(address, bytes, &four) || (slash != NULL && (!num_uint(slash + 1, &bits) || bits > (four ? 32 : 128))))
		return err_set(err, ERR_CONFIG, "'%.60s' is no network; write one such as 10.0.0.0/8, fd00::/8 or 192.0.2.7", text);
	bits = slash == NULL ? 128 : bits + (four ? 96 : 0);
	for (unsigned i = 0; i < bits; i++)
		cut[i / 8] |= (unsigned char)(bytes[i / 8] & (0x80 >> i % 8));
	if (memcmp(cut, bytes, sizeof cut) != 0)
		return err_set(err, ERR_CONFIG, "'%.60s' has bits behind its prefix; write the network's own address before the /", text);
	if (p->n == PROXIES_MAX)
		return err_set(err, ERR_CONFIG, "'%.60s' is one network too many; at most %d are allowed", text, PROXIES_MAX);
	memcpy(p->v[p->n].address, bytes, sizeof bytes);
	p->v[p->n++].bits = (unsigned)bits;
	return ERR_OK;
}

static bool
trusts(const struct proxies *p, const unsigned char bytes[16])
{
	for (size_t i = 0; i < p->n; i++)
		if (same_prefix(p->v[i].address, bytes, p->v[i].bits))
			return true;
	return false;
}

bool
proxies_trust(const struct proxies *p, const char *address)
{
	unsigned char bytes[16];
	bool four;

	return p->n > 0 && parse(address, bytes, &four) && trusts(p, bytes);
}

/* host_of: the address of n bytes such as "192.0.2.1", "192.0.2.1:80", "2001:db8::1" or "[2001:db8::1]:80". */
static bool
host_of(const char *text, size_t n, unsigned char bytes[16])
{
	char host[PROXIES_ADDRESS_MAX + 8];
	bool four;

	if (n == 0 || n >= sizeof host)
		return false;
	memcpy(host, text, n);
	host[n] = '\0';
	char *at = host, *colon = strchr(host, ':');
	if (host[0] == '[') {
		char *end = strchr(host, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return false;
		*end = '\0';
		at++;
	} else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
		*colon = '\0';
	}
	return parse(at, bytes, &four);
}

/* take_last: the last word of the first *n bytes of a list, without its blanks; *n is what stands before it. */
static bool
take_last(const char *list, size_t *n, const char **word, size_t *len)
{
	size_t end = *n, begin;

	if (end == 0)
		return false;
	for (begin = end; begin > 0 && list[begin - 1] != ','; begin--)
		continue;
	*n = begin > 0 ? begin - 1 : 0;
	while (begin < end && (list[begin] == ' ' || list[begin] == '\t'))
		begin++;
	while (end > begin && (list[end - 1] == ' ' || list[end - 1] == '\t'))
		end--;
	*word = list + begin;
	*len = end - begin;
	return true;
}

void
proxies_client(const struct proxies *p, const char *peer, const char *list, char out[PROXIES_ADDRESS_MAX])
{
	size_t left = strlen(list), len;
	const char *word;
	unsigned char bytes[16];

	snprintf(out, PROXIES_ADDRESS_MAX, "%s", peer);
	while (take_last(list, &left, &word, &len) && host_of(word, len, bytes)) {
		bool four = memcmp(bytes, mapped, sizeof mapped) == 0;
		inet_ntop(four ? AF_INET : AF_INET6, four ? bytes + sizeof mapped : bytes, out, PROXIES_ADDRESS_MAX);
		if (!trusts(p, bytes))
			return;
	}
}

bool
proxies_last(const char *list, char *out, size_t max)
{
	size_t left = strlen(list), len = 0;
	const char *word = "";

	bool found = take_last(list, &left, &word, &len) && len > 0 && len < max;
	snprintf(out, max, "%.*s", found ? (int)len : 0, word);
	return found;
}
