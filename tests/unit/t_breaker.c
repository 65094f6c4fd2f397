/* t_breaker - every step of the table, and many threads at one word. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>

#include "discovery/breaker.h"

static struct mono
at_ms(int64_t ms)
{
	return (struct mono){ ms * NS_PER_MS };
}

static const struct mono never_mind = { 0 };

/* bad: n failures in a row; the last turn. */
static enum breaker_turn
bad(struct breaker *b, unsigned n, struct mono now)
{
	enum breaker_turn t = BREAKER_SAME;

	while (n-- > 0)
		t = breaker_note(b, BREAKER_BAD, now);
	return t;
}

static struct breaker_view
view(const struct breaker *b)
{
	return breaker_view(atomic_load(&b->word));
}

static void
a_new_one_is_closed_and_clean(void **state)
{
	struct breaker b = { 0 };

	(void)state;
	assert_true(breaker_is_closed(&b) && breaker_is_clean(&b) && breaker_admits(&b, never_mind));
	assert_int_equal(breaker_note(&b, BREAKER_GOOD, never_mind), BREAKER_SAME);
	assert_true(breaker_is_clean(&b));
}

static void
failures_count_only_in_a_row(void **state)
{
	struct breaker b = { 0 };

	(void)state;
	for (int i = 0; i < 10; i++) {
		assert_int_equal(bad(&b, BREAKER_FAILURES - 1, at_ms(i)), BREAKER_SAME);
		assert_int_equal(view(&b).failures, BREAKER_FAILURES - 1);
		assert_true(breaker_is_closed(&b) && !breaker_is_clean(&b) && breaker_admits(&b, at_ms(i)));
		assert_int_equal(breaker_note(&b, BREAKER_GOOD, at_ms(i)), BREAKER_SAME);
		assert_true(breaker_is_clean(&b));
	}
	assert_int_equal(bad(&b, BREAKER_FAILURES, at_ms(100)), BREAKER_OPENED);
	assert_false(breaker_is_closed(&b));
}

static void
open_it_is_passed_over_until_one_probe_may_go(void **state)
{
	struct breaker b = { 0 };
	int64_t end = 1000 + BREAKER_FIRST_NS / NS_PER_MS;

	(void)state;
	bad(&b, BREAKER_FAILURES, at_ms(1000));
	assert_int_equal(view(&b).until.ns, end * NS_PER_MS);
	assert_false(breaker_admits(&b, at_ms(1000)) || breaker_admits(&b, at_ms(end - 1)));
	/* Calls that were under way may still fail: that is no news. */
	assert_int_equal(breaker_note(&b, BREAKER_BAD, at_ms(end - 1)), BREAKER_SAME);
	assert_int_equal(view(&b).until.ns, end * NS_PER_MS);
	assert_true(breaker_admits(&b, at_ms(end)));
	assert_int_equal(view(&b).state, BREAKER_PROBING);
	assert_false(breaker_admits(&b, at_ms(end)) || breaker_admits(&b, at_ms(end + 9999)));
}

static void
a_probe_that_is_lost_makes_room_for_another(void **state)
{
	struct breaker b = { 0 };
	int64_t lost = 20000 + BREAKER_PROBE_NS / NS_PER_MS;

	(void)state;
	bad(&b, BREAKER_FAILURES, at_ms(0));
	assert_true(breaker_admits(&b, at_ms(20000)));
	assert_false(breaker_admits(&b, at_ms(lost - 1)));
	assert_true(breaker_admits(&b, at_ms(lost)));
	assert_false(breaker_admits(&b, at_ms(lost)));
}

static void
a_good_answer_closes_from_everywhere(void **state)
{
	struct breaker b = { 0 };

	(void)state;
	bad(&b, BREAKER_FAILURES, at_ms(0));
	assert_int_equal(breaker_note(&b, BREAKER_GOOD, at_ms(1)), BREAKER_RECOVERED);	/* a late one */
	assert_true(breaker_is_clean(&b));
	bad(&b, BREAKER_FAILURES, at_ms(0));
	assert_true(breaker_admits(&b, at_ms(60000)));
	assert_int_equal(breaker_note(&b, BREAKER_GOOD, at_ms(60001)), BREAKER_RECOVERED);
	assert_true(breaker_is_clean(&b));
}

static void
pauses_double_to_forty_seconds_and_begin_anew(void **state)
{
	static const int64_t s[] = { 5, 10, 20, 40, 40, 40 };
	struct breaker b = { 0 };
	int64_t now = 0;

	(void)state;
	assert_int_equal(bad(&b, BREAKER_FAILURES, at_ms(now)), BREAKER_OPENED);
	for (size_t i = 0; i < 40; i++) {
		int64_t pause = s[i < 6 ? i : 5] * 1000;
		assert_int_equal(view(&b).until.ns, (now + pause) * NS_PER_MS);
		now += pause;
		assert_true(breaker_admits(&b, at_ms(now)));
		assert_int_equal(breaker_note(&b, BREAKER_BAD, at_ms(now)), BREAKER_OPENED);
	}
	breaker_note(&b, BREAKER_GOOD, at_ms(now));
	bad(&b, BREAKER_FAILURES, at_ms(now));
	assert_int_equal(view(&b).until.ns, (now + 5000) * NS_PER_MS);
}

static void
a_word_holds_years(void **state)
{
	struct breaker b = { 0 };
	int64_t ten_years = INT64_C(10) * 365 * 86400 * 1000;
	bool admitted;

	(void)state;
	bad(&b, BREAKER_FAILURES, at_ms(ten_years));
	assert_int_equal(view(&b).until.ns, (ten_years + 5000) * NS_PER_MS);
	/* A state that does not exist changes nothing and admits nobody. */
	assert_int_equal(breaker_step(3, BREAKER_ASK, never_mind, &admitted), 3);
	assert_false(admitted);
}

static struct breaker shared;
static atomic_uint probes;

static void *
ask(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10000; i++)
		if (breaker_admits(&shared, at_ms(10000 + i / 10)))
			atomic_fetch_add(&probes, 1);
	return NULL;
}

static void
one_probe_at_a_time_whoever_asks(void **state)
{
	pthread_t t[4];

	(void)state;
	bad(&shared, BREAKER_FAILURES, at_ms(0));
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, ask, NULL), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(atomic_load(&probes), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_one_is_closed_and_clean),
		cmocka_unit_test(failures_count_only_in_a_row),
		cmocka_unit_test(open_it_is_passed_over_until_one_probe_may_go),
		cmocka_unit_test(a_probe_that_is_lost_makes_room_for_another),
		cmocka_unit_test(a_good_answer_closes_from_everywhere),
		cmocka_unit_test(pauses_double_to_forty_seconds_and_begin_anew),
		cmocka_unit_test(a_word_holds_years),
		cmocka_unit_test(one_probe_at_a_time_whoever_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
