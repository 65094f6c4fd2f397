/* raw_stream.c - as little as possible between the caller and nats.c. */
#include "nats/raw_stream.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/mem.h"
#include "nats/raw_inner.h"
#include "sys/thread.h"

#define WAIT_MS 5000
#define PENDING 4096
#define LOOK_MS 100			/* how often the watch looks whether it is to end */

struct raw_stream {
	natsConnection *nc;
	jsCtx *js;
	struct raw_stream_opts o;
	natsSubscription *sub;
	void (*handler)(void *arg, const void *data, size_t n);
	void *arg;
	kvStore *kv;
	kvWatcher *watcher;
	void (*told)(void *arg, uint64_t revision);
	void *told_arg;
	pthread_t watching;
	bool is_watching;
	atomic_bool stop;
};

/* on_ack: the number is the end of the message's own id, so that nothing has to be looked up. */
static void
on_ack(jsCtx *js, natsMsg *m, jsPubAck *ack, jsPubAckErr *why, void *arg)
{
	struct raw_stream *r = arg;
	struct err err = { ERR_OK, "" };
	const char *id = NULL;

	(void)js;
	natsMsgHeader_Get(m, "Nats-Msg-Id", &id);
	const char *slot = id != NULL ? strrchr(id, '.') : NULL;
	if (ack == NULL)
		conn_fail(why != NULL ? why->Err : NATS_ERR, why != NULL ? why->ErrCode : 0, &err, "raw: publish");
	if (slot != NULL && r->o.done != NULL)
		r->o.done(r->o.arg, (unsigned)strtoul(slot + 1, NULL, 10), ack != NULL ? NULL : &err);
	natsMsg_Destroy(m);
}

struct raw_stream *
raw_stream_new(const struct raw_stream_opts *o, struct err *err)
{
	struct raw_stream *r = mem_new(sizeof *r);
	jsOptions jo;
	natsStatus s;

	r->o = *o;
	if (raw_connect(&r->nc, o->access->servers, o->access, o->flusher_wait_us, err) != ERR_OK) {
		raw_stream_free(r);
		return NULL;
	}
	jsOptions_Init(&jo);
	jo.Wait = WAIT_MS;
	jo.Domain = o->access->js_domain;
	if (o->access->js_api_prefix != NULL)
		jo.Prefix = o->access->js_api_prefix;
	jo.PublishAsync.MaxPending = PENDING;
	jo.PublishAsync.AckHandler = on_ack;
	jo.PublishAsync.AckHandlerClosure = r;
	if ((s = natsConnection_JetStream(&r->js, r->nc, &jo)) != NATS_OK) {
		conn_fail(s, 0, err, "raw: JetStream");
		raw_stream_free(r);
		return NULL;
	}
	return r;
}

void
raw_stream_free(struct raw_stream *r)
{
	if (r == NULL)
		return;
	atomic_store(&r->stop, true);
	if (r->is_watching)
		pthread_join(r->watching, NULL);
	kvWatcher_Destroy(r->watcher);
	kvStore_Destroy(r->kv);
	natsSubscription_Unsubscribe(r->sub);
	natsSubscription_Destroy(r->sub);
	jsCtx_Destroy(r->js);
	natsConnection_Close(r->nc);
	natsConnection_Destroy(r->nc);
	mem_free(r);
}

/* --- publishing -------------------------------------------------------------------------- */

enum err_code
raw_publish(struct raw_stream *r, const char *subject, const void *data, size_t n, struct err *err)
{
	char id[ID_UUID_MAX];
	jsPubOptions po;
	jsErrCode js = 0;

	id_uuid4(id);
	jsPubOptions_Init(&po);
	po.MsgId = id;
	natsStatus s = js_Publish(NULL, r->js, subject, data, (int)n, &po, &js);
	return s == NATS_OK ? ERR_OK : conn_fail(s, js, err, "raw: publish '%s'", subject);
}

enum err_code
raw_publish_start(struct raw_stream *r, const char *subject, const void *data, size_t n, unsigned slot,
    struct err *err)
{
	char id[ID_NONCE_MAX + 16];
	jsPubOptions po;
	natsMsg *m = NULL;

	id_nonce(id);
	snprintf(id + strlen(id), 16, ".%u", slot);
	jsPubOptions_Init(&po);
	po.MsgId = id;
	natsStatus s = natsMsg_Create(&m, subject, NULL, data, (int)n);
	if (s == NATS_OK)
		s = js_PublishMsgAsync(r->js, &m, &po);
	natsMsg_Destroy(m);
	return s == NATS_OK ? ERR_OK : conn_fail(s, 0, err, "raw: publish '%s'", subject);
}

/* --- consuming --------------------------------------------------------------------------- */

static void
on_message(natsConnection *nc, natsSubscription *sub, natsMsg *m, void *arg)
{
	struct raw_stream *r = arg;

	(void)nc;
	(void)sub;
	r->handler(r->arg, natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m));
	natsMsg_Ack(m, NULL);
	natsMsg_Destroy(m);
}

enum err_code
raw_consume(struct raw_stream *r, const char *stream, const char *subject, const char *durable,
    void (*handler)(void *arg, const void *data, size_t n), void *arg, struct err *err)
{
	jsSubOptions so;
	jsOptions jo;
	jsErrCode js = 0;

	r->handler = handler;
	r->arg = arg;
	jsSubOptions_Init(&so);
	so.Stream = stream;
	so.ManualAck = true;
	jsOptions_Init(&jo);
	jo.PullSubscribeAsync.FetchSize = 64;		/* the window that our own consumers ask for */
	jo.PullSubscribeAsync.KeepAhead = 32;
	natsStatus s = js_PullSubscribeAsync(&r->sub, r->js, subject, durable, on_message, r, &jo, &so, &js);
	return s == NATS_OK ? ERR_OK : conn_fail(s, js, err, "raw: consumer '%s'", durable);
}

/* --- key-value --------------------------------------------------------------------------- */

enum err_code
raw_bucket(struct raw_stream *r, const char *bucket, struct err *err)
{
	natsStatus s = js_KeyValue(&r->kv, r->js, bucket);

	return s == NATS_OK ? ERR_OK : conn_fail(s, 0, err, "raw: bucket '%s'", bucket);
}

enum err_code
raw_put(struct raw_stream *r, const char *key, const void *data, size_t n, uint64_t *revision, struct err *err)
{
	natsStatus s = kvStore_Put(revision, r->kv, key, data, (int)n);

	return s == NATS_OK ? ERR_OK : conn_fail(s, 0, err, "raw: put '%s'", key);
}

enum err_code
raw_get(struct raw_stream *r, const char *key, struct err *err)
{
	kvEntry *e = NULL;
	natsStatus s = kvStore_Get(&e, r->kv, key);

	kvEntry_Destroy(e);
	return s == NATS_OK ? ERR_OK : conn_fail(s, 0, err, "raw: get '%s'", key);
}

static void *
watch(void *arg)
{
	struct raw_stream *r = arg;

	while (!atomic_load(&r->stop)) {
		kvEntry *e = NULL;
		if (kvWatcher_Next(&e, r->watcher, LOOK_MS) != NATS_OK || e == NULL)
			continue;
		r->told(r->told_arg, kvEntry_Revision(e));
		kvEntry_Destroy(e);
	}
	nats_ReleaseThreadMemory();
	return NULL;
}

enum err_code
raw_watch(struct raw_stream *r, const char *key, void (*told)(void *arg, uint64_t revision), void *arg,
    struct err *err)
{
	natsStatus s = kvStore_Watch(&r->watcher, r->kv, key, NULL);

	if (s != NATS_OK)
		return conn_fail(s, 0, err, "raw: watch '%s'", key);
	r->told = told;
	r->told_arg = arg;
	enum err_code code = thread_start(&r->watching, "raw watch", watch, r, err);
	r->is_watching = code == ERR_OK;
	return code;
}
