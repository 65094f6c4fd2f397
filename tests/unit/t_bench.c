/* t_bench - the pure parts of a benchmark: assertions, the median of ratios, what reports say,
 * and the comparison of two of them. */
#include "expect.h"

#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "bench/assertion.h"
#include "bench/compare.h"
#include "bench/report.h"
#include "codec/codec.h"

static struct err err;

/* tally: n samples of ns each, in that many seconds. */
static struct bench_tally
tally(int64_t ns, uint64_t n, double seconds)
{
	struct bench_tally t;

	bench_tally_init(&t);
	histogram_add(t.latency, ns, n);
	histogram_add(t.plain, ns / 2, n);
	t.seconds = seconds;
	return t;
}

static void
add_round(struct bench_result *r, int64_t ours_ns, int64_t theirs_ns)
{
	struct bench_tally a = tally(ours_ns, 1000, 1), b = tally(theirs_ns, 2000, 1);

	bench_result_add(r, &a, theirs_ns > 0 ? &b : NULL);
	bench_tally_release(&a);
	bench_tally_release(&b);
}

static struct bench_result
result(const char *pattern)
{
	struct bench_result r;

	bench_result_init(&r);
	r.pattern = pattern;
	r.what = "what";
	r.in_flight = 1;
	return r;
}

/* --- assertions --------------------------------------------------------------------------- */

static void
reads_every_kind(void **state)
{
	static const struct {
		const char *text, *pattern;
		enum assertion_of of;
		enum assertion_op op;
		bool plain;
		double percent, value;
	} rows[] = {
		{ "p99<2ms", "", ASSERT_PERCENTILE, ASSERT_BELOW, false, 99, 2e6 },
		{ "p99.99<=150us", "", ASSERT_PERCENTILE, ASSERT_AT_MOST, false, 99.99, 150e3 },
		{ "plain.p50 < 1s", "", ASSERT_PERCENTILE, ASSERT_BELOW, true, 50, 1e9 },
		{ "one:max<1m", "one", ASSERT_MAX, ASSERT_BELOW, false, 0, 60e9 },
		{ "many : rate >= 50000", "many", ASSERT_RATE, ASSERT_AT_LEAST, false, 0, 50000 },
		{ "rate>0.5", "", ASSERT_RATE, ASSERT_ABOVE, false, 0, 0.5 },
		{ "errors<1", "", ASSERT_ERRORS, ASSERT_BELOW, false, 0, 1 },
		{ "ratio.p99<1.10", "", ASSERT_RATIO_P99, ASSERT_BELOW, false, 0, 1.10 },
		{ "ratio.p99.9<3", "", ASSERT_RATIO_P999, ASSERT_BELOW, false, 0, 3 },
		{ "ratio.throughput>0.8", "", ASSERT_RATIO_THROUGHPUT, ASSERT_ABOVE, false, 0, 0.8 },
	};
	struct assertion a;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		expect_ok(assertion_parse(rows[i].text, &a, &err), &err);
		assert_string_equal(a.pattern, rows[i].pattern);
		assert_int_equal(a.of, rows[i].of);
		assert_int_equal(a.op, rows[i].op);
		assert_int_equal(a.plain, rows[i].plain);
		assert_float_equal(a.percent, rows[i].percent, 1e-9);
		assert_float_equal(a.value, rows[i].value, 1e-9);
	}
}

static void
refuses_by_name(void **state)
{
	static const struct { const char *text, *says; } rows[] = {
		{ "p99", "no <, <=, > or >=" }, { "", "no <" }, { "p101<2ms", "'p101'" }, { "p<2ms", "'p'" },
		{ "latency<2ms", "'latency' is no figure; there are p50" }, { "p99<2", "'2' is no duration" },
		{ "p99<", "no duration" }, { "rate>many", "'many' is no number" }, { "ratio<1", "'ratio' is no figure" },
		{ "plain.rate>1", "'plain.rate'" }, { "p99=2ms", "no <" }, { "p99<<2ms", "'<2ms' is no duration" },
		{ "ratio.p99<2ms", "'2ms' is no number" },
		{ "a-pattern-with-a-name-that-nobody-would-give-it:p99<2ms", "is no pattern" },
	};
	struct assertion a;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_int_equal(assertion_parse(rows[i].text, &a, &err), ERR_USAGE);
		if (strstr(err.text, rows[i].says) == NULL)
			fail_msg("'%s': '%s' does not say '%s'", rows[i].text, err.text, rows[i].says);
	}
}

static bool
holds(const char *text, const struct bench_result *r, char said[ASSERTION_SAID_MAX])
{
	struct assertion a;

	expect_ok(assertion_parse(text, &a, &err), &err);
	return assertion_holds(&a, r, said);
}

static void
judges(void **state)
{
	struct bench_result r = result("one");
	char said[ASSERTION_SAID_MAX];

	(void)state;
	assert_false(holds("p99<60s", &r, said));		/* nothing was measured */
	assert_non_null(strstr(said, "p99 is not measured"));
	assert_true(holds("errors<1", &r, said));
	add_round(&r, 2000000, 1000000);
	assert_true(holds("p99<60s", &r, said));
	assert_string_equal(said, "p99 is 2.00ms");
	assert_false(holds("p99<1500us", &r, said));
	assert_string_equal(said, "p99 is 2.00ms, not <1500us");
	assert_true(holds("plain.p99<1500us", &r, said));
	assert_true(holds("rate>=1000", &r, said));
	assert_false(holds("rate>1000", &r, said));
	assert_string_equal(said, "rate is 1000, not >1000");
	assert_true(holds("ratio.p50<2.01", &r, said));
	assert_false(holds("one:ratio.p50<1.99", &r, said));
	assert_string_equal(said, "ratio.p50 is 2, not <1.99");
	assert_true(holds("ratio.throughput<=0.5", &r, said));
	assert_true(holds("min>1ms", &r, said) && holds("mean<3ms", &r, said) && holds("count>=1000", &r, said));
	bench_result_release(&r);
}

static void
applies_to_its_pattern(void **state)
{
	struct bench_result one = result("one"), many = result("many");
	struct assertion a;

	(void)state;
	expect_ok(assertion_parse("one:p99<2ms", &a, &err), &err);
	assert_true(assertion_applies(&a, &one) && !assertion_applies(&a, &many) && !assertion_wants_baseline(&a));
	expect_ok(assertion_parse("ratio.p50<2", &a, &err), &err);
	assert_true(assertion_applies(&a, &one) && assertion_applies(&a, &many) && assertion_wants_baseline(&a));
	bench_result_release(&one);
	bench_result_release(&many);
}

/* --- ratios ------------------------------------------------------------------------------- */

/* One round beside a machine that stood still does not decide. */
static void
the_ratio_is_the_median_of_the_rounds(void **state)
{
	struct bench_result r = result("one");

	(void)state;
	add_round(&r, 1100000, 1000000);
	add_round(&r, 1200000, 1000000);
	add_round(&r, 90000000, 1000000);
	assert_float_equal(r.ratio.p50, 1.2, 0.005);
	add_round(&r, 1000000, 1000000);
	assert_float_equal(r.ratio.p99, 1.15, 0.005);		/* even: between the middle two */
	assert_float_equal(r.ratio.throughput, 0.5, 1e-9);
	assert_int_equal(r.n, 4);
	assert_int_equal(histogram_count(r.ours.latency), 4000);
	assert_int_equal(histogram_count(r.theirs.latency), 8000);
	bench_result_release(&r);
}

static void
a_round_without_samples_has_no_ratio(void **state)
{
	struct bench_result r = result("one");
	struct bench_tally some = tally(1000, 10, 1), none;

	(void)state;
	bench_tally_init(&none);
	none.errors = 3;
	snprintf(none.why, sizeof none.why, "why");
	bench_result_add(&r, &some, &none);
	assert_int_equal(r.n, 0);
	assert_int_equal(histogram_count(r.ours.latency), 10);
	assert_int_equal(r.theirs.errors, 3);
	assert_string_equal(r.theirs.why, "why");
	bench_tally_release(&some);
	bench_tally_release(&none);
	bench_result_release(&r);
}

static void
durations_for_people(void **state)
{
	static const struct { double ns; const char *text; } rows[] = {
		{ 0, "0.00ns" }, { 33, "33.0ns" }, { 999.4, "999ns" }, { 999.6, "1.00us" }, { 12345, "12.3us" },
		{ 2410000, "2.41ms" }, { 1.5e9, "1.50s" }, { 137e9, "137s" },
	};
	char text[24];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		bench_ns_text(rows[i].ns, text, sizeof text);
		assert_string_equal(text, rows[i].text);
	}
}

/* --- reports ------------------------------------------------------------------------------ */

static const struct machine machine = { .cpu = "a \"cpu\"", .kernel = "Linux", .cores = 2, .client = "nats.c" };

static void
report_of(const struct bench_result *r, const struct bench_verdict *v, struct str *json, struct str *csv,
    struct str *junit)
{
	struct bench_opts o = { .repeats = 1, .rate = r->rate };
	struct bench_report rep = { .bench = "rpc", .machine = &machine, .opts = &o, .results = r, .n = 1, .verdicts = v,
	    .nverdicts = v != NULL };

	report_json(&rep, json);
	if (csv != NULL)
		report_csv(&rep, csv);
	if (junit != NULL)
		report_junit(&rep, junit);
}

static const struct value *
first_run(const struct value *v)
{
	const struct value *runs = value_field(v, "runs");

	assert_true(runs != NULL && runs->type == VALUE_ARRAY && runs->n == 1);
	return &runs->u.items[0];
}

static double
real_of(const struct value *v, const char *key)
{
	double d = -1;

	assert_true(value_real(value_field(v, key), &d));
	return d;
}

static void
json_has_the_promised_names(void **state)
{
	struct bench_result r = result("one");
	struct str json = STR_INIT, csv = STR_INIT;
	struct codec *c = codec_new();
	struct value v;
	size_t commas[2] = { 0, 0 };
	int line = 0;

	(void)state;
	add_round(&r, 2000000, 1000000);
	r.against = "raw";
	r.rate = 100;
	report_of(&r, NULL, &json, &csv, NULL);
	expect_ok(codec_parse(c, (struct data){ DATA_JSON, json.p, json.len }, &v, &err), &err);
	assert_true(real_of(&v, "schema_version") == 1);
	const struct value *run = first_run(&v);
	assert_float_equal(real_of(run, "p50_us"), 2000, 2);
	assert_float_equal(real_of(run, "p99_us"), 2000, 2);
	assert_float_equal(real_of(run, "per_second"), 1000, 1e-9);
	assert_float_equal(real_of(value_field(run, "plain"), "p99_us"), 1000, 1);
	assert_float_equal(real_of(value_field(run, "ratio"), "p50"), 2, 0.01);
	assert_float_equal(real_of(value_field(run, "ratio"), "p99"), 2, 0.01);
	assert_float_equal(real_of(value_field(run, "ratio"), "throughput"), 0.5, 1e-9);
	for (const char *p = csv.p; *p != '\0'; p++) {
		line += *p == '\n';
		if (line < 2)
			commas[line] += *p == ',';
	}
	assert_int_equal(line, 2);
	assert_int_equal(commas[0], commas[1]);
	str_release(&json);
	str_release(&csv);
	codec_free(c);
	bench_result_release(&r);
}

static void
junit_escapes_and_counts(void **state)
{
	struct bench_result r = result("one");
	struct bench_verdict v = { .assertion = "p99<2ms", .pattern = "one", .said = "p99 is 3ms, not <2ms & \"more\"" };
	struct str json = STR_INIT, junit = STR_INIT;

	(void)state;
	add_round(&r, 2000000, 0);
	report_of(&r, &v, &json, NULL, &junit);
	assert_non_null(strstr(junit.p, "tests=\"2\" failures=\"1\""));
	assert_non_null(strstr(junit.p, "name=\"p99&lt;2ms\""));
	assert_non_null(strstr(junit.p, "<failure message=\"p99 is 3ms, not &lt;2ms &amp; &quot;more&quot;\"/>"));
	str_release(&json);
	str_release(&junit);
	bench_result_release(&r);
}

static void
draws_where_the_samples_lie(void **state)
{
	struct histogram *h = histogram_new();
	struct str out = STR_INIT;
	size_t lines = 0;

	(void)state;
	report_draw(h, 60, &out);
	assert_int_equal(out.len, 0);
	histogram_add(h, 100000, 1);		/* a single value has no width */
	report_draw(h, 60, &out);
	assert_non_null(strstr(str_text(&out), "100.0 %"));
	str_clear(&out);
	histogram_add(h, 200000, 9000);
	histogram_add(h, 300000, 1000);
	histogram_add(h, 50000000, 5);
	report_draw(h, 60, &out);
	for (const char *p = str_text(&out); *p != '\0'; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 13);		/* 12 bars, and what lies beyond p99.9 */
	assert_non_null(strstr(str_text(&out), " 89.9 %"));
	str_release(&out);
	histogram_free(h);
}

/* --- comparing ---------------------------------------------------------------------------- */

/* a result whose rounds lie at these latencies. */
static void
json_of(const char *pattern, int64_t from_ns, int64_t step_ns, struct str *out)
{
	struct bench_result r = result(pattern);

	for (int i = 0; i < 8; i++)
		add_round(&r, from_ns + i * step_ns, 0);
	report_of(&r, NULL, out, NULL, NULL);
	bench_result_release(&r);
}

static enum compare_verdict
verdict_of(const struct str *a, const struct str *b, const char *figure)
{
	struct compare c;
	enum compare_verdict v = COMPARE_SAME;
	bool found = false;

	expect_ok(compare_read(a->p, a->len, b->p, b->len, &c, &err), &err);
	for (size_t i = 0; i < c.n; i++) {
		if (strcmp(c.v[i].figure, figure) == 0 && !found) {
			v = c.v[i].verdict;
			found = true;
		}
	}
	assert_true(found);
	assert_true(c.same_machine && c.same_options);
	compare_release(&c);
	return v;
}

static void
tells_better_from_worse_from_noise(void **state)
{
	struct str base = STR_INIT, near = STR_INIT, slow = STR_INIT, other = STR_INIT;

	(void)state;
	json_of("one", 100000, 1000, &base);
	json_of("one", 103000, 1000, &near);		/* 3 % more, but the rounds overlap */
	json_of("one", 150000, 1000, &slow);
	json_of("many", 100000, 1000, &other);
	assert_int_equal(verdict_of(&base, &base, "p50_us"), COMPARE_SAME);
	assert_int_equal(verdict_of(&base, &near, "p50_us"), COMPARE_SAME);
	assert_int_equal(verdict_of(&base, &slow, "p50_us"), COMPARE_WORSE);
	assert_int_equal(verdict_of(&slow, &base, "p50_us"), COMPARE_BETTER);
	assert_int_equal(verdict_of(&base, &slow, "per_second"), COMPARE_SAME);
	assert_int_equal(verdict_of(&base, &other, "p50_us"), COMPARE_ONLY_A);
	str_release(&base);
	str_release(&near);
	str_release(&slow);
	str_release(&other);
}

static void
refuses_what_is_no_result(void **state)
{
	struct str base = STR_INIT;
	struct compare c;
	static const struct { const char *text, *says; } rows[] = {
		{ "{", "B: " }, { "[]", "B: is no result" }, { "{\"schema_version\":1,\"name\":\"rpc\"}", "B: is no result" },
		{ "{\"schema_version\":2,\"name\":\"rpc\",\"runs\":[]}", "schema_version 2" },
		{ "{\"schema_version\":1,\"name\":\"kv\",\"runs\":[]}", "of 'rpc', B of 'kv'" },
	};

	(void)state;
	json_of("one", 100000, 1000, &base);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_int_not_equal(compare_read(base.p, base.len, rows[i].text, strlen(rows[i].text), &c, &err), ERR_OK);
		if (strstr(err.text, rows[i].says) == NULL)
			fail_msg("'%s' does not say '%s'", err.text, rows[i].says);
		compare_release(&c);
	}
	str_release(&base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_kind),
		cmocka_unit_test(refuses_by_name),
		cmocka_unit_test(judges),
		cmocka_unit_test(applies_to_its_pattern),
		cmocka_unit_test(the_ratio_is_the_median_of_the_rounds),
		cmocka_unit_test(a_round_without_samples_has_no_ratio),
		cmocka_unit_test(durations_for_people),
		cmocka_unit_test(json_has_the_promised_names),
		cmocka_unit_test(junit_escapes_and_counts),
		cmocka_unit_test(draws_where_the_samples_lie),
		cmocka_unit_test(tells_better_from_worse_from_noise),
		cmocka_unit_test(refuses_what_is_no_result),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
