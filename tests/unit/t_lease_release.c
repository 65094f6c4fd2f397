/* t_lease_release - giving a lease back, and whose it is: R7 and R8. */
#include "lease.h"

static void
r7_order(void **state)
{
	(void)state;
	lead(3);
	STEP(PEERS, .peers = (struct lease_peer[]){ { me, true }, { other, false }, { third, true } }, .n_peers = 3);
	STEP(RESIGN, .stop = false);
	assert_int_equal(lease.state, LEASE_DRAINING);
	assert_true(DID(ADMIT) && !did(LEASE_DO_ADMIT, 9)->on);
	assert_false(DID(GATE) || WROTE(0));
	after(P);
	assert_true(WROTE(0));			/* still renewed */
	uint64_t late = last_id(0);
	for (unsigned r = 1; r < 3; r++)
		ack(r, 12);
	assert_true(DID(GATE));
	STEP(IDLE);
	assert_int_equal(lease.state, LEASE_STANDBY);
	assert_int_equal(out.list[0].kind, LEASE_DO_GATE);
	assert_int_equal(out.list[0].until.ns, INT64_MIN);
	const struct lease_action *w = did(LEASE_DO_WRITE, 1);
	assert_int_equal(w->value.mark, LEASE_MARK_RELEASED);
	assert_int_equal(w->value.epoch, 6);
	assert_true(lease_nonce_is(w->value.to, third));
	/* The late renewal was stored first: its register is released again, after a look. */
	uint64_t release = last_id(0);
	now_ms += 1;
	STEP(NACK, .reg = 0, .id = release, .code = 10071);
	assert_true(DID(READ));
	struct lease_value v = value(LEASE_MARK_HELD, me, 6);
	v.counter = late;
	see(0, 12, v);
	assert_true(WROTE(0) && did(LEASE_DO_WRITE, 0)->value.mark == LEASE_MARK_RELEASED);
	assert_int_equal(lease.reg[0].grant.ns, INT64_MIN);
	STEP(TICK);
	assert_false(WROTE(0));			/* one at a time */
	/* Not eligible for 2L, then again. */
	ack(0, 13);
	ack(1, 13);
	ack(2, 13);
	assert_int_equal(lease.state, LEASE_STANDBY);
	assert_int_equal(lease_obstacle(&lease), LEASE_WHY_NOT_ELIGIBLE);
	after(2 * L);
	assert_int_equal(lease.state, LEASE_CAMPAIGN);
}

static void
r7_never_with_live_work(void **state)
{
	(void)state;
	lead(1);
	STEP(ELIGIBLE, .on = false, .reason = LEASE_BY_UNHEALTHY);
	assert_int_equal(lease.state, LEASE_DRAINING);
	assert_int_equal(did(LEASE_DO_ROLE, 9)->reason, LEASE_BY_UNHEALTHY);
	bool reaped = false;
	for (int i = 0; i < 10; i++) {
		after(P);
		reaped |= DID(REAP);
		assert_false(did(LEASE_DO_WRITE, 0) != NULL && did(LEASE_DO_WRITE, 0)->value.mark != LEASE_MARK_HELD);
		if (WROTE(0))
			ack(0, lease.reg[0].rev + 1);
	}
	assert_true(reaped);			/* the drain's deadline; IDLE does not come */
	after(D);
	assert_int_equal(lease.state, LEASE_FENCED);
	assert_true(DID(REAP));
	after(P);
	assert_false(WROTE(0));			/* FENCED: no write at all */
	STEP(IDLE);
	assert_int_equal(lease.state, LEASE_STANDBY);
	assert_true(WROTE(0));			/* not eligible: a stray value is released */
}

static void
r7_stop_is_for_good(void **state)
{
	(void)state;
	lead(1);
	STEP(RESIGN, .stop = true, .to = third);
	STEP(IDLE);
	assert_true(lease_nonce_is(did(LEASE_DO_WRITE, 0)->value.to, third));
	ack(0, 12);
	after(10 * L);
	assert_int_equal(lease.state, LEASE_STANDBY);
}

static void
r8_same_name_is_a_stranger(void **state)
{
	(void)state;
	/* A value of an earlier process of the same member: another nonce, so L is waited. */
	fresh(1);
	after(L);
	see(0, 10, value(LEASE_MARK_HELD, other, 5));
	assert_int_equal(lease.state, LEASE_STANDBY);
	/* One's own is taken at once. */
	fresh(1);
	after(L);
	see(0, 10, value(LEASE_MARK_HELD, me, 5));
	assert_int_equal(lease.state, LEASE_CAMPAIGN);
	ack(0, 11);
	assert_int_equal(did(LEASE_DO_ROLE, 9)->reason, LEASE_BY_SELF);
}

static void
resigned_until_another_leads(void **state)
{
	(void)state;
	lead(1);
	STEP(RESIGN);
	STEP(IDLE);
	ack(0, 12);
	watch(0, 13, value(LEASE_MARK_HELD, other, 7));
	assert_false(lease.resigned);
	struct lease_nonce who;
	uint64_t epoch;
	assert_true(lease_holder(&lease, &who, &epoch));
	assert_true(lease_nonce_is(who, other) && epoch == 7);
	assert_int_equal(lease_obstacle(&lease), LEASE_WHY_CLEAR);
}

static void
r7_of_a_new_server_after_the_wait(void **state)
{
	(void)state;
	lead(3);
	STEP(LINK_UP, .reg = 0, .server = 999);
	see(0, 11, value(LEASE_MARK_HELD, me, 6));
	STEP(RESIGN, .stop = true);
	STEP(IDLE);
	assert_true(!WROTE(0) && WROTE(1) && WROTE(2));
	after(L);
	assert_true(WROTE(0));			/* R1(b) holds for releases, too */
	assert_int_equal(did(LEASE_DO_WRITE, 0)->value.mark, LEASE_MARK_RELEASED);
}

static void
r7_again_when_it_may_be_lost(void **state)
{
	(void)state;
	lead(1);
	after(P);
	uint64_t renewal = last_id(0);
	STEP(RESIGN, .stop = true);
	now_ms += 1;
	STEP(IDLE);
	uint64_t release = last_id(0);
	assert_true(WROTE(0) && release > renewal);
	/* It expects another revision than the register is found to have. */
	STEP(NACK, .reg = 0, .id = renewal, .code = 10077);
	see(0, 10, value(LEASE_MARK_HELD, me, 6));
	assert_true(WROTE(0));
	assert_int_equal(did(LEASE_DO_WRITE, 0)->rev, 10);
	/* And it is unanswered for 2P. */
	after(2 * P);
	after(1);
	assert_true(WROTE(0));
}

/* A register that refuses at once, or a link that is broken and not told down yet, would otherwise be written to without end. */
static void
r7_not_faster_than_a_period(void **state)
{
	static const enum lease_event_kind no[] = { LEASE_EV_LOST, LEASE_EV_NACK };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(no); i++) {
		lead(3);
		STEP(RESIGN, .stop = true);
		STEP(IDLE);
		assert_true(WROTE(0) && WROTE(1) && WROTE(2));
		int64_t first = now_ms;
		unsigned writes = 1;
		while (now_ms < first + 3 * P) {
			step(&(struct lease_event){ .kind = no[i], .reg = 0, .id = last_id(0), .code = 10077 });
			writes += WROTE(0);
			see(0, lease.reg[0].rev, value(LEASE_MARK_HELD, me, 6));
			writes += WROTE(0);
			assert_true(out.due.ns > now_ms * MS && out.due.ns <= (now_ms + P) * MS);
			after(1);
			writes += WROTE(0);
		}
		assert_in_range(writes, 3, 4);
	}
}

/* gained: how a member comes to lead that finds these three. */
static enum lease_reason
gained(struct lease_value a, struct lease_value b, struct lease_value c, bool *kicks)
{
	const struct lease_value v[] = { a, b, c };

	fresh(3);
	for (unsigned r = 0; r < 3; r++)
		see(r, 10, v[r]);
	after(L);
	assert_int_equal(lease.state, LEASE_CAMPAIGN);
	ack(0, 11);
	ack(1, 11);
	assert_int_equal(lease.state, LEASE_ACTIVE);
	*kicks = DID(KICK);
	return did(LEASE_DO_ROLE, 9)->reason;
}

static void
one_release_ends_a_hold(void **state)
{
	struct lease_value held = value(LEASE_MARK_HELD, other, 5), released = value(LEASE_MARK_RELEASED, other, 5);
	struct lease_value rival = value(LEASE_MARK_HELD, third, 5), stray = value(LEASE_MARK_RELEASED, third, 5);
	struct lease_value old = value(LEASE_MARK_HELD, third, 4);
	bool kicks;

	(void)state;
	/* The release of a register comes late, or never. */
	assert_int_equal(gained(held, released, released, &kicks), LEASE_BY_RELEASED);
	assert_false(kicks);
	assert_int_equal(gained(held, held, released, &kicks), LEASE_BY_RELEASED);
	assert_false(kicks);
	assert_int_equal(gained(released, held, held, &kicks), LEASE_BY_RELEASED);
	assert_false(kicks);
	/* Rivals of one epoch: who had the quorum led. */
	assert_int_equal(gained(rival, released, released, &kicks), LEASE_BY_RELEASED);
	assert_false(kicks);
	assert_int_equal(gained(stray, held, held, &kicks), LEASE_BY_EXPIRED);
	assert_true(kicks);
	assert_int_equal(gained(released, rival, old, &kicks), LEASE_BY_RELEASED);
	assert_int_equal(gained(rival, released, old, &kicks), LEASE_BY_RELEASED);
	assert_int_equal(gained(released, held, value(LEASE_MARK_HELD, third, 6), &kicks), LEASE_BY_EXPIRED);
	assert_true(kicks);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(r7_order), cmocka_unit_test(r7_never_with_live_work),
		cmocka_unit_test(r7_stop_is_for_good), cmocka_unit_test(r8_same_name_is_a_stranger),
		cmocka_unit_test(resigned_until_another_leads),
		cmocka_unit_test(r7_of_a_new_server_after_the_wait),
		cmocka_unit_test(r7_again_when_it_may_be_lost),
		cmocka_unit_test(r7_not_faster_than_a_period),
		cmocka_unit_test(one_release_ends_a_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
