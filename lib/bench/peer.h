/* peer.h - another process of this program that receives, and tells when.
 *
 * A fork without exec, made before any thread exists: so the credentials that were read once, from
 * a descriptor perhaps, need not be handed over.  Both processes read one clock, so the time of
 * the handler is simply told.  The peer dies with us, and ends when we let go of it. */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/instant.h"
#include "nats/conn.h"

struct peer;

/* peer_fork(o, err): call it before the first thread.  The strings of o must be there already. */
struct peer *peer_fork(const struct conn_opts *o, struct err *err);
void peer_free(struct peer *p);			/* ends the process; NULL is fine */

/* peer_open(p, raw, service, pattern, err): subscribes to the events of that pattern, as a service or by
 * bare nats.c with a durable of that name; returns when deliveries come.  peer_close(p): ends
 * that; the durable stays.  Fine when nothing is open. */
enum err_code peer_open(struct peer *p, bool raw, const char *service, const char *pattern, struct err *err);
void peer_close(struct peer *p);

/* peer_await(p, number, at, err): when the handler got the message with that number; at most 5 s.
 * Others are skipped: they were given up earlier. */
enum err_code peer_await(struct peer *p, uint64_t number, struct mono *at, struct err *err);

#endif
