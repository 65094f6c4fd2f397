/* t_prom - Prometheus text: names, escapes, numbers, histograms that do not contradict themselves. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/instant.h"
#include "codec/prom.h"

static void
expect(struct str *s, const char *text)
{
	assert_string_equal(str_text(s), text);
	str_release(s);
}

static void
writes_a_family_and_its_samples(void **state)
{
	enum { UP, DOWN };
	static const struct prom_family families[] = {
		[UP] = { "up", "gauge", "whether it is" }, [DOWN] = { "down", "counter", "how often" },
	};
	struct str s = STR_INIT;
	const struct prom p = { &s, families };

	(void)state;
	prom_one(&p, DOWN, NULL, 7);
	prom_family(&p, UP);
	prom_sample(&p, UP, NULL, 1);
	prom_sample(&p, UP, PROM_LABELS({ "a", "1" }, { "b", "x" }), 0.25);
	expect(&s, "# HELP down how often\n# TYPE down counter\ndown 7\n"
	    "# HELP up whether it is\n# TYPE up gauge\nup 1\nup{a=\"1\",b=\"x\"} 0.25\n");
}

static void
escapes_what_would_end_a_line_or_a_value(void **state)
{
	static const struct prom_family x = { "x", "gauge", "two\nlines \"and\" a \\" };
	struct str s = STR_INIT;

	(void)state;
	prom_one(&(struct prom){ &s, &x }, 0, PROM_LABELS({ "a", "q\"b\\n\n" }), 3);
	expect(&s, "# HELP x two\\nlines \"and\" a \\\\\n# TYPE x gauge\nx{a=\"q\\\"b\\\\n\\n\"} 3\n");
}

static void
writes_numbers_that_are_none(void **state)
{
	static const struct prom_family x = { "x", "gauge", "a number" };
	struct str s = STR_INIT;
	const struct prom p = { &s, &x };

	(void)state;
	prom_sample(&p, 0, NULL, NAN);
	prom_sample(&p, 0, NULL, INFINITY);
	prom_sample(&p, 0, NULL, -INFINITY);
	prom_sample(&p, 0, NULL, 1795173428106.0);
	expect(&s, "x NaN\nx +Inf\nx -Inf\nx 1795173428106\n");
}

static unsigned long
bucket(const struct str *s, const char *le)
{
	char line[64];
	unsigned long n = 0;

	snprintf(line, sizeof line, "h_bucket{r=\"1\",le=\"%s\"} ", le);
	const char *at = strstr(str_text(s), line);
	assert_non_null(at);
	assert_int_equal(sscanf(at + strlen(line), "%lu", &n), 1);
	return n;
}

static void
counts_a_histogram_into_buckets(void **state)
{
	static const struct prom_family families[] = { { "h", "histogram", "how long" } };
	const struct prom_label *labels = PROM_LABELS({ "r", "1" });
	struct hist *h = hist_new();
	struct str s = STR_INIT;
	const struct prom p = { &s, families };

	(void)state;
	prom_histogram(&p, 0, labels, h);
	assert_int_equal(bucket(&s, "+Inf"), 0);
	assert_non_null(strstr(str_text(&s), "h_sum{r=\"1\"} 0\nh_count{r=\"1\"} 0\n"));
	str_clear(&s);
	for (int i = 0; i < 10; i++)
		hist_record(h, 4 * NS_PER_MS);
	hist_record(h, 300 * NS_PER_MS);
	hist_record(h, 30 * NS_PER_S);
	prom_histogram(&p, 0, labels, h);
	assert_int_equal(bucket(&s, "0.0025"), 0);
	assert_int_equal(bucket(&s, "0.005"), 10);
	assert_int_equal(bucket(&s, "0.25"), 10);
	assert_int_equal(bucket(&s, "0.35"), 11);
	assert_int_equal(bucket(&s, "10.0"), 11);
	assert_int_equal(bucket(&s, "+Inf"), 12);
	assert_non_null(strstr(str_text(&s), "h_count{r=\"1\"} 12\n"));
	str_release(&s);
	hist_free(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_a_family_and_its_samples),
		cmocka_unit_test(escapes_what_would_end_a_line_or_a_value),
		cmocka_unit_test(writes_numbers_that_are_none),
		cmocka_unit_test(counts_a_histogram_into_buckets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
