/* t_runner_signals - what a wrapped program hears of signals, stops and a terminal.
 *
 * Role: "terminal" (a wrapper with a terminal). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

#include "lives.h"

/* --- stopping ---------------------------------------------------------------------------- */

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

/* --- all together -------------------------------------------------------------------------- */

static int
set_up(void **state)
{
	(void)state;
	return folder_make("t_runner_signals");
}

int
main(int argc, char **argv)
{
	LIVES_SHIM(argc, argv);
	if (argc > 4 && strcmp(argv[1], "terminal") == 0)
		return terminal(argv[2], strcmp(argv[3], "tty") == 0, argv[4]);

#define TEST(f) cmocka_unit_test_setup(f, folder_clean)
	const struct CMUnitTest tests[] = {
		TEST(stop_is_term_and_its_answer_counts),
		TEST(stop_before_and_in_between_is_answered),
		TEST(the_stop_signal_can_be_chosen_and_wakes_a_stopped_program),
		TEST(signals_arrive_rewritten_or_not_at_all),
		TEST(a_program_may_have_the_terminal),
	};

	thread_block_signals();
	return cmocka_run_group_tests(tests, set_up, folder_remove);
}
