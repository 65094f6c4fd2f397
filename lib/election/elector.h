/* elector.h - one process's part in one group: the shell around the lease.
 *
 * It owns the struct lease, the gate, the timer and the traffic (election.md §4-§5, §9), and
 * carries out what lease_step asks for.  What only the owner can do it asks for by the
 * callbacks: admit or refuse calls, tell the workload its role, end it.
 *
 *	elector_new     STANDBY, not eligible: takes part, writes nothing
 *	elector_eligible(on)    ... registered, healthy, able to run work: may lead now
 *	role(ACTIVE)    the gate is open: start a cold workload, serve
 *	role(SUSPECT)   calls wait; nothing is stopped; back to ACTIVE or on to FENCED
 *	role(DRAINING)  let what runs end, end a cold workload, then elector_idle
 *	role(FENCED)    reap() came before it: kill, then elector_idle
 *	role(STANDBY)   another may lead
 *
 * elector_idle is the promise that no exclusive call is in flight and that nothing started
 * under the lease is alive.  Nothing is released before it, and after FENCED nothing is
 * campaigned for before it.
 *
 * All functions and callbacks are of the loop's thread unless they say otherwise; callbacks
 * come from a timer or a mail, never from inside a call of the owner's, and may call
 * everything but elector_free.  Nothing blocks. */
#ifndef ELECTION_ELECTOR_H
#define ELECTION_ELECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/instant.h"
#include "codec/lease.h"
#include "election/lease.h"
#include "election/site.h"
#include "sys/gate.h"
#include "sys/snapshot.h"

#define ELECT_SERVICE "ELECT"	/* the service of the groups of `aegis elect` */

struct elector;
struct hist;

/* A change of state, as ROLE tells it. */
struct elector_role {
	enum lease_state state, before;
	uint64_t epoch;			/* that of the hold; 0 when there was none yet */
	enum lease_reason reason;
	struct wall since;
};

/* Who holds the lease, as Q registers show it: where to relay to, never a right to act.  instance is ""
 * and epoch 0 when nobody is known to. */
struct elector_holder {
	char instance[129];
	struct lease_nonce nonce;
	uint64_t epoch;
	bool self;
	uint64_t let_go;	/* a register was given back by the hold of this epoch, or a later one.  Its lead was released then,
				   or had run out before: how it was, its beats say */
};

struct elector_opts {
	struct site *site;
	const char *service, *group;	/* checked by name_check; ELECT_SERVICE for `aegis elect`; copied */
	const char *instance;		/* as in the registry; copied */
	const char *profile;		/* NULL: that of the group record, else "default" */
	const char *fence;		/* what the group record must say of its level (§6): "gate", "stream", "stream:4"; NULL:
					   whatever it says.  Copied */
	bool hot;			/* --standby hot */
	int64_t drain_ns;		/* after it calls in flight are reaped; 0: 10 s */
	gate_word *word;		/* where the gate word lies, e.g. in a memfd that the guardian maps too;
					   outlives the elector.  NULL: in the elector */
	struct conn *data[LEASE_CONNS];	/* connections that carry exclusive calls, named in the value so
					   that a successor can kick them (§6); NULL ends the list */

	/* Callbacks; any may be NULL.  GATE was set before each of them. */
	void (*admit)(void *arg, bool on);	/* new exclusive calls may begin (the gate knows too) */
	void (*role)(void *arg, const struct elector_role *role);
	void (*reap)(void *arg);		/* kill what runs under the lease; answer elector_idle */
	void (*holder)(void *arg, const struct elector_holder *holder);	/* somebody else is known to lead */
	void (*stepdown)(void *arg, const char *to);	/* asked for by control message; before the resignation begins */
	void (*failed)(void *arg, const struct err *why);	/* cannot take part (profile or set do not match,
								   figures not safe): ERR_CONFIG, for good */
	void (*ended)(void *arg);		/* elector_resign with stop is done: elector_free may follow */
	void *arg;
};

/* elector_new(o, err): ERR_INVALID for a name or profile that cannot be.  Waits for nothing: what
 * keeps it from taking part stands in its status. */
struct elector *elector_new(const struct elector_opts *o, struct err *err);

/* elector_free(e): shuts the gate and goes, releasing nothing: others wait until the lease has run out.
 * For an orderly end resign with stop first.  Not from a callback.  NULL is fine. */
void elector_free(struct elector *e);

/* elector_eligible(e, on, reason): whether it may lead: registered, healthy, not paused, no foreign
 * leader, guardian there.  reason of off: LEASE_BY_UNHEALTHY or LEASE_BY_FOREIGN. */
void elector_eligible(struct elector *e, bool on, enum lease_reason reason);

/* elector_idle(e): answer to DRAINING, FENCED and RETIRED; counted and ignored otherwise. */
void elector_idle(struct elector *e);

/* elector_resign(e, to, stop, err): steps down in favour of the live member with instance id `to`, or of
 * whoever comes first (NULL).  stop: for good, ended() follows; otherwise it may lead again once
 * another does or 2L have passed.  Works in every state.  ERR_NOT_FOUND, and nothing happens, when no
 * live member has that id. */
enum err_code elector_resign(struct elector *e, const char *to, bool stop, struct err *err);

/* elector_fenced(e, rejects): how many events a fence has refused here so far. */
void elector_fenced(struct elector *e, uint64_t rejects);

/* elector_deposed(e, epoch): a fence shows this higher epoch (§6). */
void elector_deposed(struct elector *e, uint64_t epoch);

/* elector_gate(e): what serving threads ask (sys/gate.h); any thread, until elector_free. */
struct gate *elector_gate(struct elector *e);

/* elector_lease_ns(e): D of the profile, for the guardian.  0 while it is not known. */
int64_t elector_lease_ns(const struct elector *e);
const struct profile *elector_profile(const struct elector *e);	/* NULL while it is not known */
struct lease_nonce elector_nonce(const struct elector *e);
const char *elector_gid(const struct elector *e);		/* {service}__{group} */

/* --- for every thread --------------------------------------------------------------------- */

struct elector_register {
	char node[129], server[64];	/* where it lies; whom the pinned connection leads to */
	bool up, known;
	char why[200];			/* why it is not up */
	uint64_t revision;		/* 0: blank */
	enum lease_mark mark;
	uint64_t epoch;
	struct lease_nonce nonce;
	char owner[129];		/* instance id */
	struct boot seen;		/* since when the value stands as it is; age = boot now - seen */
	struct boot granted;		/* send time of the newest acknowledged write of our present hold */
};

/* How this member and its group are.  Immutable. */
struct elector_status {
	struct snapshot snapshot;
	char service[65], group[129], instance[129];
	struct lease_nonce nonce;
	const char *profile;		/* "" while it is not known */
	struct elector_role role;	/* state, and since when */
	bool eligible, admits;
	enum lease_obstacle obstacle;	/* why nobody leads, as far as seen from here */
	struct elector_holder holder;
	unsigned n;			/* registers; 0 while the site is not ready */
	struct site_facts site;
	struct elector_register reg[LEASE_REGISTERS];
	struct boot grant;		/* the Q-th newest grant; BOOT_LONG_AGO: none */
	struct boot until;		/* the lease runs out; BOOT_LONG_AGO: none */
	struct lease_changes changes;	/* the last ten of the group, as far as read or made here */
	struct err failed;		/* code ERR_OK: it takes part */
};

/* elector_status(e): the newest picture, at most half a second old, younger after every change; to be
 * given back by elector_status_drop.  Any thread; does not wait. */
const struct elector_status *elector_status(struct elector *e);
void elector_status_drop(const struct elector_status *s);

/* Counters; every field may be read by any thread at any time (§8, conventions.md §7). */
enum elector_thread { ELECTOR_LOOP, ELECTOR_LINKS, ELECTOR_THREADS };
struct elector_counters {
	atomic_int urgency[ELECTOR_THREADS];			/* enum urgency (sys/urgent.h) of the threads that renew */
	_Atomic uint64_t transitions[LEASE_REASON_COUNT];	/* gained or lost, by reason */
	_Atomic uint64_t alarms[LEASE_ALARM_COUNT];
	_Atomic uint64_t writes, nacks, lost, jumps, kicks, meta_failures;
	_Atomic uint64_t fence_rejects;			/* as elector_fenced was told */
	struct hist *renew[LEASE_REGISTERS];		/* from sending a write to its acknowledgement */
	struct hist *failover;				/* from the last known holder's silence to opening here */
};
const struct elector_counters *elector_counters(const struct elector *e);

#endif
