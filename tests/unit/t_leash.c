/* t_leash - how long a program lives under a lease, by the word alone. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "runner/leash.h"

#define D (240 * NS_PER_MS)
#define SHUT BOOT_LONG_AGO

static struct boot due;

static struct boot
ms(int64_t n)
{
	return (struct boot){ n * NS_PER_MS };
}

static enum leash_deed
look(struct leash *l, struct boot until, uint32_t hold, int64_t now_ms)
{
	return leash_look(l, until, hold, ms(now_ms), &due);
}

static void
warns_a_quarter_before_the_end_and_kills_at_it(void **state)
{
	struct leash l;

	(void)state;
	leash_init(&l, D, false);
	assert_int_equal(look(&l, ms(1000), 1, 780), LEASH_NOTHING);
	assert_int_equal(due.ns, ms(940).ns);
	assert_int_equal(look(&l, ms(1000), 1, 939), LEASH_NOTHING);
	assert_int_equal(look(&l, ms(1000), 1, 940), LEASH_WARN);
	assert_int_equal(due.ns, ms(1000).ns);
	assert_int_equal(look(&l, ms(1000), 1, 999), LEASH_NOTHING);
	assert_int_equal(look(&l, ms(1000), 1, 1000), LEASH_KILL);
	assert_int_equal(due.ns, BOOT_NEVER.ns);
	assert_int_equal(look(&l, ms(1000), 1, 1001), LEASH_NOTHING);
}

static void
a_renewal_moves_the_end_but_takes_no_warning_back(void **state)
{
	struct leash l;

	(void)state;
	leash_init(&l, D, false);
	look(&l, ms(1000), 1, 780);
	assert_int_equal(look(&l, ms(1060), 1, 940), LEASH_NOTHING);
	assert_int_equal(due.ns, ms(1000).ns);
	assert_int_equal(look(&l, ms(1060), 1, 1000), LEASH_WARN);
	assert_int_equal(look(&l, ms(1200), 1, 1010), LEASH_NOTHING);
	assert_string_equal(leash_state_name(l.state), "WARNED");
	assert_int_equal(due.ns, ms(1200).ns);
	assert_int_equal(look(&l, ms(1200), 1, 1200), LEASH_KILL);
}

static void
a_shut_word_leaves_what_was_granted(void **state)
{
	struct leash l;

	(void)state;
	leash_init(&l, D, false);
	look(&l, ms(1000), 1, 780);
	assert_int_equal(look(&l, SHUT, 0, 800), LEASH_NOTHING);
	assert_int_equal(due.ns, ms(940).ns);
	/* A jump of the clock shuts it within the hold, until it is renewed. */
	assert_int_equal(look(&l, ms(1100), 1, 900), LEASH_NOTHING);
	assert_int_equal(look(&l, SHUT, 0, 1040), LEASH_WARN);
	assert_int_equal(look(&l, SHUT, 0, 1100), LEASH_KILL);
}

static void
another_hold_is_another_life(void **state)
{
	struct leash l;

	(void)state;
	leash_init(&l, D, false);
	look(&l, ms(1000), 4095, 780);
	assert_int_equal(look(&l, ms(5000), 0, 800), LEASH_KILL);
	assert_int_equal(look(&l, ms(5000), 0, 810), LEASH_NOTHING);
	assert_string_equal(leash_state_name(l.state), "CUT");
}

/* What a guardian sees after it was frozen itself. */
static void
a_late_look_kills_without_warning(void **state)
{
	struct leash l;

	(void)state;
	leash_init(&l, D, false);
	look(&l, ms(1000), 1, 780);
	assert_int_equal(look(&l, ms(1000), 1, 1500), LEASH_KILL);
	leash_init(&l, D, false);
	assert_int_equal(look(&l, SHUT, 0, 10), LEASH_KILL);
}

static void
a_hot_standby_is_loose_until_it_leads_and_after_it_gave_back(void **state)
{
	struct leash l;

	(void)state;
	leash_init(&l, D, true);
	assert_int_equal(look(&l, SHUT, 0, 10), LEASH_NOTHING);
	assert_int_equal(due.ns, ms(70).ns);
	/* A quarter of D: no hold can open and end between two looks. */
	assert_int_equal(look(&l, ms(290), 7, 70), LEASH_NOTHING);
	assert_string_equal(leash_state_name(l.state), "HELD");
	leash_ease(&l);
	assert_string_equal(leash_state_name(l.state), "LOOSE");
	assert_int_equal(look(&l, SHUT, 0, 400), LEASH_NOTHING);
	assert_int_equal(look(&l, ms(700), 8, 480), LEASH_NOTHING);
	assert_int_equal(look(&l, ms(700), 8, 640), LEASH_WARN);
	/* Told that it is over: giving back comes too late. */
	leash_ease(&l);
	assert_int_equal(look(&l, SHUT, 0, 700), LEASH_KILL);
}

static void
a_cold_one_is_not_eased(void **state)
{
	struct leash l;

	(void)state;
	leash_init(&l, D, false);
	look(&l, ms(1000), 1, 780);
	leash_ease(&l);
	assert_int_equal(look(&l, SHUT, 0, 1000), LEASH_KILL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(warns_a_quarter_before_the_end_and_kills_at_it),
		cmocka_unit_test(a_renewal_moves_the_end_but_takes_no_warning_back),
		cmocka_unit_test(a_shut_word_leaves_what_was_granted),
		cmocka_unit_test(another_hold_is_another_life),
		cmocka_unit_test(a_late_look_kills_without_warning),
		cmocka_unit_test(a_hot_standby_is_loose_until_it_leads_and_after_it_gave_back),
		cmocka_unit_test(a_cold_one_is_not_eased),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
