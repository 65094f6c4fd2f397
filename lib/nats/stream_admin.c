/* stream_admin.c - removing what is in streams, and buckets; who reads a stream. */
#include "nats/conn_inner.h"
#include "nats/stream.h"

static enum err_code
is_up(struct conn *c, struct err *err)
{
	return conn_state(c) == CONN_UP ? ERR_OK
					: err_set(err, ERR_UNAVAILABLE, "nats: not connected to %s", conn_servers(c));
}

enum err_code
stream_purge(struct conn *c, const char *name, const char *filter, struct err *err)
{
	jsOptions o;
	jsErrCode js = 0;
	enum err_code code = is_up(c, err);

	if (code != ERR_OK)
		return code;
	jsOptions_Init(&o);
	o.Stream.Purge.Subject = filter;
	natsStatus s = js_PurgeStream(conn_js(c), name, &o, &js);
	if (js == JS_STREAM_NOT_FOUND)
		return err_set(err, ERR_NOT_FOUND, "stream '%s' does not exist", name);
	return s == NATS_OK ? ERR_OK : conn_explain(c, conn_fail(s, js, err, "stream '%s', purge of '%s'", name, filter), err);
}

enum err_code
bucket_remove(struct conn *c, const char *name, struct err *err)
{
	enum err_code code = is_up(c, err);

	if (code != ERR_OK)
		return code;
	natsStatus s = js_DeleteKeyValue(conn_js(c), name);
	if (s == NATS_NOT_FOUND)
		return err_set(err, ERR_NOT_FOUND, "bucket '%s' does not exist", name);
	return s == NATS_OK ? ERR_OK : conn_explain(c, conn_fail(s, 0, err, "bucket '%s'", name), err);
}

enum err_code
stream_readers(struct conn *c, const char *name, void (*each)(void *arg, const struct stream_reader *r), void *arg,
    struct err *err)
{
	jsConsumerInfoList *list = NULL;
	jsErrCode js = 0;
	enum err_code code = is_up(c, err);

	if (code != ERR_OK)
		return code;
	natsStatus s = js_Consumers(&list, conn_js(c), name, NULL, &js);
	if (s == NATS_NOT_FOUND && js == 0)		/* none at all */
		return ERR_OK;
	if (s != NATS_OK)
		return conn_explain(c, conn_fail(s, js, err, "stream '%s': consumers", name), err);
	for (int i = 0; i < list->Count; i++) {
		const jsConsumerInfo *ci = list->List[i];
		each(arg, &(struct stream_reader){ .name = ci->Name, .pending = ci->NumPending,
		    .unacked = (uint64_t)ci->NumAckPending, .listened = ci->PushBound || ci->NumWaiting > 0 });
	}
	jsConsumerInfoList_Destroy(list);
	return ERR_OK;
}
