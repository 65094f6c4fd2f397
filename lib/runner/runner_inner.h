/* runner_inner.h - inside lib/runner: a runner from within, for the files that it is made of.
 *
 * runner.c steps the machine and carries out its actions, runner_run.c owns one run of the
 * program, runner_ready.c finds out whether it is ready and well. */
#ifndef RUNNER_RUNNER_INNER_H
#define RUNNER_RUNNER_INNER_H

#include "net/dial.h"
#include "runner/guardian.h"
#include "runner/health.h"
#include "runner/notify.h"
#include "runner/output.h"
#include "runner/probe.h"
#include "runner/runner.h"
#include "runner/supervisor.h"

#define RUNNER_MAGIC 0x40e40e40u
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
	bool has_lapsed;		/* its lease ran low */
	struct loop_timer turn;		/* tells its guardian that the loop turns */
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

/* runner_event(r, kind, why), runner_event_end(…): gives the machine an event; why is copied.
 * code and signo are those of an end. */
void runner_event(struct runner *r, enum supervisor_event_kind kind, const char *why);
void runner_event_end(struct runner *r, enum supervisor_event_kind kind, int code, int signo, const char *why);

/* One run: runner_run_begin starts a guardian with its pipes, runner_run_signal reaches the
 * program's group through it. */
enum err_code runner_run_begin(struct runner *r, struct err *err);
void runner_run_end_program(struct runner *r);	/* what ends with the program itself */
void runner_run_end(struct runner *r);		/* what ends with the run */

/* Readiness and health of the present run. */
void runner_ready_begin(struct runner *r);	/* it runs */
void runner_ready_heard(void *arg, unsigned got);	/* its readiness descriptor has something */
void runner_ready_close(struct runner *r);
void runner_ready_probed(void *arg, bool is_good, const char *why);
void runner_ready_notified(void *arg, const struct notify_news *n);
void runner_health_begin(struct runner *r);	/* it is ready */
void runner_health_probed(void *arg, bool is_good, const char *why);
void runner_probe_stop(struct runner *r);

#endif
