/* candidate.c - the elector's roles turned into what observers see and calls meet.
 *
 * It decides nothing about leases: it tells the elector whether this member may lead (registered, fit, and
 * no Python member in the way), and everybody else what came of it. */
#include "member/candidate.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "discovery/leaders.h"
#include "election/profile.h"
#include "election/site.h"
#include "member/announce.h"
#include "member/member.h"
#include "member/shadow.h"
#include "messaging/exclusive.h"
#include "messaging/fence.h"
#include "messaging/server.h"
#include "messaging/traffic.h"
#include "sys/gate.h"
#include "sys/loop.h"
#include "sys/pool.h"

#define CANDIDATE_MAGIC 0xca4d1001u
#define TURN_NS (500 * NS_PER_MS)	/* how often figures are passed on */
#define RAISE_NS (1 * NS_PER_S)		/* one attempt to raise the fence */
#define THREADS 2			/* leader key, events, a flush after a pause, the fence */
#define QUEUE 8

struct candidate {
	unsigned magic;
	struct candidate_opts o;
	struct pool *pool;
	struct site *site;
	struct elector *elector;
	struct exclusive *exclusive;
	struct leaders *leaders;	/* only for what beats say of holds that were released */
	struct shadow *shadow;
	struct announce *announce;
	struct member *member;
	char *service, *group, *instance;

	struct elector_role role;	/* as told last */
	struct elector_holder holder;
	struct elector_holder known;	/* the last one that there was: while a register is read again nobody holds it */
	bool registered, looked, foreign;	/* looked: for a Python leader, once */
	bool fit, leaving, over;
	struct loop_timer turn;
	int64_t lease_ns;		/* D, as the exclusive methods know it */

	struct mail news;		/* beats said something */
	atomic_bool posted;

	struct fence *fence;		/* NULL: level gate */
	struct pool_job raise;
	bool raising;			/* a job is under way: the next two are its own */
	uint64_t raise_epoch;
	bool raise_done;
	uint64_t raised;		/* the lanes show this hold; 0: none of ours */
};

/* --- the fence --------------------------------------------------------------------------- */

static void
work_raise(struct pool_job *job)
{
	struct candidate *c = CONTAINER_OF(job, struct candidate, raise);
	struct err err;

	c->raise_done = fence_raise(c->fence, RAISE_NS, &err) == ERR_OK;
	if (!c->raise_done && err.code != ERR_NOT_ACTIVE)
		log_warning(EV_ELECTION_FENCE, LOG_F(LOG_S("group", c->group), LOG_S("err", err.text)),
		    "the fence in the stream of events cannot be raised, trying again: %s", err.text);
}

static void
on_raised(struct pool_job *job)
{
	struct candidate *c = CONTAINER_OF(job, struct candidate, raise);

	c->raising = false;
	if (c->raise_done)
		c->raised = c->raise_epoch;
}

/* look_fence: a new hold raises its lanes at once, so that nobody else publishes any more; a fence that somebody newer
 * raised ends ours. */
static void
look_fence(struct candidate *c)
{
	if (c->fence == NULL)
		return;
	elector_fenced(c->elector, fence_rejects(c->fence));
	if (candidate_leads(c) && fence_deposed(c->fence) > c->role.epoch)
		elector_deposed(c->elector, fence_deposed(c->fence));
	if (!candidate_leads(c) || c->raising || c->raised == c->role.epoch)
		return;
	c->raise_epoch = c->role.epoch;
	c->raise_done = false;
	c->raising = pool_run(c->pool, &c->raise) == ERR_OK;
}

static void
tell_fence(struct candidate *c, bool led)
{
	if (c->fence == NULL || candidate_leads(c) == led)
		return;
	fence_hold(c->fence, candidate_epoch(c));
	look_fence(c);
}

/* --- what is told outward ---------------------------------------------------------------- */

bool
candidate_leads(const struct candidate *c)
{
	return c->role.state == LEASE_ACTIVE || c->role.state == LEASE_SUSPECT;
}

uint64_t
candidate_epoch(const struct candidate *c)
{
	return candidate_leads(c) ? c->role.epoch : 0;
}

static void
tell_record(struct candidate *c)
{
	struct member_lead m = { .status = STICKY_ELECTING };

	if (candidate_leads(c))
		m = (struct member_lead){ STICKY_ACTIVE, c->role.epoch, c->role.since };
	else if (c->holder.epoch != 0 && !c->holder.self)
		m = (struct member_lead){ .status = STICKY_STANDBY, .epoch = 0 };
	if (c->member != NULL)
		member_lead(c->member, &m);
}

static void
tell_exclusive(struct candidate *c)
{
	enum relay_stance s = c->role.state == LEASE_ACTIVE ? RELAY_HOLDS
	    : c->role.state == LEASE_SUSPECT ? RELAY_SUSPECT : RELAY_STANDBY;
	bool other = c->holder.epoch != 0 && !c->holder.self;

	exclusive_stance(c->exclusive, s, s != RELAY_STANDBY ? c->role.epoch : 0);
	exclusive_holder(c->exclusive, other ? c->holder.instance : "", other ? c->holder.epoch : 0, c->holder.let_go);
}

/* --- eligible ---------------------------------------------------------------------------- */

static void
judge(struct candidate *c)
{
	bool on = c->registered && c->looked && !c->foreign && !c->leaving && c->fit;

	elector_eligible(c->elector, on, c->foreign ? LEASE_BY_FOREIGN : LEASE_BY_UNHEALTHY);
}

/* --- what the elector says --------------------------------------------------------------- */

/* count: a lead that began or ended, under the names of the heartbeat. */
static void
count(struct candidate *c, bool led)
{
	bool taken = c->role.reason == LEASE_BY_EXPIRED;

	if (candidate_leads(c) && !led) {
		traffic_mark_add(c->o.traffic, TRAFFIC_ACQUIRED);
		traffic_mark_add(c->o.traffic, TRAFFIC_WON);
	}
	if (candidate_leads(c) && !led && taken) {
		traffic_mark_add(c->o.traffic, TRAFFIC_TAKEN_OVER);
		traffic_mark_add(c->o.traffic, TRAFFIC_FAILED_OVER);
	}
	if (!candidate_leads(c) && led)
		traffic_mark_add(c->o.traffic, c->role.state == LEASE_DRAINING ? TRAFFIC_RELEASED : TRAFFIC_LOST);
}

/* announce: a hold that began or ended, to whoever looks at the leader key and the events. */
static void
announce(struct candidate *c)
{
	const struct elector_role *role = &c->role;

	if (candidate_leads(c)) {
		const struct profile *p = elector_profile(c->elector);
		const char *before = c->holder.instance[0] != '\0' && !c->holder.self ? c->holder.instance : NULL;
		shadow_hold(c->shadow, role->epoch, role->since, p != NULL ? p->l_ns / NS_PER_MS : 0);
		announce_elected(c->announce, c->instance, role->epoch, before, role->since);
	} else {
		shadow_release(c->shadow);
		announce_lost(c->announce, c->instance, role->epoch, lease_reason_name(role->reason),
		    clock_wall(loop_clock(c->o.loop)));
	}
}

static void
on_role(void *arg, const struct elector_role *role)
{
	struct candidate *c = arg;
	bool led = candidate_leads(c);

	c->role = *role;
	log_debug(EV_ELECTION_ROLE, LOG_F(LOG_S("group", c->group), LOG_S("state", lease_state_name(role->state)),
	    LOG_N("epoch", role->epoch), LOG_S("reason", lease_reason_name(role->reason))), "%s in group '%s'",
	    lease_state_name(role->state), c->group);
	tell_exclusive(c);
	tell_fence(c, led);
	tell_record(c);
	count(c, led);
	if (candidate_leads(c) != led)
		announce(c);
	c->o.role(c->o.arg, role);
}

static void
on_reap(void *arg)
{
	struct candidate *c = arg;

	c->o.reap(c->o.arg);
}

/* count_other: another one leads by a hold of its own, though this one could have.  An epoch that grows under one nonce
 * may be no new hold. */
static void
count_other(struct candidate *c, const struct elector_holder *next)
{
	struct leader known = { .released = 0 };

	if (!c->registered || !c->fit || next->self || c->holder.self || next->epoch <= c->known.epoch ||
	    lease_nonce_is(next->nonce, c->known.nonce))
		return;
	traffic_mark_add(c->o.traffic, TRAFFIC_EXISTS);
	traffic_mark_add(c->o.traffic, TRAFFIC_NOT_WON);
	if (c->leaders != NULL)
		leaders_get(c->leaders, c->service, c->group, &known);
	/* Registers say that it let go before its beats do. */
	if (c->known.epoch != 0 && !c->known.self && known.released < c->known.epoch && next->let_go < c->known.epoch)
		traffic_mark_add(c->o.traffic, TRAFFIC_OUTRUN);
}

static void
on_holder(void *arg, const struct elector_holder *holder)
{
	struct candidate *c = arg;

	count_other(c, holder);
	c->holder = *holder;
	if (holder->epoch != 0)
		c->known = *holder;
	tell_exclusive(c);
	tell_record(c);
}

static void
on_failed(void *arg, const struct err *why)
{
	struct candidate *c = arg;

	c->o.failed(c->o.arg, why);
}

static void
on_ended(void *arg)
{
	struct candidate *c = arg;

	c->over = true;
	c->o.ended(c->o.arg);
}

/* --- what the leader key and the beats say ----------------------------------------------- */

static void
on_foreign(void *arg, const char *who)
{
	struct candidate *c = arg;

	c->foreign = who != NULL;
	judge(c);
}

static void
on_looked(void *arg)
{
	struct candidate *c = arg;

	c->looked = true;
	judge(c);
}

static void
on_news(struct mail *m)
{
	struct candidate *c = CONTAINER_OF(m, struct candidate, news);
	struct leader now;

	atomic_store(&c->posted, false);
	leaders_get(c->leaders, c->service, c->group, &now);
	exclusive_released(c->exclusive, now.released);
}

static void
on_beats(void *arg)
{
	struct candidate *c = arg;

	if (!atomic_exchange(&c->posted, true))
		loop_post(c->o.loop, &c->news);
}

/* --- what the owner says ----------------------------------------------------------------- */

void
candidate_call(struct candidate *c, struct rpc_call *call)
{
	if (exclusive_covers(c->exclusive, rpc_call_method(call)))
		exclusive_call(c->exclusive, call);
	else
		c->o.call(c->o.arg, call);
}

void
candidate_return(struct candidate *c, struct rpc_call *call)
{
	exclusive_return(c->exclusive, call);
}

void
candidate_registered(struct candidate *c)
{
	c->registered = true;
	judge(c);
}

void
candidate_fit(struct candidate *c, bool on)
{
	c->fit = on;
	judge(c);
}

void
candidate_pause(struct candidate *c, bool on)
{
	exclusive_pause(c->exclusive, on);
}

void
candidate_leave(struct candidate *c)
{
	if (c->leaving)
		return;
	c->leaving = true;
	elector_resign(c->elector, NULL, true, NULL);
}

bool
candidate_is_over(const struct candidate *c)
{
	return c->over;
}

struct fence *
candidate_fence(struct candidate *c)
{
	return c->fence;
}

struct elector *
candidate_elector(struct candidate *c)
{
	return c->elector;
}

const struct exclusive_counters *
candidate_counters(const struct candidate *c)
{
	return exclusive_counters(c->exclusive);
}

void
candidate_member(struct candidate *c, struct member *m)
{
	c->member = m;
}

/* --- its life ---------------------------------------------------------------------------- */

static void
on_turn(void *arg)
{
	struct candidate *c = arg;
	const struct exclusive_counters *n = exclusive_counters(c->exclusive);
	uint64_t refused = 0;

	for (size_t i = 0; i < EXCLUSIVE_REFUSALS; i++)
		refused += atomic_load(&n->refused[i]);
	traffic_mark_set(c->o.traffic, TRAFFIC_NOT_ACTIVE, refused);
	traffic_mark_set(c->o.traffic, TRAFFIC_ERROR, atomic_load(&elector_counters(c->elector)->lost));
	traffic_mark_set(c->o.traffic, TRAFFIC_PROCESSED, atomic_load(&n->executed));
	look_fence(c);
	if (elector_lease_ns(c->elector) != 0 && elector_lease_ns(c->elector) != c->lease_ns) {
		c->lease_ns = elector_lease_ns(c->elector);
		exclusive_pause_after(c->exclusive, c->lease_ns);
	}
	loop_timer_set(c->o.loop, &c->turn, mono_after(loop_now(c->o.loop), TURN_NS), on_turn, c);
}

static enum err_code
open_election(struct candidate *c, struct err *err)
{
	const struct candidate_opts *o = &c->o;
	char level[24] = "gate";

	if (o->fence_lanes == 1)
		snprintf(level, sizeof level, "stream");
	else if (o->fence_lanes > 1)
		snprintf(level, sizeof level, "stream:%u", o->fence_lanes);
	c->site = site_new(&(struct site_opts){ .loop = o->loop, .conn = o->conn, .access = o->access,
	    .member = o->instance }, err);
	if (c->site == NULL)
		return ERR_SYSTEM;
	c->elector = elector_new(&(struct elector_opts){
		.site = c->site, .service = o->service, .group = o->group, .instance = o->instance, .profile = o->profile,
		.fence = level, .hot = o->hot, .drain_ns = o->drain_ns, .word = o->word, .data = { o->conn },
		.role = on_role, .reap = on_reap, .holder = on_holder, .failed = on_failed, .ended = on_ended, .arg = c,
	}, err);
	if (c->elector == NULL)
		return ERR_INVALID;
	c->raise = (struct pool_job){ .work = work_raise, .done = on_raised };
	if (o->fence_lanes > 0)
		c->fence = fence_new(&(struct fence_opts){ .conn = o->conn, .publisher = o->publisher, .gate = elector_gate(c->elector),
			.gid = elector_gid(c->elector), .instance = c->instance, .lanes = o->fence_lanes });
	return ERR_OK;
}

static enum err_code
open_calls(struct candidate *c, struct err *err)
{
	const struct candidate_opts *o = &c->o;

	c->exclusive = exclusive_new(&(struct exclusive_opts){
		.conn = o->conn, .loop = o->loop, .pool = c->pool, .gate = elector_gate(c->elector), .service = o->service,
		.instance = o->instance, .methods = o->exclusive, .handler = o->call, .arg = o->arg,
	}, err);
	if (c->exclusive == NULL)
		return ERR_UNAVAILABLE;
	exclusive_pause(c->exclusive, true);
	return ERR_OK;
}

static void
open_observers(struct candidate *c)
{
	const struct candidate_opts *o = &c->o;

	c->leaders = leaders_new(o->conn, on_beats, c);
	leaders_follow(c->leaders, o->service);
	c->announce = announce_new(&(struct announce_opts){ .loop = o->loop, .pool = c->pool, .conn = o->conn,
	    .publisher = o->publisher, .service = o->service, .group = o->group });
	c->shadow = shadow_new(&(struct shadow_opts){ .loop = o->loop, .pool = c->pool, .conn = o->conn,
	    .traffic = o->traffic, .service = o->service, .group = o->group, .instance = o->instance, .foreign = on_foreign, .looked = on_looked,
	    .arg = c });
}

struct candidate *
candidate_new(const struct candidate_opts *o, struct err *err)
{
	struct candidate *c = mem_new(sizeof *c);

	c->magic = CANDIDATE_MAGIC;
	c->o = *o;
	c->service = mem_text(o->service);
	c->group = mem_text(o->group);
	c->instance = mem_text(o->instance);
	c->news = (struct mail){ .deliver = on_news, .vital = true };
	if ((c->pool = pool_new(o->loop, THREADS, QUEUE, err)) == NULL || open_election(c, err) != ERR_OK ||
	    open_calls(c, err) != ERR_OK) {
		candidate_free(c);
		return NULL;
	}
	open_observers(c);
	on_turn(c);
	return c;
}

void
candidate_close(struct candidate *c)
{
	if (c == NULL)
		return;
	exclusive_close(c->exclusive);
	leaders_free(c->leaders);
	c->leaders = NULL;
	loop_take(c->o.loop, &c->news);
	loop_timer_cancel(c->o.loop, &c->turn);
}

void
candidate_free(struct candidate *c)
{
	if (c == NULL)
		return;
	MAGIC_CHECK(c, CANDIDATE_MAGIC);
	candidate_close(c);
	fence_close(c->fence);
	pool_free(c->pool);
	fence_unref(c->fence);
	shadow_free(c->shadow);
	announce_free(c->announce);
	exclusive_free(c->exclusive);
	elector_free(c->elector);
	site_free(c->site);
	mem_free(c->service);
	mem_free(c->group);
	mem_free(c->instance);
	MAGIC_WIPE(c);
	mem_free(c);
}
