/* act.h - inside lib/bench: what a fault is made of, one act at a time.
 *
 * A fault is a row that lists what it does and what undoes it; most of it is a signal to somebody, a node that
 * comes or goes, or a link that does not do what links do.  Whom an act hits was chosen when the round began. */
#ifndef BENCH_ACT_H
#define BENCH_ACT_H

#include "base/err.h"

struct failover;

enum act_whom {
	ACT_LEADER, ACT_STANDBY,	/* of the members */
	ACT_STANDBYS,			/* each member that does not lead */
	ACT_MEMBERS,
	ACT_WORK, ACT_GUARDIAN,		/* the leader's program, and that one's */
};

enum act_node {
	ACT_ITS,			/* the node that the leader is connected to */
	ACT_OTHER,			/* another one */
	ACT_NODES,
};

struct act {
	enum err_code (*run)(struct failover *f, const struct act *a, struct err *err);	/* NULL: behind the last */
	enum act_whom whom;
	enum act_node node;
	int signo;
	unsigned ways;			/* PROXY_UP, PROXY_DOWN, PROXY_BOTH; 0: none */
	unsigned min, max;		/* of a delay, in percent of the profile's L; min of a wait, in ms */
};

#define ACTS_MAX 6

typedef enum err_code act_run(struct failover *f, const struct act *a, struct err *err);
act_run act_signal, act_renew, act_node_end, act_node_wipe, act_node_start, act_node_freeze, act_node_thaw, act_cut,
    act_late, act_reset, act_pause, act_wait;

/* acts_run(f, acts, err): one after the other, up to the first that fails. */
enum err_code acts_run(struct failover *f, const struct act *acts, struct err *err);

#endif
