/* window.c - one list for each priority. */
#include "messaging/window.h"

#include "base/magic.h"

void
window_init(struct window *w, size_t cap)
{
	*w = (struct window){ .cap = cap };
}

bool
window_put(struct window *w, struct window_item *item, enum priority priority)
{
	MUST(!item->waiting && priority < WINDOW_LEVELS);
	if (w->n >= w->cap)
		return false;
	*item = (struct window_item){ .prev = w->last[priority], .priority = priority, .waiting = true };
	*(item->prev != NULL ? &item->prev->next : &w->first[priority]) = item;
	w->last[priority] = item;
	w->n++;
	return true;
}

struct window_item *
window_take(struct window *w)
{
	for (int level = WINDOW_LEVELS - 1; level >= 0; level--) {
		struct window_item *item = w->first[level];
		if (item != NULL) {
			window_remove(w, item);
			return item;
		}
	}
	return NULL;
}

void
window_remove(struct window *w, struct window_item *item)
{
	if (!item->waiting)
		return;
	*(item->prev != NULL ? &item->prev->next : &w->first[item->priority]) = item->next;
	*(item->next != NULL ? &item->next->prev : &w->last[item->priority]) = item->prev;
	item->waiting = false;
	w->n--;
}

size_t
window_room(const struct window *w)
{
	return w->cap - w->n;
}
