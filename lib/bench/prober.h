/* prober.h - a client that never lets go: a call every 2 ms to whoever serves (bench/drill.h), and an
 * eye on the answers.
 *
 * It judges what it sees at once: something served under an older epoch after something was under a newer
 * one, a call that one member answers twice, a counter that does not grow, are each a second active
 * member.  That two answer one call in the order of their epochs is none: the second got it late. */
#ifndef BENCH_PROBER_H
#define BENCH_PROBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/instant.h"

#define PROBER_PATHS 5			/* connections, one per node */

struct prober;

struct prober_opts {
	char *const *servers;		/* one URL per path */
	unsigned paths;
	int64_t period_ns;
	int history;			/* descriptor; below 0: calls are not written down */
};

/* prober_new(o, err): connects every path and begins, through the first. */
struct prober *prober_new(const struct prober_opts *o, struct err *err);
void prober_free(struct prober *p);		/* NULL is fine */

/* prober_through(p, i): which path the calls take from now on. */
void prober_through(struct prober *p, unsigned i);
bool prober_connected(struct prober *p);	/* on every path */

/* prober_mark(p): the longest silence is counted anew, from the newest answer on.
 * prober_excuse(p, on): calls made meanwhile, and those under way when it begins, may stay without an answer; all others that do
 * for 1 s are lost.  It begins with on. */
void prober_mark(struct prober *p);
void prober_excuse(struct prober *p, bool on);

struct prober_view {
	uint64_t sent, ok;
	uint64_t lost;		/* unanswered, though nothing excuses it */
	uint64_t overlap;	/* answered twice, or as only a second active member would */
	uint64_t epoch;		/* newest that answered */
	char nonce[33];		/* of whom */
	struct boot last;	/* newest answer */
	int64_t gap_ns;		/* longest silence since the mark that ended */
	char first[200];	/* the first overlap in words; "" */
};
struct prober_view prober_look(struct prober *p);

#endif
