/* stream.c - probing JetStream, making buckets.
 *
 * A KV bucket is a stream with conventions (subjects $KV.{name}.>, one message per key and
 * revision); kvStore's own constructor cannot say max_consumers, so we make the stream. */
#include "nats/stream.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "codec/codec.h"
#include "nats/conn_inner.h"
#include "nats/nats_c.h"

#define MAX_CONSUMERS 100000	/* -1 lets server 2.15 refuse consumer 1001 (wire.md §8.1) */
#define DUPLICATE_WINDOW_NS (120 * NS_PER_S)

static enum err_code
parse_info(struct msg *reply, struct jetstream_info *out, struct err *err)
{
	struct value v;
	struct data d = { DATA_JSON, msg_data(reply), msg_size(reply) };
	int64_t n;

	enum err_code code = codec_parse(codec_mine(), d, &v, err);
	if (code != ERR_OK)
		return err_prefix(err, "nats: answer of the JetStream API"), code;
	const struct value *e = value_field(&v, "error");
	if (e != NULL) {
		struct text t = { "unknown", 7 };
		value_text(value_field(e, "description"), &t);
		return err_set(err, ERR_NO_JETSTREAM,
		    "nats: JetStream answers '%.*s'; enable it for this account (jetstream: enabled)", (int)t.n, t.p);
	}
	if (value_int(value_field(value_field(&v, "api"), "level"), &n))
		out->api_level = (int)n;
	if (value_int(value_field(&v, "streams"), &n))
		out->streams = (uint64_t)n;
	if (value_int(value_field(&v, "consumers"), &n))
		out->consumers = (uint64_t)n;
	out->ttl = out->api_level >= 1;
	return ERR_OK;
}

/* no_jetstream: nobody answers where its API is said to be. */
static enum err_code
no_jetstream(struct conn *c, struct err *err)
{
	if (strcmp(conn_js_prefix(c), "$JS.API") != 0)
		return err_set(err, ERR_NO_JETSTREAM,
		    "nats: no JetStream answers at '%s' on %s; check --js-domain (NATS_JS_DOMAIN) and --js-api-prefix",
		    conn_js_prefix(c), conn_servers(c));
	return err_set(err, ERR_NO_JETSTREAM,
	    "nats: the server at %s has no JetStream; start it with -js or a jetstream block", conn_servers(c));
}

enum err_code
jetstream_probe(struct conn *c, struct jetstream_info *out, struct err *err)
{
	char subject[256];
	struct msg *reply;

	memset(out, 0, sizeof *out);
	snprintf(subject, sizeof subject, "%s.INFO", conn_js_prefix(c));
	enum err_code code = conn_request(c, &(struct conn_msg){ .subject = subject }, conn_timeout_ns(c), &reply, err);
	if (code == ERR_NO_MEMBER)
		return no_jetstream(c, err);
	if (code != ERR_OK)
		return code;
	code = parse_info(reply, out, err);
	msg_free(reply);
	return code;
}

static void
fill_state(const jsStreamInfo *si, struct bucket_state *out)
{
	*out = (struct bucket_state){
		.ttl = si->Config->AllowMsgTTL,
		.max_age_ns = si->Config->MaxAge,
		.max_consumers = si->Config->MaxConsumers,
		.replicas = (int)si->Config->Replicas,
		.history = si->Config->MaxMsgsPerSubject,
		.consumers = (uint64_t)si->State.Consumers,
		.messages = si->State.Msgs,
		.last_seq = si->State.LastSeq,
		.made = { si->Created },
	};
	if (si->Config->RePublish != NULL && si->Config->RePublish->Destination != NULL)
		snprintf(out->republish, sizeof out->republish, "%s", si->Config->RePublish->Destination);
}

static void
stream_name(char out[160], const char *bucket)
{
	snprintf(out, 160, "KV_%s", bucket);
}

enum err_code
bucket_inspect(struct conn *c, const char *name, struct bucket_state *out, struct err *err)
{
	char stream[160];
	jsStreamInfo *si = NULL;
	jsErrCode js = 0;

	if (conn_state(c) != CONN_UP)
		return err_set(err, ERR_UNAVAILABLE, "nats: not connected to %s", conn_servers(c));
	stream_name(stream, name);
	natsStatus s = js_GetStreamInfo(&si, conn_js(c), stream, NULL, &js);
	if (s == NATS_NO_RESPONDERS || js == JS_NOT_ENABLED)
		return no_jetstream(c, err);
	if (s != NATS_OK)
		return conn_explain(c, conn_fail(s, js, err, "bucket '%s'", name), err);
	fill_state(si, out);
	jsStreamInfo_Destroy(si);
	return ERR_OK;
}

/* add_stream: `auto` replicas are three where that many servers can be had.  A server that is
 * no cluster says so; a cluster that cannot place three has too few, or one of them is away
 * just now: then one replica is better than no registry, and the log says what to do. */
static natsStatus
add_stream(struct conn *c, jsStreamConfig *cfg, int replicas, jsStreamInfo **si, jsErrCode *js)
{
	if (replicas > 0) {
		cfg->Replicas = replicas;
		return js_AddStream(si, conn_js(c), cfg, NULL, js);
	}
	cfg->Replicas = 3;
	natsStatus s = js_AddStream(si, conn_js(c), cfg, NULL, js);
	if (s == NATS_OK || (*js != JS_NO_CLUSTER && *js != JS_NO_PEERS))
		return s;
	if (*js == JS_NO_PEERS)
		log_warning(EV_NATS_DEGRADED, LOG_F(LOG_S("stream", cfg->Name)),
		    "the cluster cannot place three replicas of %s now, so it is made with one; raise them when three "
		    "servers are there", cfg->Name);
	cfg->Replicas = 1;
	*js = 0;
	return js_AddStream(si, conn_js(c), cfg, NULL, js);
}

static enum err_code
create(struct conn *c, const struct bucket_opts *o, struct bucket_state *out, struct err *err)
{
	char stream[160], subject[160];
	const char *subjects[] = { subject };
	jsStreamConfig cfg;
	jsStreamInfo *si = NULL;
	jsErrCode js = 0;

	stream_name(stream, o->name);
	snprintf(subject, sizeof subject, "$KV.%s.>", o->name);
	jsStreamConfig_Init(&cfg);
	cfg.Name = stream;
	cfg.Subjects = subjects;
	cfg.SubjectsLen = 1;
	cfg.Retention = js_LimitsPolicy;
	cfg.Storage = js_FileStorage;
	cfg.Discard = js_DiscardNew;
	cfg.MaxMsgsPerSubject = o->history;
	cfg.MaxMsgSize = o->max_value_bytes > 0 ? o->max_value_bytes : -1;
	cfg.MaxMsgs = -1;
	cfg.MaxBytes = -1;
	cfg.MaxConsumers = MAX_CONSUMERS;
	cfg.Duplicates = DUPLICATE_WINDOW_NS;
	cfg.AllowDirect = true;
	cfg.AllowRollup = true;
	cfg.DenyDelete = true;
	cfg.AllowMsgTTL = true;		/* an old server ignores it, and says so in its answer */
	cfg.SubjectDeleteMarkerTTL = o->marker_ttl_ns;
	jsRePublish told = { .Source = subject, .Destination = o->republish };
	if (o->republish != NULL)
		cfg.RePublish = &told;
	natsStatus s = add_stream(c, &cfg, o->replicas, &si, &js);
	if (s != NATS_OK && js == JS_NAME_IN_USE)
		return bucket_inspect(c, o->name, out, err);	/* somebody was faster */
	if (s != NATS_OK)
		return conn_explain(c, conn_fail(s, js, err, "bucket '%s': create", o->name), err);
	fill_state(si, out);
	out->created = true;
	jsStreamInfo_Destroy(si);
	return ERR_OK;
}

enum err_code
bucket_ensure(struct conn *c, const struct bucket_opts *o, struct bucket_state *out, struct err *err)
{
	struct err quiet;
	enum err_code code = bucket_inspect(c, o->name, out, &quiet);

	if (code == ERR_NOT_FOUND)
		return create(c, o, out, err);
	if (code != ERR_OK && err != NULL)
		*err = quiet;
	return code;
}

enum err_code
bucket_enable_ttl(struct conn *c, const char *name, struct err *err)
{
	char stream[160];
	jsStreamInfo *si = NULL, *after = NULL;
	jsErrCode js = 0;

	stream_name(stream, name);
	natsStatus s = js_GetStreamInfo(&si, conn_js(c), stream, NULL, &js);
	if (s == NATS_OK) {
		si->Config->AllowMsgTTL = true;
		s = js_UpdateStream(&after, conn_js(c), si->Config, NULL, &js);
	}
	bool on = s == NATS_OK && after->Config->AllowMsgTTL;
	jsStreamInfo_Destroy(si);
	jsStreamInfo_Destroy(after);
	if (s != NATS_OK)
		return conn_explain(c, conn_fail(s, js, err, "bucket '%s': switch per-message TTL on", name), err);
	return on ? ERR_OK : err_set(err, ERR_STORE, "bucket '%s': the server knows no per-message TTL", name);
}

/* --- the streams of messages ---------------------------------------------------------------- */

struct stream_row {
	const char *name, *subjects;
	jsRetentionPolicy retention;
	int64_t max_messages, max_age_ns;
	bool direct;			/* read by stream_next */
};

#define DAY_NS (24 * 3600 * NS_PER_S)

static const struct stream_row rows[STREAM_IDS] = {
	[STREAM_EVENTS] = { "EVENTS", "events.>", js_LimitsPolicy, 100000, 0, false },
	[STREAM_COMMANDS] = { "COMMANDS", "commands.>", js_WorkQueuePolicy, 10000, 0, false },
	[STREAM_EVENTS_DLQ] = { "EVENTS_DLQ", "dlq.events.>", js_LimitsPolicy, 100000, 30 * DAY_NS, true },
	[STREAM_COMMANDS_DLQ] = { "COMMANDS_DLQ", "dlq.commands.>", js_LimitsPolicy, 100000, 30 * DAY_NS, true },
	[STREAM_DEPARTED] = { "AEGIS_DEPARTED", "aegis.departed.>", js_LimitsPolicy, 100000, DAY_NS, true },
	[STREAM_AUDIT] = { "AEGIS_AUDIT", "aegis.audit.>", js_LimitsPolicy, -1, 90 * DAY_NS, true },
};

const char *
stream_id_name(enum stream_id id)
{
	return rows[id].name;
}

const char *
stream_id_subjects(enum stream_id id)
{
	return rows[id].subjects;
}

/* find_drift: what makes an existing stream behave differently from its row. */
static void
find_drift(const jsStreamConfig *cfg, struct stream_state *out)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (strcmp(rows[i].name, cfg->Name) != 0)
			continue;
		if (cfg->Retention != rows[i].retention)
			snprintf(out->drift, sizeof out->drift, "retention is another than the queue or log expected here");
		else if (cfg->SubjectsLen != 1 || strcmp(cfg->Subjects[0], rows[i].subjects) != 0)
			snprintf(out->drift, sizeof out->drift, "subjects are not just %s", rows[i].subjects);
		else if (rows[i].direct && !cfg->AllowDirect)
			snprintf(out->drift, sizeof out->drift, "direct reads are not allowed");
	}
}

static void
fill_stream(const jsStreamInfo *si, struct stream_state *out)
{
	*out = (struct stream_state){
		.messages = si->State.Msgs,
		.bytes = si->State.Bytes,
		.first_seq = si->State.FirstSeq,
		.last_seq = si->State.LastSeq,
		.consumers = (uint64_t)si->State.Consumers,
		.max_messages = si->Config->MaxMsgs,
		.max_age_ns = si->Config->MaxAge,
		.max_consumers = si->Config->MaxConsumers,
		.replicas = (int)si->Config->Replicas,
	};
	find_drift(si->Config, out);
}

enum err_code
stream_look(struct conn *c, const char *name, struct stream_state *out, struct err *err)
{
	jsStreamInfo *si = NULL;
	jsErrCode js = 0;

	if (conn_state(c) != CONN_UP)
		return err_set(err, ERR_UNAVAILABLE, "nats: not connected to %s", conn_servers(c));
	natsStatus s = js_GetStreamInfo(&si, conn_js(c), name, NULL, &js);
	if (s == NATS_NO_RESPONDERS)
		return err_set(err, ERR_NO_JETSTREAM,
		    "nats: the server at %s has no JetStream; start it with -js or a jetstream block", conn_servers(c));
	if (s != NATS_OK)
		return conn_fail(s, js, err, "stream '%s'", name);
	fill_stream(si, out);
	jsStreamInfo_Destroy(si);
	return ERR_OK;
}

static enum err_code
create_stream(struct conn *c, const struct stream_row *row, int replicas, struct stream_state *out, struct err *err)
{
	const char *subjects[] = { row->subjects };
	jsStreamConfig cfg;
	jsStreamInfo *si = NULL;
	jsErrCode js = 0;

	jsStreamConfig_Init(&cfg);
	cfg.Name = row->name;
	cfg.Subjects = subjects;
	cfg.SubjectsLen = 1;
	cfg.Retention = row->retention;
	cfg.Storage = js_FileStorage;
	cfg.Discard = js_DiscardOld;
	cfg.MaxMsgs = row->max_messages;
	cfg.MaxBytes = -1;
	cfg.MaxMsgSize = -1;
	cfg.MaxMsgsPerSubject = -1;
	cfg.MaxAge = row->max_age_ns;
	cfg.MaxConsumers = MAX_CONSUMERS;
	cfg.Duplicates = DUPLICATE_WINDOW_NS;
	cfg.AllowDirect = row->direct;
	natsStatus s = add_stream(c, &cfg, replicas, &si, &js);
	if (s != NATS_OK && js == JS_NAME_IN_USE)
		return stream_look(c, row->name, out, err);	/* somebody was faster */
	if (s != NATS_OK)
		return conn_fail(s, js, err, "stream '%s': create", row->name);
	fill_stream(si, out);
	out->created = true;
	jsStreamInfo_Destroy(si);
	return ERR_OK;
}

enum err_code
stream_ensure(struct conn *c, enum stream_id id, int replicas, struct stream_state *out, struct err *err)
{
	struct stream_state own;
	struct err quiet;

	if (out == NULL)
		out = &own;
	enum err_code code = stream_look(c, rows[id].name, out, &quiet);
	if (code == ERR_NOT_FOUND)
		return create_stream(c, &rows[id], replicas, out, err);
	if (code != ERR_OK && err != NULL)
		*err = quiet;
	return code;
}

/* --- stored messages ------------------------------------------------------------------------ */

static void
take_stored(natsMsg *m, struct stored *out)
{
	*out = (struct stored){
		.msg = (struct msg *)(void *)m,
		.seq = natsMsg_GetSequence(m),
		.time = { natsMsg_GetTime(m) },
	};
}

enum err_code
stream_next(struct conn *c, const char *name, const char *filter, uint64_t from, struct stored *out,
    struct err *err)
{
	jsDirectGetMsgOptions o;
	natsMsg *m = NULL;

	if (conn_state(c) != CONN_UP)
		return err_set(err, ERR_UNAVAILABLE, "nats: not connected to %s", conn_servers(c));
	jsDirectGetMsgOptions_Init(&o);
	o.Sequence = from > 0 ? from : 1;
	o.NextBySubject = filter;
	natsStatus s = js_DirectGetMsg(&m, conn_js(c), name, NULL, &o);
	if (s != NATS_OK)
		return conn_fail(s, 0, err, "stream '%s'", name);
	take_stored(m, out);
	return ERR_OK;
}

enum err_code
stream_get(struct conn *c, const char *name, uint64_t seq, struct stored *out, struct err *err)
{
	natsMsg *m = NULL;
	jsErrCode js = 0;

	if (conn_state(c) != CONN_UP)
		return err_set(err, ERR_UNAVAILABLE, "nats: not connected to %s", conn_servers(c));
	natsStatus s = js_GetMsg(&m, conn_js(c), name, seq, NULL, &js);
	if (s != NATS_OK)
		return conn_fail(s, js, err, "stream '%s', message %llu", name, (unsigned long long)seq);
	take_stored(m, out);
	return ERR_OK;
}

enum err_code
stream_last(struct conn *c, const char *name, const char *subject, int64_t timeout_ns, struct stored *out, struct err *err)
{
	natsMsg *m = NULL;
	jsErrCode js = 0;
	jsOptions o;

	if (conn_state(c) != CONN_UP)
		return err_set(err, ERR_UNAVAILABLE, "nats: not connected to %s", conn_servers(c));
	jsOptions_Init(&o);
	o.Wait = timeout_ns / NS_PER_MS;
	natsStatus s = js_GetLastMsg(&m, conn_js(c), name, subject, &o, &js);
	if (s != NATS_OK)
		return conn_explain(c, conn_fail(s, js, err, "stream '%s', last message of '%s'", name, subject), err);
	take_stored(m, out);
	return ERR_OK;
}

enum err_code
stream_delete(struct conn *c, const char *name, uint64_t seq, struct err *err)
{
	jsErrCode js = 0;

	if (conn_state(c) != CONN_UP)
		return err_set(err, ERR_UNAVAILABLE, "nats: not connected to %s", conn_servers(c));
	natsStatus s = js_DeleteMsg(conn_js(c), name, seq, NULL, &js);
	/* 10043, 10057: "no message found" comes as a refusal to delete. */
	if (s != NATS_OK && (js == 10043 || js == 10057))
		return err_set(err, ERR_NOT_FOUND, "stream '%s': there is no message %llu", name, (unsigned long long)seq);
	return s == NATS_OK ? ERR_OK
			    : conn_fail(s, js, err, "stream '%s', message %llu", name, (unsigned long long)seq);
}
