/* events.c - subscriptions: consumers on the stream EVENTS, and the streams themselves.
 *
 * The streams are made on the worker pool, at the first subscription and whenever a consumer
 * misses its own. */
#include "messaging/events_inner.h"

#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "codec/subject.h"
#include "model/pattern.h"
#include "nats/stream.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define MAX_ATTEMPTS 5
#define BACKSTOP 100			/* and what the server allows beyond that: burying may need time */
#define RETRY_NS NS_PER_S
#define ACK_WAIT_NS (30 * NS_PER_S)
#define RUN_NS (300 * NS_PER_S)
#define INACTIVE_NS (300 * NS_PER_S)	/* a broadcast durable whose instance died; longer than restarts take */
#define MAX_RUNNING 64

void
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
		.ack_wait_ns = s->ack_wait_ns, .working_ns = s->run_ns, .remember = true,
		.max_deliver = shared ? 0 : s->max_attempts + EVENT_CRASHES + BACKSTOP,
		.inactive_ns = broadcast ? INACTIVE_NS : 0,
		.window = o->max_running > 0 ? o->max_running : MAX_RUNNING,
		.handler = event_on_delivery, .changed = on_changed, .arg = s,
	}, err);
	return s->consumer != NULL ? ERR_OK : ERR_UNAVAILABLE;
}

static enum err_code
open_core(struct subscription *s, struct err *err)
{
	struct subject group = subject_event_group(s->ev->service);

	s->core = sub_new(&(struct sub_opts){
		.conn = s->ev->conn, .subject = s->pattern, .queue = group.s, .handler = event_on_core, .arg = s,
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
		.run_ns = o->run_ns > 0 ? o->run_ns : RUN_NS,
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
	ev->arrange = (struct mail){ .deliver = event_arrange, .discard = event_arrange_not, .vital = true };
	ev->publisher = o->publisher;
	ev->traffic = o->traffic;
	ev->guard = o->guard;
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
	event_let_go(ev);
}

unsigned
events_drain(struct events *ev, int64_t timeout_ns)
{
	struct mono until = mono_after(clock_mono(clock_system()), timeout_ns);

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
	if (loop_take(ev->loop, &ev->arrange))
		events_unref(ev);
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
