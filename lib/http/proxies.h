/* proxies.h - whose word about a client counts: proxies that were named, and what they say in
 * X-Forwarded-* (conventions.md §3).  Pure; nothing allocates. */
#ifndef HTTP_PROXIES_H
#define HTTP_PROXIES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define PROXIES_MAX 32
#define PROXIES_ADDRESS_MAX 46	/* of an address as text, with its end */

/* Networks; zeroed, it trusts nobody. */
struct proxies {
	size_t n;
	struct { unsigned char address[16]; unsigned bits; } v[PROXIES_MAX];	/* IPv4 as ::ffff:0:0/96 */
};

/* proxies_add(p, text, err): "10.0.0.0/8", "fd00::/8", or one address.  ERR_CONFIG for what is none, for bits
 * that are set behind the prefix, and when there are PROXIES_MAX already. */
enum err_code proxies_add(struct proxies *p, const char *text, struct err *err);

/* proxies_trust(p, address): the address, as text, is one of theirs. */
bool proxies_trust(const struct proxies *p, const char *address);

/* proxies_client(p, peer, list, out): who is behind peer, whom they trust, by X-Forwarded-For; with several such
 * headers, all of them with commas between.  Read from its end, as each proxy appends whom it saw: the first that is
 * no trusted proxy is the client, whatever stands before it was said by him.  What is no address ends the
 * walk: then it is the last that was one. */
void proxies_client(const struct proxies *p, const char *peer, const char *list, char out[PROXIES_ADDRESS_MAX]);

/* proxies_last(list, out, max): the last word of a list, which the nearest proxy said; false, and out empty, when it is
 * empty or does not fit. */
bool proxies_last(const char *list, char *out, size_t max);

#endif
