/* register.c - one register as this member sees it: views, writes under way, and the rule
 * that says when it may be written (R1, R2, R3, R6).
 *
 * Everything learned from a register goes through store(): one place decides what is newer,
 * and one place counts an acknowledgement. */
#include "election/inner.h"

#define WRONG_REVISION 10071		/* JSStreamWrongLastSequenceErr */
#define WRITE_IN_FLIGHT 10164		/* JSStreamWrongLastSequenceConstantErr, replicated only */

static bool
is_blank(const struct lease_register *g)
{
	return g->known && g->value.mark == LEASE_MARK_BLANK;
}

/* needs_repair: a blank register that counts as lost data (R6), not as one never written. */
static bool
needs_repair(const struct lease *l)
{
	if (MUTANT(8))
		return false;
	return l->opts.registers == 3 && l->group != LEASE_GROUP_NEW;
}

/* --- R1 ----------------------------------------------------------------------------------- */

/* incarnation_over: (b) whatever an earlier incarnation of this server granted has run out,
 * even if it lost the write.  A Raft group that lost data takes longer than that to return. */
static bool
incarnation_over(const struct lease *l, const struct lease_register *g)
{
	return l->opts.replicated || MUTANT(11) || boot_reached(l->now, boot_after(g->inc_since, l->wait_ns));
}

/* waited: (c) the view is ours, released, or stood still for long enough. */
static bool
waited(const struct lease *l, const struct lease_register *g)
{
	if (MUTANT(2) && l->now.ns < l->until.ns)
		return true;
	if (MUTANT(4) && g->value.mark == LEASE_MARK_BLANK)
		return true;
	return is_mine(l, g->value.nonce) || g->value.mark == LEASE_MARK_RELEASED ||
	    boot_reached(l->now, boot_after(g->seen, l->wait_ns));
}

/* epoch_fits: (d), for own values too. */
static bool
epoch_fits(const struct lease *l, const struct lease_register *g, uint64_t target)
{
	if (MUTANT(12) && is_mine(l, g->value.nonce))
		return true;
	return g->value.epoch < target || (g->value.epoch == target && is_mine(l, g->value.nonce));
}

/* repair_allowed: R6.  Both others are known, not blank, below the target, and were read again
 * after the wait: a view from before it may hide the epoch that is to be exceeded. */
static bool
repair_allowed(const struct lease *l, const struct lease_register *blank, uint64_t target)
{
	struct boot waited_until = boot_after(blank->seen, l->wait_ns);

	if (!needs_repair(l))
		return true;
	for (unsigned i = 0; i < l->opts.registers; i++) {
		const struct lease_register *g = &l->reg[i];
		if (g == blank)
			continue;
		if (!g->known || is_blank(g) || !epoch_fits(l, g, target))
			return false;
		if (MUTANT(10) || MUTANT(4) || (MUTANT(2) && l->now.ns < l->until.ns))
			continue;
		if (g->conf.ns <= waited_until.ns)
			return false;
	}
	return true;
}

unsigned
register_blocked(const struct lease *l, unsigned r, uint64_t target)
{
	const struct lease_register *g = &l->reg[r];

	if (!g->up || !g->known || g->value.mark == LEASE_MARK_RETIRED)
		return BLOCK_LINK;
	return (incarnation_over(l, g) ? 0 : BLOCK_INC) | (waited(l, g) ? 0 : BLOCK_WAIT) |
	    (epoch_fits(l, g, target) ? 0 : BLOCK_EPOCH) |
	    (!is_blank(g) || repair_allowed(l, g, target) ? 0 : BLOCK_REPAIR);
}

/* --- what is asked for -------------------------------------------------------------------- */

static void
ask(const struct step *s, unsigned r)
{
	struct lease_register *g = &s->l->reg[r];

	if (!g->up || g->read_at.ns == s->l->now.ns)
		return;			/* asked in this very step already */
	g->read_at = s->l->now;
	struct lease_action *a = step_do(s, LEASE_DO_READ);
	a->reg = (uint8_t)r;
	a->sent = s->l->now;
}

/* ask_group: a blank register is only harmless in a group that never had a leader, and what is
 * known about that may be old.  Until the answer the group counts as live. */
static void
ask_group(const struct step *s)
{
	s->l->group = LEASE_GROUP_UNKNOWN;
	s->l->group_at = s->l->now;
	step_do(s, LEASE_DO_GROUP)->sent = s->l->now;
}

static struct lease_flight *
flight_of(struct lease_register *g, uint64_t id)
{
	for (unsigned i = 0; i < PROFILE_HEDGE; i++)
		if (g->flight[i].id == id)
			return &g->flight[i];
	return NULL;
}

unsigned
register_in_flight(const struct lease_register *g)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PROFILE_HEDGE; i++)
		n += g->flight[i].id != 0 && !g->flight[i].asked;
	return n;
}

bool
register_releases(const struct lease_register *g, const struct lease_flight *f)
{
	return f->mark == LEASE_MARK_RELEASED && f->expect == g->rev;
}

/* spare: the answer to it matters least: read back already, or of an earlier campaign. */
static bool
spare(const struct lease *l, const struct lease_flight *f)
{
	return f->asked || f->campaign != l->campaign;
}

/* flight_new: a free place, or that of the oldest spare write, or of the oldest.  Forgetting a
 * write is safe: its acknowledgement is then not counted. */
static struct lease_flight *
flight_new(const struct lease *l, struct lease_register *g)
{
	struct lease_flight *f = &g->flight[0];

	for (unsigned i = 0; i < PROFILE_HEDGE; i++) {
		struct lease_flight *c = &g->flight[i];
		if (c->id == 0)
			return c;
		if (spare(l, c) != spare(l, f) ? spare(l, c) : c->id < f->id)
			f = c;
	}
	return f;
}

/* written: the value that a write of ours stores. */
static struct lease_value
written(const struct lease *l, uint64_t id, enum lease_mark mark, uint64_t epoch, struct lease_nonce to)
{
	return (struct lease_value){
		.mark = mark, .epoch = epoch, .counter = id, .nonce = l->opts.nonce, .to = to,
		.d_ms = (uint32_t)(l->opts.profile.d_ns / NS_PER_MS),
		.l_ms = (uint32_t)(l->opts.profile.l_ns / NS_PER_MS),
	};
}

void
register_write(const struct step *s, unsigned r, enum lease_mark mark, uint64_t epoch)
{
	struct lease *l = s->l;
	struct lease_register *g = &l->reg[r];
	struct lease_flight *f = flight_new(l, g);
	struct lease_action *a = step_do(s, LEASE_DO_WRITE);

	*f = (struct lease_flight){
		.id = ++l->counter, .expect = g->rev, .epoch = epoch, .campaign = l->campaign, .sent = l->now,
		.to = mark == LEASE_MARK_RELEASED ? l->to : (struct lease_nonce){ 0, 0 }, .mark = mark,
	};
	a->reg = (uint8_t)r;
	a->id = f->id;
	a->rev = MUTANT(1) ? REVISION_ANY : g->rev;
	a->value = written(l, f->id, mark, epoch, f->to);
}

/* --- what is learned ---------------------------------------------------------------------- */

/* longest_wait: Lw, over the own settings and those of every readable value, so that members
 * of different profiles are safe together (§3.3). */
static void
longest_wait(struct lease *l)
{
	const struct profile *p = &l->opts.profile;

	l->wait_ns = MUTANT(5) ? p->d_ns / 2 : profile_wait(p->d_ns, p->l_ns, p->g_ns);
	for (unsigned i = 0; i < l->opts.registers; i++) {
		const struct lease_value *v = &l->reg[i].value;
		if (!l->reg[i].known || v->mark == LEASE_MARK_BLANK || MUTANT(5))
			continue;
		int64_t w = profile_wait(v->d_ms * NS_PER_MS, v->l_ms * NS_PER_MS, p->g_ns);
		if (w > l->wait_ns)
			l->wait_ns = w;
	}
}

static void
forget_view(struct lease *l, struct lease_register *g)
{
	g->known = false;
	g->conf = BOOT_LONG_AGO;
	longest_wait(l);
}

/* acknowledged: R3.  The grant counts from the send, and only for the campaign that sent it. */
static void
acknowledged(struct lease *l, struct lease_register *g, const struct lease_flight *f)
{
	if (f->mark != LEASE_MARK_HELD || (f->campaign != l->campaign && !MUTANT(7)))
		return;
	g->grant = boot_max(g->grant, MUTANT(3) ? l->now : f->sent);
	if (f->epoch > g->acked)
		g->acked = f->epoch;
}

/* settle: what a new view says about the writes under way.  One that shows our nonce and the
 * counter of a write is its acknowledgement (R3); writes that expected an older revision
 * can no more succeed. */
static void
settle(struct lease *l, struct lease_register *g)
{
	for (unsigned i = 0; i < PROFILE_HEDGE; i++) {
		struct lease_flight *f = &g->flight[i];
		if (f->id == 0)
			continue;
		if (f->id == g->value.counter && is_mine(l, g->value.nonce)) {
			g->conf = boot_max(g->conf, f->sent);
			acknowledged(l, g, f);
			f->id = 0;
		} else if (f->expect < g->rev)
			f->id = 0;
	}
}

static void
store(const struct step *s, struct lease_register *g, uint64_t rev, const struct lease_value *v, struct boot conf)
{
	struct lease *l = s->l;

	g->known = true;
	g->unreadable = false;
	g->rev = rev;
	g->value = *v;
	g->seen = l->now;
	g->conf = conf;
	if (v->epoch > l->highest && !(MUTANT(12) && is_mine(l, v->nonce)))
		l->highest = v->epoch;
	longest_wait(l);
	settle(l, g);
	if (v->mark == LEASE_MARK_BLANK)
		ask_group(s);
}

/* --- events ------------------------------------------------------------------------------- */

/* link_down: R2.  What was under way may still be stored, but its answer cannot come. */
static void
link_down(const struct step *s, struct lease_register *g)
{
	g->up = false;
	g->unreadable = false;
	for (unsigned i = 0; i < PROFILE_HEDGE; i++)
		g->flight[i].id = 0;
	if (!MUTANT(9))
		forget_view(s->l, g);
}

static void
link_up(const struct step *s, struct lease_register *g, unsigned r)
{
	if (g->up)
		link_down(s, g);
	g->up = true;
	if (g->inc == 0 || (g->inc != s->ev->server && !MUTANT(9)))
		g->inc_since = s->l->now;
	g->inc = s->ev->server;
	g->read_at = BOOT_LONG_AGO;
	ask(s, r);
}

static void
unreadable(const struct step *s, struct lease_register *g, unsigned r)
{
	if (g->known && s->ev->rev <= g->rev)
		return;
	if (!g->unreadable || g->rev != s->ev->rev)
		step_alarm(s, LEASE_ALARM_UNREADABLE, r, 0);
	forget_view(s->l, g);
	g->unreadable = true;
	g->rev = s->ev->rev;
}

/* view: R2.  Within one link an older revision is late news; but blank, read after the known
 * view had arrived, is newer than it. */
static void
view(const struct step *s, struct lease_register *g, unsigned r)
{
	const struct lease_event *ev = s->ev;

	if (!g->up)
		return;
	if (ev->unreadable) {
		unreadable(s, g, r);
		return;
	}
	if (g->known && ev->rev == g->rev) {
		g->conf = boot_max(g->conf, ev->sent);
		return;
	}
	if (g->known && ev->rev < g->rev && (ev->rev != 0 || ev->sent.ns <= g->seen.ns))
		return;
	if (ev->rev == 0 && s->l->group == LEASE_GROUP_LIVE)
		step_alarm(s, LEASE_ALARM_BLANK, r, 0);
	store(s, g, ev->rev, &ev->value, ev->sent);
}

static void
ack(const struct step *s, struct lease_register *g)
{
	struct lease *l = s->l;
	struct lease_flight *f = s->ev->id != 0 ? flight_of(g, s->ev->id) : NULL;

	if (f == NULL)
		return;			/* a view has settled it, or it is from before a link was lost */
	struct lease_flight done = *f;
	f->id = 0;
	if (g->known && s->ev->rev <= g->rev)
		return;			/* no server stores at or below what was there: nothing is granted on such a word */
	struct lease_value v = written(l, done.id, done.mark, done.epoch, done.to);
	store(s, g, s->ev->rev, &v, done.sent);
	acknowledged(l, g, &done);
}

/* nack: never by itself a reason to step down; it only says that the view is old. */
static void
nack(const struct step *s, struct lease_register *g, unsigned r)
{
	struct lease_flight *f = s->ev->id != 0 ? flight_of(g, s->ev->id) : NULL;

	if (f == NULL)
		return;
	uint64_t expect = f->expect;
	f->id = 0;
	if (s->ev->code == WRITE_IN_FLIGHT)
		return;
	if (s->ev->code != WRONG_REVISION)
		step_alarm(s, LEASE_ALARM_REFUSED, r, s->ev->code);
	else if (!g->known || expect != g->rev)
		return;			/* an older hedge */
	forget_view(s->l, g);
	ask(s, r);
}

/* age_again: a replicated register may have moved behind a failed or late answer (§3.5). */
static void
age_again(struct lease *l, struct lease_register *g)
{
	if (l->opts.replicated)
		g->seen = l->now;
}

static void
lost(const struct step *s, struct lease_register *g, unsigned r)
{
	struct lease_flight *f = s->ev->id != 0 ? flight_of(g, s->ev->id) : NULL;

	if (f != NULL)
		f->asked = true;
	age_again(s->l, g);
	if (s->ev->id != 0)
		ask(s, r);
}

void
register_event(const struct step *s)
{
	unsigned r = s->ev->reg;
	struct lease_register *g = &s->l->reg[r];

	switch (s->ev->kind) {
	case LEASE_EV_LINK_UP:
		link_up(s, g, r);
		break;
	case LEASE_EV_LINK_DOWN:
		link_down(s, g);
		break;
	case LEASE_EV_VIEW:
		view(s, g, r);
		break;
	case LEASE_EV_ACK:
		ack(s, g);
		break;
	case LEASE_EV_NACK:
		nack(s, g, r);
		break;
	default:
		lost(s, g, r);
		break;
	}
}

/* register_jump: waits that were not over before the jump begin anew, because the clock may
 * have leapt over them.  Who leads keeps those that were over: starting all anew would keep
 * it from renewing for longer than the lease lasts. */
void
register_jump(struct lease *l, struct boot before, bool leading)
{
	for (unsigned i = 0; i < l->opts.registers; i++) {
		struct lease_register *g = &l->reg[i];
		if (!leading || !boot_reached(before, boot_after(g->inc_since, l->wait_ns)))
			g->inc_since = l->now;
		g->seen = l->now;
	}
}

/* --- what is due -------------------------------------------------------------------------- */

/* repairing: since when a blank register may be judged by views of the others; BOOT_NEVER when
 * there is none to repair. */
static struct boot
repairing(const struct lease *l)
{
	struct boot since = BOOT_NEVER;

	if (!needs_repair(l))
		return since;
	for (unsigned i = 0; i < l->opts.registers; i++)
		if (is_blank(&l->reg[i]))
			since = boot_min(since, boot_after(l->reg[i].seen, l->wait_ns));
	return since;
}

/* counts_by_age: a view of which it matters that it stood still: held, or blank. */
static bool
counts_by_age(const struct lease_register *g)
{
	return g->value.mark == LEASE_MARK_HELD || g->value.mark == LEASE_MARK_BLANK;
}

/* unanswered: the last look was asked for because something is doubtful, nothing has come since,
 * and so it still is: asked again until there is an answer, or a lost one would be the last. */
static bool
unanswered(const struct lease_register *g)
{
	return g->read_at.ns > boot_max(g->conf, g->seen).ns;
}

/* read_due: when the next look at a register is wanted (R2, R6). */
static struct boot
read_due(const struct lease *l, const struct lease_register *g, struct boot repair)
{
	struct boot again = boot_after(g->read_at, l->opts.profile.p_ns);
	struct boot due = BOOT_NEVER;

	if (!g->known || l->opts.replicated || unanswered(g))
		return again;
	if (counts_by_age(g)) {
		struct boot half = boot_after(g->seen, l->wait_ns / 2);
		if (g->conf.ns < half.ns)
			due = boot_max(half, again);
	}
	if (repair.ns != INT64_MAX && !is_blank(g) && g->conf.ns <= repair.ns)
		due = boot_min(due, boot_max(repair, again));
	return due;
}

static void
flights_due(const struct step *s, struct lease_register *g, unsigned r)
{
	for (unsigned i = 0; i < PROFILE_HEDGE; i++) {
		struct lease_flight *f = &g->flight[i];
		if (f->id == 0 || f->asked ||
		    !boot_reached(s->l->now, boot_after(f->sent, 2 * s->l->opts.profile.p_ns)))
			continue;
		f->asked = true;
		age_again(s->l, g);
		ask(s, r);
	}
}

void
register_reads(const struct step *s)
{
	struct lease *l = s->l;
	struct boot repair = repairing(l);
	bool blank = false;

	for (unsigned i = 0; i < l->opts.registers; i++) {
		struct lease_register *g = &l->reg[i];
		blank |= is_blank(g);
		if (!g->up)
			continue;
		flights_due(s, g, i);
		if (boot_reached(l->now, read_due(l, g, repair)))
			ask(s, i);
	}
	if (blank && l->group == LEASE_GROUP_UNKNOWN &&
	    boot_reached(l->now, boot_after(l->group_at, l->opts.profile.l_ns)))
		ask_group(s);
}

/* later: a wait that is over needs no timer. */
static struct boot
later(const struct lease *l, struct boot at)
{
	return boot_reached(l->now, at) ? BOOT_NEVER : at;
}

struct boot
register_due(const struct lease *l, unsigned r)
{
	const struct lease_register *g = &l->reg[r];
	struct boot due;

	if (!g->up)
		return BOOT_NEVER;
	due = read_due(l, g, repairing(l));
	due = boot_min(due, later(l, boot_after(g->inc_since, l->wait_ns)));
	if (g->known)
		due = boot_min(due, later(l, boot_after(g->seen, l->wait_ns)));
	for (unsigned i = 0; i < PROFILE_HEDGE; i++) {
		const struct lease_flight *f = &g->flight[i];
		if (f->id != 0 && !f->asked)
			due = boot_min(due, boot_after(f->sent, 2 * l->opts.profile.p_ns));
		else if (register_releases(g, f))
			due = boot_min(due, later(l, boot_after(f->sent, l->opts.profile.p_ns)));
	}
	return due;
}
