/* t_reaper - own children are told to their owners, adopted ones collected, kept ones left. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sys/wait.h>

#include "sys/child.h"
#include "sys/procfs.h"
#include "sys/reaper.h"
#include "sys/thread.h"
#include "until.h"

static struct loop *loop;

struct ended {
	struct reaper_watch watch;
	unsigned times;
	int wstatus;
};

static void
on_ended(void *arg, int wstatus)
{
	struct ended *e = arg;

	e->times++;
	e->wstatus = wstatus;
}

static bool
has_ended(void *arg)
{
	return ((struct ended *)arg)->times > 0;
}

static pid_t
start(const char *script)
{
	const char *argv[] = { "/bin/sh", "-c", script, NULL };
	pid_t pid;

	assert_int_equal(child_spawn(&(struct child_opts){ .argv = argv, .own_group = true }, &pid, NULL), ERR_OK);
	return pid;
}

static bool
no_process_is_left(void *arg)
{
	siginfo_t who = { 0 };

	(void)arg;
	return waitid(P_ALL, 0, &who, WEXITED | WNOHANG | WNOWAIT) == -1 && errno == ECHILD;
}

static void
each_owner_hears_of_his_own_child(void **state)
{
	struct ended e[20] = { { .times = 0 } };
	uint64_t orphans = reaper_orphans();

	(void)state;
	for (size_t i = 0; i < 20; i++) {
		char script[32];
		snprintf(script, sizeof script, "exit %zu", i);
		reaper_watch(&e[i].watch, start(script), on_ended, &e[i]);
	}
	for (size_t i = 0; i < 20; i++) {
		assert_true(until(loop, has_ended, &e[i]));
		assert_int_equal(e[i].times, 1);
		assert_int_equal(WEXITSTATUS(e[i].wstatus), i);
	}
	assert_int_equal(reaper_orphans(), orphans);
	assert_true(until(loop, no_process_is_left, NULL));
}

static void
adopted_ones_are_collected_and_counted(void **state)
{
	struct ended e = { .times = 0 };
	uint64_t orphans = reaper_orphans();

	(void)state;
	reaper_watch(&e.watch, start("(sleep 0.05 &) ; (true &) ; (sleep 0.02 &) ; exit 0"), on_ended, &e);
	assert_true(until(loop, no_process_is_left, NULL));
	assert_int_equal(e.times, 1);
	assert_int_equal(reaper_orphans() - orphans, 3);
}

static void
a_child_nobody_watches_any_more_is_still_collected(void **state)
{
	struct ended e = { .times = 0 };
	uint64_t orphans = reaper_orphans();

	(void)state;
	pid_t pid = start("exec sleep 1000");
	reaper_watch(&e.watch, pid, on_ended, &e);
	reaper_unwatch(&e.watch);
	reaper_unwatch(&e.watch);
	/* Let go is not adopted: it may be about to end by itself. */
	assert_int_equal(reaper_kill_adopted(), 0);
	assert_true(is_alive(pid));
	kill(pid, SIGKILL);
	assert_true(until(loop, no_process_is_left, NULL));
	assert_int_equal(e.times, 0);
	assert_int_equal(reaper_orphans(), orphans);
}

/* A zombie that is kept stands in front of the others; they are found behind it. */
static void
a_kept_child_is_left_to_its_owner(void **state)
{
	struct ended e = { .times = 0 };
	int wstatus;

	(void)state;
	pid_t kept = start("exit 9");
	reaper_keep(kept);
	for_a_while(loop, 30 * NS_PER_MS);
	pid_t other = start("exit 4");
	reaper_watch(&e.watch, other, on_ended, &e);
	for_a_while(loop, 30 * NS_PER_MS);
	assert_int_equal(waitpid(kept, &wstatus, 0), kept);
	assert_int_equal(WEXITSTATUS(wstatus), 9);
	reaper_release(kept);
	assert_true(until(loop, has_ended, &e));
	assert_int_equal(WEXITSTATUS(e.wstatus), 4);
	assert_true(until(loop, no_process_is_left, NULL));
}

static bool
two_are_below(void *pid)
{
	pid_t v[8];

	return procfs_descendants(*(pid_t *)pid, v, 8) == 2;
}

static bool
has_a_child(void *pid)
{
	pid_t v[8];

	return procfs_descendants(*(pid_t *)pid, v, 8) == 1;
}

static void
only_adopted_ones_are_killed_and_all_below_them(void **state)
{
	struct ended own = { .times = 0 }, parent = { .times = 0 };

	(void)state;
	pid_t mine = start("sleep 1000 & wait");
	reaper_watch(&own.watch, mine, on_ended, &own);
	assert_true(until(loop, has_a_child, &mine));
	reaper_watch(&parent.watch, start("(trap '' TERM; sleep 1000 & setsid sleep 1000 & wait) & exit 0"), on_ended, &parent);
	assert_true(until(loop, has_ended, &parent));
	while (reaper_kill_adopted() > 0)
		for_a_while(loop, 2 * NS_PER_MS);
	assert_true(is_alive(mine));
	assert_int_equal(own.times, 0);
	pid_t self = getpid();
	assert_true(until(loop, two_are_below, &self));
	kill(-mine, SIGKILL);
	assert_true(until(loop, no_process_is_left, NULL));
	assert_int_equal(own.times, 1);
}

static int
set_up(void **state)
{
	(void)state;
	loop = loop_new(clock_system(), 16, NULL);
	/* Counted: the second user may leave before the first. */
	if (loop == NULL || reaper_start(loop, NULL) != ERR_OK || reaper_start(loop, NULL) != ERR_OK)
		return 1;
	reaper_stop(loop);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	reaper_stop(loop);
	loop_free(loop);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_owner_hears_of_his_own_child),
		cmocka_unit_test(adopted_ones_are_collected_and_counted),
		cmocka_unit_test(a_child_nobody_watches_any_more_is_still_collected),
		cmocka_unit_test(a_kept_child_is_left_to_its_owner),
		cmocka_unit_test(only_adopted_ones_are_killed_and_all_below_them),
	};

	thread_block_signals();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
