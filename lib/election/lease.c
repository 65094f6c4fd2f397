/* lease.c - the state machine of election.md §5 as two tables: edges, which change the state,
 * and duties, which are done in it.
 *
 * A step applies the event, then walks the edges of the state until none holds, then does the
 * duties.  Whatever shuts the gate puts GATE in front of everything else that it asks for, so
 * that nothing is reaped, released or told before it is shut. */
#include "election/lease.h"

#include <string.h>

#include "base/magic.h"
#include "election/inner.h"

#ifdef AEGIS_MUTANTS
int lease_mutant;
#endif

struct lease_action *
step_do(const struct step *s, enum lease_action_kind kind)
{
	struct lease_actions *out = s->out;

	MUST(out->n < LEASE_ACTIONS_MAX);
	struct lease_action *a = &out->list[out->n++];
	*a = (struct lease_action){ .kind = kind };
	return a;
}

void
step_alarm(const struct step *s, enum lease_alarm alarm, unsigned reg, int code)
{
	struct lease_action *a = step_do(s, LEASE_DO_ALARM);

	a->alarm = alarm;
	a->reg = (uint8_t)reg;
	a->code = code;
}

/* gate: when the word changes.  A hold begins with the gate shut and ends by shutting it, so two
 * holds never set the same deadline one after the other. */
static void
gate(const struct step *s, struct boot until)
{
	struct lease *l = s->l;

	if (l->gate_until.ns == until.ns)
		return;
	l->gate_until = until;
	struct lease_action *a = step_do(s, LEASE_DO_GATE);
	a->until = until;
	a->hold = l->hold;
}

static void
admit(const struct step *s, bool on)
{
	step_do(s, LEASE_DO_ADMIT)->on = on;
}

static void
role(const struct step *s, enum lease_state state, enum lease_reason reason)
{
	struct lease_action *a = step_do(s, LEASE_DO_ROLE);

	a->state = state;
	a->epoch = s->l->opening;
	a->reason = reason;
}

/* step_down: number + 1, grants gone, gate shut; what is acknowledged from now on is of the past. */
static void
step_down(const struct step *s)
{
	campaign_end(s->l);
	gate(s, BOOT_LONG_AGO);
}

/* --- conditions --------------------------------------------------------------------------- */

static bool
on(const struct step *s, enum lease_event_kind kind)
{
	return s->ev->kind == kind;
}

static bool
may_campaign(const struct step *s)
{
	return campaign_may(s->l);
}

static bool
unwanted(const struct step *s)
{
	return !s->l->eligible || s->l->resigned;
}

static bool
unwanted_or_jumped(const struct step *s)
{
	return unwanted(s) || on(s, LEASE_EV_JUMP);
}

static bool
granted(const struct step *s)
{
	return campaign_granted(s->l);
}

static bool
hopeless(const struct step *s)
{
	return campaign_hopeless(s->l);
}

static bool
overtaken(const struct step *s)
{
	return quorum_count(s->l, view_overtakes) >= quorum(s->l);
}

static bool
expired(const struct step *s)
{
	return boot_reached(s->l->now, s->l->until) && !MUTANT(13);
}

static bool
lost(const struct step *s)
{
	return expired(s) || on(s, LEASE_EV_DEPOSED) || overtaken(s);
}

/* lapsed: of SUSPECT, where a jump leaves D to be granted anew. */
static bool
lapsed(const struct step *s)
{
	return (expired(s) && boot_reached(s->l->now, s->l->resume)) || on(s, LEASE_EV_DEPOSED) || overtaken(s);
}

static bool
broken_off(const struct step *s)
{
	return expired(s) || on(s, LEASE_EV_DEPOSED) || on(s, LEASE_EV_JUMP);
}

static bool
jumped(const struct step *s)
{
	return on(s, LEASE_EV_JUMP);
}

static bool
idle(const struct step *s)
{
	return on(s, LEASE_EV_IDLE);
}

static bool
slow(const struct step *s)
{
	return boot_reached(s->l->now, boot_after(quorum_grant(s->l), s->l->opts.profile.d_ns / 2));
}

static bool
fresh(const struct step *s)
{
	return !slow(s) && s->l->now.ns < s->l->until.ns;
}

static bool
retired(const struct step *s)
{
	return quorum_count(s->l, view_retired) >= quorum(s->l);
}

static bool
back_and_idle(const struct step *s)
{
	return !retired(s) && !s->l->busy;
}

/* --- what the edges do; next is the state that they lead to ------------------------------- */

typedef void act_fn(const struct step *s, enum lease_state next);

static void
campaign(const struct step *s, enum lease_state next)
{
	gate(s, BOOT_LONG_AGO);
	campaign_begin(s);
	role(s, next, LEASE_BY_NONE);
}

static void
give_up(const struct step *s, enum lease_state next)
{
	campaign_failed(s->l);
	step_down(s);
	role(s, next, LEASE_BY_NONE);
}

static void
open_hold(const struct step *s, enum lease_state next)
{
	struct lease *l = s->l;

	l->hold++;
	l->opening = l->target;
	l->busy = true;
	l->failed = l->reaped = false;
	l->failures = 0;
	l->resume = BOOT_LONG_AGO;
	gate(s, l->until);
	admit(s, true);
	role(s, next, l->gained);
	step_do(s, LEASE_DO_META)->epoch = l->opening;
	if (!lease_nonce_nobody(l->before))
		step_do(s, LEASE_DO_KICK)->nonce = l->before;
}

static void
suspect(const struct step *s, enum lease_state next)
{
	admit(s, false);
	step_alarm(s, LEASE_ALARM_SLOW, 0, 0);
	role(s, next, LEASE_BY_NONE);
	s->l->renew_at = boot_min(s->l->renew_at, boot_after(s->l->now, s->l->opts.profile.p_ns / 2));
}

/* doubt: the clock jumped, so no grant counts; the hold itself goes on if a quorum still shows
 * our value and grants it again. */
static void
doubt(const struct step *s, enum lease_state next)
{
	step_down(s);
	admit(s, false);
	s->l->resume = boot_after(s->l->now, s->l->opts.profile.d_ns);
	s->l->renew_at = s->l->now;
	role(s, next, LEASE_BY_CLOCK);
}

static void
trust(const struct step *s, enum lease_state next)
{
	s->l->resume = BOOT_LONG_AGO;
	gate(s, s->l->until);
	admit(s, true);
	role(s, next, LEASE_BY_NONE);
}

static enum lease_reason
reason_to_drain(const struct lease *l)
{
	return l->resigned ? LEASE_BY_RESIGNED : l->unfit;
}

static void
drain(const struct step *s, enum lease_state next)
{
	admit(s, false);
	s->l->reaped = false;
	s->l->drain = boot_after(s->l->now, s->l->opts.drain_ns);
	role(s, next, reason_to_drain(s->l));
}

static enum lease_reason
reason_of_loss(const struct step *s)
{
	if (on(s, LEASE_EV_DEPOSED) || overtaken(s))
		return LEASE_BY_DEPOSED;
	if (on(s, LEASE_EV_JUMP) || s->l->resume.ns != INT64_MIN)
		return LEASE_BY_CLOCK;
	return LEASE_BY_EXPIRED;
}

static void
lose(const struct step *s, enum lease_state next)
{
	enum lease_reason why = reason_of_loss(s);

	step_down(s);
	admit(s, false);
	step_do(s, LEASE_DO_REAP);
	if (overtaken(s))
		step_alarm(s, LEASE_ALARM_OVERTAKEN, 0, 0);
	if (why == LEASE_BY_EXPIRED)
		step_alarm(s, LEASE_ALARM_EXPIRED, 0, 0);
	role(s, next, why);
}

/* release: R7.  Only after IDLE: never with live work. */
static void
release(const struct step *s, enum lease_state next)
{
	struct lease *l = s->l;

	if (MUTANT(6))
		l->campaign++;
	else
		step_down(s);
	l->to = rank_successor(l);
	l->resigned_until = boot_after(l->now, 2 * l->opts.profile.l_ns);
	campaign_release(s);
	role(s, next, reason_to_drain(l));
}

static void
rest(const struct step *s, enum lease_state next)
{
	role(s, next, LEASE_BY_NONE);
}

static void
retire(const struct step *s, enum lease_state next)
{
	step_down(s);
	admit(s, false);
	if (s->l->busy)
		step_do(s, LEASE_DO_REAP);
	role(s, next, LEASE_BY_RETIRED);
}

struct edge {
	bool (*when)(const struct step *s);
	act_fn *act;
	enum lease_state next;
};

#define END { NULL, NULL, LEASE_STATE_COUNT }
#define EDGES(...) (const struct edge[]){ __VA_ARGS__, END }

static const struct edge *const edges[LEASE_STATE_COUNT] = {
	[LEASE_STANDBY] = EDGES(
	    { retired,			retire,		LEASE_RETIRED },
	    { may_campaign,		campaign,	LEASE_CAMPAIGN }),
	[LEASE_CAMPAIGN] = EDGES(
	    { retired,			retire,		LEASE_RETIRED },
	    { unwanted_or_jumped,	give_up,	LEASE_STANDBY },
	    { granted,			open_hold,	LEASE_ACTIVE },
	    { hopeless,			give_up,	LEASE_STANDBY }),
	[LEASE_ACTIVE] = EDGES(
	    { retired,			retire,		LEASE_RETIRED },
	    { jumped,			doubt,		LEASE_SUSPECT },
	    { lost,			lose,		LEASE_FENCED },
	    { unwanted,			drain,		LEASE_DRAINING },
	    { slow,			suspect,	LEASE_SUSPECT }),
	[LEASE_SUSPECT] = EDGES(
	    { retired,			retire,		LEASE_RETIRED },
	    { jumped,			doubt,		LEASE_SUSPECT },
	    { lapsed,			lose,		LEASE_FENCED },
	    { unwanted,			drain,		LEASE_DRAINING },
	    { fresh,			trust,		LEASE_ACTIVE }),
	[LEASE_DRAINING] = EDGES(
	    { retired,			retire,		LEASE_RETIRED },
	    { idle,			release,	LEASE_STANDBY },
	    { broken_off,		lose,		LEASE_FENCED }),
	[LEASE_FENCED] = EDGES(
	    { retired,			retire,		LEASE_RETIRED },
	    { idle,			rest,		LEASE_STANDBY }),
	[LEASE_RETIRED] = EDGES(
	    { back_and_idle,		rest,		LEASE_STANDBY }),
};

/* --- duties ------------------------------------------------------------------------------- */

/* stray: values of ours that nobody stands behind keep others waiting. */
static void
stray(const struct step *s)
{
	struct lease *l = s->l;

	if (unwanted(s) || l->failed || quorum_count(l, view_of_another) >= quorum(l))
		campaign_release(s);
}

static void
go_on(const struct step *s)
{
	if (MUTANT(13))
		campaign_renew(s);
}

static void
keep(const struct step *s)
{
	campaign_raise(s->l);
	campaign_renew(s);
	gate(s, s->l->until);
}

static void
wind_up(const struct step *s)
{
	struct lease *l = s->l;

	campaign_renew(s);
	gate(s, l->until);
	if (boot_reached(l->now, l->drain) && !l->reaped) {
		l->reaped = true;
		step_do(s, LEASE_DO_REAP);
	}
}

static void (*const duties[LEASE_STATE_COUNT])(const struct step *s) = {
	[LEASE_STANDBY] = stray,
	[LEASE_CAMPAIGN] = go_on,
	[LEASE_ACTIVE] = keep,
	[LEASE_SUSPECT] = keep,
	[LEASE_DRAINING] = wind_up,
};

/* --- events ------------------------------------------------------------------------------- */

static void
see_epoch(struct lease *l, uint64_t epoch)
{
	if (epoch > l->highest)
		l->highest = epoch;
}

static void
resign(struct lease *l, const struct lease_event *ev)
{
	l->resigned = true;
	l->stopping |= ev->stop;
	l->resigned_until = boot_after(l->now, 2 * l->opts.profile.l_ns);
	l->heir = ev->to;
}

static void
went_idle(struct lease *l)
{
	if (l->state == LEASE_DRAINING || l->state == LEASE_FENCED || l->state == LEASE_RETIRED)
		l->busy = false;
	else
		l->ignored++;
}

static void
deposed(struct lease *l, const struct lease_event *ev)
{
	see_epoch(l, ev->epoch);
	if (l->state != LEASE_ACTIVE && l->state != LEASE_SUSPECT && l->state != LEASE_DRAINING)
		l->ignored++;
}

/* learn_group: an answer that was asked for before the newest blank view says nothing. */
static void
learn_group(struct lease *l, const struct lease_event *ev)
{
	see_epoch(l, ev->epoch);
	if (ev->sent.ns >= l->group_at.ns)
		l->group = ev->group;
	else
		l->ignored++;
}

static void
meet_peers(struct lease *l, const struct lease_event *ev)
{
	l->n_peers = ev->n_peers < LEASE_PEERS_MAX ? ev->n_peers : LEASE_PEERS_MAX;
	for (unsigned i = 0; i < l->n_peers; i++)
		l->peer[i] = ev->peers[i];
}

static void
apply(const struct step *s, struct boot before)
{
	struct lease *l = s->l;
	const struct lease_event *ev = s->ev;

	switch (ev->kind) {
	case LEASE_EV_TICK:
		break;
	case LEASE_EV_ELIGIBLE:
		l->eligible = ev->on;
		l->unfit = ev->reason;
		break;
	case LEASE_EV_RESIGN:
		resign(l, ev);
		break;
	case LEASE_EV_IDLE:
		went_idle(l);
		break;
	case LEASE_EV_DEPOSED:
		deposed(l, ev);
		break;
	case LEASE_EV_JUMP:
		register_jump(l, before, l->state == LEASE_ACTIVE || l->state == LEASE_SUSPECT);
		break;
	case LEASE_EV_GROUP:
		learn_group(l, ev);
		break;
	case LEASE_EV_PEERS:
		meet_peers(l, ev);
		break;
	default:
		MUST(ev->reg < l->opts.registers);
		register_event(s);
		break;
	}
}

/* forgive: who resigned may come back once another leads, or nobody does for long.  Before the
 * edges, because nothing else would make the step that finds it eligible again. */
static void
forgive(struct lease *l)
{
	struct lease_nonce who;
	uint64_t epoch;

	if (l->state != LEASE_STANDBY || !l->resigned || l->stopping)
		return;
	if (boot_reached(l->now, l->resigned_until) || (lease_holder(l, &who, &epoch) && !is_mine(l, who)))
		l->resigned = false;
}

/* --- the step ----------------------------------------------------------------------------- */

/* walk: the edges that hold, one after another.  What the event itself allows is allowed once. */
static void
walk(struct step *s)
{
	static const struct lease_event tick = { .kind = LEASE_EV_TICK };
	const struct edge *e = edges[s->l->state];

	while (e->when != NULL) {
		if (!e->when(s)) {
			e++;
			continue;
		}
		e->act(s, e->next);
		s->l->state = e->next;
		s->ev = &tick;
		e = edges[s->l->state];
	}
}

void
lease_init(struct lease *l, const struct lease_opts *o)
{
	const struct profile *p = &o->profile;

	MUST(o->registers == 1 || (o->registers == 3 && !o->replicated));
	MUST(!lease_nonce_nobody(o->nonce) && o->profile.p_ns > 0);
	memset(l, 0, sizeof *l);
	l->opts = *o;
	l->opts.seed |= 1;		/* the generator stands still at 0 */
	l->wait_ns = profile_wait(p->d_ns, p->l_ns, p->g_ns);
	l->now = l->until = l->gate_until = l->backoff = l->group_at = l->resume = BOOT_LONG_AGO;
	l->ready = BOOT_NEVER;
	for (unsigned i = 0; i < LEASE_REGISTERS; i++) {
		struct lease_register *g = &l->reg[i];
		g->inc_since = g->seen = g->conf = g->grant = g->read_at = BOOT_LONG_AGO;
	}
}

void
lease_step(struct lease *l, const struct lease_event *ev, struct lease_now now, struct lease_actions *out)
{
	struct step s = { l, ev, out };
	struct boot before = l->now;

	out->n = 0;
	l->now = boot_max(now.boot, before);
	l->wall = now.wall;
	apply(&s, before);
	forgive(l);
	l->until = quorum_until(l);
	walk(&s);
	if (duties[l->state] != NULL)
		duties[l->state](&s);
	register_reads(&s);
	out->due = lease_due(l);
}
