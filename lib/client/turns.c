/* turns.c - a counter and a list under one lock. */
#include "client/turns.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

struct turns {
	pthread_mutex_t lock;		/* leaf: all below */
	unsigned at_once, running;
	unsigned max_waiting, waiting;
	struct turn_item *first, **last;
	bool closed;
};

struct turns *
turns_new(unsigned at_once, unsigned max_waiting)
{
	struct turns *t = mem_new(sizeof *t);

	pthread_mutex_init(&t->lock, NULL);
	t->at_once = at_once;
	t->max_waiting = max_waiting;
	t->last = &t->first;
	return t;
}

void
turns_free(struct turns *t)
{
	if (t == NULL)
		return;
	pthread_mutex_destroy(&t->lock);
	mem_free(t);
}

enum turns_word
turns_enter(struct turns *t, struct turn_item *i)
{
	enum turns_word word = TURNS_FULL;

	pthread_mutex_lock(&t->lock);
	if (t->running < t->at_once) {
		t->running++;
		word = TURNS_GO;
	} else if (!t->closed && t->waiting < t->max_waiting) {
		i->next = NULL;
		*t->last = i;
		t->last = &i->next;
		t->waiting++;
		word = TURNS_WAIT;
	}
	pthread_mutex_unlock(&t->lock);
	return word;
}

struct turn_item *
turns_leave(struct turns *t)
{
	pthread_mutex_lock(&t->lock);
	struct turn_item *i = t->first;
	if (i == NULL) {
		t->running--;
	} else {
		t->first = i->next;
		if (t->first == NULL)
			t->last = &t->first;
		t->waiting--;
	}
	pthread_mutex_unlock(&t->lock);
	return i;
}

struct turn_item *
turns_close(struct turns *t)
{
	pthread_mutex_lock(&t->lock);
	struct turn_item *i = t->first;
	t->first = NULL;
	t->last = &t->first;
	t->waiting = 0;
	t->closed = true;
	pthread_mutex_unlock(&t->lock);
	return i;
}
