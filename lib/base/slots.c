/* slots.c - places in an array, the free ones in a list through it. */
#include "base/slots.h"

#include <string.h>

#include "base/magic.h"
#include "base/mem.h"

#define PLACE_MASK ((UINT64_C(1) << SLOTS_BITS) - 1)

struct slot {
	void *value;		/* NULL: free */
	uint64_t number;	/* while taken */
	uint64_t uses;
	uint32_t next;		/* in the list of free ones: place + 1 */
};

void
slots_init(struct slots *s, uint32_t max)
{
	MUST(max > 0 && max <= PLACE_MASK);
	memset(s, 0, sizeof *s);
	s->max = max;
}

void
slots_release(struct slots *s)
{
	mem_free(s->v);
	memset(s, 0, sizeof *s);
}

uint64_t
slots_take(struct slots *s, void *value)
{
	uint32_t i;

	MUST(value != NULL);
	if (s->free != 0) {
		i = s->free - 1;
		s->free = s->v[i].next;
	} else {
		if (s->made == s->max)
			return 0;
		i = s->made++;
		mem_grow(&s->v, &s->cap, s->made, sizeof *s->v);
		s->v[i] = (struct slot){ 0 };
	}
	struct slot *p = &s->v[i];
	p->value = value;
	p->number = ++p->uses << SLOTS_BITS | i;
	s->n++;
	return p->number;
}

static struct slot *
place(const struct slots *s, uint64_t number)
{
	uint64_t i = number & PLACE_MASK;

	return i < s->made && s->v[i].value != NULL && s->v[i].number == number ? &s->v[i] : NULL;
}

void *
slots_find(const struct slots *s, uint64_t number)
{
	const struct slot *p = place(s, number);

	return p != NULL ? p->value : NULL;
}

void *
slots_leave(struct slots *s, uint64_t number)
{
	struct slot *p = place(s, number);

	if (p == NULL)
		return NULL;
	void *value = p->value;
	p->value = NULL;
	p->next = s->free;
	s->free = (uint32_t)(p - s->v) + 1;
	s->n--;
	return value;
}

void *
slots_at(const struct slots *s, uint32_t i)
{
	return s->v[i].value;
}
