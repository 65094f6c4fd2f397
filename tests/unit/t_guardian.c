/* t_guardian - nothing outlives its guardian's order, however it hides; and what the guardian tells.
 *
 * Real processes: this program is also the guardian and the shim. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/wait.h>

#include "folder.h"
#include "guarded.h"
#include "runner/guardian.h"
#include "sys/child.h"
#include "sys/reaper.h"
#include "sys/thread.h"

/* --- tests ------------------------------------------------------------------------------ */

static void
tells_start_exit_and_emptiness_in_this_order(void **state)
{
	struct guardian *g = guard("exit 7");

	(void)state;
	expect_told("SXE");
	assert_true(WIFEXITED(news.wstatus));
	assert_int_equal(WEXITSTATUS(news.wstatus), 7);
	assert_true(news.pid > 0);
	guardian_free(g);
}

static void
tells_the_signal_that_ended_it(void **state)
{
	struct guardian *g = guard("kill -SEGV $$");

	(void)state;
	expect_told("SXE");
	assert_true(WIFSIGNALED(news.wstatus));
	assert_int_equal(WTERMSIG(news.wstatus), SIGSEGV);
	guardian_free(g);
}

static void
tells_no_command_and_not_executable_apart(void **state)
{
	const char *none[] = { "no-such-command-anywhere", NULL };
	const char *folder[] = { "/tmp", NULL };
	struct guardian *g = guard_fds(none, -1);

	(void)state;
	expect_told("F");
	assert_int_equal(news.code, ERR_NO_COMMAND);
	assert_non_null(strstr(news.text, "no-such-command-anywhere"));
	guardian_free(g);
	g = guard_fds(folder, -1);
	expect_told("F");
	assert_int_equal(news.code, ERR_NOT_EXECUTABLE);
	guardian_free(g);
}

static void
a_program_may_end_with_127_itself(void **state)
{
	struct guardian *g = guard("exit 127");

	(void)state;
	expect_told("SXE");
	assert_int_equal(WEXITSTATUS(news.wstatus), 127);
	guardian_free(g);
}

static void
a_signal_reaches_the_whole_group(void **state)
{
	struct guardian *g = guard("sh -c 'echo $$ >$D/hidden.tmp; mv $D/hidden.tmp $D/hidden; exec sleep 1000' & wait");

	(void)state;
	pid_t inner = pid_in("hidden");
	assert_int_equal(guardian_signal(g, SIGTERM), ERR_OK);
	expect_told("SXE");
	assert_int_equal(WTERMSIG(news.wstatus), SIGTERM);
	assert_false(is_alive(inner));
	guardian_free(g);
}

/* The program leads its group no more, but its number must still reach the others. */
static void
a_signal_reaches_the_group_after_its_leader_ended(void **state)
{
	struct guardian *g = guard("sh -c 'echo $$ >$D/hidden.tmp; mv $D/hidden.tmp $D/hidden; exec sleep 1000' & "
	    "while ! test -e $D/hidden; do sleep 0.01; done; exit 0");

	(void)state;
	pid_t inner = pid_in("hidden");
	expect_told("SX");
	assert_true(is_alive(inner));
	assert_int_equal(guardian_signal(g, SIGTERM), ERR_OK);
	expect_told("SXE");
	assert_false(is_alive(inner));
	guardian_free(g);
}

static void
kill_finds_what_left_group_and_session(void **state)
{
	struct guardian *g = guard("trap '' TERM; " HIDDEN DAEMON "while :; do sleep 0.05; done");

	(void)state;
	pid_t hidden = pid_in("hidden"), daemon = pid_in("daemon");
	expect_told("S");
	assert_int_equal(guardian_signal(g, SIGTERM), ERR_OK);
	for_a_while(loop, 100 * NS_PER_MS);
	assert_true(is_alive(news.pid));
	assert_true(is_alive(hidden));
	guardian_kill(g);
	expect_told("SXE");
	assert_int_equal(WTERMSIG(news.wstatus), SIGKILL);
	assert_false(is_alive(hidden));
	assert_false(is_alive(daemon));
	guardian_free(g);
}

static void
kill_outruns_what_forks_all_the_time(void **state)
{
	struct guardian *g = guard("i=0; while [ $i -lt 20 ]; do (while :; do (sleep 0.01 &) ; done) & i=$((i+1)); done; " SELF "wait");

	(void)state;
	pid_in("self");
	for_a_while(loop, 200 * NS_PER_MS);
	guardian_kill(g);
	expect_told("SXE");
	guardian_free(g);
}

static void
a_daemon_keeps_the_run_from_being_empty(void **state)
{
	struct guardian *g = guard(DAEMON "while ! test -e $D/daemon; do sleep 0.01; done; exit 4");

	(void)state;
	expect_told("SX");
	pid_t daemon = pid_in("daemon");
	for_a_while(loop, 50 * NS_PER_MS);
	assert_string_equal(news.told, "SX");
	assert_true(is_alive(daemon));
	guardian_kill(g);
	expect_told("SXE");
	assert_false(is_alive(daemon));
	guardian_free(g);
}

static void
orphans_are_collected_and_counted(void **state)
{
	struct guardian *g = guard("for i in 1 2 3 4 5 6 7 8; do (true &) ; done");

	(void)state;
	expect_told("SXE");
	assert_int_equal(guardian_reaped(g), 8);
	guardian_free(g);
}

static void
the_guardian_is_deaf_to_signals(void **state)
{
	static const int deaf[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGTSTP, SIGPIPE, SIGALRM };
	struct guardian *g = guard("while ! test -e $D/guardian; do sleep 0.02; done; exit 9");

	(void)state;
	expect_told("S");
	assert_int_not_equal(getpgid(guardian_pid(g)), getpgrp());
	assert_int_not_equal(getpgid(guardian_pid(g)), news.pid);
	assert_int_equal(getpgid(news.pid), news.pid);
	for (size_t i = 0; i < sizeof deaf / sizeof deaf[0]; i++)
		assert_int_equal(kill(guardian_pid(g), deaf[i]), 0);
	close(open(in_dir("guardian"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	expect_told("SXE");
	assert_int_equal(WEXITSTATUS(news.wstatus), 9);
	guardian_free(g);
}

static void
the_guardian_keeps_no_pipe_of_the_program_open(void **state)
{
	const char *argv[] = { "/bin/sh", "-c", SELF "exec >&- ; exec sleep 1000", NULL };
	int ends[2];
	char b;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	struct guardian *g = guard_fds(argv, ends[1]);
	close(ends[1]);
	pid_in("self");
	expect_told("S");
	/* Blocks for ever when somebody still holds the other end. */
	alarm(60);
	assert_int_equal(read(ends[0], &b, 1), 0);
	alarm(0);
	assert_true(is_alive(news.pid));
	guardian_kill(g);
	expect_told("SXE");
	guardian_free(g);
	close(ends[0]);
}

static void
a_dead_guardian_takes_everything_with_it(void **state)
{
	struct guardian *g = guard(HIDDEN DAEMON SELF "sleep 1000 & while :; do sleep 0.05; done");

	(void)state;
	pid_t hidden = pid_in("hidden"), daemon = pid_in("daemon"), self = pid_in("self");
	expect_told("S");
	assert_int_equal(kill(guardian_pid(g), SIGKILL), 0);
	expect_told("SL");
	assert_false(is_alive(self));
	assert_false(is_alive(hidden));
	assert_false(is_alive(daemon));
	guardian_free(g);
}

/* Two runs in one process: the end of one guardian must not touch the other's family. */
static void
a_dead_guardian_takes_nobody_else_with_it(void **state)
{
	const char *argv[] = { "/bin/sh", "-c", DAEMON SELF "exec sleep 1000", NULL };
	const char *other_argv[] = { "/bin/sh", "-c", "echo $$ >$D/hidden.tmp; mv $D/hidden.tmp $D/hidden; exec sleep 1000", NULL };
	struct guardian *g = guard_fds(argv, -1), *other;
	pid_t kept;

	(void)state;
	expect_told("S");
	pid_t daemon = pid_in("daemon"), self = pid_in("self");
	other = guard_fds(other_argv, -1);
	pid_t bystander = pid_in("hidden");
	expect_told("S");
	const char *words[] = { "sleep", "1000", NULL };
	assert_int_equal(child_spawn(&(struct child_opts){ .argv = words, .own_group = true }, &kept, NULL), ERR_OK);
	reaper_keep(kept);
	memset(news.told, 0, sizeof news.told);
	assert_int_equal(kill(guardian_pid(other), SIGKILL), 0);
	expect_told("L");
	assert_false(is_alive(bystander));
	assert_true(is_alive(daemon));
	assert_true(is_alive(self));
	assert_true(is_alive(kept));
	kill(kept, SIGKILL);
	for_a_while(loop, 20 * NS_PER_MS);
	/* Kept for its owner, who finds it. */
	assert_int_equal(waitpid(kept, NULL, 0), kept);
	reaper_release(kept);
	guardian_free(other);
	memset(news.told, 0, sizeof news.told);
	guardian_kill(g);
	expect_told("XE");
	guardian_free(g);
}

static void
a_stopped_guardian_is_overruled(void **state)
{
	struct guardian *g = guard(HIDDEN SELF "exec sleep 1000");

	(void)state;
	pid_t hidden = pid_in("hidden"), self = pid_in("self");
	expect_told("S");
	assert_int_equal(kill(guardian_pid(g), SIGSTOP), 0);
	assert_int_equal(guardian_signal(g, SIGKILL), ERR_OK);
	for_a_while(loop, 50 * NS_PER_MS);
	assert_true(is_alive(self));
	guardian_kill_hard(g);
	/* The order was in its socket and is lost with it. */
	expect_told("SL");
	assert_false(is_alive(self));
	assert_false(is_alive(hidden));
	guardian_free(g);
}

/* A lost lease leaves a tenth of a second: not the time for finding out that nobody listens. */
static void
an_order_to_kill_wakes_a_stopped_guardian(void **state)
{
	struct guardian *g = guard(HIDDEN SELF "exec sleep 1000");

	(void)state;
	pid_t hidden = pid_in("hidden"), self = pid_in("self");
	expect_told("S");
	assert_int_equal(kill(guardian_pid(g), SIGSTOP), 0);
	guardian_kill(g);
	expect_told("SXE");
	assert_false(is_alive(self));
	assert_false(is_alive(hidden));
	guardian_free(g);
}

/* The kernel tells of orders that were never read before it hands out the last news. */
static void
news_are_heard_although_orders_were_left_unread(void **state)
{
	struct guardian *g = guard("exec sleep 1000");

	(void)state;
	expect_told("S");
	assert_int_equal(kill(guardian_pid(g), SIGSTOP), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(guardian_signal(g, SIGCONT), ERR_OK);
	assert_int_equal(kill(news.pid, SIGKILL), 0);
	expect_dead(news.pid);
	assert_int_equal(kill(guardian_pid(g), SIGCONT), 0);
	expect_told("SXE");
	assert_int_equal(WTERMSIG(news.wstatus), SIGKILL);
	guardian_free(g);
}

static void
a_guardian_that_is_let_go_kills_everything(void **state)
{
	struct guardian *g = guard(HIDDEN SELF "exec sleep 1000");

	(void)state;
	pid_t hidden = pid_in("hidden"), self = pid_in("self"), own = guardian_pid(g);
	expect_told("S");
	guardian_free(g);
	expect_dead(hidden);
	expect_dead(self);
	expect_dead(own);
	assert_string_equal(news.told, "S");
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], CHILD_SHIM_VERB) == 0)
		child_shim_main(argc, argv);
	if (argc > 1 && strcmp(argv[1], GUARDIAN_VERB) == 0)
		guardian_main(argc, argv);

#define TEST(f) cmocka_unit_test_setup(f, folder_clean)
	const struct CMUnitTest tests[] = {
		TEST(tells_start_exit_and_emptiness_in_this_order),
		TEST(tells_the_signal_that_ended_it),
		TEST(tells_no_command_and_not_executable_apart),
		TEST(a_program_may_end_with_127_itself),
		TEST(a_signal_reaches_the_whole_group),
		TEST(a_signal_reaches_the_group_after_its_leader_ended),
		TEST(kill_finds_what_left_group_and_session),
		TEST(kill_outruns_what_forks_all_the_time),
		TEST(a_daemon_keeps_the_run_from_being_empty),
		TEST(orphans_are_collected_and_counted),
		TEST(the_guardian_is_deaf_to_signals),
		TEST(the_guardian_keeps_no_pipe_of_the_program_open),
		TEST(a_dead_guardian_takes_everything_with_it),
		TEST(a_dead_guardian_takes_nobody_else_with_it),
		TEST(a_stopped_guardian_is_overruled),
		TEST(an_order_to_kill_wakes_a_stopped_guardian),
		TEST(news_are_heard_although_orders_were_left_unread),
		TEST(a_guardian_that_is_let_go_kills_everything),
	};

	thread_block_signals();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
