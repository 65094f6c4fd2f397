/* event.c - `aegis event publish|subscribe`. */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/id.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/wall.h"
#include "codec/codec.h"
#include "handle.h"
#include "messaging/events.h"
#include "model/names.h"
#include "model/pattern.h"
#include "nats/conn.h"
#include "sys/clock.h"
#include "sys/loop.h"
#include "sys/loop_thread.h"
#include "sys/pool.h"
#include "sys/thread.h"

/* --- publish ------------------------------------------------------------------------------ */

#define COUNT_MAX 1000000		/* more is a benchmark */

struct publish_opts {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	const char *data, *id, *trace_id, *version;
	uint64_t count;
};

static const struct opt publish_rows[] = {
	OPT_TEXT(struct publish_opts, data, "data", 'd', "JSON|@FILE|-", "payload, as an option instead of a word"),
	OPT_TEXT(struct publish_opts, id, "id", 0, "ID", "of the message; the same one within two minutes is stored once",
	    .def_text = "a fresh one"),
	OPT_TEXT(struct publish_opts, trace_id, "trace-id", 0, "ID", "the trace that the event belongs to",
	    .def_text = "a fresh one"),
	OPT_TEXT(struct publish_opts, version, "event-version", 0, "X.Y", "the version of the event's form", .def = "1.0"),
	OPT_UINT(struct publish_opts, count, "count", 0, "N", "publish this many times, each under an id of its own",
	    .def = "1", .min = 1, .max = COUNT_MAX),
	OPTS_END
};

const struct cmd_form event_publish_form = {
	sizeof(struct publish_opts),
	{
		{ "Options", NULL, publish_rows, 0 },
		FORM_OUTPUT(struct publish_opts),
		FORM_NATS(struct publish_opts),
		FORM_CLIENT_LOG(struct publish_opts),
		FORM_GENERAL(struct publish_opts),
	},
};

struct publishing {
	struct cmd *c;
	aegis *a;
	const char *domain, *type, *payload;
	aegis_publish_options options;

	pthread_mutex_t lock;		/* leaf: what follows, of many at once */
	pthread_cond_t changed;
	uint64_t pending, stored, failed;
	aegis_error first;
};

static void
show_published(struct publishing *p, const char *id)
{
	static const char *const names[] = { "id", "subject", "stored" };
	char stored[24];
	struct str json = STR_INIT;
	struct pack k;

	char *subject = mem_printf("events.%s.%s", p->domain, p->type);
	snprintf(stored, sizeof stored, "%" PRIu64, p->stored);
	pack_init(&k, &json, DATA_JSON, PACK_COMPACT);
	pack_map(&k, 4);
	pack_key_puts(&k, "id", id);
	pack_key_puts(&k, "subject", subject);
	pack_key_uint(&k, "stored", p->stored);
	pack_key_uint(&k, "failed", p->failed);
	pack_end(&k, NULL);
	out_object(p->c->out, names, (const struct out_cell[]){ { id, OUT_STRONG }, { subject, OUT_PLAIN },
	    { stored, OUT_GOOD } }, COUNT_OF(names), str_text(&json));
	str_release(&json);
	mem_free(subject);
}

static void
on_published(void *arg, const aegis_error *e)
{
	struct publishing *p = arg;

	pthread_mutex_lock(&p->lock);
	if (e == NULL)
		p->stored++;
	else if (p->failed++ == 0)
		p->first = *e;
	p->pending--;
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

/* fill: the members of a JSON object into a map under construction. */
static int
fill(aegis_out *out, const char *json, aegis_error *e)
{
	struct codec *codec = codec_new();
	struct value v;
	int code = AEGIS_OK;

	MUST(codec_parse(codec, (struct data){ DATA_JSON, json, strlen(json) }, &v, NULL) == ERR_OK);	/* it was read */
	for (uint32_t i = 0; i < v.n && code == AEGIS_OK; i++) {
		struct str member = STR_INIT;
		struct pack p;
		char *key = mem_text_n(v.u.pairs[i].key.p, v.u.pairs[i].key.n);
		pack_init(&p, &member, DATA_JSON, PACK_COMPACT);
		pack_value(&p, &v.u.pairs[i].value);
		pack_end(&p, NULL);
		code = aegis_out_json(out, key, str_text(&member), e);
		str_release(&member);
		mem_free(key);
	}
	codec_free(codec);
	return code;
}

/* start_one: one of many; when too many wait already, waits until one of them is stored. */
static int
start_one(struct publishing *p, const char *json, aegis_error *e)
{
	for (;;) {
		aegis_out *payload = aegis_out_new();
		int code = fill(payload, json, e);
		pthread_mutex_lock(&p->lock);
		p->pending++;
		pthread_mutex_unlock(&p->lock);
		if (code == AEGIS_OK)
			code = aegis_publish_start(p->a, p->domain, p->type, payload, &p->options, on_published, p, e);
		else
			aegis_out_free(payload);
		if (code == AEGIS_OK)
			return code;
		pthread_mutex_lock(&p->lock);
		p->pending--;
		bool wait = code == AEGIS_BUSY && p->pending > 0;
		if (wait)
			pthread_cond_wait(&p->changed, &p->lock);
		pthread_mutex_unlock(&p->lock);
		if (!wait)
			return code;
	}
}

static int
publish_many(struct publishing *p, uint64_t count, aegis_error *e)
{
	int code = AEGIS_OK;

	for (uint64_t i = 0; i < count && code == AEGIS_OK; i++)
		code = start_one(p, p->payload, e);
	pthread_mutex_lock(&p->lock);
	while (p->pending > 0)
		pthread_cond_wait(&p->changed, &p->lock);
	pthread_mutex_unlock(&p->lock);
	if (code == AEGIS_OK && p->failed > 0) {
		*e = p->first;
		code = e->code;
	}
	return code;
}

static enum err_code
publish(struct publishing *p, const struct publish_opts *o, struct err *err)
{
	char drawn[ID_UUID_MAX];
	aegis_error e = { .code = AEGIS_OK };
	int code;

	id_uuid4(drawn);
	p->options = (aegis_publish_options){ .id = o->id, .trace_id = o->trace_id, .version = o->version };
	if (o->count > 1) {
		code = publish_many(p, o->count, &e);
	} else {
		if (o->id == NULL)
			p->options.id = drawn;
		code = aegis_publish_json(p->a, p->domain, p->type, p->payload, &p->options, &e);
		p->stored = code == AEGIS_OK;
	}
	if (code == AEGIS_OK || o->count > 1)
		show_published(p, o->count > 1 ? NULL : p->options.id);
	if (code == AEGIS_OK)
		return ERR_OK;
	if (p->failed > 0)
		return err_set(err, (enum err_code)e.code, "%" PRIu64 " of %" PRIu64 " events are not known to be stored; the first: %s",
		    p->failed, o->count, e.text);
	return err_set(err, (enum err_code)e.code, "%s", e.text);
}

enum err_code
cmd_event_publish_run(struct cmd *c, struct err *err)
{
	const struct publish_opts *o = c->opts;
	struct publishing p = {
		.c = c, .domain = c->words[0], .type = c->words[1],
		.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER,
	};
	struct str payload = STR_INIT;
	enum err_code code;

	if (o->id != NULL && o->count > 1)
		return err_set(err, ERR_USAGE, "--id names one message, so it does not go with --count");
	if ((code = name_check(NAME_DOMAIN, p.domain, err)) != ERR_OK ||
	    (code = name_check(NAME_EVENT_TYPE, p.type, err)) != ERR_OK ||
	    (code = name_check(NAME_VERSION_EVENT, o->version, err)) != ERR_OK ||
	    (code = cmd_payload_read(c, "payload", o->data, &payload, err)) != ERR_OK)
		goto err0;
	if ((p.a = cmd_handle(c, 0, err)) == NULL) {
		code = err->code;
		goto err0;
	}
	p.payload = str_text(&payload);
	code = publish(&p, o, err);
	aegis_close(p.a);
err0:
	str_release(&payload);
	return code;
}

/* --- subscribe ---------------------------------------------------------------------------- */

static const char *const modes[] = {
	[EVENT_COMPETE] = "compete", [EVENT_BROADCAST] = "broadcast", [EVENT_MIXED] = "mixed", NULL,
};

enum from { FROM_NOW, FROM_START };

static const char *const froms[] = { [FROM_NOW] = "now", [FROM_START] = "start", NULL };

struct subscribe_opts {
	struct cmd_general general;
	struct cmd_nats nats;
	struct cmd_log log;
	const char *service;
	enum event_mode mode;
	enum from from;
	uint64_t count;
};

static const struct opt subscribe_rows[] = {
	OPT_TEXT(struct subscribe_opts, service, "service", 0, "SERVICE",
	    "take part as this service: what is read here is read for it", .def_text = "none: only look"),
	OPT_CHOICE(struct subscribe_opts, mode, "mode", 0, modes, "with --service: how its instances share the events",
	    .def = "compete"),
	OPT_CHOICE(struct subscribe_opts, from, "from", 0, froms, "where a new subscription begins", .def = "now"),
	OPT_UINT(struct subscribe_opts, count, "count", 0, "N", "end after this many events", .min = 1, .max = UINT32_MAX,
	    .def_text = "until Ctrl-C"),
	OPTS_END
};

const struct cmd_form event_subscribe_form = {
	sizeof(struct subscribe_opts),
	{
		{ "Options", NULL, subscribe_rows, 0 },
		FORM_OUTPUT(struct subscribe_opts),
		FORM_NATS(struct subscribe_opts),
		FORM_CLIENT_LOG(struct subscribe_opts),
		FORM_GENERAL(struct subscribe_opts),
	},
};

static const struct out_column subscribe_columns[] = {
	{ .name = "AT", .width = 24 }, { .name = "SUBJECT", .width = 28 }, { .name = "SOURCE", .width = 20 },
	{ .name = "PAYLOAD" },
};

struct listening {
	struct cmd *c;
	const struct subscribe_opts *o;
	struct loop *loop;
	struct loop_thread thread;
	struct conn *conn;
	struct pool *pool;
	struct publisher *publisher;
	struct events *events;
	pthread_mutex_t lock;		/* leaf: the output, and the count */
	uint64_t seen;
};

static void
event_json(struct event *e, struct str *out)
{
	struct pack p;
	const char *payload = event_payload_json(e);

	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, 8);
	pack_key_puts(&p, "subject", event_subject(e));
	pack_key_puts(&p, "domain", event_domain(e));
	pack_key_puts(&p, "event_type", event_type(e));
	pack_key_puts(&p, "message_id", event_message_id(e));
	pack_key_puts(&p, "trace_id", event_trace_id(e));
	pack_key_puts(&p, "source", event_source(e));
	pack_key_uint(&p, "deliveries", event_deliveries(e));
	pack_key_data(&p, "payload", (struct data){ DATA_JSON, payload, strlen(payload) });
	pack_end(&p, NULL);
}

/* print: false when nobody reads any more, or enough were read. */
static bool
print(struct listening *l, struct event *e)
{
	char at[WALL_TEXT_MAX];
	struct str json = STR_INIT;

	if ((l->o->count > 0 && l->seen == l->o->count) || out_reader_left(l->c->out))
		return false;
	wall_rfc3339(clock_wall(clock_system()), at);
	event_json(e, &json);
	out_row(l->c->out, (const struct out_cell[]){ { at, OUT_DIM }, { event_subject(e), OUT_STRONG },
	    { event_source(e), OUT_PLAIN }, { event_payload_json(e), OUT_PLAIN } }, str_text(&json));
	str_release(&json);
	bool written = out_flush(l->c->out, NULL) == ERR_OK;
	l->seen += written;
	/* The main thread waits for a signal, so it gets one. */
	if (!written || l->seen == l->o->count)
		kill(getpid(), SIGTERM);
	return written;
}

static void
on_event(void *arg, struct event *e)
{
	struct listening *l = arg;

	pthread_mutex_lock(&l->lock);
	bool printed = print(l, e);
	pthread_mutex_unlock(&l->lock);
	if (printed)
		event_done(e);
	else
		event_refuse(e);	/* not for us any more */
}

static enum err_code
start_listening(struct listening *l, struct err *err)
{
	const struct subscribe_opts *o = l->o;
	struct conn_opts co = cmd_conn_opts(l->c, NULL);
	char instance[24] = "cli-";

	id_hex(instance + 4, 8);
	if ((l->conn = conn_new(&co, err)) == NULL)
		return err->code;
	if ((l->loop = loop_new(clock_system(), 1024, err)) == NULL || (l->pool = pool_new(l->loop, 1, 8, err)) == NULL ||
	    (l->publisher = publisher_new(&(struct publisher_opts){ .conn = l->conn, .loop = l->loop }, err)) == NULL)
		return err->code;
	l->events = events_new(&(struct events_opts){
		.conn = l->conn, .loop = l->loop, .pool = l->pool, .publisher = l->publisher,
		.service = o->service != NULL ? o->service : "aegis-cli", .instance = instance,
	});
	enum err_code code = events_subscribe(l->events, &(struct event_subscription){
		.pattern = l->c->words[0], .mode = o->service != NULL ? o->mode : EVENT_BROADCAST,
		.from_now = o->from == FROM_NOW, .from_start = o->from == FROM_START, .handler = on_event, .arg = l,
	}, err);
	return code == ERR_OK ? loop_thread_start(&l->thread, l->loop, err) : code;
}

/* wait_for_end: until a signal comes or the reader leaves. */
static void
wait_for_end(struct listening *l, const sigset_t *set)
{
	struct timespec second = { .tv_sec = 1 };
	bool left = false;

	while (!left && sigtimedwait(set, NULL, &second) < 0) {
		pthread_mutex_lock(&l->lock);
		left = out_look(l->c->out);
		pthread_mutex_unlock(&l->lock);
	}
	loop_thread_stop(&l->thread);
}

enum err_code
cmd_event_subscribe_run(struct cmd *c, struct err *err)
{
	struct listening l = { .c = c, .o = c->opts, .lock = PTHREAD_MUTEX_INITIALIZER };
	sigset_t ends;
	enum err_code code;

	if ((code = pattern_check(c->words[0], err)) != ERR_OK ||
	    (l.o->service != NULL && (code = name_check(NAME_SERVICE_CALLED, l.o->service, err)) != ERR_OK))
		return code;
	if (l.o->service == NULL && l.o->mode != EVENT_COMPETE)
		return err_set(err, ERR_USAGE, "--mode needs --service, whose instances share the events");
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	out_watch(c->out, subscribe_columns, COUNT_OF(subscribe_columns));
	if ((code = start_listening(&l, err)) == ERR_OK)
		wait_for_end(&l, &ends);
	events_free(l.events);
	if (l.conn != NULL)
		conn_flush(l.conn, NS_PER_S, NULL);	/* the last words to the stream */
	pool_free(l.pool);
	publisher_free(l.publisher);
	conn_free(l.conn);
	loop_free(l.loop);
	return code;
}
