/* t_sticky - a call to whoever leads: every row of its table. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/instant.h"
#include "messaging/sticky.h"

#define LONG_NS (3600 * NS_PER_S)

static void
the_holder_is_asked_where_one_is_known_that_did_not_just_refuse(void **state)
{
	struct sticky s = { .refused = 0 };

	(void)state;
	assert_int_equal(sticky_way(&s, true, 7), STICKY_TO_HOLDER);
	assert_int_equal(sticky_way(&s, false, 7), STICKY_TO_GROUP);
	struct sticky_step n = sticky_next(&s, STICKY_TO_HOLDER, 7, STICKY_REFUSED, LONG_NS, 0);
	assert_true(n.again);
	assert_int_equal(n.way, STICKY_TO_GROUP);
	assert_int_equal(n.pause_ns, 0);
	assert_int_equal(sticky_way(&s, true, 7), STICKY_TO_GROUP);
	assert_int_equal(sticky_way(&s, true, 8), STICKY_TO_HOLDER);
}

static void
refused_by_the_group_it_pauses_twice_as_long_each_time_up_to_5_s(void **state)
{
	static const int64_t ms[] = { 100, 200, 400, 800, 1600, 3200, 5000, 5000 };
	struct sticky s = { .refused = 7 };

	(void)state;
	for (size_t i = 0; i < sizeof ms / sizeof *ms; i++) {
		struct sticky_step n = sticky_next(&s, STICKY_TO_GROUP, 0, STICKY_REFUSED, LONG_NS, i * 7919 * NS_PER_MS);
		assert_true(n.again);
		assert_true(n.pause_ns >= ms[i] * NS_PER_MS * 9 / 10 && n.pause_ns <= ms[i] * NS_PER_MS * 11 / 10);
	}
	assert_int_equal(sticky_way(&s, true, 7), STICKY_TO_HOLDER);	/* it may be fit again */
	/* Towards the end the pauses shrink, and an attempt always has time for its answer. */
	assert_int_equal(sticky_next(&s, STICKY_TO_GROUP, 0, STICKY_REFUSED, 300 * NS_PER_MS, 0).pause_ns, 150 * NS_PER_MS);
	assert_true(sticky_next(&s, STICKY_TO_GROUP, 0, STICKY_REFUSED, 100 * NS_PER_MS, 0).again);
	assert_false(sticky_next(&s, STICKY_TO_GROUP, 0, STICKY_REFUSED, 99 * NS_PER_MS, 0).again);
	assert_true(sticky_next(&s, STICKY_TO_HOLDER, 7, STICKY_UNSENT, LONG_NS, 0).pause_ns > 0);
}

static void
what_perhaps_was_executed_is_repeated_only_where_twice_is_harmless(void **state)
{
	static const enum sticky_outcome perhaps[] = { STICKY_SILENT, STICKY_LOST };
	struct sticky once = { .idempotent = false }, twice = { .idempotent = true };

	(void)state;
	for (int i = 0; i < 2; i++)
		for (enum sticky_way w = STICKY_TO_HOLDER; w <= STICKY_TO_GROUP; w++) {
			assert_false(sticky_next(&once, w, 7, perhaps[i], LONG_NS, 0).again);
			assert_true(sticky_next(&twice, w, 7, perhaps[i], LONG_NS, 0).again);
			assert_int_equal(sticky_next(&twice, w, 7, perhaps[i], LONG_NS, 0).pause_ns, 0);
			assert_false(sticky_next(&twice, w, 7, perhaps[i], 0, 0).again);
		}
	assert_false(sticky_next(&twice, STICKY_TO_HOLDER, 7, STICKY_FINAL, LONG_NS, 0).again);
}

static void
errors_are_told_apart_by_what_they_mean_for_a_repetition(void **state)
{
	(void)state;
	assert_int_equal(sticky_outcome(ERR_NOT_ACTIVE, true), STICKY_REFUSED);
	assert_int_equal(sticky_outcome(ERR_NO_MEMBER, true), STICKY_REFUSED);
	assert_int_equal(sticky_outcome(ERR_INSTANCE_UNKNOWN, true), STICKY_REFUSED);
	assert_int_equal(sticky_outcome(ERR_BUSY, true), STICKY_REFUSED);
	assert_int_equal(sticky_outcome(ERR_UNAVAILABLE, false), STICKY_UNSENT);
	assert_int_equal(sticky_outcome(ERR_UNAVAILABLE, true), STICKY_LOST);
	assert_int_equal(sticky_outcome(ERR_TIMEOUT, true), STICKY_SILENT);
	assert_int_equal(sticky_outcome(ERR_OUTCOME_UNKNOWN, true), STICKY_LOST);
	assert_int_equal(sticky_outcome(ERR_HANDLER, true), STICKY_FINAL);
	assert_int_equal(sticky_outcome(ERR_SERVICE_UNKNOWN, true), STICKY_FINAL);
}

static void
an_answer_of_an_old_hold_counts_when_that_one_let_go(void **state)
{
	(void)state;
	assert_true(sticky_counts(7, 7, 0));
	assert_true(sticky_counts(9, 7, 0));
	assert_false(sticky_counts(7, 9, 0));
	assert_false(sticky_counts(7, 9, 6));
	assert_true(sticky_counts(7, 9, 7));
	assert_true(sticky_counts(0, 9, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_holder_is_asked_where_one_is_known_that_did_not_just_refuse),
		cmocka_unit_test(refused_by_the_group_it_pauses_twice_as_long_each_time_up_to_5_s),
		cmocka_unit_test(what_perhaps_was_executed_is_repeated_only_where_twice_is_harmless),
		cmocka_unit_test(errors_are_told_apart_by_what_they_mean_for_a_repetition),
		cmocka_unit_test(an_answer_of_an_old_hold_counts_when_that_one_let_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
