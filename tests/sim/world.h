/* world.h - members that run the real lease core, registers, messages between them, and the
 * invariants of an election, checked after every step.
 *
 * Nothing here is random and nothing waits: the caller says what happens next (the adversary
 * in adversary.c, a script in scripts.c).  Everything has a fixed size, so that a world is
 * made anew by clearing it. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "election/lease.h"

#define WORLD_MEMBERS 4
#define WORLD_MAIL 192		/* messages under way; beyond it they are lost */

enum mail_kind {
	MAIL_WRITE, MAIL_READ, MAIL_GROUP_READ, MAIL_META,	/* to a register, to the group record */
	MAIL_ACK, MAIL_NACK, MAIL_LOST, MAIL_VIEW, MAIL_GROUP,	/* to a member */
	MAIL_EFFECT,						/* to the fenced stream */
};

struct mail {
	enum mail_kind kind;
	uint8_t member, reg;
	bool watched;
	int code;
	enum lease_group group;
	uint32_t life;		/* of the member, of whose life this is */
	uint32_t link;		/* number of the link on which it travels */
	uint32_t inc;		/* incarnation of the server */
	uint64_t id, rev, epoch;
	struct boot sent;	/* on the member's clock */
	int64_t not_before;	/* true time */
	struct lease_value value;
};

struct stored {
	uint64_t rev;		/* 0: blank */
	struct lease_value value;
	int64_t at;		/* true time of the write */
};

struct reg_server {
	bool up;
	uint32_t inc;
	uint64_t seq;
	struct stored now, before;	/* before: what a crash of the machine may bring back */
	uint64_t lost_epoch;		/* highest epoch that was lost and not written since; 0: none */
	bool reverted;			/* it was lost without leaving the register blank */
};

struct member {
	struct lease lease;
	bool alive, paused, frozen;	/* frozen: its clocks stand still, too */
	uint32_t life;
	int64_t origin_true, origin_local;	/* the local clock ran from here… */
	int ppm;				/* …at this rate */
	int64_t wall_step;
	struct boot due;
	uint64_t gate;			/* the word */
	uint32_t open_hold;		/* of the hold that was counted as opened */
	uint64_t raised;		/* target that was counted */
	bool admits, idle_wanted;
	bool link[LEASE_REGISTERS];	/* as the shell has it */
	bool cut_to[LEASE_REGISTERS], cut_from[LEASE_REGISTERS];
	uint32_t link_no[LEASE_REGISTERS];
	bool told_down[LEASE_REGISTERS];	/* a loss of link that a paused member has yet to hear */
	uint64_t fence_rev;		/* 0: not activated */
	uint64_t fence_epoch;
};

struct world {
	unsigned n, members;
	bool floor;			/* wall clocks count (R5) */
	bool unbounded;			/* data may be lost beyond assumption 4: epochs are not judged */
	bool beyond;			/* it was */
	bool replicated;
	struct profile profile;
	int64_t t;			/* true time, ns */
	struct reg_server server[LEASE_REGISTERS];
	struct member member[WORLD_MEMBERS];
	struct mail mail[WORLD_MAIL];
	unsigned mails;
	enum lease_group group;
	uint64_t group_epoch;
	uint64_t top;			/* highest epoch opened with or raised to… */
	struct lease_nonce top_owner;	/* …by this one */
	uint64_t fence_epoch, fence_rev, effect_epoch;
	uint64_t nonces, opened, steps;
	bool (*fate)(struct world *w, struct mail *m);	/* false: lost; may delay it, or send it twice */
	const char *violated;		/* first invariant that did not hold, NULL while all do */
	bool trace;
};

/* world_init(w, n, members, p): all down and out: no link, nobody alive, registers blank and up. */
void world_init(struct world *w, unsigned n, unsigned members, const struct profile *p);

void world_start(struct world *w, unsigned m, int64_t local, int ppm, uint64_t seed);
void world_crash(struct world *w, unsigned m);
void world_pause(struct world *w, unsigned m, bool frozen);
void world_resume(struct world *w, unsigned m);
void world_leap(struct world *w, unsigned m, int64_t ns);	/* the local clock jumps ahead; JUMP */

bool world_connect(struct world *w, unsigned m, unsigned r);	/* false: cannot */
void world_disconnect(struct world *w, unsigned m, unsigned r);

enum world_loss { WORLD_PLAIN, WORLD_REVERT, WORLD_WIPE };
void world_server_down(struct world *w, unsigned r);
void world_server_up(struct world *w, unsigned r);
/* world_lose(w, r, how): data of a register, whether it is up or down. */
void world_lose(struct world *w, unsigned r, enum world_loss how);
bool world_in_budget(const struct world *w, unsigned r, enum world_loss how);
bool world_may_wipe_live(const struct world *w, unsigned r);

void world_event(struct world *w, unsigned m, const struct lease_event *ev);
void world_tick(struct world *w, unsigned m);
void world_post(struct world *w, const struct mail *m);
void world_deliver(struct world *w, unsigned i);	/* takes it out */
void world_effect(struct world *w, unsigned m);		/* the holder acts on the fenced stream */

struct boot world_local(const struct world *w, unsigned m);
bool world_open(const struct world *w, unsigned m);	/* its gate, by its own clock */
int world_active(const struct world *w);		/* who has an open gate and admission, or -1 */

#endif
