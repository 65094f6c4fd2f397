/* t_urgent - a thread asks to be run soon: what the kernel then says of it, its heirs and its children. */
#include "expect.h"

#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sys/urgent.h"

static int
policy(void)
{
	return sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
}

static void *
policy_of_heir(void *out)
{
	*(int *)out = policy();
	return NULL;
}

struct asked {
	bool heirs;
	enum urgency got;
	int own, heir, child;
};

static void *
ask(void *arg)
{
	struct asked *a = arg;
	pthread_t t;
	int status;

	a->got = urgent_ask(a->heirs);
	a->own = policy();
	pthread_create(&t, NULL, policy_of_heir, &a->heir);
	pthread_join(t, NULL);
	pid_t pid = fork();
	if (pid == 0)
		_exit(policy());
	waitpid(pid, &status, 0);
	a->child = WEXITSTATUS(status);
	return NULL;
}

/* Whatever this machine allows: the answer is what the kernel says, and goes as far as was asked. */
static void
what_is_told_is_what_the_kernel_has(void **state)
{
	(void)state;
	for (int heirs = 0; heirs < 2; heirs++) {
		struct asked a = { .heirs = heirs };
		pthread_t t;
		assert_int_equal(pthread_create(&t, NULL, ask, &a), 0);
		pthread_join(t, NULL);
		int wanted = a.got == URGENCY_REALTIME ? SCHED_RR : SCHED_OTHER;
		assert_int_equal(a.own, wanted);
		assert_int_equal(a.heir, heirs ? wanted : SCHED_OTHER);
		assert_int_equal(a.child, heirs ? wanted : SCHED_OTHER);
	}
	assert_int_equal(policy(), SCHED_OTHER);	/* of this thread nobody asked */
}

static int64_t
used_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int64_t
mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void *
be_judged(void *arg)
{
	struct urgent u = { .asked = false };
	enum urgency *got = arg;

	got[0] = urgent_judge(&u);
	/* As if no time had gone by but that; once more when it had, because others had the processor. */
	for (int64_t began = 0, over = 80000000; over >= 80000000; over = mono_ns() - began) {
		for (int64_t end = used_ns() + 20000000; used_ns() < end;)
			continue;
		u.at_ns = began = mono_ns() - 25000000;
		got[1] = urgent_judge(&u);
	}
	nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	got[2] = urgent_judge(&u);
	return NULL;
}

static void
who_works_much_is_no_real_time_thread(void **state)
{
	enum urgency got[3];
	pthread_t t;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, be_judged, got), 0);
	pthread_join(t, NULL);
	assert_true(got[1] != URGENCY_REALTIME);
	assert_int_equal(got[2], got[0]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_told_is_what_the_kernel_has),
		cmocka_unit_test(who_works_much_is_no_real_time_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
