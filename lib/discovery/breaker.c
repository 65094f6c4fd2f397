/* breaker.c - the table of a breaker's steps, and the word that holds it.
 *
 * Bits 0-1 the state, 2-7 failures in a row, 8-11 how often it opened, 12-63 a time in ms: one
 * word, so that a step is one compare-and-swap. */
#include "discovery/breaker.h"

#include <stddef.h>

#include "base/magic.h"

#define OPENED_MOST 15u

enum guard { ALWAYS, FEW, MANY, EARLY, DUE };	/* failures below the limit or at it; before `until` or not */

typedef void action_fn(struct breaker_view *v, struct mono now);

static int64_t
pause_ns(unsigned opened)
{
	int64_t ns = BREAKER_FIRST_NS;

	while (opened-- > 1 && ns < BREAKER_LONGEST_NS)
		ns *= 2;
	return ns;
}

static void
count(struct breaker_view *v, struct mono now)
{
	(void)now;
	v->failures++;
}

static void
shut(struct breaker_view *v, struct mono now)
{
	v->failures = 0;
	if (v->opened < OPENED_MOST)
		v->opened++;
	v->until = mono_after(now, pause_ns(v->opened));
}

static void
probe(struct breaker_view *v, struct mono now)
{
	v->until = mono_after(now, BREAKER_PROBE_NS);
}

static void
clear(struct breaker_view *v, struct mono now)
{
	(void)now;
	*v = (struct breaker_view){ .state = BREAKER_CLOSED };
}

/* A pair that is not here changes nothing; what ASK is told is its last column. */
static const struct edge {
	enum breaker_state from;
	enum breaker_event ev;
	enum guard guard;
	enum breaker_state to;
	action_fn *action;
	bool admitted;
} edges[] = {
	{ BREAKER_CLOSED,  BREAKER_GOOD, ALWAYS, BREAKER_CLOSED,  clear, false },
	{ BREAKER_CLOSED,  BREAKER_BAD,  FEW,    BREAKER_CLOSED,  count, false },
	{ BREAKER_CLOSED,  BREAKER_BAD,  MANY,   BREAKER_OPEN,    shut,  false },
	{ BREAKER_CLOSED,  BREAKER_ASK,  ALWAYS, BREAKER_CLOSED,  NULL,  true },
	{ BREAKER_OPEN,    BREAKER_GOOD, ALWAYS, BREAKER_CLOSED,  clear, false },
	{ BREAKER_OPEN,    BREAKER_ASK,  EARLY,  BREAKER_OPEN,    NULL,  false },
	{ BREAKER_OPEN,    BREAKER_ASK,  DUE,    BREAKER_PROBING, probe, true },
	{ BREAKER_PROBING, BREAKER_GOOD, ALWAYS, BREAKER_CLOSED,  clear, false },
	{ BREAKER_PROBING, BREAKER_BAD,  ALWAYS, BREAKER_OPEN,    shut,  false },
	{ BREAKER_PROBING, BREAKER_ASK,  EARLY,  BREAKER_PROBING, NULL,  false },
	{ BREAKER_PROBING, BREAKER_ASK,  DUE,    BREAKER_PROBING, probe, true },
};

static bool
holds(enum guard g, const struct breaker_view *v, struct mono now)
{
	switch (g) {
	case FEW:
		return v->failures + 1 < BREAKER_FAILURES;
	case MANY:
		return v->failures + 1 >= BREAKER_FAILURES;
	case EARLY:
		return !mono_reached(now, v->until);
	case DUE:
		return mono_reached(now, v->until);
	case ALWAYS:
		break;
	}
	return true;
}

struct breaker_view
breaker_view(uint64_t word)
{
	return (struct breaker_view){
		.state = (enum breaker_state)(word & 3), .failures = word >> 2 & 63, .opened = word >> 8 & 15,
		.until = { (int64_t)(word >> 12) * NS_PER_MS },
	};
}

static uint64_t
word_of(const struct breaker_view *v)
{
	return (uint64_t)v->state | (uint64_t)v->failures << 2 | (uint64_t)v->opened << 8 |
	    (uint64_t)(v->until.ns / NS_PER_MS) << 12;
}

uint64_t
breaker_step(uint64_t word, enum breaker_event ev, struct mono now, bool *admitted)
{
	struct breaker_view v = breaker_view(word);

	*admitted = false;
	for (size_t i = 0; i < COUNT_OF(edges); i++) {
		const struct edge *e = &edges[i];
		if (e->from != v.state || e->ev != ev || !holds(e->guard, &v, now))
			continue;
		v.state = e->to;
		if (e->action != NULL)
			e->action(&v, now);
		*admitted = e->admitted;
		return word_of(&v);
	}
	return word;
}

/* take: one step of the shared word; the state before and after it. */
static bool
take(struct breaker *b, enum breaker_event ev, struct mono now, enum breaker_state *from, enum breaker_state *to)
{
	uint64_t old = atomic_load(&b->word), fresh;
	bool admitted;

	do
		fresh = breaker_step(old, ev, now, &admitted);
	while (fresh != old && !atomic_compare_exchange_weak(&b->word, &old, fresh));
	*from = breaker_view(old).state;
	*to = breaker_view(fresh).state;
	return admitted;
}

bool
breaker_admits(struct breaker *b, struct mono now)
{
	enum breaker_state from, to;

	return take(b, BREAKER_ASK, now, &from, &to);
}

enum breaker_turn
breaker_note(struct breaker *b, enum breaker_event ev, struct mono now)
{
	enum breaker_state from, to;

	take(b, ev, now, &from, &to);
	if (from != BREAKER_OPEN && to == BREAKER_OPEN)
		return BREAKER_OPENED;
	return from != BREAKER_CLOSED && to == BREAKER_CLOSED ? BREAKER_RECOVERED : BREAKER_SAME;
}
