/* lead.h - inside lib/app: a wrapper's part in an election, as one part of its life (run-service
 * --single-active; election.md §6, §8, §10).
 *
 * It joins the elector with the member (what observers see), the exclusive methods (which calls
 * may run) and the runner (what may live).  It decides nothing about leases and nothing about the
 * program but when it must not live: DESIGN.md has the table.  Everything is the loop's
 * unless it says otherwise. */
#ifndef APP_LEAD_H
#define APP_LEAD_H

#include <stdbool.h>

#include "base/err.h"
#include "runner/runner.h"

struct conn;
struct conn_opts;
struct elector;
struct exclusive_counters;
struct gate;
struct lead;
struct loop;
struct member;
struct publisher;
struct rpc_call;
struct tether;
struct traffic;

/* What the program is to do. */
enum lead_wish {
	LEAD_RUN,		/* start it */
	LEAD_STOP,		/* end it in good order */
	LEAD_KILL,		/* end it now */
};

struct lead_opts {
	struct loop *loop;
	struct conn *conn;
	const struct conn_opts *access;	/* for connections of its own */
	struct traffic *traffic;	/* where leads and refused calls are counted */
	struct publisher *publisher;	/* of events; outlives it, as does all here */
	struct tether *tether;		/* of the runner */
	const char *service, *group, *instance;
	const char *profile;		/* NULL: the group's, else default */
	const char *const *exclusive;	/* methods; NULL: all */
	bool cold;			/* the program runs on the leader only */
	unsigned fence_lanes;		/* as of candidate_opts */
	int64_t drain_ns;

	void (*wish)(void *arg, enum lead_wish w);
	void (*told)(void *arg);	/* its role is another: tell the program, and the record (lead_role) */
	void (*failed)(void *arg, const struct err *why);	/* it can never take part: ERR_CONFIG */
	void (*ended)(void *arg);	/* after lead_leave: nothing is held any more */
	void (*call)(void *arg, struct rpc_call *call);	/* executes; on any thread, as rpc_server's handler */
	void *arg;
};

struct lead *lead_new(const struct lead_opts *o, struct err *err);

/* lead_member(l, m): whose record tells the role; right after lead_new. */
void lead_member(struct lead *l, struct member *m);

/* lead_call(l, call): a request came; the delivering thread. */
void lead_call(struct lead *l, struct rpc_call *call);

/* lead_return(l, call): the program was not given it, because the hold that it was let in under was over. */
void lead_return(struct lead *l, struct rpc_call *call);

/* lead_registered(l): the record stands for the first time.
 * lead_status(l, s): how the program is.  True: it is as it should be, though perhaps it does not run.
 * lead_gone(l): nothing of it is alive.  True: that was wished here and is no end of the wrapper. */
void lead_registered(struct lead *l);
void lead_lapsed(struct lead *l);	/* the guardian told the program that the lease runs out */
bool lead_status(struct lead *l, enum runner_status s);
bool lead_gone(struct lead *l);

/* lead_leave(l): steps down for good, in the order of conventions.md §9; ended follows, for a
 * program that runs on the leader only not before lead_gone. */
void lead_leave(struct lead *l);
bool lead_is_over(const struct lead *l);

struct lead_role {
	const char *name;		/* "active", "standby"; a constant */
	uint64_t epoch;			/* of the hold; 0 when it does not lead */
};
struct lead_role lead_role(const struct lead *l);
bool lead_is_cold(const struct lead *l);
struct gate *lead_gate(struct lead *l);		/* any thread */
struct fence *lead_fence(struct lead *l);	/* NULL at level gate */
struct elector *lead_elector(struct lead *l);
const struct exclusive_counters *lead_counters(const struct lead *l);

/* lead_close(l): no call comes any more: what waits is refused.  lead_free: closes first; the runner and
 * the calls are gone.  When the loop does not run.  NULL is fine for both. */
void lead_close(struct lead *l);
void lead_free(struct lead *l);

#endif
