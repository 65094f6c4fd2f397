/* t_lease_view - what the lease core knows of a register, and when it may write to it: R1, R2 and R3
 * at their borders, and every answer to a write. */
#include "lease.h"

static void
r1_b_incarnation(void **state)
{
	(void)state;
	fresh(1);
	see(0, 10, value(LEASE_MARK_RELEASED, other, 5));
	after(L - 1);
	assert_int_equal(lease.state, LEASE_STANDBY);
	assert_int_equal(out.due.ns, 1320 * MS);
	after(1);
	assert_int_equal(lease.state, LEASE_CAMPAIGN);
	assert_int_equal(did(LEASE_DO_WRITE, 0)->rev, 10);
	assert_int_equal(did(LEASE_DO_WRITE, 0)->value.epoch, 6);

	/* The same server again keeps its age (R2), another one starts anew. */
	lead(1);
	STEP(LINK_DOWN, .reg = 0);
	up(0);
	assert_int_equal(lease.reg[0].inc_since.ns, 1000 * MS);
	STEP(LINK_UP, .reg = 0, .server = 999);
	assert_int_equal(lease.reg[0].inc_since.ns, now_ms * MS);
}

static void
r1_c_wait(void **state)
{
	(void)state;
	fresh(1);
	after(L);
	see(0, 10, value(LEASE_MARK_HELD, other, 5));
	after(L - 1);
	assert_int_equal(lease.state, LEASE_STANDBY);
	after(1);
	assert_int_equal(lease.state, LEASE_CAMPAIGN);

	/* A writer of longer settings is waited for longer: 1000·1.02 + 20. */
	fresh(1);
	after(L);
	struct lease_value slow = value(LEASE_MARK_HELD, other, 5);
	slow.d_ms = 1000;
	see(0, 10, slow);
	after(1039);
	assert_int_equal(lease.state, LEASE_STANDBY);
	after(1);
	assert_int_equal(lease.state, LEASE_CAMPAIGN);
}

static void
r1_a_retired_and_unreadable(void **state)
{
	(void)state;
	fresh(1);
	unreadable(0, 9);
	assert_true(alarmed(LEASE_ALARM_UNREADABLE));
	unreadable(0, 9);
	assert_false(alarmed(LEASE_ALARM_UNREADABLE));
	assert_int_equal(lease_obstacle(&lease), LEASE_WHY_NO_QUORUM);
	after(P);
	assert_true(DID(READ));			/* an unknown one is read every P */
	after(2 * L);
	assert_int_equal(lease.state, LEASE_STANDBY);
	see(0, 12, value(LEASE_MARK_RELEASED, other, 5));
	assert_int_equal(lease.state, LEASE_CAMPAIGN);
	unreadable(0, 11);
	assert_true(lease.reg[0].known);	/* older than what is known */
}

static void
r2_views(void **state)
{
	(void)state;
	fresh(3);
	see(0, 10, value(LEASE_MARK_HELD, other, 5));
	int64_t seen = lease.reg[0].seen.ns;
	after(10);
	watch(0, 9, value(LEASE_MARK_HELD, other, 4));
	assert_int_equal(lease.reg[0].rev, 10);
	/* A blank read that was sent before the view arrived is older, one sent after it is newer. */
	STEP(VIEW, .reg = 0, .rev = 0, .sent = { seen });
	assert_int_equal(lease.reg[0].rev, 10);
	see(0, 10, value(LEASE_MARK_HELD, other, 5));
	assert_int_equal(lease.reg[0].seen.ns, seen);
	assert_int_equal(lease.reg[0].conf.ns, now_ms * MS);
	group(LEASE_GROUP_LIVE, 0);
	blank(0);
	assert_true(lease.reg[0].known && lease.reg[0].rev == 0);
	assert_true(DID(GROUP));
	assert_true(alarmed(LEASE_ALARM_BLANK));
	STEP(LINK_DOWN, .reg = 0);
	assert_false(lease.reg[0].known);
	see(0, 12, value(LEASE_MARK_HELD, other, 5));
	assert_false(lease.reg[0].known);	/* of a link that is gone */
}

static void
r2_confirms_at_half(void **state)
{
	(void)state;
	fresh(1);
	watch(0, 10, value(LEASE_MARK_HELD, other, 5));
	after(L / 2 - 1);
	assert_false(DID(READ));
	after(1);
	assert_true(DID(READ));
	after(1);
	assert_false(DID(READ));
	after(P);
	assert_true(DID(READ));			/* again, until it is confirmed */
	see(0, 10, value(LEASE_MARK_HELD, other, 5));
	after(P);
	assert_false(DID(READ));
}

static void
r3_counts_from_the_send(void **state)
{
	(void)state;
	released_to_us(3, 5);
	int64_t t0 = now_ms;
	now_ms += 50;
	ack(0, 11);
	assert_int_equal(lease.state, LEASE_CAMPAIGN);
	now_ms += 40;
	/* The second by a view with our counter instead of an answer. */
	uint64_t id = last_id(1);
	struct lease_value v = value(LEASE_MARK_HELD, me, 6);
	v.counter = id;
	watch(1, 11, v);
	assert_int_equal(lease.state, LEASE_ACTIVE);
	assert_int_equal(did(LEASE_DO_GATE, 9)->until.ns, (t0 + D - G) * MS);
	assert_int_equal(lease.reg[1].conf.ns, t0 * MS);
	STEP(ACK, .reg = 1, .id = id, .rev = 11);	/* late: settled already */
	assert_false(DID(GATE));
	assert_int_equal(did(LEASE_DO_ROLE, 9) == NULL, true);
}

static void
r3_reads_back(void **state)
{
	(void)state;
	lead(1);
	after(P);
	assert_true(WROTE(0));
	uint64_t id = last_id(0);
	int64_t sent = now_ms;
	after(P);
	after(P);
	assert_true(DID(READ));			/* unanswered for 2P */
	struct lease_value v = value(LEASE_MARK_HELD, me, 6);
	v.counter = id;
	see(0, 12, v);
	assert_int_equal(lease.reg[0].grant.ns, sent * MS);
}

static void
answers(void **state)
{
	(void)state;
	lead(3);
	after(P);
	assert_true(WROTE(0) && WROTE(1) && WROTE(2));
	uint64_t first = last_id(0);
	now_ms += 1;
	STEP(LOST, .reg = 1, .id = last_id(1));
	assert_true(did(LEASE_DO_READ, 1) != NULL);
	STEP(LOST, .reg = 1, .id = 0);		/* a read: the next is due in P */
	assert_false(DID(READ));
	STEP(NACK, .reg = 2, .id = last_id(2), .code = 10164);
	assert_true(lease.reg[2].known && !DID(READ));
	after(P - 1);
	STEP(NACK, .reg = 2, .id = last_id(2), .code = 10077);
	assert_true(alarmed(LEASE_ALARM_REFUSED));
	assert_int_equal(did(LEASE_DO_ALARM, 2)->code, 10077);
	assert_false(lease.reg[2].known);
	/* Two hedges on one revision: the one is stored, the other one refused, and that is no news. */
	STEP(ACK, .reg = 0, .id = first, .rev = 12);
	STEP(NACK, .reg = 0, .id = first, .code = 10071);
	assert_true(lease.reg[0].known && !DID(READ));
	after(P);
	STEP(NACK, .reg = 0, .id = last_id(0), .code = 10071);
	assert_false(lease.reg[0].known);
	assert_true(did(LEASE_DO_READ, 0) != NULL);
	STEP(ACK, .reg = 0, .id = 0, .rev = 99);
	STEP(LOST, .reg = 0, .id = 4711);
	STEP(NACK, .reg = 0, .id = 0, .code = 10071);
	assert_int_equal(lease.state, LEASE_SUSPECT);	/* none of it is a reason to step down */
}

static void
hedges(void **state)
{
	(void)state;
	lead(1);
	unsigned written = 0;
	for (int i = 0; i < 3 && lease.state != LEASE_FENCED; i++) {
		after(P);
		written += WROTE(0);
	}
	assert_int_equal(written, 3);		/* one every P, and P/2 once it is late, unanswered */
	assert_int_equal(lease.state, LEASE_SUSPECT);
	assert_int_equal(lease.reg[0].flight[0].expect, 11);
	assert_int_equal(lease.reg[0].flight[1].expect, 11);
}

static void
replicated(void **state)
{
	struct lease_opts o = opts(1);

	(void)state;
	o.replicated = true;
	fresh_with(o);
	see(0, 10, value(LEASE_MARK_RELEASED, other, 5));
	assert_int_equal(lease.state, LEASE_CAMPAIGN);	/* R1(b) does not apply */
	ack(0, 11);
	after(P);
	assert_true(WROTE(0) && DID(READ));	/* a read every P besides the watch */
	after(P);
	assert_false(WROTE(0));			/* one in flight */
	int64_t seen = lease.reg[0].seen.ns;
	STEP(LOST, .reg = 0, .id = last_id(0));
	assert_true(lease.reg[0].seen.ns > seen);
	after(P / 2);
	assert_true(WROTE(0));
	after(2 * P);
	assert_int_equal(lease.reg[0].seen.ns, now_ms * MS);
}

static void
r1_a_again_unreadable(void **state)
{
	(void)state;
	fresh(1);
	see(0, 10, value(LEASE_MARK_RELEASED, other, 5));
	unreadable(0, 11);
	assert_false(lease.reg[0].known);
	assert_true(alarmed(LEASE_ALARM_UNREADABLE));
	unreadable(0, 12);			/* another one that cannot be understood is told again */
	assert_true(alarmed(LEASE_ALARM_UNREADABLE));
}

static void
r2_a_lost_read_is_asked_again(void **state)
{
	(void)state;
	fresh(1);
	see(0, 10, value(LEASE_MARK_HELD, other, 5));
	after(L / 2);
	assert_true(DID(READ));
	see(0, 10, value(LEASE_MARK_HELD, other, 5));
	after(P);
	assert_false(DID(READ));		/* confirmed */
	/* A write whose answer is lost is read back; when that is lost, too, it is asked again until
	 * something comes: nothing else would ever tell that the register had changed. */
	after(L / 2 - P);
	assert_int_equal(lease.state, LEASE_CAMPAIGN);
	now_ms += 1;
	STEP(LOST, .reg = 0, .id = last_id(0));
	assert_true(DID(READ));
	after(1);
	STEP(LOST, .reg = 0, .id = 0);
	assert_false(DID(READ));
	for (int i = 0; i < 6; i++) {
		assert_true(out.due.ns <= (now_ms + P) * MS);
		after(P);
		assert_true(DID(READ));
	}
	see(0, 12, value(LEASE_MARK_HELD, third, 9));
	after(P);
	assert_false(DID(READ));
}

static void
r2_an_ask_is_made_once(void **state)
{
	(void)state;
	lead(1);
	after(P);
	STEP(LOST, .reg = 0, .id = last_id(0));
	assert_true(DID(READ));
	STEP(LOST, .reg = 0, .id = last_id(0));
	assert_false(DID(READ));		/* asked at this very instant already */
	STEP(LINK_DOWN, .reg = 0);
	STEP(LOST, .reg = 0, .id = 77);
	assert_false(DID(READ));		/* over a link that is not there */
}

static void
r3_a_counter_of_another(void **state)
{
	(void)state;
	released_to_us(1, 5);
	struct lease_value v = value(LEASE_MARK_HELD, other, 9);
	v.counter = last_id(0);
	watch(0, 11, v);
	assert_int_equal(lease.reg[0].grant.ns, INT64_MIN);
	assert_int_equal(last_id(0), 0);	/* it expected 10, and that is past */
	assert_int_equal(lease.state, LEASE_STANDBY);
}

static void
r3_granted_too_late(void **state)
{
	(void)state;
	released_to_us(1, 5);
	now_ms += D - G;
	ack(0, 11);
	assert_int_equal(lease.state, LEASE_STANDBY);
	assert_false(DID(META));
	assert_true(WROTE(0));			/* and given back */
	assert_int_equal(did(LEASE_DO_WRITE, 0)->value.mark, LEASE_MARK_RELEASED);
}

static void
answers_that_no_server_gives(void **state)
{
	(void)state;
	lead(1);
	struct boot grant = lease.reg[0].grant;
	after(P);
	ack(0, 11);				/* stored at the revision that it replaces */
	assert_int_equal(lease.reg[0].rev, 11);
	assert_int_equal(lease.reg[0].grant.ns, grant.ns);
}

static void
answers_to_what_was_forgotten(void **state)
{
	(void)state;
	lead(1);
	after(P);
	uint64_t first = last_id(0);
	after(P);
	uint64_t second = last_id(0);
	assert_int_not_equal(first, second);
	STEP(NACK, .reg = 0, .id = first, .code = 10071);
	assert_false(lease.reg[0].known);
	STEP(ACK, .reg = 0, .id = second, .rev = 12);	/* of a register that is unknown by now */
	assert_true(lease.reg[0].known && lease.reg[0].rev == 12);

	lead(1);
	after(P);
	first = last_id(0);
	after(P);
	second = last_id(0);
	STEP(NACK, .reg = 0, .id = first, .code = 10071);
	STEP(NACK, .reg = 0, .id = second, .code = 10071);
	assert_false(lease.reg[0].known);

	/* A register that went back behind what a write expects: its refusal is no news. */
	lead(1);
	after(P);
	first = last_id(0);
	after(P);
	second = last_id(0);
	STEP(NACK, .reg = 0, .id = first, .code = 10071);
	see(0, 9, value(LEASE_MARK_HELD, me, 5));
	STEP(NACK, .reg = 0, .id = second, .code = 10071);
	assert_true(lease.reg[0].known && lease.reg[0].rev == 9);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(r1_b_incarnation), cmocka_unit_test(r1_c_wait),
		cmocka_unit_test(r1_a_retired_and_unreadable), cmocka_unit_test(r2_views),
		cmocka_unit_test(r2_confirms_at_half), cmocka_unit_test(r3_counts_from_the_send),
		cmocka_unit_test(r3_reads_back), cmocka_unit_test(answers), cmocka_unit_test(hedges),
		cmocka_unit_test(replicated), cmocka_unit_test(r1_a_again_unreadable),
		cmocka_unit_test(r2_a_lost_read_is_asked_again),
		cmocka_unit_test(r2_an_ask_is_made_once), cmocka_unit_test(r3_a_counter_of_another),
		cmocka_unit_test(r3_granted_too_late), cmocka_unit_test(answers_that_no_server_gives),
		cmocka_unit_test(answers_to_what_was_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
