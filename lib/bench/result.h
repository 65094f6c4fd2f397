/* result.h - what was measured of one pattern: plain data that reports and assertions read.
 *
 * Pure.  A pattern is measured in rounds; with a baseline, every round has one of each side,
 * one after the other, and a ratio of its own.  The ratio that is told is the median of those:
 * two moments of a shared machine do not compare, two neighbouring ones do. */
#ifndef BENCH_RESULT_H
#define BENCH_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/histogram.h"

/* One side, over all rounds or in one. */
struct bench_tally {
	struct histogram *latency;	/* open loop: from the intended start (corrected); else the same as plain */
	struct histogram *plain;	/* from the actual start */
	uint64_t errors;		/* what failed is in no histogram */
	double seconds;
	char why[256];			/* the first failure */
};

void bench_tally_init(struct bench_tally *t);
void bench_tally_release(struct bench_tally *t);
void bench_tally_clear(struct bench_tally *t);
void bench_tally_merge(struct bench_tally *into, const struct bench_tally *from);
double bench_tally_rate(const struct bench_tally *t);	/* completed per second */

struct bench_ratio { double p50, p90, p99, p999, throughput; };

struct bench_round {
	double p50_us, p99_us, per_second;
	struct bench_ratio ratio;	/* with a baseline */
};

/* A failover's own figures; its latencies are outages, its errors lost calls. */
struct bench_failover {
	uint64_t rounds, changes, calls, lost, overlap;
	uint64_t findings;		/* of the checks of the history, but for the next */
	uint64_t unprovoked;		/* changes of leader without a fault */
	uint64_t flow_calls, flow_failed;	/* by the queue; 0 calls: none were made */
	double flow_longest_ms;
	const char *first;		/* the first overlap or finding in words; "" */
};

struct bench_result {
	const char *pattern, *what;
	unsigned in_flight;
	double rate;			/* asked for; 0: closed loop */
	struct bench_tally ours, theirs;
	const char *against;		/* NULL: no baseline */
	struct bench_ratio ratio;	/* medians of the rounds' */
	struct bench_round *rounds;
	size_t n, cap;
	bool interrupted;
	const struct bench_failover *failover;	/* what only a failover has; NULL: another benchmark */
};

void bench_result_init(struct bench_result *r);
void bench_result_release(struct bench_result *r);

/* bench_result_add(r, ours, theirs): one round more; theirs NULL without a baseline.  The medians
 * are up to date afterwards.  A side without a single sample adds no round. */
void bench_result_add(struct bench_result *r, const struct bench_tally *ours, const struct bench_tally *theirs);

/* bench_ns_text(ns, out, n): for people, three digits and a unit: "1.23ms". */
void bench_ns_text(double ns, char *out, size_t n);

/* The percentiles that reports tell, and their names. */
#define BENCH_PERCENTILES 6
struct bench_percentile { double percent; const char *name; };
extern const struct bench_percentile bench_percentiles[BENCH_PERCENTILES];	/* p50 … p99.99 */

#endif
