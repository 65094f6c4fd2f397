/* local_inner.h - inside lib/api: what the handlers of the local API share. */
#ifndef API_LOCAL_INNER_H
#define API_LOCAL_INNER_H

#include <pthread.h>
#include <stdatomic.h>

#include "api/local.h"
#include "base/id.h"
#include "base/instant.h"
#include "base/str.h"
#include "http/server.h"
#include "model/value.h"

#define LOCAL_BODY_MAX (1 << 20)	/* NATS takes no more in one message by default */
#define LOCAL_TOKEN_MAX 65		/* 256 bits as hex digits, and a terminator */

struct local {
	unsigned magic;
	struct conn *conn;
	struct caller *caller;
	struct publisher *publisher;
	struct sender *sender;
	struct traffic *traffic;
	struct guard *guard;
	const struct gate *gate;
	struct fence *fence;
	enum err_code (*progress)(void *arg, const char *id, double percent, const char *status, struct err *err);
	void (*config)(void *arg, struct str *out);
	void *arg;
	_Atomic int64_t call_timeout_ns;	/* of calls that do not say */
	atomic_int call_retry;		/* enum retry_name */
	struct web_server *server;
	char *service, *instance, *version;
	char *directory;		/* ours, to be removed; or NULL */
	char token[LOCAL_TOKEN_MAX];
	atomic_bool has_stream;		/* EVENTS was seen */

	pthread_mutex_t lock;		/* leaf: all below */
	pthread_cond_t changed;
	struct local_state state;
	uint64_t version_told;		/* of state; grows */
	bool stopping;
};

#define LOCAL_MAGIC 0xae618001u

/* local_gate(l, pass, err): ERR_NOT_ACTIVE when it is not this instance's turn to act; else *pass names the hold under which it
 * acts, for whatever is sent later. */
enum err_code local_gate(const struct local *l, uint64_t *pass, struct err *err);

web_handler local_call, local_command, local_event, local_progress, local_status, local_config, local_watch;

/* What a request says beside its body; the same words on every route. */
struct local_terms {
	int64_t timeout_ns;		/* ?timeout= or Aegis-Deadline, the shorter one; 0: not said */
	char trace_id[129];		/* Aegis-Trace-Id, or traceparent's, or a fresh one */
	const char *parent;		/* a valid traceparent, the request's; or NULL */
	char key[129];			/* Idempotency-Key; "" */
};

/* local_terms(r, names, t, err): reads them; names are the query parameters that this route has
 * besides "timeout" (NULL-terminated).  Sets Aegis-Trace-Id of the answer. */
enum err_code local_terms(struct web_request *r, const char *const *names, struct local_terms *t, struct err *err);

/* local_duration(r, name, out, err): ?name=2s, at most an hour; *out is left alone when absent. */
enum err_code local_duration(const struct web_request *r, const char *name, int64_t *out, struct err *err);

/* local_body(r, out, err): the body as a map; absent when there is none.  Uses codec_mine. */
enum err_code local_body(const struct web_request *r, struct data *out, struct err *err);

#endif
