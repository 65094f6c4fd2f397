/* leash.c - the four states of a program under a lease.
 *
 * A word that is read late is never a danger: `until` only says what was granted, and the next
 * holder waits for longer than that (L > D·1.02 + g).  Dangerous would be to forget a hold that
 * is over, hence CUT is final, and one process lives in one hold. */
#include "runner/leash.h"

#define WARN_PART 4	/* the warning comes D/4 before the end */

void
leash_init(struct leash *l, int64_t lease_ns, bool hot)
{
	*l = (struct leash){ .state = hot ? LEASH_LOOSE : LEASH_HELD, .hot = hot, .lease_ns = lease_ns,
	    .until = BOOT_LONG_AGO };
}

/* heed: what the word says about our hold. */
static void
heed(struct leash *l, struct boot until, uint32_t hold)
{
	if (until.ns == BOOT_LONG_AGO.ns || l->state == LEASH_CUT)
		return;
	if (l->state == LEASH_LOOSE)
		l->state = LEASH_HELD;
	else if (l->until.ns != BOOT_LONG_AGO.ns && hold != l->hold)
		l->state = LEASH_CUT;
	l->hold = hold;
	l->until = until;
}

static struct boot
warning(const struct leash *l)
{
	return l->until.ns == BOOT_LONG_AGO.ns ? l->until : (struct boot){ l->until.ns - l->lease_ns / WARN_PART };
}

enum leash_deed
leash_look(struct leash *l, struct boot until, uint32_t hold, struct boot now, struct boot *due)
{
	enum leash_state was = l->state;

	heed(l, until, hold);
	*due = BOOT_NEVER;
	if (l->state == LEASH_LOOSE) {
		/* It may open at any time, for more than three times as long. */
		*due = boot_after(now, l->lease_ns / WARN_PART);
		return LEASH_NOTHING;
	}
	if (l->state != LEASH_CUT && boot_reached(now, l->until))
		l->state = LEASH_CUT;
	if (l->state == LEASH_CUT)
		return was == LEASH_CUT ? LEASH_NOTHING : LEASH_KILL;
	if (l->state == LEASH_HELD && boot_reached(now, warning(l)))
		l->state = LEASH_WARNED;
	*due = l->state == LEASH_HELD ? warning(l) : l->until;
	return l->state == LEASH_WARNED && was != LEASH_WARNED ? LEASH_WARN : LEASH_NOTHING;
}

void
leash_ease(struct leash *l)
{
	if (l->state != LEASH_HELD || !l->hot)
		return;
	l->state = LEASH_LOOSE;
	l->until = BOOT_LONG_AGO;
}

const char *
leash_state_name(enum leash_state s)
{
	static const char *const names[] = {
#define X(name) #name,
		LEASH_STATES(X)
#undef X
	};

	return names[s];
}
