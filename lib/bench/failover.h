/* failover.h - kill the leader, again and again, in every way, and measure.
 *
 * A fault is a row: what it does, what undoes it, whether the lead must change or must stay.  A
 * round waits until everything is well (arena_settle), picks a moment, breaks it, waits for the
 * first answer of the next leader (or that the same one goes on), mends it.  The outage is the
 * longest time in which no call of the prober was answered. */
#ifndef BENCH_FAILOVER_H
#define BENCH_FAILOVER_H

#include "base/err.h"
#include "bench/act.h"
#include "bench/arena.h"
#include "bench/flow.h"
#include "bench/histogram.h"
#include "bench/machine.h"
#include "bench/verify.h"

enum fault_lead {
	FAULT_CHANGES,		/* another one leads afterwards, with a higher epoch */
	FAULT_KEEPS,		/* the leader goes on */
	FAULT_EITHER,
};

struct conn;
struct failover;

/* The faults; failover.c and nemesis.c hold them. */
struct fault {
	const char *name, *what;
	enum fault_lead lead;
	bool cluster, proxied, work;	/* needs three nodes, proxies, a program under the lease */
	unsigned rate;			/* so many calls/s by the queue beside the prober's, none of which may fail */
	bool chaos;			/* for chaos, not for measuring */
	struct act does[ACTS_MAX], undoes[ACTS_MAX];
	enum err_code (*inject)(struct failover *f, struct err *err);	/* behind `does`: what no act says; may be NULL */
	enum err_code (*heal)(struct failover *f, struct err *err);
};

/* fault(i): NULL behind the last.  fault_find(name): NULL when there is none. */
const struct fault *fault(unsigned i);
const struct fault *fault_find(const char *name);

struct failover_opts {
	struct arena_opts arena;	/* proxied and work become true when a fault needs it */
	const struct fault *const *faults;	/* each round takes the next, by the seed when there are several */
	unsigned nfaults;
	uint64_t rounds, changes;	/* at most so many rounds; enough once so many leads changed, 0: never */
	int64_t p_ns, l_ns;		/* of the profile */
	/* A round that fails is told and counted, and the next begins, in a new arena if need be.  Beside the prober
	 * only a few calls go by the queue, whose fate is told and not judged. */
	bool lasting;
	void (*found)(void *arg, const char *what);	/* at once, what must not be: a failed round, a check's first finding */
	enum err_code (*repair)(struct conn *conn, struct err *err);	/* the group's registers, as an operator does; NULL: no fault wants it */
	struct machine *machine;	/* is filled in once there is a server; may be NULL */
	void (*progress)(void *arg, double share);
	void *arg;
};

#define FAILOVER_FAULTS 64
#define FAILOVER_TOLD 16

/* What became of one fault. */
struct failover_tally {
	const struct fault *fault;
	struct histogram *outage;
	uint64_t rounds, changed, failed;
};

struct failover_result {
	struct failover_tally tally[FAILOVER_FAULTS];
	unsigned n;
	uint64_t rounds, changes, calls, ok, lost, overlap;
	struct flow_view flow;		/* calls by the queue; nothing sent: there were none */
	char first[256];		/* the first overlap or finding in words, C6 apart; "" */
	uint64_t failures;		/* rounds that failed, lasting */
	char failure[FAILOVER_TOLD][240];	/* the first of them */
	unsigned arenas;
	double seconds;
	bool interrupted;
	struct verify_report verdict;	/* of the histories, one per arena */
};

/* failover_run(o, out, err): blocks.  Once a round was complete, *out holds what there is whatever is
 * returned, and failover_release frees it (always fine).  ERR_TIMEOUT: nobody took over, or the
 * members did not recover; ERR_CANCELLED: stopped before anything was measured.  A lasting run fails
 * only when thirty rounds in a row do, or ten arenas in a row cannot be made.
 *
 * The history is judged while it grows, in the breaks between rounds; its files stay below the directory. */
enum err_code failover_run(const struct failover_opts *o, struct failover_result *out, struct err *err);
void failover_release(struct failover_result *r);

#endif
