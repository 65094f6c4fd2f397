/* delivery.c - asking for deliveries, handing them out, and the word that ends each.
 *
 * A pull is a message with a number; what it brought, or will not bring, is counted back, so
 * that what is asked for and what is in somebody's hands never exceed the window. */
#include "nats/consumer_inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "nats/consumer_wire.h"
#include "nats/jetack.h"
#include "nats/nats_c.h"

#define DELIVERY_MAGIC 0xc0110005u
#define WORDS 64			/* said between two looks at the list */
#define EXPIRES_NS (30 * NS_PER_S)	/* of one pull; the server says so when it is over */

struct delivery {
	unsigned magic;
	struct consumer *consumer;
	struct msg *msg;
	struct ack_facts facts;

	/* Under the consumer's lock. */
	struct delivery *next, *prev;	/* in somebody's hands */
	struct msg *newer;		/* the same, delivered again meanwhile: the one that the server knows */
	struct mono since;		/* when that began, or was said to */
	uint64_t tick;			/* when it was last said to be in work */
};

/* --- asking for deliveries --------------------------------------------------------------- */

/* want: how many to ask for now; 0 while too few are missing to be worth a message. */
static unsigned
want(const struct consumer *c)
{
	unsigned out = c->asked + c->unfinished;

	if (!c->pulling || c->stop || out >= c->o.window)
		return 0;
	unsigned credit = c->o.window - out;
	return c->asked == 0 || credit >= (c->o.window + 1) / 2 ? credit : 0;
}

void
consumer_pull(struct consumer *c)
{
	char subject[512], reply[CONN_INBOX_MAX + 24];
	struct str body = STR_INIT;

	pthread_mutex_lock(&c->lock);
	unsigned n = want(c);
	if (n > 0) {
		c->asked += n;
		c->pull++;
		c->batch[c->pull % PULLS] = n;
		snprintf(reply, sizeof reply, "%s.p%" PRIu64, c->inbox, c->pull);
	}
	pthread_mutex_unlock(&c->lock);
	if (n == 0)
		return;
	snprintf(subject, sizeof subject, "%s.CONSUMER.MSG.NEXT.%s.%s", conn_js_prefix(c->o.conn), c->o.stream, c->o.durable);
	consumer_write_pull(n, EXPIRES_NS, HEARTBEAT_NS, &body);
	conn_publish(c->o.conn, &(struct conn_msg){
		.subject = subject, .reply = reply, .data = body.p, .n = body.len,
	}, NULL);	/* when that fails, silence tells */
	str_release(&body);
}

/* --- deliveries -------------------------------------------------------------------------- */

static void
say(struct consumer *c, const char *to, const char *word, bool now)
{
	conn_publish(c->o.conn, &(struct conn_msg){
		.subject = to, .data = word, .n = strlen(word), .urgent = now,
	}, NULL);
}

/* reply_of: under the lock, or once it is in nobody's hands. */
static const char *
reply_of(const struct delivery *d)
{
	return msg_reply(d->newer != NULL ? d->newer : d->msg);
}

/* hold, let_go: d is in somebody's hands, or not any more; under the lock. */
static void
hold(struct consumer *c, struct delivery *d)
{
	d->next = NULL;
	d->prev = c->newest;
	*(d->prev != NULL ? &d->prev->next : &c->oldest) = d;
	c->newest = d;
}

static void
let_go(struct consumer *c, struct delivery *d)
{
	*(d->prev != NULL ? &d->prev->next : &c->oldest) = d->next;
	*(d->next != NULL ? &d->next->prev : &c->newest) = d->prev;
}

static void
finish(struct delivery *d, const char *word, bool now)
{
	struct consumer *c = d->consumer;

	MAGIC_CHECK(d, DELIVERY_MAGIC);
	pthread_mutex_lock(&c->lock);
	let_go(c, d);
	pthread_mutex_unlock(&c->lock);
	if (word != NULL)
		say(c, reply_of(d), word, now);
	MAGIC_WIPE(d);
	msg_free(d->msg);
	msg_free(d->newer);
	mem_free(d);
	pthread_mutex_lock(&c->lock);
	c->unfinished--;
	pthread_mutex_unlock(&c->lock);
	if (!c->o.push)
		consumer_pull(c);
	consumer_unref(c);
}

/* remember: before it leaves the hands, so that there is no moment at which it is in neither. */
static void
remember(const struct delivery *d)
{
	struct consumer *c = d->consumer;

	if (!c->o.remember)
		return;
	pthread_mutex_lock(&c->lock);
	if (c->acked == NULL)
		c->acked = acked_new();
	acked_note(c->acked, d->facts.stream_seq, d->facts.stored_ns);
	pthread_mutex_unlock(&c->lock);
}

void
consumer_unremember(struct consumer *c)
{
	if (c->acked != NULL)
		acked_clear(c->acked);
}

void
delivery_ack(struct delivery *d)
{
	remember(d);
	finish(d, "+ACK", false);
}

void
delivery_ack_now(struct delivery *d)
{
	remember(d);
	finish(d, "+ACK", true);
}

void
delivery_nak(struct delivery *d, int64_t delay_ns)
{
	char word[64];

	snprintf(word, sizeof word, "-NAK {\"delay\":%" PRId64 "}", delay_ns);
	finish(d, delay_ns > 0 ? word : "-NAK", false);
}

void
delivery_term(struct delivery *d)
{
	remember(d);
	finish(d, "+TERM", false);
}

void
delivery_term_now(struct delivery *d)
{
	remember(d);
	finish(d, "+TERM", true);
}

void
delivery_forget(struct delivery *d)
{
	finish(d, NULL, false);
}

void
delivery_working(struct delivery *d)
{
	struct consumer *c = d->consumer;

	MAGIC_CHECK(d, DELIVERY_MAGIC);
	pthread_mutex_lock(&c->lock);
	d->since = consumer_now();
	char *to = mem_text(reply_of(d));
	pthread_mutex_unlock(&c->lock);
	say(c, to, "+WPI", false);
	mem_free(to);
}

/* in_work: copies of the reply subjects of those to whom this tick was not said yet; how many were
 * looked at.  Copies, because a delivery may be finished meanwhile; a word about one that is
 * settled changes nothing. */
static unsigned
in_work(struct consumer *c, char *to[WORDS], struct mono now)
{
	unsigned n = 0;

	pthread_mutex_lock(&c->lock);
	for (; n < WORDS && c->oldest != NULL && c->oldest->tick != c->tick; n++) {
		struct delivery *d = c->oldest;
		let_go(c, d);
		hold(c, d);
		d->tick = c->tick;
		to[n] = mono_since(now, d->since) < c->o.working_ns ? mem_text(reply_of(d)) : NULL;
	}
	pthread_mutex_unlock(&c->lock);
	return n;
}

void
consumer_still_working(void *consumer)
{
	struct consumer *c = consumer;
	struct mono now = consumer_now();
	char *to[WORDS];
	unsigned n;

	MAGIC_CHECK(c, CONSUMER_MAGIC);
	pthread_mutex_lock(&c->lock);
	c->tick++;
	struct mono next = mono_after(now, c->every_ns);
	pthread_mutex_unlock(&c->lock);
	while ((n = in_work(c, to, now)) > 0)
		for (unsigned i = 0; i < n; i++) {
			if (to[i] != NULL)
				say(c, to[i], "+WPI", false);
			mem_free(to[i]);
		}
	loop_timer_set(c->o.loop, &c->working, next, consumer_still_working, c);
}

const char *
delivery_subject(const struct delivery *d)
{
	return msg_subject(d->msg);
}

const void *
delivery_data(const struct delivery *d)
{
	return msg_data(d->msg);
}

size_t
delivery_size(const struct delivery *d)
{
	return msg_size(d->msg);
}

const char *
delivery_header(const struct delivery *d, const char *name)
{
	return msg_header(d->msg, name);
}

uint64_t
delivery_seq(const struct delivery *d)
{
	return d->facts.stream_seq;
}

uint64_t
delivery_count(const struct delivery *d)
{
	return d->facts.delivered;
}

uint64_t
delivery_pending(const struct delivery *d)
{
	return d->facts.pending;
}

struct wall
delivery_stored(const struct delivery *d)
{
	return (struct wall){ d->facts.stored_ns };
}

/* in_hands: the same message in somebody's hands, who is still within his time; the lock is held. */
static struct delivery *
in_hands(const struct consumer *c, const struct ack_facts *f)
{
	struct delivery *d = f->stream_seq <= c->furthest ? c->oldest : NULL;

	while (d != NULL && (d->facts.stream_seq != f->stream_seq || d->facts.stored_ns != f->stored_ns))
		d = d->next;
	return d != NULL && mono_since(consumer_now(), d->since) < c->o.working_ns ? d : NULL;
}

/* is_repeat: m is of a message that was settled here, and is acknowledged again; or of one that is in
 * somebody's hands, and then m's is the reply subject that the server knows.  Takes m when it is. */
static bool
is_repeat(struct consumer *c, struct msg *m, const struct ack_facts *f)
{
	struct msg *over = m;

	pthread_mutex_lock(&c->lock);
	bool settled = c->acked != NULL && acked_has(c->acked, f->stream_seq, f->stored_ns);
	struct delivery *d = settled ? NULL : in_hands(c, f);
	if (d != NULL) {
		over = d->newer;
		d->newer = m;
	}
	if (settled || d != NULL) {
		c->heard = consumer_now();
		c->asked -= c->asked > 0 ? 1 : 0;
	} else if (f->stream_seq > c->furthest) {
		c->furthest = f->stream_seq;
	}
	pthread_mutex_unlock(&c->lock);
	if (!settled && d == NULL)
		return false;
	atomic_fetch_add(&c->repeats, 1);
	log_info(EV_CONSUMER_REPEAT, LOG_F(LOG_S("consumer", c->o.durable), LOG_N("seq", f->stream_seq),
	    LOG_S("is", settled ? "settled" : "in work")), "consumer '%s': the server delivers again what is %s here; it "
	    "is not handed out twice", c->o.durable, settled ? "settled" : "in work");
	if (settled)
		say(c, msg_reply(m), "+ACK", false);
	msg_free(over);
	if (!c->o.push)
		consumer_pull(c);
	return true;
}

void
consumer_deliver(struct consumer *c, struct msg *m)
{
	struct ack_facts facts;

	if (!ack_facts_parse(msg_reply(m), &facts)) {
		atomic_fetch_add(&c->foreign, 1);
		msg_free(m);
		return;
	}
	if (c->o.remember && is_repeat(c, m, &facts))
		return;
	struct delivery *d = mem_new(sizeof *d);
	*d = (struct delivery){ .magic = DELIVERY_MAGIC, .consumer = c, .msg = m, .facts = facts };
	atomic_fetch_add(&c->refs, 1);
	pthread_mutex_lock(&c->lock);
	c->heard = d->since = consumer_now();
	d->tick = c->tick;
	hold(c, d);
	c->asked -= c->asked > 0 ? 1 : 0;
	c->unfinished++;
	bool stop = c->stop;
	pthread_mutex_unlock(&c->lock);
	if (stop) {
		delivery_nak(d, 0);
		return;
	}
	c->o.handler(c->o.arg, d);
	if (!c->o.push)
		consumer_pull(c);
}

/* --- statuses ---------------------------------------------------------------------------- */

/* pull_over: what a pull did not bring does not come any more; the lock is held. */
static void
pull_over(struct consumer *c, uint64_t number, const char *left)
{
	uint64_t n;

	if (number < c->first_pull || number > c->pull)
		return;
	if (left == NULL || !num_uint(left, &n))
		n = c->pull - number < PULLS ? c->batch[number % PULLS] : 0;
	c->asked -= n < c->asked ? (unsigned)n : c->asked;
}

/* ends_consumer: statuses after which asking again is no use before looking. */
static bool
ends_consumer(const char *status, const char *words)
{
	return strcmp(status, "503") == 0 || (strcmp(status, "409") == 0 && words != NULL &&
	    (strncmp(words, "Consumer", 8) == 0 || strncmp(words, "Leadership", 10) == 0 ||
	    strncmp(words, "Server", 6) == 0));
}

void
consumer_on_status(struct consumer *c, struct msg *m, uint64_t number)
{
	const char *status = msg_header(m, "Status"), *words = msg_header(m, "Description");

	pthread_mutex_lock(&c->lock);
	c->heard = consumer_now();
	bool over = status != NULL && strcmp(status, "100") != 0;
	if (over) {
		pull_over(c, number, msg_header(m, "Nats-Pending-Messages"));
		c->doubt |= number >= c->first_pull && ends_consumer(status, words);
		if (words != NULL && strcmp(words, "Consumer Deleted") == 0)
			consumer_unremember(c);
	}
	bool doubt = c->doubt;
	pthread_mutex_unlock(&c->lock);
	if (doubt)
		consumer_kick(c);
	else if (over)
		consumer_pull(c);
	msg_free(m);
}
