/* tether.h - one page of memory that ties a program to a lease: the wrapper writes, guardians read.
 *
 * It holds the gate word (sys/gate.h) and counts of the wrapper's own, and lies in a
 * memfd that every guardian of the wrapper maps, for reading only.  So a guardian knows until
 * when the program may live, and whether the wrapper still turns, although the wrapper is
 * stopped, hung or too busy to tell it anything.
 *
 * A tether belongs to its maker, who may hand the word to whoever owns the lease.  The word may
 * be written and read by any thread; the rest is the loop's. */
#ifndef RUNNER_TETHER_H
#define RUNNER_TETHER_H

#include <stdint.h>

#include "base/err.h"
#include "sys/gate.h"

struct tether;

struct tether *tether_new(struct err *err);	/* shut, no turn yet; NULL without memory or descriptor */
void tether_free(struct tether *t);		/* NULL is fine; nobody may use the word any more */

gate_word *tether_word(struct tether *t);
void tether_turn(struct tether *t);		/* the loop turned */

/* tether_ease(t): the hold was given back in good order, and a hot program lives on as a standby.
 * After the word was shut, before the next hold opens. */
void tether_ease(struct tether *t);

int tether_fd(const struct tether *t);		/* the tether's; for a process that is to read it */

/* tether_map(fd, err): the reader's side, in another process; fd may be closed afterwards. */
struct tether *tether_map(int fd, struct err *err);
uint64_t tether_bits(const struct tether *t);
uint64_t tether_turns(const struct tether *t);
uint64_t tether_eases(const struct tether *t);	/* read it after the word */

/* What the guardian is told about the lease at its start. */
struct tether_terms {
	struct tether *tether;		/* NULL: no lease, the rest means nothing; outlives the run */
	int64_t lease_ns;		/* D */
	int lost_signal;		/* sent D/4 before the end; SIGKILL: everything is killed then; 0: none */
	const char *lost_command;	/* for /bin/sh -c, run at the same moment by the guardian; or NULL */
	int64_t hang_ns;		/* a wrapper whose loop stands still for so long is killed; 0: never */
	bool hot;			/* the program may run without the lease, until it had it once */
};

#endif
