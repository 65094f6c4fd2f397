/* kv_reader.c - a push consumer on the bucket's stream, read by hand. */
#include "nats/kv_reader.h"

#include <stdio.h>
#include <string.h>

#define SUBJECT_BYTES 640
#define HEARTBEAT_NS NS_PER_S		/* silence of a few heartbeats is told by the library */
#define RECOUNT_MS 200			/* a listing that stands still so long is counted again */

/* count: how many records there are to tell.  Some may have been delivered already. */
static natsStatus
count(struct kv_reader *r, jsErrCode *js)
{
	jsConsumerInfo *info = NULL;
	natsStatus s = natsSubscription_GetConsumerInfo(&info, r->sub, NULL, js);

	if (s == NATS_OK)
		r->initial = info->NumPending + info->Delivered.Consumer;
	jsConsumerInfo_Destroy(info);
	return s;
}

natsStatus
kv_reader_open(struct kv_reader *r, const struct kv_reader_opts *o, jsErrCode *js)
{
	char subject[SUBJECT_BYTES], stream[160];
	jsSubOptions so;

	memset(r, 0, sizeof *r);
	snprintf(subject, sizeof subject, "$KV.%s.%s", o->bucket, o->filter);
	snprintf(stream, sizeof stream, "KV_%s", o->bucket);
	r->prefix = strlen("$KV.") + strlen(o->bucket) + 1;
	jsSubOptions_Init(&so);
	so.Stream = stream;
	so.Config.DeliverPolicy = o->history ? js_DeliverAll : js_DeliverLastPerSubject;
	so.Config.AckPolicy = js_AckNone;
	so.Config.FlowControl = true;	/* a slow reader slows the server down instead of losing messages */
	so.Config.Heartbeat = HEARTBEAT_NS;
	so.Config.MemoryStorage = true;
	so.Config.Replicas = 1;
	natsStatus s = js_SubscribeSync(&r->sub, conn_js(o->conn), subject, NULL, &so, js);
	if (s == NATS_OK)
		s = natsSubscription_SetPendingLimits(r->sub, -1, -1);
	if (s == NATS_OK)
		s = count(r, js);
	if (s != NATS_OK)
		kv_reader_close(r);
	return s;
}

void
kv_reader_close(struct kv_reader *r)
{
	natsMsg_Destroy(r->msg);
	if (r->sub != NULL)
		natsSubscription_Unsubscribe(r->sub);
	natsSubscription_Destroy(r->sub);
	memset(r, 0, sizeof *r);
}

void
kv_reader_interrupt(natsSubscription *sub)
{
	natsSubscription_Unsubscribe(sub);
}

bool
kv_is_marker(natsMsg *m)
{
	const char *v = NULL;

	if (natsMsgHeader_Get(m, "Nats-Marker-Reason", &v) == NATS_OK)
		return true;
	return natsMsgHeader_Get(m, "KV-Operation", &v) == NATS_OK &&
	    (strcmp(v, "DEL") == 0 || strcmp(v, "PURGE") == 0);
}

/* fill: e from the message at hand; NATS_MISMATCH when one before it is missing. */
static natsStatus
fill(struct kv_reader *r, struct kv_entry *e)
{
	const char *subject = natsMsg_GetSubject(r->msg);
	jsMsgMetaData *meta = NULL;
	natsStatus s = natsMsg_GetMetaData(&meta, r->msg);

	if (s != NATS_OK)
		return s;
	if (meta->Sequence.Consumer != r->seen + 1 || strlen(subject) <= r->prefix)
		s = NATS_MISMATCH;
	r->seen++;
	if (meta->NumPending == 0)
		r->initial = r->seen < r->initial ? r->seen : r->initial;
	*e = (struct kv_entry){
		.key = (char *)(uintptr_t)(subject + r->prefix),
		.value = (char *)(uintptr_t)natsMsg_GetData(r->msg),
		.n = (size_t)natsMsg_GetDataLength(r->msg),
		.revision = meta->Sequence.Stream,
		.created = { meta->Timestamp },
		.gone = kv_is_marker(r->msg),
	};
	jsMsgMetaData_Destroy(meta);
	return s;
}

static bool
is_now_complete(struct kv_reader *r)
{
	bool now = !r->complete && r->seen >= r->initial;

	r->complete = r->complete || now;
	return now;
}

natsStatus
kv_reader_next(struct kv_reader *r, struct kv_entry *e, int64_t timeout_ms)
{
	bool recounts = !r->complete && timeout_ms > RECOUNT_MS;

	memset(e, 0, sizeof *e);
	if (is_now_complete(r))
		return NATS_OK;
	natsMsg_Destroy(r->msg);
	r->msg = NULL;
	natsStatus s = natsSubscription_NextMsg(&r->msg, r->sub, recounts ? RECOUNT_MS : timeout_ms);
	if (s == NATS_TIMEOUT && !r->complete) {
		/* A record that expired before it was delivered does not come any more. */
		s = count(r, NULL);
		if (s == NATS_OK && is_now_complete(r))
			return NATS_OK;
		if (s == NATS_OK)
			s = recounts ? natsSubscription_NextMsg(&r->msg, r->sub, timeout_ms - RECOUNT_MS) : NATS_TIMEOUT;
	}
	return s == NATS_OK ? fill(r, e) : s;
}
