/* failover_inner.h - inside lib/bench: what the faults see of a round, and the words they are written in. */
#ifndef BENCH_FAILOVER_INNER_H
#define BENCH_FAILOVER_INNER_H

#include <signal.h>

#include "bench/drill.h"
#include "bench/failover.h"
#include "sys/proxy.h"

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
	pid_t work, guardian;		/* of the leader's program; 0: there is none */
};

/* The words of a fault's lists. */
#define ACTS(...) { __VA_ARGS__ }

/* To members. */
#define SIGNAL(w, s)	{ .run = act_signal, .whom = (w), .signo = (s) }
#define RENEW(w)	{ .run = act_renew, .whom = (w) }		/* a fresh process in its place */

/* To nodes. */
#define NODE_END(n, s)	{ .run = act_node_end, .node = (n), .signo = (s) }
#define NODE_WIPE(n)	{ .run = act_node_wipe, .node = (n) }		/* its disk is gone */
#define NODE_START(n)	{ .run = act_node_start, .node = (n) }
#define NODE_FREEZE(n)	{ .run = act_node_freeze, .node = (n) }
#define NODE_THAW(n)	{ .run = act_node_thaw, .node = (n) }

/* To links of members to nodes: nothing gets through those ways any more; all that does is late; reset. */
#define CUT(w, n, x)	{ .run = act_cut, .whom = (w), .node = (n), .ways = (x) }
#define JOIN(w)		CUT(w, ACT_NODES, 0)
#define LATE(w, x, a, b) { .run = act_late, .whom = (w), .node = ACT_NODES, .ways = (x), .min = (a), .max = (b) }
#define IN_TIME(w)	LATE(w, PROXY_BOTH, 0, 0)
#define RESET(w)	{ .run = act_reset, .whom = (w), .node = ACT_NODES }

#define PAUSE		{ .run = act_pause }				/* for twice L */
#define WAIT(ms)	{ .run = act_wait, .min = (ms) }

/* fault_random(f, below): by the seed. */
uint64_t fault_random(struct failover *f, uint64_t below);

/* What chaos does beside what is measured; each ends with a nameless one. */
extern const struct fault chaos_faults[];	/* nemesis.c */
extern const struct fault work_faults[];	/* nemesis_work.c */
extern const struct fault node_faults[];	/* nemesis_node.c */

#endif
