/* retry.h - inside lib/messaging: whether a call is tried again, and after which pause.  Pure.
 *
 * What was certainly not executed may be tried again; what perhaps was, only when the caller
 * said that twice is as good as once (conventions.md §8).  All attempts share one deadline.
 * A policy is a row of a table: for each way to fail how often, and how the pauses grow. */
#ifndef MESSAGING_RETRY_H
#define MESSAGING_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum retry_outcome {
	RETRY_ABSENT,		/* nobody of that name is known, and nobody listens */
	RETRY_UNHEARD,		/* it is known, but nobody got the call: gone, starting, without the method */
	RETRY_REFUSED,		/* turned away before execution: busy, NOT_ACTIVE, ELECTING */
	RETRY_UNSENT,		/* it never left: no connection */
	RETRY_UNKNOWN,		/* perhaps executed: no answer in time, OUTCOME_UNKNOWN */
	RETRY_FINAL,		/* anything else would be the same again */
};
#define RETRY_OUTCOMES RETRY_FINAL	/* those that a policy has a rule for */

/* retry_outcome(code, sent): what a failed attempt was; sent: its request may have left. */
enum retry_outcome retry_outcome(enum err_code code, bool sent);

#define RETRY_UNTIL_DEADLINE UINT32_MAX

struct retry_rule {
	uint32_t again;			/* how often at most; RETRY_UNTIL_DEADLINE: as time allows */
	int64_t first_ns, cap_ns;	/* the first pause, and the longest */
	unsigned factor;		/* from one pause to the next */
	unsigned jitter_percent;	/* more or less, so that callers do not come back in step */
};

struct retry_policy {
	const char *name;
	struct retry_rule rule[RETRY_OUTCOMES];
};

/* In this order: the first is what one gets without asking. */
enum retry_name { RETRY_DEFAULT, RETRY_NONE, RETRY_PATIENT };
#define RETRY_NAMES 3
const struct retry_policy *retry_policy(enum retry_name n);

struct retry {
	const struct retry_policy *policy;
	bool idempotent;
	uint32_t most;			/* further attempts of any kind; RETRY_UNTIL_DEADLINE: no limit */
	uint32_t made;			/* of those */
	uint32_t after[RETRY_OUTCOMES];	/* attempts made after each outcome, and … */
	uint32_t paused[RETRY_OUTCOMES];	/* … those that waited before */
};

/* retry_init(r, policy, idempotent, most): most 0: no limit but the policy's. */
void retry_init(struct retry *r, const struct retry_policy *policy, bool idempotent, uint32_t most);

/* retry_next(r, outcome, elsewhere, left_ns, chance, pause_ns): an attempt failed, left_ns before
 * the deadline.  True: try again after *pause_ns, which leaves at least half of the time; the
 * attempt is counted.  False: do not, *pause_ns untouched.  elsewhere: it was one instance that
 * failed and others may do better, so there is no reason to wait.  chance: drawn anew each time. */
bool retry_next(struct retry *r, enum retry_outcome outcome, bool elsewhere, int64_t left_ns, uint64_t chance,
    int64_t *pause_ns);

#endif
