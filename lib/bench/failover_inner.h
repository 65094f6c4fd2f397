/* failover_inner.h - inside lib/bench: what the faults see of a round. */
#ifndef BENCH_FAILOVER_INNER_H
#define BENCH_FAILOVER_INNER_H

#include "bench/failover.h"

struct failover {
	const struct failover_opts *o;
	struct failover_result *r;
	struct arena *arena;
	struct arena_opts arena_opts;
	unsigned arenas;		/* made so far */
	struct history_reader *reader;	/* of the arena's history */
	struct verify *verify;		/* and its judge */
	bool unwell;			/* the members did not recover */
	unsigned failing;		/* rounds in a row */
	struct flow *flow;		/* NULL: no fault wants one, or nobody has led yet */
	unsigned rate;
	uint64_t random;
	unsigned leader;		/* when the round began */
	unsigned standby;		/* another member, by chance */
	unsigned node;			/* that the leader's data connection leads to */
	unsigned other;			/* another node, by chance; the calls go through neither */
	uint64_t epoch;			/* of the lead when the round began */
	pid_t work, guardian;		/* of the leader, that were hit */
};

/* fault_random(f, below): by the seed. */
uint64_t fault_random(struct failover *f, uint64_t below);

/* What chaos does beside what is measured; each ends with a nameless one. */
extern const struct fault chaos_faults[];	/* nemesis.c */
extern const struct fault work_faults[];	/* nemesis_work.c */

#endif
