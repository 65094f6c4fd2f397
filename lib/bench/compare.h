/* compare.h - two results of the same benchmark, and whether the later one is worse.  Pure.
 *
 * A figure of one run is as certain as its rounds agree.  So a change counts only when the rounds
 * of both runs lie apart: the middle half of one (from p25 to p75) does not touch that of the
 * other, and it is more than 2 %. */
#ifndef BENCH_COMPARE_H
#define BENCH_COMPARE_H

#include "base/err.h"
#include "base/str.h"

enum compare_verdict { COMPARE_SAME, COMPARE_BETTER, COMPARE_WORSE, COMPARE_ONLY_A, COMPARE_ONLY_B };
const char *compare_verdict_name(enum compare_verdict v);

struct compare_row {
	char pattern[32];
	const char *figure;		/* "p50_us", … */
	double a, b;
	double change;			/* b/a - 1 */
	enum compare_verdict verdict;
};

struct compare {
	struct compare_row *v;
	size_t n, cap;
	char name[32];
	bool same_machine, same_options;
};

/* compare_read(a, na, b, nb, out, err): both as report_json writes them.  ERR_INVALID, naming which and
 * what, for anything else, and for results of different benchmarks.  compare_release. */
enum err_code compare_read(const char *a, size_t na, const char *b, size_t nb, struct compare *out, struct err *err);
void compare_release(struct compare *c);

#endif
