/* t_retry - what is tried again, how often, and how the pauses grow. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/instant.h"
#include "messaging/retry.h"

#define LONG (3600 * NS_PER_S)
#define LEAST UINT64_C(0)		/* the lower end of the jitter */

static bool
next(struct retry *r, enum retry_outcome o, int64_t left_ns, int64_t *pause_ns)
{
	return retry_next(r, o, false, left_ns, LEAST, pause_ns);
}

static struct retry
fresh(enum retry_name n, bool idempotent, uint32_t most)
{
	struct retry r;

	retry_init(&r, retry_policy(n), idempotent, most);
	return r;
}

/* how_often: attempts allowed after one kind of failure, up to 50. */
static unsigned
how_often(enum retry_name n, bool idempotent, enum retry_outcome o)
{
	struct retry r = fresh(n, idempotent, 0);
	unsigned times = 0;
	int64_t pause;

	while (times < 50 && next(&r, o, LONG, &pause))
		times++;
	return times;
}

static void
codes_are_sorted_by_whether_it_was_executed(void **state)
{
	static const struct { enum err_code code; enum retry_outcome unsent, sent; } rows[] = {
		{ ERR_SERVICE_UNKNOWN, RETRY_ABSENT, RETRY_ABSENT }, { ERR_INSTANCE_UNKNOWN, RETRY_ABSENT, RETRY_ABSENT },
		{ ERR_NO_MEMBER, RETRY_UNHEARD, RETRY_UNHEARD },
		{ ERR_BUSY, RETRY_REFUSED, RETRY_REFUSED }, { ERR_NOT_ACTIVE, RETRY_REFUSED, RETRY_REFUSED },
		{ ERR_UNAVAILABLE, RETRY_UNSENT, RETRY_UNKNOWN },
		{ ERR_TIMEOUT, RETRY_UNKNOWN, RETRY_UNKNOWN }, { ERR_OUTCOME_UNKNOWN, RETRY_UNKNOWN, RETRY_UNKNOWN },
		{ ERR_HANDLER, RETRY_FINAL, RETRY_FINAL }, { ERR_INVALID, RETRY_FINAL, RETRY_FINAL },
		{ ERR_CLOSED, RETRY_FINAL, RETRY_FINAL }, { ERR_UNKNOWN_METHOD, RETRY_FINAL, RETRY_FINAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(retry_outcome(rows[i].code, false), rows[i].unsent);
		assert_int_equal(retry_outcome(rows[i].code, true), rows[i].sent);
	}
}

static void
each_policy_has_its_own_patience(void **state)
{
	/* For ABSENT, UNHEARD, REFUSED, UNSENT, UNKNOWN, FINAL; 50: as often as time allows. */
	static const struct { enum retry_name n; const char *name; bool idempotent; unsigned times[6]; } rows[] = {
		{ RETRY_DEFAULT, "default", false, { 0, 1, 50, 0, 0, 0 } },
		{ RETRY_DEFAULT, "default", true, { 0, 1, 50, 0, 50, 0 } },
		{ RETRY_NONE, "none", true, { 0, 0, 0, 0, 0, 0 } },
		{ RETRY_PATIENT, "patient", false, { 50, 50, 50, 50, 0, 0 } },
		{ RETRY_PATIENT, "patient", true, { 50, 50, 50, 50, 50, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_string_equal(retry_policy(rows[i].n)->name, rows[i].name);
		for (unsigned o = RETRY_ABSENT; o <= RETRY_FINAL; o++)
			assert_int_equal(how_often(rows[i].n, rows[i].idempotent, (enum retry_outcome)o), rows[i].times[o]);
	}
}

static void
the_callers_limit_counts_attempts_of_every_kind(void **state)
{
	struct retry r = fresh(RETRY_PATIENT, true, 3);
	int64_t pause = -1;

	(void)state;
	assert_true(next(&r, RETRY_REFUSED, LONG, &pause));
	assert_true(next(&r, RETRY_UNHEARD, LONG, &pause));
	assert_true(retry_next(&r, RETRY_REFUSED, true, LONG, 0, &pause));
	pause = -1;
	for (unsigned o = RETRY_ABSENT; o <= RETRY_FINAL; o++)
		assert_false(next(&r, (enum retry_outcome)o, LONG, &pause));
	assert_int_equal(pause, -1);
}

static void
pauses_double_from_a_tenth_of_a_second_to_five(void **state)
{
	static const int64_t ms[] = { 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000 };

	(void)state;
	for (uint64_t chance = 0; chance < UINT64_C(1) << 40; chance = chance * 3 + 12345677) {
		struct retry r = fresh(RETRY_DEFAULT, false, 0);
		for (size_t i = 0; i < sizeof ms / sizeof ms[0]; i++) {
			int64_t pause = 0, most = ms[i] * NS_PER_MS;
			assert_true(retry_next(&r, RETRY_REFUSED, false, LONG, chance, &pause));
			assert_true(pause >= most * 9 / 10 && pause <= most * 11 / 10);
		}
	}
}

static void
chance_reaches_both_ends_of_the_jitter(void **state)
{
	struct retry low = fresh(RETRY_DEFAULT, false, 0), high = low;
	int64_t pause;

	(void)state;
	assert_true(retry_next(&low, RETRY_REFUSED, false, LONG, 0, &pause));
	assert_int_equal(pause, 90 * NS_PER_MS);
	assert_true(retry_next(&high, RETRY_REFUSED, false, LONG, 20 * NS_PER_MS, &pause));
	assert_int_equal(pause, 110 * NS_PER_MS);
}

static void
who_was_not_heard_is_tried_once_after_fifty_milliseconds(void **state)
{
	struct retry r = fresh(RETRY_DEFAULT, false, 0);
	int64_t pause;

	(void)state;
	assert_true(retry_next(&r, RETRY_UNHEARD, false, LONG, UINT64_MAX, &pause));
	assert_int_equal(pause, 50 * NS_PER_MS);
	assert_false(next(&r, RETRY_UNHEARD, LONG, &pause));
	assert_true(next(&r, RETRY_REFUSED, LONG, &pause));	/* each kind has its own count */
}

static void
where_others_may_do_better_there_is_no_pause_and_none_grows(void **state)
{
	struct retry r = fresh(RETRY_DEFAULT, false, 0);
	int64_t pause;

	(void)state;
	for (int i = 0; i < 5; i++) {
		assert_true(retry_next(&r, RETRY_REFUSED, true, LONG, 0, &pause));
		assert_int_equal(pause, 0);
	}
	assert_true(next(&r, RETRY_REFUSED, LONG, &pause));
	assert_int_equal(pause, 90 * NS_PER_MS);
}

static void
a_pause_leaves_half_of_the_time_and_the_end_is_near_the_deadline(void **state)
{
	struct retry r = fresh(RETRY_DEFAULT, false, 0);
	int64_t left = 5 * NS_PER_S, pause;
	int attempts = 0;

	(void)state;
	while (next(&r, RETRY_REFUSED, left, &pause)) {
		assert_true(pause <= left / 2);
		left -= pause;
		attempts++;
	}
	assert_true(left > 0 && left <= 100 * NS_PER_MS);
	assert_in_range(attempts, 8, 12);
	/* Not even elsewhere, when there is no time for an answer. */
	pause = -1;
	assert_false(retry_next(&r, RETRY_REFUSED, true, 100 * NS_PER_MS, 0, &pause));
	assert_false(retry_next(&r, RETRY_REFUSED, true, -1, 0, &pause));
	assert_int_equal(pause, -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_are_sorted_by_whether_it_was_executed),
		cmocka_unit_test(each_policy_has_its_own_patience),
		cmocka_unit_test(the_callers_limit_counts_attempts_of_every_kind),
		cmocka_unit_test(pauses_double_from_a_tenth_of_a_second_to_five),
		cmocka_unit_test(chance_reaches_both_ends_of_the_jitter),
		cmocka_unit_test(who_was_not_heard_is_tried_once_after_fifty_milliseconds),
		cmocka_unit_test(where_others_may_do_better_there_is_no_pause_and_none_grows),
		cmocka_unit_test(a_pause_leaves_half_of_the_time_and_the_end_is_near_the_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
