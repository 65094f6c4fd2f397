/* t_utf8.c - the fast way over ASCII agrees with one character at a time. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"

#define LONGEST 40

/* plain: utf8_valid by its definition. */
static size_t
plain(const char *p, size_t n)
{
	uint32_t cp;
	size_t i = 0;

	for (size_t k; i < n && (k = utf8_next(p + i, n - i, &cp)) > 0; i += k)
		continue;
	return i;
}

static void
agrees_wherever_it_lies(const char *piece)
{
	size_t len = strlen(piece);

	for (size_t n = len; n <= LONGEST; n++) {
		for (size_t at = 0; at + len <= n; at++) {
			/* Memory of exactly n bytes, so that a look too far is caught. */
			char *text = test_malloc(n);
			memset(text, 'a', n);
			memcpy(text + at, piece, len);
			assert_int_equal(utf8_valid(text, n), plain(text, n));
			test_free(text);
		}
	}
}

static void
every_place_of_a_piece(void **state)
{
	(void)state;
	agrees_wherever_it_lies("");
	agrees_wherever_it_lies("\xff");		/* never valid */
	agrees_wherever_it_lies("\xc3\xa9");		/* two bytes */
	agrees_wherever_it_lies("\xe2\x82\xac");	/* three */
	agrees_wherever_it_lies("\xf0\x9f\x99\x82");	/* four */
	agrees_wherever_it_lies("\xed\xa0\x80");	/* half of a surrogate pair */
	agrees_wherever_it_lies("\xc0\x80");		/* a longer form than needed */
	agrees_wherever_it_lies("\xe2\x82");		/* cut at the end, broken in the middle */
}

static void
says_where(void **state)
{
	(void)state;
	assert_int_equal(utf8_valid("", 0), 0);
	assert_int_equal(utf8_valid("abcde\xff", 6), 5);
	assert_int_equal(utf8_valid("abcdefghi\xff", 10), 9);
	assert_int_equal(utf8_valid("\xc3\xa9", 1), 0);
	assert_int_equal(utf8_valid("\xc3\xa9" "bc\x80", 5), 4);
}

static void
leaves_out_what_is_none(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" }, { "plain", "plain" }, { "\xc3\xa9", "\xc3\xa9" }, { "cut \xc3", "cut " }, { "\xff", "" },
		{ "\xe2\x82 in \xffthe\x80\x80 middle\xf0\x9f", " in the middle" },
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(text, sizeof text, "%s", rows[i][0]);
		assert_string_equal(utf8_clean(text), rows[i][1]);
	}
}

static void
counts_characters(void **state)
{
	(void)state;
	assert_int_equal(utf8_count(""), 0);
	assert_int_equal(utf8_count("abc"), 3);
	assert_int_equal(utf8_count("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_place_of_a_piece),
		cmocka_unit_test(says_where),
		cmocka_unit_test(leaves_out_what_is_none),
		cmocka_unit_test(counts_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
