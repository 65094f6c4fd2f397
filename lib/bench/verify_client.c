/* verify_client.c - the clients' half: outcomes, effects, the exclusive counter, outages. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "bench/verify_inner.h"

/* One call, from the lines about it. */
struct op {
	uint64_t req, epoch, count, effects;
	struct boot invoked, ended;
	enum history_event outcome;	/* HISTORY_unknown while nothing was heard */
	char src[HISTORY_NAME_MAX];
};

struct ops {
	struct op *v;			/* by req */
	size_t n;
};

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
settle(struct verify *v, struct op *op, const struct history_line *l)
{
	op->outcome = l->ev;
	op->ended = l->t;
	op->epoch = l->epoch;
	op->count = l->count;
	v->r->ok += l->ev == HISTORY_ok;
	v->r->failed += l->ev == HISTORY_fail;
	v->r->unknown += l->ev == HISTORY_unknown;
}

static struct ops
collect(struct verify *v)
{
	struct ops ops = { mem_array(v->h->n + 1, sizeof *ops.v), 0 };

	for (size_t i = 0; i < v->h->n; i++) {
		const struct history_line *l = &v->h->v[i];
		if (l->ev != HISTORY_invoke)
			continue;
		ops.v[ops.n] = (struct op){ .req = l->req, .invoked = l->t, .ended = BOOT_NEVER, .outcome = HISTORY_unknown };
		memcpy(ops.v[ops.n++].src, l->src, sizeof l->src);
	}
	qsort(ops.v, ops.n, sizeof *ops.v, by_req);
	v->r->invoked = ops.n;
	for (size_t i = 0; i < v->h->n; i++) {
		const struct history_line *l = &v->h->v[i];
		struct op *op = l->ev >= HISTORY_effect && l->ev <= HISTORY_unknown ? find(&ops, l->req) : NULL;
		if (op == NULL || l->ev == HISTORY_invoke)
			continue;
		if (l->ev == HISTORY_effect)
			op->effects++;
		else
			settle(v, op, l);
	}
	return ops;
}

/* --- C2: a client goes by the newest epoch that it knows ---------------------------------- */

static void
check_answers(struct verify *v)
{
	const struct history_line *newest = NULL;

	for (size_t i = 0; i < v->h->n; i++) {
		const struct history_line *l = &v->h->v[i];
		if (l->ev != HISTORY_ok)
			continue;
		if (newest != NULL && l->epoch < newest->epoch && strcmp(l->src, newest->src) == 0)
			verify_wrong(v, VERIFY_C2, "%s counted the answer to %llu of epoch %llu, though it knew of epoch %llu", l->src,
			    (unsigned long long)l->req, (unsigned long long)l->epoch, (unsigned long long)newest->epoch);
		if (newest == NULL || l->epoch > newest->epoch)
			newest = l;
	}
}

/* --- C3: effects ------------------------------------------------------------------------- */

static int
by_seq(const void *a, const void *b)
{
	const struct history_line *x = *(const struct history_line *const *)a, *y = *(const struct history_line *const *)b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static void
check_effects(struct verify *v, const struct ops *ops)
{
	const struct history_line **e = mem_array(v->h->n + 1, sizeof *e);
	size_t n = 0;

	for (size_t i = 0; i < v->h->n; i++)
		if (v->h->v[i].ev == HISTORY_effect)
			e[n++] = &v->h->v[i];
	v->r->effects = n;
	qsort(e, n, sizeof *e, by_seq);
	for (size_t i = 1; i < n; i++)
		if (e[i]->epoch < e[i - 1]->epoch)
			verify_wrong(v, VERIFY_C3, "effect %llu has epoch %llu, the one before it %llu", (unsigned long long)e[i]->seq,
			    (unsigned long long)e[i]->epoch, (unsigned long long)e[i - 1]->epoch);
	mem_free(e);
	for (size_t i = 0; i < ops->n; i++) {
		const struct op *op = &ops->v[i];
		uint64_t least = op->outcome == HISTORY_ok, most = op->outcome != HISTORY_fail;
		if (op->effects < least || op->effects > most)
			verify_wrong(v, VERIFY_C3, "call %llu ended as %s and has %llu effects", (unsigned long long)op->req,
			    history_event_name(op->outcome), (unsigned long long)op->effects);
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
 * began; so the latest beginning so far is carried along. */
static void
check_counter(struct verify *v, const struct ops *ops)
{
	const struct op **c = mem_array(ops->n + 1, sizeof *c), *latest = NULL;
	size_t n = 0;

	for (size_t i = 0; i < ops->n; i++)
		if (ops->v[i].outcome == HISTORY_ok && ops->v[i].count > 0)
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
	mem_free(c);
}

/* --- C6, C7: outages --------------------------------------------------------------------- */

/* outage_of: the longest time without an ok that touches [from, to]. */
static int64_t
outage_of(const struct history *h, struct boot from, struct boot to)
{
	struct boot last = { INT64_MIN };
	int64_t longest = 0;

	for (size_t i = 0; i < h->n; i++) {
		const struct history_line *l = &h->v[i];
		if (l->ev != HISTORY_ok)
			continue;
		if (l->t.ns > from.ns) {
			struct boot since = last.ns == INT64_MIN ? from : last;
			if (since.ns > to.ns)
				return longest;
			longest = l->t.ns - since.ns > longest ? l->t.ns - since.ns : longest;
		}
		last = l->t;
	}
	bool served = last.ns > from.ns, stays = last.ns >= to.ns || to.ns - last.ns <= longest;
	return served && stays ? longest : -1;
}

/* mended: when the fault of this line was healed; what it is called and whom it hits name it. */
static struct boot
mended(const struct history *h, size_t inject)
{
	const struct history_line *fault = &h->v[inject];

	for (size_t i = inject + 1; i < h->n; i++)
		if (h->v[i].ev == HISTORY_heal && strcmp(h->v[i].what, fault->what) == 0)
			return h->v[i].t;
	return h->v[h->n - 1].t;
}

static void
measure_outages(struct verify *v)
{
	size_t cap = 0;

	for (size_t i = 0; i < v->h->n; i++) {
		const struct history_line *l = &v->h->v[i];
		if (l->ev != HISTORY_inject)
			continue;
		mem_grow(&v->r->outage, &cap, v->r->outages + 1, sizeof *v->r->outage);
		struct verify_outage *o = &v->r->outage[v->r->outages++];
		memcpy(o->what, l->what, sizeof o->what);
		o->at = l->t;
		o->ns = outage_of(v->h, l->t, mended(v->h, i));
	}
}

/* check_faults: goes through the time and keeps how many faults are under way. */
static void
check_faults(struct verify *v)
{
	struct boot quiet = BOOT_LONG_AGO, healed = BOOT_NEVER;	/* since when there was no fault; an ok is owed since */
	unsigned faults = 0;
	bool led = false;

	for (size_t i = 0; i < v->h->n; i++) {
		const struct history_line *l = &v->h->v[i];
		bool late = v->o->settle_ns > 0 && boot_reached(l->t, boot_after(healed, v->o->settle_ns));
		if (late && healed.ns != INT64_MAX)
			verify_wrong(v, VERIFY_C7, "nobody served for %.0f ms after everything was healed at %lld",
			    (double)(l->t.ns - healed.ns) / 1e6, (long long)healed.ns);
		if (late || l->ev == HISTORY_ok || l->ev == HISTORY_inject)
			healed = BOOT_NEVER;
		bool spares = strncmp(l->what, VERIFY_SPARES, strlen(VERIFY_SPARES)) == 0;
		if (l->ev == HISTORY_inject)
			faults += !spares;
		if (l->ev == HISTORY_heal && spares && faults == 0)
			healed = l->t;
		if (l->ev == HISTORY_heal && !spares && faults > 0 && --faults == 0)
			quiet = healed = l->t;
		if (l->ev != HISTORY_open)
			continue;
		if (led && faults == 0 && boot_reached(l->t, boot_after(quiet, v->o->grace_ns)))
			verify_wrong(v, VERIFY_C6, "%s opened with epoch %llu without a fault", l->src, (unsigned long long)l->epoch);
		if (!led)
			quiet = l->t;
		led = true;
	}
}

void
verify_clients(struct verify *v)
{
	struct ops ops = collect(v);

	check_answers(v);
	if (v->o->effects)
		check_effects(v, &ops);
	check_counter(v, &ops);
	measure_outages(v);
	check_faults(v);
	mem_free(ops.v);
}
