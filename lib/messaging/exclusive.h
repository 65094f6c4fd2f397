/* exclusive.h - methods that only the active member executes: the way of a call past the gate.
 *
 * Where the gate is open a call goes straight to the handler, on the thread that brought it, and
 * costs a look at a clock.  Everything else is the loop's: waiting for a holder, passing the call on
 * to it, refusing it (relay.h, election.md §6).  Bounds: 1,000 calls and 16 MiB wait here, 4,096
 * are with the holder; beyond that NOT_ACTIVE. */
#ifndef MESSAGING_EXCLUSIVE_H
#define MESSAGING_EXCLUSIVE_H

#include <stdatomic.h>

#include "base/err.h"
#include "messaging/relay.h"

struct conn;
struct exclusive;
struct gate;
struct loop;
struct pool;
struct rpc_call;

struct exclusive_opts {
	struct conn *conn;
	struct loop *loop;
	struct pool *pool;		/* for the flush after a pause */
	struct gate *gate;		/* outlives it and its calls */
	const char *service, *instance;	/* copied, as are the methods */
	const char *const *methods;	/* exclusive ones, NULL-terminated; NULL: all */
	int64_t pause_ns;		/* D: after a pause of the process that was longer, what waited in the
					   socket is refused; 0: exclusive_pause_after says it later */
	/* Executes it; as rpc_server's handler, but perhaps on the loop.  rpc_call_epoch tells the hold's. */
	void (*handler)(void *arg, struct rpc_call *call);
	void *arg;
};

/* exclusive_new(o, err): knows no holder, and executes what the gate lets through. */
struct exclusive *exclusive_new(const struct exclusive_opts *o, struct err *err);

/* exclusive_pause_after(x, ns): D, once it is known.  Loop. */
void exclusive_pause_after(struct exclusive *x, int64_t ns);

/* exclusive_covers(x, method): whether it is one of the exclusive methods.  Any thread. */
bool exclusive_covers(const struct exclusive *x, const char *method);

/* exclusive_call(x, call): takes a call of a method that it covers; the thread that brought it. */
void exclusive_call(struct exclusive *x, struct rpc_call *call);

/* exclusive_return(x, call): one that was let in, but its hold is over, and nothing of it was begun: it is as if it came only
 * now.  Loop. */
void exclusive_return(struct exclusive *x, struct rpc_call *call);

/* exclusive_pause(x, on): what executes the calls is not ready: also of a leader they wait here, as
 * in RELAY_SUSPECT.  At first it is.  Loop. */
void exclusive_pause(struct exclusive *x, bool on);

/* exclusive_stance(x, s, epoch): how this member stands to the lease, and its own epoch.
 * exclusive_holder(x, instance, epoch, let_go): which other member leads; "" and 0: nobody is known to.  let_go: as of relay_facts.
 * exclusive_released(x, epoch): holds up to it are known to have ended by a release.
 * What waits is looked at anew.  Loop. */
void exclusive_stance(struct exclusive *x, enum relay_stance s, uint64_t epoch);
void exclusive_holder(struct exclusive *x, const char *instance, uint64_t epoch, uint64_t let_go);
void exclusive_released(struct exclusive *x, uint64_t epoch);

/* Why a call was refused with NOT_ACTIVE. */
enum exclusive_refusal {
	EXCLUSIVE_STANDBY,	/* this member alone was asked, and does not lead */
	EXCLUSIVE_OLD,		/* meant for another hold, or it may have waited in the socket */
	EXCLUSIVE_LATE,		/* its budget ended before a leader was found */
	EXCLUSIVE_FULL,		/* too many wait */
	EXCLUSIVE_REFUSALS
};

/* Any thread. */
struct exclusive_counters {
	_Atomic uint64_t executed, relayed, parked;	/* calls that were ever; executed: let past the gate */
	_Atomic uint64_t refused[EXCLUSIVE_REFUSALS];
	_Atomic uint64_t unknown;			/* OUTCOME_UNKNOWN */
	_Atomic uint64_t pauses;			/* after which the socket was looked through */
	_Atomic uint64_t waiting;			/* now */
};
const struct exclusive_counters *exclusive_counters(const struct exclusive *x);

/* exclusive_close(x): what waits is refused, what is with the holder is OUTCOME_UNKNOWN.  Loop, or its
 * thread when it does not run; no call comes any more, and what is returned is refused.  exclusive_free closes first; the pool was freed
 * before.  NULL is fine for both. */
void exclusive_close(struct exclusive *x);
void exclusive_free(struct exclusive *x);

#endif
