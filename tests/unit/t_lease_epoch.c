/* t_lease_epoch - epochs and what they are worth when registers were emptied: R5 and R6. */
#include "lease.h"

static void
r5_epochs(void **state)
{
	(void)state;
	fresh(1);
	wall_ms = 1795150629861;
	see(0, 10, value(LEASE_MARK_RELEASED, other, 5));
	after(L);
	assert_int_equal(lease.target, 1795150629861);

	released_to_us(1, 5);
	assert_int_equal(lease.target, 6);
	after(D - G);				/* t0 + D - g: over, and its epoch with it */
	assert_int_equal(lease.state, LEASE_STANDBY);
	assert_int_equal(lease.failures, 1);
	after(L);
	assert_int_equal(lease.state, LEASE_CAMPAIGN);
	assert_int_equal(lease.target, 7);
}

static void
r5_raise(void **state)
{
	(void)state;
	lead(3);
	for (unsigned r = 0; r < 2; r++) {
		after(r == 0 ? P : 1);
		ack(r, 12);
	}
	watch(2, 12, value(LEASE_MARK_HELD, third, 9));
	int64_t seen = now_ms;
	while (now_ms < seen + L - 40) {	/* blocked by the wait, too: no raise */
		after(20);
		bool wrote = WROTE(0) && WROTE(1);
		for (unsigned r = 0; r < 2 && wrote; r++)
			ack(r, lease.reg[r].rev + 1);
		assert_int_equal(lease.target, 6);
	}
	while (now_ms < seen + L + 2 * P) {
		after(20);
		for (unsigned r = 0; r < 2; r++)
			if (lease.reg[r].flight[0].id != 0 || lease.reg[r].flight[1].id != 0)
				ack(r, lease.reg[r].rev + 1);
	}
	assert_int_equal(lease.state, LEASE_ACTIVE);
	assert_int_equal(lease.target, 10);
	assert_int_equal(lease.opening, 6);
	assert_true(lease_owns(&lease, 6) && lease_owns(&lease, 10));
	assert_false(lease_owns(&lease, 5) || lease_owns(&lease, 11));
	assert_true(lease.reg[2].flight[0].id != 0 && lease.reg[2].flight[0].epoch == 10);
}

static void
r6_new_group(void **state)
{
	(void)state;
	fresh(3);
	for (unsigned r = 0; r < 3; r++)
		blank(r);
	group(LEASE_GROUP_LIVE, 0);
	assert_int_equal(lease_obstacle(&lease), LEASE_WHY_EMPTY);
	after(2 * L);
	assert_int_equal(lease.state, LEASE_STANDBY);
	/* An answer asked for before the newest blank view does not count. */
	STEP(LINK_DOWN, .reg = 0);
	up(0);
	blank(0);
	STEP(GROUP, .group = LEASE_GROUP_NEW, .sent = { 1 });
	assert_int_equal(lease.group, LEASE_GROUP_UNKNOWN);
	after(L);
	assert_true(DID(GROUP));		/* asked again while it is unknown */
	group(LEASE_GROUP_NEW, 40);
	assert_int_equal(lease.state, LEASE_CAMPAIGN);
	assert_int_equal(lease.target, 41);
	for (unsigned r = 0; r < 2; r++)
		ack(r, 1);
	assert_int_equal(did(LEASE_DO_ROLE, 9)->reason, LEASE_BY_FIRST);
	assert_int_equal(did(LEASE_DO_META, 9)->epoch, 41);
}

static void
r6_repair(void **state)
{
	(void)state;
	lead(3);
	group(LEASE_GROUP_LIVE, 0);
	after(1);
	STEP(VIEW, .reg = 2, .rev = 0, .sent = { now_ms * MS });
	group(LEASE_GROUP_LIVE, 0);
	int64_t seen = now_ms;
	uint64_t rev = 11;
	bool repaired = false;
	while (now_ms < seen + L + 2 * P && !repaired) {
		after(20);
		repaired = WROTE(2);
		assert_true(!repaired || now_ms > seen + L);
		bool both = WROTE(0) && WROTE(1);
		if (both) {
			rev++;
			ack(0, rev);
			ack(1, rev);
		}
	}
	assert_true(repaired);
	assert_int_equal(lease.reg[2].flight[0].expect, 0);
}

static void
r6_asks_again(void **state)
{
	(void)state;
	fresh(3);
	see(0, 10, value(LEASE_MARK_RELEASED, other, 5));
	STEP(LINK_DOWN, .reg = 1);
	blank(2);
	group(LEASE_GROUP_LIVE, 0);
	after(L);
	assert_true(did(LEASE_DO_READ, 0) != NULL);	/* read again after the wait */
	assert_int_equal(lease.state, LEASE_STANDBY);	/* and nothing without the third one */
	assert_int_equal(lease_obstacle(&lease), LEASE_WHY_EMPTY);
	up(1);
	now_ms += 1;
	see(0, 10, value(LEASE_MARK_RELEASED, other, 5));
	see(1, 10, value(LEASE_MARK_RELEASED, other, 5));
	assert_int_equal(lease.state, LEASE_CAMPAIGN);
	assert_true(WROTE(0) && WROTE(1) && WROTE(2));
}

static void
r5_one_register_may_be_blank(void **state)
{
	(void)state;
	fresh(1);
	blank(0);
	group(LEASE_GROUP_LIVE, 0);
	after(L);
	assert_int_equal(lease.state, LEASE_CAMPAIGN);
	assert_int_equal(did(LEASE_DO_WRITE, 0)->rev, 0);
	ack(0, 1);
	assert_int_equal(did(LEASE_DO_ROLE, 9)->reason, LEASE_BY_FIRST);
}

static void
r5_raise_over_an_equal_one(void **state)
{
	(void)state;
	lead(3);
	watch(2, 12, value(LEASE_MARK_HELD, third, 6));
	for (int64_t seen = now_ms; now_ms < seen + L + P; ) {
		after(20);
		for (unsigned r = 0; r < 2; r++)
			if (last_id(r) != 0)
				ack(r, lease.reg[r].rev + 1);
	}
	assert_int_equal(lease.state, LEASE_ACTIVE);
	assert_int_equal(lease.target, 7);
}

static void
r5_highest_of_those_known(void **state)
{
	(void)state;
	fresh(3);
	see(0, 10, value(LEASE_MARK_RELEASED, other, 5));
	see(1, 10, value(LEASE_MARK_HELD, third, 7));
	STEP(LINK_DOWN, .reg = 2);
	after(L);
	assert_int_equal(lease.state, LEASE_CAMPAIGN);
	assert_int_equal(lease.target, 8);
	assert_true(WROTE(0) && WROTE(1) && !WROTE(2));
	ack(0, 11);
	ack(1, 11);
	assert_int_equal(did(LEASE_DO_ROLE, 9)->reason, LEASE_BY_EXPIRED);
	assert_true(lease_nonce_is(did(LEASE_DO_KICK, 9)->nonce, third));
}

/* repairs_in_time: leads with register 2 blank since now; `ours` is the set of the others whose
 * renewals are acknowledged.  Whether register 2 is written before long. */
static bool
repairs_in_time(unsigned ours)
{
	bool wrote = false;

	for (int64_t seen = now_ms; now_ms < seen + L + 3 * P && lease.state == LEASE_ACTIVE; ) {
		after(20);
		wrote |= WROTE(2);
		for (unsigned r = 0; r < 2; r++)
			if ((ours & 1u << r) != 0 && last_id(r) != 0)
				ack(r, lease.reg[r].rev + 1);
	}
	return wrote;
}

static void
r6_both_others_must_speak(void **state)
{
	(void)state;
	lead(3);
	group(LEASE_GROUP_LIVE, 0);
	after(1);
	blank(2);
	group(LEASE_GROUP_LIVE, 0);
	assert_true(repairs_in_time(3));
	/* One of them unknown, */
	lead(3);
	group(LEASE_GROUP_LIVE, 0);
	after(1);
	blank(2);
	STEP(LINK_DOWN, .reg = 0);
	group(LEASE_GROUP_LIVE, 0);
	assert_false(repairs_in_time(2));
	/* blank as well, */
	lead(3);
	after(1);
	blank(2);
	blank(0);
	group(LEASE_GROUP_LIVE, 0);
	assert_false(repairs_in_time(2));
	/* or with an epoch above ours, until that was raised over. */
	lead(3);
	after(1);
	blank(2);
	watch(0, 20, value(LEASE_MARK_HELD, third, 9));
	group(LEASE_GROUP_LIVE, 0);
	after(P);
	assert_false(WROTE(2));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(r5_epochs), cmocka_unit_test(r5_raise), cmocka_unit_test(r6_new_group),
		cmocka_unit_test(r6_repair), cmocka_unit_test(r6_asks_again),
		cmocka_unit_test(r5_one_register_may_be_blank),
		cmocka_unit_test(r5_raise_over_an_equal_one),
		cmocka_unit_test(r5_highest_of_those_known),
		cmocka_unit_test(r6_both_others_must_speak),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
