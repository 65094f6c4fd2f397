/* t_runner - whole lives of wrapped programs: shells, and this program in other roles.
 *
 * Roles: guardian and shim (the hidden verbs), "serve" (an HTTP server on a Unix socket),
 * "notify" (sends datagrams to NOTIFY_SOCKET), "terminal" (a wrapper with a terminal). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/str.h"
#include "runner/guardian.h"
#include "runner/runner.h"
#include "sys/child.h"
#include "sys/procfs.h"
#include "sys/thread.h"
#include "until.h"

static char dir[] = "/tmp/t_runner.XXXXXX";
static struct loop *loop;

/* --- what is told ------------------------------------------------------------------------ */

/* A life as a word: s starting, r ready, u unhealthy, d down, G gone. */
struct life {
	struct runner *r;
	char told[64];
	char why[256];			/* of the last status */
	int code, signo;
	bool frees;
	bool stops_when_ready;
};

static void
on_status(void *arg, enum runner_status s, const char *why)
{
	struct life *l = arg;

	MUST(why != NULL && strlen(l->told) + 2 < sizeof l->told);
	l->told[strlen(l->told)] = "srud"[s];
	snprintf(l->why, sizeof l->why, "%s", why);
	assert_int_equal(runner_status(l->r), s);
	if (s == RUNNER_READY && l->stops_when_ready)
		runner_stop(l->r);
}

static void
on_gone(void *arg, int code, int signo)
{
	struct life *l = arg;

	l->told[strlen(l->told)] = 'G';
	l->code = code;
	l->signo = signo;
	if (l->frees) {
		runner_free(l->r);
		l->r = NULL;
	}
}

static bool
is_gone(void *arg)
{
	return strchr(((struct life *)arg)->told, 'G') != NULL;
}

struct wait_for {
	struct life *l;
	const char *word;
};

static bool
has_told(void *arg)
{
	struct wait_for *w = arg;

	return strcmp(w->l->told, w->word) == 0;
}

static bool
is_running(void *arg)
{
	return runner_pid(((struct life *)arg)->r) > 0;
}

static bool
has_probed(void *arg)
{
	struct runner_counters n;

	runner_count(((struct life *)arg)->r, &n);
	return n.probes > 0;
}

static void
expect_told(struct life *l, const char *word)
{
	struct wait_for w = { l, word };

	if (!until(loop, has_told, &w))
		fail_msg("told '%s', not '%s' (%s)", l->told, word, l->why);
}

static void
expect_gone(struct life *l, int code, int signo)
{
	if (!until(loop, is_gone, l))
		fail_msg("not gone, told '%s'", l->told);
	if (l->code != code || l->signo != signo)
		fail_msg("gone with %d/%d, not %d/%d (told '%s')", l->code, l->signo, code, signo, l->told);
}

/* --- starting ---------------------------------------------------------------------------- */

static const char *argv_sh[4] = { "/bin/sh", "-c" };

static struct runner_opts
sh(const char *script)
{
	argv_sh[2] = script;
	return (struct runner_opts){ .name = "job", .argv = argv_sh, .kill_after_ns = 10 * NS_PER_S };
}

static void
make(struct life *l, struct runner_opts o)
{
	struct runner_callbacks cb = { .arg = l, .status = on_status, .gone = on_gone };
	struct err err = { 0 };

	memset(l, 0, sizeof *l);
	if ((l->r = runner_new(loop, &o, &cb, &err)) == NULL)
		fail_msg("%s", err.text);
}

static void
run(struct life *l, struct runner_opts o)
{
	make(l, o);
	runner_start(l->r);
}

static struct runner_counters
counters(const struct life *l)
{
	struct runner_counters c;

	runner_count(l->r, &c);
	return c;
}

/* --- files ------------------------------------------------------------------------------- */

static char *
in_dir(const char *name)
{
	static char path[8][128];
	static unsigned n;

	snprintf(path[++n % 8], sizeof path[0], "%s/%s", dir, name);
	return path[n % 8];
}

static bool
exists(void *name)
{
	return access(in_dir(name), F_OK) == 0;
}

static void
expect_file(const char *name)
{
	if (!until(loop, exists, (void *)(uintptr_t)name))
		fail_msg("no %s", in_dir(name));
}

static void
touch(const char *name)
{
	close(open(in_dir(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

static pid_t
pid_in(const char *name)
{
	expect_file(name);
	return read_pid(in_dir(name));
}

#define HIDDEN "setsid sh -c 'trap \"\" TERM INT HUP; echo $$ >$D/hidden.tmp; mv $D/hidden.tmp $D/hidden; " \
    "while :; do sleep 0.05; done' </dev/null >/dev/null 2>&1 & while ! test -e $D/hidden; do sleep 0.01; done; "

/* --- exit codes -------------------------------------------------------------------------- */

static void
the_exit_code_is_passed_on(void **state)
{
	struct life l;

	(void)state;
	run(&l, sh("exit 0"));
	expect_gone(&l, 0, 0);
	assert_string_equal(l.told, "srdG");
	runner_free(l.r);
	run(&l, sh("exit 42"));
	expect_gone(&l, 42, 0);
	assert_non_null(strstr(l.why, "exit code 42"));
	runner_free(l.r);
	run(&l, sh("kill -SEGV $$"));
	expect_gone(&l, 139, SIGSEGV);
	assert_non_null(strstr(l.why, "SEGV"));
	runner_free(l.r);
}

static void
what_cannot_be_executed_is_127_or_126_and_never_ready(void **state)
{
	static const char *none[] = { "no-such-command", NULL }, *folder[] = { "/tmp", NULL };
	struct runner_opts o = sh("");
	struct life l;

	(void)state;
	o.restart.when = RESTART_ALWAYS;
	o.argv = none;
	run(&l, o);
	expect_gone(&l, 127, 0);
	assert_string_equal(l.told, "sdG");
	assert_non_null(strstr(l.why, "no-such-command"));
	runner_free(l.r);
	o.argv = folder;
	run(&l, o);
	expect_gone(&l, 126, 0);
	runner_free(l.r);
}

static void
stop_is_term_and_its_answer_counts(void **state)
{
	struct life l;

	(void)state;
	run(&l, sh("exec sleep 1000"));
	expect_told(&l, "sr");
	runner_stop(l.r);
	expect_gone(&l, 143, SIGTERM);
	assert_string_equal(l.told, "srdG");
	runner_free(l.r);
	run(&l, sh("trap 'exit 5' TERM; touch $D/up; while :; do sleep 0.02; done"));
	expect_file("up");
	runner_stop(l.r);
	expect_gone(&l, 5, 0);
	runner_free(l.r);
}

static void
stop_before_and_in_between_is_answered(void **state)
{
	struct life l;

	(void)state;
	make(&l, sh("exec sleep 1000"));
	runner_stop(l.r);
	assert_string_equal(l.told, "G");
	assert_int_equal(l.code, 0);
	/* Afterwards it can begin afresh; stopped before it was even executed. */
	l.told[0] = l.told[1] = '\0';
	runner_start(l.r);
	runner_stop(l.r);
	expect_gone(&l, 143, SIGTERM);
	runner_free(l.r);
	/* From within a callback. */
	make(&l, sh("exec sleep 1000"));
	l.stops_when_ready = true;
	runner_start(l.r);
	expect_gone(&l, 143, SIGTERM);
	runner_free(l.r);
}

static void
the_stop_signal_can_be_chosen_and_wakes_a_stopped_program(void **state)
{
	struct runner_opts o = sh("trap 'exit 6' INT; touch $D/up; while :; do sleep 0.02; done");
	struct life l;

	(void)state;
	o.stop_signal = SIGINT;
	run(&l, o);
	expect_file("up");
	assert_int_equal(runner_signal(l.r, SIGSTOP), ERR_OK);
	for_a_while(loop, 20 * NS_PER_MS);
	runner_stop(l.r);
	expect_gone(&l, 6, 0);
	runner_free(l.r);
}

/* --- stubborn ones ----------------------------------------------------------------------- */

static void
who_ignores_term_is_killed_and_all_it_started(void **state)
{
	struct runner_opts o = sh("trap '' TERM; " HIDDEN "while :; do sleep 0.05; done");
	struct life l;

	(void)state;
	o.kill_after_ns = 100 * NS_PER_MS;
	run(&l, o);
	pid_t hidden = pid_in("hidden");
	struct mono then = clock_mono(clock_system());
	runner_stop(l.r);
	expect_gone(&l, 137, SIGKILL);
	assert_true(mono_since(clock_mono(clock_system()), then) >= 100 * NS_PER_MS);
	assert_false(is_alive(hidden));
	runner_free(l.r);
}

static void
without_patience_it_is_killed_at_once(void **state)
{
	struct runner_opts o = sh("trap '' TERM; touch $D/up; while :; do sleep 0.05; done");
	struct life l;

	(void)state;
	o.kill_after_ns = -1;
	run(&l, o);
	expect_file("up");
	runner_stop(l.r);
	expect_gone(&l, 137, SIGKILL);
	runner_free(l.r);
	unlink(in_dir("up"));
	run(&l, sh("trap '' TERM; touch $D/up; while :; do sleep 0.05; done"));
	expect_file("up");
	runner_kill(l.r);
	expect_gone(&l, 137, SIGKILL);
	runner_free(l.r);
}

/* The shell ends with the signal, its worker needs a moment: that is what the time is for. */
static void
the_group_may_use_the_time_until_kill(void **state)
{
	struct life l;

	(void)state;
	run(&l, sh("sh -c 'trap \"sleep 0.2; touch $D/finished; exit\" TERM; touch $D/up; while :; do sleep 0.02; done' & wait"));
	expect_file("up");
	runner_stop(l.r);
	expect_gone(&l, 143, SIGTERM);
	assert_true(exists("finished"));
	runner_free(l.r);
}

static void
who_ends_by_itself_leaves_nothing_behind(void **state)
{
	struct life l;

	(void)state;
	run(&l, sh(HIDDEN "exit 3"));
	expect_gone(&l, 3, 0);
	assert_false(is_alive(read_pid(in_dir("hidden"))));
	runner_free(l.r);
}

static bool
is_dead(void *pid)
{
	return !is_alive(*(pid_t *)pid);
}

static void
freeing_it_kills_everything(void **state)
{
	struct life l;

	(void)state;
	run(&l, sh("trap '' TERM; " HIDDEN "while :; do sleep 0.05; done"));
	pid_t hidden = pid_in("hidden"), pid = runner_pid(l.r);
	assert_true(is_alive(pid));
	runner_free(l.r);
	assert_true(until(loop, is_dead, &pid));
	assert_true(until(loop, is_dead, &hidden));
	assert_string_equal(l.told, "sr");
}

static void
it_can_be_freed_when_it_is_gone(void **state)
{
	struct life l;

	(void)state;
	make(&l, sh("exit 1"));
	l.frees = true;
	runner_start(l.r);
	expect_gone(&l, 1, 0);
	assert_null(l.r);
}

/* --- restarts ---------------------------------------------------------------------------- */

static void
a_failure_is_started_again_until_the_budget_is_spent(void **state)
{
	struct runner_opts o = sh("echo x >>$D/runs; exit 9");
	struct life l;
	struct stat st;

	(void)state;
	o.restart = (struct restart_policy){ .when = RESTART_ON_FAILURE, .max = 1, .window_ns = 60 * NS_PER_S };
	run(&l, o);
	expect_gone(&l, 9, 0);
	assert_string_equal(l.told, "srdsrdG");
	assert_int_equal(counters(&l).starts, 2);
	assert_int_equal(counters(&l).restarts, 1);
	assert_int_equal(stat(in_dir("runs"), &st), 0);
	assert_int_equal(st.st_size, 4);
	runner_free(l.r);
}

static void
who_exits_125_is_not_started_again(void **state)
{
	struct runner_opts o = sh("exit 125");
	struct life l;

	(void)state;
	o.restart.when = RESTART_ALWAYS;
	run(&l, o);
	expect_gone(&l, 125, 0);
	assert_int_equal(counters(&l).restarts, 0);
	runner_free(l.r);
}

static void
a_stop_ends_the_pause_before_a_restart(void **state)
{
	struct runner_opts o = sh("exit 9");
	struct life l;

	(void)state;
	o.restart.when = RESTART_ALWAYS;
	run(&l, o);
	expect_told(&l, "srd");
	/* Down is told when the program ends; the pause begins when nothing is left. */
	for_a_while(loop, 50 * NS_PER_MS);
	runner_stop(l.r);
	expect_gone(&l, 9, 0);
	assert_int_equal(counters(&l).starts, 1);
	runner_free(l.r);
}

static void
a_dead_guardian_costs_a_restart_whatever_the_policy(void **state)
{
	struct life l;
	pid_t children[8];

	(void)state;
	run(&l, sh(HIDDEN "exec sleep 1000"));
	pid_t hidden = pid_in("hidden"), pid = runner_pid(l.r);
	/* Parents first: the guardian is our only child. */
	assert_true(procfs_descendants(getpid(), children, 8) >= 2);
	assert_int_equal(kill(children[0], SIGKILL), 0);
	expect_told(&l, "srdsr");
	assert_false(is_alive(pid));
	assert_false(is_alive(hidden));
	assert_int_not_equal(runner_pid(l.r), pid);
	assert_true(is_alive(runner_pid(l.r)));
	runner_kill(l.r);
	expect_gone(&l, 137, SIGKILL);
	runner_free(l.r);
}

static void
a_stopped_guardian_cannot_prevent_the_end(void **state)
{
	struct runner_opts o = sh("exec sleep 1000");
	struct life l;
	pid_t children[8];

	(void)state;
	o.kill_after_ns = 50 * NS_PER_MS;
	run(&l, o);
	expect_told(&l, "sr");
	assert_true(procfs_descendants(getpid(), children, 8) >= 2);
	assert_int_equal(kill(children[0], SIGSTOP), 0);
	runner_stop(l.r);
	/* After the patience of supervisor.h. */
	expect_gone(&l, 137, SIGKILL);
	runner_free(l.r);
}

/* --- signals ----------------------------------------------------------------------------- */

static void
signals_arrive_rewritten_or_not_at_all(void **state)
{
	static const struct runner_rewrite rw[] = { { SIGUSR1, SIGUSR2 }, { SIGHUP, 0 } };
	struct runner_opts o = sh("trap 'echo usr1 >>$D/got' USR1; trap 'echo usr2 >>$D/got' USR2; trap 'echo hup >>$D/got' HUP; "
	    "trap 'echo winch >>$D/got; mv $D/got $D/all' WINCH; touch $D/up; while :; do sleep 0.02; done");
	struct life l;
	char text[64] = "";

	(void)state;
	o.rewrites = rw;
	o.nrewrites = 2;
	make(&l, o);
	assert_int_equal(runner_signal(l.r, SIGUSR1), ERR_NOT_FOUND);
	runner_start(l.r);
	expect_file("up");
	assert_int_equal(runner_signal(l.r, SIGUSR1), ERR_OK);
	assert_int_equal(runner_signal(l.r, SIGHUP), ERR_OK);
	expect_file("got");
	assert_int_equal(runner_signal(l.r, SIGWINCH), ERR_OK);
	expect_file("all");
	FILE *f = fopen(in_dir("all"), "re");
	assert_true(fread(text, 1, sizeof text - 1, f) > 0);
	fclose(f);
	assert_string_equal(text, "usr2\nwinch\n");
	runner_kill(l.r);
	expect_gone(&l, 137, SIGKILL);
	runner_free(l.r);
}

/* --- readiness --------------------------------------------------------------------------- */

static void
end_life(struct life *l)
{
	runner_kill(l->r);
	if (!until(loop, is_gone, l))
		fail_msg("not gone, told '%s'", l->told);
	runner_free(l->r);
}

static void
ready_by_a_line_on_a_descriptor(void **state)
{
	struct runner_opts o = sh("while ! test -e $D/go; do sleep 0.01; done; echo up >&7; exec 7>&-; exec sleep 1000");
	struct life l;

	(void)state;
	o.ready = (struct runner_probe){ .kind = RUNNER_PROBE_FD, .fd = 7 };
	run(&l, o);
	assert_true(until(loop, is_running, &l));
	for_a_while(loop, 50 * NS_PER_MS);
	assert_string_equal(l.told, "s");
	touch("go");
	expect_told(&l, "sr");
	end_life(&l);
	/* The numbers that guardian and shim would use for themselves. */
	for (int fd = 3; fd <= 5; fd++) {
		char script[64];
		snprintf(script, sizeof script, "echo >&%d; exec sleep 1000", fd);
		o = sh(script);
		o.ready = (struct runner_probe){ .kind = RUNNER_PROBE_FD, .fd = fd };
		run(&l, o);
		expect_told(&l, "sr");
		end_life(&l);
	}
}

static void
closing_the_descriptor_without_a_line_is_not_ready(void **state)
{
	struct runner_opts o = sh("exec 7>&-; exec sleep 1000");
	struct life l;

	(void)state;
	o.ready = (struct runner_probe){ .kind = RUNNER_PROBE_FD, .fd = 7 };
	o.ready_timeout_ns = 100 * NS_PER_MS;
	run(&l, o);
	expect_gone(&l, 125, 0);
	assert_string_equal(l.told, "sdG");
	runner_free(l.r);
}

static void
ready_by_command(void **state)
{
	struct runner_opts o = sh("exec sleep 1000");
	struct life l;

	(void)state;
	o.ready = (struct runner_probe){ .kind = RUNNER_PROBE_CMD, .target = "test -e $D/go" };
	run(&l, o);
	assert_true(until(loop, has_probed, &l));
	for_a_while(loop, 50 * NS_PER_MS);
	assert_string_equal(l.told, "s");
	touch("go");
	expect_told(&l, "sr");
	assert_true(counters(&l).probes >= 2);
	end_life(&l);
}

/* A probe that hangs is killed with its whole group, and asked again. */
static void
a_probe_that_hangs_is_killed(void **state)
{
	struct runner_opts o = sh("exec sleep 1000");
	struct life l;

	(void)state;
	o.ready = (struct runner_probe){ .kind = RUNNER_PROBE_CMD,
	    .target = "test -e $D/go && exit 0; sleep 1000 & echo $! >$D/probe.tmp; mv $D/probe.tmp $D/probe; wait" };
	o.probe_timeout_ns = 300 * NS_PER_MS;
	run(&l, o);
	pid_t probe = pid_in("probe");
	assert_true(until(loop, is_dead, &probe));
	touch("go");
	expect_told(&l, "sr");
	end_life(&l);
}

/* What a command leaves behind when it ends by itself goes as well. */
static void
a_probe_leaves_nothing_behind(void **state)
{
	struct runner_opts o = sh("exec sleep 1000");
	struct life l;

	(void)state;
	o.health = (struct runner_probe){ .kind = RUNNER_PROBE_CMD,
	    .target = "test -e $D/left && exit 0; sleep 777 & echo $! >$D/left.tmp; mv $D/left.tmp $D/left; exit 0" };
	o.probe_interval_ns = 20 * NS_PER_MS;
	run(&l, o);
	pid_t left = pid_in("left");
	assert_true(until(loop, is_dead, &left));
	end_life(&l);
}

static struct runner_opts
server(const char *socket, const char *delay_ms)
{
	static const char *argv[5];

	argv[0] = child_self();
	argv[1] = "serve";
	argv[2] = socket;
	argv[3] = delay_ms;
	return (struct runner_opts){
		.name = "server", .argv = argv, .app = RUNNER_APP_SOCKET, .app_socket = socket, .kill_after_ns = 10 * NS_PER_S,
	};
}

static void
on_result(void *arg, const struct workload_result *res)
{
	struct str *out = arg;

	str_printf(out, "%s %.*s", workload_outcome_name(res->outcome), (int)res->text.n, res->text.p);
}

static bool
has_text(void *arg)
{
	return ((struct str *)arg)->len > 0;
}

static void
expect_call(struct life *l, const char *method, const char *result)
{
	struct workload_request q = { .method = method, .deadline = mono_after(clock_mono(clock_system()), 15 * NS_PER_S) };
	struct str out = STR_INIT;

	workload_call(runner_workload(l->r), &q, on_result, &out);
	assert_true(until(loop, has_text, &out));
	assert_string_equal(str_text(&out), result);
	str_release(&out);
}

static void
ready_when_the_app_socket_accepts_and_callable_then(void **state)
{
	struct life l;

	(void)state;
	run(&l, server(in_dir("socket"), "150"));
	expect_told(&l, "s");
	expect_call(&l, "x", "down the program is not ready");
	expect_told(&l, "sr");
	expect_call(&l, "hello", "ok \"/rpc/hello\"");
	expect_call(&l, "die", "down the connection was closed before the answer was complete");
	expect_gone(&l, 4, 0);
	runner_free(l.r);
}

static void
health_turns_and_returns(void **state)
{
	struct runner_opts o = server(in_dir("socket"), "0");
	struct life l;

	(void)state;
	o.ready = (struct runner_probe){ .kind = RUNNER_PROBE_HTTP, .target = "/health" };
	o.health = (struct runner_probe){ .kind = RUNNER_PROBE_HTTP, .target = "/health" };
	o.probe_interval_ns = 10 * NS_PER_MS;
	run(&l, o);
	expect_told(&l, "sr");
	for_a_while(loop, 60 * NS_PER_MS);
	assert_string_equal(l.told, "sr");
	touch("bad");
	expect_told(&l, "sru");
	assert_non_null(strstr(l.why, "3 health checks in a row failed, the last: HTTP 500"));
	assert_true(counters(&l).probe_failures >= 3);
	/* Unhealthy is not down: it can still be called. */
	expect_call(&l, "hello", "ok \"/rpc/hello\"");
	unlink(in_dir("bad"));
	expect_told(&l, "srur");
	/* A server that hangs is as bad as one that says so. */
	touch("hang");
	expect_told(&l, "sruru");
	assert_non_null(strstr(l.why, "no answer within 500 ms"));
	runner_stop(l.r);
	expect_gone(&l, 143, SIGTERM);
	runner_free(l.r);
}

static void
health_by_tcp_notices_a_closed_listener(void **state)
{
	struct runner_opts o = server(in_dir("socket"), "0");
	struct life l;
	char target[160];

	(void)state;
	snprintf(target, sizeof target, "unix:%s", in_dir("socket"));
	o.health = (struct runner_probe){ .kind = RUNNER_PROBE_TCP, .target = target };
	o.probe_interval_ns = 10 * NS_PER_MS;
	run(&l, o);
	expect_told(&l, "sr");
	unlink(in_dir("socket"));
	expect_told(&l, "sru");
	end_life(&l);
}

static void
ready_by_notification_which_also_goes_up(void **state)
{
	static const char *argv[] = { "/proc/self/exe", "notify", NULL };
	struct runner_opts o = { .name = "notifier", .argv = argv, .ready = { .kind = RUNNER_PROBE_NOTIFY } };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct life l;
	char up[512], name[64];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)state;
	snprintf(name, sizeof name, "%s", in_dir("up.socket"));
	memcpy(un.sun_path, name, strlen(name) + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
	o.notify_upward = name;
	run(&l, o);
	expect_told(&l, "sr");
	assert_string_equal(runner_status_text(l.r), "warm");
	ssize_t n = recv(fd, up, sizeof up - 1, 0);
	assert_true(n > 0);
	up[n] = '\0';
	assert_string_equal(up, "STATUS=warming up\n");
	n = recv(fd, up, sizeof up - 1, 0);
	assert_true(n > 0);
	up[n] = '\0';
	assert_string_equal(up, "READY=1\nSTATUS=warm\n");
	end_life(&l);
	close(fd);
	unlink(name);
}

/* Anybody can send to an abstract address; only ours and root's word counts. */
static void
the_word_of_another_user_does_not_count(void **state)
{
	static const char *argv[] = { "/proc/self/exe", "notify", "nobody", NULL };
	struct runner_opts o = { .name = "notifier", .argv = argv, .ready = { .kind = RUNNER_PROBE_NOTIFY } };
	struct life l;

	(void)state;
	if (geteuid() != 0)
		skip();
	run(&l, o);
	expect_file("sent");
	for_a_while(loop, 30 * NS_PER_MS);
	assert_string_equal(l.told, "s");
	end_life(&l);
}

/* Without any notification of ours the program must not reach the one that we have. */
static void
an_inherited_notify_socket_is_not_passed_on(void **state)
{
	struct life l;

	(void)state;
	setenv("NOTIFY_SOCKET", "/run/somebody/else", 1);
	run(&l, sh("test -z \"$NOTIFY_SOCKET\""));
	unsetenv("NOTIFY_SOCKET");
	expect_gone(&l, 0, 0);
	runner_free(l.r);
}

static void
never_ready_is_stopped_and_counts_as_failure(void **state)
{
	struct runner_opts o = sh("exec sleep 1000");
	struct life l;

	(void)state;
	o.ready = (struct runner_probe){ .kind = RUNNER_PROBE_CMD, .target = "false" };
	o.ready_timeout_ns = 100 * NS_PER_MS;
	o.restart = (struct restart_policy){ .when = RESTART_ON_FAILURE, .max = 1, .window_ns = 60 * NS_PER_S };
	run(&l, o);
	expect_gone(&l, 125, 0);
	assert_string_equal(l.told, "sdsdG");
	runner_free(l.r);
}

/* --- environment, workload, output --------------------------------------------------------- */

static void
the_environment_can_be_set_between_starts(void **state)
{
	struct life l;

	(void)state;
	make(&l, sh("exit ${CODE:-3}"));
	runner_set_env(l.r, "CODE", "8");
	runner_start(l.r);
	expect_gone(&l, 8, 0);
	memset(l.told, 0, sizeof l.told);
	runner_set_env(l.r, "CODE", NULL);
	runner_start(l.r);
	expect_gone(&l, 3, 0);
	runner_free(l.r);
}

static void
a_stdio_program_is_called_over_its_pipes(void **state)
{
	struct runner_opts o = sh("while IFS= read -r line; do id=${line#'{\"id\":\"'}; id=${id%%'\"'*}\n"
	    "case $line in *'\"name\":\"die\"'*) exit 2;; esac\n"
	    "echo \"{\\\"id\\\":\\\"$id\\\",\\\"result\\\":7}\"; done");
	struct life l;

	(void)state;
	o.app = RUNNER_APP_STDIO;
	o.restart = (struct restart_policy){ .when = RESTART_ON_FAILURE };
	run(&l, o);
	expect_told(&l, "sr");
	expect_call(&l, "x", "ok 7");
	/* Either end may be noticed first. */
	struct workload_request q = { .method = "die", .deadline = mono_after(clock_mono(clock_system()), 15 * NS_PER_S) };
	struct str out = STR_INIT;
	workload_call(runner_workload(l.r), &q, on_result, &out);
	assert_true(until(loop, has_text, &out));
	assert_memory_equal(str_text(&out), "down ", 5);
	str_release(&out);
	expect_told(&l, "srdsr");
	expect_call(&l, "x", "ok 7");
	end_life(&l);
}

/* with_stdout: a runner whose stdout is the pipe `to`. */
static void
make_with_stdout(struct life *l, struct runner_opts o, int to)
{
	int saved = fcntl(1, F_DUPFD_CLOEXEC, 3);

	fflush(stdout);
	assert_int_equal(dup2(to, 1), 1);
	make(l, o);
	assert_int_equal(dup2(saved, 1), 1);
	close(saved);
}

static void
lines_get_the_name_in_front(void **state)
{
	struct runner_opts o = sh("echo one; printf 'tw'; sleep 0.05; echo o; printf 'no end'");
	struct life l;
	char text[256];
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	o.log_prefix = true;
	make_with_stdout(&l, o, ends[1]);
	close(ends[1]);
	runner_start(l.r);
	expect_gone(&l, 0, 0);
	assert_int_equal(counters(&l).output_bytes, 14);
	runner_free(l.r);
	ssize_t n = read(ends[0], text, sizeof text - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, "job | one\njob | two\njob | no end\n");
	close(ends[0]);
}

static uint64_t bytes_then;

static bool
output_stands_still(void *arg)
{
	struct life *l = arg;
	uint64_t now = counters(l).output_bytes;
	bool same = now == bytes_then && now > 0;

	bytes_then = now;
	return same;
}

/* Nobody reads our stdout: the program waits, the loop does not, memory stays bounded. */
static void
a_flood_with_a_slow_reader_holds_up_nobody_but_the_program(void **state)
{
	struct runner_opts o = sh("exec yes");
	struct life l;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	o.log_prefix = true;
	make_with_stdout(&l, o, ends[1]);
	runner_start(l.r);
	expect_told(&l, "sr");
	bytes_then = 0;
	do {
		for_a_while(loop, 30 * NS_PER_MS);
	} while (!output_stands_still(&l));
	/* What our buffer and the pipe hold: "y" costs eight bytes with its prefix. */
	assert_true(bytes_then < 256 * 1024);
	assert_true(is_alive(runner_pid(l.r)));
	struct mono then = clock_mono(clock_system());
	runner_stop(l.r);
	expect_gone(&l, 143, SIGTERM);
	assert_true(mono_since(clock_mono(clock_system()), then) < 5 * NS_PER_S);
	runner_free(l.r);
	close(ends[0]);
	close(ends[1]);
}

static void
a_closed_stdout_does_not_hurt(void **state)
{
	struct runner_opts o = sh("i=0; while [ $i -lt 2000 ]; do echo line; i=$((i+1)); done; exit 3");
	struct life l;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	o.log_prefix = true;
	make_with_stdout(&l, o, ends[1]);
	close(ends[0]);
	close(ends[1]);
	runner_start(l.r);
	expect_gone(&l, 3, 0);
	runner_free(l.r);
}

static void
two_runners_share_a_loop(void **state)
{
	static const char *other_argv[] = { "/bin/sh", "-c", "trap 'exit 11' TERM; touch $D/up; while :; do sleep 0.02; done", NULL };
	struct runner_opts other = { .name = "other", .argv = other_argv };
	struct life a, b;

	(void)state;
	run(&a, sh("exec sleep 1000"));
	run(&b, other);
	expect_told(&a, "sr");
	expect_file("up");
	runner_kill(a.r);
	expect_gone(&a, 137, SIGKILL);
	assert_true(is_alive(runner_pid(b.r)));
	runner_stop(b.r);
	expect_gone(&b, 11, 0);
	runner_free(a.r);
	runner_free(b.r);
}

static void
orphans_are_counted(void **state)
{
	struct life l;

	(void)state;
	run(&l, sh("(true &) ; (true &) ; (true &)"));
	expect_gone(&l, 0, 0);
	assert_true(counters(&l).reaped >= 3);
	runner_free(l.r);
}

static void
what_makes_no_sense_is_refused_with_a_remedy(void **state)
{
	static const char *argv[] = { "true", NULL }, *empty[] = { NULL };
	static const struct runner_rewrite rw[] = { { 15, 99 } };
	const struct { struct runner_opts o; const char *says; } rows[] = {
		{ { .argv = argv }, "no name" },
		{ { .name = "x" }, "no command" },
		{ { .name = "x", .argv = empty }, "no command" },
		{ { .name = "x", .argv = argv, .app = RUNNER_APP_PORT }, "--app-port 0" },
		{ { .name = "x", .argv = argv, .app = RUNNER_APP_SOCKET }, "--app-socket" },
		{ { .name = "x", .argv = argv, .app = RUNNER_APP_STDIO, .tty = true }, "exclude each other" },
		{ { .name = "x", .argv = argv, .ready = { RUNNER_PROBE_HTTP, "/health", 0 } }, "names no host" },
		{ { .name = "x", .argv = argv, .ready = { RUNNER_PROBE_HTTP, "https://localhost/", 0 } }, "http://" },
		{ { .name = "x", .argv = argv, .ready = { RUNNER_PROBE_HTTP, "http://db.internal/", 0 } }, "not a numeric address" },
		{ { .name = "x", .argv = argv, .ready = { RUNNER_PROBE_TCP, "localhost", 0 } }, "no port" },
		{ { .name = "x", .argv = argv, .ready = { RUNNER_PROBE_FD, NULL, 2 } }, "--ready-fd 2" },
		{ { .name = "x", .argv = argv, .health = { RUNNER_PROBE_FD, NULL, 7 } }, "--health-http" },
		{ { .name = "x", .argv = argv, .health = { RUNNER_PROBE_CMD, "", 0 } }, "empty" },
		{ { .name = "x", .argv = argv, .restart = { RESTART_ALWAYS, 101, NS_PER_S } }, "--max-restarts 101" },
		{ { .name = "x", .argv = argv, .restart = { RESTART_ALWAYS, 5, 0 } }, "5/1m" },
		{ { .name = "x", .argv = argv, .stop_signal = 99 }, "--stop-signal 99" },
		{ { .name = "x", .argv = argv, .rewrites = rw, .nrewrites = 1 }, "--rewrite-signal 15:99" },
		{ { .name = "x", .argv = argv, .max_inflight = 100000 }, "--max-inflight" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct err err = { 0 };
		assert_null(runner_new(loop, &rows[i].o, &(struct runner_callbacks){ 0 }, &err));
		assert_int_equal(err.code, ERR_CONFIG);
		if (strstr(err.text, rows[i].says) == NULL)
			fail_msg("'%s' does not say '%s'", err.text, rows[i].says);
	}
}

/* --- the terminal -------------------------------------------------------------------------- */

/* terminal: a wrapper whose session has the terminal at path; ends with the program's code,
 * or 99 when the terminal is not ours again afterwards. */
static int
terminal(const char *path, bool tty, const char *script)
{
	struct runner_opts o = sh(script);
	struct life l;
	int fd;

	if (setsid() == -1 || (fd = open(path, O_RDWR | O_CLOEXEC)) == -1 || dup2(fd, 0) == -1)
		return 98;
	if (ioctl(0, TIOCSCTTY, 0) == -1 && tcgetpgrp(0) != getpgrp())
		return 97;
	thread_block_signals();
	loop = loop_new(clock_system(), 16, NULL);
	o.tty = tty;
	run(&l, o);
	until(loop, is_gone, &l);
	runner_free(l.r);
	loop_free(loop);
	return tcgetpgrp(0) == getpgrp() ? l.code : 99;
}

static int
in_terminal(bool tty, const char *script, const char *typed)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), wstatus;
	char path[64];
	pid_t pid;

	assert_int_not_equal(master, -1);
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	assert_int_equal(ptsname_r(master, path, sizeof path), 0);
	const char *argv[] = { child_self(), "terminal", path, tty ? "tty" : "plain", script, NULL };
	assert_int_equal(child_spawn(&(struct child_opts){ .argv = argv }, &pid, NULL), ERR_OK);
	assert_int_equal(write(master, typed, strlen(typed)), strlen(typed));
	assert_int_equal(waitpid(pid, &wstatus, 0), pid);
	close(master);
	return child_exit_code(wstatus);
}

static void
a_program_may_have_the_terminal(void **state)
{
	(void)state;
	/* Ctrl-C is the program's then; without a terminal it reads nothing and does not hang. */
	assert_int_equal(in_terminal(true, "read code; exit $code", "33\n"), 33);
	assert_int_equal(in_terminal(false, "read code || exit 44; exit $code", "33\n"), 44);
	assert_int_equal(in_terminal(true, "trap 'exit 55' INT; while :; do sleep 0.02; done & kill -INT 0; wait", ""), 55);
}

/* --- roles --------------------------------------------------------------------------------- */

static bool
file_exists(const char *name)
{
	char path[160];

	snprintf(path, sizeof path, "%s/%s", getenv("D"), name);
	return access(path, F_OK) == 0;
}

/* answer: one request; false at the end of the connection. */
static bool
answer(int fd)
{
	char buf[4096], body[256], out[600], *path, *end;
	ssize_t n = recv(fd, buf, sizeof buf - 1, 0);
	int status = 200;

	if (n <= 0)
		return false;
	buf[n] = '\0';
	path = strchr(buf, ' ') + 1;
	end = strchr(path, ' ');
	*end = '\0';
	if (strcmp(path, "/rpc/die") == 0)
		_exit(4);
	if (strcmp(path, "/health") == 0) {
		while (file_exists("hang"))
			usleep(10000);
		status = file_exists("bad") ? 500 : 200;
	}
	snprintf(body, sizeof body, "\"%.200s\"", path);
	n = snprintf(out, sizeof out, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body);
	return send(fd, out, (size_t)n, MSG_NOSIGNAL) == n && strstr(end + 1, "Connection: close") == NULL;
}

static int
serve(const char *path, const char *delay_ms)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), c;

	usleep((useconds_t)strtoul(delay_ms, NULL, 10) * 1000);
	memcpy(un.sun_path, path, strlen(path) + 1);
	if (bind(fd, (struct sockaddr *)&un, sizeof un) == -1 || listen(fd, 8) == -1)
		return 1;
	while ((c = accept(fd, NULL, NULL)) != -1) {
		while (answer(c))
			continue;
		close(c);
	}
	return 1;
}

static void
send_up(const char *text)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	const char *name = getenv("NOTIFY_SOCKET");
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	memcpy(un.sun_path + 1, name + 1, strlen(name) - 1);
	if (sendto(fd, text, strlen(text), 0, (struct sockaddr *)&un,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))) == -1)
		_exit(1);
	close(fd);
}

_Noreturn static void
notify(bool as_nobody)
{
	char path[160];

	if (as_nobody) {
		pid_t pid = fork();
		if (pid == 0) {
			if (setuid(65534) == 0)
				send_up("READY=1");
			_exit(0);
		}
		waitpid(pid, NULL, 0);
		snprintf(path, sizeof path, "%s/sent", getenv("D"));
		close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
		for (;;)
			pause();
	}
	send_up("STATUS=warming up\nMAINPID=17");
	send_up("READY=1\nSTATUS=warm\nFDSTORE=1");
	for (;;)
		pause();
}

/* --- all together -------------------------------------------------------------------------- */

static int
clean(void **state)
{
	(void)state;
	empty_dir(dir);
	return 0;
}

static bool
no_child_is_left(void *arg)
{
	pid_t left[8];

	(void)arg;
	return procfs_descendants(getpid(), left, 8) == 0;
}

static int
set_up(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	setenv("D", dir, 1);
	loop = loop_new(clock_system(), 16, NULL);
	return loop == NULL;
}

static int
tear_down(void **state)
{
	/* Also guardians that were let go have ended. */
	bool empty = until(loop, no_child_is_left, NULL);

	clean(state);
	loop_free(loop);
	return rmdir(dir) != 0 || !empty;
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], CHILD_SHIM_VERB) == 0)
		child_shim_main(argc, argv);
	if (argc > 1 && strcmp(argv[1], GUARDIAN_VERB) == 0)
		guardian_main(argc, argv);
	if (argc > 3 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2], argv[3]);
	if (argc > 1 && strcmp(argv[1], "notify") == 0)
		notify(argc > 2);
	if (argc > 4 && strcmp(argv[1], "terminal") == 0)
		return terminal(argv[2], strcmp(argv[3], "tty") == 0, argv[4]);

#define TEST(f) cmocka_unit_test_setup(f, clean)
	const struct CMUnitTest tests[] = {
		TEST(the_exit_code_is_passed_on),
		TEST(what_cannot_be_executed_is_127_or_126_and_never_ready),
		TEST(stop_is_term_and_its_answer_counts),
		TEST(stop_before_and_in_between_is_answered),
		TEST(the_stop_signal_can_be_chosen_and_wakes_a_stopped_program),
		TEST(who_ignores_term_is_killed_and_all_it_started),
		TEST(without_patience_it_is_killed_at_once),
		TEST(the_group_may_use_the_time_until_kill),
		TEST(who_ends_by_itself_leaves_nothing_behind),
		TEST(freeing_it_kills_everything),
		TEST(it_can_be_freed_when_it_is_gone),
		TEST(a_failure_is_started_again_until_the_budget_is_spent),
		TEST(who_exits_125_is_not_started_again),
		TEST(a_stop_ends_the_pause_before_a_restart),
		TEST(a_dead_guardian_costs_a_restart_whatever_the_policy),
		TEST(a_stopped_guardian_cannot_prevent_the_end),
		TEST(signals_arrive_rewritten_or_not_at_all),
		TEST(ready_by_a_line_on_a_descriptor),
		TEST(closing_the_descriptor_without_a_line_is_not_ready),
		TEST(ready_by_command),
		TEST(a_probe_that_hangs_is_killed),
		TEST(a_probe_leaves_nothing_behind),
		TEST(ready_when_the_app_socket_accepts_and_callable_then),
		TEST(health_turns_and_returns),
		TEST(health_by_tcp_notices_a_closed_listener),
		TEST(ready_by_notification_which_also_goes_up),
		TEST(the_word_of_another_user_does_not_count),
		TEST(an_inherited_notify_socket_is_not_passed_on),
		TEST(never_ready_is_stopped_and_counts_as_failure),
		TEST(the_environment_can_be_set_between_starts),
		TEST(a_stdio_program_is_called_over_its_pipes),
		TEST(lines_get_the_name_in_front),
		TEST(a_flood_with_a_slow_reader_holds_up_nobody_but_the_program),
		TEST(a_closed_stdout_does_not_hurt),
		TEST(two_runners_share_a_loop),
		TEST(orphans_are_counted),
		TEST(what_makes_no_sense_is_refused_with_a_remedy),
		TEST(a_program_may_have_the_terminal),
	};

	thread_block_signals();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
