/* t_lease - the lease core by hand: each rule (R1-R9) at its borders, each row of the tables,
 * and what is ignored.  What only schedules can show is in tests/sim. */
#include "expect.h"

#include <stdio.h>

#include "base/magic.h"
#include "election/lease.h"

#define MS NS_PER_MS
#define P 60
#define D 240
#define G 20
#define L 320

static struct lease lease;
static struct lease_actions out;
static int64_t now_ms, wall_ms;

static const struct lease_nonce me = { 1, 1 }, other = { 2, 2 }, third = { 3, 3 };

static void
step(const struct lease_event *ev)
{
	lease_step(&lease, ev, (struct lease_now){ { now_ms * MS }, { wall_ms * MS } }, &out);
}

#define STEP(k, ...) step(&(struct lease_event){ .kind = LEASE_EV_##k, __VA_ARGS__ })

static void
after(int64_t ms)
{
	now_ms += ms;
	STEP(TICK);
}

/* did: the n-th action of this kind (and register, unless 9), or NULL. */
static const struct lease_action *
did(enum lease_action_kind kind, unsigned reg)
{
	for (unsigned i = 0; i < out.n; i++)
		if (out.list[i].kind == kind && (reg == 9 || out.list[i].reg == reg))
			return &out.list[i];
	return NULL;
}

#define DID(kind) (did(LEASE_DO_##kind, 9) != NULL)
#define WROTE(r) (did(LEASE_DO_WRITE, (r)) != NULL)

static bool
alarmed(enum lease_alarm a)
{
	for (unsigned i = 0; i < out.n; i++)
		if (out.list[i].kind == LEASE_DO_ALARM && out.list[i].alarm == a)
			return true;
	return false;
}

static struct lease_value
value(enum lease_mark mark, struct lease_nonce who, uint64_t epoch)
{
	return (struct lease_value){ .mark = mark, .nonce = who, .epoch = epoch, .counter = 1000000, .d_ms = D, .l_ms = L };
}

/* The shell's answers. */
static void
up(unsigned r)
{
	STEP(LINK_UP, .reg = (uint8_t)r, .server = 100 + r);
}

static void
see(unsigned r, uint64_t rev, struct lease_value v)
{
	STEP(VIEW, .reg = (uint8_t)r, .rev = rev, .value = v, .sent = { now_ms * MS });
}

static void
blank(unsigned r)
{
	see(r, 0, (struct lease_value){ 0 });
}

static void
watch(unsigned r, uint64_t rev, struct lease_value v)
{
	STEP(VIEW, .reg = (uint8_t)r, .rev = rev, .value = v, .sent = BOOT_LONG_AGO);
}

static void
group(enum lease_group g, uint64_t epoch)
{
	STEP(GROUP, .group = g, .epoch = epoch, .sent = { now_ms * MS });
}

static uint64_t
last_id(unsigned r)
{
	uint64_t id = 0;

	for (unsigned i = 0; i < PROFILE_HEDGE; i++)
		if (lease.reg[r].flight[i].id > id)
			id = lease.reg[r].flight[i].id;
	return id;
}

static void
ack(unsigned r, uint64_t rev)
{
	STEP(ACK, .reg = (uint8_t)r, .id = last_id(r), .rev = rev);
}

static struct lease_opts
opts(unsigned n)
{
	return (struct lease_opts){ .registers = n, .profile = profile_make(P, D, L, 1), .nonce = me, .group = 7, .seed = 3,
		.drain_ns = 500 * MS };
}

static void
fresh_with(struct lease_opts o)
{
	now_ms = 1000;
	wall_ms = 0;
	lease_init(&lease, &o);
	STEP(ELIGIBLE, .on = true);
	for (unsigned r = 0; r < o.registers; r++)
		up(r);
}

static void
fresh(unsigned n)
{
	fresh_with(opts(n));
}

/* released_to_us: all registers known, released by another one with this epoch, waits over. */
static void
released_to_us(unsigned n, uint64_t epoch)
{
	fresh(n);
	for (unsigned r = 0; r < n; r++)
		see(r, 10, value(LEASE_MARK_RELEASED, other, epoch));
	after(L);
	assert_int_equal(lease.state, LEASE_CAMPAIGN);
}

static void
lead(unsigned n)
{
	released_to_us(n, 5);
	for (unsigned r = 0; r < n; r++)
		ack(r, 11);
	assert_int_equal(lease.state, LEASE_ACTIVE);
	assert_int_equal(lease.opening, 6);
}

/* --- R1 ----------------------------------------------------------------------------------- */

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
	STEP(VIEW, .reg = 0, .rev = 9, .unreadable = true, .sent = { now_ms * MS });
	assert_true(alarmed(LEASE_ALARM_UNREADABLE));
	STEP(VIEW, .reg = 0, .rev = 9, .unreadable = true, .sent = { now_ms * MS });
	assert_false(alarmed(LEASE_ALARM_UNREADABLE));
	assert_int_equal(lease_obstacle(&lease), LEASE_WHY_NO_QUORUM);
	after(P);
	assert_true(DID(READ));			/* an unknown one is read every P */
	after(2 * L);
	assert_int_equal(lease.state, LEASE_STANDBY);
	see(0, 12, value(LEASE_MARK_RELEASED, other, 5));
	assert_int_equal(lease.state, LEASE_CAMPAIGN);
	STEP(VIEW, .reg = 0, .rev = 11, .unreadable = true, .sent = { now_ms * MS });
	assert_true(lease.reg[0].known);	/* older than what is known */
}

/* --- R2, R3 ------------------------------------------------------------------------------- */

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

/* --- R5 ----------------------------------------------------------------------------------- */

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

/* --- R6 ----------------------------------------------------------------------------------- */

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

/* --- R7, R8 ------------------------------------------------------------------------------- */

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

/* --- the table ---------------------------------------------------------------------------- */

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(r1_b_incarnation), cmocka_unit_test(r1_c_wait), cmocka_unit_test(r1_a_retired_and_unreadable),
		cmocka_unit_test(r2_views), cmocka_unit_test(r2_confirms_at_half),
		cmocka_unit_test(r3_counts_from_the_send), cmocka_unit_test(r3_reads_back),
		cmocka_unit_test(answers), cmocka_unit_test(hedges),
		cmocka_unit_test(r5_epochs), cmocka_unit_test(r5_raise),
		cmocka_unit_test(r6_new_group), cmocka_unit_test(r6_repair), cmocka_unit_test(r6_asks_again),
		cmocka_unit_test(r7_order), cmocka_unit_test(r7_never_with_live_work), cmocka_unit_test(r7_stop_is_for_good),
		cmocka_unit_test(resigned_until_another_leads), cmocka_unit_test(holder_needs_a_quorum),
		cmocka_unit_test(r8_same_name_is_a_stranger),
		cmocka_unit_test(campaign_ends), cmocka_unit_test(back_off_is_bounded), cmocka_unit_test(gained_by_expiry),
		cmocka_unit_test(suspect_and_back), cmocka_unit_test(deposed_and_overtaken), cmocka_unit_test(jump),
		cmocka_unit_test(retired), cmocka_unit_test(ignored), cmocka_unit_test(ranks), cmocka_unit_test(replicated),
		cmocka_unit_test(obstacles), cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
