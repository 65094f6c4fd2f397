/* elector_status.c - the picture that other threads see, what the owner is told, and the counters. */
#include <stdio.h>
#include <string.h>

#include "base/hist.h"
#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "election/elector_inner.h"
#include "sys/clock.h"

/* --- who holds it ------------------------------------------------------------------------- */

/* name_of: the registers carry the name; a beat knows it, too. */
static const char *
name_of(const struct elector *e, struct lease_nonce nonce)
{
	const struct elector_peer *p;

	if (lease_nonce_is(nonce, e->nonce))
		return e->instance;
	for (unsigned r = 0; r < LEASE_REGISTERS; r++)
		if (e->has_record[r] && lease_nonce_is(e->record[r].value.nonce, nonce))
			return e->record[r].holder;
	p = beat_peer_of(e, nonce);
	return p != NULL ? p->instance : "";
}

/* opening_of: outside, a hold shows the epoch that it opened with; a raise is no news (R5), though registers show
 * no other number.  Beats tell; until one does, an epoch that grows under the same nonce is taken for a
 * raise.  If it was a hold anew, calls with the old number are refused until the next beat. */
static uint64_t
opening_of(const struct elector *e, const struct elector_holder *h)
{
	const struct elector_peer *p = beat_peer_of(e, h->nonce);

	if (h->self)
		return lease_owns(&e->lease, e->lease.opening) ? e->lease.opening : h->epoch;
	if (p != NULL && p->epoch != 0 && p->epoch <= h->epoch)
		return p->epoch;
	return e->holder.epoch != 0 && lease_nonce_is(e->holder.nonce, h->nonce) ? e->holder.epoch : h->epoch;
}

static void
find_holder(const struct elector *e, struct elector_holder *out)
{
	*out = (struct elector_holder){ .epoch = 0, .let_go = e->let_go };
	if (!e->begun || !lease_holder(&e->lease, &out->nonce, &out->epoch))
		return;
	out->self = lease_nonce_is(out->nonce, e->nonce);
	snprintf(out->instance, sizeof out->instance, "%s", name_of(e, out->nonce));
	out->epoch = opening_of(e, out);
}

void
status_holder(struct elector *e)
{
	struct elector_holder now;

	find_holder(e, &now);
	if (lease_nonce_is(now.nonce, e->holder.nonce) && now.epoch == e->holder.epoch &&
	    strcmp(now.instance, e->holder.instance) == 0)
		return;
	e->holder = now;
	status_publish(e);
	if (e->o.holder != NULL)
		e->o.holder(e->o.arg, &e->holder);
}

/* --- changes of state --------------------------------------------------------------------- */

static bool
leads(enum lease_state s)
{
	return s == LEASE_ACTIVE || s == LEASE_SUSPECT || s == LEASE_DRAINING;
}

/* note_gain: the time without a leader that our own clock can vouch for. */
static void
note_gain(struct elector *e, const struct lease_action *a)
{
	atomic_fetch_add(&e->counters.transitions[a->reason], 1);
	if (a->reason == LEASE_BY_EXPIRED && e->has_former)
		hist_record(e->counters.failover, clock_boot(e->clock).ns - e->former_seen.ns);
	log_info(EV_ELECTION_ACQUIRED, LOG_F(LOG_S("group", e->gid), LOG_N("epoch", a->epoch),
	    LOG_S("reason", lease_reason_name(a->reason))), "leads %s with epoch %llu", e->gid, (unsigned long long)a->epoch);
}

static void
note_loss(struct elector *e, const struct lease_action *a, enum lease_reason why)
{
	bool released = a->state == LEASE_STANDBY;

	atomic_fetch_add(&e->counters.transitions[why], 1);
	e->before = a->epoch;
	snprintf(e->how, sizeof e->how, "%s", released ? "released" : "expired");
	log_write(released ? LOG_INFO : LOG_WARNING, EV_ELECTION_LOST, LOG_F(LOG_S("group", e->gid), LOG_N("epoch", a->epoch),
	    LOG_S("reason", lease_reason_name(why))), "leads %s no more", e->gid);
}

void
status_role(struct elector *e, const struct lease_action *a)
{
	enum lease_state before = e->role.state;

	e->role = (struct elector_role){ .state = a->state, .before = before, .epoch = a->epoch, .reason = a->reason,
		.since = clock_wall(e->clock) };
	if (a->state == LEASE_ACTIVE && before == LEASE_CAMPAIGN)
		note_gain(e, a);
	else if (leads(before) && !leads(a->state))
		note_loss(e, a, a->reason);
	log_debug(EV_ELECTION_STATE, LOG_F(LOG_S("group", e->gid), LOG_S("state", lease_state_name(a->state)),
	    LOG_S("reason", lease_reason_name(a->reason))), "%s", lease_state_name(a->state));
	beat_now(e);
	status_publish(e);
	if (e->o.role != NULL)
		e->o.role(e->o.arg, &e->role);
}

/* --- the picture -------------------------------------------------------------------------- */

static void
free_status(struct snapshot *s)
{
	mem_free(CONTAINER_OF(s, struct elector_status, snapshot));
}

static void
fill_register(const struct elector *e, unsigned r, struct elector_register *out)
{
	const struct lease_register *g = &e->lease.reg[r];
	const struct link *l = e->o.site->link[r];

	if (l != NULL) {
		const struct link_facts *f = link_facts(l);
		memcpy(out->node, f->node, sizeof out->node);
		memcpy(out->server, f->server, sizeof out->server);
		memcpy(out->why, f->why, sizeof out->why);
		out->up = f->up;
	}
	if (!e->begun)
		return;
	out->known = g->known;
	if (!g->known)
		return;
	out->revision = g->rev;
	out->mark = g->value.mark;
	out->epoch = g->value.epoch;
	out->nonce = g->value.nonce;
	out->seen = g->seen;
	out->granted = g->grant;
	if (g->value.mark != LEASE_MARK_BLANK)
		snprintf(out->owner, sizeof out->owner, "%s", name_of(e, g->value.nonce));
}

/* newest_grant: R3's Q-th, from until = D - g + grant. */
static struct boot
newest_grant(const struct elector *e)
{
	const struct lease *l = &e->lease;

	if (!e->begun || l->until.ns == INT64_MIN)
		return BOOT_LONG_AGO;
	return (struct boot){ l->until.ns - e->settings.d_ns + e->settings.g_ns };
}

void
status_publish(struct elector *e)
{
	struct elector_status *s = mem_new(sizeof *s);

	snapshot_init(&s->snapshot, free_status);
	snprintf(s->service, sizeof s->service, "%s", e->service);
	snprintf(s->group, sizeof s->group, "%s", e->group);
	snprintf(s->instance, sizeof s->instance, "%s", e->instance);
	s->nonce = e->nonce;
	s->profile = e->begun ? e->settings.name : "";
	s->role = e->role;
	s->eligible = e->eligible;
	s->admits = e->admits;
	s->holder = e->holder;
	site_facts(e->o.site, &s->site);
	s->n = s->site.ready ? s->site.n : 0;
	s->obstacle = e->begun ? lease_obstacle(&e->lease) : LEASE_WHY_UNPINNED;
	for (unsigned r = 0; r < s->n; r++)
		fill_register(e, r, &s->reg[r]);
	s->grant = newest_grant(e);
	s->until = e->begun ? e->lease.until : BOOT_LONG_AGO;
	s->changes = e->changes;
	s->failed = e->why;
	snapshot_publish(&e->status, &s->snapshot);
}

void
status_fail(struct elector *e, const struct err *why)
{
	e->why = *why;
	status_publish(e);
}

void
status_free(struct elector *e)
{
	snapshot_publish(&e->status, NULL);
}

const struct elector_status *
elector_status(struct elector *e)
{
	return CONTAINER_OF(snapshot_take(&e->status), struct elector_status, snapshot);
}

void
elector_status_drop(const struct elector_status *s)
{
	snapshot_drop((struct snapshot *)(uintptr_t)&s->snapshot);
}

/* --- counters ----------------------------------------------------------------------------- */

void
counters_init(struct elector_counters *c)
{
	for (unsigned r = 0; r < LEASE_REGISTERS; r++)
		c->renew[r] = hist_new();
	c->failover = hist_new();
}

void
counters_release(struct elector_counters *c)
{
	for (unsigned r = 0; r < LEASE_REGISTERS; r++)
		hist_free(c->renew[r]);
	hist_free(c->failover);
}
