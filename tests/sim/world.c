/* world.c - the mechanics, and the invariants I1 to I5. */
#include "world.h"

#include <stdio.h>
#include <string.h>

#include "sys/gate.h"

static void
violate(struct world *w, const char *what)
{
	if (w->violated == NULL)
		w->violated = what;
	if (w->trace)
		printf("%10.3f VIOLATED %s\n", (double)w->t / 1e6, what);
}

void
world_init(struct world *w, unsigned n, unsigned members, const struct profile *p)
{
	memset(w, 0, sizeof *w);
	w->n = n;
	w->members = members;
	w->profile = *p;
	w->floor = true;
	w->group = LEASE_GROUP_NEW;
	for (unsigned i = 0; i < n; i++)
		w->server[i] = (struct reg_server){ .up = true, .inc = 1 };
}

/* --- clocks ------------------------------------------------------------------------------- */

struct boot
world_local(const struct world *w, unsigned m)
{
	const struct member *x = &w->member[m];
	int64_t d = x->frozen ? 0 : w->t - x->origin_true;

	return (struct boot){ x->origin_local + d + d / 1000 * x->ppm / 1000 };
}

static void
restart_clock(struct world *w, struct member *x, int64_t local)
{
	x->origin_true = w->t;
	x->origin_local = local;
}

/* --- invariants --------------------------------------------------------------------------- */

bool
world_open(const struct world *w, unsigned m)
{
	const struct member *x = &w->member[m];

	/* A frozen one does nothing at all; JUMP is the first thing that it hears. */
	return x->alive && !x->frozen && gate_open_at(x->gate, world_local(w, m));
}

int
world_active(const struct world *w)
{
	for (unsigned m = 0; m < w->members; m++)
		if (world_open(w, m) && w->member[m].admits)
			return (int)m;
	return -1;
}

/* I1: at most one has an open gate. */
static void
check_gates(struct world *w)
{
	unsigned open = 0;

	for (unsigned m = 0; m < w->members; m++)
		open += w->member[m].gate != 0 && world_open(w, m);
	if (open > 1)
		violate(w, "I1: two gates are open");
}

static bool
epochs_count(const struct world *w)
{
	return !w->beyond && !w->unbounded;
}

static void
own_top(struct world *w, const struct lease *l, uint64_t epoch)
{
	if (epoch > w->top || !epochs_count(w)) {
		w->top = epoch;
		w->top_owner = l->opts.nonce;
	}
}

/* raised: a quorum has the higher target.  Before that it is a wish, which nobody can have met. */
static bool
raised(const struct world *w, const struct lease *l)
{
	unsigned n = 0;

	for (unsigned r = 0; r < w->n; r++)
		n += l->reg[r].acked == l->target;
	return n > w->n / 2;
}

/* I2, I3: a hold opens above everything that was opened or raised to before, a raise goes above
 * it, too, and a hold that opens again after a doubt finds nobody above it. */
static void
check_epochs(struct world *w, struct member *x)
{
	const struct lease *l = &x->lease;
	bool holds = l->state == LEASE_ACTIVE || l->state == LEASE_SUSPECT || l->state == LEASE_DRAINING;

	if (!holds || x->gate == 0)
		return;
	if (x->open_hold != l->hold) {
		x->open_hold = l->hold;
		x->raised = l->opening;
		x->fence_rev = 0;
		w->opened++;
		if (l->opening <= w->top && epochs_count(w))
			violate(w, "I2: a hold opens with an epoch that is not above all earlier ones");
		own_top(w, l, l->opening);
	}
	if (x->raised != l->target && raised(w, l)) {
		x->raised = l->target;
		if (l->target <= w->top && epochs_count(w))
			violate(w, "I2: raised to an epoch that is not above all earlier ones");
		own_top(w, l, l->target);
	}
	if (!lease_nonce_is(w->top_owner, l->opts.nonce) && epochs_count(w))
		violate(w, "I3: a gate opens again below another one's epoch");
}

/* I4: who overwrites another one's value waited for longer than its writer's validity. */
static void
check_owner(struct world *w, const struct stored *old, const struct lease_value *v)
{
	if (old->rev == 0 || old->value.mark != LEASE_MARK_HELD || lease_nonce_is(old->value.nonce, v->nonce))
		return;
	if (w->t - old->at <= old->value.d_ms * NS_PER_MS)
		violate(w, "I4: a register changed its owner too early");
}

/* --- mail --------------------------------------------------------------------------------- */

void
world_post(struct world *w, const struct mail *m)
{
	if (w->mails == WORLD_MAIL)
		return;
	struct mail *p = &w->mail[w->mails];
	*p = *m;
	if (w->fate == NULL || w->fate(w, p))
		w->mails++;
}

static void
to_member(struct world *w, struct mail *m)
{
	const struct member *x = &w->member[m->member];

	if (!x->alive || !x->link[m->reg] || x->cut_from[m->reg])
		return;
	m->life = x->life;
	m->link = x->link_no[m->reg];
	world_post(w, m);
}

static void
publish(struct world *w, unsigned r)
{
	const struct reg_server *s = &w->server[r];

	for (unsigned m = 0; m < w->members; m++)
		to_member(w, &(struct mail){ .kind = MAIL_VIEW, .member = (uint8_t)m, .reg = (uint8_t)r, .watched = true,
		    .rev = s->now.rev, .value = s->now.value, .sent = BOOT_LONG_AGO });
}

static void
serve_write(struct world *w, const struct mail *m)
{
	struct reg_server *s = &w->server[m->reg];
	struct mail answer = { .kind = MAIL_ACK, .member = m->member, .reg = m->reg, .id = m->id };

	if (m->code != 0) {			/* the adversary refuses it for another reason */
		answer.kind = m->code == 503 ? MAIL_LOST : MAIL_NACK;
		answer.code = m->code;
	} else if (m->rev != s->now.rev && m->rev != UINT64_MAX) {
		answer.kind = MAIL_NACK;
		answer.code = 10071;
	} else {
		check_owner(w, &s->now, &m->value);
		s->before = s->now;
		s->now = (struct stored){ ++s->seq, m->value, w->t };
		if (m->value.epoch >= s->lost_epoch || m->value.epoch >= w->top) {
			s->lost_epoch = 0;
			s->reverted = false;
		}
		answer.rev = s->now.rev;
		publish(w, m->reg);
	}
	if (w->member[m->member].life == m->life && w->member[m->member].link_no[m->reg] == m->link)
		to_member(w, &answer);
}

static void
serve_read(struct world *w, const struct mail *m)
{
	const struct reg_server *s = &w->server[m->reg];

	if (w->member[m->member].life != m->life || w->member[m->member].link_no[m->reg] != m->link)
		return;
	to_member(w, &(struct mail){ .kind = MAIL_VIEW, .member = m->member, .reg = m->reg, .rev = s->now.rev,
	    .value = s->now.value, .sent = m->sent });
}

/* I5: what a fenced stream accepts never goes back in epoch. */
static void
serve_effect(struct world *w, const struct mail *m)
{
	if (m->rev != w->fence_rev)
		return;
	if (m->epoch < w->effect_epoch && epochs_count(w))
		violate(w, "I5: an effect of an older epoch was accepted");
	w->effect_epoch = m->epoch;
}

static void
to_core(struct world *w, const struct mail *m)
{
	static const enum lease_event_kind kinds[] = {
		[MAIL_ACK] = LEASE_EV_ACK, [MAIL_NACK] = LEASE_EV_NACK, [MAIL_LOST] = LEASE_EV_LOST,
		[MAIL_VIEW] = LEASE_EV_VIEW, [MAIL_GROUP] = LEASE_EV_GROUP,
	};

	world_event(w, m->member, &(struct lease_event){ .kind = kinds[m->kind], .reg = m->reg, .id = m->id,
	    .rev = m->rev, .code = m->code, .value = m->value, .sent = m->sent, .group = m->group, .epoch = m->epoch });
}

void
world_deliver(struct world *w, unsigned i)
{
	struct mail m = w->mail[i];
	struct member *x = &w->member[m.member];

	if (m.kind >= MAIL_ACK && m.kind <= MAIL_GROUP && x->alive && x->life == m.life && (x->paused || x->frozen))
		return;				/* waits in its socket */
	w->mail[i] = w->mail[--w->mails];
	switch (m.kind) {
	case MAIL_WRITE:
	case MAIL_READ:
		if (!w->server[m.reg].up || w->server[m.reg].inc != m.inc)
			break;
		if (m.kind == MAIL_WRITE)
			serve_write(w, &m);
		else
			serve_read(w, &m);
		break;
	case MAIL_GROUP_READ:
		world_post(w, &(struct mail){ .kind = MAIL_GROUP, .member = m.member, .life = m.life, .group = w->group,
		    .epoch = w->floor ? w->group_epoch : 0, .sent = m.sent });
		break;
	case MAIL_META:
		w->group = LEASE_GROUP_LIVE;
		if (m.epoch > w->group_epoch)
			w->group_epoch = m.epoch;
		break;
	case MAIL_EFFECT:
		serve_effect(w, &m);
		break;
	case MAIL_GROUP:
		if (x->alive && x->life == m.life)
			to_core(w, &m);
		break;
	default:
		if (x->alive && x->life == m.life && x->link[m.reg] && x->link_no[m.reg] == m.link)
			to_core(w, &m);
		break;
	}
}

/* --- members ------------------------------------------------------------------------------ */

/* judge_budget: a campaign while a register shows old data is in the order of epochs only if
 * the others are in reach (assumption 4): that is, if they are known as they are. */
static void
judge_budget(struct world *w, const struct lease *l)
{
	bool old_data = false, out_of_reach = false;

	for (unsigned r = 0; r < w->n; r++) {
		const struct reg_server *s = &w->server[r];
		old_data |= s->reverted && s->lost_epoch != 0;
		out_of_reach |= !l->reg[r].known || (!s->reverted && l->reg[r].rev != s->now.rev);
	}
	if (old_data && (out_of_reach || w->n == 1))
		w->beyond = true;
}

static void
send_to_register(struct world *w, unsigned m, const struct lease_action *a, enum mail_kind kind)
{
	struct member *x = &w->member[m];

	if (!x->link[a->reg] || x->cut_to[a->reg])
		return;
	world_post(w, &(struct mail){ .kind = kind, .member = (uint8_t)m, .reg = a->reg, .life = x->life,
	    .link = x->link_no[a->reg], .inc = w->server[a->reg].inc, .id = a->id, .rev = a->rev, .value = a->value,
	    .sent = a->sent });
}

static void
role_changed(struct world *w, struct member *x, const struct lease_action *a)
{
	if (a->state == LEASE_CAMPAIGN)
		judge_budget(w, &x->lease);
	if (a->state == LEASE_DRAINING)
		x->idle_wanted = true;
	if (a->state == LEASE_STANDBY)
		x->idle_wanted = false;
}

static void
carry_out(struct world *w, unsigned m, const struct lease_action *a)
{
	struct member *x = &w->member[m];

	switch (a->kind) {
	case LEASE_DO_READ:
		send_to_register(w, m, a, MAIL_READ);
		break;
	case LEASE_DO_WRITE:
		send_to_register(w, m, a, MAIL_WRITE);
		break;
	case LEASE_DO_GATE:
		x->gate = gate_pack(a->until, a->hold);
		break;
	case LEASE_DO_ADMIT:
		x->admits = a->on;
		break;
	case LEASE_DO_ROLE:
		role_changed(w, x, a);
		break;
	case LEASE_DO_REAP:
		x->idle_wanted = true;
		break;
	case LEASE_DO_META:
		world_post(w, &(struct mail){ .kind = MAIL_META, .member = (uint8_t)m, .epoch = a->epoch });
		break;
	case LEASE_DO_GROUP:
		world_post(w, &(struct mail){ .kind = MAIL_GROUP_READ, .member = (uint8_t)m, .life = x->life, .sent = a->sent });
		break;
	default:
		break;
	}
}

static void
trace(const struct world *w, unsigned m, const struct lease_event *ev, const struct lease_actions *out)
{
	const struct lease *l = &w->member[m].lease;

	printf("%10.3f m%u %-8s r%u id %lu rev %lu -> %s target %lu until %.3f local %.3f", (double)w->t / 1e6, m,
	    lease_event_name(ev->kind), ev->reg, ev->id, ev->rev, lease_state_name(l->state), l->target,
	    l->until.ns == INT64_MIN ? 0.0 : (double)l->until.ns / 1e6, (double)world_local(w, m).ns / 1e6);
	for (unsigned i = 0; i < out->n; i++) {
		const struct lease_action *a = &out->list[i];
		printf(" | %u r%u id %lu rev %lu e %lu %s", a->kind, a->reg, a->id, a->rev, a->value.epoch,
		    a->kind == LEASE_DO_ROLE ? lease_state_name(a->state) : lease_mark_name(a->value.mark));
	}
	printf("\n");
}

void
world_event(struct world *w, unsigned m, const struct lease_event *ev)
{
	static struct lease_actions out;
	struct member *x = &w->member[m];
	struct lease_now now = { world_local(w, m), { w->floor ? w->t + x->wall_step : 0 } };

	lease_step(&x->lease, ev, now, &out);
	w->steps++;
	x->due = out.due;
	if (w->trace)
		trace(w, m, ev, &out);
	for (unsigned i = 0; i < out.n; i++)
		carry_out(w, m, &out.list[i]);
	check_epochs(w, x);
	check_gates(w);
}

void
world_tick(struct world *w, unsigned m)
{
	world_event(w, m, &(struct lease_event){ .kind = LEASE_EV_TICK });
}

void
world_start(struct world *w, unsigned m, int64_t local, int ppm, uint64_t seed)
{
	struct member *x = &w->member[m];
	uint32_t life = x->life + 1;

	memset(x, 0, sizeof *x);
	x->alive = true;
	x->life = life;
	x->ppm = ppm;
	restart_clock(w, x, local);
	w->nonces++;
	lease_init(&x->lease, &(struct lease_opts){
	    .registers = w->n, .replicated = w->replicated, .hot = m % 2 == 0, .profile = w->profile,
	    .nonce = { 0xabcdef * w->nonces, w->nonces }, .group = 7, .seed = seed,
	    .drain_ns = 2 * w->profile.d_ns });
	world_event(w, m, &(struct lease_event){ .kind = LEASE_EV_ELIGIBLE, .on = true });
}

void
world_crash(struct world *w, unsigned m)
{
	struct member *x = &w->member[m];

	x->alive = x->paused = x->frozen = false;
	x->gate = 0;			/* its workload dies with it (§10) */
	for (unsigned r = 0; r < w->n; r++)
		x->link[r] = false;
}

void
world_pause(struct world *w, unsigned m, bool frozen)
{
	struct member *x = &w->member[m];

	if (frozen)
		restart_clock(w, x, world_local(w, m).ns);
	x->paused = true;
	x->frozen = frozen;
}

void
world_resume(struct world *w, unsigned m)
{
	struct member *x = &w->member[m];
	bool jumped = x->frozen;

	x->paused = false;
	if (jumped)
		restart_clock(w, x, x->origin_local);
	if (jumped)
		x->gate = 0;		/* the residual risk of §11: judged from JUMP on */
	x->frozen = false;
	if (jumped)
		world_event(w, m, &(struct lease_event){ .kind = LEASE_EV_JUMP });
	for (unsigned r = 0; r < w->n; r++)
		if (x->told_down[r]) {
			x->told_down[r] = false;
			world_event(w, m, &(struct lease_event){ .kind = LEASE_EV_LINK_DOWN, .reg = (uint8_t)r });
		}
}

void
world_leap(struct world *w, unsigned m, int64_t ns)
{
	struct member *x = &w->member[m];

	restart_clock(w, x, world_local(w, m).ns + ns);
	world_event(w, m, &(struct lease_event){ .kind = LEASE_EV_JUMP });
}

bool
world_connect(struct world *w, unsigned m, unsigned r)
{
	struct member *x = &w->member[m];

	if (!x->alive || x->paused || x->link[r] || !w->server[r].up || x->cut_to[r] || x->cut_from[r])
		return false;
	x->link[r] = true;
	x->link_no[r]++;
	world_event(w, m, &(struct lease_event){ .kind = LEASE_EV_LINK_UP, .reg = (uint8_t)r,
	    .server = (uint64_t)(r + 1) << 32 | w->server[r].inc });
	return true;
}

void
world_disconnect(struct world *w, unsigned m, unsigned r)
{
	struct member *x = &w->member[m];

	if (!x->alive || !x->link[r])
		return;
	x->link[r] = false;
	if (x->paused)
		x->told_down[r] = true;
	else
		world_event(w, m, &(struct lease_event){ .kind = LEASE_EV_LINK_DOWN, .reg = (uint8_t)r });
}

/* --- registers ---------------------------------------------------------------------------- */

void
world_server_down(struct world *w, unsigned r)
{
	w->server[r].up = false;
	w->server[r].inc++;
	for (unsigned m = 0; m < w->members; m++)
		world_disconnect(w, m, r);
}

void
world_server_up(struct world *w, unsigned r)
{
	w->server[r].up = true;
}

bool
world_in_budget(const struct world *w, unsigned r, enum world_loss how)
{
	if (how == WORLD_PLAIN || w->unbounded)
		return true;
	if (w->n == 1 || w->group != LEASE_GROUP_LIVE)
		return false;
	for (unsigned i = 0; i < w->n; i++)
		if (i != r && (w->server[i].lost_epoch != 0 || w->server[i].now.rev == 0))
			return false;
	return true;
}

/* world_may_wipe_live: a register that is emptied while its server goes on, filled, and emptied
 * again looks untouched to whoever missed that, and takes a late write of the first time:
 * revision 0 has no history.  Assumption 3 excludes the first already; the second is not tried. */
bool
world_may_wipe_live(const struct world *w, unsigned r)
{
	for (unsigned m = 0; m < w->members; m++) {
		const struct lease_register *g = &w->member[m].lease.reg[r];
		if (w->member[m].alive && g->known && g->rev == 0)
			return false;
	}
	for (unsigned i = 0; i < w->mails; i++)
		if ((w->mail[i].kind == MAIL_VIEW || w->mail[i].kind == MAIL_WRITE) && w->mail[i].reg == r &&
		    w->mail[i].rev == 0)
			return false;
	return true;
}

void
world_lose(struct world *w, unsigned r, enum world_loss how)
{
	struct reg_server *s = &w->server[r];
	uint64_t had = s->now.value.epoch;

	if (how == WORLD_PLAIN || s->now.rev == 0)
		return;
	if (!world_in_budget(w, r, how))
		w->beyond = true;
	if (how == WORLD_REVERT) {
		s->now = s->before;
		s->seq = s->now.rev;		/* revisions repeat, as after an unclean stop */
	} else {
		s->now = (struct stored){ 0 };
		s->seq += 1000000;		/* created anew: first_seq */
	}
	s->before = s->now;
	if (had > s->now.value.epoch && had > s->lost_epoch) {
		s->lost_epoch = had;
		s->reverted = s->now.rev != 0;
	}
}

/* --- the fenced stream -------------------------------------------------------------------- */

/* world_effect: activation first (§6): a higher epoch there deposes. */
void
world_effect(struct world *w, unsigned m)
{
	struct member *x = &w->member[m];
	uint64_t epoch = x->lease.opening;

	if (!world_open(w, m) || x->paused || !x->admits)
		return;
	if (x->fence_rev == 0 || x->fence_epoch != epoch) {
		if (w->fence_epoch > epoch) {
			world_event(w, m, &(struct lease_event){ .kind = LEASE_EV_DEPOSED, .epoch = w->fence_epoch });
			return;
		}
		w->fence_epoch = x->fence_epoch = epoch;
		x->fence_rev = ++w->fence_rev;
		return;
	}
	world_post(w, &(struct mail){ .kind = MAIL_EFFECT, .member = (uint8_t)m, .epoch = epoch, .rev = x->fence_rev });
}
