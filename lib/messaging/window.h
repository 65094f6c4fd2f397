/* window.h - the commands that were fetched and wait to be run: critical before high before
 * normal before low, first come first served within a level (wire.md §7.2).  Pure.
 *
 * Bound: cap items; a full window refuses, and whoever fetches fetches only what fits.  Items are
 * the caller's and intrusive; one is in at most one window.  Not thread-safe. */
#ifndef MESSAGING_WINDOW_H
#define MESSAGING_WINDOW_H

#include <stdbool.h>
#include <stddef.h>

#include "model/envelope.h"

#define WINDOW_LEVELS 4

struct window_item {
	struct window_item *next, *prev;
	enum priority priority;
	bool waiting;			/* it is in a window */
};

struct window {
	struct window_item *first[WINDOW_LEVELS], *last[WINDOW_LEVELS];	/* by enum priority */
	size_t n, cap;
};

void window_init(struct window *w, size_t cap);

/* window_put(w, item, priority): behind its equals; false, and item untouched, when w is full. */
bool window_put(struct window *w, struct window_item *item, enum priority priority);

/* window_take(w): the one to run next, no longer in w; NULL when w is empty. */
struct window_item *window_take(struct window *w);

/* window_remove(w, item): fine when it is not in w. */
void window_remove(struct window *w, struct window_item *item);

size_t window_room(const struct window *w);	/* how many more fit */

#endif
