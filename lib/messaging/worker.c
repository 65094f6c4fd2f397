/* worker.c - a worker's life: what it is made of, what it gives the handler, what is cancelled.
 *
 * The shell around attempt.h, with worker_queue.c and worker_job.c: deliveries in, events to the
 * table, its actions out. */
#include "messaging/worker_inner.h"

#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "codec/command.h"
#include "messaging/traffic.h"
#include "nats/conn.h"
#include "sys/thread.h"

#define RUNNING_DEFAULT 8
#define WINDOW_LEAST 16
#define ACK_WAIT_NS (30 * NS_PER_S)
#define BACKOFF_NS (1 * NS_PER_S)
#define BACKOFF_MAX_NS (300 * NS_PER_S)

struct worker *
worker_ref(struct worker *w)
{
	atomic_fetch_add(&w->refs, 1);
	return w;
}

void
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

void
worker_pump(struct worker *w)
{
	struct window_item *item;

	while (!w->leaving && w->running < w->o.max_running && (item = window_take(&w->window)) != NULL)
		job_step(CONTAINER_OF(item, struct job, item), ATTEMPT_EV_START);
	worker_gauge(w);
}

void
worker_gauge(const struct worker *w)
{
	traffic_commands(w->o.traffic, w->o.service, w->o.command, w->running, (unsigned)w->window.n);
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
		job_step(j, ATTEMPT_EV_CANCEL);
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
	return worker_open_queue(w, err);
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
	return w;
}

static void
step_all(struct worker *w, enum attempt_event ev)
{
	for (struct job *j = w->jobs, *next; j != NULL; j = next) {
		next = j->next;		/* a step ends j alone */
		job_step(j, ev);
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
