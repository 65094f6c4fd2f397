/* vigil.h - what a guardian watches besides its socket: the lease, and whether the wrapper turns.
 *
 * One timer on CLOCK_BOOTTIME, which goes on in suspend, wakes it for whichever is due first.
 * Private to the guardian process; single-threaded, nothing blocks. */
#ifndef RUNNER_VIGIL_H
#define RUNNER_VIGIL_H

#include "runner/leash.h"
#include "runner/tether.h"

#define VIGIL_WARN 1u		/* the lease is running out */
#define VIGIL_KILL 2u		/* it ran out */
#define VIGIL_HUNG 4u		/* the wrapper's loop stands still */

struct vigil {
	const struct tether *tether;	/* NULL: nothing to watch */
	int timer;			/* readable when something is due; -1 without a tether */
	struct leash leash;
	uint64_t eases;			/* as of the last look */
	int64_t hang_ns;
	struct boot tick;		/* when the wrapper is looked at next */
	uint64_t turns;			/* as of the last look … */
	unsigned still;			/* … and how many looks in a row found that number */
};

/* vigil_begin(v, tether, lease_ns, hot, hang_ns, err) */
enum err_code vigil_begin(struct vigil *v, const struct tether *tether, int64_t lease_ns, bool hot,
    int64_t hang_ns, struct err *err);

/* vigil_look(v): first thing after every wait.  VIGIL_ bits, each told once. */
unsigned vigil_look(struct vigil *v);

#endif
