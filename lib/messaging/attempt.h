/* attempt.h - one delivery of a command, from its arrival to its ack, nak or term: a table of
 * state × event, with the clock passed in.  Pure.  DESIGN.md shows the same table.
 *
 * What decides lies in two numbers of wire.md §7.2.  An attempt that fails at delivery
 * max_retries + 1 or later is the last.  A delivery whose worker died is repeated, at most
 * ATTEMPT_CRASHES times beyond that; how often it was delivered is all that is known of those,
 * because the dead tell nothing. */
#ifndef MESSAGING_ATTEMPT_H
#define MESSAGING_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/instant.h"

#define ATTEMPT_CRASHES 3

#define ATTEMPT_STATES(X) \
	X(NEW)		/* fetched, not looked at */ \
	X(QUEUED)	/* in the window */ \
	X(PAUSED)	/* the handler could not take it; back into the window soon */ \
	X(RUNNING)	/* the handler has it */ \
	X(CANCELLING)	/* the handler was told to stop and has a moment to do so */ \
	X(BURYING)	/* on its way to the dead letters, then failed */ \
	X(DISCARDING)	/* the same for what nobody can read: no completion */ \
	X(OVER)		/* settled; what comes now is too late */

#define ATTEMPT_EVENTS(X) \
	X(ARRIVED) X(UNREADABLE) \
	X(START)	/* it is its turn */ \
	X(DONE) X(FAILED) \
	X(DIED)		/* what ran it is gone: perhaps executed */ \
	X(BOUNCED)	/* the handler did not begin with it: certainly not executed */ \
	X(TIMER) X(CANCEL) \
	X(BURIED) X(NOT_BURIED)	/* the stream of dead letters has it, or not */ \
	X(LEAVE)	/* the worker takes nothing new; what runs may end */ \
	X(ABANDON)	/* it ends now */

enum attempt_state {
#define X(name) ATTEMPT_##name,
	ATTEMPT_STATES(X)
#undef X
	ATTEMPT_STATE_COUNT
};

enum attempt_event {
#define X(name) ATTEMPT_EV_##name,
	ATTEMPT_EVENTS(X)
#undef X
	ATTEMPT_EVENT_COUNT
};

enum attempt_settle { ATTEMPT_KEEP, ATTEMPT_ACK, ATTEMPT_NAK, ATTEMPT_TERM };
enum attempt_tell { ATTEMPT_QUIET, ATTEMPT_TELL_COMPLETED, ATTEMPT_TELL_FAILED, ATTEMPT_TELL_CANCELLED };

/* Why it failed for good, or this time; OWN: the handler's words. */
enum attempt_reason { ATTEMPT_OWN, ATTEMPT_TIMED_OUT, ATTEMPT_WORKER_DIED, ATTEMPT_NOT_READABLE };

/* What the shell shall do, in the order of the members: nothing is settled before it was told. */
struct attempt_actions {
	bool queue;		/* into the window */
	bool run;		/* give it to the handler */
	bool stop;		/* tell the handler that it need not go on */
	bool bury;		/* write it to the dead letters, and report BURIED or NOT_BURIED */
	enum attempt_tell tell;
	enum attempt_settle settle;
	int64_t delay_ns;	/* of NAK */
};

struct attempt_opts {
	uint64_t deliveries;	/* of this one, the first being 1 */
	int64_t max_retries;
	int64_t timeout_ns;	/* of one execution */
	int64_t backoff_ns;	/* before the second delivery; doubles, up to backoff_max_ns */
	int64_t backoff_max_ns;
};

struct attempt {
	struct attempt_opts opts;
	enum attempt_state state;
	enum attempt_reason reason;	/* since it failed */
	struct mono due;		/* when TIMER is wanted; MONO_NEVER */
	unsigned burials;		/* that did not succeed, in a row */
	uint64_t ignored;		/* events that the table does not list */
};

void attempt_init(struct attempt *a, const struct attempt_opts *o);

/* attempt_step(a, ev, now, out): the one function that changes a. */
void attempt_step(struct attempt *a, enum attempt_event ev, struct mono now, struct attempt_actions *out);

/* attempt_backoff(o): the pause after delivery o->deliveries failed. */
int64_t attempt_backoff(const struct attempt_opts *o);

const char *attempt_state_name(enum attempt_state s);
const char *attempt_event_name(enum attempt_event e);

#endif
