/* relay.c - one table: what each state does with each event. */
#include "messaging/relay.h"

static enum relay_action
over(struct relay *r, enum relay_action how)
{
	r->state = RELAY_OVER;
	return how;
}

static enum relay_action
park(struct relay *r, const struct relay_facts *f)
{
	if (r->state != RELAY_PARKED && !f->room)
		return over(r, RELAY_REFUSE);
	r->state = RELAY_PARKED;
	return RELAY_WAIT;
}

/* route: a call that nobody executes at the moment. */
static enum relay_action
route(struct relay *r, const struct relay_facts *f, struct mono now)
{
	if (mono_reached(now, r->until))
		return over(r, RELAY_REFUSE);
	if (f->stance == RELAY_HOLDS)
		return over(r, RELAY_EXECUTE);
	if (f->stance == RELAY_SUSPECT)
		return park(r, f);
	if (r->direct)
		return over(r, RELAY_REFUSE);
	if (f->epoch != 0 && (f->epoch > r->asked || mono_reached(now, r->again))) {
		r->state = RELAY_SENT;
		r->asked = f->epoch;
		r->overtaken.ns = 0;
		return RELAY_SEND;
	}
	return park(r, f);
}

/* is_overtaken: somebody leads after the holder that has it, which is not known to have let go in time. */
static bool
is_overtaken(const struct relay *r, const struct relay_facts *f)
{
	uint64_t newest = f->stance == RELAY_HOLDS && f->own > f->epoch ? f->own : f->epoch;

	return newest > r->asked && f->released < r->asked;
}

/* grace: how long after a later hold was seen. */
static int64_t
grace(const struct relay *r, const struct relay_facts *f)
{
	if (f->let_go >= r->asked)
		return RELAY_NEWS_NS;
	return r->state == RELAY_SENT && !r->idempotent ? RELAY_PATIENCE_NS : RELAY_GRACE_NS;
}

/* watch: a holder has it.  After a later hold began its answer may never come, or must not count; but
 * one that released has answered before, and the news of that may be behind, and the answer with it: what registers say
 * comes by other connections. */
static enum relay_action
watch(struct relay *r, const struct relay_facts *f, struct mono now)
{
	if (mono_reached(now, r->until))
		return over(r, RELAY_UNKNOWN);
	if (!is_overtaken(r, f))
		return RELAY_WAIT;
	if (r->overtaken.ns == 0)
		r->overtaken = now;
	if (!mono_reached(now, mono_after(r->overtaken, grace(r, f))))
		return RELAY_WAIT;
	return r->idempotent ? route(r, f, now) : over(r, RELAY_UNKNOWN);
}

/* judge: there is an answer; does it count? */
static enum relay_action
judge(struct relay *r, const struct relay_facts *f, struct mono now)
{
	return is_overtaken(r, f) ? watch(r, f, now) : over(r, RELAY_PASS);
}

static enum relay_action
refused(struct relay *r, const struct relay_facts *f, struct mono now)
{
	r->again = mono_after(now, RELAY_AGAIN_NS);
	return route(r, f, now);
}

static enum relay_action
answered(struct relay *r, const struct relay_facts *f, struct mono now)
{
	enum relay_action what = judge(r, f, now);

	if (what != RELAY_WAIT)
		return what;
	r->state = RELAY_KEPT;
	return RELAY_KEEP;
}

static enum relay_action
nothing(struct relay *r, const struct relay_facts *f, struct mono now)
{
	(void)r;
	(void)f;
	(void)now;
	return RELAY_WAIT;
}

enum relay_action
relay_step(struct relay *r, enum relay_event ev, const struct relay_facts *f, struct mono now)
{
	static enum relay_action (*const table[RELAY_STATE_COUNT][RELAY_EVENT_COUNT])(struct relay *,
	    const struct relay_facts *, struct mono) = {
		[RELAY_NEW] =    { [RELAY_EV_LOOK] = route, },
		[RELAY_PARKED] = { [RELAY_EV_LOOK] = route, },
		[RELAY_SENT] =   { [RELAY_EV_LOOK] = watch, [RELAY_EV_REFUSED] = refused,
				   [RELAY_EV_ANSWERED] = answered, [RELAY_EV_UNSENT] = refused, },
		[RELAY_KEPT] =   { [RELAY_EV_LOOK] = judge, },
	};
	enum relay_action (*step)(struct relay *, const struct relay_facts *, struct mono) = table[r->state][ev];

	return (step != NULL ? step : nothing)(r, f, now);
}

enum relay_action
relay_shut(struct relay *r, const struct relay_facts *f, struct mono now)
{
	struct relay_facts shut = *f;

	/* The lease ran out a moment ago, and the news of it is on its way. */
	r->state = RELAY_NEW;
	shut.stance = RELAY_STANDBY;
	return route(r, &shut, now);
}

#define X(name) #name,
const char *
relay_state_name(enum relay_state s)
{
	static const char *const names[] = { RELAY_STATES(X) };

	return names[s];
}

const char *
relay_event_name(enum relay_event e)
{
	static const char *const names[] = { RELAY_EVENTS(X) };

	return names[e];
}
#undef X
