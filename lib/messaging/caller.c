/* caller.c - calls in flight, in a table of places (places.h).
 *
 * A call ends exactly once, by whoever takes it out of its place under the lock: the reply, the
 * time-out, or the end of the caller. */
#include "messaging/caller.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/id.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/envelope.h"
#include "discovery/discovery.h"
#include "discovery/leaders.h"
#include "messaging/caller_inner.h"
#include "messaging/places.h"
#include "messaging/route.h"
#include "messaging/source.h"
#include "messaging/told.h"
#include "messaging/trace.h"
#include "messaging/traffic.h"
#include "sys/clock.h"
#include "sys/loop.h"
#include "sys/thread.h"

#define CALLER_MAGIC 0xca110001u
#define SWEEP_NS (5 * NS_PER_MS)	/* how late a time-out may be noticed */
#define LONG_NS (10 * NS_PER_MS)		/* from when on a waiter may doubt that an answer comes */
#define FIRST_LISTING_NS (2 * NS_PER_S)	/* how long a first call waits to know who is there */
struct caller {
	unsigned magic;
	struct conn *conn;
	struct discovery *discovery;
	struct loop *loop;
	struct source source;
	enum data_format format;
	struct traffic *traffic;
	struct leaders *leaders;	/* for sticky calls */
	char inbox[CONN_INBOX_MAX];
	size_t ninbox;
	struct sub *sub;

	pthread_mutex_t lock;		/* leaf: all up to the blank line */
	struct places table;
	bool sweeping;			/* a sweep is arranged */
	bool closed;
	unsigned inside;		/* threads in caller_call and caller_start */
	pthread_cond_t changed;		/* closed was set, or inside became 0 afterwards */

	struct loop_timer sweep;	/* the loop's thread only */
	struct mail arrange;		/* in the loop's mailbox only while sweeping */
};

/* A call that was taken out of its place: what is needed to end it. */
struct ended {
	struct caller_end end;
	struct mono started;
	struct route route;
};

static struct mono
now_mono(void)
{
	return clock_mono(clock_system());
}

void
call_reply_release(struct call_reply *r)
{
	msg_free(r->msg);
	r->msg = NULL;
}

void
caller_source(struct caller *c, const char *instance)
{
	source_set(&c->source, instance);
}

struct leaders *
caller_leaders(struct caller *c)
{
	return c->leaders;
}

struct traffic *
caller_traffic(struct caller *c)
{
	return c->traffic;
}

struct discovery *
caller_discovery(struct caller *c)
{
	return c->discovery;
}

unsigned
caller_inflight(const struct caller *c)
{
	struct caller *mine = (struct caller *)(uintptr_t)c;

	pthread_mutex_lock(&mine->lock);
	unsigned n = mine->table.n;
	pthread_mutex_unlock(&mine->lock);
	return n;
}

/* --- places; all under the lock ---------------------------------------------------------- */

/* take_out: what ends the call is the caller's, its place is free. */
static struct ended
take_out(struct caller *c, struct place *p)
{
	struct ended e = { p->end, p->started, p->route };

	places_leave(&c->table, p);
	return e;
}

/* prepare_fall_back: under the lock: nobody listens on the direct subject: a Python member, one
 * that has no such method, or one that just went.  The call was not executed, so the group may
 * have it: then its request is in `request` and its subject in `to`. */
static bool
prepare_fall_back(struct place *p, struct str *request, struct subject *to, struct told *told, struct mono *deadline)
{
	if (!p->route.direct || p->route.demanded || (p->gate != NULL && !gate_still(p->gate, p->pass)))
		return false;
	p->route.direct = false;
	*to = route_subject(&p->route);
	str_add(request, p->request.p, p->request.len);
	*told = p->told;
	*deadline = p->deadline;
	return true;
}

/* --- the end of a call ------------------------------------------------------------------- */

/* finish: m (taken over) is the answer, unless err says that there is none. */
static void
finish(struct caller *c, struct ended *e, struct msg *m, const struct err *err)
{
	struct call_reply reply = { .msg = m, .attempts = 1, .direct = e->route.direct && !e->route.demanded };
	int64_t took = mono_since(now_mono(), e->started);
	__attribute__((uninitialized)) struct err own;	/* half a KiB to clear, and written before it is read */

	enum breaker_turn turn = route_note(&e->route, m, err);
	if (turn != BREAKER_SAME)
		traffic_breaker(c->traffic, turn == BREAKER_OPENED);
	if (err == NULL) {
		reply.latency_ms = (double)took / 1e6;
		if (!e->end.unread && route_read_reply(m, &reply, &own) != ERR_OK)
			err = &own;
	}
	/* A call that is waited for is counted by who waits, with all of its attempts. */
	if (!e->end.unread)
		traffic_called(c->traffic, e->route.service, e->route.method, err != NULL ? err->code : ERR_OK, took);
	route_release(&e->route);
	e->end.done(e->end.arg, err == NULL ? &reply : NULL, err);
	call_reply_release(&reply);
}

/* publish: a request with its headers. */
static enum err_code
publish(struct caller *c, struct conn_msg *m, const struct told *told, struct mono deadline, struct err *err)
{
	struct told_headers h;

	if (told->any)
		m->headers = told_headers(told, mono_since(deadline, now_mono()), &h);
	return conn_publish(c->conn, m, err);
}

/* fall_back: sends the call on; without the lock, because the library may wait for a socket. */
static void
fall_back(struct caller *c, uint32_t number, const struct str *request, const struct subject *to,
    const struct told *told, struct mono deadline)
{
	char reply[PLACES_SUBJECT_MAX];
	struct err err;

	places_subject(c->inbox, c->ninbox, number, reply);
	if (publish(c, &(struct conn_msg){ .subject = to->s, .reply = reply, .data = request->p, .n = request->len },
	    told, deadline, &err) == ERR_OK)
		return;
	pthread_mutex_lock(&c->lock);
	struct place *p = places_find(&c->table, number);
	struct ended e;
	if (p != NULL)
		e = take_out(c, p);
	pthread_mutex_unlock(&c->lock);
	if (p != NULL)
		finish(c, &e, NULL, &err);
}

static void
on_reply(void *arg, struct msg *m)
{
	struct caller *c = arg;
	uint32_t number = places_number(c->ninbox, msg_subject(m));
	bool nobody = msg_is_no_responders(m), again = false;
	struct str *request = codec_scratch();
	/* Nothing is cleared: which of them are written depends on how the call goes on, and then all is. */
	__attribute__((uninitialized)) struct subject to;
	__attribute__((uninitialized)) struct told told;
	struct mono deadline;
	__attribute__((uninitialized)) struct ended e;
	__attribute__((uninitialized)) struct err err;

	MAGIC_CHECK(c, CALLER_MAGIC);
	pthread_mutex_lock(&c->lock);
	struct place *p = places_find(&c->table, number);
	if (p != NULL && nobody)
		again = prepare_fall_back(p, request, &to, &told, &deadline);
	if (p != NULL && !again)
		e = take_out(c, p);
	pthread_mutex_unlock(&c->lock);
	if (p == NULL || again) {
		msg_free(m);
		if (again)
			fall_back(c, number, request, &to, &told, deadline);
		return;
	}
	if (nobody)
		route_nobody(&e.route, c->discovery, &err);
	finish(c, &e, m, nobody ? &err : NULL);
}

/* sweep: on the loop, while calls are in flight: ends those whose time is over. */
static void
sweep(void *arg)
{
	struct caller *c = arg;
	struct mono now = now_mono();
	struct err err;

	pthread_mutex_lock(&c->lock);
	for (uint32_t i = 0; i < c->table.made; i++) {
		struct place *p = c->table.at[i];
		if (p->number == 0)
			continue;
		if (!mono_reached(now, p->deadline)) {
			if (p->end.nudge != NULL && mono_since(now, p->started) >= LONG_NS)
				p->end.nudge(p->end.arg);
			continue;
		}
		struct ended e = take_out(c, p);
		pthread_mutex_unlock(&c->lock);
		err_set(&err, ERR_TIMEOUT, "no answer to rpc.%s.%s within %.3g s; it may have been executed",
		    e.route.service, e.route.method, ns_seconds(mono_since(now, e.started)));
		finish(c, &e, NULL, &err);
		pthread_mutex_lock(&c->lock);
	}
	c->sweeping = c->table.n > 0;
	bool again = c->sweeping;
	pthread_mutex_unlock(&c->lock);
	if (again)
		loop_timer_set(c->loop, &c->sweep, mono_after(now, SWEEP_NS), sweep, c);
}

static void
arrange_sweep(struct mail *m)
{
	struct caller *c = CONTAINER_OF(m, struct caller, arrange);

	MAGIC_CHECK(c, CALLER_MAGIC);
	loop_timer_set(c->loop, &c->sweep, mono_after(now_mono(), SWEEP_NS), sweep, c);
}

/* --- the start of a call ----------------------------------------------------------------- */

static enum err_code
encode(const struct caller *c, const struct call_spec *s, struct str *out, struct err *err)
{
	char trace[ID_UUID_MAX];
	struct envelope e;

	envelope_init(&e, ENVELOPE_REQUEST);
	e.source = text_of(source_text(&c->source));
	e.target = text_of(s->service);
	e.method = text_of(s->method);
	e.message_id = text_of(s->message_id);
	e.trace_id = text_of(trace_id_told(s->trace_id, s->traceparent, trace));
	e.timeout_s = ns_seconds(caller_timeout(s));
	if (s->tree != NULL)
		e.payload = *s->tree;
	else if (s->params.p != NULL)
		e.payload = (struct value){ .type = VALUE_RAW, .u.raw = s->params };
	enum err_code code = envelope_encode(&e, c->format, clock_wall(clock_system()), out, err);
	int64_t most = conn_max_payload(c->conn);
	if (code == ERR_OK && most > 0 && out->len > (size_t)most)
		code = err_set(err, ERR_TOO_LARGE, "the request of %zu bytes is larger than the %lld that the server takes",
		    out->len, (long long)most);
	return code;
}

/* --- who is inside ----------------------------------------------------------------------- */

/* Calls come from threads that the end of the caller does not own: it waits until the last of
 * them has left, and whatever they wait for meanwhile ends at once. */

static enum err_code
come_in(struct caller *c, struct err *err)
{
	MAGIC_CHECK(c, CALLER_MAGIC);
	pthread_mutex_lock(&c->lock);
	bool closed = c->closed;
	c->inside += !closed;
	pthread_mutex_unlock(&c->lock);
	return closed ? err_set(err, ERR_CLOSED, "the connection is being closed") : ERR_OK;
}

static void
go_out(struct caller *c)
{
	pthread_mutex_lock(&c->lock);
	if (--c->inside == 0 && c->closed)
		pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

bool
caller_pause(struct caller *c, int64_t ns)
{
	struct mono until = mono_after(now_mono(), ns);

	pthread_mutex_lock(&c->lock);
	while (!c->closed && thread_cond_wait(&c->changed, &c->lock, until))
		continue;
	bool open = !c->closed;
	pthread_mutex_unlock(&c->lock);
	return open;
}

/* One call on its way into a place. */
struct entry {
	const struct call_spec *spec;
	struct route route;
	struct str *request;		/* the thread's own */
	struct caller_end end;
	bool alone;			/* nothing else is in flight: there is nothing to wait for */
	uint32_t number;
	struct mono deadline;
	struct told told;
};

/* enter: gives the call a place; from then on it ends through done, or by a failing send. */
static enum err_code
enter(struct caller *c, struct entry *e, struct err *err)
{
	pthread_mutex_lock(&c->lock);
	struct place *p = c->closed ? NULL : places_take(&c->table);
	if (p == NULL) {
		bool closed = c->closed;
		pthread_mutex_unlock(&c->lock);
		return closed ? err_set(err, ERR_CLOSED, "the connection is being closed")
			      : err_set(err, ERR_BUSY, "%d calls are in flight already", CALLER_MAX_INFLIGHT);
	}
	p->started = now_mono();
	p->deadline = e->deadline = mono_after(p->started, caller_timeout(e->spec));
	p->end = e->end;
	p->gate = e->spec->gate;
	p->pass = e->spec->pass;
	p->route = e->route;
	str_clear(&p->request);
	if (e->route.direct && !e->route.demanded)
		str_add(&p->request, e->request->p, e->request->len);
	if (e->told.any)
		p->told = e->told;
	else
		p->told.any = false;
	e->number = p->number;
	e->alone = c->table.n == 1;
	bool arrange = !c->sweeping;
	c->sweeping = true;
	pthread_mutex_unlock(&c->lock);
	if (arrange)
		loop_post(c->loop, &c->arrange);
	return ERR_OK;
}

static enum err_code
send_call(struct caller *c, const struct entry *e, struct err *err)
{
	char reply[PLACES_SUBJECT_MAX];

	struct subject to = route_subject(&e->route);
	places_subject(c->inbox, c->ninbox, e->number, reply);
	enum err_code code = publish(c, &(struct conn_msg){
		.subject = to.s, .reply = reply,
		.data = e->request->p, .n = e->request->len,
		.urgent = e->end.unread && e->alone,	/* a thread waits, so nothing follows at once */
	}, &e->told, e->deadline, err);
	if (code == ERR_OK)
		return ERR_OK;
	pthread_mutex_lock(&c->lock);
	struct place *p = places_find(&c->table, e->number);
	if (p != NULL)
		take_out(c, p);	/* its route is the caller's again */
	pthread_mutex_unlock(&c->lock);
	return p != NULL ? code : ERR_OK;	/* its time was over in between: done was called */
}

enum err_code
caller_begin(struct caller *c, const struct call_spec *s, const struct caller_end *end, bool *sent, uint32_t *number,
    struct err *err)
{
	struct entry e = { .spec = s, .request = codec_scratch(), .end = *end };

	*sent = false;
	if (conn_state(c->conn) != CONN_UP)
		return err_set(err, ERR_UNAVAILABLE, "not connected to NATS at %s", conn_servers(c->conn));
	enum err_code code = told_set(&e.told, s, err);
	if (code == ERR_OK)
		code = discovery_start(c->discovery, err);
	if (code == ERR_OK)
		code = route_find(c->discovery, s, &e.route, err);
	if (code != ERR_OK)
		return code;
	code = encode(c, s, e.request, err);
	if (code == ERR_OK && !caller_may(s))
		code = err_set(err, ERR_NOT_ACTIVE, "the lead was over before the call could be sent; it was not sent");
	if (code == ERR_OK && (code = enter(c, &e, err)) == ERR_OK) {
		*sent = true;		/* even when it fails: what is in the library's buffer may go out later */
		if (number != NULL)
			*number = e.number;
		code = send_call(c, &e, err);
	}
	if (code != ERR_OK)
		route_release(&e.route);
	return code;
}

bool
caller_abandon(struct caller *c, uint32_t number)
{
	struct ended e;

	pthread_mutex_lock(&c->lock);
	struct place *p = places_find(&c->table, number);
	if (p != NULL)
		e = take_out(c, p);
	pthread_mutex_unlock(&c->lock);
	if (p != NULL)
		route_release(&e.route);
	return p != NULL;
}

enum err_code
caller_start(struct caller *c, const struct call_spec *s,
    void (*done)(void *arg, const struct call_reply *reply, const struct err *err), void *arg, struct err *err)
{
	enum err_code code = come_in(c, err);
	bool sent;

	if (code != ERR_OK)
		return code;
	if (s->sticky) {
		go_out(c);
		return err_set(err, ERR_INVALID, "a sticky call takes several attempts, so somebody must wait for it");
	}
	code = caller_begin(c, s, &(struct caller_end){ .done = done, .arg = arg }, &sent, NULL, err);
	if (code != ERR_OK)
		traffic_called(c->traffic, s->service, s->method, code, -1);
	go_out(c);
	return code;
}

enum err_code
caller_call(struct caller *c, const struct call_spec *s, struct call_reply *reply, struct err *err)
{
	struct mono began = now_mono();
	struct err last;

	memset(reply, 0, sizeof *reply);
	enum err_code code = come_in(c, err);
	if (code != ERR_OK)
		return code;
	if (conn_state(c->conn) == CONN_UP)
		discovery_wait(c->discovery, caller_timeout(s) < FIRST_LISTING_NS ? caller_timeout(s) : FIRST_LISTING_NS);
	code = (s->sticky ? caller_sticky : caller_attempts)(c, s, began, reply, &last);
	traffic_called(c->traffic, s->service, s->method, code, mono_since(now_mono(), began));
	traffic_retried(c->traffic, s->service, s->method, reply->attempts, code);
	go_out(c);
	if (code != ERR_OK && err != NULL)
		*err = last;		/* untouched when only the first attempt failed */
	return code;
}

/* --- the caller -------------------------------------------------------------------------- */

struct caller *
caller_new(const struct caller_opts *o, struct err *err)
{
	struct caller *c = mem_new(sizeof *c);
	char all[CONN_INBOX_MAX + 4];

	c->magic = CALLER_MAGIC;
	c->conn = o->conn;
	c->discovery = o->discovery;
	c->loop = o->loop;
	source_set(&c->source, o->source);
	c->format = o->format;
	c->traffic = o->traffic;
	c->leaders = leaders_new(o->conn, NULL, NULL);
	c->arrange = (struct mail){ .deliver = arrange_sweep, .vital = true };
	pthread_mutex_init(&c->lock, NULL);
	thread_cond_init(&c->changed);
	conn_inbox(c->conn, c->inbox);
	c->ninbox = strlen(c->inbox);
	snprintf(all, sizeof all, "%s.*", c->inbox);
	c->sub = sub_new(&(struct sub_opts){
		.conn = c->conn, .subject = all, .handler = on_reply, .arg = c, .max_pending = 2 * CALLER_MAX_INFLIGHT,
	}, err);
	if (c->sub != NULL)
		return c;
	caller_free(c);
	return NULL;
}

void
caller_stop(struct caller *c)
{
	struct err err;

	if (c == NULL)
		return;
	MAGIC_CHECK(c, CALLER_MAGIC);
	err_set(&err, ERR_CLOSED, "the connection was closed while the call waited");
	pthread_mutex_lock(&c->lock);
	c->closed = true;
	pthread_cond_broadcast(&c->changed);
	for (uint32_t i = 0; i < c->table.made; i++) {
		if (c->table.at[i]->number == 0)
			continue;
		struct ended e = take_out(c, c->table.at[i]);
		pthread_mutex_unlock(&c->lock);
		finish(c, &e, NULL, &err);
		pthread_mutex_lock(&c->lock);
	}
	pthread_mutex_unlock(&c->lock);
	discovery_stop(c->discovery);
	pthread_mutex_lock(&c->lock);
	while (c->inside > 0)
		pthread_cond_wait(&c->changed, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

void
caller_free(struct caller *c)
{
	if (c == NULL)
		return;
	MAGIC_CHECK(c, CALLER_MAGIC);
	caller_stop(c);
	sub_free(c->sub);
	leaders_free(c->leaders);
	loop_timer_cancel(c->loop, &c->sweep);
	loop_take(c->loop, &c->arrange);
	places_release(&c->table);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	source_release(&c->source);
	MAGIC_WIPE(c);
	mem_free(c);
}
