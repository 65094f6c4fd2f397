/* t_guardian_lease - under a lease nothing of a program outlives it, nor its wrapper, whoever is killed or stands still.
 *
 * Real processes: this program is also the guardian, the shim and ("stand-in") a wrapper
 * that can be killed. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sys/wait.h>

#include "folder.h"
#include "guarded.h"
#include "runner/guardian.h"
#include "sys/child.h"
#include "sys/reaper.h"
#include "sys/thread.h"

static struct tether *tether;		/* of the tests under a lease */

static bool
is_over(void *arg)
{
	(void)arg;
	return strchr(news.told, 'E') != NULL;
}

/* --- under a lease ----------------------------------------------------------------------- */

/* A quarter of D before the end comes the warning.  The machine may be slow: a guardian that gets the processor
 * only after the end kills without one, and a wrapper that gets it too seldom loses its lease.  So a test that is
 * about the warning has a long one. */
#define LEASE_NS (2 * NS_PER_S)			/* D */
#define LONG_LEASE_NS (12 * NS_PER_S)
#define KILL_WINDOW_NS (40 * NS_PER_MS)		/* what kill and exit may take (election.md §10) */

static struct boot
now_boot(void)
{
	return clock_boot(clock_system());
}

static struct boot
grant(int64_t ns, uint32_t hold)
{
	struct boot until = boot_after(now_boot(), ns);

	atomic_store(tether_word(tether), gate_pack(until, hold));
	return until;
}

/* The lease of a wrapper that renews it whenever its loop turns. */
static struct {
	struct loop_timer timer;
	struct boot until;
	int64_t ns;
} held;

static void
renew(void *arg)
{
	(void)arg;
	held.until = grant(held.ns, 1);
	loop_timer_set(loop, &held.timer, mono_after(clock_mono(clock_system()), 20 * NS_PER_MS), renew, NULL);
}

static void
hold(int64_t ns)
{
	held.ns = ns;
	renew(NULL);
}

/* hold_no_more: the last renewal was the last; when the lease ends. */
static struct boot
hold_no_more(void)
{
	loop_timer_cancel(loop, &held.timer);
	return held.until;
}

static struct guardian *
lease_of(int64_t ns, const char *script, struct tether_terms terms)
{
	const char *argv[] = { "/bin/sh", "-c", script, NULL };

	terms.tether = tether;
	terms.lease_ns = ns;
	return guard_terms(argv, -1, terms);
}

static struct guardian *
lease(const char *script, struct tether_terms terms)
{
	return lease_of(LEASE_NS, script, terms);
}

/* expect_lapse: the end by a lease that ran out, with a warning unless the guardian came too late for one. */
static void
expect_lapse(void)
{
	if (!until(loop, is_over, NULL) || (strcmp(news.told, "SPPXE") != 0 && strcmp(news.told, "SPXE") != 0))
		fail_msg("told '%s', not 'SPPXE' or 'SPXE'", news.told);
}

static int
with_tether(void **state)
{
	struct err err;

	tether = tether_new(&err);
	return folder_clean(state) != 0 || tether == NULL;
}

static int
without_tether(void **state)
{
	(void)state;
	loop_timer_cancel(loop, &held.timer);
	tether_free(tether);
	tether = NULL;
	return 0;
}

/* one_end: how long after the lease's end the last of two was dead that do not want to. */
static int64_t
one_end(void)
{
	hold(3 * NS_PER_S);
	struct guardian *g = lease("trap '' TERM; " HIDDEN SELF "while :; do sleep 0.05; done",
	    (struct tether_terms){ .lost_signal = SIGTERM });
	pid_t self = pid_in("self"), hidden = pid_in("hidden");
	struct boot end = hold_no_more();

	for (bool alive = true; alive && !boot_reached(now_boot(), end); alive = is_alive(self))
		for_a_while(loop, 2 * NS_PER_MS);
	assert_true(boot_reached(now_boot(), end));		/* looked at after it was found dead */
	while ((is_alive(self) || is_alive(hidden)) && !boot_reached(now_boot(), boot_after(end, UNTIL_NS)))
		usleep(500);
	int64_t took = now_boot().ns - end.ns;
	expect_lapse();
	assert_int_equal(WTERMSIG(news.wstatus), SIGKILL);
	guardian_free(g);
	empty_dir(dir);
	return took;
}

/* Other programs share the machine with this test, and what they delay says nothing about the guardian: three
 * lives of many are enough to show that it needs no more than the window.  One that looks too seldom, or waits for
 * something, never keeps it. */
static void
at_the_end_of_the_lease_everything_is_dead_within_the_window(void **state)
{
	int within = 0;

	(void)state;
	for (int i = 0; i < 15 && within < 3; i++) {
		int64_t took = one_end();
		print_message("dead %.1f ms after the end of the lease\n", (double)took / NS_PER_MS);
		within += took < KILL_WINDOW_NS;
	}
	assert_true(within >= 3);
}

static void
a_renewed_lease_is_lived_on(void **state)
{
	(void)state;
	hold(5 * NS_PER_S);
	struct boot warning = boot_after(now_boot(), 5 * NS_PER_S - LONG_LEASE_NS / 4);
	struct guardian *g = lease_of(LONG_LEASE_NS, SELF "exec sleep 1000", (struct tether_terms){ .lost_signal = SIGTERM });
	pid_t self = pid_in("self");
	while (!boot_reached(now_boot(), boot_after(warning, NS_PER_S / 2)))
		for_a_while(loop, 50 * NS_PER_MS);
	assert_true(is_alive(self));
	assert_string_equal(news.told, "S");
	/* Shut: what was granted last may be used up, and then it ends. */
	hold_no_more();
	atomic_store(tether_word(tether), 0);
	expect_told("SPXE");
	assert_int_equal(WTERMSIG(news.wstatus), SIGTERM);
	guardian_free(g);
}

/* let_look: an order wakes the guardian, which looks at the lease before it reads anything. */
static void
let_look(struct guardian *g)
{
	assert_int_equal(guardian_signal(g, SIGCONT), ERR_OK);
	for_a_while(loop, 200 * NS_PER_MS);
}

static void
another_hold_ends_it_at_the_next_look(void **state)
{
	struct guardian *g;

	(void)state;
	grant(60 * NS_PER_S, 1);
	g = lease(SELF "exec sleep 1000", (struct tether_terms){ 0 });
	expect_told("S");
	grant(60 * NS_PER_S, 2);
	let_look(g);
	expect_told("SPXE");
	assert_int_equal(WTERMSIG(news.wstatus), SIGKILL);
	guardian_free(g);
}

static void
without_a_lease_nothing_is_started(void **state)
{
	struct guardian *g = lease(SELF "exec sleep 1000", (struct tether_terms){ 0 });

	(void)state;
	expect_told("PF");
	assert_int_equal(news.code, ERR_WRAPPER);
	assert_non_null(strstr(news.text, "the lease ran out"));
	assert_false(has_pid((void *)(uintptr_t)"self"));
	guardian_free(g);
}

static void
a_hot_standby_lives_without_a_lease_until_it_had_one(void **state)
{
	struct guardian *g = lease(SELF "exec sleep 1000", (struct tether_terms){ .hot = true });

	(void)state;
	pid_t self = pid_in("self");
	for_a_while(loop, LEASE_NS);
	assert_true(is_alive(self));
	/* Given back in good order, twice: it stays.  The second hold would end it if the first were not over. */
	for (uint32_t n = 1; n <= 2; n++) {
		grant(60 * NS_PER_S, n);
		let_look(g);
		assert_true(is_alive(self));
		atomic_store(tether_word(tether), 0);
		tether_ease(tether);
		let_look(g);
	}
	assert_true(is_alive(self));
	assert_string_equal(news.told, "S");
	/* Lost: it ends. */
	grant(LEASE_NS, 3);
	expect_lapse();
	guardian_free(g);
}

static void
on_lost_kill_comes_with_the_warning(void **state)
{
	(void)state;
	hold(5 * NS_PER_S);
	struct guardian *g = lease_of(LONG_LEASE_NS, SELF "exec sleep 1000", (struct tether_terms){ .lost_signal = SIGKILL });
	pid_in("self");
	struct boot end = hold_no_more();
	expect_told("SPXE");
	assert_false(boot_reached(now_boot(), end));
	guardian_free(g);
}

static void
on_lost_a_command_is_run_that_knows_the_program(void **state)
{
	(void)state;
	hold(13 * NS_PER_S);
	struct guardian *g = lease_of(40 * NS_PER_S, SELF "exec sleep 1000", (struct tether_terms){
		.lost_command = "echo $AEGIS_CHILD_PID >$D/told.tmp; mv $D/told.tmp $D/told; exec sleep 1000" });
	pid_t self = pid_in("self");
	hold_no_more();
	assert_int_equal(pid_in("told"), self);
	expect_told("SPPXE");
	/* Neither the command nor an orphan is left, and it was counted as none. */
	assert_int_equal(guardian_reaped(g), 0);
	guardian_free(g);
}

static void
a_frozen_guardian_kills_before_it_hears_anything(void **state)
{
	(void)state;
	hold(3 * NS_PER_S);
	struct guardian *g = lease("trap 'echo 1 >$D/heard' USR1; " SELF "while :; do sleep 0.02; done", (struct tether_terms){ 0 });
	pid_in("self");
	expect_told("S");
	assert_int_equal(kill(guardian_pid(g), SIGSTOP), 0);
	struct boot end = hold_no_more();
	while (!boot_reached(now_boot(), end))
		for_a_while(loop, 20 * NS_PER_MS);
	assert_int_equal(guardian_signal(g, SIGUSR1), ERR_OK);
	assert_int_equal(kill(guardian_pid(g), SIGCONT), 0);
	expect_told("SPXE");
	assert_int_equal(WTERMSIG(news.wstatus), SIGKILL);
	assert_int_not_equal(access(in_dir("heard"), F_OK), 0);
	guardian_free(g);
}

/* --- the wrapper's own death ------------------------------------------------------------- */

/* stand_in: a wrapper like ours, in a process of its own; with a lease of `life`, it renews for as long as its
 * loop turns, which it counts, and which a file ends.  Its guardian kills it when the loop stands still for
 * HANG_NS, if the lease is longer than that. */
#define HANG_NS (2 * NS_PER_S)
#define SHORT_LIFE_NS (3 * NS_PER_S / 2)
#define LONG_LIFE_NS (60 * NS_PER_S)

static int64_t life;

static void
live(void *arg)
{
	static struct loop_timer timer;

	(void)arg;
	while (access(in_dir("hang"), F_OK) == 0)
		usleep(1000);
	tether_turn(tether);
	grant(life, 1);
	loop_timer_set(loop, &timer, mono_after(clock_mono(clock_system()), 20 * NS_PER_MS), live, NULL);
}

static int
stand_in(const char *script)
{
	struct guardian *g;

	thread_block_signals();
	if ((loop = loop_new(clock_system(), 16, NULL)) == NULL || reaper_start(loop, NULL) != ERR_OK)
		return 1;
	if (life > 0 && (tether = tether_new(NULL)) == NULL)
		return 1;
	if (life > 0)
		live(NULL);
	g = life > 0 ? lease(script, (struct tether_terms){ .lost_signal = SIGTERM, .hang_ns = life > HANG_NS ? HANG_NS : 0 }) :
	    guard(script);
	FILE *f = fopen(in_dir("guardian"), "we");
	if (f == NULL || fprintf(f, "%d\n", (int)guardian_pid(g)) < 0 || fclose(f) != 0)
		return 1;
	loop_run(loop);
	return 0;
}

static void
nothing_survives_the_wrapper(int signo)
{
	const char *script = "trap '' TERM INT HUP; " HIDDEN DAEMON SELF "sleep 1000 & while :; do sleep 0.05; done";
	const char *argv[] = { child_self(), "stand-in", dir, script, NULL };
	pid_t wrapper;

	assert_int_equal(child_spawn(&(struct child_opts){ .argv = argv, .own_group = true }, &wrapper, NULL), ERR_OK);
	pid_t hidden = pid_in("hidden"), daemon = pid_in("daemon"), self = pid_in("self"), guardian = pid_in("guardian");
	assert_int_equal(kill(wrapper, signo), 0);
	expect_dead(wrapper);
	expect_dead(guardian);
	/* The guardian leaves last: when it is gone, everything is. */
	assert_false(is_alive(self));
	assert_false(is_alive(hidden));
	assert_false(is_alive(daemon));
}

static void
a_killed_wrapper_takes_a_grandchild_of_another_session_with_it(void **state)
{
	(void)state;
	nothing_survives_the_wrapper(SIGKILL);
}

static void
a_crashed_wrapper_does_too(void **state)
{
	(void)state;
	nothing_survives_the_wrapper(SIGABRT);
}

/* Stopped, it takes no news, but its death must work all the same. */
static void
a_stopped_wrapper_that_is_killed_does_too(void **state)
{
	const char *argv[] = { child_self(), "stand-in", dir, HIDDEN SELF "exec sleep 1000", NULL };
	pid_t wrapper;

	(void)state;
	assert_int_equal(child_spawn(&(struct child_opts){ .argv = argv, .own_group = true }, &wrapper, NULL), ERR_OK);
	pid_t hidden = pid_in("hidden"), self = pid_in("self"), guardian = pid_in("guardian");
	assert_int_equal(kill(wrapper, SIGSTOP), 0);
	assert_int_equal(kill(self, SIGTERM), 0);
	expect_dead(self);
	assert_true(is_alive(hidden));
	assert_int_equal(kill(wrapper, SIGKILL), 0);
	expect_dead(guardian);
	assert_false(is_alive(hidden));
}

/* Nor may a guardian that is stopped when its wrapper dies leave the program to itself. */
static void
a_killed_wrapper_wakes_its_stopped_guardian(void **state)
{
	const char *argv[] = { child_self(), "stand-in", dir, HIDDEN SELF "exec sleep 1000", NULL };
	pid_t wrapper;

	(void)state;
	assert_int_equal(child_spawn(&(struct child_opts){ .argv = argv, .own_group = true }, &wrapper, NULL), ERR_OK);
	pid_t hidden = pid_in("hidden"), self = pid_in("self"), guardian = pid_in("guardian");
	assert_int_equal(kill(guardian, SIGSTOP), 0);
	assert_int_equal(kill(wrapper, SIGKILL), 0);
	expect_dead(guardian);
	assert_false(is_alive(self));
	assert_false(is_alive(hidden));
}

static pid_t
leased_wrapper(const char *script, int64_t ns)
{
	char text[24];
	const char *argv[] = { child_self(), "stand-in", dir, script, text, NULL };
	pid_t wrapper;

	snprintf(text, sizeof text, "%lld", (long long)ns);
	assert_int_equal(child_spawn(&(struct child_opts){ .argv = argv, .own_group = true }, &wrapper, NULL), ERR_OK);
	return wrapper;
}

/* election.md §10: whoever stops the wrapper cannot prolong the program's life with it. */
static void
a_stopped_wrapper_keeps_nothing_alive_beyond_the_lease(void **state)
{
	pid_t wrapper = leased_wrapper(HIDDEN SELF "exec sleep 1000", SHORT_LIFE_NS);

	(void)state;
	pid_t hidden = pid_in("hidden"), self = pid_in("self"), guardian = pid_in("guardian");
	for_a_while(loop, SHORT_LIFE_NS + NS_PER_S / 2);
	assert_true(is_alive(self));
	assert_int_equal(kill(wrapper, SIGSTOP), 0);
	expect_dead(self);
	expect_dead(hidden);
	kill(wrapper, SIGKILL);
	expect_dead(wrapper);
	expect_dead(guardian);
}

/* The program is dead long before; whoever serves besides must not keep its place. */
static void
a_stopped_wrapper_is_killed_in_the_end(void **state)
{
	pid_t wrapper = leased_wrapper(SELF "exec sleep 0.1", LONG_LIFE_NS);

	(void)state;
	pid_t self = pid_in("self"), guardian = pid_in("guardian");
	assert_int_equal(kill(wrapper, SIGSTOP), 0);
	expect_dead(self);
	assert_true(is_alive(wrapper));
	expect_dead(wrapper);
	expect_dead(guardian);
}

/* Long before its lease ends, the wrapper stands still. */
static void
a_wrapper_that_hangs_is_killed(void **state)
{
	pid_t wrapper = leased_wrapper(SELF "exec sleep 1000", LONG_LIFE_NS);

	(void)state;
	pid_t self = pid_in("self"), guardian = pid_in("guardian");
	for_a_while(loop, HANG_NS + NS_PER_S / 2);
	assert_true(is_alive(wrapper));
	touch("hang");
	expect_dead(wrapper);
	expect_dead(guardian);
	assert_false(is_alive(self));
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], CHILD_SHIM_VERB) == 0)
		child_shim_main(argc, argv);
	if (argc > 1 && strcmp(argv[1], GUARDIAN_VERB) == 0)
		guardian_main(argc, argv);
	if (argc > 3 && strcmp(argv[1], "stand-in") == 0) {
		snprintf(dir, sizeof dir, "%s", argv[2]);
		life = argc > 4 ? strtoll(argv[4], NULL, 10) : 0;
		return stand_in(argv[3]);
	}

#define TEST(f) cmocka_unit_test_setup(f, folder_clean)
	const struct CMUnitTest tests[] = {
#define LEASE(f) cmocka_unit_test_setup_teardown(f, with_tether, without_tether)
		LEASE(at_the_end_of_the_lease_everything_is_dead_within_the_window),
		LEASE(a_renewed_lease_is_lived_on),
		LEASE(another_hold_ends_it_at_the_next_look),
		LEASE(without_a_lease_nothing_is_started),
		LEASE(a_hot_standby_lives_without_a_lease_until_it_had_one),
		LEASE(on_lost_kill_comes_with_the_warning),
		LEASE(on_lost_a_command_is_run_that_knows_the_program),
		LEASE(a_frozen_guardian_kills_before_it_hears_anything),
		TEST(a_killed_wrapper_takes_a_grandchild_of_another_session_with_it),
		TEST(a_crashed_wrapper_does_too),
		TEST(a_stopped_wrapper_that_is_killed_does_too),
		TEST(a_killed_wrapper_wakes_its_stopped_guardian),
		TEST(a_stopped_wrapper_keeps_nothing_alive_beyond_the_lease),
		TEST(a_wrapper_that_hangs_is_killed),
		TEST(a_stopped_wrapper_is_killed_in_the_end),
	};

	thread_block_signals();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
