/* rpc.c - an RPC over the C API against a bare nats.c request of the same bytes.
 *
 * Both sides of both live in this process, so they share machine, moment and scheduler; only
 * the server is another process.  The bytes of the bare side are those that the first aegis
 * call was seen to send and get.  One at a time: nats.c's own flushing on both; in flight:
 * both with a flusher wait of 100 us, and on both the delivery of an answer sends the next
 * request.  A set of connections falls into one of several rhythms of batches and keeps it
 * (bare nats.c alone: 110 to 190 k/s), so a run measures several sets. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bench.h"
#include "client/aegis.h"
#include "nats/conn.h"
#include "nats/raw.h"

#define SERVICE "bench-echo"
#define SETS 7
#define ONE_ROUNDS 5
#define ONE_CALLS 1000
#define MANY_ROUNDS 5
#define MANY_CALLS 30000
#define DEPTH 64

#define SERVED 2000

struct pair {
	aegis *server, *client;
	struct raw *raw;
};

/* --- counting allocations ---------------------------------------------------------------- */

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

static _Thread_local unsigned long allocations;

void *
malloc(size_t n)
{
	allocations++;
	return __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	allocations++;
	return __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	allocations++;
	return __libc_realloc(p, n);
}

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

static void
call_once(aegis *client)
{
	aegis_result *res = NULL;
	aegis_error err;
	int64_t sum = 0;

	if (aegis_call(client, SERVICE, "add", params(), NULL, &res, &err) != AEGIS_OK)
		bench_die("call: %s", err.text);
	if (!aegis_result_int(res, "sum", &sum) || sum != 42)
		bench_die("call: the answer is not 42");
	aegis_result_free(res);
}

/* --- what goes over the wire ------------------------------------------------------------- */

/* What was seen of one call.  Written on the library's thread until `both`. */
struct seen {
	char request[1024], reply[1024], inbox[256];
	size_t nrequest, nreply;
	pthread_mutex_t lock;		/* leaf: all */
};

static struct seen seen = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void
on_any(void *arg, struct msg *m)
{
	struct seen *s = arg;
	const char *subject = msg_subject(m), *reply = msg_reply(m);
	size_t n = msg_size(m);

	pthread_mutex_lock(&s->lock);
	if (n > sizeof s->request) {
		/* not ours */
	} else if (s->nrequest == 0 && reply != NULL && strncmp(subject, "rpc." SERVICE, strlen("rpc." SERVICE)) == 0) {
		memcpy(s->request, msg_data(m), s->nrequest = n);
		snprintf(s->inbox, sizeof s->inbox, "%s", reply);
	} else if (s->nrequest > 0 && s->nreply == 0 && strcmp(subject, s->inbox) == 0) {
		memcpy(s->reply, msg_data(m), s->nreply = n);
	}
	pthread_mutex_unlock(&s->lock);
	msg_free(m);
}

static bool
saw_both(void *arg)
{
	struct seen *s = arg;

	pthread_mutex_lock(&s->lock);
	bool both = s->nreply > 0;
	pthread_mutex_unlock(&s->lock);
	return both;
}

static void
watch_one_call(struct seen *s, aegis *client)
{
	struct err err;
	struct conn *c = conn_new(&(struct conn_opts){ .servers = bench_nats(), .name = "bench spy" }, &err);

	if (c == NULL)
		bench_die("%s", err.text);
	struct sub *all = sub_new(&(struct sub_opts){ .conn = c, .subject = ">", .handler = on_any, .arg = s }, &err);
	if (all == NULL)
		bench_die("%s", err.text);
	bench_must(conn_flush(c, 1000000000, &err), &err);
	call_once(client);
	bench_await("seeing a request and its reply", saw_both, s);
	sub_free(all);
	conn_free(c);
}

/* --- opening ----------------------------------------------------------------------------- */

static aegis *
open_handle(const char *name, int64_t flusher_wait_us)
{
	aegis_error err;
	aegis *a = aegis_connect(&(aegis_options){ .servers = bench_nats(), .name = name,
	    .flusher_wait_us = flusher_wait_us }, &err);

	if (a == NULL)
		bench_die("%s", err.text);
	return a;
}

static void
open_pair(struct pair *p, int64_t flusher_wait_us)
{
	aegis_error err;
	struct err e;

	p->server = open_handle("bench server", flusher_wait_us);
	p->client = open_handle("bench client", flusher_wait_us);
	if (aegis_serve(p->server, "add", add, NULL, AEGIS_INLINE, &err) != AEGIS_OK ||
	    aegis_register(p->server, &(aegis_identity){ .service = SERVICE }, &err) != AEGIS_OK)
		bench_die("%s", err.text);
	if (seen.nreply == 0)
		watch_one_call(&seen, p->client);
	p->raw = raw_new(&(struct raw_opts){
		.servers = bench_nats(), .flusher_wait_us = flusher_wait_us, .request = seen.request,
		.nrequest = seen.nrequest, .reply = seen.reply, .nreply = seen.nreply,
	}, &e);
	if (p->raw == NULL)
		bench_die("%s", e.text);
}

static void
close_pair(struct pair *p)
{
	raw_free(p->raw);
	aegis_close(p->client);
	aegis_close(p->server);
}

/* --- one at a time ----------------------------------------------------------------------- */

static void
ours_each(struct pair *p, int64_t *ns)
{
	for (int i = 0; i < ONE_CALLS; i++) {
		int64_t start = bench_now();
		call_once(p->client);
		ns[i] = bench_now() - start;
	}
}

static void
theirs_each(struct pair *p, int64_t *ns)
{
	struct err err;

	bench_must(raw_each(p->raw, ONE_CALLS, ns, &err), &err);
}

/* note_round: adds a round's samples to all and its median to medians. */
static void
note_round(struct samples *all, const int64_t *ns, double *median)
{
	struct samples one = { NULL, 0, 0 };

	samples_add_ns(&one, ns, ONE_CALLS);
	samples_add_ns(all, ns, ONE_CALLS);
	*median = samples_at(&one, 50);
	samples_release(&one);
}

static void
one_set(struct samples *ours, struct samples *theirs, struct samples *ratios)
{
	static int64_t a[ONE_CALLS], b[ONE_CALLS];
	struct pair p;
	double x, y;

	open_pair(&p, 0);
	ours_each(&p, a);		/* warm-up */
	theirs_each(&p, b);
	for (int i = 0; i < ONE_ROUNDS; i++) {
		if (i % 2 == 0)
			ours_each(&p, a);
		theirs_each(&p, b);
		if (i % 2 != 0)
			ours_each(&p, a);
		note_round(ours, a, &x);
		note_round(theirs, b, &y);
		samples_add(ratios, x / y);
	}
	close_pair(&p);
}

static void
one_at_a_time(void)
{
	struct samples ours = { NULL, 0, 0 }, theirs = { NULL, 0, 0 }, ratios = { NULL, 0, 0 };
	char detail[128];

	for (int i = 0; i < SETS; i++)
		one_set(&ours, &theirs, &ratios);
	snprintf(detail, sizeof detail, "p50 %.0f : %.0f us, p99 %.0f : %.0f us", samples_at(&ours, 50) / 1e3,
	    samples_at(&theirs, 50) / 1e3, samples_at(&ours, 99) / 1e3, samples_at(&theirs, 99) / 1e3);
	bench_figure(&(struct bench_figure){
		.id = "rpc_one_p50", .what = "in-process RPC, one at a time, p50 : raw nats.c", .unit = "x",
		.value = samples_at(&ratios, 50), .limit = 1.2, .sense = BENCH_AT_MOST, .detail = detail, .spread = &ratios,
	});
	samples_release(&ours);
	samples_release(&theirs);
	samples_release(&ratios);
}

/* --- many in flight ---------------------------------------------------------------------- */

struct many {
	aegis *client;
	pthread_mutex_t lock;		/* leaf: all below */
	pthread_cond_t changed;
	int unsent, unanswered;
	bool over;
	int64_t ended;
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
	bool last = --m->unanswered == 0;
	if (last) {
		m->ended = bench_now();
		m->over = true;
		pthread_cond_signal(&m->changed);
	}
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

static double
ours_many(struct pair *p)
{
	struct many m = { .client = p->client, .lock = PTHREAD_MUTEX_INITIALIZER,
	    .changed = PTHREAD_COND_INITIALIZER, .unsent = MANY_CALLS - DEPTH, .unanswered = MANY_CALLS };
	int64_t start = bench_now();

	for (int i = 0; i < DEPTH; i++)
		many_start(&m);
	pthread_mutex_lock(&m.lock);
	while (!m.over)
		pthread_cond_wait(&m.changed, &m.lock);
	pthread_mutex_unlock(&m.lock);
	return MANY_CALLS / ((double)(m.ended - start) / 1e9);
}

static double
theirs_many(struct pair *p)
{
	struct err err;
	int64_t ns;

	bench_must(raw_many(p->raw, MANY_CALLS, DEPTH, &ns, &err), &err);
	return MANY_CALLS / ((double)ns / 1e9);
}

static void
many_set(struct samples *ours, struct samples *theirs, struct samples *ratios)
{
	struct pair p;

	open_pair(&p, 100);
	ours_many(&p);			/* warm-up */
	theirs_many(&p);
	for (int i = 0; i < MANY_ROUNDS; i++) {
		double x = 0, y;
		if (i % 2 == 0)
			x = ours_many(&p);
		y = theirs_many(&p);
		if (i % 2 != 0)
			x = ours_many(&p);
		samples_add(ours, x / 1e3);
		samples_add(theirs, y / 1e3);
		samples_add(ratios, x / y);
	}
	close_pair(&p);
}

static void
many_in_flight(void)
{
	struct samples ours = { NULL, 0, 0 }, theirs = { NULL, 0, 0 }, ratios = { NULL, 0, 0 };
	char detail[128];

	for (int i = 0; i < SETS; i++)
		many_set(&ours, &theirs, &ratios);
	snprintf(detail, sizeof detail, "%.0f : %.0f k/s; p10 to p90 %.0f to %.0f : %.0f to %.0f", samples_at(&ours, 50),
	    samples_at(&theirs, 50), samples_at(&ours, 10), samples_at(&ours, 90), samples_at(&theirs, 10),
	    samples_at(&theirs, 90));
	bench_figure(&(struct bench_figure){
		.id = "rpc_64_rate", .what = "in-process RPC, 64 in flight, rate : raw nats.c", .unit = "x",
		.value = samples_at(&ratios, 50), .limit = 0.7, .sense = BENCH_AT_LEAST, .detail = detail, .spread = &ratios,
	});
	samples_release(&ours);
	samples_release(&theirs);
	samples_release(&ratios);
}

/* --- what serving allocates -------------------------------------------------------------- */

/* Requests come from a plain connection, so that the threads that serve do nothing else. */
static void
serve_some(struct conn *c, int n)
{
	struct err err;

	for (int i = 0; i < n; i++) {
		struct msg *reply;
		bench_must(conn_request(c, &(struct conn_msg){ .subject = "rpc." SERVICE ".add", .data = seen.request,
		    .n = seen.nrequest }, 5000000000, &reply, &err), &err);
		msg_free(reply);
	}
}

static void
allocations_served(void)
{
	struct pair p;
	struct err err;
	struct conn *c = conn_new(&(struct conn_opts){ .servers = bench_nats(), .name = "bench asker" }, &err);

	if (c == NULL)
		bench_die("%s", err.text);
	open_pair(&p, 0);
	serve_some(c, 100);		/* warm-up */
	unsigned long before = atomic_load(&served_with);
	if (before == 0)
		bench_die("the serving thread is said to have allocated nothing in its life: the count is broken");
	serve_some(c, SERVED);
	double each = (double)(atomic_load(&served_with) - before) / SERVED;
	bench_figure(&(struct bench_figure){
		.id = "rpc_served_mallocs", .what = "allocations of the serving thread per inline RPC", .unit = "",
		.value = each, .limit = 0, .sense = BENCH_AT_MOST,
	});
	close_pair(&p);
	conn_free(c);
}

int
main(int argc, char **argv)
{
	bench_begin("rpc", argc, argv);
	bench_nats();			/* from this thread, which lasts: the server dies with it */
	one_at_a_time();
	many_in_flight();
	allocations_served();
	return bench_end();
}
