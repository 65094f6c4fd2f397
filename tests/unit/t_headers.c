/* t_headers - the headers that are lists: cookies, entity tags, media types. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/magic.h"
#include "http/cookie.h"
#include "http/etag.h"
#include "http/media.h"

static void
finds_one_cookie(void **state)
{
	static const struct { const char *header, *value; } rows[] = {
		{ "a=1", "1" }, { "b=2; a=1", "1" }, { "b=2;a=1 ; c=3", "1" }, { "a=", "" }, { "xa=2; a=1", "1" }, { "a=x=y", "x=y" },
		{ NULL, NULL }, { "", NULL }, { "b=1", NULL }, { "a", NULL }, { "A=1", NULL }, { ";;;", NULL },
		{ "a=1; a=2", NULL }, { "a=1; a=1", NULL }, { "a=\"1\"", NULL }, { "a=1 2", NULL }, { "a=1,b", NULL }, { "a=\xff", NULL },
		{ "a=12345678", NULL }, { "a=1234567", "1234567" },
	};
	char out[8];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		memset(out, 'x', sizeof out);
		if (cookie_find(rows[i].header, "a", out, sizeof out) != (rows[i].value != NULL))
			fail_msg("row %zu", i);
		assert_string_equal(out, rows[i].value != NULL ? rows[i].value : "");
	}
}

static void
reads_lists_of_tags(void **state)
{
	static const struct { const char *list; enum etag_verdict strong, weak; } rows[] = {
		{ "\"42\"", ETAG_LISTED, ETAG_LISTED }, { "\"41\", \"42\"", ETAG_LISTED, ETAG_LISTED },
		{ " \"41\" ,, \"42\" , ", ETAG_LISTED, ETAG_LISTED }, { "W/\"42\"", ETAG_NONE, ETAG_LISTED },
		{ "*", ETAG_LISTED, ETAG_LISTED }, { "* ", ETAG_LISTED, ETAG_LISTED }, { "\"41\"", ETAG_NONE, ETAG_NONE },
		{ "\"4\", \"2\", \"\", \"421\"", ETAG_NONE, ETAG_NONE }, { "\"a,b\", \"42\"", ETAG_LISTED, ETAG_LISTED },
		{ "", ETAG_UNREADABLE, ETAG_UNREADABLE }, { "42", ETAG_UNREADABLE, ETAG_UNREADABLE },
		{ "\"42", ETAG_UNREADABLE, ETAG_UNREADABLE }, { "\"42\" x", ETAG_UNREADABLE, ETAG_UNREADABLE },
		{ "\"42\", x", ETAG_UNREADABLE, ETAG_UNREADABLE }, { "w/\"42\"", ETAG_UNREADABLE, ETAG_UNREADABLE },
		{ "*, \"42\"", ETAG_UNREADABLE, ETAG_UNREADABLE }, { "W/42", ETAG_UNREADABLE, ETAG_UNREADABLE },
		{ "\"42\"\"43\"", ETAG_UNREADABLE, ETAG_UNREADABLE }, { "\"4 2\"", ETAG_UNREADABLE, ETAG_UNREADABLE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (etag_listed(rows[i].list, "42", false) != rows[i].strong || etag_listed(rows[i].list, "42", true) != rows[i].weak)
			fail_msg("row %zu: %s", i, rows[i].list);
	assert_int_equal(etag_listed("*", NULL, false), ETAG_NONE);		/* nothing is there */
	assert_int_equal(etag_listed("\"42\"", NULL, true), ETAG_NONE);
	assert_int_equal(etag_listed("\"", NULL, true), ETAG_UNREADABLE);
}

static void
compares_media_types(void **state)
{
	static const struct { const char *accept; bool json; } rows[] = {
		{ NULL, true }, { "", true }, { "*/*", true }, { "application/json", true }, { "Application/JSON;charset=utf-8", true },
		{ "application/*", true }, { "text/html, application/xhtml+xml, */*;q=0.8", true }, { "text/html", false },
		{ "text/*", false }, { "application/json;q=0", false }, { "application/json;q=0.000, */*", false },
		{ "*/*;q=0, application/json", true }, { "application/*;q=0, */*", false }, { "application/json; q=0.1", true },
		{ "application/jso", false }, { "application/json5", false }, { "application/problem+json", false }, { ",,", true },
		{ "text/html;level=1;q=0, application/json", true }, { "*", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (media_accepts(rows[i].accept, "application/json") != rows[i].json)
			fail_msg("row %zu: %s", i, rows[i].accept);
	assert_true(media_is("application/json", "application/json"));
	assert_true(media_is("Application/Json; charset=utf-8", "text/plain, application/json"));
	assert_false(media_is("application/jsonx", "application/json"));
	assert_false(media_is("application/jso", "application/json"));
	assert_false(media_is("", "application/json"));
	assert_false(media_is("text", "text/plain"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_one_cookie),
		cmocka_unit_test(reads_lists_of_tags),
		cmocka_unit_test(compares_media_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
