/* breaker.h - an instance that was silent too often in a row is passed over for a while.
 *
 * One word for each peer, in its memory: it is bounded by the instances there are, and goes with
 * them.  The steps are a pure function of that word, an event and the time; any thread takes them,
 * without a lock.  A breaker never ends a call: when nobody else is left, the silent are asked. */
#ifndef DISCOVERY_BREAKER_H
#define DISCOVERY_BREAKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/instant.h"

#define BREAKER_FAILURES 5		/* in a row; a lost answer or two happen in every restart */
#define BREAKER_FIRST_NS (5 * NS_PER_S)	/* the first pause: as long as a call waits by default */
#define BREAKER_LONGEST_NS (40 * NS_PER_S)	/* by then the record of a dead one is stale */
#define BREAKER_PROBE_NS (10 * NS_PER_S)	/* a probe that nobody told the end of is given up */

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_PROBING };

enum breaker_event {
	BREAKER_GOOD,		/* it answered, whatever it said */
	BREAKER_BAD,		/* it did not, or said that its program hangs or died */
	BREAKER_ASK,		/* may it be called? */
};

struct breaker { _Atomic uint64_t word; };	/* zeroed: closed, and nothing happened */

struct breaker_view {
	enum breaker_state state;
	unsigned failures;	/* in a row, while closed */
	unsigned opened;	/* how often since the last good answer; the pauses double with it */
	struct mono until;	/* OPEN: the end of the pause; PROBING: of the probe */
};
struct breaker_view breaker_view(uint64_t word);

/* breaker_step(word, ev, now, admitted): the next word.  *admitted: the answer to ASK, else false. */
uint64_t breaker_step(uint64_t word, enum breaker_event ev, struct mono now, bool *admitted);

static inline bool
breaker_is_closed(const struct breaker *b)
{
	return (atomic_load_explicit(&b->word, memory_order_relaxed) & 3) == BREAKER_CLOSED;
}

/* breaker_is_clean(b): closed, and no failure counted: a good answer would change nothing. */
static inline bool
breaker_is_clean(const struct breaker *b)
{
	return atomic_load_explicit(&b->word, memory_order_relaxed) == 0;
}

/* breaker_admits(b, now): may it be called?  After the pause one caller at a time is told yes, as
 * a probe, and tells the outcome. */
bool breaker_admits(struct breaker *b, struct mono now);

/* breaker_note(b, ev, now): the outcome of a call; which way the breaker turned. */
enum breaker_turn { BREAKER_SAME, BREAKER_OPENED, BREAKER_RECOVERED };
enum breaker_turn breaker_note(struct breaker *b, enum breaker_event ev, struct mono now);

#endif
