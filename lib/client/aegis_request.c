/* aegis_request.c - requests on their way to a handler, and their answers.
 *
 * A handler that may block gets its request on a worker thread: the parameters travel as
 * JSON text and are parsed there, by a decoder of the request's own, because the thread's
 * is used by every call that the handler makes itself. */
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "client/client.h"
#include "client/turns.h"
#include "messaging/methods.h"
#include "messaging/server.h"
#include "sys/clock.h"

#define REQUEST_MAGIC 0xae615002u

/* Lives in its call's slot and is used again with it. */
struct aegis_request {
	struct rpc_slot slot;		/* first */
	unsigned magic;
	struct rpc_call *call;
	struct aegis *a;
	const struct served *served;
	bool has_turn;			/* of served->turns; over when it is answered */
	struct codec *codec;		/* NULL until needed; never with an inline handler */
	const struct value *params;	/* NULL until read */
	struct value parsed;
	struct kept kept;
};

const char *
kept_text(struct kept *k, struct text t)
{
	mem_grow(&k->v, &k->cap, k->n + 1, sizeof *k->v);
	return k->v[k->n++] = mem_text_n(t.p, t.n);
}

static void
kept_clear(struct kept *k)
{
	for (size_t i = 0; i < k->n; i++)
		mem_free(k->v[i]);
	k->n = 0;
}

void
kept_release(struct kept *k)
{
	kept_clear(k);
	mem_free(k->v);
	*k = (struct kept){ NULL, 0, 0 };
}

static void end_turn(struct aegis *a, struct turns *t);

static void
request_reset(struct rpc_slot *slot)
{
	aegis_request *r = CONTAINER_OF(slot, aegis_request, slot);
	bool had_turn = r->has_turn;

	kept_clear(&r->kept);
	codec_free(r->codec);
	r->codec = NULL;
	r->params = NULL;
	r->has_turn = false;
	MAGIC_WIPE(r);
	if (had_turn)
		end_turn(r->a, r->served->turns);
}

static void
request_free(struct rpc_slot *slot)
{
	aegis_request *r = CONTAINER_OF(slot, aegis_request, slot);

	kept_release(&r->kept);
	codec_free(r->codec);
	mem_free(r);
}

static aegis_request *
request_new(struct aegis *a, struct rpc_call *call, const struct served *served)
{
	struct rpc_slot **slot = rpc_call_slot(call);

	if (*slot == NULL) {
		aegis_request *fresh = mem_new(sizeof *fresh);
		fresh->slot = (struct rpc_slot){ request_reset, request_free };
		*slot = &fresh->slot;
	}
	aegis_request *r = CONTAINER_OF(*slot, aegis_request, slot);
	r->magic = REQUEST_MAGIC;
	r->call = call;
	r->a = a;
	r->served = served;
	return r;
}

/* --- to the handler ---------------------------------------------------------------------- */

/* A request waiting for a worker. */
struct task {
	struct pool_job job;
	struct turn_item turn;
	aegis_request *request;		/* NULL once the handler has it */
};

static void
work(struct pool_job *job)
{
	struct task *t = CONTAINER_OF(job, struct task, job);
	aegis_request *r = t->request;

	MAGIC_CHECK(r, REQUEST_MAGIC);
	t->request = NULL;
	atomic_fetch_sub(&rpc_call_stats(r->call)->waiting, 1);
	if (!rpc_call_holds(r->call))
		rpc_refuse_lapsed(r->call);
	else if (mono_reached(clock_mono(clock_system()), rpc_call_deadline(r->call)))
		rpc_refuse(r->call, ERR_TIMEOUT, "the caller's time was over before a worker was free");
	else
		r->served->fn(r->served->arg, r);
}

static void
task_done(struct pool_job *job)
{
	struct task *t = CONTAINER_OF(job, struct task, job);

	if (t->request != NULL)
		rpc_refuse(t->request->call, ERR_BUSY, "the service is stopping");
	mem_free(t);
}

#define NO_WORKER "every worker is busy and too many calls wait"

/* refuse: no worker will see it.  Answering ends its turn, too. */
static void
refuse(struct task *t, const char *why)
{
	struct rpc_call *call = t->request->call;

	atomic_fetch_sub(&rpc_call_stats(call)->waiting, 1);
	mem_free(t);
	rpc_refuse(call, ERR_BUSY, why);
}

static bool
run(struct aegis *a, struct task *t)
{
	return pool_run(a->handlers, &t->job) == ERR_OK;
}

/* end_turn: the next one's begins.  One that finds no worker is refused here and hands its turn on in
 * this loop, not by its answer: a long row of them would nest as deep. */
static void
end_turn(struct aegis *a, struct turns *turns)
{
	struct turn_item *i;

	while ((i = turns_leave(turns)) != NULL) {
		struct task *t = CONTAINER_OF(i, struct task, turn);
		t->request->has_turn = true;
		if (run(a, t))
			return;
		t->request->has_turn = false;
		refuse(t, NO_WORKER);
	}
}

void
client_refuse_waiting(struct aegis *a)
{
	for (size_t k = 0; k < a->nserved; k++) {
		struct turn_item *i = a->served[k].turns != NULL ? turns_close(a->served[k].turns) : NULL, *next;
		for (; i != NULL; i = next) {
			next = i->next;
			refuse(CONTAINER_OF(i, struct task, turn), "the service is stopping");
		}
	}
}

static const struct served *
served_by(const struct aegis *a, const char *method)
{
	for (size_t i = 0; i < a->nserved; i++)
		if (strcmp(a->served[i].method, method) == 0)
			return &a->served[i];
	return NULL;
}

void
client_on_call(void *arg, struct rpc_call *call)
{
	struct aegis *a = arg;

	MAGIC_CHECK(a, AEGIS_MAGIC);
	if (!client_elect_call(a, call))
		client_execute(a, call);
}

void
client_execute(void *arg, struct rpc_call *call)
{
	struct aegis *a = arg;
	const struct served *s = served_by(a, rpc_call_method(call));

	MAGIC_CHECK(a, AEGIS_MAGIC);
	MUST(s != NULL);		/* the server refuses other methods */
	aegis_request *r = request_new(a, call, s);
	if (s->inline_) {
		r->params = &rpc_call_envelope(call)->payload;
		s->fn(s->arg, r);
		return;
	}
	struct task *t = mem_new(sizeof *t);
	t->job.work = work;
	t->job.done = task_done;
	t->request = r;
	rpc_call_params_json(call);	/* while the envelope is there */
	atomic_fetch_add(&rpc_call_stats(call)->waiting, 1);
	enum turns_word word = s->turns != NULL ? turns_enter(s->turns, &t->turn) : TURNS_GO;
	if (word == TURNS_WAIT)
		return;			/* it may be answered already */
	r->has_turn = s->turns != NULL && word == TURNS_GO;
	if (word == TURNS_FULL)
		refuse(t, "as many calls of this method as may wait do so");
	else if (!run(a, t))
		refuse(t, NO_WORKER);
}

/* --- what the handler sees --------------------------------------------------------------- */

const char *
aegis_request_method(const aegis_request *r)
{
	return rpc_call_method(r->call);
}

const char *
aegis_request_trace_id(const aegis_request *r)
{
	return rpc_call_trace_id(r->call);
}

const char *
aegis_request_source(const aegis_request *r)
{
	return rpc_call_source(r->call);
}

const char *
aegis_request_traceparent(const aegis_request *r)
{
	return rpc_call_header(r->call, "traceparent");
}

int64_t
aegis_request_left_ms(const aegis_request *r)
{
	int64_t left = mono_since(rpc_call_deadline(r->call), clock_mono(clock_system())) / NS_PER_MS;

	return left > 0 ? left : 1;
}

uint64_t
aegis_request_epoch(const aegis_request *r)
{
	return rpc_call_epoch(r->call);
}

const char *
aegis_params_json(const aegis_request *r)
{
	return rpc_call_params_json(r->call);
}

static const struct value *
param(const aegis_request *cr, const char *key)
{
	aegis_request *r = (aegis_request *)(uintptr_t)cr;	/* filled at the first look */

	MAGIC_CHECK(r, REQUEST_MAGIC);
	if (r->params == NULL) {
		const char *json = rpc_call_params_json(r->call);
		struct data d = { DATA_JSON, json, strlen(json) };
		r->codec = codec_new();
		MUST(codec_parse(r->codec, d, &r->parsed, NULL) == ERR_OK);	/* we wrote it */
		r->params = &r->parsed;
	}
	return value_field(r->params, key);
}

bool
aegis_param_given(const aegis_request *r, const char *key)
{
	const struct value *v = param(r, key);

	return v != NULL && v->type != VALUE_NULL;
}

const char *
aegis_param_text(const aegis_request *r, const char *key)
{
	struct text t;

	return value_text(param(r, key), &t) ? kept_text(&((aegis_request *)(uintptr_t)r)->kept, t) : NULL;
}

bool
aegis_param_int(const aegis_request *r, const char *key, int64_t *out)
{
	return value_int(param(r, key), out);
}

bool
aegis_param_real(const aegis_request *r, const char *key, double *out)
{
	return value_real(param(r, key), out);
}

bool
aegis_param_bool(const aegis_request *r, const char *key, bool *out)
{
	return value_bool(param(r, key), out);
}

size_t
aegis_param_count(const aegis_request *r, const char *key)
{
	const struct value *v = param(r, key);

	return v != NULL && v->type == VALUE_ARRAY ? v->n : 0;
}

const char *
aegis_param_text_at(const aegis_request *r, const char *key, size_t i)
{
	const struct value *v = param(r, key);
	struct text t;

	if (v == NULL || v->type != VALUE_ARRAY || i >= v->n || !value_text(&v->u.items[i], &t))
		return NULL;
	return kept_text(&((aegis_request *)(uintptr_t)r)->kept, t);
}

/* --- answers ----------------------------------------------------------------------------- */

/* Answering ends r: the call resets it, and may be another one's a moment later. */

int
aegis_reply(aegis_request *r, aegis_out *out)
{
	struct value result = { .type = VALUE_NULL };
	enum err_code code = ERR_OK;
	struct err err;

	MAGIC_CHECK(r, REQUEST_MAGIC);
	if (out != NULL)
		code = client_out_value(out, &result, &err);
	if (code == ERR_OK)
		code = rpc_answer_value(r->call, result, NULL);
	else
		rpc_refuse(r->call, ERR_HANDLER, err.text);
	aegis_out_free(out);
	return code;
}

int
aegis_reply_json(aegis_request *r, const char *json)
{
	MAGIC_CHECK(r, REQUEST_MAGIC);
	return rpc_answer(r->call, (struct data){ DATA_JSON, json, strlen(json) }, NULL);
}

void
aegis_fail(aegis_request *r, const char *text)
{
	MAGIC_CHECK(r, REQUEST_MAGIC);
	rpc_refuse(r->call, ERR_HANDLER, text);
}
