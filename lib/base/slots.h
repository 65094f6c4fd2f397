/* slots.h - numbers for things in flight: a table of bounded size whose numbers never repeat.
 *
 * A number is a place and how often that place was used, so that a late answer to an earlier
 * thing cannot be taken for a later one's.  Not thread-safe: the owner's lock guards it.
 *
 * The values are their owners'.  RPC calls have messaging/places.h instead: the same trick of numbering, but in
 * 32 bits, which come round again, for subjects that are short and of one length; and places that are the
 * values, with buffers that outlive a use. */
#ifndef BASE_SLOTS_H
#define BASE_SLOTS_H

#include <stddef.h>
#include <stdint.h>

struct slot;

struct slots {
	struct slot *v;
	size_t cap;		/* of v */
	uint32_t max, made, n;	/* most there may be; places that exist; places that are taken */
	uint32_t free;		/* first free place + 1; 0: none */
};

#define SLOTS_BITS 24		/* of a number, for the place */

void slots_init(struct slots *s, uint32_t max);		/* max < 2^SLOTS_BITS */
void slots_release(struct slots *s);			/* values are left alone */

/* slots_take(s, value): a number, never 0, for value (not NULL); 0 when max are taken. */
uint64_t slots_take(struct slots *s, void *value);
void *slots_find(const struct slots *s, uint64_t number);	/* NULL when it is over */
void *slots_leave(struct slots *s, uint64_t number);	/* gives the place back; its value, or NULL */

/* slots_at(s, i): what is at place i < s->made, NULL when it is free. */
void *slots_at(const struct slots *s, uint32_t i);

#endif
