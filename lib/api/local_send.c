/* local_send.c - calls, events, commands: from a request to the messaging floor and back. */
#include <string.h>

#include "api/local_inner.h"
#include "base/magic.h"
#include "base/num.h"
#include "codec/codec.h"
#include "messaging/caller.h"
#include "messaging/events.h"
#include "messaging/fence.h"
#include "messaging/sender.h"
#include "model/names.h"
#include "nats/conn.h"
#include "nats/publisher.h"
#include "nats/stream.h"

static const char json[] = "application/json";

/* reply_str: out as the answer's body; releases it. */
static void
reply_str(struct web_request *r, int status, struct str *out)
{
	web_reply(r, status, json, (struct text){ str_text(out), out->len });
	str_release(out);
}

/* --- calls ------------------------------------------------------------------------------- */

/* Which member, by the query: ?instance= demands one, ?prefer= would like one,
 * ?strategy= picks otherwise; ?sticky=true is for the one that leads, ?group= says of which group. */
struct which {
	char instance[104], prefer[104], group[132];
	enum pick_strategy strategy;
	bool has_instance, has_prefer, has_group, sticky;
};

static enum err_code
take_sticky(const char *query, struct which *w, struct err *err)
{
	char word[8];
	bool given;
	enum err_code code;

	w->sticky = false;
	if ((code = router_query(query, "sticky", word, sizeof word, &given, err)) != ERR_OK ||
	    (code = router_query(query, "group", w->group, sizeof w->group, &w->has_group, err)) != ERR_OK)
		return code;
	if (given && strcmp(word, "true") != 0 && strcmp(word, "false") != 0)
		return err_set(err, ERR_INVALID, "query: sticky '%s' is neither true nor false", word);
	w->sticky = given && word[0] == 't';
	if (w->has_group && !w->sticky)
		return err_set(err, ERR_INVALID, "query: group says whose leader is called, so it goes with sticky=true");
	if (w->sticky && w->has_instance)
		return err_set(err, ERR_INVALID, "query: sticky and instance exclude each other");
	return ERR_OK;
}

static enum err_code
take_which(const struct web_request *r, struct which *w, struct err *err)
{
	const char *query = web_query_text(r);
	char strategy[32];
	bool given;
	enum err_code code;

	w->strategy = PICK_ROUND_ROBIN;
	if ((code = router_query(query, "instance", w->instance, sizeof w->instance, &w->has_instance, err)) != ERR_OK ||
	    (code = router_query(query, "prefer", w->prefer, sizeof w->prefer, &w->has_prefer, err)) != ERR_OK ||
	    (code = router_query(query, "strategy", strategy, sizeof strategy, &given, err)) != ERR_OK)
		return code;
	if (given && !pick_strategy_parse(strategy, &w->strategy))
		return err_set(err, ERR_INVALID, "query: strategy '%s' is none of round_robin, random, sticky, least_inflight",
		    strategy);
	if (w->has_prefer)
		w->strategy = PICK_STICKY;
	return take_sticky(query, w, err);
}

static enum err_code
reply_result(struct web_request *r, const struct call_reply *reply, struct err *err)
{
	struct str out = STR_INIT;
	struct pack p;

	pack_init(&p, &out, DATA_JSON, PACK_COMPACT);
	pack_value(&p, &reply->result);
	enum err_code code = pack_end(&p, err);
	if (code != ERR_OK) {
		str_release(&out);
		return code;
	}
	if (reply->instance[0] != '\0')
		web_set_header(r, "Aegis-Served-By", reply->instance);
	reply_str(r, 200, &out);
	return ERR_OK;
}

enum err_code
local_call(void *arg, struct web_request *r, struct err *err)
{
	static const char *const names[] = { "instance", "prefer", "strategy", "sticky", "group", NULL };
	struct local *l = arg;
	struct call_reply reply;
	struct local_terms t;
	struct which w;
	struct data params;
	uint64_t pass;
	enum err_code code;

	MAGIC_CHECK(l, LOCAL_MAGIC);
	if ((code = local_gate(l, &pass, err)) != ERR_OK || (code = local_terms(r, names, &t, err)) != ERR_OK ||
	    (code = take_which(r, &w, err)) != ERR_OK ||
	    (code = name_check(NAME_SERVICE_CALLED, web_param(r, "service"), err)) != ERR_OK ||
	    (code = name_check(NAME_METHOD_CALLED, web_param(r, "method"), err)) != ERR_OK ||
	    (code = local_body(r, &params, err)) != ERR_OK)
		return code;
	code = caller_call(l->caller, &(struct call_spec){
		.service = web_param(r, "service"), .method = web_param(r, "method"), .params = params,
		.instance = w.has_instance ? w.instance : NULL, .strategy = w.strategy,
		.preferred = w.has_prefer ? w.prefer : NULL, .timeout_ns = t.timeout_ns != 0 ? t.timeout_ns : atomic_load(&l->call_timeout_ns),
		.retry = (enum retry_name)atomic_load(&l->call_retry), .trace_id = t.trace_id,
		.traceparent = t.parent, .message_id = t.key[0] != '\0' ? t.key : NULL, .idempotent = t.key[0] != '\0',
		.sticky = w.sticky, .sticky_group = w.has_group ? w.group : NULL, .gate = l->gate, .pass = pass,
	}, &reply, err);
	if (code == ERR_OK)
		code = reply_result(r, &reply, err);
	call_reply_release(&reply);
	return code;
}

/* --- events ------------------------------------------------------------------------------ */

/* need_stream: makes EVENTS where it is missing, before the first event.  Without a connection the
 * event waits with the publisher, and the one after it makes the stream. */
static void
need_stream(struct local *l)
{
	if (atomic_load(&l->has_stream) || conn_state(l->conn) != CONN_UP)
		return;
	if (stream_ensure(l->conn, STREAM_EVENTS, 0, NULL, NULL) == ERR_OK)
		atomic_store(&l->has_stream, true);
}

static void
reply_stored(struct web_request *r, const char *id, const struct pub_ack *ack)
{
	struct str out = STR_INIT;
	struct pack p;

	pack_init(&p, &out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 4);
	pack_key_puts(&p, "message_id", id);
	pack_key_puts(&p, "stream", ack->stream);
	pack_key_uint(&p, "seq", ack->seq);
	pack_key_bool(&p, "duplicate", ack->duplicate);
	MUST(pack_end(&p, NULL) == ERR_OK);
	reply_str(r, 201, &out);
}

enum err_code
local_event(void *arg, struct web_request *r, struct err *err)
{
	static const char *const names[] = { "version", NULL };
	struct local *l = arg;
	char version[32], id[ID_UUID_MAX];
	struct local_terms t;
	struct pub_ack ack;
	struct data payload;
	uint64_t pass;
	bool has_version;
	enum err_code code;

	MAGIC_CHECK(l, LOCAL_MAGIC);
	if ((code = local_gate(l, &pass, err)) != ERR_OK || (code = local_terms(r, names, &t, err)) != ERR_OK ||
	    (code = router_query(web_query_text(r), "version", version, sizeof version, &has_version, err)) != ERR_OK ||
	    (code = local_body(r, &payload, err)) != ERR_OK)
		return code;
	id_uuid4(id);
	const char *message_id = t.key[0] != '\0' ? t.key : id;
	need_stream(l);
	const struct event_out out = {
		.domain = web_param(r, "domain"), .type = web_param(r, "type"), .payload = payload,
		.version = has_version ? version : NULL, .source = l->instance, .trace_id = t.trace_id,
		.traceparent = t.parent, .message_id = message_id, .format = DATA_MSGPACK, .timeout_ns = t.timeout_ns,
		.traffic = l->traffic, .guard = l->guard, .gate = l->gate, .pass = pass,
	};
	code = l->fence != NULL ? fence_publish(l->fence, &out, &ack, err) : event_publish_wait(l->publisher, &out, &ack, err);
	if (code == ERR_OK)
		reply_stored(r, message_id, &ack);
	return code;
}

/* --- commands ---------------------------------------------------------------------------- */

struct order {
	enum priority priority;
	int64_t max_retries, wait_ns;
};

static enum err_code
take_order(const struct web_request *r, struct order *o, struct err *err)
{
	const char *query = web_query_text(r);
	char text[32];
	bool given;
	enum err_code code;

	*o = (struct order){ PRIORITY_NORMAL, 3, 0 };
	if ((code = router_query(query, "priority", text, sizeof text, &given, err)) != ERR_OK)
		return code;
	if (given && !priority_parse(text_of(text), &o->priority))
		return err_set(err, ERR_INVALID, "query: priority '%s' is none of low, normal, high, critical", text);
	if ((code = router_query(query, "max_retries", text, sizeof text, &given, err)) != ERR_OK)
		return code;
	if (given && (!num_int(text, &o->max_retries) || o->max_retries < 0 || o->max_retries > 1000))
		return err_set(err, ERR_INVALID, "query: max_retries '%s' is no number from 0 to 1000", text);
	return local_duration(r, "wait", &o->wait_ns, err);
}

static void
reply_sent(struct web_request *r, const struct send_outcome *out)
{
	struct str body = STR_INIT;
	struct pack p;

	pack_init(&p, &body, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 3);
	pack_key_puts(&p, "command_id", out->id);
	pack_key_uint(&p, "seq", out->seq);
	pack_key_bool(&p, "duplicate", out->duplicate);
	MUST(pack_end(&p, NULL) == ERR_OK);
	reply_str(r, 202, &body);
}

enum err_code
local_command(void *arg, struct web_request *r, struct err *err)
{
	static const char *const names[] = { "wait", "priority", "max_retries", NULL };
	struct local *l = arg;
	struct send_outcome out;
	struct local_terms t;
	struct order o;
	struct data payload;
	uint64_t pass;
	enum err_code code;

	MAGIC_CHECK(l, LOCAL_MAGIC);
	if ((code = local_gate(l, &pass, err)) != ERR_OK || (code = local_terms(r, names, &t, err)) != ERR_OK ||
	    (code = take_order(r, &o, err)) != ERR_OK ||
	    (code = name_check(NAME_SERVICE_CALLED, web_param(r, "service"), err)) != ERR_OK ||
	    (code = name_check(NAME_COMMAND, web_param(r, "name"), err)) != ERR_OK ||
	    (code = local_body(r, &payload, err)) != ERR_OK)
		return code;
	send_outcome_init(&out);
	code = sender_send(l->sender, &(struct send_spec){
		.service = web_param(r, "service"), .command = web_param(r, "name"), .payload = payload,
		.id = t.key[0] != '\0' ? t.key : NULL, .trace_id = t.trace_id,
		.traceparent = t.parent, .priority = o.priority,
		.max_retries = o.max_retries, .timeout_ns = t.timeout_ns, .track = o.wait_ns > 0, .wait_ns = o.wait_ns,
		.gate = l->gate, .pass = pass,
	}, &out, err);
	if (out.id[0] != '\0')
		web_set_header(r, "Aegis-Command-Id", out.id);
	if (code == ERR_OK && o.wait_ns == 0)
		reply_sent(r, &out);
	else if (code == ERR_OK)
		web_reply(r, 200, json, out.result.len > 0 ? (struct text){ out.result.p, out.result.len } : text_of("null"));
	send_outcome_release(&out);
	return code;
}

/* --- progress ---------------------------------------------------------------------------- */

enum err_code
local_progress(void *arg, struct web_request *r, struct err *err)
{
	static const char *const names[] = { NULL };
	struct local *l = arg;
	struct text body = web_body(r), status = { NULL, 0 };
	struct local_terms t;
	struct value v;
	double percent;
	enum err_code code;

	MAGIC_CHECK(l, LOCAL_MAGIC);
	if ((code = local_terms(r, names, &t, err)) != ERR_OK)
		return code;
	if ((code = codec_parse(codec_mine(), (struct data){ DATA_JSON, body.p, body.n }, &v, err)) != ERR_OK) {
		err_prefix(err, "body");
		return code;
	}
	if (!value_real(value_field(&v, "progress"), &percent) || percent < 0 || percent > 100)
		return err_set(err, ERR_INVALID, "body: 'progress' must be a number from 0 to 100");
	const struct value *told = value_field(&v, "status");
	if (told != NULL && told->type != VALUE_NULL && !value_text(told, &status))
		return err_set(err, ERR_INVALID, "body: 'status' must be text");
	struct str text = STR_INIT;
	str_add(&text, status.p, status.n);
	code = l->progress(l->arg, web_param(r, "id"), percent, str_text(&text), err);
	str_release(&text);
	if (code == ERR_OK)
		web_reply(r, 204, NULL, (struct text){ "", 0 });
	return code;
}
