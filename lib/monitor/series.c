/* series.c - a ring of points; the newest may still be filling. */
#include "monitor/series.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

#define POINT_NS (9500 * NS_PER_MS)	/* a beat each 10 s, and its jitter, is a point of its own */
#define GAP_NS (25 * NS_PER_S)		/* two beats in a row were missed */

struct point {
	struct wall at;			/* of its first beat */
	unsigned beats;
	struct figures f;
};

struct series {
	size_t n, next;			/* points; where the next one goes */
	struct wall last;		/* the latest beat */
	struct point v[SERIES_POINTS];
};

void
series_free(struct series *s)
{
	mem_free(s);
}

/* mean: of what a point has by n beats, and one more; what is unknown does not count. */
static void
mean(float *have, float more, unsigned n)
{
	if (isnan(*have))
		*have = more;
	else if (!isnan(more))
		*have += (more - *have) / (float)(n + 1);
}

static void
most(float *have, float more)
{
	*have = fmaxf(*have, more);	/* of a number and NAN: the number */
}

static void
fill(struct point *p, const struct figures *f)
{
	mean(&p->f.calls_per_second, f->calls_per_second, p->beats);
	mean(&p->f.error_rate, f->error_rate, p->beats);
	mean(&p->f.p50_ms, f->p50_ms, p->beats);
	mean(&p->f.p90_ms, f->p90_ms, p->beats);
	most(&p->f.p99_ms, f->p99_ms);
	most(&p->f.queue_depth, f->queue_depth);
	most(&p->f.in_flight, f->in_flight);
	p->f.uptime_s = f->uptime_s;
	p->beats++;
}

void
series_add(struct series **at_s, const struct figures *f, struct wall at)
{
	if (*at_s == NULL)
		*at_s = mem_new(sizeof **at_s);
	struct series *s = *at_s;
	if (s->n > 0 && at.ns < s->last.ns)
		return;
	struct point *newest = s->n > 0 ? &s->v[(s->next + SERIES_POINTS - 1) % SERIES_POINTS] : NULL;
	s->last = at;
	if (newest != NULL && at.ns - newest->at.ns < POINT_NS) {
		fill(newest, f);
		return;
	}
	s->v[s->next] = (struct point){ at, 1, *f };
	s->next = (s->next + 1) % SERIES_POINTS;
	if (s->n < SERIES_POINTS)
		s->n++;
}

void
series_each(const struct series *s, struct wall now, void (*each)(void *arg, struct wall at, const struct figures *f),
    void *arg)
{
	const struct point *last = NULL;

	for (size_t i = 0; s != NULL && i < s->n; i++) {
		const struct point *p = &s->v[(s->next + SERIES_POINTS - s->n + i) % SERIES_POINTS];
		if (p->at.ns < now.ns - SERIES_SPAN_S * NS_PER_S)
			continue;
		if (last != NULL && p->at.ns - last->at.ns > GAP_NS)
			each(arg, (struct wall){ last->at.ns + SERIES_STEP_S * NS_PER_S }, NULL);
		each(arg, p->at, &p->f);
		last = p;
	}
}
