/* throttle.h - how often an address may guess wrong.  Pure: the caller passes the time.
 *
 * Each address may fail THROTTLE_BURST times at once and once per THROTTLE_EACH_NS after that.  The
 * table has a fixed size; when a place is needed, the address that has failed least goes, so flooding
 * it with addresses costs the attacker as many failures as it frees.  An IPv6 address counts by its
 * first 64 bits, which one customer has to himself.  Not thread-safe. */
#ifndef AUTH_THROTTLE_H
#define AUTH_THROTTLE_H

#include <stdint.h>

#include "base/instant.h"

#define THROTTLE_BURST 10
#define THROTTLE_EACH_NS (6 * NS_PER_S)
#define THROTTLE_SETS 256
#define THROTTLE_WAYS 4

struct throttle {
	struct throttle_place {
		uint64_t key;		/* 0: free */
		struct mono clear;	/* when the last failure is forgotten */
	} place[THROTTLE_SETS][THROTTLE_WAYS];
};

/* throttle_key(peer): an address as text, with or without a port, as a number that is not 0. */
uint64_t throttle_key(const char *peer);

/* throttle_wait(t, key, now): 0, or how many ns until the address may try again. */
int64_t throttle_wait(const struct throttle *t, uint64_t key, struct mono now);

/* throttle_fail(t, key, now): it guessed wrong. */
void throttle_fail(struct throttle *t, uint64_t key, struct mono now);

#endif
