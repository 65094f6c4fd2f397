/* profile.h - how often a lease is renewed, how long it holds, and how long others wait
 * (election.md §3.3).  Pure; the table, and the check that refuses settings which would not
 * be safe or would not hold. */
#ifndef ELECTION_PROFILE_H
#define ELECTION_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/instant.h"

/*	name     P     D     L */
#define PROFILES(X) \
	X(fast,     30,  120,  160) \
	X(default,  60,  240,  320) \
	X(relaxed, 200,  800, 1050)	/* busy machines, quotas */ \
	X(wan,    1000, 4000, 5500)	/* misses the promise of 2 s */

#define PROFILE_HEDGE 4		/* H: writes in flight per register */

struct profile {
	const char *name;
	int64_t p_ns;		/* renewal period */
	int64_t d_ns;		/* validity, from the moment of sending */
	int64_t l_ns;		/* how long an observer sees a value stand still before it overwrites it */
	int64_t g_ns;		/* guard: max(20 ms, 4 × the clock's resolution) */
	int64_t step_ns;	/* between ranks: max(5 ms, P/10) */
};

/* profile_find(name, resolution_ns, out, err): the row of that name, with g for a clock of this
 * resolution (clock_getres of CLOCK_BOOTTIME).  ERR_INVALID names the ones that exist. */
enum err_code profile_find(const char *name, int64_t resolution_ns, struct profile *out, struct err *err);

/* profile_make(p_ms, d_ms, l_ms, resolution_ns): settings of one's own, unchecked. */
struct profile profile_make(int64_t p_ms, int64_t d_ms, int64_t l_ms, int64_t resolution_ns);

/* profile_check(p, rtt_ns, replicated, err): the inequalities that must hold at the start.  rtt_ns
 * is that of the Q-th nearest register, 0 when not measured yet; replicated: N=1 on an R3
 * stream.  ERR_INVALID with a sentence that holds the figures; commands exit 2. */
enum err_code profile_check(const struct profile *p, int64_t rtt_ns, bool replicated, struct err *err);

/* profile_wait(d_ns, l_ns, g_ns): how long an observer must wait for a holder of these
 * settings: the larger of L and D·1.02 + g.  Two clocks may differ by 1 % each. */
int64_t profile_wait(int64_t d_ns, int64_t l_ns, int64_t g_ns);

#endif
