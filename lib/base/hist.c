/* hist.c - hdr_histogram behind our own units.
 *
 * Values are kept in microseconds: two digits over that range need a tenth of the
 * memory that nanoseconds would, and NATS round trips begin at tens of microseconds. */
#include "base/hist.h"

#include <hdr/hdr_histogram.h>

#include "base/magic.h"

#define LOWEST_US 1
#define HIGHEST_US INT64_C(60000000)
#define DIGITS 2

struct hist {
	struct hdr_histogram hdr;	/* never used as such: hdr_init allocates the real one */
};

static struct hdr_histogram *
hdr_of(const struct hist *h)
{
	return (struct hdr_histogram *)(void *)h;
}

struct hist *
hist_new(void)
{
	struct hdr_histogram *p = NULL;

	/* Fails only for arguments out of range, or without memory. */
	MUST(hdr_init(LOWEST_US, HIGHEST_US, DIGITS, &p) == 0);
	return (struct hist *)(void *)p;
}

void
hist_free(struct hist *h)
{
	if (h != NULL)
		hdr_close(hdr_of(h));
}

void
hist_record(struct hist *h, int64_t ns)
{
	int64_t us = ns / 1000;

	if (us < LOWEST_US)
		us = LOWEST_US;
	if (us > HIGHEST_US)
		us = HIGHEST_US;
	hdr_record_value_atomic(hdr_of(h), us);
}

void
hist_clear(struct hist *h)
{
	hdr_reset(hdr_of(h));
}

void
hist_since(const struct hist *h, struct hist *mark, struct hist *out)
{
	const struct hdr_histogram *now = hdr_of(h);
	struct hdr_histogram *then = hdr_of(mark), *more = hdr_of(out);

	/* All three have the same bounds, so the same counts. */
	for (int32_t i = 0; i < now->counts_len; i++) {
		int64_t n = __atomic_load_n(&now->counts[i], __ATOMIC_RELAXED);
		more->counts[i] = n > then->counts[i] ? n - then->counts[i] : 0;
		then->counts[i] = n;
	}
	hdr_reset_internal_counters(more);
}

uint64_t
hist_count(const struct hist *h)
{
	return (uint64_t)__atomic_load_n(&hdr_of(h)->total_count, __ATOMIC_RELAXED);
}

uint64_t
hist_count_upto(const struct hist *h, int64_t ns)
{
	struct hdr_iter i;
	uint64_t n = 0;

	hdr_iter_recorded_init(&i, hdr_of(h));
	while (hdr_iter_next(&i) && i.lowest_equivalent_value <= ns / 1000)
		n += (uint64_t)i.count;
	return n;
}

double
hist_mean_ms(const struct hist *h)
{
	return hist_count(h) ? hdr_mean(hdr_of(h)) / 1e3 : 0;
}

double
hist_min_ms(const struct hist *h)
{
	return hist_count(h) ? (double)hdr_min(hdr_of(h)) / 1e3 : 0;
}

double
hist_max_ms(const struct hist *h)
{
	return hist_count(h) ? (double)hdr_max(hdr_of(h)) / 1e3 : 0;
}

double
hist_quantile_ms(const struct hist *h, double percent)
{
	return hist_count(h) ? (double)hdr_value_at_percentile(hdr_of(h), percent) / 1e3 : 0;
}
