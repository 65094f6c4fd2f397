/* intake.c - a worker for each command, one set of subscriptions for all events. */
#include "app/intake.h"

#include "app/handoff.h"
#include "app/run_service.h"
#include "base/log.h"
#include "base/mem.h"
#include "messaging/worker.h"
#include "sys/clock.h"

struct intake {
	struct intake_opts o;
	struct worker **workers;	/* one for each command, from the first READY on */
	size_t nworkers;
	bool started, yielded;		/* yielded: the workers have left */
	struct events *events;		/* while the program is ready; NULL without event patterns */
};

struct intake *
intake_new(const struct intake_opts *o)
{
	struct intake *t = mem_new(sizeof *t);

	t->o = *o;
	return t;
}

/* --- commands ---------------------------------------------------------------------------- */

static void
on_job(void *arg, struct job *job)
{
	struct intake *t = arg;

	handoff_job(t->o.handoff, job);
}

static void
on_job_stop(void *arg, struct job *job)
{
	struct intake *t = arg;

	handoff_stop(t->o.handoff, job);
}

static enum err_code
start_workers(struct intake *t, struct err *err)
{
	const struct run_service_opts *o = t->o.service;
	const char *const *names = o->commands;

	if (names == NULL)
		return ERR_OK;
	while (names[t->nworkers] != NULL) {
		struct worker *w = worker_new(&(struct worker_opts){
			.conn = t->o.conn, .loop = t->o.loop, .pool = t->o.pool, .publisher = t->o.publisher,
			.guard = t->o.guard, .traffic = t->o.traffic, .service = o->service, .instance = t->o.instance,
			.command = names[t->nworkers], .max_running = o->runner.max_inflight,
			.replace_unbound = o->replace_worker, .ack_wait_ns = o->ack_wait_ns,
			.handler = on_job, .stop = on_job_stop, .arg = t,
		}, err);
		if (w == NULL)
			return ERR_UNAVAILABLE;
		t->workers = mem_resize(t->workers, t->nworkers + 1, sizeof *t->workers);
		t->workers[t->nworkers++] = w;
	}
	return ERR_OK;
}

/* --- events ------------------------------------------------------------------------------ */

static void
on_event(void *arg, struct event *e)
{
	struct intake *t = arg;

	handoff_event(t->o.handoff, e);
}

static void
start_events(struct intake *t)
{
	const struct run_service_opts *o = t->o.service;
	struct err err;

	if (o->nevents == 0 || t->events != NULL)
		return;
	t->events = events_new(&(struct events_opts){
		.conn = t->o.conn, .loop = t->o.loop, .pool = t->o.pool, .publisher = t->o.publisher, .service = o->service,
		.instance = t->o.instance, .traffic = t->o.traffic, .guard = t->o.guard,
	});
	for (size_t i = 0; i < o->nevents; i++) {
		const struct run_service_event *e = &o->events[i];
		if (events_subscribe(t->events, &(struct event_subscription){
			.pattern = e->pattern, .mode = e->mode, .from_now = e->from_now, .handler = on_event, .arg = t,
		}, &err) != ERR_OK)
			log_error(EV_EVENT_FAILED, LOG_F(LOG_S("err", err.text)), "cannot take events: %s", err.text);
	}
}

/* --- its life ---------------------------------------------------------------------------- */

static void
free_workers(struct intake *t)
{
	for (size_t i = 0; i < t->nworkers; i++)
		worker_free(t->workers[i]);
	mem_free(t->workers);
	t->workers = NULL;
	t->nworkers = 0;
}

void
intake_ready(struct intake *t)
{
	struct err err;

	if (t->yielded) {
		/* Not before: what the last program had in its hands was settled since. */
		free_workers(t);
		t->started = t->yielded = false;
	}
	if (!t->started && start_workers(t, &err) != ERR_OK)
		log_error(EV_COMMAND_WORKER, LOG_F(LOG_S("err", err.text)), "cannot take commands");
	t->started = true;
	start_events(t);
}

void
intake_pause(struct intake *t)
{
	if (t->events != NULL)
		events_leave(t->events, false);
	intake_close(t);
}

void
intake_yield(struct intake *t)
{
	if (!t->started)
		return;
	t->yielded = true;
	for (size_t i = 0; i < t->nworkers; i++)
		worker_leave(t->workers[i]);
}

void
intake_leave(struct intake *t)
{
	for (size_t i = 0; i < t->nworkers; i++)
		worker_leave(t->workers[i]);
	if (t->events != NULL)
		events_leave(t->events, true);
}

static int64_t
left_until(struct mono end)
{
	int64_t left = mono_since(end, clock_mono(clock_system()));

	return left > 0 ? left : 0;
}

unsigned
intake_drain(struct intake *t, struct mono end)
{
	unsigned open = 0;

	for (size_t i = 0; i < t->nworkers; i++)
		open += worker_drain(t->workers[i], left_until(end));
	if (t->events != NULL)
		open += events_drain(t->events, left_until(end));
	return open;
}

void
intake_close(struct intake *t)
{
	if (t == NULL)
		return;
	events_free(t->events);
	t->events = NULL;
}

void
intake_free(struct intake *t)
{
	if (t == NULL)
		return;
	intake_close(t);
	free_workers(t);
	mem_free(t);
}
