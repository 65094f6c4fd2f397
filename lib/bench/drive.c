/* drive.c - the load generator: one thread that waits, and what comes back starts the next.
 *
 * One lock guards slots and histograms.  It is taken once per operation on either side, so it
 * costs both the same. */
#include "bench/drive.h"

#include <math.h>
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/magic.h"
#include "base/mem.h"
#include "sys/clock.h"
#include "sys/pool.h"
#include "sys/thread.h"

#define TICK_NS (NS_PER_S / 4)
#define LINGER_NS (10 * NS_PER_S)	/* longer than the time-outs of what may be in flight */
#define HOPELESS 100			/* failures without a single success */
#define HOPELESS_NS NS_PER_S
#define PAUSE_NS (1 * NS_PER_MS)	/* before a slot that failed is used again */

struct slot {
	struct mono intended, started;
	bool busy;
};

struct drive {
	unsigned n;
	pthread_mutex_t lock;		/* leaf: all below, and the tally under way */
	pthread_cond_t changed;
	struct slot *slots;
	unsigned busy;
	unsigned *idle, nidle;		/* slots for the main thread to use */
	const struct bench_side *side;
	const struct drive_plan *plan;
	struct bench_tally *tally;
	struct mono start, end, last;	/* last: of a completion */
	struct mono next_tick;		/* over all runs: they may be shorter than a tick */
	uint64_t begun, limit;		/* limit 0: none */
	bool over;			/* nothing new is begun */
	struct err first;
};

static struct mono
now(void)
{
	return clock_mono(clock_system());
}

struct drive *
drive_new(unsigned in_flight)
{
	struct drive *d = mem_new(sizeof *d);

	d->n = in_flight;
	d->slots = mem_array(in_flight, sizeof *d->slots);
	d->idle = mem_array(in_flight, sizeof *d->idle);
	pthread_mutex_init(&d->lock, NULL);
	thread_cond_init(&d->changed);
	return d;
}

void
drive_free(struct drive *d)
{
	if (d == NULL)
		return;
	pthread_cond_destroy(&d->changed);
	pthread_mutex_destroy(&d->lock);
	mem_free(d->slots);
	mem_free(d->idle);
	mem_free(d);
}

/* --- counting ---------------------------------------------------------------------------- */

/* note: one that ended; the lock is held. */
static void
note(struct drive *d, const struct slot *s, struct mono ended, const struct err *err)
{
	unsigned batch = d->side->ops->batch > 0 ? d->side->ops->batch : 1;

	d->last = ended.ns > d->last.ns ? ended : d->last;
	if (err != NULL) {
		if (d->tally->errors++ == 0) {
			d->first = *err;
			memcpy(d->tally->why, err->text, sizeof d->tally->why - 1);
		}
		return;
	}
	histogram_add(d->tally->plain, mono_since(ended, s->started) / batch, batch);
	histogram_add(d->tally->latency, mono_since(ended, d->plan->rate > 0 ? s->intended : s->started) / batch, batch);
}

/* hopeless: nothing but failures; the lock is held. */
static bool
hopeless(const struct drive *d)
{
	return d->tally->errors > 0 && histogram_count(d->tally->plain) == 0 &&
	    (d->tally->errors >= HOPELESS || mono_since(now(), d->start) > HOPELESS_NS);
}

/* may_begin: whether one more is to be begun, and counts it; the lock is held. */
static bool
may_begin(struct drive *d, struct mono at)
{
	if (!d->over && ((d->plan->stop != NULL && atomic_load_explicit(d->plan->stop, memory_order_relaxed)) ||
	    mono_reached(at, d->end) || (d->limit > 0 && d->begun >= d->limit)))
		d->over = true;
	d->begun += !d->over;
	return !d->over;
}

/* tick: on the thread of drive_run only. */
static void
tick(struct drive *d, struct mono at)
{
	if (d->plan->tick == NULL || !mono_reached(at, d->next_tick))
		return;
	d->next_tick = mono_after(at, TICK_NS);
	pthread_mutex_lock(&d->lock);
	double share = d->limit > 0 ? (double)d->begun / (double)d->limit
				    : (double)mono_since(at, d->start) / (double)d->plan->duration_ns;
	pthread_mutex_unlock(&d->lock);
	d->plan->tick(d->plan->arg, share > 1 ? 1 : share);
}

/* pause_until: false when the end, or the wish to stop, comes first. */
static bool
pause_until(struct drive *d, struct mono at, bool ticks)
{
	for (struct mono t; !mono_reached(t = now(), at);) {
		if (mono_reached(t, d->end) ||
		    (d->plan->stop != NULL && atomic_load_explicit(d->plan->stop, memory_order_relaxed)))
			return false;
		if (ticks)
			tick(d, t);
		int64_t ns = mono_since(at, t);
		thread_pause(ns < TICK_NS ? ns : TICK_NS);
	}
	return true;
}

/* --- blocking ---------------------------------------------------------------------------- */

static struct mono
laid_out(const struct drive *d, uint64_t i)
{
	return mono_after(d->start, (int64_t)((double)i * 1e9 / d->plan->rate));
}

/* repeat_once: on one thread, until the end; as one of several threads it does not tick. */
static void
repeat_once(struct drive *d, bool ticks)
{
	for (;;) {
		struct slot s;
		struct err err;
		pthread_mutex_lock(&d->lock);
		bool go = !hopeless(d) && may_begin(d, now());
		uint64_t i = d->begun - 1;
		pthread_mutex_unlock(&d->lock);
		if (!go || (d->plan->rate > 0 && !pause_until(d, s.intended = laid_out(d, i), ticks)))
			return;
		s.started = now();
		struct mono ended = { 0 };
		enum err_code code = d->side->ops->once(d->side->arg, &ended, &err);
		if (ended.ns == 0)
			ended = now();
		pthread_mutex_lock(&d->lock);
		note(d, &s, ended, code != ERR_OK ? &err : NULL);
		pthread_mutex_unlock(&d->lock);
		if (code != ERR_OK)
			thread_pause(PAUSE_NS);
		if (ticks)
			tick(d, ended);
	}
}

static void *
thread_main(void *arg)
{
	repeat_once(arg, false);
	if (pool_thread_end != NULL)
		pool_thread_end();
	return NULL;
}

/* on_threads: the calling thread is one of them, and ticks. */
static enum err_code
on_threads(struct drive *d, struct err *err)
{
	pthread_t *threads = mem_array(d->n, sizeof *threads);
	unsigned n = 0;
	enum err_code code = ERR_OK;

	while (n + 1 < d->n && (code = thread_start(&threads[n], "bench", thread_main, d, err)) == ERR_OK)
		n++;
	if (code == ERR_OK)
		repeat_once(d, true);
	pthread_mutex_lock(&d->lock);
	d->over = true;
	pthread_mutex_unlock(&d->lock);
	while (n > 0)
		pthread_join(threads[--n], NULL);
	mem_free(threads);
	return code;
}

/* --- in flight --------------------------------------------------------------------------- */

/* begin: starts what slot is for; a failure to start is an end like any other. */
static void
begin(struct drive *d, unsigned slot)
{
	struct err err;

	d->slots[slot].started = now();
	if (d->side->ops->start(d->side->arg, slot, &err) != ERR_OK)
		drive_hook(d).done(d, slot, &err);
}

/* on_done: in a closed loop the thread that brings the answer starts the next one, unless this
 * failed: then the main thread does, after a pause. */
static void
on_done(void *arg, unsigned slot, const struct err *err)
{
	struct drive *d = arg;
	struct mono at = now();

	pthread_mutex_lock(&d->lock);
	MUST(slot < d->n && d->slots[slot].busy);
	note(d, &d->slots[slot], at, err);
	bool again = d->plan->rate == 0 && err == NULL && may_begin(d, at);
	if (!again) {
		d->slots[slot].busy = false;
		d->idle[d->nidle++] = slot;
		d->busy--;
		pthread_cond_signal(&d->changed);
	}
	pthread_mutex_unlock(&d->lock);
	if (again)
		begin(d, slot);
}

struct bench_hook
drive_hook(struct drive *d)
{
	return (struct bench_hook){ on_done, d };
}

/* take_slot: an idle one, marked busy; the lock is held, and given up while waiting. */
static bool
take_slot(struct drive *d, unsigned *slot, struct mono until)
{
	while (d->nidle == 0)
		if (!thread_cond_wait(&d->changed, &d->lock, until))
			return false;
	*slot = d->idle[--d->nidle];
	d->slots[*slot].busy = true;
	d->busy++;
	return true;
}

/* keep_full: closed loop: whatever is idle is begun; the rest happens in on_done. */
static void
keep_full(struct drive *d)
{
	unsigned slot;

	for (;;) {
		struct mono t = now();
		pthread_mutex_lock(&d->lock);
		bool over = d->over || hopeless(d);
		bool take = !over && take_slot(d, &slot, mono_min(mono_after(t, TICK_NS), d->end));
		bool go = take && may_begin(d, t);
		if (take && !go) {
			d->slots[slot].busy = false;
			d->idle[d->nidle++] = slot;
			d->busy--;
		}
		over = over || (take && !go) || mono_reached(now(), d->end) ||
		    (d->plan->stop != NULL && atomic_load(d->plan->stop));
		d->over = over;
		bool failed = d->tally->errors > 0 && d->begun > d->n;
		pthread_mutex_unlock(&d->lock);
		if (go)
			begin(d, slot);
		if (over)
			return;
		if (go && failed)
			thread_pause(PAUSE_NS);
		tick(d, now());
	}
}

/* keep_pace: open loop: when all slots are busy the start is late, and the corrected latency
 * says so. */
static void
keep_pace(struct drive *d)
{
	unsigned slot;

	for (uint64_t i = 0;; i++) {
		struct mono at = laid_out(d, i);
		if (!pause_until(d, at, true))
			return;
		pthread_mutex_lock(&d->lock);
		bool go = !hopeless(d) && may_begin(d, now()) && take_slot(d, &slot, d->end);
		if (go)
			d->slots[slot].intended = at;
		pthread_mutex_unlock(&d->lock);
		if (!go)
			return;
		begin(d, slot);
		tick(d, now());
	}
}

static enum err_code
in_flight(struct drive *d, struct err *err)
{
	struct mono until;
	bool all = true;

	for (d->nidle = 0; d->nidle < d->n; d->nidle++)
		d->idle[d->nidle] = d->nidle;
	d->busy = 0;
	if (d->plan->rate > 0)
		keep_pace(d);
	else
		keep_full(d);
	until = mono_after(now(), LINGER_NS);
	pthread_mutex_lock(&d->lock);
	d->over = true;
	while (d->busy > 0 && all)
		all = thread_cond_wait(&d->changed, &d->lock, until);
	unsigned left = d->busy;
	pthread_mutex_unlock(&d->lock);
	return left == 0 ? ERR_OK : err_set(err, ERR_TIMEOUT, "%u operations did not end within 10 s", left);
}

/* --- the door ---------------------------------------------------------------------------- */

enum err_code
drive_run(struct drive *d, const struct bench_side *side, const struct drive_plan *plan, struct bench_tally *out,
    struct err *err)
{
	enum err_code code;

	/* The pace is kept by sleeping; the kernel's usual slack of 50 us would be in every start. */
	prctl(PR_SET_TIMERSLACK, 1);
	d->side = side;
	d->plan = plan;
	d->tally = out;
	d->begun = 0;
	d->limit = plan->count;
	d->over = false;
	d->last = d->start = now();
	d->end = plan->count > 0 ? MONO_NEVER : mono_after(d->start, plan->duration_ns);
	bool blocking = side->ops->start == NULL || d->n == 1;
	code = !blocking ? in_flight(d, err) : on_threads(d, err);
	out->seconds += ns_seconds(mono_since(d->last, d->start));
	if (code == ERR_OK && out->errors > 0 && histogram_count(out->plain) == 0) {
		*err = d->first;
		code = d->first.code;
	}
	return code;
}
