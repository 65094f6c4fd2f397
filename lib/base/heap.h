/* heap.h - a binary heap of intrusive nodes ordered by an int64 key; the timers' store.
 *
 * Nodes are the caller's and remember their place, so removing one costs O(log n).  A
 * node is in at most one heap; `at` is 0 while it is in none. */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap_node {
	int64_t key;
	size_t at;		/* 1-based place in the heap, 0 = not in it */
};

struct heap {
	struct heap_node **v;
	size_t n, cap;
};

void heap_init(struct heap *h);
void heap_release(struct heap *h);			/* nodes are left alone */
void heap_put(struct heap *h, struct heap_node *n, int64_t key);	/* inserts or moves */
void heap_remove(struct heap *h, struct heap_node *n);	/* fine when it is not in */
struct heap_node *heap_min(const struct heap *h);	/* NULL when empty */

#endif
