/* call.c - `aegis call`: one RPC, or a number of them, through the public C interface.
 *
 * The table format is the bare result, because that is what the next program in a pipe
 * wants; json and ndjson add who answered and how long it took. */
#include <stdio.h>
#include <string.h>

#include "base/hist.h"
#include "base/id.h"
#include "base/magic.h"
#include "base/mem.h"
#include "client/aegis.h"
#include "cmd.h"
#include "codec/codec.h"
#include "handle.h"
#include "model/names.h"

#define COUNT_MAX 100000		/* more is a benchmark */

static const char *const retries[] = { "default", "none", "patient", NULL };
static const char *const strategies[] = { "round_robin", "random", "sticky", "least_inflight", NULL };

struct call_opts {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	const char *data, *instance, *trace_id;
	const char *traceparent;
	enum aegis_strategy strategy;
	enum aegis_retry retry;
	bool idempotent;
	uint64_t count, retries;
	int64_t stale_ns, attempt_ns;
	bool sticky;
	const char *group;
};

static const struct opt call_rows[] = {
	OPT_TEXT(struct call_opts, data, "data", 'd', "JSON|@FILE|-", "parameters, as an option instead of a word"),
	OPT_TEXT(struct call_opts, instance, "instance", 0, "INSTANCE",
	    "call this instance and no other; with --strategy sticky: this one if it can"),
	OPT_CHOICE(struct call_opts, strategy, "strategy", 0, strategies, "how an instance is chosen",
	    .def = "round_robin"),
	OPT_UINT(struct call_opts, count, "count", 0, "N", "call this many times, one after the other", .def = "1",
	    .min = 1, .max = COUNT_MAX),
	OPT_TEXT(struct call_opts, trace_id, "trace-id", 0, "ID", "the trace that the call belongs to",
	    .def_text = "a fresh one"),
	OPT_TEXT(struct call_opts, traceparent, "traceparent", 0, "W3C", "its header, passed on to whoever answers",
	    .def_text = "made of the trace"),
	OPT_CHOICE(struct call_opts, retry, "retry-policy", 0, retries,
	    "what is tried again within --timeout: refused calls, and once what nobody heard; nothing; all that never left",
	    .def = "default"),
	OPT_UINT(struct call_opts, retries, "retries", 0, "N", "at most that many further attempts",
	    .def_text = "as the policy says", .min = 1, .max = 1000),
	OPT_FLAG(struct call_opts, idempotent, "idempotent", 0,
	    "executed twice is as good as once: repeat also what may have been executed"),
	OPT_DURATION(struct call_opts, attempt_ns, "attempt-timeout", 0, "with --idempotent: wait no longer for one attempt",
	    .def_text = "--timeout"),
	OPT_FLAG(struct call_opts, sticky, "sticky", 0,
	    "to the member that leads; tried again until --timeout unless it may have been executed"),
	OPT_TEXT(struct call_opts, group, "group", 0, "GROUP", "with --sticky: whose leader",
	    .def_text = "the only one of the service"),
	STALE_ROW(struct call_opts),
	OPTS_END
};

const struct cmd_form call_form = {
	sizeof(struct call_opts),
	{
		{ "Options", "call", call_rows, 0 },
		FORM_OUTPUT(struct call_opts),
		FORM_NATS(struct call_opts),
		FORM_CLIENT_LOG(struct call_opts),
		FORM_GENERAL(struct call_opts),
	},
};

static const struct out_column call_columns[] = {
	{ .name = "CALL", .right = true }, { .name = "INSTANCE" }, { .name = "MS", .right = true },
	{ .name = "RESULT" },
};

struct calling {
	struct cmd *c;
	const struct call_opts *o;
	aegis *a;
	const char *service, *method, *params;
	aegis_call_options options;
	struct hist *hist;
	uint64_t failed;
	aegis_error first;		/* of the first failure */
};

/* answer_json: what json and ndjson say of one call. */
static void
answer_json(const struct calling *k, const char *result, const char *instance, double ms, unsigned attempts,
    const aegis_error *e, struct str *out)
{
	struct pack p;

	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, e == NULL ? 7 : 5);
	pack_key_puts(&p, "service", k->service);
	pack_key_puts(&p, "method", k->method);
	pack_key_bool(&p, "ok", e == NULL);
	if (e == NULL) {
		pack_key_some(&p, "instance", instance);
		pack_key_real(&p, "latency_ms", ms);
		pack_key_uint(&p, "attempts", attempts);
		pack_key_data(&p, "result", (struct data){ DATA_JSON, result, strlen(result) });
	} else {
		pack_key_puts(&p, "code", aegis_code_name(e->code));
		pack_key_puts(&p, "error", e->text);
	}
	pack_end(&p, NULL);
}

/* one_row: an answer, or a failure, as a line of a longer list. */
static void
one_row(struct calling *k, uint64_t number, const aegis_result *r, const aegis_error *e)
{
	double ms = r != NULL ? aegis_result_latency_ms(r) : 0;
	const char *instance = r != NULL ? aegis_result_instance(r) : "";
	struct str json = STR_INIT;
	char count[24], took[32];

	snprintf(count, sizeof count, "%llu", (unsigned long long)number);
	snprintf(took, sizeof took, "%.3f", ms);
	answer_json(k, r != NULL ? aegis_result_json(r) : "null", instance, ms,
	    r != NULL ? aegis_result_attempts(r) : 0, e, &json);
	out_row(k->c->out, (const struct out_cell[]){ { count, OUT_DIM }, { instance, OUT_PLAIN },
	    { r != NULL ? took : NULL, OUT_PLAIN },
	    { r != NULL ? aegis_result_json(r) : e->text, r != NULL ? OUT_PLAIN : OUT_BAD } }, str_text(&json));
	str_release(&json);
}

static void
only_answer(struct calling *k, const aegis_result *r)
{
	struct str json = STR_INIT;

	if (out_is_table(k->c->out)) {
		out_value(k->c->out, aegis_result_json(r));
		return;
	}
	answer_json(k, aegis_result_json(r), aegis_result_instance(r), aegis_result_latency_ms(r),
	    aegis_result_attempts(r), NULL, &json);
	out_object(k->c->out, NULL, NULL, 0, str_text(&json));
	str_release(&json);
}

static void
call_once(struct calling *k, uint64_t number)
{
	aegis_result *r = NULL;
	aegis_error e = { .code = AEGIS_OK };
	char trace[ID_UUID_MAX];

	/* Always named, so that whoever looks at the bus or at a log can follow it. */
	id_uuid4(trace);
	if (k->o->trace_id == NULL && k->o->traceparent == NULL)
		k->options.trace_id = trace;
	aegis_call_json(k->a, k->service, k->method, k->params, &k->options, &r, &e);
	if (e.code != AEGIS_OK && k->failed++ == 0)
		k->first = e;
	if (r != NULL)
		hist_record(k->hist, (int64_t)(aegis_result_latency_ms(r) * NS_PER_MS));
	if (k->o->count > 1)
		one_row(k, number, r, e.code != AEGIS_OK ? &e : NULL);
	else if (r != NULL)
		only_answer(k, r);
	aegis_result_free(r);
}

static enum err_code
call_all(struct calling *k, struct err *err)
{
	if (k->o->count > 1)
		out_list(k->c->out, call_columns, COUNT_OF(call_columns));
	for (uint64_t i = 1; i <= k->o->count && !out_reader_left(k->c->out); i++)
		call_once(k, i);
	if (k->o->count > 1)
		out_note(k->c->out, "%llu calls, %llu failed, p50 %.3f ms, p99 %.3f ms, max %.3f ms",
		    (unsigned long long)k->o->count, (unsigned long long)k->failed,
		    hist_quantile_ms(k->hist, 50), hist_quantile_ms(k->hist, 99), hist_max_ms(k->hist));
	if (k->failed == 0)
		return ERR_OK;
	/* The public codes are the internal ones (scripts/codes makes them from one list). */
	return err_set(err, (enum err_code)k->first.code, "%s", k->first.text);
}

enum err_code
cmd_call_run(struct cmd *c, struct err *err)
{
	const struct call_opts *o = c->opts;
	struct calling k = { .c = c, .o = o, .service = c->words[0], .method = c->words[1] };
	struct str params = STR_INIT;
	enum err_code code;

	if (o->attempt_ns > 0 && !o->idempotent)
		return err_set(err, ERR_USAGE, "--attempt-timeout is for calls that may be repeated: say --idempotent, too");
	if (o->group != NULL && !o->sticky)
		return err_set(err, ERR_USAGE, "--group says whose leader is called: say --sticky, too");
	if (o->sticky && o->instance != NULL)
		return err_set(err, ERR_USAGE, "--sticky and --instance exclude each other: the leader is called, whoever it is");
	if ((code = name_check(NAME_SERVICE_CALLED, k.service, err)) != ERR_OK ||
	    (code = name_check(NAME_METHOD_CALLED, k.method, err)) != ERR_OK ||
	    (o->instance != NULL && (code = name_check(NAME_INSTANCE_CALLED, o->instance, err)) != ERR_OK))
		return code;
	if ((code = cmd_payload_read(c, "parameters", o->data, &params, err)) != ERR_OK)
		goto err0;
	if ((k.a = cmd_handle(c, o->stale_ns, err)) == NULL) {
		code = err->code;
		goto err0;
	}
	k.params = str_text(&params);
	k.options = (aegis_call_options){ .timeout_ms = 0, .strategy = o->sticky ? AEGIS_STICKY : o->strategy,
	    .group = o->group, .instance = o->instance,
	    .trace_id = o->trace_id, .traceparent = o->traceparent, .retry = o->retry,
	    .max_retries = (unsigned)o->retries, .idempotent = o->idempotent,
	    .attempt_timeout_ms = o->attempt_ns / NS_PER_MS };
	k.hist = hist_new();
	code = call_all(&k, err);
	hist_free(k.hist);
	aegis_close(k.a);
err0:
	str_release(&params);
	return code;
}
