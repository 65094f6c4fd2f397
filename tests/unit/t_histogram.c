/* t_histogram - bench's histogram against exact percentiles of the same samples, its borders,
 * merging, and what HdrHistogram's tools read. */
#include "expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bench/histogram.h"

#define N 20000

static int64_t
next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (int64_t)(*seed >> 33);
}

static int
ascending(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* assert_close: three digits: never below, and at most one part in 1024 above. */
static void
assert_close(int64_t got, int64_t exact, double percent)
{
	if (got < exact || (double)(got - exact) > (double)exact / 1024)
		fail_msg("p%g is %lld, exactly %lld", percent, (long long)got, (long long)exact);
}

static void
an_empty_one_is_all_zeros(void **state)
{
	struct histogram *h = histogram_new();
	struct str out = STR_INIT;

	(void)state;
	assert_int_equal(histogram_count(h), 0);
	assert_true(histogram_at(h, 50) == 0 && histogram_at(h, 100) == 0 && histogram_min(h) == 0 && histogram_max(h) == 0);
	assert_true(histogram_mean(h) == 0 && histogram_deviation(h) == 0 && histogram_below(h, 100) == 0);
	histogram_hgrm(h, &out);
	assert_non_null(strstr(str_text(&out), "Total count    =            0"));
	str_release(&out);
	histogram_free(h);
	histogram_free(NULL);
}

/* Samples over nine orders of magnitude: every percentile is that of the sorted list. */
static void
agrees_with_exact_percentiles(void **state)
{
	static const double percents[] = { 0, 0.1, 1, 10, 25, 50, 75, 90, 95, 99, 99.9, 99.99, 100 };
	struct histogram *h = histogram_new();
	int64_t *v = mem_array(N, sizeof *v);
	uint64_t seed = 42;
	double sum = 0;

	(void)state;
	for (size_t i = 0; i < N; i++) {
		v[i] = next_random(&seed) >> (next_random(&seed) % 31);
		histogram_add(h, v[i], 1);
		sum += (double)v[i];
	}
	qsort(v, N, sizeof *v, ascending);
	for (size_t i = 0; i < sizeof percents / sizeof *percents; i++) {
		double at = percents[i] / 100 * N;
		size_t rank = (size_t)at + ((double)(size_t)at < at);
		assert_close(histogram_at(h, percents[i]), v[rank > 0 ? rank - 1 : 0], percents[i]);
	}
	assert_int_equal(histogram_min(h), v[0]);
	assert_int_equal(histogram_max(h), v[N - 1]);
	assert_float_equal(histogram_mean(h) / (sum / N), 1, 1e-9);
	assert_int_equal(histogram_count(h), N);
	mem_free(v);
	histogram_free(h);
}

/* Each value around every power of two is told alone: equal to itself by the digits. */
static void
keeps_three_digits_everywhere(void **state)
{
	struct histogram *h = histogram_new();

	(void)state;
	for (int bit = 0; bit < 37; bit++) {
		for (int64_t d = -1; d <= 1; d++) {
			int64_t v = ((int64_t)1 << bit) + d;
			histogram_clear(h);
			histogram_add(h, v, 1);
			histogram_add(h, HISTOGRAM_MAX_NS, 1);
			assert_close(histogram_at(h, 50), v, 50);
			assert_int_equal(histogram_below(h, v), v == HISTOGRAM_MAX_NS ? 2 : 1);
			if (v > 2048)
				assert_int_equal(histogram_below(h, v - v / 500), 0);
		}
	}
	histogram_free(h);
}

static void
cuts_what_is_out_of_range(void **state)
{
	struct histogram *h = histogram_new();

	(void)state;
	histogram_add(h, -5, 1);
	assert_int_equal(histogram_at(h, 100), 0);
	histogram_add(h, INT64_MAX, 1);
	assert_int_equal(histogram_max(h), HISTOGRAM_MAX_NS);
	histogram_add(h, 7, 0);
	assert_int_equal(histogram_count(h), 2);
	assert_int_equal(histogram_below(h, -1), 0);
	assert_int_equal(histogram_below(h, INT64_MAX), 2);
	histogram_free(h);
}

static void
merges_as_if_recorded_together(void **state)
{
	struct histogram *a = histogram_new(), *b = histogram_new(), *both = histogram_new(), *none = histogram_new();
	uint64_t seed = 7;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		int64_t v = next_random(&seed);
		histogram_add(i % 3 != 0 ? a : b, v, 2);
		histogram_add(both, v, 2);
	}
	histogram_merge(a, none);
	histogram_merge(none, a);
	histogram_merge(none, b);
	for (double p = 0; p <= 100; p += 0.5)
		assert_int_equal(histogram_at(none, p), histogram_at(both, p));
	assert_int_equal(histogram_count(none), 10000);
	assert_int_equal(histogram_min(none), histogram_min(both));
	assert_int_equal(histogram_max(none), histogram_max(both));
	assert_float_equal(histogram_deviation(none) / histogram_deviation(both), 1, 1e-9);
	histogram_free(a);
	histogram_free(b);
	histogram_free(both);
	histogram_free(none);
}

/* The lines rise in value, share and count, end with everything, and the comments follow. */
static void
writes_the_percentile_format(void **state)
{
	struct histogram *h = histogram_new();
	struct str out = STR_INIT;
	double value, share, inverse, last_value = -1, last_share = -1;
	unsigned long long count, last_count = 0;
	int lines = 0;

	(void)state;
	for (int64_t i = 1; i <= 10000; i++)
		histogram_add(h, i * 1000, 1);		/* 1 us to 10 ms */
	histogram_hgrm(h, &out);
	char *line = out.p;
	assert_int_equal(strncmp(line, "       Value     Percentile TotalCount 1/(1-Percentile)\n\n", 56), 0);
	for (line = strchr(line, '\n') + 2; *line != '#'; line = strchr(line, '\n') + 1, lines++) {
		int n = sscanf(line, "%lf %lf %llu %lf", &value, &share, &count, &inverse);
		assert_true(n >= 3);
		assert_true(value >= last_value && share > last_share && count >= last_count);
		if (share < 1)
			assert_float_equal(inverse, 1 / (1 - share), inverse * 0.01);
		last_value = value;
		last_share = share;
		last_count = count;
	}
	assert_true(lines > 40);
	assert_true(last_share == 1.0 && last_count == 10000 && value == 10000.0);
	assert_non_null(strstr(line, "#[Mean    =     5000.500, StdDeviation   =     2886.751]\n"));
	assert_non_null(strstr(line, "#[Max     =    10000.000, Total count    =        10000]\n"));
	assert_non_null(strstr(line, "#[Buckets ="));
	str_release(&out);
	histogram_free(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_one_is_all_zeros),
		cmocka_unit_test(agrees_with_exact_percentiles),
		cmocka_unit_test(keeps_three_digits_everywhere),
		cmocka_unit_test(cuts_what_is_out_of_range),
		cmocka_unit_test(merges_as_if_recorded_together),
		cmocka_unit_test(writes_the_percentile_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
