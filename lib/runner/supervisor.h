/* supervisor.h - what a wrapper wants of its program, what is the case, and what to do.  Pure.
 *
 * Wanted (up or down) and actual state are two fields.  An event goes in with the time,
 * the table in supervisor.def names the next state, and a list of actions comes out; the
 * shell (runner.c) carries them out in order and reports back by further events.  There
 * is one deadline at a time, kept here; the shell sends TIMER when it is reached.  A pair
 * of state and event that the table does not list is counted and changes nothing. */
#ifndef RUNNER_SUPERVISOR_H
#define RUNNER_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/instant.h"
#include "runner/restart.h"

/*	state		what is the case */
#define SUPERVISOR_STATES(X) \
	X(IDLE,		"idle")		/* nothing runs, nothing was asked */ \
	X(STARTING,	"starting")	/* a guardian was asked to start the program */ \
	X(RUNNING,	"running")	/* the program runs and is not ready yet */ \
	X(READY,	"ready") \
	X(UNHEALTHY,	"unhealthy")	/* was ready, health checks say no */ \
	X(STOPPING,	"stopping")	/* stop signal sent, the clock to KILL runs */ \
	X(KILLING,	"killing")	/* KILL ordered, waiting until nothing is left */ \
	X(DOWN,		"down")		/* nothing is left; passed through while it is decided what now */ \
	X(BACKOFF,	"backoff")	/* waiting for the next start */ \
	X(FINISHED,	"finished")	/* over; START begins afresh */

#define SUPERVISOR_EVENTS(X) \
	X(START,	"start")	/* asked from outside */ \
	X(STOP,		"stop") \
	X(KILL,		"kill") \
	X(STARTED,	"started")	/* told by the guardian: the program runs */ \
	X(FAILED,	"failed")	/* it could not be executed; nothing runs */ \
	X(EXITED,	"exited")	/* it ended; descendants may live on */ \
	X(EMPTY,	"empty")	/* nothing of the run is left */ \
	X(LOST,		"lost")		/* the guardian died; nothing of the run is left */ \
	X(MADE_READY,	"made-ready")	/* told by probes */ \
	X(TURNED_BAD,	"turned-bad") \
	X(TURNED_GOOD,	"turned-good") \
	X(TIMER,	"timer")	/* the deadline is reached */ \
	X(AGAIN,	"again")	/* from within: start once more */ \
	X(DONE,		"done")		/* from within: do not */

enum supervisor_state {
#define X(name, text) SUPERVISOR_##name,
	SUPERVISOR_STATES(X)
#undef X
	SUPERVISOR_STATE_COUNT
};

enum supervisor_event_kind {
#define X(name, text) SUPERVISOR_EV_##name,
	SUPERVISOR_EVENTS(X)
#undef X
	SUPERVISOR_EVENT_COUNT
};

struct supervisor_event {
	enum supervisor_event_kind kind;
	int code;		/* EXITED: 0-255 or 128 + signal; FAILED: 125, 126, 127 */
	int signo;		/* EXITED: the signal that ended it, or 0 */
	const char *why;	/* a few words for people; NULL: the table's own */
};

enum supervisor_action_kind {
	SUPERVISOR_SPAWN,	/* start a guardian for a new run */
	SUPERVISOR_SIGNAL,	/* value: to the group, then CONT so that a stopped one hears it */
	SUPERVISOR_KILL_ALL,	/* order the guardian to kill group and descendants */
	SUPERVISOR_KILL_HARD,	/* the guardian does not answer: kill it, do its work */
	SUPERVISOR_REPORT,	/* value: enum supervisor_report */
	SUPERVISOR_FINISH,	/* value: exit code, value2: signal; the last action of a list */
	SUPERVISOR_ENTERED,	/* value: state left, value2: state entered, event: why; for the log */
};

/* What the world is told. */
enum supervisor_report {
	SUPERVISOR_IS_STARTING, SUPERVISOR_IS_READY, SUPERVISOR_IS_UNHEALTHY, SUPERVISOR_IS_DOWN,
};

struct supervisor_action {
	enum supervisor_action_kind kind;
	int value, value2;
	enum supervisor_event_kind event;
	const char *why;	/* static, or the event's own */
};

#define SUPERVISOR_ACTIONS_MAX 8	/* longest: FAILED, with a report, two transitions, FINISH */

struct supervisor_actions {
	unsigned n;
	struct supervisor_action v[SUPERVISOR_ACTIONS_MAX];
};

struct supervisor_opts {
	struct restart_policy restart;
	uint64_t seed;
	int stop_signal;
	int64_t kill_after_ns;		/* <= 0: KILL at once */
	int64_t ready_timeout_ns;	/* <= 0: none */
};

/* A guardian that has not finished killing by then is killed itself. */
#define SUPERVISOR_PATIENCE_NS (5 * NS_PER_S)

struct supervisor {
	struct supervisor_opts opts;
	enum supervisor_state state;
	bool is_wanted;			/* up, or down */
	struct mono deadline;		/* MONO_NEVER when none */
	struct restart restart;
	enum restart_cause cause;	/* how this run is about to end */
	int code, signo;		/* of the last run that ended */
	bool has_code;			/* this run's program has ended */
	bool is_early;			/* ready before the guardian could say that it runs */
	bool is_reported;		/* this run was told to be more than down */
	uint64_t starts, restarts, ignored;
};

void supervisor_init(struct supervisor *s, const struct supervisor_opts *o);

/* supervisor_step(s, e, now, out): out is overwritten. */
void supervisor_step(struct supervisor *s, const struct supervisor_event *e, struct mono now,
    struct supervisor_actions *out);

const char *supervisor_state_name(enum supervisor_state s);
const char *supervisor_event_name(enum supervisor_event_kind e);

/* supervisor_edge(s, e, next): whether the table lists the pair; next may be NULL. */
bool supervisor_edge(enum supervisor_state s, enum supervisor_event_kind e, enum supervisor_state *next);

#endif
