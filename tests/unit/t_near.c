/* t_near - distances, and which words are offered in which order. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/magic.h"
#include "base/near.h"

static void
counts_slips_up_to_two(void **state)
{
	static const struct { const char *a, *b; unsigned want; } rows[] = {
		{ "", "", 0 }, { "call", "call", 0 }, { "a", "", 1 }, { "", "ab", 2 }, { "", "abc", 3 },
		{ "cal", "call", 1 }, { "calll", "call", 1 }, { "cakl", "call", 1 }, { "clal", "call", 1 },
		{ "lcal", "call", 2 }, { "clla", "call", 2 }, { "elcet", "elect", 1 }, { "registyr", "registry", 1 },
		{ "reigsrty", "registry", 2 }, { "abcdef", "xyzdef", 3 }, { "abc", "abcdef", 3 }, { "abcdef", "abc", 3 },
		{ "abcdefgh", "stuvwxyz", 3 },
		/* A swap counts once, also where a replacement would cost two. */
		{ "ab", "ba", 1 }, { "abcd", "badc", 2 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unsigned there = near_distance(rows[i].a, rows[i].b), back = near_distance(rows[i].b, rows[i].a);
		if (there != rows[i].want || back != rows[i].want)
			fail_msg("'%s' and '%s': %u and %u, not %u", rows[i].a, rows[i].b, there, back, rows[i].want);
	}
}

static void
gives_up_on_long_words(void **state)
{
	char a[70], b[70];

	(void)state;
	memset(a, 'x', sizeof a);
	memset(b, 'x', sizeof b);
	a[64] = b[64] = '\0';
	assert_int_equal(near_distance(a, b), 0);
	a[64] = 'x', a[65] = '\0';
	assert_int_equal(near_distance(a, b), 3);
	assert_int_equal(near_distance(b, a), 3);
}

static void
offers_the_nearest_first(void **state)
{
	static const char *const words[] = { "config", "command", "call", "completion", "all", "calls", "elect" };
	const char *out[COUNT_OF(words)];

	(void)state;
	assert_int_equal(near_pick("call", words, COUNT_OF(words), out, COUNT_OF(out)), 3);
	assert_string_equal(out[0], "call");
	assert_string_equal(out[1], "all");
	assert_string_equal(out[2], "calls");
	assert_int_equal(near_pick("call", words, COUNT_OF(words), out, 2), 2);
	assert_int_equal(near_pick("call", words, COUNT_OF(words), out, 0), 0);
	assert_int_equal(near_pick("zzzzzz", words, COUNT_OF(words), out, COUNT_OF(out)), 0);
	/* What was begun counts like one slip. */
	assert_int_equal(near_pick("co", words, COUNT_OF(words), out, COUNT_OF(out)), 3);
	assert_string_equal(out[0], "config");
	assert_string_equal(out[2], "completion");
	assert_int_equal(near_pick("", words, COUNT_OF(words), out, COUNT_OF(out)), 0);
	assert_int_equal(near_pick("x", NULL, 0, out, COUNT_OF(out)), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_slips_up_to_two),
		cmocka_unit_test(gives_up_on_long_words),
		cmocka_unit_test(offers_the_nearest_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
