/* assertion.h - "p99<2ms": what a measurement is held to.  Pure.
 *
 *	[PATTERN:]FIGURE OP VALUE
 *
 * FIGURE is a latency (pN with N from 0 to 100, min, mean, max; plain.X is the same uncorrected),
 * rate (completed per second), count, errors, or with a baseline ratio.p50, ratio.p90, ratio.p99,
 * ratio.p99.9, ratio.throughput.  OP is < <= > or >=.  A latency's VALUE is a duration.  Without a
 * pattern it holds for every one that is measured. */
#ifndef BENCH_ASSERTION_H
#define BENCH_ASSERTION_H

#include "base/err.h"
#include "bench/result.h"

enum assertion_op { ASSERT_BELOW, ASSERT_AT_MOST, ASSERT_ABOVE, ASSERT_AT_LEAST };
enum assertion_of {
	ASSERT_PERCENTILE, ASSERT_MIN, ASSERT_MEAN, ASSERT_MAX,
	ASSERT_RATE, ASSERT_COUNT, ASSERT_ERRORS,
	ASSERT_RATIO_P50, ASSERT_RATIO_P90, ASSERT_RATIO_P99, ASSERT_RATIO_P999, ASSERT_RATIO_THROUGHPUT,
};

struct assertion {
	const char *text;		/* the caller's, as it was written */
	char pattern[32];		/* "": all */
	enum assertion_of of;
	enum assertion_op op;
	bool plain;			/* the uncorrected latency */
	double percent;			/* ASSERT_PERCENTILE */
	double value;			/* ns for latencies */
};

/* assertion_parse(text, out, err): text must outlive out.  ERR_USAGE names the culprit, and what
 * there is instead. */
enum err_code assertion_parse(const char *text, struct assertion *out, struct err *err);

bool assertion_wants_baseline(const struct assertion *a);

/* assertion_applies(a, r): it is about this pattern.  assertion_holds(a, r, said): whether it is true
 * of r; said becomes "p99 is 2.41ms, not < 2ms", or "p99 is 1.2ms" when it holds.  What was not
 * measured (no samples) does not hold. */
#define ASSERTION_SAID_MAX 160
bool assertion_applies(const struct assertion *a, const struct bench_result *r);
bool assertion_holds(const struct assertion *a, const struct bench_result *r, char said[ASSERTION_SAID_MAX]);

#endif
