/* flow.c - one thread sends on time, the library's threads take the answers; one lock between them. */
#include "bench/flow.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/instant.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/str.h"
#include "bench/drill.h"
#include "codec/codec.h"
#include "codec/envelope.h"
#include "nats/conn.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define PLACES 65536			/* more than there can be within GIVE_UP_NS */
#define GIVE_UP_NS (6 * NS_PER_S)	/* members keep a call for 5 s at most */
#define BURST_NS (200 * NS_PER_MS)	/* after a pause that was longer it does not catch up */

struct place {
	struct mono sent;
	bool open;
};

struct flow {
	unsigned rate;
	struct conn *conn;
	struct sub *sub;
	char inbox[CONN_INBOX_MAX];
	struct str request;
	atomic_bool stop;
	pthread_t thread;
	bool running;
	pthread_mutex_t lock;		/* all below */
	struct flow_view view;
	uint64_t settled;		/* every call up to this one is over */
	struct place place[PLACES];
};

static struct mono
now(void)
{
	return clock_mono(clock_system());
}

static void
fail_locked(struct flow *f, uint64_t call, const char *why)
{
	if (f->view.failed++ == 0)
		snprintf(f->view.first, sizeof f->view.first, "call %llu: %s", (unsigned long long)call, why);
}

/* --- answers ----------------------------------------------------------------------------- */

/* verdict: what is wrong with an answer, in words; NULL: it is the result. */
static const char *
verdict(const struct msg *m, char *out, size_t n)
{
	struct envelope e;
	enum data_format format;
	struct err err;
	struct text why = { NULL, 0 }, more = { "", 0 };
	bool success = true;

	if (msg_is_no_responders(m))
		return "nobody listens";
	if (envelope_decode(codec_mine(), ENVELOPE_RESPONSE, msg_data(m), msg_size(m), &e, &format, &err) != ERR_OK)
		return "the answer cannot be read";
	if (!e.success)
		why = e.error;
	else if (value_bool(value_field(&e.payload, "success"), &success) && !success &&
	    !value_text(value_field(&e.payload, "error"), &why))
		why = text_of("refused");
	if (e.success && success)
		return NULL;
	value_text(value_field(&e.payload, "message"), &more);
	snprintf(out, n, "%.*s %.*s", (int)why.n, why.p, (int)more.n, more.p);
	return out;
}

static void
on_answer(void *arg, struct msg *m)
{
	struct flow *f = arg;
	const char *dot = strrchr(msg_subject(m), '.');
	uint64_t call = dot != NULL ? strtoull(dot + 1, NULL, 10) : 0;
	char why[160];
	const char *wrong = verdict(m, why, sizeof why);
	struct mono t = now();

	pthread_mutex_lock(&f->lock);
	struct place *k = &f->place[call % PLACES];
	if (call > f->settled && call <= f->view.sent && k->open) {
		k->open = false;
		if (wrong != NULL)
			fail_locked(f, call, wrong);
		else
			f->view.ok++;
		int64_t took = mono_since(t, k->sent);
		if (wrong == NULL && took > f->view.longest_ns)
			f->view.longest_ns = took;
	}
	pthread_mutex_unlock(&f->lock);
	msg_free(m);
}

/* --- calls ------------------------------------------------------------------------------- */

/* settle: gives up what is open for longer than age_ns; true when nothing is open any more. */
static bool
settle(struct flow *f, struct mono t, int64_t age_ns)
{
	pthread_mutex_lock(&f->lock);
	while (f->settled < f->view.sent) {
		struct place *k = &f->place[(f->settled + 1) % PLACES];
		if (k->open && mono_since(t, k->sent) < age_ns)
			break;
		f->settled++;
		if (k->open)
			fail_locked(f, f->settled, "no answer");
		k->open = false;
	}
	bool all = f->settled == f->view.sent;
	pthread_mutex_unlock(&f->lock);
	return all;
}

static void
send_one(struct flow *f)
{
	char reply[CONN_INBOX_MAX + 24];
	struct mono t = now();

	pthread_mutex_lock(&f->lock);
	uint64_t call = ++f->view.sent;
	f->place[call % PLACES] = (struct place){ t, true };
	pthread_mutex_unlock(&f->lock);
	snprintf(reply, sizeof reply, "%s.%llu", f->inbox, (unsigned long long)call);
	if (conn_publish(f->conn, &(struct conn_msg){ .subject = "rpc." DRILL_SERVICE "." DRILL_METHOD, .reply = reply,
	    .data = f->request.p, .n = f->request.len, .urgent = true }, NULL) == ERR_OK)
		return;
	pthread_mutex_lock(&f->lock);
	fail_locked(f, call, "it could not be sent");
	f->place[call % PLACES].open = false;
	pthread_mutex_unlock(&f->lock);
}

static void *
run(void *arg)
{
	struct flow *f = arg;
	int64_t period = NS_PER_S / f->rate;
	struct mono next = now();

	while (!atomic_load(&f->stop)) {
		struct mono t = now();
		if (!mono_reached(t, next)) {
			thread_pause(mono_since(next, t));
			continue;
		}
		send_one(f);
		settle(f, t, GIVE_UP_NS);
		next = mono_since(t, next) > BURST_NS ? t : mono_after(next, period);
	}
	return NULL;
}

/* --- its life ---------------------------------------------------------------------------- */

static void
encode(struct flow *f)
{
	struct envelope e;

	envelope_init(&e, ENVELOPE_REQUEST);
	e.source = text_of("flow");
	e.method = text_of(DRILL_METHOD);
	e.payload = (struct value){ .type = VALUE_MAP };
	MUST(envelope_encode(&e, DATA_MSGPACK, clock_wall(clock_system()), &f->request, NULL) == ERR_OK);
}

struct flow *
flow_new(const char *servers, unsigned rate, struct err *err)
{
	struct flow *f = mem_new(sizeof *f);
	char all[CONN_INBOX_MAX + 4];

	MUST(rate > 0 && rate <= PLACES / 8);
	f->rate = rate;
	pthread_mutex_init(&f->lock, NULL);
	encode(f);
	f->conn = conn_new(&(struct conn_opts){ .servers = servers, .name = "flow", .timeout_ns = NS_PER_S }, err);
	if (f->conn != NULL) {
		conn_inbox(f->conn, f->inbox);
		snprintf(all, sizeof all, "%s.*", f->inbox);
		f->sub = sub_new(&(struct sub_opts){ .conn = f->conn, .subject = all, .handler = on_answer, .arg = f }, err);
	}
	if (f->sub != NULL && conn_flush(f->conn, NS_PER_S, err) == ERR_OK &&
	    thread_start(&f->thread, "flow", run, f, err) == ERR_OK) {
		f->running = true;
		return f;
	}
	flow_end(f, NULL);
	return NULL;
}

void
flow_end(struct flow *f, struct flow_view *out)
{
	if (f == NULL)
		return;
	atomic_store(&f->stop, true);
	if (f->running)
		pthread_join(f->thread, NULL);
	while (!settle(f, now(), GIVE_UP_NS))
		thread_pause(10 * NS_PER_MS);
	sub_free(f->sub);
	conn_free(f->conn);
	if (out != NULL)
		*out = f->view;
	str_release(&f->request);
	pthread_mutex_destroy(&f->lock);
	mem_free(f);
}
