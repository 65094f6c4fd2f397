/* attempt.c - the table of a delivery's life, and the small functions that it calls. */
#include "messaging/attempt.h"

#include "base/magic.h"

#define GRACE_NS (5 * NS_PER_S)		/* for a handler to wind up after a cancel */
#define PAUSE_NS (500 * NS_PER_MS)	/* a program that restarts needs about that long */
#define REBURY_MIN_NS (1 * NS_PER_S)
#define REBURY_MAX_NS (30 * NS_PER_S)

struct context {
	struct mono now;
	struct attempt_actions *out;
};

typedef enum attempt_state act_fn(struct attempt *a, const struct context *c);

/* doubled: base, 2·base, 4·base, … after n steps, at most max. */
static int64_t
doubled(int64_t base, uint64_t n, int64_t max)
{
	while (n-- > 0 && base < max)
		base = base > max / 2 ? max : base * 2;
	return base < max ? base : max;
}

int64_t
attempt_backoff(const struct attempt_opts *o)
{
	return doubled(o->backoff_ns, o->deliveries > 0 ? o->deliveries - 1 : 0, o->backoff_max_ns);
}

/* last_of: the delivery at which a failure is final; max_retries comes from outside and may be
 * as large as it likes. */
static uint64_t
last_of(const struct attempt *a)
{
	return (uint64_t)a->opts.max_retries + 1;
}

/* --- actions; each returns the next state ------------------------------------------------- */

static enum attempt_state
settle(const struct context *c, enum attempt_tell tell, enum attempt_settle how)
{
	c->out->tell = tell;
	c->out->settle = how;
	return ATTEMPT_OVER;
}

static enum attempt_state
bury(struct attempt *a, const struct context *c)
{
	c->out->bury = true;
	return a->reason == ATTEMPT_NOT_READABLE ? ATTEMPT_DISCARDING : ATTEMPT_BURYING;
}

/* again: another delivery later, unless this one is the last that may be. */
static enum attempt_state
again(struct attempt *a, const struct context *c, enum attempt_reason why, uint64_t last)
{
	a->reason = why;
	if (a->opts.deliveries >= last)
		return bury(a, c);
	c->out->delay_ns = attempt_backoff(&a->opts);
	return settle(c, ATTEMPT_QUIET, ATTEMPT_NAK);
}

static enum attempt_state
queue(struct attempt *a, const struct context *c)
{
	(void)a;
	c->out->queue = true;
	return ATTEMPT_QUEUED;
}

/* admit: what was delivered that often has killed its worker each time, and is not let near
 * another one. */
static enum attempt_state
admit(struct attempt *a, const struct context *c)
{
	if (a->opts.deliveries <= last_of(a) + ATTEMPT_CRASHES)
		return queue(a, c);
	a->reason = ATTEMPT_WORKER_DIED;
	return bury(a, c);
}

static enum attempt_state
discard(struct attempt *a, const struct context *c)
{
	a->reason = ATTEMPT_NOT_READABLE;
	return bury(a, c);
}

static enum attempt_state
run(struct attempt *a, const struct context *c)
{
	c->out->run = true;
	a->due = mono_after(c->now, a->opts.timeout_ns);
	return ATTEMPT_RUNNING;
}

static enum attempt_state
complete(struct attempt *a, const struct context *c)
{
	(void)a;
	return settle(c, ATTEMPT_TELL_COMPLETED, ATTEMPT_ACK);
}

static enum attempt_state
fail(struct attempt *a, const struct context *c)
{
	return again(a, c, ATTEMPT_OWN, last_of(a));
}

static enum attempt_state
time_out(struct attempt *a, const struct context *c)
{
	c->out->stop = true;
	return again(a, c, ATTEMPT_TIMED_OUT, last_of(a));
}

static enum attempt_state
die(struct attempt *a, const struct context *c)
{
	return again(a, c, ATTEMPT_WORKER_DIED, last_of(a) + ATTEMPT_CRASHES);
}

static enum attempt_state
pause_it(struct attempt *a, const struct context *c)
{
	a->due = mono_after(c->now, PAUSE_NS);
	return ATTEMPT_PAUSED;
}

static enum attempt_state
ask_to_stop(struct attempt *a, const struct context *c)
{
	c->out->stop = true;
	a->due = mono_after(c->now, GRACE_NS);
	return ATTEMPT_CANCELLING;
}

static enum attempt_state
cancel(struct attempt *a, const struct context *c)
{
	(void)a;
	return settle(c, ATTEMPT_TELL_CANCELLED, ATTEMPT_ACK);
}

static enum attempt_state
tell_failed(struct attempt *a, const struct context *c)
{
	(void)a;
	return settle(c, ATTEMPT_TELL_FAILED, ATTEMPT_TERM);
}

static enum attempt_state
terminate(struct attempt *a, const struct context *c)
{
	(void)a;
	return settle(c, ATTEMPT_QUIET, ATTEMPT_TERM);
}

/* bury_later: never let go of before the dead letters have it; a redelivery would run it once
 * more than was asked for. */
static enum attempt_state
bury_later(struct attempt *a, const struct context *c)
{
	a->due = mono_after(c->now, doubled(REBURY_MIN_NS, a->burials++, REBURY_MAX_NS));
	return a->state;
}

/* hand_back: another worker shall have it at once. */
static enum attempt_state
hand_back(struct attempt *a, const struct context *c)
{
	(void)a;
	return settle(c, ATTEMPT_QUIET, ATTEMPT_NAK);
}

/* leave_behind: it may still run here, so the delivery ends as if we had died: by the ack wait. */
static enum attempt_state
leave_behind(struct attempt *a, const struct context *c)
{
	(void)a;
	c->out->stop = true;
	return settle(c, ATTEMPT_QUIET, ATTEMPT_KEEP);
}

static enum attempt_state
let_go(struct attempt *a, const struct context *c)
{
	(void)a;
	return settle(c, ATTEMPT_QUIET, ATTEMPT_KEEP);
}

/* --- the table ---------------------------------------------------------------------------- */

static act_fn *const table[ATTEMPT_STATE_COUNT][ATTEMPT_EVENT_COUNT] = {
#define ROW(state, event, act) [ATTEMPT_##state][ATTEMPT_EV_##event] = act
	ROW(NEW, ARRIVED, admit),
	ROW(NEW, UNREADABLE, discard),

	ROW(QUEUED, START, run),
	ROW(QUEUED, CANCEL, cancel),
	ROW(QUEUED, LEAVE, hand_back),
	ROW(QUEUED, ABANDON, hand_back),

	ROW(PAUSED, TIMER, queue),
	ROW(PAUSED, CANCEL, cancel),
	ROW(PAUSED, LEAVE, hand_back),
	ROW(PAUSED, ABANDON, hand_back),

	ROW(RUNNING, DONE, complete),
	ROW(RUNNING, FAILED, fail),
	ROW(RUNNING, DIED, die),
	ROW(RUNNING, BOUNCED, pause_it),
	ROW(RUNNING, TIMER, time_out),
	ROW(RUNNING, CANCEL, ask_to_stop),
	ROW(RUNNING, ABANDON, leave_behind),

	ROW(CANCELLING, DONE, cancel),
	ROW(CANCELLING, FAILED, cancel),
	ROW(CANCELLING, DIED, cancel),
	ROW(CANCELLING, BOUNCED, cancel),
	ROW(CANCELLING, TIMER, cancel),
	ROW(CANCELLING, ABANDON, cancel),

	ROW(BURYING, BURIED, tell_failed),
	ROW(BURYING, NOT_BURIED, bury_later),
	ROW(BURYING, TIMER, bury),
	ROW(BURYING, ABANDON, let_go),

	ROW(DISCARDING, BURIED, terminate),
	ROW(DISCARDING, NOT_BURIED, bury_later),
	ROW(DISCARDING, TIMER, bury),
	ROW(DISCARDING, ABANDON, let_go),
#undef ROW
};

void
attempt_init(struct attempt *a, const struct attempt_opts *o)
{
	*a = (struct attempt){ .opts = *o, .state = ATTEMPT_NEW, .due = MONO_NEVER };
}

void
attempt_step(struct attempt *a, enum attempt_event ev, struct mono now, struct attempt_actions *out)
{
	struct context c = { now, out };

	MUST(a->state < ATTEMPT_STATE_COUNT && ev < ATTEMPT_EVENT_COUNT);
	*out = (struct attempt_actions){ .settle = ATTEMPT_KEEP };
	act_fn *act = table[a->state][ev];
	if (act == NULL) {
		a->ignored++;
		return;
	}
	a->due = MONO_NEVER;		/* every row that wants a timer sets it anew */
	a->state = act(a, &c);
}

const char *
attempt_state_name(enum attempt_state s)
{
	static const char *const names[] = {
#define X(name) #name,
		ATTEMPT_STATES(X)
#undef X
	};

	return names[s];
}

const char *
attempt_event_name(enum attempt_event e)
{
	static const char *const names[] = {
#define X(name) #name,
		ATTEMPT_EVENTS(X)
#undef X
	};

	return names[e];
}
