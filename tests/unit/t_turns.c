/* t_turns - so many at once, the rest in order, and no more than fit. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "client/turns.h"

static void
the_rest_waits_in_order_up_to_a_bound(void **state)
{
	struct turns *t = turns_new(2, 3);
	struct turn_item i[7];

	(void)state;
	assert_int_equal(turns_enter(t, &i[0]), TURNS_GO);
	assert_int_equal(turns_enter(t, &i[1]), TURNS_GO);
	for (int k = 2; k < 5; k++)
		assert_int_equal(turns_enter(t, &i[k]), TURNS_WAIT);
	assert_int_equal(turns_enter(t, &i[5]), TURNS_FULL);
	assert_ptr_equal(turns_leave(t), &i[2]);
	assert_int_equal(turns_enter(t, &i[5]), TURNS_WAIT);	/* behind those who wait */
	assert_ptr_equal(turns_leave(t), &i[3]);
	assert_ptr_equal(turns_leave(t), &i[4]);
	assert_ptr_equal(turns_leave(t), &i[5]);
	assert_null(turns_leave(t));
	assert_int_equal(turns_enter(t, &i[6]), TURNS_GO);
	assert_null(turns_leave(t));
	assert_null(turns_leave(t));
	turns_free(t);
	turns_free(NULL);
}

static void
closed_it_lets_nobody_wait(void **state)
{
	struct turns *t = turns_new(1, 9);
	struct turn_item i[4];

	(void)state;
	for (int k = 0; k < 3; k++)
		turns_enter(t, &i[k]);
	struct turn_item *left = turns_close(t);
	assert_ptr_equal(left, &i[1]);
	assert_ptr_equal(left->next, &i[2]);
	assert_null(left->next->next);
	assert_int_equal(turns_enter(t, &i[3]), TURNS_FULL);
	assert_null(turns_leave(t));
	assert_null(turns_close(t));
	turns_free(t);
}

#define THREADS 4
#define ROUNDS 5000

static struct turns *shared;
static atomic_int inside, done;

static void *
go(void *arg)
{
	struct turn_item *mine = arg;

	for (int k = 0; k < ROUNDS; k++) {
		if (turns_enter(shared, &mine[k]) != TURNS_GO)
			continue;		/* whoever leaves does it */
		for (struct turn_item *i = &mine[k]; i != NULL; i = turns_leave(shared)) {
			int now = atomic_fetch_add(&inside, 1);
			assert_true(now < 2);
			atomic_fetch_add(&done, 1);
			atomic_fetch_sub(&inside, 1);
		}
	}
	return NULL;
}

static void
nobody_is_lost_between_threads(void **state)
{
	static struct turn_item items[THREADS][ROUNDS];
	pthread_t t[THREADS];

	(void)state;
	shared = turns_new(2, THREADS * ROUNDS);
	for (int k = 0; k < THREADS; k++)
		assert_int_equal(pthread_create(&t[k], NULL, go, items[k]), 0);
	for (int k = 0; k < THREADS; k++)
		pthread_join(t[k], NULL);
	assert_int_equal(atomic_load(&done), THREADS * ROUNDS);
	turns_free(shared);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rest_waits_in_order_up_to_a_bound),
		cmocka_unit_test(closed_it_lets_nobody_wait),
		cmocka_unit_test(nobody_is_lost_between_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
