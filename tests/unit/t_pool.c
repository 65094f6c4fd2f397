/* t_pool - jobs run on workers and come back on the loop; bound, end, thread hook. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/magic.h"
#include "sys/pool.h"
#include "sys/thread.h"

static struct loop *l;
static struct pool *pool;
static struct loop_timer guard;

struct job {
	struct pool_job job;
	pthread_t worker;
	char thread[16];
	bool worked, done, done_on_loop;
};

static size_t ndone, stop_at;

static void
work(struct pool_job *p)
{
	struct job *j = CONTAINER_OF(p, struct job, job);

	j->worker = pthread_self();
	prctl(PR_GET_NAME, j->thread);
	j->worked = true;
}

static void
done(struct pool_job *p)
{
	struct job *j = CONTAINER_OF(p, struct job, job);

	assert_false(j->done);
	j->done = true;
	j->done_on_loop = loop_is_mine(l);
	if (++ndone == stop_at)
		loop_stop(l);
}

static struct job
job(void)
{
	return (struct job){ .job = { .work = work, .done = done } };
}

static void
too_late(void *arg)
{
	(void)arg;
	fail_msg("%zu of %zu jobs came back within 60 s", ndone, stop_at);
}

static void
run_until(size_t n)
{
	stop_at = n;
	if (ndone >= n)
		return;
	loop_timer_set(l, &guard, mono_after(clock_mono(clock_system()), 60 * NS_PER_S), too_late, NULL);
	loop_run(l);
	loop_timer_cancel(l, &guard);
}

static int
set_up(void **state)
{
	(void)state;
	ndone = stop_at = 0;
	l = loop_new(clock_system(), 4, NULL);
	pool = pool_new(l, 2, 8, NULL);
	return l == NULL || pool == NULL;
}

static int
tear_down(void **state)
{
	(void)state;
	pool_free(pool);
	loop_free(l);
	return 0;
}

static void
works_on_a_worker_and_comes_back_on_the_loop(void **state)
{
	struct job j[6];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(j); i++) {
		j[i] = job();
		assert_int_equal(pool_run(pool, &j[i].job), ERR_OK);
	}
	run_until(COUNT_OF(j));
	for (size_t i = 0; i < COUNT_OF(j); i++) {
		assert_true(j[i].worked && j[i].done && j[i].done_on_loop);
		assert_false(pthread_equal(j[i].worker, pthread_self()));
		assert_memory_equal(j[i].thread, "work-", 5);
	}
}

/* A gate that jobs wait at, so that a test decides when they end. */
static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_moved = PTHREAD_COND_INITIALIZER;
static bool gate_open;
static int at_gate;

static void
work_at_gate(struct pool_job *p)
{
	pthread_mutex_lock(&gate_lock);
	at_gate++;
	pthread_cond_broadcast(&gate_moved);
	while (!gate_open)
		pthread_cond_wait(&gate_moved, &gate_lock);
	at_gate--;
	pthread_mutex_unlock(&gate_lock);
	work(p);
}

static void
gate_wait(int n)
{
	pthread_mutex_lock(&gate_lock);
	while (at_gate < n)
		pthread_cond_wait(&gate_moved, &gate_lock);
	pthread_mutex_unlock(&gate_lock);
}

static void
gate_set(bool is_open)
{
	pthread_mutex_lock(&gate_lock);
	gate_open = is_open;
	pthread_cond_broadcast(&gate_moved);
	pthread_mutex_unlock(&gate_lock);
}

static void
refuses_more_than_its_bound_until_jobs_came_back(void **state)
{
	struct job j[11];

	(void)state;
	gate_set(false);
	for (size_t i = 0; i < COUNT_OF(j); i++) {
		j[i] = job();
		j[i].job.work = work_at_gate;
	}
	for (size_t i = 0; i < 10; i++)		/* two that run, eight that wait */
		assert_int_equal(pool_run(pool, &j[i].job), ERR_OK);
	assert_int_equal(pool_run(pool, &j[10].job), ERR_BUSY);
	gate_set(true);
	run_until(10);
	assert_false(j[10].worked || j[10].done);
	assert_int_equal(pool_run(pool, &j[10].job), ERR_OK);
	run_until(11);
	assert_true(j[10].worked && j[10].done);
}

static void *
free_pool(void *arg)
{
	pool_free(arg);
	return NULL;
}

static void
free_waits_for_what_runs_and_hands_back_what_waits(void **state)
{
	struct job j[5];
	pthread_t t;

	(void)state;
	gate_set(false);
	for (size_t i = 0; i < COUNT_OF(j); i++) {
		j[i] = job();
		j[i].job.work = work_at_gate;
		assert_int_equal(pool_run(pool, &j[i].job), ERR_OK);
	}
	gate_wait(2);
	/* pool_free blocks, so it gets a thread; from then on nothing new is taken. */
	assert_int_equal(thread_start(&t, "free", free_pool, pool, NULL), ERR_OK);
	struct job late[64];
	size_t taken = 0;
	enum err_code rc;
	while ((late[taken % 64] = job(), rc = pool_run(pool, &late[taken % 64].job)) != ERR_CLOSED) {
		taken += rc == ERR_OK;
		assert_true(taken < 64);
		sched_yield();
	}
	gate_set(true);
	pthread_join(t, NULL);
	pool = NULL;
	assert_int_equal(ndone, COUNT_OF(j) + taken);
	for (size_t i = 0; i < COUNT_OF(j); i++)
		assert_true(j[i].done);
	assert_int_equal(j[0].worked + j[1].worked + j[2].worked + j[3].worked + j[4].worked, 2);
}

static void
free_hands_back_what_was_finished_but_not_delivered(void **state)
{
	struct job j = job();

	(void)state;
	assert_int_equal(pool_run(pool, &j.job), ERR_OK);
	while (mailbox_depth(loop_mailbox(l)) == 0)
		sched_yield();
	pool_free(pool);
	pool = NULL;
	assert_true(j.worked && j.done);
	/* The wake-up is still in the mailbox, for loop_free to find... */
	assert_int_equal(mailbox_depth(loop_mailbox(l)), 1);
}

static void
a_wake_up_that_outlives_its_pool_does_nothing(void **state)
{
	/* ... or for a turn of the loop. */
	free_hands_back_what_was_finished_but_not_delivered(state);
	stop_at = 2;
	pool = pool_new(l, 1, 1, NULL);
	struct job j = job();
	assert_int_equal(pool_run(pool, &j.job), ERR_OK);
	run_until(2);
	assert_int_equal(mailbox_depth(loop_mailbox(l)), 0);
}

static struct job chain[3];

static void
done_and_next(struct pool_job *p)
{
	struct job *j = CONTAINER_OF(p, struct job, job);

	if (j + 1 < chain + COUNT_OF(chain))
		assert_int_equal(pool_run(pool, &j[1].job), ERR_OK);
	done(p);
}

static void
done_may_hand_in_the_next_job(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(chain); i++) {
		chain[i] = job();
		chain[i].job.done = done_and_next;
	}
	assert_int_equal(pool_run(pool, &chain[0].job), ERR_OK);
	run_until(3);
	assert_true(chain[2].worked && chain[2].done);
}

static void
many_jobs_come_back_over_several_turns(void **state)
{
	static struct job j[400];

	(void)state;
	pool_free(pool);
	pool = pool_new(l, 4, COUNT_OF(j), NULL);
	for (size_t i = 0; i < COUNT_OF(j); i++) {
		j[i] = job();
		assert_int_equal(pool_run(pool, &j[i].job), ERR_OK);
	}
	run_until(COUNT_OF(j));
	for (size_t i = 0; i < COUNT_OF(j); i++)
		assert_true(j[i].worked && j[i].done && j[i].done_on_loop);
}

static atomic_int threads_ended;

static void
count_end(void)
{
	atomic_fetch_add(&threads_ended, 1);
}

static void
every_worker_calls_the_hook_before_it_ends(void **state)
{
	(void)state;
	pool_free(pool);
	pool_thread_end = count_end;
	pool = pool_new(l, 3, 1, NULL);
	pool_free(pool);
	pool = NULL;
	pool_thread_end = NULL;
	assert_int_equal(atomic_load(&threads_ended), 3);
	pool_free(NULL);
}

static void
says_when_the_system_has_no_more_threads(void **state)
{
	struct err err = { 0 };
	pthread_attr_t attr;

	(void)state;
	/* Nobody has room for a stack like this. */
	pthread_attr_init(&attr);
	assert_int_equal(pthread_attr_setstacksize(&attr, (size_t)1 << 46), 0);
	assert_int_equal(pthread_setattr_default_np(&attr), 0);
	struct pool *none = pool_new(l, 2, 1, &err);
	pthread_attr_setstacksize(&attr, 1 << 20);
	assert_int_equal(pthread_setattr_default_np(&attr), 0);
	pthread_attr_destroy(&attr);
	assert_null(none);
	assert_int_equal(err.code, ERR_SYSTEM);
	assert_memory_equal(err.text, "thread: cannot start 'work-0': ", 31);
}

#define POOL_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		POOL_TEST(works_on_a_worker_and_comes_back_on_the_loop),
		POOL_TEST(refuses_more_than_its_bound_until_jobs_came_back),
		POOL_TEST(free_waits_for_what_runs_and_hands_back_what_waits),
		POOL_TEST(free_hands_back_what_was_finished_but_not_delivered),
		POOL_TEST(a_wake_up_that_outlives_its_pool_does_nothing),
		POOL_TEST(done_may_hand_in_the_next_job),
		POOL_TEST(many_jobs_come_back_over_several_turns),
		POOL_TEST(says_when_the_system_has_no_more_threads),
		POOL_TEST(every_worker_calls_the_hook_before_it_ends),
	};

	thread_block_signals();
	alarm(300);		/* TERM is blocked; a test that hangs ends by this */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
