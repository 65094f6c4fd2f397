/* relay.h - what becomes of an exclusive call that this member cannot execute at once.  Pure.
 *
 * It waits (is parked) for a holder, is sent on to the one that is known, or is refused
 * (election.md §6).  Nothing is executed twice on our account: what a holder got and did not
 * refuse is only repeated when the caller said that this is harmless. */
#ifndef MESSAGING_RELAY_H
#define MESSAGING_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/instant.h"

#define RELAY_STATES(X) \
	X(NEW)		/* just came */ \
	X(PARKED)	/* waits for a holder */ \
	X(SENT)		/* the holder has it */ \
	X(KEPT)		/* it was answered, under a hold that another one followed meanwhile */ \
	X(OVER)

#define RELAY_EVENTS(X) \
	X(LOOK)		/* it came, the holder or our own stance changed, or time went by */ \
	X(REFUSED)	/* NOT_ACTIVE, or nobody listens there: certainly not executed */ \
	X(ANSWERED) \
	X(UNSENT)	/* there is no way to send it now */

#define X(name) RELAY_##name,
enum relay_state { RELAY_STATES(X) RELAY_STATE_COUNT };
#undef X
#define X(name) RELAY_EV_##name,
enum relay_event { RELAY_EVENTS(X) RELAY_EVENT_COUNT };
#undef X

/* How this member stands to the lease. */
enum relay_stance {
	RELAY_STANDBY,		/* does not hold it, or is letting it go */
	RELAY_HOLDS,		/* executes what comes, if the gate agrees */
	RELAY_SUSPECT,		/* holds it, but calls wait until that is certain again */
};

struct relay_facts {
	enum relay_stance stance;
	uint64_t own;		/* epoch of our hold, with HOLDS and SUSPECT */
	uint64_t epoch;		/* of another member that leads; 0: nobody is known to */
	uint64_t released;	/* holds up to this epoch are known to have ended by a release: what they
				   answered, they answered in time */
	uint64_t let_go;	/* holds up to this epoch gave a register back: probably by a release, the news of which is behind */
	bool room;		/* one more may be parked */
};

enum relay_action {
	RELAY_WAIT,
	RELAY_EXECUTE,		/* try the gate, then the handler */
	RELAY_SEND,		/* to the holder of facts.epoch */
	RELAY_REFUSE,		/* NOT_ACTIVE */
	RELAY_UNKNOWN,		/* OUTCOME_UNKNOWN */
	RELAY_PASS,		/* the holder's reply is the answer */
	RELAY_KEEP,		/* perhaps it is: keep it until PASS, or until anything but WAIT */
};

struct relay {
	enum relay_state state;
	bool direct;		/* meant for this member and no other, or relayed to it already */
	bool idempotent;
	struct mono until;	/* its budget ends */
	struct mono again;	/* PARKED: not sent before, after a refusal */
	struct mono overtaken;	/* SENT, KEPT: a later hold was seen first; 0: none was */
	uint64_t asked;		/* epoch of the holder that has it, or refused it last */
};

#define RELAY_BUDGET_NS (5 * NS_PER_S)		/* nobody is kept waiting for longer */
#define RELAY_AGAIN_NS (50 * NS_PER_MS)		/* until a holder that refused is asked again */
#define RELAY_GRACE_NS (100 * NS_PER_MS)	/* after a change of holder, for the answer of one that released, and for the news that it did */
#define RELAY_PATIENCE_NS (1 * NS_PER_S)	/* the same for a call that must not run twice and has no answer: who lost its lease because it had
					   no processor refuses what it had not begun, as soon as it has one again */
#define RELAY_NEWS_NS (2 * NS_PER_S)	/* the same when the registers, which are faster than anything else, say that it let go */
#define RELAY_PARKED_MAX 1000
#define RELAY_PARKED_BYTES (16u << 20)

/* relay_step(r, ev, f, now): what to do now; after REFUSE, UNKNOWN, PASS and EXECUTE it is OVER.
 * Whoever finds the gate shut after EXECUTE begins anew with relay_shut. */
enum relay_action relay_step(struct relay *r, enum relay_event ev, const struct relay_facts *f, struct mono now);

/* relay_shut(r, f, now): the gate did not let it pass although we thought that we lead: our stance is
 * about to change. */
enum relay_action relay_shut(struct relay *r, const struct relay_facts *f, struct mono now);

const char *relay_state_name(enum relay_state s);
const char *relay_event_name(enum relay_event e);

#endif
