/* campaign.c - how a lease is gained, kept and given back: epochs (R5), one round of writes,
 * renewals, raising over a failed rival, and releases (R7). */
#include "base/magic.h"
#include "election/inner.h"

/* counts_for_epoch: R5, what may be counted before a campaign.  A blank register hides the
 * epoch that it held, unless nothing was ever there. */
static bool
counts_for_epoch(const struct lease *l, const struct lease_register *g)
{
	if (!g->known)
		return false;
	return g->value.mark != LEASE_MARK_BLANK || l->opts.registers == 1 || l->group == LEASE_GROUP_NEW || MUTANT(8);
}

/* next_epoch: R5.  The wall clock is a floor only, against registers that lost their data. */
static uint64_t
next_epoch(const struct lease *l)
{
	uint64_t wall = l->wall.ns > 0 ? (uint64_t)(l->wall.ns / NS_PER_MS) : 0;

	return l->highest + 1 > wall ? l->highest + 1 : wall;
}

static void
set_target(struct lease *l, uint64_t epoch)
{
	l->target = epoch;
	if (!MUTANT(12))
		l->highest = epoch;
}

static unsigned
writable(const struct lease *l, uint64_t target)
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->opts.registers; i++)
		n += register_blocked(l, i, target) == 0;
	return n;
}

static uint64_t
chance(struct lease *l)
{
	l->opts.seed ^= l->opts.seed << 13;
	l->opts.seed ^= l->opts.seed >> 7;
	l->opts.seed ^= l->opts.seed << 17;
	return l->opts.seed;
}

void
campaign_end(struct lease *l)
{
	l->campaign++;
	for (unsigned i = 0; i < l->opts.registers; i++) {
		l->reg[i].grant = BOOT_LONG_AGO;
		l->reg[i].acked = 0;
	}
	l->until = BOOT_LONG_AGO;
}

/* --- gaining ------------------------------------------------------------------------------ */

/* campaign_may: the row of STANDBY that leads to CAMPAIGN.  Remembers since when Q registers
 * may be written, because the rank's delay counts from there. */
bool
campaign_may(struct lease *l)
{
	MUST(!l->busy);			/* every way into STANDBY waits for IDLE */
	if (!l->eligible || l->resigned || !boot_reached(l->now, l->backoff) ||
	    quorum_count(l, counts_for_epoch) < quorum(l) || writable(l, next_epoch(l)) < quorum(l)) {
		l->ready = BOOT_NEVER;
		return false;
	}
	if (l->ready.ns == INT64_MAX)
		l->ready = l->now;
	return boot_reached(l->now, boot_after(l->ready, rank_delay(l)));
}

/* shown_in: how many registers show this hold. */
static unsigned
shown_in(const struct lease *l, const struct lease_value *v)
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->opts.registers; i++)
		n += l->reg[i].known && l->reg[i].value.epoch == v->epoch && lease_nonce_is(l->reg[i].value.nonce, v->nonce);
	return n;
}

/* tells_more: of two values, which one tells how the last hold ended.  A release is written to one register
 * after the other and ends the hold with the first, whatever the others still show; of rivals that met
 * at one epoch, the one in more registers may have led. */
static bool
tells_more(const struct lease *l, const struct lease_value *v, const struct lease_value *top)
{
	if (v->epoch != top->epoch)
		return v->epoch > top->epoch;
	unsigned a = shown_in(l, v), b = shown_in(l, top);
	return a != b ? a > b : v->mark == LEASE_MARK_RELEASED;
}

/* remember_origin: from whom, and how, for people and for the kick. */
static void
remember_origin(struct lease *l)
{
	const struct lease_value *top = NULL;

	for (unsigned i = 0; i < l->opts.registers; i++) {
		const struct lease_value *v = &l->reg[i].value;
		if (l->reg[i].known && v->mark != LEASE_MARK_BLANK && (top == NULL || tells_more(l, v, top)))
			top = v;
	}
	l->before = (struct lease_nonce){ 0, 0 };
	if (top == NULL)
		l->gained = LEASE_BY_FIRST;
	else if (is_mine(l, top->nonce))
		l->gained = LEASE_BY_SELF;
	else if (top->mark == LEASE_MARK_RELEASED)
		l->gained = LEASE_BY_RELEASED;
	else {
		l->gained = LEASE_BY_EXPIRED;
		l->before = top->nonce;
	}
}

void
campaign_begin(const struct step *s)
{
	struct lease *l = s->l;

	remember_origin(l);
	campaign_end(l);
	l->failed = false;
	l->campaign_at = l->now;
	l->renew_at = boot_after(l->now, l->opts.profile.p_ns);
	l->to = (struct lease_nonce){ 0, 0 };
	set_target(l, next_epoch(l));
	for (unsigned i = 0; i < l->opts.registers; i++)
		if (register_blocked(l, i, l->target) == 0)
			register_write(s, i, LEASE_MARK_HELD, l->target);
}

bool
campaign_granted(const struct lease *l)
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->opts.registers; i++)
		n += l->reg[i].acked == l->target;
	return n >= quorum(l) && l->now.ns < l->until.ns;
}

/* may_succeed: acknowledged, or its answer may still come. */
static bool
may_succeed(const struct lease *l, const struct lease_register *g)
{
	if (g->acked == l->target)
		return true;
	for (unsigned i = 0; i < PROFILE_HEDGE; i++)
		if (g->flight[i].id != 0 && g->flight[i].campaign == l->campaign)
			return true;
	return false;
}

bool
campaign_hopeless(const struct lease *l)
{
	const struct profile *p = &l->opts.profile;

	if (MUTANT(13))
		return false;
	return quorum_count(l, may_succeed) < quorum(l) ||
	    boot_reached(l->now, boot_after(l->campaign_at, p->d_ns - p->g_ns));
}

/* campaign_failed: the longer in vain, the longer apart, so that rivals stop meeting. */
void
campaign_failed(struct lease *l)
{
	const struct profile *p = &l->opts.profile;
	int64_t wait;

	l->failed = true;
	l->failures++;
	wait = p->step_ns + (int64_t)(chance(l) % (uint64_t)(2 * p->step_ns + 1));
	wait = l->failures > 64 ? p->l_ns : wait * l->failures;
	l->backoff = boot_after(l->now, wait < p->l_ns / 2 ? wait : p->l_ns / 2);
}

/* --- keeping ------------------------------------------------------------------------------ */

/* campaign_raise: R5.  A failed rival's higher epoch keeps one register from us.  Only under a
 * valid lease: then nobody can have opened with that epoch, so that the range from our
 * opening epoch to the new target is ours alone. */
void
campaign_raise(struct lease *l)
{
	if (l->now.ns >= l->until.ns && !MUTANT(13))
		return;
	for (unsigned i = 0; i < l->opts.registers; i++)
		if (register_blocked(l, i, l->target) == BLOCK_EPOCH) {
			set_target(l, next_epoch(l));
			return;
		}
}

/* campaign_renew: hedged.  A renewal starts every P, whatever became of the one before; all in
 * flight expect the same revision, so at most one of them is stored. */
void
campaign_renew(const struct step *s)
{
	struct lease *l = s->l;
	int64_t every = l->state == LEASE_SUSPECT ? l->opts.profile.p_ns / 2 : l->opts.profile.p_ns;
	unsigned most = l->opts.replicated ? 1 : PROFILE_HEDGE;

	if (!boot_reached(l->now, l->renew_at))
		return;
	l->renew_at = boot_after(l->renew_at, every);
	if (boot_reached(l->now, l->renew_at))
		l->renew_at = boot_after(l->now, every);
	for (unsigned i = 0; i < l->opts.registers; i++)
		if (register_blocked(l, i, l->target) == 0 && register_in_flight(&l->reg[i]) < most)
			register_write(s, i, LEASE_MARK_HELD, l->target);
}

/* --- giving back -------------------------------------------------------------------------- */

/* releasing: a release of exactly this revision is under way, or was refused or lost less than a period ago:
 * what refuses at once would have it again at once, for as long as it refuses. */
static bool
releasing(const struct lease *l, const struct lease_register *g)
{
	for (unsigned i = 0; i < PROFILE_HEDGE; i++) {
		const struct lease_flight *f = &g->flight[i];
		if (register_releases(g, f) && ((f->id != 0 && !f->asked) ||
		    !boot_reached(l->now, boot_after(f->sent, l->opts.profile.p_ns))))
			return true;
	}
	return false;
}

/* campaign_release: R7, the last step.  With the register's own epoch; what a late renewal has
 * overwritten comes back as a view, and is released again. */
void
campaign_release(const struct step *s)
{
	struct lease *l = s->l;

	for (unsigned i = 0; i < l->opts.registers; i++) {
		const struct lease_register *g = &l->reg[i];
		if (!view_mine(l, g) || g->value.mark != LEASE_MARK_HELD || releasing(l, g) ||
		    register_blocked(l, i, g->value.epoch) != 0)
			continue;
		register_write(s, i, LEASE_MARK_RELEASED, g->value.epoch);
	}
}
