/* t_hist - counts, quantiles and borders of the histograms, and recording by many. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <hdr/hdr_histogram.h>
#include <pthread.h>

#include "base/hist.h"
#include "base/instant.h"

/* Two digits: within one percent of what was recorded. */
static void
assert_about(double got, double want)
{
	if (got < want * 0.99 || got > want * 1.01)
		fail_msg("%g is not about %g", got, want);
}

static void
an_empty_one_is_all_zeros(void **state)
{
	struct hist *h = hist_new();

	(void)state;
	assert_int_equal(hist_count(h), 0);
	assert_true(hist_mean_ms(h) == 0 && hist_min_ms(h) == 0 && hist_max_ms(h) == 0);
	assert_true(hist_quantile_ms(h, 99.9) == 0);
	hist_free(h);
	hist_free(NULL);
}

static void
tells_what_is_new(void **state)
{
	struct hist *h = hist_new(), *mark = hist_new(), *recent = hist_new();

	(void)state;
	for (int i = 0; i < 1000; i++)
		hist_record(h, 2 * NS_PER_MS);
	hist_since(h, mark, recent);
	assert_int_equal(hist_count(recent), 1000);
	hist_since(h, mark, recent);
	assert_int_equal(hist_count(recent), 0);
	hist_record(h, 500 * NS_PER_MS);
	hist_record(h, 700 * NS_PER_MS);
	hist_since(h, mark, recent);
	assert_int_equal(hist_count(recent), 2);
	assert_about(hist_min_ms(recent), 500);
	assert_about(hist_quantile_ms(recent, 99), 700);
	assert_about(hist_quantile_ms(h, 99), 2);
	hist_free(h);
	hist_free(mark);
	hist_free(recent);
}

static void
tells_quantiles(void **state)
{
	struct hist *h = hist_new();

	(void)state;
	for (int i = 1; i <= 1000; i++)
		hist_record(h, i * NS_PER_MS);
	assert_int_equal(hist_count(h), 1000);
	assert_about(hist_min_ms(h), 1);
	assert_about(hist_max_ms(h), 1000);
	assert_about(hist_mean_ms(h), 500.5);
	assert_about(hist_quantile_ms(h, 50), 500);
	assert_about(hist_quantile_ms(h, 99), 990);
	assert_about(hist_quantile_ms(h, 99.9), 999);
	assert_about(hist_quantile_ms(h, 100), 1000);
	hist_clear(h);
	assert_int_equal(hist_count(h), 0);
	assert_true(hist_max_ms(h) == 0);
	hist_record(h, 20 * NS_PER_US);
	assert_about(hist_quantile_ms(h, 50), 0.02);
	hist_free(h);
}

static void
what_is_out_of_range_counts_at_the_border(void **state)
{
	struct hist *h = hist_new();

	(void)state;
	hist_record(h, 0);
	hist_record(h, -5);
	hist_record(h, 999);
	assert_about(hist_max_ms(h), 0.001);
	hist_record(h, 3600 * NS_PER_S);
	hist_record(h, INT64_MAX);
	assert_int_equal(hist_count(h), 5);
	assert_about(hist_max_ms(h), 60000);
	hist_free(h);
}

static void
is_as_small_as_promised(void **state)
{
	struct hist *h = hist_new();

	(void)state;
	assert_in_range(hdr_get_memory_size((struct hdr_histogram *)(void *)h), 1000, 24 * 1024);
	hist_free(h);
}

#define EACH 50000

static void *
record(void *arg)
{
	for (int i = 0; i < EACH; i++)
		hist_record(arg, (1 + i % 100) * NS_PER_MS);
	return NULL;
}

static void
loses_no_sample_of_many_threads(void **state)
{
	struct hist *h = hist_new();
	pthread_t t[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, record, h), 0);
	while (hist_count(h) < 1000)
		sched_yield();
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(hist_count(h), 4 * EACH);
	assert_about(hist_quantile_ms(h, 50), 50);
	hist_free(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_one_is_all_zeros),
		cmocka_unit_test(tells_what_is_new),
		cmocka_unit_test(tells_quantiles),
		cmocka_unit_test(what_is_out_of_range_counts_at_the_border),
		cmocka_unit_test(is_as_small_as_promised),
		cmocka_unit_test(loses_no_sample_of_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
