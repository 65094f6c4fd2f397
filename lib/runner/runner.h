/* runner.h - one wrapped program: started, watched, called, restarted, stopped.
 *
 * The shell around supervisor.h: it turns processes, timers and probes into events for
 * that pure machine and carries out its actions.  What it knows about the program it tells
 * through two callbacks; what the world should think of the program is the caller's
 * business.  Several runners may share a loop.
 *
 * Everything belongs to the loop's thread (or to the one that will run it); nothing blocks.
 * Before the first runner_start: thread_block_signals, and main dispatches CHILD_SHIM_VERB
 * and GUARDIAN_VERB. */
#ifndef RUNNER_RUNNER_H
#define RUNNER_RUNNER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "runner/restart.h"
#include "runner/tether.h"
#include "runner/workload.h"
#include "sys/loop.h"

struct runner;

enum runner_app { RUNNER_APP_NONE, RUNNER_APP_PORT, RUNNER_APP_SOCKET, RUNNER_APP_STDIO };

enum runner_probe_kind {
	RUNNER_PROBE_NONE,
	RUNNER_PROBE_HTTP,	/* target: http://HOST:PORT/PATH, or /PATH on the app's port or socket; 2xx, 3xx are good */
	RUNNER_PROBE_TCP,	/* target: HOST:PORT, :PORT, PORT or unix:PATH; a connection is good */
	RUNNER_PROBE_CMD,	/* target: for /bin/sh -c; exit 0 is good */
	RUNNER_PROBE_FD,	/* readiness only: the program writes a newline to descriptor fd (s6 style) */
	RUNNER_PROBE_NOTIFY,	/* readiness only: READY=1 to NOTIFY_SOCKET (systemd style) */
};

/* HOST is a numeric address or "localhost": the loop cannot wait for a name server. */
struct runner_probe {
	enum runner_probe_kind kind;
	const char *target;
	int fd;			/* 3 … 255 */
};

struct runner_rewrite { int from, to; };	/* to 0: swallow it */

struct runner_opts {
	const char *name;		/* of the service; for log lines and prefixes */
	const char *const *argv;
	char *const *env;		/* the program's; NULL: this process's.  NOTIFY_SOCKET is ours to set */

	enum runner_app app;
	uint16_t app_port;
	const char *app_socket;

	struct runner_probe ready;	/* NONE: as soon as it runs, or accepts on app_port / app_socket */
	struct runner_probe health;	/* NONE: healthy while it runs */
	int64_t probe_interval_ns;	/* 0: 5 s */
	int64_t probe_timeout_ns;	/* 0: 500 ms */
	unsigned failures, successes;	/* 0: 3 to turn unhealthy, 2 to return */
	int64_t ready_timeout_ns;	/* 0: waits for ever; else it is stopped and restarted by policy */

	struct restart_policy restart;
	uint64_t seed;			/* of the restart jitter; 0: drawn */

	int stop_signal;		/* 0: SIGTERM */
	int64_t kill_after_ns;		/* 0: 5 s; negative: at once */
	const struct runner_rewrite *rewrites;
	size_t nrewrites;

	unsigned max_inflight, max_queue;	/* 0: 64 and 1024 */
	bool log_prefix;		/* "name | " before each line of the program's output */
	bool tty;			/* the program's group becomes the terminal's foreground */
	struct tether_terms terms;	/* of the lease that it runs under; without a tether: none */
	const char *notify_upward;	/* our own NOTIFY_SOCKET, where READY=1, STATUS= … go too; NULL: none */
};

enum runner_status { RUNNER_STARTING, RUNNER_READY, RUNNER_UNHEALTHY, RUNNER_DOWN };

struct runner_callbacks {
	void *arg;

	/* What can be told to the world changed.  DOWN comes as soon as the program ended;
	 * STARTING with each attempt.  why is a sentence, valid during the call. */
	void (*status)(void *arg, enum runner_status s, const char *why);

	/* The end, after runner_stop, or because the policy says so: nothing of the program is
	 * left.  exit_code is the program's own, 128 + n when signal n ended it (then
	 * killed_by_signal is n, else 0), or 125, 126, 127 when it could not be run.  Called
	 * once per runner_start; runner_free is fine from here. */
	void (*gone)(void *arg, int exit_code, int killed_by_signal);

	/* The lease ran low: the guardian told the program so (terms.lost_signal, lost_command), or
	 * killed it.  What it was told cannot be taken back, so the receiver has it stopped.
	 * Once per run; NULL is fine. */
	void (*lapsed)(void *arg);
};

/* runner_check(o, err): whether the options make sense, with the sentence that names the
 * wrong one and the remedy: ERR_CONFIG. */
enum err_code runner_check(const struct runner_opts *o, struct err *err);

/* runner_new(loop, o, cb, err): checks and copies everything; starts nothing.  From now
 * until runner_free the loop's SIGCHLD belongs to sys/reaper and this process is a child
 * subreaper. */
struct runner *runner_new(struct loop *loop, const struct runner_opts *o,
    const struct runner_callbacks *cb, struct err *err);

/* runner_free(r): NULL is fine.  Before `gone` it lets go of the guardian, which kills
 * everything by itself; no callback follows. */
void runner_free(struct runner *r);

/* runner_start(r): wants it up.  Ignored while it is; after `gone` it begins afresh. */
void runner_start(struct runner *r);

/* runner_stop(r): wants it down: stop signal to the group, after kill_after KILL, and
 * `gone` once nothing is left.  Always answered by `gone`, possibly before this returns
 * when nothing runs. */
void runner_stop(struct runner *r);
void runner_kill(struct runner *r);		/* the same, with KILL at once */

/* runner_signal(r, signo): to the program's group, after the rewriting table; ERR_NOT_FOUND
 * when nothing runs. */
enum err_code runner_signal(struct runner *r, int signo);

/* runner_set_lease(r, ns): D of the lease (terms.lease_ns), for the next start. */
void runner_set_lease(struct runner *r, int64_t ns);

/* runner_set_env(r, name, value): for the next start; value NULL removes. */
void runner_set_env(struct runner *r, const char *name, const char *value);

enum runner_status runner_status(const struct runner *r);
pid_t runner_pid(const struct runner *r);		/* 0 when it does not run */
struct workload *runner_workload(struct runner *r);	/* the runner's; for workload_call */
const char *runner_status_text(const struct runner *r);	/* last STATUS= of the program, "" if none */

struct runner_counters {
	uint64_t starts, restarts;	/* attempts; those after the first */
	uint64_t reaped;		/* orphans collected, by guardians and by this process */
	uint64_t probes, probe_failures;
	uint64_t ignored_events;	/* pairs that the state table does not list */
	uint64_t output_bytes;		/* prefixed through to our stdout and stderr */
};
void runner_count(const struct runner *r, struct runner_counters *out);

const char *runner_status_name(enum runner_status s);	/* "ready" */

#endif
