/* result.c - adding rounds up, and the median of their ratios. */
#include "bench/result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"

const struct bench_percentile bench_percentiles[BENCH_PERCENTILES] = {
	{ 50, "p50" }, { 75, "p75" }, { 90, "p90" }, { 99, "p99" }, { 99.9, "p99.9" }, { 99.99, "p99.99" },
};

void
bench_ns_text(double ns, char *out, size_t n)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	size_t unit = 0;

	while (ns >= 999.5 && unit + 1 < COUNT_OF(units)) {
		ns /= 1e3;
		unit++;
	}
	snprintf(out, n, "%.*f%s", ns >= 99.95 ? 0 : ns >= 9.995 ? 1 : 2, ns, units[unit]);
}

void
bench_tally_init(struct bench_tally *t)
{
	*t = (struct bench_tally){ .latency = histogram_new(), .plain = histogram_new() };
}

void
bench_tally_release(struct bench_tally *t)
{
	histogram_free(t->latency);
	histogram_free(t->plain);
	*t = (struct bench_tally){ .latency = NULL };
}

void
bench_tally_clear(struct bench_tally *t)
{
	histogram_clear(t->latency);
	histogram_clear(t->plain);
	t->errors = 0;
	t->seconds = 0;
	t->why[0] = '\0';
}

void
bench_tally_merge(struct bench_tally *into, const struct bench_tally *from)
{
	histogram_merge(into->latency, from->latency);
	histogram_merge(into->plain, from->plain);
	into->errors += from->errors;
	into->seconds += from->seconds;
	if (into->why[0] == '\0')
		memcpy(into->why, from->why, sizeof into->why);
}

double
bench_tally_rate(const struct bench_tally *t)
{
	return t->seconds > 0 ? (double)histogram_count(t->latency) / t->seconds : 0;
}

void
bench_result_init(struct bench_result *r)
{
	*r = (struct bench_result){ .pattern = NULL };
	bench_tally_init(&r->ours);
	bench_tally_init(&r->theirs);
}

void
bench_result_release(struct bench_result *r)
{
	bench_tally_release(&r->ours);
	bench_tally_release(&r->theirs);
	mem_free(r->rounds);
	r->rounds = NULL;
}

static double
quotient(double a, double b)
{
	return b > 0 ? a / b : 0;
}

static double
at_ratio(const struct bench_tally *a, const struct bench_tally *b, double percent)
{
	return quotient((double)histogram_at(a->latency, percent), (double)histogram_at(b->latency, percent));
}

static struct bench_ratio
ratio_of(const struct bench_tally *a, const struct bench_tally *b)
{
	return (struct bench_ratio){ at_ratio(a, b, 50), at_ratio(a, b, 90), at_ratio(a, b, 99), at_ratio(a, b, 99.9),
	    quotient(bench_tally_rate(a), bench_tally_rate(b)) };
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* median: of the double at `at` in every round's ratio. */
static double
median(const struct bench_result *r, size_t at)
{
	double *v = mem_array(r->n, sizeof *v);

	for (size_t i = 0; i < r->n; i++)
		memcpy(&v[i], (const char *)&r->rounds[i].ratio + at, sizeof v[i]);
	qsort(v, r->n, sizeof *v, ascending);
	double m = r->n % 2 != 0 ? v[r->n / 2] : (v[r->n / 2 - 1] + v[r->n / 2]) / 2;
	mem_free(v);
	return m;
}

void
bench_result_add(struct bench_result *r, const struct bench_tally *ours, const struct bench_tally *theirs)
{
	bench_tally_merge(&r->ours, ours);
	if (theirs != NULL)
		bench_tally_merge(&r->theirs, theirs);
	if (histogram_count(ours->latency) == 0 || (theirs != NULL && histogram_count(theirs->latency) == 0))
		return;
	mem_grow(&r->rounds, &r->cap, r->n + 1, sizeof *r->rounds);
	r->rounds[r->n++] = (struct bench_round){
		.p50_us = (double)histogram_at(ours->latency, 50) / 1e3, .p99_us = (double)histogram_at(ours->latency, 99) / 1e3,
		.per_second = bench_tally_rate(ours), .ratio = theirs != NULL ? ratio_of(ours, theirs) : (struct bench_ratio){ 0 },
	};
	if (theirs == NULL)
		return;
	r->ratio = (struct bench_ratio){
		median(r, offsetof(struct bench_ratio, p50)), median(r, offsetof(struct bench_ratio, p90)),
		median(r, offsetof(struct bench_ratio, p99)), median(r, offsetof(struct bench_ratio, p999)),
		median(r, offsetof(struct bench_ratio, throughput)),
	};
}
