/* micro.c - the three verbs of NATS micro, in three widths each. */
#include "messaging/micro.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/hist.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/codec.h"
#include "codec/subject.h"
#include "messaging/methods.h"
#include "nats/conn.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define MICRO_MAGIC 0x31c30001u
#define WIDTHS 3

enum verb { VERB_PING, VERB_INFO, VERB_STATS, VERBS };

static const struct { const char *name, *type; } verbs[VERBS] = {
	[VERB_PING] = { "PING", "io.nats.micro.v1.ping_response" },
	[VERB_INFO] = { "INFO", "io.nats.micro.v1.info_response" },
	[VERB_STATS] = { "STATS", "io.nats.micro.v1.stats_response" },
};

struct micro {
	unsigned magic;
	struct conn *conn;
	char *service, *instance, *version, *description, *nonce;
	const char *const *methods;	/* NULL: all */
	size_t nmethods;
	struct methods *stats;
	struct wall started;
	struct sub *subs[VERBS * WIDTHS];
	struct answerer { struct micro *owner; enum verb verb; } answerers[VERBS];
};

/* The endpoints of one answer: those that are served by name, or those that were called. */
struct endpoints {
	struct micro *owner;
	struct pack *pack;
	struct method *v[METHODS_MAX + 1];
	size_t n;
};

static void
collect(void *arg, struct method *one)
{
	struct endpoints *e = arg;

	e->v[e->n++] = one;
}

static void
endpoint_head(struct pack *p, const struct micro *m, const char *name)
{
	bool all = strcmp(name, "*") == 0;

	pack_key_puts(p, "name", all ? "all" : name);
	pack_key_puts(p, "subject", all ? subject_rpc_all(m->service).s : subject_rpc(m->service, name).s);
	pack_key_puts(p, "queue_group", subject_rpc_group(m->service).s);
}

static void
pack_info(struct pack *p, const struct micro *m)
{
	size_t n = m->methods != NULL ? m->nmethods : 1;

	pack_key_puts(p, "description", m->description != NULL ? m->description : "");
	pack_key_array(p, "endpoints", (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		pack_map(p, 4);
		endpoint_head(p, m, m->methods != NULL ? m->methods[i] : "*");
		pack_key_map(p, "metadata", 0);
	}
}

static void
pack_stats(struct pack *p, struct micro *m)
{
	struct endpoints e = { .owner = m, .pack = p };

	methods_each(m->stats, collect, &e);
	pack_key_time(p, "started", m->started);
	pack_key_array(p, "endpoints", (uint32_t)e.n);
	for (size_t i = 0; i < e.n; i++) {
		const struct method *one = e.v[i];
		int64_t average_ns = (int64_t)(hist_mean_ms(one->latency) * 1e6);
		uint64_t calls = atomic_load(&one->calls);
		pack_map(p, 8);
		endpoint_head(p, m, one->name);
		pack_key_uint(p, "num_requests", calls);
		pack_key_uint(p, "num_errors", atomic_load(&one->errors));
		pack_key_puts(p, "last_error", "");
		pack_key_int(p, "processing_time", average_ns * (int64_t)calls);
		pack_key_int(p, "average_processing_time", average_ns);
	}
}

static void
compose(struct micro *m, enum verb verb, struct str *out)
{
	static const uint32_t members[VERBS] = { [VERB_PING] = 5, [VERB_INFO] = 7, [VERB_STATS] = 7 };
	struct pack p;

	pack_init(&p, out, DATA_JSON, PACK_COMPACT);
	pack_map(&p, members[verb]);
	pack_key_puts(&p, "type", verbs[verb].type);
	pack_key_puts(&p, "name", m->service);
	pack_key_puts(&p, "id", m->instance);
	pack_key_puts(&p, "version", m->version);
	pack_key_map(&p, "metadata", 1);
	pack_key_puts(&p, "nonce", m->nonce);
	if (verb == VERB_INFO)
		pack_info(&p, m);
	if (verb == VERB_STATS)
		pack_stats(&p, m);
	MUST(pack_end(&p, NULL) == ERR_OK);	/* names and numbers of ours alone */
}

static void
on_ask(void *arg, struct msg *m)
{
	struct answerer *a = arg;
	struct str out = STR_INIT;

	MAGIC_CHECK(a->owner, MICRO_MAGIC);
	if (msg_reply(m) != NULL) {
		compose(a->owner, a->verb, &out);
		conn_publish(a->owner->conn, &(struct conn_msg){
			.subject = msg_reply(m), .data = out.p, .n = out.len,
		}, NULL);
		str_release(&out);
	}
	msg_free(m);
}

static enum err_code
subscribe(struct micro *m, struct err *err)
{
	size_t n = 0;

	for (enum verb v = 0; v < VERBS; v++) {
		m->answerers[v] = (struct answerer){ m, v };
		for (int width = 0; width < WIDTHS; width++) {
			struct subject s = subject_micro(verbs[v].name, width > 0 ? m->service : NULL,
			    width > 1 ? m->instance : NULL);
			m->subs[n] = sub_new(&(struct sub_opts){
				.conn = m->conn, .subject = s.s, .handler = on_ask, .arg = &m->answerers[v],
			}, err);
			if (m->subs[n++] == NULL)
				return ERR_UNAVAILABLE;
		}
	}
	return ERR_OK;
}

struct micro *
micro_new(const struct micro_opts *o, struct err *err)
{
	struct micro *m = mem_new(sizeof *m);

	m->magic = MICRO_MAGIC;
	m->conn = o->conn;
	m->service = mem_text(o->service);
	m->instance = mem_text(o->instance);
	m->version = mem_text(o->version);
	m->description = mem_text(o->description);
	m->nonce = mem_text(o->nonce);
	m->stats = o->stats;
	m->started = o->started;
	m->methods = mem_texts(o->methods);
	while (m->methods != NULL && m->methods[m->nmethods] != NULL)
		m->nmethods++;
	if (subscribe(m, err) == ERR_OK)
		return m;
	micro_free(m);
	return NULL;
}

void
micro_leave(struct micro *m)
{
	for (size_t i = 0; m != NULL && i < COUNT_OF(m->subs); i++)
		sub_drain(m->subs[i]);
}

void
micro_free(struct micro *m)
{
	if (m == NULL)
		return;
	MAGIC_CHECK(m, MICRO_MAGIC);
	for (size_t i = 0; i < COUNT_OF(m->subs); i++)
		sub_free(m->subs[i]);
	mem_texts_free(m->methods);
	mem_free(m->service);
	mem_free(m->instance);
	mem_free(m->version);
	mem_free(m->description);
	mem_free(m->nonce);
	MAGIC_WIPE(m);
	mem_free(m);
}

/* --- asking ------------------------------------------------------------------------------ */

struct probe {
	const char *own_nonce;
	pthread_mutex_t lock;		/* leaf: answer */
	pthread_cond_t answered;
	bool done;
	enum micro_presence answer;
};

static bool
is_ours(struct msg *m, const char *own_nonce)
{
	struct value v;
	struct text nonce = { NULL, 0 };
	struct data d = { DATA_JSON, msg_data(m), msg_size(m) };

	if (msg_size(m) == 0 || codec_parse(codec_mine(), d, &v, NULL) != ERR_OK)
		return false;
	value_text(value_field(value_field(&v, "metadata"), "nonce"), &nonce);
	return text_is(nonce, own_nonce);
}

static void
on_answer(void *arg, struct msg *m)
{
	struct probe *p = arg;
	bool nobody = msg_is_no_responders(m);

	if (nobody || !is_ours(m, p->own_nonce)) {
		pthread_mutex_lock(&p->lock);
		p->done = true;
		p->answer = nobody ? MICRO_NOBODY : MICRO_OTHER;
		pthread_cond_signal(&p->answered);
		pthread_mutex_unlock(&p->lock);
	}
	msg_free(m);
}

static void
await(struct probe *p, int64_t timeout_ns)
{
	struct mono until = mono_after(clock_mono(clock_system()), timeout_ns);

	pthread_mutex_lock(&p->lock);
	while (!p->done && thread_cond_wait(&p->answered, &p->lock, until))
		continue;
	pthread_mutex_unlock(&p->lock);
}

enum err_code
micro_probe(struct conn *conn, const char *service, const char *instance, const char *own_nonce,
    int64_t timeout_ns, enum micro_presence *out, struct err *err)
{
	struct probe p = {
		.own_nonce = own_nonce, .lock = PTHREAD_MUTEX_INITIALIZER, .answer = MICRO_SILENT,
	};
	char inbox[CONN_INBOX_MAX];
	enum err_code code = ERR_UNAVAILABLE;

	thread_cond_init(&p.answered);
	conn_inbox(conn, inbox);
	struct sub *sub = sub_new(&(struct sub_opts){
		.conn = conn, .subject = inbox, .handler = on_answer, .arg = &p,
	}, err);
	if (sub == NULL) {
		pthread_cond_destroy(&p.answered);
		return ERR_UNAVAILABLE;
	}
	struct subject s = subject_micro("PING", service, instance);
	code = conn_publish(conn, &(struct conn_msg){ .subject = s.s, .reply = inbox, .urgent = true }, err);
	if (code == ERR_OK) {
		await(&p, timeout_ns);
		*out = p.answer;
	}
	sub_free(sub);
	pthread_cond_destroy(&p.answered);
	pthread_mutex_destroy(&p.lock);
	return code;
}
