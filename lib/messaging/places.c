/* places.c - places in an array that only grows, the free ones in a list through it. */
#include "messaging/places.h"

#include <string.h>

#include "base/mem.h"

#define SPARE_BYTES (64 * 1024)		/* a buffer that grew beyond is not kept */
#define PLACE_BITS 12
#define PLACE_MASK (CALLER_MAX_INFLIGHT - 1)

_Static_assert(CALLER_MAX_INFLIGHT == 1 << PLACE_BITS, "a number's low bits are its place");

struct place *
places_take(struct places *t)
{
	struct place *p = t->free;

	if (p != NULL) {
		t->free = p->next_free;
	} else {
		if (t->made == CALLER_MAX_INFLIGHT)
			return NULL;
		p = mem_new(sizeof *p);
		p->index = t->made;
		t->at[t->made++] = p;
	}
	do
		p->number = ++p->uses << PLACE_BITS | p->index;
	while (p->number == 0);
	t->n++;
	return p;
}

void
places_leave(struct places *t, struct place *p)
{
	p->number = 0;
	if (p->request.cap > SPARE_BYTES)
		str_release(&p->request);
	p->next_free = t->free;
	t->free = p;
	t->n--;
}

struct place *
places_find(const struct places *t, uint32_t number)
{
	uint32_t i = number & PLACE_MASK;

	return number != 0 && i < t->made && t->at[i]->number == number ? t->at[i] : NULL;
}

void
places_release(struct places *t)
{
	for (uint32_t i = 0; i < t->made; i++) {
		str_release(&t->at[i]->request);
		mem_free(t->at[i]);
	}
}

void
places_subject(const char *inbox, size_t ninbox, uint32_t number, char out[PLACES_SUBJECT_MAX])
{
	static const char digit[] = "0123456789abcdef";
	char *p = out + ninbox;

	memcpy(out, inbox, ninbox);
	*p++ = '.';
	for (int shift = 28; shift >= 0; shift -= 4)
		*p++ = digit[number >> shift & 15];
	*p = '\0';
}

uint32_t
places_number(size_t ninbox, const char *subject)
{
	uint32_t number = 0;

	if (strlen(subject) != ninbox + 9)
		return 0;
	for (const char *p = subject + ninbox + 1; *p != '\0'; p++) {
		if ((*p < '0' || *p > '9') && (*p < 'a' || *p > 'f'))
			return 0;
		number = number << 4 | (uint32_t)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
	}
	return number;
}
