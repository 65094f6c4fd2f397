/* flow.h - clients that know nothing of elections: calls at a rate, by the service's queue subject, to a
 * method that only the leader executes (bench/drill.h).
 *
 * Whoever of the members gets one passes it on, or keeps it until somebody leads (election.md §6); so while
 * leaders come and go in order, every single one is to be answered. */
#ifndef BENCH_FLOW_H
#define BENCH_FLOW_H

#include <stdint.h>

#include "base/err.h"

struct flow;

/* flow_new(servers, rate, err): begins at once.  Open loop: what is late does not slow down what follows. */
struct flow *flow_new(const char *servers, unsigned rate, struct err *err);

struct flow_view {
	uint64_t sent, ok;
	uint64_t failed;	/* refused, an error, or without an answer for 6 s */
	int64_t longest_ns;	/* that an answer took */
	char first[200];	/* the first failure in words; "" */
};

/* flow_end(f, out): sends no more, waits for what is under way, tells, and frees.  NULL tells of nothing. */
void flow_end(struct flow *f, struct flow_view *out);

#endif
