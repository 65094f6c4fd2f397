/* t_acked - what was settled is known, whatever the order and however long ago within the span; what
 * was not is never taken for it, be it below the span, of another stream, or in a place used anew. */
#include "expect.h"

#include "nats/acked.h"

#define T0 INT64_C(1795150633000000000)
#define AT(seq) (T0 + (int64_t)(seq) * 1000)	/* of the first stream */
#define LATER(seq) (AT(seq) + INT64_C(1000) * ACKED_SPAN * 8)	/* of the next */

static struct acked *a;

static int
set_up(void **state)
{
	(void)state;
	a = acked_new();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	acked_free(a);
	return 0;
}

static void
note(uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i++)
		acked_note(a, i, AT(i));
}

static uint64_t
known(uint64_t from, uint64_t to)
{
	uint64_t n = 0;

	for (uint64_t i = from; i < to; i++)
		n += acked_has(a, i, AT(i));
	return n;
}

static void
exactly_what_was_noted(void **state)
{
	(void)state;
	assert_false(acked_has(a, 1, AT(1)));
	for (uint64_t i = 3000; i > 0; i--)	/* out of order */
		if (i % 3 == 0)
			acked_note(a, i, AT(i));
	for (uint64_t i = 1; i <= 3100; i++)
		assert_int_equal(acked_has(a, i, AT(i)), i % 3 == 0 && i <= 3000);
	acked_note(a, 3, AT(3));		/* again */
	assert_true(acked_has(a, 3, AT(3)));
	acked_clear(a);
	assert_int_equal(known(1, 3100), 0);
}

static void
the_whole_span(void **state)
{
	uint64_t n = 2 * (uint64_t)ACKED_SPAN + 77, low = (n - 1) / ACKED_BLOCK * ACKED_BLOCK + ACKED_BLOCK - ACKED_SPAN;

	(void)state;
	note(1, n);
	assert_int_equal(known(low, n), n - low);
	assert_true(n - low > ACKED_SPAN - ACKED_BLOCK);
	assert_int_equal(known(1, low), 0);
	acked_note(a, low - 1, AT(low - 1));	/* there is no place for it */
	assert_false(acked_has(a, low - 1, AT(low - 1)));
	assert_false(acked_has(a, low - 1 + ACKED_SPAN, AT(n + 5)));
}

/* Places that are used anew hold nothing of what was there, be the step small, one span, or many. */
static void
places_used_anew(void **state)
{
	static const uint64_t steps[] = { ACKED_BLOCK, ACKED_SPAN - 1, ACKED_SPAN, ACKED_SPAN + 5, 9 * (uint64_t)ACKED_SPAN };

	(void)state;
	for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
		acked_clear(a);
		note(1, 5000);
		uint64_t top = 4999 + steps[k];
		acked_note(a, top, AT(top));
		assert_int_equal(known(5000, top), 0);
		assert_true(acked_has(a, top, AT(top)));
		assert_int_equal(known(ACKED_SPAN + 1, ACKED_SPAN + 5000), top < ACKED_SPAN + 5000 && top > ACKED_SPAN);
	}
}

/* A stream made anew: lower sequences, later times. */
static void
another_stream(void **state)
{
	(void)state;
	note(1, 5000);
	assert_false(acked_has(a, 17, LATER(17)));
	assert_int_equal(known(1, 5000), 0);		/* the old one is forgotten altogether */
	note(1, 5000);
	acked_note(a, 17, LATER(17));
	assert_true(acked_has(a, 17, LATER(17)));
	assert_false(acked_has(a, 16, LATER(16)));
	assert_false(acked_has(a, 18, LATER(18)));
	/* The same highest sequence, another time. */
	assert_false(acked_has(a, 17, LATER(18)));
	assert_false(acked_has(a, 17, LATER(17)));
}

/* A higher sequence hides that the stream is another; lower ones are told apart by their blocks' times. */
static void
another_stream_unnoticed(void **state)
{
	(void)state;
	note(1, 5000);
	acked_note(a, 9000, LATER(9000));
	for (uint64_t i = 1; i < 5000; i++)
		assert_false(acked_has(a, i, LATER(i)));
	assert_true(acked_has(a, 9000, LATER(9000)));
}

/* A clock that went back, or an old copy of the stream: rather twice than never. */
static void
time_goes_back(void **state)
{
	(void)state;
	note(1, 5000);
	assert_false(acked_has(a, 6000, AT(10)));
	assert_int_equal(known(1, 5000), 0);
	note(1, 5000);
	acked_note(a, 6000, AT(10));
	assert_true(acked_has(a, 6000, AT(10)));
	assert_false(acked_has(a, 9, AT(9)));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(exactly_what_was_noted), TEST(the_whole_span), TEST(places_used_anew), TEST(another_stream),
		TEST(another_stream_unnoticed), TEST(time_goes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
