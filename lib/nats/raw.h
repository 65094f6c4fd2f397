/* raw.h - bare nats.c request-reply, the baseline that our own RPC is measured against.
 *
 * For benchmarks only.  Two plain connections of its own: one answers every request with
 * fixed bytes, the other asks.  Nothing of ours lies between the caller and nats.c: no
 * envelope, no codec, no registry, no table of calls. */
#ifndef NATS_RAW_H
#define NATS_RAW_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct raw;
struct conn_opts;

struct raw_opts {
	const char *servers;
	const struct conn_opts *access;	/* credentials and TLS, instead of servers alone; may be NULL */
	int64_t flusher_wait_us;	/* of both connections; 0: nats.c's way */
	const void *request, *reply;	/* what is sent each way; copied */
	size_t nrequest, nreply;
};

struct raw *raw_new(const struct raw_opts *o, struct err *err);
void raw_free(struct raw *r);		/* NULL is fine */

/* raw_once(r, err): one request by natsConnection_Request.  Blocks. */
enum err_code raw_once(struct raw *r, struct err *err);

/* raw_start(r, slot, err): sends one request whose reply subject ends with the number; its reply is told
 * to what raw_on_reply was given, on the thread that delivers it.  Does not wait, and knows of no
 * time-out: a lost reply is never told. */
void raw_on_reply(struct raw *r, void (*done)(void *arg, unsigned slot, const struct err *err), void *arg);
enum err_code raw_start(struct raw *r, unsigned slot, struct err *err);

/* raw_each(r, n, ns, err): n requests, one after the other, by natsConnection_Request; ns[i]
 * is how long each took.  Blocks. */
enum err_code raw_each(struct raw *r, size_t n, int64_t *ns, struct err *err);

#endif
