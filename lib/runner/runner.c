/* runner.c - the shell: processes, timers and probes into events, actions into calls.
 *
 * Events are queued and taken one after the other, because carrying out an action may
 * bring the next event (a start that fails at once, a callback that stops us).  What a run
 * owns (guardian, pipes, readiness) is torn down before the event that ends it is taken,
 * so that the next run, which that event may begin, finds a clean table.
 *
 * `gone` is the last thing done in a turn: its receiver may free us. */
#include "runner/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "net/dial.h"
#include "runner/guardian.h"
#include "runner/health.h"
#include "runner/notify.h"
#include "runner/output.h"
#include "runner/probe.h"
#include "runner/runner_opts.h"
#include "runner/supervisor.h"
#include "sys/child.h"
#include "sys/reaper.h"

#define RUNNER_MAGIC 0x40e40e40u
#define READY_FIRST_NS (20 * NS_PER_MS)		/* readiness is asked often at first … */
#define READY_LONGEST_NS (1 * NS_PER_S)		/* … and a slow starter not forgotten */
#define FLUSH_NS (200 * NS_PER_MS)		/* for a slow reader of the last lines of output */
#define QUEUE_MAX 16		/* one step brings two events at most; ends never pile up */
#define WHY_MAX 240
#define STATUS_MAX 200

struct queued {
	enum supervisor_event_kind kind;
	int code, signo;
	char why[WHY_MAX];
};

struct runner {
	unsigned magic;
	struct loop *loop;
	struct runner_opts o;		/* texts and lists are ours */
	struct runner_callbacks cb;
	struct supervisor sup;
	struct loop_timer sup_timer;
	struct queued queue[QUEUE_MAX];
	unsigned head, nqueued;
	bool is_stepping;
	bool is_finished;		/* gone is due */
	enum runner_status status;
	char status_text[STATUS_MAX];

	/* of the present run */
	struct guardian *guardian;
	pid_t pid;
	int ready_fd;			/* reading end of the readiness pipe, or -1 */
	struct loop_fd *ready_lf;
	bool is_counted;		/* the guardian's orphans are in `reaped` */
	bool has_failed;		/* it could not be executed */
	char ended[WHY_MAX];		/* how it ended, for the log */

	bool has_app;
	struct dial_target app;
	struct workload *workload;
	struct probe *ready, *health;
	struct health verdict;
	struct loop_timer ready_timer, health_timer;
	int64_t ready_wait_ns;
	struct notify *notify;
	struct output *out, *err;

	uint64_t reaped, probes, probe_failures;
};

static void dispatch(struct runner *r, enum supervisor_event_kind kind, int code, int signo, const char *why);

static void
event(struct runner *r, enum supervisor_event_kind kind, const char *why)
{
	dispatch(r, kind, 0, 0, why);
}

/* --- readiness and health --------------------------------------------------------------- */

static void
stop_probing(struct runner *r)
{
	loop_timer_cancel(r->loop, &r->ready_timer);
	loop_timer_cancel(r->loop, &r->health_timer);
	if (r->ready != NULL)
		probe_cancel(r->ready);
	if (r->health != NULL)
		probe_cancel(r->health);
}

static void
close_ready_fd(struct runner *r)
{
	loop_fd_del(r->ready_lf);
	r->ready_lf = NULL;
	if (r->ready_fd != -1)
		close(r->ready_fd);
	r->ready_fd = -1;
}

static void
ask_ready(void *arg)
{
	struct runner *r = arg;

	MAGIC_CHECK(r, RUNNER_MAGIC);
	r->probes += probe_run(r->ready, r->o.env);
}

static void
on_ready_probe(void *arg, bool is_good, const char *why)
{
	struct runner *r = arg;

	MAGIC_CHECK(r, RUNNER_MAGIC);
	if (is_good) {
		event(r, SUPERVISOR_EV_MADE_READY, why);
		return;
	}
	/* A program that is not there yet is no failure, so it is not counted as one. */
	loop_timer_set(r->loop, &r->ready_timer, mono_after(loop_now(r->loop), r->ready_wait_ns), ask_ready, r);
	if ((r->ready_wait_ns *= 2) > READY_LONGEST_NS)
		r->ready_wait_ns = READY_LONGEST_NS;
}

static void
on_ready_fd(void *arg, unsigned got)
{
	struct runner *r = arg;
	char buf[64];
	ssize_t n;

	(void)got;
	MAGIC_CHECK(r, RUNNER_MAGIC);
	n = read(r->ready_fd, buf, sizeof buf);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		log_warning(EV_RUNNER_CHILD_READY, LOG_F(LOG_S("workload", r->o.name)),
		    "%s closed descriptor %d without having written a line: it will not become ready", r->o.name,
		    r->o.ready.fd);
		close_ready_fd(r);
	} else if (memchr(buf, '\n', (size_t)n) != NULL) {
		close_ready_fd(r);
		event(r, SUPERVISOR_EV_MADE_READY, "it wrote a line to its readiness descriptor");
	}
}

static void
on_notify(void *arg, const struct notify_news *n)
{
	struct runner *r = arg;

	MAGIC_CHECK(r, RUNNER_MAGIC);
	if (n->status != NULL)
		snprintf(r->status_text, sizeof r->status_text, "%s", n->status);
	/* Beside another kind of readiness the socket only carries STATUS= and goes upward. */
	if (n->is_ready && r->o.ready.kind == RUNNER_PROBE_NOTIFY)
		event(r, SUPERVISOR_EV_MADE_READY, "it sent READY=1");
}

/* begin_ready: the program runs; when is it ready?  ready_wait_ns is at its start here. */
static void
begin_ready(struct runner *r)
{
	r->ready_wait_ns = READY_FIRST_NS;
	if (r->ready != NULL)
		ask_ready(r);
	else if (r->o.ready.kind == RUNNER_PROBE_NONE)
		event(r, SUPERVISOR_EV_MADE_READY, "it runs");
}

static void
ask_health(void *arg)
{
	struct runner *r = arg;

	MAGIC_CHECK(r, RUNNER_MAGIC);
	loop_timer_set(r->loop, &r->health_timer, mono_after(loop_now(r->loop), r->o.probe_interval_ns),
	    ask_health, r);
	r->probes += probe_run(r->health, r->o.env);
}

static void
on_health_probe(void *arg, bool is_good, const char *why)
{
	struct runner *r = arg;
	char text[WHY_MAX];

	MAGIC_CHECK(r, RUNNER_MAGIC);
	if (!is_good) {
		r->probe_failures++;
		workload_yield(r->workload);
	}
	switch (health_note(&r->verdict, is_good)) {
	case HEALTH_SAME:
		return;
	case HEALTH_TURNED_BAD:
		snprintf(text, sizeof text, "%u health checks in a row failed, the last: %.150s", r->o.failures, why);
		event(r, SUPERVISOR_EV_TURNED_BAD, text);
		return;
	case HEALTH_TURNED_GOOD:
		snprintf(text, sizeof text, "%u health checks in a row succeeded", r->o.successes);
		event(r, SUPERVISOR_EV_TURNED_GOOD, text);
		return;
	}
}

static void
begin_health(struct runner *r)
{
	if (r->health == NULL || loop_timer_pending(&r->health_timer))
		return;
	health_init(&r->verdict, r->o.failures, r->o.successes);
	loop_timer_set(r->loop, &r->health_timer, mono_after(loop_now(r->loop), r->o.probe_interval_ns),
	    ask_health, r);
}

/* --- the terminal ----------------------------------------------------------------------- */

/* give_terminal: group becomes the foreground; the signal for those who try that from the
 * background is held off meanwhile. */
static void
give_terminal(const struct runner *r, pid_t group)
{
	sigset_t ttou, was;

	if (!r->o.tty || !isatty(0))
		return;
	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &ttou, &was);
	if (tcsetpgrp(0, group) == -1)
		log_warning(EV_CONFIG_NOTE, LOG_NONE, "the terminal cannot be handed over: %s", strerror(errno));
	pthread_sigmask(SIG_SETMASK, &was, NULL);
}

/* --- one run ---------------------------------------------------------------------------- */

/* The program's descriptors: its ends, which are closed here once the guardian has them,
 * and ours.  -1 where it has what we have. */
struct pipes {
	int theirs[4];		/* 0, 1, 2, readiness */
	int ours[4];
};

static void
pipes_close(int v[4])
{
	for (int i = 0; i < 4; i++) {
		if (v[i] != -1)
			close(v[i]);
		v[i] = -1;
	}
}

static enum err_code
make_pipe(struct pipes *p, int i, bool child_reads, struct err *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) == -1)
		return err_errno(err, ERR_WRAPPER, errno, "cannot make a pipe for the program");
	p->theirs[i] = ends[child_reads ? 0 : 1];
	p->ours[i] = ends[child_reads ? 1 : 0];
	return ERR_OK;
}

static enum err_code
make_pipes(const struct runner *r, struct pipes *p, struct err *err)
{
	bool stdio = r->o.app == RUNNER_APP_STDIO;
	enum err_code rc = ERR_OK;

	*p = (struct pipes){ { -1, -1, -1, -1 }, { -1, -1, -1, -1 } };
	if (stdio)
		rc = make_pipe(p, 0, true, err);
	else if (!r->o.tty && isatty(0))
		/* In the background a read from the terminal would stop it for good. */
		p->theirs[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (rc == ERR_OK && (stdio || r->out != NULL))
		rc = make_pipe(p, 1, false, err);
	if (rc == ERR_OK && r->err != NULL)
		rc = make_pipe(p, 2, false, err);
	if (rc == ERR_OK && r->o.ready.kind == RUNNER_PROBE_FD)
		rc = make_pipe(p, 3, false, err);
	if (rc != ERR_OK) {
		pipes_close(p->theirs);
		pipes_close(p->ours);
	}
	return rc;
}

static void
take_pipes(struct runner *r, struct pipes *p)
{
	if (r->o.app == RUNNER_APP_STDIO)
		workload_attach(r->workload, p->ours[0], p->ours[1]);
	else if (r->out != NULL)
		output_attach(r->out, p->ours[1]);
	if (r->err != NULL)
		output_attach(r->err, p->ours[2]);
	if (p->ours[3] != -1) {
		r->ready_fd = p->ours[3];
		fcntl(r->ready_fd, F_SETFL, O_NONBLOCK);
		r->ready_lf = loop_fd_add(r->loop, r->ready_fd, LOOP_READ, on_ready_fd, r, NULL);
	}
}

static void on_guardian(void *arg, const struct guardian_event *e);

static enum err_code
start_run(struct runner *r, struct err *err)
{
	struct pipes p;
	enum err_code rc;

	if ((rc = make_pipes(r, &p, err)) != ERR_OK)
		return rc;
	struct guardian_opts g = {
		.argv = r->o.argv, .env = r->o.env, .in = p.theirs[0], .out = p.theirs[1], .err = p.theirs[2],
		.ready_fd = p.theirs[3], .ready_number = r->o.ready.fd, .event = on_guardian, .arg = r,
	};
	r->guardian = guardian_new(r->loop, &g, err);
	pipes_close(p.theirs);
	if (r->guardian == NULL) {
		pipes_close(p.ours);
		return ERR_WRAPPER;
	}
	r->is_counted = false;
	r->status_text[0] = '\0';
	take_pipes(r, &p);
	return ERR_OK;
}

/* end_program: it ended; what it left behind may still run. */
static void
end_program(struct runner *r)
{
	stop_probing(r);
	close_ready_fd(r);
	if (r->pid != 0)
		give_terminal(r, getpgrp());
	r->pid = 0;
	workload_down(r->workload);
}

static void
end_run(struct runner *r)
{
	end_program(r);
	if (r->guardian != NULL && !r->is_counted)
		r->reaped += guardian_reaped(r->guardian);
	r->is_counted = true;
	guardian_free(r->guardian);
	r->guardian = NULL;
	if (r->out != NULL)
		output_detach(r->out);
	if (r->err != NULL)
		output_detach(r->err);
}

static void
on_exited(struct runner *r, int wstatus)
{
	int signo = WIFSIGNALED(wstatus) ? WTERMSIG(wstatus) : 0;
	char why[WHY_MAX];

	if (signo != 0)
		snprintf(why, sizeof why, "process %d was ended by signal %d (%s)", (int)r->pid, signo,
		    sigabbrev_np(signo) != NULL ? sigabbrev_np(signo) : "?");
	else
		snprintf(why, sizeof why, "process %d ended with exit code %d", (int)r->pid, WEXITSTATUS(wstatus));
	memcpy(r->ended, why, sizeof why);
	end_program(r);
	dispatch(r, SUPERVISOR_EV_EXITED, child_exit_code(wstatus), signo, why);
}

static void
on_guardian(void *arg, const struct guardian_event *e)
{
	struct runner *r = arg;

	MAGIC_CHECK(r, RUNNER_MAGIC);
	switch (e->kind) {
	case GUARDIAN_STARTED:
		r->pid = e->pid;
		r->ended[0] = '\0';
		r->has_failed = false;
		give_terminal(r, r->pid);
		/* It may have asked for the terminal before it had it, and be stopped for that. */
		if (r->o.tty)
			guardian_signal(r->guardian, SIGCONT);
		event(r, SUPERVISOR_EV_STARTED, NULL);
		return;
	case GUARDIAN_FAILED:
		snprintf(r->ended, sizeof r->ended, "%s", e->text);
		r->has_failed = true;
		end_run(r);
		dispatch(r, SUPERVISOR_EV_FAILED, err_exit(e->code), 0, r->ended);
		return;
	case GUARDIAN_EXITED:
		on_exited(r, e->wstatus);
		return;
	case GUARDIAN_EMPTY:
		end_run(r);
		event(r, SUPERVISOR_EV_EMPTY, NULL);
		return;
	case GUARDIAN_LOST:
		if (r->ended[0] == '\0')
			snprintf(r->ended, sizeof r->ended, "its guardian died, and it with it");
		end_run(r);
		event(r, SUPERVISOR_EV_LOST, NULL);
		return;
	}
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
	if (start_run(r, &err) != ERR_OK) {
		snprintf(r->ended, sizeof r->ended, "%.*s", (int)sizeof r->ended - 1, err.text);
		r->has_failed = true;
		end_run(r);
		dispatch(r, SUPERVISOR_EV_FAILED, err_exit(ERR_WRAPPER), 0, r->ended);
	}
}

static void
act_signal(struct runner *r, int signo)
{
	if (r->guardian == NULL)
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
		begin_health(r);
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
		stop_probing(r);
		act_signal(r, a->value);
		break;
	case SUPERVISOR_KILL_ALL:
		stop_probing(r);
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
			begin_ready(r);
		break;
	}
}

static void
on_sup_timer(void *arg)
{
	struct runner *r = arg;

	MAGIC_CHECK(r, RUNNER_MAGIC);
	event(r, SUPERVISOR_EV_TIMER, NULL);
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

static void
dispatch(struct runner *r, enum supervisor_event_kind kind, int code, int signo, const char *why)
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
	if (what->kind == RUNNER_PROBE_NONE && done == on_ready_probe && r->has_app)
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
	if ((r->notify = notify_new(r->loop, r->o.notify_upward, on_notify, r, err)) == NULL)
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
	r->ready = new_probe(r, &r->o.ready, on_ready_probe);
	r->health = new_probe(r, &r->o.health, on_health_probe);
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
	end_run(r);
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
	event(r, SUPERVISOR_EV_START, NULL);
}

void
runner_stop(struct runner *r)
{
	MAGIC_CHECK(r, RUNNER_MAGIC);
	event(r, SUPERVISOR_EV_STOP, NULL);
}

void
runner_kill(struct runner *r)
{
	MAGIC_CHECK(r, RUNNER_MAGIC);
	event(r, SUPERVISOR_EV_KILL, NULL);
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
