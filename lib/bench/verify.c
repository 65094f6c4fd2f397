/* verify.c - the members' half: gates, served intervals, epochs.
 *
 * Members tell of their gate after the fact, so an open gate is only what they told: from a line's
 * own time to the until in it.  A member that was paused before it told has an until in the
 * past then, and nothing is concluded from it. */
#include "bench/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/magic.h"
#include "base/mem.h"
#include "bench/verify_inner.h"

#define THAW_NS NS_PER_S		/* in which a guardian that was frozen, too, ends what it guards */
#define KEPT_NS (60 * NS_PER_S)		/* for so long may something from before explain, or contradict, what follows */

void
verify_wrong(struct verify *v, enum verify_check c, const char *fmt, ...)
{
	va_list ap;

	if (v->r.wrong[c]++ > 0)
		return;
	va_start(ap, fmt);
	vsnprintf(v->r.first[c], sizeof v->r.first[c], fmt, ap);
	va_end(ap);
}

/* --- intervals --------------------------------------------------------------------------- */

static void
spans_add(struct spans *s, struct boot from, struct boot to, const struct history_line *line)
{
	mem_grow(&s->v, &s->cap, s->n + 1, sizeof *s->v);
	struct span *one = &s->v[s->n++];
	*one = (struct span){ .from = from, .to = to, .epoch = line->epoch };
	memcpy(one->src, line->src, sizeof one->src);
	memcpy(one->nonce, line->nonce, sizeof one->nonce);
}

/* spans_forget: those that ended long before t. */
static void
spans_forget(struct spans *s, struct boot t)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++)
		if (t.ns - s->v[i].to.ns < KEPT_NS || s->v[i].to.ns == INT64_MAX)
			s->v[kept++] = s->v[i];
	s->n = kept;
}

static struct span *
span_of(struct spans *s, const char *nonce)
{
	for (size_t i = s->n; i-- > 0;)
		if (strcmp(s->v[i].nonce, nonce) == 0)
			return &s->v[i];
	return NULL;
}

static bool
overlap(const struct span *a, const struct span *b)
{
	return boot_max(a->from, b->from).ns < boot_min(a->to, b->to).ns;
}

static void
report_overlap(struct verify *v, enum verify_check c, const char *what, const struct span *a, const struct span *b)
{
	verify_wrong(v, c, "%s: %s (epoch %llu) until %lld, %s (epoch %llu) from %lld, %.3f ms together", what, a->src,
	    (unsigned long long)a->epoch, (long long)a->to.ns, b->src, (unsigned long long)b->epoch, (long long)b->from.ns,
	    (double)(boot_min(a->to, b->to).ns - boot_max(a->from, b->from).ns) / 1e6);
}

/* --- who stood still --------------------------------------------------------------------- */

static void
note_stop(struct spans *s, const struct history_line *l)
{
	struct span *last = span_of(s, l->nonce);

	if (l->ev == HISTORY_inject)
		spans_add(s, l->t, BOOT_NEVER, l);
	if (l->ev == HISTORY_heal && last != NULL)
		last->to = boot_min(last->to, l->t);
}

/* note_stops: by what the conductor called its faults. */
static void
note_stops(struct verify *v)
{
	for (size_t i = 0; i < v->h->n; i++) {
		const struct history_line *l = &v->h->v[i];
		bool freezes = strncmp(l->what, VERIFY_FREEZES, strlen(VERIFY_FREEZES)) == 0;
		if (l->nonce[0] == '\0')
			continue;
		if (freezes)
			note_stop(&v->freezes, l);
		if (freezes || strncmp(l->what, VERIFY_STOPS, strlen(VERIFY_STOPS)) == 0)
			note_stop(&v->stops, l);
	}
}

static bool
stood_still(const struct spans *s, const char *nonce, struct boot from, struct boot to)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i].nonce, nonce) == 0 && s->v[i].from.ns <= to.ns && s->v[i].to.ns >= from.ns)
			return true;
	return false;
}

/* --- C1, C4: gates and epochs ------------------------------------------------------------ */

/* opens: a gate, or once more.  Whoever else's is open by what it told so far, is open at the same time. */
static void
opens(struct verify *v, const struct history_line *l)
{
	struct span *own = span_of(&v->gates, l->nonce);

	if (own != NULL && own->to.ns >= l->t.ns) {
		own->to = boot_max(own->to, l->until);
		return;
	}
	if (l->until.ns <= l->t.ns)
		return;
	if (own != NULL)
		own->from = l->t, own->to = l->until;
	else
		spans_add(&v->gates, l->t, l->until, l);
	own = span_of(&v->gates, l->nonce);
	own->epoch = l->epoch != 0 ? l->epoch : own->epoch;
	for (size_t i = 0; i < v->gates.n; i++)
		if (&v->gates.v[i] != own && overlap(&v->gates.v[i], own))
			report_overlap(v, VERIFY_C1, "two gates were open", &v->gates.v[i], own);
}

/* lives: a program while the gate of another member than its own is open. */
static void
lives(struct verify *v, const struct history_line *l)
{
	v->r.lived++;
	for (size_t i = 0; i < v->gates.n; i++) {
		const struct span *gate = &v->gates.v[i];
		if (strcmp(gate->nonce, l->nonce) == 0 || gate->from.ns >= l->t.ns || gate->to.ns <= l->t.ns ||
		    stood_still(&v->freezes, l->nonce, (struct boot){ l->t.ns - THAW_NS }, l->t))
			continue;
		verify_wrong(v, VERIFY_C1, "the program of %s (epoch %llu) lived %.3f ms after the gate of %s had opened", l->src,
		    (unsigned long long)l->epoch, (double)(l->t.ns - gate->from.ns) / 1e6, gate->src);
	}
}

static void
check_gates(struct verify *v)
{
	for (size_t i = 0; i < v->h->n; i++) {
		const struct history_line *l = &v->h->v[i];
		if (l->ev == HISTORY_open || l->ev == HISTORY_extend)
			opens(v, l);
		else if (l->ev == HISTORY_work)
			lives(v, l);
		struct span *own = l->ev == HISTORY_shut || l->ev == HISTORY_release ? span_of(&v->gates, l->nonce) : NULL;
		if (own != NULL)
			own->to = boot_min(own->to, l->t);
	}
	spans_forget(&v->gates, v->last);
}

static void
check_epochs(struct verify *v)
{
	for (size_t i = 0; i < v->h->n; i++) {
		const struct history_line *l = &v->h->v[i];
		if (l->ev != HISTORY_open)
			continue;
		v->r.holds++;
		if (l->until.ns <= l->t.ns)
			continue;		/* told late */
		bool first = v->opener[0] == '\0';
		if (!first && l->epoch == v->opened && strcmp(l->nonce, v->opener_nonce) != 0)
			verify_wrong(v, VERIFY_C4, "epoch %llu belongs to %s and to %s", (unsigned long long)l->epoch, v->opener, l->src);
		else if (!first && l->epoch <= v->opened)
			verify_wrong(v, VERIFY_C4, "%s opened with epoch %llu after %s had opened with %llu", l->src,
			    (unsigned long long)l->epoch, v->opener, (unsigned long long)v->opened);
		if (!first && l->epoch <= v->opened)
			continue;
		v->opened = l->epoch;
		memcpy(v->opener, l->src, sizeof v->opener);
		memcpy(v->opener_nonce, l->nonce, sizeof v->opener_nonce);
	}
}

/* --- C2: served intervals ---------------------------------------------------------------- */

static int
by_nonce_and_req(const void *a, const void *b)
{
	const struct history_line *x = a, *y = b;
	int order = strcmp(x->nonce, y->nonce);

	if (order != 0)
		return order;
	if (x->req != y->req)
		return x->req < y->req ? -1 : 1;
	return x->ev < y->ev ? -1 : x->ev > y->ev;
}

static int
by_from(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return x->from.ns < y->from.ns ? -1 : x->from.ns > y->from.ns;
}

/* check_overlaps: every neighbours in time of different epochs.  The one that reaches farthest is carried along, so
 * that a long interval is compared with all that begin in it. */
static void
check_overlaps(struct verify *v, struct spans *s)
{
	if (s->n > 0)
		qsort(s->v, s->n, sizeof *s->v, by_from);
	for (size_t i = 0; i < s->n; i++) {
		const struct span *one = &s->v[i];
		bool any = v->far.src[0] != '\0';
		if (any && v->far.epoch != one->epoch && overlap(&v->far, one))
			report_overlap(v, VERIFY_C2, "two epochs were served at once", &v->far, one);
		if (!any || one->to.ns > v->far.to.ns)
			v->far = *one;
	}
}

/* check_served: a begin and its end stand side by side once sorted.  A begin without an end may get it in the
 * next piece, or is of a process that died in between, and its interval is that moment. */
static void
check_served(struct verify *v)
{
	struct history served = v->begun;
	struct spans spans = { NULL, 0, 0 };

	v->begun = (struct history){ NULL, 0, 0 };
	for (size_t i = 0; i < v->h->n; i++)
		if (v->h->v[i].ev == HISTORY_serve_begin || v->h->v[i].ev == HISTORY_serve_end)
			history_add(&served, &v->h->v[i]);
	if (served.n > 0)
		qsort(served.v, served.n, sizeof *served.v, by_nonce_and_req);
	for (size_t i = 0; i < served.n; i++) {
		const struct history_line *begin = &served.v[i], *end = begin;
		if (begin->ev != HISTORY_serve_begin)
			continue;
		if (i + 1 < served.n && served.v[i + 1].ev == HISTORY_serve_end && served.v[i + 1].req == begin->req &&
		    strcmp(served.v[i + 1].nonce, begin->nonce) == 0) {
			end = &served.v[i + 1];
		} else if (!v->ending && v->last.ns - begin->t.ns < KEPT_NS) {
			history_add(&v->begun, begin);
			continue;
		}
		v->r.served++;
		if (end->t.ns - begin->t.ns < NS_PER_MS || !stood_still(&v->stops, begin->nonce, begin->t, end->t))
			spans_add(&spans, begin->t, end->t, begin);
	}
	check_overlaps(v, &spans);
	mem_free(spans.v);
	history_release(&served);
}

void
verify_members(struct verify *v)
{
	note_stops(v);
	check_gates(v);
	check_epochs(v);
	check_served(v);
	spans_forget(&v->stops, v->last);
	spans_forget(&v->freezes, v->last);
}

void
verify_members_release(struct verify *v)
{
	mem_free(v->gates.v);
	mem_free(v->stops.v);
	mem_free(v->freezes.v);
	history_release(&v->begun);
}

/* --- from the first to the last piece ------------------------------------------------------ */

struct verify *
verify_new(const struct verify_opts *o)
{
	struct verify *v = mem_new(sizeof *v);

	v->o = *o;
	v->last = v->answered = v->quiet = BOOT_LONG_AGO;
	v->healed = BOOT_NEVER;
	return v;
}

void
verify_feed(struct verify *v, const struct history *h)
{
	v->h = h;
	if (h->n > 0)
		v->last = boot_max(v->last, h->v[h->n - 1].t);
	verify_members(v);
	verify_clients(v);
	v->h = NULL;
}

void
verify_waive(struct verify *v)
{
	v->waived = true;
}

const struct verify_report *
verify_so_far(const struct verify *v)
{
	return &v->r;
}

bool
verify_end(struct verify *v, struct verify_report *out)
{
	static const struct history nothing;
	uint64_t wrong = 0;

	v->ending = true;
	verify_feed(v, &nothing);
	verify_clients_close(v);
	verify_members_release(v);
	*out = v->r;
	mem_free(v);
	for (size_t c = 0; c < VERIFY_CHECKS; c++)
		wrong += out->wrong[c];
	return wrong == 0;
}

bool
verify_history(const struct history *h, const struct verify_opts *o, struct verify_report *out)
{
	struct verify *v = verify_new(o);

	verify_feed(v, h);
	return verify_end(v, out);
}

void
verify_merge(struct verify_report *into, struct verify_report *from)
{
	size_t cap = into->outages;

	for (int c = 0; c < VERIFY_CHECKS; c++) {
		if (into->wrong[c] == 0)
			memcpy(into->first[c], from->first[c], sizeof into->first[c]);
		into->wrong[c] += from->wrong[c];
	}
	into->holds += from->holds;
	into->lived += from->lived;
	into->served += from->served;
	into->invoked += from->invoked;
	into->ok += from->ok;
	into->failed += from->failed;
	into->unknown += from->unknown;
	into->effects += from->effects;
	if (from->outages > 0)
		mem_grow(&into->outage, &cap, into->outages + from->outages, sizeof *into->outage);
	for (size_t i = 0; i < from->outages; i++)
		into->outage[into->outages++] = from->outage[i];
	verify_release(from);
}

void
verify_release(struct verify_report *r)
{
	mem_free(r->outage);
	r->outage = NULL;
	r->outages = 0;
}
