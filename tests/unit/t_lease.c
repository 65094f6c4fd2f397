/* t_lease - the tables of the lease core by hand: each row, what is ignored, the ranks, the words.
 * The rules have files of their own; what only schedules can show is in tests/sim. */
#include "lease.h"

#include "base/magic.h"

static void
holder_needs_a_quorum(void **state)
{
	struct lease_nonce who;
	uint64_t epoch;

	(void)state;
	fresh(3);
	see(0, 10, value(LEASE_MARK_HELD, other, 5));
	see(1, 10, value(LEASE_MARK_HELD, third, 6));
	assert_false(lease_holder(&lease, &who, &epoch));
	see(2, 10, value(LEASE_MARK_HELD, other, 7));
	assert_true(lease_holder(&lease, &who, &epoch));
	assert_true(lease_nonce_is(who, other) && epoch == 7);
}

static void
campaign_ends(void **state)
{
	(void)state;
	released_to_us(3, 5);
	ack(0, 11);
	STEP(NACK, .reg = 1, .id = last_id(1), .code = 10071);
	assert_int_equal(lease.state, LEASE_CAMPAIGN);
	STEP(LINK_DOWN, .reg = 2);
	assert_int_equal(lease.state, LEASE_STANDBY);	/* fewer than Q can succeed */
	assert_true(WROTE(0));				/* and what was won is given back */
	assert_int_equal(did(LEASE_DO_WRITE, 0)->value.mark, LEASE_MARK_RELEASED);
	assert_true(lease.backoff.ns > now_ms * MS);
	released_to_us(1, 5);
	STEP(RESIGN);
	assert_int_equal(lease.state, LEASE_STANDBY);
	released_to_us(1, 5);
	STEP(JUMP);
	assert_int_equal(lease.state, LEASE_STANDBY);
	assert_int_equal(lease.reg[0].inc_since.ns, now_ms * MS);
}

static void
back_off_is_bounded(void **state)
{
	(void)state;
	released_to_us(1, 5);
	for (int i = 0; i < 70; i++) {
		after(D - G);
		assert_int_equal(lease.state, LEASE_STANDBY);
		assert_true(lease.backoff.ns <= (now_ms + L / 2) * MS);
		after(L);
		assert_int_equal(lease.state, LEASE_CAMPAIGN);
	}
	assert_int_equal(lease.failures, 70);
}

static void
gained_by_expiry(void **state)
{
	(void)state;
	fresh(3);
	for (unsigned r = 0; r < 3; r++)
		see(r, 10, value(LEASE_MARK_HELD, other, 5));
	after(L);
	ack(0, 11);
	ack(1, 11);
	assert_int_equal(did(LEASE_DO_ROLE, 9)->reason, LEASE_BY_EXPIRED);
	assert_true(lease_nonce_is(did(LEASE_DO_KICK, 9)->nonce, other));
	assert_true(did(LEASE_DO_ADMIT, 9)->on);
}

static void
suspect_and_back(void **state)
{
	(void)state;
	lead(3);
	after(P);
	after(P);
	assert_int_equal(lease.state, LEASE_SUSPECT);
	assert_true(alarmed(LEASE_ALARM_SLOW) && !did(LEASE_DO_ADMIT, 9)->on);
	assert_true(WROTE(0));
	after(P / 2);
	assert_true(WROTE(0));			/* every P/2 now */
	for (unsigned r = 0; r < 2; r++)
		ack(r, 12);
	assert_int_equal(lease.state, LEASE_ACTIVE);
	assert_true(did(LEASE_DO_ADMIT, 9)->on && DID(GATE));
	lead(3);
	after(P);
	after(P);
	STEP(RESIGN);
	assert_int_equal(lease.state, LEASE_DRAINING);
	lead(3);
	after(D - G);
	assert_int_equal(lease.state, LEASE_FENCED);
	assert_int_equal(did(LEASE_DO_ROLE, 9)->reason, LEASE_BY_EXPIRED);
}

static void
deposed_and_overtaken(void **state)
{
	(void)state;
	lead(3);
	STEP(DEPOSED, .epoch = 50);
	assert_int_equal(lease.state, LEASE_FENCED);
	assert_int_equal(did(LEASE_DO_ROLE, 9)->reason, LEASE_BY_DEPOSED);
	assert_int_equal(lease.highest, 50);
	lead(3);
	for (unsigned r = 0; r < 2; r++)
		watch(r, 20, value(LEASE_MARK_HELD, other, 9));
	assert_int_equal(lease.state, LEASE_FENCED);
	assert_true(alarmed(LEASE_ALARM_OVERTAKEN));
	lead(3);
	after(P);
	after(P);
	STEP(DEPOSED, .epoch = 50);
	assert_int_equal(lease.state, LEASE_FENCED);
	lead(1);
	STEP(RESIGN);
	STEP(DEPOSED, .epoch = 50);
	assert_int_equal(lease.state, LEASE_FENCED);
}

static void
jump(void **state)
{
	(void)state;
	lead(3);
	int64_t inc = lease.reg[0].inc_since.ns;
	STEP(JUMP);
	assert_int_equal(lease.state, LEASE_SUSPECT);
	assert_int_equal(out.list[0].kind, LEASE_DO_GATE);
	assert_true(WROTE(0));			/* at once */
	assert_int_equal(lease.reg[0].inc_since.ns, inc);
	STEP(JUMP);				/* and once more */
	assert_int_equal(lease.state, LEASE_SUSPECT);
	after(5);
	for (unsigned r = 0; r < 2; r++)
		ack(r, 12);
	assert_int_equal(lease.state, LEASE_ACTIVE);
	assert_int_equal(lease.opening, 6);

	lead(3);
	STEP(JUMP);
	now_ms += D - 1;
	STEP(TICK);
	assert_int_equal(lease.state, LEASE_SUSPECT);
	after(1);
	assert_int_equal(lease.state, LEASE_FENCED);
	assert_int_equal(did(LEASE_DO_ROLE, 9)->reason, LEASE_BY_CLOCK);
	lead(1);
	STEP(RESIGN);
	STEP(JUMP);
	assert_int_equal(lease.state, LEASE_FENCED);
	/* No raise while the gate is shut: the higher epoch may be that of a real hold. */
	lead(3);
	STEP(LINK_DOWN, .reg = 2);
	STEP(JUMP);
	watch(0, 20, value(LEASE_MARK_RELEASED, other, 9));
	assert_int_equal(lease.target, 6);
}

static void
retired(void **state)
{
	(void)state;
	lead(3);
	for (unsigned r = 0; r < 2; r++)
		watch(r, 20, value(LEASE_MARK_RETIRED, other, 9));
	assert_int_equal(lease.state, LEASE_RETIRED);
	assert_true(DID(REAP));
	assert_int_equal(lease_obstacle(&lease), LEASE_WHY_GONE);
	for (unsigned r = 0; r < 2; r++)
		watch(r, 21, value(LEASE_MARK_HELD, other, 9));
	assert_int_equal(lease.state, LEASE_RETIRED);	/* work may be alive */
	STEP(IDLE);
	assert_int_equal(lease.state, LEASE_STANDBY);
	fresh(1);
	see(0, 20, value(LEASE_MARK_RETIRED, other, 9));
	assert_int_equal(lease.state, LEASE_RETIRED);
	assert_false(DID(REAP));
}

static void
ignored(void **state)
{
	(void)state;
	fresh(1);
	STEP(IDLE);
	STEP(DEPOSED, .epoch = 3);
	assert_int_equal(lease.ignored, 2);
	assert_int_equal(lease.state, LEASE_STANDBY);
}

static void
ranks(void **state)
{
	struct lease_peer peers[LEASE_PEERS_MAX + 2];
	struct lease_opts o = opts(1);

	(void)state;
	/* Hot ones come before cold ones, whatever the hash says. */
	for (int hot = 0; hot < 2; hot++) {
		o.hot = hot;
		fresh_with(o);
		STEP(PEERS, .peers = (struct lease_peer[]){ { other, !hot }, { third, !hot }, { me, hot } }, .n_peers = 3);
		see(0, 10, value(LEASE_MARK_RELEASED, (struct lease_nonce){ 9, 9 }, 5));
		after(L);
		assert_int_equal(lease.state, hot ? LEASE_CAMPAIGN : LEASE_STANDBY);
		if (!hot) {
			assert_int_equal(out.due.ns, (now_ms + 12) * MS);
			after(12);
			assert_int_equal(lease.state, LEASE_CAMPAIGN);
		}
	}
	/* `to`: at once for who is named, two steps later for others while that one lives. */
	struct lease_value v = value(LEASE_MARK_RELEASED, (struct lease_nonce){ 9, 9 }, 5);
	v.to = other;
	o.hot = true;
	fresh_with(o);
	STEP(PEERS, .peers = (struct lease_peer[]){ { other, false } }, .n_peers = 1);
	see(0, 10, v);
	after(L);
	assert_int_equal(lease.state, LEASE_STANDBY);
	after(12);
	assert_int_equal(lease.state, LEASE_CAMPAIGN);
	fresh_with(o);
	see(0, 10, v);
	after(L);
	assert_int_equal(lease.state, LEASE_CAMPAIGN);	/* not known to live */
	v.to = me;
	o.hot = false;
	fresh_with(o);
	STEP(PEERS, .peers = (struct lease_peer[]){ { other, true } }, .n_peers = 1);
	see(0, 10, v);
	after(L);
	assert_int_equal(lease.state, LEASE_CAMPAIGN);
	/* A dead holder is no rival. */
	fresh_with(o);
	STEP(PEERS, .peers = (struct lease_peer[]){ { other, true } }, .n_peers = 1);
	see(0, 10, value(LEASE_MARK_HELD, other, 5));
	after(L);
	assert_int_equal(lease.state, LEASE_CAMPAIGN);
	for (unsigned i = 0; i < COUNT_OF(peers); i++)
		peers[i] = (struct lease_peer){ { i + 10, i }, true };
	STEP(PEERS, .peers = peers, .n_peers = COUNT_OF(peers));
	assert_int_equal(lease.n_peers, LEASE_PEERS_MAX);
	ack(0, 11);
	STEP(RESIGN);
	STEP(IDLE);
	assert_false(lease_nonce_nobody(did(LEASE_DO_WRITE, 0)->value.to));
}

static void
obstacles(void **state)
{
	struct lease_opts o = opts(3);

	(void)state;
	lease_init(&lease, &o);
	assert_int_equal(lease_obstacle(&lease), LEASE_WHY_UNPINNED);
	fresh(3);
	assert_int_equal(lease_obstacle(&lease), LEASE_WHY_NO_QUORUM);
	for (unsigned r = 0; r < 3; r++)
		see(r, 10, value(LEASE_MARK_RELEASED, other, 5));
	assert_int_equal(lease_obstacle(&lease), LEASE_WHY_CLEAR);
	STEP(ELIGIBLE, .on = false);
	assert_int_equal(lease_obstacle(&lease), LEASE_WHY_NOT_ELIGIBLE);
	assert_false(lease_owns(&lease, 5));
}

static void
names(void **state)
{
	(void)state;
	assert_string_equal(lease_state_name(LEASE_SUSPECT), "SUSPECT");
	assert_string_equal(lease_event_name(LEASE_EV_LINK_UP), "LINK_UP");
	assert_string_equal(lease_reason_name(LEASE_BY_RETIRED), "retired");
	assert_string_equal(lease_alarm_name(LEASE_ALARM_BLANK), "BLANK");
	assert_string_equal(lease_obstacle_name(LEASE_WHY_NOT_ELIGIBLE), "not_eligible");
	assert_int_not_equal(lease_server("NA"), lease_server("NB"));
}

static void
owns_while_it_holds(void **state)
{
	(void)state;
	lead(3);
	after(P);
	after(P);
	assert_int_equal(lease.state, LEASE_SUSPECT);
	assert_true(lease_owns(&lease, 6));
	STEP(RESIGN);
	assert_int_equal(lease.state, LEASE_DRAINING);
	assert_true(lease_owns(&lease, 6));
	STEP(IDLE);
	assert_false(lease_owns(&lease, 6));
}

static void
overtaken_while_in_doubt(void **state)
{
	(void)state;
	lead(3);
	after(P);
	after(P);
	for (unsigned r = 0; r < 2; r++)
		watch(r, 20, value(LEASE_MARK_HELD, other, 9));
	assert_int_equal(lease.state, LEASE_FENCED);
	assert_int_equal(did(LEASE_DO_ROLE, 9)->reason, LEASE_BY_DEPOSED);
}

static void
no_trust_in_a_grant_that_is_over(void **state)
{
	struct lease_opts o = opts(1);

	(void)state;
	/* D/2 < g: a grant can be young and over. */
	o.profile = profile_make(10, 30, 51, 1);
	fresh_with(o);
	struct lease_value v = value(LEASE_MARK_RELEASED, other, 5);
	v.d_ms = 30;
	v.l_ms = 51;
	see(0, 10, v);
	after(51);
	ack(0, 11);
	assert_int_equal(lease.state, LEASE_ACTIVE);
	STEP(JUMP);
	assert_true(WROTE(0));
	now_ms += 12;
	ack(0, 12);
	assert_int_equal(lease.state, LEASE_SUSPECT);
	assert_false(DID(ADMIT));
}

static void
jump_keeps_what_was_over(void **state)
{
	(void)state;
	lead(3);
	int64_t inc = lease.reg[1].inc_since.ns;
	STEP(LINK_UP, .reg = 0, .server = 999);
	after(1);
	STEP(JUMP);
	assert_int_equal(lease.reg[0].inc_since.ns, now_ms * MS);	/* a new server's age began anew */
	assert_int_equal(lease.reg[1].inc_since.ns, inc);
}

static void
ranks_among_three_registers(void **state)
{
	struct lease_value v = value(LEASE_MARK_RELEASED, (struct lease_nonce){ 9, 9 }, 5);

	(void)state;
	/* A named heir who is the second of those alive; one register is out of reach. */
	v.to = other;
	fresh(3);
	STEP(PEERS, .peers = (struct lease_peer[]){ { third, false }, { other, false } }, .n_peers = 2);
	see(1, 10, v);
	see(2, 10, v);
	STEP(LINK_DOWN, .reg = 0);
	after(L);
	assert_int_equal(lease.state, LEASE_STANDBY);
	after(4 * 6);
	assert_int_equal(lease.state, LEASE_CAMPAIGN);
	/* Of two who live, only the one that holds is no rival. */
	struct lease_opts o = opts(3);
	o.hot = false;
	fresh_with(o);
	STEP(PEERS, .peers = (struct lease_peer[]){ { third, true }, { other, true } }, .n_peers = 2);
	see(1, 10, value(LEASE_MARK_HELD, other, 5));
	see(2, 10, value(LEASE_MARK_HELD, other, 5));
	STEP(LINK_DOWN, .reg = 0);
	after(L);
	assert_int_equal(lease.state, LEASE_STANDBY);
	assert_int_equal(out.due.ns, (now_ms + 6) * MS);
	after(6);
	assert_int_equal(lease.state, LEASE_CAMPAIGN);
}

static void
holders_are_held(void **state)
{
	struct lease_nonce who;
	uint64_t epoch;

	(void)state;
	fresh(3);
	see(0, 10, value(LEASE_MARK_HELD, other, 5));
	see(1, 10, value(LEASE_MARK_RELEASED, other, 5));
	assert_false(lease_holder(&lease, &who, &epoch));
	see(2, 10, value(LEASE_MARK_HELD, other, 5));
	assert_true(lease_holder(&lease, &who, &epoch));
}

static void
no_obstacle(void **state)
{
	(void)state;
	fresh(1);
	see(0, 10, value(LEASE_MARK_RELEASED, other, 5));
	assert_int_equal(lease_obstacle(&lease), LEASE_WHY_CLEAR);
	fresh(3);
	for (unsigned r = 0; r < 3; r++)
		blank(r);
	assert_int_equal(lease_obstacle(&lease), LEASE_WHY_EMPTY);	/* nobody knows yet */
	group(LEASE_GROUP_NEW, 0);
	assert_int_equal(lease_obstacle(&lease), LEASE_WHY_CLEAR);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holder_needs_a_quorum), cmocka_unit_test(campaign_ends),
		cmocka_unit_test(back_off_is_bounded), cmocka_unit_test(gained_by_expiry),
		cmocka_unit_test(suspect_and_back), cmocka_unit_test(deposed_and_overtaken),
		cmocka_unit_test(jump), cmocka_unit_test(retired), cmocka_unit_test(ignored),
		cmocka_unit_test(ranks), cmocka_unit_test(obstacles), cmocka_unit_test(names),
		cmocka_unit_test(owns_while_it_holds), cmocka_unit_test(overtaken_while_in_doubt),
		cmocka_unit_test(no_trust_in_a_grant_that_is_over),
		cmocka_unit_test(jump_keeps_what_was_over),
		cmocka_unit_test(ranks_among_three_registers), cmocka_unit_test(holders_are_held),
		cmocka_unit_test(no_obstacle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
