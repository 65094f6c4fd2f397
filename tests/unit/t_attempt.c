/* t_attempt - every pair of state and event of a command's delivery, then whole lives. */
#include "expect.h"

#include "base/magic.h"
#include "messaging/attempt.h"

#define NOW ((struct mono){ 1000 * NS_PER_S })

static struct attempt_opts
opts(uint64_t deliveries, int64_t max_retries)
{
	return (struct attempt_opts){
		.deliveries = deliveries, .max_retries = max_retries, .timeout_ns = 10 * NS_PER_S,
		.backoff_ns = NS_PER_S, .backoff_max_ns = 60 * NS_PER_S,
	};
}

/* How an attempt gets into each state, from NEW. */
static const struct { enum attempt_event ev[4]; size_t n; } ways[ATTEMPT_STATE_COUNT] = {
	[ATTEMPT_NEW] = { { 0 }, 0 },
	[ATTEMPT_QUEUED] = { { ATTEMPT_EV_ARRIVED }, 1 },
	[ATTEMPT_PAUSED] = { { ATTEMPT_EV_ARRIVED, ATTEMPT_EV_START, ATTEMPT_EV_BOUNCED }, 3 },
	[ATTEMPT_RUNNING] = { { ATTEMPT_EV_ARRIVED, ATTEMPT_EV_START }, 2 },
	[ATTEMPT_CANCELLING] = { { ATTEMPT_EV_ARRIVED, ATTEMPT_EV_START, ATTEMPT_EV_CANCEL }, 3 },
	[ATTEMPT_BURYING] = { { ATTEMPT_EV_ARRIVED, ATTEMPT_EV_START, ATTEMPT_EV_FAILED }, 3 },
	[ATTEMPT_DISCARDING] = { { ATTEMPT_EV_UNREADABLE }, 1 },
	[ATTEMPT_OVER] = { { ATTEMPT_EV_ARRIVED, ATTEMPT_EV_START, ATTEMPT_EV_DONE }, 3 },
};

static struct attempt
in_state(enum attempt_state s, const struct attempt_opts *o)
{
	struct attempt_actions a;
	struct attempt t;

	attempt_init(&t, o);
	for (size_t i = 0; i < ways[s].n; i++)
		attempt_step(&t, ways[s].ev[i], NOW, &a);
	assert_int_equal(t.state, s);
	return t;
}

/* What the table says, once more and by hand: for a delivery that is the last (max_retries 0,
 * delivery 1).  Pairs that are not here change nothing. */
#define GRACE (5 * NS_PER_S)
static const struct pair {
	enum attempt_state state;
	enum attempt_event ev;
	enum attempt_state next;
	struct attempt_actions acts;
	int64_t due_ns;			/* from now; -1: never */
} pairs[] = {
	{ ATTEMPT_NEW, ATTEMPT_EV_ARRIVED, ATTEMPT_QUEUED, { .queue = true }, -1 },
	{ ATTEMPT_NEW, ATTEMPT_EV_UNREADABLE, ATTEMPT_DISCARDING, { .bury = true }, -1 },

	{ ATTEMPT_QUEUED, ATTEMPT_EV_START, ATTEMPT_RUNNING, { .run = true }, 10 * NS_PER_S },
	{ ATTEMPT_QUEUED, ATTEMPT_EV_CANCEL, ATTEMPT_OVER,
	    { .tell = ATTEMPT_TELL_CANCELLED, .settle = ATTEMPT_ACK }, -1 },
	{ ATTEMPT_QUEUED, ATTEMPT_EV_LEAVE, ATTEMPT_OVER, { .settle = ATTEMPT_NAK }, -1 },
	{ ATTEMPT_QUEUED, ATTEMPT_EV_ABANDON, ATTEMPT_OVER, { .settle = ATTEMPT_NAK }, -1 },

	{ ATTEMPT_PAUSED, ATTEMPT_EV_TIMER, ATTEMPT_QUEUED, { .queue = true }, -1 },
	{ ATTEMPT_PAUSED, ATTEMPT_EV_CANCEL, ATTEMPT_OVER,
	    { .tell = ATTEMPT_TELL_CANCELLED, .settle = ATTEMPT_ACK }, -1 },
	{ ATTEMPT_PAUSED, ATTEMPT_EV_LEAVE, ATTEMPT_OVER, { .settle = ATTEMPT_NAK }, -1 },
	{ ATTEMPT_PAUSED, ATTEMPT_EV_ABANDON, ATTEMPT_OVER, { .settle = ATTEMPT_NAK }, -1 },

	{ ATTEMPT_RUNNING, ATTEMPT_EV_DONE, ATTEMPT_OVER,
	    { .tell = ATTEMPT_TELL_COMPLETED, .settle = ATTEMPT_ACK }, -1 },
	{ ATTEMPT_RUNNING, ATTEMPT_EV_FAILED, ATTEMPT_BURYING, { .bury = true }, -1 },
	{ ATTEMPT_RUNNING, ATTEMPT_EV_DIED, ATTEMPT_OVER, { .settle = ATTEMPT_NAK, .delay_ns = NS_PER_S }, -1 },
	{ ATTEMPT_RUNNING, ATTEMPT_EV_BOUNCED, ATTEMPT_PAUSED, { .run = false }, NS_PER_S / 2 },
	{ ATTEMPT_RUNNING, ATTEMPT_EV_TIMER, ATTEMPT_BURYING, { .stop = true, .bury = true }, -1 },
	{ ATTEMPT_RUNNING, ATTEMPT_EV_CANCEL, ATTEMPT_CANCELLING, { .stop = true }, GRACE },
	{ ATTEMPT_RUNNING, ATTEMPT_EV_ABANDON, ATTEMPT_OVER, { .stop = true }, -1 },

#define CANCELLED { .tell = ATTEMPT_TELL_CANCELLED, .settle = ATTEMPT_ACK }, -1
	{ ATTEMPT_CANCELLING, ATTEMPT_EV_DONE, ATTEMPT_OVER, CANCELLED },
	{ ATTEMPT_CANCELLING, ATTEMPT_EV_FAILED, ATTEMPT_OVER, CANCELLED },
	{ ATTEMPT_CANCELLING, ATTEMPT_EV_DIED, ATTEMPT_OVER, CANCELLED },
	{ ATTEMPT_CANCELLING, ATTEMPT_EV_BOUNCED, ATTEMPT_OVER, CANCELLED },
	{ ATTEMPT_CANCELLING, ATTEMPT_EV_TIMER, ATTEMPT_OVER, CANCELLED },
	{ ATTEMPT_CANCELLING, ATTEMPT_EV_ABANDON, ATTEMPT_OVER, CANCELLED },

	{ ATTEMPT_BURYING, ATTEMPT_EV_BURIED, ATTEMPT_OVER,
	    { .tell = ATTEMPT_TELL_FAILED, .settle = ATTEMPT_TERM }, -1 },
	{ ATTEMPT_BURYING, ATTEMPT_EV_NOT_BURIED, ATTEMPT_BURYING, { .run = false }, NS_PER_S },
	{ ATTEMPT_BURYING, ATTEMPT_EV_TIMER, ATTEMPT_BURYING, { .bury = true }, -1 },
	{ ATTEMPT_BURYING, ATTEMPT_EV_ABANDON, ATTEMPT_OVER, { .run = false }, -1 },

	{ ATTEMPT_DISCARDING, ATTEMPT_EV_BURIED, ATTEMPT_OVER, { .settle = ATTEMPT_TERM }, -1 },
	{ ATTEMPT_DISCARDING, ATTEMPT_EV_NOT_BURIED, ATTEMPT_DISCARDING, { .run = false }, NS_PER_S },
	{ ATTEMPT_DISCARDING, ATTEMPT_EV_TIMER, ATTEMPT_DISCARDING, { .bury = true }, -1 },
	{ ATTEMPT_DISCARDING, ATTEMPT_EV_ABANDON, ATTEMPT_OVER, { .run = false }, -1 },
};

static const struct pair *
pair_of(enum attempt_state s, enum attempt_event ev)
{
	for (size_t i = 0; i < COUNT_OF(pairs); i++)
		if (pairs[i].state == s && pairs[i].ev == ev)
			return &pairs[i];
	return NULL;
}

static void
check_pair(enum attempt_state s, enum attempt_event ev)
{
	struct attempt_opts o = opts(1, 0);
	struct attempt before = in_state(s, &o), t = before;
	static const struct pair nothing = { .due_ns = -1 };
	const struct pair *p = pair_of(s, ev);
	struct attempt_actions a;

	print_message("%s x %s\n", attempt_state_name(s), attempt_event_name(ev));
	attempt_step(&t, ev, NOW, &a);
	if (p == NULL) {
		assert_int_equal(t.state, s);
		assert_int_equal(t.ignored, 1);
		assert_int_equal(t.due.ns, before.due.ns);
		p = &nothing;
	} else {
		assert_int_equal(t.ignored, 0);
		assert_int_equal(t.state, p->next);
		assert_int_equal(t.due.ns, p->due_ns < 0 ? MONO_NEVER.ns : NOW.ns + p->due_ns);
	}
	assert_int_equal(a.queue, p->acts.queue);
	assert_int_equal(a.run, p->acts.run);
	assert_int_equal(a.stop, p->acts.stop);
	assert_int_equal(a.bury, p->acts.bury);
	assert_int_equal(a.tell, p->acts.tell);
	assert_int_equal(a.settle, p->acts.settle);
	assert_int_equal(a.delay_ns, p->acts.delay_ns);
}

static void
every_pair_does_what_the_table_says(void **state)
{
	(void)state;
	for (int s = 0; s < ATTEMPT_STATE_COUNT; s++)
		for (int ev = 0; ev < ATTEMPT_EVENT_COUNT; ev++)
			check_pair((enum attempt_state)s, (enum attempt_event)ev);
}

/* A command's whole life: each delivery ends by `how`; how often it was run, and how the last
 * one ended. */
static uint64_t
live(int64_t max_retries, enum attempt_event how, struct attempt *t, struct attempt_actions *a, int64_t *paused)
{
	uint64_t runs = 0;

	*paused = 0;
	for (uint64_t n = 1;; n++) {
		struct attempt_opts o = opts(n, max_retries);
		assert_true(n < 100);
		attempt_init(t, &o);
		attempt_step(t, ATTEMPT_EV_ARRIVED, NOW, a);
		if (a->queue) {
			attempt_step(t, ATTEMPT_EV_START, NOW, a);
			assert_true(a->run);
			runs++;
			if (how == ATTEMPT_EVENT_COUNT)
				continue;	/* killed: it is simply delivered again */
			attempt_step(t, how, NOW, a);
		}
		if (a->settle != ATTEMPT_NAK)
			return runs;
		assert_int_equal(t->state, ATTEMPT_OVER);
		assert_true(a->delay_ns > *paused || a->delay_ns == 60 * NS_PER_S);
		*paused = a->delay_ns;
	}
}

static void
always_failing_runs_max_retries_and_one(void **state)
{
	static const int64_t retries[] = { 0, 1, 2, 3, 10 };
	static const enum attempt_event hows[] = { ATTEMPT_EV_FAILED, ATTEMPT_EV_TIMER };
	struct attempt_actions a;
	struct attempt t;
	int64_t paused;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(retries); i++) {
		for (size_t k = 0; k < COUNT_OF(hows); k++) {
			assert_int_equal(live(retries[i], hows[k], &t, &a, &paused), retries[i] + 1);
			assert_int_equal(t.state, ATTEMPT_BURYING);
			assert_true(a.bury);
			assert_int_equal(t.reason, hows[k] == ATTEMPT_EV_FAILED ? ATTEMPT_OWN : ATTEMPT_TIMED_OUT);
		}
	}
}

static void
a_killer_is_delivered_three_times_more(void **state)
{
	static const enum attempt_event hows[] = { ATTEMPT_EV_DIED, ATTEMPT_EVENT_COUNT };
	struct attempt_actions a;
	struct attempt t;
	int64_t paused;

	(void)state;
	for (size_t k = 0; k < COUNT_OF(hows); k++) {
		assert_int_equal(live(2, hows[k], &t, &a, &paused), 6);
		assert_int_equal(t.state, ATTEMPT_BURYING);
		assert_int_equal(t.reason, ATTEMPT_WORKER_DIED);
	}
}

static void
a_failure_among_crashes_is_final_at_the_same_count(void **state)
{
	struct attempt_opts o = opts(5, 2);
	struct attempt t = in_state(ATTEMPT_RUNNING, &o);
	struct attempt_actions a;

	(void)state;
	attempt_step(&t, ATTEMPT_EV_FAILED, NOW, &a);
	assert_int_equal(t.state, ATTEMPT_BURYING);
}

static void
told_before_settled_and_buried_before_told(void **state)
{
	struct attempt_opts o = opts(1, 0);
	struct attempt t = in_state(ATTEMPT_BURYING, &o);
	struct attempt_actions a;

	(void)state;
	for (int i = 0; i < 8; i++) {		/* the dead letters do not answer: nothing is told, nothing ends */
		attempt_step(&t, ATTEMPT_EV_NOT_BURIED, NOW, &a);
		assert_int_equal(a.tell, ATTEMPT_QUIET);
		assert_int_equal(a.settle, ATTEMPT_KEEP);
		assert_true(t.due.ns <= NOW.ns + 30 * NS_PER_S);
		attempt_step(&t, ATTEMPT_EV_TIMER, NOW, &a);
		assert_true(a.bury);
	}
	assert_int_equal(t.burials, 8);
	attempt_step(&t, ATTEMPT_EV_BURIED, NOW, &a);
	assert_int_equal(a.tell, ATTEMPT_TELL_FAILED);
	assert_int_equal(a.settle, ATTEMPT_TERM);
}

static void
pauses_double_up_to_the_limit(void **state)
{
	static const struct { uint64_t deliveries; int64_t s; } rows[] = {
		{ 0, 1 }, { 1, 1 }, { 2, 2 }, { 3, 4 }, { 6, 32 }, { 7, 60 }, { 8, 60 }, { UINT64_MAX, 60 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct attempt_opts o = opts(rows[i].deliveries, 0);
		assert_int_equal(attempt_backoff(&o), rows[i].s * NS_PER_S);
	}
	struct attempt_opts wide = { .deliveries = 300, .backoff_ns = 1, .backoff_max_ns = INT64_MAX };
	assert_int_equal(attempt_backoff(&wide), INT64_MAX);
}

static void
the_largest_max_retries_is_no_trap(void **state)
{
	struct attempt_opts o = opts(1, INT64_MAX);
	struct attempt t = in_state(ATTEMPT_RUNNING, &o);
	struct attempt_actions a;

	(void)state;
	attempt_step(&t, ATTEMPT_EV_FAILED, NOW, &a);
	assert_int_equal(a.settle, ATTEMPT_NAK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair_does_what_the_table_says),
		cmocka_unit_test(always_failing_runs_max_retries_and_one),
		cmocka_unit_test(a_killer_is_delivered_three_times_more),
		cmocka_unit_test(a_failure_among_crashes_is_final_at_the_same_count),
		cmocka_unit_test(told_before_settled_and_buried_before_told),
		cmocka_unit_test(pauses_double_up_to_the_limit),
		cmocka_unit_test(the_largest_max_retries_is_no_trap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
