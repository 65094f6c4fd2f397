/* runner_run.c - one run of the program: its guardian, its pipes, the terminal, its end. */
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "runner/runner_inner.h"
#include "runner/runner_opts.h"
#include "sys/child.h"
#include "sys/reaper.h"

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
		r->ready_lf = loop_fd_add(r->loop, r->ready_fd, LOOP_READ, runner_ready_heard, r, NULL);
	}
}

static void on_guardian(void *arg, const struct guardian_event *e);

/* --- the lease -------------------------------------------------------------------------- */

#define TURNS 16	/* in the time after which a standing loop is taken for hung */

static void
turn(void *arg)
{
	struct runner *r = arg;

	MAGIC_CHECK(r, RUNNER_MAGIC);
	tether_turn(r->o.terms.tether);
	loop_timer_set(r->loop, &r->turn, mono_after(loop_now(r->loop), r->o.terms.hang_ns / TURNS), turn, r);
}

static void
on_lapsed(struct runner *r)
{
	if (r->has_lapsed)
		return;
	r->has_lapsed = true;
	log_warning(EV_RUNNER_LAPSED, LOG_F(LOG_S("workload", r->o.name), LOG_N("pid", r->pid)),
	    "the lease of %s is running out, its guardian ends it", r->o.name);
	if (r->cb.lapsed != NULL)
		r->cb.lapsed(r->cb.arg);
}

enum err_code
runner_run_begin(struct runner *r, struct err *err)
{
	struct pipes p;
	enum err_code rc;

	if ((rc = make_pipes(r, &p, err)) != ERR_OK)
		return rc;
	struct guardian_opts g = {
		.argv = r->o.argv, .env = r->o.env, .in = p.theirs[0], .out = p.theirs[1], .err = p.theirs[2],
		.ready_fd = p.theirs[3], .ready_number = r->o.ready.fd, .terms = r->o.terms,
		.event = on_guardian, .arg = r,
	};
	r->guardian = guardian_new(r->loop, &g, err);
	pipes_close(p.theirs);
	if (r->guardian == NULL) {
		pipes_close(p.ours);
		return ERR_WRAPPER;
	}
	if (r->o.terms.tether != NULL && r->o.terms.hang_ns > 0)
		turn(r);
	r->is_counted = r->has_lapsed = false;
	r->status_text[0] = '\0';
	take_pipes(r, &p);
	return ERR_OK;
}

/* runner_run_end_program: it ended; what it left behind may still run. */
void
runner_run_end_program(struct runner *r)
{
	runner_probe_stop(r);
	runner_ready_close(r);
	if (r->pid != 0)
		give_terminal(r, getpgrp());
	r->pid = 0;
	workload_down(r->workload);
}

void
runner_run_end(struct runner *r)
{
	runner_run_end_program(r);
	if (r->guardian != NULL && !r->is_counted)
		r->reaped += guardian_reaped(r->guardian);
	r->is_counted = true;
	guardian_free(r->guardian);
	r->guardian = NULL;
	loop_timer_cancel(r->loop, &r->turn);
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
	runner_run_end_program(r);
	runner_event_end(r, SUPERVISOR_EV_EXITED, child_exit_code(wstatus), signo, why);
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
		runner_event(r, SUPERVISOR_EV_STARTED, NULL);
		return;
	case GUARDIAN_FAILED:
		snprintf(r->ended, sizeof r->ended, "%s", e->text);
		r->has_failed = true;
		runner_run_end(r);
		runner_event_end(r, SUPERVISOR_EV_FAILED, err_exit(e->code), 0, r->ended);
		return;
	case GUARDIAN_EXITED:
		on_exited(r, e->wstatus);
		return;
	case GUARDIAN_EMPTY:
		runner_run_end(r);
		runner_event(r, SUPERVISOR_EV_EMPTY, NULL);
		return;
	case GUARDIAN_LAPSED:
		on_lapsed(r);
		return;
	case GUARDIAN_LOST:
		if (r->ended[0] == '\0')
			snprintf(r->ended, sizeof r->ended, "its guardian died, and it with it");
		runner_run_end(r);
		runner_event(r, SUPERVISOR_EV_LOST, NULL);
		return;
	}
}
