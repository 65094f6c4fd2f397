/* side.h - inside lib/bench: one thing that can be measured, open and ready: ours, or bare nats.c.
 *
 * A side does its work in one or both of two ways: `once` blocks, `start` goes on while others are
 * under way.  What it needs (a service, a record, a consumer) it makes when it is opened and
 * removes when it is closed. */
#ifndef BENCH_SIDE_H
#define BENCH_SIDE_H

#include "base/err.h"
#include "base/instant.h"
#include "base/str.h"
#include "model/envelope.h"
#include "nats/conn.h"

struct peer;

#define BENCH_IN_FLIGHT_MAX 1024

/* Where a side says that what was started under a number is over; err NULL: it succeeded.  From any
 * thread, also before `start` has returned. */
struct bench_hook {
	void (*done)(void *arg, unsigned slot, const struct err *err);
	void *arg;
};

struct bench_ops {
	/* once(side, ended, err): does it once.  When it ended in another process or on another
	 * thread, *ended becomes that time; left alone it is that of the return. */
	enum err_code (*once)(void *side, struct mono *ended, struct err *err);
	/* start(side, slot, err): NULL: `once` on a thread for each that is in flight. */
	enum err_code (*start)(void *side, unsigned slot, struct err *err);
	/* crowd(side, present, err): the instances beside it come or go, and it has noticed when this
	 * returns; NULL: there are none. */
	enum err_code (*crowd)(void *side, bool present, struct err *err);
	void (*close)(void *side);
	unsigned batch;			/* what `once` does is that many; 0: one */
};

struct bench_side {
	const struct bench_ops *ops;
	void *arg;
};

/* What a side is opened with. */
struct bench_env {
	const struct conn_opts *conn;
	const char *token;		/* of this run, in every name that it makes: 8 hex digits */
	size_t size;			/* bytes of payload */
	enum data_format format;
	unsigned in_flight;
	unsigned instances;		/* that live beside it; 0: none */
	const char *service, *method;	/* rpc: the target; NULL: a service of our own */
	const char *params;		/* rpc: of the target, JSON */
	struct peer *peers[2];		/* event handler: the processes of both sides; NULL: none */
	struct bench_hook hook;		/* of `start` */
};

enum bench_which { BENCH_OURS, BENCH_RAW };

/* side_payload(env, number, out): the map that every message carries, in env's format:
 * {"n":number,"data":"xxx…"} with env->size bytes of data. */
void side_payload(const struct bench_env *env, uint64_t number, struct str *out);

/* side_envelope(env, kind, service, out): a whole message of a kind with that payload, as we would
 * send it: what bare nats.c sends is of the same length. */
void side_envelope(const struct bench_env *env, enum envelope_kind kind, const char *service, struct str *out);

/* side_name(env, which, out): "aegis-bench-1a2b3c4d", or "…-raw": a service, and a word in subjects. */
#define SIDE_NAME_MAX 48
void side_name(const struct bench_env *env, enum bench_which which, char out[SIDE_NAME_MAX]);

typedef enum err_code bench_open(const struct bench_env *env, enum bench_which which, struct bench_side *out,
    struct err *err);

bench_open rpc_side_open, publish_side_open, handler_side_open, command_side_open;
bench_open put_side_open, get_side_open, watch_side_open, seen_side_open, pick_side_open;

#endif
