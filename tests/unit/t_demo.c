/* t_demo - what the demo services keep and compute: the ring of orders, the book of positions,
 * prices, ids, the ticker.  How they talk is shown by scenarios. */
#include "expect.h"

#include <stdatomic.h>

#include "base/magic.h"
#include "bus.h"
#include "demo_book.h"
#include "demo_ring.h"
#include "demo_ticker.h"

/* --- the ring ---------------------------------------------------------------------------- */

static struct ring ring;

static struct order
an_order(int64_t quantity)
{
	struct order o = { .symbol = "AAPL", .quantity = quantity, .accepted = true, .price = 2 };

	ring_add(&ring, "order-service-1", &o);
	return o;
}

static int
ring_begin(void **state)
{
	(void)state;
	memset(&ring, 0, sizeof ring);
	ring_init(&ring);
	return 0;
}

static int
ring_end(void **state)
{
	(void)state;
	ring_release(&ring);
	return 0;
}

static void
orders_are_found_booked_and_rejected(void **state)
{
	struct order a = an_order(1), b = an_order(2), seen;

	(void)state;
	assert_string_equal(a.id, "order-service-1.1");
	assert_string_equal(b.id, "order-service-1.2");
	assert_true(ring_find(&ring, b.id, &seen));
	assert_int_equal(seen.quantity, 2);
	assert_false(seen.booked);
	assert_true(ring_book(&ring, b.id));
	assert_true(ring_find(&ring, b.id, &seen));
	assert_true(seen.booked);
	assert_true(ring_reject(&ring, a.id, "no"));
	assert_true(ring_find(&ring, a.id, &seen));
	assert_false(seen.accepted);
	assert_string_equal(seen.reason, "no");
	static const char *const none[] = {
		"", "order-service-1", "order-service-1.", "order-service-1.0", "order-service-1.3", "order-service-2.1",
		"order-service-1.18446744073709551617",
	};
	for (size_t i = 0; i < COUNT_OF(none); i++) {
		assert_false(ring_find(&ring, none[i], &seen));
		assert_false(ring_book(&ring, none[i]));
		assert_false(ring_reject(&ring, none[i], "no"));
	}
}

struct listing {
	int64_t quantity[8];
	size_t n;
};

static void
note(void *arg, const struct order *o)
{
	struct listing *l = arg;

	assert_true(l->n < COUNT_OF(l->quantity));
	l->quantity[l->n++] = o->quantity;
}

static void
the_oldest_make_room(void **state)
{
	struct listing l = { .n = 0 };
	struct order first = an_order(1), seen;

	(void)state;
	for (int64_t i = 2; i <= RING_MAX; i++)
		an_order(i);
	assert_true(ring_find(&ring, first.id, &seen));
	struct order last = an_order(RING_MAX + 1);
	assert_false(ring_find(&ring, first.id, &seen));
	assert_true(ring_find(&ring, last.id, &seen));
	assert_int_equal(ring_each(&ring, 3, note, &l), RING_MAX + 1);
	assert_int_equal(l.n, 3);
	for (int64_t i = 0; i < 3; i++)
		assert_int_equal(l.quantity[i], RING_MAX + 1 - i);
}

/* --- the book ---------------------------------------------------------------------------- */

static struct book book;

static int
book_begin(void **state)
{
	(void)state;
	memset(&book, 0, sizeof book);
	book_init(&book, 1000);
	return 0;
}

static int
book_end(void **state)
{
	(void)state;
	book_release(&book);
	return 0;
}

static bool
approves(const char *symbol, int64_t quantity, double price, const char *says)
{
	struct verdict v;

	book_judge(&book, symbol, quantity, price, &v);
	if (strstr(v.reason, says) == NULL)
		fail_msg("'%s' does not say '%s'", v.reason, says);
	return v.approved;
}

static void
asking_changes_nothing_and_orders_do(void **state)
{
	struct standing s;

	(void)state;
	assert_true(approves("AAPL", 10, 100, "within"));
	assert_true(approves("AAPL", 10, 100, "within"));
	assert_false(book_at(&book, 0, &s));
	assert_int_equal(book_order(&book, "m1", "AAPL", 10, 100, &s), BOOK_DONE);
	assert_int_equal(s.quantity, 10);
	assert_true(s.exposure == 1000 && s.limit == 1000);
	assert_false(approves("AAPL", 1, 100, "above the limit of 1000"));
	/* The other direction: less exposure is always fine, more than the limit is not. */
	assert_true(approves("AAPL", -1, 500, "within"));
	assert_false(approves("AAPL", -30, 100, "exposure in 'AAPL' would be 2000.00"));
}

static void
an_order_counts_once(void **state)
{
	struct standing s;
	char id[16];

	(void)state;
	assert_int_equal(book_order(&book, "m1", "AAPL", 3, 100, &s), BOOK_DONE);
	assert_int_equal(book_order(&book, "m1", "AAPL", 3, 100, &s), BOOK_TWICE);
	assert_int_equal(s.quantity, 3);
	/* As many others later it is forgotten: the memory is bounded. */
	for (unsigned i = 0; i < BOOK_HEARD; i++) {
		snprintf(id, sizeof id, "n%u", i);
		assert_int_equal(book_order(&book, id, "IBM", 1, 100, &s), BOOK_DONE);
	}
	assert_int_equal(s.quantity, BOOK_HEARD);
	assert_int_equal(book_order(&book, "n0", "IBM", 1, 100, &s), BOOK_TWICE);
	assert_int_equal(book_order(&book, "m1", "AAPL", 3, 100, &s), BOOK_DONE);
}

static void
limits_and_prices(void **state)
{
	struct standing s;

	(void)state;
	assert_int_equal(book_common(&book), 1000);
	assert_true(book_limit(&book, NULL, 500));
	assert_int_equal(book_common(&book), 500);
	assert_true(book_limit(&book, "IBM", 50));
	assert_false(approves("IBM", 1, 100, "limit of 50"));
	assert_true(approves("AAPL", 1, 500, "within"));
	assert_false(book_price(&book, "AAPL", 7, &s));
	assert_int_equal(book_order(&book, "m1", "AAPL", -4, 100, &s), BOOK_DONE);
	assert_true(book_price(&book, "AAPL", 0.333, &s));
	assert_true(s.exposure == 1.33 && s.quantity == -4);
}

static void
a_symbol_too_many(void **state)
{
	struct standing s;
	char symbol[8], id[8];

	(void)state;
	for (unsigned i = 0; i < BOOK_MAX; i++) {
		snprintf(symbol, sizeof symbol, "S%u", i);
		snprintf(id, sizeof id, "m%u", i);
		assert_int_equal(book_order(&book, id, symbol, 1, 1, &s), BOOK_DONE);
	}
	assert_int_equal(book_order(&book, "mx", "SX", 1, 1, &s), BOOK_FULL);
	assert_false(book_limit(&book, "SX", 5));
	assert_false(approves("SX", 1, 1, "'SX' is not one of them"));
	assert_true(approves("S0", 1, 1, "within"));
	assert_true(book_at(&book, BOOK_MAX - 1, &s));
	assert_false(book_at(&book, BOOK_MAX, &s));
}

/* --- prices, ids, the ticker --------------------------------------------------------------- */

static void
prices_drift_and_agree(void **state)
{
	(void)state;
	for (size_t i = 0; demo_symbols[i] != NULL; i++) {
		double before = demo_price(demo_symbols[i], 1795150000), least = before, most = before;
		assert_true(before > 0);
		assert_true(before == demo_price(demo_symbols[i], 1795150000));
		for (int t = 1; t <= 3600; t++) {
			double now = demo_price(demo_symbols[i], 1795150000 + t);
			/* No jump: a second moves less than a hundredth. */
			if (now < before * 0.99 || now > before * 1.01)
				fail_msg("%s jumps from %f to %f", demo_symbols[i], before, now);
			before = now;
			least = now < least ? now : least;
			most = now > most ? now : most;
		}
		assert_true(most > least);
	}
	assert_true(demo_price("AAPL", 1795150000) != demo_price("IBM", 1795150000));
}

static void
ids_are_those_of_their_words(void **state)
{
	char a[DEMO_ID_MAX], b[DEMO_ID_MAX], c[DEMO_ID_MAX];

	(void)state;
	demo_id("prices 1000 1", a);
	demo_id("prices 1000 1", b);
	demo_id("prices 1000 2", c);
	assert_string_equal(a, b);
	assert_string_not_equal(a, c);
	assert_int_equal(strlen(a), 36);
	assert_int_equal(strspn(a, "0123456789abcdef-"), 36);
	assert_true(a[8] == '-' && a[13] == '-' && a[14] == '4' && a[18] == '-' && a[23] == '-');
	assert_non_null(strchr("89ab", a[19]));
}

struct ticks {
	atomic_uint n;
	int64_t pause_ms;
};

static int64_t
pause_of(void *arg)
{
	struct ticks *k = arg;

	return k->pause_ms;
}

static void
count(void *arg)
{
	struct ticks *k = arg;

	atomic_fetch_add(&k->n, 1);
}

static void
a_ticker_ticks_and_ends_at_once(void **state)
{
	struct ticks often = { .pause_ms = 1 }, seldom = { .pause_ms = 3600000 };
	struct demo_ticker a, b;

	(void)state;
	demo_ticker_start(&a, "often", pause_of, count, &often);
	demo_ticker_start(&b, "seldom", pause_of, count, &seldom);
	WAIT_FOR(atomic_load(&often.n) >= 5);
	demo_ticker_stop(&a);
	demo_ticker_stop(&b);		/* would take an hour if it waited for the pause */
	assert_int_equal(atomic_load(&seldom.n), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(orders_are_found_booked_and_rejected, ring_begin, ring_end),
		cmocka_unit_test_setup_teardown(the_oldest_make_room, ring_begin, ring_end),
		cmocka_unit_test_setup_teardown(asking_changes_nothing_and_orders_do, book_begin, book_end),
		cmocka_unit_test_setup_teardown(an_order_counts_once, book_begin, book_end),
		cmocka_unit_test_setup_teardown(limits_and_prices, book_begin, book_end),
		cmocka_unit_test_setup_teardown(a_symbol_too_many, book_begin, book_end),
		cmocka_unit_test(prices_drift_and_agree),
		cmocka_unit_test(ids_are_those_of_their_words),
		cmocka_unit_test(a_ticker_ticks_and_ends_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
