/* server_inner.h - inside lib/messaging: a server and its calls, between receiving (server.c) and
 * answering (server_answer.c). */
#ifndef MESSAGING_SERVER_INNER_H
#define MESSAGING_SERVER_INNER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/num.h"
#include "base/str.h"
#include "messaging/server.h"

#define RPC_CALL_MAGIC 0x5e570002u

struct rpc_server {
	unsigned magic;
	atomic_long refs;
	struct conn *conn;
	char *service, *instance;
	char **methods;			/* NULL: all */
	size_t nmethods;
	struct methods *stats;
	struct guard *guard;
	void (*handler)(void *, struct rpc_call *);
	void *arg;
	struct sub **subs;
	size_t nsubs;
	atomic_ulong bad_requests;
	atomic_llong last_ns;		/* when the last request arrived … */
	atomic_bool last_apart;		/* … and whether that was long after the one before */

	pthread_mutex_t lock;		/* leaf: all below */
	pthread_cond_t idle;
	unsigned open;			/* calls that are not answered */
	struct rpc_call *spare;
	unsigned nspare;
};

struct rpc_call {
	unsigned magic;
	struct rpc_call *next;		/* in the list of spares */
	struct rpc_server *server;
	struct msg *msg;		/* for its reply subject and headers */
	const struct envelope *envelope;	/* set only while the handler runs */
	enum data_format format;
	struct mono started, deadline;
	struct method *stats;
	struct str method, message_id, trace_id, source, params, out;
	struct rpc_slot *slot;
	bool has_source, has_params;
	bool exclusive;			/* answered in the nested form (wire.md §5.3), as follows */
	struct gate *gate;		/* it runs under this lease: looked at again, and left; or NULL */
	uint64_t pass, epoch;
	struct str leader;
	uint64_t told;			/* the epoch whose digits are in … */
	char digits[NUM_TEXT_MAX];
	bool lone;			/* one at a time is what comes: its reply need not wait for
					   others to be written with */
};

/* rpc_call_end(c): the memory goes back to the server; counts nothing. */
void rpc_call_end(struct rpc_call *c);

void rpc_server_unref(struct rpc_server *s);
void rpc_call_free(struct rpc_call *c);

#endif
