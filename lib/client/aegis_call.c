/* aegis_call.c - outgoing calls and their results. */
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "client/client.h"
#include "messaging/caller.h"

/* A result is a copy of what the call brought, parsed by a decoder of its own: it may be
 * kept while its thread makes further calls.  The one handed to `done` is a view instead. */
struct aegis_result {
	const struct value *view;	/* NULL: parse bytes at the first look */
	struct codec *codec;
	struct str bytes;		/* MessagePack */
	struct value parsed;
	struct str json;
	struct kept kept;
	double latency_ms;
	unsigned attempts;
	char instance[104];
	char *id;			/* of a command; NULL */
};

static void
fill_spec(struct call_spec *s, const aegis *a, const char *service, const char *method, const aegis_call_options *o)
{
	static const enum pick_strategy strategies[] = {
		[AEGIS_ROUND_ROBIN] = PICK_ROUND_ROBIN, [AEGIS_RANDOM] = PICK_RANDOM,
		[AEGIS_PREFER] = PICK_STICKY, [AEGIS_LEAST_INFLIGHT] = PICK_LEAST_INFLIGHT,
		[AEGIS_STICKY] = PICK_ROUND_ROBIN,
	};
	static const enum retry_name retries[] = {
		[AEGIS_RETRY_DEFAULT] = RETRY_DEFAULT, [AEGIS_RETRY_NONE] = RETRY_NONE, [AEGIS_RETRY_PATIENT] = RETRY_PATIENT,
	};
	static const aegis_call_options none;

	if (o == NULL)
		o = &none;
	MUST((size_t)o->strategy < COUNT_OF(strategies) && (size_t)o->retry < COUNT_OF(retries));
	*s = (struct call_spec){
		.service = service, .method = method, .strategy = strategies[o->strategy], .trace_id = o->trace_id,
		.traceparent = o->traceparent, .timeout_ns = o->timeout_ms > 0 ? o->timeout_ms * NS_PER_MS : atomic_load(&a->call_timeout_ns),
		.retry = retries[o->retry], .retries = o->max_retries, .idempotent = o->idempotent,
		.attempt_ns = o->attempt_timeout_ms * NS_PER_MS, .sticky = o->strategy == AEGIS_STICKY, .sticky_group = o->group,
	};
	if (o->strategy == AEGIS_PREFER)
		s->preferred = o->instance;
	else if (!s->sticky)
		s->instance = o->instance;
}

static enum err_code
set_params(struct call_spec *s, aegis_out *params, struct value *tree, struct err *err)
{
	if (params == NULL)
		return ERR_OK;
	s->tree = tree;
	return client_out_value(params, tree, err);
}

static aegis_result *
keep_result(const struct call_reply *reply)
{
	aegis_result *r = mem_new(sizeof *r);
	struct pack p;

	pack_init(&p, &r->bytes, DATA_MSGPACK, PACK_COMPACT);
	pack_value(&p, &reply->result);
	MUST(pack_end(&p, NULL) == ERR_OK);	/* it was decoded, so it can be encoded */
	r->latency_ms = reply->latency_ms;
	r->attempts = reply->attempts;
	memcpy(r->instance, reply->instance, sizeof r->instance);
	return r;
}

aegis_result *
client_result(const char *json, const char *id)
{
	aegis_result *r = mem_new(sizeof *r);

	MUST(codec_convert((struct data){ DATA_JSON, json, strlen(json) }, DATA_MSGPACK, PACK_COMPACT, &r->bytes, NULL) ==
	    ERR_OK);
	r->id = mem_text(id);
	return r;
}

static int
call(aegis *a, const struct call_spec *s, aegis_result **result, struct err *err)
{
	struct call_reply reply;
	enum err_code code = caller_call(a->caller, s, &reply, err);

	if (code == ERR_OK && result != NULL)
		*result = keep_result(&reply);
	call_reply_release(&reply);
	return code;
}

int
aegis_call(aegis *a, const char *service, const char *method, aegis_out *params, const aegis_call_options *o,
    aegis_result **result, aegis_error *e)
{
	struct call_spec s;
	struct value tree;

	MAGIC_CHECK(a, AEGIS_MAGIC);
	fill_spec(&s, a, service, method, o);
	int code = set_params(&s, params, &tree, client_err(e));
	if (code == ERR_OK)
		code = call(a, &s, result, client_err(e));
	aegis_out_free(params);
	return code;
}

int
aegis_call_json(aegis *a, const char *service, const char *method, const char *params, const aegis_call_options *o,
    aegis_result **result, aegis_error *e)
{
	struct call_spec s;

	MAGIC_CHECK(a, AEGIS_MAGIC);
	fill_spec(&s, a, service, method, o);
	if (params != NULL)
		s.params = (struct data){ DATA_JSON, params, strlen(params) };
	return call(a, &s, result, client_err(e));
}

/* --- without waiting --------------------------------------------------------------------- */

struct pending {
	void (*done)(void *arg, const aegis_result *result, const aegis_error *e);
	void *arg;
};

static void
on_done(void *arg, const struct call_reply *reply, const struct err *err)
{
	struct pending *p = arg;
	aegis_result view = { .view = NULL };

	if (reply != NULL) {
		view.view = &reply->result;
		view.latency_ms = reply->latency_ms;
		view.attempts = reply->attempts;
		memcpy(view.instance, reply->instance, sizeof view.instance);
	}
	p->done(p->arg, reply != NULL ? &view : NULL, (const aegis_error *)(const void *)err);
	str_release(&view.json);
	kept_release(&view.kept);
	mem_free(p);
}

int
aegis_call_start(aegis *a, const char *service, const char *method, aegis_out *params,
    const aegis_call_options *o, void (*done)(void *arg, const aegis_result *result, const aegis_error *e),
    void *arg, aegis_error *e)
{
	struct call_spec s;
	struct value tree;
	struct pending *p = mem_new(sizeof *p);

	MAGIC_CHECK(a, AEGIS_MAGIC);
	fill_spec(&s, a, service, method, o);
	*p = (struct pending){ done, arg };
	int code = set_params(&s, params, &tree, client_err(e));
	if (code == ERR_OK)
		code = caller_start(a->caller, &s, on_done, p, client_err(e));
	if (code != ERR_OK)
		mem_free(p);
	aegis_out_free(params);
	return code;
}

/* --- results ----------------------------------------------------------------------------- */

static const struct value *
look(const aegis_result *cr)
{
	aegis_result *r = (aegis_result *)(uintptr_t)cr;	/* filled at the first look */

	if (r->view == NULL) {
		struct data d = { DATA_MSGPACK, r->bytes.p, r->bytes.len };
		r->codec = codec_new();
		MUST(codec_parse(r->codec, d, &r->parsed, NULL) == ERR_OK);	/* we wrote it */
		r->view = &r->parsed;
	}
	return r->view;
}

const char *
aegis_result_json(const aegis_result *cr)
{
	aegis_result *r = (aegis_result *)(uintptr_t)cr;
	struct pack p;

	if (r->json.p == NULL) {
		pack_init(&p, &r->json, DATA_JSON, PACK_COMPACT);
		pack_value(&p, look(r));
		MUST(pack_end(&p, NULL) == ERR_OK);
	}
	return r->json.p;
}

const char *
aegis_result_text(const aegis_result *r, const char *key)
{
	struct text t;

	return value_text(value_field(look(r), key), &t) ? kept_text(&((aegis_result *)(uintptr_t)r)->kept, t) : NULL;
}

bool
aegis_result_int(const aegis_result *r, const char *key, int64_t *out)
{
	return value_int(value_field(look(r), key), out);
}

bool
aegis_result_real(const aegis_result *r, const char *key, double *out)
{
	return value_real(value_field(look(r), key), out);
}

bool
aegis_result_bool(const aegis_result *r, const char *key, bool *out)
{
	return value_bool(value_field(look(r), key), out);
}

const char *
aegis_result_instance(const aegis_result *r)
{
	return r->instance;
}

const char *
aegis_result_id(const aegis_result *r)
{
	return r->id != NULL ? r->id : "";
}

double
aegis_result_latency_ms(const aegis_result *r)
{
	return r->latency_ms;
}

unsigned
aegis_result_attempts(const aegis_result *r)
{
	return r->attempts;
}

void
aegis_result_free(aegis_result *r)
{
	if (r == NULL)
		return;
	codec_free(r->codec);
	str_release(&r->bytes);
	str_release(&r->json);
	kept_release(&r->kept);
	mem_free(r->id);
	mem_free(r);
}
