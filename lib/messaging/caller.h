/* caller.h - the calling side of RPC: pick, send to the instance, fall back, wait.
 *
 * One wildcard subscription carries all replies of a process; a call takes a place in a
 * table of fixed size, and its number is the end of its reply subject.  Policy when the
 * table is full: refuse (ERR_BUSY). */
#ifndef MESSAGING_CALLER_H
#define MESSAGING_CALLER_H

#include <stdbool.h>

#include "base/err.h"
#include "discovery/pick.h"
#include "messaging/retry.h"
#include "model/envelope.h"
#include "nats/conn.h"

struct caller;
struct discovery;
struct gate;
struct loop;
struct traffic;

#define CALLER_MAX_INFLIGHT 4096

struct caller_opts {
	struct conn *conn;
	struct discovery *discovery;
	struct loop *loop;		/* where time-outs of caller_start are noticed */
	const char *source;		/* our instance id, or NULL */
	enum data_format format;	/* of requests */
	struct traffic *traffic;	/* where calls are counted; NULL: nowhere */
};

struct caller *caller_new(const struct caller_opts *o, struct err *err);

/* caller_stop(c): calls in flight, and those that come, end with ERR_CLOSED; returns when no
 * thread is in caller_call or caller_start any more, so never from one, nor from a done function;
 * ends the waits of its discovery too (discovery_stop).  Any other thread; done functions are
 * called on this one.  caller_free stops first; the loop's thread, or when the loop does not run;
 * nobody may begin a call any more.  NULL is fine for both. */
void caller_stop(struct caller *c);
void caller_free(struct caller *c);

struct call_spec {
	const char *service, *method;
	struct data params;		/* a map; absent: an empty one */
	const struct value *tree;	/* or the map as a tree; NULL: as params say */
	const char *instance;		/* this one and no other */
	enum pick_strategy strategy;
	const char *preferred;		/* for PICK_STICKY */
	int64_t timeout_ns;		/* 0: 5 s */
	const char *trace_id;		/* NULL: a fresh one, or that of traceparent */
	const char *traceparent;	/* W3C, passed on in a header; NULL: made of trace_id where that can be */

	/* caller_call alone: what is tried again. */
	enum retry_name retry;
	uint32_t retries;		/* further attempts at most; 0: as the policy says */
	bool idempotent;		/* also what perhaps was executed; all attempts have one message_id */
	int64_t attempt_ns;		/* with it: how long one attempt may take; 0: all that is left */

	/* caller_call alone: to the member that leads, and once at most unless idempotent (election.md §7);
	 * instance, strategy and retry do not count then. */
	bool sticky;
	const char *sticky_group;	/* NULL: the only one that the service has */

	const struct gate *gate;	/* NULL: none.  Nothing of it is sent once the hold that `pass` names is over (sys/gate.h);
					   outlives the call */
	uint64_t pass;

	/* Set between attempts. */
	const char *message_id;		/* NULL: a fresh one */
	const char *avoid;		/* who refused; another instance, if there is one */
	bool group;			/* no instance: whoever of the service takes it */
	const char *holder;		/* this one, whatever the registry says of it, and … */
	uint64_t epoch;			/* … only while it leads with this epoch */
};

/* The answer.  result lies in this thread's decoder (codec_mine) and in msg: it lives until
 * either decodes again or the reply is released, so look at it first. */
struct call_reply {
	struct msg *msg;
	struct value result;
	double latency_ms;
	unsigned attempts;		/* made in all */
	bool direct;			/* one instance was asked, though others may have answered */
	char instance[104];		/* who answered, as far as known; else "" */
};
void call_reply_release(struct call_reply *r);

/* caller_call(c, spec, reply, err): blocks until the answer or the deadline; any thread but
 * the core loop and library threads.  Tries again as spec says (retry.h).  Errors tell apart:
 * ERR_SERVICE_UNKNOWN (with near names), ERR_INSTANCE_UNKNOWN, ERR_NO_MEMBER (last seen when),
 * ERR_TIMEOUT, ERR_HANDLER (the handler's text), ERR_UNAVAILABLE, ERR_BUSY, ERR_NOT_ACTIVE,
 * ERR_OUTCOME_UNKNOWN, ERR_INVALID; that of the last attempt counts (with a gate ERR_NOT_ACTIVE, when there was none).  ERR_ELECTING: a sticky call's
 * time was over and nobody is known to lead. */
enum err_code caller_call(struct caller *c, const struct call_spec *spec, struct call_reply *reply,
    struct err *err);

/* caller_start(c, spec, done, arg, err): one attempt, without waiting.  done(arg, reply, err) is
 * called exactly once when this returns ERR_OK, on a library thread or the loop; reply is
 * NULL on failure and otherwise lives until done returns.  done must not block.  A first
 * call does not wait for the registry: until its listing is there, calls go to the group. */
enum err_code caller_start(struct caller *c, const struct call_spec *spec,
    void (*done)(void *arg, const struct call_reply *reply, const struct err *err), void *arg,
    struct err *err);

/* caller_source(c, instance): the instance id that requests name from now on, instead of the one
 * of caller_opts, or the last one.  Any thread. */
void caller_source(struct caller *c, const char *instance);

unsigned caller_inflight(const struct caller *c);

#endif
