/* report.h - a finished measurement as text: JSON, CSV, JUnit, a drawn histogram.  Pure. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "base/instant.h"
#include "bench/assertion.h"
#include "bench/machine.h"
#include "bench/pattern.h"
#include "bench/result.h"

/* What became of one assertion for one pattern. */
struct bench_verdict {
	const char *assertion, *pattern;
	bool holds;
	char said[ASSERTION_SAID_MAX];
};

struct bench_report {
	const char *bench;		/* "rpc" */
	struct wall at;
	const struct machine *machine;
	const struct bench_opts *opts;
	const struct bench_result *results;
	size_t n;
	const struct bench_verdict *verdicts;
	size_t nverdicts;
};

/* report_json: one compact value: schema_version, name, runs (one per pattern), …  report_csv: RFC 4180
 * with a header line, one row per pattern.  report_junit: one test case per pattern that had
 * samples, and one per verdict.  All append to out. */
void report_json(const struct bench_report *r, struct str *out);
void report_csv(const struct bench_report *r, struct str *out);
void report_junit(const struct bench_report *r, struct str *out);

/* report_draw(h, width, out): where the samples lie, a bar per line of at most width columns, the range
 * from the minimum to p99.9 in equal steps of the logarithm, and what is beyond. */
void report_draw(const struct histogram *h, int width, struct str *out);

#endif
