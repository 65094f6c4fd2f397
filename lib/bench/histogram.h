/* histogram.h - latencies in ns at three significant digits, in memory of fixed size.
 *
 * HDR style: 1024 steps for every doubling, so a value is told at most 0.1 % too high; 1 ns to
 * 137 s, what is longer counts as that.  Pure.  base/hist.h is for counting all the time, with
 * two digits from 1 us on; this is for comparing, where that is too coarse.  About 230 KB each.
 * One owner, not thread-safe. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define HISTOGRAM_MAX_NS ((INT64_C(1) << 37) - 1)

struct histogram;

struct histogram *histogram_new(void);
void histogram_free(struct histogram *h);		/* NULL is fine */
void histogram_clear(struct histogram *h);

void histogram_add(struct histogram *h, int64_t ns, uint64_t count);	/* below 0 counts as 0 */
void histogram_merge(struct histogram *into, const struct histogram *from);

uint64_t histogram_count(const struct histogram *h);

/* All 0 when it is empty.  histogram_at(h, percent): the least value that so many percent of
 * the samples do not exceed, as far as the digits tell; 100 is the maximum. */
int64_t histogram_at(const struct histogram *h, double percent);
int64_t histogram_min(const struct histogram *h);
int64_t histogram_max(const struct histogram *h);
double histogram_mean(const struct histogram *h);
double histogram_deviation(const struct histogram *h);

/* histogram_below(h, ns): how many samples are not above ns, or equal to it by the digits. */
uint64_t histogram_below(const struct histogram *h, int64_t ns);

/* histogram_hgrm(h, out): appends the percentile distribution as HdrHistogram's tools read it,
 * in microseconds, five lines for each halving of what is left. */
void histogram_hgrm(const struct histogram *h, struct str *out);

#endif
