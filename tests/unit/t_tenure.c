/* t_tenure - every row of the table, every pair that is no row, the times, and somebody else's record. */
#include "expect.h"

#include "base/magic.h"
#include "claim.h"
#include "member/tenure.h"

static struct tenure_actions
step(struct tenure *t, enum tenure_event_kind kind, uint64_t revision)
{
	struct tenure_actions a;

	tenure_step(t, &(struct tenure_event){ .kind = kind, .revision = revision, .heartbeat = 100 }, now, &a);
	return a;
}

static struct tenure_actions
read_other(struct tenure *t, uint64_t revision, int64_t heartbeat, bool foreign)
{
	struct tenure_actions a;

	tenure_step(t, &(struct tenure_event){ TENURE_EV_READ_OTHER, revision, heartbeat, foreign }, now, &a);
	return a;
}

/* due: when a timer of t would fire, so that TIMER counts. */
static void
let_time_pass(const struct tenure *t)
{
	if (t->due.ns != MONO_NEVER.ns)
		now = t->due;
}

/* The shortest way into each state, as events; revision 7 is ours, 5 another's. */
struct way { enum tenure_event_kind kind; uint64_t revision; };
#define WAY(...) (const struct way[]){ __VA_ARGS__, { TENURE_EVENT_COUNT, 0 } }

static void
reach(struct tenure *t, enum tenure_state s)
{
	const struct way *ways[TENURE_STATE_COUNT] = {
		[TENURE_CLAIMING] = WAY({ EV(START), 0 }),
		[TENURE_HELD] = WAY({ EV(START), 0 }, { EV(PUT_DONE), 7 }),
		[TENURE_RENEWING] = WAY({ EV(START), 0 }, { EV(PUT_DONE), 7 }, { EV(DIRTY), 0 }),
		[TENURE_READING] = WAY({ EV(START), 0 }, { EV(PUT_CONFLICT), 0 }),
		[TENURE_PROBING] = WAY({ EV(START), 0 }, { EV(PUT_CONFLICT), 0 }, { EV(READ_OTHER), 5 }),
		[TENURE_WATCHING] = WAY({ EV(START), 0 }, { EV(PUT_CONFLICT), 0 }, { EV(READ_OTHER), 5 },
		    { EV(PROBE_SILENT), 0 }),
		[TENURE_WAITING] = WAY({ EV(START), 0 }, { EV(FAILED), 0 }),
		[TENURE_LEAVING] = WAY({ EV(START), 0 }, { EV(PUT_DONE), 7 }, { EV(STOP), 0 }),
		[TENURE_TWIN] = WAY({ EV(START), 0 }, { EV(PUT_CONFLICT), 0 }, { EV(READ_OTHER), 5 },
		    { EV(PROBE_OTHER), 0 }),
	};

	fresh(t);
	for (const struct way *w = ways[s]; w != NULL && w->kind != TENURE_EVENT_COUNT; w++)
		step(t, w->kind, w->revision);
	assert_int_equal(t->state, s);
}

/* --- rows -------------------------------------------------------------------------------- */

struct row {
	enum tenure_state from;
	enum tenure_event_kind event;
	uint64_t revision;
	enum tenure_state to;
	enum tenure_op op;
	uint64_t expect;
	enum tenure_report report;
};

#define ROW(from, ev, rev, to, op, exp, rep) \
	{ TENURE_##from, EV(ev), rev, TENURE_##to, TENURE_##op, exp, TENURE_##rep }

static const struct row rows[] = {
	ROW(OFF, START, 0, CLAIMING, PUT, 0, QUIET),
	ROW(OFF, STOP, 0, OFF, NOTHING, 0, LEFT),

	ROW(CLAIMING, PUT_DONE, 7, HELD, NOTHING, 0, REGISTERED),
	ROW(CLAIMING, PUT_CONFLICT, 0, READING, READ, 0, QUIET),
	ROW(CLAIMING, FAILED, 0, WAITING, NOTHING, 0, RETRYING),
	ROW(CLAIMING, STOP, 0, CLAIMING, NOTHING, 0, QUIET),
	ROW(CLAIMING, DIRTY, 0, CLAIMING, NOTHING, 0, QUIET),

	ROW(HELD, TIMER, 0, RENEWING, PUT, 7, QUIET),
	ROW(HELD, DIRTY, 0, RENEWING, PUT, 7, QUIET),
	ROW(HELD, STOP, 0, LEAVING, REMOVE, 7, QUIET),
	ROW(HELD, RECONNECTED, 0, RENEWING, PUT, 7, QUIET),

	ROW(RENEWING, PUT_DONE, 8, HELD, NOTHING, 0, QUIET),
	ROW(RENEWING, PUT_CONFLICT, 0, READING, READ, 0, QUIET),
	ROW(RENEWING, FAILED, 0, WAITING, NOTHING, 0, RETRYING),
	ROW(RENEWING, STOP, 0, RENEWING, NOTHING, 0, QUIET),
	ROW(RENEWING, DIRTY, 0, RENEWING, NOTHING, 0, QUIET),

	ROW(READING, READ_NONE, 0, CLAIMING, PUT, 0, QUIET),
	ROW(READING, READ_MINE, 9, RENEWING, PUT, 9, QUIET),
	ROW(READING, READ_OTHER, 5, PROBING, PROBE, 0, QUIET),
	ROW(READING, FAILED, 0, WAITING, NOTHING, 0, RETRYING),
	ROW(READING, STOP, 0, READING, NOTHING, 0, QUIET),
	ROW(READING, DIRTY, 0, READING, NOTHING, 0, QUIET),

	ROW(PROBING, PROBE_NOBODY, 0, CLAIMING, PUT, 5, QUIET),
	ROW(PROBING, PROBE_SILENT, 0, WATCHING, NOTHING, 0, QUIET),
	ROW(PROBING, PROBE_OTHER, 0, TWIN, NOTHING, 0, IS_TWIN),
	ROW(PROBING, PROBE_EARLY, 0, WATCHING, NOTHING, 0, QUIET),
	ROW(PROBING, FAILED, 0, WAITING, NOTHING, 0, RETRYING),
	ROW(PROBING, STOP, 0, PROBING, NOTHING, 0, QUIET),
	ROW(PROBING, DIRTY, 0, PROBING, NOTHING, 0, QUIET),

	ROW(WATCHING, TIMER, 0, READING, READ, 0, QUIET),
	ROW(WATCHING, STOP, 0, OFF, NOTHING, 0, LEFT),
	ROW(WATCHING, DIRTY, 0, WATCHING, NOTHING, 0, QUIET),

	ROW(WAITING, TIMER, 0, READING, READ, 0, QUIET),
	ROW(WAITING, RECONNECTED, 0, READING, READ, 0, QUIET),
	ROW(WAITING, STOP, 0, OFF, NOTHING, 0, LEFT),
	ROW(WAITING, DIRTY, 0, WAITING, NOTHING, 0, QUIET),

	ROW(LEAVING, REMOVED, 0, OFF, NOTHING, 0, REMOVED),
	ROW(LEAVING, PUT_CONFLICT, 0, OFF, NOTHING, 0, LEFT),
	ROW(LEAVING, FAILED, 0, OFF, NOTHING, 0, LEFT),

	ROW(TWIN, STOP, 0, OFF, NOTHING, 0, LEFT),
};

static void
check_row(struct tenure *t, const struct row *r, const char *before)
{
	struct tenure_actions a = step(t, r->event, r->revision);

	if (t->state != r->to || a.op != r->op || a.expect != r->expect || a.report != r->report || t->ignored != 0)
		fail_msg("%s + %s%s: %s, operation %d expecting %llu, report %d", tenure_state_name(r->from),
		    tenure_event_name(r->event), before, tenure_state_name(t->state), (int)a.op,
		    (unsigned long long)a.expect, (int)a.report);
}

static void
every_row_does_what_it_says(void **state)
{
	struct tenure t;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		reach(&t, rows[i].from);
		let_time_pass(&t);
		check_row(&t, &rows[i], "");
	}
}

/* A pair that is no row changes nothing but the count. */
static void
every_other_pair_is_ignored(void **state)
{
	struct tenure t, was;

	(void)state;
	for (enum tenure_state s = 0; s < TENURE_STATE_COUNT; s++) {
		for (enum tenure_event_kind e = 0; e < TENURE_EVENT_COUNT; e++) {
			bool listed = false;
			for (size_t i = 0; i < COUNT_OF(rows); i++)
				listed = listed || (rows[i].from == s && rows[i].event == e);
			if (listed)
				continue;
			reach(&t, s);
			let_time_pass(&t);
			was = t;
			struct tenure_actions a = step(&t, e, 3);
			was.ignored = 1;
			if (memcmp(&was, &t, sizeof t) != 0 || a.op != TENURE_NOTHING || a.report != TENURE_QUIET)
				fail_msg("%s + %s is no row, but something happened", tenure_state_name(s),
				    tenure_event_name(e));
		}
	}
}

/* The owner said STOP while an operation was under way. */
static void
a_wish_to_leave_is_served_by_the_next_result(void **state)
{
	static const struct row leaving[] = {
		ROW(CLAIMING, PUT_DONE, 7, LEAVING, REMOVE, 7, QUIET),
		ROW(CLAIMING, PUT_CONFLICT, 0, READING, READ, 0, QUIET),
		ROW(CLAIMING, FAILED, 0, OFF, NOTHING, 0, LEFT),
		ROW(RENEWING, PUT_DONE, 8, LEAVING, REMOVE, 8, QUIET),
		ROW(RENEWING, PUT_CONFLICT, 0, READING, READ, 0, QUIET),
		ROW(RENEWING, FAILED, 0, OFF, NOTHING, 0, LEFT),
		ROW(READING, READ_NONE, 0, OFF, NOTHING, 0, LEFT),
		ROW(READING, READ_MINE, 9, LEAVING, REMOVE, 9, QUIET),
		ROW(READING, READ_OTHER, 5, OFF, NOTHING, 0, LEFT),
		ROW(READING, FAILED, 0, OFF, NOTHING, 0, LEFT),
		ROW(PROBING, PROBE_NOBODY, 0, OFF, NOTHING, 0, LEFT),
		ROW(PROBING, PROBE_SILENT, 0, OFF, NOTHING, 0, LEFT),
		ROW(PROBING, PROBE_OTHER, 0, OFF, NOTHING, 0, LEFT),
		ROW(PROBING, PROBE_EARLY, 0, OFF, NOTHING, 0, LEFT),
		ROW(PROBING, FAILED, 0, OFF, NOTHING, 0, LEFT),
	};
	struct tenure t;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(leaving); i++) {
		reach(&t, leaving[i].from);
		step(&t, EV(STOP), 0);
		check_row(&t, &leaving[i], " after STOP");
	}
}

static void
a_change_during_a_put_is_put_next(void **state)
{
	static const struct row changed[] = {
		ROW(CLAIMING, PUT_DONE, 7, RENEWING, PUT, 7, REGISTERED),
		ROW(RENEWING, PUT_DONE, 8, RENEWING, PUT, 8, QUIET),
	};
	struct tenure t;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(changed); i++) {
		reach(&t, changed[i].from);
		step(&t, EV(DIRTY), 0);
		check_row(&t, &changed[i], " after DIRTY");
		check_row(&t, &(struct row)ROW(RENEWING, PUT_DONE, 20, HELD, NOTHING, 0, QUIET), " once more");
	}
}

/* --- times ------------------------------------------------------------------------------- */

static void
near(int64_t got, int64_t want)
{
	if (got < want - want / 10 || got > want + want / 10)
		fail_msg("%lld ms is not within a tenth of %lld ms", (long long)(got / NS_PER_MS),
		    (long long)(want / NS_PER_MS));
}

static void
heartbeats_are_jittered_and_early_timers_do_nothing(void **state)
{
	struct tenure t;
	int64_t least = INT64_MAX, most = 0;

	(void)state;
	reach(&t, TENURE_HELD);
	for (uint64_t i = 0; i < 200; i++) {
		int64_t wait = mono_since(t.due, now);
		near(wait, BEAT);
		least = wait < least ? wait : least;
		most = wait > most ? wait : most;
		now = mono_after(t.due, -1);
		assert_int_equal(step(&t, EV(TIMER), 0).op, TENURE_NOTHING);
		assert_int_equal(t.state, TENURE_HELD);
		let_time_pass(&t);
		assert_int_equal(step(&t, EV(TIMER), 0).op, TENURE_PUT);
		assert_true(t.due.ns == MONO_NEVER.ns);
		step(&t, EV(PUT_DONE), 8 + i);
	}
	assert_true(most - least > BEAT / 10);
}

static void
failures_back_off_to_five_seconds_and_success_forgets_them(void **state)
{
	static const int64_t waits[] = { 200, 400, 800, 1600, 3200, 5000, 5000, 5000 };
	struct tenure t;

	(void)state;
	reach(&t, TENURE_CLAIMING);
	for (size_t i = 0; i < COUNT_OF(waits); i++) {
		assert_int_equal(step(&t, EV(FAILED), 0).report, TENURE_RETRYING);
		near(mono_since(t.due, now), waits[i] * NS_PER_MS);
		let_time_pass(&t);
		assert_int_equal(step(&t, EV(TIMER), 0).op, TENURE_READ);
	}
	step(&t, EV(READ_NONE), 0);
	assert_int_equal(step(&t, EV(PUT_DONE), 7).report, TENURE_REGISTERED);
	step(&t, EV(DIRTY), 0);
	step(&t, EV(FAILED), 0);
	near(mono_since(t.due, now), 200 * NS_PER_MS);
}

static void
a_change_leaves_the_deadline_of_a_wait_alone(void **state)
{
	struct tenure t;

	(void)state;
	for (enum tenure_state s = TENURE_WATCHING; s <= TENURE_WAITING; s++) {
		reach(&t, s);
		struct mono due = t.due;
		step(&t, EV(DIRTY), 0);
		assert_true(t.due.ns == due.ns && due.ns != MONO_NEVER.ns);
		assert_true(t.dirty);
	}
}

/* --- somebody else's record -------------------------------------------------------------- */

/* look_until: what a watcher does about a record that stands still; returns how long it took. */
static int64_t
look_until_it_claims(struct tenure *t, uint64_t revision, int64_t heartbeat, bool foreign)
{
	struct mono began = now;

	while (t->state == TENURE_WATCHING) {
		let_time_pass(t);
		assert_int_equal(step(t, EV(TIMER), 0).op, TENURE_READ);
		struct tenure_actions a = read_other(t, revision, heartbeat, foreign);
		if (a.op == TENURE_PUT)
			assert_int_equal(a.expect, revision);
		else
			assert_int_equal(a.op, TENURE_NOTHING);
	}
	assert_int_equal(t->state, TENURE_CLAIMING);
	return mono_since(now, began);
}

static void
a_silent_owner_is_replaced_after_25_s_of_standing_still(void **state)
{
	struct tenure t;

	(void)state;
	reach(&t, TENURE_READING);
	assert_int_equal(read_other(&t, 5, 100, false).op, TENURE_PROBE);
	step(&t, EV(PROBE_SILENT), 0);
	int64_t took = look_until_it_claims(&t, 5, 100, false);
	assert_true(took >= 25 * NS_PER_S && took <= 27 * NS_PER_S);
	assert_int_equal(step(&t, EV(PUT_DONE), 6).report, TENURE_TAKEN_OVER);
}

static void
an_owner_whose_heartbeat_moves_is_asked_again(void **state)
{
	struct tenure t;

	(void)state;
	reach(&t, TENURE_WATCHING);
	for (int64_t i = 1; i <= 10; i++) {
		let_time_pass(&t);
		step(&t, EV(TIMER), 0);
		assert_int_equal(read_other(&t, 5 + (uint64_t)i, 100 + i, false).op, TENURE_PROBE);
		step(&t, EV(PROBE_SILENT), 0);
	}
	int64_t took = look_until_it_claims(&t, 15, 110, false);
	assert_true(took >= 25 * NS_PER_S - 2 * NS_PER_S);
}

static void
a_foreign_owner_is_watched_and_never_asked(void **state)
{
	struct tenure t;

	(void)state;
	reach(&t, TENURE_READING);
	assert_int_equal(read_other(&t, 5, 100, true).op, TENURE_NOTHING);
	assert_int_equal(t.state, TENURE_WATCHING);
	for (int64_t i = 1; i <= 20; i++) {		/* it lives: for ever, if need be */
		let_time_pass(&t);
		step(&t, EV(TIMER), 0);
		assert_int_equal(read_other(&t, 5 + (uint64_t)i, 100 + i, true).op, TENURE_NOTHING);
		assert_int_equal(t.state, TENURE_WATCHING);
	}
	look_until_it_claims(&t, 25, 120, true);
	assert_int_equal(step(&t, EV(PUT_DONE), 26).report, TENURE_TAKEN_OVER);
}

static void
a_dead_owner_is_replaced_at_once_and_a_vanished_one_is_nobodys(void **state)
{
	struct tenure t;

	(void)state;
	reach(&t, TENURE_PROBING);
	struct tenure_actions a = step(&t, EV(PROBE_NOBODY), 0);
	assert_true(a.op == TENURE_PUT && a.expect == 5);
	assert_int_equal(step(&t, EV(PUT_DONE), 6).report, TENURE_TAKEN_OVER);

	/* Right after an outage it is asked again, though its heartbeat has not moved. */
	reach(&t, TENURE_PROBING);
	assert_int_equal(step(&t, EV(PROBE_EARLY), 0).op, TENURE_NOTHING);
	let_time_pass(&t);
	assert_int_equal(step(&t, EV(TIMER), 0).op, TENURE_READ);
	assert_int_equal(read_other(&t, 5, 100, false).op, TENURE_PROBE);
	assert_int_equal(step(&t, EV(PROBE_NOBODY), 0).op, TENURE_PUT);

	/* Somebody was faster, and then vanished: it is an ordinary registration. */
	reach(&t, TENURE_PROBING);
	step(&t, EV(PROBE_NOBODY), 0);
	assert_int_equal(step(&t, EV(PUT_CONFLICT), 0).op, TENURE_READ);
	a = step(&t, EV(READ_NONE), 0);
	assert_true(a.op == TENURE_PUT && a.expect == 0);
	assert_int_equal(step(&t, EV(PUT_DONE), 9).report, TENURE_REGISTERED);
}

static void
a_put_whose_answer_was_lost_is_recognised(void **state)
{
	struct tenure t;

	(void)state;
	reach(&t, TENURE_CLAIMING);
	step(&t, EV(FAILED), 0);
	let_time_pass(&t);
	step(&t, EV(TIMER), 0);
	struct tenure_actions a = step(&t, EV(READ_MINE), 12);
	assert_true(a.op == TENURE_PUT && a.expect == 12);
	assert_int_equal(step(&t, EV(PUT_DONE), 13).report, TENURE_REGISTERED);
	assert_int_equal(t.revision, 13);
}

static void
what_has_left_may_start_again(void **state)
{
	struct tenure t;

	(void)state;
	reach(&t, TENURE_LEAVING);
	step(&t, EV(REMOVED), 0);
	struct tenure_actions a = step(&t, EV(START), 0);
	assert_true(a.op == TENURE_PUT && a.expect == 0);
	assert_int_equal(step(&t, EV(PUT_DONE), 30).report, TENURE_REGISTERED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_does_what_it_says),
		cmocka_unit_test(every_other_pair_is_ignored),
		cmocka_unit_test(a_wish_to_leave_is_served_by_the_next_result),
		cmocka_unit_test(a_change_during_a_put_is_put_next),
		cmocka_unit_test(heartbeats_are_jittered_and_early_timers_do_nothing),
		cmocka_unit_test(failures_back_off_to_five_seconds_and_success_forgets_them),
		cmocka_unit_test(a_change_leaves_the_deadline_of_a_wait_alone),
		cmocka_unit_test(a_silent_owner_is_replaced_after_25_s_of_standing_still),
		cmocka_unit_test(an_owner_whose_heartbeat_moves_is_asked_again),
		cmocka_unit_test(a_foreign_owner_is_watched_and_never_asked),
		cmocka_unit_test(a_dead_owner_is_replaced_at_once_and_a_vanished_one_is_nobodys),
		cmocka_unit_test(a_put_whose_answer_was_lost_is_recognised),
		cmocka_unit_test(what_has_left_may_start_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
