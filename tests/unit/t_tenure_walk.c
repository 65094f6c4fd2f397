/* t_tenure_walk - a seeded walk over all events, with invariants, and two processes with one id over a model of the
 * store. */
#include "expect.h"

#include "base/magic.h"
#include "claim.h"
#include "member/tenure.h"

/* --- a seeded walk ----------------------------------------------------------------------- */

static uint64_t seed;

static uint64_t
draw(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

/* What an honest shell knows. */
struct walk {
	struct tenure t;
	bool wanted, registered;
	enum tenure_op under_way;
	uint64_t told;			/* the last revision that the store told */
	unsigned left, started;
};

static bool
is_waiting(enum tenure_state s)
{
	return s == TENURE_HELD || s == TENURE_WATCHING || s == TENURE_WAITING;
}

static bool
is_working(enum tenure_state s)
{
	return s == TENURE_CLAIMING || s == TENURE_RENEWING || s == TENURE_READING || s == TENURE_PROBING ||
	    s == TENURE_LEAVING;
}

static void
check_walk(struct walk *w, const struct tenure_event *ev, const struct tenure_actions *a, enum tenure_state was)
{
	const struct tenure *t = &w->t;
	bool counts = a->report == TENURE_REGISTERED || a->report == TENURE_TAKEN_OVER;

	if (a->op != TENURE_NOTHING) {
		assert_int_equal(w->under_way, TENURE_NOTHING);
		w->under_way = a->op;
	}
	if (a->op == TENURE_PUT) {
		assert_true(w->wanted);
		assert_true(a->expect == 0 || a->expect == w->told);
	}
	if (a->op == TENURE_REMOVE) {
		assert_false(w->wanted);
		assert_int_equal(a->expect, w->told);
	}
	if (counts) {
		assert_true(w->wanted && ev->kind == EV(PUT_DONE) && !w->registered);
		w->registered = true;
	}
	if (a->report == TENURE_IS_TWIN) {
		assert_true(w->wanted && was == TENURE_PROBING && ev->kind == EV(PROBE_OTHER));
		w->wanted = false;
	}
	assert_true((t->state == TENURE_TWIN) <= (was == TENURE_TWIN || a->report == TENURE_IS_TWIN));
	if (a->report == TENURE_LEFT || a->report == TENURE_REMOVED) {
		assert_int_equal(t->state, TENURE_OFF);
		assert_false(w->wanted);
		w->left++;
	}
	assert_true(t->wanted == w->wanted);
	assert_true((t->due.ns != MONO_NEVER.ns) == is_waiting(t->state));
	assert_true((w->under_way != TENURE_NOTHING) == is_working(t->state));
}

/* result: a random answer to the operation under way. */
static struct tenure_event
result(struct walk *w)
{
	struct tenure_event ev = { .kind = EV(FAILED), .heartbeat = (int64_t)draw(3), .foreign = draw(4) == 0 };
	enum tenure_event_kind reads[] = { EV(READ_NONE), EV(READ_MINE), EV(READ_OTHER) };
	enum tenure_event_kind probes[] = { EV(PROBE_NOBODY), EV(PROBE_SILENT), EV(PROBE_OTHER), EV(PROBE_EARLY) };

	if (draw(5) != 0) {
		switch (w->under_way) {
		case TENURE_PUT:
			ev.kind = draw(3) == 0 ? EV(PUT_CONFLICT) : EV(PUT_DONE);
			break;
		case TENURE_READ:
			ev.kind = reads[draw(COUNT_OF(reads))];
			break;
		case TENURE_PROBE:
			ev.kind = probes[draw(COUNT_OF(probes))];
			break;
		case TENURE_REMOVE:
			ev.kind = EV(REMOVED);
			break;
		case TENURE_NOTHING:
			break;
		}
	}
	if (ev.kind == EV(PUT_DONE) || ev.kind == EV(READ_MINE) || ev.kind == EV(READ_OTHER))
		w->told = ev.revision = w->told + 1 + draw(3);
	w->under_way = TENURE_NOTHING;
	return ev;
}

static void
walk_once(struct walk *w, bool may_start)
{
	enum tenure_event_kind outside[] = { EV(STOP), EV(DIRTY), EV(RECONNECTED), EV(TIMER), EV(TIMER), EV(TIMER) };
	struct tenure_event ev = { .kind = outside[draw(COUNT_OF(outside))] };
	struct tenure_actions a;
	enum tenure_state was = w->t.state;

	if (w->under_way != TENURE_NOTHING && draw(3) != 0)
		ev = result(w);
	else if (was == TENURE_OFF && may_start)
		ev.kind = EV(START);
	else if (ev.kind == EV(STOP) && draw(8) != 0)
		ev.kind = EV(TIMER);
	if (ev.kind == EV(START)) {
		w->wanted = true;
		w->registered = false;
		w->told = 0;
		w->started++;
	}
	if (ev.kind == EV(STOP))
		w->wanted = false;
	now = mono_after(now, (int64_t)draw(4 * NS_PER_S));
	tenure_step(&w->t, &ev, now, &a);
	check_walk(w, &ev, &a, was);
}

static void
no_walk_breaks_an_invariant(void **state)
{
	(void)state;
	for (uint64_t n = 1; n <= 400; n++) {
		struct walk w = { .wanted = false };
		seed = n * UINT64_C(0x9e3779b97f4a7c15);
		fresh(&w.t);
		for (int i = 0; i < 500; i++)
			walk_once(&w, true);
		/* Stopped and answered, it comes to rest. */
		for (int i = 0; w.t.state != TENURE_OFF && i < 2000; i++)
			walk_once(&w, false);
		if (w.t.state != TENURE_OFF || w.started == 0 || w.left < w.started)
			fail_msg("seed %llu: %s after %u starts and %u ends", (unsigned long long)n,
			    tenure_state_name(w.t.state), w.started, w.left);
	}
}

/* --- two processes, one id, one store ---------------------------------------------------- */

#define PROCESSES 2
#define TTL (30 * NS_PER_S)

struct process {
	struct tenure t;
	uint64_t nonce;
	enum tenure_op under_way;
	uint64_t expect;
	bool answers;			/* to probes: registered, and neither left nor refused */
	bool alive;
};

struct world {
	struct process p[PROCESSES];
	uint64_t revision, nonce;	/* of the record; nonce 0: there is none */
	struct mono written;
	uint64_t nonces;
	bool faults;
};

static void
be_born(struct world *w, struct process *p)
{
	*p = (struct process){ .nonce = ++w->nonces, .alive = true };
	tenure_init(&p->t, &(struct tenure_opts){ .heartbeat_ns = BEAT, .seed = draw(UINT64_MAX) });
}

static void
feed(struct process *p, const struct tenure_event *ev)
{
	struct tenure_actions a;

	tenure_step(&p->t, ev, now, &a);
	if (a.op != TENURE_NOTHING) {
		assert_int_equal(p->under_way, TENURE_NOTHING);
		p->under_way = a.op;
		p->expect = a.expect;
	}
	p->answers = p->answers || a.report == TENURE_REGISTERED || a.report == TENURE_TAKEN_OVER;
	if (a.report == TENURE_IS_TWIN || a.report == TENURE_LEFT || a.report == TENURE_REMOVED)
		p->answers = false;
}

static void
store_put(struct world *w, struct process *p, struct tenure_event *ev)
{
	/* 0 means absent: over a marker, too, as the shell puts over its revision. */
	bool fits = p->expect == 0 ? w->nonce == 0 : w->nonce != 0 && p->expect == w->revision;

	ev->kind = fits ? EV(PUT_DONE) : EV(PUT_CONFLICT);
	if (!fits)
		return;
	w->nonce = p->nonce;
	w->written = now;
	ev->revision = ++w->revision;
}

static void
store_read(const struct world *w, const struct process *p, struct tenure_event *ev)
{
	ev->kind = w->nonce == 0 ? EV(READ_NONE) : w->nonce == p->nonce ? EV(READ_MINE) : EV(READ_OTHER);
	ev->revision = w->revision;
	ev->heartbeat = w->written.ns;
}

static void
probe(const struct world *w, const struct process *p, struct tenure_event *ev)
{
	ev->kind = p->answers ? EV(PROBE_SILENT) : EV(PROBE_NOBODY);
	for (size_t i = 0; i < PROCESSES; i++)
		if (&w->p[i] != p && w->p[i].alive && w->p[i].answers)
			ev->kind = EV(PROBE_OTHER);
}

/* carry_out: the operation under way, with an answer that may get lost behind it. */
static void
carry_out(struct world *w, struct process *p)
{
	struct tenure_event ev = { .kind = EV(FAILED) };
	enum tenure_op op = p->under_way;

	p->under_way = TENURE_NOTHING;
	if (w->nonce != 0 && mono_since(now, w->written) >= TTL)
		w->nonce = 0;
	if (op == TENURE_PUT)
		store_put(w, p, &ev);
	else if (op == TENURE_READ)
		store_read(w, p, &ev);
	else if (op == TENURE_PROBE)
		probe(w, p, &ev);
	else if (w->nonce == p->nonce && p->expect == w->revision)
		ev.kind = (w->nonce = 0, w->revision++, EV(REMOVED));
	if (w->faults && draw(6) == 0)
		ev = (struct tenure_event){ .kind = EV(FAILED) };
	feed(p, &ev);
}

static void
turn(struct world *w)
{
	struct process *p = &w->p[draw(PROCESSES)];

	now = mono_after(now, (int64_t)draw(NS_PER_S));
	if (w->faults && draw(40) == 0)
		p->alive = false;
	if (!p->alive) {
		if (draw(20) == 0 || !w->faults)
			be_born(w, p);
		return;
	}
	if (p->t.state == TENURE_OFF)
		feed(p, &(struct tenure_event){ .kind = EV(START) });
	else if (p->under_way != TENURE_NOTHING)
		carry_out(w, p);
	else if (w->faults && p->t.state == TENURE_TWIN)
		be_born(w, p);			/* its supervisor starts it again */
	else if (mono_reached(now, p->t.due))
		feed(p, &(struct tenure_event){ .kind = EV(TIMER) });
	else if (w->faults && draw(10) == 0)
		feed(p, &(struct tenure_event){ .kind = draw(2) == 0 ? EV(RECONNECTED) : EV(DIRTY) });
}

/* When the faults end, one of them holds the record and the other one knows why it does not. */
static void
of_two_with_one_id_exactly_one_stays(void **state)
{
	(void)state;
	for (uint64_t n = 1; n <= 500; n++) {
		struct world w = { .faults = true };
		unsigned holders = 0, twins = 0;
		seed = n * UINT64_C(0x9e3779b97f4a7c15);
		now = (struct mono){ 1000 * NS_PER_S };
		for (size_t i = 0; i < PROCESSES; i++)
			be_born(&w, &w.p[i]);
		for (int i = 0; i < 2000; i++)
			turn(&w);
		w.faults = false;
		for (int i = 0; i < 2000; i++)
			turn(&w);
		for (size_t i = 0; i < PROCESSES; i++) {
			enum tenure_state s = w.p[i].t.state;
			holders += (s == TENURE_HELD || s == TENURE_RENEWING) && w.nonce == w.p[i].nonce;
			twins += s == TENURE_TWIN;
		}
		if (holders != 1 || twins != PROCESSES - 1)
			fail_msg("seed %llu: %s and %s", (unsigned long long)n, tenure_state_name(w.p[0].t.state),
			    tenure_state_name(w.p[1].t.state));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_walk_breaks_an_invariant),
		cmocka_unit_test(of_two_with_one_id_exactly_one_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
