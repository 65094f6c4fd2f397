/* t_relay - what becomes of an exclusive call that cannot run here, state by state. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "messaging/relay.h"

#define AT(ms) ((struct mono){ NS_PER_S + (ms) * NS_PER_MS })

static struct relay
fresh(bool direct, bool idempotent)
{
	return (struct relay){ .direct = direct, .idempotent = idempotent, .until = AT(1000) };
}

static const struct relay_facts nobody = { .room = true };
static const struct relay_facts seven = { .epoch = 7, .room = true };
static const struct relay_facts nine = { .epoch = 9, .room = true };

static void
a_standby_sends_on_what_came_on_the_queue_and_refuses_the_rest(void **state)
{
	struct relay r = fresh(false, false), d = fresh(true, false);

	(void)state;
	assert_int_equal(relay_step(&r, RELAY_EV_LOOK, &seven, AT(0)), RELAY_SEND);
	assert_int_equal(r.state, RELAY_SENT);
	assert_int_equal(r.asked, 7);
	assert_int_equal(relay_step(&r, RELAY_EV_LOOK, &seven, AT(10)), RELAY_WAIT);
	assert_int_equal(relay_step(&r, RELAY_EV_ANSWERED, &seven, AT(20)), RELAY_PASS);
	assert_int_equal(relay_step(&r, RELAY_EV_LOOK, &nine, AT(30)), RELAY_WAIT);	/* over is over */
	assert_int_equal(relay_step(&d, RELAY_EV_LOOK, &seven, AT(0)), RELAY_REFUSE);
}

static void
without_a_holder_it_is_parked_until_one_is_known_or_its_budget_ends(void **state)
{
	struct relay r = fresh(false, false), late = fresh(false, false), full = fresh(false, false);
	struct relay_facts no_room = { .room = false };

	(void)state;
	assert_int_equal(relay_step(&r, RELAY_EV_LOOK, &nobody, AT(0)), RELAY_WAIT);
	assert_int_equal(r.state, RELAY_PARKED);
	assert_int_equal(relay_step(&r, RELAY_EV_LOOK, &no_room, AT(5)), RELAY_WAIT);	/* it has its place */
	assert_int_equal(relay_step(&r, RELAY_EV_LOOK, &seven, AT(10)), RELAY_SEND);
	assert_int_equal(relay_step(&late, RELAY_EV_LOOK, &nobody, AT(0)), RELAY_WAIT);
	assert_int_equal(relay_step(&late, RELAY_EV_LOOK, &nobody, AT(999)), RELAY_WAIT);
	assert_int_equal(relay_step(&late, RELAY_EV_LOOK, &seven, AT(1000)), RELAY_REFUSE);
	assert_int_equal(relay_step(&full, RELAY_EV_LOOK, &no_room, AT(0)), RELAY_REFUSE);
}

static void
a_refusal_parks_it_again_and_the_same_holder_is_left_alone_for_a_while(void **state)
{
	struct relay r = fresh(false, false), other = fresh(false, false);

	(void)state;
	relay_step(&r, RELAY_EV_LOOK, &seven, AT(0));
	assert_int_equal(relay_step(&r, RELAY_EV_REFUSED, &seven, AT(1)), RELAY_WAIT);
	assert_int_equal(r.state, RELAY_PARKED);
	assert_int_equal(relay_step(&r, RELAY_EV_LOOK, &seven, AT(50)), RELAY_WAIT);
	assert_int_equal(relay_step(&r, RELAY_EV_LOOK, &seven, AT(51)), RELAY_SEND);
	/* A newer one is asked at once. */
	relay_step(&other, RELAY_EV_LOOK, &seven, AT(0));
	assert_int_equal(relay_step(&other, RELAY_EV_REFUSED, &nine, AT(1)), RELAY_SEND);
	assert_int_equal(other.asked, 9);
	assert_int_equal(relay_step(&other, RELAY_EV_UNSENT, &nine, AT(2)), RELAY_WAIT);
}

static void
a_holder_lost_on_the_way_leaves_the_outcome_unknown_unless_twice_is_harmless(void **state)
{
	struct relay once = fresh(false, false), twice = fresh(false, true), answer = fresh(false, false);

	(void)state;
	once.until = AT(5000);
	relay_step(&once, RELAY_EV_LOOK, &seven, AT(0));
	assert_int_equal(relay_step(&once, RELAY_EV_LOOK, &nine, AT(10)), RELAY_WAIT);	/* the news may be behind, or a refusal */
	assert_int_equal(relay_step(&once, RELAY_EV_LOOK, &nine, AT(1009)), RELAY_WAIT);
	struct relay refused = once;
	assert_int_equal(relay_step(&refused, RELAY_EV_REFUSED, &nine, AT(1009)), RELAY_SEND);
	assert_int_equal(relay_step(&once, RELAY_EV_LOOK, &nine, AT(1010)), RELAY_UNKNOWN);
	relay_step(&twice, RELAY_EV_LOOK, &seven, AT(0));
	relay_step(&twice, RELAY_EV_LOOK, &nine, AT(10));
	assert_int_equal(relay_step(&twice, RELAY_EV_LOOK, &nine, AT(110)), RELAY_SEND);
	assert_int_equal(twice.asked, 9);
	/* Its late answer does not count as one, unless news come in time that it had let go. */
	relay_step(&answer, RELAY_EV_LOOK, &seven, AT(0));
	assert_int_equal(relay_step(&answer, RELAY_EV_ANSWERED, &nine, AT(10)), RELAY_KEEP);
	assert_int_equal(relay_step(&answer, RELAY_EV_LOOK, &nine, AT(109)), RELAY_WAIT);
	assert_int_equal(relay_step(&answer, RELAY_EV_LOOK, &nine, AT(110)), RELAY_UNKNOWN);
	answer = fresh(false, true);
	relay_step(&answer, RELAY_EV_LOOK, &seven, AT(0));
	relay_step(&answer, RELAY_EV_LOOK, &nine, AT(10));
	assert_int_equal(relay_step(&answer, RELAY_EV_ANSWERED, &nine, AT(120)), RELAY_SEND);	/* the grace is over */
}

static void
what_a_hold_answered_that_was_released_counts(void **state)
{
	struct relay_facts released = { .epoch = 9, .released = 7, .room = true };
	struct relay r = fresh(false, false);

	(void)state;
	relay_step(&r, RELAY_EV_LOOK, &seven, AT(0));
	assert_int_equal(relay_step(&r, RELAY_EV_LOOK, &released, AT(500)), RELAY_WAIT);
	assert_int_equal(relay_step(&r, RELAY_EV_ANSWERED, &released, AT(501)), RELAY_PASS);
	r = fresh(false, false);
	relay_step(&r, RELAY_EV_LOOK, &seven, AT(0));
	assert_int_equal(relay_step(&r, RELAY_EV_LOOK, &released, AT(1000)), RELAY_UNKNOWN);
	/* The news of it may come after the answer, and the answer after the next holder. */
	r = fresh(false, false);
	relay_step(&r, RELAY_EV_LOOK, &seven, AT(0));
	assert_int_equal(relay_step(&r, RELAY_EV_ANSWERED, &nine, AT(1)), RELAY_KEEP);
	assert_int_equal(r.state, RELAY_KEPT);
	assert_int_equal(relay_step(&r, RELAY_EV_REFUSED, &nine, AT(2)), RELAY_WAIT);
	assert_int_equal(relay_step(&r, RELAY_EV_LOOK, &released, AT(3)), RELAY_PASS);
}

/* What registers tell is ahead of the answers and of the news how a hold ended: who let go probably released. */
static void
who_let_go_is_given_longer(void **state)
{
	struct relay_facts behind = { .epoch = 9, .let_go = 7, .room = true }, released = { .epoch = 9, .let_go = 7, .released = 7, .room = true };
	struct relay r = fresh(false, false);

	(void)state;
	r.until = AT(5000);
	relay_step(&r, RELAY_EV_LOOK, &seven, AT(0));
	assert_int_equal(relay_step(&r, RELAY_EV_LOOK, &behind, AT(10)), RELAY_WAIT);
	assert_int_equal(relay_step(&r, RELAY_EV_LOOK, &behind, AT(2009)), RELAY_WAIT);
	struct relay answered = r, refused = r;
	assert_int_equal(relay_step(&r, RELAY_EV_LOOK, &behind, AT(2010)), RELAY_UNKNOWN);
	assert_int_equal(relay_step(&answered, RELAY_EV_ANSWERED, &behind, AT(2009)), RELAY_KEEP);
	assert_int_equal(relay_step(&answered, RELAY_EV_LOOK, &released, AT(2009)), RELAY_PASS);
	assert_int_equal(relay_step(&refused, RELAY_EV_REFUSED, &behind, AT(2009)), RELAY_SEND);
	/* Of an earlier hold that says nothing. */
	behind.let_go = 6;
	r = fresh(false, false);
	r.until = AT(5000);
	relay_step(&r, RELAY_EV_LOOK, &seven, AT(0));
	relay_step(&r, RELAY_EV_LOOK, &behind, AT(10));
	assert_int_equal(relay_step(&r, RELAY_EV_LOOK, &behind, AT(1010)), RELAY_UNKNOWN);
}

static void
in_suspect_everybody_waits(void **state)
{
	struct relay_facts suspect = { .stance = RELAY_SUSPECT, .own = 8, .room = true };
	struct relay_facts holds = { .stance = RELAY_HOLDS, .own = 8, .room = true };
	struct relay r = fresh(true, false);

	(void)state;
	assert_int_equal(relay_step(&r, RELAY_EV_LOOK, &suspect, AT(0)), RELAY_WAIT);
	assert_int_equal(relay_step(&r, RELAY_EV_LOOK, &holds, AT(10)), RELAY_EXECUTE);
	/* The gate disagrees: the lease has just run out. */
	assert_int_equal(relay_shut(&r, &holds, AT(10)), RELAY_REFUSE);
	r = fresh(false, false);
	assert_int_equal(relay_step(&r, RELAY_EV_LOOK, &holds, AT(0)), RELAY_EXECUTE);
	assert_int_equal(relay_shut(&r, &holds, AT(0)), RELAY_WAIT);
	assert_int_equal(r.state, RELAY_PARKED);
}

static void
when_the_lead_comes_here_what_was_sent_away_is_not_executed_twice(void **state)
{
	struct relay_facts ours = { .stance = RELAY_HOLDS, .own = 9, .room = true };
	struct relay r = fresh(false, false), i = fresh(false, true);

	(void)state;
	relay_step(&r, RELAY_EV_LOOK, &seven, AT(0));
	r.until = AT(5000);
	relay_step(&r, RELAY_EV_LOOK, &ours, AT(10));
	assert_int_equal(relay_step(&r, RELAY_EV_LOOK, &ours, AT(1200)), RELAY_UNKNOWN);
	relay_step(&i, RELAY_EV_LOOK, &seven, AT(0));
	relay_step(&i, RELAY_EV_LOOK, &ours, AT(10));
	assert_int_equal(relay_step(&i, RELAY_EV_LOOK, &ours, AT(200)), RELAY_EXECUTE);
	assert_string_equal(relay_state_name(i.state), "OVER");
	assert_string_equal(relay_event_name(RELAY_EV_UNSENT), "UNSENT");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_standby_sends_on_what_came_on_the_queue_and_refuses_the_rest),
		cmocka_unit_test(without_a_holder_it_is_parked_until_one_is_known_or_its_budget_ends),
		cmocka_unit_test(a_refusal_parks_it_again_and_the_same_holder_is_left_alone_for_a_while),
		cmocka_unit_test(a_holder_lost_on_the_way_leaves_the_outcome_unknown_unless_twice_is_harmless),
		cmocka_unit_test(what_a_hold_answered_that_was_released_counts),
		cmocka_unit_test(who_let_go_is_given_longer),
		cmocka_unit_test(in_suspect_everybody_waits),
		cmocka_unit_test(when_the_lead_comes_here_what_was_sent_away_is_not_executed_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
