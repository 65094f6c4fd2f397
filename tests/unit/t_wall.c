/* t_wall - ISO 8601 in and out, checked against the C library's calendar. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <time.h>

#include "base/magic.h"
#include "base/wall.h"

#define T(s, us) ((struct wall){ (s) * NS_PER_S + (us) * NS_PER_US })

static void
writes_the_forms_of_the_wire(void **state)
{
	char out[WALL_TEXT_MAX];

	(void)state;
	struct wall t = T(INT64_C(1754614923), 456789);
	wall_utc(t, out);
	assert_string_equal(out, "2025-08-08T01:02:03.456789+00:00");
	wall_cst(t, out);
	assert_string_equal(out, "2025-08-08T09:02:03.456789+08:00");
	wall_rfc3339(t, out);
	assert_string_equal(out, "2025-08-08T01:02:03.456Z");
	wall_utc((struct wall){ 0 }, out);
	assert_string_equal(out, "1970-01-01T00:00:00.000000+00:00");
	wall_utc((struct wall){ -1 }, out);
	assert_string_equal(out, "1969-12-31T23:59:59.999999+00:00");
	wall_cst(T(1754611200 - 1, 0), out);	/* the date differs over there */
	assert_string_equal(out, "2025-08-08T07:59:59.000000+08:00");
	wall_utc((struct wall){ INT64_MAX }, out);
	assert_string_equal(out, "2262-04-11T23:47:16.854775+00:00");
	wall_utc((struct wall){ INT64_MIN }, out);
	assert_string_equal(out, "1677-09-21T00:12:43.145224+00:00");
}

static void
reads_what_it_writes_on_every_day(void **state)
{
	char out[WALL_TEXT_MAX], want[WALL_TEXT_MAX];

	(void)state;
	/* 1700 to 2250, one instant a day, at another time each. */
	for (int64_t s = INT64_C(-8520336000); s < INT64_C(8835868800); s += 86400 + 997) {
		struct wall t = T(s, (s % 1000000 + 1000000) % 1000000), back = { 0 };
		time_t tt = (time_t)s;
		struct tm tm;
		wall_utc(t, out);
		assert_non_null(gmtime_r(&tt, &tm));
		assert_int_equal(strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S.", &tm), 20);
		assert_memory_equal(out, want, 20);
		assert_true(wall_parse(out, strlen(out), &back));
		assert_int_equal(back.ns, t.ns);
		wall_cst(t, out);
		assert_true(wall_parse(out, strlen(out), &back));
		assert_int_equal(back.ns, t.ns);
	}
}

static void
reads_iso_8601(void **state)
{
	static const struct { const char *text; int64_t s, ns; } good[] = {
		{ "2025-08-08T01:02:03.456789+00:00", 1754614923, 456789000 },
		{ "2025-08-08T01:02:03Z", 1754614923, 0 },
		{ "2025-08-08t01:02:03z", 1754614923, 0 },
		{ "2025-08-08 01:02:03", 1754614923, 0 },
		{ "2025-08-08T01:02:03", 1754614923, 0 },
		{ "2025-08-08T01:02:03,5", 1754614923, 500000000 },
		{ "2025-08-08T01:02:03.", 1754614923, 0 },
		{ "2025-08-08T01:02:03.123456789Z", 1754614923, 123456789 },
		{ "2025-08-08T01:02:03.000000001Z", 1754614923, 1 },
		{ "2025-08-08T09:02:03+08:00", 1754614923, 0 },
		{ "2025-08-08T09:02:03+0800", 1754614923, 0 },
		{ "2025-08-08T09:02:03+08", 1754614923, 0 },
		{ "2025-08-07T20:32:03-04:30", 1754614923, 0 },
		{ "2025-08-08T01:02Z", 1754614920, 0 },
		{ "2025-08-08", 1754611200, 0 },
		{ "1970-01-01T00:00:00Z", 0, 0 },
		{ "1969-12-31T23:59:59.5Z", -1, 500000000 },
		{ "2024-02-29", 1709164800, 0 },
		{ "2000-02-29", 951782400, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		struct wall t = { 1 };
		if (!wall_parse(good[i].text, strlen(good[i].text), &t))
			fail_msg("'%s' was refused", good[i].text);
		if (t.ns != good[i].s * NS_PER_S + good[i].ns)
			fail_msg("'%s' was read as %lld", good[i].text, (long long)t.ns);
	}
}

static void
refuses_everything_else(void **state)
{
	static const char *const bad[] = {
		"", "x", "2025", "2025-08", "2025-8-8", "25-08-08", "2025/08/08", "2025-08/08", "2025-08-0",
		"2025-00-01", "2025-13-01", "2025-01-00", "2025-02-31", "2025-02-29", "1900-02-29", "2025-04-31",
		"0000-01-01", "2025-08-08X01:02:03", "2025-08-08T", "2025-08-08T1:02:03", "2025-08-08T01",
		"2025-08-08T01-02", "2025-08-08T01:0", "2025-08-08T01:02:3", "2025-08-08T24:00:00",
		"2025-08-08T01:60:00", "2025-08-08T01:02:60", "2025-08-08T01:02:03.1234567890",
		"2025-08-08T01:02:03X", "2025-08-08T01:02:03+", "2025-08-08T01:02:03+8", "2025-08-08T01:02:03+08:",
		"2025-08-08T01:02:03+08:0", "2025-08-08T01:02:03+24:00", "2025-08-08T01:02:03+08:60",
		"2025-08-08T01:02:03Z ", " 2025-08-08", "2025-08-08T01:02:03+08:00Z",
		"-025-08-08", "2025-08-08T01:02:-3",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct wall t = { 7 };
		if (wall_parse(bad[i], strlen(bad[i]), &t))
			fail_msg("'%s' was read as %lld", bad[i], (long long)t.ns);
		assert_int_equal(t.ns, 7);
	}
}

static void
holds_the_nearest_instant_of_far_years(void **state)
{
	static const struct { const char *text; int64_t ns; } far[] = {
		{ "2262-04-12", INT64_MAX }, { "9999-12-31T23:59:59Z", INT64_MAX },
		{ "1677-09-20", INT64_MIN }, { "0001-01-01", INT64_MIN },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(far); i++) {
		struct wall t = { 7 };
		assert_true(wall_parse(far[i].text, strlen(far[i].text), &t));
		assert_true(t.ns == far[i].ns);
	}
}

static void
reads_no_further_than_it_was_told(void **state)
{
	struct wall t = { 7 };

	(void)state;
	assert_true(wall_parse("2025-08-08T01:02:03Zrest", 20, &t));
	assert_int_equal(t.ns, 1754614923 * NS_PER_S);
	assert_true(wall_parse("2025-08-08T01:02:03", 10, &t));
	assert_int_equal(t.ns, 1754611200 * NS_PER_S);
	assert_false(wall_parse("2025-08-08", 9, &t));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_the_forms_of_the_wire),
		cmocka_unit_test(reads_what_it_writes_on_every_day),
		cmocka_unit_test(reads_iso_8601),
		cmocka_unit_test(refuses_everything_else),
		cmocka_unit_test(holds_the_nearest_instant_of_far_years),
		cmocka_unit_test(reads_no_further_than_it_was_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
