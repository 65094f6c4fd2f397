/* demo_ring.h - the orders that an instance took: the last few thousand, the oldest make room. */
#ifndef CMD_DEMO_RING_H
#define CMD_DEMO_RING_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "demo.h"

#define RING_MAX 4096
#define ORDER_ID_MAX 128

struct order {
	char id[ORDER_ID_MAX], symbol[DEMO_SYMBOL_MAX + 1];
	int64_t quantity;
	bool sell, accepted;
	bool booked;			/* risk counts it in its position */
	double price;
	char reason[160];		/* of a rejection */
};

struct ring {
	pthread_mutex_t lock;		/* leaf: all that follows */
	struct order v[RING_MAX];	/* order number n lies at n % RING_MAX */
	uint64_t n;			/* taken so far */
};

void ring_init(struct ring *r);
void ring_release(struct ring *r);

/* ring_add(r, instance, o): keeps a copy of o under an id of its own, which o gets. */
void ring_add(struct ring *r, const char *instance, struct order *o);

/* ring_find(r, id, out): a copy; false when it is not, or no more, kept. */
bool ring_find(struct ring *r, const char *id, struct order *out);

/* ring_book(r, id): risk counts it; false as above.  ring_reject(r, id, reason): it is rejected after
 * all. */
bool ring_book(struct ring *r, const char *id);
bool ring_reject(struct ring *r, const char *id, const char *reason);

/* ring_each(r, limit, fn, arg): the newest first; fn runs under the lock.  Returns how many were
 * taken so far. */
uint64_t ring_each(struct ring *r, uint64_t limit, void (*fn)(void *arg, const struct order *o), void *arg);

#endif
