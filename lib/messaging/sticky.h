/* sticky.h - inside lib/messaging: a call to whoever leads, from one attempt to the next.  Pure.
 *
 * The holder is asked on its own subject with the epoch that we believe in; where that one does not
 * lead, or nobody is known, the service's queue subject has a member that knows (election.md §7).
 * What perhaps was executed is repeated only when twice is harmless. */
#ifndef MESSAGING_STICKY_H
#define MESSAGING_STICKY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum sticky_way { STICKY_TO_HOLDER, STICKY_TO_GROUP };

/* What an attempt was. */
enum sticky_outcome {
	STICKY_REFUSED,		/* 503, NOT_ACTIVE, busy: certainly not executed */
	STICKY_UNSENT,		/* no connection */
	STICKY_SILENT,		/* no answer in the attempt's time */
	STICKY_LOST,		/* the leader that had it was lost: nobody knows */
	STICKY_FINAL,		/* anything else would be the same again */
	STICKY_OUTCOMES
};

/* sticky_outcome(code, sent): of a failed attempt; sent: its request may have left. */
enum sticky_outcome sticky_outcome(enum err_code code, bool sent);

struct sticky {
	bool idempotent;
	unsigned pauses;	/* made */
	uint64_t refused;	/* the epoch whose holder refused last; 0: none did */
};

struct sticky_step {
	bool again;
	enum sticky_way way;
	int64_t pause_ns;	/* before; 0: at once */
};

/* sticky_way(s, known, epoch): how to begin, or to go on: to the holder when one is known that did
 * not just refuse. */
enum sticky_way sticky_way(const struct sticky *s, bool known, uint64_t epoch);

/* sticky_next(s, way, asked, outcome, left_ns, chance): after an attempt that failed, left_ns before the
 * deadline.  asked: the epoch it went to, with TO_HOLDER.  way of the result is only a bound: TO_GROUP
 * means the group, TO_HOLDER means as sticky_way says then. */
struct sticky_step sticky_next(struct sticky *s, enum sticky_way way, uint64_t asked, enum sticky_outcome outcome,
    int64_t left_ns, uint64_t chance);

/* sticky_counts(answered, newest, released): whether an answer of a hold is one: no newer hold is known,
 * or that one is known to have let go in time.  0: unknown. */
bool sticky_counts(uint64_t answered, uint64_t newest, uint64_t released);

#endif
