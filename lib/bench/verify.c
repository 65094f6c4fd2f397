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

void
verify_wrong(struct verify *v, enum verify_check c, const char *fmt, ...)
{
	va_list ap;

	if (v->r->wrong[c]++ > 0)
		return;
	va_start(ap, fmt);
	vsnprintf(v->r->first[c], sizeof v->r->first[c], fmt, ap);
	va_end(ap);
}

/* --- intervals --------------------------------------------------------------------------- */

struct span {
	struct boot from, to;
	const struct history_line *line;	/* that began it */
};

struct spans {
	struct span *v;
	size_t n, cap;
};

static struct span *
spans_add(struct spans *s, struct boot from, struct boot to, const struct history_line *line)
{
	mem_grow(&s->v, &s->cap, s->n + 1, sizeof *s->v);
	s->v[s->n] = (struct span){ from, to, line };
	return &s->v[s->n++];
}

static int
by_from(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return x->from.ns < y->from.ns ? -1 : x->from.ns > y->from.ns;
}

static bool
other_nonce(const struct history_line *a, const struct history_line *b)
{
	return strcmp(a->nonce, b->nonce) != 0;
}

static bool
other_epoch(const struct history_line *a, const struct history_line *b)
{
	return a->epoch != b->epoch;
}

/* overlaps: every pair of neighbours in time that differ and overlap.  The one that reaches farthest is
 * carried along, so that a long interval is compared with all that begin in it. */
static void
overlaps(struct verify *v, struct spans *s, enum verify_check c, const char *what,
    bool (*differ)(const struct history_line *, const struct history_line *))
{
	const struct span *far = NULL;

	if (s->n > 0)
		qsort(s->v, s->n, sizeof *s->v, by_from);
	for (size_t i = 0; i < s->n; i++) {
		const struct span *one = &s->v[i];
		if (far != NULL && one->from.ns < far->to.ns && differ(far->line, one->line))
			verify_wrong(v, c, "%s: %s (epoch %llu) until %lld, %s (epoch %llu) from %lld, %.3f ms together", what,
			    far->line->src, (unsigned long long)far->line->epoch, (long long)far->to.ns, one->line->src,
			    (unsigned long long)one->line->epoch, (long long)one->from.ns,
			    (double)((far->to.ns < one->to.ns ? far->to.ns : one->to.ns) - one->from.ns) / 1e6);
		if (far == NULL || one->to.ns > far->to.ns)
			far = one;
	}
	mem_free(s->v);
}

/* last_of: the newest span of that nonce; members are few and spans come in order of time. */
static struct span *
last_of(struct spans *s, const struct history_line *l)
{
	for (size_t i = s->n; i-- > 0;)
		if (!other_nonce(s->v[i].line, l))
			return &s->v[i];
	return NULL;
}

/* --- C1, C4: gates and epochs ------------------------------------------------------------ */

static void
check_gates(struct verify *v)
{
	struct spans gates = { NULL, 0, 0 };

	for (size_t i = 0; i < v->h->n; i++) {
		const struct history_line *l = &v->h->v[i];
		struct span *last = l->ev <= HISTORY_release ? last_of(&gates, l) : NULL;
		switch (l->ev) {
		case HISTORY_open:
		case HISTORY_extend:
			if (last != NULL && last->to.ns >= l->t.ns)
				last->to = boot_max(last->to, l->until);
			else if (l->until.ns > l->t.ns)
				spans_add(&gates, l->t, l->until, l);
			break;
		case HISTORY_shut:
		case HISTORY_release:
			if (last != NULL)
				last->to = boot_min(last->to, l->t);
			break;
		default:
			break;
		}
	}
	overlaps(v, &gates, VERIFY_C1, "two gates were open", other_nonce);
}

static void
check_epochs(struct verify *v)
{
	const struct history_line *last = NULL;

	for (size_t i = 0; i < v->h->n; i++) {
		const struct history_line *l = &v->h->v[i];
		if (l->ev != HISTORY_open)
			continue;
		v->r->holds++;
		if (l->until.ns <= l->t.ns)
			continue;		/* told late */
		if (last != NULL && l->epoch == last->epoch && other_nonce(l, last))
			verify_wrong(v, VERIFY_C4, "epoch %llu belongs to %s and to %s", (unsigned long long)l->epoch, last->src, l->src);
		else if (last != NULL && l->epoch <= last->epoch)
			verify_wrong(v, VERIFY_C4, "%s opened with epoch %llu after %s had opened with %llu", l->src,
			    (unsigned long long)l->epoch, last->src, (unsigned long long)last->epoch);
		if (last == NULL || l->epoch > last->epoch)
			last = l;
	}
}

/* --- C2: served intervals ---------------------------------------------------------------- */

/* was_stopped: the member with this nonce was frozen at some time of the interval. */
static bool
was_stopped(const struct verify *v, const char *nonce, struct boot from, struct boot to)
{
	struct boot since = BOOT_NEVER;

	for (size_t i = 0; i < v->h->n && v->h->v[i].t.ns <= to.ns; i++) {
		const struct history_line *l = &v->h->v[i];
		if (strcmp(l->nonce, nonce) != 0 || strncmp(l->what, "stop", 4) != 0)
			continue;
		if (l->ev == HISTORY_inject)
			since = l->t;
		if (l->ev == HISTORY_heal && l->t.ns >= from.ns && since.ns <= to.ns)
			return true;
		if (l->ev == HISTORY_heal)
			since = BOOT_NEVER;
	}
	return since.ns <= to.ns;
}

static int
by_nonce_and_req(const void *a, const void *b)
{
	const struct history_line *x = *(const struct history_line *const *)a, *y = *(const struct history_line *const *)b;
	int order = strcmp(x->nonce, y->nonce);

	if (order != 0)
		return order;
	if (x->req != y->req)
		return x->req < y->req ? -1 : 1;
	return x->ev < y->ev ? -1 : x->ev > y->ev;
}

/* check_served: a begin and its end stand side by side once sorted; a begin without an end is of a
 * process that died in between, and its interval is that moment. */
static void
check_served(struct verify *v)
{
	const struct history_line **served = mem_array(v->h->n + 1, sizeof *served);
	struct spans spans = { NULL, 0, 0 };
	size_t n = 0;

	for (size_t i = 0; i < v->h->n; i++)
		if (v->h->v[i].ev == HISTORY_serve_begin || v->h->v[i].ev == HISTORY_serve_end)
			served[n++] = &v->h->v[i];
	qsort(served, n, sizeof *served, by_nonce_and_req);
	for (size_t i = 0; i < n; i++) {
		const struct history_line *begin = served[i], *end = begin;
		if (begin->ev != HISTORY_serve_begin)
			continue;
		v->r->served++;
		if (i + 1 < n && served[i + 1]->ev == HISTORY_serve_end && served[i + 1]->req == begin->req &&
		    !other_nonce(served[i + 1], begin))
			end = served[i + 1];
		if (end->t.ns - begin->t.ns < NS_PER_MS || !was_stopped(v, begin->nonce, begin->t, end->t))
			spans_add(&spans, begin->t, end->t, begin);
	}
	mem_free(served);
	overlaps(v, &spans, VERIFY_C2, "two epochs were served at once", other_epoch);
}

void
verify_members(struct verify *v)
{
	check_gates(v);
	check_epochs(v);
	check_served(v);
}

bool
verify_history(const struct history *h, const struct verify_opts *o, struct verify_report *out)
{
	struct verify v = { h, o, out };
	uint64_t wrong = 0;

	memset(out, 0, sizeof *out);
	verify_members(&v);
	verify_clients(&v);
	for (size_t c = 0; c < VERIFY_CHECKS; c++)
		wrong += out->wrong[c];
	return wrong == 0;
}

void
verify_release(struct verify_report *r)
{
	mem_free(r->outage);
	r->outage = NULL;
	r->outages = 0;
}
