/* t_health - thresholds both ways. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "runner/health.h"

/* feed: results as '+' and '-', changes as '.', 'B' and 'G' beneath them. */
static void
feed(unsigned bad_after, unsigned good_after, const char *results, const char *changes)
{
	static const char letters[] = { [HEALTH_SAME] = '.', [HEALTH_TURNED_BAD] = 'B', [HEALTH_TURNED_GOOD] = 'G' };
	struct health h;

	health_init(&h, bad_after, good_after);
	for (size_t i = 0; results[i] != '\0'; i++) {
		char got = letters[health_note(&h, results[i] == '+')];
		if (got != changes[i])
			fail_msg("%u/%u, '%s' at %zu: '%c', not '%c'", bad_after, good_after, results, i, got, changes[i]);
	}
}

static void
three_failures_in_a_row_condemn_two_successes_acquit(void **state)
{
	(void)state;
	feed(3, 2, "+++", "...");
	feed(3, 2, "---", "..B");
	feed(3, 2, "--+--+---", "........B");
	feed(3, 2, "---+-++", "..B...G");
	feed(3, 2, "-----++--", "..B...G..");
	feed(3, 2, "---++---", "..B.G..B");
}

static void
a_threshold_of_nothing_is_one(void **state)
{
	(void)state;
	feed(0, 0, "+-+-", ".BGB");
	feed(1, 1, "--++", "B.G.");
}

/* For every history of 12 results and every pair of thresholds: a change comes exactly
 * when the last n results, counted from the change before, all speak against the verdict. */
static void
no_history_flaps(void **state)
{
	(void)state;
	for (unsigned bad = 1; bad <= 4; bad++) {
		for (unsigned good = 1; good <= 4; good++) {
			for (unsigned bits = 0; bits < 1u << 12; bits++) {
				struct health h;
				unsigned row = 0;
				bool is_bad = false;
				health_init(&h, bad, good);
				for (unsigned i = 0; i < 12; i++) {
					bool ok = bits >> i & 1;
					row = ok == is_bad ? row + 1 : 0;
					bool turns = row == (is_bad ? good : bad);
					enum health_change c = health_note(&h, ok);
					if (turns) {
						is_bad = !is_bad;
						row = 0;
					}
					assert_int_equal(c, !turns ? HEALTH_SAME : is_bad ? HEALTH_TURNED_BAD : HEALTH_TURNED_GOOD);
					assert_int_equal(h.is_bad, is_bad);
				}
			}
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_failures_in_a_row_condemn_two_successes_acquit),
		cmocka_unit_test(a_threshold_of_nothing_is_one),
		cmocka_unit_test(no_history_flaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
