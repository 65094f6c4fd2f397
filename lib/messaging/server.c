/* server.c - requests in, calls out, replies back.
 *
 * A call outlives the callback that brought it, and may outlive the server: both are
 * counted references.  Finished calls are kept in a short list with their buffers, so that
 * serving allocates nothing once it is warm. */
#include "messaging/server.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/num.h"
#include "codec/envelope.h"
#include "codec/subject.h"
#include "messaging/guard.h"
#include "messaging/methods.h"
#include "messaging/server_inner.h"
#include "nats/conn.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define SERVER_MAGIC 0x5e570001u
#define APART_NS (50 * NS_PER_US)	/* callers with many in flight send them closer together */
#define LONGEST_S 3600.0		/* a caller that would wait longer is treated as if it did not */

static struct mono
now_mono(void)
{
	return clock_mono(clock_system());
}

void
rpc_call_free(struct rpc_call *c)
{
	str_release(&c->method);
	str_release(&c->message_id);
	str_release(&c->trace_id);
	str_release(&c->source);
	str_release(&c->params);
	str_release(&c->out);
	str_release(&c->leader);
	if (c->slot != NULL)
		c->slot->free(c->slot);
	mem_free(c);
}

void
rpc_server_unref(struct rpc_server *s)
{
	if (atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	for (struct rpc_call *c; (c = s->spare) != NULL;) {
		s->spare = c->next;
		rpc_call_free(c);
	}
	for (size_t i = 0; i < s->nmethods; i++)
		mem_free(s->methods[i]);
	mem_free(s->methods);
	mem_free(s->service);
	mem_free(s->instance);
	pthread_cond_destroy(&s->idle);
	pthread_mutex_destroy(&s->lock);
	MAGIC_WIPE(s);
	mem_free(s);
}

/* --- a call's life ----------------------------------------------------------------------- */

static struct rpc_call *
call_open(struct rpc_server *s, struct msg *m)
{
	pthread_mutex_lock(&s->lock);
	struct rpc_call *c = s->spare;
	if (c != NULL) {
		s->spare = c->next;
		s->nspare--;
	}
	s->open++;
	pthread_mutex_unlock(&s->lock);
	if (c == NULL)
		c = mem_new(sizeof *c);
	atomic_fetch_add(&s->refs, 1);
	c->magic = RPC_CALL_MAGIC;
	c->server = s;
	c->msg = m;
	c->started = now_mono();
	/* Two in a row: the first of a burst comes apart as well, but the one before it did not. */
	bool apart = c->started.ns - atomic_exchange(&s->last_ns, c->started.ns) > APART_NS;
	c->lone = atomic_exchange(&s->last_apart, apart) && apart;
	return c;
}

/* --- receiving --------------------------------------------------------------------------- */

static void
keep(struct str *to, struct text t)
{
	str_clear(to);
	if (t.p != NULL)
		str_add(to, t.p, t.n);
}

/* deadline_of: when nobody waits any more: the envelope's time-out from now, or what an
 * aegis caller says is left of its budget. */
static struct mono
deadline_of(const struct rpc_call *c, const struct envelope *e)
{
	double s = e->timeout_s < LONGEST_S ? e->timeout_s : LONGEST_S;
	struct text header = msg_header_text(c->msg, "Aegis-Deadline");
	uint64_t left_ms;

	if (header.p != NULL && num_uint_n(header.p, header.n, &left_ms) && (double)left_ms / 1e3 < s)
		s = (double)left_ms / 1e3;
	return mono_after(c->started, (int64_t)(s * 1e9));
}

static void
bad_request(struct rpc_call *c, const struct err *err)
{
	struct rpc_server *s = c->server;

	atomic_fetch_add(&s->bad_requests, 1);
	log_warning(EV_RPC_BAD_REQUEST, LOG_F(LOG_S("subject", msg_subject(c->msg)), LOG_S("err", err->text)),
	    "a request cannot be read and is answered with INVALID_REQUEST");
	str_clear(&c->message_id);
	str_clear(&c->trace_id);
	rpc_refuse(c, ERR_UNKNOWN_METHOD, err->text);
}

void
rpc_call_again(struct rpc_call *c)
{
	struct rpc_server *s = c->server;
	struct envelope e;
	struct err err;

	MAGIC_CHECK(c, RPC_CALL_MAGIC);
	if (envelope_decode(codec_mine(), ENVELOPE_REQUEST, msg_data(c->msg), msg_size(c->msg), &e, &c->format, &err) != ERR_OK) {
		rpc_refuse(c, ERR_CORRUPT, err.text);	/* it was read before, so only memory can be short */
		return;
	}
	c->envelope = &e;
	s->handler(s->arg, c);
}

static void
on_request(void *arg, struct msg *m)
{
	struct rpc_server *s = arg;
	struct envelope e;
	__attribute__((uninitialized)) struct err err;	/* half a KiB to clear, and written before it is read */

	MAGIC_CHECK(s, SERVER_MAGIC);
	struct rpc_call *c = call_open(s, m);
	struct text method = subject_method(msg_subject(m));
	c->format = DATA_MSGPACK;
	if (envelope_decode(codec_mine(), ENVELOPE_REQUEST, msg_data(m), msg_size(m), &e, &c->format, &err) != ERR_OK) {
		bad_request(c, &err);
		return;
	}
	keep(&c->method, method);
	keep(&c->message_id, e.message_id);
	keep(&c->trace_id, e.trace_id);
	keep(&c->source, e.source);
	c->has_source = e.source.p != NULL;
	c->deadline = deadline_of(c, &e);
	c->stats = methods_find(s->stats, method);
	atomic_fetch_add(&c->stats->inflight, 1);
	enum err_code code = guard_value(s->guard, CONTRACT_PARAMS, method, &e.payload, &err);
	if (code != ERR_OK) {
		rpc_refuse(c, code, err.text);
		return;
	}
	/* The handler may answer at once, and then c is gone; so the envelope is only lent. */
	c->envelope = &e;
	s->handler(s->arg, c);
}

const struct envelope *
rpc_call_envelope(const struct rpc_call *c)
{
	MAGIC_CHECK(c, RPC_CALL_MAGIC);
	MUST(c->envelope != NULL);
	return c->envelope;
}

const char *
rpc_call_method(const struct rpc_call *c)
{
	return str_text(&c->method);
}

const char *
rpc_call_message_id(const struct rpc_call *c)
{
	return str_text(&c->message_id);
}

const char *
rpc_call_trace_id(const struct rpc_call *c)
{
	return str_text(&c->trace_id);
}

const char *
rpc_call_source(const struct rpc_call *c)
{
	return c->has_source ? str_text(&c->source) : NULL;
}

const char *
rpc_call_header(const struct rpc_call *c, const char *name)
{
	return msg_header(c->msg, name);
}

struct text
rpc_call_header_text(const struct rpc_call *c, const char *name)
{
	return msg_header_text(c->msg, name);
}

bool
rpc_call_is_direct(const struct rpc_call *c)
{
	unsigned dots = 0;

	for (const char *p = msg_subject(c->msg); *p != '\0'; p++)
		dots += *p == '.';
	return dots > 2;
}

uint64_t
rpc_call_epoch(const struct rpc_call *c)
{
	return c->gate != NULL ? c->epoch : 0;
}

struct data
rpc_call_request(const struct rpc_call *c)
{
	return (struct data){ c->format, msg_data(c->msg), msg_size(c->msg) };
}

struct mono
rpc_call_deadline(const struct rpc_call *c)
{
	return c->deadline;
}

struct method *
rpc_call_stats(const struct rpc_call *c)
{
	return c->stats;
}

struct rpc_slot **
rpc_call_slot(struct rpc_call *c)
{
	return &c->slot;
}

const char *
rpc_call_params_json(struct rpc_call *c)
{
	if (!c->has_params) {
		struct pack p;
		str_clear(&c->params);
		pack_init(&p, &c->params, DATA_JSON, PACK_COMPACT);
		pack_value(&p, &rpc_call_envelope(c)->payload);
		MUST(pack_end(&p, NULL) == ERR_OK);	/* it was decoded, so it can be encoded */
		c->has_params = true;
	}
	return str_text(&c->params);
}

/* --- the server -------------------------------------------------------------------------- */

static enum err_code
subscribe(struct rpc_server *s, const char *subject, const char *queue, struct err *err)
{
	struct sub *sub = sub_new(&(struct sub_opts){
		.conn = s->conn, .subject = subject, .queue = queue, .handler = on_request, .arg = s,
	}, err);

	if (sub == NULL)
		return err_prefix(err, "rpc: service '%s'", s->service), ERR_UNAVAILABLE;
	s->subs = mem_resize(s->subs, s->nsubs + 1, sizeof *s->subs);
	s->subs[s->nsubs++] = sub;
	return ERR_OK;
}

/* subscribe_all: both subjects of each method.  Only a server of all methods takes a wildcard: a
 * caller that picked this instance for a method that it lacks must hear "no responders", not a
 * refusal, because then it asks the group, in which another member may have the method. */
static enum err_code
subscribe_all(struct rpc_server *s, struct err *err)
{
	struct subject group = subject_rpc_group(s->service);
	enum err_code code = ERR_OK;

	for (size_t i = 0; code == ERR_OK && i < s->nmethods; i++) {
		code = subscribe(s, subject_direct(s->service, s->instance, s->methods[i]).s, NULL, err);
		if (code == ERR_OK)
			code = subscribe(s, subject_rpc(s->service, s->methods[i]).s, group.s, err);
	}
	if (s->methods == NULL) {
		code = subscribe(s, subject_direct_all(s->service, s->instance).s, NULL, err);
		if (code == ERR_OK)
			code = subscribe(s, subject_rpc_all(s->service).s, group.s, err);
	}
	return code;
}

static bool
is_listed(const struct rpc_server *s, const char *method)
{
	for (size_t i = 0; i < s->nmethods; i++)
		if (strcmp(s->methods[i], method) == 0)
			return true;
	return false;
}

static void
copy_methods(struct rpc_server *s, const char *const *list)
{
	size_t n = 0;

	while (list[n] != NULL)
		n++;
	s->methods = mem_array(n, sizeof *s->methods);
	/* A name given twice would be subscribed to twice, and its direct calls executed twice. */
	for (size_t i = 0; i < n; i++)
		if (!is_listed(s, list[i]))
			s->methods[s->nmethods++] = mem_text(list[i]);
}

struct rpc_server *
rpc_server_new(const struct rpc_server_opts *o, struct err *err)
{
	struct rpc_server *s = mem_new(sizeof *s);

	s->magic = SERVER_MAGIC;
	atomic_init(&s->refs, 1);
	s->conn = o->conn;
	s->service = mem_text(o->service);
	s->instance = mem_text(o->instance);
	s->stats = o->stats;
	s->guard = o->guard;
	s->handler = o->handler;
	s->arg = o->arg;
	pthread_mutex_init(&s->lock, NULL);
	thread_cond_init(&s->idle);
	if (o->methods != NULL)
		copy_methods(s, o->methods);
	if (subscribe_all(s, err) == ERR_OK)
		return s;
	rpc_server_free(s);
	return NULL;
}

/* Without a connection nothing can arrive, and a drain would wait for the server. */
static bool
leave(struct rpc_server *s)
{
	bool linked = conn_state(s->conn) == CONN_UP;

	for (size_t i = 0; linked && i < s->nsubs; i++)
		sub_drain(s->subs[i]);
	return linked;
}

void
rpc_server_leave(struct rpc_server *s)
{
	leave(s);
}

unsigned
rpc_server_drain(struct rpc_server *s, int64_t timeout_ns)
{
	struct mono end = mono_after(now_mono(), timeout_ns);

	bool linked = leave(s);
	for (size_t i = 0; linked && i < s->nsubs; i++) {
		int64_t left = mono_since(end, now_mono());
		if (left > 0)
			sub_drained(s->subs[i], left);
	}
	pthread_mutex_lock(&s->lock);
	while (s->open > 0 && thread_cond_wait(&s->idle, &s->lock, end))
		continue;
	unsigned open = s->open;
	pthread_mutex_unlock(&s->lock);
	return open;
}

void
rpc_server_stop(struct rpc_server *s)
{
	for (size_t i = 0; i < s->nsubs; i++)
		sub_stop(s->subs[i]);
}

void
rpc_server_free(struct rpc_server *s)
{
	if (s == NULL)
		return;
	MAGIC_CHECK(s, SERVER_MAGIC);
	for (size_t i = 0; i < s->nsubs; i++)
		sub_free(s->subs[i]);
	mem_free(s->subs);
	s->subs = NULL;
	s->nsubs = 0;
	rpc_server_unref(s);
}

uint64_t
rpc_server_bad_requests(const struct rpc_server *s)
{
	return atomic_load(&s->bad_requests);
}
