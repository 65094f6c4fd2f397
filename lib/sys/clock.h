/* clock.h - where time comes from: the system's three clocks, or a test's own.
 *
 * Shells take a struct clock * and pass what it says into pure cores.  Only this floor
 * reads clocks (log lines apart). */
#ifndef SYS_CLOCK_H
#define SYS_CLOCK_H

#include "base/instant.h"

struct clock {
	struct mono (*mono)(const struct clock *);
	struct boot (*boot)(const struct clock *);
	struct wall (*wall)(const struct clock *);
};

const struct clock *clock_system(void);

/* clock_shift_wall(ns): from now on the wall clock of this process, and of no other, is so much ahead: what
 * happens when somebody sets the machine's.  For drills (bench/drill.h).  Any thread. */
void clock_shift_wall(int64_t ns);

/* clock_set_rate(r): from now on all clocks of this process, and of no other, go faster by so many millionths than the machine's:
 * what another machine's clock may do (election.md §1).  Each goes on from its base, so that processes that were given the
 * same rate and bases stand for one machine.  For drills; before the first thread. */
struct clock_rate {
	int64_t ppm;
	struct mono mono;
	struct boot boot;
	struct wall wall;
};
void clock_set_rate(const struct clock_rate *r);

/* clock_machine_boot(t), clock_machine_mono(t): what the machine's own clock, which the kernel goes by, shows at that time of ours. */
struct boot clock_machine_boot(struct boot t);
struct mono clock_machine_mono(struct mono t);

static inline struct mono clock_mono(const struct clock *c) { return c->mono(c); }
static inline struct boot clock_boot(const struct clock *c) { return c->boot(c); }
static inline struct wall clock_wall(const struct clock *c) { return c->wall(c); }

/* A clock that stands still until it is told to move; for tests.  The first member is
 * the clock to hand out. */
struct clock_manual {
	struct clock clock;
	struct mono mono;
	struct boot boot;
	struct wall wall;
};
void clock_manual_init(struct clock_manual *c, struct wall start);
void clock_manual_advance(struct clock_manual *c, int64_t ns);

#endif
