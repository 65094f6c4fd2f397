/* t_runner_ready - when a wrapped program counts as ready: a line, a command, a notification.
 *
 * Role: "notify" (sends datagrams to NOTIFY_SOCKET). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "lives.h"

/* --- the role ------------------------------------------------------------------------------ */

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

/* --- readiness --------------------------------------------------------------------------- */

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
	/* A second probe: the first one is over, and was not content. */
	assert_true(until(loop, has_probed_twice, &l));
	assert_string_equal(l.told, "s");
	touch("go");
	expect_told(&l, "sr");
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
	o.probe_timeout_ns = 2 * NS_PER_S;
	run(&l, o);
	pid_t probe = pid_in("probe");
	assert_true(until(loop, is_dead, &probe));
	touch("go");
	expect_told(&l, "sr");
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

/* --- all together -------------------------------------------------------------------------- */

static int
set_up(void **state)
{
	(void)state;
	return folder_make("t_runner_ready");
}

int
main(int argc, char **argv)
{
	LIVES_SHIM(argc, argv);
	if (argc > 1 && strcmp(argv[1], "notify") == 0)
		notify(argc > 2);

#define TEST(f) cmocka_unit_test_setup(f, folder_clean)
	const struct CMUnitTest tests[] = {
		TEST(ready_by_a_line_on_a_descriptor),
		TEST(closing_the_descriptor_without_a_line_is_not_ready),
		TEST(ready_by_command),
		TEST(a_probe_that_hangs_is_killed),
		TEST(ready_by_notification_which_also_goes_up),
		TEST(the_word_of_another_user_does_not_count),
		TEST(an_inherited_notify_socket_is_not_passed_on),
		TEST(never_ready_is_stopped_and_counts_as_failure),
	};

	thread_block_signals();
	return cmocka_run_group_tests(tests, set_up, folder_remove);
}
