/* server.h - the serving side of RPC (wire.md §5): subscribe, decode, hand over, answer.
 *
 * Requests are decoded on the thread that delivers them and handed to one handler, which
 * must not block there: it answers, or passes the call on.  Every call is answered exactly
 * once, from any thread; answering frees it. */
#ifndef MESSAGING_SERVER_H
#define MESSAGING_SERVER_H

#include <stdbool.h>

#include "base/err.h"
#include "base/instant.h"
#include "model/envelope.h"

struct conn;
struct guard;
struct methods;
struct gate;
struct msg;
struct rpc_server;
struct rpc_call;

struct rpc_server_opts {
	struct conn *conn;
	const char *service, *instance;
	const char *const *methods;	/* NULL-terminated, repetitions do not count; NULL: every method */
	struct guard *guard;		/* judges parameters and results; outlives the server and its calls; NULL: none */
	struct methods *stats;		/* where calls are counted; must outlive the server */
	void (*handler)(void *arg, struct rpc_call *call);
	void *arg;
};

/* rpc_server_new(o, err): for each method subscribes to rpc.{service}.{method} in the service's
 * queue group and to rpc.{service}.{instance}.{method}; to nothing for an empty list, to both
 * with a wildcard for all methods.  Strings are copied. */
struct rpc_server *rpc_server_new(const struct rpc_server_opts *o, struct err *err);

/* rpc_server_leave(s): takes no new calls; those that arrived are still handed over.  Does not
 * block.  Once is enough. */
void rpc_server_leave(struct rpc_server *s);

/* rpc_server_drain(s, timeout_ns): leaves the queue group, still hands over what arrived,
 * and waits until every call is answered.  Returns how many were not.  Blocks. */
unsigned rpc_server_drain(struct rpc_server *s, int64_t timeout_ns);

/* rpc_server_stop(s): ends the subscriptions at once; when it returns, the handler runs no more
 * and will not.  Not from the handler; while another thread drains is fine. */
void rpc_server_stop(struct rpc_server *s);

/* rpc_server_free(s): stops first.  NULL is fine.  Calls that are not answered yet may be
 * answered later; their memory is theirs. */
void rpc_server_free(struct rpc_server *s);

uint64_t rpc_server_bad_requests(const struct rpc_server *s);

/* What the handler sees.  The envelope lives until the handler returns, and only on its
 * thread; everything else until the call is answered. */
const struct envelope *rpc_call_envelope(const struct rpc_call *c);
const char *rpc_call_method(const struct rpc_call *c);
const char *rpc_call_message_id(const struct rpc_call *c);
const char *rpc_call_trace_id(const struct rpc_call *c);
const char *rpc_call_source(const struct rpc_call *c);		/* NULL when the caller named none */
const char *rpc_call_header(const struct rpc_call *c, const char *name);	/* NULL when absent */
struct text rpc_call_header_text(const struct rpc_call *c, const char *name);	/* as msg_header_text */
struct mono rpc_call_deadline(const struct rpc_call *c);	/* after that nobody waits for the answer */
struct method *rpc_call_stats(const struct rpc_call *c);

/* rpc_call_params_json(c): the parameters as compact JSON text; made at the first call,
 * which must happen inside the handler. */
const char *rpc_call_params_json(struct rpc_call *c);

/* Something of the handler's own that stays with the memory of a call and is used again with
 * the next call in it; NULL at first.  reset is called when a call is over, on the thread that
 * answered it, free when the memory goes. */
struct rpc_slot {
	void (*reset)(struct rpc_slot *s);
	void (*free)(struct rpc_slot *s);
};
struct rpc_slot **rpc_call_slot(struct rpc_call *c);

/* rpc_answer(c, result, err): success; result in either format is passed on in the
 * caller's.  When it cannot be sent (not encodable, larger than the server takes) an error
 * is answered instead and its code returned.  c is gone in any case. */
enum err_code rpc_answer(struct rpc_call *c, struct data result, struct err *err);
enum err_code rpc_answer_value(struct rpc_call *c, struct value result, struct err *err);

/* rpc_refuse(c, code, text): the error reply "WIRE_CODE: text".  text NULL: the code's own.  A
 * handler's own error goes out as ERR_HANDLER with its text alone, no code in front. */
void rpc_refuse(struct rpc_call *c, enum err_code code, const char *text);

/* Exclusive methods (exclusive.h), in the handler or later, by whoever has the call.
 *
 * rpc_call_lead(c, leader, epoch): from now on it is answered in the nested form of wire.md §5.3, with
 * headers that name the leader (NULL: nobody is known) and its epoch.  Refusals that are no word of
 * that form (busy, time-outs) stay plain errors.
 * rpc_call_hold(c, gate, pass): it runs under this lease, after gate_enter said so: looked at again
 * right before a result is sent, and left when the call is over.  gate outlives the call.
 * rpc_call_holds(c): the lease it runs under still stands, or it runs under none; looked at right before it is handed on.
 * rpc_call_release(c): it does not, and nothing of c was begun: c runs under none any more, as if it came only now.
 * rpc_refuse_lapsed(c): likewise, and it is answered with NOT_ACTIVE, so that it may be sent elsewhere.
 * rpc_call_epoch(c): that of the hold it runs under; 0 when it runs under none.
 * rpc_call_again(c): hands it to the server's handler once more, with its envelope; on any thread.
 * rpc_pass_on(c, reply): another member's reply is the answer; reply stays the caller's. */
void rpc_call_lead(struct rpc_call *c, const char *leader, uint64_t epoch);
void rpc_call_hold(struct rpc_call *c, struct gate *gate, uint64_t pass);
bool rpc_call_holds(const struct rpc_call *c);
void rpc_call_release(struct rpc_call *c);
void rpc_refuse_lapsed(struct rpc_call *c);
uint64_t rpc_call_epoch(const struct rpc_call *c);
void rpc_call_again(struct rpc_call *c);
void rpc_pass_on(struct rpc_call *c, const struct msg *reply);
bool rpc_call_is_direct(const struct rpc_call *c);		/* it came on the instance's own subject */
struct data rpc_call_request(const struct rpc_call *c);		/* the request as it came; its own */

#endif
