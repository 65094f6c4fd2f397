/* events.c - consumers on the stream EVENTS, and what becomes of each delivery.
 *
 * An event outlives the callback that brought it, and may outlive the subscription: both are
 * counted references.  The streams are made on the worker pool, at the first subscription and
 * whenever a consumer misses its own. */
#include "messaging/events.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/envelope.h"
#include "codec/subject.h"
#include "messaging/dlq.h"
#include "model/names.h"
#include "model/pattern.h"
#include "nats/conn.h"
#include "nats/stream.h"
#include "sys/clock.h"
#include "sys/pool.h"
#include "sys/thread.h"

#define EVENTS_MAGIC 0xe0e40001u
#define EVENT_MAGIC 0xe0e40002u
#define MAX_ATTEMPTS 5
#define CRASHES 3			/* deliveries beyond the attempts, for workers that died with it */
#define BACKSTOP 100			/* and what the server allows beyond that: burying may need time */
#define RETRY_NS NS_PER_S
#define RETRY_GROWTH 60			/* the longest pause, in first ones */
#define ACK_WAIT_NS (30 * NS_PER_S)
#define BURY_AGAIN_NS (30 * NS_PER_S)	/* when a dead letter could not be stored */
#define REFUSED_NS NS_PER_S
#define INACTIVE_NS (300 * NS_PER_S)	/* a broadcast durable whose instance died; longer than restarts take */
#define MAX_RUNNING 64

struct subscription {
	struct events *ev;
	char *pattern, *durable;
	enum event_mode mode;
	unsigned max_attempts;
	int64_t ack_wait_ns, retry_ns;
	void (*handler)(void *, struct event *);
	void *arg;
	struct consumer *consumer;
	struct sub *core;		/* mixed wildcards: no consumer, no acknowledgements */
};

struct events {
	unsigned magic;
	atomic_int refs;		/* the owner's, and each event's */
	struct conn *conn;
	struct loop *loop;
	struct pool *pool;
	struct publisher *publisher;
	char *service, *instance;
	struct subscription *subs[EVENTS_MAX];
	size_t n;
	atomic_ulong done, failed, dead, bad, refused;

	/* The loop's thread only. */
	bool left, for_good, making;
	struct pool_job make;
	struct err make_err;

	pthread_mutex_t lock;		/* leaf: open */
	pthread_cond_t idle;
	unsigned open;
};

struct event {
	unsigned magic;
	struct events *ev;
	struct subscription *sub;	/* lives as long as ev */
	struct delivery *delivery;	/* NULL: a core message */
	struct msg *msg;		/* of a core subscription */
	const struct envelope *envelope;	/* set only while the handler runs */
	struct mono deadline;
	struct str domain, type, message_id, trace_id, source, payload;
	bool has_source, has_payload;
	char error[512];
};

/* --- publishing -------------------------------------------------------------------------- */

static enum err_code
check_names(const struct event_out *e, struct err *err)
{
	enum err_code code = name_check(NAME_DOMAIN, e->domain, err);

	if (code == ERR_OK)
		code = name_check(NAME_EVENT_TYPE, e->type, err);
	if (code == ERR_OK && e->version != NULL)
		code = name_check(NAME_VERSION_EVENT, e->version, err);
	return code;
}

/* encode: the event as bytes; *id is what deduplicates it. */
static enum err_code
encode(const struct event_out *o, char id[ID_UUID_MAX], struct str *out, struct err *err)
{
	struct envelope e;
	enum err_code code = check_names(o, err);

	if (code != ERR_OK)
		return code;
	id_uuid4(id);
	envelope_init(&e, ENVELOPE_EVENT);
	e.message_id = text_of(o->message_id != NULL ? o->message_id : id);
	e.trace_id = text_of(o->trace_id);
	e.correlation_id = text_of(o->correlation_id);
	e.source = text_of(o->source);
	e.domain = text_of(o->domain);
	e.type = text_of(o->type);
	if (o->version != NULL)
		e.version = text_of(o->version);
	if (o->payload.p != NULL)
		e.payload = (struct value){ .type = VALUE_RAW, .u.raw = o->payload };
	return envelope_encode(&e, o->format, clock_wall(clock_system()), out, err);
}

enum err_code
event_publish(struct publisher *p, const struct event_out *e, publisher_done *done, void *arg, struct err *err)
{
	struct str body = STR_INIT;
	char id[ID_UUID_MAX];
	enum err_code code = encode(e, id, &body, err);

	if (code == ERR_OK) {
		struct subject to = subject_event(e->domain, e->type);
		code = publisher_send(p, &(struct publication){
			.subject = to.s, .id = e->message_id != NULL ? e->message_id : id, .data = body.p, .n = body.len,
			.timeout_ns = e->timeout_ns,
		}, done, arg, err);
	}
	str_release(&body);
	return code;
}

enum err_code
event_publish_wait(struct publisher *p, const struct event_out *e, struct pub_ack *ack, struct err *err)
{
	struct str body = STR_INIT;
	char id[ID_UUID_MAX];
	enum err_code code = encode(e, id, &body, err);

	if (code == ERR_OK) {
		struct subject to = subject_event(e->domain, e->type);
		code = publisher_send_wait(p, &(struct publication){
			.subject = to.s, .id = e->message_id != NULL ? e->message_id : id, .data = body.p, .n = body.len,
			.timeout_ns = e->timeout_ns,
		}, ack, err);
	}
	str_release(&body);
	return code;
}

/* --- an event's life --------------------------------------------------------------------- */

static struct mono
now_mono(void)
{
	return clock_mono(clock_system());
}

static void
events_unref(struct events *ev)
{
	if (atomic_fetch_sub(&ev->refs, 1) != 1)
		return;
	for (size_t i = 0; i < ev->n; i++) {
		mem_free(ev->subs[i]->pattern);
		mem_free(ev->subs[i]->durable);
		mem_free(ev->subs[i]);
	}
	mem_free(ev->service);
	mem_free(ev->instance);
	pthread_cond_destroy(&ev->idle);
	pthread_mutex_destroy(&ev->lock);
	MAGIC_WIPE(ev);
	mem_free(ev);
}

static struct event *
event_open(struct subscription *s, struct delivery *d, struct msg *m)
{
	struct event *e = mem_new(sizeof *e);

	*e = (struct event){ .magic = EVENT_MAGIC, .ev = s->ev, .sub = s, .delivery = d, .msg = m };
	/* A word to the server must arrive before it delivers the event again. */
	e->deadline = mono_after(now_mono(), s->ack_wait_ns - (s->ack_wait_ns < 10 * NS_PER_S ? s->ack_wait_ns / 10 : NS_PER_S));
	atomic_fetch_add(&s->ev->refs, 1);
	pthread_mutex_lock(&s->ev->lock);
	s->ev->open++;
	pthread_mutex_unlock(&s->ev->lock);
	return e;
}

/* event_close: e is finished; its delivery is settled already. */
static void
event_close(struct event *e)
{
	struct events *ev = e->ev;

	msg_free(e->msg);
	str_release(&e->domain);
	str_release(&e->type);
	str_release(&e->message_id);
	str_release(&e->trace_id);
	str_release(&e->source);
	str_release(&e->payload);
	MAGIC_WIPE(e);
	mem_free(e);
	pthread_mutex_lock(&ev->lock);
	if (--ev->open == 0)
		pthread_cond_broadcast(&ev->idle);
	pthread_mutex_unlock(&ev->lock);
	events_unref(ev);
}

void
event_done(struct event *e)
{
	MAGIC_CHECK(e, EVENT_MAGIC);
	atomic_fetch_add(&e->ev->done, 1);
	if (e->delivery != NULL)
		delivery_ack(e->delivery);
	event_close(e);
}

void
event_refuse(struct event *e)
{
	MAGIC_CHECK(e, EVENT_MAGIC);
	atomic_fetch_add(&e->ev->refused, 1);
	if (e->delivery != NULL)
		delivery_nak(e->delivery, REFUSED_NS);
	event_close(e);
}

int64_t
event_retry_delay(int64_t retry_ns, uint64_t attempt)
{
	int64_t factor = 1;

	while (--attempt > 0 && factor < RETRY_GROWTH)
		factor *= 2;
	return retry_ns * (factor < RETRY_GROWTH ? factor : RETRY_GROWTH);
}

static void
buried(void *arg, const struct pub_ack *ack, const struct err *err)
{
	struct event *e = arg;

	MAGIC_CHECK(e, EVENT_MAGIC);
	if (ack != NULL) {
		atomic_fetch_add(&e->ev->dead, 1);
		delivery_term(e->delivery);
	} else {
		log_warning(EV_EVENT_FAILED, LOG_F(LOG_S("subject", event_subject(e)), LOG_S("err", err->text)),
		    "a dead letter cannot be stored, trying again in 30 s: %s", err->text);
		delivery_nak(e->delivery, BURY_AGAIN_NS);
	}
	event_close(e);
}

/* bury: to the dead letters, and only then off the consumer. */
static void
bury(struct event *e)
{
	struct err err;

	log_warning(EV_EVENT_DEAD, LOG_F(LOG_S("subject", event_subject(e)), LOG_S("err", e->error)),
	    "an event failed for the last time and goes to the dead letters: %s", e->error);
	enum err_code code = dlq_bury(e->ev->publisher, &(struct burial){
		.delivery = e->delivery, .error = e->error, .instance = e->ev->instance,
	}, buried, e, &err);
	if (code != ERR_OK)
		buried(e, NULL, &err);
}

void
event_fail(struct event *e, const char *text)
{
	MAGIC_CHECK(e, EVENT_MAGIC);
	snprintf(e->error, sizeof e->error, "%s", text);
	atomic_fetch_add(&e->ev->failed, 1);
	if (e->delivery == NULL) {
		event_close(e);
		return;
	}
	uint64_t n = delivery_count(e->delivery);
	if (n >= e->sub->max_attempts) {
		bury(e);
		return;
	}
	log_debug(EV_EVENT_FAILED, LOG_F(LOG_S("subject", event_subject(e)), LOG_N("attempt", n)),
	    "an event failed and comes again: %s", e->error);
	delivery_nak(e->delivery, event_retry_delay(e->sub->retry_ns, n));
	event_close(e);
}

/* --- receiving --------------------------------------------------------------------------- */

static void
keep(struct str *to, struct text t)
{
	if (t.p != NULL)
		str_add(to, t.p, t.n);
}

static void
unreadable(struct event *e, const char *subject, const struct err *err)
{
	atomic_fetch_add(&e->ev->bad, 1);
	log_warning(EV_EVENT_BAD, LOG_F(LOG_S("subject", subject), LOG_S("err", err->text)),
	    "an event cannot be read and is not delivered again: %s", err->text);
	if (e->delivery != NULL)
		delivery_term(e->delivery);
	event_close(e);
}

static void
receive(struct event *e, const char *subject, const void *data, size_t n)
{
	enum data_format format;
	struct envelope env;
	struct err err;

	if (envelope_decode(codec_mine(), ENVELOPE_EVENT, data, n, &env, &format, &err) != ERR_OK) {
		unreadable(e, subject, &err);
		return;
	}
	keep(&e->domain, env.domain);
	keep(&e->type, env.type);
	keep(&e->message_id, env.message_id);
	keep(&e->trace_id, env.trace_id);
	keep(&e->source, env.source);
	e->has_source = env.source.p != NULL;
	e->envelope = &env;
	e->sub->handler(e->sub->arg, e);	/* e may be gone when it returns, so the envelope is only lent */
}

static void
on_delivery(void *arg, struct delivery *d)
{
	struct subscription *s = arg;
	struct event *e = event_open(s, d, NULL);

	if (delivery_count(d) > s->max_attempts + CRASHES) {
		snprintf(e->error, sizeof e->error, "OUTCOME_UNKNOWN: delivered %" PRIu64 " times, never finished",
		    delivery_count(d) - 1);
		bury(e);
		return;
	}
	receive(e, delivery_subject(d), delivery_data(d), delivery_size(d));
}

static void
on_core(void *arg, struct msg *m)
{
	struct event *e = event_open(arg, NULL, m);

	receive(e, msg_subject(m), msg_data(m), msg_size(m));
}

const struct envelope *
event_envelope(const struct event *e)
{
	MAGIC_CHECK(e, EVENT_MAGIC);
	MUST(e->envelope != NULL);
	return e->envelope;
}

const char *
event_subject(const struct event *e)
{
	return e->delivery != NULL ? delivery_subject(e->delivery) : msg_subject(e->msg);
}

const char *
event_domain(const struct event *e)
{
	return str_text(&e->domain);
}

const char *
event_type(const struct event *e)
{
	return str_text(&e->type);
}

const char *
event_message_id(const struct event *e)
{
	return str_text(&e->message_id);
}

const char *
event_trace_id(const struct event *e)
{
	return str_text(&e->trace_id);
}

const char *
event_source(const struct event *e)
{
	return e->has_source ? str_text(&e->source) : NULL;
}

const char *
event_header(const struct event *e, const char *name)
{
	return e->delivery != NULL ? delivery_header(e->delivery, name) : msg_header(e->msg, name);
}

uint64_t
event_deliveries(const struct event *e)
{
	return e->delivery != NULL ? delivery_count(e->delivery) : 1;
}

struct mono
event_deadline(const struct event *e)
{
	return e->deadline;
}

const char *
event_payload_json(struct event *e)
{
	if (!e->has_payload) {
		struct pack p;
		pack_init(&p, &e->payload, DATA_JSON, PACK_COMPACT);
		pack_value(&p, &event_envelope(e)->payload);
		MUST(pack_end(&p, NULL) == ERR_OK);	/* it was decoded, so it can be encoded */
		e->has_payload = true;
	}
	return str_text(&e->payload);
}

/* --- the streams ------------------------------------------------------------------------- */

static void
work_make(struct pool_job *job)
{
	struct events *ev = CONTAINER_OF(job, struct events, make);

	if (stream_ensure(ev->conn, STREAM_EVENTS, 0, NULL, &ev->make_err) == ERR_OK)
		stream_ensure(ev->conn, STREAM_EVENTS_DLQ, 0, NULL, &ev->make_err);
}

static void
made(struct pool_job *job)
{
	struct events *ev = CONTAINER_OF(job, struct events, make);

	MAGIC_CHECK(ev, EVENTS_MAGIC);
	if (ev->make_err.code != ERR_OK && ev->make_err.code != ERR_UNAVAILABLE)
		log_warning(EV_NATS_DEGRADED, LOG_F(LOG_S("err", ev->make_err.text)),
		    "the streams of events cannot be made: %s", ev->make_err.text);
	ev->making = false;
	events_unref(ev);
}

static void
make_streams(struct events *ev)
{
	if (ev->making || ev->left)
		return;
	err_clear(&ev->make_err);
	ev->make = (struct pool_job){ .work = work_make, .done = made };
	ev->making = true;
	atomic_fetch_add(&ev->refs, 1);
	if (pool_run(ev->pool, &ev->make) == ERR_OK)
		return;
	ev->making = false;		/* the consumer asks again */
	events_unref(ev);
}

/* on_changed: the consumer is ready again perhaps because the server came back empty: then the
 * stream of dead letters is missing too. */
static void
on_changed(void *arg, enum consumer_state state, const struct err *why)
{
	struct subscription *s = arg;

	(void)why;
	if (state == CONSUMER_NO_STREAM || state == CONSUMER_READY)
		make_streams(s->ev);
}

/* --- subscriptions ----------------------------------------------------------------------- */

static enum err_code
open_consumer(struct subscription *s, const struct event_subscription *o, struct err *err)
{
	bool shared = s->mode == EVENT_MIXED, broadcast = s->mode == EVENT_BROADCAST;
	struct subject durable = shared ? subject_event_group(s->ev->service)
	    : subject_event_durable(s->ev->service, s->pattern, broadcast ? s->ev->instance : NULL);

	s->durable = mem_text(durable.s);
	s->consumer = consumer_new(&(struct consumer_opts){
		.conn = s->ev->conn, .loop = s->ev->loop, .stream = stream_id_name(STREAM_EVENTS),
		.durable = s->durable, .filter = s->pattern, .push = shared,
		.deliver = o->from_now || (broadcast && !o->from_start) ? CONSUMER_NEW : CONSUMER_ALL,
		.ack_wait_ns = s->ack_wait_ns, .max_deliver = shared ? 0 : s->max_attempts + CRASHES + BACKSTOP,
		.inactive_ns = broadcast ? INACTIVE_NS : 0,
		.window = o->max_running > 0 ? o->max_running : MAX_RUNNING,
		.handler = on_delivery, .changed = on_changed, .arg = s,
	}, err);
	return s->consumer != NULL ? ERR_OK : ERR_UNAVAILABLE;
}

static enum err_code
open_core(struct subscription *s, struct err *err)
{
	struct subject group = subject_event_group(s->ev->service);

	s->core = sub_new(&(struct sub_opts){
		.conn = s->ev->conn, .subject = s->pattern, .queue = group.s, .handler = on_core, .arg = s,
	}, err);
	return s->core != NULL ? ERR_OK : ERR_UNAVAILABLE;
}

static struct subscription *
find(struct events *ev, const char *pattern)
{
	for (size_t i = 0; i < ev->n; i++)
		if (strcmp(ev->subs[i]->pattern, pattern) == 0)
			return ev->subs[i];
	return NULL;
}

static enum err_code
may_subscribe(struct events *ev, const struct event_subscription *o, struct err *err)
{
	enum err_code code = pattern_check(o->pattern, err);

	if (code != ERR_OK)
		return code;
	if (find(ev, o->pattern) != NULL)
		return err_set(err, ERR_EXISTS, "event pattern '%s' is subscribed to already", o->pattern);
	if (ev->n == EVENTS_MAX)
		return err_set(err, ERR_BUSY, "event pattern '%s': %d patterns are subscribed to already; a wildcard covers "
		    "several", o->pattern, EVENTS_MAX);
	/* Members of Python have one durable for the whole service, so a second pattern would be misrouted. */
	for (size_t i = 0; i < ev->n && o->mode == EVENT_MIXED && pattern_is_exact(o->pattern); i++)
		if (ev->subs[i]->mode == EVENT_MIXED && ev->subs[i]->consumer != NULL)
			return err_set(err, ERR_INVALID, "event pattern '%s': a mixed service shares one exact pattern, and '%s' "
			    "is that already", o->pattern, ev->subs[i]->pattern);
	return ERR_OK;
}

enum err_code
events_subscribe(struct events *ev, const struct event_subscription *o, struct err *err)
{
	MAGIC_CHECK(ev, EVENTS_MAGIC);
	enum err_code code = may_subscribe(ev, o, err);
	if (code != ERR_OK)
		return code;
	struct subscription *s = mem_new(sizeof *s);
	*s = (struct subscription){
		.ev = ev, .pattern = mem_text(o->pattern), .mode = o->mode, .handler = o->handler, .arg = o->arg,
		.max_attempts = o->max_attempts > 0 ? o->max_attempts : MAX_ATTEMPTS,
		.ack_wait_ns = o->ack_wait_ns > 0 ? o->ack_wait_ns : ACK_WAIT_NS,
		.retry_ns = o->retry_ns > 0 ? o->retry_ns : RETRY_NS,
	};
	if (o->mode == EVENT_MIXED && !pattern_is_exact(o->pattern))
		code = open_core(s, err);
	else
		code = open_consumer(s, o, err);
	if (code != ERR_OK) {
		mem_free(s->pattern);
		mem_free(s->durable);
		mem_free(s);
		return code;
	}
	ev->subs[ev->n++] = s;
	return ERR_OK;
}

enum consumer_state
events_state(struct events *ev, const char *pattern)
{
	struct subscription *s = find(ev, pattern);

	if (s == NULL || s->core != NULL)
		return s == NULL ? CONSUMER_UNUSABLE : CONSUMER_READY;
	return consumer_state(s->consumer);
}

/* --- the whole --------------------------------------------------------------------------- */

struct events *
events_new(const struct events_opts *o)
{
	struct events *ev = mem_new(sizeof *ev);

	ev->magic = EVENTS_MAGIC;
	atomic_init(&ev->refs, 1);
	ev->conn = o->conn;
	ev->loop = o->loop;
	ev->pool = o->pool;
	ev->publisher = o->publisher;
	ev->service = mem_text(o->service);
	ev->instance = mem_text(o->instance);
	pthread_mutex_init(&ev->lock, NULL);
	thread_cond_init(&ev->idle);
	return ev;
}

void
events_leave(struct events *ev, bool for_good)
{
	MAGIC_CHECK(ev, EVENTS_MAGIC);
	if (ev->left)
		return;
	ev->left = true;
	ev->for_good = for_good;
	for (size_t i = 0; i < ev->n; i++) {
		if (ev->subs[i]->consumer != NULL)
			consumer_stop(ev->subs[i]->consumer);
		else if (conn_state(ev->conn) == CONN_UP)
			sub_drain(ev->subs[i]->core);
	}
}

unsigned
events_drain(struct events *ev, int64_t timeout_ns)
{
	struct mono until = mono_after(now_mono(), timeout_ns);

	pthread_mutex_lock(&ev->lock);
	while (ev->open > 0 && thread_cond_wait(&ev->idle, &ev->lock, until))
		continue;
	unsigned open = ev->open;
	pthread_mutex_unlock(&ev->lock);
	return open;
}

void
events_free(struct events *ev)
{
	if (ev == NULL)
		return;
	MAGIC_CHECK(ev, EVENTS_MAGIC);
	events_leave(ev, true);
	for (size_t i = 0; i < ev->n; i++) {
		struct subscription *s = ev->subs[i];
		if (s->mode == EVENT_BROADCAST && ev->for_good)
			consumer_discard(s->consumer);
		consumer_free(s->consumer);
		sub_free(s->core);
		s->consumer = NULL;
		s->core = NULL;
	}
	events_unref(ev);
}

struct events_counters
events_counters(struct events *ev)
{
	pthread_mutex_lock(&ev->lock);
	unsigned open = ev->open;
	pthread_mutex_unlock(&ev->lock);
	return (struct events_counters){
		.done = atomic_load(&ev->done), .failed = atomic_load(&ev->failed), .dead = atomic_load(&ev->dead),
		.bad = atomic_load(&ev->bad), .refused = atomic_load(&ev->refused), .open = open,
	};
}
