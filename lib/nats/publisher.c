/* publisher.c - messages that wait for their acknowledgement.
 *
 * One wildcard subscription brings the replies; the last token of a reply subject is the
 * message's number in a table (base/slots.h).  A message ends exactly once, by whoever takes
 * it out of the table under the lock.  It is a counted reference, because whoever sends it
 * does so without the lock, while its acknowledgement may end it. */
#include "nats/publisher.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/slots.h"
#include "sys/clock.h"
#include "sys/gate.h"
#include "sys/loop.h"
#include "sys/thread.h"

#define PUBLISHER_MAGIC 0x9b110001u
#define MAX_PENDING 4096
#define MAX_PENDING_LIMIT 65536
#define MAX_BYTES ((size_t)64 << 20)
#define RESEND_NS (2 * NS_PER_S)
#define LATER_NS (250 * NS_PER_MS)	/* no stream, or one that cannot take it now: a server that starts */
#define ANSWER_NS NS_PER_S		/* for the answer to the last try of what no stream took so far */
#define TIMEOUT_NS (5 * NS_PER_S)
#define SWEEP_NS (20 * NS_PER_MS)	/* how late a time-out or a reconnect may be noticed */
#define WINDOW_NS (100 * NS_PER_S)	/* within which sending again is safe: the streams forget after 120 s */

struct entry {
	atomic_int refs;
	uint64_t number;
	char *subject, *texts;		/* texts: what the headers point into */
	struct conn_header headers[PUBLISHER_HEADERS + 2];
	void *data;
	size_t n, bytes;
	publisher_done *done;
	void *arg;
	struct mono deadline;
	const struct gate *gate;
	uint64_t pass;
	bool waited_for;		/* a thread waits, so nothing follows at once */
	bool alone;			/* and nothing else was pending: not worth waking the flusher */

	/* Under the publisher's lock. */
	unsigned sends;
	struct mono first, next;	/* when it was first sent, when it is due again */
	uint64_t link;			/* conn_reconnects when it was last sent */
	unsigned unheard, put_off;	/* sends that nobody listened to; that the stream could not take */
	struct err later;		/* what the stream said last; code ERR_OK: nothing */
};

struct publisher {
	unsigned magic;
	struct conn *conn;
	struct loop *loop;
	struct sub *sub;
	size_t max_bytes;
	int64_t resend_ns;
	char inbox[CONN_INBOX_MAX];
	atomic_ulong stored, duplicates, resent, foreign, refused, failed, dropped;

	pthread_mutex_t lock;		/* leaf: the table, and entries' own part */
	pthread_cond_t idle;
	struct slots table;
	size_t bytes;
	bool sweeping, closed;

	struct loop_timer timer;	/* the loop's thread only */
	struct mail arrange;		/* in the loop's mailbox only while sweeping */
};

static struct mono
now_mono(void)
{
	return clock_mono(clock_system());
}

/* --- entries ----------------------------------------------------------------------------- */

static void
entry_unref(struct entry *e)
{
	if (atomic_fetch_sub(&e->refs, 1) != 1)
		return;
	mem_free(e->subject);
	mem_free(e->texts);
	mem_free(e->data);
	mem_free(e);
}

static char *
keep(char **to, const char *text)
{
	size_t n = strlen(text) + 1;
	char *mine = memcpy(*to, text, n);

	*to += n;
	return mine;
}

static struct entry *
entry_new(const struct publication *m, publisher_done *done, void *arg)
{
	struct entry *e = mem_new(sizeof *e);
	char drawn[ID_UUID_MAX];
	const char *id = m->id;
	size_t n = 0, texts = 0;

	if (id == NULL || id[0] == '\0') {
		id_uuid4(drawn);
		id = drawn;
	}
	texts += strlen(id) + 1;
	for (; m->headers != NULL && m->headers[n].name != NULL; n++)
		texts += strlen(m->headers[n].name) + strlen(m->headers[n].value) + 2;
	MUST(n <= PUBLISHER_HEADERS);
	atomic_init(&e->refs, 1);
	e->subject = mem_text(m->subject);
	char *to = e->texts = mem_new(texts);
	e->headers[0] = (struct conn_header){ "Nats-Msg-Id", keep(&to, id) };
	for (size_t i = 0; i < n; i++) {
		e->headers[i + 1].name = keep(&to, m->headers[i].name);
		e->headers[i + 1].value = keep(&to, m->headers[i].value);
	}
	e->data = mem_new(m->n > 0 ? m->n : 1);
	if (m->n > 0)
		memcpy(e->data, m->data, m->n);
	e->n = m->n;
	e->bytes = sizeof *e + m->n + texts + strlen(m->subject);
	e->done = done;
	e->arg = arg;
	e->gate = m->gate;
	e->pass = m->pass;
	e->deadline = mono_after(now_mono(), m->timeout_ns > 0 ? m->timeout_ns : TIMEOUT_NS);
	return e;
}

/* leave: takes an entry out of the table, whose reference is the caller's now; under the lock. */
static struct entry *
leave(struct publisher *p, uint64_t number)
{
	struct entry *e = slots_leave(&p->table, number);

	if (e != NULL)
		p->bytes -= e->bytes;
	if (p->table.n == 0)
		pthread_cond_broadcast(&p->idle);
	return e;
}

/* end: tells how it ended, and lets go of it. */
static void
end(struct publisher *p, struct entry *e, const struct pub_ack *ack, const struct err *err)
{
	if (ack != NULL) {
		atomic_fetch_add(&p->stored, 1);
		atomic_fetch_add(&p->duplicates, ack->duplicate ? 1 : 0);
	} else {
		atomic_fetch_add(&p->failed, 1);
		if (e->done == NULL)
			log_warning(EV_PUBLISH_FAILED, LOG_F(LOG_S("subject", e->subject), LOG_S("err", err->text)),
			    "a message was not stored: %s", err->text);
	}
	if (e->done != NULL)
		e->done(e->arg, ack, err);
	entry_unref(e);
}

/* --- sending ----------------------------------------------------------------------------- */

/* mark_sent: it is about to be sent; under the lock. */
static void
mark_sent(struct publisher *p, struct entry *e, struct mono now)
{
	if (e->sends++ == 0)
		e->first = now;
	else
		atomic_fetch_add(&p->resent, 1);
	e->next = mono_after(now, p->resend_ns);
	e->link = conn_reconnects(p->conn);
}

/* send_entry: the caller has a reference.  What the connection refuses for good ends it. */
static void
send_entry(struct publisher *p, struct entry *e)
{
	char reply[CONN_INBOX_MAX + 20];
	struct err err;

	snprintf(reply, sizeof reply, "%s.%" PRIx64, p->inbox, e->number);
	enum err_code code = conn_publish(p->conn, &(struct conn_msg){
		.subject = e->subject, .reply = reply, .headers = e->headers, .data = e->data, .n = e->n,
		.urgent = e->alone,
	}, &err);
	if (code == ERR_OK || code == ERR_UNAVAILABLE || code == ERR_TIMEOUT)
		return;
	pthread_mutex_lock(&p->lock);
	struct entry *mine = leave(p, e->number);
	pthread_mutex_unlock(&p->lock);
	if (mine != NULL)
		end(p, mine, NULL, &err);
}

/* is_stale: it was to be sent under a hold that is over, so it is not sent (again). */
static bool
is_stale(const struct entry *e)
{
	return e->gate != NULL && !gate_still(e->gate, e->pass);
}

static enum err_code
over_already(const struct entry *e, struct err *err)
{
	return err_set(err, ERR_NOT_ACTIVE, "publish to %s: the lead was over before it could be sent; it was not sent", e->subject);
}

/* why_over: what to say of a message whose time is over, or whose hold. */
static void
why_over(const struct entry *e, struct err *err)
{
	if (e->sends == 0 && is_stale(e))
		over_already(e, err);
	else if (e->sends == 0)
		err_set(err, ERR_TIMEOUT, "publish to %s: NATS was not reachable in time; it was not sent", e->subject);
	else if (e->unheard + e->put_off < e->sends)
		err_set(err, ERR_OUTCOME_UNKNOWN, "publish to %s: no acknowledgement in time; it may be stored", e->subject);
	else if (e->unheard > 0)
		err_set(err, ERR_NOT_FOUND, "publish to %s: no stream takes it", e->subject);
	else
		err_set(err, ERR_STORE, "publish to %s: %s", e->subject, e->later.text);
}

/* is_settled: all that was sent is known not to be stored, and another try, whose answer may come too late, would
 * leave that unknown. */
static bool
is_settled(const struct entry *e, struct mono now)
{
	int64_t half = mono_since(e->deadline, e->first) / 2, last = half < ANSWER_NS ? half : ANSWER_NS;

	return e->sends > 0 && e->unheard + e->put_off == e->sends && mono_since(e->deadline, now) <= last;
}

enum due { DUE_NOTHING, DUE_SEND, DUE_END };

/* due: what is to be done about an entry now; under the lock. */
static enum due
due(struct publisher *p, struct entry *e, struct mono now)
{
	if (is_stale(e) || mono_reached(now, e->deadline) || (e->sends > 0 && mono_since(now, e->first) > WINDOW_NS))
		return DUE_END;
	if (conn_state(p->conn) != CONN_UP)
		return DUE_NOTHING;
	if (is_settled(e, now))
		return DUE_NOTHING;
	return e->sends == 0 || e->link != conn_reconnects(p->conn) || mono_reached(now, e->next) ? DUE_SEND : DUE_NOTHING;
}

/* tend: one place of the table; the lock is held, and let go of meanwhile. */
static void
tend(struct publisher *p, struct entry *e, struct mono now)
{
	struct err err;

	switch (due(p, e, now)) {
	case DUE_NOTHING:
		return;
	case DUE_SEND:
		mark_sent(p, e, now);
		atomic_fetch_add(&e->refs, 1);
		pthread_mutex_unlock(&p->lock);
		send_entry(p, e);
		entry_unref(e);
		break;
	case DUE_END:
		leave(p, e->number);
		pthread_mutex_unlock(&p->lock);
		atomic_fetch_add(&p->dropped, is_stale(e));
		why_over(e, &err);
		end(p, e, NULL, &err);
		break;
	}
	pthread_mutex_lock(&p->lock);
}

/* sweep: on the loop, while messages are pending. */
static void
sweep(void *arg)
{
	struct publisher *p = arg;
	struct mono now = now_mono();

	MAGIC_CHECK(p, PUBLISHER_MAGIC);
	pthread_mutex_lock(&p->lock);
	for (uint32_t i = 0; i < p->table.made; i++) {
		struct entry *e = slots_at(&p->table, i);
		if (e != NULL)
			tend(p, e, now);
	}
	bool again = p->sweeping = p->table.n > 0;
	pthread_mutex_unlock(&p->lock);
	if (again)
		loop_timer_set(p->loop, &p->timer, mono_after(now, SWEEP_NS), sweep, p);
}

static void
arrange_sweep(struct mail *m)
{
	struct publisher *p = CONTAINER_OF(m, struct publisher, arrange);

	MAGIC_CHECK(p, PUBLISHER_MAGIC);
	loop_timer_set(p->loop, &p->timer, mono_after(now_mono(), SWEEP_NS), sweep, p);
}

static enum err_code
refuse(struct publisher *p, enum err_code code)
{
	atomic_fetch_add(&p->refused, 1);
	return code;
}

/* enter: gives e a place; true in *send when it is to be sent at once, with a reference for that.
 * Without one, e may be gone as soon as the lock is. */
static enum err_code
enter(struct publisher *p, struct entry *e, bool *send, struct err *err)
{
	bool linked = conn_state(p->conn) == CONN_UP;

	pthread_mutex_lock(&p->lock);
	bool closed = p->closed, fits = p->bytes + e->bytes <= p->max_bytes;
	unsigned pending = p->table.n;
	uint64_t number = closed || !fits ? 0 : slots_take(&p->table, e);
	bool arrange = number != 0 && !p->sweeping;
	e->alone = pending == 0 && e->waited_for;
	if (number != 0) {
		e->number = number;
		p->bytes += e->bytes;
		p->sweeping = true;
		if (linked) {
			mark_sent(p, e, now_mono());
			atomic_fetch_add(&e->refs, 1);
		}
		*send = linked;
	}
	pthread_mutex_unlock(&p->lock);
	if (arrange)
		loop_post(p->loop, &p->arrange);
	if (number != 0)
		return ERR_OK;
	if (closed)
		return err_set(err, ERR_CLOSED, "publish to %s: the publisher is being closed", e->subject);
	return err_set(err, ERR_BUSY, "publish to %s: %u messages wait for their acknowledgement already", e->subject,
	    pending);
}

static enum err_code
take(struct publisher *p, const struct publication *m, bool waits, publisher_done *done, void *arg, struct err *err)
{
	int64_t most = conn_max_payload(p->conn);
	bool send = false;

	MAGIC_CHECK(p, PUBLISHER_MAGIC);
	if (most > 0 && m->n > (size_t)most)
		return refuse(p, err_set(err, ERR_TOO_LARGE, "publish to %s: %zu bytes are more than the %lld that the server "
		    "takes", m->subject, m->n, (long long)most));
	struct entry *e = entry_new(m, done, arg);
	e->waited_for = waits;
	/* Whoever brings it may have waited since it looked at the gate. */
	enum err_code code = is_stale(e) ? over_already(e, err) : enter(p, e, &send, err);
	if (code != ERR_OK) {
		entry_unref(e);
		return refuse(p, code);
	}
	if (send) {
		send_entry(p, e);
		entry_unref(e);
	}
	return ERR_OK;
}

enum err_code
publisher_send(struct publisher *p, const struct publication *m, publisher_done *done, void *arg, struct err *err)
{
	return take(p, m, false, done, arg, err);
}

/* --- replies ----------------------------------------------------------------------------- */

/* put_off: the stream cannot take it now (and says why), or there is none (yet). */
static void
put_off(struct publisher *p, uint64_t number, const struct err *why)
{
	pthread_mutex_lock(&p->lock);
	struct entry *e = slots_find(&p->table, number);
	if (e != NULL) {
		e->next = mono_after(now_mono(), LATER_NS);
		if (why == NULL)
			e->unheard++;
		else
			e->put_off++;
		if (why != NULL)
			e->later = *why;
	}
	pthread_mutex_unlock(&p->lock);
}

static void
settle(struct publisher *p, uint64_t number, const struct pub_ack *ack, const struct err *err)
{
	pthread_mutex_lock(&p->lock);
	struct entry *e = leave(p, number);
	pthread_mutex_unlock(&p->lock);
	if (e != NULL)
		end(p, e, ack, err);	/* else a second acknowledgement, of a message sent again */
}

static void
on_reply(void *arg, struct msg *m)
{
	struct publisher *p = arg;
	const char *dot = strrchr(msg_subject(m), '.');
	uint64_t number = strtoull(dot + 1, NULL, 16);
	struct pub_ack ack;
	struct err err;

	MAGIC_CHECK(p, PUBLISHER_MAGIC);
	if (msg_is_no_responders(m)) {
		put_off(p, number, NULL);
		msg_free(m);
		return;
	}
	switch (pub_reply_parse(msg_data(m), msg_size(m), &ack, &err)) {
	case PUB_FOREIGN:
		atomic_fetch_add(&p->foreign, 1);
		break;
	case PUB_LATER:
		put_off(p, number, &err);
		break;
	case PUB_STORED:
		settle(p, number, &ack, NULL);
		break;
	case PUB_REFUSED:
		settle(p, number, NULL, &err);
		break;
	}
	msg_free(m);
}

/* --- waiting ----------------------------------------------------------------------------- */

struct wait {
	pthread_mutex_t lock;		/* leaf: over */
	pthread_cond_t changed;
	bool over;
	struct pub_ack ack;
	struct err err;
};

static void
wake(void *arg, const struct pub_ack *ack, const struct err *err)
{
	struct wait *w = arg;

	if (err != NULL)
		w->err = *err;
	else
		w->ack = *ack;
	pthread_mutex_lock(&w->lock);
	w->over = true;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

enum err_code
publisher_send_wait(struct publisher *p, const struct publication *m, struct pub_ack *ack, struct err *err)
{
	struct wait w = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };
	enum err_code code = take(p, m, true, wake, &w, err);

	if (code != ERR_OK)
		return code;
	pthread_mutex_lock(&w.lock);
	while (!w.over)
		pthread_cond_wait(&w.changed, &w.lock);
	pthread_mutex_unlock(&w.lock);
	if (w.err.code != ERR_OK && err != NULL)
		*err = w.err;
	if (w.err.code == ERR_OK && ack != NULL)
		*ack = w.ack;
	return w.err.code;
}

unsigned
publisher_flush(struct publisher *p, int64_t timeout_ns)
{
	struct mono until = mono_after(now_mono(), timeout_ns);

	pthread_mutex_lock(&p->lock);
	while (p->table.n > 0 && thread_cond_wait(&p->idle, &p->lock, until))
		continue;
	unsigned left = p->table.n;
	pthread_mutex_unlock(&p->lock);
	return left;
}

struct publisher_counters
publisher_counters(struct publisher *p)
{
	pthread_mutex_lock(&p->lock);
	unsigned pending = p->table.n;
	pthread_mutex_unlock(&p->lock);
	return (struct publisher_counters){
		.stored = atomic_load(&p->stored), .duplicates = atomic_load(&p->duplicates),
		.resent = atomic_load(&p->resent), .foreign = atomic_load(&p->foreign),
		.refused = atomic_load(&p->refused), .failed = atomic_load(&p->failed),
		.dropped = atomic_load(&p->dropped), .pending = pending,
	};
}

/* --- the publisher ------------------------------------------------------------------------ */

struct publisher *
publisher_new(const struct publisher_opts *o, struct err *err)
{
	struct publisher *p = mem_new(sizeof *p);
	char all[CONN_INBOX_MAX + 4];
	unsigned max = o->max_pending > 0 ? o->max_pending : MAX_PENDING;

	MUST(max <= MAX_PENDING_LIMIT);
	p->magic = PUBLISHER_MAGIC;
	p->conn = o->conn;
	p->loop = o->loop;
	p->max_bytes = o->max_bytes > 0 ? o->max_bytes : MAX_BYTES;
	p->resend_ns = o->resend_ns > 0 ? o->resend_ns : RESEND_NS;
	p->arrange = (struct mail){ .deliver = arrange_sweep, .vital = true };
	pthread_mutex_init(&p->lock, NULL);
	thread_cond_init(&p->idle);
	slots_init(&p->table, max);
	conn_inbox(p->conn, p->inbox);
	snprintf(all, sizeof all, "%s.*", p->inbox);
	p->sub = sub_new(&(struct sub_opts){
		.conn = p->conn, .subject = all, .handler = on_reply, .arg = p, .max_pending = 16 * (size_t)max,
	}, err);
	if (p->sub != NULL)
		return p;
	publisher_free(p);
	return NULL;
}

void
publisher_stop(struct publisher *p)
{
	struct err err;

	if (p == NULL)
		return;
	MAGIC_CHECK(p, PUBLISHER_MAGIC);
	pthread_mutex_lock(&p->lock);
	p->closed = true;
	for (uint32_t i = 0; i < p->table.made; i++) {
		struct entry *e = slots_at(&p->table, i);
		if (e == NULL)
			continue;
		leave(p, e->number);
		pthread_mutex_unlock(&p->lock);
		err_set(&err, ERR_CLOSED, "publish to %s: closed before the acknowledgement; it %s", e->subject,
		    e->sends > 0 ? "may be stored" : "was not sent");
		end(p, e, NULL, &err);
		pthread_mutex_lock(&p->lock);
	}
	pthread_mutex_unlock(&p->lock);
}

void
publisher_free(struct publisher *p)
{
	if (p == NULL)
		return;
	MAGIC_CHECK(p, PUBLISHER_MAGIC);
	publisher_stop(p);
	sub_free(p->sub);
	loop_timer_cancel(p->loop, &p->timer);
	loop_take(p->loop, &p->arrange);
	slots_release(&p->table);
	pthread_cond_destroy(&p->idle);
	pthread_mutex_destroy(&p->lock);
	MAGIC_WIPE(p);
	mem_free(p);
}
