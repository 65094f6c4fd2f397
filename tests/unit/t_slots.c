/* t_slots - numbers that never repeat, places that do. */
#include "expect.h"

#include "base/slots.h"

static void
bounded(void **state)
{
	struct slots s;
	int a, b, c;

	(void)state;
	slots_init(&s, 2);
	uint64_t one = slots_take(&s, &a), two = slots_take(&s, &b);
	assert_true(one != 0 && two != 0 && one != two);
	assert_true(slots_take(&s, &c) == 0);
	assert_int_equal(s.n, 2);
	assert_ptr_equal(slots_find(&s, one), &a);
	assert_ptr_equal(slots_leave(&s, one), &a);
	assert_null(slots_leave(&s, one));
	assert_null(slots_find(&s, one));
	uint64_t three = slots_take(&s, &c);
	assert_true(three != 0 && three != one);
	assert_null(slots_find(&s, one));	/* same place, another use */
	assert_ptr_equal(slots_find(&s, three), &c);
	assert_null(slots_find(&s, 0));
	assert_null(slots_find(&s, UINT64_MAX));
	slots_release(&s);
}

static void
many_rounds(void **state)
{
	struct slots s;
	uint64_t last[64] = { 0 };
	int v[64];

	(void)state;
	slots_init(&s, 64);
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < 64; i++) {
			uint64_t old = last[i];
			last[i] = slots_take(&s, &v[i]);
			assert_true(last[i] != 0);
			assert_null(slots_find(&s, old));
		}
		assert_int_equal(s.made, 64);
		unsigned seen = 0;
		for (uint32_t i = 0; i < s.made; i++)
			seen += slots_at(&s, i) != NULL;
		assert_int_equal(seen, 64);
		for (int i = 0; i < 64; i++)
			assert_ptr_equal(slots_leave(&s, last[(i * 7) % 64]), &v[(i * 7) % 64]);
		assert_int_equal(s.n, 0);
	}
	slots_release(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(bounded), cmocka_unit_test(many_rounds) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
