/* t_runner - whole lives of wrapped programs: how they end, what they leave, when they are started
 * again.  Readiness, health, signals and output have programs of their own. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sys/stat.h>

#include "lives.h"

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

/* --- stubborn ones ----------------------------------------------------------------------- */

static void
who_ignores_term_is_killed_and_all_it_started(void **state)
{
	struct runner_opts o = sh("trap '' TERM; " LIVES_HIDDEN "while :; do sleep 0.05; done");
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
	run(&l, sh(LIVES_HIDDEN "exit 3"));
	expect_gone(&l, 3, 0);
	assert_false(is_alive(read_pid(in_dir("hidden"))));
	runner_free(l.r);
}

static void
freeing_it_kills_everything(void **state)
{
	struct life l;

	(void)state;
	run(&l, sh("trap '' TERM; " LIVES_HIDDEN "while :; do sleep 0.05; done"));
	expect_told(&l, "sr");
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
	/* The third pause lasts three seconds and more: it is not over when we come late. */
	expect_told(&l, "srdsrdsrd");
	/* Down is told when the program ends; the pause begins when nothing is left. */
	for_a_while(loop, 50 * NS_PER_MS);
	runner_stop(l.r);
	expect_gone(&l, 9, 0);
	assert_int_equal(counters(&l).starts, 3);
	runner_free(l.r);
}

static void
a_dead_guardian_costs_a_restart_whatever_the_policy(void **state)
{
	struct life l;
	pid_t children[8];

	(void)state;
	run(&l, sh(LIVES_HIDDEN "exec sleep 1000"));
	expect_told(&l, "sr");
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
	/* The order to kill wakes the guardian, which finds that to end in front of it. */
	struct runner_opts o = sh("trap '' TERM; touch $D/up; exec sleep 1000");
	struct life l;
	pid_t children[8];

	(void)state;
	o.kill_after_ns = 50 * NS_PER_MS;
	run(&l, o);
	expect_told(&l, "sr");
	expect_file("up");
	assert_true(procfs_descendants(getpid(), children, 8) >= 2);
	assert_int_equal(kill(children[0], SIGSTOP), 0);
	runner_stop(l.r);
	expect_gone(&l, 137, SIGKILL);
	runner_free(l.r);
}

/* --- environment, neighbours, options --------------------------------------------------------- */

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
	assert_true(until(loop, is_running, &b));
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

/* --- all together -------------------------------------------------------------------------- */

static int
set_up(void **state)
{
	(void)state;
	return folder_make("t_runner");
}

int
main(int argc, char **argv)
{
	LIVES_SHIM(argc, argv);

#define TEST(f) cmocka_unit_test_setup(f, folder_clean)
	const struct CMUnitTest tests[] = {
		TEST(the_exit_code_is_passed_on),
		TEST(what_cannot_be_executed_is_127_or_126_and_never_ready),
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
		TEST(the_environment_can_be_set_between_starts),
		TEST(two_runners_share_a_loop),
		TEST(orphans_are_counted),
		TEST(what_makes_no_sense_is_refused_with_a_remedy),
	};

	thread_block_signals();
	return cmocka_run_group_tests(tests, set_up, folder_remove);
}
