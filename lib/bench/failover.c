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
#define PIECE_BYTES (16 << 20)		/* of a history that are judged together; a hundred thousand lines */
#define LATE_NS (3 * NS_PER_S)		/* so much later than it was seen may something be written down */
#define TRIES 10			/* to make an arena */
#define FAILING 30			/* rounds in a row */
#define LASTING_RATE 200		/* calls/s by the queue */

uint64_t
fault_random(struct failover *f, uint64_t below)
{
	f->random ^= f->random << 13;
	f->random ^= f->random >> 7;
	f->random ^= f->random << 17;
	return f->random % below;
}

/* --- the faults -------------------------------------------------------------------------- */

static const struct fault faults[] = {
	{ .name = "leader", .what = "the leader is killed (SIGKILL)", .lead = FAULT_CHANGES,
	    .does = ACTS(SIGNAL(ACT_LEADER, SIGKILL)), .undoes = ACTS(RENEW(ACT_LEADER)) },
	{ .name = "leader+nats", .what = "the leader and the NATS node it is connected to are killed together", .lead = FAULT_CHANGES,
	    .cluster = true, .does = ACTS(SIGNAL(ACT_LEADER, SIGKILL), NODE_END(ACT_ITS, SIGKILL)),
	    .undoes = ACTS(NODE_START(ACT_ITS), RENEW(ACT_LEADER)) },
	{ .name = "nats", .what = "a NATS node is killed that the leader is not connected to", .lead = FAULT_KEEPS,
	    .cluster = true, .does = ACTS(NODE_END(ACT_OTHER, SIGKILL)), .undoes = ACTS(NODE_START(ACT_OTHER)) },
	{ .name = "stop", .what = "the leader is frozen (SIGSTOP)", .lead = FAULT_CHANGES,
	    .does = ACTS(SIGNAL(ACT_LEADER, SIGSTOP)), .undoes = ACTS(SIGNAL(ACT_LEADER, SIGCONT)) },
	{ .name = "partition", .what = "the leader is cut off from every NATS node", .lead = FAULT_CHANGES, .proxied = true,
	    .does = ACTS(CUT(ACT_LEADER, ACT_NODES, PROXY_BOTH)), .undoes = ACTS(JOIN(ACT_LEADER)) },
	{ .name = "graceful", .what = "the leader is asked to end (SIGTERM), and hands over", .lead = FAULT_CHANGES,
	    .rate = 5000, .does = ACTS(SIGNAL(ACT_LEADER, SIGTERM)), .undoes = ACTS(RENEW(ACT_LEADER)) },
	{ .name = "crash", .what = "the program under the lease is killed, and its supervisor gives the lease back",
	    .lead = FAULT_CHANGES, .work = true, .does = ACTS(SIGNAL(ACT_WORK, SIGKILL)) },
};

const struct fault *
fault(unsigned i)
{
	static const struct fault *const more[] = { chaos_faults, work_faults, node_faults };

	if (i < COUNT_OF(faults))
		return &faults[i];
	i -= COUNT_OF(faults);
	for (size_t t = 0; t < COUNT_OF(more); t++)
		for (const struct fault *k = more[t]; k->name != NULL; k++)
			if (i-- == 0)
				return k;
	return NULL;
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
	f->work = s->work;
	f->guardian = s->guardian;
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
settle(struct failover *f, struct err *err)
{
	enum err_code code = arena_settle(f->arena, SETTLE_NS, err);

	f->unwell = code != ERR_OK && code != ERR_CANCELLED;
	return code;
}

static enum err_code
round_of(struct failover *f, struct failover_tally *t, struct err *err)
{
	struct prober *p = arena_prober(f->arena);
	const struct fault *k = t->fault;
	char name[HISTORY_NAME_MAX];
	enum err_code code;

	if ((code = settle(f, err)) != ERR_OK)
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
	code = acts_run(f, k->does, err);
	if (code == ERR_OK && k->inject != NULL)
		code = k->inject(f, err);
	bool made = code == ERR_OK;
	if (made)
		code = watch(f, k, err);
	struct prober_view v = prober_look(p);
	if (made && code != ERR_CANCELLED)
		count(f, t, v);
	struct err late;
	struct err *mending = code == ERR_OK ? err : &late;
	enum err_code healed = acts_run(f, k->undoes, mending);
	if (healed == ERR_OK && k->heal != NULL)
		healed = k->heal(f, mending);
	arena_note(f->arena, HISTORY_heal, name, (int)f->leader);
	return code != ERR_OK ? code : healed;
}

/* --- an arena and its history -------------------------------------------------------------- */

static enum err_code
open_arena(struct failover *f, struct err *err)
{
	/* A new one begins with new registers, whose epochs know nothing of those before. */
	const struct verify_opts vo = { .grace_ns = 4 * f->o->l_ns, .settle_ns = f->o->arena.calls ? SETTLE_NS : 0,
		.effects = f->o->arena.stores };
	struct arena_opts ao = f->arena_opts;
	char *dir = f->arenas == 0 ? mem_text(ao.dir) : mem_printf("%s/%u", ao.dir, f->arenas + 1);

	f->r->arenas = ++f->arenas;
	ao.dir = dir;
	if ((f->arena = arena_new(&ao, err)) != NULL && (f->reader = history_open(arena_history(f->arena), err)) != NULL)
		f->verify = verify_new(&vo);
	mem_free(dir);
	if (f->verify == NULL) {
		arena_free(f->arena);
		f->arena = NULL;
		return err->code;
	}
	f->unwell = false;
	return ERR_OK;
}

static void
found(struct failover *f, const char *what)
{
	if (f->o->found != NULL)
		f->o->found(f->o->arg, what);
}

/* tell_findings: of each check the first, when there was none before. */
static void
tell_findings(struct failover *f, const uint64_t *before, const struct verify_report *r)
{
	char text[sizeof r->first[0] + 16];

	for (int c = 0; c < VERIFY_CHECKS; c++) {
		if (before[c] > 0 || r->wrong[c] == 0)
			continue;
		snprintf(text, sizeof text, "C%d: %s", c + 1, r->first[c]);
		found(f, text);
		if (c != VERIFY_C6 && f->r->first[0] == '\0')
			snprintf(f->r->first, sizeof f->r->first, "%.255s", text);
	}
}

/* judge: the history up to then. */
static enum err_code
judge(struct failover *f, struct boot until, struct err *err)
{
	uint64_t before[VERIFY_CHECKS];
	struct history h;
	enum err_code code = history_take(f->reader, until, &h, err);

	f->unwell = f->unwell || code != ERR_OK;	/* what is told from here on has a gap */
	if (code != ERR_OK)
		return code;
	memcpy(before, verify_so_far(f->verify)->wrong, sizeof before);
	verify_feed(f->verify, &h);
	history_release(&h);
	tell_findings(f, before, verify_so_far(f->verify));
	return ERR_OK;
}

/* judge_if_long: between two rounds.  Nobody stands still then, so what was seen before LATE_NS is written down. */
static enum err_code
judge_if_long(struct failover *f, struct err *err)
{
	enum err_code code;

	if (history_waiting(f->reader) < PIECE_BYTES)
		return ERR_OK;
	if ((code = settle(f, err)) != ERR_OK || (code = arena_read_back(f->arena, err)) != ERR_OK)
		return code;
	return judge(f, (struct boot){ now().ns - LATE_NS }, err);
}

static void
add_up(struct failover *f)
{
	struct failover_result *r = f->r;
	struct flow_view flow = { .sent = 0 };

	flow_end(f->flow, &flow);
	f->flow = NULL;
	struct prober_view v = prober_look(arena_prober(f->arena));
	r->flow.sent += flow.sent;
	r->flow.ok += flow.ok;
	r->flow.failed += flow.failed;
	r->flow.longest_ns = flow.longest_ns > r->flow.longest_ns ? flow.longest_ns : r->flow.longest_ns;
	if (r->flow.first[0] == '\0')
		memcpy(r->flow.first, flow.first, sizeof r->flow.first);
	r->calls += v.sent;
	r->ok += v.ok;
	r->lost += v.lost;
	r->overlap += v.overlap;
	if (r->first[0] == '\0')
		snprintf(r->first, sizeof r->first, "%s", v.first);
	if (v.overlap > 0)
		found(f, v.first);
}

/* close_arena: nobody writes any more, and the rest is judged. */
static enum err_code
close_arena(struct failover *f, struct err *err)
{
	struct verify_report rest;

	if (f->arena == NULL)
		return ERR_OK;
	add_up(f);
	enum err_code code = arena_end_stores(f->arena, err), judged;
	struct err late;
	arena_free(f->arena);
	f->arena = NULL;
	if (code != ERR_OK) {
		/* Whether all is there that was promised cannot be said. */
		found(f, err->text);
		verify_waive(f->verify);
	}
	if ((judged = judge(f, BOOT_NEVER, code == ERR_OK ? err : &late)) != ERR_OK && code == ERR_OK)
		code = judged;
	uint64_t before[VERIFY_CHECKS];
	memcpy(before, verify_so_far(f->verify)->wrong, sizeof before);
	verify_end(f->verify, &rest);
	tell_findings(f, before, &rest);
	verify_merge(&f->r->verdict, &rest);
	f->verify = NULL;
	history_close(f->reader);
	f->reader = NULL;
	return code;
}

/* --- all of them ------------------------------------------------------------------------- */

static void
note_failure(struct failover *f, struct failover_tally *t, uint64_t round, const struct err *why)
{
	struct failover_result *r = f->r;
	char text[sizeof r->failure[0]];

	snprintf(text, sizeof text, "round %llu (%s): %.180s", (unsigned long long)round, t->fault->name, why->text);
	if (r->failures < FAILOVER_TOLD)
		memcpy(r->failure[r->failures], text, sizeof text);
	r->failures++;
	t->failed++;
	found(f, text);
}

/* open_somehow: a machine that is busy for a minute ends no lasting run. */
static enum err_code
open_somehow(struct failover *f, struct err *err)
{
	enum err_code code = open_arena(f, err);

	for (int i = 1; i < TRIES && code != ERR_OK && f->o->lasting; i++) {
		if (f->o->arena.stop != NULL && atomic_load(f->o->arena.stop))
			break;
		found(f, err->text);
		code = open_arena(f, err);
	}
	return code;
}

/* go_on: after a round that failed, where members recover in time, and else in a new arena. */
static enum err_code
go_on(struct failover *f, struct err *err)
{
	struct err why;
	enum err_code code = ERR_OK;

	if (++f->failing >= FAILING)
		return err_set(err, ERR_HANDLER, "%d rounds in a row failed", FAILING);
	if (!f->unwell && (code = settle(f, &why)) == ERR_CANCELLED)
		*err = why;
	if (!f->unwell)
		return code;
	if (close_arena(f, &why) != ERR_OK)
		found(f, why.text);
	return open_somehow(f, err);
}

static enum err_code
rounds(struct failover *f, struct err *err)
{
	enum err_code code = ERR_OK;

	for (uint64_t i = 0; i < f->o->rounds && code == ERR_OK && (f->o->changes == 0 || f->r->changes < f->o->changes); i++) {
		unsigned which = f->o->nfaults > 1 ? (unsigned)fault_random(f, f->o->nfaults) : 0;
		if (i < f->o->nfaults)
			which = (unsigned)i;		/* each at least once */
		struct failover_tally *t = &f->r->tally[which];
		if ((code = judge_if_long(f, err)) == ERR_OK)
			code = round_of(f, t, err);
		if (code == ERR_OK)
			f->failing = 0;
		if (f->o->lasting && code != ERR_OK && code != ERR_CANCELLED) {
			note_failure(f, t, i + 1, err);
			code = go_on(f, err);
		}
		if (f->o->progress != NULL)
			f->o->progress(f->o->arg, (double)(i + 1) / (double)f->o->rounds);
	}
	if (code == ERR_OK)			/* and well again */
		code = settle(f, err);
	return code;
}

enum err_code
failover_run(const struct failover_opts *o, struct failover_result *out, struct err *err)
{
	struct failover f = { .o = o, .r = out, .random = o->arena.seed | 1, .arena_opts = o->arena };
	struct err late;

	MUST(o->nfaults > 0 && o->nfaults <= FAILOVER_FAULTS);
	memset(out, 0, sizeof *out);
	for (unsigned i = 0; i < o->nfaults; i++) {
		out->tally[i] = (struct failover_tally){ .fault = o->faults[i], .outage = histogram_new() };
		f.arena_opts.proxied = f.arena_opts.proxied || o->faults[i]->proxied;
		f.arena_opts.work = f.arena_opts.work || o->faults[i]->work;
		f.rate = f.rate > o->faults[i]->rate ? f.rate : o->faults[i]->rate;
	}
	if (o->lasting && f.rate > LASTING_RATE)
		f.rate = LASTING_RATE;
	out->n = o->nfaults;
	if (open_somehow(&f, err) != ERR_OK)
		return err->code;
	if (o->machine != NULL)
		machine_look(o->machine, arena_conn(f.arena));
	struct boot began = now();
	enum err_code code = rounds(&f, err);
	out->interrupted = code == ERR_CANCELLED;
	if (out->interrupted && out->rounds > 0)
		code = ERR_OK;
	out->seconds = ns_seconds(now().ns - began.ns);
	if (close_arena(&f, code == ERR_OK ? err : &late) != ERR_OK && code == ERR_OK)
		code = err->code;
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
