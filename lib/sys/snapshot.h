/* snapshot.h - one immutable thing, replaced by its owner, read by everybody, without a lock.
 *
 * The owner publishes a new version; readers take a reference to the current one, use it
 * as long as they like, and drop it.  Taking is a handful of atomic operations, never
 * waits and never allocates.  Publishing waits for readers that are between reading the
 * pointer and counting themselves: a few instructions each. */
#ifndef SYS_SNAPSHOT_H
#define SYS_SNAPSHOT_H

#include <stdatomic.h>

/* What is shared begins with this; `free` is called by whoever drops the last reference. */
struct snapshot {
	atomic_long refs;
	void (*free)(struct snapshot *s);
};

struct snapshot_cell {
	_Atomic(struct snapshot *) now;
	atomic_uint turn;		/* which of the two counters new readers use */
	atomic_long reading[2];
};

/* snapshot_init(s, free): a fresh one with one reference, the creator's. */
void snapshot_init(struct snapshot *s, void (*free)(struct snapshot *s));
void snapshot_cell_init(struct snapshot_cell *c);	/* holds nothing */

/* snapshot_publish(c, s): the cell takes over the caller's reference; NULL empties it.
 * One publisher at a time. */
void snapshot_publish(struct snapshot_cell *c, struct snapshot *s);

/* snapshot_take(c): the current one with a reference for the caller, or NULL when empty. */
struct snapshot *snapshot_take(struct snapshot_cell *c);
void snapshot_drop(struct snapshot *s);			/* NULL is fine */

#endif
