/* failover.c - rounds, and the faults that are measured.  What only chaos does is in nemesis.c. */
#include "bench/failover.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "base/str.h"
#include "bench/failover_inner.h"
#include "sys/clock.h"
#include "sys/thread.h"

#define SETTLE_NS (60 * NS_PER_S)	/* far beyond what anything takes, even on a machine that is busy */
#define TAKEOVER_NS (20 * NS_PER_S)
#define LOOK_NS NS_PER_MS

uint64_t
fault_random(struct failover *f, uint64_t below)
{
	f->random ^= f->random << 13;
	f->random ^= f->random >> 7;
	f->random ^= f->random << 17;
	return f->random % below;
}

/* --- the faults -------------------------------------------------------------------------- */

static enum err_code
nothing(struct failover *f, struct err *err)
{
	(void)f;
	(void)err;
	return ERR_OK;
}

static enum err_code
kill_leader(struct failover *f, struct err *err)
{
	(void)err;
	arena_signal(f->arena, f->leader, SIGKILL);
	return ERR_OK;
}

static enum err_code
renew_leader(struct failover *f, struct err *err)
{
	arena_reap(f->arena, f->leader);
	return arena_start(f->arena, f->leader, err);
}

static enum err_code
kill_leader_and_node(struct failover *f, struct err *err)
{
	(void)err;
	arena_signal(f->arena, f->leader, SIGKILL);
	nats_cluster_end(arena_cluster(f->arena), f->node, SIGKILL);
	return ERR_OK;
}

static enum err_code
renew_leader_and_node(struct failover *f, struct err *err)
{
	enum err_code code = nats_cluster_start(arena_cluster(f->arena), f->node, err);

	return code != ERR_OK ? code : renew_leader(f, err);
}

static enum err_code
kill_node(struct failover *f, struct err *err)
{
	(void)err;
	nats_cluster_end(arena_cluster(f->arena), f->other, SIGKILL);
	return ERR_OK;
}

static enum err_code
renew_node(struct failover *f, struct err *err)
{
	return nats_cluster_start(arena_cluster(f->arena), f->other, err);
}

static enum err_code
stop_leader(struct failover *f, struct err *err)
{
	(void)err;
	arena_signal(f->arena, f->leader, SIGSTOP);
	return ERR_OK;
}

static enum err_code
continue_leader(struct failover *f, struct err *err)
{
	(void)err;
	arena_signal(f->arena, f->leader, SIGCONT);
	return ERR_OK;
}

static void
freeze(struct proxy *p, void *ways)
{
	proxy_freeze(p, *(unsigned *)ways);
}

static enum err_code
cut_leader(struct failover *f, struct err *err)
{
	unsigned ways = PROXY_BOTH;

	(void)err;
	arena_proxy(f->arena, (int)f->leader, -1, freeze, &ways);
	return ERR_OK;
}

static enum err_code
join_leader(struct failover *f, struct err *err)
{
	unsigned ways = 0;

	(void)err;
	arena_proxy(f->arena, (int)f->leader, -1, freeze, &ways);
	return ERR_OK;
}

static enum err_code
end_leader(struct failover *f, struct err *err)
{
	(void)err;
	arena_signal(f->arena, f->leader, SIGTERM);
	return ERR_OK;
}

static enum err_code
kill_work(struct failover *f, struct err *err)
{
	const struct drill_state *s = arena_state(f->arena, f->leader);

	if (s == NULL || s->work <= 0)
		return err_set(err, ERR_HANDLER, "the leader runs no program that could crash");
	kill(s->work, SIGKILL);
	return ERR_OK;
}

static const struct fault faults[] = {
	{ .name = "leader", .what = "the leader is killed (SIGKILL)", .lead = FAULT_CHANGES,
	    .inject = kill_leader, .heal = renew_leader },
	{ .name = "leader+nats", .what = "the leader and the NATS node it is connected to are killed together", .lead = FAULT_CHANGES,
	    .cluster = true, .inject = kill_leader_and_node, .heal = renew_leader_and_node },
	{ .name = "nats", .what = "a NATS node is killed that the leader is not connected to", .lead = FAULT_KEEPS,
	    .cluster = true, .inject = kill_node, .heal = renew_node },
	{ .name = "stop", .what = "the leader is frozen (SIGSTOP)", .lead = FAULT_CHANGES,
	    .inject = stop_leader, .heal = continue_leader },
	{ .name = "partition", .what = "the leader is cut off from every NATS node", .lead = FAULT_CHANGES, .proxied = true,
	    .inject = cut_leader, .heal = join_leader },
	{ .name = "graceful", .what = "the leader is asked to end (SIGTERM), and hands over", .lead = FAULT_CHANGES,
	    .rate = 5000, .inject = end_leader, .heal = renew_leader },
	{ .name = "crash", .what = "the program under the lease is killed, and its supervisor gives the lease back",
	    .lead = FAULT_CHANGES, .work = true, .inject = kill_work, .heal = nothing },
};

const struct fault *
fault(unsigned i)
{
	if (i < COUNT_OF(faults))
		return &faults[i];
	const struct fault *more = chaos_faults;
	for (i -= COUNT_OF(faults); i > 0 && more->name != NULL; i--)
		more++;
	return more->name != NULL ? more : NULL;
}

const struct fault *
fault_find(const char *name)
{
	const struct fault *f;

	for (unsigned i = 0; (f = fault(i)) != NULL; i++)
		if (strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

/* --- a round ----------------------------------------------------------------------------- */

static struct boot
now(void)
{
	return clock_boot(clock_system());
}

/* look_around: who leads, and whom and what this round may hit. */
static void
look_around(struct failover *f)
{
	unsigned members = arena_members(f->arena), nodes = f->o->arena.nodes;

	f->leader = (unsigned)arena_leader(f->arena);
	const struct drill_state *s = arena_state(f->arena, f->leader);
	f->epoch = s->epoch;
	f->node = s->node[0] == 'n' ? (unsigned)(s->node[1] - '1') % nodes : 0;
	f->standby = (f->leader + 1 + (unsigned)fault_random(f, members > 1 ? members - 1 : 1)) % members;
	f->other = nodes > 1 ? (f->node + 1 + (unsigned)fault_random(f, nodes - 1)) % nodes : 0;
	unsigned path = 0;
	while (nodes > 2 && (path == f->node || path == f->other))
		path++;
	prober_through(arena_prober(f->arena), path);
}

/* watch: until the fault has shown its effect. */
static enum err_code
watch(struct failover *f, const struct fault *k, struct err *err)
{
	int64_t limit = k->lead == FAULT_CHANGES ? TAKEOVER_NS : 3 * f->o->l_ns;
	struct boot end = boot_after(now(), limit);

	while (!boot_reached(now(), end)) {
		if (k->lead == FAULT_CHANGES && prober_look(arena_prober(f->arena)).epoch > f->epoch)
			return ERR_OK;
		if (!arena_pause(f->arena, LOOK_NS))
			return err_set(err, ERR_CANCELLED, "ended early");
	}
	if (k->lead == FAULT_CHANGES)
		return err_set(err, ERR_TIMEOUT, "%s: nobody took over within %lld s", k->name, (long long)(TAKEOVER_NS / NS_PER_S));
	return ERR_OK;
}

static void
count(struct failover *f, struct failover_tally *t, struct prober_view v)
{
	bool changed = v.epoch > f->epoch;

	/* Silence that goes on is one, too. */
	int64_t silent = now().ns - v.last.ns;
	histogram_add(t->outage, v.gap_ns > silent ? v.gap_ns : silent, 1);
	t->rounds++;
	t->changed += changed;
	f->r->rounds++;
	f->r->changes += changed;
}

/* begin_flow: once somebody leads; from then on every one of its calls counts. */
static enum err_code
begin_flow(struct failover *f, struct err *err)
{
	struct str urls = STR_INIT;

	nats_cluster_urls(arena_cluster(f->arena), &urls);
	f->flow = flow_new(str_text(&urls), f->rate, err);
	str_release(&urls);
	return f->flow != NULL ? ERR_OK : err->code;
}

static enum err_code
round_of(struct failover *f, struct failover_tally *t, struct err *err)
{
	struct prober *p = arena_prober(f->arena);
	const struct fault *k = t->fault;
	char name[HISTORY_NAME_MAX];
	enum err_code code;

	if ((code = arena_settle(f->arena, SETTLE_NS, err)) != ERR_OK)
		return code;
	if (f->rate > 0 && f->flow == NULL && (code = begin_flow(f, err)) != ERR_OK)
		return code;
	look_around(f);
	prober_excuse(p, false);
	/* Some answers through this round's path, then any moment of a renewal period. */
	if (!arena_pause(f->arena, 20 * NS_PER_MS + (int64_t)fault_random(f, (uint64_t)f->o->p_ns)))
		return err_set(err, ERR_CANCELLED, "ended early");
	snprintf(name, sizeof name, "%s%s", k->lead == FAULT_KEEPS ? VERIFY_SPARES : "", k->name);
	prober_mark(p);
	arena_note(f->arena, HISTORY_inject, name, (int)f->leader);
	prober_excuse(p, k->lead != FAULT_KEEPS);
	code = k->inject(f, err);
	if (code == ERR_OK)
		code = watch(f, k, err);
	struct prober_view v = prober_look(p);
	if (code == ERR_OK)
		count(f, t, v);
	struct err late;
	enum err_code healed = k->heal(f, code == ERR_OK ? err : &late);
	arena_note(f->arena, HISTORY_heal, name, (int)f->leader);
	return code != ERR_OK ? code : healed;
}

/* --- all of them ------------------------------------------------------------------------- */

static enum err_code
rounds(struct failover *f, struct err *err)
{
	enum err_code code = ERR_OK;

	for (uint64_t i = 0; i < f->o->rounds && code == ERR_OK; i++) {
		unsigned which = f->o->nfaults > 1 ? (unsigned)fault_random(f, f->o->nfaults) : 0;
		if (i < f->o->nfaults)
			which = (unsigned)i;		/* each at least once */
		code = round_of(f, &f->r->tally[which], err);
		if (f->o->progress != NULL)
			f->o->progress(f->o->arg, (double)(i + 1) / (double)f->o->rounds);
	}
	if (code == ERR_OK)			/* and well again */
		code = arena_settle(f->arena, SETTLE_NS, err);
	return code;
}

/* judge: what the prober saw, and what the history shows.  The outages of a history without calls are
 * the prober's. */
static enum err_code
judge(struct failover *f, const char *path, struct err *err)
{
	struct failover_result *r = f->r;
	struct history h;
	struct err why;
	const struct verify_opts o = { .grace_ns = 4 * f->o->l_ns, .settle_ns = f->o->arena.calls ? SETTLE_NS : 0 };

	if (history_read(path, &h, &why) != ERR_OK) {
		*err = why;
		return why.code;
	}
	verify_history(&h, &o, &r->verdict);
	history_release(&h);
	for (int c = 0; c < VERIFY_CHECKS; c++)
		if (c != VERIFY_C6 && r->verdict.wrong[c] > 0 && r->first[0] == '\0')
			snprintf(r->first, sizeof r->first, "C%d: %.240s", c + 1, r->verdict.first[c]);
	return ERR_OK;
}

static void
finish(struct failover *f, struct boot began)
{
	struct failover_result *r = f->r;

	flow_end(f->flow, &r->flow);
	struct prober_view v = prober_look(arena_prober(f->arena));
	r->calls = v.sent;
	r->ok = v.ok;
	r->lost = v.lost;
	r->overlap = v.overlap;
	snprintf(r->first, sizeof r->first, "%s", v.first);
	r->seconds = ns_seconds(now().ns - began.ns);
}

enum err_code
failover_run(const struct failover_opts *o, struct failover_result *out, struct err *err)
{
	struct failover f = { .o = o, .r = out, .random = o->arena.seed | 1 };
	struct arena_opts ao = o->arena;
	struct err late;

	MUST(o->nfaults > 0 && o->nfaults <= FAILOVER_FAULTS);
	memset(out, 0, sizeof *out);
	for (unsigned i = 0; i < o->nfaults; i++) {
		out->tally[i] = (struct failover_tally){ .fault = o->faults[i], .outage = histogram_new() };
		ao.proxied = ao.proxied || o->faults[i]->proxied;
		ao.work = ao.work || o->faults[i]->work;
		f.rate = f.rate > o->faults[i]->rate ? f.rate : o->faults[i]->rate;
	}
	out->n = o->nfaults;
	if ((f.arena = arena_new(&ao, err)) == NULL)
		return err->code;
	if (o->machine != NULL)
		machine_look(o->machine, arena_conn(f.arena));
	char *path = mem_text(arena_history(f.arena));
	struct boot began = now();
	enum err_code code = rounds(&f, err);
	out->interrupted = code == ERR_CANCELLED;
	if (out->interrupted && out->rounds > 0)
		code = ERR_OK;
	finish(&f, began);
	arena_free(f.arena);
	if (judge(&f, path, code == ERR_OK ? err : &late) != ERR_OK && code == ERR_OK)
		code = err->code;
	mem_free(path);
	return code;
}

void
failover_release(struct failover_result *r)
{
	for (unsigned i = 0; i < r->n; i++)
		histogram_free(r->tally[i].outage);
	verify_release(&r->verdict);
	r->n = 0;
}
