/* node.c - made in the order in which a long-running process makes it. */
#include "bench/node.h"

#include <string.h>

#include "discovery/discovery.h"
#include "nats/publisher.h"
#include "sys/loop.h"
#include "sys/pool.h"

#define MAILBOX 4096
#define BATCH_US 100			/* what aegis.h recommends for many calls in flight */

int64_t
node_flusher_us(unsigned in_flight)
{
	return in_flight > 1 ? BATCH_US : 0;
}

enum err_code
node_open(struct node *n, const struct conn_opts *o, int64_t flusher_wait_us, struct err *err)
{
	struct conn_opts co = *o;

	memset(n, 0, sizeof *n);
	co.flusher_wait_us = flusher_wait_us;
	if ((n->conn = conn_new(&co, err)) == NULL)
		return err->code;
	if ((n->loop = loop_new(clock_system(), MAILBOX, err)) == NULL ||
	    (n->pool = pool_new(n->loop, 2, 64, err)) == NULL ||
	    (n->publisher = publisher_new(&(struct publisher_opts){ .conn = n->conn, .loop = n->loop }, err)) == NULL) {
		node_close(n);
		return err->code;
	}
	n->discovery = discovery_new(&(struct discovery_opts){ .loop = n->loop, .conn = n->conn });
	return ERR_OK;
}

enum err_code
node_run(struct node *n, struct err *err)
{
	return loop_thread_start(&n->thread, n->loop, err);
}

void
node_stop(struct node *n)
{
	loop_thread_stop(&n->thread);
}

void
node_close(struct node *n)
{
	node_stop(n);
	if (n->conn != NULL)
		conn_flush(n->conn, NS_PER_S, NULL);	/* acknowledgements that were just given */
	pool_free(n->pool);
	if (n->discovery != NULL)
		discovery_free(n->discovery);
	publisher_free(n->publisher);
	conn_free(n->conn);
	loop_free(n->loop);
	memset(n, 0, sizeof *n);
}
