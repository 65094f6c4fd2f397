/* stream_range.c - many stored messages at once, by a pull consumer that lives for one request. */
#include <string.h>

#include "base/num.h"
#include "nats/nats_c.h"
#include "nats/stream.h"

#define RANGE_MAX 1000			/* of one request; what is asked for beyond it is asked for again */
#define UNUSED_NS (10 * NS_PER_S)	/* should its deletion not arrive */

/* open_at: a consumer of what begins at that sequence. */
static natsStatus
open_at(natsSubscription **sub, const struct stream_range *r, jsErrCode *js)
{
	jsSubOptions so;

	jsSubOptions_Init(&so);
	so.Stream = r->stream;
	so.Config.DeliverPolicy = js_DeliverByStartSequence;
	so.Config.OptStartSeq = r->from;
	so.Config.AckPolicy = js_AckNone;
	so.Config.InactiveThreshold = UNUSED_NS;
	so.Config.MemoryStorage = true;
	so.Config.Replicas = 1;
	return js_PullSubscribe(sub, conn_js(r->conn), r->filter, NULL, NULL, &so, js);
}

/* tell: what of the list lies in the range; whether the end of it was reached. */
static bool
tell(const struct stream_range *r, const natsMsgList *list)
{
	for (int i = 0; i < list->Count; i++) {
		jsMsgMetaData *meta = NULL;
		if (natsMsg_GetMetaData(&meta, list->Msgs[i]) != NATS_OK)
			continue;
		struct stored s = { (struct msg *)(void *)list->Msgs[i], meta->Sequence.Stream, { meta->Timestamp } };
		bool last = meta->NumPending == 0;
		jsMsgMetaData_Destroy(meta);
		if (s.seq > r->to)
			return true;
		r->each(r->arg, &s);
		if (s.seq == r->to || last)
			return true;
	}
	return false;
}

/* look: whether nothing comes any more, as the server sees it; *over is left alone when it does not say. */
static natsStatus
look(natsSubscription *sub, uint64_t came, bool *over, jsErrCode *js)
{
	jsConsumerInfo *info = NULL;
	natsStatus s = natsSubscription_GetConsumerInfo(&info, sub, NULL, js);

	if (s == NATS_OK)
		*over = info->NumPending == 0 && info->Delivered.Consumer == came;
	jsConsumerInfo_Destroy(info);
	return s;
}

enum err_code
stream_range(const struct stream_range *r, struct err *err)
{
	natsSubscription *sub = NULL;
	bool over = r->from > r->to;
	uint64_t came = 0;
	jsErrCode js = 0;

	if (over)
		return ERR_OK;
	if (conn_state(r->conn) != CONN_UP)
		return err_set(err, ERR_UNAVAILABLE, "nats: not connected to %s", conn_servers(r->conn));
	natsStatus s = open_at(&sub, r, &js);
	if (s == NATS_OK)
		s = look(sub, came, &over, &js);
	while (s == NATS_OK && !over) {
		natsMsgList list = { 0 };
		uint64_t n = r->to - r->from + 1;
		jsFetchRequest q;
		jsFetchRequest_Init(&q);
		q.Batch = (int)(n < RANGE_MAX ? n : RANGE_MAX);
		q.NoWait = true;
		q.Expires = conn_timeout_ns(r->conn);	/* for an answer; what is there comes at once */
		s = natsSubscription_FetchRequest(&list, sub, &q);
		over = s == NATS_OK && tell(r, &list);
		came += s == NATS_OK ? (uint64_t)list.Count : 0;
		natsMsgList_Destroy(&list);
		if (s == NATS_TIMEOUT || s == NATS_NOT_FOUND) {
			/* Removed meanwhile; or on its way, and late. */
			natsStatus late = s;
			s = look(sub, came, &over, &js);
			s = s == NATS_OK && !over ? late : s;
		}
	}
	if (sub != NULL)
		natsSubscription_Unsubscribe(sub);
	natsSubscription_Destroy(sub);
	return s == NATS_OK ? ERR_OK : conn_fail(s, js, err, "stream '%s', messages %llu to %llu", r->stream, (unsigned long long)r->from,
	    (unsigned long long)r->to);
}
