/* throttle.c - one time per address: each failure moves it on, and how far it lies ahead is the guilt. */
#include "auth/throttle.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/map.h"

/* host_of: the address without its port and brackets. */
static void
host_of(const char *peer, char *out, size_t size)
{
	const char *begin = peer[0] == '[' ? peer + 1 : peer;
	const char *colon = strchr(begin, ':');
	size_t n = peer[0] == '[' ? strcspn(begin, "]")
	    : colon != NULL && strchr(colon + 1, ':') == NULL ? (size_t)(colon - begin) : strlen(begin);

	n = n < size ? n : size - 1;
	memcpy(out, begin, n);
	out[n] = '\0';
}

uint64_t
throttle_key(const char *peer)
{
	char host[64];
	struct in6_addr six;

	host_of(peer, host, sizeof host);
	uint64_t key = inet_pton(AF_INET6, host, &six) == 1 && !IN6_IS_ADDR_V4MAPPED(&six)
	    ? map_hash((const char *)&six, 8) : map_hash(host, strlen(host));
	return key != 0 ? key : 1;
}

static const struct throttle_place *
find(const struct throttle *t, uint64_t key)
{
	const struct throttle_place *set = t->place[key % THROTTLE_SETS];

	for (int i = 0; i < THROTTLE_WAYS; i++)
		if (set[i].key == key)
			return &set[i];
	return NULL;
}

int64_t
throttle_wait(const struct throttle *t, uint64_t key, struct mono now)
{
	const struct throttle_place *p = find(t, key);

	if (p == NULL)
		return 0;
	int64_t over = mono_since(p->clear, now) - (THROTTLE_BURST - 1) * THROTTLE_EACH_NS;
	return over > 0 ? over : 0;
}

/* place_for: the address's own, or a free one, or that of whoever has failed least. */
static struct throttle_place *
place_for(struct throttle *t, uint64_t key)
{
	struct throttle_place *set = t->place[key % THROTTLE_SETS], *best = &set[0];

	for (int i = 0; i < THROTTLE_WAYS; i++) {
		if (set[i].key == key)
			return &set[i];
		if (best->key != 0 && (set[i].key == 0 || set[i].clear.ns < best->clear.ns))
			best = &set[i];
	}
	*best = (struct throttle_place){ .key = key };
	return best;
}

void
throttle_fail(struct throttle *t, uint64_t key, struct mono now)
{
	struct throttle_place *p = place_for(t, key);
	struct mono most = mono_after(now, THROTTLE_BURST * THROTTLE_EACH_NS);

	p->clear = mono_after(p->clear.ns > now.ns ? p->clear : now, THROTTLE_EACH_NS);
	if (p->clear.ns > most.ns)	/* who goes on while refused waits no longer than the others */
		p->clear = most;
}
