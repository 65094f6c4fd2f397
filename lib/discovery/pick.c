/* pick.c - the four strategies, all over the same array. */
#include "discovery/pick.h"

#include <string.h>

#include "base/magic.h"

/* Groups up to this size are searched completely for the least loaded member. */
#define SMALL_GROUP 8
#define DRAWS 4			/* of large groups; two fit ones nearly always come up */

static const char *const names[] = {
	[PICK_ROUND_ROBIN] = "round_robin", [PICK_RANDOM] = "random",
	[PICK_STICKY] = "sticky", [PICK_LEAST_INFLIGHT] = "least_inflight",
};

static bool
fit(const struct member_entry *e, const struct pick_opts *o)
{
	return instance_is_usable(e->instance) && instance_is_fresh(e->instance, o->now, o->stale_ns);
}

/* from: the first fit member at or after place i, going round once. */
static const struct member_entry *
from(const struct service_group *g, size_t i, const struct pick_opts *o)
{
	for (size_t k = 0; k < g->n; k++) {
		const struct member_entry *e = g->v[(i + k) % g->n];
		if (fit(e, o))
			return e;
	}
	return NULL;
}

static const struct member_entry *
sticky(const struct service_group *g, const struct pick_opts *o)
{
	size_t lo = 0, hi = o->preferred != NULL ? g->n : 0;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int d = strcmp(g->v[mid]->instance->id, o->preferred);
		if (d == 0)
			return fit(g->v[mid], o) ? g->v[mid] : from(g, 0, o);
		if (d < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return from(g, 0, o);
}

static bool
less_busy(const struct member_entry *a, const struct member_entry *b)
{
	return b == NULL || atomic_load_explicit(&a->peer->inflight, memory_order_relaxed) <
	    atomic_load_explicit(&b->peer->inflight, memory_order_relaxed);
}

static const struct member_entry *
least_inflight(const struct service_group *g, const struct pick_opts *o)
{
	const struct member_entry *best = NULL;
	size_t start = (size_t)(o->chance % g->n), step = g->n <= SMALL_GROUP ? 1 : 0;
	size_t looks = step ? g->n : DRAWS;
	uint64_t chance = o->chance;

	/* Small groups begin anywhere, so that equals take turns. */
	for (size_t k = 0; k < looks; k++) {
		size_t i = step ? (start + k) % g->n : (size_t)(chance % g->n);
		chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		chance ^= chance >> 29;
		if (fit(g->v[i], o) && less_busy(g->v[i], best))
			best = g->v[i];
	}
	return best != NULL ? best : from(g, start, o);
}

const struct member_entry *
pick(const struct service_group *g, const struct pick_opts *o)
{
	if (g == NULL || g->n == 0)
		return NULL;
	switch (o->strategy) {
	case PICK_RANDOM:
		return from(g, (size_t)(o->chance % g->n), o);
	case PICK_STICKY:
		return sticky(g, o);
	case PICK_LEAST_INFLIGHT:
		return least_inflight(g, o);
	case PICK_ROUND_ROBIN:
		break;
	}
	uint64_t turn = o->chance % g->n + atomic_fetch_add_explicit(&g->turn->next, 1, memory_order_relaxed);
	return from(g, (size_t)(turn % g->n), o);
}

static bool
is_avoided(const struct member_entry *e, const char *avoid)
{
	return avoid != NULL && strcmp(e->instance->id, avoid) == 0;
}

static struct mono
until(const struct member_entry *e)
{
	return breaker_view(atomic_load(&e->peer->breaker.word)).until;
}

/* place_of: where e stands; it does. */
static size_t
place_of(const struct service_group *g, const struct member_entry *e)
{
	size_t i = 0;

	while (g->v[i] != e)
		i++;
	return i;
}

const struct member_entry *
pick_admitted(const struct service_group *g, const struct pick_opts *o, const struct member_entry *first,
    const char *avoid, struct mono now)
{
	const struct member_entry *best = NULL, *soonest = NULL;
	size_t start = place_of(g, first);

	if (!is_avoided(first, avoid) && breaker_admits(&first->peer->breaker, now))
		return first;
	for (size_t k = 1; k < g->n; k++) {
		const struct member_entry *e = g->v[(start + k) % g->n];
		if (!fit(e, o) || is_avoided(e, avoid))
			continue;
		if (!breaker_is_closed(&e->peer->breaker)) {
			if (soonest == NULL || mono_since(until(e), until(soonest)) < 0)
				soonest = e;
		} else if (o->strategy != PICK_LEAST_INFLIGHT) {
			return e;
		} else if (less_busy(e, best)) {
			best = e;
		}
	}
	if (best != NULL)
		return best;
	if (is_avoided(first, avoid))
		return soonest != NULL ? soonest : first;
	return soonest != NULL && mono_since(until(soonest), until(first)) < 0 ? soonest : first;
}

bool
pick_strategy_parse(const char *text, enum pick_strategy *out)
{
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*out = (enum pick_strategy)i;
			return true;
		}
	}
	return false;
}

const char *
pick_strategy_name(enum pick_strategy s)
{
	return names[s];
}
