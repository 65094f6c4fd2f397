/* guardian.c - the wrapper's end: starting a guardian, giving orders, hearing news.
 *
 * A guardian is known to be lost only when both are in: the process was reaped and the
 * socket is read to its end.  Either alone may overtake the last news.
 * One message is taken per callback, as its receiver may free us. */
#include "runner/guardian.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "base/str.h"
#include "runner/guardian_wire.h"
#include "sys/child.h"
#include "sys/reaper.h"

#define GUARDIAN_MAGIC 0x60a4d1a0u
#define SWEEP_NS (5 * NS_PER_MS)

struct guardian {
	unsigned magic;
	struct loop *loop;
	int sock;
	struct loop_fd *fd;		/* NULL once the end of file was seen */
	struct reaper_watch watch;
	pid_t pid;
	bool is_dead;			/* reaped */
	int wstatus;			/* how it died */
	bool is_over;			/* the last event was told */
	uint64_t reaped;
	struct loop_timer sweep;
	void (*event)(void *arg, const struct guardian_event *e);
	void *arg;
};

/* --- a guardian that died under us ------------------------------------------------------ */

/* The kernel has killed the program (PDEATHSIG); its descendants are our children now. */
static void
sweep(void *arg)
{
	struct guardian *g = arg;

	MAGIC_CHECK(g, GUARDIAN_MAGIC);
	if (reaper_kill_adopted() > 0) {
		loop_timer_set(g->loop, &g->sweep, mono_after(loop_now(g->loop), SWEEP_NS), sweep, g);
		return;
	}
	g->is_over = true;
	g->event(g->arg, &(struct guardian_event){ .kind = GUARDIAN_LOST });
}

static void
check_lost(struct guardian *g)
{
	if (!g->is_dead || g->fd != NULL || g->is_over)
		return;
	log_warning(EV_RUNNER_GUARDIAN, LOG_F(LOG_N("guardian", g->pid)),
	    "the guardian process %d died (code %d), killing what is left of the program", (int)g->pid,
	    child_exit_code(g->wstatus));
	sweep(g);
}

static void
on_dead(void *arg, int wstatus)
{
	struct guardian *g = arg;

	MAGIC_CHECK(g, GUARDIAN_MAGIC);
	g->wstatus = wstatus;
	g->is_dead = true;
	check_lost(g);
}

/* --- news ------------------------------------------------------------------------------ */

static enum err_code
code_of(int exit_code)
{
	if (exit_code == err_exit(ERR_NO_COMMAND))
		return ERR_NO_COMMAND;
	return exit_code == err_exit(ERR_NOT_EXECUTABLE) ? ERR_NOT_EXECUTABLE : ERR_WRAPPER;
}

static void
take_news(struct guardian *g, const struct guardian_message *m)
{
	struct guardian_event e = { .text = m->text };

	g->reaped = m->reaped;
	switch (m->word) {
	case WORD_STARTED:
		e.kind = GUARDIAN_STARTED;
		e.pid = m->value;
		break;
	case WORD_FAILED:
		e.kind = GUARDIAN_FAILED;
		e.code = code_of(m->value);
		g->is_over = true;
		break;
	case WORD_EXITED:
		e.kind = GUARDIAN_EXITED;
		e.wstatus = m->value;
		break;
	case WORD_EMPTY:
		e.kind = GUARDIAN_EMPTY;
		g->is_over = true;
		break;
	case WORD_LAPSED:
		e.kind = GUARDIAN_LAPSED;
		break;
	default:
		return;
	}
	g->event(g->arg, &e);
}

static void
on_news(void *arg, unsigned got)
{
	struct guardian *g = arg;
	struct guardian_message m;

	(void)got;
	MAGIC_CHECK(g, GUARDIAN_MAGIC);
	ssize_t n = recv(g->sock, &m, sizeof m - 1, MSG_DONTWAIT);
	/* A guardian that ended without having read all orders shows as a reset once, in front of
	 * its last news; they follow. */
	if (n == -1 && (errno == EAGAIN || errno == EINTR || errno == ECONNRESET))
		return;
	if (n < (ssize_t)GUARDIAN_HEAD) {
		loop_fd_del(g->fd);
		g->fd = NULL;
		/* It closes its end only by ending; if it hangs on the way out, help it. */
		guardian_kill_hard(g);
		check_lost(g);
		return;
	}
	((char *)&m)[n] = '\0';
	take_news(g, &m);
}

/* --- orders ---------------------------------------------------------------------------- */

static enum err_code
order(struct guardian *g, enum guardian_word word, int value)
{
	struct guardian_message m = { .word = word, .value = value };

	if (g->is_over || g->fd == NULL)
		return ERR_OK;		/* nothing is left to take it */
	if (send(g->sock, &m, GUARDIAN_HEAD, MSG_NOSIGNAL | MSG_DONTWAIT) == -1)
		return errno == EAGAIN ? ERR_BUSY : ERR_OK;
	return ERR_OK;
}

enum err_code
guardian_signal(struct guardian *g, int signo)
{
	MAGIC_CHECK(g, GUARDIAN_MAGIC);
	return order(g, WORD_SIGNAL, signo);
}

void
guardian_kill(struct guardian *g)
{
	MAGIC_CHECK(g, GUARDIAN_MAGIC);
	if (order(g, WORD_KILL, 0) != ERR_OK)
		guardian_kill_hard(g);
	/* One that is stopped would read it too late: another member may lead by then. */
	else if (!g->is_dead)
		kill(g->pid, SIGCONT);
}

void
guardian_kill_hard(struct guardian *g)
{
	MAGIC_CHECK(g, GUARDIAN_MAGIC);
	if (!g->is_dead && !g->is_over)
		kill(g->pid, SIGKILL);
}

/* --- life ------------------------------------------------------------------------------ */

/* words: "SELF __guardian NUMBERS ON-LOST -- cmd…". */
static const char **
words(const struct guardian_opts *o, const char *numbers)
{
	size_t n = 0;

	while (o->argv[n] != NULL)
		n++;
	const char **v = mem_array(n + 6, sizeof *v);
	v[0] = child_self();
	v[1] = GUARDIAN_VERB;
	v[2] = numbers;
	v[3] = o->terms.lost_command != NULL ? o->terms.lost_command : "";
	v[4] = "--";
	memcpy(v + 5, o->argv, n * sizeof *v);
	return v;
}

/* free_number: one from 3 on that is not the program's readiness descriptor. */
static int
free_number(const struct guardian_opts *o, int from)
{
	return o->ready_fd != -1 && o->ready_number == from ? from + 1 : from;
}

static char *
numbers(const struct guardian_opts *o, int sock, int page)
{
	const struct tether_terms *t = &o->terms;
	int64_t v[GUARDIAN_NUMBERS] = {
		[GUARDIAN_SOCK] = sock, [GUARDIAN_READY] = o->ready_fd != -1 ? o->ready_number : -1,
		[GUARDIAN_PAGE] = t->tether != NULL ? page : -1, [GUARDIAN_WRAPPER] = getpid(),
		[GUARDIAN_LEASE] = t->lease_ns, [GUARDIAN_LOST_SIGNAL] = t->lost_signal,
		[GUARDIAN_HANG] = t->hang_ns, [GUARDIAN_HOT] = t->hot,
	};
	struct str s = STR_INIT;

	for (size_t i = 0; i < GUARDIAN_NUMBERS; i++)
		str_printf(&s, "%s%lld", i > 0 ? ":" : "", (long long)v[i]);
	return str_steal(&s);
}

static enum err_code
spawn(const struct guardian_opts *o, int theirs, pid_t *pid, struct err *err)
{
	int sock = free_number(o, 3), page = free_number(o, sock + 1);
	struct child_fd fds[6];
	size_t n = 0;

	fds[n++] = (struct child_fd){ theirs, sock };
	if (o->terms.tether != NULL)
		fds[n++] = (struct child_fd){ tether_fd(o->terms.tether), page };
	if (o->in != -1)
		fds[n++] = (struct child_fd){ o->in, 0 };
	if (o->out != -1)
		fds[n++] = (struct child_fd){ o->out, 1 };
	if (o->err != -1)
		fds[n++] = (struct child_fd){ o->err, 2 };
	if (o->ready_fd != -1)
		fds[n++] = (struct child_fd){ o->ready_fd, o->ready_number };
	char *text = numbers(o, sock, page);
	const char **argv = words(o, text);
	struct child_opts c = {
		.argv = argv, .env = o->env, .fds = fds, .nfds = n, .own_group = true,
	};
	enum err_code rc = child_spawn(&c, pid, err);
	mem_free(argv);
	mem_free(text);
	return rc;
}

struct guardian *
guardian_new(struct loop *loop, const struct guardian_opts *o, struct err *err)
{
	struct guardian *g = mem_new(sizeof *g);
	int ends[2];

	*g = (struct guardian){ .magic = GUARDIAN_MAGIC, .loop = loop, .event = o->event, .arg = o->arg };
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == -1) {
		err_errno(err, ERR_WRAPPER, errno, "cannot make a socket for the guardian");
		goto err0;
	}
	g->sock = ends[0];
	if ((g->fd = loop_fd_add(loop, g->sock, LOOP_READ, on_news, g, err)) == NULL)
		goto err1;
	if (spawn(o, ends[1], &g->pid, err) != ERR_OK) {
		err_prefix(err, "cannot start the guardian process");
		goto err2;
	}
	close(ends[1]);
	reaper_watch(&g->watch, g->pid, on_dead, g);
	return g;
err2:
	loop_fd_del(g->fd);
err1:
	close(ends[0]);
	close(ends[1]);
err0:
	MAGIC_WIPE(g);
	mem_free(g);
	return NULL;
}

void
guardian_free(struct guardian *g)
{
	if (g == NULL)
		return;
	MAGIC_CHECK(g, GUARDIAN_MAGIC);
	if (loop_timer_pending(&g->sweep)) {
		loop_timer_cancel(g->loop, &g->sweep);
		reaper_kill_adopted();
	}
	reaper_unwatch(&g->watch);
	loop_fd_del(g->fd);
	close(g->sock);
	MAGIC_WIPE(g);
	mem_free(g);
}

pid_t
guardian_pid(const struct guardian *g)
{
	return g->pid;
}

uint64_t
guardian_reaped(const struct guardian *g)
{
	return g->reaped;
}
