/* raw.c - the shortest programs that nats.c allows for request-reply.
 *
 * In flight: one inbox subscription for all replies, because a subscription or a mux entry
 * for each would measure those.  Whoever begins a request says by which number its reply is
 * told. */
#include "nats/raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/instant.h"
#include "base/mem.h"
#include "nats/raw_inner.h"
#include "sys/clock.h"

#define ANSWER_MS 5000

struct raw {
	natsConnection *asking, *answering;
	natsSubscription *requests, *numbered;
	char subject[40], numbers[48];	/* numbers: where replies of raw_start come, with its wildcard */
	void *request, *reply;
	int nrequest, nreply;

	void (*done)(void *arg, unsigned slot, const struct err *err);
	void *arg;
};

static struct mono
now_mono(void)
{
	return clock_mono(clock_system());
}

static void
on_request(natsConnection *nc, natsSubscription *sub, natsMsg *m, void *arg)
{
	struct raw *r = arg;

	(void)sub;
	natsConnection_Publish(nc, natsMsg_GetReply(m), r->reply, r->nreply);
	natsMsg_Destroy(m);
}

static void
on_numbered(natsConnection *nc, natsSubscription *sub, natsMsg *m, void *arg)
{
	struct raw *r = arg;
	unsigned slot = (unsigned)strtoul(strrchr(natsMsg_GetSubject(m), '.') + 1, NULL, 10);

	(void)nc;
	(void)sub;
	natsMsg_Destroy(m);
	if (r->done != NULL)
		r->done(r->arg, slot, NULL);
}

enum err_code
raw_connect(natsConnection **out, const char *servers, const struct conn_opts *access, int64_t flusher_wait_us,
    struct err *err)
{
	struct conn shell = { .servers = mem_text(servers) };
	enum err_code code = ERR_OK;
	natsStatus s = natsOptions_Create(&shell.opts);

	if (s == NATS_OK && access != NULL)
		code = conn_set_access(&shell, access, err);
	else if (s == NATS_OK)
		s = natsOptions_SetURL(shell.opts, servers);
	if (code == ERR_OK && s == NATS_OK && flusher_wait_us > 0)
		s = natsOptions_SetFlusherWaitMicros(shell.opts, flusher_wait_us);
	if (code == ERR_OK && s == NATS_OK)
		s = natsConnection_Connect(out, shell.opts);
	natsOptions_Destroy(shell.opts);
	mem_free(shell.servers);
	return code == ERR_OK && s != NATS_OK ? conn_fail(s, 0, err, "raw: %s", servers) : code;
}

struct raw *
raw_new(const struct raw_opts *o, struct err *err)
{
	struct raw *r = mem_new(sizeof *r);
	natsStatus s;

	r->nrequest = (int)o->nrequest;
	r->nreply = (int)o->nreply;
	r->request = mem_text_n(o->request, o->nrequest);
	r->reply = mem_text_n(o->reply, o->nreply);
	memcpy(r->subject, "raw.", 4);
	id_hex(r->subject + 4, 22);
	memcpy(r->numbers, "_INBOX.", 7);
	id_hex(r->numbers + 7, 22);
	memcpy(r->numbers + 29, ".*", 3);
	if (raw_connect(&r->asking, o->servers, o->access, o->flusher_wait_us, err) != ERR_OK ||
	    raw_connect(&r->answering, o->servers, o->access, o->flusher_wait_us, err) != ERR_OK) {
		raw_free(r);
		return NULL;
	}
	if ((s = natsConnection_Subscribe(&r->requests, r->answering, r->subject, on_request, r)) != NATS_OK ||
	    (s = natsConnection_Subscribe(&r->numbered, r->asking, r->numbers, on_numbered, r)) != NATS_OK ||
	    (s = natsConnection_Flush(r->answering)) != NATS_OK || (s = natsConnection_Flush(r->asking)) != NATS_OK) {
		conn_fail(s, 0, err, "raw: %s", o->servers);
		raw_free(r);
		return NULL;
	}
	return r;
}

void
raw_free(struct raw *r)
{
	if (r == NULL)
		return;
	natsConnection_Close(r->asking);
	natsConnection_Close(r->answering);
	natsSubscription_Destroy(r->requests);
	natsSubscription_Destroy(r->numbered);
	natsConnection_Destroy(r->asking);
	natsConnection_Destroy(r->answering);
	mem_free(r->request);
	mem_free(r->reply);
	mem_free(r);
}

enum err_code
raw_once(struct raw *r, struct err *err)
{
	natsMsg *m = NULL;
	natsStatus s = natsConnection_Request(&m, r->asking, r->subject, r->request, r->nrequest, ANSWER_MS);

	natsMsg_Destroy(m);
	return s == NATS_OK ? ERR_OK : conn_fail(s, 0, err, "raw: request");
}

void
raw_on_reply(struct raw *r, void (*done)(void *arg, unsigned slot, const struct err *err), void *arg)
{
	r->done = done;
	r->arg = arg;
}

enum err_code
raw_start(struct raw *r, unsigned slot, struct err *err)
{
	char reply[64];

	snprintf(reply, sizeof reply, "%.*s%u", (int)strlen(r->numbers) - 1, r->numbers, slot);
	natsStatus s = natsConnection_PublishRequest(r->asking, r->subject, reply, r->request, r->nrequest);
	return s == NATS_OK ? ERR_OK : conn_fail(s, 0, err, "raw: publish");
}

enum err_code
raw_each(struct raw *r, size_t n, int64_t *ns, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		natsMsg *m = NULL;
		struct mono start = now_mono();
		natsStatus s = natsConnection_Request(&m, r->asking, r->subject, r->request, r->nrequest, ANSWER_MS);
		natsMsg_Destroy(m);
		ns[i] = mono_since(now_mono(), start);
		if (s != NATS_OK)
			return conn_fail(s, 0, err, "raw: request");
	}
	return ERR_OK;
}
