/* client.h - inside lib/client: what the files behind aegis.h share. */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <pthread.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "client/aegis.h"
#include "codec/codec.h"
#include "sys/pool.h"

struct caller;
struct conn;
struct discovery;
struct member;
struct rpc_call;

struct served {
	char *method;
	aegis_handler *fn;
	void *arg;
	bool inline_;
};

struct aegis {
	unsigned magic;
	struct loop *loop;
	pthread_t thread;
	bool running;			/* the loop's thread exists */
	struct mail stop;		/* ends it */
	struct conn *conn;
	struct discovery *discovery;
	struct caller *caller;
	struct pool *pool;		/* store operations of the member */
	struct pool *handlers;
	int64_t timeout_ns;
	enum data_format format;

	struct served *served;		/* fixed from aegis_register on */
	size_t nserved;

	char *instance;			/* aegis_register's thread writes it, while enrolling */

	pthread_mutex_t lock;		/* leaf: all below */
	pthread_cond_t changed;
	struct member *member;		/* made and freed on the loop */
	bool enrolling;			/* a thread is in aegis_register */
	bool registered, twin, left;
	char twin_text[400];
};

#define AEGIS_MAGIC 0xae615001u

/* client_on_call: a request arrived; on the delivering thread. */
void client_on_call(void *arg, struct rpc_call *call);

/* client_out_value(o, out, err): the map that o builds; it lies in o and dies with it.
 * ERR_INVALID when it goes too deep. */
enum err_code client_out_value(aegis_out *o, struct value *out, struct err *err);

/* Texts handed out as C strings: kept until the object that they came from goes. */
struct kept {
	char **v;
	size_t n, cap;
};
const char *kept_text(struct kept *k, struct text t);
void kept_release(struct kept *k);

/* client_err(e): aegis_error and struct err are the same to the last byte. */
static inline struct err *
client_err(aegis_error *e)
{
	return (struct err *)(void *)e;
}

#endif
