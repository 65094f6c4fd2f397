/* demo_ring.c - an id ends with the order's number, and so leads to its place. */
#include "demo_ring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
ring_init(struct ring *r)
{
	pthread_mutex_init(&r->lock, NULL);
	r->n = 0;
}

void
ring_release(struct ring *r)
{
	pthread_mutex_destroy(&r->lock);
}

void
ring_add(struct ring *r, const char *instance, struct order *o)
{
	pthread_mutex_lock(&r->lock);
	snprintf(o->id, sizeof o->id, "%s.%llu", instance, (unsigned long long)r->n + 1);
	r->v[r->n++ % RING_MAX] = *o;
	pthread_mutex_unlock(&r->lock);
}

/* place_of: under the lock; NULL when it is not kept. */
static struct order *
place_of(struct ring *r, const char *id)
{
	const char *dot = strrchr(id, '.');
	uint64_t number = dot != NULL ? strtoull(dot + 1, NULL, 10) : 0;

	if (number == 0 || number > r->n)
		return NULL;
	struct order *o = &r->v[(number - 1) % RING_MAX];
	return strcmp(o->id, id) == 0 ? o : NULL;
}

bool
ring_find(struct ring *r, const char *id, struct order *out)
{
	pthread_mutex_lock(&r->lock);
	const struct order *o = place_of(r, id);
	if (o != NULL)
		*out = *o;
	pthread_mutex_unlock(&r->lock);
	return o != NULL;
}

bool
ring_book(struct ring *r, const char *id)
{
	pthread_mutex_lock(&r->lock);
	struct order *o = place_of(r, id);
	if (o != NULL)
		o->booked = true;
	pthread_mutex_unlock(&r->lock);
	return o != NULL;
}

bool
ring_reject(struct ring *r, const char *id, const char *reason)
{
	pthread_mutex_lock(&r->lock);
	struct order *o = place_of(r, id);
	if (o != NULL) {
		o->accepted = false;
		snprintf(o->reason, sizeof o->reason, "%s", reason);
	}
	pthread_mutex_unlock(&r->lock);
	return o != NULL;
}

uint64_t
ring_each(struct ring *r, uint64_t limit, void (*fn)(void *arg, const struct order *o), void *arg)
{
	pthread_mutex_lock(&r->lock);
	uint64_t taken = r->n, kept = taken < RING_MAX ? taken : RING_MAX;
	for (uint64_t i = 0; i < kept && i < limit; i++)
		fn(arg, &r->v[(taken - 1 - i) % RING_MAX]);
	pthread_mutex_unlock(&r->lock);
	return taken;
}
