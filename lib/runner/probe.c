/* probe.c - HTTP, TCP and command probes behind one time-out. */
#include "runner/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/magic.h"
#include "base/mem.h"
#include "net/http.h"
#include "sys/child.h"
#include "sys/reaper.h"

#define PROBE_MAGIC 0x90be0001u
#define BODY_MAX (1u << 20)	/* of a health page; only its status counts */
#define WHY_MAX 200

struct probe {
	unsigned magic;
	struct loop *loop;
	struct probe_opts o;
	struct dial_target target;	/* HTTP, TCP */
	char *path, *host;		/* HTTP */
	char *command;			/* CMD */
	bool is_running;
	struct loop_timer timer;	/* its time-out, or a result that is told a turn later */
	char why[WHY_MAX];		/* of that result */

	struct http *http;
	struct http_call *call;
	int fd;				/* TCP */
	struct loop_fd *lf;
	struct reaper_watch watch;	/* CMD; pid 0 when none runs */
	pid_t pid;			/* of that command, until its group was killed */
};

/* --- targets --------------------------------------------------------------------------- */

/* split_url: "http://HOST:PORT/PATH" or "/PATH"; host is what the header says. */
static enum err_code
split_url(const char *url, const struct dial_target *app, struct dial_target *t, char **host, char **path,
    struct err *err)
{
	if (url[0] == '/' && app != NULL) {
		*t = *app;
		*host = mem_text("localhost");
		*path = mem_text(url);
		return ERR_OK;
	}
	if (url[0] == '/')
		return err_set(err, ERR_CONFIG, "the probe '%s' names no host and there is no --app-port or --app-socket: "
		    "use http://127.0.0.1:PORT%s", url, url);
	if (strncmp(url, "http://", 7) != 0)
		return err_set(err, ERR_CONFIG, "the probe '%s' is not http://HOST:PORT/PATH nor /PATH", url);
	const char *slash = strchr(url + 7, '/');
	size_t n = slash != NULL ? (size_t)(slash - url) - 7 : strlen(url + 7);
	char *where = mem_text_n(url + 7, n);
	/* [::1] has colons of its own. */
	const char *after = strchr(where, ']') != NULL ? strchr(where, ']') : where;
	char *full = strchr(after, ':') != NULL ? mem_text(where) : mem_printf("%s:80", where);
	enum err_code rc = dial_parse(full, t, err);
	mem_free(full);
	if (rc != ERR_OK) {
		mem_free(where);
		err_prefix(err, "the probe '%s'", url);
		return rc;
	}
	*host = where;
	*path = mem_text(slash != NULL ? slash : "/");
	return ERR_OK;
}

enum err_code
probe_check(const struct runner_probe *what, const struct dial_target *app, struct err *err)
{
	struct dial_target t;
	char *host, *path;
	enum err_code rc;

	if (what->target == NULL && (what->kind != RUNNER_PROBE_TCP || app == NULL))
		return err_set(err, ERR_CONFIG, "a probe has no target");
	switch (what->kind) {
	case RUNNER_PROBE_HTTP:
		if ((rc = split_url(what->target, app, &t, &host, &path, err)) == ERR_OK) {
			mem_free(host);
			mem_free(path);
		}
		return rc;
	case RUNNER_PROBE_TCP:
		if (what->target == NULL)
			return ERR_OK;
		if ((rc = dial_parse(what->target, &t, err)) != ERR_OK)
			err_prefix(err, "the probe '%s'", what->target);
		return rc;
	case RUNNER_PROBE_CMD:
		return *what->target != '\0' ? ERR_OK : err_set(err, ERR_CONFIG, "the command of a probe is empty");
	default:
		return ERR_OK;
	}
}

/* --- the end of a probe ---------------------------------------------------------------- */

static void
tidy(struct probe *p)
{
	loop_timer_cancel(p->loop, &p->timer);
	if (p->call != NULL)
		http_cancel(p->call);
	p->call = NULL;
	loop_fd_del(p->lf);
	p->lf = NULL;
	if (p->fd != -1)
		close(p->fd);
	p->fd = -1;
	/* Whatever the command started in its group goes with it. */
	if (p->watch.pid != 0) {
		kill(-p->pid, SIGKILL);
		reaper_unwatch(&p->watch);
	}
	p->pid = 0;
	p->is_running = false;
}

static void
end(struct probe *p, bool is_good, const char *why)
{
	char copy[WHY_MAX];

	snprintf(copy, sizeof copy, "%s", why);
	tidy(p);
	p->o.done(p->o.arg, is_good, copy);
}

static void
on_timeout(void *arg)
{
	struct probe *p = arg;
	char why[WHY_MAX];

	MAGIC_CHECK(p, PROBE_MAGIC);
	snprintf(why, sizeof why, "no answer within %lld ms", (long long)(p->o.timeout_ns / NS_PER_MS));
	end(p, false, why);
}

static void
on_failed_start(void *arg)
{
	struct probe *p = arg;

	MAGIC_CHECK(p, PROBE_MAGIC);
	end(p, false, p->why);
}

/* fail_later: what fails at once is told in the next turn, so that done never comes from
 * within probe_run. */
static void
fail_later(struct probe *p, const char *what, int errnum)
{
	if (errnum != 0)
		snprintf(p->why, sizeof p->why, "%s: %s", what, strerror(errnum));
	else
		snprintf(p->why, sizeof p->why, "%s", what);
	loop_timer_set(p->loop, &p->timer, loop_now(p->loop), on_failed_start, p);
}

/* --- HTTP ------------------------------------------------------------------------------ */

static void
on_http(void *arg, const struct http_answer *a)
{
	struct probe *p = arg;
	char why[WHY_MAX];

	MAGIC_CHECK(p, PROBE_MAGIC);
	p->call = NULL;
	if (a->code != ERR_OK) {
		end(p, false, a->why);
		return;
	}
	snprintf(why, sizeof why, "HTTP %d", a->status);
	end(p, a->status >= 200 && a->status <= 399, why);
}

static void
run_http(struct probe *p)
{
	/* Not kept alive: a server of one connection at a time has better things to serve. */
	struct http_header close_it = { "Connection", text_of("close") };
	struct http_request q = {
		.method = "GET", .path = p->path, .host = p->host, .headers = &close_it, .nheaders = 1,
	};
	struct str bytes = STR_INIT;

	http_compose(&bytes, &q);
	p->call = http_send(p->http, &bytes, on_http, p);
	MUST(p->call != NULL);
	str_release(&bytes);
}

/* --- TCP ------------------------------------------------------------------------------- */

static void
on_connected(void *arg, unsigned got)
{
	struct probe *p = arg;
	int e = dial_result(p->fd);

	(void)got;
	MAGIC_CHECK(p, PROBE_MAGIC);
	end(p, e == 0, e == 0 ? "connected" : strerror(e));
}

static void
run_tcp(struct probe *p)
{
	int e;

	if ((p->fd = dial_start(&p->target, &e)) == -1) {
		fail_later(p, "no connection", e);
		return;
	}
	if ((p->lf = loop_fd_add(p->loop, p->fd, LOOP_WRITE, on_connected, p, NULL)) == NULL)
		fail_later(p, "no connection", EMFILE);
}

/* --- commands -------------------------------------------------------------------------- */

static void
on_command_ended(void *arg, int wstatus)
{
	struct probe *p = arg;
	char why[WHY_MAX];

	MAGIC_CHECK(p, PROBE_MAGIC);
	/* It was reaped, but what it left in its group keeps the group's number taken. */
	kill(-p->pid, SIGKILL);
	p->pid = 0;
	if (WIFSIGNALED(wstatus))
		snprintf(why, sizeof why, "the command was ended by signal %d", WTERMSIG(wstatus));
	else
		snprintf(why, sizeof why, "the command ended with exit code %d", WEXITSTATUS(wstatus));
	end(p, wstatus == 0, why);
}

static void
run_command(struct probe *p, char *const *env)
{
	const char *argv[] = { "/bin/sh", "-c", p->command, NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct child_fd fds[] = { { null, 0 }, { null, 1 }, { null, 2 } };
	struct child_opts c = {
		.argv = argv, .env = env, .fds = fds, .nfds = 3, .own_group = true, .dies_with_parent = true,
	};
	struct err err = { 0 };

	if (null == -1) {
		fail_later(p, "cannot open /dev/null", errno);
		return;
	}
	if (child_spawn(&c, &p->pid, &err) == ERR_OK)
		reaper_watch(&p->watch, p->pid, on_command_ended, p);
	else
		fail_later(p, err.text, 0);
	close(null);
}

/* --- life ------------------------------------------------------------------------------ */

bool
probe_run(struct probe *p, char *const *env)
{
	MAGIC_CHECK(p, PROBE_MAGIC);
	if (p->is_running)
		return false;
	p->is_running = true;
	loop_timer_set(p->loop, &p->timer, mono_after(clock_mono(loop_clock(p->loop)), p->o.timeout_ns),
	    on_timeout, p);
	if (p->o.what.kind == RUNNER_PROBE_HTTP)
		run_http(p);
	else if (p->o.what.kind == RUNNER_PROBE_TCP)
		run_tcp(p);
	else
		run_command(p, env);
	return true;
}

void
probe_cancel(struct probe *p)
{
	MAGIC_CHECK(p, PROBE_MAGIC);
	if (p->is_running)
		tidy(p);
}

struct probe *
probe_new(struct loop *loop, const struct probe_opts *o)
{
	struct probe *p = mem_new(sizeof *p);
	const char *target = o->what.target;

	*p = (struct probe){ .magic = PROBE_MAGIC, .loop = loop, .o = *o, .fd = -1 };
	if (o->what.kind == RUNNER_PROBE_HTTP) {
		MUST(split_url(target, o->app, &p->target, &p->host, &p->path, NULL) == ERR_OK);
		p->http = http_new(loop, &(struct http_opts){ .target = p->target, .max_conns = 1, .max_body = BODY_MAX });
	} else if (o->what.kind == RUNNER_PROBE_TCP && target == NULL) {
		p->target = *o->app;
	} else if (o->what.kind == RUNNER_PROBE_TCP) {
		MUST(dial_parse(target, &p->target, NULL) == ERR_OK);
	} else {
		p->command = mem_text(target);
	}
	p->o.what.target = NULL;	/* the caller's memory */
	p->o.app = NULL;
	return p;
}

void
probe_free(struct probe *p)
{
	if (p == NULL)
		return;
	probe_cancel(p);
	http_free(p->http);
	mem_free(p->path);
	mem_free(p->host);
	mem_free(p->command);
	MAGIC_WIPE(p);
	mem_free(p);
}
