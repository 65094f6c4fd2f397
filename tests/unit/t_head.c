/* t_head - heads that can be read in one way only, and all that cannot. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/magic.h"
#include "http/head.h"

#define ROW(text) { text, sizeof text - 1 }

struct row { const char *p; size_t n; };

static void
takes_what_is_strict(void **state)
{
	static const struct row rows[] = {
		ROW("GET / HTTP/1.1\r\n\r\n"), ROW("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), ROW("M-SEARCH * HTTP/1.0\r\nA:\r\nB: \t c \t\r\n\r\n"),
		ROW("GET http://x/y?z#a HTTP/9.9\r\n!#$%&'*+-.^_`|~09azAZ: v\xc3\xa9\xff\r\n\r\n"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (!head_is_strict(rows[i].p, rows[i].n))
			fail_msg("row %zu", i);
		assert_true(head_ends(rows[i].p, rows[i].n));
		for (size_t n = 0; n < rows[i].n; n++) {	/* none of its beginnings is one */
			assert_false(head_is_strict(rows[i].p, n));
			assert_false(head_ends(rows[i].p, n));
		}
	}
}

static void
refuses_what_is_not(void **state)
{
	static const struct row rows[] = {
		/* line ends */
		ROW("GET / HTTP/1.1\n\n"), ROW("GET / HTTP/1.1\r\nA: b\n\r\n"), ROW("GET / HTTP/1.1\nA: b\r\n\r\n"), ROW("GET / HTTP/1.1\r\rA: b\r\n\r\n"),
		ROW("GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n"), ROW("GET / HTTP/1.1\r\nA: b\r\r\n\r\n"), ROW("\r\nGET / HTTP/1.1\r\n\r\n"),
		ROW("\r\n"), ROW("\r\n\r\n"), ROW("\n"), ROW(""), ROW("GET / HTTP/1.1\r\n\r\n\r\n"), ROW("GET / HTTP/1.1\r\n\r\nx"),
		/* the first line */
		ROW("GET  / HTTP/1.1\r\n\r\n"), ROW("GET / HTTP/1.1 \r\n\r\n"), ROW("GET /\r\n\r\n"), ROW("GET\r\n\r\n"), ROW(" GET / HTTP/1.1\r\n\r\n"),
		ROW("GET /a b HTTP/1.1\r\n\r\n"), ROW("GET\t/ HTTP/1.1\r\n\r\n"), ROW("GET / http/1.1\r\n\r\n"), ROW("GET / HTTP/1.10\r\n\r\n"),
		ROW("GET / HTTP/1,1\r\n\r\n"), ROW("G(T / HTTP/1.1\r\n\r\n"), ROW("GET /\x7f HTTP/1.1\r\n\r\n"), ROW("GET /\xc3\xa9 HTTP/1.1\r\n\r\n"),
		ROW("GET /\0 HTTP/1.1\r\n\r\n"), ROW("GET  HTTP/1.1\r\n\r\n"),
		/* fields */
		ROW("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n"), ROW("GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n"), ROW("GET / HTTP/1.1\r\n A: b\r\n\r\n"),
		ROW("GET / HTTP/1.1\r\nA : b\r\n\r\n"), ROW("GET / HTTP/1.1\r\nA\t: b\r\n\r\n"), ROW("GET / HTTP/1.1\r\n: b\r\n\r\n"),
		ROW("GET / HTTP/1.1\r\nA\r\n\r\n"), ROW("GET / HTTP/1.1\r\nA: \0\r\n\r\n"), ROW("GET / HTTP/1.1\r\nA\0: b\r\n\r\n"),
		ROW("GET / HTTP/1.1\r\nA: \x01\r\n\r\n"), ROW("GET / HTTP/1.1\r\nA: \x7f\r\n\r\n"), ROW("GET / HTTP/1.1\r\nA\xc3\xa9: b\r\n\r\n"),
		ROW("GET / HTTP/1.1\r\nA,B: b\r\n\r\n"), ROW("GET / HTTP/1.1\r\n\"A\": b\r\n\r\n"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (head_is_strict(rows[i].p, rows[i].n))
			fail_msg("row %zu: %s", i, rows[i].p);
	/* What is not strict ends all the same, and is then refused. */
	assert_true(head_ends("GET / HTTP/1.1\n\n", 16));
	assert_true(head_ends("a\n\r\n", 4));
	assert_false(head_ends("a\r\r\n", 4));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_is_strict),
		cmocka_unit_test(refuses_what_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
