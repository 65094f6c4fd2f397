/* aegis_elect.c - a handle's part in an election: the lease's word passed on to the user, and the user's end
 * of work passed back.
 *
 * What the lease needs to know is when nothing runs under it any more: no exclusive call is in
 * flight, and the user was told that the lead is over and has returned from hearing it.  Only then elector_idle
 * is said.  What is told and what is wanted are two states, so that the user hears every hold from its beginning to
 * its end, however long hearing takes.  All state is the loop's but for what is said to be otherwise. */
#include <string.h>

#include "base/log.h"
#include "base/magic.h"
#include "base/mem.h"
#include "client/client.h"
#include "election/profile.h"
#include "member/candidate.h"
#include "messaging/fence.h"
#include "messaging/server.h"
#include "model/names.h"
#include "sys/gate.h"

#define ELECTION_MAGIC 0xae615009u
#define IDLE_NS (1 * NS_PER_MS)		/* how often it is looked whether the last call ended */
#define DRAIN_NS (10 * NS_PER_S)
#define CALL_NS (5 * NS_PER_S)
#define THREADS 1			/* changes are heard one at a time */
#define QUEUE 2

struct hold {
	bool active;
	uint64_t epoch;			/* 0 when not active */
};

struct aegis_election {
	unsigned magic;
	struct aegis *a;
	aegis_elect_options o;		/* texts are its own */
	const char **exclusive;		/* made at registration; NULL-terminated */
	struct pool *pool;		/* of the thread that tells */
	_Atomic(struct candidate *) candidate;	/* changes under the handle's lock; NULL: not registered */

	struct hold wanted, told;
	struct hold saying;		/* while telling */
	bool telling, fit, wants_idle;
	bool left;			/* under the handle's lock: ended for good */
	struct pool_job say, fail;
	struct loop_timer idle;
	aegis_error why;		/* of failed */
};

static void advance(struct aegis_election *l);

/* --- telling the user --------------------------------------------------------------------- */

static void
say(const struct aegis_election *l, struct hold to, struct hold from)
{
	l->o.role(l->o.arg, to.active ? AEGIS_ACTIVE : AEGIS_STANDBY, to.active ? to.epoch : from.epoch);
}

static void
work_say(struct pool_job *job)
{
	struct aegis_election *l = CONTAINER_OF(job, struct aegis_election, say);

	say(l, l->saying, l->told);		/* the loop changes neither until it is said */
	l->told = l->saying;
}

static void
said(struct pool_job *job)
{
	struct aegis_election *l = CONTAINER_OF(job, struct aegis_election, say);

	l->telling = false;
	advance(l);
}

static bool
is_same(struct hold a, struct hold b)
{
	return a.active == b.active && a.epoch == b.epoch;
}

static void
look_idle(void *arg)
{
	struct aegis_election *l = arg;
	struct candidate *c = atomic_load(&l->candidate);

	if (!l->wants_idle || c == NULL)
		return;
	if (!l->telling && !l->told.active && gate_in_flight(elector_gate(candidate_elector(c))) == 0) {
		l->wants_idle = false;
		elector_idle(candidate_elector(c));
		return;
	}
	loop_timer_set(l->a->loop, &l->idle, mono_after(loop_now(l->a->loop), IDLE_NS), look_idle, l);
}

/* advance: what is told follows what is wanted, a hold that is over before the next one. */
static void
advance(struct aegis_election *l)
{
	struct candidate *c = atomic_load(&l->candidate);

	if (l->telling)
		return;
	if (!is_same(l->told, l->wanted)) {
		l->saying = l->told.active ? (struct hold){ false, 0 } : l->wanted;
		if (l->o.role == NULL)
			l->told = l->wanted;
		else
			l->telling = pool_run(l->pool, &l->say) == ERR_OK;	/* fails only while closing */
	}
	if (c != NULL)
		candidate_pause(c, l->telling || !l->told.active);
	look_idle(l);
}

/* --- what the lease says ------------------------------------------------------------------ */

static void
on_role(void *arg, const struct elector_role *role)
{
	struct aegis_election *l = arg;
	struct candidate *c = atomic_load(&l->candidate);

	l->wanted = (struct hold){ candidate_leads(c), candidate_epoch(c) };
	if (role->state == LEASE_DRAINING || role->state == LEASE_FENCED || role->state == LEASE_RETIRED)
		l->wants_idle = true;
	else if (role->state == LEASE_ACTIVE)
		l->wants_idle = false;
	if (!l->wanted.active)
		candidate_pause(c, true);
	advance(l);
}

static void
on_reap(void *arg)
{
	struct aegis_election *l = arg;

	/* A handler cannot be killed; its answer is held back by the gate, the next lead by idle. */
	log_warning(EV_ELECTION_ROLE, LOG_F(LOG_S("group", l->o.group)),
	    "the lease of group '%s' ends, whatever still runs under it", l->o.group);
}

static void
work_fail(struct pool_job *job)
{
	struct aegis_election *l = CONTAINER_OF(job, struct aegis_election, fail);

	l->o.failed(l->o.arg, &l->why);
}

static void
failed_done(struct pool_job *job)
{
	(void)job;
}

static void
on_failed(void *arg, const struct err *why)
{
	struct aegis_election *l = arg;

	log_error(EV_ELECTION_ROLE, LOG_F(LOG_S("err", why->text)), "cannot take part in the election: %s", why->text);
	*client_err(&l->why) = *why;
	if (l->o.failed != NULL)
		pool_run(l->pool, &l->fail);	/* there is room: it is told once */
}

static void
on_ended(void *arg)
{
	struct aegis_election *l = arg;

	client_tell(l->a, &l->left);
}

static void
on_call(void *arg, struct rpc_call *call)
{
	struct aegis_election *l = arg;

	client_execute(l->a, call);
}

/* --- the handle's life -------------------------------------------------------------------- */

static void
set_candidate(struct aegis_election *l, struct candidate *c)
{
	pthread_mutex_lock(&l->a->lock);
	atomic_store(&l->candidate, c);
	l->left = false;
	pthread_mutex_unlock(&l->a->lock);
}

static struct candidate *
candidate_of(const struct aegis *a)
{
	return a->election != NULL ? atomic_load(&a->election->candidate) : NULL;
}

static void
list_exclusive(struct aegis_election *l)
{
	size_t n = 0;

	mem_free(l->exclusive);
	l->exclusive = mem_array(l->a->nserved + 1, sizeof *l->exclusive);
	for (size_t i = 0; i < l->a->nserved; i++)
		if (l->a->served[i].exclusive)
			l->exclusive[n++] = l->a->served[i].method;
}

static enum err_code
check_none_exclusive(const struct aegis *a, struct err *err)
{
	for (size_t i = 0; i < a->nserved; i++)
		if (a->served[i].exclusive)
			return err_set(err, ERR_INVALID, "method '%s' is exclusive, but the handle takes part in no election; call "
			    "aegis_elect_join first", a->served[i].method);
	return ERR_OK;
}

enum err_code
client_elect_start(struct aegis *a, const char *service, struct err *err)
{
	struct aegis_election *l = a->election;

	if (l == NULL)
		return check_none_exclusive(a, err);
	list_exclusive(l);
	l->wants_idle = false;
	struct candidate *c = candidate_new(&(struct candidate_opts){
		.loop = a->loop, .conn = a->conn, .access = &a->access, .traffic = a->traffic, .publisher = a->publisher,
		.service = service, .group = l->o.group, .instance = a->instance, .profile = l->o.profile,
		.fence_lanes = l->o.fence_lanes, .exclusive = l->exclusive, .hot = true, .drain_ns = l->o.drain_ms * NS_PER_MS,
		.role = on_role, .reap = on_reap, .failed = on_failed, .ended = on_ended, .call = on_call, .arg = l,
	}, err);
	if (c == NULL)
		return err->code;
	set_candidate(l, c);
	candidate_fit(c, l->fit);
	return ERR_OK;
}

void
client_elect_member(struct aegis *a, struct member *m)
{
	if (candidate_of(a) != NULL)
		candidate_member(candidate_of(a), m);
}

void
client_elect_registered(struct aegis *a)
{
	if (candidate_of(a) != NULL)
		candidate_registered(candidate_of(a));
}

void
client_elect_fit(struct aegis *a, bool on)
{
	if (a->election != NULL)
		a->election->fit = on;
	if (candidate_of(a) != NULL)
		candidate_fit(candidate_of(a), on);
}

void
client_elect_leave(struct aegis *a)
{
	if (candidate_of(a) != NULL)
		candidate_leave(candidate_of(a));
}

bool
client_elect_left(struct aegis *a, int64_t timeout_ns)
{
	struct aegis_election *l = a->election;

	return candidate_of(a) == NULL || client_await(a, &l->left, &l->left, timeout_ns);
}

void
client_elect_close(struct aegis *a)
{
	if (candidate_of(a) != NULL)
		candidate_close(candidate_of(a));
}

void
client_elect_stop(struct aegis *a)
{
	struct aegis_election *l = a->election;
	struct candidate *c = candidate_of(a);

	if (c == NULL)
		return;
	set_candidate(l, NULL);
	loop_timer_cancel(a->loop, &l->idle);
	candidate_free(c);
	l->wanted = (struct hold){ false, 0 };
	advance(l);
}

void
client_election_free(struct aegis *a)
{
	struct aegis_election *l = a->election;

	if (l == NULL)
		return;
	MAGIC_CHECK(l, ELECTION_MAGIC);
	pool_free(l->pool);
	if (l->told.active && l->o.role != NULL)
		say(l, (struct hold){ false, 0 }, l->told);
	mem_free(l->exclusive);
	mem_free((char *)(uintptr_t)l->o.group);
	mem_free((char *)(uintptr_t)l->o.profile);
	MAGIC_WIPE(l);
	mem_free(l);
	a->election = NULL;
}

const char *
client_elect_group(const struct aegis *a)
{
	return a->election != NULL ? a->election->o.group : NULL;
}

const char *const *
client_elect_exclusive(const struct aegis *a)
{
	return a->election != NULL ? a->election->exclusive : NULL;
}

enum err_code
client_elect_publish(struct aegis *a, const struct event_out *e, bool waits, bool *mine, struct err *err)
{
	struct aegis_election *l = a->election;

	*mine = l != NULL && l->o.fence_lanes > 0;
	if (!*mine)
		return ERR_OK;
	if (!waits)
		return err_set(err, ERR_INVALID, "a member that publishes through a fence waits for it: use aegis_publish");
	pthread_mutex_lock(&a->lock);		/* else the candidate could be freed, after a twin */
	struct candidate *c = atomic_load(&l->candidate);
	struct fence *f = c != NULL ? fence_ref(candidate_fence(c)) : NULL;
	pthread_mutex_unlock(&a->lock);
	if (f == NULL)
		return err_set(err, ERR_NOT_ACTIVE, "this instance is not registered, so it leads no group; the event was not stored");
	enum err_code code = fence_publish(f, e, NULL, err);
	fence_unref(f);
	return code;
}

bool
client_elect_call(struct aegis *a, struct rpc_call *call)
{
	struct candidate *c = candidate_of(a);

	if (c == NULL)
		return false;
	candidate_call(c, call);
	return true;
}

/* --- the user's words --------------------------------------------------------------------- */

static enum err_code
check_join(const struct aegis *a, const aegis_elect_options *o, struct err *err)
{
	struct profile p;
	enum err_code code;

	if (a->election != NULL)
		return err_set(err, ERR_EXISTS, "the handle takes part in the election of group '%s' already", a->election->o.group);
	if (o->group != NULL && (code = name_check(NAME_GROUP, o->group, err)) != ERR_OK)
		return code;
	if (o->profile != NULL && (code = profile_find(o->profile, NS_PER_MS, &p, err)) != ERR_OK)
		return code;
	if (o->fence_lanes > FENCE_LANES)
		return err_set(err, ERR_INVALID, "fence_lanes is %u; there are at most %d", o->fence_lanes, FENCE_LANES);
	return o->drain_ms < 0 ? err_set(err, ERR_INVALID, "drain_ms is negative") : ERR_OK;
}

aegis_election *
aegis_elect_join(aegis *a, const aegis_elect_options *o, aegis_error *e)
{
	static const aegis_elect_options none;

	MAGIC_CHECK(a, AEGIS_MAGIC);
	if (o == NULL)
		o = &none;
	pthread_mutex_lock(&a->lock);
	bool late = a->member != NULL || a->enrolling;
	pthread_mutex_unlock(&a->lock);
	if (late) {
		err_set(client_err(e), ERR_INVALID, "the handle is registered already; join first");
		return NULL;
	}
	if (check_join(a, o, client_err(e)) != ERR_OK)
		return NULL;
	struct aegis_election *l = mem_new(sizeof *l);
	if ((l->pool = pool_new(a->loop, THREADS, QUEUE, client_err(e))) == NULL) {
		mem_free(l);
		return NULL;
	}
	l->magic = ELECTION_MAGIC;
	l->a = a;
	l->o = *o;
	l->o.group = mem_text(o->group != NULL ? o->group : "default");
	l->o.profile = mem_text(o->profile);
	l->o.drain_ms = o->drain_ms > 0 ? o->drain_ms : DRAIN_NS / NS_PER_MS;
	l->fit = true;
	l->say = (struct pool_job){ .work = work_say, .done = said };
	l->fail = (struct pool_job){ .work = work_fail, .done = failed_done };
	return a->election = l;
}

/* hold_of: the lead as the gate shows it now: what is left of it, and its epoch.  0: there is none. */
static int64_t
hold_of(const aegis_election *l, uint64_t *epoch)
{
	struct aegis *a = l->a;
	int64_t left = 0;

	MAGIC_CHECK(l, ELECTION_MAGIC);
	pthread_mutex_lock(&a->lock);		/* else it could be freed, after a twin */
	struct candidate *c = atomic_load(&l->candidate);
	if (c != NULL) {
		const struct gate *g = elector_gate(candidate_elector(c));
		/* Epochs are set before the word: what is read between two looks at one hold is that hold's. */
		uint64_t bits = gate_look(g->word, g->clock);
		*epoch = atomic_load(&g->opening);
		if (bits != 0 && gate_still(g, gate_hold(bits)))
			left = gate_until(bits).ns - clock_boot(g->clock).ns;
	}
	pthread_mutex_unlock(&a->lock);
	return left > 0 ? left : 0;
}

enum aegis_role
aegis_elect_role(const aegis_election *l)
{
	uint64_t epoch;

	return hold_of(l, &epoch) > 0 ? AEGIS_ACTIVE : AEGIS_STANDBY;
}

uint64_t
aegis_elect_epoch(const aegis_election *l)
{
	uint64_t epoch;

	return hold_of(l, &epoch) > 0 ? epoch : 0;
}

int64_t
aegis_elect_remaining_ms(const aegis_election *l)
{
	uint64_t epoch;

	return (hold_of(l, &epoch) + NS_PER_MS - 1) / NS_PER_MS;
}

struct wish {
	aegis_election *l;
	const char *to;
	enum err_code code;
	struct err err;
};

static void
step_down(void *arg)
{
	struct wish *w = arg;
	struct candidate *c = atomic_load(&w->l->candidate);

	if (c == NULL || !candidate_leads(c))
		w->code = err_set(&w->err, ERR_NOT_ACTIVE, "this instance does not lead group '%s'", w->l->o.group);
	else
		w->code = elector_resign(candidate_elector(c), w->to, false, &w->err);
}

int
aegis_elect_step_down(aegis_election *l, const char *to, aegis_error *e)
{
	struct wish w = { .l = l, .to = to };

	MAGIC_CHECK(l, ELECTION_MAGIC);
	enum err_code code = loop_call(l->a->loop, step_down, &w, CALL_NS, client_err(e));
	if (code != ERR_OK)
		return code;
	if (w.code != ERR_OK && e != NULL)
		*client_err(e) = w.err;
	return w.code;
}

static void
leave(void *arg)
{
	struct wish *w = arg;

	client_elect_leave(w->l->a);
}

int
aegis_elect_leave(aegis_election *l, aegis_error *e)
{
	struct wish w = { .l = l };

	MAGIC_CHECK(l, ELECTION_MAGIC);
	enum err_code code = loop_call(l->a->loop, leave, &w, CALL_NS, client_err(e));
	if (code != ERR_OK)
		return code;
	if (!client_elect_left(l->a, l->o.drain_ms * NS_PER_MS + l->a->timeout_ns))
		return err_set(client_err(e), ERR_TIMEOUT, "what runs under the lease of group '%s' did not end in time; the lease runs "
		    "out by itself", l->o.group);
	return ERR_OK;
}
