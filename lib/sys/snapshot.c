/* snapshot.c - a grace period with two counters, as the kernel's sleepable RCU has it.
 *
 * A reader announces itself in the counter of the current turn, reads the pointer, takes
 * its reference and leaves the counter again.  The publisher swaps the pointer; whoever
 * may have read the old one is then counted in one of the two counters, so the cell's
 * reference is dropped after each of them was seen empty once.  Turning new readers over
 * to the other counter first is what lets the wait end however many readers come.
 *
 * The swap, the announcement and the read of the pointer are sequentially consistent:
 * a reader that saw the old pointer announced itself before the swap. */
#include "sys/snapshot.h"

#include <sched.h>
#include <stddef.h>

#define SPINS 64	/* readers are inside for some 10 ns, unless they lost the processor */

void
snapshot_init(struct snapshot *s, void (*free_it)(struct snapshot *s))
{
	atomic_init(&s->refs, 1);
	s->free = free_it;
}

void
snapshot_cell_init(struct snapshot_cell *c)
{
	atomic_init(&c->now, NULL);
	atomic_init(&c->turn, 0);
	atomic_init(&c->reading[0], 0);
	atomic_init(&c->reading[1], 0);
}

static void
wait_empty(atomic_long *reading)
{
	for (unsigned i = 0; atomic_load(reading) != 0; i++) {
		if (i < SPINS)
			__builtin_ia32_pause();
		else
			sched_yield();
	}
}

void
snapshot_publish(struct snapshot_cell *c, struct snapshot *s)
{
	struct snapshot *old = atomic_exchange(&c->now, s);

	if (old == NULL)
		return;
	for (int i = 0; i < 2; i++) {
		unsigned turn = atomic_fetch_xor(&c->turn, 1) & 1;
		wait_empty(&c->reading[turn]);
	}
	snapshot_drop(old);
}

struct snapshot *
snapshot_take(struct snapshot_cell *c)
{
	atomic_long *reading = &c->reading[atomic_load_explicit(&c->turn, memory_order_relaxed) & 1];

	atomic_fetch_add(reading, 1);
	struct snapshot *s = atomic_load(&c->now);
	if (s != NULL)
		atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(reading, 1, memory_order_release);
	return s;
}

void
snapshot_drop(struct snapshot *s)
{
	if (s != NULL && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
		s->free(s);
}
