/* member.h - one live instance: its record, its heartbeats, its answers to $SRV, its RPC.
 *
 * Belongs to the core loop: every function is called on it unless it says otherwise.  What
 * blocks (store, probes) runs on the worker pool.  The order of start is that of wire.md
 * §5.1: subscribe first, register second; of stop: deregister, then drain.  DESIGN.md has
 * the state table of a tenure. */
#ifndef MEMBER_MEMBER_H
#define MEMBER_MEMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/instance.h"

struct conn;
struct loop;
struct member;
struct methods;
struct pool;
struct rpc_call;
struct guard;
struct traffic;

struct member_opts {
	struct loop *loop;
	struct pool *pool;
	struct conn *conn;
	const char *service, *instance, *version, *description;
	const char *metadata;		/* JSON map of the owner's, or NULL; ours is added */
	const char *const *methods;	/* NULL: all */
	int64_t heartbeat_ns;		/* 0: 10 s */
	int64_t ttl_s;			/* 0: 30 s */
	struct guard *guard;		/* judges calls; outlives the member; NULL: none */
	struct traffic *traffic;	/* told in heartbeats beside the calls served; NULL: there is none */
	const char *group;		/* stickyActiveGroup: its only leader is active; NULL: none */
	const char *const *exclusive;	/* with a group: methods that only the leader executes, as the record
					   lists them; NULL: all, and the record lists none */
	bool no_record;			/* serve without registering (ENABLE_REGISTRATION=false) */
	void (*handler)(void *arg, struct rpc_call *call);	/* on the delivering thread */
	void *arg;
	/* On the loop: registered for the first time; another live process has our id (this
	 * member has ended itself); the connection's share in between is retried silently. */
	void (*registered)(void *arg);
	void (*twin)(void *arg, const char *sentence);
};

struct member *member_new(const struct member_opts *o, struct err *err);

/* member_close(m): ends the subscriptions at once: when it returns, the handler runs no more and
 * will not.  Not from the handler; while another thread drains is fine.  Twice is fine, and so is
 * NULL. */
void member_close(struct member *m);

/* member_free(m): closes first.  The pool was freed before, and calls that are not answered yet
 * must not be answered any more: what they are counted in goes.  NULL is fine. */
void member_free(struct member *m);

/* member_start(m, err): subscribes, then registers; retried for ever while NATS is away. */
enum err_code member_start(struct member *m, struct err *err);

/* member_status(m, s): what the record says from now on; written at once when it changed. */
void member_status(struct member *m, enum instance_status s);

/* member_times(m, heartbeat_ns, ttl_s): both from now on, as in member_opts; the record is written at once. */
void member_times(struct member *m, int64_t heartbeat_ns, int64_t ttl_s);

/* How it stands to its group (election.md §8). */
struct member_lead {
	enum sticky_status status;	/* ACTIVE, STANDBY, ELECTING */
	uint64_t epoch;			/* of its own hold, while it leads; else of the one it knows; 0: none */
	struct wall since;		/* since when it leads */
};

/* member_lead(m, l): what the record says of that from now on; written at once when it changed.  A
 * healthy member of a group is ACTIVE while it leads and STANDBY otherwise.  Without a group ignored. */
void member_lead(struct member *m, const struct member_lead *l);

/* member_leave(m, left, arg): removes the record and broadcasts it; left(arg) is called when
 * done, or when the store did not answer within its time-out. */
void member_leave(struct member *m, void (*left)(void *arg), void *arg);

/* member_drain(m, timeout_ns): blocks (not on the loop, see pool.h) until the calls that
 * arrived are answered; returns how many were not. */
unsigned member_drain(struct member *m, int64_t timeout_ns);

struct methods *member_methods(struct member *m);
const char *member_nonce(const struct member *m);
bool member_is_registered(const struct member *m);

#endif
