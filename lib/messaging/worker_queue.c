/* worker_queue.c - what the stream hands to a worker, and what keeps it from doing so.
 *
 * A delivery is decoded where it arrives and mailed to the loop.  Whatever needs a round trip
 * to the store (making the streams, looking at the Python worker that holds the queue) is
 * done on the pool, one question at a time. */
#include "messaging/worker_inner.h"

#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "codec/envelope.h"
#include "nats/conn.h"
#include "nats/stream.h"

#define LONGEST_S 31536000.0		/* a year: a longer execution is as good as unlimited */
#define LOOK_AGAIN_NS (2 * NS_PER_S)	/* whether the other worker is still bound */

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
	/* What was on its way when the connection broke comes beside what is asked for afterwards. */
	if (w->leaving || w->open >= w->o.window) {
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
		job_step(j, ATTEMPT_EV_UNREADABLE);
	else if (was_cancelled(w, str_text(&j->id))) {
		atomic_fetch_add(&j->refs, 1);
		job_step(j, ATTEMPT_EV_ARRIVED);
		job_step(j, ATTEMPT_EV_CANCEL);
		job_unref(j);
	} else {
		job_step(j, ATTEMPT_EV_ARRIVED);
	}
	worker_pump(w);
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
		worker_ask_store(w, true);
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

void
worker_ask_store(struct worker *w, bool conflict)
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
		worker_ask_store(w, false);
		break;
	case CONSUMER_CONFLICT:
		worker_ask_store(w, true);
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

/* --- opening ------------------------------------------------------------------------------ */

enum err_code
worker_open_queue(struct worker *w, struct err *err)
{
	w->consumer = consumer_new(&(struct consumer_opts){
		.conn = w->o.conn, .loop = w->o.loop, .stream = "COMMANDS", .durable = w->durable.s,
		.filter = w->subject.s, .deliver = CONSUMER_ALL, .ack_wait_ns = w->o.ack_wait_ns,
		.working_ns = INT64_MAX, .remember = true, .window = w->o.window, .handler = on_delivery, .changed = on_consumer, .arg = w,
	}, err);
	return w->consumer != NULL ? ERR_OK : ERR_UNAVAILABLE;
}
