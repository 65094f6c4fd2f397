/* node.h - inside lib/bench: a connection with a core loop of its own, as any process would have. */
#ifndef BENCH_NODE_H
#define BENCH_NODE_H

#include "base/err.h"
#include "nats/conn.h"
#include "sys/loop_thread.h"

struct loop;
struct pool;
struct publisher;
struct discovery;

/* What a side hangs on it is made between node_open and node_run, and freed between node_stop and
 * node_close: then no other thread is the loop's. */
struct node {
	struct conn *conn;
	struct loop *loop;
	struct pool *pool;
	struct publisher *publisher;
	struct discovery *discovery;
	struct loop_thread thread;
};

/* node_open(n, o, flusher_wait_us, err): connects as o says, batching writes for that long
 * (0: not).  On failure n is empty, and node_close is fine. */
enum err_code node_open(struct node *n, const struct conn_opts *o, int64_t flusher_wait_us, struct err *err);
enum err_code node_run(struct node *n, struct err *err);	/* the loop's thread begins */
void node_stop(struct node *n);					/* and ends; fine when it never began */
void node_close(struct node *n);				/* stops first */

/* node_flusher_us(in_flight): with many in flight writes are batched, with one they go at once;
 * the same for bare nats.c. */
int64_t node_flusher_us(unsigned in_flight);

#endif
