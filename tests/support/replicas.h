/* replicas.h - two replicas of what knows credentials, on one server, and somebody who shows some. */
#ifndef SUPPORT_REPLICAS_H
#define SUPPORT_REPLICAS_H

#include "expect.h"

#include "auth/auth.h"
#include "auth/record.h"
#include "bus.h"
#include "nats/conn.h"
#include "nats/kv.h"
#include "nats/stream.h"

#define PEER "192.0.2.1"

struct world {
	struct bus bus;
	struct conn *conn[2];
	struct auth *auth[2];
	struct err err;
};

static inline struct auth *
replica(struct world *w, int i)
{
	struct conn_opts co = { .servers = bus_url(&w->bus), .name = "t_auth", .timeout_ns = 30 * NS_PER_S };

	assert_non_null(w->conn[i] = conn_new(&co, &w->err));
	assert_non_null(w->auth[i] = auth_new(&(struct auth_opts){ .conn = w->conn[i], .create = true }, &w->err));
	return w->auth[i];
}

static inline void
open_world(struct world *w)
{
	memset(w, 0, sizeof *w);
	assert_true(bus_start(&w->bus));
	for (int i = 0; i < 2; i++) {
		replica(w, i);
		WAIT_FOR(!auth_state(w->auth[i]).stale);
	}
}

static inline void
close_world(struct world *w)
{
	for (int i = 0; i < 2; i++) {
		auth_free(w->auth[i]);
		conn_free(w->conn[i]);
	}
	bus_end(&w->bus);
}

static inline struct auth_token
make(struct world *w, int i, const char *name, int64_t ttl_ns, char secret[AUTH_TEXT_MAX])
{
	struct auth_token t;
	struct auth_wish wish = { .name = name, .role = AUTH_OPERATOR, .ttl_ns = ttl_ns, .by = "test" };

	expect_ok(auth_create(w->auth[i], &wish, secret, &t, &w->err), &w->err);
	return t;
}

static inline enum err_code
shows(struct world *w, int i, const char *secret)
{
	struct auth_who who;

	return auth_token(w->auth[i], text_of(secret), PEER, &who, &w->err);
}

static inline enum err_code
browses(struct world *w, int i, const char *cookie)
{
	struct auth_who who;

	return auth_session(w->auth[i], cookie, &who, &w->err);
}

static inline int64_t
ms_since(struct mono then)
{
	return mono_since(clock_mono(clock_system()), then) / NS_PER_MS;
}

/* --- tokens --------------------------------------------------------------------------------- */

static inline void
remember(void *arg, const struct kv_entry *e)
{
	str_puts(arg, e->key);
	str_putc(arg, '\n');
	if (!e->gone)
		str_add(arg, e->value, e->n);
	str_putc(arg, '\n');
}

/* --- sessions and codes --------------------------------------------------------------------- */

static inline void
put_record(struct world *w, enum auth_kind kind, const char *id, const char *text)
{
	char key[AUTH_KEY_MAX];
	struct kv kv = { w->conn[0], AUTH_BUCKET };

	auth_key(kind, id, key);
	expect_ok(kv_put(&kv, &(struct kv_put){ .key = key, .value = text, .n = strlen(text), .expect = KV_ANY }, NULL, &w->err),
	    &w->err);
}

#endif
