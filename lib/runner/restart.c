/* restart.c - backoff, jitter and budget of restarts. */
#include "runner/restart.h"

#include <stddef.h>
#include <string.h>

static const char *const when_names[] = { "no", "on-failure", "always" };

void
restart_init(struct restart *r, struct restart_policy policy, uint64_t seed)
{
	*r = (struct restart){ .policy = policy, .seed = seed };
	if (r->policy.max > RESTART_MAX)
		r->policy.max = RESTART_MAX;
}

void
restart_began(struct restart *r, struct mono now)
{
	r->has_run = true;
	r->started = now;
}

/* draw: the next number of the sequence (splitmix64), so that a test can replay it. */
static uint64_t
draw(struct restart *r)
{
	uint64_t z = (r->seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* pause_ns: 1, 2, 4 … 30 s, less up to a fifth: the stated figures stay upper bounds. */
static int64_t
pause_ns(struct restart *r)
{
	int64_t ns = RESTART_LONGEST_NS;

	/* 1 s << 5 is beyond 30 s already; a larger shift would only overflow one day. */
	if (r->streak < 5)
		ns = RESTART_FIRST_NS << r->streak;
	return ns - (int64_t)(draw(r) % (uint64_t)(ns / 5));
}

static bool
is_wanted(const struct restart *r, enum restart_cause cause, int code)
{
	switch (cause) {
	case RESTART_LOST:
		return true;
	case RESTART_NOT_STARTED:
		return r->has_run && r->policy.when != RESTART_NO;
	case RESTART_NOT_READY:
		return r->policy.when != RESTART_NO;
	case RESTART_EXITED:
		break;
	}
	if (code == RESTART_NEVER_CODE || r->policy.when == RESTART_NO)
		return false;
	return r->policy.when == RESTART_ALWAYS || code != 0;
}

/* spend: takes one restart from the budget; false when the window holds max already. */
static bool
spend(struct restart *r, struct mono now)
{
	unsigned max = r->policy.max;

	if (max == 0)
		return true;
	if (r->ntimes < max) {
		r->times[(r->oldest + r->ntimes++) % max] = now;
		return true;
	}
	if (mono_since(now, r->times[r->oldest]) < r->policy.window_ns)
		return false;
	r->times[r->oldest] = now;
	r->oldest = (r->oldest + 1) % max;
	return true;
}

bool
restart_next(struct restart *r, enum restart_cause cause, int code, struct mono now, struct mono *at)
{
	if (!is_wanted(r, cause, code) || !spend(r, now))
		return false;
	if (cause != RESTART_NOT_STARTED && mono_since(now, r->started) >= RESTART_QUIET_NS)
		r->streak = 0;
	*at = mono_after(now, pause_ns(r));
	r->streak++;
	return true;
}

const char *
restart_when_name(enum restart_when w)
{
	return when_names[w];
}

bool
restart_when_parse(const char *text, enum restart_when *out)
{
	for (size_t i = 0; i < sizeof when_names / sizeof when_names[0]; i++) {
		if (strcmp(text, when_names[i]) == 0) {
			*out = (enum restart_when)i;
			return true;
		}
	}
	return false;
}
