/* raw.c - the shortest programs that nats.c allows for the two patterns.
 *
 * In flight: one inbox subscription for all replies, because a subscription or a mux entry
 * for each would measure those.  The callback that gets a reply sends the next request. */
#include "nats/raw.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/id.h"
#include "base/instant.h"
#include "base/mem.h"
#include "nats/raw_inner.h"
#include "sys/clock.h"

#define ANSWER_MS 5000
#define MANY_S 60

struct raw {
	natsConnection *asking, *answering;
	natsSubscription *requests, *replies, *numbered;
	char subject[40], inbox[40], numbers[44];	/* numbers: of raw_start, with its wildcard */
	void *request, *reply;
	int nrequest, nreply;

	pthread_mutex_t lock;		/* leaf: over */
	pthread_cond_t changed;
	bool over;
	size_t unsent, unanswered;	/* the replies' thread only, once under way */
	struct mono ended;

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

static natsStatus
ask(struct raw *r)
{
	return natsConnection_PublishRequest(r->asking, r->subject, r->inbox, r->request, r->nrequest);
}

static void
on_reply(natsConnection *nc, natsSubscription *sub, natsMsg *m, void *arg)
{
	struct raw *r = arg;

	(void)nc;
	(void)sub;
	natsMsg_Destroy(m);
	if (r->unsent > 0) {
		r->unsent--;
		ask(r);
	}
	if (--r->unanswered > 0)
		return;
	r->ended = now_mono();
	pthread_mutex_lock(&r->lock);
	r->over = true;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->lock);
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

	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->changed, NULL);
	r->nrequest = (int)o->nrequest;
	r->nreply = (int)o->nreply;
	r->request = mem_text_n(o->request, o->nrequest);
	r->reply = mem_text_n(o->reply, o->nreply);
	memcpy(r->subject, "raw.", 4);
	id_hex(r->subject + 4, 22);
	memcpy(r->inbox, "_INBOX.", 7);
	id_hex(r->inbox + 7, 22);
	snprintf(r->numbers, sizeof r->numbers, "%s.n.*", r->inbox);
	if (raw_connect(&r->asking, o->servers, o->access, o->flusher_wait_us, err) != ERR_OK ||
	    raw_connect(&r->answering, o->servers, o->access, o->flusher_wait_us, err) != ERR_OK) {
		raw_free(r);
		return NULL;
	}
	if ((s = natsConnection_Subscribe(&r->requests, r->answering, r->subject, on_request, r)) != NATS_OK ||
	    (s = natsConnection_Subscribe(&r->replies, r->asking, r->inbox, on_reply, r)) != NATS_OK ||
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
	natsSubscription_Destroy(r->replies);
	natsSubscription_Destroy(r->numbered);
	natsConnection_Destroy(r->asking);
	natsConnection_Destroy(r->answering);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->lock);
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

static enum err_code
await_end(struct raw *r, struct err *err)
{
	struct timespec until;
	int late = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += MANY_S;
	pthread_mutex_lock(&r->lock);
	while (!r->over && late == 0)
		late = pthread_cond_timedwait(&r->changed, &r->lock, &until);
	bool over = r->over;
	pthread_mutex_unlock(&r->lock);
	return over ? ERR_OK : err_set(err, ERR_TIMEOUT, "raw: not all replies came within %d s", MANY_S);
}

enum err_code
raw_many(struct raw *r, size_t n, size_t depth, int64_t *ns, struct err *err)
{
	r->over = false;
	if (depth > n)
		depth = n;
	r->unanswered = n;
	r->unsent = n - depth;
	struct mono start = now_mono();
	for (size_t i = 0; i < depth; i++) {
		natsStatus s = ask(r);
		if (s != NATS_OK)
			return conn_fail(s, 0, err, "raw: publish");
	}
	enum err_code code = await_end(r, err);
	if (code == ERR_OK)
		*ns = mono_since(r->ended, start);
	return code;
}
