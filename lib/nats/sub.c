/* sub.c - subscriptions, and what there is to know of a message. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "nats/nats_c.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define SUB_MAGIC 0xc0110002u
#define PENDING_MESSAGES 65536
#define PENDING_BYTES (64 << 20)

struct sub {
	unsigned magic;
	natsSubscription *raw;
	void (*handler)(void *, struct msg *);
	void *arg;
	pthread_mutex_t lock;		/* leaf: done, gone */
	pthread_cond_t ended;
	bool done;			/* the library will not call any more */
	void (*gone)(void *);		/* retired: whoever finds it done ends it and says so */
	void *gone_arg;
};

static void
dispose(struct sub *s)
{
	natsSubscription_Destroy(s->raw);
	pthread_cond_destroy(&s->ended);
	pthread_mutex_destroy(&s->lock);
	MAGIC_WIPE(s);
	mem_free(s);
}

static void
on_message(natsConnection *nc, natsSubscription *raw, natsMsg *msg, void *arg)
{
	struct sub *s = arg;

	(void)nc;
	(void)raw;
	MAGIC_CHECK(s, SUB_MAGIC);
	s->handler(s->arg, (struct msg *)(void *)msg);
}

/* on_complete: the library promises not to call on_message any more; only now may the
 * closure go, because unsubscribing does not mean that the handler has returned. */
static void
on_complete(void *arg)
{
	struct sub *s = arg;

	pthread_mutex_lock(&s->lock);
	s->done = true;
	void (*gone)(void *) = s->gone;
	void *gone_arg = s->gone_arg;
	pthread_cond_broadcast(&s->ended);
	pthread_mutex_unlock(&s->lock);
	if (gone == NULL)
		return;
	dispose(s);
	gone(gone_arg);
}

struct sub *
sub_new(const struct sub_opts *o, struct err *err)
{
	struct sub *s = mem_new(sizeof *s);
	natsStatus st;

	s->magic = SUB_MAGIC;
	s->handler = o->handler;
	s->arg = o->arg;
	pthread_mutex_init(&s->lock, NULL);
	thread_cond_init(&s->ended);
	if (o->queue != NULL)
		st = natsConnection_QueueSubscribe(&s->raw, conn_raw(o->conn), o->subject, o->queue, on_message, s);
	else
		st = natsConnection_Subscribe(&s->raw, conn_raw(o->conn), o->subject, on_message, s);
	if (st != NATS_OK) {
		conn_fail(st, 0, err, "nats: subscribe to %s", o->subject);
		pthread_cond_destroy(&s->ended);
		pthread_mutex_destroy(&s->lock);
		mem_free(s);
		return NULL;
	}
	natsSubscription_SetOnCompleteCB(s->raw, on_complete, s);
	natsSubscription_SetPendingLimits(s->raw, o->max_pending > 0 ? (int)o->max_pending : PENDING_MESSAGES,
	    PENDING_BYTES);
	return s;
}

void
sub_drain(struct sub *s)
{
	natsSubscription_Drain(s->raw);
}

static bool
wait_done(struct sub *s, int64_t timeout_ns)
{
	struct mono until = mono_after(clock_mono(clock_system()), timeout_ns);

	pthread_mutex_lock(&s->lock);
	while (!s->done && thread_cond_wait(&s->ended, &s->lock, until))
		continue;
	bool done = s->done;
	pthread_mutex_unlock(&s->lock);
	return done;
}

bool
sub_drained(struct sub *s, int64_t timeout_ns)
{
	return wait_done(s, timeout_ns);
}

void
sub_stop(struct sub *s)
{
	MAGIC_CHECK(s, SUB_MAGIC);
	natsSubscription_Unsubscribe(s->raw);
	while (!wait_done(s, NS_PER_S))
		continue;
}

void
sub_free(struct sub *s)
{
	if (s == NULL)
		return;
	sub_stop(s);
	dispose(s);
}

void
sub_retire(struct sub *s, void (*gone)(void *), void *arg)
{
	MAGIC_CHECK(s, SUB_MAGIC);
	natsSubscription_Unsubscribe(s->raw);
	pthread_mutex_lock(&s->lock);
	bool done = s->done;
	s->gone = gone;		/* read once, where done is set */
	s->gone_arg = arg;
	pthread_mutex_unlock(&s->lock);
	if (!done)
		return;
	dispose(s);
	gone(arg);
}

void *
sub_arg(const struct sub *s)
{
	return s->arg;
}

/* --- messages -------------------------------------------------------------------------- */

static natsMsg *
raw(const struct msg *m)
{
	return (natsMsg *)(uintptr_t)m;
}

const char *
msg_subject(const struct msg *m)
{
	return natsMsg_GetSubject(raw(m));
}

const char *
msg_reply(const struct msg *m)
{
	return natsMsg_GetReply(raw(m));
}

const void *
msg_data(const struct msg *m)
{
	return natsMsg_GetData(raw(m));
}

size_t
msg_size(const struct msg *m)
{
	return (size_t)natsMsg_GetDataLength(raw(m));
}

bool
msg_has_headers(const struct msg *m)
{
	const char **keys = NULL;
	int n = 0;

	if (natsMsgHeader_Keys(raw(m), &keys, &n) != NATS_OK)
		return false;
	free(keys);
	return n > 0;
}

bool
msg_is_no_responders(const struct msg *m)
{
	return natsMsg_IsNoResponders(raw(m));
}

void
msg_free(struct msg *m)
{
	MSG_FREE(raw(m));
}
