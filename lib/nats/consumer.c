/* consumer.c - looking for a durable, making it, and doubting.
 *
 * Everything goes through JetStream's raw API on one inbox: {inbox}.q{n} brings the answer to
 * question n, {inbox}.p{n} the statuses of pull n (delivery.c); deliveries come to the same
 * subscription under their own subject. */
#include "nats/consumer_inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/str.h"
#include "nats/consumer_wire.h"
#include "nats/nats_c.h"

#define HAND_BACK_NS (500 * NS_PER_MS)	/* how long a closing consumer waits for that */
#define SILENCE_NS (12 * NS_PER_S)	/* two heartbeats missed */
#define RECHECK_NS (30 * NS_PER_S)	/* a push consumer says nothing when it is deleted */
#define RETRY_MIN_NS (250 * NS_PER_MS)
#define RETRY_MAX_NS (5 * NS_PER_S)

static const char *const state_names[] = {
	[CONSUMER_STARTING] = "starting", [CONSUMER_READY] = "ready", [CONSUMER_AWAY] = "away",
	[CONSUMER_NO_STREAM] = "no stream", [CONSUMER_CONFLICT] = "conflict", [CONSUMER_UNUSABLE] = "unusable",
};

const char *
consumer_state_name(enum consumer_state s)
{
	return state_names[s];
}

void
consumer_unref(struct consumer *c)
{
	if (atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	mem_free((char *)(uintptr_t)c->o.stream);
	mem_free((char *)(uintptr_t)c->o.durable);
	mem_free((char *)(uintptr_t)c->o.filter);
	acked_free(c->acked);
	pthread_mutex_destroy(&c->lock);
	MAGIC_WIPE(c);
	mem_free(c);
}

void
consumer_kick(struct consumer *c)
{
	pthread_mutex_lock(&c->lock);
	bool post = !c->kicked && !c->stop;
	c->kicked |= post;
	pthread_mutex_unlock(&c->lock);
	if (post)
		loop_post(c->o.loop, &c->kick);
}

/* --- what comes to the inbox -------------------------------------------------------------- */

static void
on_answer(struct consumer *c, struct msg *m, uint64_t number)
{
	pthread_mutex_lock(&c->lock);
	bool mine = number == c->question && c->answer == NULL && !c->stop;
	if (mine)
		c->answer = m;
	pthread_mutex_unlock(&c->lock);
	if (mine)
		consumer_kick(c);
	else
		msg_free(m);
}

static void
on_message(void *arg, struct msg *m)
{
	struct consumer *c = arg;
	const char *subject = msg_subject(m);

	MAGIC_CHECK(c, CONSUMER_MAGIC);
	if (strncmp(subject, c->inbox, c->ninbox) != 0 || subject[c->ninbox] != '.') {
		consumer_deliver(c, m);
		return;
	}
	uint64_t number = strtoull(subject + c->ninbox + 2, NULL, 10);
	if (subject[c->ninbox + 1] == 'q')
		on_answer(c, m, number);
	else
		consumer_on_status(c, m, number);
}

/* on_pushed: deliveries of a push consumer, its heartbeats and its flow control. */
static void
on_pushed(void *arg, struct msg *m)
{
	struct consumer *c = arg;

	MAGIC_CHECK(c, CONSUMER_MAGIC);
	const char *status = msg_size(m) == 0 ? msg_header(m, "Status") : NULL;
	if (status == NULL) {
		consumer_deliver(c, m);
		return;
	}
	const char *answer = msg_reply(m) != NULL ? msg_reply(m) : msg_header(m, "Nats-Consumer-Stalled");
	if (answer != NULL)
		conn_publish(c->o.conn, &(struct conn_msg){ .subject = answer }, NULL);
	msg_free(m);
}

static void
on_conn(void *arg, enum conn_event ev)
{
	struct consumer *c = arg;

	MAGIC_CHECK(c, CONSUMER_MAGIC);
	pthread_mutex_lock(&c->lock);
	if (ev == CONN_EVENT_GAP)
		c->doubt = true;
	else
		c->link_changed = true;
	pthread_mutex_unlock(&c->lock);
	consumer_kick(c);
}

/* --- the loop's part --------------------------------------------------------------------- */

static void on_timer(void *arg);

static void
set_timer(struct consumer *c, int64_t ns)
{
	loop_timer_set(c->o.loop, &c->timer, mono_after(consumer_now(), ns), on_timer, c);
}

/* enter_state: tells whoever listens, and the log, what is new. */
static void
enter_state(struct consumer *c, enum consumer_state s, const struct err *why)
{
	enum consumer_state before = (enum consumer_state)atomic_exchange(&c->state, s);
	bool news = before != s || (why != NULL && strcmp(why->text, c->why.text) != 0);

	if (why != NULL)
		c->why = *why;
	else
		err_clear(&c->why);
	if (!news)
		return;
	if (why == NULL)
		log_debug(EV_CONSUMER_STATE, LOG_F(LOG_S("consumer", c->o.durable), LOG_S("state", state_names[s])),
		    "consumer '%s' is %s", c->o.durable, state_names[s]);
	else
		log_at(s == CONSUMER_NO_STREAM ? LOG_INFO : LOG_WARNING, EV_CONSUMER_STATE, LOG_F(LOG_S("consumer", c->o.durable), LOG_S("state", state_names[s])),
		    "consumer '%s': %s; trying again until it works", c->o.durable, why->text);
	if (c->o.changed != NULL)
		c->o.changed(c->o.arg, s, why);
}

/* forget_pulls: nothing that was asked for is expected any more. */
static void
forget_pulls(struct consumer *c)
{
	pthread_mutex_lock(&c->lock);
	c->pulling = false;
	c->doubt = false;
	c->asked = 0;
	c->first_pull = c->pull + 1;
	pthread_mutex_unlock(&c->lock);
}

static void
take_break(struct consumer *c, enum consumer_state s, const struct err *why)
{
	enter_state(c, s, why);
	c->step = STEP_PAUSE;
	set_timer(c, c->retry_ns);
	c->retry_ns = c->retry_ns * 2 < RETRY_MAX_NS ? c->retry_ns * 2 : RETRY_MAX_NS;
}

static void
ask(struct consumer *c, const char *verb, const struct str *body, enum step step)
{
	char subject[512], reply[CONN_INBOX_MAX + 24];
	struct err err;

	pthread_mutex_lock(&c->lock);
	c->question = ++c->questions;
	struct msg *old = c->answer;
	c->answer = NULL;
	pthread_mutex_unlock(&c->lock);
	msg_free(old);
	snprintf(subject, sizeof subject, "%s.CONSUMER.%s.%s.%s", conn_js_prefix(c->o.conn), verb, c->o.stream, c->o.durable);
	snprintf(reply, sizeof reply, "%s.q%" PRIu64, c->inbox, c->questions);
	c->step = step;
	set_timer(c, conn_timeout_ns(c->o.conn));
	if (conn_publish(c->o.conn, &(struct conn_msg){
		.subject = subject, .reply = reply, .data = body != NULL ? body->p : NULL,
		.n = body != NULL ? body->len : 0, .urgent = true,
	}, &err) != ERR_OK)
		take_break(c, CONSUMER_AWAY, &err);
}

static void
look(struct consumer *c)
{
	struct err err;

	forget_pulls(c);
	if (conn_state(c->o.conn) == CONN_UP) {
		ask(c, "INFO", NULL, STEP_LOOKING);
		return;
	}
	err_set(&err, ERR_UNAVAILABLE, "NATS at %s is not connected", conn_servers(c->o.conn));
	enter_state(c, CONSUMER_AWAY, &err);
	c->step = STEP_AWAY;		/* the connection tells when it is back */
	loop_timer_cancel(c->o.loop, &c->timer);
}

static void
make(struct consumer *c)
{
	struct str body = STR_INIT;
	char inbox[CONN_INBOX_MAX];

	conn_inbox(c->o.conn, inbox);
	consumer_write_create(&c->o, c->o.push ? inbox : NULL, &body);
	ask(c, "DURABLE.CREATE", &body, STEP_MAKING);
	str_release(&body);
}

static void
note_drift(struct consumer *c, const struct consumer_answer *a)
{
	char now[sizeof c->drift];

	consumer_compare(&c->o, a, now, sizeof now);
	pthread_mutex_lock(&c->lock);
	bool news = now[0] != '\0' && strcmp(now, c->drift) != 0;
	memcpy(c->drift, now, sizeof now);
	pthread_mutex_unlock(&c->lock);
	if (news)
		log_warning(EV_CONSUMER_DRIFT, LOG_F(LOG_S("consumer", c->o.durable)),
		    "consumer '%s' exists with %s; it is used as it is", c->o.durable, now);
}

/* join: subscribes to where a push consumer delivers. */
static enum err_code
join(struct consumer *c, const struct consumer_answer *a, struct err *err)
{
	if (c->pushed != NULL && strcmp(c->deliver_subject, a->deliver_subject) == 0 &&
	    strcmp(c->deliver_group, a->deliver_group) == 0)
		return ERR_OK;
	sub_free(c->pushed);
	snprintf(c->deliver_subject, sizeof c->deliver_subject, "%s", a->deliver_subject);
	snprintf(c->deliver_group, sizeof c->deliver_group, "%s", a->deliver_group);
	c->pushed = sub_new(&(struct sub_opts){
		.conn = c->o.conn, .subject = c->deliver_subject, .queue = c->deliver_group, .handler = on_pushed, .arg = c,
	}, err);
	return c->pushed != NULL ? ERR_OK : ERR_UNAVAILABLE;
}

/* usable: the consumer that exists can be used the way we want. */
static bool
usable(const struct consumer *c, const struct consumer_answer *a, struct err *err)
{
	if (c->o.push != a->push)
		err_set(err, ERR_EXISTS, "it exists as a %s consumer, and a %s consumer is needed; remove it, or choose the "
		    "other mode", a->push ? "push" : "pull", c->o.push ? "push" : "pull");
	else if (c->o.push && a->deliver_group[0] == '\0')
		err_set(err, ERR_EXISTS, "it delivers to one subscriber only (no deliver group); it cannot be shared");
	else
		return true;
	return false;
}

/* work_every: the consumer that exists may be less patient than what was asked for. */
static void
work_every(struct consumer *c, int64_t ns)
{
	pthread_mutex_lock(&c->lock);
	bool news = c->every_ns != ns;
	c->every_ns = ns;
	pthread_mutex_unlock(&c->lock);
	if (news && c->o.working_ns > 0)
		loop_timer_set(c->o.loop, &c->working, mono_after(consumer_now(), ns), consumer_still_working, c);
}

static void
run(struct consumer *c, const struct consumer_answer *a)
{
	struct err err;

	if (!usable(c, a, &err)) {
		take_break(c, CONSUMER_UNUSABLE, &err);
		return;
	}
	note_drift(c, a);
	if (a->ack_wait_ns > 0 && a->ack_wait_ns < c->o.ack_wait_ns)
		work_every(c, a->ack_wait_ns / 3);
	if (c->o.push && join(c, a, &err) != ERR_OK) {
		take_break(c, CONSUMER_AWAY, &err);
		return;
	}
	bool is_new = c->step == STEP_MAKING || strcmp(c->created, a->created) != 0;
	memcpy(c->created, a->created, sizeof c->created);
	c->retry_ns = RETRY_MIN_NS;
	c->step = STEP_RUNNING;
	pthread_mutex_lock(&c->lock);
	if (is_new)
		consumer_unremember(c);
	c->pulling = !c->o.push && !c->stop;
	c->heard = consumer_now();
	pthread_mutex_unlock(&c->lock);
	set_timer(c, c->o.push ? RECHECK_NS : HEARTBEAT_NS);
	enter_state(c, CONSUMER_READY, NULL);
	if (!c->o.push)
		consumer_pull(c);
}

/* was_removed: it was there, and somebody removed it.  The server says so before it is done with that, and whoever
 * makes it anew at once gets the state of the old one: what was acknowledged there would not come again. */
static void
was_removed(struct consumer *c)
{
	struct err err;

	c->created[0] = '\0';
	err_set(&err, ERR_NOT_FOUND, "it was removed from stream '%s' and is made anew", c->o.stream);
	take_break(c, CONSUMER_STARTING, &err);
}

/* refused: an answer that is an error. */
static void
refused(struct consumer *c, const struct consumer_answer *a)
{
	enum consumer_state s = a->status == 503 ? CONSUMER_AWAY : CONSUMER_UNUSABLE;
	struct err err;

	switch (a->error) {
	case JS_CONSUMER_NOT_FOUND:
		if (c->step == STEP_LOOKING) {
			(c->created[0] != '\0' ? was_removed : make)(c);
			return;
		}
		break;
	case JS_CONSUMER_EXISTS:
	case JS_CONSUMER_NAME_EXISTS:		/* somebody was faster */
		s = CONSUMER_STARTING;
		break;
	case JS_STREAM_NOT_FOUND:
		s = CONSUMER_NO_STREAM;
		break;
	case JS_QUEUE_NOT_UNIQUE:
	case JS_QUEUE_UNFILTERED:
		s = CONSUMER_CONFLICT;
		break;
	default:
		break;
	}
	err_set(&err, s == CONSUMER_NO_STREAM ? ERR_NOT_FOUND : s == CONSUMER_CONFLICT ? ERR_EXISTS : ERR_STORE,
	    "stream '%s': %s (JetStream error %" PRId64 ")", c->o.stream, a->words, a->error);
	take_break(c, s, &err);
}

static void
on_answered(struct consumer *c, struct msg *m)
{
	struct consumer_answer a;
	struct err err;

	if (msg_is_no_responders(m)) {
		err_set(&err, ERR_NO_JETSTREAM, "the server has no JetStream, or it is not up yet");
		take_break(c, CONSUMER_AWAY, &err);
	} else if (consumer_read(msg_data(m), msg_size(m), &a, &err) != ERR_OK) {
		take_break(c, CONSUMER_AWAY, &err);
	} else if (a.error != 0) {
		refused(c, &a);
	} else {
		run(c, &a);
	}
}

static void
on_kick(struct mail *m)
{
	struct consumer *c = CONTAINER_OF(m, struct consumer, kick);

	MAGIC_CHECK(c, CONSUMER_MAGIC);
	pthread_mutex_lock(&c->lock);
	c->kicked = false;
	bool stop = c->stop, again = c->link_changed || (c->doubt && c->step == STEP_RUNNING);
	struct msg *answer = c->answer;
	c->answer = NULL;
	c->link_changed = c->doubt = false;
	pthread_mutex_unlock(&c->lock);
	if (!stop && again)
		look(c);
	else if (!stop && answer != NULL && (c->step == STEP_LOOKING || c->step == STEP_MAKING))
		on_answered(c, answer);
	msg_free(answer);
}

/* watch_over: while running: is it alive, and do we wait for what nobody asked for? */
static void
watch_over(struct consumer *c)
{
	pthread_mutex_lock(&c->lock);
	bool silent = c->asked > 0 && mono_since(consumer_now(), c->heard) > SILENCE_NS;
	pthread_mutex_unlock(&c->lock);
	if (silent || c->o.push) {
		look(c);
		return;
	}
	consumer_pull(c);
	set_timer(c, HEARTBEAT_NS);
}

static void
on_timer(void *arg)
{
	struct consumer *c = arg;
	struct err err;

	MAGIC_CHECK(c, CONSUMER_MAGIC);
	pthread_mutex_lock(&c->lock);
	bool stop = c->stop;
	pthread_mutex_unlock(&c->lock);
	if (stop)
		return;
	switch (c->step) {
	case STEP_AWAY:
		break;
	case STEP_PAUSE:
		look(c);
		break;
	case STEP_LOOKING:
	case STEP_MAKING:
		err_set(&err, ERR_TIMEOUT, "JetStream did not answer");
		take_break(c, CONSUMER_AWAY, &err);
		break;
	case STEP_RUNNING:
		watch_over(c);
		break;
	}
}

/* --- the consumer ------------------------------------------------------------------------- */

struct consumer *
consumer_new(const struct consumer_opts *o, struct err *err)
{
	struct consumer *c = mem_new(sizeof *c);
	char all[CONN_INBOX_MAX + 4];

	c->magic = CONSUMER_MAGIC;
	atomic_init(&c->refs, 1);
	c->o = consumer_defaults(o);
	c->o.stream = mem_text(o->stream);
	c->o.durable = mem_text(o->durable);
	c->o.filter = mem_text(o->filter);
	c->retry_ns = RETRY_MIN_NS;
	c->kick = (struct mail){ .deliver = on_kick, .vital = true };
	pthread_mutex_init(&c->lock, NULL);
	conn_inbox(o->conn, c->inbox);
	c->ninbox = strlen(c->inbox);
	snprintf(all, sizeof all, "%s.*", c->inbox);
	c->sub = sub_new(&(struct sub_opts){ .conn = o->conn, .subject = all, .handler = on_message, .arg = c }, err);
	if (c->sub == NULL) {
		consumer_unref(c);
		return NULL;
	}
	conn_listen(o->conn, on_conn, c);
	work_every(c, c->o.ack_wait_ns / 3);
	look(c);
	return c;
}

void
consumer_stop(struct consumer *c)
{
	MAGIC_CHECK(c, CONSUMER_MAGIC);
	pthread_mutex_lock(&c->lock);
	bool first = !c->stop;
	c->stop = true;
	c->pulling = false;
	pthread_mutex_unlock(&c->lock);
	/* Without our subscription the server drops the pulls that wait. */
	if (!first || conn_state(c->o.conn) != CONN_UP)
		return;
	sub_drain(c->sub);
	if (c->pushed != NULL)
		sub_drain(c->pushed);
}

void
consumer_discard(struct consumer *c)
{
	char subject[512], reply[CONN_INBOX_MAX];

	conn_inbox(c->o.conn, reply);	/* the server wants one; nobody listens there */
	snprintf(subject, sizeof subject, "%s.CONSUMER.DELETE.%s.%s", conn_js_prefix(c->o.conn), c->o.stream, c->o.durable);
	if (conn_state(c->o.conn) == CONN_UP)
		conn_publish(c->o.conn, &(struct conn_msg){ .subject = subject, .reply = reply, .urgent = true }, NULL);
}

/* hand_back: what was pulled and not handled yet goes back to the stream now, instead of
 * after the ack wait: deliver() refuses it while the subscription drains. */
static void
hand_back(struct consumer *c)
{
	if (conn_state(c->o.conn) != CONN_UP)
		return;
	sub_drained(c->sub, HAND_BACK_NS);
	conn_flush(c->o.conn, HAND_BACK_NS, NULL);
}

void
consumer_free(struct consumer *c)
{
	if (c == NULL)
		return;
	MAGIC_CHECK(c, CONSUMER_MAGIC);
	consumer_stop(c);
	conn_unlisten(c->o.conn, on_conn, c);
	hand_back(c);
	sub_free(c->sub);
	sub_free(c->pushed);
	loop_timer_cancel(c->o.loop, &c->timer);
	loop_timer_cancel(c->o.loop, &c->working);
	loop_take(c->o.loop, &c->kick);
	msg_free(c->answer);
	c->answer = NULL;
	consumer_unref(c);
}

enum consumer_state
consumer_state(const struct consumer *c)
{
	return (enum consumer_state)atomic_load(&c->state);
}

uint64_t
consumer_repeats(const struct consumer *c)
{
	return atomic_load(&c->repeats);
}

uint64_t
consumer_foreign(const struct consumer *c)
{
	return atomic_load(&c->foreign);
}

unsigned
consumer_unfinished(const struct consumer *c)
{
	struct consumer *mine = (struct consumer *)(uintptr_t)c;

	pthread_mutex_lock(&mine->lock);
	unsigned n = mine->unfinished;
	pthread_mutex_unlock(&mine->lock);
	return n;
}

void
consumer_drift(struct consumer *c, char *out, size_t n)
{
	pthread_mutex_lock(&c->lock);
	snprintf(out, n, "%s", c->drift);
	pthread_mutex_unlock(&c->lock);
}
