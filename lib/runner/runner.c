/* runner.c - the shell: processes, timers and probes into events, actions into calls.
 *
 * Events are queued and taken one after the other, because carrying out an action may
 * bring the next event (a start that fails at once, a callback that stops us).  What a run
 * owns (guardian, pipes, readiness) is torn down before the event that ends it is taken,
 * so that the next run, which that event may begin, finds a clean table.
 *
 * `gone` is the last thing done in a turn: its receiver may free us. */
#include "runner/runner.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "runner/runner_inner.h"
#include "runner/runner_opts.h"
#include "sys/child.h"
#include "sys/reaper.h"

#define FLUSH_NS (200 * NS_PER_MS)		/* for a slow reader of the last lines of output */

void
runner_event(struct runner *r, enum supervisor_event_kind kind, const char *why)
{
	runner_event_end(r, kind, 0, 0, why);
}

/* --- actions ----------------------------------------------------------------------------- */

static void
log_entered(const struct runner *r, const struct supervisor_action *a, const char *why)
{
	const struct log_field *f = LOG_F(LOG_S("workload", r->o.name), LOG_N("pid", r->pid));
	int64_t ms;

	log_debug(EV_RUNNER_STATE, f, "%s: %s -> %s (%s)", r->o.name,
	    supervisor_state_name((enum supervisor_state)a->value),
	    supervisor_state_name((enum supervisor_state)a->value2), supervisor_event_name(a->event));
	switch (a->value2) {
	case SUPERVISOR_RUNNING:
		log_info(EV_RUNNER_CHILD_START, f, "%s runs as process %d", r->o.name, (int)r->pid);
		break;
	case SUPERVISOR_READY:
		if (a->value == SUPERVISOR_UNHEALTHY)
			log_info(EV_RUNNER_HEALTH, f, "%s is healthy again: %s", r->o.name, why);
		else
			log_info(EV_RUNNER_CHILD_READY, f, "%s is ready: %s", r->o.name, why);
		break;
	case SUPERVISOR_UNHEALTHY:
		log_warning(EV_RUNNER_HEALTH, f, "%s is unhealthy: %s", r->o.name, why);
		break;
	case SUPERVISOR_STOPPING:
		if (a->event == SUPERVISOR_EV_TIMER)
			log_warning(EV_RUNNER_CHILD_STOP, f, "%s is not ready after %lld ms, stopping it", r->o.name,
			    (long long)(r->o.ready_timeout_ns / NS_PER_MS));
		else
			log_info(EV_RUNNER_CHILD_STOP, f, "%s is being stopped with signal %d, KILL follows after %lld ms",
			    r->o.name, r->o.stop_signal, (long long)(r->o.kill_after_ns / NS_PER_MS));
		break;
	case SUPERVISOR_KILLING:
		if (a->value == SUPERVISOR_STOPPING)
			log_warning(EV_RUNNER_CHILD_STOP, f, "%s did not end, killing it and all it started", r->o.name);
		break;
	case SUPERVISOR_BACKOFF:
		ms = mono_since(r->sup.deadline, loop_now(r->loop)) / NS_PER_MS;
		log_warning(EV_RUNNER_CHILD_EXIT, f, "%s: %s, starting it again in %lld ms", r->o.name, r->ended,
		    (long long)ms);
		break;
	case SUPERVISOR_FINISHED:
		if (r->has_failed)
			log_error(EV_RUNNER_CHILD_EXIT, f, "%s: %s", r->o.name, r->ended);
		else if (r->ended[0] != '\0')
			log_info(EV_RUNNER_CHILD_EXIT, f, "%s: %s, it is not started again", r->o.name, r->ended);
		break;
	default:
		break;
	}
}

static void
act_spawn(struct runner *r)
{
	struct err err = { 0 };

	/* What went wrong here is the wrapper's own, whatever the system called it. */
	if (runner_run_begin(r, &err) != ERR_OK) {
		snprintf(r->ended, sizeof r->ended, "%.*s", (int)sizeof r->ended - 1, err.text);
		r->has_failed = true;
		runner_run_end(r);
		runner_event_end(r, SUPERVISOR_EV_FAILED, err_exit(ERR_WRAPPER), 0, r->ended);
	}
}

static void
act_signal(struct runner *r, int signo)
{
	/* Some programs take a second one for "at once". */
	if (r->guardian == NULL || (r->has_lapsed && signo == r->o.terms.lost_signal))
		return;
	if (guardian_signal(r->guardian, signo) != ERR_OK)
		log_warning(EV_RUNNER_GUARDIAN, LOG_F(LOG_N("guardian", guardian_pid(r->guardian))),
		    "the guardian process takes no orders; it will be killed if that lasts");
	/* A program stopped by TSTP or a debugger would not hear it otherwise. */
	guardian_signal(r->guardian, SIGCONT);
}

static void
act_report(struct runner *r, enum supervisor_report what, const char *why)
{
	static const enum runner_status names[] = {
		[SUPERVISOR_IS_STARTING] = RUNNER_STARTING, [SUPERVISOR_IS_READY] = RUNNER_READY,
		[SUPERVISOR_IS_UNHEALTHY] = RUNNER_UNHEALTHY, [SUPERVISOR_IS_DOWN] = RUNNER_DOWN,
	};

	r->status = names[what];
	if (r->status == RUNNER_READY) {
		workload_up(r->workload);
		runner_health_begin(r);
	} else if (r->status == RUNNER_DOWN) {
		workload_down(r->workload);
	}
	if (r->cb.status != NULL)
		r->cb.status(r->cb.arg, r->status, why);
}

static void
act(struct runner *r, const struct supervisor_action *a, const char *why)
{
	switch (a->kind) {
	case SUPERVISOR_SPAWN:
		act_spawn(r);
		break;
	case SUPERVISOR_SIGNAL:
		/* Readiness and health of what is being stopped interest nobody. */
		runner_probe_stop(r);
		act_signal(r, a->value);
		break;
	case SUPERVISOR_KILL_ALL:
		runner_probe_stop(r);
		if (r->guardian != NULL)
			guardian_kill(r->guardian);
		break;
	case SUPERVISOR_KILL_HARD:
		log_warning(EV_RUNNER_GUARDIAN, LOG_F(LOG_S("workload", r->o.name)),
		    "the guardian process of %s has not ended it in time, doing its work here", r->o.name);
		if (r->guardian != NULL)
			guardian_kill_hard(r->guardian);
		break;
	case SUPERVISOR_REPORT:
		act_report(r, (enum supervisor_report)a->value, a->why != NULL ? a->why : why);
		break;
	case SUPERVISOR_FINISH:
		r->is_finished = true;
		break;
	case SUPERVISOR_ENTERED:
		log_entered(r, a, why);
		if (a->value2 == SUPERVISOR_RUNNING)
			runner_ready_begin(r);
		break;
	}
}

static void
on_sup_timer(void *arg)
{
	struct runner *r = arg;

	MAGIC_CHECK(r, RUNNER_MAGIC);
	runner_event(r, SUPERVISOR_EV_TIMER, NULL);
}

static void
take_one(struct runner *r)
{
	struct queued q = r->queue[r->head];
	struct supervisor_event e = {
		.kind = q.kind, .code = q.code, .signo = q.signo, .why = q.why[0] != '\0' ? q.why : NULL,
	};
	struct supervisor_actions actions;

	r->head = (r->head + 1) % QUEUE_MAX;
	r->nqueued--;
	supervisor_step(&r->sup, &e, loop_now(r->loop), &actions);
	for (unsigned i = 0; i < actions.n; i++)
		act(r, &actions.v[i], q.why);
	if (r->sup.deadline.ns == MONO_NEVER.ns)
		loop_timer_cancel(r->loop, &r->sup_timer);
	else
		loop_timer_set(r->loop, &r->sup_timer, r->sup.deadline, on_sup_timer, r);
}

static void
tell_gone(struct runner *r)
{
	r->is_finished = false;
	if (r->out != NULL)
		output_flush(r->out, FLUSH_NS);
	if (r->err != NULL)
		output_flush(r->err, FLUSH_NS);
	if (r->cb.gone != NULL)
		r->cb.gone(r->cb.arg, r->sup.code, r->sup.signo);
	/* r may be free memory now. */
}

void
runner_event_end(struct runner *r, enum supervisor_event_kind kind, int code, int signo, const char *why)
{
	MUST(r->nqueued < QUEUE_MAX);
	struct queued *q = &r->queue[(r->head + r->nqueued++) % QUEUE_MAX];
	*q = (struct queued){ .kind = kind, .code = code, .signo = signo };
	if (why != NULL)
		snprintf(q->why, sizeof q->why, "%s", why);
	if (r->is_stepping)
		return;
	r->is_stepping = true;
	while (r->nqueued > 0)
		take_one(r);
	r->is_stepping = false;
	if (r->is_finished)
		tell_gone(r);
}

/* --- life -------------------------------------------------------------------------------- */

static struct probe *
new_probe(struct runner *r, const struct runner_probe *what, void (*done)(void *, bool, const char *))
{
	struct probe_opts o = {
		.what = *what, .app = r->has_app ? &r->app : NULL, .timeout_ns = r->o.probe_timeout_ns, .done = done,
		.arg = r,
	};

	/* Without a readiness of its own a program with an address is ready when that accepts. */
	if (what->kind == RUNNER_PROBE_NONE && done == runner_ready_probed && r->has_app)
		o.what = (struct runner_probe){ .kind = RUNNER_PROBE_TCP };
	switch (o.what.kind) {
	case RUNNER_PROBE_HTTP:
	case RUNNER_PROBE_TCP:
	case RUNNER_PROBE_CMD:
		return probe_new(r->loop, &o);
	default:
		return NULL;
	}
}

static enum err_code
new_notify(struct runner *r, struct err *err)
{
	/* A socket of ours that we inherited is not the program's to speak to. */
	if (r->o.ready.kind != RUNNER_PROBE_NOTIFY && r->o.notify_upward == NULL) {
		runner_set_env(r, "NOTIFY_SOCKET", NULL);
		return ERR_OK;
	}
	if ((r->notify = notify_new(r->loop, r->o.notify_upward, runner_ready_notified, r, err)) == NULL)
		return ERR_WRAPPER;
	runner_set_env(r, "NOTIFY_SOCKET", notify_address(r->notify));
	return ERR_OK;
}

static enum err_code
new_workload(struct runner *r, struct err *err)
{
	static const enum workload_kind kinds[] = {
		[RUNNER_APP_NONE] = WORKLOAD_NONE, [RUNNER_APP_PORT] = WORKLOAD_PORT,
		[RUNNER_APP_SOCKET] = WORKLOAD_SOCKET, [RUNNER_APP_STDIO] = WORKLOAD_STDIO,
	};
	struct workload_opts o = {
		.kind = kinds[r->o.app], .port = r->o.app_port, .socket = r->o.app_socket,
		.max_inflight = r->o.max_inflight, .max_queue = r->o.max_queue, .name = r->o.name,
	};

	r->workload = workload_new(r->loop, &o, err);
	return r->workload != NULL ? ERR_OK : ERR_CONFIG;
}

static void
new_outputs(struct runner *r)
{
	if (!r->o.log_prefix)
		return;
	char *prefix = mem_printf("%s | ", r->o.name);
	/* The stdout of a stdio program is the protocol. */
	if (r->o.app != RUNNER_APP_STDIO)
		r->out = output_new(r->loop, 1, prefix);
	r->err = output_new(r->loop, 2, prefix);
	mem_free(prefix);
}

/* rewritten: what the program gets instead of signo; 0 for nothing. */
static int
rewritten(const struct runner *r, int signo)
{
	for (size_t i = 0; i < r->o.nrewrites; i++)
		if (r->o.rewrites[i].from == signo)
			return r->o.rewrites[i].to;
	return signo;
}

struct runner *
runner_new(struct loop *loop, const struct runner_opts *o, const struct runner_callbacks *cb, struct err *err)
{
	struct runner *r;

	if (runner_check(o, err) != ERR_OK)
		return NULL;
	r = mem_new(sizeof *r);
	*r = (struct runner){ .magic = RUNNER_MAGIC, .loop = loop, .cb = *cb, .status = RUNNER_DOWN, .ready_fd = -1 };
	runner_opts_copy(&r->o, o);
	r->o.stop_signal = rewritten(r, r->o.stop_signal);
	struct supervisor_opts so = {
		.restart = r->o.restart, .seed = r->o.seed, .stop_signal = r->o.stop_signal,
		.kill_after_ns = r->o.kill_after_ns, .ready_timeout_ns = r->o.ready_timeout_ns,
	};
	supervisor_init(&r->sup, &so);
	r->has_app = runner_opts_app(&r->o, &r->app);
	if (reaper_start(loop, err) != ERR_OK)
		goto err0;
	if (new_notify(r, err) != ERR_OK)
		goto err1;
	if (new_workload(r, err) != ERR_OK)
		goto err2;
	r->ready = new_probe(r, &r->o.ready, runner_ready_probed);
	r->health = new_probe(r, &r->o.health, runner_health_probed);
	new_outputs(r);
	return r;
err2:
	notify_free(r->notify);
err1:
	reaper_stop(loop);
err0:
	runner_opts_release(&r->o);
	MAGIC_WIPE(r);
	mem_free(r);
	return NULL;
}

void
runner_free(struct runner *r)
{
	if (r == NULL)
		return;
	MAGIC_CHECK(r, RUNNER_MAGIC);
	MUST(!r->is_stepping);
	runner_run_end(r);
	loop_timer_cancel(r->loop, &r->sup_timer);
	output_free(r->err);
	output_free(r->out);
	probe_free(r->health);
	probe_free(r->ready);
	workload_free(r->workload);
	notify_free(r->notify);
	reaper_stop(r->loop);
	runner_opts_release(&r->o);
	MAGIC_WIPE(r);
	mem_free(r);
}

/* --- from outside ------------------------------------------------------------------------ */

void
runner_start(struct runner *r)
{
	MAGIC_CHECK(r, RUNNER_MAGIC);
	runner_event(r, SUPERVISOR_EV_START, NULL);
}

void
runner_stop(struct runner *r)
{
	MAGIC_CHECK(r, RUNNER_MAGIC);
	runner_event(r, SUPERVISOR_EV_STOP, NULL);
}

void
runner_kill(struct runner *r)
{
	MAGIC_CHECK(r, RUNNER_MAGIC);
	runner_event(r, SUPERVISOR_EV_KILL, NULL);
}

enum err_code
runner_signal(struct runner *r, int signo)
{
	MAGIC_CHECK(r, RUNNER_MAGIC);
	signo = rewritten(r, signo);
	if (signo == 0)
		return ERR_OK;
	if (r->guardian == NULL)
		return ERR_NOT_FOUND;
	return guardian_signal(r->guardian, signo);
}

void
runner_set_lease(struct runner *r, int64_t ns)
{
	MAGIC_CHECK(r, RUNNER_MAGIC);
	r->o.terms.lease_ns = ns;
}

void
runner_set_env(struct runner *r, const char *name, const char *value)
{
	char **env = (char **)(void *)r->o.env;

	MAGIC_CHECK(r, RUNNER_MAGIC);
	child_env_set(&env, name, value);
	r->o.env = env;
}

enum runner_status
runner_status(const struct runner *r)
{
	return r->status;
}

pid_t
runner_pid(const struct runner *r)
{
	return r->pid;
}

struct workload *
runner_workload(struct runner *r)
{
	return r->workload;
}

const char *
runner_status_text(const struct runner *r)
{
	return r->status_text;
}

void
runner_count(const struct runner *r, struct runner_counters *out)
{
	*out = (struct runner_counters){
		.starts = r->sup.starts, .restarts = r->sup.restarts, .probes = r->probes,
		.probe_failures = r->probe_failures, .ignored_events = r->sup.ignored,
		.reaped = r->reaped + reaper_orphans(),
	};
	if (r->guardian != NULL && !r->is_counted)
		out->reaped += guardian_reaped(r->guardian);
	if (r->out != NULL)
		out->output_bytes += output_bytes(r->out);
	if (r->err != NULL)
		out->output_bytes += output_bytes(r->err);
}

const char *
runner_status_name(enum runner_status s)
{
	static const char *const names[] = {
		[RUNNER_STARTING] = "starting", [RUNNER_READY] = "ready", [RUNNER_UNHEALTHY] = "unhealthy",
		[RUNNER_DOWN] = "down",
	};

	return names[s];
}
