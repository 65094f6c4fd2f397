/* verify.h - judges a history of one group: was at most one member active, and what did clients see?
 * Pure: lines in, verdicts out; at once, or in pieces as the history grows, for which it keeps only
 * what the next piece may depend on.
 *
 *	C1	the open gates of two members never overlap; one is open from its open to its last
 *		until, or to its shut; and no program under a lease lives while another's gate is open
 *	C2	what was served under different epochs does not overlap, except in a process that was
 *		stopped meanwhile; and no client counted an answer of an epoch after a newer one's
 *	C3	effects in the stream: epochs never go back; one per ok, none per fail, at most one else
 *	C4	opened epochs grow, and each belongs to one nonce
 *	C5	the exclusive counter: no value twice, and later calls get larger ones
 *	C6	nobody took over without a fault, or with one that spares the leader
 *	C7	after the last heal of a fault somebody serves within the time that is allowed
 *
 * The numbers are those of election.md §12.  C6's distribution is in outage[]. */
#ifndef BENCH_VERIFY_H
#define BENCH_VERIFY_H

#include <stdbool.h>

#include "bench/history.h"

/* What begins so names a fault that gives nobody the right to take over. */
#define VERIFY_SPARES "spare:"
/* What begins so stops a member for a while: what it had begun to serve, it may end later.  The other stops the program under its
 * lease and that one's guardian, too: thawed, the program may live for another second. */
#define VERIFY_STOPS "stop"
#define VERIFY_FREEZES "freeze"
/* What an invoke is called by whose success something is stored: C3 is about these calls. */
#define VERIFY_STORES "store"

enum verify_check { VERIFY_C1, VERIFY_C2, VERIFY_C3, VERIFY_C4, VERIFY_C5, VERIFY_C6, VERIFY_C7, VERIFY_CHECKS };

struct verify_opts {
	bool effects;		/* effects were recorded: C3 counts */
	int64_t grace_ns;	/* a change of leader so soon after a heal is still due to the fault */
	int64_t settle_ns;	/* C7's limit; 0: not judged */
};

/* What a fault cost: the longest time without an ok that began before the fault was mended and
 * ended after it was made. */
struct verify_outage {
	char what[HISTORY_NAME_MAX];
	struct boot at;
	int64_t ns;		/* negative: nothing was served any more until the end */
};

struct verify_report {
	uint64_t wrong[VERIFY_CHECKS];
	char first[VERIFY_CHECKS][240];	/* of each check, a sentence about the first finding */
	/* lived: signs of life of programs under a lease. */
	uint64_t holds, lived, served, invoked, ok, failed, unknown, effects;
	struct verify_outage *outage;	/* one per inject */
	size_t outages;
};

/* verify_history(h, o, out): true when nothing is wrong.  h is sorted (history_read).  The report is the
 * caller's to release. */
bool verify_history(const struct history *h, const struct verify_opts *o, struct verify_report *out);
void verify_release(struct verify_report *r);

/* verify_merge(into, from): adds it up; from is empty afterwards. */
void verify_merge(struct verify_report *into, struct verify_report *from);

/* The same in pieces.  verify_feed(v, h): h is sorted, and goes on where the piece before ended.  verify_so_far(v): what was found until
 * now, v's; C3 and outages that go on are judged at the end.  verify_end(v, out): as verify_history, and frees v. */
struct verify;
struct verify *verify_new(const struct verify_opts *o);
void verify_feed(struct verify *v, const struct history *h);
void verify_waive(struct verify *v);	/* not every effect is known: none is missed */
const struct verify_report *verify_so_far(const struct verify *v);
bool verify_end(struct verify *v, struct verify_report *out);

#endif
