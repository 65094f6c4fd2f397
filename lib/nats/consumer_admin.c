/* consumer_admin.c - other people's consumers: removing one, and looking at it. */
#include <stdio.h>

#include "nats/conn_inner.h"
#include "nats/consumer.h"
#include "nats/consumer_wire.h"
#include "nats/nats_c.h"


enum err_code
consumer_remove(struct conn *conn, const char *stream, const char *durable, struct err *err)
{
	jsErrCode js = 0;

	if (conn_state(conn) != CONN_UP)
		return err_set(err, ERR_UNAVAILABLE, "nats: not connected to %s", conn_servers(conn));
	natsStatus s = js_DeleteConsumer(conn_js(conn), stream, durable, NULL, &js);
	return s == NATS_OK ? ERR_OK : conn_fail(s, js, err, "consumer '%s' of stream '%s'", durable, stream);
}

enum err_code
consumer_inspect(struct conn *conn, const char *stream, const char *durable, struct consumer_facts *out,
    struct err *err)
{
	char subject[512];
	struct consumer_answer a;
	struct msg *reply;

	snprintf(subject, sizeof subject, "%s.CONSUMER.INFO.%s.%s", conn_js_prefix(conn), stream, durable);
	enum err_code code = conn_request(conn, &(struct conn_msg){ .subject = subject }, conn_timeout_ns(conn), &reply, err);
	if (code != ERR_OK)
		return code;
	code = consumer_read(msg_data(reply), msg_size(reply), &a, err);
	msg_free(reply);
	if (code != ERR_OK)
		return code;
	if (a.error != 0)
		return err_set(err, a.status == 404 ? ERR_NOT_FOUND : ERR_STORE, "consumer '%s' of stream '%s': %s", durable,
		    stream, a.words);
	*out = (struct consumer_facts){ a.push, a.bound, a.pending, a.unacked, a.redelivered, a.waiting };
	return ERR_OK;
}
