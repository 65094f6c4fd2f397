/* methods.c - a small insert-only hash of counters.
 *
 * Readers look without a lock: a place is published by one atomic store once it is
 * complete and never changes afterwards.  The lock is for two threads that meet a new
 * name at once. */
#include "messaging/methods.h"

#include <pthread.h>
#include <string.h>

#include "base/hist.h"
#include "base/map.h"
#include "base/mem.h"

#define PLACES 256			/* a quarter full at most, so probes stay short */

struct methods {
	_Atomic(struct method *) place[PLACES];
	struct method *order[METHODS_MAX + 1];
	atomic_uint n;
	struct method *other;		/* made with the first name too many */
	bool untimed;
	pthread_mutex_t lock;		/* leaf: insertion */
};

struct methods *
methods_new(void)
{
	struct methods *m = mem_new(sizeof *m);

	pthread_mutex_init(&m->lock, NULL);
	return m;
}

struct methods *
methods_new_untimed(void)
{
	struct methods *m = methods_new();

	m->untimed = true;
	return m;
}

void
methods_free(struct methods *m)
{
	if (m == NULL)
		return;
	for (unsigned i = 0; i < atomic_load(&m->n); i++) {
		hist_free(m->order[i]->latency);
		mem_free(m->order[i]);
	}
	pthread_mutex_destroy(&m->lock);
	mem_free(m);
}

/* look: the counters of name, or NULL with *at where they would go. */
static struct method *
look(struct methods *m, struct text name, size_t *at)
{
	size_t i = map_hash(name.p, name.n) % PLACES;

	for (;; i = (i + 1) % PLACES) {
		struct method *one = atomic_load_explicit(&m->place[i], memory_order_acquire);
		if (one == NULL) {
			*at = i;
			return NULL;
		}
		if (text_is(name, one->name))
			return one;
	}
}

static struct method *
insert(struct methods *m, struct text name)
{
	struct method *one = mem_new(sizeof *one);
	unsigned n = atomic_load(&m->n);

	memcpy(one->name, name.p, name.n);
	one->latency = m->untimed ? NULL : hist_new();
	m->order[n] = one;
	atomic_store(&m->n, n + 1);
	return one;
}

static struct method *
other(struct methods *m)
{
	if (m->other == NULL)
		m->other = insert(m, text_of(METHODS_OTHER));
	return m->other;
}

struct method *
methods_find(struct methods *m, struct text name)
{
	size_t at;
	bool fits = name.n < sizeof ((struct method *)0)->name;
	struct method *one = fits ? look(m, name, &at) : NULL;

	if (one != NULL)
		return one;
	pthread_mutex_lock(&m->lock);
	if (!fits || atomic_load(&m->n) >= METHODS_MAX) {
		one = fits ? look(m, name, &at) : NULL;
		if (one == NULL)
			one = other(m);
	} else if ((one = look(m, name, &at)) == NULL) {
		one = insert(m, name);
		atomic_store_explicit(&m->place[at], one, memory_order_release);
	}
	pthread_mutex_unlock(&m->lock);
	return one;
}

void
methods_each(struct methods *m, void (*each)(void *arg, struct method *one), void *arg)
{
	unsigned n = atomic_load(&m->n);

	for (unsigned i = 0; i < n; i++)
		each(arg, m->order[i]);
}
