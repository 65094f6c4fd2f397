/* t_snapshot - references, the empty cell, and readers against a publisher.
 *
 * The crowd test is the one that counts: a version that is freed poisons its fields, so a
 * reader that got hold of one too late sees it; the sanitizers see it in any case. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "base/magic.h"
#include "base/mem.h"
#include "sys/snapshot.h"
#include "sys/thread.h"

struct version {
	struct snapshot snapshot;
	long number, twice;
};

static atomic_long alive;

static void
version_free(struct snapshot *s)
{
	struct version *v = CONTAINER_OF(s, struct version, snapshot);

	v->number = v->twice = -1;
	atomic_fetch_sub(&alive, 1);
	mem_free(v);
}

static struct snapshot *
version_new(long number)
{
	struct version *v = mem_new(sizeof *v);

	snapshot_init(&v->snapshot, version_free);
	v->number = number;
	v->twice = 2 * number;
	atomic_fetch_add(&alive, 1);
	return &v->snapshot;
}

static long
number_of(struct snapshot *s)
{
	return CONTAINER_OF(s, struct version, snapshot)->number;
}

static void
an_empty_cell_gives_nothing(void **state)
{
	struct snapshot_cell c;

	(void)state;
	snapshot_cell_init(&c);
	assert_null(snapshot_take(&c));
	snapshot_publish(&c, NULL);
	assert_null(snapshot_take(&c));
	snapshot_drop(NULL);
}

static void
a_version_lives_as_long_as_somebody_holds_it(void **state)
{
	struct snapshot_cell c;

	(void)state;
	snapshot_cell_init(&c);
	snapshot_publish(&c, version_new(1));
	struct snapshot *one = snapshot_take(&c), *again = snapshot_take(&c);
	assert_ptr_equal(one, again);
	snapshot_publish(&c, version_new(2));
	struct snapshot *two = snapshot_take(&c);
	assert_int_equal(number_of(one), 1);
	assert_int_equal(number_of(two), 2);
	assert_int_equal(atomic_load(&alive), 2);
	snapshot_drop(one);
	assert_int_equal(atomic_load(&alive), 2);
	snapshot_drop(again);
	assert_int_equal(atomic_load(&alive), 1);
	snapshot_publish(&c, NULL);
	assert_int_equal(atomic_load(&alive), 1);
	snapshot_drop(two);
	assert_int_equal(atomic_load(&alive), 0);
}

#define READERS 4
#define PUBLISHES 120000L

static struct snapshot_cell shared;
static atomic_bool over;
static atomic_long nread;
static atomic_int busy;			/* readers that have kept one version and then another */

struct reader {
	long takes, wrong, backwards;
};

static void
check(struct reader *r, struct snapshot *s, long *last)
{
	struct version *v = CONTAINER_OF(s, struct version, snapshot);

	r->wrong += v->twice != 2 * v->number || v->number < 0;
	r->backwards += v->number < *last;
	*last = v->number;
}

static void *
reader(void *arg)
{
	struct reader *r = arg;
	struct snapshot *kept = NULL;
	long last = 0, of_kept = 0;

	while (!atomic_load(&over)) {
		struct snapshot *s = snapshot_take(&shared);
		check(r, s, &last);
		/* One in a hundred is held over many publishes, as a slow HTTP client does. */
		if (r->takes++ % 100 == 0) {
			if (kept != NULL)
				r->wrong += number_of(kept) != of_kept;
			snapshot_drop(kept);
			kept = s;
			of_kept = number_of(s);
			if (r->takes == 101)
				atomic_fetch_add(&busy, 1);
		} else {
			snapshot_drop(s);
		}
	}
	snapshot_drop(kept);
	atomic_fetch_add(&nread, r->takes);
	return NULL;
}

static void
readers_never_meet_a_version_that_is_gone(void **state)
{
	struct reader r[READERS] = { 0 };
	pthread_t t[READERS];

	(void)state;
	snapshot_cell_init(&shared);
	snapshot_publish(&shared, version_new(0));
	for (int i = 0; i < READERS; i++)
		assert_int_equal(thread_start(&t[i], "reader", reader, &r[i], NULL), ERR_OK);
	/* On a busy machine the readers may come to their turn late. */
	long n = 1;
	time_t patience = time(NULL) + 60;
	while (n <= PUBLISHES || (atomic_load(&busy) < READERS && (n % 1000 != 0 || time(NULL) < patience)))
		snapshot_publish(&shared, version_new(n++));
	atomic_store(&over, true);
	for (int i = 0; i < READERS; i++) {
		pthread_join(t[i], NULL);
		assert_int_equal(r[i].wrong, 0);
		assert_int_equal(r[i].backwards, 0);
		assert_true(r[i].takes > 100);
	}
	assert_int_equal(atomic_load(&alive), 1);
	assert_int_equal(atomic_load(&shared.reading[0]), 0);
	assert_int_equal(atomic_load(&shared.reading[1]), 0);
	snapshot_publish(&shared, NULL);
	assert_int_equal(atomic_load(&alive), 0);
	print_message("%ld publishes against %ld takes\n", n - 1, atomic_load(&nread));
}

static void
taking_costs_some_atomic_operations(void **state)
{
	struct timespec a, b;
	const int rounds = 200000;
	struct snapshot_cell c;
	double best = 1e9;

	(void)state;
	snapshot_cell_init(&c);
	snapshot_publish(&c, version_new(1));
	for (int repeat = 0; repeat < 10; repeat++) {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
		for (int i = 0; i < rounds; i++)
			snapshot_drop(snapshot_take(&c));
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
		double ns = ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / rounds;
		best = ns < best ? ns : best;
	}
	snapshot_publish(&c, NULL);
	print_message("take and drop: %.1f ns\n", best);
	/* 20-40 ns uncontended; a system call or a sleeping lock would be far above this,
	 * and the sanitizers' own cost stays below it. */
	assert_true(best < 2000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_cell_gives_nothing),
		cmocka_unit_test(a_version_lives_as_long_as_somebody_holds_it),
		cmocka_unit_test(readers_never_meet_a_version_that_is_gone),
		cmocka_unit_test(taking_costs_some_atomic_operations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
