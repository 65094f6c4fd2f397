/* live.c - a lock, a condition and a hub. */
#include "monitor/live.h"

#include <pthread.h>
#include <string.h>

#include "base/id.h"
#include "base/magic.h"
#include "base/mem.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define LIVE_MAGIC 0x11fe0001u

struct live {
	unsigned magic;
	pthread_mutex_t lock;		/* leaf: all below */
	pthread_cond_t changed;
	struct hub *hub;
	struct mono woken;
	bool waiting;			/* something changed since, */
	bool due;			/* something urgent: readers are to be told as soon as they may be */
	bool stopped;
	struct live_counters counters;
};

struct live *
live_new(void)
{
	struct live *l = mem_new(sizeof *l);

	l->magic = LIVE_MAGIC;
	pthread_mutex_init(&l->lock, NULL);
	thread_cond_init(&l->changed);
	/* 56 bits are one replica of many, and keep a position short. */
	l->hub = hub_new(id_random() >> 8 | 1);
	return l;
}

void
live_free(struct live *l)
{
	if (l == NULL)
		return;
	MAGIC_CHECK(l, LIVE_MAGIC);
	hub_free(l->hub);
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
	MAGIC_WIPE(l);
	mem_free(l);
}

/* --- writers ------------------------------------------------------------------------------ */

/* wake: under the lock. */
static void
wake(struct live *l, struct mono now)
{
	l->woken = now;
	l->waiting = l->due = false;
	l->counters.wakings++;
	pthread_cond_broadcast(&l->changed);
}

void
live_put(struct live *l, const struct hub_state *s, bool urgent)
{
	MAGIC_CHECK(l, LIVE_MAGIC);
	pthread_mutex_lock(&l->lock);
	/* By the same order as the readers' looks at the clock: one that saw the interval's end counts on us. */
	struct mono now = clock_mono(clock_system());
	hub_put(l->hub, s);
	l->counters.changes++;
	l->waiting = true;
	l->due |= urgent;
	if (urgent && mono_since(now, l->woken) >= LIVE_WAKE_NS)
		wake(l, now);
	pthread_mutex_unlock(&l->lock);
}

void
live_forget(struct live *l, enum hub_topic topic, const char *key)
{
	pthread_mutex_lock(&l->lock);
	hub_forget(l->hub, topic, key);
	pthread_mutex_unlock(&l->lock);
}

void
live_bucket(struct live *l, uint64_t incarnation, uint64_t since)
{
	pthread_mutex_lock(&l->lock);
	hub_bucket(l->hub, incarnation, since);
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
}

void
live_reached(struct live *l, uint64_t revision)
{
	pthread_mutex_lock(&l->lock);
	hub_reached(l->hub, revision);
	pthread_mutex_unlock(&l->lock);
}

void
live_doubt(struct live *l, bool doubtful)
{
	pthread_mutex_lock(&l->lock);
	hub_doubt(l->hub, doubtful);
	pthread_mutex_unlock(&l->lock);
}

void
live_wake(struct live *l)
{
	pthread_mutex_lock(&l->lock);
	if (l->waiting)
		wake(l, clock_mono(clock_system()));
	pthread_mutex_unlock(&l->lock);
}

struct hub_item *
live_data(struct live *l, enum hub_topic topic, const char *key)
{
	pthread_mutex_lock(&l->lock);
	const struct hub_item *i = hub_data(l->hub, topic, key);
	if (i != NULL)
		atomic_fetch_add(&((struct hub_item *)(uintptr_t)i)->refs, 1);
	pthread_mutex_unlock(&l->lock);
	return (struct hub_item *)(uintptr_t)i;
}

/* --- readers ------------------------------------------------------------------------------ */

bool
live_begin(struct live *l, const char *position, struct hub_cursor *c, int64_t patience_ns)
{
	struct mono until = mono_after(clock_mono(clock_system()), patience_ns);
	enum hub_resume how = HUB_TOO_OLD;

	if (position == NULL)
		return false;
	pthread_mutex_lock(&l->lock);
	while ((how = hub_resume(l->hub, position, c)) == HUB_AHEAD && !l->stopped &&
	    thread_cond_wait(&l->changed, &l->lock, until))
		continue;
	l->counters.resyncs += how != HUB_RESUMED;
	pthread_mutex_unlock(&l->lock);
	return how == HUB_RESUMED;
}

size_t
live_all(struct live *l, struct hub_cursor *c, struct hub_item ***out)
{
	pthread_mutex_lock(&l->lock);
	size_t n = hub_all(l->hub, c, out);
	pthread_mutex_unlock(&l->lock);
	return n;
}

/* await_news: false when `until` is over.  What is urgent and came too soon after the last waking has nobody
 * else to tell of it in time, so whoever waits first waits to the end of that interval, and then wakes them all. */
static bool
await_news(struct live *l, struct mono until)
{
	const struct mono woken = l->woken, soon = mono_after(woken, LIVE_WAKE_NS);

	if (!mono_reached(clock_mono(clock_system()), soon) && !mono_reached(soon, until)) {
		/* Another one may have woken them, and what is due by now belongs to the next interval. */
		if (!thread_cond_wait(&l->changed, &l->lock, soon) && l->due && l->woken.ns == woken.ns)
			wake(l, clock_mono(clock_system()));
		return true;		/* something else may have come, or ended, just before we had the lock again */
	}
	return thread_cond_wait(&l->changed, &l->lock, until);
}

size_t
live_read(struct live *l, struct hub_cursor *c, struct hub_item **out, size_t max, struct mono until,
    uint64_t *missed, bool *lost)
{
	uint64_t behind;
	size_t n;

	*missed = 0;
	pthread_mutex_lock(&l->lock);
	while ((n = hub_read(l->hub, c, out, max, &behind, lost)) == 0 && !*lost && !l->stopped &&
	    await_news(l, until))
		*missed += behind;
	*missed += behind;
	pthread_mutex_unlock(&l->lock);
	return n;
}

void
live_position(struct live *l, const struct hub_cursor *c, char out[HUB_POSITION_MAX])
{
	pthread_mutex_lock(&l->lock);
	hub_position(l->hub, c, out);
	pthread_mutex_unlock(&l->lock);
}

void
live_stop(struct live *l)
{
	pthread_mutex_lock(&l->lock);
	l->stopped = true;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
}

void
live_lagged(struct live *l, uint64_t missed, bool resync)
{
	pthread_mutex_lock(&l->lock);
	l->counters.lagged += missed;
	l->counters.resyncs += resync;
	pthread_mutex_unlock(&l->lock);
}

struct live_counters
live_counters(struct live *l)
{
	pthread_mutex_lock(&l->lock);
	struct live_counters c = l->counters;
	pthread_mutex_unlock(&l->lock);
	return c;
}
