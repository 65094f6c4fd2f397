/* gate.h - may this thread act as the leader, right now (election.md R4, §6).
 *
 * One atomic word says until when: nothing has to run for it to close, so a process that was
 * paused, starved or cut off finds it shut.  The lease sets it; everybody else looks.  The
 * order of a look is load the word, then read the clock, then compare: the other way round, a
 * pause in between would open a shut gate.  Time is CLOCK_BOOTTIME, which goes on in suspend.
 *
 * The word may lie in memory shared with another process (the guardian); the rest, which
 * the serving threads need, is of one process.  No locks; any thread may call. */
#ifndef SYS_GATE_H
#define SYS_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/instant.h"
#include "sys/clock.h"

/* (until in µs << 12) | (hold & 0xfff); 0 is shut.  Good for 142 years of uptime. */
typedef _Atomic uint64_t gate_word;

/* gate_pack(until, hold): the word; until at or before the clock's origin is shut. */
uint64_t gate_pack(struct boot until, uint32_t hold);

/* gate_open_at(bits, now): what a look at the word means.  gate_until: when it closes.
 * gate_hold: the hold as it names it. */
bool gate_open_at(uint64_t bits, struct boot now);
struct boot gate_until(uint64_t bits);
uint32_t gate_hold(uint64_t bits);

/* gate_look(word, clock): 0 when shut, else the word as it was loaded, which names the hold. */
uint64_t gate_look(const gate_word *word, const struct clock *clock);

struct gate {
	gate_word *word;
	const struct clock *clock;
	_Atomic uint64_t opening, target;	/* the epochs that the hold owns */
	_Atomic uint64_t in_flight;
	_Atomic bool admits;
	_Atomic unsigned barred;	/* GATE_BAR_ bits: what was received before a flush round trip is refused */
};

/* gate_init(g, word, clock): shut, nothing admitted.  word and clock outlive g. */
void gate_init(struct gate *g, gate_word *word, const struct clock *clock);

/* Of the lease's shell only. */
void gate_set(struct gate *g, struct boot until, uint32_t hold);
void gate_set_epochs(struct gate *g, uint64_t opening, uint64_t target);
void gate_admit(struct gate *g, bool on);

/* gate_bar(g, why, on): each reason is lifted by who set it, after a round trip that began later. */
#define GATE_BAR_JUMP 1u	/* the clocks jumped: the lease's shell */
#define GATE_BAR_PAUSE 2u	/* the process stood still: who serves exclusive calls */
void gate_bar(struct gate *g, unsigned why, bool on);
uint64_t gate_in_flight(const struct gate *g);

enum gate_answer {
	GATE_OPEN,	/* act, look again, then leave */
	GATE_SHUT,	/* not the leader */
	GATE_OLD,	/* the leader, but the call is meant for another hold, or was in the socket too long */
	GATE_WAIT,	/* the leader, but calls wait until its state changes */
};

/* gate_enter(g, epoch, pass): before the handler.  epoch is that of the call, 0 when it has none.
 * On GATE_OPEN the call counts as in flight until gate_leave, and *pass names the hold.  The
 * count goes up before anything is looked at: who shut admission and then reads 0 knows that
 * nobody is on the way in. */
enum gate_answer gate_enter(struct gate *g, uint64_t epoch, uint64_t *pass);

/* gate_still(g, pass): right before the reply or commit: open, and the same hold as then. */
bool gate_still(const struct gate *g, uint64_t pass);
void gate_leave(struct gate *g);

#endif
