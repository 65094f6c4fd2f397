/* event.c - one event: from its delivery to the one word that finishes it. */
#include "messaging/events_inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "codec/envelope.h"
#include "messaging/dlq.h"
#include "messaging/guard.h"
#include "messaging/traffic.h"
#include "sys/clock.h"

#define EVENT_MAGIC 0xe0e40002u
#define RETRY_GROWTH 60			/* the longest pause, in first ones */
#define BURY_AGAIN_NS (30 * NS_PER_S)	/* when a dead letter could not be stored */
#define REFUSED_NS NS_PER_S		/* until a refused event is tried again */
#define KEPT_CORE_MAX 1024

struct event {
	unsigned magic;
	struct events *ev;
	struct subscription *sub;	/* lives as long as ev */
	struct delivery *delivery;	/* NULL: a core message */
	struct msg *msg;		/* of a core subscription */
	const struct envelope *envelope;	/* set only while the handler runs */
	struct mono deadline;
	struct event *next;		/* while it is kept; the lock's */
	struct mono due;
	struct str domain, type, message_id, trace_id, source, payload;
	bool has_source, has_payload;
	char error[512];
};

/* --- an event's life --------------------------------------------------------------------- */

static struct event *
event_open(struct subscription *s, struct delivery *d, struct msg *m)
{
	struct event *e = mem_new(sizeof *e);

	*e = (struct event){ .magic = EVENT_MAGIC, .ev = s->ev, .sub = s, .delivery = d, .msg = m };
	e->deadline = mono_after(clock_mono(clock_system()), s->run_ns);
	atomic_fetch_add(&s->ev->refs, 1);
	pthread_mutex_lock(&s->ev->lock);
	s->ev->open++;
	traffic_events_open(s->ev->traffic, 1);
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
	traffic_events_open(ev->traffic, -1);
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
	traffic_event(e->ev->traffic, event_domain(e), event_type(e));
	if (e->delivery != NULL)
		delivery_ack(e->delivery);
	event_close(e);
}

/* give_back: nobody here tried; another instance may at once.  The server counts it as a delivery
 * all the same, which is why an event is kept as long as there is hope. */
static void
give_back(struct event *e)
{
	if (e->delivery != NULL)
		delivery_nak(e->delivery, 0);
	else
		log_warning(EV_EVENT_FAILED, LOG_F(LOG_S("subject", event_subject(e))),
		    "an event of a shared wildcard was refused and is lost: such events are not stored for us");
	event_close(e);
}

/* keep_refused: false when it cannot be kept. */
static bool
keep_refused(struct event *e, bool *arrange)
{
	struct events *ev = e->ev;

	e->next = NULL;
	e->due = mono_after(clock_mono(clock_system()), REFUSED_NS);
	pthread_mutex_lock(&ev->lock);
	bool keeps = !ev->closed && (e->delivery != NULL || ev->kept_core < KEPT_CORE_MAX);
	if (keeps) {
		*(ev->kept != NULL ? ev->kept_end : &ev->kept) = e;
		ev->kept_end = &e->next;
		ev->kept_core += e->delivery == NULL;
	}
	*arrange = keeps && !ev->arranging;
	ev->arranging |= keeps;
	pthread_mutex_unlock(&ev->lock);
	return keeps;
}

void
event_refuse(struct event *e)
{
	struct events *ev = e->ev;
	bool arrange;

	MAGIC_CHECK(e, EVENT_MAGIC);
	atomic_fetch_add(&ev->refused, 1);
	atomic_fetch_add(&ev->refs, 1);		/* once kept, e may be finished before we are done here */
	if (!keep_refused(e, &arrange))
		give_back(e);
	else if (arrange) {
		atomic_fetch_add(&ev->refs, 1);		/* the mail's */
		loop_post(ev->loop, &ev->arrange);
	}
	events_unref(ev);
}

/* take_kept: the one that waits longest, if it is its turn. */
static struct event *
take_kept(struct events *ev, struct mono now, bool all)
{
	pthread_mutex_lock(&ev->lock);
	struct event *e = ev->kept;
	if (e != NULL && (all || mono_reached(now, e->due))) {
		ev->kept = e->next;
		ev->kept_core -= e->delivery == NULL;
	} else {
		e = NULL;
	}
	pthread_mutex_unlock(&ev->lock);
	return e;
}

static void receive(struct event *e, const char *subject, const void *data, size_t n);

static void
try_again(void *arg)
{
	struct events *ev = arg;
	struct mono now = loop_now(ev->loop);
	struct event *e;

	MAGIC_CHECK(ev, EVENTS_MAGIC);
	while ((e = take_kept(ev, now, false)) != NULL) {
		e->deadline = mono_after(now, e->sub->run_ns);
		if (e->delivery != NULL) {
			delivery_working(e->delivery);
			receive(e, delivery_subject(e->delivery), delivery_data(e->delivery), delivery_size(e->delivery));
		} else {
			receive(e, msg_subject(e->msg), msg_data(e->msg), msg_size(e->msg));
		}
	}
	pthread_mutex_lock(&ev->lock);
	struct mono next = ev->kept != NULL ? ev->kept->due : MONO_NEVER;
	ev->arranging = ev->kept != NULL;
	pthread_mutex_unlock(&ev->lock);
	if (next.ns != MONO_NEVER.ns)
		loop_timer_set(ev->loop, &ev->again, next, try_again, ev);
}

void
event_arrange(struct mail *m)
{
	struct events *ev = CONTAINER_OF(m, struct events, arrange);

	MAGIC_CHECK(ev, EVENTS_MAGIC);
	if (!ev->left)
		loop_timer_set(ev->loop, &ev->again, mono_after(loop_now(ev->loop), REFUSED_NS), try_again, ev);
	events_unref(ev);
}

void
event_arrange_not(struct mail *m)
{
	events_unref(CONTAINER_OF(m, struct events, arrange));
}

void
event_let_go(struct events *ev)
{
	struct event *e;

	pthread_mutex_lock(&ev->lock);
	ev->closed = true;
	pthread_mutex_unlock(&ev->lock);
	loop_timer_cancel(ev->loop, &ev->again);
	while ((e = take_kept(ev, MONO_NEVER, true)) != NULL)
		give_back(e);
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
	traffic_event_failed(e->ev->traffic);
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
	str_clear(to);			/* a refused event is read again */
	if (t.p != NULL)
		str_add(to, t.p, t.n);
}

/* keep_names: the subject decides, as it does for calls and commands: subscriptions, contracts and the
 * path into a program are about what somebody was allowed to publish, not about what he claims.  Where
 * it agrees, the envelope tells what of it is the domain. */
static void
keep_names(struct event *e, const char *subject, const struct envelope *env)
{
	const char *name = strncmp(subject, "events.", 7) == 0 ? subject + 7 : subject;
	size_t n = env->domain.n;

	if (strlen(name) != n + 1 + env->type.n || memcmp(name, env->domain.p, n) != 0 || name[n] != '.' ||
	    memcmp(name + n + 1, env->type.p, env->type.n) != 0) {
		log_warning(EV_EVENT_NAME, LOG_F(LOG_S("subject", subject)),
		    "an event's envelope names another event than its subject, which counts");
		n = strcspn(name, ".");
	}
	keep(&e->domain, (struct text){ name, n });
	keep(&e->type, text_of(name[n] != '\0' ? name + n + 1 : name + n));
}

static void
unreadable(struct event *e, const char *subject, const struct err *err)
{
	atomic_fetch_add(&e->ev->bad, 1);
	traffic_event_failed(e->ev->traffic);
	log_warning(EV_EVENT_BAD, LOG_F(LOG_S("subject", subject), LOG_S("err", err->text)),
	    "an event cannot be read and is not delivered again: %s", err->text);
	if (e->delivery != NULL)
		delivery_term(e->delivery);
	event_close(e);
}

/* turn_away: no handler gets it.  What breaks the contract will break it at every delivery. */
static void
turn_away(struct event *e, enum err_code code, const char *text)
{
	if (code == ERR_BUSY) {
		event_refuse(e);
		return;
	}
	snprintf(e->error, sizeof e->error, "%s: %s", err_wire(code), text);
	atomic_fetch_add(&e->ev->failed, 1);
	traffic_event_failed(e->ev->traffic);
	if (e->delivery != NULL)
		bury(e);
	else
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
	keep_names(e, subject, &env);
	keep(&e->message_id, env.message_id);
	keep(&e->trace_id, env.trace_id);
	keep(&e->source, env.source);
	e->has_source = env.source.p != NULL;
	enum err_code code = guard_event(e->ev->guard, str_text(&e->domain), str_text(&e->type), &env.payload, &err);
	if (code != ERR_OK) {
		turn_away(e, code, err.text);
		return;
	}
	e->envelope = &env;
	e->sub->handler(e->sub->arg, e);	/* e may be gone when it returns, so the envelope is only lent */
}

void
event_on_delivery(void *arg, struct delivery *d)
{
	struct subscription *s = arg;
	struct event *e = event_open(s, d, NULL);

	if (delivery_count(d) > s->max_attempts + EVENT_CRASHES) {
		snprintf(e->error, sizeof e->error, "OUTCOME_UNKNOWN: delivered %" PRIu64 " times, never finished",
		    delivery_count(d) - 1);
		bury(e);
		return;
	}
	receive(e, delivery_subject(d), delivery_data(d), delivery_size(d));
}

void
event_on_core(void *arg, struct msg *m)
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
