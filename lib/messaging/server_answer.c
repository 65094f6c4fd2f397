/* server_answer.c - the end of a call: its reply, in the form that its kind has, and its count.
 *
 * An exclusive call that ran under a lease is looked after a second time, when its reply is
 * ready: what the gate does not vouch for any more is OUTCOME_UNKNOWN, never a success
 * (election.md §6). */
#include "messaging/server_inner.h"

#include <stdio.h>
#include <string.h>

#include "base/hist.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "codec/envelope.h"
#include "messaging/guard.h"
#include "messaging/methods.h"
#include "nats/conn.h"
#include "sys/clock.h"
#include "sys/gate.h"

#define SPARE_CALLS 256
#define SPARE_BYTES (64 * 1024)		/* a buffer that grew beyond that is not kept */

static struct mono
now_mono(void)
{
	return clock_mono(clock_system());
}

static void
trim(struct str *s)
{
	if (s->cap > SPARE_BYTES)
		str_release(s);
	else
		str_clear(s);
}

void
rpc_call_release(struct rpc_call *c)
{
	if (c->gate != NULL)
		gate_leave(c->gate);
	c->gate = NULL;
	c->pass = c->epoch = 0;
}

void
rpc_call_end(struct rpc_call *c)
{
	struct rpc_server *s = c->server;

	msg_free(c->msg);
	if (c->slot != NULL)
		c->slot->reset(c->slot);
	trim(&c->method);
	trim(&c->message_id);
	trim(&c->trace_id);
	trim(&c->source);
	trim(&c->params);
	trim(&c->out);
	trim(&c->leader);
	rpc_call_release(c);
	c->exclusive = false;
	c->msg = NULL;
	c->envelope = NULL;
	c->stats = NULL;
	c->has_source = c->has_params = false;
	MAGIC_WIPE(c);
	pthread_mutex_lock(&s->lock);
	bool spare = s->nspare < SPARE_CALLS;
	if (spare) {
		c->next = s->spare;
		s->spare = c;
		s->nspare++;
	}
	if (--s->open == 0)
		pthread_cond_broadcast(&s->idle);
	pthread_mutex_unlock(&s->lock);
	if (!spare)
		rpc_call_free(c);
	rpc_server_unref(s);
}

/* settle: the call is over, one way or the other; counts it. */
static void
settle(struct rpc_call *c, bool failed)
{
	if (c->stats == NULL)
		return;
	atomic_fetch_sub(&c->stats->inflight, 1);
	atomic_fetch_add(&c->stats->calls, 1);
	if (failed)
		atomic_fetch_add(&c->stats->errors, 1);
	hist_record(c->stats->latency, mono_since(now_mono(), c->started));
}

static void
fill_reply(const struct rpc_call *c, struct envelope *e)
{
	envelope_init(e, ENVELOPE_RESPONSE);
	if (c->message_id.len > 0)
		e->correlation_id = (struct text){ c->message_id.p, c->message_id.len };
	if (c->trace_id.len > 0)
		e->trace_id = (struct text){ c->trace_id.p, c->trace_id.len };
	e->source = text_of(c->server->instance);
}

static enum err_code
encode_reply(struct rpc_call *c, const struct envelope *e, struct err *err)
{
	str_clear(&c->out);
	enum err_code code = envelope_encode(e, c->format, clock_wall(clock_system()), &c->out, err);
	int64_t most = conn_max_payload(c->server->conn);

	if (code == ERR_OK && most > 0 && c->out.len > (size_t)most)
		code = err_set(err, ERR_TOO_LARGE, "the answer of %zu bytes is larger than the %lld that the server takes",
		    c->out.len, (long long)most);
	return code;
}

static enum err_code
send_reply(struct rpc_call *c, const struct conn_header *headers, struct err *err)
{
	const char *to = msg_reply(c->msg);

	if (to == NULL)
		return ERR_OK;		/* the caller does not want to know */
	return conn_publish(c->server->conn, &(struct conn_msg){
		.subject = to, .data = c->out.p, .n = c->out.len, .headers = headers,
		.urgent = c->lone,
	}, err);
}

/* --- the form of exclusive methods -------------------------------------------------------- */

/* What the replies of exclusive methods say in headers.  Their names are no request's, because Python
 * members copy request headers into replies. */
struct led {
	struct conn_header v[6];
	size_t n;
};

static const struct conn_header *
led_headers(const struct rpc_call *c, struct led *l)
{
	l->n = 0;
	if (c->leader.len > 0) {
		l->v[l->n++] = (struct conn_header){ "Aegis-Leader", str_text(&c->leader) };
		l->v[l->n++] = (struct conn_header){ "Aegis-Leader-Epoch", c->digits };
	}
	l->v[l->n++] = (struct conn_header){ "Aegis-Served-By", c->server->instance };
	l->v[l->n] = (struct conn_header){ NULL, NULL };
	return l->v;
}

static bool
is_map(const struct value *v)
{
	const struct data *d = &v->u.raw;
	size_t i = 0;

	if (v->type != VALUE_RAW)
		return v->type == VALUE_MAP;
	if (d->format == DATA_MSGPACK)
		return d->n > 0 && (((unsigned char)d->p[0] & 0xf0) == 0x80 || ((unsigned char)d->p[0] & 0xfe) == 0xde);
	while (i < d->n && strchr(" \t\r\n", d->p[i]) != NULL)
		i++;
	return i < d->n && d->p[i] == '{';
}

static bool
is_null(const struct value *v)
{
	return v->type == VALUE_NULL || (v->type == VALUE_RAW && v->u.raw.format == DATA_JSON && v->u.raw.n == 4 &&
	    memcmp(v->u.raw.p, "null", 4) == 0);
}

/* The inner map of wire.md §5.3; it points into itself. */
struct nested {
	struct value_pair pair[4], data[1];
};

static struct value
nest(struct nested *n, const char *error, const char *message, struct value result)
{
	struct value text = { .type = error != NULL ? VALUE_TEXT : VALUE_NULL, .u.text = text_of(error) };
	struct value words = { .type = message != NULL ? VALUE_TEXT : VALUE_NULL, .u.text = text_of(message) };

	if (!is_map(&result) && !is_null(&result)) {
		n->data[0] = (struct value_pair){ text_of("data"), result };
		result = (struct value){ .type = VALUE_MAP, .n = 1, .u.pairs = n->data };
	}
	n->pair[0] = (struct value_pair){ text_of("success"), { .type = VALUE_BOOL, .u.boolean = error == NULL } };
	n->pair[1] = (struct value_pair){ text_of("error"), text };
	n->pair[2] = (struct value_pair){ text_of("message"), words };
	n->pair[3] = (struct value_pair){ text_of("result"), result };
	return (struct value){ .type = VALUE_MAP, .n = 4, .u.pairs = n->pair };
}

bool
rpc_call_holds(const struct rpc_call *c)
{
	return c->gate == NULL || gate_still(c->gate, c->pass);
}

/* is_nested_code: what the inner map has a word for; everything else is no answer of the method. */
static bool
is_nested_code(enum err_code code)
{
	return code == ERR_NOT_ACTIVE || code == ERR_HANDLER || code == ERR_OUTCOME_UNKNOWN;
}

/* --- answering --------------------------------------------------------------------------- */

/* sentence_of: "WIRE_CODE: text", or a handler's own words alone. */
static void
sentence_of(enum err_code code, bool bare, const char *text, char *out, size_t room)
{
	if (bare)
		snprintf(out, room, "%s", text);
	else
		snprintf(out, room, "%s: %s", err_wire(code), text);
	/* The workload's own words may be no text, or were cut inside a character. */
	out[utf8_valid(out, strlen(out))] = '\0';
}

static void
refuse_nested(struct rpc_call *c, enum err_code code, const char *text)
{
	bool standby = code == ERR_NOT_ACTIVE;
	char sentence[1024];
	struct envelope e;
	struct nested n;
	struct led l;

	sentence_of(code, code != ERR_OUTCOME_UNKNOWN, text, sentence, sizeof sentence);
	fill_reply(c, &e);
	e.payload = nest(&n, standby ? "NOT_ACTIVE" : "EXECUTION_ERROR", sentence, (struct value){ .type = VALUE_NULL });
	if (encode_reply(c, &e, NULL) == ERR_OK)
		send_reply(c, led_headers(c, &l), NULL);
}

static void
refuse_plainly(struct rpc_call *c, enum err_code code, const char *text)
{
	char sentence[1024], number[8];
	struct envelope e;
	struct led l = { .n = 0 };

	sentence_of(code, code == ERR_HANDLER, text, sentence, sizeof sentence);
	snprintf(number, sizeof number, "%d", err_http(code));
	fill_reply(c, &e);
	e.success = false;
	e.error = text_of(sentence);
	if (c->exclusive)
		led_headers(c, &l);
	l.v[l.n++] = (struct conn_header){ "Nats-Service-Error", err_wire(code) };
	l.v[l.n++] = (struct conn_header){ "Nats-Service-Error-Code", number };
	l.v[l.n] = (struct conn_header){ NULL, NULL };
	/* Fails only where the server takes less than a sentence; then nobody can be told. */
	if (encode_reply(c, &e, NULL) == ERR_OK)
		send_reply(c, l.v, NULL);
}

void
rpc_refuse(struct rpc_call *c, enum err_code code, const char *text)
{
	MAGIC_CHECK(c, RPC_CALL_MAGIC);
	if (code == ERR_HANDLER && !rpc_call_holds(c)) {
		code = ERR_OUTCOME_UNKNOWN;
		text = "it failed, and the lease it ran under was lost meanwhile";
	}
	if (text == NULL)
		text = err_text(code);
	if (c->exclusive && is_nested_code(code))
		refuse_nested(c, code, text);
	else
		refuse_plainly(c, code, text);
	settle(c, true);
	rpc_call_end(c);
}

static enum err_code
send_result(struct rpc_call *c, struct value result, struct err *err)
{
	struct envelope e;
	struct nested n;
	struct led l;

	fill_reply(c, &e);
	e.payload = c->exclusive ? nest(&n, NULL, NULL, result) : result;
	enum err_code code = encode_reply(c, &e, err);
	if (code != ERR_OK) {
		rpc_refuse(c, ERR_HANDLER, err->text);
		return code;
	}
	if (!rpc_call_holds(c)) {
		err_set(err, ERR_OUTCOME_UNKNOWN, "it was executed, but the lease it ran under was lost before the reply");
		rpc_refuse(c, ERR_OUTCOME_UNKNOWN, err->text);
		return ERR_OUTCOME_UNKNOWN;
	}
	code = send_reply(c, c->exclusive ? led_headers(c, &l) : NULL, err);
	settle(c, false);
	rpc_call_end(c);
	return code;
}

enum err_code
rpc_answer_value(struct rpc_call *c, struct value result, struct err *err)
{
	__attribute__((uninitialized)) struct err own;	/* see on_request */

	MAGIC_CHECK(c, RPC_CALL_MAGIC);
	enum err_code code = guard_value(c->server->guard, CONTRACT_RESULT, (struct text){ c->method.p, c->method.len }, &result, &own);
	if (code != ERR_OK)
		rpc_refuse(c, ERR_CORRUPT, own.text);
	else
		code = send_result(c, result, &own);
	if (code != ERR_OK && err != NULL)
		*err = own;
	return code;
}

enum err_code
rpc_answer(struct rpc_call *c, struct data result, struct err *err)
{
	struct value v = { .type = VALUE_NULL };

	if (result.p != NULL)
		v = (struct value){ .type = VALUE_RAW, .u.raw = result };
	return rpc_answer_value(c, v, err);
}

/* --- exclusive calls, and those that another member answered ------------------------------ */

void
rpc_call_lead(struct rpc_call *c, const char *leader, uint64_t epoch)
{
	MAGIC_CHECK(c, RPC_CALL_MAGIC);
	c->exclusive = true;
	c->epoch = epoch;
	/* A call's memory serves many calls of one hold. */
	if (c->told != epoch || epoch == 0)
		num_uint_text(epoch, c->digits);
	c->told = epoch;
	str_clear(&c->leader);
	if (leader != NULL)
		str_puts(&c->leader, leader);
}

void
rpc_call_hold(struct rpc_call *c, struct gate *gate, uint64_t pass)
{
	MAGIC_CHECK(c, RPC_CALL_MAGIC);
	MUST(c->gate == NULL);
	c->gate = gate;
	c->pass = pass;
}

void
rpc_refuse_lapsed(struct rpc_call *c)
{
	rpc_call_lead(c, NULL, 0);
	rpc_refuse(c, ERR_NOT_ACTIVE, "the lead was over before it was begun");
}

void
rpc_pass_on(struct rpc_call *c, const struct msg *reply)
{
	static const char *const kept[] = { "Aegis-Leader", "Aegis-Leader-Epoch", "Aegis-Served-By", "Nats-Service-Error",
	    "Nats-Service-Error-Code" };
	struct conn_header h[COUNT_OF(kept) + 1];
	size_t n = 0;

	MAGIC_CHECK(c, RPC_CALL_MAGIC);
	for (size_t i = 0; i < COUNT_OF(kept); i++) {
		const char *v = msg_header(reply, kept[i]);
		if (v != NULL)
			h[n++] = (struct conn_header){ kept[i], v };
	}
	h[n] = (struct conn_header){ NULL, NULL };
	str_clear(&c->out);
	str_add(&c->out, msg_data(reply), msg_size(reply));
	send_reply(c, h, NULL);
	settle(c, false);
	rpc_call_end(c);
}
