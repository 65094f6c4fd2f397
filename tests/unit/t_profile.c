/* t_profile - the table of profiles, its inequalities one by one, and the sentences. */
#include "expect.h"

#include "base/magic.h"
#include "election/profile.h"

static struct profile
found(const char *name)
{
	struct profile p;
	struct err err = { 0 };

	expect_ok(profile_find(name, 1, &p, &err), &err);
	assert_string_equal(p.name, name);
	return p;
}

static void
table(void **state)
{
	static const struct { const char *name; int64_t p, d, l, step; } rows[] = {
		{ "fast", 30, 120, 160, 5 }, { "default", 60, 240, 320, 6 }, { "relaxed", 200, 800, 1050, 20 },
		{ "wan", 1000, 4000, 5500, 100 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct profile p = found(rows[i].name);
		struct err err = { 0 };
		assert_int_equal(p.p_ns, rows[i].p * NS_PER_MS);
		assert_int_equal(p.d_ns, rows[i].d * NS_PER_MS);
		assert_int_equal(p.l_ns, rows[i].l * NS_PER_MS);
		assert_int_equal(p.g_ns, 20 * NS_PER_MS);
		assert_int_equal(p.step_ns, rows[i].step * NS_PER_MS);
		expect_ok(profile_check(&p, 0, false, &err), &err);
	}
}

static void
unknown_name(void **state)
{
	struct profile p;
	struct err err = { 0 };

	(void)state;
	expect_refusal(profile_find("quick", 1, &p, &err), &err, ERR_INVALID, "'quick' does not exist; use fast");
}

static void
coarse_clock(void **state)
{
	struct profile p;
	struct err err = { 0 };

	(void)state;
	/* 4 × 10 ms: g grows, and the profile fast has no room for it. */
	expect_ok(profile_find("fast", 10 * NS_PER_MS, &p, &err), &err);
	assert_int_equal(p.g_ns, 40 * NS_PER_MS);
	expect_refusal(profile_check(&p, 0, false, &err), &err, ERR_INVALID, "L = 160.0 ms is less than D*1.02+g = 162.4 ms");
}

static void
each_inequality(void **state)
{
	struct { struct profile p; int64_t rtt; bool replicated; const char *part; } rows[] = {
		{ profile_make(0, 240, 320, 1), 0, false, "3P" },
		{ profile_make(60, 179, 320, 1), 0, false, "D = 179 ms is less than 3P = 180 ms" },
		{ profile_make(60, 240, 264, 1), 0, false, "L = 264.0 ms is less than D*1.02+g = 264.8 ms" },
		{ profile_make(1000, 4000, 60001, 1), 0, false, "more than 60000 ms" },
		{ profile_make(60, 240, 320, 1), 60 * NS_PER_MS + 1, false, "4 round trips of 60.0 ms" },
		{ profile_make(1000, 4000, 5500, 1), 0, true, "replicated" },
	};
	struct profile edge = profile_make(60, 180, 60000, 1);
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		err = (struct err){ 0 };
		expect_refusal(profile_check(&rows[i].p, rows[i].rtt, rows[i].replicated, &err), &err, ERR_INVALID, rows[i].part);
	}
	expect_ok(profile_check(&edge, 45 * NS_PER_MS, true, &err), &err);
}

static void
longest_wait(void **state)
{
	(void)state;
	assert_int_equal(profile_wait(240, 320, 20), 320);
	assert_int_equal(profile_wait(1000, 320, 20), 1040);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(unknown_name),
		cmocka_unit_test(coarse_clock),
		cmocka_unit_test(each_inequality),
		cmocka_unit_test(longest_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
