/* t_num - numbers, durations and sizes, both ways, and what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "base/instant.h"
#include "base/magic.h"
#include <stdio.h>

#include "base/num.h"

static void
whole_numbers(void **state)
{
	static const struct { const char *text; int64_t v; } good[] = {
		{ "0", 0 }, { "-0", 0 }, { "12", 12 }, { "-12", -12 }, { "007", 7 },
		{ "9223372036854775807", INT64_MAX }, { "-9223372036854775808", INT64_MIN },
	};
	static const char *const bad[] = {
		"", "-", "+1", " 1", "1 ", "1.0", "0x1", "1e3", "--1", "a", "9223372036854775808",
		"-9223372036854775809", "99999999999999999999",
	};
	int64_t v;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		v = 77;
		if (!num_int(good[i].text, &v) || v != good[i].v)
			fail_msg("'%s' was read as %lld", good[i].text, (long long)v);
	}
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		v = 77;
		if (num_int(bad[i], &v) || v != 77)
			fail_msg("'%s' was read as %lld", bad[i], (long long)v);
	}
}

static void
whole_numbers_without_a_sign(void **state)
{
	static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "18446744073709551616", "18446744073709551620" };
	uint64_t v;

	(void)state;
	assert_true(num_uint("0", &v) && v == 0);
	assert_true(num_uint("18446744073709551615", &v) && v == UINT64_MAX);
	assert_true(num_uint("00018446744073709551615", &v) && v == UINT64_MAX);
	assert_true(num_uint_n("123", 2, &v) && v == 12);
	for (uint64_t n = 1; n < UINT64_MAX / 7; n = n * 7 + 3) {
		char text[NUM_TEXT_MAX], again[NUM_TEXT_MAX];
		assert_int_equal(num_uint_text(n, text), snprintf(again, sizeof again, "%llu", (unsigned long long)n));
		assert_string_equal(text, again);
	}
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		v = 77;
		if (num_uint(bad[i], &v) || v != 77)
			fail_msg("'%s' was read as %llu", bad[i], (unsigned long long)v);
	}
}

static void
real_numbers(void **state)
{
	static const struct { const char *text; double v; } good[] = {
		{ "0", 0 }, { "0.5", 0.5 }, { "-0.5", -0.5 }, { "5", 5 }, { "1e3", 1000 }, { "2.5E-1", 0.25 },
		{ "1.7976931348623157e308", DBL_MAX },
	};
	static const char *const bad[] = {
		"", ".5", "-", "-.5", "+1", " 1", "1 ", "inf", "-inf", "nan", "0x10", "-0x10", "0X1P3", "1e999",
		"1,5", "1.5s",
	};
	double v;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		v = 77;
		if (!num_real(good[i].text, &v) || v != good[i].v)
			fail_msg("'%s' was read as %g", good[i].text, v);
	}
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		v = 77;
		if (num_real(bad[i], &v) || v != 77)
			fail_msg("'%s' was read as %g", bad[i], v);
	}
}

static void
durations(void **state)
{
	static const struct { const char *text; int64_t ns; } good[] = {
		{ "0", 0 }, { "0s", 0 }, { "250ms", 250 * NS_PER_MS }, { "2s", 2 * NS_PER_S },
		{ "1m30s", 90 * NS_PER_S }, { "1.5h", 5400 * NS_PER_S }, { "0.1s", 100 * NS_PER_MS },
		{ "1us", 1000 }, { "1ns", 1 }, { "2d", 172800 * NS_PER_S }, { "1h1m1s1ms1us1ns", 3661001001001 },
		{ "0.000000001s", 1 }, { "0.0000000014s", 1 }, { "0.3333333333333333333333s", 333333333 },
		/* More than 2^53 ns, where a double loses the last digits. */
		{ "9007199254740993ns", 9007199254740993 }, { "2562047h47m16s854ms775us807ns", INT64_MAX },
		{ "9223372036854775807ns", INT64_MAX }, { "1.000000000000000001d", 86400 * NS_PER_S },
	};
	static const char *const bad[] = {
		"", "1", "s", "1 s", " 1s", "1s ", "-1s", "+1s", "1x", "1.s", ".5s", "1.5.5s", "1s2", "1sec",
		"9223372036854775808ns", "9223372036.854775808s", "107000d", "1ns9223372036854775807ns",
		"99999999999999999999999999999999999999999999999999ns", "1e3s",
	};
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		ns = 77;
		if (!num_duration(good[i].text, &ns) || ns != good[i].ns)
			fail_msg("'%s' was read as %lld", good[i].text, (long long)ns);
	}
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		ns = 77;
		if (num_duration(bad[i], &ns) || ns != 77)
			fail_msg("'%s' was read as %lld", bad[i], (long long)ns);
	}
}

static void
a_duration_written_reads_back(void **state)
{
	static const struct { int64_t ns; const char *text; } some[] = {
		{ 0, "0s" }, { -5, "0s" }, { 1, "1ns" }, { NS_PER_S, "1s" }, { 90 * NS_PER_S, "1m30s" },
		{ 250 * NS_PER_MS, "250ms" }, { 1500 * NS_PER_MS, "1s500ms" }, { 86400 * NS_PER_S, "24h" },
		{ INT64_MAX, "2562047h47m16s854ms775us807ns" },
	};
	char text[NUM_TEXT_MAX];
	int64_t back;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(some); i++) {
		num_duration_text(some[i].ns, text);
		assert_string_equal(text, some[i].text);
	}
	uint64_t x = 88172645463325252;
	for (int i = 0; i < 20000; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		int64_t ns = (int64_t)(x >> (1 + i % 62));
		num_duration_text(ns, text);
		assert_true(num_duration(text, &back));
		assert_int_equal(back, ns);
	}
}

static void
bare_seconds(void **state)
{
	int64_t ns = 77;

	(void)state;
	assert_true(num_seconds("10.0", &ns) && ns == 10 * NS_PER_S);
	assert_true(num_seconds("0.25", &ns) && ns == 250 * NS_PER_MS);
	assert_true(num_seconds("-1", &ns) && ns == -NS_PER_S);
	ns = 77;
	assert_false(num_seconds("10s", &ns) || num_seconds("", &ns) || num_seconds("1e10", &ns));
	assert_false(num_seconds("-1e10", &ns));
	assert_int_equal(ns, 77);
}

static void
sizes(void **state)
{
	static const struct { const char *text; uint64_t v; } good[] = {
		{ "512B", 512 }, { "64KiB", 65536 }, { "10MB", 10000000 }, { "1kB", 1000 }, { "1KB", 1000 },
		{ "1.5MiB", 1572864 }, { "2GB", 2000000000 }, { "2GiB", UINT64_C(2147483648) }, { "0B", 0 },
	};
	static const char *const bad[] = { "", "B", "5", "5 B", "-5B", "5b", "5MB5", "5MB5kB", "1.B", "9999999999GiB" };
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		v = 77;
		if (!num_size(good[i].text, &v) || v != good[i].v)
			fail_msg("'%s' was read as %llu", good[i].text, (unsigned long long)v);
	}
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		v = 77;
		if (num_size(bad[i], &v) || v != 77)
			fail_msg("'%s' was read as %llu", bad[i], (unsigned long long)v);
	}
}

static void
truth(void **state)
{
	static const char *const yes[] = { "true", "TRUE", "1", "yes", "on", "On" };
	static const char *const no[] = { "false", "False", "0", "no", "off" };
	static const char *const bad[] = { "", "2", "y", "tru", "truee", " true" };
	bool v;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(yes); i++)
		assert_true((v = false, num_bool(yes[i], &v)) && v);
	for (size_t i = 0; i < COUNT_OF(no); i++)
		assert_true((v = true, num_bool(no[i], &v)) && !v);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_true((v = true, !num_bool(bad[i], &v)) && v);
}

static void
real_numbers_are_written_as_python_does(void **state)
{
	static const struct { double v; const char *text; } some[] = {
		{ 0, "0.0" }, { -0.0, "-0.0" }, { 5, "5.0" }, { 30, "30.0" }, { -100, "-100.0" }, { 0.1, "0.1" },
		{ 0.1 + 0.2, "0.30000000000000004" }, { 12.5, "12.5" }, { 1234567.875, "1234567.875" },
		{ 1e15, "1000000000000000.0" }, { 9999999999999998, "9999999999999998.0" }, { 1e16, "1e+16" },
		{ 1.5e300, "1.5e+300" }, { 0.0001, "0.0001" }, { 0.00001, "1e-05" }, { 1754614923.456789, "1754614923.456789" },
		{ 5e-324, "5e-324" }, { DBL_MAX, "1.7976931348623157e+308" }, { -DBL_MIN, "-2.2250738585072014e-308" },
		{ -0.00012345678901234567, "-0.00012345678901234567" },
	};
	char text[NUM_TEXT_MAX];
	double back;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(some); i++) {
		num_real_text(some[i].v, text);
		assert_string_equal(text, some[i].text);
	}
	num_real_text(INFINITY, text);
	assert_string_equal(text, "inf");
	num_real_text(-INFINITY, text);
	assert_string_equal(text, "-inf");
	num_real_text(NAN, text);
	assert_true(strcmp(text, "nan") == 0 || strcmp(text, "-nan") == 0);
	uint64_t x = 88172645463325252;
	for (int i = 0; i < 20000; i++) {
		double v;
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		memcpy(&v, &x, sizeof v);
		if (!isfinite(v))
			continue;
		num_real_text(v, text);
		assert_true(num_real(text, &back));
		assert_memory_equal(&back, &v, sizeof v);
		assert_non_null(strpbrk(text, ".e"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_numbers),
		cmocka_unit_test(whole_numbers_without_a_sign),
		cmocka_unit_test(real_numbers),
		cmocka_unit_test(durations),
		cmocka_unit_test(a_duration_written_reads_back),
		cmocka_unit_test(bare_seconds),
		cmocka_unit_test(sizes),
		cmocka_unit_test(truth),
		cmocka_unit_test(real_numbers_are_written_as_python_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
