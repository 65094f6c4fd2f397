/* t_methods - counters by name: one each, the bound, long names, many threads at once. */
#include "expect.h"

#include <pthread.h>
#include <stdio.h>

#include "base/hist.h"
#include "base/magic.h"
#include "messaging/methods.h"

#define THREADS 4
#define ROUNDS 2000

static struct methods *m;

static int
set_up(void **state)
{
	(void)state;
	m = methods_new();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	methods_free(m);
	return 0;
}

static struct method *
find(const char *name)
{
	return methods_find(m, text_of(name));
}

static struct method *
find_number(unsigned i)
{
	char name[16];

	snprintf(name, sizeof name, "m%u", i);
	return find(name);
}

struct seen {
	const char *names[METHODS_MAX + 2];
	size_t n;
	unsigned long calls;
};

static void
see(void *arg, struct method *one)
{
	struct seen *s = arg;

	s->names[s->n++] = one->name;
	s->calls += atomic_load(&one->calls);
}

static void
a_name_is_found_again(void **state)
{
	struct seen s = { .n = 0 };

	(void)state;
	struct method *a = find("get_price"), *b = find("get_prices");
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(find("get_price"), a);
	assert_ptr_equal(methods_find(m, (struct text){ "get_prices_and_more", 10 }), b);
	assert_string_equal(a->name, "get_price");
	assert_int_equal(atomic_load(&a->calls) + atomic_load(&a->errors), 0);
	assert_int_equal(hist_count(a->latency), 0);
	atomic_fetch_add(&a->calls, 3);
	methods_each(m, see, &s);
	assert_int_equal(s.n, 2);
	assert_string_equal(s.names[0], "get_price");
	assert_string_equal(s.names[1], "get_prices");
	assert_int_equal(s.calls, 3);
}

static void
what_nobody_called_is_not_there(void **state)
{
	struct seen s = { .n = 0 };

	(void)state;
	methods_each(m, see, &s);
	assert_int_equal(s.n, 0);
	methods_free(NULL);
}

static void
names_beyond_the_bound_are_counted_together(void **state)
{
	struct method *first[METHODS_MAX];
	struct seen s = { .n = 0 };

	(void)state;
	for (unsigned i = 0; i < METHODS_MAX; i++)
		first[i] = find_number(i);
	struct method *other = find_number(METHODS_MAX);
	assert_string_equal(other->name, METHODS_OTHER);
	for (unsigned i = METHODS_MAX; i < 10 * METHODS_MAX; i++)
		assert_ptr_equal(find_number(i), other);
	for (unsigned i = 0; i < METHODS_MAX; i++)
		assert_ptr_equal(find_number(i), first[i]);
	methods_each(m, see, &s);
	assert_int_equal(s.n, METHODS_MAX + 1);
}

static void
a_name_too_long_to_keep_is_counted_as_other(void **state)
{
	char longest[METHOD_NAME_MAX], longer[METHOD_NAME_MAX + 1];

	(void)state;
	memset(longest, 'x', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	assert_string_equal(find(longest)->name, longest);
	struct method *other = find(longer);
	assert_string_equal(other->name, METHODS_OTHER);
	/* Made early, it takes none of the 64 places. */
	for (unsigned i = 0; i < METHODS_MAX - 2; i++)
		assert_ptr_not_equal(find_number(i), other);
}

static void *
call_all(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct method *one = find_number(i % (METHODS_MAX + 8));
		atomic_fetch_add(&one->calls, 1);
		hist_record(one->latency, 1000000);
	}
	return NULL;
}

static void
threads_that_meet_a_new_name_agree_on_it(void **state)
{
	pthread_t t[THREADS];
	struct seen s = { .n = 0 };

	(void)state;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, call_all, NULL), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	methods_each(m, see, &s);
	assert_int_equal(s.n, METHODS_MAX + 1);
	assert_int_equal(s.calls, THREADS * ROUNDS);
	for (size_t i = 0; i < s.n; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(s.names[i], s.names[k]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_name_is_found_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_nobody_called_is_not_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names_beyond_the_bound_are_counted_together, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_name_too_long_to_keep_is_counted_as_other, set_up, tear_down),
		cmocka_unit_test_setup_teardown(threads_that_meet_a_new_name_agree_on_it, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
