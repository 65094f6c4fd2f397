/* guardian_main.c - the guardian process itself.
 *
 * One thread, one poll, four descriptors: orders, SIGCHLD, the pipe that tells whether the
 * command could be executed, and the timer of the lease.  The lease is looked at first after
 * every wait: a guardian that was frozen kills what has no lease before it hears anything.  Emptiness needs no look into /proc: as a
 * subreaper it inherits every orphan of the program, so "nothing is left" is exactly
 * "there is no child to wait for" (ECHILD).  /proc serves to find whom to kill.
 *
 * All signals stay blocked: what a terminal, an operator or `kill 0` sends is meant for
 * the wrapper or the program.  child_spawn gives the program a clean mask. */
#include "runner/guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/num.h"
#include "base/str.h"
#include "runner/guardian_wire.h"
#include "runner/vigil.h"
#include "sys/child.h"
#include "sys/procfs.h"
#include "sys/urgent.h"

#define TREE_MAX 4096		/* what is beyond is found in the next round */
#define ROUND_FIRST_MS 1
#define ROUND_LONGEST_MS 64	/* a process in the kernel's uninterruptible sleep may take for ever */

struct warden {
	int sock, sigfd, verdict;	/* -1 once closed */
	int ready;			/* the program's extra descriptor, or -1 */
	pid_t child;			/* the program, and its group */
	bool has_ended;			/* the program was reaped */
	bool has_failed;		/* it could not be executed: text says why */
	bool is_killing;
	int wait_ms;			/* until the next round of killing */
	pid_t wrapper;			/* killed when its loop stands still */
	int lost_signal;
	const char *lost_command;	/* "" for none */
	pid_t hook;			/* that command, while it runs */
	int voice;			/* our standard error as it was, for the hook and last words; or -1 */
	struct vigil vigil;
	struct guardian_message news;	/* the one under way; text is kept for FAILED */
};

static void
tell(struct warden *w, enum guardian_word word, int value)
{
	size_t n = GUARDIAN_HEAD + (word == WORD_FAILED ? strlen(w->news.text) + 1 : 0);

	w->news.word = word;
	w->news.value = value;
	/* A handful of messages per life always fit; with the wrapper gone nobody listens. */
	if (w->sock != -1 && send(w->sock, &w->news, n, MSG_NOSIGNAL | MSG_DONTWAIT) == -1)
		w->news.word = 0;
}

/* --- starting -------------------------------------------------------------------------- */

/* let_go: after the program has them, our copies of its descriptors would keep pipes open
 * that its readers want to see closed. */
static void
let_go(const struct warden *w)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd <= 2; fd++)
		if (null == -1 || dup2(null, fd) == -1)
			close(fd);
	if (null > 2)
		close(null);
	if (w->ready != -1)
		close(w->ready);
	/* Nor should it keep a file system busy. */
	if (chdir("/") == -1)
		return;
}

static enum err_code
start(struct warden *w, char **argv, struct err *err)
{
	int number = w->ready == 3 ? 4 : 3, ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) == -1)
		return err_errno(err, ERR_WRAPPER, errno, "cannot make a pipe");
	struct child_fd fds[2] = { { ends[1], number }, { w->ready, w->ready } };
	struct child_opts o = {
		.argv = (const char *const *)argv, .fds = fds, .nfds = w->ready != -1 ? 2 : 1,
		.own_group = true, .dies_with_parent = true, .verdict = number,
	};
	enum err_code rc = child_spawn(&o, &w->child, err);
	close(ends[1]);
	if (rc != ERR_OK)
		close(ends[0]);
	else
		w->verdict = ends[0];
	return rc;
}

/* read_verdict: end of file means that the command is being executed. */
static void
read_verdict(struct warden *w)
{
	char text[sizeof w->news.text];
	ssize_t n = read(w->verdict, text, sizeof text - 1);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		text[n] = '\0';
		memcpy(w->news.text, text, (size_t)n + 1);
		w->has_failed = true;
	}
	close(w->verdict);
	w->verdict = -1;
	if (!w->has_failed)
		tell(w, WORD_STARTED, w->child);
}

/* --- the dead -------------------------------------------------------------------------- */

static void
program_ended(struct warden *w, int wstatus)
{
	w->has_ended = true;
	/* A verdict written just before must be read before the end is told. */
	if (w->verdict != -1)
		read_verdict(w);
	if (w->has_failed)
		tell(w, WORD_FAILED, child_exit_code(wstatus));
	else
		tell(w, WORD_EXITED, wstatus);
}

/* reap: collects whoever ended; true when nobody is left. */
static bool
reap(struct warden *w)
{
	int wstatus;
	pid_t pid;

	while ((pid = waitpid(-1, &wstatus, WNOHANG)) > 0) {
		if (pid == w->child)
			program_ended(w, wstatus);
		else if (pid == w->hook)
			w->hook = 0;
		else
			w->news.reaped++;
	}
	return pid == -1 && errno == ECHILD;
}

/* --- signals and killing --------------------------------------------------------------- */

/* send_group: the number of a group is safe to use as long as the program, its first
 * member, was not reaped.  Afterwards the group may be gone and its number somebody
 * else's, so its members are looked up among our own descendants. */
static void
send_group(struct warden *w, int signo)
{
	static pid_t tree[TREE_MAX];

	if (!w->has_ended) {
		kill(-w->child, signo);
		return;
	}
	size_t n = procfs_descendants(getpid(), tree, TREE_MAX);
	for (size_t i = 0; i < n; i++)
		if (getpgid(tree[i]) == w->child)
			kill(tree[i], signo);
}

/* kill_round: one pass over everything below us.  Between the look and the kill a process
 * may fork or end; the next round sees what came of it. */
static void
kill_round(struct warden *w)
{
	static pid_t tree[TREE_MAX];

	if (!w->has_ended)
		kill(-w->child, SIGKILL);
	size_t n = procfs_descendants(getpid(), tree, TREE_MAX);
	for (size_t i = 0; i < n; i++)
		kill(tree[i], SIGKILL);
}

static void
kill_all(struct warden *w)
{
	w->is_killing = true;
	w->wait_ms = ROUND_FIRST_MS;
	kill_round(w);
}

static void
take_order(struct warden *w)
{
	struct guardian_message m;
	ssize_t n = recv(w->sock, &m, sizeof m, MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < (ssize_t)GUARDIAN_HEAD) {
		/* The wrapper is dead, or its end was closed: nothing may outlive it. */
		close(w->sock);
		w->sock = -1;
		kill_all(w);
		return;
	}
	if (m.word == WORD_KILL)
		kill_all(w);
	else if (m.word == WORD_SIGNAL)
		send_group(w, m.value);
}

/* --- the lease ------------------------------------------------------------------------- */

/* run_hook: its output goes where the program's goes; it ends with the run at the latest. */
static void
run_hook(struct warden *w)
{
	const char *argv[] = { "/bin/sh", "-c", w->lost_command, NULL };
	char pid[NUM_TEXT_MAX];
	struct child_fd fds[] = { { w->voice, 2 }, { w->voice, 1 } };
	struct err err;

	snprintf(pid, sizeof pid, "%d", (int)w->child);
	setenv("AEGIS_CHILD_PID", pid, 1);
	struct child_opts o = { .argv = argv, .fds = fds, .nfds = w->voice != -1 ? 2 : 0, .dies_with_parent = true };
	if (child_spawn(&o, &w->hook, &err) != ERR_OK && w->voice != -1)
		dprintf(w->voice, "aegis: the command of --on-lost cannot be started: %s\n", err.text);
}

static void
warn(struct warden *w)
{
	tell(w, WORD_LAPSED, 0);
	if (w->is_killing)
		return;
	if (w->lost_command[0] != '\0')
		run_hook(w);
	if (w->lost_signal == SIGKILL) {
		kill_all(w);
	} else if (w->lost_signal != 0) {
		send_group(w, w->lost_signal);
		/* One that is stopped would not hear it otherwise. */
		send_group(w, SIGCONT);
	}
}

/* end_wrapper: it lives and does nothing; as long as it lives it keeps its place among those who
 * serve.  The number is safe while it is our parent. */
static void
end_wrapper(const struct warden *w)
{
	if (getppid() != w->wrapper)
		return;
	if (w->voice != -1)
		dprintf(w->voice, "aegis: the wrapper, process %d, has not turned its loop for %lld ms; its guardian kills "
		    "it and the program\n", (int)w->wrapper, (long long)(w->vigil.hang_ns / NS_PER_MS));
	kill(w->wrapper, SIGKILL);
}

static void
look_at_lease(struct warden *w)
{
	unsigned found = vigil_look(&w->vigil);

	if (found & VIGIL_KILL) {
		/* The kill first: nobody waits for the news. */
		kill_all(w);
		tell(w, WORD_LAPSED, 0);
	} else if (found & VIGIL_WARN) {
		warn(w);
	}
	if (found & VIGIL_HUNG)
		end_wrapper(w);
}

/* --- the loop -------------------------------------------------------------------------- */

static void
watch(struct warden *w)
{
	for (;;) {
		struct pollfd p[4] = {
			{ .fd = w->sock, .events = POLLIN },
			{ .fd = w->sigfd, .events = POLLIN },
			{ .fd = w->verdict, .events = POLLIN },
			{ .fd = w->vigil.timer, .events = POLLIN },
		};
		struct signalfd_siginfo info;
		int n = poll(p, 4, w->is_killing ? w->wait_ms : -1);

		look_at_lease(w);
		if (n > 0 && p[2].revents != 0)
			read_verdict(w);
		if (n > 0 && p[1].revents != 0 && read(w->sigfd, &info, sizeof info) == -1 && errno != EAGAIN)
			return;
		if (n > 0 && p[0].revents != 0)
			take_order(w);
		if (reap(w) && w->has_ended)
			return;
		if (!w->is_killing)
			continue;
		/* Also when the dying keep us busy: what forks fast enough would outlive a pause. */
		kill_round(w);
		if (n == 0 && w->wait_ms < ROUND_LONGEST_MS)
			w->wait_ms *= 2;
	}
}

/* linger: the program is gone, but a wrapper that hangs still keeps its place among those who serve;
 * one that does not closes its end of the socket as soon as it has heard the news. */
static void
linger(struct warden *w)
{
	struct guardian_message m;

	while (w->vigil.tether != NULL && w->sock != -1) {
		struct pollfd p[2] = { { .fd = w->sock, .events = POLLIN }, { .fd = w->vigil.timer, .events = POLLIN } };

		if (poll(p, 2, -1) == -1 && errno != EINTR)
			return;
		if (vigil_look(&w->vigil) & VIGIL_HUNG)
			end_wrapper(w);
		ssize_t n = p[0].revents != 0 ? recv(w->sock, &m, sizeof m, MSG_DONTWAIT) : 1;
		if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
			return;
	}
}

/* words: the numbers of enum guardian_number; descriptors that are none are -1. */
static bool
words(char *word, int64_t v[GUARDIAN_NUMBERS])
{
	char *rest = word, *one;
	int n = 0;

	while ((one = strsep(&rest, ":")) != NULL)
		if (n == GUARDIAN_NUMBERS || !num_int(one, &v[n++]))
			return false;
	return n == GUARDIAN_NUMBERS && v[GUARDIAN_SOCK] >= 3 && v[GUARDIAN_SOCK] <= GUARDIAN_FD_MAX &&
	    v[GUARDIAN_READY] <= GUARDIAN_FD_MAX && v[GUARDIAN_PAGE] <= GUARDIAN_FD_MAX;
}

/* take_lease: maps the page and begins to watch it.  The descriptor is not the program's. */
static enum err_code
take_lease(struct warden *w, const int64_t v[GUARDIAN_NUMBERS], struct err *err)
{
	struct tether *tether = NULL;

	w->wrapper = (pid_t)v[GUARDIAN_WRAPPER];
	w->lost_signal = (int)v[GUARDIAN_LOST_SIGNAL];
	if (v[GUARDIAN_PAGE] != -1) {
		tether = tether_map((int)v[GUARDIAN_PAGE], err);
		close((int)v[GUARDIAN_PAGE]);
		if (tether == NULL)
			return ERR_WRAPPER;
		w->voice = fcntl(2, F_DUPFD_CLOEXEC, 3);
		/* The kill has a bound (election.md 3.3) on a machine with too much to do as well; the program does not inherit it. */
		urgent_ask(false);
	}
	return vigil_begin(&w->vigil, tether, v[GUARDIAN_LEASE], v[GUARDIAN_HOT] != 0, v[GUARDIAN_HANG], err);
}

static bool
prepare(struct warden *w)
{
	sigset_t all, chld;

	sigfillset(&all);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	if (sigprocmask(SIG_SETMASK, &all, NULL) == -1 || prctl(PR_SET_CHILD_SUBREAPER, 1) == -1)
		return false;
	/* Stopped, it would not see the end of its socket; this wakes it, and does nothing otherwise. */
	if (prctl(PR_SET_PDEATHSIG, SIGCONT) == -1)
		return false;
	prctl(PR_SET_NAME, "aegis-guardian");
	w->sigfd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	return w->sigfd != -1;
}

/* begin: everything up to the program's start. */
static enum err_code
begin(struct warden *w, const int64_t v[GUARDIAN_NUMBERS], char **argv, struct err *err)
{
	w->sock = (int)v[GUARDIAN_SOCK];
	w->ready = (int)v[GUARDIAN_READY];
	if (fcntl(w->sock, F_SETFD, FD_CLOEXEC) == -1 || !prepare(w))
		return err_errno(err, ERR_WRAPPER, errno, "the guardian cannot prepare itself");
	if (take_lease(w, v, err) != ERR_OK)
		return ERR_WRAPPER;
	if (vigil_look(&w->vigil) & VIGIL_KILL) {
		tell(w, WORD_LAPSED, 0);
		return err_set(err, ERR_WRAPPER, "the lease ran out before the program was started");
	}
	return start(w, argv, err);
}

_Noreturn void
guardian_main(int argc, char **argv)
{
	struct warden w = { .sock = -1, .sigfd = -1, .verdict = -1, .ready = -1, .voice = -1 };
	int64_t v[GUARDIAN_NUMBERS];
	struct err err = { 0 };

	if (argc < 6 || strcmp(argv[4], "--") != 0 || !words(argv[2], v)) {
		fprintf(stderr, "aegis: %s is for aegis itself: %s NUMBERS ON-LOST -- COMMAND\n", GUARDIAN_VERB,
		    GUARDIAN_VERB);
		_exit(err_exit(ERR_WRAPPER));
	}
	w.lost_command = argv[3];
	if (begin(&w, v, argv + 5, &err) == ERR_OK) {
		let_go(&w);
		watch(&w);
		if (!w.has_failed)
			tell(&w, WORD_EMPTY, 0);
		linger(&w);
		_exit(0);
	}
	snprintf(w.news.text, sizeof w.news.text, "%.*s", (int)sizeof w.news.text - 1, err.text);
	tell(&w, WORD_FAILED, err_exit(ERR_WRAPPER));
	_exit(err_exit(ERR_WRAPPER));
}
