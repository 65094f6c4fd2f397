/* verify_client.c - the clients' half: outcomes, effects, the exclusive counter, outages. */
#include <stdlib.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "bench/verify_inner.h"

static int
by_req(const void *a, const void *b)
{
	const struct op *x = a, *y = b;

	return x->req < y->req ? -1 : x->req > y->req;
}

static struct op *
find(struct ops *ops, uint64_t req)
{
	struct op key = { .req = req };

	return ops->n > 0 ? bsearch(&key, ops->v, ops->n, sizeof key, by_req) : NULL;
}

static void
settle(struct verify *v, const struct history_line *l)
{
	struct op *op = find(&v->ops, l->req);

	if (op == NULL)
		return;
	op->outcome = l->ev;
	op->ended = l->t;
	op->epoch = l->epoch;
	op->count = l->count;
	op->over = true;
	v->r.ok += l->ev == HISTORY_ok;
	v->r.failed += l->ev == HISTORY_fail;
	v->r.unknown += l->ev == HISTORY_unknown;
}

/* collect: the piece's calls join those that were not over, and get their outcomes. */
static void
collect(struct verify *v)
{
	struct ops *ops = &v->ops;

	for (size_t i = 0; i < v->h->n; i++) {
		const struct history_line *l = &v->h->v[i];
		if (l->ev != HISTORY_invoke)
			continue;
		mem_grow(&ops->v, &ops->cap, ops->n + 1, sizeof *ops->v);
		ops->v[ops->n++] = (struct op){ .req = l->req, .invoked = l->t, .ended = BOOT_NEVER, .outcome = HISTORY_unknown,
		    .stores = strcmp(l->what, VERIFY_STORES) == 0 };
		v->r.invoked++;
	}
	if (ops->n > 0)
		qsort(ops->v, ops->n, sizeof *ops->v, by_req);
	for (size_t i = 0; i < v->h->n; i++)
		if (v->h->v[i].ev == HISTORY_ok || v->h->v[i].ev == HISTORY_fail || v->h->v[i].ev == HISTORY_unknown)
			settle(v, &v->h->v[i]);
}

/* keep: of the calls that are over only what C3 needs; the others stay. */
static void
keep(struct verify *v)
{
	size_t kept = 0;

	for (size_t i = 0; i < v->ops.n; i++) {
		const struct op *op = &v->ops.v[i];
		if (!op->over && !v->ending) {
			v->ops.v[kept++] = *op;
			continue;
		}
		if (!op->stores)
			continue;
		mem_grow(&v->fates.v, &v->fates.cap, v->fates.n + 1, sizeof *v->fates.v);
		v->fates.v[v->fates.n++] = (struct fate){ op->req, 0, op->outcome };
	}
	v->ops.n = kept;
}

/* --- C2: a client goes by the newest epoch that it knows ---------------------------------- */

static void
check_answers(struct verify *v)
{
	for (size_t i = 0; i < v->h->n; i++) {
		const struct history_line *l = &v->h->v[i];
		size_t k = 0;
		if (l->ev != HISTORY_ok)
			continue;
		while (k < VERIFY_CLIENTS - 1 && v->knows[k].epoch != 0 && strcmp(v->knows[k].src, l->src) != 0)
			k++;
		if (strcmp(v->knows[k].src, l->src) == 0 && l->epoch < v->knows[k].epoch)
			verify_wrong(v, VERIFY_C2, "%s counted the answer to %llu of epoch %llu, though it knew of epoch %llu", l->src,
			    (unsigned long long)l->req, (unsigned long long)l->epoch, (unsigned long long)v->knows[k].epoch);
		if (l->epoch <= v->knows[k].epoch)
			continue;
		v->knows[k].epoch = l->epoch;
		memcpy(v->knows[k].src, l->src, sizeof v->knows[k].src);
	}
}

/* --- C3: effects ------------------------------------------------------------------------- */

static int
by_seq(const void *a, const void *b)
{
	const struct effect *x = a, *y = b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int
fate_by_req(const void *a, const void *b)
{
	const struct fate *x = a, *y = b;

	return x->req < y->req ? -1 : x->req > y->req;
}

static void
collect_effects(struct verify *v)
{
	for (size_t i = 0; i < v->h->n; i++) {
		const struct history_line *l = &v->h->v[i];
		if (l->ev != HISTORY_effect)
			continue;
		mem_grow(&v->effects.v, &v->effects.cap, v->effects.n + 1, sizeof *v->effects.v);
		v->effects.v[v->effects.n++] = (struct effect){ l->seq, l->epoch, l->req };
		v->r.effects++;
	}
}

static void
check_effects(struct verify *v)
{
	if (v->effects.n > 0)
		qsort(v->effects.v, v->effects.n, sizeof *v->effects.v, by_seq);
	if (v->fates.n > 0)
		qsort(v->fates.v, v->fates.n, sizeof *v->fates.v, fate_by_req);
	for (size_t i = 0; i < v->effects.n; i++) {
		const struct effect *e = &v->effects.v[i];
		struct fate key = { .req = e->req }, *f = NULL;
		if (i > 0 && e->epoch < e[-1].epoch)
			verify_wrong(v, VERIFY_C3, "effect %llu has epoch %llu, the one before it %llu", (unsigned long long)e->seq,
			    (unsigned long long)e->epoch, (unsigned long long)e[-1].epoch);
		if (v->fates.n > 0)
			f = bsearch(&key, v->fates.v, v->fates.n, sizeof key, fate_by_req);
		if (f != NULL)
			f->effects++;
		else
			verify_wrong(v, VERIFY_C3, "effect %llu is of call %llu, which nobody made", (unsigned long long)e->seq,
			    (unsigned long long)e->req);
	}
	for (size_t i = 0; i < v->fates.n; i++) {
		const struct fate *f = &v->fates.v[i];
		uint64_t least = f->outcome == HISTORY_ok && !v->waived, most = f->outcome != HISTORY_fail;
		if (f->effects < least || f->effects > most)
			verify_wrong(v, VERIFY_C3, "call %llu ended as %s and has %llu effects", (unsigned long long)f->req,
			    history_event_name(f->outcome), (unsigned long long)f->effects);
	}
}

/* --- C5: the exclusive counter ----------------------------------------------------------- */

static int
by_count(const void *a, const void *b)
{
	const struct op *x = *(const struct op *const *)a, *y = *(const struct op *const *)b;

	if (x->count != y->count)
		return x->count < y->count ? -1 : 1;
	return x->invoked.ns < y->invoked.ns ? -1 : x->invoked.ns > y->invoked.ns;
}

/* check_counter: in the order of the values, nobody may have ended before one with a smaller value
 * began; so the latest beginning so far is carried along.  Of the pieces before, all of whose calls began before those
 * of this one, the largest value is enough: whatever is below any of theirs is below it. */
static void
check_counter(struct verify *v)
{
	const struct ops *ops = &v->ops;
	const struct op **c = mem_array(ops->n + 2, sizeof *c), *latest = NULL;
	struct op most = v->most;
	size_t n = 0;

	if (most.count > 0)
		c[n++] = &most;
	for (size_t i = 0; i < ops->n; i++)
		if (ops->v[i].over && ops->v[i].outcome == HISTORY_ok && ops->v[i].count > 0)
			c[n++] = &ops->v[i];
	qsort(c, n, sizeof *c, by_count);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && c[i]->count == c[i - 1]->count)
			verify_wrong(v, VERIFY_C5, "the calls %llu and %llu both got %llu", (unsigned long long)c[i - 1]->req,
			    (unsigned long long)c[i]->req, (unsigned long long)c[i]->count);
		else if (latest != NULL && c[i]->ended.ns < latest->invoked.ns)
			verify_wrong(v, VERIFY_C5, "call %llu ended before call %llu began, but got %llu and not less than %llu",
			    (unsigned long long)c[i]->req, (unsigned long long)latest->req, (unsigned long long)c[i]->count,
			    (unsigned long long)latest->count);
		if (latest == NULL || c[i]->invoked.ns > latest->invoked.ns)
			latest = c[i];
	}
	if (n > 0)
		v->most = *c[n - 1];
	mem_free(c);
}

/* --- C6, C7: outages --------------------------------------------------------------------- */

/* One under way: the longest time without an ok so far that touches [its fault, to]. */
struct outage_run {
	size_t at;			/* in the report */
	struct boot to;			/* when it was healed; BOOT_NEVER: not yet */
	int64_t longest;
	bool served;
};

static void
begin_outage(struct verify *v, const struct history_line *l)
{
	mem_grow(&v->r.outage, &v->outages_cap, v->r.outages + 1, sizeof *v->r.outage);
	struct verify_outage *o = &v->r.outage[v->r.outages++];
	memcpy(o->what, l->what, sizeof o->what);
	o->at = l->t;
	o->ns = -1;
	mem_grow(&v->running.v, &v->running.cap, v->running.n + 1, sizeof *v->running.v);
	v->running.v[v->running.n++] = (struct outage_run){ .at = v->r.outages - 1, .to = BOOT_NEVER };
}

static void
heal_outage(struct verify *v, const struct history_line *l)
{
	for (size_t i = 0; i < v->running.n; i++) {
		struct outage_run *run = &v->running.v[i];
		if (run->to.ns == INT64_MAX && strcmp(v->r.outage[run->at].what, l->what) == 0)
			run->to = l->t;
	}
}

/* answer: ends the silence since the one before, and with it the outages that were mended when that began. */
static void
answer(struct verify *v, struct boot t)
{
	size_t kept = 0;

	for (size_t i = 0; i < v->running.n; i++) {
		struct outage_run run = v->running.v[i];
		struct verify_outage *o = &v->r.outage[run.at];
		struct boot since = v->answered.ns == INT64_MIN ? o->at : v->answered;
		if (since.ns > run.to.ns) {
			o->ns = run.longest;
			continue;
		}
		if (t.ns > o->at.ns) {
			run.longest = t.ns - since.ns > run.longest ? t.ns - since.ns : run.longest;
			run.served = true;
		}
		v->running.v[kept++] = run;
	}
	v->running.n = kept;
	v->answered = boot_max(v->answered, t);
}

static void
measure_outages(struct verify *v)
{
	for (size_t i = 0; i < v->h->n; i++) {
		const struct history_line *l = &v->h->v[i];
		if (l->ev == HISTORY_inject)
			begin_outage(v, l);
		else if (l->ev == HISTORY_heal)
			heal_outage(v, l);
		else if (l->ev == HISTORY_ok)
			answer(v, l->t);
	}
}

/* end_outages: those after which there was silence until the end are none of a known length. */
static void
end_outages(struct verify *v)
{
	for (size_t i = 0; i < v->running.n; i++) {
		const struct outage_run *run = &v->running.v[i];
		int64_t silent = (run->to.ns == INT64_MAX ? v->last : run->to).ns - v->answered.ns;
		if (run->served && silent <= run->longest)
			v->r.outage[run->at].ns = run->longest;
	}
}

static void
report_unprovoked(struct verify *v, const struct history_line *l)
{
	if (v->recent[0] == '\0')
		verify_wrong(v, VERIFY_C6, "%s opened with epoch %llu without a fault, before the first", l->src,
		    (unsigned long long)l->epoch);
	else
		verify_wrong(v, VERIFY_C6, "%s opened with epoch %llu without a fault, %.0f ms after the last of '%s'", l->src,
		    (unsigned long long)l->epoch, (double)(l->t.ns - v->recently.ns) / 1e6, v->recent);
}

/* check_faults: goes through the time and keeps how many faults are under way. */
static void
check_faults(struct verify *v)
{
	for (size_t i = 0; i < v->h->n; i++) {
		const struct history_line *l = &v->h->v[i];
		bool late = v->o.settle_ns > 0 && boot_reached(l->t, boot_after(v->healed, v->o.settle_ns));
		if (late && v->healed.ns != INT64_MAX)
			verify_wrong(v, VERIFY_C7, "nobody served for %.0f ms after everything was healed at %lld",
			    (double)(l->t.ns - v->healed.ns) / 1e6, (long long)v->healed.ns);
		if (late || l->ev == HISTORY_ok || l->ev == HISTORY_inject)
			v->healed = BOOT_NEVER;
		if (l->ev == HISTORY_inject || l->ev == HISTORY_heal) {
			memcpy(v->recent, l->what, sizeof v->recent);
			v->recently = l->t;
		}
		bool spares = strncmp(l->what, VERIFY_SPARES, strlen(VERIFY_SPARES)) == 0;
		if (l->ev == HISTORY_inject)
			v->faults += !spares;
		if (l->ev == HISTORY_heal && spares && v->faults == 0)
			v->healed = l->t;
		if (l->ev == HISTORY_heal && !spares && v->faults > 0 && --v->faults == 0)
			v->quiet = v->healed = l->t;
		if (l->ev != HISTORY_open)
			continue;
		if (v->led && v->faults == 0 && boot_reached(l->t, boot_after(v->quiet, v->o.grace_ns)))
			report_unprovoked(v, l);
		if (!v->led)
			v->quiet = l->t;
		v->led = true;
	}
}

void
verify_clients(struct verify *v)
{
	collect(v);
	check_answers(v);
	collect_effects(v);
	check_counter(v);
	measure_outages(v);
	check_faults(v);
	keep(v);
}

void
verify_clients_close(struct verify *v)
{
	if (v->o.effects)
		check_effects(v);
	end_outages(v);
	mem_free(v->ops.v);
	mem_free(v->fates.v);
	mem_free(v->effects.v);
	mem_free(v->running.v);
}
