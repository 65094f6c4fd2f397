/* runner_opts.c - checking and keeping the runner's options. */
#include "runner/runner_opts.h"

#include <signal.h>

#include "base/id.h"
#include "base/mem.h"
#include "runner/probe.h"
#include "sys/child.h"

/* The figures of conventions.md §9. */
#define INTERVAL_NS (5 * NS_PER_S)
#define TIMEOUT_NS (500 * NS_PER_MS)
#define KILL_AFTER_NS (5 * NS_PER_S)
#define FAILURES 3
#define SUCCESSES 2
#define FD_MIN 3
#define FD_MAX 255
#define INFLIGHT_MAX 4096	/* one connection each */
#define QUEUE_MAX 1000000

bool
runner_opts_app(const struct runner_opts *o, struct dial_target *t)
{
	if (o->app == RUNNER_APP_PORT) {
		dial_port(o->app_port, t);
		return true;
	}
	return o->app == RUNNER_APP_SOCKET && dial_unix(o->app_socket, t, NULL) == ERR_OK;
}

static enum err_code
check_app(const struct runner_opts *o, struct err *err)
{
	struct dial_target t;

	if (o->app == RUNNER_APP_PORT && o->app_port == 0)
		return err_set(err, ERR_CONFIG, "--app-port 0 is no port: name the one on which the program listens");
	if (o->app == RUNNER_APP_SOCKET && o->app_socket == NULL)
		return err_set(err, ERR_CONFIG, "--app-socket has no path");
	if (o->app == RUNNER_APP_SOCKET)
		return dial_unix(o->app_socket, &t, err);
	if (o->app == RUNNER_APP_STDIO && o->tty)
		return err_set(err, ERR_CONFIG, "--app-stdio and --tty exclude each other: "
		    "the program's input is either calls or a terminal");
	return ERR_OK;
}

static enum err_code
check_probes(const struct runner_opts *o, struct err *err)
{
	struct dial_target t, *app = runner_opts_app(o, &t) ? &t : NULL;
	enum err_code rc;

	if (o->ready.kind == RUNNER_PROBE_FD && (o->ready.fd < FD_MIN || o->ready.fd > FD_MAX))
		return err_set(err, ERR_CONFIG, "--ready-fd %d: use a number from %d to %d", o->ready.fd, FD_MIN, FD_MAX);
	if (o->health.kind == RUNNER_PROBE_FD || o->health.kind == RUNNER_PROBE_NOTIFY)
		return err_set(err, ERR_CONFIG, "health cannot be told by a descriptor or NOTIFY_SOCKET: "
		    "use --health-http, --health-tcp or --health-cmd");
	if (o->ready.kind >= RUNNER_PROBE_HTTP && o->ready.kind <= RUNNER_PROBE_CMD &&
	    (rc = probe_check(&o->ready, app, err)) != ERR_OK) {
		err_prefix(err, "readiness");
		return rc;
	}
	if (o->health.kind != RUNNER_PROBE_NONE && (rc = probe_check(&o->health, app, err)) != ERR_OK) {
		err_prefix(err, "health");
		return rc;
	}
	return ERR_OK;
}

static bool
is_signal(int n)
{
	return n > 0 && n < NSIG;
}

static enum err_code
check_rest(const struct runner_opts *o, struct err *err)
{
	if (o->restart.max > RESTART_MAX)
		return err_set(err, ERR_CONFIG, "--max-restarts %u is more than %d", o->restart.max, RESTART_MAX);
	if (o->restart.max > 0 && o->restart.window_ns <= 0)
		return err_set(err, ERR_CONFIG, "--max-restarts has no window: write for example %u/1m", o->restart.max);
	if (o->stop_signal != 0 && !is_signal(o->stop_signal))
		return err_set(err, ERR_CONFIG, "--stop-signal %d is no signal", o->stop_signal);
	for (size_t i = 0; i < o->nrewrites; i++) {
		if (!is_signal(o->rewrites[i].from) || (o->rewrites[i].to != 0 && !is_signal(o->rewrites[i].to)))
			return err_set(err, ERR_CONFIG, "--rewrite-signal %d:%d: use numbers from 1 to %d, or 0 to swallow",
			    o->rewrites[i].from, o->rewrites[i].to, NSIG - 1);
	}
	if (o->terms.lost_signal != 0 && !is_signal(o->terms.lost_signal))
		return err_set(err, ERR_CONFIG, "--on-lost: %d is no signal", o->terms.lost_signal);
	if (o->max_inflight > INFLIGHT_MAX)
		return err_set(err, ERR_CONFIG, "--max-inflight %u is more than %d", o->max_inflight, INFLIGHT_MAX);
	if (o->max_queue > QUEUE_MAX)
		return err_set(err, ERR_CONFIG, "--max-queue %u is more than %d", o->max_queue, QUEUE_MAX);
	return ERR_OK;
}

enum err_code
runner_check(const struct runner_opts *o, struct err *err)
{
	enum err_code rc;

	if (o->name == NULL || *o->name == '\0')
		return err_set(err, ERR_CONFIG, "the program has no name");
	if (o->argv == NULL || o->argv[0] == NULL || o->argv[0][0] == '\0')
		return err_set(err, ERR_CONFIG, "there is no command: write it behind --");
	if ((rc = check_app(o, err)) != ERR_OK || (rc = check_probes(o, err)) != ERR_OK)
		return rc;
	return check_rest(o, err);
}

/* --- copies ------------------------------------------------------------------------------ */

void
runner_opts_copy(struct runner_opts *to, const struct runner_opts *from)
{
	*to = *from;
	to->name = mem_text(from->name);
	to->argv = mem_texts(from->argv);
	to->env = child_env_copy(from->env);
	to->app_socket = mem_text(from->app_socket);
	to->ready.target = mem_text(from->ready.target);
	to->health.target = mem_text(from->health.target);
	to->notify_upward = mem_text(from->notify_upward);
	to->terms.lost_command = mem_text(from->terms.lost_command);
	struct runner_rewrite *rw = mem_array(from->nrewrites, sizeof *rw);
	for (size_t i = 0; i < from->nrewrites; i++)
		rw[i] = from->rewrites[i];
	to->rewrites = rw;

	if (to->probe_interval_ns <= 0)
		to->probe_interval_ns = INTERVAL_NS;
	if (to->probe_timeout_ns <= 0)
		to->probe_timeout_ns = TIMEOUT_NS;
	if (to->failures == 0)
		to->failures = FAILURES;
	if (to->successes == 0)
		to->successes = SUCCESSES;
	if (to->stop_signal == 0)
		to->stop_signal = SIGTERM;
	if (to->kill_after_ns == 0)
		to->kill_after_ns = KILL_AFTER_NS;
	else if (to->kill_after_ns < 0)
		to->kill_after_ns = 0;
	if (to->seed == 0)
		to->seed = id_random();
}

/* The struct shows everything as const to its readers; here it is known to be ours. */
static void
drop(const void *p)
{
	mem_free((void *)(uintptr_t)p);
}

void
runner_opts_release(struct runner_opts *o)
{
	mem_texts_free(o->argv);
	child_env_free((char **)(uintptr_t)o->env);
	drop(o->name);
	drop(o->app_socket);
	drop(o->ready.target);
	drop(o->health.target);
	drop(o->notify_upward);
	drop(o->terms.lost_command);
	drop(o->rewrites);
}
