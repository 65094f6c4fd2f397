/* t_restart - backoff, jitter, quiet minute and budget, by a clock that is a number. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "runner/restart.h"

static struct mono
at_s(int64_t s)
{
	return (struct mono){ s * NS_PER_S };
}

static const struct restart_policy always = { .when = RESTART_ALWAYS };

static void
doubles_from_one_to_thirty_seconds_less_a_jitter(void **state)
{
	static const int64_t most_s[] = { 1, 2, 4, 8, 16, 30, 30, 30 };

	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct restart r;
		struct mono now = at_s(1000), at;
		restart_init(&r, always, seed);
		for (size_t i = 0; i < sizeof most_s / sizeof most_s[0]; i++) {
			restart_began(&r, now);
			assert_true(restart_next(&r, RESTART_EXITED, 1, now, &at));
			int64_t pause = mono_since(at, now);
			if (pause > most_s[i] * NS_PER_S || pause <= most_s[i] * NS_PER_S * 4 / 5)
				fail_msg("seed %d, restart %zu: pause %lld ns", (int)seed, i, (long long)pause);
			now = at;
		}
	}
}

static void
the_seed_decides_the_jitter(void **state)
{
	struct restart a, b, c;
	struct mono x, y, z;

	(void)state;
	restart_init(&a, always, 7);
	restart_init(&b, always, 7);
	restart_init(&c, always, 8);
	for (int i = 0; i < 10; i++) {
		assert_true(restart_next(&a, RESTART_EXITED, 1, at_s(5), &x));
		assert_true(restart_next(&b, RESTART_EXITED, 1, at_s(5), &y));
		assert_true(restart_next(&c, RESTART_EXITED, 1, at_s(5), &z));
		assert_int_equal(x.ns, y.ns);
		assert_int_not_equal(x.ns, z.ns);
	}
}

static void
a_quiet_minute_resets_the_backoff(void **state)
{
	struct restart r;
	struct mono at;

	(void)state;
	restart_init(&r, always, 3);
	for (int i = 0; i < 6; i++) {
		restart_began(&r, at_s(10));
		assert_true(restart_next(&r, RESTART_EXITED, 1, at_s(10), &at));
	}
	restart_began(&r, at_s(100));
	assert_true(restart_next(&r, RESTART_EXITED, 1, at_s(159), &at));
	assert_true(mono_since(at, at_s(159)) > 20 * NS_PER_S);
	restart_began(&r, at_s(200));
	assert_true(restart_next(&r, RESTART_EXITED, 1, at_s(260), &at));
	assert_true(mono_since(at, at_s(260)) <= NS_PER_S);
}

static void
the_policy_looks_at_the_code(void **state)
{
	static const struct { enum restart_when when; int code; bool again; } rows[] = {
		{ RESTART_NO, 0, false }, { RESTART_NO, 1, false }, { RESTART_NO, 137, false },
		{ RESTART_ON_FAILURE, 0, false }, { RESTART_ON_FAILURE, 1, true }, { RESTART_ON_FAILURE, 143, true },
		{ RESTART_ON_FAILURE, 125, false }, { RESTART_ON_FAILURE, 127, true },
		{ RESTART_ALWAYS, 0, true }, { RESTART_ALWAYS, 1, true }, { RESTART_ALWAYS, 125, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct restart r;
		struct mono at = { -1 };
		restart_init(&r, (struct restart_policy){ .when = rows[i].when }, 1);
		restart_began(&r, at_s(0));
		if (restart_next(&r, RESTART_EXITED, rows[i].code, at_s(1), &at) != rows[i].again)
			fail_msg("%s with code %d", restart_when_name(rows[i].when), rows[i].code);
		assert_int_equal(at.ns != -1, rows[i].again);
	}
}

static void
what_never_ran_is_not_tried_again(void **state)
{
	struct restart r;
	struct mono at;

	(void)state;
	restart_init(&r, always, 1);
	assert_false(restart_next(&r, RESTART_NOT_STARTED, 127, at_s(1), &at));
	/* Later it may be a file that is being replaced. */
	restart_began(&r, at_s(2));
	assert_true(restart_next(&r, RESTART_NOT_STARTED, 127, at_s(3), &at));
	restart_init(&r, (struct restart_policy){ .when = RESTART_NO }, 1);
	restart_began(&r, at_s(2));
	assert_false(restart_next(&r, RESTART_NOT_STARTED, 127, at_s(3), &at));
}

static void
a_lost_guardian_is_always_replaced_within_the_budget(void **state)
{
	struct restart r;
	struct mono at;

	(void)state;
	restart_init(&r, (struct restart_policy){ .when = RESTART_NO, .max = 1, .window_ns = 60 * NS_PER_S }, 1);
	restart_began(&r, at_s(0));
	assert_true(restart_next(&r, RESTART_LOST, 137, at_s(1), &at));
	assert_false(restart_next(&r, RESTART_LOST, 137, at_s(2), &at));
}

static void
the_budget_is_a_sliding_window(void **state)
{
	struct restart r;
	struct mono at;

	(void)state;
	restart_init(&r, (struct restart_policy){ .when = RESTART_ALWAYS, .max = 3, .window_ns = 60 * NS_PER_S }, 1);
	restart_began(&r, at_s(0));
	assert_true(restart_next(&r, RESTART_EXITED, 1, at_s(0), &at));
	assert_true(restart_next(&r, RESTART_EXITED, 1, at_s(20), &at));
	assert_true(restart_next(&r, RESTART_EXITED, 1, at_s(40), &at));
	assert_false(restart_next(&r, RESTART_EXITED, 1, at_s(59), &at));
	/* The first has left the window: one more, and no second one. */
	assert_true(restart_next(&r, RESTART_EXITED, 1, at_s(60), &at));
	assert_false(restart_next(&r, RESTART_EXITED, 1, at_s(79), &at));
	assert_true(restart_next(&r, RESTART_EXITED, 1, at_s(80), &at));
}

/* Never more than max restarts in any window, and never a refusal while there is room. */
static void
the_budget_holds_for_every_history(void **state)
{
	enum { STEPS = 400, WINDOW_S = 30 };

	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct restart r;
		int64_t granted[STEPS], now = 0;
		size_t n = 0;
		unsigned max = 1 + (unsigned)(seed % 7);
		restart_init(&r, (struct restart_policy){ .when = RESTART_ALWAYS, .max = max,
		    .window_ns = WINDOW_S * NS_PER_S }, seed);
		restart_began(&r, at_s(0));
		for (int i = 0; i < STEPS; i++) {
			struct mono at;
			size_t within = 0;
			now += (int64_t)((seed * 2654435761u + (uint64_t)i * 40503u) >> 7) % 9;
			for (size_t k = 0; k < n; k++)
				within += now - granted[k] < WINDOW_S;
			bool yes = restart_next(&r, RESTART_EXITED, 1, at_s(now), &at);
			assert_int_equal(yes, within < max);
			if (yes)
				granted[n++] = now;
		}
	}
}

static void
a_budget_beyond_the_limit_is_cut(void **state)
{
	struct restart r;
	struct mono at;

	(void)state;
	restart_init(&r, (struct restart_policy){ .when = RESTART_ALWAYS, .max = 5000, .window_ns = NS_PER_S }, 1);
	for (int i = 0; i < RESTART_MAX; i++)
		assert_true(restart_next(&r, RESTART_EXITED, 1, at_s(0), &at));
	assert_false(restart_next(&r, RESTART_EXITED, 1, at_s(0), &at));
}

static void
names_go_both_ways(void **state)
{
	enum restart_when w = RESTART_NO;

	(void)state;
	for (int i = 0; i <= RESTART_ALWAYS; i++) {
		assert_true(restart_when_parse(restart_when_name((enum restart_when)i), &w));
		assert_int_equal(w, i);
	}
	assert_false(restart_when_parse("sometimes", &w));
	assert_int_equal(w, RESTART_ALWAYS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doubles_from_one_to_thirty_seconds_less_a_jitter),
		cmocka_unit_test(the_seed_decides_the_jitter),
		cmocka_unit_test(a_quiet_minute_resets_the_backoff),
		cmocka_unit_test(the_policy_looks_at_the_code),
		cmocka_unit_test(what_never_ran_is_not_tried_again),
		cmocka_unit_test(a_lost_guardian_is_always_replaced_within_the_budget),
		cmocka_unit_test(the_budget_is_a_sliding_window),
		cmocka_unit_test(the_budget_holds_for_every_history),
		cmocka_unit_test(a_budget_beyond_the_limit_is_cut),
		cmocka_unit_test(names_go_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
