/* t_heap - order, moves and removals, against a plain list that is searched. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>

#include "base/heap.h"
#include "base/magic.h"

static void
gives_keys_in_order(void **state)
{
	static const int64_t keys[] = { 5, 3, 8, 1, 9, 2, 2, INT64_MAX, INT64_MIN, 0 };
	struct heap_node n[COUNT_OF(keys)] = { 0 };
	int64_t last = INT64_MIN;
	struct heap h;

	(void)state;
	heap_init(&h);
	assert_null(heap_min(&h));
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		heap_put(&h, &n[i], keys[i]);
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		struct heap_node *m = heap_min(&h);
		assert_true(m->key >= last);
		last = m->key;
		heap_remove(&h, m);
		assert_int_equal(m->at, 0);
	}
	assert_null(heap_min(&h));
	heap_release(&h);
}

static void
putting_a_node_again_moves_it(void **state)
{
	struct heap_node a = { 0 }, b = { 0 };
	struct heap h;

	(void)state;
	heap_init(&h);
	heap_put(&h, &a, 1);
	heap_put(&h, &b, 2);
	heap_put(&h, &a, 3);
	assert_ptr_equal(heap_min(&h), &b);
	heap_put(&h, &a, 0);
	assert_ptr_equal(heap_min(&h), &a);
	assert_int_equal(h.n, 2);
	heap_remove(&h, &a);
	heap_remove(&h, &a);		/* fine when it is not in */
	assert_ptr_equal(heap_min(&h), &b);
	heap_release(&h);
	assert_int_equal(b.at, 1);	/* left alone */
}

/* xorshift: the same walk every time, and a seed to say where it broke. */
static uint64_t
next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	return *x ^= *x << 17;
}

static void
check(const struct heap *h, const struct heap_node *n, size_t count)
{
	const struct heap_node *least = NULL;
	size_t in = 0;

	for (size_t i = 0; i < count; i++) {
		if (n[i].at == 0)
			continue;
		in++;
		assert_ptr_equal(h->v[n[i].at - 1], &n[i]);
		if (least == NULL || n[i].key < least->key)
			least = &n[i];
	}
	assert_int_equal(h->n, in);
	if (least == NULL)
		assert_null(heap_min(h));
	else
		assert_int_equal(heap_min(h)->key, least->key);
}

static void
survives_a_random_walk(void **state)
{
	struct heap_node n[40];
	struct heap h;

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		uint64_t x = seed * UINT64_C(0x9e3779b97f4a7c15);
		memset(n, 0, sizeof n);
		heap_init(&h);
		for (int step = 0; step < 2000; step++) {
			struct heap_node *one = &n[next(&x) % COUNT_OF(n)];
			if (next(&x) % 3 == 0)
				heap_remove(&h, one);
			else
				heap_put(&h, one, (int64_t)(next(&x) % 50));
			check(&h, n, COUNT_OF(n));
		}
		heap_release(&h);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_keys_in_order),
		cmocka_unit_test(putting_a_node_again_moves_it),
		cmocka_unit_test(survives_a_random_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
