/* worker.c - the shell around attempt.h: deliveries in, events to the table, its actions out.
 *
 * A job has up to three owners, each with a reference: the loop until the delivery is settled,
 * the handler until it answers, and the publisher while it buries.  Only the loop touches the
 * attempt; the others post. */
#include "messaging/worker.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "codec/command.h"
#include "codec/envelope.h"
#include "codec/subject.h"
#include "messaging/attempt.h"
#include "messaging/dlq.h"
#include "messaging/window.h"
#include "nats/conn.h"
#include "nats/consumer.h"
#include "nats/publisher.h"
#include "nats/stream.h"
#include "sys/loop.h"
#include "sys/pool.h"
#include "sys/thread.h"

#define WORKER_MAGIC 0x30b50001u
#define JOB_MAGIC 0x30b50002u
#define RUNNING_DEFAULT 8
#define WINDOW_LEAST 16
#define ACK_WAIT_NS (30 * NS_PER_S)
#define BACKOFF_NS (1 * NS_PER_S)
#define BACKOFF_MAX_NS (300 * NS_PER_S)
#define LONGEST_S 31536000.0		/* a year: a longer execution is as good as unlimited */
#define LOOK_AGAIN_NS (2 * NS_PER_S)	/* whether the other worker is still bound */
#define CANCELS_KEPT 256		/* wishes for commands that are not here yet */

/* The stream's subjects hold these, too; nobody may store them (wire.md §7.2). */
static const struct conn_header not_stored[] = { { "Nats-Expected-Stream", "-" }, { NULL, NULL } };

struct worker {
	unsigned magic;
	atomic_long refs;		/* its owner's and one for each job */
	struct worker_opts o;		/* strings are ours */
	struct subject subject, durable, python;
	struct consumer *consumer;
	struct sub *cancels;
	struct window window;
	struct job *jobs;		/* not settled; the loop's */
	unsigned running;		/* jobs that the handler has */
	bool leaving, ended;
	struct loop_timer working;	/* +WPI */
	char *early[CANCELS_KEPT];	/* ids that were cancelled before they came; a ring */
	unsigned nearly;
	struct worker_counters n;

	struct pool_job asking;		/* streams, or the other worker */
	bool is_asking, conflict;	/* conflict: what to ask for */
	struct loop_timer look;		/* while there is one */
	struct str said;		/* of it, so that only news is told */
	struct consumer_facts facts;
	enum err_code found;
	struct err why;

	pthread_mutex_t lock;		/* leaf: open */
	pthread_cond_t idle;
	unsigned open;			/* jobs that are not settled */
};

struct job {
	unsigned magic;
	atomic_int refs;
	struct worker *worker;
	struct job *next, *prev;
	struct window_item item;
	struct attempt attempt;
	struct loop_timer timer;
	struct delivery *delivery;	/* NULL once settled */
	struct mail arrival, answer, burial;

	enum data_format format;
	enum priority priority;
	struct str id, trace_id, source, payload;
	bool has_source, mute;		/* mute: its id is no subject token */
	bool with_handler;		/* the loop's */
	atomic_bool cancelled;
	struct mono deadline;
	void *user;

	enum attempt_event verdict;	/* the handler's answer */
	struct str completion;		/* encoded, of DONE; the handler's, as the next */
	struct str text;		/* why it failed */
	struct str notice;		/* the completion that the loop itself composes */
	bool buried;
};

static void step(struct job *j, enum attempt_event ev);
static void pump(struct worker *w);

static struct worker *
worker_ref(struct worker *w)
{
	atomic_fetch_add(&w->refs, 1);
	return w;
}

static void
worker_unref(struct worker *w)
{
	if (atomic_fetch_sub(&w->refs, 1) != 1)
		return;
	for (size_t i = 0; i < CANCELS_KEPT; i++)
		mem_free(w->early[i]);
	str_release(&w->said);
	mem_free((char *)(uintptr_t)w->o.service);
	mem_free((char *)(uintptr_t)w->o.instance);
	mem_free((char *)(uintptr_t)w->o.command);
	pthread_cond_destroy(&w->idle);
	pthread_mutex_destroy(&w->lock);
	MAGIC_WIPE(w);
	mem_free(w);
}

static void
job_unref(struct job *j)
{
	if (atomic_fetch_sub(&j->refs, 1) != 1)
		return;
	str_release(&j->id);
	str_release(&j->trace_id);
	str_release(&j->source);
	str_release(&j->payload);
	str_release(&j->completion);
	str_release(&j->text);
	str_release(&j->notice);
	struct worker *w = j->worker;
	MAGIC_WIPE(j);
	mem_free(j);
	worker_unref(w);
}

/* --- telling the sender ------------------------------------------------------------------- */

static void
send_core(const struct job *j, struct subject to, const struct str *body)
{
	struct err err;

	if (conn_publish(j->worker->o.conn, &(struct conn_msg){
		.subject = to.s, .data = body->p, .n = body->len, .headers = not_stored,
	}, &err) != ERR_OK)
		log_warning(EV_COMMAND_UNTOLD, LOG_F(LOG_S("command_id", str_text(&j->id)), LOG_S("err", err.text)),
		    "the sender of a command cannot be told how it goes");
}

void
job_progress(struct job *j, double percent, const char *status)
{
	struct str body = STR_INIT;

	MAGIC_CHECK(j, JOB_MAGIC);
	if (j->mute || job_cancelled(j))
		return;
	struct command_progress p = {
		.command_id = { j->id.p, j->id.len }, .status = text_of(status),
		.progress = percent >= 0 ? fmin(percent, 100) : 0,	/* NaN as well */
		.timestamp = command_epoch(clock_wall(clock_system())),
	};
	if (p.status.p != NULL)
		p.status.n = utf8_valid(p.status.p, p.status.n);
	if (command_progress_encode(&p, j->format, &body, NULL) == ERR_OK)
		send_core(j, subject_progress(str_text(&j->id)), &body);
	str_release(&body);
}

static const char *
reason_text(const struct job *j)
{
	switch (j->attempt.reason) {
	case ATTEMPT_TIMED_OUT:
		return "TIMEOUT: the command took longer than its time-out";
	case ATTEMPT_WORKER_DIED:
		return j->text.len > 0 ? str_text(&j->text) : "WORKER_DIED: every worker that ran the command died";
	case ATTEMPT_NOT_READABLE:
		return "INVALID_REQUEST";
	case ATTEMPT_OWN:
		break;
	}
	return str_text(&j->text);
}

/* tell: how it ended.  What the handler encoded is sent as it is; a handler that answers too
 * late may be writing there just now, so other endings are composed apart. */
static void
tell(struct job *j, enum attempt_tell what)
{
	struct command_completion c = { .command_id = { j->id.p, j->id.len } };

	if (j->mute)
		return;
	if (what != ATTEMPT_TELL_COMPLETED) {
		bool failed = what == ATTEMPT_TELL_FAILED;
		c.status = failed ? COMMAND_FAILED : COMMAND_CANCELLED;
		c.error = text_of(failed ? reason_text(j) : "CANCELLED");
		str_clear(&j->notice);
		MUST(command_completion_encode(&c, j->format, &j->notice, NULL) == ERR_OK);
	}
	send_core(j, subject_callback(str_text(&j->id)), what != ATTEMPT_TELL_COMPLETED ? &j->notice : &j->completion);
}

/* --- dead letters ------------------------------------------------------------------------- */

static void ask_store(struct worker *w, bool conflict);

static void
burial_deliver(struct mail *m)
{
	struct job *j = CONTAINER_OF(m, struct job, burial);

	MAGIC_CHECK(j, JOB_MAGIC);
	if (j->buried)
		j->worker->n.buried++;
	else if (!j->worker->ended)
		ask_store(j->worker, false);	/* perhaps the stream is missing */
	step(j, j->buried ? ATTEMPT_EV_BURIED : ATTEMPT_EV_NOT_BURIED);
	job_unref(j);
}

static void
burial_discard(struct mail *m)
{
	job_unref(CONTAINER_OF(m, struct job, burial));
}

static void
on_buried(void *arg, const struct pub_ack *ack, const struct err *err)
{
	struct job *j = arg;

	MAGIC_CHECK(j, JOB_MAGIC);
	j->buried = ack != NULL;
	if (err != NULL)
		log_warning(EV_COMMAND_BURIED, LOG_F(LOG_S("command_id", str_text(&j->id)), LOG_S("err", err->text)),
		    "a command that failed for good cannot be stored in COMMANDS_DLQ yet, trying again");
	loop_post(j->worker->o.loop, &j->burial);
}

static void
bury(struct job *j)
{
	struct worker *w = j->worker;
	struct err err;

	atomic_fetch_add(&j->refs, 1);
	j->burial = (struct mail){ .deliver = burial_deliver, .discard = burial_discard, .vital = true };
	enum err_code code = dlq_bury(w->o.publisher, &(struct burial){
		.delivery = j->delivery, .error = reason_text(j), .instance = w->o.instance,
	}, on_buried, j, &err);
	if (code != ERR_OK)
		on_buried(j, NULL, &err);
	else
		log_warning(EV_COMMAND_BURIED, LOG_F(LOG_S("command_id", str_text(&j->id)),
		    LOG_S("subject", w->subject.s), LOG_N("deliveries", j->attempt.opts.deliveries),
		    LOG_S("err", reason_text(j))), "a command failed for good and goes to COMMANDS_DLQ");
}

/* --- carrying out ------------------------------------------------------------------------- */

static void
on_timer(void *arg)
{
	struct job *j = arg;

	MAGIC_CHECK(j, JOB_MAGIC);
	step(j, ATTEMPT_EV_TIMER);
	pump(j->worker);
}

static void
close_job(struct job *j)
{
	struct worker *w = j->worker;

	window_remove(&w->window, &j->item);
	*(j->prev != NULL ? &j->prev->next : &w->jobs) = j->next;
	if (j->next != NULL)
		j->next->prev = j->prev;
	pthread_mutex_lock(&w->lock);
	if (--w->open == 0)
		pthread_cond_broadcast(&w->idle);
	pthread_mutex_unlock(&w->lock);
	job_unref(j);
}

static void
settle(struct job *j, const struct attempt_actions *a)
{
	struct delivery *d = j->delivery;

	j->delivery = NULL;
	switch (a->settle) {
	case ATTEMPT_ACK:
		delivery_ack(d);
		break;
	case ATTEMPT_NAK:
		delivery_nak(d, a->delay_ns);
		break;
	case ATTEMPT_TERM:
		delivery_term(d);
		break;
	case ATTEMPT_KEEP:
		delivery_forget(d);
		break;
	}
	close_job(j);
}

static void
run(struct job *j)
{
	struct worker *w = j->worker;

	j->deadline = j->attempt.due;
	j->with_handler = true;
	w->running++;
	atomic_fetch_add(&j->refs, 1);
	w->o.handler(w->o.arg, j);
}

static void
stop_handler(struct job *j)
{
	struct worker *w = j->worker;

	atomic_store(&j->cancelled, true);
	if (j->with_handler && w->o.stop != NULL)
		w->o.stop(w->o.arg, j);
}

static void
count(struct job *j, enum attempt_event ev, const struct attempt_actions *a)
{
	struct worker_counters *n = &j->worker->n;

	n->completed += a->tell == ATTEMPT_TELL_COMPLETED;
	n->cancelled += a->tell == ATTEMPT_TELL_CANCELLED;
	n->unreadable += ev == ATTEMPT_EV_UNREADABLE;
	if (ev != ATTEMPT_EV_FAILED && ev != ATTEMPT_EV_DIED && ev != ATTEMPT_EV_TIMER)
		return;
	if (a->settle != ATTEMPT_NAK && !a->bury)
		return;
	n->failed_attempts++;
	log_warning(EV_COMMAND_FAILED, LOG_F(LOG_S("command_id", str_text(&j->id)),
	    LOG_S("subject", j->worker->subject.s), LOG_N("deliveries", j->attempt.opts.deliveries),
	    LOG_S("err", reason_text(j))), "an attempt at a command failed, %s",
	    a->bury ? "and it was the last" : "it is repeated later");
}

/* step: the one place where an attempt goes on.  j may be gone afterwards. */
static void
step(struct job *j, enum attempt_event ev)
{
	struct attempt_actions a;
	struct worker *w = j->worker;

	if (j->delivery == NULL)
		return;			/* it is over; a late answer changes nothing */
	attempt_step(&j->attempt, ev, loop_now(w->o.loop), &a);
	count(j, ev, &a);
	if (j->attempt.due.ns != MONO_NEVER.ns)
		loop_timer_set(w->o.loop, &j->timer, j->attempt.due, on_timer, j);
	else
		loop_timer_cancel(w->o.loop, &j->timer);
	if (a.queue)
		MUST(window_put(&w->window, &j->item, j->priority));
	if (a.stop)
		stop_handler(j);
	if (a.tell != ATTEMPT_QUIET)
		tell(j, a.tell);
	if (j->attempt.state == ATTEMPT_OVER)
		settle(j, &a);
	else if (a.bury)
		bury(j);
	else if (a.run)
		run(j);
}

/* pump: gives the handler what it may have. */
static void
pump(struct worker *w)
{
	struct window_item *item;

	while (!w->leaving && w->running < w->o.max_running && (item = window_take(&w->window)) != NULL)
		step(CONTAINER_OF(item, struct job, item), ATTEMPT_EV_START);
}

/* --- the handler's answer ----------------------------------------------------------------- */

static void
answer_deliver(struct mail *m)
{
	struct job *j = CONTAINER_OF(m, struct job, answer);
	struct worker *w = j->worker;

	MAGIC_CHECK(j, JOB_MAGIC);
	j->with_handler = false;
	w->running--;
	step(j, j->verdict);
	if (w->leaving)
		step(j, ATTEMPT_EV_LEAVE);	/* it did not begin after all: not here any more */
	pump(w);
	job_unref(j);
}

static void
answer_discard(struct mail *m)
{
	job_unref(CONTAINER_OF(m, struct job, answer));
}

static void
answer(struct job *j, enum attempt_event verdict, const char *text)
{
	MAGIC_CHECK(j, JOB_MAGIC);
	j->verdict = verdict;
	if (text != NULL) {
		str_clear(&j->text);
		str_add(&j->text, text, utf8_valid(text, strlen(text)));
	}
	j->answer = (struct mail){ .deliver = answer_deliver, .discard = answer_discard, .vital = true };
	loop_post(j->worker->o.loop, &j->answer);
}

void
job_done(struct job *j, struct data result)
{
	struct command_completion c = { .command_id = { j->id.p, j->id.len }, .status = COMMAND_COMPLETED };
	int64_t most = conn_max_payload(j->worker->o.conn);
	struct err err;

	MAGIC_CHECK(j, JOB_MAGIC);
	if (result.p != NULL)
		c.result = (struct value){ .type = VALUE_RAW, .u.raw = result };
	enum err_code code = command_completion_encode(&c, j->format, &j->completion, &err);
	if (code == ERR_OK && most > 0 && j->completion.len > (size_t)most)
		code = err_set(&err, ERR_TOO_LARGE, "the result of %zu bytes is larger than the %lld that the server takes",
		    j->completion.len, (long long)most);
	answer(j, code == ERR_OK ? ATTEMPT_EV_DONE : ATTEMPT_EV_FAILED, code == ERR_OK ? NULL : err.text);
}

void
job_fail(struct job *j, const char *text)
{
	answer(j, ATTEMPT_EV_FAILED, text != NULL ? text : "");
}

void
job_died(struct job *j, const char *text)
{
	answer(j, ATTEMPT_EV_DIED, text);
}

void
job_bounce(struct job *j)
{
	answer(j, ATTEMPT_EV_BOUNCED, NULL);
}

/* --- deliveries --------------------------------------------------------------------------- */

static void
keep(struct str *to, struct text t)
{
	if (t.p != NULL)
		str_add(to, t.p, t.n);
}

static void
fill_job(struct job *j, const struct envelope *e, struct attempt_opts *o)
{
	struct pack p;

	keep(&j->id, e->message_id);
	keep(&j->trace_id, e->trace_id);
	keep(&j->source, e->source);
	j->has_source = e->source.p != NULL;
	j->priority = e->priority;
	j->mute = !subject_token_ok(e->message_id);
	pack_init(&p, &j->payload, DATA_JSON, PACK_COMPACT);
	pack_value(&p, &e->payload);
	MUST(pack_end(&p, NULL) == ERR_OK);	/* it was decoded, so it can be encoded */
	o->max_retries = e->max_retries;
	o->timeout_ns = (int64_t)(fmin(e->timeout_s, LONGEST_S) * 1e9);
}

static bool
was_cancelled(struct worker *w, const char *id)
{
	for (size_t i = 0; i < CANCELS_KEPT; i++)
		if (w->early[i] != NULL && strcmp(w->early[i], id) == 0)
			return true;
	return false;
}

static void
arrival_deliver(struct mail *m)
{
	struct job *j = CONTAINER_OF(m, struct job, arrival);
	struct worker *w = j->worker;

	MAGIC_CHECK(j, JOB_MAGIC);
	if (w->leaving) {
		delivery_nak(j->delivery, 0);
		job_unref(j);
		return;
	}
	j->next = w->jobs;
	if (j->next != NULL)
		j->next->prev = j;
	w->jobs = j;
	pthread_mutex_lock(&w->lock);
	w->open++;
	pthread_mutex_unlock(&w->lock);
	if (j->attempt.reason == ATTEMPT_NOT_READABLE)
		step(j, ATTEMPT_EV_UNREADABLE);
	else if (was_cancelled(w, str_text(&j->id))) {
		atomic_fetch_add(&j->refs, 1);
		step(j, ATTEMPT_EV_ARRIVED);
		step(j, ATTEMPT_EV_CANCEL);
		job_unref(j);
	} else {
		step(j, ATTEMPT_EV_ARRIVED);
	}
	pump(w);
}

static void
arrival_discard(struct mail *m)
{
	struct job *j = CONTAINER_OF(m, struct job, arrival);

	delivery_forget(j->delivery);	/* there may be no connection any more */
	job_unref(j);
}

/* on_delivery: on the delivering thread.  The number of deliveries here is bounded by the
 * window, so that the mails are, too. */
static void
on_delivery(void *arg, struct delivery *d)
{
	struct worker *w = arg;
	struct envelope e;
	struct err err;

	MAGIC_CHECK(w, WORKER_MAGIC);
	struct job *j = mem_new(sizeof *j);
	struct attempt_opts o = {
		.deliveries = delivery_count(d), .backoff_ns = w->o.backoff_ns, .backoff_max_ns = w->o.backoff_max_ns,
	};
	j->magic = JOB_MAGIC;
	atomic_init(&j->refs, 1);
	j->worker = worker_ref(w);
	j->delivery = d;
	j->format = DATA_MSGPACK;
	enum err_code code = envelope_decode(codec_mine(), ENVELOPE_COMMAND, delivery_data(d), delivery_size(d), &e,
	    &j->format, &err);
	if (code == ERR_OK)
		fill_job(j, &e, &o);
	attempt_init(&j->attempt, &o);
	if (code != ERR_OK) {
		j->attempt.reason = ATTEMPT_NOT_READABLE;
		j->mute = true;
		log_warning(EV_COMMAND_BAD, LOG_F(LOG_S("subject", delivery_subject(d)), LOG_S("err", err.text)),
		    "a command cannot be read; it goes to COMMANDS_DLQ and is not delivered again");
	}
	j->arrival = (struct mail){ .deliver = arrival_deliver, .discard = arrival_discard, .vital = true };
	loop_post(w->o.loop, &j->arrival);
}

/* still_working: the server counts from its last sign of life, also for what only waits. */
static void
still_working(void *arg)
{
	struct worker *w = arg;

	for (struct job *j = w->jobs; j != NULL; j = j->next)
		delivery_working(j->delivery);
	loop_timer_set(w->o.loop, &w->working, mono_after(loop_now(w->o.loop), w->o.ack_wait_ns / 3), still_working, w);
}

/* --- cancelling --------------------------------------------------------------------------- */

struct wish {
	struct mail mail;
	struct worker *worker;
	char *id;
};

static void
wish_discard(struct mail *m)
{
	struct wish *x = CONTAINER_OF(m, struct wish, mail);

	worker_unref(x->worker);
	mem_free(x->id);
	mem_free(x);
}

static void
wish_deliver(struct mail *m)
{
	struct wish *x = CONTAINER_OF(m, struct wish, mail);
	struct worker *w = x->worker;
	struct job *j = w->jobs;

	while (j != NULL && strcmp(str_text(&j->id), x->id) != 0)
		j = j->next;
	if (j != NULL) {
		step(j, ATTEMPT_EV_CANCEL);
	} else if (!w->ended) {
		/* It may wait in the stream, or for its next attempt. */
		char **place = &w->early[w->nearly++ % CANCELS_KEPT];
		mem_free(*place);
		*place = x->id;
		x->id = NULL;
	}
	wish_discard(m);
}

/* on_cancel: on the delivering thread.  Best effort: with the mailbox full it is dropped. */
static void
on_cancel(void *arg, struct msg *m)
{
	struct worker *w = arg;
	struct command_cancel c;

	MAGIC_CHECK(w, WORKER_MAGIC);
	if (command_cancel_decode(codec_mine(), msg_data(m), msg_size(m), &c, NULL) == ERR_OK &&
	    text_is(c.command_id, msg_subject(m) + strlen("commands.cancel."))) {
		struct wish *x = mem_new(sizeof *x);
		x->mail = (struct mail){ .deliver = wish_deliver, .discard = wish_discard };
		x->worker = worker_ref(w);
		x->id = mem_text_n(c.command_id.p, c.command_id.n);
		if (loop_post(w->o.loop, &x->mail) != ERR_OK)
			wish_discard(&x->mail);
	}
	msg_free(m);
}

/* --- the consumer and its troubles -------------------------------------------------------- */

static void
work_ask(struct pool_job *job)
{
	struct worker *w = CONTAINER_OF(job, struct worker, asking);

	if (!w->conflict) {
		w->found = stream_ensure(w->o.conn, STREAM_COMMANDS, 0, NULL, &w->why);
		if (w->found == ERR_OK)
			w->found = stream_ensure(w->o.conn, STREAM_COMMANDS_DLQ, 0, NULL, &w->why);
		return;
	}
	w->found = consumer_inspect(w->o.conn, "COMMANDS", w->python.s, &w->facts, &w->why);
	if (w->found == ERR_OK && !w->facts.bound && w->o.replace_unbound)
		w->found = consumer_remove(w->o.conn, "COMMANDS", w->python.s, &w->why);
}

static void
say_conflict(struct worker *w)
{
	const char *py = w->python.s, *what = w->subject.s;
	struct str text = STR_INIT;

	if (w->found != ERR_OK)
		str_printf(&text, "another consumer of COMMANDS takes %s; waiting until it is gone", what);
	else if (w->facts.bound)
		str_printf(&text, "a Python worker is bound to consumer '%s' and takes %s; waiting until it is gone",
		    py, what);
	else if (w->o.replace_unbound)
		str_printf(&text, "consumer '%s' of a Python worker was bound to nobody and is removed, as asked for",
		    py);
	else
		str_printf(&text, "consumer '%s' of a Python worker takes %s though nobody is bound to it; waiting; "
		    "it is replaced only on request (run-service --replace-worker)", py, what);
	if (strcmp(str_text(&text), str_text(&w->said)) != 0)
		log_warning(EV_COMMAND_CONFLICT, LOG_F(LOG_S("subject", what), LOG_S("consumer", py)), "%s", str_text(&text));
	str_release(&w->said);
	w->said = text;
}

static void
look_again(void *arg)
{
	struct worker *w = arg;

	/* Between two attempts of its own the consumer is in other states, too. */
	if (consumer_state(w->consumer) != CONSUMER_READY)
		ask_store(w, true);
}

static void
ask_done(struct pool_job *job)
{
	struct worker *w = CONTAINER_OF(job, struct worker, asking);

	w->is_asking = false;
	if (!w->ended && w->conflict) {
		say_conflict(w);
		loop_timer_set(w->o.loop, &w->look, mono_after(loop_now(w->o.loop), LOOK_AGAIN_NS), look_again, w);
	} else if (!w->ended && w->found != ERR_OK)
		log_warning(EV_COMMAND_WORKER, LOG_F(LOG_S("err", w->why.text)), "the streams of commands cannot be made yet");
	worker_unref(w);
}

static void
ask_store(struct worker *w, bool conflict)
{
	if (w->is_asking)
		return;
	w->asking = (struct pool_job){ .work = work_ask, .done = ask_done };
	w->conflict = conflict;
	w->is_asking = true;
	worker_ref(w);
	if (pool_run(w->o.pool, &w->asking) != ERR_OK) {
		w->is_asking = false;
		worker_unref(w);
	}
}

static void
on_consumer(void *arg, enum consumer_state s, const struct err *why)
{
	struct worker *w = arg;
	char drift[256];

	MAGIC_CHECK(w, WORKER_MAGIC);
	switch (s) {
	case CONSUMER_NO_STREAM:
		ask_store(w, false);
		break;
	case CONSUMER_CONFLICT:
		ask_store(w, true);
		break;
	case CONSUMER_READY:
		consumer_drift(w->consumer, drift, sizeof drift);
		if (drift[0] != '\0')
			log_warning(EV_COMMAND_WORKER, LOG_F(LOG_S("consumer", w->durable.s), LOG_S("drift", drift)),
			    "consumer '%s' differs from what is asked for and is used as it is: %s", w->durable.s, drift);
		str_clear(&w->said);
		log_info(EV_COMMAND_WORKER, LOG_F(LOG_S("subject", w->subject.s)), "taking %s", w->subject.s);
		break;
	default:
		if (why != NULL)
			log_warning(EV_COMMAND_WORKER, LOG_F(LOG_S("subject", w->subject.s), LOG_S("err", why->text)),
			    "%s is not taken (%s), trying again", w->subject.s, consumer_state_name(s));
	}
}

/* --- life --------------------------------------------------------------------------------- */

static void
fill_opts(struct worker *w, const struct worker_opts *o)
{
	w->o = *o;
	w->o.service = mem_text(o->service);
	w->o.instance = mem_text(o->instance);
	w->o.command = mem_text(o->command);
	if (w->o.max_running == 0)
		w->o.max_running = RUNNING_DEFAULT;
	if (w->o.window == 0)
		w->o.window = w->o.max_running > WINDOW_LEAST / 2 ? w->o.max_running * 2 : WINDOW_LEAST;
	if (w->o.window > WORKER_WINDOW_MAX)
		w->o.window = WORKER_WINDOW_MAX;
	if (w->o.ack_wait_ns == 0)
		w->o.ack_wait_ns = ACK_WAIT_NS;
	if (w->o.backoff_ns == 0)
		w->o.backoff_ns = BACKOFF_NS;
	if (w->o.backoff_max_ns == 0)
		w->o.backoff_max_ns = BACKOFF_MAX_NS;
	w->subject = subject_command(o->service, o->command);
	w->durable = subject_command_durable(o->service, o->command);
	w->python = subject_command_python(o->service, o->command);
	window_init(&w->window, w->o.window);
}

static enum err_code
open_worker(struct worker *w, struct err *err)
{
	w->cancels = sub_new(&(struct sub_opts){
		.conn = w->o.conn, .subject = SUBJECT_CANCELS, .handler = on_cancel, .arg = w, .max_pending = 4096,
	}, err);
	if (w->cancels == NULL)
		return ERR_UNAVAILABLE;
	w->consumer = consumer_new(&(struct consumer_opts){
		.conn = w->o.conn, .loop = w->o.loop, .stream = "COMMANDS", .durable = w->durable.s,
		.filter = w->subject.s, .deliver = CONSUMER_ALL, .ack_wait_ns = w->o.ack_wait_ns,
		.window = w->o.window, .handler = on_delivery, .changed = on_consumer, .arg = w,
	}, err);
	return w->consumer != NULL ? ERR_OK : ERR_UNAVAILABLE;
}

struct worker *
worker_new(const struct worker_opts *o, struct err *err)
{
	struct worker *w = mem_new(sizeof *w);

	w->magic = WORKER_MAGIC;
	atomic_init(&w->refs, 1);
	pthread_mutex_init(&w->lock, NULL);
	thread_cond_init(&w->idle);
	fill_opts(w, o);
	if (open_worker(w, err) != ERR_OK) {
		err_prefix(err, "command '%s' of '%s'", w->o.command, w->o.service);
		worker_free(w);
		return NULL;
	}
	loop_timer_set(o->loop, &w->working, mono_after(loop_now(o->loop), w->o.ack_wait_ns / 3), still_working, w);
	return w;
}

static void
step_all(struct worker *w, enum attempt_event ev)
{
	for (struct job *j = w->jobs, *next; j != NULL; j = next) {
		next = j->next;		/* a step ends j alone */
		step(j, ev);
	}
}

void
worker_leave(struct worker *w)
{
	MAGIC_CHECK(w, WORKER_MAGIC);
	if (w->leaving)
		return;
	w->leaving = true;
	if (w->consumer != NULL)
		consumer_stop(w->consumer);
	step_all(w, ATTEMPT_EV_LEAVE);
}

unsigned
worker_drain(struct worker *w, int64_t timeout_ns)
{
	struct mono end = mono_after(clock_mono(clock_system()), timeout_ns);

	pthread_mutex_lock(&w->lock);
	while (w->open > 0 && thread_cond_wait(&w->idle, &w->lock, end))
		continue;
	unsigned open = w->open;
	pthread_mutex_unlock(&w->lock);
	return open;
}

void
worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	MAGIC_CHECK(w, WORKER_MAGIC);
	worker_leave(w);
	w->ended = true;
	loop_timer_cancel(w->o.loop, &w->working);
	loop_timer_cancel(w->o.loop, &w->look);
	sub_free(w->cancels);
	consumer_free(w->consumer);
	w->cancels = NULL;
	w->consumer = NULL;
	step_all(w, ATTEMPT_EV_ABANDON);
	worker_unref(w);
}

void
worker_count(const struct worker *w, struct worker_counters *out)
{
	*out = w->n;
	out->running = w->running;
	out->waiting = (unsigned)w->window.n;
}

/* --- what a handler sees ------------------------------------------------------------------ */

const char *
job_command(const struct job *j)
{
	return j->worker->o.command;
}

const char *
job_id(const struct job *j)
{
	return str_text(&j->id);
}

const char *
job_trace_id(const struct job *j)
{
	return str_text(&j->trace_id);
}

const char *
job_source(const struct job *j)
{
	return j->has_source ? str_text(&j->source) : NULL;
}

const char *
job_header(const struct job *j, const char *name)
{
	return j->delivery != NULL ? delivery_header(j->delivery, name) : NULL;
}

uint64_t
job_deliveries(const struct job *j)
{
	return j->attempt.opts.deliveries;
}

const char *
job_payload_json(const struct job *j)
{
	return str_text(&j->payload);
}

struct mono
job_deadline(const struct job *j)
{
	return j->deadline;
}

bool
job_cancelled(const struct job *j)
{
	return atomic_load(&j->cancelled);
}

void *
job_user(const struct job *j)
{
	return j->user;
}

void
job_set_user(struct job *j, void *user)
{
	j->user = user;
}
