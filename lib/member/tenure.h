/* tenure.h - how an instance comes to hold its record, keeps it, and lets go.  Pure.
 *
 * One operation on the store is under way at a time; the shell carries out what the step
 * asks for and reports back.  Every decision of wire.md §8.2 about revisions, twins and
 * taking over is here; DESIGN.md shows the table. */
#ifndef MEMBER_TENURE_H
#define MEMBER_TENURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/instant.h"

#define TENURE_STATES(X) \
	X(OFF)		/* not wanted, nothing of ours is stored */ \
	X(CLAIMING)	/* a put is under way that expects the key absent, or a dead one's revision */ \
	X(HELD)		/* the record is ours; the next put is due at `due` */ \
	X(RENEWING)	/* a put is under way that expects our last revision */ \
	X(READING)	/* somebody else's revision is there: reading what it is */ \
	X(PROBING)	/* asking whether the other one lives */ \
	X(WATCHING)	/* the other one did not answer: waiting whether its record moves */ \
	X(WAITING)	/* the store failed; trying again at `due` */ \
	X(LEAVING)	/* removing the record */ \
	X(TWIN)		/* a live process has our id: the end */

#define TENURE_EVENTS(X) \
	X(START) X(STOP) X(TIMER) X(DIRTY) X(RECONNECTED) \
	X(PUT_DONE) X(PUT_CONFLICT) X(FAILED) \
	X(READ_NONE) X(READ_MINE) X(READ_OTHER) \
	X(PROBE_NOBODY) X(PROBE_SILENT) X(PROBE_OTHER) \
	X(PROBE_EARLY)	/* nobody, but the bus has only just come back, and others may still be on their way */ \
	X(REMOVED)

enum tenure_state {
#define X(name) TENURE_##name,
	TENURE_STATES(X)
#undef X
	TENURE_STATE_COUNT
};

enum tenure_event_kind {
#define X(name) TENURE_EV_##name,
	TENURE_EVENTS(X)
#undef X
	TENURE_EVENT_COUNT
};

struct tenure_event {
	enum tenure_event_kind kind;
	uint64_t revision;	/* PUT_DONE: the new one; READ_*: that of what was read (0: no key) */
	int64_t heartbeat;	/* READ_OTHER: lastHeartbeat, to see whether it stands still */
	bool foreign;		/* READ_OTHER: a record without nonce (Python), which cannot be asked */
};

/* What the shell shall do; at most one operation, and at most one report. */
enum tenure_op { TENURE_NOTHING, TENURE_PUT, TENURE_READ, TENURE_PROBE, TENURE_REMOVE };
enum tenure_report {
	TENURE_QUIET,
	TENURE_REGISTERED,	/* for the first time since START */
	TENURE_TAKEN_OVER,	/* the same, over the record of a dead process */
	TENURE_RETRYING,
	TENURE_IS_TWIN,
	TENURE_REMOVED,		/* left, and the record is gone */
	TENURE_LEFT,		/* left without removing: nothing of ours was there, or nobody knows */
};

struct tenure_actions {
	enum tenure_op op;
	uint64_t expect;	/* of PUT and REMOVE; 0: absent */
	enum tenure_report report;
};

struct tenure_opts {
	int64_t heartbeat_ns;	/* between puts; each is 10 % earlier or later */
	uint64_t seed;
};

struct tenure {
	struct tenure_opts opts;
	enum tenure_state state;
	bool wanted;		/* what the owner wants; state is what is */
	bool dirty;		/* the record's content changed since the last put began */
	bool registered;	/* was held at least once since START */
	uint64_t revision;	/* of our record, or of the one we are about to replace */
	struct mono due;	/* when TIMER is wanted; MONO_NEVER */
	unsigned failures;	/* in a row */
	int64_t seen_heartbeat;	/* WATCHING: the other's, and since when it stands still */
	struct mono still_since;
	bool silent;		/* the other one was asked and did not answer */
	uint64_t ignored;	/* events that the table does not list */
};

void tenure_init(struct tenure *t, const struct tenure_opts *o);

/* tenure_pace(t, ns): between puts from the next one on. */
void tenure_pace(struct tenure *t, int64_t heartbeat_ns);

/* tenure_step(t, ev, now, out): the one function that changes t. */
void tenure_step(struct tenure *t, const struct tenure_event *ev, struct mono now, struct tenure_actions *out);

const char *tenure_state_name(enum tenure_state s);
const char *tenure_event_name(enum tenure_event_kind e);

#endif
