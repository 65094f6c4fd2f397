/* conn_inner.h - inside lib/nats: a connection from within. */
#ifndef NATS_CONN_INNER_H
#define NATS_CONN_INNER_H

#include <pthread.h>
#include <stdatomic.h>

#include "nats/nats_c.h"

#define CONN_MAGIC 0xc0110001u

struct listener {
	void (*fn)(void *, enum conn_event);
	void *arg;
};

struct conn {
	unsigned magic;
	natsConnection *nc;
	natsOptions *opts;
	jsCtx *js;
	char *servers, *js_prefix, *inbox_prefix;
	int64_t timeout_ns;
	bool pinned;
	atomic_int state;
	atomic_ulong reconnects;
	atomic_llong max_payload;	/* as the last server said; asking nats.c waits for its writer */

	pthread_mutex_t lock;		/* leaf: the listeners, and who is being called */
	pthread_cond_t idle;
	struct listener *listeners;
	size_t n, cap;
	unsigned calling;		/* callbacks under way */
	bool closed;			/* the library's last callback for this connection came */
	char server_name[128], server_id[128];	/* of the last connection, so that nobody waits for nats.c's lock */
	uint64_t client_id;
	char denied[160];		/* the last thing that the server did not permit, and when */
	struct mono denied_at;
};

/* conn_explain(c, code, err): a refused request gets no answer, only a word of the server
 * beside it.  So a time-out that such a word explains becomes ERR_DENIED; returns the code. */
enum err_code conn_explain(struct conn *c, enum err_code code, struct err *err);

/* conn_set_options(c, o, err): fills c->opts; ERR_CONFIG names what cannot be used. */
enum err_code conn_set_options(struct conn *c, const struct conn_opts *o, struct err *err);

/* conn_set_access(c, o, err): of these only servers, credentials and TLS. */
enum err_code conn_set_access(struct conn *c, const struct conn_opts *o, struct err *err);

/* The library's callbacks, on its threads; arg is the conn. */
void conn_on_connected(natsConnection *nc, void *arg);
void conn_on_reconnected(natsConnection *nc, void *arg);
void conn_on_disconnected(natsConnection *nc, void *arg);
void conn_on_closed(natsConnection *nc, void *arg);
void conn_on_error(natsConnection *nc, natsSubscription *s, natsStatus status, void *arg);

#endif
