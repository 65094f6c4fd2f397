/* figures.c - differences of counters, and quantiles of a mixture. */
#include "monitor/figures.h"

#include <math.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"

/* Two beats of which the second came at once (a register followed by a tick) would make a rate of noise:
 * then the figures wait for the next. */
#define SHORTEST_NS (200 * NS_PER_MS)

/* A method's calls since the last beat. */
struct part {
	const struct heartbeat_method *m;
	double calls;
};

void
past_release(struct past *p)
{
	mem_free(p->v);
	memset(p, 0, sizeof *p);
}

static const struct past_method *
before(const struct past *p, uint64_t key)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].key == key)
			return &p->v[i];
	return NULL;
}

/* has_restarted: less uptime, or less of everything that is counted.  One counter alone may have begun anew
 * without its process. */
static bool
has_restarted(const struct past *p, const struct heartbeat *h)
{
	uint64_t was = 0, is = 0;

	if (!p->known)
		return false;
	if (h->uptime_s > 0 && p->uptime_s > 0)
		return h->uptime_s < p->uptime_s;
	for (size_t i = 0; i < p->n; i++)
		was += p->v[i].calls;
	for (size_t i = 0; i < h->n; i++)
		is += h->v[i].calls;
	return is < was;
}

static uint64_t
grown(uint64_t now, uint64_t was)
{
	return now >= was ? now - was : now;
}

/* share: how much of one method's calls took at most x. */
static double
share(const struct heartbeat_method *m, double x)
{
	const double at[] = { m->min, m->p50, m->p90, m->p99, m->max }, f[] = { 0, 0.5, 0.9, 0.99, 1 };

	if (x < at[0])
		return 0;
	for (size_t i = 1; i < COUNT_OF(at); i++)
		if (x < at[i])
			return f[i - 1] + (f[i] - f[i - 1]) * (x - at[i - 1]) / (at[i] - at[i - 1]);
	return 1;
}

/* quantile: where q of all calls lie below, by halving. */
static float
quantile(const struct part *v, size_t n, double q)
{
	double lo = 0, hi = 0, all = 0;

	for (size_t i = 0; i < n; i++) {
		all += v[i].calls;
		hi = fmax(hi, v[i].m->max);
	}
	if (all <= 0)
		return NAN;
	for (int step = 0; step < 40 && hi - lo > hi * 1e-4; step++) {
		double mid = (lo + hi) / 2, below = 0;
		for (size_t i = 0; i < n; i++)
			below += v[i].calls * share(v[i].m, mid);
		*(below < q * all ? &lo : &hi) = mid;
	}
	return (float)hi;
}

static void
remember(struct past *p, const struct heartbeat *h, struct mono now)
{
	if (h->n != p->n)
		p->v = mem_resize(p->v, h->n > 0 ? h->n : 1, sizeof *p->v);
	p->n = h->n;
	for (size_t i = 0; i < h->n; i++)
		p->v[i] = (struct past_method){ h->v[i].key, h->v[i].calls, h->v[i].errors };
	p->at = now;
	p->uptime_s = h->uptime_s;
	p->known = true;
}

static float
told(double v)
{
	return v < 0 ? NAN : (float)v;
}

/* work: what was done since the last beat, in `seconds`. */
static void
work(const struct past *p, const struct heartbeat *h, double seconds, struct figures *out)
{
	struct part parts[HEARTBEAT_METHODS];
	double calls = 0, errors = 0;
	size_t n = 0;

	for (size_t i = 0; i < h->n; i++) {
		const struct heartbeat_method *m = &h->v[i];
		const struct past_method *was = before(p, m->key);
		double more = (double)grown(m->calls, was != NULL ? was->calls : 0);
		calls += more;
		errors += (double)grown(m->errors, was != NULL ? was->errors : 0);
		if (m->timed && more > 0)
			parts[n++] = (struct part){ m, more };
	}
	out->calls_per_second = (float)(calls / seconds);
	if (calls > 0)
		out->error_rate = (float)fmin(errors / calls, 1);
	out->p50_ms = quantile(parts, n, 0.5);
	out->p90_ms = quantile(parts, n, 0.9);
	out->p99_ms = quantile(parts, n, 0.99);
}

bool
figures_next(struct past *p, const struct heartbeat *h, struct mono now, bool started_anew, struct figures *out)
{
	bool anew = (p->known && started_anew) || has_restarted(p, h);
	int64_t passed = mono_since(now, p->at);
	double seconds = ns_seconds(passed);

	*out = FIGURES_NONE;
	out->queue_depth = told(h->queue_depth);
	out->in_flight = told(h->in_flight);
	if (h->uptime_s > 0)
		out->uptime_s = (float)h->uptime_s;
	if (anew) {
		p->n = 0;
		if (h->uptime_s > 0)
			seconds = fmin(seconds, h->uptime_s);
	}
	if (p->known && !anew && passed < SHORTEST_NS)
		return false;
	if (p->known && seconds > 0)
		work(p, h, seconds, out);
	remember(p, h, now);
	return anew;
}
