/* quorum.c - what several registers and the live members say together: counts of views, the
 * Q-th newest grant (R3), the holder, and the rank among those who wait.
 *
 * Nothing here decides anything; a wrong rank only costs time. */
#include "election/inner.h"

unsigned
quorum_count(const struct lease *l, view_fn *is)
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->opts.registers; i++)
		n += is(l, &l->reg[i]);
	return n;
}

bool
view_retired(const struct lease *l, const struct lease_register *g)
{
	(void)l;
	return g->known && g->value.mark == LEASE_MARK_RETIRED;
}

bool
view_of_another(const struct lease *l, const struct lease_register *g)
{
	return g->known && g->value.mark == LEASE_MARK_HELD && !is_mine(l, g->value.nonce);
}

bool
view_overtakes(const struct lease *l, const struct lease_register *g)
{
	return g->known && !is_mine(l, g->value.nonce) && g->value.epoch > l->target;
}

bool
view_mine(const struct lease *l, const struct lease_register *g)
{
	return g->known && is_mine(l, g->value.nonce);
}

struct boot
quorum_grant(const struct lease *l)
{
	const struct lease_register *g = l->reg;

	if (l->opts.registers == 1)
		return g[0].grant;
	/* The second of three. */
	struct boot low = boot_min(g[0].grant, g[1].grant), high = boot_max(g[0].grant, g[1].grant);
	return boot_max(low, boot_min(high, g[2].grant));
}

struct boot
quorum_until(const struct lease *l)
{
	return boot_after(quorum_grant(l), l->opts.profile.d_ns - l->opts.profile.g_ns);
}

bool
lease_holder(const struct lease *l, struct lease_nonce *nonce, uint64_t *epoch)
{
	for (unsigned i = 0; i < l->opts.registers; i++) {
		const struct lease_value *v = &l->reg[i].value;
		uint64_t highest = v->epoch;
		unsigned same = 0;
		if (!l->reg[i].known || v->mark != LEASE_MARK_HELD)
			continue;
		for (unsigned k = i; k < l->opts.registers; k++) {
			const struct lease_value *w = &l->reg[k].value;
			if (!l->reg[k].known || w->mark != LEASE_MARK_HELD || !lease_nonce_is(v->nonce, w->nonce))
				continue;
			same++;
			highest = w->epoch > highest ? w->epoch : highest;
		}
		if (same < quorum(l))
			continue;
		*nonce = v->nonce;
		*epoch = highest;
		return true;
	}
	return false;
}

static bool
view_blank(const struct lease *l, const struct lease_register *g)
{
	(void)l;
	return g->known && g->value.mark == LEASE_MARK_BLANK;
}

static bool
view_known(const struct lease *l, const struct lease_register *g)
{
	(void)l;
	return g->known;
}

static bool
is_up(const struct lease *l, const struct lease_register *g)
{
	(void)l;
	return g->up;
}

enum lease_obstacle
lease_obstacle(const struct lease *l)
{
	struct lease_nonce nonce;
	uint64_t epoch;
	unsigned n = l->opts.registers;

	if (l->state == LEASE_RETIRED)
		return LEASE_WHY_GONE;
	if (quorum_count(l, is_up) < quorum(l))
		return LEASE_WHY_UNPINNED;
	if (quorum_count(l, view_known) < quorum(l))
		return LEASE_WHY_NO_QUORUM;
	if (lease_holder(l, &nonce, &epoch))
		return LEASE_WHY_CLEAR;
	if (n == 3 && l->group != LEASE_GROUP_NEW &&
	    quorum_count(l, view_known) - quorum_count(l, view_blank) < quorum(l))
		return LEASE_WHY_EMPTY;
	if (!l->eligible || l->resigned)
		return LEASE_WHY_NOT_ELIGIBLE;
	return LEASE_WHY_CLEAR;
}

/* --- ranks -------------------------------------------------------------------------------- */

/* rank_hash: the same order on every member, another one in every group. */
static uint64_t
rank_hash(const struct lease *l, struct lease_nonce n)
{
	uint64_t h = l->opts.group ^ n.hi * 0x9e3779b97f4a7c15u ^ n.lo;

	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93u;
	h ^= h >> 32;
	return h;
}

/* holds: this one stands in a register as holder, and so is no standby. */
static bool
holds(const struct lease *l, struct lease_nonce n)
{
	for (unsigned i = 0; i < l->opts.registers; i++)
		if (l->reg[i].known && l->reg[i].value.mark == LEASE_MARK_HELD && lease_nonce_is(l->reg[i].value.nonce, n))
			return true;
	return false;
}

static unsigned
position(const struct lease *l)
{
	uint64_t own = rank_hash(l, l->opts.nonce);
	unsigned before = 0;

	for (unsigned i = 0; i < l->n_peers; i++) {
		const struct lease_peer *p = &l->peer[i];
		if (is_mine(l, p->nonce) || holds(l, p->nonce))
			continue;
		before += p->hot != l->opts.hot ? p->hot : rank_hash(l, p->nonce) < own;
	}
	return before;
}

static bool
is_live(const struct lease *l, struct lease_nonce n)
{
	for (unsigned i = 0; i < l->n_peers; i++)
		if (lease_nonce_is(l->peer[i].nonce, n))
			return true;
	return false;
}

int64_t
rank_delay(const struct lease *l)
{
	unsigned steps = position(l);

	if (quorum_count(l, view_mine) > 0)
		return 0;
	for (unsigned i = 0; i < l->opts.registers; i++) {
		const struct lease_value *v = &l->reg[i].value;
		if (!l->reg[i].known || v->mark != LEASE_MARK_RELEASED || lease_nonce_nobody(v->to))
			continue;
		if (is_mine(l, v->to))
			return 0;
		if (is_live(l, v->to)) {
			steps += 2;
			break;
		}
	}
	return l->opts.profile.step_ns * steps;
}

struct lease_nonce
rank_successor(const struct lease *l)
{
	struct lease_nonce best = { 0, 0 };

	if (!lease_nonce_nobody(l->heir))
		return l->heir;
	for (unsigned i = 0; i < l->n_peers; i++) {
		const struct lease_peer *p = &l->peer[i];
		if (!p->hot || is_mine(l, p->nonce))
			continue;
		if (lease_nonce_nobody(best) || rank_hash(l, p->nonce) < rank_hash(l, best))
			best = p->nonce;
	}
	return best;
}
