/* leash.h - how long a program may live under a lease, judged from the gate word alone.  Pure.
 *
 * The guardian looks whenever `due` is reached and whenever it wakes for another reason, and
 * does what comes back.  The order of a look is that of the gate (election.md R4): load the
 * word, then read the clock, then ask here.  A shut word takes nothing back: what was granted before may be
 * used up, because whoever shut it either reaps the program or renews the lease (a jump of
 * the clock).  A word of another hold ends it: nothing of one hold works under the next. */
#ifndef RUNNER_LEASH_H
#define RUNNER_LEASH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/instant.h"

#define LEASH_STATES(X) \
	X(LOOSE)	/* no lease yet, and none needed: a hot standby */ \
	X(HELD)		/* lives until `until` */ \
	X(WARNED)	/* was told that the lease runs out; a renewal only postpones the kill */ \
	X(CUT)		/* is to be killed, whatever the word says from now on */

enum leash_state {
#define X(name) LEASH_##name,
	LEASH_STATES(X)
#undef X
	LEASH_STATE_COUNT
};

enum leash_deed { LEASH_NOTHING, LEASH_WARN, LEASH_KILL };

struct leash {
	enum leash_state state;
	bool hot;		/* may run without a lease */
	int64_t lease_ns;	/* D: a standby looks every D/4, the warning comes so long before the end */
	struct boot until;
	uint32_t hold;		/* as the word names it */
};

/* leash_init(l, lease_ns, hot): hot, it is LOOSE; else HELD by a lease that nobody has seen yet. */
void leash_init(struct leash *l, int64_t lease_ns, bool hot);

/* leash_look(l, until, hold, now, due): the word says `until` and `hold`; BOOT_LONG_AGO when it is shut.
 * What is to be done now, each once; *due: when to look next. */
enum leash_deed leash_look(struct leash *l, struct boot until, uint32_t hold, struct boot now, struct boot *due);

/* leash_ease(l): the hold was given back in good order, and the program goes on as a standby.
 * Without effect on one that may not, or that was warned. */
void leash_ease(struct leash *l);

const char *leash_state_name(enum leash_state s);

#endif
