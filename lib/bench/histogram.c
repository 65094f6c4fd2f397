/* histogram.c - counts by magnitude: the upper eleven bits of a value are its place.
 *
 * Values below 2048 have a place each; from there on every doubling has 1024 places, each
 * twice as wide as those of the doubling before. */
#include "bench/histogram.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

#define HALF_BITS 10
#define HALF (1 << HALF_BITS)
#define TOP_BITS 37			/* of HISTOGRAM_MAX_NS */
#define PLACES ((TOP_BITS - HALF_BITS + 1) * HALF)
#define NS_PER_UNIT 1e3			/* of what is written: microseconds */
#define TICKS 5				/* lines per halving */

struct histogram {
	uint64_t total;
	int64_t min, max;		/* exact; of total > 0 */
	double sum, squares;		/* exact as far as doubles are */
	uint64_t counts[PLACES];
};

static size_t
place_of(int64_t v)
{
	unsigned shift = 63 - HALF_BITS - (unsigned)__builtin_clzll((uint64_t)v | (2 * HALF - 1));

	return ((size_t)shift << HALF_BITS) + (size_t)(v >> shift);
}

/* last_of: the greatest value of a place. */
static int64_t
last_of(size_t place)
{
	size_t doubling = place >> HALF_BITS;

	if (doubling < 2)
		return (int64_t)place;
	unsigned shift = (unsigned)doubling - 1;
	return (int64_t)(((place & (HALF - 1)) + HALF + 1) << shift) - 1;
}

struct histogram *
histogram_new(void)
{
	return mem_new(sizeof(struct histogram));
}

void
histogram_free(struct histogram *h)
{
	mem_free(h);
}

void
histogram_clear(struct histogram *h)
{
	memset(h, 0, sizeof *h);
}

void
histogram_add(struct histogram *h, int64_t ns, uint64_t count)
{
	if (count == 0)
		return;
	ns = ns < 0 ? 0 : ns > HISTOGRAM_MAX_NS ? HISTOGRAM_MAX_NS : ns;
	if (h->total == 0 || ns < h->min)
		h->min = ns;
	if (h->total == 0 || ns > h->max)
		h->max = ns;
	h->total += count;
	h->sum += (double)ns * (double)count;
	h->squares += (double)ns * (double)ns * (double)count;
	h->counts[place_of(ns)] += count;
}

void
histogram_merge(struct histogram *into, const struct histogram *from)
{
	if (from->total == 0)
		return;
	if (into->total == 0 || from->min < into->min)
		into->min = from->min;
	if (into->total == 0 || from->max > into->max)
		into->max = from->max;
	into->total += from->total;
	into->sum += from->sum;
	into->squares += from->squares;
	for (size_t i = 0; i < PLACES; i++)
		into->counts[i] += from->counts[i];
}

uint64_t
histogram_count(const struct histogram *h)
{
	return h->total;
}

int64_t
histogram_at(const struct histogram *h, double percent)
{
	uint64_t want = (uint64_t)ceil(percent / 100 * (double)h->total), seen = 0;

	if (h->total == 0)
		return 0;
	want = want < 1 ? 1 : want > h->total ? h->total : want;
	for (size_t i = 0; i < PLACES; i++) {
		seen += h->counts[i];
		if (seen >= want) {
			int64_t v = last_of(i);
			return v > h->max ? h->max : v < h->min ? h->min : v;
		}
	}
	return h->max;
}

int64_t
histogram_min(const struct histogram *h)
{
	return h->min;
}

int64_t
histogram_max(const struct histogram *h)
{
	return h->max;
}

double
histogram_mean(const struct histogram *h)
{
	return h->total > 0 ? h->sum / (double)h->total : 0;
}

double
histogram_deviation(const struct histogram *h)
{
	double mean = histogram_mean(h);
	double v = h->total > 0 ? h->squares / (double)h->total - mean * mean : 0;

	return v > 0 ? sqrt(v) : 0;
}

uint64_t
histogram_below(const struct histogram *h, int64_t ns)
{
	uint64_t n = 0;
	size_t last;

	if (ns < 0)
		return 0;
	last = place_of(ns > HISTOGRAM_MAX_NS ? HISTOGRAM_MAX_NS : ns);
	for (size_t i = 0; i <= last; i++)
		n += h->counts[i];
	return n;
}

void
histogram_hgrm(const struct histogram *h, struct str *out)
{
	double level = 0;

	str_printf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
	while (h->total > 0) {
		int64_t v = histogram_at(h, level);
		uint64_t n = histogram_below(h, v);
		if (n >= h->total || level >= 100)
			break;
		str_printf(out, "%12.3f %2.12f %10llu %14.2f\n", (double)v / NS_PER_UNIT, level / 100,
		    (unsigned long long)n, 100 / (100 - level));
		level += 100 / (TICKS * exp2(floor(log2(100 / (100 - level))) + 1));
	}
	str_printf(out, "%12.3f %2.12f %10llu\n", (double)h->max / NS_PER_UNIT, 1.0, (unsigned long long)h->total);
	str_printf(out, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", histogram_mean(h) / NS_PER_UNIT,
	    histogram_deviation(h) / NS_PER_UNIT);
	str_printf(out, "#[Max     = %12.3f, Total count    = %12llu]\n", (double)h->max / NS_PER_UNIT,
	    (unsigned long long)h->total);
	str_printf(out, "#[Buckets = %12d, SubBuckets     = %12d]\n", TOP_BITS - HALF_BITS, 2 * HALF);
}
