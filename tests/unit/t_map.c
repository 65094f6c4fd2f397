/* t_map - setting, replacing, removing, walking; many keys and many tombstones. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>

#include "base/map.h"

static char one[] = "one", two[] = "two";

static void
an_empty_map_holds_nothing(void **state)
{
	struct map m;
	size_t i = 0;

	(void)state;
	map_init(&m);
	assert_null(map_get(&m, "a"));
	assert_null(map_remove(&m, "a"));
	assert_null(map_next(&m, &i));
	map_release(&m);
}

static void
sets_replaces_and_removes(void **state)
{
	char key[] = "key";
	struct map m;

	(void)state;
	map_init(&m);
	assert_null(map_set(&m, key, one));
	key[0] = 'x';				/* keys are copied */
	assert_ptr_equal(map_get(&m, "key"), one);
	assert_null(map_get(&m, "xey"));
	assert_null(map_get(&m, "ke"));
	assert_ptr_equal(map_set(&m, "key", two), one);
	assert_ptr_equal(map_get(&m, "key"), two);
	assert_int_equal(m.n, 1);
	assert_null(map_set(&m, "", one));	/* an empty key is a key, and no tombstone */
	assert_ptr_equal(map_get(&m, ""), one);
	assert_ptr_equal(map_remove(&m, "key"), two);
	assert_null(map_remove(&m, "key"));
	assert_null(map_get(&m, "key"));
	assert_ptr_equal(map_get(&m, ""), one);
	assert_int_equal(m.n, 1);
	map_release(&m);
	assert_int_equal(m.n, 0);
}

#define MANY 5000

static void
holds_many(void **state)
{
	static int value[MANY];
	char key[32];
	struct map m;

	(void)state;
	map_init(&m);
	for (int i = 0; i < MANY; i++) {
		snprintf(key, sizeof key, "service.%d.instance", i);
		value[i] = i;
		assert_null(map_set(&m, key, &value[i]));
	}
	assert_int_equal(m.n, MANY);
	for (int i = 0; i < MANY; i++) {
		snprintf(key, sizeof key, "service.%d.instance", i);
		assert_ptr_equal(map_get(&m, key), &value[i]);
		if (i % 2)
			assert_ptr_equal(map_remove(&m, key), &value[i]);
	}
	for (int i = 0; i < MANY; i++) {
		snprintf(key, sizeof key, "service.%d.instance", i);
		assert_ptr_equal(map_get(&m, key), i % 2 ? NULL : &value[i]);
	}
	assert_int_equal(m.n, MANY / 2);
	map_release(&m);
}

static void
coming_and_going_does_not_make_it_grow(void **state)
{
	char key[32];
	struct map m;

	(void)state;
	map_init(&m);
	for (int i = 0; i < 100000; i++) {
		snprintf(key, sizeof key, "%d", i);
		assert_null(map_set(&m, key, one));
		assert_ptr_equal(map_remove(&m, key), one);
	}
	assert_int_equal(m.n, 0);
	assert_true(m.cap <= 16);
	/* Removed and set again right away takes the tombstone's place, or, when it was time for
	 * that, clears them all; it never costs a further place. */
	assert_null(map_set(&m, "a", one));
	size_t used = m.used;
	map_remove(&m, "a");
	assert_null(map_set(&m, "a", two));
	assert_true(m.used <= used);
	map_release(&m);
}

static void
a_walk_meets_each_key_once_even_when_it_removes_them(void **state)
{
	bool seen[100] = { false };
	char key[16];
	size_t at = 0, n = 0;
	struct map m;

	(void)state;
	map_init(&m);
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof key, "%d", i);
		map_set(&m, key, one);
	}
	for (const struct map_slot *s; (s = map_next(&m, &at)) != NULL; n++) {
		long i = strtol(s->key, NULL, 10);
		assert_false(seen[i]);
		seen[i] = true;
		snprintf(key, sizeof key, "%s", s->key);
		assert_ptr_equal(map_remove(&m, key), one);
	}
	assert_int_equal(n, 100);
	assert_int_equal(m.n, 0);
	map_release(&m);
}

static void
the_hash_spreads_over_the_low_bits(void **state)
{
	unsigned bucket[64] = { 0 };
	char key[32];

	(void)state;
	for (int i = 0; i < 6400; i++) {
		int n = snprintf(key, sizeof key, "order-service-%d", i);
		bucket[map_hash(key, (size_t)n) % 64]++;
	}
	/* 100 each on average, +-10 by chance; a bad mix would leave some empty. */
	for (size_t i = 0; i < 64; i++)
		assert_in_range(bucket[i], 40, 180);
	assert_int_equal(map_hash("abc", 3), map_hash("abcd", 3));
	assert_int_not_equal(map_hash("abc", 3), map_hash("abd", 3));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_map_holds_nothing),
		cmocka_unit_test(sets_replaces_and_removes),
		cmocka_unit_test(holds_many),
		cmocka_unit_test(coming_and_going_does_not_make_it_grow),
		cmocka_unit_test(a_walk_meets_each_key_once_even_when_it_removes_them),
		cmocka_unit_test(the_hash_spreads_over_the_low_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
