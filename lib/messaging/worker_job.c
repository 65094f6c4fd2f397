/* worker_job.c - one job: what its attempt wants is carried out, told, and settled.
 *
 * attempt.h decides; here is only the order: nothing is settled before the sender was told, and
 * nobody is told of a failure before the dead letters have it. */
#include "messaging/worker_inner.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "codec/command.h"
#include "messaging/dlq.h"
#include "messaging/guard.h"
#include "messaging/traffic.h"
#include "nats/conn.h"

/* The stream's subjects hold these, too; nobody may store them (wire.md §7.2). */
static const struct conn_header not_stored[] = { { "Nats-Expected-Stream", "-" }, { NULL, NULL } };

void
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

static void
burial_deliver(struct mail *m)
{
	struct job *j = CONTAINER_OF(m, struct job, burial);

	MAGIC_CHECK(j, JOB_MAGIC);
	if (j->buried)
		j->worker->n.buried++;
	else if (!j->worker->ended)
		worker_ask_store(j->worker, false);	/* perhaps the stream is missing */
	job_step(j, j->buried ? ATTEMPT_EV_BURIED : ATTEMPT_EV_NOT_BURIED);
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
	job_step(j, ATTEMPT_EV_TIMER);
	worker_pump(j->worker);
}

static void
close_job(struct job *j)
{
	struct worker *w = j->worker;

	window_remove(&w->window, &j->item);
	worker_gauge(w);
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
	/* With the completion that was told just now, in one write: a worker that is killed has said both,
	 * or neither and then the command is not known to have ended. */
	case ATTEMPT_ACK:
		delivery_ack_now(d);
		break;
	case ATTEMPT_NAK:
		delivery_nak(d, a->delay_ns);
		break;
	case ATTEMPT_TERM:
		delivery_term_now(d);
		break;
	case ATTEMPT_KEEP:
		delivery_forget(d);
		break;
	}
	close_job(j);
}

static void answer(struct job *j, enum attempt_event verdict, const char *text);

/* turned_away: what breaks the contract is no better at the next attempt, so this one is the last;
 * while the contract is not read the command waits. */
static bool
turned_away(struct job *j)
{
	const struct worker *w = j->worker;
	struct data payload = { DATA_JSON, j->payload.p, j->payload.len };
	char text[600];
	struct err err;
	enum err_code code = guard_data(w->o.guard, CONTRACT_COMMAND, text_of(w->o.command), payload, &err);

	if (code == ERR_OK)
		return false;
	if (code == ERR_BUSY) {
		answer(j, ATTEMPT_EV_BOUNCED, NULL);
		return true;
	}
	j->attempt.opts.max_retries = 0;
	snprintf(text, sizeof text, "%s: %s", err_wire(code), err.text);
	answer(j, ATTEMPT_EV_FAILED, text);
	return true;
}

static void
run(struct job *j)
{
	struct worker *w = j->worker;

	j->began = loop_now(w->o.loop);
	j->deadline = j->attempt.due;
	j->with_handler = true;
	w->running++;
	atomic_fetch_add(&j->refs, 1);
	if (!turned_away(j))
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
	if (a->tell == ATTEMPT_TELL_COMPLETED)
		traffic_command(j->worker->o.traffic, j->worker->o.service, j->worker->o.command);
	if (ev == ATTEMPT_EV_UNREADABLE)
		traffic_command_failed(j->worker->o.traffic);
	if (ev != ATTEMPT_EV_FAILED && ev != ATTEMPT_EV_DIED && ev != ATTEMPT_EV_TIMER)
		return;
	if (a->settle != ATTEMPT_NAK && !a->bury)
		return;
	n->failed_attempts++;
	traffic_command_failed(j->worker->o.traffic);
	log_warning(EV_COMMAND_FAILED, LOG_F(LOG_S("command_id", str_text(&j->id)),
	    LOG_S("subject", j->worker->subject.s), LOG_N("deliveries", j->attempt.opts.deliveries),
	    LOG_S("err", reason_text(j))), "an attempt at a command failed, %s",
	    a->bury ? "and it was the last" : "it is repeated later");
}

void
job_step(struct job *j, enum attempt_event ev)
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

/* --- the handler's answer ----------------------------------------------------------------- */

static void
answer_deliver(struct mail *m)
{
	struct job *j = CONTAINER_OF(m, struct job, answer);
	struct worker *w = j->worker;

	MAGIC_CHECK(j, JOB_MAGIC);
	j->with_handler = false;
	w->running--;
	if (j->verdict != ATTEMPT_EV_BOUNCED)
		traffic_worked(w->o.traffic, w->o.service, w->o.command, mono_since(clock_mono(clock_system()), j->began));
	job_step(j, j->verdict);
	if (w->leaving)
		job_step(j, ATTEMPT_EV_LEAVE);	/* it did not begin after all: not here any more */
	worker_pump(w);
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
	enum err_code code = guard_data(j->worker->o.guard, CONTRACT_COMMAND_RESULT, text_of(j->worker->o.command), result, &err);
	if (code == ERR_OK)
		code = command_completion_encode(&c, j->format, &j->completion, &err);
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
