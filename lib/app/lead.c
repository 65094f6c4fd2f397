/* lead.c - the elector's roles turned into what the wrapper does, and back. */
#include "app/lead.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "discovery/leaders.h"
#include "election/elector.h"
#include "election/site.h"
#include "member/announce.h"
#include "member/member.h"
#include "member/shadow.h"
#include "messaging/exclusive.h"
#include "messaging/server.h"
#include "messaging/traffic.h"
#include "runner/tether.h"
#include "sys/gate.h"
#include "sys/loop.h"
#include "sys/pool.h"

#define LEAD_MAGIC 0x1ead1001u
#define IDLE_NS (1 * NS_PER_MS)		/* how often it is looked whether the last call ended */
#define TURN_NS (500 * NS_PER_MS)	/* how often the guardian is shown that the loop turns */
#define THREADS 2			/* leader key, events, a flush after a pause */
#define QUEUE 8

struct lead {
	unsigned magic;
	struct lead_opts o;
	struct pool *pool;
	struct site *site;
	struct elector *elector;
	struct exclusive *exclusive;
	struct leaders *leaders;	/* only for what beats say of holds that were released */
	struct shadow *shadow;
	struct announce *announce;
	struct member *member;

	struct elector_role role;	/* as told last */
	struct elector_holder holder;
	bool registered, looked, foreign;	/* looked: for a Python leader, once */
	bool ready;			/* the program can execute calls */
	bool alive;			/* something of a run may live: from the wish to lead_gone */
	bool must_die;			/* by the elector's word; cleared by lead_gone */
	bool stopping;			/* LEAD_STOP was wished */
	bool leaving, over;
	bool wants_idle;		/* the elector waits for the promise of elector_idle */
	struct loop_timer idle, turn;
	int64_t lease_ns;		/* D, as the exclusive methods know it */

	struct mail news;		/* beats said something */
	atomic_bool posted;
};

static void look_idle(void *arg);

/* --- what is told outward ---------------------------------------------------------------- */

static bool
leads(const struct lead *l)
{
	return l->role.state == LEASE_ACTIVE || l->role.state == LEASE_SUSPECT;
}

struct lead_role
lead_role(const struct lead *l)
{
	static const char *const names[] = { "standby", "active" };

	return (struct lead_role){ names[leads(l)], leads(l) ? l->role.epoch : 0 };
}

static void
tell_record(struct lead *l)
{
	struct member_lead m = { .status = STICKY_ELECTING };

	if (leads(l))
		m = (struct member_lead){ STICKY_ACTIVE, l->role.epoch, l->role.since };
	else if (l->holder.epoch != 0 && !l->holder.self)
		m = (struct member_lead){ .status = STICKY_STANDBY, .epoch = 0 };
	if (l->member != NULL)
		member_lead(l->member, &m);
}

static void
tell_exclusive(struct lead *l)
{
	enum relay_stance s = l->role.state == LEASE_ACTIVE ? RELAY_HOLDS
	    : l->role.state == LEASE_SUSPECT ? RELAY_SUSPECT : RELAY_STANDBY;
	bool other = l->holder.epoch != 0 && !l->holder.self;

	exclusive_pause(l->exclusive, !l->ready);
	exclusive_stance(l->exclusive, s, s != RELAY_STANDBY ? l->role.epoch : 0);
	exclusive_holder(l->exclusive, other ? l->holder.instance : "", other ? l->holder.epoch : 0);
}

/* --- eligible ---------------------------------------------------------------------------- */

static void
judge_eligible(struct lead *l)
{
	/* A cold program that does not run is as healthy as can be known. */
	bool fit = l->ready || (l->o.cold && !l->alive);
	bool on = l->registered && l->looked && !l->foreign && !l->leaving && (fit || (l->o.cold && leads(l)));

	elector_eligible(l->elector, on, l->foreign ? LEASE_BY_FOREIGN : LEASE_BY_UNHEALTHY);
}

/* --- idle -------------------------------------------------------------------------------- */

static void
wish(struct lead *l, enum lead_wish w)
{
	if (w == LEAD_RUN) {
		l->alive = true;
		l->stopping = l->must_die = false;
	}
	l->o.wish(l->o.arg, w);
}

static bool
may_be_idle(struct lead *l)
{
	if (gate_in_flight(elector_gate(l->elector)) > 0)
		return false;
	if (l->must_die || l->o.cold)
		return !l->alive;
	return true;			/* a hot program that lets go in good order lives on */
}

static void
look_idle(void *arg)
{
	struct lead *l = arg;

	if (!l->wants_idle)
		return;
	if (may_be_idle(l)) {
		l->wants_idle = false;
		elector_idle(l->elector);
		return;
	}
	/* Step 5 of a cold program's way down, once step 1 is done; a wrapper that leaves stops it itself. */
	if (l->o.cold && l->alive && !l->stopping && !l->must_die && !l->leaving &&
	    gate_in_flight(elector_gate(l->elector)) == 0) {
		l->stopping = true;
		wish(l, LEAD_STOP);
	}
	loop_timer_set(l->o.loop, &l->idle, mono_after(clock_mono(loop_clock(l->o.loop)), IDLE_NS), look_idle, l);
}

static void
want_idle(struct lead *l)
{
	l->wants_idle = true;
	look_idle(l);
}

/* --- what the elector says --------------------------------------------------------------- */

/* count: a lead that began or ended, under the names of the heartbeat. */
static void
count(struct lead *l, bool led)
{
	bool taken = l->role.reason == LEASE_BY_EXPIRED;

	if (leads(l) && !led) {
		traffic_mark_add(l->o.traffic, TRAFFIC_ACQUIRED);
		traffic_mark_add(l->o.traffic, TRAFFIC_WON);
	}
	if (leads(l) && !led && taken) {
		traffic_mark_add(l->o.traffic, TRAFFIC_TAKEN_OVER);
		traffic_mark_add(l->o.traffic, TRAFFIC_FAILED_OVER);
	}
	if (!leads(l) && led)
		traffic_mark_add(l->o.traffic, l->role.state == LEASE_DRAINING ? TRAFFIC_RELEASED : TRAFFIC_LOST);
}

static void
on_role(void *arg, const struct elector_role *role)
{
	struct lead *l = arg;
	struct lead_role was = lead_role(l), is;
	bool led = leads(l);

	l->role = *role;
	is = lead_role(l);
	log_debug(EV_ELECTION_ROLE, LOG_F(LOG_S("group", l->o.group), LOG_S("state", lease_state_name(role->state)),
	    LOG_N("epoch", role->epoch), LOG_S("reason", lease_reason_name(role->reason))), "%s in group '%s'",
	    lease_state_name(role->state), l->o.group);
	tell_exclusive(l);
	tell_record(l);
	count(l, led);
	if (leads(l) && !led) {
		const struct profile *p = elector_profile(l->elector);
		const char *before = l->holder.instance[0] != '\0' && !l->holder.self ? l->holder.instance : NULL;
		shadow_hold(l->shadow, role->epoch, role->since, p != NULL ? p->l_ns / NS_PER_MS : 0);
		announce_elected(l->announce, l->o.instance, role->epoch, before, role->since);
	} else if (!leads(l) && led) {
		shadow_release(l->shadow);
		announce_lost(l->announce, l->o.instance, role->epoch, lease_reason_name(role->reason),
		    clock_wall(loop_clock(l->o.loop)));
	}
	if (is.name != was.name || is.epoch != was.epoch)
		l->o.told(l->o.arg);
	switch (role->state) {
	case LEASE_ACTIVE:
		l->wants_idle = false;
		if (l->o.cold && !l->alive && !l->leaving)
			wish(l, LEAD_RUN);
		break;
	case LEASE_DRAINING:
	case LEASE_FENCED:
	case LEASE_RETIRED:
		want_idle(l);
		break;
	case LEASE_STANDBY:
		tether_ease(l->o.tether);
		break;
	default:
		break;
	}
	judge_eligible(l);
}

static void
on_reap(void *arg)
{
	struct lead *l = arg;

	l->must_die = l->alive;
	l->ready = false;
	exclusive_pause(l->exclusive, true);
	if (l->alive)
		wish(l, LEAD_KILL);
}

static void
on_holder(void *arg, const struct elector_holder *holder)
{
	struct lead *l = arg;

	l->holder = *holder;
	tell_exclusive(l);
	tell_record(l);
}

static void
on_failed(void *arg, const struct err *why)
{
	struct lead *l = arg;

	l->o.failed(l->o.arg, why);
}

static void
on_ended(void *arg)
{
	struct lead *l = arg;

	l->over = true;
	l->o.ended(l->o.arg);
}

/* --- what the leader key and the beats say ----------------------------------------------- */

static void
on_foreign(void *arg, const char *who)
{
	struct lead *l = arg;

	l->foreign = who != NULL;
	judge_eligible(l);
}

static void
on_looked(void *arg)
{
	struct lead *l = arg;

	l->looked = true;
	judge_eligible(l);
}

static void
on_news(struct mail *m)
{
	struct lead *l = CONTAINER_OF(m, struct lead, news);
	struct leader now;

	atomic_store(&l->posted, false);
	leaders_get(l->leaders, l->o.service, l->o.group, &now);
	exclusive_released(l->exclusive, now.released);
}

static void
on_beats(void *arg)
{
	struct lead *l = arg;

	if (!atomic_exchange(&l->posted, true))
		loop_post(l->o.loop, &l->news);
}

/* --- what the wrapper says --------------------------------------------------------------- */

void
lead_call(struct lead *l, struct rpc_call *call)
{
	if (exclusive_covers(l->exclusive, rpc_call_method(call)))
		exclusive_call(l->exclusive, call);
	else
		l->o.call(l->o.arg, call);
}

void
lead_registered(struct lead *l)
{
	l->registered = true;
	judge_eligible(l);
}

bool
lead_status(struct lead *l, enum runner_status s)
{
	bool was = l->ready;

	l->ready = s == RUNNER_READY && !l->must_die;
	if (s != RUNNER_DOWN)
		l->alive = true;
	exclusive_pause(l->exclusive, !l->ready);
	/* A cold program that broke down is somebody else's turn, not a reason to try again here. */
	if (l->o.cold && was && !l->ready && leads(l))
		elector_resign(l->elector, NULL, false, NULL);
	judge_eligible(l);
	return l->ready || (l->o.cold && (s == RUNNER_STARTING || !l->alive));
}

void
lead_lapsed(struct lead *l)
{
	/* What the program was told cannot be taken back, even if the lease is renewed after all. */
	on_reap(l);
	judge_eligible(l);
}

bool
lead_gone(struct lead *l)
{
	bool wished = l->must_die || (l->o.cold && l->stopping);

	l->alive = l->ready = l->must_die = l->stopping = false;
	look_idle(l);
	if (wished && l->o.cold && leads(l))
		elector_resign(l->elector, NULL, false, NULL);
	judge_eligible(l);
	if (wished && !l->o.cold && !l->leaving)
		wish(l, LEAD_RUN);	/* as a standby */
	return wished && !l->leaving;
}

void
lead_leave(struct lead *l)
{
	if (l->leaving)
		return;
	l->leaving = true;
	elector_resign(l->elector, NULL, true, NULL);
}

bool
lead_is_over(const struct lead *l)
{
	return l->over;
}

bool
lead_is_cold(const struct lead *l)
{
	return l->o.cold;
}

struct gate *
lead_gate(struct lead *l)
{
	return elector_gate(l->elector);
}

struct elector *
lead_elector(struct lead *l)
{
	return l->elector;
}

const struct exclusive_counters *
lead_counters(const struct lead *l)
{
	return exclusive_counters(l->exclusive);
}

void
lead_member(struct lead *l, struct member *m)
{
	l->member = m;
}

/* --- its life ---------------------------------------------------------------------------- */

static void
on_turn(void *arg)
{
	struct lead *l = arg;

	const struct exclusive_counters *c = exclusive_counters(l->exclusive);
	uint64_t refused = 0;

	for (size_t i = 0; i < EXCLUSIVE_REFUSALS; i++)
		refused += atomic_load(&c->refused[i]);
	traffic_mark_set(l->o.traffic, TRAFFIC_NOT_ACTIVE, refused);
	traffic_mark_set(l->o.traffic, TRAFFIC_PROCESSED, atomic_load(&c->executed));
	tether_turn(l->o.tether);
	if (elector_lease_ns(l->elector) != 0 && elector_lease_ns(l->elector) != l->lease_ns) {
		l->lease_ns = elector_lease_ns(l->elector);
		exclusive_pause_after(l->exclusive, l->lease_ns);
	}
	loop_timer_set(l->o.loop, &l->turn, mono_after(loop_now(l->o.loop), TURN_NS), on_turn, l);
}

static enum err_code
open_election(struct lead *l, const struct lead_opts *o, struct err *err)
{
	l->site = site_new(&(struct site_opts){ .loop = o->loop, .conn = o->conn, .access = o->access,
	    .member = o->instance }, err);
	if (l->site == NULL)
		return ERR_SYSTEM;
	l->elector = elector_new(&(struct elector_opts){
		.site = l->site, .service = o->service, .group = o->group, .instance = o->instance, .profile = o->profile,
		.hot = !o->cold, .drain_ns = o->drain_ns, .word = tether_word(o->tether), .data = { o->conn },
		.role = on_role, .reap = on_reap, .holder = on_holder, .failed = on_failed, .ended = on_ended, .arg = l,
	}, err);
	return l->elector != NULL ? ERR_OK : ERR_INVALID;
}

struct lead *
lead_new(const struct lead_opts *o, struct err *err)
{
	struct lead *l = mem_new(sizeof *l);

	l->magic = LEAD_MAGIC;
	l->o = *o;
	l->news = (struct mail){ .deliver = on_news, .vital = true };
	if ((l->pool = pool_new(o->loop, THREADS, QUEUE, err)) == NULL || open_election(l, o, err) != ERR_OK)
		goto err0;
	l->exclusive = exclusive_new(&(struct exclusive_opts){
		.conn = o->conn, .loop = o->loop, .pool = l->pool, .gate = elector_gate(l->elector), .service = o->service,
		.instance = o->instance, .methods = o->exclusive, .handler = o->call, .arg = o->arg,
	}, err);
	if (l->exclusive == NULL)
		goto err0;
	exclusive_pause(l->exclusive, true);
	l->leaders = leaders_new(o->conn, on_beats, l);
	leaders_follow(l->leaders, o->service);
	l->announce = announce_new(&(struct announce_opts){ .loop = o->loop, .pool = l->pool, .conn = o->conn,
	    .publisher = o->publisher, .service = o->service, .group = o->group });
	l->shadow = shadow_new(&(struct shadow_opts){ .loop = o->loop, .pool = l->pool, .conn = o->conn,
	    .service = o->service, .group = o->group, .instance = o->instance, .foreign = on_foreign, .looked = on_looked,
	    .arg = l });
	on_turn(l);
	return l;
err0:
	lead_free(l);
	return NULL;
}

void
lead_close(struct lead *l)
{
	if (l == NULL)
		return;
	exclusive_close(l->exclusive);
	leaders_free(l->leaders);
	l->leaders = NULL;
	loop_take(l->o.loop, &l->news);
	loop_timer_cancel(l->o.loop, &l->idle);
	loop_timer_cancel(l->o.loop, &l->turn);
}

void
lead_free(struct lead *l)
{
	if (l == NULL)
		return;
	MAGIC_CHECK(l, LEAD_MAGIC);
	lead_close(l);
	pool_free(l->pool);
	shadow_free(l->shadow);
	announce_free(l->announce);
	exclusive_free(l->exclusive);
	elector_free(l->elector);
	site_free(l->site);
	MAGIC_WIPE(l);
	mem_free(l);
}
