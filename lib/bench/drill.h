/* drill.h - what the conductor of a failover drill and its members say to each other.
 *
 * A member is a process of this same program with a part in one election and nothing else
 * (app/drill.h).  Every member hears every call; the one whose gate is open serves it, the
 * others are silent.  So two that are open answer the same call twice, which no routing hides.  Beside
 * that they serve a method as every exclusive one is served, by their queue (bench/flow.h).
 *
 * All of it stays on one host and in one build, so structs travel as they are. */
#ifndef BENCH_DRILL_H
#define BENCH_DRILL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define DRILL_VERB "__drill"	/* hidden: main calls drill_main (app/drill.h) for it */
#define DRILL_GROUP "drill"

#define DRILL_CALL "aegis.drill.call"		/* to all members: struct drill_call */
#define DRILL_SERVICE "drill"			/* of the method by the queue */
#define DRILL_METHOD "count"
/* To the member with that nonce, struct drill_call: an event is to be stored, under its lease; struct drill_stored. */
#define DRILL_STORE "aegis.drill.store"
#define DRILL_DOMAIN "drill"			/* of the event; its Nats-Msg-Id is the call's number */
#define DRILL_TYPE "stored"
/* What signals do to a member, beside TERM: its wall clock is set by an hour, and set right again. */
#define DRILL_AHEAD SIGUSR1
#define DRILL_BEHIND SIGUSR2
#define DRILL_RIGHT SIGHUP

/* How fast a member's clocks go, in millionths more than the machine's (sys/clock.h): "10000"; heeded by programs that only test
 * (tests/chaos).  Its own children are told its bases, too: "10000:MONO:BOOT:WALL", in ns. */
#define DRILL_CLOCK "AEGIS_TEST_CLOCK"

#define DRILL_STATE "aegis.drill.state"		/* to all members, empty: struct drill_state */

/* What the words behind the verb are, in this order. */
enum drill_word { DRILL_ID, DRILL_SERVERS, DRILL_PROFILE, DRILL_HISTORY, DRILL_CALLS, DRILL_WORK, DRILL_STORES, DRILL_WORDS };

struct drill_call {
	uint64_t req;
};

struct drill_answer {
	uint64_t req, epoch, count;	/* count: of the exclusive counter, larger for every later call */
	int64_t at;			/* when it was served, BOOTTIME of the host, ns */
	char nonce[33];
};

enum drill_outcome { DRILL_STORED, DRILL_REFUSED, DRILL_NOBODY_KNOWS };
struct drill_stored {
	uint64_t req, epoch;
	enum drill_outcome outcome;
};

struct drill_state {
	char id[32], nonce[33];
	pid_t pid, work, guardian;	/* of the program that runs under the lease, and of its guardian; 0: none */
	char node[32];			/* that the data connection leads to */
	uint64_t epoch;			/* of the hold, while active */
	bool active;			/* ACTIVE, and admits */
	bool standby;
	unsigned registers, known;	/* of the set; with a link and a view */
	int64_t wait_ns;		/* L of the profile; 0 while it is not known */
	int64_t age_ns;			/* since when all registers have been known without a break */
	char why[160];			/* why it cannot take part; "" */
};

#endif
