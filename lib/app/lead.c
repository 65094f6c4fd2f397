/* lead.c - what a lease means for a wrapped program, and what becomes of the program for the lease. */
#include "app/lead.h"

#include "base/magic.h"
#include "base/mem.h"
#include "member/candidate.h"
#include "runner/tether.h"
#include "sys/loop.h"

#define LEAD_MAGIC 0x1ead1001u
#define IDLE_NS (1 * NS_PER_MS)		/* how often it is looked whether the last call ended */
#define TURN_NS (500 * NS_PER_MS)	/* how often the guardian is shown that the loop turns */

struct lead {
	unsigned magic;
	struct lead_opts o;
	struct candidate *candidate;
	struct elector *elector;

	struct lead_role told;		/* as the owner knows it */
	bool ready;			/* the program can execute calls */
	bool alive;			/* something of a run may live: from the wish to lead_gone */
	bool must_die;			/* by the elector's word; cleared by lead_gone */
	bool stopping;			/* LEAD_STOP was wished */
	bool leaving;
	bool wants_idle;		/* the elector waits for the promise of elector_idle */
	struct loop_timer idle, turn;
};

static void look_idle(void *arg);

static bool
leads(const struct lead *l)
{
	return candidate_leads(l->candidate);
}

struct lead_role
lead_role(const struct lead *l)
{
	static const char *const names[] = { "standby", "active" };

	return (struct lead_role){ names[leads(l)], candidate_epoch(l->candidate) };
}

/* --- eligible ---------------------------------------------------------------------------- */

static void
judge_fit(struct lead *l)
{
	/* A cold program that does not run is as healthy as can be known. */
	candidate_fit(l->candidate, l->ready || (l->o.cold && (!l->alive || leads(l))));
}

/* --- idle -------------------------------------------------------------------------------- */

static void
wish(struct lead *l, enum lead_wish w)
{
	if (w == LEAD_RUN) {
		l->alive = true;
		l->stopping = l->must_die = false;
	}
	l->o.wish(l->o.arg, w);
}

static bool
may_be_idle(struct lead *l)
{
	if (gate_in_flight(elector_gate(l->elector)) > 0)
		return false;
	if (l->must_die || l->o.cold)
		return !l->alive;
	return true;			/* a hot program that lets go in good order lives on */
}

static void
look_idle(void *arg)
{
	struct lead *l = arg;

	if (!l->wants_idle)
		return;
	if (may_be_idle(l)) {
		l->wants_idle = false;
		elector_idle(l->elector);
		return;
	}
	/* Step 5 of a cold program's way down, once step 1 is done; a wrapper that leaves stops it itself. */
	if (l->o.cold && l->alive && !l->stopping && !l->must_die && !l->leaving &&
	    gate_in_flight(elector_gate(l->elector)) == 0) {
		l->stopping = true;
		wish(l, LEAD_STOP);
	}
	loop_timer_set(l->o.loop, &l->idle, mono_after(clock_mono(loop_clock(l->o.loop)), IDLE_NS), look_idle, l);
}

static void
want_idle(struct lead *l)
{
	l->wants_idle = true;
	look_idle(l);
}

/* --- what the elector says --------------------------------------------------------------- */

static void
on_role(void *arg, const struct elector_role *role)
{
	struct lead *l = arg;
	struct lead_role was = l->told;

	l->told = lead_role(l);
	if (l->told.name != was.name || l->told.epoch != was.epoch)
		l->o.told(l->o.arg);
	switch (role->state) {
	case LEASE_ACTIVE:
		l->wants_idle = false;
		if (l->o.cold && !l->alive && !l->leaving)
			wish(l, LEAD_RUN);
		break;
	case LEASE_DRAINING:
	case LEASE_FENCED:
	case LEASE_RETIRED:
		want_idle(l);
		break;
	case LEASE_STANDBY:
		tether_ease(l->o.tether);
		break;
	default:
		break;
	}
	judge_fit(l);
}

static void
on_reap(void *arg)
{
	struct lead *l = arg;

	l->must_die = l->alive;
	l->ready = false;
	candidate_pause(l->candidate, true);
	if (l->alive)
		wish(l, LEAD_KILL);
}

static void
on_failed(void *arg, const struct err *why)
{
	struct lead *l = arg;

	l->o.failed(l->o.arg, why);
}

static void
on_ended(void *arg)
{
	struct lead *l = arg;

	l->o.ended(l->o.arg);
}

static void
on_call(void *arg, struct rpc_call *call)
{
	struct lead *l = arg;

	l->o.call(l->o.arg, call);
}

/* --- what the wrapper says --------------------------------------------------------------- */

void
lead_call(struct lead *l, struct rpc_call *call)
{
	candidate_call(l->candidate, call);
}

void
lead_return(struct lead *l, struct rpc_call *call)
{
	candidate_return(l->candidate, call);
}

void
lead_registered(struct lead *l)
{
	candidate_registered(l->candidate);
}

bool
lead_status(struct lead *l, enum runner_status s)
{
	bool was = l->ready;

	l->ready = s == RUNNER_READY && !l->must_die;
	if (s != RUNNER_DOWN)
		l->alive = true;
	candidate_pause(l->candidate, !l->ready);
	/* A cold program that broke down is somebody else's turn, not a reason to try again here. */
	if (l->o.cold && was && !l->ready && leads(l))
		elector_resign(l->elector, NULL, false, NULL);
	judge_fit(l);
	return l->ready || (l->o.cold && (s == RUNNER_STARTING || !l->alive));
}

void
lead_lapsed(struct lead *l)
{
	/* What the program was told cannot be taken back, even if the lease is renewed after all. */
	on_reap(l);
	judge_fit(l);
}

bool
lead_gone(struct lead *l)
{
	bool wished = l->must_die || (l->o.cold && l->stopping);

	l->alive = l->ready = l->must_die = l->stopping = false;
	candidate_pause(l->candidate, true);
	look_idle(l);
	if (wished && l->o.cold && leads(l))
		elector_resign(l->elector, NULL, false, NULL);
	judge_fit(l);
	if (wished && !l->o.cold && !l->leaving)
		wish(l, LEAD_RUN);	/* as a standby */
	return wished && !l->leaving;
}

void
lead_leave(struct lead *l)
{
	l->leaving = true;
	candidate_leave(l->candidate);
}

bool
lead_is_over(const struct lead *l)
{
	return candidate_is_over(l->candidate);
}

bool
lead_is_cold(const struct lead *l)
{
	return l->o.cold;
}

struct gate *
lead_gate(struct lead *l)
{
	return elector_gate(l->elector);
}

struct fence *
lead_fence(struct lead *l)
{
	return candidate_fence(l->candidate);
}

struct elector *
lead_elector(struct lead *l)
{
	return l->elector;
}

const struct exclusive_counters *
lead_counters(const struct lead *l)
{
	return candidate_counters(l->candidate);
}

void
lead_member(struct lead *l, struct member *m)
{
	candidate_member(l->candidate, m);
}

/* --- its life ---------------------------------------------------------------------------- */

static void
on_turn(void *arg)
{
	struct lead *l = arg;

	tether_turn(l->o.tether);
	loop_timer_set(l->o.loop, &l->turn, mono_after(loop_now(l->o.loop), TURN_NS), on_turn, l);
}

struct lead *
lead_new(const struct lead_opts *o, struct err *err)
{
	struct lead *l = mem_new(sizeof *l);

	l->magic = LEAD_MAGIC;
	l->o = *o;
	l->candidate = candidate_new(&(struct candidate_opts){
		.loop = o->loop, .conn = o->conn, .access = o->access, .traffic = o->traffic, .publisher = o->publisher,
		.word = tether_word(o->tether), .service = o->service, .group = o->group, .instance = o->instance,
		.profile = o->profile, .fence_lanes = o->fence_lanes, .exclusive = o->exclusive, .hot = !o->cold, .drain_ns = o->drain_ns,
		.role = on_role, .reap = on_reap, .failed = on_failed, .ended = on_ended, .call = on_call, .arg = l,
	}, err);
	if (l->candidate == NULL) {
		mem_free(l);
		return NULL;
	}
	l->elector = candidate_elector(l->candidate);
	l->told = lead_role(l);
	judge_fit(l);
	on_turn(l);
	return l;
}

void
lead_close(struct lead *l)
{
	if (l == NULL)
		return;
	candidate_close(l->candidate);
	loop_timer_cancel(l->o.loop, &l->idle);
	loop_timer_cancel(l->o.loop, &l->turn);
}

void
lead_free(struct lead *l)
{
	if (l == NULL)
		return;
	MAGIC_CHECK(l, LEAD_MAGIC);
	lead_close(l);
	candidate_free(l->candidate);
	MAGIC_WIPE(l);
	mem_free(l);
}
