/* candidate.h - a member's part in an election: the lease, what observers see of it, and the calls
 * that only its holder executes (election.md §6, §8).
 *
 * Joins the elector with the member's record, the leader key, the events, the heartbeat's counters and the
 * exclusive methods.  What the lease is for stays the owner's, who is told by role and reap and answers
 * elector_idle: a wrapped program (app/lead.h), or handlers (client/aegis.h).  Everything is the
 * loop's unless it says otherwise. */
#ifndef MEMBER_CANDIDATE_H
#define MEMBER_CANDIDATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "election/elector.h"

struct candidate;
struct conn;
struct conn_opts;
struct exclusive_counters;
struct fence;
struct loop;
struct member;
struct publisher;
struct rpc_call;
struct traffic;

struct candidate_opts {
	struct loop *loop;
	struct conn *conn;
	const struct conn_opts *access;	/* for connections of its own */
	struct traffic *traffic;	/* where leads and refused calls are counted */
	struct publisher *publisher;	/* of events; outlives it, as does all here */
	gate_word *word;		/* as of elector_opts */
	const char *service, *group, *instance;
	const char *profile;		/* NULL: the group's, else default */
	const char *const *exclusive;	/* methods; NULL: all */
	bool hot;
	unsigned fence_lanes;		/* 0: level gate; else level stream (election.md §6): what this member publishes as the leader
					   goes through candidate_fence */
	int64_t drain_ns;

	/* As of elector_opts; of role, observers and calls were told before. */
	void (*role)(void *arg, const struct elector_role *role);
	void (*reap)(void *arg);
	void (*failed)(void *arg, const struct err *why);
	void (*ended)(void *arg);
	void (*call)(void *arg, struct rpc_call *call);	/* executes; on any thread, as rpc_server's handler */
	void *arg;
};

/* candidate_new(o, err): takes part, but leads only once it is registered and fit. */
struct candidate *candidate_new(const struct candidate_opts *o, struct err *err);

/* candidate_member(c, m): whose record tells the role; right after candidate_new. */
void candidate_member(struct candidate *c, struct member *m);

/* candidate_call(c, call): a request came; the delivering thread. */
void candidate_call(struct candidate *c, struct rpc_call *call);

/* candidate_return(c, call): as exclusive_return. */
void candidate_return(struct candidate *c, struct rpc_call *call);

/* candidate_registered(c): the record stands for the first time.
 * candidate_fit(c, on): whether what the lease is for could run here; at first not.
 * candidate_pause(c, on): exclusive calls wait; at first they do. */
void candidate_registered(struct candidate *c);
void candidate_fit(struct candidate *c, bool on);
void candidate_pause(struct candidate *c, bool on);

/* candidate_leave(c): steps down for good; ended follows. */
void candidate_leave(struct candidate *c);
bool candidate_is_over(const struct candidate *c);	/* ended was said */

/* candidate_leads(c): the lease is held, though perhaps not for certain (SUSPECT).
 * candidate_epoch(c): of that hold; 0 when there is none. */
bool candidate_leads(const struct candidate *c);
uint64_t candidate_epoch(const struct candidate *c);

/* candidate_fence(c): NULL at level gate; fence_ref it to use it after candidate_free. */
struct fence *candidate_fence(struct candidate *c);

struct elector *candidate_elector(struct candidate *c);
const struct exclusive_counters *candidate_counters(const struct candidate *c);

/* candidate_close(c): no call comes any more: what waits is refused.  candidate_free: closes first; the calls
 * are answered.  Blocks for its threads; not from a callback of it.  NULL is fine for both. */
void candidate_close(struct candidate *c);
void candidate_free(struct candidate *c);

#endif
