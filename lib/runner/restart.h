/* restart.h - whether a program that ended is started again, and when.  Pure.
 *
 * Backoff doubles from 1 s to 30 s, a little less by a jitter drawn from the caller's
 * seed, so that fifty wrappers whose database fell over do not come back in step.  A run
 * that lasted a minute was a quiet one and resets the backoff.  The budget is an exact
 * sliding window over the last restarts: when it is spent the wrapper ends, so that
 * whoever watches the wrapper notices. */
#ifndef RUNNER_RESTART_H
#define RUNNER_RESTART_H

#include <stdbool.h>
#include <stdint.h>

#include "base/instant.h"

#define RESTART_FIRST_NS (1 * NS_PER_S)
#define RESTART_LONGEST_NS (30 * NS_PER_S)
#define RESTART_QUIET_NS (60 * NS_PER_S)
#define RESTART_MAX 100		/* largest budget: its times are kept in place */
#define RESTART_NEVER_CODE 125	/* a program that exits with it asks not to be restarted */

enum restart_when { RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS };

struct restart_policy {
	enum restart_when when;
	unsigned max;		/* restarts within the window; 0 = no limit; at most RESTART_MAX */
	int64_t window_ns;
};

enum restart_cause {
	RESTART_EXITED,		/* the program ended: code counts */
	RESTART_LOST,		/* its guardian died under it: not its fault, restarted whatever the policy */
	RESTART_NOT_STARTED,	/* it could not be executed */
	RESTART_NOT_READY,	/* it ran but did not become ready in time */
};

struct restart {
	struct restart_policy policy;
	uint64_t seed;
	unsigned streak;	/* restarts since the last quiet run */
	bool has_run;		/* it was executed at least once */
	struct mono started;	/* when this run began */
	unsigned ntimes, oldest;
	struct mono times[RESTART_MAX];		/* ring of the last policy.max restarts */
};

/* restart_init(r, policy, seed): a max beyond RESTART_MAX is cut to it. */
void restart_init(struct restart *r, struct restart_policy policy, uint64_t seed);

/* restart_began(r, now): a run began (the program was executed). */
void restart_began(struct restart *r, struct mono now);

/* restart_next(r, cause, code, now, at): a run ended, with exit code `code` (128 + n when
 * signal n did it).  True: start again at *at, and the restart is on the budget.  False:
 * do not, *at untouched.  A command that could not be executed at all, before it ever ran,
 * is a mistake in the command line and not tried again. */
bool restart_next(struct restart *r, enum restart_cause cause, int code, struct mono now,
    struct mono *at);

const char *restart_when_name(enum restart_when w);		/* "on-failure" */
bool restart_when_parse(const char *text, enum restart_when *out);

#endif
