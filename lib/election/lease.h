/* lease.h - who of a group leads: one member's view of the registers, and what to do next.
 * Pure: events and the clock in, a list of actions out; no I/O, no allocation.
 *
 * The whole election of election.md §4-§5 is behind lease_step.  The shell turns NATS traffic
 * and timers into events, one at a time, on one thread, and carries out the actions in the
 * order in which they are listed.  It decides nothing.  DESIGN.md has the tables, the rules
 * and the list of what the shell owes.
 *
 * The one thing that must be read elsewhere is the gate: whoever acts looks at the word that
 * LEASE_DO_GATE sets (sys/gate.h), never at the state here, because a blocked process changes
 * no state. */
#ifndef ELECTION_LEASE_H
#define ELECTION_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/instant.h"
#include "election/profile.h"
#include "model/lease.h"

#define LEASE_STATES(X) \
	X(STANDBY)	/* wants to lead if eligible; writes nothing but releases of its own */ \
	X(CAMPAIGN)	/* one round of writes is out */ \
	X(ACTIVE)	/* leads */ \
	X(SUSPECT)	/* leads, but calls wait: the quorum is late, or the clock jumped */ \
	X(DRAINING)	/* lets calls in flight end under the lease, then releases */ \
	X(FENCED)	/* lost it; waits until its work is dead, and writes nothing */ \
	X(RETIRED)	/* the set of registers was replaced */

#define LEASE_EVENTS(X) \
	X(TICK)		/* out->due was reached; also right at any time */ \
	X(LINK_UP)	/* reg, server: the pinned connection is there and subscribed */ \
	X(LINK_DOWN)	/* reg */ \
	X(VIEW)		/* reg, rev (0: blank), value or unreadable, sent: of the READ, BOOT_LONG_AGO if watched */ \
	X(ACK)		/* reg, id, rev: stored */ \
	X(NACK)		/* reg, id, code: not stored; code is JetStream's err_code */ \
	X(LOST)		/* reg, id: no answer in time, or 503.  id 0: a READ */ \
	X(ELIGIBLE)	/* on, reason: of off, UNHEALTHY or FOREIGN */ \
	X(RESIGN)	/* to (nobody: choose), stop: for good */ \
	X(IDLE)		/* no exclusive call in flight and the workload reaped */ \
	X(DEPOSED)	/* epoch: a fence shows this higher one (§6) */ \
	X(JUMP)		/* before anything else of its loop turn: REALTIME - BOOTTIME changed by more than g */ \
	X(GROUP)	/* group, epoch, sent: what the group record says, in answer to DO_GROUP */ \
	X(PEERS)	/* peers, n_peers: the live members, from the fast beats */

#define LEASE_ACTION_KINDS(X) \
	X(READ)		/* reg, sent: leader read; its VIEW carries the same `sent` */ \
	X(WRITE)	/* reg, id, rev, value: compare-and-set on rev, at once or never */ \
	X(GATE)		/* until, hold: set the word; BOOT_LONG_AGO shuts it */ \
	X(ADMIT)	/* on: whether new calls may begin */ \
	X(ROLE)		/* state, epoch, reason: log it, beat at once, update the record, tell the workload */ \
	X(REAP)		/* end the workload and calls in flight; IDLE when it is done */ \
	X(META)		/* epoch: group record to LIVE with it, in the background, retried, never waited for */ \
	X(GROUP)	/* sent: leader-read the group record; its GROUP carries the same `sent` */ \
	X(KICK)		/* nonce: kick the connections in the last record of that one, if it may be done */ \
	X(ALARM)	/* alarm, reg, code: log and count */

#define LEASE_REASONS(X) \
	X(NONE) \
	X(FIRST) X(RELEASED) X(EXPIRED) X(SELF)		/* how it was gained; EXPIRED also how it was lost */ \
	X(RESIGNED) X(DEPOSED) X(UNHEALTHY) X(FOREIGN) X(CLOCK) X(RETIRED)

#define LEASE_ALARMS(X) \
	X(UNREADABLE)	/* reg: a value that cannot be understood; the register is left alone */ \
	X(REFUSED)	/* reg, code: a write was refused for another reason than its revision */ \
	X(SLOW)		/* the quorum is late: SUSPECT */ \
	X(OVERTAKEN)	/* a quorum shows another one with a higher epoch */ \
	X(BLANK)	/* reg: a register of a live group is empty */ \
	X(EXPIRED)	/* the lease ran out */

/* Why nobody may be active from here; what `elect --observe` and doctor say. */
#define LEASE_OBSTACLES(X) \
	X(CLEAR)	/* none: somebody leads, or the wait for it is on */ \
	X(UNPINNED)	/* fewer than Q links */ \
	X(NO_QUORUM)	/* fewer than Q views */ \
	X(EMPTY)	/* blank registers that may not be written: repair */ \
	X(GONE)		/* the set is retired */ \
	X(NOT_ELIGIBLE)

#define X(name) LEASE_##name,
enum lease_state { LEASE_STATES(X) LEASE_STATE_COUNT };
#undef X
#define X(name) LEASE_EV_##name,
enum lease_event_kind { LEASE_EVENTS(X) LEASE_EVENT_COUNT };
#undef X
#define X(name) LEASE_DO_##name,
enum lease_action_kind { LEASE_ACTION_KINDS(X) LEASE_ACTION_KIND_COUNT };
#undef X
#define X(name) LEASE_BY_##name,
enum lease_reason { LEASE_REASONS(X) LEASE_REASON_COUNT };
#undef X
#define X(name) LEASE_ALARM_##name,
enum lease_alarm { LEASE_ALARMS(X) LEASE_ALARM_COUNT };
#undef X
#define X(name) LEASE_WHY_##name,
enum lease_obstacle { LEASE_OBSTACLES(X) LEASE_OBSTACLE_COUNT };
#undef X

#define LEASE_PEERS_MAX 64	/* more do not count for the rank, which only costs time */

struct lease_peer {
	struct lease_nonce nonce;
	bool hot;
};

struct lease_now {
	struct boot boot;
	struct wall wall;	/* the floor of epochs (R5), nothing else */
};

struct lease_event {
	enum lease_event_kind kind;
	uint8_t reg;			/* 0 … N-1 */
	bool on, stop, unreadable;
	enum lease_reason reason;
	enum lease_group group;
	int code;
	uint64_t id, rev, epoch;
	uint64_t server;		/* lease_server(server id); never 0 */
	struct boot sent;
	struct lease_value value;
	struct lease_nonce to;
	const struct lease_peer *peers;	/* only read, during the call */
	unsigned n_peers;
};

struct lease_action {
	enum lease_action_kind kind;
	uint8_t reg;
	bool on;
	enum lease_state state;
	enum lease_reason reason;
	enum lease_alarm alarm;
	uint32_t hold;
	int code;
	uint64_t id, rev, epoch;
	struct boot until, sent;
	struct lease_nonce nonce;
	struct lease_value value;
};

/* Three registers, each read and written once, and what a change of state brings. */
#define LEASE_ACTIONS_MAX 24

struct lease_actions {
	unsigned n;
	struct boot due;	/* always set: when TICK is wanted */
	struct lease_action list[LEASE_ACTIONS_MAX];
};

struct lease_opts {
	unsigned registers;		/* N: 1 or 3 */
	bool replicated;		/* N=1 on an R3 stream (§3.5) */
	bool hot;			/* --standby hot: ranks before cold ones */
	struct profile profile;		/* checked by the caller (profile_check) */
	struct lease_nonce nonce;	/* of this process start; somebody */
	uint64_t group;			/* lease_server(gid): spreads the ranks of several groups */
	uint64_t seed;			/* of the back-off */
	int64_t drain_ns;		/* how long calls in flight may take to end before REAP */
};

/* A write on its way. */
struct lease_flight {
	uint64_t id;			/* 0: this place is free */
	uint64_t expect;
	uint64_t epoch;
	uint64_t campaign;
	struct boot sent;
	struct lease_nonce to;
	enum lease_mark mark;
	bool asked;			/* unanswered for too long: read back, counts no more as in flight */
};

/* What is known of one register (§4). */
struct lease_register {
	bool up, known;
	bool unreadable;		/* its last value could not be understood */
	uint64_t inc;			/* server, 0: never reached */
	struct boot inc_since;		/* when this incarnation was first reached */
	uint64_t rev;
	struct lease_value value;
	struct boot seen;		/* when this view arrived */
	struct boot conf;		/* send time of the newest read or own write that returned it */
	struct boot grant;		/* send time of the newest acknowledged held write of this campaign */
	uint64_t acked;			/* highest epoch acknowledged in this campaign */
	struct boot read_at;		/* when it was last asked for a read */
	struct lease_flight flight[PROFILE_HEDGE];
};

/* One member in one group.  Read what you like; only lease_step writes. */
struct lease {
	struct lease_opts opts;
	enum lease_state state;
	struct boot now;		/* of the last step */
	struct wall wall;
	struct lease_register reg[LEASE_REGISTERS];
	int64_t wait_ns;		/* Lw: what every wait uses */
	struct boot until;		/* R3; BOOT_LONG_AGO: nothing granted */
	uint64_t campaign;		/* number; acknowledgements of earlier ones never count */
	struct boot campaign_at;	/* t0 */
	uint64_t target;		/* the epoch that our writes carry */
	uint64_t opening;		/* the epoch that the hold shows outside */
	uint64_t highest;		/* every epoch ever seen */
	uint64_t counter;		/* of our writes */
	uint32_t hold;			/* number of our holds */
	enum lease_reason gained;	/* how a campaign that succeeds will have been gained */
	struct lease_nonce before;	/* whom it takes the lease from */
	bool eligible;			/* the owner's word */
	enum lease_reason unfit;	/* why not */
	bool resigned, stopping;
	struct boot resigned_until;
	bool busy;			/* work may be alive: since a hold opened, until IDLE */
	bool failed;			/* the last campaign did not succeed */
	unsigned failures;		/* in a row */
	struct lease_nonce to;		/* successor that releases name */
	struct lease_nonce heir;	/* asked for by RESIGN */
	struct boot backoff, ready;	/* not before; since when Q registers may be written */
	struct boot renew_at, resume, drain;
	bool reaped;			/* REAP was asked for at the drain's deadline */
	enum lease_group group;
	struct boot group_at;		/* when the group record was last asked for */
	struct boot gate_until;		/* the word as it was set last */
	struct lease_peer peer[LEASE_PEERS_MAX];
	unsigned n_peers;
	uint64_t ignored;		/* events that no row lists */
};

/* lease_init(l, o): STANDBY, not eligible, no link.  Without effect on the outside. */
void lease_init(struct lease *l, const struct lease_opts *o);

/* lease_step(l, ev, now, out): applies the event, then judges what is due or over by now.  *out is
 * overwritten.  now.boot never goes back between steps. */
void lease_step(struct lease *l, const struct lease_event *ev, struct lease_now now, struct lease_actions *out);

/* lease_server(text): a server id, or a gid, as the number that events and options carry. */
uint64_t lease_server(const char *text);

/* lease_holder(l, nonce, epoch): Q views show this one holding with this epoch; for relaying calls,
 * never a right to act. */
bool lease_holder(const struct lease *l, struct lease_nonce *nonce, uint64_t *epoch);

/* lease_obstacle(l): why this member does not lead and sees nobody who does. */
enum lease_obstacle lease_obstacle(const struct lease *l);

/* lease_owns(l, epoch): the epoch lies in the range of the present hold (R5). */
bool lease_owns(const struct lease *l, uint64_t epoch);

const char *lease_state_name(enum lease_state s);
const char *lease_event_name(enum lease_event_kind e);
const char *lease_reason_name(enum lease_reason r);	/* "first", "released", … */
const char *lease_alarm_name(enum lease_alarm a);
const char *lease_obstacle_name(enum lease_obstacle o);

#endif
