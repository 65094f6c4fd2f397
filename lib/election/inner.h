/* inner.h - what the files of the lease core share and nobody else includes.
 *
 * One step has one context: the lease, the event and the actions.  register.c knows one
 * register (R1-R3, R6), campaign.c the quorum, epochs, ranks and the ways in and out,
 * lease.c the tables. */
#ifndef ELECTION_INNER_H
#define ELECTION_INNER_H

#include "election/lease.h"

/* Broken variants for the tests of the tests; none of them is in a release (tests/tree). */
#ifdef AEGIS_MUTANTS
extern int lease_mutant;
#define MUTANT(n) (lease_mutant == (n))
#else
#define MUTANT(n) false
#endif

#define REVISION_ANY UINT64_MAX		/* of mutant 1 */

struct step {
	struct lease *l;
	const struct lease_event *ev;
	struct lease_actions *out;
};

struct lease_action *step_do(const struct step *s, enum lease_action_kind kind);
void step_alarm(const struct step *s, enum lease_alarm alarm, unsigned reg, int code);

/* lease_due(l): the earliest deadline, of the state or of a register (lease_due.c). */
struct boot lease_due(const struct lease *l);

static inline unsigned
quorum(const struct lease *l)
{
	return l->opts.registers / 2 + 1;
}

static inline bool
is_mine(const struct lease *l, struct lease_nonce nonce)
{
	return lease_nonce_is(nonce, l->opts.nonce);
}

/* --- register.c --------------------------------------------------------------------------- */

/* What forbids a write, rule by rule (R1). */
#define BLOCK_LINK 1u		/* (a) */
#define BLOCK_INC 2u		/* (b) */
#define BLOCK_WAIT 4u		/* (c) */
#define BLOCK_EPOCH 8u		/* (d) */
#define BLOCK_REPAIR 16u	/* (e), R6 */

/* register_blocked(l, r, target): which of these hold for a write that carries target; 0: it may
 * be written. */
unsigned register_blocked(const struct lease *l, unsigned r, uint64_t target);

void register_event(const struct step *s);		/* LINK_*, VIEW, ACK, NACK, LOST */
void register_reads(const struct step *s);		/* what is due by R2 and R6 */
struct boot register_due(const struct lease *l, unsigned r);

/* register_write(s, r, mark, epoch): expecting the known revision. */
void register_write(const struct step *s, unsigned r, enum lease_mark mark, uint64_t epoch);
unsigned register_in_flight(const struct lease_register *g);
/* register_releases(g, f): whether f is, or was, a release of the revision that is seen. */
bool register_releases(const struct lease_register *g, const struct lease_flight *f);

/* register_jump(l, before, leading): the clock cannot be trusted since `before`. */
void register_jump(struct lease *l, struct boot before, bool leading);

/* --- quorum.c ----------------------------------------------------------------------------- */

typedef bool view_fn(const struct lease *l, const struct lease_register *g);
unsigned quorum_count(const struct lease *l, view_fn *is);	/* registers of which it is true */

view_fn view_retired, view_of_another, view_overtakes, view_mine;

/* quorum_grant(l): the Q-th newest grant.  quorum_until(l): R3, from it. */
struct boot quorum_grant(const struct lease *l);
struct boot quorum_until(const struct lease *l);
int64_t rank_delay(const struct lease *l);
struct lease_nonce rank_successor(const struct lease *l);

/* --- campaign.c --------------------------------------------------------------------------- */

/* campaign_end(l): campaign number + 1, grants -infinity, acked 0. */
void campaign_end(struct lease *l);
bool campaign_may(struct lease *l);
void campaign_begin(const struct step *s);
bool campaign_granted(const struct lease *l);
bool campaign_hopeless(const struct lease *l);
void campaign_failed(struct lease *l);
void campaign_raise(struct lease *l);
void campaign_renew(const struct step *s);
void campaign_release(const struct step *s);

#endif
