/* aegis_event.c - events: publishing them, and handling those that were subscribed to.
 *
 * An event is handed to a worker thread as a pool job of its own; its payload travels as JSON
 * text and is parsed there, by a decoder of the event's own. */
#include <stdatomic.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "client/client.h"
#include "messaging/events.h"
#include "model/pattern.h"
#include "nats/conn.h"
#include "nats/publisher.h"
#include "nats/stream.h"
#include "sys/clock.h"

#define AEGIS_EVENT_MAGIC 0xae615004u

/* --- publishing -------------------------------------------------------------------------- */

static void
work_make(struct pool_job *job)
{
	aegis *a = CONTAINER_OF(job, aegis, make_stream);

	if (stream_ensure(a->conn, STREAM_EVENTS, 0, NULL, NULL) != ERR_OK)
		atomic_store(&a->has_stream, false);	/* the next publication tries again */
}

static void
make_done(struct pool_job *job)
{
	(void)job;
}

/* need_stream: makes EVENTS once per handle where it is missing: at once when the caller waits
 * anyway, else beside the publication, which is repeated until the stream is there. */
static void
need_stream(aegis *a, bool wait)
{
	if (atomic_load(&a->has_stream) || conn_state(a->conn) != CONN_UP || atomic_exchange(&a->has_stream, true))
		return;
	if (wait) {
		work_make(&a->make_stream);
		return;
	}
	a->make_stream = (struct pool_job){ .work = work_make, .done = make_done };
	if (pool_run(a->pool, &a->make_stream) != ERR_OK)
		atomic_store(&a->has_stream, false);
}

static void
fill_event(struct event_out *e, const aegis *a, const char *domain, const char *type, const aegis_publish_options *o)
{
	static const aegis_publish_options none;

	if (o == NULL)
		o = &none;
	*e = (struct event_out){
		.domain = domain, .type = type, .version = o->version, .trace_id = o->trace_id,
		.traceparent = o->traceparent, .message_id = o->id,
		.source = a->instance, .traffic = a->traffic, .guard = atomic_load(&a->guard), .format = a->format,
		.timeout_ns = o->timeout_ms > 0 ? o->timeout_ms * NS_PER_MS : a->timeout_ns,
	};
}

/* take_payload: payload (taken over) as bytes. */
static enum err_code
take_payload(const aegis *a, aegis_out *payload, struct str *bytes, struct event_out *e, struct err *err)
{
	enum err_code code = ERR_OK;

	if (payload != NULL && (code = client_out_encode(payload, a->format, bytes, err)) == ERR_OK)
		e->payload = (struct data){ a->format, bytes->p, bytes->len };
	aegis_out_free(payload);
	return code;
}

/* publish: by the fence of a leader where there is one. */
static enum err_code
publish(aegis *a, const struct event_out *out, struct err *err)
{
	bool fenced;
	enum err_code code = client_elect_publish(a, out, true, &fenced, err);

	return fenced ? code : event_publish_wait(a->publisher, out, NULL, err);
}

int
aegis_publish(aegis *a, const char *domain, const char *type, aegis_out *payload, const aegis_publish_options *o,
    aegis_error *e)
{
	struct str bytes = STR_INIT;
	struct event_out out;

	MAGIC_CHECK(a, AEGIS_MAGIC);
	fill_event(&out, a, domain, type, o);
	int code = take_payload(a, payload, &bytes, &out, client_err(e));
	if (code == ERR_OK) {
		need_stream(a, true);
		code = publish(a, &out, client_err(e));
	}
	str_release(&bytes);
	return code;
}

int
aegis_publish_json(aegis *a, const char *domain, const char *type, const char *payload,
    const aegis_publish_options *o, aegis_error *e)
{
	struct event_out out;

	MAGIC_CHECK(a, AEGIS_MAGIC);
	fill_event(&out, a, domain, type, o);
	if (payload != NULL)
		out.payload = (struct data){ DATA_JSON, payload, strlen(payload) };
	need_stream(a, true);
	return publish(a, &out, client_err(e));
}

struct pending {
	void (*done)(void *arg, const aegis_error *e);
	void *arg;
};

static void
on_stored(void *arg, const struct pub_ack *ack, const struct err *err)
{
	struct pending *p = arg;

	(void)ack;
	p->done(p->arg, (const aegis_error *)(const void *)err);
	mem_free(p);
}

int
aegis_publish_start(aegis *a, const char *domain, const char *type, aegis_out *payload,
    const aegis_publish_options *o, void (*done)(void *arg, const aegis_error *e), void *arg, aegis_error *e)
{
	struct str bytes = STR_INIT;
	struct pending *p = NULL;
	struct event_out out;

	MAGIC_CHECK(a, AEGIS_MAGIC);
	fill_event(&out, a, domain, type, o);
	int code = take_payload(a, payload, &bytes, &out, client_err(e));
	bool fenced;
	if (code == ERR_OK && (code = client_elect_publish(a, &out, false, &fenced, client_err(e))) == ERR_OK) {
		if (done != NULL) {
			p = mem_new(sizeof *p);
			*p = (struct pending){ done, arg };
		}
		need_stream(a, false);
		code = event_publish(a->publisher, &out, p != NULL ? on_stored : NULL, p, client_err(e));
		if (code != ERR_OK)
			mem_free(p);
	}
	str_release(&bytes);
	return code;
}

/* --- subscribing ------------------------------------------------------------------------- */

struct aegis_event {
	struct pool_job task;
	unsigned magic;
	atomic_int refs;		/* the handler's, and the task's */
	const struct subscribed *by;
	struct event *event;
	bool taken;			/* a thread has it */
	struct codec *codec;		/* NULL until the payload is looked at */
	struct value payload;
	struct kept kept;
};

/* fits_others: what events_subscribe would refuse, said while somebody listens. */
static enum err_code
fits_others(const aegis *a, const char *pattern, const aegis_subscribe_options *o, struct err *err)
{
	bool one = o != NULL && o->mode == AEGIS_MIXED && pattern_is_exact(pattern);

	if (a->nsubscribed == EVENTS_MAX)
		return err_set(err, ERR_BUSY, "event pattern '%s': %d patterns are subscribed to already; a wildcard covers several",
		    pattern, EVENTS_MAX);
	for (size_t i = 0; i < a->nsubscribed; i++) {
		const struct subscribed *s = a->subscribed[i];
		if (strcmp(s->pattern, pattern) == 0)
			return err_set(err, ERR_EXISTS, "event pattern '%s' is subscribed to already", pattern);
		if (one && s->o.mode == AEGIS_MIXED && pattern_is_exact(s->pattern))
			return err_set(err, ERR_INVALID, "event pattern '%s': a mixed service shares one exact pattern, and '%s' is "
			    "that already", pattern, s->pattern);
	}
	return ERR_OK;
}

int
aegis_subscribe(aegis *a, const char *pattern, aegis_event_handler *fn, void *arg,
    const aegis_subscribe_options *o, aegis_error *e)
{
	static const aegis_subscribe_options none;

	MAGIC_CHECK(a, AEGIS_MAGIC);
	enum err_code code = pattern_check(pattern, client_err(e));
	if (code != ERR_OK)
		return code;
	if (a->member != NULL)
		return err_set(client_err(e), ERR_INVALID, "subscribe '%s': the handle is registered already; subscribe first",
		    pattern);
	if ((code = fits_others(a, pattern, o, client_err(e))) != ERR_OK)
		return code;
	struct subscribed *s = mem_new(sizeof *s);
	*s = (struct subscribed){ .a = a, .pattern = mem_text(pattern), .fn = fn, .arg = arg, .o = o != NULL ? *o : none };
	a->subscribed = mem_resize(a->subscribed, a->nsubscribed + 1, sizeof *a->subscribed);
	a->subscribed[a->nsubscribed++] = s;
	return ERR_OK;
}

static void
event_drop(aegis_event *v)
{
	if (atomic_fetch_sub(&v->refs, 1) == 1)
		mem_free(v);
}

/* event_close: it is finished; what it lent to the handler ends. */
static void
event_close(aegis_event *v)
{
	kept_release(&v->kept);
	codec_free(v->codec);
	MAGIC_WIPE(v);
	event_drop(v);
}

static void
work(struct pool_job *task)
{
	aegis_event *v = CONTAINER_OF(task, aegis_event, task);

	v->taken = true;
	if (mono_reached(clock_mono(clock_system()), event_deadline(v->event))) {
		event_refuse(v->event);		/* it waited longer than it may run: it begins anew */
		event_close(v);
	} else {
		v->by->fn(v->by->arg, v);
	}
}

static void
task_done(struct pool_job *task)
{
	aegis_event *v = CONTAINER_OF(task, aegis_event, task);

	if (!v->taken) {
		event_refuse(v->event);
		event_close(v);
	}
	event_drop(v);
}

/* on_event: on the delivering thread. */
static void
on_event(void *arg, struct event *event)
{
	const struct subscribed *s = arg;
	aegis_event *v = mem_new(sizeof *v);

	event_payload_json(event);	/* while the envelope is there */
	v->task = (struct pool_job){ .work = work, .done = task_done };
	v->magic = AEGIS_EVENT_MAGIC;
	atomic_init(&v->refs, 2);
	v->by = s;
	v->event = event;
	if (pool_run(s->a->handlers, &v->task) != ERR_OK)
		task_done(&v->task);	/* every thread is busy and too much waits: again soon */
}

static void
fill_subscription(struct event_subscription *s, struct subscribed *by)
{
	static const enum event_mode modes[] = {
		[AEGIS_COMPETE] = EVENT_COMPETE, [AEGIS_BROADCAST] = EVENT_BROADCAST, [AEGIS_MIXED] = EVENT_MIXED,
	};

	MUST((size_t)by->o.mode < COUNT_OF(modes));
	*s = (struct event_subscription){
		.pattern = by->pattern, .mode = modes[by->o.mode], .from_now = by->o.from_now, .from_start = by->o.from_start,
		.max_attempts = by->o.max_attempts, .ack_wait_ns = by->o.ack_wait_ms * NS_PER_MS,
		.run_ns = by->o.run_ms * NS_PER_MS, .retry_ns = by->o.retry_ms * NS_PER_MS, .max_running = by->o.concurrency, .handler = on_event, .arg = by,
	};
}

void
client_events_start(aegis *a)
{
	struct err err;

	if (a->nsubscribed == 0 || a->events != NULL)
		return;
	a->events = events_new(&(struct events_opts){
		.conn = a->conn, .loop = a->loop, .pool = a->pool, .publisher = a->publisher, .service = a->service,
		.instance = a->instance, .traffic = a->traffic, .guard = a->guard,
	});
	for (size_t i = 0; i < a->nsubscribed; i++) {
		struct event_subscription s;
		fill_subscription(&s, a->subscribed[i]);
		if (events_subscribe(a->events, &s, &err) != ERR_OK)
			log_error(EV_EVENT_FAILED, LOG_F(LOG_S("err", err.text)), "cannot take events: %s", err.text);
	}
}

void
client_events_leave(aegis *a, bool for_good)
{
	if (a->events != NULL)
		events_leave(a->events, for_good);
}

void
client_events_drain(aegis *a, int64_t timeout_ns)
{
	if (a->events != NULL)
		events_drain(a->events, timeout_ns);
}

void
client_events_free(aegis *a)
{
	events_free(a->events);
	a->events = NULL;
}

void
client_subscribed_free(aegis *a)
{
	for (size_t i = 0; i < a->nsubscribed; i++) {
		mem_free(a->subscribed[i]->pattern);
		mem_free(a->subscribed[i]);
	}
	mem_free(a->subscribed);
}

/* --- what a handler sees ----------------------------------------------------------------- */

static struct event *
inside(const aegis_event *v)
{
	MAGIC_CHECK(v, AEGIS_EVENT_MAGIC);
	return v->event;
}

const char *
aegis_event_subject(const aegis_event *v)
{
	return event_subject(inside(v));
}

const char *
aegis_event_domain(const aegis_event *v)
{
	return event_domain(inside(v));
}

const char *
aegis_event_type(const aegis_event *v)
{
	return event_type(inside(v));
}

const char *
aegis_event_id(const aegis_event *v)
{
	return event_message_id(inside(v));
}

const char *
aegis_event_trace_id(const aegis_event *v)
{
	return event_trace_id(inside(v));
}

const char *
aegis_event_source(const aegis_event *v)
{
	return event_source(inside(v));
}

uint64_t
aegis_event_deliveries(const aegis_event *v)
{
	return event_deliveries(inside(v));
}

const char *
aegis_event_json(const aegis_event *v)
{
	return event_payload_json(inside(v));
}

static const struct value *
field(const aegis_event *cv, const char *key)
{
	aegis_event *v = (aegis_event *)(uintptr_t)cv;	/* filled at the first look */

	MAGIC_CHECK(v, AEGIS_EVENT_MAGIC);
	if (v->codec == NULL) {
		const char *json = event_payload_json(v->event);
		v->codec = codec_new();
		MUST(codec_parse(v->codec, (struct data){ DATA_JSON, json, strlen(json) }, &v->payload, NULL) == ERR_OK);
	}
	return value_field(&v->payload, key);
}

const char *
aegis_event_text(const aegis_event *v, const char *key)
{
	struct text t;

	return value_text(field(v, key), &t) ? kept_text(&((aegis_event *)(uintptr_t)v)->kept, t) : NULL;
}

bool
aegis_event_int(const aegis_event *v, const char *key, int64_t *out)
{
	return value_int(field(v, key), out);
}

bool
aegis_event_real(const aegis_event *v, const char *key, double *out)
{
	return value_real(field(v, key), out);
}

bool
aegis_event_bool(const aegis_event *v, const char *key, bool *out)
{
	return value_bool(field(v, key), out);
}

void
aegis_event_done(aegis_event *v)
{
	struct event *event = inside(v);

	event_close(v);
	event_done(event);
}

void
aegis_event_fail(aegis_event *v, const char *text)
{
	struct event *event = inside(v);
	char *words = mem_text(text);	/* it may point into what v lent */

	event_close(v);
	event_fail(event, words);
	mem_free(words);
}
