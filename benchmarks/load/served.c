/* served.c - what serving costs in memory, over the C API on both sides: allocations per call
 * once it is warm, and, when it may take its time, whether ten million calls leave anything. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allocations.h"
#include "base/magic.h"
#include "bench.h"
#include "client/aegis.h"
#include "nats/conn.h"

#define SERVICE "bench-served"
#define WARM 200
#define SERVED 2000
#define DEPTH 64
#define MILLION 1000000

/* --- the service ------------------------------------------------------------------------- */

/* What the thread that serves had allocated when it began with the latest call. */
static atomic_ulong served_with;

static void
add(void *arg, aegis_request *r)
{
	int64_t a = 0, b = 0;
	aegis_out *out = aegis_out_new();

	(void)arg;
	atomic_store(&served_with, allocations);
	aegis_param_int(r, "a", &a);
	aegis_param_int(r, "b", &b);
	aegis_out_int(out, "sum", a + b);
	aegis_reply(r, out);
}

static aegis_out *
params(void)
{
	aegis_out *o = aegis_out_new();

	aegis_out_int(o, "a", 20);
	aegis_out_int(o, "b", 22);
	return o;
}

static aegis *
open_handle(const char *name)
{
	aegis_error err;
	aegis *a = aegis_connect(&(aegis_options){ .servers = bench_nats(), .name = name, .flusher_wait_us = 100 }, &err);

	if (a == NULL)
		bench_die("%s", err.text);
	return a;
}

static aegis *
open_server(void)
{
	aegis_error err;
	aegis *a = open_handle("bench server");

	if (aegis_serve(a, "add", add, NULL, AEGIS_INLINE, &err) != AEGIS_OK ||
	    aegis_register(a, &(aegis_identity){ .service = SERVICE }, &err) != AEGIS_OK)
		bench_die("%s", err.text);
	return a;
}

/* --- allocations ------------------------------------------------------------------------- */

/* Requests come from a plain connection, so that the threads that serve do nothing else. */
static void
serve_some(struct conn *c, int n)
{
	static const char request[] = "{\"message_id\":\"00000000-0000-4000-8000-000000000001\",\"trace_id\":"
	    "\"00000000-0000-4000-8000-000000000002\",\"timestamp\":\"2026-01-01T00:00:00.000000Z\",\"method\":\"add\","
	    "\"params\":{\"a\":20,\"b\":22},\"timeout\":5.0}";
	struct err err;

	for (int i = 0; i < n; i++) {
		struct msg *reply;
		bench_must(conn_request(c, &(struct conn_msg){ .subject = "rpc." SERVICE ".add", .data = request,
		    .n = sizeof request - 1 }, 5000000000, &reply, &err), &err);
		if (memmem(msg_data(reply), msg_size(reply), "42", 2) == NULL)
			bench_die("the answer is not 42: %.*s", (int)msg_size(reply), (const char *)msg_data(reply));
		msg_free(reply);
	}
}

static void
allocations_served(void)
{
	struct err err;
	struct conn *c = conn_new(&(struct conn_opts){ .servers = bench_nats(), .name = "bench asker" }, &err);

	if (c == NULL)
		bench_die("%s", err.text);
	serve_some(c, WARM);
	unsigned long before = atomic_load(&served_with);
	if (before == 0)
		bench_die("the serving thread is said to have allocated nothing in its life: the count is broken");
	serve_some(c, SERVED);
	double each = (double)(atomic_load(&served_with) - before) / SERVED;
	bench_figure(&(struct bench_figure){
		.id = "rpc_served_mallocs", .what = "allocations of the serving thread per inline RPC", .unit = "",
		.value = each, .limit = 2, .sense = BENCH_AT_MOST,
	});
	conn_free(c);
}

/* --- ten million calls ------------------------------------------------------------------- */

struct many {
	aegis *client;
	pthread_mutex_t lock;		/* leaf: all below */
	pthread_cond_t changed;
	int unsent, unanswered;
};

static void many_start(struct many *m);

static void
many_done(void *arg, const aegis_result *res, const aegis_error *e)
{
	struct many *m = arg;
	int64_t sum = 0;

	if (e != NULL || !aegis_result_int(res, "sum", &sum) || sum != 42)
		bench_die("call in flight: %s", e != NULL ? e->text : "the answer is not 42");
	pthread_mutex_lock(&m->lock);
	bool more = m->unsent > 0;
	m->unsent -= more;
	if (--m->unanswered == 0)
		pthread_cond_signal(&m->changed);
	pthread_mutex_unlock(&m->lock);
	if (more)
		many_start(m);
}

static void
many_start(struct many *m)
{
	aegis_error err;

	if (aegis_call_start(m->client, SERVICE, "add", params(), NULL, many_done, m, &err) != AEGIS_OK)
		bench_die("call in flight: %s", err.text);
}

static void
call_many(aegis *client, int n)
{
	struct many m = { .client = client, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER,
	    .unsent = n - DEPTH, .unanswered = n };

	for (int i = 0; i < DEPTH; i++)
		many_start(&m);
	pthread_mutex_lock(&m.lock);
	while (m.unanswered > 0)
		pthread_cond_wait(&m.changed, &m.lock);
	pthread_mutex_unlock(&m.lock);
}

static void
growth(aegis *client)
{
	char detail[96];
	int64_t start = bench_now();

	call_many(client, MILLION);
	long before = bench_rss_kb(getpid());
	call_many(client, 9 * MILLION);
	long after = bench_rss_kb(getpid());
	snprintf(detail, sizeof detail, "%ld to %ld kB, both sides in one process; %.0f k calls/s", before, after,
	    1e7 / ((double)(bench_now() - start) / 1e9) / 1e3);
	bench_figure(&(struct bench_figure){
		.id = "rpc_rss_growth", .what = "resident memory, call 10^6 to call 10^7", .unit = "kB",
		.value = (double)(after - before), .limit = 256, .sense = BENCH_AT_MOST, .detail = detail,
	});
}

int
main(int argc, char **argv)
{
	bench_begin("served", argc, argv);
	bench_nats();			/* from this thread, which lasts: the server dies with it */
	aegis *server = open_server();

	allocations_served();
	if (bench_long()) {
		aegis *client = open_handle("bench client");
		growth(client);
		aegis_close(client);
	}
	aegis_close(server);
	return bench_end();
}
