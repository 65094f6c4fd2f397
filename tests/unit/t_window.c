/* t_window - commands that wait: order, bound, removal. */
#include "expect.h"

#include "base/magic.h"
#include "messaging/window.h"

static struct window w;
static struct window_item items[16];

static void
begin(size_t cap)
{
	window_init(&w, cap);
	memset(items, 0, sizeof items);
}

static void
expect_order(const size_t *want, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct window_item *item = window_take(&w);
		assert_non_null(item);
		assert_int_equal(item - items, want[i]);
		assert_false(item->waiting);
	}
	assert_null(window_take(&w));
	assert_int_equal(w.n, 0);
}

static void
higher_priorities_come_first_and_equals_in_order(void **state)
{
	static const enum priority given[] = {
		PRIORITY_LOW, PRIORITY_NORMAL, PRIORITY_CRITICAL, PRIORITY_HIGH,
		PRIORITY_LOW, PRIORITY_NORMAL, PRIORITY_CRITICAL, PRIORITY_HIGH,
	};

	(void)state;
	begin(16);
	for (size_t i = 0; i < COUNT_OF(given); i++)
		assert_true(window_put(&w, &items[i], given[i]));
	expect_order((const size_t[]){ 2, 6, 3, 7, 1, 5, 0, 4 }, 8);
}

static void
a_full_window_refuses(void **state)
{
	(void)state;
	begin(2);
	assert_true(window_put(&w, &items[0], PRIORITY_LOW));
	assert_int_equal(window_room(&w), 1);
	assert_true(window_put(&w, &items[1], PRIORITY_LOW));
	assert_false(window_put(&w, &items[2], PRIORITY_CRITICAL));
	assert_false(items[2].waiting);
	assert_int_equal(window_room(&w), 0);
	expect_order((const size_t[]){ 0, 1 }, 2);
}

static void
what_is_removed_leaves_the_others_in_order(void **state)
{
	/* Each of three in turn: first, middle, last of its list. */
	static const size_t left[3][2] = { { 1, 2 }, { 0, 2 }, { 0, 1 } };

	(void)state;
	for (size_t gone = 0; gone < 3; gone++) {
		begin(3);
		for (size_t i = 0; i < 3; i++)
			window_put(&w, &items[i], PRIORITY_HIGH);
		window_remove(&w, &items[gone]);
		window_remove(&w, &items[gone]);	/* not in it any more */
		assert_int_equal(w.n, 2);
		expect_order(left[gone], 2);
		assert_true(window_put(&w, &items[gone], PRIORITY_LOW));
		expect_order(&gone, 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(higher_priorities_come_first_and_equals_in_order),
		cmocka_unit_test(a_full_window_refuses),
		cmocka_unit_test(what_is_removed_leaves_the_others_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
