/* t_supervisor - the state table, row by row, and a random walk through it.
 *
 * A step is written down as text: the transitions, then what is to be done, in order.  The
 * table below is written by hand, not made from supervisor.def, so that a wrong row there
 * does not agree with itself here. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "runner/supervisor.h"

static const struct supervisor_opts opts = {
	.restart = { .when = RESTART_ON_FAILURE, .max = 2, .window_ns = 600 * NS_PER_S },
	.seed = 1, .stop_signal = 15, .kill_after_ns = 5 * NS_PER_S, .ready_timeout_ns = 10 * NS_PER_S,
};

static struct mono now;

static void
note(struct str *out, const struct supervisor_action *a)
{
	static const char *const reports[] = { "starting", "ready", "unhealthy", "down" };

	if (out->len > 0)
		str_putc(out, ' ');
	switch (a->kind) {
	case SUPERVISOR_SPAWN:
		str_puts(out, "spawn");
		break;
	case SUPERVISOR_SIGNAL:
		str_printf(out, "signal:%d", a->value);
		break;
	case SUPERVISOR_KILL_ALL:
		str_puts(out, "kill");
		break;
	case SUPERVISOR_KILL_HARD:
		str_puts(out, "kill-hard");
		break;
	case SUPERVISOR_REPORT:
		str_printf(out, "tell:%s", reports[a->value]);
		break;
	case SUPERVISOR_FINISH:
		str_printf(out, "finish:%d/%d", a->value, a->value2);
		break;
	case SUPERVISOR_ENTERED:
		str_printf(out, ">%s", supervisor_state_name((enum supervisor_state)a->value2));
		break;
	}
}

static void
step(struct supervisor *s, struct supervisor_event e, struct str *out)
{
	struct supervisor_actions actions;

	supervisor_step(s, &e, now, &actions);
	str_clear(out);
	for (unsigned i = 0; i < actions.n; i++)
		note(out, &actions.v[i]);
}

static struct supervisor_event
ev(enum supervisor_event_kind kind)
{
	struct supervisor_event e = { .kind = kind };

	if (kind == SUPERVISOR_EV_EXITED)
		e.code = 3;
	else if (kind == SUPERVISOR_EV_FAILED)
		e.code = 127;
	return e;
}

/* go: from the beginning along the events of a word: S start, s started, r ready, b bad,
 * t stop, k kill, x exited, e empty, w the deadline passes. */
static void
go(struct supervisor *s, const char *way)
{
	static const struct { char letter; enum supervisor_event_kind kind; } letters[] = {
		{ 'S', SUPERVISOR_EV_START }, { 's', SUPERVISOR_EV_STARTED }, { 'r', SUPERVISOR_EV_MADE_READY },
		{ 'b', SUPERVISOR_EV_TURNED_BAD }, { 't', SUPERVISOR_EV_STOP }, { 'k', SUPERVISOR_EV_KILL },
		{ 'x', SUPERVISOR_EV_EXITED }, { 'e', SUPERVISOR_EV_EMPTY }, { 'w', SUPERVISOR_EV_TIMER },
	};
	struct str out = STR_INIT;

	now = (struct mono){ 1000 * NS_PER_S };
	supervisor_init(s, &opts);
	for (; *way != '\0'; way++) {
		for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++) {
			if (letters[i].letter != *way)
				continue;
			if (*way == 'w')
				now = s->deadline;
			step(s, ev(letters[i].kind), &out);
		}
	}
	str_release(&out);
}

/* The states and how they are reached. */
static const struct { enum supervisor_state state; const char *way; } ways[] = {
	{ SUPERVISOR_IDLE, "" },
	{ SUPERVISOR_STARTING, "S" },
	{ SUPERVISOR_RUNNING, "Ss" },
	{ SUPERVISOR_READY, "Ssr" },
	{ SUPERVISOR_UNHEALTHY, "Ssrb" },
	{ SUPERVISOR_STOPPING, "Ssrt" },
	{ SUPERVISOR_KILLING, "Ssrx" },
	{ SUPERVISOR_BACKOFF, "Ssrxe" },
	{ SUPERVISOR_FINISHED, "Ssrtxe" },
};

/* Every pair that does something; TIMER means that the deadline has passed. */
static const struct row {
	enum supervisor_state state;
	enum supervisor_event_kind event;
	const char *done;
} rows[] = {
#define ROW(s, e, text) { SUPERVISOR_##s, SUPERVISOR_EV_##e, text }
	ROW(IDLE, START, ">starting spawn tell:starting"),
	ROW(IDLE, STOP, ">finished finish:0/0"),
	ROW(IDLE, KILL, ">finished finish:0/0"),
	ROW(STARTING, STOP, ">stopping signal:15"),
	ROW(STARTING, KILL, ">killing kill"),
	ROW(STARTING, STARTED, ">running"),
	/* Never executed: a mistake, not tried again. */
	ROW(STARTING, FAILED, ">down tell:down >finished finish:127/0"),
	ROW(STARTING, LOST, ">down tell:down >backoff"),
	ROW(STARTING, MADE_READY, ""),
	ROW(RUNNING, STOP, ">stopping signal:15"),
	ROW(RUNNING, KILL, ">killing kill"),
	ROW(RUNNING, EXITED, ">killing tell:down kill"),
	ROW(RUNNING, LOST, ">down tell:down >backoff"),
	ROW(RUNNING, MADE_READY, ">ready tell:ready"),
	ROW(RUNNING, TIMER, ">stopping signal:15"),
	ROW(READY, STOP, ">stopping signal:15"),
	ROW(READY, KILL, ">killing kill"),
	ROW(READY, EXITED, ">killing tell:down kill"),
	ROW(READY, LOST, ">down tell:down >backoff"),
	ROW(READY, TURNED_BAD, ">unhealthy tell:unhealthy"),
	ROW(UNHEALTHY, STOP, ">stopping signal:15"),
	ROW(UNHEALTHY, KILL, ">killing kill"),
	ROW(UNHEALTHY, EXITED, ">killing tell:down kill"),
	ROW(UNHEALTHY, LOST, ">down tell:down >backoff"),
	ROW(UNHEALTHY, TURNED_GOOD, ">ready tell:ready"),
	ROW(STOPPING, STOP, ""),
	ROW(STOPPING, KILL, ">killing kill"),
	ROW(STOPPING, STARTED, ""),
	ROW(STOPPING, FAILED, ">down tell:down >finished finish:127/0"),
	ROW(STOPPING, EXITED, "tell:down"),
	ROW(STOPPING, EMPTY, ">down >finished tell:down finish:0/0"),
	ROW(STOPPING, LOST, ">down tell:down >finished finish:137/9"),
	ROW(STOPPING, TIMER, ">killing kill"),
	ROW(KILLING, STOP, ""),
	ROW(KILLING, KILL, ""),
	ROW(KILLING, STARTED, ""),
	ROW(KILLING, FAILED, ">down >backoff"),
	ROW(KILLING, EXITED, ""),
	ROW(KILLING, EMPTY, ">down >backoff"),
	/* The program's own code was told before the guardian died, so it counts. */
	ROW(KILLING, LOST, ">down >backoff"),
	ROW(KILLING, TIMER, "kill-hard"),
	ROW(BACKOFF, STOP, ">finished finish:3/0"),
	ROW(BACKOFF, KILL, ">finished finish:3/0"),
	ROW(BACKOFF, TIMER, ">starting spawn tell:starting"),
	ROW(FINISHED, START, ">starting spawn tell:starting"),
#undef ROW
};

static const struct row *
row_of(enum supervisor_state s, enum supervisor_event_kind e)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].state == s && rows[i].event == e)
			return &rows[i];
	return NULL;
}

static void
every_pair_does_what_the_table_says_and_the_others_nothing(void **state)
{
	struct str out = STR_INIT;
	size_t listed = 0;

	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		for (int k = 0; k < SUPERVISOR_EVENT_COUNT; k++) {
			enum supervisor_event_kind e = (enum supervisor_event_kind)k;
			const struct row *row = row_of(ways[i].state, e);
			struct supervisor s;
			go(&s, ways[i].way);
			assert_int_equal(s.state, ways[i].state);
			uint64_t ignored = s.ignored;
			if (e == SUPERVISOR_EV_TIMER && row != NULL)
				now = s.deadline;
			step(&s, ev(e), &out);
			if (strcmp(str_text(&out), row != NULL ? row->done : "") != 0)
				fail_msg("%s + %s: '%s', not '%s'", supervisor_state_name(ways[i].state),
				    supervisor_event_name(e), str_text(&out), row != NULL ? row->done : "(ignored)");
			assert_int_equal(s.ignored - ignored, row == NULL);
			assert_int_equal(supervisor_edge(ways[i].state, e, NULL), row != NULL);
			listed += row != NULL;
		}
	}
	assert_int_equal(listed, sizeof rows / sizeof rows[0]);
	str_release(&out);
}

/* A quick program's word comes over another descriptor than its guardian's. */
static void
readiness_may_overtake_the_news_of_the_start(void **state)
{
	struct supervisor s;
	struct str out = STR_INIT;

	(void)state;
	go(&s, "Sr");
	step(&s, ev(SUPERVISOR_EV_STARTED), &out);
	assert_string_equal(str_text(&out), ">running >ready tell:ready");
	assert_int_equal(s.deadline.ns, INT64_MAX);
	/* It does not count for the next run. */
	step(&s, ev(SUPERVISOR_EV_EXITED), &out);
	step(&s, ev(SUPERVISOR_EV_EMPTY), &out);
	now = s.deadline;
	step(&s, ev(SUPERVISOR_EV_TIMER), &out);
	step(&s, ev(SUPERVISOR_EV_STARTED), &out);
	assert_string_equal(str_text(&out), ">running");
	str_release(&out);
}

static void
a_timer_before_the_deadline_does_nothing(void **state)
{
	struct supervisor s;
	struct str out = STR_INIT;

	(void)state;
	go(&s, "Ssrt");
	assert_int_equal(mono_since(s.deadline, now), 5 * NS_PER_S);
	now.ns = s.deadline.ns - 1;
	step(&s, ev(SUPERVISOR_EV_TIMER), &out);
	assert_int_equal(s.state, SUPERVISOR_STOPPING);
	assert_int_equal(out.len, 0);
	now.ns++;
	step(&s, ev(SUPERVISOR_EV_TIMER), &out);
	assert_string_equal(str_text(&out), ">killing kill");
	str_release(&out);
}

/* finishes: an end of the program, then what is told at the very end. */
static void
expect_end(struct supervisor *s, struct supervisor_event end, const char *done)
{
	struct str out = STR_INIT;

	step(s, end, &out);
	step(s, ev(SUPERVISOR_EV_EMPTY), &out);
	assert_string_equal(str_text(&out), done);
	str_release(&out);
}

static void
the_exit_code_is_the_childs_own(void **state)
{
	struct supervisor s;

	(void)state;
	go(&s, "Ssr");
	expect_end(&s, (struct supervisor_event){ .kind = SUPERVISOR_EV_EXITED, .code = 0 },
	    ">down >finished finish:0/0");
	go(&s, "Ssrt");
	expect_end(&s, (struct supervisor_event){ .kind = SUPERVISOR_EV_EXITED, .code = 143, .signo = 15 },
	    ">down >finished finish:143/15");
	go(&s, "Ssrt");
	expect_end(&s, (struct supervisor_event){ .kind = SUPERVISOR_EV_EXITED, .code = 42 },
	    ">down >finished finish:42/0");
	go(&s, "Ssr");
	expect_end(&s, (struct supervisor_event){ .kind = SUPERVISOR_EV_EXITED, .code = 125 },
	    ">down >finished finish:125/0");
}

static void
a_spent_budget_ends_with_the_last_code(void **state)
{
	struct supervisor s;

	(void)state;
	go(&s, "Ssrxewsrxewsr");
	assert_int_equal(s.restarts, 2);
	expect_end(&s, (struct supervisor_event){ .kind = SUPERVISOR_EV_EXITED, .code = 139, .signo = 11 },
	    ">down >finished finish:139/11");
	assert_int_equal(s.starts, 3);
	/* An orchestrator must notice: what is always restarted does not end with 0. */
	go(&s, "Ssrxewsrxewsr");
	s.opts.restart.when = s.restart.policy.when = RESTART_ALWAYS;
	expect_end(&s, (struct supervisor_event){ .kind = SUPERVISOR_EV_EXITED, .code = 0 },
	    ">down >finished finish:1/0");
}

static void
not_ready_in_time_is_a_failure_of_its_own(void **state)
{
	struct supervisor s;
	struct supervisor_event term = { .kind = SUPERVISOR_EV_EXITED, .code = 143, .signo = 15 };

	(void)state;
	go(&s, "Ssw");
	assert_int_equal(s.state, SUPERVISOR_STOPPING);
	expect_end(&s, term, ">down >backoff");
	/* With the budget spent the code says that it was the wrapper's verdict. */
	go(&s, "Ssrxewsrxewsw");
	assert_int_equal(s.state, SUPERVISOR_STOPPING);
	expect_end(&s, term, ">down >finished finish:125/0");
	/* A stop that comes meanwhile wins. */
	go(&s, "Sswt");
	expect_end(&s, term, ">down >finished finish:143/15");
}

static void
a_lost_guardian_is_replaced_until_the_budget_is_spent(void **state)
{
	struct supervisor s;
	struct str out = STR_INIT;

	(void)state;
	go(&s, "Ssrxewsrxewsr");
	step(&s, ev(SUPERVISOR_EV_LOST), &out);
	assert_string_equal(str_text(&out), ">down tell:down >finished finish:125/0");
	str_release(&out);
}

static void
without_patience_the_kill_follows_at_once(void **state)
{
	struct supervisor_opts at_once = opts;
	struct supervisor s;
	struct str out = STR_INIT;

	(void)state;
	at_once.kill_after_ns = 0;
	supervisor_init(&s, &at_once);
	step(&s, ev(SUPERVISOR_EV_START), &out);
	step(&s, ev(SUPERVISOR_EV_STARTED), &out);
	step(&s, ev(SUPERVISOR_EV_STOP), &out);
	assert_int_equal(s.deadline.ns, now.ns);
	step(&s, ev(SUPERVISOR_EV_TIMER), &out);
	assert_string_equal(str_text(&out), ">killing kill");
	str_release(&out);
}

static void
a_new_life_has_a_new_budget(void **state)
{
	struct supervisor s;
	struct str out = STR_INIT;

	(void)state;
	go(&s, "Ssrxewsrxewsrxe");
	assert_int_equal(s.state, SUPERVISOR_FINISHED);
	step(&s, ev(SUPERVISOR_EV_START), &out);
	step(&s, ev(SUPERVISOR_EV_STARTED), &out);
	step(&s, ev(SUPERVISOR_EV_EXITED), &out);
	step(&s, ev(SUPERVISOR_EV_EMPTY), &out);
	assert_string_equal(str_text(&out), ">down >backoff");
	str_release(&out);
}

/* --- the random walk --------------------------------------------------------------------- */

/* A guardian as the machine sees it: what may happen next is what a real one could tell. */
struct world {
	uint64_t seed;
	bool has_guardian, is_running, has_exited, was_killed;
	unsigned told_down_since_start, finishes;
	bool expects_finish;
	int last_report;
};

static uint64_t
draw(struct world *w, uint64_t n)
{
	w->seed = w->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (w->seed >> 33) % n;
}

static struct supervisor_event
choose(struct world *w, const struct supervisor *s)
{
	static const int codes[] = { 0, 1, 3, 125, 127, 137 };
	struct supervisor_event e = { .kind = SUPERVISOR_EV_TIMER };

	switch (draw(w, 12)) {
	case 0:
		e.kind = SUPERVISOR_EV_START;
		break;
	case 1:
		e.kind = draw(w, 4) == 0 ? SUPERVISOR_EV_STOP : SUPERVISOR_EV_TURNED_BAD;
		break;
	case 2:
		e.kind = draw(w, 6) == 0 ? SUPERVISOR_EV_KILL : SUPERVISOR_EV_TURNED_GOOD;
		break;
	case 3:
		e.kind = SUPERVISOR_EV_MADE_READY;
		break;
	case 4:
	case 5:
		if (s->deadline.ns != INT64_MAX && s->deadline.ns > now.ns)
			now = s->deadline;
		break;
	default:
		if (!w->has_guardian)
			break;
		if (draw(w, 20) == 0) {
			e.kind = SUPERVISOR_EV_LOST;
		} else if (!w->is_running && !w->has_exited) {
			e.kind = draw(w, 8) == 0 ? SUPERVISOR_EV_FAILED : SUPERVISOR_EV_STARTED;
			e.code = 127;
		} else if (!w->has_exited) {
			e.kind = SUPERVISOR_EV_EXITED;
			e.code = codes[draw(w, sizeof codes / sizeof codes[0])];
		} else {
			e.kind = SUPERVISOR_EV_EMPTY;
		}
		break;
	}
	return e;
}

static void
world_before(struct world *w, const struct supervisor_event *e)
{
	switch (e->kind) {
	case SUPERVISOR_EV_STARTED:
		w->is_running = true;
		break;
	case SUPERVISOR_EV_EXITED:
		w->is_running = false;
		w->has_exited = true;
		break;
	case SUPERVISOR_EV_FAILED:
	case SUPERVISOR_EV_EMPTY:
	case SUPERVISOR_EV_LOST:
		w->has_guardian = w->is_running = w->has_exited = false;
		break;
	default:
		break;
	}
}

#define HOLDS(cond) do { \
	if (!(cond)) \
		fail_msg("seed %llu, step %u: %s", (unsigned long long)seed, i, #cond); \
} while (0)

static void
a_random_walk_keeps_the_invariants(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 3000; seed++) {
		struct world w = { .seed = seed, .last_report = SUPERVISOR_IS_DOWN };
		struct supervisor_opts o = opts;
		struct supervisor s;
		o.restart.when = (enum restart_when)(seed % 3);
		o.seed = seed;
		now = (struct mono){ (int64_t)seed };
		supervisor_init(&s, &o);
		for (unsigned i = 0; i < 300; i++) {
			struct supervisor_event e = choose(&w, &s);
			struct supervisor_actions a;
			bool was_wanted = s.is_wanted;
			enum supervisor_state was = s.state;
			world_before(&w, &e);
			supervisor_step(&s, &e, now, &a);
			for (unsigned k = 0; k < a.n; k++) {
				const struct supervisor_action *x = &a.v[k];
				switch (x->kind) {
				case SUPERVISOR_SPAWN:
					/* One run at a time, and only when it is wanted. */
					HOLDS(!w.has_guardian && s.is_wanted);
					w.has_guardian = true;
					break;
				case SUPERVISOR_SIGNAL:
				case SUPERVISOR_KILL_ALL:
				case SUPERVISOR_KILL_HARD:
					HOLDS(w.has_guardian);
					break;
				case SUPERVISOR_REPORT:
					/* Nothing is told twice; nobody vouches for a corpse. */
					HOLDS(x->value != w.last_report);
					HOLDS(x->value == SUPERVISOR_IS_DOWN || (w.has_guardian && !w.has_exited));
					w.last_report = x->value;
					break;
				case SUPERVISOR_FINISH:
					/* The last action; nothing of the run is left; told as down. */
					HOLDS(k == a.n - 1 && !w.has_guardian && !s.is_wanted);
					HOLDS(w.last_report == SUPERVISOR_IS_DOWN);
					HOLDS(was != SUPERVISOR_FINISHED);
					break;
				case SUPERVISOR_ENTERED:
					HOLDS(x->value != x->value2);
					break;
				}
			}
			HOLDS(s.state != SUPERVISOR_DOWN);
			HOLDS((s.state == SUPERVISOR_FINISHED || s.state == SUPERVISOR_IDLE || s.state == SUPERVISOR_BACKOFF) ==
			    !w.has_guardian);
			/* What waits for something has a deadline or news to come from a guardian. */
			HOLDS(s.state != SUPERVISOR_BACKOFF || s.deadline.ns != INT64_MAX);
			HOLDS(s.state != SUPERVISOR_STOPPING || s.deadline.ns != INT64_MAX);
			HOLDS(s.state != SUPERVISOR_KILLING || s.deadline.ns != INT64_MAX);
			/* Not wanted any more: it is on its way down, never back up. */
			if (!s.is_wanted && !was_wanted)
				HOLDS(s.state != SUPERVISOR_STARTING && s.state != SUPERVISOR_READY && s.state != SUPERVISOR_BACKOFF);
			now.ns += (int64_t)draw(&w, (uint64_t)(2 * NS_PER_S));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair_does_what_the_table_says_and_the_others_nothing),
		cmocka_unit_test(readiness_may_overtake_the_news_of_the_start),
		cmocka_unit_test(a_timer_before_the_deadline_does_nothing),
		cmocka_unit_test(the_exit_code_is_the_childs_own),
		cmocka_unit_test(a_spent_budget_ends_with_the_last_code),
		cmocka_unit_test(not_ready_in_time_is_a_failure_of_its_own),
		cmocka_unit_test(a_lost_guardian_is_replaced_until_the_budget_is_spent),
		cmocka_unit_test(without_patience_the_kill_follows_at_once),
		cmocka_unit_test(a_new_life_has_a_new_budget),
		cmocka_unit_test(a_random_walk_keeps_the_invariants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
