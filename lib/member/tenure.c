/* tenure.c - the table of a record's life, and the small functions that it calls. */
#include "member/tenure.h"

#include <string.h>

#include "base/magic.h"

#define RETRY_MIN_NS (200 * NS_PER_MS)
#define RETRY_MAX_NS (5 * NS_PER_S)

/* How long a silent owner's heartbeat must stand still before its record may be taken:
 * two and a half heartbeats of 10 s (wire.md §8.2). */
#define STILL_NS (25 * NS_PER_S)
#define LOOK_AGAIN_NS (2 * NS_PER_S)
#define SETTLE_NS (500 * NS_PER_MS)	/* members reconnect within a few tens of ms */

struct context {
	const struct tenure_event *ev;
	struct mono now;
	struct tenure_actions *out;
};

typedef enum tenure_state act_fn(struct tenure *t, const struct context *c);

static uint64_t
chance(struct tenure *t)
{
	t->opts.seed ^= t->opts.seed << 13;
	t->opts.seed ^= t->opts.seed >> 7;
	t->opts.seed ^= t->opts.seed << 17;
	return t->opts.seed;
}

/* jittered: ns give or take a tenth, so that a fleet started at once spreads. */
static int64_t
jittered(struct tenure *t, int64_t ns)
{
	return ns - ns / 10 + (int64_t)(chance(t) % (uint64_t)(ns / 5 + 1));
}

/* --- actions; each returns the next state ------------------------------------------------- */

static enum tenure_state
put(struct tenure *t, const struct context *c, uint64_t expect)
{
	c->out->op = TENURE_PUT;
	c->out->expect = expect;
	t->revision = expect;
	t->dirty = false;
	return TENURE_CLAIMING;
}

static enum tenure_state
claim(struct tenure *t, const struct context *c)
{
	t->wanted = true;
	t->registered = t->silent = false;
	t->failures = 0;
	return put(t, c, 0);
}

static enum tenure_state
renew(struct tenure *t, const struct context *c)
{
	put(t, c, t->revision);
	return TENURE_RENEWING;
}

static enum tenure_state
leave(struct tenure *t, const struct context *c)
{
	t->wanted = false;
	c->out->op = TENURE_REMOVE;
	c->out->expect = t->revision;
	return TENURE_LEAVING;
}

static enum tenure_state
is_off(struct tenure *t, const struct context *c)
{
	t->wanted = false;
	c->out->report = TENURE_LEFT;
	return TENURE_OFF;
}

static enum tenure_state
removed(struct tenure *t, const struct context *c)
{
	(void)t;
	c->out->report = TENURE_REMOVED;
	return TENURE_OFF;
}

/* stored: a put succeeded.  Whatever was wanted meanwhile is done now. */
static enum tenure_state
stored(struct tenure *t, const struct context *c)
{
	bool over_other = t->silent;

	t->revision = c->ev->revision;
	t->failures = 0;
	t->silent = false;
	if (!t->wanted)
		return leave(t, c);
	if (!t->registered)
		c->out->report = over_other ? TENURE_TAKEN_OVER : TENURE_REGISTERED;
	t->registered = true;
	if (t->dirty)
		return renew(t, c);
	t->due = mono_after(c->now, jittered(t, t->opts.heartbeat_ns));
	return TENURE_HELD;
}

static enum tenure_state
look(struct tenure *t, const struct context *c)
{
	(void)t;
	c->out->op = TENURE_READ;
	return TENURE_READING;
}

/* retry: the store failed; the owner's wish to leave is served at once, because a record
 * that nobody renews expires by itself. */
static enum tenure_state
retry(struct tenure *t, const struct context *c)
{
	int64_t wait = RETRY_MIN_NS << (t->failures < 5 ? t->failures : 5);

	t->failures++;
	if (!t->wanted)
		return is_off(t, c);
	c->out->report = TENURE_RETRYING;
	t->due = mono_after(c->now, jittered(t, wait < RETRY_MAX_NS ? wait : RETRY_MAX_NS));
	return TENURE_WAITING;
}

static enum tenure_state
found_none(struct tenure *t, const struct context *c)
{
	if (!t->wanted)
		return is_off(t, c);
	t->silent = false;
	put(t, c, 0);
	return TENURE_CLAIMING;
}

static enum tenure_state
found_mine(struct tenure *t, const struct context *c)
{
	t->revision = c->ev->revision;
	t->silent = false;
	if (!t->wanted)
		return leave(t, c);
	return renew(t, c);
}

/* found_other: somebody else's record is there.  Ask whoever wrote it; a Python member
 * cannot be asked and is only watched. */
static enum tenure_state
found_other(struct tenure *t, const struct context *c)
{
	if (!t->wanted)
		return is_off(t, c);
	bool moved = !t->silent || c->ev->heartbeat != t->seen_heartbeat;
	t->revision = c->ev->revision;
	if (moved) {
		t->seen_heartbeat = c->ev->heartbeat;
		t->still_since = c->now;
	}
	if (moved && !c->ev->foreign) {
		c->out->op = TENURE_PROBE;
		return TENURE_PROBING;
	}
	t->silent = true;
	if (mono_since(c->now, t->still_since) >= STILL_NS) {
		put(t, c, t->revision);
		return TENURE_CLAIMING;
	}
	t->due = mono_after(c->now, LOOK_AGAIN_NS);
	return TENURE_WATCHING;
}

static enum tenure_state
take_over(struct tenure *t, const struct context *c)
{
	if (!t->wanted)
		return is_off(t, c);
	t->silent = true;		/* for the report: it was somebody's */
	put(t, c, t->revision);
	return TENURE_CLAIMING;
}

static enum tenure_state
watch(struct tenure *t, const struct context *c)
{
	if (!t->wanted)
		return is_off(t, c);
	t->silent = true;
	t->due = mono_after(c->now, LOOK_AGAIN_NS);
	return TENURE_WATCHING;
}

static enum tenure_state
twin(struct tenure *t, const struct context *c)
{
	if (!t->wanted)
		return is_off(t, c);
	t->wanted = false;
	c->out->report = TENURE_IS_TWIN;
	return TENURE_TWIN;
}

/* settle: who has not come back yet cannot answer.  It is read and asked afresh: a live
 * owner has renewed its record by then, or answers. */
static enum tenure_state
settle(struct tenure *t, const struct context *c)
{
	if (!t->wanted)
		return is_off(t, c);
	t->due = mono_after(c->now, SETTLE_NS);
	return TENURE_WATCHING;
}

/* The wish changes while an operation is under way: its result will see it. */
static enum tenure_state
not_wanted(struct tenure *t, const struct context *c)
{
	(void)c;
	t->wanted = false;
	return t->state;
}

static enum tenure_state
changed(struct tenure *t, const struct context *c)
{
	(void)c;
	t->dirty = true;
	return t->state;
}

/* --- the table --------------------------------------------------------------------------- */

static act_fn *const table[TENURE_STATE_COUNT][TENURE_EVENT_COUNT] = {
#define ON(state, event, act) [TENURE_##state][TENURE_EV_##event] = act
	ON(OFF, START, claim),
	ON(OFF, STOP, is_off),

	ON(CLAIMING, PUT_DONE, stored),
	ON(CLAIMING, PUT_CONFLICT, look),
	ON(CLAIMING, FAILED, retry),
	ON(CLAIMING, STOP, not_wanted),
	ON(CLAIMING, DIRTY, changed),

	ON(HELD, TIMER, renew),
	ON(HELD, DIRTY, renew),
	ON(HELD, STOP, leave),
	ON(HELD, RECONNECTED, renew),

	ON(RENEWING, PUT_DONE, stored),
	ON(RENEWING, PUT_CONFLICT, look),
	ON(RENEWING, FAILED, retry),
	ON(RENEWING, STOP, not_wanted),
	ON(RENEWING, DIRTY, changed),

	ON(READING, READ_NONE, found_none),
	ON(READING, READ_MINE, found_mine),
	ON(READING, READ_OTHER, found_other),
	ON(READING, FAILED, retry),
	ON(READING, STOP, not_wanted),
	ON(READING, DIRTY, changed),

	ON(PROBING, PROBE_NOBODY, take_over),
	ON(PROBING, PROBE_SILENT, watch),
	ON(PROBING, PROBE_OTHER, twin),
	ON(PROBING, PROBE_EARLY, settle),
	ON(PROBING, FAILED, retry),
	ON(PROBING, STOP, not_wanted),
	ON(PROBING, DIRTY, changed),

	ON(WATCHING, TIMER, look),
	ON(WATCHING, STOP, is_off),
	ON(WATCHING, DIRTY, changed),

	/* After a failure nothing is known for sure: our put may have been stored. */
	ON(WAITING, TIMER, look),
	ON(WAITING, RECONNECTED, look),
	ON(WAITING, STOP, is_off),
	ON(WAITING, DIRTY, changed),

	ON(LEAVING, REMOVED, removed),
	ON(LEAVING, PUT_CONFLICT, is_off),
	ON(LEAVING, FAILED, is_off),

	ON(TWIN, STOP, is_off),
#undef ON
};

void
tenure_init(struct tenure *t, const struct tenure_opts *o)
{
	memset(t, 0, sizeof *t);
	t->opts = *o;
	t->opts.seed |= 1;		/* the generator stands still at 0 */
	t->due = MONO_NEVER;
}

void
tenure_pace(struct tenure *t, int64_t heartbeat_ns)
{
	t->opts.heartbeat_ns = heartbeat_ns;
}

void
tenure_step(struct tenure *t, const struct tenure_event *ev, struct mono now, struct tenure_actions *out)
{
	act_fn *act = table[t->state][ev->kind];
	struct context c = { ev, now, out };

	*out = (struct tenure_actions){ .op = TENURE_NOTHING };
	if (act == NULL) {
		t->ignored++;
		return;
	}
	if (ev->kind == TENURE_EV_TIMER && !mono_reached(now, t->due))
		return;			/* an old timer; the new one is set */
	struct mono due = t->due;
	t->due = MONO_NEVER;
	t->state = act(t, &c);
	/* Only waiting states have a deadline; one that was left alone keeps its own. */
	if (ev->kind == TENURE_EV_DIRTY && t->due.ns == MONO_NEVER.ns && out->op == TENURE_NOTHING)
		t->due = due;
}

const char *
tenure_state_name(enum tenure_state s)
{
	static const char *const names[] = {
#define X(name) #name,
		TENURE_STATES(X)
#undef X
	};

	return names[s];
}

const char *
tenure_event_name(enum tenure_event_kind e)
{
	static const char *const names[] = {
#define X(name) #name,
		TENURE_EVENTS(X)
#undef X
	};

	return names[e];
}
