/* t_monitor_figures - rates and quantiles of successive heartbeats, a quarter of an hour of them, and what
 * happened to an instance. */
#include "expect.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "base/str.h"
#include "monitor/changes.h"
#include "monitor/figures.h"
#include "monitor/series.h"

static struct past past;
static struct figures f;

static int
clear(void **state)
{
	(void)state;
	past_release(&past);
	return 0;
}

static struct heartbeat
beat(double uptime_s)
{
	return (struct heartbeat){ .uptime_s = uptime_s, .queue_depth = -1, .in_flight = -1 };
}

static void
method(struct heartbeat *h, uint64_t key, uint64_t calls, uint64_t errors, double p50, double p99)
{
	h->v[h->n++] = (struct heartbeat_method){ key, calls, errors, true, 0, p50, p50 * 2, p99, p99 };
}

static bool
hear(const struct heartbeat *h, int64_t at_s)
{
	return figures_next(&past, h, (struct mono){ (1000 + at_s) * NS_PER_S }, false, &f);
}

/* near: within 2 %, which is finer than what is shown. */
static void
near(float got, double want)
{
	if (!(fabs(got - want) <= 0.02 * fabs(want) + 1e-6))
		fail_msg("%g is not %g", (double)got, want);
}

static void
rates_need_two_beats(void **state)
{
	struct heartbeat h = beat(100);

	(void)state;
	method(&h, 1, 500, 5, 10, 50);
	h.queue_depth = 3;
	assert_false(hear(&h, 0));
	assert_true(isnan(f.calls_per_second) && isnan(f.p99_ms) && isnan(f.error_rate) && isnan(f.in_flight));
	near(f.queue_depth, 3);
	near(f.uptime_s, 100);
	h = beat(110);
	method(&h, 1, 600, 15, 10, 50);
	assert_false(hear(&h, 10));
	near(f.calls_per_second, 10);
	near(f.error_rate, 0.1);
	near(f.p50_ms, 10);
	near(f.p99_ms, 50);
	/* Nothing was called: no rate of errors, no latency. */
	h.uptime_s = 120;
	assert_false(hear(&h, 20));
	near(f.calls_per_second, 0);
	assert_true(isnan(f.error_rate) && isnan(f.p50_ms));
}

static void
a_beat_right_behind_another_waits(void **state)
{
	struct heartbeat h = beat(0);

	(void)state;
	method(&h, 1, 0, 0, 1, 1);
	hear(&h, 0);
	h.v[0].calls = 50;
	assert_false(figures_next(&past, &h, (struct mono){ 1000 * NS_PER_S + NS_PER_MS }, false, &f));
	assert_true(isnan(f.calls_per_second));
	h.v[0].calls = 100;
	hear(&h, 10);
	near(f.calls_per_second, 10);
}

static void
methods_count_by_their_calls(void **state)
{
	struct heartbeat h = beat(0);

	(void)state;
	method(&h, 1, 0, 0, 1, 1);
	method(&h, 2, 0, 0, 1, 1);
	hear(&h, 0);
	h = beat(0);
	method(&h, 1, 990, 0, 1, 2);		/* fast and busy */
	method(&h, 2, 10, 0, 1000, 2000);	/* slow and hardly called: exactly the slowest hundredth */
	hear(&h, 10);
	near(f.p50_ms, 1);
	assert_true(f.p99_ms >= 2 && f.p99_ms < 600);
	h.v[1].calls += 100;			/* now only the slow one is called */
	hear(&h, 20);
	near(f.p50_ms, 1000);
	near(f.p99_ms, 2000);
}

static void
a_restart_counts_from_nothing(void **state)
{
	struct heartbeat h = beat(1000);

	(void)state;
	method(&h, 1, 5000, 0, 1, 1);
	hear(&h, 0);
	h = beat(4);
	method(&h, 1, 20, 0, 1, 1);
	assert_true(hear(&h, 10));		/* by its uptime: 20 calls in 4 s */
	near(f.calls_per_second, 5);
	h = beat(0);
	method(&h, 1, 10, 0, 1, 1);
	assert_true(hear(&h, 20));		/* by its counters */
	near(f.calls_per_second, 1);
	h.v[0].calls = 11;
	assert_true(figures_next(&past, &h, (struct mono){ 1030 * NS_PER_S }, true, &f));	/* by its nonce */
	near(f.calls_per_second, 1.1);
}

static void
one_counter_that_began_anew_is_no_restart(void **state)
{
	struct heartbeat h = beat(0);

	(void)state;
	method(&h, 1, 100, 0, 1, 1);
	method(&h, 2, 1000, 0, 1, 1);
	hear(&h, 0);
	h.v[0].calls = 30;
	h.v[1].calls = 1100;
	assert_false(hear(&h, 10));
	near(f.calls_per_second, 13);
}

/* --- series ------------------------------------------------------------------------------- */

struct rows {
	struct str text;
	size_t n, gaps;
};

static void
row(void *arg, struct wall at, const struct figures *one)
{
	struct rows *r = arg;

	r->n++;
	r->gaps += one == NULL;
	if (one == NULL)
		str_printf(&r->text, "%llds - ", (long long)(at.ns / NS_PER_S));
	else
		str_printf(&r->text, "%llds %g %g ", (long long)(at.ns / NS_PER_S), (double)one->calls_per_second, (double)one->p99_ms);
}

static struct rows
rows_of(const struct series *s, int64_t now_s)
{
	struct rows r = { STR_INIT, 0, 0 };

	series_each(s, (struct wall){ now_s * NS_PER_S }, row, &r);
	return r;
}

static void
add(struct series **s, int64_t at_ms, float calls, float p99)
{
	struct figures one = FIGURES_NONE;

	one.calls_per_second = calls;
	one.p99_ms = p99;
	series_add(s, &one, (struct wall){ at_ms * NS_PER_MS });
}

static void
gaps_stay_gaps_and_quick_beats_share_a_point(void **state)
{
	struct series *s = NULL;

	(void)state;
	struct rows none = rows_of(NULL, 100);
	assert_int_equal(none.n, 0);
	add(&s, 10000, 1, 5);
	add(&s, 19900, 2, NAN);		/* a little early: a point of its own */
	add(&s, 19000, 9, 9);		/* back in time: left out */
	add(&s, 22000, 4, 7);		/* two seconds later: into the same point */
	add(&s, 60000, 3, 1);		/* after a pause */
	struct rows r = rows_of(s, 100);
	assert_string_equal(str_text(&r.text), "10s 1 5 19s 3 7 29s - 60s 3 1 ");
	str_release(&r.text);
	r = rows_of(s, 60 + 900);	/* the first two are older than 15 minutes */
	assert_string_equal(str_text(&r.text), "60s 3 1 ");
	str_release(&r.text);
	series_free(s);
}

static void
fifteen_minutes_fit_whatever_the_beat(void **state)
{
	static const int every_ms[] = { 500, 1000, 3000, 9900, 10000, 10300 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(every_ms); i++) {
		struct series *s = NULL;
		for (int64_t at = 0; at < 3600 * 1000; at += every_ms[i])
			add(&s, at, 1, 1);
		struct rows r = rows_of(s, 3600);
		if (r.n < 70 || r.n > SERIES_POINTS || r.gaps > 0)
			fail_msg("a beat each %d ms: %zu points, %zu gaps", every_ms[i], r.n, r.gaps);
		str_release(&r.text);
		series_free(s);
	}
}

/* --- changes ------------------------------------------------------------------------------ */

static void
the_last_fifty_changes_are_kept(void **state)
{
	struct changes *c = NULL;
	char to[16];

	(void)state;
	assert_int_equal(changes_count(c), 0);
	for (int i = 0; i < 120; i++) {
		snprintf(to, sizeof to, "%d", i);
		changes_add(&c, (struct wall){ i }, CHANGE_STATUS, NULL, to);
		for (size_t k = 0; k < changes_count(c); k++)
			assert_int_equal(changes_at(c, k)->at.ns, i - (int)k);
	}
	assert_int_equal(changes_count(c), CHANGES_MAX);
	assert_string_equal(changes_at(c, 0)->to, "119");
	assert_string_equal(change_kind_name(CHANGE_RESTARTED), "restarted");
	changes_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rates_need_two_beats, clear, clear),
		cmocka_unit_test_setup_teardown(a_beat_right_behind_another_waits, clear, clear),
		cmocka_unit_test_setup_teardown(methods_count_by_their_calls, clear, clear),
		cmocka_unit_test_setup_teardown(a_restart_counts_from_nothing, clear, clear),
		cmocka_unit_test_setup_teardown(one_counter_that_began_anew_is_no_restart, clear, clear),
		cmocka_unit_test(gaps_stay_gaps_and_quick_beats_share_a_point),
		cmocka_unit_test(fifteen_minutes_fit_whatever_the_beat),
		cmocka_unit_test(the_last_fifty_changes_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
